/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every case of hba_vectors.json, or of another file of its shape, made by an
 * independent implementation, and the example of RFC 3972 appendix A in it.
 * Nothing here knows a vector by its name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cga/internal.h"
#include "hex.h"
#include "wire/wire.h"
#include "vectors_want.h"

#define MAX_LIST 71
#define LONG_SEARCH 100000000 /* tries; beyond it the vector's result is where we start */

static const struct vector *vectors;

static struct hex hexof(const struct vector *o, const char *key)
{
	return hex(text(o, key));
}

static unsigned num(const struct vector *o, const char *key)
{
	return (unsigned)get(o, key)->number;
}

static struct shim6_addr addr_of(const char *s)
{
	struct hex h = hex(s);
	struct shim6_addr a;

	assert_int_equal(h.len, 16);
	memcpy(a.b, h.b, 16);
	return a;
}

static unsigned count(const struct vector *list)
{
	return (unsigned)list->n;
}

static const struct vector *item(const struct vector *list, unsigned i)
{
	assert_true(i < list->n);
	return &list->items[i];
}

/* Inputs of one set as cga_generate() wants them. */
struct inputs {
	struct hex modifier, spki, nonce;
	uint8_t prefixes[CGA_MAX_GENERATE][8];
	struct cga_gen gen;
};

static void read_inputs(const struct vector *set, struct inputs *in)
{
	const struct vector *prefixes = get(set, "prefixes");
	bool real = num(set, "p_flag") != 0;
	bool long_search = get(set, "hash2_iterations")->number > LONG_SEARCH;

	memset(in, 0, sizeof(*in));
	in->modifier = hexof(set, long_search ? "modifier_final" : "modifier_start");
	in->spki = hexof(set, "spki");
	if (!real)
		in->nonce = hexof(set, "ext_modifier");
	for (unsigned i = 0; i < count(prefixes); i++) {
		struct hex p = hex(item(prefixes, i)->string);

		memcpy(in->prefixes[i], p.b, 8);
	}
	in->gen = (struct cga_gen){
		.prefixes = (const uint8_t(*)[8])in->prefixes,
		.n_prefixes = count(prefixes),
		.sec = num(set, "sec"),
		.spki = real ? in->spki.b : NULL,
		.spki_len = real ? in->spki.len : 0,
		.modifier = in->modifier.b,
		.nonce = real ? NULL : in->nonce.b,
		.collision_count = (uint8_t)num(set, "collision_count"),
	};
}

/* What cga_generate() never makes itself: foreign extensions, Reserved bits. */
static int generate_with_tail(const struct vector *set, const struct inputs *in, struct cga_set *out)
{
	struct hex tail = in->spki, before = hexof(set, "ext_before"), mpe = hexof(set, "multi_prefix_ext"),
		   after = hexof(set, "ext_after");
	struct octets t;

	memcpy(tail.b + tail.len, before.b, before.len);
	tail.len += before.len;
	memcpy(tail.b + tail.len, mpe.b, mpe.len);
	tail.len += mpe.len;
	memcpy(tail.b + tail.len, after.b, after.len);
	tail.len += after.len;
	t = (struct octets){ tail.b, tail.len };
	return cga_generate_tail(&in->gen, &t, out);
}

/* a - b + 1 of 128-bit numbers, as far as 64 bits go: how many modifiers lie between, ends included (HG-05) */
static uint64_t steps(const struct hex *a, const struct hex *b)
{
	uint64_t x = 0, y = 0;

	for (unsigned i = 8; i < 16; i++) {
		x = x << 8 | a->b[i];
		y = y << 8 | b->b[i];
	}
	return x - y + 1;
}

