/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data path between two hosts: untouched packets (D-01..D-03), rewriting and
 * back (D-04..D-10), extension headers (X-02, X-03, X-06..X-08, X-12), what is
 * never shimmed (X-19, SCTP, ND), what is dropped (D-11, D-15, D-21, W-12).
 */
#define _GNU_SOURCE
#include "dp_lab.h"

#include <errno.h>
#include <fcntl.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct frame f, g;

static void assert_pair(const struct frame *p, const struct shim6_pair *pair)
{
	assert_memory_equal(p->b + 8, pair->local.b, 16);
	assert_memory_equal(p->b + 24, pair->peer.b, 16);
}

static void accept_on(int listener, int *fd)
{
	*fd = accept(listener, NULL, NULL);
	assert_true(*fd >= 0);
}

/* The same datagrams with and without the data path and its contexts. D-03, 0 octets added. */
static void test_untouched(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0),
	    a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	int wire = capture(&R, "ra1"), icmp = icmp_at(&A, "2001:db8:a1::1"), l, s, c;

	(void)state;
	udp_exchange(a, b, 100); /* no context: D-01 */
	expect_frame(wire, PLAIN_UDP, &f);
	contexts(&ulids);
	udp_exchange(a, b, 100);
	expect_frame(wire, PLAIN_UDP, &g);
	assert_int_equal(f.len, g.len);
	assert_memory_equal(f.b, g.b, f.len);
	enter(&A);
	datapath_remove_all(A.dp);
	A.dp = NULL;
	udp_exchange(a, b, 100);
	expect_frame(wire, PLAIN_UDP, &g);
	assert_int_equal(f.len, g.len);
	assert_memory_equal(f.b, g.b, f.len);

	lab_open(&A);
	contexts(&ulids);
	assert_true(ping(icmp, "2001:db8:b1::1", 1, 56));
	l = tcp_listen(&B, "2001:db8:b1::1", 7002);
	c = tcp_connect(&A, "2001:db8:a1::1", "2001:db8:b1::1", 7002);
	accept_on(l, &s);
	tcp_transfer(c, s, 100000);
	tcp_transfer(s, c, 100000);
	assert_int_equal(drain(wire, 1500), 0);
	assert_true(counter(&A, "tx_plain") > 5);
	assert_true(counter(&A, "rx_plain") > 5);
	assert_int_equal(counter(&A, "tx_rewritten"), 0);
	close(a), close(b), close(wire), close(icmp), close(l), close(s), close(c);
}

/* One packet as it comes to shim0 and as it is on the wire: D-04, D-05, D-08, W-06, W-12, X-07. */
static void compare(const struct frame *in, const struct frame *out, const struct shim6_pair *u,
		    const struct shim6_pair *current, uint64_t tag)
{
	uint8_t shim[8];

	assert_pair(in, u);
	assert_pair(out, current);
	assert_int_equal(out->len, in->len + 8);
	assert_memory_equal(out->b, in->b, 4); /* version, traffic class, flow label */
	assert_int_equal(out->b[4] << 8 | out->b[5], (in->b[4] << 8 | in->b[5]) + 8);
	assert_int_equal(out->b[6], 140);
	assert_int_equal(out->b[7], in->b[7]);
	shim_header(shim, in->b[6], tag);
	assert_memory_equal(out->b + 40, shim, 8);
	if (!in->unfinished)
		assert_memory_equal(out->b + 48, in->b + 40, in->len - 40);
}

static void rewritten(int shim, int wire, enum kind plain, unsigned nh, const struct shim6_pair *u,
		      const struct shim6_pair *current, uint64_t tag)
{
	do
		expect_frame(shim, plain, &f);
	while (!f.outgoing);
	do
		expect_frame(wire, TAGGED, &g);
	while (memcmp(g.b + 8, current->local.b, 16) != 0);
	compare(&f, &g, u, current, tag);
	assert_false(g.unfinished);
	assert_true(checksum_valid(&g, 48, nh, u));
}

