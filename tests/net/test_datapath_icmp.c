/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMPv6 errors about tagged packets reach the socket as if there were no shim
 * (I-05, I-06, I-10..I-12, I-14), each octet of them; forged ones do not. Those
 * that say that the path is broken wait with the daemon when there is another
 * (I-03, I-04, A-19). And our own kernel never denies Shim6 (I-17).
 */
#define _GNU_SOURCE
#include "dp_lab.h"

#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#define IP6_LEN 40
#define UNREACHABLE 1
#define TOO_BIG 2
#define EXCEEDED 3
#define PROBLEM 4

static struct frame f;

/* What A's ingress makes of a packet: its length, and what becomes of it. */
static size_t ingress(const uint8_t *packet, size_t len, uint8_t *out, size_t room, unsigned *rc)
{
	uint8_t in[1600] = { [12] = 0x86, [13] = 0xdd }, result[1600];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_size_in = (uint32_t)(14 + len), .data_out = result,
		    .data_size_out = sizeof(result), .repeat = 1);
	int fd;

	enter(&A);
	memcpy(in + 14, packet, len);
	fd = bpf_prog_get_fd_by_id(dp_filter_program(if_nametoindex("a2"), true));
	assert_true(fd >= 0);
	assert_int_equal(bpf_prog_test_run_opts(fd, &run), 0);
	close(fd);
	*rc = run.retval;
	len = run.data_size_out - 14;
	assert_true(len <= room);
	memcpy(out, result + 14, len);
	return len;
}

struct error {
	unsigned type, code;
	uint32_t word;
	const uint8_t *quote;
	size_t quote_len;
	const uint8_t *extensions; /* RFC 4884, behind the quote */
	size_t extensions_len;
};

static size_t error_packet(uint8_t *out, const struct error *e)
{
	struct shim6_pair p = { addr("2001:db8:a2::ff"), addr("2001:db8:a2::1") };
	size_t len = 8 + e->quote_len + e->extensions_len;
	uint8_t m[1500] = { (uint8_t)e->type, (uint8_t)e->code };
	uint16_t sum;

	for (int i = 0; i < 4; i++)
		m[4 + i] = (uint8_t)(e->word >> (24 - 8 * i));
	memcpy(m + 8, e->quote, e->quote_len);
	if (e->extensions_len)
		memcpy(m + 8 + e->quote_len, e->extensions, e->extensions_len);
	sum = checksum(&p, IPPROTO_ICMPV6, m, len);
	m[2] = (uint8_t)(sum >> 8);
	m[3] = (uint8_t)sum;
	return ip6_packet(out, "2001:db8:a2::ff", "2001:db8:a2::1", IPPROTO_ICMPV6, m, len);
}

/* A packet of A's as it left, and as its sender knows it. front: an extension header of 8 octets before the shim. */
static size_t sent_packet(uint8_t *out, bool tagged, bool front, size_t data)
{
	uint8_t payload[1500] = { 0 };
	size_t at = 0;

	if (front) {
		const uint8_t hop[8] = { tagged ? 140 : IPPROTO_UDP, 0, 1, 4 };

		memcpy(payload, hop, 8);
		at = 8;
	}
	if (tagged)
		at += shim_header(payload + at, IPPROTO_UDP, TAG_B);
	at += udp_datagram(payload + at, &ulids, 7000, 7001, data);
	return ip6_packet(out, tagged ? "2001:db8:a2::1" : "2001:db8:a1::1",
			  tagged ? "2001:db8:b2::1" : "2001:db8:b1::1",
			  front	   ? 0
			  : tagged ? 140
				   : IPPROTO_UDP,
			  payload, at);
}

struct translation {
	const char *what;
	unsigned type, code;
	uint32_t word, word_after;
	size_t cut; /* octets of the tagged packet that are quoted; 0: all */
	bool front;
};

static const struct translation translations[] = {
	{ "too big, 1400", TOO_BIG, 0, 1400, 1392, 0, false },
	{ "too big, 1280", TOO_BIG, 0, 1280, 1272, 0, false },
	{ "too big, 1400, behind hop-by-hop", TOO_BIG, 0, 1400, 1392, 0, true },
	{ "too big, below what IPv6 has", TOO_BIG, 0, 600, 1272, 0, false },
	{ "unreachable, port", UNREACHABLE, 4, 0, 0, 0, false },
	{ "unreachable, no route", UNREACHABLE, 0, 0, 0, 0, true },
	{ "unreachable, quote of 49 octets", UNREACHABLE, 0, 0, 0, 49, false },
	{ "unreachable, quote ends with the payload header", UNREACHABLE, 0, 0, 0, 48, false },
	{ "unreachable, odd quote", UNREACHABLE, 3, 0, 0, 99, true },
	{ "hop limit exceeded", EXCEEDED, 0, 0, 0, 0, false },
	{ "problem in the IPv6 header", PROBLEM, 0, 7, 7, 0, false },
	{ "problem in the transport", PROBLEM, 0, 48 + 3, 40 + 3, 0, false },
	{ "problem in the extension header", PROBLEM, 2, 42, 42, 0, true },
	{ "problem behind it", PROBLEM, 1, 40 + 16, 40 + 8, 0, true },
};