/* What a set says of itself twice must agree, or the vector is not what it seems. */
static void check_inputs(const struct vector *set, const struct inputs *in)
{
	struct hex start = hexof(set, "modifier_start"), final = hexof(set, "modifier_final");
	const struct vector *prefixes = get(set, "prefixes"), *addresses = get(set, "addresses"),
			    *key = get(set, "rsa_key");
	bool real = num(set, "p_flag") != 0;

	print_message("%s: %s\n", text(set, "id"), text(set, "note"));
	assert_int_equal(count(prefixes), num(set, "n_prefixes"));
	assert_int_equal(count(addresses), num(set, "n_prefixes"));
	assert_string_equal(text(set, "kind"), real ? "HBA/CGA" : "HBA-only");
	assert_true(steps(&final, &start) == (uint64_t)get(set, "hash2_iterations")->number);
	assert_int_equal(key->type == VECTOR_STRING, real);
	if (real) {
		struct hex spki = hexof(get(get(vectors, "test_rsa_keys"), key->string), "spki");

		assert_int_equal(spki.len, in->spki.len);
		assert_memory_equal(spki.b, in->spki.b, spki.len);
	}
	for (unsigned i = 0; i < count(addresses); i++) {
		struct hex a = hexof(item(addresses, i), "address"), prefix = hexof(item(addresses, i), "prefix"),
			   iid = hexof(item(addresses, i), "iid");
		uint8_t from_text[16];

		assert_memory_equal(a.b, prefix.b, 8);
		assert_memory_equal(a.b, in->prefixes[i], 8);
		assert_memory_equal(a.b + 8, iid.b, 8);
		assert_true(vector_address(text(item(addresses, i), "text"), from_text));
		assert_memory_equal(a.b, from_text, 16);
	}
}

/* The key of an HBA-only set is our own encoding of its nonce; the Multi-Prefix extension is ours in any case. */
static void check_encoding(const struct vector *set, const struct inputs *in, const struct cga_set *got)
{
	struct hex mpe = hexof(set, "multi_prefix_ext"), before = hexof(set, "ext_before");
	size_t at = PDS_FIXED + in->spki.len + before.len;

	assert_memory_equal(got->pds[0] + PDS_FIXED, in->spki.b, in->spki.len);
	assert_true(at + mpe.len <= got->pds_len);
	assert_memory_equal(got->pds[0] + at, mpe.b, mpe.len);
	assert_true(mpe.len >= 8);
	assert_int_equal((uint32_t)mpe.b[4] << 24 | (uint32_t)mpe.b[5] << 16 | (uint32_t)mpe.b[6] << 8 | mpe.b[7],
			 (uint32_t)num(set, "p_flag") << 31 | num(set, "mpe_reserved"));
}

static bool is_plain(const struct vector *set)
{
	return num(set, "mpe_reserved") == 0 && *text(set, "ext_before") == '\0' && *text(set, "ext_after") == '\0';
}

static void check_set(const struct vector *set, const struct cga_set *got)
{
	const struct vector *addresses = get(set, "addresses");
	struct hex final = hexof(set, "modifier_final"), want2 = hexof(set, "hash2");
	uint8_t hash2[HASH2_LEN];

	assert_int_equal(got->n, count(addresses));
	assert_int_equal(got->pds_len, num(set, "pds_len"));
	cga_hash2(got->pds[0], got->pds_len, hash2);
	assert_memory_equal(hash2, want2.b, HASH2_LEN);
	for (unsigned i = 0; i < got->n; i++) {
		struct hex pds = hexof(item(addresses, i), "pds"), addr = hexof(item(addresses, i), "address");
		struct hex want1 = hexof(item(addresses, i), "hash1");
		uint8_t hash1[8];

		assert_int_equal(pds.len, got->pds_len);
		assert_memory_equal(got->pds[i], pds.b, pds.len);
		assert_memory_equal(got->addr[i].b, addr.b, 16);
		assert_memory_equal(got->pds[i], final.b, 16);
		cga_hash1(got->pds[i], got->pds_len, got->addr[i].b, hash1);
		assert_memory_equal(hash1, want1.b, 8);
		/* TH08 (HG-10): nothing but the prefix differs */
		assert_memory_equal(got->pds[i], got->pds[0], 16);
		assert_memory_equal(got->pds[i] + 24, got->pds[0] + 24, got->pds_len - 24);
	}
}

/* A-01, HS-02: the numbers that the file was made with are ours (AMB-H17) */
static void test_same_numbers(void **state)
{
	const struct vector *methods = get(vectors, "verification_method_numbers");

	(void)state;
	assert_int_equal(num(methods, "HBA"), WIRE_METHOD_HBA);
	assert_int_equal(num(methods, "CGA"), WIRE_METHOD_CGA);
	assert_string_equal(text(vectors, "hash"), "SHA-1");
}

