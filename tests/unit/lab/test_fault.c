/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "lab/fault.h"

static struct fault make(const char *kind)
{
	struct fault f;

	assert_true(fault_init(&f, kind));
	return f;
}

static void test_kinds_and_their_defaults(void **state)
{
	struct fault f;

	(void)state;
	for (unsigned k = 0; k < FAULT_KINDS; k++) {
		f = make(fault_kind_name((enum fault_kind)k));
		assert_int_equal(f.kind, k);
		assert_int_equal(f.host, k == FAULT_FAR);
		assert_int_equal(f.provider, 0);
		assert_int_equal(f.direction, FAULT_BOTH);
		assert_int_equal(f.amount, 0);
	}
	assert_false(fault_init(&f, "blackhol"));
	assert_false(fault_init(&f, ""));
	assert_false(fault_init(&f, "Link"));
}

static void test_parts(void **state)
{
	struct fault f = make("blackhole");

	(void)state;
	assert_true(fault_set_host(&f, "B"));
	assert_int_equal(f.host, 1);
	assert_true(fault_set_host(&f, "A"));
	assert_int_equal(f.host, 0);
	assert_false(fault_set_host(&f, "C") || fault_set_host(&f, "AB") || fault_set_host(&f, "") ||
		     fault_set_host(&f, "a"));
	assert_true(fault_set_provider(&f, "2"));
	assert_int_equal(f.provider, 1);
	assert_false(fault_set_provider(&f, "0") || fault_set_provider(&f, "3") || fault_set_provider(&f, "22"));
	assert_true(fault_set_direction(&f, "in"));
	assert_int_equal(f.direction, FAULT_IN);
	assert_true(fault_set_direction(&f, "out"));
	assert_int_equal(f.direction, FAULT_OUT);
	assert_false(fault_set_direction(&f, "up"));
}

static void test_amounts(void **state)
{
	struct fault loss = make("loss"), delay = make("delay");

	(void)state;
	assert_non_null(fault_check(&loss));
	assert_non_null(fault_check(&delay));
	assert_true(fault_set_amount(&loss, "100"));
	assert_null(fault_check(&loss));
	assert_false(fault_set_amount(&loss, "101") || fault_set_amount(&loss, "0") || fault_set_amount(&loss, "5%") ||
		     fault_set_amount(&loss, "-1") || fault_set_amount(&loss, ""));
	assert_int_equal(loss.amount, 100);
	assert_true(fault_set_amount(&delay, "101"));
	assert_false(fault_set_amount(&delay, "10001"));
	assert_null(fault_check(&delay));
}

static void test_one_way_is_for_drops(void **state)
{
	static const char *const kinds[] = { "link", "delay", "blackhole", "far" };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct fault f = make(kinds[i]);

		if (fault_needs_amount(f.kind))
			fault_set_amount(&f, "5");
		assert_null(fault_check(&f));
		fault_set_direction(&f, "in");
		assert_int_equal(fault_check(&f) != NULL, i < 2);
	}
}

static void test_equality_looks_past_the_amount(void **state)
{
	struct fault a = make("loss"), b = make("loss");

	(void)state;
	fault_set_amount(&a, "5");
	fault_set_amount(&b, "50");
	assert_true(fault_equal(&a, &b)); /* the same place cannot lose 5 % and 50 % */
	fault_set_provider(&b, "2");
	assert_false(fault_equal(&a, &b));
	b = a;
	fault_set_direction(&b, "out");
	assert_false(fault_equal(&a, &b));
	b = a;
	fault_set_host(&b, "B");
	assert_false(fault_equal(&a, &b));
	b = make("blackhole");
	assert_false(fault_equal(&a, &b));
}

static void test_words(void **state)
{
	char text[128];
	struct fault f = make("blackhole");

	(void)state;
	fault_text(&f, text, sizeof(text));
	assert_string_equal(text, "silent black hole at provider 1 of A, both ways");
	fault_label(&f, text, sizeof(text));
	assert_string_equal(text, "black hole A1");
	fault_set_direction(&f, "in");
	fault_set_provider(&f, "2");
	fault_label(&f, text, sizeof(text));
	assert_string_equal(text, "black hole A2 in");
	f = make("far");
	fault_text(&f, text, sizeof(text));
	assert_string_equal(text, "provider 1 of B (far end) silent, both ways");
	f = make("loss");
	fault_set_amount(&f, "20");
	fault_text(&f, text, sizeof(text));
	assert_string_equal(text, "20 % packet loss at provider 1 of A, both ways");
	f = make("delay");
	fault_set_amount(&f, "200");
	fault_label(&f, text, sizeof(text));
	assert_string_equal(text, "200 ms delay A1");
	f = make("link");
	fault_text(&f, text, sizeof(text));
	assert_string_equal(text, "link of A to provider 1 down");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_and_their_defaults),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_one_way_is_for_drops),
		cmocka_unit_test(test_equality_looks_past_the_amount),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("lab fault", tests, NULL, NULL);
}
