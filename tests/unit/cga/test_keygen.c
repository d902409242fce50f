/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New keys, and what a key of any size does: HS-02, HS-05, HS-09, HS-10, TH15, TH27 of the rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include "cga/cga.h"
#include "cga/keygen.h"

#define PEM_MAX 8192

static struct cga_key *new_key(unsigned bits)
{
	struct cga_key *key;
	char pem[PEM_MAX];

	assert_int_equal(cga_key_generate_pem(bits, pem, sizeof(pem)), CGA_OK);
	assert_memory_equal(pem, "-----BEGIN PRIVATE KEY-----\n", 28);
	assert_int_equal(cga_key_load_pem(&key, pem, strlen(pem)), CGA_OK);
	return key;
}

/* HS-05, HS-09, TH27: sizes that are no multiple of eight, too; a set of eight prefixes and what it signs */
static void test_every_size(void **state)
{
	static const unsigned sizes[] = { 1024, 1025, 1031, 2048, 3072 };
	uint8_t prefix[CGA_MAX_GENERATE][8], spki[600], sig[CGA_MAX_SIGNATURE];
	struct shim6_addr elsewhere[2] = { { { 0x20, 1, [15] = 1 } }, { { 0x20, 1, [15] = 2 } } };
	struct cga_gen gen = { .prefixes = (const uint8_t(*)[8])prefix, .n_prefixes = CGA_MAX_GENERATE, .spki = spki };
	static struct cga_set set;

	(void)state;
	for (unsigned i = 0; i < CGA_MAX_GENERATE; i++)
		memcpy(prefix[i], (uint8_t[]){ 0x20, 1, 0x0d, 0xb8, 0, 0, 0, (uint8_t)i }, 8);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct cga_key *key = new_key(sizes[i]);
		struct cga_pds pds;
		size_t len;

		assert_int_equal(cga_key_bits(key), sizes[i]);
		assert_int_equal(cga_signature_length(key), (sizes[i] + 7) / 8);
		assert_int_equal(cga_key_spki(key, spki, sizeof(spki), &gen.spki_len), CGA_OK);
		assert_int_equal(cga_generate(&gen, &set), CGA_OK);
		assert_int_equal(cga_pds_parse(&pds, set.pds[3], set.pds_len), CGA_OK);
		assert_true(pds.mpe_p);
		assert_int_equal(cga_key_usable(&pds), CGA_OK);
		assert_int_equal(cga_sign(key, 7, elsewhere, 2, sig, &len), CGA_OK);
		assert_int_equal(len, cga_signature_length(key));
		assert_int_equal(cga_verify_signature(&pds, 7, elsewhere, 2, sig, len), CGA_OK);
		assert_int_equal(cga_verify_signature(&pds, 8, elsewhere, 2, sig, len), CGA_E_SIGNATURE);
		assert_int_equal(cga_verify_signature(&pds, 7, elsewhere, 1, sig, len), CGA_E_SIGNATURE);
		assert_int_equal(cga_verify_signature(&pds, 7, elsewhere, 2, sig, len - 1), CGA_E_SIGNATURE);
		sig[len / 2] ^= 4;
		assert_int_equal(cga_verify_signature(&pds, 7, elsewhere, 2, sig, len), CGA_E_SIGNATURE);
		cga_key_free(key);
	}
}

static void test_two_are_different(void **state)
{
	char a[PEM_MAX], b[PEM_MAX];

	(void)state;
	assert_int_equal(cga_key_generate_pem(1024, a, sizeof(a)), CGA_OK);
	assert_int_equal(cga_key_generate_pem(1024, b, sizeof(b)), CGA_OK);
	assert_string_not_equal(a, b);
}

static void test_refusals(void **state)
{
	char pem[PEM_MAX];

	(void)state;
	assert_int_equal(cga_key_generate_pem(0, pem, sizeof(pem)), CGA_E_KEY_SIZE);
	assert_int_equal(cga_key_generate_pem(1023, pem, sizeof(pem)), CGA_E_KEY_SIZE);
	assert_int_equal(cga_key_generate_pem(4097, pem, sizeof(pem)), CGA_E_KEY_SIZE);
	assert_int_equal(cga_key_generate_pem(1024, pem, 100), CGA_E_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size),
		cmocka_unit_test(test_two_are_different),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
