// SPDX-License-Identifier: GPL-2.0-or-later
/* Ticks, rates and places of labels. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>

#include "lab/report_scale.h"

static void is_near(double a, double b, int line)
{
	if (fabs(a - b) > 1e-6 * (1 + fabs(b)))
		fail_msg("line %d: %g instead of %g", line, a, b);
}
#define near(a, b) is_near(a, b, __LINE__)

static void ticks(struct scale s, double step, unsigned n, const char *unit, unsigned decimals)
{
	near(s.step, step);
	assert_int_equal(s.n, n);
	assert_string_equal(s.unit, unit);
	assert_int_equal(s.decimals, decimals);
}

static void test_ticks_of_rates(void **state)
{
	(void)state;
	ticks(scale_rate(44.1e6, 5), 10, 5, "Mbit/s", 0);
	ticks(scale_rate(40e6, 5), 10, 4, "Mbit/s", 0); /* the maximum is the top, no empty row above */
	ticks(scale_rate(1.6e6, 5), 0.5, 4, "Mbit/s", 1);
	ticks(scale_rate(960e3, 5), 200, 5, "kbit/s", 0);
	ticks(scale_rate(3.2e9, 5), 1, 4, "Gbit/s", 0);
	ticks(scale_rate(0.3, 5), 0.1, 3, "bit/s", 1);
	ticks(scale_rate(0, 5), 0.2, 5, "bit/s", 1);
}

static void test_the_axis_holds_the_maximum(void **state)
{
	(void)state;
	for (double max = 1; max < 1e13; max *= 1.137) {
		struct scale s = scale_rate(max, 5);

		assert_true(s.step * s.n * s.unit_size >= max * 0.99999);
		assert_true(s.step * (s.n - 1) * s.unit_size < max);
		assert_true(s.n >= 2 && s.n <= 5);
	}
}

static void test_ticks_of_time(void **state)
{
	(void)state;
	ticks(scale_time(60, 12), 5, 12, "s", 0);
	ticks(scale_time(43, 12), 5, 8, "s", 0);
	ticks(scale_time(111, 12), 10, 11, "s", 0);
	ticks(scale_time(0.8, 12), 0.1, 8, "s", 1);
	ticks(scale_time(150, 12), 15, 10, "s", 0);
	ticks(scale_time(600, 12), 1, 10, "min", 0);
	ticks(scale_time(7 * 86400, 12), 24, 7, "h", 0);
}

static void test_groups_of_buckets(void **state)
{
	(void)state;
	assert_int_equal(scale_group(0.05, 10), 1);
	assert_int_equal(scale_group(0.05, 15), 1);
	assert_int_equal(scale_group(0.05, 60), 4);
	assert_int_equal(scale_group(0.05, 111), 10);
	for (double span = 1; span < 7 * 86400; span *= 1.3)
		assert_true(span / (0.05 * scale_group(0.05, span)) <= SCALE_POINTS + 1e-3);
}

static void test_rates_of_buckets(void **state)
{
	/* 0.05 s each: 1000 octets are 160 kbit/s in one, 40 kbit/s over four */
	struct report_bucket b[] = { { 0, 1000, 1 }, { 3, 500, 1 }, { 4, 1000, 1 }, { 12, 250, 1 }, { 99, 9999, 9 } };
	struct report_stream s = { .buckets = b, .n_buckets = 5 };
	double rate[4];

	(void)state;
	scale_rates(&s, 0.05, 4, 0.8, rate, 4);
	near(rate[0], 1500 * 8 / 0.2);
	near(rate[1], 1000 * 8 / 0.2);
	near(rate[2], 0);
	near(rate[3], 250 * 8 / 0.2);
	/* the span ends in the last point: what came did so in the part that is inside */
	scale_rates(&s, 0.05, 4, 0.7, rate, 4);
	near(rate[3], 250 * 8 / 0.1);
	scale_rates(&s, 0.05, 4, 0.601, rate, 4);
	near(rate[3], 250 * 8 / 0.05);
}

static void test_a_burst_does_not_flatten_the_rest(void **state)
{
	double rate[100], level[100] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		rate[i] = i == 50 ? 900 : 100;
	near(scale_ceiling(rate, 100), 125);
	for (unsigned i = 0; i < 100; i++)
		rate[i] = i == 50 ? 200 : 100;
	near(scale_ceiling(rate, 100), 200);
	near(scale_ceiling(level, 100), 0);
	near(scale_ceiling(level, 0), 0);
}

/* --- labels ------------------------------------------------------------------ */

static bool in(double x, const struct scale_label *l)
{
	return x > l->left && x < l->left + l->width;
}

