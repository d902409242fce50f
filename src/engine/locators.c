/* SPDX-License-Identifier: MIT */
/*
 * Locator sets.
 *
 * Ls(local) of a context is the whole HBA set of its ULID, in set order, for as
 * long as the context lives: an address that is not assigned at the moment is
 * listed as BROKEN rather than left out. So the list keeps one generation
 * (W-53), and uplinks that come and go change preferences only. What a key adds
 * to it is in outside.c.
 *
 * Ls(peer) is what a message proves: the PDS belongs to ULID(peer) (V-10), and
 * each locator of the list to the PDS, by its own method (V-20). Nothing is
 * deferred, nothing is taken in part (V-22); cheap checks go first and
 * RSA last (V-23).
 */
#include "engine/locators.h"

#include <stdlib.h>

#include "cga/cga.h"
#include "engine/internal.h"

/* --- ours --------------------------------------------------------------- */

/* Octets of the longest message around a list: I2bis with every option and the longest validator (W-04). */
static size_t list_message(size_t n, size_t pds_len, size_t validator_len, size_t signature_len)
{
	size_t validator = (4 + validator_len + 7) / 8 * 8, ulids = 40, fii = 8, timeout = 8;
	size_t list = 8 + (1 + n + 7) / 8 * 8 + 16 * n;
	size_t prefs = (4 + 5 + 3 * n + 7) / 8 * 8;
	size_t pds = (4 + pds_len + 7) / 8 * 8;
	size_t signature = signature_len ? (4 + signature_len + 7) / 8 * 8 : 0;

	return 32 + validator + ulids + fii + timeout + list + prefs + pds + signature;
}

static bool set_copy(struct local_set *out, const struct engine_hba_set *in)
{
	out->addr = malloc(in->n * sizeof(*out->addr));
	out->pds = malloc(in->n * in->pds_len);
	if (!out->addr || !out->pds)
		return false;
	out->n = in->n;
	out->pds_len = in->pds_len;
	memcpy(out->addr, in->addr, in->n * sizeof(*out->addr));
	for (unsigned i = 0; i < in->n; i++)
		memcpy(out->pds + i * in->pds_len, in->pds[i], in->pds_len);
	out->max_listed = in->n < ENGINE_MAX_LOCATORS ? in->n : ENGINE_MAX_LOCATORS;
	while (out->max_listed && list_message(out->max_listed, in->pds_len, MAX_VALIDATOR, 0) > WIRE_MAX_MSG)
		out->max_listed--;
	out->signature_len = in->signature_len;
	out->max_signed = in->signature_len ? ENGINE_MAX_LOCATORS : 0;
	while (out->max_signed &&
	       list_message(out->max_signed, in->pds_len, MAX_VALIDATOR_SIGNED, in->signature_len) > WIRE_MAX_MSG)
		out->max_signed--;
	out->version = 1;
	return true;
}

bool local_picture_copy(struct local_picture *out, const struct engine_local *locals, unsigned n,
			const struct engine_hba_set *sets, unsigned n_sets)
{
	*out = (struct local_picture){ .n = n };
	out->local = calloc(n + 1, sizeof(*out->local));
	out->set = calloc(n_sets + 1, sizeof(*out->set));
	if (!out->local || !out->set)
		goto fail;
	for (unsigned i = 0; i < n; i++) {
		out->local[i] = locals[i];
		if (locals[i].set >= (int)n_sets || (locals[i].set >= 0 && sets[locals[i].set].n == 0))
			out->local[i].set = -1;
	}
	for (; out->n_sets < n_sets; out->n_sets++) {
		if (sets[out->n_sets].n && !set_copy(&out->set[out->n_sets], &sets[out->n_sets])) {
			out->n_sets++;
			goto fail;
		}
	}
	return true;
fail:
	local_picture_free(out);
	return false;
}

void local_picture_free(struct local_picture *p)
{
	for (unsigned i = 0; i < p->n_sets; i++) {
		free(p->set[i].addr);
		free(p->set[i].pds);
	}
	free(p->set);
	free(p->local);
	*p = (struct local_picture){ 0 };
}

