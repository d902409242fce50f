/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prefixes and the routers they belong to: two of each are what a failover needs. */
#include <linux/if_link.h>
#include <stdlib.h>

#include "doctor/internal.h"

#define MAX_UPLINKS 64
#define MIN_MTU 1280
#define SHIM_LEN 8
#define FEW_ROUTERS_WHY "a session lives through the loss of a provider only when another prefix has another way out"

/* A /64 of an interface. */
struct uplink {
	struct shim6_addr addr; /* one of it */
	const struct host_link *link;
	const struct host_router *router;
};

static int sysctl_of(const char *ifname, const char *key)
{
	char path[160], value[32];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", ifname, key);
	return doctor_read(path, value, sizeof(value)) ? atoi(value) : -1;
}

static unsigned list_uplinks(const struct doctor *d, struct uplink *u)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->snap->n_addresses && n < MAX_UPLINKS; i++) {
		const struct host_address *a = &d->snap->addresses[i];
		const struct host_link *l = doctor_link(d, a->ifindex);
		unsigned k = 0;

		if (!l || doctor_own_device(d, l) || !shim6_addr_is_usable(&a->addr) || a->dad_failed)
			continue;
		while (k < n && !(u[k].link == l && doctor_same64(&u[k].addr, &a->addr)))
			k++;
		if (k == n)
			u[n++] = (struct uplink){ a->addr, l, doctor_router(d, l->ifindex) };
	}
	return n;
}

static bool is_good(const struct uplink *u)
{
	return u->router && u->link->up;
}

unsigned doctor_good_prefixes(const struct doctor *d, struct shim6_addr *out, unsigned max)
{
	struct uplink u[MAX_UPLINKS];
	unsigned n = list_uplinks(d, u), good = 0;

	for (unsigned i = 0; i < n && good < max; i++)
		if (is_good(&u[i]))
			out[good++] = u[i].addr;
	return good;
}

struct doctor_text doctor_router_mend(const char *ifname)
{
	int forwarding = sysctl_of(ifname, "forwarding"), accept = sysctl_of(ifname, "accept_ra");

	if (accept == 1 && forwarding == 1)
		return doctor_text("sysctl -w net.ipv6.conf.%s.accept_ra=2", ifname);
	if (accept == 0)
		return doctor_text(
			"sysctl -w net.ipv6.conf.%s.accept_ra=1    (or ip -6 route add default via ROUTER dev %s "
			"metric 2048)",
			ifname, ifname);
	return doctor_text("ip -6 route add default via ROUTER dev %s metric 2048    (rdisc6 %s shows the router)",
			   ifname, ifname);
}

/* Unreachable by its provider. A prefix that is no global one, of containers for instance, need not have a router. */
static void say_without_router(struct doctor *d, const struct uplink *u, bool enough)
{
	bool global = (u->addr.b[0] & 0xe0) == 0x20;

	if (!u->link->up) {
		doctor_say(d, enough ? DOCTOR_WARNING : DOCTOR_PROBLEM, "uplinks",
			   "what uses this prefix has no way out",
			   doctor_text("ip link set dev %s up    (or plug it in)", u->link->name).s,
			   "%s has %s but is down or has no carrier", u->link->name, doctor_prefix64(&u->addr).s);
	} else if (global) {
		doctor_say(d, enough ? DOCTOR_WARNING : DOCTOR_PROBLEM, "router",
			   "packets from this prefix cannot leave by its own provider, and others drop them (BCP 38)",
			   doctor_router_mend(u->link->name).s, "%s has %s but no default router on %s", u->link->name,
			   doctor_prefix64(&u->addr).s, u->link->name);
	}
}

static void say_good(struct doctor *d, const struct uplink *u)
{
	const struct host_router *r = u->router;

	if (r->failed)
		doctor_say(d, DOCTOR_WARNING, "router", "sessions cannot fail over to this provider while it is gone",
			   doctor_text("ping -c 3 %s%%%s    (then look at cable, modem and router)",
				       doctor_addr(&r->gateway).s, u->link->name)
				   .s,
			   "the router %s of %s on %s does not answer", doctor_addr(&r->gateway).s,
			   doctor_prefix64(&u->addr).s, u->link->name);
	else
		doctor_say(d, DOCTOR_OK, "router", NULL, NULL, "%s on %s has the router %s",
			   doctor_prefix64(&u->addr).s, u->link->name, doctor_addr(&r->gateway).s);
}

static unsigned count_routers(const struct uplink *u, unsigned n)
{
	unsigned routers = 0;

	for (unsigned i = 0; i < n; i++) {
		bool seen = !is_good(&u[i]);

		for (unsigned k = 0; k < i && !seen; k++)
			seen = is_good(&u[k]) && u[k].link == u[i].link &&
			       shim6_addr_eq(&u[k].router->gateway, &u[i].router->gateway);
		routers += !seen;
	}
	return routers;
}

