// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of streams and of what happened (see report_tables.h). */
#include "lab/report_tables.h"

#include <stdlib.h>
#include <string.h>

#include "lab/report_html.h"
#include "lab/report_plot.h"

#define STEP_SILENCES 6 /* of one stream, the longest ones */

void report_run_name(struct strbuf *b, const struct report *r, size_t run)
{
	html(b, "<span class=\"run r%zu\"><svg width=\"22\" height=\"6\" viewBox=\"0 0 22 6\" aria-hidden=\"true\">",
	     run % REPORT_RUN_COLORS);
	report_plot_key(b, run, 0, 3);
	html(b, "</svg>%s</span>", r->runs[run].name);
}

/* --- words ------------------------------------------------------------------ */

bool report_silence_lasts(const struct report *r, const struct report_stream *s, const struct report_silence *silence)
{
	for (size_t i = 0; i < s->n_buckets; i++) {
		if ((double)(s->buckets[i].index + 1) * r->bucket > silence->end)
			return false;
	}
	return true;
}

static bool silent_at_end(const struct report *r, const struct report_stream *s)
{
	for (size_t i = 0; i < s->n_silences; i++) {
		if (report_silence_lasts(r, s, &s->silences[i]))
			return true;
	}
	return false;
}

double report_longest_silence(const struct report_stream *s)
{
	double most = s->longest_silence < 0 ? 0 : s->longest_silence;

	for (size_t i = 0; i < s->n_silences && s->longest_silence < 0; i++) {
		if (s->silences[i].end - s->silences[i].start > most)
			most = s->silences[i].end - s->silences[i].start;
	}
	return most;
}

static const char *outcome_eof(const struct report_stream *s)
{
	static const char *const text[] = {
		[REPORT_INTACT_UNKNOWN] = "ended normally",
		[REPORT_INTACT] = "complete and intact",
		[REPORT_DAMAGED] = "ended, but not intact",
	};

	return text[s->intact];
}

const char *report_outcome(const struct report *r, const struct report_stream *s)
{
	if (!strcmp(s->end, "eof"))
		return outcome_eof(s);
	if (*report_end_word(s->end))
		return report_end_word(s->end);
	if (!s->n_buckets)
		return "nothing arrived";
	if (silent_at_end(r, s))
		return "silent to the end";
	return s->intact == REPORT_DAMAGED ? "damaged" : "running to the end";
}

/* --- streams ---------------------------------------------------------------- */

static void count_cell(struct strbuf *b, const struct report_count *c)
{
	strbuf_puts(b, "<td class=\"n\">");
	if (c->known)
		html_number(b, c->n);
	else
		strbuf_puts(b, "\xe2\x80\x93");
	strbuf_puts(b, "</td>");
}

static void bytes_cell(struct strbuf *b, const struct report_count *c)
{
	char text[32];

	if (!c->known) {
		count_cell(b, c);
		return;
	}
	text_bytes(text, sizeof(text), (double)c->n);
	html(b, "<td class=\"n\" title=\"%llu octets\">%s</td>", (unsigned long long)c->n, text);
}

static void intact_cell(struct strbuf *b, const struct report_stream *s)
{
	static const char *const class[] = { "dim", "ok", "no" }, *const text[] = { "not compared", "yes", "no" };

	html(b, "<td class=\"now %s\">%s</td>", class[s->intact], text[s->intact]);
}

static bool any_numbered(const struct report *r)
{
	for (size_t i = 0; i < r->n_runs; i++) {
		for (size_t j = 0; j < r->runs[i].n_streams; j++) {
			const struct report_stream *s = &r->runs[i].streams[j];

			if (s->sent.known || s->lost.known || s->duplicates.known || s->reordered.known)
				return true;
		}
	}
	return false;
}

static void stream_row(struct strbuf *b, const struct report *r, size_t run, const struct report_stream *s,
		       bool numbered)
{
	char span[32];

	strbuf_puts(b, "<td>");
	report_run_name(b, r, run);
	text_span(span, sizeof(span), report_longest_silence(s));
	html(b, "</td><td class=\"n\"><b>%s</b></td>", span);
	bytes_cell(b, &s->bytes);
	if (numbered) {
		count_cell(b, &s->sent);
		count_cell(b, &s->received);
		count_cell(b, &s->lost);
		count_cell(b, &s->duplicates);
		count_cell(b, &s->reordered);
	}
	html(b, "<td class=\"now\">%s</td>", report_outcome(r, s));
	intact_cell(b, s);
}

static void stream_group(struct strbuf *b, const struct report *r, const struct report_stream **row, bool numbered)
{
	bool first = true;

	for (size_t i = 0; i < r->n_runs; i++) {
		if (!row[i])
			continue;
		if (first)
			html(b, "<tr class=\"group\"><th colspan=\"%d\" scope=\"rowgroup\">%s</th></tr>\n",
			     numbered ? 10 : 5, row[i]->name);
		first = false;
		strbuf_puts(b, "<tr>");
		stream_row(b, r, i, row[i], numbered);
		strbuf_puts(b, "</tr>\n");
	}
}

void report_streams_table(struct strbuf *b, const struct report *r)
{
	size_t n;
	const struct report_stream **groups = report_groups(r, &n);
	bool numbered = any_numbered(r);

	strbuf_puts(b, "<div class=\"wide\"><table>\n<thead><tr><th>Run</th><th class=\"n\">Longest silence</th>"
		       "<th class=\"n\">Bytes</th>");
	if (numbered)
		strbuf_puts(b, "<th class=\"n\">Sent</th><th class=\"n\">Received</th><th class=\"n\">Lost</th>"
			       "<th class=\"n\">Duplicates</th><th class=\"n\">Reordered</th>");
	strbuf_puts(b, "<th>End</th><th>Intact</th></tr></thead>\n<tbody>\n");
	for (size_t g = 0; g < n; g++)
		stream_group(b, r, groups + g * r->n_runs, numbered);
	strbuf_puts(b, "</tbody></table></div>\n");
	html(b, "<p class=\"hint\">%sIntact: what arrived has the SHA-256 of what was sent.</p>\n",
	     numbered ? "Sent, received, lost, duplicates, reordered: numbered datagrams. " : "");
	free(groups);
}

