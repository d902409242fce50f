/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two machines against each other: what is left of the mesh after a failure is
 * given as two matrices, and both must end in Operational on pairs that work in
 * their direction, within the bounds of rows 16.4. TR74..TR78, TR91, TR92, AMB-R5.
 */
#include "harness.h"

static struct sim s;

static int teardown(void **state)
{
	(void)state;
	sim_free(&s);
	return 0;
}

/* Time from the first detection until both are well again; fails if that is later than the limit. */
static uint64_t recover(uint64_t limit)
{
	uint64_t found;

	assert_true(sim_run_until(&s, s.now + 60 * SEC + limit, sim_recovered));
	found = sim_first_detection(&s);
	return found < s.now ? s.now - found : 0;
}

/* tau(k) of 16.1, in ns */
static uint64_t tau(unsigned k)
{
	uint64_t t = 0, gap = SEC;

	for (unsigned i = 2; i <= k; i++) {
		t += i <= 4 ? SEC / 2 : gap;
		if (i > 4)
			gap = gap * 2 < 60 * SEC ? gap * 2 : 60 * SEC;
	}
	return t;
}

/* Position of the first pair of the order that works for this side; 0: none. */
static unsigned first_good(int side)
{
	struct shim6_pair order[256], current = pair_of(side, 0, 0);
	size_t n = reap_pair_order(&s.node[side].l, &current, order, 256);

	for (unsigned k = 0; k < n; k++)
		if (s.path[side][index_of(&order[k].local)][index_of(&order[k].peer)])
			return k + 1;
	return 0;
}

/* The bound of 16.4 with jitter on the gaps, one grid slot of slack for probes that wait for a reply. */
static uint64_t bound(void)
{
	unsigned i = first_good(0), j = first_good(1);
	uint64_t a = tau(i) + tau(j + 2), b = tau(j) + tau(i + 2);
	uint64_t gap = s.gap[0] > s.gap[1] ? s.gap[0] : s.gap[1];

	return (a > b ? a : b) * 6 / 5 + 4 * s.delay + 2 * gap;
}

static void fail_all_but(const uint8_t *a_to_b, const uint8_t *b_to_a, unsigned n, unsigned m)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < m; j++) {
			s.path[0][i][j] = a_to_b[i * m + j];
			s.path[1][j][i] = b_to_a[j * n + i];
		}
}

/* --- the examples of appendix A --------------------------------------------- */

static void tr74_example_4(void **state)
{
	struct shim6_pair a = pair_of(0, 0, 1), b = pair_of(1, 1, 0);
	const struct log_entry *end;

	(void)state;
	sim_init(&s, 1, 2, 1);
	sim_run(&s, START + 5 * SEC);
	s.path[0][0][0] = s.path[1][0][0] = false;
	assert_in_range(recover(20 * SEC), 0, 700 * MSEC);
	assert_pair(&s.node[0].r.current, &a);
	assert_pair(&s.node[1].r.current, &b);
	/* EX on the dead pair, EX on the other; IN, OP. */
	for (int side = 0; side < 2; side++) {
		end = log_nth(&s.node[side], LOG_END, 0);
		assert_in_range(end->probes, 1, 4);
		assert_in_range(end->at, START + 19 * SEC, START + 21 * SEC);
	}
	sim_run(&s, s.now + 60 * SEC);
	assert_int_equal(log_count(&s.node[0], LOG_BEGIN), 1);
	assert_int_equal(log_count(&s.node[1], LOG_BEGIN), 1);
	assert_int_equal(s.payload_wrong, 0);
}

static void tr75_example_5(void **state)
{
	struct shim6_pair a = pair_of(0, 1, 1), b = pair_of(1, 0, 0);

	(void)state;
	sim_init(&s, 2, 2, 1);
	sim_run(&s, START + 5 * SEC);
	s.path[0][0][0] = false;
	assert_in_range(recover(20 * SEC), 0, 700 * MSEC);
	/* Only what was broken moves. */
	assert_pair(&s.node[0].r.current, &a);
	assert_pair(&s.node[1].r.current, &b);
	assert_int_equal(log_nth(&s.node[1], LOG_BEGIN, 0)->cause, REAP_CAUSE_SEND_TIMEOUT);
	assert_int_equal(log_nth(&s.node[0], LOG_BEGIN, 0)->cause, REAP_CAUSE_PEER_PROBE);
}

