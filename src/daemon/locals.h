/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what the host is to what the engine and the data path are told: which
 * addresses are locators (PA-01), which are down (PA-06), which devices carry
 * them.
 *
 * A locator is every usable address (global or ULA) of an interface that is
 * neither loopback nor ours nor excluded by "use = no". It is down while its link
 * is, or while each router that advertises its prefix (each of its interface, where
 * none does) has failed (NUD, PA-07) or is a default router no more, or while Linux
 * has taken it off although its HBA set is live.
 */
#ifndef SHIM6_DAEMON_LOCALS_H
#define SHIM6_DAEMON_LOCALS_H

#include "daemon/hba.h"
#include "daemon/prefer.h"
#include "engine/engine.h"

#define LOCALS_MAX HOST_MAX_ADDRESSES

struct local {
	struct engine_local engine;
	unsigned ifindex; /* 0: unknown (a member of a live set that was never seen) */
	unsigned mtu;
};

struct locals {
	unsigned n;
	struct local l[LOCALS_MAX];
	/* interfaces that carry locators */
	unsigned n_devices;
	unsigned device[HOST_MAX_LINKS];
	/* sets in the order that engine_local.set counts: indices for hba_set() */
	unsigned n_sets;
	unsigned set[STORE_MAX_SETS];
};

/* Compute the picture. Returns how many addresses found no place. */
unsigned locals_compute(struct locals *out, const struct host *host, const struct ra_table *ra, const struct hba *hba,
			const struct config *c, const struct preferences *prefer);
/* NULL: not a locator */
const struct local *locals_find(const struct locals *l, const struct shim6_addr *a);
bool locals_equal(const struct locals *a, const struct locals *b);
/* Hand it to the engine. 0 or -1 (out of memory). */
int locals_tell_engine(const struct locals *l, const struct hba *hba, struct engine *e, uint64_t now);

#endif