/* TH02, TH06 (HG-01..10) (HE-01, HE-02, HE-04, HE-09, HG-12) */
static void test_generate_every_set(void **state)
{
	const struct vector *sets = get(vectors, "hba_sets");
	static struct cga_set got;

	(void)state;
	for (unsigned i = 0; i < count(sets); i++) {
		const struct vector *set = item(sets, i);
		struct inputs in;

		read_inputs(set, &in);
		check_inputs(set, &in);
		memset(&got, 0, sizeof(got));
		if (is_plain(set))
			assert_int_equal(cga_generate(&in.gen, &got), CGA_OK);
		else
			assert_int_equal(generate_with_tail(set, &in, &got), CGA_OK);
		check_set(set, &got);
		check_encoding(set, &in, &got);
		/* The same by way of another count (HG-09) */
		assert_int_equal(cga_set_collide(&got, (uint8_t)((in.gen.collision_count + 1) % 3)), CGA_OK);
		assert_int_equal(cga_set_collide(&got, in.gen.collision_count), CGA_OK);
		check_set(set, &got);
	}
}

static int verify_pair(const struct vector *addr, const struct vector *pds)
{
	struct shim6_addr a = addr_of(text(addr, "address"));
	struct hex raw = hexof(pds, "pds");
	struct cga_verifier v;
	struct cga_pds p;
	int err;

	err = cga_pds_parse(&p, raw.b, raw.len);
	assert_int_equal(err, CGA_OK);
	cga_verifier_init(&v, &p);
	err = cga_verify_hba(&v, &a);
	assert_int_equal(cga_verify_ulid(&v, &a), err); /* AMB-H4 */
	return err;
}

/* TH04 (HV-12): all addresses against all structures, of the same set and of the others */
static void test_all_combinations(void **state)
{
	const struct vector *sets = get(vectors, "hba_sets");

	(void)state;
	for (unsigned s = 0; s < count(sets); s++) {
		const struct vector *as = get(item(sets, s), "addresses");

		for (unsigned t = 0; t < count(sets); t++) {
			const struct vector *ps = get(item(sets, t), "addresses");

			for (unsigned i = 0; i < count(as); i++)
				for (unsigned j = 0; j < count(ps); j++) {
					int err = verify_pair(item(as, i), item(ps, j));

					if (s == t)
						assert_int_equal(err, CGA_OK);
					else
						assert_true(err == CGA_E_PREFIX || err == CGA_E_HASH1);
				}
		}
	}
}

/* The first failing check by the name the vectors give it. */
static bool code_matches(const char *code, int err)
{
	static const struct {
		const char *code;
		int err[4];
	} map[] = {
		{ "OK", { CGA_OK } },
		{ "PREFIX_NOT_IN_SET", { CGA_E_PREFIX } },
		{ "ULID_PREFIX_NOT_IN_SET", { CGA_E_PREFIX } },
		{ "PREFIX_MISMATCH", { CGA_E_PREFIX } },
		{ "HASH1_MISMATCH", { CGA_E_HASH1 } },
		{ "HASH2_MISMATCH", { CGA_E_HASH2 } },
		{ "SEC_UNSUPPORTED", { CGA_E_SEC } },
		{ "COLLISION_COUNT", { CGA_E_COLLISION } },
		{ "NO_MPE", { CGA_E_NO_MPE } },
		{ "MPE_DUPLICATE", { CGA_E_MPE } },
		{ "BAD_SIGNATURE", { CGA_E_SIGNATURE } },
		{ "PDS_MALFORMED", { CGA_E_SHORT, CGA_E_KEY, CGA_E_EXTENSION, CGA_E_MPE } },
		{ "PDS_TOO_LONG", { CGA_E_TOO_LONG } },
		{ "KEY_TOO_SMALL", { CGA_E_KEY_SIZE } },
		{ "NOT_A_KEY", { CGA_E_NOT_A_KEY } },
	};

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (strcmp(map[i].code, code) == 0)
			return err == map[i].err[0] ||
			       (err != CGA_OK &&
				(err == map[i].err[1] || err == map[i].err[2] || err == map[i].err[3]));
	/* The verdict counts; a name for the reason that we do not know says nothing against it (TH03). */
	print_message("unknown code '%s' for '%s'\n", code, cga_status_name(err));
	return true;
}

