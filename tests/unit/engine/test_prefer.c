/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preferences: which pair is best, and who goes where (W-56, W-59, V-21, PI-06, AMB-R22). What takes time: tests/sim.
 */
#include "common.h"

#include "engine/internal.h"

static bool is_on(struct sim_host *h, const struct shim6_pair *ulid, const struct shim6_pair *pair)
{
	struct engine_ctx_info info;

	return sim_context(h, ulid, &info) && shim6_pair_eq(&info.current, pair);
}

/* W-59: preferences of the handshake count from the start, of both ends; payload never waits (V-21). */
static void w59_from_the_start(void **state)
{
	struct sim *s = two_hosts(1);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = reversed(&ulid);
	struct shim6_pair best = sim_ulids(s, 0, 1, 1, 1), there = reversed(&best);
	struct engine_ctx_info info;

	(void)state;
	A->priority[0] = 9;
	B->priority[0] = 200;
	sim_set_local(A);
	sim_set_local(B);
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	sim_run(s, SIM_SECOND);
	assert_true(is_on(A, &ulid, &best) && is_on(B, &back, &there));
	assert_int_equal(sim_last_event(A, ENGINE_EV_SWITCHED)->reason, ENGINE_WHY_PREFERENCE);
	assert_true(sim_context(B, &back, &info));
	assert_int_equal(info.peer[0].priority, 9);
	assert_int_equal(info.local[0].priority, 200);
	assert_true(shim6_addr_is_unspecified(&info.better.local));
	sim_free(s);
}

/* U-03, PI-06: changed at run time, at one end: an Update Request, a probe, and both are there; and back again. */
static void pi06_at_run_time(void **state)
{
	struct sim *s = two_established(2);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = reversed(&ulid);
	struct shim6_pair best = sim_ulids(s, 0, 1, 1, 0), there = reversed(&best);
	struct wire_msg m;
	struct wire_pref p;

	(void)state;
	A->priority[0] = 1;
	A->weight[1] = 7;
	sim_set_local(A);
	decode_last(A, WIRE_UPDATE_REQUEST, &m);
	assert_true(m.prefs.present && !m.locators.present && m.prefs.elem_len == 3);
	wire_pref_get(&m.prefs, 1, &p);
	assert_int_equal(p.weight, 7);
	assert_true(is_on(A, &ulid, &ulid)); /* not before a probe came back */
	sim_run(s, SIM_SECOND);
	assert_true(is_on(A, &ulid, &best) && is_on(B, &back, &there));
	A->priority[0] = 0;
	A->weight[1] = 0;
	A->priority[1] = 3;
	sim_set_local(A);
	sim_run(s, SIM_SECOND);
	assert_true(is_on(A, &ulid, &ulid) && is_on(B, &back, &back));
	assert_int_equal(sim_counter(A, "preference_moves"), 2);
	/* equal preferences want nothing: the ULIDs need no header */
	A->priority[1] = 0;
	sim_set_local(A);
	sim_run(s, SIM_SECOND);
	assert_true(is_on(A, &ulid, &ulid));
	assert_int_equal(sim_counter(A, "preference_moves"), 2);
	sim_free(s);
}

/* AMB-R22: what is preferred does not answer: everything stays, and it is left alone for a minute. */
static void amb_r22_preferred_and_dead(void **state)
{
	struct sim *s = two_established(3);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);
	struct engine_ctx_info info;
	unsigned flow = sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true), probes;

	(void)state;
	sim_cut_locator(s, 0, 1, true);
	A->priority[0] = 1;
	sim_set_local(A);
	sim_run(s, 5 * SIM_SECOND);
	assert_true(is_on(A, &ulid, &ulid));
	assert_in_range(s->flow[flow].received, s->flow[flow].sent - 1, s->flow[flow].sent); /* one is under way */
	assert_true(sim_context(A, &ulid, &info));
	assert_true(shim6_addr_eq(&info.better.local, &A->addr[1]));
	assert_int_equal(info.better_since, 0);
	assert_int_equal(info.better_hold, 30 * SIM_SECOND);
	probes = A->sent[WIRE_PROBE];
	assert_in_range(probes, 1, 20);
	sim_run(s, 50 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_PROBE], probes);
	sim_cut_locator(s, 0, 1, false);
	sim_run(s, 120 * SIM_SECOND);
	assert_true(!is_on(A, &ulid, &ulid));
	assert_int_equal(sim_last_event(A, ENGINE_EV_SWITCHED)->reason, ENGINE_WHY_FAIL_BACK);
	sim_free(s);
}

