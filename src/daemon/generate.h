/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making an HBA set and storing it. With Sec 2 that takes 2^32 hashes on
 * average, so the daemon does it away from its loop, in libuv's thread pool and
 * threads of its own; the sub-command does it in place. Both can be stopped, and
 * tell how far they are.
 */
#ifndef SHIM6_DAEMON_GENERATE_H
#define SHIM6_DAEMON_GENERATE_H

#include <uv.h>

#include "daemon/search.h"
#include "daemon/store.h"

struct generate_request {
	char name[STORE_NAME_MAX + 1]; /* "": the first free of hba0, hba1, ... */
	unsigned n_prefixes;
	uint8_t prefix[CGA_MAX_GENERATE][8];
	unsigned sec;
	char pem[STORE_PEM_MAX + 1]; /* private key; "": a set without key */
	unsigned new_key;	     /* bits of a key to be made; 0: none */
	bool automatic;		     /* nobody asked for it */
};

/* Keys of sets made here: longer ones leave no room for a list in 1280 octets (HS-05, TH27). */
#define GENERATE_KEY_MIN 1024
#define GENERATE_KEY_MAX 3072

/* Checks what can be checked at once. false: err says what was expected. */
bool generate_check(const char *dir, const struct generate_request *req, char *err, size_t err_len);
/* One more prefix, "ADDRESS/64". */
bool generate_add_prefix(struct generate_request *req, const char *text, char *err, size_t err_len);

/* In place. progress as in struct cga_gen. The set is stored when it is returned. */
bool generate_now(const char *dir, const struct generate_request *req, int (*progress)(void *arg, uint64_t tries),
		  void *arg, struct store_set *out, char *err, size_t err_len);

struct generate_job;
/* done: on the loop, once; set NULL: failed, err says why. set stays the job's. */
typedef void (*generate_done)(void *user, const struct store_set *set, const char *err);
struct generate_job *generate_start(uv_loop_t *loop, const char *dir, const struct generate_request *req,
				    generate_done done, void *user, char *err, size_t err_len);
void generate_cancel(struct generate_job *j);
struct search_progress generate_progress(const struct generate_job *j);

#endif
