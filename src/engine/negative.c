/* SPDX-License-Identifier: MIT */
/*
 * The negative cache. Silence is remembered for the ULID pair, because the path
 * may be to blame; an ICMPv6 "unrecognized next header" for the peer ULID
 * . It holds back our own I1s and never our answers (S-02). When full,
 * the oldest entry makes room.
 */
#include "engine/negative.h"

#include <stdlib.h>

#include "engine/internal.h"

struct negative {
	struct hash_node node;
	struct negative *older, *newer;
	struct timer timer;
	struct shim6_pair ulid; /* local unspecified: any */
	enum engine_state state;
	uint64_t until;
};

static struct shim6_pair key_of(const struct shim6_pair *ulid, enum engine_state state)
{
	struct shim6_pair key = *ulid;

	if (state == ENGINE_NO_SUPPORT)
		memset(&key.local, 0, sizeof(key.local));
	return key;
}

static struct negative *find(const struct engine *e, const struct shim6_pair *ulid, enum engine_state state)
{
	struct shim6_pair key = key_of(ulid, state);
	struct hash_node *node = hash_first(&e->negative.table, siphash_64(&e->hash_key, &key, sizeof(key)));

	for (; node; node = hash_next(node)) {
		struct negative *n = container_of(node, struct negative, node);

		if (n->state == state && shim6_pair_eq(&n->ulid, &key))
			return n;
	}
	return NULL;
}

bool negative_init(struct negative_cache *n)
{
	return hash_init(&n->table);
}

static void drop(struct engine *e, struct negative *n)
{
	struct negative_cache *cache = &e->negative;

	timer_cancel(&e->wheel, &n->timer);
	hash_del(&cache->table, &n->node);
	if (n->older)
		n->older->newer = n->newer;
	else
		cache->oldest = n->newer;
	if (n->newer)
		n->newer->older = n->older;
	else
		cache->newest = n->older;
	cache->n--;
	free(n);
}

void negative_free(struct engine *e)
{
	while (e->negative.oldest)
		drop(e, e->negative.oldest);
	hash_free(&e->negative.table);
}

void negative_add(struct engine *e, uint64_t now, const struct shim6_pair *ulid, enum engine_state state)
{
	bool no_support = state == ENGINE_NO_SUPPORT;
	struct negative *n = find(e, ulid, state);

	count(e, no_support ? C_negative_no_support : C_negative_e_failed);
	if (n)
		drop(e, n);
	if (e->negative.n >= e->config.max_negative) {
		count(e, C_limit_negative);
		if (!e->negative.oldest)
			return;
		drop(e, e->negative.oldest);
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		count(e, C_limit_memory);
		return;
	}
	n->ulid = key_of(ulid, state);
	n->state = state;
	n->until = now + (no_support ? e->config.icmp_holddown : e->config.no_r1_holddown); /* (T-05, T-06) */
	n->timer.kind = TIMER_NEGATIVE;
	hash_add(&e->negative.table, &n->node, siphash_64(&e->hash_key, &n->ulid, sizeof(n->ulid)));
	n->older = e->negative.newest;
	if (n->older)
		n->older->newer = n;
	else
		e->negative.oldest = n;
	e->negative.newest = n;
	e->negative.n++;
	timer_arm(&e->wheel, &n->timer, n->until);
}

bool negative_holds(const struct engine *e, const struct shim6_pair *ulid)
{
	return find(e, ulid, ENGINE_E_FAILED) || find(e, ulid, ENGINE_NO_SUPPORT);
}

void negative_forget(struct engine *e, const struct shim6_pair *ulid)
{
	struct negative *failed = find(e, ulid, ENGINE_E_FAILED);
	struct negative *no_support = find(e, ulid, ENGINE_NO_SUPPORT);

	if (failed)
		drop(e, failed);
	if (no_support)
		drop(e, no_support);
}

void negative_expire(struct engine *e, struct timer *t)
{
	drop(e, container_of(t, struct negative, timer));
}

int engine_each_negative(struct engine *e, int (*fn)(void *arg, const struct engine_negative_info *info), void *arg)
{
	for (struct negative *n = e->negative.oldest; n; n = n->newer) {
		struct engine_negative_info info = { .ulid = n->ulid, .state = n->state, .until = n->until };
		int r = fn(arg, &info);

		if (r)
			return r;
	}
	return 0;
}
