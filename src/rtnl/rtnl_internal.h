/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of rtnl/ share: a request buffer and one exchange with the kernel. */
#ifndef SHIM6_RTNL_INTERNAL_H
#define SHIM6_RTNL_INTERNAL_H

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "rtnl/rtnl.h"

#define RTNL_REQUEST_MAX 1024
#define RTNL_PROTOCOL 140 /* "proto" of our routes and rules: ours, not those of the administrator */

/* One request under construction; the union gives netlink's alignment. */
struct rtnl_request {
	union {
		struct nlmsghdr nlh;
		char buf[RTNL_REQUEST_MAX];
	};
};

struct nlmsghdr *rtnl_begin(struct rtnl_request *q, uint16_t type, uint16_t flags);
/* Sends and waits for the acknowledgement: 0 or negative errno. */
int rtnl_talk(struct rtnl *r, struct nlmsghdr *nlh);
/* Sends a question with one answer, for which cb returns MNL_CB_STOP. */
int rtnl_ask(struct rtnl *r, struct nlmsghdr *nlh, mnl_cb_t cb, void *user);
/* Sends a dump request and hands every answer to cb. */
int rtnl_dump(struct rtnl *r, struct nlmsghdr *nlh, mnl_cb_t cb, void *user);

static inline void rtnl_put_addr(struct nlmsghdr *nlh, uint16_t type, const struct shim6_addr *a)
{
	mnl_attr_put(nlh, type, sizeof(a->b), a->b);
}

#endif
