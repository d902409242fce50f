/* SPDX-License-Identifier: GPL-2.0-or-later */
/* REAP as a part of contexts: rows of RFC 5534 that one machine alone cannot show. */
#include "common.h"

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

static struct context *context_of(struct sim_host *h, const struct shim6_pair *ulid)
{
	struct engine_ctx_info info;

	assert_true(sim_context(h, ulid, &info));
	return context_by_id(h->engine, info.id);
}

/* A Probe of the scripted peer on its pair, reporting rec or nothing. */
static void send_probe(struct sim *s, const struct shim6_pair *pair, uint64_t ct, enum wire_sta sta, uint32_t nonce,
		       const struct wire_record *rec)
{
	struct wire_record own = { .src = pair->local, .dst = pair->peer, .nonce = nonce };
	struct script m;

	wire_begin_probe(&m.b, m.buf, sizeof(m.buf), ct, sta, &own, 1, rec, rec != NULL);
	send_as(A, pair, &m);
}

static void send_keepalive(struct sim *s, const struct shim6_pair *pair, uint64_t ct)
{
	struct script m;

	wire_begin_keepalive(&m.b, m.buf, sizeof(m.buf), ct);
	send_as(A, pair, &m);
}

/* Record 1 of the last Probe that A sent, and the pair it took, as the peer sees it. */
static struct wire_record last_probe(const struct sim *s, struct shim6_pair *back)
{
	struct wire_record r;
	struct wire_msg m;

	decode_last(A, WIRE_PROBE, &m);
	wire_record_get(&m, 0, &r);
	*back = (struct shim6_pair){ .local = r.dst, .peer = r.src };
	return r;
}

/* --- before ESTABLISHED, and beside it ----------------------------------------- */

static void expect_no_reap(struct sim *s, const struct shim6_pair *back, uint64_t ct)
{
	uint64_t before = sim_counter(A, "drop_tag_not_ready");
	unsigned probes = A->sent[WIRE_PROBE], keepalives = A->sent[WIRE_KEEPALIVE];

	for (unsigned sta = WIRE_STA_OPERATIONAL; sta <= WIRE_STA_INBOUND_OK; sta++)
		send_probe(s, back, ct, (enum wire_sta)sta, sta, NULL);
	send_keepalive(s, back, ct);
	assert_int_equal(sim_counter(A, "drop_tag_not_ready") - before, 4);
	assert_int_equal(A->sent[WIRE_PROBE], probes);
	assert_int_equal(A->sent[WIRE_KEEPALIVE], keepalives);
	assert_int_equal(sim_events(A, ENGINE_EV_EXPLORING), 0);
}

/* TR07 (PF-05, PI-03, AMB-R20, PZ-03): Keepalive and Probe do nothing to REAP in I1-SENT, I2-SENT, I2BIS-SENT */
static void tr07_no_reap_before_established(void **state)
{
	struct sim *s = scripted(7);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	uint64_t ct;
	uint8_t v[16] = { 0 };
	struct wire_msg i1;
	struct script m;

	(void)state;
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	ct = context_of(A, &ulid)->ct_local;
	expect_no_reap(s, &back, ct);
	decode_last(A, WIRE_I1, &i1);
	wire_begin_r1(&m.b, m.buf, sizeof(m.buf), i1.init_nonce, 99);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2_SENT);
	expect_no_reap(s, &back, ct);
	wire_begin_r2(&m.b, m.buf, sizeof(m.buf), 5, i1.init_nonce);
	put_hba(&m.b, B, 77);
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	send_keepalive(s, &back, ct); /* now it counts */
	assert_int_equal(context_of(A, &ulid)->keepalives_received, 1);
	send_probe(s, &back, ct, WIRE_STA_OPERATIONAL, 9, NULL);
	assert_int_equal(context_of(A, &ulid)->reap.probes_received, 1);
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), ct, 1); /* an Ack: something with CT(peer) */
	send_as(A, &back, &m);
	wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), 5, 33);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, &back, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2BIS_SENT);
	expect_no_reap(s, &back, ct);
	sim_free(s);
}

