/* SPDX-License-Identifier: MIT */
/*
 * Establishment: I1, R1, I2, R2 (RFC 5533 section 7, rows 4.1 to 4.5).
 *
 *	initiator                          responder
 *	IDLE      -- I1 -->                IDLE       no state kept
 *	I1-SENT   <-- R1 --                IDLE       nonce, validator
 *	I2-SENT   -- I2 -->                IDLE       validator proves the R1
 *	I2-SENT   <-- R2 --                ESTABLISHED
 *	ESTABLISHED
 *
 * When both ends begin at once, an I1 that meets an I1 or I2 of ours is
 * answered with R2, and both ends arrive (N-01, N-02). An I1 never changes a
 * context (E-08, S-04).
 */
#include "engine/internal.h"

static void drop(struct engine *e, enum counter why)
{
	count(e, why);
}

bool ulids_of(struct engine *e, const struct rx *rx, struct shim6_pair *ulid)
{
	*ulid = rx->pair;
	if (rx->m.has_ulids) {
		ulid->local = rx->m.ulid_receiver;
		ulid->peer = rx->m.ulid_sender;
	}
	if (!engine_is_local(e, &ulid->local)) {
		count(e, C_drop_ulid_not_local);
		return false;
	}
	if (!shim6_addr_is_usable(&ulid->peer) || engine_is_local(e, &ulid->peer)) {
		count(e, C_drop_ulid_unusable);
		return false;
	}
	return true;
}

/* --- initiator ---------------------------------------------------------- */

/* IDLE -> I1-SENT (7.7) */
int establish_begin(struct engine *e, uint64_t now, const struct shim6_pair *ulid, enum engine_reason reason)
{
	int result;
	struct context *c = context_new(e, now, ulid, 0, &result);

	if (!c)
		return result;
	if (!context_handshake_begin(e, c, ulid)) {
		context_free(e, c, now, ENGINE_WHY_NONE);
		return ENGINE_E_NOMEM;
	}
	count(e, C_contexts_initiated);
	c->initiator = true;
	c->handshake->reason = reason;
	engine_tell(e, c, now, ENGINE_EV_NEW, reason);
	establish_restart(e, c, now, ulid);
	return ENGINE_OK;
}

/* -> I1-SENT, from IDLE or as the way out of I2-SENT and I2BIS-SENT (7.12, 7.19). Lp and Ls(peer) stay (R-18). */
void establish_restart(struct engine *e, struct context *c, uint64_t now, const struct shim6_pair *pair)
{
	struct handshake *h = c->handshake;

	context_index_peer(e, c, false);
	context_unproject(e, c);
	c->state = ENGINE_I1_SENT;
	h->pair = *pair;
	h->tries = 0;
	h->sent = now;
	h->deadline = now + engine_backoff(e, e->config.i1_timeout, 0, ENGINE_NEVER);
	emit_i1(e, c);
	context_rearm(e, c, now);
}

/* I1-SENT, timeout (7.8) */
void i1_timeout(struct engine *e, struct context *c, uint64_t now)
{
	struct handshake *h = c->handshake;

	if (++h->tries > e->config.i1_retries_max) {
		establish_fail(e, c, now, ENGINE_E_FAILED);
		return;
	}
	h->sent = now;
	h->deadline = now + engine_backoff(e, e->config.i1_timeout, h->tries, ENGINE_NEVER);
	emit_i1(e, c);
	context_rearm(e, c, now);
}

/* I1-SENT -> E-FAILED or NO-SUPPORT (7.8); NO-SUPPORT also from ESTABLISHED */
void establish_fail(struct engine *e, struct context *c, uint64_t now, enum engine_state why)
{
	enum engine_reason reason = why == ENGINE_NO_SUPPORT ? ENGINE_WHY_NO_SUPPORT : ENGINE_WHY_NO_ANSWER;

	count(e, C_contexts_failed);
	negative_add(e, now, &c->ulid, why);
	engine_tell(e, c, now, ENGINE_EV_FAILED, reason);
	context_free(e, c, now, reason);
}

