/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host and its contexts, in the manner of wg(8): a title, then labelled lines. */
#include "cli/cli.h"

#include <string.h>
#include <strings.h>

#define ARROW " -> "

enum ink state_ink(const char *state)
{
	static const char *const good[] = { "ESTABLISHED", "Operational", "up", "yes" };
	static const char *const bad[] = { "Exploring", "down", "broken", "E-FAILED", "NO-SUPPORT" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (strcasecmp(state, good[i]) == 0)
			return INK_GOOD;
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (strcasecmp(state, bad[i]) == 0)
			return INK_BAD;
	}
	return INK_WARN;
}

static void put_pair(const struct output *o, struct json_object *pair)
{
	put(o, INK_NONE, "%s" ARROW "%s", js_text(pair, "local"), js_text(pair, "peer"));
}

static void line(const struct output *o, const char *label, const char *value)
{
	put_label(o, label);
	put(o, INK_NONE, "%s\n", value);
}

/* Addresses under one label, each on its line. */
static void put_locators(const struct output *o, struct json_object *list)
{
	size_t n = js_length(list);

	put_label(o, "locators");
	if (!n)
		put(o, INK_NONE, "none\n");
	for (size_t i = 0; i < n; i++) {
		struct json_object *l = json_object_array_get_idx(list, i);
		bool plain = json_object_is_type(l, json_type_string);

		if (i)
			put(o, INK_NONE, "%*s", 2 + LABEL_WIDTH, "");
		put(o, INK_NONE, "%s", plain ? json_object_get_string(l) : js_text(l, "addr"));
		if (*js_text(l, "ifname"))
			put(o, INK_DIM, " on %s", js_text(l, "ifname"));
		if (js_get(l, "up") && !js_bool(l, "up"))
			put(o, INK_BAD, " down");
		put(o, INK_NONE, "\n");
	}
}

void show_host(const struct output *o, struct json_object *status)
{
	put(o, INK_TITLE, "host");
	put(o, INK_NONE, ": ");
	put(o, INK_BOLD, "shim6d %s", js_text(status, "version"));
	put(o, INK_NONE, ", pid %.0f, up %s\n", js_number(status, "pid"),
	    text_duration(js_number(status, "uptime_s")).s);
	line(o, "data path", js_text(status, "datapath"));
	line(o, "initiates", js_bool(status, "initiate") ? "yes" : "no, only answers");
	line(o, "configuration",
	     *js_text(status, "config_file") ? js_text(status, "config_file") : "defaults, no file");
	put_label(o, "send timeout");
	put(o, INK_NONE, "%.0f s\n", js_number(status, "send_timeout_s"));
	put_locators(o, js_get(status, "locators"));
	put_label(o, "contexts");
	put(o, INK_NONE, "%.0f, %.0f established", js_number(status, "contexts"), js_number(status, "established"));
	if (js_number(status, "exploring") > 0)
		put(o, INK_BAD, ", %.0f exploring", js_number(status, "exploring"));
	put(o, INK_NONE, "\n");
}

static void put_current(const struct output *o, struct json_object *context)
{
	put_label(o, "current pair");
	put_pair(o, js_get(context, "current"));
	if (js_bool(context, "rewritten"))
		put(o, INK_WARN, ", rewritten\n");
	else
		put(o, INK_NONE, ", the ULIDs\n");
}

static bool same_pair(struct json_object *a, struct json_object *b)
{
	return strcmp(js_text(a, "local"), js_text(b, "local")) == 0 &&
	       strcmp(js_text(a, "peer"), js_text(b, "peer")) == 0;
}

static void put_last_switch(const struct output *o, struct json_object *context)
{
	struct json_object *sw = js_get(context, "last_switch");

	if (!sw)
		return;
	put_label(o, "last switch");
	put(o, INK_NONE, "%s ago in %s: %s\n", text_duration(js_number(sw, "ago_s")).s,
	    text_ms(js_number(sw, "took_ms")).s, js_text(sw, "reason"));
	put_label(o, "  from");
	if (same_pair(js_get(sw, "from"), js_get(context, "ulid")))
		put(o, INK_NONE, "the ULIDs");
	else
		put_pair(o, js_get(sw, "from"));
	put(o, INK_NONE, "\n");
}

static void put_fail_back(const struct output *o, struct json_object *context)
{
	struct json_object *f = js_get(context, "fail_back");

	if (!f)
		return;
	put_label(o, "fail-back");
	if (same_pair(js_get(f, "pair"), js_get(context, "ulid")))
		put(o, INK_NONE, "to the ULIDs");
	else
		put_pair(o, js_get(f, "pair"));
	if (js_get(f, "works_s"))
		put(o, INK_NONE, ", which work for %s of %s\n", text_duration(js_number(f, "works_s")).s,
		    text_duration(js_number(f, "hold_down_s")).s);
	else
		put(o, INK_NONE, ", when they answer again\n");
}

