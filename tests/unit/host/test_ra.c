/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Router Advertisements: what is believed, what is remembered, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/ra.h"

#define S UINT64_C(1000000000)
#define NOW (1000 * S)

static const struct shim6_addr router = { { 0xfe, 0x80, [15] = 1 } }, other = { { 0xfe, 0x80, [15] = 2 } };

/* A message under construction. */
static uint8_t m[512];
static size_t n;

static void begin(unsigned lifetime, uint8_t flags)
{
	memset(m, 0, sizeof(m));
	m[0] = 134;
	m[5] = flags;
	m[6] = (uint8_t)(lifetime >> 8);
	m[7] = (uint8_t)lifetime;
	n = 16;
}

static void put_u32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* 2001:db8:0:SUBNET::/len */
static void prefix(uint8_t subnet, uint8_t len, uint8_t flags, uint32_t valid, uint32_t preferred)
{
	const uint8_t head[8] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, subnet };
	uint8_t *o = m + n;

	o[0] = 3;
	o[1] = 4;
	o[2] = len;
	o[3] = flags;
	put_u32(o + 4, valid);
	put_u32(o + 8, preferred);
	memcpy(o + 16, head, sizeof(head));
	o[31] = 0x77; /* the host part is to be passed over */
	n += 32;
}

static bool parse(struct ra_message *out)
{
	return ra_parse(out, m, n, 255, &router);
}

static void test_good(void **state)
{
	struct ra_message r;

	(void)state;
	begin(1800, 0x08);
	m[n] = 1, m[n + 1] = 1, n += 8; /* source link-layer address */
	prefix(1, 64, 0xc0, 7200, 3600);
	prefix(2, 64, 0x40, UINT32_MAX, UINT32_MAX);
	assert_true(parse(&r));
	assert_int_equal(r.lifetime, 1800);
	assert_int_equal(r.preference, 1);
	assert_int_equal(r.n, 2);
	assert_true(r.pio[0].on_link && r.pio[0].autonomous && !r.pio[1].on_link);
	assert_int_equal(r.pio[0].valid, 7200);
	assert_int_equal(r.pio[0].preferred, 3600);
	assert_int_equal(r.pio[0].prefix.b[7], 1);
	assert_int_equal(r.pio[0].prefix.b[15], 0);
	begin(0, 0x18);
	assert_true(parse(&r));
	assert_int_equal(r.preference, -1);
	begin(0, 0x10);
	assert_true(parse(&r));
	assert_int_equal(r.preference, 0);
}

/* RFC 4861 6.1.2: none of these is believed, and nothing is read past the end. */
static void test_unbelievable(void **state)
{
	const struct shim6_addr global = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
	struct ra_message r;

	(void)state;
	begin(1800, 0);
	prefix(1, 64, 0xc0, 7200, 3600);
	assert_true(parse(&r));
	assert_false(ra_parse(&r, m, n, 254, &router));
	assert_false(ra_parse(&r, m, n, -1, &router));
	assert_false(ra_parse(&r, m, n, 255, &global));
	for (size_t len = 0; len < n; len++) {
		if (len != 16)
			assert_false(ra_parse(&r, m, len, 255, &router));
	}
	m[1] = 1; /* code */
	assert_false(parse(&r));
	m[1] = 0;
	m[0] = 133;
	assert_false(parse(&r));
	m[0] = 134;
	m[17] = 0; /* an option of length zero */
	assert_false(parse(&r));
	m[17] = 5; /* one longer than the message */
	assert_false(parse(&r));
	m[17] = 2; /* a prefix in sixteen octets */
	n = 32;
	assert_false(parse(&r));
}

/* RFC 4862 5.5.3: such prefixes are passed over, the rest counts. */
static void test_prefixes_of_no_use(void **state)
{
	struct ra_message r;

	(void)state;
	begin(1800, 0);
	prefix(1, 64, 0xc0, 100, 101);
	prefix(2, 129, 0xc0, 100, 100);
	prefix(3, 0, 0xc0, 100, 100);
	prefix(4, 64, 0xc0, 100, 100);
	m[n - 16] = 0xfe, m[n - 15] = 0x80;
	prefix(5, 64, 0xc0, 100, 100);
	assert_true(parse(&r));
	assert_int_equal(r.n, 1);
	assert_int_equal(r.left_out, 4);
	assert_int_equal(r.pio[0].prefix.b[7], 5);
	begin(1800, 0);
	for (uint8_t i = 0; n + 32 <= sizeof(m); i++)
		prefix(i, 64, 0xc0, 100, 100);
	assert_true(parse(&r));
	assert_true(r.n <= RA_MAX_PIO);
}

static struct ra_table t;

static bool take(uint64_t now, const struct shim6_addr *from, unsigned ifindex)
{
	struct ra_message r;

	assert_true(ra_parse(&r, m, n, 255, from));
	return ra_table_take(&t, now, ifindex, from, &r);
}

