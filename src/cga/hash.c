/* SPDX-License-Identifier: MIT */
/*
 * Hash1 and Hash2 of a parameter data structure, and the modifier search that
 * consists of nothing but Hash2.
 */
#include "cga/crypto.h"

#define PROGRESS_EVERY (1u << 20)
/* Hash2's input with SHA-1's padding: at least one octet and the 64-bit length. */
#define SEARCH_BLOCKS ((CGA_MAX_PDS + 9 + SHA1_BLOCK - 1) / SHA1_BLOCK)

void cga_hash1(const uint8_t *pds, size_t len, const uint8_t *prefix, uint8_t hash1[8])
{
	const struct octets parts[] = {
		{ pds, PDS_MODIFIER },
		{ prefix, PDS_PREFIX },
		{ pds + PDS_COUNT_AT, len - PDS_COUNT_AT },
	};
	uint8_t h[SHA1_LEN];

	cga_sha1(parts, 3, h);
	memcpy(hash1, h, 8);
}

void cga_hash2(const uint8_t *pds, size_t len, uint8_t hash2[HASH2_LEN])
{
	static const uint8_t zeros[HASH2_ZEROS];
	const struct octets parts[] = {
		{ pds, PDS_MODIFIER },
		{ zeros, sizeof(zeros) },
		{ pds + PDS_FIXED, len - PDS_FIXED },
	};
	uint8_t h[SHA1_LEN];

	cga_sha1(parts, 3, h);
	memcpy(hash2, h, HASH2_LEN);
}

void cga_modifier_step(uint8_t modifier[PDS_MODIFIER])
{
	for (int i = PDS_MODIFIER - 1; i >= 0; i--) {
		modifier[i]++;
		if (modifier[i] != 0)
			break;
	}
}

/* Lay out Hash2's input behind the modifier, padded to whole blocks (FIPS 180-4 section 5.1.1). */
static size_t lay_out_blocks(uint8_t *blocks, const uint8_t *modifier, const struct octets *tail)
{
	size_t len = PDS_FIXED + tail->len;
	size_t total = (len + 9 + SHA1_BLOCK - 1) / SHA1_BLOCK * SHA1_BLOCK;
	uint64_t bits = (uint64_t)len * 8;

	memset(blocks, 0, total);
	memcpy(blocks, modifier, PDS_MODIFIER);
	memcpy(blocks + PDS_FIXED, tail->p, tail->len);
	blocks[len] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		blocks[total - 1 - i] = (uint8_t)(bits >> (8 * i));
	return total;
}

int cga_search_modifier(uint8_t modifier[PDS_MODIFIER], const struct octets *tail, unsigned sec,
			int (*progress)(void *, uint64_t), void *arg)
{
	uint8_t blocks[SEARCH_BLOCKS * SHA1_BLOCK];
	size_t total;

	if (sec == 0)
		return CGA_OK;
	total = lay_out_blocks(blocks, modifier, tail);
	for (uint64_t tries = 1;; tries++) {
		uint64_t word = crypto_sha1_word(blocks, total, PDS_FIXED + tail->len);

		if (word >> (32 - 16 * sec) == 0) /* 16 bits, or all of them */
			break;
		cga_modifier_step(blocks);
		if (progress && tries % PROGRESS_EVERY == 0 && progress(arg, tries) != 0)
			return CGA_E_CANCELLED;
	}
	memcpy(modifier, blocks, PDS_MODIFIER);
	return CGA_OK;
}
