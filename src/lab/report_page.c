// SPDX-License-Identifier: GPL-2.0-or-later
/* The page (see report_page.h). What matters most comes first: how each run went, then the pictures, then the proof. */
#include "lab/report_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/measure.h"
#include "lab/report_html.h"
#include "lab/report_plot.h"
#include "lab/report_style.h"
#include "lab/report_tables.h"
#include "lab/report_topo.h"

#define DOT "\xc2\xb7"
#define ARROW "\xe2\x86\x92"
#define DASH "\xe2\x80\x93"

static const char *title_of(const struct report *r)
{
	return *r->title ? r->title : "shim6 lab";
}

static void head(struct strbuf *b, const struct report *r)
{
	const char *parts[][2] = { { "", r->when }, { "Linux ", r->kernel }, { "shim6 ", r->version } };
	bool first = true;

	/* Nothing may be fetched: the policy makes the browser see to it. */
	html(b,
	     "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
	     "<meta charset=\"utf-8\"/>\n"
	     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	     "'unsafe-inline'\"/>\n"
	     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>%s</title>\n<style>\n",
	     title_of(r));
	strbuf_puts(b, report_style);
	html(b, "</style>\n</head>\n<body>\n<header>\n<h1>%s</h1>\n<p class=\"by\">", title_of(r));
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (!*parts[i][1])
			continue;
		html(b, "%s%s%s", first ? "" : " " DOT " ", parts[i][0], parts[i][1]);
		first = false;
	}
	strbuf_puts(b, "</p>\n");
}

/* --- summary ---------------------------------------------------------------- */

static void summary_stream(struct strbuf *b, const struct report *r, const struct report_stream *s)
{
	char span[32];

	text_span(span, sizeof(span), report_longest_silence(s));
	html(b, "%s: ", s->name);
	if (s->n_silences || report_longest_silence(s) > 0)
		html(b, "at most %s of silence, ", span);
	html(b, "%s", report_outcome(r, s));
	if (!s->lost.known)
		return;
	strbuf_puts(b, ", ");
	html_number(b, s->lost.n);
	if (s->sent.known) {
		strbuf_puts(b, " of ");
		html_number(b, s->sent.n);
	}
	strbuf_puts(b, " packets lost");
}

static void summary(struct strbuf *b, const struct report *r)
{
	for (size_t i = 0; i < r->n_runs; i++) {
		const struct report_run *run = &r->runs[i];

		html(b, "<p class=\"lead r%zu\"><b>%s</b> " DASH " ", i % REPORT_RUN_COLORS, run->name);
		for (size_t k = 0; k < run->n_streams; k++) {
			strbuf_puts(b, k ? "; " : "");
			summary_stream(b, r, &run->streams[k]);
		}
		strbuf_puts(b, run->n_streams ? ".</p>\n" : "no stream was measured.</p>\n");
	}
}

static void verdicts(struct strbuf *b, const struct report *r)
{
	size_t ok = 0, n = r->n_verdicts;

	if (!n)
		return;
	for (size_t i = 0; i < n; i++)
		ok += r->verdicts[i].ok;
	if (ok == n)
		html(b, "<p class=\"total ok\">%zu of %zu checks passed.</p>\n", ok, n);
	else
		html(b, "<p class=\"total no\">%zu of %zu checks failed.</p>\n", n - ok, n);
	strbuf_puts(b, "<ul class=\"verdicts\">\n");
	for (size_t i = 0; i < n; i++) {
		const struct report_verdict *v = &r->verdicts[i];

		html(b,
		     "<li class=\"%s\"><svg width=\"14\" height=\"14\" viewBox=\"-7 -7 14 14\" role=\"img\" "
		     "aria-label=\"%s\">",
		     v->ok ? "ok" : "no", v->ok ? "passed" : "failed");
		report_plot_sign(b, v->ok ? "heal" : "fail", 0, 0);
		html(b, "</svg>%s%s</li>\n", v->ok ? "" : "Failed: ", v->text);
	}
	strbuf_puts(b, "</ul>\n");
}

/* --- plots ------------------------------------------------------------------ */

/* "B>A" */
static void put_direction(struct strbuf *b, const char *direction)
{
	size_t from = strcspn(direction, ">");
	char *first = strndup(direction, from);

	if (first && direction[from])
		html(b, ", %s " ARROW " %s", first, direction + from + 1);
	else
		html(b, ", %s", direction);
	free(first);
}

static void figure(struct strbuf *b, const struct report *r, const struct report_stream **row, unsigned number)
{
	const struct report_stream *s = NULL;
	char resolution[32];

	for (size_t i = 0; i < r->n_runs && !s; i++)
		s = row[i];
	text_span(resolution, sizeof(resolution), report_plot_resolution(r));
	html(b, "<figure>\n<h2>%s</h2>\n<div class=\"hint\">Rate at the receiver", s->name);
	if (*s->direction)
		put_direction(b, s->direction);
	html(b, "</div>\n<div class=\"wide\">\n");
	report_plot(b, r, row, number);
	html(b,
	     "</div>\n<figcaption>Each point is the mean over %s. Shaded: nothing arrived. Bars below: when data came "
	     "in each run.</figcaption>\n</figure>\n",
	     resolution);
}

