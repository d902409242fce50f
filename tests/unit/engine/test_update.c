/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Update Request and Acknowledgement: T111 to T119 of the rows. */
#include "common.h"

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

/* A with an ESTABLISHED context to the scripted B; *ct: A's tag. B's list has generation 77. */
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

/* T-07, U-07, U-03 */
static void t111_upd_retrans(void **state)
{
	uint64_t ct, at[16], last = 0;
	struct sim *s = with_script(111, &ct);
	struct shim6_pair ulid = ab(s);
	struct wire_msg first, m;
	unsigned n = 0;

	(void)state;
	s->config.idle_timeout = 100000 * SIM_SECOND;
	engine_reconfigure(A->engine, s->now, &s->config);
	A->down[1] = true;
	sim_set_local(A);
	decode_last(A, WIRE_UPDATE_REQUEST, &first);
	assert_true(first.prefs.present && !first.locators.present);
	while (n < 9) {
		if (A->last[WIRE_UPDATE_REQUEST].at != last)
			at[n++] = last = A->last[WIRE_UPDATE_REQUEST].at;
		decode_last(A, WIRE_UPDATE_REQUEST, &m);
		assert_int_equal(m.request_nonce, first.request_nonce); /* U-04 */
		sim_run(s, 100 * SIM_MS);
	}
	for (unsigned i = 1; i < n; i++) {
		uint64_t nominal = (4 * SIM_SECOND) << (i - 1);

		if (nominal > 120 * SIM_SECOND)
			nominal = 120 * SIM_SECOND;
		assert_in_range(at[i] - at[i - 1], nominal / 2, nominal / 2 * 3 + 2 * SIM_MS);
	}
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_free(s);
}

/* U-09, U-10: newer facts take a new nonce; the Ack of the old one counts for nothing */
static void t112_upd_supersede(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(112, &ct);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);
	struct wire_msg first, second;
	struct wire_pref p;
	struct script m;
	uint32_t old;

	(void)state;
	A->down[1] = true;
	sim_set_local(A);
	decode_last(A, WIRE_UPDATE_REQUEST, &first);
	old = first.request_nonce;
	A->down[1] = false;
	A->priority[1] = 4;
	sim_set_local(A);
	decode_last(A, WIRE_UPDATE_REQUEST, &second);
	assert_int_not_equal(second.request_nonce, old);
	assert_int_equal(second.prefs.elem_len, 3);
	wire_pref_get(&second.prefs, 1, &p);
	assert_true(p.flags == 0 && p.priority == 4);
	wire_begin_update_ack(&m.b, m.buf, sizeof(m.buf), ct, old);
	send_as(A, &back, &m);
	assert_int_equal(sim_counter(A, "updates_completed"), 0);
	assert_int_equal(sim_counter(A, "drop_update_ack_nonce"), 1);
	wire_begin_update_ack(&m.b, m.buf, sizeof(m.buf), ct, second.request_nonce);
	send_as(A, &back, &m);
	assert_int_equal(sim_counter(A, "updates_completed"), 1);
	sim_free(s);
}

