// SPDX-License-Identifier: GPL-2.0-or-later
/* shim6 lab run: from the command line to a trial, and its results into files. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lab/commands.h"
#include "lab/options.h"
#include "lab/report.h"
#include "lab/trial.h"

#define DEFAULT_RATE_MBIT 10
#define DEFAULT_TRAFFIC "curl,udp"
#define DEFAULT_SCENARIO "black-hole"

static bool wrong(char *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(char *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, OPTIONS_ERR_MAX, fmt, ap);
	va_end(ap);
	return false;
}

static bool read_traffic(const char *list, struct trial_setup *s, char *err)
{
	char *copy = strdup(list), *save = NULL, *one;
	enum flow_kind k;
	bool good = copy != NULL;

	for (char *p = copy; good && (one = strtok_r(p, ",", &save)) != NULL; p = NULL) {
		good = flow_kind_parse(one, &k);
		if (good)
			s->kinds[k] = true;
		else
			wrong(err,
			      "--traffic: expected some of tcp, udp, curl, ssh, iperf3, divided by commas, not \"%s\"",
			      one);
	}
	free(copy);
	if (!good)
		return false;
	for (unsigned i = 0; i < FLOW_KINDS; i++)
		if (s->kinds[i])
			return true;
	return wrong(err, "--traffic: at least one kind is needed");
}

static bool unknown_scenario(const char *name, char *err)
{
	struct strbuf list = { 0 };

	for (unsigned i = 0; scenario_name(i); i++)
		strbuf_printf(&list, "%s%s", i ? ", " : "", scenario_name(i));
	wrong(err, "unknown scenario \"%s\"; there are: %s", name, list.s);
	strbuf_free(&list);
	return false;
}

static bool read_plan(const struct options *o, struct trial_setup *s, char *err)
{
	struct plan plan;
	const char *complaint;

	s->plan.times = (struct plan_times){ o->fail_at, o->heal_at, o->duration };
	if (o->fault) {
		if (!options_fault(o, o->fault, &s->plan.fault, err))
			return false;
	} else {
		s->plan.scenario = o->n_words ? o->words[0] : DEFAULT_SCENARIO;
		if (!scenario_plan(s->plan.scenario, LIFE_SEND_TIMEOUT, &plan))
			return unknown_scenario(s->plan.scenario, err);
	}
	complaint = plan_make(&s->plan, o->send_timeout ? o->send_timeout : LIFE_SEND_TIMEOUT, &plan);
	return !complaint || wrong(err, "%s", complaint);
}

bool run_setup(const struct options *o, struct trial_setup *s, char *err)
{
	memset(s, 0, sizeof(*s));
	s->name = o->name;
	s->with_shim6 = o->with_shim6 || !o->without_shim6;
	s->without_shim6 = o->without_shim6;
	s->to[0] = !o->to || strcmp(o->to, "B") != 0;
	s->to[1] = o->to && strcmp(o->to, "A") != 0;
	s->send_timeout = o->send_timeout;
	s->delay_ms = o->delay_ms;
	s->config = o->config;
	s->rate = (uint64_t)((o->rate >= 0 ? o->rate : DEFAULT_RATE_MBIT) * 1e6 / 8);
	s->size = o->size >= 0 ? (uint64_t)(o->size * 1e6) : 0;
	s->quiet = o->json;
	s->output = o->output;
	if (o->name && (!lab_name_valid(o->name) || strlen(o->name) > LAB_NAME_MAX - 10))
		return wrong(err, "--name: expected 1 to %d letters, digits, - and _, not - first", LAB_NAME_MAX - 10);
	if (o->config && access(o->config, R_OK))
		return wrong(err, "--config: cannot read %s: %s", o->config, strerror(errno));
	return read_traffic(o->traffic ? o->traffic : DEFAULT_TRAFFIC, s, err) && read_plan(o, s, err);
}

static void default_output(const struct trial_setup *s, char out[static LAB_PATH_MAX])
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	lab_format(out, LAB_PATH_MAX, "shim6-lab-%s-%s",
		   s->plan.scenario ? s->plan.scenario : fault_kind_name(s->plan.fault.kind), stamp);
}

static int write_results(const struct trial *t, const struct options *o)
{
	char json[LAB_PATH_MAX], html[LAB_PATH_MAX];
	struct strbuf b = { 0 };

	lab_format(json, sizeof(json), "%s/result.json", t->setup->output);
	lab_format(html, sizeof(html), "%s/report.html", t->setup->output);
	if (result_write(t, json) || report_write(json, html))
		return -1;
	if (!o->json) {
		printf("\nresults: %s\nreport:  %s\n", json, html);
		return 0;
	}
	if (file_read(json, &b))
		return -1;
	puts(b.s);
	strbuf_free(&b);
	return 0;
}

int cmd_run(const struct options *o)
{
	struct trial *t = lab_alloc(sizeof(*t));
	char err[OPTIONS_ERR_MAX], output[LAB_PATH_MAX];
	struct trial_setup setup;
	int code = LAB_FAILED;

	if (!run_setup(o, &setup, err)) {
		lab_error("%s", err);
		free(t);
		return LAB_USAGE;
	}
	if (!setup.output) {
		default_output(&setup, output);
		setup.output = output;
	}
	lab_catch_interrupts();
	if (!trial_run(t, &setup)) {
		account_end(t);
		code = write_results(t, o) == 0 && trial_good(t) ? LAB_OK : LAB_FAILED;
	}
	trial_free(t);
	free(t);
	return code;
}
