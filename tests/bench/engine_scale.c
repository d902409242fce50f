/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine with many contexts: one host, N peers with two HBA locators each,
 * every context made by a whole handshake. Prints what each costs in time and
 * memory, and what happens to all of them at once when a link goes down.
 *
 *	engine_scale [N]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cga/cga.h"
#include "engine/engine.h"
#include "engine/internal.h"
#include "engine/reap_episode.h"

#define LOCATORS 2

struct host {
	struct engine *e;
	struct shim6_stamps *stamps;
	unsigned n_slots;
	uint64_t rng, now, sent, installed, events;
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
	struct host *h = user;

	(void)p;
	h->installed++;
	return slot < h->n_slots;
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
	(void)ev;
	((struct host *)user)->events++;
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
		abort();
}

static void to_engine(struct host *h, const struct shim6_addr *src, const struct shim6_addr *dst,
		      struct wire_builder *b)
{
	size_t len = wire_finish(b);

	if (!len)
		abort();
	engine_input_control(h->e, h->now, src, dst, b->buf, len);
}

/* I1 and I2 of one peer; what the engine answers is read from its last message. */
static void handshake(struct host *h, const struct shim6_addr *us, const struct cga_set *peer, uint32_t index)
{
	static const uint8_t method[LOCATORS] = { WIRE_METHOD_HBA, WIRE_METHOD_HBA };
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;
	struct wire_msg r1;
	size_t offset;

	wire_begin_i1(&b, buf, sizeof(buf), index, index);
	to_engine(h, &peer->addr[0], us, &b);
	if (wire_decode(h->last, h->last_len, &r1, &offset) != WIRE_OK || r1.type != WIRE_R1)
		abort();
	wire_begin_i2(&b, buf, sizeof(buf), index, index, r1.resp_nonce);
	wire_opt_validator(&b, r1.validator.p, r1.validator.len);
	wire_opt_locator_list(&b, 1, peer->addr, method, LOCATORS);
	wire_opt_pds(&b, peer->pds[0], peer->pds_len);
	to_engine(h, &peer->addr[0], us, &b);
	if ((h->last[2] & 0x7f) != WIRE_R2)
		abort();
}

/* --- measuring -------------------------------------------------------------- */

/* Of the processor: what others do meanwhile does not count. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void report(const char *what, double since, unsigned n)
{
	double t = seconds() - since;

	printf("%-44s %8.3f s %10.0f ns each\n", what, t, t / n * 1e9);
}

static void set_local(struct host *h, const struct cga_set *us, bool down)
{
	const uint8_t *pds[LOCATORS] = { us->pds[0], us->pds[1] };
	struct engine_hba_set set = { .n = LOCATORS, .addr = us->addr, .pds = pds, .pds_len = us->pds_len };
	struct engine_local local[LOCATORS] = { { .addr = us->addr[0], .flags = down ? ENGINE_LOCAL_DOWN : 0 },
						{ .addr = us->addr[1] } };

	if (engine_set_local(h->e, h->now, local, LOCATORS, &set, 1) < 0)
		abort();
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
		abort();
	set_local(h, us, false);
}

static void measure_handshakes(struct host *h, const struct cga_set *us, unsigned n)
{
	struct cga_set peer;
	size_t before;
	double t = seconds();

	for (uint32_t i = 0; i < n; i++)
		hba(&peer, i + 1);
	printf("(HBA sets of the peers: %.3f s, part of the next line)\n", seconds() - t);
	before = in_use();
	t = seconds();
	for (uint32_t i = 0; i < n; i++) {
		hba(&peer, i + 1);
		handshake(h, &us->addr[0], &peer, i);
	}
	report("handshakes, I1 to R2, verified", t, n);
	if (h->e->contexts.n != n)
		abort();
	printf("%-44s %8zu octets each\n", "memory, indexes and allocator included", (in_use() - before) / n);
}

static int save_one(void *arg, const struct engine_ctx_info *info)
{
	struct host *h = arg;
	uint8_t buf[ENGINE_SAVED_MAX];

	return engine_save(h->e, info->id, buf, sizeof(buf)) > 0 ? 0 : -1;
}

static void measure_a_link_down(struct host *h, const struct cga_set *us, unsigned n)
{
	size_t before = in_use();
	uint64_t sent = h->sent;
	double t;

	for (unsigned i = 0; i < n; i++)
		h->stamps[i].last_tx = h->stamps[i].last_rx = h->now;
	t = seconds();
	set_local(h, us, true);
	report("link down: peers told, episodes begun", t, n);
	printf("%-44s %8.2f each\n", "messages in that instant", (double)(h->sent - sent) / n);
	printf("%-44s %8zu octets each\n", "memory of episodes and Update Requests", (in_use() - before) / n);
	sent = h->sent;
	t = seconds();
	run(h, 10 * SECOND);
	report("ten seconds of that", t, n);
	printf("%-44s %8.2f each\n", "messages in them", (double)(h->sent - sent) / n);
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
	struct host h = { .rng = 1, .now = 1000 * SECOND, .n_slots = n };
	struct cga_set us;
	uint64_t sent;
	double t;

	if (n < 1 || n >= 1u << 24)
		return 2;
	h.stamps = calloc(n, sizeof(*h.stamps));
	hba(&us, 0);
	start(&h, &us, n);
	printf("%u contexts; struct context %zu octets, of which REAP %zu; an episode %zu\n", n, sizeof(struct context),
	       sizeof(struct reap), sizeof(struct reap_episode));
	measure_handshakes(&h, &us, n);
	t = seconds();
	if (engine_each(h.e, save_one, &h) != 0)
		abort();
	report("saving", t, n);
	measure_a_link_down(&h, &us, n);
	for (unsigned i = 0; i < n; i++)
		h.stamps[i] = (struct shim6_stamps){ 0 };
	sent = h.sent;
	t = seconds();
	run(&h, 400 * SECOND);
	report("400 seconds more, until all are idle and gone", t, n);
	printf("%-44s %8.2f each\n", "messages in them", (double)(h.sent - sent) / n);
	if (h.e->contexts.n)
		abort();
	engine_free(h.e, true);
	free(h.stamps);
	return 0;
}
