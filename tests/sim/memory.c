/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts what each engine allocates: the programs are linked with
 * --wrap=malloc and its kin, and each block remembers whose it is. What
 * belongs to an engine is known by the simulator, which sets sim_memory_of
 * around each call.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "memory.h"

struct block {
	uint64_t *owner;
	size_t size;
} __attribute__((aligned(16)));

#define OVERHEAD 16 /* of the allocator, with its rounding: what a block costs beyond its octets */

void *__real_malloc(size_t size);
void __real_free(void *p);

volatile unsigned long sim_memory_fails;

void *__wrap_malloc(size_t size)
{
	bool fails = sim_memory_of && sim_memory_fails && --sim_memory_fails == 0;
	struct block *b = fails ? NULL : __real_malloc(sizeof(*b) + size);

	if (!b)
		return NULL;
	b->owner = sim_memory_of;
	b->size = size;
	if (b->owner)
		*b->owner += size + OVERHEAD;
	return b + 1;
}

void __wrap_free(void *p)
{
	struct block *b = p;

	if (!p)
		return;
	b--;
	if (b->owner)
		*b->owner -= b->size + OVERHEAD;
	__real_free(b);
}

void *__wrap_calloc(size_t n, size_t size)
{
	void *p;

	if (size && n > SIZE_MAX / size)
		return NULL;
	p = __wrap_malloc(n * size);
	if (p)
		memset(p, 0, n * size);
	return p;
}

void *__wrap_realloc(void *old, size_t size)
{
	size_t had = old ? ((struct block *)old - 1)->size : 0;
	void *p = __wrap_malloc(size);

	if (p && old) {
		memcpy(p, old, had < size ? had : size);
		__wrap_free(old);
	}
	return p;
}
