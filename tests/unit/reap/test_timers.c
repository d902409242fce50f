/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timers in Operational: PT-01..PT-22, TR20..TR39. */
#include "harness.h"

static struct node n;

static int setup(void **state)
{
	(void)state;
	node_init(&n, 0, 2, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_free(&n);
	return 0;
}

/* Runs deadlines up to the time, then a packet. */
static void tx(uint64_t at)
{
	node_advance(&n, START + at);
	node_tx(&n, START + at);
}

static void rx(uint64_t at)
{
	node_advance(&n, START + at);
	node_rx(&n, START + at);
}

static void advance(uint64_t at)
{
	node_advance(&n, START + at);
}

static void expect_expiry(uint64_t at)
{
	const struct log_entry *e = log_nth(&n, LOG_BEGIN, 0);

	advance(at - 1);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	advance(at);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	e = log_nth(&n, LOG_BEGIN, 0);
	assert_int_equal(e->cause, REAP_CAUSE_SEND_TIMEOUT);
	assert_int_equal(log_count(&n, LOG_PROBE), 1);
}

static void expect_keepalives(unsigned count, const uint64_t *at)
{
	assert_int_equal(log_count(&n, LOG_KEEPALIVE), count);
	for (unsigned i = 0; at && i < count; i++)
		assert_int_equal(log_nth(&n, LOG_KEEPALIVE, i)->at, START + at[i]);
}

static void tr20_later_packets_do_not_restart_the_send_timer(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 15; i++)
		tx(i * SEC);
	expect_expiry(15 * SEC);
}

static void tr21_payload_stops_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 14; i++)
		tx(i * SEC);
	rx(14 * SEC);
	for (unsigned i = 15; i < 30; i++)
		tx(i * SEC);
	expect_expiry(30 * SEC);
}

static void tr22_keepalive_stops_it(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);

	(void)state;
	for (unsigned i = 0; i < 14; i++)
		tx(i * SEC);
	advance(14 * SEC);
	node_keepalive(&n, START + 14 * SEC, &p);
	for (unsigned i = 15; i < 30; i++)
		tx(i * SEC);
	expect_expiry(30 * SEC);
}

/* PT-07, AMB-R1, PT-11 */
static void tr23_tr38_one_way_stream_gets_keepalives(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 600; i++)
		rx(i * SEC / 10);
	advance(60 * SEC);
	/* 5, 10, 15 after each start; the next packet starts it again (PT-14). */
	assert_in_range(log_count(&n, LOG_KEEPALIVE), 11, 12);
	for (unsigned i = 0; i < 11; i++) {
		uint64_t gap = log_nth(&n, LOG_KEEPALIVE, i)->at - (i ? log_nth(&n, LOG_KEEPALIVE, i - 1)->at : START);

		assert_in_range(gap, 5 * SEC, 5 * SEC + 100 * MSEC);
	}
	assert_int_equal(log_count(&n, LOG_STATE), 0);
}

/* PT-09 */
static void tr24_single_packet(void **state)
{
	const uint64_t want[] = { 5 * SEC, 10 * SEC, 15 * SEC };

	(void)state;
	rx(0);
	advance(3600 * SEC);
	expect_keepalives(3, want);
	assert_true(n.deadline == REAP_NEVER);
}

static void amb_r25_y_that_does_not_divide_x(void **state)
{
	const uint64_t want[] = { 6 * SEC, 12 * SEC, 15 * SEC };
	const uint64_t half[] = { 7500 * MSEC, 15 * SEC };

	(void)state;
	n.r.keepalive_interval = 6 * SEC;
	rx(0);
	advance(3600 * SEC);
	expect_keepalives(3, want);
	node_free(&n);
	node_init(&n, 0, 2, 2);
	n.r.keepalive_interval = 7500 * MSEC;
	rx(0);
	advance(3600 * SEC);
	expect_keepalives(2, half);
}

