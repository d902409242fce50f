/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the routing tables know of switched contexts. A route from ULID(local)
 * to ULID(peer) leads to shim0 with an MTU 8 below the path's, so that senders
 * build packets that fit. IPv6 lets nobody but TCP have a route MTU below 1280
 * (other sockets would fail with EINVAL), hence the second table, for TCP alone.
 * The rule of a table exists only while the table has routes: each rule costs
 * every packet that has no kept route one more search, and a rule with a
 * protocol makes the kernel dissect each packet it receives.
 *
 * A connected socket keeps its route. Deleting a route of this table tells it;
 * adding one does not, because its old route is in another table. Deleting an
 * address makes the kernel distrust every kept IPv6 route, so after additions a
 * scratch address comes and goes, once per turn of the daemon's loop.
 */
#include <stdlib.h>
#include <unistd.h>

#include "datapath/bpf/dp.h"

/* From the discard-only prefix (RFC 6666): reaches nobody. */
static const struct shim6_addr scratch = { { 0x01, 0x00, [13] = 0x53, [14] = 0x48, [15] = 0x6d } };

static unsigned tcp_table(const struct datapath_config *c)
{
	return c->route_table + 1;
}

static struct rtnl_rule rule_of(const struct datapath_config *c, bool tcp)
{
	return (struct rtnl_rule){
		.ip_proto = tcp ? 6 : 0,
		.mark = 0,
		.mark_mask = SB_MARK,
		.table = tcp ? tcp_table(c) : c->route_table,
		.priority = tcp ? c->rule_priority : c->rule_priority + 1,
	};
}

static int settle_rule(struct datapath *dp, bool tcp, unsigned n_routes)
{
	struct rtnl_rule rule = rule_of(&dp->cfg, tcp);

	return n_routes ? rtnl_rule_add(dp->rtnl, &rule) : rtnl_rule_del(dp->rtnl, &rule);
}

/* Also after a takeover: an earlier process may have ended between its last route and the rule. */
int dp_rules_settle(struct datapath *dp)
{
	int rc = settle_rule(dp, false, dp->n_routes), tcp = settle_rule(dp, true, dp->n_tcp_routes);

	return rc ? rc : tcp;
}

void datapath_restore(struct datapath *dp)
{
	if (dp_rules_settle(dp))
		dp->counters[DP_C_ROUTE_FAILURES]++;
}

void dp_rules_purge(struct rtnl *r, const struct datapath_config *c)
{
	struct rtnl_rule all = rule_of(c, false), tcp = rule_of(c, true);

	rtnl_rule_del(r, &all);
	rtnl_rule_del(r, &tcp);
	rtnl_route_flush_table(r, c->route_table);
	rtnl_route_flush_table(r, tcp_table(c));
}

static struct rtnl_route route_of(const struct datapath *dp, const struct shim6_pair *ulid, bool tcp)
{
	return (struct rtnl_route){
		.dst = ulid->peer,
		.dst_len = 128,
		.from = ulid->local,
		.from_len = 128,
		.ifindex = dp->shim0,
		.table = tcp ? tcp_table(&dp->cfg) : dp->cfg.route_table,
	};
}

/* The first route of a table brings the rule. */
static int add_route(struct datapath *dp, const struct rtnl_route *rt, bool tcp, unsigned n_routes)
{
	int rc = rtnl_route_replace(dp->rtnl, rt);

	if (rc || n_routes)
		return rc;
	rc = settle_rule(dp, tcp, 1);
	if (rc)
		rtnl_route_del(dp->rtnl, rt);
	return rc;
}

static void tcp_route_set(struct datapath *dp, struct dp_slot *s, unsigned mtu)
{
	struct rtnl_route rt = route_of(dp, &s->p.ulid, true);

	rt.mtu = mtu;
	if (add_route(dp, &rt, true, dp->n_tcp_routes)) {
		dp->counters[DP_C_ROUTE_FAILURES]++;
		return;
	}
	if (!s->tcp_routed && !dp->n_tcp_routes++ && dp_shim_checksums(dp, true))
		dp->counters[DP_C_ROUTE_FAILURES]++;
	s->tcp_routed = true;
}

static void tcp_route_unset(struct datapath *dp, struct dp_slot *s)
{
	struct rtnl_route rt = route_of(dp, &s->p.ulid, true);

	if (!s->tcp_routed)
		return;
	s->tcp_routed = false;
	if (rtnl_route_del(dp->rtnl, &rt))
		dp->counters[DP_C_ROUTE_FAILURES]++;
	if (--dp->n_tcp_routes)
		return;
	if (settle_rule(dp, true, 0) | dp_shim_checksums(dp, false))
		dp->counters[DP_C_ROUTE_FAILURES]++;
}

