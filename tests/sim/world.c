/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include <stdarg.h>
#include <stdlib.h>

#include "engine/reap.h"

#define FAULT_GAP 12000 /* ms between faults, at most twice that */
#define HEAL_TIME (300 * SIM_SECOND)
#define TESTED 600     /* tenths of a second until no test is on */
#define STAYS 40       /* seconds */
#define PROVEN_PAIRS 5 /* the bound of 16.4 is proved for so many; beyond, an estimate */

static uint64_t next(struct world *w)
{
	uint64_t z = w->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

unsigned world_draw(struct world *w, unsigned n)
{
	return (unsigned)(next(w) % n);
}

bool world_chance(struct world *w, unsigned percent)
{
	return world_draw(w, 100) < percent;
}

/* --- topology and traffic ----------------------------------------------- */

static void draw_config(struct world *w, struct sim_host *h)
{
	engine_config_default(&h->config);
	h->has_config = true;
	if (world_chance(w, 40))
		h->config.reap.send_timeout = (10 + world_draw(w, 21)) * SIM_SECOND;
	if (world_chance(w, 50))
		h->config.idle_timeout = (world_chance(w, 50) ? 60 + world_draw(w, 240) : 3600) * SIM_SECOND;
	if (world_chance(w, 5))
		h->config.initiate = false;
	w->small[h->index] = world_chance(w, 5);
	if (w->small[h->index])
		h->config.max_contexts = 1 + world_draw(w, 3);
	w->starved[h->index] = world_chance(w, 3);
	if (w->starved[h->index])
		h->config.probes_per_second = 1 + world_draw(w, 3);
	if (world_chance(w, 10)) {
		h->tag_mask = world_chance(w, 50) ? 7 : 127;
		h->config.tag_quarantine = 5 * SIM_SECOND;
		w->small[h->index] |= h->tag_mask == 7;
	}
}

static void draw_host(struct world *w)
{
	static const uint8_t locators[] = { 1, 2, 2, 2, 2, 2, 2, 3, 3, 4 };
	bool single = world_chance(w, 8);
	unsigned n = locators[world_draw(w, sizeof(locators))];
	struct sim_host *h = sim_add_host(w->s, single ? 1 : n, single);

	draw_config(w, h);
	h->clock_ahead = next(w) % (1000000 * SIM_SECOND);
	h->clock_ppm = (int)world_draw(w, 401) - 200;
	h->lag = world_chance(w, 50) ? 0 : world_draw(w, 20) * SIM_MS;
	h->notice_delay = world_chance(w, 50) ? 0 : (1 + world_draw(w, 5000)) * 1000;
	h->trigger_packets = world_chance(w, 10) ? 0 : 1 + world_draw(w, 20);
}

static void draw_path(struct world *w, struct sim_path *p, unsigned loss)
{
	p->delay = (1 + world_draw(w, 150)) * SIM_MS;
	if (world_chance(w, 60))
		p->jitter = 1 + next(w) % p->delay;
	p->reorder = world_chance(w, 30);
	if (loss)
		p->loss_percent = world_draw(w, loss + 1);
	if (world_chance(w, 15))
		p->duplicate_percent = world_draw(w, 10);
}

static void draw_paths(struct world *w)
{
	unsigned loss = world_chance(w, 50) ? 0 : world_chance(w, 70) ? 5 : 25;
	struct sim *s = w->s;

	for (unsigned a = 0; a < s->n_hosts; a++) {
		for (unsigned b = 0; b < s->n_hosts; b++) {
			for (unsigned i = 0; a != b && i < s->host[a].n; i++) {
				for (unsigned j = 0; j < s->host[b].n; j++)
					draw_path(w, &s->path[a][i][b][j], loss);
			}
		}
	}
}

static void add_flow(struct world *w, unsigned from, const struct shim6_pair *ulid, uint64_t interval, bool echo)
{
	unsigned f = sim_flow_add(w->s, from, ulid, interval, echo);

	w->s->flow[f].next += world_draw(w, 20000) * SIM_MS;
	watch_note(&w->w, "flow %u: %s, a packet each %.3f s%s", f, watch_pair(w->s, ulid).s, (double)interval / 1e9,
		   echo ? ", answered" : "");
}

/* One way, answered, or both ways by themselves. */
static void draw_flow(struct world *w)
{
	static const unsigned ms[] = { 50, 100, 200, 500, 1000, 2000, 5000 };
	struct sim *s = w->s;
	unsigned a = world_draw(w, s->n_hosts), b = (a + 1 + world_draw(w, s->n_hosts - 1)) % s->n_hosts;
	struct shim6_pair ulid = sim_ulids(s, a, world_draw(w, s->host[a].n), b, world_draw(w, s->host[b].n));
	struct shim6_pair back = { .local = ulid.peer, .peer = ulid.local };
	uint64_t interval = ms[world_draw(w, sizeof(ms) / sizeof(*ms))] * SIM_MS;
	unsigned kind = world_draw(w, 4);

	add_flow(w, a, &ulid, interval, kind > 1);
	if (kind == 1)
		add_flow(w, b, &back, interval, false);
}

static void build(struct world *w, FILE *chart)
{
	unsigned hosts = world_chance(w, 60) ? 2 : 3 + world_draw(w, 2), flows = 1 + world_draw(w, 4);

	for (unsigned i = 0; i < hosts; i++)
		draw_host(w);
	draw_paths(w);
	w->s->icmp = world_chance(w, 40);
	sim_start(w->s);
	watch_begin(&w->w, w->s, chart);
	for (unsigned i = 0; i < hosts; i++) {
		const struct sim_host *h = &w->s->host[i];

		watch_note(&w->w, "%c: %u locator(s)%s, clock %+d ppm, lag %.0f ms, S %.0f s, asks after %u packets",
			   'A' + (int)i, h->n, h->single ? ", no HBA" : "", h->clock_ppm, (double)h->lag / 1e6,
			   (double)h->config.reap.send_timeout / 1e9, h->trigger_packets);
	}
	for (unsigned i = 0; i < flows; i++)
		draw_flow(w);
}

/* --- part 1 ------------------------------------------------------------- */

static void trouble(struct world *w, unsigned seconds)
{
	uint64_t end = w->s->now + seconds * SIM_SECOND;

	while (w->s->now < end && !w->s->stop) {
		sim_run(w->s, world_draw(w, FAULT_GAP) * SIM_MS);
		if (w->s->stop)
			return;
		fault_revive(w, false);
		fault_random(w);
	}
}

/* --- part 2 ------------------------------------------------------------- */

static uint64_t flow_slack(const struct sim_flow *f)
{
	return 3 * f->interval + 2 * SIM_SECOND;
}

/* Payload of late, there and back. */
static bool arrives(const struct world *w, const struct sim_flow *f)
{
	uint64_t since = w->s->now - flow_slack(f);

	return f->last_received >= since && (!f->echo || f->last_answered >= since);
}

/* Does this host ask for contexts by itself? */
static bool asks(const struct world *w, const struct sim_host *h)
{
	return h->trigger_packets && !h->single && h->n > 1 && h->config.initiate && !w->small[h->index];
}

/* Without a context at one end, the other must not need one: then payload goes untagged. */
static bool harmless(const struct world *w, const struct sim_flow *f)
{
	unsigned loc;
	struct sim_host *a = &w->s->host[f->from], *b = sim_owner(w->s, &f->ulid.peer, &loc);
	struct shim6_pair back = { .local = f->ulid.peer, .peer = f->ulid.local };
	struct engine_ctx_info ia, ib;
	bool has_a = sim_context(a, &f->ulid, &ia), has_b = sim_context(b, &back, &ib);

	if (w->small[a->index] || w->small[b->index])
		return true;
	if (has_a && has_b)
		return false;
	if ((!has_a && asks(w, a)) || (!has_b && asks(w, b)))
		return false;
	return (!has_a || shim6_pair_eq(&ia.current, &ia.ulid)) && (!has_b || shim6_pair_eq(&ib.current, &ib.ulid));
}

static bool all_agree(struct world *w, char *why, size_t cap)
{
	for (unsigned i = 0; i < w->s->n_flows; i++) {
		const struct sim_flow *f = &w->s->flow[i];

		w->demanded[i] = watch_agree(&w->w, f->from, &f->ulid, why, cap);
		if (!w->demanded[i] && !harmless(w, f))
			return false;
		if (!arrives(w, f)) {
			snprintf(why, cap, "payload of flow %u (%s) does not arrive", i, watch_pair(w->s, &f->ulid).s);
			return false;
		}
	}
	return true;
}

/*
 * An I2 or I2bis that comes late, within the life of its validator, can give an
 * end a tag that its peer no longer has. Untagged payload does not show it: the
 * first tagged message does. Send one.
 */
static void nudge(struct world *w)
{
	for (unsigned i = 0; i < w->s->n_flows; i++) {
		const struct sim_flow *f = &w->s->flow[i];
		unsigned loc;
		struct sim_host *end[2] = { &w->s->host[f->from], sim_owner(w->s, &f->ulid.peer, &loc) };
		struct shim6_pair ulid[2] = { f->ulid, { .local = f->ulid.peer, .peer = f->ulid.local } };
		char why[256];

		for (unsigned k = 0; k < 2 && !watch_agree(&w->w, f->from, &f->ulid, why, sizeof(why)); k++) {
			struct engine_ctx_info info;

			watch_note(&w->w, "%c is to test flow %u", 'A' + (int)end[k]->index, i);
			if (sim_context(end[k], &ulid[k], &info))
				sim_explore(end[k], info.id, NULL);
		}
	}
}

static void heal(struct world *w)
{
	struct sim *s = w->s;
	uint64_t end = s->now + HEAL_TIME, late = 0;
	char why[256] = "";
	bool good = false, nudged = false;

	w->calm = true;
	for (unsigned i = 0; i < s->n_hosts; i++) {
		struct sim_host *h = &s->host[i];

		if (h->paused_until > late)
			late = h->paused_until; /* old packets come then */
		h->paused_until = 0;
		h->refuse_install = false;
		for (unsigned k = 0; k < h->n; k++) {
			h->assigned[k] = true;
			h->down[k] = false;
		}
	}
	fault_revive(w, true);
	fault_heal(w);
	for (unsigned i = 0; i < s->n_hosts; i++)
		sim_set_local(&s->host[i]);
	for (unsigned i = 0; i < s->n_flows; i++) {
		if (!s->flow[i].on)
			s->flow[i].next = s->now;
		s->flow[i].on = true;
		if (s->flow[i].interval < 200 * SIM_MS)
			s->flow[i].interval = 200 * SIM_MS;
	}
	while (s->now < end && !s->stop && (!good || s->now < late)) {
		if (s->now + HEAL_TIME / 3 >= end && !nudged) {
			nudged = true;
			nudge(w);
		}
		sim_run(s, 10 * SIM_SECOND);
		good = all_agree(w, why, sizeof(why));
	}
	if (!good)
		watch_fail(&w->w, "not healed after %.0f s: %s", (double)HEAL_TIME / 1e9, why);
}

/* --- part 3 ------------------------------------------------------------- */

/* Start of the k-th timed probe, ns (16.1, doubling), with the jitter of PT-19. */
static uint64_t tau(unsigned k)
{
	uint64_t t;

	if (k <= 4)
		t = (k - 1) * 500 * SIM_MS;
	else if (k <= 10)
		t = 500 * SIM_MS + (UINT64_C(1) << (k - 4)) * SIM_SECOND;
	else
		t = 64500 * SIM_MS + (k - 10) * 60 * SIM_SECOND;
	return t + t / 5;
}

/*
 * Worst case of 16.4 for one context. Beyond K = 5 nothing is proved; we ask for
 * one visit to InboundOk for each seven pairs, which comes once per list.
 */
static uint64_t bound(struct world *w, const struct sim_flow *f)
{
	struct engine_ctx_info c;
	unsigned k;
	uint64_t t;

	if (!sim_context(&w->s->host[f->from], &f->ulid, &c))
		return 0;
	k = c.n_local * c.n_peer;
	/* X of the one end is S of the other; a change of S may be under way. */
	t = 2 * 31 * SIM_SECOND + 300 * SIM_MS + 2 * f->interval;
	t += tau(k) + tau(k + 2) + 2 * 600 * SIM_MS + 2 * SIM_SECOND;
	if (k > PROVEN_PAIRS)
		t += (k + 6) / 7 * k * 72 * SIM_SECOND;
	return t;
}

/* Who only receives, or answers, has nothing to show for it while the path is dead: its context may go for idleness
 * (PI-08). */
static bool lives(struct world *w, const struct sim_flow *f)
{
	unsigned loc;

	for (unsigned i = 0; i < w->s->n_flows; i++) {
		if (shim6_addr_eq(&w->s->flow[i].ulid.local, &f->ulid.peer) &&
		    shim6_addr_eq(&w->s->flow[i].ulid.peer, &f->ulid.local))
			return true;
	}
	return bound(w, f) < sim_owner(w->s, &f->ulid.peer, &loc)->config.idle_timeout;
}

static void cut_randomly(struct world *w, unsigned a, unsigned b, unsigned percent)
{
	struct sim *s = w->s;
	unsigned keep_i = world_draw(w, s->host[a].n), keep_j = world_draw(w, s->host[b].n);

	for (unsigned i = 0; i < s->host[a].n; i++) {
		for (unsigned j = 0; j < s->host[b].n; j++)
			s->path[a][i][b][j].cut = (i != keep_i || j != keep_j) && world_chance(w, percent);
	}
	for (unsigned i = 0; i < s->host[a].n; i++) {
		for (unsigned j = 0; j < s->host[b].n; j++) {
			if (s->path[a][i][b][j].cut)
				watch_note(&w->w, "%c%u -> %c%u cut", 'A' + (int)a, i + 1, 'A' + (int)b, j + 1);
		}
	}
}

static void mesh(struct world *w)
{
	static const uint8_t percents[] = { 20, 50, 80, 100 };
	unsigned percent = percents[world_draw(w, sizeof(percents))];

	for (unsigned a = 0; a < w->s->n_hosts; a++) {
		for (unsigned b = 0; b < w->s->n_hosts; b++) {
			if (a != b)
				cut_randomly(w, a, b, percent);
		}
	}
}

/* The flows whose time is up must have recovered. */
static void check_recovered(struct world *w, uint64_t began)
{
	for (unsigned i = 0; i < w->s->n_flows; i++) {
		struct sim_flow *f = &w->s->flow[i];
		char why[256];

		if (!f->on || w->s->now - began < w->limit[i])
			continue;
		if (!watch_agree(&w->w, f->from, &f->ulid, why, sizeof(why)))
			watch_fail(&w->w, "not recovered in the bound of 16.4: %s", why);
		else if (!arrives(w, f))
			watch_fail(&w->w, "recovered, but payload of flow %u (%s) does not arrive", i,
				   watch_pair(w->s, &f->ulid).s);
	}
}

static bool all_recovered(struct world *w)
{
	char why[256];

	for (unsigned i = 0; i < w->s->n_flows; i++) {
		const struct sim_flow *f = &w->s->flow[i];

		if (f->on && (!watch_agree(&w->w, f->from, &f->ulid, why, sizeof(why)) || !arrives(w, f)))
			return false;
	}
	return true;
}

/* Both ends of each flow, at this moment. */
static bool all_operational(struct world *w)
{
	for (unsigned i = 0; i < w->s->n_flows; i++) {
		const struct sim_flow *f = &w->s->flow[i];
		struct shim6_pair back = { .local = f->ulid.peer, .peer = f->ulid.local };
		struct engine_ctx_info a, b;
		unsigned loc;

		if (w->demanded[i] && sim_context(&w->s->host[f->from], &f->ulid, &a) &&
		    sim_context(sim_owner(w->s, &f->ulid.peer, &loc), &back, &b) &&
		    (a.reap != REAP_OPERATIONAL || b.reap != REAP_OPERATIONAL))
			return false;
	}
	return true;
}

static void failover(struct world *w)
{
	struct sim *s = w->s;
	uint64_t began, noticed = 65 * SIM_SECOND, calm = 0;

	for (unsigned i = 0; i < s->n_hosts; i++) {
		if (w->starved[i])
			return;
	}
	/* 16.4 counts from Operational, and a better pair may just be tested. */
	for (unsigned i = 0; i < TESTED && !s->stop && !all_operational(w); i++)
		sim_run(s, 100 * SIM_MS);
	began = s->now;
	for (unsigned i = 0; i < s->n_flows; i++) {
		struct sim_flow *f = &s->flow[i];

		/* An untagged pair without contexts is not protected. */
		f->on = w->demanded[i] && lives(w, f);
		w->limit[i] = f->on ? bound(w, f) + flow_slack(f) : 0;
	}
	mesh(w);
	sim_run(s, noticed);
	/* It must stay so for a while. */
	while (!s->stop && calm < STAYS) {
		check_recovered(w, began);
		calm = all_recovered(w) ? calm + 1 : 0;
		sim_run(s, SIM_SECOND);
	}
}

/* --- part 4 ------------------------------------------------------------- */

static void silence(struct world *w)
{
	struct sim *s = w->s;

	watch_note(&w->w, "silence");
	for (unsigned i = 0; i < s->n_flows; i++)
		s->flow[i].on = false;
	/* Idleness, the longest hold-down, and what was begun last. */
	sim_run(s, (3600 + 600 + 300) * SIM_SECOND);
	if (s->stop)
		return;
	watch_idle(&w->w);
	for (unsigned i = 0; i < s->n_hosts; i++) {
		struct sim_host *h = &s->host[i];

		sim_crash(h, false, false);
		if (h->memory)
			watch_fail(&w->w, "host %c: the engine left %llu octets behind", 'A' + (int)i,
				   (unsigned long long)h->memory);
	}
}

bool world_run(uint64_t seed, unsigned seconds, FILE *chart, struct world_result *out)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->rng = seed * UINT64_C(0xd1342543de82ef95) + 1;
	w->s = sim_new(seed);
	build(w, chart);
	trouble(w, seconds);
	if (!w->s->stop)
		heal(w);
	if (!w->s->stop)
		failover(w);
	if (!w->s->stop)
		silence(w);
	chart_end(&w->w);
	if (w->w.failure[0])
		watch_note(&w->w, "FAILED %s", w->w.failure);
	memcpy(out->failure, w->w.failure, sizeof(out->failure));
	out->virtual_ns += w->s->now - SIM_START;
	out->checks += w->w.checks;
	for (unsigned i = 0; i < w->s->n_hosts; i++) {
		out->payload += w->s->host[i].payload_sent;
		for (unsigned t = 0; t < SIM_PEER_MAX; t++)
			out->control += w->s->host[i].sent[t];
	}
	sim_free(w->s);
	free(w);
	return out->failure[0] == '\0';
}
