/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locators outside the HBA set: T110, T107, TH18, TH20, TH27 of the rows from the
 * side of the host that has the key. A's set has two members and a key; its
 * third and fourth address come later.
 */
#include "common.h"

#include "engine/internal.h"
#include "test_keys.h"

static struct cga_key *key;

static int load_key(void **state)
{
	(void)state;
	return cga_key_load_pem(&key, pem_rsa_1024, sizeof(pem_rsa_1024) - 1);
}

static int free_key(void **state)
{
	(void)state;
	cga_key_free(key);
	return 0;
}

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

static struct sim *keyed(uint64_t seed, unsigned members)
{
	struct sim *s = sim_new(seed);

	sim_add_keyed_host(s, members, key, 2);
	sim_add_host(s, 2, false);
	s->config.ulid_grace = 30 * SIM_SECOND;
	sim_start(s);
	return s;
}

static struct sim *established(uint64_t seed, unsigned members)
{
	struct sim *s = keyed(seed, members);
	struct shim6_pair ulid = ab(s);

	assert_int_equal(sim_establish(A, &ulid), ENGINE_OK);
	sim_run(s, SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	return s;
}

static void assign(struct sim_host *h, unsigned i, bool on)
{
	h->assigned[i] = on;
	sim_set_local(h);
}

static struct engine_ctx_info look(struct sim_host *h, const struct shim6_pair *ulid)
{
	struct engine_ctx_info info;

	assert_true(sim_context(h, ulid, &info));
	return info;
}

static uint32_t look_generation(struct sim_host *h, const struct shim6_pair *ulid)
{
	return context_by_ulid(h->engine, ulid, 0)->peer_generation;
}

/* Is this one end of the current pair? */
static void assert_on(struct sim_host *h, const struct shim6_pair *ulid, const struct shim6_addr *a)
{
	struct engine_ctx_info info = look(h, ulid);

	assert_true(shim6_addr_eq(&info.current.local, a) || shim6_addr_eq(&info.current.peer, a));
}

/* Does B have exactly these addresses of A, the first two by HBA, the others by CGA? */
static void assert_list_at_b(struct sim *s, const unsigned *which, unsigned n, unsigned members)
{
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);
	struct engine_ctx_info info = look(B, &back);

	assert_int_equal(info.n_peer, n);
	for (unsigned i = 0; i < n; i++) {
		assert_true(shim6_addr_eq(&info.peer[i].addr, &A->addr[which[i]]));
		assert_int_equal(info.peer[i].method, which[i] < members ? WIRE_METHOD_HBA : WIRE_METHOD_CGA);
		assert_true(info.peer[i].verified);
	}
}

/* T110, TH18, TH20 (HD-05, U-01, U-02, U-05, U-06, U-27, V-06, HS-01, HS-04): a prefix appears; a signed Update Request
 * brings it, and when the old ones are gone the session goes on there */
static void t110_a_prefix_appears(void **state)
{
	struct sim *s = established(110, 2);
	struct shim6_pair ulid = ab(s);
	struct engine_ctx_info before = look(A, &ulid), info;
	struct shim6_addr added[1];
	struct wire_msg first, m;
	struct cga_pds pds;
	unsigned flow;

	(void)state;
	assert_int_equal(before.n_local, 2);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 0);
	decode_last(A, WIRE_I2, &first);
	assert_null(first.signature.p); /* no stranger makes us sign */
	flow = sim_flow_add(s, 0, &ulid, 50 * SIM_MS, true);
	assign(A, 2, true);
	sim_run(s, 15 * SIM_MS); /* on its way */
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 1);
	decode_last(A, WIRE_UPDATE_REQUEST, &m);
	assert_int_equal(m.locators.n, 3);
	assert_int_equal(m.locators.generation, first.locators.generation + 1);
	assert_memory_equal(m.locators.methods, ((uint8_t[]){ WIRE_METHOD_HBA, WIRE_METHOD_HBA, WIRE_METHOD_CGA }), 3);
	assert_non_null(m.pds.p);
	assert_int_equal(cga_pds_parse(&pds, m.pds.p, m.pds.len), CGA_OK);
	added[0] = A->addr[2];
	assert_int_equal(cga_verify_signature(&pds, m.locators.generation, added, 1, m.signature.p, m.signature.len),
			 CGA_OK);
	/* not used before it is acknowledged (PA-21), and not BROKEN either */
	info = look(A, &ulid);
	assert_true(info.local[2].flags & REAP_LOC_GONE && !info.local[2].verified);
	assert_int_equal(m.prefs.n, 3);
	assert_int_equal(m.prefs.elements[2 * m.prefs.elem_len] & WIRE_PREF_BROKEN, 0);
	sim_run(s, 100 * SIM_MS);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 1);
	info = look(A, &ulid);
	assert_true(info.local[2].flags == 0 && info.local[2].verified);
	assert_int_equal(info.local[2].method, WIRE_METHOD_CGA);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 2 }, 3, 2);

	sim_cut_locator(s, 0, 0, true);
	sim_cut_locator(s, 0, 1, true);
	sim_run(s, 60 * SIM_SECOND);
	info = look(A, &ulid);
	assert_true(shim6_addr_eq(&info.current.local, &A->addr[2]));
	assert_int_equal(info.reap, REAP_OPERATIONAL);
	assert_true(s->flow[flow].last_answered > s->now - SIM_SECOND);
	sim_free(s);
}

