/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Priority and weight of each local locator: what was said at run time (shim6
 * prefer) before what the configuration says, and in each of them the longest
 * prefix before the interface. What was said at run time outlives a reload and
 * ends with the process, or when it is taken back.
 */
#ifndef SHIM6_DAEMON_PREFER_H
#define SHIM6_DAEMON_PREFER_H

#include "daemon/config.h"

#define PREFER_MAX 64

struct preference {
	char target[CONFIG_NAME_MAX]; /* canonical: interface, prefix, or address */
	bool is_prefix;
	struct config_prefix prefix; /* an address has length 128 */
	unsigned priority, weight;
};

struct preferences {
	unsigned n;
	struct preference p[PREFER_MAX];
};

/* An interface's name, a prefix or an address; false: none of them. */
bool preference_target(struct preference *out, const char *word);
bool preference_covers(const struct preference *p, const char *ifname, const struct shim6_addr *a);
/* In the place of an earlier one for the same target; false: too many. */
bool preferences_set(struct preferences *list, const struct preference *p);
/* target NULL: all. How many are gone. */
unsigned preferences_reset(struct preferences *list, const struct preference *target);

/* What counts for an address of an interface; from: "prefer TARGET", "[interface NAME]", "[prefix P]" or "". */
void preference_of(const struct config *c, const struct preferences *list, const char *ifname,
		   const struct shim6_addr *a, struct preference *out, char *from, size_t len);

#endif
