// SPDX-License-Identifier: GPL-2.0-or-later
/* A paced TCP stream of the pattern: the server sends, the client measures and checks. */
#define _GNU_SOURCE
#include "lab/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- sending ----------------------------------------------------------------- */

static int listen_at(uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0)
		return lab_error("cannot make a socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1)) {
		close(fd);
		return lab_error("cannot listen at port %u: %s", port, strerror(errno));
	}
	return fd;
}

static int accept_one(int listener)
{
	int fd = -1;

	while (fd < 0 && !traffic_ending()) {
		if (!traffic_wait(listener, POLLIN))
			continue;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	return fd;
}

/* Until the end, or an error: its errno, 0 without. */
static int send_paced(int fd, uint64_t rate, uint64_t end)
{
	uint8_t buf[TRAFFIC_CHUNK];
	uint64_t offset = 0;
	struct pacer p;

	pacer_init(&p, rate, lab_now());
	while (!traffic_ending() && lab_now() < end) {
		size_t n = pacer_allowance(&p, lab_now(), sizeof(buf));
		ssize_t sent = 0;

		if (n) {
			pattern_fill(buf, n, offset);
			sent = send(fd, buf, n, 0);
			if (sent < 0 && errno != EAGAIN && errno != EINTR)
				return errno;
		}
		if (sent > 0) {
			pacer_sent(&p, (size_t)sent);
			offset += (uint64_t)sent;
		}
		/* room, or the next tick: both come soon */
		if (sent <= 0 || p.rate)
			traffic_wait(sent < 0 ? fd : -1, POLLOUT);
	}
	return 0;
}

/* The peer has everything, or it and we are told to end. */
static void linger(int fd)
{
	uint8_t byte;

	shutdown(fd, SHUT_WR);
	while (!traffic_ending())
		if (traffic_wait(fd, POLLIN) && (recv(fd, &byte, 1, 0) >= 0 || errno != EAGAIN))
			break;
}

int tcp_serve_main(int argc, char **argv)
{
	uint64_t t0, port, rate, seconds;
	int listener, fd, err;

	if (argc != 5 || !parse_u64(argv[1], 0, UINT64_MAX, &t0) || !parse_u64(argv[2], 1, 65535, &port) ||
	    !parse_u64(argv[3], 0, UINT64_MAX, &rate) || !parse_u64(argv[4], 1, 86400, &seconds))
		return lab_error("usage: tcp-serve T0 PORT OCTETS-PER-SECOND SECONDS");
	listener = listen_at((uint16_t)port);
	fd = listener < 0 ? -1 : accept_one(listener);
	if (fd < 0)
		return 1;
	close(listener);
	err = send_paced(fd, rate, t0 + seconds * NSEC_PER_SEC);
	if (err)
		lab_error("sending: %s", strerror(err));
	else
		linger(fd);
	close(fd);
	return 0;
}

/* --- receiving --------------------------------------------------------------- */

static int connect_from(const char *from, const char *to, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 }, b = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (inet_pton(AF_INET6, from, &a.sin6_addr) == 1 && inet_pton(AF_INET6, to, &b.sin6_addr) == 1 &&
	    !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !connect(fd, (struct sockaddr *)&b, sizeof(b)))
		return fd;
	err = errno;
	close(fd);
	return -err;
}

struct receiver {
	struct measure m;
	uint64_t offset;
	bool intact;
};

static void take(struct receiver *r, const uint8_t *buf, size_t n)
{
	r->intact &= pattern_check(buf, n, r->offset);
	r->offset += n;
	measure_add(&r->m, lab_now(), n);
}

/* How it ended. */
static const char *receive(struct receiver *r, int fd)
{
	uint8_t buf[TRAFFIC_CHUNK];

	while (!traffic_ending()) {
		if (traffic_wait(fd, POLLIN)) {
			ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

			if (n == 0)
				return "eof";
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return traffic_end_word(errno);
			if (n > 0)
				take(r, buf, (size_t)n);
		}
		measure_tick(&r->m, lab_now());
	}
	return "open";
}

int tcp_get_main(int argc, char **argv)
{
	struct receiver r = { .intact = true };
	uint64_t t0, port;
	const char *end;
	int fd;

	if (argc != 5 || !parse_u64(argv[1], 0, UINT64_MAX, &t0) || !parse_u64(argv[4], 1, 65535, &port))
		return lab_error("usage: tcp-get T0 FROM TO PORT");
	fd = connect_from(argv[2], argv[3], (uint16_t)port);
	if (fd < 0) {
		lab_error("cannot connect to %s: %s", argv[3], strerror(-fd));
		traffic_tell("x %s", traffic_end_word(-fd));
		return 1;
	}
	measure_init(&r.m, t0, traffic_emit, NULL);
	end = receive(&r, fd);
	measure_finish(&r.m, lab_now(), strcmp(end, "eof") != 0);
	if (r.offset)
		traffic_tell("k intact %d", r.intact);
	traffic_tell("x %s", end);
	close(fd);
	return 0;
}
