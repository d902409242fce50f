/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/probe.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire/wire.h"

#define NS 1000000000ull
#define ROUND_NS (NS / 2) /* each of them sends what is unanswered */
#define ROUNDS 3
#define CT_MASK ((1ull << 47) - 1)

struct session {
	int icmp, shim;
	int bound; /* to a device at a time: with a source chosen, nothing less overrules the policy rules */
	uint16_t ident;
	struct probe *p;
	unsigned n;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void random_fill(void *p, size_t n)
{
	if (getrandom(p, n, 0) != (ssize_t)n)
		memset(p, 0x5a, n);
}

static int open_sockets(struct session *s)
{
	struct icmp6_filter filter;

	s->icmp = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	s->shim = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, WIRE_PROTO);
	s->bound = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	if (s->icmp < 0 || s->shim < 0 || s->bound < 0)
		return -errno;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	setsockopt(s->bound, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)); /* sends only */
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &filter);
	ICMP6_FILTER_SETPASS(ICMP6_PARAM_PROB, &filter);
	return setsockopt(s->icmp, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) ? -errno : 0;
}

/* --- sending -------------------------------------------------------------- */

static size_t build(const struct session *s, const struct probe *p, uint8_t buf[WIRE_MAX_MSG])
{
	struct icmp6_hdr echo = { .icmp6_type = ICMP6_ECHO_REQUEST };
	struct wire_builder b;
	uint64_t tag;

	switch (p->kind) {
	case PROBE_ECHO:
		echo.icmp6_id = htons(s->ident);
		echo.icmp6_seq = htons((uint16_t)p->id);
		memcpy(buf, &echo, sizeof(echo));
		memset(buf + sizeof(echo), 0, 8);
		return sizeof(echo) + 8;
	case PROBE_I1:
		random_fill(&tag, sizeof(tag));
		wire_begin_i1(&b, buf, WIRE_MAX_MSG, tag & CT_MASK, (uint32_t)p->id);
		return wire_finish(&b);
	case PROBE_TAGGED:
		wire_payload_put(buf, IPPROTO_NONE, p->id);
		return WIRE_PAYLOAD_HDR;
	}
	return 0;
}

static void send_one(const struct session *s, struct probe *p)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { 0 };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	struct in6_pktinfo from = { .ipi6_ifindex = p->ifindex };
	int fd = p->ifindex ? s->bound : p->kind == PROBE_ECHO ? s->icmp : s->shim, device = (int)p->ifindex;
	uint8_t buf[WIRE_MAX_MSG];
	struct iovec iov = { .iov_base = buf, .iov_len = build(s, p, buf) };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	m.msg_control = &control;
	m.msg_controllen = sizeof(control);
	memcpy(to.sin6_addr.s6_addr, p->pair.peer.b, 16);
	memcpy(from.ipi6_addr.s6_addr, p->pair.local.b, 16);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(from));
	memcpy(CMSG_DATA(c), &from, sizeof(from));
	p->sent_ns = now_ns();
	if (device && setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, sizeof(device)) < 0)
		p->error = errno;
	else
		p->error = sendmsg(fd, &m, 0) < 0 ? errno : 0;
}

/* --- answers -------------------------------------------------------------- */

static void answered(struct probe *p, enum probe_answer answer, unsigned code)
{
	if (p->answer != PROBE_SILENCE)
		return;
	p->answer = answer;
	p->code = code;
	p->ms = (double)(now_ns() - p->sent_ns) / 1e6;
}

