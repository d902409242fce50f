/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target of Router Advertisements: messages of any octets, from a few routers on a few links, at growing
 * times. Each is two octets of length, one that chooses router and link, one for the time that has passed, and the
 * message. After each the table must be within its bounds and its counts must agree.
 */
#include <stdlib.h>

#include "host/ra.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check(const struct ra_table *t, uint64_t now)
{
	unsigned prefixes = 0;

	require(t->n_routers <= RA_MAX_ROUTERS && t->n_prefixes <= RA_MAX_PREFIXES);
	for (unsigned i = 0; i < t->n_routers; i++) {
		require(t->routers[i].prefixes <= RA_MAX_PIO);
		require(t->routers[i].is_default || t->routers[i].prefixes);
		prefixes += t->routers[i].prefixes;
	}
	require(prefixes == t->n_prefixes);
	for (unsigned i = 0; i < t->n_prefixes; i++) {
		const struct ra_prefix *p = &t->prefixes[i];

		require(ra_table_router(t, p->ifindex, &p->router) != NULL);
		require(p->len > 0 && p->len <= 128 && p->valid_until > now && ra_prefix_covers(p, &p->prefix));
	}
	require(ra_table_next(t) > now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ra_table t;
	uint64_t now = UINT64_C(1000000000000);

	memset(&t, 0, sizeof(t));
	while (size > 4) {
		size_t len = ((size_t)data[0] << 8 | data[1]) % (size - 4) + 1;
		struct shim6_addr from = { { 0xfe, 0x80, [15] = data[2] & 15 } };
		unsigned ifindex = 1 + (data[2] >> 4 & 3);
		uint8_t *copy = malloc(len); /* its end is the end of the memory */
		struct ra_message m;

		require(copy != NULL);
		memcpy(copy, data + 4, len);
		now += data[3] * UINT64_C(60000000000);
		ra_table_expire(&t, now);
		if (ra_parse(&m, copy, len, data[2] & 0x80 ? 64 : 255, &from)) {
			require(m.n <= RA_MAX_PIO && !(data[2] & 0x80));
			ra_table_take(&t, now, ifindex, &from, &m);
		}
		if (data[2] & 0x40)
			ra_table_forget(&t, ifindex, now);
		free(copy);
		check(&t, now);
		data += 4 + len;
		size -= 4 + len;
	}
	return 0;
}
