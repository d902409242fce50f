/* SPDX-License-Identifier: MIT */
/*
 * Reading a CGA parameter data structure (RFC 3972 section 3, RFC 4581 section 2,
 * RFC 5535 section 5). The structure ends where its carrier says; inside, the
 * public key ends where its outer DER length says, and type-length-value
 * extensions fill the rest to the last octet. Everything is left in place: the
 * hashes run over the octets as received, unknown extensions included (HE-06),
 * so nothing is decoded that verification does not need (HE-12).
 */
#include "cga/internal.h"

#define DER_LONG_FORM 0x80
#define DER_MAX_LENGTH_OCTETS 3 /* (HE-11) */

static const char *const status_names[CGA_N_STATUS] = {
	"ok",
	"parameter data structure ends early",
	"public key malformed",
	"extension overruns or trailing octets",
	"multi-prefix extension malformed",
	"parameter data structure too long",
	"collision count above 2",
	"no multi-prefix extension",
	"prefix not covered",
	"hash1 mismatch",
	"sec value not supported",
	"hash2 mismatch",
	"no real public key",
	"RSA key size out of range",
	"bad signature",
	"invalid argument",
	"crypto library failed",
	"cancelled",
};

const char *cga_status_name(int status)
{
	/* Callers count by -status as well: either sign names the same thing. */
	if (status < 0 && status > -CGA_N_STATUS)
		status = -status;
	if (status < 0 || status >= CGA_N_STATUS)
		return "unknown status";
	return status_names[status];
}

int cga_der_element(const uint8_t *p, size_t len, uint8_t tag, struct octets *body, size_t *whole)
{
	size_t head = 2, n = 0;

	if (len < head || p[0] != tag)
		return -1;
	if (p[1] < DER_LONG_FORM) {
		n = p[1];
	} else {
		unsigned count = p[1] & 0x7f;

		if (count == 0 || count > DER_MAX_LENGTH_OCTETS || len < head + count)
			return -1;
		for (unsigned i = 0; i < count; i++)
			n = n << 8 | p[head + i];
		/* DER knows one form of every length: the shortest. */
		if (n < DER_LONG_FORM || n >> (8 * (count - 1)) == 0)
			return -1;
		head += count;
	}
	if (n > len - head)
		return -1;
	body->p = p + head;
	body->len = n;
	*whole = head + n;
	return 0;
}

static int parse_multi_prefix(struct cga_pds *p, const uint8_t *data, size_t len)
{
	size_t n;

	/* AMB-H5: two of them would leave open which one counts. */
	if (p->has_mpe)
		return CGA_E_MPE;
	if (len < MPE_FLAGS + PDS_PREFIX || (len - MPE_FLAGS) % PDS_PREFIX != 0)
		return CGA_E_MPE;
	n = (len - MPE_FLAGS) / PDS_PREFIX;
	if (n > CGA_MAX_PREFIXES)
		return CGA_E_MPE;
	p->has_mpe = true;
	p->mpe_p = (data[0] & MPE_P) != 0; /* the Reserved bits do not matter (HE-04) */
	p->n_prefixes = (unsigned)n;
	p->prefixes = data + MPE_FLAGS;
	return CGA_OK;
}

static int parse_extensions(struct cga_pds *p)
{
	const uint8_t *at = p->extensions;
	size_t left = p->extensions_len;

	while (left > 0) {
		unsigned type;
		size_t len;

		if (left < EXT_HEADER)
			return CGA_E_EXTENSION;
		type = (unsigned)at[0] << 8 | at[1];
		len = (size_t)at[2] << 8 | at[3];
		if (len > left - EXT_HEADER)
			return CGA_E_EXTENSION;
		if (type == EXT_MULTI_PREFIX) {
			int err = parse_multi_prefix(p, at + EXT_HEADER, len);

			if (err != CGA_OK)
				return err;
		}
		at += EXT_HEADER + len;
		left -= EXT_HEADER + len;
	}
	return CGA_OK;
}

int cga_pds_parse(struct cga_pds *p, const uint8_t *raw, size_t len)
{
	struct octets body;

	memset(p, 0, sizeof(*p));
	if (len > CGA_MAX_PDS)
		return CGA_E_TOO_LONG;
	if (len <= PDS_FIXED)
		return CGA_E_SHORT;
	p->raw = raw;
	p->len = len;
	p->modifier = raw;
	p->prefix = raw + PDS_PREFIX_AT;
	p->collision_count = raw[PDS_COUNT_AT];
	p->key = raw + PDS_FIXED;
	if (cga_der_element(p->key, len - PDS_FIXED, DER_SEQUENCE, &body, &p->key_len) < 0)
		return CGA_E_KEY;
	p->extensions = p->key + p->key_len;
	p->extensions_len = len - PDS_FIXED - p->key_len;
	return parse_extensions(p);
}
