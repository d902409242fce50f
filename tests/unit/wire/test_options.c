/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options: padding, unknown and misplaced ones, lengths, duplicates, and which message carries which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rebuild.h"
#include "samples.h"

static void put_option(struct wire_builder *b, unsigned type, bool critical, const uint8_t *p, size_t len)
{
	size_t total = (4 + len + 7) & ~(size_t)7;
	uint8_t *o = b->buf + b->len;

	assert_true(b->len + total <= b->cap);
	memset(o, 0xee, total); /* padding that is not zero (W-35) */
	o[0] = (uint8_t)(type >> 7);
	o[1] = (uint8_t)(type << 1 | critical);
	o[2] = (uint8_t)(len >> 8);
	o[3] = (uint8_t)len;
	if (len)
		memcpy(o + 4, p, len);
	b->len += total;
}

static int finish_and_decode(struct wire_builder *b, struct wire_msg *m, size_t *err)
{
	size_t len = wire_finish(b);

	*err = 9999;
	return wire_decode(b->buf, len, m, err);
}

static uint8_t buf[WIRE_MAX_MSG];

static void begin_any(struct wire_builder *b, enum wire_type type)
{
	static const struct wire_record r;

	switch (type) {
	case WIRE_R1:
		wire_begin_r1(b, buf, sizeof(buf), 1, 2);
		break;
	case WIRE_I2:
		wire_begin_i2(b, buf, sizeof(buf), 1, 2, 3);
		break;
	case WIRE_R2:
		wire_begin_r2(b, buf, sizeof(buf), 1, 2);
		break;
	case WIRE_R1BIS:
		wire_begin_r1bis(b, buf, sizeof(buf), 1, 2);
		break;
	case WIRE_I2BIS:
		wire_begin_i2bis(b, buf, sizeof(buf), 1, 2, 3, 4);
		break;
	case WIRE_UPDATE_REQUEST:
		wire_begin_update_request(b, buf, sizeof(buf), 1, 2);
		break;
	case WIRE_UPDATE_ACK:
		wire_begin_update_ack(b, buf, sizeof(buf), 1, 2);
		break;
	case WIRE_KEEPALIVE:
		wire_begin_keepalive(b, buf, sizeof(buf), 1);
		break;
	case WIRE_PROBE:
		wire_begin_probe(b, buf, sizeof(buf), 1, WIRE_STA_OPERATIONAL, &r, 1, NULL, 0);
		break;
	default:
		wire_begin_i1(b, buf, sizeof(buf), 1, 2);
	}
	if (type == WIRE_R1 || type == WIRE_I2 || type == WIRE_R1BIS || type == WIRE_I2BIS)
		wire_opt_validator(b, (const uint8_t *)"v", 1);
}

/* T012 (W-31, W-32, W-35): every length from 0 to 40 is padded with zeros to eight octets, and read back whatever the
 * padding is. */
static void t012_padding(void **state)
{
	uint8_t v[40];
	struct wire_builder b;
	struct wire_msg m;
	size_t err;

	(void)state;
	memset(v, 0xaa, sizeof(v));
	for (size_t l = 0; l <= sizeof(v); l++) {
		size_t pad = 7 - (l + 3) % 8; /* W-33 */

		wire_begin_r1(&b, buf, sizeof(buf), 1, 2);
		wire_opt_validator(&b, v, l);
		assert_int_equal(b.len, 16 + 4 + l + pad);
		for (size_t i = 0; i < pad; i++)
			assert_int_equal(buf[20 + l + i], 0); /* W-34 */
		assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_OK);
		assert_int_equal(m.validator.len, l);
		assert_memory_equal(m.validator.p, v, l);

		wire_begin_r1(&b, buf, sizeof(buf), 1, 2);
		put_option(&b, WIRE_OPT_VALIDATOR, false, v, l);
		assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_OK);
		assert_int_equal(m.validator.len, l);
	}
}

