/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ingress of a real device, before reassembly, IPsec, firewall and sockets:
 * tagged packets get their ULIDs back (RFC 5533 section 12.2), each fragment by
 * itself; control messages pass to the daemon's socket; plain packets
 * of a context are stamped (D-09).
 */
#ifndef SHIM6_INGRESS_BPF_H
#define SHIM6_INGRESS_BPF_H

#include "icmp.bpf.h"

static __always_inline int unknown_tag(const struct ip6 *ip, __u64 tag)
{
	struct sb_event ev = { .type = SB_EVENT_UNKNOWN_TAG, .tag = tag };

	ev.pair.local = ip->src;
	ev.pair.peer = ip->dst;
	tell(&ev);
	return drop(SB_C_rx_unknown_tag);
}

/* The reverse of insert_header(): p is the place of the payload header, nh what it names. */
static __always_inline int strip(struct __sk_buff *skb, __u32 l2, const struct place *p, struct ip6 *ip, __u8 nh)
{
	__u32 between = p->off - IP6_LEN;

	ip->len = bpf_htons((__u16)(bpf_ntohs(ip->len) - SB_SHIM_LEN));
	if (!between) {
		ip->nh = nh;
	} else if (bpf_skb_store_bytes(skb, l2 + p->nh_off, &nh, 1, BPF_F_RECOMPUTE_CSUM) ||
		   move_back(skb, l2 + IP6_LEN, between, SB_SHIM_LEN)) {
		return -1;
	}
	if (bpf_skb_adjust_room(skb, -SB_SHIM_LEN, BPF_ADJ_ROOM_NET, 0))
		return -1;
	return bpf_skb_store_bytes(skb, l2, ip, IP6_LEN, BPF_F_RECOMPUTE_CSUM);
}

/* A Shim6 header at p, in a packet to one of our addresses. */
static __noinline int shimmed(struct __sk_buff *skb, __u32 l2, struct ip6 *ip, struct place *p)
{
	struct sb_context c;
	struct place after;
	struct found found;
	const __u32 *slot;
	__u64 h, tag;

	if (!ip || !p)
		return TC_ACT_SHOT;
	if (bpf_skb_load_bytes(skb, l2 + p->off, &h, sizeof(h)) || IP6_LEN + bpf_ntohs(ip->len) < p->off + SB_SHIM_LEN)
		return drop(SB_C_rx_truncated);
	h = bpf_be64_to_cpu(h);
	if (!(h & (1ULL << 47))) {
		count(SB_C_rx_control); /* (D-13) */
		return TC_ACT_UNSPEC;
	}
	if (h >> 48 & 0xff)
		return drop(SB_C_rx_bad_length);
	tag = h & SB_TAG_MASK;
	slot = bpf_map_lookup_elem(&s6_by_tag, &tag);
	if (!slot)
		return unknown_tag(ip, tag);
	if (context_read(*slot, &c) || c.ct_local != tag)
		return drop(SB_C_rx_torn);
	if (!(c.flags & SB_ACCEPT))
		return drop(SB_C_rx_not_accepting);
	after = (struct place){ .off = p->off + SB_SHIM_LEN, .nh_off = p->off, .nh = (__u8)(h >> 56) };
	if (place_of_shim(skb, l2, &after))
		return drop(SB_C_rx_nested);

	ip->src = c.ulid.peer;
	ip->dst = c.ulid.local;
	if (strip(skb, l2, p, ip, (__u8)(h >> 56)))
		return drop(SB_C_rx_failed);
	found = (struct found){ .activity = activity_of(*slot), .ct_local = tag, .slot = *slot };
	if (found.activity)
		received(skb, l2, &found);
	count(SB_C_rx_rewritten);
	return TC_ACT_UNSPEC;
}

static __always_inline int plain(struct __sk_buff *skb, __u32 l2, const struct ip6 *ip)
{
	struct sb_pair pair = { .local = ip->dst, .peer = ip->src };
	struct found context;
	__u8 nh = ip->nh;

	if (nh == IPPROTO_ICMPV6 && is_nd(skb, l2 + IP6_LEN))
		return TC_ACT_UNSPEC;
	if (find_by_ulid(&pair, &context)) {
		count(SB_C_rx_plain);
		received(skb, l2, &context);
	} else {
		count_pair(skb, l2, &pair, nh);
	}
	return TC_ACT_UNSPEC;
}

static __always_inline int ingress(struct __sk_buff *skb, const __u32 l2)
{
	struct ip6 *in_packet, ip;
	struct place p;

	if (skb->protocol != bpf_htons(ETH_P_IPV6) || skb->vlan_present)
		return TC_ACT_UNSPEC;
	in_packet = ip6_header(skb, l2);
	if (!in_packet)
		return TC_ACT_UNSPEC;
	ip = *in_packet;
	if (ip.nh == SB_NH_SHIM6 || starts_chain(ip.nh)) {
		p = (struct place){ .off = IP6_LEN, .nh_off = 6, .nh = ip.nh };
		if (place_of_shim(skb, l2, &p)) {
			if (bpf_map_lookup_elem(&s6_locals, &ip.dst))
				return shimmed(skb, l2, &ip, &p);
			return TC_ACT_UNSPEC;
		}
	} else if (ip.nh == IPPROTO_ICMPV6) {
		int rc = icmp(skb, l2);

		if (rc != TC_ACT_OK)
			return rc;
	}
	return plain(skb, l2, &ip);
}

#endif
