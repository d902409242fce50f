/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the eBPF programs and the data path library share: limits, the values
 * of the maps, the events and the names of the counters. Addresses are four
 * 32-bit words in network order. A change that an older process or an older
 * program would read wrongly needs another SB_LAYOUT.
 */
#ifndef SHIM6_BPF_SHARED_H
#define SHIM6_BPF_SHARED_H

#include <linux/types.h>

#define SB_LAYOUT 2

#define SB_NH_SHIM6 140
#define SB_SHIM_LEN 8
#define SB_TAG_MASK ((1ULL << 47) - 1)
#define SB_MIN_MTU 1280
#define SB_HELD_MAX 1500	 /* octets of a held segment */
#define SB_HELD_ERROR (1u << 31) /* in its length: an ICMPv6 error for a socket of ours */
#define SB_RECENT 256		 /* ULID pairs that a processor keeps at hand; a power of 2 */
#define SB_MAX_PAIRS 32768	 /* ULID pairs counted at one time; the least recently used go */
#define SB_MAX_LOCALS 4096	 /* local addresses */
#define SB_MAX_BYPASS 4096	 /* configured bypass prefixes */
#define SB_MAX_DEVICES 1024	 /* devices attached to */
#define SB_EVENTS_SIZE (256 * 1024)
#define SB_STRAYS_SIZE (64 * 1024)
#define SB_HELD_SIZE (1024 * 1024)
#define SB_PTB_QUOTE 440 /* octets of the packet that a Packet Too Big of ours quotes */

/*
 * Set on what leaves shim1, so that the routing lookup of that packet skips the
 * rule which would send it to shim0 again. Cleared at the egress of the device.
 */
#define SB_MARK 0x08000000u

/* skb->tc_index: what a packet has been through. */
enum sb_stage {
	SB_STAGE_NONE = 0,
	SB_STAGE_SENT = 0x8c01,	       /* left shim1 unmodified: shim0 must not see it again */
	SB_STAGE_SENT_MARKED = 0x8c02, /* the same; SB_MARK was there before */
	SB_STAGE_HALF_1 = 0x8c03,      /* one fragment is to become two: this one keeps the front */
	SB_STAGE_HALF_2 = 0x8c04,      /* and this one the rest */
};

struct sb_addr {
	__u32 w[4];
};

struct sb_pair {
	struct sb_addr local;
	struct sb_addr peer;
};

enum sb_flag { /* as enum shim6_projection_flag */
	SB_REWRITE = 1u << 0,
	SB_ACCEPT = 1u << 1,
	SB_EXPLORING = 1u << 2,
	SB_HOLD_ERRORS = 1u << 3,
};

/* By ULID pair: contexts with FII 0. Enough for packets that stay as they are. */
struct sb_by_ulid {
	__u32 slot;
	__u32 flags;
	__u64 ct_local;
};

/*
 * A ULID pair that a processor met of late, for a fraction of what the hash table costs. Holds while the context's
 * epoch is what it was: that counts the writes of anything which leads to its slot.
 */
struct sb_recent {
	struct sb_pair pair;
	struct sb_by_ulid v;
	__u64 epoch; /* 0: empty */
	__u64 unused;
};

/* By current pair and CT(peer): what an ICMPv6 error quotes (I-11). */
struct sb_quote_key {
	struct sb_pair current;
	__u64 ct_peer;
};

/* By slot. seq is the same at both ends of a value that is whole. */
struct sb_context {
	__u32 seq;
	__u32 flags;
	struct sb_pair ulid;
	struct sb_pair current;
	__u64 ct_local;
	__u64 ct_peer;
	__u32 fii;
	__u32 seq_end;
};

/*
 * By slot, mapped into the daemon: struct shim6_stamps, and what changes with it. What each packet sent touches is in
 * one line of the cache.
 */
struct sb_activity {
	__u64 epoch;  /* see sb_recent; outlives the context */
	__u32 notify; /* enum shim6_notify */
	__u32 mtu;    /* of the path, octets; 0 not known */
	__u64 last_tx;
	__u64 last_rx;
	__u64 send_t0;
	__u64 ka_t0;
	__u64 tx_packets;
	__u64 tx_bytes;
	__u64 rx_packets;
	__u64 rx_bytes;
	__u64 tick; /* of the latest packet, jiffies */
	__u64 now;  /* when that was, nanoseconds */
	__u64 unused[4];
};

struct sb_local {
	__u32 ifindex;
	__u32 mtu;
};

struct sb_seen {
	__u64 packets;
	__u32 told;
	__u32 unused;
};