/* A timer that fires late keeps the grid, and never sends two at once. */
static void pt07_late_timer(void **state)
{
	(void)state;
	rx(0);
	node_timer(&n, START + 5900 * MSEC);
	assert_int_equal(log_count(&n, LOG_KEEPALIVE), 1);
	assert_int_equal(n.deadline, START + 10 * SEC);
	node_timer(&n, START + 5901 * MSEC);
	assert_int_equal(log_count(&n, LOG_KEEPALIVE), 1);
	node_timer(&n, START + 500 * SEC);
	assert_int_equal(log_count(&n, LOG_KEEPALIVE), 2);
	assert_true(n.t.ka_t0 == 0);
}

/* PT-10 */
static void tr25_own_payload_replaces_the_keepalive(void **state)
{
	(void)state;
	rx(0);
	tx(4 * SEC);
	advance(18999 * MSEC);
	expect_keepalives(0, NULL);
	expect_expiry(19 * SEC);
}

static void tr26_timers_exclude_each_other(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);
	uint64_t rng = 42, at = START, silent_since = 0;

	(void)state;
	for (unsigned i = 0; i < 1000000; i++) {
		at += random_next(&rng) % (2 * SEC);
		node_advance(&n, at);
		n.n_log = 0;
		if (n.r.state != REAP_OPERATIONAL) {
			/* Only a silence of S can have done it. */
			assert_true(silent_since && at >= silent_since + n.r.send_timeout);
			reap_stop(&n.r);
			node_start(&n);
			n.t = (struct reap_timers){ 0 };
			silent_since = 0;
		}
		switch (random_next(&rng) % 3) {
		case 0:
			node_tx(&n, at);
			silent_since = silent_since ? silent_since : at;
			break;
		case 1:
			node_rx(&n, at);
			silent_since = 0;
			break;
		default:
			node_keepalive(&n, at, &p);
			silent_since = 0;
			break;
		}
		assert_false(n.t.send_t0 && n.t.ka_t0);
	}
}

static void tr27_no_keepalive_ping_pong(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);

	(void)state;
	tx(0);
	advance(3 * SEC);
	node_keepalive(&n, START + 3 * SEC, &p);
	assert_true(n.t.send_t0 == 0 && n.t.ka_t0 == 0);
	advance(3600 * SEC);
	assert_int_equal(n.n_log, 0);
}

/* PT-13, PI-14 */
static void tr28_both_ways_is_silence(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60000; i++) {
		tx(i * 10 * MSEC);
		rx(i * 10 * MSEC + 5 * MSEC);
	}
	assert_int_equal(n.n_log, 0);
	/* One look per Keepalive Interval, not one per packet (PT-21). */
	assert_in_range(n.wakeups, 0, 600 / 5 + 1);
}

/* PT-13 */
static void tr29_idle_is_silence(void **state)
{
	(void)state;
	assert_true(n.deadline == REAP_NEVER);
	assert_int_equal(reap_wants_notify(&n.r, &n.t), SHIM6_NOTIFY_RX | SHIM6_NOTIFY_TX);
	advance(24 * 3600 * SEC);
	assert_int_equal(n.n_log, 0);
	assert_int_equal(n.wakeups, 0);
}

/* PT-12 */
static void tr31_keepalive_uses_the_current_pair(void **state)
{
	struct shim6_pair p = pair_of(0, 1, 1);

	(void)state;
	n.r.current = p;
	rx(0);
	advance(20 * SEC);
	assert_int_equal(log_count(&n, LOG_KEEPALIVE), 3);
	assert_pair(&log_nth(&n, LOG_KEEPALIVE, 0)->pair, &p);
}

/* PT-08, PC-06, AMB-R16 */
static void tr32_drawn_values(void **state)
{
	const unsigned percent[] = { 4, 10, 50 };
	unsigned low = 0, high = 0;

	(void)state;
	for (unsigned c = 0; c < 3; c++) {
		unsigned most = percent[c] > 10 ? 10 : percent[c]; /* PT-19 */
		uint64_t seen = 0;

		n.config.send_jitter_percent = percent[c];
		for (unsigned i = 0; i < 1000; i++) {
			struct shim6_pair p = pair_of(0, 0, 0);

			reap_init(&n.r, &n.config, n.r.ops, &n, &p);
			assert_in_range(n.r.send_timeout, 15 * SEC, 15 * SEC + 15 * SEC / 100 * most);
			assert_in_range(n.r.keepalive_interval, 5 * SEC, 7500 * MSEC);
			low += n.r.keepalive_interval < 6250 * MSEC;
			high += n.r.keepalive_interval >= 6250 * MSEC;
			seen = seen > n.r.send_timeout ? seen : n.r.send_timeout;
		}
		assert_true(seen > 15 * SEC + 15 * SEC / 100 * most * 9 / 10);
	}
	assert_in_range(low, 1400, 1600);
	assert_in_range(high, 1400, 1600);
}

