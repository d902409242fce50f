/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/events.h"
#include "daemon/log.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* One run: three handles, gone when all are closed. */
struct run {
	struct hooks *h;
	struct run *next;
	uv_process_t process;
	uv_timer_t timer;
	uv_pipe_t output;
	unsigned open_handles, lines;
	bool exited, timed_out;
	char event[24]; /* its name, for the log */
	char line[HOOKS_LINE_MAX + 1];
	size_t len;
	char buf[4096];
};

struct hooks {
	uv_loop_t *loop;
	struct counters *counters;
	struct config_hooks config;
	struct run *runs;
	unsigned n_running; /* processes that have not ended */
	struct json_object *queue[HOOKS_QUEUE];
	unsigned first, n_queued;
	bool closing, full_told;
};

static void run_next(struct hooks *h);

/* --- the configuration ---------------------------------------------------- */

static bool named(const char *list, const char *name, size_t len)
{
	for (const char *p = list; *p; p += strspn(p, ",")) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, n) == 0)
			return true;
		p += n;
	}
	return false;
}

void hooks_configure(struct hooks *h, const struct config_hooks *c)
{
	h->config = *c;
	run_next(h);
}

/* --- what it prints ------------------------------------------------------- */

static void tell_line(struct run *r)
{
	r->line[r->len] = '\0';
	if (r->len && ++r->lines <= HOOKS_LINES_MAX)
		log_info("hook (%s): %s", r->event, r->line);
	else if (r->lines == HOOKS_LINES_MAX + 1)
		log_info("hook (%s): it prints more than %d lines; the rest is left out", r->event, HOOKS_LINES_MAX);
	r->len = 0;
}

static void alloc_output(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct run *r = handle->data;

	(void)suggested;
	*buf = uv_buf_init(r->buf, sizeof(r->buf));
}

static void handle_closed(uv_handle_t *handle)
{
	struct run *r = handle->data, **at;
	struct hooks *h = r->h;

	if (--r->open_handles)
		return;
	for (at = &h->runs; *at != r; at = &(*at)->next)
		;
	*at = r->next;
	free(r);
	if (h->closing && !h->runs)
		free(h);
}

static void close_handle(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, handle_closed);
}

static void close_run(struct run *r)
{
	if (r->process.type == UV_PROCESS)
		close_handle((uv_handle_t *)&r->process);
	close_handle((uv_handle_t *)&r->timer);
	close_handle((uv_handle_t *)&r->output);
}

static void got_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct run *r = stream->data;

	for (ssize_t i = 0; i < n; i++) {
		if (buf->base[i] == '\n' || r->len == HOOKS_LINE_MAX)
			tell_line(r);
		if (buf->base[i] != '\n')
			r->line[r->len++] = buf->base[i];
	}
	if (n >= 0)
		return;
	tell_line(r);
	close_handle((uv_handle_t *)stream);
	if (r->exited)
		close_handle((uv_handle_t *)&r->timer);
}

/* --- a run ---------------------------------------------------------------- */

static void timed_out(uv_timer_t *t)
{
	struct run *r = t->data;

	if (r->exited) { /* somebody who left its group keeps the output open */
		close_handle((uv_handle_t *)&r->output);
		close_handle((uv_handle_t *)t);
		return;
	}
	r->timed_out = true;
	kill(-r->process.pid, SIGKILL);
}

static void exited(uv_process_t *p, int64_t status, int sig)
{
	struct run *r = p->data;
	struct hooks *h = r->h;

	r->exited = true;
	h->n_running--;
	kill(-p->pid, SIGKILL); /* whom it left behind */
	if (r->timed_out) {
		count(h->counters, DC_hooks_timed_out);
		log_warning("hook (%s): killed: not done within %llu s, [hooks] time_limit", r->event,
			    (unsigned long long)(h->config.time_limit / NS_PER_S));
	} else if (sig || status) {
		count(h->counters, DC_hooks_failed);
		log_warning("hook (%s): %s: %s %lld", r->event, h->config.command,
			    sig ? "ended by signal" : "exit status", sig ? (long long)sig : (long long)status);
	} else {
		count(h->counters, DC_hooks_done);
	}
	close_handle((uv_handle_t *)p);
	/* What is still in the pipe is read first. */
	if (r->timed_out)
		close_handle((uv_handle_t *)&r->output);
	if (uv_is_closing((uv_handle_t *)&r->output))
		close_handle((uv_handle_t *)&r->timer);
	run_next(h);
}

