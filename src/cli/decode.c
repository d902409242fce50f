/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/decode.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "wire/wire.h"

#define IPV6_HEADER 40

static void put_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void put_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static void put_addr(struct json_object *o, const char *key, const uint8_t octets[16])
{
	char s[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, octets, s, sizeof(s));
	put_text(o, key, s);
}

static void put_tag(struct json_object *o, const char *key, uint64_t tag)
{
	char s[16];

	snprintf(s, sizeof(s), "%012llx", (unsigned long long)(tag & WIRE_TAG_MASK));
	put_text(o, key, s);
}

static void put_hex32(struct json_object *o, const char *key, uint32_t value)
{
	char s[9];

	snprintf(s, sizeof(s), "%08x", (unsigned)value);
	put_text(o, key, s);
}

/* No option is longer than a packet. */
static void put_octets(struct json_object *o, const char *key, const uint8_t *p, size_t len)
{
	char s[2 * WIRE_MAX_PACKET + 1] = "";

	for (size_t i = 0; i < len && i < WIRE_MAX_PACKET; i++)
		snprintf(s + 2 * i, 3, "%02x", p[i]);
	put_text(o, key, s);
}

/* --- the fixed part ------------------------------------------------------- */

static void put_nonces(struct json_object *o, const struct wire_msg *m)
{
	if (m->type != WIRE_R1 && m->type != WIRE_ERROR)
		put_tag(o, "tag", m->tag);
	switch (m->type) {
	case WIRE_I2BIS:
		put_tag(o, "packet_tag", m->packet_tag);
		/* fallthrough */
	case WIRE_R1:
	case WIRE_I2:
		put_hex32(o, "initiator_nonce", m->init_nonce);
		/* fallthrough */
	case WIRE_R1BIS:
		put_hex32(o, "responder_nonce", m->resp_nonce);
		return;
	case WIRE_I1:
	case WIRE_R2:
		put_hex32(o, "initiator_nonce", m->init_nonce);
		return;
	case WIRE_UPDATE_REQUEST:
	case WIRE_UPDATE_ACK:
		put_hex32(o, "request_nonce", m->request_nonce);
		return;
	default:
		return;
	}
}

static struct json_object *records(const struct wire_msg *m, unsigned from, unsigned n)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = from; i < from + n; i++) {
		struct json_object *o = json_object_new_object();
		struct wire_record r;

		wire_record_get(m, i, &r);
		put_addr(o, "src", r.src.b);
		put_addr(o, "dst", r.dst.b);
		put_hex32(o, "nonce", r.nonce);
		put_hex32(o, "data", r.data);
		json_object_array_add(list, o);
	}
	return list;
}

static void put_probe(struct json_object *o, const struct wire_msg *m)
{
	static const char *const state[] = {
		[WIRE_STA_OPERATIONAL] = "Operational",
		[WIRE_STA_EXPLORING] = "Exploring",
		[WIRE_STA_INBOUND_OK] = "InboundOk",
	};

	put_text(o, "reap", state[m->sta]);
	json_object_object_add(o, "sent", records(m, 0, m->n_sent));
	json_object_object_add(o, "received", records(m, m->n_sent, m->n_received));
}

static void put_error(struct json_object *o, const struct wire_msg *m)
{
	static const char *const text[] = {
		[WIRE_ERR_UNKNOWN_TYPE] = "unknown message type",
		[WIRE_ERR_CRITICAL_OPTION] = "critical option not recognized",
		[WIRE_ERR_LOCATOR_VERIFICATION] = "locator verification failed",
		[WIRE_ERR_GENERATION] = "locator list generation not in sync",
		[WIRE_ERR_PREF_COUNT] = "number of preferences does not fit",
	};
	struct json_object *e = json_object_new_object(), *quote = json_object_new_object();
	const uint8_t *q = m->quote.p;

	put_number(e, "code", m->error_code);
	put_text(e, "text", m->error_code < sizeof(text) / sizeof(text[0]) ? text[m->error_code] : "unknown code");
	put_number(e, "pointer", m->error_pointer);
	if (m->quote.len >= IPV6_HEADER) {
		put_addr(quote, "src", q + 8);
		put_addr(quote, "dst", q + 24);
		if (m->quote.len > IPV6_HEADER + 2 && q[6] == WIRE_PROTO)
			put_text(quote, "type", wire_type_name(q[IPV6_HEADER + 2] & 0x7f));
	}
	put_octets(quote, "octets", q, m->quote.len);
	json_object_object_add(e, "quote", quote);
	json_object_object_add(o, "error", e);
}

