/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small arrays in order of arrival. A host has a handful of entries in
 * each, so they are searched from the front, and the order stays what it was
 * when one goes.
 */
#include "host/tables.h"

struct host_link *tables_find_link(struct host_tables *t, unsigned ifindex)
{
	for (unsigned i = 0; i < t->snap.n_links; i++)
		if (t->snap.links[i].ifindex == ifindex)
			return &t->snap.links[i];
	return NULL;
}

static void refuse(struct host_tables *t)
{
	t->snap.dropped++;
	t->refused = true;
}

static bool link_eq(const struct host_link *a, const struct host_link *b)
{
	return a->up == b->up && a->loopback == b->loopback && a->mtu == b->mtu &&
	       strncmp(a->name, b->name, sizeof(a->name)) == 0;
}

void tables_put_link(struct host_tables *t, const struct host_link *l)
{
	struct host_link *old = tables_find_link(t, l->ifindex);

	if (!old) {
		if (t->snap.n_links == HOST_MAX_LINKS) {
			refuse(t);
			return;
		}
		old = &t->snap.links[t->snap.n_links++];
		t->changed = true;
	} else if (!link_eq(old, l)) {
		t->changed = true;
	}
	*old = *l;
	t->link_seen[old - t->snap.links] = true;
}

static struct host_address *find_address(struct host_tables *t, const struct shim6_addr *a, unsigned ifindex)
{
	for (unsigned i = 0; i < t->snap.n_addresses; i++)
		if (t->snap.addresses[i].ifindex == ifindex && shim6_addr_eq(&t->snap.addresses[i].addr, a))
			return &t->snap.addresses[i];
	return NULL;
}

static bool address_eq(const struct host_address *a, const struct host_address *b)
{
	return a->prefix_len == b->prefix_len && a->tentative == b->tentative && a->dad_failed == b->dad_failed &&
	       a->deprecated == b->deprecated && a->permanent == b->permanent;
}

void tables_put_address(struct host_tables *t, const struct host_address *a)
{
	struct host_address *old = find_address(t, &a->addr, a->ifindex);

	if (!old) {
		if (t->snap.n_addresses == HOST_MAX_ADDRESSES) {
			refuse(t);
			return;
		}
		old = &t->snap.addresses[t->snap.n_addresses++];
		t->changed = true;
	} else if (!address_eq(old, a)) {
		t->changed = true;
	}
	*old = *a;
	t->address_seen[old - t->snap.addresses] = true;
}

static struct host_router *find_router(struct host_tables *t, const struct shim6_addr *gateway, unsigned ifindex)
{
	for (unsigned i = 0; i < t->snap.n_routers; i++)
		if (t->snap.routers[i].ifindex == ifindex && shim6_addr_eq(&t->snap.routers[i].gateway, gateway))
			return &t->snap.routers[i];
	return NULL;
}

static void set_default(struct host_tables *t, struct host_router *r, bool default_route)
{
	if (r->default_route == default_route)
		return;
	r->default_route = default_route;
	t->changed = true;
}

void tables_put_router(struct host_tables *t, const struct shim6_addr *gateway, unsigned ifindex, bool default_route,
		       unsigned metric)
{
	struct host_router *r = find_router(t, gateway, ifindex);
	size_t i;

	if (!r) {
		if (t->snap.n_routers == HOST_MAX_ROUTERS) {
			refuse(t);
			return;
		}
		r = &t->snap.routers[t->snap.n_routers++];
		*r = (struct host_router){ .gateway = *gateway, .ifindex = ifindex };
		t->changed = true;
		t->new_router = true;
	}
	i = (size_t)(r - t->snap.routers);
	t->router_seen[i] = true;
	if (default_route) {
		if (!t->default_seen[i] || metric < t->metric[i])
			t->metric[i] = metric;
		t->default_seen[i] = true;
		set_default(t, r, true);
	}
}

void tables_put_prefix(struct host_tables *t, const struct shim6_addr *prefix, unsigned ifindex)
{
	struct host_snapshot *s = &t->snap;
	unsigned i = 0;

	while (i < s->n_prefixes &&
	       (s->prefixes[i].ifindex != ifindex || memcmp(s->prefixes[i].prefix, prefix->b, 8) != 0))
		i++;
	if (i == s->n_prefixes) {
		if (i == HOST_MAX_PREFIXES) {
			refuse(t);
			return;
		}
		s->n_prefixes++;
		s->prefixes[i].ifindex = ifindex;
		memcpy(s->prefixes[i].prefix, prefix->b, 8);
		t->changed = true;
	}
	t->prefix_seen[i] = true;
}

static void set_metric(struct host_tables *t, struct host_router *r, unsigned metric)
{
	if (r->metric == metric)
		return;
	r->metric = metric;
	t->changed = true;
}

static void removed(struct host_tables *t)
{
	t->changed = true;
	if (t->refused)
		t->room_again = true;
}

static void remove_link(struct host_tables *t, unsigned i)
{
	size_t after = --t->snap.n_links - i;

	memmove(&t->snap.links[i], &t->snap.links[i + 1], after * sizeof(t->snap.links[0]));
	memmove(&t->link_seen[i], &t->link_seen[i + 1], after * sizeof(t->link_seen[0]));
	removed(t);
}

