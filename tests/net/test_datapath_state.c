/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the data path keeps and tells: the two REAP timers and the counts of a
 * context (PT-01..PT-04, PT-21, D-09), notices, counted ULID pairs and what is
 * never counted (D-01), held segments.
 */
#define _GNU_SOURCE
#include "dp_lab.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static struct frame f;

static struct shim6_stamps stamps(struct lab_host *h)
{
	struct shim6_stamps s;

	assert_true(datapath_stamps(h->dp, h == &A ? SLOT_A : SLOT_B, &s));
	return s;
}

/* The clock of the stamps. */
static uint64_t tick_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void next_tick(void)
{
	uint64_t now = tick_ns();

	wait_until(tick_ns() > now);
}

static void stamps_move(const struct shim6_pair *current)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	struct shim6_stamps s, first;
	uint64_t start = tick_ns(), mine = 4711;

	contexts(current);
	first = stamps(&A);
	assert_int_equal(first.send_t0 | first.ka_t0 | first.last_tx | first.last_rx | first.tx_packets, 0);
	udp_exchange(a, b, 100);
	first = stamps(&A);
	assert_in_range(first.send_t0, start, tick_ns());
	assert_int_equal(first.send_t0, first.last_tx);
	assert_int_equal(first.ka_t0 | first.last_rx, 0);
	assert_int_equal(first.tx_packets, 1);
	assert_int_equal(first.tx_bytes, 148);
	next_tick();
	udp_exchange(a, b, 200); /* PT-01: does not restart it */
	s = stamps(&A);
	assert_int_equal(s.send_t0, first.send_t0);
	assert_true(s.last_tx > first.last_tx);
	assert_int_equal(s.tx_packets, 2);

	first = stamps(&B);
	assert_in_range(first.ka_t0, start, tick_ns());
	assert_int_equal(first.send_t0 | first.last_tx, 0);
	assert_int_equal(first.rx_packets, 2);
	assert_int_equal(first.rx_bytes, 148 + 248);
	assert_true(first.last_rx > first.ka_t0); /* PT-03: from the first */

	udp_exchange(b, a, 300); /* PT-02, PT-04 */
	s = stamps(&B);
	assert_int_equal(s.ka_t0, 0);
	assert_int_equal(s.send_t0, s.last_tx);
	s = stamps(&A);
	assert_int_equal(s.send_t0, 0);
	assert_int_equal(s.ka_t0, s.last_rx);
	assert_int_equal(s.rx_bytes, 348);

	/* the engine's own values are not touched while they are not 0 */
	enter(&A);
	datapath_set_timers(A.dp, SLOT_A, &mine, NULL);
	udp_exchange(a, b, 1);
	assert_int_equal(stamps(&A).send_t0, mine);
	mine = 0;
	datapath_set_timers(A.dp, SLOT_A, &mine, &mine);
	assert_int_equal(stamps(&A).send_t0, 0);
	close(a), close(b);
}

/* D-09: plain packets are found by their ULIDs */
static void test_stamps_on_ulids(void **state)
{
	(void)state;
	stamps_move(&ulids);
}

static void test_stamps_on_locators(void **state)
{
	(void)state;
	stamps_move(&alternative);
}

/* Processors keep the contexts of late packets at hand: no packet is counted to a context that is gone (D-03). */
static void test_slot_changes_hands(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	struct shim6_projection mine, other;
	struct shim6_stamps s;

	(void)state;
	contexts(&ulids);
	udp_exchange(a, b, 100);
	udp_exchange(a, b, 100);
	assert_int_equal(stamps(&A).tx_packets, 2);
	enter(&A);
	assert_true(datapath_get(A.dp, SLOT_A, &mine));
	other = mine;
	other.ulid = other.current = alternative;
	datapath_remove(A.dp, SLOT_A);
	udp_exchange(a, b, 100);
	enter(&A);
	assert_int_equal(datapath_install(A.dp, SLOT_A, &other), 0); /* the slot, for another pair */
	udp_exchange(a, b, 100);
	udp_exchange(b, a, 100);
	s = stamps(&A);
	assert_int_equal(s.tx_packets | s.rx_packets | s.last_tx | s.last_rx, 0);
	enter(&A);
	mine.ct_local++;
	assert_int_equal(datapath_install(A.dp, SLOT_A + 1, &mine), 0); /* the pair, in another slot */
	udp_exchange(a, b, 100);
	udp_exchange(b, a, 100);
	assert_true(datapath_stamps(A.dp, SLOT_A + 1, &s));
	assert_int_equal(s.tx_packets, 1);
	assert_int_equal(s.rx_packets, 1);
	assert_int_equal(stamps(&A).tx_packets, 0);
	close(a), close(b);
}

