/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TH09 (HE-11): sixteen octets of address, the rest a CGA parameter data
 * structure, parsed and verified by every method. Beyond what the sanitizers
 * see, the views the parser hands out must lie inside the input and tile it.
 *
 * The same octets are also a public key in DER, a private key in PEM, a
 * signature, and what is changed in a good signature, its locator and its
 * generation: a signature counts for what was signed, and for nothing else.
 */
#include <stdlib.h>

#include "../unit/cga/test_keys.h"
#include "cga/cga.h"
#include "cga/internal.h"

#define GENERATION 7

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

/* A set with a real key, and a signature of its by that key. */
static struct {
	struct cga_set set;
	struct cga_pds pds;
	struct shim6_addr locator;
	uint8_t sig[CGA_MAX_SIGNATURE];
	size_t len;
} good;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t prefixes[][8] = { { 0x20, 1, 0x0d, 0xb8, 0, 0x0a, 0, 1 } };
	struct cga_gen g = { .prefixes = prefixes, .n_prefixes = 1 };
	struct cga_key *key;
	uint8_t spki[CGA_MAX_PDS];

	(void)argc;
	(void)argv;
	require(cga_key_load_pem(&key, pem_rsa_1024, sizeof(pem_rsa_1024) - 1) == CGA_OK);
	require(cga_key_spki(key, spki, sizeof(spki), &g.spki_len) == CGA_OK);
	g.spki = spki;
	require(cga_generate(&g, &good.set) == CGA_OK);
	require(cga_pds_parse(&good.pds, good.set.pds[0], good.set.pds_len) == CGA_OK);
	good.locator = good.set.addr[0];
	require(cga_sign(key, GENERATION, &good.locator, 1, good.sig, &good.len) == CGA_OK);
	cga_key_free(key);
	return 0;
}

/* Octet by octet onto the signature, then the locator, then the generation. */
static void changed_signature(const uint8_t *data, size_t size)
{
	uint8_t all[CGA_MAX_SIGNATURE + sizeof(struct shim6_addr) + 4] = { 0 }, any = 0;
	struct shim6_addr locator = good.locator;
	size_t n = good.len + sizeof(locator) + 4;
	uint32_t generation = GENERATION;

	memcpy(all, good.sig, good.len);
	memcpy(all + good.len, &locator, sizeof(locator));
	for (size_t i = 0; i < size && i < n; i++) {
		all[i] ^= data[i];
		any |= data[i];
	}
	memcpy(&locator, all + good.len, sizeof(locator));
	for (size_t i = n - 4; i < n; i++)
		generation ^= (uint32_t)all[i] << 8 * (n - 1 - i);
	require((cga_verify_signature(&good.pds, generation, &locator, 1, all, good.len) == CGA_OK) == !any);
	require(cga_verify_signature(&good.pds, GENERATION, &good.locator, 1, data, size) != CGA_OK ||
		(size == good.len && memcmp(data, good.sig, size) == 0));
}

static void keys(const uint8_t *data, size_t size)
{
	struct rsa_numbers numbers;
	uint8_t spki[CGA_MAX_PDS];
	struct cga_key *key;
	size_t len;

	if (cga_rsa_numbers(data, size, &numbers) == CGA_OK) {
		require(numbers.n.p > data && numbers.n.p + numbers.n.len <= numbers.e.p);
		require(numbers.e.p + numbers.e.len == data + size);
	}
	/* What does not begin so costs OpenSSL a millisecond to find out. */
	if (size < 5 || memcmp(data, "-----", 5) != 0 || cga_key_load_pem(&key, (const char *)data, size) != CGA_OK)
		return;
	require(cga_key_spki(key, spki, sizeof(spki), &len) == CGA_OK);
	require(cga_rsa_numbers(spki, len, &numbers) == CGA_OK);
	cga_key_free(key);
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

	keys(data, size);
	changed_signature(data, size);
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
