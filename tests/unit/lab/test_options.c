/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmdline.h"

static const struct options *o = &cmdline_options;

static void test_verbs(void **state)
{
	(void)state;
	cmdline_good("");
	assert_int_equal(o->verb, VERB_HELP);
	cmdline_good("list");
	assert_int_equal(o->verb, VERB_LIST);
	assert_null(o->name);
	cmdline_bad("lst", "unknown verb \"lst\"; there are: up, down, list");
	cmdline_bad("list one", "unexpected \"one\"");
	cmdline_bad("--colour list", "unknown option \"--colour\"");
}

static void test_up(void **state)
{
	(void)state;
	cmdline_good("up --name x --send-timeout 10 --delay=25 --config /etc/c --json");
	assert_int_equal(o->verb, VERB_UP);
	assert_string_equal(o->name, "x");
	assert_int_equal(o->send_timeout, 10);
	assert_int_equal(o->delay_ms, 25);
	assert_string_equal(o->config, "/etc/c");
	assert_true(o->json);
	assert_false(o->plain);
	cmdline_good("--json up --no-shim6");
	assert_true(o->json && o->plain);
	cmdline_bad("up --send-timeout 9", "--send-timeout: expected a whole number from 10 to 100, not \"9\"");
	cmdline_bad("up --send-timeout 10.5", "not \"10.5\"");
	cmdline_bad("up --delay", "--delay needs a value: MS");
	cmdline_bad("up --delay -1", "not \"-1\"");
	cmdline_bad("up --no-shim6=1", "--no-shim6 takes no value");
	cmdline_bad("up --no-shim6 --send-timeout 10", "no daemon");
	cmdline_bad("up --name a --name b", "--name is given twice");
	cmdline_bad("up --percent 5", "--percent means nothing to up");
	cmdline_bad("up --all", "--all means nothing to up");
}

static void test_down(void **state)
{
	(void)state;
	cmdline_good("down --all");
	assert_true(o->all);
	cmdline_bad("down --all --name x", "exclude");
}

static void test_exec_leaves_the_rest_alone(void **state)
{
	(void)state;
	cmdline_good("exec --name x A -- ping -c 1 --json ::1");
	assert_string_equal(o->words[0], "A");
	assert_string_equal(o->name, "x");
	assert_false(o->json);
	assert_string_equal(o->command[0], "ping");
	assert_string_equal(o->command[3], "--json");
	assert_null(o->command[5]);
	cmdline_good("exec core ip -6 route"); /* the dashes are not needed */
	assert_string_equal(o->words[0], "core");
	assert_string_equal(o->command[0], "ip");
	assert_string_equal(o->command[1], "-6");
	cmdline_good("exec A --name x -- sh -c -- x");
	assert_string_equal(o->name, "x");
	assert_string_equal(o->command[2], "--");
	cmdline_bad("exec A", "usage: shim6 lab exec");
	cmdline_bad("exec A --", "usage: shim6 lab exec");
	cmdline_bad("exec -- ping", "usage: shim6 lab exec");
}

static void test_faults(void **state)
{
	struct fault f;

	(void)state;
	cmdline_good("fail loss --host B --provider 2 --direction out --percent 20");
	assert_true(options_fault(o, o->words[0], &f, cmdline_err));
	assert_int_equal(f.kind, FAULT_LOSS);
	assert_int_equal(f.host, 1);
	assert_int_equal(f.provider, 1);
	assert_int_equal(f.direction, FAULT_OUT);
	assert_int_equal(f.amount, 20);
	cmdline_good("fail far");
	assert_true(options_fault(o, "far", &f, cmdline_err));
	assert_int_equal(f.host, 1);
	cmdline_bad("fail", "usage: shim6 lab fail");
	cmdline_bad("fail link --host C", "--host: expected A|B, not \"C\"");
	cmdline_bad("fail link --direction up", "--direction: expected both|in|out, not \"up\"");
	cmdline_bad("fail loss --percent 5 --ms 5", "--percent belongs to loss");
}

static void refuses_fault(const char *line, const char *says)
{
	struct fault f;

	cmdline_good(line);
	assert_false(options_fault(o, o->words[0], &f, cmdline_err));
	if (!strstr(cmdline_err, says))
		fail_msg("%s: %s", line, cmdline_err);
}

