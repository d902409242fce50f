/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preferring some addresses as the source of new sessions, by the policy table
 * of RFC 6724 (ip addrlabel): rule 6 takes the address whose label is that of the
 * destination. The /64 of a preferred address gets a label that no destination
 * beyond it has, the address itself the one of ::/0. So nobody's address is
 * touched, no lifetime is changed, and rules 1 to 5 (deprecated addresses, the
 * outgoing interface) stay in force. What is installed is known by its label.
 */
#ifndef SHIM6_HOST_LABELS_H
#define SHIM6_HOST_LABELS_H

#include "rtnl/rtnl.h"

#define LABELS_OTHERS 14000 /* of the rest of a preferred address's /64 */
#define LABELS_MAX 64	    /* preferred addresses */

struct labels;

/* Takes over what a former process left. NULL: err says why. */
struct labels *labels_open(struct rtnl *r, char *err, size_t err_len);
/* keep: leave everything in place for the next process. */
void labels_close(struct labels *l, bool keep);
/* Prefer exactly these. 0, or the first error; the rest is done all the same. */
int labels_update(struct labels *l, const struct shim6_addr *preferred, unsigned n);

#endif
