/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations of the control protocol; control/control.h says what each takes and gives. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "daemon/control_json.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/text.h"

#ifndef SHIM6_VERSION
#define SHIM6_VERSION "unknown"
#endif

/* --- arguments ------------------------------------------------------------ */

static bool arg_addr(struct control_call *call, struct json_object *args, const char *key, struct shim6_addr *out)
{
	struct json_object *o;

	if (args && json_object_object_get_ex(args, key, &o) && json_object_is_type(o, json_type_string) &&
	    text_parse_addr(json_object_get_string(o), out))
		return true;
	control_fail(call, "bad-argument", NULL, "%s: expected an IPv6 address", key);
	return false;
}

static bool has_arg(struct json_object *args, const char *key)
{
	struct json_object *o;

	return args && json_object_object_get_ex(args, key, &o) && o;
}

static bool arg_u64(struct control_call *call, struct json_object *args, const char *key, uint64_t *out)
{
	struct json_object *o;

	if (args && json_object_object_get_ex(args, key, &o) && json_object_is_type(o, json_type_int) &&
	    json_object_get_int64(o) >= 0) {
		*out = json_object_get_uint64(o);
		return true;
	}
	control_fail(call, "bad-argument", NULL, "%s: expected a whole number", key);
	return false;
}

static void fail_result(struct control_call *call, int rc)
{
	static const struct {
		int rc;
		const char *code, *hint;
	} map[] = {
		{ ENGINE_E_NO_CONTEXT, "no-context", "shim6 contexts lists them" },
		{ ENGINE_E_NOT_LOCAL, "not-local", "shim6 locators lists this host's addresses" },
		{ ENGINE_E_BAD_ADDRESS, "bad-argument", NULL },
		{ ENGINE_E_LIMIT, "limit", "[limits] contexts in the configuration" },
		{ ENGINE_E_EXISTS, "exists", NULL },
		{ ENGINE_E_STATE, "state", NULL },
		{ ENGINE_E_ONE_PAIR, "state", "a host without an HBA set has one locator: shim6 addr generate" },
	};

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (map[i].rc == rc) {
			control_fail(call, map[i].code, map[i].hint, "%s", engine_result_text(rc));
			return;
		}
	}
	control_fail(call, "internal", NULL, "%s", engine_result_text(rc));
}

/* --- looking -------------------------------------------------------------- */

static void verb_status(struct daemon *d, struct control_call *call, struct json_object *args)
{
	(void)args;
	control_ok(call, control_json_status(d, SHIM6_VERSION));
}

bool daemon_pair_of_user(void *pair, uid_t uid)
{
	const struct daemon_pair *p = pair;

	return sockets_of_user(p->d->sockets, daemon_now(), &p->ulid, uid);
}

static void verb_contexts(struct daemon *d, struct control_call *call, struct json_object *args)
{
	struct json_object *list, *more = NULL;
	struct engine_ctx_info info;
	uint64_t id = 0;
	uid_t uid;
	bool all = control_sees_all(call, &uid);

	if (has_arg(args, "id")) {
		if (!arg_u64(call, args, "id", &id))
			return;
		/* Whether others' contexts exist is not told either. */
		if (!engine_get(d->engine, id, &info) ||
		    !(all || daemon_pair_of_user(&(struct daemon_pair){ d, info.ulid }, uid))) {
			control_fail(call, "no-context", "shim6 contexts lists them", "no context %llu",
				     (unsigned long long)id);
			return;
		}
		list = json_object_new_array();
		json_object_array_add(list, control_json_context(d, &info));
	} else {
		if (has_arg(args, "after") && !arg_u64(call, args, "after", &id))
			return;
		list = control_json_contexts(d, id, all ? NULL : &uid, &more);
	}
	control_ok_more(call, list, more);
}

static void verb_locators(struct daemon *d, struct control_call *call, struct json_object *args)
{
	(void)args;
	control_ok(call, control_json_locators(d));
}

static void verb_stats(struct daemon *d, struct control_call *call, struct json_object *args)
{
	(void)args;
	control_ok(call, control_json_stats(d));
}

static void verb_negative(struct daemon *d, struct control_call *call, struct json_object *args)
{
	struct json_object *more = NULL, *list = control_json_negative(d, &more);

	(void)args;
	control_ok_more(call, list, more);
}

struct backlog {
	struct daemon *d;
	struct json_object *list;
	const uid_t *uid; /* what this user may see; NULL: all */
};

static bool event_pair(struct json_object *event, struct shim6_pair *out)
{
	struct json_object *ulid, *local, *peer;

	return json_object_object_get_ex(event, "ulid", &ulid) && json_object_object_get_ex(ulid, "local", &local) &&
	       json_object_object_get_ex(ulid, "peer", &peer) &&
	       text_parse_addr(json_object_get_string(local), &out->local) &&
	       text_parse_addr(json_object_get_string(peer), &out->peer);
}

