/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recovery, confusion and tags: T080 to T095 of the rows. */
#include "common.h"

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

/* A-B established and moved to the second pair, with payload going both ways */
static struct sim *moved(uint64_t seed)
{
	struct sim *s = two_established(seed);
	struct shim6_pair ulid = ab(s);

	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, SIM_SECOND);
	sim_cut_locator(s, 1, 0, true);
	sim_run(s, 30 * SIM_SECOND);
	assert_true(A->payload_tagged > 0);
	return s;
}

/* */
static void t080_r1bis_payload(void **state)
{
	struct sim *s = scripted(80);
	struct shim6_pair there = sim_ulids(s, 1, 1, 0, 1);
	struct wire_msg m;

	(void)state;
	engine_input_unknown_tag(A->engine, s->now, &there.local, &there.peer, 0x123456789abc);
	decode_last(A, WIRE_R1BIS, &m);
	assert_int_equal(m.tag, 0x123456789abc);
	assert_true(shim6_addr_eq(&A->last[WIRE_R1BIS].src, &there.peer));
	assert_true(shim6_addr_eq(&A->last[WIRE_R1BIS].dst, &there.local));
	assert_int_equal(A->last[WIRE_R1BIS].len, 40); /* 80 octets with the IPv6 header (Z-07) */
	assert_int_equal(sim_context_count(A), 0);
	sim_free(s);
}

/* W-11 */
static void t081_r1bis_control(void **state)
{
	static const uint8_t type[] = { 64, 65, 66, 67, 1, 2, 3, 4, 5, 6, 68 };
	struct sim *s = scripted(81);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);
	struct wire_record r = { .src = back.local, .dst = back.peer, .nonce = 1 };
	uint8_t v[16] = { 0 }, quote[64] = { 0x60, [6] = WIRE_PROTO };
	struct script m;

	(void)state;
	for (unsigned i = 0; i < sizeof(type); i++) {
		unsigned before = A->sent[WIRE_R1BIS];

		switch (type[i]) {
		case WIRE_UPDATE_REQUEST:
			wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), 9, 1);
			break;
		case WIRE_UPDATE_ACK:
			wire_begin_update_ack(&m.b, m.buf, sizeof(m.buf), 9, 1);
			break;
		case WIRE_KEEPALIVE:
			wire_begin_keepalive(&m.b, m.buf, sizeof(m.buf), 9);
			break;
		case WIRE_PROBE:
			wire_begin_probe(&m.b, m.buf, sizeof(m.buf), 9, WIRE_STA_EXPLORING, &r, 1, NULL, 0);
			break;
		case WIRE_I1:
			wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 9, 1);
			break;
		case WIRE_R1:
			wire_begin_r1(&m.b, m.buf, sizeof(m.buf), 9, 1);
			wire_opt_validator(&m.b, v, sizeof(v));
			break;
		case WIRE_I2:
			wire_begin_i2(&m.b, m.buf, sizeof(m.buf), 9, 1, 1);
			wire_opt_validator(&m.b, v, sizeof(v));
			break;
		case WIRE_R2:
			wire_begin_r2(&m.b, m.buf, sizeof(m.buf), 9, 1);
			break;
		case WIRE_R1BIS:
			wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), 9, 1);
			wire_opt_validator(&m.b, v, sizeof(v));
			break;
		case WIRE_I2BIS:
			wire_begin_i2bis(&m.b, m.buf, sizeof(m.buf), 9, 1, 1, 9);
			wire_opt_validator(&m.b, v, sizeof(v));
			break;
		default:
			wire_begin_error(&m.b, m.buf, sizeof(m.buf), 0, 0, quote, sizeof(quote));
			break;
		}
		send_as(A, &back, &m);
		assert_int_equal(A->sent[WIRE_R1BIS] - before, type[i] >= 64 && type[i] != WIRE_ERROR);
	}
	/* T149: nothing at all in answer to an Error */
	assert_int_equal(A->sent[WIRE_ERROR], 0);
	sim_free(s);
}

