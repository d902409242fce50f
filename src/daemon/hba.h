/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's HBA sets: read from the store, their addresses put on interfaces
 * and kept there.
 *
 * Where an address belongs: on the interface whose section lists its prefix,
 * else on one that has another address in it, else where the routes say that
 * the prefix is on-link, else where it was last. Linux
 * takes addresses off an interface that is set down; when it is back the address
 * is put back at once, without duplicate address detection if it passed that
 * before: sessions wait for it.
 *
 * A set is live once one of its addresses was seen on this host. All members of
 * a live set are locators, those without an address now as "down": the peer has
 * them in its list, and they may come back (Y-06).
 *
 * When another host has one of a set's addresses, the set's collision count goes
 * up and all its addresses change (HG-09, AMB-H13). A third collision ends it.
 *
 * Where a newer set has a working address in the same prefix, ours is deprecated:
 * new communication takes the newer one, what uses the old one goes on (HD-04).
 *
 * A set that shim6d made by itself follows what it knows of its prefixes: an address
 * is on the interface where its prefix is now, with the lifetimes of that, deprecated
 * when no default router stands behind it any more, and not added where nobody knows
 * the prefix. It has no route of its own: whoever told of the prefix did that.
 *
 * Addresses added here are written down in the runtime directory, so that a
 * clean end, even of a later process, takes exactly those away.
 */
#ifndef SHIM6_DAEMON_HBA_H
#define SHIM6_DAEMON_HBA_H

#include "daemon/config.h"
#include "daemon/counters.h"
#include "daemon/prefixes.h"
#include "daemon/store.h"
#include "host/host.h"
#include "rtnl/rtnl.h"

struct hba_member {
	unsigned ifindex;		       /* where it is or was; 0 unknown */
	bool present;			       /* on an interface, past DAD */
	bool tentative;			       /* on an interface, DAD runs */
	bool proven;			       /* passed DAD while we ran */
	bool deprecated;		       /* as the host has it */
	bool added;			       /* by us */
	int error;			       /* of the last try to add it, as logged */
	uint64_t valid_until, preferred_until; /* as told to the kernel; 0: nothing yet */
};

struct hba_set {
	struct store_set stored;
	struct cga_key *key; /* NULL: an HBA-only set */
	bool live;
	bool collided; /* for good: not configured any more */
	struct hba_member member[CGA_MAX_GENERATE];
};

struct hba;

/* dir: of the .set files; record: file that lists the addresses added. NULL: out of memory. */
struct hba *hba_new(const char *dir, const char *record, struct counters *c);
void hba_free(struct hba *h);

/* Read the sets anew, keeping what is known of those unchanged. Files that cannot be used are logged and left
 * out; returns how many. Addresses of sets that are gone are taken off by the next hba_sync(). */
unsigned hba_load(struct hba *h);
/* Compare with what the host has, add what is missing. true: a set's addresses changed (collision). */
bool hba_sync(struct hba *h, const struct host *host, struct rtnl *r, const struct config *c, const struct prefixes *p,
	      uint64_t now);
/* Take off what was added. */
void hba_withdraw(struct hba *h, struct rtnl *r);
/* For a dead process: take off what its record lists. Returns how many. */
unsigned hba_purge(const char *record, struct rtnl *r);

unsigned hba_count(const struct hba *h);
const struct hba_set *hba_set(const struct hba *h, unsigned i);
const char *hba_dir(const struct hba *h);
/* Is it of one of the sets, or did we add it? */
bool hba_owns(const struct hba *h, const struct shim6_addr *a);
/* The addresses that new sessions are to use. Returns how many. */
unsigned hba_preferred(const struct hba *h, struct shim6_addr *out, unsigned cap);
/* The newest set that is in use; NULL. */
const struct hba_set *hba_newest(const struct hba *h);
/* Make this set the newest. false: not written, as logged. */
bool hba_renew(struct hba *h, unsigned i);

/* Sign a locator list with the key of this address's set (HS-01). false: it has none. */
bool hba_sign(const struct hba *h, const struct shim6_addr *ulid, uint32_t generation,
	      const struct shim6_addr *locators, unsigned n, uint8_t *sig);

/* Is this a device of the data path? */
bool hba_is_shim_device(const struct config *c, const char *name);

#endif
