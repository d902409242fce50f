/* SPDX-License-Identifier: MIT */
/* Locator sets: ours, from the HBA sets of this host, and the peer's, verified. */
#ifndef SHIM6_ENGINE_LOCATORS_H
#define SHIM6_ENGINE_LOCATORS_H

#include "engine/engine.h"

struct context;

/* An address of ours outside a set, which the set's key vouches for (outside.c). */
struct outside {
	struct shim6_addr addr;
	uint64_t gone; /* since when this host does not have it; 0: it has */
};

/* Our picture of the local addresses, one allocation per part, replaced as a whole. */
struct local_set {
	unsigned n;
	unsigned max_listed; /* how many fit beside everything else into 1280 octets (W-05) */
	struct shim6_addr *addr;
	uint8_t *pds; /* n of pds_len */
	size_t pds_len;
	size_t signature_len; /* 0: no key */
	unsigned max_signed;  /* as max_listed, beside a signature */
	unsigned n_outside;
	struct outside outside[ENGINE_MAX_LOCATORS];
	uint32_t version; /* of the list of outside addresses; 1: there never were any */
};

struct local_picture {
	unsigned n, n_sets;
	struct engine_local *local;
	struct local_set *set;
};

bool local_picture_copy(struct local_picture *out, const struct engine_local *locals, unsigned n,
			const struct engine_hba_set *sets, unsigned n_sets);
void local_picture_free(struct local_picture *p);

const struct engine_local *local_find(const struct local_picture *p, const struct shim6_addr *a);
/* The HBA set of one of our addresses, and which member that is; NULL: none. */
struct local_set *local_set_of(const struct local_picture *p, const struct shim6_addr *a, unsigned *member);
/* Assigned members of the set of this address, and what its key vouches for; 0 or 1: not multihomed from here. */
unsigned local_choices(const struct local_picture *p, const struct shim6_addr *a);
/* Ls(local) of a context whose ULID(local) this is: at most ENGINE_MAX_LOCATORS; *listed: it goes out as a list. */
unsigned local_locators(const struct local_picture *p, const struct shim6_addr *ulid, struct reap_locator *out,
			bool *listed);
/* The PDS of one of our addresses; NULL: none. */
const uint8_t *local_pds(const struct local_picture *p, const struct shim6_addr *a, size_t *len);
enum local_change {
	LOCAL_FLAGS = 1u << 0,	     /* came, went, up, down */
	LOCAL_PREFERENCES = 1u << 1, /* priority, weight */
};
/* Bring the flags and preferences of Ls(local) up to date; says what changed. */
unsigned local_refresh(const struct local_picture *p, struct reap_locator *l, unsigned n);

/* A peer's locator list after verification. */
struct peer_entry {
	struct reap_locator l;
	uint8_t method;
	bool verified;
};

struct peer_list {
	bool present;	   /* the message had a Locator List */
	unsigned n_listed; /* locators in that list */
	unsigned n;	   /* of them kept, in list order */
	unsigned n_total;  /* and the ULID, when it is not among these */
	uint32_t generation;
	struct peer_entry entry[ENGINE_MAX_LOCATORS];
	const uint8_t *pds; /* NULL: the message had none */
	size_t pds_len;
};

enum peer_verdict {
	PEER_OK,
	PEER_SILENT, /* drop without a word; counted */
	PEER_ERROR,  /* drop, Error 2 with *err_offset from the start of the message (V-09, V-17) */
};

/*
 * Verify PDS and Locator List of a message against ULID(peer) (section 7 of
 * the rows). src is its source locator: it must be ULID(peer), or be known in
 * c (NULL: no context), or prove itself in the list (E-67, R-17, V-18).
 */
enum peer_verdict peer_list_verify(struct engine *e, uint64_t now, const struct context *c,
				   const struct shim6_addr *ulid_peer, const struct shim6_addr *src,
				   const struct wire_msg *m, struct peer_list *out, size_t *err_offset);
/* The list of a peer that sent none: its ULID (V-14, A-22). */
void peer_list_ulid_only(struct peer_list *out, const struct shim6_addr *ulid_peer);
/* Put preferences of the same generation into the list; false: they do not belong to it. */
bool peer_list_prefer(struct peer_list *list, const struct wire_preferences *prefs);

#endif