/* PA-10 */
static void tr76_no_mirror_pair(void **state)
{
	struct shim6_pair a = pair_of(0, 0, 1), b = pair_of(1, 0, 1);

	(void)state;
	for (unsigned seed = 0; seed < 50; seed++) {
		sim_init(&s, 2, 2, seed);
		sim_jitter(&s, true);
		sim_run(&s, START + 3 * SEC);
		sim_all_paths(&s, false);
		s.path[0][0][1] = s.path[1][0][1] = true;
		recover(20 * SEC);
		assert_pair(&s.node[0].r.current, &a);
		assert_pair(&s.node[1].r.current, &b);
		sim_free(&s);
	}
	sim_init(&s, 1, 1, 1);
}

static void tr77_probes_cross(void **state)
{
	uint64_t worst = 0;

	(void)state;
	for (unsigned seed = 0; seed < 100; seed++) {
		uint64_t took;

		sim_init(&s, 2, 2, seed);
		if (seed > 0)
			sim_jitter(&s, true);
		s.delay = 100 * MSEC;
		/* The same S and the same last packet: both notice at once. */
		s.node[0].r.send_timeout = s.node[1].r.send_timeout = 15 * SEC;
		s.next_payload[1] = s.next_payload[0];
		sim_run(&s, START + 3 * SEC);
		sim_all_paths(&s, false);
		s.path[0][0][1] = s.path[1][0][1] = true;
		took = recover(30 * SEC);
		worst = took > worst ? took : worst;
		sim_free(&s);
	}
	print_message("             TR77 worst %llu ms\n", (unsigned long long)(worst / MSEC));
	assert_in_range(worst, 0, 5 * SEC);
	sim_init(&s, 1, 1, 1);
}

static void tr78_one_way_mesh(void **state)
{
	uint64_t worst = 0;

	(void)state;
	for (unsigned seed = 0; seed < 100; seed++) {
		uint64_t took;

		sim_init(&s, 2, 4, seed);
		sim_jitter(&s, true);
		s.delay = 30 * MSEC;
		s.gap[0] = s.gap[1] = 400 * MSEC;
		sim_run(&s, START + 3 * SEC);
		sim_all_paths(&s, false);
		s.path[0][0][1] = s.path[0][1][1] = true;
		s.path[1][0][1] = true;
		took = recover(900 * SEC);
		worst = took > worst ? took : worst;
		sim_free(&s);
	}
	print_message("             TR78 worst %llu ms\n", (unsigned long long)(worst / MSEC));
	assert_in_range(worst, 0, 20 * SEC);
	sim_init(&s, 1, 1, 1);
}

/* --- survivors ---------------------------------------------------------------- */

/* Every 2x2 pattern of survivors in both directions: 15 x 15, at three delays, with and without jitter. */
static void survivors_2x2_exhaustive(void **state)
{
	const uint64_t delays[] = { 5 * MSEC, 20 * MSEC, 300 * MSEC };
	uint64_t worst = 0;

	(void)state;
	for (unsigned c = 0; c < 15 * 15 * 3 * 2; c++) {
		unsigned x = c % 15 + 1, y = c / 15 % 15 + 1;
		uint64_t took;

		sim_init(&s, 2, 2, c);
		sim_jitter(&s, c >= 15 * 15 * 3);
		s.delay = delays[c / (15 * 15) % 3];
		sim_run(&s, START + 2 * SEC);
		for (unsigned k = 0; k < 4; k++) {
			s.path[0][k / 2][k % 2] = x >> k & 1;
			s.path[1][k / 2][k % 2] = y >> k & 1;
		}
		took = recover(60 * SEC);
		assert_in_range(took, 0, bound());
		worst = took > worst ? took : worst;
		/* And it stays so. */
		if (c % 7 == 0) {
			unsigned begun = s.node[0].r.episodes + s.node[1].r.episodes;

			sim_run(&s, s.now + 45 * SEC);
			assert_true(sim_recovered(&s));
			assert_in_range(s.node[0].r.episodes + s.node[1].r.episodes, begun, begun + 2);
		}
		assert_int_equal(s.payload_wrong, 0);
		sim_free(&s);
	}
	print_message("             2x2 worst %llu ms\n", (unsigned long long)(worst / MSEC));
	assert_in_range(worst, 0, 5 * SEC);
	sim_init(&s, 1, 1, 1);
}

