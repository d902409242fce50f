/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hostile peer, a failing data path or a foreign file may try: each test
 * is an attack that must end in a counter and nothing else.
 */
#include "common.h"

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

/* A complete handshake of the scripted B, with this list and, unless NULL, these preferences. */
static void offer(struct sim *s, const struct shim6_addr *locator, unsigned n, const struct wire_pref *pref,
		  uint32_t nonce)
{
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	uint8_t method[SIM_LOCATORS];
	struct script m;

	memset(method, WIRE_METHOD_HBA, sizeof(method));
	script_i1(s, &back, 5, nonce);
	script_i2(&m, s, 5, nonce);
	wire_opt_locator_list(&m.b, 77, locator, method, n);
	wire_opt_pds(&m.b, B->set.pds[0], B->set.pds_len);
	if (pref)
		wire_opt_preferences(&m.b, 77, pref, n, 1);
	send_as(A, &back, &m);
}

/* W-53, F-02: a locator listed twice is one locator; the second keeps its index for preferences and no more (E-64,
 * E-65) */
static void locator_listed_twice(void **state)
{
	struct sim *s = scripted(1);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct shim6_addr l[3] = { B->addr[0], B->addr[1], B->addr[1] };
	struct engine_ctx_info info;
	struct wire_msg r2;
	struct script m;
	uint8_t v[16] = { 0 };

	(void)state;
	offer(s, l, 3, NULL, 6);
	s->now += SIM_SECOND;
	script_i1(s, &back, 9, 7); /* another tag: R1, so that the next I2 meets ESTABLISHED */
	script_i2(&m, s, 9, 7);
	wire_opt_locator_list(&m.b, 78, l, (const uint8_t[]){ 1, 1, 1 }, 3);
	wire_opt_pds(&m.b, B->set.pds[0], B->set.pds_len);
	send_as(A, &back, &m);
	decode_last(A, WIRE_R2, &r2);
	assert_int_equal(r2.init_nonce, 7);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 3);
	assert_false(info.peer[2].verified);
	assert_int_equal(info.peer[2].flags & REAP_LOC_GONE, REAP_LOC_GONE);
	assert_int_equal(sim_counter(A, "ignored_locator"), 2);
	/* and a search by CT(peer) and that locator, which no context satisfies, ends */
	wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), 9, 1);
	wire_opt_validator(&m.b, v, sizeof(v));
	back.local = B->addr[1];
	back.peer = A->addr[1];
	send_as(A, &back, &m);
	assert_int_equal(sim_counter(A, "drop_r1bis_not_recent"), 1);
	sim_free(s);
}

/* The data path refuses a projection in the middle of a message: the context goes, what asked for it is told */
static void datapath_refuses_in_the_middle(void **state)
{
	struct wire_pref broken[2] = { { .flags = WIRE_PREF_BROKEN }, { .flags = 0 } };
	struct sim *s = scripted(2);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct script m;
	uint64_t ct;

	(void)state;
	A->refuse_flags = SHIM6_PROJ_EXPLORING;
	offer(s, B->addr, 2, broken, 6); /* established, and gone as it begins to explore */
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(A->sent[WIRE_R2], 0);
	assert_int_equal(sim_last_event(A, ENGINE_EV_GONE)->reason, ENGINE_WHY_DATAPATH);

	ct = script_establish(s, &back, 5, 7);
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), ct, 9);
	wire_opt_preferences(&m.b, 77, broken, 2, 1);
	send_as(A, &back, &m);
	assert_int_equal(sim_context_count(A), 0);

	script_establish(s, &back, 5, 8);
	s->now += SIM_SECOND;
	offer(s, B->addr, 2, broken, 9); /* I2 in ESTABLISHED */
	assert_int_equal(sim_context_count(A), 0);

	script_establish(s, &back, 5, 10);
	A->down[0] = true;
	sim_set_local(A);
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(sim_counter(A, "limit_datapath"), 4);
	assert_int_equal(sim_events(A, ENGINE_EV_GONE), 4);
	sim_free(s);
}

