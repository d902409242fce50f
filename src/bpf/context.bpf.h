/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Contexts as packets meet them: counters, finding a context, its activity
 * stamps (PT-21), what is told to the daemon, and segments held for it.
 */
#ifndef SHIM6_CONTEXT_BPF_H
#define SHIM6_CONTEXT_BPF_H

#include "maps.bpf.h"
#include "packet.bpf.h"

#define TCP_MIN 20
#define TCP_FIN_SYN 0x03
#define TCP_RST 0x04
#define TCP_DATA_OFFSET 12
#define TCP_OPT_END 0
#define TCP_OPT_NOP 1
#define TCP_OPT_TIMESTAMPS 8
#define TCP_OPT_MPTCP 30
#define MAX_TCP_OPTIONS 16 /* looked at in one segment */

#define barrier() asm volatile("" ::: "memory")

static __always_inline void count(__u32 counter)
{
	__u64 *c = bpf_map_lookup_elem(&s6_counters, &counter);

	if (c)
		(*c)++;
}

static __always_inline int drop(__u32 counter)
{
	count(counter);
	return TC_ACT_SHOT;
}

static __always_inline const struct sb_config *config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&s6_config, &zero);
}

/*
 * Copies a context. The map replaces values as a whole, but may use the memory
 * of the old one again at once: a value that changed under the copy is refused.
 */
static __always_inline int context_read(__u32 slot, struct sb_context *out)
{
	const struct sb_context *c = bpf_map_lookup_elem(&s6_contexts, &slot);
	__u32 seq;

	if (!c)
		return -1;
	seq = *(volatile const __u32 *)&c->seq;
	barrier();
	*out = *c;
	barrier();
	return seq == out->seq_end && *(volatile const __u32 *)&c->seq == seq ? 0 : 1;
}

/* A context as packets need it that keep their ULIDs. */
struct found {
	struct sb_activity *activity;
	__u64 ct_local;
	__u32 slot;
	__u32 flags;
};

static __always_inline struct sb_activity *activity_of(__u32 slot)
{
	return bpf_map_lookup_elem(&s6_activity, &slot);
}

static __always_inline bool same_pair(const struct sb_pair *a, const struct sb_pair *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]));
}

/* Interface identifiers of HBA and privacy addresses are random: they spread by themselves. */
static __always_inline __u32 recent_index(const struct sb_pair *pair)
{
	__u32 h = (pair->local.w[3] ^ pair->peer.w[3]) * 0x9e3779b1;

	return h >> 24 & (SB_RECENT - 1);
}

/*
 * The hash table, and a place among the recent ones. A write changes the table first and the epoch then; so what the
 * table says after the epoch was read is no older than that epoch.
 */
static __always_inline int find_in_table(const struct sb_pair *pair, struct sb_recent *r)
{
	const struct sb_by_ulid *v;
	struct sb_activity *a;
	__u64 epoch;

	v = bpf_map_lookup_elem(&s6_by_ulid, pair);
	if (!v)
		return 1;
	r->epoch = 0;
	r->pair = *pair;
	r->v = *v;
	a = activity_of(v->slot);
	if (!a)
		return 1;
	epoch = __sync_fetch_and_add(&a->epoch, 0); /* with a full barrier */
	v = bpf_map_lookup_elem(&s6_by_ulid, pair);
	if (!v)
		return 1;
	if (v->slot == r->v.slot && v->flags == r->v.flags && v->ct_local == r->v.ct_local)
		r->epoch = epoch;
	return 0;
}

/* The context of a ULID pair with FII 0. */
static __always_inline bool find_by_ulid(struct sb_pair *pair, struct found *out)
{
	__u32 i = recent_index(pair);
	struct sb_recent *r = bpf_map_lookup_elem(&s6_recent, &i);

	if (!r)
		return false;
	out->slot = r->v.slot;
	out->activity = activity_of(out->slot);
	if (!out->activity || !r->epoch || r->epoch != *(volatile __u64 *)&out->activity->epoch ||
	    !same_pair(&r->pair, pair)) {
		if (find_in_table(pair, r))
			return false;
		out->slot = r->v.slot;
		out->activity = activity_of(out->slot);
	}
	out->flags = r->v.flags;
	out->ct_local = r->v.ct_local;
	return out->activity;
}

static __noinline int tell(struct sb_event *ev)
{
	long rc;

	if (ev->type == SB_EVENT_UNKNOWN_TAG || ev->type == SB_EVENT_TRIGGER)
		rc = bpf_ringbuf_output(&s6_strays, ev, sizeof(*ev), 0);
	else
		rc = bpf_ringbuf_output(&s6_events, ev, sizeof(*ev), 0);
	count(rc ? SB_C_events_lost : SB_C_events);
	return rc ? -1 : 0;
}

