/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Engine and REAP together: paths fail, payload goes on. */
#include "common.h"

static bool delivered_again(struct sim *s, void *arg)
{
	const uint64_t *since = arg;

	return s->flow[0].last_answered > *since;
}

/* One locator of B dies in both directions: after S and one probe round trip everything is on the other pair. (PA-13,
 * PI-05) */
static void failover_when_a_locator_dies(void **state)
{
	struct sim *s = two_established(1);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = reversed(&ulid);
	struct engine_ctx_info a, b;
	const struct engine_event *ev;
	uint64_t cut;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, 60 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_PROBE] + A->sent[WIRE_KEEPALIVE], 0);
	assert_int_equal(A->payload_tagged, 0);
	sim_cut_locator(s, 1, 0, true);
	cut = s->now;
	assert_true(sim_run_for(s, 60 * SIM_SECOND, delivered_again, &(uint64_t){ cut + 21 * SIM_MS }));
	assert_in_range(s->now - cut, 15 * SIM_SECOND, 19 * SIM_SECOND);
	sim_run(s, 30 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a) && sim_context(B, &back, &b));
	assert_true(shim6_addr_eq(&a.current.peer, &B->addr[1]));
	assert_true(shim6_addr_eq(&b.current.local, &B->addr[1]));
	assert_int_equal(a.reap, REAP_OPERATIONAL);
	assert_int_equal(b.reap, REAP_OPERATIONAL);
	assert_int_equal(A->slot[a.slot].p.flags, SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE | SHIM6_PROJ_HOLD_ERRORS);
	assert_true(A->tagged_delivered > 0 && B->tagged_delivered > 0);
	assert_int_equal(A->misdelivered + B->misdelivered, 0);
	assert_int_equal(sim_events(A, ENGINE_EV_EXPLORING), 1);
	assert_int_equal(sim_events(A, ENGINE_EV_SWITCHED), 1);
	ev = sim_last_event(A, ENGINE_EV_SWITCHED);
	assert_true(shim6_pair_eq(&ev->from, &ulid) && shim6_pair_eq(&ev->to, &a.current));
	assert_true(ev->elapsed > 0 && ev->elapsed < 3 * SIM_SECOND);
	assert_int_equal(a.switches, 1);
	/* and the probed flag: return routability (PN-07) */
	assert_int_equal(a.peer[1].flags & REAP_LOC_PROBED, REAP_LOC_PROBED);
	sim_free(s);
}

static bool explores(struct sim *s, void *arg)
{
	(void)arg;
	return sim_events(A, ENGINE_EV_EXPLORING) > 0;
}

static bool switched(struct sim *s, void *arg)
{
	(void)arg;
	return sim_events(A, ENGINE_EV_SWITCHED) > 0;
}

/* The peer switches an instant earlier, and its payload comes before our own switch: the silence told of stays. */
static void silence_is_that_before_the_new_pair(void **state)
{
	struct sim *s = two_established(1);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);
	struct engine_ctx_info a;
	uint64_t silence;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, 20 * SIM_SECOND);
	sim_cut_locator(s, 1, 0, true);
	assert_true(sim_run_for(s, 60 * SIM_SECOND, explores, NULL));
	silence = sim_last_event(A, ENGINE_EV_EXPLORING)->silence;
	assert_true(silence >= 15 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a));
	A->slot[a.slot].stamps.last_rx = s->now + SIM_MS;
	assert_true(sim_run_for(s, 60 * SIM_SECOND, switched, NULL));
	assert_true(sim_last_event(A, ENGINE_EV_SWITCHED)->silence >= silence);
	sim_free(s);
}

/* E10, PA-17: the uplink goes down here: no waiting for S, and the peer learns that it is BROKEN (PA-20, AMB-R21, U-28,
 * Y-04) */
