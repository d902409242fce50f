/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/control.h"
#include "daemon/control_json.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/text.h"

static void put_text(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v));
}

static void put_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static void put_bool(struct json_object *o, const char *key, bool v)
{
	json_object_object_add(o, key, json_object_new_boolean(v));
}

/* Nanoseconds as seconds, to the millisecond. */
static void put_seconds(struct json_object *o, const char *key, uint64_t ns)
{
	json_object_object_add(o, key, json_object_new_double((double)(ns / 1000000) / 1e3));
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

struct json_object *control_json_addrs(const struct shim6_addr *a, unsigned n)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < n; i++)
		json_object_array_add(list, json_addr(&a[i]));
	return list;
}

/* --- status --------------------------------------------------------------- */

struct tally {
	uint64_t contexts, established, exploring;
};

static int tally_one(void *arg, const struct engine_ctx_info *info)
{
	struct tally *t = arg;

	t->contexts++;
	t->established += info->state == ENGINE_ESTABLISHED;
	t->exploring += info->state == ENGINE_ESTABLISHED && info->reap != REAP_OPERATIONAL;
	return 0;
}

static struct json_object *locator_list(struct daemon *d)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < d->locals->n; i++) {
		const struct local *l = &d->locals->l[i];
		const struct host_link *link = host_link(d->host, l->ifindex);
		struct json_object *o = json_object_new_object();
		char from[CONFIG_NAME_MAX + 16];
		struct preference p;

		json_object_object_add(o, "addr", json_addr(&l->engine.addr));
		put_text(o, "ifname", link ? link->name : "");
		put_u64(o, "ifindex", l->ifindex);
		put_bool(o, "up", !(l->engine.flags & ENGINE_LOCAL_DOWN));
		put_bool(o, "deprecated", l->engine.flags & ENGINE_LOCAL_DEPRECATED);
		put_bool(o, "hba", l->engine.set >= 0);
		if (l->engine.set >= 0)
			put_text(o, "set", hba_set(d->hba, d->locals->set[l->engine.set])->stored.name);
		put_u64(o, "priority", l->engine.priority);
		put_u64(o, "weight", l->engine.weight);
		preference_of(&d->config, &d->prefer, link ? link->name : "", &l->engine.addr, &p, from, sizeof(from));
		put_text(o, "preference", from);
		json_object_array_add(list, o);
	}
	return list;
}

struct json_object *control_json_status(struct daemon *d, const char *version)
{
	struct json_object *o = json_object_new_object();
	struct tally t = { 0 };

	engine_each(d->engine, tally_one, &t);
	put_text(o, "version", version);
	put_u64(o, "pid", (uint64_t)getpid());
	put_seconds(o, "uptime_s", since(daemon_now(), d->started));
	put_text(o, "datapath", "bpf");
	put_bool(o, "initiate", d->config.engine.initiate);
	json_object_object_add(o, "config_file",
			       d->opt.config_file ? json_object_new_string(d->opt.config_file) : NULL);
	put_u64(o, "send_timeout_s", d->config.engine.reap.send_timeout / 1000000000);
	put_u64(o, "contexts", t.contexts);
	put_u64(o, "established", t.established);
	put_u64(o, "exploring", t.exploring);
	if (d->job)
		json_object_object_add(o, "generating", control_json_progress(d->job));
	json_object_object_add(o, "locators", locator_list(d));
	return o;
}

/* --- contexts ------------------------------------------------------------- */

static struct json_object *tag_text(uint64_t tag)
{
	char s[17];

	snprintf(s, sizeof(s), "%012llx", (unsigned long long)tag);
	return json_object_new_string(s);
}

static const char *method_name(uint8_t method)
{
	return method == WIRE_METHOD_HBA ? "hba" : method == WIRE_METHOD_CGA ? "cga" : "none";
}

static struct json_object *context_locators(const struct engine_ctx_info *info)
{
	struct json_object *o = json_object_new_object(), *local = json_object_new_array(),
			   *peer = json_object_new_array();

	for (unsigned i = 0; i < info->n_local; i++) {
		const struct engine_locator_info *l = &info->local[i];
		struct json_object *e = json_object_new_object();

		json_object_object_add(e, "addr", json_addr(&l->addr));
		put_bool(e, "up", !(l->flags & (REAP_LOC_DOWN | REAP_LOC_GONE)));
		put_text(e, "method", method_name(l->method));
		put_u64(e, "priority", l->priority);
		put_u64(e, "weight", l->weight);
		json_object_array_add(local, e);
	}
	for (unsigned i = 0; i < info->n_peer; i++) {
		const struct engine_locator_info *l = &info->peer[i];
		struct json_object *e = json_object_new_object();

		json_object_object_add(e, "addr", json_addr(&l->addr));
		put_bool(e, "broken", l->flags & (REAP_LOC_DOWN | REAP_LOC_GONE));
		put_bool(e, "probed", l->flags & REAP_LOC_PROBED);
		put_bool(e, "verified", l->verified);
		put_text(e, "method", method_name(l->method));
		put_u64(e, "priority", l->priority);
		put_u64(e, "weight", l->weight);
		json_object_array_add(peer, e);
	}
	json_object_object_add(o, "local", local);
	json_object_object_add(o, "peer", peer);
	return o;
}

