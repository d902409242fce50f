/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of pairs: PX-15, PX-21, TR71, TR72. */
#include "harness.h"

static size_t order_of(struct node *n, const struct shim6_pair *current, struct shim6_pair out[256])
{
	return reap_pair_order(&n->l, current, out, 256);
}

/* Every pair once; each full round uses no locator twice; the current pair first. */
static void tr72_rounds_are_diagonal(void **state)
{
	struct shim6_pair order[256];

	(void)state;
	for (unsigned n = 1; n <= 8; n++) {
		for (unsigned m = 1; m <= 8; m++) {
			struct node node;
			unsigned small = n < m ? n : m;

			node_init(&node, 0, n, m);
			for (unsigned c = 0; c < n * m; c++) {
				struct shim6_pair current = pair_of(0, c / m, c % m);
				uint64_t seen = 0;

				assert_int_equal(order_of(&node, &current, order), n * m);
				assert_pair(&order[0], &current);
				for (unsigned k = 0; k < n * m; k++) {
					unsigned i = index_of(&order[k].local), j = index_of(&order[k].peer);

					assert_false(seen >> (i * 8 + j) & 1);
					seen |= UINT64_C(1) << (i * 8 + j);
					for (unsigned b = k - k % small; b < k; b++) {
						assert_int_not_equal(index_of(&order[b].local), i);
						assert_int_not_equal(index_of(&order[b].peer), j);
					}
				}
			}
			node_free(&node);
		}
	}
}

/* All choices of f < min(N, M) dead locators, known to nobody: a good pair within the first f + 1. */
static void tr72_bound_f_plus_one(void **state)
{
	struct shim6_pair order[256];

	(void)state;
	for (unsigned n = 1; n <= 8; n++) {
		for (unsigned m = 1; m <= 8; m++) {
			struct shim6_pair current = pair_of(0, n / 2, m - 1);
			unsigned small = n < m ? n : m;
			struct node node;

			node_init(&node, 0, n, m);
			order_of(&node, &current, order);
			for (unsigned dead = 0; dead < 1u << (n + m); dead++) {
				unsigned f = (unsigned)__builtin_popcount(dead), k = 0;

				if (f >= small)
					continue;
				while (dead >> index_of(&order[k].local) & 1 ||
				       dead >> (n + index_of(&order[k].peer)) & 1)
					k++;
				assert_in_range(k, 0, f);
			}
			node_free(&node);
		}
	}
}

/* PX-02 */
static void px15_preferences_and_dead_ends(void **state)
{
	struct shim6_pair order[256], current = pair_of(0, 0, 0);
	struct node n;

	(void)state;
	node_init(&n, 0, 3, 3);
	/* Preference orders what is not in use: lower priority first, then more weight. */
	n.peer[1].priority = 5;
	n.peer[2].priority = 1;
	n.local[1].weight = 1;
	n.local[2].weight = 9;
	assert_int_equal(order_of(&n, &current, order), 9);
	assert_pair(&order[0], &current);
	assert_pair(&order[1], &(struct shim6_pair){ address(0, 2), address(1, 2) });
	assert_pair(&order[2], &(struct shim6_pair){ address(0, 1), address(1, 1) });

	/* Known dead: what uses it comes last; the living end of the current pair stays in front. */
	n.local[0].flags = REAP_LOC_DOWN;
	assert_int_equal(order_of(&n, &current, order), 9);
	assert_pair(&order[0], &(struct shim6_pair){ address(0, 2), address(1, 0) });
	for (unsigned k = 0; k < 9; k++)
		assert_int_equal(index_of(&order[k].local) == 0, k >= 6);

	/* Gone: never. */
	n.local[0].flags = REAP_LOC_GONE;
	n.peer[1].flags = REAP_LOC_GONE | REAP_LOC_DOWN;
	assert_int_equal(order_of(&n, &current, order), 4);
	for (unsigned k = 0; k < 4; k++) {
		assert_int_not_equal(index_of(&order[k].local), 0);
		assert_int_not_equal(index_of(&order[k].peer), 1);
	}
	/* Everything down is still an order; everything gone is none. */
	for (unsigned i = 0; i < 3; i++)
		n.local[i].flags = REAP_LOC_DOWN;
	n.peer[1].flags = 0;
	assert_int_equal(order_of(&n, &current, order), 9);
	for (unsigned i = 0; i < 3; i++)
		n.local[i].flags = REAP_LOC_GONE;
	assert_int_equal(order_of(&n, &current, order), 0);
	node_free(&n);
}

static void order_is_cut_to_the_buffer(void **state)
{
	struct shim6_pair order[3], current = pair_of(0, 0, 0);
	struct node n;

	(void)state;
	node_init(&n, 0, 4, 4);
	memset(order, 0xee, sizeof(order));
	assert_int_equal(reap_pair_order(&n.l, &current, order, 2), 16);
	assert_int_equal(order[2].local.b[0], 0xee);
	node_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tr72_rounds_are_diagonal),
		cmocka_unit_test(tr72_bound_f_plus_one),
		cmocka_unit_test(px15_preferences_and_dead_ends),
		cmocka_unit_test(order_is_cut_to_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
