/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates, order and drawing of shim6 top. Nothing here knows of a terminal but its size. */
#include "cli/top.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_COLUMNS 512
#define WIDE 120 /* columns from which on the peer's address in use is shown, too */

static const char *const sort_names[TOP_SORTS] = { "rate", "id", "peer", "switches", "idle" };

const char *top_sort_name(enum top_sort s)
{
	return sort_names[s];
}

bool top_sort_from(const char *name, enum top_sort *out)
{
	for (unsigned i = 0; i < TOP_SORTS; i++) {
		if (strcmp(sort_names[i], name) == 0) {
			*out = (enum top_sort)i;
			return true;
		}
	}
	return false;
}

/* --- looks ---------------------------------------------------------------- */

static double counted(struct json_object *context, const char *name)
{
	return js_number(js_get(context, "counters"), name);
}

/* Both lists are in the order of ids. A counter that went back is of another life. */
static double rate(struct json_object *before, struct json_object *now, const char *name, double seconds)
{
	double d = counted(now, name) - counted(before, name);

	return seconds > 0 && d >= 0 ? d / seconds : 0;
}

static void compare_looks(struct top *t, struct json_object *old, double seconds)
{
	size_t k = 0, n_old = js_length(old);

	t->rx = t->tx = 0;
	for (size_t i = 0; i < t->n; i++) {
		struct json_object *now = json_object_array_get_idx(t->contexts, i);
		struct top_row *r = &t->rows[i];

		*r = (struct top_row){ .context = now, .rx = -1, .tx = -1 };
		while (k < n_old && js_number(json_object_array_get_idx(old, k), "id") < js_number(now, "id"))
			k++;
		if (k == n_old || js_number(json_object_array_get_idx(old, k), "id") != js_number(now, "id"))
			continue;
		r->rx = rate(json_object_array_get_idx(old, k), now, "rx_bytes", seconds);
		r->tx = rate(json_object_array_get_idx(old, k), now, "tx_bytes", seconds);
		t->rx += r->rx;
		t->tx += r->tx;
	}
}

void top_update(struct top *t, struct json_object *status, struct json_object *contexts, double when)
{
	struct json_object *old = t->contexts;

	json_object_put(t->status);
	free(t->rows);
	t->status = status;
	t->contexts = contexts;
	t->n = js_length(contexts);
	t->rows = calloc(t->n + 1, sizeof(*t->rows));
	if (!t->rows)
		abort();
	compare_looks(t, old, when - t->when);
	t->when = when;
	json_object_put(old);
	top_order(t);
}

void top_event(struct top *t, struct json_object *event)
{
	static const char *const kinds[] = { "switched", "recovered", "exploring", "failed" };
	const char *type = js_text(event, "type");
	bool wanted = false;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		wanted = wanted || strcmp(kinds[i], type) == 0;
	if (!wanted)
		return;
	if (t->n_events == TOP_EVENTS)
		json_object_put(t->events[--t->n_events]);
	memmove(t->events + 1, t->events, t->n_events * sizeof(t->events[0]));
	t->events[0] = json_object_get(event);
	t->n_events++;
}

void top_free(struct top *t)
{
	json_object_put(t->status);
	json_object_put(t->contexts);
	free(t->rows);
	for (unsigned i = 0; i < t->n_events; i++)
		json_object_put(t->events[i]);
}

/* --- order ---------------------------------------------------------------- */

static int by_number(double a, double b)
{
	return (a > b) - (a < b);
}

/* What is most worth looking at comes first. */
static int order(const void *x, const void *y, void *arg)
{
	const struct top_row *a = x, *b = y;
	const struct top *t = arg;
	int c = 0;

	switch (t->sort) {
	case TOP_BY_RATE:
		c = by_number(b->rx + b->tx, a->rx + a->tx);
		break;
	case TOP_BY_PEER:
		c = strcmp(js_text(js_get(a->context, "ulid"), "peer"), js_text(js_get(b->context, "ulid"), "peer"));
		break;
	case TOP_BY_SWITCHES:
		c = by_number(counted(b->context, "switches"), counted(a->context, "switches"));
		break;
	case TOP_BY_IDLE:
		c = by_number(js_number(a->context, "idle_s"), js_number(b->context, "idle_s"));
		break;
	case TOP_BY_ID:
	case TOP_SORTS:
		break;
	}
	if (!c)
		c = by_number(js_number(a->context, "id"), js_number(b->context, "id"));
	return t->reverse ? -c : c;
}

void top_order(struct top *t)
{
	qsort_r(t->rows, t->n, sizeof(t->rows[0]), order, t);
}

