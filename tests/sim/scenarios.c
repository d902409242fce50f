/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim-scenarios: named runs of the simulator, with the invariants of watch.c
 * on. What each is about stands in its first line; tests of single rows are in
 * tests/unit/engine.
 */
#include <stdlib.h>

#include "preferences.h"

/* --- establishment ------------------------------------------------------ */

/* The data path counts packets, asks for a context, and payload stays untagged. */
static void establish(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	A->trigger_packets = 10;
	sim_flow_add(x->s, 0, &ulid, 100 * SIM_MS, true);
	scene_agree_within(x, &ulid, 3 * SIM_SECOND);
	sim_run(x->s, 60 * SIM_SECOND);
	WANT(A->sent[WIRE_I1] == 1 && B->sent[WIRE_R1] == 1 && A->sent[WIRE_I2] == 1 && B->sent[WIRE_R2] == 1);
	WANT(A->payload_tagged == 0 && B->payload_tagged == 0);
	WANT(A->sent[WIRE_PROBE] + B->sent[WIRE_PROBE] == 0);
}

/* Both ends begin in the same moment: one context at each, no message too many. */
static void concurrent(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);

	sim_establish(A, &ulid);
	sim_establish(B, &back);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(sim_context_count(A) == 1 && sim_context_count(B) == 1);
	WANT(A->sent[WIRE_I1] == 1 && B->sent[WIRE_I1] == 1);
}

struct losing {
	uint64_t mask; /* of the first 64 messages, in order */
	unsigned seen;
};

static bool lose_some(struct sim *s, struct sim_packet *p, void *arg)
{
	struct losing *l = arg;

	(void)s;
	if (p->kind != SIM_CONTROL)
		return true;
	l->seen++;
	return l->seen > 64 || !(l->mask >> (l->seen - 1) & 1);
}

/* The same, with every choice of losses among the first six messages; seven could use up an end's I1s. */
static void cross_with_loss(struct scene *x)
{
	for (unsigned n = 0; n < 256 && !x->s->stop; n++) {
		struct losing l = { .mask = n & 63 };
		struct shim6_pair ulid, back;

		scene_anew(x, n, 2, 2, 2);
		ulid = scene_pair(x);
		back = scene_back(&ulid);
		x->s->filter = lose_some;
		x->s->filter_arg = &l;
		sim_establish(A, &ulid);
		sim_run(x->s, n / 64 * 7 * SIM_MS);
		sim_establish(B, &back);
		scene_agree_within(x, &ulid, 250 * SIM_SECOND); /* an I1 may wait 96 s */
		x->s->filter = NULL;
	}
}

/* --- loss of state ------------------------------------------------------ */

/* A context that payload uses off its ULIDs: A1 and B1 are dead. */
static struct shim6_pair switched(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 200 * SIM_MS, true);
	sim_run(x->s, SIM_SECOND);
	sim_cut_locator(x->s, 1, 0, true);
	sim_run(x->s, 25 * SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(A->payload_tagged > 0 && B->payload_tagged > 0);
	return ulid;
}

/* B forgets all; tagged payload brings it back within a few round trips. */
static void recover_by_payload(struct scene *x)
{
	struct shim6_pair ulid = switched(x);

	sim_amnesia(B);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(B->sent[WIRE_R1BIS] > 0 && A->sent[WIRE_I2BIS] == 1);
	scene_flows_within(x, SIM_SECOND);
}

/* B forgets all; what it gets next is an Update Request. */
static void recover_by_control(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_run(x->s, SIM_SECOND);
	sim_amnesia(B);
	A->priority[1] = 3;
	sim_set_local(A);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(A->sent[WIRE_UPDATE_REQUEST] >= 1 && A->sent[WIRE_I2BIS] == 1);
}

/* B forgets all and only listens: A's Send Timeout makes a Probe, the Probe an R1bis. */
static void recover_by_probe(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 200 * SIM_MS, false);
	sim_run(x->s, 20 * SIM_SECOND);
	sim_amnesia(B);
	scene_agree_within(x, &ulid, 35 * SIM_SECOND);
	WANT(A->sent[WIRE_PROBE] > 0 && A->sent[WIRE_I2BIS] == 1);
	WANT(x->s->flow[0].longest_gap < SIM_SECOND); /* untagged payload never stopped */
}

