/* SPDX-License-Identifier: MIT */
/*
 * The Shim6 protocol engine (RFC 5533, 5534), sans I/O.
 *
 * Time is an argument (CLOCK_MONOTONIC nanoseconds), input is bytes or a fact,
 * output goes through struct engine_ops, and engine_next_deadline() says when
 * to call engine_timer(). No socket, clock, thread, global or stdio; memory
 * comes from malloc and is bounded by struct engine_config. Not thread safe: one
 * engine belongs to one thread.
 *
 * The same engine runs in shim6d, in the simulator and under the fuzzers.
 */
#ifndef SHIM6_ENGINE_ENGINE_H
#define SHIM6_ENGINE_ENGINE_H

#include "engine/projection.h"
#include "engine/reap.h"
#include "wire/wire.h"

#define ENGINE_NEVER UINT64_MAX
#define ENGINE_NO_SLOT UINT32_MAX
#define ENGINE_MAX_LOCATORS REAP_MAX_LOCATORS

struct engine;

enum engine_state {
	ENGINE_IDLE, /* no context: only in engine_peer_status() */
	ENGINE_I1_SENT,
	ENGINE_I2_SENT,
	ENGINE_I2BIS_SENT,
	ENGINE_ESTABLISHED,
	ENGINE_E_FAILED,
	ENGINE_NO_SUPPORT,
};
const char *engine_state_name(enum engine_state s); /* "I1-SENT", as the RFC writes */

/* Every admin variable (T-10, M-12); engine_config_default() holds the RFC's values. */
struct engine_config {
	struct reap_config reap;
	/* establishment, section 5 of the rows; ns */
	uint64_t i1_timeout, i2_timeout, i2bis_timeout;
	unsigned i1_retries_max, i2_retries_max, i2bis_retries_max;
	uint64_t update_timeout, max_update_timeout; /* (U-07, T-07) */
	uint64_t no_r1_holddown, icmp_holddown;
	uint64_t validator_lifetime; /* nonce age accepted (E-61, A-36) */
	uint64_t secret_lifetime;    /* rotation period of S (E-27, Z-02) */
	uint64_t idle_timeout;	     /* K-04 */
	uint64_t tag_quarantine;     /* G-09 */
	uint64_t ulid_grace;	     /* Y-06: a vanished local ULID is forgotten after this */
	unsigned min_sec;	     /* of a peer's ULID and HBAs (AMB-H20); 0: no policy (HV-09) */
	uint64_t fail_back;	     /* a better pair must have worked for so long; 0 at once, ENGINE_NEVER */
	bool initiate;		     /* false: only answer */
	bool deliver_errors;	     /* no ICMPv6 error is kept from the socket (I-02) */
	/* limits */
	unsigned max_contexts;	      /* Z-08 */
	unsigned max_contexts_per_64; /* per /64 of the peer */
	unsigned max_forks;	      /* per ULID pair, beside the default context (H-07) */
	unsigned max_negative;	      /* E-FAILED and NO-SUPPORT entries */
	unsigned replies_per_second;  /* R1, R1bis, Error, R2 to I1: whole host (Z-06) */
	unsigned replies_per_64;      /* the same per /64 */
	unsigned probes_per_second;   /* whole host (PX-20); as many replies, as many Update Requests */
};
void engine_config_default(struct engine_config *c);

/* --- output ------------------------------------------------------------- */

enum engine_event_type {
	ENGINE_EV_NEW, /* an I1 was sent: context in I1-SENT */
	ENGINE_EV_ESTABLISHED,
	ENGINE_EV_FAILED,     /* negative cache entry made */
	ENGINE_EV_EXPLORING,  /* REAP left Operational */
	ENGINE_EV_SWITCHED,   /* episode ended on another pair */
	ENGINE_EV_RECOVERED,  /* episode ended on the same pair */
	ENGINE_EV_RECOVERING, /* R1bis accepted, I2bis sent */
	ENGINE_EV_LOCATORS,   /* Ls(peer) or Ls(local) changed */
	ENGINE_EV_GONE,	      /* context removed */
};
const char *engine_event_name(enum engine_event_type t); /* "established", ... */

