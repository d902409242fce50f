/* SPDX-License-Identifier: MIT */
/* SipHash-2-4, the keyed function behind validators and hash tables. */
#ifndef SHIM6_ENGINE_SIPHASH_H
#define SHIM6_ENGINE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint8_t b[16];
};

uint64_t siphash_64(const struct siphash_key *k, const void *data, size_t len);
void siphash_128(const struct siphash_key *k, const void *data, size_t len, uint8_t out[16]);

#endif
