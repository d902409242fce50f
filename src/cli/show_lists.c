/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that is a list: locators, sets, counters, refusals, events. */
#include "cli/cli.h"

#include <string.h>

static void titles(struct table *t, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		table_cell(t, INK_BOLD, "%s", names[i]);
}

static void set_lines(const struct output *o, struct json_object *set)
{
	struct json_object *addresses = js_get(set, "addresses"), *configured = js_get(set, "configured");
	struct json_object *prefixes = js_get(set, "prefixes");

	put(o, INK_TITLE, "set");
	put(o, INK_NONE, ": ");
	put(o, INK_BOLD, "%s", js_text(set, "file"));
	put(o, INK_NONE, ", Sec %.0f", js_number(set, "sec"));
	if (js_bool(set, "key"))
		put(o, INK_NONE, ", with a key of %.0f bits", js_number(set, "key_bits"));
	if (js_bool(set, "given_up"))
		put(o, INK_BAD, ", not used: three collisions of addresses; look for a host that copies them");
	else if (js_number(set, "collisions") > 0)
		put(o, INK_WARN, ", collisions of addresses: %.0f", js_number(set, "collisions"));
	put(o, INK_NONE, "\n");
	for (size_t i = 0; i < js_length(addresses); i++) {
		struct json_object *used = i < js_length(configured) ? json_object_array_get_idx(configured, i) : NULL;

		put(o, INK_NONE, "  %s", json_object_get_string(json_object_array_get_idx(addresses, i)));
		if (i < js_length(prefixes))
			put(o, INK_DIM, "  %s", json_object_get_string(json_object_array_get_idx(prefixes, i)));
		if (used)
			put(o, json_object_get_boolean(used) ? INK_GOOD : INK_WARN, "  %s",
			    json_object_get_boolean(used) ? "in use" : "not in use");
		put(o, INK_NONE, "\n");
	}
}

void show_sets(const struct output *o, struct json_object *sets)
{
	if (!js_length(sets))
		put(o, INK_NONE, "no sets of addresses: shim6 addr generate makes one\n");
	for (size_t i = 0; i < js_length(sets); i++)
		set_lines(o, json_object_array_get_idx(sets, i));
}

void show_locators(const struct output *o, struct json_object *result)
{
	static const char *const names[] = { "ADDRESS", "INTERFACE", "STATE", "PRIORITY", "WEIGHT", "PROOF" };
	struct json_object *list = js_get(result, "locators"), *sets = js_get(result, "sets");
	struct table *t = table_new(6);

	titles(t, names, 6);
	for (size_t i = 0; i < js_length(list); i++) {
		struct json_object *l = json_object_array_get_idx(list, i);
		const char *state = js_bool(l, "up") ? "up" : "down";

		table_cell(t, INK_NONE, "%s", js_text(l, "addr"));
		table_cell(t, INK_NONE, "%s", js_text(l, "ifname"));
		table_cell(t, state_ink(state), "%s%s", state, js_bool(l, "deprecated") ? ", deprecated" : "");
		table_cell(t, INK_NONE, "%.0f", js_number(l, "priority"));
		table_cell(t, INK_NONE, "%.0f", js_number(l, "weight"));
		table_cell(t, js_bool(l, "hba") ? INK_NONE : INK_DIM, "%s%s%s", js_bool(l, "hba") ? "HBA" : "none",
			   *js_text(l, "set") ? " " : "", js_text(l, "set"));
	}
	if (js_length(list)) {
		table_print(t, o, 0);
	} else {
		table_free(t);
		put(o, INK_NONE, "no locators\n");
	}
	for (size_t i = 0; i < js_length(sets); i++) {
		put(o, INK_NONE, "\n");
		set_lines(o, json_object_array_get_idx(sets, i));
	}
}

void show_preferences(const struct output *o, struct json_object *result)
{
	static const char *const names[] = { "ADDRESS", "INTERFACE", "PRIORITY", "WEIGHT", "SAID BY" };
	struct json_object *list = js_get(result, "locators");
	struct table *t;

	if (!js_length(list)) {
		put(o, INK_NONE, "no locators\n");
		return;
	}
	t = table_new(5);
	titles(t, names, 5);
	for (size_t i = 0; i < js_length(list); i++) {
		struct json_object *l = json_object_array_get_idx(list, i);
		const char *by = js_text(l, "preference");

		table_cell(t, INK_NONE, "%s", js_text(l, "addr"));
		table_cell(t, INK_NONE, "%s", js_text(l, "ifname"));
		table_cell(t, INK_BOLD, "%.0f", js_number(l, "priority"));
		table_cell(t, INK_NONE, "%.0f", js_number(l, "weight"));
		table_cell(t, INK_DIM, "%s", *by ? by : "default");
	}
	table_print(t, o, 0);
}

