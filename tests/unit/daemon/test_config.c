/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <ctype.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/prefer.h"
#include "daemon/text.h"

static struct config cfg;
static char err[CONFIG_ERR_MAX];

static bool load(const char *text)
{
	const char *path = unit_path("shim6.conf");

	unit_write(path, text, strlen(text));
	err[0] = '\0';
	return config_load(&cfg, path, err, sizeof(err));
}

/* The message behind the folder's name. */
static void refused(const char *text, const char *expected)
{
	assert_false(load(text));
	assert_ptr_equal(strstr(err, unit_dir), err);
	assert_string_equal(err + strlen(unit_dir) + 1, expected);
}

static const struct config_key *key(const char *section, const char *name)
{
	const struct config_key *k;

	for (unsigned i = 0; (k = config_key(i)); i++) {
		if (strcmp(config_key_section(k), section) == 0 && strcmp(config_key_name(k), name) == 0)
			return k;
	}
	return NULL;
}

static void test_empty_file_gives_defaults(void **state)
{
	static struct config defaults;

	(void)state;
	config_default(&defaults);
	assert_true(load(""));
	assert_memory_equal(&cfg, &defaults, sizeof(cfg));
	assert_true(cfg.engine.reap.send_timeout == UINT64_C(15000000000));
	assert_true(cfg.engine.initiate);
}

/* What the section of a key is called beside its kind; NULL: nothing. */
static const char *named(const struct config_key *k)
{
	if (strcmp(config_key_section(k), "prefix") == 0)
		return "2001:db8:7::/48";
	return strcmp(config_key_section(k), "interface") == 0 ? "eth7" : NULL;
}

static void check_every_key(const struct config_key *k, const char *value)
{
	const char *of = named(k);
	char text[256], got[256];

	snprintf(text, sizeof(text), "[%s%s%s]\n%s = %s\n", config_key_section(k), of ? " " : "", of ? of : "",
		 config_key_name(k), value);
	if (!load(text))
		fail_msg("%s%s", text, err);
	config_value(&cfg, k, of, got, sizeof(got));
	assert_string_equal(got, value);
}

/* Bounds as the key itself tells them: accepted, and refused one beyond, with line and expectation. */
static void check_number(const struct config_key *k)
{
	const char *of = named(k);
	char expects[160], text[256], want[512], value[32];
	unsigned long long lo, hi, bad[2];

	config_key_expects(k, expects, sizeof(expects));
	assert_int_equal(sscanf(expects, "a whole number from %llu to %llu", &lo, &hi), 2);
	snprintf(value, sizeof(value), "%llu", lo);
	/* a file-wide rule binds these two together */
	if (strcmp(config_key_name(k), "max_probe_gap") != 0)
		check_every_key(k, value);
	snprintf(value, sizeof(value), "%llu", hi);
	if (strcmp(config_key_name(k), "initial_probe_gap") != 0)
		check_every_key(k, value);
	bad[0] = hi + 1;
	bad[1] = lo ? lo - 1 : hi + 1;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "# one\n[%s%s%s]\n\n%s = %llu\n", config_key_section(k), of ? " " : "",
			 of ? of : "", config_key_name(k), bad[i]);
		snprintf(want, sizeof(want), "shim6.conf:4: %s: expected %s, not '%llu'", config_key_name(k), expects,
			 bad[i]);
		refused(text, want);
	}
}

static void test_every_key(void **state)
{
	const struct config_key *k;
	char expects[160];

	(void)state;
	for (unsigned i = 0; (k = config_key(i)); i++) {
		config_key_expects(k, expects, sizeof(expects));
		if (strstr(expects, "yes or no")) {
			check_every_key(k, "no");
			check_every_key(k, "yes");
		} else if (strstr(expects, "whole number")) {
			check_number(k);
		} else if (strstr(expects, "prefixes")) {
			check_every_key(k, "2001:db8:1::/64, fd00:1:2:3::/64");
		} else if (strcmp(config_key_name(k), "control_group") == 0) {
			check_every_key(k, "root");
		} else if (strstr(expects, "absolute path")) {
			check_every_key(k, "/bin/sh");
		} else if (strstr(expects, "names of events")) {
			check_every_key(k, "gone,new,switched");
		} else {
			check_every_key(k, "shimmy");
		}
	}
}