/* G-06, N-04; K-07 */
static void t082_recover(void **state)
{
	struct sim *s = moved(82);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct engine_ctx_info a, b, b2;
	struct wire_msg m;
	unsigned answered;

	(void)state;
	assert_true(sim_context(B, &back, &b));
	sim_amnesia(B);
	answered = s->flow[0].answered;
	sim_run(s, 2 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a) && sim_context(B, &back, &b2));
	assert_int_equal(a.state, ENGINE_ESTABLISHED);
	assert_true(a.ct_local == b2.ct_peer && a.ct_peer == b2.ct_local);
	assert_true(b2.ct_local != b.ct_local); /* T088 */
	decode_last(A, WIRE_I2BIS, &m);
	assert_true(m.has_ulids && m.locators.present && m.pds.p);
	assert_true(m.packet_tag == b.ct_local);
	assert_int_equal(sim_events(A, ENGINE_EV_RECOVERING), 1);
	assert_true(s->flow[0].answered > answered + 10);
	assert_true(shim6_pair_eq(&b2.current, &(struct shim6_pair){ a.current.peer, a.current.local }));
	assert_int_equal(sim_context_count(A), 1);
	assert_int_equal(sim_context_count(B), 1);
	sim_free(s);
}

/* the context is on the ULID pair, and the probe on the other pair brings the R1bis */
static void t083_recover_by_probe(void **state)
{
	struct sim *s = two_established(83);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct engine_ctx_info a, b;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, 5 * SIM_SECOND);
	sim_amnesia(B);
	sim_cut_locator(s, 1, 0, true);
	sim_run(s, 40 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a) && sim_context(B, &back, &b));
	assert_int_equal(a.state, ENGINE_ESTABLISHED);
	assert_true(shim6_addr_eq(&a.current.peer, &B->addr[1]));
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	sim_free(s);
}

/* fig. 7: the loser begins with an I1; the survivor keeps the old context until the I2 */
static void t084_recover_i1(void **state)
{
	struct sim *s = scripted(84);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct engine_ctx_info before, after;
	struct script m;

	(void)state;
	script_establish(s, &back, 5, 6);
	assert_true(sim_context(A, &ulid, &before));
	script_i1(s, &back, 500, 600);
	assert_true(sim_context(A, &ulid, &after));
	assert_int_equal(after.ct_peer, 5); /* T090: an I1 changes nothing */
	script_i2(&m, s, 500, 600);
	put_hba(&m.b, B, 78);
	send_as(A, &back, &m);
	assert_true(sim_context(A, &ulid, &after));
	assert_int_equal(after.ct_peer, 500);
	assert_true(after.ct_local == before.ct_local && after.id == before.id);
	assert_int_equal(A->slot[after.slot].p.ct_peer, 500);
	sim_free(s);
}

/* A established with the scripted B, on the second pair, and payload sent there just now */
static struct sim *scripted_moved(uint64_t seed, struct engine_ctx_info *info)
{
	struct sim *s = scripted(seed);
	struct shim6_pair ulid = ab(s), there = sim_ulids(s, 1, 1, 0, 1);
	struct script m;

	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), 5, 6);
	wire_opt_ulid_pair(&m.b, &B->addr[0], &A->addr[0]);
	send_as(A, &there, &m);
	script_i2(&m, s, 5, 6);
	wire_opt_ulid_pair(&m.b, &B->addr[0], &A->addr[0]);
	put_hba(&m.b, B, 1);
	send_as(A, &there, &m);
	sim_payload(A, &ulid, UINT32_MAX);
	assert_true(sim_context(A, &ulid, info));
	return s;
}

static void send_r1bis_to_a(struct sim *s, const struct shim6_pair *pair, uint64_t packet_ct)
{
	uint8_t v[16] = { 7 };
	struct script m;

	wire_begin_r1bis(&m.b, m.buf, sizeof(m.buf), packet_ct, 33);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, pair, &m);
}

static void t085_i2bis_retry(void **state)
{
	struct engine_ctx_info info;
	struct sim *s = scripted_moved(85, &info);
	struct shim6_pair ulid = ab(s), there = sim_ulids(s, 1, 1, 0, 1);
	struct wire_msg m;
	unsigned tagged = A->payload_tagged;

	(void)state;
	send_r1bis_to_a(s, &there, 5);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2BIS_SENT);
	sim_payload(A, &ulid, UINT32_MAX);
	assert_int_equal(A->payload_tagged, tagged + 1); /* */
	while (state_of(A, &ulid) == ENGINE_I2BIS_SENT)
		sim_run(s, SIM_SECOND);
	assert_int_equal(A->sent[WIRE_I2BIS], 3);
	assert_int_equal(state_of(A, &ulid), ENGINE_I1_SENT);
	decode_last(A, WIRE_I1, &m);
	assert_true(m.has_ulids);
	assert_int_equal(m.tag, info.ct_local);				/* G-11 */
	assert_true(shim6_addr_eq(&A->last[WIRE_I1].dst, &B->addr[1])); /* */
	tagged = A->payload_tagged;
	sim_payload(A, &ulid, UINT32_MAX);
	assert_int_equal(A->payload_tagged, tagged); /* */
	sim_free(s);
}

