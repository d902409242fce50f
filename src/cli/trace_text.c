/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/trace.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_ENOUGH 20 /* letters of an address that is left as it is */

/* Why a message was dropped, or what was not done about it, by the counter that says so. */
static const struct {
	const char *counter, *text;
} reasons[] = {
	{ "ctl_truncated", "longer than any Shim6 message" },
	{ "ctl_no_pktinfo", "destination unknown" },
	{ "ctl_fragmented", "came in fragments" },
	{ "drop_address", "multicast or unspecified address" },
	{ "drop_own_source", "source is an address of ours" },
	{ "drop_not_local", "destination is no locator of ours" },
	{ "drop_short", "shorter than its header says" },
	{ "drop_min_length", "shorter than its type needs" },
	{ "drop_checksum", "checksum wrong" },
	{ "drop_not_control", "not a control message" },
	{ "drop_s_bit", "a HIP message" },
	{ "drop_unknown_type", "unknown type" },
	{ "drop_critical_option", "critical option not recognized" },
	{ "drop_option", "malformed option" },
	{ "drop_duplicate", "an option twice" },
	{ "drop_probe", "malformed Probe" },
	{ "drop_no_validator", "no Responder Validator" },
	{ "drop_ulid_not_local", "its ULID is no address of ours" },
	{ "drop_ulid_unusable", "its ULID cannot be used" },
	{ "drop_stale_nonce", "responder nonce too old" },
	{ "drop_bad_validator", "validator is not ours" },
	{ "drop_validator_too_long", "validator too long" },
	{ "drop_unknown_handshake", "answers nothing that we asked" },
	{ "drop_wrong_state", "not expected in this state" },
	{ "drop_source_locator", "source is not in the sender's locator list" },
	{ "drop_pds", "parameters do not fit the ULID" },
	{ "drop_list_without_pds", "locator list without parameters" },
	{ "drop_method", "unknown verification method" },
	{ "drop_sec", "Sec value is not ours to verify" },
	{ "drop_locator_verification", "locator verification failed" },
	{ "drop_signature_budget", "too many signatures to look at" },
	{ "drop_r1bis_no_match", "of no context" },
	{ "drop_r1bis_not_recent", "nothing was sent there lately" },
	{ "drop_tag_not_ready", "context not established yet" },
	{ "drop_unknown_tag", "no context has this tag" },
	{ "drop_wrong_locators", "addresses are not of this context" },
	{ "drop_update_generation", "generation not in sync" },
	{ "drop_update_count", "preferences do not fit the list" },
	{ "drop_update_ack_nonce", "acknowledges nothing that waits" },
	{ "drop_error_no_match", "quotes nothing of ours" },
	{ "drop_icmp_no_match", "quotes nothing of ours" },
	{ "drop_icmp_other", "means nothing to Shim6" },
	{ "limit_replies", "no answer: too many" },
	{ "limit_replies_per_64", "no answer: too many for this prefix" },
	{ "limit_contexts", "too many contexts" },
	{ "limit_contexts_per_64", "too many contexts with this prefix" },
	{ "limit_forks", "too many forks" },
};

char *trace_text_verdict(struct json_object *o)
{
	struct json_object *counters = js_get(o, "counters");
	const char *verdict = js_text(o, "verdict");
	char *s = NULL;
	size_t len;
	FILE *f = open_memstream(&s, &len);

	if (!f)
		abort();
	fputs(strcmp(verdict, "failed") == 0 ? "not sent: refused by the kernel" : verdict, f);
	for (size_t i = 0; i < js_length(counters); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(counters, i)), *text = NULL;

		for (size_t k = 0; name && k < sizeof(reasons) / sizeof(reasons[0]); k++) {
			if (strcmp(reasons[k].counter, name) == 0)
				text = reasons[k].text;
		}
		fprintf(f, "%s%s", i ? ", " : ": ", text ? text : "");
		fprintf(f, text ? " (%s)" : "%s", name ? name : "");
	}
	fclose(f);
	return s;
}

/* --- pieces --------------------------------------------------------------- */

/* The /64 and the end: enough to tell the locators of two hosts apart, and --json has the whole. */
static struct text short_addr(const char *s)
{
	struct text t;
	uint8_t a[16];
	char prefix[INET6_ADDRSTRLEN];
	size_t n;

	snprintf(t.s, sizeof(t.s), "%s", s);
	if (strlen(s) <= SHORT_ENOUGH || inet_pton(AF_INET6, s, a) != 1)
		return t;
	memset(a + 8, 0, 8);
	n = strlen(inet_ntop(AF_INET6, a, prefix, sizeof(prefix)));
	if (n >= 2 && strcmp(prefix + n - 2, "::") == 0)
		prefix[n - 2] = '\0';
	inet_pton(AF_INET6, s, a);
	snprintf(t.s, sizeof(t.s), "%s..%02x%02x", prefix, a[14], a[15]);
	return t;
}

