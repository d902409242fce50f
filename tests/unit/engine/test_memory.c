/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An engine that gets no memory refuses, counts it, and goes on: a life with
 * everything in it that allocates is told again and again, and each time another
 * allocation fails.
 */
#include "common.h"

#include "../../sim/memory.h"
#include "engine/internal.h"
#include "test_keys.h"

static struct cga_key *key;

static int load_key(void **state)
{
	(void)state;
	return cga_key_load_pem(&key, pem_rsa_1024, sizeof(pem_rsa_1024) - 1);
}

static int free_key(void **state)
{
	(void)state;
	cga_key_free(key);
	return 0;
}

/* A has a key and a locator outside its set. */
static struct sim *hosts(void)
{
	struct sim *s = sim_new(1);

	sim_add_keyed_host(s, 2, key, 1);
	sim_add_host(s, 3, false);
	A->assigned[2] = false;
	sim_start(s);
	return s;
}

static bool no_memory(struct sim_host *h)
{
	return h->engine && sim_counter(h, "limit_memory") > 0;
}

/* Each context is where each of the ways to find it leads, and nothing else is counted. */
static void check(const struct sim_host *h)
{
	const struct engine *e = h->engine;
	unsigned n = 0;

	for (const struct context *c = e->contexts.oldest; c; c = c->newer, n++) {
		assert_ptr_equal(context_by_id(e, c->id), c);
		assert_ptr_equal(context_by_tag(e, c->ct_local), c);
		assert_ptr_equal(context_by_ulid(e, &c->ulid, c->fii), c);
		assert_ptr_equal(context_by_slot(e, c->slot), c);
		assert_true(timer_armed(&c->timer));
	}
	assert_int_equal(n, e->contexts.n);
}

/* The harness has no answer to a host that cannot be set up: that is not this test's story. */
static void assign(struct sim_host *h, unsigned i, bool on)
{
	unsigned long left = sim_memory_fails;

	sim_memory_fails = 0;
	h->assigned[i] = on;
	sim_set_local(h);
	sim_memory_fails = left;
}

static void restore(struct sim_host *h, const struct sim_saved *saved)
{
	unsigned long left = sim_memory_fails;

	sim_memory_fails = 0;
	sim_crash(h, false, true);
	sim_start_host(h);
	sim_memory_fails = left;
	sim_memory_of = &h->memory;
	if (saved->len > 0)
		engine_restore(h->engine, sim_clock(h), saved->buf, (size_t)saved->len);
	sim_memory_of = NULL;
}

static void run(struct sim *s, uint64_t ns)
{
	sim_run(s, ns);
	check(A);
	check(B);
}

/* What came before a crash is counted too. */
struct refusals {
	bool told;
	unsigned results;
};

static void note(struct refusals *r, struct sim *s, int result)
{
	r->results += result == ENGINE_E_NOMEM;
	r->told |= no_memory(A) || no_memory(B);
}

static void live(struct sim *s, struct refusals *r)
{
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), nobody = ulid;
	struct sim_saved saved = { .len = 0 };
	struct engine_ctx_info info;

	nobody.peer.b[15] ^= 1;
	note(r, s, sim_establish(A, &nobody)); /* in vain: E-FAILED */
	note(r, s, sim_establish(A, &ulid));
	sim_flow_add(s, 0, &ulid, 200 * SIM_MS, true);
	run(s, 5 * SIM_SECOND);
	assign(A, 2, true); /* A signs */
	run(s, 10 * SIM_SECOND);
	sim_cut_locator(s, 0, 0, true); /* another pair */
	run(s, 30 * SIM_SECOND);
	sim_cut_locator(s, 0, 0, false);
	if (sim_context(A, &ulid, &info))
		saved.len = engine_save(A->engine, info.id, saved.buf, sizeof(saved.buf));
	note(r, s, ENGINE_OK);
	restore(A, &saved);
	run(s, 5 * SIM_SECOND);
	note(r, s, ENGINE_OK);
	restore(B, &(struct sim_saved){ .len = 0 }); /* B has forgotten: R1bis */
	run(s, 60 * SIM_SECOND);
	if (sim_context(A, &ulid, &info))
		sim_drop(A, info.id);
	note(r, s, ENGINE_OK);
}

