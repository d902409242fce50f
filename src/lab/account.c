// SPDX-License-Identifier: GPL-2.0-or-later
/* The live account, one line for each thing that happens, and the table at the end. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/topology.h"
#include "lab/trial.h"

#define RUN_WIDTH 15
#define CELL_WIDTH 56

enum ink {
	INK_NONE,
	INK_BAD,
	INK_GOOD,
	INK_BOLD
};

static bool colored(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no);
}

static const char *ink(enum ink i)
{
	static const char *const codes[] = { "", "\033[31m", "\033[32m", "\033[1m" };
	return colored() ? codes[i] : "";
}

static const char *plain(void)
{
	return colored() ? "\033[0m" : "";
}

static void put(const struct trial *t, double at, const struct run *r, enum ink color, const char *text)
{
	if (t->setup->quiet)
		return;
	printf("%7.2f s  ", at);
	if (t->n_runs > 1)
		printf("%-*s", RUN_WIDTH, r ? r->name : "");
	printf("%s%s%s\n", ink(color), text, plain());
	fflush(stdout);
}

void account(const struct trial *t, double at, const struct run *r, const char *fmt, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(t, at, r, INK_NONE, text);
}

void account_begin(const struct trial *t)
{
	const struct run *r = &t->runs[0];
	char rate[32];

	if (t->setup->quiet)
		return;
	printf("%s%s%s\n\n", ink(INK_BOLD), t->plan.title, plain());
	printf("Host A has the providers A1 and A2, host B has B1 and B2.");
	if (t->setup->with_shim6)
		printf(" Send Timeout %.0f s.", t->send_timeout);
	if (t->setup->delay_ms)
		printf(" Each provider takes %u ms each way.", t->setup->delay_ms);
	printf("\nSessions use A1 and B1:");
	for (unsigned i = 0; i < r->n_flows; i++)
		printf("%s %s (%s)", i ? "," : "", r->flows[i].s.name, r->flows[i].s.direction);
	text_rate(rate, sizeof(rate), (double)t->setup->rate * 8);
	printf("; TCP %s.\nThis takes %.0f s.\n\n", t->setup->rate ? rate : "at full speed", t->plan.duration);
	fflush(stdout);
}

void account_mark(const struct trial *t, const struct run *r, const struct mark *m)
{
	enum ink color = !strcmp(m->kind, "fail") ? INK_BAD : !strcmp(m->kind, "switched") ? INK_GOOD : INK_NONE;
	char text[560];

	if (m->host)
		snprintf(text, sizeof(text), "shim6d of %c: %s", m->host, m->text);
	else
		snprintf(text, sizeof(text), "*** %s", m->text);
	put(t, m->t, m->host ? r : NULL, color, text);
}

/* The direction is told only where there are two. */
static const char *label(const struct trial *t, const struct flow *f)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s%s%s", f->s.name, t->setup->to[0] && t->setup->to[1] ? " " : "",
		 t->setup->to[0] && t->setup->to[1] ? f->s.direction : "");
	return text;
}

static void flow_silence(const struct trial *t, struct run *r, struct flow *f, uint64_t since_t0)
{
	char span[24], text[128];

	if (!f->told_silent && f->s.n_buckets && !f->s.has_end && since_t0 > f->s.last + TRIAL_SILENT_NS &&
	    (double)since_t0 / 1e9 < t->plan.duration) {
		f->told_silent = f->s.last;
		account(t, (double)since_t0 / 1e9, r, "%s: silent since %.1f s", label(t, f), (double)f->s.last / 1e9);
	} else if (f->told_silent && f->s.last > f->told_silent && f->s.n_silences) {
		const struct stream_span *q = &f->s.silences[f->s.n_silences - 1];

		f->told_silent = 0;
		text_span(span, sizeof(span), (double)(q->end - q->start) / 1e9);
		snprintf(text, sizeof(text), "%s: traffic again, after %s of silence", label(t, f), span);
		put(t, (double)q->end / 1e9, r, INK_GOOD, text);
	}
}

static const char *end_text(enum stream_end e)
{
	static const char *const text[STREAM_ENDS] = {
		[STREAM_OPEN] = "alive at the end",	 [STREAM_EOF] = "complete",
		[STREAM_RESET] = "connection reset",	 [STREAM_GAVE_UP] = "gave up",
		[STREAM_REFUSED] = "connection refused", [STREAM_FAILED] = "failed",
	};

	return text[e];
}

void account_flows(const struct trial *t, struct run *r, uint64_t now)
{
	uint64_t since = now > t->t0 ? now - t->t0 : 0;

	for (unsigned i = 0; i < r->n_flows; i++) {
		struct flow *f = &r->flows[i];

		flow_silence(t, r, f, since);
		if (!f->told_end && flow_ended(f) && f->s.end != STREAM_OPEN) {
			f->told_end = true;
			account(t, (double)since / 1e9, r, "%s: %s", label(t, f), end_text(f->s.end));
		}
	}
}

/* --- the table at the end ------------------------------------------------------- */

static void cell(const struct trial *t, const struct run *r, const struct flow *f, char *out, size_t cap)
{
	const struct stream *s = &f->s;
	uint64_t after = verdict_lost_after_switch(t, r, f);
	char span[24];
	int n;

	if (!s->n_buckets) {
		snprintf(out, cap, "nothing came");
		return;
	}
	text_span(span, sizeof(span), (double)(s->longest.end - s->longest.start) / 1e9);
	n = snprintf(out, cap, "silent %s", span);
	if (s->udp) {
		n += snprintf(out + n, cap - (size_t)n, ", lost %llu of %llu", (unsigned long long)stream_lost(s),
			      (unsigned long long)s->sent);
		if (after != UINT64_MAX)
			snprintf(out + n, cap - (size_t)n, " (%llu after the switch)", (unsigned long long)after);
	} else {
		snprintf(out + n, cap - (size_t)n, ", %s%s",
			 s->end == STREAM_OPEN && !verdict_alive(t, s) ? "dead at the end" : end_text(s->end),
			 s->intact > 0	  ? ", intact"
			 : s->intact == 0 ? ", DAMAGED"
					  : "");
	}
}

void account_end(const struct trial *t)
{
	char text[128];

	if (t->setup->quiet)
		return;
	printf("\n%-26s", "");
	for (unsigned i = 0; i < t->n_runs; i++)
		printf("%-*s", i + 1 < t->n_runs ? CELL_WIDTH : 0, t->runs[i].name);
	printf("\n");
	for (unsigned k = 0; k < t->runs[0].n_flows; k++) {
		printf("%-20s %-4s ", t->runs[0].flows[k].s.name, t->runs[0].flows[k].s.direction);
		for (unsigned i = 0; i < t->n_runs; i++) {
			cell(t, &t->runs[i], &t->runs[i].flows[k], text, sizeof(text));
			printf("%-*s", i + 1 < t->n_runs ? CELL_WIDTH : 0, text);
		}
		printf("\n");
	}
	printf("\n");
	for (unsigned i = 0; i < t->n_verdicts; i++) {
		const struct verdict *v = &t->verdicts[i];

		printf("%s%s%s  %s\n", ink(v->ok ? INK_GOOD : INK_BAD), v->ok ? "yes" : "NO ", plain(), v->text);
	}
	fflush(stdout);
}
