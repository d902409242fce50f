/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshot under construction. Notifications and dumps go through the same
 * three functions per table; a dump is bracketed by mark and sweep, which takes
 * away what the kernel no longer reports. Every real difference sets changed.
 */
#ifndef SHIM6_HOST_TABLES_H
#define SHIM6_HOST_TABLES_H

#include "host/host.h"

enum host_table {
	HOST_LINKS,
	HOST_ADDRESSES,
	HOST_ROUTERS, /* and on-link prefixes: both are read from the routes */
	HOST_NEIGHBOURS,
};

/* What a neighbour's state says about a router. */
enum host_verdict {
	HOST_UNDECIDED,
	HOST_WORKS,
	HOST_FAILED,
};

struct host_tables {
	struct host_snapshot snap;
	bool link_seen[HOST_MAX_LINKS];
	bool address_seen[HOST_MAX_ADDRESSES];
	bool router_seen[HOST_MAX_ROUTERS];
	bool prefix_seen[HOST_MAX_PREFIXES];
	bool default_seen[HOST_MAX_ROUTERS];   /* likewise */
	unsigned metric[HOST_MAX_ROUTERS];     /* the lowest seen in this reading */
	bool neighbour_seen[HOST_MAX_ROUTERS]; /* of the router with the same index */
	bool changed;			       /* differs from what the owner was told */
	bool new_router;		       /* its neighbour state has not been read yet */
	bool refused;			       /* something did not fit since the last complete reading */
	bool room_again;		       /* and an entry has gone since */
};

struct host_link *tables_find_link(struct host_tables *t, unsigned ifindex);

void tables_put_link(struct host_tables *t, const struct host_link *l);
void tables_put_address(struct host_tables *t, const struct host_address *a);
/* Once per route; the failed flag of a router already there is left as it is. */
void tables_put_router(struct host_tables *t, const struct shim6_addr *gateway, unsigned ifindex, bool default_route,
		       unsigned metric);

void tables_put_prefix(struct host_tables *t, const struct shim6_addr *prefix, unsigned ifindex);

/* A link takes its addresses, routers and prefixes along. */
void tables_del_link(struct host_tables *t, unsigned ifindex);
void tables_del_address(struct host_tables *t, const struct shim6_addr *a, unsigned ifindex);
/* Nothing happens unless this is a router of the snapshot. */
void tables_neighbour(struct host_tables *t, const struct shim6_addr *a, unsigned ifindex, enum host_verdict v);

void tables_mark(struct host_tables *t, enum host_table which);
void tables_sweep(struct host_tables *t, enum host_table which);

#endif
