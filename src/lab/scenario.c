// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/scenario.h"

#include <stdio.h>
#include <string.h>

/* A moment: so many seconds, and so many times the Send Timeout. */
struct moment {
	double s, timeouts;
};

struct step {
	struct moment fail, heal;
	const char *kind;
	unsigned provider; /* 0: provider 1 */
	enum fault_direction direction;
	unsigned amount;
};

#define SILENT_FAIL                                                                                                    \
	{                                                                                                              \
		8, 0                                                                                                   \
	}
/* Late enough for programs that wait half a minute to have given up without shim6. */
#define SILENT_HEAL                                                                                                    \
	{                                                                                                              \
		33, 1                                                                                                  \
	}
/* The next failure hits the provider the last one drove the sessions to. */
#define ONE_OF_FIVE(i, p)                                                                                              \
	{                                                                                                              \
		{ 8 + 10 * (i), i }, { 13 + 10 * (i), (i) + 1 }, "blackhole", p, FAULT_BOTH, 0                         \
	}

static const struct scenario {
	const char *name, *title;
	double tail; /* s after the last repair */
	unsigned n;
	struct step step[5];
} scenarios[] = {
	{ "black-hole",
	  "Silent black hole of provider 1, and its return",
	  10,
	  1,
	  { { SILENT_FAIL, SILENT_HEAL, "blackhole", 0, FAULT_BOTH, 0 } } },
	{ "link-down",
	  "The link to provider 1 goes down, and comes back",
	  6,
	  1,
	  { { { 6, 0 }, { 16, 0 }, "link", 0, FAULT_BOTH, 0 } } },
	{ "one-way-in",
	  "Provider 1 drops silently what comes in",
	  10,
	  1,
	  { { SILENT_FAIL, SILENT_HEAL, "blackhole", 0, FAULT_IN, 0 } } },
	{ "one-way-out",
	  "Provider 1 drops silently what goes out",
	  10,
	  1,
	  { { SILENT_FAIL, SILENT_HEAL, "blackhole", 0, FAULT_OUT, 0 } } },
	{ "far",
	  "The provider of the far end goes silent, and returns",
	  10,
	  1,
	  { { SILENT_FAIL, SILENT_HEAL, "far", 0, FAULT_BOTH, 0 } } },
	{ "loss",
	  "Provider 1 loses every tenth packet for a while",
	  6,
	  1,
	  { { { 6, 0 }, { 20, 0 }, "loss", 0, FAULT_BOTH, 10 } } },
	{ "delay",
	  "Provider 1 takes 200 ms longer each way for a while",
	  6,
	  1,
	  { { { 6, 0 }, { 20, 0 }, "delay", 0, FAULT_BOTH, 200 } } },
	{ "five-failures",
	  "Five silent failures, each of the provider in use",
	  8,
	  5,
	  { ONE_OF_FIVE(0, 0), ONE_OF_FIVE(1, 1), ONE_OF_FIVE(2, 0), ONE_OF_FIVE(3, 1), ONE_OF_FIVE(4, 0) } },
};
#define N_SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

const char *scenario_name(unsigned i)
{
	return i < N_SCENARIOS ? scenarios[i].name : NULL;
}

const char *scenario_title(unsigned i)
{
	return i < N_SCENARIOS ? scenarios[i].title : NULL;
}

static double seconds(struct moment m, double send_timeout)
{
	return m.s + m.timeouts * send_timeout;
}

static void add(struct plan *p, double at, bool heal, const struct fault *f)
{
	p->action[p->n++] = (struct plan_action){ .at = at, .heal = heal, .fault = *f };
}

bool scenario_plan(const char *name, double send_timeout, struct plan *p)
{
	const struct scenario *s = scenarios;

	while (s < scenarios + N_SCENARIOS && strcmp(s->name, name))
		s++;
	if (s == scenarios + N_SCENARIOS)
		return false;
	memset(p, 0, sizeof(*p));
	lab_format(p->name, sizeof(p->name), "%s", s->name);
	lab_format(p->title, sizeof(p->title), "%s", s->title);
	for (unsigned i = 0; i < s->n; i++) {
		const struct step *st = &s->step[i];
		struct fault f;

		fault_init(&f, st->kind);
		f.provider = st->provider;
		f.direction = st->direction;
		f.amount = st->amount;
		add(p, seconds(st->fail, send_timeout), false, &f);
		add(p, seconds(st->heal, send_timeout), true, &f);
	}
	p->duration = p->action[p->n - 1].at + s->tail;
	return true;
}

void scenario_of_fault(const struct fault *f, double send_timeout, struct plan *p)
{
	bool silent = plan_blocks(f) && f->kind != FAULT_LINK;
	char text[sizeof(p->title)];

	memset(p, 0, sizeof(*p));
	lab_format(p->name, sizeof(p->name), "%s", fault_kind_name(f->kind));
	fault_text(f, text, sizeof(text));
	lab_format(p->title, sizeof(p->title), "%s", text);
	if (p->title[0] >= 'a' && p->title[0] <= 'z')
		p->title[0] = (char)(p->title[0] - 'a' + 'A');
	add(p, silent ? 8 : 6, false, f);
	add(p, silent ? 18 + send_timeout : 16, true, f);
	p->duration = p->action[1].at + (silent ? 10 : 6);
}

/* Moving one action moves what comes after it along, so that the distances stay. */
static void move(struct plan *p, unsigned i, double at)
{
	double by = at - p->action[i].at;

	for (; i < p->n; i++)
		p->action[i].at += by;
	p->duration += by;
}

const char *plan_adjust(struct plan *p, const struct plan_times *t)
{
	double last;

	if ((t->fail_at >= 0 || t->heal_at >= 0) && p->n != 2)
		return "--fail-at and --heal-at are for scenarios with one failure; this one has several";
	if (t->fail_at >= 0)
		move(p, 0, t->fail_at);
	if (t->heal_at >= 0)
		move(p, 1, t->heal_at);
	if (p->n == 2 && p->action[1].at <= p->action[0].at)
		return "the repair (--heal-at) has to come after the failure (--fail-at)";
	if (t->duration >= 0)
		p->duration = t->duration;
	/* a run may end before the repair, but not before the failure */
	last = p->n == 2 ? p->action[0].at : p->action[p->n - 1].at;
	if (p->duration <= last)
		return "--duration: the run would end before the failure";
	return NULL;
}

bool plan_blocks(const struct fault *f)
{
	return f->kind == FAULT_LINK || f->kind == FAULT_BLACKHOLE || f->kind == FAULT_FAR ||
	       (f->kind == FAULT_LOSS && f->amount == 100);
}

const char *plan_make(const struct plan_request *q, double send_timeout, struct plan *p)
{
	if (!q->scenario)
		scenario_of_fault(&q->fault, send_timeout, p);
	else if (!scenario_plan(q->scenario, send_timeout, p))
		return "no such scenario";
	return plan_adjust(p, &q->times);
}