/* The engine dies in the middle of its recovery and comes back with the old tag: that must not stay. */
static void restart_while_recovering(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 200 * SIM_MS, true);
	sim_run(x->s, SIM_SECOND);
	sim_amnesia(B);
	A->priority[1] = 3;
	sim_set_local(A);
	sim_run(x->s, 25 * SIM_MS); /* the R1bis is there, the R2 under way */
	WANT(scene_state(A, &ulid) == ENGINE_I2BIS_SENT);
	sim_restart(A);
	scene_agree_within(x, &ulid, 5 * SIM_SECOND);
}

/* Both ends begin anew, each in its own way, and the messages cross: A recovers while B establishes. */
static void recovery_meets_establishment(struct scene *x)
{
	struct shim6_pair ulid, back;

	for (unsigned ms = 0; ms < 30 && !x->s->stop; ms++) {
		scene_anew(x, ms, 2, 2, 2);
		ulid = switched(x);
		back = scene_back(&ulid);
		sim_cut_locator(x->s, 1, 0, false);
		x->s->flow[0].next = x->s->now + ms * SIM_MS;
		x->s->flow[0].interval = 5 * SIM_MS;
		sim_amnesia(B);
		sim_establish(B, &back);
		sim_run(x->s, 100 * SIM_MS);
		scene_agree_within(x, &ulid, 20 * SIM_SECOND);
		WANT(sim_context_count(A) == 1 && sim_context_count(B) == 1);
	}
}

/* Saved contexts outlive a data path that was made anew: they are not idle because its stamps are empty. */
static void new_data_path(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 5 * SIM_SECOND, true);
	sim_run(x->s, 401 * SIM_SECOND);
	sim_crash(A, true, false);
	WANT(sim_revive(A) == 1);
	sim_run(x->s, 3 * SIM_SECOND);
	WANT(sim_events(A, ENGINE_EV_GONE) == 0);
	scene_agree_within(x, &ulid, SIM_SECOND);
}

/* A new Send Timeout that was not acknowledged before a restart is told after it, or A explores for ever (PF-21). */
static void restart_before_timeout_is_told(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);
	struct engine_config c = x->s->config;
	struct engine_ctx_info b;

	sim_establish(A, &ulid);
	sim_run(x->s, SIM_SECOND);
	sim_cut_path(x->s, 0, 0, 1, 0, true);
	c.reap.send_timeout = 10 * SIM_SECOND;
	sim_reconfigure(A, &c);
	sim_run(x->s, SIM_SECOND);
	sim_cut_path(x->s, 0, 0, 1, 0, false);
	sim_restart(A);
	sim_run(x->s, SIM_SECOND);
	WANT(sim_context(B, &back, &b) && b.keepalive_timeout == 10 * SIM_SECOND);
}

/* A recovers while its ULID is not assigned: the peer gets the whole list all the same. */
static void recover_without_ulid(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);
	struct engine_ctx_info b;

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 200 * SIM_MS, true);
	sim_run(x->s, SIM_SECOND);
	A->assigned[0] = false;
	sim_set_local(A);
	sim_run(x->s, 5 * SIM_SECOND);
	sim_amnesia(B);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(sim_context(B, &back, &b) && b.n_peer == 2);
	scene_flows_within(x, SIM_SECOND);
}

/* An I2 that comes again takes nothing back that an Update Request told since. */
static void replayed_i2(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);
	struct engine_config c = x->s->config;
	struct engine_ctx_info b;

	sim_establish(A, &ulid);
	sim_run(x->s, SIM_SECOND);
	c.reap.send_timeout = 10 * SIM_SECOND;
	sim_reconfigure(A, &c);
	A->priority[1] = 3;
	sim_set_local(A);
	sim_run(x->s, SIM_SECOND);
	forge_arrival(&x->w, A, &A->last[WIRE_I2]);
	WANT(B->sent[WIRE_R2] == 2);
	WANT(sim_context(B, &back, &b) && b.keepalive_timeout == 10 * SIM_SECOND && b.peer[1].priority == 3);
}

/* Another Send Timeout between I2 and R2 (PF-21). */
static void timeout_changes_in_handshake(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);
	struct engine_config c = x->s->config;
	struct engine_ctx_info b;

	sim_establish(A, &ulid);
	sim_run(x->s, 25 * SIM_MS);
	WANT(scene_state(A, &ulid) == ENGINE_I2_SENT);
	c.reap.send_timeout = 10 * SIM_SECOND;
	sim_reconfigure(A, &c);
	sim_run(x->s, SIM_SECOND);
	WANT(sim_context(B, &back, &b) && b.keepalive_timeout == 10 * SIM_SECOND);
}

