/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network of a lab:
 *
 *        A1 ---+      +--- B1          prefixes (RFC 3849):
 *  A ===<      +-core-+      >=== B      A: 2001:db8:a:1::/64 and 2001:db8:a:2::/64
 *        A2 ---+      +--- B2            B: 2001:db8:b:1::/64 and 2001:db8:b:2::/64
 *
 * seven network namespaces. A host has eth1 to its provider 1 and eth2 to its
 * provider 2; a provider's router has "cust" to the host and "up" to the core,
 * and drops what its customer sends with a prefix that is not its own (ingress
 * filtering, BCP 38). All devices live inside the namespaces only, so labs
 * cannot meet.
 */
#ifndef SHIM6_LAB_TOPOLOGY_H
#define SHIM6_LAB_TOPOLOGY_H

#include "lab/netns.h"
#include "lab/state.h"

#define TOPOLOGY_PRIO_FAULT 10 /* of the faults' nft chain: behind the ingress filter */

char topology_host_letter(unsigned host);
void topology_prefix(unsigned host, unsigned provider, char out[static LAB_ADDR_MAX]); /* ".../64" */
void topology_host_ns(const struct lab *lab, unsigned host, char out[static NETNS_NAME_MAX]);
void topology_router_ns(const struct lab *lab, unsigned host, unsigned provider, char out[static NETNS_NAME_MAX]);

int topology_up(struct lab *lab);
int topology_down(const struct lab *lab);
/*
 * What a host configures on one uplink: the prefix, the default route and, with
 * addresses of its own, the rule that lets each source leave by its provider.
 * Also after the link came back, as a router advertisement would.
 */
int topology_uplink(const struct lab *lab, unsigned host, unsigned provider);
/* Packets each provider's ingress filter dropped. */
uint64_t topology_ingress_drops(const struct lab *lab, unsigned host, unsigned provider);

#endif
