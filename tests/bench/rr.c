/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Request-response over TCP or UDP: one octet there, one octet back, as often as
 * the path allows. Prints transactions per second and the median round trip.
 *
 *   rr serve tcp|udp PORT                              answers until killed
 *   rr run   tcp|udp ADDRESS PORT SECONDS [SOURCE]     one JSON line: {"tps":N,"median_us":N}
 */
#define _GNU_SOURCE /* struct in6_pktinfo */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES (4u << 20)

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int fail(const char *what)
{
	fprintf(stderr, "rr: %s: %s\n", what, strerror(errno));
	return 1;
}

static int serve_tcp(int fd)
{
	char c;

	if (listen(fd, 16) < 0)
		return fail("listen");
	for (;;) {
		int one = 1, conn = accept(fd, NULL, NULL);

		if (conn < 0)
			return fail("accept");
		setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while (read(conn, &c, 1) == 1 && write(conn, &c, 1) == 1)
			;
		close(conn);
	}
}

/* Answers from the address that was asked, as servers on hosts with several must. */
static int serve_udp(int fd)
{
	char buf[64], control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct iovec iov = { .iov_base = buf };
	struct sockaddr_in6 from;
	int on = 1;

	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)))
		return fail("IPV6_RECVPKTINFO");
	for (;;) {
		struct msghdr m = { .msg_name = &from, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
		ssize_t n;

		m.msg_namelen = sizeof(from);
		m.msg_controllen = sizeof(control);
		iov.iov_len = sizeof(buf);
		n = recvmsg(fd, &m, 0);
		if (n < 0)
			return fail("recvmsg");
		iov.iov_len = (size_t)n;
		sendmsg(fd, &m, 0);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int run(int fd, unsigned seconds)
{
	uint64_t start = now_ns(), end = start + (uint64_t)seconds * 1000000000u, t = start;
	uint32_t *sample = calloc(MAX_SAMPLES, sizeof(*sample));
	size_t n = 0;
	char c = 'x';

	if (!sample)
		return fail("memory");
	while (t < end && n < MAX_SAMPLES) {
		uint64_t t0 = t;

		if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
			return fail("exchange");
		t = now_ns();
		sample[n++] = (uint32_t)((t - t0) / 10);
	}
	qsort(sample, n, sizeof(*sample), compare);
	printf("{\"tps\":%.0f,\"median_us\":%.2f}\n", (double)n * 1e9 / (double)(t - start),
	       (double)sample[n / 2] / 100.0);
	free(sample);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 }, from = a;
	int serve = argc == 4 && !strcmp(argv[1], "serve");
	int client = (argc == 6 || argc == 7) && !strcmp(argv[1], "run");
	int udp, fd, one = 1;

	if (!serve && !client) {
		fprintf(stderr, "usage: rr serve tcp|udp PORT | rr run tcp|udp ADDRESS PORT SECONDS [SOURCE]\n");
		return 2;
	}
	udp = !strcmp(argv[2], "udp");
	fd = socket(AF_INET6, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (fd < 0)
		return fail("socket");
	a.sin6_port = htons((uint16_t)atoi(argv[serve ? 3 : 4]));
	if (serve) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
			return fail("bind");
		return udp ? serve_udp(fd) : serve_tcp(fd);
	}
	if (argc == 7 && (inet_pton(AF_INET6, argv[6], &from.sin6_addr) != 1 ||
			  bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0))
		return fail(argv[6]);
	if (inet_pton(AF_INET6, argv[3], &a.sin6_addr) != 1 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return fail(argv[3]);
	if (udp) {
		struct timeval tv = { .tv_sec = 2 };

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	} else {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	return run(fd, (unsigned)atoi(argv[5]));
}
