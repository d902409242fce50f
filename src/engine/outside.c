/* SPDX-License-Identifier: MIT */
/*
 * Locators outside the HBA set of a ULID (RFC 5533 section 10, RFC 5535 section
 * 8.1): a prefix that came after the set was made. They need a set with a key.
 *
 * Each set with a key keeps a list of them: one address per /64 that neither the
 * set nor an earlier entry covers, because two addresses in one prefix fail
 * together. An address that goes is BROKEN at once, by its preference; it leaves
 * the list when it has stayed away for ulid_grace, since links flap and a list
 * costs a signature, and not before a context has left it.
 *
 * A context begins with its HBA set, so that no stranger makes us compute RSA.
 * Once it is ESTABLISHED an Update Request brings the longer list, under a new
 * generation and signed; a new locator is used when the peer has acknowledged it
 * (PA-21). The one exception: a peer that has such a list of ours and finds that
 * we forgot the context speaks to us there, and is answered with the list at
 * once. Contexts are brought up to date a few at a time: a signature takes about
 * a millisecond, and the peers verify them at no greater pace.
 */
#include <stdlib.h>

#include "engine/internal.h"

#define BATCH 4			      /* signatures in one go */
#define BATCH_GAP (125 * MILLISECOND) /* to the next */
#define WELCOMES_PER_SECOND 16	      /* signatures for peers without a context */
#define SIGNATURE_MAX 512

/* --- the lists of the picture -------------------------------------------- */

static bool same_64(const struct shim6_addr *a, const struct shim6_addr *b)
{
	return memcmp(a->b, b->b, 8) == 0;
}

static bool covered(const struct local_set *s, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (same_64(&s->addr[i], a))
			return true;
	}
	for (unsigned i = 0; i < s->n_outside; i++) {
		if (s->outside[i].gone ? shim6_addr_eq(&s->outside[i].addr, a) : same_64(&s->outside[i].addr, a))
			return true;
	}
	return false;
}

/* The entries of before that are there, or have not been away for long. */
static void keep_entries(const struct engine *e, uint64_t now, const struct local_set *old,
			 const struct local_picture *p, struct local_set *s)
{
	for (unsigned i = 0; i < old->n_outside; i++) {
		struct outside x = old->outside[i];

		if (local_find(p, &x.addr))
			x.gone = 0;
		else if (x.gone == 0)
			x.gone = now ? now : 1;
		if (x.gone && now >= x.gone + e->config.ulid_grace)
			continue;
		s->outside[s->n_outside++] = x;
	}
}

/* Those that are up and not deprecated come first: where there are two in a prefix, one is chosen. */
static void add_entries(struct engine *e, const struct local_picture *p, struct local_set *s)
{
	unsigned members = s->max_listed < s->n ? s->max_listed : s->n;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < p->n; i++) {
			const struct engine_local *l = &p->local[i];

			if ((pass == 0 && l->flags) || covered(s, &l->addr))
				continue;
			if (members + s->n_outside >= s->max_signed) {
				count(e, C_limit_outside);
				return;
			}
			s->outside[s->n_outside++] = (struct outside){ .addr = l->addr };
		}
	}
}

static bool same_entries(const struct local_set *a, const struct local_set *b)
{
	if (a->n_outside != b->n_outside)
		return false;
	for (unsigned i = 0; i < a->n_outside; i++) {
		if (!shim6_addr_eq(&a->outside[i].addr, &b->outside[i].addr))
			return false;
	}
	return true;
}

static const struct local_set *set_before(const struct local_picture *old, const struct local_set *s)
{
	for (unsigned k = 0; k < old->n_sets; k++) {
		const struct local_set *o = &old->set[k];

		if (o->n == s->n && o->pds_len == s->pds_len && memcmp(o->pds, s->pds, s->pds_len) == 0)
			return o;
	}
	return NULL;
}

static void arm(struct engine *e, uint64_t at)
{
	if (!timer_armed(&e->outside) || at < e->outside.tick << TIMER_TICK_SHIFT)
		timer_arm(&e->wheel, &e->outside, at);
}

void outside_poke(struct engine *e, uint64_t now)
{
	for (unsigned k = 0; k < e->local.n_sets; k++) {
		if (e->local.set[k].version > 1)
			arm(e, now + BATCH_GAP);
	}
}