/* T013, T014: unknown options, in every message that has options. */
static void t013_t014_unknown_option(void **state)
{
	static const uint8_t types[] = {
		WIRE_I1,	 WIRE_R1,	 WIRE_I2,   WIRE_R2, WIRE_R1BIS, WIRE_I2BIS, WIRE_UPDATE_REQUEST,
		WIRE_UPDATE_ACK, WIRE_KEEPALIVE, WIRE_PROBE
	};
	static const unsigned unknown[] = { 0, 8, 9, 11, 31, 32, 33, 42, 64, 100, 0x7fff };
	struct wire_builder b;
	struct wire_msg m;
	size_t err, at;

	(void)state;
	for (size_t t = 0; t < sizeof(types); t++) {
		for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
			begin_any(&b, types[t]);
			put_option(&b, unknown[i], false, (const uint8_t *)"abc", 3);
			at = b.len;
			assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_OK);
			put_option(&b, unknown[i], true, (const uint8_t *)"abcdef", 6);
			assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_E_CRITICAL);
			assert_int_equal(err, at);
		}
	}
}

static const uint8_t *known_contents(unsigned type, size_t *len)
{
	static const uint8_t list[28] = { [3] = 1, [4] = 1, [5] = WIRE_METHOD_HBA };
	static const uint8_t prefs[6] = { [3] = 1, [4] = 1, [5] = WIRE_PREF_BROKEN };
	static const uint8_t other[36] = { 1 };

	switch (type) {
	case WIRE_OPT_LOCATOR_LIST:
		*len = sizeof(list);
		return list;
	case WIRE_OPT_PREFERENCES:
		*len = sizeof(prefs);
		return prefs;
	case WIRE_OPT_ULID_PAIR:
		*len = 36;
		return other;
	case WIRE_OPT_VALIDATOR:
	case WIRE_OPT_PDS:
	case WIRE_OPT_SIGNATURE:
		*len = 20;
		return other;
	default:
		*len = 4;
		return other;
	}
}

/* Is what option type stands for there? */
static bool is_decoded(const struct wire_msg *m, unsigned type)
{
	switch (type) {
	case WIRE_OPT_VALIDATOR:
		return m->validator.p;
	case WIRE_OPT_LOCATOR_LIST:
		return m->locators.present;
	case WIRE_OPT_PREFERENCES:
		return m->prefs.present;
	case WIRE_OPT_PDS:
		return m->pds.p;
	case WIRE_OPT_SIGNATURE:
		return m->signature.p;
	case WIRE_OPT_ULID_PAIR:
		return m->has_ulids;
	case WIRE_OPT_FII:
		return m->has_fii;
	default:
		return m->has_keepalive_timeout;
	}
}

/* T015, T016 and table 1.5 whole: listed options are read with either C bit, the others are as good as unknown. */
static void t015_t016_matrix(void **state)
{
	static const struct {
		uint8_t type;
		const char *options; /* 1 2 3 4 5 6 7 10 */
	} rows[] = {
		{ WIRE_I1, "-----xx-" },
		{ WIRE_R1, "x-------" },
		{ WIRE_I2, "xxxxxxxx" },
		{ WIRE_R2, "-xxxx--x" },
		{ WIRE_R1BIS, "x-------" },
		{ WIRE_I2BIS, "xxxxxxxx" },
		{ WIRE_UPDATE_REQUEST, "-xxxx--x" },
		{ WIRE_UPDATE_ACK, "--------" },
		{ WIRE_KEEPALIVE, "--------" },
		{ WIRE_PROBE, "--------" },
	};
	static const uint8_t options[] = { 1, 2, 3, 4, 5, 6, 7, 10 };
	struct wire_builder b;
	struct wire_msg m;
	const uint8_t *p;
	size_t err, at, len;

	(void)state;
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		for (size_t o = 0; o < sizeof(options); o++) {
			bool listed = rows[r].options[o] == 'x';

			p = known_contents(options[o], &len);
			for (int critical = 0; critical < 2; critical++) {
				int status;

				begin_any(&b, rows[r].type);
				if (options[o] == WIRE_OPT_VALIDATOR && listed)
					b.len -= 8; /* this test brings its own */
				at = b.len;
				put_option(&b, options[o], critical, p, len);
				status = finish_and_decode(&b, &m, &err);
				if (!listed && critical) {
					assert_int_equal(status, WIRE_E_CRITICAL);
					assert_int_equal(err, at);
					continue;
				}
				assert_int_equal(status, WIRE_OK);
				assert_int_equal(is_decoded(&m, options[o]), listed);
			}
			if (listed && options[o] != WIRE_OPT_VALIDATOR) { /* T017, W-44 */
				put_option(&b, options[o], false, p, len);
				assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_E_DUPLICATE);
			}
		}
	}
}

