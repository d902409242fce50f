/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <errno.h>

#include "lab/traffic.h"

static void test_pattern_is_the_same_in_any_pieces(void **state)
{
	uint8_t whole[1000], part[1000];

	(void)state;
	pattern_fill(whole, sizeof(whole), 12345);
	for (size_t at = 0; at < sizeof(part);) {
		size_t n = 1 + at % 37;

		if (n > sizeof(part) - at)
			n = sizeof(part) - at;
		pattern_fill(part + at, n, 12345 + at);
		at += n;
	}
	assert_memory_equal(whole, part, sizeof(whole));
	assert_true(pattern_check(whole, sizeof(whole), 12345));
	assert_true(pattern_check(whole + 3, 700, 12348));
	assert_true(pattern_check(whole, 0, 7));
}

static void test_pattern_shows_any_damage(void **state)
{
	static uint8_t buf[9000];

	(void)state;
	pattern_fill(buf, sizeof(buf), 0);
	for (size_t i = 0; i < sizeof(buf); i += 101) {
		buf[i] ^= 1;
		assert_false(pattern_check(buf, sizeof(buf), 0));
		buf[i] ^= 1;
	}
	assert_true(pattern_check(buf, sizeof(buf), 0));
	for (uint64_t shift = 1; shift < 4000; shift += 1) /* missing or doubled octets */
		assert_false(pattern_check(buf, 64, shift));
	memmove(buf + 4000, buf + 4008, sizeof(buf) - 4008);
	assert_false(pattern_check(buf, sizeof(buf) - 8, 0));
}

static void test_pacer_keeps_the_rate(void **state)
{
	uint64_t now = MS(5000), total = 0;
	struct pacer p;

	(void)state;
	pacer_init(&p, 1000000, now);
	assert_int_equal(pacer_allowance(&p, now, 65536), 0);
	for (unsigned i = 0; i < 1000; i++) {
		size_t n;

		now += MS(10);
		n = pacer_allowance(&p, now, 65536);
		pacer_sent(&p, n);
		total += n;
	}
	assert_in_range(total, 9999000, 10000000); /* 10 s of it */
}

static void test_pacer_makes_up_for_no_pause(void **state)
{
	struct pacer p;

	(void)state;
	pacer_init(&p, 1000000, 0);
	assert_int_equal(pacer_allowance(&p, MS(20000), 1u << 30), 50000); /* 50 ms worth, not 20 s */
	pacer_init(&p, 1000000, 0);
	assert_int_equal(pacer_allowance(&p, MS(40), 1000), 1000);
	pacer_init(&p, 0, 0);
	assert_int_equal(pacer_allowance(&p, 1, 65536), 65536); /* no limit */
}

static void iperf(const char *line, uint64_t octets)
{
	uint64_t got = 0;

	if (!iperf_line(line, &got))
		fail_msg("not taken: %s", line);
	assert_int_equal(got, octets);
}

static void test_lines_of_iperf3(void **state)
{
	static const char *const other[] = {
		"Connecting to host 2001:db8:b:1::10, port 7201",
		"[ ID] Interval           Transfer     Bitrate",
		"[  5] local 2001:db8:a:1::10 port 37562 connected to 2001:db8:b:1::10 port 7201",
		"- - - - - - - - - - - - - - - - - - - - - - - - -",
		"[  5]   0.00-36.04  sec  43.0 MBytes  10.0 Mbits/sec    8             sender",
		"[  5]   0.00-36.00  sec  42.9 MBytes  10.0 Mbits/sec                  receiver",
		"iperf Done.",
		"",
	};
	uint64_t got;

	(void)state;
	iperf("[  5]   0.00-0.10   sec   128 KBytes  10.5 Mbits/sec                  ", 131072);
	iperf("[  5]  10.10-10.20  sec  1.50 MBytes   126 Mbits/sec", 1572864);
	iperf("[  5]  11.00-11.10  sec  0.00 Bytes  0.00 bits/sec                  ", 0);
	iperf("[  5]   0.00-1.00   sec  1.10 GBytes  9.41 Gbits/sec", 1181116006);
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		if (iperf_line(other[i], &got))
			fail_msg("taken: %s", other[i]);
}

static void test_ends_have_names(void **state)
{
	(void)state;
	assert_string_equal(traffic_end_word(0), "eof");
	assert_string_equal(traffic_end_word(ECONNRESET), "reset");
	assert_string_equal(traffic_end_word(ETIMEDOUT), "gave-up");
	assert_string_equal(traffic_end_word(ECONNREFUSED), "refused");
	assert_string_equal(traffic_end_word(EIO), "failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pattern_is_the_same_in_any_pieces),
		cmocka_unit_test(test_pattern_shows_any_damage),
		cmocka_unit_test(test_pacer_keeps_the_rate),
		cmocka_unit_test(test_pacer_makes_up_for_no_pause),
		cmocka_unit_test(test_lines_of_iperf3),
		cmocka_unit_test(test_ends_have_names),
	};

	return cmocka_run_group_tests_name("lab traffic", tests, NULL, NULL);
}
