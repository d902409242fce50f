/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of shim6 against a scripted daemon: what it asks, what it prints, how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/metrics.h"
#include "fake_daemon.h"

#define MAX_WORDS 16

static char *out, *err;
static size_t out_len, err_len;

/* Runs one command line; its exit code. out and err are what it printed. */
static int shim6(const char *line)
{
	char *words = strdup(line), *argv[MAX_WORDS + 2] = { (char[]){ "shim6" } }, *save = NULL;
	FILE *o, *e;
	int argc = 1, code;

	free(out);
	free(err);
	o = open_memstream(&out, &out_len);
	e = open_memstream(&err, &err_len);
	for (char *w = strtok_r(words, " ", &save); w && argc < MAX_WORDS; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	code = cli_main(argc, argv, o, e);
	fclose(o);
	fclose(e);
	free(words);
	return code;
}

static void prints(const char *line, int code, const char *in_out, const char *in_err)
{
	int got = shim6(line);

	if (got != code || !strstr(out, in_out) || !strstr(err, in_err))
		fail_msg("shim6 %s: exit %d\n%s\n%s", line, got, out, err);
}

static const char context[] =
	"{\"v\":1,\"ok\":true,\"result\":[{\"id\":7,\"slot\":0,\"state\":\"ESTABLISHED\",\"fii\":0,\"initiator\":true,"
	"\"ulid\":{\"local\":\"2001:db8:a:1::1\",\"peer\":\"2001:db8:b:1::1\"},"
	"\"tag\":{\"local\":\"00000000000a\",\"peer\":\"00000000000b\"},"
	"\"current\":{\"local\":\"2001:db8:a:2::1\",\"peer\":\"2001:db8:b:1::1\"},\"rewritten\":true,"
	"\"reap\":\"Operational\",\"send_timeout_s\":15,\"keepalive_timeout_s\":15,\"age_s\":100,\"idle_s\":0.5,"
	"\"mtu\":1500,\"locators\":{\"local\":[{\"addr\":\"2001:db8:a:1::1\",\"up\":false,\"method\":\"hba\","
	"\"priority\":0}],\"peer\":[]},\"last_switch\":{\"ago_s\":61,\"took_ms\":482.4,\"reason\":\"it was time\","
	"\"from\":{\"local\":\"2001:db8:a:1::1\",\"peer\":\"2001:db8:b:1::1\"},"
	"\"to\":{\"local\":\"2001:db8:a:2::1\",\"peer\":\"2001:db8:b:1::1\"}},"
	"\"counters\":{\"switches\":1,\"episodes\":1,\"rx_bytes\":1048576}}]}\n";

static const struct fake_answer answers[] = {
	{ "status",
	  "{\"v\":1,\"ok\":true,\"result\":{\"version\":\"9.8\",\"pid\":42,\"uptime_s\":3700,\"datapath\":\"bpf\","
	  "\"initiate\":true,\"config_file\":null,\"send_timeout_s\":15,\"contexts\":1,\"established\":1,"
	  "\"exploring\":0,\"locators\":[{\"addr\":\"2001:db8:a:1::1\",\"ifname\":\"eth1\",\"up\":false}]}}\n",
	  false },
	{ "contexts", context, false },
	{ "locators", "{\"v\":1,\"ok\":true,\"result\":{\"locators\":[],\"sets\":[]}}\n", false },
	{ "stats", "{\"v\":1,\"ok\":true,\"result\":{\"engine\":{\"tx_i1\":3},\"datapath\":{},\"daemon\":{}}}\n",
	  false },
	{ "negative",
	  "{\"v\":1,\"ok\":true,\"result\":[{\"local\":null,\"peer\":\"2001:db8:c::1\",\"state\":\"E-FAILED\","
	  "\"left_s\":59.5}]}\n",
	  false },
	{ "reload", "{\"v\":1,\"ok\":true,\"result\":{\"changed\":[\"a.b\",\"c.d\"],\"restart\":[\"c.d\"]}}\n", false },
	{ "establish", "{\"v\":1,\"ok\":true,\"result\":{\"id\":8}}\n", false },
	{ "explore", "{\"v\":1,\"ok\":true,\"result\":null}\n", false },
	{ "drop",
	  "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"no-context\",\"message\":\"no context \\u001b[31m9\","
	  "\"hint\":\"shim6 contexts lists them\"}}\n",
	  false },
	{ "addr.list", "{\"v\":1,\"ok\":true,\"result\":3,\"more\":4}\n", false },
	{ "addr.progress",
	  "{\"v\":1,\"ok\":true,\"result\":{\"sec\":2,\"tries\":1000000000,\"expected\":4294967296,\"per_s\":10000000,"
	  "\"left_s\":429.5}}\n",
	  false },
	{ "addr.delete", "{\"v\":7,\"ok\":true,\"result\":null}\n", false },
	{ "addr.generate", "hello\n", false },
	{ "events",
	  "{\"v\":1,\"ok\":true,\"result\":null}\n"
	  "{\"v\":1,\"event\":{\"time\":\"2026-01-01T00:00:00.000000Z\",\"type\":\"gone\",\"text\":\"it ended\"}}\n"
	  "{\"v\":1,\"overflow\":12}\n",
	  true },
	{ "trace",
	  "{\"v\":1,\"ok\":true,\"result\":null}\n"
	  "{\"v\":1,\"overflow\":3}\n"
	  "{\"v\":1,\"event\":{\"time\":\"2026-01-01T00:00:00.000000Z\",\"id\":7,\"type\":\"gone\","
	  "\"text\":\"context 7 with ::1: it ended\"}}\n"
	  "{\"v\":1,\"message\":{\"direction\":\"received\",\"local\":7,\"octets\":\"3b0\",\"verdict\":\"dropped\"}}\n"
	  "{\"v\":1,\"message\":{\"direction\":\"sent\",\"octets\":\"3b0142007f95123456789abc00000000\","
	  "\"time\":\"2026-01-01T00:00:00.000000Z\",\"id\":7,\"local\":\"::1\",\"peer\":\"::2\","
	  "\"verdict\":\"sent\",\"counters\":[]}}\n",
	  false },
	{ NULL, NULL, false },
};

static struct fake_daemon *daemon_;

static int start(void **state)
{
	(void)state;
	daemon_ = fake_daemon_start(answers);
	if (!daemon_)
		return -1;
	return setenv("SHIM6_SOCKET", fake_daemon_path(daemon_), 1);
}

static int stop(void **state)
{
	(void)state;
	fake_daemon_stop(daemon_);
	free(out);
	free(err);
	out = err = NULL;
	return 0;
}

static void asked(const char *line, const char *request)
{
	shim6(line);
	if (!strstr(fake_daemon_request(daemon_), request))
		fail_msg("shim6 %s asked %s, not %s", line, fake_daemon_request(daemon_), request);
}

static void test_status(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		prints(i ? "" : "status", CLI_OK, "host: shim6d 9.8, pid 42, up 1 hour, 1 minute", "");
		assert_non_null(strstr(out, "2001:db8:a:1::1 on eth1 down"));
		assert_non_null(strstr(out, "context: 7\n"));
		assert_non_null(strstr(out, "2001:db8:a:1::1 -> 2001:db8:b:1::1"));
		assert_non_null(strstr(out, "1 minute, 1 second ago in 482 ms: it was time"));
		assert_non_null(strstr(out, "1.00 MiB received"));
	}
}