/* B, without memory, gives A's tag to another context with A: the old one does not go on with it (7.15). */
static void confusion(struct scene *x)
{
	struct shim6_pair one = scene_pair(x), two = sim_ulids(x->s, 0, 1, 1, 1);

	x->w.narrow_tags = true;
	B->tag_mask = 0;
	B->engine->contexts.tags.mask = 0; /* its only tag is 0 */
	sim_establish(A, &one);
	sim_flow_add(x->s, 0, &one, 200 * SIM_MS, true);
	sim_run(x->s, 2 * SIM_SECOND);
	sim_crash(B, false, false);
	sim_start_host(B);
	B->engine->contexts.tags.mask = 0;
	sim_establish(A, &two);
	scene_agree_within(x, &two, SIM_SECOND);
	WANT(scene_state(A, &one) != ENGINE_ESTABLISHED);
	WANT(sim_counter(A, "contexts_confused") == 1);
	B->engine->contexts.tags.mask = WIRE_TAG_MASK;
	scene_agree_within(x, &one, 30 * SIM_SECOND);
	scene_agree_within(x, &two, 30 * SIM_SECOND);
	WANT(A->misdelivered + B->misdelivered == 0);
}

/* --- failures of paths -------------------------------------------------- */

/* A1 -> B1 alone is dead: B notices, A moves, B may stay. */
static void black_hole_one_way(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 50 * SIM_MS, true);
	sim_run(x->s, 5 * SIM_SECOND);
	sim_cut_path(x->s, 0, 0, 1, 0, true);
	scene_flows_within(x, 35 * SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(x->s->flow[0].longest_gap < 33 * SIM_SECOND);
}

/* Both directions of A1-B1 are dead, with payload both ways. */
static void black_hole(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 50 * SIM_MS, false);
	sim_flow_add(x->s, 1, &back, 50 * SIM_MS, false);
	sim_run(x->s, 5 * SIM_SECOND);
	sim_cut_path(x->s, 0, 0, 1, 0, true);
	sim_cut_path(x->s, 1, 0, 0, 0, true);
	sim_run(x->s, 30 * SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(x->s->flow[0].longest_gap < 17500 * SIM_MS && x->s->flow[1].longest_gap < 17500 * SIM_MS); /* 16.6 */
}

/* Only A1 -> B2 and B1 -> A2 are left: no pair works both ways. */
static void asymmetric_survivors(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);
	struct engine_ctx_info a, b;

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 50 * SIM_MS, false);
	sim_flow_add(x->s, 1, &back, 50 * SIM_MS, false);
	sim_run(x->s, 5 * SIM_SECOND);
	scene_survivors(x, 1u << 1, 1u << 1);
	sim_run(x->s, 30 * SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(sim_context(A, &ulid, &a) && sim_context(B, &back, &b));
	WANT(shim6_addr_eq(&a.current.local, &A->addr[0]) && shim6_addr_eq(&a.current.peer, &B->addr[1]));
	WANT(shim6_addr_eq(&b.current.local, &B->addr[0]) && shim6_addr_eq(&b.current.peer, &A->addr[1]));
	WANT(x->s->flow[0].longest_gap < 21500 * SIM_MS && x->s->flow[1].longest_gap < 21500 * SIM_MS); /* 16.6 */
}

/* The engine is replaced at some moment of a failover, and the data path stays. */
static void restart_during_failover(struct scene *x)
{
	for (unsigned ms = 0; ms < 20000 && !x->s->stop; ms += 250) {
		struct shim6_pair ulid;

		scene_anew(x, ms, 2, 2, 2);
		ulid = scene_pair(x);
		sim_establish(A, &ulid);
		sim_flow_add(x->s, 0, &ulid, 100 * SIM_MS, true);
		sim_run(x->s, 5 * SIM_SECOND);
		sim_cut_locator(x->s, 0, 0, true);
		sim_run(x->s, ms * SIM_MS);
		WANT(sim_restart(A) == 1);
		scene_flows_within(x, 40 * SIM_SECOND);
		scene_agree_within(x, &ulid, 5 * SIM_SECOND);
		WANT(A->misdelivered + B->misdelivered == 0);
	}
}

/* The engine forgets all at some moment of a failover: the peer brings it back on the pair that works. */
static void amnesia_during_failover(struct scene *x)
{
	for (unsigned ms = 0; ms < 20000 && !x->s->stop; ms += 250) {
		struct shim6_pair ulid;

		scene_anew(x, ms, 2, 2, 2);
		ulid = scene_pair(x);
		sim_establish(A, &ulid);
		sim_flow_add(x->s, 0, &ulid, 100 * SIM_MS, true);
		sim_run(x->s, 5 * SIM_SECOND);
		sim_cut_locator(x->s, 0, 0, true);
		sim_run(x->s, ms * SIM_MS);
		sim_amnesia(A);
		scene_flows_within(x, 60 * SIM_SECOND);
		scene_agree_within(x, &ulid, 5 * SIM_SECOND);
	}
}

