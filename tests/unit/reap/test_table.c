/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The S-matrix, TR40..TR66: every row PS-01..PS-27 of the state table, each
 * with the timers off, the Send Timer running and the Keepalive Timer running.
 * In Exploring and InboundOk a start time that the data path left behind for a
 * timer that does not run there must make no difference (PT-05).
 */
#include "harness.h"

#define PEER_NONCE 0x11111111u

enum event {
	E1,
	E2,
	E3,
	E3I,
	E4,
	E5,
	E6,
	E7,
	E8,
	E9
};
enum timer {
	OFF,
	KEPT,
	NOW,
	START_IT /* now if off, else kept */
};

struct expect {
	enum reap_state next;
	enum timer send, ka;
	char sends; /* '-' nothing, 'K' Keepalive, 'P' Probe */
	char where; /* 'n' next in order, 'b' reverse of the arrival, 'g' reported or current */
};

struct row {
	const char *name;
	enum event event;
	enum reap_state state;
	struct expect expect;
};

#define OP REAP_OPERATIONAL
#define EX REAP_EXPLORING
#define IN REAP_INBOUND_OK

static const struct row rows[] = {
	{ "PS-01 payload in, OP", E1, OP, { OP, OFF, START_IT, '-', 0 } },
	{ "PS-02 payload in, EX", E1, EX, { IN, NOW, OFF, 'P', 'c' } },
	{ "PS-03 payload in, IN", E1, IN, { IN, OFF, OFF, '-', 0 } },
	{ "PS-04 payload out, OP", E2, OP, { OP, START_IT, OFF, '-', 0 } },
	{ "PS-05 payload out, EX", E2, EX, { EX, OFF, OFF, '-', 0 } },
	{ "PS-06 payload out, IN", E2, IN, { IN, START_IT, OFF, '-', 0 } },
	{ "PS-07 Send expires, OP", E4, OP, { EX, OFF, OFF, 'P', 'n' } },
	{ "PS-08 Send expires, EX: cannot", E4, EX, { EX, OFF, OFF, '-', 0 } },
	{ "PS-09 Send expires, IN", E4, IN, { EX, OFF, OFF, 'P', 'n' } },
	{ "PS-10 probe due, OP: none", E5, OP, { OP, KEPT, KEPT, '-', 0 } },
	{ "PS-11 probe due, EX", E5, EX, { EX, OFF, OFF, 'P', 'n' } },
	{ "PS-12 probe due, IN", E5, IN, { IN, START_IT, OFF, 'P', 'n' } },
	{ "PS-13 Keepalive, OP", E6, OP, { OP, OFF, KEPT, '-', 0 } },
	{ "PS-14 Keepalive, EX", E6, EX, { IN, NOW, OFF, 'P', 'b' } },
	{ "PS-15 Keepalive, IN", E6, IN, { IN, OFF, OFF, '-', 0 } },
	{ "PS-16 Probe EX, OP", E7, OP, { IN, NOW, OFF, 'P', 'b' } },
	{ "PS-17 Probe EX, EX", E7, EX, { IN, NOW, OFF, 'P', 'b' } },
	{ "PS-18 Probe EX, IN", E7, IN, { IN, NOW, OFF, 'P', 'b' } },
	{ "PS-19 Probe IN, OP", E8, OP, { OP, NOW, OFF, 'P', 'g' } },
	{ "PS-20 Probe IN, EX", E8, EX, { OP, NOW, OFF, 'P', 'g' } },
	{ "PS-21 Probe IN, IN", E8, IN, { OP, NOW, OFF, 'P', 'g' } },
	{ "PS-22 Probe OP, OP", E9, OP, { OP, OFF, START_IT, '-', 0 } },
	{ "PS-23 Probe OP, EX", E9, EX, { OP, OFF, NOW, '-', 0 } },
	{ "PS-24 Probe OP, IN", E9, IN, { OP, OFF, NOW, '-', 0 } },
	{ "PS-25 Keepalive Timer expires, OP", E3, OP, { OP, OFF, OFF, 'K', 'c' } },
	{ "PS-26 Keepalive Interval, OP", E3I, OP, { OP, OFF, KEPT, 'K', 'c' } },
	{ "PS-27 Keepalive Timer, EX: cannot", E3, EX, { EX, OFF, OFF, '-', 0 } },
	{ "PS-27 Keepalive Timer, IN: cannot", E3, IN, { IN, OFF, OFF, '-', 0 } },
};

static struct node n;
static const struct shim6_pair none;

/* Where things arrive: not the current pair, so that the two are told apart. */
static struct shim6_pair arrival(void)
{
	return pair_of(0, 1, 2);
}

static void enter_state(enum reap_state state)
{
	struct shim6_pair at = arrival();
	struct probe_message p;

	node_init(&n, 0, 3, 3);
	if (state == EX)
		node_explore(&n, START, REAP_CAUSE_HINT, NULL);
	if (state == IN) {
		probe_from_peer(&p, WIRE_STA_EXPLORING, &at, PEER_NONCE, NULL, 0);
		node_probe(&n, START, &at, &p);
	}
	assert_int_equal(n.r.state, state);
}