static void test_rewrite(void **state)
{
	struct shim6_pair back = turned(&ulids), back_current = turned(&alternative);
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	int icmp = icmp_at(&A, "2001:db8:a1::1"), shim_a, shim_b, wire, dead, l, c, s;
	int class = 0xb8, hops = 77;

	(void)state;
	lab_offload(false); /* what is on the wire is complete */
	contexts(&alternative);
	shim_a = capture(&A, "shim0"), shim_b = capture(&B, "shim0");
	wire = capture(&R, "ra2"), dead = capture(&R, "ra1");
	setsockopt(a, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
	setsockopt(a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops));
	udp_exchange(a, b, 300);
	rewritten(shim_a, wire, PLAIN_UDP, IPPROTO_UDP, &ulids, &alternative, TAG_B);
	assert_int_equal(g.b[7], 77);
	assert_int_equal((g.b[0] & 15) << 4 | g.b[1] >> 4, 0xb8);
	assert_true((g.b[1] & 15) | g.b[2] | g.b[3]);
	udp_exchange(b, a, 301);
	/* a router has taken one hop from what comes to ra2 */
	expect_frame(shim_b, PLAIN_UDP, &f);
	f.b[7]--;
	expect_frame(wire, TAGGED, &g);
	compare(&f, &g, &back, &back_current, TAG_A);
	udp_exchange(a, b, 0);
	udp_exchange(a, b, 1);
	udp_exchange(b, a, 1444);

	drain(shim_a, 65535), drain(wire, 1500);
	assert_true(ping(icmp, "2001:db8:b1::1", 2, 56));
	rewritten(shim_a, wire, PLAIN_ICMP, IPPROTO_ICMPV6, &ulids, &alternative, TAG_B);

	l = tcp_listen(&B, "2001:db8:b1::1", 7002);
	drain(shim_a, 65535), drain(wire, 1500);
	c = tcp_connect(&A, "2001:db8:a1::1", "2001:db8:b1::1", 7002);
	rewritten(shim_a, wire, PLAIN_TCP, IPPROTO_TCP, &ulids, &alternative, TAG_B);
	accept_on(l, &s);
	tcp_transfer(c, s, 300000);
	tcp_transfer(s, c, 300000);
	while (next_frame(wire, &f, 0))
		if (is_kind(&f, TAGGED) && f.b[40] == IPPROTO_TCP)
			assert_true(checksum_valid(&f, 48, IPPROTO_TCP,
						   memcmp(f.b + 8, alternative.local.b, 16) ? &back : &ulids));

	/* nothing took the ULIDs' own way */
	while (next_frame(dead, &f, 0))
		assert_true(is_kind(&f, ND));
	assert_int_equal(counter(&A, "rx_failed") + counter(&A, "tx_failed") + counter(&B, "rx_failed"), 0);
	close(a), close(b), close(icmp), close(shim_a), close(shim_b), close(wire), close(dead);
	close(l), close(c), close(s);
}

/* D-06, and D-16: each end decides by itself. D-17: a header that is not needed is accepted. */
static void test_back_and_each_end_by_itself(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	struct shim6_pair cross = { .local = alternative.local, .peer = ulids.peer };
	int wire = capture(&R, "ra1"), far = capture(&R, "rb1");

	(void)state;
	contexts(&alternative);
	udp_exchange(a, b, 50);
	contexts(&ulids);
	drain(wire, 1500);
	udp_exchange(a, b, 50);
	expect_frame(wire, PLAIN_UDP, &f);
	assert_pair(&f, &ulids);
	udp_exchange(b, a, 50);

	/* one locator of each link, one way only */
	context_at(&A, &cross, SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE);
	drain(far, 1500), drain(wire, 1500);
	udp_exchange(a, b, 60);
	expect_frame(far, TAGGED, &f);
	assert_pair(&f, &cross);
	udp_exchange(b, a, 61);
	expect_frame(wire, PLAIN_UDP, &f);

	context_at(&A, &ulids, SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE);
	udp_exchange(a, b, 62);
	expect_frame(wire, TAGGED, &f);
	assert_pair(&f, &ulids);
	close(a), close(b), close(wire), close(far);
}

