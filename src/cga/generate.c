/* SPDX-License-Identifier: MIT */
/*
 * Making a set of hash based addresses (RFC 5535 section 6). The public key (or
 * a random nonce dressed as one, HE-09) and the Multi-Prefix extension form the
 * tail that all members share; modifier, Sec and collision count are the set's
 * as well (HG-10), so the parameter data structures differ in the subnet prefix
 * only. The costly step is the modifier search of cga_search_modifier().
 */
#include "cga/crypto.h"

#define MPE_MAX (EXT_HEADER + MPE_FLAGS + CGA_MAX_GENERATE * PDS_PREFIX)
/* Around a nonce of 49 octets at most: see 10.5 of the rows. */
#define NONCE_SPKI_MAX (CGA_HBA_NONCE + 1 + 29)

static size_t put(uint8_t *out, size_t at, const void *octets, size_t len)
{
	memcpy(out + at, octets, len);
	return at + len;
}

/* A DER INTEGER is minimal: no leading zeros but one where the top bit would make it negative (AMB-H3). */
static size_t nonce_spki(const uint8_t nonce[CGA_HBA_NONCE], uint8_t out[NONCE_SPKI_MAX])
{
	static const uint8_t algorithm[] = { DER_SEQUENCE, CGA_RSA_ENCRYPTION };
	static const uint8_t exponent[] = { 0x02, 0x03, 0x01, 0x00, 0x01 }; /* 65537 (AMB-H2) */
	size_t skip = 0, n, at = 0;
	uint8_t pad;

	while (skip < CGA_HBA_NONCE - 1 && nonce[skip] == 0)
		skip++;
	pad = nonce[skip] >= 0x80;
	n = CGA_HBA_NONCE - skip + pad;

	/* Every length is below 128, hence one octet. */
	const uint8_t outer[] = { DER_SEQUENCE,
				  (uint8_t)(sizeof(algorithm) + CGA_RSA_ENCRYPTION + 5 + 2 + n + sizeof(exponent)) };
	const uint8_t bits[] = { 0x03, (uint8_t)(3 + 2 + n + sizeof(exponent)), 0x00 };
	const uint8_t rsa[] = { DER_SEQUENCE, (uint8_t)(2 + n + sizeof(exponent)) };
	const uint8_t modulus[] = { 0x02, (uint8_t)n };

	at = put(out, at, outer, sizeof(outer));
	at = put(out, at, algorithm, sizeof(algorithm));
	at = put(out, at, cga_rsa_encryption, CGA_RSA_ENCRYPTION);
	at = put(out, at, bits, sizeof(bits));
	at = put(out, at, rsa, sizeof(rsa));
	at = put(out, at, modulus, sizeof(modulus));
	if (pad)
		out[at++] = 0;
	at = put(out, at, nonce + skip, CGA_HBA_NONCE - skip);
	return put(out, at, exponent, sizeof(exponent));
}

static size_t multi_prefix_extension(const struct cga_gen *g, uint8_t out[MPE_MAX])
{
	size_t data = MPE_FLAGS + (size_t)g->n_prefixes * PDS_PREFIX;
	const uint8_t head[EXT_HEADER + MPE_FLAGS] = {
		EXT_MULTI_PREFIX >> 8, EXT_MULTI_PREFIX & 0xff, (uint8_t)(data >> 8),
		(uint8_t)data,	       g->spki ? MPE_P : 0, /* HE-03 */
	};

	return put(out, put(out, 0, head, sizeof(head)), g->prefixes, (size_t)g->n_prefixes * PDS_PREFIX);
}

static void make_address(const uint8_t *pds, size_t len, unsigned sec, struct shim6_addr *a)
{
	uint8_t hash1[8];

	cga_hash1(pds, len, pds + PDS_PREFIX_AT, hash1);
	memcpy(a->b, pds + PDS_PREFIX_AT, PDS_PREFIX);
	memcpy(a->b + 8, hash1, 8);
	a->b[8] = (uint8_t)((hash1[0] & 0x1c) | sec << 5); /* 10.6: Sec in, u and g zero */
}

/*
 * Of the identifiers reserved by RFC 5453 only all zeros has u and g clear, so
 * only it can come out (HG-17). All collision counts are tried here, so that
 * cga_set_collide() never meets one.
 */