/* TR90 (PX-12): the ULID pair is dead before there is a context: handshake messages, and never a Probe */
static void tr90_no_exploration_in_a_handshake(void **state)
{
	struct sim *s = two_hosts(90);
	struct shim6_pair ulid = ab(s);

	(void)state;
	sim_cut_path(s, 0, 0, 1, 0, true);
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	sim_run(s, 400 * SIM_SECOND);
	assert_true(A->sent[WIRE_I1] > 3);
	assert_int_equal(A->sent[WIRE_PROBE] + B->sent[WIRE_PROBE] + A->sent[WIRE_KEEPALIVE], 0);
	assert_true(negative_holds(A->engine, &ulid) || state_of(A, &ulid) == ENGINE_I1_SENT ||
		    state_of(A, &ulid) == ENGINE_IDLE);
	sim_free(s);
}

/* TR106 (PI-04): an R1bis in the middle of an episode ends it; after R2 REAP begins anew in Operational, with no list
 */
static void tr106_recovery_ends_the_episode(void **state)
{
	struct sim *s = scripted(106);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid), at;
	struct wire_record old;
	struct context *c;
	uint8_t v[16] = { 0 };
	struct wire_msg i2bis;
	struct script m;
	unsigned probes;
	uint64_t ct;

	(void)state;
	ct = script_establish(s, &back, 5, 6);
	c = context_of(A, &ulid);
	assert_int_equal(engine_explore(A->engine, s->now, c->id, NULL), ENGINE_OK);
	sim_run(s, SIM_SECOND);
	assert_int_equal(c->reap.state, REAP_EXPLORING);
	old = last_probe(s, &at);
	wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), 5, 33);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, &at, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2BIS_SENT);
	assert_null(c->reap.episode);
	probes = A->sent[WIRE_PROBE];
	sim_run(s, 3 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_PROBE], probes);
	decode_last(A, WIRE_I2BIS, &i2bis);
	wire_begin_r2(&m.b, m.buf, sizeof(m.buf), 500, i2bis.init_nonce);
	put_hba(&m.b, B, 78);
	send_as(A, &at, &m);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_int_equal(c->reap.state, REAP_OPERATIONAL);
	assert_null(c->reap.episode);
	assert_true(c->ct_local == ct && c->ct_peer == 500);
	/* a report of before finds nothing to match */
	send_probe(s, &back, ct, WIRE_STA_INBOUND_OK, 9, &old);
	assert_int_equal(c->reap.state, REAP_OPERATIONAL);
	assert_int_equal(A->sent[WIRE_PROBE], probes + 1);
	sim_free(s);
}

/* TR107 (PI-09): two contexts of one ULID pair have a REAP each */
static void tr107_each_context_its_own(void **state)
{
	struct sim *s = scripted(107);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct context *first, *fork;
	struct script m;
	uint64_t ct;

	(void)state;
	ct = script_establish(s, &back, 5, 6);
	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 50, 60);
	wire_opt_fii(&m.b, 3);
	send_as(A, &back, &m);
	script_i2(&m, s, 50, 60);
	wire_opt_fii(&m.b, 3);
	put_hba(&m.b, B, 77);
	send_as(A, &back, &m);
	first = context_by_tag(A->engine, ct);
	fork = context_by_ulid(A->engine, &ulid, 3);
	assert_non_null(fork);
	assert_true(first != fork);
	send_probe(s, &back, fork->ct_local, WIRE_STA_EXPLORING, 1, NULL);
	assert_int_equal(fork->reap.state, REAP_INBOUND_OK);
	assert_int_equal(first->reap.state, REAP_OPERATIONAL);
	assert_null(first->reap.episode);
	assert_int_equal(engine_explore(A->engine, s->now, first->id, NULL), ENGINE_OK);
	send_probe(s, &back, fork->ct_local, WIRE_STA_OPERATIONAL, 2, NULL);
	assert_int_equal(fork->reap.state, REAP_OPERATIONAL);
	assert_int_equal(first->reap.state, REAP_EXPLORING);
	sim_free(s);
}

/* --- what counts as payload ------------------------------------------------------ */

/* AMB-R10: Update Request and Acknowledgement move the timers as payload does; Keepalive, Probe, R1bis and Error do not
 */