/* A data path stamps later than the clock the engine was given: no age is negative */
static void stamps_ahead_of_the_clock(void **state)
{
	struct sim *s = two_established(3);
	struct shim6_pair ulid = ab(s);
	const struct engine_event *ev;
	struct engine_ctx_info info;

	(void)state;
	sim_payload(A, &ulid, UINT32_MAX);
	sim_payload(B, &(struct shim6_pair){ ulid.peer, ulid.local }, UINT32_MAX);
	sim_run(s, SIM_SECOND);
	assert_true(sim_context(A, &ulid, &info));
	A->slot[info.slot].stamps.last_rx = s->now + SIM_MS;
	assert_int_equal(engine_explore(A->engine, s->now, info.id, NULL), ENGINE_OK);
	ev = sim_last_event(A, ENGINE_EV_EXPLORING);
	assert_non_null(ev);
	assert_true(ev->silence < SIM_SECOND);
	sim_free(s);
}

/* what was sent an instant after the clock was read has been sent lately */
static void r19_stamp_ahead_of_the_clock(void **state)
{
	struct sim *s = scripted(4);
	struct shim6_pair ulid = ab(s), back = { B->addr[1], A->addr[1] }, other = reversed(&back);
	struct engine_ctx_info info;
	struct script m;
	uint8_t v[16] = { 0 };

	(void)state;
	/* established on another pair, so that payload is tagged */
	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 5, 6);
	wire_opt_ulid_pair(&m.b, &ulid.peer, &ulid.local);
	send_as(A, &back, &m);
	script_i2(&m, s, 5, 6);
	wire_opt_ulid_pair(&m.b, &ulid.peer, &ulid.local);
	put_hba(&m.b, B, 77);
	send_as(A, &back, &m);
	assert_true(sim_context(A, &ulid, &info));
	assert_true(shim6_pair_eq(&info.current, &other));
	sim_payload(A, &ulid, UINT32_MAX);
	A->slot[info.slot].stamps.last_tx = s->now + SIM_MS;
	wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), 5, 1);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2BIS_SENT);
	sim_free(s);
}

/* Z-08, H-07: forks of one ULID pair are few, however many the /64 may have */
static void z08_forks_per_ulid_pair(void **state)
{
	struct sim *s = scripted(5);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct script m;

	(void)state;
	s->config.max_forks = 3;
	s->config.replies_per_64 = s->config.replies_per_second = 100000;
	engine_reconfigure(A->engine, s->now, &s->config);
	for (uint32_t fii = 0; fii < 10; fii++) {
		s->now += SIM_SECOND;
		wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 50 + fii, fii);
		wire_opt_fii(&m.b, fii);
		send_as(A, &back, &m);
		script_i2(&m, s, 50 + fii, fii);
		wire_opt_fii(&m.b, fii);
		send_as(A, &back, &m);
	}
	assert_int_equal(sim_context_count(A), 4); /* the default one and three forks */
	assert_int_equal(sim_counter(A, "limit_forks"), 6);
	/* room again once they are gone */
	sim_run(s, 400 * SIM_SECOND);
	assert_int_equal(sim_context_count(A), 0);
	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 99, 99);
	wire_opt_fii(&m.b, 99);
	send_as(A, &back, &m);
	script_i2(&m, s, 99, 99);
	wire_opt_fii(&m.b, 99);
	send_as(A, &back, &m);
	assert_int_equal(sim_context_count(A), 1);
	sim_free(s);
}

/* T-01: however many retries are configured, the timeout does not overflow into nothing */
static void backoff_never_wraps(void **state)
{
	struct sim *s = scripted(6);
	uint64_t last = 0;

	(void)state;
	for (unsigned n = 0; n < 200; n++) {
		uint64_t t = engine_backoff(A->engine, 4 * SIM_SECOND, n, ENGINE_NEVER);

		assert_in_range(t, 2 * SIM_SECOND, UINT64_MAX / 4);
		if (n < 8)
			assert_true(t > last / 4);
		last = t;
	}
	sim_free(s);
}

/* --- saved contexts --------------------------------------------------------- */

struct blob {
	uint8_t b[ENGINE_SAVED_MAX];
	size_t len;
};

