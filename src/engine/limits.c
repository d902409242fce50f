/* SPDX-License-Identifier: MIT */
/*
 * Limits: a token bucket for the whole host and one per /64 for every kind of
 * reply that needs no state (Z-06), a budget for probes and signatures, and a
 * count of contexts per /64 and of forks per ULID pair (Z-08, H-07).
 *
 * The buckets of the /64s live in a fixed table; two prefixes may share one.
 * Which ones do is secret (keyed hash), so nobody can starve a chosen victim.
 */
#include "engine/limits.h"

#include <stdlib.h>

#define SECOND UINT64_C(1000000000)

#define PREFIX 8 /* octets of a /64 */

struct key_count {
	struct hash_node node;
	unsigned n;
	size_t len;
	uint8_t key[]; /* a /64, or a ULID pair that has forks */
};

bool limits_init(struct limits *l, uint64_t now)
{
	uint64_t full = now > SECOND ? now - SECOND : 0;

	l->replies.credit_since = l->signatures.credit_since = full;
	l->probes.credit_since = l->probe_replies.credit_since = l->updates.credit_since = full;
	for (unsigned i = 0; i < LIMITS_PREFIX_BUCKETS; i++)
		l->prefix[i].credit_since = full;
	return hash_init(&l->contexts);
}

void limits_free(struct limits *l)
{
	for (size_t i = 0; l->contexts.bucket && i <= l->contexts.mask; i++) {
		struct hash_node *node, *next;

		for (node = l->contexts.bucket[i]; node; node = next) {
			next = node->next;
			free(container_of(node, struct key_count, node));
		}
	}
	hash_free(&l->contexts);
}

/* Can a token be taken? If so, the time to store. */
static bool token_ready(const struct token_bucket *b, uint64_t now, unsigned rate, uint64_t *after)
{
	uint64_t since = b->credit_since;

	if (rate == 0)
		return false;
	if (now > SECOND && since < now - SECOND)
		since = now - SECOND; /* full */
	*after = since + SECOND / rate;
	return *after <= now;
}

bool token_take(struct token_bucket *b, uint64_t now, unsigned rate)
{
	uint64_t after;

	if (!token_ready(b, now, rate, &after))
		return false;
	b->credit_since = after;
	return true;
}

uint64_t token_turn(struct token_bucket *b, uint64_t now, unsigned rate)
{
	uint64_t after;

	if (rate == 0)
		return UINT64_MAX;
	token_ready(b, now, rate, &after);
	b->credit_since = after;
	return after > now ? after : now;
}

enum limits_result limits_reply(struct limits *l, const struct siphash_key *k, uint64_t now,
				const struct shim6_addr *addr, unsigned host_rate, unsigned prefix_rate)
{
	struct token_bucket *prefix = &l->prefix[siphash_64(k, addr->b, 8) % LIMITS_PREFIX_BUCKETS];
	uint64_t after;

	if (!token_ready(prefix, now, prefix_rate, &after))
		return LIMITS_PREFIX;
	if (!token_take(&l->replies, now, host_rate))
		return LIMITS_HOST;
	prefix->credit_since = after;
	return LIMITS_OK;
}

/* --- counts ------------------------------------------------------------- */

static struct key_count *find(const struct limits *l, uint64_t hash, const uint8_t *key, size_t len)
{
	for (struct hash_node *node = hash_first(&l->contexts, hash); node; node = hash_next(node)) {
		struct key_count *p = container_of(node, struct key_count, node);

		if (p->len == len && memcmp(p->key, key, len) == 0)
			return p;
	}
	return NULL;
}

static unsigned count_get(const struct limits *l, const struct siphash_key *k, const void *key, size_t len)
{
	struct key_count *p = find(l, siphash_64(k, key, len), key, len);

	return p ? p->n : 0;
}

static bool count_up(struct limits *l, const struct siphash_key *k, const void *key, size_t len)
{
	uint64_t hash = siphash_64(k, key, len);
	struct key_count *p = find(l, hash, key, len);

	if (!p) {
		p = calloc(1, sizeof(*p) + len);
		if (!p)
			return false;
		p->len = len;
		memcpy(p->key, key, len);
		hash_add(&l->contexts, &p->node, hash);
	}
	p->n++;
	return true;
}

static void count_down(struct limits *l, const struct siphash_key *k, const void *key, size_t len)
{
	struct key_count *p = find(l, siphash_64(k, key, len), key, len);

	if (!p || --p->n)
		return;
	hash_del(&l->contexts, &p->node);
	free(p);
}

unsigned limits_contexts(const struct limits *l, const struct siphash_key *k, const struct shim6_addr *peer)
{
	return count_get(l, k, peer->b, PREFIX);
}

unsigned limits_forks(const struct limits *l, const struct siphash_key *k, const struct shim6_pair *ulid)
{
	return count_get(l, k, ulid, sizeof(*ulid));
}

bool limits_context_add(struct limits *l, const struct siphash_key *k, const struct shim6_pair *ulid, uint32_t fii)
{
	if (!count_up(l, k, ulid->peer.b, PREFIX))
		return false;
	if (!fii || count_up(l, k, ulid, sizeof(*ulid)))
		return true;
	count_down(l, k, ulid->peer.b, PREFIX);
	return false;
}

void limits_context_del(struct limits *l, const struct siphash_key *k, const struct shim6_pair *ulid, uint32_t fii)
{
	count_down(l, k, ulid->peer.b, PREFIX);
	if (fii)
		count_down(l, k, ulid, sizeof(*ulid));
}
