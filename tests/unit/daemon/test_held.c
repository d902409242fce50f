/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "daemon/held.h"

#define S UINT64_C(1000000000)

static struct counters counters;
static const struct held_limits limits = { .per_context = 3, .total = 5, .lifetime = 60 * S };

/* An IPv6 packet with a TCP header; seq makes it recognisable. */
static size_t segment(uint8_t *p, uint16_t port, uint8_t seq)
{
	memset(p, 0, 60);
	p[0] = 0x60;
	p[5] = 20;
	p[6] = 6;
	p[40] = (uint8_t)(port >> 8);
	p[41] = (uint8_t)port;
	p[43] = 80;
	p[47] = seq;
	return 60;
}

static unsigned n_injected;
static uint8_t injected[16];
static int inject_result;

static int inject(void *arg, const uint8_t *packet, size_t len)
{
	(void)arg;
	assert_true(len >= 60);
	injected[n_injected++] = packet[len - 13];
	return inject_result;
}

static struct held *fresh(void)
{
	struct held *h = held_new(&limits, &counters);

	memset(&counters, 0, sizeof(counters));
	n_injected = 0;
	inject_result = 0;
	assert_non_null(h);
	return h;
}

static void add(struct held *h, uint64_t now, uint32_t slot, uint16_t port, uint8_t seq)
{
	uint8_t p[64];

	held_add(h, now, slot, 77, p, segment(p, port, seq));
}

static void test_newest_per_flow(void **state)
{
	struct held *h = fresh();

	(void)state;
	add(h, 1 * S, 4, 1000, 1);
	add(h, 2 * S, 4, 1001, 2);
	add(h, 3 * S, 4, 1000, 3);
	assert_int_equal(held_count(h), 2);
	assert_int_equal(counters.v[DC_held_replaced], 1);
	held_release(h, 4 * S, 4, 77, inject, NULL);
	assert_int_equal(n_injected, 2);
	assert_int_equal(injected[0], 2); /* oldest first */
	assert_int_equal(injected[1], 3);
	held_free(h);
}

/* The same without data: a window probe. */
static void add_bare(struct held *h, uint64_t now, uint32_t slot, uint16_t port, uint8_t seq, uint8_t flags)
{
	uint8_t p[64];
	size_t len = segment(p, port, seq);

	p[52] = 5 << 4;
	p[53] = flags;
	held_add(h, now, slot, 77, p, len);
}

static void test_data_says_more_than_a_probe(void **state)
{
	struct held *h = fresh();

	(void)state;
	add_bare(h, 1 * S, 4, 1000, 1, 0x10);
	add_bare(h, 2 * S, 4, 1000, 2, 0x10); /* the newest */
	add_bare(h, 2 * S, 4, 1001, 3, 0x10);
	add(h, 3 * S, 4, 1001, 4); /* takes its place */
	add_bare(h, 4 * S, 4, 1001, 5, 0x10);
	add_bare(h, 4 * S, 5, 1001, 6, 0x10); /* of another pair */
	assert_int_equal(held_count(h), 3);
	assert_int_equal(counters.v[DC_held_replaced], 3);
	held_release(h, 5 * S, 4, 77, inject, NULL);
	assert_int_equal(n_injected, 2);
	assert_int_equal(injected[0], 2);
	assert_int_equal(injected[1], 4);
	held_free(h);
	h = fresh();
	add(h, 1 * S, 4, 1000, 1);
	add_bare(h, 2 * S, 4, 1000, 2, 0x11); /* FIN: the end is as good as data */
	held_release(h, 3 * S, 4, 77, inject, NULL);
	assert_int_equal(injected[0], 2);
	held_free(h);
}

static void test_only_that_slot(void **state)
{
	struct held *h = fresh();

	(void)state;
	add(h, 1 * S, 4, 1000, 1);
	add(h, 1 * S, 5, 1000, 2);
	held_release(h, 2 * S, 5, 77, inject, NULL);
	assert_int_equal(n_injected, 1);
	assert_int_equal(injected[0], 2);
	held_forget(h, 5);
	assert_int_equal(held_count(h), 1);
	held_forget(h, 4);
	assert_int_equal(held_count(h), 0);
	add(h, 3 * S, 6, 1, 9); /* the list is whole after its last entry went */
	assert_int_equal(held_count(h), 1);
	held_free(h);
}

static void test_stale(void **state)
{
	struct held *h = fresh();

	(void)state;
	add(h, 1 * S, 4, 1000, 1);
	held_release(h, 62 * S, 4, 77, inject, NULL); /* too old */
	add(h, 110 * S, 4, 1000, 3);
	held_release(h, 111 * S, 4, 78, inject, NULL); /* another context has the slot */
	assert_int_equal(n_injected, 0);
	assert_int_equal(counters.v[DC_held_stale], 2);
	held_free(h);
}

static void test_bounds(void **state)
{
	struct held *h = fresh();

	(void)state;
	for (uint16_t port = 0; port < 10; port++)
		add(h, port, 4, port, (uint8_t)port);
	assert_int_equal(held_count(h), 3);
	for (uint16_t port = 0; port < 10; port++)
		add(h, 100 + port, 5, port, (uint8_t)(50 + port));
	assert_int_equal(held_count(h), 5);
	assert_int_equal(counters.v[DC_held_refused], 15);
	held_release(h, 200, 5, 77, inject, NULL);
	assert_int_equal(n_injected, 3);
	assert_int_equal(injected[2], 59);
	held_set_limits(h, &(struct held_limits){ .per_context = 1, .total = 1, .lifetime = S });
	assert_int_equal(held_count(h), 1);
	held_free(h);
}

