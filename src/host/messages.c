/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From rtnetlink's messages to the tables. Links, addresses and neighbours
 * carry their whole state in each message. Routes do not: a router goes when
 * the last route through it goes, a replacing route is announced without the
 * one it replaces, and next hops come and go inside multipath routes. So a
 * notification about a gateway or on-link route only says that the routes have to be read
 * anew.
 */
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "host/messages.h"
#include "rtnl/rtnl_internal.h"

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000 /* <linux/if.h> does not go together with <net/if.h> */
#endif

#define ATTRS_MAX 64 /* attribute types looked at are all below */

static bool header_fits(struct host_apply *ap, const struct nlmsghdr *nlh, size_t header)
{
	if (mnl_nlmsg_get_payload_len(nlh) >= header)
		return true;
	ap->tables->snap.malformed++;
	return false;
}

static int collect_one(const struct nlattr *attr, void *data)
{
	const struct nlattr **tb = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ATTRS_MAX)
		tb[type] = attr;
	return MNL_CB_OK;
}

static void collect(const struct nlmsghdr *nlh, size_t header, const struct nlattr *tb[ATTRS_MAX])
{
	memset(tb, 0, ATTRS_MAX * sizeof(tb[0]));
	mnl_attr_parse(nlh, (unsigned)header, collect_one, tb);
}

static bool get_addr(struct host_apply *ap, const struct nlattr *attr, struct shim6_addr *out)
{
	if (!attr)
		return false;
	if (mnl_attr_get_payload_len(attr) != sizeof(out->b)) {
		ap->tables->snap.malformed++;
		return false;
	}
	memcpy(out->b, mnl_attr_get_payload(attr), sizeof(out->b));
	return true;
}

static bool get_u32(struct host_apply *ap, const struct nlattr *attr, uint32_t *out)
{
	if (!attr)
		return false;
	if (mnl_attr_get_payload_len(attr) < sizeof(*out)) {
		ap->tables->snap.malformed++;
		return false;
	}
	*out = mnl_attr_get_u32(attr);
	return true;
}

static void apply_link(struct host_apply *ap, const struct nlmsghdr *nlh)
{
	const unsigned passing = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[ATTRS_MAX];
	const struct host_link *old;
	struct host_link l = { 0 };
	uint32_t mtu;

	/* A bridge speaks of its ports in messages that look alike. */
	if (!header_fits(ap, nlh, sizeof(*ifi)) || ifi->ifi_family != AF_UNSPEC)
		return;
	if (nlh->nlmsg_type == RTM_DELLINK) {
		tables_del_link(ap->tables, (unsigned)ifi->ifi_index);
		return;
	}
	old = tables_find_link(ap->tables, (unsigned)ifi->ifi_index);
	if (old)
		l = *old;
	collect(nlh, sizeof(*ifi), tb);
	l.ifindex = (unsigned)ifi->ifi_index;
	l.up = (ifi->ifi_flags & passing) == passing;
	l.loopback = (ifi->ifi_flags & IFF_LOOPBACK) != 0;
	if (get_u32(ap, tb[IFLA_MTU], &mtu))
		l.mtu = mtu;
	if (tb[IFLA_IFNAME] && mnl_attr_validate(tb[IFLA_IFNAME], MNL_TYPE_NUL_STRING) >= 0 &&
	    mnl_attr_get_payload_len(tb[IFLA_IFNAME]) <= sizeof(l.name)) {
		memset(l.name, 0, sizeof(l.name));
		strncpy(l.name, mnl_attr_get_str(tb[IFLA_IFNAME]), sizeof(l.name) - 1);
	}
	/* Routes may go with a link without a word (net.ipv6.route.skip_notify_on_dev_down). */
	if (old && old->up && !l.up)
		ap->routes_dirty = true;
	tables_put_link(ap->tables, &l);
}

