/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conceptual model: what a context knows in each state, and what may move it on (sections 3, 4, 6, 8 of the rows).
 */
#include "common.h"

#include "engine/internal.h"

#define LIST_GENERATION 5

static const uint8_t validator[16] = { 1, 2, 3 };

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

static struct context *context_at_a(struct sim *s)
{
	struct shim6_pair ulid = ab(s);

	return context_by_ulid(A->engine, &ulid, 0);
}

static void r1_to_a(struct sim *s, uint32_t resp_nonce)
{
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);
	struct wire_msg i1;
	struct script m;

	decode_last(A, WIRE_I1, &i1);
	wire_begin_r1(&m.b, m.buf, sizeof(m.buf), i1.init_nonce, resp_nonce);
	wire_opt_validator(&m.b, validator, sizeof(validator));
	send_as(A, &back, &m);
}

/* R2 on the pair of the handshake; its list says that the second locator is BROKEN and of priority 7. */
static void r2_to_a(struct sim *s, const struct shim6_pair *pair, uint64_t ct, uint32_t nonce)
{
	struct wire_pref p[2] = { { .flags = 0 }, { .flags = WIRE_PREF_BROKEN, .priority = 7 } };
	struct script m;

	wire_begin_r2(&m.b, m.buf, sizeof(m.buf), ct, nonce);
	put_hba(&m.b, B, LIST_GENERATION);
	wire_opt_preferences(&m.b, LIST_GENERATION, p, 2, 3);
	send_as(A, pair, &m);
}

static void r1bis_to_a(struct sim *s, const struct shim6_pair *pair, uint64_t packet_ct)
{
	struct script m;

	wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), packet_ct, 33);
	wire_opt_validator(&m.b, validator, sizeof(validator));
	send_as(A, pair, &m);
}

static void assert_i1_sent(struct sim *s, const struct context *c, const struct wire_msg *i1)
{
	const struct handshake *h = c->handshake;
	struct shim6_pair ulid = ab(s);

	assert_int_equal(c->state, ENGINE_I1_SENT);
	assert_true(shim6_pair_eq(&c->ulid, &ulid) && shim6_pair_eq(&h->pair, &ulid));
	assert_int_equal(c->fii, 0);
	assert_true(i1->tag == c->ct_local && c->ct_local != 0);
	assert_int_equal(i1->init_nonce, h->init_nonce);
	assert_int_equal(c->n_local, 2);
	assert_true(shim6_addr_eq(&c->local[1].addr, &A->addr[1]));
	assert_int_equal(c->n_peer, 0);
	assert_int_equal(h->validator_len, 0);
	assert_true(c->ct_peer == 0);
	assert_in_range(h->deadline - s->now, 2 * SIM_SECOND, 6 * SIM_SECOND);
	assert_true(timer_armed(&c->timer));
}

static void assert_established(struct sim *s, const struct context *c, uint64_t ct_peer)
{
	assert_int_equal(c->state, ENGINE_ESTABLISHED);
	assert_null(c->handshake);
	assert_true(c->ct_peer == ct_peer);
	assert_int_equal(c->n_peer, 2);
	assert_int_equal(c->peer_generation, LIST_GENERATION);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(shim6_addr_eq(&c->peer[i].addr, &B->addr[i]));
		assert_true(c->peer_info[i].verified);
		assert_int_equal(c->peer_info[i].method, WIRE_METHOD_HBA);
	}
	assert_int_equal(c->peer[0].flags, REAP_LOC_PROBED);
	assert_int_equal(c->peer[1].priority, 7);
	assert_int_equal(c->peer[1].flags & REAP_LOC_DOWN, REAP_LOC_DOWN);
	assert_int_equal(c->peer_pds_len, B->set.pds_len);
	assert_memory_equal(c->peer_pds, B->set.pds[0], B->set.pds_len);
	assert_int_equal(c->reap.state, REAP_OPERATIONAL);
}

/*
 * From IDLE to I2BIS-SENT and back, looking into the context at each step: C-02, C-03, C-04, C-06, C-08, C-09, C-10,
 * C-11, C-12, C-13, C-18, C-19; E-02, E-41, E-44, R-09, S-08, V-18
 */
