/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/trace.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/daemon.h"
#include "daemon/text.h"

#define WHY_MAX 4 /* counters told of one message */
#define IPV6_HEADER 40

enum kind {
	KIND_SENT,
	KIND_RECEIVED,
	KIND_ICMP,
	KIND_UNKNOWN_TAG,
	KIND_EVENT,
};

/* Something that happened. */
struct record {
	struct record *next;
	enum kind kind;
	struct timespec wall, monotonic;
	struct shim6_pair pair; /* our end first; ICMP: of the quoted packet */
	const char *verdict;
	unsigned n_why;
	const char *why[WHY_MAX];
	struct json_object *event;
	uint8_t icmp_type, icmp_code;
	uint64_t tag; /* of a payload packet */

	/* found by resolve() */
	bool resolved, owned;
	struct shim6_pair ulid; /* of the context, or named by the message */
	uint64_t id;

	size_t len;
	uint8_t octets[];
};

struct trace {
	struct record *first, **last;
	size_t waiting; /* octets */
	uint64_t missed;
	struct engine_ctx_info info; /* of the context of the record that is handed on */
	struct record *open;	     /* the engine is about it */
	uint64_t *before;	     /* the engine's counters then */
};

struct trace *trace_new(void)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->last = &t->first;
	t->before = calloc(engine_counter_count(), sizeof(*t->before));
	if (!t->before) {
		free(t);
		return NULL;
	}
	return t;
}

static struct record *take_first(struct trace *t)
{
	struct record *r = t->first;

	if (!r)
		return NULL;
	t->first = r->next;
	if (!t->first)
		t->last = &t->first;
	t->waiting -= sizeof(*r) + r->len;
	return r;
}

static void record_free(struct record *r)
{
	json_object_put(r->event);
	free(r);
}

void trace_free(struct trace *t)
{
	struct record *r;

	if (!t)
		return;
	while ((r = take_first(t)) != NULL)
		record_free(r);
	free(t->before);
	free(t);
}

bool trace_on(const struct daemon *d)
{
	return d->control && control_server_traced(d->control);
}

/* --- taking notes --------------------------------------------------------- */

/* NULL: too much waits, or out of memory; counted. */
static struct record *note(struct daemon *d, enum kind kind, const uint8_t *octets, size_t len)
{
	struct trace *t = d->trace;
	struct record *r = NULL;

	if (t->waiting + sizeof(*r) + len <= TRACE_WAITING_MAX)
		r = calloc(1, sizeof(*r) + len);
	if (!r) {
		t->missed++;
		return NULL;
	}
	r->kind = kind;
	r->len = len;
	if (len)
		memcpy(r->octets, octets, len);
	clock_gettime(CLOCK_REALTIME, &r->wall);
	clock_gettime(CLOCK_MONOTONIC, &r->monotonic);
	t->waiting += sizeof(*r) + len;
	*t->last = r;
	t->last = &r->next;
	return r;
}

void trace_sent(struct daemon *d, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		size_t len, bool ok)
{
	struct record *r = note(d, KIND_SENT, msg, len);

	if (!r)
		return;
	r->pair = (struct shim6_pair){ .local = *src, .peer = *dst };
	r->verdict = ok ? "sent" : "failed";
}

void trace_event(struct daemon *d, const struct engine_event *ev, struct json_object *o)
{
	struct record *r = note(d, KIND_EVENT, NULL, 0);

	if (!r)
		return;
	r->resolved = r->owned = true;
	r->ulid = ev->ulid;
	r->id = ev->id;
	r->event = json_object_get(o);
}

void trace_refused(struct daemon *d, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		   size_t len, const char *why)
{
	struct record *r = note(d, KIND_RECEIVED, msg, len);

	if (!r)
		return;
	r->pair = (struct shim6_pair){ .local = *dst, .peer = *src };
	r->verdict = "dropped";
	r->why[r->n_why++] = why;
}

/* What the engine's counters say when it has returned is why. */
static bool begin(struct daemon *d, struct record *r, const struct shim6_addr *local, const struct shim6_addr *peer)
{
	if (!r)
		return false;
	r->pair = (struct shim6_pair){ .local = *local, .peer = *peer };
	for (unsigned i = 0; i < engine_counter_count(); i++)
		d->trace->before[i] = engine_counter(d->engine, i);
	d->trace->open = r;
	return true;
}

bool trace_received(struct daemon *d, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		    size_t len)
{
	return begin(d, note(d, KIND_RECEIVED, msg, len), dst, src);
}

bool trace_icmp(struct daemon *d, uint8_t type, uint8_t code, const uint8_t *quote, size_t len)
{
	struct record *r = note(d, KIND_ICMP, quote, len);
	struct shim6_addr src, dst;

	if (!r)
		return false;
	r->icmp_type = type;
	r->icmp_code = code;
	memcpy(src.b, quote + 8, 16);
	memcpy(dst.b, quote + 24, 16);
	return begin(d, r, &src, &dst);
}