/* W-59: inside a priority locators share the contexts by weight; both ends of a context draw the same. */
static void w59_weights_share(void **state)
{
	enum {
		N = 600
	};
	unsigned on[4] = { 0 }, apart = 0;
	struct sim *s = sim_new(4);

	(void)state;
	sim_add_host(s, 4, false);
	sim_add_host(s, 1, false);
	sim_start(s);
	A->weight[0] = 30; /* and 1 to 3: 20, 10, 0 */
	A->weight[1] = 20;
	A->weight[2] = 10;
	A->priority[3] = 0;
	sim_set_local(A);
	for (unsigned i = 0; i < N; i++) {
		struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = reversed(&ulid);
		struct engine_ctx_info a, b;

		assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
		sim_run(s, 2 * SIM_SECOND);
		assert_true(sim_context(A, &ulid, &a) && sim_context(B, &back, &b));
		for (unsigned l = 0; l < 4; l++)
			on[l] += shim6_addr_eq(&a.current.local, &A->addr[l]);
		apart += !shim6_addr_eq(&a.current.local, &b.current.peer);
		engine_drop(A->engine, s->now, a.id);
		engine_drop(B->engine, s->now, b.id);
	}
	assert_int_equal(apart, 0);
	assert_in_range(on[0], N * 30 / 60 - 50, N * 30 / 60 + 50);
	assert_in_range(on[1], N * 20 / 60 - 50, N * 20 / 60 + 50);
	assert_in_range(on[2], N * 10 / 60 - 50, N * 10 / 60 + 50);
	assert_int_equal(on[3], 0);
	sim_free(s);
}

/* The order of exploration follows priorities, then turns, then weights (PX-02, W-59). */
static void px02_order(void **state)
{
	struct reap_locator local = { .addr = { { 1 } } }, peer[4];
	struct reap_locators l = { &local, 1, peer, 4 };
	struct shim6_pair current, order[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		peer[i] = (struct reap_locator){ .addr = { { 2, (uint8_t)i } },
						 .priority = 5,
						 .weight = (uint8_t)(9 - i) };
	current = (struct shim6_pair){ local.addr, peer[0].addr };
	peer[1].turn = 2;
	peer[2].turn = 1;
	peer[3].priority = 4;
	assert_int_equal(reap_pair_order(&l, &current, order, 4), 4);
	assert_int_equal(order[0].peer.b[1], 0);
	assert_int_equal(order[1].peer.b[1], 3);
	assert_int_equal(order[2].peer.b[1], 2);
	assert_int_equal(order[3].peer.b[1], 1);
}

/* A test (reap_test) tells both ends nothing and moves neither, even if the pair in use is slower than the other. */
static void test_moves_nothing(void **state)
{
	struct sim *s = two_established(6);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = reversed(&ulid);
	unsigned exploring;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_cut_path(s, 0, 0, 1, 0, true);
	sim_cut_path(s, 1, 0, 0, 0, true);
	sim_run(s, 25 * SIM_SECOND);
	assert_true(!is_on(A, &ulid, &ulid) && !is_on(B, &back, &back));
	sim_cut_path(s, 0, 0, 1, 0, false);
	sim_cut_path(s, 1, 0, 0, 0, false);
	for (unsigned i = 0; i < 4; i++)
		s->path[0][1][1][1].delay = s->path[1][1][0][1].delay = 200 * SIM_MS;
	exploring = sim_events(A, ENGINE_EV_EXPLORING) + sim_events(B, ENGINE_EV_EXPLORING);
	sim_run(s, 25 * SIM_SECOND);
	assert_true(sim_counter(A, "fail_back_tests_passed") + sim_counter(B, "fail_back_tests_passed") > 5);
	assert_int_equal(sim_events(A, ENGINE_EV_EXPLORING) + sim_events(B, ENGINE_EV_EXPLORING), exploring);
	assert_int_equal(sim_events(A, ENGINE_EV_SWITCHED), 1);
	assert_int_equal(sim_events(B, ENGINE_EV_SWITCHED), 1);
	sim_free(s);
}

/* The pair in use dies while a better one is tested: another is found at once, not at the end of the Send Timeout. */
static void test_finds_the_current_pair_dead(void **state)
{
	struct sim *s = two_established(7);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);
	struct engine_ctx_info info;
	uint64_t passed;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_cut_path(s, 0, 0, 1, 0, true);
	sim_cut_path(s, 1, 0, 0, 0, true);
	sim_run(s, 25 * SIM_SECOND);
	sim_cut_path(s, 0, 0, 1, 0, false);
	sim_cut_path(s, 1, 0, 0, 0, false);
	passed = sim_counter(A, "fail_back_tests_passed");
	for (unsigned i = 0; i < 300 && sim_counter(A, "fail_back_tests_passed") < passed + 2; i++)
		sim_run(s, 100 * SIM_MS);
	sim_cut_locator(s, 1, 1, true);
	sim_run(s, 4 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.reap, REAP_OPERATIONAL);
	assert_true(shim6_addr_eq(&info.current.peer, &B->addr[0]));
	assert_int_equal(sim_last_event(A, ENGINE_EV_SWITCHED)->reason, ENGINE_WHY_TEST);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(w59_from_the_start),
		cmocka_unit_test(pi06_at_run_time),
		cmocka_unit_test(amb_r22_preferred_and_dead),
		cmocka_unit_test(w59_weights_share),
		cmocka_unit_test(px02_order),
		cmocka_unit_test(test_moves_nothing),
		cmocka_unit_test(test_finds_the_current_pair_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