struct chain {
	const char *what;
	unsigned first; /* next header of the IPv6 header */
	uint8_t b[64];
	unsigned len;
	int shim_at; /* where the payload header goes, -1: bypassed */
};

#define RH(next, type, left) next, 2, type, left, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9
#define PADN 1, 4, 0, 0, 0, 0

static const struct chain chains[] = {
	{ "hop-by-hop", 0, { 17, 0, PADN }, 8, 48 },
	{ "hop-by-hop of 24 octets", 0, { 17, 2, 30, 20 }, 24, 64 },
	{ "destination options", 60, { 17, 0, PADN }, 8, 40 },
	{ "hop-by-hop, destination options", 0, { 60, 0, PADN, 17, 0, PADN }, 16, 48 },
	{ "routing header done", 43, { RH(17, 4, 0) }, 24, 64 },
	{ "destination options before routing", 60, { 43, 0, PADN, RH(17, 4, 0) }, 32, 72 },
	{ "all", 0, { 60, 0, PADN, 43, 0, PADN, RH(60, 4, 0), 17, 0, PADN }, 48, 80 },
	{ "routing header with segments left", 43, { RH(17, 4, 1) }, 24, -1 },
	{ "mobility routing header", 43, { RH(17, 2, 0) }, 24, -1 },
	{ "home address option", 60, { 17, 2, PADN, 201, 16 }, 24, -1 },
	/* below IPsec, fragmentation and what is inside of a tunnel, but above hop-by-hop */
	{ "ESP", 50, { 0, 0, 1, 0, 0, 0, 0, 1 }, 32, 40 },
	{ "AH", 51, { 17, 6, 0, 0, 0, 0, 1, 0 }, 32, 40 },
	{ "hop-by-hop, ESP", 0, { 50, 0, PADN, 0, 0, 1, 0 }, 32, 48 },
	{ "a fragment", 44, { 17, 0, 0, 1, 1, 2, 3, 4 }, 32, 40 },
	{ "IPv6 in IPv6", 41, { 0x60, 0, 0, 0, 0, 0, 59, 64 }, 40, 40 },
	{ "IPv4 in IPv6", 4, { 0x45, 0, 0, 20 }, 32, 40 },
};

/* As A's stack would send it: to shim0, where the route leads. */
static void send_from_stack(const uint8_t *packet, size_t len)
{
	enter(&A);
	assert_int_equal(datapath_inject(A.dp, packet, len), 0);
}

static size_t chain_packet(uint8_t *out, const struct chain *c, size_t data)
{
	uint8_t payload[512];

	memcpy(payload, c->b, c->len);
	return ip6_packet(out, "2001:db8:a1::1", "2001:db8:b1::1", c->first, payload,
			  c->len + udp_datagram(payload + c->len, &ulids, 7000, 7001, data));
}

/* where the header goes, and that the receiver takes it out
 * again. */
static void test_extension_headers(void **state)
{
	int wire = capture(&R, "ra2"), plain = capture(&R, "ra1"), b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0);
	uint8_t packet[600], in[600], expected[100];
	uint64_t bypassed;

	(void)state;
	contexts(&alternative);
	fill(expected, sizeof(expected), 7001);
	bypassed = counter(&A, "tx_bypassed");
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		const struct chain *c = &chains[i];
		size_t len = chain_packet(packet, c, 100);

		print_message("  %s\n", c->what);
		send_from_stack(packet, len);
		if (c->shim_at < 0) {
			expect_frame(plain, ANY_BUT_ND, &f);
			assert_int_equal(f.len, len);
			assert_memory_equal(f.b, packet, len);
			assert_int_equal(counter(&A, "tx_bypassed"), ++bypassed);
			continue;
		}
		do /* B says that it knows no ESP */
			expect_frame(wire, TAGGED, &f);
		while (memcmp(f.b + 8, alternative.local.b, 16) != 0);
		assert_int_equal(f.len, len + 8);
		assert_int_equal(header_at(&f, 140), c->shim_at);
		assert_memory_equal(f.b + c->shim_at + 8, packet + c->shim_at, len - (size_t)c->shim_at);
		/* a routing header of type 4 needs more than that to be accepted by the receiver's stack */
		if (c->first == 43 || c->b[0] == 43 || c->len > 24)
			continue;
		assert_int_equal(recv(b, in, sizeof(in), 0), sizeof(expected));
		assert_memory_equal(in, expected, sizeof(expected));
	}
	close(wire), close(plain), close(b);
}

