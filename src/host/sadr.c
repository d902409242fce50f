/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules, in the order the kernel takes them:
 *
 *   P          lookup main, but not its default routes
 *   P+1 ...    from PREFIX lookup TABLE, longer prefixes first
 *   32766      lookup main (the system's own)
 *
 * So specific routes of the administrator and of VPNs stay in force whatever
 * the source, the source decides between default routes only, and a packet
 * without a source still finds one. TABLE has the default route by the router
 * and the prefix itself, if it is on-link.
 *
 * A new session has no source when its route is looked up, and Linux keeps that
 * route after it has chosen one (RFC 6724 rule 5.5 is missing). With one router
 * per interface no harm is done: the source is one of that interface. Where the
 * interface that main would take has several routers, its rules choose the source
 * first (FIB_RULE_FIND_SADDR), so that route and source belong together.
 *
 * What is installed is kept in two lists. An update makes the lists that are
 * wanted, removes what is in the old ones only, and asks the kernel for all of
 * the new ones: adding what is there already does no harm, and restores what
 * went with an interface.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/sadr.h"
#include "rtnl/rtnl_internal.h"

#define MAIN_PRIORITY 32766 /* of the system's rule for the main table */

struct uplink {
	unsigned ifindex;
	struct shim6_addr router;
	unsigned table; /* 0: not decided yet */
};

struct prefix {
	unsigned ifindex;
	struct shim6_addr addr; /* host part zero */
	unsigned len;
	struct shim6_addr router;
	unsigned table;
	bool on_link;
	bool choose_source;
};

struct plan {
	unsigned n_uplinks, n_prefixes;
	struct uplink uplinks[SADR_MAX_UPLINKS];
	struct prefix prefixes[SADR_MAX_PREFIXES];
};

struct sadr {
	struct rtnl *rtnl;
	struct sadr_config config;
	struct plan now;
	struct plan next; /* under construction */
	struct sadr_stats stats;
	char *err; /* of the update that runs */
	size_t err_len;
	int rc;
};

static const struct uplink *find_table(const struct plan *p, unsigned table)
{
	for (unsigned i = 0; i < p->n_uplinks; i++)
		if (p->uplinks[i].table == table)
			return &p->uplinks[i];
	return NULL;
}

static struct uplink *find_uplink(struct plan *p, unsigned ifindex, const struct shim6_addr *router)
{
	for (unsigned i = 0; i < p->n_uplinks; i++)
		if (p->uplinks[i].ifindex == ifindex && shim6_addr_eq(&p->uplinks[i].router, router))
			return &p->uplinks[i];
	return NULL;
}

static struct prefix *find_prefix(struct plan *p, unsigned ifindex, const struct shim6_addr *addr, unsigned len)
{
	for (unsigned i = 0; i < p->n_prefixes; i++)
		if (p->prefixes[i].ifindex == ifindex && p->prefixes[i].len == len &&
		    shim6_addr_eq(&p->prefixes[i].addr, addr))
			return &p->prefixes[i];
	return NULL;
}

/* The same rule, to the last detail. */
static bool has_prefix(struct plan *p, const struct prefix *x)
{
	const struct prefix *y = find_prefix(p, x->ifindex, &x->addr, x->len);

	return y && y->table == x->table && y->choose_source == x->choose_source;
}

static unsigned routers_of(const struct plan *p, unsigned ifindex)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_uplinks; i++)
		n += p->uplinks[i].ifindex == ifindex;
	return n;
}

static bool plan_uplink(struct sadr *s, unsigned ifindex, const struct shim6_addr *router)
{
	if (find_uplink(&s->next, ifindex, router))
		return true;
	if (s->next.n_uplinks == SADR_MAX_UPLINKS || routers_of(&s->next, ifindex) == SADR_MAX_ROUTERS ||
	    ifindex >= SADR_ROUTER_STEP - s->config.table_base) {
		s->stats.refused++;
		return false;
	}
	s->next.uplinks[s->next.n_uplinks++] = (struct uplink){ ifindex, *router, 0 };
	return true;
}

static const struct host_router *default_router(const struct host_snapshot *snap, unsigned ifindex,
						const struct shim6_addr *addr)
{
	for (unsigned i = 0; i < snap->n_routers; i++) {
		const struct host_router *r = &snap->routers[i];

		if (r->default_route && r->ifindex == ifindex && shim6_addr_eq(&r->gateway, addr))
			return r;
	}
	return NULL;
}

