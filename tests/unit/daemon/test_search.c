/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking for a modifier on several threads: TH32, TH33 of the rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>
#include <sys/resource.h>

#include "daemon/search.h"

static const uint8_t prefix[2][8] = { { 0x20, 1, 0x0d, 0xb8, 1 }, { 0x20, 1, 0x0d, 0xb8, 2 } };

/* HG-05, HG-12: whoever wins, the set is one; Sec 1 is found by the thousand tries */
static void test_race(void **state)
{
	struct cga_gen gen = { .prefixes = prefix, .n_prefixes = 2, .sec = 1 };
	static struct cga_set set, other;

	(void)state;
	for (unsigned threads = 1; threads <= 5; threads++) {
		other = set;
		assert_int_equal(search_generate(&gen, threads, &set), CGA_OK);
		assert_memory_not_equal(&set.addr, &other.addr, sizeof(set.addr));
		for (unsigned i = 0; i < 2; i++) {
			struct cga_verifier v;
			struct cga_pds pds;

			assert_int_equal(cga_pds_parse(&pds, set.pds[i], set.pds_len), CGA_OK);
			cga_verifier_init(&v, &pds);
			assert_int_equal(cga_verify_hba(&v, &set.addr[i]), CGA_OK);
			assert_int_equal(cga_verify_hba(&v, &set.addr[1 - i]), CGA_OK);
			assert_int_equal(set.addr[i].b[8] >> 5, 1);
		}
	}
}

struct looked {
	unsigned times;
	uint64_t tries;
};

static int stop_after_progress(void *arg, uint64_t tries)
{
	struct looked *l = arg;

	assert_true(tries >= l->tries);
	l->tries = tries;
	l->times++;
	return tries > 3000000;
}

/* TH33: the tries of all threads are told, and a word ends them all */
static void test_cancelled(void **state)
{
	struct looked l = { 0 };
	struct cga_gen gen = {
		.prefixes = prefix, .n_prefixes = 2, .sec = 2, .progress = stop_after_progress, .progress_arg = &l
	};
	static struct cga_set set;
	int before = getpriority(PRIO_PROCESS, 0);

	(void)state;
	assert_int_equal(search_generate(&gen, 3, &set), CGA_E_CANCELLED);
	assert_true(l.times >= 1 && l.tries > 3000000);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
}

static void test_wrong_arguments_end_it(void **state)
{
	struct cga_gen gen = { .prefixes = prefix, .n_prefixes = 0, .sec = 2 };
	static struct cga_set set;

	(void)state;
	assert_int_equal(search_generate(&gen, 4, &set), CGA_E_ARGUMENT);
}

static void test_progress(void **state)
{
	struct search_progress p = search_progress(2, 4, 1000000, 0.5);

	(void)state;
	assert_int_equal(p.expected, UINT64_C(1) << 32);
	assert_true(p.per_second == 2e6 && p.left > 2147 && p.left < 2148 && p.threads == 4);
	p = search_progress(2, 4, 0, 0.5);
	assert_true(p.per_second == 0 && p.left == 0);
	assert_int_equal(search_threads(0), 1);
	assert_int_equal(search_threads(1), 1);
	assert_in_range(search_threads(2), 1, SEARCH_MAX_THREADS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_wrong_arguments_end_it),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