static void local_link_down_switches_at_once(void **state)
{
	struct sim *s = two_established(2);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = reversed(&ulid);
	struct engine_ctx_info a, b;
	uint64_t cut;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, 10 * SIM_SECOND);
	A->down[0] = true;
	cut = s->now;
	sim_set_local(A);
	assert_true(sim_run_for(s, 60 * SIM_SECOND, delivered_again, &(uint64_t){ cut + 25 * SIM_MS }));
	assert_true(s->now - cut < SIM_SECOND);
	assert_int_equal(sim_last_event(A, ENGINE_EV_SWITCHED)->reason, ENGINE_WHY_LOCAL_DOWN);
	sim_run(s, 30 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a) && sim_context(B, &back, &b));
	assert_true(shim6_addr_eq(&a.current.local, &A->addr[1]));
	assert_true(shim6_addr_eq(&b.current.peer, &A->addr[1]));
	assert_int_equal(b.peer[0].flags & REAP_LOC_DOWN, REAP_LOC_DOWN);
	assert_int_equal(sim_counter(A, "updates_completed"), 1);
	/* it comes back: the peer is told; payload stays where it works */
	A->down[0] = false;
	sim_set_local(A);
	sim_run(s, 10 * SIM_SECOND);
	assert_true(sim_context(B, &back, &b));
	assert_int_equal(b.peer[0].flags & REAP_LOC_DOWN, 0);
	assert_int_equal(sim_counter(A, "updates_completed"), 2);
	assert_int_equal(A->misdelivered + B->misdelivered, 0);
	sim_free(s);
}

/* Only A -> B on the primary pair dies: A must move, and B notices through what A reports (PS-32) */
static void one_way_failure_moves_one_way(void **state)
{
	struct sim *s = two_established(3);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);
	struct engine_ctx_info a;
	uint64_t cut;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, 10 * SIM_SECOND);
	sim_cut_path(s, 0, 0, 1, 0, true);
	cut = s->now;
	assert_true(sim_run_for(s, 60 * SIM_SECOND, delivered_again, &(uint64_t){ cut + 25 * SIM_MS }));
	sim_run(s, 30 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a));
	assert_int_equal(a.reap, REAP_OPERATIONAL);
	assert_false(shim6_pair_eq(&a.current, &ulid));
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	sim_free(s);
}

/* PT-14: payload one way only is answered with Keepalives, and nobody explores */
static void one_way_payload_is_kept_alive(void **state)
{
	struct sim *s = two_established(4);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);

	(void)state;
	sim_flow_add(s, 0, &ulid, 200 * SIM_MS, false);
	sim_run(s, 300 * SIM_SECOND);
	assert_int_equal(sim_events(A, ENGINE_EV_EXPLORING) + sim_events(B, ENGINE_EV_EXPLORING), 0);
	assert_in_range(B->sent[WIRE_KEEPALIVE], 30, 70);
	assert_int_equal(A->sent[WIRE_PROBE], 0);
	sim_free(s);
}

/* Everything dies and comes back: the context explores on, and ends the episode on a pair that works */
static void total_outage_heals(void **state)
{
	struct sim *s = two_established(5);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);
	struct engine_ctx_info a;

	(void)state;
	sim_flow_add(s, 0, &ulid, 500 * SIM_MS, true);
	sim_run(s, 10 * SIM_SECOND);
	sim_cut_locator(s, 1, 0, true);
	sim_cut_locator(s, 1, 1, true);
	sim_run(s, 60 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a));
	assert_int_equal(a.reap, REAP_EXPLORING);
	assert_int_equal(A->slot[a.slot].p.flags & SHIM6_PROJ_EXPLORING, SHIM6_PROJ_EXPLORING);
	sim_cut_locator(s, 1, 0, false);
	sim_cut_locator(s, 1, 1, false);
	sim_run(s, 130 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a));
	assert_int_equal(a.reap, REAP_OPERATIONAL);
	assert_int_equal(A->slot[a.slot].p.flags & SHIM6_PROJ_EXPLORING, 0);
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	sim_free(s);
}

/* A command moves a healthy context to the pair it names, by a probe; a hint stays where it works (PA-11, PI-05, PI-13,
 * PI-17) */
