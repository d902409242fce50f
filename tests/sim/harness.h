/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network in memory and in virtual time: hosts with real engines and HBA
 * sets, a simulated data path in each, paths with delay, jitter, loss,
 * duplication and cuts, and flows of payload. Everything random comes from one
 * seed, so that a run can be had again.
 *
 *	harness.c    the simulation, hosts, the engine's operations, time
 *	network.c    packets on their way
 *	dataplane.c  what datapath.h and projection.h ask of a data path
 */
#ifndef SHIM6_SIM_HARNESS_H
#define SHIM6_SIM_HARNESS_H

#include "cga/cga.h"
#include "engine/engine.h"

#define SIM_HOSTS 8
#define SIM_LOCATORS 8
#define SIM_SLOTS 256
#define SIM_FLOWS 16
#define SIM_EVENTS 256
#define SIM_PAIRS 32 /* ULID pairs that a data path counts */
#define SIM_SECOND UINT64_C(1000000000)
#define SIM_MS UINT64_C(1000000)
#define SIM_START (1000 * SIM_SECOND) /* of virtual time */
#define SIM_PEER_MAX 128	      /* control message types */

struct sim;
struct sim_host;

struct sim_message {
	struct shim6_addr src, dst;
	uint8_t buf[WIRE_MAX_PACKET];
	size_t len; /* 0: none yet */
	uint64_t at;
	uint8_t proof;
};

enum sim_kind {
	SIM_PAYLOAD,
	SIM_CONTROL,
	SIM_NOTICE, /* from a data path to its engine; never on the network */
	SIM_UNKNOWN_TAG,
	SIM_ICMP,
};

struct sim_packet {
	uint64_t at, seq;
	enum sim_kind kind;
	unsigned from, to; /* hosts; to is known once the packet is under way */
	struct shim6_addr src, dst;
	uint8_t proof; /* locators of the sender at which it has heard the receiver's control messages */
	/* payload, notices */
	bool tagged;
	uint64_t tag;
	struct shim6_addr ulid_src, ulid_dst; /* what the transport checksum covers */
	unsigned flow;
	uint32_t slot;
	unsigned mask;
	/* control; ICMPv6: the quote */
	uint8_t icmp_type, icmp_code;
	size_t len;
	uint8_t buf[WIRE_MAX_PACKET];
};

struct sim_slot {
	bool used;
	struct shim6_projection p;
	struct shim6_stamps stamps;
	unsigned notify;
};

/* Packets of a ULID pair without a context (the data path's trigger). */
struct sim_count {
	struct shim6_pair ulid;
	unsigned packets;
	bool told;
	uint64_t retry; /* 0: not before forgotten */
};

struct sim_saved {
	uint8_t buf[ENGINE_SAVED_MAX];
	int len;
};

struct sim_host {
	struct sim *sim;
	unsigned index;
	struct engine *engine; /* NULL: the process is dead */
	bool has_config;       /* config, rather than the simulation's */
	struct engine_config config;
	bool keep_datapath; /* dp_remove has no effect: the process dies, the data path stays */
	bool refuse_install;
	uint32_t refuse_flags;	   /* projections with one of these flags are refused */
	unsigned n;		   /* locators */
	unsigned n_outside;	   /* the last of them, not in the set */
	const struct cga_key *key; /* of the set; NULL: none */
	bool no_signature;	   /* the key cannot be used */
	struct shim6_addr addr[SIM_LOCATORS];
	bool assigned[SIM_LOCATORS], down[SIM_LOCATORS];
	uint8_t priority[SIM_LOCATORS], weight[SIM_LOCATORS];
	bool single;  /* no HBA set */
	bool sockets; /* every ULID pair is in use by a socket */
	struct cga_set set;
	uint64_t tag_mask; /* of the engine's tags; 0: all 47 bits */
	/* its clock, against the simulation's: set before the start */
	uint64_t clock_ahead;
	int clock_ppm;
	uint64_t lag;		      /* the process wakes this late */
	uint64_t paused_until;	      /* the whole host stands still */
	uint64_t notice_delay;	      /* data path to engine */
	unsigned notice_loss_percent; /* of these there is no room for so many: asked again with the next packet */
	/* data path */
	struct sim_slot slot[SIM_SLOTS];
	unsigned n_slots;	  /* none is used from here on */
	unsigned trigger_packets; /* 0: never asks for a context */
	struct sim_count count[SIM_PAIRS];
	/* a dead process's contexts */
	struct sim_saved *saved;
	unsigned n_saved;
	/* what happened */
	unsigned sent[SIM_PEER_MAX];	       /* control messages by type */
	struct sim_message last[SIM_PEER_MAX]; /* the last one sent of each */
	struct engine_event event[SIM_EVENTS];
	unsigned n_events;
	unsigned delivered, tagged_delivered, misdelivered, unknown_tags;
	unsigned payload_sent, payload_tagged;
	uint8_t heard[SIM_HOSTS];  /* our locators at which control messages of that host came */
	uint8_t proven[SIM_HOSTS]; /* locators of that host that we know it hears us at */
	uint64_t memory;	   /* octets that the engine holds, where somebody counts (memory.c) */
	uint64_t timer_calls;
};

struct sim_path {
	uint64_t delay, jitter; /* each packet takes delay .. delay + jitter */
	unsigned loss_percent, duplicate_percent;
	bool reorder; /* jitter lets packets overtake */
	bool cut;
	uint64_t last; /* arrival of the last packet */
};

