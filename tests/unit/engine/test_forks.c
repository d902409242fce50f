/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forked contexts (section 17 of the rows): a ULID pair more than once, told apart by the FII. */
#include "common.h"

#include "engine/internal.h"

#define FII 0xfedcba98

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

/* The scripted B makes a context with A, by this pair of its own, and with this FII (0: the default one). */
static struct context *by_b(struct sim *s, const struct shim6_pair *pair, uint32_t fii, uint64_t ct)
{
	struct shim6_pair ulid = ab(s);
	struct script m;

	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), ct, (uint32_t)ct);
	wire_opt_ulid_pair(&m.b, &ulid.peer, &ulid.local);
	if (fii)
		wire_opt_fii(&m.b, fii);
	send_as(A, pair, &m);
	script_i2(&m, s, ct, (uint32_t)ct);
	wire_opt_ulid_pair(&m.b, &ulid.peer, &ulid.local);
	if (fii)
		wire_opt_fii(&m.b, fii);
	put_hba(&m.b, B, 77);
	send_as(A, pair, &m);
	return context_by_ulid(A->engine, &ulid, fii);
}

/* H-01, H-03, H-04, H-05, H-06, C-16, C-17, D-07, L-02, L-09: each has its tags, pair and REAP; what A sends is of the
 * default one */
static void h03_forks_stand_apart(void **state)
{
	struct sim *s = scripted(3);
	struct shim6_pair on = sim_ulids(s, 1, 0, 0, 0), off = sim_ulids(s, 1, 1, 0, 1), ulid = ab(s);
	struct context *zero = by_b(s, &on, 0, 5), *fork = by_b(s, &off, FII, 6);

	(void)state;
	assert_true(zero && fork && zero != fork);
	assert_int_equal(fork->fii, FII);
	assert_int_equal(sim_context_count(A), 2);
	assert_true(zero->ct_local != fork->ct_local && zero->ct_peer == 5 && fork->ct_peer == 6);
	assert_true(shim6_pair_eq(&zero->current, &ulid) && !shim6_pair_eq(&fork->current, &ulid));
	assert_int_equal(A->slot[fork->slot].p.flags & SHIM6_PROJ_REWRITE, SHIM6_PROJ_REWRITE);
	sim_payload(A, &ulid, UINT32_MAX);
	assert_int_equal(A->payload_sent, 1);
	assert_int_equal(A->payload_tagged, 0);
	/* one of them looks for another pair */
	assert_int_equal(engine_explore(A->engine, s->now, fork->id, &ulid), ENGINE_OK);
	assert_int_equal(fork->reap.state, REAP_EXPLORING);
	assert_int_equal(zero->reap.state, REAP_OPERATIONAL);
	/* an I1 with the FII is about that one alone: R2, and the tag is its own */
	for (unsigned i = 0; i < 2; i++) {
		struct wire_msg r2;
		struct script m;

		wire_begin_i1(&m.b, m.buf, sizeof(m.buf), i ? 6 : 5, 100 + i);
		if (i)
			wire_opt_fii(&m.b, FII);
		send_as(A, &on, &m);
		decode_last(A, WIRE_R2, &r2);
		assert_true(r2.init_nonce == 100 + i && r2.tag == (i ? fork : zero)->ct_local);
	}
	/* once more: the same context; another FII: another one */
	assert_ptr_equal(by_b(s, &off, FII, 7), fork);
	assert_ptr_not_equal(by_b(s, &off, FII + 1, 8), fork);
	assert_int_equal(sim_context_count(A), 3);
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_E_EXISTS);
	sim_free(s);
}

/* plain packets are of the default context; a fork that is on the ULID pair, too, may be what they are for */
static void a33_plain_packets_keep_a_fork(void **state)
{
	struct sim *s = scripted(33);
	struct shim6_pair on = sim_ulids(s, 1, 0, 0, 0), off = sim_ulids(s, 1, 1, 0, 1), ulid = ab(s);
	struct context *zero = by_b(s, &on, 0, 5), *fork;
	uint64_t id[3];

	(void)state;
	fork = by_b(s, &on, FII, 6);
	id[0] = zero->id;
	id[1] = fork->id;
	id[2] = by_b(s, &off, FII + 1, 7)->id;
	for (unsigned i = 0; i < 10; i++) {
		sim_payload(A, &ulid, UINT32_MAX);
		sim_run(s, 100 * SIM_SECOND);
	}
	assert_non_null(context_by_id(A->engine, id[0]));
	assert_non_null(context_by_id(A->engine, id[1]));
	assert_null(context_by_id(A->engine, id[2])); /* its packets would be tagged */
	sim_run(s, 301 * SIM_SECOND);
	assert_int_equal(sim_context_count(A), 0);
	sim_free(s);
}

/* As an application that forks would have it. */
static struct context *fork_here(struct sim_host *h, uint64_t now, const struct shim6_pair *ulid, uint32_t fii)
{
	int result;
	struct context *c = context_new(h->engine, now, ulid, fii, &result);

	assert_non_null(c);
	assert_true(context_handshake_begin(h->engine, c, ulid));
	c->initiator = true;
	establish_restart(h->engine, c, now, ulid);
	return c;
}

/* both ends fork at once and draw the same FII: one context at each end, as with any crossed establishment */
static void a23_same_fii_at_both_ends(void **state)
{
	struct sim *s = two_established(23);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct context *a = fork_here(A, s->now, &ulid, FII), *b = fork_here(B, s->now, &back, FII);

	(void)state;
	sim_run(s, 70 * SIM_SECOND);
	assert_ptr_equal(context_by_ulid(A->engine, &ulid, FII), a);
	assert_ptr_equal(context_by_ulid(B->engine, &back, FII), b);
	assert_int_equal(a->state, ENGINE_ESTABLISHED);
	assert_int_equal(b->state, ENGINE_ESTABLISHED);
	assert_true(a->ct_local == b->ct_peer && a->ct_peer == b->ct_local);
	assert_int_equal(sim_context_count(A), 2);
	assert_int_equal(sim_context_count(B), 2);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_free(s);
}

static unsigned n_drawn;

/* The same number a dozen times. */
static void slow_numbers(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, (int)(n_drawn++ / 12), len);
}

/* E-05: handshakes that run on one locator pair have different nonces, though the same number be drawn again */
static void e05_nonces_of_a_pair_differ(void **state)
{
	struct sim *s = scripted(5);
	struct shim6_pair ulid = ab(s);
	struct context *c[3];

	(void)state;
	A->engine->ops.random = slow_numbers;
	n_drawn = 0;
	for (uint32_t i = 0; i < 3; i++)
		c[i] = fork_here(A, s->now, &ulid, i + 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(c[i]->handshake->init_nonce != c[(i + 1) % 3]->handshake->init_nonce);
		assert_ptr_equal(context_by_nonce(A->engine, c[i]->handshake->init_nonce, &ulid), c[i]);
	}
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(h03_forks_stand_apart),
		cmocka_unit_test(a33_plain_packets_keep_a_fork),
		cmocka_unit_test(a23_same_fii_at_both_ends),
		cmocka_unit_test(e05_nonces_of_a_pair_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
