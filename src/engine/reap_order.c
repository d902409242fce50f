/* SPDX-License-Identifier: MIT */
/*
 * The order of exploration (PX-15).
 *
 * A dead locator takes every pair down that uses it, so the next pair to try
 * should share no locator with those that just failed. Each side is ranked: its
 * end of the current pair, then by preference; locators known to be down last.
 * Rounds then walk the diagonals of that matrix: round r pairs the i-th locator
 * of the smaller side with the (i + r)-th of the larger. The min(N, M) pairs of
 * a round share no locator, hence f < min(N, M) dead locators cannot spoil more
 * than f of the first f + 1 pairs. Pairs with an end that is down come after
 * all others, in the same manner; pairs with an end that is gone not at all.
 */
#include "engine/reap_episode.h"

struct ranked {
	uint8_t at[REAP_MAX_LOCATORS]; /* positions in the candidate set, best first */
	unsigned n;
	unsigned up; /* how many of them are not DOWN; these come first */
};

static unsigned clamp(unsigned n)
{
	return n < REAP_MAX_LOCATORS ? n : REAP_MAX_LOCATORS;
}

/* Does a come before b? Equal ones stay in list order: that of RFC 6724, by the owner (PX-02). */
static bool before(const struct reap_locator *a, const struct reap_locator *b, const struct shim6_addr *current)
{
	bool a_down = a->flags & REAP_LOC_DOWN, b_down = b->flags & REAP_LOC_DOWN;

	if (a_down != b_down)
		return b_down;
	if (shim6_addr_eq(&b->addr, current))
		return false;
	if (shim6_addr_eq(&a->addr, current))
		return true;
	if (a->priority != b->priority)
		return a->priority < b->priority;
	if (a->turn != b->turn)
		return a->turn < b->turn;
	return a->weight > b->weight;
}

static void rank(const struct reap_locator *l, unsigned n, const struct shim6_addr *current, struct ranked *out)
{
	out->n = out->up = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned k = out->n;

		if (l[i].flags & REAP_LOC_GONE)
			continue;
		for (; k > 0 && before(&l[i], &l[out->at[k - 1]], current); k--)
			out->at[k] = out->at[k - 1];
		out->at[k] = (uint8_t)i;
		out->n++;
		out->up += !(l[i].flags & REAP_LOC_DOWN);
	}
}

/* The diagonals of the first n x m; pairs that lie within skip_n x skip_m are left out. */
static size_t diagonals(const struct ranked *a, unsigned n, unsigned skip_n, const struct ranked *b, unsigned m,
			unsigned skip_m, struct reap_index *out)
{
	unsigned small = n < m ? n : m, large = n < m ? m : n;
	size_t count = 0;

	for (unsigned r = 0; r < large && small > 0; r++) {
		for (unsigned i = 0; i < small; i++) {
			unsigned far = (i + r) % large;
			unsigned x = n <= m ? i : far, y = n <= m ? far : i;

			if (x < skip_n && y < skip_m)
				continue;
			out[count++] = (struct reap_index){ a->at[x], b->at[y] };
		}
	}
	return count;
}

size_t reap_order(const struct reap_locators *l, const struct shim6_pair *current, struct reap_index *out)
{
	struct ranked a, b;
	size_t n;

	rank(l->local, clamp(l->n_local), &current->local, &a);
	rank(l->peer, clamp(l->n_peer), &current->peer, &b);
	n = diagonals(&a, a.up, 0, &b, b.up, 0, out);
	return n + diagonals(&a, a.n, a.up, &b, b.n, b.up, out + n);
}

size_t reap_pair_order(const struct reap_locators *l, const struct shim6_pair *current, struct shim6_pair *out,
		       size_t cap)
{
	struct reap_index order[REAP_MAX_PAIRS];
	size_t n = reap_order(l, current, order);

	for (size_t i = 0; i < n && i < cap; i++) {
		out[i].local = l->local[order[i].local].addr;
		out[i].peer = l->peer[order[i].peer].addr;
	}
	return n;
}

static int find(const struct reap_locator *l, unsigned n, const struct shim6_addr *addr)
{
	for (unsigned i = 0; i < n; i++)
		if (shim6_addr_eq(&l[i].addr, addr))
			return (int)i;
	return -1;
}

bool reap_pair_find(const struct reap_locators *l, const struct shim6_pair *pair, struct reap_index *out)
{
	int local = find(l->local, clamp(l->n_local), &pair->local);
	int peer = find(l->peer, clamp(l->n_peer), &pair->peer);

	if (local < 0 || peer < 0)
		return false;
	*out = (struct reap_index){ (uint8_t)local, (uint8_t)peer };
	return true;
}

static bool pair_without(const struct reap_locators *l, const struct shim6_pair *pair, unsigned flags)
{
	struct reap_index i;

	return reap_pair_find(l, pair, &i) && !((l->local[i.local].flags | l->peer[i.peer].flags) & flags);
}

bool reap_pair_usable(const struct reap_locators *l, const struct shim6_pair *pair)
{
	return pair_without(l, pair, REAP_LOC_GONE);
}

bool reap_pair_alive(const struct reap_locators *l, const struct shim6_pair *pair)
{
	return pair_without(l, pair, REAP_LOC_GONE | REAP_LOC_DOWN);
}
