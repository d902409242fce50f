// SPDX-License-Identifier: GPL-2.0-or-later
/* Marks of a plot (see report_marks.h). */
#include "lab/report_marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/report_plot.h"

struct raw {
	const struct report_mark *m;
	size_t run;
};

static int by_time(const void *a, const void *b)
{
	const struct raw *x = a, *y = b;

	if (x->m->t != y->m->t)
		return x->m->t < y->m->t ? -1 : 1;
	return (x->run > y->run) - (x->run < y->run);
}

static struct raw *gather(const struct report *r, double span, size_t *n)
{
	struct raw *all;
	size_t most = 0;

	for (size_t i = 0; i < r->n_runs; i++)
		most += r->runs[i].n_marks;
	all = lab_alloc(most * sizeof(*all));
	*n = 0;
	for (size_t i = 0; i < r->n_runs; i++) {
		for (size_t j = 0; j < r->runs[i].n_marks; j++) {
			const struct report_mark *m = &r->runs[i].marks[j];

			if (m->t >= 0 && m->t <= span)
				all[(*n)++] = (struct raw){ m, i };
		}
	}
	if (*n)
		qsort(all, *n, sizeof(*all), by_time);
	return all;
}

/* A fault befalls every run and is told once; what hosts did belongs to their run. */
static bool joins(const struct plot_mark *g, const struct raw *raw, double join)
{
	bool fault = report_mark_is_fault(raw->m->kind);

	if (strcmp(g->kind, raw->m->kind) != 0 || raw->m->t - g->t > join)
		return false;
	return fault ? !strcmp(g->label, raw->m->label) : g->run == raw->run;
}

static bool named(const char *list, const char *host)
{
	size_t len = strlen(host);

	for (const char *p = list; (p = strstr(p, host)); p += len) {
		if ((p == list || p[-1] == ' ') && (p[len] == '\0' || p[len] == ','))
			return true;
	}
	return false;
}

#define ARROW " -> "

/* "switched to A2 -> B2" and "switched to B2 -> A2", as the two hosts tell of one pair */
static bool agree(const char *a, const char *b)
{
	const char *x = strstr(a, ARROW), *y = strstr(b, ARROW);
	size_t x_peer, y_peer;

	if (!strcmp(a, b))
		return true;
	if (!x || !y)
		return false;
	x_peer = strlen(x + strlen(ARROW));
	y_peer = strlen(y + strlen(ARROW));
	return (size_t)(x - a) >= y_peer && (size_t)(y - b) >= x_peer &&
	       x - a - (ptrdiff_t)y_peer == y - b - (ptrdiff_t)x_peer && !strncmp(a, b, (size_t)(x - a) - y_peer) &&
	       !strncmp(x - y_peer, y + strlen(ARROW), y_peer) && !strncmp(y - x_peer, x + strlen(ARROW), x_peer);
}

static void join_one(struct plot_mark *g, const struct report *r, const struct raw *raw)
{
	const struct report_mark *m = raw->m;

	if (raw->run != g->run)
		g->shared = true;
	g->agreed &= agree(g->label, m->label);
	if (*m->host && !named(g->hosts.s ? g->hosts.s : "", m->host))
		strbuf_printf(&g->hosts, "%s%s", g->hosts.len ? ", " : "", m->host);
	strbuf_printf(&g->title, "%s%.3f s, %s: %s%s%s%s%s", g->title.len ? "\n" : "", m->t, r->runs[raw->run].name,
		      *m->host ? m->host : "", *m->host ? " " : "",
		      *m->label && report_mark_is_fault(m->kind) ? m->label : report_mark_word(m->kind),
		      *m->text ? ": " : "", m->text);
}

/* What the label adds to the kind ("switched to A2 -> B2") is told if nobody contradicts. */
static void put_event(struct plot_mark *g)
{
	size_t len = strlen(g->kind);
	const char *arrow = strstr(g->label, ARROW);

	if (!g->agreed || strncmp(g->label, g->kind, len) != 0 || !g->label[len]) {
		strbuf_puts(&g->text, report_mark_word(g->kind));
	} else if (arrow) {
		strbuf_add(&g->text, g->label, (size_t)(arrow - g->label));
		strbuf_printf(&g->text, " \xe2\x86\x92 %s", arrow + strlen(ARROW));
	} else {
		strbuf_puts(&g->text, g->label);
	}
}

static void finish(struct plot_mark *g)
{
	snprintf(g->time, sizeof(g->time), "%.2f s", g->t);
	if (report_mark_is_fault(g->kind) && *g->label) {
		strbuf_puts(&g->text, g->label);
		/* Labels name the fault; that this is its end must be said. */
		if (!strcmp(g->kind, "heal") && !strstr(g->label, "heal") && !strstr(g->label, "repair"))
			strbuf_puts(&g->text, " repaired");
		return;
	}
	put_event(g);
	if (g->hosts.len)
		strbuf_printf(&g->text, " (%s)", g->hosts.s);
}

struct plot_marks plot_marks_collect(const struct report *r, double span, double join)
{
	struct plot_marks out = { 0 };
	size_t n;
	struct raw *all = gather(r, span, &n);

	out.m = lab_alloc(n * sizeof(*out.m));
	for (size_t i = 0; i < n; i++) {
		struct plot_mark *g = NULL;

		for (size_t j = out.n; j-- > 0 && !g;) {
			if (joins(&out.m[j], &all[i], join))
				g = &out.m[j];
		}
		if (!g) {
			g = &out.m[out.n++];
			g->t = all[i].m->t;
			g->kind = all[i].m->kind;
			g->label = all[i].m->label;
			g->run = all[i].run;
			g->agreed = true;
		}
		join_one(g, r, &all[i]);
	}
	for (size_t i = 0; i < out.n; i++)
		finish(&out.m[i]);
	free(all);
	return out;
}

void plot_marks_free(struct plot_marks *m)
{
	for (size_t i = 0; i < m->n; i++) {
		strbuf_free(&m->m[i].hosts);
		strbuf_free(&m->m[i].title);
		strbuf_free(&m->m[i].text);
	}
	free(m->m);
	memset(m, 0, sizeof(*m));
}
