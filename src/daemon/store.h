/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HBA sets on disk (HG-18): STATE_DIR/hba/NAME.set, mode 0600, key=value lines.
 *
 *   version=1
 *   sec=0
 *   collision_count=0
 *   created=1700000000             seconds since 1970; the file's own time where it is missing
 *   automatic=1                    made by shim6d itself; missing: by hand
 *   modifier=32 hexadecimal digits
 *   key=the key field of the parameter data structure, DER in hexadecimal:
 *       a public key, or what stands in its place in a set without one
 *   prefix=2001:db8:1::/64          one line per member,
 *   address=2001:db8:1:0:...        in set order,
 *   pds=...                         three lines each
 *   private_key=PEM in hexadecimal  only with a key
 *
 * A file is written beside and renamed. What is read is checked whole: each
 * address must follow from its parameter data structure (RFC 5535 7.2), all
 * members from the same one, and nobody else may read the file.
 */
#ifndef SHIM6_DAEMON_STORE_H
#define SHIM6_DAEMON_STORE_H

#include "cga/cga.h"

#define STORE_NAME_MAX 32 /* characters of a set's name */
#define STORE_MAX_SETS 32
#define STORE_PEM_MAX 8192
#define STORE_ERR_MAX 512

struct store_set {
	char name[STORE_NAME_MAX + 1];
	struct cga_set set;
	uint8_t prefix[CGA_MAX_GENERATE][8];
	uint8_t collision_count;
	uint64_t created; /* s since 1970; 0: when it is written */
	bool automatic;	  /* made by shim6d, which lets it go when nobody needs it */
	char *pem;	  /* private key, or NULL; owned */
	size_t pem_len;
};

/* Letters, digits, '-', '_', '.', not first; at most STORE_NAME_MAX. */
bool store_name_ok(const char *name);
/* Creates dir (mode 0700) when needed. false and err on failure. */
bool store_write(const char *dir, const struct store_set *s, char *err, size_t err_len);
bool store_read(const char *dir, const char *name, struct store_set *out, char *err, size_t err_len);
bool store_delete(const char *dir, const char *name, char *err, size_t err_len);
void store_set_clear(struct store_set *s); /* frees and wipes the key */
/* Names of the sets there, sorted; n at most cap. 0 when dir is missing; -1 and err on failure. */
int store_names(const char *dir, char (*names)[STORE_NAME_MAX + 1], unsigned cap, char *err, size_t err_len);
/* The first of hba0, hba1, ... that is free; false when there are too many sets. */
bool store_free_name(const char *dir, char out[STORE_NAME_MAX + 1]);

#endif