/* Random meshes up to 4x4 against the bound for i*, j* <= 5. */
static void survivors_random_meshes(void **state)
{
	const unsigned shape[][2] = { { 2, 2 }, { 2, 3 }, { 2, 4 }, { 3, 3 }, { 4, 4 } };
	unsigned checked = 0, beyond = 0;
	uint64_t rng = 99, worst = 0;

	(void)state;
	for (unsigned c = 0; c < 1000; c++) {
		unsigned n = shape[c % 5][0], m = shape[c % 5][1], odds = 20 + random_next(&rng) % 60;
		uint8_t ab[16], ba[16];
		uint64_t took;

		sim_init(&s, n, m, c);
		sim_jitter(&s, true);
		s.delay = (5 + random_next(&rng) % 96) * MSEC;
		s.gap[0] = s.gap[1] = (20 + random_next(&rng) % 380) * MSEC;
		sim_run(&s, START + 2 * SEC + random_next(&rng) % SEC);
		for (unsigned k = 0; k < 16; k++) {
			ab[k] = random_next(&rng) % 100 < odds;
			ba[k] = random_next(&rng) % 100 < odds;
		}
		fail_all_but(ab, ba, n, m);
		if (first_good(0) && first_good(1)) {
			bool near = first_good(0) <= 5 && first_good(1) <= 5;

			took = recover(2000 * SEC);
			if (near) {
				checked++;
				assert_in_range(took, 0, bound());
				worst = took > worst ? took : worst;
			} else {
				beyond++;
			}
			assert_int_equal(s.payload_wrong, 0);
		}
		sim_free(&s);
	}
	print_message("             %u meshes within the bound, worst %llu ms; %u with i*, j* > 5 recovered\n", checked,
		      (unsigned long long)(worst / MSEC), beyond);
	assert_true(checked > 700);
	sim_init(&s, 1, 1, 1);
}

/* f dead locators: at most tau(f + 1), whatever N and M (16.4); both ends notice. */
static void dead_locators_4x4(void **state)
{
	(void)state;
	for (unsigned f = 1; f <= 3; f++) {
		for (unsigned seed = 0; seed < 40; seed++) {
			uint64_t took;

			sim_init(&s, 4, 4, seed);
			sim_jitter(&s, true);
			sim_run(&s, START + 2 * SEC);
			for (unsigned d = 0; d < f; d++) {
				bool local = (seed >> d) & 1;

				for (unsigned k = 0; k < 4; k++) {
					s.path[0][local ? d : k][local ? k : d] = false;
					s.path[1][local ? k : d][local ? d : k] = false;
				}
			}
			took = recover(30 * SEC);
			/* Plus a slot for the pair that is repeated (PX-19). */
			assert_in_range(took, 0, tau(f + 2) * 6 / 5 + 4 * s.delay + 2 * s.gap[0]);
			sim_free(&s);
		}
	}
	sim_init(&s, 1, 1, 1);
}

/* --- loss and reordering -------------------------------------------------------- */

static bool drop_first_op(struct sim *sim, int from, const struct log_entry *probe)
{
	(void)from;
	return probe->sta == WIRE_STA_OPERATIONAL && sim->dropped == 0;
}

static bool drop_first_in(struct sim *sim, int from, const struct log_entry *probe)
{
	(void)from;
	return probe->sta == WIRE_STA_INBOUND_OK && sim->dropped == 0;
}

static bool drop_first_two(struct sim *sim, int from, const struct log_entry *probe)
{
	(void)from;
	(void)probe;
	return sim->dropped < 2;
}

static void tr81_any_probe_may_be_lost(void **state)
{
	bool (*const drop[])(struct sim *, int, const struct log_entry *) = { drop_first_op, drop_first_in,
									      drop_first_two };

	(void)state;
	for (unsigned c = 0; c < 3 * 40; c++) {
		sim_init(&s, 2, 2, c);
		sim_jitter(&s, true);
		s.drop = drop[c / 40];
		sim_run(&s, START + 2 * SEC);
		for (unsigned k = 0; k < 2; k++)
			s.path[0][0][k] = s.path[1][k][0] = false;
		/* One slot later than without, for each loss. */
		assert_in_range(recover(30 * SEC), 0, 4 * SEC);
		assert_true(s.dropped > 0);
		sim_free(&s);
	}
	sim_init(&s, 1, 1, 1);
}

