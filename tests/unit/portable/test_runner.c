/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do tests fail that should? Each test of the first group has one wrong assertion
 * and one behind it that must not be reached; the second group has to pass. Built
 * with whatever runs the other tests, so cmocka and portable/cmocka.c are held to
 * the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#ifdef _WIN32
#define NOWHERE "NUL"
#else
#define NOWHERE "/dev/null"
#endif

static unsigned reached, set_up, torn_down;
static const char a[] = "abc", b[] = "abd";

#define WRONG(name, assertion)                                                                                         \
	static void name(void **state)                                                                                 \
	{                                                                                                              \
		(void)state;                                                                                           \
		assertion;                                                                                             \
		reached++;                                                                                             \
	}

WRONG(wrong_true, assert_true(reached))
WRONG(wrong_false, assert_false(!reached))
WRONG(wrong_null, assert_null(a))
WRONG(wrong_non_null, assert_non_null(reached ? a : NULL))
WRONG(wrong_pointer, assert_ptr_equal(a, b))
WRONG(wrong_int, assert_int_equal(-1, 0xffffffffU))
WRONG(wrong_high_half, assert_int_equal(UINT64_C(1) << 32, 0))
WRONG(wrong_not_equal, assert_int_not_equal(-1, INT64_C(-1)))
WRONG(wrong_below, assert_in_range(1, 2, 3))
WRONG(wrong_above, assert_in_range(UINT64_C(0x100000002), 2, 3))
WRONG(wrong_memory, assert_memory_equal(a, b, 3))
WRONG(wrong_same_memory, assert_memory_not_equal(a, b, 2))
WRONG(wrong_string, assert_string_equal(a, b))
WRONG(wrong_same_string, assert_string_not_equal(a, "abc"))

static void wrong_fail(void **state)
{
	(void)state;
	fail();
}

static void wrong_fail_msg(void **state)
{
	(void)state;
	fail_msg("%d", 1);
}

static int up(void **state)
{
	set_up++;
	*state = &set_up;
	return 0;
}

static int up_fails(void **state)
{
	(void)state;
	return -1;
}

static int down(void **state)
{
	torn_down += *state == &set_up;
	return 0;
}

static void needs_state(void **state)
{
	assert_ptr_equal(*state, &set_up);
}

static void right(void **state)
{
	(void)state;
	assert_true(set_up + 1);
	assert_false(reached);
	assert_null(NULL);
	assert_non_null(a);
	assert_ptr_equal(a, a);
	assert_int_equal(-1, INT64_C(-1));
	assert_int_not_equal(1, 2);
	assert_in_range(2, 2, 3);
	assert_in_range(3, 2, 3);
	assert_memory_equal(a, b, 2);
	assert_memory_not_equal(a, b, 3);
	assert_string_equal(a, "abc");
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest wrong[] = {
		cmocka_unit_test(wrong_true),
		cmocka_unit_test(wrong_false),
		cmocka_unit_test(wrong_null),
		cmocka_unit_test(wrong_non_null),
		cmocka_unit_test(wrong_pointer),
		cmocka_unit_test(wrong_int),
		cmocka_unit_test(wrong_high_half),
		cmocka_unit_test(wrong_not_equal),
		cmocka_unit_test(wrong_below),
		cmocka_unit_test(wrong_above),
		cmocka_unit_test(wrong_memory),
		cmocka_unit_test(wrong_same_memory),
		cmocka_unit_test(wrong_string),
		cmocka_unit_test(wrong_same_string),
		cmocka_unit_test(wrong_fail),
		cmocka_unit_test(wrong_fail_msg),
		cmocka_unit_test_setup(right, up_fails),
		cmocka_unit_test_setup_teardown(wrong_fail, up, down),
	};
	const struct CMUnitTest good[] = {
		cmocka_unit_test(right),
		cmocka_unit_test_setup_teardown(needs_state, up, down),
	};
	const int n = (int)(sizeof(wrong) / sizeof(wrong[0]));
	int failed, failed_good;

	/* What the groups say would count as results of this program. */
	if (!freopen(NOWHERE, "w", stdout) || !freopen(NOWHERE, "w", stderr))
		return 2;
	failed = cmocka_run_group_tests(wrong, NULL, NULL);
	failed_good = cmocka_run_group_tests(good, NULL, NULL);
	return failed == n && failed_good == 0 && reached == 0 && set_up == 2 && torn_down == 2 ? 0 : 1;
}
