/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Update Request, Acknowledgement, preferences and Error: what is on the wire, and what each does (5, 14, 20). */
#include "common.h"

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

/* A with an ESTABLISHED context to the scripted B; *ct: A's tag. B's list has generation 77, its tag is 5. */
static struct sim *with_script(uint64_t seed, uint64_t *ct)
{
	struct sim *s = scripted(seed);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);

	*ct = script_establish(s, &back, 5, 6);
	return s;
}

static void begin(struct script *m, uint64_t ct, uint32_t nonce)
{
	wire_begin_update_request(&m->b, m->buf, sizeof(m->buf), ct, nonce);
}

/* U-21, U-22, A-13, W-75, R-03: the Ack has the request's nonce, the peer's tag, the request's pair, and no option */
static void u21_acknowledgement(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(21, &ct);
	struct shim6_pair other = sim_ulids(s, 1, 1, 0, 1);
	struct wire_msg m;
	struct script u;

	(void)state;
	begin(&u, ct, 0xcafe);
	send_as(A, &other, &u);
	decode_last(A, WIRE_UPDATE_ACK, &m);
	assert_int_equal(m.request_nonce, 0xcafe);
	assert_int_equal(m.tag, 5);
	assert_int_equal(A->last[WIRE_UPDATE_ACK].len, 16);
	assert_true(shim6_addr_eq(&A->last[WIRE_UPDATE_ACK].src, &other.peer));
	assert_true(shim6_addr_eq(&A->last[WIRE_UPDATE_ACK].dst, &other.local));
	sim_free(s);
}

/* W-75, U-26, A-21, U-02, U-03: ours is done with the Ack, whatever options (C = 0) that has. A new list is of the next
 * generation, which later preferences have. */
static void u02_generations(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(2, &ct);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct context *c = context_by_ulid(A->engine, &ulid, 0);
	struct wire_msg m;
	struct script u;
	uint32_t generation;

	(void)state;
	decode_last(A, WIRE_R2, &m);
	generation = m.locators.generation;
	assert_int_equal(generation, c->local_generation);
	for (unsigned round = 0; round < 2; round++) {
		assert_true(update_begin(A->engine, c, s->now, round ? 0 : UPDATE_LIST));
		decode_last(A, WIRE_UPDATE_REQUEST, &m);
		assert_int_equal(m.locators.present, round == 0);
		if (m.locators.present)
			assert_int_equal(m.locators.generation, generation + 1);
		assert_int_equal(m.prefs.generation, generation + 1);
		wire_begin_update_ack(&u.b, u.buf, sizeof(u.buf), ct, m.request_nonce);
		wire_opt_fii(&u.b, 7); /* not for this message */
		wire_opt_validator(&u.b, (const uint8_t[]){ 1, 2, 3 }, 3);
		send_as(A, &back, &u);
		assert_int_equal(sim_counter(A, "updates_completed"), round + 1);
	}
	sim_run(s, 250 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 2);
	sim_free(s);
}

/* a peer's generation is compared for equality alone: a lower one is as good as a higher one */
static void a21_generations_have_no_order(void **state)
{
	static const uint32_t generation[] = { 3, UINT32_MAX, 0, 78 };
	uint64_t ct;
	struct sim *s = with_script(3, &ct), *t = with_script(4, &ct);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	const uint8_t method[2] = { WIRE_METHOD_HBA, WIRE_METHOD_HBA };
	struct engine_ctx_info info;
	struct wire_msg mine[2];
	struct script u;

	(void)state;
	decode_last(A, WIRE_R2, &mine[0]);
	decode_last(&t->host[0], WIRE_R2, &mine[1]);
	assert_int_not_equal(mine[0].locators.generation, mine[1].locators.generation); /* random to begin with */
	sim_free(t);
	assert_true(sim_context(A, &ulid, &info));
	for (uint32_t i = 0; i < 4; i++) {
		begin(&u, info.ct_local, i + 1);
		wire_opt_locator_list(&u.b, generation[i], B->addr, method, 1 + i % 2);
		send_as(A, &back, &u);
		assert_int_equal(A->sent[WIRE_UPDATE_ACK], i + 1);
		assert_true(sim_context(A, &ulid, &info));
		assert_int_equal(info.n_peer, 1 + i % 2);
	}
	sim_free(s);
}

