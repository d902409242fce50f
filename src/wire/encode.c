/* SPDX-License-Identifier: MIT */
/*
 * Control messages to octets. Every piece asks for zeroed room first, so that
 * reserved fields and padding are zero (W-08, W-34) and a message that does
 * not fit, or a wrong argument, leaves a builder that yields nothing.
 */
#include "wire/internal.h"

/* n more octets, zeroed; NULL when they do not fit. n is a multiple of 8. */
static uint8_t *more(struct wire_builder *b, size_t n)
{
	uint8_t *p;

	if (b->overflow || n > b->cap - b->len || b->len + n > WIRE_MAX_HDR) {
		b->overflow = true;
		return NULL;
	}
	p = b->buf + b->len;
	memset(p, 0, n);
	b->len += n;
	return p;
}

static uint8_t *begin(struct wire_builder *b, uint8_t *buf, size_t cap, enum wire_type type, size_t fixed)
{
	uint8_t *p;

	b->buf = buf;
	b->cap = cap;
	b->len = 0;
	b->overflow = false;
	p = more(b, fixed);
	if (p) {
		p[0] = WIRE_NEXT_NONE; /* W-07 */
		p[2] = (uint8_t)type;
	}
	return p;
}

/* Most messages: a tag, then one 32-bit number. */
static uint8_t *begin_tag_number(struct wire_builder *b, uint8_t *buf, size_t cap, enum wire_type type, size_t fixed,
				 uint64_t tag, uint32_t number)
{
	uint8_t *p = begin(b, buf, cap, type, fixed);

	if (p) {
		wire_put_tag(p + 6, tag);
		wire_put32(p + 12, number);
	}
	return p;
}

void wire_begin_i1(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t init_nonce)
{
	begin_tag_number(b, buf, cap, WIRE_I1, 16, ct, init_nonce);
}

void wire_begin_r1(struct wire_builder *b, uint8_t *buf, size_t cap, uint32_t init_nonce, uint32_t resp_nonce)
{
	uint8_t *p = begin(b, buf, cap, WIRE_R1, 16);

	if (p) {
		wire_put32(p + 8, init_nonce);
		wire_put32(p + 12, resp_nonce);
	}
}

void wire_begin_i2(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t init_nonce,
		   uint32_t resp_nonce)
{
	uint8_t *p = begin_tag_number(b, buf, cap, WIRE_I2, 24, ct, init_nonce);

	if (p)
		wire_put32(p + 16, resp_nonce);
}

void wire_begin_r2(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t init_nonce)
{
	begin_tag_number(b, buf, cap, WIRE_R2, 16, ct, init_nonce);
}

void wire_begin_r1bis(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t packet_ct, uint32_t resp_nonce)
{
	begin_tag_number(b, buf, cap, WIRE_R1BIS, 16, packet_ct, resp_nonce);
}

void wire_begin_i2bis(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t init_nonce,
		      uint32_t resp_nonce, uint64_t packet_ct)
{
	uint8_t *p = begin_tag_number(b, buf, cap, WIRE_I2BIS, 32, ct, init_nonce);

	if (p) {
		wire_put32(p + 16, resp_nonce);
		wire_put_tag(p + 26, packet_ct);
	}
}

void wire_begin_update_request(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t nonce)
{
	begin_tag_number(b, buf, cap, WIRE_UPDATE_REQUEST, 16, ct, nonce);
}

void wire_begin_update_ack(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t nonce)
{
	begin_tag_number(b, buf, cap, WIRE_UPDATE_ACK, 16, ct, nonce);
}

void wire_begin_keepalive(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct)
{
	begin_tag_number(b, buf, cap, WIRE_KEEPALIVE, 16, ct, 0);
}

static void put_records(struct wire_builder *b, const struct wire_record *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = more(b, WIRE_RECORD_LEN);

		if (!p)
			return;
		memcpy(p, r[i].src.b, 16);
		memcpy(p + 16, r[i].dst.b, 16);
		wire_put32(p + 32, r[i].nonce);
		wire_put32(p + 36, r[i].data);
	}
}

void wire_begin_probe(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, enum wire_sta sta,
		      const struct wire_record *sent, unsigned n_sent, const struct wire_record *received,
		      unsigned n_received)
{
	uint8_t *p = begin(b, buf, cap, WIRE_PROBE, WIRE_PROBE_FIXED);

	if (n_sent < 1 || n_sent > WIRE_MAX_RECORDS || n_received > WIRE_MAX_RECORDS || (unsigned)sta > 2)
		b->overflow = true; /* PF-07, PC-08, PF-13 */
	if (!p || b->overflow)
		return;
	wire_put_tag(p + 6, ct);
	p[12] = (uint8_t)(n_received << 4 | n_sent);
	p[13] = (uint8_t)(sta << 6);
	put_records(b, sent, n_sent);
	put_records(b, received, n_received);
}

