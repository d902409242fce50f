/* SPDX-License-Identifier: MIT */
/*
 * The crypto library on Windows 10 and later: CNG (bcrypt.dll), with crypt32 for
 * Base64. CNG knows no PEM and no DER of RSA keys, so both are read here: PKCS #1
 * and PKCS #8, unencrypted, each element where it has to be. Every call names its
 * algorithm by a pseudo-handle, so nothing is opened and no state is kept.
 *
 * Unlike libcrypto, CNG checks the DigestInfo itself. Wine's takes the one
 * encoding that RFC 8017 section 9.2 makes. Windows may take the one without the
 * NULL as well, which cannot be asked of it in a way that Wine understands; it
 * hands nobody a signature that the key's owner has not made.
 */
#include <windows.h>

#include <bcrypt.h>
#include <wincrypt.h>

#include <stdlib.h>

#include "cga/crypto.h"

/* Not in every mingw-w64's bcrypt.h. */
#ifndef BCRYPT_SHA1_ALG_HANDLE
#define BCRYPT_SHA1_ALG_HANDLE ((BCRYPT_ALG_HANDLE)0x31)
#endif
#ifndef BCRYPT_RSA_ALG_HANDLE
#define BCRYPT_RSA_ALG_HANDLE ((BCRYPT_ALG_HANDLE)0xe1)
#endif

#define NUMBER_MAX 2048 /* octets, RSA-16384: as much as CNG takes */
#define PEM_MAX 65536
#define SPKI_AROUND 64 /* octets of an SPKI besides its two numbers */

struct crypto_key {
	BCRYPT_KEY_HANDLE handle;
	size_t spki_len;
	uint8_t spki[];
};

bool crypto_random(void *out, size_t len)
{
	return len <= UINT32_MAX &&
	       BCRYPT_SUCCESS(BCryptGenRandom(NULL, out, (ULONG)len, BCRYPT_USE_SYSTEM_PREFERRED_RNG));
}

/* SHA-1 fails only without memory, and no value exists that would be safe to go on with. */
static void require(NTSTATUS status)
{
	if (!BCRYPT_SUCCESS(status))
		abort();
}

void cga_sha1(const struct octets *parts, unsigned n, uint8_t out[SHA1_LEN])
{
	BCRYPT_HASH_HANDLE hash;

	require(BCryptCreateHash(BCRYPT_SHA1_ALG_HANDLE, &hash, NULL, 0, NULL, 0, 0));
	for (unsigned i = 0; i < n; i++)
		require(BCryptHashData(hash, (PUCHAR)parts[i].p, (ULONG)parts[i].len, 0));
	require(BCryptFinishHash(hash, out, SHA1_LEN, 0));
	BCryptDestroyHash(hash);
}

