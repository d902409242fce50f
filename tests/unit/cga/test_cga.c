/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the vectors do not cover: the parser's limits (HE-11), random generation
 * (HG-13, HG-17), wrap-around (HG-05), keys and their judgement (HS-05, HS-10,
 * AMB-H6), signature tampering bit by bit (HS-03).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "cga/internal.h"
#include "hex.h"
#include "test_keys.h"
#include "test_signatures.h"

static const uint8_t prefixes[9][8] = {
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 0xa, 0, 1 }, { 0x20, 0x01, 0x0d, 0xb8, 0, 0xb, 0, 1 },
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 0xc, 0, 1 }, { 0x20, 0x01, 0x0d, 0xb8, 0, 0xd, 0, 1 },
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 0xe, 0, 1 }, { 0x20, 0x01, 0x0d, 0xb8, 0, 0xf, 0, 1 },
	{ 0x20, 0x01, 0x0d, 0xb8, 1, 0xa, 0, 1 }, { 0x20, 0x01, 0x0d, 0xb8, 1, 0xb, 0, 1 },
	{ 0x20, 0x01, 0x0d, 0xb8, 1, 0xc, 0, 1 },
};

static struct cga_set set; /* large */

/* A PDS under construction. */
struct build {
	uint8_t b[2000];
	size_t len;
};

static void add(struct build *b, const void *p, size_t len)
{
	memcpy(b->b + b->len, p, len);
	b->len += len;
}

static void add_hex(struct build *b, const char *s)
{
	struct hex h = hex(s);

	add(b, h.b, h.len);
}

/* 25 fixed octets and a key: what every structure begins with. */
static struct build start_pds(const char *key)
{
	struct build b = { .len = PDS_FIXED };

	add_hex(&b, key);
	return b;
}

static void add_mpe(struct build *b, unsigned n, bool p)
{
	const uint8_t head[8] = { 0, 0x12, (uint8_t)((4 + 8 * n) >> 8), (uint8_t)(4 + 8 * n), p ? 0x80 : 0 };

	add(b, head, 8);
	for (unsigned i = 0; i < n; i++) {
		uint8_t prefix[8] = { 0x20, 0x01, 0x0d, 0xb8, (uint8_t)i };

		add(b, prefix, 8);
	}
}

static int parse(const struct build *b)
{
	struct cga_pds p;

	return cga_pds_parse(&p, b->b, b->len);
}

#define KEY "3003020105"

static int parse_after_key(const char *extensions)
{
	struct build b = start_pds(KEY);

	add_hex(&b, extensions);
	return parse(&b);
}

static int parse_key(const char *key)
{
	struct build b = start_pds(key);

	return parse(&b);
}

/* HE-11 */
static void test_parser_refuses_bad_keys(void **state)
{
	struct build b = start_pds("30820100");

	(void)state;
	assert_int_equal(parse_key(""), CGA_E_SHORT);
	assert_int_equal(parse_key("30"), CGA_E_KEY);
	assert_int_equal(parse_key("3103020105"), CGA_E_KEY);
	assert_int_equal(parse_key("3080020105"), CGA_E_KEY);		/* indefinite */
	assert_int_equal(parse_key("30840000000302010500"), CGA_E_KEY); /* four length octets */
	assert_int_equal(parse_key("308103020105"), CGA_E_KEY);		/* not the shortest form */
	assert_int_equal(parse_key("3082000302010500"), CGA_E_KEY);
	assert_int_equal(parse_key("3081"), CGA_E_KEY);
	assert_int_equal(parse_key("30ffffffffffffff"), CGA_E_KEY);
	assert_int_equal(parse_key("3083ffffff"), CGA_E_KEY);
	assert_int_equal(parse_key("3004020105"), CGA_E_KEY); /* ends early */
	assert_int_equal(parse_key(KEY), CGA_OK);
	b.len += 0xff;
	assert_int_equal(parse(&b), CGA_E_KEY);
	b.len++;
	assert_int_equal(parse(&b), CGA_OK);
}

/* HE-05, HE-06, HE-11, AMB-H5, AMB-H10, AMB-H11, AMB-H12 */
static void test_parser_refuses_bad_extensions(void **state)
{
	const char *mpe = "0012000c000000002001db8000000001";

	(void)state;
	assert_int_equal(parse_after_key("00"), CGA_E_EXTENSION);
	assert_int_equal(parse_after_key("000000"), CGA_E_EXTENSION);
	assert_int_equal(parse_after_key("fffd0000"), CGA_OK);
	assert_int_equal(parse_after_key("fffd0001"), CGA_E_EXTENSION);
	assert_int_equal(parse_after_key("fffdffff00"), CGA_E_EXTENSION);
	assert_int_equal(parse_after_key("00120000"), CGA_E_MPE);
	assert_int_equal(parse_after_key("00120003000000"), CGA_E_MPE);	  /* less than its flags */
	assert_int_equal(parse_after_key("0012000400000000"), CGA_E_MPE); /* no prefix */
	assert_int_equal(parse_after_key("0012000800000000aaaaaaaa"), CGA_E_MPE);
	assert_int_equal(parse_after_key("0012000d000000002001db800000000100"), CGA_E_MPE);
	assert_int_equal(parse_after_key(mpe), CGA_OK);
	assert_int_equal(parse_after_key("0012000c000000002001db80000000010012000c000000002001db8000000001"),
			 CGA_E_MPE);
	assert_int_equal(parse_after_key("fffd0001aa0012000c000000002001db8000000001fffe0000"), CGA_OK);
	assert_int_equal(parse_after_key("0012000c000000002001db8000000001ff"), CGA_E_EXTENSION);
}

