/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preferences.h"

#include <stdio.h>

#define HOLD (30 * SIM_SECOND) /* the default */
#define HOUR (3600 * SIM_SECOND)

/* A1-B1, both ways. */
static void first_pair(struct scene *x, bool cut)
{
	sim_cut_path(x->s, 0, 0, 1, 0, cut);
	sim_cut_path(x->s, 1, 0, 0, 0, cut);
}

static bool on(struct sim_host *h, const struct shim6_pair *ulid, const struct shim6_pair *pair)
{
	struct engine_ctx_info c;

	return sim_context(h, ulid, &c) && shim6_pair_eq(&c.current, pair);
}

struct place {
	struct scene *x;
	struct shim6_pair ulid, pair;
};

/* Both ends use this pair (A's view). */
static bool both_on(struct sim *s, void *arg)
{
	struct place *p = arg;
	struct scene *x = p->x;
	struct shim6_pair back = scene_back(&p->ulid), there = scene_back(&p->pair);

	(void)s;
	return on(A, &p->ulid, &p->pair) && on(B, &back, &there);
}

/* ns until both ends use the pair; a failure when that takes longer than limit. */
static uint64_t until_on(struct scene *x, const struct shim6_pair *ulid, const struct shim6_pair *pair, uint64_t limit)
{
	struct place p = { x, *ulid, *pair };
	uint64_t began = x->s->now;

	if (!sim_run_for(x->s, limit, both_on, &p))
		watch_fail(&x->w, "not on %s within %.0f s", watch_pair(x->s, pair).s, (double)limit / 1e9);
	return x->s->now - began;
}

/* Payload both ways on A1-B1, which has failed; on another pair now. */
static struct shim6_pair away(struct scene *x, uint64_t interval)
{
	struct shim6_pair ulid = scene_pair(x);

	sim_establish(A, &ulid);
	sim_flow_add(x->s, 0, &ulid, interval, true);
	sim_run(x->s, SIM_SECOND);
	first_pair(x, true);
	sim_run(x->s, 25 * SIM_SECOND);
	scene_agree_within(x, &ulid, SIM_SECOND);
	WANT(!on(A, &ulid, &ulid));
	return ulid;
}

static unsigned probes(const struct scene *x)
{
	return A->sent[WIRE_PROBE] + B->sent[WIRE_PROBE];
}

/* The path heals: after a test and the hold-down, not before, both ends are on the ULIDs, and nothing is tested more.
 */
void fail_back(struct scene *x)
{
	struct shim6_pair ulid = away(x, 200 * SIM_MS);
	unsigned switches = sim_events(A, ENGINE_EV_SWITCHED), tagged, sent;
	uint64_t took;

	sim_run(x->s, 100 * SIM_SECOND);
	WANT(sim_events(A, ENGINE_EV_SWITCHED) == switches);
	first_pair(x, false);
	took = until_on(x, &ulid, &ulid, HOLD + 60 * SIM_SECOND);
	WANT(took >= HOLD);
	WANT(sim_last_event(A, ENGINE_EV_SWITCHED)->reason == ENGINE_WHY_FAIL_BACK ||
	     sim_last_event(B, ENGINE_EV_SWITCHED)->reason == ENGINE_WHY_FAIL_BACK);
	sim_run(x->s, SIM_SECOND);
	tagged = A->payload_tagged + B->payload_tagged;
	sent = probes(x);
	sim_run(x->s, HOUR);
	WANT(A->payload_tagged + B->payload_tagged == tagged);
	WANT(probes(x) == sent);
	WANT(sim_events(A, ENGINE_EV_SWITCHED) == switches + 1);
}

/* Two hundred packets in a second, both ways: not one is lost on the way back. */
void fail_back_under_load(struct scene *x)
{
	struct shim6_pair ulid = away(x, 5 * SIM_MS);
	const struct sim_flow *f = &x->s->flow[0];
	unsigned lost = f->sent - f->received, unanswered = f->received - f->answered;

	first_pair(x, false);
	until_on(x, &ulid, &ulid, HOLD + 60 * SIM_SECOND);
	sim_run(x->s, 5 * SIM_SECOND);
	WANT(f->sent - f->received <= lost + 10 && f->received - f->answered <= unanswered + 10);
	sim_flow_stop(x->s, 0);
	sim_run(x->s, SIM_SECOND);
	printf("# lost on the way back: %d, %d\n", (int)(f->sent - f->received - lost),
	       (int)(f->received - f->answered - unanswered));
	WANT(f->sent - f->received <= lost && f->received - f->answered <= unanswered);
}