static bool lose_acks(struct sim *s, struct sim_packet *p, void *arg)
{
	(void)s;
	(void)arg;
	return p->kind != SIM_CONTROL || p->buf[2] != WIRE_UPDATE_ACK;
}

/* U-11, T112, U-08, U-09, U-10: the example of 10.3: while a list is not acknowledged another locator comes and the
 * first breaks: one request with all of it, of a new generation; the Ack of the abandoned one counts for nothing */
static void u11_worked_example(void **state)
{
	struct sim *s = established(11, 2);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);
	struct wire_msg first, m;
	struct wire_pref pref;
	struct script ack;
	uint32_t nonce, generation;

	(void)state;
	s->filter = lose_acks;
	assign(A, 2, true);
	sim_run(s, 100 * SIM_MS);
	decode_last(A, WIRE_UPDATE_REQUEST, &first);
	nonce = first.request_nonce;
	generation = first.locators.generation;
	assert_int_equal(first.locators.n, 3);
	A->assigned[3] = true;
	A->down[0] = true;
	sim_set_local(A);
	sim_run(s, 100 * SIM_MS);
	decode_last(A, WIRE_UPDATE_REQUEST, &m);
	assert_int_not_equal(m.request_nonce, nonce);
	assert_int_equal(m.locators.n, 4);
	assert_int_equal(m.locators.generation, generation + 1);
	assert_int_equal(m.prefs.generation, generation + 1);
	for (unsigned i = 0; i < 4; i++) {
		struct shim6_addr l;

		wire_locator_get(&m.locators, i, &l);
		assert_true(shim6_addr_eq(&l, &A->addr[i]));
		wire_pref_get(&m.prefs, i, &pref);
		assert_int_equal(pref.flags, i ? 0 : WIRE_PREF_BROKEN);
	}
	wire_begin_update_ack(&ack.b, ack.buf, sizeof(ack.buf), context_by_id(A->engine, 1)->ct_local, nonce);
	send_as(A, &back, &ack);
	assert_int_equal(sim_counter(A, "updates_completed"), 0);
	s->filter = NULL;
	sim_run(s, 20 * SIM_SECOND);
	assert_int_equal(sim_counter(A, "updates_completed"), 1);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 2, 3 }, 4, 2);
	sim_free(s);
}

/* A locator that goes is BROKEN at once and withdrawn after ulid_grace; one in use is not before it is left; a flap
 * costs no signature */
static void u02_withdrawn_when_it_goes(void **state)
{
	struct sim *s = established(2, 2);
	struct shim6_pair ulid = ab(s), back = sim_ulids(s, 1, 0, 0, 0), outside = { A->addr[2], B->addr[0] };
	struct engine_ctx_info info;
	uint64_t made;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	assign(A, 2, true);
	sim_run(s, SIM_SECOND);
	made = sim_counter(A, "signatures_made");
	assert_int_equal(made, 1);
	assign(A, 2, false);
	sim_run(s, SIM_SECOND);
	assert_true(look(B, &back).peer[2].flags & REAP_LOC_DOWN);
	assign(A, 2, true);
	sim_run(s, SIM_SECOND);
	assert_false(look(B, &back).peer[2].flags & REAP_LOC_DOWN);
	assert_int_equal(sim_counter(A, "signatures_made"), made);

	info = look(A, &ulid);
	assert_int_equal(sim_explore(A, info.id, &outside), ENGINE_OK);
	sim_run(s, 2 * SIM_SECOND);
	info = look(A, &ulid);
	assert_true(shim6_addr_eq(&info.current.local, &A->addr[2]));
	/* nothing else works: it stays listed for longer than the grace, because it is in use */
	sim_cut_locator(s, 0, 0, true);
	sim_cut_locator(s, 0, 1, true);
	assign(A, 2, false);
	sim_run(s, 40 * SIM_SECOND);
	assert_int_equal(look(A, &ulid).n_local, 3);
	sim_cut_locator(s, 0, 0, false);
	sim_cut_locator(s, 0, 1, false);
	sim_run(s, 200 * SIM_SECOND);
	assert_int_equal(look(A, &ulid).n_local, 2);
	assert_list_at_b(s, (unsigned[]){ 0, 1 }, 2, 2);
	assert_int_equal(sim_counter(A, "signatures_made"), made); /* a list of HBAs needs none */
	assert_int_equal(sim_counter(A, "outside_withdrawn"), 1);
	sim_free(s);
}

