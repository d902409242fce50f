/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenarios: small named tables of what breaks and is repaired when. Times may
 * depend on the Send Timeout, because a silent failure shows no sooner. Pure.
 */
#ifndef SHIM6_LAB_SCENARIO_H
#define SHIM6_LAB_SCENARIO_H

#include "lab/fault.h"

#define PLAN_MAX_ACTIONS 16

struct plan_action {
	double at; /* s since t0 */
	bool heal; /* else fail */
	struct fault fault;
};

struct plan {
	char name[24], title[96];
	unsigned n;
	struct plan_action action[PLAN_MAX_ACTIONS]; /* by time */
	double duration;
};

/* What the user wants otherwise; negative: as the scenario says. */
struct plan_times {
	double fail_at, heal_at, duration;
};

/* A scenario or one fault, and its times. */
struct plan_request {
	const char *scenario; /* NULL: fault */
	struct fault fault;
	struct plan_times times;
};

/* NULL, or what is wrong with it. */
const char *plan_make(const struct plan_request *q, double send_timeout, struct plan *p);

/* False: no such scenario. */
bool scenario_plan(const char *name, double send_timeout, struct plan *p);
/* One fault and its repair. */
void scenario_of_fault(const struct fault *f, double send_timeout, struct plan *p);
/* NULL, or what is wrong with these times. */
const char *plan_adjust(struct plan *p, const struct plan_times *t);
/* Does this fault stop packets for good, so that a session has to move? */
bool plan_blocks(const struct fault *f);

const char *scenario_name(unsigned i); /* NULL past the end */
const char *scenario_title(unsigned i);

#endif