/* A path comes and goes every three seconds: payload goes on, and the pair changes seldom. */
static void flap(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);
	struct engine_ctx_info a;

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 50 * SIM_MS, true);
	for (unsigned i = 0; i < 100; i++) {
		sim_cut_locator(x->s, 0, 0, i % 2 == 0);
		sim_run(x->s, 3 * SIM_SECOND);
	}
	sim_cut_locator(x->s, 0, 0, false);
	scene_flows_within(x, 20 * SIM_SECOND);
	WANT(sim_context(A, &ulid, &a) && a.switches <= 2);
	WANT(A->sent[WIRE_PROBE] < 50);
}

/* A link comes and goes every second: Updates follow one another, nothing storms. */
static void link_flap(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 50 * SIM_MS, true);
	sim_run(x->s, SIM_SECOND);
	for (unsigned i = 0; i < 100; i++) {
		A->down[0] = i % 2 == 0;
		sim_set_local(A);
		sim_run(x->s, SIM_SECOND);
	}
	scene_agree_within(x, &ulid, 10 * SIM_SECOND);
	WANT(x->s->flow[0].longest_gap < SIM_SECOND);
	WANT(A->sent[WIRE_UPDATE_REQUEST] <= 110 && A->sent[WIRE_PROBE] <= 120);
}

/* Newer facts replace an Update Request that was not acknowledged (U-08, U-09). */
static void update_supersession(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);
	struct engine_ctx_info b;

	sim_establish(A, &ulid);
	sim_run(x->s, SIM_SECOND);
	x->s->path[1][0][0][0].cut = x->s->path[1][0][0][1].cut = true; /* no Acknowledgement comes */
	for (unsigned i = 1; i <= 5; i++) {
		A->priority[1] = (uint8_t)i;
		sim_set_local(A);
		sim_run(x->s, 700 * SIM_MS);
	}
	WANT(B->sent[WIRE_UPDATE_ACK] >= 5);
	x->s->path[1][0][0][0].cut = x->s->path[1][0][0][1].cut = false;
	sim_run(x->s, 30 * SIM_SECOND);
	WANT(sim_context(B, &back, &b) && b.peer[1].priority == 5);
	WANT(sim_counter(A, "updates_abandoned") == 4);
	b.created = A->sent[WIRE_UPDATE_REQUEST];
	sim_run(x->s, 100 * SIM_SECOND);
	WANT(A->sent[WIRE_UPDATE_REQUEST] == b.created); /* it was acknowledged */
}

/* The ULID of A vanishes: a flap is forgiven, for good it is the end (Y-01, Y-02, Y-06). */
static void ulid_invalidation(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 200 * SIM_MS, true);
	sim_run(x->s, 5 * SIM_SECOND);
	A->assigned[0] = false;
	sim_set_local(A);
	sim_run(x->s, 30 * SIM_SECOND);
	WANT(scene_state(A, &ulid) == ENGINE_ESTABLISHED);
	scene_flows_within(x, SIM_SECOND); /* on A2 */
	A->assigned[0] = true;
	sim_set_local(A);
	sim_run(x->s, 90 * SIM_SECOND);
	scene_agree_within(x, &ulid, 5 * SIM_SECOND);
	A->assigned[0] = false;
	sim_set_local(A);
	sim_run(x->s, 61 * SIM_SECOND);
	WANT(scene_state(A, &ulid) == ENGINE_IDLE);
	sim_flow_stop(x->s, 0);
	sim_run(x->s, 700 * SIM_SECOND);
	WANT(sim_context_count(B) == 0);
}

/* An hour with a fifth of all packets lost, 20 packets each way a second: nobody explores (TR92). */
static void loss_20_percent(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);

	for (unsigned i = 0; i < SIM_HOSTS * SIM_LOCATORS * SIM_HOSTS * SIM_LOCATORS; i++)
		(&x->s->path[0][0][0][0])[i].loss_percent = 20;
	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 50 * SIM_MS, false);
	sim_flow_add(x->s, 1, &back, 50 * SIM_MS, false);
	sim_run(x->s, 3600 * SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(sim_counter(A, "explorations") + sim_counter(B, "explorations") == 0);
	WANT(A->sent[WIRE_PROBE] + B->sent[WIRE_PROBE] == 0);
}

