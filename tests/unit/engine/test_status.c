/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What operators see and ask for: names, contexts, counters of what was refused, commands that cannot be done. */
#include "common.h"

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

/* Each value has its own words; what is no value is told as such. */
static void all_different(const char *(*name)(int), int first, int last, const char *none)
{
	for (int i = first; i <= last; i++) {
		assert_string_not_equal(name(i), none);
		for (int k = first; k < i; k++)
			assert_string_not_equal(name(i), name(k));
	}
	assert_string_equal(name(last + 1), none);
	assert_string_equal(name(first - 1), none);
}

static const char *state_name(int i)
{
	return engine_state_name((enum engine_state)i);
}

static const char *event_name(int i)
{
	return engine_event_name((enum engine_event_type)i);
}

static const char *reason_text(int i)
{
	return engine_reason_text((enum engine_reason)i);
}

static void names(void **state)
{
	struct sim *s = two_hosts(1);

	(void)state;
	all_different(state_name, ENGINE_IDLE, ENGINE_NO_SUPPORT, "unknown");
	all_different(event_name, ENGINE_EV_NEW, ENGINE_EV_GONE, "unknown");
	all_different(reason_text, ENGINE_WHY_NONE, ENGINE_WHY_TEST, "unknown");
	all_different(engine_result_text, ENGINE_E_ONE_PAIR, ENGINE_OK, "unknown result");
	for (unsigned i = 0; i < engine_counter_count(); i++) {
		assert_true(*engine_counter_name(i));
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(engine_counter_name(i), engine_counter_name(k));
	}
	assert_string_equal(engine_counter_name(engine_counter_count()), "");
	assert_true(engine_counter(A->engine, engine_counter_count()) == 0);
	sim_free(s);
}

static void one_context(void **state)
{
	struct sim *s = two_established(2);
	struct shim6_pair ulid = ab(s);
	struct engine_ctx_info by_pair, by_id;

	(void)state;
	assert_true(sim_context(A, &ulid, &by_pair));
	assert_true(engine_get(A->engine, by_pair.id, &by_id));
	assert_memory_equal(&by_id, &by_pair, sizeof(by_id));
	assert_int_equal(by_id.n_local, 2);
	assert_int_equal(by_id.n_peer, 2);
	assert_false(engine_get(A->engine, by_pair.id + 1, &by_id));
	sim_free(s);
}

static int keep_order(void *arg, const struct engine_ctx_info *info)
{
	uint64_t *last = arg;

	assert_true(info->id > *last);
	*last = info->id;
	return info->id == 9 ? 17 : 0;
}

/* Oldest first, in whatever order they came back; the one who looks may stop. */
static void contexts_in_their_order(void **state)
{
	struct sim *s = two_hosts(3);
	struct sim_saved saved[4];
	const struct context *c;
	uint64_t last = 0;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct shim6_pair ulid = sim_ulids(s, 0, i & 1, 1, i >> 1);

		assert_int_equal(sim_establish(A, &ulid), ENGINE_OK);
	}
	sim_run(s, SIM_SECOND);
	for (c = A->engine->contexts.oldest; c; c = c->newer, n++) {
		saved[n].len = engine_save(A->engine, c->id, saved[n].buf, sizeof(saved[n].buf));
		assert_true(saved[n].len > 0);
	}
	assert_int_equal(n, 4);
	sim_crash(A, false, true);
	sim_start_host(A);
	for (unsigned i = 0; i < 4; i++) {
		const struct sim_saved *b = &saved[(i * 3 + 2) % 4]; /* 2, 1, 0, 3 */

		assert_int_equal(engine_restore(A->engine, s->now, b->buf, (size_t)b->len), ENGINE_OK);
	}
	assert_int_equal(engine_each(A->engine, keep_order, &last), 0);
	assert_int_equal(last, 4);
	for (unsigned i = 0; i < 6; i++) {
		struct shim6_pair nobody = ab(s);

		nobody.peer.b[14] = (uint8_t)(1 + i);
		assert_int_equal(sim_establish(A, &nobody), ENGINE_OK);
	}
	last = 0;
	assert_int_equal(engine_each(A->engine, keep_order, &last), 17);
	assert_int_equal(last, 9);
	sim_free(s);
}