static void arm_for_entries(struct engine *e, const struct local_picture *p)
{
	for (unsigned k = 0; k < p->n_sets; k++) {
		for (unsigned i = 0; i < p->set[k].n_outside; i++) {
			const struct outside *x = &p->set[k].outside[i];

			if (x->gone)
				arm(e, x->gone + e->config.ulid_grace);
		}
	}
}

static void update_set(struct engine *e, uint64_t now, const struct local_set *old, const struct local_picture *p,
		       struct local_set *s)
{
	s->n_outside = 0;
	if (old)
		keep_entries(e, now, old, p, s);
	add_entries(e, p, s);
	s->version = old ? old->version : 1;
	if (old ? !same_entries(old, s) : s->n_outside)
		s->version = ++e->outside_version;
	if (!old || s->version != old->version)
		arm(e, now);
}

void outside_picture(struct engine *e, uint64_t now, const struct local_picture *old, struct local_picture *p)
{
	for (unsigned k = 0; k < p->n_sets; k++) {
		struct local_set *s = &p->set[k];

		if (s->n && s->signature_len && e->ops.sign)
			update_set(e, now, set_before(old, s), p, s);
	}
	arm_for_entries(e, p);
}

/* --- the list of a context ------------------------------------------------ */

static bool wanted(const struct local_set *s, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < s->n_outside; i++) {
		if (shim6_addr_eq(&s->outside[i].addr, a))
			return true;
	}
	return false;
}

static bool take_list(struct engine *e, struct context *c, const struct reap_locator *l, unsigned n)
{
	struct reap_locator *more = realloc(c->local, n * sizeof(*l));

	if (!more) {
		count(e, C_limit_memory);
		return false;
	}
	memcpy(more, l, n * sizeof(*l));
	c->local = more;
	c->n_local = (uint8_t)n;
	c->listed |= n > c->n_set;
	return true;
}

/* What the list should be: members of the set, then those kept in their order, then new ones. */
static unsigned desired(struct context *c, const struct local_set *s, uint8_t new_flags, struct reap_locator *l,
			unsigned *kept)
{
	unsigned n = c->n_set;

	memcpy(l, c->local, n * sizeof(*l));
	for (unsigned i = c->n_set; i < c->n_local; i++) {
		if (wanted(s, &c->local[i].addr) || shim6_addr_eq(&c->local[i].addr, &c->current.local))
			l[n++] = c->local[i];
	}
	*kept = n;
	for (unsigned i = 0; i < s->n_outside && n < s->max_signed; i++) {
		if (context_local_index(c, &s->outside[i].addr) < 0)
			l[n++] = (struct reap_locator){ .addr = s->outside[i].addr, .flags = new_flags };
	}
	return n;
}

/* true: that took a signature. */
static bool bring_up_to_date(struct engine *e, struct context *c, const struct local_set *s, uint64_t now)
{
	struct reap_locator l[ENGINE_MAX_LOCATORS];
	unsigned kept, n = desired(c, s, REAP_LOC_GONE | REAP_LOC_UNTOLD, l, &kept);

	c->outside_version = s->version;
	if (n == kept && kept == c->n_local)
		return false;
	e->counter[C_outside_withdrawn] += c->n_local - kept;
	e->counter[C_outside_added] += n - kept;
	if (!take_list(e, c, l, n))
		return false;
	local_refresh(&e->local, c->local, c->n_local);
	engine_tell(e, c, now, ENGINE_EV_LOCATORS, ENGINE_WHY_NONE);
	if (update_begin(e, c, now, UPDATE_LIST))
		liveness_locators(e, c, now, REAP_CAUSE_LOCAL_DOWN);
	return true;
}

static bool expired(const struct engine *e, uint64_t now)
{
	for (unsigned k = 0; k < e->local.n_sets; k++) {
		for (unsigned i = 0; i < e->local.set[k].n_outside; i++) {
			const struct outside *x = &e->local.set[k].outside[i];

			if (x->gone && now >= x->gone + e->config.ulid_grace)
				return true;
		}
	}
	return false;
}

