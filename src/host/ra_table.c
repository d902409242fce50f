/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/ra.h"

#define NS_PER_S UINT64_C(1000000000)
#define TWO_HOURS (7200 * NS_PER_S)
/* A repeated message moves every end a little; below this it is the same. */
#define SAME (2 * NS_PER_S)

static uint64_t end_of(uint64_t now, uint32_t seconds)
{
	return seconds == UINT32_MAX ? RA_NEVER : now + seconds * NS_PER_S;
}

static bool moved(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) >= SAME;
}

const struct ra_router *ra_table_router(const struct ra_table *t, unsigned ifindex, const struct shim6_addr *addr)
{
	for (unsigned i = 0; i < t->n_routers; i++) {
		if (t->routers[i].ifindex == ifindex && shim6_addr_eq(&t->routers[i].addr, addr))
			return &t->routers[i];
	}
	return NULL;
}

bool ra_prefix_covers(const struct ra_prefix *p, const struct shim6_addr *addr)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	return memcmp(p->prefix.b, addr->b, whole) == 0 &&
	       (!rest || ((p->prefix.b[whole] ^ addr->b[whole]) & (0xff00u >> rest) & 0xff) == 0);
}

static void remove_router(struct ra_table *t, unsigned i)
{
	t->routers[i] = t->routers[--t->n_routers];
}

static void remove_prefix(struct ra_table *t, unsigned i)
{
	const struct ra_prefix *p = &t->prefixes[i];

	for (unsigned k = 0; k < t->n_routers; k++) {
		if (t->routers[k].ifindex == p->ifindex && shim6_addr_eq(&t->routers[k].addr, &p->router))
			t->routers[k].prefixes--;
	}
	t->prefixes[i] = t->prefixes[--t->n_prefixes];
}

static struct ra_router *place_router(struct ra_table *t, unsigned ifindex, const struct shim6_addr *from)
{
	unsigned here = 0;

	for (unsigned i = 0; i < t->n_routers; i++) {
		if (t->routers[i].ifindex != ifindex)
			continue;
		if (shim6_addr_eq(&t->routers[i].addr, from))
			return &t->routers[i];
		here++;
	}
	if (here == RA_MAX_ROUTERS_PER_LINK || t->n_routers == RA_MAX_ROUTERS) {
		t->refused++;
		return NULL;
	}
	t->routers[t->n_routers] = (struct ra_router){ .addr = *from, .ifindex = ifindex };
	return &t->routers[t->n_routers++];
}

static struct ra_prefix *place_prefix(struct ra_table *t, struct ra_router *r, const struct ra_pio *pio)
{
	for (unsigned i = 0; i < t->n_prefixes; i++) {
		struct ra_prefix *p = &t->prefixes[i];

		if (p->ifindex == r->ifindex && p->len == pio->len && shim6_addr_eq(&p->prefix, &pio->prefix) &&
		    shim6_addr_eq(&p->router, &r->addr))
			return p;
	}
	if (pio->valid == 0)
		return NULL;
	if (r->prefixes == RA_MAX_PIO || t->n_prefixes == RA_MAX_PREFIXES) {
		t->refused++;
		return NULL;
	}
	r->prefixes++;
	t->prefixes[t->n_prefixes] =
		(struct ra_prefix){ .prefix = pio->prefix, .len = pio->len, .ifindex = r->ifindex, .router = r->addr };
	return &t->prefixes[t->n_prefixes++];
}

/* RFC 4862 5.5.3 e: nobody on the link can end an address within two hours. */
static uint64_t new_end(const struct ra_prefix *p, uint64_t now, uint32_t valid)
{
	uint64_t asked = end_of(now, valid), left = p->valid_until > now ? p->valid_until - now : 0;

	if (!p->valid_until || asked > p->valid_until || asked - now > TWO_HOURS)
		return asked;
	return left <= TWO_HOURS ? p->valid_until : now + TWO_HOURS;
}

static bool take_prefix(struct ra_table *t, uint64_t now, struct ra_router *r, const struct ra_pio *pio)
{
	struct ra_prefix *p = place_prefix(t, r, pio);
	struct ra_prefix old;

	if (!p)
		return false;
	old = *p;
	p->valid_until = new_end(p, now, pio->valid);
	p->preferred_until = end_of(now, pio->preferred);
	p->preferred = p->preferred_until > now;
	p->on_link = pio->on_link;
	p->autonomous = pio->autonomous;
	return moved(p->valid_until, old.valid_until) ||
	       (p->preferred && moved(p->preferred_until, old.preferred_until)) || p->preferred != old.preferred ||
	       p->on_link != old.on_link || p->autonomous != old.autonomous;
}

bool ra_table_take(struct ra_table *t, uint64_t now, unsigned ifindex, const struct shim6_addr *from,
		   const struct ra_message *m)
{
	struct ra_router *r = place_router(t, ifindex, from);
	bool changed = false;

	if (!r)
		return false;
	if (r->is_default != (m->lifetime > 0) || r->preference != m->preference)
		changed = true;
	r->heard = now;
	r->until = now + m->lifetime * NS_PER_S;
	r->is_default = m->lifetime > 0;
	r->was_default |= r->is_default;
	r->preference = m->preference;
	for (unsigned i = 0; i < m->n; i++)
		changed |= take_prefix(t, now, r, &m->pio[i]);
	return changed | ra_table_expire(t, now);
}

bool ra_table_expire(struct ra_table *t, uint64_t now)
{
	bool changed = false;

	for (unsigned i = t->n_prefixes; i-- > 0;) {
		struct ra_prefix *p = &t->prefixes[i];

		if (p->preferred && p->preferred_until <= now) {
			p->preferred = false;
			changed = true;
		}
		if (p->valid_until <= now) {
			remove_prefix(t, i);
			changed = true;
		}
	}
	for (unsigned i = t->n_routers; i-- > 0;) {
		struct ra_router *r = &t->routers[i];

		if (r->is_default && r->until <= now) {
			r->is_default = false;
			changed = true;
		}
		if (!r->is_default && !r->prefixes)
			remove_router(t, i);
	}
	return changed;
}

uint64_t ra_table_next(const struct ra_table *t)
{
	uint64_t next = RA_NEVER;

	for (unsigned i = 0; i < t->n_prefixes; i++) {
		const struct ra_prefix *p = &t->prefixes[i];

		if (p->valid_until < next)
			next = p->valid_until;
		if (p->preferred && p->preferred_until < next)
			next = p->preferred_until;
	}
	for (unsigned i = 0; i < t->n_routers; i++) {
		if (t->routers[i].is_default && t->routers[i].until < next)
			next = t->routers[i].until;
	}
	return next;
}

bool ra_table_forget(struct ra_table *t, unsigned ifindex, uint64_t since)
{
	bool some = false;

	for (unsigned i = t->n_routers; i-- > 0;) {
		const struct ra_router r = t->routers[i];

		if (r.ifindex != ifindex || r.heard >= since)
			continue;
		some = true;
		for (unsigned k = t->n_prefixes; k-- > 0;) {
			if (t->prefixes[k].ifindex == ifindex && shim6_addr_eq(&t->prefixes[k].router, &r.addr))
				remove_prefix(t, k);
		}
		remove_router(t, i);
	}
	return some;
}
