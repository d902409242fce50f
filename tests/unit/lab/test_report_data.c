// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading result.json: what is there, what is missing, and what is wrong and where. */
#include "test_report_sample.h"

#include <math.h>

#include "lab/report_data.h"

#define near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void test_all_is_read(void **state)
{
	char *json = sample_result("n");
	struct report r;
	const struct report_stream *s;
	const struct report_context *c;

	(void)state;
	assert_int_equal(report_parse(&r, "r.json", json, strlen(json)), 0);
	assert_string_equal(r.title, "n");
	near(r.duration, 60);
	near(r.bucket, 0.05);
	assert_int_equal(r.n_runs, 2);
	assert_true(r.runs[0].shim6 && !r.runs[1].shim6);
	assert_int_equal(r.n_verdicts, 2);
	assert_true(r.verdicts[0].ok && !r.verdicts[1].ok);
	s = &r.runs[0].streams[1];
	assert_string_equal(s->kind, "udp");
	assert_int_equal(s->n_buckets, 1200 - 304);
	assert_int_equal(s->buckets[200].index, 504); /* 10.0 to 25.2 s is missing */
	assert_int_equal(s->buckets[200].bytes, 62500);
	near(s->silences[0].start, 10);
	near(s->silences[0].end, 25.2);
	assert_true(s->lost.known && s->lost.n == 15200);
	assert_int_equal(s->intact, REPORT_INTACT_UNKNOWN);
	assert_int_equal(r.runs[0].streams[0].intact, REPORT_INTACT);
	assert_false(r.runs[0].streams[0].lost.known);
	assert_int_equal(r.runs[1].streams[0].intact, REPORT_DAMAGED);
	/* marks come sorted */
	assert_int_equal(r.runs[0].n_marks, 6);
	near(r.runs[0].marks[0].t, -0.5);
	assert_string_equal(r.runs[0].marks[1].kind, "fail");
	assert_string_equal(r.runs[0].marks[1].host, "");
	assert_string_equal(r.runs[0].marks[5].kind, "heal");
	c = &r.runs[0].hosts[0].contexts[0];
	assert_string_equal(c->tag.peer, "02b9e4417c58");
	assert_string_equal(c->last_switch.to.local, "2001:db8:a:2::7");
	assert_true(c->peer[0].broken && c->local[0].up == 0 && c->peer[0].up == -1);
	assert_non_null(r.runs[0].hosts[0].stats);
	report_free(&r);
	free(json);
}

static void test_optional_parts_may_miss(void **state)
{
	static const char json[] =
		" {\"v\":1,\"duration_s\":3,\"bucket_s\":0.05,\"delay_ms\":null,\"runs\":[{\"name\":\"x\","
		"\"streams\":[{\"name\":\"s\"}],\"marks\":[{\"t_s\":1,\"kind\":\"k\",\"host\":null}],"
		"\"hosts\":[{\"host\":\"A\",\"contexts\":[{}]}]},{\"name\":\"y\"}]}\n";
	struct report r;

	(void)state;
	assert_int_equal(report_parse(&r, "r.json", json, strlen(json)), 0);
	assert_string_equal(r.title, "");
	assert_true(r.delay_ms < 0 && r.send_timeout < 0);
	assert_false(r.runs[0].streams[0].bytes.known);
	assert_true(r.runs[0].streams[0].longest_silence < 0);
	assert_string_equal(r.runs[0].hosts[0].contexts[0].ulid.peer, "");
	assert_false(r.runs[0].hosts[0].contexts[0].last_switch.any);
	assert_null(r.runs[0].hosts[0].stats);
	assert_int_equal(r.runs[1].n_streams, 0);
	report_free(&r);
}

