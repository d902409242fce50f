/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/events.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

#define SILENCE_WORTH_TELLING UINT64_C(100000000) /* ns */

struct line {
	char *s;
	size_t len, at;
};

__attribute__((format(printf, 2, 3))) static void say(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->at + 1 >= l->len)
		return;
	va_start(ap, fmt);
	n = vsnprintf(l->s + l->at, l->len - l->at, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->at = l->at + (size_t)n < l->len ? l->at + (size_t)n : l->len - 1;
}

static const char *noticed_by(enum engine_reason r)
{
	switch (r) {
	case ENGINE_WHY_PEER:
	case ENGINE_WHY_PEER_PROBE:
	case ENGINE_WHY_PEER_BROKEN:
		return "peer";
	case ENGINE_WHY_COMMAND:
		return "command";
	default:
		return "here";
	}
}

static void say_cause(struct line *l, const struct engine_event *ev)
{
	const char *by = noticed_by(ev->reason);

	say(l, "%s: %s",
	    strcmp(by, "peer") == 0	 ? "the peer noticed"
	    : strcmp(by, "command") == 0 ? "asked for"
					 : "noticed here",
	    engine_reason_text(ev->reason));
	if (ev->silence >= SILENCE_WORTH_TELLING)
		say(l, ", silent for %.1f s", (double)ev->silence / 1e9);
}

/* How the episode went that ends here. */
static void say_search(struct line *l, const struct engine_event *ev)
{
	say(l, ", found in %.0f ms with %u probe%s (", (double)ev->elapsed / 1e6, ev->probes,
	    ev->probes == 1 ? "" : "s");
	say_cause(l, ev);
	say(l, ")");
}

/* Only what differs: a line with six addresses explains nothing. */
static void say_switch(struct line *l, const struct engine_event *ev)
{
	bool local = !shim6_addr_eq(&ev->from.local, &ev->to.local),
	     peer = !shim6_addr_eq(&ev->from.peer, &ev->to.peer);

	if (shim6_pair_eq(&ev->to, &ev->ulid))
		say(l, "back on its own addresses, ");
	else
		say(l, "now ");
	say(l, "sends");
	if (local)
		say(l, " from %s", text_addr(&ev->to.local).s);
	if (peer)
		say(l, " to %s", text_addr(&ev->to.peer).s);
	say(l, ", no longer");
	if (local)
		say(l, " from %s", text_addr(&ev->from.local).s);
	if (peer)
		say(l, " to %s", text_addr(&ev->from.peer).s);
}

static void say_what(struct line *l, const struct engine_event *ev)
{
	const char *why = engine_reason_text(ev->reason);

	switch (ev->type) {
	case ENGINE_EV_NEW:
		say(l, "asking the peer for a context (%s)", why);
		return;
	case ENGINE_EV_ESTABLISHED:
		say(l, "established (%s)", why);
		return;
	case ENGINE_EV_FAILED:
		say(l, "no context: %s; not asked again for a while", why);
		return;
	case ENGINE_EV_EXPLORING:
		say(l, "looking for a working pair (");
		say_cause(l, ev);
		say(l, ")");
		return;
	case ENGINE_EV_SWITCHED:
		say_switch(l, ev);
		say_search(l, ev);
		return;
	case ENGINE_EV_RECOVERED:
		say(l, "keeps its pair of addresses, which works");
		say_search(l, ev);
		return;
	case ENGINE_EV_RECOVERING:
		say(l, "the peer lost this context; making it again");
		return;
	case ENGINE_EV_LOCATORS:
		say(l, "%s locators changed", ev->reason == ENGINE_WHY_PEER ? "the peer's" : "our");
		return;
	case ENGINE_EV_GONE:
		say(l, "removed (%s)", why);
		return;
	}
	say(l, "%s (%s)", engine_event_name(ev->type), why);
}

/* Where a context begins or ends, both its addresses; in between the peer's is enough to know it by. */
static bool wants_pair(enum engine_event_type t)
{
	return t == ENGINE_EV_NEW || t == ENGINE_EV_ESTABLISHED || t == ENGINE_EV_FAILED || t == ENGINE_EV_GONE;
}