/* --- drawing -------------------------------------------------------------- */

struct drawing {
	const struct output *o;
	unsigned columns, left; /* lines that still fit; UINT_MAX: all */
	const char *end;
	bool first;
};

__attribute__((format(printf, 3, 4))) static void line(struct drawing *d, enum ink ink, const char *fmt, ...)
{
	char text[LINE_MAX_COLUMNS + 1];
	va_list ap;

	if (!d->left)
		return;
	d->left--;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (d->columns < sizeof(text))
		text[d->columns] = '\0';
	for (size_t n = strlen(text); n && text[n - 1] == ' '; n--)
		text[n - 1] = '\0';
	for (char *p = text; *p; p++) { /* one octet, one column; and no line has two */
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	}
	if (!d->first)
		fprintf(d->o->f, "%s\n", d->end);
	d->first = false;
	put(d->o, ink, "%s", text);
}

/* "12.3M": bits per second in at most 6 characters. */
static struct text bits(double octets)
{
	static const char units[] = " kMGTP";
	double v = octets * 8;
	struct text t;
	unsigned i = 0;

	if (octets < 0) {
		snprintf(t.s, sizeof(t.s), "-");
		return t;
	}
	for (; v >= 999.5 && units[i + 1]; i++)
		v /= 1000;
	snprintf(t.s, sizeof(t.s), i && v < 99.95 ? "%.1f%.1s" : "%.0f%.1s", v, i ? &units[i] : "");
	return t;
}

static struct text short_time(double s)
{
	struct text t;

	if (s < 100)
		snprintf(t.s, sizeof(t.s), "%.0fs", s);
	else if (s < 100 * 60)
		snprintf(t.s, sizeof(t.s), "%.0fm", s / 60);
	else if (s < 100.0 * 3600)
		snprintf(t.s, sizeof(t.s), "%.0fh", s / 3600);
	else
		snprintf(t.s, sizeof(t.s), "%.0fd", s < 86400e4 ? s / 86400 : 9999);
	return t;
}

/* "~" in place of what does not fit. */
static struct text cut(const char *s, size_t width)
{
	struct text t;

	snprintf(t.s, sizeof(t.s), "%.*s", (int)(width < sizeof(t.s) ? width : sizeof(t.s) - 1), s);
	if (strlen(s) > width && width)
		t.s[width - 1] = '~';
	return t;
}

static const char *interface_of(struct json_object *status, const char *address)
{
	struct json_object *list = js_get(status, "locators");

	for (size_t i = 0; i < js_length(list); i++) {
		struct json_object *l = json_object_array_get_idx(list, i);

		if (strcmp(js_text(l, "addr"), address) == 0)
			return js_text(l, "ifname");
	}
	return "?";
}

static void draw_head(struct top *t, struct drawing *d)
{
	struct json_object *s = t->status, *list = js_get(s, "locators");
	char uplinks[LINE_MAX_COLUMNS] = "";
	bool down = false;
	size_t at = 0;

	line(d, INK_BOLD, "shim6 top: shim6d %s, up %s; contexts: %.0f, %.0f established, %.0f exploring",
	     js_text(s, "version"), short_time(js_number(s, "uptime_s")).s, js_number(s, "contexts"),
	     js_number(s, "established"), js_number(s, "exploring"));
	for (size_t i = 0; i < js_length(list) && at < sizeof(uplinks); i++) {
		struct json_object *l = json_object_array_get_idx(list, i);
		bool up = js_bool(l, "up");

		down = down || !up;
		at += (size_t)snprintf(uplinks + at, sizeof(uplinks) - at, "%s%s %s", i ? ", " : "",
				       cut(js_text(l, "ifname"), 15).s, up ? "up" : "DOWN");
	}
	line(d, down ? INK_BAD : INK_NONE, "uplinks: %s", *uplinks ? uplinks : "no locators");
	line(d, INK_NONE, "traffic: %sbit/s in, %sbit/s out%s", bits(t->rx).s, bits(t->tx).s,
	     js_number(s, "contexts") > (double)t->n ? "; the oldest contexts only" : "");
}

