/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trickle of numbered records of 10 octets, one each 10 ms or as -i says, over
 * TCP, MPTCP or UDP, to see how long a failure silences it. The receiver prints every record
 * the moment its program gets it: nothing is judged here.
 *
 *   pace [-i MS] tcp|mptcp|udp send|receive listen  ADDRESS PORT
 *   pace [-i MS] tcp|mptcp|udp send|receive connect ADDRESS PORT SOURCE
 *
 * Receiver: "CLOCK_MONOTONIC-ns NUMBER" per record; at the end "eof" or "error TEXT".
 * Sender: "sent N failed N" at SIGTERM; "error TEXT" when the connection broke.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define RECORD 10
#define HELLO_MS 100

static uint64_t interval_ns = 10000000;
static volatile sig_atomic_t ending;

static void on_signal(int sig)
{
	(void)sig;
	ending = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int broken(const char *what)
{
	printf("error %s: %s\n", what, strerror(errno));
	return 1;
}

static int end_sending(uint64_t sent, uint64_t failed)
{
	printf("sent %llu failed %llu\n", (unsigned long long)sent, (unsigned long long)failed);
	return 0;
}

/* A datagram that cannot leave is a lost one; a connection that cannot is over. */
static int send_records(int fd, int datagrams)
{
	uint64_t due = now_ns(), seq = 0, failed = 0;

	for (; !ending; seq++) {
		unsigned char record[RECORD] = { 0 };
		struct timespec ts = { .tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u) };

		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
			if (ending)
				return end_sending(seq, failed);
		memcpy(record, &seq, sizeof(seq));
		if (send(fd, record, RECORD, MSG_NOSIGNAL) != RECORD) {
			if (ending)
				break;
			if (!datagrams)
				return broken("send");
			failed++;
		}
		due += interval_ns;
	}
	return end_sending(seq, failed);
}

static void print_record(uint64_t when, const unsigned char *record)
{
	uint64_t seq;

	memcpy(&seq, record, sizeof(seq));
	printf("%llu %llu\n", (unsigned long long)when, (unsigned long long)seq);
}

static int receive_records(int fd, int datagrams)
{
	unsigned char buf[RECORD * 64];
	size_t have = 0;

	while (!ending) {
		ssize_t n = recv(fd, buf + have, sizeof(buf) - have, 0);
		uint64_t when = now_ns();
		size_t at = 0;

		if (n < 0 && (errno == EINTR || (datagrams && errno == ECONNREFUSED)))
			continue;
		if (n < 0)
			return broken("receive");
		if (n == 0 && !datagrams) {
			printf("eof\n");
			return 0;
		}
		have += (size_t)n;
		if (datagrams && n < RECORD)
			have = 0; /* a greeting */
		for (; have - at >= RECORD; at += RECORD)
			print_record(when, buf + at);
		memmove(buf, buf + at, have - at);
		have -= at;
		fflush(stdout);
	}
	return 0;
}

static int parse(struct sockaddr_in6 *a, const char *addr, const char *port)
{
	*a = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)) };
	if (inet_pton(AF_INET6, addr, &a->sin6_addr) == 1)
		return 0;
	fprintf(stderr, "pace: not an IPv6 address: %s\n", addr);
	return -1;
}

/* The side that listens learns from the first datagram where to send. */
static int await_greeting(int fd)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	char c;

	if (recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from, &len) < 0)
		return -1;
	return connect(fd, (struct sockaddr *)&from, len);
}

static int greet(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	do {
		if (send(fd, "", 1, 0) < 0 && errno != ECONNREFUSED)
			return -1;
	} while (poll(&p, 1, HELLO_MS) == 0 && !ending);
	return 0;
}

static int open_listening(int fd, int datagrams, int sends)
{
	if (datagrams)
		return sends && await_greeting(fd) ? -1 : fd;
	return listen(fd, 1) ? -1 : accept(fd, NULL, NULL);
}

static int open_connecting(int fd, const struct sockaddr_in6 *to, int datagrams, int sends)
{
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		return -1;
	return datagrams && !sends && greet(fd) ? -1 : fd;
}

static int usage(void)
{
	fprintf(stderr, "usage: pace [-i MS] tcp|mptcp|udp send|receive listen ADDRESS PORT\n"
			"       pace [-i MS] tcp|mptcp|udp send|receive connect ADDRESS PORT SOURCE\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct sockaddr_in6 here, there;
	int udp, mptcp, sends, listens, fd, one = 1;

	if (argc > 2 && !strcmp(argv[1], "-i")) {
		interval_ns = strtoull(argv[2], NULL, 10) * 1000000u;
		argc -= 2;
		argv += 2;
	}
	if (interval_ns == 0 || argc < 6 || argc != (strcmp(argv[3], "listen") ? 7 : 6))
		return usage();
	udp = !strcmp(argv[1], "udp");
	mptcp = !strcmp(argv[1], "mptcp");
	sends = !strcmp(argv[2], "send");
	listens = !strcmp(argv[3], "listen");
	if ((!udp && !mptcp && strcmp(argv[1], "tcp")) || (!sends && strcmp(argv[2], "receive")) ||
	    (!listens && strcmp(argv[3], "connect")))
		return usage();
	if (parse(&there, argv[4], argv[5]) || parse(&here, argv[listens ? 4 : 6], listens ? argv[5] : "0"))
		return 2;
	sigaction(SIGTERM, &sa, NULL);
	fd = socket(AF_INET6, udp ? SOCK_DGRAM : SOCK_STREAM, mptcp ? IPPROTO_MPTCP : 0);
	if (fd < 0)
		return broken("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)))
		return broken("bind");
	fd = listens ? open_listening(fd, udp, sends) : open_connecting(fd, &there, udp, sends);
	if (fd < 0)
		return broken(listens ? "listen" : "connect");
	if (!udp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return sends ? send_records(fd, udp) : receive_records(fd, udp);
}