const struct engine_local *local_find(const struct local_picture *p, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (shim6_addr_eq(&p->local[i].addr, a))
			return &p->local[i];
	}
	return NULL;
}

struct local_set *local_set_of(const struct local_picture *p, const struct shim6_addr *a, unsigned *member)
{
	const struct engine_local *l = local_find(p, a);

	/* A member that is not assigned at the moment may still be the ULID of a context (Y-06). */
	for (unsigned k = 0; k < p->n_sets; k++) {
		struct local_set *s = &p->set[k];

		for (unsigned i = 0; (!l || l->set == (int)k) && i < s->n; i++) {
			if (shim6_addr_eq(&s->addr[i], a)) {
				*member = i;
				return s;
			}
		}
	}
	return NULL;
}

unsigned local_choices(const struct local_picture *p, const struct shim6_addr *a)
{
	unsigned member, n = 0;
	const struct local_set *s = local_set_of(p, a, &member);

	for (unsigned i = 0; s && i < s->n; i++)
		n += local_find(p, &s->addr[i]) != NULL;
	if (!s || s->max_listed < 2)
		n = 1;
	for (unsigned i = 0; s && i < s->n_outside; i++)
		n += s->outside[i].gone == 0;
	return n;
}

const uint8_t *local_pds(const struct local_picture *p, const struct shim6_addr *a, size_t *len)
{
	unsigned member;
	const struct local_set *s = local_set_of(p, a, &member);

	if (!s)
		return NULL;
	*len = s->pds_len;
	return s->pds + member * s->pds_len;
}

unsigned local_refresh(const struct local_picture *p, struct reap_locator *l, unsigned n)
{
	unsigned changed = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct engine_local *now = local_find(p, &l[i].addr);
		struct reap_locator was = l[i];

		if (now) {
			l[i].flags = now->flags & ENGINE_LOCAL_DOWN ? REAP_LOC_DOWN : 0;
			l[i].priority = now->priority;
			l[i].weight = now->weight;
		} else {
			l[i].flags = REAP_LOC_GONE;
		}
		if (was.flags & REAP_LOC_UNTOLD)
			l[i].flags = REAP_LOC_GONE | REAP_LOC_UNTOLD;
		if (was.flags != l[i].flags)
			changed |= LOCAL_FLAGS;
		if (was.priority != l[i].priority || was.weight != l[i].weight)
			changed |= LOCAL_PREFERENCES;
	}
	return changed;
}

unsigned local_locators(const struct local_picture *p, const struct shim6_addr *ulid, struct reap_locator *out,
			bool *listed)
{
	unsigned member = 0, n = 0;
	const struct local_set *s = local_set_of(p, ulid, &member);

	*listed = s && s->max_listed > 1;
	if (!*listed) {
		out[0] = (struct reap_locator){ .addr = *ulid };
		local_refresh(p, out, 1);
		return 1;
	}
	/* Too many for one packet: leave out some, never the ULID (T022). */
	for (unsigned i = 0; i < s->n && n < s->max_listed; i++) {
		if (i != member && n + 1 == s->max_listed && member > i)
			continue;
		out[n++] = (struct reap_locator){ .addr = s->addr[i] };
	}
	local_refresh(p, out, n);
	return n;
}

/* --- theirs ------------------------------------------------------------- */

static enum peer_verdict silent(struct engine *e, enum counter why)
{
	count(e, why);
	return PEER_SILENT;
}

/* Pointer to the i-th method octet: option header, generation, count, methods (V-09). */
static enum peer_verdict blame(struct engine *e, enum counter why, const struct wire_msg *m, unsigned i,
			       size_t *err_offset)
{
	count(e, why);
	*err_offset = m->locators.offset + 9 + i;
	return PEER_ERROR;
}

void peer_list_ulid_only(struct peer_list *out, const struct shim6_addr *ulid_peer)
{
	*out = (struct peer_list){ .n = 1, .n_listed = 1, .n_total = 1 };
	out->entry[0].l.addr = *ulid_peer;
	out->entry[0].verified = true;
}