/* T017: Length past the end, and wrong fixed lengths (W-42, W-43). A-16 */
static void t017_bad_lengths(void **state)
{
	static const uint8_t zero[64];
	struct wire_builder b;
	struct wire_msg m;
	size_t err;

	(void)state;
	for (size_t l = 0; l <= 64; l++) {
		wire_begin_i1(&b, buf, sizeof(buf), 1, 2);
		put_option(&b, WIRE_OPT_ULID_PAIR, false, zero, l);
		assert_int_equal(finish_and_decode(&b, &m, &err), l == 36 ? WIRE_OK : WIRE_E_OPTION);
		wire_begin_i1(&b, buf, sizeof(buf), 1, 2);
		put_option(&b, WIRE_OPT_FII, true, zero, l);
		assert_int_equal(finish_and_decode(&b, &m, &err), l == 4 ? WIRE_OK : WIRE_E_OPTION);
	}
	for (unsigned claim = 5; claim < 0x10000; claim++) {
		wire_begin_keepalive(&b, buf, sizeof(buf), 1);
		put_option(&b, 100, true, zero, 4); /* even a critical one: what overruns has no end */
		buf[18] = (uint8_t)(claim >> 8);
		buf[19] = (uint8_t)claim;
		assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_E_OPTION);
	}
}

/* T020: where the locators begin, and that no other Length will do (W-51, W-55). */
static void t020_locator_list(void **state)
{
	static const struct {
		unsigned n;
		size_t at;
	} rows[] = { { 1, 16 }, { 7, 16 }, { 8, 24 }, { 15, 24 }, { 16, 32 }, { 23, 32 }, { WIRE_MAX_LOCATORS, 80 } };
	struct shim6_addr a[WIRE_MAX_LOCATORS], got;
	uint8_t methods[WIRE_MAX_LOCATORS + 1];
	struct wire_builder b;
	struct wire_msg m;
	size_t err, len;

	(void)state;
	for (unsigned i = 0; i < WIRE_MAX_LOCATORS; i++) {
		memset(&a[i], (int)i, sizeof(a[i]));
		methods[i] = (uint8_t)(i + 1);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned n = rows[i].n;

		wire_begin_update_request(&b, buf, sizeof(buf), 1, 2);
		wire_opt_locator_list(&b, 77, a, methods, n);
		assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_OK);
		len = rows[i].at + 16 * (size_t)n;
		assert_int_equal(m.len, 16 + len);
		assert_int_equal(buf[18] << 8 | buf[19], len - 4);
		assert_ptr_equal(m.locators.locators, buf + 16 + rows[i].at);
		assert_int_equal(m.locators.n, n);
		assert_int_equal(m.locators.generation, 77);
		assert_int_equal(m.locators.offset, 16);
		assert_memory_equal(m.locators.methods, methods, n);
		wire_locator_get(&m.locators, n - 1, &got);
		assert_true(shim6_addr_eq(&got, &a[n - 1]));

		for (unsigned claim = 0; claim < 256; claim++) {
			buf[24] = (uint8_t)claim;
			if (claim != n)
				assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_E_OPTION);
		}
	}
	wire_begin_update_request(&b, buf, sizeof(buf), 1, 2);
	wire_opt_locator_list(&b, 77, a, methods, 0);
	assert_int_equal(wire_finish(&b), 0);
	wire_begin_update_request(&b, buf, sizeof(buf), 1, 2);
	wire_opt_locator_list(&b, 77, a, methods, WIRE_MAX_LOCATORS + 1);
	assert_int_equal(wire_finish(&b), 0);
	memset(methods, 0, sizeof(methods));
	for (size_t l = 0; l < 20; l++) { /* 12 is what an empty list would take */
		wire_begin_update_request(&b, buf, sizeof(buf), 1, 2);
		put_option(&b, WIRE_OPT_LOCATOR_LIST, false, methods, l);
		assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_E_OPTION);
	}
}

