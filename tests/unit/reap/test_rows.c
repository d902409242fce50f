/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single rows of one machine that the other files are not about: what is kept,
 * what is never sent, what others can make it do.
 */
#include "harness.h"

#include "engine/reap_episode.h"

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

static bool same_record(const struct wire_record *a, const struct wire_record *b)
{
	return shim6_addr_eq(&a->src, &b->src) && shim6_addr_eq(&a->dst, &b->dst) && a->nonce == b->nonce &&
	       a->data == b->data;
}

/* PS-35: the schedule ends with the episode, and with the context */
static void ps35_schedule_ends(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);
	unsigned probes;

	(void)state;
	silence();
	peer_probes(START + 15100 * MSEC, WIRE_STA_EXPLORING, &p, NULL);
	assert_int_equal(n.r.state, REAP_INBOUND_OK);
	peer_probes(START + 15200 * MSEC, WIRE_STA_INBOUND_OK, &p, log_nth(&n, LOG_PROBE, 0));
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	node_keepalive(&n, START + 15300 * MSEC, &p); /* the Send Timer is off, too */
	probes = log_count(&n, LOG_PROBE);
	node_advance(&n, START + 36000 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), probes);

	node_explore(&n, START + 36001 * SEC, REAP_CAUSE_HINT, NULL);
	assert_int_equal(log_count(&n, LOG_PROBE), probes + 1);
	reap_stop(&n.r); /* (E12) */
	assert_true(reap_deadline(&n.r, n.now, &n.t) == REAP_NEVER);
	node_timer(&n, START + 36500 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), probes + 1);
}

/* PZ-06: memory of fixed size, from leaving Operational on and not before, whatever comes */
static void pz06_memory_is_bounded(void **state)
{
	struct shim6_pair p = pair_of(0, 1, 1);
	struct wire_record junk[WIRE_MAX_RECORDS];
	const struct reap_episode *e;
	struct probe_message m;

	(void)state;
	assert_true(sizeof(e->sent) + sizeof(e->received) <= 3200);
	assert_true(sizeof(*e) <= 5120);
	for (unsigned i = 0; i < WIRE_MAX_RECORDS; i++)
		junk[i] = (struct wire_record){ address(7, i), address(8, i), i, 0 };
	for (unsigned i = 0; i < 1000; i++) {
		probe_from_peer(&m, i % 2 ? WIRE_STA_INBOUND_OK : WIRE_STA_OPERATIONAL, &p, i, junk, WIRE_MAX_RECORDS);
		node_probe(&n, START + i * MSEC, &p, &m);
		node_keepalive(&n, START + i * MSEC, &p);
		assert_null(n.r.episode);
	}
	peer_probes(START + 2 * SEC, WIRE_STA_EXPLORING, &p, NULL);
	e = n.r.episode;
	assert_non_null(e);
	for (unsigned i = 0; i < 1000; i++) {
		probe_from_peer(&m, WIRE_STA_EXPLORING, &p, 5000 + i, junk, WIRE_MAX_RECORDS);
		node_probe(&n, START + 2 * SEC + i * MSEC, &p, &m);
		assert_true(n.r.episode == e);
		assert_in_range(e->n_received, 1, WIRE_MAX_RECORDS);
	}
	assert_true(e->n_sent <= REAP_SENT_HISTORY);
}

/* AMB-R29: whoever hears Probe EX again and again stays in InboundOk for minutes */
static void amb_r29_inbound_ok_lasts(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		peer_probes(START + i * 14 * SEC, WIRE_STA_EXPLORING, &p, NULL);
		assert_int_equal(n.r.state, REAP_INBOUND_OK);
		assert_int_equal(n.t.send_t0, n.now);
	}
	assert_int_equal(log_count(&n, LOG_STATE), 1);
	node_advance(&n, n.now + 15 * SEC - 1);
	assert_int_equal(n.r.state, REAP_INBOUND_OK);
}

