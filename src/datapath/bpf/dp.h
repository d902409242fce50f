/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data path in eBPF, user side (datapath.h is its contract).
 *
 *     socket -> route of the ULID pair -> shim0 ==veth== shim1 -> real device
 *                                                  insert       (egress: stamps)
 *     socket <----------------------------------------------- real device
 *                                                         ingress: strip, stamps
 *
 * Routes, ULIDs on shim0 and the MTUs are kept here; packets never come here,
 * but for the copies of held segments. Maps are pinned in pin_dir, the programs
 * are held by the devices, so all of it outlives the process; the next one
 * finds it by the pins and rebuilds its tables from the maps.
 *
 * open.c      open, take over, close        contexts.c  projections, stamps, MTU
 * device.c    veth pair, devices            routes.c    routes, rules, ULIDs on shim0
 * purge.c     taking everything out         local.c     addresses, bypass, pairs
 * events.c    ring buffers, injection       filter.c    programs on devices: tcx or tc filters
 */
#ifndef SHIM6_DATAPATH_BPF_DP_H
#define SHIM6_DATAPATH_BPF_DP_H

#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/shared.h"
#include "datapath/datapath.h"
#include "rtnl/rtnl.h"

#define DP_PATH_MAX 256
#define DP_FILTER_ID 140 /* handle and priority of our tc filters */
#define DP_PROGRAM_PREFIX "shim6_"
#define DP_MAP_PREFIX "s6_"
#define DP_MIN_MTU 1280
#define DP_DEFAULT_MTU 1500
#define DP_MAX_CPUS 1024
#define DP_ACTIVITY_PART 512 /* slots whose activity is mapped together: whole pages of every size */
#define DP_ACTIVITY_PARTS(slots) (((slots) + DP_ACTIVITY_PART - 1) / DP_ACTIVITY_PART)
#define DP_SHIM1_MTU 65535 /* shim1 takes whatever shim0 sends; the path decides */

struct dp_slot {
	bool used;
	bool routed;	    /* a route of the ULID pair leads to shim0 */
	bool tcp_routed;    /* and one of its own for TCP, below what IPv6 lets others have */
	unsigned route_mtu; /* of the path, as the routes stand */
	struct shim6_projection p;
};

struct dp_ulid { /* a local ULID kept on shim0 */
	struct shim6_addr addr;
	unsigned refs;
};

struct dp_prefix {
	struct shim6_addr addr;
	unsigned len;
};

enum dp_counter {
	DP_C_ROUTE_FAILURES,
	DP_C_ADDRESS_FAILURES,
	DP_C_REFRESHES,
	DP_N_COUNTERS
};

struct shim6_bpf;

struct datapath {
	struct datapath_config cfg; /* its strings are the two below */
	char pin_dir[DP_PATH_MAX];
	char device[IFNAMSIZ];
	struct datapath_events ev;
	void *user;

	struct shim6_bpf *skel;
	struct rtnl *rtnl;
	struct ring_buffer *rings;
	int epoll_fd;
	int refresh_fd; /* eventfd: cached routes of sockets are to be looked up again */
	int packet_fd;
	unsigned shim0, shim1;
	unsigned shim0_mtu;
	uint8_t shim0_mac[6];

	struct sb_activity **activity; /* [DP_ACTIVITY_PARTS], shared with the programs; NULL: not mapped yet */
	struct dp_slot *slots;	       /* [max_contexts] */
	uint32_t slots_end;	       /* one past the highest slot in use */
	uint32_t seq;
	unsigned n_routes, n_tcp_routes; /* of switched contexts, in the two tables */

	struct datapath_local *locals;
	unsigned n_locals;
	struct dp_ulid *ulids;
	unsigned n_ulids;
	struct dp_prefix *bypass;
	unsigned n_bypass;
	uint64_t counters[DP_N_COUNTERS];
};

static inline struct sb_addr dp_addr(const struct shim6_addr *a)
{
	struct sb_addr s;

	memcpy(&s, a->b, sizeof(s));
	return s;
}

static inline struct sb_pair dp_pair(const struct shim6_pair *p)
{
	return (struct sb_pair){ .local = dp_addr(&p->local), .peer = dp_addr(&p->peer) };
}

static inline struct shim6_pair dp_from_pair(const struct sb_pair *s)
{
	struct shim6_pair p;

	memcpy(p.local.b, &s->local, sizeof(p.local.b));
	memcpy(p.peer.b, &s->peer, sizeof(p.peer.b));
	return p;
}

/* device.c */
int dp_shim_create(struct datapath *dp, char *err, size_t err_len);
#define DP_ALIAS "shim6" /* of both ends of the pair: how we know our own */
/* 1 yes, 0 absent, negative: somebody else's */
int dp_device_is_ours(struct rtnl *r, const char *name);
int dp_shim_checksums(const struct datapath *dp, bool may_split); /* a path so narrow that packets are split */
int dp_reattach_all(struct datapath *dp);

/* filter.c */
/* Attaches or replaces in one step. 1: a clsact was created for it, 0: none was; or negative errno. */
int dp_filter_attach(unsigned ifindex, bool ingress, int prog_fd);
int dp_filter_detach(unsigned ifindex, bool ingress);	    /* ours only; 0 also when there is none */
uint32_t dp_filter_program(unsigned ifindex, bool ingress); /* the number of ours, or 0 */
int dp_clsact_remove(struct rtnl *r, unsigned ifindex);	    /* unless others use it */

/* contexts.c */
int dp_takeover_contexts(struct datapath *dp);
void dp_unmap_activity(struct datapath *dp);
unsigned dp_slot_mtu(const struct datapath *dp, uint32_t slot);

/* routes.c */
void dp_route_update(struct datapath *dp, uint32_t slot);
void dp_route_remove(struct datapath *dp, uint32_t slot);
int dp_ulid_hold(struct datapath *dp, const struct shim6_addr *ulid);
void dp_ulid_release(struct datapath *dp, const struct shim6_addr *ulid);
int dp_rules_settle(struct datapath *dp);
void dp_rules_purge(struct rtnl *r, const struct datapath_config *c);
void dp_refresh_routes(struct datapath *dp);

/* local.c */
int dp_takeover_local(struct datapath *dp);
const struct datapath_local *dp_local(const struct datapath *dp, const struct shim6_addr *a);
int dp_config_write(struct datapath *dp);

/* events.c */
int dp_events_open(struct datapath *dp, char *err, size_t err_len);
void dp_events_close(struct datapath *dp);

#endif
