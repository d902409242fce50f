/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMPv6 errors about tagged packets of ours (RFC 5533 section 8): found by the
 * quoted locators and CT(peer) (I-11), turned in place into the error that the
 * sender's socket would have got without us: ULIDs in, payload header out, MTU
 * less 8 (I-10, I-12), and handed to the daemon as a hint (I-16). When it says
 * that the pair is broken and the context has others, the daemon gets it instead
 * of the socket, until it is known whether one of those works (I-03, I-04, A-19).
 */
#ifndef SHIM6_ICMP_BPF_H
#define SHIM6_ICMP_BPF_H

#include "context.bpf.h"

#define ICMP6_LEN 8
#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG_TYPE 2
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_PROBLEM 4
#define ICMP6_PORT 4	  /* codes of "unreachable" */
#define ICMP6_LAST_CODE 6 /* of those that 5533 knows */
#define MTU_CEILING 65535

struct icmp6 {
	__u8 type, code;
	__u16 check;
	union {
		__u32 word;  /* MTU, pointer */
		__u8 length; /* of the quote in 8 octets, with RFC 4884 extensions behind it */
	};
};

/* The error's own header and the quoted one, as they stand one after the other. */
struct error {
	struct icmp6 icmp;
	struct ip6 quote;
};

/* The sender of the quoted packet. */
struct sender {
	struct sb_pair ulid;
	__u64 shim; /* the quoted payload header */
	__u64 ct_local;
	__u32 flags;
	__u32 slot;
	__u32 mtu; /* to tell it */
};

/* The path MTU of the current pair takes effect at once; it never rises here. */
static __always_inline __u32 learn_mtu(__u32 slot, __u32 reported)
{
	struct sb_activity *a = activity_of(slot);

	if (reported < SB_MIN_MTU)
		reported = SB_MIN_MTU;
	if (reported > MTU_CEILING)
		reported = MTU_CEILING;
	if (a && (!a->mtu || reported < a->mtu))
		a->mtu = reported;
	return reported;
}

/* Is a field of the payload header, or the octet that names it, the culprit (I-05)? */
static __always_inline bool about_shim(const struct error *e, const struct place *p)
{
	__u32 pointer = bpf_ntohl(e->icmp.word);

	return e->icmp.type == ICMP6_PROBLEM &&
	       (pointer == p->nh_off || (pointer >= p->off && pointer < p->off + SB_SHIM_LEN));
}

static __always_inline void translate_header(struct error *e, const struct place *p, const struct sb_pair *ulid,
					     __u8 inner_nh, __u32 mtu)
{
	__u32 pointer = bpf_ntohl(e->icmp.word);

	if (e->icmp.type == ICMP6_TOO_BIG_TYPE)
		e->icmp.word = bpf_htonl(mtu - SB_SHIM_LEN);
	else if (e->icmp.type == ICMP6_PROBLEM && pointer >= p->off)
		e->icmp.word = bpf_htonl(pointer - SB_SHIM_LEN);
	else if (e->icmp.type != ICMP6_PROBLEM && e->icmp.length)
		e->icmp.length--;
	if (p->off == IP6_LEN)
		e->quote.nh = inner_nh;
	e->quote.len = bpf_htons((__u16)(bpf_ntohs(e->quote.len) - SB_SHIM_LEN));
	e->quote.src = ulid->local;
	e->quote.dst = ulid->peer;
}

/* All that goes into the checksum and changes: old out, new in. The field itself is 0 in both. */
static __always_inline __u16 new_check(__u16 check, const struct error *old, const struct error *new, __u64 shim,
				       const struct place *p, __u32 upper_len)
{
	__u32 len[2] = { bpf_htonl(upper_len), bpf_htonl(upper_len - SB_SHIM_LEN) };
	__s64 sum = (__u16)~check;

	sum = bpf_csum_diff((__be32 *)old, sizeof(*old), (__be32 *)new, sizeof(*new), (__u32)sum);
	sum = bpf_csum_diff((__be32 *)&shim, SB_SHIM_LEN, NULL, 0, (__u32)sum);
	sum = bpf_csum_diff(&len[0], 4, &len[1], 4, (__u32)sum);
	if (p->off != IP6_LEN) {
		/* The predecessor is an extension header, whose first octet (at an even offset) changes. */
		len[0] = bpf_htonl((__u32)SB_NH_SHIM6 << 8);
		len[1] = bpf_htonl((__u32)(bpf_be64_to_cpu(shim) >> 56) << 8);
		sum = bpf_csum_diff(&len[0], 4, &len[1], 4, (__u32)sum);
	}
	return csum_fold((__u64)sum);
}

static __noinline int translate(struct __sk_buff *skb, __u32 l2, struct error *old, struct place *p, struct sender *s)
{
	const __u32 quote = l2 + IP6_LEN + ICMP6_LEN;
	__u16 check, len;
	struct error new;
	__u8 inner_nh;

	if (!old || !p || !s)
		return -1;
	check = old->icmp.check;
	inner_nh = (__u8)(bpf_be64_to_cpu(s->shim) >> 56);
	if (bpf_skb_load_bytes(skb, l2 + 4, &len, 2))
		return -1;
	old->icmp.check = 0;
	new = *old;
	translate_header(&new, p, &s->ulid, inner_nh, s->mtu);
	new.icmp.check = new_check(check, old, &new, s->shim, p, bpf_ntohs(len));
	if (p->off != IP6_LEN) {
		if (bpf_skb_store_bytes(skb, quote + p->nh_off, &inner_nh, 1, BPF_F_RECOMPUTE_CSUM) ||
		    move_back(skb, quote + IP6_LEN, p->off - IP6_LEN, SB_SHIM_LEN))
			return -1;
	}
	len = bpf_htons((__u16)(bpf_ntohs(len) - SB_SHIM_LEN));
	if (bpf_skb_adjust_room(skb, -SB_SHIM_LEN, BPF_ADJ_ROOM_NET, 0) ||
	    bpf_skb_store_bytes(skb, l2 + 4, &len, 2, BPF_F_RECOMPUTE_CSUM))
		return -1;
	return bpf_skb_store_bytes(skb, l2 + IP6_LEN, &new, sizeof(new), BPF_F_RECOMPUTE_CSUM);
}

