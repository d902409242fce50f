/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life of a context: idleness, ULIDs that go, restarts, limits: T140 to T145 of the rows. */
#include "common.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "engine/internal.h"

static struct shim6_pair ab(const struct sim *s)
{
	return sim_ulids(s, 0, 0, 1, 0);
}

static unsigned everything_sent(const struct sim_host *h)
{
	unsigned n = 0;

	for (unsigned t = 0; t < SIM_PEER_MAX; t++)
		n += h->sent[t];
	return n;
}

/* K-04 */
static void t140_gc_idle(void **state)
{
	struct sim *s = two_established(140);
	struct shim6_pair ulid = ab(s);
	unsigned flow, sent;

	(void)state;
	flow = sim_flow_add(s, 0, &ulid, SIM_SECOND, true);
	sim_run(s, 20 * SIM_SECOND);
	sim_flow_stop(s, flow);
	sim_run(s, 295 * SIM_SECOND);
	sent = everything_sent(A) + everything_sent(B);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_run(s, 10 * SIM_SECOND);
	assert_int_equal(sim_context_count(A) + sim_context_count(B), 0);
	assert_int_equal(sim_last_event(A, ENGINE_EV_GONE)->reason, ENGINE_WHY_IDLE);
	assert_int_equal(everything_sent(A) + everything_sent(B), sent); /* K-01: without a word */
	for (unsigned i = 0; i < SIM_SLOTS; i++)
		assert_false(A->slot[i].used);
	sim_free(s);
}

/* K-02: quiet, but a socket is connected; A is asked again and again, B has no socket */
static void t140_gc_connected_socket(void **state)
{
	struct sim *s = two_established(142);
	struct shim6_pair ulid = ab(s);

	(void)state;
	A->sockets = true;
	sim_run(s, 2000 * SIM_SECOND);
	assert_int_equal(sim_context_count(A), 1);
	assert_int_equal(sim_context_count(B), 0);
	assert_true(sim_counter(A, "contexts_kept") >= 6);
	A->sockets = false;
	sim_run(s, 310 * SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_IDLE);
	sim_free(s);
}

/* K-05; K-03 */
static void t141_gc_plain_traffic(void **state)
{
	struct sim *s = two_established(141);
	struct shim6_pair ulid = ab(s);

	(void)state;
	sim_flow_add(s, 0, &ulid, 290 * SIM_SECOND, false);
	sim_run(s, 3000 * SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_int_equal(A->payload_tagged, 0);
	sim_free(s);
}

/* K-08, PI-08: REAP packets and Update Requests do not keep a context (AMB-R23) */
static void k08_unanswered_context_goes(void **state)
{
	struct sim *s = two_established(8);
	struct shim6_pair ulid = ab(s);
	unsigned flow = sim_flow_add(s, 0, &ulid, SIM_SECOND, true);

	(void)state;
	sim_run(s, 5 * SIM_SECOND);
	sim_cut_locator(s, 1, 0, true);
	sim_cut_locator(s, 1, 1, true);
	A->down[1] = true;
	sim_set_local(A);
	sim_run(s, 20 * SIM_SECOND);
	sim_flow_stop(s, flow);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_run(s, 310 * SIM_SECOND);
	assert_int_equal(sim_context_count(A), 0);
	assert_true(A->sent[WIRE_UPDATE_REQUEST] > 3);
	assert_int_equal(engine_next_deadline(A->engine), ENGINE_NEVER);
	sim_free(s);
}

static void t142_ulid_expire(void **state)
{
	struct sim *s = two_established(142);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid), other = sim_ulids(s, 1, 1, 0, 1);

	(void)state;
	sim_flow_add(s, 1, &back, 100 * SIM_MS, true);
	sim_run(s, 5 * SIM_SECOND);
	A->assigned[0] = false;
	sim_set_local(A);
	sim_run(s, 55 * SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	assert_true(B->payload_tagged > 0);
	sim_run(s, 10 * SIM_SECOND);
	/* Y-01, Y-02: gone, and not to be had back by I2bis */
	assert_int_equal(state_of(A, &ulid), ENGINE_IDLE);
	assert_int_equal(sim_last_event(A, ENGINE_EV_GONE)->reason, ENGINE_WHY_ULID_GONE);
	sim_run(s, 5 * SIM_SECOND);
	assert_true(A->sent[WIRE_R1BIS] > 0);
	assert_true(B->sent[WIRE_I2BIS] > 0);
	assert_true(sim_counter(A, "drop_ulid_not_local") > 0);
	assert_int_equal(sim_context_count(A), 0);
	(void)other;
	sim_free(s);
}

/* Y-03 */
static void t143_link_flap(void **state)
{
	struct sim *s = two_established(143);
	struct shim6_pair ulid = ab(s);
	struct engine_ctx_info a;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, 5 * SIM_SECOND);
	A->assigned[0] = false; /* Linux takes the address away with the link */
	sim_set_local(A);
	sim_run(s, 5 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a));
	assert_true(shim6_addr_eq(&a.current.local, &A->addr[1]));
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	A->assigned[0] = true;
	sim_set_local(A);
	sim_run(s, 200 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &a));
	assert_int_equal(a.local[0].flags, 0);
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	sim_free(s);
}

