/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold at every step of a simulation, and the message sequence chart
 * that tells how a run went.
 *
 *	watch.c  the invariants
 *	chart.c  the chart: time, from, to, message, what became of it; states; events
 */
#ifndef SHIM6_SIM_WATCH_H
#define SHIM6_SIM_WATCH_H

#include <stdio.h>

#include "harness.h"

/* A context as last seen, by slot. */
struct watch_context {
	uint64_t id, ct_local, ct_peer;
	uint32_t fii;
	struct shim6_pair ulid, current;
	enum engine_state state;
	enum reap_state reap;
	bool choice; /* two pairs or more that are not known to be broken */
};

struct watch_payload {
	bool any, tagged;
	struct shim6_pair pair;
	unsigned sent, lost;
};

struct watch_host {
	uint64_t second; /* window of the rates below */
	unsigned own, timers, errors;
	uint64_t received, replies; /* since the beginning: no answer without a question */
	uint64_t memory_base;	    /* of an engine without contexts */
	unsigned n, peak, peak_negative;
	struct watch_context context[SIM_SLOTS], before[SIM_SLOTS]; /* dense; by slot */
	struct watch_payload payload[SIM_FLOWS];
};

struct watch {
	struct sim *sim;
	FILE *chart; /* NULL: none */
	bool narrow_tags;
	char failure[512]; /* of the first invariant broken; empty: none */
	unsigned long checks;
	struct watch_host host[SIM_HOSTS];
};

/* Watch from here on. */
void watch_begin(struct watch *w, struct sim *s, FILE *chart);
/* Something must not be so: the run stops. Only the first one counts. */
void watch_fail(struct watch *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One line of the chart: what the test does to the network. */
void watch_note(struct watch *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Both ends have the context, ESTABLISHED and Operational, and each other's tags. On false, why. */
bool watch_agree(struct watch *w, unsigned a, const struct shim6_pair *ulid, char *why, size_t cap);
/* Nothing is left on any host but what an idle engine has. */
void watch_idle(struct watch *w);

/* "A1": host A, locator 1 */
struct watch_name {
	char s[48];
};
struct watch_name watch_addr(struct sim *s, const struct shim6_addr *a);
struct watch_name watch_pair(struct sim *s, const struct shim6_pair *p);

void chart_packet(struct watch *w, const struct sim_packet *p, enum sim_fate fate);
void chart_event(struct watch *w, const struct sim_host *h, const struct engine_event *ev);
void chart_state(struct watch *w, const struct sim_host *h, const struct watch_context *was,
		 const struct watch_context *is);
void chart_end(struct watch *w);

#endif