/* B stands still for 16 s: a false alarm, the pair stays (TR91). */
static void false_alarm(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);
	struct engine_ctx_info a;

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(x->s, 5 * SIM_SECOND);
	B->paused_until = x->s->now + 16 * SIM_SECOND;
	sim_run(x->s, 30 * SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(sim_context(A, &ulid, &a) && a.switches == 0);
}

/* The same, and the path that is not in use is the faster one: its answers come first (AMB-R8). */
static void false_alarm_overtaken(struct scene *x)
{
	for (unsigned k = 0; k < 8 && !x->s->stop; k++) {
		struct shim6_pair ulid, back;
		struct engine_ctx_info a, b;

		scene_anew(x, k, 2, 2, 2);
		ulid = scene_pair(x);
		back = scene_back(&ulid);
		x->s->path[0][0][1][0].delay = x->s->path[1][0][0][0].delay = 40 * SIM_MS;
		sim_establish(A, &ulid);
		sim_flow_add(x->s, 0, &ulid, 20 * SIM_MS, false);
		sim_flow_add(x->s, 1, &back, 20 * SIM_MS, false);
		sim_run(x->s, 5 * SIM_SECOND);
		B->paused_until = x->s->now + 15600 * SIM_MS + k * 400 * SIM_MS;
		sim_run(x->s, 30 * SIM_SECOND);
		scene_agree_within(x, &ulid, SIM_SECOND);
		WANT(sim_context(A, &ulid, &a) && a.switches == 0);
		WANT(sim_context(B, &back, &b) && b.switches == 0);
	}
}

/* Four uplinks, lost one by one in quick succession: each failover is as fast as the first (PX-20). */
static void failovers_in_a_row(struct scene *x)
{
	static const unsigned apart[] = { 200, 350, 500, 900 };

	for (unsigned k = 0; k < sizeof(apart) / sizeof(*apart) && !x->s->stop; k++) {
		struct shim6_pair ulid, back;

		scene_anew(x, k, 2, 4, 2);
		ulid = scene_pair(x);
		back = scene_back(&ulid);
		sim_establish(A, &ulid);
		sim_flow_add(x->s, 0, &ulid, 10 * SIM_MS, false);
		sim_flow_add(x->s, 1, &back, 10 * SIM_MS, false);
		sim_run(x->s, 5 * SIM_SECOND);
		for (unsigned i = 0; i < 3; i++) {
			A->down[i] = true;
			sim_set_local(A);
			sim_run(x->s, apart[k] * SIM_MS);
		}
		sim_run(x->s, 5 * SIM_SECOND);
		scene_agree_within(x, &ulid, SIM_SECOND);
		WANT(x->s->flow[0].longest_gap < 150 * SIM_MS && x->s->flow[1].longest_gap < 150 * SIM_MS);
	}
}

/* Of a hundred notices of the data path ninety find no room: it is late by some packets, and nothing else (TR110). */
static void notices_lost(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x), back = scene_back(&ulid);

	A->notice_loss_percent = B->notice_loss_percent = 90;
	sim_establish(A, &ulid);
	sim_run(x->s, SIM_SECOND);
	sim_flow_add(x->s, 0, &ulid, 50 * SIM_MS, false);
	sim_run(x->s, 300 * SIM_SECOND);
	WANT(sim_counter(A, "explorations") + sim_counter(B, "explorations") == 0);
	WANT(B->sent[WIRE_KEEPALIVE] >= 300 * 2 / 15 - 2 && B->sent[WIRE_KEEPALIVE] <= 300 * 3 / 15);
	sim_flow_add(x->s, 1, &back, 50 * SIM_MS, false);
	sim_run(x->s, 5 * SIM_SECOND);
	sim_cut_path(x->s, 0, 0, 1, 0, true);
	sim_cut_path(x->s, 1, 0, 0, 0, true);
	sim_run(x->s, 30 * SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(x->s->flow[0].longest_gap < 18500 * SIM_MS && x->s->flow[1].longest_gap < 18500 * SIM_MS);
}

/* Twelve contexts in use: a new engine, at once or after half a minute without any, explores none of them (TR109). */
static void restart_explores_nothing(struct scene *x)
{
	for (unsigned pause = 0; pause <= 30 && !x->s->stop; pause += 30) {
		scene_anew(x, 109 + pause, 2, 4, 3);
		for (unsigned i = 0; i < 12; i++) {
			struct shim6_pair ulid = sim_ulids(x->s, 0, i / 3, 1, i % 3);

			sim_establish(A, &ulid);
			sim_flow_add(x->s, 0, &ulid, 200 * SIM_MS, i % 2 == 0);
		}
		sim_run(x->s, 20 * SIM_SECOND);
		sim_crash(A, true, true);
		sim_run(x->s, pause * SIM_SECOND);
		WANT(sim_revive(A) == 12);
		sim_run(x->s, 60 * SIM_SECOND);
		WANT(sim_counter(A, "explorations") == 0);
		for (unsigned i = 0; i < 12; i++)
			scene_agree_within(x, &x->s->flow[i].ulid, SIM_SECOND);
		scene_flows_within(x, SIM_SECOND);
	}
}