/* The ingress program of a device, run on one Ethernet frame; what comes out, from the IPv6 header on. */
static size_t run_ingress(const char *dev, const uint8_t *packet, size_t len, uint8_t *out, size_t room, unsigned *rc)
{
	uint8_t in[700] = { [12] = 0x86, [13] = 0xdd };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_size_in = (uint32_t)(14 + len), .data_out = out,
		    .data_size_out = (uint32_t)room, .repeat = 1);
	int fd;

	memcpy(in + 14, packet, len);
	fd = bpf_prog_get_fd_by_id(dp_filter_program(if_nametoindex(dev), true));
	assert_true(fd >= 0);
	assert_int_equal(bpf_prog_test_run_opts(fd, &run), 0);
	close(fd);
	*rc = run.retval;
	memmove(out, out + 14, run.data_size_out - 14);
	return run.data_size_out - 14;
}

/* What comes out at the far end is what went in, whatever is in front of the transport: ESP and AH inside of the
 * payload header meet ULIDs, a tunnel its endpoints.. */
static void test_headers_come_out_as_they_went_in(void **state)
{
	int wire = capture(&R, "rb2"), b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0);
	uint8_t packet[600], out[700];
	unsigned rc;

	(void)state;
	contexts(&alternative);
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		size_t len = chain_packet(packet, &chains[i], 100);

		if (chains[i].shim_at < 0)
			continue;
		print_message("  %s\n", chains[i].what);
		send_from_stack(packet, len);
		do
			expect_frame(wire, TAGGED, &f);
		while (memcmp(f.b + 8, alternative.local.b, 16) != 0);
		packet[7]--; /* hops */
		enter(&B);
		assert_int_equal(run_ingress("b2", f.b, f.len, out, sizeof(out), &rc), len);
		assert_int_equal(rc, UINT32_MAX); /* on to whatever comes behind us */
		assert_memory_equal(out, packet, len);
	}
	close(wire), close(b);
}

/* headers are taken as they come: options before the payload header stay there; what is outside of it is
 * the stack's before it is ours */
static void test_order_as_found(void **state)
{
	uint8_t payload[200] = { 140, 0, PADN }, packet[300], expected[300], out[700];
	size_t len, n;
	unsigned rc;

	(void)state;
	contexts(&alternative);
	enter(&B);
	n = 8 + shim_header(payload + 8, IPPROTO_UDP, TAG_B);
	n += udp_datagram(payload + n, &ulids, 7000, 7001, 50);
	len = ip6_packet(packet, "2001:db8:a2::1", "2001:db8:b2::1", 60, payload, n);
	payload[0] = IPPROTO_UDP;
	memmove(payload + 8, payload + 16, n - 16);
	ip6_packet(expected, "2001:db8:a1::1", "2001:db8:b1::1", 60, payload, n - 8);
	assert_int_equal(run_ingress("b2", packet, len, out, sizeof(out), &rc), len - 8);
	assert_memory_equal(out, expected, len - 8);

	memset(payload, 0x5a, sizeof(payload)); /* ESP around it all: nothing to see */
	for (unsigned nh = 50; nh <= 51; nh++) {
		payload[0] = 140;
		len = ip6_packet(packet, "2001:db8:a2::1", "2001:db8:b2::1", nh, payload, 120);
		assert_int_equal(run_ingress("b2", packet, len, out, sizeof(out), &rc), len);
		assert_int_equal(rc, UINT32_MAX);
		assert_memory_equal(out, packet, len);
	}
	assert_int_equal(counter(&B, "rx_rewritten"), 1);
	assert_int_equal(counter(&B, "rx_control"), 0);
}

