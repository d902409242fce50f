// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "lab/commands.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/faults.h"
#include "lab/life.h"
#include "lab/options.h"
#include "lab/programs.h"
#include "lab/report.h"
#include "lab/show.h"
#include "lab/topology.h"
#include "lab/traffic.h"

#ifndef SHIM6_VERSION
#define SHIM6_VERSION "unknown"
#endif

static int usage_error(const char *err)
{
	lab_error("%s", err);
	return LAB_USAGE;
}

/* --- up, down, list, status ------------------------------------------------ */

static int cmd_up(const struct options *o)
{
	struct life_setup setup = { .name = o->name ? o->name : OPTIONS_DEFAULT_NAME,
				    .shim6 = !o->plain,
				    .send_timeout = o->send_timeout,
				    .delay_ms = o->delay_ms,
				    .config = o->config };
	struct lab lab;

	if (!lab_name_valid(setup.name))
		return usage_error("--name: expected 1 to 40 letters, digits, - and _, not - first");
	if (o->config && access(o->config, R_OK)) {
		lab_error("--config: cannot read %s: %s", o->config, strerror(errno));
		return LAB_USAGE;
	}
	lab_catch_interrupts();
	if (life_up(&lab, &setup))
		return LAB_FAILED;
	if (o->json)
		show_json(show_lab_json(&lab));
	else
		show_lab(&lab);
	lab_close(&lab);
	return LAB_OK;
}

struct downs {
	struct json_object *removed;
	bool failed;
};

static void down_one(const char *name, void *arg)
{
	struct downs *d = arg;
	struct lab lab;

	if (lab_open_remains(&lab, name) || life_down(&lab))
		d->failed = true;
	else
		json_object_array_add(d->removed, json_object_new_string(name));
}

static int cmd_down(const struct options *o)
{
	struct downs d = { .removed = json_object_new_array() };
	char name[LAB_NAME_MAX + 1];
	struct lab lab;

	if (o->all) {
		lab_names(down_one, &d);
	} else if (o->name) {
		down_one(o->name, &d);
	} else if (lab_open(&lab, NULL)) {
		d.failed = true;
	} else {
		lab_format(name, sizeof(name), "%s", lab.name);
		lab_close(&lab);
		down_one(name, &d);
	}
	if (o->json)
		show_json(json_object_get(d.removed));
	for (size_t i = 0; !o->json && i < json_object_array_length(d.removed); i++)
		printf("%s is gone\n", json_object_get_string(json_object_array_get_idx(d.removed, i)));
	json_object_put(d.removed);
	return d.failed ? LAB_FAILED : LAB_OK;
}

static void list_line(const struct lab *lab, void *arg)
{
	unsigned *n = arg;

	show_lab_line(lab);
	++*n;
}

static void list_json(const struct lab *lab, void *arg)
{
	json_object_array_add(arg, show_lab_json(lab));
}

static int cmd_list(const struct options *o)
{
	unsigned n = 0;

	if (o->json) {
		struct json_object *list = json_object_new_array();

		lab_list(list_json, list);
		show_json(list);
		return LAB_OK;
	}
	lab_list(list_line, &n);
	if (!n)
		printf("no lab is up (shim6 lab up makes one)\n");
	return LAB_OK;
}

static int cmd_status(const struct options *o)
{
	struct lab lab;

	if (lab_open(&lab, o->name))
		return LAB_FAILED;
	if (o->json)
		show_json(show_lab_json(&lab));
	else
		show_lab(&lab);
	lab_close(&lab);
	return LAB_OK;
}

/* --- exec ------------------------------------------------------------------ */

static bool known_node(const char *node)
{
	static const char *const nodes[] = { "A", "B", "A1", "A2", "B1", "B2", "core" };

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (!strcmp(nodes[i], node))
			return true;
	return false;
}

