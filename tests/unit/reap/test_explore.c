/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exploration by one machine: TR67..TR73, TR79..TR86, TR91, TR105. */
#include "harness.h"

static struct node n;
static uint32_t peer_nonce;

static int setup(void **state)
{
	(void)state;
	node_init(&n, 0, 3, 3);
	peer_nonce = 0x40000000;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_free(&n);
	return 0;
}

static void silence(void)
{
	node_tx(&n, START);
	node_advance(&n, START + 15 * SEC);
	assert_int_equal(n.r.state, REAP_EXPLORING);
}

static void peer_probes(uint64_t at, enum wire_sta sta, const struct shim6_pair *pair, const struct log_entry *report)
{
	struct probe_message p;

	probe_from_peer(&p, sta, pair, peer_nonce++, report ? report->sent : NULL, report != NULL);
	node_advance(&n, at);
	node_probe(&n, at, pair, &p);
}

static uint64_t probe_time(unsigned i)
{
	const struct log_entry *e = log_nth(&n, LOG_PROBE, i);

	assert_non_null(e);
	return e->at - log_nth(&n, LOG_PROBE, 0)->at;
}

/* PS-31 */
static void tr67_payload_alone_never_ends_inbound_ok(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);
	unsigned probes;

	(void)state;
	silence();
	peer_probes(START + 15100 * MSEC, WIRE_STA_EXPLORING, &p, NULL);
	probes = log_count(&n, LOG_PROBE);
	for (unsigned i = 1; i <= 60; i++) {
		node_advance(&n, START + 15 * SEC + i * SEC);
		node_rx(&n, START + 15 * SEC + i * SEC);
		if (i % 7 == 0)
			node_keepalive(&n, START + 15 * SEC + i * SEC, &p);
	}
	assert_int_equal(n.r.state, REAP_INBOUND_OK);
	assert_true(log_count(&n, LOG_PROBE) >= probes + 8);
	assert_int_equal(log_last(&n, LOG_PROBE)->sta, WIRE_STA_INBOUND_OK);
}

/* PS-33 */
static void tr68_silence_in_inbound_ok(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);

	(void)state;
	peer_probes(START, WIRE_STA_EXPLORING, &p, NULL);
	node_rx(&n, START + 100 * MSEC); /* stops the Send Timer; the next timed probe starts it */
	node_advance(&n, START + 500 * MSEC);
	assert_int_equal(n.t.send_t0, START + 500 * MSEC);
	node_advance(&n, START + 15499 * MSEC);
	assert_int_equal(n.r.state, REAP_INBOUND_OK);
	node_advance(&n, START + 15500 * MSEC);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	assert_int_equal(log_last(&n, LOG_PROBE)->sta, WIRE_STA_EXPLORING);
	assert_int_equal(log_last(&n, LOG_PROBE)->at, START + 15500 * MSEC);
}

/* AMB-R3, AMB-R19 */
static void tr69_probe_op_provokes_nothing(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		peer_probes(START + i * SEC, WIRE_STA_OPERATIONAL, &p, NULL);
	assert_int_equal(log_count(&n, LOG_PROBE), 0);
	assert_int_equal(n.t.ka_t0, START);
}

/* PX-04, PX-05, PX-14, PC-01, PC-02, PC-07, PZ-04, AMB-R4, PS-34 */
static void tr70_schedule(void **state)
{
	const unsigned tau[] = { 0,	500,   1000,  1500,   2500,   4500,   8500,
				 16500, 32500, 64500, 124500, 184500, 244500, 304500 };

	(void)state;
	silence();
	node_advance(&n, START + 400 * SEC);
	for (unsigned k = 0; k < sizeof(tau) / sizeof(tau[0]); k++)
		assert_int_equal(probe_time(k), tau[k] * MSEC);
}

/* PX-06, PC-03, AMB-R15 */
static void tr70_jitter_and_cap(void **state)
{
	unsigned shorter = 0, longer = 0;

	(void)state;
	n.config.probe_jitter_percent = 20;
	for (unsigned run = 0; run < 50; run++) {
		uint64_t gap = 500 * MSEC;

		n.n_log = 0;
		n.t = (struct reap_timers){ 0 };
		reap_stop(&n.r);
		node_start(&n);
		silence();
		node_advance(&n, START + 400 * SEC);
		for (unsigned k = 1; log_nth(&n, LOG_PROBE, k); k++) {
			uint64_t got = probe_time(k) - probe_time(k - 1);

			if (k > 3)
				gap = gap * 2 < 60 * SEC ? gap * 2 : 60 * SEC;
			assert_in_range(got, gap * 8 / 10, gap < 50 * SEC ? gap * 12 / 10 : 60 * SEC);
			shorter += got < gap;
			longer += got > gap;
		}
	}
	assert_true(shorter > 200 && longer > 150);
}

