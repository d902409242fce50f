/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Marks of a plot: those that would lie on each other become one. */
#ifndef SHIM6_LAB_REPORT_MARKS_H
#define SHIM6_LAB_REPORT_MARKS_H

#include "lab/report_data.h"
#include "lab/report_scale.h"
#include "lab/util.h"

struct plot_mark {
	double t; /* of the first */
	const char *kind, *label;
	bool agreed;	     /* all that were joined say the same, or the same seen from the other host */
	size_t run;	     /* of the first */
	bool shared;	     /* by more than one run */
	struct strbuf hosts; /* "B, A" */
	struct strbuf title; /* all of it, with exact times */
	struct strbuf text;  /* of the label, without the time */
	char time[24];
};

struct plot_marks {
	struct plot_mark *m; /* by time */
	size_t n;
};

/* Of all runs, within [0, span]; closer than join seconds and of one kind: one mark. */
struct plot_marks plot_marks_collect(const struct report *r, double span, double join);
void plot_marks_free(struct plot_marks *m);

#endif