void events_text(const struct engine_event *ev, char *out, size_t len)
{
	struct line l = { .s = out, .len = len };

	out[0] = '\0';
	say(&l, "context %llu ", (unsigned long long)ev->id);
	if (ev->fii)
		say(&l, "(fork %u) ", ev->fii);
	if (wants_pair(ev->type))
		say(&l, "%s: ", text_pair(&ev->ulid).s);
	else
		say(&l, "with %s: ", text_addr(&ev->ulid.peer).s);
	say_what(&l, ev);
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

/* Both clocks now, when the change is in force; the engine's time is that of the packet which led to it. */
static void add_time(struct json_object *o)
{
	struct timespec wall, monotonic;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	json_object_object_add(o, "time", json_object_new_string(text_time(&wall).s));
	json_object_object_add(o, "monotonic_s",
			       json_object_new_double((double)monotonic.tv_sec + (double)monotonic.tv_nsec / 1e9));
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

/* Into the journal with its fields, or as a line. */
static void tell(enum log_level level, const char *text, struct json_object *event)
{
	char **fields = log_has_fields() ? events_fields(event, NULL) : NULL;

	log_fields(level, text, (const char *const *)fields);
	events_fields_free(fields);
}

struct json_object *events_add(struct events *e, const struct engine_event *ev)
{
	enum log_level level = ev->type == ENGINE_EV_NEW ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
	struct json_object *o = json_object_new_object(), **place;
	char text[EVENTS_TEXT_MAX];

	events_text(ev, text, sizeof(text));
	if (!o) {
		log_line(level, "%s", text);
		return NULL;
	}
	add_time(o);
	json_object_object_add(o, "seq", json_object_new_uint64(++e->seq));
	json_object_object_add(o, "type", json_object_new_string(engine_event_name(ev->type)));
	json_object_object_add(o, "reason", json_object_new_string(engine_reason_text(ev->reason)));
	json_object_object_add(o, "noticed", json_object_new_string(noticed_by(ev->reason)));
	json_object_object_add(o, "text", json_object_new_string(text));
	json_object_object_add(o, "id", json_object_new_uint64(ev->id));
	json_object_object_add(o, "fii", json_object_new_int64(ev->fii));
	json_object_object_add(o, "ulid", json_pair(&ev->ulid));
	add_episode(o, ev);
	tell(level, text, o);
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

/* --- fields --------------------------------------------------------------- */

#define FIELDS_MAX 32

/* "ulid" and its "local" become SHIM6_ULID_LOCAL; "type" is the event. */
static bool add_fields(char **fields, unsigned *n, const char *prefix, struct json_object *o)
{
	json_object_object_foreach(o, key, value)
	{
		char name[64];
		size_t at = (size_t)snprintf(name, sizeof(name), "%s%s", prefix,
					     strcmp(key, "type") == 0  ? "event"
					     : strcmp(key, "id") == 0  ? "context"
					     : strcmp(key, "fii") == 0 ? "fork"
								       : key);

		for (size_t i = 0; i < at && i < sizeof(name); i++)
			name[i] = (char)toupper((unsigned char)name[i]);
		if (json_object_is_type(value, json_type_object)) {
			snprintf(name + at, sizeof(name) - at, "_");
			if (!add_fields(fields, n, name, value))
				return false;
		} else if (*n + 1 < FIELDS_MAX) {
			if (asprintf(&fields[*n], "%s=%s", name, json_object_get_string(value)) < 0) {
				fields[*n] = NULL;
				return false;
			}
			(*n)++;
		}
	}
	return true;
}

char **events_fields(struct json_object *event, const char *first)
{
	char **fields = calloc(FIELDS_MAX, sizeof(*fields));
	unsigned n = 0;
	bool ok = fields != NULL;

	if (ok && first)
		ok = (fields[n++] = strdup(first)) != NULL;
	if (ok && add_fields(fields, &n, "SHIM6_", event))
		return fields;
	events_fields_free(fields);
	return NULL;
}

void events_fields_free(char **fields)
{
	for (unsigned i = 0; fields && fields[i]; i++)
		free(fields[i]);
	free(fields);
}
