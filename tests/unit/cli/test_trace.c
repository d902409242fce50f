/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What shim6 trace makes of each kind of message: one line with everything in it, and the same as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/decode.h"
#include "cli/trace.h"
#include "samples.h"

#define LOCATORS ", locators (generation 7) 2001:db8:a:1::1 HBA; 2001:db8:a:2::1 CGA"
#define LOCATORS_VERIFIED ", locators (generation 7) 2001:db8:a:1::1 HBA verified; 2001:db8:a:2::1 CGA not verified"
#define BESIDES                                                                                                        \
	", preferences (generation 7) priority 10 weight 20 broken; priority 30 weight 40 transient"                   \
	", HBA parameters of 121 octets, signature of 128 octets"
#define CONTEXT ", ULIDs 2001:db8:a:1::1 > 2001:db8:b:1::1, FII 7"
#define VALIDATOR ", validator of 16 octets"

/* What stands behind the addresses of the line. */
static const struct {
	const char *name, *line;
} lines[] = {
	{ "i1", "I1, tag 123456789abc, initiator nonce deadbeef" },
	{ "i1-context", "I1, tag 123456789abc, initiator nonce deadbeef" CONTEXT },
	{ "r1", "R1, initiator nonce deadbeef, responder nonce 01020304" VALIDATOR },
	{ "i2",
	  "I2, tag 123456789abc, initiator nonce deadbeef, responder nonce 01020304" CONTEXT VALIDATOR LOCATORS BESIDES
	  ", keepalive timeout 30 s" },
	{ "r2", "R2, tag 123456789abc, initiator nonce deadbeef" LOCATORS BESIDES ", keepalive timeout 10 s" },
	{ "r1bis", "R1bis, tag 0badc0ffee11, responder nonce 01020304" VALIDATOR },
	{ "i2bis", "I2bis, tag 123456789abc, of packet with tag 0badc0ffee11, initiator nonce deadbeef, "
		   "responder nonce 01020304" CONTEXT VALIDATOR LOCATORS BESIDES },
	{ "update-request",
	  "Update Request, tag 123456789abc, nonce deadbeef" LOCATORS BESIDES ", keepalive timeout 60 s" },
	{ "update-ack", "Update Acknowledgement, tag 123456789abc, nonce deadbeef" },
	{ "keepalive", "Keepalive, tag 123456789abc" },
	{ "probe", "Probe, state InboundOk, tag 123456789abc, sent 2001:db8:a:1::1 > 2001:db8:b:1::1 nonce 11111111; "
		   "2001:db8:a:2::1 > 2001:db8:b:1::1 nonce 22222222, received 2001:db8:b:1::1 > 2001:db8:a:1::1 "
		   "nonce 33333333 data cafef00d" },
	{ "error", "Error, code 1: critical option not recognized, at octet 56 of I1 2001:db8:a:1::1 > "
		   "2001:db8:b:1::1" },
};

static char *said;
static size_t said_len;
static struct output out;
static struct trace_text text;

static void begin(void)
{
	free(said);
	said = NULL;
	out.f = open_memstream(&said, &said_len);
	text.out = &out;
}

static struct json_object *message(const char *direction, const char *verdict, const uint8_t *msg, size_t len)
{
	struct json_object *o = json_tokener_parse("{\"time\":\"2026-01-31T12:34:56.123456Z\",\"id\":7,\"counters\":[],"
						   "\"local\":\"2001:db8:a:1:9:8:7:f04\",\"peer\":\"2001:db8::9\"}");
	char *hex = calloc(1, 2 * len + 1);

	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", msg[i]);
	json_object_object_add(o, "octets", json_object_new_string(hex));
	free(hex);
	json_object_object_add(o, "direction", json_object_new_string(direction));
	json_object_object_add(o, "verdict", json_object_new_string(verdict));
	json_object_object_add(o, "decoded", decode_message(msg, len));
	return o;
}

static void expect(struct json_object *o, const char *whole)
{
	begin();
	trace_text_message(&text, o);
	fclose(out.f);
	assert_string_equal(said, whole);
	json_object_put(o);
}

static void each_kind_of_message(void **state)
{
	uint8_t buf[WIRE_MAX_MSG];
	char want[1024];

	(void)state;
	assert_int_equal(n_samples, sizeof(lines) / sizeof(lines[0]));
	for (unsigned i = 0; i < n_samples; i++) {
		size_t len = samples[i].build(buf, sizeof(buf));

		assert_string_equal(samples[i].name, lines[i].name);
		snprintf(want, sizeof(want), "12:34:56.123456  #7    2001:db8:a:1..0f04 -> 2001:db8::9  %s\n",
			 lines[i].line);
		expect(message("sent", "sent", buf, len), want);
	}
}