static void add_backlog(void *arg, struct json_object *event)
{
	struct backlog *b = arg;
	struct daemon_pair pair = { .d = b->d };

	if (!b->uid || (event_pair(event, &pair.ulid) && daemon_pair_of_user(&pair, *b->uid)))
		json_object_array_add(b->list, json_object_get(event));
}

static void verb_events(struct daemon *d, struct control_call *call, struct json_object *args)
{
	uid_t uid;
	struct backlog backlog = { .d = d, .uid = control_sees_all(call, &uid) ? NULL : &uid };
	uint64_t since;

	if (has_arg(args, "since")) {
		if (!arg_u64(call, args, "since", &since))
			return;
		backlog.list = json_object_new_array();
		events_since(d->events, since, add_backlog, &backlog);
	}
	control_subscribe(call, backlog.list);
}

/* Octets of messages are as private as a capture, and each costs something: not for everybody. */
static void verb_trace(struct daemon *d, struct control_call *call, struct json_object *args)
{
	trace_subscribe(d, call, args);
}

static void verb_addr_list(struct daemon *d, struct control_call *call, struct json_object *args)
{
	(void)args;
	control_ok(call, control_json_sets(d, true));
}

static void verb_addr_progress(struct daemon *d, struct control_call *call, struct json_object *args)
{
	(void)args;
	control_ok(call, d->job ? control_json_progress(d->job) : NULL);
}

/* --- changing ------------------------------------------------------------- */

struct reloaded {
	struct json_object *changed, *restart;
};

static void note_change(void *arg, const char *key, bool needs_restart)
{
	struct reloaded *r = arg;

	json_object_array_add(r->changed, json_object_new_string(key));
	if (needs_restart)
		json_object_array_add(r->restart, json_object_new_string(key));
}

static void verb_reload(struct daemon *d, struct control_call *call, struct json_object *args)
{
	struct reloaded r = { json_object_new_array(), json_object_new_array() };
	struct json_object *o;
	char err[CONFIG_ERR_MAX];

	(void)args;
	if (!daemon_reload(d, note_change, &r, err, sizeof(err))) {
		json_object_put(r.changed);
		json_object_put(r.restart);
		log_error("%s; the configuration stays as it was", err);
		control_fail(call, "config", "the configuration stays as it was", "%s", err);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "changed", r.changed);
	json_object_object_add(o, "restart", r.restart);
	control_ok(call, o);
}

static void verb_establish(struct daemon *d, struct control_call *call, struct json_object *args)
{
	struct shim6_pair ulid;
	struct json_object *o;
	int rc;

	if (!arg_addr(call, args, "local", &ulid.local) || !arg_addr(call, args, "peer", &ulid.peer))
		return;
	d->triggered = false;
	rc = engine_establish(d->engine, daemon_now(), &ulid);
	if (rc != ENGINE_OK) {
		fail_result(call, rc);
		return;
	}
	o = json_object_new_object();
	if (d->triggered)
		json_object_object_add(o, "id", json_object_new_uint64(d->last_new));
	control_ok(call, o);
}

static void verb_explore(struct daemon *d, struct control_call *call, struct json_object *args)
{
	struct engine_ctx_info info;
	struct shim6_pair wanted;
	uint64_t id;
	bool any = false;
	int rc;

	if (!arg_u64(call, args, "id", &id))
		return;
	if (!engine_get(d->engine, id, &info)) {
		fail_result(call, ENGINE_E_NO_CONTEXT);
		return;
	}
	wanted = info.current;
	if (has_arg(args, "local")) {
		any = true;
		if (!arg_addr(call, args, "local", &wanted.local))
			return;
	}
	if (has_arg(args, "peer")) {
		any = true;
		if (!arg_addr(call, args, "peer", &wanted.peer))
			return;
	}
	rc = engine_explore(d->engine, daemon_now(), id, any ? &wanted : NULL);
	if (rc == ENGINE_OK)
		control_ok(call, NULL);
	else
		fail_result(call, rc);
}

static void verb_drop(struct daemon *d, struct control_call *call, struct json_object *args)
{
	uint64_t id;
	int rc;

	if (!arg_u64(call, args, "id", &id))
		return;
	rc = engine_drop(d->engine, daemon_now(), id);
	if (rc == ENGINE_OK)
		control_ok(call, NULL);
	else
		fail_result(call, rc);
}

/* --- preferences ---------------------------------------------------------- */

