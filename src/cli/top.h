/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What shim6 top shows: two looks at the contexts, and what is drawn of them. */
#ifndef SHIM6_CLI_TOP_H
#define SHIM6_CLI_TOP_H

#include "cli/output.h"

#define TOP_CONTEXTS 2000 /* the oldest; a host may have 65536, too many to list each second */
#define TOP_EVENTS 32	  /* newest switches and failures */

enum top_sort {
	TOP_BY_RATE,
	TOP_BY_ID,
	TOP_BY_PEER,
	TOP_BY_SWITCHES,
	TOP_BY_IDLE,
	TOP_SORTS,
};

struct top_row {
	struct json_object *context; /* borrowed */
	double rx, tx;		     /* octets per second; < 0: seen once only */
};

struct top {
	struct json_object *status, *contexts; /* of the last look */
	struct top_row *rows;
	size_t n;
	double when; /* of the last look, s */
	double rx, tx;
	struct json_object *events[TOP_EVENTS]; /* newest first */
	unsigned n_events;

	enum top_sort sort;
	bool reverse;
	size_t first; /* row at the top of the list */
	size_t page;  /* rows that the last drawing had room for */
};

const char *top_sort_name(enum top_sort s);
bool top_sort_from(const char *name, enum top_sort *out);
/* A new look; takes over both. */
void top_update(struct top *t, struct json_object *status, struct json_object *contexts, double when);
/* An event to remember, if it is of a kind worth it. */
void top_event(struct top *t, struct json_object *event);
void top_order(struct top *t);
/* rows 0: as many as there are, and no line about keys. Lines are cut at columns and end as end says. */
void top_draw(struct top *t, const struct output *o, unsigned columns, unsigned rows, const char *end);
void top_free(struct top *t);

#endif
