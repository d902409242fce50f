/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hex strings of the vectors and of test inputs into octets. */
#ifndef TESTS_UNIT_CGA_HEX_H
#define TESTS_UNIT_CGA_HEX_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct hex {
	uint8_t b[2200];
	size_t len;
};

static inline struct hex hex(const char *s)
{
	struct hex h = { .len = 0 };
	char pair[3] = { 0 };

	/* "10001": an odd number of digits has a zero in front */
	if (strlen(s) % 2) {
		pair[0] = '0';
		pair[1] = *s++;
		h.b[h.len++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	for (; *s && h.len < sizeof(h.b); s += 2) {
		pair[0] = s[0];
		pair[1] = s[1];
		h.b[h.len++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return h;
}

#endif
