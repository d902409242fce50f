/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run means, from runs made by hand; and the lab's own names in texts. */
#include "unit.h"

#include <json-c/json.h>

#include "lab/trial.h"

static struct trial t;
static struct trial_setup setup;

static struct run *run(void)
{
	return &t.runs[0];
}

static struct stream *stream(void)
{
	return &t.runs[0].flows[0].s;
}

static void line(const char *text)
{
	assert_true(stream_line(stream(), text));
}

static void mark(double at, const char *kind, char host)
{
	struct mark *m = &run()->marks[run()->n_marks++];

	m->t = at;
	m->host = host;
	snprintf(m->kind, sizeof(m->kind), "%s", kind);
}

/* One run with one stream from B to A, a failure at 8 s, a repair at 48 s, the end at 58 s. */
static void begin(enum flow_kind kind, const char *scenario)
{
	memset(&t, 0, sizeof(t));
	memset(&setup, 0, sizeof(setup));
	setup.with_shim6 = true;
	t.setup = &setup;
	t.send_timeout = 15;
	assert_true(scenario_plan(scenario, 15, &t.plan));
	t.n_runs = 1;
	run()->shim6 = true;
	run()->contexts[0] = json_object_new_array();
	run()->contexts[1] = json_object_new_array();
	run()->n_flows = 1;
	flow_init(&run()->flows[0], kind, 1, 0);
	mark(1, "established", 'A');
}

static bool says(const char *part, bool ok)
{
	for (unsigned i = 0; i < t.n_verdicts; i++)
		if (strstr(t.verdicts[i].text, part))
			return t.verdicts[i].ok == ok;
	return false;
}

static void judge(void)
{
	verdict_all(&t);
	trial_free(&t);
}

static void test_a_stream_that_survives(void **state)
{
	(void)state;
	begin(FLOW_TCP, "black-hole");
	mark(8, "fail", 0);
	mark(23.6, "switched", 'B');
	line("b 1159 100 1");
	line("q 8000000000 23700000000");
	line("k intact 1");
	line("x open");
	judge();
	assert_true(says("survived, every octet right", true));
	assert_true(says("silent for 15.70 s after the black hole A1, allowed are 16.5 s", true));
	assert_true(says("context was established", true));
	assert_true(trial_good(&t));
}

static void test_too_long_a_silence(void **state)
{
	(void)state;
	begin(FLOW_TCP, "black-hole");
	mark(8, "fail", 0);
	line("b 1159 100 1");
	line("q 8000000000 24600000000");
	line("x open");
	judge();
	assert_true(says("silent for 16.60 s", false));
	assert_false(trial_good(&t));
}

static void test_a_failure_after_the_end_says_nothing(void **state)
{
	(void)state;
	begin(FLOW_TCP, "black-hole");
	mark(8, "fail", 0);
	line("b 150 100 1");
	line("x eof");
	judge();
	assert_true(says("survived", true));
	assert_false(says("after the black hole", true) || says("after the black hole", false));
}

static void test_the_drawn_timeout_counts(void **state)
{
	struct json_object *c = json_object_new_object();

	(void)state;
	begin(FLOW_TCP, "black-hole");
	json_object_object_add(c, "send_timeout_s", json_object_new_double(15.6));
	json_object_array_add(run()->contexts[1], c);
	mark(8, "fail", 0);
	line("b 1159 100 1");
	line("q 8000000000 24600000000");
	line("x open");
	judge();
	assert_true(says("silent for 16.60 s after the black hole A1, allowed are 17.1 s", true));
}

static void test_a_lost_link_shows_at_once(void **state)
{
	(void)state;
	begin(FLOW_TCP, "link-down");
	mark(6, "fail", 0);
	line("b 439 100 1");
	line("q 6000000000 6600000000");
	line("x open");
	judge();
	assert_true(says("silent for 600 ms after the link down A1, allowed are 0.5 s", false));
}

static void test_a_stream_that_dies(void **state)
{
	static const char *const ends[] = { "x reset", "x gave-up", "x failed", "x refused", "x open" };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		begin(FLOW_TCP, "black-hole");
		line("b 160 100 1"); /* 8.05 s, and no more */
		line(ends[i]);
		judge();
		assert_true(says("did not survive", false));
	}
	begin(FLOW_TCP, "black-hole");
	line("x eof"); /* ended well, but nothing came */
	judge();
	assert_true(says("did not survive", false));
	begin(FLOW_TCP, "black-hole");
	line("b 1159 100 1");
	line("k intact 0");
	line("x eof");
	judge();
	assert_true(says("DAMAGED", false));
}

static void test_a_pause_at_the_end_of_a_lossy_run(void **state)
{
	(void)state;
	begin(FLOW_TCP, "loss"); /* ends at 26 s */
	line("b 420 100 1");	 /* 21.05 s */
	line("x open");
	judge();
	assert_true(says("survived", true));
	begin(FLOW_TCP, "loss");
	line("b 380 100 1"); /* 19.05 s */
	line("x open");
	judge();
	assert_true(says("did not survive", false));
}

static void udp(void)
{
	begin(FLOW_UDP, "black-hole");
	mark(8, "fail", 0);
	mark(23.5, "switched", 'A'); /* the receiver's switch is not the sender's */
	mark(23.6, "switched", 'B');
	line("b 1159 100 1");
	line("x open");
	line("k sent 8600");
}