/* --- options -------------------------------------------------------------- */

static void put_locators(struct json_object *o, const struct wire_locator_list *l)
{
	struct json_object *a = json_object_new_object(), *list = json_object_new_array();

	put_number(a, "generation", l->generation);
	for (unsigned i = 0; i < l->n; i++) {
		struct json_object *e = json_object_new_object();
		struct shim6_addr addr;
		char other[16];

		wire_locator_get(l, i, &addr);
		put_addr(e, "addr", addr.b);
		snprintf(other, sizeof(other), "method %u", l->methods[i]);
		put_text(e, "method",
			 l->methods[i] == WIRE_METHOD_HBA   ? "HBA"
			 : l->methods[i] == WIRE_METHOD_CGA ? "CGA"
							    : other);
		json_object_array_add(list, e);
	}
	json_object_object_add(a, "list", list);
	json_object_object_add(o, "locators", a);
}

static void put_preferences(struct json_object *o, const struct wire_preferences *p)
{
	struct json_object *a = json_object_new_object(), *list = json_object_new_array();

	put_number(a, "generation", p->generation);
	for (unsigned i = 0; i < p->n; i++) {
		struct json_object *e = json_object_new_object();
		struct wire_pref pref;

		wire_pref_get(p, i, &pref);
		json_object_object_add(e, "broken", json_object_new_boolean(pref.flags & WIRE_PREF_BROKEN));
		json_object_object_add(e, "transient", json_object_new_boolean(pref.flags & WIRE_PREF_TRANSIENT));
		put_number(e, "priority", pref.priority);
		put_number(e, "weight", pref.weight);
		json_object_array_add(list, e);
	}
	json_object_object_add(a, "list", list);
	json_object_object_add(o, "preferences", a);
}

static void put_options(struct json_object *o, const struct wire_msg *m)
{
	if (m->has_ulids) {
		struct json_object *u = json_object_new_object();

		put_addr(u, "sender", m->ulid_sender.b);
		put_addr(u, "receiver", m->ulid_receiver.b);
		json_object_object_add(o, "ulids", u);
	}
	if (m->has_fii)
		put_number(o, "fii", m->fii);
	if (m->validator.p)
		put_octets(o, "validator", m->validator.p, m->validator.len);
	if (m->locators.present)
		put_locators(o, &m->locators);
	if (m->prefs.present)
		put_preferences(o, &m->prefs);
	if (m->pds.p)
		put_octets(o, "pds", m->pds.p, m->pds.len);
	if (m->signature.p)
		put_octets(o, "signature", m->signature.p, m->signature.len);
	if (m->has_keepalive_timeout)
		put_number(o, "keepalive_timeout_s", m->keepalive_timeout);
}

struct json_object *decode_message(const uint8_t *msg, size_t len)
{
	struct json_object *o = json_object_new_object();
	struct wire_msg m;
	size_t offset;
	int status = wire_decode(msg, len, &m, &offset);

	if (len > 2 && status != WIRE_E_UNKNOWN_TYPE && status != WIRE_E_NOT_CONTROL)
		put_text(o, "type", wire_type_name(msg[2] & 0x7f));
	if (status != WIRE_OK) {
		put_text(o, "undecodable", wire_status_name(status));
		if (status == WIRE_E_UNKNOWN_TYPE || status == WIRE_E_CRITICAL)
			put_number(o, "offset", offset);
		return o;
	}
	put_nonces(o, &m);
	if (m.type == WIRE_PROBE)
		put_probe(o, &m);
	else if (m.type == WIRE_ERROR)
		put_error(o, &m);
	put_options(o, &m);
	return o;
}