/* PX-03, PX-01, PX-08 */
static void tr71_every_pair_once_then_again(void **state)
{
	unsigned seen[9] = { 0 };

	(void)state;
	silence();
	node_advance(&n, START + 1200 * SEC);
	for (unsigned k = 0; k < 18; k++) {
		const struct shim6_pair *p = &log_nth(&n, LOG_PROBE, k)->pair;

		seen[index_of(&p->local) * 3 + index_of(&p->peer)]++;
		for (unsigned i = 0; k == 8 && i < 9; i++)
			assert_int_equal(seen[i], 1);
	}
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(seen[i], 2);
	assert_pair(&log_nth(&n, LOG_PROBE, 9)->pair, &log_nth(&n, LOG_PROBE, 0)->pair);
}

/* PX-08 */
static void one_pair_is_explored_too(void **state)
{
	(void)state;
	node_free(&n);
	node_init(&n, 0, 1, 1);
	silence();
	node_advance(&n, START + 100 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 10);
	peer_probes(START + 100 * SEC, WIRE_STA_INBOUND_OK, &n.r.current, log_last(&n, LOG_PROBE));
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
}

/* PX-18, PX-19: the list goes on over EX -> IN -> EX; one fresh burst per S, and the last pair again. */
static void px18_px19_cursor_and_burst(void **state)
{
	struct shim6_pair back = pair_of(0, 2, 0);
	const struct log_entry *e;

	(void)state;
	silence(); /* 15.0: 0/0, 15.5: 1/1 */
	peer_probes(START + 15800 * MSEC, WIRE_STA_EXPLORING, &back, NULL);
	assert_int_equal(n.r.state, REAP_INBOUND_OK);
	e = log_last(&n, LOG_PROBE);
	assert_pair(&e->pair, &back);
	assert_int_equal(e->at, START + 15800 * MSEC);
	node_advance(&n, START + 17300 * MSEC);
	/* 16.3: 1/1 again, then the list where it was. */
	assert_int_equal(log_nth(&n, LOG_PROBE, 3)->at, START + 16300 * MSEC);
	assert_pair(&log_nth(&n, LOG_PROBE, 3)->pair, &(struct shim6_pair){ address(0, 1), address(1, 1) });
	assert_pair(&log_nth(&n, LOG_PROBE, 4)->pair, &(struct shim6_pair){ address(0, 2), address(1, 2) });
	assert_pair(&log_nth(&n, LOG_PROBE, 5)->pair, &(struct shim6_pair){ address(0, 0), address(1, 1) });

	/* IN -> EX 15 s after the last start; the list still goes on, and nothing received is reported (TR99). */
	n.t.send_t0 = START + 2300 * MSEC;
	node_timer(&n, START + 17300 * MSEC);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	e = log_last(&n, LOG_PROBE);
	assert_pair(&e->pair, &(struct shim6_pair){ address(0, 1), address(1, 2) });
	assert_int_equal(e->n_received, 0);

	/* EX -> IN again within S: no second burst. */
	peer_probes(START + 17400 * MSEC, WIRE_STA_EXPLORING, &back, NULL);
	node_advance(&n, START + 18299 * MSEC);
	assert_pair(&log_last(&n, LOG_PROBE)->pair, &back);
}

static void px19_bursts_are_limited(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);
	unsigned bursts = 0;

	(void)state;
	silence();
	for (unsigned k = 0; k < 60; k++) {
		uint64_t at = START + (k + 2) * 15 * SEC;
		unsigned before;

		n.t.send_t0 = 0;
		while (n.deadline <= at && n.deadline < at)
			node_timer(&n, n.deadline);
		n.now = at;
		if (n.r.state == REAP_INBOUND_OK) {
			n.t.send_t0 = at - 15 * SEC;
			node_timer(&n, at);
		}
		assert_int_equal(n.r.state, REAP_EXPLORING);
		node_keepalive(&n, at, &p);
		before = n.n_log;
		n.t.send_t0 = 0;
		node_advance(&n, at + 1100 * MSEC);
		bursts += n.n_log - before >= 2;
		n.n_log = 0;
	}
	/* 8 at one per S, then one per 60 s. */
	assert_in_range(bursts, 8 + 52 / 4 - 1, 8 + 52 / 4 + 1);
}

