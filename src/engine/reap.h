/* SPDX-License-Identifier: MIT */
/*
 * REAP, the failure detection and locator pair exploration of RFC 5534, as a
 * machine of its own: one per context, driven by event verbs, with time as an
 * argument. It knows addresses, records and timers; it does not know contexts,
 * tags or messages on the wire. The engine owns it, feeds it and sends for it.
 *
 * The Send and Keepalive Timers are two start times (PT-21) that the data path
 * moves with each payload packet; the engine lends them to every call in a
 * struct reap_timers and writes back what the call marked as changed.
 *
 * Row numbers: PF-, PA-, PT-, PS-, PC-, PX-, PN-, AMB-R of rfc5534-5535.md.
 */
#ifndef SHIM6_ENGINE_REAP_H
#define SHIM6_ENGINE_REAP_H

#include "engine/projection.h"
#include "wire/wire.h"

#define REAP_NEVER UINT64_MAX
#define REAP_MAX_LOCATORS 16 /* per side */
#define REAP_SENT_HISTORY 64 /* probes remembered per episode (PC-10) */

enum reap_state {
	REAP_OPERATIONAL = WIRE_STA_OPERATIONAL,
	REAP_EXPLORING = WIRE_STA_EXPLORING,
	REAP_INBOUND_OK = WIRE_STA_INBOUND_OK,
};

/* Why an episode began or a pair was changed: for events and the log. */
enum reap_cause {
	REAP_CAUSE_NONE,
	REAP_CAUSE_SEND_TIMEOUT, /* E4 */
	REAP_CAUSE_PEER_PROBE,	 /* E7: the peer explores */
	REAP_CAUSE_LOCAL_DOWN,	 /* E10: a local locator is gone or its link is down */
	REAP_CAUSE_PEER_BROKEN,	 /* E10: the peer marks its locator BROKEN or took it away */
	REAP_CAUSE_HINT,	 /* ICMPv6 error, neighbour failure, application feedback */
	REAP_CAUSE_COMMAND,	 /* operator or API asked */
	/* from here on: without a failure */
	REAP_CAUSE_PREFERENCE, /* a better pair is wanted (AMB-R22) */
	REAP_CAUSE_FAIL_BACK,  /* a better pair works again */
	REAP_CAUSE_TEST,       /* does a better pair work? reap_test() */
};
const char *reap_cause_name(enum reap_cause cause);
const char *reap_state_name(enum reap_state state);

#define REAP_TEST_PATIENCE UINT64_C(2000000000) /* for the current pair to answer in a test; then it is a search */

enum reap_locator_flag {
	REAP_LOC_DOWN = 1u << 0,   /* local: not operational (link down); peer: BROKEN. Probed last */
	REAP_LOC_GONE = 1u << 1,   /* no longer ours or theirs: never probed, never used (PX-21) */
	REAP_LOC_PROBED = 1u << 2, /* peer: return routability shown once (PN-07) */
	REAP_LOC_UNTOLD = 1u << 3, /* local, with GONE: the peer has not acknowledged it yet (PA-21) */
};

struct reap_locator {
	struct shim6_addr addr;
	uint8_t flags;	  /* enum reap_locator_flag */
	uint8_t priority; /* lower is preferred (W-59); 0 without preferences */
	uint8_t weight;
	uint8_t turn; /* within its priority, drawn by weight; 0 without weights (prefer.c) */
};

/* The candidate set; owned by the context, which tells of each change. */
struct reap_locators {
	const struct reap_locator *local;
	unsigned n_local;
	const struct reap_locator *peer;
	unsigned n_peer;
};

struct reap_config {
	uint64_t send_timeout;	       /* S, ns; whole seconds (AMB-R26) */
	unsigned send_jitter_percent;  /* S is drawn from [S, S + this]; at most 10 (PT-19) */
	uint64_t initial_probe_gap;    /* PC-01, ns */
	unsigned initial_probes;       /* PC-02 */
	uint64_t max_probe_gap;	       /* PC-03, ns */
	unsigned probe_jitter_percent; /* +- (PT-19) */
	uint64_t report_grace;	       /* PC-09, ns */
	unsigned triggered_per_second; /* PX-20 */
};
void reap_config_default(struct reap_config *c); /* RFC 5534 section 7 and the HARD rows */

/* Start times lent by the data path; 0 = the timer does not run. */
struct reap_timers {
	uint64_t send_t0;
	uint64_t ka_t0;
	bool send_dirty; /* a call changed send_t0: write it back */
	bool ka_dirty;
};

/*
 * What the machine asks of its owner. All are called from within a verb;
 * state_changed, episode_begin and episode_end come last in it, in this order.
 * None may call a verb or reap_stop() on the machine.
 */