static void save(struct sim *s, struct blob *out)
{
	struct shim6_pair ulid = ab(s);
	struct engine_ctx_info info;
	int n;

	assert_true(sim_context(A, &ulid, &info));
	n = engine_save(A->engine, info.id, out->b, sizeof(out->b));
	assert_true(n > 0);
	out->len = (size_t)n;
	sim_amnesia(A);
}

/* Whatever is cut off or added, it is refused and nothing is left behind */
static void restore_truncated(void **state)
{
	struct sim *s = two_established(7);
	struct blob saved;

	(void)state;
	save(s, &saved);
	for (size_t len = 0; len < saved.len; len++) {
		uint8_t *cut = malloc(len ? len : 1); /* a sanitizer sees a read behind it */

		assert_non_null(cut);
		memcpy(cut, saved.b, len);
		assert_int_equal(engine_restore(A->engine, s->now, cut, len), ENGINE_E_FORMAT);
		free(cut);
	}
	assert_int_equal(engine_restore(A->engine, s->now, saved.b, saved.len + 1), ENGINE_E_FORMAT);
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(engine_restore(A->engine, s->now, saved.b, saved.len), ENGINE_OK);
	sim_free(s);
}

/* Any octet may be anything: refused or not, the engine lives and lets go of it in time */
static void restore_damaged(void **state)
{
	struct sim *s = two_established(8);
	struct blob saved;

	(void)state;
	save(s, &saved);
	for (size_t i = 0; i < saved.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			saved.b[i] ^= (uint8_t)(1u << bit);
			engine_restore(A->engine, s->now, saved.b, saved.len);
			saved.b[i] ^= (uint8_t)(1u << bit);
			sim_run(s, 10 * SIM_MS);
			while (A->engine->contexts.oldest)
				engine_drop(A->engine, s->now, A->engine->contexts.oldest->id);
		}
	}
	sim_free(s);
}

/* A file of another boot, whose clock was ahead of ours, is not for this engine */
static void restore_of_another_boot(void **state)
{
	struct sim *s = two_established(9);
	struct blob saved;

	(void)state;
	save(s, &saved);
	assert_int_equal(engine_restore(A->engine, 100 * SIM_SECOND, saved.b, saved.len), ENGINE_E_FORMAT);
	assert_int_equal(sim_context_count(A), 0);
	sim_free(s);
}

/* PA-17: what changed while nobody was there, or was not acknowledged before, is told after the restart */
static void restore_tells_what_changed_meanwhile(void **state)
{
	struct sim *s = two_established(10);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct engine_ctx_info info;

	(void)state;
	A->down[1] = true;
	assert_int_equal(sim_restart(A), 1);
	sim_run(s, SIM_SECOND);
	assert_true(sim_context(B, &back, &info));
	assert_int_equal(info.peer[1].flags & REAP_LOC_DOWN, REAP_LOC_DOWN);
	/* an Update Request that nobody acknowledged survives the restart */
	sim_cut_locator(s, 0, 0, true);
	sim_cut_locator(s, 0, 1, true);
	A->down[1] = false;
	sim_set_local(A);
	sim_run(s, 100 * SIM_MS);
	assert_int_equal(sim_restart(A), 1);
	sim_cut_locator(s, 0, 0, false);
	sim_cut_locator(s, 0, 1, false);
	sim_run(s, 10 * SIM_SECOND);
	assert_true(sim_context(B, &back, &info));
	assert_int_equal(info.peer[1].flags & REAP_LOC_DOWN, 0);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locator_listed_twice),	     cmocka_unit_test(datapath_refuses_in_the_middle),
		cmocka_unit_test(stamps_ahead_of_the_clock), cmocka_unit_test(r19_stamp_ahead_of_the_clock),
		cmocka_unit_test(z08_forks_per_ulid_pair),   cmocka_unit_test(backoff_never_wraps),
		cmocka_unit_test(restore_truncated),	     cmocka_unit_test(restore_damaged),
		cmocka_unit_test(restore_of_another_boot),   cmocka_unit_test(restore_tells_what_changed_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
