/* SPDX-License-Identifier: MIT */
/*
 * The crypto library on Unix: OpenSSL 3's libcrypto.
 *
 * SHA-1 goes through the plain interface: it needs no allocation, no lookup of an
 * algorithm by name and no global state, and a locator costs one to three
 * compressions. The library marks it deprecated in favour of one that costs
 * several times as much per call.
 *
 * Some systems forbid SHA-1 signatures as such (HS-11). The protocol leaves no
 * choice, so libcrypto is only asked for the RSA operation with PKCS #1 padding,
 * and the DigestInfo inside is made and compared here, octet for octet.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <limits.h>

#include "cga/crypto.h"

#define DIGEST_INFO_HEAD 15
#define DIGEST_INFO (DIGEST_INFO_HEAD + SHA1_LEN)

/* struct crypto_key is EVP_PKEY by another name, never looked into here. */
static EVP_PKEY *pkey_of(const struct crypto_key *k)
{
	return (EVP_PKEY *)k;
}

bool crypto_random(void *out, size_t len)
{
	return len <= INT_MAX && RAND_bytes(out, (int)len) == 1;
}

void cga_sha1(const struct octets *parts, unsigned n, uint8_t out[SHA1_LEN])
{
	SHA_CTX ctx;

	SHA1_Init(&ctx);
	for (unsigned i = 0; i < n; i++)
		SHA1_Update(&ctx, parts[i].p, parts[i].len);
	SHA1_Final(out, &ctx);
}

uint32_t crypto_sha1_word(const uint8_t *padded, size_t whole, size_t len)
{
	SHA_CTX ctx;

	(void)len;
	SHA1_Init(&ctx);
	SHA1_Update(&ctx, padded, whole);
	return ctx.h0; /* padding included, what is left in the state is the hash */
}

static int push_number(OSSL_PARAM_BLD *bld, const char *name, const struct octets *v, BIGNUM **keep)
{
	if (!v->p)
		return 1;
	if (v->len > INT_MAX)
		return 0;
	*keep = BN_bin2bn(v->p, (int)v->len, BN_secure_new());
	return *keep && OSSL_PARAM_BLD_push_BN(bld, name, *keep);
}

static EVP_PKEY *key_from_params(OSSL_PARAM *params, int selection)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &pkey, selection, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

/* d, p and q only for a private key */
static EVP_PKEY *key_from_numbers(const struct rsa_private *k)
{
	const struct {
		const char *name;
		const struct octets *value;
	} fields[] = {
		{ OSSL_PKEY_PARAM_RSA_N, &k->n },	{ OSSL_PKEY_PARAM_RSA_E, &k->e },
		{ OSSL_PKEY_PARAM_RSA_D, &k->d },	{ OSSL_PKEY_PARAM_RSA_FACTOR1, &k->p },
		{ OSSL_PKEY_PARAM_RSA_FACTOR2, &k->q },
	};
	BIGNUM *numbers[5] = { NULL };
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;
	int ok = bld != NULL;

	for (unsigned i = 0; ok && i < 5; i++)
		ok = push_number(bld, fields[i].name, fields[i].value, &numbers[i]);
	if (ok)
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params)
		pkey = key_from_params(params, k->d.p ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	for (unsigned i = 0; i < 5; i++)
		BN_clear_free(numbers[i]);
	return pkey;
}

/* Takes pkey over. */
static int own_key(struct crypto_key **out, EVP_PKEY *pkey)
{
	*out = NULL;
	if (!pkey || !EVP_PKEY_is_a(pkey, "RSA")) {
		EVP_PKEY_free(pkey);
		return CGA_E_KEY;
	}
	*out = (struct crypto_key *)pkey;
	return CGA_OK;
}

/* Without a terminal to ask at, an encrypted key is an error, never a prompt. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

int crypto_key_from_pem(struct crypto_key **out, const char *pem, size_t len)
{
	EVP_PKEY *pkey;
	BIO *bio;

	*out = NULL;
	if (len > INT_MAX)
		return CGA_E_KEY;
	bio = BIO_new_mem_buf(pem, (int)len);
	if (!bio)
		return CGA_E_CRYPTO;
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return own_key(out, pkey);
}

int crypto_key_from_numbers(struct crypto_key **out, const struct rsa_private *numbers)
{
	return own_key(out, key_from_numbers(numbers));
}

void crypto_key_free(struct crypto_key *k)
{
	EVP_PKEY_free(pkey_of(k));
}

int crypto_key_spki(const struct crypto_key *k, uint8_t *out, size_t cap, size_t *len)
{
	int n = i2d_PUBKEY(pkey_of(k), NULL);
	uint8_t *at = out;

	if (n <= 0)
		return CGA_E_CRYPTO;
	if ((size_t)n > cap)
		return CGA_E_TOO_LONG;
	i2d_PUBKEY(pkey_of(k), &at);
	*len = (size_t)n;
	return CGA_OK;
}

/* DigestInfo { sha1, NULL, OCTET STRING } (RFC 8017 section 9.2) */
static void digest_info(const uint8_t hash[SHA1_LEN], uint8_t out[DIGEST_INFO])
{
	static const uint8_t head[DIGEST_INFO_HEAD] = { 0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
							0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14 };

	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), hash, SHA1_LEN);
}

int crypto_sign(const struct crypto_key *k, const uint8_t hash[SHA1_LEN], uint8_t sig[CGA_MAX_SIGNATURE],
		size_t *sig_len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey_of(k), NULL);
	size_t len = CGA_MAX_SIGNATURE;
	uint8_t info[DIGEST_INFO];
	bool ok;

	digest_info(hash, info);
	ok = ctx && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	     EVP_PKEY_sign(ctx, sig, &len, info, sizeof(info)) == 1;
	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		return CGA_E_CRYPTO;
	*sig_len = len;
	return CGA_OK;
}

static int recover_digest_info(EVP_PKEY *pkey, const uint8_t *sig, size_t sig_len, const uint8_t info[DIGEST_INFO])
{
	uint8_t inside[CGA_MAX_SIGNATURE];
	size_t len = sizeof(inside);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	int err = CGA_E_CRYPTO;

	if (ctx && EVP_PKEY_verify_recover_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1) {
		err = CGA_E_SIGNATURE;
		if (EVP_PKEY_verify_recover(ctx, inside, &len, sig, sig_len) == 1 && len == DIGEST_INFO &&
		    memcmp(inside, info, DIGEST_INFO) == 0)
			err = CGA_OK;
	}
	EVP_PKEY_CTX_free(ctx);
	return err;
}

int crypto_verify(const struct rsa_numbers *key, const uint8_t hash[SHA1_LEN], const uint8_t *sig, size_t sig_len)
{
	EVP_PKEY *pkey = key_from_numbers(&(struct rsa_private){ .n = key->n, .e = key->e });
	uint8_t info[DIGEST_INFO];
	int err;

	if (!pkey)
		return CGA_E_CRYPTO;
	digest_info(hash, info);
	err = recover_digest_info(pkey, sig, sig_len, info);
	EVP_PKEY_free(pkey);
	return err;
}
