/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Establishment: T040 to T064 of the rows. */
#include "common.h"

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

static struct shim6_pair ba(const struct sim *s)
{
	return sim_ulids(s, 1, 0, 0, 0);
}

/* G-01: each end sends with the tag that the other chose */
static void t040_4way(void **state)
{
	struct sim *s = two_hosts(40);
	struct shim6_pair ulid = ab(s), back = ba(s);
	struct engine_ctx_info a, b;

	(void)state;
	engine_trigger(A->engine, s->now, &ulid);
	assert_int_equal(state_of(A, &ulid), ENGINE_I1_SENT);
	sim_run(s, SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a));
	assert_true(sim_context(B, &back, &b));
	assert_int_equal(a.state, ENGINE_ESTABLISHED);
	assert_int_equal(b.state, ENGINE_ESTABLISHED);
	assert_true(a.ct_peer == b.ct_local && a.ct_local == b.ct_peer && a.ct_local != a.ct_peer);
	assert_int_equal(A->sent[WIRE_I1] + A->sent[WIRE_I2] + B->sent[WIRE_R1] + B->sent[WIRE_R2], 4);
	assert_int_equal(a.n_peer, 2);
	assert_int_equal(b.n_peer, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(shim6_addr_eq(&a.peer[i].addr, &B->addr[i]) && a.peer[i].verified);
		assert_true(shim6_addr_eq(&b.peer[i].addr, &A->addr[i]) && b.peer[i].verified);
	}
	assert_true(a.initiator && !b.initiator);
	assert_int_equal(sim_events(A, ENGINE_EV_NEW), 1);
	assert_int_equal(sim_last_event(A, ENGINE_EV_ESTABLISHED)->reason, ENGINE_WHY_TRIGGER);
	assert_int_equal(sim_last_event(B, ENGINE_EV_ESTABLISHED)->reason, ENGINE_WHY_PEER);
	assert_int_equal(A->slot[a.slot].p.flags, SHIM6_PROJ_ACCEPT);
	/* idle: no REAP packet at all (PT-13) */
	sim_run(s, 100 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_KEEPALIVE] + A->sent[WIRE_PROBE] + B->sent[WIRE_KEEPALIVE], 0);
	sim_free(s);
}

static void t041_trigger_once(void **state)
{
	struct sim *s = two_hosts(41);
	struct shim6_pair ulid = ab(s), foreign = { .local = B->addr[0], .peer = A->addr[0] };

	(void)state;
	for (int i = 0; i < 5; i++)
		engine_trigger(A->engine, s->now, &ulid);
	engine_trigger(A->engine, s->now, &foreign);
	assert_int_equal(A->sent[WIRE_I1], 1);
	assert_int_equal(engine_establish(A->engine, s->now, &foreign), ENGINE_E_NOT_LOCAL);
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_E_EXISTS);
	sim_free(s);
}

/* Z-01: 10^5 I1 from distinct sources leave nothing behind and are answered at a bounded rate (E-08, E-20) (HV-18) */
static void t042_r1_stateless(void **state)
{
	struct sim *s = scripted(42);
	struct shim6_pair p = ba(s);

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		p.local.b[4] = (uint8_t)(i >> 16);
		p.local.b[5] = (uint8_t)(i >> 8);
		p.local.b[6] = (uint8_t)(0x80 | i);
		script_i1(s, &p, i, i);
	}
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(A->engine->contexts.n, 0);
	assert_int_equal(A->engine->negative.n, 0);
	assert_int_equal(engine_next_deadline(A->engine), ENGINE_NEVER);
	assert_in_range(A->sent[WIRE_R1], 900, s->config.replies_per_second);
	assert_int_equal(sim_counter(A, "limit_replies") + sim_counter(A, "limit_replies_per_64") + A->sent[WIRE_R1],
			 100000);
	sim_free(s);
}

static bool note_i1(struct sim *s, struct sim_packet *p, void *arg)
{
	uint64_t *at = arg;

	if (p->kind == SIM_CONTROL && (p->buf[2] & 0x7f) == WIRE_I1)
		at[A->sent[WIRE_I1]] = s->now;
	return false;
}