/* 0: at once; 5 s; never. */
void fail_back_hold_downs(struct scene *x)
{
	struct engine_config c = x->s->config;
	struct shim6_pair ulid = away(x, 200 * SIM_MS);
	uint64_t took;

	c.fail_back = ENGINE_NEVER;
	sim_reconfigure(A, &c);
	sim_reconfigure(B, &c);
	first_pair(x, false);
	sim_run(x->s, 5 * SIM_SECOND);
	took = probes(x);
	sim_run(x->s, HOUR);
	WANT(probes(x) == took && !on(A, &ulid, &ulid));
	c.fail_back = 5 * SIM_SECOND;
	sim_reconfigure(A, &c);
	took = until_on(x, &ulid, &ulid, 12 * SIM_SECOND);
	WANT(took >= 5 * SIM_SECOND);
	c.fail_back = 0;
	sim_reconfigure(A, &c);
	first_pair(x, true);
	sim_run(x->s, HOUR);
	WANT(!on(A, &ulid, &ulid));
	first_pair(x, false);
	until_on(x, &ulid, &ulid, 75 * SIM_SECOND);
}

/* A1-B1 comes and goes: one switch, away from it, whatever the rhythm; and the tests become fewer. */
void route_flap(struct scene *x)
{
	static const uint64_t periods[] = { 1500 * SIM_MS, 3 * SIM_SECOND, 3300 * SIM_MS };

	for (unsigned i = 0; i < 30 && !x->s->stop; i++) {
		uint64_t half = periods[i % 3];
		struct shim6_pair ulid;
		unsigned hour[2];

		scene_anew(x, 100 + i, 2, 2, 2);
		ulid = away(x, 200 * SIM_MS);
		for (unsigned h = 0; h < 2; h++) {
			unsigned before = probes(x);

			for (uint64_t t = 0; t < HOUR && !x->s->stop; t += 2 * half) {
				first_pair(x, false);
				sim_run(x->s, half);
				first_pair(x, true);
				sim_run(x->s, half);
			}
			hour[h] = probes(x) - before;
		}
		WANT(!on(A, &ulid, &ulid));
		WANT(hour[0] < 1500 && hour[1] < 1000);
		if (i < 3)
			printf("# flap of %.1f s: %u probes in the first hour, %u in the second\n", (double)half / 1e9,
			       hour[0], hour[1]);
	}
}

/* A pair that stays dead costs little, and an unused context nothing. */
void dead_for_an_hour(struct scene *x)
{
	unsigned before, hour[2];

	away(x, 200 * SIM_MS);
	for (unsigned h = 0; h < 2; h++) {
		before = probes(x);
		sim_run(x->s, HOUR);
		hour[h] = probes(x) - before;
	}
	printf("# dead: %u probes in the first hour, %u in the second\n", hour[0], hour[1]);
	WANT(hour[0] < 900 && hour[1] < 900);
	A->sockets = B->sockets = true; /* both keep the context */
	sim_flow_stop(x->s, 0);
	sim_run(x->s, 200 * SIM_SECOND); /* one test that the last packets pay for */
	before = probes(x);
	sim_run(x->s, HOUR);
	WANT(probes(x) == before);
}

/* It fails soon after each way back: every time it must have worked for twice as long. */
void failed_again(struct scene *x)
{
	struct shim6_pair ulid = away(x, 200 * SIM_MS);
	uint64_t hold = HOLD;

	for (unsigned k = 0; k < 5 && !x->s->stop; k++) {
		uint64_t took;

		first_pair(x, false);
		took = until_on(x, &ulid, &ulid, hold + 80 * SIM_SECOND);
		WANT(took >= hold);
		hold *= 2;
		sim_run(x->s, 10 * SIM_SECOND);
		first_pair(x, true);
		sim_run(x->s, 25 * SIM_SECOND);
		WANT(!on(A, &ulid, &ulid));
	}
	first_pair(x, false);
	until_on(x, &ulid, &ulid, hold + 80 * SIM_SECOND);
	/* what lasts is trusted again */
	sim_run(x->s, 2 * HOUR);
	first_pair(x, true);
	sim_run(x->s, 25 * SIM_SECOND);
	first_pair(x, false);
	until_on(x, &ulid, &ulid, HOLD + 80 * SIM_SECOND);
}

