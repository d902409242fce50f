/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists with CGA-method locators: T103 to T110, T119 of the rows. The peer's ULID
 * is of an HBA/CGA set with a key; what it signs may be any address.
 */
#include "common.h"

#include "engine/internal.h"
#include "test_keys.h"

#define GENERATION 77

/* A scripted peer in B's place: two addresses of a keyed set, and locators from elsewhere. */
struct signer {
	struct sim *s;
	struct cga_key *key;
	struct cga_set set;
	struct shim6_pair back; /* its ULID first */
	struct shim6_addr elsewhere[2];
};

static void signer_new(struct signer *g, uint64_t seed)
{
	static const uint8_t prefix[2][8] = { { 0x20, 1, 0x0d, 0xb8, 0x99 }, { 0x20, 1, 0x0d, 0xb8, 0x9a } };
	struct cga_gen gen = { .prefixes = prefix, .n_prefixes = 2 };
	uint8_t spki[600];

	memset(g, 0, sizeof(*g));
	assert_int_equal(cga_key_load_pem(&g->key, pem_rsa_1024, sizeof(pem_rsa_1024) - 1), CGA_OK);
	assert_int_equal(cga_key_spki(g->key, spki, sizeof(spki), &gen.spki_len), CGA_OK);
	gen.spki = spki;
	assert_int_equal(cga_generate(&gen, &g->set), CGA_OK);
	g->s = scripted(seed);
	g->back = (struct shim6_pair){ .local = g->set.addr[0], .peer = g->s->host[0].addr[0] };
	g->elsewhere[0] = (struct shim6_addr){ { 0x20, 1, 0x0d, 0xb8, 0x77, [15] = 1 } };
	g->elsewhere[1] = (struct shim6_addr){ { 0x20, 1, 0x0d, 0xb8, 0x78, [15] = 2 } };
}

static void signer_free(struct signer *g)
{
	sim_free(g->s);
	cga_key_free(g->key);
}

struct list {
	struct shim6_addr l[SIM_LOCATORS];
	uint8_t method[SIM_LOCATORS];
	unsigned n;
};

static void put_signature(const struct signer *g, struct wire_builder *b, const struct list *list, uint32_t generation)
{
	uint8_t sig[CGA_MAX_SIGNATURE];
	struct shim6_addr cga[SIM_LOCATORS];
	unsigned n = 0;
	size_t len;

	for (unsigned i = 0; i < list->n; i++) {
		if (list->method[i] == WIRE_METHOD_CGA)
			cga[n++] = list->l[i];
	}
	assert_int_equal(cga_sign(g->key, generation, cga, n, sig, &len), CGA_OK);
	wire_opt_signature(b, sig, len);
}

/* The handshake up to the I2 with this list, signed as signed_list is. */
static void offer(struct signer *g, const struct list *list, const struct list *signed_list)
{
	struct sim *s = g->s;
	struct script m;

	script_i1(s, &g->back, 5, 6);
	script_i2(&m, s, 5, 6);
	wire_opt_locator_list(&m.b, GENERATION, list->l, list->method, list->n);
	wire_opt_pds(&m.b, g->set.pds[0], g->set.pds_len);
	if (signed_list)
		put_signature(g, &m.b, signed_list, GENERATION);
	send_as(A, &g->back, &m);
}

static struct list mixed(const struct signer *g)
{
	return (struct list){
		.l = { g->set.addr[0], g->elsewhere[0], g->set.addr[1], g->elsewhere[1] },
		.method = { WIRE_METHOD_HBA, WIRE_METHOD_CGA, WIRE_METHOD_HBA, WIRE_METHOD_CGA },
		.n = 4,
	};
}

static void assert_refused(const struct signer *g, unsigned method_index)
{
	const struct sim *s = g->s;
	struct wire_msg m;

	assert_int_equal(A->engine->contexts.n, 0);
	assert_int_equal(A->sent[WIRE_R2], 0);
	assert_int_equal(A->sent[WIRE_ERROR], 1);
	decode_last(A, WIRE_ERROR, &m);
	assert_int_equal(m.error_code, WIRE_ERR_LOCATOR_VERIFICATION);
	/* the list is the I2's second option, behind 24 octets and a validator of 24 */
	assert_int_equal(m.error_pointer, 40 + 24 + 24 + 9 + method_index);
}

