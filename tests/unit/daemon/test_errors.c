/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kept ICMPv6 errors: void when another pair works, else the socket's, and soon (I-01, I-16, A-19). */
#include "unit.h"

#include "daemon/errors.h"

#define S UINT64_C(1000000000)

static struct counters counters;
static unsigned n_delivered;
static uint8_t delivered[2 * ERRORS_MAX];
static size_t delivered_len;
static int result;

static int deliver(void *arg, const uint8_t *packet, size_t len)
{
	assert_ptr_equal(arg, &counters);
	delivered[n_delivered++] = packet[0];
	delivered_len = len;
	return result;
}

static struct errors *fresh(void)
{
	struct errors *e = errors_new(&counters, deliver, &counters);

	memset(&counters, 0, sizeof(counters));
	n_delivered = 0;
	result = 0;
	assert_non_null(e);
	return e;
}

static void add(struct errors *e, uint64_t now, uint32_t slot, uint64_t tag, uint8_t which)
{
	uint8_t p[90] = { which };

	errors_add(e, now, slot, tag, p, sizeof(p));
}

/* I-16, A-19 */
static void test_void_or_delivered(void **state)
{
	struct errors *e = fresh();

	(void)state;
	add(e, 1 * S, 4, 77, 1);
	add(e, 1 * S, 5, 78, 2);
	add(e, 1 * S, 6, 79, 3);
	errors_void(e, 4);
	errors_void(e, 9);
	assert_int_equal(n_delivered, 0);
	assert_int_equal(counters.v[DC_errors_void], 1);
	errors_release(e, 6);
	errors_release(e, 6);
	assert_int_equal(n_delivered, 1);
	assert_int_equal(delivered[0], 3);
	assert_int_equal(delivered_len, 90);
	assert_int_equal(errors_count(e), 1);
	errors_free(e); /* the rest */
	assert_int_equal(n_delivered, 2);
	assert_int_equal(delivered[1], 2);
	assert_int_equal(counters.v[DC_errors_delivered], 2);
}

/* the newest of each context, ten seconds after the first */
static void test_newest_in_time(void **state)
{
	struct errors *e = fresh();

	(void)state;
	assert_int_equal(errors_due(e, 1 * S), ERRORS_NEVER);
	add(e, 1 * S, 4, 77, 1);
	add(e, 3 * S, 5, 78, 2);
	add(e, 5 * S, 4, 77, 3);
	assert_int_equal(counters.v[DC_errors_replaced], 1);
	assert_int_equal(errors_count(e), 2);
	assert_int_equal(errors_due(e, 6 * S), 11 * S);
	assert_int_equal(n_delivered, 0);
	assert_int_equal(errors_due(e, 11 * S), 13 * S);
	assert_int_equal(n_delivered, 1);
	assert_int_equal(delivered[0], 3);
	add(e, 12 * S, 4, 77, 4);
	assert_int_equal(errors_due(e, 13 * S), 22 * S);
	assert_int_equal(delivered[1], 2);
	errors_free(e);
}

/* Another context has the slot now: its error is not that of the one before */
static void test_other_context(void **state)
{
	struct errors *e = fresh();

	(void)state;
	add(e, 1 * S, 4, 77, 1);
	add(e, 2 * S, 4, 99, 2);
	assert_int_equal(n_delivered, 1);
	assert_int_equal(delivered[0], 1);
	errors_void(e, 4);
	assert_int_equal(n_delivered, 1);
	assert_int_equal(errors_count(e), 0);
	errors_free(e);
}

/* Bounded: the oldest goes where it would have gone anyway (I-01) */
static void test_bound(void **state)
{
	struct errors *e = fresh();

	(void)state;
	for (unsigned i = 0; i < ERRORS_MAX + 3; i++)
		add(e, S + i, i, 77, (uint8_t)i);
	assert_int_equal(errors_count(e), ERRORS_MAX);
	assert_int_equal(n_delivered, 3);
	assert_int_equal(delivered[2], 2);
	result = -5;
	errors_release(e, 3);
	assert_int_equal(counters.v[DC_errors_failed], 1);
	errors_free(e);
	assert_int_equal(counters.v[DC_errors_received], ERRORS_MAX + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_void_or_delivered),
		cmocka_unit_test(test_newest_in_time),
		cmocka_unit_test(test_other_context),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
