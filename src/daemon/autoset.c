/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/autoset.h"

#include <stdlib.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/trim.h"

#define WAIT_FOR_YOUNGER 3 /* times the hold-off */
#define EXPLAIN_AFTER UINT64_C(20000000000)

/* --- which prefixes ------------------------------------------------------- */

static struct autoset_seen *find_seen(struct autoset *a, const uint8_t prefix[8])
{
	for (unsigned i = 0; i < a->n; i++) {
		if (memcmp(a->seen[i].prefix, prefix, 8) == 0)
			return &a->seen[i];
	}
	return NULL;
}

static int by_age(const void *a, const void *b)
{
	const struct autoset_seen *x = a, *y = b;

	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return memcmp(x->prefix, y->prefix, sizeof(x->prefix));
}

/* The current prefixes, the oldest first, each once, with the time since when they are. */
static void look(struct autoset *a, uint64_t now, const struct prefixes *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n; i++)
		a->seen[i].here = false;
	for (unsigned i = 0; i < p->n; i++) {
		struct autoset_seen *s = find_seen(a, p->p[i].prefix);

		if (!p->p[i].current)
			continue;
		if (!s && a->n < PREFIXES_MAX) {
			s = &a->seen[a->n++];
			memcpy(s->prefix, p->p[i].prefix, sizeof(s->prefix));
			s->since = now;
		}
		if (s)
			s->here = true;
	}
	for (unsigned i = 0; i < a->n; i++) {
		if (a->seen[i].here)
			a->seen[n++] = a->seen[i];
	}
	a->n = n;
	qsort(a->seen, n, sizeof(a->seen[0]), by_age);
}

/* --- which sets ----------------------------------------------------------- */

static bool has_prefix(const struct store_set *s, const uint8_t prefix[8])
{
	for (unsigned i = 0; i < s->set.n; i++) {
		if (memcmp(s->prefix[i], prefix, 8) == 0)
			return true;
	}
	return false;
}

static unsigned how_many(const struct store_set *s, const struct autoset *a, unsigned n)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++)
		found += has_prefix(s, a->seen[i].prefix);
	return found;
}

static bool decided_by_hand(const struct hba *sets, const struct autoset *a)
{
	for (unsigned i = 0; i < hba_count(sets); i++) {
		const struct hba_set *s = hba_set(sets, i);

		if (!s->stored.automatic && !s->collided && how_many(&s->stored, a, a->n) >= 2)
			return true;
	}
	return false;
}

/* --- when ----------------------------------------------------------------- */

static uint64_t hold_off(struct autoset *a, uint64_t now, uint64_t settle)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n_made; i++) {
		if (a->made[i] + AUTOSET_MEMORY > now)
			a->made[n++] = a->made[i];
	}
	a->n_made = n;
	settle <<= n;
	return settle < AUTOSET_MEMORY ? settle : AUTOSET_MEMORY;
}

void autoset_made(struct autoset *a, uint64_t now)
{
	if (a->n_made == AUTOSET_MAX)
		memmove(a->made, a->made + 1, --a->n_made * sizeof(a->made[0]));
	a->made[a->n_made++] = now;
	a->lacking = 0;
}

/* Of the n oldest prefixes, how many have been there long enough. Sets when to look again. */
static unsigned settled(struct autoset *a, uint64_t now, uint64_t hold, unsigned n)
{
	unsigned old = 0;

	while (old < n && a->seen[old].since + hold <= now)
		old++;
	if (old < n)
		a->next = a->seen[old].since + hold;
	if (old < n && old >= 2) {
		uint64_t patience = a->lacking + WAIT_FOR_YOUNGER * hold;

		if (patience <= now)
			return old;
		if (patience < a->next)
			a->next = patience;
	}
	return old < n ? 0 : old;
}

enum autoset_verdict autoset_decide(struct autoset *a, uint64_t now, uint64_t settle, const struct prefixes *p,
				    const struct hba *sets, struct generate_request *req, unsigned *renew)
{
	const struct hba_set *newest = hba_newest(sets);
	unsigned n, old;

	a->next = AUTOSET_NEVER;
	look(a, now, p);
	n = a->n < CGA_MAX_GENERATE ? a->n : CGA_MAX_GENERATE;
	if (n < 2 || decided_by_hand(sets, a) || (newest && how_many(&newest->stored, a, n) == n)) {
		a->lacking = 0;
		return AUTOSET_NOTHING;
	}
	if (!a->lacking)
		a->lacking = now;
	old = settled(a, now, hold_off(a, now, settle), n);
	if (old < 2 || (newest && how_many(&newest->stored, a, old) == old))
		return AUTOSET_NOTHING;
	for (unsigned i = 0; i < hba_count(sets); i++) {
		if (hba_set(sets, i)->stored.automatic && !hba_set(sets, i)->collided &&
		    how_many(&hba_set(sets, i)->stored, a, old) == old) {
			*renew = i;
			return AUTOSET_RENEW;
		}
	}
	memset(req, 0, sizeof(*req));
	req->automatic = true;
	req->n_prefixes = old;
	for (unsigned i = 0; i < old; i++)
		memcpy(req->prefix[i], a->seen[i].prefix, 8);
	return AUTOSET_MAKE;
}

/* --- letting go ----------------------------------------------------------- */

struct usage {
	const struct hba_set *set;
	bool used;
};

static bool is_member(const struct hba_set *set, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < set->stored.set.n; i++) {
		if (shim6_addr_eq(&set->stored.set.addr[i], a))
			return true;
	}
	return false;
}

