/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Egress of a real device. Packets of a context that keeps its ULIDs get
 * stamped and go (D-03). Those of a switched context come here only while no
 * route leads them to shim0; they are led there, because only a device without
 * segmentation offload hands us single segments: no kernel segments a large
 * packet behind next header 140.
 */
#ifndef SHIM6_EGRESS_BPF_H
#define SHIM6_EGRESS_BPF_H

#include "context.bpf.h"

#define ICMP6_PARAM_PROBLEM 4
#define ICMP6_UNKNOWN_NEXT_HEADER 1

/*
 * Our own kernel denies Shim6 when no daemon holds a socket for it. The peer
 * would take that for a host without Shim6 (I-17).
 */
static __noinline int denies_shim6(struct __sk_buff *skb, __u32 icmp)
{
	struct {
		__u8 type, code;
		__u16 check;
		__u32 pointer;
	} h;
	__u8 culprit = 0;
	__u32 pointer;

	if (bpf_skb_load_bytes(skb, icmp, &h, sizeof(h)))
		return 0;
	if (h.type != ICMP6_PARAM_PROBLEM || h.code != ICMP6_UNKNOWN_NEXT_HEADER)
		return 0;
	pointer = bpf_ntohl(h.pointer);
	if (pointer > SB_MIN_MTU || bpf_skb_load_bytes(skb, icmp + 8 + pointer, &culprit, 1))
		return 0;
	return culprit == SB_NH_SHIM6;
}

/* What shim1 sent out unmodified: true, and the mark is as it was. */
static __always_inline bool was_sent(struct __sk_buff *skb)
{
	__u32 stage = skb->tc_index;

	if (stage != SB_STAGE_SENT && stage != SB_STAGE_SENT_MARKED)
		return false;
	if (stage == SB_STAGE_SENT)
		skb->mark &= ~SB_MARK;
	skb->tc_index = SB_STAGE_NONE;
	return true;
}

/* To shim0, which is an Ethernet device. */
static __always_inline int detour(struct __sk_buff *skb, __u32 l2)
{
	const struct sb_config *c = config();

	if (!c)
		return TC_ACT_UNSPEC;
	if (!l2) {
		struct ethhdr eth = { .h_proto = bpf_htons(ETH_P_IPV6) };

		if (bpf_skb_change_head(skb, ETH_HLEN, 0) || bpf_skb_store_bytes(skb, 0, &eth, ETH_HLEN, 0))
			return drop(SB_C_tx_failed);
	}
	count(SB_C_tx_detoured);
	return (int)bpf_redirect(c->shim0, 0);
}

static __always_inline int egress(struct __sk_buff *skb, const __u32 l2)
{
	struct found context;
	struct sb_pair pair;
	struct place p;
	struct ip6 *ip;
	bool sent_already;
	__u8 nh;

	if (skb->protocol != bpf_htons(ETH_P_IPV6) || skb->vlan_present)
		return TC_ACT_UNSPEC;
	sent_already = was_sent(skb);
	ip = ip6_header(skb, l2);
	if (!ip)
		return TC_ACT_UNSPEC;
	nh = ip->nh;
	if (nh == SB_NH_SHIM6)
		return TC_ACT_UNSPEC;
	pair.local = ip->src;
	pair.peer = ip->dst;
	if (nh == IPPROTO_ICMPV6) {
		if (is_nd(skb, l2 + IP6_LEN))
			return TC_ACT_UNSPEC;
		if (denies_shim6(skb, l2 + IP6_LEN))
			return drop(SB_C_tx_unrecognized);
	} else if (starts_chain(nh)) {
		p = (struct place){ .off = IP6_LEN, .nh_off = 6, .nh = nh };
		if (place_of_shim(skb, l2, &p))
			return TC_ACT_UNSPEC;
	}

	if (!find_by_ulid(&pair, &context)) {
		count_pair(skb, l2, &pair, nh);
		return TC_ACT_UNSPEC;
	}
	if ((context.flags & SB_REWRITE) && !sent_already) {
		p = (struct place){ .off = IP6_LEN, .nh_off = 6, .nh = nh };
		if (!place_to_insert(skb, l2, &p))
			return detour(skb, l2);
		count(SB_C_tx_bypassed);
		return TC_ACT_UNSPEC;
	}
	count(SB_C_tx_plain);
	sent(skb, l2, &context, nh);
	return TC_ACT_UNSPEC;
}

#endif
