/* SPDX-License-Identifier: MIT */
/* Whose a message is, for those who watch: by the same keys as in dispatch, but nothing is changed or counted. */
#include "engine/internal.h"

#define IPV6_HEADER 40

/* The context that sends with this tag from and to these addresses. */
static const struct context *by_peer_tag(const struct engine *e, const struct shim6_pair *pair, uint64_t tag)
{
	const struct context *c = NULL;

	while ((c = context_by_peer_tag(e, tag, &pair->peer, c)) != NULL) {
		if (context_local_index(c, &pair->local) >= 0)
			break;
	}
	return c;
}

void engine_message_ulids(const struct shim6_pair *pair, bool sent, const struct wire_msg *m, struct shim6_pair *ulid)
{
	*ulid = *pair;
	if (m->has_ulids) {
		ulid->local = sent ? m->ulid_sender : m->ulid_receiver;
		ulid->peer = sent ? m->ulid_receiver : m->ulid_sender;
	}
}

static const struct context *owner_of_sent(const struct engine *e, const struct shim6_pair *pair,
					   const struct wire_msg *m)
{
	switch (m->type) {
	case WIRE_I1:
	case WIRE_I2:
	case WIRE_I2BIS:
	case WIRE_R2:
		return context_by_tag(e, m->tag);
	case WIRE_UPDATE_REQUEST:
	case WIRE_UPDATE_ACK:
	case WIRE_KEEPALIVE:
	case WIRE_PROBE:
		return by_peer_tag(e, pair, m->tag);
	default:
		return NULL; /* R1, R1bis, Error: sent without a context */
	}
}

/* An Error is of the context whose message it quotes. */
static const struct context *owner_of_error(const struct engine *e, const struct wire_msg *m)
{
	const uint8_t *q = m->quote.p;
	struct shim6_pair pair;
	struct wire_msg quoted;
	size_t offset;

	if (m->quote.len < IPV6_HEADER || q[0] >> 4 != 6 || q[6] != WIRE_PROTO)
		return NULL;
	memcpy(&pair.local, q + 8, 16);
	memcpy(&pair.peer, q + 24, 16);
	if (wire_decode(q + IPV6_HEADER, m->quote.len - IPV6_HEADER, &quoted, &offset) != WIRE_OK)
		return NULL;
	return owner_of_sent(e, &pair, &quoted);
}

static const struct context *owner_of_received(const struct engine *e, const struct shim6_pair *pair,
					       const struct wire_msg *m)
{
	const struct context *c;
	struct shim6_pair ulid;

	switch (m->type) {
	case WIRE_I1:
	case WIRE_I2:
	case WIRE_I2BIS:
		engine_message_ulids(pair, false, m, &ulid);
		return context_by_ulid(e, &ulid, m->fii);
	case WIRE_R1:
		return context_by_nonce(e, m->init_nonce, pair);
	case WIRE_R2: /* that ended the handshake, or not */
		c = context_by_nonce(e, m->init_nonce, pair);
		return c ? c : by_peer_tag(e, pair, m->tag);
	case WIRE_R1BIS:
		return by_peer_tag(e, pair, m->tag);
	case WIRE_ERROR:
		return owner_of_error(e, m);
	default:
		return context_by_tag(e, m->tag);
	}
}

bool engine_owner(const struct engine *e, const struct shim6_pair *pair, bool sent, const struct wire_msg *m,
		  uint64_t *id)
{
	const struct context *c = sent ? owner_of_sent(e, pair, m) : owner_of_received(e, pair, m);

	if (!c)
		return false;
	*id = c->id;
	return true;
}
