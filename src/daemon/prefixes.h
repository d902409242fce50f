/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The /64 prefixes that this host has on its uplinks, and for how long. From three
 * sources, the first that knows a prefix of an interface counts:
 *
 *   configuration      "prefixes" of an [interface] section
 *   static addresses   without lifetimes, on an interface with a default router
 *   advertisements     with the A flag (RFC 4862)
 *
 * Only global unicast prefixes of the last two: sets are made of them without
 * anybody being asked, and a ULA leads nowhere beyond the site.
 */
#ifndef SHIM6_DAEMON_PREFIXES_H
#define SHIM6_DAEMON_PREFIXES_H

#include "daemon/config.h"
#include "host/host.h"
#include "host/ra.h"

#define PREFIXES_MAX 64

struct prefix_now {
	uint8_t prefix[8];
	unsigned ifindex;
	bool advertised; /* that is the only source: lifetimes count */
	bool current;	 /* fit for new sessions: preferred, and a default router stands behind it */
	uint64_t valid_until, preferred_until; /* RA_NEVER: for ever */
};

struct prefixes {
	unsigned n;
	struct prefix_now p[PREFIXES_MAX];
};

/* own: is this address one that we put there? It says nothing then. Returns how many found no place. */
unsigned prefixes_compute(struct prefixes *out, const struct config *c, const struct host_snapshot *snap,
			  const struct ra_table *ra, bool (*own)(void *user, const struct shim6_addr *a), void *user);
/* Of an address's prefix, preferably a current one; NULL. */
const struct prefix_now *prefixes_find(const struct prefixes *p, const uint8_t prefix[8]);

#endif