/* TH26, AMB-H15, HE-11: 32 prefixes, 1200 octets (HV-18) */
static void test_parser_limits(void **state)
{
	const uint8_t fill_head[4] = { 0xff, 0xfd, 0x04, 0x8a };
	struct build b = start_pds(KEY);
	struct cga_pds p;

	(void)state;
	add_mpe(&b, 32, false);
	assert_int_equal(cga_pds_parse(&p, b.b, b.len), CGA_OK);
	assert_int_equal(p.n_prefixes, 32);
	assert_int_equal(p.key_len, 5);
	assert_false(p.mpe_p);
	b = start_pds(KEY);
	add_mpe(&b, 33, false);
	assert_int_equal(parse(&b), CGA_E_MPE);

	b = start_pds(KEY);
	add(&b, fill_head, 4);
	b.len += 0x48a;
	assert_int_equal(b.len, 1196);
	add_hex(&b, "fffd0000");
	assert_int_equal(parse(&b), CGA_OK);
	b.len++;
	assert_int_equal(parse(&b), CGA_E_TOO_LONG);
}

static int verify(const uint8_t *pds, size_t len, const struct shim6_addr *a)
{
	struct cga_verifier v;
	struct cga_pds p;
	int err = cga_pds_parse(&p, pds, len);

	if (err != CGA_OK)
		return err;
	cga_verifier_init(&v, &p);
	return cga_verify_ulid(&v, a);
}

static void check_own_set(unsigned n, unsigned sec)
{
	assert_int_equal(set.n, n);
	for (unsigned i = 0; i < n; i++) {
		struct cga_pds p;

		assert_int_equal(set.addr[i].b[8] >> 5, sec);
		assert_int_equal(set.addr[i].b[8] & 3, 0); /* AMB-H16 */
		for (unsigned j = 0; j < n; j++)
			assert_int_equal(verify(set.pds[j], set.pds_len, &set.addr[i]), CGA_OK);
		assert_int_equal(cga_pds_parse(&p, set.pds[i], set.pds_len), CGA_OK);
		assert_int_equal(p.n_prefixes, n);
		assert_memory_equal(p.prefix, set.addr[i].b, 8);
	}
}

/* HG-03, HG-13, HG-14, HG-17, AMB-H3: random modifier and nonce, constant length; P is 0 (HE-03) */
static void test_random_sets(void **state)
{
	uint8_t last[16] = { 0 };

	(void)state;
	for (unsigned round = 0; round < 24; round++) {
		unsigned n = 1 + round % 8, sec = round % 2;
		struct cga_gen g = { .prefixes = prefixes, .n_prefixes = n, .sec = sec };

		assert_int_equal(cga_generate(&g, &set), CGA_OK);
		check_own_set(n, sec);
		assert_int_equal(set.pds_len, 25 + 78 + 8 + 8 * n);
		assert_int_equal(set.pds[0][25 + 24], 0); /* sign octet, then the top bit */
		assert_true(set.pds[0][25 + 25] & 0x80);
		assert_int_equal(set.pds[0][25 + 78 + 4], 0);
		assert_true(set.pds[0][25 + 72] & 1);
		assert_memory_not_equal(set.pds[0], last, 16);
		memcpy(last, set.pds[0], 16);
	}
}

/* HG-15: the modifier of a plain CGA serves another prefix as well; with a Multi-Prefix extension it does not, since
 * that is in Hash2 */
static void test_modifier_for_another_prefix(void **state)
{
	struct build b = start_pds(KEY);
	struct octets key_only = { b.b + PDS_FIXED, b.len - PDS_FIXED };
	uint8_t first[16], nonce[CGA_HBA_NONCE] = { 0x80, [47] = 1 };
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 1, .sec = 1, .nonce = nonce };
	struct cga_gen next = {
		.prefixes = prefixes + 1, .n_prefixes = 1, .sec = 1, .nonce = nonce, .modifier = first
	};
	struct shim6_addr other;

	(void)state;
	assert_int_equal(cga_generate_tail(&g, &key_only, &set), CGA_OK);
	memcpy(first, set.pds[0], 16);
	other = set.addr[0];
	assert_int_equal(cga_generate_tail(&next, &key_only, &set), CGA_OK);
	assert_memory_equal(set.pds[0], first, 16);
	assert_memory_not_equal(set.addr[0].b + 8, other.b + 8, 8);
	assert_int_equal(verify(set.pds[0], set.pds_len, &set.addr[0]), CGA_OK);

	assert_int_equal(cga_generate(&g, &set), CGA_OK);
	memcpy(first, set.pds[0], 16);
	assert_int_equal(cga_generate(&next, &set), CGA_OK);
	assert_memory_not_equal(set.pds[0], first, 16);
	check_own_set(1, 1);
}

