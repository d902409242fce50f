/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fault: what breaks, where, and how it is written. Pure; faults.c puts them
 * into force.
 */
#ifndef SHIM6_LAB_FAULT_H
#define SHIM6_LAB_FAULT_H

#include "lab/util.h"

enum fault_kind {
	FAULT_LINK,	 /* the host's link goes down; the host knows at once */
	FAULT_BLACKHOLE, /* the provider drops silently */
	FAULT_FAR,	 /* the same at host B: loss of a provider at the far end */
	FAULT_LOSS,	 /* the provider drops amount percent */
	FAULT_DELAY,	 /* the provider adds amount ms each way */
	FAULT_KINDS
};

enum fault_direction {
	FAULT_BOTH,
	FAULT_IN,  /* towards the host */
	FAULT_OUT, /* from the host */
	FAULT_DIRECTIONS
};

struct fault {
	enum fault_kind kind;
	enum fault_direction direction;
	unsigned host;	   /* 0: A, 1: B */
	unsigned provider; /* 0: provider 1, 1: provider 2 */
	unsigned amount;   /* percent or ms */
};

const char *fault_kind_name(enum fault_kind k);
const char *fault_direction_name(enum fault_direction d);
/* Defaults of a kind: host A (far: B), provider 1, both directions. False: no such kind. */
bool fault_init(struct fault *f, const char *kind);
bool fault_set_host(struct fault *f, const char *text);
bool fault_set_provider(struct fault *f, const char *text);
bool fault_set_direction(struct fault *f, const char *text);
bool fault_needs_amount(enum fault_kind k);
bool fault_set_amount(struct fault *f, const char *text);
/* NULL if it can be put into force, else what is wrong with it. */
const char *fault_check(const struct fault *f);
bool fault_equal(const struct fault *a, const struct fault *b);
/* "silent black hole at provider 1 of A, both ways" */
void fault_text(const struct fault *f, char *out, size_t cap);
/* "black hole A1" */
void fault_label(const struct fault *f, char *out, size_t cap);

#endif