static void c10_what_each_state_knows(void **state)
{
	struct sim *s = scripted(10);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid), foreign = { B->addr[0], B->addr[1] };
	struct wire_msg i1, m;
	struct context *c;
	struct script k;
	uint64_t ct_local;

	(void)state;
	assert_null(context_at_a(s));
	assert_int_equal(engine_next_deadline(A->engine), ENGINE_NEVER);
	assert_int_equal(engine_establish(A->engine, s->now, &foreign), ENGINE_E_NOT_LOCAL); /* C-18 */
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	c = context_at_a(s);
	decode_last(A, WIRE_I1, &i1);
	assert_i1_sent(s, c, &i1);
	ct_local = c->ct_local;

	r1_to_a(s, 99);
	assert_int_equal(c->state, ENGINE_I2_SENT);
	assert_int_equal(c->handshake->resp_nonce, 99);
	assert_int_equal(c->handshake->validator_len, sizeof(validator));
	assert_memory_equal(c->handshake->validator, validator, sizeof(validator));
	assert_true(c->ct_peer == 0 && c->n_peer == 0);
	decode_last(A, WIRE_I2, &m);
	assert_int_equal(m.init_nonce, i1.init_nonce); /* E-44 */
	assert_int_equal(m.locators.generation, c->local_generation);
	assert_true(shim6_addr_eq(&A->last[WIRE_I2].src, &A->last[WIRE_I1].src)); /* E-41 */
	assert_true(shim6_addr_eq(&A->last[WIRE_I2].dst, &A->last[WIRE_I1].dst));

	r2_to_a(s, &back, 5, i1.init_nonce);
	assert_established(s, c, 5);
	assert_true(shim6_pair_eq(&c->current, &ulid));
	assert_int_equal(c->ready, s->now); /* idleness counts from here */

	/* C-19: what was sent with CT(peer), and where to, is remembered: here an Acknowledgement */
	assert_int_equal(c->peer_info[0].sent_at, 0);
	wire_begin_update_request(&k.b, k.buf, sizeof(k.buf), ct_local, 1);
	send_as(A, &back, &k);
	assert_int_not_equal(c->peer_info[0].sent_at, 0);
	assert_int_equal(c->peer_info[1].sent_at, 0);
	r1bis_to_a(s, &back, 5);
	assert_int_equal(c->state, ENGINE_I2BIS_SENT);
	assert_true(c->ct_peer == 5 && c->handshake->packet_ct == 5); /* */
	assert_int_equal(c->handshake->resp_nonce, 33);
	assert_true(shim6_pair_eq(&c->handshake->pair, &ulid));
	assert_memory_equal(c->handshake->validator, validator, sizeof(validator));
	assert_int_equal(c->n_peer, 2);
	assert_true(shim6_pair_eq(&c->current, &ulid));
	decode_last(A, WIRE_I2BIS, &m);
	assert_int_equal(m.init_nonce, c->handshake->init_nonce);

	r2_to_a(s, &back, 6, m.init_nonce);
	assert_established(s, c, 6);
	assert_true(c->ct_local == ct_local);
	sim_free(s);
}

/* C-07: the probes of an episode are remembered, each with its pair and nonce; what reports one of them counts */
static void c07_probes_are_remembered(void **state)
{
	struct sim *s = scripted(7);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0), other = sim_ulids(s, 1, 1, 0, 1);
	struct shim6_pair wanted = reversed(&other);
	uint64_t ct = script_establish(s, &back, 5, 6);
	struct context *c = context_at_a(s);
	struct wire_record mine, yours = { .src = other.local, .dst = other.peer, .nonce = 1 };
	struct wire_msg probe;
	struct script m;

	(void)state;
	assert_null(c->reap.episode);
	assert_int_equal(engine_explore(A->engine, s->now, c->id, &wanted), ENGINE_OK);
	assert_non_null(c->reap.episode);
	decode_last(A, WIRE_PROBE, &probe);
	wire_record_get(&probe, 0, &mine);
	for (uint32_t off = 1; off != UINT32_MAX; off--) { /* another nonce: nobody's probe; then the right one */
		struct wire_record got = mine;

		got.nonce += off;
		wire_begin_probe(&m.b, m.buf, sizeof(m.buf), ct, WIRE_STA_OPERATIONAL, &yours, 1, &got, 1);
		send_as(A, &other, &m);
		assert_int_equal(shim6_pair_eq(&c->current, &wanted), !off);
	}
	assert_int_equal(c->reap.records_unknown, 1);
	sim_free(s);
}

struct at_send {
	enum engine_state i1, i2;
	bool i1_had_context;
};

static bool note_state(struct sim *s, struct sim_packet *p, void *arg)
{
	struct at_send *n = arg;
	struct context *c = context_at_a(s);

	if (p->kind == SIM_CONTROL && p->from == 0 && p->buf[2] == WIRE_I1) {
		n->i1_had_context = c && context_by_tag(A->engine, c->ct_local) == c;
		n->i1 = c ? (enum engine_state)c->state : ENGINE_IDLE;
	}
	if (p->kind == SIM_CONTROL && p->from == 0 && p->buf[2] == WIRE_I2)
		n->i2 = c ? (enum engine_state)c->state : ENGINE_IDLE;
	return true;
}

