// SPDX-License-Identifier: GPL-2.0-or-later
/* Contexts and counters of the hosts at the end of a run (see report_tables.h). */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "lab/report_html.h"
#include "lab/report_tables.h"

#define ARROW " \xe2\x86\x92 "
#define MAX_CONTEXTS 32 /* shown of a host; more would bury the rest */

static bool pair_known(const struct report_pair *p)
{
	return *p->local || *p->peer;
}

static bool same_pair(const struct report_pair *a, const struct report_pair *b)
{
	return !strcmp(a->local, b->local) && !strcmp(a->peer, b->peer);
}

static void put_pair(struct strbuf *b, const struct report_pair *p)
{
	html(b, "<span class=\"addr\">%s" ARROW "%s</span>", *p->local ? p->local : "?", *p->peer ? p->peer : "?");
}

static void pair_row(struct strbuf *b, const char *label, const struct report_pair *p, const char *more)
{
	if (!pair_known(p))
		return;
	html(b, "<dt>%s</dt><dd>", label);
	put_pair(b, p);
	html(b, "%s</dd>\n", more);
}

static void switch_rows(struct strbuf *b, const struct report_switch *s)
{
	char span[32];

	if (!s->any) {
		strbuf_puts(b, "<dt>Last switch</dt><dd>none</dd>\n");
		return;
	}
	html(b, "<dt>Last switch</dt><dd>%s", *s->reason ? s->reason : "no reason told");
	if (s->took_ms >= 0) {
		text_span(span, sizeof(span), s->took_ms / 1e3);
		html(b, "; found in %s", span);
	}
	if (s->ago_s >= 0) {
		text_span(span, sizeof(span), s->ago_s);
		html(b, ", %s before the end", span);
	}
	if (pair_known(&s->from)) {
		strbuf_puts(b, "<br/>from ");
		put_pair(b, &s->from);
	}
	if (pair_known(&s->to)) {
		strbuf_puts(b, "<br/>to ");
		put_pair(b, &s->to);
	}
	strbuf_puts(b, "</dd>\n");
}

static void locator_row(struct strbuf *b, const char *label, const struct report_locator *l, size_t n)
{
	if (!n)
		return;
	html(b, "<dt>%s</dt><dd>", label);
	for (size_t i = 0; i < n; i++) {
		strbuf_puts(b, i ? "<br/>" : "");
		html(b, "<span class=\"addr\">%s</span>", l[i].addr);
		if (*l[i].method)
			html(b, " <span class=\"dim\">%s</span>", l[i].method);
		if (l[i].broken || !l[i].up)
			strbuf_puts(b, ", broken");
		if (!l[i].verified)
			strbuf_puts(b, ", not verified");
	}
	strbuf_puts(b, "</dd>\n");
}

static void traffic_part(struct strbuf *b, const char *what, const struct report_count *packets,
			 const struct report_count *bytes)
{
	char text[32];

	if (!packets->known)
		return;
	html(b, "%s ", what);
	html_number(b, packets->n);
	strbuf_puts(b, " packets");
	if (bytes->known) {
		text_bytes(text, sizeof(text), (double)bytes->n);
		html(b, " (%s)", text);
	}
}

static void counter_part(struct strbuf *b, const char *what, const struct report_count *c, size_t start)
{
	if (c->known)
		html(b, "%s%s %llu", b->len > start ? ", " : "", what, (unsigned long long)c->n);
}

static void counter_rows(struct strbuf *b, const struct report_context *c)
{
	size_t start;

	if (c->rx_packets.known || c->tx_packets.known) {
		strbuf_puts(b, "<dt>Traffic</dt><dd>");
		traffic_part(b, "received", &c->rx_packets, &c->rx_bytes);
		if (c->rx_packets.known && c->tx_packets.known)
			strbuf_puts(b, ", ");
		traffic_part(b, "sent", &c->tx_packets, &c->tx_bytes);
		strbuf_puts(b, "</dd>\n");
	}
	if (!c->switches.known && !c->probes_sent.known && !c->keepalives_sent.known)
		return;
	strbuf_puts(b, "<dt>Protocol</dt><dd>");
	start = b->len;
	counter_part(b, "switches", &c->switches, start);
	counter_part(b, "explorations", &c->episodes, start);
	counter_part(b, "probes sent", &c->probes_sent, start);
	counter_part(b, "probes received", &c->probes_received, start);
	counter_part(b, "keepalives sent", &c->keepalives_sent, start);
	counter_part(b, "keepalives received", &c->keepalives_received, start);
	strbuf_puts(b, "</dd>\n");
}

