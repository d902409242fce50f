/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes: nothing of either host is larger than the path MTU, on paths of 1500,
 * 1400 and 1280 octets (X-20, D-19, D-20, A-40, I-12); senders that leave
 * segmentation to the device; switches in the middle of connections; fragments
 * (X-04, X-05).
 */
#define _GNU_SOURCE
#include "dp_lab.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static struct frame f;

struct connection {
	int l, c, s;
};

static struct connection connected(uint16_t port)
{
	struct connection k = { .l = tcp_listen(&B, "2001:db8:b1::1", port) };

	k.c = tcp_connect(&A, "2001:db8:a1::1", "2001:db8:b1::1", port);
	k.s = accept(k.l, NULL, NULL);
	assert_true(k.s >= 0);
	return k;
}

static void disconnect(const struct connection *k)
{
	close(k->c), close(k->s), close(k->l);
}

static struct tcp_info tcp_state(int fd)
{
	struct tcp_info t = { 0 };
	socklen_t len = sizeof(t);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &len), 0);
	return t;
}

/* 12 octets of every segment are the timestamp option. */
static void expect_segments(int fd, unsigned pmtu)
{
	struct tcp_info t = tcp_state(fd);

	if (t.tcpi_pmtu != pmtu || t.tcpi_snd_mss > pmtu - 72)
		fail_msg("path MTU %u, segments of %u where %u were expected", t.tcpi_pmtu, t.tcpi_snd_mss, pmtu);
}

/* A connection in full flow is switched, and back: D-06, D-19, no stall. */
static void switch_in_flow(bool offload)
{
	struct connection k;
	int on = capture(&R, "ra2"), from = capture(&R, "ra1"), back = capture(&R, "rb2");
	unsigned ms, retransmits;

	lab_offload(offload);
	contexts(&ulids);
	k = connected(7002);
	tcp_transfer(k.c, k.s, 3000000);
	expect_segments(k.c, 1500);
	drain(from, 65535);

	contexts(&alternative);
	ms = tcp_transfer(k.c, k.s, 3000000);
	expect_segments(k.c, 1492);
	assert_true(drain(on, 1500) > 1500);
	assert_true(ms < 3000);
	tcp_transfer(k.s, k.c, 3000000);
	expect_segments(k.s, 1492);
	assert_true(drain(on, 1500) > 1500);
	assert_true(drain(back, 1500) > 3000);

	drain(from, 65535);
	contexts(&ulids);
	ms = tcp_transfer(k.c, k.s, 3000000);
	assert_true(ms < 3000);
	expect_segments(k.c, 1500);
	assert_int_equal(drain(on, 1500), 0);
	drain(from, offload ? 65535 : 1500);
	retransmits = tcp_state(k.c).tcpi_total_retrans;
	print_message("  %u ms, %u retransmissions\n", ms, retransmits);
	disconnect(&k);
	close(on), close(from), close(back);
}

static void test_switch_with_segmentation_offload(void **state)
{
	(void)state;
	switch_in_flow(true);
}

static void test_switch_without_segmentation_offload(void **state)
{
	(void)state;
	switch_in_flow(false);
}

/* A new connection over a switched context knows at once. */
static void test_new_connection(void **state)
{
	struct connection k;
	int wire = capture(&R, "rb2");

	(void)state;
	contexts(&alternative);
	k = connected(7002);
	expect_segments(k.c, 1492);
	tcp_transfer(k.c, k.s, 500000);
	assert_true(drain(wire, 1500) > 300);
	assert_int_equal(counter(&A, "tx_too_big") + counter(&B, "tx_too_big"), 0);
	disconnect(&k);
	close(wire);
}

/* UDP_SEGMENT: one call, many datagrams; before, during and after. */
static void segments(int from, int to, size_t size, unsigned n)
{
	uint8_t out[64000], in[2000];
	int segment = (int)size;
	size_t len = size * n;

	fill(out, len, (unsigned)len);
	assert_int_equal(setsockopt(from, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
	assert_int_equal(send(from, out, len, 0), len);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(recv(to, in, sizeof(in), 0), size);
		assert_memory_equal(in, out + i * size, size);
	}
}

static void test_udp_segment(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0), wire = capture(&R, "ra2");
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);

	(void)state;
	contexts(&ulids);
	segments(a, b, 1000, 40);
	contexts(&alternative);
	segments(a, b, 1000, 40);
	segments(a, b, 1444, 40);
	segments(a, b, 100, 60);
	assert_int_equal(drain(wire, 1500), 140);
	contexts(&ulids);
	segments(a, b, 1452, 40);
	close(a), close(b), close(wire);
}

