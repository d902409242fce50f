/* SPDX-License-Identifier: MIT */
/* What the files of wire/ share: octets to numbers and back, and the layout of options. */
#ifndef SHIM6_WIRE_INTERNAL_H
#define SHIM6_WIRE_INTERNAL_H

#include "wire/wire.h"

#define WIRE_MIN_HDR 8	    /* common part of every header (W-03) */
#define WIRE_OPT_HDR 4	    /* type, C bit and Length of an option (W-30) */
#define WIRE_MAX_HDR 2048   /* what Hdr Ext Len can say */
#define WIRE_PROBE_FIXED 16 /* probe up to its first record */

static inline uint16_t wire_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t wire_get32(const uint8_t *p)
{
	return (uint32_t)wire_get16(p) << 16 | wire_get16(p + 2);
}

/* A context tag in six octets; the top bit is R, or P, and no part of it. */
static inline uint64_t wire_get_tag(const uint8_t *p)
{
	return ((uint64_t)wire_get16(p) << 32 | wire_get32(p + 2)) & WIRE_TAG_MASK;
}

static inline void wire_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wire_put32(uint8_t *p, uint32_t v)
{
	wire_put16(p, (uint16_t)(v >> 16));
	wire_put16(p + 2, (uint16_t)v);
}

static inline void wire_put_tag(uint8_t *p, uint64_t tag)
{
	wire_put16(p, (uint16_t)((tag & WIRE_TAG_MASK) >> 32));
	wire_put32(p + 2, (uint32_t)tag);
}

static inline size_t wire_round8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* Contents of a Locator List before its first locator: generation, count, methods, padding (W-51). */
static inline size_t wire_locators_at(size_t n)
{
	return 4 + wire_round8(1 + n);
}

/* Folded one's complement sum of the octets as they stand. */
uint16_t wire_sum(const uint8_t *buf, size_t len);

/*
 * Decode the options between at and len of a message into m. permitted has
 * bit T set for each option type T that the message may carry (table 1.5).
 */
int wire_decode_options(const uint8_t *buf, size_t at, size_t len, uint32_t permitted, struct wire_msg *m,
			size_t *err_offset);

#endif
