/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fragmentation above the shim. IPv6 senders never go below 1280
 * octets, but 8 more do not pass a path of 1280. Such a packet is sent through
 * shim1 twice more: one copy keeps the front of its data, the other the rest,
 * and both then go the ordinary way. A packet that is no fragment yet becomes
 * one first; a fragment keeps its identification (RFC 8200 section 4.5).
 */
#ifndef SHIM6_FRAGMENT_BPF_H
#define SHIM6_FRAGMENT_BPF_H

#include "context.bpf.h"

#define NH_FRAGMENT 44

struct fragment_header {
	__u8 nh;
	__u8 reserved;
	__be16 offset; /* in 8-octet units << 3, last bit: more follow */
	__u32 id;
};

static __noinline int split(struct __sk_buff *skb, __u32 l2, struct ip6 *ip, struct place *p)
{
	if (!ip || !p)
		return drop(SB_C_tx_failed);
	if (p->nh != NH_FRAGMENT) {
		struct fragment_header f = { .id = bpf_get_prandom_u32() };

		ip->len = bpf_htons((__u16)(bpf_ntohs(ip->len) + sizeof(f)));
		if (insert_header(skb, l2, p, ip, NH_FRAGMENT, (__u8 *)&f))
			return drop(SB_C_tx_failed);
	}
	skb->tc_index = SB_STAGE_HALF_1;
	if (bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS))
		return drop(SB_C_tx_failed);
	skb->tc_index = SB_STAGE_HALF_2;
	count(SB_C_tx_fragmented);
	return (int)bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

/* Removes the first n octets of the data behind the Fragment header at off. */
static __always_inline int remove_front(struct __sk_buff *skb, __u32 l2, __u32 off, __u32 n)
{
	if (n < 8 || n > SB_MIN_MTU)
		return -1;
	return move_back(skb, l2 + IP6_LEN, off + 8 - IP6_LEN, n) ||
	       bpf_skb_adjust_room(skb, -(__s32)n, BPF_ADJ_ROOM_NET, 0);
}

/* Makes a whole packet into the half that its stage says. */
static __noinline int cut(struct __sk_buff *skb, __u32 l2)
{
	__u32 stage = skb->tc_index, total, data, first;
	struct fragment_header f;
	struct place p;
	struct ip6 *ip;
	__be16 len;

	skb->tc_index = SB_STAGE_NONE;
	ip = ip6_header(skb, l2);
	if (!ip)
		return -1;
	total = IP6_LEN + bpf_ntohs(ip->len);
	p = (struct place){ .off = IP6_LEN, .nh_off = 6, .nh = ip->nh };
	if (place_to_insert(skb, l2, &p) || p.nh != NH_FRAGMENT || bpf_skb_load_bytes(skb, l2 + p.off, &f, sizeof(f)))
		return -1;
	if (total < p.off + sizeof(f) + 16)
		return -1;
	data = total - p.off - sizeof(f);
	first = (data / 2 + 7) & ~7u;
	if (stage == SB_STAGE_HALF_1) {
		f.offset |= bpf_htons(1);
		total = p.off + sizeof(f) + first;
		if (bpf_skb_change_tail(skb, l2 + total, 0))
			return -1;
	} else {
		f.offset = bpf_htons((__u16)(bpf_ntohs(f.offset) + first));
		total -= first;
		if (remove_front(skb, l2, p.off, first))
			return -1;
	}
	len = bpf_htons((__u16)(total - IP6_LEN));
	return bpf_skb_store_bytes(skb, l2 + 4, &len, sizeof(len), 0) ||
	       bpf_skb_store_bytes(skb, l2 + p.off, &f, sizeof(f), 0);
}

#endif