static __noinline int tell_icmp(__u32 slot, __u64 ct_peer, __u8 type, __u8 code, __u32 mtu)
{
	struct sb_event ev = {
		.type = SB_EVENT_ICMP, .slot = slot, .tag = ct_peer, .icmp_type = type, .icmp_code = code, .mtu = mtu
	};

	return tell(&ev);
}

/*
 * Who sends packets like the quoted one: slot and ULIDs; nonzero for nobody. By
 * itself, for 512 octets of stack are all that a chain of calls may have together.
 */
static __noinline int sender_of(struct error *e, struct sender *s)
{
	struct sb_quote_key key;
	struct sb_context c;
	const __u32 *found;

	if (!e || !s)
		return 1;
	key.ct_peer = bpf_be64_to_cpu(s->shim) & SB_TAG_MASK;
	key.current.local = e->quote.src;
	key.current.peer = e->quote.dst;
	found = bpf_map_lookup_elem(&s6_by_quote, &key);
	if (!found || context_read(*found, &c))
		return 1;
	s->slot = *found;
	s->ulid = c.ulid;
	s->ct_local = c.ct_local;
	s->flags = c.flags;
	return 0;
}

/* Does it say that the path is of no use, rather than that the other end does not want the packet? */
static __always_inline bool path_is_broken(const struct icmp6 *e)
{
	return e->type == ICMP6_TIME_EXCEEDED ||
	       (e->type == ICMP6_UNREACHABLE && e->code <= ICMP6_LAST_CODE && e->code != ICMP6_PORT);
}

/* The whole of it to the daemon. Nonzero: no room, so the socket gets it. */
static __noinline int keep_error(struct __sk_buff *skb, __u32 l2, struct sender *s)
{
	struct sb_held *h;
	__u32 len = skb->len - l2;

	if (!s || len > SB_HELD_MAX)
		return 1;
	h = bpf_ringbuf_reserve(&s6_held, sizeof(*h), 0);
	if (!h) {
		count(SB_C_held_lost);
		return 1;
	}
	h->slot = s->slot;
	h->ct_local = s->ct_local;
	h->len = len | SB_HELD_ERROR;
	asm volatile("" : "+r"(len));
	if (len < IP6_LEN || len > SB_HELD_MAX || bpf_skb_load_bytes(skb, l2, h->packet, len)) {
		bpf_ringbuf_discard(h, 0);
		count(SB_C_held_lost);
		return 1;
	}
	bpf_ringbuf_submit(h, 0);
	return 0;
}

/* An error whose quote has a payload header at p. */
static __noinline int icmp_tagged(struct __sk_buff *skb, __u32 l2, struct error *e, struct place *p)
{
	struct sender s = { .mtu = 0 };

	if (!e || !p)
		return TC_ACT_SHOT;
	if (bpf_skb_load_bytes(skb, l2 + IP6_LEN + ICMP6_LEN + p->off, &s.shim, sizeof(s.shim)))
		return drop(SB_C_icmp_truncated);
	if (!(bpf_be64_to_cpu(s.shim) & (1ULL << 47)))
		return TC_ACT_UNSPEC; /* a control message: the daemon's socket gets it (I-15) */
	if (sender_of(e, &s) || bpf_ntohs(e->quote.len) < SB_SHIM_LEN)
		return drop(SB_C_icmp_unmatched);
	if (e->icmp.type == ICMP6_TOO_BIG_TYPE)
		s.mtu = learn_mtu(s.slot, bpf_ntohl(e->icmp.word));
	tell_icmp(s.slot, bpf_be64_to_cpu(s.shim) & SB_TAG_MASK, e->icmp.type, e->icmp.code, s.mtu);
	if (about_shim(e, p))
		return drop(SB_C_icmp_shim);
	if (translate(skb, l2, e, p, &s))
		return drop(SB_C_icmp_failed);
	if ((s.flags & SB_HOLD_ERRORS) && path_is_broken(&e->icmp) && !keep_error(skb, l2, &s))
		return drop(SB_C_icmp_held);
	count(SB_C_icmp_translated);
	return TC_ACT_UNSPEC;
}

/* An ICMPv6 message behind the IPv6 header. TC_ACT_OK: nothing to do with the shim. */
static __noinline int icmp(struct __sk_buff *skb, __u32 l2)
{
	struct place p;
	struct error e;
	__u8 type;

	if (bpf_skb_load_bytes(skb, l2 + IP6_LEN, &type, 1) || type < ICMP6_UNREACHABLE || type > ICMP6_PROBLEM)
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, l2 + IP6_LEN, &e, sizeof(e)))
		return TC_ACT_OK;
	p = (struct place){ .off = IP6_LEN, .nh_off = 6, .nh = e.quote.nh };
	if (!place_of_shim(skb, l2 + IP6_LEN + ICMP6_LEN, &p))
		return TC_ACT_OK;
	if (!bpf_map_lookup_elem(&s6_locals, &e.quote.src))
		return TC_ACT_OK; /* we forward it, or the quoted source is not ours */
	return icmp_tagged(skb, l2, &e, &p);
}

#endif
