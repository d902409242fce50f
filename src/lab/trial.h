/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of a scenario: in one lab, or in two side by side, with and without
 * shim6, at the same time.
 *
 *   trial.c    brings the labs up, runs traffic and plan, collects, takes all down
 *   marks.c    what happened when: faults, and the events of the daemons
 *   account.c  tells it live, and sums it up
 *   verdict.c  what it means
 *   result.c   result.json
 *
 * All times are on CLOCK_MONOTONIC, of which every program and daemon has the
 * same; t0 is when traffic starts.
 */
#ifndef SHIM6_LAB_TRIAL_H
#define SHIM6_LAB_TRIAL_H

#include "lab/flow.h"
#include "lab/life.h"
#include "lab/scenario.h"

#define TRIAL_MAX_RUNS 2
#define TRIAL_MAX_FLOWS (2 * FLOW_KINDS)
#define TRIAL_MAX_MARKS 512
#define TRIAL_MAX_VERDICTS 64
#define TRIAL_SILENT_NS NSEC_PER_SEC /* told live from here on */
#define TRIAL_OTHER_SILENCE_S 1.5    /* REAP's own time on top of the Send Timeout */
#define TRIAL_LINK_SILENCE_S 0.5     /* a lost link is noticed at once */

struct mark {
	double t; /* s since t0 */
	char kind[16];
	char host; /* 'A', 'B'; 0: none */
	char label[64];
	char text[512];
};

struct verdict {
	bool ok;
	char text[160];
};

struct control_client;
struct json_object;

struct run {
	char name[24]; /* "with shim6" */
	char tag[16];
	bool shim6;
	struct lab lab;
	bool up;
	unsigned n_flows;
	struct flow flows[TRIAL_MAX_FLOWS];
	struct control_client *events[LAB_HOSTS];
	unsigned n_marks;
	struct mark marks[TRIAL_MAX_MARKS];
	struct json_object *contexts[LAB_HOSTS], *stats[LAB_HOSTS];
	uint64_t ingress_drops[LAB_HOSTS][LAB_PROVIDERS];
};

struct trial_setup {
	struct plan_request plan;
	const char *name; /* of the labs; NULL: one that is free */
	bool with_shim6, without_shim6;
	bool kinds[FLOW_KINDS];
	bool to[LAB_HOSTS]; /* who receives */
	unsigned send_timeout, delay_ms;
	const char *config;
	uint64_t rate, size; /* octets per s; octets of a download, 0: what fits into the run */
	const char *output;
	bool quiet; /* no live account */
};

struct trial {
	const struct trial_setup *setup;
	struct plan plan;
	double send_timeout;
	uint64_t t0;
	char when[32]; /* ISO 8601 */
	unsigned n_runs;
	struct run runs[TRIAL_MAX_RUNS];
	unsigned n_verdicts;
	struct verdict verdicts[TRIAL_MAX_VERDICTS];
};

/* Runs it all and leaves nothing but the files of setup->output. 0, or -1 after lab_error(). */
int trial_run(struct trial *t, const struct trial_setup *setup);
void trial_free(struct trial *t);
bool trial_good(const struct trial *t); /* every verdict */
double trial_time(const struct trial *t, uint64_t when);

/* marks.c */
const struct mark *mark_fault(struct trial *t, struct run *r, const struct plan_action *a, uint64_t when);
/* NULL: an event that means nothing to the account. */
const struct mark *mark_event(struct trial *t, struct run *r, unsigned host, struct json_object *event);
/* Addresses of the lab become A1, A2, B1, B2. */
void mark_names(const struct lab *lab, const char *text, char *out, size_t cap);

/* account.c; run NULL: all of them */
void account(const struct trial *t, double at, const struct run *r, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void account_begin(const struct trial *t);
void account_mark(const struct trial *t, const struct run *r, const struct mark *m);
void account_flows(const struct trial *t, struct run *r, uint64_t now); /* silences and ends */
void account_end(const struct trial *t);

/* verdict.c */
void verdict_all(struct trial *t);
/* Complete, or something still came shortly before the run ended. */
bool verdict_alive(const struct trial *t, const struct stream *s);
/* Datagrams lost outside every failure that was not yet answered by a switch; UINT64_MAX: means nothing here. */
uint64_t verdict_lost_after_switch(const struct trial *t, const struct run *r, const struct flow *f);

/* result.c */
int result_write(const struct trial *t, const char *path);

#endif