static void test_streams_of_one_name_are_one_group(void **state)
{
	static const char json[] =
		"{\"v\":1,\"duration_s\":3,\"bucket_s\":0.05,\"runs\":["
		"{\"name\":\"x\",\"streams\":[{\"name\":\"s\"},{\"name\":\"t\"},{\"name\":\"s\"}]},"
		"{\"name\":\"y\",\"streams\":[{\"name\":\"u\"},{\"name\":\"t\"},{\"name\":\"s\"}]},"
		"{\"name\":\"z\",\"streams\":[{\"name\":\"u\"},{\"name\":\"t\",\"direction\":\"A>B\"}]}]}";
	const struct report_stream **g;
	struct report r;
	size_t n;

	(void)state;
	assert_int_equal(report_parse(&r, "r.json", json, strlen(json)), 0);
	g = report_groups(&r, &n);
	assert_int_equal(n, 5);
	assert_ptr_equal(g[0], &r.runs[0].streams[0]);
	assert_ptr_equal(g[1], &r.runs[1].streams[2]);
	assert_null(g[2]);
	assert_ptr_equal(g[3], &r.runs[0].streams[1]);
	assert_ptr_equal(g[4], &r.runs[1].streams[1]);
	assert_null(g[5]); /* the other direction is another stream */
	assert_ptr_equal(g[6], &r.runs[0].streams[2]);
	assert_ptr_equal(g[9 + 1], &r.runs[1].streams[0]);
	assert_ptr_equal(g[9 + 2], &r.runs[2].streams[0]);
	assert_ptr_equal(g[12 + 2], &r.runs[2].streams[1]);
	free(g);
	report_free(&r);
}

/* --- what is wrong, and where ------------------------------------------------- */

static void refuse(const char *json, size_t len, const char *says)
{
	struct report r;
	const char *heard;
	int rc;

	sample_listen();
	rc = report_parse(&r, "dir/r.json", json, len);
	heard = sample_heard();
	if (!rc)
		fail_msg("taken: %s", json);
	if (!strstr(heard, "dir/r.json: ") || !strstr(heard, says) || strchr(heard, '\n') != strrchr(heard, '\n'))
		fail_msg("expected \"%s\" in one line that names the file, heard: %s", says, heard);
}

/* A result with something in place of its run, its stream, or its members. */
#define RUNS(runs) "{\"v\":1,\"duration_s\":3,\"bucket_s\":0.05,\"runs\":" runs "}"
#define RUN(members) RUNS("[{\"name\":\"x\"," members "}]")
#define STREAM(members) RUN("\"streams\":[{\"name\":\"s\"},{\"name\":\"t\"," members "}]")