/* More contexts than the tables begin with, one of them a fork that B's side asked for. */
static void crowd(struct sim *s, struct refusals *r)
{
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0), back = reversed(&ulid);
	struct script m;

	for (unsigned i = 0; i < 20; i++) {
		struct shim6_pair nobody = ulid;

		nobody.peer.b[14] = (uint8_t)i;
		note(r, s, sim_establish(A, &nobody));
	}
	check(A);
	script_i1(s, &back, 5, 6);
	script_i2(&m, s, 5, 6);
	wire_opt_fii(&m.b, 9);
	put_hba(&m.b, B, 77);
	send_as(A, &back, &m);
	run(s, 90 * SIM_SECOND); /* nobody answers: all of them end, the table of E-FAILED grows */
	note(r, s, ENGINE_OK);
}

/* With memory again, a context comes about, and nothing that was refused has stayed behind. */
static void recovers(struct sim *s)
{
	struct shim6_pair ulid = sim_ulids(s, 0, 1, 1, 1);

	sim_memory_fails = 0;
	assert_int_equal(sim_establish(A, &ulid), ENGINE_OK);
	run(s, 5 * SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_int_equal(state_of(B, &(struct shim6_pair){ ulid.peer, ulid.local }), ENGINE_ESTABLISHED);
	for (unsigned i = 0; i < 2; i++) {
		struct sim_host *h = &s->host[i];

		sim_crash(h, false, false);
		assert_int_equal(h->memory, 0);
	}
}

static void each_allocation_fails_once(void (*story)(struct sim *s, struct refusals *r), unsigned long least)
{
	unsigned long n = 0;
	unsigned told = 0;
	bool ended = false;

	while (!ended) {
		struct sim *s = hosts();
		struct refusals r = { 0 };

		sim_memory_fails = ++n;
		story(s, &r);
		ended = sim_memory_fails != 0;
		told += r.told || r.results;
		recovers(s);
		sim_free(s);
	}
	assert_in_range(n, least, 500);
	/* Some go without a word, and without harm: a greater hash table, the quarantine of a tag. */
	assert_true(told >= n / 2);
}

static void a_whole_life(void **state)
{
	(void)state;
	each_allocation_fails_once(live, 30);
}

static void a_crowd(void **state)
{
	(void)state;
	each_allocation_fails_once(crowd, 50);
}

/* An engine that cannot be made is none; a new picture of the host that cannot be kept leaves the old one. */
static void beginnings(void **state)
{
	struct sim *s = hosts();
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);
	const struct engine_ops ops = A->engine->ops;
	const uint8_t *pds[] = { A->set.pds[0], A->set.pds[1] };
	const struct engine_hba_set sets[] = { { .n = 2, .addr = A->addr, .pds = pds, .pds_len = A->set.pds_len },
					       { .n = 2, .addr = A->addr, .pds = pds, .pds_len = A->set.pds_len } };
	const struct engine_local local = { .addr = A->addr[1], .set = 1 };
	struct engine *e = NULL;
	uint64_t memory = 0;
	unsigned n = 0;
	int result = -1;

	(void)state;
	while (!e) {
		sim_memory_fails = ++n;
		sim_memory_of = &memory;
		e = engine_new(&s->config, &ops, A, s->now);
		sim_memory_of = NULL;
		assert_int_equal(e == NULL, memory == 0);
	}
	assert_true(n > 5);
	sim_memory_of = &memory;
	engine_free(e, true);
	sim_memory_of = NULL;
	assert_int_equal(memory, 0);
	for (n = 0; result < 0; n++) {
		uint64_t before = A->memory;

		assert_true(engine_is_local(A->engine, &ulid.local));
		sim_memory_fails = n + 1;
		sim_memory_of = &A->memory;
		result = engine_set_local(A->engine, s->now, &local, 1, sets, 2);
		sim_memory_of = NULL;
		assert_true(result == 0 || A->memory == before);
	}
	assert_int_equal(n, 7); /* two lists, and two for each set, failed */
	assert_false(engine_is_local(A->engine, &ulid.local));
	sim_memory_fails = 0;
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_life),
		cmocka_unit_test(a_crowd),
		cmocka_unit_test(beginnings),
	};

	return cmocka_run_group_tests(tests, load_key, free_key);
}