/* The first default router of the link that answers, or the first of all where none does. */
static const struct host_router *router_of(const struct host_snapshot *snap, unsigned ifindex)
{
	const struct host_router *any = NULL;

	for (unsigned i = 0; i < snap->n_routers; i++) {
		const struct host_router *r = &snap->routers[i];

		if (r->ifindex != ifindex || !r->default_route)
			continue;
		if (!r->failed)
			return r;
		if (!any)
			any = r;
	}
	return any;
}

static bool better(const struct ra_router *a, const struct host_router *ha, const struct ra_router *b,
		   const struct host_router *hb)
{
	if (!b || ha->failed != hb->failed)
		return !b || !ha->failed;
	if (a->preference != b->preference)
		return a->preference > b->preference;
	return memcmp(&a->addr, &b->addr, sizeof(a->addr)) < 0;
}

/*
 * Of the default routers that advertise a prefix of this address: one that
 * answers before one that does not, then the preferred one (RFC 8028 section 3).
 */
static const struct host_router *advertiser_of(const struct host_snapshot *snap, const struct ra_table *ra,
					       const struct host_address *a)
{
	const struct ra_router *best = NULL;
	const struct host_router *found = NULL;

	for (unsigned i = 0; ra && i < ra->n_prefixes; i++) {
		const struct ra_prefix *p = &ra->prefixes[i];
		const struct host_router *h;
		const struct ra_router *r;

		if (p->ifindex != a->ifindex || !ra_prefix_covers(p, &a->addr))
			continue;
		r = ra_table_router(ra, p->ifindex, &p->router);
		h = default_router(snap, p->ifindex, &p->router);
		if (r && h && better(r, h, best, found)) {
			best = r;
			found = h;
		}
	}
	return found;
}

/* Routers say that hosts of this prefix are to be sent to them, and none says that they are on the link. */
static bool is_off_link(const struct ra_table *ra, const struct host_address *a)
{
	bool said = false;

	for (unsigned i = 0; ra && i < ra->n_prefixes; i++) {
		const struct ra_prefix *p = &ra->prefixes[i];

		if (p->ifindex != a->ifindex || p->len < a->prefix_len || !ra_prefix_covers(p, &a->addr))
			continue;
		if (p->on_link)
			return false;
		said = true;
	}
	return said;
}

static struct prefix prefix_of(const struct host_address *a)
{
	struct prefix x = { .ifindex = a->ifindex, .addr = a->addr, .len = a->prefix_len };

	for (unsigned bit = x.len; bit < 128; bit++)
		x.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return x;
}

/*
 * Where no router has advertised the prefix: the one that has it now, as after a
 * restart or when the link was down, before anybody has spoken; else the first.
 */
static const struct host_router *other_router_of(struct sadr *s, const struct host_snapshot *snap,
						 const struct host_address *a)
{
	const struct prefix x = prefix_of(a), *was = find_prefix(&s->now, x.ifindex, &x.addr, x.len);
	const struct uplink *u = was ? find_table(&s->now, was->table) : NULL;
	const struct host_router *r = u ? default_router(snap, u->ifindex, &u->router) : NULL;

	if (r && !r->failed && plan_uplink(s, a->ifindex, &r->gateway))
		return r;
	return router_of(snap, a->ifindex);
}

static void plan_prefix(struct sadr *s, const struct host_address *a, const struct host_router *r, bool on_link)
{
	struct prefix x = prefix_of(a);

	x.router = r->gateway;
	x.on_link = on_link;
	if (find_prefix(&s->next, x.ifindex, &x.addr, x.len))
		return;
	if (s->next.n_prefixes == SADR_MAX_PREFIXES) {
		s->stats.refused++;
		return;
	}
	s->next.prefixes[s->next.n_prefixes++] = x;
}

/* A router keeps its table; a new one gets the lowest that is free. */
static void assign_tables(struct sadr *s)
{
	struct plan *p = &s->next;

	for (unsigned i = 0; i < p->n_uplinks; i++) {
		const struct uplink *was = find_uplink(&s->now, p->uplinks[i].ifindex, &p->uplinks[i].router);

		if (was)
			p->uplinks[i].table = was->table;
	}
	for (unsigned i = 0; i < p->n_uplinks; i++) {
		unsigned table = s->config.table_base + p->uplinks[i].ifindex;

		if (p->uplinks[i].table)
			continue;
		while (find_table(p, table))
			table += SADR_ROUTER_STEP;
		p->uplinks[i].table = table;
	}
}

/* The interface of main's best default route. */
static unsigned first_choice(const struct host_snapshot *snap)
{
	const struct host_router *best = NULL;

	for (unsigned i = 0; i < snap->n_routers; i++) {
		const struct host_router *r = &snap->routers[i];

		if (r->default_route && (!best || r->metric < best->metric))
			best = r;
	}
	return best ? best->ifindex : 0;
}