/* E-06, T-05; C-14 */
static void t043_i1_retrans_t045_holddown(void **state)
{
	struct sim *s = two_hosts(43);
	struct shim6_pair ulid = ab(s);
	uint64_t at[16] = { 0 }, failed;

	(void)state;
	s->filter = note_i1;
	s->filter_arg = at;
	engine_trigger(A->engine, s->now, &ulid);
	sim_run(s, 250 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_I1], 5);
	for (unsigned i = 1; i < 5; i++) {
		uint64_t nominal = (4 * SIM_SECOND) << (i - 1);

		assert_in_range(at[i + 1] - at[i], nominal / 2, nominal / 2 * 3 + 2 * SIM_MS);
	}
	failed = sim_last_event(A, ENGINE_EV_FAILED)->now;
	assert_in_range(failed - at[5], 32 * SIM_SECOND, 96 * SIM_SECOND + 2 * SIM_MS);
	assert_int_equal(sim_last_event(A, ENGINE_EV_GONE)->reason, ENGINE_WHY_NO_ANSWER);
	assert_int_equal(sim_context_count(A), 0);
	/* T045 */
	s->filter = NULL;
	assert_true(s->now > failed + 60 * SIM_SECOND); /* over by now: make it anew */
	negative_add(A->engine, s->now, &ulid, ENGINE_E_FAILED);
	sim_run(s, 59 * SIM_SECOND);
	engine_trigger(A->engine, s->now, &ulid);
	assert_int_equal(A->sent[WIRE_I1], 5);
	sim_run(s, 2 * SIM_SECOND);
	engine_trigger(A->engine, s->now, &ulid);
	assert_int_equal(A->sent[WIRE_I1], 6);
	sim_free(s);
}

/* T-02: first interval uniform in [2, 6] s: Kolmogorov-Smirnov against the line (T-03) */
static void t044_jitter_dist(void **state)
{
	struct sim *s = two_hosts(44);
	unsigned bucket[20] = { 0 }, below = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t t = engine_backoff(A->engine, 4 * SIM_SECOND, 0, ENGINE_NEVER);

		assert_in_range(t, 2 * SIM_SECOND, 6 * SIM_SECOND);
		bucket[(t - 2 * SIM_SECOND) * 20 / (4 * SIM_SECOND + 1)]++;
	}
	for (unsigned i = 0; i < 20; i++) {
		below += bucket[i];
		assert_in_range(below + 52, (i + 1) * 50, (i + 1) * 50 + 104); /* D < 1.63 / sqrt(1000) */
	}
	sim_free(s);
}

static void icmp_quote(struct sim *s, uint8_t type, uint8_t code, const struct sim_message *m, int flip)
{
	uint8_t quote[WIRE_MAX_PACKET] = { 0x60, [6] = WIRE_PROTO, [7] = 64 };

	quote[5] = (uint8_t)m->len;
	memcpy(quote + 8, &m->src, 16);
	memcpy(quote + 24, &m->dst, 16);
	memcpy(quote + 40, m->buf, m->len);
	if (flip >= 0)
		quote[flip] ^= 1;
	engine_input_icmp(A->engine, s->now, type, code, 6, quote, 40 + m->len);
}