/* HD-03: one prefix more is another set: no address of the old one is in it, nor proved by it */
static void test_prefix_more_changes_all(void **state)
{
	uint8_t m[16] = { 7 }, nonce[CGA_HBA_NONCE] = { 0x80, [47] = 1 };
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 2, .modifier = m, .nonce = nonce };
	static struct cga_set before;

	(void)state;
	assert_int_equal(cga_generate(&g, &before), CGA_OK);
	g.n_prefixes = 3;
	assert_int_equal(cga_generate(&g, &set), CGA_OK);
	check_own_set(3, 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_memory_equal(before.pds[i], set.pds[i], 24); /* modifier and prefix are the same */
		assert_false(shim6_addr_eq(&before.addr[i], &set.addr[i]));
		assert_int_equal(verify(set.pds[i], set.pds_len, &before.addr[i]), CGA_E_HASH1);
		assert_int_equal(verify(before.pds[i], before.pds_len, &set.addr[i]), CGA_E_HASH1);
	}
}

/* TH32 (HG-05): how many modifiers a search with Sec 1 tries is exponential around 2^16; every set verifies */
static void test_tries_of_a_search(void **state)
{
	enum {
		SETS = 100
	};
	uint8_t m[16] = { 0x32 }, nonce[CGA_HBA_NONCE] = { 0x80, [47] = 1 };
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 1, .sec = 1, .modifier = m, .nonce = nonce };
	/* quartiles of that distribution: 2^16 ln 4/3, ln 2, ln 4 */
	const double quartile[3] = { 65536 * 0.28768, 65536 * 0.69315, 65536 * 1.38629 };
	unsigned in[4] = { 0 };
	double sum = 0, chi = 0;

	(void)state;
	for (unsigned i = 0; i < SETS; i++) {
		uint64_t tries = 1;

		m[1] = (uint8_t)i;
		assert_int_equal(cga_generate(&g, &set), CGA_OK);
		check_own_set(1, 1);
		assert_memory_equal(set.pds[0], m, 8);
		for (unsigned k = 8; k < 16; k++)
			tries += (uint64_t)set.pds[0][k] << (8 * (15 - k));
		sum += (double)tries;
		in[((double)tries > quartile[0]) + ((double)tries > quartile[1]) + ((double)tries > quartile[2])]++;
	}
	for (unsigned k = 0; k < 4; k++)
		chi += (in[k] - SETS / 4.0) * (in[k] - SETS / 4.0) / (SETS / 4.0);
	assert_true(sum / SETS > 65536 * 0.7 && sum / SETS < 65536 * 1.3);
	assert_true(chi < 16.3); /* 0.1 % of three degrees of freedom */
}

/* TH06 (HG-05): the modifier is one big-endian number of 128 bits */
static void test_modifier_wraps(void **state)
{
	uint8_t m[16], ones[16], zero[16] = { 0 }, nonce[CGA_HBA_NONCE];
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 2, .sec = 1, .modifier = ones, .nonce = nonce };

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	memset(nonce, 0xa5, sizeof(nonce));
	memcpy(m, ones, 16);
	cga_modifier_step(m);
	assert_memory_equal(m, zero, 16);
	memset(m + 8, 0xff, 8);
	cga_modifier_step(m);
	assert_int_equal(m[7], 1);
	assert_memory_equal(m + 8, zero, 8);
	assert_int_equal(cga_generate(&g, &set), CGA_OK);
	assert_memory_equal(set.pds[0], zero, 12);
	check_own_set(2, 1);
}

/* AMB-H3, HG-17: a given nonce is used as it is, as a minimal INTEGER (AMB-H2) */
static void test_nonce_der(void **state)
{
	uint8_t nonce[CGA_HBA_NONCE] = { 0 }, m[16] = { 0 };
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 1, .modifier = m, .nonce = nonce };
	struct hex zero = hex("301c300d06092a864886f70d0101010500030b003008020100"
			      "0203010001");

	(void)state;
	assert_int_equal(cga_generate(&g, &set), CGA_OK);
	assert_memory_equal(set.pds[0] + 25, zero.b, zero.len);
	assert_int_equal(set.pds_len, 25 + zero.len + 16);
	check_own_set(1, 0);
	nonce[47] = 0x80;
	assert_int_equal(cga_generate(&g, &set), CGA_OK);
	assert_int_equal(set.pds_len, 25 + zero.len + 1 + 16);
	check_own_set(1, 0);
}

/* TH07, TH08 (HG-09, AMB-H13, AMB-H14) */
static void test_collision_changes_all(void **state)
{
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 3, .sec = 1 };
	static struct cga_set before;

	(void)state;
	assert_int_equal(cga_generate(&g, &set), CGA_OK);
	for (uint8_t c = 1; c <= 2; c++) {
		before = set;
		assert_int_equal(cga_set_collide(&set, c), CGA_OK);
		check_own_set(3, 1);
		for (unsigned i = 0; i < 3; i++) {
			assert_false(shim6_addr_eq(&before.addr[i], &set.addr[i]));
			assert_memory_equal(before.pds[i], set.pds[i], 24);
			assert_int_equal(set.pds[i][24], c);
		}
	}
	before = set;
	assert_int_equal(cga_set_collide(&set, 3), CGA_E_ARGUMENT);
	assert_memory_equal(&before, &set, sizeof(set));
}

static int stop(void *arg, uint64_t tries)
{
	*(uint64_t *)arg = tries;
	return 1;
}

