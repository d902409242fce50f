// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs a scenario (see trial.h). */
#define _GNU_SOURCE
#include "lab/trial.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "lab/faults.h"
#include "lab/topology.h"

#define TICK_MS 50
#define REPLY_MS 3000
#define GRACE_MS 1000 /* after the last sender: what is on its way arrives */
#define BUSY_S 2      /* of a run that a download leaves free, so that it can be complete */

/* --- before ---------------------------------------------------------------------- */

static int set_up_run(struct trial *t, bool shim6)
{
	const struct trial_setup *s = t->setup;
	struct run *r = &t->runs[t->n_runs];
	char name[LAB_NAME_MAX + 1];
	struct life_setup life = { .name = name,
				   .shim6 = shim6,
				   .send_timeout = shim6 ? s->send_timeout : 0,
				   .delay_ms = s->delay_ms,
				   .config = shim6 ? s->config : NULL };

	memset(r, 0, sizeof(*r));
	r->shim6 = shim6;
	lab_format(r->name, sizeof(r->name), "%s", shim6 ? "with shim6" : "without shim6");
	lab_format(r->tag, sizeof(r->tag), "%s", shim6 ? "shim6" : "plain");
	if (s->name)
		lab_format(name, sizeof(name), "%.30s-%s", s->name, r->tag);
	else
		lab_format(name, sizeof(name), "run%d-%s", (int)getpid(), r->tag);
	if (life_up(&r->lab, &life))
		return -1;
	r->up = true;
	t->n_runs++;
	lab_close(&r->lab); /* others may look at it meanwhile */
	if (shim6)
		t->send_timeout = r->lab.send_timeout;
	for (unsigned to = 0; to < LAB_HOSTS; to++)
		for (unsigned k = 0; s->to[to] && k < FLOW_KINDS; k++)
			if (s->kinds[k])
				flow_init(&r->flows[r->n_flows++], (enum flow_kind)k, !to, to);
	return 0;
}

/* Is it a reply of success? Then events follow. */
static int subscribe(struct run *r, unsigned host)
{
	struct json_object *reply = NULL;
	char path[LAB_PATH_MAX];
	int err;

	host_socket(&r->lab, host, path);
	err = control_connect(&r->events[host], path);
	if (!err)
		err = control_call(r->events[host], "events", NULL, &reply, REPLY_MS);
	if (!err && !json_object_get_boolean(json_object_object_get(reply, "ok")))
		err = -EPROTO;
	json_object_put(reply);
	return err ? lab_error("no events from the daemon of host %c: %s", topology_host_letter(host), strerror(-err))
		   : 0;
}

/* What a download can carry while the failures cost it their time. */
static uint64_t download_size(const struct trial *t)
{
	double outage = BUSY_S, s;

	if (t->setup->size)
		return t->setup->size;
	for (unsigned i = 0; i < t->plan.n; i++)
		if (!t->plan.action[i].heal && plan_blocks(&t->plan.action[i].fault))
			outage += t->plan.action[i].fault.kind == FAULT_LINK ? 1 : t->send_timeout * 1.05 + 2;
	s = t->plan.duration - outage;
	return (uint64_t)((s > 1 ? s : 1) * (double)(t->setup->rate ? t->setup->rate : 12500000));
}

static struct flow_env env_of(const struct trial *t, const struct run *r)
{
	return (struct flow_env){ .lab = &r->lab,
				  .logs = t->setup->output,
				  .tag = r->tag,
				  .t0 = t->t0,
				  .seconds = (unsigned)ceil(t->plan.duration),
				  .rate = t->setup->rate,
				  .size = download_size(t) };
}

static int prepare(struct trial *t)
{
	for (unsigned i = 0; i < t->n_runs; i++) {
		struct run *r = &t->runs[i];
		struct flow_env env = env_of(t, r);

		for (unsigned h = 0; r->shim6 && h < LAB_HOSTS; h++)
			if (subscribe(r, h))
				return -1;
		for (unsigned k = 0; k < r->n_flows; k++)
			if (flow_prepare(&r->flows[k], &env))
				return -1;
	}
	return 0;
}