static void tr79_far_position(void **state)
{
	struct shim6_pair order[256];

	(void)state;
	node_free(&n);
	node_init(&n, 0, 3, 4);
	reap_pair_order(&n.l, &n.r.current, order, 256);
	silence();
	/* The peer flaps us between EX and IN all the time. */
	for (unsigned i = 0; i < 12; i++) {
		uint64_t at = START + 15 * SEC + i * 10 * SEC;

		node_advance(&n, at);
		if (i % 3 == 2)
			node_rx(&n, at + MSEC);
	}
	node_advance(&n, START + 140 * SEC);
	/* The eleventh pair has had its turn by about tau(11) = 124.5 s. */
	for (unsigned i = 0; i < n.n_log; i++)
		if (n.log[i].kind == LOG_PROBE && shim6_pair_eq(&n.log[i].pair, &order[10]))
			return;
	fail();
}

/* PX-17, AMB-R9 */
static void tr80_probe_op_on_a_reported_pair(void **state)
{
	const struct log_entry *second, *op;
	struct shim6_pair back = pair_of(0, 2, 1);

	(void)state;
	silence();
	node_advance(&n, START + 15900 * MSEC);
	second = log_nth(&n, LOG_PROBE, 1);
	peer_probes(START + 15900 * MSEC, WIRE_STA_INBOUND_OK, &back, second);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	op = log_last(&n, LOG_PROBE);
	assert_int_equal(op->sta, WIRE_STA_OPERATIONAL);
	assert_pair(&op->pair, &second->pair);
	assert_pair(&n.r.current, &second->pair);
	assert_int_equal(op->n_received, 1);
	assert_int_equal(op->received[0].data, 0xcafef00d); /* TR09 */
}

static void tr81_lost_probe_op_is_repeated(void **state)
{
	const struct log_entry *first;
	struct shim6_pair p = pair_of(0, 0, 0);

	(void)state;
	silence();
	first = log_nth(&n, LOG_PROBE, 0);
	for (unsigned i = 1; i < 5; i++) {
		peer_probes(START + 14600 * MSEC + i * 500 * MSEC, WIRE_STA_INBOUND_OK, &p, first);
		assert_int_equal(n.r.state, REAP_OPERATIONAL);
		assert_int_equal(log_count(&n, LOG_PROBE), 1 + i);
		assert_int_equal(log_last(&n, LOG_PROBE)->sta, WIRE_STA_OPERATIONAL);
	}
	assert_int_equal(log_count(&n, LOG_END), 1);
}

/* PS-30 */
static void tr82_old_pair_until_confirmed(void **state)
{
	struct shim6_pair old = pair_of(0, 0, 0), back = pair_of(0, 1, 1);

	(void)state;
	silence();
	for (unsigned i = 0; i < 20; i++) {
		node_advance(&n, START + 15 * SEC + i * 100 * MSEC);
		assert_pair(&n.r.current, &old);
	}
	peer_probes(START + 17 * SEC, WIRE_STA_INBOUND_OK, &back, log_nth(&n, LOG_PROBE, 1));
	assert_pair(&n.r.current, &(struct shim6_pair){ address(0, 1), address(1, 1) });
	assert_pair(&log_last(&n, LOG_END)->old, &old);
	assert_int_equal(log_last(&n, LOG_END)->elapsed, 2 * SEC);
	assert_int_equal(log_last(&n, LOG_END)->cause, REAP_CAUSE_SEND_TIMEOUT);
}

/* PX-21 */
static void tr84_gone_locator_is_never_probed_again(void **state)
{
	(void)state;
	silence(); /* current pair of locator 0 */
	n.local[1].flags = REAP_LOC_GONE;
	node_locators(&n, START + 15100 * MSEC, REAP_CAUSE_LOCAL_DOWN);
	node_advance(&n, START + 400 * SEC);
	for (unsigned k = 1; log_nth(&n, LOG_PROBE, k); k++)
		assert_int_not_equal(index_of(&log_nth(&n, LOG_PROBE, k)->pair.local), 1);
	/* And no slot is lost by it. */
	assert_int_equal(probe_time(1), 500 * MSEC);
	assert_int_equal(probe_time(2), 1000 * MSEC);
}