static void test_not_tcp(void **state)
{
	struct held *h = fresh();
	uint8_t p[128];
	size_t n = segment(p, 1, 1);

	(void)state;
	p[6] = 17;
	held_add(h, 1, 4, 77, p, n);
	n = segment(p, 1, 1);
	held_add(h, 1, 4, 77, p, n - 1); /* cut */
	held_add(h, 1, 4, 77, p, 39);
	held_add(h, 1, 4, 77, p, 0);
	p[6] = 44; /* fragment */
	held_add(h, 1, 4, 77, p, n);
	p[6] = 60; /* options that never end */
	p[40] = 60;
	p[41] = 255;
	held_add(h, 1, 4, 77, p, n);
	assert_int_equal(held_count(h), 0);
	assert_int_equal(counters.v[DC_held_refused], 6);
	/* destination options before TCP are fine */
	segment(p + 8, 1, 1);
	memset(p, 0, 48);
	p[0] = 0x60;
	p[6] = 60;
	p[40] = 6;
	held_add(h, 1, 4, 77, p, 68);
	assert_int_equal(held_count(h), 1);
	held_free(h);
}

static void test_inject_fails(void **state)
{
	struct held *h = fresh();

	(void)state;
	add(h, 1, 4, 1, 1);
	inject_result = -5;
	held_release(h, 2, 4, 77, inject, NULL);
	assert_int_equal(counters.v[DC_held_inject_failed], 1);
	assert_int_equal(held_count(h), 0);
	held_free(h);
}

/* What the tries are told of the peer. */
static uint64_t heard;

static uint64_t last_rx(void *arg, uint32_t slot, uint64_t ct_local)
{
	(void)arg;
	assert_int_equal(slot, 4);
	assert_int_equal(ct_local, 77);
	return heard;
}

static void test_tries_until_answered(void **state)
{
	struct held *h = fresh();
	uint64_t now = 2 * S, due;

	(void)state;
	heard = 0;
	assert_true(held_again(h, now, last_rx, inject, NULL) == HELD_NEVER);
	add(h, 1 * S, 4, 1, 1);
	assert_true(held_again(h, now, last_rx, inject, NULL) == HELD_NEVER);
	held_release(h, now, 4, 77, inject, NULL);
	due = held_again(h, now, last_rx, inject, NULL);
	assert_true(due == now + HELD_FIRST_GAP);
	assert_int_equal(n_injected, 1);
	held_again(h, due - 1, last_rx, inject, NULL);
	assert_int_equal(n_injected, 1);
	now = due;
	due = held_again(h, now, last_rx, inject, NULL);
	assert_int_equal(n_injected, 2);
	assert_true(due == now + 2 * HELD_FIRST_GAP);
	heard = now + 1; /* perhaps of another flow: once more, now that the peer can be heard */
	assert_true(held_again(h, due, last_rx, inject, NULL) == HELD_NEVER);
	assert_int_equal(n_injected, 3);
	assert_int_equal(held_count(h), 0);
	held_free(h);
}

static int inject_answered(void *arg, const uint8_t *packet, size_t len)
{
	heard++; /* the answer comes while the next one waits */
	return inject(arg, packet, len);
}

static void test_the_answer_to_one_is_not_that_to_all(void **state)
{
	struct held *h = fresh();
	uint64_t now = 2 * S;

	(void)state;
	heard = 0;
	for (uint8_t flow = 1; flow <= 3; flow++)
		add(h, 1 * S, 4, flow, flow);
	held_release(h, now, 4, 77, inject, NULL);
	heard = now;
	held_again(h, now + HELD_FIRST_GAP, last_rx, inject_answered, NULL);
	assert_int_equal(n_injected, 6);
	assert_int_equal(injected[4], 2);
	assert_int_equal(injected[5], 3);
	held_free(h);
}

static void test_no_try_for_another_context(void **state)
{
	struct held *h = fresh();

	(void)state;
	add(h, 1 * S, 4, 1, 1);
	held_release(h, 2 * S, 4, 77, inject, NULL);
	heard = HELD_NEVER;
	assert_true(held_again(h, 3 * S, last_rx, inject, NULL) == HELD_NEVER);
	assert_int_equal(n_injected, 1);
	assert_int_equal(held_count(h), 0);
	held_free(h);
}

static void test_tries_end(void **state)
{
	struct held *h = fresh();
	uint64_t due = 2 * S;

	(void)state;
	heard = 0;
	add(h, 1 * S, 4, 1, 1);
	held_release(h, due, 4, 77, inject, NULL);
	while (held_count(h)) {
		due = held_again(h, due, last_rx, inject, NULL);
		assert_true(due == HELD_NEVER || n_injected < HELD_TRIES);
	}
	assert_int_equal(n_injected, HELD_TRIES);
	held_free(h);
}

static void test_keeping_none(void **state)
{
	struct held *h = fresh();

	(void)state;
	held_set_limits(h, &(struct held_limits){ .per_context = 0, .total = 5, .lifetime = S });
	add(h, 1, 4, 1, 1);
	assert_int_equal(held_count(h), 0);
	held_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest_per_flow),
		cmocka_unit_test(test_only_that_slot),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_not_tcp),
		cmocka_unit_test(test_inject_fails),
		cmocka_unit_test(test_keeping_none),
		cmocka_unit_test(test_tries_until_answered),
		cmocka_unit_test(test_tries_end),
		cmocka_unit_test(test_data_says_more_than_a_probe),
		cmocka_unit_test(test_the_answer_to_one_is_not_that_to_all),
		cmocka_unit_test(test_no_try_for_another_context),
	};

	return cmocka_run_group_tests_name("daemon-held", tests, NULL, NULL);
}
