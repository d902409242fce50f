/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One stream over time, every run on the same axes: curves of the rate at the
 * receiver, silences shaded, and what happened as vertical lines with labels
 * above. Under the curves each run has a track: a bar while data came, hatched
 * while none did. Runs differ in colour, dash and name; nothing is told by
 * colour alone.
 */
#ifndef SHIM6_LAB_REPORT_PLOT_H
#define SHIM6_LAB_REPORT_PLOT_H

#include "lab/report_data.h"
#include "lab/util.h"

#define REPORT_RUN_COLORS 4 /* classes r0 ... r3 of the style */

/* streams: one per run of r, NULL where the run has none; number: of the plot on the page. */
void report_plot(struct strbuf *out, const struct report *r, const struct report_stream *const *streams,
		 unsigned number);
/* Time that one point of the curves stands for. */
double report_plot_resolution(const struct report *r);
/* The end of the time axis: all that was measured. */
double report_plot_span(const struct report *r);
/* A short line as run i is drawn, to stand beside its name; at (x, y), 22 wide. */
void report_plot_key(struct strbuf *out, size_t run, double x, double y);
/* The sign of a kind of mark, centred at (x, y). */
void report_plot_sign(struct strbuf *out, const char *kind, double x, double y);

/* "exploring", "switched", "repair"...; the kind itself when it is not known. */
const char *report_mark_word(const char *kind);
bool report_mark_is_fault(const char *kind); /* of the network, not of a host */
/* "finished", "gave up"; "" for what goes on to the end. */
const char *report_end_word(const char *end);

#endif
