/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HBA sets without anybody asking: where there are two current prefixes or more,
 * a set over all of them is made, kept, and let go when it is of no use any more.
 *
 * A set is missing when the newest one lacks a current prefix; that a prefix goes
 * is no reason for another set. A prefix counts once it has been there for the
 * hold-off ("settle"), without a break; while younger ones may still come to count,
 * up to three times that is waited. Each set made within the last hour doubles the
 * hold-off, to an hour at most: routers that keep changing their minds cost few
 * sets (HD-11). An older set with the right prefixes is taken up again instead of a
 * new one. Where a set made by hand has two of the current prefixes, nothing is
 * done: somebody has decided otherwise.
 *
 * A set that is not the newest stays, deprecated, while a context or a connected
 * socket uses one of its addresses (HD-04), and is then deleted. So many such sets
 * are kept at most; when all are in use no further one is made.
 */
#ifndef SHIM6_DAEMON_AUTOSET_H
#define SHIM6_DAEMON_AUTOSET_H

#include "daemon/counters.h"
#include "daemon/generate.h"
#include "daemon/hba.h"
#include "daemon/prefixes.h"

#define AUTOSET_MAX 8			       /* automatic sets at a time */
#define AUTOSET_LOOK UINT64_C(30000000000)     /* ns between looks whether an old set is still in use */
#define AUTOSET_MEMORY UINT64_C(3600000000000) /* ns that a set made doubles the hold-off */
#define AUTOSET_NEVER UINT64_MAX

struct autoset_seen {
	uint8_t prefix[8];
	uint64_t since;
	bool here; /* in this look */
};

struct autoset {
	unsigned n;
	struct autoset_seen seen[PREFIXES_MAX];
	uint64_t lacking; /* since when a set is missing; 0: it is not */
	unsigned n_made;
	uint64_t made[AUTOSET_MAX]; /* when, those within AUTOSET_MEMORY */
	uint64_t next;		    /* when to look again */
	uint64_t look;		    /* when to look for sets to let go */
	uint64_t explain;	    /* not before; 0: not begun */
	unsigned said;		    /* number of prefixes that was last logged, + 1 */
};

enum autoset_verdict {
	AUTOSET_NOTHING,
	AUTOSET_MAKE,  /* a set of the prefixes in the request */
	AUTOSET_RENEW, /* take up an older one again */
};

/* sets: as the store has them. renew: index of the set for AUTOSET_RENEW. */
enum autoset_verdict autoset_decide(struct autoset *a, uint64_t now, uint64_t settle, const struct prefixes *p,
				    const struct hba *sets, struct generate_request *req, unsigned *renew);
/* One was made: the hold-off grows. */
void autoset_made(struct autoset *a, uint64_t now);

struct daemon;
/* Look, and do what is to be done. After each change of the prefixes, and when autoset.next or .look has come. */
void autoset_run(struct daemon *d, uint64_t now);

#endif