/* T-06, I-17; A-03, S-01: NO-SUPPORT, as the prose has it; L-11: the tag in the quoted I1 is our own */
static void t046_icmp_nosupport_t047_forged(void **state)
{
	struct sim *s = scripted(46);
	struct shim6_pair ulid = ab(s), other = sim_ulids(s, 0, 1, 1, 0);

	(void)state;
	engine_trigger(A->engine, s->now, &ulid);
	/* T047: wrong address, tag, nonce; then the wrong error */
	icmp_quote(s, 4, 1, &A->last[WIRE_I1], 39);
	icmp_quote(s, 4, 1, &A->last[WIRE_I1], 51);
	icmp_quote(s, 4, 1, &A->last[WIRE_I1], 55);
	assert_int_equal(sim_counter(A, "drop_icmp_no_match"), 3);
	icmp_quote(s, 1, 0, &A->last[WIRE_I1], -1);
	icmp_quote(s, 4, 0, &A->last[WIRE_I1], -1);
	assert_int_equal(state_of(A, &ulid), ENGINE_I1_SENT);
	icmp_quote(s, 4, 1, &A->last[WIRE_I1], -1);
	assert_int_equal(state_of(A, &ulid), ENGINE_IDLE);
	assert_int_equal(sim_last_event(A, ENGINE_EV_FAILED)->reason, ENGINE_WHY_NO_SUPPORT);
	/* for the peer ULID, whatever our own */
	sim_run(s, 598 * SIM_SECOND);
	engine_trigger(A->engine, s->now, &ulid);
	engine_trigger(A->engine, s->now, &other);
	assert_int_equal(A->sent[WIRE_I1], 1);
	/* an operator may insist */
	assert_int_equal(engine_establish(A->engine, s->now, &other), ENGINE_OK);
	assert_int_equal(A->sent[WIRE_I1], 2);
	negative_add(A->engine, s->now, &ulid, ENGINE_NO_SUPPORT);
	sim_run(s, 601 * SIM_SECOND);
	engine_trigger(A->engine, s->now, &ulid);
	assert_int_equal(state_of(A, &ulid), ENGINE_I1_SENT);
	sim_free(s);
}

/* S-02 */
static void t048_cache_not_responder(void **state)
{
	static const enum engine_state why[] = { ENGINE_E_FAILED, ENGINE_NO_SUPPORT };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sim *s = two_hosts(48);
		struct shim6_pair ulid = ab(s), back = ba(s);

		negative_add(A->engine, s->now, &ulid, why[i]);
		engine_trigger(B->engine, s->now, &back);
		sim_run(s, SIM_SECOND);
		assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
		assert_false(negative_holds(A->engine, &ulid));
		sim_free(s);
	}
}

/* An R1 for A's I1, with a nonce off by delta, on this pair (B's view). */
static void reply_r1(struct sim *s, const struct shim6_pair *pair, uint32_t delta)
{
	uint8_t v[16] = { 1, 2, 3 };
	struct wire_msg i1;
	struct script m;

	decode_last(A, WIRE_I1, &i1);
	wire_begin_r1(&m.b, m.buf, sizeof(m.buf), i1.init_nonce + delta, 99);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, pair, &m);
}

static void reply_r2(struct sim *s, const struct shim6_pair *pair, uint64_t ct, bool good_pds)
{
	struct wire_msg i2;
	struct script m;

	decode_last(A, A->last[WIRE_I2BIS].at > A->last[WIRE_I2].at ? WIRE_I2BIS : WIRE_I2, &i2);
	wire_begin_r2(&m.b, m.buf, sizeof(m.buf), ct, i2.init_nonce);
	put_hba(&m.b, good_pds ? B : A, 5);
	send_as(A, pair, &m);
}

/* E-40, E-83, S-03, S-05, N-03, A-31; Z-03 */
static void t049_r1_wrong_t050_r1_dup(void **state)
{
	struct sim *s = scripted(49);
	struct shim6_pair ulid = ab(s), back = ba(s), wrong = sim_ulids(s, 1, 1, 0, 0);
	struct engine_ctx_info info;

	(void)state;
	engine_trigger(A->engine, s->now, &ulid);
	reply_r1(s, &back, 1);
	reply_r1(s, &wrong, 0);
	assert_int_equal(state_of(A, &ulid), ENGINE_I1_SENT);
	reply_r1(s, &back, 0);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2_SENT);
	reply_r1(s, &back, 0);
	assert_int_equal(A->sent[WIRE_I2], 1);
	assert_int_equal(sim_counter(A, "drop_wrong_state"), 1);
	/* T062: R2 with a PDS that is not ULID(peer)'s */
	reply_r2(s, &back, 3, false);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2_SENT);
	assert_int_equal(sim_counter(A, "drop_pds"), 1);
	reply_r2(s, &back, 3, true);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	reply_r1(s, &back, 0);
	/* T061: a second R2 with another tag */
	reply_r2(s, &back, 4, true);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.ct_peer, 3);
	assert_int_equal(A->sent[WIRE_I2], 1);
	sim_free(s);
}

