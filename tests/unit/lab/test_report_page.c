// SPDX-License-Identifier: GPL-2.0-or-later
/* The page: what it says, that no name breaks out of its place, and that it is well-formed. */
#include "test_report_sample.h"

#include <sys/stat.h>

#include "lab/proc.h"
#include "lab/report.h"
#include "lab/report_html.h"
#include "lab/report_marks.h"
#include "lab/report_page.h"

/* --- markup -------------------------------------------------------------------- */

static void text_is(const char *in, const char *out)
{
	struct strbuf b = { 0 };

	html(&b, "%s", in);
	assert_string_equal(b.s, out);
	strbuf_free(&b);
}

static void test_text_is_escaped(void **state)
{
	(void)state;
	text_is("a<b>&\"'c", "a&lt;b&gt;&amp;&quot;&#39;c");
	text_is("</title><script>", "&lt;/title&gt;&lt;script&gt;");
	text_is("100 %s %n", "100 %s %n");
	text_is("\xc3\xa9\xe2\x86\x92\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x86\x92\xf0\x9f\x98\x80");
	text_is("a\x01\x1b[1m\x7f", "a\xef\xbf\xbd\xef\xbf\xbd[1m\xef\xbf\xbd");
	text_is("\xef\xbf\xbf.\xef\xbf\xbe", "\xef\xbf\xbd.\xef\xbf\xbd"); /* no XML holds U+FFFF, U+FFFE */
	text_is("a\tb\nc", "a b\nc");
	text_is("", "");
}

static void test_numbers(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	html(&b, "<p>%d %u %zu %llu %.2f %g %.*f%%</p>", -3, 4u, (size_t)5, 18446744073709551615ull, 1.005, 2.5, 1,
	     0.25);
	assert_string_equal(b.s, "<p>-3 4 5 18446744073709551615 1.00 2.5 0.2%</p>");
	strbuf_free(&b);
	html_number(&b, 1234567);
	html_text(&b, " ");
	html_number(&b, 999);
	assert_string_equal(b.s, "1\xe2\x80\xaf"
				 "234\xe2\x80\xaf"
				 "567 999");
	strbuf_free(&b);
}

/* --- marks --------------------------------------------------------------------- */

static void read_sample(struct report *r, const char *name)
{
	char *json = sample_result(name);

	assert_int_equal(report_parse(r, "r.json", json, strlen(json)), 0);
	free(json);
}

static void test_marks_that_would_lie_on_each_other_are_one(void **state)
{
	struct report r;
	struct plot_marks m;

	(void)state;
	read_sample(&r, "n");
	m = plot_marks_collect(&r, 60, 0.3);
	assert_int_equal(m.n, 4);
	assert_string_equal(m.m[0].text.s, "black hole A1"); /* one fault, seen by both runs */
	assert_true(m.m[0].shared);
	assert_string_equal(m.m[0].time, "10.00 s");
	assert_non_null(strstr(m.m[0].title.s, "10.010 s, without: black hole A1"));
	assert_string_equal(m.m[1].text.s, "exploring (A)");
	assert_false(m.m[1].shared);
	assert_string_equal(m.m[2].text.s, "switched to B2 \xe2\x86\x92 A2 (B, A)"); /* both tell of one pair */
	assert_string_equal(m.m[3].text.s, "healed: n");
	plot_marks_free(&m);
	m = plot_marks_collect(&r, 60, 0.001);
	assert_int_equal(m.n, 6);
	plot_marks_free(&m);
	report_free(&r);
}

static void label_of_two(const char *a, const char *b, const char *text)
{
	struct report_mark marks[] = { { 1, "switched", "A", a, "" }, { 1.1, "switched", "B", b, "" } };
	struct report_run run = { .name = "x", .marks = marks, .n_marks = 2 };
	struct report r = { .runs = &run, .n_runs = 1 };
	struct plot_marks m = plot_marks_collect(&r, 60, 1);

	assert_int_equal(m.n, 1);
	assert_string_equal(m.m[0].text.s, text);
	plot_marks_free(&m);
}

