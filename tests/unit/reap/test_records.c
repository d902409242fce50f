/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nonces, records and stale probes: PN-01..PN-13, TR09..TR11, TR94..TR104. */
#include "harness.h"

static struct node n;
static const struct shim6_pair *back;
static struct shim6_pair reverse;

static int setup(void **state)
{
	(void)state;
	node_init(&n, 0, 3, 3);
	reverse = pair_of(0, 2, 2);
	back = &reverse;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_free(&n);
	return 0;
}

/* In EX with the first three pairs of the order probed: 0/0, 1/1, 2/2. */
static void three_probed(void)
{
	node_explore(&n, START, REAP_CAUSE_HINT, NULL);
	node_advance(&n, START + SEC);
	assert_int_equal(log_count(&n, LOG_PROBE), 3);
}

static struct wire_record sent(unsigned probe)
{
	return log_nth(&n, LOG_PROBE, probe)->sent[0];
}

static void receive(uint64_t at, enum wire_sta sta, uint32_t nonce, const struct wire_record *report, unsigned count)
{
	struct probe_message p;

	probe_from_peer(&p, sta, back, nonce, report, count);
	node_advance(&n, START + at);
	node_probe(&n, START + at, back, &p);
}

/* PN-06, PN-10, AMB-R12, PN-14 */
static void tr94_forged_and_foreign_records(void **state)
{
	struct shim6_pair old = pair_of(0, 0, 0);
	struct wire_record forged[4];

	(void)state;
	three_probed();
	for (unsigned i = 0; i < 4; i++)
		forged[i] = sent(1);
	forged[0].src = address(0, 2); /* right nonce, wrong source */
	forged[1].nonce ^= 1;	       /* right addresses, wrong nonce */
	forged[2].dst = address(1, 0); /* right nonce, wrong destination */
	forged[3].src = address(7, 0); /* a third party */
	forged[3].dst = address(8, 0);
	for (unsigned i = 0; i < 2; i++) {
		receive(SEC + (i + 1) * MSEC, i ? WIRE_STA_OPERATIONAL : WIRE_STA_INBOUND_OK, 1 + i, forged, 4);
		assert_int_equal(n.r.state, REAP_EXPLORING);
		assert_pair(&n.r.current, &old);
		assert_int_equal(n.r.probes_stale, i + 1);
		assert_int_equal(n.r.records_unknown, 4 * (i + 1));
	}
	assert_int_equal(log_count(&n, LOG_PROBED), 0);
	/* One true record among them is enough. */
	forged[2] = sent(1);
	receive(SEC + 5 * MSEC, WIRE_STA_INBOUND_OK, 3, forged, 4);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	assert_int_equal(index_of(&n.r.current.local), 1);
}

static void tr95_record_of_another_context(void **state)
{
	struct wire_record foreign;
	struct node other;

	(void)state;
	three_probed();
	node_init(&other, 0, 3, 3);
	other.rng = 1234567;
	node_explore(&other, START, REAP_CAUSE_HINT, NULL);
	foreign = log_nth(&other, LOG_PROBE, 0)->sent[0];
	node_free(&other);
	receive(SEC + MSEC, WIRE_STA_INBOUND_OK, 1, &foreign, 1);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	assert_int_equal(n.r.records_unknown, 1);
}

/* AMB-R7 */
static void tr96_nothing_reported(void **state)
{
	struct shim6_pair old = pair_of(0, 0, 0);

	(void)state;
	three_probed();
	receive(SEC + MSEC, WIRE_STA_INBOUND_OK, 1, NULL, 0);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	assert_pair(&n.r.current, &old);
	assert_int_equal(log_last(&n, LOG_PROBE)->sta, WIRE_STA_OPERATIONAL);
	assert_pair(&log_last(&n, LOG_PROBE)->pair, &old);
}

/* PN-09, PS-28 */
static void tr97_which_of_several(void **state)
{
	struct wire_record two[2];

	(void)state;
	three_probed();
	two[0] = sent(2);
	two[1] = sent(0);
	receive(SEC + MSEC, WIRE_STA_INBOUND_OK, 1, two, 2);
	assert_int_equal(index_of(&n.r.current.local), 0);
	teardown(NULL);
	setup(NULL);
	three_probed();
	two[0] = sent(2);
	two[1] = sent(1);
	receive(SEC + MSEC, WIRE_STA_INBOUND_OK, 1, two, 2);
	assert_int_equal(index_of(&n.r.current.local), 1);
	/* PN-07: both destinations are proved. */
	assert_int_equal(log_count(&n, LOG_PROBED), 2);
}

/* PN-11 */
static void tr98_duplicate(void **state)
{
	(void)state;
	receive(0, WIRE_STA_EXPLORING, 1, NULL, 0);
	receive(MSEC, WIRE_STA_EXPLORING, 1, NULL, 0);
	assert_int_equal(log_count(&n, LOG_PROBE), 2);
	assert_int_equal(log_nth(&n, LOG_PROBE, 1)->n_received, 1);
}