/* Becomes the program: signals and the exit code are its own. */
static int cmd_exec(const struct options *o)
{
	const char *node = o->words[0];
	char ns[NETNS_NAME_MAX], path[LAB_PATH_MAX];
	struct lab lab;

	if (!known_node(node)) {
		lab_error("no node \"%s\"; there are: A, B, A1, A2, B1, B2, core", node);
		return LAB_USAGE;
	}
	if (lab_open(&lab, o->name))
		return LAB_FAILED;
	lab_node(&lab, ns, sizeof(ns), node);
	if (!node[1]) {
		host_socket(&lab, node[0] == 'B', path);
		setenv("SHIM6_SOCKET", path, 1);
	}
	setenv("SHIM6_LAB", lab.name, 1);
	lab_close(&lab);
	programs_to_path();
	if (netns_enter(ns)) {
		lab_error("cannot enter %s: %s", ns, strerror(errno));
		return LAB_FAILED;
	}
	execvp(o->command[0], o->command);
	lab_error("cannot run %s: %s", o->command[0], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

/* --- fail, heal ------------------------------------------------------------ */

static void tell_fault(const struct options *o, const char *what, const struct fault *f, uint64_t when)
{
	struct json_object *j;
	char text[128];

	fault_text(f, text, sizeof(text));
	if (!o->json) {
		printf("%s: %s\n", what, text);
		return;
	}
	j = json_object_new_object();
	json_object_object_add(j, "event", json_object_new_string(what));
	json_object_object_add(j, "detail", json_object_new_string(text));
	json_object_object_add(j, "monotonic_s", json_object_new_double((double)when / 1e9));
	show_json(j);
}

static int cmd_fail(const struct options *o)
{
	char err[OPTIONS_ERR_MAX];
	struct fault f;
	struct lab lab;
	uint64_t when;
	int r;

	if (!options_fault(o, o->words[0], &f, err))
		return usage_error(err);
	if (lab_open(&lab, o->name))
		return LAB_FAILED;
	r = faults_fail(&lab, &f, &when);
	lab_close(&lab);
	if (r)
		return LAB_FAILED;
	tell_fault(o, "fail", &f, when);
	return LAB_OK;
}

static int heal_one(struct lab *lab, const struct options *o, struct fault f)
{
	uint64_t when;

	if (faults_heal(lab, &f, &when))
		return -1;
	tell_fault(o, "heal", &f, when);
	return 0;
}

static int heal_kind(struct lab *lab, const struct options *o, const char *kind)
{
	unsigned healed = 0;
	char label[32];

	for (unsigned i = lab->n_faults; i > 0; i--) {
		const struct fault *f = &lab->faults[i - 1];

		if (strcmp(fault_kind_name(f->kind), kind) || !options_match(o, f))
			continue;
		if (heal_one(lab, o, *f))
			return -1;
		healed++;
	}
	snprintf(label, sizeof(label), "%s", kind);
	return healed ? 0 : lab_error("no such fault is in force: %s (shim6 lab status shows them)", label);
}

static int heal(struct lab *lab, const struct options *o)
{
	if (o->all) {
		while (lab->n_faults)
			if (heal_one(lab, o, lab->faults[lab->n_faults - 1]))
				return -1;
		return 0;
	}
	if (!o->n_words)
		return lab->n_faults ? heal_one(lab, o, lab->faults[lab->n_faults - 1])
				     : lab_error("nothing is broken");
	for (unsigned i = 0; i < o->n_words; i++)
		if (heal_kind(lab, o, o->words[i]))
			return -1;
	return 0;
}

static int cmd_heal(const struct options *o)
{
	char err[OPTIONS_ERR_MAX];
	struct options bare = { 0 };
	struct fault f;
	struct lab lab;
	int r;

	for (unsigned i = 0; i < o->n_words; i++)
		if (!fault_init(&f, o->words[i])) {
			options_fault(&bare, o->words[i], &f, err);
			return usage_error(err);
		}
	if (lab_open(&lab, o->name))
		return LAB_FAILED;
	r = heal(&lab, o);
	lab_close(&lab);
	return r ? LAB_FAILED : LAB_OK;
}

/* --- report ---------------------------------------------------------------- */

static int cmd_report(const struct options *o)
{
	char path[LAB_PATH_MAX];
	const char *out = o->output;

	if (!out) {
		report_beside(path, o->words[0]);
		out = path;
	}
	if (report_write(o->words[0], out))
		return LAB_FAILED;
	if (o->json)
		show_json(json_object_new_string(out));
	else
		printf("%s\n", out);
	return LAB_OK;
}

/* --- the command ----------------------------------------------------------- */

static int help(int verb)
{
	struct strbuf b = { 0 };

	options_help(&b, verb);
	fputs(b.s, stdout);
	strbuf_free(&b);
	return LAB_OK;
}

static int cmd_help(const struct options *o)
{
	char word[] = "lab", option[] = "--help", *argv[] = { word, NULL, option, NULL };
	char err[OPTIONS_ERR_MAX];
	struct options of;

	if (!o->n_words)
		return help(-1);
	argv[1] = (char *)(uintptr_t)o->words[0];
	return options_read(&of, 3, argv, err) ? help((int)of.verb) : usage_error(err);
}

static int (*const commands[])(const struct options *o) = {
	[VERB_UP] = cmd_up,	[VERB_DOWN] = cmd_down,	    [VERB_LIST] = cmd_list, [VERB_STATUS] = cmd_status,
	[VERB_EXEC] = cmd_exec, [VERB_FAIL] = cmd_fail,	    [VERB_HEAL] = cmd_heal, [VERB_RUN] = cmd_run,
	[VERB_HELP] = cmd_help, [VERB_REPORT] = cmd_report,
};

int lab_main(int argc, char **argv)
{
	char err[OPTIONS_ERR_MAX];
	struct options o;
	int r;

	if (argc > 1 && !strcmp(argv[1], "traffic"))
		return traffic_main(argc - 2, argv + 2);
	if (!options_read(&o, argc, argv, err))
		return usage_error(err);
	if (o.version) {
		printf("shim6-lab %s\n", SHIM6_VERSION);
		return LAB_OK;
	}
	if (o.help)
		return help((int)o.verb);
	if (o.verb != VERB_HELP && o.verb != VERB_LIST && o.verb != VERB_REPORT && geteuid()) {
		lab_error("%s needs root: it makes network namespaces (sudo shim6 lab ...)", argv[1]);
		return LAB_FAILED;
	}
	r = commands[o.verb](&o);
	if (fflush(stdout) || ferror(stdout)) {
		lab_error("cannot write the output: %s", strerror(errno));
		return r ? r : LAB_FAILED;
	}
	return r;
}