/* T021: element lengths 1, 2, 3 are written, longer ones read in part, nonsense refused (W-56, W-57, W-60). */
static void t021_preferences(void **state)
{
	static const struct wire_pref in[3] = { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } };
	static const uint8_t four[] = { 0, 0, 0, 5, 4, 1, 2, 3, 0xff, 4, 5, 6, 0xff };
	struct wire_builder b;
	struct wire_msg m;
	struct wire_pref p;
	size_t err;

	(void)state;
	for (unsigned e = 0; e <= 4; e++) {
		wire_begin_update_request(&b, buf, sizeof(buf), 1, 2);
		wire_opt_preferences(&b, 9, in, 3, e);
		if (e == 0 || e == 4) {
			assert_int_equal(wire_finish(&b), 0);
			continue;
		}
		assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_OK);
		assert_int_equal(m.prefs.n, 3);
		assert_int_equal(m.prefs.elem_len, e);
		wire_pref_get(&m.prefs, 2, &p);
		assert_int_equal(p.flags, 7);
		assert_int_equal(p.priority, e > 1 ? 8 : 0);
		assert_int_equal(p.weight, e > 2 ? 9 : 0);
	}
	wire_begin_update_request(&b, buf, sizeof(buf), 1, 2);
	put_option(&b, WIRE_OPT_PREFERENCES, false, four, sizeof(four));
	assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_OK);
	assert_int_equal(m.prefs.n, 2);
	assert_int_equal(m.prefs.generation, 5);
	wire_pref_get(&m.prefs, 1, &p);
	assert_int_equal(p.flags, 4);
	assert_int_equal(p.weight, 6);
	for (unsigned e = 0; e < 256; e++) {
		uint8_t v[5 + 12] = { [4] = (uint8_t)e };
		bool good = e && 12 % e == 0;

		wire_begin_update_request(&b, buf, sizeof(buf), 1, 2);
		put_option(&b, WIRE_OPT_PREFERENCES, false, v, sizeof(v));
		assert_int_equal(finish_and_decode(&b, &m, &err), good ? WIRE_OK : WIRE_E_OPTION);
		if (good)
			assert_int_equal(m.prefs.n, 12 / e);
	}
	wire_begin_update_request(&b, buf, sizeof(buf), 1, 2);
	put_option(&b, WIRE_OPT_PREFERENCES, false, four, 4);
	assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_E_OPTION);
}

/* W-45: options in the opposite order say the same. */
static void order_does_not_matter(void **state)
{
	struct wire_builder b;
	struct wire_msg m;
	size_t err;

	(void)state;
	wire_begin_i2(&b, buf, sizeof(buf), SAMPLE_CT, 1, 2);
	for (int i = 7; i >= 0; i--) {
		static const uint8_t options[] = { 1, 2, 3, 4, 5, 6, 7, 10 };
		size_t len;
		const uint8_t *p = known_contents(options[i], &len);

		put_option(&b, options[i], false, p, len);
	}
	assert_int_equal(finish_and_decode(&b, &m, &err), WIRE_OK);
	for (unsigned type = 1; type <= 7; type++)
		assert_true(is_decoded(&m, type));
	assert_true(m.has_keepalive_timeout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t012_padding),		 cmocka_unit_test(t013_t014_unknown_option),
		cmocka_unit_test(t015_t016_matrix),	 cmocka_unit_test(t017_bad_lengths),
		cmocka_unit_test(t020_locator_list),	 cmocka_unit_test(t021_preferences),
		cmocka_unit_test(order_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
