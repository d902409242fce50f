/* SPDX-License-Identifier: MIT */
/*
 * Update Request and Acknowledgement (RFC 5533 section 10).
 *
 * Ours: without a key the Locator List of a context never changes (locators.c),
 * so an Update Request tells which locators are BROKEN at present; with one it
 * also brings the signed list when that changes (outside.c). One is outstanding at a
 * time (U-08); newer facts replace it (U-09). It is repeated until it is
 * acknowledged or the context ends (T-07, K-08).
 *
 * Theirs: all or nothing. A locator that is BROKEN or gone makes REAP
 * look for another pair; payload moves only after a probe came back (U-23).
 */
#include "engine/internal.h"

#include <stdlib.h>

/* The current pair while our end of it stands, else the best one that is left (PI-07). */
static struct shim6_pair update_pair(const struct context *c)
{
	struct reap_locators l = context_locators(c);
	int i = context_local_index(c, &c->current.local);
	struct shim6_pair best;

	if (i >= 0 && !(c->local[i].flags & (REAP_LOC_DOWN | REAP_LOC_GONE)))
		return c->current;
	return reap_pair_order(&l, &c->current, &best, 1) ? best : c->current;
}

static bool update_send(struct engine *e, struct context *c, uint64_t now)
{
	struct update *u = c->update;
	struct shim6_pair pair = update_pair(c);

	timer_arm(&e->wheel, &u->timer,
		  now + engine_backoff(e, e->config.update_timeout, u->tries, e->config.max_update_timeout));
	emit_update_request(e, c, now, &pair, u->nonce, u->with);
	return liveness_payload(e, c, now, false); /* (AMB-R10) */
}

/*
 * At once, or when the host's budget allows: a link that many contexts use takes one Update Request of each with it.
 * Turns are in order of asking, as those of probes are (PX-20).
 */
static bool update_in_turn(struct engine *e, struct context *c, uint64_t now)
{
	uint64_t turn = token_turn(&e->limits.updates, now, e->config.probes_per_second);

	if (turn <= now)
		return update_send(e, c, now);
	count(e, C_limit_updates);
	c->update->waiting = true;
	timer_arm(&e->wheel, &c->update->timer, turn);
	return true;
}

bool update_begin(struct engine *e, struct context *c, uint64_t now, unsigned with)
{
	struct update *u = c->update;

	if (!c->listed && !(with & UPDATE_TIMEOUT))
		return true; /* the peer has no list of ours to which preferences could belong */
	if (u) {
		count(e, C_updates_abandoned);
	} else {
		u = calloc(1, sizeof(*u));
		if (!u) {
			count(e, C_limit_memory);
			return true;
		}
		u->context = c;
		u->timer.kind = TIMER_UPDATE;
		c->update = u;
	}
	u->nonce = engine_random32(e); /* (U-04, U-09) */
	u->tries = 0;
	u->with |= with;
	if (with & UPDATE_LIST)
		c->local_generation++; /* (U-02, A-21) */
	return u->waiting || update_in_turn(e, c, now);
}

void update_end(struct engine *e, struct context *c)
{
	if (!c->update)
		return;
	timer_cancel(&e->wheel, &c->update->timer);
	free(c->update);
	c->update = NULL;
}

void update_timeout(struct engine *e, struct update *u, uint64_t now)
{
	if (u->waiting) {
		u->waiting = false;
		update_send(e, u->context, now);
		return;
	}
	u->tries++;
	/* A peer that drops signed lists without a word must still hear what is BROKEN. */
	if (u->tries >= OUTSIDE_TRIES && u->with & UPDATE_LIST && outside_shed(u->context)) {
		count(e, C_outside_refused);
		update_begin(e, u->context, now, UPDATE_LIST);
		return;
	}
	update_in_turn(e, u->context, now);
}

/* --- reception ---------------------------------------------------------- */

/* Do the preferences fit the list they will refer to (U-18, U-19)? */
static bool prefs_fit(struct engine *e, const struct context *c, const struct rx *rx, const struct peer_list *list)
{
	const struct wire_preferences *p = &rx->m.prefs;
	bool known = rx->m.locators.present || c->peer_listed;
	uint32_t generation = rx->m.locators.present ? list->generation : c->peer_generation;
	unsigned n = rx->m.locators.present ? list->n_listed : c->n_peer_listed;

	if (!p->present)
		return true;
	if (!known || p->generation != generation) {
		count(e, C_drop_update_generation);
		emit_error(e, rx, WIRE_ERR_GENERATION, p->offset + 4);
		return false;
	}
	if (p->n != n) {
		count(e, C_drop_update_count);
		emit_error(e, rx, WIRE_ERR_PREF_COUNT, p->offset + 2);
		return false;
	}
	return true;
}

