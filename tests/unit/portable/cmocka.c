/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See cmocka.h. One test runs at a time: a failed assertion jumps back to where it was started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

#include "cmocka.h"

static jmp_buf back;
static int running; /* back is valid */

void print_message(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

void print_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

void tests_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (!running)
		abort();
	longjmp(back, 1);
}

void tests_number(uint64_t a, uint64_t b, int equal, const char *text, const char *file, int line)
{
	if ((a == b) != (equal != 0))
		tests_fail(file, line, "not so: %s (%lld, %lld)", text, (long long)a, (long long)b);
}

void tests_range(uint64_t v, uint64_t min, uint64_t max, const char *text, const char *file, int line)
{
	if (v < min || v > max)
		tests_fail(file, line, "%s is %llu, not in %llu..%llu", text, (unsigned long long)v,
			   (unsigned long long)min, (unsigned long long)max);
}

void tests_memory(const void *a, const void *b, size_t n, int equal, const char *text, const char *file, int line)
{
	const unsigned char *x = a, *y = b;
	size_t i = 0;

	while (i < n && x[i] == y[i])
		i++;
	if (equal && i < n)
		tests_fail(file, line, "not so: %s (octet %zu: %02x, %02x)", text, i, x[i], y[i]);
	if (!equal && i == n)
		tests_fail(file, line, "not so: %s (%zu octets)", text, n);
}

void tests_string(const char *a, const char *b, int equal, const char *text, const char *file, int line)
{
	if ((strcmp(a, b) == 0) != (equal != 0))
		tests_fail(file, line, "not so: %s (\"%s\", \"%s\")", text, a, b);
}

/* A step of a test; returns 1 when it came to its end. */
static int step(void (*run)(void **), int (*fixture)(void **), void **state)
{
	volatile int ok = 0;

	running = 1;
	if (setjmp(back) == 0) {
		if (run)
			run(state);
		ok = !fixture || fixture(state) == 0;
	}
	running = 0;
	return ok;
}

static int run_test(const struct CMUnitTest *t, void *group_state)
{
	void *state = t->initial_state ? t->initial_state : group_state;
	int ok = step(NULL, t->setup, &state);

	/* Without what set-up makes there is nothing to test, nor to tear down. */
	if (!ok)
		return 0;
	ok = step(t->run, NULL, &state);
	return step(NULL, t->teardown, &state) && ok;
}

int tests_run(const struct CMUnitTest *tests, size_t n, int (*setup)(void **state), int (*teardown)(void **state))
{
	void *state = NULL;
	int failed = 0;

#ifdef _WIN32
	_setmode(_fileno(stdout), _O_BINARY);
#endif
	printf("1..%zu\n", n);
	if (!step(NULL, setup, &state)) {
		printf("not ok 1 - set-up of the group\n");
		return (int)n;
	}
	for (size_t i = 0; i < n; i++) {
		int ok = run_test(&tests[i], state);

		failed += !ok;
		printf("%s %zu - %s\n", ok ? "ok" : "not ok", i + 1, tests[i].name);
		fflush(stdout);
	}
	if (!step(NULL, teardown, &state)) {
		printf("not ok %zu - tear-down of the group\n", n + 1);
		failed++;
	}
	return failed;
}