bool trace_unknown_tag(struct daemon *d, const struct shim6_addr *src, const struct shim6_addr *dst, uint64_t tag)
{
	struct record *r = note(d, KIND_UNKNOWN_TAG, NULL, 0);

	if (r)
		r->tag = tag;
	return begin(d, r, dst, src);
}

void trace_handled(struct daemon *d)
{
	struct record *r = d->trace->open;

	r->verdict = "accepted";
	for (unsigned i = 0; i < engine_counter_count() && r->n_why < WHY_MAX; i++) {
		const char *name = engine_counter_name(i);
		bool drop = strncmp(name, "drop_", 5) == 0;

		if (engine_counter(d->engine, i) == d->trace->before[i])
			continue;
		if (drop)
			r->verdict = "dropped";
		if (drop || strncmp(name, "limit_", 6) == 0 || strncmp(name, "ignored_", 8) == 0)
			r->why[r->n_why++] = name;
	}
	d->trace->open = NULL;
	trace_flush(d);
}

/* --- whose it is ---------------------------------------------------------- */

static void resolve(struct daemon *d, struct record *r)
{
	const uint8_t *msg = r->octets;
	bool sent = r->kind != KIND_RECEIVED;
	struct wire_msg m;
	size_t len = r->len, offset;

	if (r->resolved)
		return;
	r->resolved = true;
	r->ulid = r->pair;
	if (r->kind == KIND_ICMP) {
		msg += IPV6_HEADER;
		len -= IPV6_HEADER;
	}
	if (!len || wire_decode(msg, len, &m, &offset) != WIRE_OK)
		return;
	engine_message_ulids(&r->pair, sent, &m, &r->ulid);
	r->owned = engine_owner(d->engine, &r->pair, sent, &m, &r->id) && engine_get(d->engine, r->id, &d->trace->info);
	if (r->owned)
		r->ulid = d->trace->info.ulid;
}

/* What the control server hands back to wants() and make(). */
struct offer {
	struct daemon *d;
	struct record *r;
};

/* --- JSON ----------------------------------------------------------------- */

static void put_octets(struct json_object *o, const struct record *r)
{
	char *hex = malloc(2 * r->len + 1);

	if (!hex)
		return;
	text_hex(hex, r->octets, r->len);
	json_object_object_add(o, "octets", json_object_new_string(hex));
	free(hex);
}

static void put_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static bool lists_locators(const struct record *r)
{
	unsigned type = r->len > 2 ? r->octets[2] & 0x7f : 0;

	return type == WIRE_I2 || type == WIRE_R2 || type == WIRE_I2BIS || type == WIRE_UPDATE_REQUEST;
}

static void put_owner(struct json_object *o, const struct record *r, const struct engine_ctx_info *info)
{
	struct json_object *verified;

	if (!r->owned)
		return;
	json_object_object_add(o, "id", json_object_new_uint64(r->id));
	put_text(o, "state", engine_state_name(info->state));
	put_text(o, "reap", reap_state_name(info->reap));
	if (r->kind != KIND_RECEIVED || !lists_locators(r) || strcmp(r->verdict, "accepted") != 0)
		return;
	verified = json_object_new_array();
	for (unsigned i = 0; i < info->n_peer; i++) {
		if (info->peer[i].verified)
			json_object_array_add(verified, json_addr(&info->peer[i].addr));
	}
	json_object_object_add(o, "verified", verified);
}

static struct json_object *make(void *what)
{
	const struct offer *of = what;
	const struct record *r = of->r;
	struct json_object *o, *why;

	if (r->kind == KIND_EVENT)
		return json_object_get(r->event);
	o = json_object_new_object();
	why = json_object_new_array();
	put_text(o, "time", text_time(&r->wall).s);
	json_object_object_add(
		o, "monotonic_s",
		json_object_new_double((double)r->monotonic.tv_sec + (double)r->monotonic.tv_nsec / 1e9));
	if (r->kind == KIND_SENT || r->kind == KIND_RECEIVED)
		put_text(o, "direction", r->kind == KIND_SENT ? "sent" : "received");
	json_object_object_add(o, "local", json_addr(&r->pair.local));
	json_object_object_add(o, "peer", json_addr(&r->pair.peer));
	if (r->kind == KIND_ICMP) {
		json_object_object_add(o, "type", json_object_new_int(r->icmp_type));
		json_object_object_add(o, "code", json_object_new_int(r->icmp_code));
	}
	if (r->kind == KIND_UNKNOWN_TAG) {
		char tag[13];

		snprintf(tag, sizeof(tag), "%012llx", (unsigned long long)(r->tag & WIRE_TAG_MASK));
		put_text(o, "tag", tag);
	} else {
		put_octets(o, r);
	}
	put_text(o, "verdict", r->verdict);
	for (unsigned i = 0; i < r->n_why; i++)
		json_object_array_add(why, json_object_new_string(r->why[i]));
	json_object_object_add(o, "counters", why);
	put_owner(o, r, &of->d->trace->info);
	return o;
}

