/* SPDX-License-Identifier: MIT */
/* The engine from inside: its state, and what its files offer each other. */
#ifndef SHIM6_ENGINE_INTERNAL_H
#define SHIM6_ENGINE_INTERNAL_H

#include "engine/context.h"
#include "engine/counters.h"
#include "engine/engine.h"
#include "engine/limits.h"
#include "engine/locators.h"
#include "engine/negative.h"
#include "engine/timer.h"
#include "engine/validator.h"

#define SECOND UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

#define DEFAULT_SEND_TIMEOUT (15 * SECOND) /* known to every peer (PF-20) */
#define SENT_LATELY 60			   /* seconds */
#define RESEND_GAP (500 * MILLISECOND)	   /* of I2 and I2bis, when packets ask for them (D-12) */
#define HINT_GAP (5 * SECOND)		   /* of hints that make one context test its pair (I-16) */
#define PREFERENCE_GAP 60		   /* seconds after a vain move to a preferred pair (AMB-R22) */
#define OUTSIDE_TRIES 5			   /* Update Requests with new locators that get no answer */
#define MAX_FALLBACKS 2			   /* from I2 or I2bis to I1 */

/* What an Update Request carries beside the preferences. */
enum update_with {
	UPDATE_LIST = 1u << 0,	  /* the Locator List, under a new generation */
	UPDATE_TIMEOUT = 1u << 1, /* the Keepalive Timeout (PF-21) */
};

enum timer_kind {
	TIMER_CONTEXT,
	TIMER_UPDATE,
	TIMER_NEGATIVE,
	TIMER_OUTSIDE,
};

struct engine {
	struct engine_config config;
	struct engine_ops ops;
	void *user;
	struct siphash_key hash_key;
	struct timer_wheel wheel;
	struct context_table contexts;
	struct negative_cache negative;
	struct limits limits;
	struct validator validator;
	struct local_picture local;
	struct timer outside; /* contexts whose list of outside locators is to be brought up to date */
	uint32_t outside_version;
	uint64_t counter[N_COUNTERS];
	struct liveness *liveness; /* the REAP call that is on (callbacks need it) */
};

/* A control message in dispatch. pair: our end (its destination) first. */
struct rx {
	uint64_t now;
	struct shim6_pair pair;
	const uint8_t *buf;
	size_t len;
	struct wire_msg m;
};

static inline void count(struct engine *e, enum counter c)
{
	e->counter[c]++;
}

/* The data path stamps by a clock of its own reading, which may be a little ahead of ours. */
static inline uint64_t ago(uint64_t now, uint64_t then)
{
	return then < now ? now - then : 0;
}

/* engine.c */
uint32_t engine_random32(struct engine *e);
/* A timeout of the n-th transmission: doubled n times from base, capped, then times U(0.5, 1.5) (T-01, T-02). */
uint64_t engine_backoff(struct engine *e, uint64_t base, unsigned n, uint64_t cap);
/* Set the context's one timer to whatever comes next. */
void context_rearm(struct engine *e, struct context *c, uint64_t now);
/* Event with the fields that every context event has. */
void engine_tell(struct engine *e, const struct context *c, uint64_t now, enum engine_event_type type,
		 enum engine_reason reason);
/* Tell the data path if the projection changed. false: refused, and the context is gone. */
bool context_project(struct engine *e, struct context *c, uint64_t now);
void context_unproject(struct engine *e, struct context *c);
bool engine_is_local(const struct engine *e, const struct shim6_addr *a);

/* emit.c: messages */
bool emit(struct engine *e, const struct shim6_pair *pair, struct wire_builder *b);
bool emit_i1(struct engine *e, struct context *c);
bool emit_i2(struct engine *e, struct context *c);
bool emit_i2bis(struct engine *e, struct context *c);
void emit_r2(struct engine *e, struct context *c, const struct shim6_pair *pair, uint32_t init_nonce);
void emit_error(struct engine *e, const struct rx *rx, enum wire_error_code code, size_t offset);
void emit_update_request(struct engine *e, struct context *c, uint64_t now, const struct shim6_pair *pair,
			 uint32_t nonce, unsigned with);
