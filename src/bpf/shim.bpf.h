/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ingress of shim1, the far end of shim0: where packets of switched contexts
 * become packets of their current pair (RFC 5533 section 11.1). They arrive
 * segmented and with complete transport checksums over the ULIDs (D-05).
 * What has no switched context goes out unmodified by the interface of its
 * source address. What would exceed the path MTU is split above the shim when
 * the sender may not send less, else answered with Packet Too Big.
 */
#ifndef SHIM6_SHIM_BPF_H
#define SHIM6_SHIM_BPF_H

#include "context.bpf.h"
#include "fragment.bpf.h"

#define L2 ETH_HLEN
#define ICMP6_TOO_BIG 2
#define HOPS 64

static __always_inline int leave(struct __sk_buff *skb, __u32 ifindex)
{
	skb->tc_index = skb->mark & SB_MARK ? SB_STAGE_SENT_MARKED : SB_STAGE_SENT;
	skb->mark |= SB_MARK;
	return (int)bpf_redirect_neigh(ifindex, NULL, 0, 0);
}

static __noinline int leave_plain(struct __sk_buff *skb, struct sb_addr *src)
{
	const struct sb_local *l = src ? bpf_map_lookup_elem(&s6_locals, src) : NULL;

	if (!l || !l->ifindex)
		return drop(SB_C_tx_no_interface);
	return leave(skb, l->ifindex);
}

struct too_big {
	struct ip6 ip;
	__u8 type, code;
	__u16 check;
	__u32 mtu;
};

/*
 * Packet Too Big from the peer's ULID to ours, about this packet as its sender
 * knows it (X-20, D-19), handed to the stack as if shim0 had received it.
 */
static __noinline int too_big(struct __sk_buff *skb, struct ip6 *ip, __u32 mtu)
{
	const struct sb_config *c = config();
	struct too_big t = { .ip = { .flow = bpf_htonl(0x60000000),
				     .len = bpf_htons(8 + SB_PTB_QUOTE),
				     .nh = IPPROTO_ICMPV6,
				     .hops = HOPS },
			     .type = ICMP6_TOO_BIG,
			     .mtu = bpf_htonl(mtu) };
	struct {
		__u32 len, nh;
	} pseudo = { bpf_htonl(8 + SB_PTB_QUOTE), bpf_htonl(IPPROTO_ICMPV6) };
	__u8 type = 0;
	void *data;
	__s64 sum;

	if (!ip || !c)
		return drop(SB_C_tx_too_big_silent);
	if (ip->nh == IPPROTO_ICMPV6 && (bpf_skb_load_bytes(skb, L2 + IP6_LEN, &type, 1) || type <= ICMP6_ERROR_MAX))
		return drop(SB_C_tx_too_big_silent);
	t.ip.src = ip->dst;
	t.ip.dst = ip->src;
	if (bpf_skb_change_tail(skb, L2 + SB_PTB_QUOTE, 0) || bpf_skb_adjust_room(skb, 48, BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_store_bytes(skb, 0, c->shim0_mac, 6, 0) || bpf_skb_pull_data(skb, L2 + sizeof(t) + SB_PTB_QUOTE))
		return drop(SB_C_tx_too_big_silent);
	data = (void *)(long)skb->data;
	if (data + L2 + sizeof(t) + SB_PTB_QUOTE > (void *)(long)skb->data_end)
		return drop(SB_C_tx_too_big_silent);
	sum = bpf_csum_diff(NULL, 0, data + L2 + sizeof(t), SB_PTB_QUOTE, 0);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&t.type, 8, (__u32)sum);
	sum = bpf_csum_diff(NULL, 0, t.ip.src.w, 32, (__u32)sum);
	sum = bpf_csum_diff(NULL, 0, &pseudo.len, 8, (__u32)sum);
	t.check = csum_fold((__u64)sum);
	if (bpf_skb_store_bytes(skb, L2, &t, sizeof(t), 0))
		return drop(SB_C_tx_too_big_silent);
	count(SB_C_tx_too_big);
	return (int)bpf_redirect(c->shim0, BPF_F_INGRESS);
}

