/* SPDX-License-Identifier: MIT */
/*
 * Does this address belong to this parameter data structure? RFC 3972 section 5
 * answers for one address (CGA); RFC 5535 section 7.2 takes any prefix of the
 * Multi-Prefix extension in the subnet prefix's place (HBA). Both compare Hash1
 * with the interface identifier, and Hash2 with the Sec bits of the address.
 * Hash2 does not depend on the prefix, so a verifier computes it at most once,
 * and not at all while every address has Sec 0 (HV-19). The order of the checks
 * is the RFC's; the first failure ends it (HV-08).
 */
#include "cga/internal.h"

#define IID_AT 8
#define IID_HASH_MASK 0x1c /* of the first octet: without Sec, u and g (HV-05) */

void cga_verifier_init(struct cga_verifier *v, const struct cga_pds *pds)
{
	memset(v, 0, sizeof(*v));
	v->pds = *pds;
}

static bool hash1_matches(const uint8_t hash1[8], const struct shim6_addr *a)
{
	const uint8_t *iid = a->b + IID_AT;

	return ((hash1[0] ^ iid[0]) & IID_HASH_MASK) == 0 && memcmp(hash1 + 1, iid + 1, 7) == 0;
}

static int check_hash2(struct cga_verifier *v, unsigned sec)
{
	/* AMB-H1: the codes 3 to 7 are unassigned, accepting SHA-1 for them would break their later use. */
	if (sec > CGA_MAX_SEC)
		return CGA_E_SEC;
	if (sec == 0)
		return CGA_OK;
	if (!v->have_hash2) {
		cga_hash2(v->pds.raw, v->pds.len, v->hash2);
		v->have_hash2 = true;
		v->sha1_count++;
	}
	for (unsigned i = 0; i < 2 * sec; i++)
		if (v->hash2[i] != 0)
			return CGA_E_HASH2;
	return CGA_OK;
}

/* RFC 3972 section 5 from the hashes on, with the address's own prefix in the PDS (HV-02). */
static int check_hashes(struct cga_verifier *v, const struct shim6_addr *a)
{
	uint8_t hash1[8];

	if (v->pds.collision_count > COLLISION_MAX)
		return CGA_E_COLLISION;
	cga_hash1(v->pds.raw, v->pds.len, a->b, hash1);
	v->sha1_count++;
	if (!hash1_matches(hash1, a))
		return CGA_E_HASH1;
	/* HV-06: Sec is what the address says. */
	return check_hash2(v, a->b[IID_AT] >> 5);
}

int cga_verify_hba(struct cga_verifier *v, const struct shim6_addr *a)
{
	const struct cga_pds *p = &v->pds;

	if (!p->has_mpe)
		return CGA_E_NO_MPE;
	for (unsigned i = 0; i < p->n_prefixes; i++)
		if (memcmp(p->prefixes + (size_t)i * PDS_PREFIX, a->b, PDS_PREFIX) == 0)
			return check_hashes(v, a);
	return CGA_E_PREFIX;
}

int cga_verify_cga(struct cga_verifier *v, const struct shim6_addr *a)
{
	if (v->pds.collision_count > COLLISION_MAX)
		return CGA_E_COLLISION;
	if (memcmp(v->pds.prefix, a->b, PDS_PREFIX) != 0)
		return CGA_E_PREFIX;
	return check_hashes(v, a);
}

int cga_verify_ulid(struct cga_verifier *v, const struct shim6_addr *ulid)
{
	return v->pds.has_mpe ? cga_verify_hba(v, ulid) : cga_verify_cga(v, ulid);
}
