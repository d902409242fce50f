/* SPDX-License-Identifier: MIT */
/*
 * Options of control messages (5.15): type and C bit, Length of the contents,
 * contents, padding to eight octets that nobody looks at (W-35). A known
 * option that its message does not list is as good as unknown (W-37, W-38);
 * one with fixed contents of another length makes the message malformed
 * (W-43), and so does a second one of a kind (W-44).
 */
#include "wire/internal.h"

struct option {
	unsigned type;
	const uint8_t *p; /* contents */
	size_t len;
	size_t offset; /* of the Type field in the message */
};

static int opt_blob(const struct option *o, struct wire_blob *blob)
{
	blob->p = o->p;
	blob->len = o->len;
	blob->offset = o->offset;
	return WIRE_OK;
}

static int opt_validator(const struct option *o, struct wire_msg *m)
{
	return opt_blob(o, &m->validator);
}

/* W-55: the Length must be the one that Num Locators implies. */
static int opt_locator_list(const struct option *o, struct wire_msg *m)
{
	struct wire_locator_list *l = &m->locators;
	unsigned n;

	if (o->len < 5)
		return WIRE_E_OPTION;
	n = o->p[4];
	if (n == 0 || n > WIRE_MAX_LOCATORS || o->len != wire_locators_at(n) + 16 * (size_t)n)
		return WIRE_E_OPTION;
	l->present = true;
	l->generation = wire_get32(o->p);
	l->n = n;
	l->methods = o->p + 5;
	l->locators = o->p + wire_locators_at(n);
	l->offset = o->offset;
	return WIRE_OK;
}

/* W-60: whole elements only; elements longer than ours are kept whole and read in part (W-57). */
static int opt_preferences(const struct option *o, struct wire_msg *m)
{
	struct wire_preferences *p = &m->prefs;
	unsigned elem_len;

	if (o->len < 5)
		return WIRE_E_OPTION;
	elem_len = o->p[4];
	if (elem_len == 0 || (o->len - 5) % elem_len != 0)
		return WIRE_E_OPTION;
	p->present = true;
	p->generation = wire_get32(o->p);
	p->n = (unsigned)((o->len - 5) / elem_len);
	p->elem_len = elem_len;
	p->elements = o->p + 5;
	p->offset = o->offset;
	return WIRE_OK;
}

static int opt_pds(const struct option *o, struct wire_msg *m)
{
	return opt_blob(o, &m->pds);
}

static int opt_signature(const struct option *o, struct wire_msg *m)
{
	return opt_blob(o, &m->signature);
}

static int opt_ulid_pair(const struct option *o, struct wire_msg *m)
{
	if (o->len != 36)
		return WIRE_E_OPTION;
	m->has_ulids = true;
	memcpy(m->ulid_sender.b, o->p + 4, 16);
	memcpy(m->ulid_receiver.b, o->p + 20, 16);
	return WIRE_OK;
}

static int opt_fii(const struct option *o, struct wire_msg *m)
{
	if (o->len != 4)
		return WIRE_E_OPTION;
	m->has_fii = true;
	m->fii = wire_get32(o->p);
	return WIRE_OK;
}

/* Only advice, so a wrong length costs the option and not the message (vector O6). */
static int opt_keepalive_timeout(const struct option *o, struct wire_msg *m)
{
	if (o->len != 4)
		return WIRE_OK;
	m->has_keepalive_timeout = true;
	m->keepalive_timeout = wire_get16(o->p + 2);
	return WIRE_OK;
}

static int (*const readers[])(const struct option *o, struct wire_msg *m) = {
	[WIRE_OPT_VALIDATOR] = opt_validator,
	[WIRE_OPT_LOCATOR_LIST] = opt_locator_list,
	[WIRE_OPT_PREFERENCES] = opt_preferences,
	[WIRE_OPT_PDS] = opt_pds,
	[WIRE_OPT_SIGNATURE] = opt_signature,
	[WIRE_OPT_ULID_PAIR] = opt_ulid_pair,
	[WIRE_OPT_FII] = opt_fii,
	[WIRE_OPT_KEEPALIVE_TIMEOUT] = opt_keepalive_timeout,
};

static bool is_permitted(unsigned type, uint32_t permitted)
{
	return type < sizeof(readers) / sizeof(readers[0]) && (permitted >> type & 1);
}

int wire_decode_options(const uint8_t *buf, size_t at, size_t len, uint32_t permitted, struct wire_msg *m,
			size_t *err_offset)
{
	uint32_t seen = 0;

	while (at < len) {
		struct option o = { .offset = at };
		int status;

		if (len - at < WIRE_OPT_HDR)
			return WIRE_E_OPTION; /* W-42 */
		o.type = wire_get16(buf + at) >> 1;
		o.len = wire_get16(buf + at + 2);
		o.p = buf + at + WIRE_OPT_HDR;
		if (wire_round8(WIRE_OPT_HDR + o.len) > len - at)
			return WIRE_E_OPTION; /* W-42 */
		if (is_permitted(o.type, permitted)) {
			if (seen >> o.type & 1)
				return WIRE_E_DUPLICATE;
			seen |= UINT32_C(1) << o.type;
			status = readers[o.type](&o, m);
			if (status != WIRE_OK)
				return status;
		} else if (buf[at + 1] & 1) {
			*err_offset = at; /* W-39 */
			return WIRE_E_CRITICAL;
		}
		at += wire_round8(WIRE_OPT_HDR + o.len); /* W-33 */
	}
	return WIRE_OK;
}