static void test_lost_before_the_switch_is_excused(void **state)
{
	(void)state;
	udp();
	line("k received 5480");
	line("l 1600 4719 8000000000 23595000000");
	judge();
	assert_true(says("0 lost after the switch, 3120 in all", true));
}

static void test_lost_after_the_switch_is_not(void **state)
{
	(void)state;
	udp();
	line("k received 5470");
	line("l 1600 4719 8000000000 23595000000");
	line("l 4730 4739 23650000000 23695000000");
	judge();
	assert_true(says("10 lost after the switch, 3130 in all", false));
}

static void test_lost_without_any_switch(void **state)
{
	(void)state;
	begin(FLOW_UDP, "black-hole");
	mark(8, "fail", 0);
	line("b 1159 100 1");
	line("x open");
	line("k sent 8600");
	line("k received 7600");
	line("l 1600 2599 8010000000 13000000000");
	judge();
	assert_true(says("1000 lost after the switch", false));
}

static void test_no_context_in_time(void **state)
{
	(void)state;
	begin(FLOW_TCP, "black-hole");
	run()->marks[0].t = 9;
	line("b 1159 100 1");
	line("x open");
	judge();
	assert_true(says("a context was established before the failure", false));
}

static void test_compared_with_plain(void **state)
{
	(void)state;
	begin(FLOW_TCP, "black-hole");
	t.n_runs = 2;
	t.runs[1].n_flows = 1;
	flow_init(&t.runs[1].flows[0], FLOW_TCP, 1, 0);
	assert_true(stream_line(&t.runs[1].flows[0].s, "b 1159 1 1"));
	assert_true(stream_line(&t.runs[1].flows[0].s, "k gap_start_ns 8000000000"));
	assert_true(stream_line(&t.runs[1].flows[0].s, "k gap_end_ns 38000000000"));
	line("b 1159 100 1");
	line("k gap_end_ns 15000000000");
	judge();
	assert_true(says("without shim6 the same TCP stream B>A was silent for 30.00 s", true));
}

/* --- names ----------------------------------------------------------------------- */

static void test_addresses_become_names(void **state)
{
	static struct lab lab = { .addr = { { "2001:db8:a:1::10", "2001:db8:a:2::10" },
					    { "2001:db8:b:1::10", "2001:db8:b:2::1" } } };
	char out[128];

	(void)state;
	mark_names(&lab, "from 2001:db8:a:1::10 -> 2001:db8:b:1::10 to 2001:db8:a:2::10 -> 2001:db8:b:2::1, done", out,
		   sizeof(out));
	assert_string_equal(out, "from A1 -> B1 to A2 -> B2, done");
	mark_names(&lab, "2001:db8:b:2::12 is another", out, sizeof(out));
	assert_string_equal(out, "2001:db8:b:2::12 is another");
	mark_names(&lab, "2001:db8:a:1::10: up", out, sizeof(out));
	assert_string_equal(out, "A1: up");
	mark_names(&lab, "a text that is too long for its place", out, 10);
	assert_true(strlen(out) < 10);
}

static void test_an_event_becomes_a_mark(void **state)
{
	struct json_object *e;
	const struct mark *m;

	(void)state;
	begin(FLOW_TCP, "black-hole");
	t.t0 = MS(100000);
	snprintf(run()->lab.addr[0][1], LAB_ADDR_MAX, "2001:db8:a:2::10");
	snprintf(run()->lab.addr[1][0], LAB_ADDR_MAX, "2001:db8:b:1::10");
	e = json_tokener_parse(
		"{\"monotonic_s\":123.5,\"type\":\"switched\",\"text\":\"context 1 x -> y: switched to "
		"2001:db8:a:2::10\",\"to\":{\"local\":\"2001:db8:a:2::10\",\"peer\":\"2001:db8:b:1::10\"}}");
	assert_non_null(e);
	m = mark_event(&t, run(), 0, e);
	assert_non_null(m);
	assert_true(m->t > 23.499 && m->t < 23.501);
	assert_int_equal(m->host, 'A');
	assert_string_equal(m->kind, "switched");
	assert_string_equal(m->label, "switched to A2 -> B1");
	assert_string_equal(m->text, "switched to A2");
	json_object_object_add(e, "type", json_object_new_string("locators"));
	assert_null(mark_event(&t, run(), 0, e));
	json_object_put(e);
	trial_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stream_that_survives),
		cmocka_unit_test(test_too_long_a_silence),
		cmocka_unit_test(test_a_failure_after_the_end_says_nothing),
		cmocka_unit_test(test_the_drawn_timeout_counts),
		cmocka_unit_test(test_a_lost_link_shows_at_once),
		cmocka_unit_test(test_a_stream_that_dies),
		cmocka_unit_test(test_a_pause_at_the_end_of_a_lossy_run),
		cmocka_unit_test(test_lost_before_the_switch_is_excused),
		cmocka_unit_test(test_lost_after_the_switch_is_not),
		cmocka_unit_test(test_lost_without_any_switch),
		cmocka_unit_test(test_no_context_in_time),
		cmocka_unit_test(test_compared_with_plain),
		cmocka_unit_test(test_addresses_become_names),
		cmocka_unit_test(test_an_event_becomes_a_mark),
	};

	return cmocka_run_group_tests_name("lab verdict", tests, NULL, NULL);
}