static void commands_and_hints(void **state)
{
	struct sim *s = two_established(6);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), wanted = sim_ulids(s, 0, 1, 1, 1);
	struct shim6_pair nonsense = { .local = B->addr[0], .peer = A->addr[0] };
	struct engine_ctx_info a;

	(void)state;
	assert_true(sim_context(A, &ulid, &a));
	assert_int_equal(engine_explore(A->engine, s->now, a.id + 5, NULL), ENGINE_E_NO_CONTEXT);
	assert_int_equal(engine_explore(A->engine, s->now, a.id, &nonsense), ENGINE_E_BAD_ADDRESS);
	engine_hint(A->engine, s->now, a.slot);
	engine_hint(A->engine, s->now, a.slot);
	assert_int_equal(sim_counter(A, "limit_hint"), 1);
	sim_run(s, 10 * SIM_SECOND);
	assert_int_equal(sim_events(A, ENGINE_EV_RECOVERED), 1);
	assert_int_equal(sim_events(A, ENGINE_EV_SWITCHED), 0);
	assert_int_equal(engine_explore(A->engine, s->now, a.id, &wanted), ENGINE_OK);
	sim_run(s, 10 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a));
	assert_true(shim6_pair_eq(&a.current, &wanted));
	assert_int_equal(sim_last_event(A, ENGINE_EV_SWITCHED)->reason, ENGINE_WHY_COMMAND);
	/* T132 */
	assert_int_equal(engine_explore(A->engine, s->now, a.id, &ulid), ENGINE_OK);
	sim_run(s, 10 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a));
	assert_true(shim6_pair_eq(&a.current, &ulid));
	assert_int_equal(A->slot[a.slot].p.flags, SHIM6_PROJ_ACCEPT);
	sim_free(s);
}

/* C-17: with f < min(N, M) dead locators the first good pair is found within the first probes (PX-15) */
static void meshes_converge(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= 4; n++) {
		for (unsigned seed = 0; seed < 4; seed++) {
			struct sim *s = sim_new(seed * 100 + n);
			struct shim6_pair ulid;
			uint64_t cut;

			sim_add_host(s, n, false);
			sim_add_host(s, n, false);
			sim_start(s);
			ulid = sim_ulids(s, 0, 0, 1, 0);
			engine_trigger(A->engine, s->now, &ulid);
			sim_run(s, SIM_SECOND);
			sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
			sim_run(s, 5 * SIM_SECOND);
			for (unsigned dead = 0; dead + 1 < n; dead++)
				sim_cut_locator(s, 1, dead, true);
			cut = s->now;
			assert_true(sim_run_for(s, 60 * SIM_SECOND, delivered_again, &(uint64_t){ cut + 25 * SIM_MS }));
			assert_true(s->now - cut < 21 * SIM_SECOND);
			sim_free(s);
		}
	}
}

/* 20 % loss everywhere for ten minutes with a cut in the middle: payload goes on, contexts stay one each */
static void survives_loss(void **state)
{
	for (unsigned seed = 10; seed < 16; seed++) {
		struct sim *s = two_established(seed);
		struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);

		(void)state;
		for (unsigned i = 0; i < 4; i++) {
			s->path[0][i / 2][1][i % 2].loss_percent = 20;
			s->path[1][i / 2][0][i % 2].loss_percent = 20;
		}
		sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
		sim_run(s, 100 * SIM_SECOND);
		sim_cut_locator(s, 1, 0, true);
		sim_run(s, 500 * SIM_SECOND);
		assert_true(s->flow[0].last_answered + 2 * SIM_SECOND > s->now);
		assert_true(s->flow[0].longest_gap < 40 * SIM_SECOND);
		assert_int_equal(sim_context_count(A), 1);
		assert_int_equal(A->misdelivered + B->misdelivered, 0);
		sim_free(s);
	}
}

static unsigned not_operational(struct sim *s, const struct shim6_pair *ulid, unsigned n)
{
	struct engine_ctx_info info;
	unsigned waiting = 0;

	for (unsigned i = 0; i < n; i++) {
		assert_true(sim_context(A, &ulid[i], &info));
		waiting += info.reap != REAP_OPERATIONAL || !shim6_addr_eq(&info.current.local, &A->addr[7]);
	}
	return waiting;
}