static __always_inline __u32 path_mtu(const struct sb_activity *a, const struct sb_local *l)
{
	__u32 mtu = l->mtu;

	if (a->mtu && a->mtu < mtu)
		mtu = a->mtu;
	return mtu < SB_MIN_MTU ? SB_MIN_MTU : mtu;
}

/* Flow label, traffic class and hop limit stay (D-08). */
static __always_inline int rewrite(struct __sk_buff *skb, const struct sb_context *c, const struct place *p,
				   struct ip6 *ip)
{
	__be64 tag = bpf_cpu_to_be64(c->ct_peer & SB_TAG_MASK);
	__u8 h[8];

	__builtin_memcpy(h, &tag, 8);
	h[1] = 0;
	h[2] |= 0x80; /* P = 1 (W-06) */
	ip->src = c->current.local;
	ip->dst = c->current.peer;
	ip->len = bpf_htons((__u16)(bpf_ntohs(ip->len) + SB_SHIM_LEN));
	return insert_header(skb, L2, p, ip, SB_NH_SHIM6, h);
}

static __always_inline int send_on_current_pair(struct __sk_buff *skb, const struct found *f, struct ip6 *ip,
						struct place *p)
{
	const struct sb_local *l;
	struct sb_context c;
	__u32 total, mtu, ifindex;
	int rc = context_read(f->slot, &c);

	if (rc)
		return drop(SB_C_tx_torn);
	if (!(c.flags & SB_REWRITE))
		return leave_plain(skb, &ip->src);
	l = bpf_map_lookup_elem(&s6_locals, &c.current.local);
	if (!l || !l->ifindex)
		return drop(SB_C_tx_no_locator);
	ifindex = l->ifindex;
	mtu = path_mtu(f->activity, l) - SB_SHIM_LEN;
	total = IP6_LEN + bpf_ntohs(ip->len);
	if (total > mtu)
		return total <= SB_MIN_MTU ? split(skb, L2, ip, p)
					   : too_big(skb, ip, mtu < SB_MIN_MTU ? SB_MIN_MTU : mtu);
	sent(skb, L2, f, ip->nh);
	if (rewrite(skb, &c, p, ip))
		return drop(SB_C_tx_failed);
	count(SB_C_tx_rewritten);
	return leave(skb, ifindex);
}

static __always_inline int shim(struct __sk_buff *skb)
{
	struct found context;
	struct sb_pair pair;
	struct place p;
	struct ip6 *in_packet, ip;

	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return drop(SB_C_tx_stray);
	if (skb->tc_index == SB_STAGE_HALF_1 || skb->tc_index == SB_STAGE_HALF_2) {
		if (cut(skb, L2))
			return drop(SB_C_tx_failed);
	}
	in_packet = ip6_header(skb, L2);
	if (!in_packet)
		return drop(SB_C_tx_malformed);
	ip = *in_packet;
	if (is_multicast(&ip.dst) || is_link_local(&ip.dst) || is_link_local(&ip.src) ||
	    skb->len < L2 + IP6_LEN + bpf_ntohs(ip.len))
		return drop(SB_C_tx_stray);
	pair.local = ip.src;
	pair.peer = ip.dst;
	if (!find_by_ulid(&pair, &context) || !(context.flags & SB_REWRITE))
		return leave_plain(skb, &ip.src);
	p = (struct place){ .off = IP6_LEN, .nh_off = 6, .nh = ip.nh };
	if (place_to_insert(skb, L2, &p)) {
		count(SB_C_tx_bypassed);
		return leave_plain(skb, &ip.src);
	}
	return send_on_current_pair(skb, &context, &ip, &p);
}

#endif