/* Packets that are no payload of the context move nothing. */
static void test_stamps_stay(void **state)
{
	uint8_t packet[200], control[16] = { 59, 1, 1 };
	struct shim6_stamps s;
	int raw;

	(void)state;
	contexts(&ulids);
	enter(&B);
	raw = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 140);
	put_packet(&R, "rb1", packet, ip6_packet(packet, "2001:db8:a1::1", "2001:db8:b1::1", 140, control, 16));
	put_packet(&R, "rb1", packet, ip6_packet(packet, "2001:db8:a2::1", "2001:db8:b1::1", 59, control, 0));
	wait_until(counter(&B, "rx_control") == 1);
	s = stamps(&B);
	assert_int_equal(s.last_rx | s.ka_t0 | s.rx_packets, 0);
	close(raw);
}

static void test_notice(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);

	(void)state;
	contexts(&ulids);
	udp_exchange(a, b, 10);
	pump();
	assert_int_equal(A.activities + B.activities, 0); /* nobody asked */
	enter(&A);
	datapath_notify(A.dp, SLOT_A, SHIM6_NOTIFY_TX);
	datapath_notify(B.dp, SLOT_B, SHIM6_NOTIFY_TX | SHIM6_NOTIFY_RX);
	udp_exchange(a, b, 10);
	wait_until(A.activities == 1 && B.activities == 1);
	assert_int_equal(A.activity_mask, SHIM6_NOTIFY_TX);
	assert_int_equal(A.activity_tag, TAG_A);
	assert_int_equal(A.activity_slot, SLOT_A);
	assert_int_equal(B.activity_mask, SHIM6_NOTIFY_RX);
	for (int i = 0; i < 5; i++)
		udp_exchange(a, b, 10); /* once */
	pump();
	assert_int_equal(A.activities + B.activities, 2);
	contexts(&alternative); /* still asked for: what B sends */
	udp_exchange(b, a, 10);
	wait_until(B.activities == 2);
	assert_int_equal(B.activity_mask, SHIM6_NOTIFY_TX);
	assert_int_equal(A.activities, 1);
	close(a), close(b);
}

static void test_trigger(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);

	(void)state;
	for (int i = 0; i < 4; i++)
		udp_exchange(a, b, 10);
	for (int i = 0; i < 3; i++)
		udp_exchange(b, a, 10);
	pump();
	assert_int_equal(A.triggers, 0);
	udp_exchange(a, b, 10);
	wait_until(A.triggers == 1 && B.triggers == 1);
	assert_true(shim6_pair_eq(&A.trigger_pair, &ulids));
	assert_int_equal(A.trigger_packets, 8);
	assert_true(shim6_pair_eq(&(struct shim6_pair){ B.trigger_pair.peer, B.trigger_pair.local }, &ulids));
	for (int i = 0; i < 20; i++)
		udp_exchange(a, b, 10); /* told once */
	pump();
	assert_int_equal(A.triggers, 1);

	enter(&A);
	datapath_pair_forget(A.dp, &ulids);
	for (int i = 0; i < 7; i++)
		udp_exchange(a, b, 10);
	pump();
	assert_int_equal(A.triggers, 1);
	udp_exchange(a, b, 10);
	wait_until(A.triggers == 2);
	assert_int_equal(B.triggers, 1);
	close(a), close(b);
}

/* What was told to a process that is gone is told to the next one. */
static void test_trigger_after_takeover(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);

	(void)state;
	for (int i = 0; i < 8; i++)
		udp_exchange(a, b, 10);
	wait_until(A.triggers == 1);
	enter(&A);
	datapath_close(A.dp);
	A.dp = NULL;
	lab_open(&A);
	for (int i = 0; i < 7; i++)
		udp_exchange(a, b, 10);
	pump();
	assert_int_equal(A.triggers, 1);
	udp_exchange(a, b, 10);
	wait_until(A.triggers == 2);
	close(a), close(b);
}

static void expect_no_trigger(const char *what)
{
	pump();
	pump();
	if (A.triggers || B.triggers)
		fail_msg("%s: a trigger", what);
}

static void test_bypass_prefix(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	struct shim6_addr pb = addr("2001:db8:b0::"), pa = addr("2001:db8:a1::1");

	(void)state;
	udp_exchange(a, b, 10); /* also what was counted before */
	enter(&A);
	assert_int_equal(datapath_bypass_prefix(A.dp, &pb, 44, true), 0);
	assert_int_equal(datapath_bypass_prefix(A.dp, &pb, 129, true), -EINVAL);
	enter(&B);
	assert_int_equal(datapath_bypass_prefix(B.dp, &pa, 128, true), 0);
	for (int i = 0; i < 20; i++)
		udp_exchange(a, b, 10);
	expect_no_trigger("bypassed prefixes");
	enter(&A);
	assert_int_equal(datapath_bypass_prefix(A.dp, &pb, 44, false), 0);
	for (int i = 0; i < 10; i++)
		udp_exchange(a, b, 10);
	wait_until(A.triggers == 1);
	assert_int_equal(B.triggers, 0);
	close(a), close(b);
}