static void px21_what_cannot_be_sent_takes_no_slot(void **state)
{
	(void)state;
	n.refuse = 1u << 1;
	silence();
	node_advance(&n, START + 15 * SEC + 1500 * MSEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 4);
	for (unsigned k = 0; k < 4; k++) {
		assert_int_equal(probe_time(k), k * 500 * MSEC);
		assert_int_not_equal(index_of(&log_nth(&n, LOG_PROBE, k)->pair.local), 1);
	}
	/* Nothing can be sent at all: the gap does not grow, nor is anything counted as tried. */
	n.refuse_all = true;
	node_advance(&n, START + 40 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 4);
	n.refuse = 0;
	n.refuse_all = false;
	node_advance(&n, START + 41 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 5);
	assert_pair(&log_last(&n, LOG_PROBE)->pair, &(struct shim6_pair){ address(0, 1), address(1, 1) });
}

static void amb_r5_the_list_goes_round_what_cannot_be_sent(void **state)
{
	unsigned seen = 0;

	(void)state;
	n.refuse = 1u << 1;
	silence();
	node_advance(&n, START + 800 * SEC);
	for (unsigned k = 6; k < 12; k++) {
		const struct shim6_pair *p = &log_nth(&n, LOG_PROBE, k)->pair;

		seen |= 1u << (index_of(&p->local) * 3 + index_of(&p->peer));
	}
	assert_int_equal(seen, 0707);
}

/* AMB-R28 */
static void tr85_new_locator_comes_next_with_a_burst(void **state)
{
	(void)state;
	n.l.n_peer = 2;
	silence();
	node_advance(&n, START + 50 * SEC); /* backed off to 32 s */
	n.l.n_peer = 3;
	node_locators(&n, START + 50 * SEC, REAP_CAUSE_NONE);
	n.n_log = 0;
	node_advance(&n, START + 50 * SEC + 1500 * MSEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 4);
	for (unsigned k = 0; k < 3; k++) {
		assert_int_equal(log_nth(&n, LOG_PROBE, k)->at, START + 50 * SEC + k * 500 * MSEC);
		assert_int_equal(index_of(&log_nth(&n, LOG_PROBE, k)->pair.peer), 2);
	}
	assert_int_not_equal(index_of(&log_nth(&n, LOG_PROBE, 3)->pair.peer), 2);
}

static void tr85_sequential_even_then(void **state)
{
	(void)state;
	n.l.n_peer = 2;
	silence();
	n.l.n_peer = 3;
	node_locators(&n, START + 15100 * MSEC, REAP_CAUSE_NONE);
	node_advance(&n, START + 15500 * MSEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 2);
	assert_int_equal(probe_time(1), 500 * MSEC);
	assert_int_equal(index_of(&log_nth(&n, LOG_PROBE, 1)->pair.peer), 2);
}

/* AMB-R21, PA-20 */
static void tr86_peer_marks_broken(void **state)
{
	struct shim6_pair old = pair_of(0, 0, 0), back;
	const struct log_entry *first;

	(void)state;
	n.peer[0].flags = REAP_LOC_DOWN;
	node_locators(&n, START, REAP_CAUSE_PEER_BROKEN);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	assert_int_equal(log_nth(&n, LOG_BEGIN, 0)->cause, REAP_CAUSE_PEER_BROKEN);
	first = log_nth(&n, LOG_PROBE, 0);
	assert_int_equal(first->at, START);
	/* Its living end stays (PX-15). */
	assert_int_equal(index_of(&first->pair.local), 0);
	assert_int_not_equal(index_of(&first->pair.peer), 0);
	assert_pair(&n.r.current, &old);
	back = first->pair;
	peer_probes(START + 20 * MSEC, WIRE_STA_INBOUND_OK, &back, first);
	assert_pair(&n.r.current, &first->pair);
	assert_int_equal(log_nth(&n, LOG_END, 0)->elapsed, 20 * MSEC);
}