static void put_counters(const struct output *o, struct json_object *c)
{
	put_label(o, "transfer");
	put(o, INK_NONE, "%s received, %s sent", text_bytes(js_number(c, "rx_bytes")).s,
	    text_bytes(js_number(c, "tx_bytes")).s);
	put(o, INK_DIM, " (%.0f and %.0f packets)", js_number(c, "rx_packets"), js_number(c, "tx_packets"));
	put(o, INK_NONE, "\n");
	put_label(o, "switches");
	put(o, INK_NONE, "%.0f in %.0f episodes\n", js_number(c, "switches"), js_number(c, "episodes"));
	put_label(o, "probes");
	put(o, INK_NONE, "%.0f received, %.0f sent\n", js_number(c, "probes_received"), js_number(c, "probes_sent"));
	put_label(o, "keepalives");
	put(o, INK_NONE, "%.0f received, %.0f sent\n", js_number(c, "keepalives_received"),
	    js_number(c, "keepalives_sent"));
}

/* What is known of a locator, as a word or two. */
static void locator_cells(struct table *t, struct json_object *l, bool local)
{
	const char *state = local		   ? (js_bool(l, "up") ? "up" : "down")
			    : js_bool(l, "broken") ? "broken"
			    : js_bool(l, "probed") ? "probed"
						   : "not probed";

	table_cell(t, INK_NONE, "%s", js_text(l, "addr"));
	table_cell(t, strcmp(state, "probed") == 0 ? INK_GOOD : state_ink(state), "%s", state);
	table_cell(t, INK_NONE, "%s", js_text(l, "method"));
	table_cell(t, INK_NONE, "%s", local ? "" : js_bool(l, "verified") ? "verified" : "not verified");
	table_cell(t, INK_DIM, "priority %.0f, weight %.0f", js_number(l, "priority"), js_number(l, "weight"));
}

static void put_locator_table(const struct output *o, const char *label, struct json_object *list, bool local)
{
	struct table *t;

	if (!js_length(list))
		return;
	put(o, INK_BOLD, "  %s:\n", label);
	t = table_new(5);
	for (size_t i = 0; i < js_length(list); i++)
		locator_cells(t, json_object_array_get_idx(list, i), local);
	table_print(t, o, 4);
}

void show_context(const struct output *o, struct json_object *c)
{
	struct json_object *locators = js_get(c, "locators");

	put(o, INK_TITLE, "context");
	put(o, INK_NONE, ": ");
	put(o, INK_BOLD, "%.0f\n", js_number(c, "id"));
	put_label(o, "ULIDs");
	put_pair(o, js_get(c, "ulid"));
	if (js_number(c, "fii") > 0)
		put(o, INK_NONE, ", fork %.0f", js_number(c, "fii"));
	put(o, INK_NONE, "\n");
	put_label(o, "tags");
	put_pair(o, js_get(c, "tag"));
	put(o, INK_NONE, "\n");
	put_label(o, "state");
	put(o, state_ink(js_text(c, "state")), "%s", js_text(c, "state"));
	put(o, INK_NONE, ", %s, for %s, idle %s\n", js_bool(c, "initiator") ? "initiator" : "responder",
	    text_duration(js_number(c, "age_s")).s, text_duration(js_number(c, "idle_s")).s);
	put_current(o, c);
	put_label(o, "reachability");
	put(o, state_ink(js_text(c, "reap")), "%s", js_text(c, "reap"));
	put(o, INK_NONE, ", send timeout %.0f s, keepalive timeout %.0f s\n", js_number(c, "send_timeout_s"),
	    js_number(c, "keepalive_timeout_s"));
	put_fail_back(o, c);
	put_last_switch(o, c);
	put_counters(o, js_get(c, "counters"));
	put_label(o, "MTU");
	put(o, INK_NONE, "%.0f\n", js_number(c, "mtu"));
	put_locator_table(o, "local locators", js_get(locators, "local"), true);
	put_locator_table(o, "peer locators", js_get(locators, "peer"), false);
}

static void context_row(struct table *t, struct json_object *c)
{
	struct json_object *ulid = js_get(c, "ulid"), *current = js_get(c, "current");

	table_cell(t, INK_BOLD, "%.0f", js_number(c, "id"));
	table_cell(t, state_ink(js_text(c, "state")), "%s", js_text(c, "state"));
	table_cell(t, state_ink(js_text(c, "reap")), "%s", js_text(c, "reap"));
	table_cell(t, INK_NONE, "%s" ARROW "%s", js_text(ulid, "local"), js_text(ulid, "peer"));
	if (js_bool(c, "rewritten"))
		table_cell(t, INK_WARN, "%s" ARROW "%s", js_text(current, "local"), js_text(current, "peer"));
	else
		table_cell(t, INK_DIM, "the ULIDs");
}

void show_contexts(const struct output *o, struct json_object *contexts)
{
	static const char *const titles[] = { "ID", "STATE", "REACHABILITY", "ULIDS", "CURRENT PAIR" };
	size_t n = js_length(contexts);
	struct table *t;

	if (o->detail) {
		for (size_t i = 0; i < n; i++) {
			put(o, INK_NONE, "%s", i ? "\n" : "");
			show_context(o, json_object_array_get_idx(contexts, i));
		}
		return;
	}
	if (!n) {
		put(o, INK_NONE, "no contexts\n");
		return;
	}
	t = table_new(sizeof(titles) / sizeof(titles[0]));
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_cell(t, INK_BOLD, "%s", titles[i]);
	for (size_t i = 0; i < n; i++)
		context_row(t, json_object_array_get_idx(contexts, i));
	table_print(t, o, 0);
}