static void test_a_label_that_hosts_do_not_share_is_not_shown(void **state)
{
	(void)state;
	label_of_two("switched to A2 -> B1", "switched to B1 -> A2", "switched to A2 \xe2\x86\x92 B1 (A, B)");
	label_of_two("switched to A2 -> B1", "switched to B2 -> A2", "switched (A, B)");
	label_of_two("switched to A2 -> B1", "switched to A2 -> B1", "switched to A2 \xe2\x86\x92 B1 (A, B)");
	label_of_two("switched to A2 -> B1", "", "switched (A, B)");
	label_of_two("switched -> ", " -> switched ", "switched (A, B)");
	label_of_two("switched", "switched", "switched (A, B)");
	label_of_two("nonsense", "nonsense", "switched (A, B)");
}

/* --- the page ------------------------------------------------------------------- */

static char *page_of(const char *name)
{
	struct strbuf b = { 0 };
	struct report r;

	read_sample(&r, name);
	report_page(&b, &r);
	report_free(&r);
	return b.s;
}

/* An XML parser reads all of it, and finds what a page may not have; what it counts comes back as text. */
static void parse(const char *page, struct strbuf *out)
{
	static const char script[] =
		"import sys, xml.etree.ElementTree as T\n"
		"root = T.fromstring(sys.stdin.buffer.read())\n"
		"n = {}\n"
		"ids = []\n"
		"for e in root.iter():\n"
		"    tag = e.tag.split('}')[1]\n"
		"    n[tag] = n.get(tag, 0) + 1\n"
		"    if tag in ('script', 'img', 'link', 'iframe', 'object', 'image', 'use', 'a'):\n"
		"        sys.exit('element ' + tag)\n"
		"    for k, v in e.attrib.items():\n"
		"        if k.startswith('on') or k.endswith('href') or k == 'src' or '://' in v:\n"
		"            sys.exit('attribute ' + k + '=' + v)\n"
		"    if 'id' in e.attrib: ids.append(e.attrib['id'])\n"
		"if len(ids) != len(set(ids)): sys.exit('an id twice')\n"
		"if 'url(' in root.find('.//{*}style').text: sys.exit('url in style')\n"
		"for e in root.iter():\n"
		"    f = e.attrib.get('fill', '')\n"
		"    if f.startswith('url(#') and f[5:-1] not in ids: sys.exit('no such id ' + f)\n"
		"print(' '.join('%s=%d' % (k, n.get(k, 0)) for k in ('svg', 'figure', 'table', 'details')))\n"
		"print(root.find('.//{*}title').text)\n";
	static const char *const argv[] = { "python3", "-c", script, NULL };

	assert_int_equal(proc_run(NULL, argv, page, out), 0);
}

static void has(const char *page, const char *text)
{
	if (!strstr(page, text))
		fail_msg("not in the page: %s", text);
}

static void test_the_page_says_it_all(void **state)
{
	char *page = page_of("UDP stream");
	struct strbuf out = { 0 };

	(void)state;
	assert_true(!strncmp(page, "<!DOCTYPE html>\n", 16));
	has(page, "TCP download: at most 15.40 s of silence, complete and intact");
	has(page, "UDP stream: at most 15.20 s of silence, running to the end, 15\xe2\x80\xaf"
		  "200 of 60\xe2\x80\xaf"
		  "000 "
		  "packets lost");
	has(page, "TCP download: at most 50.00 s of silence, gave up");
	has(page, "1 of 2 checks failed");
	has(page, "Failed: it fails");
	has(page, ">10 Mbit/s</text>");
	has(page, ">60 s</text>");
	has(page, "15.40 s silent</text>");
	has(page, "50.00 s silent, gave up</text>");
	has(page, "25.003 s</td><td class=\"n\">+15.003 s</td>"); /* exploring, counted from the failure */
	has(page, "2001:db8:a:2::7 \xe2\x86\x92 2001:db8:b:2::8</span>, rewritten");
	has(page, "CT(local) <code>5f3c09aa71d2</code>, CT(peer) <code>02b9e4417c58</code>");
	has(page, "nothing heard for the Send Timeout; found in 221 ms");
	has(page, "Counters of host A: 3, of which 2 are not zero");
	has(page, "1\xe2\x80\xaf"
		  "234\xe2\x80\xaf"
		  "567");
	has(page, "bytes per 50 ms");
	has(page, "10 ms each way at every provider");
	has(page, "failed during the run: A1");
	assert_null(strstr(page, "failed during the run: A2"));
	has(page, "prefers-color-scheme:dark");
	has(page, "@media print");
	parse(page, &out);
	/* 2 plots, topology, 4 names in tables, 3 headings, 2 verdicts, 7 signs */
	assert_non_null(strstr(out.s, "svg=18 figure=2 table=5 details=1\nUDP stream\n"));
	strbuf_free(&out);
	free(page);
}

