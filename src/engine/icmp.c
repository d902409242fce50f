/* SPDX-License-Identifier: MIT */
/*
 * Shim6 Errors and ICMPv6 errors, both dispatched by the packet that they quote
 * (L-08, L-11, ERR-07, I-15). A quote counts only if it is one that we could
 * have sent: right pair, right tag, sent lately.
 *
 * "Unrecognized next header" for an I1 means NO-SUPPORT (7.8); for a packet of
 * an ESTABLISHED context it means that the peer came back without Shim6.
 * Every other error is a hint that makes REAP look (I-16). No Error ends a
 * context (ERR-10).
 */
#include "engine/internal.h"

#define IPV6_HEADER 40
#define ICMP_UNREACHABLE 1
#define ICMP_TIME_EXCEEDED 3
#define ICMP_PARAMETER_PROBLEM 4
#define ICMP_PORT_UNREACHABLE 4
#define ICMP_UNRECOGNIZED_NEXT_HEADER 1

struct quoted {
	struct shim6_pair pair;
	bool payload;
	unsigned type; /* of a control message */
	uint64_t tag;
	uint32_t nonce; /* Initiator or Request Nonce */
	bool has_nonce;
};

static uint64_t load(const uint8_t *p, unsigned octets)
{
	uint64_t x = 0;

	while (octets--)
		x = x << 8 | *p++;
	return x;
}

/* Our packets have no extension header before the Shim6 header. */
static bool quote_parse(const uint8_t *p, size_t len, struct quoted *q)
{
	const uint8_t *shim = p + IPV6_HEADER;

	if (len < IPV6_HEADER + 8 || p[0] >> 4 != 6 || p[6] != WIRE_PROTO)
		return false;
	*q = (struct quoted){ .payload = shim[2] & 0x80, .type = shim[2] & 0x7f };
	memcpy(&q->pair.local, p + 8, 16);
	memcpy(&q->pair.peer, p + 24, 16);
	if (q->payload) {
		q->tag = load(shim + 2, 6) & WIRE_TAG_MASK;
		return true;
	}
	if (len < IPV6_HEADER + 12)
		return false;
	q->tag = load(shim + 6, 6) & WIRE_TAG_MASK;
	q->has_nonce = len >= IPV6_HEADER + 16;
	q->nonce = q->has_nonce ? (uint32_t)load(shim + 12, 4) : 0;
	return true;
}

/* The context whose I1 this is: our own tag, nonce and pair (L-11, T047). */
static struct context *context_of_i1(const struct engine *e, const struct quoted *q)
{
	struct context *c = context_by_tag(e, q->tag);

	if (!c || c->state != ENGINE_I1_SENT || !q->has_nonce || q->nonce != c->handshake->init_nonce ||
	    !shim6_pair_eq(&q->pair, &c->handshake->pair))
		return NULL;
	return c;
}

/* The ESTABLISHED context that sent this with CT(peer), on any pair of its own. */
static struct context *context_of_tagged(const struct engine *e, uint64_t now, const struct quoted *q)
{
	struct context *c = NULL;

	/* Of the control messages these alone carry it; an Error has other octets there. */
	if (!q->payload && (q->type < WIRE_UPDATE_REQUEST || q->type > WIRE_PROBE))
		return NULL;
	while ((c = context_by_peer_tag(e, q->tag, &q->pair.peer, c)) != NULL) {
		if (c->state == ENGINE_ESTABLISHED && context_sent_lately(c, now, &q->pair))
			break;
	}
	return c;
}

static bool is_hint(uint8_t type, uint8_t code)
{
	switch (type) {
	case ICMP_UNREACHABLE:
		return code != ICMP_PORT_UNREACHABLE;
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		return true;
	default:
		return false; /* Packet Too Big is for the data path (I-06) */
	}
}

void engine_input_icmp(struct engine *e, uint64_t now, uint8_t type, uint8_t code, uint32_t param, const uint8_t *quote,
		       size_t len)
{
	bool unrecognized = type == ICMP_PARAMETER_PROBLEM && code == ICMP_UNRECOGNIZED_NEXT_HEADER;
	struct context *c;
	struct quoted q;

	(void)param; /* where in the packet: code 1 can only mean the one Next Header we sent */
	count(e, C_rx_icmp);
	if (!quote_parse(quote, len, &q)) {
		count(e, C_drop_icmp_no_match);
		return;
	}
	c = !q.payload && q.type == WIRE_I1 ? context_of_i1(e, &q) : context_of_tagged(e, now, &q);
	if (!c)
		count(e, C_drop_icmp_no_match);
	else if (unrecognized)
		establish_fail(e, c, now, ENGINE_NO_SUPPORT); /* */
	else if (c->state == ENGINE_ESTABLISHED && is_hint(type, code))
		liveness_hint(e, c, now);
	else
		count(e, C_drop_icmp_other); /* the I1 goes on being retransmitted */
}

/* An Update Request of ours was refused (ERR-09, A-35): the whole picture once more, then no more. */
static void update_refused(struct engine *e, struct context *c, uint64_t now, uint8_t code)
{
	bool out_of_sync = code == WIRE_ERR_GENERATION || code == WIRE_ERR_PREF_COUNT;

	if (code == WIRE_ERR_LOCATOR_VERIFICATION && outside_shed(c)) {
		c->outside_refused = out_of_sync = true;
		count(e, C_outside_refused);
	}
	update_end(e, c);
	context_rearm(e, c, now);
	if (!out_of_sync || c->list_resent) {
		count(e, C_updates_abandoned);
		return;
	}
	c->list_resent = true;
	update_begin(e, c, now, UPDATE_LIST);
}

void recv_error(struct engine *e, const struct rx *rx)
{
	struct context *c = NULL;
	struct quoted q;

	if (quote_parse(rx->m.quote.p, rx->m.quote.len, &q) && shim6_addr_eq(&q.pair.peer, &rx->pair.peer))
		c = context_of_tagged(e, rx->now, &q);
	if (!c || !c->update || q.payload || q.type != WIRE_UPDATE_REQUEST || !q.has_nonce ||
	    q.nonce != c->update->nonce) {
		count(e, C_drop_error_no_match); /* never an answer (ERR-08, Z-09) */
		return;
	}
	update_refused(e, c, rx->now, rx->m.error_code);
}