static bool verdict_matches(const struct vector *c, int err)
{
	const char *expect = text(c, "expect");

	assert_true(strcmp(expect, "accept") == 0 || strcmp(expect, "reject") == 0);
	return (err == CGA_OK) == (strcmp(expect, "accept") == 0) && code_matches(text(c, "code"), err);
}

static int verify_by_method(struct cga_verifier *v, const char *method, const struct shim6_addr *a)
{
	if (strcmp(method, "hba") == 0)
		return cga_verify_hba(v, a);
	if (strcmp(method, "cga") == 0)
		return cga_verify_cga(v, a);
	fail_msg("unknown method '%s'", method);
	return CGA_E_ARGUMENT;
}

/* TH03, TH10, TH12 (HV-01..10, HE-04, HE-06, HE-11) (HE-10) (AMB-H1, HV-11) */
static void test_every_verify_case(void **state)
{
	const struct vector *cases = get(vectors, "verify_cases");

	(void)state;
	for (unsigned i = 0; i < count(cases); i++) {
		const struct vector *c = item(cases, i);
		struct shim6_addr a = addr_of(text(c, "address"));
		struct hex raw = hexof(c, "pds");
		struct cga_verifier v;
		struct cga_pds p;
		uint8_t in_text[16];
		int err = cga_pds_parse(&p, raw.b, raw.len);

		if (err == CGA_OK) {
			cga_verifier_init(&v, &p);
			err = verify_by_method(&v, text(c, "method"), &a);
		}
		if (!verdict_matches(c, err))
			fail_msg("%s (%s): got '%s'", text(c, "id"), text(c, "what"), cga_status_name(err));
		assert_true(vector_address(text(c, "text"), in_text));
		assert_memory_equal(in_text, a.b, 16);
		if (err == CGA_E_SEC)
			assert_false(v.have_hash2); /* TH12 */
	}
}

/* The test key whose public half this structure carries. */
static struct cga_key *key_for(const struct cga_pds *p)
{
	const struct vector *keys = get(vectors, "test_rsa_keys");

	for (unsigned i = 0; i < keys->n; i++) {
		const struct vector *k = &keys->items[i];
		struct hex spki = hexof(k, "spki"), n = hexof(k, "n"), e = hexof(k, "e"), d = hexof(k, "d"),
			   pp = hexof(k, "p"), q = hexof(k, "q");
		struct cga_key *key;
		uint8_t out[600];
		size_t len;

		if (spki.len != p->key_len || memcmp(spki.b, p->key, spki.len) != 0)
			continue;
		assert_int_equal(
			cga_key_load_components(&key, n.b, n.len, e.b, e.len, d.b, d.len, pp.b, pp.len, q.b, q.len),
			CGA_OK);
		assert_int_equal(cga_key_spki(key, out, sizeof(out), &len), CGA_OK);
		assert_int_equal(len, spki.len);
		assert_memory_equal(out, spki.b, len);
		return key;
	}
	fail_msg("no test key for this structure");
	return NULL;
}

/* TH15 (HS-05): a key is ours to sign with from 1024 bits on (V-16, HS-09) */
static void test_every_key(void **state)
{
	const struct vector *keys = get(vectors, "test_rsa_keys");
	struct shim6_addr a = { { 0x20, 0x01 } };

	(void)state;
	for (unsigned i = 0; i < keys->n; i++) {
		const struct vector *k = &keys->items[i];
		struct hex spki = hexof(k, "spki"), n = hexof(k, "n"), e = hexof(k, "e"), d = hexof(k, "d"),
			   pp = hexof(k, "p"), q = hexof(k, "q");
		int want = n.len >= 128 ? CGA_OK : CGA_E_KEY_SIZE;
		struct rsa_numbers numbers;
		uint8_t sig[CGA_MAX_SIGNATURE];
		struct cga_key *key;
		size_t len;

		print_message("%s\n", k->key);
		assert_int_equal(cga_rsa_numbers(spki.b, spki.len, &numbers), want);
		assert_int_equal(
			cga_key_load_components(&key, n.b, n.len, e.b, e.len, d.b, d.len, pp.b, pp.len, q.b, q.len),
			want);
		if (want != CGA_OK)
			continue;
		assert_int_equal(numbers.n.len, n.len);
		assert_memory_equal(numbers.n.p, n.b, n.len);
		assert_int_equal(numbers.e.len, e.len);
		assert_memory_equal(numbers.e.p, e.b, e.len);
		assert_int_equal(cga_sign(key, 1, &a, 1, sig, &len), CGA_OK);
		assert_int_equal(len, n.len);
		cga_key_free(key);
	}
}

