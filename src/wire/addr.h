/* SPDX-License-Identifier: MIT */
/*
 * IPv6 addresses and address pairs as the portable core sees them: sixteen
 * octets in network order, no operating system type.
 */
#ifndef SHIM6_WIRE_ADDR_H
#define SHIM6_WIRE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct shim6_addr {
	uint8_t b[16];
};

/* A pair as one host sees it: its own end first. */
struct shim6_pair {
	struct shim6_addr local;
	struct shim6_addr peer;
};

static inline bool shim6_addr_eq(const struct shim6_addr *a, const struct shim6_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool shim6_pair_eq(const struct shim6_pair *a, const struct shim6_pair *b)
{
	return shim6_addr_eq(&a->local, &b->local) && shim6_addr_eq(&a->peer, &b->peer);
}

static inline bool shim6_addr_is_unspecified(const struct shim6_addr *a)
{
	static const struct shim6_addr zero;

	return shim6_addr_eq(a, &zero);
}

static inline bool shim6_addr_is_multicast(const struct shim6_addr *a)
{
	return a->b[0] == 0xff;
}

static inline bool shim6_addr_is_link_local(const struct shim6_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static inline bool shim6_addr_is_loopback(const struct shim6_addr *a)
{
	static const struct shim6_addr lo = { { [15] = 1 } };

	return shim6_addr_eq(a, &lo);
}

static inline bool shim6_addr_is_v4mapped(const struct shim6_addr *a)
{
	static const uint8_t p[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->b, p, sizeof(p)) == 0;
}

/* May this address be a locator at all? (V-25, PA-03) */
static inline bool shim6_addr_is_usable(const struct shim6_addr *a)
{
	return !shim6_addr_is_unspecified(a) && !shim6_addr_is_multicast(a) && !shim6_addr_is_link_local(a) &&
	       !shim6_addr_is_loopback(a) && !shim6_addr_is_v4mapped(a) &&
	       !(a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0);
}

#endif