static void amb_r10_control_messages_as_payload(void **state)
{
	struct sim *s = scripted(10);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	uint8_t quote[64] = { 0x60, [6] = WIRE_PROTO };
	struct shim6_stamps *st;
	struct wire_msg u;
	struct script m;
	uint64_t ct;

	(void)state;
	ct = script_establish(s, &back, 5, 6);
	st = &A->slot[context_of(A, &ulid)->slot].stamps;
	assert_true(st->send_t0 == 0 && st->ka_t0 == 0);
	A->down[1] = true;
	sim_set_local(A); /* an Update Request leaves */
	decode_last(A, WIRE_UPDATE_REQUEST, &u);
	assert_true(st->send_t0 != 0 && st->ka_t0 == 0);
	s->now += SIM_SECOND;
	wire_begin_update_ack(&m.b, m.buf, sizeof(m.buf), ct, u.request_nonce);
	send_as(A, &back, &m);
	assert_int_equal(sim_counter(A, "updates_completed"), 1);
	assert_true(st->send_t0 == 0 && st->ka_t0 == s->now);

	*st = (struct shim6_stamps){ 0 };
	send_keepalive(s, &back, ct);
	assert_true(st->send_t0 == 0 && st->ka_t0 == 0);
	wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), 77, 33);
	wire_opt_validator(&m.b, quote, 16);
	send_as(A, &back, &m);
	wire_begin_error(&m.b, m.buf, sizeof(m.buf), 0, 0, quote, sizeof(quote));
	send_as(A, &back, &m);
	assert_true(st->send_t0 == 0 && st->ka_t0 == 0);
	/* their Update Request is heard, and our Acknowledgement is sent */
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), ct, 4);
	send_as(A, &back, &m);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 1);
	assert_true(st->send_t0 == s->now && st->ka_t0 == 0);
	sim_free(s);
}

/* TR30 (PT-15): who got the last acknowledgement of a burst sends two or three Keepalives and falls silent */
static void tr30_after_the_last_ack(void **state)
{
	struct sim *s = two_established(30);
	struct shim6_pair ulid = ab(s);
	unsigned flow, sent;

	(void)state;
	flow = sim_flow_add(s, 0, &ulid, 50 * SIM_MS, true);
	sim_run(s, 20 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_KEEPALIVE] + B->sent[WIRE_KEEPALIVE], 0);
	sim_flow_stop(s, flow);
	sim_run(s, 17 * SIM_SECOND);
	sent = A->sent[WIRE_KEEPALIVE];
	assert_in_range(sent, 2, 3);
	sim_run(s, 200 * SIM_SECOND);
	assert_int_equal(A->sent[WIRE_KEEPALIVE], sent);
	assert_int_equal(B->sent[WIRE_KEEPALIVE], 0);
	assert_int_equal(sim_events(A, ENGINE_EV_EXPLORING) + sim_events(B, ENGINE_EV_EXPLORING), 0);
	assert_int_equal(A->sent[WIRE_PROBE] + B->sent[WIRE_PROBE], 0);
	sim_free(s);
}

/* The second flow's packets are too large for the path: they vanish, all else passes. */
static bool swallow_large(struct sim *s, struct sim_packet *p, void *arg)
{
	(void)s;
	(void)arg;
	return p->kind != SIM_PAYLOAD || p->flow != 1;
}

/* TR93 (PI-14): a hole for large packets alone is explored when nothing comes back, and only then; the pair stays, at
 * most one episode per Send Timeout */
static void tr93_hole_for_large_packets(void **state)
{
	for (unsigned small_too = 0; small_too < 2; small_too++) {
		struct sim *s = two_established(93);
		struct shim6_pair ulid = ab(s);
		struct engine_ctx_info a;

		(void)state;
		s->filter = swallow_large;
		sim_flow_add(s, 0, &ulid, 500 * SIM_MS, true);
		sim_flow_add(s, 0, &ulid, 20 * SIM_MS, true);
		if (!small_too)
			sim_flow_stop(s, 0);
		sim_run(s, 300 * SIM_SECOND);
		assert_true(sim_context(A, &ulid, &a));
		assert_int_equal(a.switches, 0);
		assert_true(shim6_pair_eq(&a.current, &ulid));
		if (small_too)
			assert_int_equal(a.episodes, 0);
		else
			assert_in_range(a.episodes, 1, 300 / 15);
		sim_free(s);
	}
}

