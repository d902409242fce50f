/* SPDX-License-Identifier: MIT */
/*
 * Intrusive chained hash table. When there is no memory to grow, chains get
 * longer and everything still works.
 */
#include "engine/hash.h"

#include <stdlib.h>

#define HASH_START 16
#define HASH_LOAD 2 /* nodes per bucket at which the table grows: what is saved is more than the look-ups cost */

bool hash_init(struct hash_table *t)
{
	t->n = 0;
	t->mask = HASH_START - 1;
	t->bucket = calloc(HASH_START, sizeof(struct hash_node *));
	return t->bucket != NULL;
}

void hash_free(struct hash_table *t)
{
	free(t->bucket);
	*t = (struct hash_table){ 0 };
}

static void grow(struct hash_table *t)
{
	size_t mask = 2 * t->mask + 1;
	struct hash_node **bucket = calloc(mask + 1, sizeof(struct hash_node *));

	if (!bucket)
		return;
	for (size_t i = 0; i <= t->mask; i++) {
		struct hash_node *node, *next;

		for (node = t->bucket[i]; node; node = next) {
			next = node->next;
			node->next = bucket[node->hash & mask];
			bucket[node->hash & mask] = node;
		}
	}
	free(t->bucket);
	t->bucket = bucket;
	t->mask = mask;
}

void hash_add(struct hash_table *t, struct hash_node *node, uint64_t hash)
{
	if (t->n > HASH_LOAD * t->mask)
		grow(t);
	node->hash = hash;
	node->next = t->bucket[hash & t->mask];
	t->bucket[hash & t->mask] = node;
	t->n++;
}

void hash_del(struct hash_table *t, struct hash_node *node)
{
	for (struct hash_node **p = &t->bucket[node->hash & t->mask]; *p; p = &(*p)->next) {
		if (*p == node) {
			*p = node->next;
			t->n--;
			return;
		}
	}
}

static struct hash_node *same(struct hash_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct hash_node *hash_first(const struct hash_table *t, uint64_t hash)
{
	return same(t->bucket[hash & t->mask], hash);
}

struct hash_node *hash_next(const struct hash_node *node)
{
	return same(node->next, node->hash);
}