/* A day without a loss, at paces around the Keepalive Interval and both Timeouts: no probe at all (PT-13, PT-16). */
static void quiet_day(struct scene *x)
{
	static const unsigned paces[][4][2] = { /* ms, of A and of B; 0: silent */
						{ { 1900, 0 }, { 0, 3400 }, { 5100, 0 }, { 7000, 7600 } },
						{ { 9900, 3000 }, { 14900, 0 }, { 0, 15100 }, { 20000, 31000 } }
	};

	for (unsigned k = 0; k < sizeof(paces) / sizeof(*paces) && !x->s->stop; k++) {
		scene_anew(x, k, 2, 2, 2);
		for (unsigned i = 0; i < 4; i++) {
			struct shim6_pair ulid = sim_ulids(x->s, 0, i / 2, 1, i % 2), back = scene_back(&ulid);

			sim_establish(A, &ulid);
			if (paces[k][i][0])
				sim_flow_add(x->s, 0, &ulid, paces[k][i][0] * SIM_MS, false);
			if (paces[k][i][1])
				sim_flow_add(x->s, 1, &back, paces[k][i][1] * SIM_MS, false);
		}
		sim_run(x->s, 24 * 3600 * SIM_SECOND);
		WANT(A->sent[WIRE_PROBE] + B->sent[WIRE_PROBE] == 0);
		WANT(A->sent[WIRE_KEEPALIVE] > 0 && B->sent[WIRE_KEEPALIVE] > 0);
		WANT(sim_context_count(A) == 4 && sim_context_count(B) == 4);
	}
}

/* --- contexts ----------------------------------------------------------- */

/* Seven bits of tag, 64 ULID pairs, memory lost twice: every context comes back, no payload goes astray for good. */
static void narrow_tags(struct scene *x)
{
	scene_anew(x, 7, 2, 8, 8);
	x->w.narrow_tags = true;
	B->trigger_packets = 5;
	for (unsigned i = 0; i < 2; i++) {
		x->s->host[i].tag_mask = 127;
		x->s->host[i].engine->contexts.tags.mask = 127;
	}
	for (unsigned i = 0; i < 64; i++) {
		struct shim6_pair ulid = sim_ulids(x->s, 0, i / 8, 1, i % 8);

		sim_establish(A, &ulid);
		if (i % 9 == 0)
			sim_flow_add(x->s, 0, &ulid, 500 * SIM_MS, true);
	}
	sim_run(x->s, 2 * SIM_SECOND);
	WANT(sim_context_count(A) == 64 && sim_context_count(B) == 64);
	sim_cut_locator(x->s, 1, 0, true);
	for (unsigned k = 0; k < 2; k++) {
		sim_amnesia(B);
		scene_flows_within(x, 90 * SIM_SECOND);
	}
	for (unsigned i = 0; i < x->s->n_flows; i++)
		scene_agree_within(x, &x->s->flow[i].ulid, 60 * SIM_SECOND);
}

/* No room in the data path, and an I2 that comes again and again: nothing is kept of what nobody was told. */
static void data_path_full(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	B->refuse_install = true;
	sim_establish(A, &ulid);
	sim_run(x->s, SIM_SECOND);
	WANT(B->sent[WIRE_R1] > 0 && A->sent[WIRE_I2] > 0 && sim_context_count(B) == 0);
	for (unsigned i = 0; i < 1000 && !x->s->stop; i++)
		forge_arrival(&x->w, A, &A->last[WIRE_I2]);
	WANT(B->engine->contexts.tags.n == 0 && sim_context_count(B) == 0);
	B->refuse_install = false;
	scene_agree_within(x, &ulid, 60 * SIM_SECOND);
}

