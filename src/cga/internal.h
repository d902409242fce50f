/* SPDX-License-Identifier: MIT */
/*
 * What the files of cga/ share: the layout of the parameter data structure, the
 * one hash everything rests on, and a DER reader just large enough for a
 * SubjectPublicKeyInfo. The tests use it too, for inputs which cga_generate()
 * never makes (no Multi-Prefix extension, foreign extensions, Reserved bits).
 */
#ifndef SHIM6_CGA_INTERNAL_H
#define SHIM6_CGA_INTERNAL_H

#include "cga/cga.h"

/* RFC 3972 section 3 */
#define PDS_MODIFIER 16
#define PDS_PREFIX_AT 16
#define PDS_PREFIX 8
#define PDS_COUNT_AT 24
#define PDS_FIXED 25 /* modifier, prefix, collision count */

/* RFC 4581 section 2, RFC 5535 section 5 */
#define EXT_HEADER 4
#define EXT_MULTI_PREFIX 0x0012
#define MPE_FLAGS 4
#define MPE_P 0x80

#define SHA1_LEN 20
#define SHA1_BLOCK 64
#define HASH2_LEN 14
#define HASH2_ZEROS 9 /* in place of prefix and collision count */

#define COLLISION_MAX 2

struct octets {
	const uint8_t *p;
	size_t len;
};

/* SHA-1 over the parts laid end to end. */
void cga_sha1(const struct octets *parts, unsigned n, uint8_t out[SHA1_LEN]);

/*
 * Step the modifier from where it stands until Hash2 has 16 * sec leading zero
 * bits (HG-04, HG-05). tail: public key and extensions. Returns CGA_OK or
 * CGA_E_CANCELLED.
 */
int cga_search_modifier(uint8_t modifier[PDS_MODIFIER], const struct octets *tail, unsigned sec,
			int (*progress)(void *, uint64_t), void *arg);
void cga_modifier_step(uint8_t modifier[PDS_MODIFIER]);

/* Hash1 of a PDS whose subnet prefix is taken to be prefix (HG-07, HV-02). */
void cga_hash1(const uint8_t *pds, size_t len, const uint8_t *prefix, uint8_t hash1[8]);
void cga_hash2(const uint8_t *pds, size_t len, uint8_t hash2[HASH2_LEN]);

/* Steps 3 to 6 of RFC 5535 section 6 for a given tail; g's key and nonce are not looked at. */
int cga_generate_tail(const struct cga_gen *g, const struct octets *tail, struct cga_set *out);

#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_OCTET_STRING 0x04
#define DER_SEQUENCE 0x30

/* One DER element with a definite length in at most three octets. 0, or -1 when malformed. */
int cga_der_element(const uint8_t *p, size_t len, uint8_t tag, struct octets *body, size_t *whole);
/* The next element of in, which then starts behind it. 0 or -1. */
int cga_der_take(struct octets *in, uint8_t tag, struct octets *body);
/* The same for an INTEGER of zero or more; a leading zero octet is left out of value. */
int cga_der_unsigned(struct octets *in, struct octets *value);

#define RSA_MIN_BITS 1024 /* HS-05 */
#define RSA_MAX_BITS 4096 /* HS-10 */

/* AlgorithmIdentifier of an RSA key, without its head: rsaEncryption, NULL (HE-08) */
#define CGA_RSA_ENCRYPTION 13
extern const uint8_t cga_rsa_encryption[CGA_RSA_ENCRYPTION];

/* The numbers of an RSA key, big-endian without leading zeros. */
struct rsa_numbers {
	struct octets n, e;
};
unsigned cga_bit_length(const struct octets *v); /* of a number without leading zeros */
/* CGA_OK, CGA_E_NOT_A_KEY when the octets are no rsaEncryption key, CGA_E_KEY_SIZE (HS-05, HS-10). */
int cga_rsa_numbers(const uint8_t *spki, size_t len, struct rsa_numbers *out);
/* The same for the key of a PDS, which must claim to be one (AMB-H6). */
int cga_key_numbers(const struct cga_pds *pds, struct rsa_numbers *out);

#endif
