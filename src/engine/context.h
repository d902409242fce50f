/* SPDX-License-Identifier: MIT */
/*
 * The conceptual model of RFC 5533 section 6: contexts, and the table that
 * finds them by ULID pair and FII, by CT(local), by CT(peer) and peer locator,
 * by initiator nonce, by id and by slot (L-02 to L-09), each in O(1).
 */
#ifndef SHIM6_ENGINE_CONTEXT_H
#define SHIM6_ENGINE_CONTEXT_H

#include "engine/engine.h"
#include "engine/hash.h"
#include "engine/locators.h"
#include "engine/timer.h"

#define MAX_VALIDATOR 256	/* octets of a peer's validator that we are ready to carry (E-29) */
#define MAX_VALIDATOR_SIGNED 40 /* the same beside a signature: keys of 3072 bits leave no room for more (TH27) */
#define MAX_PEER_PDS 1024	/* octets of a peer's PDS kept for later Update Requests (W-73, HV-18) */

/* What lives only as long as an I1, I2 or I2bis waits for its answer (C-08, C-10, C-11, C-13). */
struct handshake {
	struct hash_node by_nonce;
	struct context *context;
	struct shim6_pair pair; /* "hs-pair": where the handshake runs (C-19) */
	uint32_t init_nonce;
	uint32_t resp_nonce;
	uint64_t packet_ct; /* CT(R1bis) */
	uint64_t deadline;
	uint64_t sent; /* when the last message left: throttles D-11, D-12 */
	unsigned tries;
	unsigned fallbacks;	   /* to I1 */
	enum engine_reason reason; /* why we began: for the events */
	uint16_t validator_len;
	uint8_t validator[MAX_VALIDATOR];
};

/* Beside each struct reap_locator of Ls(peer): what REAP need not know. */
struct peer_locator {
	struct hash_node by_tag; /* CT(peer) and this address */
	struct context *context;
	uint32_t sent_at; /* seconds: something with CT(peer) went there; 0 never */
	uint8_t method;
	bool verified;
	bool indexed;
};

/* An Update Request of ours that waits for its Acknowledgement (U-07, U-08). */
struct update {
	struct timer timer;
	struct context *context;
	uint32_t nonce;
	unsigned tries;
	unsigned with; /* enum update_with */
	bool waiting;  /* for its turn */
};

/* Of a Locator List of ours (HS-01). */
struct signature {
	uint32_t generation;
	uint16_t len;
	uint8_t octets[];
};

/* Most contexts never switch. */
struct last_switch {
	uint64_t time, elapsed;
	struct shim6_pair from, to;
	enum engine_reason reason;
};

struct context {
	struct hash_node by_ulid, by_tag, by_id;
	struct context *older, *newer; /* creation order */
	struct engine *engine;
	struct timer timer; /* handshake, REAP, idleness: whatever comes next */
	uint64_t id;
	uint32_t slot;
	uint8_t state; /* enum engine_state */
	bool initiator;
	bool listed;	      /* our Locator List goes out with this context */
	bool installed;	      /* the data path has a projection */
	bool established;     /* once at least */
	bool list_resent;     /* ERR-09 was used up */
	bool prefs_changed;   /* since our last handshake message */
	bool timeout_changed; /* during the handshake: the peer may have been told the old one */
	bool accepted;	      /* an I2 or I2bis of the peer, with this nonce */
	uint8_t notify;	      /* what the data path was asked to report */
	uint32_t accepted_nonce;

	struct shim6_pair ulid;
	uint32_t fii;
	uint64_t ct_local, ct_peer;
	struct shim6_pair current; /* Lp(local), Lp(peer) */
	uint64_t projected;	   /* hash of the projection in force */

	uint8_t n_local, n_peer;
	uint8_t n_set; /* of n_local: from the HBA set of the ULID; those behind go with a signature */
	bool outside_refused;
	uint8_t n_peer_listed; /* in the peer's own list (U-19) */
	uint8_t n_peer_kept;   /* of that list in peer[]; the ULID may come behind */
	uint8_t failed_again;  /* how often such a pair failed soon after: doubles the hold-down */
	uint8_t unsaid_cause;  /* enum reap_cause of the episode of unsaid */
	bool peer_listed;      /* the peer sent a Locator List */
	bool update_seen;
	uint16_t peer_pds_len;
	uint32_t preferred_at;		/* seconds: a peer locator is being tried for its preference, or was in vain */
	uint32_t back_at;		/* seconds: went to a better pair that works again; 0 never */
	uint32_t established_at;	/* seconds */
	struct reap_locator *local;	/* Ls(local), in list order */
	struct reap_locator *peer;	/* Ls(peer), in list order */
	struct peer_locator *peer_info; /* one allocation with peer */
	uint32_t local_generation, peer_generation;
	uint32_t outside_version;    /* of the set's outside list, that local[] agrees with; 0: with none */
	uint32_t update_done;	     /* nonce of the peer's last applied Update Request (U-24) */
	struct signature *signature; /* NULL: none made yet */
	uint8_t *peer_pds;

	struct handshake *handshake;
	struct update *update;
	struct better *better; /* NULL: on its best pair, or fail-back is off */
	struct reap reap;