/* --- pairs -------------------------------------------------------------------------- */

struct seen_pairs {
	struct sim *s;
	struct shim6_pair ulid;
	unsigned tagged, wrong;
};

/* Each payload packet of A's goes on the current pair of that moment. */
static bool on_the_current_pair(struct sim *s, struct sim_packet *p, void *arg)
{
	struct seen_pairs *seen = arg;
	struct context *c;
	bool header;

	if (p->kind != SIM_PAYLOAD || p->from != 0)
		return true;
	c = context_of(A, &seen->ulid);
	header = !shim6_pair_eq(&c->current, &seen->ulid);
	seen->tagged += p->tagged;
	seen->wrong += !shim6_addr_eq(&p->src, &c->current.local) || !shim6_addr_eq(&p->dst, &c->current.peer) ||
		       p->tagged != header;
	return true;
}

/* PA-14, PI-05: one pair at a time, also in the middle of an exploration; the header is there exactly off the ULIDs */
static void pa14_one_current_pair(void **state)
{
	struct sim *s = two_established(14);
	struct seen_pairs seen = { .s = s, .ulid = ab(s) };
	struct engine_ctx_info a;

	(void)state;
	s->filter = on_the_current_pair;
	s->filter_arg = &seen;
	sim_flow_add(s, 0, &seen.ulid, 20 * SIM_MS, true);
	sim_run(s, 5 * SIM_SECOND);
	assert_int_equal(seen.tagged, 0);
	sim_cut_locator(s, 1, 0, true);
	sim_run(s, 25 * SIM_SECOND);
	assert_true(seen.tagged > 100);
	sim_cut_locator(s, 1, 0, false);
	assert_true(sim_context(A, &seen.ulid, &a));
	assert_int_equal(a.switches, 1);
	assert_int_equal(engine_explore(A->engine, s->now, a.id, &seen.ulid), ENGINE_OK);
	sim_run(s, 5 * SIM_SECOND);
	seen.tagged = 0;
	sim_run(s, 5 * SIM_SECOND);
	assert_int_equal(seen.tagged, 0);
	assert_int_equal(seen.wrong, 0);
	sim_free(s);
}

struct probed {
	struct shim6_addr local[2], peer;
	unsigned probes, strange;
};

static bool note_probe(struct sim *s, struct sim_packet *p, void *arg)
{
	struct probed *x = arg;

	(void)s;
	if (p->kind != SIM_CONTROL || p->buf[2] != WIRE_PROBE)
		return true;
	x->probes++;
	x->strange += !shim6_addr_eq(&p->src, &x->local[0]) && !shim6_addr_eq(&p->src, &x->local[1]);
	x->strange += !shim6_addr_eq(&p->dst, &x->peer);
	return true;
}

/* PA-19, PA-21: candidates are what the peer has of us times what is verified of it: neither an address that this host
 * got later, nor a locator of a list that was refused, nor a prefix of the extension that no list names */