/* One of two goes and the other stays: a new generation, signed anew; the order of those kept stays (W-64) */
static void w64_the_rest_is_signed_anew(void **state)
{
	struct sim *s = established(64, 2);
	struct wire_msg m;
	uint32_t generation;

	(void)state;
	assign(A, 2, true);
	sim_run(s, SIM_SECOND);
	assign(A, 3, true);
	sim_run(s, SIM_SECOND);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 2, 3 }, 4, 2);
	decode_last(A, WIRE_UPDATE_REQUEST, &m);
	generation = m.locators.generation;
	assign(A, 2, false);
	sim_run(s, 40 * SIM_SECOND);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 3 }, 3, 2);
	decode_last(A, WIRE_UPDATE_REQUEST, &m);
	assert_int_equal(m.locators.generation, generation + 1);
	assert_non_null(m.signature.p);
	assert_int_equal(sim_counter(A, "signatures_made"), 3);
	sim_free(s);
}

/* One address per /64 that is not covered yet, as two in one prefix fail together */
static void one_address_for_each_prefix(void **state)
{
	struct sim *s = keyed(3, 2);
	struct shim6_pair ulid = ab(s);

	(void)state;
	memcpy(A->addr[2].b, A->addr[0].b, 8); /* a temporary address, say, beside a member of the set */
	assign(A, 2, true);
	assign(A, 3, true);
	assert_int_equal(sim_establish(A, &ulid), ENGINE_OK);
	sim_run(s, SIM_SECOND);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 3 }, 3, 2);
	/* the address that was chosen stays, though another comes first now */
	memcpy(A->addr[2].b, A->addr[3].b, 8);
	sim_set_local(A);
	sim_run(s, SIM_SECOND);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 3 }, 3, 2);
	assert_int_equal(sim_counter(A, "signatures_made"), 1);
	sim_free(s);
}

/* U-06, A-27: without a key only the locators of the set */
static void u06_no_key(void **state)
{
	struct sim *s = sim_new(6);
	struct shim6_pair ulid;

	(void)state;
	sim_add_keyed_host(s, 2, key, 2);
	A->key = NULL;
	sim_add_host(s, 2, false);
	sim_start(s);
	ulid = ab(s);
	assert_int_equal(sim_establish(A, &ulid), ENGINE_OK);
	assign(A, 2, true);
	sim_run(s, 2 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 0);
	assert_int_equal(look(A, &ulid).n_local, 2);
	sim_free(s);
}

/* A set of one prefix has no list until a second prefix comes (V-14); then a packet may trigger a context */
static void v14_a_set_of_one(void **state)
{
	struct sim *s = keyed(14, 1);
	struct shim6_pair ulid = ab(s);

	(void)state;
	sim_trigger(A, &ulid);
	assert_int_equal(state_of(A, &ulid), ENGINE_IDLE);
	assign(A, 1, true);
	sim_trigger(A, &ulid);
	sim_run(s, SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_list_at_b(s, (unsigned[]){ 0, 1 }, 2, 1);
	sim_free(s);
}

/* R-17, E-67: on a locator outside the set, the peer forgets everything: I2bis proves it by the signed list */
static void r17_the_peer_forgets(void **state)
{
	struct sim *s = established(17, 2);
	struct shim6_pair ulid = ab(s);
	struct wire_msg m;
	unsigned flow = sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);

	(void)state;
	assign(A, 2, true);
	sim_run(s, SIM_SECOND);
	sim_cut_locator(s, 0, 0, true);
	sim_cut_locator(s, 0, 1, true);
	sim_run(s, 60 * SIM_SECOND);
	assert_on(A, &ulid, &A->addr[2]);
	sim_amnesia(B);
	sim_run(s, 30 * SIM_SECOND);
	assert_true(A->sent[WIRE_I2BIS] > 0);
	decode_last(A, WIRE_I2BIS, &m);
	assert_non_null(m.signature.p);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 2 }, 3, 2);
	assert_true(s->flow[flow].last_answered > s->now - SIM_SECOND);
	sim_free(s);
}