/* Answers datapath_notify() once; asked again when there was no room to tell. */
static __noinline int tell_activity(struct sb_activity *a, __u32 slot, __u64 ct_local, __u32 mask)
{
	struct sb_event ev = { .type = SB_EVENT_ACTIVITY, .slot = slot, .tag = ct_local };

	if (!a)
		return 0;
	ev.mask = __sync_fetch_and_and(&a->notify, ~mask) & mask;
	if (ev.mask && tell(&ev))
		__sync_fetch_and_or(&a->notify, ev.mask);
	return 0;
}

enum {
	NOTIFY_TX = 1,
	NOTIFY_RX = 2
}; /* as enum shim6_notify */

static __always_inline __u32 packets_of(const struct __sk_buff *skb)
{
	return skb->gso_segs > 1 ? skb->gso_segs : 1;
}

/*
 * A copy of a TCP segment that has data or opens or closes, for the time after the switch. When nothing comes in, a
 * bare one is a window probe: all that a sender says to whom the last word was that the window is full.
 */
static __noinline int hold(struct __sk_buff *skb, __u32 l2, __u32 slot, __u64 ct_local, int silent)
{
	struct sb_held *h;
	__u8 tcp[14];
	__u32 len = skb->len - l2;

	if (skb->gso_segs > 1 || len > SB_HELD_MAX || len < IP6_LEN + TCP_MIN)
		return 0;
	if (bpf_skb_load_bytes(skb, l2 + IP6_LEN, tcp, sizeof(tcp)))
		return 0;
	if (len <= IP6_LEN + (__u32)(tcp[12] >> 4) * 4 && !(tcp[13] & TCP_FIN_SYN) && (!silent || tcp[13] & TCP_RST))
		return 0;
	h = bpf_ringbuf_reserve(&s6_held, sizeof(*h), 0);
	if (!h) {
		count(SB_C_held_lost);
		return 0;
	}
	h->slot = slot;
	h->ct_local = ct_local;
	h->len = len;
	asm volatile("" : "+r"(len));
	if (len < IP6_LEN || len > SB_HELD_MAX || bpf_skb_load_bytes(skb, l2, h->packet, len)) {
		bpf_ringbuf_discard(h, 0);
		count(SB_C_held_lost);
		return 0;
	}
	bpf_ringbuf_submit(h, 0);
	count(SB_C_held);
	return 0;
}

/* The time, as fine as the tick: one look at the clock per tick, for a call of a function costs more than all of this.
 */
static __always_inline __u64 stamp(struct sb_activity *a)
{
	__u64 tick = bpf_jiffies64();

	if (a->tick != tick) {
		a->now = bpf_ktime_get_coarse_ns();
		barrier();
		a->tick = tick;
	}
	return a->now;
}

/* Payload was sent (PT-01, PT-04). nh is what follows the IPv6 header. */
static __always_inline void sent(struct __sk_buff *skb, __u32 l2, const struct found *f, __u8 nh)
{
	struct sb_activity *a = f->activity;
	__u64 now = stamp(a);
	const struct sb_config *c;

	if (nh == IPPROTO_TCP) {
		__u64 since = a->send_t0;
		int silent;

		c = config();
		silent = c && c->held_after && since && now > since && now - since > c->held_after;
		if (silent || (f->flags & SB_EXPLORING))
			hold(skb, l2, f->slot, f->ct_local, silent);
	}
	a->last_tx = now;
	if (a->ka_t0)
		a->ka_t0 = 0;
	if (!a->send_t0)
		a->send_t0 = now;
	__sync_fetch_and_add(&a->tx_packets, packets_of(skb));
	__sync_fetch_and_add(&a->tx_bytes, skb->len - l2);
	if (a->notify & NOTIFY_TX)
		tell_activity(a, f->slot, f->ct_local, NOTIFY_TX);
}

/* Payload was received (PT-02, PT-03). */
static __always_inline void received(struct __sk_buff *skb, __u32 l2, const struct found *f)
{
	struct sb_activity *a = f->activity;
	__u64 now = stamp(a);

	a->last_rx = now;
	if (a->send_t0)
		a->send_t0 = 0;
	if (!a->ka_t0)
		a->ka_t0 = now;
	__sync_fetch_and_add(&a->rx_packets, packets_of(skb));
	__sync_fetch_and_add(&a->rx_bytes, skb->len - l2);
	if (a->notify & NOTIFY_RX)
		tell_activity(a, f->slot, f->ct_local, NOTIFY_RX);
}