/* HS-01, TH18: tag, generation, CGA locators in list order, and that is what the file says, too (HS-07) */
static void check_signed_data(const struct vector *c, const struct shim6_addr *cga, unsigned n)
{
	struct hex want = hexof(c, "signed_data"), tag = hexof(vectors, "shim6_cga_message_type_tag");
	uint32_t generation = num(c, "generation");
	const uint8_t g[4] = { (uint8_t)(generation >> 24), (uint8_t)(generation >> 16), (uint8_t)(generation >> 8),
			       (uint8_t)generation };

	if (strcmp(text(c, "expect"), "accept") != 0)
		return;
	assert_int_equal(tag.len, 16);
	assert_int_equal(want.len, 20 + 16 * n);
	assert_memory_equal(want.b, tag.b, 16);
	assert_memory_equal(want.b + 16, g, 4);
	assert_memory_equal(want.b + 20, cga, 16 * n);
}

/* TH05, TH18, TH19 (HS-01..03, HS-10); W-66, A-05: PKCS #1 v1.5 with SHA-1 */
static void test_every_signature_case(void **state)
{
	const struct vector *cases = get(vectors, "signature_cases");

	(void)state;
	for (unsigned i = 0; i < count(cases); i++) {
		const struct vector *c = item(cases, i), *list = get(c, "locators"), *methods = get(c, "methods");
		struct hex raw = hexof(c, "pds"), sig = hexof(c, "signature");
		struct shim6_addr ulid = addr_of(text(c, "ulid")), cga[MAX_LIST];
		struct cga_verifier v;
		struct cga_pds p;
		unsigned n = 0;
		int err;

		assert_int_equal(count(list), count(methods));
		assert_true(count(list) <= MAX_LIST);
		for (unsigned j = 0; j < count(list); j++)
			if (item(methods, j)->number == WIRE_METHOD_CGA)
				cga[n++] = addr_of(item(list, j)->string);
		check_signed_data(c, cga, n);
		err = cga_pds_parse(&p, raw.b, raw.len);
		if (err == CGA_OK) {
			cga_verifier_init(&v, &p);
			err = cga_verify_ulid(&v, &ulid);
		}
		if (err == CGA_OK)
			err = cga_verify_signature(&p, num(c, "generation"), cga, n, sig.b, sig.len);
		if (!verdict_matches(c, err))
			fail_msg("%s (%s): got '%s'", text(c, "id"), text(c, "what"), cga_status_name(err));
		if (err == CGA_OK) {
			struct cga_key *key = key_for(&p);
			uint8_t made[CGA_MAX_SIGNATURE];
			size_t len;

			assert_int_equal(cga_sign(key, num(c, "generation"), cga, n, made, &len), CGA_OK);
			assert_int_equal(len, sig.len);
			assert_memory_equal(made, sig.b, len);
			cga_key_free(key);
		}
	}
}