static void no_udp(int fd)
{
	char c;

	for (int i = 0; i < 10; i++)
		pump();
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
}

/* X-17, D-22: policies and firewall of the receiving host see what comes out of the shim, with ULIDs; X-13: they are
 * the same ones as without Shim6 */
static void test_policy_on_ulids(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	const struct shim6_pair *current[] = { &ulids, &alternative };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		contexts(current[i]);
		udp_exchange(b, a, 10);
		enter(&A);
		sh("ip xfrm policy add src 2001:db8:b2::1 dst 2001:db8:a2::1 dir in action block");
		udp_exchange(b, a, 11); /* of the locators: no matter */
		enter(&A);
		sh("ip xfrm policy add src 2001:db8:b1::1 dst 2001:db8:a1::1 dir in action block");
		assert_int_equal(send(b, "x", 1, 0), 1);
		no_udp(a);
		enter(&A);
		sh("ip xfrm policy flush && ip xfrm policy add src 2001:db8:a1::1 dst 2001:db8:b1::1 dir out action "
		   "block");
		assert_int_equal(send(a, "x", 1, 0), -1); /* and the other way, before the shim */
		assert_int_equal(errno, EPERM);
		enter(&A);
		sh("ip xfrm policy flush");
		udp_exchange(a, b, 12);
		enter(&A);
		sh("nft add table ip6 t && nft 'add chain ip6 t in { type filter hook input priority 0; }' && "
		   "nft add rule ip6 t in ip6 saddr 2001:db8:b2::1 drop");
		udp_exchange(b, a, 13);
		enter(&A);
		sh("nft add rule ip6 t in ip6 saddr 2001:db8:b1::1 udp dport 7000 counter drop");
		assert_int_equal(send(b, "x", 1, 0), 1);
		no_udp(a);
		enter(&A);
		sh("nft list table ip6 t | grep -q 'counter packets 1 ' && nft delete table ip6 t");
		udp_exchange(b, a, 14);
	}
	close(a), close(b);
}

/* D-10, D-14, A-11: the tag alone decides, whatever the packet's own addresses are; the socket sees the ULIDs */
static void test_tag_alone(void **state)
{
	static const char *const from[] = { "2001:db8:a1::1", "2001:db8:a2::1", "2001:db8:77::77" };
	int b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0);
	uint8_t payload[100], packet[200], in[100];
	struct shim6_addr peer = addr("2001:db8:a1::1");

	(void)state;
	context_at(&B, &ulids, SHIM6_PROJ_ACCEPT);
	for (unsigned i = 0; i < 3; i++) {
		struct sockaddr_in6 s = { 0 };
		socklen_t len = sizeof(s);
		size_t n = shim_header(payload, IPPROTO_UDP, TAG_B);

		n += udp_datagram(payload + n, &ulids, 7000, 7001, 20 + i);
		put_packet(&R, "rb2", packet, ip6_packet(packet, from[i], "2001:db8:b2::1", 140, payload, n));
		assert_int_equal(recvfrom(b, in, sizeof(in), 0, (struct sockaddr *)&s, &len), 20 + i);
		assert_memory_equal(&s.sin6_addr, peer.b, 16);
	}
	close(b);
}

