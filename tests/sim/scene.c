/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scene.h"

#define STEP (100 * SIM_MS)

void scene_end(struct scene *x)
{
	if (x->s)
		sim_free(x->s);
	x->s = NULL;
}

void scene_anew(struct scene *x, uint64_t seed, unsigned hosts, unsigned n, unsigned m)
{
	if (x->s && x->s->stop)
		return; /* the failure stays to be seen */
	scene_end(x);
	x->s = sim_new(seed);
	for (unsigned i = 0; i < hosts; i++)
		sim_add_host(x->s, i == 1 ? m : n, false);
	sim_start(x->s);
	watch_begin(&x->w, x->s, x->chart);
}

struct shim6_pair scene_pair(const struct scene *x)
{
	return sim_ulids(x->s, 0, 0, 1, 0);
}

struct shim6_pair scene_back(const struct shim6_pair *p)
{
	return (struct shim6_pair){ .local = p->peer, .peer = p->local };
}

enum engine_state scene_state(struct sim_host *h, const struct shim6_pair *ulid)
{
	struct engine_ctx_info info;

	return sim_context(h, ulid, &info) ? info.state : ENGINE_IDLE;
}

bool scene_agrees(struct scene *x, const struct shim6_pair *ulid)
{
	char why[256];

	return watch_agree(&x->w, 0, ulid, why, sizeof(why));
}

void scene_agree_within(struct scene *x, const struct shim6_pair *ulid, uint64_t ns)
{
	uint64_t end = x->s->now + ns;
	char why[256] = "";

	while (!watch_agree(&x->w, 0, ulid, why, sizeof(why)) && !x->s->stop) {
		if (x->s->now >= end)
			watch_fail(&x->w, "after %.1f s still %s", (double)ns / 1e9, why);
		else
			sim_run(x->s, STEP);
	}
}

static bool all_arrive(const struct scene *x, uint64_t since)
{
	for (unsigned i = 0; i < x->s->n_flows; i++) {
		const struct sim_flow *f = &x->s->flow[i];

		if (f->on && (f->last_received <= since || (f->echo && f->last_answered <= since)))
			return false;
	}
	return true;
}

void scene_flows_within(struct scene *x, uint64_t ns)
{
	uint64_t began = x->s->now;

	while (!all_arrive(x, began) && !x->s->stop) {
		if (x->s->now >= began + ns)
			watch_fail(&x->w, "no payload for %.1f s", (double)ns / 1e9);
		else
			sim_run(x->s, STEP);
	}
}

void scene_survivors(struct scene *x, uint32_t there, uint32_t back)
{
	unsigned n = A->n, m = B->n;

	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < m; j++) {
			x->s->path[0][i][1][j].cut = !(there >> (i * m + j) & 1);
			x->s->path[1][j][0][i].cut = !(back >> (j * n + i) & 1);
		}
	}
	watch_note(&x->w, "left: there %x, back %x", there, back);
}