static struct json_object *last_switch(const struct engine_ctx_info *info, uint64_t now)
{
	struct json_object *o;

	if (!info->switch_time)
		return NULL;
	o = json_object_new_object();
	put_seconds(o, "ago_s", since(now, info->switch_time));
	json_object_object_add(o, "took_ms", json_object_new_double((double)info->switch_elapsed / 1e6));
	put_text(o, "reason", engine_reason_text(info->switch_reason));
	json_object_object_add(o, "from", json_pair(&info->switch_from));
	json_object_object_add(o, "to", json_pair(&info->switch_to));
	return o;
}

static struct json_object *context_counters(const struct engine_ctx_info *info)
{
	struct json_object *o = json_object_new_object();

	put_u64(o, "switches", info->switches);
	put_u64(o, "episodes", info->episodes);
	put_u64(o, "probes_sent", info->probes_sent);
	put_u64(o, "probes_received", info->probes_received);
	put_u64(o, "keepalives_sent", info->keepalives_sent);
	put_u64(o, "keepalives_received", info->keepalives_received);
	put_u64(o, "tx_packets", info->stamps.tx_packets);
	put_u64(o, "tx_bytes", info->stamps.tx_bytes);
	put_u64(o, "rx_packets", info->stamps.rx_packets);
	put_u64(o, "rx_bytes", info->stamps.rx_bytes);
	return o;
}

/* The better pair that it is to go to; works_s null: as far as known it does not work. */
static struct json_object *fail_back(const struct engine_ctx_info *info, uint64_t now)
{
	struct json_object *o;

	if (shim6_addr_is_unspecified(&info->better.local))
		return NULL;
	o = json_object_new_object();
	json_object_object_add(o, "pair", json_pair(&info->better));
	if (info->better_since)
		put_seconds(o, "works_s", since(now, info->better_since));
	else
		json_object_object_add(o, "works_s", NULL);
	if (info->better_hold == ENGINE_NEVER)
		json_object_object_add(o, "hold_down_s", NULL);
	else
		put_seconds(o, "hold_down_s", info->better_hold);
	return o;
}

struct json_object *control_json_context(struct daemon *d, const struct engine_ctx_info *info)
{
	struct json_object *o = json_object_new_object(), *tag = json_object_new_object();
	uint64_t now = daemon_now(), last = info->created;

	if (info->stamps.last_tx > last)
		last = info->stamps.last_tx;
	if (info->stamps.last_rx > last)
		last = info->stamps.last_rx;
	put_u64(o, "id", info->id);
	put_u64(o, "slot", info->slot);
	put_text(o, "state", engine_state_name(info->state));
	put_u64(o, "fii", info->fii);
	put_bool(o, "initiator", info->initiator);
	json_object_object_add(o, "ulid", json_pair(&info->ulid));
	json_object_object_add(tag, "local", tag_text(info->ct_local));
	json_object_object_add(tag, "peer", tag_text(info->ct_peer));
	json_object_object_add(o, "tag", tag);
	json_object_object_add(o, "current", json_pair(&info->current));
	put_bool(o, "rewritten", !shim6_pair_eq(&info->current, &info->ulid));
	put_text(o, "reap", reap_state_name(info->reap));
	put_seconds(o, "send_timeout_s", info->send_timeout);
	put_seconds(o, "keepalive_timeout_s", info->keepalive_timeout);
	put_seconds(o, "age_s", since(now, info->created));
	put_seconds(o, "idle_s", since(now, last));
	put_u64(o, "mtu", datapath_mtu(d->dp, info->slot));
	json_object_object_add(o, "locators", context_locators(info));
	json_object_object_add(o, "fail_back", fail_back(info, now));
	json_object_object_add(o, "last_switch", last_switch(info, now));
	json_object_object_add(o, "counters", context_counters(info));
	return o;
}

/* A list that stops before it outgrows a reply line. */
struct listing {
	struct daemon *d;
	struct json_object *list;
	size_t octets;
	uint64_t after, last, now;
	const uid_t *uid; /* contexts of this user's sockets only; NULL: all */
	bool full;
};

static bool list_add(struct listing *l, struct json_object *o)
{
	size_t len;

	json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	if (l->octets + len + 1 > CONTROL_RESULT_MAX) {
		json_object_put(o);
		l->full = true;
		return false;
	}
	l->octets += len + 1;
	json_object_array_add(l->list, o);
	return true;
}

static int list_context(void *arg, const struct engine_ctx_info *info)
{
	struct listing *l = arg;

	if (info->id <= l->after)
		return 0;
	if (l->uid && !daemon_pair_of_user(&(struct daemon_pair){ l->d, info->ulid }, *l->uid))
		return 0;
	if (!list_add(l, control_json_context(l->d, info)))
		return 1;
	l->last = info->id;
	return 0;
}

struct json_object *control_json_contexts(struct daemon *d, uint64_t after, const uid_t *uid, struct json_object **more)
{
	struct listing l = { .d = d, .list = json_object_new_array(), .after = after, .uid = uid };