struct sb_lpm_key {
	__u32 prefix_len;
	struct sb_addr addr;
};

struct sb_config {
	__u32 layout;
	__u32 max_contexts;
	__u32 trigger_packets;
	__u32 n_bypass;
	__u64 held_after;
	__u32 shim0;
	__u32 shim1;
	__u8 shim0_mac[6];
	__u8 unused[2];
};

enum sb_event_type {
	SB_EVENT_UNKNOWN_TAG = 1,
	SB_EVENT_ACTIVITY = 2,
	SB_EVENT_TRIGGER = 3,
	SB_EVENT_ICMP = 4,
};

struct sb_event {
	__u32 type;
	__u32 slot;
	__u64 tag;	     /* as received; CT(local) of activity; CT(peer) of icmp */
	struct sb_pair pair; /* unknown tag: source, destination as received; trigger: ULIDs */
	__u64 packets;
	__u32 mask;
	__u32 mtu;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 unused[6];
};

struct sb_held {
	__u32 slot;
	__u32 len;
	__u64 ct_local;
	__u8 packet[SB_HELD_MAX];
};

/*
 * Counters: identifier and what it counts; the stable name is the identifier
 * in lower case. Add at the end only: the numbers are kept in a pinned map.
 */
#define SB_COUNTERS(X)                                                                                                 \
	X(tx_plain)	     /* packets of a context that left untouched (D-03) */                                     \
	X(tx_rewritten)	     /* packets that got locators and a payload header (D-04) */                               \
	X(tx_detoured)	     /* packets led to shim0 by the program instead of a route */                              \
	X(tx_bypassed)	     /* of a switched context, but never shimmed (X-11, X-12, SCTP, ND) */                     \
	X(tx_fragmented)     /* split above the shim (X-20, A-40) */                                                   \
	X(tx_too_big)	     /* dropped, Packet Too Big sent to the sender (X-20) */                                   \
	X(tx_too_big_silent) /* dropped, nothing sent: an ICMPv6 error, or no room */                                  \
	X(tx_no_locator)     /* dropped: the source locator is no local address */                                     \
	X(tx_no_interface)   /* dropped: not rewritten and the ULID has no interface */                                \
	X(tx_stray)	     /* dropped at shim1: no IPv6 unicast packet */                                            \
	X(tx_malformed)	     /* dropped at shim1: headers cannot be read */                                            \
	X(tx_failed)	     /* dropped: no memory to rewrite */                                                       \
	X(tx_torn)	     /* dropped: the context changed while it was read */                                      \
	X(tx_unrecognized)   /* dropped: our kernel denies next header 140 */                                          \
	X(rx_plain)	     /* packets of a context with ULIDs (D-09) */                                              \
	X(rx_rewritten)	     /* tagged packets accepted (D-10) */                                                      \
	X(rx_control)	     /* control messages seen */                                                               \
	X(rx_unknown_tag)    /* dropped (D-15) */                                                                      \
	X(rx_not_accepting)  /* dropped: state of the context (D-11) */                                                \
	X(rx_bad_length)     /* dropped: Hdr Ext Len of a payload header not 0 (A-18) */                               \
	X(rx_truncated)	     /* dropped: ends within the payload header */                                             \
	X(rx_nested)	     /* dropped: a second Shim6 header (D-21) */                                               \
	X(rx_failed)	     /* dropped: no memory to rewrite */                                                       \
	X(rx_torn)	     /* dropped: the context changed while it was read */                                      \
	X(icmp_translated)   /* errors about tagged packets handed to the sender's socket (I-10) */                    \
	X(icmp_unmatched)    /* dropped: quote of a tagged packet nobody sent (I-11) */                                \
	X(icmp_truncated)    /* dropped: quote ends within the payload header (I-14) */                                \
	X(icmp_shim)	     /* told to the daemon alone: the culprit is a Shim6 field (I-05) */                       \
	X(icmp_failed)	     /* dropped: no memory to rewrite, or headers too long */                                  \
	X(held)		     /* segments copied to the daemon */                                                       \
	X(held_lost)	     /* segments not copied: no room */                                                        \
	X(events)	     /* events told */                                                                         \
	X(events_lost)	     /* events not told: no room; asked again at the next packet where it matters */           \
	X(icmp_held)	     /* translated, and kept by the daemon while another pair is looked for (A-19) */

enum sb_counter {
#define X(name) SB_C_##name,
	SB_COUNTERS(X)
#undef X
	SB_N_COUNTERS
};

#endif