/* S-09: I2-SENT begins when the I2 is out, and E-02: an I1 leaves when there is a context with its tag */
static void s09_state_follows_the_message(void **state)
{
	struct sim *s = two_hosts(9);
	struct shim6_pair ulid = ab(s);
	struct at_send n = { ENGINE_IDLE, ENGINE_IDLE, false };

	(void)state;
	s->filter = note_state;
	s->filter_arg = &n;
	engine_trigger(A->engine, s->now, &ulid);
	sim_run(s, SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_true(n.i1_had_context);
	assert_int_equal(n.i2, ENGINE_I1_SENT);
	sim_free(s);
}

/* S-07: an R2 is sent when it is asked for, never again by itself. S-08: one is accepted in I1-SENT, too. */
static void s07_r2_only_when_asked(void **state)
{
	struct sim *s = scripted(7), *t = scripted(8);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0), ulid = ab(s);
	struct wire_msg i1;

	(void)state;
	script_establish(s, &back, 5, 6);
	sim_run(s, 250 * SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_int_equal(A->sent[WIRE_R2], 1);
	script_i1(s, &back, 5, 7);
	assert_int_equal(A->sent[WIRE_R2], 2);
	sim_free(s);

	s = t;
	back = sim_ulids(s, 1, 0, 0, 0);
	ulid = ab(s);
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	decode_last(A, WIRE_I1, &i1);
	r2_to_a(s, &back, 5, i1.init_nonce);
	assert_established(s, context_at_a(s), 5);
	sim_free(s);
}

/* N-06: an I1 of the other side is known by the ULIDs as it sees them, whatever pair it comes by */
static void n06_ulids_of_the_other_side(void **state)
{
	struct sim *s = scripted(6);
	struct shim6_pair ulid = ab(s), other = sim_ulids(s, 1, 1, 0, 0);
	struct script m;

	(void)state;
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	script_i1(s, &other, 5, 6); /* another ULID pair: nothing to do with it */
	assert_int_equal(A->sent[WIRE_R1], 1);
	assert_int_equal(A->sent[WIRE_R2], 0);
	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 5, 7);
	wire_opt_ulid_pair(&m.b, &ulid.peer, &ulid.local);
	send_as(A, &other, &m);
	assert_int_equal(A->sent[WIRE_R1], 1);
	assert_int_equal(A->sent[WIRE_R2], 1);
	assert_int_equal(state_of(A, &ulid), ENGINE_I1_SENT); /* and it changes nothing (S-04) */
	sim_free(s);
}

/* D-02, V-06, L-09: until the peer has our list, payload leaves with its ULIDs, whatever the state */
static void d02_plain_until_established(void **state)
{
	struct sim *s = scripted(2);
	struct shim6_pair ulid = ab(s), there = sim_ulids(s, 1, 1, 0, 1), back = reversed(&ulid);
	struct wire_msg i1, probe;
	struct wire_record mine, yours = { .src = there.local, .dst = there.peer, .nonce = 1 };
	struct context *c;
	struct script m;

	(void)state;
	sim_payload(A, &ulid, UINT32_MAX); /* no context */
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	sim_payload(A, &ulid, UINT32_MAX); /* I1-SENT */
	c = context_at_a(s);
	c->current = reversed(&there); /* as after a fall back from I2BIS-SENT */
	r1_to_a(s, 1);
	assert_int_equal(c->state, ENGINE_I2_SENT);
	sim_payload(A, &ulid, UINT32_MAX);
	assert_int_equal(A->payload_sent, 3);
	assert_int_equal(A->payload_tagged, 0);
	decode_last(A, WIRE_I1, &i1);
	r2_to_a(s, &back, 5, i1.init_nonce);
	sim_payload(A, &ulid, UINT32_MAX); /* on the ULIDs: D-03 */
	assert_int_equal(A->payload_tagged, 0);
	assert_int_equal(engine_explore(A->engine, s->now, c->id, &c->ulid), ENGINE_OK);
	do {
		sim_run(s, 100 * SIM_MS);
		decode_last(A, WIRE_PROBE, &probe);
		wire_record_get(&probe, 0, &mine);
	} while (!shim6_addr_eq(&mine.src, &there.peer));
	there.local = mine.dst;
	yours.src = mine.dst;
	wire_begin_probe(&m.b, m.buf, sizeof(m.buf), c->ct_local, WIRE_STA_INBOUND_OK, &yours, 1, &mine, 1);
	send_as(A, &there, &m);
	sim_payload(A, &ulid, UINT32_MAX);
	assert_int_equal(A->payload_tagged, 1);
	sim_free(s);
}