/* The start times before the event, and whether that variant exists. */
static bool set_timers(const struct row *row, unsigned variant, uint64_t now)
{
	bool expiring = row->event == E4, keepalive = row->event == E3 || row->event == E3I;

	n.t = (struct reap_timers){ 0 };
	if (expiring || keepalive) {
		if (variant > 0)
			return false;
		n.t.send_t0 = expiring ? now - n.r.send_timeout : 0;
		n.t.ka_t0 = keepalive ? now - (row->event == E3 ? n.r.keepalive_timeout : n.r.keepalive_interval) : 0;
		return true;
	}
	n.t.send_t0 = variant == 1 ? now - SEC : 0;
	n.t.ka_t0 = variant == 2 ? now - SEC : 0;
	return true;
}

static void fire(enum event event, uint64_t now)
{
	struct shim6_pair at = arrival();
	struct probe_message p;

	switch (event) {
	case E1:
		node_payload_received(&n, now);
		break;
	case E2:
		node_payload_sent(&n, now);
		break;
	case E3:
	case E3I:
	case E4:
	case E5:
		node_timer(&n, now);
		break;
	case E6:
		node_keepalive(&n, now, &at);
		break;
	case E7:
	case E8:
	case E9:
		probe_from_peer(&p,
				event == E7   ? WIRE_STA_EXPLORING
				: event == E8 ? WIRE_STA_INBOUND_OK
					      : WIRE_STA_OPERATIONAL,
				&at, PEER_NONCE + 1, NULL, 0);
		node_probe(&n, now, &at, &p);
		break;
	}
}

static void expect_timer(uint64_t got, enum timer want, uint64_t before, uint64_t now)
{
	switch (want) {
	case OFF:
		assert_int_equal(got, 0);
		break;
	case KEPT:
		assert_int_equal(got, before);
		break;
	case NOW:
		assert_int_equal(got, now);
		break;
	case START_IT:
		assert_int_equal(got, before ? before : now);
		break;
	}
}

static void expect_sent(const struct row *row, unsigned logged, struct shim6_pair next_in_order)
{
	struct shim6_pair pair = none, at = arrival(), current = pair_of(0, 0, 0);
	unsigned messages = 0;

	for (unsigned i = logged; i < n.n_log; i++) {
		if (n.log[i].kind != LOG_PROBE && n.log[i].kind != LOG_KEEPALIVE)
			continue;
		messages++;
		pair = n.log[i].pair;
		assert_int_equal(n.log[i].kind == LOG_PROBE ? 'P' : 'K', row->expect.sends);
		if (n.log[i].kind == LOG_PROBE)
			assert_int_equal(n.log[i].sta, row->expect.next);
	}
	assert_int_equal(messages, row->expect.sends != '-');
	if (messages == 0)
		return;
	switch (row->expect.where) {
	case 'n':
		assert_pair(&pair, &next_in_order);
		break;
	case 'b':
		assert_pair(&pair, &at);
		break;
	default:
		assert_pair(&pair, &current);
		break;
	}
}

static void expect_told(const struct row *row, unsigned logged)
{
	unsigned states = 0, begins = 0, ends = 0;

	for (unsigned i = logged; i < n.n_log; i++) {
		states += n.log[i].kind == LOG_STATE;
		begins += n.log[i].kind == LOG_BEGIN;
		ends += n.log[i].kind == LOG_END;
	}
	assert_int_equal(states, row->state != row->expect.next);
	assert_int_equal(begins, row->state == OP && row->expect.next != OP);
	assert_int_equal(ends, row->state != OP && row->expect.next == OP);
}

static void run(const struct row *row, unsigned variant)
{
	/* In EX the current pair has been tried, in IN only the reply was sent, which takes no slot (PX-16). */
	struct shim6_pair next = row->state == EX ? pair_of(0, 1, 1) : pair_of(0, 0, 0);
	uint64_t now = START + 100 * MSEC, send, ka;
	unsigned logged;

	enter_state(row->state);
	if (row->event == E5)
		now = START + 500 * MSEC;
	if (!set_timers(row, variant, now)) {
		node_free(&n);
		return;
	}
	/* What runs in no other state does not run here, whatever the data path wrote. */
	send = row->state == EX ? 0 : n.t.send_t0;
	ka = row->state == OP ? n.t.ka_t0 : 0;
	logged = n.n_log;
	fire(row->event, now);
	assert_int_equal(n.r.state, row->expect.next);
	expect_timer(n.t.send_t0, row->expect.send, send, now);
	expect_timer(n.t.ka_t0, row->expect.ka, ka, now);
	expect_sent(row, logged, next);
	expect_told(row, logged);
	node_free(&n);
}

/* PS-01..PS-27, PS-34, PT-05, PT-16, PT-20, PX-09, PX-10, AMB-R3, AMB-R9, AMB-R18, AMB-R19, AMB-R24 */
static void one_row(void **state)
{
	const struct row *row = *state;

	for (unsigned variant = 0; variant < 3; variant++)
		run(row, variant);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0])];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL, (void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests_name("S-matrix", tests, NULL, NULL);
}
