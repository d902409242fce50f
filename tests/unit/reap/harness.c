/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "harness.h"

/* --- addresses and records ------------------------------------------------ */

struct shim6_addr address(int side, unsigned i)
{
	struct shim6_addr a = { { 0x20, 0x01, 0x0d, 0xb8, 0, (uint8_t)(side + 1), 0, (uint8_t)i, [15] = 1 } };

	return a;
}

struct shim6_pair pair_of(int side, unsigned local, unsigned peer)
{
	return (struct shim6_pair){ address(side, local), address(!side, peer) };
}

unsigned index_of(const struct shim6_addr *a)
{
	return a->b[7];
}

uint32_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

static void record_put(uint8_t *p, const struct wire_record *r)
{
	const uint32_t words[2] = { r->nonce, r->data };

	memcpy(p, r->src.b, 16);
	memcpy(p + 16, r->dst.b, 16);
	for (int i = 0; i < 8; i++)
		p[32 + i] = (uint8_t)(words[i / 4] >> (24 - 8 * (i % 4)));
}

void probe_make(struct probe_message *p, enum wire_sta sta, const struct wire_record *sent, unsigned n_sent,
		const struct wire_record *received, unsigned n_received)
{
	memset(p, 0, sizeof(*p));
	p->m.type = WIRE_PROBE;
	p->m.sta = sta;
	p->m.n_sent = n_sent;
	p->m.n_received = n_received;
	p->m.records = p->records;
	for (unsigned i = 0; i < n_sent; i++)
		record_put(p->records + i * WIRE_RECORD_LEN, &sent[i]);
	for (unsigned i = 0; i < n_received; i++)
		record_put(p->records + (n_sent + i) * WIRE_RECORD_LEN, &received[i]);
}

void probe_from_peer(struct probe_message *p, enum wire_sta sta, const struct shim6_pair *pair, uint32_t nonce,
		     const struct wire_record *report, unsigned n_report)
{
	struct wire_record own = { pair->peer, pair->local, nonce, 0xcafef00d };

	probe_make(p, sta, &own, 1, report, n_report);
}

/* --- the node's side of struct reap_ops ------------------------------------- */

static struct log_entry *log_add(struct node *n, enum log_kind kind)
{
	struct log_entry *e;

	assert_true(n->n_log < MAX_LOG);
	if (n->n_log == n->log_room) {
		n->log_room = n->log_room ? 2 * n->log_room : 32;
		n->log = realloc(n->log, n->log_room * sizeof(*n->log));
		assert_non_null(n->log);
	}
	e = &n->log[n->n_log++];
	memset(e, 0, sizeof(*e));
	e->at = n->now;
	e->kind = kind;
	return e;
}

static void sim_send(struct sim *s, int from, enum flight_kind kind, const struct shim6_pair *pair,
		     const struct log_entry *probe);

static void op_send_keepalive(void *owner, const struct shim6_pair *pair)
{
	struct node *n = owner;

	log_add(n, LOG_KEEPALIVE)->pair = *pair;
	if (n->sim)
		sim_send(n->sim, n->side, FLIGHT_KEEPALIVE, pair, NULL);
}

static bool op_send_probe(void *owner, const struct shim6_pair *pair, bool reply, enum wire_sta sta,
			  const struct wire_record *sent, unsigned n_sent, const struct wire_record *received,
			  unsigned n_received)
{
	struct node *n = owner;
	struct log_entry *e;

	assert_in_range(n_sent, 1, WIRE_MAX_RECORDS);
	/* Exploring is never an answer, and Operational nothing else (PX-11) */
	assert_true(reply ? sta != WIRE_STA_EXPLORING : sta != WIRE_STA_OPERATIONAL);
	assert_in_range(n_received, 0, WIRE_MAX_RECORDS);
	/* PF-07: record 1 is this probe. PF-14: Sta is the state. */
	assert_true(shim6_addr_eq(&sent[0].src, &pair->local) && shim6_addr_eq(&sent[0].dst, &pair->peer));
	assert_int_equal(sta, n->r.state);
	if (n->refuse_all || n->refuse >> index_of(&pair->local) & 1)
		return false;
	e = log_add(n, LOG_PROBE);
	e->pair = *pair;
	e->sta = sta;
	e->n_sent = n_sent;
	e->n_received = n_received;
	memcpy(e->sent, sent, n_sent * sizeof(*sent));
	memcpy(e->received, received, n_received * sizeof(*received));
	if (n->sim)
		sim_send(n->sim, n->side, FLIGHT_PROBE, pair, e);
	return true;
}