/* TR89, PX-20: many contexts fail at once; the budget holds, each gets its turn, all recover */
static void tr89_budget_of_probes(void **state)
{
	enum {
		RATE = 4,
		DEAD = 7,
		PEERS = 8
	};
	struct sim *s = sim_new(89);
	struct shim6_pair ulid[DEAD * PEERS];
	unsigned probes, n = 0;
	uint64_t began;

	(void)state;
	sim_add_host(s, DEAD + 1, false);
	sim_add_host(s, PEERS, false);
	s->config.probes_per_second = RATE;
	sim_start(s);
	for (unsigned a = 0; a < DEAD; a++) {
		for (unsigned b = 0; b < PEERS; b++, n++) {
			ulid[n] = sim_ulids(s, 0, a, 1, b);
			assert_int_equal(engine_establish(A->engine, s->now, &ulid[n]), ENGINE_OK);
		}
	}
	sim_run(s, 20 * SIM_SECOND);
	for (unsigned a = 0; a < DEAD; a++)
		A->down[a] = true;
	probes = A->sent[WIRE_PROBE];
	sim_set_local(A);
	began = s->now;
	do {
		sim_run(s, SIM_SECOND);
		/* timed ones and replies, each with one second's worth in hand */
		assert_in_range(A->sent[WIRE_PROBE] - probes, 1, 2 * RATE * (1 + (s->now - began) / SIM_SECOND));
	} while (not_operational(s, ulid, n) && s->now - began < 120 * SIM_SECOND);
	print_message("%u contexts at %d probes/s: %.0f s\n", n, RATE, (double)(s->now - began) / 1e9);
	assert_int_equal(not_operational(s, ulid, n), 0);
	assert_in_range((s->now - began) / SIM_SECOND, 0, 2 * n / RATE);
	/* whoever waits does not ask again: one count for each turn, and not each half second */
	assert_in_range(sim_counter(A, "limit_probes"), n / 2, 4 * n);
	sim_free(s);
}

struct told {
	struct sim_host *from;
	unsigned n;
	uint8_t to[64]; /* peer locator of each Update Request, in order */
};

static bool note_updates(struct sim *s, struct sim_packet *p, void *arg)
{
	struct told *t = arg;
	unsigned loc;

	if (p->kind == SIM_CONTROL && sim_owner(s, &p->src, &loc) == t->from &&
	    (p->buf[2] & 0x7f) == WIRE_UPDATE_REQUEST && t->n < sizeof(t->to) && sim_owner(s, &p->dst, &loc))
		t->to[t->n++] = (uint8_t)loc;
	return true;
}

/* PA-17, PX-20: a link with many contexts dies: Updates leave within the budget, those in use first */
static void px_20_updates_take_turns(void **state)
{
	enum {
		RATE = 2,
		PEERS = 8
	};
	static const uint8_t used[PEERS] = { 5, 2, 7, 0, 3, 6, 1, 4 };
	struct sim *s = sim_new(17);
	struct told told = { 0 };
	uint64_t began;

	(void)state;
	sim_add_host(s, 2, false);
	sim_add_host(s, PEERS, false);
	s->config.probes_per_second = RATE;
	sim_start(s);
	for (unsigned b = 0; b < PEERS; b++) {
		struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, b);

		assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	}
	sim_run(s, 5 * SIM_SECOND);
	for (unsigned i = 0; i < PEERS; i++) {
		struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, used[i]);

		sim_payload(A, &ulid, UINT32_MAX);
		sim_run(s, 100 * SIM_MS);
	}
	told.from = A;
	s->filter = note_updates;
	s->filter_arg = &told;
	A->down[0] = true;
	began = s->now;
	sim_set_local(A);
	assert_int_equal(told.n, RATE);
	while (s->now - began < 4 * SIM_SECOND) {
		sim_run(s, 250 * SIM_MS);
		/* and one more of a context whose probe had its turn (PI-07) */
		assert_in_range(told.n, 0, 2 * RATE * (1 + (s->now - began) / SIM_SECOND));
	}
	assert_in_range(told.n, PEERS, sizeof(told.to) - 1);
	for (unsigned i = 0, seen = 0; i < told.n && seen < PEERS; i++) {
		bool again = false;

		for (unsigned k = 0; k < i; k++)
			again |= told.to[k] == told.to[i];
		if (!again)
			assert_int_equal(told.to[i], used[PEERS - 1 - seen++]);
	}
	assert_true(sim_counter(A, "limit_updates") >= PEERS - RATE);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failover_when_a_locator_dies),
		cmocka_unit_test(silence_is_that_before_the_new_pair),
		cmocka_unit_test(local_link_down_switches_at_once),
		cmocka_unit_test(one_way_failure_moves_one_way),
		cmocka_unit_test(one_way_payload_is_kept_alive),
		cmocka_unit_test(total_outage_heals),
		cmocka_unit_test(commands_and_hints),
		cmocka_unit_test(meshes_converge),
		cmocka_unit_test(survives_loss),
		cmocka_unit_test(tr89_budget_of_probes),
		cmocka_unit_test(px_20_updates_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
