/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets, captures and packets made by hand, for tests of the data path. */
#define _GNU_SOURCE
#include "dp_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IP6_LEN 40

struct sockaddr_in6 sin6(const char *text, uint16_t port)
{
	struct sockaddr_in6 s = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET6, text, &s.sin6_addr), 1);
	return s;
}

static void patience(int fd)
{
	struct timeval t = { .tv_sec = PATIENCE_MS / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static int socket_at(const struct lab_host *h, int type, int proto, const char *local, uint16_t port)
{
	struct sockaddr_in6 s = sin6(local, port);
	int fd, one = 1;

	enter(h);
	fd = socket(AF_INET6, type | SOCK_CLOEXEC, proto);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&s, sizeof(s)), 0);
	patience(fd);
	return fd;
}

int udp_at(const struct lab_host *h, const char *local, uint16_t port, const char *peer, uint16_t peer_port)
{
	int fd = socket_at(h, SOCK_DGRAM, 0, local, port);
	struct sockaddr_in6 s;

	if (peer) {
		s = sin6(peer, peer_port);
		assert_int_equal(connect(fd, (struct sockaddr *)&s, sizeof(s)), 0);
	}
	return fd;
}

int tcp_listen(const struct lab_host *h, const char *local, uint16_t port)
{
	int fd = socket_at(h, SOCK_STREAM, 0, local, port);

	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

int tcp_connect(const struct lab_host *h, const char *local, const char *peer, uint16_t port)
{
	int fd = socket_at(h, SOCK_STREAM, 0, local, 0);
	struct sockaddr_in6 s = sin6(peer, port);

	assert_int_equal(connect(fd, (struct sockaddr *)&s, sizeof(s)), 0);
	return fd;
}

int icmp_at(const struct lab_host *h, const char *local)
{
	return socket_at(h, SOCK_RAW, IPPROTO_ICMPV6, local, 0);
}

void fill(uint8_t *buf, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		buf[i] = (uint8_t)(seed >> 16);
	}
}

struct progress {
	int fd;
	size_t len, done;
	unsigned seed;
};

static unsigned next_octet(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16 & 0xff;
}

static void send_some(struct progress *p)
{
	uint8_t buf[16384];
	size_t n = p->len - p->done < sizeof(buf) ? p->len - p->done : sizeof(buf);
	unsigned seed = p->seed;
	ssize_t rc;

	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)next_octet(&seed);
	rc = send(p->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (rc < 0) {
		assert_true(errno == EAGAIN);
		return;
	}
	for (ssize_t i = 0; i < rc; i++)
		next_octet(&p->seed);
	p->done += (size_t)rc;
}

static void receive_some(struct progress *p)
{
	uint8_t buf[65536];
	ssize_t rc = recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (rc < 0) {
		assert_true(errno == EAGAIN);
		return;
	}
	assert_true(rc > 0);
	for (ssize_t i = 0; i < rc; i++)
		if (buf[i] != next_octet(&p->seed))
			fail_msg("octet %zu of the stream is wrong", p->done + (size_t)i);
	p->done += (size_t)rc;
}

unsigned tcp_transfer(int from, int to, size_t len)
{
	struct progress s = { .fd = from, .len = len, .seed = 7 }, r = { .fd = to, .len = len, .seed = 7 };
	uint64_t start = now_ms(), last = start;

	while (r.done < len) {
		struct pollfd p[2] = { { .fd = to, .events = POLLIN },
				       { .fd = s.done < len ? from : -1, .events = POLLOUT } };
		size_t before = r.done;

		poll(p, 2, 20);
		if (p[1].revents)
			send_some(&s);
		if (p[0].revents)
			receive_some(&r);
		pump_now();
		if (r.done != before)
			last = now_ms();
		else if (now_ms() > last + PATIENCE_MS)
			fail_msg("stalled after %zu of %zu octets", r.done, len);
	}
	return (unsigned)(now_ms() - start);
}

void udp_exchange(int from, int to, size_t len)
{
	uint8_t *out = malloc(len + 1), *in = malloc(len + 1);
	ssize_t n;

	assert_true(out && in);
	fill(out, len, (unsigned)len);
	assert_int_equal(send(from, out, len, 0), len);
	n = recv(to, in, len + 1, 0);
	if (n < 0)
		fail_msg("a datagram of %zu octets did not come: %s", len, strerror(errno));
	assert_int_equal(n, len);
	assert_memory_equal(in, out, len);
	free(out);
	free(in);
}

bool ping(int icmp, const char *peer, uint16_t seq, size_t len)
{
	struct sockaddr_in6 s = sin6(peer, 0);
	uint8_t out[2048] = { 128, 0, 0, 0, 0x55, 0x33, (uint8_t)(seq >> 8), (uint8_t)seq }, in[2048];
	uint64_t end = now_ms() + PATIENCE_MS;

	fill(out + 8, len, seq);
	assert_int_equal(sendto(icmp, out, 8 + len, 0, (struct sockaddr *)&s, sizeof(s)), 8 + len);
	while (now_ms() < end) {
		ssize_t n = recv(icmp, in, sizeof(in), 0);

		if (n == (ssize_t)(8 + len) && in[0] == 129 && !memcmp(in + 4, out + 4, 4 + len))
			return true;
		if (n < 0)
			return false;
	}
	return false;
}

/* --- captures --- */

int capture(const struct lab_host *h, const char *dev)
{
	struct sockaddr_ll s = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd, one = 1, room = 64 << 20;

	enter(h);
	s.sll_ifindex = (int)if_nametoindex(dev);
	assert_true(s.sll_ifindex > 0);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&s, sizeof(s)), 0);
	return fd;
}