/* I1-SENT -> I2-SENT (7.11) */
void recv_r1(struct engine *e, const struct rx *rx)
{
	struct context *c = context_by_nonce(e, rx->m.init_nonce, &rx->pair);
	struct handshake *h;

	if (!c) {
		drop(e, C_drop_unknown_handshake);
		return;
	}
	if (c->state != ENGINE_I1_SENT) {
		drop(e, C_drop_wrong_state); /* (S-05, N-03) */
		return;
	}
	if (rx->m.validator.len > max_validator(c)) {
		drop(e, C_drop_validator_too_long);
		return;
	}
	h = c->handshake;
	h->resp_nonce = rx->m.resp_nonce;
	h->validator_len = (uint16_t)rx->m.validator.len;
	memcpy(h->validator, rx->m.validator.p, rx->m.validator.len);
	h->tries = 0;
	h->sent = rx->now;
	h->deadline = rx->now + engine_backoff(e, e->config.i2_timeout, 0, ENGINE_NEVER);
	c->prefs_changed = false;
	emit_i2(e, c);
	c->state = ENGINE_I2_SENT; /* (S-09) */
	if (!context_project(e, c, rx->now))
		return;
	context_notify(e, c, SHIM6_NOTIFY_RX);
	context_rearm(e, c, rx->now);
}

/* I2-SENT, timeout: the same I2 again, at last an I1 (7.12) */
void i2_timeout(struct engine *e, struct context *c, uint64_t now)
{
	struct handshake *h = c->handshake;

	if (++h->tries > e->config.i2_retries_max) {
		if (++h->fallbacks > MAX_FALLBACKS) {
			establish_fail(e, c, now, ENGINE_E_FAILED); /* */
			return;
		}
		count(e, C_fallbacks_to_i1);
		establish_restart(e, c, now, &h->pair);
		return;
	}
	h->sent = now;
	h->deadline = now + engine_backoff(e, e->config.i2_timeout, h->tries, ENGINE_NEVER);
	emit_i2(e, c);
	context_rearm(e, c, now);
}

/* I1-SENT, I2-SENT, I2BIS-SENT -> ESTABLISHED (7.16) */
void recv_r2(struct engine *e, const struct rx *rx)
{
	struct context *c = context_by_nonce(e, rx->m.init_nonce, &rx->pair);
	struct peer_list list;
	size_t offset;
	enum engine_reason reason;

	if (!c) {
		drop(e, C_drop_unknown_handshake); /* too late or not ours (S-03) */
		return;
	}
	switch (peer_list_verify(e, rx->now, c, &c->ulid.peer, &rx->pair.peer, &rx->m, &list, &offset)) {
	case PEER_SILENT:
		return; /* (E-83) */
	case PEER_ERROR:
		emit_error(e, rx, WIRE_ERR_LOCATOR_VERIFICATION, offset);
		return;
	case PEER_OK:
		break;
	}
	take_preferences(e, rx, &list);
	if (!context_set_peer(e, c, rx->m.tag, &list))
		return;
	c->accepted = false;
	confusion_check(e, c, rx->now); /* (E-85) */
	reason = c->state == ENGINE_I2BIS_SENT ? ENGINE_WHY_PEER : c->handshake->reason;
	if (c->state == ENGINE_I2BIS_SENT)
		count(e, C_contexts_recovered);
	enter_established(e, c, rx->now, &rx->pair, &rx->m, reason);
}

/* --- responder ---------------------------------------------------------- */

static struct validator_r1 vouched(const struct rx *rx, const struct shim6_pair *ulid)
{
	return (struct validator_r1){
		.ct = rx->m.tag,
		.ulid_sender = ulid->peer,
		.ulid_receiver = ulid->local,
		.src = rx->pair.peer,
		.dst = rx->pair.local,
		.has_fii = rx->m.has_fii,
		.fii = rx->m.fii,
	};
}

/* R1: a function of the I1 and a secret; nothing is kept (E-20, Z-01). */
static void send_r1(struct engine *e, const struct rx *rx, const struct shim6_pair *ulid)
{
	struct validator_r1 in = vouched(rx, ulid);
	uint8_t buf[WIRE_MAX_MSG], v[VALIDATOR_LEN];
	struct wire_builder b;
	uint32_t nonce;

	if (!emit_allowed(e, rx->now, &rx->pair.peer))
		return;
	validator_rotate(&e->validator, rx->now, e->config.secret_lifetime, e->ops.random, e->user);
	nonce = validator_nonce(rx->now, engine_random32(e));
	validator_make_r1(&e->validator, &in, nonce, v);
	wire_begin_r1(&b, buf, sizeof(buf), rx->m.init_nonce, nonce);
	wire_opt_validator(&b, v, sizeof(v));
	emit(e, &rx->pair, &b);
}

