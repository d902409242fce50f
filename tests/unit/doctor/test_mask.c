/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a report says of addresses and secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "doctor/mask.h"

static struct mask *mask;

static int begin(void **state)
{
	(void)state;
	mask = mask_new("gateway-7");
	return mask ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	mask_free(mask);
	return 0;
}

static void becomes(const char *text, const char *wanted)
{
	char *got = mask_text(mask, text);

	assert_non_null(got);
	assert_string_equal(got, wanted);
	free(got);
}

static void test_ipv6_keeps_its_structure(void **state)
{
	(void)state;
	becomes("2a02:8071:22::/48 2a02:8071:22:5::/64 2a02:8071:22:5:1234:5678:9abc:def0/64",
		"2001:db8:1::/48 2001:db8:1:1::/64 2001:db8:1:1::1/64");
	becomes("2a02:8071:22:6:1234:5678:9abc:def0, 2a02:8071:23:5::1", "2001:db8:1:2::1, 2001:db8:2:3::2");
	becomes("fd12:3456:789a:1::9", "fd00:0:3:4::3");
	becomes("fe80::1234:5678:9abc:def0%eth0", "fe80::1%eth0");
	becomes(":: ::1 ::/0 ff02::1 ff02::2", ":: ::1 ::/0 ff02::1 ff02::2");
	becomes("ff02::1:ffbc:def0", "ff02::1:ff00:4");
	becomes("ff3e:40:2001:db8:5:6:7:8", "ff3e::5");
}

static void test_where_addresses_stand(void **state)
{
	(void)state;
	becomes("{\"addr\":\"2a00::5\"}", "{\"addr\":\"2001:db8:1::1\"}");
	becomes("peer:2a00::5.", "peer:2001:db8:1::1.");
	becomes("[2a00::5]:443 2a00::5-2a00::6", "[2001:db8:1::1]:443 2001:db8:1::1-2001:db8:1::2");
	becomes("at 2a00::5: gone", "at 2001:db8:1::1: gone");
	becomes("::ffff:10.1.2.3", "::ffff:192.0.2.1");
	becomes("via 2a00::5", "via 2001:db8:1::1");
}

static void test_other_addresses(void **state)
{
	(void)state;
	becomes("10.1.2.3 10.1.2.4 10.1.2.3/24 127.0.0.1 0.0.0.0",
		"192.0.2.1 192.0.2.2 192.0.2.1/24 127.0.0.1 0.0.0.0");
	becomes("ether 3c:22:fb:01:02:03 brd ff:ff:ff:ff:ff:ff 00:00:00:00:00:00",
		"ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff 00:00:00:00:00:00");
	becomes("3C:22:FB:01:02:03", "02:00:00:00:00:01");
}

static void test_secrets(void **state)
{
	(void)state;
	becomes("tag 0123456789ab, \"local\": \"fedcba987654\" 0123456789ab",
		"tag [hex 1], \"local\": \"[hex 2]\" [hex 1]");
	becomes("\"123456789012\"", "\"[hex 3]\""); /* a tag may have no letter */
	becomes("modifier=00112233445566778899aabbccddeeff", "modifier=[hex 4]");
	becomes("a -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nb", "a [key left out]\nb");
	becomes("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "[key left out]");
	becomes("gateway-7 Gateway-7: mygateway-7 gateway-77 /home/ann/x",
		"host host: mygateway-7 gateway-77 /home/user/x");
}

static void test_what_is_left_alone(void **state)
{
	static const char text[] =
		"12:30:45.123 2026-11-24T18:07:47Z 6.18.44 1.5: src/a.c:12 pci 0000:00:1f.2 rx_bytes: 1234567890123"
		" mtu 1500 0x8000000 feed cafe dead:beef :: a:b";

	(void)state;
	becomes(text, text);
	becomes("", "");
	becomes("a\tb", "a    b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ipv6_keeps_its_structure, begin, end),
		cmocka_unit_test_setup_teardown(test_where_addresses_stand, begin, end),
		cmocka_unit_test_setup_teardown(test_other_addresses, begin, end),
		cmocka_unit_test_setup_teardown(test_secrets, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_left_alone, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