static bool receive_frame(int cap, struct frame *f)
{
	static uint8_t raw[sizeof(struct virtio_net_hdr) + ETH_HLEN + FRAME_MAX];
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	const struct virtio_net_hdr *v = (const void *)raw;
	const size_t skip = sizeof(*v) + ETH_HLEN;
	ssize_t n = recvfrom(cap, raw, sizeof(raw), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

	if (n < (ssize_t)skip || ntohs(from.sll_protocol) != ETH_P_IPV6)
		return false;
	f->len = (size_t)n - skip;
	memcpy(f->b, raw + skip, f->len);
	f->wire = f->len;
	if (v->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		f->wire = v->hdr_len - ETH_HLEN + (size_t)v->gso_size;
	f->outgoing = from.sll_pkttype == PACKET_OUTGOING;
	f->unfinished = v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	return true;
}

bool next_frame(int cap, struct frame *f, int timeout_ms)
{
	uint64_t end = now_ms() + (uint64_t)timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = cap, .events = POLLIN };
		uint64_t now = now_ms();

		if (poll(&p, 1, now < end ? (int)(end - now) : 0) <= 0)
			return false;
		if (receive_frame(cap, f))
			return true;
	}
}

int header_at(const struct frame *f, unsigned nh)
{
	unsigned at = f->b[6];
	size_t off = IP6_LEN;

	while (off <= f->len) {
		size_t len = at == 44 ? 8 : 8 + (size_t)f->b[off + 1] * 8;

		if (at == nh)
			return (int)off;
		if (at != 0 && at != 43 && at != 44 && at != 60 && at != 140)
			break;
		at = f->b[off];
		off += len;
	}
	return -1;
}

bool is_kind(const struct frame *f, enum kind what)
{
	int icmp = header_at(f, IPPROTO_ICMPV6), shim = header_at(f, 140);
	bool nd = icmp >= 0 && shim < 0 && f->b[icmp] >= 130 && f->b[icmp] <= 143;

	switch (what) {
	case TAGGED:
		return shim >= 0 && (f->b[shim + 2] & 0x80);
	case CONTROL:
		return shim >= 0 && !(f->b[shim + 2] & 0x80);
	case PLAIN_UDP:
		return shim < 0 && header_at(f, IPPROTO_UDP) >= 0;
	case PLAIN_TCP:
		return shim < 0 && header_at(f, IPPROTO_TCP) >= 0;
	case PLAIN_ICMP:
		return shim < 0 && icmp >= 0 && !nd;
	case ND:
		return nd;
	default:
		return !nd;
	}
}

void expect_frame(int cap, enum kind what, struct frame *f)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (now_ms() < end)
		if (next_frame(cap, f, PATIENCE_MS) && is_kind(f, what))
			return;
	print_counters(&A), print_counters(&B);
	fail_msg("no packet of kind %d was seen", (int)what);
}

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

uint16_t checksum(const struct shim6_pair *p, unsigned nh, const uint8_t *data, size_t len)
{
	uint32_t sum = sum16(data, len, nh + (uint32_t)len);

	sum = sum16(p->local.b, 16, sum16(p->peer.b, 16, sum));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

bool checksum_valid(const struct frame *f, int off, unsigned nh, const struct shim6_pair *p)
{
	return off > 0 && checksum(p, nh, f->b + off, f->len - (size_t)off) == 0;
}

unsigned drain(int cap, unsigned mtu)
{
	static struct frame f;
	unsigned tagged = 0;

	while (next_frame(cap, &f, 0)) {
		if (f.wire > mtu)
			fail_msg("a packet of %zu octets on a path of %u", f.wire, mtu);
		tagged += is_kind(&f, TAGGED);
	}
	return tagged;
}

/* --- packets made by hand --- */

void put_packet(const struct lab_host *h, const char *dev, const uint8_t *packet, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IPV6), .sll_halen = 6 };
	struct ifreq ifr = { 0 };
	int fd;

	/* The other end has the name without the r; its hardware address is asked for there. */
	enter(dev[1] == 'a' ? &A : &B);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev + 1);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &ifr), 0);
	close(fd);
	memcpy(to.sll_addr, ifr.ifr_hwaddr.sa_data, 6);
	enter(h);
	to.sll_ifindex = (int)if_nametoindex(dev);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sendto(fd, packet, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
	close(fd);
}

size_t ip6_packet(uint8_t *out, const char *src, const char *dst, unsigned nh, const void *payload, size_t len)
{
	struct shim6_addr s = addr(src), d = addr(dst);
	const uint8_t head[8] = { 0x60, 0, 0, 0, (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)nh, 64 };

	memcpy(out, head, 8);
	memcpy(out + 8, s.b, 16);
	memcpy(out + 24, d.b, 16);
	if (len)
		memmove(out + IP6_LEN, payload, len);
	return IP6_LEN + len;
}

size_t udp_datagram(uint8_t *out, const struct shim6_pair *p, uint16_t sport, uint16_t dport, size_t len)
{
	size_t total = 8 + len;
	const uint8_t head[8] = { (uint8_t)(sport >> 8), (uint8_t)sport,	(uint8_t)(dport >> 8),
				  (uint8_t)dport,	 (uint8_t)(total >> 8), (uint8_t)total };
	uint16_t sum;

	memcpy(out, head, 8);
	fill(out + 8, len, dport);
	sum = checksum(p, IPPROTO_UDP, out, total);
	out[6] = (uint8_t)(sum >> 8);
	out[7] = (uint8_t)sum;
	return total;
}

size_t shim_header(uint8_t out[8], unsigned nh, uint64_t tag)
{
	out[0] = (uint8_t)nh;
	out[1] = 0;
	for (int i = 0; i < 6; i++)
		out[2 + i] = (uint8_t)(tag >> (40 - 8 * i));
	out[2] |= 0x80;
	return 8;
}
