/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's SipHash against libcrypto's, where there is a libcrypto. */
#include <openssl/evp.h>
#include <openssl/params.h>

#include "common.h"

#include "engine/siphash.h"

/* E-28: each length up to two blocks and more */
static void openssl_siphash(const uint8_t *key, const uint8_t *data, size_t len, size_t size, uint8_t *out)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	OSSL_PARAM p[] = { OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end() };
	size_t n;

	assert_true(EVP_MAC_init(ctx, key, 16, p));
	assert_true(EVP_MAC_update(ctx, data, len));
	assert_true(EVP_MAC_final(ctx, out, &n, size));
	assert_int_equal(n, size);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void e28_siphash_agrees_with_libcrypto(void **state)
{
	struct siphash_key key;
	uint8_t data[130], want[16], got[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + 3);
	for (unsigned i = 0; i < sizeof(key.b); i++)
		key.b[i] = (uint8_t)i;
	for (size_t len = 0; len < sizeof(data); len++) {
		uint64_t word, word_want = 0;

		openssl_siphash(key.b, data, len, 16, want);
		siphash_128(&key, data, len, got);
		assert_memory_equal(got, want, 16);
		openssl_siphash(key.b, data, len, 8, want);
		word = siphash_64(&key, data, len);
		for (unsigned i = 8; i--;)
			word_want = word_want << 8 | want[i];
		assert_true(word == word_want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(e28_siphash_agrees_with_libcrypto) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
