/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "lab/measure.h"

#define T0 MS(1000)

static char told[4096];

static void collect(void *user, const char *line)
{
	size_t n = strlen(told);

	(void)user;
	snprintf(told + n, sizeof(told) - n, "%s\n", line);
}

static void begin(struct measure *m)
{
	told[0] = '\0';
	measure_init(m, T0, collect, NULL);
}

static void test_nothing_came(void **state)
{
	struct measure m;

	(void)state;
	begin(&m);
	measure_tick(&m, T0 + MS(500));
	measure_finish(&m, T0 + MS(1000), true);
	assert_string_equal(told, "k bytes 0\nk packets 0\n");
}

static void test_buckets_hold_what_came_in_their_time(void **state)
{
	struct measure m;

	(void)state;
	begin(&m);
	measure_add(&m, T0 + MS(10), 100);
	measure_add(&m, T0 + MS(49), 50);
	assert_string_equal(told, ""); /* the bucket is not over */
	measure_add(&m, T0 + MS(50), 7);
	assert_string_equal(told, "b 0 150 2\n");
	measure_tick(&m, T0 + MS(99));
	assert_string_equal(told, "b 0 150 2\n");
	measure_tick(&m, T0 + MS(100));
	assert_string_equal(told, "b 0 150 2\nb 1 7 1\n");
	measure_tick(&m, T0 + MS(400)); /* empty buckets are left out */
	measure_add(&m, T0 + MS(175), 1);
	assert_string_equal(told, "b 0 150 2\nb 1 7 1\n");
}

static void test_a_silence_is_told_with_its_exact_ends(void **state)
{
	struct measure m;

	(void)state;
	begin(&m);
	measure_add(&m, T0 + MS(10), 1);
	measure_add(&m, T0 + MS(209), 1); /* 199 ms: too short to be told */
	assert_null(strstr(told, "q "));
	measure_add(&m, T0 + MS(409), 1);
	assert_non_null(strstr(told, "q 209000000 409000000\n"));
	measure_add(&m, T0 + MS(709), 1);
	measure_finish(&m, T0 + MS(710), false);
	assert_non_null(strstr(told, "k gap_start_ns 409000000\nk gap_end_ns 709000000\n"));
	assert_non_null(strstr(told, "k bytes 4\nk packets 4\nk first_ns 10000000\nk last_ns 709000000\n"));
}

static void test_a_lasting_silence_counts_only_when_it_should_have_gone_on(void **state)
{
	struct measure m;

	(void)state;
	begin(&m);
	measure_add(&m, T0, 1);
	measure_finish(&m, T0 + MS(900), false);
	assert_null(strstr(told, "q "));
	begin(&m);
	measure_add(&m, T0, 1);
	measure_finish(&m, T0 + MS(900), true);
	assert_non_null(strstr(told, "q 0 900000000\n"));
}

static void test_before_t0_counts_as_t0(void **state)
{
	struct measure m;

	(void)state;
	begin(&m);
	measure_add(&m, T0 - MS(5), 3);
	measure_finish(&m, T0 + MS(1), false);
	assert_non_null(strstr(told, "b 0 3 1\n"));
}

/* --- sequence numbers ---------------------------------------------------------- */

static struct seqtrack s;

static int fresh(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	return 0;
}

static void test_in_order(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		assert_true(seqtrack_add(&s, i));
	assert_int_equal(s.unique, 1000);
	assert_int_equal(s.next, 1000);
	assert_int_equal(s.duplicates + s.reordered + s.too_old, 0);
}

static void test_duplicates_and_late_ones(void **state)
{
	(void)state;
	assert_true(seqtrack_add(&s, 0));
	assert_true(seqtrack_add(&s, 3));
	assert_true(seqtrack_add(&s, 1));
	assert_false(seqtrack_add(&s, 1));
	assert_false(seqtrack_add(&s, 3));
	assert_int_equal(s.unique, 3);
	assert_int_equal(s.duplicates, 2);
	assert_int_equal(s.reordered, 1);
	assert_true(seqtrack_seen(&s, 1));
	assert_false(seqtrack_seen(&s, 2));
	assert_false(seqtrack_seen(&s, 4));
}

static void test_the_window_forgets(void **state)
{
	(void)state;
	assert_true(seqtrack_add(&s, 5));
	assert_true(seqtrack_add(&s, 5 + MEASURE_SEQ_WINDOW)); /* takes the place of 5 */
	assert_true(seqtrack_seen(&s, 5 + MEASURE_SEQ_WINDOW));
	assert_false(seqtrack_seen(&s, 5));
	assert_false(seqtrack_add(&s, 5));
	assert_int_equal(s.too_old, 1);
	assert_true(seqtrack_add(&s, 6 + MEASURE_SEQ_WINDOW / 2)); /* never seen, though its slot's neighbours were */
	assert_true(seqtrack_add(&s, 20ull * MEASURE_SEQ_WINDOW)); /* a leap over the whole window */
	assert_false(seqtrack_seen(&s, 6 + MEASURE_SEQ_WINDOW / 2));
	assert_int_equal(s.unique, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_came),
		cmocka_unit_test(test_buckets_hold_what_came_in_their_time),
		cmocka_unit_test(test_a_silence_is_told_with_its_exact_ends),
		cmocka_unit_test(test_a_lasting_silence_counts_only_when_it_should_have_gone_on),
		cmocka_unit_test(test_before_t0_counts_as_t0),
		cmocka_unit_test_setup(test_in_order, fresh),
		cmocka_unit_test_setup(test_duplicates_and_late_ones, fresh),
		cmocka_unit_test_setup(test_the_window_forgets, fresh),
	};

	return cmocka_run_group_tests_name("lab measure", tests, NULL, NULL);
}