/* May a reply leave for this address? Counts refusals (Z-06). */
bool emit_allowed(struct engine *e, uint64_t now, const struct shim6_addr *to);

/* establish.c: I1, R1, I2, R2 */
int establish_begin(struct engine *e, uint64_t now, const struct shim6_pair *ulid, enum engine_reason reason);
/* Start over with an I1 on this pair, keeping CT(local) (G-11). */
void establish_restart(struct engine *e, struct context *c, uint64_t now, const struct shim6_pair *pair);
void establish_fail(struct engine *e, struct context *c, uint64_t now, enum engine_state why);
void recv_i1(struct engine *e, const struct rx *rx);
void recv_r1(struct engine *e, const struct rx *rx);
void recv_i2(struct engine *e, const struct rx *rx);
void recv_r2(struct engine *e, const struct rx *rx);
void i1_timeout(struct engine *e, struct context *c, uint64_t now);
void i2_timeout(struct engine *e, struct context *c, uint64_t now);
/* Second half of I2 and I2bis reception, once their validator was good. */
void accept_initiator(struct engine *e, const struct rx *rx, const struct shim6_pair *ulid);
/* ULID pair of an I1, I2 or I2bis from our side; false: not ours or not usable (E-12), counted. */
bool ulids_of(struct engine *e, const struct rx *rx, struct shim6_pair *ulid);
/* Preferences and Keepalive Timeout of I2, I2bis and R2. */
void take_preferences(struct engine *e, const struct rx *rx, struct peer_list *list);
/* Handshake done (or accepted): enter ESTABLISHED with pair as current pair. false: the context is gone. */
bool enter_established(struct engine *e, struct context *c, uint64_t now, const struct shim6_pair *pair,
		       const struct wire_msg *m, enum engine_reason reason);

/* recover.c: R1bis, I2bis */
void send_r1bis(struct engine *e, uint64_t now, const struct shim6_pair *pair, uint64_t packet_ct);
void recv_r1bis(struct engine *e, const struct rx *rx);
void recv_i2bis(struct engine *e, const struct rx *rx);
void i2bis_timeout(struct engine *e, struct context *c, uint64_t now);
/* Something tagged came while our I2 or I2bis is unanswered: send it again, throttled (D-11, D-12). false: for the
 * last time. */
bool resend_handshake(struct engine *e, struct context *c, uint64_t now);

/* confusion.c (7.15). c is about to use CT(peer): end what other context has it. */
void confusion_check(struct engine *e, struct context *c, uint64_t now);

/* liveness.c: the REAP machine of a context */
struct liveness {
	struct engine *engine;
	struct context *context;
	uint64_t now;
	struct shim6_stamps stamps;
	struct reap_timers timers;
	struct reap_locators locators;
	/* told after the projection is in force */
	bool began, ended;
	enum reap_cause cause;
	struct shim6_pair from, to;
	uint64_t elapsed;
	unsigned probes;
};
void liveness_start(struct engine *e, struct context *c);
void liveness_stop(struct context *c);
/* Bracket for calls of reap verbs on an ESTABLISHED context. false from end: the context is gone. */
void liveness_enter(struct liveness *v, struct engine *e, struct context *c, uint64_t now);
bool liveness_leave(struct liveness *v);
/* The context's timer: idleness (K-04) and whatever REAP wants. */
void liveness_timer(struct engine *e, struct context *c, uint64_t now);
/* Earliest of REAP's deadline and the end of the idle time. */
uint64_t liveness_deadline(struct engine *e, const struct context *c, uint64_t now);
/* All contexts, those with the newest payload first, for the caller to free; 0: there are none, or no memory. */
size_t contexts_by_use(struct engine *e, struct context ***out);
/* Ask the data path for the notices that the state needs. */
void context_notify(struct engine *e, struct context *c, unsigned mask);
/* Test the current pair unless that was done lately or there is no other; counts. */
void liveness_hint(struct engine *e, struct context *c, uint64_t now);
/* Each of these may meet a data path that refuses. false: the context is gone. */
bool liveness_payload(struct engine *e, struct context *c, uint64_t now, bool received);
bool liveness_explore(struct engine *e, struct context *c, uint64_t now, enum reap_cause cause,
		      const struct shim6_pair *wanted);