static void tr33_shim6_control_is_payload(void **state)
{
	(void)state;
	node_payload_sent(&n, START);
	assert_int_equal(n.t.send_t0, START);
	assert_true(n.t.send_dirty);
	node_payload_sent(&n, START + SEC);
	assert_int_equal(n.t.send_t0, START);
	assert_false(n.t.send_dirty);
	node_payload_received(&n, START + 2 * SEC);
	assert_true(n.t.send_t0 == 0 && n.t.send_dirty);
	assert_int_equal(n.t.ka_t0, START + 2 * SEC);
	assert_true(n.t.ka_dirty);
}

static void tr36_sent_in_vain_counts(void **state)
{
	(void)state;
	/* The data path stamps what the host tried to send. */
	n.refuse = 1;
	tx(0);
	advance(15 * SEC);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	assert_int_equal(n.r.probe_refused, 1);
	/* The first probe leaves from where it can. */
	assert_int_equal(index_of(&log_nth(&n, LOG_PROBE, 0)->pair.local), 1);
}

static void tr39_resumed_after_an_hour(void **state)
{
	(void)state;
	tx(0);
	node_timer(&n, START + 3600 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 1);
	node_timer(&n, START + 3600 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 1);
	node_timer(&n, START + 7200 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 2);
}

/* PT-22, PC-05 */
static void pt22_keepalive_timeout_is_clamped(void **state)
{
	const unsigned in[] = { 30, 10, 65535, 1, 3600 }, out[] = { 30, 10, 3600, 3, 3600 };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		reap_set_keepalive_timeout(&n.r, in[i]);
		assert_int_equal(n.r.keepalive_timeout, out[i] * SEC);
		assert_in_range(n.r.keepalive_interval, out[i] * SEC / 3, out[i] * SEC / 2);
	}
	reap_set_keepalive_timeout(&n.r, 0); /* AMB-R6 */
	assert_int_equal(n.r.keepalive_timeout, 3600 * SEC);
}

/* A start from the data path after the last look is never seen too late. */
static void deadline_is_never_late(void **state)
{
	uint64_t rng = 7, at = START;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t due;

		at += random_next(&rng) % (3 * SEC);
		if (n.r.state != REAP_OPERATIONAL) {
			reap_stop(&n.r);
			node_start(&n);
			n.t = (struct reap_timers){ 0 };
		}
		while (n.deadline <= at)
			node_timer(&n, n.deadline);
		n.n_log = 0;
		if (random_next(&rng) & 1)
			node_tx(&n, at);
		else
			node_rx(&n, at);
		/* What a look now would ask for is not before what was asked for. */
		due = reap_deadline(&n.r, at, &n.t);
		assert_true(n.r.state != REAP_OPERATIONAL || n.deadline <= due);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tr20_later_packets_do_not_restart_the_send_timer),
		TEST(tr21_payload_stops_it),
		TEST(tr22_keepalive_stops_it),
		TEST(tr23_tr38_one_way_stream_gets_keepalives),
		TEST(tr24_single_packet),
		TEST(amb_r25_y_that_does_not_divide_x),
		TEST(pt07_late_timer),
		TEST(tr25_own_payload_replaces_the_keepalive),
		TEST(tr26_timers_exclude_each_other),
		TEST(tr27_no_keepalive_ping_pong),
		TEST(tr28_both_ways_is_silence),
		TEST(tr29_idle_is_silence),
		TEST(tr31_keepalive_uses_the_current_pair),
		TEST(tr32_drawn_values),
		TEST(tr33_shim6_control_is_payload),
		TEST(tr36_sent_in_vain_counts),
		TEST(tr39_resumed_after_an_hour),
		TEST(pt22_keepalive_timeout_is_clamped),
		TEST(deadline_is_never_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