/* --- handing on ----------------------------------------------------------- */

/* What a subscriber wants to see; zero: everything. */
struct filter {
	uint64_t id;		 /* 0: any */
	bool has_peer, has_ulid; /* ulid: of the context with that id, or asked for */
	struct shim6_pair ulid;
};

/* Between locators of a context, though of none by what it says. */
static bool on_locators(struct daemon *d, uint64_t id, const struct shim6_pair *pair)
{
	struct engine_ctx_info info;
	bool local = false, peer = false;

	if (!engine_get(d->engine, id, &info))
		return false;
	for (unsigned i = 0; i < info.n_local; i++)
		local |= shim6_addr_eq(&info.local[i].addr, &pair->local);
	for (unsigned i = 0; i < info.n_peer; i++)
		peer |= shim6_addr_eq(&info.peer[i].addr, &pair->peer);
	return local && peer;
}

static bool wants(const void *filter, void *what)
{
	const struct filter *f = filter;
	const struct offer *of = what;
	struct record *r = of->r;

	resolve(of->d, r);
	if (f->id && r->owned)
		return r->id == f->id;
	if (f->has_ulid)
		return shim6_pair_eq(&f->ulid, &r->ulid) || (f->id && on_locators(of->d, f->id, &r->pair));
	if (f->has_peer)
		return shim6_addr_eq(&f->ulid.peer, &r->ulid.peer) || shim6_addr_eq(&f->ulid.peer, &r->pair.peer);
	return true;
}

void trace_flush(struct daemon *d)
{
	static const char *const member[] = {
		[KIND_SENT] = "message", [KIND_RECEIVED] = "message",
		[KIND_ICMP] = "icmp",	 [KIND_UNKNOWN_TAG] = "unknown_tag",
		[KIND_EVENT] = "event",
	};
	struct trace *t = d->trace;
	struct record *r;

	while ((r = take_first(t)) != NULL) {
		struct offer of = { d, r };
		struct control_trace c = { .member = member[r->kind], .wants = wants, .make = make, .what = &of };

		if (trace_on(d))
			control_server_trace(d->control, &c);
		record_free(r);
	}
	if (t->missed && trace_on(d))
		control_server_trace_missed(d->control, t->missed);
	t->missed = 0;
}

/* --- the operation -------------------------------------------------------- */

static bool read_addr(struct control_call *call, struct json_object *args, const char *key, struct shim6_addr *a,
		      bool *has)
{
	struct json_object *o;

	if (!json_object_object_get_ex(args, key, &o) || !o)
		return true;
	*has = json_object_is_type(o, json_type_string) && text_parse_addr(json_object_get_string(o), a);
	if (!*has)
		control_fail(call, "bad-argument", NULL, "%s: expected an IPv6 address", key);
	return *has;
}

static bool read_id(struct daemon *d, struct control_call *call, struct json_object *args, struct filter *f)
{
	struct engine_ctx_info info;
	struct json_object *o;

	if (!json_object_object_get_ex(args, "id", &o) || !o)
		return true;
	if (!json_object_is_type(o, json_type_int) || json_object_get_int64(o) < 0) {
		control_fail(call, "bad-argument", NULL, "id: expected a whole number");
		return false;
	}
	f->id = json_object_get_uint64(o);
	if (!engine_get(d->engine, f->id, &info)) {
		control_fail(call, "no-context", "shim6 contexts lists them", "no context %llu",
			     (unsigned long long)f->id);
		return false;
	}
	f->has_ulid = true;
	f->ulid = info.ulid;
	return true;
}

void trace_subscribe(struct daemon *d, struct control_call *call, struct json_object *args)
{
	struct filter f = { 0 }, *kept;
	bool has_local = false;

	if (args && !read_id(d, call, args, &f))
		return;
	if (args && !f.id &&
	    (!read_addr(call, args, "local", &f.ulid.local, &has_local) ||
	     !read_addr(call, args, "peer", &f.ulid.peer, &f.has_peer)))
		return;
	if (has_local && !f.has_peer) {
		control_fail(call, "bad-argument", NULL, "peer: expected beside local");
		return;
	}
	f.has_ulid |= has_local;
	kept = malloc(sizeof(*kept));
	if (!kept) {
		control_fail(call, "internal", NULL, "out of memory");
		return;
	}
	*kept = f;
	control_subscribe_trace(call, kept);
}