/* T103, T107 (V-15, V-20, HS-01, HS-08): each locator by its own method, signed ones need not be CGAs (W-63, W-64,
 * W-65, V-13, V-24) (AMB-H17, V-01) */
static void t103_cga_ok_t107_mixed(void **state)
{
	struct signer g;
	struct list list;
	struct engine_ctx_info info;
	struct shim6_pair ulid;

	(void)state;
	signer_new(&g, 103);
	list = mixed(&g);
	offer(&g, &list, &list);
	ulid = reversed(&g.back);
	assert_true(sim_context(&g.s->host[0], &ulid, &info));
	assert_int_equal(info.n_peer, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(info.peer[i].verified);
		assert_int_equal(info.peer[i].method, list.method[i]);
	}
	/* V-04: accepted, and yet nothing goes to what was not probed */
	assert_true(shim6_pair_eq(&info.current, &ulid));
	assert_int_equal(info.peer[1].flags & REAP_LOC_PROBED, 0);
	signer_free(&g);
}

/* T104, T109 (HS-03): another order, another generation, no signature at all (W-64) (HD-05) */
static void t104_bad_signature_t109_order(void **state)
{
	struct signer g;
	struct list list, other;

	(void)state;
	for (unsigned what = 0; what < 3; what++) {
		signer_new(&g, 104 + what);
		list = other = mixed(&g);
		if (what == 0) {
			other.l[1] = list.l[3];
			other.l[3] = list.l[1];
		} else if (what == 1) {
			other.l[3] = list.l[0];
		}
		offer(&g, &list, what == 2 ? NULL : &other);
		assert_refused(&g, 1);
		signer_free(&g);
	}
}

/* T106 (V-16a, AMB-H6): the nonce of an HBA-only set is no key; T108 (V-08): methods nobody knows */
static void t106_no_key_t108_unsupported(void **state)
{
	static const uint8_t bad[] = { WIRE_METHOD_CGA, 0, 3, 201, 255 };
	struct signer g;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad); i++) {
		struct list list;

		signer_new(&g, 110 + i);
		list = mixed(&g);
		list.method[1] = list.method[3] = WIRE_METHOD_HBA;
		list.n = 3;
		list.l[1] = g.set.addr[1];
		list.method[2] = bad[i];
		if (bad[i] == WIRE_METHOD_CGA) {
			uint8_t *p = g.set.pds[0] + g.set.pds_len - 2 * 8 - 4;

			/* the same set with P = 0; another hash, hence other addresses */
			*p &= 0x7f;
			memcpy(g.set.pds[1] + (p - g.set.pds[0]), p, 1);
			assert_int_equal(cga_set_collide(&g.set, 0), CGA_OK);
			g.back.local = g.set.addr[0];
			list.l[0] = g.set.addr[0];
			list.l[1] = g.set.addr[1];
		}
		offer(&g, &list, &(struct list){ .l = { list.l[2] }, .method = { WIRE_METHOD_CGA }, .n = 1 });
		assert_refused(&g, 2);
		signer_free(&g);
	}
}

/* V-25: what a peer signs may be any address: ours, or one that is nobody's, or of another scope (PA-03, PX-01) */
static void v25_our_own_address_in_the_list(void **state)
{
	struct signer g;
	struct list list;
	struct engine_ctx_info info;
	struct shim6_pair ulid;

	(void)state;
	signer_new(&g, 25);
	list = mixed(&g);
	list.l[1] = g.s->host[0].addr[1];
	list.l[3] = (struct shim6_addr){ { 0xff, 2, [15] = 1 } };
	offer(&g, &list, &list);
	ulid = reversed(&g.back);
	assert_true(sim_context(&g.s->host[0], &ulid, &info));
	assert_false(info.peer[1].verified);
	assert_false(info.peer[3].verified);
	assert_int_equal(info.peer[1].flags & REAP_LOC_GONE, REAP_LOC_GONE);
	assert_int_equal(info.peer[3].flags & REAP_LOC_GONE, REAP_LOC_GONE);
	assert_true(info.peer[2].verified);
	signer_free(&g);

	signer_new(&g, 26);
	list.l[0] = g.set.addr[0];
	list.l[1] = (struct shim6_addr){ { 0xfe, 0x80, [15] = 1 } };
	list.l[2] = g.set.addr[1];
	list.l[3] = (struct shim6_addr){ { 0xfe, 0xc0, [15] = 1 } };
	offer(&g, &list, &list);
	ulid = reversed(&g.back);
	assert_true(sim_context(&g.s->host[0], &ulid, &info));
	assert_int_equal(engine_explore(g.s->host[0].engine, g.s->now, info.id, NULL), ENGINE_OK);
	for (unsigned i = 0; i < 2000; i++) {
		sim_run(g.s, 100 * SIM_MS);
		assert_int_equal(g.s->host[0].last[WIRE_PROBE].dst.b[0], 0x20);
	}
	assert_true(g.s->host[0].sent[WIRE_PROBE] > 8);
	signer_free(&g);
}