/* */
static void t086_r1bis_wrong(void **state)
{
	struct engine_ctx_info info;
	struct sim *s = scripted_moved(86, &info);
	struct shim6_pair ulid = ab(s), there = sim_ulids(s, 1, 1, 0, 1), foreign = there;

	(void)state;
	foreign.local.b[15] ^= 1;
	send_r1bis_to_a(s, &there, 6);
	send_r1bis_to_a(s, &foreign, 5);
	assert_int_equal(sim_counter(A, "drop_r1bis_no_match"), 2);
	/* nothing sent there for longer than a minute */
	sim_run(s, 5 * SIM_SECOND);
	s->now += 61 * SIM_SECOND;
	foreign = sim_ulids(s, 1, 0, 0, 0);
	send_r1bis_to_a(s, &foreign, 5);
	assert_int_equal(sim_counter(A, "drop_r1bis_not_recent"), 1);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_payload(A, &ulid, UINT32_MAX);
	send_r1bis_to_a(s, &there, 5);
	assert_int_equal(state_of(A, &ulid), ENGINE_I2BIS_SENT);
	send_r1bis_to_a(s, &there, 5); /* S-06 */
	assert_int_equal(A->sent[WIRE_I2BIS], 1);
	sim_free(s);
}

/* R-12, E-23, G-06 */
static void t087_i2bis_bad_validator_t088_tag(void **state)
{
	struct sim *s = scripted(87);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0), ulid = ab(s);
	struct engine_ctx_info info;
	struct wire_msg r1, r1bis;
	struct script m;
	uint8_t v[16];

	(void)state;
	engine_input_unknown_tag(A->engine, s->now, &B->addr[0], &A->addr[0], 99);
	decode_last(A, WIRE_R1BIS, &r1bis);
	memcpy(v, r1bis.validator.p, sizeof(v));
	v[0] ^= 1;
	wire_begin_i2bis(&m.b, m.buf, sizeof(m.buf), 5, 6, r1bis.resp_nonce, 99);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, &back, &m);
	/* E-26: the validator of an R1 */
	script_i1(s, &back, 99, 6);
	decode_last(A, WIRE_R1, &r1);
	wire_begin_i2bis(&m.b, m.buf, sizeof(m.buf), 5, 6, r1.resp_nonce, 99);
	wire_opt_validator(&m.b, r1.validator.p, r1.validator.len);
	send_as(A, &back, &m);
	assert_int_equal(sim_counter(A, "drop_bad_validator"), 2);
	assert_int_equal(sim_context_count(A), 0);
	/* the validator knows no ULIDs, so a stranger's ULID must not pass with it */
	decode_last(A, WIRE_R1BIS, &r1bis);
	wire_begin_i2bis(&m.b, m.buf, sizeof(m.buf), 5, 6, r1bis.resp_nonce, 99);
	wire_opt_validator(&m.b, r1bis.validator.p, r1bis.validator.len);
	wire_opt_ulid_pair(&m.b, &B->addr[1], &A->addr[0]);
	send_as(A, &back, &m);
	assert_int_equal(sim_counter(A, "drop_source_locator"), 1);
	wire_begin_i2bis(&m.b, m.buf, sizeof(m.buf), 5, 6, r1bis.resp_nonce, 99);
	wire_opt_validator(&m.b, r1bis.validator.p, r1bis.validator.len);
	send_as(A, &back, &m);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.ct_peer, 5);
	assert_int_not_equal(info.ct_local, 99);
	sim_free(s);
}

/* F-04: the peer gives its tag to a second ULID pair (F-01, F-05, F-08) (E-80); F-06: the old one is discarded, or
 * begun anew while it is in use */