static void op_begin(void *owner, enum reap_cause cause)
{
	log_add(owner, LOG_BEGIN)->cause = cause;
}

static void op_end(void *owner, enum reap_cause cause, const struct shim6_pair *old_pair,
		   const struct shim6_pair *new_pair, uint64_t elapsed, unsigned probes)
{
	struct log_entry *e = log_add(owner, LOG_END);

	e->cause = cause;
	e->old = *old_pair;
	e->pair = *new_pair;
	e->elapsed = elapsed;
	e->probes = probes;
}

static void op_state(void *owner, enum reap_state from, enum reap_state to)
{
	struct log_entry *e = log_add(owner, LOG_STATE);

	e->from = from;
	e->to = to;
}

static void op_probed(void *owner, const struct shim6_addr *locator)
{
	log_add(owner, LOG_PROBED)->pair.peer = *locator;
}

static uint32_t op_random(void *owner)
{
	struct node *n = owner;

	return n->random_fixed ? n->random_fixed : random_next(&n->rng);
}

static const struct reap_ops ops = {
	.send_keepalive = op_send_keepalive,
	.send_probe = op_send_probe,
	.episode_begin = op_begin,
	.episode_end = op_end,
	.state_changed = op_state,
	.peer_probed = op_probed,
	.random32 = op_random,
};

/* --- node ------------------------------------------------------------------- */

void node_init(struct node *n, int side, unsigned n_local, unsigned n_peer)
{
	memset(n, 0, sizeof(*n));
	reap_config_default(&n->config);
	n->config.send_jitter_percent = 0;
	n->config.probe_jitter_percent = 0;
	n->side = side;
	n->now = START;
	n->rng = UINT64_C(0x9e3779b97f4a7c15) + (unsigned)side;
	for (unsigned i = 0; i < n_local; i++)
		n->local[i].addr = address(side, i);
	for (unsigned i = 0; i < n_peer; i++)
		n->peer[i].addr = address(!side, i);
	n->l = (struct reap_locators){ n->local, n_local, n->peer, n_peer };
	node_start(n);
}

void node_start(struct node *n)
{
	struct shim6_pair current = pair_of(n->side, 0, 0);

	reap_init(&n->r, &n->config, &ops, n, &current);
	n->r.keepalive_interval = n->r.keepalive_timeout / 3;
	n->deadline = REAP_NEVER;
	n->notify = SHIM6_NOTIFY_RX | SHIM6_NOTIFY_TX;
}

void node_free(struct node *n)
{
	reap_stop(&n->r);
	free(n->log);
}

static void enter_verb(struct node *n, uint64_t now)
{
	n->now = now;
	n->t.send_dirty = n->t.ka_dirty = false;
}

static void leave_verb(struct node *n)
{
	/* PT-05, PT-06 as they must hold after every verb. */
	assert_false(n->t.send_t0 && n->t.ka_t0);
	if (n->r.state != REAP_OPERATIONAL)
		assert_true(n->t.ka_t0 == 0);
	if (n->r.state == REAP_EXPLORING)
		assert_true(n->t.send_t0 == 0);
	n->deadline = reap_deadline(&n->r, n->now, &n->t);
	n->notify = reap_wants_notify(&n->r, &n->t);
}

void node_tx(struct node *n, uint64_t now)
{
	n->now = now;
	if (!n->t.send_t0) {
		n->t.send_t0 = now;
		n->t.ka_t0 = 0;
	}
	if (n->notify & SHIM6_NOTIFY_TX)
		leave_verb(n);
}

void node_rx(struct node *n, uint64_t now)
{
	n->now = now;
	if (!n->t.ka_t0) {
		n->t.ka_t0 = now;
		n->t.send_t0 = 0;
	}
	if (!(n->notify & SHIM6_NOTIFY_RX))
		return;
	if (n->r.state == REAP_EXPLORING)
		node_payload_received(n, now);
	else
		leave_verb(n);
}

void node_timer(struct node *n, uint64_t now)
{
	enter_verb(n, now);
	n->wakeups++;
	reap_timer(&n->r, now, &n->t, &n->l);
	leave_verb(n);
}

void node_advance(struct node *n, uint64_t until)
{
	while (n->deadline <= until) {
		uint64_t was = n->deadline;

		node_timer(n, was > n->now ? was : n->now);
		assert_true(n->deadline > was); /* no busy loop */
	}
	n->now = until;
}