/* HV-16: a list is verified when it comes, and not again for what is sent to or received from its locators */
static void hv16_verified_once(void **state)
{
	struct signer g;
	struct list list;
	struct engine_ctx_info info;
	struct shim6_pair ulid;
	uint64_t spent, verified;
	struct sim *s;

	(void)state;
	signer_new(&g, 16);
	s = g.s;
	list = mixed(&g);
	verified = A->engine->limits.signatures.credit_since;
	offer(&g, &list, &list);
	ulid = reversed(&g.back);
	assert_true(sim_context(A, &ulid, &info));
	spent = A->engine->limits.signatures.credit_since;
	assert_true(spent != verified);
	for (unsigned i = 0; i < 4; i++) {
		struct shim6_pair from = { .local = list.l[i], .peer = ulid.local };
		struct wire_record own = { .src = from.local, .dst = from.peer, .nonce = i };
		struct script m;

		wire_begin_probe(&m.b, m.buf, sizeof(m.buf), info.ct_local, WIRE_STA_EXPLORING, &own, 1, NULL, 0);
		send_as(A, &from, &m);
	}
	sim_run(s, 20 * SIM_SECOND);
	assert_true(A->sent[WIRE_PROBE] > 8);
	assert_true(A->engine->limits.signatures.credit_since == spent);
	assert_true(sim_context(A, &ulid, &info));
	for (unsigned i = 0; i < 4; i++)
		assert_true(info.peer[i].verified);
	signer_free(&g);
}

/* T110, T119 (W-73, U-06, Z-05): a locator added and the others BROKEN; V sees probes, and payload once it answered
 * (V-03, V-05, U-23, PN-06) (HD-05, HD-09, V-07) */
static void t110_add_t119_flood_guard(void **state)
{
	struct signer g;
	struct list list;
	struct engine_ctx_info info;
	struct shim6_pair ulid, victim;
	struct wire_pref broken[3] = { { .flags = WIRE_PREF_BROKEN }, { .flags = WIRE_PREF_BROKEN }, { .flags = 0 } };
	struct script m;
	struct wire_msg probe;
	struct wire_record sent, got;
	struct sim *s;

	(void)state;
	signer_new(&g, 119);
	s = g.s;
	list = mixed(&g);
	list.method[1] = WIRE_METHOD_HBA;
	list.l[1] = g.set.addr[1];
	list.n = 2;
	offer(&g, &list, NULL);
	ulid = reversed(&g.back);
	assert_true(sim_context(A, &ulid, &info));

	list.n = 3;
	list.l[2] = g.elsewhere[0];
	list.method[2] = WIRE_METHOD_CGA;
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), info.ct_local, 9);
	wire_opt_locator_list(&m.b, GENERATION + 1, list.l, list.method, list.n);
	wire_opt_preferences(&m.b, GENERATION + 1, broken, 3, 1);
	put_signature(&g, &m.b, &list, GENERATION + 1); /* and no PDS: it is known (W-73) */
	send_as(A, &g.back, &m);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 1);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 3);
	assert_int_equal(info.reap, REAP_EXPLORING);
	for (unsigned i = 0; i < 100; i++) {
		sim_payload(A, &ulid, UINT32_MAX);
		sim_run(s, 300 * SIM_MS);
	}
	assert_int_equal(A->payload_tagged, 0);
	assert_in_range(info.probes_sent, 1, 12);

	do
		sim_run(s, 100 * SIM_MS);
	while (!shim6_addr_eq(&A->last[WIRE_PROBE].dst, &g.elsewhere[0]));
	decode_last(A, WIRE_PROBE, &probe);
	wire_record_get(&probe, 0, &got);
	victim = (struct shim6_pair){ .local = g.elsewhere[0], .peer = got.src };
	sent = (struct wire_record){ .src = victim.local, .dst = victim.peer, .nonce = 1 };
	wire_begin_probe(&m.b, m.buf, sizeof(m.buf), info.ct_local, WIRE_STA_INBOUND_OK, &sent, 1, &got, 1);
	send_as(A, &victim, &m);
	assert_true(sim_context(A, &ulid, &info));
	assert_true(shim6_addr_eq(&info.current.peer, &g.elsewhere[0]));
	sim_payload(A, &ulid, UINT32_MAX);
	assert_int_equal(A->payload_tagged, 1);
	signer_free(&g);
}

