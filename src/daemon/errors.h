/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMPv6 errors that the data path did not give to their socket, because they
 * say that a pair is broken while the context has others (RFC 5533 section 8,
 * Whether Shim6 could act on one is known when the exploration ends: a
 * switch to another pair makes the error void; else the socket gets it after
 * all, at the latest after ERRORS_PATIENCE. The newest of each context is kept.
 * What cannot be kept is delivered at once.
 */
#ifndef SHIM6_DAEMON_ERRORS_H
#define SHIM6_DAEMON_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/counters.h"

#define ERRORS_PATIENCE UINT64_C(10000000000) /* ns */
#define ERRORS_MAX 1024			      /* contexts with one */
#define ERRORS_NEVER UINT64_MAX

struct errors;

/* packet: a whole IPv6 packet, as the socket's stack is to see it. 0 or negative errno. */
typedef int (*errors_deliver)(void *arg, const uint8_t *packet, size_t len);

struct errors *errors_new(struct counters *c, errors_deliver deliver, void *arg);
void errors_free(struct errors *e); /* delivers what is left */

void errors_add(struct errors *e, uint64_t now, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len);
/* The context has another pair, which works. */
void errors_void(struct errors *e, uint32_t slot);
/* The context is gone, or stays where it is (I-16). */
void errors_release(struct errors *e, uint32_t slot);
/* Deliver what waited long enough. Returns when the next one has, or ERRORS_NEVER. */
uint64_t errors_due(struct errors *e, uint64_t now);
unsigned errors_count(const struct errors *e);

#endif
