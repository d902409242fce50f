/* SPDX-License-Identifier: MIT */
/*
 * A context as bytes, for a new engine on the same boot. Big-endian, in this
 * order: magic, version, id, next id, slot, ULID pair, FII, tags, current pair,
 * flags, Keepalive Timeout, times, last switch, generations, what the peer was
 * told of our locators, the peer's locators, the peer's PDS. Ls(local) comes
 * from the HBA set again, and from what was saved of those outside it; where it differs from what was told, or the peer
 * had not acknowledged it, an Update Request follows the restart. An I2BIS-SENT context is saved as ESTABLISHED, and
 * tests its pair when it comes back: the peer may have answered meanwhile, and it is the R1bis to a stale tag that
 * starts the recovery anew.
 */
#include "engine/internal.h"

#define SAVE_MAGIC 0x53364358u /* "S6CX" */
#define SAVE_VERSION 3
#define SAVE_INITIATOR 1u
#define SAVE_PEER_LISTED 2u
#define SAVE_UPDATE 4u	   /* an Update Request is not acknowledged */
#define SAVE_RECOVERING 8u /* was I2BIS-SENT */
#define SAVE_ID_MAX (UINT64_MAX >> 1)

struct writer {
	uint8_t *p;
	size_t len, cap;
	bool overflow;
};

static void put(struct writer *w, const void *data, size_t len)
{
	if (w->cap - w->len < len) {
		w->overflow = true;
		return;
	}
	if (len)
		memcpy(w->p + w->len, data, len);
	w->len += len;
}

static void put_uint(struct writer *w, uint64_t x, unsigned octets)
{
	uint8_t b[8];

	for (unsigned i = 0; i < octets; i++)
		b[i] = (uint8_t)(x >> (8 * (octets - 1 - i)));
	put(w, b, octets);
}

