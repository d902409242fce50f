/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to rtnetlink through libmnl: each sends one message and waits for
 * its acknowledgement. Shared by host/ (addresses, source routing) and the data
 * path (its veth pair and routes). Returns are 0 or a negative errno; adding
 * what is there and deleting what is not are both success.
 */
#ifndef SHIM6_RTNL_RTNL_H
#define SHIM6_RTNL_RTNL_H

#include <stddef.h>

#include "wire/addr.h"

struct rtnl; /* one netlink socket */

struct rtnl *rtnl_open(void); /* NULL: errno says why */
void rtnl_close(struct rtnl *r);

/* Links. */
int rtnl_veth_add(struct rtnl *r, const char *name, const char *peer_name);
int rtnl_link_alias(struct rtnl *r, unsigned ifindex, const char *alias);
/* 1 or 0; a negative errno, -ENODEV without such a link. */
int rtnl_link_has_alias(struct rtnl *r, const char *name, const char *alias);
int rtnl_link_del(struct rtnl *r, const char *name);
int rtnl_link_up(struct rtnl *r, unsigned ifindex, bool up);
int rtnl_link_mtu(struct rtnl *r, unsigned ifindex, unsigned mtu);
/* No automatic link-local address: the device stays free of IPv6 autoconfiguration (addr_gen_mode none). */
int rtnl_link_no_autoconf(struct rtnl *r, unsigned ifindex);
/* No neighbour resolution on this device (IFF_NOARP). */
int rtnl_link_no_arp(struct rtnl *r, unsigned ifindex);

/* Addresses. nodad: usable at once. lifetimes in seconds, UINT32_MAX for ever. */
struct rtnl_address {
	struct shim6_addr addr;
	unsigned prefix_len;
	unsigned ifindex;
	bool nodad;
	bool noprefixroute;
	uint32_t valid, preferred;
};
int rtnl_addr_add(struct rtnl *r, const struct rtnl_address *a);
int rtnl_addr_del(struct rtnl *r, const struct shim6_addr *a, unsigned prefix_len, unsigned ifindex);

/* Routes. Zero fields are left out of the message. */
struct rtnl_route {
	struct shim6_addr dst;
	unsigned dst_len;
	struct shim6_addr from; /* source-specific (subtree) when from_len > 0 */
	unsigned from_len;
	struct shim6_addr gateway; /* unspecified: on-link */
	struct shim6_addr prefsrc; /* unspecified: kernel's choice */
	unsigned ifindex;
	unsigned table;
	unsigned metric;
	unsigned mtu;	 /* RTAX_MTU, not locked */
	unsigned advmss; /* RTAX_ADVMSS */
};
int rtnl_route_replace(struct rtnl *r, const struct rtnl_route *route);
int rtnl_route_del(struct rtnl *r, const struct rtnl_route *route);
int rtnl_route_flush_table(struct rtnl *r, unsigned table); /* every IPv6 route of that table */

/* The way a packet from source (NULL: not chosen yet) to dst would take. -ENETUNREACH, -EHOSTUNREACH, -EACCES: none. */
struct rtnl_way {
	unsigned ifindex;
	struct shim6_addr gateway; /* unspecified: on-link */
	struct shim6_addr source;  /* what the kernel would choose; unspecified: it does not tell */
};
int rtnl_route_get(struct rtnl *r, const struct shim6_addr *source, const struct shim6_addr *dst, struct rtnl_way *out);

/* Policy rules: [from PREFIX] [to PREFIX] [ipproto N] [fwmark MARK/MASK] lookup TABLE priority N. */
struct rtnl_rule {
	struct shim6_addr from, to;
	unsigned from_len, to_len;
	unsigned ip_proto;	  /* 0: any */
	unsigned mark, mark_mask; /* mask 0: any */
	bool choose_source;	  /* of a packet without one: it matches if what the kernel would choose is of "from" */
	bool suppress_default;	  /* where the table has but a default route, go on behind this rule */
	unsigned table;
	unsigned priority;
};
int rtnl_rule_add(struct rtnl *r, const struct rtnl_rule *rule);
int rtnl_rule_del(struct rtnl *r, const struct rtnl_rule *rule);

/*
 * Drop the packets that wait for neighbours of this interface that do not
 * answer. TCP sends no segment again while one waits there, for three seconds.
 * Returns how many neighbours there were, or a negative errno.
 */
int rtnl_neigh_drop_unresolved(struct rtnl *r, unsigned ifindex);

/* Number of tc filters on a device's clsact, both directions; or negative errno. */
int rtnl_clsact_filters(struct rtnl *r, unsigned ifindex);

#endif
