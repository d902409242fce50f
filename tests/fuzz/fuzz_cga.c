/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TH09 (HE-11): sixteen octets of address, the rest a CGA parameter data
 * structure, parsed and verified by every method. Beyond what the sanitizers
 * see, the views the parser hands out must lie inside the input and tile it.
 */
#include <stdlib.h>

#include "cga/cga.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_views(const struct cga_pds *p)
{
	require(p->len <= CGA_MAX_PDS);
	require(p->key == p->raw + 25);
	require(p->extensions == p->key + p->key_len);
	require(p->extensions + p->extensions_len == p->raw + p->len);
	if (!p->has_mpe)
		return;
	require(p->n_prefixes >= 1 && p->n_prefixes <= CGA_MAX_PREFIXES);
	require(p->prefixes >= p->extensions + 8);
	require(p->prefixes + (size_t)p->n_prefixes * 8 <= p->raw + p->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shim6_addr a;
	struct cga_verifier v;
	struct cga_pds p;
	int hba, cga, key;

	if (size < sizeof(a.b))
		return 0;
	memcpy(a.b, data, sizeof(a.b));
	if (cga_pds_parse(&p, data + sizeof(a.b), size - sizeof(a.b)) != CGA_OK)
		return 0;
	check_views(&p);
	cga_verifier_init(&v, &p);
	hba = cga_verify_hba(&v, &a);
	cga = cga_verify_cga(&v, &a);
	require(cga_verify_ulid(&v, &a) == (p.has_mpe ? hba : cga));
	require(p.has_mpe || hba == CGA_E_NO_MPE);
	/* RFC 5535 section 7.1: what a CGA check accepts, an HBA check of a listed prefix accepts */
	require(cga != CGA_OK || hba == CGA_OK || hba == CGA_E_PREFIX || hba == CGA_E_NO_MPE);
	require(v.sha1_count <= 4);
	key = cga_key_usable(&p);
	if (key == CGA_OK) {
		uint8_t sig[CGA_MAX_SIGNATURE] = { 0 };

		memcpy(sig, a.b, sizeof(a.b));
		for (size_t len = 128; len <= sizeof(sig); len += 128)
			require(cga_verify_signature(&p, 1, &a, 1, sig, len) != CGA_OK);
	}
	return 0;
}
