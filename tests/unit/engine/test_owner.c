/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine_owner(): which context a message is of, for those who watch. */
#include "common.h"

/* Of the message that h sent last of a type: as from sent by it, or as seen by the other host. */
static uint64_t owner_of(struct sim *s, struct sim_host *h, unsigned type, bool sent)
{
	struct sim_host *at = sent ? h : h == A ? B : A;
	const struct sim_message *last = &h->last[type];
	struct shim6_pair pair =
		sent ? (struct shim6_pair){ last->src, last->dst } : (struct shim6_pair){ last->dst, last->src };
	struct wire_msg m;
	size_t offset;
	uint64_t id = 0;

	assert_true(last->len > 0);
	assert_int_equal(wire_decode(last->buf, last->len, &m, &offset), WIRE_OK);
	return engine_owner(at->engine, &pair, sent, &m, &id) ? id : 0;
}

static uint64_t only_id(struct sim_host *h, const struct shim6_pair *ulid)
{
	struct engine_ctx_info info;

	assert_true(sim_context(h, ulid, &info));
	return info.id;
}

static void handshake_update_and_probes(void **state)
{
	struct sim *s = two_established(1);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = reversed(&ulid);
	struct engine_config slower = s->config;
	uint64_t a = only_id(A, &ulid), b = only_id(B, &back);

	(void)state;
	assert_int_equal(owner_of(s, A, WIRE_I1, true), a);
	assert_int_equal(owner_of(s, A, WIRE_I1, false), b);
	assert_int_equal(owner_of(s, B, WIRE_R1, true), 0);
	assert_int_equal(owner_of(s, B, WIRE_R1, false), 0); /* the handshake is over */
	assert_int_equal(owner_of(s, A, WIRE_I2, true), a);
	assert_int_equal(owner_of(s, A, WIRE_I2, false), b);
	assert_int_equal(owner_of(s, B, WIRE_R2, true), b);
	assert_int_equal(owner_of(s, B, WIRE_R2, false), a);

	slower.reap.send_timeout += 5 * SIM_SECOND;
	sim_reconfigure(A, &slower);
	assert_int_equal(sim_explore(A, a, NULL), ENGINE_OK);
	sim_run(s, 2 * SIM_SECOND);
	assert_int_equal(owner_of(s, A, WIRE_UPDATE_REQUEST, true), a);
	assert_int_equal(owner_of(s, A, WIRE_UPDATE_REQUEST, false), b);
	assert_int_equal(owner_of(s, B, WIRE_UPDATE_ACK, true), b);
	assert_int_equal(owner_of(s, B, WIRE_UPDATE_ACK, false), a);
	assert_int_equal(owner_of(s, A, WIRE_PROBE, true), a);
	assert_int_equal(owner_of(s, A, WIRE_PROBE, false), b);
	sim_free(s);
}

static void recovery(void **state)
{
	struct sim *s = two_established(2);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = reversed(&ulid);
	uint64_t a = only_id(A, &ulid);

	(void)state;
	sim_amnesia(B);
	assert_int_equal(sim_explore(A, a, NULL), ENGINE_OK);
	sim_run(s, 2 * SIM_SECOND);
	assert_int_equal(owner_of(s, B, WIRE_R1BIS, true), 0);
	assert_int_equal(owner_of(s, A, WIRE_I2BIS, true), a);
	assert_int_equal(owner_of(s, A, WIRE_I2BIS, false), only_id(B, &back));
	sim_free(s);
}

/* While the answer is waited for; and an R1bis by the tag that it quotes. */
static void answers_that_are_due(void **state)
{
	struct sim *s = scripted(3);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), other = sim_ulids(s, 0, 1, 1, 1), back = reversed(&ulid);
	const uint8_t v[16] = { 1 };
	struct wire_msg i1, m;
	struct script r1;
	uint64_t id = 0;
	size_t offset, len;

	(void)state;
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	decode_last(A, WIRE_I1, &i1);
	wire_begin_r1(&r1.b, r1.buf, sizeof(r1.buf), i1.init_nonce, 3);
	wire_opt_validator(&r1.b, v, sizeof(v));
	len = wire_finish(&r1.b);
	assert_int_equal(wire_decode(r1.buf, len, &m, &offset), WIRE_OK);
	assert_true(engine_owner(A->engine, &ulid, false, &m, &id));
	assert_int_equal(id, only_id(A, &ulid));
	assert_false(engine_owner(A->engine, &other, false, &m, &id));

	sim_free(s);
	s = scripted(3);
	ulid = sim_ulids(s, 0, 0, 1, 0);
	back = reversed(&ulid);
	script_establish(s, &back, 5, 7);
	wire_begin_r1bis(&r1.b, r1.buf, sizeof(r1.buf), 5, 3);
	wire_opt_validator(&r1.b, v, sizeof(v));
	len = wire_finish(&r1.b);
	assert_int_equal(wire_decode(r1.buf, len, &m, &offset), WIRE_OK);
	id = 0;
	assert_true(engine_owner(A->engine, &ulid, false, &m, &id));
	assert_int_equal(id, only_id(A, &ulid));
	sim_free(s);
}

/* An Error is of the context whose message it quotes; a quote that is none, or cut, is of no context. */
static void errors(void **state)
{
	struct sim *s = two_established(4);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);
	const struct sim_message *last = &A->last[WIRE_I2];
	uint8_t quote[40 + WIRE_MAX_PACKET] = { 0x60, [6] = WIRE_PROTO }, buf[WIRE_MAX_MSG];
	struct wire_builder b;
	struct wire_msg m;
	size_t offset, len, n = 40 + last->len;
	uint64_t id = 0;

	(void)state;
	memcpy(quote + 8, &last->src, 16);
	memcpy(quote + 24, &last->dst, 16);
	memcpy(quote + 40, last->buf, last->len);
	for (unsigned round = 0; round < 4; round++) {
		quote[6] = round == 1 ? 17 : WIRE_PROTO;
		if (round == 2)
			n = 56; /* half of it */
		if (round == 3)
			n = 16;
		wire_begin_error(&b, buf, sizeof(buf), 1, 40, quote, n);
		len = wire_finish(&b);
		assert_int_equal(wire_decode(buf, len, &m, &offset), WIRE_OK);
		assert_int_equal(engine_owner(A->engine, &ulid, false, &m, &id), round == 0);
	}
	assert_int_equal(id, only_id(A, &ulid));
	assert_false(engine_owner(A->engine, &ulid, true, &m, &id));
	sim_free(s);
}

static void ulids_by_option_or_addresses(void **state)
{
	struct shim6_pair pair = { { { 1 } }, { { 2 } } }, ulid;
	struct wire_msg m = { .ulid_sender = { { 3 } }, .ulid_receiver = { { 4 } } };

	(void)state;
	engine_message_ulids(&pair, true, &m, &ulid);
	assert_true(shim6_pair_eq(&ulid, &pair));
	m.has_ulids = true;
	engine_message_ulids(&pair, true, &m, &ulid);
	assert_true(ulid.local.b[0] == 3 && ulid.peer.b[0] == 4);
	engine_message_ulids(&pair, false, &m, &ulid);
	assert_true(ulid.local.b[0] == 4 && ulid.peer.b[0] == 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_update_and_probes),	cmocka_unit_test(recovery),
		cmocka_unit_test(answers_that_are_due),		cmocka_unit_test(errors),
		cmocka_unit_test(ulids_by_option_or_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
