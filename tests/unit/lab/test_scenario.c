/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "lab/scenario.h"

static const struct plan_times as_it_is = { -1, -1, -1 };

static void test_every_scenario_is_sound(void **state)
{
	unsigned n = 0;
	struct plan p;

	(void)state;
	for (; scenario_name(n); n++) {
		assert_true(scenario_plan(scenario_name(n), 15, &p));
		assert_string_equal(p.name, scenario_name(n));
		assert_string_equal(p.title, scenario_title(n));
		assert_true(p.n >= 2 && p.n <= PLAN_MAX_ACTIONS);
		for (unsigned i = 0; i < p.n; i++) {
			assert_null(fault_check(&p.action[i].fault));
			assert_int_equal(p.action[i].heal, i % 2); /* each failure is repaired before the next */
			if (i)
				assert_true(p.action[i].at > p.action[i - 1].at);
			if (i % 2)
				assert_true(fault_equal(&p.action[i].fault, &p.action[i - 1].fault));
			/* a silent failure lasts long enough to be found */
			if (i % 2 && plan_blocks(&p.action[i].fault) && p.action[i].fault.kind != FAULT_LINK)
				assert_true(p.action[i].at - p.action[i - 1].at >= 15 * 1.04 + 1.5);
		}
		assert_true(p.duration > p.action[p.n - 1].at);
		assert_null(plan_adjust(&p, &as_it_is));
	}
	assert_int_equal(n, 8);
	assert_false(scenario_plan("black-hol", 15, &p));
}

static void test_five_failures_hit_what_is_in_use(void **state)
{
	struct plan p;

	(void)state;
	assert_true(scenario_plan("five-failures", 10, &p));
	assert_int_equal(p.n, 10);
	for (unsigned i = 2; i < p.n; i += 2)
		assert_int_not_equal(p.action[i].fault.provider, p.action[i - 2].fault.provider);
}

static void test_times_follow_the_send_timeout(void **state)
{
	struct plan p, q;

	(void)state;
	scenario_plan("black-hole", 10, &p);
	scenario_plan("black-hole", 30, &q);
	assert_true(p.action[0].at == q.action[0].at);
	assert_true(q.action[1].at - p.action[1].at == 20);
	assert_true(q.duration - p.duration == 20);
	scenario_plan("link-down", 10, &p);
	scenario_plan("link-down", 30, &q);
	assert_true(p.duration == q.duration);
}

static void test_moving_the_failure_moves_the_rest(void **state)
{
	struct plan p;

	(void)state;
	scenario_plan("link-down", 15, &p); /* 6, 16, 22 */
	assert_null(plan_adjust(&p, &(struct plan_times){ 10, -1, -1 }));
	assert_true(p.action[0].at == 10 && p.action[1].at == 20 && p.duration == 26);
	assert_null(plan_adjust(&p, &(struct plan_times){ -1, 12, -1 }));
	assert_true(p.action[0].at == 10 && p.action[1].at == 12 && p.duration == 18);
	assert_null(plan_adjust(&p, &(struct plan_times){ -1, -1, 11 })); /* ends before the repair */
	assert_true(p.duration == 11);
}

static void test_impossible_times(void **state)
{
	struct plan p;

	(void)state;
	scenario_plan("link-down", 15, &p);
	assert_non_null(plan_adjust(&p, &(struct plan_times){ -1, 5, -1 }));
	scenario_plan("link-down", 15, &p);
	assert_non_null(plan_adjust(&p, &(struct plan_times){ -1, -1, 6 }));
	scenario_plan("five-failures", 15, &p);
	assert_non_null(plan_adjust(&p, &(struct plan_times){ 3, -1, -1 }));
	scenario_plan("five-failures", 15, &p);
	assert_non_null(plan_adjust(&p, &(struct plan_times){ -1, -1, 60 }));
}

static void test_one_fault(void **state)
{
	struct plan_request q = { .times = as_it_is };
	struct plan p;

	(void)state;
	fault_init(&q.fault, "blackhole");
	fault_set_direction(&q.fault, "out");
	assert_null(plan_make(&q, 15, &p));
	assert_string_equal(p.name, "blackhole");
	assert_string_equal(p.title, "Silent black hole at provider 1 of A, from the host");
	assert_int_equal(p.n, 2);
	assert_true(fault_equal(&p.action[1].fault, &q.fault) && p.action[1].heal);
	assert_true(p.action[1].at - p.action[0].at > 15 * 1.04 + 1.5);
	q.times.fail_at = 4;
	assert_null(plan_make(&q, 15, &p));
	assert_true(p.action[0].at == 4);
}

static void test_what_blocks(void **state)
{
	struct fault f;

	(void)state;
	fault_init(&f, "loss");
	f.amount = 99;
	assert_false(plan_blocks(&f));
	f.amount = 100;
	assert_true(plan_blocks(&f));
	fault_init(&f, "delay");
	assert_false(plan_blocks(&f));
	fault_init(&f, "far");
	assert_true(plan_blocks(&f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_scenario_is_sound),
		cmocka_unit_test(test_five_failures_hit_what_is_in_use),
		cmocka_unit_test(test_times_follow_the_send_timeout),
		cmocka_unit_test(test_moving_the_failure_moves_the_rest),
		cmocka_unit_test(test_impossible_times),
		cmocka_unit_test(test_one_fault),
		cmocka_unit_test(test_what_blocks),
	};

	return cmocka_run_group_tests_name("lab scenario", tests, NULL, NULL);
}
