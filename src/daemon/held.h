/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP segments that the data path copied to us while nothing came back, kept
 * until the context has a pair that works: sent again then, they wake the
 * connection at once, where it would have slept until its next retransmission
 * timeout (up to two minutes after a long failure).
 *
 * One segment per flow, the newest: it makes the peer acknowledge, and what else
 * is missing follows from there. Bounded per context and in total.
 */
#ifndef SHIM6_DAEMON_HELD_H
#define SHIM6_DAEMON_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/counters.h"

#define HELD_MAX_PACKET 9216 /* octets; larger ones are not kept */

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
/*
 * Hand the slot's segments to inject, oldest first, and forget them. Those older
 * than the lifetime, from before last_rx (the peer was heard since), or of
 * another context that had the slot are dropped.
 */
void held_release(struct held *h, uint64_t now, uint32_t slot, uint64_t ct_local, uint64_t last_rx,
		  int (*inject)(void *arg, const uint8_t *packet, size_t len), void *arg);
void held_forget(struct held *h, uint32_t slot);
unsigned held_count(const struct held *h);

#endif