static void verdicts(void **state)
{
	uint8_t buf[WIRE_MAX_MSG];
	size_t len = samples[9].build(buf, sizeof(buf)); /* Keepalive */
	struct json_object *o = message("received", "dropped", buf, len);

	(void)state;
	json_object_array_add(js_get(o, "counters"), json_object_new_string("drop_wrong_locators"));
	json_object_array_add(js_get(o, "counters"), json_object_new_string("limit_something_new"));
	expect(o, "12:34:56.123456  #7    2001:db8:a:1..0f04 <- 2001:db8::9  Keepalive, tag 123456789abc  [dropped: "
		  "addresses are not of this context (drop_wrong_locators), limit_something_new]\n");
	expect(message("received", "accepted", buf, len),
	       "12:34:56.123456  #7    2001:db8:a:1..0f04 <- 2001:db8::9  Keepalive, tag 123456789abc  [accepted]\n");
	expect(message("sent", "failed", buf, len),
	       "12:34:56.123456  #7    2001:db8:a:1..0f04 -> 2001:db8::9  Keepalive, tag 123456789abc  [not sent: "
	       "refused by the kernel]\n");
}

static void verified_locators(void **state)
{
	uint8_t buf[WIRE_MAX_MSG];
	size_t len = samples[4].build(buf, sizeof(buf)); /* R2 */
	struct json_object *o = message("received", "accepted", buf, len);

	(void)state;
	json_object_object_add(o, "verified", json_tokener_parse("[\"2001:db8:a:1::1\"]"));
	expect(o, "12:34:56.123456  #7    2001:db8:a:1..0f04 <- 2001:db8::9  R2, tag 123456789abc, initiator nonce "
		  "deadbeef" LOCATORS_VERIFIED BESIDES ", keepalive timeout 10 s  [accepted]\n");
}

/* Where it can be told what is wrong and where; always with the octets. */
static void undecodable(void **state)
{
	uint8_t buf[WIRE_MAX_MSG];
	size_t len = samples[9].build(buf, sizeof(buf)); /* Keepalive */

	(void)state;
	buf[4] ^= 1;
	expect(message("received", "dropped", buf, len),
	       "12:34:56.123456  #7    2001:db8:a:1..0f04 <- 2001:db8::9  Keepalive, undecodable: checksum, octets "
	       "3b0142007e95123456789abc00000000  [dropped]\n");
	expect(message("received", "dropped", buf, 0),
	       "12:34:56.123456  #7    2001:db8:a:1..0f04 <- 2001:db8::9  message, undecodable: short, octets   "
	       "[dropped]\n");
	expect(message("received", "dropped", (const uint8_t[]){ 59, 0, 0x28, 0, 0x9c, 0xff, 0, 0 }, 8),
	       "12:34:56.123456  #7    2001:db8:a:1..0f04 <- 2001:db8::9  message, undecodable: unknown-type at octet "
	       "2, octets 3b0028009cff0000  [dropped]\n");
}

static void changes_of_state(void **state)
{
	uint8_t buf[WIRE_MAX_MSG];
	size_t len = samples[9].build(buf, sizeof(buf));
	static const struct {
		const char *direction, *state, *reap;
	} seen[] = { { "received", "I1-SENT", "Operational" },
		     { "received", "ESTABLISHED", "Operational" },
		     { "sent", "ESTABLISHED", "Exploring" } };

	(void)state;
	memset(text.seen, 0, sizeof(text.seen));
	begin();
	for (unsigned i = 0; i < 3; i++) {
		struct json_object *o = message(seen[i].direction, "sent", buf, len);

		json_object_object_add(o, "state", json_object_new_string(seen[i].state));
		json_object_object_add(o, "reap", json_object_new_string(seen[i].reap));
		trace_text_message(&text, o);
		json_object_put(o);
	}
	fclose(out.f);
	/* after what was received, before what was sent because of it */
	assert_string_equal(said,
			    "12:34:56.123456  #7    2001:db8:a:1..0f04 <- 2001:db8::9  Keepalive, tag 123456789abc\n"
			    "12:34:56.123456  #7    2001:db8:a:1..0f04 <- 2001:db8::9  Keepalive, tag 123456789abc\n"
			    "12:34:56.123456  #7    I1-SENT -> ESTABLISHED\n"
			    "12:34:56.123456  #7    Operational -> Exploring\n"
			    "12:34:56.123456  #7    2001:db8:a:1..0f04 -> 2001:db8::9  Keepalive, tag 123456789abc\n");
}

/* What comes from the network, and from whatever listens at the socket, drives no terminal. */
static void no_reply_drives_a_terminal(void **state)
{
	struct json_object *o =
		json_tokener_parse("{\"time\":\"\\u001b[2J\",\"id\":\"\\u001b[2J\",\"local\":\"\\u001b\","
				   "\"peer\":[1],\"decoded\":{\"type\":\"\\u001b[2J\",\"tag\":{}},"
				   "\"verdict\":\"\\u001b\",\"counters\":[\"\\u001b\",7,null]}");

	(void)state;
	begin();
	trace_text_message(&text, o);
	trace_text_icmp(&text, o);
	trace_text_unknown_tag(&text, o);
	trace_text_event(&text, o);
	trace_text_message(&text, NULL);
	fclose(out.f);
	assert_null(strchr(said, '\x1b'));
	json_object_put(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_message), cmocka_unit_test(verdicts),
		cmocka_unit_test(verified_locators),	cmocka_unit_test(undecodable),
		cmocka_unit_test(changes_of_state),	cmocka_unit_test(no_reply_drives_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