/* T145: the daemon dies in the middle of a failover and comes back with what it saved */
static void t145_save_restore(void **state)
{
	struct sim *s = two_established(145);
	struct shim6_pair ulid = ab(s), back = reversed(&ulid);
	struct engine_ctx_info before, after;
	uint8_t buf[ENGINE_SAVED_MAX];
	int len;

	(void)state;
	sim_flow_add(s, 0, &ulid, 100 * SIM_MS, true);
	sim_run(s, 5 * SIM_SECOND);
	sim_cut_locator(s, 1, 0, true);
	sim_run(s, 30 * SIM_SECOND);
	assert_true(sim_context(A, &ulid, &before));
	assert_int_equal(sim_restart(A), 1);
	assert_true(sim_context(A, &ulid, &after));
	assert_int_equal(after.id, before.id);
	assert_int_equal(after.slot, before.slot);
	assert_true(after.ct_local == before.ct_local && after.ct_peer == before.ct_peer);
	assert_true(shim6_pair_eq(&after.current, &before.current));
	assert_int_equal(after.switches, 1);
	assert_int_equal(after.n_peer, 2);
	assert_true(after.stamps.tx_packets == before.stamps.tx_packets);
	sim_run(s, 5 * SIM_SECOND);
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	assert_int_equal(B->sent[WIRE_R1BIS], 0);
	/* and it still fails over: back to the first pair */
	sim_cut_locator(s, 1, 0, false);
	sim_cut_locator(s, 1, 1, true);
	sim_run(s, 40 * SIM_SECOND);
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	/* B too, in the middle of it */
	sim_cut_locator(s, 1, 1, false);
	sim_cut_locator(s, 1, 0, true);
	sim_run(s, 16 * SIM_SECOND);
	assert_int_equal(sim_restart(B), 1);
	sim_run(s, 60 * SIM_SECOND);
	assert_true(s->flow[0].last_answered + SIM_SECOND > s->now);
	assert_int_equal(state_of(B, &back), ENGINE_ESTABLISHED);
	/* restored twice, cut short, and with garbage */
	len = engine_save(A->engine, before.id, buf, sizeof(buf));
	assert_true(len > 0);
	assert_int_equal(engine_restore(A->engine, s->now, buf, (size_t)len), ENGINE_E_EXISTS);
	for (int cut = 0; cut < len; cut++)
		assert_int_equal(engine_restore(A->engine, s->now, buf, (size_t)cut), ENGINE_E_FORMAT);
	assert_int_equal(engine_save(A->engine, before.id, buf, 100), ENGINE_E_LIMIT);
	assert_int_equal(engine_save(A->engine, 999, buf, sizeof(buf)), ENGINE_E_NO_CONTEXT);
	sim_free(s);
}

/* Z-08: contexts in all, and per /64 of the peer */
static void z08_limits(void **state)
{
	struct sim *s = sim_new(8);
	struct shim6_pair ulid;

	(void)state;
	s->config.max_contexts = 10;
	s->config.max_contexts_per_64 = 4;
	s->config.max_negative = 3;
	sim_add_host(s, 2, false);
	sim_add_host(s, 2, false);
	sim_start_host(A);
	ulid = ab(s);
	for (unsigned i = 0; i < 6; i++) {
		ulid.peer.b[15] = (uint8_t)i;
		assert_int_equal(engine_establish(A->engine, s->now, &ulid), i < 4 ? ENGINE_OK : ENGINE_E_LIMIT);
	}
	for (unsigned i = 0; i < 8; i++) {
		ulid.peer.b[5] = (uint8_t)(i + 100);
		assert_int_equal(engine_establish(A->engine, s->now, &ulid), i < 6 ? ENGINE_OK : ENGINE_E_LIMIT);
	}
	assert_int_equal(sim_counter(A, "limit_contexts_per_64"), 2);
	assert_int_equal(sim_counter(A, "limit_contexts"), 2);
	sim_run(s, 250 * SIM_SECOND);
	assert_int_equal(sim_context_count(A), 0);
	assert_true(A->engine->negative.n <= 3);
	assert_int_equal(A->engine->limits.contexts.n, 0);
	sim_free(s);
}

