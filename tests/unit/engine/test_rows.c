/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows that no scenario shows by itself: R2 and Update Request that fail, forks, tag 0, what is not in a list. */
#include "common.h"

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

static const uint8_t hba2[2] = { WIRE_METHOD_HBA, WIRE_METHOD_HBA };

/* A in I2-SENT towards the scripted B; the nonce that its R2 must have. */
static uint32_t in_i2_sent(struct sim *s)
{
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	const uint8_t v[16] = { 1 };
	struct wire_msg i1;
	struct script m;

	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	decode_last(A, WIRE_I1, &i1);
	wire_begin_r1(&m.b, m.buf, sizeof(m.buf), i1.init_nonce, 3);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2_SENT);
	return i1.init_nonce;
}

/* T061, T062 (E-82, E-83, E-84, S-03, S-05, N-03, V-02, V-10): an R2 that proves nothing leaves I2-SENT as it was */
static void t062_r2_bad_pds_t061_late(void **state)
{
	struct sim *s = scripted(62);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid), other = { B->addr[1], A->addr[0] };
	struct shim6_addr l[2] = { B->addr[0], B->addr[1] };
	uint32_t nonce = in_i2_sent(s);
	struct engine_ctx_info info;
	uint8_t pds[CGA_MAX_PDS];
	struct script m;

	(void)state;
	memcpy(pds, B->set.pds[0], B->set.pds_len);
	pds[0] ^= 1; /* another modifier: not the ULID's */
	wire_begin_r2(&m.b, m.buf, sizeof(m.buf), 5, nonce);
	wire_opt_locator_list(&m.b, 9, l, hba2, 2);
	wire_opt_pds(&m.b, pds, B->set.pds_len);
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2_SENT);
	assert_int_equal(A->sent[WIRE_ERROR], 0);
	assert_int_equal(sim_counter(A, "drop_pds"), 1);

	l[1].b[15] ^= 1; /* a locator outside the set: the message is ignored with Error 2 */
	wire_begin_r2(&m.b, m.buf, sizeof(m.buf), 5, nonce);
	wire_opt_locator_list(&m.b, 9, l, hba2, 2);
	wire_opt_pds(&m.b, B->set.pds[0], B->set.pds_len);
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2_SENT);
	assert_int_equal(A->sent[WIRE_ERROR], 1);

	wire_begin_r2(&m.b, m.buf, sizeof(m.buf), 5, nonce); /* right nonce, not the pair of the handshake */
	send_as(A, &other, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2_SENT);

	for (uint64_t tag = 5; tag <= 6; tag++) { /* the second comes late and has no effect */
		wire_begin_r2(&m.b, m.buf, sizeof(m.buf), tag, nonce);
		put_hba(&m.b, B, 9);
		send_as(A, &back, &m);
		assert_true(sim_context(A, &ulid, &info));
		assert_int_equal(info.state, ENGINE_ESTABLISHED);
		assert_int_equal(info.ct_peer, 5);
		assert_int_equal(info.n_peer, 2);
	}
	sim_free(s);
}

/* U-14, U-16, U-17, V-17, V-19, V-22: an Update Request that proves nothing is not acknowledged and changes nothing;
 * all of it is proved before the Ack, or there is none; A-27: part of an HBA set is a list */
static void u14_bad_pds_u16_bad_list(void **state)
{
	struct sim *s = scripted(14);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct shim6_addr l[2] = { B->addr[0], B->addr[1] };
	uint64_t ct = script_establish(s, &back, 5, 6);
	struct engine_ctx_info info;
	uint8_t pds[CGA_MAX_PDS];
	struct script m;

	(void)state;
	memcpy(pds, B->set.pds[0], B->set.pds_len);
	pds[0] ^= 1;
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), ct, 1);
	wire_opt_locator_list(&m.b, 78, l, hba2, 1);
	wire_opt_pds(&m.b, pds, B->set.pds_len);
	send_as(A, &back, &m);
	assert_int_equal(A->sent[WIRE_ERROR], 0);
	l[1].b[15] ^= 1;
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), ct, 2);
	wire_opt_locator_list(&m.b, 79, l, hba2, 2);
	send_as(A, &back, &m);
	assert_int_equal(A->sent[WIRE_ERROR], 1);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 0);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 2);
	assert_true(shim6_addr_eq(&info.peer[1].addr, &B->addr[1]));
	/* the generation is still the old one (U-03): preferences of the refused list do not fit */
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), ct, 3);
	wire_opt_preferences(&m.b, 79, (const struct wire_pref[2]){ { .flags = 0 } }, 2, 1);
	send_as(A, &back, &m);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 0);
	/* W-74: a shorter list that is proved takes the place of the old one */
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), ct, 4);
	wire_opt_locator_list(&m.b, 80, l, hba2, 1);
	send_as(A, &back, &m);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 1);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 1);
	sim_free(s);
}