/* No text on another; no line through a text, unless one of them had to turn over at the right end. */
static void check(const struct scale_label *l, size_t n, double left, double right)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(l[i].left >= left && l[i].left + l[i].width <= right);
		for (size_t k = 0; k < n; k++) {
			bool apart = l[i].left + l[i].width <= l[k].left || l[k].left + l[k].width <= l[i].left;
			bool through = l[k].row >= l[i].row && in(l[k].at, &l[i]);

			if (i == k)
				continue;
			assert_true(l[i].row != l[k].row || apart || l[i].width <= 0 || l[k].width <= 0);
			assert_true(!through || l[i].flipped || l[k].flipped);
		}
	}
}

static void test_labels_of_a_failover(void **state)
{
	struct scale_label l[] = { { .x = 100, .width = 150 },
				   { .x = 227, .width = 110 },
				   { .x = 417, .width = 120 },
				   { .x = 419, .width = 120 },
				   { .x = 600, .width = 160 } };

	(void)state;
	assert_int_equal(scale_place(l, 5, 78, 950, 9, 8), 2);
	check(l, 5, 78, 950);
	assert_int_equal(l[1].row, 0);
	assert_int_equal(l[0].row, 1); /* above the next, which begins below it */
	assert_int_equal(l[2].row, 1);
	assert_int_equal(l[3].row, 0);
	near(l[3].at, 426); /* kept apart from the line before */
	assert_int_equal(l[4].row, 0);
	near(l[4].left, 608);
}

static void test_labels_turn_over_at_the_end(void **state)
{
	struct scale_label l[] = { { .x = 700, .width = 100 }, { .x = 930, .width = 100 }, { .x = 940, .width = 100 } };

	(void)state;
	scale_place(l, 3, 78, 950, 9, 8);
	check(l, 3, 78, 950);
	assert_false(l[0].flipped);
	assert_true(l[1].flipped && l[2].flipped);
	assert_true(l[2].row > l[1].row); /* its text covers the line of the other */
}

static void test_signs_share_a_row(void **state)
{
	struct scale_label l[] = { { .x = 100 }, { .x = 101 }, { .x = 102 }, { .x = 300, .width = 90 }, { .x = 310 } };

	(void)state;
	assert_int_equal(scale_place(l, 5, 78, 950, 9, 8), 2);
	check(l, 5, 78, 950);
	near(l[2].at - l[0].at, 18);
	assert_int_equal(l[2].row, 0);
	assert_int_equal(l[3].row, 1);
}

static int by_x(const void *a, const void *b)
{
	const struct scale_label *x = a, *y = b;

	return (x->x > y->x) - (x->x < y->x);
}

static void test_any_labels(void **state)
{
	(void)state;
	srand(6);
	for (unsigned round = 0; round < 2000; round++) {
		struct scale_label l[24] = { 0 };
		size_t n = 1 + (size_t)rand() % 24;

		for (size_t i = 0; i < n; i++) {
			l[i].x = 78 + rand() % 742;
			l[i].width = rand() % 4 ? 40 + rand() % 200 : 0;
		}
		qsort(l, n, sizeof(l[0]), by_x);
		scale_place(l, n, 78, 950, 9, 8);
		check(l, n, 78, 950);
		for (size_t i = 1; i < n; i++)
			assert_true(l[i].at - l[i - 1].at > 8.999);
	}
	assert_int_equal(scale_place(NULL, 0, 78, 950, 9, 8), 0);
}

static void test_names_keep_apart(void **state)
{
	double v[] = { 10, 12, 100, 195, 199 };

	(void)state;
	scale_spread(v, 5, 20, 0, 200);
	near(v[0], 10);
	near(v[1], 30);
	near(v[2], 100);
	near(v[3], 180);
	near(v[4], 200);
}

static void test_width_of_text(void **state)
{
	(void)state;
	near(scale_text_width("", 12), 0);
	assert_true(scale_text_width("mmm", 12) > scale_text_width("iii", 12));
	near(scale_text_width("abc", 24), 2 * scale_text_width("abc", 12));
	/* one character each, not one per octet */
	assert_true(scale_text_width("\xc3\xa9", 10) < 10);
	assert_true(scale_text_width("\xe2\x86\x92", 10) <= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ticks_of_rates),	     cmocka_unit_test(test_the_axis_holds_the_maximum),
		cmocka_unit_test(test_ticks_of_time),	     cmocka_unit_test(test_groups_of_buckets),
		cmocka_unit_test(test_rates_of_buckets),     cmocka_unit_test(test_a_burst_does_not_flatten_the_rest),
		cmocka_unit_test(test_labels_of_a_failover), cmocka_unit_test(test_labels_turn_over_at_the_end),
		cmocka_unit_test(test_signs_share_a_row),    cmocka_unit_test(test_any_labels),
		cmocka_unit_test(test_names_keep_apart),     cmocka_unit_test(test_width_of_text),
	};

	return cmocka_run_group_tests_name("lab report scale", tests, NULL, NULL);
}
