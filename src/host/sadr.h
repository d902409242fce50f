/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source-address-dependent routing (RFC 8028): what carries an address of one
 * provider leaves by that provider's router, or the router of another drops it
 * (BCP 38). For each default router of a managed interface there is a routing
 * table, and for each prefix a rule that leads to the router that advertises it;
 * where no router does, to the first of the interface.
 */
#ifndef SHIM6_HOST_SADR_H
#define SHIM6_HOST_SADR_H

#include "host/host.h"
#include "host/ra.h"
#include "rtnl/rtnl.h"

#define SADR_TABLE_BASE 14000
#define SADR_PRIORITY 14000
#define SADR_PRIORITIES 130 /* used from the first one on: one, and one per prefix length */
#define SADR_MAX_UPLINKS 64
#define SADR_MAX_ROUTERS 8	 /* of one interface */
#define SADR_ROUTER_STEP 1000000 /* between the tables of two routers of an interface */
#define SADR_MAX_PREFIXES 256

struct sadr_config {
	unsigned table_base; /* + interface index + SADR_ROUTER_STEP for each further router; 0: SADR_TABLE_BASE */
	unsigned priority;   /* first of SADR_PRIORITIES; 0: SADR_PRIORITY */
};

struct sadr_stats {
	unsigned uplinks, prefixes; /* installed; each router of an interface is an uplink */
	uint64_t refused;	    /* uplinks and prefixes that did not fit */
	uint64_t failed;	    /* requests the kernel refused */
};

struct sadr;

/*
 * Takes over what a former process left in the tables and rules of this
 * configuration; the first update removes what is no longer wanted of it.
 * NULL: err says why.
 */
struct sadr *sadr_open(struct rtnl *r, const struct sadr_config *config, char *err, size_t err_len);
/* keep: leave everything in place for the next process. */
void sadr_close(struct sadr *s, bool keep);

/*
 * Bring rules and tables to what the snapshot asks for. Call it after each
 * change of the snapshot: the kernel drops the routes of an interface that goes
 * down. ra: NULL when nobody listens. Returns 0, or the first error, with err saying of what; the rest is done
 * all the same.
 */
int sadr_update(struct sadr *s, const struct host_snapshot *snap, const struct ra_table *ra,
		bool (*managed)(void *user, const struct host_link *l), void *user, char *err, size_t err_len);
const struct sadr_stats *sadr_stats(const struct sadr *s);

#endif