static int start(struct trial *t)
{
	time_t now = time(NULL);
	struct tm tm;

	strftime(t->when, sizeof(t->when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	account_begin(t);
	t->t0 = lab_now();
	/* stream by stream, so that both runs begin each at nearly the same time */
	for (unsigned k = 0; k < t->runs[0].n_flows; k++) {
		for (unsigned i = 0; i < t->n_runs; i++) {
			struct flow_env env = env_of(t, &t->runs[i]);

			if (flow_start(&t->runs[i].flows[k], &env))
				return -1;
		}
	}
	return 0;
}

/* --- the run --------------------------------------------------------------------- */

static void read_events(struct trial *t, struct run *r, unsigned host)
{
	struct json_object *line;
	const struct mark *m;
	int err;

	while ((err = control_read(r->events[host], &line, 0)) == 0) {
		struct json_object *event = json_object_object_get(line, "event");

		m = event ? mark_event(t, r, host, event) : NULL;
		if (m)
			account_mark(t, r, m);
		json_object_put(line);
	}
	if (err == -ETIMEDOUT)
		return;
	account(t, trial_time(t, lab_now()), r, "the daemon of host %c ended its events (%s)",
		topology_host_letter(host), strerror(-err));
	control_close(r->events[host]);
	r->events[host] = NULL;
}

static int act(struct trial *t, const struct plan_action *a)
{
	for (unsigned i = 0; i < t->n_runs; i++) {
		struct run *r = &t->runs[i];
		const struct mark *m;
		uint64_t when;

		if (a->heal ? faults_heal(&r->lab, &a->fault, &when) : faults_fail(&r->lab, &a->fault, &when))
			return -1;
		m = mark_fault(t, r, a, when);
		if (m && i == 0)
			account_mark(t, r, m);
	}
	return 0;
}

struct source {
	struct run *r;
	struct flow *f; /* NULL: events of a host */
	unsigned i;
};

#define MAX_SOURCES (TRIAL_MAX_RUNS * (2 * TRIAL_MAX_FLOWS + LAB_HOSTS))

static nfds_t watch(struct trial *t, struct pollfd *p, struct source *s)
{
	nfds_t n = 0;

	for (unsigned i = 0; i < t->n_runs; i++) {
		struct run *r = &t->runs[i];

		for (unsigned k = 0; k < 2 * r->n_flows; k++) {
			s[n] = (struct source){ r, &r->flows[k / 2], k % 2 };
			p[n++] = (struct pollfd){ .fd = r->flows[k / 2].in[k % 2].fd, .events = POLLIN };
		}
		for (unsigned h = 0; h < LAB_HOSTS; h++) {
			s[n] = (struct source){ r, NULL, h };
			p[n++] =
				(struct pollfd){ .fd = r->events[h] ? control_fd(r->events[h]) : -1, .events = POLLIN };
		}
	}
	return n;
}

/* One turn: what comes within a tick, or until due. */
static void turn(struct trial *t, uint64_t due)
{
	struct pollfd p[MAX_SOURCES];
	struct source s[MAX_SOURCES];
	nfds_t n = watch(t, p, s);
	uint64_t now = lab_now();
	uint64_t left = due > now ? (due - now) / NSEC_PER_MSEC : 0;

	if (poll(p, n, left < TICK_MS ? (int)left : TICK_MS) > 0) {
		for (nfds_t i = 0; i < n; i++) {
			if (!p[i].revents)
				continue;
			if (s[i].f)
				flow_read(s[i].f, s[i].i);
			else
				read_events(t, s[i].r, s[i].i);
		}
	}
	for (unsigned i = 0; i < t->n_runs; i++)
		account_flows(t, &t->runs[i], lab_now());
}

static int play(struct trial *t)
{
	uint64_t end = t->t0 + (uint64_t)(ceil(t->plan.duration) * 1e9) +
		       (GRACE_MS + 8ull * t->setup->delay_ms) * NSEC_PER_MSEC;
	unsigned next = 0;

	while (lab_now() < end) {
		uint64_t due = next < t->plan.n ? t->t0 + (uint64_t)(t->plan.action[next].at * 1e9) : end;

		if (lab_interrupted())
			return lab_error("interrupted: everything is taken down");
		/* a repair that would come after the end is not waited for */
		if (due > end)
			due = end;
		if (due < end && lab_now() >= due) {
			if (act(t, &t->plan.action[next++]))
				return -1;
			continue;
		}
		turn(t, due);
	}
	return 0;
}

/* --- after ------------------------------------------------------------------------ */

static void collect(struct trial *t)
{
	for (unsigned i = 0; i < t->n_runs; i++) {
		struct run *r = &t->runs[i];
		struct flow_env env = env_of(t, r);

		for (unsigned h = 0; h < LAB_HOSTS; h++) {
			if (r->shim6) {
				r->contexts[h] = host_ask(&r->lab, h, "contexts");
				r->stats[h] = host_ask(&r->lab, h, "stats");
			}
			for (unsigned p = 0; p < LAB_PROVIDERS; p++)
				r->ingress_drops[h][p] = topology_ingress_drops(&r->lab, h, p);
		}
		for (unsigned k = 0; k < r->n_flows; k++)
			flow_finish(&r->flows[k], &env);
	}
}

static void keep_logs(const struct trial *t, const struct run *r)
{
	char from[LAB_PATH_MAX], to[LAB_PATH_MAX];

	for (unsigned h = 0; r->shim6 && h < LAB_HOSTS; h++) {
		struct strbuf b = { 0 };

		host_log(&r->lab, h, from);
		lab_format(to, sizeof(to), "%s/%s-%c-shim6d.log", t->setup->output, r->tag, topology_host_letter(h));
		if (access(from, R_OK) == 0 && !file_read(from, &b))
			file_write(to, b.s ? b.s : "");
		strbuf_free(&b);
	}
}

/* Whatever state it is in. */
static void take_down(struct trial *t)
{
	for (unsigned i = 0; i < t->n_runs; i++) {
		struct run *r = &t->runs[i];
		struct lab remains;

		for (unsigned k = 0; k < r->n_flows; k++)
			flow_kill(&r->flows[k]);
		for (unsigned h = 0; h < LAB_HOSTS; h++) {
			if (r->events[h])
				control_close(r->events[h]);
			r->events[h] = NULL;
		}
		if (!r->up)
			continue;
		keep_logs(t, r);
		if (!lab_open_remains(&remains, r->lab.name))
			life_down(&remains);
		r->up = false;
	}
}

/* Logs of programs that had nothing to say. */
static void drop_empty_logs(const struct trial *t)
{
	const char *const argv[] = { "find",  t->setup->output, "-maxdepth", "1", "-name",
				     "*.log", "-empty",		"-delete",   NULL };

	proc_run(NULL, argv, NULL, NULL);
}

int trial_run(struct trial *t, const struct trial_setup *setup)
{
	const char *wrong;
	int r = 0;

	memset(t, 0, sizeof(*t));
	t->setup = setup;
	t->send_timeout = setup->send_timeout ? setup->send_timeout : LIFE_SEND_TIMEOUT;
	if (make_dirs(setup->output))
		return -1;
	if (setup->with_shim6)
		r = set_up_run(t, true);
	if (!r && setup->without_shim6)
		r = set_up_run(t, false);
	/* only now the daemons have said their Send Timeout, on which the plan depends */
	wrong = plan_make(&setup->plan, t->send_timeout, &t->plan);
	if (!r && wrong)
		r = lab_error("%s", wrong);
	if (!r)
		r = prepare(t) || start(t) || play(t) ? -1 : 0;
	if (!r)
		collect(t);
	take_down(t);
	drop_empty_logs(t);
	if (!r)
		verdict_all(t);
	return r;
}

void trial_free(struct trial *t)
{
	for (unsigned i = 0; i < t->n_runs; i++) {
		struct run *r = &t->runs[i];

		for (unsigned k = 0; k < r->n_flows; k++)
			stream_free(&r->flows[k].s);
		for (unsigned h = 0; h < LAB_HOSTS; h++) {
			json_object_put(r->contexts[h]);
			json_object_put(r->stats[h]);
		}
	}
}
