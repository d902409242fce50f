/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every vector of reap_vectors.json, or of another file of its shape, whose
 * octets come from an independent encoder: decoded as "expect" says, and
 * written again octet by octet. Nothing here knows a vector by its name: what a
 * sender of ours would leave out (reserved bits, unknown options) is taken out
 * of the vector first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rebuild.h"
#include "vectors_want.h"

static const struct vector *vectors;
static uint64_t tag; /* of all messages */

static size_t from_hex(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = strlen(hex) / 2;

	assert_true(n <= cap && strlen(hex) % 2 == 0);
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static struct shim6_addr addr_of(const char *s)
{
	struct shim6_addr a;

	assert_true(vector_address(s, a.b));
	return a;
}

/* Reserved bits off, unknown options out, checksum made anew: what we would send. */
static size_t canonical(const uint8_t *buf, const struct wire_msg *m, uint8_t *out)
{
	size_t options = m->type == WIRE_PROBE ? 16 + 40 * (size_t)(m->n_sent + m->n_received) : 16;
	uint16_t sum;

	memcpy(out, buf, options);
	out[0] = 59;
	out[1] = (uint8_t)(options / 8 - 1);
	out[3] = 0;
	out[6] &= 0x7f;
	if (m->type == WIRE_PROBE) {
		out[13] &= 0xc0;
		out[14] = out[15] = 0;
	} else {
		memset(out + 12, 0, 4);
	}
	sum = wire_checksum(out, options);
	out[4] = (uint8_t)(sum >> 8);
	out[5] = (uint8_t)sum;
	return options;
}

/* PF-01, PF-03, PF-12, W-07, W-08 */
static void check_accepted(const struct vector *v, const uint8_t *buf, size_t len, const struct wire_msg *m)
{
	uint8_t want[WIRE_MAX_MSG], again[WIRE_MAX_MSG];
	struct shim6_addr src = addr_of(text(v, "src")), dst = addr_of(text(v, "dst"));
	const struct vector *sta;
	struct wire_record r;
	size_t n;

	assert_true(m->tag == tag);
	assert_int_equal(m->len, len);
	assert_true(m->type == WIRE_KEEPALIVE || m->type == WIRE_PROBE);
	if ((sta = vector_get(v, "sta")) != NULL) {
		assert_int_equal(m->type, WIRE_PROBE);
		assert_int_equal((int)m->sta, sta->number);
	}
	if (m->type == WIRE_PROBE) { /* AMB-R13 */
		wire_record_get(m, 0, &r);
		assert_int_equal(shim6_addr_eq(&r.src, &src) && shim6_addr_eq(&r.dst, &dst),
				 !strstr(text(v, "expect"), "mismatch"));
	}
	n = canonical(buf, m, want);
	assert_int_equal(rebuild(m, again, sizeof(again)), n);
	assert_memory_equal(again, want, n);
}

/* W-39, W-76 */
static void check_message(const struct vector *v)
{
	const char *expect = text(v, "expect");
	uint8_t buf[WIRE_MAX_MSG];
	unsigned code, pointer;
	struct wire_msg m;
	size_t err, len = from_hex(text(v, "hex"), buf, sizeof(buf));
	int status = wire_decode(buf, len, &m, &err);

	print_message("%s: %s: %s\n", text(v, "id"), text(v, "what"), wire_status_name(status));
	assert_int_equal(get(v, "length")->number, len);
	assert_int_equal(get(v, "hdr_ext_len")->number, buf[1]);
	if (begins(expect, "accept")) {
		assert_int_equal(status, WIRE_OK);
		check_accepted(v, buf, len, &m);
	} else if (sscanf(expect, "error code %u, pointer %u", &code, &pointer) == 2) {
		assert_int_equal(status, code == WIRE_ERR_UNKNOWN_TYPE ? WIRE_E_UNKNOWN_TYPE : WIRE_E_CRITICAL);
		assert_int_equal(err, pointer);
	} else if (begins(expect, "silent drop")) {
		assert_true(status < 0 && status != WIRE_E_UNKNOWN_TYPE && status != WIRE_E_CRITICAL);
	} else {
		fail_msg("%s: unknown expectation '%s'", text(v, "id"), expect);
	}
}

static void messages(void **state)
{
	const struct vector *list = get(vectors, "messages");

	(void)state;
	assert_true(list->n > 0);
	for (size_t i = 0; i < list->n; i++)
		check_message(&list->items[i]);
}

/* An option as the vector has it, inside an R2. */
static size_t in_r2(uint8_t *buf, size_t cap, const uint8_t *option, size_t len)
{
	struct wire_builder b;

	wire_begin_r2(&b, buf, cap, tag, 1);
	assert_true(b.len + len <= cap && len % 8 == 0);
	memcpy(buf + b.len, option, len);
	b.len += len;
	return wire_finish(&b);
}

/* PF-18 */
static void check_option(const struct vector *v)
{
	static const uint8_t ours[6] = { 0, 20, 0, 4, 0, 0 };
	const struct vector *expect = get(v, "expect");
	uint8_t buf[64], option[32];
	struct wire_builder b;
	struct wire_msg m;
	size_t err, n = from_hex(text(v, "hex"), option, sizeof(option));

	print_message("%s: %s\n", text(v, "id"), text(v, "what"));
	assert_int_equal(wire_decode(buf, in_r2(buf, sizeof(buf), option, n), &m, &err), WIRE_OK);
	if (expect->type != VECTOR_NUMBER) {
		assert_true(begins(expect->string, "ignore"));
		/* A value of zero is the engine's to ignore (AMB-R6). */
		assert_true(!m.has_keepalive_timeout || m.keepalive_timeout == 0);
		return;
	}
	assert_true(m.has_keepalive_timeout);
	assert_int_equal(m.keepalive_timeout, expect->number);
	wire_begin_r2(&b, buf, sizeof(buf), tag, 1);
	wire_opt_keepalive_timeout(&b, m.keepalive_timeout);
	assert_int_equal(wire_finish(&b), 24);
	assert_memory_equal(buf + 16, ours, 6);
	assert_memory_equal(buf + 22, option + 6, 2);
	if (memcmp(option, ours, 6) == 0)
		assert_memory_equal(buf + 16, option, n);
}

static void keepalive_timeout_options(void **state)
{
	const struct vector *list = get(vectors, "keepalive_timeout_options");

	(void)state;
	assert_true(list->n > 0);
	for (size_t i = 0; i < list->n; i++)
		check_option(&list->items[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(keepalive_timeout_options),
	};
	vectors = vectors_choose(argc, argv, &reap_vectors, "reap_vectors.json");
	tag = strtoull(text(vectors, "context_tag"), NULL, 16);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