static void pa21_only_known_and_verified_are_probed(void **state)
{
	struct sim *s = scripted(21);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct probed seen = { .local = { A->addr[0], A->addr[1] }, .peer = B->addr[0] };
	struct engine_local locals[3] = { { .addr = A->addr[0] }, { .addr = A->addr[1] }, { .set = -1 } };
	const uint8_t *pds[2] = { A->set.pds[0], A->set.pds[1] };
	struct engine_hba_set set = { .n = 2, .addr = A->addr, .pds = pds, .pds_len = A->set.pds_len };
	uint8_t method[2] = { WIRE_METHOD_HBA, WIRE_METHOD_HBA };
	struct shim6_addr forged[2] = { B->addr[0], { { 0x20, 1, 0x0d, 0xb8, 0x66, [15] = 6 } } };
	struct context *c;
	struct script m;

	(void)state;
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 6);
	wire_opt_locator_list(&m.b, 77, B->addr, method, 1); /* the set's second prefix is not listed */
	wire_opt_pds(&m.b, B->set.pds[0], B->set.pds_len);
	send_as(A, &back, &m);
	c = context_of(A, &ulid);
	locals[2].addr = (struct shim6_addr){ { 0x20, 1, 0x0d, 0xb8, 0x55, [15] = 5 } };
	assert_int_equal(engine_set_local(A->engine, s->now, locals, 3, &set, 1), 0);
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), c->ct_local, 4);
	wire_opt_locator_list(&m.b, 78, forged, method, 2);
	send_as(A, &back, &m);
	assert_int_equal(sim_counter(A, "drop_locator_verification"), 1);
	s->filter = note_probe;
	s->filter_arg = &seen;
	assert_int_equal(engine_explore(A->engine, s->now, c->id, NULL), ENGINE_OK);
	sim_run(s, 200 * SIM_SECOND);
	assert_true(seen.probes > 8);
	assert_int_equal(seen.strange, 0);
	sim_free(s);
}

/* PA-18: a member of the set that this host gets later is announced, and is a candidate from then on */
static void pa18_late_address_is_announced(void **state)
{
	struct sim *s = sim_new(18);
	struct shim6_pair ulid, back;
	struct engine_ctx_info b;

	(void)state;
	sim_add_host(s, 3, false);
	sim_add_host(s, 2, false);
	sim_start(s);
	A->assigned[2] = false;
	sim_set_local(A);
	ulid = ab(s);
	back = reversed(&ulid);
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	sim_run(s, SIM_SECOND);
	assert_true(sim_context(B, &back, &b));
	assert_int_equal(b.n_peer, 3);
	assert_int_equal(b.peer[2].flags & REAP_LOC_DOWN, REAP_LOC_DOWN);
	A->assigned[2] = true;
	sim_set_local(A);
	sim_run(s, SIM_SECOND);
	assert_int_equal(sim_counter(A, "updates_completed"), 1);
	assert_true(sim_context(B, &back, &b));
	assert_int_equal(b.peer[2].flags & REAP_LOC_DOWN, 0);
	sim_free(s);
}

/* PI-07: an Update Request that waits for its answer goes along when the pair changes, at once */
static void pi07_update_follows_the_pair(void **state)
{
	struct sim *s = two_established(707);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct engine_ctx_info a, b;
	uint64_t switched;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, 5 * SIM_SECOND);
	sim_cut_locator(s, 1, 0, true);
	sim_run(s, 2 * SIM_SECOND);
	A->priority[1] = 7;
	sim_set_local(A);
	while (!sim_events(A, ENGINE_EV_SWITCHED)) {
		assert_true(shim6_addr_eq(&A->last[WIRE_UPDATE_REQUEST].dst, &ulid.peer));
		sim_run(s, SIM_MS);
	}
	switched = sim_last_event(A, ENGINE_EV_SWITCHED)->now;
	assert_true(sim_context(A, &ulid, &a));
	assert_true(shim6_addr_eq(&A->last[WIRE_UPDATE_REQUEST].src, &a.current.local) &&
		    shim6_addr_eq(&A->last[WIRE_UPDATE_REQUEST].dst, &a.current.peer));
	assert_in_range(A->last[WIRE_UPDATE_REQUEST].at, switched, switched + SIM_MS);
	sim_run(s, 100 * SIM_MS);
	assert_int_equal(sim_counter(A, "updates_completed"), 1);
	assert_true(sim_context(B, &back, &b));
	assert_int_equal(b.peer[1].priority, 7);
	sim_free(s);
}

/* --- who owns which address ------------------------------------------------------ */