/* it is we who forget; the peer speaks to the locator outside the set, and R2 has the signed list */
static void r17_we_forget(void **state)
{
	struct sim *s = established(18, 2);
	struct shim6_pair ulid = ab(s), back = sim_ulids(s, 1, 0, 0, 0);
	struct wire_msg m;
	unsigned flow = sim_flow_add(s, 1, &back, 100 * SIM_MS, true);

	(void)state;
	assign(A, 2, true);
	sim_run(s, SIM_SECOND);
	sim_cut_locator(s, 0, 0, true);
	sim_cut_locator(s, 0, 1, true);
	sim_run(s, 60 * SIM_SECOND);
	assert_on(B, &back, &A->addr[2]);
	sim_amnesia(A);
	sim_run(s, 30 * SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	decode_last(A, WIRE_R2, &m);
	assert_non_null(m.signature.p);
	assert_on(A, &ulid, &A->addr[2]);
	assert_true(s->flow[flow].last_answered > s->now - SIM_SECOND);
	sim_free(s);
}

/* A new process has the longer list again; one that was not acknowledged is told anew */
static void a_new_process(void **state)
{
	struct sim *s = established(11, 2);
	struct shim6_pair ulid = ab(s);
	struct engine_ctx_info info;

	(void)state;
	assign(A, 2, true);
	sim_run(s, SIM_SECOND);
	assert_int_equal(sim_restart(A), 1);
	info = look(A, &ulid);
	assert_int_equal(info.n_local, 3);
	assert_true(shim6_addr_eq(&info.local[2].addr, &A->addr[2]));
	sim_run(s, SIM_SECOND);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 1); /* the first */
	assign(A, 3, true);
	sim_run(s, 5 * SIM_MS);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 2);
	assert_int_equal(sim_restart(A), 1);
	sim_run(s, SIM_SECOND);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 2, 3 }, 4, 2);
	assert_true(look(A, &ulid).local[3].verified);
	/* gone while nobody ran */
	sim_crash(A, true, true);
	A->assigned[3] = false;
	assert_int_equal(sim_revive(A), 1);
	sim_run(s, SIM_SECOND);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 2 }, 3, 2);
	sim_free(s);
}

static bool drop_signed(struct sim *s, struct sim_packet *p, void *arg)
{
	struct wire_msg m;
	size_t offset;

	(void)s;
	(void)arg;
	return !(p->kind == SIM_CONTROL && p->from == 0 && wire_decode(p->buf, p->len, &m, &offset) == WIRE_OK &&
		 m.signature.p);
}

/* A list that can be signed no more is not sent */
static void hs04_never_without_signature(void **state)
{
	struct sim *s = established(4, 2);

	(void)state;
	A->no_signature = true;
	assign(A, 2, true);
	sim_run(s, SIM_SECOND);
	assert_true(sim_counter(A, "signature_failed") > 0);
	assert_int_equal(A->sent[WIRE_UPDATE_REQUEST], 0);
	A->no_signature = false;
	sim_run(s, 10 * SIM_SECOND);
	assert_list_at_b(s, (unsigned[]){ 0, 1, 2 }, 3, 2);
	sim_free(s);
}

/* A peer that drops signed lists without a word still hears what is BROKEN */
static void no_answer_to_the_list(void **state)
{
	struct sim *s = established(16, 2);
	struct shim6_pair ulid = ab(s), back = sim_ulids(s, 1, 0, 0, 0);

	(void)state;
	s->config.idle_timeout = 100000 * SIM_SECOND;
	sim_reconfigure(A, &s->config);
	sim_reconfigure(B, &s->config);
	s->filter = drop_signed;
	assign(A, 2, true);
	A->down[1] = true;
	sim_set_local(A);
	sim_run(s, 400 * SIM_SECOND);
	assert_int_equal(sim_counter(A, "outside_refused"), 1);
	assert_int_equal(look(A, &ulid).n_local, 2);
	assert_true(look(B, &back).peer[1].flags & REAP_LOC_DOWN);
	assert_int_equal(sim_counter(A, "updates_completed"), 1);
	sim_free(s);
}

