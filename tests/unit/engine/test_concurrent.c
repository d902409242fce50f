/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Concurrent establishment: T070 to T073 (section 9 of the rows). */
#include "common.h"

static void assert_consistent(struct sim *s)
{
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = sim_ulids(s, 1, 0, 0, 0);
	struct engine_ctx_info a, b;

	assert_true(sim_context(A, &ulid, &a) && sim_context(B, &back, &b));
	assert_int_equal(a.state, ENGINE_ESTABLISHED);
	assert_int_equal(b.state, ENGINE_ESTABLISHED);
	assert_true(a.ct_local == b.ct_peer && a.ct_peer == b.ct_local);
	assert_int_equal(a.n_peer, 2);
	assert_int_equal(b.n_peer, 2);
	assert_int_equal(sim_context_count(A), 1);
	assert_int_equal(sim_context_count(B), 1);
}

static unsigned handshake_messages(const struct sim *s)
{
	unsigned n = 0;

	for (unsigned t = WIRE_I1; t <= WIRE_I2BIS; t++)
		n += A->sent[t] + B->sent[t];
	return n;
}

/* N-01: both I1s cross: two R2, four messages in all */
static void t070_cross_i1(void **state)
{
	struct sim *s = two_hosts(70);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = sim_ulids(s, 1, 0, 0, 0);

	(void)state;
	engine_trigger(A->engine, s->now, &ulid);
	engine_trigger(B->engine, s->now, &back);
	sim_run(s, SIM_SECOND);
	assert_consistent(s);
	assert_int_equal(handshake_messages(s), 4);
	assert_int_equal(A->sent[WIRE_R2] + B->sent[WIRE_R2], 2);
	sim_free(s);
}

/* N-02: B begins while A's I2 is on its way */
static void t071_cross_i2_i1(void **state)
{
	struct sim *s = two_hosts(71);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = sim_ulids(s, 1, 0, 0, 0);

	(void)state;
	engine_trigger(A->engine, s->now, &ulid);
	sim_run(s, 22 * SIM_MS);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2_SENT);
	engine_trigger(B->engine, s->now, &back);
	assert_int_equal(state_of(B, &back), ENGINE_I1_SENT);
	sim_run(s, SIM_SECOND);
	assert_consistent(s);
	assert_int_equal(B->sent[WIRE_I1], 1);
	sim_free(s);
}

static bool lose_early_i1_answers(struct sim *s, struct sim_packet *p, void *arg)
{
	(void)s;
	(void)arg;
	/* R2 in answer to I1 would end the race: only R1s get through at first */
	return p->kind != SIM_CONTROL || (p->buf[2] & 0x7f) != WIRE_R2;
}

/* both in I2-SENT; each answers the other's I2 and waits for its own R2 */
static void t072_cross_i2_i2(void **state)
{
	struct sim *s = two_hosts(72);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = sim_ulids(s, 1, 0, 0, 0);
	struct wire_msg i1;
	struct wire_builder b;
	uint8_t buf[WIRE_MAX_MSG], v[16] = { 0 };

	(void)state;
	s->filter = lose_early_i1_answers;
	/* both get an R1 that the test makes, before the other's messages arrive */
	engine_trigger(A->engine, s->now, &ulid);
	engine_trigger(B->engine, s->now, &back);
	decode_last(A, WIRE_I1, &i1);
	wire_begin_r1(&b, buf, sizeof(buf), i1.init_nonce, 1);
	wire_opt_validator(&b, v, sizeof(v));
	sim_inject(A, &B->addr[0], &A->addr[0], buf, wire_finish(&b));
	decode_last(B, WIRE_I1, &i1);
	wire_begin_r1(&b, buf, sizeof(buf), i1.init_nonce, 1);
	wire_opt_validator(&b, v, sizeof(v));
	sim_inject(B, &A->addr[0], &B->addr[0], buf, wire_finish(&b));
	assert_int_equal(state_of(A, &ulid), ENGINE_I2_SENT);
	assert_int_equal(state_of(B, &back), ENGINE_I2_SENT);
	sim_run(s, SIM_SECOND);
	s->filter = NULL;
	sim_run(s, 120 * SIM_SECOND);
	assert_consistent(s);
	sim_free(s);
}

struct loser {
	unsigned lose, seen;
};

static bool lose_one(struct sim *s, struct sim_packet *p, void *arg)
{
	struct loser *l = arg;

	(void)s;
	return p->kind != SIM_CONTROL || l->seen++ != l->lose;
}

/* N-05: lose each message in turn, with one initiator and with two: they always meet, with one context each */
static void t073_cross_loss(void **state)
{
	(void)state;
	for (unsigned both = 0; both < 2; both++) {
		for (unsigned lose = 0; lose < 6; lose++) {
			struct sim *s = two_hosts(73 + lose);
			struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = sim_ulids(s, 1, 0, 0, 0);
			struct loser l = { .lose = lose };

			s->filter = lose_one;
			s->filter_arg = &l;
			engine_trigger(A->engine, s->now, &ulid);
			sim_run(s, both ? 5 * SIM_MS : 0);
			if (both)
				engine_trigger(B->engine, s->now, &back);
			sim_run(s, 70 * SIM_SECOND);
			assert_consistent(s);
			sim_free(s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t070_cross_i1),
		cmocka_unit_test(t071_cross_i2_i1),
		cmocka_unit_test(t072_cross_i2_i2),
		cmocka_unit_test(t073_cross_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