/* Does the target cover a locator that is there? */
static bool covers_any(const struct daemon *d, const struct preference *p)
{
	for (unsigned i = 0; i < d->locals->n; i++) {
		const struct host_link *link = host_link(d->host, d->locals->l[i].ifindex);

		if (preference_covers(p, link ? link->name : "", &d->locals->l[i].engine.addr))
			return true;
	}
	return false;
}

static bool arg_octet(struct control_call *call, struct json_object *args, const char *key, unsigned *out)
{
	uint64_t n;

	if (!arg_u64(call, args, key, &n))
		return false;
	if (n > 255) {
		control_fail(call, "bad-argument", NULL, "%s: expected a whole number from 0 to 255", key);
		return false;
	}
	*out = (unsigned)n;
	return true;
}

static bool arg_target(struct control_call *call, struct json_object *args, struct preference *out)
{
	struct json_object *o;

	if (json_object_object_get_ex(args, "target", &o) && json_object_is_type(o, json_type_string) &&
	    preference_target(out, json_object_get_string(o)))
		return true;
	control_fail(call, "bad-argument", NULL, "target: expected an interface, an IPv6 prefix or an address");
	return false;
}

static bool arg_reset(struct control_call *call, struct json_object *args, bool *out)
{
	struct json_object *o;

	*out = false;
	if (!has_arg(args, "reset"))
		return true;
	json_object_object_get_ex(args, "reset", &o);
	if (!json_object_is_type(o, json_type_boolean)) {
		control_fail(call, "bad-argument", NULL, "reset: expected true or false");
		return false;
	}
	*out = json_object_get_boolean(o);
	return true;
}

static bool take_back(struct daemon *d, struct control_call *call, const struct preference *target)
{
	if (preferences_reset(&d->prefer, target) == 0 && target) {
		control_fail(call, "no-preference", "shim6 prefer lists them", "nothing was said of %s",
			     target->target);
		return false;
	}
	log_notice("preferences of %s as the configuration says", target ? target->target : "all locators");
	return true;
}

static bool say(struct daemon *d, struct control_call *call, struct preference *p)
{
	if (!covers_any(d, p)) {
		control_fail(call, "not-local", "shim6 locators lists them", "%s covers no locator of this host",
			     p->target);
		return false;
	}
	if (!preferences_set(&d->prefer, p)) {
		control_fail(call, "limit", "shim6 prefer --reset takes them back", "more than %d preferences",
			     PREFER_MAX);
		return false;
	}
	log_notice("%s: priority %u, weight %u", p->target, p->priority, p->weight);
	return true;
}

static void verb_prefer(struct daemon *d, struct control_call *call, struct json_object *args)
{
	struct preference p;
	bool target = has_arg(args, "target"), reset, done = true;
	unsigned weight = 0, priority;

	if (!arg_reset(call, args, &reset) || (target && !arg_target(call, args, &p)))
		return;
	if ((target || reset || has_arg(args, "priority")) && !control_may_change(call))
		return;
	if (reset) {
		done = take_back(d, call, target ? &p : NULL);
	} else if (target || has_arg(args, "priority")) {
		if (!target && !arg_target(call, args, &p))
			return;
		if (!arg_octet(call, args, "priority", &priority) ||
		    (has_arg(args, "weight") && !arg_octet(call, args, "weight", &weight)))
			return;
		p.priority = priority;
		p.weight = weight;
		done = say(d, call, &p);
	}
	if (!done)
		return;
	daemon_refresh(d);
	control_ok(call, control_json_prefer(d));
}

/* --- HBA sets ------------------------------------------------------------- */

static void generated(void *user, const struct store_set *set, const char *err)
{
	struct daemon *d = user;
	struct control_call *call = d->job_call;

	d->job = NULL;
	d->job_call = NULL;
	if (!set) {
		control_fail(call, "io", NULL, "%s", err);
		return;
	}
	log_notice("HBA set %s made", set->name);
	if (d->engine) {
		hba_load(d->hba);
		daemon_refresh(d);
	}
	control_ok(call, control_json_generated(set));
}

static void cancel_generate(void *arg)
{
	generate_cancel(arg);
}

