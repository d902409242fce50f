/* SPDX-License-Identifier: MIT */
#include "cga/keygen.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "cga/internal.h"

static int write_pem(EVP_PKEY *pkey, char *pem, size_t cap)
{
	/* From secure memory: the octets are wiped when it is freed. */
	BIO *bio = BIO_new(BIO_s_secmem());
	int err = CGA_E_CRYPTO;
	char *text;
	long len;

	if (bio && PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1) {
		len = BIO_get_mem_data(bio, &text);
		err = len > 0 && (size_t)len < cap ? CGA_OK : CGA_E_TOO_LONG;
		if (err == CGA_OK) {
			memcpy(pem, text, (size_t)len);
			pem[len] = '\0';
		}
	}
	BIO_free(bio);
	return err;
}

int cga_key_generate_pem(unsigned bits, char *pem, size_t cap)
{
	EVP_PKEY *pkey;
	int err;

	if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS)
		return CGA_E_KEY_SIZE;
	pkey = EVP_RSA_gen(bits);
	if (!pkey)
		return CGA_E_CRYPTO;
	err = write_pem(pkey, pem, cap);
	EVP_PKEY_free(pkey);
	return err;
}
