/* SPDX-License-Identifier: MIT */
/*
 * What the engine shares with a data path: the projection of a context (what a
 * packet needs) and the activity stamps that the data path keeps for it.
 */
#ifndef SHIM6_ENGINE_PROJECTION_H
#define SHIM6_ENGINE_PROJECTION_H

#include "wire/addr.h"

enum shim6_projection_flag {
	/* Payload is rewritten to the current pair and tagged; else it leaves untouched (D-03, D-04). */
	SHIM6_PROJ_REWRITE = 1u << 0,
	/* Tagged packets with this CT(local) are accepted (ESTABLISHED, I2-SENT, I2BIS-SENT; D-11). */
	SHIM6_PROJ_ACCEPT = 1u << 1,
	/* An exploration runs: TCP segments are copied to the daemon, to go out again after the switch. */
	SHIM6_PROJ_EXPLORING = 1u << 2,
	/* ICMPv6 errors that say that the pair is broken go to the daemon, because another pair may work. */
	SHIM6_PROJ_HOLD_ERRORS = 1u << 3,
};

struct shim6_projection {
	struct shim6_pair ulid;
	uint32_t fii;		   /* 0: default context */
	struct shim6_pair current; /* locators in use for sending */
	uint64_t ct_local;	   /* tag we receive */
	uint64_t ct_peer;	   /* tag we send */
	uint32_t flags;		   /* enum shim6_projection_flag */
};

/*
 * Kept by the data path per context; all times are CLOCK_MONOTONIC nanoseconds,
 * 0 = not set. send_t0 and ka_t0 are the two REAP timers (PT-21): the data path
 * sets send_t0 at the first payload sent while it is 0 and clears ka_t0 then,
 * and the other way round at payload received. The engine may overwrite both
 * (Keepalives and Probes start and stop them too). What the data path sets is as
 * fine as the kernel's tick (4 ms on Debian) and never ahead.
 */
struct shim6_stamps {
	uint64_t last_tx;
	uint64_t last_rx;
	uint64_t send_t0; /* Send Timer runs since */
	uint64_t ka_t0;	  /* Keepalive Timer runs since */
	uint64_t tx_packets, tx_bytes;
	uint64_t rx_packets, rx_bytes;
};

/* What the data path is asked to report once, at the next packet of a context. */
enum shim6_notify {
	SHIM6_NOTIFY_TX = 1u << 0,
	SHIM6_NOTIFY_RX = 1u << 1,
};

#endif