void outside_timer(struct engine *e, uint64_t now)
{
	unsigned left = BATCH, member;
	struct context *c, *newer;

	for (unsigned k = 0; expired(e, now) && k < e->local.n_sets; k++) {
		struct local_set was = e->local.set[k];

		if (was.n && was.signature_len)
			update_set(e, now, &was, &e->local, &e->local.set[k]);
	}
	timer_cancel(&e->wheel, &e->outside);
	for (c = e->contexts.oldest; c && left; c = newer) {
		const struct local_set *s;

		newer = c->newer;
		if (c->state != ENGINE_ESTABLISHED || c->outside_refused)
			continue;
		s = local_set_of(&e->local, &c->ulid.local, &member);
		if (s && s->version != c->outside_version && (s->version > 1 || c->n_local > c->n_set))
			left -= bring_up_to_date(e, c, s, now);
	}
	if (c)
		arm(e, now + BATCH_GAP);
	arm_for_entries(e, &e->local);
}

bool outside_adopt(struct engine *e, struct context *c)
{
	struct reap_locator l[ENGINE_MAX_LOCATORS];
	unsigned member, kept;
	const struct local_set *s = local_set_of(&e->local, &c->ulid.local, &member);

	if (!s || !take_list(e, c, l, desired(c, s, 0, l, &kept)))
		return false;
	c->outside_version = s->version;
	local_refresh(&e->local, c->local, c->n_local);
	return true;
}

bool outside_welcome(struct engine *e, uint64_t now, const struct shim6_addr *ulid, const struct shim6_addr *a)
{
	unsigned member;
	const struct local_set *s = local_set_of(&e->local, ulid, &member);

	return s && wanted(s, a) && token_take(&e->limits.own_signatures, now, WELCOMES_PER_SECOND);
}

bool outside_restore(struct engine *e, struct context *c, const struct reap_locator *saved, unsigned n)
{
	struct reap_locator l[ENGINE_MAX_LOCATORS];

	if (n == 0 || c->n_set + n > ENGINE_MAX_LOCATORS)
		return n == 0;
	memcpy(l, c->local, c->n_set * sizeof(*l));
	memcpy(l + c->n_set, saved, n * sizeof(*l));
	if (!take_list(e, c, l, c->n_set + n))
		return false;
	local_refresh(&e->local, c->local, c->n_local);
	return true;
}

bool outside_told(struct engine *e, struct context *c)
{
	bool any = false;

	for (unsigned i = c->n_set; i < c->n_local; i++) {
		any |= c->local[i].flags & REAP_LOC_UNTOLD;
		c->local[i].flags &= (uint8_t)~REAP_LOC_UNTOLD;
	}
	if (any)
		local_refresh(&e->local, c->local, c->n_local);
	return any;
}

bool outside_shed(struct context *c)
{
	unsigned n = c->n_set;

	for (unsigned i = c->n_set; i < c->n_local; i++) {
		if (!(c->local[i].flags & REAP_LOC_UNTOLD))
			c->local[n++] = c->local[i];
	}
	if (n == c->n_local)
		return false;
	c->n_local = (uint8_t)n;
	return true;
}

const struct signature *outside_signature(struct engine *e, struct context *c)
{
	struct shim6_addr a[ENGINE_MAX_LOCATORS];
	unsigned member, n = 0;
	const struct local_set *set = local_set_of(&e->local, &c->ulid.local, &member);
	struct signature *s = c->signature;

	if (s && s->generation == c->local_generation)
		return s;
	free(s);
	c->signature = s = NULL;
	for (unsigned i = c->n_set; i < c->n_local; i++)
		a[n++] = c->local[i].addr;
	if (set && set->signature_len && set->signature_len <= SIGNATURE_MAX && e->ops.sign)
		s = malloc(sizeof(*s) + set->signature_len);
	if (s && !e->ops.sign(e->user, &c->ulid.local, c->local_generation, a, n, s->octets)) {
		free(s);
		s = NULL;
	}
	if (!s) {
		count(e, C_signature_failed);
		return NULL;
	}
	count(e, C_signatures_made);
	s->generation = c->local_generation;
	s->len = (uint16_t)set->signature_len;
	c->signature = s;
	return s;
}