struct reader {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static void get(struct reader *r, void *out, size_t len)
{
	if (r->left < len) {
		r->bad = true;
		memset(out, 0, len);
		return;
	}
	memcpy(out, r->p, len);
	r->p += len;
	r->left -= len;
}

static uint64_t get_uint(struct reader *r, unsigned octets)
{
	uint64_t x = 0;
	uint8_t b[8];

	get(r, b, octets);
	for (unsigned i = 0; i < octets; i++)
		x = x << 8 | b[i];
	return x;
}

/* What preferences are made of (emit.c). */
static void put_local(struct writer *w, const struct context *c)
{
	put_uint(w, c->n_local, 1);
	put_uint(w, c->n_set, 1);
	for (unsigned i = 0; i < c->n_local; i++) {
		put_uint(w, c->local[i].flags, 1);
		put_uint(w, c->local[i].priority, 1);
		put_uint(w, c->local[i].weight, 1);
		if (i >= c->n_set)
			put(w, &c->local[i].addr, 16);
	}
}

static void put_peer(struct writer *w, const struct context *c)
{
	put_uint(w, c->peer_generation, 4);
	put_uint(w, c->n_peer_listed, 1);
	put_uint(w, c->n_peer_kept, 1);
	put_uint(w, c->n_peer, 1);
	for (unsigned i = 0; i < c->n_peer; i++) {
		put(w, &c->peer[i].addr, 16);
		put_uint(w, c->peer[i].flags, 1);
		put_uint(w, c->peer[i].priority, 1);
		put_uint(w, c->peer[i].weight, 1);
		put_uint(w, c->peer_info[i].method, 1);
		put_uint(w, c->peer_info[i].verified, 1);
	}
	put_uint(w, c->peer_pds_len, 2);
	put(w, c->peer_pds, c->peer_pds_len);
}

int engine_save(struct engine *e, uint64_t id, uint8_t *buf, size_t cap)
{
	const struct context *c = context_by_id(e, id);
	struct writer w = { .p = buf, .cap = cap };
	const struct last_switch *last;

	if (!c)
		return ENGINE_E_NO_CONTEXT;
	last = context_last_switch(c);
	if (c->state != ENGINE_ESTABLISHED && c->state != ENGINE_I2BIS_SENT)
		return 0;
	put_uint(&w, SAVE_MAGIC, 4);
	put_uint(&w, SAVE_VERSION, 2);
	put_uint(&w, c->id, 8);
	put_uint(&w, e->contexts.next_id, 8);
	put_uint(&w, c->slot, 4);
	put(&w, &c->ulid, sizeof(c->ulid));
	put_uint(&w, c->fii, 4);
	put_uint(&w, c->ct_local, 8);
	put_uint(&w, c->ct_peer, 8);
	put(&w, &c->current, sizeof(c->current));
	put_uint(&w,
		 (c->initiator ? SAVE_INITIATOR : 0) | (c->peer_listed ? SAVE_PEER_LISTED : 0) |
			 (c->update || c->prefs_changed ? SAVE_UPDATE : 0) |
			 (c->state == ENGINE_I2BIS_SENT ? SAVE_RECOVERING : 0),
		 1);
	put_uint(&w, c->reap.keepalive_timeout / SECOND, 4);
	put_uint(&w, c->created, 8);
	put_uint(&w, c->established_at * SECOND, 8);
	put_uint(&w, c->switches, 4);
	put_uint(&w, last->time, 8);
	put_uint(&w, last->elapsed, 8);
	put_uint(&w, last->reason, 1);
	put(&w, &last->from, sizeof(last->from));
	put(&w, &last->to, sizeof(last->to));
	put_uint(&w, c->local_generation, 4);
	put_local(&w, c);
	put_peer(&w, c);
	return w.overflow ? ENGINE_E_LIMIT : (int)w.len;
}

/* Everything of a saved context, before it becomes one. */
struct saved {
	uint64_t id, next_id;
	uint32_t slot;
	struct shim6_pair ulid, current;
	struct last_switch last;
	uint32_t fii, keepalive_timeout, switches, local_generation;
	uint64_t ct_local, ct_peer, created, established;
	uint8_t flags;
	unsigned n_local, n_set;
	struct reap_locator local[ENGINE_MAX_LOCATORS]; /* those of the HBA set without addresses */
	struct peer_list peer;
};

static void get_local(struct reader *r, struct saved *s)
{
	s->n_local = (unsigned)get_uint(r, 1);
	s->n_set = (unsigned)get_uint(r, 1);
	if (s->n_local > ENGINE_MAX_LOCATORS || s->n_set > s->n_local) {
		r->bad = true;
		return;
	}
	for (unsigned i = 0; i < s->n_local; i++) {
		s->local[i].flags = (uint8_t)get_uint(r, 1);
		s->local[i].priority = (uint8_t)get_uint(r, 1);
		s->local[i].weight = (uint8_t)get_uint(r, 1);
		if (i >= s->n_set)
			get(r, &s->local[i].addr, 16);
	}
}

static void get_peer(struct reader *r, struct saved *s)
{
	struct peer_list *l = &s->peer;

	*l = (struct peer_list){ .present = s->flags & SAVE_PEER_LISTED };
	l->generation = (uint32_t)get_uint(r, 4);
	l->n_listed = (unsigned)get_uint(r, 1);
	l->n = (unsigned)get_uint(r, 1);
	l->n_total = (unsigned)get_uint(r, 1);
	if (l->n_total == 0 || l->n_total > ENGINE_MAX_LOCATORS || l->n > l->n_total || l->n > l->n_listed) {
		r->bad = true;
		return;
	}
	for (unsigned i = 0; i < l->n_total; i++) {
		struct peer_entry *p = &l->entry[i];

		get(r, &p->l.addr, 16);
		p->l.flags = (uint8_t)get_uint(r, 1);
		p->l.priority = (uint8_t)get_uint(r, 1);
		p->l.weight = (uint8_t)get_uint(r, 1);
		p->method = (uint8_t)get_uint(r, 1);
		p->verified = get_uint(r, 1) == 1;
	}
	l->pds_len = (size_t)get_uint(r, 2);
	if (l->pds_len != r->left || l->pds_len > MAX_PEER_PDS)
		r->bad = true;
	else if (l->pds_len)
		l->pds = r->p;
}

static bool get_saved(struct reader *r, struct saved *s)
{
	if (get_uint(r, 4) != SAVE_MAGIC || get_uint(r, 2) != SAVE_VERSION)
		return false;
	s->id = get_uint(r, 8);
	s->next_id = get_uint(r, 8);
	s->slot = (uint32_t)get_uint(r, 4);
	get(r, &s->ulid, sizeof(s->ulid));
	s->fii = (uint32_t)get_uint(r, 4);
	s->ct_local = get_uint(r, 8);
	s->ct_peer = get_uint(r, 8);
	get(r, &s->current, sizeof(s->current));
	s->flags = (uint8_t)get_uint(r, 1);
	s->keepalive_timeout = (uint32_t)get_uint(r, 4);
	s->created = get_uint(r, 8);
	s->established = get_uint(r, 8);
	s->switches = (uint32_t)get_uint(r, 4);
	s->last.time = get_uint(r, 8);
	s->last.elapsed = get_uint(r, 8);
	s->last.reason = (enum engine_reason)get_uint(r, 1);
	get(r, &s->last.from, sizeof(s->last.from));
	get(r, &s->last.to, sizeof(s->last.to));
	s->local_generation = (uint32_t)get_uint(r, 4);
	get_local(r, s);
	if (!r->bad)
		get_peer(r, s);
	return !r->bad;
}

/* Could this engine have saved it, on this boot? */
static bool plausible(const struct engine *e, const struct saved *s, uint64_t now)
{
	return s->id && s->id < SAVE_ID_MAX && s->next_id < SAVE_ID_MAX && s->ct_local <= WIRE_TAG_MASK &&
	       s->ct_peer <= WIRE_TAG_MASK && s->created <= now && s->established <= now && s->last.time <= now &&
	       shim6_addr_is_usable(&s->ulid.peer) && !engine_is_local(e, &s->ulid.peer);
}

/* Timers that ran while nobody looked start anew: Keepalives of that time were lost on us. */
static void restart_timers(struct engine *e, const struct context *c, uint64_t now, const struct shim6_stamps *st)
{
	uint64_t send_t0 = st->send_t0 ? now : 0, ka_t0 = st->ka_t0 ? now : 0;

	e->ops.dp_set_timers(e->user, c->slot, &send_t0, &ka_t0);
}

static void adopt(struct context *c, const struct saved *s)
{
	c->current = s->current;
	c->initiator = s->flags & SAVE_INITIATOR;
	c->created = s->created;
	c->established = true; /* others are not saved */
	c->established_at = (uint32_t)(s->established / SECOND);
	c->switches = s->switches;
	if (s->switches)
		context_note_switch(c->engine, c, &s->last);
	c->local_generation = s->local_generation;
	c->state = ENGINE_ESTABLISHED;
}

static bool peer_must_know(const struct context *c, const struct saved *s)
{
	if (s->flags & SAVE_UPDATE || s->n_local != c->n_local)
		return true;
	for (unsigned i = 0; i < c->n_local; i++) {
		const struct reap_locator *was = &s->local[i], *is = &c->local[i];

		if (was->flags != is->flags || was->priority != is->priority || was->weight != is->weight)
			return true;
	}
	return false;
}

/* Which list the peer has is unknown when it had not acknowledged one. */
static unsigned what_to_tell(const struct context *c, const struct saved *s)
{
	unsigned with = s->flags & SAVE_UPDATE ? UPDATE_TIMEOUT : 0;

	if (s->n_local != c->n_local || (with && c->n_local > c->n_set))
		with |= UPDATE_LIST;
	return with;
}

int engine_restore(struct engine *e, uint64_t now, const uint8_t *buf, size_t len)
{
	struct reader r = { .p = buf, .left = len };
	struct shim6_stamps st = { 0 };
	struct saved s;
	struct context *c;
	int result;

	if (!get_saved(&r, &s) || !plausible(e, &s, now))
		return ENGINE_E_FORMAT;
	if (!engine_is_local(e, &s.ulid.local))
		return ENGINE_E_NOT_LOCAL;
	if (context_by_id(e, s.id) || context_by_tag(e, s.ct_local) || context_by_slot(e, s.slot))
		return ENGINE_E_EXISTS;
	if (s.slot >= e->config.max_contexts)
		return ENGINE_E_LIMIT;
	c = context_new_as(e, now, &s.ulid, s.fii, s.id, s.slot, s.ct_local, &result);
	if (!c)
		return result;
	if (!context_set_peer(e, c, s.ct_peer, &s.peer)) {
		context_free(e, c, now, ENGINE_WHY_NONE);
		return ENGINE_E_NOMEM;
	}
	if (s.n_set == c->n_set && !outside_restore(e, c, s.local + s.n_set, s.n_local - s.n_set)) {
		context_free(e, c, now, ENGINE_WHY_NONE);
		return ENGINE_E_NOMEM;
	}
	adopt(c, &s);
	c->ready = now;
	context_index_peer(e, c, true);
	if (e->contexts.next_id < s.next_id)
		e->contexts.next_id = s.next_id;
	e->ops.dp_stamps(e->user, c->slot, &st);
	liveness_start(e, c);
	reap_set_keepalive_timeout(&c->reap, s.keepalive_timeout);
	if (!context_project(e, c, now))
		return ENGINE_E_LIMIT;
	restart_timers(e, c, now, &st);
	count(e, C_contexts_restored);
	outside_poke(e, now);
	if (peer_must_know(c, &s) && !update_begin(e, c, now, what_to_tell(c, &s)))
		return ENGINE_E_LIMIT;
	if (!liveness_locators(e, c, now, REAP_CAUSE_LOCAL_DOWN))
		return ENGINE_E_LIMIT;
	if (!prefer_locators(e, c, now, PREFER_NEITHER))
		return ENGINE_E_LIMIT;
	if (s.flags & SAVE_RECOVERING && !liveness_explore(e, c, now, REAP_CAUSE_HINT, NULL))
		return ENGINE_E_LIMIT;
	return ENGINE_OK;
}
