/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pairs of addresses connected sockets of this host use (TCP, and UDP that
 * called connect()), asked of the kernel by sock_diag. A context in use by one
 * is not torn down, however quiet it is (RFC 5533 section 9, K-02).
 *
 * One answer serves all questions of the next SOCKETS_FRESH: contexts tend to
 * become idle together, and a host may have many sockets.
 */
#ifndef SHIM6_HOST_SOCKETS_H
#define SHIM6_HOST_SOCKETS_H

#include "wire/addr.h"

#define SOCKETS_FRESH UINT64_C(10000000000)	/* ns */
#define SOCKETS_MAX_PAIRS (1u << 20)		/* different pairs remembered; with more, every pair counts as used */
#define SOCKETS_SHOWN_FRESH UINT64_C(500000000) /* ns; for users who ask what is theirs */

struct sockets;

struct sockets *sockets_new(void); /* NULL: out of memory */
void sockets_free(struct sockets *s);

/* now: CLOCK_MONOTONIC, ns. When the kernel cannot tell: false if it never can, else true. */
bool sockets_between(struct sockets *s, uint64_t now, const struct shim6_pair *pair);
/* Likewise: does any use this address of ours? */
bool sockets_of(struct sockets *s, uint64_t now, const struct shim6_addr *local);
/* Does a socket of this user use the pair? When the kernel cannot tell: false. */
bool sockets_of_user(struct sockets *s, uint64_t now, const struct shim6_pair *pair, uint32_t uid);

#endif
