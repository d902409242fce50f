/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network in memory and in virtual time: hosts with real engines and HBA
 * sets, a simulated data path in each, paths with delay, loss and cuts, and
 * flows of payload. Everything random comes from one seed.
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
#define SIM_SECOND UINT64_C(1000000000)
#define SIM_MS UINT64_C(1000000)
#define SIM_PEER_MAX 128 /* control message types */

struct sim;

struct sim_message {
	struct shim6_addr src, dst;
	uint8_t buf[WIRE_MAX_PACKET];
	size_t len; /* 0: none yet */
	uint64_t at;
};

struct sim_packet {
	struct sim_packet *next;
	uint64_t at, seq;
	unsigned from; /* host */
	struct shim6_addr src, dst;
	bool control;
	/* payload */
	bool tagged;
	uint64_t tag;
	struct shim6_addr ulid_src, ulid_dst; /* what the transport checksum covers */
	unsigned flow;
	/* control */
	size_t len;
	uint8_t buf[WIRE_MAX_PACKET];
};

struct sim_slot {
	bool used;
	struct shim6_projection p;
	struct shim6_stamps stamps;
	unsigned notify;
};

struct sim_host {
	struct sim *sim;
	unsigned index;
	struct engine *engine;
	bool keep_datapath; /* dp_remove has no effect: the process dies, the data path stays */
	bool refuse_install;
	uint32_t refuse_flags; /* projections with one of these flags are refused */
	unsigned n;	       /* locators */
	struct shim6_addr addr[SIM_LOCATORS];
	bool assigned[SIM_LOCATORS], down[SIM_LOCATORS];
	uint8_t priority[SIM_LOCATORS];
	bool single; /* no HBA set */
	struct cga_set set;
	struct sim_slot slot[SIM_SLOTS];
	unsigned sent[SIM_PEER_MAX];	       /* control messages by type */
	struct sim_message last[SIM_PEER_MAX]; /* the last one sent of each */
	struct engine_event event[SIM_EVENTS];
	unsigned n_events;
	unsigned delivered, tagged_delivered, misdelivered, unknown_tags;
	unsigned payload_sent, payload_tagged;
};

struct sim_path {
	uint64_t delay;
	unsigned loss_percent;
	bool cut;
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

struct sim {
	uint64_t now, seq, rng;
	unsigned n_hosts, n_flows;
	struct engine_config config;
	struct sim_host host[SIM_HOSTS];
	struct sim_path path[SIM_HOSTS][SIM_LOCATORS][SIM_HOSTS][SIM_LOCATORS]; /* from, to */
	struct sim_flow flow[SIM_FLOWS];
	struct sim_packet *queue;
	/* Sees each packet as it is sent; false: it is lost. */
	bool (*filter)(struct sim *s, struct sim_packet *p, void *arg);
	void *filter_arg;
};

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *s);
/* A host with an HBA set of n locators; single: one plain address, no set. */
struct sim_host *sim_add_host(struct sim *s, unsigned n, bool single);
/* Begin the engines with sim->config, after all hosts are there. */
void sim_start(struct sim *s);
void sim_start_host(struct sim_host *h);
/* Run until the clock shows this, or cond is true; true: cond came true. */
void sim_run_until(struct sim *s, uint64_t at);
void sim_run(struct sim *s, uint64_t ns);
bool sim_run_for(struct sim *s, uint64_t ns, bool (*cond)(struct sim *s, void *arg), void *arg);

struct shim6_pair sim_ulids(const struct sim *s, unsigned a, unsigned loc_a, unsigned b, unsigned loc_b);
/* Tell the engine of the present local addresses. */
void sim_set_local(struct sim_host *h);
/* Both directions of one locator of a host, to and from everybody. */
void sim_cut_locator(struct sim *s, unsigned host, unsigned loc, bool cut);
/* One direction between two locators. */
void sim_cut_path(struct sim *s, unsigned a, unsigned loc_a, unsigned b, unsigned loc_b, bool cut);
/* The host forgets everything: engine and data path. */
void sim_amnesia(struct sim_host *h);
/* The engine dies without a word and the data path stays; a new one gets the saved contexts. Returns how many. */
unsigned sim_restart(struct sim_host *h);

unsigned sim_flow_add(struct sim *s, unsigned from, const struct shim6_pair *ulid, uint64_t interval, bool echo);
void sim_flow_stop(struct sim *s, unsigned flow);
void sim_payload(struct sim_host *h, const struct shim6_pair *ulid, unsigned flow);

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

#endif
