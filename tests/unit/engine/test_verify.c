/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locator verification, dispatch and Error messages: T010 to T018, T100 to T108 of the rows. */
#include "common.h"

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

/* The list of an I2 of B's; expects an Error 2 whose Pointer is the i-th method octet, or none (i < 0). */
static void offer(struct sim *s, const struct shim6_addr *l, const uint8_t *method, unsigned n, int i)
{
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);
	unsigned errors = A->sent[WIRE_ERROR];
	struct wire_msg m, sent;
	struct script script;
	size_t offset, len;

	script_i1(s, &back, 5, 6);
	script_i2(&script, s, 5, 6);
	wire_opt_locator_list(&script.b, 9, l, method, n);
	wire_opt_pds(&script.b, B->set.pds[0], B->set.pds_len);
	send_as(A, &back, &script);
	assert_int_equal(A->sent[WIRE_ERROR] - errors, i >= 0);
	if (i < 0)
		return;
	decode_last(A, WIRE_ERROR, &m);
	assert_int_equal(m.error_code, WIRE_ERR_LOCATOR_VERIFICATION);
	len = script.b.len;
	assert_int_equal(wire_decode(script.buf, len, &sent, &offset), WIRE_OK);
	assert_int_equal(m.error_pointer, 40 + (size_t)(sent.locators.methods - script.buf) + (size_t)i);
	/* the quote starts with the IPv6 header, and has the culprit where Pointer says */
	assert_int_equal(m.quote.p[m.error_pointer], method[i]);
	assert_memory_equal(m.quote.p + 8, &back.local, 16);
}

/* V-09, V-11, HV-13 */
static void t100_hba(void **state)
{
	struct sim *s = scripted(100);
	struct shim6_pair ulid = ab(s);
	struct shim6_addr l[3] = { B->addr[0], B->addr[1], B->addr[1] };
	uint8_t hba[3] = { 1, 1, 1 }, odd[3] = { 1, 201, 1 }, cga[3] = { 1, 2, 1 };
	struct engine_ctx_info info;

	(void)state;
	l[2].b[0] ^= 0x10;
	offer(s, l, hba, 3, 2); /* T101: prefix outside the set */
	l[2] = B->addr[1];
	l[2].b[15] ^= 1;
	offer(s, l, hba, 3, 2); /* right prefix, wrong interface identifier */
	offer(s, l, odd, 2, 1); /* T108 */
	offer(s, l, cga, 2, 1); /* T106, V-16a: an HBA-only PDS cannot back the CGA method */
	assert_int_equal(sim_context_count(A), 0);
	offer(s, l, hba, 2, -1); /* T100 */
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 2);
	assert_int_equal(info.peer[1].method, WIRE_METHOD_HBA);
	sim_free(s);
}

/* T102, V-10: the PDS is not that of ULID(peer): silence (HV-14) */
static void t102_hba_ulid_bad(void **state)
{
	struct sim *s = scripted(102);
	struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0);
	struct script m;

	(void)state;
	back.local.b[15] ^= 1;
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 6);
	put_hba(&m.b, B, 1);
	send_as(A, &back, &m);
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(A->sent[WIRE_ERROR] + A->sent[WIRE_R2], 0);
	assert_int_equal(sim_counter(A, "drop_pds"), 1);
	/* W-72: a list without PDS */
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 6);
	wire_opt_locator_list(&m.b, 1, &back.local, (uint8_t[]){ 1 }, 1);
	send_as(A, &back, &m);
	assert_int_equal(sim_counter(A, "drop_list_without_pds"), 1);
	sim_free(s);
}

/* V-22: a bad list on an existing context changes nothing */
static void v22_all_or_nothing(void **state)
{
	struct sim *s = scripted(122);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct shim6_addr l[2] = { B->addr[0], B->addr[0] };
	uint8_t method[2] = { 1, 1 };
	struct engine_ctx_info info;

	(void)state;
	script_establish(s, &back, 5, 6);
	l[1].b[15] ^= 1;
	s->now += SIM_SECOND;
	offer(s, l, method, 2, 1);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 2);
	assert_true(shim6_addr_eq(&info.peer[1].addr, &B->addr[1]));
	sim_free(s);
}

