/* SPDX-License-Identifier: MIT */
/*
 * HBA and CGA: who owns which address (RFC 3972, 4581, 5535).
 *
 * The CGA parameter data structure (PDS) travels verbatim in a Shim6 option
 * and is parsed, never re-encoded. A crypto library is used here and nowhere else,
 * behind crypto.h. Requirement numbers are HE-, HG-, HV-, HS- rows.
 */
#ifndef SHIM6_CGA_CGA_H
#define SHIM6_CGA_CGA_H

#include <stddef.h>

#include "wire/addr.h"

#define CGA_MAX_PREFIXES 32   /* accepted in a Multi-Prefix extension (HE-11) */
#define CGA_MAX_GENERATE 8    /* prefixes in a set we make (AMB-H15) */
#define CGA_MAX_PDS 1200      /* octets (HE-11) */
#define CGA_MAX_SIGNATURE 512 /* octets, RSA-4096 */
#define CGA_MAX_SEC 2	      /* (HG-11, HV-10) */
#define CGA_HBA_NONCE 48      /* Extended Modifier, 384 bits (HE-09) */

enum cga_status {
	CGA_OK = 0,
	CGA_E_SHORT = -1,      /* PDS ends early */
	CGA_E_KEY = -2,	       /* DER of the public key malformed (HE-11) */
	CGA_E_EXTENSION = -3,  /* extension overruns, or trailing octets (HE-11) */
	CGA_E_MPE = -4,	       /* Multi-Prefix extension malformed, twice, or too many prefixes */
	CGA_E_TOO_LONG = -5,   /* more than CGA_MAX_PDS */
	CGA_E_COLLISION = -6,  /* collision count above 2 (HV-03) */
	CGA_E_NO_MPE = -7,     /* HBA method without the extension (HV-13) */
	CGA_E_PREFIX = -8,     /* prefix not in the extension (HV-01) or not the PDS's (HV-04) */
	CGA_E_HASH1 = -9,      /* (HV-05) */
	CGA_E_SEC = -10,       /* Sec 3 to 7 (HV-10) */
	CGA_E_HASH2 = -11,     /* (HV-07) */
	CGA_E_NOT_A_KEY = -12, /* CGA method with P = 0 (AMB-H6) */
	CGA_E_KEY_SIZE = -13,  /* CGA method, RSA below 1024 or above 4096 bits (HS-05, HS-10) */
	CGA_E_SIGNATURE = -14, /* (HS-03) */
	CGA_E_ARGUMENT = -15,  /* caller's mistake: no prefix, duplicate prefix, too many, Sec out of range */
	CGA_E_CRYPTO = -16,    /* the crypto library failed (memory, random) */
	CGA_E_CANCELLED = -17, /* the progress callback asked to stop */
};
#define CGA_N_STATUS 18
const char *cga_status_name(int status); /* "hash1 mismatch", ...; any sign */

/* A parsed PDS; points into raw, which must outlive it. */
struct cga_pds {
	const uint8_t *raw;
	size_t len;
	const uint8_t *modifier; /* 16 octets */
	const uint8_t *prefix;	 /* 8 octets */
	uint8_t collision_count;
	const uint8_t *key; /* DER SubjectPublicKeyInfo */
	size_t key_len;
	const uint8_t *extensions; /* all TLVs */
	size_t extensions_len;
	bool has_mpe;
	bool mpe_p;		 /* P flag: the key is a real one */
	unsigned n_prefixes;	 /* of the Multi-Prefix extension */
	const uint8_t *prefixes; /* n_prefixes * 8 octets */
};

/* Parse raw[0..len). Returns CGA_OK or a negative enum cga_status; does not judge the collision count. */
int cga_pds_parse(struct cga_pds *p, const uint8_t *raw, size_t len);

/*
 * Hash2 depends on nothing but the PDS (HV-19): prepare once, then verify any
 * number of locators for one SHA-1 each.
 */
struct cga_verifier {
	struct cga_pds pds;
	bool have_hash2;
	uint8_t hash2[14];
	unsigned sha1_count; /* hashes computed so far (TH26) */
};
void cga_verifier_init(struct cga_verifier *v, const struct cga_pds *pds);
int cga_verify_hba(struct cga_verifier *v, const struct shim6_addr *a); /* RFC 5535 7.2 */
int cga_verify_cga(struct cga_verifier *v, const struct shim6_addr *a); /* RFC 3972 5 */
/* ULID against PDS: by 7.2 with a Multi-Prefix extension, else by RFC 3972 (HV-14, AMB-H4). */
int cga_verify_ulid(struct cga_verifier *v, const struct shim6_addr *ulid);
/* May this PDS back the CGA method: real RSA key of 1024..4096 bits, P flag not 0 (HS-05, AMB-H6)? */
int cga_key_usable(const struct cga_pds *pds);

/*
 * Generation (RFC 5535 section 6). Without a key the set is HBA-only: a random
 * 384-bit nonce takes the key's place. Inputs fixed by modifier/nonce serve the
 * test vectors; NULL means random.
 */
struct cga_gen {
	const uint8_t (*prefixes)[8];
	unsigned n_prefixes; /* 1..CGA_MAX_GENERATE */
	unsigned sec;	     /* 0..2 */
	const uint8_t *spki; /* public key, DER; NULL: HBA-only */
	size_t spki_len;
	const uint8_t *modifier; /* 16 octets to start from, or NULL */
	const uint8_t *nonce;	 /* CGA_HBA_NONCE octets, or NULL; used as given */
	uint8_t collision_count; /* 0..2: the set-wide count to make (HG-09, AMB-H13) */
	/* Called every million tries or so; non-zero stops with CGA_E_CANCELLED. May be NULL. */
	int (*progress)(void *arg, uint64_t tries);
	void *progress_arg;
};

struct cga_set {
	unsigned n;
	unsigned sec;
	struct shim6_addr addr[CGA_MAX_GENERATE];
	size_t pds_len; /* the same for all members */
	uint8_t pds[CGA_MAX_GENERATE][CGA_MAX_PDS];
};

int cga_generate(const struct cga_gen *g, struct cga_set *out);
/*
 * The same set with another collision count (HG-09): same modifier, key and
 * extensions, all addresses recomputed. count 0..2.
 */
int cga_set_collide(struct cga_set *set, uint8_t count);

/* Keys and signatures (11.5 of the rows). A key is PEM on the outside. */
struct cga_key; /* owns an RSA private key */
int cga_key_load_pem(struct cga_key **out, const char *pem, size_t len);
int cga_key_load_components(struct cga_key **out, const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len,
			    const uint8_t *d, size_t d_len, const uint8_t *p, size_t p_len, const uint8_t *q,
			    size_t q_len); /* big-endian; for the vectors */
void cga_key_free(struct cga_key *k);
int cga_key_spki(const struct cga_key *k, uint8_t *out, size_t cap, size_t *len);
unsigned cga_key_bits(const struct cga_key *k);
size_t cga_signature_length(const struct cga_key *k); /* octets */

/* Octets signed: tag, generation, CGA-method locators in list order (HS-01, W-64). */
int cga_sign(const struct cga_key *k, uint32_t generation, const struct shim6_addr *locators, unsigned n,
	     uint8_t sig[CGA_MAX_SIGNATURE], size_t *sig_len);
/* Checks key size and P flag, then the signature; does not check the ULID (HS-03: caller does both). */
int cga_verify_signature(const struct cga_pds *pds, uint32_t generation, const struct shim6_addr *locators, unsigned n,
			 const uint8_t *sig, size_t sig_len);

#endif
