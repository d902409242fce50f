/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim-bench: what the engine costs, in time of one processor and in memory.
 *
 *	sim-bench [N]
 *
 * Handshakes between two simulated hosts with 2x2 locators, both ends on one
 * core, I1 to R2. Then one engine with N peers played by hand, each with two
 * locators of its own HBA set and every context made by a whole handshake: what
 * a context takes, what it costs to save it, and what happens to all of them at
 * once when a link goes down.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/internal.h"
#include "engine/reap_episode.h"
#include "harness.h"

#define HANDSHAKES 20000
#define VERIFICATIONS 200000
#define LOCATORS 2

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

static void report(const char *what, double since, unsigned n)
{
	double t = cpu_seconds() - since;

	printf("%-44s %8.3f s %10.0f ns each %10.0f per second\n", what, t, t / n * 1e9, n / t);
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
	report("handshakes, both ends", began, HANDSHAKES);
	sim_free(s);
}

/* --- many peers --------------------------------------------------------- */

struct host {
	struct engine *e;
	struct shim6_stamps *stamps;
	unsigned n_slots;
	uint64_t rng, now, sent, memory;
	uint8_t last[WIRE_MAX_MSG];
	size_t last_len;
};

/* --- a world of nothing ---------------------------------------------------- */

static bool op_send(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		    size_t len)
{
	struct host *h = user;

	(void)src;
	(void)dst;
	memcpy(h->last, msg, len);
	h->last_len = len;
	h->sent++;
	return true;
}

static bool op_install(void *user, uint32_t slot, const struct shim6_projection *p)
{
	(void)p;
	return slot < ((struct host *)user)->n_slots;
}

static void op_remove(void *user, uint32_t slot)
{
	((struct host *)user)->stamps[slot] = (struct shim6_stamps){ 0 };
}

static bool op_stamps(void *user, uint32_t slot, struct shim6_stamps *out)
{
	*out = ((struct host *)user)->stamps[slot];
	return true;
}

