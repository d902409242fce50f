// SPDX-License-Identifier: GPL-2.0-or-later
/* Faults and events become marks with the same clock and the lab's own names. */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "lab/topology.h"
#include "lab/trial.h"

double trial_time(const struct trial *t, uint64_t when)
{
	return lab_seconds(t->t0, when);
}

static struct mark *new_mark(struct run *r, double at, const char *kind, char host)
{
	struct mark *m;

	if (r->n_marks == TRIAL_MAX_MARKS)
		return NULL;
	m = &r->marks[r->n_marks++];
	memset(m, 0, sizeof(*m));
	m->t = at;
	m->host = host;
	snprintf(m->kind, sizeof(m->kind), "%s", kind);
	return m;
}

const struct mark *mark_fault(struct trial *t, struct run *r, const struct plan_action *a, uint64_t when)
{
	struct mark *m = new_mark(r, trial_time(t, when), a->heal ? "heal" : "fail", 0);
	char text[128];

	if (!m)
		return NULL;
	fault_label(&a->fault, text, sizeof(text));
	snprintf(m->label, sizeof(m->label), "%s%.48s", a->heal ? "healed: " : "", text);
	fault_text(&a->fault, text, sizeof(text));
	snprintf(m->text, sizeof(m->text), "%s%s", a->heal ? "repaired: " : "", text);
	return m;
}

void mark_names(const struct lab *lab, const char *text, char *out, size_t cap)
{
	size_t n = 0;

	while (*text && n + 3 < cap) {
		bool found = false;

		for (unsigned i = 0; !found && i < LAB_HOSTS * LAB_PROVIDERS; i++) {
			const char *addr = lab->addr[i / LAB_PROVIDERS][i % LAB_PROVIDERS];
			size_t len = strlen(addr);

			/* whole addresses only */
			if (!len || strncmp(text, addr, len) || strspn(text + len, "0123456789abcdef:") > 1 ||
			    (text[len] && strchr("0123456789abcdef", text[len])))
				continue;
			out[n++] = topology_host_letter(i / LAB_PROVIDERS);
			out[n++] = (char)('1' + i % LAB_PROVIDERS);
			text += len;
			found = true;
		}
		if (!found)
			out[n++] = *text++;
	}
	out[n] = '\0';
}

static const char *text_of(struct json_object *o, const char *key)
{
	const char *s = json_object_get_string(json_object_object_get(o, key));

	return s ? s : "";
}

static void set_label(const struct run *r, struct mark *m, struct json_object *event)
{
	struct json_object *to = json_object_object_get(event, "to");
	char pair[160], named[160];

	snprintf(m->label, sizeof(m->label), "%s", m->kind);
	if (!to || strcmp(m->kind, "switched"))
		return;
	snprintf(pair, sizeof(pair), "%s -> %s", text_of(to, "local"), text_of(to, "peer"));
	mark_names(&r->lab, pair, named, sizeof(named));
	snprintf(m->label, sizeof(m->label), "switched to %.48s", named);
}

const struct mark *mark_event(struct trial *t, struct run *r, unsigned host, struct json_object *event)
{
	static const char *const told[] = { "established", "exploring", "switched", "recovered", "gone" };
	const char *type = text_of(event, "type"), *text = text_of(event, "text"), *body = strstr(text, ": ");
	struct json_object *at = json_object_object_get(event, "monotonic_s");
	struct mark *m = NULL;

	for (size_t i = 0; at && i < sizeof(told) / sizeof(told[0]); i++)
		if (!strcmp(type, told[i]))
			m = new_mark(r, json_object_get_double(at) - (double)t->t0 / 1e9, type,
				     topology_host_letter(host));
	if (!m)
		return NULL;
	mark_names(&r->lab, body ? body + 2 : text, m->text, sizeof(m->text));
	set_label(r, m, event);
	return m;
}