/* An ICMPv6 error quotes the packet: its addresses, and as much of it as tells which it was. */
static void take_error(struct session *s, const uint8_t *buf, size_t len)
{
	enum probe_answer answer = buf[0] == ICMP6_DST_UNREACH ? PROBE_REFUSED : PROBE_NO_SHIM6;
	struct shim6_pair pair;
	uint8_t next;

	if (len < 8 + sizeof(struct ip6_hdr) + 8 ||
	    (buf[0] == ICMP6_PARAM_PROB && buf[1] != ICMP6_PARAMPROB_NEXTHEADER))
		return;
	next = buf[8 + 6];
	memcpy(pair.local.b, buf + 8 + 8, 16);
	memcpy(pair.peer.b, buf + 8 + 24, 16);
	for (unsigned i = 0; i < s->n; i++) {
		struct probe *p = &s->p[i];
		const uint8_t *inner = buf + 8 + sizeof(struct ip6_hdr);
		bool echo = next == IPPROTO_ICMPV6 && p->kind == PROBE_ECHO &&
			    (unsigned)(inner[6] << 8 | inner[7]) == p->id && inner[4] == s->ident >> 8 &&
			    inner[5] == (s->ident & 0xff);
		bool shim = next == WIRE_PROTO && p->kind == ((inner[2] & 0x80) ? PROBE_TAGGED : PROBE_I1);

		if (shim6_pair_eq(&p->pair, &pair) && (echo || shim))
			answered(p, answer, buf[1]);
	}
}

static void take_icmp(struct session *s)
{
	uint8_t buf[2048];
	ssize_t n;

	while ((n = recv(s->icmp, buf, sizeof(buf), 0)) >= 8) {
		if (buf[0] != ICMP6_ECHO_REPLY) {
			take_error(s, buf, (size_t)n);
			continue;
		}
		if ((buf[4] << 8 | buf[5]) != s->ident)
			continue;
		for (unsigned i = 0; i < s->n; i++)
			if (s->p[i].kind == PROBE_ECHO && s->p[i].id == (unsigned)(buf[6] << 8 | buf[7]))
				answered(&s->p[i], PROBE_ANSWERED, 0);
	}
}

static void take_shim(struct session *s)
{
	uint8_t buf[2048];
	struct wire_msg m;
	size_t at;
	ssize_t n;

	while ((n = recv(s->shim, buf, sizeof(buf), 0)) > 0) {
		if (wire_decode(buf, (size_t)n, &m, &at) != WIRE_OK)
			continue;
		for (unsigned i = 0; i < s->n; i++) {
			struct probe *p = &s->p[i];

			if (p->kind == PROBE_I1 && (m.type == WIRE_R1 || m.type == WIRE_R2) && m.init_nonce == p->id)
				answered(p, PROBE_ANSWERED, 0);
			if (p->kind == PROBE_TAGGED && m.type == WIRE_R1BIS && m.tag == p->id)
				answered(p, PROBE_ANSWERED, 0);
		}
	}
}

static bool waiting(const struct session *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->p[i].answer == PROBE_SILENCE && !s->p[i].error)
			return true;
	return false;
}

static void wait_until(struct session *s, uint64_t until)
{
	struct pollfd fds[] = { { .fd = s->icmp, .events = POLLIN }, { .fd = s->shim, .events = POLLIN } };

	while (waiting(s)) {
		uint64_t now = now_ns();

		if (now >= until || poll(fds, 2, (int)((until - now) / 1000000) + 1) < 0)
			break;
		take_icmp(s);
		take_shim(s);
	}
}

int probe_all(struct probe *p, unsigned n)
{
	struct session s = { .p = p, .n = n };
	uint64_t start = now_ns();
	int rc = open_sockets(&s);

	random_fill(&s.ident, sizeof(s.ident));
	for (unsigned i = 0; i < n; i++) {
		random_fill(&p[i].id, sizeof(p[i].id));
		p[i].id = p[i].kind == PROBE_ECHO ? i + 1
			  : p[i].kind == PROBE_I1 ? (uint32_t)p[i].id
						  : p[i].id & CT_MASK;
	}
	for (unsigned round = 0; rc == 0 && round < ROUNDS && (round == 0 || waiting(&s)); round++) {
		for (unsigned i = 0; i < n; i++)
			if (p[i].answer == PROBE_SILENCE && (round == 0 || !p[i].error))
				send_one(&s, &p[i]);
		wait_until(&s, start + (round + 1) * ROUND_NS);
	}
	if (s.icmp >= 0)
		close(s.icmp);
	if (s.shim >= 0)
		close(s.shim);
	if (s.bound >= 0)
		close(s.bound);
	return rc;
}
