/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every vector of reap_vectors.json, or of another file of its shape, given to
 * an engine that has the context it belongs to: what is accepted reaches REAP,
 * an Error is answered with the Pointer that the vector names, and what is to be
 * dropped in silence does nothing but count (TR01 to TR04, TR08, TR14, TR15).
 */
#include "common.h"

#include <stdio.h>
#include "vectors_want.h"

#include "engine/internal.h"
#include "engine/reap_episode.h"

static const struct vector *vectors;

static struct shim6_addr addr_of(const char *s)
{
	struct shim6_addr a;

	assert_true(vector_address(s, a.b));
	return a;
}

static size_t octets(const struct vector *v, uint8_t *out, size_t cap)
{
	const char *hex = text(v, "hex");
	size_t n = strlen(hex) / 2;

	assert_true(n <= cap);
	for (size_t i = 0; i < n; i++) {
		const char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

/* We are where the message goes, with a context to where it comes from. */
static struct sim *receiver(const struct shim6_addr *src, const struct shim6_addr *dst, struct context **out)
{
	uint64_t tag = strtoull(text(vectors, "context_tag"), NULL, 16);
	struct shim6_pair ulid = { .local = *dst, .peer = *src };
	struct sim *s = sim_new(1);
	struct wire_msg m = { 0 };
	struct peer_list list;
	struct context *c;
	int result;

	sim_add_host(s, 1, true);
	sim_add_host(s, 1, true);
	A->addr[0] = *dst;
	B->addr[0] = *src;
	sim_start_host(A);
	c = context_new_as(A->engine, s->now, &ulid, 0, 1, 0, tag, &result);
	assert_non_null(c);
	peer_list_ulid_only(&list, src);
	assert_true(context_set_peer(A->engine, c, 7, &list));
	assert_true(enter_established(A->engine, c, s->now, &ulid, &m, ENGINE_WHY_PEER));
	*out = c;
	return s;
}

static uint64_t counted(const struct sim_host *h, const char *prefix)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < engine_counter_count(); i++)
		n += strncmp(engine_counter_name(i), prefix, strlen(prefix)) ? 0 : engine_counter(h->engine, i);
	return n;
}

static void check_accepted(const struct vector *v, struct sim *s, const struct context *c, const uint8_t *buf,
			   size_t len)
{
	const struct shim6_addr src = addr_of(text(v, "src")), dst = addr_of(text(v, "dst"));
	const char *expect = text(v, "expect");
	bool probe = (buf[2] & 0x7f) == WIRE_PROBE;

	assert_int_equal(counted(A, "drop_"), 0);
	assert_int_equal(counted(A, "rx_"), 1);
	assert_int_equal(probe ? c->reap.probes_received : c->keepalives_received, 1);
	assert_int_equal(c->reap.record_mismatch, strstr(expect, "mismatch") != NULL);
	if (!strstr(expect, "once"))
		return;
	sim_inject(A, &src, &dst, buf, len);
	assert_int_equal(c->reap.probes_received, 2);
	assert_non_null(c->reap.episode);
	assert_int_equal(c->reap.episode->n_received, 1);
}

/* PF-04, PF-06, PN-11, W-39 (W-38) */
static void check_message(const struct vector *v)
{
	struct shim6_addr src = addr_of(text(v, "src")), dst = addr_of(text(v, "dst"));
	const char *expect = text(v, "expect");
	uint8_t buf[WIRE_MAX_MSG];
	size_t len = octets(v, buf, sizeof(buf));
	unsigned code, pointer;
	struct wire_msg m;
	struct context *c;
	struct sim *s = receiver(&src, &dst, &c);

	print_message("%s: %s\n", text(v, "id"), text(v, "what"));
	sim_inject(A, &src, &dst, buf, len);
	if (strncmp(expect, "accept", 6) == 0) {
		check_accepted(v, s, c, buf, len);
	} else {
		assert_int_equal(counted(A, "drop_"), 1);
		assert_int_equal(counted(A, "rx_"), 0);
		assert_int_equal(c->reap.probes_received + c->keepalives_received, 0);
		assert_int_equal(c->reap.state, REAP_OPERATIONAL);
	}
	if (sscanf(expect, "error code %u, pointer %u", &code, &pointer) == 2) {
		assert_int_equal(counted(A, "tx_"), 1);
		decode_last(A, WIRE_ERROR, &m);
		assert_int_equal(m.error_code, code);
		assert_int_equal(m.error_pointer, 40 + pointer); /* */
	} else if (strcmp(expect, "silent drop") == 0) {
		assert_int_equal(counted(A, "tx_"), 0);
	}
	sim_free(s);
}

static void messages(void **state)
{
	const struct vector *list = get(vectors, "messages");

	(void)state;
	for (size_t i = 0; i < list->n; i++)
		check_message(&list->items[i]);
}

/* Inside an Update Request; X is what the option says, within [3, 3600], or stays what it was. (PF-18, PF-22, PF-23,
 * PT-22) */
static void check_option(const struct vector *v)
{
	const struct vector *expect = get(v, "expect");
	int64_t seconds = expect->type == VECTOR_NUMBER ? expect->number : 15;
	struct shim6_pair back = { addr_of("2001:db8:b:1::1"), addr_of("2001:db8:a:1::1") };
	struct context *c;
	struct sim *s = receiver(&back.local, &back.peer, &c);
	struct script m;
	size_t n;

	print_message("%s: %s\n", text(v, "id"), text(v, "what"));
	wire_begin_update_request(&m.b, m.buf, sizeof(m.buf), c->ct_local, 3);
	n = octets(v, m.buf + m.b.len, sizeof(m.buf) - m.b.len);
	m.b.len += n;
	send_as(A, &back, &m);
	assert_int_equal(A->sent[WIRE_UPDATE_ACK], 1);
	if (seconds < 3)
		seconds = 3;
	if (seconds > 3600)
		seconds = 3600;
	assert_true(c->reap.keepalive_timeout == (uint64_t)seconds * SIM_SECOND);
	sim_free(s);
}

static void keepalive_timeout_options(void **state)
{
	const struct vector *list = get(vectors, "keepalive_timeout_options");

	(void)state;
	for (size_t i = 0; i < list->n; i++)
		check_option(&list->items[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(keepalive_timeout_options),
	};
	vectors = vectors_choose(argc, argv, &reap_vectors, "reap_vectors.json");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