struct reap_ops {
	void (*send_keepalive)(void *owner, const struct shim6_pair *pair);
	/* sent[0] is this probe. false: it could not be sent from here (PX-21) or the
	 * host-wide probe budget is used up (PX-20); the machine then tries later.
	 * reply: it answers something that just came (PX-16, PX-17) and is not in the schedule. */
	bool (*send_probe)(void *owner, const struct shim6_pair *pair, bool reply, enum wire_sta sta,
			   const struct wire_record *sent, unsigned n_sent, const struct wire_record *received,
			   unsigned n_received);
	/* An episode began (state left OPERATIONAL). */
	void (*episode_begin)(void *owner, enum reap_cause cause);
	/* It ended; old may equal new. elapsed ns since it began, probes we sent in it. Called once more if a late
	 * report moves the pair within the report grace (E8 in OP). */
	void (*episode_end)(void *owner, enum reap_cause cause, const struct shim6_pair *old_pair,
			    const struct shim6_pair *new_pair, uint64_t elapsed, unsigned probes);
	void (*state_changed)(void *owner, enum reap_state from, enum reap_state to);
	/* Return routability of a peer locator is proved (PN-07). */
	void (*peer_probed)(void *owner, const struct shim6_addr *locator);
	uint32_t (*random32)(void *owner);
};

struct reap_episode; /* history, order and schedule; exists from leaving OP until 10 s after the return */

struct reap {
	const struct reap_config *config;
	const struct reap_ops *ops;
	void *owner;
	struct shim6_pair current;   /* the pair payload uses */
	uint64_t send_timeout;	     /* S with this context's jitter */
	uint64_t keepalive_timeout;  /* X, ns */
	uint64_t keepalive_interval; /* Y, drawn from [X/3, X/2] (PT-08) */
	uint64_t keepalive_sent;     /* when the last one of this timer run left; 0 none */
	struct reap_episode *episode;
	uint64_t triggered_next; /* rate of triggered probes (PX-20) */
	uint8_t state;		 /* enum reap_state */
	bool test_passed;	 /* the pair of the last reap_test() has answered */
	bool current_down;	 /* the current pair is known to be down, and an episode has dealt with it */
	/* counters for status */
	uint32_t episodes, keepalives_sent, probes_sent, probes_received;
	uint32_t probes_stale;	    /* changed nothing: AMB-R12, AMB-R30 */
	uint32_t record_mismatch;   /* first sent record is not the packet's addresses (AMB-R13) */
	uint32_t records_unknown;   /* reports of probes that we did not send (PN-10) */
	uint32_t triggered_refused; /* PX-20 */
	uint32_t probe_refused;	    /* by ops->send_probe */
	uint32_t out_of_memory;	    /* episodes that could not begin */
};

/* Initial state OP on the given pair, no timer running. config, ops and owner must outlive r. */
void reap_init(struct reap *r, const struct reap_config *config, const struct reap_ops *ops, void *owner,
	       const struct shim6_pair *current);
/* Frees the episode; no callback (E12). The struct may be initialised again. */
void reap_stop(struct reap *r);
/* Peer's Keepalive Timeout option, seconds; 0 ignored, clamped to [3, 3600] (PF-22, PT-22). */
void reap_set_keepalive_timeout(struct reap *r, unsigned seconds);
/* Another S for this context, ns; reap_init() takes the configured one. Jitter is added here. */
void reap_set_send_timeout(struct reap *r, uint64_t send_timeout);

/*
 * Event verbs. Payload verbs are for packets the data path does not stamp
 * itself: Shim6 control other than Keepalive and Probe (3.1), and the data
 * path's one-time notice of the first payload (SHIM6_NOTIFY_*).
 */
void reap_payload_sent(struct reap *r, uint64_t now, struct reap_timers *t);
void reap_payload_received(struct reap *r, uint64_t now, struct reap_timers *t);
void reap_keepalive_received(struct reap *r, uint64_t now, struct reap_timers *t, const struct shim6_pair *arrival);
/* m is a decoded Probe; arrival is the pair it came on, our end first. */
void reap_probe_received(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l,
			 const struct shim6_pair *arrival, const struct wire_msg *m);
/* Everything due at now: Send Timeout, Keepalives, probe schedule, report grace. */
void reap_timer(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l);
/* When reap_timer() wants to run; REAP_NEVER when idle. May be early, never late. */
uint64_t reap_deadline(const struct reap *r, uint64_t now, const struct reap_timers *t);
/* Start exploring now (E10, hints, commands). wanted: pair to try first, or NULL. No effect in EX or IN
 * other than putting wanted to the front. */
void reap_explore(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l,
		  enum reap_cause cause, const struct shim6_pair *wanted);
/*
 * Find out whether this pair works, and stay on the current one: an episode that
 * begins with the pair and ends when the current one answers, as it does half a
 * second later. Should the current one keep silent, the episode is like any other.
 * The answer is in test_passed. No effect outside Operational.
 */
void reap_test(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l,
	       const struct shim6_pair *pair);
/* The candidate set changed (E11, AMB-R28): begins an episode if the current pair is down or gone (E10). */
void reap_locators_changed(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l,
			   enum reap_cause cause);
/* What the data path must report: SHIM6_NOTIFY_RX in EX, both when idle, else 0. */
unsigned reap_wants_notify(const struct reap *r, const struct reap_timers *t);

/*
 * The order of exploration (PX-15), for tests and status: fills out with at most
 * cap pairs, best first; returns how many pairs there are.
 */
size_t reap_pair_order(const struct reap_locators *l, const struct shim6_pair *current, struct shim6_pair *out,
		       size_t cap);

#endif