static int stop(void *arg, const struct engine_negative_info *info)
{
	(void)info;
	return ++*(int *)arg;
}

/* No two entries for a pair; a limit of none at all holds none. */
static void negative_entries(void **state)
{
	struct sim *s = two_hosts(4);
	struct shim6_pair nobody = ab(s);
	int seen = 0;

	(void)state;
	nobody.peer.b[15] ^= 1;
	for (unsigned i = 0; i < 2; i++) {
		negative_add(A->engine, s->now, &nobody, ENGINE_E_FAILED);
		assert_int_equal(A->engine->negative.n, 1);
	}
	assert_int_equal(engine_each_negative(A->engine, stop, &seen), 1);
	assert_int_equal(seen, 1);
	negative_forget(A->engine, &nobody);
	s->config.max_negative = 0;
	sim_reconfigure(A, &s->config);
	negative_add(A->engine, s->now, &nobody, ENGINE_E_FAILED);
	assert_int_equal(A->engine->negative.n, 0);
	assert_int_equal(sim_counter(A, "limit_negative"), 1);
	sim_free(s);
}

static void commands_that_cannot_be_done(void **state)
{
	struct sim *s = two_established(5);
	struct shim6_pair ulid = ab(s), bad;
	struct engine_ctx_info info;

	(void)state;
	assert_int_equal(sim_establish(A, &ulid), ENGINE_E_EXISTS);
	bad = (struct shim6_pair){ .local = ulid.local };
	assert_int_equal(sim_establish(A, &bad), ENGINE_E_BAD_ADDRESS);
	bad = (struct shim6_pair){ .peer = ulid.peer };
	assert_int_equal(sim_establish(A, &bad), ENGINE_E_BAD_ADDRESS);
	bad = (struct shim6_pair){ .local = ulid.peer, .peer = ulid.local };
	assert_int_equal(sim_establish(A, &bad), ENGINE_E_NOT_LOCAL);
	bad = (struct shim6_pair){ .local = ulid.local, .peer = A->addr[1] };
	assert_int_equal(sim_establish(A, &bad), ENGINE_E_BAD_ADDRESS);
	assert_true(sim_context(A, &ulid, &info));
	bad = (struct shim6_pair){ .local = ulid.local, .peer = A->addr[1] };
	assert_int_equal(sim_explore(A, info.id, &bad), ENGINE_E_BAD_ADDRESS);
	bad = (struct shim6_pair){ .local = B->addr[1], .peer = ulid.peer };
	assert_int_equal(sim_explore(A, info.id, &bad), ENGINE_E_BAD_ADDRESS);
	assert_int_equal(sim_explore(A, info.id + 1, NULL), ENGINE_E_NO_CONTEXT);
	assert_int_equal(sim_drop(A, info.id + 1), ENGINE_E_NO_CONTEXT);
	sim_hint(A, 1000); /* no such slot: no matter */
	engine_activity(A->engine, s->now, 1000, SHIM6_NOTIFY_RX);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_int_equal(sim_drop(A, info.id), ENGINE_OK);
	bad = ulid;
	bad.peer.b[15] ^= 1;
	assert_int_equal(sim_establish(A, &bad), ENGINE_OK);
	assert_true(sim_context(A, &bad, &info));
	assert_int_equal(sim_explore(A, info.id, NULL), ENGINE_E_STATE);
	sim_free(s);
}

/* As if from B, with its checksum right; sent: what A sends back, by type, or 0 for nothing. */
static void refused(struct sim *s, uint8_t *buf, size_t len, const char *counter, unsigned sent)
{
	uint64_t before = sim_counter(A, counter);
	unsigned told[SIM_PEER_MAX];
	uint16_t sum;

	memcpy(told, A->sent, sizeof(told));
	buf[4] = buf[5] = 0;
	sum = wire_checksum(buf, len);
	buf[4] = (uint8_t)(sum >> 8);
	buf[5] = (uint8_t)sum;
	sim_inject(A, &B->addr[0], &A->addr[0], buf, len);
	if (sim_counter(A, counter) != before + 1)
		fail_msg("%s did not count", counter);
	for (unsigned t = 0; t < SIM_PEER_MAX; t++)
		assert_int_equal(A->sent[t], told[t] + (sent && t == sent));
}

