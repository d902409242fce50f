/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP segments that the data path copied to us while nothing came back, kept
 * until the context has a pair that works: sent again then, they wake the
 * connection at once, where it would have slept until its next retransmission
 * timeout (up to two minutes after a long failure).
 *
 * One segment per flow, the newest, though none without data takes the place of
 * one with data: it makes the peer acknowledge, and what else is missing follows
 * from there. A bare one is the window probe of a sender that had to pause; the
 * answer to it says that it may go on. The peer may not have switched yet and answer on
 * the dead path, so the segment is sent HELD_TRIES times, or until once after
 * something came back: that may have been the answer to another flow. Bounded per context and in total.
 */
#ifndef SHIM6_DAEMON_HELD_H
#define SHIM6_DAEMON_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/counters.h"

#define HELD_MAX_PACKET 9216 /* octets; larger ones are not kept */
#define HELD_TRIES 4
#define HELD_FIRST_GAP UINT64_C(50000000) /* ns between the first two; then twice as long each time */
#define HELD_NEVER UINT64_MAX

struct held;

struct held_limits {
	unsigned per_context, total;
	uint64_t lifetime; /* ns */
};

struct held *held_new(const struct held_limits *l, struct counters *c);
void held_free(struct held *h);
void held_set_limits(struct held *h, const struct held_limits *l);

/* packet: a whole IPv6 packet. */
void held_add(struct held *h, uint64_t now, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len);
typedef int (*held_inject)(void *arg, const uint8_t *packet, size_t len);
/* When the peer of this context was last heard; HELD_NEVER: the slot has another context now. */
typedef uint64_t (*held_last_rx)(void *arg, uint32_t slot, uint64_t ct_local);

/*
 * The context has a working pair: hand its segments to inject, oldest first.
 * Those older than the lifetime or of another context that had the slot are
 * dropped. held_again() does the further tries.
 */
void held_release(struct held *h, uint64_t now, uint32_t slot, uint64_t ct_local, held_inject inject, void *arg);
/* Further tries that are due. Returns when the next one is, or HELD_NEVER. */
uint64_t held_again(struct held *h, uint64_t now, held_last_rx last_rx, held_inject inject, void *arg);
void held_forget(struct held *h, uint32_t slot);
unsigned held_count(const struct held *h);

#endif
