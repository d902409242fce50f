// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a run means: every stream lives and is intact, no silence is longer than
 * the protocol allows, no datagram is lost once the sender has switched.
 */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "lab/topology.h"
#include "lab/trial.h"

#define SLACK_NS (5 * NSEC_PER_MSEC) /* of a datagram on its way when the network changed */
#define LOSSY_PAUSE_NS (6 * NSEC_PER_SEC)
#define AT_ONCE_S 0.2 /* shorter silences are no effect of a failure */

static void say(struct trial *t, bool ok, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct trial *t, bool ok, const char *fmt, ...)
{
	struct verdict *v;
	va_list ap;

	if (t->n_verdicts == TRIAL_MAX_VERDICTS)
		return;
	v = &t->verdicts[t->n_verdicts++];
	v->ok = ok;
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

static uint64_t ns(double seconds)
{
	return seconds > 0 ? (uint64_t)(seconds * 1e9) : 0;
}

static const struct plan_action *action_of(const struct trial *t, unsigned nth, bool heal)
{
	for (unsigned i = 0; i < t->plan.n; i++)
		if (t->plan.action[i].heal == heal && nth-- == 0)
			return &t->plan.action[i];
	return NULL;
}

/* The marks of the failures come in the order of the plan's. */
static const struct mark *fail_mark(const struct run *r, unsigned nth)
{
	for (unsigned i = 0; i < r->n_marks; i++)
		if (!strcmp(r->marks[i].kind, "fail") && nth-- == 0)
			return &r->marks[i];
	return NULL;
}

/* The first answer of a host to what happened in [from, to): negative, none. */
static double switched_at(const struct run *r, char host, double from, double to)
{
	for (unsigned i = 0; i < r->n_marks; i++) {
		const struct mark *m = &r->marks[i];

		if (m->host == host && m->t >= from && m->t < to && !strcmp(m->kind, "switched"))
			return m->t;
	}
	return -1;
}

static double next_fail(const struct trial *t, const struct run *r, unsigned nth)
{
	const struct mark *m = fail_mark(r, nth + 1);

	return m ? m->t : t->plan.duration + 1;
}

uint64_t verdict_lost_after_switch(const struct trial *t, const struct run *r, const struct flow *f)
{
	uint64_t excused = 0, on_way = 2 * t->setup->delay_ms * NSEC_PER_MSEC + SLACK_NS;
	const struct plan_action *a;

	if (!f->s.udp || !r->shim6)
		return UINT64_MAX;
	for (unsigned k = 0; (a = action_of(t, k, false)) != NULL; k++) {
		const struct mark *m = fail_mark(r, k);
		double moved;
		uint64_t from;

		if (!plan_blocks(&a->fault))
			return UINT64_MAX;
		if (!m)
			break;
		moved = switched_at(r, topology_host_letter(f->from), m->t, next_fail(t, r, k));
		from = ns(m->t) > on_way ? ns(m->t) - on_way : 0;
		excused += stream_lost_between(&f->s, from, ns(moved < 0 ? m->t : moved) + SLACK_NS);
	}
	return stream_lost(&f->s) > excused ? stream_lost(&f->s) - excused : 0;
}

/* --- the rules -------------------------------------------------------------------- */

/* The longest Send Timeout that a context drew. */
static double drawn_timeout(const struct trial *t, const struct run *r)
{
	double longest = t->send_timeout;

	for (unsigned h = 0; h < LAB_HOSTS; h++) {
		size_t n = json_object_is_type(r->contexts[h], json_type_array)
				   ? json_object_array_length(r->contexts[h])
				   : 0;

		for (size_t i = 0; i < n; i++) {
			struct json_object *c = json_object_array_get_idx(r->contexts[h], i);
			double s = json_object_get_double(json_object_object_get(c, "send_timeout_s"));

			if (s > longest)
				longest = s;
		}
	}
	return longest;
}

static void judge_silence(struct trial *t, const struct run *r, const struct flow *f, unsigned nth, double timeout)
{
	const struct plan_action *a = action_of(t, nth, false);
	const struct mark *m = fail_mark(r, nth);
	double silent, limit;
	char label[64], span[24];

	if (!m || !plan_blocks(&a->fault))
		return;
	if (f->s.end == STREAM_EOF && f->s.last <= ns(m->t))
		return; /* it was complete by then */
	limit = a->fault.kind == FAULT_LINK ? TRIAL_LINK_SILENCE_S : timeout + TRIAL_OTHER_SILENCE_S;
	silent = (double)stream_silence_in(&f->s, ns(m->t), ns(next_fail(t, r, nth))) / 1e9;
	fault_label(&a->fault, label, sizeof(label));
	if (silent > 0)
		text_span(span, sizeof(span), silent);
	else
		snprintf(span, sizeof(span), "less than 0.2 s");
	say(t, silent <= limit, "%s %s: silent for %s after the %s, allowed are %.1f s", f->s.name, f->s.direction,
	    span, label, limit);
}

bool verdict_alive(const struct trial *t, const struct stream *s)
{
	uint64_t pause = TRIAL_SILENT_NS;

	/* a TCP that lost many packets may be waiting for a retransmission when the run ends */
	for (unsigned i = 0; i < t->plan.n; i++)
		if (!plan_blocks(&t->plan.action[i].fault))
			pause = LOSSY_PAUSE_NS;
	if (!s->n_buckets)
		return false;
	return s->end == STREAM_EOF || (s->end == STREAM_OPEN && s->last + pause >= ns(t->plan.duration));
}

static void judge_flow(struct trial *t, const struct run *r, const struct flow *f, double timeout)
{
	uint64_t lost = verdict_lost_after_switch(t, r, f);

	if (f->s.intact >= 0)
		say(t, verdict_alive(t, &f->s) && f->s.intact, "%s %s: %s, %s", f->s.name, f->s.direction,
		    verdict_alive(t, &f->s) ? "survived" : "did not survive",
		    f->s.intact ? "every octet right" : "DAMAGED");
	else
		say(t, verdict_alive(t, &f->s), "%s %s: %s", f->s.name, f->s.direction,
		    verdict_alive(t, &f->s) ? "survived" : "did not survive");
	for (unsigned k = 0; action_of(t, k, false); k++)
		judge_silence(t, r, f, k, timeout);
	if (lost != UINT64_MAX)
		say(t, !lost, "%s %s: %llu lost after the switch, %llu in all", f->s.name, f->s.direction,
		    (unsigned long long)lost, (unsigned long long)stream_lost(&f->s));
}

static void judge_daemons(struct trial *t, const struct run *r)
{
	bool established = false;
	double first = t->plan.n ? t->plan.action[0].at : t->plan.duration;

	for (unsigned i = 0; i < r->n_marks; i++)
		established |= !strcmp(r->marks[i].kind, "established") && r->marks[i].t < first;
	say(t, established, "a context was established before the failure");
	for (unsigned h = 0; h < LAB_HOSTS; h++)
		if (!r->contexts[h])
			say(t, false, "the daemon of host %c did not answer at the end", topology_host_letter(h));
}

/* Beside it, the same without shim6: worse, or the comparison shows nothing. */
static void compare(struct trial *t, const struct run *with, const struct run *without)
{
	const struct plan_action *a = action_of(t, 0, false);

	for (unsigned i = 0; a && plan_blocks(&a->fault) && i < with->n_flows; i++) {
		const struct stream *w = &with->flows[i].s, *o = &without->flows[i].s;
		double sw = (double)(w->longest.end - w->longest.start) / 1e9;
		double so = (double)(o->longest.end - o->longest.start) / 1e9;
		char span[24];

		text_span(span, sizeof(span), so);
		if (!verdict_alive(t, o))
			say(t, true, "without shim6 the same %s %s did not survive", w->name, w->direction);
		else if (so > AT_ONCE_S) /* else the failure did not touch it */
			say(t, so > sw, "without shim6 the same %s %s was silent for %s", w->name, w->direction, span);
	}
}

void verdict_all(struct trial *t)
{
	for (unsigned i = 0; i < t->n_runs; i++) {
		struct run *r = &t->runs[i];
		double timeout = drawn_timeout(t, r);

		if (!r->shim6)
			continue;
		judge_daemons(t, r);
		for (unsigned k = 0; k < r->n_flows; k++)
			judge_flow(t, r, &r->flows[k], timeout);
	}
	if (t->n_runs == 2)
		compare(t, &t->runs[0], &t->runs[1]);
}

bool trial_good(const struct trial *t)
{
	for (unsigned i = 0; i < t->n_verdicts; i++)
		if (!t->verdicts[i].ok)
			return false;
	return true;
}