/* W-58, W-61, W-56, C-02: the bits, each at the locator of its index; bits that nobody knows mean nothing */
static void w58_preference_flags(void **state)
{
	static const uint8_t flags[] = { 0x01, 0x02, 0xfc, 0xff, 0 };
	uint64_t ct;
	struct sim *s = with_script(58, &ct);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct engine_ctx_info info;
	struct wire_msg m;
	struct wire_pref p;
	struct script u;

	(void)state;
	assert_int_equal(WIRE_PREF_BROKEN, 1);
	assert_int_equal(WIRE_PREF_TRANSIENT, 2);
	for (uint32_t i = 0; i < sizeof(flags); i++) {
		struct wire_pref pref[2] = { { .priority = (uint8_t)(i + 1), .weight = 20 },
					     { .flags = flags[i], .priority = 9, .weight = (uint8_t)(30 + i) } };

		begin(&u, ct, i + 1);
		wire_opt_preferences(&u.b, 77, pref, 2, 3);
		assert_int_equal(u.buf[16 + 9 + 3], flags[i]); /* the second element's first octet */
		send_as(A, &back, &u);
		assert_int_equal(A->sent[WIRE_UPDATE_ACK], i + 1);
		assert_true(sim_context(A, &ulid, &info));
		assert_int_equal(info.peer[1].flags & REAP_LOC_DOWN, flags[i] & 1 ? REAP_LOC_DOWN : 0);
		assert_int_equal(info.peer[0].flags & REAP_LOC_DOWN, 0);
		assert_true(info.peer[0].priority == i + 1 && info.peer[1].priority == 9);
		assert_true(info.peer[0].weight == 20 && info.peer[1].weight == 30 + i);
	}
	/* ours: the index of the list that the R2 had; no other bit */
	A->down[1] = true;
	sim_set_local(A);
	decode_last(A, WIRE_R2, &m);
	for (unsigned i = 0; i < 2; i++) {
		struct shim6_addr l;

		wire_locator_get(&m.locators, i, &l);
		assert_true(shim6_addr_eq(&l, &A->addr[i]));
	}
	decode_last(A, WIRE_UPDATE_REQUEST, &m);
	assert_int_equal(m.prefs.n, 2);
	wire_pref_get(&m.prefs, 0, &p);
	assert_int_equal(p.flags, 0);
	wire_pref_get(&m.prefs, 1, &p);
	assert_int_equal(p.flags, 1);
	sim_free(s);
}

/* A in I2-SENT, towards the scripted B. */
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
	return i1.init_nonce;
}

static void send_tagged(struct sim *s, uint8_t type, uint64_t ct)
{
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct wire_record r = { .src = back.local, .dst = back.peer, .nonce = 1 };
	struct script m;

	s->now += SIM_SECOND;
	if (type == WIRE_PROBE)
		wire_begin_probe(&m.b, m.buf, sizeof(m.buf), ct, WIRE_STA_EXPLORING, &r, 1, NULL, 0);
	else if (type == WIRE_KEEPALIVE)
		wire_begin_keepalive(&m.b, m.buf, sizeof(m.buf), ct);
	else
		wire_begin_update_ack(&m.b, m.buf, sizeof(m.buf), ct, 1);
	send_as(A, &back, &m);
}

/* S-01: in I2-SENT and I2BIS-SENT an Ack, a Keepalive or a Probe asks for the I2 or I2bis again: never for
 * an R2, and REAP does not hear of them */
