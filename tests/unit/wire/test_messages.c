/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control messages and the payload header as a whole: vectors, round trips, and every way to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rebuild.h"
#include "samples.h"

/* Decodes from a buffer of exactly len octets, so that a sanitizer sees the first octet too far. */
static int decode_exact(const uint8_t *buf, size_t len, struct wire_msg *m, size_t *err)
{
	uint8_t *copy = malloc(len ? len : 1);
	int status;

	assert_non_null(copy);
	memcpy(copy, buf, len);
	status = wire_decode(copy, len, m, err);
	free(copy);
	return status;
}

static void set_checksum(uint8_t *buf)
{
	uint16_t sum = wire_checksum(buf, ((size_t)buf[1] + 1) * 8);

	buf[4] = (uint8_t)(sum >> 8);
	buf[5] = (uint8_t)sum;
}

/* T001, T002: octets computed apart from this program (conformance rows 1.3). */
static void t001_t002_golden(void **state)
{
	static const uint8_t i1[] = { 0x3b, 0x01, 0x01, 0x00, 0x22, 0xf8, 0x12, 0x34,
				      0x56, 0x78, 0x9a, 0xbc, 0xde, 0xad, 0xbe, 0xef };
	static const uint8_t i1_fii[] = { 0x3b, 0x02, 0x01, 0x00, 0x22, 0xde, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc,
					  0xde, 0xad, 0xbe, 0xef, 0x00, 0x0e, 0x00, 0x04, 0x00, 0x00, 0x00, 0x07 };
	static const uint8_t i2bis[] = { 0x3b, 0x03, 0x06, 0x00, 0x5f, 0x31, 0x12, 0x34, 0x56, 0x78, 0x9a,
					 0xbc, 0xde, 0xad, 0xbe, 0xef, 0x01, 0x02, 0x03, 0x04, 0x00, 0x00,
					 0x00, 0x00, 0x00, 0x00, 0x0b, 0xad, 0xc0, 0xff, 0xee, 0x11 };
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;
	struct wire_msg m;
	size_t err;

	(void)state;
	wire_begin_i1(&b, buf, sizeof(buf), SAMPLE_CT, SAMPLE_INIT);
	assert_int_equal(wire_finish(&b), sizeof(i1));
	assert_memory_equal(buf, i1, sizeof(i1));

	wire_begin_i1(&b, buf, sizeof(buf), SAMPLE_CT, SAMPLE_INIT);
	wire_opt_fii(&b, 7);
	assert_int_equal(wire_finish(&b), sizeof(i1_fii));
	assert_memory_equal(buf, i1_fii, sizeof(i1_fii));
	assert_int_equal(wire_decode(buf, sizeof(i1_fii), &m, &err), WIRE_OK);
	assert_true(m.has_fii);
	assert_int_equal(m.fii, 7);

	wire_begin_i2bis(&b, buf, sizeof(buf), SAMPLE_CT, SAMPLE_INIT, SAMPLE_RESP, SAMPLE_PACKET_CT);
	assert_int_equal(wire_finish(&b), sizeof(i2bis));
	assert_memory_equal(buf, i2bis, sizeof(i2bis));
	assert_int_equal(decode_exact(i2bis, sizeof(i2bis), &m, &err), WIRE_E_NO_VALIDATOR);
}

