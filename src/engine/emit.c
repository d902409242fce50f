/* SPDX-License-Identifier: MIT */
/*
 * Messages out: what goes into an I1, I2, R2, I2bis, Error and Update Request
 * (tables 1.3 and 1.5 of the rows). Each message fits 1280 octets, because
 * Ls(local) was cut to what fits (W-04, W-05).
 */
#include "engine/internal.h"

#define QUOTE_MAX WIRE_MAX_PACKET
#define IPV6_HEADER 40

static enum counter tx_counter(unsigned type)
{
	switch (type) {
	case WIRE_I1:
		return C_tx_i1;
	case WIRE_R1:
		return C_tx_r1;
	case WIRE_I2:
		return C_tx_i2;
	case WIRE_R2:
		return C_tx_r2;
	case WIRE_R1BIS:
		return C_tx_r1bis;
	case WIRE_I2BIS:
		return C_tx_i2bis;
	case WIRE_UPDATE_REQUEST:
		return C_tx_update_request;
	case WIRE_UPDATE_ACK:
		return C_tx_update_ack;
	case WIRE_KEEPALIVE:
		return C_tx_keepalive;
	case WIRE_PROBE:
		return C_tx_probe;
	default:
		return C_tx_error;
	}
}

bool emit(struct engine *e, const struct shim6_pair *pair, struct wire_builder *b)
{
	size_t len = wire_finish(b);

	if (len == 0) {
		count(e, C_tx_too_long);
		return false;
	}
	if (!e->ops.send(e->user, &pair->local, &pair->peer, b->buf, len)) {
		count(e, C_tx_failed);
		return false;
	}
	count(e, tx_counter(b->buf[2] & 0x7f));
	return true;
}

bool emit_allowed(struct engine *e, uint64_t now, const struct shim6_addr *to)
{
	switch (limits_reply(&e->limits, &e->hash_key, now, to, e->config.replies_per_second,
			     e->config.replies_per_64)) {
	case LIMITS_HOST:
		count(e, C_limit_replies);
		return false;
	case LIMITS_PREFIX:
		count(e, C_limit_replies_per_64);
		return false;
	default:
		return true;
	}
}

/* ULID Pair and FII (W-67, W-68). */
static void put_identity(struct wire_builder *b, const struct context *c, const struct shim6_pair *pair)
{
	if (!shim6_pair_eq(pair, &c->ulid))
		wire_opt_ulid_pair(b, &c->ulid.local, &c->ulid.peer);
	if (c->fii)
		wire_opt_fii(b, c->fii);
}

static void put_preferences(struct wire_builder *b, const struct context *c, bool always)
{
	struct wire_pref pref[ENGINE_MAX_LOCATORS];
	bool broken = false, ranked = false;

	for (unsigned i = 0; i < c->n_local; i++) {
		const struct reap_locator *l = &c->local[i];
		bool down = l->flags & (REAP_LOC_DOWN | REAP_LOC_GONE) && !(l->flags & REAP_LOC_UNTOLD);

		pref[i] = (struct wire_pref){ .flags = down ? WIRE_PREF_BROKEN : 0,
					      .priority = l->priority,
					      .weight = l->weight };
		broken |= down;
		ranked |= l->priority != c->local[0].priority || l->weight != 0;
	}
	if (always || broken || ranked)
		wire_opt_preferences(b, c->local_generation, pref, c->n_local, ranked ? 3 : 1);
}

/* The list, and the signature of what is not of the HBA set (HS-04). */
static void put_list(struct wire_builder *b, struct engine *e, struct context *c)
{
	struct shim6_addr locator[ENGINE_MAX_LOCATORS];
	uint8_t method[ENGINE_MAX_LOCATORS];
	const struct signature *s;

	for (unsigned i = 0; i < c->n_local; i++) {
		locator[i] = c->local[i].addr;
		method[i] = i < c->n_set ? WIRE_METHOD_HBA : WIRE_METHOD_CGA;
	}
	wire_opt_locator_list(b, c->local_generation, locator, method, c->n_local);
	if (c->n_set == c->n_local)
		return;
	s = outside_signature(e, c);
	if (s)
		wire_opt_signature(b, s->octets, s->len);
	else
		b->overflow = true; /* without it the peer would refuse the message */
}