static void t089_confusion_t091_unverified(void **state)
{
	struct sim *s = scripted(89);
	struct sim_host *x = sim_add_host(s, 2, false);
	struct shim6_pair first = sim_ulids(s, 1, 0, 0, 0), second = sim_ulids(s, 1, 1, 0, 0);
	struct shim6_pair stranger = sim_ulids(s, 2, 0, 0, 0);
	struct shim6_pair ulid = reversed(&first), ulid2 = reversed(&second);
	uint8_t method[3] = { WIRE_METHOD_HBA, WIRE_METHOD_HBA, WIRE_METHOD_HBA };
	struct shim6_addr forged[3] = { x->addr[0], x->addr[1], B->addr[0] };
	struct script m;

	(void)state;
	script_establish(s, &first, 5, 6);
	/* T091: X names B's locator in its list and takes B's tag */
	script_i1(s, &stranger, 5, 8);
	script_i2(&m, s, 5, 8);
	wire_opt_locator_list(&m.b, 1, forged, method, 3);
	wire_opt_pds(&m.b, x->set.pds[0], x->set.pds_len);
	send_as(A, &stranger, &m);
	assert_int_equal(sim_context_count(A), 1);
	assert_int_equal(sim_counter(A, "drop_locator_verification"), 1);
	assert_int_equal(sim_counter(A, "contexts_confused"), 0);
	/* the same tag from X itself, honestly: no common locator, no confusion */
	script_establish(s, &stranger, 5, 9);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	/* B begins a second context, from its other ULID, with the tag of the first, which is idle: it goes */
	script_establish(s, &second, 5, 10);
	assert_int_equal(state_of(A, &ulid), ENGINE_IDLE);
	assert_int_equal(state_of(A, &ulid2), ENGINE_ESTABLISHED);
	assert_int_equal(sim_last_event(A, ENGINE_EV_GONE)->reason, ENGINE_WHY_CONFUSION);
	/* and back again, with traffic on the second: that one starts over (F-09) */
	sim_payload(A, &ulid2, UINT32_MAX);
	script_establish(s, &first, 5, 11);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_int_equal(state_of(A, &ulid2), ENGINE_I1_SENT);
	assert_int_equal(sim_counter(A, "contexts_confused"), 2);
	sim_free(s);
}

/* C.3: B forgets A and gives A's old tag to C; A's tagged payload goes astray until a probe meets R1bis; R-16 */
static void t092_three_party(void **state)
{
	struct sim *s = sim_new(92);
	struct sim_host *c;
	struct shim6_pair ab_, cb, ba_, bc;
	struct engine_ctx_info a, b, bc_info;
	uint64_t tag;

	(void)state;
	sim_add_host(s, 2, false);
	sim_add_host(s, 2, false);
	c = sim_add_host(s, 2, false);
	sim_start(s);
	ab_ = sim_ulids(s, 0, 0, 1, 0);
	cb = sim_ulids(s, 2, 0, 1, 0);
	ba_ = reversed(&ab_);
	bc = reversed(&cb);
	engine_trigger(A->engine, s->now, &ab_);
	sim_run(s, SIM_SECOND);
	sim_flow_add(s, 0, &ab_, 100 * SIM_MS, true);
	sim_cut_locator(s, 1, 0, true);
	sim_run(s, 30 * SIM_SECOND);
	sim_cut_locator(s, 1, 0, false);
	assert_true(sim_context(A, &ab_, &a));
	tag = a.ct_peer;
	sim_amnesia(B);
	/* B's only free tag is A's old one */
	B->engine->contexts.tags.mask = 0;
	engine_trigger(c->engine, s->now, &cb);
	s->path[0][0][1][1].cut = s->path[0][1][1][1].cut = true; /* A is not heard meanwhile */
	sim_run(s, SIM_SECOND);
	assert_true(sim_context(B, &bc, &bc_info));
	B->engine->contexts.tags.mask = WIRE_TAG_MASK;
	/* give B's context with C the tag that A uses */
	hash_del(&B->engine->contexts.by_tag, &context_by_id(B->engine, bc_info.id)->by_tag);
	context_by_id(B->engine, bc_info.id)->ct_local = tag;
	hash_add(&B->engine->contexts.by_tag, &context_by_id(B->engine, bc_info.id)->by_tag,
		 siphash_64(&B->engine->hash_key, &tag, sizeof(tag)));
	B->slot[bc_info.slot].p.ct_local = tag;
	s->path[0][0][1][1].cut = s->path[0][1][1][1].cut = false;
	sim_run(s, 60 * SIM_SECOND);
	assert_true(B->misdelivered > 0); /* the transport checksum catches these */
	assert_true(sim_context(A, &ab_, &a) && sim_context(B, &ba_, &b));
	assert_int_equal(a.state, ENGINE_ESTABLISHED);
	assert_true(a.ct_peer == b.ct_local && a.ct_peer != tag);
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	sim_free(s);
}