uint32_t crypto_sha1_word(const uint8_t *padded, size_t whole, size_t len)
{
	uint8_t hash[SHA1_LEN];

	(void)whole;
	require(BCryptHash(BCRYPT_SHA1_ALG_HANDLE, NULL, 0, (PUCHAR)padded, (ULONG)len, hash, SHA1_LEN));
	return (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
}

static unsigned bit_length(const struct octets *v)
{
	unsigned bits = (unsigned)v->len * 8;

	for (uint8_t top = v->p[0]; top < 0x80; top = (uint8_t)(top << 1 | 1))
		bits--;
	return bits;
}

static uint8_t *add(uint8_t *at, const struct octets *v)
{
	memcpy(at, v->p, v->len);
	return at + v->len;
}

/* A private key when k has p and q. All numbers are of NUMBER_MAX octets at most, without leading zeros. */
static BCRYPT_KEY_HANDLE import_key(const struct rsa_private *k)
{
	BCRYPT_RSAKEY_BLOB head = {
		.Magic = k->p.len ? BCRYPT_RSAPRIVATE_MAGIC : BCRYPT_RSAPUBLIC_MAGIC,
		.BitLength = bit_length(&k->n),
		.cbPublicExp = (ULONG)k->e.len,
		.cbModulus = (ULONG)k->n.len,
		.cbPrime1 = (ULONG)k->p.len,
		.cbPrime2 = (ULONG)k->q.len,
	};
	size_t len = sizeof(head) + k->e.len + k->n.len + k->p.len + k->q.len;
	uint8_t *blob = malloc(len), *at;
	BCRYPT_KEY_HANDLE key = NULL;

	if (!blob)
		return NULL;
	at = add(blob, &(struct octets){ (const uint8_t *)&head, sizeof(head) });
	at = add(at, &k->e);
	at = add(at, &k->n);
	if (k->p.len)
		add(add(at, &k->p), &k->q);
	if (!BCRYPT_SUCCESS(BCryptImportKeyPair(BCRYPT_RSA_ALG_HANDLE, NULL,
						k->p.len ? BCRYPT_RSAPRIVATE_BLOB : BCRYPT_RSAPUBLIC_BLOB, &key, blob,
						(ULONG)len, 0)))
		key = NULL;
	SecureZeroMemory(blob, len);
	free(blob);
	return key;
}

/* DER written from its end to its front: each length is known when it is due. */
static uint8_t *der_octets(uint8_t *at, const void *p, size_t len)
{
	at -= len;
	memcpy(at, p, len);
	return at;
}

/* Around what lies between at and end, below 64 KB. */
static uint8_t *der_head(uint8_t *at, uint8_t tag, const uint8_t *end)
{
	size_t len = (size_t)(end - at);

	*--at = (uint8_t)len;
	if (len >= 0x100)
		*--at = (uint8_t)(len >> 8);
	if (len >= 0x80)
		*--at = len >= 0x100 ? 0x82 : 0x81;
	*--at = tag;
	return at;
}

static uint8_t *der_number(uint8_t *at, const struct octets *v)
{
	const uint8_t *end = at;

	at = der_octets(at, v->p, v->len);
	if (*at >= 0x80)
		*--at = 0;
	return der_head(at, DER_INTEGER, end);
}

/* Fills out[0..cap) from its end. Returns where it begins. */
static uint8_t *make_spki(const struct rsa_private *k, uint8_t *out, size_t cap)
{
	uint8_t *end = out + cap, *at = der_number(der_number(end, &k->e), &k->n), *behind;

	at = der_head(at, DER_SEQUENCE, end);
	*--at = 0; /* unused bits */
	at = der_head(at, DER_BIT_STRING, end);
	behind = at;
	at = der_octets(at, cga_rsa_encryption, sizeof(cga_rsa_encryption));
	at = der_head(at, DER_SEQUENCE, behind);
	return der_head(at, DER_SEQUENCE, end);
}

static bool trim(struct octets *v)
{
	while (v->len && v->p[0] == 0) {
		v->p++;
		v->len--;
	}
	return v->len > 0 && v->len <= NUMBER_MAX;
}

int crypto_key_from_numbers(struct crypto_key **out, const struct rsa_private *numbers)
{
	struct rsa_private k = *numbers;
	uint8_t *spki;
	size_t cap;

	*out = NULL;
	if (!trim(&k.n) || !trim(&k.e) || !trim(&k.p) || !trim(&k.q))
		return CGA_E_KEY;
	cap = k.n.len + k.e.len + SPKI_AROUND;
	*out = malloc(sizeof(**out) + cap);
	if (!*out)
		return CGA_E_CRYPTO;
	(*out)->handle = import_key(&k);
	if (!(*out)->handle) {
		free(*out);
		*out = NULL;
		return CGA_E_KEY;
	}
	spki = make_spki(&k, (*out)->spki, cap);
	(*out)->spki_len = (size_t)((*out)->spki + cap - spki);
	memmove((*out)->spki, spki, (*out)->spki_len);
	return CGA_OK;
}

void crypto_key_free(struct crypto_key *k)
{
	if (!k)
		return;
	BCryptDestroyKey(k->handle);
	free(k);
}

int crypto_key_spki(const struct crypto_key *k, uint8_t *out, size_t cap, size_t *len)
{
	if (k->spki_len > cap)
		return CGA_E_TOO_LONG;
	memcpy(out, k->spki, k->spki_len);
	*len = k->spki_len;
	return CGA_OK;
}

/* INTEGER, of one octet here */
static int take_version(struct octets *in, uint8_t max)
{
	struct octets v;

	return cga_der_unsigned(in, &v) < 0 || v.len != 1 || v.p[0] > max ? -1 : 0;
}

/* RSAPrivateKey of RFC 8017 appendix A.1.2, of two primes */
static int read_pkcs1(struct octets in, struct rsa_private *k)
{
	struct octets *const numbers[] = { &k->n, &k->e, &k->d, &k->p, &k->q };
	struct octets body, crt;

	if (cga_der_take(&in, DER_SEQUENCE, &body) < 0 || in.len != 0 || take_version(&body, 0) < 0)
		return -1;
	for (unsigned i = 0; i < 5; i++)
		if (cga_der_unsigned(&body, numbers[i]) < 0)
			return -1;
	for (unsigned i = 0; i < 3; i++) /* CNG computes these itself */
		if (cga_der_unsigned(&body, &crt) < 0)
			return -1;
	return body.len == 0 ? 0 : -1;
}

/* PrivateKeyInfo of RFC 5208, OneAsymmetricKey of RFC 5958; attributes behind the key do not matter */
static int read_pkcs8(struct octets in, struct rsa_private *k)
{
	struct octets body, algorithm, key;

	if (cga_der_take(&in, DER_SEQUENCE, &body) < 0 || in.len != 0 || take_version(&body, 1) < 0)
		return -1;
	if (cga_der_take(&body, DER_SEQUENCE, &algorithm) < 0 || algorithm.len != CGA_RSA_ENCRYPTION ||
	    memcmp(algorithm.p, cga_rsa_encryption, CGA_RSA_ENCRYPTION) != 0)
		return -1;
	if (cga_der_take(&body, DER_OCTET_STRING, &key) < 0)
		return -1;
	return read_pkcs1(key, k);
}

/* The next line of text, without what ends it. */
static bool take_line(struct octets *text, struct octets *line)
{
	const uint8_t *end;

	if (text->len == 0)
		return false;
	end = memchr(text->p, '\n', text->len);
	line->p = text->p;
	line->len = end ? (size_t)(end - text->p) : text->len;
	text->p += line->len + (end != NULL);
	text->len -= line->len + (end != NULL);
	while (line->len && (line->p[line->len - 1] == '\r' || line->p[line->len - 1] == ' '))
		line->len--;
	return true;
}

/* "-----BEGIN label-----" with word BEGIN: its label. */
static bool boundary(const struct octets *line, const char *word, struct octets *label)
{
	size_t head = 6 + strlen(word);

	if (line->len <= head + 5 || memcmp(line->p, "-----", 5) != 0 || memcmp(line->p + 5, word, head - 6) != 0 ||
	    line->p[head - 1] != ' ' || memcmp(line->p + line->len - 5, "-----", 5) != 0)
		return false;
	*label = (struct octets){ line->p + head, line->len - head - 5 };
	return true;
}

static bool is_private_key(const struct octets *label)
{
	static const char end[] = "PRIVATE KEY";
	size_t n = sizeof(end) - 1;

	return label->len >= n && memcmp(label->p + label->len - n, end, n) == 0;
}

/* The first private key of a text: its label, and the lines it consists of. */
static bool find_key(struct octets text, struct octets *label, struct octets *body)
{
	struct octets line, end;

	while (take_line(&text, &line)) {
		if (!boundary(&line, "BEGIN", label))
			continue;
		body->p = text.p;
		for (;;) {
			if (!take_line(&text, &line))
				return false;
			if (boundary(&line, "END", &end))
				break;
		}
		if (end.len != label->len || memcmp(end.p, label->p, end.len) != 0)
			return false;
		body->len = (size_t)(line.p - body->p);
		if (is_private_key(label))
			return true;
	}
	return false;
}

static bool label_is(const struct octets *label, const char *what)
{
	return label->len == strlen(what) && memcmp(label->p, what, label->len) == 0;
}

static int key_from_base64(struct crypto_key **out, const struct octets *body, bool pkcs1)
{
	DWORD len = (DWORD)body->len; /* Base64 only shrinks */
	uint8_t *der = malloc(body->len ? body->len : 1);
	struct rsa_private k;
	int err = CGA_E_KEY;

	if (!der)
		return CGA_E_CRYPTO;
	if (CryptStringToBinaryA((const char *)body->p, (DWORD)body->len, CRYPT_STRING_BASE64, der, &len, NULL, NULL)) {
		const struct octets in = { der, len };

		if ((pkcs1 ? read_pkcs1(in, &k) : read_pkcs8(in, &k)) == 0)
			err = crypto_key_from_numbers(out, &k);
	}
	SecureZeroMemory(der, body->len);
	free(der);
	return err;
}

int crypto_key_from_pem(struct crypto_key **out, const char *pem, size_t len)
{
	struct octets label, body;

	*out = NULL;
	if (len > PEM_MAX || !find_key((struct octets){ (const uint8_t *)pem, len }, &label, &body))
		return CGA_E_KEY;
	if (label_is(&label, "RSA PRIVATE KEY"))
		return key_from_base64(out, &body, true);
	if (label_is(&label, "PRIVATE KEY"))
		return key_from_base64(out, &body, false);
	return CGA_E_KEY; /* encrypted, or of another kind */
}

int crypto_sign(const struct crypto_key *k, const uint8_t hash[SHA1_LEN], uint8_t sig[CGA_MAX_SIGNATURE],
		size_t *sig_len)
{
	BCRYPT_PKCS1_PADDING_INFO padding = { BCRYPT_SHA1_ALGORITHM };
	ULONG len;

	if (!BCRYPT_SUCCESS(BCryptSignHash(k->handle, &padding, (PUCHAR)hash, SHA1_LEN, sig, CGA_MAX_SIGNATURE, &len,
					   BCRYPT_PAD_PKCS1)))
		return CGA_E_CRYPTO;
	*sig_len = len;
	return CGA_OK;
}

int crypto_verify(const struct rsa_numbers *key, const uint8_t hash[SHA1_LEN], const uint8_t *sig, size_t sig_len)
{
	BCRYPT_KEY_HANDLE public = import_key(&(struct rsa_private){ .n = key->n, .e = key->e });
	BCRYPT_PKCS1_PADDING_INFO padding = { BCRYPT_SHA1_ALGORITHM };
	NTSTATUS status;

	if (!public)
		return CGA_E_CRYPTO;
	status = BCryptVerifySignature(public, &padding, (PUCHAR)hash, SHA1_LEN, (PUCHAR)sig, (ULONG)sig_len,
				       BCRYPT_PAD_PKCS1);
	BCryptDestroyKey(public);
	return BCRYPT_SUCCESS(status) ? CGA_OK : CGA_E_SIGNATURE;
}