static struct text addr_of(struct json_object *o, const char *key)
{
	return short_addr(js_text(o, key));
}

static void say_text(FILE *f, struct json_object *d, const char *key, const char *label)
{
	if (js_get(d, key))
		fprintf(f, ", %s %s", label, js_text(d, key));
}

static void say_octets(FILE *f, struct json_object *d, const char *key, const char *label)
{
	if (js_get(d, key))
		fprintf(f, ", %s of %zu octets", label, strlen(js_text(d, key)) / 2);
}

static void say_records(FILE *f, struct json_object *list, const char *label)
{
	for (size_t i = 0; i < js_length(list); i++) {
		struct json_object *r = json_object_array_get_idx(list, i);
		const char *data = js_text(r, "data");

		fprintf(f, "%s %s > %s nonce %s", i ? ";" : label, addr_of(r, "src").s, addr_of(r, "dst").s,
			js_text(r, "nonce"));
		if (strspn(data, "0") != strlen(data))
			fprintf(f, " data %s", data);
	}
}

static bool contains(struct json_object *list, const char *s)
{
	for (size_t i = 0; i < js_length(list); i++) {
		const char *e = json_object_get_string(json_object_array_get_idx(list, i));

		if (e && strcmp(e, s) == 0)
			return true;
	}
	return false;
}

static void say_locators(FILE *f, struct json_object *locators, struct json_object *verified)
{
	struct json_object *list = js_get(locators, "list");

	if (!locators)
		return;
	fprintf(f, ", locators (generation %.0f)", js_number(locators, "generation"));
	for (size_t i = 0; i < js_length(list); i++) {
		struct json_object *l = json_object_array_get_idx(list, i);

		fprintf(f, "%s %s %s", i ? ";" : "", addr_of(l, "addr").s, js_text(l, "method"));
		if (verified)
			fputs(contains(verified, js_text(l, "addr")) ? " verified" : " not verified", f);
	}
}

static void say_preferences(FILE *f, struct json_object *preferences)
{
	struct json_object *list = js_get(preferences, "list");

	if (!preferences)
		return;
	fprintf(f, ", preferences (generation %.0f)", js_number(preferences, "generation"));
	for (size_t i = 0; i < js_length(list); i++) {
		struct json_object *p = json_object_array_get_idx(list, i);

		fprintf(f, "%s priority %.0f weight %.0f%s%s", i ? ";" : "", js_number(p, "priority"),
			js_number(p, "weight"), js_bool(p, "broken") ? " broken" : "",
			js_bool(p, "transient") ? " transient" : "");
	}
}

static void say_error(FILE *f, struct json_object *e)
{
	struct json_object *quote = js_get(e, "quote");

	if (!e)
		return;
	fprintf(f, ", code %.0f: %s, at octet %.0f of", js_number(e, "code"), js_text(e, "text"),
		js_number(e, "pointer"));
	if (js_get(quote, "src"))
		fprintf(f, " %s %s > %s", *js_text(quote, "type") ? js_text(quote, "type") : "packet",
			addr_of(quote, "src").s, addr_of(quote, "dst").s);
	else
		fputs(" a packet that is not whole", f);
}

/* What a message says, after its name. */
static void say_message(FILE *f, struct json_object *d, struct json_object *verified)
{
	struct json_object *u = js_get(d, "ulids");

	say_text(f, d, "reap", "state");
	say_text(f, d, "tag", "tag");
	say_text(f, d, "packet_tag", "of packet with tag");
	say_text(f, d, "initiator_nonce", "initiator nonce");
	say_text(f, d, "responder_nonce", "responder nonce");
	say_text(f, d, "request_nonce", "nonce");
	if (u)
		fprintf(f, ", ULIDs %s > %s", addr_of(u, "sender").s, addr_of(u, "receiver").s);
	say_text(f, d, "fii", "FII");
	say_records(f, js_get(d, "sent"), ", sent");
	say_records(f, js_get(d, "received"), ", received");
	say_octets(f, d, "validator", "validator");
	say_locators(f, js_get(d, "locators"), verified);
	say_preferences(f, js_get(d, "preferences"));
	say_octets(f, d, "pds", "HBA parameters");
	say_octets(f, d, "signature", "signature");
	if (js_get(d, "keepalive_timeout_s"))
		fprintf(f, ", keepalive timeout %.0f s", js_number(d, "keepalive_timeout_s"));
	say_error(f, js_get(d, "error"));
}

/* --- lines ---------------------------------------------------------------- */

/* Of "2026-01-31T12:34:56.123456Z" the time of day. */
static void put_time(struct trace_text *t, struct json_object *o)
{
	const char *time = js_text(o, "time"), *day = strchr(time, 'T');

	put(t->out, INK_DIM, "%.15s", day ? day + 1 : time);
}