/* Does an I1 come from the peer that the context knows (E-09)? */
static bool i1_matches(const struct context *c, const struct rx *rx)
{
	if (rx->m.has_ulids && context_peer_index(c, &rx->pair.peer) < 0)
		return false;
	return rx->m.tag == c->ct_peer;
}

/* I1 in any state: R1, or R2 when a context is there or coming (7.9) */
void recv_i1(struct engine *e, const struct rx *rx)
{
	struct shim6_pair ulid;
	struct context *c;

	if (!ulids_of(e, rx, &ulid))
		return;
	c = context_by_ulid(e, &ulid, rx->m.fii);
	if (!c || context_local_index(c, &rx->pair.local) < 0 ||
	    (c->state == ENGINE_ESTABLISHED && !i1_matches(c, rx))) {
		send_r1(e, rx, &ulid);
		return;
	}
	if (emit_allowed(e, rx->now, &rx->pair.peer))
		emit_r2(e, c, &rx->pair, rx->m.init_nonce); /* (E-11) */
}

/* I2 in any state (7.13): nonce and validator first, they are cheap (E-60) */
void recv_i2(struct engine *e, const struct rx *rx)
{
	struct shim6_pair ulid;
	struct validator_r1 in;

	if (!ulids_of(e, rx, &ulid))
		return;
	if (!validator_nonce_fresh(rx->now, rx->m.resp_nonce, e->config.validator_lifetime)) {
		drop(e, C_drop_stale_nonce);
		return;
	}
	in = vouched(rx, &ulid);
	validator_rotate(&e->validator, rx->now, e->config.secret_lifetime, e->ops.random, e->user);
	if (!validator_check_r1(&e->validator, &in, rx->m.resp_nonce, rx->m.validator.p, rx->m.validator.len)) {
		drop(e, C_drop_bad_validator);
		return;
	}
	accept_initiator(e, rx, &ulid);
}

void take_preferences(struct engine *e, const struct rx *rx, struct peer_list *list)
{
	if (rx->m.prefs.present && !peer_list_prefer(list, &rx->m.prefs))
		count(e, C_ignored_preferences); /* no reason to fail */
}

/* Is our end of the message's pair in the Ls(local) that the context has or would get? */
static bool our_end_fits(struct engine *e, const struct rx *rx, const struct shim6_pair *ulid, const struct context *c)
{
	struct reap_locator l[ENGINE_MAX_LOCATORS];
	bool listed;
	unsigned n;

	if (c)
		return context_local_index(c, &rx->pair.local) >= 0;
	n = local_locators(&e->local, &ulid->local, l, &listed);
	while (n--) {
		if (shim6_addr_eq(&l[n].addr, &rx->pair.local))
			return true;
	}
	/* The peer has a context that we lost, and our signed list with it. */
	return outside_welcome(e, rx->now, &ulid->local, &rx->pair.local);
}

/* I2 or I2bis in ESTABLISHED: the peer has begun anew, or did not get our R2. false: the context is gone. */
static bool renew_established(struct engine *e, struct context *c, const struct rx *rx)
{
	if (rx->m.has_keepalive_timeout)
		reap_set_keepalive_timeout(&c->reap, rx->m.keepalive_timeout);
	return context_project(e, c, rx->now) && liveness_payload(e, c, rx->now, true) &&
	       liveness_locators(e, c, rx->now, REAP_CAUSE_PEER_BROKEN);
}

/* The context that an I2 or I2bis means; a new one if there is none. NULL: refused, counted. */
static struct context *context_for(struct engine *e, const struct rx *rx, const struct shim6_pair *ulid,
				   struct context *c)
{
	int result;

	if (c)
		return c;
	c = context_new(e, rx->now, ulid, rx->m.fii, &result);
	if (!c)
		return NULL;
	if (context_local_index(c, &rx->pair.local) < 0 && !outside_adopt(e, c)) {
		context_free(e, c, rx->now, ENGINE_WHY_NONE);
		return NULL;
	}
	count(e, C_contexts_accepted);
	return c;
}