/* Is every method one that we know and that the PDS can back (V-08)? */
static enum peer_verdict check_methods(struct engine *e, const struct wire_msg *m, const struct cga_pds *pds,
				       size_t *err_offset)
{
	for (unsigned i = 0; i < m->locators.n; i++) {
		switch (m->locators.methods[i]) {
		case WIRE_METHOD_HBA:
			if (!pds->has_mpe)
				return blame(e, C_drop_method, m, i, err_offset);
			break;
		case WIRE_METHOD_CGA:
			/* An HBA-only nonce is not a key (V-16a). */
			if (cga_key_usable(pds) != CGA_OK || !m->signature.p)
				return blame(e, C_drop_method, m, i, err_offset);
			break;
		default:
			return blame(e, C_drop_method, m, i, err_offset);
		}
	}
	return PEER_OK;
}

static int find_in_list(const struct wire_msg *m, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < m->locators.n; i++) {
		struct shim6_addr l;

		wire_locator_get(&m->locators, i, &l);
		if (shim6_addr_eq(&l, a))
			return (int)i;
	}
	return -1;
}

/* Is the address's own Sec what we ask of peers (AMB-H20)? */
static bool sec_enough(const struct engine *e, const struct shim6_addr *a)
{
	return a->b[8] >> 5 >= (int)e->config.min_sec;
}

static bool hba_proves(const struct engine *e, struct cga_verifier *v, const struct wire_msg *m, unsigned i)
{
	struct shim6_addr a;

	wire_locator_get(&m->locators, i, &a);
	return m->locators.methods[i] != WIRE_METHOD_HBA || (sec_enough(e, &a) && cga_verify_hba(v, &a) == CGA_OK);
}

/* One RSA verification covers all CGA-method locators, in list order (W-64, W-65). */
static enum peer_verdict check_signature(struct engine *e, uint64_t now, const struct wire_msg *m,
					 const struct cga_pds *pds, size_t *err_offset)
{
	struct shim6_addr signed_locators[WIRE_MAX_LOCATORS];
	unsigned n = 0, first = 0;

	for (unsigned i = 0; i < m->locators.n && n < WIRE_MAX_LOCATORS; i++) {
		if (m->locators.methods[i] != WIRE_METHOD_CGA)
			continue;
		if (n == 0)
			first = i;
		wire_locator_get(&m->locators, i, &signed_locators[n++]);
	}
	if (n == 0)
		return PEER_OK;
	if (!token_take(&e->limits.signatures, now, LIMITS_SIGNATURES_PER_SECOND))
		return silent(e, C_drop_signature_budget);
	if (cga_verify_signature(pds, m->locators.generation, signed_locators, n, m->signature.p, m->signature.len) !=
	    CGA_OK)
		return blame(e, C_drop_locator_verification, m, first, err_offset);
	return PEER_OK;
}

static bool listed_before(const struct peer_list *list, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (shim6_addr_eq(&list->entry[i].l.addr, a))
			return true;
	}
	return false;
}

static void add_entry(struct engine *e, struct peer_list *out, const struct shim6_addr *a, uint8_t method)
{
	bool good = shim6_addr_is_usable(a) && !engine_is_local(e, a) && !listed_before(out, a);
	struct peer_entry *p = &out->entry[out->n++];

	*p = (struct peer_entry){ .l = { .addr = *a }, .method = method, .verified = true };
	if (!good) {
		/* It keeps its index for the preferences, and nothing else (V-25). */
		count(e, C_ignored_locator);
		p->l.flags = REAP_LOC_GONE;
		p->verified = false;
	}
}