enum engine_reason {
	ENGINE_WHY_NONE,
	ENGINE_WHY_TRIGGER, /* deferral policy */
	ENGINE_WHY_COMMAND,
	ENGINE_WHY_PEER,	 /* the peer asked */
	ENGINE_WHY_SEND_TIMEOUT, /* as REAP_CAUSE_* from here to PREFERENCE */
	ENGINE_WHY_PEER_PROBE,
	ENGINE_WHY_LOCAL_DOWN,
	ENGINE_WHY_PEER_BROKEN,
	ENGINE_WHY_HINT,
	ENGINE_WHY_PREFERENCE,
	ENGINE_WHY_NO_ANSWER,  /* I1 retries used up */
	ENGINE_WHY_NO_SUPPORT, /* ICMPv6 unrecognised next header */
	ENGINE_WHY_IDLE,
	ENGINE_WHY_ULID_GONE,
	ENGINE_WHY_CONFUSION, /* another context took its CT(peer) */
	ENGINE_WHY_SHUTDOWN,
	ENGINE_WHY_DATAPATH,  /* the data path refused the projection */
	ENGINE_WHY_FAIL_BACK, /* a better pair works again */
	ENGINE_WHY_TEST,      /* the pair in use kept silent while a better one was tested */
};
const char *engine_reason_text(enum engine_reason r); /* "nothing heard for the Send Timeout", ... */

struct engine_event {
	enum engine_event_type type;
	enum engine_reason reason;
	uint64_t now;
	uint64_t id;   /* never reused while the engine lives (and across restore) */
	uint32_t slot; /* the data path's handle */
	struct shim6_pair ulid;
	uint32_t fii;
	struct shim6_pair from, to; /* SWITCHED, RECOVERED; EXPLORING: from = current */
	uint64_t elapsed;	    /* SWITCHED, RECOVERED: ns since the episode began */
	uint64_t silence; /* EXPLORING, SWITCHED: ns since the last payload was received before it, 0 unknown */
	unsigned probes;  /* probes we sent in the episode */
};

/* No operation may call the engine: it is in the middle of something. */
struct engine_ops {
	/* Send one control message; msg is the Shim6 header, protocol 140. Failure is the caller's to count. */
	bool (*send)(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		     size_t len);
	/* Install or change the projection of a slot. false: refused (full); the engine then drops the context. */
	bool (*dp_install)(void *user, uint32_t slot, const struct shim6_projection *p);
	void (*dp_remove)(void *user, uint32_t slot);
	/* Read the stamps; false: unknown slot (all zero is assumed). */
	bool (*dp_stamps)(void *user, uint32_t slot, struct shim6_stamps *out);
	/* Overwrite the REAP timers; NULL leaves one alone. */
	void (*dp_set_timers)(void *user, uint32_t slot, const uint64_t *send_t0, const uint64_t *ka_t0);
	/* Report the next packet once (enum shim6_notify bits; 0 withdraws). */
	void (*dp_notify)(void *user, uint32_t slot, unsigned mask);
	/* Is this ULID pair in use by a socket, though no packet was seen (K-02)? NULL: never. */
	bool (*in_use)(void *user, uint64_t now, const struct shim6_pair *ulid);
	void (*event)(void *user, const struct engine_event *ev);
	void (*random)(void *user, void *buf, size_t len); /* cryptographic (G-09, PN-02) */
	/* A CGA signature with the key of this ULID's set, engine_hba_set.signature_len octets (HS-01). false: cannot.
	 * NULL: no set has a key. */
	bool (*sign)(void *user, const struct shim6_addr *ulid, uint32_t generation, const struct shim6_addr *locators,
		     unsigned n, uint8_t *sig);
};

