/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/ctlsock.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/text.h"
#include "wire/wire.h"

#define RECEIVE_MAX 2048 /* more than WIRE_MAX_PACKET: longer ones are seen to be too long */
#define SOCKET_BUFFER (1 << 20)

#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif

struct ctlsock {
	int fd, icmp_fd;
	struct ctlsock_events ev;
	void *user;
	struct counters *counters;
	uint8_t buf[RECEIVE_MAX];
};

static int open_raw(int protocol)
{
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), on = 1, size = SOCKET_BUFFER;

	if (fd < 0)
		return -1;
	/* A burst of probes must fit; the default is kept where the larger size is refused. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* A kernel that does not tell of fragments hands over what it put together. */
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, &on, sizeof(on));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

static int open_icmp(void)
{
	int fd = open_raw(IPPROTO_ICMPV6);
	struct icmp6_filter filter;

	if (fd < 0)
		return -1;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	for (unsigned type = ICMP6_DST_UNREACH; type <= ICMP6_PARAM_PROB; type++)
		ICMP6_FILTER_SETPASS(type, &filter);
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) < 0) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

struct ctlsock *ctlsock_open(const struct ctlsock_events *ev, void *user, struct counters *c, char *err, size_t err_len)
{
	struct ctlsock *s = calloc(1, sizeof(*s));

	if (!s) {
		snprintf(err, err_len, "control message socket: out of memory");
		return NULL;
	}
	s->ev = *ev;
	s->user = user;
	s->counters = c;
	s->icmp_fd = -1;
	s->fd = open_raw(WIRE_PROTO);
	if (s->fd >= 0)
		s->icmp_fd = open_icmp();
	if (s->fd < 0 || s->icmp_fd < 0) {
		snprintf(err, err_len, "raw IPv6 socket: %s%s", strerror(errno),
			 errno == EPERM ? "; run shim6d as root, or with CAP_NET_RAW" : "");
		ctlsock_close(s);
		return NULL;
	}
	return s;
}

void ctlsock_close(struct ctlsock *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->icmp_fd >= 0)
		close(s->icmp_fd);
	free(s);
}

int ctlsock_fd(const struct ctlsock *s)
{
	return s->fd;
}

int ctlsock_icmp_fd(const struct ctlsock *s)
{
	return s->icmp_fd;
}

struct datagram {
	struct shim6_addr src, dst;
	bool has_dst, truncated;
	bool fragmented; /* it came in pieces */
	size_t len;
};

static void read_control(struct msghdr *m, struct datagram *d)
{
	d->dst = (struct shim6_addr){ { 0 } };
	d->has_dst = d->fragmented = false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct in6_pktinfo info;

		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVFRAGSIZE)
			d->fragmented = true;
		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		memcpy(d->dst.b, &info.ipi6_addr, 16);
		d->has_dst = true;
	}
}

/* false: nothing there. A pending socket error (unreachable, told by ICMPv6) is not the end of the queue. */
static bool receive(int fd, uint8_t *buf, struct datagram *d)
{
	union {
		struct cmsghdr align;
		uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
	} control;
	struct sockaddr_in6 from;
	struct iovec iov = { .iov_base = buf, .iov_len = RECEIVE_MAX };
	struct msghdr m;
	ssize_t n;

	for (int tries = 0; tries < CTLSOCK_BATCH; tries++) {
		m = (struct msghdr){ .msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = &control,
				     .msg_controllen = sizeof(control) };
		n = recvmsg(fd, &m, MSG_DONTWAIT);
		if (n >= 0)
			break;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return false;
	}
	if (n < 0)
		return false;
	memcpy(d->src.b, &from.sin6_addr, 16);
	d->len = (size_t)n;
	d->truncated = m.msg_flags & MSG_TRUNC;
	read_control(&m, d);
	return true;
}

/* Not for the engine. */
static bool refusal(const struct datagram *d, enum daemon_counter *why)
{
	if (!d->has_dst)
		*why = DC_ctl_no_pktinfo;
	else if (d->fragmented)
		*why = DC_ctl_fragmented; /* all of them fit 1280 octets */
	else if (d->truncated)
		*why = DC_ctl_truncated;
	else
		return false;
	return true;
}

void ctlsock_dispatch(struct ctlsock *s)
{
	struct datagram d;

	for (int i = 0; i < CTLSOCK_BATCH && receive(s->fd, s->buf, &d); i++) {
		enum daemon_counter why;

		if (refusal(&d, &why)) {
			count(s->counters, why);
			s->ev.refused(s->user, &d.src, &d.dst, s->buf, d.len, why);
		} else {
			count(s->counters, DC_ctl_received);
			s->ev.control(s->user, &d.src, &d.dst, s->buf, d.len);
		}
	}
}

void ctlsock_icmp_dispatch(struct ctlsock *s)
{
	struct datagram d;

	for (int i = 0; i < CTLSOCK_BATCH && receive(s->icmp_fd, s->buf, &d); i++) {
		const uint8_t *quote = s->buf + 8;
		uint32_t param;

		if (d.len < 8 + 40 || quote[0] >> 4 != 6 || quote[6] != WIRE_PROTO) {
			count(s->counters, DC_icmp_foreign);
			continue;
		}
		count(s->counters, DC_icmp_received);
		param = (uint32_t)s->buf[4] << 24 | (uint32_t)s->buf[5] << 16 | (uint32_t)s->buf[6] << 8 | s->buf[7];
		s->ev.icmp(s->user, s->buf[0], s->buf[1], param, quote, d.len - 8);
	}
}

bool ctlsock_send(struct ctlsock *s, const struct shim6_addr *src, unsigned ifindex, const struct shim6_addr *dst,
		  const uint8_t *msg, size_t len)
{
	union {
		struct cmsghdr align;
		uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { 0 };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)msg, .iov_len = len };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct in6_pktinfo info = { .ipi6_ifindex = ifindex };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t n;

	memcpy(&to.sin6_addr, dst->b, 16);
	memcpy(&info.ipi6_addr, src->b, 16);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	for (int tries = 0; tries < 2; tries++) {
		n = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0 || errno == EPERM)
			break;
		/* A pending error of an earlier message (RECVERR) is reported once, by the next call. */
	}
	if (n == (ssize_t)len) {
		count(s->counters, DC_ctl_sent);
		return true;
	}
	count(s->counters, DC_ctl_send_failed);
	log_debug("message to %s from %s not sent: %s", text_addr(dst).s, text_addr(src).s, strerror(errno));
	return false;
}