/* Both outputs in one pipe, so that lines keep their order. */
static int start(struct hooks *h, struct run *r, char **env)
{
	char *args[] = { h->config.command, NULL };
	uv_stdio_container_t stdio[3] = { { .flags = UV_IGNORE },
					  { .flags = UV_INHERIT_FD },
					  { .flags = UV_INHERIT_FD } };
	const uv_process_options_t options = {
		.exit_cb = exited,
		.file = h->config.command,
		.args = args,
		.env = env,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED, /* a group of its own, to be killed whole */
		.stdio_count = 3,
		.stdio = stdio,
	};
	int fd[2], rc;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	stdio[1].data.fd = stdio[2].data.fd = fd[1];
	rc = uv_pipe_open(&r->output, fd[0]);
	if (rc == 0)
		rc = uv_spawn(h->loop, &r->process, &options);
	else
		close(fd[0]);
	close(fd[1]);
	return rc;
}

static void run_hook(struct hooks *h, struct json_object *event)
{
	struct run *r = calloc(1, sizeof(*r));
	char **env = events_fields(event, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	struct json_object *type;
	int rc;

	if (!r || !env) {
		count(h->counters, DC_hooks_failed);
		free(r);
		events_fields_free(env);
		return;
	}
	if (json_object_object_get_ex(event, "type", &type))
		snprintf(r->event, sizeof(r->event), "%s", json_object_get_string(type));
	r->h = h;
	r->process.data = r->timer.data = r->output.data = r;
	uv_timer_init(h->loop, &r->timer);
	uv_pipe_init(h->loop, &r->output, 0);
	r->open_handles = 2;
	r->next = h->runs;
	h->runs = r;
	rc = start(h, r, env);
	events_fields_free(env);
	if (r->process.type == UV_PROCESS) /* also when it could not be run */
		r->open_handles++;
	if (rc == 0) {
		h->n_running++;
		uv_timer_start(&r->timer, timed_out, h->config.time_limit / NS_PER_MS, 0);
		uv_read_start((uv_stream_t *)&r->output, alloc_output, got_output);
		return;
	}
	r->exited = true;
	count(h->counters, DC_hooks_failed);
	log_error("hook (%s): cannot run %s: %s; [hooks] command in the configuration names it", r->event,
		  h->config.command, uv_strerror(rc));
	close_run(r);
}

/* --- events --------------------------------------------------------------- */

static void run_next(struct hooks *h)
{
	while (h->n_queued && !h->closing && h->n_running < h->config.at_once) {
		struct json_object *event = h->queue[h->first];

		h->queue[h->first] = NULL;
		h->first = (h->first + 1) % HOOKS_QUEUE;
		h->n_queued--;
		h->full_told = false;
		if (h->config.command[0])
			run_hook(h, event);
		json_object_put(event);
	}
}

void hooks_event(struct hooks *h, struct json_object *event)
{
	struct json_object *type;
	const char *name;

	if (!h || !h->config.command[0] || !json_object_object_get_ex(event, "type", &type))
		return;
	name = json_object_get_string(type);
	if (!named(h->config.events, name, strlen(name)))
		return;
	if (h->n_queued == HOOKS_QUEUE) {
		count(h->counters, DC_hooks_dropped);
		if (!h->full_told)
			log_warning("hooks: %d events wait already; others are let go until one is done", HOOKS_QUEUE);
		h->full_told = true;
		return;
	}
	h->queue[(h->first + h->n_queued++) % HOOKS_QUEUE] = json_object_get(event);
	run_next(h);
}

struct hooks *hooks_new(uv_loop_t *loop, struct counters *counters)
{
	struct hooks *h = calloc(1, sizeof(*h));

	if (h) {
		h->loop = loop;
		h->counters = counters;
	}
	return h;
}

void hooks_close(struct hooks *h)
{
	if (!h)
		return;
	h->closing = true;
	for (unsigned i = 0; i < HOOKS_QUEUE; i++)
		json_object_put(h->queue[i]);
	for (struct run *r = h->runs; r; r = r->next) {
		if (!r->exited && r->process.pid > 0)
			kill(-r->process.pid, SIGKILL);
		close_run(r);
	}
	if (!h->runs)
		free(h);
}
