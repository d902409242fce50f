/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target of the decoder: any octets are decoded; what decodes is
 * written again with the builders, decoded once more, and must say the same.
 * The input runs twice, as it is and with its checksum put right, so that the
 * fuzzer gets past the sum and the sum itself is exercised too.
 */
#include <stdlib.h>

#include "rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Reads every octet that a decoded message points to; the sum only keeps the reads alive. */
static unsigned touch(const struct wire_msg *m)
{
	unsigned sum = 0;
	const struct wire_blob *blobs[] = { &m->validator, &m->pds, &m->signature, &m->quote };
	struct shim6_addr a;
	struct wire_record r;
	struct wire_pref p;

	for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++) {
		for (size_t k = 0; k < blobs[i]->len; k++)
			sum += blobs[i]->p[k];
	}
	for (unsigned i = 0; i < m->n_sent + m->n_received; i++) {
		wire_record_get(m, i, &r);
		sum += r.src.b[0];
	}
	for (unsigned i = 0; i < m->locators.n; i++) {
		wire_locator_get(&m->locators, i, &a);
		sum += m->locators.methods[i];
	}
	for (unsigned i = 0; i < m->prefs.n; i++) {
		wire_pref_get(&m->prefs, i, &p);
		sum += p.flags;
	}
	return sum;
}

/* More preferences than any list has locators: readable, but nothing that a builder says. */
static bool is_sayable(const struct wire_msg *m)
{
	return m->prefs.n <= WIRE_MAX_LOCATORS;
}

static void round_trip(const struct wire_msg *m)
{
	uint8_t once[REBUILD_MAX], twice[REBUILD_MAX];
	struct wire_msg n;
	size_t err, len;

	len = rebuild(m, once, sizeof(once));
	require(len >= 16 && len <= m->len);
	require(wire_decode(once, len, &n, &err) == WIRE_OK);
	require(same_message(m, &n));
	require(rebuild(&n, twice, sizeof(twice)) == len);
	require(memcmp(once, twice, len) == 0);
}

static void run(const uint8_t *data, size_t size)
{
	struct wire_msg m;
	size_t err;
	int status = wire_decode(data, size, &m, &err);

	require(status <= 0 && status > -WIRE_N_STATUS);
	if (status == WIRE_E_UNKNOWN_TYPE || status == WIRE_E_CRITICAL)
		require(err < m.len);
	if (status != WIRE_OK)
		return;
	require(m.len <= size);
	require(touch(&m) < 1u << 24);
	if (is_sayable(&m))
		round_trip(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t next, *copy;
	uint64_t tag;
	size_t len;

	run(data, size);
	if (wire_payload_get(data, size, &next, &tag))
		require(tag <= WIRE_TAG_MASK);
	if (size < 8)
		return 0;
	len = ((size_t)data[1] + 1) * 8;
	if (len > size)
		return 0;
	copy = malloc(size); /* exact, for the sanitizer */
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[4] = (uint8_t)(wire_checksum(copy, len) >> 8);
	copy[5] = (uint8_t)wire_checksum(data, len);
	run(copy, size);
	free(copy);
	return 0;
}