static void make_plan(struct sadr *s, const struct host_snapshot *snap, const struct ra_table *ra,
		      bool (*managed)(void *user, const struct host_link *l), void *user)
{
	unsigned first = first_choice(snap);

	s->next.n_uplinks = 0;
	s->next.n_prefixes = 0;
	for (unsigned i = 0; i < snap->n_links; i++) {
		const struct host_link *l = &snap->links[i];
		const struct host_router *r = router_of(snap, l->ifindex);

		/* Without carrier the routes would only hold up packets which another rule may still deliver. */
		if (r && l->up && !l->loopback && managed(user, l))
			plan_uplink(s, l->ifindex, &r->gateway);
	}
	for (unsigned i = 0; i < snap->n_addresses; i++) {
		const struct host_address *a = &snap->addresses[i];
		const struct host_router *r;

		if (a->prefix_len == 0 || a->prefix_len > 128 || !shim6_addr_is_usable(&a->addr) ||
		    !routers_of(&s->next, a->ifindex))
			continue;
		r = advertiser_of(snap, ra, a);
		if (!r || !plan_uplink(s, a->ifindex, &r->gateway))
			r = other_router_of(s, snap, a);
		plan_prefix(s, a, r, !is_off_link(ra, a));
	}
	assign_tables(s);
	for (unsigned i = 0; i < s->next.n_prefixes; i++) {
		struct prefix *x = &s->next.prefixes[i];

		x->table = find_uplink(&s->next, x->ifindex, &x->router)->table;
		x->choose_source = x->ifindex == first && routers_of(&s->next, first) > 1;
	}
}

/* Note a failed request; the first of an update is the one reported. */
static int note(struct sadr *s, int rc, const char *verb, const char *what, const struct shim6_addr *a, unsigned len,
		unsigned ifindex, unsigned table)
{
	char text[INET6_ADDRSTRLEN];

	if (rc == 0)
		return 0;
	s->stats.failed++;
	if (s->rc == 0) {
		s->rc = rc;
		inet_ntop(AF_INET6, a->b, text, sizeof(text));
		snprintf(s->err, s->err_len, "%s %s%s/%u, interface %u, table %u: %s", verb, what, text, len, ifindex,
			 table, strerror(-rc));
	}
	return rc;
}

static struct rtnl_rule main_rule(const struct sadr *s)
{
	return (struct rtnl_rule){ .table = RT_TABLE_MAIN, .suppress_default = true, .priority = s->config.priority };
}

static struct rtnl_rule prefix_rule(const struct sadr *s, const struct prefix *x)
{
	return (struct rtnl_rule){
		.from = x->addr,
		.from_len = x->len,
		.choose_source = x->choose_source,
		.table = x->table,
		.priority = s->config.priority + 1 + (128 - x->len),
	};
}

static struct rtnl_route prefix_route(const struct prefix *x)
{
	return (struct rtnl_route){ .dst = x->addr, .dst_len = x->len, .ifindex = x->ifindex, .table = x->table };
}

static int remove_prefix(struct sadr *s, const struct prefix *x)
{
	struct rtnl_rule rule = prefix_rule(s, x);
	struct rtnl_route route = prefix_route(x);
	int rc = rtnl_rule_del(s->rtnl, &rule);

	if (rc == 0)
		rc = rtnl_route_del(s->rtnl, &route);
	return note(s, rc, "removing", "rule from ", &x->addr, x->len, x->ifindex, x->table);
}

static int remove_uplink(struct sadr *s, const struct uplink *u)
{
	int rc = rtnl_route_flush_table(s->rtnl, u->table);

	return note(s, rc, "removing", "routes by ", &u->router, 128, u->ifindex, u->table);
}

/* Rules first: no packet is to meet a table that is being emptied. What cannot be removed is tried again. */
static void remove_unwanted(struct sadr *s)
{
	struct rtnl_rule rule = main_rule(s);

	for (unsigned i = 0; i < s->now.n_prefixes; i++) {
		const struct prefix *x = &s->now.prefixes[i];

		if (!has_prefix(&s->next, x) && remove_prefix(s, x) != 0 && s->next.n_prefixes < SADR_MAX_PREFIXES)
			s->next.prefixes[s->next.n_prefixes++] = *x;
	}
	for (unsigned i = 0; i < s->now.n_uplinks; i++) {
		const struct uplink *u = &s->now.uplinks[i];

		if (!find_table(&s->next, u->table) && remove_uplink(s, u) != 0 && s->next.n_uplinks < SADR_MAX_UPLINKS)
			s->next.uplinks[s->next.n_uplinks++] = *u;
	}
	if (s->next.n_prefixes == 0)
		note(s, rtnl_rule_del(s->rtnl, &rule), "removing", "rule for routes below ", &rule.from, 0, 0,
		     rule.table);
}