static void op_timers(void *user, uint32_t slot, const uint64_t *send_t0, const uint64_t *ka_t0)
{
	struct shim6_stamps *st = &((struct host *)user)->stamps[slot];

	if (send_t0)
		st->send_t0 = *send_t0;
	if (ka_t0)
		st->ka_t0 = *ka_t0;
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
	uint8_t *p = buf;

	while (len--) {
		h->rng = h->rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		*p++ = (uint8_t)(h->rng >> 56);
	}
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

/* --- peers ------------------------------------------------------------------ */

struct peer {
	struct shim6_addr addr[LOCATORS];
	uint8_t pds[256];
	size_t pds_len;
};

static void hba(struct cga_set *out, uint32_t index)
{
	const uint8_t head[4] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint8_t prefix[LOCATORS][8], modifier[16] = { 0 }, nonce[CGA_HBA_NONCE] = { [0] = 0x80 };
	struct cga_gen g = {
		.prefixes = (const uint8_t(*)[8])prefix, .n_prefixes = LOCATORS, .modifier = modifier, .nonce = nonce
	};

	for (unsigned i = 0; i < LOCATORS; i++) {
		memcpy(prefix[i], head, 4);
		prefix[i][4] = (uint8_t)(index >> 16);
		prefix[i][5] = (uint8_t)(index >> 8);
		prefix[i][6] = (uint8_t)index;
		prefix[i][7] = (uint8_t)i;
	}
	memcpy(modifier, &index, sizeof(index));
	if (cga_generate(&g, out) != CGA_OK)
		die("no HBA set");
}

static struct peer *make_peers(unsigned n)
{
	struct peer *peer = calloc(n, sizeof(*peer));
	struct cga_set set;

	if (!peer)
		die("out of memory");
	for (uint32_t i = 0; i < n; i++) {
		hba(&set, i + 1);
		if (set.pds_len > sizeof(peer->pds))
			die("a PDS longer than expected");
		memcpy(peer[i].addr, set.addr, sizeof(peer[i].addr));
		memcpy(peer[i].pds, set.pds[0], set.pds_len);
		peer[i].pds_len = set.pds_len;
	}
	return peer;
}

static void to_engine(struct host *h, const struct shim6_addr *src, const struct shim6_addr *dst,
		      struct wire_builder *b)
{
	size_t len = wire_finish(b);

	if (!len)
		die("a message that no builder makes");
	engine_input_control(h->e, h->now, src, dst, b->buf, len);
}

/* I1 and I2 of one peer; what the engine answers is read from its last message. */
static void handshake(struct host *h, const struct shim6_addr *us, const struct peer *peer, uint32_t index)
{
	static const uint8_t method[LOCATORS] = { WIRE_METHOD_HBA, WIRE_METHOD_HBA };
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;
	struct wire_msg r1;
	size_t offset;

	wire_begin_i1(&b, buf, sizeof(buf), index, index);
	to_engine(h, &peer->addr[0], us, &b);
	if (wire_decode(h->last, h->last_len, &r1, &offset) != WIRE_OK || r1.type != WIRE_R1)
		die("no R1");
	wire_begin_i2(&b, buf, sizeof(buf), index, index, r1.resp_nonce);
	wire_opt_validator(&b, r1.validator.p, r1.validator.len);
	wire_opt_locator_list(&b, 1, peer->addr, method, LOCATORS);
	wire_opt_pds(&b, peer->pds, peer->pds_len);
	to_engine(h, &peer->addr[0], us, &b);
	if ((h->last[2] & 0x7f) != WIRE_R2)
		die("no R2");
}

/* --- measuring -------------------------------------------------------------- */

static void set_local(struct host *h, const struct cga_set *us, bool down)
{
	const uint8_t *pds[LOCATORS] = { us->pds[0], us->pds[1] };
	struct engine_hba_set set = { .n = LOCATORS, .addr = us->addr, .pds = pds, .pds_len = us->pds_len };
	struct engine_local local[LOCATORS] = { { .addr = us->addr[0], .flags = down ? ENGINE_LOCAL_DOWN : 0 },
						{ .addr = us->addr[1] } };

	if (engine_set_local(h->e, h->now, local, LOCATORS, &set, 1) < 0)
		die("no local addresses");
}

static void run(struct host *h, uint64_t ns)
{
	uint64_t end = h->now + ns;

	while (engine_next_deadline(h->e) <= end) {
		if (engine_next_deadline(h->e) > h->now)
			h->now = engine_next_deadline(h->e);
		engine_timer(h->e, h->now);
	}
	h->now = end;
}

static void start(struct host *h, const struct cga_set *us, unsigned n)
{
	struct engine_config config;

	engine_config_default(&config);
	config.max_contexts = n;
	config.replies_per_second = config.replies_per_64 = 1000000000;
	h->e = engine_new(&config, &ops, h, h->now);
	if (!h->e)
		die("no engine");
	set_local(h, us, false);
}

static void measure_handshakes(struct host *h, const struct cga_set *us, const struct peer *peer, unsigned n)
{
	uint64_t before = h->memory;
	double t = cpu_seconds();

	for (uint32_t i = 0; i < n; i++)
		handshake(h, &us->addr[0], &peer[i], i);
	report("handshakes, responder, verified", t, n);
	if (h->e->contexts.n != n)
		die("contexts are missing");
	printf("%-44s %8.0f octets each\n", "memory, indexes and allocator included", (double)(h->memory - before) / n);
}

static int save_one(void *arg, const struct engine_ctx_info *info)
{
	struct host *h = arg;
	uint8_t buf[ENGINE_SAVED_MAX];

	return engine_save(h->e, info->id, buf, sizeof(buf)) > 0 ? 0 : -1;
}

static void measure_a_link_down(struct host *h, const struct cga_set *us, unsigned n)
{
	uint64_t sent = h->sent, before = h->memory;
	double t;

	for (unsigned i = 0; i < n; i++)
		h->stamps[i].last_tx = h->stamps[i].last_rx = h->now;
	t = cpu_seconds();
	set_local(h, us, true);
	report("link down: peers told, episodes begun", t, n);
	printf("%-44s %8.2f each\n", "messages in that instant", (double)(h->sent - sent) / n);
	printf("%-44s %8.0f octets each\n", "memory of episodes and Update Requests", (double)(h->memory - before) / n);
	sent = h->sent;
	t = cpu_seconds();
	run(h, 10 * SECOND);
	report("ten seconds of that", t, n);
	printf("%-44s %8.2f each\n", "messages in them", (double)(h->sent - sent) / n);
}

/* The first of a set's locators costs Hash2 as well; the others one SHA-1 each (HV-19). */
static void measure_verification(void)
{
	struct peer *p = make_peers(1);
	struct cga_verifier v;
	struct cga_pds pds;
	double t = cpu_seconds();

	for (unsigned i = 0; i < VERIFICATIONS; i++) {
		if (cga_pds_parse(&pds, p->pds, p->pds_len) != CGA_OK)
			die("a PDS that is none");
		cga_verifier_init(&v, &pds);
		if (cga_verify_hba(&v, &p->addr[i % LOCATORS]) != CGA_OK)
			die("a locator that is none");
	}
	report("HBA verification of one locator", t, VERIFICATIONS);
	free(p);
}

static void measure_many(unsigned n)
{
	struct host h = { .rng = 1, .now = SIM_START, .n_slots = n };
	struct peer *peer = make_peers(n);
	struct cga_set us;
	uint64_t sent;
	double t;

	h.stamps = calloc(n, sizeof(*h.stamps));
	if (!h.stamps)
		die("out of memory");
	hba(&us, 0);
	sim_memory_of = &h.memory;
	start(&h, &us, n);
	printf("\n%u contexts; struct context %zu octets, of which REAP %zu; an episode %zu; an empty engine %llu\n", n,
	       sizeof(struct context), sizeof(struct reap), sizeof(struct reap_episode), (unsigned long long)h.memory);
	measure_handshakes(&h, &us, peer, n);
	t = cpu_seconds();
	if (engine_each(h.e, save_one, &h) != 0)
		die("a context cannot be saved");
	report("saving", t, n);
	measure_a_link_down(&h, &us, n);
	for (unsigned i = 0; i < n; i++)
		h.stamps[i] = (struct shim6_stamps){ 0 };
	sent = h.sent;
	t = cpu_seconds();
	run(&h, 400 * SIM_SECOND);
	report("400 seconds more, until all are idle and gone", t, n);
	printf("%-44s %8.2f each\n", "messages in them", (double)(h.sent - sent) / n);
	if (h.e->contexts.n)
		die("contexts stayed");
	engine_free(h.e, true);
	sim_memory_of = NULL;
	if (h.memory)
		die("memory left behind");
	free(h.stamps);
	free(peer);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;

	if (argc > 2 || n < 1 || n >= 1u << 24) {
		fprintf(stderr, "usage: sim-bench [CONTEXTS]   1 to 16777215; 100000\n");
		return 2;
	}
	measure_verification();
	handshakes();
	measure_many((unsigned)n);
	return 0;
}