/* PN-13 */
static void tr99_received_is_wiped_sent_is_kept(void **state)
{
	struct wire_record late;

	(void)state;
	receive(0, WIRE_STA_EXPLORING, 1, NULL, 0);
	node_advance(&n, START + 500 * MSEC);
	assert_int_equal(log_nth(&n, LOG_PROBE, 1)->n_received, 1);
	late = sent(1);
	n.t.send_t0 = START + 600 * MSEC - n.r.send_timeout;
	node_timer(&n, START + 600 * MSEC);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	assert_int_equal(log_last(&n, LOG_PROBE)->n_received, 0);
	receive(700 * MSEC, WIRE_STA_INBOUND_OK, 2, &late, 1);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	/* What is reported is what came since (PN-05). */
	assert_int_equal(log_last(&n, LOG_PROBE)->n_received, 1);
	assert_int_equal(log_last(&n, LOG_PROBE)->received[0].nonce, 2);
}

/* AMB-R14, PN-13 */
static void tr100_after_the_episode(void **state)
{
	struct wire_record first;

	(void)state;
	three_probed();
	first = sent(1);
	receive(1100 * MSEC, WIRE_STA_INBOUND_OK, 1, &first, 1);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	receive(10100 * MSEC, WIRE_STA_INBOUND_OK, 2, &first, 1);
	assert_int_equal(log_last(&n, LOG_PROBE)->sta, WIRE_STA_OPERATIONAL);
	assert_int_equal(log_last(&n, LOG_PROBE)->n_received, 2);
	assert_int_equal(log_last(&n, LOG_PROBE)->received[0].nonce, 2);
	n.t = (struct reap_timers){ 0 };
	receive(31 * SEC, WIRE_STA_INBOUND_OK, 3, &first, 1);
	assert_null(n.r.episode);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	assert_int_equal(log_last(&n, LOG_PROBE)->sta, WIRE_STA_OPERATIONAL);
	assert_int_equal(log_last(&n, LOG_PROBE)->n_received, 1);
	assert_int_equal(log_last(&n, LOG_PROBE)->received[0].nonce, 3);
	assert_pair(&log_last(&n, LOG_PROBE)->pair, &n.r.current);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* PN-01, PN-03 (PN-02) */
static void tr101_every_probe_has_its_own_nonce(void **state)
{
	static uint32_t nonce[20000];
	unsigned count = 0, repeats = 0;

	(void)state;
	node_explore(&n, START, REAP_CAUSE_HINT, NULL);
	while (count < 20000) {
		node_timer(&n, n.deadline);
		nonce[count++] = log_last(&n, LOG_PROBE)->sent[0].nonce;
		n.n_log = 0;
	}
	qsort(nonce, count, sizeof(nonce[0]), compare_u32);
	for (unsigned i = 1; i < count; i++)
		repeats += nonce[i] == nonce[i - 1];
	assert_in_range(repeats, 0, 2); /* 0.05 expected of a fair source */
}

/* AMB-R12, AMB-R14 */
static void tr102_probe_op_of_the_episode_before(void **state)
{
	struct wire_record old;

	(void)state;
	three_probed();
	old = sent(1);
	receive(1100 * MSEC, WIRE_STA_INBOUND_OK, 1, &old, 1);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	node_explore(&n, START + 2 * SEC, REAP_CAUSE_HINT, NULL);
	receive(2100 * MSEC, WIRE_STA_OPERATIONAL, 2, &old, 1);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	assert_int_equal(n.r.probes_stale, 1);
}

/* PS-29, AMB-R2 */
static void tr103_probe_op_chooses_too(void **state)
{
	struct shim6_pair want = pair_of(0, 1, 1);
	struct wire_record r;
	unsigned probes;

	(void)state;
	three_probed();
	r = sent(1);
	probes = log_count(&n, LOG_PROBE);
	receive(SEC + MSEC, WIRE_STA_OPERATIONAL, 1, &r, 1);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	assert_pair(&n.r.current, &want);
	assert_int_equal(log_count(&n, LOG_PROBE), probes);
	assert_true(n.t.send_t0 == 0 && n.t.ka_t0 == START + SEC + MSEC);
}

/* A Probe EX that was overtaken by a later probe does not start another episode (AMB-R30). */
static void amb_r30_overtaken_probe(void **state)
{
	struct wire_record own[2] = { { reverse.peer, reverse.local, 200, 0 },
				      { address(1, 0), address(0, 0), 100, 0 } };
	struct wire_record first;
	struct probe_message p;

	(void)state;
	three_probed();
	first = sent(1);
	/* 200 names 100 as an earlier probe. */
	probe_make(&p, WIRE_STA_INBOUND_OK, own, 2, &first, 1);
	node_probe(&n, START + 1100 * MSEC, back, &p);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	receive(1200 * MSEC, WIRE_STA_EXPLORING, 100, NULL, 0);
	receive(1300 * MSEC, WIRE_STA_EXPLORING, 200, NULL, 0);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
	assert_int_equal(n.r.probes_stale, 2);
	/* A new one does. */
	receive(1400 * MSEC, WIRE_STA_EXPLORING, 300, NULL, 0);
	assert_int_equal(n.r.state, REAP_INBOUND_OK);
}

/* The Probe OP that ends an episode names our earlier probes, so that the peer can do the same. (PF-10) */
static void amb_r30_confirmation_names_earlier_probes(void **state)
{
	const struct log_entry *op;
	struct wire_record r;

	(void)state;
	three_probed();
	r = sent(1);
	receive(SEC + MSEC, WIRE_STA_INBOUND_OK, 1, &r, 1);
	op = log_last(&n, LOG_PROBE);
	assert_int_equal(op->n_sent, 3); /* itself, 2/2 and 0/0; 1/1 is reported (PN-04) */
	assert_int_equal(op->sent[1].nonce, sent(2).nonce);
	assert_int_equal(op->sent[2].nonce, sent(0).nonce);
	/* Provoked once more it is short (PZ-05). */
	receive(SEC + 2 * MSEC, WIRE_STA_INBOUND_OK, 2, &r, 1);
	assert_int_equal(log_last(&n, LOG_PROBE)->n_sent, 1);
}

/* PC-08, PN-12 */
static void tr11_pn12_more_than_fifteen(void **state)
{
	unsigned rare = 0;
	const struct log_entry *e;

	(void)state;
	n.config.triggered_per_second = 1000;
	/* One on each of five rare pairs, then twenty on one pair. */
	for (unsigned i = 0; i < 5; i++) {
		reverse = pair_of(0, i % 3, i / 3);
		receive(i * 5 * MSEC, WIRE_STA_EXPLORING, 1000 + i, NULL, 0);
	}
	reverse = pair_of(0, 2, 2);
	for (unsigned i = 0; i < 20; i++)
		receive((i + 6) * 5 * MSEC, WIRE_STA_EXPLORING, 2000 + i, NULL, 0);
	e = log_last(&n, LOG_PROBE);
	assert_int_equal(e->n_received, 15);
	assert_int_equal(e->received[0].nonce, 2019); /* what is answered */
	for (unsigned i = 1; i <= 5; i++)
		rare += e->received[i].nonce >= 1000 && e->received[i].nonce < 1005;
	assert_int_equal(rare, 5); /* newest per pair before the rest */
	for (unsigned i = 6; i < 15; i++)
		assert_int_equal(e->received[i].nonce, 2019 - (i - 5));
	/* Timed: record 1 is itself, and the whole fits (PF-15). */
	node_advance(&n, START + 60 * SEC);
	e = log_last(&n, LOG_PROBE);
	assert_in_range(e->n_sent, 2, 15);
	assert_true(16 + 40 * (e->n_sent + e->n_received) + 40 <= 1280);
}

/* PC-10 */
static void pc10_history_is_a_ring(void **state)
{
	struct wire_record first, recent;

	(void)state;
	node_explore(&n, START, REAP_CAUSE_HINT, NULL);
	first = sent(0);
	for (unsigned i = 0; i < 64; i++)
		node_timer(&n, n.deadline);
	recent = sent(1);
	receive(n.now - START, WIRE_STA_INBOUND_OK, 1, &first, 1);
	assert_int_equal(n.r.state, REAP_EXPLORING);
	receive(n.now - START, WIRE_STA_INBOUND_OK, 2, &recent, 1);
	assert_int_equal(n.r.state, REAP_OPERATIONAL);
}

/* PF-11, PF-12 */
static void tr09_amb_r13_records_are_echoed_verbatim(void **state)
{
	struct wire_record own = { address(9, 9), address(8, 8), 0xdeadbeef, 0xcafef00d };
	const struct log_entry *e;
	struct probe_message p;

	(void)state;
	probe_make(&p, WIRE_STA_EXPLORING, &own, 1, NULL, 0);
	node_probe(&n, START, back, &p);
	e = log_last(&n, LOG_PROBE);
	assert_pair(&e->pair, back);
	assert_int_equal(e->n_received, 1);
	assert_memory_equal(&e->received[0], &own, sizeof(own));
	assert_int_equal(n.r.record_mismatch, 1);
}

static void names(void **state)
{
	(void)state;
	for (int c = REAP_CAUSE_NONE; c <= REAP_CAUSE_PREFERENCE; c++)
		assert_string_not_equal(reap_cause_name((enum reap_cause)c), "unknown");
	for (int s = REAP_OPERATIONAL; s <= REAP_INBOUND_OK; s++)
		assert_string_not_equal(reap_state_name((enum reap_state)s), "unknown");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tr94_forged_and_foreign_records),
		TEST(tr95_record_of_another_context),
		TEST(tr96_nothing_reported),
		TEST(tr97_which_of_several),
		TEST(tr98_duplicate),
		TEST(tr99_received_is_wiped_sent_is_kept),
		TEST(tr100_after_the_episode),
		TEST(tr101_every_probe_has_its_own_nonce),
		TEST(tr102_probe_op_of_the_episode_before),
		TEST(tr103_probe_op_chooses_too),
		TEST(amb_r30_overtaken_probe),
		TEST(amb_r30_confirmation_names_earlier_probes),
		TEST(tr11_pn12_more_than_fifteen),
		TEST(pc10_history_is_a_ring),
		TEST(tr09_amb_r13_records_are_echoed_verbatim),
		TEST(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