/* E10 with nothing else there: all pairs are explored, and the pair may still prove alive, once per change. */
static void e10_only_pair_down(void **state)
{
	(void)state;
	node_free(&n);
	node_init(&n, 0, 1, 2);
	n.local[0].flags = REAP_LOC_DOWN;
	node_locators(&n, START, REAP_CAUSE_LOCAL_DOWN);
	node_advance(&n, START + 500 * MSEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 2);
	peer_probes(START + 600 * MSEC, WIRE_STA_INBOUND_OK, &n.r.current, log_nth(&n, LOG_PROBE, 0));
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	node_locators(&n, START + 700 * MSEC, REAP_CAUSE_LOCAL_DOWN);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	n.local[0].flags = 0;
	node_locators(&n, START + 800 * MSEC, REAP_CAUSE_NONE);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	n.local[0].flags = REAP_LOC_DOWN;
	node_locators(&n, START + 900 * MSEC, REAP_CAUSE_LOCAL_DOWN);
	assert_int_equal(n.r.state, REAP_EXPLORING);
}

/* A probe that left before its link went down does not bring that pair back. */
static void e10_late_report_of_a_dead_pair(void **state)
{
	struct shim6_pair back = pair_of(0, 2, 2);
	const struct log_entry *first;

	(void)state;
	silence();
	first = log_nth(&n, LOG_PROBE, 0);
	n.local[0].flags = REAP_LOC_DOWN;
	node_locators(&n, START + 15010 * MSEC, REAP_CAUSE_LOCAL_DOWN);
	peer_probes(START + 15020 * MSEC, WIRE_STA_INBOUND_OK, &back, first);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	assert_int_equal(n.r.probes_stale, 1);
	/* Nor does "I hear you", of a pair known to be dead. */
	peer_probes(START + 15030 * MSEC, WIRE_STA_INBOUND_OK, &back, NULL);
	assert_int_equal(n.r.state, REAP_EXPLORING);
}

static void e10_other_locators_do_not_matter(void **state)
{
	(void)state;
	n.local[1].flags = REAP_LOC_DOWN;
	n.peer[2].flags = REAP_LOC_GONE;
	node_locators(&n, START, REAP_CAUSE_LOCAL_DOWN);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	assert_int_equal(n.n_log, 0);
}

static void everything_gone_and_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		n.local[i].flags = REAP_LOC_GONE;
	node_locators(&n, START, REAP_CAUSE_LOCAL_DOWN);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	node_advance(&n, START + 100 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 0);
	n.local[2].flags = 0;
	node_locators(&n, START + 100 * SEC, REAP_CAUSE_NONE);
	node_advance(&n, START + 100 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 1);
}

static void tr91_false_alarm(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);

	(void)state;
	silence();
	peer_probes(START + 16 * SEC, WIRE_STA_INBOUND_OK, &p, log_nth(&n, LOG_PROBE, 0));
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	assert_pair(&log_nth(&n, LOG_END, 0)->old, &p);
	assert_pair(&log_nth(&n, LOG_END, 0)->pair, &p);
}

/* AMB-R22: the wanted pair first; chosen when reported although the current one is reported too. */
static void amb_r22_wanted_pair(void **state)
{
	struct shim6_pair wanted = pair_of(0, 2, 1), old = pair_of(0, 0, 0);
	struct wire_record both[2];
	struct probe_message p;

	(void)state;
	node_explore(&n, START, REAP_CAUSE_COMMAND, &wanted);
	assert_pair(&log_nth(&n, LOG_PROBE, 0)->pair, &wanted);
	assert_pair(&n.r.current, &old);
	/* The peer's payload goes on; the reply tests the wanted pair too. */
	node_rx(&n, START + 10 * MSEC);
	assert_int_equal(n.r.state, REAP_INBOUND_OK);
	assert_pair(&log_nth(&n, LOG_PROBE, 1)->pair, &wanted);
	node_advance(&n, START + 1010 * MSEC); /* the wanted pair again (PX-19), then the current one */
	assert_pair(&log_nth(&n, LOG_PROBE, 2)->pair, &wanted);
	assert_pair(&log_nth(&n, LOG_PROBE, 3)->pair, &old);
	both[0] = log_nth(&n, LOG_PROBE, 3)->sent[0];
	both[1] = log_nth(&n, LOG_PROBE, 1)->sent[0];
	probe_from_peer(&p, WIRE_STA_INBOUND_OK, &old, 77, both, 2);
	node_probe(&n, START + 1100 * MSEC, &old, &p);
	assert_pair(&n.r.current, &wanted);
	assert_int_equal(log_nth(&n, LOG_END, 0)->cause, REAP_CAUSE_COMMAND);
}

