// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/show.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "lab/hosts.h"
#include "lab/topology.h"

#define JSON_FORM (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)

void show_json(struct json_object *o)
{
	printf("%s\n", json_object_to_json_string_ext(o, JSON_FORM));
	json_object_put(o);
}

static const struct lab_proc *daemon_of(const struct lab *lab, unsigned host)
{
	char role[32];

	host_role(host, role, sizeof(role));
	for (unsigned i = 0; i < lab->n_procs; i++)
		if (!strcmp(lab->procs[i].role, role))
			return &lab->procs[i];
	return NULL;
}

static bool daemon_alive(const struct lab *lab, unsigned host)
{
	const struct lab_proc *p = daemon_of(lab, host);

	return p && proc_alive(&p->proc);
}

/* --- JSON ------------------------------------------------------------------ */

static struct json_object *daemon_json(const struct lab *lab, unsigned host)
{
	const struct lab_proc *p = daemon_of(lab, host);
	struct json_object *o;
	char path[LAB_PATH_MAX];

	if (!p)
		return NULL;
	o = json_object_new_object();
	json_object_object_add(o, "pid", json_object_new_int(p->proc.pid));
	json_object_object_add(o, "alive", json_object_new_boolean(proc_alive(&p->proc)));
	host_socket(lab, host, path);
	json_object_object_add(o, "socket", json_object_new_string(path));
	host_log(lab, host, path);
	json_object_object_add(o, "log", json_object_new_string(path));
	json_object_object_add(o, "status", host_ask(lab, host, "status"));
	json_object_object_add(o, "contexts", host_ask(lab, host, "contexts"));
	return o;
}

static struct json_object *host_json(const struct lab *lab, unsigned host)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	char text[NETNS_NAME_MAX];

	lab_format(text, sizeof(text), "%c", topology_host_letter(host));
	json_object_object_add(o, "host", json_object_new_string(text));
	topology_host_ns(lab, host, text);
	json_object_object_add(o, "netns", json_object_new_string(text));
	for (unsigned p = 0; p < LAB_PROVIDERS; p++)
		json_object_array_add(list, json_object_new_string(lab->addr[host][p]));
	json_object_object_add(o, "addresses", list);
	json_object_object_add(o, "daemon", daemon_json(lab, host));
	return o;
}

static struct json_object *faults_json(const struct lab *lab)
{
	struct json_object *list = json_object_new_array();
	char text[128];

	for (unsigned i = 0; i < lab->n_faults; i++) {
		const struct fault *f = &lab->faults[i];
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "kind", json_object_new_string(fault_kind_name(f->kind)));
		json_object_object_add(o, "host", json_object_new_string(f->host ? "B" : "A"));
		json_object_object_add(o, "provider", json_object_new_int((int)f->provider + 1));
		json_object_object_add(o, "direction", json_object_new_string(fault_direction_name(f->direction)));
		if (fault_needs_amount(f->kind))
			json_object_object_add(o, "amount", json_object_new_int((int)f->amount));
		fault_text(f, text, sizeof(text));
		json_object_object_add(o, "text", json_object_new_string(text));
		json_object_array_add(list, o);
	}
	return list;
}

struct json_object *show_lab_json(const struct lab *lab)
{
	struct json_object *o = json_object_new_object(), *hosts = json_object_new_array();

	json_object_object_add(o, "name", json_object_new_string(lab->name));
	json_object_object_add(o, "dir", json_object_new_string(lab->dir));
	json_object_object_add(o, "shim6", json_object_new_boolean(lab->shim6));
	json_object_object_add(o, "send_timeout_s", json_object_new_double(lab->send_timeout));
	json_object_object_add(o, "delay_ms", json_object_new_int((int)lab->delay_ms));
	for (unsigned h = 0; h < LAB_HOSTS; h++)
		json_object_array_add(hosts, host_json(lab, h));
	json_object_object_add(o, "hosts", hosts);
	json_object_object_add(o, "faults", faults_json(lab));
	return o;
}

/* --- words ----------------------------------------------------------------- */

static const char *text_in(struct json_object *o, const char *key)
{
	const char *s = json_object_get_string(json_object_object_get(o, key));

	return s ? s : "?";
}

static void show_contexts(const struct lab *lab, unsigned host)
{
	struct json_object *list = host_ask(lab, host, "contexts");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	if (!n)
		printf("     no contexts\n");
	for (size_t i = 0; i < n; i++) {
		struct json_object *c = json_object_array_get_idx(list, i);
		struct json_object *ulid = json_object_object_get(c, "ulid"),
				   *now = json_object_object_get(c, "current");

		printf("     context %s: %s, %s <-> %s", text_in(c, "id"), text_in(c, "state"), text_in(ulid, "local"),
		       text_in(ulid, "peer"));
		if (json_object_get_boolean(json_object_object_get(c, "rewritten")))
			printf(" by way of %s <-> %s", text_in(now, "local"), text_in(now, "peer"));
		printf(", %s\n", text_in(c, "reap"));
	}
	json_object_put(list);
}

static void show_host(const struct lab *lab, unsigned host)
{
	const struct lab_proc *p = daemon_of(lab, host);
	char log[LAB_PATH_MAX];

	printf("  %c  %s (provider 1)  %s (provider 2)\n", topology_host_letter(host), lab->addr[host][0],
	       lab->addr[host][1]);
	if (!p)
		return;
	host_log(lab, host, log);
	if (!proc_alive(&p->proc)) {
		printf("     shim6d is dead; its log is %s\n", log);
		return;
	}
	printf("     shim6d: process %d, log %s\n", (int)p->proc.pid, log);
	show_contexts(lab, host);
}

void show_lab(const struct lab *lab)
{
	char text[128];

	if (lab->shim6)
		printf("%s: with shim6, Send Timeout %.0f s", lab->name, lab->send_timeout);
	else
		printf("%s: without shim6", lab->name);
	if (lab->delay_ms)
		printf(", %u ms each way", lab->delay_ms);
	printf("\n");
	for (unsigned h = 0; h < LAB_HOSTS; h++)
		show_host(lab, h);
	for (unsigned i = 0; i < lab->n_faults; i++) {
		fault_text(&lab->faults[i], text, sizeof(text));
		printf("  in force: %s\n", text);
	}
	if (!lab->n_faults)
		printf("  nothing is broken\n");
}

void show_lab_line(const struct lab *lab)
{
	unsigned alive = 0;

	for (unsigned h = 0; h < LAB_HOSTS; h++)
		alive += daemon_alive(lab, h);
	printf("%-20s", lab->name);
	if (lab->shim6)
		printf(" shim6, %u of %d daemons run", alive, LAB_HOSTS);
	else
		printf(" plain");
	printf(", %u fault%s\n", lab->n_faults, lab->n_faults == 1 ? "" : "s");
}