/* What comes out is, octet for octet, the error about the packet that the sender knows. I-10, I-12, I-14. */
static void test_translation(void **state)
{
	uint8_t tagged[400], known[400], in[600], expected[600], out[600];
	unsigned rc, told = 0;

	(void)state;
	contexts(&alternative);
	for (size_t i = 0; i < sizeof(translations) / sizeof(translations[0]); i++) {
		const struct translation *t = &translations[i];
		size_t n = sent_packet(tagged, true, t->front, 200), m = sent_packet(known, false, t->front, 200);
		struct error e = { t->type, t->code, t->word, tagged, t->cut ? t->cut : n, NULL, 0 };
		struct error x = { t->type, t->code, t->word_after, known, t->cut ? t->cut - 8 : m, NULL, 0 };
		size_t len = error_packet(in, &e), len_expected = error_packet(expected, &x);

		print_message("  %s\n", t->what);
		assert_int_equal(ingress(in, len, out, sizeof(out), &rc), len_expected);
		assert_int_equal(rc, UINT32_MAX);
		assert_memory_equal(out, expected, len_expected);
		wait_until(A.icmps == told + 1);
		told++;
		assert_int_equal(A.icmp_slot, SLOT_A);
		assert_int_equal(A.icmp_tag, TAG_B);
		assert_int_equal(A.icmp_type, t->type);
		assert_int_equal(A.icmp_code, t->code);
		assert_int_equal(A.icmp_mtu, t->type == TOO_BIG ? (t->word < 1280 ? 1280 : t->word) : 0);
	}
	assert_int_equal(counter(&A, "icmp_translated"), told);
}

/* I-03, I-04, I-06, I-07, I-08, A-19: with another pair to try, the daemon gets what says that the path is broken, as
 * the socket would have got it; the socket gets the rest. I-01: without one it gets everything. */
static void test_kept_while_another_may_work(void **state)
{
	uint8_t tagged[400], known[400], in[600], expected[600], out[600];
	size_t n = sent_packet(tagged, true, true, 200), m = sent_packet(known, false, true, 200);
	unsigned rc, kept = 0, passed = 0;

	(void)state;
	contexts(&alternative);
	for (unsigned hold = 0; hold < 2; hold++) {
		context_at(&A, &alternative,
			   SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE | (hold ? SHIM6_PROJ_HOLD_ERRORS : 0));
		for (unsigned type = UNREACHABLE; type <= PROBLEM; type++) {
			for (unsigned code = 0; code < 9; code++) {
				uint32_t word = type == TOO_BIG ? 1400 : type == PROBLEM ? 7 : 0;
				struct error e = { type, code, word, tagged, n, NULL, 0 };
				struct error x = { type, code, type == TOO_BIG ? 1392 : word, known, m, NULL, 0 };
				size_t len = error_packet(in, &e), want = error_packet(expected, &x);
				bool broken = type == EXCEEDED || (type == UNREACHABLE && code < 7 && code != 4);

				assert_int_equal(ingress(in, len, out, sizeof(out), &rc), want);
				wait_until(A.icmps == kept + passed + 1);
				if (!hold || !broken) {
					assert_int_equal(rc, UINT32_MAX);
					assert_memory_equal(out, expected, want);
					assert_int_equal(counter(&A, "icmp_translated"), ++passed);
					continue;
				}
				assert_int_equal(rc, 2);
				wait_until(A.errors == ++kept);
				assert_int_equal(A.error_slot, SLOT_A);
				assert_int_equal(A.error_tag, TAG_A);
				assert_int_equal(A.error_len, want);
				assert_memory_equal(A.error, expected, want);
				assert_int_equal(counter(&A, "icmp_held"), kept);
			}
		}
	}
	assert_int_equal(kept, 6 + 9);
}

/* RFC 4884: the length of the quote is told, in units of 8 octets, extensions follow. */
static void test_extensions_stay(void **state)
{
	const uint8_t ext[] = { 0x20, 0, 0, 0, 0, 8, 1, 1, 9, 8, 7, 6 };
	uint8_t tagged[136] = { 0 }, known[128] = { 0 }, in[600], expected[600], out[600];
	struct error e = { UNREACHABLE, 0, 17u << 24, tagged, sizeof(tagged), ext, sizeof(ext) };
	struct error x = { UNREACHABLE, 0, 16u << 24, known, sizeof(known), ext, sizeof(ext) };
	size_t len, len_expected;
	unsigned rc;

	(void)state;
	contexts(&alternative);
	sent_packet(tagged, true, false, 40);
	sent_packet(known, false, false, 40);
	for (unsigned type = UNREACHABLE; type <= EXCEEDED; type += 2) {
		e.type = x.type = type;
		len = error_packet(in, &e), len_expected = error_packet(expected, &x);
		assert_int_equal(ingress(in, len, out, sizeof(out), &rc), len_expected);
		assert_memory_equal(out, expected, len_expected);
	}
}

