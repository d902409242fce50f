/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metrics from what the daemon answers. */
#ifndef SHIM6_CLI_METRICS_H
#define SHIM6_CLI_METRICS_H

#include <stdio.h>

struct json_object;

/* Results of the operations of the same names; status NULL: no daemon. */
struct metrics_source {
	struct json_object *status, *stats, *sets, *contexts;
	unsigned long max_contexts; /* 0: no context by itself */
};

/* [{"name","type","help","samples":[{"labels","value"}]}], the caller's. */
struct json_object *metrics_make(const struct metrics_source *s);
/* The exposition format. */
void metrics_text(FILE *f, struct json_object *list);

#endif