/* HV-17: a host with one plain address verifies what others claim; a forged list makes no context */
static void hv17_single_homed_verifies(void **state)
{
	struct sim *s = scripted(17);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	uint8_t method[2] = { WIRE_METHOD_HBA, WIRE_METHOD_HBA };
	struct shim6_addr forged[2] = { B->addr[0], { { 0x20, 1, 0x0d, 0xb8, 0x66, [15] = 6 } } };
	struct engine_ctx_info info;
	struct script m;

	(void)state;
	A->single = true;
	sim_set_local(A);
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 6);
	wire_opt_locator_list(&m.b, 77, forged, method, 2);
	wire_opt_pds(&m.b, B->set.pds[0], B->set.pds_len);
	send_as(A, &back, &m);
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(sim_counter(A, "drop_locator_verification"), 1);
	script_establish(s, &back, 5, 6);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(sim_context(A, &ulid, &info));
		assert_int_equal(info.n_local, 1);
		assert_int_equal(info.n_peer, 2);
		assert_true(info.peer[0].verified && info.peer[1].verified);
		assert_int_equal(engine_explore(A->engine, s->now, info.id, NULL), ENGINE_OK);
		sim_run(s, 20 * SIM_SECOND);
	}
	sim_free(s);
}

/* A context with the scripted B, whose set has this Sec, asked of at least that much? */
static unsigned with_sec(unsigned sec, unsigned min_sec, const char *counter)
{
	static const uint8_t prefix[2][8] = { { 0x20, 1, 0x0d, 0xb8, 0x99 }, { 0x20, 1, 0x0d, 0xb8, 0x9a } };
	struct cga_gen gen = { .prefixes = prefix, .n_prefixes = 2, .sec = sec };
	struct sim *s = scripted(20 + sec);
	struct shim6_pair back;
	struct script m;
	unsigned made;

	assert_int_equal(cga_generate(&gen, &B->set), CGA_OK);
	memcpy(B->addr, B->set.addr, 2 * sizeof(B->addr[0]));
	s->config.min_sec = min_sec;
	engine_reconfigure(A->engine, s->now, &s->config);
	back = (struct shim6_pair){ .local = B->addr[0], .peer = A->addr[0] };
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 6);
	put_hba(&m.b, B, 77);
	send_as(A, &back, &m);
	made = sim_context_count(A);
	assert_int_equal(sim_counter(A, counter), 1);
	assert_int_equal(A->sent[WIRE_ERROR], 0);
	sim_free(s);
	return made;
}

/* AMB-H20, HV-09: no policy on Sec by default; where one is configured, less is as good as unproved */
static void amb_h20_min_sec(void **state)
{
	(void)state;
	assert_int_equal(with_sec(0, 0, "contexts_accepted"), 1);
	assert_int_equal(with_sec(1, 0, "contexts_accepted"), 1);
	assert_int_equal(with_sec(0, 1, "drop_sec"), 0);
	assert_int_equal(with_sec(1, 1, "contexts_accepted"), 1);
	assert_int_equal(with_sec(1, 2, "drop_sec"), 0);
}

/* AMB-H9: a list can be replayed between contexts that share a key, so generations begin where nobody can tell */
static void amb_h9_generations_begin_at_random(void **state)
{
	uint32_t seen[40];

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct sim *s = two_hosts(1000 + i);
		struct shim6_pair ulid = ab(s);
		struct wire_msg m;

		assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
		sim_run(s, SIM_SECOND);
		decode_last(A, WIRE_I2, &m);
		assert_true(m.locators.present);
		seen[i] = m.locators.generation;
		for (unsigned k = 0; k < i; k++)
			assert_true(seen[k] != seen[i] && seen[k] != seen[i] - 1 && seen[k] != seen[i] + 1);
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tr07_no_reap_before_established),
		cmocka_unit_test(tr90_no_exploration_in_a_handshake),
		cmocka_unit_test(tr106_recovery_ends_the_episode),
		cmocka_unit_test(tr107_each_context_its_own),
		cmocka_unit_test(amb_r10_control_messages_as_payload),
		cmocka_unit_test(tr30_after_the_last_ack),
		cmocka_unit_test(tr93_hole_for_large_packets),
		cmocka_unit_test(pa14_one_current_pair),
		cmocka_unit_test(pa21_only_known_and_verified_are_probed),
		cmocka_unit_test(pa18_late_address_is_announced),
		cmocka_unit_test(pi07_update_follows_the_pair),
		cmocka_unit_test(hv17_single_homed_verifies),
		cmocka_unit_test(amb_h20_min_sec),
		cmocka_unit_test(amb_h9_generations_begin_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