static void random_loss_and_reordering(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 60; seed++) {
		sim_init(&s, 3, 3, seed);
		sim_jitter(&s, true);
		s.loss_percent = 30;
		s.delay_spread = 400 * MSEC;
		sim_run(&s, START + 2 * SEC);
		for (unsigned k = 0; k < 3; k++)
			s.path[0][0][k] = s.path[1][k][0] = s.path[0][k][1] = s.path[1][1][k] = false;
		recover(300 * SEC);
		sim_free(&s);
	}
	sim_init(&s, 1, 1, 1);
}

/* Different delays per packet, no loss: after the return nothing flaps for a minute (AMB-R30). */
static void reordering_does_not_flap(void **state)
{
	unsigned again = 0;

	(void)state;
	for (unsigned seed = 0; seed < 60; seed++) {
		unsigned begun;

		sim_init(&s, 2, 2, seed);
		sim_jitter(&s, true);
		s.delay_spread = 900 * MSEC;
		sim_run(&s, START + 2 * SEC);
		s.path[0][0][0] = s.path[1][0][0] = false;
		recover(30 * SEC);
		begun = s.node[0].r.episodes + s.node[1].r.episodes;
		sim_run(&s, s.now + 60 * SEC);
		assert_true(sim_recovered(&s));
		again += s.node[0].r.episodes + s.node[1].r.episodes - begun;
		sim_free(&s);
	}
	print_message("             %u episodes again in 60 runs\n", again);
	assert_in_range(again, 0, 20);
	sim_init(&s, 1, 1, 1);
}

static void tr92_loss_is_no_failure(void **state)
{
	(void)state;
	sim_init(&s, 2, 2, 3);
	sim_jitter(&s, true);
	s.loss_percent = 20;
	sim_run(&s, START + 3600 * SEC);
	assert_int_equal(s.node[0].n_log + s.node[1].n_log, 0);
}

static void tr38_one_way_stream_for_an_hour(void **state)
{
	(void)state;
	sim_init(&s, 2, 2, 4);
	sim_jitter(&s, true);
	s.gap[1] = 0;
	sim_run(&s, START + 3600 * SEC);
	assert_int_equal(s.node[0].n_log, 0);
	assert_int_equal(log_count(&s.node[1], LOG_KEEPALIVE), s.node[1].n_log);
	assert_in_range(s.node[1].n_log, 3600 * 2 / 15, 3600 * 3 / 15);
}

/* PT-18 */
static void tr37_two_second_round_trip(void **state)
{
	(void)state;
	sim_init(&s, 2, 2, 4);
	s.delay = SEC;
	s.gap[1] = 0;
	sim_run(&s, START + 600 * SEC);
	assert_int_equal(log_count(&s.node[0], LOG_BEGIN), 0);
}

/* D3: one-way payload, its direction fails; the sender notices when the Keepalives run dry. */
static void d3_one_way_payload(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 30; seed++) {
		uint64_t failed;

		sim_init(&s, 2, 2, seed);
		sim_jitter(&s, true);
		s.gap[1] = 0;
		sim_run(&s, START + 20 * SEC + seed * 500 * MSEC);
		failed = s.now;
		s.path[0][0][0] = false;
		assert_true(sim_run_until(&s, failed + 40 * SEC, sim_recovered));
		assert_in_range(s.now - failed, 0, 35 * SEC);
		sim_free(&s);
	}
	sim_init(&s, 1, 1, 1);
}

static void tr91_paused_host(void **state)
{
	struct shim6_pair a = pair_of(0, 0, 0), b = pair_of(1, 0, 0);

	(void)state;
	sim_init(&s, 2, 2, 5);
	sim_run(&s, START + 2 * SEC);
	sim_all_paths(&s, false);
	sim_run(&s, s.now + 16 * SEC);
	sim_all_paths(&s, true);
	sim_run(&s, s.now + 20 * SEC);
	assert_true(sim_recovered(&s));
	for (int side = 0; side < 2; side++)
		assert_in_range(log_count(&s.node[side], LOG_END), 1, 2);
	/* The pair that was in use when it came back need not be the first of the list, but it works both ways. */
	assert_true(s.node[0].n_log > 0 && shim6_addr_eq(&s.node[0].r.current.local, &a.local) ==
						   shim6_addr_eq(&s.node[1].r.current.peer, &b.peer));
}