void wire_begin_error(struct wire_builder *b, uint8_t *buf, size_t cap, uint8_t code, uint16_t pointer,
		      const uint8_t *quote, size_t quote_len)
{
	uint8_t *p = begin(b, buf, cap, WIRE_ERROR, WIRE_MIN_HDR);
	size_t room;

	if (code > 127)
		b->overflow = true;
	if (!p || b->overflow)
		return;
	p[3] = (uint8_t)(code << 1);
	wire_put16(p + 6, pointer);
	room = (cap < WIRE_MAX_HDR ? cap : WIRE_MAX_HDR) - WIRE_MIN_HDR;
	room &= ~(size_t)7;
	if (quote_len > room)
		quote_len = room;
	p = more(b, quote_len ? wire_round8(quote_len) : 8); /* the type's minimum is 16 octets */
	if (p && quote_len)
		memcpy(p, quote, quote_len);
}

/* Contents of a new option of len octets, to be filled in; sent with C = 0 (W-36). */
static uint8_t *option(struct wire_builder *b, enum wire_option_type type, size_t len)
{
	uint8_t *p;

	if (b->overflow)
		return NULL;
	if (len > WIRE_MAX_HDR || b->buf[2] == WIRE_ERROR) {
		b->overflow = true;
		return NULL;
	}
	p = more(b, wire_round8(WIRE_OPT_HDR + len));
	if (!p)
		return NULL;
	wire_put16(p, (uint16_t)(type << 1));
	wire_put16(p + 2, (uint16_t)len);
	return p + WIRE_OPT_HDR;
}

static void option_blob(struct wire_builder *b, enum wire_option_type type, const uint8_t *v, size_t len)
{
	uint8_t *p = option(b, type, len);

	if (p && len)
		memcpy(p, v, len);
}

void wire_opt_validator(struct wire_builder *b, const uint8_t *v, size_t len)
{
	option_blob(b, WIRE_OPT_VALIDATOR, v, len);
}

void wire_opt_pds(struct wire_builder *b, const uint8_t *pds, size_t len)
{
	option_blob(b, WIRE_OPT_PDS, pds, len);
}

void wire_opt_signature(struct wire_builder *b, const uint8_t *sig, size_t len)
{
	option_blob(b, WIRE_OPT_SIGNATURE, sig, len);
}

void wire_opt_locator_list(struct wire_builder *b, uint32_t generation, const struct shim6_addr *locators,
			   const uint8_t *methods, unsigned n)
{
	uint8_t *p;

	if (n < 1 || n > WIRE_MAX_LOCATORS) {
		b->overflow = true; /* W-55 */
		return;
	}
	p = option(b, WIRE_OPT_LOCATOR_LIST, wire_locators_at(n) + 16 * (size_t)n);
	if (!p)
		return;
	wire_put32(p, generation);
	p[4] = (uint8_t)n;
	memcpy(p + 5, methods, n);
	for (unsigned i = 0; i < n; i++)
		memcpy(p + wire_locators_at(n) + 16 * (size_t)i, locators[i].b, 16);
}

void wire_opt_preferences(struct wire_builder *b, uint32_t generation, const struct wire_pref *prefs, unsigned n,
			  unsigned elem_len)
{
	uint8_t *p;

	if (elem_len < 1 || elem_len > 3 || n > WIRE_MAX_LOCATORS) {
		b->overflow = true; /* W-56 */
		return;
	}
	p = option(b, WIRE_OPT_PREFERENCES, 5 + (size_t)n * elem_len);
	if (!p)
		return;
	wire_put32(p, generation);
	p[4] = (uint8_t)elem_len;
	p += 5;
	for (unsigned i = 0; i < n; i++, p += elem_len) {
		p[0] = prefs[i].flags;
		if (elem_len > 1)
			p[1] = prefs[i].priority;
		if (elem_len > 2)
			p[2] = prefs[i].weight;
	}
}

void wire_opt_ulid_pair(struct wire_builder *b, const struct shim6_addr *sender, const struct shim6_addr *receiver)
{
	uint8_t *p = option(b, WIRE_OPT_ULID_PAIR, 36);

	if (p) {
		memcpy(p + 4, sender->b, 16);
		memcpy(p + 20, receiver->b, 16);
	}
}

void wire_opt_fii(struct wire_builder *b, uint32_t fii)
{
	uint8_t *p = option(b, WIRE_OPT_FII, 4);

	if (p)
		wire_put32(p, fii);
}

void wire_opt_keepalive_timeout(struct wire_builder *b, uint16_t seconds)
{
	uint8_t *p = option(b, WIRE_OPT_KEEPALIVE_TIMEOUT, 4);

	if (p)
		wire_put16(p + 2, seconds);
}

size_t wire_finish(struct wire_builder *b)
{
	if (b->overflow)
		return 0;
	b->buf[1] = (uint8_t)(b->len / 8 - 1);
	wire_put16(b->buf + 4, wire_checksum(b->buf, b->len));
	return b->len;
}