static int look_at_context(void *arg, const struct engine_ctx_info *info)
{
	struct usage *u = arg;

	u->used |= is_member(u->set, &info->ulid.local) || is_member(u->set, &info->current.local);
	return u->used;
}

static bool in_use(struct daemon *d, uint64_t now, const struct hba_set *set)
{
	struct usage u = { .set = set };

	engine_each(d->engine, look_at_context, &u);
	for (unsigned i = 0; i < set->stored.set.n && !u.used; i++)
		u.used = sockets_of(d->sockets, now, &set->stored.set.addr[i]);
	return u.used;
}

/* Sets that have had their time and that nobody uses. true: some went. */
static bool let_go(struct daemon *d, uint64_t now)
{
	const struct hba_set *newest = hba_newest(d->hba);
	char err[STORE_ERR_MAX];
	bool gone = false, waiting = false;

	for (unsigned i = 0; i < hba_count(d->hba); i++) {
		const struct hba_set *s = hba_set(d->hba, i);

		if (!s->stored.automatic || s == newest)
			continue;
		if (in_use(d, now, s)) {
			waiting = true;
		} else if (store_delete(hba_dir(d->hba), s->stored.name, err, sizeof(err))) {
			log_notice("HBA set %s let go: nobody uses it any more", s->stored.name);
			count(&d->counters, DC_sets_retired);
			gone = true;
		} else {
			log_warning("HBA set not let go: %s", err);
		}
	}
	d->autoset.look = waiting ? now + AUTOSET_LOOK : AUTOSET_NEVER;
	if (gone)
		hba_load(d->hba);
	return gone;
}

/* --- the work ------------------------------------------------------------- */

static unsigned automatic_sets(const struct hba *h)
{
	unsigned n = 0;

	for (unsigned i = 0; i < hba_count(h); i++)
		n += hba_set(h, i)->stored.automatic;
	return n;
}

static bool has_old_sets(const struct hba *h)
{
	const struct hba_set *newest = hba_newest(h);

	return automatic_sets(h) > (newest && newest->stored.automatic ? 1u : 0u);
}

static void made(void *user, const struct store_set *set, const char *err)
{
	struct daemon *d = user;

	d->job = NULL;
	if (!d->engine) /* the daemon ends */
		return;
	/* Also after a failure: it is tried again, less and less often. */
	autoset_made(&d->autoset, daemon_now());
	if (!set) {
		log_error("no HBA set made over the prefixes of this host: %s", err);
		d->autoset.next = daemon_now() + d->config.hba_settle;
		return;
	}
	count(&d->counters, DC_sets_made);
	log_notice("HBA set %s made over the %u prefixes of this host", set->name, set->set.n);
	hba_load(d->hba);
	d->autoset.look = daemon_now() + AUTOSET_LOOK;
	daemon_refresh(d);
	trim_memory();
}

static void make(struct daemon *d, uint64_t now, const struct generate_request *req)
{
	char err[STORE_ERR_MAX];

	if (automatic_sets(d->hba) >= AUTOSET_MAX) {
		if (d->counters.v[DC_sets_refused]++ == 0)
			log_warning("no further HBA set made: sessions use all of the %d older ones", AUTOSET_MAX);
		d->autoset.next = now + AUTOSET_LOOK;
		return;
	}
	d->job = generate_start(loop_uv(d->loop), hba_dir(d->hba), req, made, d, err, sizeof(err));
	if (!d->job) {
		log_error("no HBA set made over the prefixes of this host: %s", err);
		autoset_made(&d->autoset, now);
		d->autoset.next = now + d->config.hba_settle;
	}
}

/* What a person wonders about who finds no set. */
static void explain(struct autoset *a, uint64_t now)
{
	unsigned n = a->n < 2 ? a->n : 2;

	if (a->said == n + 1)
		return;
	/* Routers that were asked have to be given time, and interfaces to come up. */
	if (!a->explain)
		a->explain = now + EXPLAIN_AFTER;
	if (n < 2 && now < a->explain) {
		if (a->explain < a->next)
			a->next = a->explain;
		return;
	}
	a->said = n + 1;
	if (n < 2)
		log_notice("%s of an uplink with a router: two are needed to protect the sessions of this host",
			   n ? "one global /64 prefix" : "no global /64 prefix");
}

void autoset_run(struct daemon *d, uint64_t now)
{
	struct autoset *a = &d->autoset;
	struct generate_request *req;
	enum autoset_verdict v;
	unsigned renew = 0;

	a->next = AUTOSET_NEVER;
	if (!d->config.hba_auto || !d->config.hba_manage) {
		a->look = AUTOSET_NEVER;
		return;
	}
	req = calloc(1, sizeof(*req));
	if (!req)
		return;
	v = autoset_decide(a, now, d->config.hba_settle, &d->prefixes, d->hba, req, &renew);
	explain(a, now);
	if (v == AUTOSET_RENEW) {
		log_notice("HBA set %s is used for new sessions again", hba_set(d->hba, renew)->stored.name);
		autoset_made(a, now);
		a->look = now + AUTOSET_LOOK;
		if (hba_renew(d->hba, renew))
			daemon_refresh(d);
	} else if (v == AUTOSET_MAKE && !d->job) {
		make(d, now, req);
	} else if (v == AUTOSET_MAKE) { /* somebody makes one by hand: afterwards things look different */
		a->next = now + d->config.hba_settle;
	}
	free(req);
	if (a->look == AUTOSET_NEVER && has_old_sets(d->hba))
		a->look = now + AUTOSET_LOOK;
	if (a->look <= now && let_go(d, now))
		daemon_refresh(d);
}