/* A TCP segment for A with the given options; one with RST, which nobody answers. */
static void tcp_segment(const uint8_t *options, size_t len, unsigned flags)
{
	uint8_t packet[200], tcp[80] = { 0x20, 1, 0x20, 2, 0, 0, 0, 1 };
	uint16_t sum;

	tcp[12] = (uint8_t)((20 + len) / 4 << 4);
	tcp[13] = (uint8_t)flags;
	tcp[14] = 0x20;
	if (len)
		memcpy(tcp + 20, options, len);
	sum = checksum(&ulids, IPPROTO_TCP, tcp, 20 + len);
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
	put_packet(&R, "ra1", packet,
		   ip6_packet(packet, "2001:db8:b1::1", "2001:db8:a1::1", IPPROTO_TCP, tcp, 20 + len));
}

/* MPTCP: it has its own way to survive, so its segments ask for no context. */
static void test_mptcp_segments_do_not_count(void **state)
{
	static const uint8_t capable[] = {
		2, 4, 5, 0xa0, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7, 30, 4, 1, 1
	};
	static const uint8_t dss[] = { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 30, 8, 0x20, 1, 0, 0, 0, 9 };
	static const uint8_t plain[] = { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0 };
	static const uint8_t sack[] = { 1, 1, 8, 10, 0, 0, 0, 30, 0, 30, 4, 1, 1, 1, 5, 10, 30, 4, 1, 1, 30, 4, 1, 1 };
	static const uint8_t bad[] = { 5, 0, 30, 4 }, cut[] = { 2, 40, 30, 4 }, ended[] = { 0, 30, 4, 0 };

	(void)state;
	for (int i = 0; i < 20; i++) {
		tcp_segment(capable, sizeof(capable), 6);
		tcp_segment(dss, sizeof(dss), 0x14);
	}
	expect_no_trigger("MPTCP");
	/* seven that are not MPTCP, however they look */
	tcp_segment(NULL, 0, 0x14);
	tcp_segment(plain, sizeof(plain), 0x14);
	tcp_segment(sack, sizeof(sack), 0x14);
	tcp_segment(bad, sizeof(bad), 0x14);
	tcp_segment(cut, sizeof(cut), 0x14);
	tcp_segment(ended, sizeof(ended), 0x14);
	expect_no_trigger("few");
	tcp_segment(plain, sizeof(plain), 0x14);
	tcp_segment(plain, sizeof(plain), 0x14);
	wait_until(A.triggers == 1);
	assert_int_equal(A.trigger_packets >= 8, 1);
}

/* The kernel's own, where it has it: nothing of a connection counts. */
static void test_mptcp_connection(void **state)
{
	struct sockaddr_in6 at = sin6("2001:db8:b1::1", 7005), from = sin6("2001:db8:a1::1", 0);
	int l, c, s, wire = capture(&R, "ra1");

	(void)state;
	enter(&B);
	l = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	if (l < 0)
		skip();
	assert_int_equal(bind(l, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(l, 1), 0);
	enter(&A);
	c = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	assert_true(c >= 0);
	assert_int_equal(bind(c, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(c, (struct sockaddr *)&at, sizeof(at)), 0);
	s = accept(l, NULL, NULL);
	tcp_transfer(c, s, 400000);
	tcp_transfer(s, c, 400000);
	assert_true(next_frame(wire, &f, PATIENCE_MS));
	expect_no_trigger("an MPTCP connection");
	close(c), close(s), close(l), close(wire);
}

static void test_others_do_not_count(void **state)
{
	uint8_t packet[200], body[40] = { 0x1b, 0x58, 0x1b, 0x59 };
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);

	int sctp;

	(void)state;
	enter(&A); /* without it the kernel answers, and its answers are traffic */
	sctp = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 132);
	for (int i = 0; i < 20; i++) {
		put_packet(&R, "ra1", packet,
			   ip6_packet(packet, "2001:db8:b1::1", "2001:db8:a1::1", 132, body, sizeof(body)));
		put_packet(&R, "ra1", packet, ip6_packet(packet, "fe80::b", "2001:db8:a1::1", 59, body, 0));
		put_packet(&R, "ra1", packet, ip6_packet(packet, "2001:db8:b1::1", "ff02::1", 59, body, 0));
		put_packet(&R, "ra1", packet, ip6_packet(packet, "2001:db8:b1::1", "2001:db8:a1::77", 59, body, 0));
		put_packet(&R, "ra1", packet, ip6_packet(packet, "2001:db8:b1::1", "2001:db8:a1::1", 140, body, 8));
		body[0] = 136;
		put_packet(&R, "ra1", packet, ip6_packet(packet, "2001:db8:b1::1", "2001:db8:a1::1", 58, body, 24));
		body[0] = 0x1b;
	}
	contexts(&ulids); /* nor what has a context */
	for (int i = 0; i < 20; i++)
		udp_exchange(a, b, 10);
	expect_no_trigger("SCTP, link-local, multicast, others' packets, control, ND, a context");
	close(a), close(b), close(sctp);
}

