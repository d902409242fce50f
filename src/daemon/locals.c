/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/locals.h"

#include <stdlib.h>

static bool routers_failed(const struct host_snapshot *snap, unsigned ifindex)
{
	unsigned n = 0, failed = 0;

	for (unsigned i = 0; i < snap->n_routers; i++) {
		if (snap->routers[i].ifindex != ifindex)
			continue;
		n++;
		failed += snap->routers[i].failed;
	}
	return n && n == failed;
}

static const struct host_router *default_route_by(const struct host_snapshot *snap, const struct ra_prefix *p)
{
	for (unsigned i = 0; i < snap->n_routers; i++) {
		const struct host_router *r = &snap->routers[i];

		if (r->default_route && r->ifindex == p->ifindex && shim6_addr_eq(&r->gateway, &p->router))
			return r;
	}
	return NULL;
}

/* A default route by somebody who advertises nothing: the administrator's. */
static bool has_silent_router(const struct host_snapshot *snap, const struct ra_table *ra, unsigned ifindex)
{
	for (unsigned i = 0; i < snap->n_routers; i++) {
		const struct host_router *r = &snap->routers[i];

		if (r->default_route && r->ifindex == ifindex && !ra_table_router(ra, ifindex, &r->gateway))
			return true;
	}
	return false;
}

/*
 * The routers that advertise the prefix decide: each has failed, or has said that it
 * is no default router any more, or has not been heard for its lifetime.
 */
static bool no_way_out(const struct host_snapshot *snap, const struct ra_table *ra, const struct host_address *a)
{
	unsigned gone = 0;

	for (unsigned i = 0; ra && i < ra->n_prefixes; i++) {
		const struct ra_prefix *p = &ra->prefixes[i];
		const struct ra_router *r = ra_table_router(ra, p->ifindex, &p->router);
		const struct host_router *h;

		if (p->ifindex != a->ifindex || !r || !r->was_default || !ra_prefix_covers(p, &a->addr))
			continue;
		h = default_route_by(snap, p);
		if (h ? !h->failed : r->is_default)
			return !h && routers_failed(snap, a->ifindex);
		gone++;
	}
	if (gone && !has_silent_router(snap, ra, a->ifindex))
		return true;
	return routers_failed(snap, a->ifindex);
}

const struct local *locals_find(const struct locals *l, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (shim6_addr_eq(&l->l[i].engine.addr, a))
			return &l->l[i];
	}
	return NULL;
}

static int set_of(const struct locals *out, const struct hba *hba, const struct shim6_addr *a)
{
	for (unsigned s = 0; s < out->n_sets; s++) {
		const struct cga_set *set = &hba_set(hba, out->set[s])->stored.set;

		for (unsigned i = 0; i < set->n; i++) {
			if (shim6_addr_eq(&set->addr[i], a))
				return (int)s;
		}
	}
	return -1;
}

static void add_device(struct locals *out, unsigned ifindex)
{
	for (unsigned i = 0; i < out->n_devices; i++) {
		if (out->device[i] == ifindex)
			return;
	}
	if (out->n_devices < HOST_MAX_LINKS)
		out->device[out->n_devices++] = ifindex;
}

/* The address may be there already, from another interface: the one that is up counts. */
static bool put(struct locals *out, const struct local *l)
{
	for (unsigned i = 0; i < out->n; i++) {
		if (!shim6_addr_eq(&out->l[i].engine.addr, &l->engine.addr))
			continue;
		if ((out->l[i].engine.flags & ENGINE_LOCAL_DOWN) && !(l->engine.flags & ENGINE_LOCAL_DOWN))
			out->l[i] = *l;
		return true;
	}
	if (out->n == LOCALS_MAX)
		return false;
	out->l[out->n++] = *l;
	return true;
}

static void rank(struct local *l, const struct config *c, const struct preferences *prefer, const char *ifname)
{
	struct preference p;
	char from[CONFIG_NAME_MAX + 16];

	preference_of(c, prefer, ifname, &l->engine.addr, &p, from, sizeof(from));
	l->engine.priority = (uint8_t)p.priority;
	l->engine.weight = (uint8_t)p.weight;
}

