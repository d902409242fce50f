/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmdline.h"

#include "lab/commands.h"
#include "lab/trial.h"

static struct trial_setup s;

static void good(const char *line)
{
	cmdline_good(line);
	if (!run_setup(&cmdline_options, &s, cmdline_err))
		fail_msg("%s: %s", line, cmdline_err);
}

static void bad(const char *line, const char *says)
{
	cmdline_good(line);
	if (run_setup(&cmdline_options, &s, cmdline_err))
		fail_msg("taken: %s", line);
	if (!strstr(cmdline_err, says))
		fail_msg("%s: %s", line, cmdline_err);
}

static void test_defaults(void **state)
{
	(void)state;
	good("run");
	assert_true(s.with_shim6 && !s.without_shim6);
	assert_string_equal(s.plan.scenario, "black-hole");
	assert_true(s.kinds[FLOW_CURL] && s.kinds[FLOW_UDP]);
	assert_false(s.kinds[FLOW_TCP] || s.kinds[FLOW_SSH] || s.kinds[FLOW_IPERF3]);
	assert_true(s.to[0] && !s.to[1]);
	assert_int_equal(s.rate, 1250000);
	assert_int_equal(s.size, 0);
}

static void test_choices(void **state)
{
	(void)state;
	good("run --both --traffic ssh,iperf3,tcp --to B --rate 80 --size 1024 --json");
	assert_true(s.with_shim6 && s.without_shim6);
	assert_true(s.kinds[FLOW_TCP] && s.kinds[FLOW_SSH] && s.kinds[FLOW_IPERF3]);
	assert_false(s.kinds[FLOW_CURL] || s.kinds[FLOW_UDP]);
	assert_true(!s.to[0] && s.to[1]);
	assert_int_equal(s.rate, 10000000);
	assert_int_equal(s.size, 1024000000);
	assert_true(s.quiet);
	good("run --plain --to both");
	assert_true(!s.with_shim6 && s.without_shim6);
	assert_true(s.to[0] && s.to[1]);
	good("run --fault delay --ms 300 --provider 2");
	assert_null(s.plan.scenario);
	assert_int_equal(s.plan.fault.kind, FAULT_DELAY);
	assert_int_equal(s.plan.fault.amount, 300);
	assert_int_equal(s.plan.fault.provider, 1);
}

static void test_complaints(void **state)
{
	(void)state;
	bad("run blackhole", "unknown scenario \"blackhole\"; there are: black-hole, link-down");
	bad("run --traffic tcp,ftp",
	    "--traffic: expected some of tcp, udp, curl, ssh, iperf3, divided by commas, not \"ftp\"");
	bad("run --traffic ,", "at least one kind");
	bad("run --fault loss", "--percent N");
	bad("run --fault flood", "unknown kind of fault \"flood\"");
	bad("run --config /nowhere/at/all", "cannot read /nowhere/at/all");
	bad("run --name -x", "--name: expected");
	bad("run --name aaaaaaaaaabbbbbbbbbbccccccccccddddd", "1 to 30");
	bad("run five-failures --fail-at 3", "several");
	bad("run --heal-at 2", "has to come after");
	bad("run --duration 5", "before the failure");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_complaints),
	};

	return cmocka_run_group_tests_name("lab run", tests, NULL, NULL);
}
