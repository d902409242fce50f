/* SPDX-License-Identifier: MIT */
/*
 * What cga needs of a crypto library, and all it needs: SHA-1, the RSA operation
 * with PKCS #1 v1.5 padding, private keys, random octets. One implementation is
 * linked: crypto_openssl.c, or crypto_cng.c on Windows. Both must answer alike;
 * what can be judged without a library (key size, structure of a public key) is
 * judged by the callers.
 */
#ifndef SHIM6_CGA_CRYPTO_H
#define SHIM6_CGA_CRYPTO_H

#include "cga/internal.h"

bool crypto_random(void *out, size_t len);

/*
 * SHA-1 over padded[0..whole), whole blocks that hold the first len octets'
 * padding already. Returns the first word of the hash: the modifier search looks
 * at no more, and asks millions of times.
 */
uint32_t crypto_sha1_word(const uint8_t *padded, size_t whole, size_t len);

/* A private key. CGA_OK, CGA_E_KEY for what is no unencrypted RSA key, or CGA_E_CRYPTO. */
struct crypto_key;
int crypto_key_from_pem(struct crypto_key **out, const char *pem, size_t len);
struct rsa_private {
	struct octets n, e, d, p, q; /* big-endian */
};
int crypto_key_from_numbers(struct crypto_key **out, const struct rsa_private *numbers);
void crypto_key_free(struct crypto_key *k);
/* CGA_OK, CGA_E_TOO_LONG or CGA_E_CRYPTO */
int crypto_key_spki(const struct crypto_key *k, uint8_t *out, size_t cap, size_t *len);

/* RSASSA-PKCS1-v1_5 over a finished SHA-1 hash. CGA_OK or CGA_E_CRYPTO. */
int crypto_sign(const struct crypto_key *k, const uint8_t hash[SHA1_LEN], uint8_t sig[CGA_MAX_SIGNATURE],
		size_t *sig_len);
/* CGA_OK, CGA_E_SIGNATURE or CGA_E_CRYPTO. sig is as long as the modulus. */
int crypto_verify(const struct rsa_numbers *key, const uint8_t hash[SHA1_LEN], const uint8_t *sig, size_t sig_len);

#endif
