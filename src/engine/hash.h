/* SPDX-License-Identifier: MIT */
/*
 * Intrusive hash table: chained, doubled as it fills. The caller hashes (with
 * a key that the network does not know) and compares.
 */
#ifndef SHIM6_ENGINE_HASH_H
#define SHIM6_ENGINE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash_table {
	struct hash_node **bucket;
	size_t mask;
	size_t n;
};

bool hash_init(struct hash_table *t);
void hash_free(struct hash_table *t);
void hash_add(struct hash_table *t, struct hash_node *node, uint64_t hash);
void hash_del(struct hash_table *t, struct hash_node *node);
/* First node of that hash, and the next after one; NULL: no more. */
struct hash_node *hash_first(const struct hash_table *t, uint64_t hash);
struct hash_node *hash_next(const struct hash_node *node);

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
