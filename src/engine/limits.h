/* SPDX-License-Identifier: MIT */
/* Bounds on what the network can make us do (section 19 of the rows). */
#ifndef SHIM6_ENGINE_LIMITS_H
#define SHIM6_ENGINE_LIMITS_H

#include "engine/hash.h"
#include "engine/siphash.h"
#include "wire/addr.h"

#define LIMITS_PREFIX_BUCKETS 1024	/* token buckets shared by all /64s */
#define LIMITS_SIGNATURES_PER_SECOND 32 /* RSA verifications, whole host (Z-08) */

/* Tokens are counted in nanoseconds of credit, so that slow rates do not round to none. */
struct token_bucket {
	uint64_t credit_since; /* the bucket is as if empty at this time */
};

struct limits {
	struct token_bucket replies, probes, probe_replies, updates, signatures, own_signatures;
	struct token_bucket prefix[LIMITS_PREFIX_BUCKETS];
	struct hash_table contexts; /* struct key_count: contexts per /64 of the peer, forks per ULID pair */
};

enum limits_result {
	LIMITS_OK,
	LIMITS_HOST,
	LIMITS_PREFIX,
};

bool limits_init(struct limits *l, uint64_t now);
void limits_free(struct limits *l);

/* rate 0 refuses everything; a bucket holds one second's worth. */
bool token_take(struct token_bucket *b, uint64_t now, unsigned rate);
/* The same, but none is refused for good: a token that is not there yet is taken in advance. Returns when it is, now
 * at the earliest; UINT64_MAX: never. Turns are in order of asking. */
uint64_t token_turn(struct token_bucket *b, uint64_t now, unsigned rate);
/* May we answer something that came from addr? (Z-06) */
enum limits_result limits_reply(struct limits *l, const struct siphash_key *k, uint64_t now,
				const struct shim6_addr *addr, unsigned host_rate, unsigned prefix_rate);

/* Contexts per /64 of the peer, and those of a ULID pair that are forks (FII not 0). */
unsigned limits_contexts(const struct limits *l, const struct siphash_key *k, const struct shim6_addr *peer);
unsigned limits_forks(const struct limits *l, const struct siphash_key *k, const struct shim6_pair *ulid);
bool limits_context_add(struct limits *l, const struct siphash_key *k, const struct shim6_pair *ulid, uint32_t fii);
void limits_context_del(struct limits *l, const struct siphash_key *k, const struct shim6_pair *ulid, uint32_t fii);

#endif
