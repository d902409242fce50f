/* SPDX-License-Identifier: GPL-2.0-or-later */
/* T-09: the one clock of the protocol, by which timers run and the age of a validator is told, is no wall clock. */
#include "unit.h"

#include <time.h>

#include "daemon/daemon.h"

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	assert_int_equal(clock_gettime(id, &t), 0);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* T-09; and it is the one that the data path stamps by */
static void test_monotonic(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t before = read_clock(CLOCK_MONOTONIC), now = daemon_now();

		assert_in_range(now, before, read_clock(CLOCK_MONOTONIC));
	}
	assert_true(daemon_now() < read_clock(CLOCK_REALTIME));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_monotonic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
