/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim-bench: what a handshake and a context cost.
 *
 * Handshakes: two simulated hosts with 2x2 locators, both ends on one core, I1
 * to R2, then both contexts dropped. Memory: one engine, and many peers played
 * by hand, each with two locators of its own HBA set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/internal.h"
#include "harness.h"

#define HANDSHAKES 20000
#define PEERS 8192

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "sim-bench: %s\n", what);
	exit(1);
}

static void drop(struct sim_host *h, const struct shim6_pair *ulid)
{
	struct engine_ctx_info info;

	if (!sim_context(h, ulid, &info) || info.state != ENGINE_ESTABLISHED)
		die("no context after a handshake");
	sim_drop(h, info.id);
}

static void handshakes(void)
{
	struct sim *s = sim_new(1);
	struct shim6_pair ulid, back;
	double began;

	sim_add_host(s, 2, false);
	sim_add_host(s, 2, false);
	sim_start(s);
	ulid = sim_ulids(s, 0, 0, 1, 0);
	back = (struct shim6_pair){ .local = ulid.peer, .peer = ulid.local };
	began = cpu_seconds();
	for (unsigned i = 0; i < HANDSHAKES; i++) {
		sim_establish(&s->host[0], &ulid);
		sim_run(s, 50 * SIM_MS);
		drop(&s->host[0], &ulid);
		drop(&s->host[1], &back);
	}
	began = cpu_seconds() - began;
	printf("handshakes, both ends: %.0f per second and core (%.1f us each)\n", HANDSHAKES / began,
	       began / HANDSHAKES * 1e6);
	sim_free(s);
}

/* --- many peers --------------------------------------------------------- */

struct peer {
	struct shim6_addr addr[2];
	uint8_t pds[256];
	size_t pds_len;
};

struct host {
	struct sim *random;
	uint8_t last[WIRE_MAX_MSG];
	size_t len;
};

static bool op_send(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		    size_t len)
{
	struct host *h = user;

	(void)src;
	(void)dst;
	memcpy(h->last, msg, len);
	h->len = len;
	return true;
}

static bool op_install(void *user, uint32_t slot, const struct shim6_projection *p)
{
	(void)user;
	(void)slot;
	(void)p;
	return true;
}

static void op_remove(void *user, uint32_t slot)
{
	(void)user;
	(void)slot;
}

static bool op_stamps(void *user, uint32_t slot, struct shim6_stamps *out)
{
	(void)user;
	(void)slot;
	*out = (struct shim6_stamps){ 0 };
	return true;
}

static void op_timers(void *user, uint32_t slot, const uint64_t *send_t0, const uint64_t *ka_t0)
{
	(void)user;
	(void)slot;
	(void)send_t0;
	(void)ka_t0;
}

static void op_notify(void *user, uint32_t slot, unsigned mask)
{
	(void)user;
	(void)slot;
	(void)mask;
}

static void op_event(void *user, const struct engine_event *ev)
{
	(void)user;
	(void)ev;
}

static void op_random(void *user, void *buf, size_t len)
{
	struct host *h = user;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)sim_random(h->random);
}

static const struct engine_ops ops = {
	.send = op_send,
	.dp_install = op_install,
	.dp_remove = op_remove,
	.dp_stamps = op_stamps,
	.dp_set_timers = op_timers,
	.dp_notify = op_notify,
	.event = op_event,
	.random = op_random,
};

