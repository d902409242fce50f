// SPDX-License-Identifier: GPL-2.0-or-later
/* Builds and removes the network of a lab (picture in topology.h). */
#include "lab/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/netns.h"

#define UPLINK_TABLE 100   /* + provider number: routes of packets with that provider's source */
#define UPLINK_RULE 1000   /* + provider number: priority of the rule */
#define UPLINK_METRIC 1024 /* provider 1 is preferred for packets without a source */

char topology_host_letter(unsigned host)
{
	return host ? 'B' : 'A';
}

static char letter(unsigned host)
{
	return host ? 'b' : 'a';
}

void topology_prefix(unsigned host, unsigned provider, char out[static LAB_ADDR_MAX])
{
	lab_format(out, LAB_ADDR_MAX, "2001:db8:%c:%u::/64", letter(host), provider + 1);
}

void topology_host_ns(const struct lab *lab, unsigned host, char out[static NETNS_NAME_MAX])
{
	lab_format(out, NETNS_NAME_MAX, "%s-%c", lab->name, topology_host_letter(host));
}

void topology_router_ns(const struct lab *lab, unsigned host, unsigned provider, char out[static NETNS_NAME_MAX])
{
	lab_format(out, NETNS_NAME_MAX, "%s-%c%u", lab->name, topology_host_letter(host), provider + 1);
}

static int add_node(const char *ns, bool router)
{
	/* Addresses are usable at once: the lab measures failures, not duplicate address detection. */
	static const char *const common[] = { "net/ipv6/conf/default/accept_dad=0", "net/ipv6/conf/all/accept_dad=0",
					      "net/ipv6/conf/default/accept_ra=0", "net/ipv6/conf/all/accept_ra=0",
					      NULL };
	static const char *const forward[] = { "net/ipv6/conf/all/forwarding=1", NULL };

	if (netns_add(ns) || netns_sysctl(ns, common) || (router && netns_sysctl(ns, forward)))
		return -1;
	return netns_ip(ns, "link set lo up\n");
}

/* One provider: host -- router -- core. */
static int add_provider(const struct lab *lab, unsigned host, unsigned p)
{
	char host_ns[NETNS_NAME_MAX], router[NETNS_NAME_MAX], core[NETNS_NAME_MAX], batch[1024];
	char h = letter(host);
	unsigned n = p + 1;

	topology_host_ns(lab, host, host_ns);
	topology_router_ns(lab, host, p, router);
	lab_node(lab, core, sizeof(core), "core");
	if (add_node(router, true))
		return -1;

	lab_format(batch, sizeof(batch), "link add eth%u type veth peer name cust netns %s\nlink set eth%u up\n", n,
		   router, n);
	if (netns_ip(host_ns, batch))
		return -1;
	lab_format(batch, sizeof(batch),
		   "link add %c%u type veth peer name up netns %s\nlink set %c%u up\n"
		   "addr add 2001:db8:ff:%c%u::1/64 dev %c%u nodad\n",
		   h, n, router, h, n, h, n, h, n);
	if (netns_ip(core, batch))
		return -1;
	lab_format(batch, sizeof(batch),
		   "link set cust up\nlink set dev up up\n"
		   "addr add 2001:db8:%c:%u::1/64 dev cust nodad\n"
		   "addr add 2001:db8:ff:%c%u::2/64 dev up nodad\n"
		   "route add default via 2001:db8:ff:%c%u::1 dev up\n",
		   h, n, h, n, h, n);
	if (netns_ip(router, batch))
		return -1;
	lab_format(batch, sizeof(batch), "route add 2001:db8:%c:%u::/64 via 2001:db8:ff:%c%u::2 dev %c%u\n", h, n, h, n,
		   h, n);
	if (netns_ip(core, batch))
		return -1;
	lab_format(batch, sizeof(batch),
		   "table ip6 lab {\n"
		   " chain ingress { type filter hook forward priority 0; policy accept;\n"
		   "  iifname \"cust\" ip6 saddr != 2001:db8:%c:%u::/64 counter drop\n }\n"
		   " chain fault { type filter hook forward priority %d; policy accept;\n }\n}\n",
		   h, n, TOPOLOGY_PRIO_FAULT);
	return netns_nft(router, batch);
}

int topology_uplink(const struct lab *lab, unsigned host, unsigned p)
{
	char ns[NETNS_NAME_MAX], batch[1024];
	char h = letter(host);
	unsigned n = p + 1;

	topology_host_ns(lab, host, ns);
	lab_format(batch, sizeof(batch),
		   "link set eth%u up\n"
		   "route replace 2001:db8:%c:%u::/64 dev eth%u metric 256\n"
		   "route replace default via 2001:db8:%c:%u::1 dev eth%u metric %u\n",
		   n, h, n, n, h, n, n, UPLINK_METRIC * n);
	if (netns_ip(ns, batch))
		return -1;
	if (lab->shim6)
		return 0; /* the daemon configures its addresses and routes by source itself */
	lab_format(batch, sizeof(batch), "rule del priority %u\n", UPLINK_RULE + n);
	netns_ip_try(ns, batch);
	lab_format(batch, sizeof(batch),
		   "addr replace %s/64 dev eth%u nodad\n"
		   "route replace default via 2001:db8:%c:%u::1 dev eth%u table %u\n"
		   "rule add from 2001:db8:%c:%u::/64 lookup %u priority %u\n",
		   lab->addr[host][p], n, h, n, n, UPLINK_TABLE + n, h, n, UPLINK_TABLE + n, UPLINK_RULE + n);
	return netns_ip(ns, batch);
}

int topology_up(struct lab *lab)
{
	char ns[NETNS_NAME_MAX];

	lab_node(lab, ns, sizeof(ns), "core");
	if (add_node(ns, true))
		return -1;
	for (unsigned h = 0; h < LAB_HOSTS; h++) {
		topology_host_ns(lab, h, ns);
		if (add_node(ns, false))
			return -1;
		for (unsigned p = 0; p < LAB_PROVIDERS; p++) {
			lab_format(lab->addr[h][p], LAB_ADDR_MAX, "2001:db8:%c:%u::10", letter(h), p + 1);
			if (add_provider(lab, h, p) || topology_uplink(lab, h, p))
				return -1;
		}
	}
	return 0;
}

int topology_down(const struct lab *lab)
{
	char ns[NETNS_NAME_MAX];
	int r;

	lab_node(lab, ns, sizeof(ns), "core");
	r = netns_del(ns);
	for (unsigned h = 0; h < LAB_HOSTS; h++) {
		topology_host_ns(lab, h, ns);
		r |= netns_del(ns);
		for (unsigned p = 0; p < LAB_PROVIDERS; p++) {
			topology_router_ns(lab, h, p, ns);
			r |= netns_del(ns);
		}
	}
	return r ? -1 : 0;
}

uint64_t topology_ingress_drops(const struct lab *lab, unsigned host, unsigned p)
{
	const char *const argv[] = { "nft", "list", "chain", "ip6", "lab", "ingress", NULL };
	char ns[NETNS_NAME_MAX], *at;
	struct strbuf out = { 0 };
	uint64_t n = 0;

	topology_router_ns(lab, host, p, ns);
	if (!proc_run(ns, argv, NULL, &out) && out.s && (at = strstr(out.s, "counter packets ")) != NULL)
		n = strtoull(at + strlen("counter packets "), NULL, 10);
	strbuf_free(&out);
	return n;
}
