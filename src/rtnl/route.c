/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv6 addresses, routes and policy rules. */
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <stdlib.h>

#include "rtnl/rtnl_internal.h"

static struct nlmsghdr *addr_begin(struct rtnl_request *q, uint16_t type, uint16_t flags, const struct shim6_addr *a,
				   unsigned prefix_len, unsigned ifindex)
{
	struct nlmsghdr *nlh = rtnl_begin(q, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = AF_INET6;
	ifa->ifa_prefixlen = (uint8_t)prefix_len;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_index = ifindex;
	rtnl_put_addr(nlh, IFA_LOCAL, a);
	rtnl_put_addr(nlh, IFA_ADDRESS, a);
	return nlh;
}

int rtnl_addr_add(struct rtnl *r, const struct rtnl_address *a)
{
	struct ifa_cacheinfo ci = { .ifa_prefered = a->preferred, .ifa_valid = a->valid };
	struct rtnl_request q;
	struct nlmsghdr *nlh;
	int rc;

	if (a->prefix_len > 128)
		return -EINVAL;
	nlh = addr_begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &a->addr, a->prefix_len, a->ifindex);
	mnl_attr_put_u32(nlh, IFA_FLAGS, (a->nodad ? IFA_F_NODAD : 0u) | (a->noprefixroute ? IFA_F_NOPREFIXROUTE : 0u));
	mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(ci), &ci);
	rc = rtnl_talk(r, nlh);
	return rc == -EEXIST ? 0 : rc;
}

int rtnl_addr_del(struct rtnl *r, const struct shim6_addr *a, unsigned prefix_len, unsigned ifindex)
{
	struct rtnl_request q;
	int rc = rtnl_talk(r, addr_begin(&q, RTM_DELADDR, 0, a, prefix_len, ifindex));

	return rc == -EADDRNOTAVAIL || rc == -ENODEV || rc == -ENXIO ? 0 : rc;
}

static struct nlmsghdr *route_begin(struct rtnl_request *q, uint16_t type, uint16_t flags, const struct rtnl_route *rt)
{
	struct nlmsghdr *nlh = rtnl_begin(q, type, flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = AF_INET6;
	rtm->rtm_dst_len = (uint8_t)rt->dst_len;
	rtm->rtm_src_len = (uint8_t)rt->from_len;
	rtm->rtm_table = RT_TABLE_UNSPEC; /* RTA_TABLE holds all 32 bits */
	rtm->rtm_protocol = RTNL_PROTOCOL;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_TABLE, rt->table ? rt->table : RT_TABLE_MAIN);
	if (rt->dst_len)
		rtnl_put_addr(nlh, RTA_DST, &rt->dst);
	if (rt->from_len)
		rtnl_put_addr(nlh, RTA_SRC, &rt->from);
	if (!shim6_addr_is_unspecified(&rt->gateway))
		rtnl_put_addr(nlh, RTA_GATEWAY, &rt->gateway);
	if (rt->ifindex)
		mnl_attr_put_u32(nlh, RTA_OIF, rt->ifindex);
	if (rt->metric)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, rt->metric);
	return nlh;
}

int rtnl_route_replace(struct rtnl *r, const struct rtnl_route *route)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh;

	if (route->dst_len > 128 || route->from_len > 128)
		return -EINVAL;
	nlh = route_begin(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
	if (!shim6_addr_is_unspecified(&route->prefsrc))
		rtnl_put_addr(nlh, RTA_PREFSRC, &route->prefsrc);
	if (route->mtu || route->advmss) {
		struct nlattr *metrics = mnl_attr_nest_start(nlh, RTA_METRICS);

		if (route->mtu)
			mnl_attr_put_u32(nlh, RTAX_MTU, route->mtu);
		if (route->advmss)
			mnl_attr_put_u32(nlh, RTAX_ADVMSS, route->advmss);
		mnl_attr_nest_end(nlh, metrics);
	}
	return rtnl_talk(r, nlh);
}

int rtnl_route_del(struct rtnl *r, const struct rtnl_route *route)
{
	struct rtnl_request q;
	int rc = rtnl_talk(r, route_begin(&q, RTM_DELROUTE, 0, route));

	return rc == -ESRCH || rc == -ENODEV ? 0 : rc;
}

struct route_list {
	struct rtnl_route *v;
	size_t n, cap;
	unsigned table;
};

static bool list_add(struct route_list *l, const struct rtnl_route *rt)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct rtnl_route *v = realloc(l->v, cap * sizeof(*v));

		if (!v)
			return false;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = *rt;
	return true;
}

static void get_addr(const struct nlattr *attr, struct shim6_addr *a)
{
	if (mnl_attr_get_payload_len(attr) >= sizeof(a->b))
		memcpy(a->b, mnl_attr_get_payload(attr), sizeof(a->b));
}

static int on_route_attr(const struct nlattr *attr, void *user)
{
	struct rtnl_route *rt = user;

	switch (mnl_attr_get_type(attr)) {
	case RTA_TABLE:
		rt->table = mnl_attr_get_u32(attr);
		break;
	case RTA_DST:
		get_addr(attr, &rt->dst);
		break;
	case RTA_SRC:
		get_addr(attr, &rt->from);
		break;
	case RTA_PRIORITY:
		rt->metric = mnl_attr_get_u32(attr);
		break;
	case RTA_OIF:
		rt->ifindex = mnl_attr_get_u32(attr);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *nlh, void *user)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct rtnl_route rt = { .dst_len = rtm->rtm_dst_len, .from_len = rtm->rtm_src_len, .table = rtm->rtm_table };
	struct route_list *l = user;

	if (rtm->rtm_family != AF_INET6 || (rtm->rtm_flags & RTM_F_CLONED))
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(*rtm), on_route_attr, &rt) < 0)
		return MNL_CB_ERROR;
	if (rt.table != l->table)
		return MNL_CB_OK;
	if (!list_add(l, &rt)) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