static void put_context(struct trace_text *t, struct json_object *o)
{
	put(t->out, INK_NONE, "  %s%-4s ", js_get(o, "id") ? "#" : " ", js_text(o, "id"));
}

static struct trace_seen *seen_of(struct trace_text *t, const char *id)
{
	return &t->seen[strtoull(id, NULL, 10) % TRACE_SEEN];
}

static void tell_change(struct trace_text *t, struct json_object *o, const char *key, char was[16])
{
	const char *is = js_text(o, key);

	if (*was && *is && strcmp(was, is) != 0) {
		put_time(t, o);
		put_context(t, o);
		put(t->out, INK_BOLD, "%s -> %s\n", was, is);
	}
	if (*is)
		snprintf(was, 16, "%s", is);
}

/* A line for a context whose state is not what it was when seen last. */
static void tell_changes(struct trace_text *t, struct json_object *o)
{
	const char *id = js_text(o, "id");
	struct trace_seen *s = seen_of(t, id);

	if (!*id)
		return;
	if (strcmp(s->id, id) != 0) {
		memset(s, 0, sizeof(*s));
		snprintf(s->id, sizeof(s->id), "%s", id);
	}
	tell_change(t, o, "state", s->state);
	tell_change(t, o, "reap", s->reap);
}

static void put_verdict(struct trace_text *t, struct json_object *o)
{
	const char *verdict = js_text(o, "verdict");
	bool bad = strcmp(verdict, "dropped") == 0 || strcmp(verdict, "failed") == 0;
	char *s = trace_text_verdict(o);

	if (strcmp(s, "sent") != 0)
		put(t->out, bad ? INK_BAD : INK_GOOD, "  [%s]", s);
	put(t->out, INK_NONE, "\n");
	free(s);
}

void trace_text_message(struct trace_text *t, struct json_object *m)
{
	struct json_object *d = js_get(m, "decoded");
	bool sent = strcmp(js_text(m, "direction"), "sent") == 0;
	const char *type = js_text(d, "type"), *why = js_text(d, "undecodable");
	char *said = NULL;
	size_t len;
	FILE *f = open_memstream(&said, &len);

	if (!f)
		abort();
	if (*why) {
		fprintf(f, ", undecodable: %s", why);
		if (js_get(d, "offset"))
			fprintf(f, " at octet %.0f", js_number(d, "offset"));
		fprintf(f, ", octets %s", js_text(m, "octets"));
	} else {
		say_message(f, d, js_get(m, "verified"));
	}
	fclose(f);
	if (sent)
		tell_changes(t, m); /* it was sent because of that */
	put_time(t, m);
	put_context(t, m);
	put(t->out, INK_NONE, "%s %s %s  ", addr_of(m, "local").s, sent ? "->" : "<-", addr_of(m, "peer").s);
	put(t->out, INK_BOLD, "%s", *type ? type : "message");
	put(t->out, INK_NONE, "%s", said);
	put_verdict(t, m);
	if (!sent)
		tell_changes(t, m);
	free(said);
}

void trace_text_icmp(struct trace_text *t, struct json_object *o)
{
	struct json_object *d = js_get(o, "decoded");
	const char *type = js_text(d, "type");

	put_time(t, o);
	put_context(t, o);
	put(t->out, INK_NONE, "%s -> %s  ", addr_of(o, "local").s, addr_of(o, "peer").s);
	put(t->out, INK_WARN, "ICMPv6 type %.0f code %.0f", js_number(o, "type"), js_number(o, "code"));
	put(t->out, INK_NONE, " about %s", *type ? type : "a packet");
	if (js_get(d, "tag"))
		put(t->out, INK_NONE, ", tag %s", js_text(d, "tag"));
	put_verdict(t, o);
	tell_changes(t, o);
}

void trace_text_unknown_tag(struct trace_text *t, struct json_object *o)
{
	put_time(t, o);
	put_context(t, o);
	put(t->out, INK_NONE, "%s <- %s  ", addr_of(o, "local").s, addr_of(o, "peer").s);
	put(t->out, INK_WARN, "payload packet");
	put(t->out, INK_NONE, ", tag %s", js_text(o, "tag"));
	put_verdict(t, o);
}

void trace_text_event(struct trace_text *t, struct json_object *event)
{
	const char *text = js_text(event, "text"), *what = strstr(text, ": ");

	put_time(t, event);
	put_context(t, event);
	/* in front of it: which context, that is in this line already */
	put(t->out, INK_TITLE, "%s\n", what ? what + 2 : *text ? text : js_text(event, "type"));
	if (strcmp(js_text(event, "type"), "gone") == 0)
		memset(seen_of(t, js_text(event, "id")), 0, sizeof(struct trace_seen));
}

void trace_text_remark(struct trace_text *t, const char *remark)
{
	put(t->out, INK_WARN, "--- %s\n", remark);
}