/* 100::/64 reaches nobody (RFC 6666); the data path uses it to make the kernel forget cached routes. */
static bool is_discard_only(const struct shim6_addr *a)
{
	static const uint8_t prefix[8] = { 0x01 };

	return memcmp(a->b, prefix, sizeof(prefix)) == 0;
}

static void apply_address(struct host_apply *ap, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[ATTRS_MAX];
	struct host_address a = { 0 };
	uint32_t flags;

	if (!header_fits(ap, nlh, sizeof(*ifa)) || ifa->ifa_family != AF_INET6)
		return;
	collect(nlh, sizeof(*ifa), tb);
	/* With a peer address, IFA_ADDRESS is the peer's and IFA_LOCAL ours. */
	if (!get_addr(ap, tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], &a.addr) || is_discard_only(&a.addr))
		return;
	a.ifindex = ifa->ifa_index;
	if (nlh->nlmsg_type == RTM_DELADDR) {
		tables_del_address(ap->tables, &a.addr, a.ifindex);
		return;
	}
	if (!get_u32(ap, tb[IFA_FLAGS], &flags))
		flags = ifa->ifa_flags;
	a.prefix_len = ifa->ifa_prefixlen;
	a.dad_failed = (flags & IFA_F_DADFAILED) != 0;
	/* An optimistic address may be used while its detection still runs (PA-02). */
	a.tentative = a.dad_failed || ((flags & IFA_F_TENTATIVE) && !(flags & IFA_F_OPTIMISTIC));
	a.deprecated = (flags & IFA_F_DEPRECATED) != 0;
	a.permanent = (flags & IFA_F_PERMANENT) != 0;
	tables_put_address(ap->tables, &a);
}

static enum host_verdict judge_neighbour(const struct nlmsghdr *nlh, const struct ndmsg *ndm)
{
	/* A forgotten neighbour is worth another try. */
	if (nlh->nlmsg_type == RTM_DELNEIGH)
		return HOST_WORKS;
	/* Resolution starting over says nothing yet: a dead router would flap between failed and not. */
	if (ndm->ndm_state == NUD_INCOMPLETE || ndm->ndm_state == NUD_NONE)
		return HOST_UNDECIDED;
	return ndm->ndm_state & NUD_FAILED ? HOST_FAILED : HOST_WORKS;
}

static void apply_neighbour(struct host_apply *ap, const struct nlmsghdr *nlh)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[ATTRS_MAX];
	struct shim6_addr a;

	/* PA-07; of the neighbour tables of bridges and tunnels there are messages, too */
	if (!header_fits(ap, nlh, sizeof(*ndm)) || ndm->ndm_family != AF_INET6)
		return;
	collect(nlh, sizeof(*ndm), tb);
	if (get_addr(ap, tb[NDA_DST], &a))
		tables_neighbour(ap->tables, &a, (unsigned)ndm->ndm_ifindex, judge_neighbour(nlh, ndm));
}

static bool is_on_link(const struct rtmsg *rtm, const struct nlattr *tb[ATTRS_MAX])
{
	return rtm->rtm_dst_len == 64 && rtm->rtm_src_len == 0 && rtm->rtm_table == RT_TABLE_MAIN && tb[RTA_DST] &&
	       tb[RTA_OIF] && !tb[RTA_GATEWAY] && !tb[RTA_MULTIPATH];
}

/* To routers or to an on-link /64: not the data path's and source routing's own, not a cached copy. */
static bool is_route_of_interest(struct host_apply *ap, const struct nlmsghdr *nlh, const struct nlattr *tb[ATTRS_MAX])
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	if (!header_fits(ap, nlh, sizeof(*rtm)))
		return false;
	if (rtm->rtm_family != AF_INET6 || rtm->rtm_type != RTN_UNICAST || (rtm->rtm_flags & RTM_F_CLONED) ||
	    rtm->rtm_protocol == RTNL_PROTOCOL)
		return false;
	collect(nlh, sizeof(*rtm), tb);
	return tb[RTA_GATEWAY] || tb[RTA_MULTIPATH] || is_on_link(rtm, tb);
}

