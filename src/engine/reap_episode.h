/* SPDX-License-Identifier: MIT */
/*
 * Inside REAP: the order of pairs and the memory of one episode. Only reap.c,
 * reap_order.c and reap_episode.c use this.
 */
#ifndef SHIM6_ENGINE_REAP_EPISODE_H
#define SHIM6_ENGINE_REAP_EPISODE_H

#include "engine/reap.h"

#define REAP_MAX_PAIRS (REAP_MAX_LOCATORS * REAP_MAX_LOCATORS)
#define REAP_SENT_REPORTED 6			/* sent records in a timed probe, its own included (PF-10) */
#define REAP_OLDER_NONCES 64			/* probes known to be old (AMB-R30) */
#define REAP_BURSTS_MAX 8			/* fresh bursts of a kind per episode at one per S ... (AMB-R5) */
#define REAP_BURST_SLOW UINT64_C(60000000000)	/* ... then one in this time */
#define REAP_REPLAY_WITHIN UINT64_C(1000000000) /* PX-19 */
#define REAP_QUEUED_WITHIN UINT64_C(100000000)	/* probes closer together than their schedule stood in a queue */
#define REAP_TEST_SILENCE UINT64_C(500000000)	/* what was sent is without an answer */
#define REAP_TEST_HEARD UINT64_C(1000000000)	/* so long does payload say that the peer's pair works */

/* A pair as positions in a candidate set. */
struct reap_index {
	uint8_t local;
	uint8_t peer;
};

/* Pairs of a candidate set as one bit each. */
struct reap_pair_set {
	uint16_t row[REAP_MAX_LOCATORS];
};

static inline bool reap_set_has(const struct reap_pair_set *s, struct reap_index i)
{
	return s->row[i.local] >> i.peer & 1;
}

static inline void reap_set_add(struct reap_pair_set *s, struct reap_index i)
{
	s->row[i.local] = (uint16_t)(s->row[i.local] | 1u << i.peer);
}

static inline void reap_set_remove(struct reap_pair_set *s, struct reap_index i)
{
	s->row[i.local] = (uint16_t)(s->row[i.local] & ~(1u << i.peer));
}

struct reap_sent {
	struct shim6_pair pair;
	uint32_t nonce;
	bool confirms; /* it answered a report, in Operational */
	bool reported; /* the peer has it */
	bool dead;     /* its pair died after it left: a report proves nothing any more (E10) */
};

struct reap_burst_limit {
	unsigned n;
	uint64_t last;
};

struct reap_episode {
	enum reap_cause cause;
	uint64_t began;
	uint64_t ended; /* 0 while it runs; then kept for the report grace (PC-09) */
	unsigned probes;

	/* The candidate set as last told, and what was tried of it. */
	struct reap_locator local[REAP_MAX_LOCATORS], peer[REAP_MAX_LOCATORS];
	unsigned n_local, n_peer;
	struct reap_pair_set tested; /* in this round of the list: the cursor of PX-18 */
	struct reap_pair_set told;   /* tried in InboundOk, which tells the peer what it wants to hear */
	struct reap_pair_set fresh;  /* appeared during the episode: to the front (AMB-R28) */
	struct shim6_pair wanted;    /* AMB-R22 */
	bool has_wanted;
	bool wanted_first; /* its turn has not come yet */
	bool calm;	   /* it began without a failure */
	uint64_t serious;  /* until then */
	bool put_off;	   /* a report that the test did not follow: */
	struct shim6_pair reported;
	bool seeks;	/* the peer does not only answer: it looks for a pair of its own */
	uint64_t heard; /* payload or a Keepalive came then; 0: not yet */
	bool test;	/* wanted is looked at, not moved to (reap_test) */

	/* The schedule (PX-14). */
	uint64_t next_probe;
	unsigned slot; /* probes of this burst that left */
	uint64_t last_probe;
	struct shim6_pair last_pair; /* of the last timed probe */
	bool has_last, replay;	     /* PX-19 */
	struct reap_burst_limit inbound_bursts, locator_bursts;
	uint64_t answered_in_use; /* when a reply left on the pair in use */