struct engine *engine_new(const struct engine_config *c, const struct engine_ops *ops, void *user, uint64_t now);
/* Removes every projection, tells GONE/shutdown unless quiet, frees all. */
void engine_free(struct engine *e, bool quiet);
/* New values count from the next use; running timers keep theirs. Peers are told of another Send Timeout (PF-21). */
void engine_reconfigure(struct engine *e, uint64_t now, const struct engine_config *c);

/* --- what this host is -------------------------------------------------- */

enum engine_local_flag {
	ENGINE_LOCAL_DOWN = 1u << 0,	   /* assigned, but its link is down or its router unreachable (PA-06) */
	ENGINE_LOCAL_DEPRECATED = 1u << 1, /* stays available (PA-04) */
};

struct engine_local {
	struct shim6_addr addr;
	uint8_t flags;
	uint8_t priority, weight;
	int set; /* index of its HBA set in sets[], -1: none: a context from it has one locator */
};

/* One HBA set: members in set order, each with its own PDS. Copied. */
struct engine_hba_set {
	unsigned n;
	const struct shim6_addr *addr;
	const uint8_t *const *pds;
	size_t pds_len;
	size_t signature_len; /* of what ops.sign makes; 0: the set has no key */
};

/*
 * The complete picture of local addresses; call again on each change. Locators
 * that vanish or go down are treated as E10; ULIDs that vanish end their
 * contexts after ulid_grace (Y-01, Y-06). Returns 0, or -1 when out of memory
 * (the old picture stays).
 */
int engine_set_local(struct engine *e, uint64_t now, const struct engine_local *locals, unsigned n,
		     const struct engine_hba_set *sets, unsigned n_sets);

/* --- input -------------------------------------------------------------- */

/* A Shim6 control message: buf from the Shim6 header on; src and dst of its IPv6 header. */
void engine_input_control(struct engine *e, uint64_t now, const struct shim6_addr *src, const struct shim6_addr *dst,
			  const uint8_t *buf, size_t len);
/* The data path dropped a tagged payload packet: no context has that CT(local) (D-15, R-01). */
void engine_input_unknown_tag(struct engine *e, uint64_t now, const struct shim6_addr *src,
			      const struct shim6_addr *dst, uint64_t tag);
/* An ICMPv6 error whose quote (from its IPv6 header) is a packet of protocol 140 that we sent, still in
 * locators (L-08, I-15). */
void engine_input_icmp(struct engine *e, uint64_t now, uint8_t type, uint8_t code, uint32_t param, const uint8_t *quote,
		       size_t len);
/* A ULID pair deserves a context (E-01). */
void engine_trigger(struct engine *e, uint64_t now, const struct shim6_pair *ulid);
/* The data path's notice that was asked for by dp_notify. */
void engine_activity(struct engine *e, uint64_t now, uint32_t slot, unsigned mask);
/* Something suggests that a context's current pair is broken: test it (I-16, PA-12). */
void engine_hint(struct engine *e, uint64_t now, uint32_t slot);
void engine_timer(struct engine *e, uint64_t now);
uint64_t engine_next_deadline(const struct engine *e);

/* --- commands ----------------------------------------------------------- */

enum engine_result {
	ENGINE_OK = 0,
	ENGINE_E_NO_CONTEXT = -1,
	ENGINE_E_NOT_LOCAL = -2, /* that ULID is not ours */
	ENGINE_E_BAD_ADDRESS = -3,
	ENGINE_E_LIMIT = -4,
	ENGINE_E_EXISTS = -5,
	ENGINE_E_NOMEM = -6,
	ENGINE_E_STATE = -7,	/* not ESTABLISHED */
	ENGINE_E_FORMAT = -8,	/* restore: not a saved context, or of another version */
	ENGINE_E_ONE_PAIR = -9, /* nothing to explore */
};
const char *engine_result_text(int result);

int engine_establish(struct engine *e, uint64_t now, const struct shim6_pair *ulid); /* ignores negative cache */
int engine_explore(struct engine *e, uint64_t now, uint64_t id, const struct shim6_pair *wanted /* or NULL */);
int engine_drop(struct engine *e, uint64_t now, uint64_t id);

