/* SPDX-License-Identifier: MIT */
/*
 * Recovery after one end lost its state (RFC 5533 7.5, 7.17 to 7.20):
 *
 *	survivor                           loser
 *	ESTABLISHED -- tagged packet -->   IDLE       tag unknown
 *	ESTABLISHED <-- R1bis --           IDLE       no state kept
 *	I2BIS-SENT  -- I2bis -->           IDLE       validator proves the R1bis
 *	I2BIS-SENT  <-- R2 --              ESTABLISHED, with a new tag
 *	ESTABLISHED
 */
#include "engine/internal.h"

/* Packet CT, nonce and validator; nothing is kept */
void send_r1bis(struct engine *e, uint64_t now, const struct shim6_pair *pair, uint64_t packet_ct)
{
	struct validator_r1bis in = { .packet_ct = packet_ct, .src = pair->peer, .dst = pair->local };
	uint8_t buf[WIRE_MAX_MSG], v[VALIDATOR_LEN];
	struct wire_builder b;
	uint32_t nonce;

	if (!emit_allowed(e, now, &pair->peer))
		return;
	validator_rotate(&e->validator, now, e->config.secret_lifetime, e->ops.random, e->user);
	nonce = validator_nonce(now, engine_random32(e));
	validator_make_r1bis(&e->validator, &in, nonce, v);
	wire_begin_r1bis(&b, buf, sizeof(buf), packet_ct, nonce);
	wire_opt_validator(&b, v, sizeof(v));
	emit(e, pair, &b);
}

static struct context *context_of_r1bis(const struct engine *e, const struct rx *rx)
{
	struct context *c = NULL;

	while ((c = context_by_peer_tag(e, rx->m.tag, &rx->pair.peer, c)) != NULL) {
		if (c->state == ENGINE_ESTABLISHED && context_local_index(c, &rx->pair.local) >= 0)
			break;
	}
	return c;
}

/* ESTABLISHED -> I2BIS-SENT (7.18), on the pair of the R1bis, whichever we use at present */
void recv_r1bis(struct engine *e, const struct rx *rx)
{
	struct context *c = context_of_r1bis(e, rx);
	struct handshake *h;

	if (!c) {
		count(e, C_drop_r1bis_no_match);
		return;
	}
	if (!context_sent_lately(c, rx->now, &rx->pair)) {
		count(e, C_drop_r1bis_not_recent); /* */
		return;
	}
	if (rx->m.validator.len > max_validator(c)) {
		count(e, C_drop_validator_too_long);
		return;
	}
	if (!context_handshake_begin(e, c, &rx->pair))
		return;
	liveness_stop(c); /* (PI-04) */
	update_end(e, c);
	h = c->handshake;
	h->packet_ct = rx->m.tag;
	h->resp_nonce = rx->m.resp_nonce;
	h->validator_len = (uint16_t)rx->m.validator.len;
	memcpy(h->validator, rx->m.validator.p, rx->m.validator.len);
	h->sent = rx->now;
	h->deadline = rx->now + engine_backoff(e, e->config.i2bis_timeout, 0, ENGINE_NEVER);
	c->prefs_changed = false;
	emit_i2bis(e, c);
	c->state = ENGINE_I2BIS_SENT;
	if (!context_project(e, c, rx->now))
		return;
	engine_tell(e, c, rx->now, ENGINE_EV_RECOVERING, ENGINE_WHY_PEER);
	context_notify(e, c, SHIM6_NOTIFY_RX);
	context_rearm(e, c, rx->now);
}

/* I2BIS-SENT, timeout: I2bis again, at last an I1 on the same pair (7.19) */
void i2bis_timeout(struct engine *e, struct context *c, uint64_t now)
{
	struct handshake *h = c->handshake;

	if (++h->tries > e->config.i2bis_retries_max) {
		h->fallbacks++;
		count(e, C_fallbacks_to_i1);
		establish_restart(e, c, now, &h->pair);
		return;
	}
	h->sent = now;
	h->deadline = now + engine_backoff(e, e->config.i2bis_timeout, h->tries, ENGINE_NEVER);
	emit_i2bis(e, c);
	context_rearm(e, c, now);
}

/* I2bis in any state (7.20); its validator knows neither ULIDs nor FII */
void recv_i2bis(struct engine *e, const struct rx *rx)
{
	struct validator_r1bis in = {
		.packet_ct = rx->m.packet_tag,
		.src = rx->pair.peer,
		.dst = rx->pair.local,
	};
	struct shim6_pair ulid;

	if (!ulids_of(e, rx, &ulid))
		return;
	if (!validator_nonce_fresh(rx->now, rx->m.resp_nonce, e->config.validator_lifetime)) {
		count(e, C_drop_stale_nonce);
		return;
	}
	validator_rotate(&e->validator, rx->now, e->config.secret_lifetime, e->ops.random, e->user);
	if (!validator_check_r1bis(&e->validator, &in, rx->m.resp_nonce, rx->m.validator.p, rx->m.validator.len)) {
		count(e, C_drop_bad_validator);
		return;
	}
	accept_initiator(e, rx, &ulid);
}

/* I2-SENT and I2BIS-SENT: the peer sends with our tag, so it lacks our answer, or we its R2 (12.2) */
bool resend_handshake(struct engine *e, struct context *c, uint64_t now)
{
	struct handshake *h = c->handshake;
	bool bis = c->state == ENGINE_I2BIS_SENT;
	unsigned max = bis ? e->config.i2bis_retries_max : e->config.i2_retries_max;

	if (now - h->sent < RESEND_GAP || h->tries >= max) {
		count(e, C_limit_resend); /* (D-12) */
		return h->tries < max;
	}
	h->tries++;
	h->sent = now;
	if (bis)
		emit_i2bis(e, c);
	else
		emit_i2(e, c);
	return h->tries < max;
}
