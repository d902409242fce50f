/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of cmocka's interface as the tests of wire, cga and engine use, for
 * systems that have no cmocka: groups of tests with set-up and tear-down, and
 * assertions that end the running test. No mocking.
 */
#ifndef TESTS_UNIT_PORTABLE_CMOCKA_H
#define TESTS_UNIT_PORTABLE_CMOCKA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __MINGW32__
#define TESTS_PRINTF __gnu_printf__
#else
#define TESTS_PRINTF __printf__
#endif

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
	int (*setup)(void **state);
	int (*teardown)(void **state);
	void *initial_state;
};

#define cmocka_unit_test_setup_teardown(f, set_up, tear_down)                                                          \
	{                                                                                                              \
#f, f, set_up, tear_down, NULL                                                                         \
	}
#define cmocka_unit_test_setup(f, set_up)                                                                              \
	{                                                                                                              \
#f, f, set_up, NULL, NULL                                                                              \
	}
#define cmocka_unit_test_teardown(f, tear_down)                                                                        \
	{                                                                                                              \
#f, f, NULL, tear_down, NULL                                                                           \
	}
#define cmocka_unit_test(f)                                                                                            \
	{                                                                                                              \
#f, f, NULL, NULL, NULL                                                                                \
	}

/* Returns how many tests failed. Writes TAP to standard output, why a test failed to standard error. */
int tests_run(const struct CMUnitTest *tests, size_t n, int (*setup)(void **state), int (*teardown)(void **state));
#define cmocka_run_group_tests(tests, setup, teardown)                                                                 \
	tests_run(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) cmocka_run_group_tests(tests, setup, teardown)

void print_message(const char *format, ...) __attribute__((format(TESTS_PRINTF, 1, 2)));
void print_error(const char *format, ...) __attribute__((format(TESTS_PRINTF, 1, 2)));

/* What the macros call. Numbers are compared as 64 bits, negative ones with their sign extended. */
_Noreturn void tests_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(TESTS_PRINTF, 3, 4)));
void tests_number(uint64_t a, uint64_t b, int equal, const char *text, const char *file, int line);
void tests_range(uint64_t v, uint64_t min, uint64_t max, const char *text, const char *file, int line);
void tests_memory(const void *a, const void *b, size_t n, int equal, const char *text, const char *file, int line);
void tests_string(const char *a, const char *b, int equal, const char *text, const char *file, int line);

#define fail() tests_fail(__FILE__, __LINE__, "fail()")
#define fail_msg(...) tests_fail(__FILE__, __LINE__, __VA_ARGS__)
#define assert_true(c) ((c) ? (void)0 : tests_fail(__FILE__, __LINE__, "not true: %s", #c))
#define assert_false(c) ((c) ? tests_fail(__FILE__, __LINE__, "not false: %s", #c) : (void)0)
#define assert_null(p) assert_true((p) == NULL)
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b) assert_true((const void *)(a) != (const void *)(b))
#define assert_int_equal(a, b) tests_number((uint64_t)(a), (uint64_t)(b), 1, #a " == " #b, __FILE__, __LINE__)
#define assert_int_not_equal(a, b) tests_number((uint64_t)(a), (uint64_t)(b), 0, #a " != " #b, __FILE__, __LINE__)
#define assert_in_range(v, min, max)                                                                                   \
	tests_range((uint64_t)(v), (uint64_t)(min), (uint64_t)(max), #v, __FILE__, __LINE__)
#define assert_memory_equal(a, b, n) tests_memory(a, b, n, 1, #a " == " #b, __FILE__, __LINE__)
#define assert_memory_not_equal(a, b, n) tests_memory(a, b, n, 0, #a " != " #b, __FILE__, __LINE__)
#define assert_string_equal(a, b) tests_string(a, b, 1, #a " == " #b, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) tests_string(a, b, 0, #a " != " #b, __FILE__, __LINE__)

#endif