	/* What left and what came (PN-04, PN-05). */
	struct reap_sent sent[REAP_SENT_HISTORY];      /* ring */
	unsigned n_sent, sent_head;		       /* head: next to write */
	struct wire_record received[WIRE_MAX_RECORDS]; /* newest first */
	unsigned n_received;
	uint32_t older[REAP_OLDER_NONCES]; /* ring */
	unsigned n_older, older_head;
};

/* --- reap_order.c --------------------------------------------------------- */

/* The order of PX-15 as positions in l; out holds REAP_MAX_PAIRS. Returns how many. */
size_t reap_order(const struct reap_locators *l, const struct shim6_pair *current, struct reap_index *out);
/* Is the pair in l, with no end GONE (usable), nor DOWN (alive)? */
bool reap_pair_usable(const struct reap_locators *l, const struct shim6_pair *pair);
bool reap_pair_alive(const struct reap_locators *l, const struct shim6_pair *pair);
/* false: not in l */
bool reap_pair_find(const struct reap_locators *l, const struct shim6_pair *pair, struct reap_index *out);

/* --- reap_episode.c ------------------------------------------------------- */

/* Uniform in [low, high]. */
uint64_t reap_draw(uint32_t random, uint64_t low, uint64_t high);

/* A clean episode over the candidates; the lists are empty (PN-13). */
void reap_episode_reset(struct reap_episode *e, uint64_t now, enum reap_cause cause, const struct reap_locators *l);
struct reap_locators reap_episode_set(const struct reap_episode *e);
void reap_episode_want(struct reap_episode *e, const struct shim6_pair *wanted);
/* The set changed: true if pairs appeared (or came up again) that were not there before. */
bool reap_episode_update(struct reap_episode *e, const struct reap_locators *l);

/* The next timed pair that does not start at a local locator in refused (a bit each); inbound: the state is
 * InboundOk. false: there is none. */
bool reap_episode_next(struct reap_episode *e, const struct shim6_pair *current, bool inbound, uint16_t refused,
		       struct reap_index *out);
/* Is the pair one of these, and of use? */
bool reap_episode_has(const struct reap_episode *e, const struct reap_pair_set *pairs, const struct shim6_pair *pair);
struct shim6_pair reap_episode_pair(const struct reap_episode *e, struct reap_index i);
/* A timed probe left on the pair. */
void reap_episode_tried(struct reap_episode *e, uint64_t now, bool inbound, struct reap_index i);
/* Gap after the slot-th probe of a burst, without jitter. */
uint64_t reap_episode_gap(const struct reap_episode *e, const struct reap_config *c);
/* One fresh burst per spacing, then slower (AMB-R5). */
bool reap_burst_allowed(struct reap_burst_limit *b, uint64_t now, uint64_t spacing);

void reap_episode_sent(struct reap_episode *e, const struct shim6_pair *pair, uint32_t nonce, bool confirms);
/* Unreported probes, newest first, into out; returns how many. */
unsigned reap_episode_unreported(const struct reap_episode *e, struct wire_record *out, unsigned cap);
/* Our probe that a received record reports, or NULL (PN-06). */
struct reap_sent *reap_episode_match(struct reap_episode *e, const struct wire_record *rec);
/* A probe arrived: remember record 1, and which earlier probes it names. */
void reap_episode_received(struct reap_episode *e, const struct wire_msg *m);
/* The received list as it is reported: what is answered first, then newest per pair, then the rest (PN-12). */
unsigned reap_episode_report(const struct reap_episode *e, struct wire_record out[WIRE_MAX_RECORDS]);
/* What a test reports of these n records; returns how many. */
unsigned reap_episode_keep(const struct reap_episode *e, uint64_t now, const struct shim6_pair *current,
			   struct wire_record *rec, unsigned n);
void reap_episode_forget_received(struct reap_episode *e);
/* Did the peer send this probe before one that we have already seen (AMB-R30)? */
bool reap_episode_is_old(const struct reap_episode *e, uint32_t nonce);

#endif