/* AMB-R22 against a live peer, payload flowing all the while: our direction moves to the wanted pair. The peer's is its
 * own choice (PA-10): it keeps its pair if that is reported, too (AMB-R8). */
static void wanted_pair_is_taken(void **state)
{
	struct shim6_pair a = pair_of(0, 1, 0), b = pair_of(1, 0, 1);
	unsigned both = 0;

	(void)state;
	for (unsigned seed = 0; seed < 40; seed++) {
		sim_init(&s, 2, 2, seed);
		sim_jitter(&s, true);
		s.delay = (1 + seed * 5) * MSEC;
		s.delay_spread = seed % 2 ? 30 * MSEC : 0;
		sim_run(&s, START + 2 * SEC);
		node_explore(&s.node[0], s.now, REAP_CAUSE_COMMAND, &a);
		sim_run(&s, s.now + 12 * SEC);
		assert_true(sim_recovered(&s));
		assert_pair(&s.node[0].r.current, &a);
		both += shim6_pair_eq(&s.node[1].r.current, &b);
		sim_free(&s);
	}
	print_message("             both directions moved in %u of 40 runs\n", both);
	sim_init(&s, 1, 1, 1);
}

static void wanted_pair_that_is_dead(void **state)
{
	struct shim6_pair wanted = pair_of(0, 1, 0), old = pair_of(0, 0, 0);

	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		sim_init(&s, 2, 2, seed);
		sim_jitter(&s, true);
		sim_run(&s, START + 2 * SEC);
		s.path[0][1][0] = false;
		node_explore(&s.node[0], s.now, REAP_CAUSE_COMMAND, &wanted);
		sim_run(&s, s.now + 5 * SEC);
		assert_true(sim_recovered(&s));
		assert_pair(&s.node[0].r.current, &old);
		sim_free(&s);
	}
	sim_init(&s, 1, 1, 1);
}

/* E10: the link of the current local locator goes down; one round trip later all is well. (PA-20) */
static void tr83_local_link_down(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 40; seed++) {
		uint64_t at;

		sim_init(&s, 2, 2, seed);
		sim_jitter(&s, true);
		sim_run(&s, START + 2 * SEC);
		at = s.now;
		for (unsigned k = 0; k < 2; k++)
			s.path[0][0][k] = s.path[1][k][0] = false;
		s.node[0].local[0].flags = REAP_LOC_DOWN;
		node_locators(&s.node[0], s.now, REAP_CAUSE_LOCAL_DOWN);
		assert_true(sim_run_until(&s, at + 20 * SEC, sim_recovered));
		assert_in_range(s.now - at, 0, 500 * MSEC + 4 * s.delay);
		assert_int_equal(log_nth(&s.node[0], LOG_PROBE, 0)->at, at);
		assert_int_equal(index_of(&s.node[0].r.current.local), 1);
		assert_int_equal(index_of(&s.node[1].r.current.peer), 1);
		sim_free(&s);
	}
	sim_init(&s, 1, 1, 1);
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tr74_example_4),
		TEST(tr75_example_5),
		TEST(tr76_no_mirror_pair),
		TEST(tr77_probes_cross),
		TEST(tr78_one_way_mesh),
		TEST(survivors_2x2_exhaustive),
		TEST(survivors_random_meshes),
		TEST(dead_locators_4x4),
		TEST(tr81_any_probe_may_be_lost),
		TEST(random_loss_and_reordering),
		TEST(reordering_does_not_flap),
		TEST(tr92_loss_is_no_failure),
		TEST(tr38_one_way_stream_for_an_hour),
		TEST(tr37_two_second_round_trip),
		TEST(d3_one_way_payload),
		TEST(tr91_paused_host),
		TEST(wanted_pair_is_taken),
		TEST(wanted_pair_that_is_dead),
		TEST(tr83_local_link_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