struct times {
	uint8_t type;
	uint64_t at[8];
	unsigned n;
};

static bool note_times(struct sim *s, struct sim_packet *p, void *arg)
{
	struct times *t = arg;

	if (p->kind == SIM_CONTROL && p->from == 0 && p->buf[2] == t->type && t->n < 8)
		t->at[t->n++] = s->now;
	return true;
}

static uint64_t gap(const struct times *t, unsigned i)
{
	return t->at[i] - t->at[i - 1];
}

/* T-08, T-01, T-02, T-03, E-47, A-26: I2 and I2bis, too, wait U(0.5, 1.5) of 4 and 8 s; each draws its own */
static void t08_i2_and_i2bis_are_randomized(void **state)
{
	uint64_t first[2] = { 0 }, second[2] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		bool bis = i & 1;
		struct sim *s = scripted(200 + i);
		struct shim6_pair ulid = ab(s), back = reversed(&ulid);
		struct times t = { .type = bis ? WIRE_I2BIS : WIRE_I2 };
		struct context *c;
		struct wire_msg m;
		struct script k;

		s->filter = note_times;
		s->filter_arg = &t;
		assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
		c = context_at_a(s);
		r1_to_a(s, 1);
		if (bis) {
			decode_last(A, WIRE_I1, &m);
			r2_to_a(s, &back, 5, m.init_nonce);
			wire_begin_update_request(&k.b, k.buf, sizeof(k.buf), c->ct_local, 1);
			send_as(A, &back, &k); /* something with CT(peer) is answered */
			r1bis_to_a(s, &back, 5);
			decode_last(A, WIRE_I2BIS, &m);
			assert_true(m.tag == c->ct_local); /* */
		}
		sim_run(s, 40 * SIM_SECOND);
		assert_true(t.n >= 3);
		assert_in_range(gap(&t, 1), 2 * SIM_SECOND, 6 * SIM_SECOND + 2 * SIM_MS);
		assert_in_range(gap(&t, 2), 4 * SIM_SECOND, 12 * SIM_SECOND + 2 * SIM_MS);
		assert_true(gap(&t, 2) / 2 != gap(&t, 1));
		assert_true(gap(&t, 1) != first[bis] && gap(&t, 2) != second[bis]);
		first[bis] = gap(&t, 1);
		second[bis] = gap(&t, 2);
		sim_free(s);
	}
}

/* G-10: two peers may choose the same tag; what they send is told apart by their locators */
static void g10_same_tag_of_two_peers(void **state)
{
	struct sim *s = scripted(10);
	struct sim_host *x = sim_add_host(s, 2, false);
	struct shim6_pair b = sim_ulids(s, 1, 0, 0, 0), xa = sim_ulids(s, 2, 0, 0, 0);
	struct shim6_pair ulid_b = reversed(&b), ulid_x = reversed(&xa);
	uint64_t ct[2];
	struct script m;

	(void)state;
	(void)x;
	ct[0] = script_establish(s, &b, 5, 6);
	ct[1] = script_establish(s, &xa, 5, 7);
	assert_true(ct[0] != ct[1]);
	for (unsigned i = 0; i < 2; i++) {
		wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), ct[i], 1);
		send_as(A, i ? &xa : &b, &m);
	}
	r1bis_to_a(s, &xa, 5);
	assert_int_equal(state_of(A, &ulid_b), ENGINE_ESTABLISHED);
	assert_int_equal(state_of(A, &ulid_x), ENGINE_I2BIS_SENT);
	assert_true(shim6_addr_eq(&A->last[WIRE_I2BIS].dst, &xa.local));
	sim_free(s);
}

/* F-03, F-07: its own tag again is no confusion; an I1 alone with the tag of another context ends nothing */
static void f07_only_a_proved_tag_confuses(void **state)
{
	struct sim *s = scripted(7);
	struct shim6_pair first = sim_ulids(s, 1, 0, 0, 0), second = sim_ulids(s, 1, 1, 0, 0);
	struct shim6_pair ulid = reversed(&first);
	struct engine_ctx_info before, after;

	(void)state;
	script_establish(s, &first, 5, 6);
	assert_true(sim_context(A, &ulid, &before));
	script_establish(s, &first, 5, 7);
	assert_true(sim_context(A, &ulid, &after));
	assert_true(after.id == before.id && after.state == ENGINE_ESTABLISHED);
	script_i1(s, &second, 5, 8);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_int_equal(sim_counter(A, "contexts_confused"), 0);
	sim_free(s);
}