/* A peer forks its context: two contexts for one ULID pair, each with its own tag, and the first carries payload. */
static void forked(struct scene *x)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 200 * SIM_MS, true);
	sim_run(x->s, SIM_SECOND);
	WANT(forge_fork(&x->w, A, &ulid, 7, 0x1234));
	WANT(sim_context_count(A) == 2);
	WANT(!forge_fork(&x->w, A, &ulid, 7, 0x1234)); /* it is there: R2 at once */
	WANT(sim_context_count(A) == 2);
	WANT(forge_fork(&x->w, A, &ulid, 8, 0x1235));
	WANT(sim_context_count(A) == 3);
	sim_run(x->s, 60 * SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	scene_flows_within(x, SIM_SECOND);
	sim_run(x->s, 300 * SIM_SECOND);
	WANT(sim_context_count(A) == 3); /* plain packets may be those of a fork */
	sim_flow_stop(x->s, 0);
	sim_run(x->s, 660 * SIM_SECOND);
	WANT(sim_context_count(A) == 0);
}

/* --- meshes (parts 15, 16 of the rows) ---------------------------------- */

/* Which pairs are left, bit i * m + j, there and back; the longest silence either way, in ns. */
static uint64_t mesh_outage(struct scene *x, uint64_t seed, unsigned n, unsigned m, uint32_t there, uint32_t back_,
			    uint64_t limit)
{
	struct shim6_pair ulid, back;
	uint64_t end;

	scene_anew(x, seed, 2, n, m);
	ulid = scene_pair(x);
	back = scene_back(&ulid);
	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, 400 * SIM_MS, false);
	sim_flow_add(x->s, 1, &back, 400 * SIM_MS, false);
	sim_run(x->s, 5 * SIM_SECOND + sim_random(x->s) % SIM_SECOND);
	scene_survivors(x, there, back_);
	end = x->s->now + limit;
	sim_run(x->s, 17 * SIM_SECOND); /* it is noticed by now, or it does not matter */
	while (x->s->now < end && !scene_agrees(x, &ulid) && !x->s->stop)
		sim_run(x->s, SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	scene_flows_within(x, SIM_SECOND);
	return x->s->flow[0].longest_gap > x->s->flow[1].longest_gap ? x->s->flow[0].longest_gap
								     : x->s->flow[1].longest_gap;
}

/* 2x2: every set of survivors that leaves a way there and back, within 21.5 s (16.6). */
static void mesh_2x2(struct scene *x)
{
	for (unsigned there = 1; there < 16 && !x->s->stop; there++) {
		for (unsigned back = 1; back < 16 && !x->s->stop; back++)
			WANT(mesh_outage(x, there * 16 + back, 2, 2, there, back, 40 * SIM_SECOND) <=
			     21900 * SIM_MS); /* and the gap between packets */
	}
}

/* f dead locators of the smaller side, f < min(N, M): one more step each, whatever the size (PX-15). */
static void mesh_dead_locators(struct scene *x)
{
	static const struct {
		uint8_t n, m;
	} size[] = { { 2, 2 }, { 2, 4 }, { 3, 3 }, { 4, 4 }, { 3, 5 } };

	for (unsigned k = 0; k < sizeof(size) / sizeof(*size); k++) {
		unsigned n = size[k].n, m = size[k].m;

		for (unsigned dead = 1; dead < (1u << n) - 1 && !x->s->stop; dead++) {
			unsigned f = (unsigned)__builtin_popcount(dead), there = 0, back = 0;

			for (unsigned i = 0; i < n; i++) {
				for (unsigned j = 0; j < m; j++) {
					there |= (dead >> i & 1 ? 0 : 1u) << (i * m + j);
					back |= (dead >> i & 1 ? 0 : 1u) << (j * n + i);
				}
			}
			/* 1.04 S, f + 1 probes with jitter, the replayed pair, round trips, a packet */
			WANT(mesh_outage(x, k * 100 + dead, n, m, there, back, 60 * SIM_SECOND) <=
			     (15600 + 600 * f + 1200 + 800) * SIM_MS);
		}
	}
}

/* 2x4 of TR78: A to B only a0b1 and a1b1, back only b0a1; 20 s after detection, for a hundred seeds. */
static void mesh_tr78(struct scene *x)
{
	for (unsigned seed = 0; seed < 100 && !x->s->stop; seed++)
		WANT(mesh_outage(x, seed, 2, 4, 1u << 1 | 1u << 5, 1u << 1, 60 * SIM_SECOND) <=
		     (15600 + 20000 + 400) * SIM_MS);
}

/* One way there and one back, of n x n: it takes its time (16.4: no bound is proved), but it ends. */
static void mesh_single(struct scene *x, unsigned n, uint64_t limit)
{
	uint64_t worst = 0;

	for (unsigned there = 0; there < n * n; there++) {
		for (unsigned back = 0; back < n * n && !x->s->stop; back++) {
			uint64_t t = mesh_outage(x, there * 100 + back, n, n, 1u << there, 1u << back, limit);

			if (t > worst)
				worst = t;
		}
	}
	printf("# %ux%u, one pair each way: worst outage %.0f s\n", n, n, (double)worst / 1e9);
}

