/* SPDX-License-Identifier: MIT */
/*
 * Control messages from octets. One table says, for each type, how long its
 * fixed part is and which options it may carry; one function per layout reads
 * the fields. Nothing is acted upon before the whole message has been read
 * (W-45), and reserved fields are never looked at (W-09).
 */
#include "wire/internal.h"

#define OPT(name) (UINT32_C(1) << WIRE_OPT_##name)

/* Options that describe locators go together in every message that may carry them. */
#define OPTS_LOCATORS (OPT(LOCATOR_LIST) | OPT(PREFERENCES) | OPT(PDS) | OPT(SIGNATURE) | OPT(KEEPALIVE_TIMEOUT))
#define OPTS_CONTEXT (OPT(ULID_PAIR) | OPT(FII))

/* Tables 1.3 and 1.5 of the conformance rows. */
static const struct layout {
	uint8_t type;
	uint8_t fixed; /* octets: minimum length (W-76), and where options begin */
	bool validator_needed;
	uint32_t permitted;
} layouts[] = {
	{ WIRE_I1, 16, false, OPTS_CONTEXT },
	{ WIRE_R1, 16, true, OPT(VALIDATOR) },
	{ WIRE_I2, 24, true, OPT(VALIDATOR) | OPTS_LOCATORS | OPTS_CONTEXT },
	{ WIRE_R2, 16, false, OPTS_LOCATORS },
	{ WIRE_R1BIS, 16, true, OPT(VALIDATOR) },
	{ WIRE_I2BIS, 32, true, OPT(VALIDATOR) | OPTS_LOCATORS | OPTS_CONTEXT },
	{ WIRE_UPDATE_REQUEST, 16, false, OPTS_LOCATORS },
	{ WIRE_UPDATE_ACK, 16, false, 0 },
	{ WIRE_KEEPALIVE, 16, false, 0 },
	{ WIRE_PROBE, WIRE_PROBE_FIXED + WIRE_RECORD_LEN, false, 0 },
	{ WIRE_ERROR, 16, false, 0 },
};

static const struct layout *layout_of(unsigned type)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		if (layouts[i].type == type)
			return &layouts[i];
	}
	return NULL;
}

static void decode_handshake(const uint8_t *p, struct wire_msg *m)
{
	switch (m->type) {
	case WIRE_R1:
		m->init_nonce = wire_get32(p + 8);
		m->resp_nonce = wire_get32(p + 12);
		return;
	case WIRE_R1BIS:
		m->resp_nonce = wire_get32(p + 12);
		break;
	case WIRE_I2BIS:
		m->packet_tag = wire_get_tag(p + 26);
		/* fallthrough */
	case WIRE_I2:
		m->resp_nonce = wire_get32(p + 16);
		/* fallthrough */
	default: /* I1 and R2 too */
		m->init_nonce = wire_get32(p + 12);
	}
	m->tag = wire_get_tag(p + 6);
}

/* The counters are nibbles, received first; the records follow in the other order (PF-16). */
static int decode_probe(const uint8_t *p, struct wire_msg *m, size_t *options_at)
{
	m->tag = wire_get_tag(p + 6);
	m->n_received = p[12] >> 4;
	m->n_sent = p[12] & 15;
	m->sta = (enum wire_sta)(p[13] >> 6);
	if (m->n_sent == 0 || p[13] >> 6 == 3)
		return WIRE_E_PROBE;
	*options_at = WIRE_PROBE_FIXED + WIRE_RECORD_LEN * (size_t)(m->n_sent + m->n_received);
	if (*options_at > m->len)
		return WIRE_E_PROBE;
	m->records = p + WIRE_PROBE_FIXED;
	return WIRE_OK;
}

/* The quoted packet fills the rest: an Error has no options (5.14). */
static void decode_error(const uint8_t *p, struct wire_msg *m)
{
	m->error_code = p[3] >> 1;
	m->error_pointer = wire_get16(p + 6);
	m->quote.p = p + WIRE_MIN_HDR;
	m->quote.len = m->len - WIRE_MIN_HDR;
	m->quote.offset = WIRE_MIN_HDR;
}

static int decode_fields(const uint8_t *p, struct wire_msg *m, size_t *options_at)
{
	switch (m->type) {
	case WIRE_UPDATE_REQUEST:
	case WIRE_UPDATE_ACK:
		m->request_nonce = wire_get32(p + 12);
		/* fallthrough */
	case WIRE_KEEPALIVE:
		m->tag = wire_get_tag(p + 6);
		return WIRE_OK;
	case WIRE_PROBE:
		return decode_probe(p, m, options_at);
	case WIRE_ERROR:
		decode_error(p, m);
		*options_at = m->len;
		return WIRE_OK;
	default:
		decode_handshake(p, m);
		return WIRE_OK;
	}
}

/* Everything that is judged before the type matters. */
static int decode_common(const uint8_t *buf, size_t len, struct wire_msg *m)
{
	if (len < WIRE_MIN_HDR)
		return WIRE_E_SHORT;
	m->len = ((size_t)buf[1] + 1) * 8; /* W-02 */
	m->type = (enum wire_type)(buf[2] & 0x7f);
	if (m->len > len)
		return WIRE_E_SHORT;
	if (buf[2] & 0x80)
		return WIRE_E_NOT_CONTROL;
	if (buf[3] & 0x01)
		return WIRE_E_S_BIT;
	if (wire_sum(buf, m->len) != 0xffff)
		return WIRE_E_CHECKSUM;
	return WIRE_OK;
}

int wire_decode(const uint8_t *buf, size_t len, struct wire_msg *m, size_t *err_offset)
{
	const struct layout *l;
	size_t options_at;
	int status;

	memset(m, 0, sizeof(*m));
	*err_offset = 0;
	status = decode_common(buf, len, m);
	if (status != WIRE_OK)
		return status;
	l = layout_of(m->type);
	if (!l) {
		*err_offset = 2; /* the octet of P and Type (ERR-03) */
		return WIRE_E_UNKNOWN_TYPE;
	}
	if (m->len < l->fixed)
		return WIRE_E_MIN_LENGTH;
	options_at = l->fixed;
	status = decode_fields(buf, m, &options_at);
	if (status != WIRE_OK)
		return status;
	status = wire_decode_options(buf, options_at, m->len, l->permitted, m, err_offset);
	if (status != WIRE_OK)
		return status;
	if (l->validator_needed && !m->validator.p)
		return WIRE_E_NO_VALIDATOR; /* W-69, E-30 */
	return WIRE_OK;
}

void wire_record_get(const struct wire_msg *m, unsigned i, struct wire_record *r)
{
	const uint8_t *p = m->records + (size_t)i * WIRE_RECORD_LEN;

	memcpy(r->src.b, p, 16);
	memcpy(r->dst.b, p + 16, 16);
	r->nonce = wire_get32(p + 32);
	r->data = wire_get32(p + 36);
}

void wire_locator_get(const struct wire_locator_list *l, unsigned i, struct shim6_addr *a)
{
	memcpy(a->b, l->locators + (size_t)i * 16, 16);
}

void wire_pref_get(const struct wire_preferences *p, unsigned i, struct wire_pref *e)
{
	const uint8_t *o = p->elements + (size_t)i * p->elem_len;

	memset(e, 0, sizeof(*e));
	e->flags = o[0];
	if (p->elem_len > 1)
		e->priority = o[1];
	if (p->elem_len > 2)
		e->weight = o[2];
}