/* TH33: a long search reports and stops when asked */
static void test_search_is_cancelled(void **state)
{
	uint64_t tries = 0;
	uint8_t m[16] = { 1 }, nonce[CGA_HBA_NONCE] = { 0x80 };
	struct cga_gen g = { .prefixes = prefixes,
			     .n_prefixes = 2,
			     .sec = 2,
			     .modifier = m,
			     .nonce = nonce,
			     .progress = stop,
			     .progress_arg = &tries };

	(void)state;
	assert_int_equal(cga_generate(&g, &set), CGA_E_CANCELLED);
	assert_int_equal(tries, 1u << 20);
}

static void test_generate_refuses_bad_arguments(void **state)
{
	struct cga_gen ok = { .prefixes = prefixes, .n_prefixes = 2 }, g;
	uint8_t twice[2][8] = { { 1 }, { 1 } }, spki[600] = { 0x30, 0x03, 1, 2, 3, 4 };

	(void)state;
	g = ok, g.n_prefixes = 0;
	assert_int_equal(cga_generate(&g, &set), CGA_E_ARGUMENT);
	g = ok, g.n_prefixes = 9;
	assert_int_equal(cga_generate(&g, &set), CGA_E_ARGUMENT);
	g = ok, g.prefixes = NULL;
	assert_int_equal(cga_generate(&g, &set), CGA_E_ARGUMENT);
	g = ok, g.sec = 3; /* HG-11 */
	assert_int_equal(cga_generate(&g, &set), CGA_E_ARGUMENT);
	g = ok, g.collision_count = 3;
	assert_int_equal(cga_generate(&g, &set), CGA_E_ARGUMENT);
	g = ok, g.prefixes = (const uint8_t(*)[8])twice;
	assert_int_equal(cga_generate(&g, &set), CGA_E_ARGUMENT);
	g = ok, g.spki = spki, g.spki_len = 6;
	assert_int_equal(cga_generate(&g, &set), CGA_E_KEY);
	g.spki_len = 5;
	assert_int_equal(cga_generate(&g, &set), CGA_OK);
}

/* TH11 (HE-12): older sets put the nonce into the BIT STRING as it is */
static void test_raw_bit_string_key_verifies(void **state)
{
	struct build b = start_pds("3042300d06092a864886f70d0101010500033100");
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 2 };
	struct octets tail;

	(void)state;
	for (unsigned i = 0; i < 48; i++)
		b.b[b.len++] = (uint8_t)(i * 37 + 1);
	add_hex(&b, "001200140000000020010db8000a000120010db8000b0001");
	tail = (struct octets){ b.b + PDS_FIXED, b.len - PDS_FIXED };
	assert_int_equal(cga_generate_tail(&g, &tail, &set), CGA_OK);
	check_own_set(2, 0);
}

/* TH10 (HE-06): a foreign extension is hashed, whatever it says */
static void test_tampered_foreign_extension(void **state)
{
	struct build b = start_pds(KEY);
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 2 };
	struct octets tail;

	(void)state;
	add_hex(&b, "001200140000000020010db8000a000120010db8000b0001fffd0003010203");
	tail = (struct octets){ b.b + PDS_FIXED, b.len - PDS_FIXED };
	assert_int_equal(cga_generate_tail(&g, &tail, &set), CGA_OK);
	check_own_set(2, 0);
	set.pds[0][set.pds_len - 1] ^= 1;
	assert_int_equal(verify(set.pds[0], set.pds_len, &set.addr[0]), CGA_E_HASH1);
}

