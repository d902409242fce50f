/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "samples.h"

static const struct shim6_addr a1 = { { 0x20, 0x01, 0x0d, 0xb8, 0, 0x0a, 0, 1, [15] = 1 } };
static const struct shim6_addr b1 = { { 0x20, 0x01, 0x0d, 0xb8, 0, 0x0b, 0, 1, [15] = 1 } };
static const struct shim6_addr two[2] = {
	{ { 0x20, 0x01, 0x0d, 0xb8, 0, 0x0a, 0, 1, [15] = 1 } },
	{ { 0x20, 0x01, 0x0d, 0xb8, 0, 0x0a, 0, 2, [15] = 1 } },
};
static const uint8_t methods[2] = { WIRE_METHOD_HBA, WIRE_METHOD_CGA };
static const struct wire_pref prefs[2] = { { WIRE_PREF_BROKEN, 10, 20 }, { WIRE_PREF_TRANSIENT, 30, 40 } };
static const uint8_t validator[16] = "0123456789abcdef";
static const uint8_t pds[121] = "parameters";
static const uint8_t signature[128] = "signature";

static void put_locators(struct wire_builder *b)
{
	wire_opt_locator_list(b, 7, two, methods, 2);	     /* 48 */
	wire_opt_preferences(b, 7, prefs, 2, 3);	     /* 16 */
	wire_opt_pds(b, pds, sizeof(pds));		     /* 128 */
	wire_opt_signature(b, signature, sizeof(signature)); /* 136 */
}

static void put_context(struct wire_builder *b)
{
	wire_opt_ulid_pair(b, &a1, &b1); /* 40 */
	wire_opt_fii(b, 7);		 /* 8 */
}

static size_t build_i1(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_i1(&b, buf, cap, SAMPLE_CT, SAMPLE_INIT);
	return wire_finish(&b);
}

static size_t build_i1_context(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_i1(&b, buf, cap, SAMPLE_CT, SAMPLE_INIT);
	put_context(&b);
	return wire_finish(&b);
}

static size_t build_r1(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_r1(&b, buf, cap, SAMPLE_INIT, SAMPLE_RESP);
	wire_opt_validator(&b, validator, sizeof(validator)); /* 24 */
	return wire_finish(&b);
}

static size_t build_i2(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_i2(&b, buf, cap, SAMPLE_CT, SAMPLE_INIT, SAMPLE_RESP);
	wire_opt_validator(&b, validator, sizeof(validator));
	put_locators(&b);
	put_context(&b);
	wire_opt_keepalive_timeout(&b, 30);
	return wire_finish(&b);
}

static size_t build_r2(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_r2(&b, buf, cap, SAMPLE_CT, SAMPLE_INIT);
	put_locators(&b);
	wire_opt_keepalive_timeout(&b, 10);
	return wire_finish(&b);
}

static size_t build_r1bis(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_r1bis(&b, buf, cap, SAMPLE_PACKET_CT, SAMPLE_RESP);
	wire_opt_validator(&b, validator, sizeof(validator));
	return wire_finish(&b);
}

static size_t build_i2bis(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_i2bis(&b, buf, cap, SAMPLE_CT, SAMPLE_INIT, SAMPLE_RESP, SAMPLE_PACKET_CT);
	wire_opt_validator(&b, validator, sizeof(validator));
	put_locators(&b);
	put_context(&b);
	return wire_finish(&b);
}

static size_t build_update_request(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_update_request(&b, buf, cap, SAMPLE_CT, SAMPLE_INIT);
	put_locators(&b);
	wire_opt_keepalive_timeout(&b, 60);
	return wire_finish(&b);
}

static size_t build_update_ack(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_update_ack(&b, buf, cap, SAMPLE_CT, SAMPLE_INIT);
	return wire_finish(&b);
}

static size_t build_keepalive(uint8_t *buf, size_t cap)
{
	struct wire_builder b;

	wire_begin_keepalive(&b, buf, cap, SAMPLE_CT);
	return wire_finish(&b);
}

static size_t build_probe(uint8_t *buf, size_t cap)
{
	const struct wire_record sent[2] = { { a1, b1, 0x11111111, 0 }, { two[1], b1, 0x22222222, 0 } };
	const struct wire_record received[1] = { { b1, a1, 0x33333333, 0xcafef00d } };
	struct wire_builder b;

	wire_begin_probe(&b, buf, cap, SAMPLE_CT, WIRE_STA_INBOUND_OK, sent, 2, received, 1);
	return wire_finish(&b);
}

static size_t build_error(uint8_t *buf, size_t cap)
{
	uint8_t quote[56] = { 0x60, [6] = WIRE_PROTO };
	struct wire_builder b;

	memcpy(quote + 8, a1.b, 16);
	memcpy(quote + 24, b1.b, 16);
	build_i1(quote + 40, 16);
	wire_begin_error(&b, buf, cap, WIRE_ERR_CRITICAL_OPTION, 56, quote, sizeof(quote));
	return wire_finish(&b);
}

const struct sample samples[] = {
	{ "i1", build_i1, 16 },
	{ "i1-context", build_i1_context, 16 + 48 },
	{ "r1", build_r1, 16 + 24 },
	{ "i2", build_i2, 24 + 24 + 328 + 48 + 8 },
	{ "r2", build_r2, 16 + 328 + 8 },
	{ "r1bis", build_r1bis, 16 + 24 },
	{ "i2bis", build_i2bis, 32 + 24 + 328 + 48 },
	{ "update-request", build_update_request, 16 + 328 + 8 },
	{ "update-ack", build_update_ack, 16 },
	{ "keepalive", build_keepalive, 16 },
	{ "probe", build_probe, 16 + 3 * 40 },
	{ "error", build_error, 8 + 56 },
};
const unsigned n_samples = sizeof(samples) / sizeof(samples[0]);