/* a list without the ULID: good as a source, no destination for probes */
static void a22_list_without_ulid(void **state)
{
	struct sim *s = scripted(22);
	struct shim6_pair ulid = ab(s);
	uint8_t method[1] = { 1 };
	struct engine_ctx_info info;

	(void)state;
	offer(s, &B->addr[1], method, 1, -1);
	assert_true(sim_context(A, &ulid, &info));
	assert_int_equal(info.n_peer, 2);
	assert_true(shim6_addr_eq(&info.peer[1].addr, &B->addr[0]));
	assert_int_equal(info.peer[1].flags & REAP_LOC_GONE, REAP_LOC_GONE);
	sim_free(s);
}

/* preferences of another generation are left aside, the handshake is not */
static void a30_preferences_out_of_sync(void **state)
{
	struct sim *s = scripted(30);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct wire_pref p[2] = { { .flags = 0 }, { .flags = WIRE_PREF_BROKEN, .priority = 3 } };
	struct engine_ctx_info info;
	struct script m;

	(void)state;
	for (uint32_t gen = 8; gen <= 9; gen++) {
		script_i1(s, &back, 5, 6);
		if (gen == 8)
			script_i2(&m, s, 5, 6);
		else
			script_i2(&m, s, 5, 7);
		put_hba(&m.b, B, 9);
		wire_opt_preferences(&m.b, gen, p, 2, 3);
		send_as(A, &back, &m);
		assert_true(sim_context(A, &ulid, &info));
		assert_int_equal(info.peer[1].flags & REAP_LOC_DOWN, gen == 9 ? REAP_LOC_DOWN : 0);
		assert_int_equal(sim_counter(A, "ignored_preferences"), 1);
	}
	assert_int_equal(info.peer[1].priority, 3);
	sim_free(s);
}

/* L-01, L-12: silent */
static void t010_addresses(void **state)
{
	struct sim *s = scripted(10);
	struct shim6_addr mcast = { { 0xff, 2, [15] = 1 } }, none = { { 0 } }, lo = { { [15] = 1 } };
	struct wire_builder b;
	uint8_t buf[64];
	size_t len;

	(void)state;
	wire_begin_i1(&b, buf, sizeof(buf), 1, 2);
	len = wire_finish(&b);
	sim_inject(A, &mcast, &A->addr[0], buf, len);
	sim_inject(A, &none, &A->addr[0], buf, len);
	sim_inject(A, &B->addr[0], &mcast, buf, len);
	sim_inject(A, &B->addr[0], &none, buf, len);
	assert_int_equal(sim_counter(A, "drop_address"), 4);
	sim_inject(A, &A->addr[1], &A->addr[0], buf, len);
	sim_inject(A, &lo, &A->addr[0], buf, len);
	assert_int_equal(sim_counter(A, "drop_own_source"), 2);
	sim_inject(A, &B->addr[0], &B->addr[1], buf, len);
	assert_int_equal(sim_counter(A, "drop_not_local"), 1);
	buf[5] ^= 1;
	sim_inject(A, &B->addr[0], &A->addr[0], buf, len);
	assert_int_equal(sim_counter(A, "drop_checksum"), 1);
	for (unsigned t = 0; t < SIM_PEER_MAX; t++)
		assert_int_equal(A->sent[t], 0);
	sim_free(s);
}

static void checksum(uint8_t *buf, size_t len)
{
	uint16_t c;

	buf[4] = buf[5] = 0;
	c = wire_checksum(buf, len);
	buf[4] = (uint8_t)(c >> 8);
	buf[5] = (uint8_t)c;
}

/* T014, T018: what an Error says, and where it points; A-10 */
static void t018_unknown_type_t014_critical_option(void **state)
{
	static const uint8_t type[] = { 0, 7, 63, 69, 127 };
	struct sim *s = scripted(18);
	struct wire_builder b;
	struct wire_msg m;
	uint8_t buf[64];
	size_t len;

	(void)state;
	for (unsigned i = 0; i < sizeof(type); i++) {
		wire_begin_i1(&b, buf, sizeof(buf), 1, 2);
		len = wire_finish(&b);
		buf[2] = type[i];
		checksum(buf, len);
		sim_inject(A, &B->addr[0], &A->addr[0], buf, len);
		assert_int_equal(A->sent[WIRE_ERROR], i + 1);
		decode_last(A, WIRE_ERROR, &m);
		assert_int_equal(m.error_code, WIRE_ERR_UNKNOWN_TYPE);
		assert_int_equal(m.error_pointer, 42);
	}
	assert_int_equal(A->sent[WIRE_R1BIS], 0);
	wire_begin_i1(&b, buf, sizeof(buf), 1, 2);
	wire_opt_fii(&b, 7);
	len = wire_finish(&b);
	buf[17] = 9 << 1 | 1; /* type 9, C = 1 */
	checksum(buf, len);
	sim_inject(A, &B->addr[0], &A->addr[0], buf, len);
	decode_last(A, WIRE_ERROR, &m);
	assert_int_equal(m.error_code, WIRE_ERR_CRITICAL_OPTION);
	assert_int_equal(m.error_pointer, 40 + 16);
	assert_int_equal(A->sent[WIRE_R1], 0);
	sim_free(s);
}