/* The router tells; the sockets and the daemon learn: I-10, I-12, D-20. */
static void narrow(unsigned mtu)
{
	struct connection k;
	int wire, b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	int icmp = icmp_at(&A, "2001:db8:a1::1");

	lab_mtu(&B, 2, mtu);
	contexts(&ulids);
	k = connected(7002);
	tcp_transfer(k.c, k.s, 1000000);
	contexts(&alternative);
	wire = capture(&B, "b2");
	tcp_transfer(k.c, k.s, 1000000);
	assert_int_equal(A.icmp_type, 2);
	assert_int_equal(A.icmp_mtu, mtu);
	assert_int_equal(A.icmp_slot, SLOT_A);
	assert_int_equal(datapath_mtu(A.dp, SLOT_A), mtu);
	expect_segments(k.c, mtu - 8);
	assert_true(drain(wire, mtu) > 600);

	/* whatever the sender believes */
	for (size_t len = mtu - 60; len < mtu; len += 2)
		udp_exchange(a, b, len);
	for (uint16_t i = 0; i < 40; i += 4) {
		size_t room = (size_t)(mtu < 1400 ? 1280 : mtu) - 48;

		assert_true(ping(icmp, "2001:db8:b1::1", i, room - 40 + i));
	}
	udp_exchange(a, b, 9000);
	assert_true(drain(wire, mtu) > 40);
	/* D-20: of this pair, not of the ULID pair */
	contexts(&ulids);
	assert_int_equal(datapath_mtu(A.dp, SLOT_A), 1500);
	tcp_transfer(k.c, k.s, 1000000);
	disconnect(&k);
	close(a), close(b), close(icmp), close(wire);
	lab_mtu(&B, 2, 1500);
}

static void test_path_of_1400(void **state)
{
	(void)state;
	narrow(1400);
}

/* X-20, I-13: senders go below what IPv6 has: nothing longer than 1280 octets leaves, and all of it arrives */
static void test_path_of_1280(void **state)
{
	(void)state;
	narrow(1280);
}

/* The daemon knows the path from before: nobody has to be told. */
static void test_known_mtu(void **state)
{
	struct connection k;
	int wire;

	(void)state;
	contexts(&ulids);
	k = connected(7002);
	tcp_transfer(k.c, k.s, 1000000);
	lab_mtu(&B, 2, 1280);
	contexts(&alternative);
	enter(&A);
	assert_int_equal(datapath_set_mtu(A.dp, SLOT_A, 1280), 0);
	pump();
	wire = capture(&B, "b2");
	tcp_transfer(k.c, k.s, 1000000);
	drain(wire, 1280);
	expect_segments(k.c, 1272);
	assert_int_equal(counter(&A, "icmp_translated"), 0);
	disconnect(&k);
	close(wire);
	lab_mtu(&B, 2, 1500);
}

/* A packet of 1280 on a path of 1280 becomes two, each with its own header. X-20 */
static void test_split(void **state)
{
	int wire, b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	uint32_t id[2];

	(void)state;
	lab_mtu(&B, 2, 1280);
	contexts(&alternative);
	enter(&A);
	datapath_set_mtu(A.dp, SLOT_A, 1280);
	wire = capture(&B, "b2");
	udp_exchange(a, b, 1280 - 48);
	for (int i = 0; i < 2; i++) {
		do
			expect_frame(wire, TAGGED, &f);
		while (f.outgoing);
		assert_int_equal(f.b[40], 44);
		assert_int_equal(f.b[48], IPPROTO_UDP);
		assert_int_equal(f.b[51] & 1, i == 0);
		memcpy(&id[i], f.b + 52, 4);
	}
	assert_int_equal(id[0], id[1]);
	assert_int_equal(counter(&A, "tx_fragmented"), 1);
	udp_exchange(a, b, 1272 - 48);
	assert_int_equal(counter(&A, "tx_fragmented"), 1);
	udp_exchange(a, b, 1273 - 48);
	assert_int_equal(counter(&A, "tx_fragmented"), 2);
	close(a), close(b), close(wire);
	lab_mtu(&B, 2, 1500);
}

