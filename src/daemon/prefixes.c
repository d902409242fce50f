/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/prefixes.h"

#include "daemon/hba.h"

static bool is_global(const struct shim6_addr *a)
{
	return (a->b[0] & 0xe0) == 0x20;
}

static struct prefix_now *place(struct prefixes *out, const uint8_t prefix[8], unsigned ifindex, unsigned *refused)
{
	for (unsigned i = 0; i < out->n; i++) {
		if (out->p[i].ifindex == ifindex && memcmp(out->p[i].prefix, prefix, 8) == 0)
			return &out->p[i];
	}
	if (out->n == PREFIXES_MAX) {
		(*refused)++;
		return NULL;
	}
	out->p[out->n] = (struct prefix_now){ .ifindex = ifindex };
	memcpy(out->p[out->n].prefix, prefix, 8);
	return &out->p[out->n++];
}

static void put_for_ever(struct prefixes *out, const uint8_t prefix[8], unsigned ifindex, bool current,
			 unsigned *refused)
{
	struct prefix_now *p = place(out, prefix, ifindex, refused);

	if (!p)
		return;
	p->current |= current;
	p->valid_until = p->preferred_until = RA_NEVER;
}

static const struct host_link *uplink(const struct config *c, const struct host_snapshot *snap, unsigned ifindex)
{
	for (unsigned i = 0; i < snap->n_links; i++) {
		const struct host_link *l = &snap->links[i];

		if (l->ifindex == ifindex && l->up && !l->loopback && !hba_is_shim_device(c, l->name) &&
		    config_interface(c, l->name)->use)
			return l;
	}
	return NULL;
}

static bool has_default_router(const struct host_snapshot *snap, unsigned ifindex)
{
	for (unsigned i = 0; i < snap->n_routers; i++) {
		if (snap->routers[i].ifindex == ifindex && snap->routers[i].default_route)
			return true;
	}
	return false;
}

static void from_configuration(struct prefixes *out, const struct config *c, const struct host_snapshot *snap,
			       unsigned *refused)
{
	for (unsigned i = 0; i < snap->n_links; i++) {
		const struct host_link *l = uplink(c, snap, snap->links[i].ifindex);
		const struct config_prefixes *list = l ? &config_interface(c, l->name)->prefixes : NULL;

		for (unsigned k = 0; list && k < list->n; k++)
			put_for_ever(out, list->p[k].addr.b, l->ifindex, true, refused);
	}
}

static void from_addresses(struct prefixes *out, const struct config *c, const struct host_snapshot *snap,
			   bool (*own)(void *user, const struct shim6_addr *a), void *user, unsigned *refused)
{
	for (unsigned i = 0; i < snap->n_addresses; i++) {
		const struct host_address *a = &snap->addresses[i];

		if (a->permanent && !a->tentative && !a->deprecated && a->prefix_len == 64 && is_global(&a->addr) &&
		    uplink(c, snap, a->ifindex) && !own(user, &a->addr) && has_default_router(snap, a->ifindex))
			put_for_ever(out, a->addr.b, a->ifindex, true, refused);
	}
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void from_advertisements(struct prefixes *out, const struct config *c, const struct host_snapshot *snap,
				const struct ra_table *ra, unsigned *refused)
{
	for (unsigned i = 0; i < ra->n_prefixes; i++) {
		const struct ra_prefix *x = &ra->prefixes[i];
		const struct ra_router *r = ra_table_router(ra, x->ifindex, &x->router);
		struct prefix_now *p;

		if (x->len != 64 || !x->autonomous || !is_global(&x->prefix) || !uplink(c, snap, x->ifindex))
			continue;
		p = place(out, x->prefix.b, x->ifindex, refused);
		if (!p || p->valid_until == RA_NEVER)
			continue;
		p->advertised = true;
		p->current |= x->preferred && r && r->is_default;
		p->valid_until = later(p->valid_until, x->valid_until);
		p->preferred_until = later(p->preferred_until, x->preferred_until);
	}
}

unsigned prefixes_compute(struct prefixes *out, const struct config *c, const struct host_snapshot *snap,
			  const struct ra_table *ra, bool (*own)(void *user, const struct shim6_addr *a), void *user)
{
	unsigned refused = 0;

	out->n = 0;
	from_configuration(out, c, snap, &refused);
	from_addresses(out, c, snap, own, user, &refused);
	if (ra)
		from_advertisements(out, c, snap, ra, &refused);
	return refused;
}

const struct prefix_now *prefixes_find(const struct prefixes *p, const uint8_t prefix[8])
{
	const struct prefix_now *found = NULL;

	for (unsigned i = 0; i < p->n; i++) {
		if (memcmp(p->p[i].prefix, prefix, 8) == 0 && (!found || (p->p[i].current && !found->current)))
			found = &p->p[i];
	}
	return found;
}