/* The peer did not get our R2, or it is a replay: an Update Request may have told newer things since. */
static bool seen_before(const struct context *c, const struct rx *rx)
{
	return c->state == ENGINE_ESTABLISHED && c->accepted && c->accepted_nonce == rx->m.init_nonce &&
	       c->ct_peer == rx->m.tag && context_hears(c, &rx->pair);
}

/*
 * I2 and I2bis (7.13, 7.20): IDLE and I1-SENT -> ESTABLISHED; ESTABLISHED stays;
 * I2-SENT and I2BIS-SENT learn and wait for the R2 that answers them.
 */
void accept_initiator(struct engine *e, const struct rx *rx, const struct shim6_pair *ulid)
{
	struct context *known = context_by_ulid(e, ulid, rx->m.fii), *c;
	struct peer_list list;
	size_t offset;

	if (!our_end_fits(e, rx, ulid, known)) {
		drop(e, C_drop_wrong_locators);
		return;
	}
	switch (peer_list_verify(e, rx->now, known, &ulid->peer, &rx->pair.peer, &rx->m, &list, &offset)) {
	case PEER_SILENT:
		return; /* (E-62) */
	case PEER_ERROR:
		emit_error(e, rx, WIRE_ERR_LOCATOR_VERIFICATION, offset); /* (V-09) */
		return;
	case PEER_OK:
		break;
	}
	if (known && seen_before(known, rx)) {
		if (liveness_payload(e, known, rx->now, true))
			emit_r2(e, known, &rx->pair, rx->m.init_nonce);
		return;
	}
	take_preferences(e, rx, &list);
	c = context_for(e, rx, ulid, known);
	if (!c)
		return;
	if (!context_set_peer(e, c, rx->m.tag, &list)) {
		if (!known)
			context_free(e, c, rx->now, ENGINE_WHY_NONE);
		return;
	}
	c->accepted = true;
	c->accepted_nonce = rx->m.init_nonce;
	confusion_check(e, c, rx->now); /* (E-80) */
	if (c->state == ENGINE_IDLE || c->state == ENGINE_I1_SENT) {
		negative_forget(e, ulid);
		if (!enter_established(e, c, rx->now, &rx->pair, &rx->m, ENGINE_WHY_PEER))
			return;
	} else if (c->state == ENGINE_ESTABLISHED ? !renew_established(e, c, rx) : !context_project(e, c, rx->now)) {
		return;
	}
	emit_r2(e, c, &rx->pair, rx->m.init_nonce); /* (E-64, E-66) */
}

/* --- both --------------------------------------------------------------- */

/*
 * The pair of the handshake becomes the current pair: locators are verified, and
 * the echoed validator or nonce shows that the peer is reachable there.
 */
bool enter_established(struct engine *e, struct context *c, uint64_t now, const struct shim6_pair *pair,
		       const struct wire_msg *m, enum engine_reason reason)
{
	static const uint64_t zero;
	int peer = context_peer_index(c, &pair->peer);

	context_handshake_end(e, c);
	c->state = ENGINE_ESTABLISHED;
	c->current = *pair;
	c->ready = now;
	if (peer >= 0)
		c->peer[peer].flags |= REAP_LOC_PROBED;
	context_index_peer(e, c, true);
	liveness_start(e, c);
	if (m->has_keepalive_timeout)
		reap_set_keepalive_timeout(&c->reap, m->keepalive_timeout); /* (PF-22) */
	if (!context_project(e, c, now))
		return false;
	if (!c->established)
		c->established_at = (uint32_t)(now / SECOND);
	c->established = true;
	outside_told(e, c); /* I2, I2bis and R2 have the whole list */
	outside_poke(e, now);
	count(e, C_contexts_established);
	engine_tell(e, c, now, ENGINE_EV_ESTABLISHED, reason);
	e->ops.dp_set_timers(e->user, c->slot, &zero, &zero); /* Operational, no timer running */
	if (c->prefs_changed || c->timeout_changed) {
		unsigned with = c->timeout_changed ? UPDATE_TIMEOUT : 0;

		c->prefs_changed = c->timeout_changed = false;
		if (!update_begin(e, c, now, with))
			return false;
	}
	return liveness_locators(e, c, now, REAP_CAUSE_LOCAL_DOWN) && prefer_locators(e, c, now, PREFER_OURS);
}
