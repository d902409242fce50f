/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets: the IPv6 header, the chain behind it, and moving headers about.
 * Offsets named off count from the start of the packet data, l2 is the length
 * of the link-layer header (0 on devices without one). Loops are bounded by
 * constants; a chain or a header longer than that is left alone by its caller.
 */
#ifndef SHIM6_PACKET_BPF_H
#define SHIM6_PACKET_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"

#define IP6_LEN 40
#define NH_SCTP 132
#define ICMP6_ERROR_MAX 127
#define ICMP6_ND_FIRST 133
#define ICMP6_ND_LAST 137
#define RH_MOBILITY 2
#define OPT_PAD1 0
#define OPT_HOME_ADDRESS 201
#define MAX_CHAIN 6   /* extension headers looked at */
#define MAX_OPTIONS 8 /* options looked at in one destination options header */
#define MAX_UNITS 32  /* 8-octet units of extension headers moved */

/* The parts of an IPv6 header as words that can be written without alignment trouble. */
struct ip6 {
	__u32 flow;
	__u16 len;
	__u8 nh;
	__u8 hops;
	struct sb_addr src;
	struct sb_addr dst;
};

static __always_inline bool is_multicast(const struct sb_addr *a)
{
	return (a->w[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

static __always_inline bool is_link_local(const struct sb_addr *a)
{
	return (a->w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline bool is_unspecified_or_loopback(const struct sb_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | (a->w[3] & ~bpf_htonl(1)));
}

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* The IPv6 header, in the packet; NULL if it is not there. */
static __always_inline struct ip6 *ip6_header(struct __sk_buff *skb, __u32 l2)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + l2 + IP6_LEN > end) {
		if (bpf_skb_pull_data(skb, l2 + IP6_LEN))
			return NULL;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
		if (data + l2 + IP6_LEN > end)
			return NULL;
	}
	return data + l2;
}

static __always_inline bool is_nd(struct __sk_buff *skb, __u32 off)
{
	__u8 type = 0;

	return !bpf_skb_load_bytes(skb, off, &type, 1) && type >= ICMP6_ND_FIRST && type <= ICMP6_ND_LAST;
}

/* Where the routing-sublayer headers end: the place of a Shim6 header. */
struct place {
	__u32 off;    /* octets from the start of the IPv6 header */
	__u32 nh_off; /* of the octet that names what is there */
	__u8 nh;      /* what is there */
};

/* A destination options header with a Home Address option? Unreadable counts as yes. */
static __noinline int has_home_address(struct __sk_buff *skb, __u32 off)
{
	__u8 h[2];
	__u32 end;

	if (bpf_skb_load_bytes(skb, off, h, 2))
		return 1;
	end = off + 8 + (__u32)h[1] * 8;
	off += 2;
	for (int i = 0; i < MAX_OPTIONS; i++) {
		if (off >= end)
			return 0;
		if (bpf_skb_load_bytes(skb, off, h, 1))
			return 1;
		if (h[0] == OPT_HOME_ADDRESS)
			return 1;
		if (h[0] == OPT_PAD1) {
			off++;
			continue;
		}
		if (bpf_skb_load_bytes(skb, off, h, 2))
			return 1;
		off += 2 + (__u32)h[1];
	}
	return 0;
}

/* Steps over one extension header; false if it cannot be read. */
static __always_inline bool place_next(struct __sk_buff *skb, __u32 l2, struct place *p)
{
	__u8 h[2];

	if (bpf_skb_load_bytes(skb, l2 + p->off, h, 2))
		return false;
	p->nh_off = p->off;
	p->nh = h[0];
	p->off += 8 + (__u32)h[1] * 8;
	return true;
}

/*
 * The place for sending: behind Hop-by-Hop and Routing headers and
 * behind Destination Options that a Routing header follows.
 * 1: bypass this packet (X-11, X-12, or headers we cannot read).
 */
static __noinline int place_to_insert(struct __sk_buff *skb, __u32 l2, struct place *p)
{
	struct place next;
	__u8 rh[4];

	for (int i = 0; i < MAX_CHAIN; i++) {
		switch (p->nh) {
		case IPPROTO_HOPOPTS:
			break;
		case IPPROTO_ROUTING:
			if (bpf_skb_load_bytes(skb, l2 + p->off, rh, 4) || rh[2] == RH_MOBILITY || rh[3])
				return 1;
			break;
		case IPPROTO_DSTOPTS:
			if (has_home_address(skb, l2 + p->off))
				return 1;
			next = *p;
			if (!place_next(skb, l2, &next))
				return 1;
			if (next.nh != IPPROTO_ROUTING)
				return 0;
			break;
		case IPPROTO_ICMPV6:
			return is_nd(skb, l2 + p->off);
		case NH_SCTP:
		case SB_NH_SHIM6:
			return 1;
		default:
			return 0;
		}
		if (!place_next(skb, l2, p))
			return 1;
	}
	return 1;
}

/* The place of a Shim6 header in a packet as it came, in whatever order. */
static __noinline int place_of_shim(struct __sk_buff *skb, __u32 l2, struct place *p)
{
	for (int i = 0; i < MAX_CHAIN; i++) {
		if (p->nh == SB_NH_SHIM6)
			return 1;
		if (p->nh != IPPROTO_HOPOPTS && p->nh != IPPROTO_ROUTING && p->nh != IPPROTO_DSTOPTS)
			return 0;
		if (!place_next(skb, l2, p))
			return 0;
	}
	return 0;
}

static __always_inline bool starts_chain(__u8 nh)
{
	return nh == IPPROTO_HOPOPTS || nh == IPPROTO_ROUTING || nh == IPPROTO_DSTOPTS;
}

/* Moves len octets (a multiple of 8) at off back by 8, towards the end, last unit first. */
static __noinline int move_back(struct __sk_buff *skb, __u32 off, __u32 len, __u32 by)
{
	__u64 unit;

	if (len > MAX_UNITS * 8)
		return -1;
	for (int i = 0; i < MAX_UNITS; i++) {
		if (len < 8)
			return 0;
		len -= 8;
		if (bpf_skb_load_bytes(skb, off + len, &unit, 8) ||
		    bpf_skb_store_bytes(skb, off + len + by, &unit, 8, BPF_F_RECOMPUTE_CSUM))
			return -1;
	}
	return 0;
}

/* Moves len octets (a multiple of 8) at off forward by 8, first unit first. */
static __noinline int move_forward(struct __sk_buff *skb, __u32 off, __u32 len)
{
	__u64 unit;

	if (len > MAX_UNITS * 8)
		return -1;
	for (int i = 0; i < MAX_UNITS; i++) {
		if (len < 8)
			return 0;
		if (bpf_skb_load_bytes(skb, off, &unit, 8) ||
		    bpf_skb_store_bytes(skb, off - 8, &unit, 8, BPF_F_RECOMPUTE_CSUM))
			return -1;
		off += 8;
		len -= 8;
	}
	return 0;
}

/*
 * Inserts an 8-octet header at p: the one before it now names nh, h[0] what it
 * named. ip holds the IPv6 header, with the addresses and length to be written.
 */
static __always_inline int insert_header(struct __sk_buff *skb, __u32 l2, const struct place *p, struct ip6 *ip,
					 __u8 nh, __u8 *h)
{
	__u32 between = p->off - IP6_LEN;

	if (bpf_skb_adjust_room(skb, 8, BPF_ADJ_ROOM_NET, 0))
		return -1;
	h[0] = p->nh;
	if (!between) {
		struct {
			struct ip6 ip;
			__u8 h[8];
		} out = { .ip = *ip };

		out.ip.nh = nh;
		__builtin_memcpy(out.h, h, 8);
		return bpf_skb_store_bytes(skb, l2, &out, sizeof(out), BPF_F_RECOMPUTE_CSUM);
	}
	if (bpf_skb_store_bytes(skb, l2, ip, IP6_LEN, BPF_F_RECOMPUTE_CSUM) ||
	    move_forward(skb, l2 + IP6_LEN + 8, between) ||
	    bpf_skb_store_bytes(skb, l2 + p->nh_off, &nh, 1, BPF_F_RECOMPUTE_CSUM))
		return -1;
	return bpf_skb_store_bytes(skb, l2 + p->off, h, 8, BPF_F_RECOMPUTE_CSUM);
}

#endif