/* I-05, and the cases that are nobody's: counted, never shown to a socket. */
static void test_kept_from_sockets(void **state)
{
	uint8_t tagged[400], in[600], out[600];
	size_t n = sent_packet(tagged, true, false, 100);
	struct error e = { PROBLEM, 0, 0, tagged, n, NULL, 0 };
	static const uint32_t culprits[] = { 6, 40, 41, 47 };
	unsigned rc;

	(void)state;
	contexts(&alternative);
	for (unsigned i = 0; i < 4; i++) {
		e.word = culprits[i];
		ingress(in, error_packet(in, &e), out, sizeof(out), &rc);
		assert_int_equal(rc, 2); /* dropped */
		assert_int_equal(counter(&A, "icmp_shim"), i + 1);
	}
	wait_until(A.icmps == 4);
	assert_int_equal(A.icmp_type, PROBLEM);

	/* truncated inside the payload header */
	e = (struct error){ UNREACHABLE, 0, 0, tagged, 0, NULL, 0 };
	for (e.quote_len = 40; e.quote_len < 48; e.quote_len++) {
		ingress(in, error_packet(in, &e), out, sizeof(out), &rc);
		assert_int_equal(rc, 2);
	}
	assert_int_equal(counter(&A, "icmp_truncated"), 8);
	/* and before it: it may be about anything, the stack finds no socket for it */
	e.quote_len = 30;
	ingress(in, error_packet(in, &e), out, sizeof(out), &rc);
	assert_int_equal(rc, UINT32_MAX);

	/* another tag, another peer: nobody sent that (I-11) */
	e.quote_len = n;
	tagged[47]++;
	ingress(in, error_packet(in, &e), out, sizeof(out), &rc);
	assert_int_equal(rc, 2);
	tagged[47]--;
	tagged[39]++;
	ingress(in, error_packet(in, &e), out, sizeof(out), &rc);
	assert_int_equal(rc, 2);
	assert_int_equal(counter(&A, "icmp_unmatched"), 2);
	tagged[39]--;
	pump();
	assert_int_equal(A.icmps, 4);
	assert_int_equal(datapath_mtu(A.dp, SLOT_A), 1500);

	/* a control message: as it came, for the daemon's socket (I-15) */
	tagged[42] &= 0x7f;
	ingress(in, error_packet(in, &e), out, sizeof(out), &rc);
	assert_int_equal(rc, UINT32_MAX);
	assert_int_equal(out[48 + 6], 140);
	/* a packet of another host that we forward */
	tagged[42] |= 0x80;
	tagged[23] = 0x77;
	ingress(in, error_packet(in, &e), out, sizeof(out), &rc);
	assert_int_equal(rc, UINT32_MAX);
	assert_int_equal(counter(&A, "icmp_unmatched"), 2);
}

/* Errors about packets on the ULIDs pass as they are (I-09). */
static void test_plain_errors_pass(void **state)
{
	uint8_t known[400], in[600], out[600];
	struct error e = { TOO_BIG, 0, 1400, known, sent_packet(known, false, false, 100), NULL, 0 };
	size_t len = error_packet(in, &e);
	unsigned rc;

	(void)state;
	contexts(&alternative);
	assert_int_equal(ingress(in, len, out, sizeof(out), &rc), len);
	assert_int_equal(rc, UINT32_MAX);
	assert_memory_equal(out, in, len);
	pump();
	assert_int_equal(A.icmps, 0);
}

/* The error a socket is told of, from its error queue. */
static void expect_error(int fd, unsigned type, unsigned code, uint32_t info, const char *from)
{
	char control[256], data[200];
	struct iovec v = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	const struct sock_extended_err *e = NULL;
	struct shim6_addr router = addr(from);

	wait_until(recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)
			e = (const void *)CMSG_DATA(c);
	assert_non_null(e);
	assert_int_equal(e->ee_origin, SO_EE_ORIGIN_ICMP6);
	assert_int_equal(e->ee_type, type);
	assert_int_equal(e->ee_code, code);
	assert_int_equal(e->ee_info, info);
	assert_memory_equal(&((const struct sockaddr_in6 *)SO_EE_OFFENDER(e))->sin6_addr, router.b, 16);
}

