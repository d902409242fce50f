/* SPDX-License-Identifier: MIT */
/*
 * The CGA signature of a locator list (RFC 5533 section 5.15.5, RFC 3972 section
 * 6): RSASSA-PKCS1-v1_5 with SHA-1 over type tag, generation and the CGA-method
 * locators.
 */
#include <stdlib.h>

#include "cga/crypto.h"

#define SPKI_MAX 640 /* RSA-4096 with an exponent below 2^32 takes 551 octets */

struct cga_key {
	struct crypto_key *private;
	unsigned bits;
};

/* Of the octets HS-01 names. */
static void hash_locators(uint32_t generation, const struct shim6_addr *locators, unsigned n, uint8_t hash[SHA1_LEN])
{
	static const uint8_t tag[16] = { 0x4a, 0x30, 0x56, 0x62, 0x48, 0x58, 0x57, 0x4b,
					 0x36, 0x55, 0x41, 0x6f, 0x50, 0x6a, 0x6d, 0x48 };
	const uint8_t gen[4] = { (uint8_t)(generation >> 24), (uint8_t)(generation >> 16), (uint8_t)(generation >> 8),
				 (uint8_t)generation };
	const struct octets parts[] = {
		{ tag, sizeof(tag) },
		{ gen, sizeof(gen) },
		{ (const uint8_t *)locators, n * sizeof(*locators) },
	};

	cga_sha1(parts, n ? 3 : 2, hash);
}

/* Only a key its peers will accept is worth signing with (HS-05, HS-10). */
static int judge_key(const struct crypto_key *private, unsigned *bits)
{
	struct rsa_numbers numbers;
	uint8_t spki[SPKI_MAX];
	size_t len;
	int err = crypto_key_spki(private, spki, sizeof(spki), &len);

	if (err == CGA_E_TOO_LONG)
		return CGA_E_KEY_SIZE;
	if (err == CGA_OK)
		err = cga_rsa_numbers(spki, len, &numbers);
	if (err == CGA_OK)
		*bits = cga_bit_length(&numbers.n);
	return err == CGA_E_NOT_A_KEY ? CGA_E_KEY : err;
}

/* Takes private over. */
static int own_key(struct cga_key **out, struct crypto_key *private)
{
	unsigned bits;
	int err = judge_key(private, &bits);

	if (err == CGA_OK) {
		*out = malloc(sizeof(**out));
		if (*out) {
			(*out)->private = private;
			(*out)->bits = bits;
			return CGA_OK;
		}
		err = CGA_E_CRYPTO;
	}
	crypto_key_free(private);
	return err;
}

int cga_key_load_pem(struct cga_key **out, const char *pem, size_t len)
{
	struct crypto_key *private;
	int err = crypto_key_from_pem(&private, pem, len);

	*out = NULL;
	return err == CGA_OK ? own_key(out, private) : err;
}

int cga_key_load_components(struct cga_key **out, const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len,
			    const uint8_t *d, size_t d_len, const uint8_t *p, size_t p_len, const uint8_t *q,
			    size_t q_len)
{
	const struct rsa_private numbers = { { n, n_len }, { e, e_len }, { d, d_len }, { p, p_len }, { q, q_len } };
	struct crypto_key *private;
	int err;

	*out = NULL;
	if (!n || !e || !d || !p || !q)
		return CGA_E_KEY;
	err = crypto_key_from_numbers(&private, &numbers);
	return err == CGA_OK ? own_key(out, private) : err;
}

void cga_key_free(struct cga_key *k)
{
	if (!k)
		return;
	crypto_key_free(k->private);
	free(k);
}

int cga_key_spki(const struct cga_key *k, uint8_t *out, size_t cap, size_t *len)
{
	return crypto_key_spki(k->private, out, cap, len);
}

unsigned cga_key_bits(const struct cga_key *k)
{
	return k->bits;
}

size_t cga_signature_length(const struct cga_key *k)
{
	return (k->bits + 7) / 8;
}

int cga_sign(const struct cga_key *k, uint32_t generation, const struct shim6_addr *locators, unsigned n,
	     uint8_t sig[CGA_MAX_SIGNATURE], size_t *sig_len)
{
	uint8_t hash[SHA1_LEN];

	/* HS-04: no CGA locator, no signature. */
	if (n == 0)
		return CGA_E_ARGUMENT;
	hash_locators(generation, locators, n, hash);
	return crypto_sign(k->private, hash, sig, sig_len);
}

int cga_verify_signature(const struct cga_pds *pds, uint32_t generation, const struct shim6_addr *locators, unsigned n,
			 const uint8_t *sig, size_t sig_len)
{
	struct rsa_numbers numbers;
	uint8_t hash[SHA1_LEN];
	int err = cga_key_numbers(pds, &numbers);

	if (err != CGA_OK)
		return err;
	if (sig_len != numbers.n.len) /* exactly as long as the modulus (HS-10) */
		return CGA_E_SIGNATURE;
	hash_locators(generation, locators, n, hash);
	return crypto_verify(&numbers, hash, sig, sig_len);
}
