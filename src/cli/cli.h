/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command shim6. cli.c reads the command line, find.c looks the verb up in
 * the table (verbs.c), ask.c asks the daemon and prints the reply, as JSON or
 * by the verb's own function (show.c, show_lists.c). trace.c follows messages. doctor.c shows what src/doctor/ finds.
 * offline.c has what works without the daemon: addr generate and lab, which are other programs.
 *
 * Exit codes (enum cli_exit): 0 done, 1 the daemon refused or failed, or doctor found a problem, 2 wrong
 * command line, 3 no daemon reached.
 */
#ifndef SHIM6_CLI_CLI_H
#define SHIM6_CLI_CLI_H

#include "cli/output.h"
#include "control/control.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,	     /* the daemon refused, or failed, or the reply made no sense */
	CLI_USAGE = 2,	     /* the command line is wrong; nothing was asked */
	CLI_UNREACHABLE = 3, /* no daemon at the socket, or no right to speak to it */
};

#define CLI_MAX_PREFIXES 16 /* --prefix in one command line */
#define CLI_MAX_ARGS 8	    /* words of a verb beyond its name */

struct verb;

/* One command line, as read. */
struct cli {
	struct output out;
	FILE *err;
	bool json;
	bool help;
	bool reset;		 /* prefer */
	const char *socket_path; /* NULL: the default */
	const struct verb *verb;
	const char *args[CLI_MAX_ARGS];
	unsigned n_args;
	char **rest; /* another program's own words: lab */

	const char *prefixes[CLI_MAX_PREFIXES];
	unsigned n_prefixes;
	const char *sec;
	const char *key_file, *new_key;
	const char *count, *seconds, *pcap; /* of trace */
	const char *sort, *interval;	    /* of top */
	bool once;
	const char *since;	       /* of events */
	const char *output, *contexts; /* of metrics */
};

enum verb_flag {
	VERB_ADDR_OPTIONS = 1,	   /* takes --prefix, --sec, --key, --new-key */
	VERB_SLOW = 2,		   /* the daemon may take as long as it wants */
	VERB_PASS = 4,		   /* everything behind the verb is another program's */
	VERB_PREFER_OPTIONS = 16,  /* takes --reset */
	VERB_TRACE_OPTIONS = 8,	   /* takes --count, --for, --pcap */
	VERB_METRICS_OPTIONS = 32, /* takes --output, --contexts */
	VERB_TOP_OPTIONS = 128,	   /* takes --once, --sort, --interval */
	VERB_EVENTS_OPTIONS = 64,  /* takes --since */
};

struct verb {
	const char *name; /* one word, or two */
	const char *args;
	const char *summary;
	unsigned flags;
	unsigned min_args, max_args;
	const char *op;
	/* Arguments of the operation from the command line; false once the user has been told what is wrong. */
	bool (*arguments)(struct cli *c, struct json_object *args);
	void (*show)(const struct output *o, struct json_object *result);
	/* Does everything itself; returns the exit code. */
	int (*run)(struct cli *c);
};

extern const struct verb verbs[];
extern const unsigned n_verbs;

int cli_main(int argc, char **argv, FILE *out, FILE *err);

/* "shim6: what: hint" on the error stream; hint may be NULL. Returns code. */
int complain(struct cli *c, enum cli_exit code, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Ask the daemon. Returns CLI_OK with the caller owning *result (maybe NULL),
 * or complains and returns its code. args is taken over.
 */
int ask(struct cli *c, const char *op, struct json_object *args, struct json_object **result);
int ask_connect(struct cli *c, struct control_client **client);
/* Where the daemon is looked for. */
const char *ask_socket(const struct cli *c);
/* 0 or a negative errno; complains about nothing. */
int ask_try(struct cli *c, struct control_client **client);
/* One ordinary verb: arguments, request, reply. client may be NULL. */
int ask_verb(struct cli *c, struct control_client *client);
/* As ask(), on a connection that goes on. */
int ask_on(struct cli *c, struct control_client *client, const char *op, struct json_object *args,
	   struct json_object **result);
/* As ask_on(); of a list no more than max, and no page after those. */
int ask_some(struct cli *c, struct control_client *client, const char *op, struct json_object *args, size_t max,
	     struct json_object **result);
/* The events verb. */
int ask_events(struct cli *c);
void print_json(struct cli *c, struct json_object *o);

/* show.c */
void show_host(const struct output *o, struct json_object *status);
void show_context(const struct output *o, struct json_object *context);
void show_contexts(const struct output *o, struct json_object *contexts);
enum ink state_ink(const char *state);
/* show_lists.c */
void show_locators(const struct output *o, struct json_object *result);
void show_preferences(const struct output *o, struct json_object *result);
void show_stats(const struct output *o, struct json_object *result);
void show_negative(const struct output *o, struct json_object *result);
void show_reload(const struct output *o, struct json_object *result);
void show_established(const struct output *o, struct json_object *result);
void show_generated(const struct output *o, struct json_object *result);
void show_sets(const struct output *o, struct json_object *result);
void show_event(const struct output *o, struct json_object *event);

/* trace.c */
int run_trace(struct cli *c);

/* top.c */
int run_top(struct cli *c);
/* metrics.c */
int run_metrics(struct cli *c);

/* doctor.c */
int run_doctor(struct cli *c);
int run_report(struct cli *c);

/* offline.c: these replace the process, and return only when they cannot. */
int run_lab(struct cli *c);
int run_addr_generate(struct cli *c);
/* Another program of ours: where it lies, or its bare name. */
void find_sibling(const char *name, char *path, size_t len);
/* progress.c: an address set in the making */
void show_progress(const struct output *o, struct json_object *progress);
int run_addr_list(struct cli *c);
/* As control_call(), telling on the error stream how far the daemon is. */
int call_with_progress(struct cli *c, struct control_client *client, const char *op, struct json_object *args,
		       struct json_object **reply);

/* find.c: NULL after a complaint. */
const struct verb *find_first(struct cli *c, const char *word);
/* A verb by its words, each of which may be shortened; *used of them are its name. */
const struct verb *find_verb(struct cli *c, const char *const *words, unsigned n, unsigned *used);

/* verbs.c */
/* The value of an option; false after a complaint. */
bool number_from_to(struct cli *c, const char *option, const char *word, unsigned long min, unsigned long max,
		    unsigned long *out);
int run_status(struct cli *c);
int run_help(struct cli *c);
void print_usage(struct cli *c);
void print_verb_usage(struct cli *c, const struct verb *v);

#endif