struct sim_flow {
	bool on;
	unsigned from;
	struct shim6_pair ulid; /* sender's view */
	uint64_t interval, next;
	bool echo; /* the receiver answers each packet */
	unsigned sent, received, answered;
	uint64_t last_received, last_answered;
	uint64_t longest_gap; /* between received packets */
};

enum sim_fate {
	SIM_FATE_SENT,
	SIM_FATE_LOST,	  /* or cut, or to nobody */
	SIM_FATE_NO_LINK, /* it could not leave the host */
	SIM_FATE_TWICE,
};

/* Sees everything; any may be NULL. */
struct sim_watcher {
	void (*packet)(struct sim *s, const struct sim_packet *p, enum sim_fate fate);
	void (*delivered)(struct sim *s, struct sim_host *h, const struct sim_packet *p);
	void (*event)(struct sim_host *h, const struct engine_event *ev);
	/* An engine was called; timer: engine_timer() was. */
	void (*called)(struct sim_host *h, bool timer);
};

struct sim {
	uint64_t now, seq, rng;
	unsigned n_hosts, n_flows;
	struct engine_config config;
	struct sim_host host[SIM_HOSTS];
	struct sim_path path[SIM_HOSTS][SIM_LOCATORS][SIM_HOSTS][SIM_LOCATORS]; /* from, to */
	struct sim_flow flow[SIM_FLOWS];
	struct sim_packet **queue; /* a heap: earliest first */
	size_t n_queue, cap_queue;
	bool icmp; /* routers tell of addresses that are not there */
	/* Sees each packet as it is sent; false: it is lost. */
	bool (*filter)(struct sim *s, struct sim_packet *p, void *arg);
	void *filter_arg;
	const struct sim_watcher *watcher;
	void *watcher_arg;
	bool stop; /* set by a watcher: the run ends */
};

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *s);
/* A host with an HBA set of n locators; single: one plain address, no set. */
struct sim_host *sim_add_host(struct sim *s, unsigned n, bool single);
/* A host whose set of n locators has this key, and more prefixes, with an address each that is not assigned. */
struct sim_host *sim_add_keyed_host(struct sim *s, unsigned n, const struct cga_key *key, unsigned outside);
/* Begin the engines with sim->config, after all hosts are there. */
void sim_start(struct sim *s);
void sim_start_host(struct sim_host *h);
/* Run until the clock shows this, or cond is true; true: cond came true. */
void sim_run_until(struct sim *s, uint64_t at);
void sim_run(struct sim *s, uint64_t ns);
bool sim_run_for(struct sim *s, uint64_t ns, bool (*cond)(struct sim *s, void *arg), void *arg);
/* What the host's own clock shows. */
uint64_t sim_clock(const struct sim_host *h);

struct shim6_pair sim_ulids(const struct sim *s, unsigned a, unsigned loc_a, unsigned b, unsigned loc_b);
/* Whose address is this? NULL: nobody's. */
struct sim_host *sim_owner(struct sim *s, const struct shim6_addr *a, unsigned *loc);
/* Tell the engine of the present local addresses. */
void sim_set_local(struct sim_host *h);
/* Both directions of one locator of a host, to and from everybody. */
void sim_cut_locator(struct sim *s, unsigned host, unsigned loc, bool cut);
/* One direction between two locators. */
void sim_cut_path(struct sim *s, unsigned a, unsigned loc_a, unsigned b, unsigned loc_b, bool cut);
/* The engine dies without a word. saved: its contexts can be had again; datapath: that stays in force. */
void sim_crash(struct sim_host *h, bool saved, bool datapath);
/* A new engine, with what was saved; what the data path has beyond that is removed. Returns how many came back. */
unsigned sim_revive(struct sim_host *h);
/* The host forgets everything: engine and data path. */
void sim_amnesia(struct sim_host *h);
/* The engine dies without a word and the data path stays; a new one gets the saved contexts. Returns how many. */
unsigned sim_restart(struct sim_host *h);

unsigned sim_flow_add(struct sim *s, unsigned from, const struct shim6_pair *ulid, uint64_t interval, bool echo);
void sim_flow_stop(struct sim *s, unsigned flow);
void sim_payload(struct sim_host *h, const struct shim6_pair *ulid, unsigned flow);

/* Calls into an engine, by its own clock. */
void sim_trigger(struct sim_host *h, const struct shim6_pair *ulid);
int sim_establish(struct sim_host *h, const struct shim6_pair *ulid);
int sim_explore(struct sim_host *h, uint64_t id, const struct shim6_pair *wanted);
int sim_drop(struct sim_host *h, uint64_t id);
void sim_hint(struct sim_host *h, uint32_t slot);
void sim_reconfigure(struct sim_host *h, const struct engine_config *c);

/* The one context of a host for a ULID pair; false: none. */
bool sim_context(struct sim_host *h, const struct shim6_pair *ulid, struct engine_ctx_info *out);
unsigned sim_context_count(struct sim_host *h);
unsigned sim_events(const struct sim_host *h, enum engine_event_type type);
const struct engine_event *sim_last_event(const struct sim_host *h, enum engine_event_type type);
uint64_t sim_counter(const struct sim_host *h, const char *name);
uint64_t sim_random(struct sim *s);
/* Give a host a control message, as if it came from src. */
void sim_inject(struct sim_host *h, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *buf,
		size_t len);

/* Whose memory the allocations of this moment are: see memory.c. NULL: nobody's. */
extern uint64_t *volatile sim_memory_of; /* volatile: the compiler believes that malloc reads no variable */

#endif
