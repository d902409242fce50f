/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one rtnetlink message changes in the tables. */
#ifndef SHIM6_HOST_MESSAGES_H
#define SHIM6_HOST_MESSAGES_H

#include <linux/netlink.h>

#include "host/tables.h"

struct host_apply {
	struct host_tables *tables;
	bool routes_dirty; /* out: the routers have to be read anew */
};

/* Of a dump or a notification alike, but for routes: see messages_apply_route(). */
void messages_apply(struct host_apply *ap, const struct nlmsghdr *nlh);
/* Of a dump of routes: its next hops are routers. */
void messages_apply_route(struct host_apply *ap, const struct nlmsghdr *nlh);

#endif