static void route_notified(struct host_apply *ap, const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[ATTRS_MAX];

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*rtm) && nlh->nlmsg_type == RTM_DELROUTE &&
	    rtm->rtm_family == AF_INET6 && rtm->rtm_protocol == RTNL_PROTOCOL && rtm->rtm_dst_len == 0)
		ap->tables->changed = true; /* ours: see apply_rule() */
	/* What replaces such a route need not be one itself. */
	if (is_route_of_interest(ap, nlh, tb) || (nlh->nlmsg_flags & NLM_F_REPLACE))
		ap->routes_dirty = true;
}

/*
 * A rule of ours is gone. If it was not we who took it away, as when systemd-networkd starts anew, it has to be put
 * back: the owner is told, and asks for all that it wants once more.
 */
static void apply_rule(struct host_apply *ap, const struct nlmsghdr *nlh)
{
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[ATTRS_MAX];

	if (!header_fits(ap, nlh, sizeof(*frh)) || frh->family != AF_INET6)
		return;
	collect(nlh, sizeof(*frh), tb);
	if (tb[FRA_PROTOCOL] && mnl_attr_get_payload_len(tb[FRA_PROTOCOL]) == 1 &&
	    mnl_attr_get_u8(tb[FRA_PROTOCOL]) == RTNL_PROTOCOL)
		ap->tables->changed = true;
}

void messages_apply(struct host_apply *ap, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		apply_link(ap, nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		apply_address(ap, nlh);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		apply_neighbour(ap, nlh);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		route_notified(ap, nlh);
		break;
	case RTM_DELRULE:
		apply_rule(ap, nlh);
		break;
	default:
		break;
	}
}

static void apply_next_hop(struct host_apply *ap, const struct rtnexthop *hop, bool default_route, unsigned metric)
{
	const struct nlattr *tb[ATTRS_MAX] = { NULL };
	struct shim6_addr gateway;

	if (hop->rtnh_flags & RTNH_F_DEAD)
		return;
	mnl_attr_parse_payload(hop + 1, hop->rtnh_len - sizeof(*hop), collect_one, tb);
	if (get_addr(ap, tb[RTA_GATEWAY], &gateway))
		tables_put_router(ap->tables, &gateway, (unsigned)hop->rtnh_ifindex, default_route, metric);
}

static void apply_next_hops(struct host_apply *ap, const struct nlattr *multipath, bool default_route, unsigned metric)
{
	const char *at = mnl_attr_get_payload(multipath);
	size_t left = mnl_attr_get_payload_len(multipath);

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const void *)at;
		size_t step = MNL_ALIGN(hop->rtnh_len);

		if (hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > left) {
			ap->tables->snap.malformed++;
			return;
		}
		apply_next_hop(ap, hop, default_route, metric);
		if (step >= left)
			return;
		at += step;
		left -= step;
	}
}

void messages_apply_route(struct host_apply *ap, const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[ATTRS_MAX];
	struct shim6_addr gateway, prefix;
	uint32_t ifindex, metric = 0;
	bool default_route;

	if (!is_route_of_interest(ap, nlh, tb))
		return;
	if (is_on_link(rtm, tb)) {
		if (get_addr(ap, tb[RTA_DST], &prefix) && get_u32(ap, tb[RTA_OIF], &ifindex) &&
		    !shim6_addr_is_link_local(&prefix))
			tables_put_prefix(ap->tables, &prefix, ifindex);
		return;
	}
	default_route = rtm->rtm_dst_len == 0;
	get_u32(ap, tb[RTA_PRIORITY], &metric);
	if (tb[RTA_MULTIPATH])
		apply_next_hops(ap, tb[RTA_MULTIPATH], default_route, metric);
	if (get_addr(ap, tb[RTA_GATEWAY], &gateway) && get_u32(ap, tb[RTA_OIF], &ifindex))
		tables_put_router(ap->tables, &gateway, ifindex, default_route, metric);
}
