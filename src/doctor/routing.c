/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does each source leave by its own provider, and does the kernel choose the right ones? */
#include <errno.h>

#include "doctor/internal.h"
#include "host/sadr.h"

static const char why_own[] =
	"a provider drops packets with the addresses of another (BCP 38), so a session from this address fails";

/* Far away, so that the default routes count. Nothing is sent there. */
static const struct shim6_addr far_away = { { 0x20, [15] = 1 } };

const struct shim6_addr *doctor_destination(const struct doctor *d)
{
	return d->opt->has_peer ? &d->opt->peer : &far_away;
}

/* A session to the peer that was switched leads to the shim device: then the default route tells. */
static int way_of(struct doctor *d, const struct shim6_addr *source, struct rtnl_way *way)
{
	int rc = rtnl_route_get(d->rtnl, source, doctor_destination(d), way);
	const struct host_link *l = rc ? NULL : doctor_link(d, way->ifindex);

	if (l && doctor_own_device(d, l) && d->opt->has_peer)
		return rtnl_route_get(d->rtnl, source, &far_away, way);
	return rc;
}

static struct doctor_text rule_mend(const struct doctor *d, const struct doctor_source *s)
{
	unsigned table = SADR_TABLE_BASE + s->ifindex;

	if (!s->router)
		return doctor_router_mend(s->link->name);
	if (!d->client)
		return doctor_text("%s", doctor_start_command());
	return doctor_text("ip -6 route replace default via %s dev %s table %u && ip -6 rule add from %s lookup %u "
			   "priority %u    (shim6d does it with [routing] manage = yes)",
			   doctor_addr(&s->router->gateway).s, s->link->name, table, doctor_prefix64(&s->addr).s, table,
			   SADR_PRIORITY + 1 + 64);
}

static void say_wrong(struct doctor *d, const struct doctor_source *s, int rc, const struct rtnl_way *way)
{
	/* The daemon will see to it, where it can. */
	enum doctor_level level = !d->client && s->router ? DOCTOR_WARNING : DOCTOR_PROBLEM;
	const struct host_link *l = rc ? NULL : doctor_link(d, way->ifindex);

	d->n_misrouted++;
	if (rc)
		doctor_say(d, level, "routing", why_own, rule_mend(d, s).s, "%s on %s has no way out: %s",
			   doctor_addr(&s->addr).s, s->link->name, strerror(-rc));
	else
		doctor_say(d, level, "routing", why_own, rule_mend(d, s).s,
			   "%s leaves by %s, not by its own interface %s", doctor_addr(&s->addr).s, l ? l->name : "?",
			   s->link->name);
}

void check_routing(struct doctor *d)
{
	for (unsigned i = 0; i < d->n_sources; i++) {
		const struct doctor_source *s = &d->sources[i];
		struct rtnl_way way;
		int rc = way_of(d, &s->addr, &way);

		/* Addresses that never had a way out, of containers for instance. */
		if (!s->hba && !s->router && (s->addr.b[0] & 0xe0) != 0x20)
			continue;
		if (rc || way.ifindex != s->ifindex)
			say_wrong(d, s, rc, &way);
		else
			doctor_say(d, DOCTOR_OK, "routing", NULL, NULL, "%s leaves by its own interface, %s%s%s",
				   doctor_addr(&s->addr).s, s->link->name,
				   shim6_addr_is_unspecified(&way.gateway) ? "" : ", router ",
				   shim6_addr_is_unspecified(&way.gateway) ? "" : doctor_addr(&way.gateway).s);
	}
}

/* --- what new sessions begin with ----------------------------------------- */

void check_source_choice(struct doctor *d)
{
	const struct host_link *l;
	struct rtnl_way way;
	unsigned i = 0;

	if (d->n_sources == 0 || !d->sources[0].hba || rtnl_route_get(d->rtnl, NULL, doctor_destination(d), &way) ||
	    shim6_addr_is_unspecified(&way.source))
		return;
	while (i < d->n_sources && !shim6_addr_eq(&d->sources[i].addr, &way.source))
		i++;
	if (i < d->n_sources) {
		doctor_say(d, DOCTOR_OK, "source", NULL, NULL, "new sessions begin with %s, of an HBA set",
			   doctor_addr(&way.source).s);
		return;
	}
	l = doctor_link(d, way.ifindex);
	doctor_say(
		d, DOCTOR_WARNING, "source",
		"only sessions between HBA addresses are protected; a program that binds to one is, others are not",
		doctor_text("ip -6 addr change %s/64 dev %s preferred_lft 0    (an address from router advertisements "
			    "comes back unless net.ipv6.conf.%s.autoconf is 0)",
			    doctor_addr(&way.source).s, l ? l->name : "IFACE", l ? l->name : "IFACE")
			.s,
		"new sessions begin with %s, which is of no HBA set", doctor_addr(&way.source).s);
}