/* Does this pair work? The current one stays. */
bool liveness_test(struct engine *e, struct context *c, uint64_t now, const struct shim6_pair *pair);
bool liveness_locators(struct engine *e, struct context *c, uint64_t now, enum reap_cause cause);
void recv_keepalive(struct engine *e, struct context *c, const struct rx *rx);
void recv_probe(struct engine *e, struct context *c, const struct rx *rx);
enum engine_reason reason_of_cause(enum reap_cause cause);

/* update.c (section 10) */
bool update_begin(struct engine *e, struct context *c, uint64_t now, unsigned with); /* false: the context is gone */
void update_end(struct engine *e, struct context *c);
void update_timeout(struct engine *e, struct update *u, uint64_t now);
void recv_update_request(struct engine *e, struct context *c, const struct rx *rx);
void recv_update_ack(struct engine *e, struct context *c, const struct rx *rx);

/* outside.c: locators outside the HBA set, by signature */
void outside_picture(struct engine *e, uint64_t now, const struct local_picture *old, struct local_picture *p);
void outside_timer(struct engine *e, uint64_t now);
/* Contexts may be out of date: look at them soon. */
void outside_poke(struct engine *e, uint64_t now);
/* Put all of them into a new context's list at once. false: out of memory. */
bool outside_adopt(struct engine *e, struct context *c);
/* May a context be made for a message to this one of them? Costs a signature of the budget. */
bool outside_welcome(struct engine *e, uint64_t now, const struct shim6_addr *ulid, const struct shim6_addr *a);
/* The list as it was told, on restore. */
bool outside_restore(struct engine *e, struct context *c, const struct reap_locator *saved, unsigned n);
/* The peer acknowledged the list, or refused what is new in it. true: the list changed. */
bool outside_told(struct engine *e, struct context *c);
bool outside_shed(struct context *c);
/* The signature of the list at its present generation; NULL: cannot be made. */
const struct signature *outside_signature(struct engine *e, struct context *c);

/* prefer.c: the best pair, and the way back to it */
struct better {
	struct shim6_pair pair;
	uint64_t due;	 /* the next thing to do, if the context is in use */
	uint64_t looked; /* the last test or move began, or the context came to be here */
	uint64_t gap;	 /* between tests while it does not work */
	uint64_t since;	 /* it has worked since; 0: it does not */
	uint64_t worked; /* last time that it did */
	uint8_t rank;	 /* how many of the better pairs are better still */
	uint8_t missed, missed_in_all;
	bool asked;	    /* by preferences: go there without waiting */
	bool testing;	    /* a test is to be judged */
	bool moving, moved; /* a move is on; was begun at all */
	bool paused;	    /* no payload since looked */
	uint8_t crossed;    /* moves that ended before the pair could answer */
};
enum prefer_news {
	PREFER_NEITHER, /* no preference changed; locators may have come or gone */
	PREFER_OURS,
	PREFER_THEIRS,
};
/* Locators or preferences changed, or the context is new here. false: the context is gone. */
bool prefer_locators(struct engine *e, struct context *c, uint64_t now, enum prefer_news news);
/* The configured hold-down changed. */
void prefer_configured(struct engine *e, struct context *c, uint64_t now);
/* An episode ended; within liveness_leave(). */
void prefer_ended(struct engine *e, struct context *c, const struct liveness *v);
/*
 * A Probe was taken. One in Operational on the better pair says that the peer is
 * there; unasked: it answers nothing, so the peer tests.
 */
void prefer_peer_probed(struct engine *e, struct context *c, const struct rx *rx, bool unasked);
void prefer_stop(struct context *c);
uint64_t prefer_deadline(const struct context *c, const struct shim6_stamps *st);
/* Whatever is due; false: the context is gone. */
bool prefer_timer(struct engine *e, struct context *c, uint64_t now, const struct shim6_stamps *st);
void prefer_info(const struct engine *e, const struct context *c, struct engine_ctx_info *info);

/* icmp.c: Errors and ICMPv6 errors, by the packet they quote */
void recv_error(struct engine *e, const struct rx *rx);

#endif