static int delete_any_protocol(struct rtnl *r, const struct rtnl_route *rt)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = route_begin(&q, RTM_DELROUTE, 0, rt);
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	int rc;

	rtm->rtm_protocol = RTPROT_UNSPEC;
	rtm->rtm_type = RTN_UNSPEC;
	rc = rtnl_talk(r, nlh);
	return rc == -ESRCH || rc == -ENODEV ? 0 : rc;
}

static int flush_once(struct rtnl *r, unsigned table)
{
	struct route_list l = { .table = table };
	struct rtnl_request q;
	struct nlmsghdr *nlh = rtnl_begin(&q, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	int rc;

	/* The list is complete before the first deletion: a dump across changes may skip entries. */
	rtm->rtm_family = AF_INET6;
	rc = rtnl_dump(r, nlh, on_route, &l);
	for (size_t i = 0; i < l.n; i++) {
		int one = delete_any_protocol(r, &l.v[i]);

		rc = rc ? rc : one;
	}
	free(l.v);
	return rc;
}

int rtnl_route_flush_table(struct rtnl *r, unsigned table)
{
	int rc = -EINTR;

	/* EINTR: routes changed under the dump, which may have missed some. */
	for (int tries = 0; rc == -EINTR && tries < 16; tries++)
		rc = flush_once(r, table);
	return rc;
}

static int rule_talk(struct rtnl *r, uint16_t type, uint16_t flags, const struct rtnl_rule *rule)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = rtnl_begin(&q, type, flags);
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(nlh, sizeof(*frh));

	if (rule->from_len > 128 || rule->to_len > 128 || rule->ip_proto > 255)
		return -EINVAL;
	frh->family = AF_INET6;
	frh->src_len = (uint8_t)rule->from_len;
	frh->dst_len = (uint8_t)rule->to_len;
	frh->action = FR_ACT_TO_TBL;
	if (rule->choose_source)
		frh->flags = FIB_RULE_FIND_SADDR;
	if (rule->from_len)
		rtnl_put_addr(nlh, FRA_SRC, &rule->from);
	if (rule->to_len)
		rtnl_put_addr(nlh, FRA_DST, &rule->to);
	if (rule->ip_proto)
		mnl_attr_put_u8(nlh, FRA_IP_PROTO, (uint8_t)rule->ip_proto);
	if (rule->mark_mask) {
		mnl_attr_put_u32(nlh, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(nlh, FRA_FWMASK, rule->mark_mask);
	}
	if (rule->suppress_default)
		mnl_attr_put_u32(nlh, FRA_SUPPRESS_PREFIXLEN, 0);
	mnl_attr_put_u32(nlh, FRA_TABLE, rule->table);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, RTNL_PROTOCOL);
	return rtnl_talk(r, nlh);
}

int rtnl_rule_add(struct rtnl *r, const struct rtnl_rule *rule)
{
	int rc = rule_talk(r, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);

	return rc == -EEXIST ? 0 : rc;
}

int rtnl_rule_del(struct rtnl *r, const struct rtnl_rule *rule)
{
	int rc = rule_talk(r, RTM_DELRULE, 0, rule);

	return rc == -ENOENT ? 0 : rc;
}

/* --- asking --------------------------------------------------------------- */

static int on_way_attr(const struct nlattr *attr, void *data)
{
	struct rtnl_way *way = data;
	uint16_t type = mnl_attr_get_type(attr), len = mnl_attr_get_payload_len(attr);

	if (type == RTA_OIF && len == sizeof(uint32_t))
		way->ifindex = mnl_attr_get_u32(attr);
	else if (type == RTA_GATEWAY && len == sizeof(way->gateway.b))
		memcpy(way->gateway.b, mnl_attr_get_payload(attr), len);
	else if (type == RTA_PREFSRC && len == sizeof(way->source.b))
		memcpy(way->source.b, mnl_attr_get_payload(attr), len);
	return MNL_CB_OK;
}

static int on_way(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return MNL_CB_OK;
	if (rtm->rtm_type == RTN_UNICAST || rtm->rtm_type == RTN_LOCAL)
		mnl_attr_parse(nlh, sizeof(*rtm), on_way_attr, data);
	return MNL_CB_STOP;
}

int rtnl_route_get(struct rtnl *r, const struct shim6_addr *source, const struct shim6_addr *dst, struct rtnl_way *out)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = rtnl_begin(&q, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	int rc;

	*out = (struct rtnl_way){ 0 };
	rtm->rtm_family = AF_INET6;
	rtm->rtm_dst_len = 128;
	rtnl_put_addr(nlh, RTA_DST, dst);
	if (source) {
		rtm->rtm_src_len = 128;
		rtnl_put_addr(nlh, RTA_SRC, source);
	}
	rc = rtnl_ask(r, nlh, on_way, out);
	return rc ? rc : out->ifindex ? 0 : -ENETUNREACH;
}