/* One octet of a Keepalive is another. */
static void changed(struct sim *s, uint64_t ct, unsigned at, unsigned is, const char *counter, unsigned sent)
{
	struct script x;
	size_t len;

	wire_begin_keepalive(&x.b, x.buf, sizeof(x.buf), ct);
	len = wire_finish(&x.b);
	x.buf[at] = (uint8_t)is;
	refused(s, x.buf, len, counter, sent);
}

/* W-42, W-44, W-69, W-76, A-14, ERR-03: each is counted by what is wrong with it; only the unknown type is
 * answered. */
static void each_refusal_has_its_counter(void **state)
{
	struct sim *s = scripted(6);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);
	uint64_t ct = script_establish(s, &back, 5, 6);
	struct script x;
	size_t len;

	(void)state;
	changed(s, ct, 1, 9, "drop_short", 0);
	changed(s, ct, 2, 0x80 | WIRE_KEEPALIVE, "drop_not_control", 0);
	changed(s, ct, 2, WIRE_PROBE, "drop_min_length", 0);
	changed(s, ct, 2, 63, "drop_unknown_type", WIRE_ERROR);
	changed(s, ct, 3, 1, "drop_s_bit", 0);
	wire_begin_update_request(&x.b, x.buf, sizeof(x.buf), ct, 1);
	wire_opt_keepalive_timeout(&x.b, 9);
	len = wire_finish(&x.b);
	x.buf[len - 5] = 99; /* its length */
	refused(s, x.buf, len, "drop_option", 0);
	wire_begin_update_request(&x.b, x.buf, sizeof(x.buf), ct, 1);
	wire_opt_keepalive_timeout(&x.b, 9);
	wire_opt_keepalive_timeout(&x.b, 9);
	len = wire_finish(&x.b);
	refused(s, x.buf, len, "drop_duplicate", 0);
	wire_begin_r1(&x.b, x.buf, sizeof(x.buf), 6, 7);
	len = wire_finish(&x.b);
	refused(s, x.buf, len, "drop_no_validator", 0);
	sim_free(s);
}

/* R-03, U-13: a tag of ours from or to locators that are not the context's is as good as an unknown one */
static void tag_on_other_locators(void **state)
{
	struct sim *s = scripted(7);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0), other = back;
	uint64_t ct = script_establish(s, &back, 5, 6);
	struct wire_msg m;
	struct script x;

	(void)state;
	other.local.b[15] ^= 1;
	wire_begin_keepalive(&x.b, x.buf, sizeof(x.buf), ct);
	send_as(A, &other, &x);
	assert_int_equal(sim_counter(A, "drop_wrong_locators"), 1);
	decode_last(A, WIRE_R1BIS, &m);
	assert_int_equal(m.tag, ct);
	assert_true(shim6_addr_eq(&A->last[WIRE_R1BIS].dst, &other.local));
	sim_free(s);
}

