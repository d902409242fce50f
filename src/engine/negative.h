/* SPDX-License-Identifier: MIT */
/* E-FAILED and NO-SUPPORT: what is remembered of establishments that came to nothing (C-14, A-34). */
#ifndef SHIM6_ENGINE_NEGATIVE_H
#define SHIM6_ENGINE_NEGATIVE_H

#include "engine/engine.h"
#include "engine/hash.h"
#include "engine/timer.h"

struct negative;

struct negative_cache {
	struct hash_table table;
	struct negative *oldest, *newest;
	unsigned n;
};

bool negative_init(struct negative_cache *n);
void negative_free(struct engine *e);
/* state E_FAILED: for the ULID pair; NO_SUPPORT: for the peer ULID, whatever our own. */
void negative_add(struct engine *e, uint64_t now, const struct shim6_pair *ulid, enum engine_state state);
bool negative_holds(const struct engine *e, const struct shim6_pair *ulid);
/* The peer answered after all, or an operator insists. */
void negative_forget(struct engine *e, const struct shim6_pair *ulid);
/* The hold-down of the entry that owns t is over. */
void negative_expire(struct engine *e, struct timer *t);

#endif