static void test_lists(void **state)
{
	(void)state;
	prints("contexts", CLI_OK, "7   ESTABLISHED  Operational", "");
	prints("contexts 7", CLI_OK, "00000000000a -> 00000000000b", "");
	asked("contexts 7", "\"args\":{\"id\":7}");
	prints("locators", CLI_OK, "", "");
	prints("stats", CLI_OK, "tx_i1", "");
	prints("negative", CLI_OK, "2001:db8:c::1", "");
	prints("reload", CLI_OK, "changed: a.b\nwaits for a restart of shim6d: c.d\n", "");
	prints("addr list", CLI_OK,
	       "set in the making, Sec 2: 1000 of 4295 million hashes expected, 10.0 million/s, on average 7 minutes, "
	       "9 "
	       "seconds left",
	       "");
	prints("addr", CLI_OK, "no sets of addresses", "");
	prints("establish 2001:DB8::1 2001:db8:0::2", CLI_OK, "context 8", "");
	asked("establish 2001:DB8::1 2001:db8:0::2", "\"local\":\"2001:db8::1\",\"peer\":\"2001:db8::2\"");
	prints("explore 3", CLI_OK, "", "");
	asked("explore 3 ::1 ::2", "\"id\":3,\"local\":\"::1\",\"peer\":\"::2\"");
}

