// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The entry points. Each works on Ethernet devices and, with the suffix _l3, on
 * devices whose packets begin with the IPv6 header. A packet that we are done
 * with goes on to the next tc filter (TC_ACT_UNSPEC), which sees ULIDs.
 */
#include <stdbool.h>
#include <stddef.h>

#include "egress.bpf.h"
#include "ingress.bpf.h"
#include "shim.bpf.h"

SEC("tc")
int shim6_egress(struct __sk_buff *skb)
{
	return egress(skb, ETH_HLEN);
}

SEC("tc")
int shim6_egress_l3(struct __sk_buff *skb)
{
	return egress(skb, 0);
}

SEC("tc")
int shim6_ingress(struct __sk_buff *skb)
{
	return ingress(skb, ETH_HLEN);
}

SEC("tc")
int shim6_ingress_l3(struct __sk_buff *skb)
{
	return ingress(skb, 0);
}

SEC("tc")
int shim6_shim(struct __sk_buff *skb)
{
	return shim(skb);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