/* U-18, U-19, U-20; U-01, U-24 */
static void t113_upd_gen_mismatch_t114_count(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(113, &ct);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct wire_pref p[3] = { { .flags = WIRE_PREF_BROKEN } };
	struct engine_ctx_info info;
	struct wire_msg m;
	struct script u;

	(void)state;
	begin(&u, ct, 1);
	wire_opt_preferences(&u.b, 78, p, 2, 1);
	send_as(A, &back, &u);
	decode_last(A, WIRE_ERROR, &m);
	assert_int_equal(m.error_code, WIRE_ERR_GENERATION);
	assert_int_equal(m.error_pointer, 40 + 16 + 4);
	begin(&u, ct, 2);
	wire_opt_preferences(&u.b, 77, p, 3, 1);
	send_as(A, &back, &u);
	decode_last(A, WIRE_ERROR, &m);
	assert_int_equal(m.error_code, WIRE_ERR_PREF_COUNT);
	assert_int_equal(m.error_pointer, 40 + 16 + 2);
	/* a good list with bad preferences is not applied either */
	begin(&u, ct, 3);
	wire_opt_locator_list(&u.b, 80, B->addr, (uint8_t[]){ 1 }, 1);
	wire_opt_preferences(&u.b, 80, p, 2, 1);
	send_as(A, &back, &u);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 0);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 2);
	assert_int_equal(info.peer[0].flags & REAP_LOC_DOWN, 0);
	/* W-73: the list alone is fine without a PDS, A has it */
	begin(&u, ct, 4);
	wire_opt_locator_list(&u.b, 80, B->addr, (uint8_t[]){ 1 }, 1);
	send_as(A, &back, &u);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 1);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 1);
	/* T118: again */
	send_as(A, &back, &u);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 2);
	assert_int_equal(sim_events(A, ENGINE_EV_LOCATORS), 1);
	sim_free(s);
}

/* R-03, U-13, U-25, PI-01 */
static void t115_upd_bad_addr(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(115, &ct);
	struct shim6_pair ulid = ab(s), foreign = reversed(&ulid);
	struct engine_ctx_info info;
	struct script u;

	(void)state;
	foreign.local.b[15] ^= 1;
	begin(&u, ct, 1);
	wire_opt_locator_list(&u.b, 80, B->addr, (uint8_t[]){ 1 }, 1);
	send_as(A, &foreign, &u);
	assert_int_equal(A->sent[WIRE_R1BIS], 1);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 0);
	wire_begin_update_ack(&u.b, u.buf, sizeof(u.buf), ct, 1);
	send_as(A, &foreign, &u);
	assert_int_equal(A->sent[WIRE_R1BIS], 2);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 2);
	sim_free(s);
}

/* U-23, T119: the current locator is BROKEN: probes first, payload stays until one comes back (V-21, PI-06) */
static void t116_upd_broken_current(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(116, &ct);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct wire_pref p[2] = { { .flags = WIRE_PREF_BROKEN }, { .flags = 0 } };
	struct engine_ctx_info info;
	struct wire_msg probe;
	struct wire_record r;
	struct script u;

	(void)state;
	begin(&u, ct, 1);
	wire_opt_preferences(&u.b, 77, p, 2, 1);
	send_as(A, &back, &u);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 1);
	assert_int_equal(A->sent[WIRE_PROBE], 1);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.reap, REAP_EXPLORING);
	assert_true(shim6_pair_eq(&info.current, &ulid));
	assert_true(shim6_addr_eq(&A->last[WIRE_PROBE].dst, &B->addr[1]));
	sim_payload(A, &ulid, UINT32_MAX);
	assert_int_equal(A->payload_tagged, 0);
	/* the probe is reported: now it moves */
	decode_last(A, WIRE_PROBE, &probe);
	wire_record_get(&probe, 0, &r);
	back = sim_ulids(s, 1, 1, 0, shim6_addr_eq(&r.src, &A->addr[0]) ? 0 : 1);
	wire_begin_probe(&u.b, u.buf, sizeof(u.buf), ct, WIRE_STA_INBOUND_OK,
			 &(struct wire_record){ .src = back.local, .dst = back.peer, .nonce = 5 }, 1, &r, 1);
	send_as(A, &back, &u);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.reap, REAP_OPERATIONAL);
	assert_true(shim6_addr_eq(&info.current.peer, &B->addr[1]));
	assert_int_equal(sim_last_event(A, ENGINE_EV_SWITCHED)->reason, ENGINE_WHY_PEER_BROKEN);
	sim_free(s);
}