static void a06_a38_handshake_again(void **state)
{
	static const uint8_t type[] = { WIRE_UPDATE_ACK, WIRE_KEEPALIVE, WIRE_PROBE };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bool bis = i & 1;
		struct sim *s = scripted(600 + i);
		struct shim6_pair ulid = ab(s), back = reversed(&ulid);
		uint32_t nonce = in_i2_sent(s);
		struct engine_ctx_info info;
		struct script m;

		assert_true(sim_context(A, &ulid, &info));
		if (bis) {
			const uint8_t v[16] = { 1 };

			wire_begin_r2(&m.b, m.buf, sizeof(m.buf), 5, nonce);
			put_hba(&m.b, B, 77);
			send_as(A, &back, &m);
			begin(&m, info.ct_local, 1);
			send_as(A, &back, &m);
			wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), 5, 33);
			wire_opt_validator(&m.b, v, sizeof(v));
			send_as(A, &back, &m);
		}
		assert_int_equal(state_of(A, &ulid), bis ? ENGINE_I2BIS_SENT : ENGINE_I2_SENT);
		send_tagged(s, type[i / 2], info.ct_local);
		assert_int_equal(A->sent[bis ? WIRE_I2BIS : WIRE_I2], 2);
		assert_int_equal(A->sent[WIRE_R2] + A->sent[WIRE_PROBE] + A->sent[WIRE_KEEPALIVE], 0);
		assert_int_equal(state_of(A, &ulid), bis ? ENGINE_I2BIS_SENT : ENGINE_I2_SENT);
		assert_true(sim_context(A, &ulid, &info));
		assert_int_equal(info.probes_received, 0);
		sim_free(s);
	}
}

/* ERR-01, ERR-05: the codes as they are on the wire; each is sent once, and nothing waits for an answer */
static void err01_codes(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(1, &ct);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct shim6_addr bad = B->addr[1];
	const uint8_t method[1] = { WIRE_METHOD_HBA };
	struct wire_pref p[3] = { { .flags = 0 } };

	(void)state;
	bad.b[15] ^= 1;
	for (unsigned code = 0; code <= 4; code++) {
		struct script u;
		size_t len;
		uint16_t sum;

		begin(&u, ct, code);
		if (code == 1)
			wire_opt_fii(&u.b, 7);
		else if (code == 2)
			wire_opt_locator_list(&u.b, 78, &bad, method, 1);
		else if (code >= 3)
			wire_opt_preferences(&u.b, code == 3 ? 78 : 77, p, code - 1, 1);
		len = wire_finish(&u.b);
		if (code == 0)
			u.buf[2] = 100; /* no such type */
		if (code == 1)
			u.buf[17] = 9 << 1 | 1; /* no such option, critical */
		u.buf[4] = u.buf[5] = 0;
		sum = wire_checksum(u.buf, len);
		u.buf[4] = (uint8_t)(sum >> 8);
		u.buf[5] = (uint8_t)sum;
		sim_inject(A, &back.local, &back.peer, u.buf, len);
		assert_int_equal(A->sent[WIRE_ERROR], code + 1);
		assert_int_equal(A->last[WIRE_ERROR].buf[2], 68);
		assert_int_equal(A->last[WIRE_ERROR].buf[3], code << 1);
	}
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 0);
	sim_run(s, 250 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_ERROR], 5);
	sim_free(s);
}

/* L-08, ERR-07, ERR-10, Z-04: an Error counts by the packet it quotes: tag, nonce and both locators must be ours */
static void err07_quote_must_be_ours(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(7, &ct);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	static const unsigned wrong[] = { 40 + 2, 40 + 11, 40 + 15, 8 + 15, 24 + 15 }; /* type, tag, nonce, addresses */
	const struct sim_message *l = &A->last[WIRE_UPDATE_REQUEST];

	(void)state;
	A->down[1] = true;
	sim_set_local(A);
	for (unsigned i = 0; i < 6; i++) {
		uint8_t quote[WIRE_MAX_PACKET] = { 0x60, [5] = (uint8_t)l->len, [6] = WIRE_PROTO };
		struct script u;

		memcpy(quote + 8, &l->src, 16);
		memcpy(quote + 24, &l->dst, 16);
		memcpy(quote + 40, l->buf, l->len);
		if (i < 5)
			quote[wrong[i]] ^= 1;
		wire_begin_error(&u.b, u.buf, sizeof(u.buf), WIRE_ERR_GENERATION, 60, quote, 40 + l->len);
		send_as(A, &back, &u);
		assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], i < 5 ? 1 : 2);
	}
	assert_int_equal(sim_counter(A, "drop_error_no_match"), 5);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_free(s);
}