/* A wants A2, B wants B2, told in the same moment: both get what they want, at once, and nobody loses a packet. */
void preferences_at_both_ends(struct scene *x)
{
	struct shim6_pair ulid, best;
	const struct sim_flow *f;

	for (unsigned i = 0; i < 20 && !x->s->stop; i++) {
		scene_anew(x, 200 + i, 2, 2, 2);
		ulid = scene_pair(x);
		best = sim_ulids(x->s, 0, 1, 1, 1);
		sim_establish(A, &ulid);
		sim_flow_add(x->s, 0, &ulid, 10 * SIM_MS, true);
		sim_run(x->s, 2 * SIM_SECOND);
		A->priority[0] = 10;
		B->priority[0] = 20;
		sim_set_local(A);
		sim_run(x->s, i * SIM_MS * 3);
		sim_set_local(B);
		until_on(x, &ulid, &best, 2 * SIM_SECOND);
		sim_run(x->s, 200 * SIM_SECOND);
		WANT(on(A, &ulid, &best));
		WANT(sim_events(A, ENGINE_EV_SWITCHED) <= 3);
		sim_flow_stop(x->s, 0);
		sim_run(x->s, SIM_SECOND);
		f = &x->s->flow[0];
		WANT(f->received == f->sent && f->answered == f->received);
	}
}

/* Both ends change their minds, again and again, on a network that loses a fifth: they end where both want. */
void crossing_updates(struct scene *x)
{
	for (unsigned i = 0; i < 20 && !x->s->stop; i++) {
		struct shim6_pair ulid, best;

		scene_anew(x, 300 + i, 2, 3, 3);
		ulid = scene_pair(x);
		sim_establish(A, &ulid);
		sim_flow_add(x->s, 0, &ulid, 50 * SIM_MS, true);
		sim_run(x->s, 2 * SIM_SECOND);
		for (unsigned k = 0; k < SIM_LOCATORS * SIM_LOCATORS; k++) {
			x->s->path[0][k / SIM_LOCATORS][1][k % SIM_LOCATORS].loss_percent = 20;
			x->s->path[1][k / SIM_LOCATORS][0][k % SIM_LOCATORS].loss_percent = 20;
		}
		for (unsigned k = 0; k < 12; k++) {
			struct sim_host *h = k % 2 ? A : B;

			for (unsigned l = 0; l < 3; l++)
				h->priority[l] = (uint8_t)(sim_random(x->s) % 8 * 10 + l);
			sim_set_local(h);
			sim_run(x->s, sim_random(x->s) % 500 * SIM_MS);
		}
		for (unsigned l = 0; l < 3; l++) {
			A->priority[l] = (uint8_t)(l == i % 3 ? 1 : 50);
			B->priority[l] = (uint8_t)(l == i % 2 ? 1 : 50);
		}
		sim_set_local(A);
		sim_set_local(B);
		sim_run(x->s, 5 * SIM_SECOND);
		for (unsigned k = 0; k < SIM_LOCATORS * SIM_LOCATORS; k++) {
			x->s->path[0][k / SIM_LOCATORS][1][k % SIM_LOCATORS].loss_percent = 0;
			x->s->path[1][k / SIM_LOCATORS][0][k % SIM_LOCATORS].loss_percent = 0;
		}
		best = sim_ulids(x->s, 0, i % 3, 1, i % 2);
		until_on(x, &ulid, &best, 700 * SIM_SECOND);
		sim_run(x->s, 300 * SIM_SECOND);
		WANT(on(A, &ulid, &best));
	}
}

/* The other pair dies in the moment in which the first one comes back: tests do not hold up the search. */
void second_failure(struct scene *x)
{
	uint64_t worst = 0;

	for (unsigned i = 0; i < 100 && !x->s->stop; i++) {
		struct engine_config c;
		struct sim_flow *f;

		scene_anew(x, 400 + i, 2, 2, 2);
		c = x->s->config;
		c.reap.send_timeout = 10 * SIM_SECOND;
		sim_reconfigure(A, &c);
		sim_reconfigure(B, &c);
		away(x, 50 * SIM_MS);
		f = &x->s->flow[0];
		sim_run(x->s, i * 100 * SIM_MS);
		first_pair(x, false);
		sim_cut_locator(x->s, 1, 1, true);
		f->longest_gap = 0;
		sim_run(x->s, 25 * SIM_SECOND);
		if (f->longest_gap > worst)
			worst = f->longest_gap;
		WANT(f->longest_gap < 11200 * SIM_MS); /* S with its jitter, and two probes */
	}
	printf("# second failure: worst outage %.1f s\n", (double)worst / 1e9);
}
