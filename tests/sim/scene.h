/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the named scenarios share: a watched simulation, and what it must come to. */
#ifndef SHIM6_SIM_SCENE_H
#define SHIM6_SIM_SCENE_H

#include "engine/internal.h"
#include "forge.h"

#define A (&x->s->host[0])
#define B (&x->s->host[1])

struct scene {
	struct sim *s;
	struct watch w;
	FILE *chart;
};

/* The condition holds, or the scenario failed here. */
#define WANT(condition)                                                                                                \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			watch_fail(&x->w, "line %d: %s is not so", __LINE__, #condition);                              \
	} while (0)

/* Begin, also once more: hosts with n locators, the second with m. */
void scene_anew(struct scene *x, uint64_t seed, unsigned hosts, unsigned n, unsigned m);
void scene_end(struct scene *x);

struct shim6_pair scene_pair(const struct scene *x); /* A1-B1 */
struct shim6_pair scene_back(const struct shim6_pair *p);
enum engine_state scene_state(struct sim_host *h, const struct shim6_pair *ulid); /* IDLE: no context */
bool scene_agrees(struct scene *x, const struct shim6_pair *ulid);
/* A and its peer come to agree, payload of each flow comes to arrive, or the scenario failed. */
void scene_agree_within(struct scene *x, const struct shim6_pair *ulid, uint64_t ns);
void scene_flows_within(struct scene *x, uint64_t ns);
/* Cut all between A and B but these: bit i * M + j is Ai -> Bj, bit j * N + i Bj -> Ai. */
void scene_survivors(struct scene *x, uint32_t there, uint32_t back);

#endif
