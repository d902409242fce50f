/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One or two REAP machines in virtual time.
 *
 * A node is a machine with its candidate set, the data path's two start times
 * as projection.h describes them, and a log of all it did. A sim joins two
 * nodes by a matrix of one-way paths with delay and loss, sends payload on the
 * current pairs, and calls the machines only when the contract says: at the
 * deadline last announced, at a message, and at the notice last asked for.
 */
#ifndef TESTS_REAP_HARNESS_H
#define TESTS_REAP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/reap.h"

#define SEC UINT64_C(1000000000)
#define MSEC UINT64_C(1000000)
#define START (1000 * SEC) /* where virtual time begins */
#define MAX_LOG 4096
#define MAX_FLIGHTS 512

enum log_kind {
	LOG_KEEPALIVE,
	LOG_PROBE,
	LOG_STATE,
	LOG_BEGIN,
	LOG_END,
	LOG_PROBED
};

struct log_entry {
	uint64_t at;
	enum log_kind kind;
	struct shim6_pair pair; /* KEEPALIVE, PROBE; END: the new pair; PROBED: peer */
	struct shim6_pair old;	/* END */
	enum wire_sta sta;	/* PROBE */
	enum reap_state from, to;
	enum reap_cause cause;
	uint64_t elapsed;
	unsigned probes;
	unsigned n_sent, n_received;
	struct wire_record sent[WIRE_MAX_RECORDS], received[WIRE_MAX_RECORDS];
};

struct sim;

struct node {
	struct reap r;
	struct reap_config config;
	struct reap_timers t;
	struct reap_locator local[REAP_MAX_LOCATORS], peer[REAP_MAX_LOCATORS];
	struct reap_locators l;
	int side;
	uint64_t now;
	uint64_t rng;
	uint32_t refuse; /* a bit for each local locator that cannot send */
	bool refuse_all;
	uint32_t random_fixed; /* not 0: what random32 gives */
	struct log_entry *log;
	unsigned n_log, log_room;
	/* what the machine last asked for */
	uint64_t deadline;
	unsigned notify;
	uint64_t wakeups;
	struct sim *sim;
};

struct probe_message {
	struct wire_msg m;
	uint8_t records[2 * WIRE_MAX_RECORDS * WIRE_RECORD_LEN];
};

enum flight_kind {
	FLIGHT_PAYLOAD,
	FLIGHT_KEEPALIVE,
	FLIGHT_PROBE
};

struct flight {
	uint64_t at;
	enum flight_kind kind;
	int to;
	struct shim6_pair arrival;
	struct probe_message *probe;
};

struct sim {
	struct node node[2];
	uint64_t now;
	uint64_t rng;
	bool path[2][REAP_MAX_LOCATORS][REAP_MAX_LOCATORS]; /* [sender][its locator][the other's locator] */
	uint64_t delay, delay_spread;
	unsigned loss_percent;
	uint64_t gap[2], next_payload[2];				      /* gap 0: silent */
	bool (*drop)(struct sim *s, int from, const struct log_entry *probe); /* probes to lose, or NULL */
	unsigned dropped;
	struct flight flight[MAX_FLIGHTS];
	unsigned n_flights;
	unsigned payload_wrong; /* payload sent on a pair that was neither current before nor confirmed */
};

struct shim6_addr address(int side, unsigned i);
struct shim6_pair pair_of(int side, unsigned local, unsigned peer);
unsigned index_of(const struct shim6_addr *a);

/* n x m locators, current pair 0/0, no jitter anywhere. */
void node_init(struct node *n, int side, unsigned n_local, unsigned n_peer);
void node_start(struct node *n); /* after changes to config */
void node_free(struct node *n);
uint32_t random_next(uint64_t *state);

/* The data path. */
void node_tx(struct node *n, uint64_t now);
void node_rx(struct node *n, uint64_t now);
/* Verbs, with the bookkeeping that an engine does. */
void node_timer(struct node *n, uint64_t now);
void node_advance(struct node *n, uint64_t until); /* runs the machine's own deadlines */
void node_keepalive(struct node *n, uint64_t now, const struct shim6_pair *arrival);
void node_probe(struct node *n, uint64_t now, const struct shim6_pair *arrival, const struct probe_message *p);
void node_explore(struct node *n, uint64_t now, enum reap_cause cause, const struct shim6_pair *wanted);
void node_test(struct node *n, uint64_t now, const struct shim6_pair *pair);
void node_locators(struct node *n, uint64_t now, enum reap_cause cause);
void node_payload_sent(struct node *n, uint64_t now);
void node_payload_received(struct node *n, uint64_t now);

void probe_make(struct probe_message *p, enum wire_sta sta, const struct wire_record *sent, unsigned n_sent,
		const struct wire_record *received, unsigned n_received);
/* A probe from the peer on the reverse of pair, reporting the given of our probes (or none). */
void probe_from_peer(struct probe_message *p, enum wire_sta sta, const struct shim6_pair *pair, uint32_t nonce,
		     const struct wire_record *report, unsigned n_report);

unsigned log_count(const struct node *n, enum log_kind kind);
const struct log_entry *log_nth(const struct node *n, enum log_kind kind, unsigned nth); /* NULL: none */
const struct log_entry *log_last(const struct node *n, enum log_kind kind);
void assert_pair(const struct shim6_pair *got, const struct shim6_pair *want);

void sim_init(struct sim *s, unsigned n, unsigned m, uint64_t seed);
void sim_free(struct sim *s);
void sim_jitter(struct sim *s, bool on); /* the default jitter of the machine, or none */
void sim_all_paths(struct sim *s, bool up);
void sim_run(struct sim *s, uint64_t until);
/* Until done() or the time; returns whether done. */
bool sim_run_until(struct sim *s, uint64_t until, bool (*done)(struct sim *s));
/* Both in OP, each on a pair that works in its direction. */
bool sim_recovered(struct sim *s);
bool sim_pair_works(const struct sim *s, int side);
/* Lets payload flow until the time, then makes path the matrix. */
uint64_t sim_first_detection(const struct sim *s);

#endif