	uint64_t created;
	uint64_t ready;	     /* entered ESTABLISHED last, was restored, or found in use: idleness counts from here */
	uint64_t ulid_gone;  /* when ULID(local) vanished; 0: it is there (Y-06) */
	uint64_t hinted;     /* last hint taken */
	uint64_t silence;    /* ns since payload came, when the episode began */
	uint64_t unsaid;     /* an episode began then that may come to nothing; 0: none */
	uint64_t probe_turn; /* when a probe may leave, the host's budget having been used up; 0: now (PX-20) */
	struct last_switch *last_switch; /* NULL: there was none */
	uint32_t switches, keepalives_received;
};

struct slot_entry {
	struct context *context; /* NULL: free */
	uint32_t next_free, prev_free;
};

struct quarantined_tag;

/* CT(local) allocation (section 6 of the rows). */
struct tag_pool {
	uint64_t mask; /* WIRE_TAG_MASK; tests narrow it (G-08) */
	struct hash_table quarantine;
	struct quarantined_tag *first, *last; /* oldest first */
	unsigned n;
};

struct context_table {
	struct hash_table by_ulid, by_tag, by_peer_tag, by_nonce, by_id;
	struct context *oldest, *newest;
	bool unsorted; /* oldest to newest is not in order of id */
	unsigned n;
	struct slot_entry *slots;
	uint32_t n_slots, cap_slots, free_slot;
	uint64_t next_id;
	struct tag_pool tags;
};

bool context_table_init(struct context_table *t);
void context_table_free(struct context_table *t);
/* Oldest first, by id. */
void context_table_sort(struct context_table *t);

/*
 * A new context, ready for a state: slot, CT(local), Ls(local), indexes. On
 * refusal returns NULL, counts, and says why in *result.
 */
struct context *context_new(struct engine *e, uint64_t now, const struct shim6_pair *ulid, uint32_t fii, int *result);
/* For restore: with a given id, slot and tag. */
struct context *context_new_as(struct engine *e, uint64_t now, const struct shim6_pair *ulid, uint32_t fii, uint64_t id,
			       uint32_t slot, uint64_t ct_local, int *result);
/* Take it out of everything, the data path included; tells GONE unless reason is NONE. No message is sent (K-01). */
void context_free(struct engine *e, struct context *c, uint64_t now, enum engine_reason reason);

struct context *context_by_ulid(const struct engine *e, const struct shim6_pair *ulid, uint32_t fii);
struct context *context_by_tag(const struct engine *e, uint64_t ct_local);
struct context *context_by_id(const struct engine *e, uint64_t id);
struct context *context_by_slot(const struct engine *e, uint32_t slot);
/* Handshaking context whose I1, I2 or I2bis went out with this nonce on this pair (L-03, L-04). */
struct context *context_by_nonce(const struct engine *e, uint32_t init_nonce, const struct shim6_pair *pair);
/* Context that sends with ct_peer to this verified locator (L-05, L-08); after: go on from there. */
struct context *context_by_peer_tag(const struct engine *e, uint64_t ct_peer, const struct shim6_addr *peer,
				    const struct context *after);

/* Remember the switch, if there is memory for it. */
void context_note_switch(struct engine *e, struct context *c, const struct last_switch *s);
/* All zero when there was none. */
const struct last_switch *context_last_switch(const struct context *c);

/* Handshake data: made with a fresh nonce on this pair. false: out of memory. */
bool context_handshake_begin(struct engine *e, struct context *c, const struct shim6_pair *pair);
void context_handshake_end(struct engine *e, struct context *c);
void context_handshake_renew_nonce(struct engine *e, struct context *c);

/* Replace CT(peer) and Ls(peer) at once (V-22) and put the context under its new keys. false: out of memory. */
bool context_set_peer(struct engine *e, struct context *c, uint64_t ct_peer, const struct peer_list *list);
/* Whether CT(peer) finds this context: true in ESTABLISHED and I2BIS-SENT only (F-02). */
void context_index_peer(struct engine *e, struct context *c, bool on);

/* Octets of a validator that fit beside what we tell of ourselves. */
static inline size_t max_validator(const struct context *c)
{
	return c->n_local > c->n_set ? MAX_VALIDATOR_SIGNED : MAX_VALIDATOR;
}

/* Index in Ls, -1: not there. */
int context_local_index(const struct context *c, const struct shim6_addr *a);
int context_peer_index(const struct context *c, const struct shim6_addr *a);
/* Is <ours, theirs> a pair that this context may hear from (L-07)? */
bool context_hears(const struct context *c, const struct shim6_pair *pair);
/* Both sets, for REAP, and how many pairs can be used. */
struct reap_locators context_locators(const struct context *c);
size_t context_pairs(const struct context *c);
/* Are there two pairs or more that are not known to be broken? */
bool context_has_choice(const struct context *c);
/* Note that CT(peer) was used towards a locator, and ask whether it was of late. */
void context_note_sent(struct context *c, uint64_t now, const struct shim6_addr *peer);
bool context_sent_lately(struct context *c, uint64_t now, const struct shim6_pair *pair);

static inline bool context_on_ulids(const struct context *c)
{
	return shim6_pair_eq(&c->current, &c->ulid);
}

#endif