/* true: priorities or weights changed */
static bool apply_preferences(struct context *c, const struct wire_preferences *prefs)
{
	bool changed = false;

	for (unsigned i = 0; i < c->n_peer_kept; i++) {
		struct reap_locator *l = &c->peer[i];
		struct wire_pref p;

		wire_pref_get(prefs, i, &p);
		l->flags = (uint8_t)((l->flags & ~REAP_LOC_DOWN) | (p.flags & WIRE_PREF_BROKEN ? REAP_LOC_DOWN : 0));
		changed |= l->priority != p.priority || l->weight != p.weight;
		l->priority = p.priority;
		l->weight = p.weight;
	}
	return changed;
}

static bool apply(struct engine *e, struct context *c, const struct rx *rx, const struct peer_list *list, bool *changed)
{
	*changed = rx->m.locators.present;
	if (rx->m.locators.present && !context_set_peer(e, c, c->ct_peer, list))
		return false;
	if (rx->m.prefs.present)
		*changed |= apply_preferences(c, &rx->m.prefs);
	c->update_seen = true;
	c->update_done = rx->m.request_nonce;
	if (c->state == ENGINE_ESTABLISHED && rx->m.has_keepalive_timeout)
		reap_set_keepalive_timeout(&c->reap, rx->m.keepalive_timeout);
	engine_tell(e, c, rx->now, ENGINE_EV_LOCATORS, ENGINE_WHY_PEER);
	return true;
}

/* On the pair of the request, the other way round */
static void acknowledge(struct engine *e, struct context *c, const struct rx *rx)
{
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;

	wire_begin_update_ack(&b, buf, sizeof(buf), c->ct_peer, rx->m.request_nonce);
	if (emit(e, &rx->pair, &b))
		context_note_sent(c, rx->now, &rx->pair.peer);
}

/* ESTABLISHED and I2BIS-SENT; the caller has looked at tag and locators (10.4) */
void recv_update_request(struct engine *e, struct context *c, const struct rx *rx)
{
	bool again = c->update_seen && c->update_done == rx->m.request_nonce; /* (U-24) */
	bool established = c->state == ENGINE_ESTABLISHED;
	struct peer_list list;
	bool changed = false;
	size_t offset;

	if (established && !liveness_payload(e, c, rx->now, true)) /* (AMB-R10) */
		return;
	if (!again) {
		switch (peer_list_verify(e, rx->now, c, &c->ulid.peer, &rx->pair.peer, &rx->m, &list, &offset)) {
		case PEER_SILENT:
			return; /* (U-14) */
		case PEER_ERROR:
			emit_error(e, rx, WIRE_ERR_LOCATOR_VERIFICATION, offset); /* (U-16) */
			return;
		case PEER_OK:
			break;
		}
		if (!prefs_fit(e, c, rx, &list) || !apply(e, c, rx, &list, &changed))
			return;
	}
	acknowledge(e, c, rx); /* (U-21) */
	if (!established || !liveness_payload(e, c, rx->now, false))
		return;
	/* REAP looks first, the pair changes afterwards (U-23, V-21, AMB-R22) */
	if (!again && liveness_locators(e, c, rx->now, REAP_CAUSE_PEER_BROKEN))
		prefer_locators(e, c, rx->now, changed ? PREFER_THEIRS : PREFER_NEITHER);
}

void recv_update_ack(struct engine *e, struct context *c, const struct rx *rx)
{
	bool added = false;

	if (!c->update || c->update->nonce != rx->m.request_nonce) {
		count(e, C_drop_update_ack_nonce); /* (U-10) */
		return;
	}
	if (c->update->with & UPDATE_TIMEOUT)
		reap_set_send_timeout(&c->reap, e->config.reap.send_timeout);
	if (c->update->with & UPDATE_LIST)
		added = outside_told(e, c);
	update_end(e, c); /* (U-26) */
	c->list_resent = false;
	count(e, C_updates_completed);
	if (c->state != ENGINE_ESTABLISHED || !liveness_payload(e, c, rx->now, true) || !added)
		return;
	engine_tell(e, c, rx->now, ENGINE_EV_LOCATORS, ENGINE_WHY_NONE);
	if (liveness_locators(e, c, rx->now, REAP_CAUSE_LOCAL_DOWN))
		prefer_locators(e, c, rx->now, PREFER_OURS);
}