/* G-08: 7 bits of tag: 128 contexts, no tag twice, the 129th refused (G-02, G-05) */
static void t093_tag_unique(void **state)
{
	struct sim *s = scripted(93);
	struct shim6_pair ulid = ab(s);
	bool seen[128] = { false };

	(void)state;
	A->engine->contexts.tags.mask = 127;
	for (unsigned i = 0; i < 129; i++) {
		struct engine_ctx_info info;
		int want = i < 128 ? ENGINE_OK : ENGINE_E_LIMIT;

		ulid.peer.b[15] = (uint8_t)i;
		assert_int_equal(engine_establish(A->engine, s->now, &ulid), want);
		if (i == 128)
			break;
		assert_true(sim_context(A, &ulid, &info));
		assert_true(info.ct_local < 128 && !seen[info.ct_local]);
		seen[info.ct_local] = true;
	}
	assert_int_equal(sim_counter(A, "limit_tags"), 1);
	/* G-09: a freed tag rests */
	assert_int_equal(engine_drop(A->engine, s->now, 1), ENGINE_OK);
	ulid.peer.b[15] = 200;
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_E_LIMIT);
	s->now += 901 * SIM_SECOND;
	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	sim_free(s);
}

/* G-03: each of the 47 bits is set about half the time; G-01 */
static void t094_tag_random(void **state)
{
	struct sim *s = scripted(94);
	struct shim6_pair ulid = ab(s);
	unsigned ones[48] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct engine_ctx_info info;

		assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
		assert_true(sim_context(A, &ulid, &info));
		for (unsigned b = 0; b < 48; b++)
			ones[b] += (unsigned)(info.ct_local >> b & 1);
		engine_drop(A->engine, s->now, info.id);
	}
	for (unsigned b = 0; b < 47; b++)
		assert_in_range(ones[b], 880, 1120); /* 5 sigma */
	assert_int_equal(ones[47], 0);
	sim_free(s);
}

static void t095_r1bis_ratelimit(void **state)
{
	struct sim *s = scripted(95);
	struct shim6_addr src = B->addr[0];

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		engine_input_unknown_tag(A->engine, s->now + i * SIM_MS / 100, &src, &A->addr[0], i);
	assert_in_range(A->sent[WIRE_R1BIS], 50, 2 * s->config.replies_per_64 + 1);
	assert_int_equal(engine_next_deadline(A->engine), ENGINE_NEVER);
	sim_free(s);
}

/* T134, D-11, D-12: tagged packets ask for the I2 again, at most twice a second and within the budget */
static void t134_tagged_in_i2_sent(void **state)
{
	struct sim *s = scripted(134);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	uint8_t v[16] = { 0 };
	struct engine_ctx_info info;
	struct wire_msg i1;
	struct script m;

	(void)state;
	engine_trigger(A->engine, s->now, &ulid);
	assert_true(sim_context(A, &ulid, &info));
	engine_input_unknown_tag(A->engine, s->now, &B->addr[0], &A->addr[0], info.ct_local);
	assert_int_equal(A->sent[WIRE_R1BIS], 0); /* I1-SENT: dropped, no reply */
	decode_last(A, WIRE_I1, &i1);
	wire_begin_r1(&m.b, m.buf, sizeof(m.buf), i1.init_nonce, 99);
	wire_opt_validator(&m.b, v, sizeof(v));
	send_as(A, &back, &m);
	assert_int_equal(A->slot[info.slot].p.flags, SHIM6_PROJ_ACCEPT);
	assert_int_equal(A->slot[info.slot].notify, SHIM6_NOTIFY_RX);
	for (unsigned i = 0; i < 150; i++) {
		s->now += 10 * SIM_MS;
		wire_begin_keepalive(&m.b, m.buf, sizeof(m.buf), info.ct_local);
		send_as(A, &back, &m);
	}
	assert_int_equal(A->sent[WIRE_I2], 3);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t080_r1bis_payload),
		cmocka_unit_test(t081_r1bis_control),
		cmocka_unit_test(t082_recover),
		cmocka_unit_test(t083_recover_by_probe),
		cmocka_unit_test(t084_recover_i1),
		cmocka_unit_test(t085_i2bis_retry),
		cmocka_unit_test(t086_r1bis_wrong),
		cmocka_unit_test(t087_i2bis_bad_validator_t088_tag),
		cmocka_unit_test(t089_confusion_t091_unverified),
		cmocka_unit_test(t092_three_party),
		cmocka_unit_test(t093_tag_unique),
		cmocka_unit_test(t094_tag_random),
		cmocka_unit_test(t095_r1bis_ratelimit),
		cmocka_unit_test(t134_tagged_in_i2_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