/* E-61, E-63 */
static void t051_i2_stale(void **state)
{
	struct sim *s = scripted(51);
	struct shim6_pair ulid = ab(s), back = ba(s);
	struct script m;

	(void)state;
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 6);
	s->now += 61 * SIM_SECOND;
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_IDLE);
	assert_int_equal(sim_counter(A, "drop_stale_nonce"), 1);
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 6);
	s->now += 29 * SIM_SECOND;
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_free(s);
}

/* E-21, E-62 */
static void t052_i2_tampered(void **state)
{
	struct sim *s = scripted(52);
	struct shim6_pair ulid = ab(s), back = ba(s), other = sim_ulids(s, 1, 1, 0, 0);
	struct wire_msg r1;
	struct script m;
	uint8_t v[16];

	(void)state;
	script_i1(s, &back, 5, 6);
	decode_last(A, WIRE_R1, &r1);
	memcpy(v, r1.validator.p, sizeof(v));
	/* tag */
	script_i2(&m, s, 7, 6);
	send_as(A, &back, &m);
	/* source locator */
	script_i2(&m, s, 5, 6);
	send_as(A, &other, &m);
	/* ULID */
	script_i2(&m, s, 5, 6);
	wire_opt_ulid_pair(&m.b, &B->addr[1], &A->addr[0]);
	send_as(A, &back, &m);
	/* FII */
	script_i2(&m, s, 5, 6);
	wire_opt_fii(&m.b, 1);
	send_as(A, &back, &m);
	/* validator */
	v[15] ^= 1;
	wire_begin_i2(&m.b, m.buf, sizeof(m.buf), 5, 6, r1.resp_nonce);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, &back, &m);
	assert_int_equal(sim_counter(A, "drop_bad_validator"), 5);
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(A->sent[WIRE_R2] + A->sent[WIRE_ERROR], 0);
	script_i2(&m, s, 5, 6);
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_free(s);
}

/* the I2 may carry another initiator nonce; T063: and no list (E-25, V-14) */
static void t053_i2_new_nonce_t063_single_homed(void **state)
{
	struct sim *s = scripted(53);
	struct shim6_pair ulid = ab(s), back = ba(s);
	struct engine_ctx_info info;
	struct wire_msg r2;
	struct script m;

	(void)state;
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 1234);
	send_as(A, &back, &m);
	decode_last(A, WIRE_R2, &r2);
	assert_int_equal(r2.init_nonce, 1234);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 1);
	assert_true(shim6_addr_eq(&info.peer[0].addr, &B->addr[0]));
	/* T055: the same I2 again, R2 again, same tag, one context */
	send_as(A, &back, &m);
	assert_int_equal(A->sent[WIRE_R2], 2);
	decode_last(A, WIRE_R2, &r2);
	assert_int_equal(r2.tag, info.ct_local);
	assert_int_equal(sim_context_count(A), 1);
	sim_free(s);
}

/* T-04 */
static void t054_i2_retry_fallback(void **state)
{
	struct sim *s = scripted(54);
	struct shim6_pair ulid = ab(s), back = ba(s);
	struct wire_msg i1;
	uint64_t ct;

	(void)state;
	engine_trigger(A->engine, s->now, &ulid);
	decode_last(A, WIRE_I1, &i1);
	ct = i1.tag;
	for (unsigned round = 1; round <= 3; round++) {
		reply_r1(s, &back, 0);
		while (state_of(A, &ulid) == ENGINE_I2_SENT)
			sim_run(s, SIM_SECOND);
		assert_int_equal(A->sent[WIRE_I2], 3 * round);
		if (round < 3) {
			decode_last(A, WIRE_I1, &i1);
			assert_int_equal(i1.tag, ct);
		}
	}
	/* two fallbacks, no more */
	assert_int_equal(state_of(A, &ulid), ENGINE_IDLE);
	assert_true(negative_holds(A->engine, &ulid));
	sim_free(s);
}

