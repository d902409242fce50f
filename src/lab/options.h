/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of the lab: a verb, its words, and options that may stand
 * anywhere. Pure: what is wrong comes back as a text that says what would be
 * right. Each verb takes only the options that mean something to it.
 */
#ifndef SHIM6_LAB_OPTIONS_H
#define SHIM6_LAB_OPTIONS_H

#include "lab/fault.h"

#define OPTIONS_ERR_MAX 512
#define OPTIONS_MAX_WORDS 8
#define OPTIONS_DEFAULT_NAME "lab"

enum verb_id {
	VERB_UP,
	VERB_DOWN,
	VERB_LIST,
	VERB_STATUS,
	VERB_EXEC,
	VERB_FAIL,
	VERB_HEAL,
	VERB_RUN,
	VERB_REPORT,
	VERB_HELP,
};

struct options {
	enum verb_id verb;
	bool json, help, version, all;
	const char *words[OPTIONS_MAX_WORDS + 1]; /* behind the verb; NULL ends them */
	unsigned n_words;
	char **command; /* exec: what to run, NULL-terminated */

	const char *name; /* NULL: not said */
	bool plain;	  /* --no-shim6 */
	unsigned send_timeout, delay_ms;
	const char *config;

	const char *host, *provider, *direction; /* of a fault, checked; NULL: not said */
	const char *amount;			 /* --percent or --ms as written */
	bool amount_is_percent;

	/* run; output is report's, too */
	const char *fault; /* a kind; NULL: the scenario that is named */
	bool with_shim6, without_shim6;
	const char *traffic, *to, *output;
	double duration, fail_at, heal_at; /* s; negative: not said */
	double rate, size;		   /* Mbit/s, MB; negative: not said */
};

/* argv[0] is not looked at. False: err says why; the command line is not to be obeyed. */
bool options_read(struct options *o, int argc, char **argv, char err[static OPTIONS_ERR_MAX]);
/* The fault of that kind as the options describe it. */
bool options_fault(const struct options *o, const char *kind, struct fault *f, char err[static OPTIONS_ERR_MAX]);
/* Is this fault in force one that heal KIND with these options means? */
bool options_match(const struct options *o, const struct fault *f);

/* The help of one verb, or of all (verb < 0). */
void options_help(struct strbuf *out, int verb);

#endif