/* E-85, F-01, F-05: the R2 of a second context brings the tag of the first: that one is gone when the second begins */
static void e85_confusion_by_r2(void **state)
{
	struct sim *s = scripted(85);
	struct shim6_pair first = sim_ulids(s, 1, 0, 0, 0), second = sim_ulids(s, 1, 1, 0, 0);
	struct shim6_pair old = reversed(&first), ulid = reversed(&second);
	struct wire_msg i1;
	struct script m;

	(void)state;
	script_establish(s, &first, 5, 6);
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	decode_last(A, WIRE_I1, &i1);
	wire_begin_r1(&m.b, m.buf, sizeof(m.buf), i1.init_nonce, 1);
	wire_opt_validator(&m.b, validator, sizeof(validator));
	send_as(A, &second, &m);
	assert_int_equal(state_of(A, &old), ENGINE_ESTABLISHED);
	wire_begin_r2(&m.b, m.buf, sizeof(m.buf), 5, i1.init_nonce);
	wire_opt_locator_list(&m.b, 9, B->addr, (const uint8_t[]){ WIRE_METHOD_HBA, WIRE_METHOD_HBA }, 2);
	wire_opt_pds(&m.b, B->set.pds[1], B->set.pds_len);
	send_as(A, &second, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_int_equal(state_of(A, &old), ENGINE_IDLE);
	assert_int_equal(sim_last_event(A, ENGINE_EV_GONE)->reason, ENGINE_WHY_CONFUSION);
	/* and with another tag both may stand */
	script_establish(s, &first, 6, 7);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_int_equal(state_of(A, &old), ENGINE_ESTABLISHED);
	sim_free(s);
}

/* V-18: I2 and I2bis for a context of ours from a source that nothing proves: silence, and no change */
static void v18_unproved_source(void **state)
{
	struct sim *s = scripted(18);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid), foreign = back;
	struct shim6_addr list[2] = { B->addr[0], B->addr[1] };
	const uint8_t method[2] = { WIRE_METHOD_HBA, WIRE_METHOD_HBA };
	struct wire_msg r;
	struct context *c, before;
	struct script m;

	(void)state;
	script_establish(s, &back, 5, 6);
	c = context_at_a(s);
	before = *c;
	foreign.local.b[15] ^= 1;
	for (unsigned i = 0; i < 4; i++) {
		bool listed = i & 1, bis = i & 2; /* not in the list; and in it, where it fails HBA */

		if (bis) {
			engine_input_unknown_tag(A->engine, s->now, &foreign.local, &foreign.peer, 99);
			decode_last(A, WIRE_R1BIS, &r);
			wire_begin_i2bis(&m.b, m.buf, sizeof(m.buf), 500, 600, r.resp_nonce, 99);
		} else {
			wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 500, 600);
			wire_opt_ulid_pair(&m.b, &ulid.peer, &ulid.local);
			send_as(A, &foreign, &m);
			decode_last(A, WIRE_R1, &r);
			wire_begin_i2(&m.b, m.buf, sizeof(m.buf), 500, 600, r.resp_nonce);
		}
		wire_opt_validator(&m.b, r.validator.p, r.validator.len);
		wire_opt_ulid_pair(&m.b, &ulid.peer, &ulid.local);
		list[1] = listed ? foreign.local : B->addr[1];
		wire_opt_locator_list(&m.b, 80, list, method, 2);
		wire_opt_pds(&m.b, B->set.pds[0], B->set.pds_len);
		send_as(A, &foreign, &m);
		assert_int_equal(sim_counter(A, "drop_source_locator"), i + 1);
	}
	assert_int_equal(A->sent[WIRE_R2], 1);
	assert_int_equal(A->sent[WIRE_ERROR], 0);
	assert_memory_equal(&before, c, sizeof(before));
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c10_what_each_state_knows),
		cmocka_unit_test(c07_probes_are_remembered),
		cmocka_unit_test(s09_state_follows_the_message),
		cmocka_unit_test(s07_r2_only_when_asked),
		cmocka_unit_test(n06_ulids_of_the_other_side),
		cmocka_unit_test(d02_plain_until_established),
		cmocka_unit_test(t08_i2_and_i2bis_are_randomized),
		cmocka_unit_test(g10_same_tag_of_two_peers),
		cmocka_unit_test(f07_only_a_proved_tag_confuses),
		cmocka_unit_test(e85_confusion_by_r2),
		cmocka_unit_test(v18_unproved_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
