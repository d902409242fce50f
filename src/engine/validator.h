/* SPDX-License-Identifier: MIT */
/* Responder nonces and validators (8.2 of the rows). */
#ifndef SHIM6_ENGINE_VALIDATOR_H
#define SHIM6_ENGINE_VALIDATOR_H

#include "engine/siphash.h"
#include "wire/addr.h"

#define VALIDATOR_LEN 16 /* (E-28, Z-07) */

typedef void validator_random(void *user, void *buf, size_t len);

struct validator_secret {
	struct siphash_key key;
	uint32_t epoch; /* 0: no secret */
};

struct validator {
	struct validator_secret current, previous; /* previous: (E-27) */
	uint64_t since;				   /* of current */
};

/* What an R1 vouches for (E-22): addresses as the initiator's packets carry them. */
struct validator_r1 {
	uint64_t ct;
	struct shim6_addr ulid_sender, ulid_receiver;
	struct shim6_addr src, dst;
	bool has_fii;
	uint32_t fii;
};

/* What an R1bis vouches for (E-23): the packet in error. */
struct validator_r1bis {
	uint64_t packet_ct;
	struct shim6_addr src, dst;
};

/* Rotate the secret when it is older than lifetime; call before the others. */
void validator_rotate(struct validator *v, uint64_t now, uint64_t lifetime, validator_random *random, void *user);
/* A nonce that tells its age (E-24); low are random bits. */
uint32_t validator_nonce(uint64_t now, uint32_t low);
bool validator_nonce_fresh(uint64_t now, uint32_t nonce, uint64_t max_age);

void validator_make_r1(const struct validator *v, const struct validator_r1 *in, uint32_t nonce,
		       uint8_t out[VALIDATOR_LEN]);
void validator_make_r1bis(const struct validator *v, const struct validator_r1bis *in, uint32_t nonce,
			  uint8_t out[VALIDATOR_LEN]);
/* Against the present secret and the one before. */
bool validator_check_r1(const struct validator *v, const struct validator_r1 *in, uint32_t nonce, const uint8_t *p,
			size_t len);
bool validator_check_r1bis(const struct validator *v, const struct validator_r1bis *in, uint32_t nonce,
			   const uint8_t *p, size_t len);

#endif