void node_keepalive(struct node *n, uint64_t now, const struct shim6_pair *arrival)
{
	enter_verb(n, now);
	reap_keepalive_received(&n->r, now, &n->t, arrival);
	leave_verb(n);
}

void node_probe(struct node *n, uint64_t now, const struct shim6_pair *arrival, const struct probe_message *p)
{
	enter_verb(n, now);
	reap_probe_received(&n->r, now, &n->t, &n->l, arrival, &p->m);
	leave_verb(n);
}

void node_explore(struct node *n, uint64_t now, enum reap_cause cause, const struct shim6_pair *wanted)
{
	enter_verb(n, now);
	reap_explore(&n->r, now, &n->t, &n->l, cause, wanted);
	leave_verb(n);
}

void node_test(struct node *n, uint64_t now, const struct shim6_pair *pair)
{
	enter_verb(n, now);
	reap_test(&n->r, now, &n->t, &n->l, pair);
	leave_verb(n);
}

void node_locators(struct node *n, uint64_t now, enum reap_cause cause)
{
	enter_verb(n, now);
	reap_locators_changed(&n->r, now, &n->t, &n->l, cause);
	leave_verb(n);
}

void node_payload_sent(struct node *n, uint64_t now)
{
	enter_verb(n, now);
	reap_payload_sent(&n->r, now, &n->t);
	leave_verb(n);
}

void node_payload_received(struct node *n, uint64_t now)
{
	enter_verb(n, now);
	reap_payload_received(&n->r, now, &n->t);
	leave_verb(n);
}

/* --- the log ------------------------------------------------------------------ */

unsigned log_count(const struct node *n, enum log_kind kind)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n->n_log; i++)
		count += n->log[i].kind == kind;
	return count;
}

const struct log_entry *log_nth(const struct node *n, enum log_kind kind, unsigned nth)
{
	for (unsigned i = 0; i < n->n_log; i++)
		if (n->log[i].kind == kind && nth-- == 0)
			return &n->log[i];
	return NULL;
}

const struct log_entry *log_last(const struct node *n, enum log_kind kind)
{
	unsigned count = log_count(n, kind);

	return count ? log_nth(n, kind, count - 1) : NULL;
}

void assert_pair(const struct shim6_pair *got, const struct shim6_pair *want)
{
	assert_int_equal(index_of(&got->local), index_of(&want->local));
	assert_int_equal(index_of(&got->peer), index_of(&want->peer));
	assert_true(shim6_pair_eq(got, want));
}

/* --- two nodes ------------------------------------------------------------------ */

void sim_init(struct sim *s, unsigned n, unsigned m, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->now = START;
	s->rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	s->delay = 10 * MSEC;
	for (int side = 0; side < 2; side++) {
		struct node *node = &s->node[side];

		node_init(node, side, side ? m : n, side ? n : m);
		node->sim = s;
		node->rng = (seed + 1) * UINT64_C(0xd1342543de82ef95) + (unsigned)side;
		s->gap[side] = 50 * MSEC;
		s->next_payload[side] = s->now + (unsigned)side * 7 * MSEC;
	}
	sim_all_paths(s, true);
}

void sim_jitter(struct sim *s, bool on)
{
	for (int side = 0; side < 2; side++) {
		struct node *n = &s->node[side];

		n->config.send_jitter_percent = on ? 10 : 0;
		n->config.probe_jitter_percent = on ? 20 : 0;
		node_start(n);
	}
}

void sim_free(struct sim *s)
{
	for (unsigned i = 0; i < s->n_flights; i++)
		free(s->flight[i].probe);
	node_free(&s->node[0]);
	node_free(&s->node[1]);
}

void sim_all_paths(struct sim *s, bool up)
{
	for (int side = 0; side < 2; side++)
		for (unsigned i = 0; i < REAP_MAX_LOCATORS; i++)
			for (unsigned j = 0; j < REAP_MAX_LOCATORS; j++)
				s->path[side][i][j] = up;
}