static void say_count(struct doctor *d, unsigned good, unsigned routers)
{
	static const char second[] = "shim6 addr generate    (once a second uplink with its own /64 is connected; ip "
				     "-6 route shows routers)";

	if (good == 0)
		doctor_say(d, DOCTOR_PROBLEM, "uplinks", FEW_ROUTERS_WHY,
			   "ip -6 addr; ip -6 route    (connect an uplink with a global /64 and a router)",
			   "no prefix of this host has a router");
	else if (good == 1)
		doctor_say(d, DOCTOR_PROBLEM, "uplinks",
			   FEW_ROUTERS_WHY "; with one, this host answers peers that have two, and is protected "
					   "against their failures only",
			   second, "only one prefix with a router");
	else if (routers == 1)
		doctor_say(d, DOCTOR_WARNING, "uplinks",
			   "when this router fails all prefixes go with it; only failures behind it are survived",
			   second, "%u prefixes, but all of one router", good);
	else
		doctor_say(d, DOCTOR_OK, "uplinks", NULL, NULL, "%u prefixes with %u routers", good, routers);
}

static void say_addresses(struct doctor *d)
{
	for (unsigned i = 0; i < d->snap->n_addresses; i++) {
		const struct host_address *a = &d->snap->addresses[i];
		const struct host_link *l = doctor_link(d, a->ifindex);

		if (!l || !a->dad_failed)
			continue;
		doctor_say(
			d, DOCTOR_PROBLEM, "addresses", "the kernel does not use it, and neither do sessions",
			doctor_text("ip -6 addr del %s/%u dev %s", doctor_addr(&a->addr).s, a->prefix_len, l->name).s,
			"%s on %s is a duplicate: another host has it", doctor_addr(&a->addr).s, l->name);
	}
}

/* A link that fails takes its addresses along; the daemon knows what was there. */
static void say_lost(struct doctor *d, const struct uplink *u, unsigned n, bool enough)
{
	for (size_t i = 0; i < doctor_length(d->locators); i++) {
		struct json_object *l = doctor_at(d->locators, i);
		const struct host_link *link = host_link_by_name(d->host, doctor_string(l, "ifname"));
		struct uplink lost = { .link = link };
		bool told = !link || link->up || inet_pton(AF_INET6, doctor_string(l, "addr"), lost.addr.b) != 1;

		for (unsigned k = 0; k < n && !told; k++)
			told = u[k].link == link && doctor_same64(&u[k].addr, &lost.addr);
		if (!told)
			say_without_router(d, &lost, enough);
	}
}

void check_uplinks(struct doctor *d)
{
	struct uplink u[MAX_UPLINKS];
	unsigned n = list_uplinks(d, u), good = 0, routers = count_routers(u, n);

	for (unsigned i = 0; i < n; i++)
		good += is_good(&u[i]);
	say_count(d, good, routers);
	for (unsigned i = 0; i < n; i++) {
		if (is_good(&u[i]))
			say_good(d, &u[i]);
		else
			say_without_router(d, &u[i], good > 1);
	}
	say_lost(d, u, n, good > 1);
	say_addresses(d);
}

/* --- MTU ------------------------------------------------------------------ */

static void say_mtu(struct doctor *d, const struct host_link *l)
{
	int of_ip = sysctl_of(l->name, "mtu");
	unsigned mtu = of_ip > 0 && (unsigned)of_ip < l->mtu ? (unsigned)of_ip : l->mtu;
	struct doctor_text mend = doctor_text("ip link set dev %s mtu 1500", l->name);

	if (mtu != l->mtu)
		mend = doctor_text("sysctl -w net.ipv6.conf.%s.mtu=%u    (a router may announce the small one again)",
				   l->name, l->mtu);
	if (l->mtu < MIN_MTU)
		doctor_say(d, DOCTOR_WARNING, "mtu",
			   "the kernel turns IPv6 off below 1280: this uplink is lost to sessions", mend.s,
			   "%s has an MTU of %u", l->name, l->mtu);
	else if (mtu < MIN_MTU + SHIM_LEN)
		doctor_say(d, DOCTOR_WARNING, "mtu",
			   "after a failover each packet needs 8 octets more; what no longer fits is cut or sent as "
			   "fragments",
			   mend.s, "%s has an MTU of %u, less than 1288", l->name, mtu);
	else
		doctor_say(d, DOCTOR_OK, "mtu", NULL, NULL, "%s: %u, %u for sessions after a failover", l->name, mtu,
			   mtu - SHIM_LEN);
}

void check_mtu(struct doctor *d)
{
	for (unsigned i = 0; i < d->snap->n_links; i++) {
		const struct host_link *l = &d->snap->links[i];
		bool wanted = l->up && l->mtu < MIN_MTU;

		for (unsigned k = 0; k < d->n_sources; k++)
			wanted = wanted || d->sources[k].ifindex == l->ifindex;
		if (wanted && !doctor_own_device(d, l))
			say_mtu(d, l);
	}
}
