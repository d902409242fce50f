/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb trace: trace.c follows the daemon, trace_text.c writes lines for people, decode.c and pcapng.c the rest. */
#ifndef SHIM6_CLI_TRACE_H
#define SHIM6_CLI_TRACE_H

#include "cli/output.h"

#define TRACE_SEEN 1024 /* contexts whose last state is remembered */

/* What a context was seen in last, to tell changes. */
struct trace_seen {
	char id[24];
	char state[16], reap[16];
};

struct trace_text {
	const struct output *out;
	struct trace_seen seen[TRACE_SEEN];
};

/* Objects as in control.h; a message has "decoded" beside them. */
void trace_text_message(struct trace_text *t, struct json_object *message);
void trace_text_icmp(struct trace_text *t, struct json_object *icmp);
void trace_text_unknown_tag(struct trace_text *t, struct json_object *o);
void trace_text_event(struct trace_text *t, struct json_object *event);
/* "--- something about the trace itself" */
void trace_text_remark(struct trace_text *t, const char *remark);
/* "accepted", "dropped: checksum wrong (drop_checksum)": from malloc. */
char *trace_text_verdict(struct json_object *o);

#endif