static void t117_upd_states(void **state)
{
	struct sim *s = scripted(117);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct engine_ctx_info info;
	uint8_t v[16] = { 0 };
	struct wire_msg i1;
	struct script u;

	(void)state;
	engine_trigger(A->engine, s->now, &ulid);
	assert_true(sim_context(A, &ulid, &info));
	begin(&u, info.ct_local, 1);
	send_as(A, &back, &u);
	assert_int_equal(sim_counter(A, "drop_tag_not_ready"), 1); /* I1-SENT */
	decode_last(A, WIRE_I1, &i1);
	wire_begin_r1(&u.b, u.buf, sizeof(u.buf), i1.init_nonce, 99);
	wire_opt_validator(&u.b, v, sizeof(v));
	send_as(A, &back, &u);
	s->now += SIM_SECOND;
	begin(&u, info.ct_local, 1);
	send_as(A, &back, &u);
	assert_int_equal(A->sent[WIRE_I2], 2); /* I2-SENT: I2 again, no Ack */
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 0);
	wire_begin_r2(&u.b, u.buf, sizeof(u.buf), 5, i1.init_nonce);
	put_hba(&u.b, B, 77);
	send_as(A, &back, &u);
	begin(&u, info.ct_local, 1); /* an Ack, so that something with CT(peer) was sent */
	send_as(A, &back, &u);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 1);
	wire_begin_r1bis(&u.b, u.buf, sizeof(u.buf), 5, 33);
	wire_opt_validator(&u.b, v, sizeof(v));
	send_as(A, &back, &u);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2BIS_SENT);
	s->now += SIM_SECOND;
	begin(&u, info.ct_local, 2);
	send_as(A, &back, &u);
	assert_int_equal(A->sent[WIRE_I2BIS], 2); /* I2BIS-SENT: I2bis again, and Ack (U-15) */
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 2);
	sim_free(s);
}

/* ERR-09, A-35: Error 3 for our request: the whole picture with a new generation, once; U-01 */
static void err09_out_of_sync(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(9, &ct);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);
	struct wire_msg first, second;
	struct script u;

	(void)state;
	A->down[1] = true;
	sim_set_local(A);
	for (unsigned round = 0; round < 2; round++) {
		const struct sim_message *l = &A->last[WIRE_UPDATE_REQUEST];
		uint8_t quote[WIRE_MAX_PACKET] = { 0x60, [5] = (uint8_t)l->len, [6] = WIRE_PROTO };

		decode_last(A, WIRE_UPDATE_REQUEST, round ? &second : &first);
		memcpy(quote + 8, &l->src, 16);
		memcpy(quote + 24, &l->dst, 16);
		memcpy(quote + 40, l->buf, l->len);
		wire_begin_error(&u.b, u.buf, sizeof(u.buf), WIRE_ERR_GENERATION, 60, quote, 40 + l->len);
		send_as(A, &back, &u);
		send_as(A, &back, &u); /* quotes what is no longer outstanding */
	}
	assert_true(second.locators.present && second.pds.p);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 2);
	sim_run(s, 30 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 2);
	assert_int_equal(sim_counter(A, "drop_error_no_match"), 2);
	sim_free(s);
}

/* TR17, PF-21, PT-19: another Send Timeout is told once; a shorter one counts when the peer knows */
static void tr17_send_timeout_at_run_time(void **state)
{
	struct sim *s = two_established(17);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct engine_ctx_info info;
	struct wire_msg m;

	(void)state;
	s->config.reap.send_timeout = 20 * SIM_SECOND;
	engine_reconfigure(A->engine, s->now, &s->config);
	assert_true(sim_context(A, &ulid, &info));
	assert_in_range(info.send_timeout, 20 * SIM_SECOND, 22 * SIM_SECOND);
	decode_last(A, WIRE_UPDATE_REQUEST, &m);
	assert_true(m.has_keepalive_timeout);
	assert_int_equal(m.keepalive_timeout, 20);
	sim_run(s, 30 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 1);
	assert_true(sim_context(B, &back, &info));
	assert_int_equal(info.keepalive_timeout, 20 * SIM_SECOND);
	/* shorter: not before it is acknowledged; back to the default is told, too */
	sim_cut_locator(s, 1, 0, true);
	sim_cut_locator(s, 1, 1, true);
	s->config.reap.send_timeout = 15 * SIM_SECOND;
	engine_reconfigure(A->engine, s->now, &s->config);
	sim_run(s, SIM_SECOND);
	assert_true(sim_context(A, &ulid, &info));
	assert_in_range(info.send_timeout, 20 * SIM_SECOND, 22 * SIM_SECOND);
	sim_cut_locator(s, 1, 0, false);
	sim_cut_locator(s, 1, 1, false);
	sim_run(s, 30 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &info));
	assert_in_range(info.send_timeout, 15 * SIM_SECOND, 33 * SIM_SECOND / 2);
	assert_true(sim_context(B, &back, &info));
	assert_int_equal(info.keepalive_timeout, 15 * SIM_SECOND);
	sim_free(s);
}