/* T003; and A-18 on receipt. W-24: next header, length and 48 bits are all there is: no room for a checksum */
static void t003_payload_header(void **state)
{
	static const uint8_t vector[] = { 0x06, 0x00, 0x92, 0x34, 0x56, 0x78, 0x9a, 0xbc };
	static const uint8_t ones[] = { 0x2c, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t one[] = { 0x06, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x01 };
	uint8_t buf[WIRE_PAYLOAD_HDR], next;
	uint64_t tag;

	(void)state;
	wire_payload_put(buf, 6, SAMPLE_CT);
	assert_memory_equal(buf, vector, sizeof(vector));
	assert_true(wire_payload_get(buf, sizeof(buf), &next, &tag));
	assert_int_equal(next, 6);
	assert_true(tag == SAMPLE_CT);
	wire_payload_put(buf, 44, UINT64_C(0x7fffffffffff));
	assert_memory_equal(buf, ones, sizeof(ones));
	assert_true(wire_payload_get(buf, sizeof(buf), &next, &tag));
	assert_true(tag == UINT64_C(0x7fffffffffff));
	wire_payload_put(buf, 6, UINT64_C(0xffff800000000001)); /* no more than 47 bits */
	assert_memory_equal(buf, one, sizeof(one));

	assert_false(wire_payload_get(buf, 7, &next, &tag));
	buf[1] = 1;
	assert_false(wire_payload_get(buf, sizeof(buf), &next, &tag));
	buf[1] = 0;
	buf[2] &= 0x7f;
	assert_false(wire_payload_get(buf, sizeof(buf), &next, &tag));
}

static void round_trip_every_builder(void **state)
{
	uint8_t buf[WIRE_MAX_MSG], again[WIRE_MAX_MSG];
	struct wire_msg m, n;
	size_t err;

	(void)state;
	for (unsigned i = 0; i < n_samples; i++) {
		size_t len = samples[i].build(buf, sizeof(buf));

		assert_int_equal(len, samples[i].len);
		assert_int_equal(wire_decode(buf, len, &m, &err), WIRE_OK);
		assert_int_equal(m.len, len);
		assert_int_equal(rebuild(&m, again, sizeof(again)), len);
		assert_memory_equal(again, buf, len);
		assert_int_equal(wire_decode(again, len, &n, &err), WIRE_OK);
		assert_true(same_message(&m, &n));
	}
}

static void fields_of_i2(void **state)
{
	uint8_t buf[WIRE_MAX_MSG];
	struct shim6_addr a;
	struct wire_pref p;
	struct wire_msg m;
	size_t err, len = samples[3].build(buf, sizeof(buf));

	(void)state;
	assert_int_equal(wire_decode(buf, len, &m, &err), WIRE_OK);
	assert_int_equal(m.type, WIRE_I2);
	assert_true(m.tag == SAMPLE_CT);
	assert_int_equal(m.init_nonce, SAMPLE_INIT);
	assert_int_equal(m.resp_nonce, SAMPLE_RESP);
	assert_int_equal(m.validator.len, 16);
	assert_int_equal(m.validator.offset, 24);
	assert_memory_equal(m.validator.p, "0123456789abcdef", 16);
	assert_int_equal(m.locators.n, 2);
	assert_int_equal(m.locators.generation, 7);
	assert_int_equal(m.locators.offset, 48);
	assert_int_equal(m.locators.methods[1], WIRE_METHOD_CGA);
	wire_locator_get(&m.locators, 1, &a);
	assert_int_equal(a.b[7], 2);
	assert_int_equal(m.prefs.n, 2);
	wire_pref_get(&m.prefs, 1, &p);
	assert_int_equal(p.flags, WIRE_PREF_TRANSIENT);
	assert_int_equal(p.priority, 30);
	assert_int_equal(p.weight, 40);
	assert_int_equal(m.pds.len, 121);
	assert_int_equal(m.signature.len, 128);
	assert_true(m.has_ulids && m.has_fii && m.has_keepalive_timeout);
	assert_int_equal(m.ulid_receiver.b[5], 0x0b);
	assert_int_equal(m.keepalive_timeout, 30);
}

/* T009: every prefix of every message is refused, and so is every claim to be longer than it is. */
static void t009_every_truncation(void **state)
{
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_msg m;
	size_t err;

	(void)state;
	for (unsigned i = 0; i < n_samples; i++) {
		size_t len = samples[i].build(buf, sizeof(buf));

		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(decode_exact(buf, cut, &m, &err), WIRE_E_SHORT);
		for (unsigned hel = buf[1] + 1U; hel < 256; hel++) {
			buf[1] = (uint8_t)hel;
			assert_int_equal(decode_exact(buf, len, &m, &err), WIRE_E_SHORT);
		}
	}
}

/* T008: each type cut, with a good checksum, at every multiple of eight below its minimum (W-76). */
static void t008_below_minimum(void **state)
{
	static const struct {
		uint8_t type;
		size_t min;
	} rows[] = { { 1, 16 },	 { 2, 16 },  { 3, 24 },	 { 4, 16 },  { 5, 16 }, { 6, 32 },
		     { 64, 16 }, { 65, 16 }, { 66, 16 }, { 67, 56 }, { 68, 16 } };
	struct wire_msg m;
	size_t err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t len = 8; len <= rows[i].min; len += 8) {
			uint8_t buf[56] = { WIRE_NEXT_NONE, (uint8_t)(len / 8 - 1), rows[i].type };
			int status;

			if (rows[i].type == WIRE_PROBE && len > 12)
				buf[12] = 1;
			set_checksum(buf);
			status = decode_exact(buf, len, &m, &err);
			if (len < rows[i].min)
				assert_int_equal(status, WIRE_E_MIN_LENGTH);
			else
				assert_true(status == WIRE_OK || status == WIRE_E_NO_VALIDATOR);
			assert_int_equal(m.type, rows[i].type);
		}
	}
}