/* E-09, E-11, S-04 */
static void t056_i1_match_established(void **state)
{
	struct sim *s = scripted(56);
	struct shim6_pair ulid = ab(s), back = ba(s), foreign = sim_ulids(s, 1, 1, 0, 0);
	struct engine_ctx_info before, after;
	struct wire_msg r2;
	struct script m;

	(void)state;
	script_establish(s, &back, 5, 6);
	assert_true(sim_context(A, &ulid, &before));
	script_i1(s, &back, 5, 1000);
	decode_last(A, WIRE_R2, &r2);
	assert_int_equal(r2.init_nonce, 1000);
	assert_int_equal(r2.tag, before.ct_local);
	script_i1(s, &back, 99, 1001); /* other tag: R1 */
	assert_int_equal(A->sent[WIRE_R2], 2);
	assert_int_equal(A->sent[WIRE_R1], 2);
	/* T057: ULID Pair option from a source that is no locator of the peer */
	foreign.local.b[15] ^= 0xff;
	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 5, 1002);
	wire_opt_ulid_pair(&m.b, &B->addr[0], &A->addr[0]);
	send_as(A, &foreign, &m);
	assert_int_equal(A->sent[WIRE_R2], 2);
	assert_int_equal(A->sent[WIRE_R1], 3);
	assert_true(sim_context(A, &ulid, &after));
	assert_int_equal(before.ct_peer, after.ct_peer);
	sim_free(s);
}

/* T058: a handshake off the ULID pair carries the ULID Pair option; the forked one its FII (responder: H-06) */
static void t058_ulid_option(void **state)
{
	struct sim *s = scripted(58);
	struct shim6_pair back = sim_ulids(s, 1, 1, 0, 1);
	struct shim6_pair ulid = ab(s);
	struct engine_ctx_info info;
	struct script m;

	(void)state;
	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 5, 6);
	wire_opt_ulid_pair(&m.b, &B->addr[0], &A->addr[0]);
	send_as(A, &back, &m);
	assert_true(shim6_addr_eq(&A->last[WIRE_R1].src, &A->addr[1]));
	script_i2(&m, s, 5, 6);
	wire_opt_ulid_pair(&m.b, &B->addr[0], &A->addr[0]);
	put_hba(&m.b, B, 1);
	send_as(A, &back, &m);
	assert_true(sim_context(A, &ulid, &info));
	/* the pair of the handshake is the current one */
	assert_true(shim6_addr_eq(&info.current.local, &A->addr[1]));
	assert_true(shim6_addr_eq(&info.current.peer, &B->addr[1]));
	assert_int_equal(A->slot[info.slot].p.flags & SHIM6_PROJ_REWRITE, SHIM6_PROJ_REWRITE);
	/* H-06 */
	back = ba(s);
	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 15, 16);
	wire_opt_fii(&m.b, 7);
	send_as(A, &back, &m);
	script_i2(&m, s, 15, 16);
	wire_opt_fii(&m.b, 7);
	send_as(A, &back, &m);
	assert_int_equal(sim_context_count(A), 2);
	sim_free(s);
}

/* E-12; A-42 */
static void t059_ulid_not_ours(void **state)
{
	struct sim *s = scripted(59);
	struct shim6_pair back = ba(s);
	struct shim6_addr stranger = A->addr[0];
	struct script m;

	(void)state;
	stranger.b[15] ^= 1;
	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 5, 6);
	wire_opt_ulid_pair(&m.b, &B->addr[0], &stranger);
	send_as(A, &back, &m);
	assert_int_equal(A->sent[WIRE_R1], 0);
	assert_int_equal(sim_counter(A, "drop_ulid_not_local"), 1);
	sim_free(s);
}