/* a locator behind a tunnel: what goes into it has the payload header inside, and so has what comes out of it */
static void test_locator_behind_a_tunnel(void **state)
{
	struct datapath_local locals[3] = { { .addr = addr("2001:db8:a1::1"), .mtu = 1500 },
					    { .addr = addr("2001:db8:a2::1"), .mtu = 1500 },
					    { .addr = addr("2001:db8:a3::1"), .mtu = 1400 } };
	struct shim6_pair current = { addr("2001:db8:a3::1"), addr("2001:db8:b2::1") }, back = turned(&ulids);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001), tun;
	struct ifreq ifr = { .ifr_name = "t0", .ifr_flags = IFF_TUN | IFF_NO_PI };
	uint8_t payload[200], packet[300], in[100];
	ssize_t n;

	(void)state;
	enter(&A);
	tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	assert_true(tun >= 0);
	assert_int_equal(ioctl(tun, TUNSETIFF, &ifr), 0);
	sh("ip link set t0 up mtu 1400 && ip -6 addr add 2001:db8:a3::1/64 dev t0 nodad");
	locals[0].ifindex = if_nametoindex("a1");
	locals[1].ifindex = if_nametoindex("a2");
	locals[2].ifindex = if_nametoindex("t0");
	assert_int_equal(datapath_attach(A.dp, locals[2].ifindex), 0);
	assert_int_equal(datapath_set_local(A.dp, locals, 3), 0);
	context_at(&A, &current, SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE);
	assert_int_equal(send(a, "through the tunnel", 18, 0), 18);
	do
		n = read(tun, packet, sizeof(packet));
	while (n > 40 && packet[6] != 140);
	assert_int_equal(n, 40 + 8 + 8 + 18);
	assert_memory_equal(packet + 8, current.local.b, 16);
	assert_memory_equal(packet + 24, current.peer.b, 16);
	assert_int_equal(packet[40], IPPROTO_UDP);
	assert_memory_equal(packet + 56, "through the tunnel", 18);

	n = (ssize_t)shim_header(payload, IPPROTO_UDP, TAG_A);
	n += (ssize_t)udp_datagram(payload + n, &back, 7001, 7000, 33);
	n = (ssize_t)ip6_packet(packet, "2001:db8:b2::1", "2001:db8:a3::1", 140, payload, (size_t)n);
	assert_int_equal(write(tun, packet, (size_t)n), n);
	assert_int_equal(recv(a, in, sizeof(in), 0), 33);
	close(a), close(tun);
}

static void refused(const char *local, const char *peer)
{
	struct shim6_projection p = {
		.ulid = ulids, .current = alternative, .ct_local = 11, .ct_peer = 12, .flags = SHIM6_PROJ_REWRITE
	};
	struct shim6_pair wrong = { addr(local), addr(peer) };

	enter(&A);
	p.ulid = wrong;
	assert_int_equal(datapath_install(A.dp, 9, &p), -EINVAL);
	p.ulid = ulids;
	p.current = wrong;
	assert_int_equal(datapath_install(A.dp, 9, &p), -EINVAL);
	assert_false(datapath_get(A.dp, 9, &p));
}