static void test_lifetimes(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	begin(1800, 0);
	prefix(1, 64, 0xc0, 7300, 3600);
	assert_true(take(NOW, &router, 1));
	assert_true(t.routers[0].is_default && t.prefixes[0].preferred);
	assert_int_equal(ra_table_next(&t), NOW + 1800 * S);
	/* the same once more, a second later, is no news */
	assert_false(take(NOW + S, &router, 1));
	assert_true(take(NOW + 100 * S, &router, 1));
	/* the router's lifetime ends first, then the prefix is deprecated, then it is gone, and the router with it */
	assert_false(ra_table_expire(&t, NOW + 1899 * S));
	assert_true(ra_table_expire(&t, NOW + 1900 * S));
	assert_true(!t.routers[0].is_default && t.routers[0].was_default && t.n_prefixes == 1);
	assert_int_equal(ra_table_next(&t), NOW + 3700 * S);
	assert_true(ra_table_expire(&t, NOW + 3700 * S));
	assert_false(t.prefixes[0].preferred);
	assert_true(ra_table_expire(&t, NOW + 7400 * S));
	assert_int_equal(t.n_prefixes + t.n_routers, 0);
	assert_int_equal(ra_table_next(&t), RA_NEVER);
}

/* RFC 4862 5.5.3 e: nobody ends an address within two hours; deprecate it he may. */
static void test_two_hours(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	begin(1800, 0);
	prefix(1, 64, 0xc0, 86400, 86400);
	take(NOW, &router, 1);
	begin(0, 0);
	prefix(1, 64, 0xc0, 0, 0);
	assert_true(take(NOW + S, &router, 1));
	assert_int_equal(t.prefixes[0].valid_until, NOW + 7201 * S);
	assert_false(t.prefixes[0].preferred);
	assert_false(t.routers[0].is_default);
	/* less than two hours are left: these stay */
	assert_false(take(NOW + 3600 * S, &router, 1));
	assert_int_equal(t.prefixes[0].valid_until, NOW + 7201 * S);
	/* of a prefix that nobody knows, an end is no beginning */
	begin(1800, 0);
	prefix(2, 64, 0xc0, 0, 0);
	take(NOW, &other, 1);
	assert_int_equal(t.n_prefixes, 1);
}

/* A flood fills its own link's share, and no more. */
static void test_bounds(void **state)
{
	struct shim6_addr from = router;

	(void)state;
	memset(&t, 0, sizeof(t));
	for (unsigned i = 0; i < 300; i++) {
		from.b[14] = (uint8_t)(i >> 8);
		from.b[15] = (uint8_t)i;
		begin(1800, 0);
		for (uint8_t k = 0; k < 3; k++)
			prefix((uint8_t)(i + k), 64, 0xc0, 7200, 7200);
		take(NOW, &from, 7);
	}
	assert_int_equal(t.n_routers, RA_MAX_ROUTERS_PER_LINK);
	assert_int_equal(t.n_prefixes, 3 * RA_MAX_ROUTERS_PER_LINK);
	assert_true(t.refused >= 300 - RA_MAX_ROUTERS_PER_LINK);
	/* one router that changes its mind all the time */
	memset(&t, 0, sizeof(t));
	for (unsigned i = 0; i < 100; i++) {
		begin(1800, 0);
		prefix((uint8_t)i, 64, 0xc0, 7200, 7200);
		take(NOW, &router, 7);
	}
	assert_int_equal(t.n_prefixes, RA_MAX_PIO);
	/* another link is not hurt */
	assert_true(take(NOW, &router, 8));
	/* and links have to share all there is */
	for (unsigned i = 0; i < 2000; i++) {
		begin(1800, 0);
		prefix((uint8_t)i, 64, 0xc0, 7200, 7200);
		take(NOW, &router, 9 + i % 100);
	}
	assert_true(t.n_routers <= RA_MAX_ROUTERS && t.n_prefixes <= RA_MAX_PREFIXES);
}

/* After a link was down: those who do not speak again are forgotten. */
static void test_forget(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	begin(1800, 0);
	prefix(1, 64, 0xc0, 7200, 7200);
	take(NOW, &router, 1);
	take(NOW, &router, 2);
	prefix(2, 64, 0xc0, 7200, 7200);
	take(NOW + 10 * S, &other, 1);
	assert_true(ra_table_forget(&t, 1, NOW + 5 * S));
	assert_false(ra_table_forget(&t, 1, NOW + 5 * S));
	assert_int_equal(t.n_routers, 2);
	assert_int_equal(t.n_prefixes, 3);
	assert_null(ra_table_router(&t, 1, &router));
	assert_non_null(ra_table_router(&t, 1, &other));
	assert_non_null(ra_table_router(&t, 2, &router));
}

static void test_covers(void **state)
{
	struct ra_prefix p = { .prefix = { { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0x40 } }, .len = 58 };
	struct shim6_addr a = p.prefix;

	(void)state;
	a.b[15] = 9;
	a.b[7] = 0x7f;
	assert_true(ra_prefix_covers(&p, &a));
	a.b[7] = 0x80;
	assert_false(ra_prefix_covers(&p, &a));
	p.len = 128;
	assert_false(ra_prefix_covers(&p, &a));
	assert_true(ra_prefix_covers(&p, &p.prefix));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_unbelievable),
		cmocka_unit_test(test_prefixes_of_no_use),
		cmocka_unit_test(test_lifetimes),
		cmocka_unit_test(test_two_hours),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
