/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random run of the simulator, all of it drawn from one seed: topology,
 * configurations, traffic, faults.
 *
 *	world.c   topology and traffic; the four parts of a run
 *	faults.c  what goes wrong meanwhile
 *
 * Parts of a run:
 *	1. traffic and faults: the invariants of watch.c hold, no more is asked;
 *	2. everything heals: within HEAL_TIME both ends of each flow agree and
 *	   payload arrives;
 *	3. a mesh with at least one working pair per direction is left: both ends
 *	   are Operational and payload arrives within the bound of 16.4;
 *	4. silence: every context goes, no memory is left.
 */
#ifndef SHIM6_SIM_WORLD_H
#define SHIM6_SIM_WORLD_H

#include "watch.h"

struct world {
	struct sim *s;
	struct watch w;
	uint64_t rng; /* of what is drawn; the simulation has its own */
	bool calm;    /* parts 2 to 4: dead processes are not left dead */
	uint64_t revive[SIM_HOSTS];
	bool small[SIM_HOSTS];	   /* few contexts or tags: some pairs stay without */
	bool starved[SIM_HOSTS];   /* few probes allowed: no bound holds */
	bool demanded[SIM_FLOWS];  /* part 3: the ends agreed before */
	uint64_t limit[SIM_FLOWS]; /* part 3: recovered by then */
};

struct world_result {
	char failure[512];
	uint64_t virtual_ns;
	unsigned long checks, control, payload;
};

/* 0 to n - 1; true with so many percent. */
unsigned world_draw(struct world *w, unsigned n);
bool world_chance(struct world *w, unsigned percent);

/* One fault, now. */
void fault_random(struct world *w);
/* Dead processes whose time has come. all: every one. */
void fault_revive(struct world *w, bool all);
void fault_heal(struct world *w);

/* The run of a seed; faults take so many seconds. false: an invariant broke. */
bool world_run(uint64_t seed, unsigned seconds, FILE *chart, struct world_result *out);

#endif