/* X-19, link-local, ND, SCTP: never, also when a context would say so. */
static void test_never_shimmed(void **state)
{
	int a = udp_at(&A, "2001:db8:a1::1", 7000, NULL, 0), wire = capture(&R, "ra1"), other = capture(&R, "ra2");
	struct sockaddr_in6 to = sin6("ff0e::5533", 7001);
	uint8_t packet[200], sctp[32] = { 0x1b, 0x58, 0x1b, 0x59 }, na[24] = { 136 };
	int icmp = icmp_at(&A, "2001:db8:a1::1");

	(void)state;
	refused("2001:db8:a1::1", "ff0e::5533");
	refused("fe80::1", "2001:db8:b1::1");
	refused("2001:db8:a1::1", "fe80::1");
	refused("2001:db8:a1::1", "::");
	contexts(&alternative);
	enter(&A);
	sh("ip -6 route add ff0e::/16 dev a1 table local");
	assert_int_equal(sendto(a, packet, 20, 0, (struct sockaddr *)&to, sizeof(to)), 20);
	expect_frame(wire, PLAIN_UDP, &f);
	assert_memory_equal(f.b + 24, &to.sin6_addr, 16);
	sh("ip -6 route del ff0e::/16 dev a1 table local");
	/* link-local, by the device that others are switched away from */
	sh("ip addr add fe80::a/64 dev a1 nodad");
	to = sin6("fe80::b", 7001);
	to.sin6_scope_id = if_nametoindex("a1");
	close(a);
	a = udp_at(&A, "::", 7000, NULL, 0);
	sh("ip -6 neigh add fe80::b lladdr 02:00:00:00:00:01 dev a1 nud permanent");
	assert_int_equal(sendto(a, packet, 20, 0, (struct sockaddr *)&to, sizeof(to)), 20);
	expect_frame(wire, PLAIN_UDP, &f);
	assert_memory_equal(f.b + 24, &to.sin6_addr, 16);

	send_from_stack(packet, ip6_packet(packet, "2001:db8:a1::1", "2001:db8:b1::1", 132, sctp, sizeof(sctp)));
	expect_frame(wire, ANY_BUT_ND, &f);
	assert_int_equal(f.b[6], 132);
	assert_pair(&f, &ulids);

	/* an advertisement between the ULIDs, as the kernel sends it when they are neighbours */
	memcpy(na + 8, ulids.local.b, 16);
	to = sin6("2001:db8:b1::1", 0);
	assert_int_equal(sendto(icmp, na, sizeof(na), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(na));
	do
		expect_frame(wire, ND, &f);
	while (memcmp(f.b + 24, ulids.peer.b, 16) != 0);
	/* but for the error that B sends about SCTP */
	while (next_frame(other, &f, 0))
		if (is_kind(&f, TAGGED))
			assert_int_equal(f.b[40], IPPROTO_ICMPV6);
	assert_int_equal(counter(&A, "tx_rewritten"), 0);
	assert_int_equal(counter(&A, "tx_bypassed") >= 2, 1);
	close(a), close(wire), close(other), close(icmp);
}

/* Neighbours on one link by their ULIDs: resolution works while payload goes another way. */
static void test_neighbour_discovery_between_ulids(void **state)
{
	struct shim6_projection p = { .ulid = { addr("2001:db8:c::a"), addr("2001:db8:c::b") },
				      .current = alternative,
				      .ct_local = TAG_A,
				      .ct_peer = TAG_B,
				      .flags = SHIM6_PROJ_REWRITE | SHIM6_PROJ_ACCEPT };
	struct datapath_local l[2] = { { alternative.local, 0, 1500 }, { p.ulid.local, 0, 1500 } };
	uint64_t before;

	(void)state;
	enter(&A);
	sh("ip link add ac type veth peer name bc netns /proc/%d/fd/%d", (int)getpid(), B.ns);
	sh("ip link set ac up && ip addr add 2001:db8:c::a/64 dev ac nodad");
	l[0].ifindex = if_nametoindex("a2");
	l[1].ifindex = if_nametoindex("ac");
	assert_int_equal(datapath_attach(A.dp, l[1].ifindex), 0);
	assert_int_equal(datapath_set_local(A.dp, l, 2), 0);
	assert_int_equal(datapath_install(A.dp, 1, &p), 0);
	datapath_dispatch(A.dp);
	enter(&B);
	sh("ip link set bc up && ip addr add 2001:db8:c::b/64 dev bc nodad");
	/* B resolves A by the ULIDs; A's advertisements go out by ac */
	before = counter(&A, "tx_rewritten");
	sh("ip -6 neigh flush dev bc && ip -6 neigh add 2001:db8:c::a dev bc nud probe lladdr 02:00:00:00:00:99");
	sh("for i in $(seq 100); do ip -6 neigh show dev bc | grep -q '^2001:db8:c::a .*REACHABLE' && exit 0;"
	   " ping -6 -c1 -W1 -I 2001:db8:c::b 2001:db8:c::a >/dev/null; sleep 0.05; done; exit 1");
	assert_true(counter(&A, "tx_rewritten") >= before);
	assert_int_equal(counter(&A, "tx_stray"), 0);
	enter(&A);
	sh("ip link del ac");
}

static size_t tagged_packet(uint8_t *out, uint64_t tag, unsigned ext_len, bool nested)
{
	uint8_t payload[100];
	size_t len = shim_header(payload, nested ? 140 : IPPROTO_UDP, tag);

	payload[1] = (uint8_t)ext_len;
	if (nested)
		len += shim_header(payload + len, IPPROTO_UDP, tag);
	if (ext_len)
		memset(payload + len, 0, 8), len += 8;
	len += udp_datagram(payload + len, &ulids, 7000, 7001, 20);
	return ip6_packet(out, "2001:db8:a2::1", "2001:db8:b2::1", 140, payload, len);
}

/* D-11, D-15, D-21, W-12, truncation: each dropped, each counted by its name. */
static void test_dropped(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0);
	uint8_t packet[300], in[100];
	size_t len;

	(void)state;
	context_at(&B, &ulids, SHIM6_PROJ_ACCEPT);
	put_packet(&R, "rb2", packet, tagged_packet(packet, TAG_B, 0, false));
	assert_int_equal(recv(b, in, sizeof(in), 0), 20);

	put_packet(&R, "rb2", packet, tagged_packet(packet, TAG_B + 1, 0, false));
	wait_until(B.unknown == 1);
	assert_int_equal(B.unknown_tag, TAG_B + 1);
	assert_true(shim6_addr_eq(&B.unknown_src, &alternative.local));
	assert_true(shim6_addr_eq(&B.unknown_dst, &alternative.peer));
	assert_int_equal(counter(&B, "rx_unknown_tag"), 1);

	put_packet(&R, "rb2", packet, tagged_packet(packet, TAG_B, 0, true));
	wait_until(counter(&B, "rx_nested") == 1);
	put_packet(&R, "rb2", packet, tagged_packet(packet, TAG_B, 1, false));
	wait_until(counter(&B, "rx_bad_length") == 1);
	for (unsigned cut = 0; cut < 8; cut++) {
		len = ip6_packet(packet, "2001:db8:a2::1", "2001:db8:b2::1", 140, packet + 200, cut);
		put_packet(&R, "rb2", packet, len);
		wait_until(counter(&B, "rx_truncated") == cut + 1);
	}
	/* the header is there, but beyond the length that the IPv6 header tells */
	len = tagged_packet(packet, TAG_B, 0, false);
	packet[4] = 0, packet[5] = 4;
	put_packet(&R, "rb2", packet, len);
	wait_until(counter(&B, "rx_truncated") == 9);

	context_at(&B, &ulids, 0);
	put_packet(&R, "rb2", packet, tagged_packet(packet, TAG_B, 0, false));
	wait_until(counter(&B, "rx_not_accepting") == 1);
	enter(&B);
	datapath_remove(B.dp, SLOT_B);
	put_packet(&R, "rb2", packet, tagged_packet(packet, TAG_B, 0, false));
	wait_until(counter(&B, "rx_unknown_tag") == 2);
	assert_int_equal(recv(b, in, sizeof(in), MSG_DONTWAIT), -1);
	assert_int_equal(counter(&B, "rx_rewritten"), 1);
	close(b);
}

