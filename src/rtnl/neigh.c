/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Neighbours: packets that wait for the resolution of one that will never answer. */
#include <linux/neighbour.h>

#include "rtnl/rtnl_internal.h"

#define MAX_UNRESOLVED 64 /* looked at in one go */

struct unresolved {
	unsigned ifindex, n;
	struct shim6_addr addr[MAX_UNRESOLVED];
};

static struct nlmsghdr *neigh_begin(struct rtnl_request *q, uint16_t type, unsigned ifindex)
{
	struct nlmsghdr *nlh = rtnl_begin(q, type, 0);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = AF_INET6;
	ndm->ndm_ifindex = (int)ifindex;
	return nlh;
}

static int take_dst(const struct nlattr *attr, void *user)
{
	const struct nlattr **dst = user;

	if (mnl_attr_get_type(attr) == NDA_DST && mnl_attr_get_payload_len(attr) == 16)
		*dst = attr;
	return MNL_CB_OK;
}

static int note(const struct nlmsghdr *nlh, void *user)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *dst = NULL;
	struct unresolved *u = user;

	if (ndm->ndm_ifindex != (int)u->ifindex || !(ndm->ndm_state & NUD_INCOMPLETE) || u->n == MAX_UNRESOLVED)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*ndm), take_dst, &dst);
	if (dst)
		memcpy(u->addr[u->n++].b, mnl_attr_get_payload(dst), 16);
	return MNL_CB_OK;
}

int rtnl_neigh_drop_unresolved(struct rtnl *r, unsigned ifindex)
{
	struct unresolved u = { .ifindex = ifindex };
	struct rtnl_request q;
	struct nlmsghdr *nlh = neigh_begin(&q, RTM_GETNEIGH, ifindex);
	int rc;

	mnl_attr_put_u32(nlh, NDA_IFINDEX, ifindex);
	rc = rtnl_dump(r, nlh, note, &u);
	for (unsigned i = 0; rc == 0 && i < u.n; i++) {
		nlh = neigh_begin(&q, RTM_DELNEIGH, ifindex);
		rtnl_put_addr(nlh, NDA_DST, &u.addr[i]);
		rc = rtnl_talk(r, nlh);
		if (rc == -ENOENT)
			rc = 0;
	}
	return rc < 0 ? rc : (int)u.n;
}