static ssize_t receive_all(int fd, int flags)
{
	uint8_t buf[65536];
	ssize_t n, got = 0;

	while ((n = recv(fd, buf, sizeof(buf), flags)) > 0) {
		got += n;
		flags = MSG_DONTWAIT;
	}
	return got;
}

/* A sender that waits for the window to open says nothing but probes: in the silence they are copied. */
static void test_held_window_probe(void **state)
{
	int l = tcp_listen(&B, "2001:db8:b1::1", 7003), c, s, size = 32768;
	uint8_t block[16384] = { 0 };
	ssize_t sent = 0, got, n;

	(void)state;
	contexts(&ulids);
	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	c = tcp_connect(&A, "2001:db8:a1::1", "2001:db8:b1::1", 7003);
	setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	s = accept(l, NULL, NULL);
	for (int idle = 0; idle < 50; usleep(1000)) { /* neither the window nor the socket takes more */
		n = send(c, block, sizeof(block), MSG_DONTWAIT);
		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? n : 0;
	}
	for (int i = 0; i < 150; i++) /* longer than the silence that counts; but there is none */
		pump();
	assert_int_equal(A.helds, 0);
	enter(&R);
	sh("ip -6 route add blackhole 2001:db8:b1::1/128 && ip -6 route add blackhole 2001:db8:a1::1/128");
	wait_until(A.helds >= 1);
	assert_int_equal(A.held_len, 40 + 32); /* no data */
	got = receive_all(s, 0);	       /* the window opens, and the word of it is lost */
	contexts(&alternative);
	enter(&A);
	assert_int_equal(datapath_inject(A.dp, A.held, A.held_len), 0);
	while (got < sent) {
		n = receive_all(s, 0);
		assert_true(n > 0);
		got += n;
	}
	enter(&R);
	sh("ip -6 route del blackhole 2001:db8:b1::1/128 && ip -6 route del blackhole 2001:db8:a1::1/128");
	close(l), close(c), close(s);
}

/* Segments that nobody answers are copied, and go out again on the new pair: no wait for the retransmission. */
static void test_held(void **state)
{
	int l = tcp_listen(&B, "2001:db8:b1::1", 7002), c, s;
	uint8_t out[500], in[600];

	(void)state;
	contexts(&ulids);
	c = tcp_connect(&A, "2001:db8:a1::1", "2001:db8:b1::1", 7002);
	s = accept(l, NULL, NULL);
	tcp_transfer(c, s, 10000);
	assert_int_equal(A.helds, 0);
	enter(&R); /* A's link stays: with it A would forget the router, and send nothing at all */
	sh("ip -6 route add blackhole 2001:db8:b1::1/128");
	context_at(&A, &ulids, SHIM6_PROJ_ACCEPT | SHIM6_PROJ_EXPLORING);
	fill(out, sizeof(out), 1);
	assert_int_equal(send(c, out, sizeof(out), 0), sizeof(out));
	wait_until(A.helds >= 1);
	assert_int_equal(A.held_len, 40 + 32 + sizeof(out));
	contexts(&alternative);
	enter(&A);
	assert_int_equal(datapath_inject(A.dp, A.held, A.held_len), 0);
	assert_int_equal(recv(s, in, sizeof(in), 0), sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
	assert_int_equal(datapath_inject(A.dp, A.held, A.held_len - 1), -EINVAL);
	assert_int_equal(datapath_inject(A.dp, out, 20), -EINVAL);
	enter(&R);
	sh("ip -6 route del blackhole 2001:db8:b1::1/128");
	tcp_transfer(c, s, 10000);
	close(l), close(c), close(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, lab_up, lab_down)
	const struct CMUnitTest tests[] = {
		T(test_stamps_on_ulids),
		T(test_stamps_on_locators),
		T(test_slot_changes_hands),
		T(test_stamps_stay),
		T(test_notice),
		T(test_trigger),
		T(test_trigger_after_takeover),
		T(test_bypass_prefix),
		T(test_mptcp_segments_do_not_count),
		T(test_mptcp_connection),
		T(test_others_do_not_count),
		T(test_held),
		T(test_held_window_probe),
	};

	lab_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