static void install_uplink(struct sadr *s, const struct uplink *u)
{
	struct rtnl_route route = { .gateway = u->router, .ifindex = u->ifindex, .table = u->table };

	note(s, rtnl_route_replace(s->rtnl, &route), "adding", "default route by ", &u->router, 128, u->ifindex,
	     u->table);
}

/* Routes first, then the rules that lead to them. */
static void install(struct sadr *s, unsigned n_uplinks, unsigned n_prefixes)
{
	struct rtnl_rule rule = main_rule(s);

	for (unsigned i = 0; i < n_uplinks; i++)
		install_uplink(s, &s->next.uplinks[i]);
	for (unsigned i = 0; i < n_prefixes; i++) {
		const struct prefix *x = &s->next.prefixes[i];
		struct rtnl_route route = prefix_route(x);

		if (x->len < 128 && x->on_link)
			note(s, rtnl_route_replace(s->rtnl, &route), "adding", "route to ", &x->addr, x->len,
			     x->ifindex, x->table);
	}
	if (n_prefixes > 0)
		note(s, rtnl_rule_add(s->rtnl, &rule), "adding", "rule for routes below ", &rule.from, 0, 0,
		     rule.table);
	for (unsigned i = 0; i < n_prefixes; i++) {
		const struct prefix *x = &s->next.prefixes[i];

		rule = prefix_rule(s, x);
		note(s, rtnl_rule_add(s->rtnl, &rule), "adding", "rule from ", &x->addr, x->len, x->ifindex, x->table);
	}
}

static int carry_out(struct sadr *s, char *err, size_t err_len)
{
	unsigned n_uplinks = s->next.n_uplinks, n_prefixes = s->next.n_prefixes;

	s->err = err;
	s->err_len = err_len;
	s->rc = 0;
	remove_unwanted(s);
	install(s, n_uplinks, n_prefixes);
	s->now = s->next;
	s->stats.uplinks = s->now.n_uplinks;
	s->stats.prefixes = s->now.n_prefixes;
	return s->rc;
}

int sadr_update(struct sadr *s, const struct host_snapshot *snap, const struct ra_table *ra,
		bool (*managed)(void *user, const struct host_link *l), void *user, char *err, size_t err_len)
{
	make_plan(s, snap, ra, managed, user);
	return carry_out(s, err, err_len);
}

/* What of a rule tells whether it is one of ours. */
struct found_rule {
	const struct nlattr *src, *table, *priority, *protocol;
};

static int on_rule_attr(const struct nlattr *attr, void *data)
{
	struct found_rule *f = data;
	uint16_t type = mnl_attr_get_type(attr), len = mnl_attr_get_payload_len(attr);

	if (type == FRA_SRC && len == 16)
		f->src = attr;
	else if (type == FRA_TABLE && len == 4)
		f->table = attr;
	else if (type == FRA_PRIORITY && len == 4)
		f->priority = attr;
	else if (type == FRA_PROTOCOL && len == 1)
		f->protocol = attr;
	return MNL_CB_OK;
}

/* A rule of ours from an earlier life: as if this one had installed it. */
static int on_rule(const struct nlmsghdr *nlh, void *data)
{
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(nlh);
	struct found_rule f = { 0 };
	struct sadr *s = data;
	struct prefix x = { 0 };
	unsigned priority;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*frh) || frh->src_len == 0 || frh->src_len > 128)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*frh), on_rule_attr, &f);
	if (!f.src || !f.table || !f.priority || !f.protocol || mnl_attr_get_u8(f.protocol) != RTNL_PROTOCOL)
		return MNL_CB_OK;
	x.len = frh->src_len;
	priority = mnl_attr_get_u32(f.priority);
	if (priority != s->config.priority + 1 + (128 - x.len) || mnl_attr_get_u32(f.table) <= s->config.table_base)
		return MNL_CB_OK;
	x.table = mnl_attr_get_u32(f.table);
	x.ifindex = (x.table - s->config.table_base) % SADR_ROUTER_STEP;
	x.choose_source = frh->flags & FIB_RULE_FIND_SADDR;
	memcpy(x.addr.b, mnl_attr_get_payload(f.src), sizeof(x.addr.b));
	if (s->now.n_prefixes < SADR_MAX_PREFIXES)
		s->now.prefixes[s->now.n_prefixes++] = x;
	else
		s->stats.refused++;
	if (!find_table(&s->now, x.table) && s->now.n_uplinks < SADR_MAX_UPLINKS)
		s->now.uplinks[s->now.n_uplinks++] = (struct uplink){ .ifindex = x.ifindex, .table = x.table };
	return MNL_CB_OK;
}