static void context_title(struct strbuf *b, const struct report_context *c)
{
	strbuf_puts(b, "<h4>Context");
	if (c->id.known)
		html(b, " %llu", (unsigned long long)c->id.n);
	if (*c->state)
		html(b, ", %s", c->state);
	if (*c->reap)
		html(b, ", REAP %s", c->reap);
	if (c->initiator >= 0)
		html(b, "%s", c->initiator ? ", initiator" : ", responder");
	if (c->fii.known && c->fii.n)
		html(b, ", fork %llu", (unsigned long long)c->fii.n);
	strbuf_puts(b, "</h4>\n");
}

static void context(struct strbuf *b, const struct report_context *c)
{
	bool moved = pair_known(&c->ulid) && pair_known(&c->current) && !same_pair(&c->ulid, &c->current);

	strbuf_puts(b, "<div class=\"ctx\">");
	context_title(b, c);
	strbuf_puts(b, "<dl>\n");
	pair_row(b, "ULIDs", &c->ulid, "");
	pair_row(b, "Current pair", &c->current, moved ? ", rewritten" : ", the ULIDs");
	if (pair_known(&c->tag))
		html(b, "<dt>Context tags</dt><dd>CT(local) <code>%s</code>, CT(peer) <code>%s</code></dd>\n",
		     c->tag.local, c->tag.peer);
	switch_rows(b, &c->last_switch);
	locator_row(b, "Ls(local)", c->local, c->n_local);
	locator_row(b, "Ls(peer)", c->peer, c->n_peer);
	if (c->send_timeout >= 0)
		html(b, "<dt>Send Timeout</dt><dd>%g s</dd>\n", c->send_timeout);
	if (c->keepalive_timeout >= 0)
		html(b, "<dt>Keepalive Timeout</dt><dd>%g s</dd>\n", c->keepalive_timeout);
	if (c->mtu.known && c->mtu.n)
		html(b, "<dt>MTU</dt><dd>%llu octets for the session</dd>\n", (unsigned long long)c->mtu.n);
	counter_rows(b, c);
	strbuf_puts(b, "</dl></div>\n");
}

/* --- counters --------------------------------------------------------------- */

static bool is_zero(struct json_object *o)
{
	return !o || (json_object_is_type(o, json_type_int) && json_object_get_uint64(o) == 0);
}

static void tally(struct json_object *group, unsigned *all, unsigned *set)
{
	if (!json_object_is_type(group, json_type_object))
		return;
	json_object_object_foreach(group, key, value)
	{
		(void)key;
		(*all)++;
		*set += !is_zero(value);
	}
}

static void counter(struct strbuf *b, const char *name, struct json_object *value)
{
	html(b, is_zero(value) ? "<tr class=\"zero\"><td>%s</td>" : "<tr><td>%s</td>", name);
	strbuf_puts(b, "<td class=\"n\">");
	if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0)
		html_number(b, json_object_get_uint64(value));
	else
		html(b, "%s", value ? json_object_get_string(value) : "\xe2\x80\x93");
	strbuf_puts(b, "</td></tr>\n");
}

static void counter_group(struct strbuf *b, const char *name, struct json_object *group)
{
	html(b, "<section><h4>%s</h4><table><tbody>\n", name);
	if (json_object_is_type(group, json_type_object)) {
		json_object_object_foreach(group, key, value) counter(b, key, value);
	} else {
		counter(b, name, group);
	}
	strbuf_puts(b, "</tbody></table></section>\n");
}

static void counters(struct strbuf *b, const struct report_host *h)
{
	unsigned all = 0, set = 0;

	if (!h->stats)
		return;
	json_object_object_foreach(h->stats, each_name, each)
	{
		(void)each_name;
		tally(each, &all, &set);
	}
	html(b,
	     "<details><summary>Counters of host %s: %u, of which %u are not zero</summary><div class=\"counters\">\n",
	     h->name, all, set);
	json_object_object_foreach(h->stats, name, group) counter_group(b, name, group);
	strbuf_puts(b, "</div></details>\n");
}

void report_hosts(struct strbuf *b, const struct report_run *run)
{
	for (size_t i = 0; i < run->n_hosts; i++) {
		const struct report_host *h = &run->hosts[i];

		html(b, "<h3>Host %s</h3>\n", h->name);
		if (!h->n_contexts)
			strbuf_puts(b, "<p class=\"dim\">No context at the end.</p>\n");
		for (size_t k = 0; k < h->n_contexts && k < MAX_CONTEXTS; k++)
			context(b, &h->contexts[k]);
		if (h->n_contexts > MAX_CONTEXTS)
			html(b, "<p class=\"hint\">%zu more contexts are in the result file.</p>\n",
			     h->n_contexts - MAX_CONTEXTS);
		counters(b, h);
	}
}
