/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every vector of tests/vectors/reap_vectors.json, whose octets come from an
 * independent encoder: decoded as it expects, and written again octet by octet
 * wherever it is a message that we could have sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rebuild.h"
#include "samples.h"
#include "vectors.h"

static const char *text(const struct vector *o, const char *key)
{
	const struct vector *v = vector_get(o, key);

	assert_non_null(v);
	assert_int_equal(v->type, VECTOR_STRING);
	return v->string;
}

static const struct vector *list_of(const char *key)
{
	const struct vector *list = vector_get(&reap_vectors, key);

	assert_non_null(list);
	return list;
}

static size_t from_hex(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = strlen(hex) / 2;

	assert_true(n <= cap);
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

/* Vectors whose octets we never send: an unknown option, reserved bits. */
static bool is_ours(const char *id)
{
	return strcmp(id, "P5") != 0 && strcmp(id, "P6") != 0;
}

static int expected_status(const char *id, const char *expect)
{
	static const struct {
		const char *id;
		int status;
	} rows[] = { { "K6", WIRE_E_MIN_LENGTH }, { "K7", WIRE_E_SHORT },     { "P8", WIRE_E_MIN_LENGTH },
		     { "P10", WIRE_E_PROBE },	  { "P12", WIRE_E_CHECKSUM }, { "K4", WIRE_E_CRITICAL } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(id, rows[i].id) == 0)
			return rows[i].status;
	}
	assert_true(strncmp(expect, "accept", 6) == 0);
	return WIRE_OK;
}

static void messages(void **state)
{
	const struct vector *list = list_of("messages");
	uint8_t buf[WIRE_MAX_MSG], again[WIRE_MAX_MSG];
	struct wire_msg m;
	size_t err;

	(void)state;
	assert_true(list->n >= 14);
	for (size_t i = 0; i < list->n; i++) {
		const struct vector *v = &list->items[i], *sta = vector_get(v, "sta");
		const char *id = text(v, "id");
		size_t len = from_hex(text(v, "hex"), buf, sizeof(buf));
		int status = wire_decode(buf, len, &m, &err);

		assert_int_equal(status, expected_status(id, text(v, "expect")));
		if (status == WIRE_E_CRITICAL)
			assert_int_equal(err, 16);
		if (status != WIRE_OK)
			continue;
		assert_true(m.tag == SAMPLE_CT);
		assert_int_equal(m.len, len);
		if (sta)
			assert_int_equal(m.sta, sta->number);
		if (is_ours(id)) {
			assert_int_equal(rebuild(&m, again, sizeof(again)), len);
			assert_memory_equal(again, buf, len);
		}
	}
}

static void addr_from_words(struct shim6_addr *a, uint8_t net, uint8_t link)
{
	static const struct shim6_addr base = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };

	*a = base;
	a->b[5] = net;
	a->b[7] = link;
}

/* P2 field by field: sent s, r; received p, q (example 5 of RFC 5534). */
static void records_of_p2(void **state)
{
	static const struct {
		uint8_t src_net, src_link, dst_net, dst_link;
		uint32_t nonce, data;
	} want[] = {
		{ 0x0a, 2, 0x0b, 2, 0x44444444, 0 },
		{ 0x0a, 1, 0x0b, 1, 0x33333333, 0 },
		{ 0x0b, 1, 0x0a, 1, 0x11111111, 0 },
		{ 0x0b, 2, 0x0a, 2, 0x22222222, 0xcafef00d },
	};
	const struct vector *list = list_of("messages"), *v = list->items;
	uint8_t buf[WIRE_MAX_MSG];
	struct shim6_addr a;
	struct wire_record r;
	struct wire_msg m;
	size_t err, len;

	(void)state;
	while (strcmp(text(v, "id"), "P2") != 0)
		assert_true(++v < list->items + list->n);
	len = from_hex(text(v, "hex"), buf, sizeof(buf));
	assert_int_equal(wire_decode(buf, len, &m, &err), WIRE_OK);
	assert_int_equal(m.n_sent, 2);
	assert_int_equal(m.n_received, 2);
	for (unsigned i = 0; i < 4; i++) {
		wire_record_get(&m, i, &r);
		addr_from_words(&a, want[i].src_net, want[i].src_link);
		assert_true(shim6_addr_eq(&a, &r.src));
		addr_from_words(&a, want[i].dst_net, want[i].dst_link);
		assert_true(shim6_addr_eq(&a, &r.dst));
		assert_int_equal(r.nonce, want[i].nonce);
		assert_int_equal(r.data, want[i].data);
	}
}

/* O1 to O7, each inside an R2. */
static void keepalive_timeout_options(void **state)
{
	const struct vector *list = list_of("keepalive_timeout_options");
	uint8_t buf[64], option[16];
	struct wire_builder b;
	struct wire_msg m;
	size_t err, len;

	(void)state;
	assert_true(list->n >= 7);
	for (size_t i = 0; i < list->n; i++) {
		const struct vector *v = &list->items[i];
		const struct vector *expect = vector_get(v, "expect");
		const char *id = text(v, "id");

		len = from_hex(text(v, "hex"), option, sizeof(option));
		assert_int_equal(len, 8);
		wire_begin_r2(&b, buf, sizeof(buf), SAMPLE_CT, 1);
		memcpy(buf + b.len, option, len);
		b.len += len;
		len = wire_finish(&b);
		assert_int_equal(wire_decode(buf, len, &m, &err), WIRE_OK);
		assert_non_null(expect);
		if (expect->type == VECTOR_NUMBER) {
			assert_true(m.has_keepalive_timeout);
			assert_int_equal(m.keepalive_timeout, expect->number);
		} else if (strcmp(id, "O5") == 0) { /* a value of zero is the engine's to ignore (AMB-R6) */
			assert_true(m.has_keepalive_timeout);
			assert_int_equal(m.keepalive_timeout, 0);
		} else {
			assert_string_equal(id, "O6");
			assert_false(m.has_keepalive_timeout);
		}
		if (strcmp(id, "O4") < 0) { /* O1 to O3 are as we send them */
			wire_begin_r2(&b, buf, sizeof(buf), SAMPLE_CT, 1);
			wire_opt_keepalive_timeout(&b, m.keepalive_timeout);
			assert_int_equal(wire_finish(&b), 24);
			assert_memory_equal(buf + 16, option, 8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(records_of_p2),
		cmocka_unit_test(keepalive_timeout_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
