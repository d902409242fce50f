/* SPDX-License-Identifier: MIT */
/* A new private key. Only hosts that keep sets of their own need it, hence it is not part of the portable cga. */
#ifndef SHIM6_CGA_KEYGEN_H
#define SHIM6_CGA_KEYGEN_H

#include <stddef.h>

/* An RSA key of so many bits, exponent 65537, as PEM (PKCS #8) with its final zero. CGA_OK, CGA_E_KEY_SIZE below 1024
 * or above 4096, CGA_E_TOO_LONG or CGA_E_CRYPTO. */
int cga_key_generate_pem(unsigned bits, char *pem, size_t cap);

#endif
