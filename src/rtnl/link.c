/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: the veth pair of the data path, and what any device needs set. */
#include <net/if.h>
#include <linux/pkt_sched.h>
#include <linux/veth.h>

#include "rtnl/rtnl_internal.h"

static struct nlmsghdr *link_begin(struct rtnl_request *q, uint16_t type, uint16_t flags, unsigned ifindex,
				   unsigned value, unsigned mask)
{
	struct nlmsghdr *nlh = rtnl_begin(q, type, flags);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)ifindex;
	ifi->ifi_flags = value;
	ifi->ifi_change = mask;
	return nlh;
}

static int on_alias_attr(const struct nlattr *attr, void *user)
{
	const struct nlattr **found = user; /* name, alias */
	uint16_t type = mnl_attr_get_type(attr);

	if (type == IFLA_IFNAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		found[0] = attr;
	else if (type == IFLA_IFALIAS && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		found[1] = attr;
	return MNL_CB_OK;
}

struct alias {
	const char *name, *alias;
	int result;
};

static int on_alias(const struct nlmsghdr *nlh, void *user)
{
	const struct nlattr *found[2] = { NULL, NULL };
	struct alias *a = user;

	mnl_attr_parse(nlh, sizeof(struct ifinfomsg), on_alias_attr, found);
	if (found[0] && strcmp(mnl_attr_get_str(found[0]), a->name) == 0)
		a->result = found[1] && strcmp(mnl_attr_get_str(found[1]), a->alias) == 0;
	return MNL_CB_OK;
}

int rtnl_link_has_alias(struct rtnl *r, const char *name, const char *alias)
{
	struct alias a = { .name = name, .alias = alias, .result = -ENODEV };
	int rc = -EINTR;

	for (int tries = 0; rc == -EINTR && tries < 16; tries++) {
		struct rtnl_request q;

		rc = rtnl_dump(r, link_begin(&q, RTM_GETLINK, 0, 0, 0, 0), on_alias, &a);
	}
	return rc ? rc : a.result;
}

/* Only of a link that is there: the kernel passes it over when it makes one. */
int rtnl_link_alias(struct rtnl *r, unsigned ifindex, const char *alias)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = link_begin(&q, RTM_NEWLINK, 0, ifindex, 0, 0);

	mnl_attr_put(nlh, IFLA_IFALIAS, strlen(alias), alias);
	return rtnl_talk(r, nlh);
}

int rtnl_veth_add(struct rtnl *r, const char *name, const char *peer_name)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = link_begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0, 0);
	struct nlattr *info, *data, *peer;
	int rc;

	if (strlen(name) >= IFNAMSIZ || strlen(peer_name) >= IFNAMSIZ)
		return -ENAMETOOLONG;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, peer_name);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	rc = rtnl_talk(r, nlh);
	return rc == -EEXIST ? 0 : rc;
}

int rtnl_link_del(struct rtnl *r, const char *name)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = link_begin(&q, RTM_DELLINK, 0, 0, 0, 0);
	int rc;

	if (strlen(name) >= IFNAMSIZ)
		return -ENAMETOOLONG;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	rc = rtnl_talk(r, nlh);
	return rc == -ENODEV ? 0 : rc;
}

int rtnl_link_up(struct rtnl *r, unsigned ifindex, bool up)
{
	struct rtnl_request q;

	return rtnl_talk(r, link_begin(&q, RTM_NEWLINK, 0, ifindex, up ? IFF_UP : 0, IFF_UP));
}

int rtnl_link_no_arp(struct rtnl *r, unsigned ifindex)
{
	struct rtnl_request q;

	return rtnl_talk(r, link_begin(&q, RTM_NEWLINK, 0, ifindex, IFF_NOARP, IFF_NOARP));
}

int rtnl_link_mtu(struct rtnl *r, unsigned ifindex, unsigned mtu)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = link_begin(&q, RTM_NEWLINK, 0, ifindex, 0, 0);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return rtnl_talk(r, nlh);
}

int rtnl_link_no_autoconf(struct rtnl *r, unsigned ifindex)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = link_begin(&q, RTM_NEWLINK, 0, ifindex, 0, 0);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(nlh, AF_INET6);

	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
	mnl_attr_nest_end(nlh, spec);
	return rtnl_talk(r, nlh);
}

static int on_filter(const struct nlmsghdr *nlh, void *user)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	int *n = user;

	/* One answer without a handle names the chain of filters itself. */
	if (nlh->nlmsg_type == RTM_NEWTFILTER && tc->tcm_handle)
		(*n)++;
	return MNL_CB_OK;
}

int rtnl_clsact_filters(struct rtnl *r, unsigned ifindex)
{
	static const uint32_t parents[] = { TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
					    TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS) };
	int n = 0;

	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		struct rtnl_request q;
		struct nlmsghdr *nlh = rtnl_begin(&q, RTM_GETTFILTER, 0);
		struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
		int rc;

		tc->tcm_family = AF_UNSPEC;
		tc->tcm_ifindex = (int)ifindex;
		tc->tcm_parent = parents[i];
		rc = rtnl_dump(r, nlh, on_filter, &n);
		if (rc)
			return rc;
	}
	return n;
}
