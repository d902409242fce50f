/* SPDX-License-Identifier: MIT */
/*
 * What the CGA method asks of a public key (HS-05, HS-10, AMB-H6): that it is a
 * SubjectPublicKeyInfo holding an RSA key of sensible size, and not the random
 * nonce of an HBA-only set, whose 384 bits anybody can factor. Read straight
 * from the DER, so that judging a key costs no library object, and one reading
 * serves both the judgement and the signature check.
 */
#include "cga/internal.h"

#define EXPONENT_MAX_OCTETS 4 /* below 2^32 */

int cga_der_take(struct octets *in, uint8_t tag, struct octets *body)
{
	size_t whole;

	if (cga_der_element(in->p, in->len, tag, body, &whole) < 0)
		return -1;
	in->p += whole;
	in->len -= whole;
	return 0;
}

int cga_der_unsigned(struct octets *in, struct octets *value)
{
	if (cga_der_take(in, DER_INTEGER, value) < 0 || value->len == 0 || value->p[0] >= 0x80)
		return -1;
	if (value->len > 1 && value->p[0] == 0) {
		value->p++;
		value->len--;
		if (value->p[0] < 0x80)
			return -1; /* a zero too many */
	}
	return 0;
}

const uint8_t cga_rsa_encryption[CGA_RSA_ENCRYPTION] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
							 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };

static int read_rsa_spki(struct octets in, struct rsa_numbers *out)
{
	struct octets spki, algorithm, bits, rsa;

	if (cga_der_take(&in, DER_SEQUENCE, &spki) < 0 || in.len != 0)
		return -1;
	if (cga_der_take(&spki, DER_SEQUENCE, &algorithm) < 0 || algorithm.len != sizeof(cga_rsa_encryption) ||
	    memcmp(algorithm.p, cga_rsa_encryption, sizeof(cga_rsa_encryption)) != 0)
		return -1;
	if (cga_der_take(&spki, DER_BIT_STRING, &bits) < 0 || spki.len != 0 || bits.len < 1 || bits.p[0] != 0)
		return -1;
	bits.p++;
	bits.len--;
	if (cga_der_take(&bits, DER_SEQUENCE, &rsa) < 0 || bits.len != 0)
		return -1;
	if (cga_der_unsigned(&rsa, &out->n) < 0 || cga_der_unsigned(&rsa, &out->e) < 0 || rsa.len != 0)
		return -1;
	return 0;
}

unsigned cga_bit_length(const struct octets *v)
{
	unsigned bits = (unsigned)v->len * 8;

	for (uint8_t top = v->p[0]; bits > 0 && top < 0x80; top = (uint8_t)(top << 1)) {
		bits--;
		if (bits % 8 == 0)
			break;
	}
	return bits;
}

int cga_rsa_numbers(const uint8_t *spki, size_t len, struct rsa_numbers *out)
{
	unsigned bits;

	if (read_rsa_spki((struct octets){ spki, len }, out) < 0)
		return CGA_E_NOT_A_KEY;
	bits = cga_bit_length(&out->n);
	if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS)
		return CGA_E_KEY_SIZE;
	/* An even modulus or exponent, or the exponent 1, belongs to no RSA key. */
	if (!(out->n.p[out->n.len - 1] & 1) || !(out->e.p[out->e.len - 1] & 1))
		return CGA_E_NOT_A_KEY;
	if (out->e.len > EXPONENT_MAX_OCTETS || (out->e.len == 1 && out->e.p[0] < 3))
		return CGA_E_KEY_SIZE;
	return CGA_OK;
}

int cga_key_numbers(const struct cga_pds *pds, struct rsa_numbers *out)
{
	if (pds->has_mpe && !pds->mpe_p)
		return CGA_E_NOT_A_KEY;
	return cga_rsa_numbers(pds->key, pds->key_len, out);
}

int cga_key_usable(const struct cga_pds *pds)
{
	struct rsa_numbers numbers;

	return cga_key_numbers(pds, &numbers);
}
