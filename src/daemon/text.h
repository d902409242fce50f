/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small values as text and back: addresses and prefixes (RFC 5952), times,
 * octets in hexadecimal. The makers return their text by value, so that it can
 * be used inside one expression: text_addr(&a).s
 */
#ifndef SHIM6_DAEMON_TEXT_H
#define SHIM6_DAEMON_TEXT_H

#include <stddef.h>
#include <time.h>

#include "wire/addr.h"

struct text_addr {
	char s[48];
};
struct text_prefix {
	char s[52];
};
struct text_pair {
	char s[104];
};
struct text_time {
	char s[40];
};

struct text_addr text_addr(const struct shim6_addr *a);
struct text_prefix text_prefix(const struct shim6_addr *a, unsigned len);
struct text_pair text_pair(const struct shim6_pair *p); /* "local -> peer" */
struct text_time text_time(const struct timespec *ts);	/* ISO 8601, UTC, microseconds */

bool text_parse_addr(const char *s, struct shim6_addr *out);
/* "addr/len" with no bit set behind len. */
bool text_parse_prefix(const char *s, struct shim6_addr *out, unsigned *len);
/* A whole decimal number; false on anything else, or more than 64 bits. */
bool text_parse_u64(const char *s, uint64_t *out);

/* out holds 2 * len + 1. */
void text_hex(char *out, const void *octets, size_t len);
/* false: odd length, a foreign character, or more than cap octets. */
bool text_unhex(const char *s, size_t s_len, uint8_t *out, size_t cap, size_t *len);

#endif