/* HV-15: a prefix of the Multi-Prefix extension is no locator; G-07: tag 0 is a tag like any other */
static void hv15_only_listed_locators_g07_tag_zero(void **state)
{
	struct sim *s = scripted(15);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	const uint8_t v[16] = { 1 };
	struct engine_ctx_info info;
	struct script m;

	(void)state;
	script_i1(s, &back, 0, 6);
	script_i2(&m, s, 0, 6);
	wire_opt_locator_list(&m.b, 9, B->addr, hba2, 1);
	wire_opt_pds(&m.b, B->set.pds[0], B->set.pds_len);
	send_as(A, &back, &m);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.state, ENGINE_ESTABLISHED);
	assert_int_equal(info.ct_peer, 0);
	assert_int_equal(info.n_peer, 1);
	assert_int_equal(engine_explore(A->engine, s->now, info.id, NULL), ENGINE_OK);
	for (unsigned i = 0; i < 100; i++) {
		sim_run(s, 100 * SIM_MS);
		assert_true(shim6_addr_eq(&A->last[WIRE_PROBE].dst, &B->addr[0]));
	}
	/* the probes carried tag 0, so this R1bis is to be believed */
	wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), 0, 1);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2BIS_SENT);
	sim_free(s);
}

/* A fork the peer asked for, on a pair that is not the ULIDs'. */
static const struct context *forked(struct sim *s, const struct shim6_pair *pair)
{
	struct script m;

	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 5, 6);
	wire_opt_ulid_pair(&m.b, &B->addr[0], &A->addr[0]);
	wire_opt_fii(&m.b, 7);
	send_as(A, pair, &m);
	script_i2(&m, s, 5, 6);
	wire_opt_ulid_pair(&m.b, &B->addr[0], &A->addr[0]);
	wire_opt_fii(&m.b, 7);
	put_hba(&m.b, B, 9);
	send_as(A, pair, &m);
	assert_int_equal(A->engine->contexts.n, 1);
	return A->engine->contexts.oldest;
}

static void assert_identity(const struct sim *s, const struct wire_msg *m)
{
	assert_true(m->has_fii);
	assert_int_equal(m->fii, 7);
	assert_true(m->has_ulids);
	assert_true(shim6_addr_eq(&m->ulid_sender, &A->addr[0]));
	assert_true(shim6_addr_eq(&m->ulid_receiver, &B->addr[0]));
}

/* W-67, W-68, W-71, E-03, E-04, E-42, E-43, E-46, H-06: a fork off its ULIDs says so in each message (H-02,
 * E-45); A-37: the "Context Instance Identifier option" of 7.7 is the FII option */
static void r08_fork_recovers(void **state)
{
	struct sim *s = scripted(8);
	struct shim6_pair pair = { B->addr[1], A->addr[1] };
	const struct context *c = forked(s, &pair);
	uint8_t v[20];
	struct wire_msg m;
	struct script r;

	(void)state;
	assert_int_equal(c->fii, 7);
	memset(v, 0xa5, sizeof(v));
	assert_int_equal(engine_explore(A->engine, s->now, c->id, NULL), ENGINE_OK);
	wire_begin_r1bis(&r.b, r.buf, sizeof(r.buf), 5, 0x1234);
	wire_opt_validator(&r.b, v, sizeof(v));
	send_as(A, &pair, &r);
	decode_last(A, WIRE_I2BIS, &m);
	assert_identity(s, &m);
	assert_int_equal(m.packet_tag, 5);
	assert_int_equal(m.resp_nonce, 0x1234);
	assert_int_equal(m.tag, c->ct_local);
	assert_int_equal(m.validator.len, sizeof(v));
	assert_memory_equal(m.validator.p, v, sizeof(v));
	assert_true(m.locators.present && m.pds.p);
	assert_true(shim6_addr_eq(&A->last[WIRE_I2BIS].src, &A->addr[1]));
	assert_true(shim6_addr_eq(&A->last[WIRE_I2BIS].dst, &B->addr[1]));
	/* no answer: at last an I1 on the same pair, with the same tag (7.19, G-11) */
	sim_run(s, 50 * SIM_SECOND);
	decode_last(A, WIRE_I1, &m);
	assert_identity(s, &m);
	assert_int_equal(m.tag, c->ct_local);
	/* and an I2, with the validator of the R1 as it came (W-70, E-29) */
	wire_begin_r1(&r.b, r.buf, sizeof(r.buf), m.init_nonce, 3);
	wire_opt_validator(&r.b, v, 3);
	send_as(A, &pair, &r);
	decode_last(A, WIRE_I2, &m);
	assert_identity(s, &m);
	assert_int_equal(m.validator.len, 3);
	assert_memory_equal(m.validator.p, v, 3);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t062_r2_bad_pds_t061_late),
		cmocka_unit_test(u14_bad_pds_u16_bad_list),
		cmocka_unit_test(hv15_only_listed_locators_g07_tag_zero),
		cmocka_unit_test(r08_fork_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