static void amb_r22_only_the_old_pair_answers(void **state)
{
	struct shim6_pair wanted = pair_of(0, 2, 1), old = pair_of(0, 0, 0);

	(void)state;
	node_explore(&n, START, REAP_CAUSE_COMMAND, &wanted);
	node_advance(&n, START + 600 * MSEC);
	peer_probes(START + 600 * MSEC, WIRE_STA_INBOUND_OK, &old, log_nth(&n, LOG_PROBE, 1));
	assert_pair(&n.r.current, &old);
	/* A report of the wanted pair within the grace still moves it, and says so. */
	peer_probes(START + 900 * MSEC, WIRE_STA_INBOUND_OK, &old, log_nth(&n, LOG_PROBE, 0));
	assert_pair(&n.r.current, &wanted);
	assert_int_equal(log_count(&n, LOG_END), 2);
	assert_pair(&log_last(&n, LOG_END)->old, &old);
	assert_pair(&log_last(&n, LOG_END)->pair, &wanted);
}

static void explore_while_exploring(void **state)
{
	struct shim6_pair wanted = pair_of(0, 2, 1), strange = { address(5, 5), address(6, 6) };

	(void)state;
	silence();
	node_explore(&n, START + 15100 * MSEC, REAP_CAUSE_COMMAND, &wanted);
	node_explore(&n, START + 15100 * MSEC, REAP_CAUSE_COMMAND, &strange);
	assert_int_equal(log_count(&n, LOG_BEGIN), 1);
	node_advance(&n, START + 15500 * MSEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 2);
	assert_pair(&log_nth(&n, LOG_PROBE, 1)->pair, &wanted);
}

static void tr105_replies_are_limited(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);
	unsigned replies = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		peer_probes(START + i * MSEC, WIRE_STA_EXPLORING, &p, NULL);
	for (unsigned i = 0; i < n.n_log; i++)
		replies += n.log[i].kind == LOG_PROBE && n.log[i].n_sent == 1;
	/* Burst of 4, then 4/s for 10 s; and the schedule of InboundOk as ever. */
	assert_in_range(replies, 40, 44);
	assert_in_range(log_count(&n, LOG_PROBE), 44, 52);
	assert_int_equal(n.r.triggered_refused + replies, 10000);
	/* PZ-05: one sent record and what was received. */
	for (unsigned i = 0; i < n.n_log; i++)
		assert_true(n.log[i].n_sent + n.log[i].n_received <= 6 + 15);
}

/* PX-20: what ends an episode is bounded by our own probes, and does not wait behind replies; but only once */
static void px_20_confirmation_in_a_hurry(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);
	unsigned probes;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		peer_probes(START, WIRE_STA_EXPLORING, &p, NULL);
	assert_int_equal(log_count(&n, LOG_PROBE), 4);
	peer_probes(START + 20 * MSEC, WIRE_STA_INBOUND_OK, &p, log_last(&n, LOG_PROBE));
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	assert_int_equal(log_count(&n, LOG_PROBE), 5);
	assert_int_equal(log_last(&n, LOG_PROBE)->sta, WIRE_STA_OPERATIONAL);
	/* The confirmation itself buys no other one. */
	peer_probes(START + 30 * MSEC, WIRE_STA_INBOUND_OK, &p, log_last(&n, LOG_PROBE));
	peer_probes(START + 40 * MSEC, WIRE_STA_EXPLORING, &p, NULL);
	probes = log_count(&n, LOG_PROBE);
	peer_probes(START + 50 * MSEC, WIRE_STA_INBOUND_OK, &p, log_nth(&n, LOG_PROBE, 4));
	assert_int_equal(log_count(&n, LOG_PROBE), probes);
}

/* AMB-R8: probes that stood in a queue while this host did not run; the pair in use is answered, the rest are noted */
static void amb_r8_probes_from_a_queue(void **state)
{
	struct shim6_pair used = pair_of(0, 0, 0), other = pair_of(0, 1, 1);

	(void)state;
	peer_probes(START, WIRE_STA_EXPLORING, &used, NULL);
	peer_probes(START, WIRE_STA_EXPLORING, &other, NULL);
	peer_probes(START + 99 * MSEC, WIRE_STA_EXPLORING, &other, NULL);
	assert_int_equal(log_count(&n, LOG_PROBE), 1);
	assert_true(shim6_pair_eq(&log_last(&n, LOG_PROBE)->pair, &used));
	/* Half a second apart is the schedule: the pair in use may be dead in our direction. */
	peer_probes(START + 400 * MSEC, WIRE_STA_EXPLORING, &other, NULL);
	assert_int_equal(log_count(&n, LOG_PROBE), 2);
	assert_true(shim6_pair_eq(&log_last(&n, LOG_PROBE)->pair, &other));
	assert_int_equal(log_last(&n, LOG_PROBE)->n_received, 4);
}