/* The data path is full: the context is dropped, and nothing else breaks */
static void datapath_refuses(void **state)
{
	struct sim *s = two_hosts(1);
	struct shim6_pair ulid = ab(s);

	(void)state;
	B->refuse_install = true;
	engine_trigger(A->engine, s->now, &ulid);
	sim_run(s, 2 * SIM_SECOND);
	assert_int_equal(sim_context_count(B), 0);
	assert_true(sim_counter(B, "limit_datapath") > 0);
	A->refuse_install = true;
	B->refuse_install = false;
	sim_run(s, 10 * SIM_SECOND);
	assert_int_equal(sim_context_count(A) * (state_of(A, &ulid) == ENGINE_ESTABLISHED), 0);
	sim_free(s);
}

/* C-14: so is who began it, and traffic that goes on does not begin it anew at each packet */
static void datapath_refuses_who_begins(void **state)
{
	struct sim *s = two_hosts(1);
	struct shim6_pair ulid = ab(s);

	(void)state;
	A->refuse_install = true;
	for (unsigned i = 0; i < 500; i++) {
		engine_trigger(A->engine, s->now, &ulid);
		sim_run(s, 100 * SIM_MS);
	}
	assert_int_equal(sim_context_count(A), 0);
	assert_int_equal(sim_counter(A, "limit_datapath"), 1);
	assert_int_equal(sim_counter(A, "tx_i1"), 1);
	A->refuse_install = false;
	sim_run(s, 20 * SIM_SECOND);
	engine_trigger(A->engine, s->now, &ulid);
	sim_run(s, SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	sim_free(s);
}

/* An engine that is freed tells so and takes its projections along, unless it is to be quiet */
static void shutdown_tells(void **state)
{
	struct sim *s = two_established(2);

	(void)state;
	engine_free(A->engine, false);
	A->engine = NULL;
	assert_int_equal(sim_last_event(A, ENGINE_EV_GONE)->reason, ENGINE_WHY_SHUTDOWN);
	assert_false(A->slot[0].used);
	sim_free(s);
}

#ifdef __GLIBC__ /* the one that tells what is in use */
/* Octets per ESTABLISHED context with 2 x 2 locators, malloc's overhead included */
static void memory_per_context(void **state)
{
	struct sim *s = sim_new(3);
	struct sim_host *h;
	size_t before, after;

	(void)state;
	s->config.max_forks = 200;
	sim_add_host(s, 2, false);
	sim_add_host(s, 2, false);
	sim_start(s);
	h = A;
	before = mallinfo2().uordblks;
	for (unsigned i = 0; i < 200; i++) {
		struct shim6_pair back = sim_ulids(s, 1, 0, 0, 0), ulid = reversed(&back);
		struct peer_list list;
		struct context *c;
		struct wire_msg m = { .tag = i };
		int result;

		c = context_new(h->engine, s->now, &ulid, i + 1, &result);
		assert_non_null(c);
		peer_list_ulid_only(&list, &B->addr[0]);
		list.present = true;
		list.entry[1] = list.entry[0];
		list.entry[1].l.addr = B->addr[1];
		list.n = list.n_listed = list.n_total = 2;
		list.pds = B->set.pds[0];
		list.pds_len = B->set.pds_len;
		assert_true(context_set_peer(h->engine, c, i, &list));
		assert_true(enter_established(h->engine, c, s->now, &ulid, &m, ENGINE_WHY_PEER));
	}
	after = mallinfo2().uordblks;
	print_message("%zu octets per context\n", (after - before) / 200);
#ifndef __SANITIZE_ADDRESS__
	assert_true((after - before) / 200 <= 1024);
#endif
	sim_free(s);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t140_gc_idle),		 cmocka_unit_test(t140_gc_connected_socket),
		cmocka_unit_test(t141_gc_plain_traffic), cmocka_unit_test(k08_unanswered_context_goes),
		cmocka_unit_test(t142_ulid_expire),	 cmocka_unit_test(t143_link_flap),
		cmocka_unit_test(t145_save_restore),	 cmocka_unit_test(z08_limits),
		cmocka_unit_test(datapath_refuses),	 cmocka_unit_test(datapath_refuses_who_begins),
		cmocka_unit_test(shutdown_tells),
#ifdef __GLIBC__
		cmocka_unit_test(memory_per_context),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