static void make_peer(struct sim *s, unsigned index, struct peer *p)
{
	uint8_t prefix[2][8] = { { 0x20, 0x01, 0x0d, 0xb8, 1 }, { 0x20, 0x01, 0x0d, 0xb8, 2 } };
	uint8_t modifier[16], nonce[CGA_HBA_NONCE];
	struct cga_gen g = {
		.prefixes = (const uint8_t(*)[8])prefix, .n_prefixes = 2, .modifier = modifier, .nonce = nonce
	};
	struct cga_set set;

	for (unsigned i = 0; i < 2; i++) {
		prefix[i][6] = (uint8_t)(index >> 8);
		prefix[i][7] = (uint8_t)index;
	}
	for (unsigned i = 0; i < sizeof(modifier); i++)
		modifier[i] = (uint8_t)sim_random(s);
	for (unsigned i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)(sim_random(s) | 0x80);
	if (cga_generate(&g, &set) != CGA_OK || set.pds_len > sizeof(p->pds))
		die("no HBA set");
	memcpy(p->addr, set.addr, sizeof(p->addr));
	memcpy(p->pds, set.pds[0], set.pds_len);
	p->pds_len = set.pds_len;
}

static void greet(struct engine *e, struct host *h, uint64_t now, const struct shim6_addr *self, const struct peer *p,
		  unsigned index)
{
	static const uint8_t method[2] = { WIRE_METHOD_HBA, WIRE_METHOD_HBA };
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;
	struct wire_msg r1;
	size_t offset;

	wire_begin_i1(&b, buf, sizeof(buf), index, index + 1);
	engine_input_control(e, now, &p->addr[0], self, buf, wire_finish(&b));
	if (wire_decode(h->last, h->len, &r1, &offset) != WIRE_OK || r1.type != WIRE_R1)
		die("no R1");
	wire_begin_i2(&b, buf, sizeof(buf), index, index + 1, r1.resp_nonce);
	wire_opt_validator(&b, r1.validator.p, r1.validator.len);
	wire_opt_locator_list(&b, 1, p->addr, method, 2);
	wire_opt_pds(&b, p->pds, p->pds_len);
	engine_input_control(e, now, &p->addr[0], self, buf, wire_finish(&b));
	if ((h->last[2] & 0x7f) != WIRE_R2)
		die("no R2");
}

static void contexts(void)
{
	struct sim *s = sim_new(2);
	struct sim_host *self = sim_add_host(s, 2, false);
	const uint8_t *pds[2] = { self->set.pds[0], self->set.pds[1] };
	struct engine_hba_set set = { .n = 2, .addr = self->addr, .pds = pds, .pds_len = self->set.pds_len };
	struct engine_local local[2] = { { .addr = self->addr[0] }, { .addr = self->addr[1] } };
	struct peer *peer = calloc(PEERS, sizeof(*peer));
	struct host h = { .random = s };
	struct engine_config c;
	uint64_t memory = 0, empty, now = SIM_START;
	struct engine *e;
	double began;

	if (!peer)
		die("out of memory");
	for (unsigned i = 0; i < PEERS; i++)
		make_peer(s, i, &peer[i]);
	engine_config_default(&c);
	sim_memory_of = &memory;
	e = engine_new(&c, &ops, &h, now);
	if (!e || engine_set_local(e, now, local, 2, &set, 1))
		die("no engine");
	empty = memory;
	began = cpu_seconds();
	for (unsigned i = 0; i < PEERS; i++) {
		now += 40 * SIM_MS;
		greet(e, &h, now, &self->addr[0], &peer[i], i);
	}
	began = cpu_seconds() - began;
	printf("handshakes, responder: %.0f per second and core (%.1f us each)\n", PEERS / began, began / PEERS * 1e6);
	printf("memory of an established context with 2x2 locators: %.0f octets (struct context %zu, a peer locator "
	       "%zu, a local one %zu, PDS %zu)\n",
	       (double)(memory - empty) / PEERS, sizeof(struct context),
	       sizeof(struct peer_locator) + sizeof(struct reap_locator), sizeof(struct reap_locator), set.pds_len);
	printf("memory of an engine without contexts: %llu octets\n", (unsigned long long)empty);
	engine_free(e, true);
	sim_memory_of = NULL;
	if (memory)
		die("memory left behind");
	free(peer);
	sim_free(s);
}

int main(void)
{
	handshakes();
	contexts();
	return 0;
}