/* PF-09: what arrived is reported in each state: EX, when it was no news; OP, in the confirmation */
static void pf09_received_records_in_any_state(void **state)
{
	struct shim6_pair back = pair_of(0, 2, 1);
	struct wire_record unknown = { address(0, 0), address(1, 0), 1, 0 };
	const struct log_entry *e;
	struct probe_message m;

	(void)state;
	silence();
	probe_from_peer(&m, WIRE_STA_INBOUND_OK, &back, 4242, &unknown, 1);
	node_probe(&n, START + 15100 * MSEC, &back, &m);
	node_advance(&n, START + 15500 * MSEC);
	e = log_last(&n, LOG_PROBE);
	assert_int_equal(e->sta, WIRE_STA_EXPLORING);
	assert_int_equal(e->n_received, 1);
	assert_int_equal(e->received[0].nonce, 4242);
	assert_int_equal(e->received[0].data, 0xcafef00d);
	/* one of the peer's in EX that reports something is as good as any */
	probe_from_peer(&m, WIRE_STA_EXPLORING, &back, 4243, log_nth(&n, LOG_PROBE, 0)->sent, 1);
	node_probe(&n, START + 15600 * MSEC, &back, &m);
	e = log_last(&n, LOG_PROBE);
	assert_int_equal(e->sta, WIRE_STA_INBOUND_OK);
	assert_int_equal(e->n_received, 2);
	probe_from_peer(&m, WIRE_STA_INBOUND_OK, &back, 4244, log_nth(&n, LOG_PROBE, 0)->sent, 1);
	node_probe(&n, START + 15700 * MSEC, &back, &m);
	e = log_last(&n, LOG_PROBE);
	assert_int_equal(e->sta, WIRE_STA_OPERATIONAL);
	assert_int_equal(e->n_received, 3);
}

/* PF-10, PN-04: further sent records are those of earlier probes that nobody reported, newest first, and few */
static void pf10_further_sent_records(void **state)
{
	unsigned count;

	(void)state;
	silence();
	node_advance(&n, START + 400 * SEC);
	count = log_count(&n, LOG_PROBE);
	assert_true(count > 10);
	for (unsigned k = 0; k < count; k++) {
		const struct log_entry *e = log_nth(&n, LOG_PROBE, k);

		assert_int_equal(e->n_sent, k + 1 < REAP_SENT_REPORTED ? k + 1 : REAP_SENT_REPORTED);
		for (unsigned i = 1; i < e->n_sent; i++)
			assert_true(same_record(&e->sent[i], &log_nth(&n, LOG_PROBE, k - i)->sent[0]));
	}
}

/* AMB-R27: preferences that change during an episode order what is left, and repeat nothing */
static void amb_r27_only_untested_pairs_are_sorted(void **state)
{
	unsigned seen = 1 << 0 | 1 << 4; /* 0/0 and 1/1, of bits 3 * local + peer */

	(void)state;
	silence();
	node_advance(&n, START + 15500 * MSEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 2);
	n.peer[0].priority = n.peer[1].priority = 5;
	n.peer[2].priority = 1;
	node_locators(&n, START + 15600 * MSEC, REAP_CAUSE_NONE);
	assert_int_equal(log_count(&n, LOG_PROBE), 2);
	node_advance(&n, START + 100 * SEC);
	assert_int_equal(log_nth(&n, LOG_PROBE, 2)->at, START + 16 * SEC); /* nor does it begin a burst */
	assert_pair(&log_nth(&n, LOG_PROBE, 2)->pair, &(struct shim6_pair){ address(0, 1), address(1, 2) });
	for (unsigned k = 2; k < 9; k++) {
		const struct shim6_pair *p = &log_nth(&n, LOG_PROBE, k)->pair;
		unsigned bit = 1u << (3 * index_of(&p->local) + index_of(&p->peer));

		assert_false(seen & bit);
		seen |= bit;
	}
	assert_int_equal(seen, 0777);
}

/* PZ-01: forged Keepalives delay the detection for as long as they come, and one Send Timeout longer; they provoke no
 * packet of ours */
