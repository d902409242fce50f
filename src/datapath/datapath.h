/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data path contract: what an implementation (bpf/, netfilter/, sim/) does
 * with packets, and what it tells the daemon. The engine owns contexts; a data
 * path holds projections that can be installed again at any time, and the
 * activity stamps. It survives the daemon: projections, programs and counters
 * stay in force when the process ends without datapath_remove_all().
 *
 * All calls come from one thread. Slots are small dense numbers chosen by the
 * engine, below max_contexts.
 */
#ifndef SHIM6_DATAPATH_DATAPATH_H
#define SHIM6_DATAPATH_DATAPATH_H

#include <stddef.h>

#include "engine/projection.h"

struct datapath;

struct datapath_config {
	const char *pin_dir; /* under a bpffs; e.g. /sys/fs/bpf/shim6 */
	unsigned max_contexts;
	unsigned trigger_packets; /* packets of a ULID pair, both directions, that ask for a context */
	const char *device;	  /* base name of the veth pair: "shim" makes shim0 and shim1 */
	unsigned route_table;	  /* routes of switched ULID pairs live here */
	unsigned rule_priority;	  /* of the rule that looks it up */
	uint64_t held_after;	  /* ns without answer after which TCP segments are copied to the daemon */
};
void datapath_config_default(struct datapath_config *c);

/* A local address as the data path needs it. */
struct datapath_local {
	struct shim6_addr addr;
	unsigned ifindex; /* where packets with this source leave */
	unsigned mtu;	  /* of that interface, octets */
};

struct datapath_events {
	/* tagged payload with a CT(local) nobody has; dropped (D-15) */
	void (*unknown_tag)(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, uint64_t tag);
	/* the notice asked for with datapath_notify(); ct_local guards against a reused slot */
	void (*activity)(void *user, uint32_t slot, uint64_t ct_local, unsigned mask);
	/* a ULID pair reached trigger_packets; told once until datapath_pair_forget(), or to a new process */
	void (*trigger)(void *user, const struct shim6_pair *ulid, uint64_t packets);
	/* an ICMPv6 error quoting a tagged packet of this context came; mtu 0 unless Packet Too Big,
	 * then the path MTU of the current pair in octets as reported */
	void (*icmp)(void *user, uint32_t slot, uint64_t ct_peer, uint8_t type, uint8_t code, uint32_t mtu);
	/* a TCP segment sent while nothing comes back: a whole IPv6 packet with ULIDs, newest last */
	void (*held)(void *user, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len);
	/* SHIM6_PROJ_HOLD_ERRORS: an ICMPv6 error, translated, that the socket did not get; told after icmp */
	void (*error)(void *user, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len);
};

/*
 * Open the data path, taking over what an earlier process left (same pin_dir
 * and compatible layout; otherwise what is left is removed first). On failure
 * returns NULL and writes one line saying what failed and what to do to err.
 */
struct datapath *datapath_bpf_open(const struct datapath_config *c, const struct datapath_events *ev, void *user,
				   char *err, size_t err_len);
/* Close the process's handles; everything stays in force. */
void datapath_close(struct datapath *dp);
/* Take everything out of the system: programs, maps, pins, device, routes, rule. Then close. */
void datapath_remove_all(struct datapath *dp);
/* Remove what a dead process left, without loading anything. 0, or -1 and err. */
int datapath_bpf_purge(const struct datapath_config *c, char *err, size_t err_len);

/* Attach to, or let go of, a network device. 0 or negative errno. Attaching twice is harmless. */
int datapath_attach(struct datapath *dp, unsigned ifindex);
int datapath_detach(struct datapath *dp, unsigned ifindex);

/* The complete set of local addresses. Each ULID in use is kept on shim0 as well. 0 or negative errno. */
int datapath_set_local(struct datapath *dp, const struct datapath_local *locals, unsigned n);

/* Something of the host has changed: put back what others took out of the routing rules. */
void datapath_restore(struct datapath *dp);

/* Projections: 0 or negative errno (-ENOSPC full, -EEXIST tag or ULID pair of another slot). Atomic per packet. */
int datapath_install(struct datapath *dp, uint32_t slot, const struct shim6_projection *p);
void datapath_remove(struct datapath *dp, uint32_t slot);
/* Projections present (after a takeover); returns false when slot is free. */
bool datapath_get(struct datapath *dp, uint32_t slot, struct shim6_projection *out);

bool datapath_stamps(struct datapath *dp, uint32_t slot, struct shim6_stamps *out);
void datapath_set_timers(struct datapath *dp, uint32_t slot, const uint64_t *send_t0, const uint64_t *ka_t0);
void datapath_notify(struct datapath *dp, uint32_t slot, unsigned mask);

/* Path MTU of a slot's current pair, octets on the wire; kept until the pair changes (D-20). */
int datapath_set_mtu(struct datapath *dp, uint32_t slot, unsigned mtu);
unsigned datapath_mtu(struct datapath *dp, uint32_t slot);
/* Count this pair from zero again and tell when it reaches the threshold. */
void datapath_pair_forget(struct datapath *dp, const struct shim6_pair *ulid);
/* Never count, never ask: configured bypass (Bypass in the contract). peer prefix and length; len 0..128. */
int datapath_bypass_prefix(struct datapath *dp, const struct shim6_addr *prefix, unsigned len, bool on);

/*
 * Send a whole IPv6 packet (ULIDs) through the data path again: for held segments. A TCP segment that
 * might not pass the new path goes in pieces. 0 or negative errno.
 */
int datapath_inject(struct datapath *dp, const uint8_t *packet, size_t len);

/* Give our own stack a whole IPv6 packet, as if it came in: for errors that were kept. 0 or negative errno. */
int datapath_deliver(struct datapath *dp, const uint8_t *packet, size_t len);

/* File descriptor to poll for reading, and the work to do then (calls struct datapath_events). */
int datapath_fd(struct datapath *dp);
void datapath_dispatch(struct datapath *dp);

/* Counters with stable names ("rx_unknown_tag"); whole host. */
unsigned datapath_counter_count(struct datapath *dp);
const char *datapath_counter_name(struct datapath *dp, unsigned i);
uint64_t datapath_counter(struct datapath *dp, unsigned i);

#endif