static bool spoil_signature(struct sim *s, struct sim_packet *p, void *arg)
{
	struct wire_msg m;
	size_t offset;
	uint16_t sum;

	(void)s;
	(void)arg;
	if (p->kind != SIM_CONTROL || p->from != 0 || wire_decode(p->buf, p->len, &m, &offset) != WIRE_OK ||
	    !m.signature.p)
		return true;
	p->buf[m.signature.p - p->buf + 5] ^= 1;
	sum = wire_checksum(p->buf, p->len);
	p->buf[4] = (uint8_t)(sum >> 8);
	p->buf[5] = (uint8_t)sum;
	return true;
}

/* U-16, V-22, HS-03: a wrong signature is refused by Error 2 and changes nothing; the sender goes back to its set */
static void u16_refused(void **state)
{
	struct sim *s = established(1600, 2);
	struct shim6_pair ulid = ab(s), back = sim_ulids(s, 1, 0, 0, 0);
	uint32_t generation = look_generation(B, &back);
	struct wire_msg m;

	(void)state;
	s->filter = spoil_signature;
	assign(A, 2, true);
	sim_run(s, 15 * SIM_MS);
	assert_int_equal(look_generation(B, &back), generation);
	assert_int_equal(B->sent[WIRE_ERROR], 1);
	assert_list_at_b(s, (unsigned[]){ 0, 1 }, 2, 2);
	sim_run(s, 100 * SIM_MS);
	decode_last(B, WIRE_ERROR, &m);
	assert_int_equal(m.error_code, WIRE_ERR_LOCATOR_VERIFICATION);
	assert_int_equal(sim_counter(A, "outside_refused"), 1);
	assert_int_equal(look(A, &ulid).n_local, 2);
	assert_list_at_b(s, (unsigned[]){ 0, 1 }, 2, 2);
	assert_int_equal(sim_counter(A, "updates_completed"), 1);
	/* what is BROKEN belongs to a list that the peer has */
	A->down[1] = true;
	sim_set_local(A);
	sim_run(s, SIM_SECOND);
	assert_true(look(B, &back).peer[1].flags & REAP_LOC_DOWN);
	assert_int_equal(B->sent[WIRE_ERROR], 1);
	/* it is not offered again */
	assign(A, 3, true);
	sim_run(s, SIM_SECOND);
	assert_int_equal(B->sent[WIRE_ERROR], 1);
	sim_free(s);
}

/* Many contexts are brought up to date a few at a time */
static void many_contexts_take_turns(void **state)
{
	struct sim *s = keyed(40, 2);
	uint64_t made = 0;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		struct shim6_pair ulid = sim_ulids(s, 0, i / 2, 1, i % 2);

		assert_int_equal(sim_establish(A, &ulid), ENGINE_OK);
	}
	sim_add_host(s, 2, false);
	sim_start_host(&s->host[2]);
	for (uint32_t i = 0; i < 4; i++) {
		struct shim6_pair ulid = sim_ulids(s, 0, i / 2, 2, i % 2);

		assert_int_equal(sim_establish(A, &ulid), ENGINE_OK);
	}
	sim_run(s, SIM_SECOND);
	assign(A, 2, true);
	sim_run(s, 20 * SIM_MS);
	made = sim_counter(A, "signatures_made");
	assert_int_equal(made, 4);
	sim_run(s, SIM_SECOND);
	assert_int_equal(sim_counter(A, "signatures_made"), 8);
	for (unsigned i = 0; i < 4; i++) {
		struct shim6_pair ulid = sim_ulids(s, 0, i / 2, 2, i % 2);

		assert_true(look(A, &ulid).local[2].verified);
	}
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t110_a_prefix_appears),
		cmocka_unit_test(u11_worked_example),
		cmocka_unit_test(u02_withdrawn_when_it_goes),
		cmocka_unit_test(w64_the_rest_is_signed_anew),
		cmocka_unit_test(one_address_for_each_prefix),
		cmocka_unit_test(u06_no_key),
		cmocka_unit_test(v14_a_set_of_one),
		cmocka_unit_test(r17_the_peer_forgets),
		cmocka_unit_test(r17_we_forget),
		cmocka_unit_test(a_new_process),
		cmocka_unit_test(hs04_never_without_signature),
		cmocka_unit_test(no_answer_to_the_list),
		cmocka_unit_test(u16_refused),
		cmocka_unit_test(many_contexts_take_turns),
	};

	return cmocka_run_group_tests(tests, load_key, free_key);
}