static void sim_send(struct sim *s, int from, enum flight_kind kind, const struct shim6_pair *pair,
		     const struct log_entry *probe)
{
	struct flight *f;

	if (!s->path[from][index_of(&pair->local)][index_of(&pair->peer)])
		return;
	if (s->loss_percent && random_next(&s->rng) % 100 < s->loss_percent)
		return;
	if (probe && s->drop && s->drop(s, from, probe)) {
		s->dropped++;
		return;
	}
	assert_true(s->n_flights < MAX_FLIGHTS);
	f = &s->flight[s->n_flights++];
	*f = (struct flight){ .at = s->now + s->delay, .kind = kind, .to = !from };
	if (s->delay_spread)
		f->at += random_next(&s->rng) % s->delay_spread;
	f->arrival = (struct shim6_pair){ pair->peer, pair->local };
	if (kind == FLIGHT_PROBE) {
		f->probe = malloc(sizeof(*f->probe));
		assert_non_null(f->probe);
		probe_make(f->probe, probe->sta, probe->sent, probe->n_sent, probe->received, probe->n_received);
	}
}

static void sim_deliver(struct sim *s, unsigned i)
{
	struct flight f = s->flight[i];
	struct node *n = &s->node[f.to];

	memmove(&s->flight[i], &s->flight[i + 1], (s->n_flights - i - 1) * sizeof(f));
	s->n_flights--;
	switch (f.kind) {
	case FLIGHT_PAYLOAD:
		node_rx(n, s->now);
		break;
	case FLIGHT_KEEPALIVE:
		node_keepalive(n, s->now, &f.arrival);
		break;
	case FLIGHT_PROBE:
		node_probe(n, s->now, &f.arrival, f.probe);
		free(f.probe);
		break;
	}
}

/* PN-08: payload only ever on the first pair, or on one whose peer locator was proved. */
static void check_payload(struct sim *s, const struct node *n)
{
	const struct shim6_pair first = pair_of(n->side, 0, 0);
	bool proved = shim6_pair_eq(&n->r.current, &first);

	for (unsigned i = 0; i < n->n_log && !proved; i++)
		proved = n->log[i].kind == LOG_PROBED && shim6_addr_eq(&n->log[i].pair.peer, &n->r.current.peer);
	s->payload_wrong += !proved;
}

static void sim_payload(struct sim *s, int side)
{
	struct node *n = &s->node[side];

	s->next_payload[side] = s->now + s->gap[side];
	check_payload(s, n);
	node_tx(n, s->now);
	sim_send(s, side, FLIGHT_PAYLOAD, &n->r.current, NULL);
}

/* One event; false: nothing happens until then. */
static bool sim_step(struct sim *s, uint64_t until)
{
	uint64_t at = until;
	int what = -1; /* 0,1: timer; 2,3: payload; 4+: flight */

	for (int side = 0; side < 2; side++) {
		if (s->node[side].deadline <= at) {
			at = s->node[side].deadline;
			what = side;
		}
		if (s->gap[side] && s->next_payload[side] <= at) {
			at = s->next_payload[side];
			what = 2 + side;
		}
	}
	for (unsigned i = 0; i < s->n_flights; i++) {
		if (s->flight[i].at <= at && (what < 4 || s->flight[i].at < at)) {
			at = s->flight[i].at;
			what = 4 + (int)i;
		}
	}
	if (at > s->now)
		s->now = at;
	if (what < 0)
		return false;
	if (what < 2)
		node_timer(&s->node[what], s->now);
	else if (what < 4)
		sim_payload(s, what - 2);
	else
		sim_deliver(s, (unsigned)what - 4);
	return true;
}

bool sim_run_until(struct sim *s, uint64_t until, bool (*done)(struct sim *s))
{
	while (!done || !done(s))
		if (!sim_step(s, until))
			return done && done(s);
	return true;
}

void sim_run(struct sim *s, uint64_t until)
{
	sim_run_until(s, until, NULL);
}

bool sim_pair_works(const struct sim *s, int side)
{
	const struct shim6_pair *p = &s->node[side].r.current;

	return s->path[side][index_of(&p->local)][index_of(&p->peer)];
}

bool sim_recovered(struct sim *s)
{
	return s->node[0].r.state == REAP_OPERATIONAL && s->node[1].r.state == REAP_OPERATIONAL &&
	       sim_pair_works(s, 0) && sim_pair_works(s, 1);
}

uint64_t sim_first_detection(const struct sim *s)
{
	uint64_t first = UINT64_MAX;

	for (int side = 0; side < 2; side++) {
		const struct log_entry *e = log_nth(&s->node[side], LOG_BEGIN, 0);

		if (e && e->at < first)
			first = e->at;
	}
	return first;
}