/* Hints: ICMPv6 errors that quote a tagged packet of ours (I-16, T137, T139); 4/1 ends it (T148, A-28) (PA-12) */
static void t137_icmp_hints_t148_no_support(void **state)
{
	struct sim *s = two_established(137);
	struct shim6_pair ulid = ab(s), wanted = sim_ulids(s, 0, 1, 1, 1);
	uint8_t quote[56] = { 0x60, [5] = 16, [6] = WIRE_PROTO, [7] = 64, [40] = 6, [42] = 0x80 };
	struct engine_ctx_info info;
	unsigned probes;

	(void)state;
	assert_true(sim_context(A, &ulid, &info));
	engine_explore(A->engine, s->now, info.id, &wanted);
	sim_run(s, 5 * SIM_SECOND);
	sim_payload(A, &ulid, UINT32_MAX);
	memcpy(quote + 8, &wanted.local, 16);
	memcpy(quote + 24, &wanted.peer, 16);
	for (unsigned i = 0; i < 6; i++)
		quote[42 + i] |= (uint8_t)(info.ct_peer >> (8 * (5 - i)));
	probes = A->sent[WIRE_PROBE];
	quote[47] ^= 1;
	engine_input_icmp(A->engine, s->now, 1, 0, 0, quote, sizeof(quote)); /* T139 */
	quote[47] ^= 1;
	engine_input_icmp(A->engine, s->now, 1, 4, 0, quote, sizeof(quote)); /* port: not ours */
	engine_input_icmp(A->engine, s->now, 2, 0, 1300, quote, sizeof(quote));
	assert_int_equal(A->sent[WIRE_PROBE], probes);
	engine_input_icmp(A->engine, s->now, 1, 0, 0, quote, sizeof(quote));
	assert_int_equal(A->sent[WIRE_PROBE], probes + 1);
	sim_run(s, 5 * SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_payload(A, &ulid, UINT32_MAX);
	engine_input_icmp(A->engine, s->now, 4, 1, 40, quote, sizeof(quote));
	assert_int_equal(state_of(A, &ulid), ENGINE_IDLE);
	assert_true(negative_holds(A->engine, &ulid));
	assert_false(A->slot[info.slot].used);
	sim_free(s);
}

/* W-04, T022: eight locators and every option fit one packet */
static void t022_max_1280(void **state)
{
	struct sim *s = sim_new(22);
	struct shim6_pair ulid, back;
	struct engine_ctx_info a, b;

	(void)state;
	sim_add_host(s, 8, false);
	sim_add_host(s, 8, false);
	for (unsigned i = 0; i < 8; i++)
		A->priority[i] = B->priority[i] = (uint8_t)i;
	s->config.reap.send_timeout = 30 * SIM_SECOND;
	sim_start(s);
	ulid = ab(s);
	back = reversed(&ulid);
	engine_trigger(A->engine, s->now, &ulid);
	sim_run(s, SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a) && sim_context(B, &back, &b));
	assert_int_equal(a.n_peer, 8);
	assert_int_equal(b.peer[7].priority, 7);
	assert_true(A->last[WIRE_I2].len <= WIRE_MAX_MSG && B->last[WIRE_R2].len <= WIRE_MAX_MSG);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t010_addresses),
		cmocka_unit_test(t018_unknown_type_t014_critical_option),
		cmocka_unit_test(t022_max_1280),
		cmocka_unit_test(t100_hba),
		cmocka_unit_test(t102_hba_ulid_bad),
		cmocka_unit_test(v22_all_or_nothing),
		cmocka_unit_test(a22_list_without_ulid),
		cmocka_unit_test(a30_preferences_out_of_sync),
		cmocka_unit_test(t137_icmp_hints_t148_no_support),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
