/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/daemon.h"
#include "daemon/log.h"

#define NS_PER_MS UINT64_C(1000000)
#define SLOW_TURN (50 * NS_PER_MS) /* as long as a packet should wait at most */

enum source {
	SRC_CONTROL_MSG,
	SRC_ICMP,
	SRC_HOST,
	SRC_RA,
	SRC_DATAPATH,
	N_SOURCES,
};

static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

struct loop {
	uv_loop_t uv;
	struct daemon *d;
	uv_timer_t timer;     /* the engine's one deadline */
	uv_prepare_t prepare; /* before the loop sleeps */
	uv_poll_t poll[N_SOURCES];
	uv_signal_t signal[N_SIGNALS];
	uint64_t busy;	/* processor time of this thread when the last turn ended, ns */
	uint64_t armed; /* deadline the timer stands for; 0 none */
	bool stopping;
};

/* --- input ---------------------------------------------------------------- */

static void poll_cb(uv_poll_t *p, int status, int events)
{
	struct loop *l = p->data;
	struct daemon *d = l->d;

	(void)events;
	if (status < 0)
		log_debug("poll: %s", uv_strerror(status));
	switch ((enum source)(p - l->poll)) {
	case SRC_CONTROL_MSG:
		ctlsock_dispatch(d->ctl);
		return;
	case SRC_ICMP:
		ctlsock_icmp_dispatch(d->ctl);
		return;
	case SRC_HOST:
		host_dispatch(d->host);
		return;
	case SRC_RA:
		if (ra_dispatch(d->ra, daemon_now()))
			daemon_refresh(d);
		return;
	case SRC_DATAPATH:
		datapath_dispatch(d->dp);
		return;
	case N_SOURCES:
		return;
	}
}

/* Processor time of a turn: what a busy machine takes away is not our slowness. */
static void measure_turn(struct loop *l)
{
	struct counters *c = &l->d->counters;
	struct timespec ts;
	uint64_t now, us;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	now = (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
	us = l->busy ? (now - l->busy) / 1000 : 0;
	l->busy = now;
	if (us > c->v[DC_turn_longest_us])
		c->v[DC_turn_longest_us] = us;
	if (us * 1000 > SLOW_TURN)
		count(c, DC_turns_slow);
}

static void prepare_cb(uv_prepare_t *p)
{
	struct loop *l = p->data;

	daemon_settle(l->d);
	measure_turn(l);
}

static void timer_cb(uv_timer_t *t)
{
	struct loop *l = t->data;

	l->armed = 0; /* daemon_settle() does the work, in this turn */
}

static void reload(struct daemon *d)
{
	char err[CONFIG_ERR_MAX];

	if (!daemon_reload(d, NULL, NULL, err, sizeof(err)))
		log_error("%s; the configuration stays as it was", err);
}

static void signal_cb(uv_signal_t *s, int signum)
{
	struct loop *l = s->data;

	if (signum == SIGHUP) {
		reload(l->d);
		return;
	}
	if (signum == SIGUSR1)
		l->d->keep = true;
	if (l->d->config.keep_on_exit)
		l->d->keep = true;
	log_notice("%s: ending; contexts and data path %s", strsignal(signum),
		   l->d->keep ? "stay in force for a successor" : "are removed");
	loop_stop(l);
}

/* --- the loop ------------------------------------------------------------- */

struct loop *loop_new(struct daemon *d, char *err, size_t err_len)
{
	struct loop *l = calloc(1, sizeof(*l));
	int rc = l ? uv_loop_init(&l->uv) : UV_ENOMEM;

	if (rc < 0) {
		snprintf(err, err_len, "event loop: %s", uv_strerror(rc));
		free(l);
		return NULL;
	}
	l->d = d;
	uv_timer_init(&l->uv, &l->timer);
	uv_prepare_init(&l->uv, &l->prepare);
	l->timer.data = l->prepare.data = l;
	return l;
}

uv_loop_t *loop_uv(struct loop *l)
{
	return &l->uv;
}

static int watch_signals(struct loop *l)
{
	int rc = 0;

	for (size_t i = 0; i < N_SIGNALS && rc == 0; i++) {
		rc = uv_signal_init(&l->uv, &l->signal[i]);
		if (rc < 0)
			break;
		l->signal[i].data = l;
		rc = uv_signal_start(&l->signal[i], signal_cb, signals[i]);
	}
	return rc;
}

static int watch_fds(struct loop *l)
{
	const struct daemon *d = l->d;
	const int fd[N_SOURCES] = {
		[SRC_CONTROL_MSG] = ctlsock_fd(d->ctl), [SRC_ICMP] = ctlsock_icmp_fd(d->ctl),
		[SRC_HOST] = host_fd(d->host),		[SRC_RA] = ra_fd(d->ra),
		[SRC_DATAPATH] = datapath_fd(d->dp),
	};
	int rc = 0;

	for (int i = 0; i < N_SOURCES && rc == 0; i++) {
		rc = uv_poll_init(&l->uv, &l->poll[i], fd[i]);
		if (rc < 0)
			break;
		l->poll[i].data = l;
		rc = uv_poll_start(&l->poll[i], UV_READABLE, poll_cb);
	}
	return rc;
}

bool loop_watch(struct loop *l, char *err, size_t err_len)
{
	int rc = watch_signals(l);

	if (rc == 0)
		rc = watch_fds(l);
	if (rc == 0)
		rc = uv_prepare_start(&l->prepare, prepare_cb);
	if (rc == 0)
		return true;
	snprintf(err, err_len, "event loop: %s", uv_strerror(rc));
	return false;
}

void loop_run(struct loop *l)
{
	while (!l->stopping)
		uv_run(&l->uv, UV_RUN_ONCE);
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
	uv_stop(&l->uv);
}

/* libuv counts milliseconds from its own idea of now: bring that up to date, and round up, never early. */
void loop_arm(struct loop *l, uint64_t now, uint64_t deadline)
{
	uint64_t ms = 1;

	if (deadline == l->armed)
		return;
	l->armed = 0;
	uv_timer_stop(&l->timer);
	if (deadline == ENGINE_NEVER)
		return;
	if (deadline > now)
		ms = (deadline - now + NS_PER_MS - 1) / NS_PER_MS;
	uv_update_time(&l->uv);
	if (uv_timer_start(&l->timer, timer_cb, ms, 0) == 0)
		l->armed = deadline;
}

void loop_unwatch(struct loop *l)
{
	if (!l)
		return;
	uv_prepare_stop(&l->prepare);
	uv_timer_stop(&l->timer);
	for (int i = 0; i < N_SOURCES; i++) {
		if (l->poll[i].data)
			uv_poll_stop(&l->poll[i]);
	}
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* The control server closes its own handles, whose memory is its own. */
void loop_free(struct loop *l)
{
	if (!l)
		return;
	uv_walk(&l->uv, close_handle, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	if (uv_loop_close(&l->uv) < 0)
		log_warning("event loop did not close");
	free(l);
}