/* Names that try to be markup, an attribute, an entity, a format; and what XML cannot hold. */
static void test_no_name_breaks_out(void **state)
{
	static const char name[] = "</svg></style><script>alert(1)</script>\\\" onload=\\\"x' y='&amp;]]>--><!--%s%n"
				   "\\u0001\\u0000\\uffff\\ud800";
	char *page = page_of(name), *plain = page_of("n");
	struct strbuf out = { 0 }, plain_out = { 0 };

	(void)state;
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "<!--"));
	parse(page, &out);
	parse(plain, &plain_out);
	assert_non_null(strstr(out.s, "</svg></style><script>alert(1)</script>\" onload=\"x' y='&amp;]]>--><!--%s%n"));
	/* the same elements as with a harmless name: the first lines are equal */
	assert_memory_equal(out.s, plain_out.s, strcspn(plain_out.s, "\n") + 1);
	strbuf_free(&out);
	strbuf_free(&plain_out);
	free(plain);
	free(page);
}

static void test_a_page_of_nearly_nothing(void **state)
{
	static const char json[] = "{\"v\":1,\"duration_s\":3,\"bucket_s\":0.05,\"runs\":[{\"name\":\"x\","
				   "\"streams\":[{\"name\":\"s\",\"end\":\"refused\"}],\"hosts\":[{\"host\":\"A\","
				   "\"contexts\":[{}]}]},{\"name\":\"y\"}]}";
	struct strbuf b = { 0 }, out = { 0 };
	struct report r;

	(void)state;
	assert_int_equal(report_parse(&r, "r.json", json, strlen(json)), 0);
	report_page(&b, &r);
	has(b.s, "s: refused.");
	has(b.s, "no stream was measured");
	has(b.s, "Nothing but the streams was recorded");
	assert_null(strstr(b.s, "nan"));
	assert_null(strstr(b.s, "checks"));
	parse(b.s, &out);
	strbuf_free(&out);
	strbuf_free(&b);
	report_free(&r);
}

/* More marks than names have room for: the signs stay, and a key tells what they mean. */
static void test_a_plot_with_many_marks(void **state)
{
	struct strbuf json = { 0 }, b = { 0 }, out = { 0 };
	struct report r;

	(void)state;
	strbuf_puts(
		&json,
		"{\"v\":1,\"duration_s\":60,\"bucket_s\":0.05,\"runs\":[{\"name\":\"a name of a run that is far too "
		"long for the margin of the plot\",\"streams\":[{\"name\":\"s\"}],\"marks\":[");
	for (unsigned i = 0; i < 40; i++)
		strbuf_printf(&json, "%s{\"t_s\":%g,\"kind\":\"%s\",\"label\":\"link down A1\"}", i ? "," : "", i * 1.5,
			      i % 2 ? "switched" : "fail");
	strbuf_puts(&json, "]}]}");
	assert_int_equal(report_parse(&r, "r.json", json.s, json.len), 0);
	report_page(&b, &r);
	has(b.s, ">switched</text>");
	has(b.s, ">failure</text>");
	has(b.s, "\xe2\x80\xa6<title>a name of a run that is far too long for the margin of the plot</title>");
	parse(b.s, &out);
	strbuf_free(&out);
	strbuf_free(&b);
	strbuf_free(&json);
	report_free(&r);
}

