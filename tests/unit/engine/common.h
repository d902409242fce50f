/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine's tests share: two hosts, and a scripted peer that has no engine. */
#ifndef SHIM6_TESTS_ENGINE_COMMON_H
#define SHIM6_TESTS_ENGINE_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>
#include <stdlib.h>

#include "../../sim/harness.h"

#define A (&s->host[0])
#define B (&s->host[1])

/* Two hosts with two locators each, started; single_b: B has one address and no HBA. */
struct sim *two_hosts(uint64_t seed);
/* The same, with an ESTABLISHED context A1-B1 that A asked for. */
struct sim *two_established(uint64_t seed);
/* A started; B is played by the test, through send_as() and A->last[]. */
struct sim *scripted(uint64_t seed);

enum engine_state state_of(struct sim_host *h, const struct shim6_pair *ulid); /* IDLE: no context */
struct shim6_pair reversed(const struct shim6_pair *p);

/* Messages of a scripted peer. */
struct script {
	struct wire_builder b;
	uint8_t buf[WIRE_MAX_MSG];
};
/* List (methods all HBA) and PDS of a host. */
void put_hba(struct wire_builder *b, const struct sim_host *h, uint32_t generation);
/* pair: the sender's view */
void send_as(struct sim_host *to, const struct shim6_pair *pair, struct script *m);
/* Decode the last message of a type that a host sent; fails the test if there is none. */
void decode_last(const struct sim_host *h, unsigned type, struct wire_msg *m);
/* The whole handshake of a scripted peer (initiator) with A; returns A's CT(local). */
uint64_t script_establish(struct sim *s, const struct shim6_pair *pair, uint64_t ct, uint32_t nonce);
/* I2 of a scripted peer, with the R1 that A sent last. */
void script_i2(struct script *m, const struct sim *s, uint64_t ct, uint32_t nonce);
void script_i1(struct sim *s, const struct shim6_pair *pair, uint64_t ct, uint32_t nonce);

#endif