static void test_faults_that_make_no_sense(void **state)
{
	(void)state;
	refuses_fault("fail los", "unknown kind of fault \"los\"; there are: link, blackhole, far, loss, delay");
	refuses_fault("fail loss", "(--percent N)");
	refuses_fault("fail delay", "(--ms N)");
	refuses_fault("fail delay --percent 5", "--percent means nothing to the fault delay");
	refuses_fault("fail loss --percent 0", "--percent: expected a whole number from 1 to 100, not \"0\"");
	refuses_fault("fail blackhole --ms 5", "--ms means nothing");
	refuses_fault("fail link --direction in", "both ways");
}

static void test_heal(void **state)
{
	struct fault f;

	(void)state;
	cmdline_good("heal");
	assert_int_equal(o->n_words, 0);
	cmdline_good("heal link blackhole");
	assert_int_equal(o->n_words, 2);
	cmdline_bad("heal --all link", "not both");
	cmdline_bad("heal --host A", "narrows down");
	fault_init(&f, "blackhole");
	f.direction = FAULT_IN;
	cmdline_good("heal blackhole"); /* whatever its direction */
	assert_true(options_match(o, &f));
	cmdline_good("heal blackhole --direction in --host A");
	assert_true(options_match(o, &f));
	cmdline_good("heal blackhole --direction both");
	assert_false(options_match(o, &f));
	cmdline_good("heal blackhole --provider 2");
	assert_false(options_match(o, &f));
}

static void test_run(void **state)
{
	(void)state;
	cmdline_good("run");
	assert_true(o->duration < 0 && o->fail_at < 0 && o->heal_at < 0 && o->rate < 0 && o->size < 0);
	cmdline_good("run link-down --both --traffic tcp,udp --to both --duration 30 --fail-at 5.5 --heal-at 9 "
		     "--rate 0 --size 100 --output /tmp/x --delay 10");
	assert_string_equal(o->words[0], "link-down");
	assert_true(o->with_shim6 && o->without_shim6);
	assert_string_equal(o->traffic, "tcp,udp");
	assert_string_equal(o->to, "both");
	assert_true(o->duration == 30 && o->fail_at == 5.5 && o->heal_at == 9 && o->rate == 0 && o->size == 100);
	assert_string_equal(o->output, "/tmp/x");
	cmdline_good("run --fault loss --percent 50 --host B");
	assert_string_equal(o->fault, "loss");
	cmdline_good("run --plain");
	assert_true(o->without_shim6 && !o->with_shim6);
	cmdline_bad("run link-down --fault link", "not both");
	cmdline_bad("run link-down --host B", "none is named");
	cmdline_bad("run --to C", "--to: expected A, B or both, not \"C\"");
	cmdline_bad("run --duration 1", "--duration: expected a number from 2 to 3600, not \"1\"");
	cmdline_bad("run --duration nan", "not \"nan\"");
	cmdline_bad("run --plain --config x", "no daemon");
}

static void test_report(void **state)
{
	(void)state;
	cmdline_good("report r.json");
	assert_string_equal(o->words[0], "r.json");
	assert_null(o->output);
	cmdline_good("report r.json -o r.html");
	assert_string_equal(o->output, "r.html");
	cmdline_good("report --output=r.html r.json");
	assert_string_equal(o->output, "r.html");
	cmdline_bad("report", "usage: shim6 lab report [options] RESULT.json");
	cmdline_bad("report a.json b.json", "unexpected \"b.json\"");
	cmdline_bad("report r.json -o", "--output needs a value");
	cmdline_bad("report r.json -o a --output b", "given twice");
	cmdline_bad("up -o x", "--output means nothing to up");
}

static void test_help_knows_every_verb_and_option(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	options_help(&b, -1);
	for (int v = 0; v <= VERB_HELP; v++) {
		struct strbuf one = { 0 };

		options_help(&one, v);
		assert_non_null(strstr(one.s, "usage: shim6 lab"));
		strbuf_free(&one);
	}
	assert_non_null(strstr(b.s, "\n  run [SCENARIO] "));
	strbuf_free(&b);
	options_help(&b, VERB_RUN);
	assert_non_null(strstr(b.s, "\n  five-failures "));
	assert_non_null(strstr(b.s, "\n  --traffic LIST "));
	assert_null(strstr(b.s, "--all"));
	strbuf_free(&b);
	cmdline_good("up --help");
	assert_true(o->help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),  cmocka_unit_test(test_up),
		cmocka_unit_test(test_down),   cmocka_unit_test(test_exec_leaves_the_rest_alone),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_faults_that_make_no_sense),
		cmocka_unit_test(test_heal),   cmocka_unit_test(test_run),
		cmocka_unit_test(test_report), cmocka_unit_test(test_help_knows_every_verb_and_option),
	};

	return cmocka_run_group_tests_name("lab options", tests, NULL, NULL);
}
