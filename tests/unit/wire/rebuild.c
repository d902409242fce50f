/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rebuild.h"

static void rebuild_probe(struct wire_builder *b, const struct wire_msg *m, uint8_t *out, size_t cap)
{
	struct wire_record r[2 * WIRE_MAX_RECORDS];

	for (unsigned i = 0; i < m->n_sent + m->n_received; i++)
		wire_record_get(m, i, &r[i]);
	wire_begin_probe(b, out, cap, m->tag, m->sta, r, m->n_sent, r + m->n_sent, m->n_received);
}

static void rebuild_fixed(struct wire_builder *b, const struct wire_msg *m, uint8_t *out, size_t cap)
{
	switch (m->type) {
	case WIRE_I1:
		wire_begin_i1(b, out, cap, m->tag, m->init_nonce);
		break;
	case WIRE_R1:
		wire_begin_r1(b, out, cap, m->init_nonce, m->resp_nonce);
		break;
	case WIRE_I2:
		wire_begin_i2(b, out, cap, m->tag, m->init_nonce, m->resp_nonce);
		break;
	case WIRE_R2:
		wire_begin_r2(b, out, cap, m->tag, m->init_nonce);
		break;
	case WIRE_R1BIS:
		wire_begin_r1bis(b, out, cap, m->tag, m->resp_nonce);
		break;
	case WIRE_I2BIS:
		wire_begin_i2bis(b, out, cap, m->tag, m->init_nonce, m->resp_nonce, m->packet_tag);
		break;
	case WIRE_UPDATE_REQUEST:
		wire_begin_update_request(b, out, cap, m->tag, m->request_nonce);
		break;
	case WIRE_UPDATE_ACK:
		wire_begin_update_ack(b, out, cap, m->tag, m->request_nonce);
		break;
	case WIRE_KEEPALIVE:
		wire_begin_keepalive(b, out, cap, m->tag);
		break;
	case WIRE_PROBE:
		rebuild_probe(b, m, out, cap);
		break;
	case WIRE_ERROR:
		wire_begin_error(b, out, cap, m->error_code, m->error_pointer, m->quote.p, m->quote.len);
		break;
	}
}

static void rebuild_preferences(struct wire_builder *b, const struct wire_preferences *p)
{
	struct wire_pref prefs[REBUILD_MAX];

	for (unsigned i = 0; i < p->n; i++)
		wire_pref_get(p, i, &prefs[i]);
	wire_opt_preferences(b, p->generation, prefs, p->n, p->elem_len > 3 ? 3 : p->elem_len);
}

static void rebuild_locators(struct wire_builder *b, const struct wire_locator_list *l)
{
	struct shim6_addr a[WIRE_MAX_LOCATORS];

	for (unsigned i = 0; i < l->n; i++)
		wire_locator_get(l, i, &a[i]);
	wire_opt_locator_list(b, l->generation, a, l->methods, l->n);
}

size_t rebuild(const struct wire_msg *m, uint8_t *out, size_t cap)
{
	struct wire_builder b;

	rebuild_fixed(&b, m, out, cap);
	if (m->validator.p)
		wire_opt_validator(&b, m->validator.p, m->validator.len);
	if (m->locators.present)
		rebuild_locators(&b, &m->locators);
	if (m->prefs.present)
		rebuild_preferences(&b, &m->prefs);
	if (m->pds.p)
		wire_opt_pds(&b, m->pds.p, m->pds.len);
	if (m->signature.p)
		wire_opt_signature(&b, m->signature.p, m->signature.len);
	if (m->has_ulids)
		wire_opt_ulid_pair(&b, &m->ulid_sender, &m->ulid_receiver);
	if (m->has_fii)
		wire_opt_fii(&b, m->fii);
	if (m->has_keepalive_timeout)
		wire_opt_keepalive_timeout(&b, m->keepalive_timeout);
	return wire_finish(&b);
}

static bool same_blob(const struct wire_blob *a, const struct wire_blob *b)
{
	return !a->p == !b->p && a->len == b->len && (!a->len || memcmp(a->p, b->p, a->len) == 0);
}

static bool same_locators(const struct wire_locator_list *a, const struct wire_locator_list *b)
{
	if (!a->present || !b->present)
		return a->present == b->present;
	return a->generation == b->generation && a->n == b->n && memcmp(a->methods, b->methods, a->n) == 0 &&
	       memcmp(a->locators, b->locators, 16 * (size_t)a->n) == 0;
}

static bool same_preferences(const struct wire_preferences *a, const struct wire_preferences *b)
{
	struct wire_pref x, y;

	if (!a->present || !b->present)
		return a->present == b->present;
	if (a->generation != b->generation || a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		wire_pref_get(a, i, &x);
		wire_pref_get(b, i, &y);
		if (memcmp(&x, &y, sizeof(x)) != 0)
			return false;
	}
	return true;
}

static bool same_records(const struct wire_msg *a, const struct wire_msg *b)
{
	if (a->sta != b->sta || a->n_sent != b->n_sent || a->n_received != b->n_received)
		return false;
	return !a->records ||
	       memcmp(a->records, b->records, WIRE_RECORD_LEN * (size_t)(a->n_sent + a->n_received)) == 0;
}

bool same_message(const struct wire_msg *a, const struct wire_msg *b)
{
	if (a->type != b->type || a->tag != b->tag || a->packet_tag != b->packet_tag ||
	    a->init_nonce != b->init_nonce || a->resp_nonce != b->resp_nonce || a->request_nonce != b->request_nonce)
		return false;
	if (a->error_code != b->error_code || a->error_pointer != b->error_pointer ||
	    !same_blob(&a->quote, &b->quote) || !same_records(a, b))
		return false;
	if (a->has_ulids != b->has_ulids || !shim6_addr_eq(&a->ulid_sender, &b->ulid_sender) ||
	    !shim6_addr_eq(&a->ulid_receiver, &b->ulid_receiver))
		return false;
	if (a->has_fii != b->has_fii || a->fii != b->fii || a->has_keepalive_timeout != b->has_keepalive_timeout ||
	    a->keepalive_timeout != b->keepalive_timeout)
		return false;
	return same_blob(&a->validator, &b->validator) && same_blob(&a->pds, &b->pds) &&
	       same_blob(&a->signature, &b->signature) && same_locators(&a->locators, &b->locators) &&
	       same_preferences(&a->prefs, &b->prefs);
}