/* W-54, A-01: 1 is HBA, 2 is CGA; the rest is nobody's, and the Error says which octet */
static void w54_methods(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(54, &ct);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct script u;
	struct wire_msg m;
	unsigned refused = 0;

	(void)state;
	assert_int_equal(WIRE_METHOD_HBA, 1);
	assert_int_equal(WIRE_METHOD_CGA, 2);
	for (unsigned method = 0; method <= 255; method++) {
		uint8_t both[2] = { 1, (uint8_t)method };

		s->now += SIM_SECOND; /* replies have a budget */
		begin(&u, ct, method + 1);
		wire_opt_locator_list(&u.b, 80 + method, B->addr, both, 2);
		send_as(A, &back, &u);
		assert_int_equal(A->sent[WIRE_UPDATE_ACK], method == 0 ? 0 : 1);
		refused += method != 1;
		assert_int_equal(A->sent[WIRE_ERROR], refused);
		if (method == 1)
			continue;
		decode_last(A, WIRE_ERROR, &m);
		assert_int_equal(m.error_code, WIRE_ERR_LOCATOR_VERIFICATION);
		assert_int_equal(m.quote.p[m.error_pointer], method);
	}
	sim_free(s);
}

/* A-39, V-14, W-62: a host with a set and two locators sends its list and PDS; one with a single address neither */
static void a39_list_when_there_is_one(void **state)
{
	(void)state;
	for (unsigned single = 0; single < 2; single++) {
		struct sim *s = sim_new(39);
		struct shim6_pair ulid;
		struct wire_msg m;

		sim_add_host(s, 2, false);
		sim_add_host(s, single ? 1 : 2, single);
		sim_start(s);
		ulid = ab(s);
		engine_trigger(A->engine, s->now, &ulid);
		sim_run(s, SIM_SECOND);
		decode_last(A, WIRE_I2, &m);
		assert_true(m.locators.present && m.pds.p);
		decode_last(B, WIRE_R2, &m);
		assert_int_equal(m.locators.present, !single);
		assert_int_equal(m.pds.p != NULL, !single);
		assert_null(m.signature.p);
		sim_free(s);
	}
}

/* Y-05: all locators lost at once cannot be survived: the contexts end after their time, and nothing is left behind */
static void y05_everything_lost(void **state)
{
	struct sim *s = two_established(5);
	struct shim6_pair ulid = ab(s);

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, 5 * SIM_SECOND);
	A->assigned[0] = A->assigned[1] = false;
	sim_set_local(A);
	sim_run(s, 70 * SIM_SECOND);
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(sim_last_event(A, ENGINE_EV_GONE)->reason, ENGINE_WHY_ULID_GONE);
	assert_int_equal(engine_next_deadline(A->engine), ENGINE_NEVER);
	A->assigned[0] = A->assigned[1] = true;
	sim_set_local(A);
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	sim_run(s, 5 * SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	sim_free(s);
}

/* W-05, T022: a PDS so long that not all locators fit beside it: some are left out, never the ULID, and nothing is
 * longer than 1280 octets, whatever validator we have to carry */