/* --- what happened ---------------------------------------------------------- */

struct step {
	double t;
	const struct report_mark *mark; /* or a silence: */
	const struct report_stream *stream;
	double silence; /* > 0: it ended after that; 0: it began */
};

static int by_time(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	return (x->t > y->t) - (x->t < y->t);
}

static int by_length(const void *a, const void *b)
{
	const struct report_silence *x = a, *y = b;
	double dx = x->end - x->start, dy = y->end - y->start;

	return (dx < dy) - (dx > dy);
}

/* The longest silences of a stream, two steps each unless the silence lasts. */
static size_t add_silences(struct step *out, const struct report *r, const struct report_stream *s)
{
	struct report_silence *all = lab_alloc(s->n_silences * sizeof(*all));
	size_t n = 0;

	if (s->n_silences) {
		memcpy(all, s->silences, s->n_silences * sizeof(*all));
		qsort(all, s->n_silences, sizeof(*all), by_length);
	}
	for (size_t i = 0; i < s->n_silences && i < STEP_SILENCES; i++) {
		out[n++] = (struct step){ .t = all[i].start, .stream = s };
		if (!report_silence_lasts(r, s, &all[i]))
			out[n++] = (struct step){ .t = all[i].end, .stream = s, .silence = all[i].end - all[i].start };
	}
	free(all);
	return n;
}

static struct step *collect_steps(const struct report *r, const struct report_run *run, size_t *n)
{
	size_t most = run->n_marks;
	struct step *steps;

	*n = 0;
	for (size_t i = 0; i < run->n_streams; i++)
		most += 2 * STEP_SILENCES;
	steps = lab_alloc(most * sizeof(*steps));
	for (size_t i = 0; i < run->n_marks; i++)
		steps[(*n)++] = (struct step){ .t = run->marks[i].t, .mark = &run->marks[i] };
	for (size_t i = 0; i < run->n_streams; i++)
		*n += add_silences(steps + *n, r, &run->streams[i]);
	if (*n)
		qsort(steps, *n, sizeof(*steps), by_time);
	return steps;
}

static void step_mark(struct strbuf *b, const struct report_mark *m, size_t run)
{
	bool fault = report_mark_is_fault(m->kind);

	strbuf_puts(b, "<td class=\"sg\">");
	if (fault)
		strbuf_puts(b, "<svg class=\"mark\" ");
	else
		html(b, "<svg class=\"mark r%zu\" ", run % REPORT_RUN_COLORS);
	strbuf_puts(b, "width=\"14\" height=\"14\" viewBox=\"-7 -7 14 14\" aria-hidden=\"true\">");
	report_plot_sign(b, m->kind, 0, 0);
	html(b, "</svg></td><td>%s</td><td class=\"now\"><b>%s</b></td><td>", m->host, report_mark_word(m->kind));
	html(b, "%s</td>", *m->text ? m->text : m->label);
}

static void step_silence(struct strbuf *b, const struct step *s)
{
	char span[32];

	if (s->silence > 0) {
		text_span(span, sizeof(span), s->silence);
		html(b, "<td></td><td></td><td class=\"now\">data again</td><td>%s, after %s</td>", s->stream->name,
		     span);
	} else {
		html(b, "<td></td><td></td><td class=\"now\">silence begins</td><td>%s</td>", s->stream->name);
	}
}

static void step_row(struct strbuf *b, const struct step *s, const struct report_mark *fault, size_t run)
{
	html(b, s->mark ? "<tr><td class=\"n\">%.3f s</td>" : "<tr class=\"minor\"><td class=\"n\">%.3f s</td>", s->t);
	if (fault)
		html(b, "<td class=\"n\">+%.3f s</td>", s->t - fault->t);
	else
		strbuf_puts(b, "<td></td>");
	if (s->mark)
		step_mark(b, s->mark, run);
	else
		step_silence(b, s);
	strbuf_puts(b, "</tr>\n");
}

void report_steps_table(struct strbuf *b, const struct report *r, size_t number)
{
	const struct report_run *run = &r->runs[number];
	const struct report_mark *fault = NULL;
	size_t n, left_out = 0;
	struct step *steps = collect_steps(r, run, &n);

	if (!n) {
		strbuf_puts(b, "<p class=\"dim\">Nothing but the streams was recorded.</p>\n");
		free(steps);
		return;
	}
	strbuf_puts(b, "<div class=\"wide\"><table class=\"steps\">\n<thead><tr><th class=\"n\">Time</th>"
		       "<th class=\"n\">Since fault or repair</th><th></th><th>Host</th><th>What</th><th>Details</th>"
		       "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < n; i++) {
		step_row(b, &steps[i], fault, number);
		if (steps[i].mark && report_mark_is_fault(steps[i].mark->kind))
			fault = steps[i].mark;
	}
	strbuf_puts(b, "</tbody></table></div>\n");
	for (size_t i = 0; i < run->n_streams; i++) {
		if (run->streams[i].n_silences > STEP_SILENCES)
			left_out += run->streams[i].n_silences - STEP_SILENCES;
	}
	if (left_out)
		html(b, "<p class=\"hint\">Shorter silences left out here: %zu.</p>\n", left_out);
	free(steps);
}