static void fill(struct engine *e, struct peer_list *out, const struct wire_msg *m, const struct shim6_addr *ulid)
{
	int ulid_index = find_in_list(m, ulid);
	bool ulid_apart = ulid_index < 0 || ulid_index >= ENGINE_MAX_LOCATORS - 1;
	unsigned max = ulid_apart ? ENGINE_MAX_LOCATORS - 1 : ENGINE_MAX_LOCATORS;

	out->present = true;
	out->generation = m->locators.generation;
	out->n_listed = m->locators.n;
	for (unsigned i = 0; i < m->locators.n && i < max; i++) {
		struct shim6_addr a;

		wire_locator_get(&m->locators, i, &a);
		add_entry(e, out, &a, m->locators.methods[i]);
	}
	if (m->locators.n > max)
		count(e, C_limit_locators); /* (Z-08) */
	out->n_total = out->n;
	if (!ulid_apart)
		return;
	/* Not listed: accepted as a source, no candidate as a destination. */
	out->entry[out->n_total++] = (struct peer_entry){
		.l = { .addr = *ulid, .flags = ulid_index < 0 ? REAP_LOC_GONE : 0 },
		.verified = true,
	};
}

static enum peer_verdict check_list(struct engine *e, uint64_t now, const struct wire_msg *m, struct cga_verifier *v,
				    int src_index, bool src_known, size_t *err_offset)
{
	enum peer_verdict verdict = check_methods(e, m, &v->pds, err_offset);

	if (verdict != PEER_OK)
		return verdict;
	if (!src_known && !hba_proves(e, v, m, (unsigned)src_index))
		return silent(e, C_drop_source_locator); /* (V-18) */
	for (unsigned i = 0; i < m->locators.n; i++) {
		if (!hba_proves(e, v, m, i))
			return blame(e, C_drop_locator_verification, m, i, err_offset);
	}
	return check_signature(e, now, m, &v->pds, err_offset);
}

enum peer_verdict peer_list_verify(struct engine *e, uint64_t now, const struct context *c,
				   const struct shim6_addr *ulid_peer, const struct shim6_addr *src,
				   const struct wire_msg *m, struct peer_list *out, size_t *err_offset)
{
	int known = c ? context_peer_index(c, src) : -1;
	bool src_known = shim6_addr_eq(src, ulid_peer) || (known >= 0 && c->peer_info[known].verified);
	int src_index = m->locators.present ? find_in_list(m, src) : -1;
	const uint8_t *raw = m->pds.p;
	size_t raw_len = m->pds.len;
	struct cga_verifier v;
	struct cga_pds pds;
	enum peer_verdict verdict;

	if (!src_known && src_index < 0)
		return silent(e, C_drop_source_locator); /* (E-67, R-17) */
	if (!raw && m->locators.present) {
		/* Only an Update Request may lean on the PDS of before (W-72, W-73). */
		if (m->type != WIRE_UPDATE_REQUEST || !c || !c->peer_pds)
			return silent(e, C_drop_list_without_pds);
		raw = c->peer_pds;
		raw_len = c->peer_pds_len;
	}
	peer_list_ulid_only(out, ulid_peer);
	if (!raw)
		return PEER_OK;
	if (cga_pds_parse(&pds, raw, raw_len) != CGA_OK)
		return silent(e, C_drop_pds);
	cga_verifier_init(&v, &pds);
	if (cga_verify_ulid(&v, ulid_peer) != CGA_OK)
		return silent(e, C_drop_pds); /* (V-10, V-11) */
	if (!sec_enough(e, ulid_peer))
		return silent(e, C_drop_sec);
	if (m->locators.present) {
		verdict = check_list(e, now, m, &v, src_index, src_known, err_offset);
		if (verdict != PEER_OK)
			return verdict;
		*out = (struct peer_list){ 0 };
		fill(e, out, m, ulid_peer);
	}
	out->pds = m->pds.p;
	out->pds_len = m->pds.len;
	return PEER_OK;
}

bool peer_list_prefer(struct peer_list *list, const struct wire_preferences *prefs)
{
	if (!list->present || prefs->generation != list->generation || prefs->n != list->n_listed)
		return false;
	for (unsigned i = 0; i < list->n; i++) {
		struct reap_locator *l = &list->entry[i].l;
		struct wire_pref p;

		wire_pref_get(prefs, i, &p);
		l->flags = (uint8_t)((l->flags & ~REAP_LOC_DOWN) | (p.flags & WIRE_PREF_BROKEN ? REAP_LOC_DOWN : 0));
		l->priority = p.priority;
		l->weight = p.weight;
	}
	return true;
}