static void mesh_3x3_single(struct scene *x)
{
	mesh_single(x, 3, 187 * SIM_SECOND); /* the worst case of 16.4 */
}

static void mesh_4x4_single(struct scene *x)
{
	mesh_single(x, 4, 1200 * SIM_SECOND);
}

static const struct scenario {
	const char *name;
	void (*run)(struct scene *x);
} scenarios[] = {
	{ "establish", establish },
	{ "concurrent", concurrent },
	{ "cross-with-loss", cross_with_loss },
	{ "recover-by-payload", recover_by_payload },
	{ "recover-by-control", recover_by_control },
	{ "recover-by-probe", recover_by_probe },
	{ "restart-while-recovering", restart_while_recovering },
	{ "recovery-meets-establishment", recovery_meets_establishment },
	{ "new-data-path", new_data_path },
	{ "restart-before-timeout-is-told", restart_before_timeout_is_told },
	{ "recover-without-ulid", recover_without_ulid },
	{ "replayed-i2", replayed_i2 },
	{ "timeout-changes-in-handshake", timeout_changes_in_handshake },
	{ "confusion", confusion },
	{ "black-hole-one-way", black_hole_one_way },
	{ "black-hole", black_hole },
	{ "asymmetric-survivors", asymmetric_survivors },
	{ "restart-during-failover", restart_during_failover },
	{ "amnesia-during-failover", amnesia_during_failover },
	{ "flap", flap },
	{ "link-flap", link_flap },
	{ "fail-back", fail_back },
	{ "fail-back-under-load", fail_back_under_load },
	{ "fail-back-hold-downs", fail_back_hold_downs },
	{ "route-flap", route_flap },
	{ "dead-for-an-hour", dead_for_an_hour },
	{ "failed-again", failed_again },
	{ "second-failure", second_failure },
	{ "preferences-at-both-ends", preferences_at_both_ends },
	{ "crossing-updates", crossing_updates },
	{ "update-supersession", update_supersession },
	{ "ulid-invalidation", ulid_invalidation },
	{ "loss-20-percent", loss_20_percent },
	{ "false-alarm", false_alarm },
	{ "notices-lost", notices_lost },
	{ "restart-explores-nothing", restart_explores_nothing },
	{ "false-alarm-overtaken", false_alarm_overtaken },
	{ "failovers-in-a-row", failovers_in_a_row },
	{ "quiet-day", quiet_day },
	{ "narrow-tags", narrow_tags },
	{ "data-path-full", data_path_full },
	{ "forked", forked },
	{ "mesh-2x2", mesh_2x2 },
	{ "mesh-dead-locators", mesh_dead_locators },
	{ "mesh-tr78", mesh_tr78 },
	{ "mesh-3x3-single", mesh_3x3_single },
	{ "mesh-4x4-single", mesh_4x4_single },
};

#define N_SCENARIOS (sizeof(scenarios) / sizeof(*scenarios))

static bool run(const struct scenario *c, unsigned number, FILE *chart)
{
	struct scene x = { .chart = chart };
	bool ok;

	if (chart)
		printf("# %s\n", c->name);
	scene_anew(&x, number, 2, 2, 2);
	c->run(&x);
	chart_end(&x.w);
	ok = !x.w.failure[0];
	if (!ok)
		printf("# %s\n# to see it: sim-scenarios --chart %s\n", x.w.failure, c->name);
	printf("%s %u - %s\n", ok ? "ok" : "not ok", number, c->name);
	fflush(stdout);
	scene_end(&x);
	return ok;
}

int main(int argc, char **argv)
{
	FILE *chart = NULL;
	unsigned named = 0, ran = 0, failed = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--chart") == 0)
			chart = stdout;
		else
			named++;
	}
	for (unsigned k = 0; k < N_SCENARIOS; k++) {
		bool wanted = named == 0;

		for (int i = 1; i < argc; i++)
			wanted |= strcmp(argv[i], scenarios[k].name) == 0;
		if (!wanted)
			continue;
		ran++;
		failed += !run(&scenarios[k], k + 1, chart);
	}
	if (named && ran != named) {
		fputs("usage: sim-scenarios [--chart] [NAME...]; names:\n", stderr);
		for (unsigned k = 0; k < N_SCENARIOS; k++)
			fprintf(stderr, "  %s\n", scenarios[k].name);
		return 2;
	}
	printf("1..%u\n", ran);
	return failed != 0;
}