/* --- status ------------------------------------------------------------- */

struct engine_locator_info {
	struct shim6_addr addr;
	uint8_t flags;	/* enum reap_locator_flag */
	uint8_t method; /* WIRE_METHOD_*, 0: the ULID itself, unverified list */
	uint8_t priority, weight;
	bool verified; /* peer: HBA or CGA proved; local: the peer knows of it */
};

struct engine_ctx_info {
	uint64_t id;
	uint32_t slot;
	enum engine_state state;
	struct shim6_pair ulid;
	uint32_t fii;
	uint64_t ct_local, ct_peer;
	struct shim6_pair current;
	enum reap_state reap;
	uint64_t send_timeout, keepalive_timeout; /* ns */
	bool initiator;
	uint64_t created, established; /* now-clock ns; 0: not yet */
	unsigned n_local, n_peer;
	struct engine_locator_info local[ENGINE_MAX_LOCATORS], peer[ENGINE_MAX_LOCATORS];
	/* the last switch; from and to are zero before the first */
	uint64_t switch_time, switch_elapsed;
	enum engine_reason switch_reason;
	struct shim6_pair switch_from, switch_to;
	uint32_t switches, episodes, probes_sent, probes_received, keepalives_sent, keepalives_received;
	struct shim6_stamps stamps;
	/* the better pair that it goes to when that has worked for long enough; zero: it is on the best one */
	struct shim6_pair better;
	uint64_t better_since; /* when it began to work; 0: it does not, as far as known */
	uint64_t better_hold;  /* ns that it must work */
};
/* Calls fn for each context, oldest first; a non-zero return stops and is returned. fn must not change the engine. */
int engine_each(struct engine *e, int (*fn)(void *arg, const struct engine_ctx_info *info), void *arg);
bool engine_get(struct engine *e, uint64_t id, struct engine_ctx_info *out);
bool engine_slot_id(const struct engine *e, uint32_t slot, uint64_t *id);

/*
 * For those who watch: which context a decoded control message is of, that was sent, or received and handled.
 * pair: our end first. false: of none, as an R1 or R1bis that we send.
 */
bool engine_owner(const struct engine *e, const struct shim6_pair *pair, bool sent, const struct wire_msg *m,
		  uint64_t *id);
/* The ULID pair that an I1, I2 or I2bis names: its option, or its addresses. Of other messages: their addresses. */
void engine_message_ulids(const struct shim6_pair *pair, bool sent, const struct wire_msg *m, struct shim6_pair *ulid);

struct engine_negative_info {
	struct shim6_pair ulid;	 /* local unspecified: any */
	enum engine_state state; /* E_FAILED or NO_SUPPORT */
	uint64_t until;
};
int engine_each_negative(struct engine *e, int (*fn)(void *arg, const struct engine_negative_info *info), void *arg);

/*
 * Counters: every message sent and received by type, every refusal by reason.
 * Index 0 .. engine_counter_count()-1; names are stable ("drop_checksum").
 */
unsigned engine_counter_count(void);
const char *engine_counter_name(unsigned i);
uint64_t engine_counter(const struct engine *e, unsigned i);

/* --- state across restarts ---------------------------------------------- */

#define ENGINE_SAVED_MAX 2048 /* octets; what engine_save() may need */

/*
 * A context as bytes, to be kept outside the process; enough for a new engine
 * to go on with it on the same boot (same clock, same slot, same data path).
 * Only ESTABLISHED and I2BIS-SENT contexts are saved. Returns octets, 0 if the
 * context is not to be saved, negative enum engine_result.
 */
int engine_save(struct engine *e, uint64_t id, uint8_t *buf, size_t cap);
/* engine_set_local() must have been called. Installs the projection again. ENGINE_E_* on refusal. */
int engine_restore(struct engine *e, uint64_t now, const uint8_t *buf, size_t len);

#endif