/* The peer has no list of ours: the option travels alone */
static void pf21_without_a_list(void **state)
{
	struct sim *s = scripted(21);
	struct shim6_pair ulid = ab(s);
	struct wire_msg m;

	(void)state;
	A->single = true;
	sim_set_local(A);
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	sim_start_host(B);
	sim_run(s, 10 * SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	s->config.reap.send_timeout = 20 * SIM_SECOND;
	engine_reconfigure(A->engine, s->now, &s->config);
	decode_last(A, WIRE_UPDATE_REQUEST, &m);
	assert_true(m.has_keepalive_timeout && !m.prefs.present && !m.locators.present);
	sim_run(s, SIM_SECOND);
	assert_int_equal(B->sent[WIRE_UPDATE_ACK], 1);
	sim_free(s);
}

/* AMB-R22: a preferred locator that does not answer is tried again after a minute, however often it is preferred */
static void amb_r22_vain_preference(void **state)
{
	uint64_t ct;
	struct sim *s = with_script(122, &ct);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0), ulid = ab(s);
	struct engine_ctx_info info;
	struct wire_msg probe;
	struct wire_record sent, got;
	struct script m;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		struct wire_pref p[2] = { { .priority = 9 }, { .priority = (uint8_t)(i % 2) } };

		begin(&m, ct, 100 + i);
		wire_opt_preferences(&m.b, 77, p, 2, 2);
		send_as(A, &back, &m);
		assert_true(sim_context(A, &ulid, &info));
		while (info.reap != REAP_OPERATIONAL) { /* only the old pair answers */
			sim_run(s, 100 * SIM_MS);
			decode_last(A, WIRE_PROBE, &probe);
			wire_record_get(&probe, 0, &got);
			if (!shim6_addr_eq(&got.dst, &back.local) || !shim6_addr_eq(&got.src, &back.peer))
				continue;
			sent = (struct wire_record){ .src = back.local, .dst = back.peer, .nonce = i };
			wire_begin_probe(&m.b, m.buf, sizeof(m.buf), ct, WIRE_STA_INBOUND_OK, &sent, 1, &got, 1);
			send_as(A, &back, &m);
			assert_true(sim_context(A, &ulid, &info));
		}
		sim_run(s, 4 * SIM_SECOND);
	}
	assert_in_range(info.episodes, 2, 4); /* in about 160 s */
	assert_true(sim_counter(A, "limit_preference") > 30);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t111_upd_retrans),
		cmocka_unit_test(t112_upd_supersede),
		cmocka_unit_test(t113_upd_gen_mismatch_t114_count),
		cmocka_unit_test(t115_upd_bad_addr),
		cmocka_unit_test(t116_upd_broken_current),
		cmocka_unit_test(t117_upd_states),
		cmocka_unit_test(err09_out_of_sync),
		cmocka_unit_test(tr17_send_timeout_at_run_time),
		cmocka_unit_test(pf21_without_a_list),
		cmocka_unit_test(amb_r22_vain_preference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