/* D-13: control messages go to the raw socket as they came, also with addresses of a context. */
static void test_control_passes(void **state)
{
	int raw;
	uint8_t packet[200], payload[16] = { 59, 1, 1 }, in[200];

	(void)state;
	contexts(&ulids);
	enter(&B);
	raw = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 140);
	assert_true(raw >= 0);
	put_packet(&R, "rb1", packet, ip6_packet(packet, "2001:db8:a1::1", "2001:db8:b1::1", 140, payload, 16));
	wait_until(recv(raw, in, sizeof(in), MSG_DONTWAIT) == 16);
	assert_memory_equal(in, payload, 16);
	assert_int_equal(counter(&B, "rx_control"), 1);
	assert_int_equal(counter(&B, "rx_plain"), 0);
	close(raw);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, lab_up, lab_down)
	const struct CMUnitTest tests[] = {
		T(test_untouched),
		T(test_rewrite),
		T(test_back_and_each_end_by_itself),
		T(test_extension_headers),
		T(test_headers_come_out_as_they_went_in),
		T(test_order_as_found),
		T(test_policy_on_ulids),
		T(test_tag_alone),
		T(test_locator_behind_a_tunnel),
		T(test_never_shimmed),
		T(test_neighbour_discovery_between_ulids),
		T(test_dropped),
		T(test_control_passes),
	};

	lab_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