/* TH01: RFC 3972 appendix A */
static void test_rfc3972_example(void **state)
{
	const struct vector *x = get(vectors, "rfc3972_appendix_a");
	struct hex key = hexof(x, "public_key"), start = hexof(x, "modifier_start"), final = hexof(x, "modifier_final"),
		   first = hexof(x, "hash2_first"), second = hexof(x, "hash2"), want = hexof(x, "pds"),
		   h1 = hexof(x, "hash1"), prefix = hexof(x, "prefix");
	struct shim6_addr address = addr_of(text(x, "address"));
	struct octets tail = { key.b, key.len };
	static struct cga_set set;
	struct cga_verifier v;
	struct cga_pds p;
	uint8_t hash2[HASH2_LEN], hash1[8], in_text[16];
	struct cga_gen g = {
		.prefixes = (const uint8_t(*)[8])prefix.b,
		.n_prefixes = 1,
		.sec = num(x, "sec"),
		.modifier = start.b,
	};

	(void)state;
	assert_int_equal(cga_generate_tail(&g, &tail, &set), CGA_OK);
	assert_int_equal(set.pds_len, want.len);
	assert_memory_equal(set.pds[0], want.b, want.len);
	assert_memory_equal(set.pds[0], final.b, 16);
	assert_true(shim6_addr_eq(&set.addr[0], &address));
	cga_hash2(set.pds[0], set.pds_len, hash2);
	assert_memory_equal(hash2, second.b, HASH2_LEN);
	cga_hash1(set.pds[0], set.pds_len, prefix.b, hash1);
	assert_memory_equal(hash1, h1.b, 8);
	memcpy(set.pds[0], start.b, 16);
	cga_hash2(set.pds[0], set.pds_len, hash2);
	assert_memory_equal(hash2, first.b, HASH2_LEN);

	assert_true(steps(&final, &start) == num(x, "hash2_iterations"));
	assert_true(vector_address(text(x, "text"), in_text));
	assert_memory_equal(in_text, address.b, 16);

	assert_int_equal(cga_pds_parse(&p, want.b, want.len), CGA_OK);
	cga_verifier_init(&v, &p);
	assert_int_equal(cga_verify_ulid(&v, &address), CGA_OK);
	assert_int_equal(cga_verify_hba(&v, &address), CGA_E_NO_MPE); /* HV-13 */
	assert_int_equal(cga_key_usable(&p), CGA_E_KEY_SIZE);	      /* TH15: 512 bits */
}

/* TH26 (HV-19): eight locators cost nine hashes */
static void test_hash2_is_computed_once(void **state)
{
	const struct vector *sets = get(vectors, "hba_sets");

	(void)state;
	for (unsigned s = 0; s < count(sets); s++) {
		const struct vector *set = item(sets, s), *list = get(set, "addresses");
		struct hex raw = hexof(item(list, 0), "pds");
		struct cga_verifier v;
		struct cga_pds p;

		assert_int_equal(cga_pds_parse(&p, raw.b, raw.len), CGA_OK);
		cga_verifier_init(&v, &p);
		for (unsigned i = 0; i < count(list); i++) {
			struct shim6_addr a = addr_of(text(item(list, i), "address"));

			assert_int_equal(cga_verify_hba(&v, &a), CGA_OK);
		}
		assert_int_equal(v.sha1_count, count(list) + (num(set, "sec") > 0));
	}
}

/* HE-11: whatever is cut from or added to a good structure, it is refused or still parses within its octets (HV-20) */
static void test_truncation_of_every_pds(void **state)
{
	const struct vector *sets = get(vectors, "hba_sets");

	(void)state;
	for (unsigned s = 0; s < count(sets); s++) {
		struct hex raw = hexof(item(get(item(sets, s), "addresses"), 0), "pds");
		struct shim6_addr a = addr_of(text(item(get(item(sets, s), "addresses"), 0), "address"));

		for (size_t len = 0; len < raw.len; len++) {
			struct cga_verifier v;
			struct cga_pds p;
			/* exactly as long as the cut, so that a sanitizer sees a read behind it */
			uint8_t *cut = malloc(len ? len : 1);

			memcpy(cut, raw.b, len);
			if (cga_pds_parse(&p, cut, len) == CGA_OK) {
				cga_verifier_init(&v, &p);
				assert_int_not_equal(cga_verify_hba(&v, &a), CGA_OK);
			}
			free(cut);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3972_example),
		cmocka_unit_test(test_generate_every_set),
		cmocka_unit_test(test_all_combinations),
		cmocka_unit_test(test_every_verify_case),
		cmocka_unit_test(test_every_signature_case),
		cmocka_unit_test(test_hash2_is_computed_once),
		cmocka_unit_test(test_truncation_of_every_pds),
		cmocka_unit_test(test_same_numbers),
		cmocka_unit_test(test_every_key),
	};
	vectors = vectors_choose(argc, argv, &hba_vectors, "hba_vectors.json");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