/* PC-04, PT-17, AMB-R26: 15 s where nothing is said, whole seconds from 10 to 100 */
static void test_send_timeout(void **state)
{
	char text[64];

	(void)state;
	assert_true(load(""));
	assert_true(cfg.engine.reap.send_timeout == UINT64_C(15000000000));
	for (unsigned s = 10; s <= 100; s++) {
		snprintf(text, sizeof(text), "[reap]\nsend_timeout = %u\n", s);
		assert_true(load(text));
		assert_true(cfg.engine.reap.send_timeout == s * UINT64_C(1000000000));
	}
	assert_false(load("[reap]\nsend_timeout = 9\n"));
	assert_false(load("[reap]\nsend_timeout = 101\n"));
	assert_false(load("[reap]\nsend_timeout = 12.5\n"));
	assert_false(load("[reap]\nsend_timeout = 12500 ms\n"));
}

/* T-10, M-12: what section 14 of RFC 5533 fixes is a key each, and without a file it is what the RFC says */
static void test_constants_of_the_rfc(void **state)
{
	static const struct {
		const char *section, *key, *value;
	} rows[] = {
		{ "handshake", "i1_timeout", "4" },
		{ "handshake", "i1_retries", "4" },
		{ "contexts", "no_answer_holddown", "60" },
		{ "contexts", "no_support_holddown", "600" },
		{ "handshake", "i2_timeout", "4" },
		{ "handshake", "i2_retries", "2" },
		{ "handshake", "i2bis_timeout", "4" },
		{ "handshake", "i2bis_retries", "2" },
		{ "handshake", "update_timeout", "4" },
		{ "handshake", "max_update_timeout", "120" },
		{ "handshake", "validator_lifetime", "60" },
		{ "contexts", "idle_timeout", "300" },
		{ "reap", "send_timeout", "15" },
		{ "trigger", "packets", "32" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct config_key *k;
		char got[64];

		for (unsigned n = 0; (k = config_key(n)); n++) {
			if (!strcmp(config_key_section(k), rows[i].section) && !strcmp(config_key_name(k), rows[i].key))
				break;
		}
		assert_non_null(k);
		assert_true(load(""));
		config_value(&cfg, k, NULL, got, sizeof(got));
		assert_string_equal(got, rows[i].value);
	}
}

static void test_words_for_yes_and_no(void **state)
{
	(void)state;
	assert_true(load("[daemon]\ninitiate = off\nkeep_on_exit=1\ndebug = true ; inline\n"));
	assert_false(cfg.engine.initiate);
	assert_true(cfg.keep_on_exit && cfg.debug);
	refused("[daemon]\ninitiate = maybe\n", "shim6.conf:2: initiate: expected yes or no, not 'maybe'");
	refused("[daemon]\ninitiate =\n", "shim6.conf:2: initiate: expected yes or no, not ''");
}

static void test_unknown_things(void **state)
{
	(void)state;
	refused("[daemon]\n\nno_such = 1\n", "shim6.conf:3: no_such: no such key in [daemon]");
	refused("[nowhere]\n", "shim6.conf:1: [nowhere]: no such section");
	refused("[interface]\nuse = no\n", "shim6.conf:1: [interface]: no such section; expected [interface NAME]");
	refused("[interface this-name-is-too-long]\n",
		"shim6.conf:1: [interface this-name-is-too-long]: expected the name of a network interface");
	refused("initiate = yes\n", "shim6.conf:1: initiate: expected a [SECTION] before the first key");
	refused("[daemon]\ninitiate\n", "shim6.conf:2: expected KEY = VALUE or [SECTION]");
	refused("[daemon\n", "shim6.conf:1: expected [SECTION]");
}

static void test_first_error_counts(void **state)
{
	(void)state;
	refused("[daemon]\nx = 1\ny = 2\nrubbish\n", "shim6.conf:2: x: no such key in [daemon]");
	refused("[daemon]\nrubbish\nx = 1\n", "shim6.conf:2: expected KEY = VALUE or [SECTION]");
}

static void test_given_twice(void **state)
{
	(void)state;
	refused("[reap]\nsend_timeout = 10\n[daemon]\n[reap]\nsend_timeout = 10\n",
		"shim6.conf:5: send_timeout: given twice, first in line 2");
	/* but per interface */
	assert_true(load("[interface a]\npriority = 1\n[interface b]\npriority = 2\n"));
	assert_int_equal(config_interface(&cfg, "b")->priority, 2);
	assert_int_equal(config_interface(&cfg, "c")->priority, 0);
	assert_true(config_interface(&cfg, "c")->use);
}

static void test_indented_keys_are_keys(void **state)
{
	(void)state;
	assert_true(load("[reap]\n  send_timeout = 10\n\tsend_jitter = 0\n  [held]\n lifetime = 5\n"));
	assert_true(cfg.engine.reap.send_timeout == UINT64_C(10000000000));
	assert_int_equal(cfg.engine.reap.send_jitter_percent, 0);
	assert_true(cfg.held_lifetime == UINT64_C(5000000000));
}

static void test_prefixes(void **state)
{
	char text[64 * CONFIG_MAX_PREFIXES] = "[trigger]\n";

	(void)state;
	assert_true(load("[trigger]\nbypass = 2001:db8::/32, ::1/128\nbypass = fd00::/8\n"));
	assert_int_equal(cfg.bypass.n, 3);
	assert_int_equal(cfg.bypass.p[2].len, 8);
	assert_false(load("[trigger]\nbypass = 2001:db8::1/32\n")); /* bits behind the length */
	assert_false(load("[trigger]\nbypass = 2001:db8::\n"));
	assert_false(load("[trigger]\nbypass = 2001:db8::/129\n"));
	assert_false(load("[trigger]\nbypass = ,\n"));
	for (unsigned i = 0; i <= CONFIG_MAX_PREFIXES; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "bypass = fd00:%x::/32\n", i);
	assert_false(load(text));
	refused("[interface a]\nprefixes = 2001:db8::/48\n", "shim6.conf:2: prefixes: expected prefixes of length 64");
}

static void test_rules_of_the_whole(void **state)
{
	(void)state;
	refused("[reap]\nmax_probe_gap = 1\ninitial_probe_gap = 2000\n",
		"shim6.conf:3: initial_probe_gap: expected no more than max_probe_gap");
	/* the group of the package: when it is not there, only root may */
	assert_true(load(""));
	assert_string_equal(cfg.control_group, "shim6");
	assert_true(load("[daemon]\ncontrol_group =\n"));
	assert_string_equal(cfg.control_group, "");
	refused("[daemon]\ncontrol_group = no-such-group\n",
		"shim6.conf:2: control_group: expected a group of this system, not 'no-such-group'");
}

static void test_long_line(void **state)
{
	char text[1200] = "[daemon]\n";

	(void)state;
	memset(text + 9, 'x', 1000);
	assert_false(load(text));
	assert_non_null(strstr(err, "shim6.conf:2: expected a line of at most"));
}

static void test_missing_file(void **state)
{
	(void)state;
	assert_false(config_load(&cfg, unit_path("none"), err, sizeof(err)));
	assert_non_null(strstr(err, "none: No such file or directory"));
}

/* Octets that may hold NULs, for which load() has no way. */
static bool load_octets(const void *octets, size_t n)
{
	const char *path = unit_path("shim6.conf");

	unit_write(path, octets, n);
	err[0] = '\0';
	return config_load(&cfg, path, err, sizeof(err));
}

static void test_no_text(void **state)
{
	static const char nul[] = "[daemon]\ninitiate = no\0\n", escape[] = "# \x1b[31m\n";
	static char octets[100000];

	(void)state;
	assert_false(load_octets(nul, sizeof(nul) - 1));
	assert_non_null(strstr(err, "shim6.conf:2: expected text, found the control character 0x00"));
	assert_false(load_octets(escape, sizeof(escape) - 1));
	assert_non_null(strstr(err, "shim6.conf:1: expected text, found the control character 0x1b"));
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (char)(i * 7919 >> 3);
	assert_false(load_octets(octets, sizeof(octets)));
	assert_non_null(strstr(err, "shim6.conf:1: expected "));
	assert_true(load("\xef\xbb\xbf[daemon]\r\ninitiate = no\r\n"));
	assert_false(cfg.engine.initiate);
}

static void test_huge(void **state)
{
	static char text[CONFIG_FILE_MAX + 100];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 50 ? '#' : '\n';
	assert_true(load_octets(text, CONFIG_FILE_MAX));
	assert_false(load_octets(text, sizeof(text)));
	assert_non_null(strstr(err, "expected a file of at most 1048576 octets"));
	assert_false(config_load(&cfg, "/dev/zero", err, sizeof(err)));
	assert_non_null(strstr(err, "/dev/zero:1: expected "));
}

static void test_no_file(void **state)
{
	const char *pipe = unit_path("pipe");

	(void)state;
	assert_false(config_load(&cfg, unit_dir, err, sizeof(err)));
	assert_non_null(strstr(err, "expected a regular file, not a directory"));
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_false(config_load(&cfg, pipe, err, sizeof(err)));
	assert_non_null(strstr(err, "pipe: expected a regular file"));
	unlink(pipe);
	assert_true(config_load(&cfg, "/dev/null", err, sizeof(err)));
}

static char told[8][64];
static bool told_restart[8];
static unsigned n_told;

static void tell(void *arg, const char *k, bool restart)
{
	(void)arg;
	assert_true(n_told < 8);
	snprintf(told[n_told], sizeof(told[0]), "%s", k);
	told_restart[n_told++] = restart;
}

static void test_differences(void **state)
{
	static struct config a;

	(void)state;
	assert_true(load("[interface eth0]\nuse = no\n"));
	a = cfg;
	assert_true(
		load("[reap]\nsend_timeout = 10\n[limits]\ncontexts = 9\n[interface eth1]\nprefixes = fd00::/64\n"));
	n_told = 0;
	assert_int_equal(config_diff(&a, &cfg, tell, NULL), 4);
	assert_string_equal(told[0], "reap.send_timeout");
	assert_string_equal(told[1], "limits.contexts");
	assert_true(told_restart[1] && !told_restart[0]);
	assert_string_equal(told[2], "interface eth0.use");
	assert_string_equal(told[3], "interface eth1.prefixes");
	config_keep_fixed(&cfg, &a);
	assert_int_equal(cfg.engine.max_contexts, a.engine.max_contexts);
	assert_true(cfg.engine.reap.send_timeout == UINT64_C(10000000000));
	assert_int_equal(config_diff(&a, &a, tell, NULL), 0);
}

/* W-59: the longest prefix, then the interface; what was said at run time before both */
static void test_preferences(void **state)
{
	static struct preferences said;
	struct shim6_addr near, far;
	struct preference p;
	char from[96];

	(void)state;
	assert_true(text_parse_addr("2001:db8:a:1::7", &near) && text_parse_addr("2001:db8:b:1::7", &far));
	assert_true(load("[prefix 2001:db8::/32]\npriority = 9\n[interface eth0]\npriority = 3\nweight = 4\n"
			 "[prefix 2001:db8:a:0:0::/48]\nweight = 6\n[prefix 2001:db8:a::/48]\npriority = 7\n"));
	preference_of(&cfg, &said, "eth0", &near, &p, from, sizeof(from));
	assert_true(p.priority == 7 && p.weight == 6);
	assert_string_equal(from, "[prefix 2001:db8:a::/48]");
	preference_of(&cfg, &said, "eth0", &far, &p, from, sizeof(from));
	assert_true(p.priority == 9 && p.weight == 0);
	assert_true(load("[interface eth0]\npriority = 3\n"));
	preference_of(&cfg, &said, "eth0", &far, &p, from, sizeof(from));
	assert_int_equal(p.priority, 3);
	assert_string_equal(from, "[interface eth0]");
	preference_of(&cfg, &said, "eth1", &far, &p, from, sizeof(from));
	assert_int_equal(p.priority, 0);
	assert_string_equal(from, "");

	assert_false(preference_target(&p, "eth0/1"));
	assert_false(preference_target(&p, "2001:db8::1/64"));
	assert_false(preference_target(&p, ""));
	assert_true(preference_target(&p, "eth0"));
	p.priority = 20;
	assert_true(preferences_set(&said, &p));
	assert_true(preference_target(&p, "2001:DB8:a::/47"));
	p.priority = 30;
	assert_true(preferences_set(&said, &p));
	preference_of(&cfg, &said, "eth0", &near, &p, from, sizeof(from));
	assert_int_equal(p.priority, 30); /* a:: and b:: */
	assert_string_equal(from, "prefer 2001:db8:a::/47");
	assert_true(preference_target(&p, "2001:db8:a:1::7"));
	p.priority = 40;
	assert_true(preferences_set(&said, &p) && preferences_set(&said, &p));
	assert_int_equal(said.n, 3);
	preference_of(&cfg, &said, "eth0", &near, &p, from, sizeof(from));
	assert_int_equal(p.priority, 40);
	assert_int_equal(preferences_reset(&said, &p), 1);
	assert_int_equal(preferences_reset(&said, &p), 0);
	assert_int_equal(preferences_reset(&said, NULL), 2);

	refused("[prefix eth0]\n", "shim6.conf:1: [prefix eth0]: expected an IPv6 prefix (ADDRESS/LENGTH, no bit set "
				   "behind the length)");
	refused("\n[prefix]\n", "shim6.conf:2: [prefix]: no such section; expected [prefix ADDRESS/LENGTH]");
	refused("[prefix fd00::/8]\nuse = no\n", "shim6.conf:2: use: no such key in [prefix]");
	refused("[reap]\nfail_back = never\n",
		"shim6.conf:2: fail_back: expected a whole number from 0 to 86400 (s), or off, not 'never'");
	assert_true(load("[reap]\nfail_back = off\n"));
	assert_true(cfg.engine.fail_back == ENGINE_NEVER);
}

/* doc/shim6.conf.example shows every key, each with its default. */
static void test_example(void **state)
{
	char line[256], section[64] = "", name[64], value[128], have[256];
	FILE *f = fopen(EXAMPLE_CONF, "r");
	unsigned n = 0, all = 0;

	(void)state;
	assert_non_null(f);
	assert_true(config_load(&cfg, EXAMPLE_CONF, err, sizeof(err)));
	while (fgets(line, sizeof(line), f)) {
		const char *p = line + (line[0] == '#');

		value[0] = '\0';
		if (*p == '[') {
			sscanf(p, "[%63[a-z]", section);
		} else if (line[0] == '#' && islower((unsigned char)*p) &&
			   sscanf(p, "%63[a-z_0-9] = %127[^\n]", name, value) >= 1 && strchr(p, '=')) {
			const struct config_key *k = key(section, name);

			if (!k)
				fail_msg("example: no key %s in [%s]", name, section);
			config_value(&cfg, k, named(k), have, sizeof(have));
			assert_string_equal(value, have);
			n++;
		}
	}
	fclose(f);
	while (config_key(all))
		all++;
	assert_int_equal(n, all);
}

static void refuses_command(const char *command, const char *why)
{
	char text[300], want[600];

	snprintf(text, sizeof(text), "[hooks]\nat_once = 1\ncommand = %s\n", command);
	snprintf(want, sizeof(want), "shim6.conf:3: command: expected a program that can be run; %s: %s", command, why);
	refused(text, want);
}

static void test_hooks(void **state)
{
	char *path = strdup(unit_path("hook"));

	(void)state;
	assert_true(load("[hooks]\ncommand =\nevents = switched,  failed\n"));
	assert_string_equal(cfg.hooks.command, "");
	assert_string_equal(cfg.hooks.events, "switched,failed");
	refused("[hooks]\nevents = switched, lunch\n",
		"shim6.conf:2: events: expected names of events, divided by commas: new established failed exploring "
		"switched recovered recovering locators gone, not 'switched, lunch'");
	refused("[hooks]\ncommand = hook -x\n",
		"shim6.conf:2: command: expected an absolute path of at most 255 characters, not 'hook -x'");
	refuses_command("/nonexistent", "No such file or directory");
	refuses_command("/tmp", "no regular file");
	unit_write(path, "", 0);
	refuses_command(path, "not executable: chmod +x");
	assert_int_equal(chmod(path, 0777), 0);
	refuses_command(path, "everybody may write to it: chmod o-w");
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_file_gives_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_preferences),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_send_timeout),
		cmocka_unit_test(test_constants_of_the_rfc),
		cmocka_unit_test(test_words_for_yes_and_no),
		cmocka_unit_test(test_unknown_things),
		cmocka_unit_test(test_first_error_counts),
		cmocka_unit_test(test_given_twice),
		cmocka_unit_test(test_indented_keys_are_keys),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_rules_of_the_whole),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_example),
	};

	return cmocka_run_group_tests_name("daemon-config", tests, unit_make_dir, unit_remove_dir);
}
