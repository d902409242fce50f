/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Linux knows about this host: links, IPv6 addresses, on-link prefixes, routers. A
 * snapshot kept current from rtnetlink notifications; after each batch of
 * notifications the owner is told once and reads the new snapshot. When the
 * kernel reports lost notifications the snapshot is read anew.
 */
#ifndef SHIM6_HOST_HOST_H
#define SHIM6_HOST_HOST_H

#include <net/if.h>
#include <stddef.h>

#include "wire/addr.h"

#define HOST_MAX_LINKS 256
#define HOST_MAX_ADDRESSES 1024
#define HOST_MAX_ROUTERS 64
#define HOST_MAX_PREFIXES 256

struct host_link {
	unsigned ifindex;
	char name[IF_NAMESIZE];
	bool up; /* IFF_UP and carrier: can pass packets (PA-06) */
	bool loopback;
	unsigned mtu;
};

struct host_address {
	struct shim6_addr addr;
	unsigned prefix_len;
	unsigned ifindex;
	bool tentative; /* duplicate address detection not done, or failed (PA-01) */
	bool dad_failed;
	bool deprecated; /* (PA-04) */
	bool permanent;	 /* without lifetimes: nobody's autoconfiguration */
};

/* A next hop of a route that covers foreign destinations (gateway routes). */
struct host_router {
	struct shim6_addr gateway;
	unsigned ifindex;
	bool failed;	    /* neighbour state FAILED (PA-07) */
	bool default_route; /* of a default route, not only of routes to some prefixes */
	unsigned metric;    /* the lowest of its default routes */
};

/* An on-link /64: an address of it belongs on this link, whether or not one is there. */
struct host_prefix {
	uint8_t prefix[8];
	unsigned ifindex;
};

struct host_snapshot {
	unsigned n_links, n_addresses, n_routers, n_prefixes;
	struct host_link links[HOST_MAX_LINKS];
	struct host_address addresses[HOST_MAX_ADDRESSES];
	struct host_router routers[HOST_MAX_ROUTERS];
	struct host_prefix prefixes[HOST_MAX_PREFIXES];
	uint64_t dropped;   /* entries that did not fit, each refusal counted */
	uint64_t overflows; /* times the kernel lost notifications and all was read anew */
	uint64_t malformed; /* messages passed over because an attribute was not as it should be */
};

struct host;

/* changed: called from host_dispatch() after the snapshot was updated. NULL and err on failure. */
struct host *host_open(void (*changed)(void *user), void *user, char *err, size_t err_len);
void host_close(struct host *h);
int host_fd(const struct host *h);
void host_dispatch(struct host *h);
const struct host_snapshot *host_snapshot(const struct host *h);
/* NULL: no such link */
const struct host_link *host_link(const struct host *h, unsigned ifindex);
const struct host_link *host_link_by_name(const struct host *h, const char *name);

#endif
