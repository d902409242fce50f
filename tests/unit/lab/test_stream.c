/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "lab/measure.h"
#include "lab/stream.h"

static struct stream s;

static int fresh(void **state)
{
	(void)state;
	stream_init(&s);
	return 0;
}

static int done(void **state)
{
	(void)state;
	stream_free(&s);
	return 0;
}

static void test_every_kind_of_line(void **state)
{
	(void)state;
	assert_true(stream_line(&s, "b 4 1000 2"));
	assert_true(stream_line(&s, "b 5 10 1"));
	assert_true(stream_line(&s, "q 300000000 900000000"));
	assert_true(stream_line(&s, "k bytes 1010"));
	assert_true(stream_line(&s, "k packets 3"));
	assert_true(stream_line(&s, "k gap_start_ns 300000000"));
	assert_true(stream_line(&s, "k gap_end_ns 900000000"));
	assert_true(stream_line(&s, "k intact 1"));
	assert_true(stream_line(&s, "k something_new 5"));
	assert_true(stream_line(&s, "l 7 9 100 300"));
	assert_true(stream_line(&s, "x gave-up"));
	assert_int_equal(s.n_buckets, 2);
	assert_int_equal(s.buckets[0].index, 4);
	assert_int_equal(s.buckets[0].bytes, 1000);
	assert_int_equal(s.buckets[1].packets, 1);
	assert_int_equal(s.last, 6 * MEASURE_BUCKET_NS);
	assert_int_equal(s.n_silences, 1);
	assert_int_equal(s.silences[0].end, 900000000);
	assert_int_equal(s.bytes, 1010);
	assert_int_equal(s.packets, 3);
	assert_int_equal(s.longest.end - s.longest.start, 600000000);
	assert_int_equal(s.intact, 1);
	assert_int_equal(s.n_losses, 1);
	assert_int_equal(s.losses[0].last, 9);
	assert_true(s.has_end);
	assert_int_equal(s.end, STREAM_GAVE_UP);
}

static void test_bad_lines_change_nothing(void **state)
{
	static const char *const bad[] = { "",		"b",	     "b 1 2", "b 1 2 3 4", "b 1 2 x",
					   "b -1 2 3",	"b1 2 3",    "q 1",   "q 9 3",	   "k bytes",
					   "k 5",	"k bytes x", "x",     "x done",	   "l 1 2 3",
					   "l 2 1 3 4", "l 1 2 4 3", "z 1",   "b  1 2 3" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (stream_line(&s, bad[i]))
			fail_msg("taken: \"%s\"", bad[i]);
	assert_int_equal(s.n_buckets + s.n_silences + s.n_losses, 0);
	assert_int_equal(s.bytes, 0);
	assert_false(s.has_end);
}

static void test_lines_come_in_any_pieces(void **state)
{
	static const char text[] = "b 0 5 1\nb 1 6 2\nnonsense\nk sent 9\n";
	struct stream_reader r = { .len = 0 };
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		bad += stream_feed(&s, &r, text + i, 1);
	assert_int_equal(bad, 1);
	assert_int_equal(s.n_buckets, 2);
	assert_int_equal(s.sent, 9);
	assert_int_equal(stream_feed(&s, &r, "b 2 7 3", 7), 0);
	assert_int_equal(s.n_buckets, 2); /* not yet whole */
	stream_feed(&s, &r, "\n", 1);
	assert_int_equal(s.n_buckets, 3);
}

static void test_a_line_without_end_is_cut_and_refused(void **state)
{
	struct stream_reader r = { .len = 0 };
	char junk[1000];

	(void)state;
	memset(junk, 'b', sizeof(junk));
	assert_int_equal(stream_feed(&s, &r, junk, sizeof(junk)), 0);
	assert_int_equal(stream_feed(&s, &r, "\nb 0 1 1\n", 9), 1);
	assert_int_equal(s.n_buckets, 1);
}

static void test_many_of_each(void **state)
{
	char line[64];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "b %u %u 1", i, i);
		assert_true(stream_line(&s, line));
	}
	assert_int_equal(s.n_buckets, 5000);
	assert_int_equal(s.buckets[4999].bytes, 4999);
	assert_int_equal(s.buckets[1].bytes, 1);
}

static void test_what_is_lost_behind_the_last_that_came(void **state)
{
	(void)state;
	s.udp = true;
	stream_line(&s, "k sent 100");
	stream_line(&s, "k received 88");
	stream_line(&s, "k next 90");
	stream_line(&s, "k last_sent_ns 900000000");
	stream_line(&s, "l 10 11 100000000 110000000");
	stream_settle(&s, 1.0);
	assert_int_equal(stream_lost(&s), 12);
	assert_int_equal(s.n_losses, 2);
	assert_int_equal(s.losses[1].first, 90);
	assert_int_equal(s.losses[1].last, 99);
	assert_true(s.losses[1].from > 900000000 && s.losses[1].to < 1000000000);
	assert_int_equal(stream_lost_between(&s, 0, 2000000000), 12);
	assert_int_equal(stream_lost_between(&s, 0, 105000000), 1);
	assert_int_equal(stream_lost_between(&s, 110000000, 900000000), 1);
	assert_int_equal(stream_lost_between(&s, 900000000, 2000000000), 10);
}

static void test_a_range_is_spread_evenly(void **state)
{
	(void)state;
	assert_true(stream_line(&s, "l 0 9 0 900")); /* one every 100 */
	assert_int_equal(stream_lost_between(&s, 0, 450), 5);
	assert_int_equal(stream_lost_between(&s, 450, 901), 5);
	assert_int_equal(stream_lost_between(&s, 200, 201), 1);
}

static void test_silences_by_when_they_are(void **state)
{
	(void)state;
	stream_line(&s, "q 100 400");
	stream_line(&s, "q 500 600");
	stream_line(&s, "q 1000 3000");
	assert_int_equal(stream_silence_in(&s, 0, 1000), 300);
	assert_int_equal(stream_silence_in(&s, 450, 1000), 100);
	assert_int_equal(stream_silence_in(&s, 2999, 5000), 2000); /* as a whole */
	assert_int_equal(stream_silence_in(&s, 3000, 5000), 0);
	assert_int_equal(stream_silence_in(&s, 600, 1000), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_kind_of_line),
		TEST(test_bad_lines_change_nothing),
		TEST(test_lines_come_in_any_pieces),
		TEST(test_a_line_without_end_is_cut_and_refused),
		TEST(test_many_of_each),
		TEST(test_what_is_lost_behind_the_last_that_came),
		TEST(test_a_range_is_spread_evenly),
		TEST(test_silences_by_when_they_are),
	};

	return cmocka_run_group_tests_name("lab stream", tests, NULL, NULL);
}