/* Counters may be grouped; a group's name goes before theirs. */
static void counter_rows(struct table *t, const char *before, struct json_object *group)
{
	json_object_object_foreach(group, key, value)
	{
		char name[128];

		snprintf(name, sizeof(name), "%s%s%s", before, *before ? "." : "", key);
		if (json_object_is_type(value, json_type_object)) {
			counter_rows(t, name, value);
			continue;
		}
		table_cell(t, json_object_get_double(value) != 0 ? INK_NONE : INK_DIM, "%s", name);
		table_cell(t, json_object_get_double(value) != 0 ? INK_BOLD : INK_DIM, "%s",
			   value ? json_object_get_string(value) : "-");
	}
}

void show_stats(const struct output *o, struct json_object *result)
{
	bool first = true;

	if (!json_object_is_type(result, json_type_object))
		return;
	json_object_object_foreach(result, key, group)
	{
		struct table *t;

		if (!json_object_is_type(group, json_type_object))
			continue;
		put(o, INK_TITLE, "%s%s\n", first ? "" : "\n", key);
		first = false;
		t = table_new(2);
		counter_rows(t, "", group);
		table_print(t, o, 2);
	}
}

void show_negative(const struct output *o, struct json_object *result)
{
	static const char *const names[] = { "LOCAL", "PEER", "STATE", "ASKED AGAIN IN" };
	struct table *t;

	if (!js_length(result)) {
		put(o, INK_NONE, "no peer is held off\n");
		return;
	}
	t = table_new(4);
	titles(t, names, 4);
	for (size_t i = 0; i < js_length(result); i++) {
		struct json_object *n = json_object_array_get_idx(result, i);

		table_cell(t, INK_NONE, "%s", js_text(n, "local"));
		table_cell(t, INK_NONE, "%s", js_text(n, "peer"));
		table_cell(t, state_ink(js_text(n, "state")), "%s", js_text(n, "state"));
		table_cell(t, INK_NONE, "%s", text_duration(js_number(n, "left_s")).s);
	}
	table_print(t, o, 0);
}

static bool has_text(struct json_object *list, const char *text)
{
	for (size_t i = 0; i < js_length(list); i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(list, i));

		if (s && strcmp(s, text) == 0)
			return true;
	}
	return false;
}

/* One line of those that took effect, or of those that wait for a restart. */
static void show_changed(const struct output *o, struct json_object *result, bool waiting)
{
	struct json_object *changed = js_get(result, "changed"), *restart = js_get(result, "restart");
	bool any = false;

	for (size_t i = 0; i < js_length(changed); i++) {
		const char *key = json_object_get_string(json_object_array_get_idx(changed, i));

		if (!key || has_text(restart, key) != waiting)
			continue;
		put(o, waiting ? INK_WARN : INK_NONE, "%s%s",
		    any	      ? ", "
		    : waiting ? "waits for a restart of shim6d: "
			      : "changed: ",
		    key);
		any = true;
	}
	if (any)
		put(o, INK_NONE, "\n");
}

void show_reload(const struct output *o, struct json_object *result)
{
	if (!js_length(js_get(result, "changed"))) {
		put(o, INK_NONE, "nothing changed\n");
		return;
	}
	show_changed(o, result, false);
	show_changed(o, result, true);
}

void show_established(const struct output *o, struct json_object *result)
{
	if (js_get(result, "id"))
		put(o, INK_NONE, "context %.0f\n", js_number(result, "id"));
	else
		put(o, INK_NONE, "the peer is being asked; shim6 events tells the outcome\n");
}

void show_generated(const struct output *o, struct json_object *result)
{
	struct json_object *addresses = js_get(result, "addresses");

	put(o, INK_BOLD, "%s\n", js_text(result, "file"));
	for (size_t i = 0; i < js_length(addresses); i++)
		put(o, INK_NONE, "  %s\n", json_object_get_string(json_object_array_get_idx(addresses, i)));
}

static enum ink event_ink(const char *type)
{
	static const struct {
		const char *type;
		enum ink ink;
	} rows[] = {
		{ "established", INK_GOOD }, { "recovered", INK_GOOD }, { "switched", INK_TITLE },
		{ "failed", INK_BAD },	     { "exploring", INK_WARN }, { "recovering", INK_WARN },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].type, type) == 0)
			return rows[i].ink;
	}
	return INK_NONE;
}

void show_event(const struct output *o, struct json_object *event)
{
	const char *text = js_text(event, "text");

	put(o, INK_DIM, "%s", js_text(event, "time"));
	put(o, INK_NONE, "  ");
	put(o, event_ink(js_text(event, "type")), "%s\n", *text ? text : js_text(event, "type"));
}