/* Fills req from the arguments; answers the call when they are no good. */
static bool read_request(struct control_call *call, struct json_object *args, struct generate_request *req)
{
	struct json_object *o;
	char err[256] = "";
	uint64_t sec = 0, bits = 0;

	if (has_arg(args, "sec") && !arg_u64(call, args, "sec", &sec))
		return false;
	req->sec = sec > CGA_MAX_SEC ? CGA_MAX_SEC + 1 : (unsigned)sec;
	if (has_arg(args, "name") && json_object_object_get_ex(args, "name", &o)) {
		if (json_object_is_type(o, json_type_string) && store_name_ok(json_object_get_string(o)))
			snprintf(req->name, sizeof(req->name), "%s", json_object_get_string(o));
		else
			snprintf(err, sizeof(err), "name: expected at most %d letters, digits, '-', '_' and '.'",
				 STORE_NAME_MAX);
	}
	if (has_arg(args, "new_key") && !arg_u64(call, args, "new_key", &bits))
		return false;
	req->new_key = bits > UINT16_MAX ? UINT16_MAX : (unsigned)bits;
	if (has_arg(args, "key") && json_object_object_get_ex(args, "key", &o)) {
		if (!json_object_is_type(o, json_type_string) || json_object_get_string_len(o) > STORE_PEM_MAX)
			snprintf(err, sizeof(err), "key: expected PEM of at most %d octets", STORE_PEM_MAX);
		else
			snprintf(req->pem, sizeof(req->pem), "%s", json_object_get_string(o));
	}
	if (!has_arg(args, "prefixes") || !json_object_object_get_ex(args, "prefixes", &o) ||
	    !json_object_is_type(o, json_type_array)) {
		snprintf(err, sizeof(err), "prefixes: expected a list");
		o = NULL;
	}
	for (size_t i = 0; o && !*err && i < json_object_array_length(o); i++)
		generate_add_prefix(req, json_object_get_string(json_object_array_get_idx(o, i)) ?: "", err,
				    sizeof(err));
	if (!*err)
		return true;
	control_fail(call, "bad-argument", NULL, "%s", err);
	return false;
}

static void verb_addr_generate(struct daemon *d, struct control_call *call, struct json_object *args)
{
	struct generate_request *req;
	char err[STORE_ERR_MAX];

	if (d->job) {
		control_fail(call, "state", "shim6 addr shows how far it is", "another HBA set is being made");
		return;
	}
	req = calloc(1, sizeof(*req));
	if (!req) {
		control_fail(call, "internal", NULL, "out of memory");
		return;
	}
	if (read_request(call, args, req)) {
		d->job = generate_start(loop_uv(d->loop), hba_dir(d->hba), req, generated, d, err, sizeof(err));
		if (d->job) {
			d->job_call = call;
			control_on_cancel(call, cancel_generate, d->job);
		} else {
			control_fail(call, "bad-argument", NULL, "%s", err);
		}
	}
	explicit_bzero(req->pem, sizeof(req->pem));
	free(req);
}

static void verb_addr_delete(struct daemon *d, struct control_call *call, struct json_object *args)
{
	char err[STORE_ERR_MAX], name[STORE_NAME_MAX + 8];
	struct json_object *o;
	size_t n;

	if (!has_arg(args, "file") || !json_object_object_get_ex(args, "file", &o) ||
	    !json_object_is_type(o, json_type_string)) {
		control_fail(call, "bad-argument", "shim6 addr list shows them", "file: expected the name of a set");
		return;
	}
	snprintf(name, sizeof(name), "%s", json_object_get_string(o));
	n = strlen(name);
	if (n > 4 && strcmp(name + n - 4, ".set") == 0)
		name[n - 4] = '\0';
	if (!store_delete(hba_dir(d->hba), name, err, sizeof(err))) {
		control_fail(call, "io", "shim6 addr list shows them", "%s", err);
		return;
	}
	log_notice("HBA set %s deleted", name);
	hba_load(d->hba);
	daemon_refresh(d);
	control_ok(call, NULL);
}

/* --- the table ------------------------------------------------------------ */

static const struct verb {
	const char *op;
	void (*fn)(struct daemon *d, struct control_call *call, struct json_object *args);
	bool privileged;
} verbs[] = {
	{ "status", verb_status, false },
	{ "contexts", verb_contexts, false },
	{ "locators", verb_locators, false },
	{ "stats", verb_stats, false },
	{ "events", verb_events, false },
	{ "negative", verb_negative, true }, /* whom this host speaks to */
	{ "trace", verb_trace, true },
	{ "addr.list", verb_addr_list, false },
	{ "addr.progress", verb_addr_progress, false },
	{ "prefer", verb_prefer, false }, /* looks, too: asks itself */
	{ "reload", verb_reload, true },
	{ "establish", verb_establish, true },
	{ "explore", verb_explore, true },
	{ "drop", verb_drop, true },
	{ "addr.generate", verb_addr_generate, true },
	{ "addr.delete", verb_addr_delete, true },
};

void daemon_control(void *user, struct control_call *call, const char *op, struct json_object *args)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].op, op) != 0)
			continue;
		if (!verbs[i].privileged || control_may_change(call))
			verbs[i].fn(user, call, args);
		return;
	}
	control_fail(call, "unknown-op", "is the command newer than the daemon?", "no operation '%.64s'%s", op,
		     strlen(op) > 64 ? "..." : "");
}
