/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim6 top: a live view. One connection asks for status and contexts every
 * interval; another follows events, so that a switch shows at once. Each picture
 * is made in memory (top_view.c) and written whole. --once writes one picture,
 * after two looks, to anything.
 */
#include "cli/top.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/terminal.h"

#define INTERVAL_DEFAULT 1.0 /* s */
#define ONCE_COLUMNS 120

struct session {
	struct cli *c;
	struct top top;
	struct control_client *client, *events;
	double interval;
	int in, out;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int look(struct session *s)
{
	struct json_object *status = NULL, *contexts = NULL;
	int code = ask_on(s->c, s->client, "status", NULL, &status);

	if (code == CLI_OK)
		code = ask_some(s->c, s->client, "contexts", NULL, TOP_CONTEXTS, &contexts);
	if (code == CLI_OK) {
		top_update(&s->top, status, contexts, now_s());
		return CLI_OK;
	}
	json_object_put(status);
	return code;
}

/* Those that are there, without waiting. */
static int take_events(struct session *s)
{
	struct json_object *line;
	int err;

	while ((err = control_read(s->events, &line, 0)) == 0) {
		top_event(&s->top, js_get(line, "event"));
		json_object_put(line);
	}
	if (err == -ETIMEDOUT)
		return CLI_OK;
	return complain(s->c, CLI_FAILED, "its log may say why", "the daemon closed the connection");
}

static int subscribe(struct session *s)
{
	struct json_object *args = json_object_new_object(), *nothing;
	int code = ask_connect(s->c, &s->events);

	if (code != CLI_OK) {
		json_object_put(args);
		return code;
	}
	json_object_object_add(args, "since", json_object_new_int(0));
	code = ask_on(s->c, s->events, "events", args, &nothing);
	json_object_put(nothing);
	return code;
}

/* --- the screen ----------------------------------------------------------- */

static int draw(struct session *s)
{
	struct output o = s->c->out;
	unsigned columns, rows;
	size_t len = 0;
	char *text = NULL;

	terminal_size(s->out, &columns, &rows);
	o.f = open_memstream(&text, &len);
	if (!o.f)
		return complain(s->c, CLI_FAILED, NULL, "out of memory");
	fputs("\033[H", o.f);
	top_draw(&s->top, &o, columns, rows, "\033[K");
	fputs("\033[K\033[J", o.f);
	fclose(o.f);
	for (size_t at = 0; at < len;) {
		ssize_t n = write(s->out, text + at, len - at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			break;
	}
	free(text);
	return CLI_OK;
}

/* false: it is to end. */
static bool take_keys(struct session *s)
{
	struct top *t = &s->top;
	int key;

	while ((key = terminal_key(s->in)) != KEY_NONE) {
		size_t page = t->page ? t->page : 1;

		if (key == 'q' || key == KEY_GONE)
			return false;
		if (key == 's')
			t->sort = (t->sort + 1) % TOP_SORTS;
		else if (key == 'r')
			t->reverse = !t->reverse;
		else if (key == KEY_UP)
			t->first -= t->first > 0;
		else if (key == KEY_DOWN)
			t->first++;
		else if (key == KEY_PAGE_UP)
			t->first -= t->first < page ? t->first : page;
		else if (key == KEY_PAGE_DOWN)
			t->first += page;
		else if (key == KEY_HOME)
			t->first = 0;
		else if (key == KEY_END)
			t->first = t->n;
		top_order(t);
	}
	return true;
}

static int live(struct session *s)
{
	double due = now_s();
	int code = CLI_OK;

	while (code == CLI_OK) {
		struct pollfd p[] = { { .fd = s->in, .events = POLLIN },
				      { .fd = control_fd(s->events), .events = POLLIN } };
		double left = due - now_s();

		if (left <= 0) {
			code = look(s);
			due = now_s() + s->interval;
			left = s->interval;
		}
		if (code == CLI_OK)
			code = take_events(s);
		if (code == CLI_OK)
			code = draw(s);
		/* A key, an event, a new size (a signal), or the time. */
		if (code == CLI_OK && poll(p, 2, (int)(left * 1000) + 1) > 0 && p[0].revents && !take_keys(s))
			break;
	}
	return code;
}

/* What is said meanwhile would be lost with the screen: it comes when the terminal is as it was. */
static int run_live(struct session *s)
{
	FILE *err = s->c->err;
	char *said = NULL;
	size_t len = 0;
	int code, rc;

	s->c->err = open_memstream(&said, &len);
	if (!s->c->err) {
		s->c->err = err;
		return complain(s->c, CLI_FAILED, NULL, "out of memory");
	}
	rc = terminal_enter(s->in, s->out);
	if (rc < 0)
		code = complain(s->c, CLI_FAILED, "shim6 top --once", "cannot use the terminal: %s", strerror(-rc));
	else
		code = live(s);
	terminal_leave();
	fclose(s->c->err);
	s->c->err = err;
	fputs(said, err);
	free(said);
	return code;
}

/* Rates need two looks. */
static int run_once(struct session *s)
{
	int code = look(s);

	if (code == CLI_OK) {
		poll(NULL, 0, (int)(s->interval * 1000));
		code = look(s);
	}
	if (code == CLI_OK)
		code = take_events(s);
	if (code == CLI_OK) {
		top_draw(&s->top, &s->c->out, ONCE_COLUMNS, 0, "");
		fputc('\n', s->c->out.f);
	}
	return code;
}

/* --- the verb ------------------------------------------------------------- */

static int read_options(struct session *s)
{
	struct cli *c = s->c;
	char *end;

	s->interval = INTERVAL_DEFAULT;
	if (c->json)
		return complain(c, CLI_USAGE, "shim6 --json contexts has the same", "top prints no JSON");
	if (c->sort && !top_sort_from(c->sort, &s->top.sort))
		return complain(c, CLI_USAGE, "rate, id, peer, switches or idle", "--sort cannot be '%s'", c->sort);
	if (c->interval) {
		s->interval = strtod(c->interval, &end);
		if (*end || !isdigit((unsigned char)*c->interval) || !(s->interval >= 0.1 && s->interval <= 3600))
			return complain(c, CLI_USAGE, "seconds from 0.1 to 3600", "--interval cannot be '%s'",
					c->interval);
	}
	s->in = STDIN_FILENO;
	s->out = fileno(c->out.f);
	if (!c->once && (s->out < 0 || !isatty(s->out) || !isatty(s->in)))
		return complain(c, CLI_USAGE, "shim6 top --once prints one picture", "top needs a terminal");
	return CLI_OK;
}

int run_top(struct cli *c)
{
	struct session s = { .c = c };
	int code = read_options(&s);

	if (code == CLI_OK)
		code = ask_connect(c, &s.client);
	if (code == CLI_OK)
		code = subscribe(&s);
	if (code == CLI_OK)
		code = c->once ? run_once(&s) : run_live(&s);
	if (s.client)
		control_close(s.client);
	if (s.events)
		control_close(s.events);
	top_free(&s.top);
	return code;
}
