/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 after Aumasson and Bernstein: two rounds for each 8-octet word of
 * input, four at the end; the 128-bit variant differs in three constants and
 * draws a second word.
 */
#include "engine/siphash.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, unsigned n)
{
	return (x << n) | (x >> (64 - n));
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
	uint64_t x = 0;

	while (n--)
		x = x << 8 | p[n];
	return x;
}

static void store_le(uint8_t *p, uint64_t x)
{
	for (unsigned i = 0; i < 8; i++, x >>= 8)
		p[i] = (uint8_t)x;
}

static void rounds(struct sip *s, unsigned n)
{
	while (n--) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotl(s->v1, 13) ^ s->v0;
		s->v3 = rotl(s->v3, 16) ^ s->v2;
		s->v0 = rotl(s->v0, 32) + s->v3;
		s->v2 += s->v1;
		s->v3 = rotl(s->v3, 21) ^ s->v0;
		s->v1 = rotl(s->v1, 17) ^ s->v2;
		s->v2 = rotl(s->v2, 32);
	}
}

static void absorb(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	rounds(s, 2);
	s->v0 ^= word;
}

static void digest(struct sip *s, const struct siphash_key *k, const uint8_t *p, size_t len)
{
	uint64_t k0 = load_le(k->b, 8), k1 = load_le(k->b + 8, 8);
	size_t whole = len / 8;

	s->v0 = k0 ^ UINT64_C(0x736f6d6570736575);
	s->v1 ^= k1 ^ UINT64_C(0x646f72616e646f6d);
	s->v2 = k0 ^ UINT64_C(0x6c7967656e657261);
	s->v3 = k1 ^ UINT64_C(0x7465646279746573);
	for (size_t i = 0; i < whole; i++)
		absorb(s, load_le(p + 8 * i, 8));
	absorb(s, (uint64_t)(len & 0xff) << 56 | load_le(p + 8 * whole, len % 8));
}

uint64_t siphash_64(const struct siphash_key *k, const void *data, size_t len)
{
	struct sip s = { 0 };

	digest(&s, k, data, len);
	s.v2 ^= 0xff;
	rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void siphash_128(const struct siphash_key *k, const void *data, size_t len, uint8_t out[16])
{
	struct sip s = { .v1 = 0xee };

	digest(&s, k, data, len);
	s.v2 ^= 0xee;
	rounds(&s, 4);
	store_le(out, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
	s.v1 ^= 0xdd;
	rounds(&s, 4);
	store_le(out + 8, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}
