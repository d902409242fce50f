/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of the report: what arrived, what happened when, and what the hosts knew at the end. */
#ifndef SHIM6_LAB_REPORT_TABLES_H
#define SHIM6_LAB_REPORT_TABLES_H

#include "lab/report_data.h"
#include "lab/util.h"

/* The name of a run in its colour, with its line as in the plots. */
void report_run_name(struct strbuf *b, const struct report *r, size_t run);
/* How a stream went: "complete and intact", "silent to the end", "gave up". */
const char *report_outcome(const struct report *r, const struct report_stream *s);
/* No data came after it. */
bool report_silence_lasts(const struct report *r, const struct report_stream *s, const struct report_silence *silence);
/* As the result says, else the longest of the list; 0 when there is none. */
double report_longest_silence(const struct report_stream *s);

void report_streams_table(struct strbuf *b, const struct report *r);
/* All that happened in one run, to the millisecond. */
void report_steps_table(struct strbuf *b, const struct report *r, size_t run);

/* What the hosts of a run knew at its end: contexts, and every counter of the daemon (folded). */
void report_hosts(struct strbuf *b, const struct report_run *run);

#endif