static void w05_some_locators_are_left_out(void **state)
{
	struct sim *s = sim_new(5);
	uint8_t pds[740] = { 0 };
	const uint8_t *all[8];
	struct shim6_addr addr[8];
	struct engine_local local[8];
	struct engine_hba_set set = { .n = 8, .addr = addr, .pds = all, .pds_len = sizeof(pds) };

	(void)state;
	sim_add_host(s, 8, false);
	sim_add_host(s, 1, false);
	sim_start_host(A);
	for (unsigned i = 0; i < 8; i++) {
		addr[i] = A->addr[i];
		all[i] = pds;
		local[i] = (struct engine_local){ .addr = addr[i], .priority = (uint8_t)i };
	}
	assert_int_equal(engine_set_local(A->engine, s->now, local, 8, &set, 1), 0);
	for (unsigned i = 0; i < 8; i++) {
		struct shim6_pair ulid = sim_ulids(s, 0, i, 1, 0), back = reversed(&ulid);
		uint8_t v[MAX_VALIDATOR] = { 0 };
		bool there = false;
		struct wire_msg m;
		struct script k;

		assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
		decode_last(A, WIRE_I1, &m);
		wire_begin_r1(&k.b, k.buf, sizeof(k.buf), m.init_nonce, 3);
		wire_opt_validator(&k.b, v, sizeof(v));
		send_as(A, &back, &k);
		decode_last(A, WIRE_I2, &m);
		assert_in_range(A->last[WIRE_I2].len, 1, 1280 - 40);
		assert_in_range(m.locators.n, 2, 7);
		assert_int_equal(m.prefs.n, m.locators.n);
		for (unsigned k2 = 0; k2 < m.locators.n; k2++) {
			struct shim6_addr l;

			wire_locator_get(&m.locators, k2, &l);
			there |= shim6_addr_eq(&l, &ulid.local);
		}
		assert_true(there);
	}
	sim_free(s);
}

/* A-19, I-02, I-16: errors about a path are kept while another pair may work, and the knob is off */
static void a19_errors_are_kept_when_there_is_a_choice(void **state)
{
	struct sim *s = two_established(19);
	struct shim6_pair ulid = ab(s), wanted = sim_ulids(s, 0, 1, 1, 1);
	const uint32_t moved = SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE;
	const uint32_t *flags;
	struct engine_ctx_info info;

	(void)state;
	assert_true(sim_context(A, &ulid, &info));
	flags = &A->slot[info.slot].p.flags;
	assert_int_equal(*flags, SHIM6_PROJ_ACCEPT); /* nothing is tagged */
	assert_int_equal(engine_explore(A->engine, s->now, info.id, &wanted), ENGINE_OK);
	assert_int_equal(*flags & SHIM6_PROJ_HOLD_ERRORS, 0);
	sim_run(s, 5 * SIM_SECOND);
	assert_int_equal(*flags, moved | SHIM6_PROJ_HOLD_ERRORS);
	/* one locator here, two there; then one pair alone */
	A->down[0] = true;
	sim_set_local(A);
	sim_run(s, SIM_SECOND);
	assert_int_equal(*flags, moved | SHIM6_PROJ_HOLD_ERRORS);
	B->down[0] = true;
	sim_set_local(B);
	sim_run(s, SIM_SECOND);
	assert_int_equal(*flags, moved);
	B->down[0] = false;
	sim_set_local(B);
	sim_run(s, SIM_SECOND);
	assert_int_equal(*flags, moved | SHIM6_PROJ_HOLD_ERRORS);
	s->config.deliver_errors = true;
	engine_reconfigure(A->engine, s->now, &s->config);
	assert_int_equal(*flags, moved);
	s->config.deliver_errors = false;
	engine_reconfigure(A->engine, s->now, &s->config);
	assert_int_equal(*flags, moved | SHIM6_PROJ_HOLD_ERRORS);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u21_acknowledgement),
		cmocka_unit_test(u02_generations),
		cmocka_unit_test(a21_generations_have_no_order),
		cmocka_unit_test(w58_preference_flags),
		cmocka_unit_test(a06_a38_handshake_again),
		cmocka_unit_test(err01_codes),
		cmocka_unit_test(err07_quote_must_be_ours),
		cmocka_unit_test(w54_methods),
		cmocka_unit_test(a39_list_when_there_is_one),
		cmocka_unit_test(y05_everything_lost),
		cmocka_unit_test(w05_some_locators_are_left_out),
		cmocka_unit_test(a19_errors_are_kept_when_there_is_a_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