static void figures(struct strbuf *b, const struct report *r)
{
	size_t n;
	const struct report_stream **groups = report_groups(r, &n);

	for (size_t g = 0; g < n; g++)
		figure(b, r, groups + g * r->n_runs, (unsigned)g);
	free(groups);
}

/* --- tables ----------------------------------------------------------------- */

static void run_heading(struct strbuf *b, const struct report *r, size_t run)
{
	strbuf_puts(b, "<h3>");
	report_run_name(b, r, run);
	strbuf_puts(b, "</h3>\n");
}

static void steps(struct strbuf *b, const struct report *r)
{
	strbuf_puts(b, "<section>\n<h2>What happened, to the millisecond</h2>\n");
	for (size_t i = 0; i < r->n_runs; i++) {
		run_heading(b, r, i);
		report_steps_table(b, r, i);
	}
	strbuf_puts(b, "</section>\n");
}

static void hosts(struct strbuf *b, const struct report *r)
{
	bool any = false;

	for (size_t i = 0; i < r->n_runs; i++) {
		if (!r->runs[i].n_hosts)
			continue;
		if (!any)
			strbuf_puts(b, "<section>\n<h2>What the hosts knew at the end</h2>\n");
		any = true;
		if (r->n_runs > 1)
			run_heading(b, r, i);
		report_hosts(b, &r->runs[i]);
	}
	if (any)
		strbuf_puts(b, "</section>\n");
}

/* --- how it was measured ---------------------------------------------------- */

static void drops(struct strbuf *b, const struct report *r)
{
	bool any = false;

	for (size_t i = 0; i < r->n_runs; i++)
		any |= r->runs[i].n_drops > 0;
	if (!any)
		return;
	strbuf_puts(b, "<dt>Ingress filtering</dt><dd>A provider drops packets that carry the prefix of another one "
		       "(BCP 38). Dropped: ");
	for (size_t i = 0; i < r->n_runs; i++) {
		if (!r->runs[i].n_drops)
			continue;
		html(b, "<br/>%s: ", r->runs[i].name);
		for (size_t k = 0; k < r->runs[i].n_drops; k++) {
			const struct report_drops *d = &r->runs[i].drops[k];

			html(b, "%s%s ", k ? ", " : "", d->provider);
			if (d->packets.known)
				html_number(b, d->packets.n);
			else
				strbuf_puts(b, "not told");
		}
	}
	strbuf_puts(b, "</dd>\n");
}

static void measured(struct strbuf *b, const struct report *r)
{
	char bucket[32], silence[32], duration[32];

	text_span(bucket, sizeof(bucket), r->bucket);
	text_span(silence, sizeof(silence), (double)MEASURE_SILENCE_NS / 1e9);
	text_span(duration, sizeof(duration), r->duration);
	strbuf_puts(b, "<section>\n<h2>How it was measured</h2>\n");
	strbuf_puts(b,
		    "<p>Each host, each provider's router and the core is a network namespace of its own on one "
		    "machine, so that every time is of one clock. The crossed place failed.</p>\n<div class=\"wide\">");
	report_topo(b, r);
	html(b,
	     "</div>\n<dl>\n<dt>Measured at</dt><dd>the receiver: bytes per %s; a silence is a time of at least %s "
	     "in which nothing arrived, told to the millisecond</dd>\n",
	     bucket, silence);
	html(b, "<dt>Length of a run</dt><dd>%s</dd>\n", duration);
	if (r->send_timeout >= 0)
		html(b,
		     "<dt>Send Timeout</dt><dd>%g s: how long a host that sends hears nothing before it looks for "
		     "another pair (RFC 5534)</dd>\n",
		     r->send_timeout);
	if (r->delay_ms >= 0)
		html(b, "<dt>Delay</dt><dd>%g ms each way at every provider</dd>\n", r->delay_ms);
	drops(b, r);
	if (*r->kernel)
		html(b, "<dt>Kernel</dt><dd>%s</dd>\n", r->kernel);
	if (*r->version)
		html(b, "<dt>shim6</dt><dd>%s</dd>\n", r->version);
	if (*r->when)
		html(b, "<dt>Date</dt><dd>%s</dd>\n", r->when);
	strbuf_puts(b, "</dl>\n</section>\n");
}

void report_page(struct strbuf *b, const struct report *r)
{
	head(b, r);
	summary(b, r);
	verdicts(b, r);
	strbuf_puts(b, "</header>\n<main>\n");
	figures(b, r);
	strbuf_puts(b, "<section>\n<h2>What arrived</h2>\n");
	report_streams_table(b, r);
	strbuf_puts(b, "</section>\n");
	steps(b, r);
	hosts(b, r);
	measured(b, r);
	strbuf_puts(b, "</main>\n</body>\n</html>\n");
}