/* From a real router, through the real stack: unreachable, hop limit, too big. */
static void test_sockets_see_them(void **state)
{
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001), one = 1, hops = 1;

	(void)state;
	contexts(&alternative);
	setsockopt(a, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	assert_int_equal(send(a, "x", 1, 0), 1); /* nobody listens */
	/* by B itself, whose error is shimmed as all it sends */
	expect_error(a, UNREACHABLE, 4, 0, "2001:db8:b1::1");
	setsockopt(a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops));
	send(a, "x", 1, 0);
	expect_error(a, EXCEEDED, 0, 0, "2001:db8:a2::ff");
	hops = 64;
	setsockopt(a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops));
	enter(&R);
	sh("ip -6 route add unreachable 2001:db8:b2::1/128");
	send(a, "x", 1, 0);
	expect_error(a, UNREACHABLE, 0, 0, "2001:db8:a2::ff");
	enter(&R);
	sh("ip -6 route del unreachable 2001:db8:b2::1/128 && ip -6 route add prohibit 2001:db8:b2::1/128");
	send(a, "x", 1, 0);
	expect_error(a, UNREACHABLE, 1, 0, "2001:db8:a2::ff");
	enter(&R);
	sh("ip -6 route del prohibit 2001:db8:b2::1/128");
	lab_mtu(&B, 2, 1350);
	{
		uint8_t data[1400] = { 0 };

		assert_int_equal(send(a, data, 1400, 0), 1400);
	}
	expect_error(a, TOO_BIG, 0, 1342, "2001:db8:a2::ff");
	assert_int_equal(counter(&A, "icmp_unmatched") + counter(&A, "icmp_failed"), 0);
	close(a);
}

/* What was kept comes to its socket in the end, by shim0; what is no whole packet does not. */
static void test_delivered_late(void **state)
{
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001), one = 1;

	(void)state;
	contexts(&alternative);
	context_at(&A, &alternative, SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE | SHIM6_PROJ_HOLD_ERRORS);
	setsockopt(a, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	enter(&R);
	sh("ip -6 route add unreachable 2001:db8:b2::1/128");
	assert_int_equal(send(a, "x", 1, 0), 1);
	wait_until(A.errors == 1);
	assert_int_equal(recv(a, A.held, 1, MSG_ERRQUEUE | MSG_DONTWAIT), -1);
	enter(&A);
	assert_int_equal(datapath_deliver(A.dp, A.error, A.error_len - 1), -EINVAL);
	assert_int_equal(datapath_deliver(A.dp, A.error, 39), -EINVAL);
	assert_int_equal(datapath_deliver(A.dp, A.error, A.error_len), 0);
	expect_error(a, UNREACHABLE, 0, 0, "2001:db8:a2::ff");
	close(a);
}

/* No daemon holds a socket for 140: the kernel's answer must not leave (I-17). */
static void test_never_denied(void **state)
{
	uint8_t packet[200], control[16] = { 59, 1, 1 }, other[24] = { 0 };
	int wire = capture(&R, "rb1");
	uint64_t before;

	(void)state;
	before = counter(&B, "tx_unrecognized");
	put_packet(&R, "rb1", packet, ip6_packet(packet, "2001:db8:a1::1", "2001:db8:b1::1", 140, control, 16));
	wait_until(counter(&B, "tx_unrecognized") == before + 1);
	/* behind an extension header, and with P set where there is no context */
	other[0] = 140, other[2] = 1, other[3] = 4;
	memcpy(other + 8, control, 16);
	put_packet(&R, "rb1", packet, ip6_packet(packet, "2001:db8:a1::1", "2001:db8:b1::1", 60, other, 24));
	wait_until(counter(&B, "tx_unrecognized") == before + 2);
	control[1] = 0, control[2] = 0x80;
	put_packet(&R, "rb1", packet, ip6_packet(packet, "2001:db8:a1::1", "2001:db8:b1::1", 140, control, 16));
	wait_until(counter(&B, "rx_unknown_tag") == 1);
	/* other protocols are denied as ever */
	put_packet(&R, "rb1", packet, ip6_packet(packet, "2001:db8:a1::1", "2001:db8:b1::1", 139, control, 16));
	do {
		expect_frame(wire, PLAIN_ICMP, &f);
	} while (!(f.b[header_at(&f, IPPROTO_ICMPV6)] == PROBLEM));
	assert_int_equal(f.b[48 + 6], 139);
	close(wire);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, lab_up, lab_down)
	const struct CMUnitTest tests[] = {
		T(test_translation),
		T(test_extensions_stay),
		T(test_kept_from_sockets),
		T(test_plain_errors_pass),
		T(test_sockets_see_them),
		T(test_never_denied),
		T(test_kept_while_another_may_work),
		T(test_delivered_late),
	};

	lab_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