	engine_each(d->engine, list_context, &l);
	*more = l.full ? json_object_new_uint64(l.last) : NULL;
	return l.list;
}

static int list_negative(void *arg, const struct engine_negative_info *info)
{
	struct listing *l = arg;
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "local",
			       shim6_addr_is_unspecified(&info->ulid.local) ? NULL : json_addr(&info->ulid.local));
	json_object_object_add(o, "peer", json_addr(&info->ulid.peer));
	put_text(o, "state", engine_state_name(info->state));
	put_seconds(o, "left_s", since(info->until, l->now));
	return !list_add(l, o);
}

struct json_object *control_json_negative(struct daemon *d, struct json_object **more)
{
	struct listing l = { .d = d, .list = json_object_new_array(), .now = daemon_now() };

	engine_each_negative(d->engine, list_negative, &l);
	*more = l.full ? json_object_new_boolean(true) : NULL;
	return l.list;
}

/* --- addresses and counters ----------------------------------------------- */

struct json_object *control_json_generated(const struct store_set *set)
{
	struct json_object *o = json_object_new_object();

	put_text(o, "file", set->name);
	json_object_object_add(o, "addresses", control_json_addrs(set->set.addr, set->set.n));
	return o;
}

struct json_object *control_json_progress(const struct generate_job *j)
{
	struct search_progress p = generate_progress(j);
	struct json_object *o = json_object_new_object();

	put_u64(o, "sec", p.sec);
	put_u64(o, "threads", p.threads);
	put_u64(o, "tries", p.tries);
	put_u64(o, "expected", p.expected);
	json_object_object_add(o, "elapsed_s", json_object_new_double(p.elapsed));
	json_object_object_add(o, "per_s", p.per_second > 0 ? json_object_new_double(p.per_second) : NULL);
	json_object_object_add(o, "left_s", p.left > 0 ? json_object_new_double(p.left) : NULL);
	return o;
}

struct json_object *control_json_sets(struct daemon *d, bool configured)
{
	struct json_object *list = json_object_new_array();

	for (unsigned s = 0; s < hba_count(d->hba); s++) {
		const struct hba_set *set = hba_set(d->hba, s);
		struct json_object *o = json_object_new_object(), *prefixes = json_object_new_array(),
				   *there = json_object_new_array();

		for (unsigned i = 0; i < set->stored.set.n; i++) {
			struct shim6_addr prefix = { 0 };

			memcpy(prefix.b, set->stored.prefix[i], 8);
			json_object_array_add(prefixes, json_object_new_string(text_prefix(&prefix, 64).s));
			json_object_array_add(there, json_object_new_boolean(set->member[i].present));
		}
		put_text(o, "file", set->stored.name);
		put_u64(o, "sec", set->stored.set.sec);
		put_bool(o, "key", set->stored.pem != NULL);
		if (set->key)
			put_u64(o, "key_bits", cga_key_bits(set->key));
		put_u64(o, "collisions", set->stored.collision_count + (set->collided ? 1u : 0u));
		put_bool(o, "given_up", set->collided);
		json_object_object_add(o, "prefixes", prefixes);
		json_object_object_add(o, "addresses", control_json_addrs(set->stored.set.addr, set->stored.set.n));
		if (configured)
			json_object_object_add(o, "configured", json_object_get(there));
		json_object_put(there);
		json_object_array_add(list, o);
	}
	return list;
}

struct json_object *control_json_locators(struct daemon *d)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "locators", locator_list(d));
	json_object_object_add(o, "sets", control_json_sets(d, false));
	return o;
}

struct json_object *control_json_prefer(struct daemon *d)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	for (unsigned i = 0; i < d->prefer.n; i++) {
		struct json_object *p = json_object_new_object();

		put_text(p, "target", d->prefer.p[i].target);
		put_u64(p, "priority", d->prefer.p[i].priority);
		put_u64(p, "weight", d->prefer.p[i].weight);
		json_object_array_add(list, p);
	}
	json_object_object_add(o, "preferences", list);
	json_object_object_add(o, "locators", locator_list(d));
	return o;
}

struct json_object *control_json_stats(struct daemon *d)
{
	struct json_object *o = json_object_new_object(), *engine = json_object_new_object(),
			   *dp = json_object_new_object(), *own = json_object_new_object();

	for (unsigned i = 0; i < engine_counter_count(); i++)
		put_u64(engine, engine_counter_name(i), engine_counter(d->engine, i));
	for (unsigned i = 0; i < datapath_counter_count(d->dp); i++)
		put_u64(dp, datapath_counter_name(d->dp, i), datapath_counter(d->dp, i));
	for (unsigned i = 0; i < DC_COUNT; i++)
		put_u64(own, counter_name(i), d->counters.v[i]);
	put_u64(own, "held_now", held_count(d->held));
	put_u64(own, "errors_now", errors_count(d->errors));
	put_u64(own, "state_octets", state_size(d->state));
	json_object_object_add(o, "engine", engine);
	json_object_object_add(o, "datapath", dp);
	json_object_object_add(o, "daemon", own);
	return o;
}