/* A daemon that says there is more of what is no list, and for how long nothing lasts. */
static void test_senseless_answers(void **state)
{
	(void)state;
	prints("addr list --json", CLI_OK, "3\n", "");
	assert_string_equal(text_duration(1e300).s, "11574074 days, 1 hour");
	assert_string_equal(text_duration(0.0 / 0.0).s, "0 seconds");
	assert_string_equal(text_duration(-1e300).s, "0 seconds");
}

static void test_events(void **state)
{
	(void)state;
	prints("events", CLI_FAILED, "it ended", "12 events missed");
	prints("events --json", CLI_FAILED, "{\"time\":\"2026-01-01T00:00:00.000000Z\"", "closed the connection");
}

/* By context, tag, peer or pair; until enough was seen. Octets that are none are the end of a message. */
static void test_trace(void **state)
{
	(void)state;
	prints("trace --count 2", CLI_OK,
	       "--- tracing\n--- 3 missed: read too slowly\n00:00:00.000000  #7    it ended\n", "");
	assert_non_null(strstr(out, "<-   message, undecodable: short, octets 3b0  [dropped]\n"));
	assert_non_null(strstr(out, "  #7    ::1 -> ::2  Keepalive, tag 123456789abc\n"));
	prints("trace --json --count 1", CLI_OK, "{\"trace\":\"begins\"}\n{\"missed\":3}\n{\"event\":{", "");
	prints("trace --for 0.3", CLI_OK, "Keepalive", "");
	asked("trace 7 --count 1", "\"op\":\"trace\",\"args\":{\"id\":7}}");
	asked("trace 00000000000B --count 1", "\"op\":\"trace\",\"args\":{\"id\":7}}");
	asked("trace 2001:DB8::1 --count 1", "\"args\":{\"peer\":\"2001:db8::1\"}}");
	asked("trace ::1 ::2 --count 1", "\"args\":{\"local\":\"::1\",\"peer\":\"::2\"}}");
	prints("trace 00000000000c", CLI_FAILED, "", "no context has the tag 00000000000c: shim6 contexts lists them");
	prints("trace --pcap /nonexistent/x", CLI_FAILED, "", "cannot write /nonexistent/x: No such file");
	prints("trace --pcap /dev/full", CLI_FAILED, "", "cannot write /dev/full: No space left");
}

static void test_json(void **state)
{
	static const char *const lines[] = {
		"--json",	    "status --json",	"contexts --json", "--json contexts 7",
		"stats --json",	    "locators --json",	"negative --json", "reload --json",
		"explore 1 --json", "addr list --json", "help --json",	   "--version --json"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct json_tokener *t = json_tokener_new();
		struct json_object *o;

		prints(lines[i], CLI_OK, "", "");
		o = json_tokener_parse_ex(t, out, (int)out_len);
		assert_int_equal(json_tokener_get_error(t), json_tokener_success);
		assert_true(json_tokener_get_parse_end(t) + 1 >= out_len); /* but for the newline */
		json_object_put(o);
		json_tokener_free(t);
	}
}

static void test_verbs_shortened(void **state)
{
	(void)state;
	asked("con", "\"op\":\"contexts\"");
	asked("n", "\"op\":\"negative\"");
	asked("a l --json", "\"op\":\"addr.list\"");
	prints("sta", CLI_USAGE, "", "shim6: 'sta' may be any of several verbs: status, stats\n");
	prints("sti", CLI_USAGE, "", "unknown verb 'sti'");
	prints("e", CLI_USAGE, "", "events, establish, explore");
	prints("addr d", CLI_USAGE, "", "usage: shim6 addr delete FILE");
}

static void test_verbs_mistyped(void **state)
{
	(void)state;
	prints("contxets", CLI_USAGE, "", "unknown verb 'contxets': did you mean 'contexts'?");
	prints("satus", CLI_USAGE, "", "did you mean 'status'?");
	prints("addr lits", CLI_USAGE, "", "did you mean 'list'?");
	prints("xyzzy", CLI_USAGE, "", "shim6 help lists the verbs");
	prints("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", CLI_USAGE, "", "shim6 help lists");
}