static __always_inline bool bypassed_prefix(const struct sb_addr *peer)
{
	struct sb_lpm_key key = { .prefix_len = 128, .addr = *peer };
	const struct sb_config *c = config();

	return c && c->n_bypass && bpf_map_lookup_elem(&s6_bypass, &key);
}

/*
 * A segment of MPTCP? It survives the loss of a path by itself and asks for no
 * context. Known by its option, which handshakes and segments with data carry;
 * connections that fell back to plain TCP do not, and count. A context that
 * others asked for carries MPTCP like the rest: below a subflow it does no harm,
 * and to tell subflows apart on segments without option needs state per flow.
 */
static __noinline int is_mptcp(struct __sk_buff *skb, __u32 tcp)
{
	__u32 off = tcp + TCP_MIN, end;
	__u8 o[2];

	if (bpf_skb_load_bytes(skb, tcp + TCP_DATA_OFFSET, o, 1))
		return 0;
	end = tcp + (__u32)(o[0] >> 4) * 4;
	for (int i = 0; i < MAX_TCP_OPTIONS; i++) {
		if (off >= end || bpf_skb_load_bytes(skb, off, o, 1) || o[0] == TCP_OPT_END)
			return 0;
		if (o[0] == TCP_OPT_MPTCP)
			return 1;
		if (o[0] == TCP_OPT_NOP) {
			off++;
			continue;
		}
		if (off + 2 > end || bpf_skb_load_bytes(skb, off, o, 2) || o[1] < 2)
			return 0;
		off += o[1];
	}
	return 0;
}

/* The options of most segments: timestamps alone. */
static __always_inline bool has_timestamps_only(const struct __sk_buff *skb, __u32 tcp)
{
	const __u8 *h = (void *)(long)skb->data + tcp;

	return (void *)(h + TCP_MIN + 4) <= (void *)(long)skb->data_end && h[TCP_DATA_OFFSET] >> 4 == 8 &&
	       h[TCP_MIN] == TCP_OPT_NOP && h[TCP_MIN + 1] == TCP_OPT_NOP && h[TCP_MIN + 2] == TCP_OPT_TIMESTAMPS &&
	       h[TCP_MIN + 3] == 10;
}

/* May a pair have a context at all? */
static __always_inline bool may_have_context(const struct sb_pair *pair)
{
	return !is_multicast(&pair->peer) && !is_link_local(&pair->peer) && !is_unspecified_or_loopback(&pair->peer) &&
	       bpf_map_lookup_elem(&s6_locals, &pair->local) && !bypassed_prefix(&pair->peer);
}

static __noinline int tell_trigger(struct sb_pair *pair, struct sb_seen *s, __u64 packets)
{
	struct sb_event ev = { .type = SB_EVENT_TRIGGER, .packets = packets };

	if (!pair || !s || !may_have_context(pair) || __sync_lock_test_and_set(&s->told, 1))
		return 0;
	ev.pair = *pair;
	if (tell(&ev))
		s->told = 0;
	return 0;
}

/* The first packet of a pair, if it is one to count. */
static __noinline int begin_pair(struct sb_pair *pair, __u32 packets)
{
	struct sb_seen fresh = { .packets = packets };

	if (pair && may_have_context(pair))
		bpf_map_update_elem(&s6_seen, pair, &fresh, BPF_NOEXIST);
	return 0;
}

/*
 * A packet without a context: count its pair, in both directions alike. What
 * forbids it is looked at when the pair is new and when it is told, not at each packet.
 */
static __always_inline void count_pair(struct __sk_buff *skb, __u32 l2, struct sb_pair *pair, __u32 nh)
{
	struct sb_seen *s = bpf_map_lookup_elem(&s6_seen, pair);
	const struct sb_config *c;
	__u64 packets;

	if ((s && s->told) || nh == NH_SCTP)
		return;
	c = config();
	if (!c || !c->trigger_packets)
		return;
	if (nh == IPPROTO_TCP && !has_timestamps_only(skb, l2 + IP6_LEN) && is_mptcp(skb, l2 + IP6_LEN))
		return;
	packets = packets_of(skb);
	if (s) {
		packets += __sync_fetch_and_add(&s->packets, packets);
	} else {
		begin_pair(pair, (__u32)packets);
		if (packets < c->trigger_packets)
			return;
		s = bpf_map_lookup_elem(&s6_seen, pair);
	}
	if (s && packets >= c->trigger_packets)
		tell_trigger(pair, s, packets);
}

#endif
