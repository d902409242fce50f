/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/events.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/log.h"
#include "daemon/text.h"

struct events {
	uint64_t seq; /* of the newest */
	struct json_object *ring[EVENTS_KEPT];
};

struct events *events_new(void)
{
	return calloc(1, sizeof(struct events));
}

void events_free(struct events *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < EVENTS_KEPT; i++)
		json_object_put(e->ring[i]);
	free(e);
}

/* --- text ----------------------------------------------------------------- */

static const char *who(enum engine_reason r)
{
	switch (r) {
	case ENGINE_WHY_PEER:
	case ENGINE_WHY_PEER_PROBE:
	case ENGINE_WHY_PEER_BROKEN:
		return "the peer noticed";
	case ENGINE_WHY_COMMAND:
		return "asked for";
	default:
		return "noticed here";
	}
}

static int silence_text(const struct engine_event *ev, char *out, size_t len)
{
	if (!ev->silence)
		return 0;
	return snprintf(out, len, ", silent for %.1f s", (double)ev->silence / 1e9);
}

static int episode_text(const struct engine_event *ev, const char *what, char *out, size_t len)
{
	char silence[48] = "";

	silence_text(ev, silence, sizeof(silence));
	return snprintf(out, len, "%s after %.0f ms and %u probe%s (%s: %s%s)", what, (double)ev->elapsed / 1e6,
			ev->probes, ev->probes == 1 ? "" : "s", who(ev->reason), engine_reason_text(ev->reason),
			silence);
}

static void body_text(const struct engine_event *ev, char *out, size_t len)
{
	const char *why = engine_reason_text(ev->reason);
	char what[256], silence[48] = "";

	switch (ev->type) {
	case ENGINE_EV_NEW:
		snprintf(out, len, "asking the peer for a context (%s)", why);
		return;
	case ENGINE_EV_ESTABLISHED:
		snprintf(out, len, "established (%s)", why);
		return;
	case ENGINE_EV_FAILED:
		snprintf(out, len, "no context: %s; not asked again for a while", why);
		return;
	case ENGINE_EV_EXPLORING:
		silence_text(ev, silence, sizeof(silence));
		snprintf(out, len, "looking for a working pair, %s in use (%s: %s%s)", text_pair(&ev->from).s,
			 who(ev->reason), why, silence);
		return;
	case ENGINE_EV_SWITCHED:
		snprintf(what, sizeof(what), "switched from %s to %s", text_pair(&ev->from).s, text_pair(&ev->to).s);
		episode_text(ev, what, out, len);
		return;
	case ENGINE_EV_RECOVERED:
		snprintf(what, sizeof(what), "stays on %s: it works", text_pair(&ev->to).s);
		episode_text(ev, what, out, len);
		return;
	case ENGINE_EV_RECOVERING:
		snprintf(out, len, "the peer lost this context; making it again");
		return;
	case ENGINE_EV_LOCATORS:
		snprintf(out, len, "locators changed (%s)", why);
		return;
	case ENGINE_EV_GONE:
		snprintf(out, len, "removed (%s)", why);
		return;
	}
	snprintf(out, len, "%s (%s)", engine_event_name(ev->type), why);
}

void events_text(const struct engine_event *ev, char *out, size_t len)
{
	int n;

	n = snprintf(out, len, "context %llu %s", (unsigned long long)ev->id, text_pair(&ev->ulid).s);
	if (n > 0 && (size_t)n < len && ev->fii)
		n += snprintf(out + n, len - (size_t)n, " (fork %u)", ev->fii);
	if (n > 0 && (size_t)n < len)
		n += snprintf(out + n, len - (size_t)n, ": ");
	if (n > 0 && (size_t)n < len)
		body_text(ev, out + n, len - (size_t)n);
}

/* --- JSON ----------------------------------------------------------------- */

struct json_object *json_addr(const struct shim6_addr *a)
{
	return json_object_new_string(text_addr(a).s);
}

struct json_object *json_pair(const struct shim6_pair *p)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "local", json_addr(&p->local));
	json_object_object_add(o, "peer", json_addr(&p->peer));
	return o;
}

static void add_time(struct json_object *o, uint64_t monotonic)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	json_object_object_add(o, "time", json_object_new_string(text_time(&ts).s));
	json_object_object_add(o, "monotonic_s", json_object_new_double((double)monotonic / 1e9));
}

static void add_episode(struct json_object *o, const struct engine_event *ev)
{
	bool ended = ev->type == ENGINE_EV_SWITCHED || ev->type == ENGINE_EV_RECOVERED;

	if (!ended && ev->type != ENGINE_EV_EXPLORING)
		return;
	json_object_object_add(o, "from", json_pair(&ev->from));
	if (ended) {
		json_object_object_add(o, "to", json_pair(&ev->to));
		json_object_object_add(o, "took_ms", json_object_new_double((double)ev->elapsed / 1e6));
		json_object_object_add(o, "probes", json_object_new_int64(ev->probes));
	}
	if (ev->silence)
		json_object_object_add(o, "silence_ms", json_object_new_double((double)ev->silence / 1e6));
}

struct json_object *events_add(struct events *e, const struct engine_event *ev)
{
	struct json_object *o = json_object_new_object(), **place;
	char text[EVENTS_TEXT_MAX];

	events_text(ev, text, sizeof(text));
	log_line(ev->type == ENGINE_EV_NEW ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "%s", text);
	if (!o)
		return NULL;
	add_time(o, ev->now);
	json_object_object_add(o, "seq", json_object_new_uint64(++e->seq));
	json_object_object_add(o, "type", json_object_new_string(engine_event_name(ev->type)));
	json_object_object_add(o, "reason", json_object_new_string(engine_reason_text(ev->reason)));
	json_object_object_add(o, "text", json_object_new_string(text));
	json_object_object_add(o, "id", json_object_new_uint64(ev->id));
	json_object_object_add(o, "ulid", json_pair(&ev->ulid));
	add_episode(o, ev);
	place = &e->ring[e->seq % EVENTS_KEPT];
	json_object_put(*place);
	*place = o;
	return o;
}

void events_since(const struct events *e, uint64_t since, void (*fn)(void *arg, struct json_object *event), void *arg)
{
	uint64_t first = e->seq >= EVENTS_KEPT ? e->seq - EVENTS_KEPT + 1 : 1;

	if (since + 1 > first && since < UINT64_MAX)
		first = since + 1;
	for (uint64_t seq = first; seq <= e->seq; seq++) {
		if (e->ring[seq % EVENTS_KEPT])
			fn(arg, e->ring[seq % EVENTS_KEPT]);
	}
}