static void test_wrong_lines(void **state)
{
	(void)state;
	prints("--frobnicate", CLI_USAGE, "", "unknown option '--frobnicate'");
	prints("--socket", CLI_USAGE, "", "--socket needs a value");
	prints("--json=yes", CLI_USAGE, "", "--json takes no value");
	prints("--color=blue", CLI_USAGE, "", "always, never or auto");
	prints("drop", CLI_USAGE, "", "usage: shim6 drop ID");
	prints("drop 1 2", CLI_USAGE, "", "usage: shim6 drop ID");
	prints("drop x1", CLI_USAGE, "", "'x1' is no context id");
	prints("drop -1", CLI_USAGE, "", "unknown option '-1'");
	prints("drop 99999999999999999999999", CLI_USAGE, "", "is no context id");
	prints("explore 1 ::1", CLI_USAGE, "", "lacks PEER");
	prints("establish here there", CLI_USAGE, "", "'here' is no IPv6 address");
	prints("status --prefix ::/64", CLI_USAGE, "", "addr generate");
	prints("addr generate", CLI_USAGE, "", "needs a prefix");
	prints("addr generate --prefix 2001:db8::1", CLI_USAGE, "", "is no IPv6 prefix");
	prints("addr generate --prefix 2001:db8::/64 --sec 9", CLI_USAGE, "", "'9' is no Sec value");
	prints("addr generate --prefix 2001:db8::/64 --new-key 1023", CLI_USAGE, "", "'1023' is no length of a key");
	prints("addr generate --prefix 2001:db8::/64 --new-key 2048x", CLI_USAGE, "", "is no length of a key");
	prints("addr generate --prefix 2001:db8::/64 --new-key 1024 --key /dev/null", CLI_USAGE, "", "not both");
	prints("a b c d e f g h i j k l", CLI_USAGE, "", "too many words");
}

static void test_refusals(void **state)
{
	(void)state;
	/* Nothing from elsewhere drives the terminal. */
	prints("drop 9", CLI_FAILED, "", "shim6: no context ?[31m9: shim6 contexts lists them\n");
	prints("addr delete x", CLI_FAILED, "", "different versions");
	prints("addr generate --prefix 2001:db8::/64", CLI_FAILED, "", "no JSON object");
}

static void test_no_daemon(void **state)
{
	char line[300] = "--socket /";

	(void)state;
	prints("--socket /nonexistent/s", CLI_UNREACHABLE, "",
	       "cannot reach the daemon at /nonexistent/s: No such file");
	assert_non_null(strstr(err, "is shim6d running?"));
	prints("events --socket=/nonexistent/s", CLI_UNREACHABLE, "", "is shim6d running?");
	memset(line + 10, 'x', 200);
	prints(line, CLI_UNREACHABLE, "", "choose a shorter path");
	prints("help", CLI_OK, "usage: shim6", "");
	prints("help drop", CLI_OK, "usage: shim6 drop ID", "");
	prints("drop --help", CLI_OK, "usage: shim6 drop ID", "");
	prints("--version", CLI_OK, "shim6 ", "");
}

static void test_no_color(void **state)
{
	(void)state;
	shim6("");
	assert_null(strchr(out, '\033'));
	shim6("--color");
	assert_non_null(strchr(out, '\033'));
	shim6("--color=never");
	assert_null(strchr(out, '\033'));
}

static void test_metrics(void **state)
{
	struct json_object *status = json_tokener_parse("{\"version\":\"a\\\\b\\\"c\\nd\"}");
	const struct metrics_source s = { .status = status };
	struct json_object *list = metrics_make(&s);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	metrics_text(f, list);
	fclose(f);
	assert_non_null(strstr(text, "\nshim6_build_info{version=\"a\\\\b\\\"c\\nd\",datapath=\"\"} 1\n"));
	free(text);
	json_object_put(list);
	json_object_put(status);
	prints("metrics --contexts 1", CLI_OK,
	       "shim6_context_bytes_total{context=\"7\",local=\"2001:db8:a:1::1\",peer=\"2001:db8:b:1::1\",fork=\"0\","
	       "direction=\"rx\"} 1048576\n",
	       "");
	prints("metrics", CLI_OK,
	       "# TYPE shim6_messages_sent_total counter\nshim6_messages_sent_total{type=\"i1\"} 3\n", "");
	assert_null(strstr(out, "shim6_context_"));
	prints("metrics --contexts 2000", CLI_USAGE, "", "a whole number from 1 to 1000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_senseless_answers),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_verbs_shortened),
		cmocka_unit_test(test_verbs_mistyped),
		cmocka_unit_test(test_wrong_lines),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_no_color),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