static void test_wrong_values_are_named(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"runs\":[]}", "v: expected 1" },
		{ "{\"v\":2,\"runs\":[]}",
		  "v: expected 1, the version of the format that this program reads, found 2" },
		{ "{\"v\":\"1\"}", "v: expected 1" },
		{ "{\"v\":1,\"bucket_s\":1,\"runs\":[]}", "duration_s: expected a number" },
		{ "{\"v\":1,\"duration_s\":1,\"runs\":[]}", "bucket_s: expected a number" },
		{ "{\"v\":1,\"duration_s\":0,\"bucket_s\":1}",
		  "duration_s: expected a number from 0.001 to 604800, found 0" },
		{ "{\"v\":1,\"duration_s\":1e9,\"bucket_s\":1}", "duration_s: expected" },
		{ "{\"v\":1,\"duration_s\":1,\"bucket_s\":-1}", "bucket_s: expected" },
		{ "{\"v\":1,\"title\":5,\"duration_s\":1,\"bucket_s\":1}", "title: expected a text, found 5" },
		{ RUNS("{}"), "runs: expected a list [...]" },
		{ RUNS("[]"), "runs: expected a list [...] with at least one run, found []" },
		{ RUNS("[7]"), "runs[0]: expected an object {...}, found 7" },
		{ RUNS("[{\"name\":\"x\"},{}]"), "runs[1].name: expected a text that is not empty, found nothing" },
		{ RUNS("[{\"name\":\"\"}]"), "runs[0].name: expected a text that is not empty, found \"\"" },
		{ RUN("\"shim6\":1"), "runs[0].shim6: expected true or false, found 1" },
		{ RUN("\"streams\":{}"), "runs[0].streams: expected a list [...], found {}" },
		{ STREAM("\"buckets\":[[0,1,2],[1,2]]"),
		  "runs[0].streams[1].buckets[1]: expected [index, bytes, packets]" },
		{ STREAM("\"buckets\":[[0,-1,2]]"), "runs[0].streams[1].buckets[0][1]: expected a whole number" },
		{ STREAM("\"buckets\":[[0.5,1,2]]"), "runs[0].streams[1].buckets[0][0]: expected a whole number" },
		{ STREAM("\"buckets\":[[0,1,\"2\"]]"), "runs[0].streams[1].buckets[0][2]: expected a whole number" },
		{ STREAM("\"buckets\":[[0,1,2],[20000000000,1,2]]"),
		  "runs[0].streams[1].buckets[1]: bucket 20000000000" },
		{ STREAM("\"silences\":[[2,1]]"), "runs[0].streams[1].silences[0][1]: expected a number from 2" },
		{ STREAM("\"silences\":[3]"), "runs[0].streams[1].silences[0]: expected [start_s, end_s]" },
		{ STREAM("\"lost\":-3"), "runs[0].streams[1].lost: expected a whole number, 0 or more, found -3" },
		{ STREAM("\"intact\":\"yes\""), "runs[0].streams[1].intact: expected true or false, found \"yes\"" },
		{ STREAM("\"longest_silence_s\":[]"), "runs[0].streams[1].longest_silence_s: expected a number" },
		{ RUN("\"marks\":[{\"kind\":\"fail\"}]"), "runs[0].marks[0].t_s: expected a number" },
		{ RUN("\"marks\":[{\"t_s\":1}]"), "runs[0].marks[0].kind: expected a text" },
		{ RUN("\"marks\":[{\"t_s\":1e300,\"kind\":\"x\"}]"), "runs[0].marks[0].t_s: expected" },
		{ RUN("\"hosts\":[{\"host\":\"A\",\"contexts\":[{\"ulid\":\"x\"}]}]"),
		  "hosts[0].contexts[0].ulid: expected" },
		{ RUN("\"hosts\":[{\"host\":\"A\",\"contexts\":[{\"locators\":{\"peer\":[{\"addr\":1}]}}]}]"),
		  "runs[0].hosts[0].contexts[0].locators.peer[0].addr: expected a text, found 1" },
		{ RUN("\"hosts\":[{\"host\":\"A\",\"stats\":[]}]"), "runs[0].hosts[0].stats: expected an object" },
		{ RUN("\"ingress_drops\":[{}]"), "runs[0].ingress_drops[0].provider: expected" },
		{ "{\"v\":1,\"duration_s\":1,\"bucket_s\":1,\"runs\":[{\"name\":\"x\"}],\"verdicts\":[{\"ok\":1}]}",
		  "verdicts[0].ok: expected true or false" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refuse(cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

static void test_what_is_no_json_is_told_by_line(void **state)
{
	static const char bad_utf8[] = "{\"v\":1,\n \"title\":\"a\xff\"}";

	(void)state;
	refuse("", 0, "empty");
	refuse("  \n", 3, "empty");
	refuse("[1]", 3, "expected an object");
	refuse("null\n", 5, "expected an object");
	refuse("{\"v\":1,\n\n  \"title\" 7}", 20, "line 3, column 11");
	refuse("{\"v\":1,\n\"runs\":[", 16, "line 2, column 9: the file ends in the middle");
	refuse("{\"v\":1}\n{}", 10, "line 2, column 1: unexpected");
	refuse(bad_utf8, strlen(bad_utf8), "line 2");
}

/* Cut anywhere, the file is refused, and nothing is leaked or read past. */
static void test_a_file_cut_short(void **state)
{
	char *json = sample_result("n"), *part;
	size_t len = strlen(json);

	(void)state;
	for (size_t cut = 0; cut < len; cut += cut < 700 ? 1 : 997) {
		part = malloc(cut + 1); /* of its own, so that a read past its end is seen */
		assert_non_null(part);
		memcpy(part, json, cut);
		part[cut] = '\0';
		refuse(part, cut, cut ? "the file ends in the middle" : "empty");
		free(part);
	}
	free(json);
}

static void test_no_file(void **state)
{
	struct report r;
	const char *heard;

	(void)state;
	sample_listen();
	assert_int_equal(report_read(&r, "/nonexistent/r.json"), -1);
	heard = sample_heard();
	assert_non_null(strstr(heard, "/nonexistent/r.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_is_read),
		cmocka_unit_test(test_optional_parts_may_miss),
		cmocka_unit_test(test_streams_of_one_name_are_one_group),
		cmocka_unit_test(test_wrong_values_are_named),
		cmocka_unit_test(test_what_is_no_json_is_told_by_line),
		cmocka_unit_test(test_a_file_cut_short),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests_name("lab report data", tests, NULL, NULL);
}