/* HV-03..HV-05, HV-19: a flipped bit anywhere in structure or address is noticed, u, g and Sec apart (AMB-H1) */
static void test_every_bit_counts(void **state)
{
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 2, .sec = 1 };

	(void)state;
	assert_int_equal(cga_generate(&g, &set), CGA_OK);
	for (size_t bit = 0; bit < set.pds_len * 8; bit++) {
		int want_ok = bit / 8 >= 16 && bit / 8 < 24; /* replaced by the address's own prefix (HV-02) */

		set.pds[0][bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		assert_int_equal(verify(set.pds[0], set.pds_len, &set.addr[0]) == CGA_OK, want_ok);
		set.pds[0][bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	for (unsigned bit = 0; bit < 128; bit++) {
		struct shim6_addr a = set.addr[0];
		int err;

		a.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		err = verify(set.pds[0], set.pds_len, &a);
		if (bit == 64)
			assert_int_equal(err, CGA_E_SEC); /* Sec 5 */
		else if (bit == 65)
			assert_int_equal(err, CGA_E_SEC); /* Sec 3 */
		else if (bit == 66 || bit == 70 || bit == 71)
			assert_int_equal(err, CGA_OK); /* Sec 0, u, g: AMB-H19 */
		else
			assert_true(err == CGA_E_PREFIX || err == CGA_E_HASH1);
	}
}

static int load(const char *pem, struct cga_key **key)
{
	return cga_key_load_pem(key, pem, strlen(pem));
}

static void loads_as_rsa_1024(const char *pem)
{
	uint8_t spki[600], want[600];
	size_t len, want_len;
	struct cga_key *key;

	assert_int_equal(load(pem_rsa_1024, &key), CGA_OK);
	assert_int_equal(cga_key_spki(key, want, sizeof(want), &want_len), CGA_OK);
	cga_key_free(key);
	assert_int_equal(load(pem, &key), CGA_OK);
	assert_int_equal(cga_key_spki(key, spki, sizeof(spki), &len), CGA_OK);
	cga_key_free(key);
	assert_int_equal(len, want_len);
	assert_memory_equal(spki, want, len);
}

/* HS-05, HS-10: only keys that peers accept can be loaded */
static void test_key_loading(void **state)
{
	struct cga_key *key = NULL;
	uint8_t spki[600];
	size_t len;

	(void)state;
	assert_int_equal(cga_key_load_pem(&key, "no key", 6), CGA_E_KEY);
	assert_null(key);
	assert_int_equal(load(pem_rsa_768, &key), CGA_E_KEY_SIZE);
	assert_null(key);
	assert_int_equal(load(pem_ec, &key), CGA_E_KEY);
	assert_int_equal(load(pem_rsa_pss, &key), CGA_E_KEY);
	assert_int_equal(load(pem_encrypted, &key), CGA_E_KEY);
	assert_int_equal(load(pem_encrypted_pkcs1, &key), CGA_E_KEY);
	assert_int_equal(load(pem_rsa_1024, &key), CGA_OK);
	assert_int_equal(cga_key_spki(key, spki, 161, &len), CGA_E_TOO_LONG);
	assert_int_equal(cga_key_spki(key, spki, 162, &len), CGA_OK); /* 10.4 */
	assert_int_equal(len, 162);
	cga_key_free(key);
	cga_key_free(NULL);
}

/* What operators' files look like: both forms, text around the key, lines of any system, several blocks */
static void test_key_files(void **state)
{
	char text[4096];
	size_t n = 0;
	struct cga_key *key;

	(void)state;
	loads_as_rsa_1024(pem_rsa_1024_pkcs1);
	snprintf(text, sizeof(text), "The key of host A\n%s\nend\n", pem_rsa_1024);
	loads_as_rsa_1024(text);
	snprintf(text, sizeof(text), "-----BEGIN NOTE-----\nMAA=\n-----END NOTE-----\n%s%s", pem_rsa_1024, pem_ec);
	loads_as_rsa_1024(text);
	for (const char *c = pem_rsa_1024; *c; c++) {
		if (*c == '\n')
			text[n++] = '\r';
		text[n++] = *c;
	}
	text[n] = '\0';
	loads_as_rsa_1024(text);
	/* the first private key counts */
	snprintf(text, sizeof(text), "%s%s", pem_ec, pem_rsa_1024);
	assert_int_equal(load(text, &key), CGA_E_KEY);
	/* cut anywhere before the end of its last line, it is none */
	for (size_t len = 0; len < sizeof(pem_rsa_1024) - 2; len++)
		assert_int_equal(cga_key_load_pem(&key, pem_rsa_1024, len), CGA_E_KEY);
	/* a line lost, a character that is no Base64 */
	n = strcspn(pem_rsa_1024, "\n") + 1;
	snprintf(text, sizeof(text), "%.*s%s", (int)n, pem_rsa_1024, pem_rsa_1024 + n + 65);
	assert_int_equal(load(text, &key), CGA_E_KEY);
	snprintf(text, sizeof(text), "%s", pem_rsa_1024);
	text[n + 70] = '*';
	assert_int_equal(load(text, &key), CGA_E_KEY);
	assert_null(key);
}

/* A set with the key, parsed; the P flag can be cleared to pretend a nonce. */
static struct cga_key *keyed_set(struct cga_pds *p, uint8_t spki[600], size_t *spki_len)
{
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 2 };
	struct cga_key *key = NULL;

	assert_int_equal(load(pem_rsa_1024, &key), CGA_OK);
	assert_int_equal(cga_key_spki(key, spki, 600, spki_len), CGA_OK);
	g.spki = spki;
	g.spki_len = *spki_len;
	assert_int_equal(cga_generate(&g, &set), CGA_OK);
	check_own_set(2, 0);
	assert_int_equal(cga_pds_parse(p, set.pds[0], set.pds_len), CGA_OK);
	assert_true(p->mpe_p); /* HE-03 */
	return key;
}

/* HE-03: P says that there is a key. HD-10: what SEND checks holds for each address with its own structure: it is a CGA
 * (RFC 3972 section 5), and of a key that signs. HG-16: the same key with a new modifier makes other addresses */
static void test_keyed_sets_are_cgas(void **state)
{
	struct shim6_addr loc = { { 1 } };
	uint8_t spki[600], sig[CGA_MAX_SIGNATURE];
	static struct cga_set before;
	size_t spki_len, len;
	struct cga_pds p;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		struct cga_key *key = keyed_set(&p, spki, &spki_len);

		assert_int_equal(cga_sign(key, 1, &loc, 1, sig, &len), CGA_OK);
		cga_key_free(key);
		for (unsigned i = 0; i < 2; i++) {
			struct cga_verifier v;

			assert_int_equal(cga_pds_parse(&p, set.pds[i], set.pds_len), CGA_OK);
			assert_true(p.has_mpe && p.mpe_p);
			cga_verifier_init(&v, &p);
			assert_int_equal(cga_verify_cga(&v, &set.addr[i]), CGA_OK);
			assert_int_equal(cga_verify_cga(&v, &set.addr[1 - i]), CGA_E_PREFIX);
			assert_int_equal(cga_verify_signature(&p, 1, &loc, 1, sig, len), CGA_OK);
			assert_memory_equal(set.pds[i] + PDS_FIXED, spki, spki_len);
			if (round == 0)
				continue;
			assert_memory_equal(before.pds[i] + PDS_FIXED, spki, spki_len);
			assert_memory_not_equal(before.pds[i], set.pds[i], 16);
			assert_false(shim6_addr_eq(&before.addr[i], &set.addr[i]));
		}
		before = set;
	}
}