static void draw_row(struct top *t, struct drawing *d, const struct top_row *r)
{
	struct json_object *c = r->context, *current = js_get(c, "current");
	const char *state = js_text(c, "state"), *reap = js_text(c, "reap");
	bool established = strcmp(state, "ESTABLISHED") == 0, works = strcmp(reap, "Operational") == 0;
	bool moved = js_bool(c, "rewritten");
	int peer = d->columns >= WIDE ? 39 : 25;
	char id[24], uplink[200];

	snprintf(id, sizeof(id), "%.0f", js_number(c, "id"));
	snprintf(uplink, sizeof(uplink), "%s%s", cut(interface_of(t->status, js_text(current, "local")), 8).s,
		 moved ? "*" : "");
	line(d,
	     !established ? INK_DIM
	     : !works	  ? INK_BAD
	     : moved	  ? INK_WARN
			  : INK_NONE,
	     "%6s %-*s %-9s %-9s %6s %6s %4.0f %4s  %s", cut(id, 6).s, peer,
	     cut(js_text(js_get(c, "ulid"), "peer"), (size_t)peer).s,
	     cut(!established ? state
		 : works      ? "works"
			      : reap,
		 9)
		     .s,
	     uplink, bits(r->rx).s, bits(r->tx).s, counted(c, "switches"), short_time(js_number(c, "idle_s")).s,
	     d->columns >= WIDE ? js_text(current, "peer") : "");
}

static void draw_contexts(struct top *t, struct drawing *d, size_t room)
{
	int peer = d->columns >= WIDE ? 39 : 25;

	line(d, INK_TITLE, "%6s %-*s %-9s %-9s %6s %6s %4s %4s  %s", "ID", peer, "PEER", "PATH", "UPLINK", "IN", "OUT",
	     "SW", "IDLE", d->columns >= WIDE ? "PEER'S ADDRESS IN USE" : "");
	if (t->first + room > t->n)
		t->first = t->n > room ? t->n - room : 0;
	t->page = room;
	for (size_t i = 0; i < room; i++) {
		if (t->first + i < t->n)
			draw_row(t, d, &t->rows[t->first + i]);
		else if (i == 0)
			line(d, INK_DIM,
			     "no contexts: sessions between two hosts with shim6d get one after some packets");
		else
			line(d, INK_NONE, "%s", "");
	}
}

/* How a switch went, in few words: the uplinks, or that the peer's address changed. */
static void put_move(struct top *t, struct json_object *e, char *out, size_t len)
{
	struct json_object *from = js_get(e, "from"), *to = js_get(e, "to");
	const char *was = js_text(from, "local"), *is = js_text(to, "local");

	out[0] = '\0';
	if (!to)
		return;
	if (strcmp(was, is) != 0)
		snprintf(out, len, "%s -> %s in %s: ", interface_of(t->status, was), interface_of(t->status, is),
			 text_ms(js_number(e, "took_ms")).s);
	else
		snprintf(out, len, "%sin %s: ",
			 strcmp(js_text(from, "peer"), js_text(to, "peer")) != 0 ? "to another address of the peer "
										 : "",
			 text_ms(js_number(e, "took_ms")).s);
}

/* The time of day is enough: the clock of the log, UTC. */
static void draw_events(struct top *t, struct drawing *d, size_t room)
{
	line(d, INK_TITLE, "RECENT SWITCHES AND FAILURES (UTC)");
	for (size_t i = 0; i < room; i++) {
		struct json_object *e = i < t->n_events ? t->events[i] : NULL;
		const char *time = strchr(js_text(e, "time"), 'T');
		char move[512], id[24];

		if (!e) {
			line(d, INK_DIM, "%s", i ? "" : "none");
			continue;
		}
		put_move(t, e, move, sizeof(move));
		snprintf(id, sizeof(id), "%.0f", js_number(e, "id"));
		line(d, INK_NONE, "%.8s %6s %-9s %s%s", time ? time + 1 : "", cut(id, 6).s, js_text(e, "type"), move,
		     js_text(e, "reason"));
	}
}

void top_draw(struct top *t, const struct output *o, unsigned columns, unsigned rows, const char *end)
{
	struct drawing d = { .o = o, .columns = columns, .left = rows ? rows : UINT32_MAX, .end = end, .first = true };
	size_t events = rows ? rows / 4 : (t->n_events ? t->n_events : 1);
	/* three lines of head, two titles, the keys */
	size_t contexts = rows ? (rows > events + 6 ? rows - events - 6 : 1) : (t->n ? t->n : 1);

	draw_head(t, &d);
	draw_contexts(t, &d, contexts);
	if (!rows || d.left > 2)
		draw_events(t, &d, rows && d.left < events + 2 ? d.left - 2 : events);
	if (rows)
		line(&d, INK_DIM, "q quit  s sort: %s%s  r reverse  arrows scroll  * not on its own addresses",
		     top_sort_name(t->sort), t->reverse ? ", reversed" : "");
}