/* Routes as the projection and the path MTU of the slot want them. */
void dp_route_update(struct datapath *dp, uint32_t slot)
{
	struct dp_slot *s = &dp->slots[slot];
	struct rtnl_route rt = route_of(dp, &s->p.ulid, false);
	unsigned mtu = dp_slot_mtu(dp, slot), fit = mtu - SB_SHIM_LEN;
	uint64_t one = 1;

	if (!s->used || s->p.fii || !(s->p.flags & SHIM6_PROJ_REWRITE)) {
		dp_route_remove(dp, slot);
		return;
	}
	if (s->routed && s->route_mtu == mtu)
		return;
	/* Before the general route changes and makes TCP look again. */
	if (fit < DP_MIN_MTU)
		tcp_route_set(dp, s, fit);
	else
		tcp_route_unset(dp, s);
	rt.mtu = fit < DP_MIN_MTU ? DP_MIN_MTU : fit;
	if (add_route(dp, &rt, false, dp->n_routes)) {
		dp->counters[DP_C_ROUTE_FAILURES]++; /* the egress program leads the packets to shim0 */
		return;
	}
	s->route_mtu = mtu;
	if (!s->routed)
		dp->n_routes++;
	if (!s->routed && write(dp->refresh_fd, &one, sizeof(one)) < 0)
		dp->counters[DP_C_ROUTE_FAILURES]++;
	s->routed = true;
}

void dp_route_remove(struct datapath *dp, uint32_t slot)
{
	struct dp_slot *s = &dp->slots[slot];
	struct rtnl_route rt = route_of(dp, &s->p.ulid, false);

	tcp_route_unset(dp, s);
	if (!s->routed)
		return;
	s->routed = false;
	/* first the route: its end tells the sockets */
	if (rtnl_route_del(dp->rtnl, &rt) | (--dp->n_routes ? 0 : settle_rule(dp, false, 0)))
		dp->counters[DP_C_ROUTE_FAILURES]++;
}

static struct rtnl_address address_of(const struct datapath *dp, const struct shim6_addr *a)
{
	return (struct rtnl_address){
		.addr = *a,
		.prefix_len = 128,
		.ifindex = dp->shim0,
		.nodad = true,
		.noprefixroute = true,
		.valid = UINT32_MAX,
		.preferred = 0, /* deprecated: never chosen as the source of something new */
	};
}

void dp_refresh_routes(struct datapath *dp)
{
	struct rtnl_address a = address_of(dp, &scratch);

	dp->counters[DP_C_REFRESHES]++;
	if (rtnl_addr_add(dp->rtnl, &a) || rtnl_addr_del(dp->rtnl, &a.addr, a.prefix_len, a.ifindex))
		dp->counters[DP_C_ROUTE_FAILURES]++;
}

static struct dp_ulid *find_ulid(const struct datapath *dp, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < dp->n_ulids; i++)
		if (shim6_addr_eq(&dp->ulids[i].addr, a))
			return &dp->ulids[i];
	return NULL;
}

/* Keeps a ULID on shim0, where it survives its own interface going down. */
int dp_ulid_hold(struct datapath *dp, const struct shim6_addr *ulid)
{
	struct rtnl_address a = address_of(dp, ulid);
	struct dp_ulid *u = find_ulid(dp, ulid);

	if (u) {
		u->refs++;
		return 0;
	}
	u = realloc(dp->ulids, (dp->n_ulids + 1) * sizeof(*u));
	if (!u)
		return -ENOMEM;
	dp->ulids = u;
	u[dp->n_ulids++] = (struct dp_ulid){ .addr = *ulid, .refs = 1 };
	if (rtnl_addr_add(dp->rtnl, &a))
		dp->counters[DP_C_ADDRESS_FAILURES]++;
	return 0;
}

void dp_ulid_release(struct datapath *dp, const struct shim6_addr *ulid)
{
	struct dp_ulid *u = find_ulid(dp, ulid);

	if (!u || --u->refs)
		return;
	*u = dp->ulids[--dp->n_ulids];
	if (rtnl_addr_del(dp->rtnl, ulid, 128, dp->shim0))
		dp->counters[DP_C_ADDRESS_FAILURES]++;
}