/* What I2, I2bis and R2 tell of us: list with PDS, preferences, Keepalive Timeout (E-45, E-46, W-72, PF-20). */
static void put_ourselves(struct wire_builder *b, struct engine *e, struct context *c)
{
	size_t pds_len;
	const uint8_t *pds = c->listed ? local_pds(&e->local, &c->ulid.local, &pds_len) : NULL;

	if (pds) {
		put_list(b, e, c);
		wire_opt_pds(b, pds, pds_len);
		put_preferences(b, c, false);
	}
	if (e->config.reap.send_timeout != DEFAULT_SEND_TIMEOUT)
		wire_opt_keepalive_timeout(b, (uint16_t)(e->config.reap.send_timeout / SECOND));
}

bool emit_i1(struct engine *e, struct context *c)
{
	struct handshake *h = c->handshake;
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;

	wire_begin_i1(&b, buf, sizeof(buf), c->ct_local, h->init_nonce);
	put_identity(&b, c, &h->pair);
	return emit(e, &h->pair, &b);
}

bool emit_i2(struct engine *e, struct context *c)
{
	struct handshake *h = c->handshake;
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;

	wire_begin_i2(&b, buf, sizeof(buf), c->ct_local, h->init_nonce, h->resp_nonce);
	wire_opt_validator(&b, h->validator, h->validator_len); /* (W-70) */
	put_identity(&b, c, &h->pair);
	put_ourselves(&b, e, c);
	return emit(e, &h->pair, &b);
}

bool emit_i2bis(struct engine *e, struct context *c)
{
	struct handshake *h = c->handshake;
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;

	wire_begin_i2bis(&b, buf, sizeof(buf), c->ct_local, h->init_nonce, h->resp_nonce, h->packet_ct);
	wire_opt_validator(&b, h->validator, h->validator_len); /* (W-71) */
	put_identity(&b, c, &h->pair);
	put_ourselves(&b, e, c);
	return emit(e, &h->pair, &b);
}

void emit_r2(struct engine *e, struct context *c, const struct shim6_pair *pair, uint32_t init_nonce)
{
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;

	wire_begin_r2(&b, buf, sizeof(buf), c->ct_local, init_nonce);
	put_ourselves(&b, e, c);
	emit(e, pair, &b);
}

/* The packet as it came, with the IPv6 header made again: Pointers count from there (A-15, ERR-04). */
static size_t quote_of(const struct rx *rx, uint8_t quote[QUOTE_MAX])
{
	size_t len = rx->len < QUOTE_MAX - IPV6_HEADER ? rx->len : QUOTE_MAX - IPV6_HEADER;

	memset(quote, 0, IPV6_HEADER);
	quote[0] = 0x60;
	quote[4] = (uint8_t)(rx->len >> 8);
	quote[5] = (uint8_t)rx->len;
	quote[6] = WIRE_PROTO;
	quote[7] = 64;
	memcpy(quote + 8, &rx->pair.peer, 16);
	memcpy(quote + 24, &rx->pair.local, 16);
	memcpy(quote + IPV6_HEADER, rx->buf, len);
	return IPV6_HEADER + len;
}

void emit_error(struct engine *e, const struct rx *rx, enum wire_error_code code, size_t offset)
{
	uint8_t quote[QUOTE_MAX], buf[WIRE_MAX_MSG];
	struct wire_builder b;
	size_t len;

	if (!emit_allowed(e, rx->now, &rx->pair.peer))
		return;
	len = quote_of(rx, quote);
	wire_begin_error(&b, buf, sizeof(buf), (uint8_t)code, (uint16_t)(IPV6_HEADER + offset), quote, len);
	emit(e, &rx->pair, &b);
}

void emit_update_request(struct engine *e, struct context *c, uint64_t now, const struct shim6_pair *pair,
			 uint32_t nonce, unsigned with)
{
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;
	size_t pds_len;
	const uint8_t *pds = with & UPDATE_LIST ? local_pds(&e->local, &c->ulid.local, &pds_len) : NULL;

	wire_begin_update_request(&b, buf, sizeof(buf), c->ct_peer, nonce);
	if (pds) {
		put_list(&b, e, c);
		wire_opt_pds(&b, pds, pds_len); /* (U-05) */
	}
	if (c->listed)
		put_preferences(&b, c, true);
	if (with & UPDATE_TIMEOUT)
		wire_opt_keepalive_timeout(&b, (uint16_t)(e->config.reap.send_timeout / SECOND));
	if (emit(e, pair, &b))
		context_note_sent(c, now, &pair->peer);
}