/* Z-08: RSA is worth a budget; beyond it nothing is answered */
static void z08_signatures_per_second(void **state)
{
	struct signer g;
	struct list list;
	struct engine_ctx_info info;
	struct shim6_pair ulid;
	struct script m;
	struct sim *s;

	(void)state;
	signer_new(&g, 8);
	s = g.s;
	list = mixed(&g);
	offer(&g, &list, &list);
	ulid = reversed(&g.back);
	assert_true(sim_context(A, &ulid, &info));
	for (uint32_t i = 0; i < 100; i++) {
		wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), info.ct_local, 100 + i);
		wire_opt_locator_list(&m.b, GENERATION + 1 + i, list.l, list.method, list.n);
		put_signature(&g, &m.b, &list, GENERATION + 1 + i);
		send_as(A, &g.back, &m);
	}
	assert_in_range(A->sent[WIRE_UPDATE_ACK], LIMITS_SIGNATURES_PER_SECOND - 1, LIMITS_SIGNATURES_PER_SECOND);
	assert_int_equal(sim_counter(A, "drop_signature_budget"), 100 - A->sent[WIRE_UPDATE_ACK]);
	assert_int_equal(A->sent[WIRE_ERROR], 0);
	signer_free(&g);
}

/* V-23: what costs RSA is looked at only when all else is right: validator, nonce, tag, PDS, methods, HBA */
static void v23_rsa_comes_last(void **state)
{
	struct signer g;
	struct list list, other;
	struct engine_ctx_info info;
	struct shim6_pair ulid;
	struct script m;
	struct sim *s;
	uint64_t unused;

	(void)state;
	signer_new(&g, 23);
	s = g.s;
	ulid = reversed(&g.back);
	unused = A->engine->limits.signatures.credit_since;
	list = mixed(&g);
	for (unsigned what = 0; what < 6; what++) {
		struct shim6_pair from = g.back;
		uint8_t pds[CGA_MAX_PDS];

		other = list;
		memcpy(pds, g.set.pds[0], g.set.pds_len);
		script_i1(s, &g.back, 5, 6);
		script_i2(&m, s, what == 0 ? 4 : 5, 6); /* validator */
		if (what == 1)
			s->now += 61 * SIM_SECOND; /* nonce */
		if (what == 2)
			pds[0] ^= 1;
		if (what == 3)
			other.method[2] = 201;
		if (what == 4)
			other.l[2].b[15] ^= 1; /* HBA */
		if (what == 5)
			from.local.b[15] ^= 1; /* source */
		wire_opt_locator_list(&m.b, GENERATION, other.l, other.method, other.n);
		wire_opt_pds(&m.b, pds, g.set.pds_len);
		put_signature(&g, &m.b, &other, GENERATION);
		send_as(A, &from, &m);
		assert_int_equal(A->engine->contexts.n, 0);
		assert_int_equal(A->engine->limits.signatures.credit_since, unused);
	}
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), 99, 1); /* a tag that nobody has */
	wire_opt_locator_list(&m.b, GENERATION, list.l, list.method, list.n);
	wire_opt_pds(&m.b, g.set.pds[0], g.set.pds_len);
	put_signature(&g, &m.b, &list, GENERATION);
	send_as(A, &g.back, &m);
	assert_int_equal(A->engine->limits.signatures.credit_since, unused);
	offer(&g, &list, &list);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_not_equal(A->engine->limits.signatures.credit_since, unused);
	signer_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t103_cga_ok_t107_mixed),	cmocka_unit_test(t104_bad_signature_t109_order),
		cmocka_unit_test(t106_no_key_t108_unsupported), cmocka_unit_test(v25_our_own_address_in_the_list),
		cmocka_unit_test(hv16_verified_once),		cmocka_unit_test(t110_add_t119_flood_guard),
		cmocka_unit_test(z08_signatures_per_second),	cmocka_unit_test(v23_rsa_comes_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