static bool add_address(struct locals *out, const struct host *host, const struct ra_table *ra, const struct hba *hba,
			const struct config *c, const struct preferences *prefer, const struct host_address *a)
{
	const struct host_link *link = host_link(host, a->ifindex);
	const struct config_interface *ic;
	struct local l = { 0 };

	if (!link || link->loopback || hba_is_shim_device(c, link->name))
		return true;
	ic = config_interface(c, link->name);
	if (!ic->use || !shim6_addr_is_usable(&a->addr) || a->tentative || a->dad_failed)
		return true;
	l.engine.addr = a->addr;
	rank(&l, c, prefer, link->name);
	l.engine.set = set_of(out, hba, &a->addr);
	if (a->deprecated)
		l.engine.flags |= ENGINE_LOCAL_DEPRECATED;
	if (!link->up || no_way_out(host_snapshot(host), ra, a))
		l.engine.flags |= ENGINE_LOCAL_DOWN;
	l.ifindex = a->ifindex;
	l.mtu = link->mtu;
	add_device(out, a->ifindex);
	return put(out, &l);
}

/* Members of live sets that are on no interface now. */
static bool add_missing(struct locals *out, const struct host *host, const struct hba *hba, const struct config *c,
			const struct preferences *prefer, unsigned s)
{
	const struct hba_set *set = hba_set(hba, out->set[s]);
	bool fits = true;

	for (unsigned i = 0; i < set->stored.set.n; i++) {
		const struct hba_member *m = &set->member[i];
		const struct host_link *link = m->ifindex ? host_link(host, m->ifindex) : NULL;
		struct local l = {
			.engine = { .addr = set->stored.set.addr[i], .flags = ENGINE_LOCAL_DOWN, .set = (int)s }
		};

		if (link) {
			const struct config_interface *ic = config_interface(c, link->name);

			if (!ic->use)
				continue;
			rank(&l, c, prefer, link->name);
			l.ifindex = link->ifindex;
			l.mtu = link->mtu;
			add_device(out, l.ifindex);
		}
		if (!locals_find(out, &l.engine.addr))
			fits &= put(out, &l);
	}
	return fits;
}

unsigned locals_compute(struct locals *out, const struct host *host, const struct ra_table *ra, const struct hba *hba,
			const struct config *c, const struct preferences *prefer)
{
	const struct host_snapshot *snap = host_snapshot(host);
	unsigned refused = 0;

	memset(out, 0, sizeof(*out));
	for (unsigned s = 0; s < hba_count(hba); s++) {
		if (hba_set(hba, s)->live)
			out->set[out->n_sets++] = s;
	}
	for (unsigned i = 0; i < snap->n_addresses; i++)
		refused += !add_address(out, host, ra, hba, c, prefer, &snap->addresses[i]);
	for (unsigned s = 0; s < out->n_sets; s++)
		refused += !add_missing(out, host, hba, c, prefer, s);
	return refused;
}

bool locals_equal(const struct locals *a, const struct locals *b)
{
	if (a->n != b->n || a->n_devices != b->n_devices || a->n_sets != b->n_sets ||
	    memcmp(a->device, b->device, a->n_devices * sizeof(a->device[0])) != 0 ||
	    memcmp(a->set, b->set, a->n_sets * sizeof(a->set[0])) != 0)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct local *x = &a->l[i], *y = &b->l[i];

		if (!shim6_addr_eq(&x->engine.addr, &y->engine.addr) || x->engine.flags != y->engine.flags ||
		    x->engine.priority != y->engine.priority || x->engine.weight != y->engine.weight ||
		    x->engine.set != y->engine.set || x->ifindex != y->ifindex || x->mtu != y->mtu)
			return false;
	}
	return true;
}

int locals_tell_engine(const struct locals *l, const struct hba *hba, struct engine *e, uint64_t now)
{
	const uint8_t *pds[STORE_MAX_SETS][CGA_MAX_GENERATE];
	struct engine_hba_set sets[STORE_MAX_SETS];
	struct engine_local *locals = malloc((l->n + 1) * sizeof(*locals));
	int rc;

	if (!locals)
		return -1;
	for (unsigned i = 0; i < l->n; i++)
		locals[i] = l->l[i].engine;
	for (unsigned s = 0; s < l->n_sets; s++) {
		const struct cga_set *set = &hba_set(hba, l->set[s])->stored.set;

		for (unsigned i = 0; i < set->n; i++)
			pds[s][i] = set->pds[i];
		sets[s] = (struct engine_hba_set){
			.n = set->n, .addr = set->addr, .pds = pds[s], .pds_len = set->pds_len
		};
		if (hba_set(hba, l->set[s])->key)
			sets[s].signature_len = cga_signature_length(hba_set(hba, l->set[s])->key);
	}
	rc = engine_set_local(e, now, locals, l->n, sets, l->n_sets);
	free(locals);
	return rc;
}