/* T005: any flipped bit of any octet that the checksum covers. */
static void t005_every_flipped_bit(void **state)
{
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_msg m;
	size_t err;

	(void)state;
	for (unsigned i = 0; i < n_samples; i++) {
		size_t len = samples[i].build(buf, sizeof(buf));

		for (size_t bit = 0; bit < 8 * len; bit++) {
			int status;

			buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
			status = wire_decode(buf, len, &m, &err);
			assert_int_not_equal(status, WIRE_OK);
			if (bit / 8 > 3)
				assert_int_equal(status, WIRE_E_CHECKSUM);
			buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* T006: a checksum of zero goes out and comes in as it is (W-23). */
static void t006_checksum_zero(void **state)
{
	uint8_t buf[16];
	struct wire_builder b;
	struct wire_msg m;
	uint32_t nonce;
	size_t err;

	(void)state;
	wire_begin_i1(&b, buf, sizeof(buf), SAMPLE_CT, 0);
	assert_int_equal(wire_finish(&b), 16);
	nonce = wire_checksum(buf, sizeof(buf)); /* fills the sum up to 0xffff */
	wire_begin_i1(&b, buf, sizeof(buf), SAMPLE_CT, nonce);
	assert_int_equal(wire_finish(&b), 16);
	assert_int_equal(buf[4], 0);
	assert_int_equal(buf[5], 0);
	assert_int_equal(decode_exact(buf, sizeof(buf), &m, &err), WIRE_OK);
	buf[4] = buf[5] = 0xff; /* the other zero folds to 0xffff too */
	assert_int_equal(decode_exact(buf, sizeof(buf), &m, &err), WIRE_OK);
	buf[5] = 0xfe;
	assert_int_equal(decode_exact(buf, sizeof(buf), &m, &err), WIRE_E_CHECKSUM);
}

/* T007: octets behind the header are neither summed nor read (W-22, A-18). */
static void t007_trailing_octets(void **state)
{
	uint8_t buf[WIRE_MAX_MSG + 9];
	struct wire_msg m;
	size_t err;

	(void)state;
	for (unsigned i = 0; i < n_samples; i++) {
		size_t len = samples[i].build(buf, WIRE_MAX_MSG);

		memset(buf + len, 0xa5, 9);
		assert_int_equal(decode_exact(buf, len + 9, &m, &err), WIRE_OK);
		assert_int_equal(m.len, len);
	}
}

/* T011: all reserved bits set (W-09, PF-02). */
static void t011_reserved_ignored(void **state)
{
	uint8_t plain[WIRE_MAX_MSG], buf[WIRE_MAX_MSG];
	struct wire_msg m, n;
	size_t err;

	(void)state;
	for (unsigned i = 0; i < n_samples; i++) {
		size_t len = samples[i].build(plain, sizeof(plain));

		assert_int_equal(wire_decode(plain, len, &m, &err), WIRE_OK);
		memcpy(buf, plain, len);
		if (m.type != WIRE_ERROR) {
			buf[3] |= 0xfe;
			buf[6] |= 0x80;
		}
		if (m.type == WIRE_R1)
			buf[6] = buf[7] = 0xff;
		else if (m.type == WIRE_I2)
			memset(buf + 20, 0xff, 4);
		else if (m.type == WIRE_I2BIS)
			memset(buf + 20, 0xff, 6);
		else if (m.type == WIRE_KEEPALIVE)
			memset(buf + 12, 0xff, 4);
		else if (m.type == WIRE_PROBE)
			buf[13] |= 0x3f;
		if (m.type == WIRE_I2BIS)
			buf[26] |= 0x80;
		if (m.type == WIRE_PROBE)
			buf[14] = buf[15] = 0xff;
		set_checksum(buf);
		assert_int_equal(wire_decode(buf, len, &n, &err), WIRE_OK);
		assert_true(same_message(&m, &n));
	}
}

/* T018: pointer at the type octet (ERR-03); eight octets are enough to be answered. */
static void t018_unknown_type(void **state)
{
	static const uint8_t known[] = { 1, 2, 3, 4, 5, 6, 64, 65, 66, 67, 68 };
	struct wire_msg m;
	size_t err;

	(void)state;
	for (unsigned type = 0; type < 128; type++) {
		uint8_t buf[16] = { WIRE_NEXT_NONE, (uint8_t)(type & 1), (uint8_t)type };

		if (memchr(known, (int)type, sizeof(known)))
			continue;
		set_checksum(buf);
		err = 99;
		assert_int_equal(decode_exact(buf, sizeof(buf), &m, &err), WIRE_E_UNKNOWN_TYPE);
		assert_int_equal(err, 2);
		assert_int_equal(m.type, type);
		assert_string_equal(wire_type_name(type), "unknown");
		buf[5] ^= 1;
		assert_int_equal(decode_exact(buf, sizeof(buf), &m, &err), WIRE_E_CHECKSUM);
	}
}

/* T023, and the P bit: both before the checksum, so that other protocols are not called damaged. A-02 */
static void t023_s_bit_and_p_bit(void **state)
{
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_msg m;
	size_t err;

	(void)state;
	for (unsigned i = 0; i < n_samples; i++) {
		size_t len = samples[i].build(buf, sizeof(buf));

		buf[3] |= 1;
		assert_int_equal(decode_exact(buf, len, &m, &err), WIRE_E_S_BIT);
		set_checksum(buf);
		assert_int_equal(decode_exact(buf, len, &m, &err), WIRE_E_S_BIT);
		buf[2] |= 0x80;
		assert_int_equal(decode_exact(buf, len, &m, &err), WIRE_E_NOT_CONTROL);
	}
}

/* T019: the largest offending packet still gives an Error that fits (ERR-02). */
static void t019_error_size(void **state)
{
	uint8_t quote[WIRE_MAX_PACKET], buf[WIRE_MAX_MSG], big[WIRE_MAX_MSG + 7], huge[4096];
	struct wire_builder b;
	struct wire_msg m;
	size_t err;

	(void)state;
	for (size_t i = 0; i < sizeof(quote); i++)
		quote[i] = (uint8_t)i;
	wire_begin_error(&b, buf, sizeof(buf), 127, 0xabcd, quote, sizeof(quote));
	assert_int_equal(wire_finish(&b), WIRE_MAX_MSG);
	assert_int_equal(buf[3], 127 << 1);
	assert_int_equal(wire_decode(buf, sizeof(buf), &m, &err), WIRE_OK);
	assert_int_equal(m.error_code, 127);
	assert_int_equal(m.error_pointer, 0xabcd);
	assert_int_equal(m.quote.len, WIRE_MAX_MSG - 8);
	assert_memory_equal(m.quote.p, quote, WIRE_MAX_MSG - 8);
	wire_begin_error(&b, big, sizeof(big), 0, 0, quote, sizeof(quote));
	assert_int_equal(wire_finish(&b), WIRE_MAX_MSG); /* whole octets of eight only */
	wire_begin_error(&b, huge, sizeof(huge), 0, 0, quote, sizeof(quote));
	assert_int_equal(wire_finish(&b), 8 + WIRE_MAX_PACKET);
	wire_begin_error(&b, buf, sizeof(buf), 1, 5, quote + 1, 13); /* padded with zeros */
	assert_int_equal(wire_finish(&b), 24);
	assert_int_equal(buf[8], 1);
	assert_memory_equal(buf + 21, "\0\0\0", 3);
	wire_begin_error(&b, buf, sizeof(buf), 1, 5, NULL, 0);
	assert_int_equal(wire_finish(&b), 16);
	wire_begin_error(&b, buf, sizeof(buf), 128, 5, NULL, 0);
	assert_int_equal(wire_finish(&b), 0);
	wire_begin_error(&b, buf, sizeof(buf), 1, 5, NULL, 0);
	wire_opt_fii(&b, 1); /* an Error has no options */
	assert_int_equal(wire_finish(&b), 0);
}

/* PF-16, PF-17: what the two nibbles may claim. */
static void probe_counts(void **state)
{
	uint8_t buf[WIRE_MAX_MSG + 1] = { 0 };
	struct wire_record r[16], got;
	struct wire_builder b;
	struct wire_msg m;
	size_t err;

	(void)state;
	memset(r, 0, sizeof(r));
	for (unsigned i = 0; i < 16; i++)
		r[i].nonce = 0x1000 + i;
	for (unsigned sent = 0; sent <= 16; sent++) {
		for (unsigned received = 0; received <= 16; received++) {
			size_t len;

			/* one octet off, so that a cast would show on the sanitizer */
			wire_begin_probe(&b, buf + 1, WIRE_MAX_MSG, SAMPLE_CT, WIRE_STA_EXPLORING, r, sent, r,
					 received);
			len = wire_finish(&b);
			if (sent < 1 || sent > 15 || received > 15) {
				assert_int_equal(len, 0);
				continue;
			}
			assert_int_equal(len, 16 + 40 * (sent + received));
			assert_int_equal(wire_decode(buf + 1, len, &m, &err), WIRE_OK);
			wire_record_get(&m, sent + received - 1, &got);
			assert_int_equal(got.nonce, 0x1000 + (received ? received : sent) - 1);
			buf[1 + 12] = (uint8_t)(received << 4 | sent) == 0xff ? 0xf0 : 0xff; /* claims more, or none */
			set_checksum(buf + 1);
			assert_int_equal(wire_decode(buf + 1, len, &m, &err), WIRE_E_PROBE);
			buf[1 + 12] = (uint8_t)(received << 4 | sent);
			buf[1 + 13] = 0xc0;
			set_checksum(buf + 1);
			assert_int_equal(wire_decode(buf + 1, len, &m, &err), WIRE_E_PROBE);
		}
	}
}

/* W-69, E-30 and the same for I2, R1bis, I2bis. */
static void validator_presence(void **state)
{
	uint8_t buf[64];
	struct wire_builder b;
	struct wire_msg m;
	size_t err, len;

	(void)state;
	for (unsigned with = 0; with < 2; with++) {
		for (unsigned i = 0; i < 4; i++) {
			if (i == 0)
				wire_begin_r1(&b, buf, sizeof(buf), 1, 2);
			else if (i == 1)
				wire_begin_i2(&b, buf, sizeof(buf), 1, 2, 3);
			else if (i == 2)
				wire_begin_r1bis(&b, buf, sizeof(buf), 1, 2);
			else
				wire_begin_i2bis(&b, buf, sizeof(buf), 1, 2, 3, 4);
			if (with)
				wire_opt_validator(&b, NULL, 0); /* empty, yet there */
			len = wire_finish(&b);
			assert_int_equal(wire_decode(buf, len, &m, &err), with ? WIRE_OK : WIRE_E_NO_VALIDATOR);
		}
	}
}

/* No builder writes past its capacity, whatever it is; a message that fits is whole. */
static void builder_capacity(void **state)
{
	uint8_t whole[WIRE_MAX_MSG];

	(void)state;
	for (unsigned i = 0; i < n_samples; i++) {
		size_t len = samples[i].build(whole, sizeof(whole));

		for (size_t cap = 0; cap <= len; cap++) {
			uint8_t *buf = malloc(cap ? cap : 1);
			size_t got;

			assert_non_null(buf);
			got = samples[i].build(buf, cap);
			if (cap == len)
				assert_memory_equal(buf, whole, len);
			else if (whole[2] == WIRE_ERROR && cap >= 16)
				assert_int_equal(got, cap & ~(size_t)7); /* quotes less */
			else
				assert_int_equal(got, 0);
			free(buf);
		}
	}
}

static void names(void **state)
{
	(void)state;
	for (int s = 0; s < WIRE_N_STATUS; s++) {
		assert_non_null(wire_status_name(-s));
		assert_ptr_equal(wire_status_name(-s), wire_status_name(s));
		for (int other = 0; other < s; other++)
			assert_string_not_equal(wire_status_name(s), wire_status_name(other));
	}
	assert_string_equal(wire_status_name(WIRE_E_CHECKSUM), "checksum");
	assert_string_equal(wire_status_name(-WIRE_N_STATUS), "unknown");
	assert_string_equal(wire_status_name(WIRE_N_STATUS), "unknown");
	assert_string_equal(wire_status_name((int)0x80000000), "unknown");
	assert_string_equal(wire_type_name(WIRE_R1BIS), "R1bis");
	assert_string_equal(wire_type_name(WIRE_UPDATE_ACK), "Update Acknowledgement");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t001_t002_golden),
		cmocka_unit_test(t003_payload_header),
		cmocka_unit_test(round_trip_every_builder),
		cmocka_unit_test(fields_of_i2),
		cmocka_unit_test(t005_every_flipped_bit),
		cmocka_unit_test(t006_checksum_zero),
		cmocka_unit_test(t007_trailing_octets),
		cmocka_unit_test(t008_below_minimum),
		cmocka_unit_test(t009_every_truncation),
		cmocka_unit_test(t011_reserved_ignored),
		cmocka_unit_test(t018_unknown_type),
		cmocka_unit_test(t019_error_size),
		cmocka_unit_test(t023_s_bit_and_p_bit),
		cmocka_unit_test(probe_counts),
		cmocka_unit_test(validator_presence),
		cmocka_unit_test(builder_capacity),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