/* E-67: an attacker at X claims the victim's ULID; without the victim's HBA set nothing happens */
static void t060_i2_foreign_ulid(void **state)
{
	struct sim *s = scripted(60);
	struct shim6_pair attack = ba(s);
	struct sim_host *x = sim_add_host(s, 2, false);
	struct script m;

	(void)state;
	attack.local = x->addr[0];
	for (unsigned with_list = 0; with_list < 2; with_list++) {
		wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 5, 6);
		wire_opt_ulid_pair(&m.b, &B->addr[0], &A->addr[0]);
		send_as(A, &attack, &m);
		script_i2(&m, s, 5, 6);
		wire_opt_ulid_pair(&m.b, &B->addr[0], &A->addr[0]);
		if (with_list)
			put_hba(&m.b, x, 1);
		send_as(A, &attack, &m);
	}
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(A->sent[WIRE_R2], 0);
	assert_int_equal(sim_counter(A, "drop_source_locator"), 1);
	assert_int_equal(sim_counter(A, "drop_pds"), 1);
	sim_free(s);
}

/* Z-02, E-27 */
static void t064_secret_rotate(void **state)
{
	struct sim *s = scripted(64);
	struct shim6_pair ulid = ab(s), back = ba(s);
	struct script m;

	(void)state;
	script_i1(s, &back, 1, 2); /* draws the first secret */
	s->now += 110 * SIM_SECOND;
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 6);
	s->now += 20 * SIM_SECOND;
	send_as(A, &back, &m);
	assert_int_equal(A->engine->validator.current.epoch, 2);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	s->now += 300 * SIM_SECOND;
	send_as(A, &back, &m);
	assert_int_equal(A->sent[WIRE_R2], 1);
	sim_free(s);
}

/* PF-20, AMB-R6: S other than 15 s is told in I2 and R2, and becomes the peer's X */
static void pf20_keepalive_timeout(void **state)
{
	struct sim *s = sim_new(20);
	struct shim6_pair ulid, back;
	struct engine_ctx_info a, b;

	(void)state;
	sim_add_host(s, 2, false);
	sim_add_host(s, 2, false);
	s->config.reap.send_timeout = 20 * SIM_SECOND;
	sim_start_host(A);
	s->config.reap.send_timeout = 30 * SIM_SECOND;
	sim_start_host(B);
	ulid = ab(s);
	back = ba(s);
	engine_trigger(A->engine, s->now, &ulid);
	sim_run(s, SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a) && sim_context(B, &back, &b));
	assert_true(a.keepalive_timeout == 30 * SIM_SECOND && b.keepalive_timeout == 20 * SIM_SECOND);
	sim_free(s);
}

/* A single-homed host answers (T063), but does not begin on its own (HD-08) */
static void t063_single_homed_peer(void **state)
{
	struct sim *s = sim_new(63);
	struct shim6_pair ulid, back;
	struct engine_ctx_info a, b;

	(void)state;
	sim_add_host(s, 2, false);
	sim_add_host(s, 1, true);
	sim_start(s);
	ulid = ab(s);
	back = ba(s);
	engine_trigger(B->engine, s->now, &back);
	assert_int_equal(B->sent[WIRE_I1], 0);
	engine_trigger(A->engine, s->now, &ulid);
	sim_run(s, SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a) && sim_context(B, &back, &b));
	assert_int_equal(a.state, ENGINE_ESTABLISHED);
	assert_int_equal(a.n_peer, 1);
	assert_int_equal(b.n_peer, 2);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t040_4way),
		cmocka_unit_test(t041_trigger_once),
		cmocka_unit_test(t042_r1_stateless),
		cmocka_unit_test(t043_i1_retrans_t045_holddown),
		cmocka_unit_test(t044_jitter_dist),
		cmocka_unit_test(t046_icmp_nosupport_t047_forged),
		cmocka_unit_test(t048_cache_not_responder),
		cmocka_unit_test(t049_r1_wrong_t050_r1_dup),
		cmocka_unit_test(t051_i2_stale),
		cmocka_unit_test(t052_i2_tampered),
		cmocka_unit_test(t053_i2_new_nonce_t063_single_homed),
		cmocka_unit_test(t054_i2_retry_fallback),
		cmocka_unit_test(t056_i1_match_established),
		cmocka_unit_test(t058_ulid_option),
		cmocka_unit_test(t059_ulid_not_ours),
		cmocka_unit_test(t060_i2_foreign_ulid),
		cmocka_unit_test(t063_single_homed_peer),
		cmocka_unit_test(t064_secret_rotate),
		cmocka_unit_test(pf20_keepalive_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
