/* SPDX-License-Identifier: MIT */
/*
 * SHA-1, as Hash1, Hash2 and the signatures want it, and the modifier search
 * that consists of nothing else. Of libcrypto's interfaces the plain one is
 * used: it needs no allocation, no lookup of an algorithm by name and no global
 * state, and a locator costs one to three compressions. The library marks it
 * deprecated in favour of one that costs several times as much per call.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "cga/internal.h"

#define PROGRESS_EVERY (1u << 20)
/* Hash2's input with SHA-1's padding: at least one octet and the 64-bit length. */
#define SEARCH_BLOCKS ((CGA_MAX_PDS + 9 + SHA1_BLOCK - 1) / SHA1_BLOCK)

void cga_sha1(const struct octets *parts, unsigned n, uint8_t out[SHA1_LEN])
{
	SHA_CTX ctx;

	SHA1_Init(&ctx);
	for (unsigned i = 0; i < n; i++)
		SHA1_Update(&ctx, parts[i].p, parts[i].len);
	SHA1_Final(out, &ctx);
}

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
	SHA_CTX start, ctx;
	size_t total;

	if (sec == 0)
		return CGA_OK;
	total = lay_out_blocks(blocks, modifier, tail);
	SHA1_Init(&start);
	for (uint64_t tries = 1;; tries++) {
		ctx = start;
		/*
		 * Whole blocks, padding included: what is left in the state is the hash, and its
		 * first word the 32 bits that Sec 1 and 2 look at.
		 */
		SHA1_Update(&ctx, blocks, total);
		if ((uint64_t)ctx.h0 >> (32 - 16 * sec) == 0)
			break;
		cga_modifier_step(blocks);
		if (progress && tries % PROGRESS_EVERY == 0 && progress(arg, tries) != 0)
			return CGA_E_CANCELLED;
	}
	memcpy(modifier, blocks, PDS_MODIFIER);
	return CGA_OK;
}