/* --- files ----------------------------------------------------------------------- */

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/shim6-report-%ld", (long)getpid());
	return make_dirs(folder);
}

static int remove_folder(void **state)
{
	(void)state;
	return remove_tree(folder);
}

static const char *in_folder(const char *name)
{
	static char path[2][128];
	static unsigned n;

	n ^= 1;
	snprintf(path[n], sizeof(path[n]), "%s/%s", folder, name);
	return path[n];
}

static void test_an_older_report_stays_until_the_new_one_is_there(void **state)
{
	char *json = sample_result("n");
	struct strbuf page = { 0 }, ls = { 0 };
	const char *heard, *const argv[] = { "ls", folder, NULL };

	(void)state;
	assert_int_equal(file_write(in_folder("r.html"), "older"), 0);
	assert_int_equal(file_write(in_folder("r.json"), "{\"v\":1,"), 0);
	sample_listen();
	assert_int_equal(report_write(in_folder("r.json"), in_folder("r.html")), -1);
	heard = sample_heard();
	assert_non_null(strstr(heard, "/r.json: not JSON: line 1"));
	assert_int_equal(file_read(in_folder("r.html"), &page), 0);
	assert_string_equal(page.s, "older");
	strbuf_free(&page);
	assert_int_equal(file_write(in_folder("r.json"), json), 0);
	assert_int_equal(report_write(in_folder("r.json"), in_folder("r.html")), 0);
	assert_int_equal(file_read(in_folder("r.html"), &page), 0);
	has(page.s, "</html>");
	assert_int_equal(proc_run(NULL, argv, NULL, &ls), 0);
	assert_string_equal(ls.s, "r.html\nr.json\n");
	strbuf_free(&ls);
	strbuf_free(&page);
	free(json);
}

static void test_a_report_never_overwrites_its_result(void **state)
{
	char *json = sample_result("n");
	struct strbuf kept = { 0 };
	const char *heard;

	(void)state;
	assert_int_equal(file_write(in_folder("r.json"), json), 0);
	sample_listen();
	assert_int_equal(report_write(in_folder("r.json"), in_folder("./r.json")), -1);
	heard = sample_heard();
	assert_non_null(strstr(heard, "would overwrite the result"));
	assert_int_equal(file_read(in_folder("r.json"), &kept), 0);
	assert_string_equal(kept.s, json);
	sample_listen();
	assert_int_equal(report_write(in_folder("r.json"), in_folder("none/r.html")), -1);
	heard = sample_heard();
	assert_non_null(strstr(heard, "none/r.html"));
	strbuf_free(&kept);
	free(json);
}

static void test_where_it_goes(void **state)
{
	char path[LAB_PATH_MAX];

	(void)state;
	report_beside(path, "dir/result.json");
	assert_string_equal(path, "dir/result.html");
	report_beside(path, "result");
	assert_string_equal(path, "result.html");
	report_beside(path, ".json");
	assert_string_equal(path, ".json.html");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_escaped),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_marks_that_would_lie_on_each_other_are_one),
		cmocka_unit_test(test_a_label_that_hosts_do_not_share_is_not_shown),
		cmocka_unit_test(test_the_page_says_it_all),
		cmocka_unit_test(test_no_name_breaks_out),
		cmocka_unit_test(test_a_page_of_nearly_nothing),
		cmocka_unit_test(test_a_plot_with_many_marks),
		cmocka_unit_test_setup_teardown(test_an_older_report_stays_until_the_new_one_is_there, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_a_report_never_overwrites_its_result, make_folder, remove_folder),
		cmocka_unit_test(test_where_it_goes),
	};

	return cmocka_run_group_tests_name("lab report page", tests, NULL, NULL);
}