static void remove_address(struct host_tables *t, unsigned i)
{
	size_t after = --t->snap.n_addresses - i;

	memmove(&t->snap.addresses[i], &t->snap.addresses[i + 1], after * sizeof(t->snap.addresses[0]));
	memmove(&t->address_seen[i], &t->address_seen[i + 1], after * sizeof(t->address_seen[0]));
	removed(t);
}

static void remove_router(struct host_tables *t, unsigned i)
{
	size_t after = --t->snap.n_routers - i;

	memmove(&t->snap.routers[i], &t->snap.routers[i + 1], after * sizeof(t->snap.routers[0]));
	memmove(&t->router_seen[i], &t->router_seen[i + 1], after * sizeof(t->router_seen[0]));
	memmove(&t->default_seen[i], &t->default_seen[i + 1], after * sizeof(t->default_seen[0]));
	memmove(&t->metric[i], &t->metric[i + 1], after * sizeof(t->metric[0]));
	memmove(&t->neighbour_seen[i], &t->neighbour_seen[i + 1], after * sizeof(t->neighbour_seen[0]));
	removed(t);
}

static void remove_prefix(struct host_tables *t, unsigned i)
{
	size_t after = --t->snap.n_prefixes - i;

	memmove(&t->snap.prefixes[i], &t->snap.prefixes[i + 1], after * sizeof(t->snap.prefixes[0]));
	memmove(&t->prefix_seen[i], &t->prefix_seen[i + 1], after * sizeof(t->prefix_seen[0]));
	removed(t);
}

void tables_del_link(struct host_tables *t, unsigned ifindex)
{
	struct host_link *l = tables_find_link(t, ifindex);

	if (l)
		remove_link(t, (unsigned)(l - t->snap.links));
	for (unsigned i = t->snap.n_addresses; i-- > 0;)
		if (t->snap.addresses[i].ifindex == ifindex)
			remove_address(t, i);
	for (unsigned i = t->snap.n_routers; i-- > 0;)
		if (t->snap.routers[i].ifindex == ifindex)
			remove_router(t, i);
	for (unsigned i = t->snap.n_prefixes; i-- > 0;)
		if (t->snap.prefixes[i].ifindex == ifindex)
			remove_prefix(t, i);
}

void tables_del_address(struct host_tables *t, const struct shim6_addr *a, unsigned ifindex)
{
	struct host_address *old = find_address(t, a, ifindex);

	if (old)
		remove_address(t, (unsigned)(old - t->snap.addresses));
}

static void set_failed(struct host_tables *t, struct host_router *r, bool failed)
{
	if (r->failed == failed)
		return;
	r->failed = failed;
	t->changed = true;
}

void tables_neighbour(struct host_tables *t, const struct shim6_addr *a, unsigned ifindex, enum host_verdict v)
{
	struct host_router *r = find_router(t, a, ifindex);

	if (!r)
		return;
	t->neighbour_seen[r - t->snap.routers] = true;
	if (v != HOST_UNDECIDED)
		set_failed(t, r, v == HOST_FAILED);
}

void tables_mark(struct host_tables *t, enum host_table which)
{
	switch (which) {
	case HOST_LINKS:
		memset(t->link_seen, 0, sizeof(t->link_seen));
		break;
	case HOST_ADDRESSES:
		memset(t->address_seen, 0, sizeof(t->address_seen));
		break;
	case HOST_ROUTERS:
		memset(t->router_seen, 0, sizeof(t->router_seen));
		memset(t->default_seen, 0, sizeof(t->default_seen));
		memset(t->prefix_seen, 0, sizeof(t->prefix_seen));
		break;
	case HOST_NEIGHBOURS:
		memset(t->neighbour_seen, 0, sizeof(t->neighbour_seen));
		break;
	}
}

void tables_sweep(struct host_tables *t, enum host_table which)
{
	switch (which) {
	case HOST_LINKS:
		for (unsigned i = t->snap.n_links; i-- > 0;)
			if (!t->link_seen[i])
				remove_link(t, i);
		break;
	case HOST_ADDRESSES:
		for (unsigned i = t->snap.n_addresses; i-- > 0;)
			if (!t->address_seen[i])
				remove_address(t, i);
		break;
	case HOST_ROUTERS:
		for (unsigned i = t->snap.n_routers; i-- > 0;)
			if (!t->router_seen[i])
				remove_router(t, i);
			else if (!t->default_seen[i])
				set_default(t, &t->snap.routers[i], false);
			else
				set_metric(t, &t->snap.routers[i], t->metric[i]);
		for (unsigned i = t->snap.n_prefixes; i-- > 0;)
			if (!t->prefix_seen[i])
				remove_prefix(t, i);
		break;
	case HOST_NEIGHBOURS:
		/* a forgotten neighbour is worth another try */
		for (unsigned i = 0; i < t->snap.n_routers; i++)
			if (!t->neighbour_seen[i])
				set_failed(t, &t->snap.routers[i], false);
		break;
	}
}