static bool makes_reserved_iid(struct cga_set *set)
{
	static const uint8_t zero[8];
	struct shim6_addr a;

	for (unsigned i = 0; i < set->n; i++) {
		uint8_t *pds = set->pds[i], count = pds[PDS_COUNT_AT];
		bool reserved = false;

		for (uint8_t c = 0; c <= COLLISION_MAX; c++) {
			pds[PDS_COUNT_AT] = c;
			make_address(pds, set->pds_len, set->sec, &a);
			reserved |= memcmp(a.b + 8, zero, 8) == 0;
		}
		pds[PDS_COUNT_AT] = count;
		if (reserved)
			return true;
	}
	return false;
}

static void fill_set(struct cga_set *set, const struct cga_gen *g, const uint8_t *modifier, const struct octets *tail)
{
	set->n = g->n_prefixes;
	set->sec = g->sec;
	set->pds_len = PDS_FIXED + tail->len;
	for (unsigned i = 0; i < set->n; i++) {
		uint8_t *pds = set->pds[i];

		memcpy(pds, modifier, PDS_MODIFIER);
		memcpy(pds + PDS_PREFIX_AT, g->prefixes[i], PDS_PREFIX);
		pds[PDS_COUNT_AT] = g->collision_count;
		memcpy(pds + PDS_FIXED, tail->p, tail->len);
	}
}

int cga_generate_tail(const struct cga_gen *g, const struct octets *tail, struct cga_set *out)
{
	uint8_t modifier[PDS_MODIFIER];
	int err;

	if (tail->len > CGA_MAX_PDS - PDS_FIXED)
		return CGA_E_TOO_LONG;
	if (g->modifier)
		memcpy(modifier, g->modifier, sizeof(modifier));
	else if (!crypto_random(modifier, sizeof(modifier)))
		return CGA_E_CRYPTO;
	for (;;) {
		err = cga_search_modifier(modifier, tail, g->sec, g->progress, g->progress_arg);
		if (err != CGA_OK)
			return err;
		fill_set(out, g, modifier, tail);
		if (!makes_reserved_iid(out))
			break;
		cga_modifier_step(modifier);
	}
	return cga_set_collide(out, g->collision_count);
}

static int check_arguments(const struct cga_gen *g)
{
	if (g->n_prefixes < 1 || g->n_prefixes > CGA_MAX_GENERATE || !g->prefixes)
		return CGA_E_ARGUMENT;
	if (g->sec > CGA_MAX_SEC || g->collision_count > COLLISION_MAX)
		return CGA_E_ARGUMENT;
	for (unsigned i = 0; i < g->n_prefixes; i++)
		for (unsigned j = 0; j < i; j++)
			if (memcmp(g->prefixes[i], g->prefixes[j], PDS_PREFIX) == 0)
				return CGA_E_ARGUMENT;
	return CGA_OK;
}

static int put_key(const struct cga_gen *g, uint8_t *tail, size_t cap, size_t *len)
{
	uint8_t nonce[CGA_HBA_NONCE];
	struct octets body;
	size_t whole;

	if (g->spki) {
		if (cga_der_element(g->spki, g->spki_len, DER_SEQUENCE, &body, &whole) < 0 || whole != g->spki_len)
			return CGA_E_KEY;
		if (g->spki_len > cap)
			return CGA_E_TOO_LONG;
		*len = put(tail, 0, g->spki, g->spki_len);
		return CGA_OK;
	}
	if (g->nonce) {
		memcpy(nonce, g->nonce, sizeof(nonce));
	} else {
		if (!crypto_random(nonce, sizeof(nonce)))
			return CGA_E_CRYPTO;
		/* HG-17: a constant length, and odd like a modulus. */
		nonce[0] |= 0x80;
		nonce[sizeof(nonce) - 1] |= 0x01;
	}
	*len = nonce_spki(nonce, tail);
	return CGA_OK;
}

int cga_generate(const struct cga_gen *g, struct cga_set *out)
{
	uint8_t buf[CGA_MAX_PDS - PDS_FIXED];
	struct octets tail = { buf, 0 };
	int err = check_arguments(g);

	if (err != CGA_OK)
		return err;
	err = put_key(g, buf, sizeof(buf) - MPE_MAX, &tail.len);
	if (err != CGA_OK)
		return err;
	tail.len += multi_prefix_extension(g, buf + tail.len); /* first of the extensions (AMB-H11) */
	return cga_generate_tail(g, &tail, out);
}

int cga_set_collide(struct cga_set *set, uint8_t count)
{
	if (count > COLLISION_MAX)
		return CGA_E_ARGUMENT;
	for (unsigned i = 0; i < set->n; i++) {
		set->pds[i][PDS_COUNT_AT] = count;
		make_address(set->pds[i], set->pds_len, set->sec, &set->addr[i]);
	}
	return CGA_OK;
}
