/* SPDX-License-Identifier: MIT */
/*
 * Validators let a responder stay stateless (Z-01): an R1 or R1bis carries a
 * keyed hash over everything its I2 or I2bis must repeat, and a nonce whose
 * upper bits are a clock, so that age is checked without memory (E-21, E-24).
 *
 * The hash is SipHash-2-4 with 128 bits, keyed with a secret that is drawn anew
 * each lifetime; the one before stays good for one more (E-27). R1 and R1bis
 * have domains of their own (E-26). The initiator nonce is not covered: an I2
 * may carry another one than the I1 (E-25, A-04).
 */
#include "engine/validator.h"

#define NONCE_RANDOM_BITS 12
#define NONCE_TICK_SHIFT 28 /* a step each 0.27 s; 20 bits of them last 78 hours */
#define NONCE_TICK_MASK ((UINT32_C(1) << (32 - NONCE_RANDOM_BITS)) - 1)

enum domain {
	DOMAIN_R1 = 1,
	DOMAIN_R1BIS = 2,
};

struct input {
	uint8_t b[128];
	size_t len;
};

static void put(struct input *in, const void *p, size_t len)
{
	memcpy(in->b + in->len, p, len);
	in->len += len;
}

static void put_uint(struct input *in, uint64_t x, unsigned octets)
{
	while (octets--)
		in->b[in->len++] = (uint8_t)(x >> (8 * octets));
}

void validator_rotate(struct validator *v, uint64_t now, uint64_t lifetime, validator_random *random, void *user)
{
	if (v->current.epoch && now - v->since < lifetime)
		return;
	v->previous = v->current;
	/* After a long silence the old secret is no longer the one before (T064). */
	if (now - v->since >= 2 * lifetime)
		v->previous.epoch = 0;
	random(user, v->current.key.b, sizeof(v->current.key.b));
	v->current.epoch++;
	v->since = now;
}

uint32_t validator_nonce(uint64_t now, uint32_t low)
{
	uint32_t tick = (uint32_t)(now >> NONCE_TICK_SHIFT) & NONCE_TICK_MASK;

	return tick << NONCE_RANDOM_BITS | (low & ((UINT32_C(1) << NONCE_RANDOM_BITS) - 1));
}

bool validator_nonce_fresh(uint64_t now, uint32_t nonce, uint64_t max_age)
{
	uint32_t age = ((uint32_t)(now >> NONCE_TICK_SHIFT) - (nonce >> NONCE_RANDOM_BITS)) & NONCE_TICK_MASK;

	return (uint64_t)age << NONCE_TICK_SHIFT <= max_age;
}

static void r1_hash(const struct validator_secret *s, const struct validator_r1 *r, uint32_t nonce,
		    uint8_t out[VALIDATOR_LEN])
{
	struct input in = { .len = 0 };

	put_uint(&in, DOMAIN_R1, 1);
	put_uint(&in, s->epoch, 4);
	put_uint(&in, nonce, 4);
	put_uint(&in, r->ct, 8);
	put(&in, &r->ulid_sender, 16);
	put(&in, &r->ulid_receiver, 16);
	put(&in, &r->src, 16);
	put(&in, &r->dst, 16);
	put_uint(&in, r->has_fii, 1);
	put_uint(&in, r->has_fii ? r->fii : 0, 4);
	siphash_128(&s->key, in.b, in.len, out);
}

static void r1bis_hash(const struct validator_secret *s, const struct validator_r1bis *r, uint32_t nonce,
		       uint8_t out[VALIDATOR_LEN])
{
	struct input in = { .len = 0 };

	put_uint(&in, DOMAIN_R1BIS, 1);
	put_uint(&in, s->epoch, 4);
	put_uint(&in, nonce, 4);
	put_uint(&in, r->packet_ct, 8);
	put(&in, &r->src, 16);
	put(&in, &r->dst, 16);
	siphash_128(&s->key, in.b, in.len, out);
}

/* Time must not tell how many octets agree (E-28). */
static bool equal(const uint8_t *a, const uint8_t *b)
{
	uint8_t diff = 0;

	for (unsigned i = 0; i < VALIDATOR_LEN; i++)
		diff |= (uint8_t)(a[i] ^ b[i]);
	return diff == 0;
}

void validator_make_r1(const struct validator *v, const struct validator_r1 *in, uint32_t nonce,
		       uint8_t out[VALIDATOR_LEN])
{
	r1_hash(&v->current, in, nonce, out);
}

void validator_make_r1bis(const struct validator *v, const struct validator_r1bis *in, uint32_t nonce,
			  uint8_t out[VALIDATOR_LEN])
{
	r1bis_hash(&v->current, in, nonce, out);
}

bool validator_check_r1(const struct validator *v, const struct validator_r1 *in, uint32_t nonce, const uint8_t *p,
			size_t len)
{
	uint8_t want[VALIDATOR_LEN];

	if (len != VALIDATOR_LEN)
		return false;
	r1_hash(&v->current, in, nonce, want);
	if (equal(want, p))
		return true;
	r1_hash(&v->previous, in, nonce, want);
	return v->previous.epoch && equal(want, p);
}

bool validator_check_r1bis(const struct validator *v, const struct validator_r1bis *in, uint32_t nonce,
			   const uint8_t *p, size_t len)
{
	uint8_t want[VALIDATOR_LEN];

	if (len != VALIDATOR_LEN)
		return false;
	r1bis_hash(&v->current, in, nonce, want);
	if (equal(want, p))
		return true;
	r1bis_hash(&v->previous, in, nonce, want);
	return v->previous.epoch && equal(want, p);
}