/* The sender's own fragments: X-04. One datagram over two pairs: X-05. */
static void test_fragments(void **state)
{
	int wire = capture(&R, "ra2"), b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001), first = 0;
	uint8_t data[3000], frag[2][1600], in[3000];
	size_t half = 1440, len;

	(void)state;
	contexts(&alternative);
	udp_exchange(a, b, 8000);
	while (next_frame(wire, &f, 0)) {
		if (!is_kind(&f, TAGGED))
			continue;
		assert_int_equal(f.b[40], 44);
		assert_true(f.wire <= 1500);
		first++;
	}
	assert_true(first >= 6);

	len = udp_datagram(data, &ulids, 7000, 7001, 2500);
	for (unsigned i = 0; i < 2; i++) {
		size_t n = i ? len - half : half;
		uint8_t p[1600] = {
			IPPROTO_UDP, 0, (uint8_t)(i * half >> 8), (uint8_t)((i * half & 0xff) | !i), 1, 2, 3
		};

		memcpy(p + 8, data + i * half, n);
		assert_int_equal(ip6_packet(frag[i], "2001:db8:a1::1", "2001:db8:b1::1", 44, p, n + 8), 48 + n);
	}
	enter(&A);
	assert_int_equal(datapath_inject(A.dp, frag[0], 48 + half), 0);
	expect_frame(wire, TAGGED, &f);
	/* the rest over the ULIDs, plain */
	put_packet(&R, "rb1", frag[1], 48 + len - half);
	assert_int_equal(recv(b, in, sizeof(in), 0), 2500);
	assert_memory_equal(in, data + 8, 2500);
	close(a), close(b), close(wire);
}

/* An interface with a smaller MTU than the ULIDs' own. */
static void test_narrow_interface(void **state)
{
	struct connection k;
	int wire;

	(void)state;
	contexts(&ulids);
	k = connected(7002);
	tcp_transfer(k.c, k.s, 300000);
	lab_mtu(&A, 2, 1300);
	contexts(&alternative);
	wire = capture(&R, "ra2");
	tcp_transfer(k.c, k.s, 1000000);
	expect_segments(k.c, 1292);
	assert_true(drain(wire, 1300) > 500);
	assert_int_equal(counter(&A, "tx_too_big_silent"), 0);
	disconnect(&k);
	close(wire);
}

/* 600 datagrams while the pair changes under them: none is lost, none comes twice. */
static void test_stream_across_switches(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0), room = 8 << 20;
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	uint8_t seen[600] = { 0 };
	unsigned out[300] = { 0 }, in[300];

	(void)state;
	contexts(&ulids);
	setsockopt(b, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	for (unsigned i = 0; i < 600; i++) {
		out[0] = i;
		if (i % 50 == 49)
			contexts(i % 100 == 49 ? &alternative : &ulids);
		assert_int_equal(send(a, out, sizeof(out), 0), sizeof(out));
	}
	for (unsigned i = 0; i < 600; i++) {
		assert_int_equal(recv(b, in, sizeof(in), 0), sizeof(in));
		assert_true(in[0] < 600 && !seen[in[0]]);
		seen[in[0]] = 1;
	}
	assert_true(counter(&A, "tx_rewritten") == 300);
	close(a), close(b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, lab_up, lab_down)
	const struct CMUnitTest tests[] = {
		T(test_switch_with_segmentation_offload),
		T(test_switch_without_segmentation_offload),
		T(test_new_connection),
		T(test_udp_segment),
		T(test_path_of_1400),
		T(test_path_of_1280),
		T(test_known_mtu),
		T(test_split),
		T(test_fragments),
		T(test_narrow_interface),
		T(test_stream_across_switches),
	};

	lab_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