/* TH14, TH15 (AMB-H6, AMB-H7, HS-05, V-16a) */
static void test_key_judgement(void **state)
{
	struct shim6_addr loc[2] = { { { 1 } }, { { 2 } } };
	uint8_t spki[600], sig[CGA_MAX_SIGNATURE];
	size_t spki_len, sig_len;
	struct cga_pds p, bad;
	struct cga_key *key = keyed_set(&p, spki, &spki_len);
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 2 };

	(void)state;
	assert_int_equal(cga_key_usable(&p), CGA_OK);
	assert_int_equal(cga_key_bits(key), 1024);
	assert_int_equal(cga_signature_length(key), 128);
	assert_int_equal(cga_sign(key, 7, loc, 2, sig, &sig_len), CGA_OK);
	assert_int_equal(cga_verify_signature(&p, 7, loc, 2, sig, sig_len), CGA_OK);
	/* AMB-H6: the signature is right, but P = 0 says that nobody vouches for the key */
	bad = p;
	bad.mpe_p = false;
	assert_int_equal(cga_key_usable(&bad), CGA_E_NOT_A_KEY);
	assert_int_equal(cga_verify_signature(&bad, 7, loc, 2, sig, sig_len), CGA_E_NOT_A_KEY);
	/* without the extension a real key is assumed */
	bad.has_mpe = false;
	assert_int_equal(cga_key_usable(&bad), CGA_OK);
	cga_key_free(key);
	/* V-16a: a nonce is fine for HBA, and no key */
	assert_int_equal(cga_generate(&g, &set), CGA_OK);
	assert_int_equal(cga_pds_parse(&p, set.pds[0], set.pds_len), CGA_OK);
	assert_int_equal(cga_key_usable(&p), CGA_E_NOT_A_KEY);
	p.mpe_p = true;
	assert_int_equal(cga_key_usable(&p), CGA_E_KEY_SIZE);
}