/* E-29: a validator too long to be sent back with all that an I2 or I2bis must carry */
static void validator_too_long(void **state)
{
	struct sim *s = scripted(8);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	uint8_t validator[MAX_VALIDATOR + 1] = { 0 };
	struct wire_msg m;
	struct script x;

	(void)state;
	assert_int_equal(sim_establish(A, &ulid), ENGINE_OK);
	decode_last(A, WIRE_I1, &m);
	wire_begin_r1(&x.b, x.buf, sizeof(x.buf), m.init_nonce, 7);
	wire_opt_validator(&x.b, validator, sizeof(validator));
	send_as(A, &back, &x);
	assert_int_equal(sim_counter(A, "drop_validator_too_long"), 1);
	assert_int_equal(state_of(A, &ulid), ENGINE_I1_SENT);
	assert_int_equal(A->sent[WIRE_I2], 0);
	sim_free(s);

	s = scripted(9);
	ulid = ab(s);
	back = reversed(&ulid);
	script_establish(s, &back, 5, 6);
	A->down[1] = true; /* an Update Request goes out, which the R1bis may answer */
	sim_set_local(A);
	wire_begin_r1bis(&x.b, x.buf, sizeof(x.buf), 5, 7);
	wire_opt_validator(&x.b, validator, sizeof(validator));
	send_as(A, &back, &x);
	assert_int_equal(sim_counter(A, "drop_validator_too_long"), 1);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_free(s);
}

/* L-08, L-11, I-15: quotes that are too short, or of something else, concern nobody; a Time Exceeded is a hint */
static void icmp_quotes(void **state)
{
	struct sim *s = two_established(10);
	struct shim6_pair ulid = ab(s), nobody = ulid;
	uint8_t quote[40 + 32] = { 0x60, [6] = WIRE_PROTO };
	const struct sim_message *i1 = &A->last[WIRE_I1];
	static const struct {
		uint8_t at, is;
	} other[] = { { 0, 0x40 },	 { 6, 58 },   { 40 + 2, WIRE_R1 }, { 40 + 2, WIRE_ERROR },
		      { 40 + 15, 0xee }, { 39, 0xee } };
	struct shim6_pair back = reversed(&ulid);
	uint64_t no_match;
	struct wire_msg m;

	(void)state;
	sim_flow_add(s, 1, &back, 100 * SIM_MS, false);
	sim_run(s, 10 * SIM_SECOND);
	sim_crash(B, false, false);
	nobody.peer.b[15] ^= 1;
	assert_int_equal(sim_establish(A, &nobody), ENGINE_OK);
	memcpy(quote + 8, &i1->src, 16);
	memcpy(quote + 24, &i1->dst, 16);
	memcpy(quote + 40, i1->buf, 32);
	no_match = sim_counter(A, "drop_icmp_no_match");
	for (size_t len = 0; len < 40 + 16; len++) /* no nonce within it */
		engine_input_icmp(A->engine, s->now, 4, 1, 40, quote, len);
	assert_int_equal(sim_counter(A, "drop_icmp_no_match"), no_match + 56);
	for (unsigned i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		uint8_t was = quote[other[i].at];

		quote[other[i].at] = other[i].is;
		engine_input_icmp(A->engine, s->now, 4, 1, 40, quote, sizeof(quote));
		quote[other[i].at] = was;
	}
	assert_int_equal(sim_counter(A, "drop_icmp_no_match"), no_match + 62);
	assert_int_equal(state_of(A, &nobody), ENGINE_I1_SENT);
	engine_input_icmp(A->engine, s->now, 4, 1, 40, quote, sizeof(quote));
	assert_int_equal(sim_context_count(A), 1);
	/* a Keepalive that went out lately, as the quote */
	decode_last(A, WIRE_KEEPALIVE, &m);
	memcpy(quote + 8, &A->last[WIRE_KEEPALIVE].src, 16);
	memcpy(quote + 24, &A->last[WIRE_KEEPALIVE].dst, 16);
	memcpy(quote + 40, A->last[WIRE_KEEPALIVE].buf, 16);
	assert_int_equal(A->engine->contexts.oldest->reap.state, REAP_OPERATIONAL);
	engine_input_icmp(A->engine, s->now, 3, 0, 0, quote, 40 + 16);
	assert_int_equal(A->engine->contexts.oldest->reap.state, REAP_EXPLORING);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(one_context),
		cmocka_unit_test(contexts_in_their_order),
		cmocka_unit_test(negative_entries),
		cmocka_unit_test(commands_that_cannot_be_done),
		cmocka_unit_test(each_refusal_has_its_counter),
		cmocka_unit_test(tag_on_other_locators),
		cmocka_unit_test(validator_too_long),
		cmocka_unit_test(icmp_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