static void pz01_forged_keepalives(void **state)
{
	struct shim6_pair p = pair_of(0, 0, 0);
	uint64_t at = START;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		at = START + i * 10 * SEC;
		node_advance(&n, at);
		node_tx(&n, at);
		node_advance(&n, at + 9 * SEC);
		node_keepalive(&n, at + 9 * SEC, &p);
	}
	assert_int_equal(n.n_log, 0);
	node_advance(&n, at + 10 * SEC);
	node_tx(&n, at + 10 * SEC);
	node_advance(&n, at + 25 * SEC - 1);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	node_advance(&n, at + 25 * SEC);
	assert_int_equal(n.r.state, REAP_EXPLORING);
}

/* PA-15: a quiet context stays on the pair that worked last, tests nothing, and goes on there */
static void pa15_idle_keeps_the_last_pair(void **state)
{
	struct shim6_pair good = pair_of(0, 1, 1);
	unsigned probes;

	(void)state;
	silence();
	node_advance(&n, START + 15500 * MSEC);
	peer_probes(START + 15600 * MSEC, WIRE_STA_INBOUND_OK, &good, log_nth(&n, LOG_PROBE, 1));
	assert_pair(&n.r.current, &good);
	node_keepalive(&n, START + 16 * SEC, &good);
	probes = log_count(&n, LOG_PROBE);
	node_advance(&n, START + 86400 * SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), probes);
	assert_int_equal(log_count(&n, LOG_KEEPALIVE), 0);
	assert_pair(&n.r.current, &good);
	node_tx(&n, START + 86400 * SEC);
	node_advance(&n, START + 86415 * SEC - 1);
	assert_pair(&n.r.current, &good);
	assert_int_equal(log_count(&n, LOG_PROBE), probes);
}

/* PZ-02: no address that only a Probe names is ever sent to, neither of its records nor of its own header */
static void pz02_probes_add_no_locators(void **state)
{
	struct shim6_pair strange = { address(0, 1), address(9, 9) };
	struct wire_record own[2] = { { address(9, 1), address(9, 2), 1, 0 }, { address(9, 3), address(9, 4), 2, 0 } };
	struct wire_record got[2] = { { address(0, 0), address(9, 5), 3, 0 }, { address(9, 6), address(1, 0), 4, 0 } };
	struct probe_message m;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		own[0].nonce = 10 + i;
		probe_make(&m, (enum wire_sta)(WIRE_STA_EXPLORING + i % 2), own, 2, got, 2);
		node_advance(&n, START + i * 3 * SEC);
		node_probe(&n, n.now, &strange, &m);
	}
	node_advance(&n, START + 300 * SEC);
	assert_true(log_count(&n, LOG_PROBE) > 8);
	for (unsigned i = 0; i < n.n_log; i++) {
		struct reap_index at;

		if (n.log[i].kind == LOG_PROBE || n.log[i].kind == LOG_KEEPALIVE)
			assert_true(reap_pair_find(&n.l, &n.log[i].pair, &at));
	}
	assert_int_equal(log_count(&n, LOG_PROBED), 0);
}

/* PC-04, PT-17: the Send Timeout is 15 s where nobody says otherwise, and the drawn one stays near it */
static void pc04_default_send_timeout(void **state)
{
	struct reap_config c;

	(void)state;
	reap_config_default(&c);
	assert_int_equal(c.send_timeout, 15 * SEC);
	for (uint64_t s = 10; s <= 100; s += 5) {
		reap_set_send_timeout(&n.r, s * SEC);
		assert_int_equal(n.r.send_timeout, s * SEC);
		n.t = (struct reap_timers){ 0 };
		node_tx(&n, n.now + SEC);
		node_advance(&n, n.now + s * SEC - 1);
		assert_int_equal(n.r.state, REAP_OPERATIONAL);
		node_advance(&n, n.now + 1);
		assert_int_equal(n.r.state, REAP_EXPLORING);
		reap_stop(&n.r);
		node_start(&n);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ps35_schedule_ends),	   TEST(pz06_memory_is_bounded),
		TEST(amb_r29_inbound_ok_lasts),	   TEST(pf09_received_records_in_any_state),
		TEST(pf10_further_sent_records),   TEST(amb_r27_only_untested_pairs_are_sorted),
		TEST(pz01_forged_keepalives),	   TEST(pa15_idle_keeps_the_last_pair),
		TEST(pz02_probes_add_no_locators), TEST(pc04_default_send_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