/* HE-07, HE-08, HS-10: an RSA key with anything out of place is none */
static void test_bad_spki_is_no_key(void **state)
{
	uint8_t spki[600];
	size_t len;
	struct cga_pds p;
	struct rsa_numbers numbers;

	(void)state;
	cga_key_free(keyed_set(&p, spki, &len));
	assert_int_equal(cga_rsa_numbers(spki, len, &numbers), CGA_OK);
	assert_int_equal(numbers.n.len, 128);
	assert_int_equal(numbers.e.len, 3);
	/* the 28 octets before the modulus are structure: every change in them shows */
	for (unsigned bit = 0; bit < 28 * 8; bit++) {
		spki[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		assert_int_not_equal(cga_rsa_numbers(spki, len, &numbers), CGA_OK);
		spki[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(cga_rsa_numbers(spki, cut, &numbers), CGA_E_NOT_A_KEY);
	spki[len - 1] = 2; /* even exponent */
	assert_int_equal(cga_rsa_numbers(spki, len, &numbers), CGA_E_NOT_A_KEY);
	spki[len - 1] = 1;
	spki[len - 6] ^= 1; /* even modulus */
	assert_int_equal(cga_rsa_numbers(spki, len, &numbers), CGA_E_NOT_A_KEY);
}

/* Puts the head of a DER element, its length in the shortest form, before what is there. */
static void wrap(struct build *b, uint8_t tag)
{
	uint8_t head[4] = { tag, (uint8_t)b->len };
	size_t n = 2;

	if (b->len >= 0x100) {
		n = 4;
		head[1] = 0x82;
		head[2] = (uint8_t)(b->len >> 8);
		head[3] = (uint8_t)b->len;
	} else if (b->len >= 0x80) {
		n = 3;
		head[1] = 0x81;
		head[2] = (uint8_t)b->len;
	}
	memmove(b->b + n, b->b, b->len);
	memcpy(b->b, head, n);
	b->len += n;
}

/* A SubjectPublicKeyInfo of these two numbers, each as the octets of its INTEGER. */
static struct build make_spki(const struct octets *n, const struct octets *e)
{
	struct build whole = { .len = 0 }, rsa = { .len = 0 }, exponent = { .len = 0 };

	add(&exponent, e->p, e->len);
	wrap(&exponent, DER_INTEGER);
	add(&rsa, n->p, n->len);
	wrap(&rsa, DER_INTEGER);
	add(&rsa, exponent.b, exponent.len);
	wrap(&rsa, DER_SEQUENCE);
	memmove(rsa.b + 1, rsa.b, rsa.len++);
	rsa.b[0] = 0; /* no unused bits */
	wrap(&rsa, DER_BIT_STRING);
	add(&whole, cga_rsa_encryption, CGA_RSA_ENCRYPTION);
	wrap(&whole, DER_SEQUENCE);
	add(&whole, rsa.b, rsa.len);
	wrap(&whole, DER_SEQUENCE);
	return whole;
}

/* HE-07, HS-05, HS-10: between 1024 and 4096 bits, to the bit; an odd exponent from 3 to below 2^32 */
static void test_key_numbers(void **state)
{
	static const struct {
		unsigned bits;
		int zeros; /* in front; -1: not even the one that a positive number needs */
		const char *e;
		int want;
	} cases[] = {
		{ 1024, 0, "010001", CGA_OK },
		{ 1023, 0, "010001", CGA_E_KEY_SIZE },
		{ 1017, 0, "010001", CGA_E_KEY_SIZE },
		{ 1025, 0, "010001", CGA_OK },
		{ 1032, 0, "010001", CGA_OK },
		{ 4096, 0, "010001", CGA_OK },
		{ 4097, 0, "010001", CGA_E_KEY_SIZE },
		{ 1024, 1, "010001", CGA_E_NOT_A_KEY },
		{ 1024, -1, "010001", CGA_E_NOT_A_KEY },
		{ 1031, 1, "010001", CGA_E_NOT_A_KEY },
		{ 1, 0, "010001", CGA_E_KEY_SIZE },
		{ 0, 1, "010001", CGA_E_KEY_SIZE },
		{ 0, 0, "010001", CGA_E_NOT_A_KEY },
		{ 1024, 0, "03", CGA_OK },
		{ 1024, 0, "01", CGA_E_KEY_SIZE },
		{ 1024, 0, "02", CGA_E_NOT_A_KEY },
		{ 1024, 0, "00", CGA_E_NOT_A_KEY },
		{ 1024, 0, "", CGA_E_NOT_A_KEY },
		{ 1024, 0, "ff", CGA_E_NOT_A_KEY },
		{ 1024, 0, "00ffffffff", CGA_OK },
		{ 1024, 0, "0100000001", CGA_E_KEY_SIZE },
	};
	struct rsa_numbers numbers;
	struct build spki;
	uint8_t n[600];

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned bits = cases[i].bits;
		size_t len = (bits + 7) / 8, zero = (size_t)(bits && bits % 8 == 0) + (size_t)cases[i].zeros;
		struct hex e = hex(cases[i].e);

		memset(n, 0, sizeof(n));
		if (bits) {
			n[zero] = (uint8_t)(1u << (bits - 1) % 8);
			n[zero + len - 1] |= 1;
		}
		spki = make_spki(&(struct octets){ n, zero + len }, &(struct octets){ e.b, e.len });
		assert_string_equal(cga_status_name(cga_rsa_numbers(spki.b, spki.len, &numbers)),
				    cga_status_name(cases[i].want));
	}
}

/* A key that no peer would accept is not loaded, whole or in parts */
static void test_components_that_are_no_key(void **state)
{
	static uint8_t big[1024];
	const uint8_t e[] = { 1, 0, 1 };
	struct cga_key *key = (struct cga_key *)big;

	(void)state;
	memset(big, 0xff, sizeof(big));
	for (unsigned missing = 0; missing < 5; missing++) {
		const uint8_t *part[5] = { big, e, big, big, big };

		part[missing] = NULL;
		assert_int_equal(
			cga_key_load_components(&key, part[0], 128, part[1], 3, part[2], 128, part[3], 64, part[4], 64),
			CGA_E_KEY);
		assert_null(key);
	}
	/* 8192, 4104, 768 bits; an even modulus */
	assert_int_not_equal(cga_key_load_components(&key, big, 1024, e, 3, big, 1024, big, 512, big, 512), CGA_OK);
	assert_int_not_equal(cga_key_load_components(&key, big, 513, e, 3, big, 513, big, 257, big, 256), CGA_OK);
	assert_int_not_equal(cga_key_load_components(&key, big, 96, e, 3, big, 96, big, 48, big, 48), CGA_OK);
	big[127] = 0xfe;
	assert_int_not_equal(cga_key_load_components(&key, big, 128, e, 3, big, 128, big, 64, big, 64), CGA_OK);
	assert_null(key);
	cga_key_free(NULL);
}

/* HV-03: a structure that no set of ours has */
static void test_structures_of_others(void **state)
{
	static const uint8_t spki[CGA_MAX_PDS] = { DER_SEQUENCE, 0x82, (CGA_MAX_PDS - 4) >> 8,
						   (CGA_MAX_PDS - 4) & 0xff };
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 2, .spki = spki, .spki_len = sizeof(spki) };
	static const uint8_t tail[CGA_MAX_PDS - PDS_FIXED + 1];
	struct build b = start_pds(KEY);
	struct shim6_addr a = { { 0 } };
	struct cga_verifier v;
	struct cga_pds p;

	(void)state;
	assert_int_equal(cga_generate(&g, &set), CGA_E_TOO_LONG);
	assert_int_equal(cga_generate_tail(&g, &(struct octets){ tail, sizeof(tail) }, &set), CGA_E_TOO_LONG);
	b.b[PDS_COUNT_AT] = 3;
	assert_int_equal(cga_pds_parse(&p, b.b, b.len), CGA_OK);
	cga_verifier_init(&v, &p);
	assert_int_equal(cga_verify_cga(&v, &a), CGA_E_COLLISION);
	assert_int_equal(cga_verify_ulid(&v, &a), CGA_E_COLLISION);
	assert_int_equal(cga_verify_hba(&v, &a), CGA_E_NO_MPE);
}

/* TH19 (HS-01, HS-03): generation, locators, their order and number, and every bit of the signature */
static void test_signature_tampering(void **state)
{
	struct shim6_addr loc[3] = { { { 1, 2, 3 } }, { { 2, 3, 4 } }, { { 9 } } }, swapped[2];
	uint8_t spki[600], sig[CGA_MAX_SIGNATURE];
	size_t spki_len, len;
	struct cga_pds p;
	struct cga_key *key = keyed_set(&p, spki, &spki_len);

	(void)state;
	assert_int_equal(cga_sign(key, 1, loc, 0, sig, &len), CGA_E_ARGUMENT); /* HS-04 */
	assert_int_equal(cga_sign(key, 0x80000001, loc, 2, sig, &len), CGA_OK);
	assert_int_equal(len, 128);
	assert_int_equal(cga_verify_signature(&p, 0x80000001, loc, 2, sig, len), CGA_OK);
	assert_int_equal(cga_verify_signature(&p, 0x01000080, loc, 2, sig, len), CGA_E_SIGNATURE);
	assert_int_equal(cga_verify_signature(&p, 0x80000001, loc, 1, sig, len), CGA_E_SIGNATURE);
	assert_int_equal(cga_verify_signature(&p, 0x80000001, loc, 3, sig, len), CGA_E_SIGNATURE);
	assert_int_equal(cga_verify_signature(&p, 0x80000001, NULL, 0, sig, len), CGA_E_SIGNATURE);
	swapped[0] = loc[1], swapped[1] = loc[0];
	assert_int_equal(cga_verify_signature(&p, 0x80000001, swapped, 2, sig, len), CGA_E_SIGNATURE);
	for (unsigned bit = 0; bit < 256; bit++) {
		loc[bit / 128].b[bit / 8 % 16] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(cga_verify_signature(&p, 0x80000001, loc, 2, sig, len), CGA_E_SIGNATURE);
		loc[bit / 128].b[bit / 8 % 16] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < len * 8; bit += 7) {
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(cga_verify_signature(&p, 0x80000001, loc, 2, sig, len), CGA_E_SIGNATURE);
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* HS-10: exactly as long as the modulus */
	assert_int_equal(cga_verify_signature(&p, 0x80000001, loc, 2, sig, len - 1), CGA_E_SIGNATURE);
	assert_int_equal(cga_verify_signature(&p, 0x80000001, loc, 2, sig, len + 1), CGA_E_SIGNATURE);
	assert_int_equal(cga_verify_signature(&p, 0x80000001, loc, 2, sig, 0), CGA_E_SIGNATURE);
	assert_int_equal(cga_verify_signature(&p, 0x80000001, loc, 2, sig, len), CGA_OK);
	cga_key_free(key);
}

/* HS-03, HS-10: of all that the private exponent can make, one octet string is a signature (RFC 8017 section 8.2.2)
 * (AMB-H8) */
static void test_signature_encodings(void **state)
{
	struct shim6_addr loc[2] = { { { 1 } }, { { 2 } } };
	uint8_t spki[600], made[CGA_MAX_SIGNATURE];
	struct cga_pds p;
	size_t len;
	struct cga_key *key = keyed_set(&p, spki, &len);

	(void)state;
	for (unsigned i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		struct hex sig = hex(encodings[i].hex);

		if (cga_verify_signature(&p, 7, loc, 2, sig.b, sig.len) != (i ? CGA_E_SIGNATURE : CGA_OK))
			fail_msg("%s: judged wrong", encodings[i].what);
	}
	assert_int_equal(cga_sign(key, 7, loc, 2, made, &len), CGA_OK);
	assert_int_equal(len, 128);
	assert_memory_equal(made, hex(encodings[0].hex).b, len);
	cga_key_free(key);
}

static void test_status_names(void **state)
{
	(void)state;
	for (int i = 0; i < CGA_N_STATUS; i++) {
		assert_string_equal(cga_status_name(i), cga_status_name(-i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(cga_status_name(i), cga_status_name(j));
	}
	assert_string_equal(cga_status_name(CGA_E_HASH1), "hash1 mismatch");
	assert_string_equal(cga_status_name(-CGA_N_STATUS), "unknown status");
	assert_string_equal(cga_status_name(CGA_N_STATUS), "unknown status");
	assert_string_equal(cga_status_name(INT32_MIN), "unknown status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parser_refuses_bad_keys),
		cmocka_unit_test(test_parser_refuses_bad_extensions),
		cmocka_unit_test(test_parser_limits),
		cmocka_unit_test(test_random_sets),
		cmocka_unit_test(test_modifier_for_another_prefix),
		cmocka_unit_test(test_prefix_more_changes_all),
		cmocka_unit_test(test_tries_of_a_search),
		cmocka_unit_test(test_modifier_wraps),
		cmocka_unit_test(test_nonce_der),
		cmocka_unit_test(test_collision_changes_all),
		cmocka_unit_test(test_search_is_cancelled),
		cmocka_unit_test(test_generate_refuses_bad_arguments),
		cmocka_unit_test(test_raw_bit_string_key_verifies),
		cmocka_unit_test(test_tampered_foreign_extension),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_key_loading),
		cmocka_unit_test(test_key_files),
		cmocka_unit_test(test_keyed_sets_are_cgas),
		cmocka_unit_test(test_key_judgement),
		cmocka_unit_test(test_bad_spki_is_no_key),
		cmocka_unit_test(test_key_numbers),
		cmocka_unit_test(test_components_that_are_no_key),
		cmocka_unit_test(test_structures_of_others),
		cmocka_unit_test(test_signature_tampering),
		cmocka_unit_test(test_signature_encodings),
		cmocka_unit_test(test_status_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
