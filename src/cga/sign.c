/* SPDX-License-Identifier: MIT */
/*
 * The CGA signature of a locator list (RFC 5533 section 5.15.5, RFC 3972 section
 * 6): RSASSA-PKCS1-v1_5 with SHA-1 over type tag, generation and the CGA-method
 * locators. Some systems forbid SHA-1 signatures as such (HS-11). The protocol
 * leaves no choice, so libcrypto is only asked for the RSA operation with PKCS #1
 * padding, and the DigestInfo inside is made and compared here, octet for octet.
 */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <limits.h>
#include <stdlib.h>

#include "cga/internal.h"

#define DIGEST_INFO_HEAD 15
#define DIGEST_INFO (DIGEST_INFO_HEAD + SHA1_LEN)

struct cga_key {
	EVP_PKEY *pkey;
};

/* DigestInfo { sha1, NULL, OCTET STRING } of the octets HS-01 names. */
static void digest_info(uint32_t generation, const struct shim6_addr *locators, unsigned n, uint8_t out[DIGEST_INFO])
{
	static const uint8_t head[DIGEST_INFO_HEAD] = { 0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
							0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14 };
	static const uint8_t tag[16] = { 0x4a, 0x30, 0x56, 0x62, 0x48, 0x58, 0x57, 0x4b,
					 0x36, 0x55, 0x41, 0x6f, 0x50, 0x6a, 0x6d, 0x48 };
	const uint8_t gen[4] = { (uint8_t)(generation >> 24), (uint8_t)(generation >> 16), (uint8_t)(generation >> 8),
				 (uint8_t)generation };
	const struct octets parts[] = {
		{ tag, sizeof(tag) },
		{ gen, sizeof(gen) },
		{ (const uint8_t *)locators, n * sizeof(*locators) },
	};

	memcpy(out, head, sizeof(head));
	cga_sha1(parts, n ? 3 : 2, out + DIGEST_INFO_HEAD);
}

/* A key object from numbers; d, p and q only for a private one. */
struct rsa_parts {
	struct octets n, e, d, p, q;
};

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

static EVP_PKEY *key_from_numbers(const struct rsa_parts *k)
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

/* Only a key its peers will accept is worth signing with (HS-05, HS-10). Takes pkey over. */
static int own_key(struct cga_key **out, EVP_PKEY *pkey)
{
	struct rsa_numbers numbers;
	uint8_t *spki = NULL;
	int len, err = CGA_E_KEY;

	*out = NULL;
	if (!pkey)
		return CGA_E_KEY;
	len = i2d_PUBKEY(pkey, &spki);
	if (len > 0 && EVP_PKEY_is_a(pkey, "RSA")) {
		err = cga_rsa_numbers(spki, (size_t)len, &numbers);
		if (err == CGA_E_NOT_A_KEY)
			err = CGA_E_KEY;
	}
	OPENSSL_free(spki);
	if (err == CGA_OK) {
		*out = malloc(sizeof(**out));
		if (*out) {
			(*out)->pkey = pkey;
			return CGA_OK;
		}
		err = CGA_E_CRYPTO;
	}
	EVP_PKEY_free(pkey);
	return err;
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

int cga_key_load_pem(struct cga_key **out, const char *pem, size_t len)
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

int cga_key_load_components(struct cga_key **out, const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len,
			    const uint8_t *d, size_t d_len, const uint8_t *p, size_t p_len, const uint8_t *q,
			    size_t q_len)
{
	const struct rsa_parts parts = { { n, n_len }, { e, e_len }, { d, d_len }, { p, p_len }, { q, q_len } };

	*out = NULL;
	if (!n || !e || !d)
		return CGA_E_KEY;
	return own_key(out, key_from_numbers(&parts));
}

void cga_key_free(struct cga_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

int cga_key_spki(const struct cga_key *k, uint8_t *out, size_t cap, size_t *len)
{
	int n = i2d_PUBKEY(k->pkey, NULL);
	uint8_t *at = out;

	if (n <= 0)
		return CGA_E_CRYPTO;
	if ((size_t)n > cap)
		return CGA_E_TOO_LONG;
	i2d_PUBKEY(k->pkey, &at);
	*len = (size_t)n;
	return CGA_OK;
}

int cga_sign(const struct cga_key *k, uint32_t generation, const struct shim6_addr *locators, unsigned n,
	     uint8_t sig[CGA_MAX_SIGNATURE], size_t *sig_len)
{
	uint8_t info[DIGEST_INFO];
	EVP_PKEY_CTX *ctx;
	size_t len = CGA_MAX_SIGNATURE;
	bool ok;

	/* HS-04: no CGA locator, no signature. */
	if (n == 0)
		return CGA_E_ARGUMENT;
	digest_info(generation, locators, n, info);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
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

int cga_verify_signature(const struct cga_pds *pds, uint32_t generation, const struct shim6_addr *locators, unsigned n,
			 const uint8_t *sig, size_t sig_len)
{
	struct rsa_numbers numbers;
	uint8_t info[DIGEST_INFO];
	EVP_PKEY *pkey;
	int err = cga_key_usable(pds);

	if (err != CGA_OK)
		return err;
	err = cga_rsa_numbers(pds->key, pds->key_len, &numbers);
	if (err != CGA_OK)
		return err;
	if (sig_len != numbers.n.len) /* exactly as long as the modulus (HS-10) */
		return CGA_E_SIGNATURE;
	pkey = key_from_numbers(&(struct rsa_parts){ .n = numbers.n, .e = numbers.e });
	if (!pkey)
		return CGA_E_CRYPTO;
	digest_info(generation, locators, n, info);
	err = recover_digest_info(pkey, sig, sig_len, info);
	EVP_PKEY_free(pkey);
	return err;
}