static int on_route_attr(const struct nlattr *attr, void *data)
{
	const struct nlattr **found = data; /* table, gateway, interface */
	uint16_t type = mnl_attr_get_type(attr), len = mnl_attr_get_payload_len(attr);

	if (type == RTA_TABLE && len == 4)
		found[0] = attr;
	else if (type == RTA_GATEWAY && len == 16)
		found[1] = attr;
	else if (type == RTA_OIF && len == 4)
		found[2] = attr;
	return MNL_CB_OK;
}

/* A default route of ours names the router of its table; not every table has a rule. */
static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *found[3] = { NULL, NULL, NULL };
	struct sadr *s = data;
	struct uplink *u = NULL;
	unsigned table, ifindex;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) || rtm->rtm_protocol != RTNL_PROTOCOL || rtm->rtm_dst_len)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*rtm), on_route_attr, found);
	if (!found[0] || !found[1] || !found[2])
		return MNL_CB_OK;
	table = mnl_attr_get_u32(found[0]);
	ifindex = mnl_attr_get_u32(found[2]);
	if (table <= s->config.table_base || (table - s->config.table_base) % SADR_ROUTER_STEP != ifindex)
		return MNL_CB_OK;
	for (unsigned i = 0; i < s->now.n_uplinks && !u; i++)
		u = s->now.uplinks[i].table == table ? &s->now.uplinks[i] : NULL;
	if (!u && s->now.n_uplinks < SADR_MAX_UPLINKS)
		u = &s->now.uplinks[s->now.n_uplinks++];
	if (u) {
		*u = (struct uplink){ .ifindex = ifindex, .table = table };
		memcpy(u->router.b, mnl_attr_get_payload(found[1]), 16);
	}
	return MNL_CB_OK;
}

static int read_routers(struct sadr *s)
{
	int rc = -EINTR;

	for (unsigned i = 0; i < 8 && rc == -EINTR; i++) {
		struct rtnl_request q;
		struct nlmsghdr *nlh = rtnl_begin(&q, RTM_GETROUTE, 0);
		struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

		rtm->rtm_family = AF_INET6;
		rc = rtnl_dump(s->rtnl, nlh, on_route, s);
	}
	return rc;
}

static int take_over(struct sadr *s)
{
	int rc = -EINTR;

	for (unsigned i = 0; i < 8 && rc == -EINTR; i++) {
		struct rtnl_request q;
		struct nlmsghdr *nlh = rtnl_begin(&q, RTM_GETRULE, 0);
		struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(nlh, sizeof(*frh));

		frh->family = AF_INET6;
		memset(&s->now, 0, sizeof(s->now));
		rc = rtnl_dump(s->rtnl, nlh, on_rule, s);
	}
	return rc == 0 ? read_routers(s) : rc;
}

struct sadr *sadr_open(struct rtnl *r, const struct sadr_config *config, char *err, size_t err_len)
{
	struct sadr *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		snprintf(err, err_len, "source routing: %s", strerror(ENOMEM));
		return NULL;
	}
	s->rtnl = r;
	s->config = *config;
	if (!s->config.table_base)
		s->config.table_base = SADR_TABLE_BASE;
	if (!s->config.priority)
		s->config.priority = SADR_PRIORITY;
	if (s->config.priority + SADR_PRIORITIES > MAIN_PRIORITY) {
		snprintf(err, err_len, "source routing: priority %u leaves no %u rules before the main table's, %u",
			 s->config.priority, SADR_PRIORITIES, MAIN_PRIORITY);
		free(s);
		return NULL;
	}
	rc = take_over(s);
	if (rc == 0)
		return s;
	snprintf(err, err_len, "source routing: reading the policy rules: %s", strerror(-rc));
	free(s);
	return NULL;
}

void sadr_close(struct sadr *s, bool keep)
{
	char err[128];

	if (!s)
		return;
	if (!keep) {
		s->next.n_uplinks = 0;
		s->next.n_prefixes = 0;
		carry_out(s, err, sizeof(err));
	}
	free(s);
}

const struct sadr_stats *sadr_stats(const struct sadr *s)
{
	return &s->stats;
}