/* PC-09 */
static void memory_lasts_until_the_grace_is_over(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);

	(void)state;
	assert_null(n.r.episode);
	silence();
	assert_non_null(n.r.episode);
	peer_probes(START + 16 * SEC, WIRE_STA_INBOUND_OK, &p, log_nth(&n, LOG_PROBE, 0));
	node_keepalive(&n, START + 16 * SEC, &p); /* no timer runs any more */
	node_advance(&n, START + 26 * SEC - 1);
	assert_non_null(n.r.episode);
	node_advance(&n, START + 26 * SEC);
	assert_null(n.r.episode);
	assert_true(n.deadline == REAP_NEVER);
}

/* A test asks the pair in use next, even one that is said to be down: its answer is what ends the test. */
static void test_asks_the_pair_in_use_second(void **state)
{
	struct shim6_pair better = pair_of(0, 1, 1), current = pair_of(0, 0, 0);

	(void)state;
	n.peer[0].flags = REAP_LOC_DOWN;
	node_tx(&n, START);
	node_test(&n, START, &better);
	node_rx(&n, START + 20 * MSEC); /* the peer is heard: InboundOk */
	node_advance(&n, START + 700 * MSEC);
	assert_true(shim6_pair_eq(&log_nth(&n, LOG_PROBE, 0)->pair, &better));
	for (unsigned i = 1; i < log_count(&n, LOG_PROBE); i++) {
		const struct log_entry *e = log_nth(&n, LOG_PROBE, i);

		if (shim6_pair_eq(&e->pair, &better))
			continue; /* the answer to payload */
		assert_true(shim6_pair_eq(&e->pair, &current));
		return;
	}
	fail_msg("the pair in use was not asked");
}

/* A test that is not over in time is a search, with all the dense probes of one. */
static void test_becomes_a_search(void **state)
{
	struct shim6_pair better = pair_of(0, 1, 1);
	unsigned in_calm;

	(void)state;
	node_tx(&n, START);
	node_test(&n, START, &better);
	node_advance(&n, START + 2 * SEC - 1);
	in_calm = log_count(&n, LOG_PROBE);
	node_advance(&n, START + 4 * SEC);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	assert_in_range(log_count(&n, LOG_PROBE) - in_calm, 3, 5); /* one each half a second, again */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tr67_payload_alone_never_ends_inbound_ok),
		TEST(tr68_silence_in_inbound_ok),
		TEST(tr69_probe_op_provokes_nothing),
		TEST(tr70_schedule),
		TEST(tr70_jitter_and_cap),
		TEST(tr71_every_pair_once_then_again),
		TEST(one_pair_is_explored_too),
		TEST(px18_px19_cursor_and_burst),
		TEST(px19_bursts_are_limited),
		TEST(tr79_far_position),
		TEST(tr80_probe_op_on_a_reported_pair),
		TEST(tr81_lost_probe_op_is_repeated),
		TEST(tr82_old_pair_until_confirmed),
		TEST(tr84_gone_locator_is_never_probed_again),
		TEST(px21_what_cannot_be_sent_takes_no_slot),
		TEST(amb_r5_the_list_goes_round_what_cannot_be_sent),
		TEST(tr85_new_locator_comes_next_with_a_burst),
		TEST(tr85_sequential_even_then),
		TEST(tr86_peer_marks_broken),
		TEST(e10_only_pair_down),
		TEST(e10_late_report_of_a_dead_pair),
		TEST(e10_other_locators_do_not_matter),
		TEST(everything_gone_and_back),
		TEST(tr91_false_alarm),
		TEST(amb_r22_wanted_pair),
		TEST(amb_r22_only_the_old_pair_answers),
		TEST(explore_while_exploring),
		TEST(tr105_replies_are_limited),
		TEST(px_20_confirmation_in_a_hurry),
		TEST(amb_r8_probes_from_a_queue),
		TEST(memory_lasts_until_the_grace_is_over),
		TEST(test_asks_the_pair_in_use_second),
		TEST(test_becomes_a_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
