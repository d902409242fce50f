// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbered datagrams at an even pace, and what the receiver makes of them. Each
 * carries its number and when it was sent, so that a loss has a time: that of
 * the sender, which is what "lost after the switch" is about.
 */
#define _GNU_SOURCE
#include "lab/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DATAGRAM_MAX 1400
#define DATAGRAM_MAGIC 0x7368696d36756470ull
#define RECEIVE_BUFFER (1 << 20)
#define MAX_BEHIND_NS (100 * NSEC_PER_MSEC) /* a sender that could not run so long goes on from now */

struct datagram {
	uint64_t magic, seq, sent; /* sent: ns since t0 */
};

static int udp_socket(const char *from, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = RECEIVE_BUFFER;

	if (fd < 0)
		return lab_error("cannot make a socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (from && inet_pton(AF_INET6, from, &a.sin6_addr) != 1) {
		close(fd);
		return lab_error("bad address %s", from);
	}
	if (bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return lab_error("cannot bind to port %u: %s", port, strerror(errno));
	}
	return fd;
}

/* --- sending ----------------------------------------------------------------- */

struct udp_sender {
	int fd;
	struct sockaddr_in6 to;
	uint64_t t0, interval, end;
	size_t size;
	uint64_t sent, refused;
};

static void send_one(struct udp_sender *s, uint64_t now)
{
	uint8_t buf[DATAGRAM_MAX] = { 0 };
	struct datagram d = { DATAGRAM_MAGIC, s->sent, now > s->t0 ? now - s->t0 : 0 };

	memcpy(buf, &d, sizeof(d));
	/* one that the kernel does not take is lost like any other */
	if (sendto(s->fd, buf, s->size, 0, (struct sockaddr *)&s->to, sizeof(s->to)) < 0)
		s->refused++;
	s->sent++;
}

static void send_all(struct udp_sender *s)
{
	uint64_t due = lab_now();

	while (!traffic_ending()) {
		uint64_t now = lab_now();

		if (now >= s->end)
			break;
		if (now < due) {
			struct timespec ts = { .tv_nsec = (long)(due - now) };

			ts.tv_sec = ts.tv_nsec / (long)NSEC_PER_SEC;
			ts.tv_nsec %= (long)NSEC_PER_SEC;
			nanosleep(&ts, NULL);
			continue;
		}
		send_one(s, now);
		due = now - due > MAX_BEHIND_NS ? now + s->interval : due + s->interval;
	}
	traffic_tell("k sent %llu", (unsigned long long)s->sent);
	traffic_tell("k refused %llu", (unsigned long long)s->refused);
}

int udp_send_main(int argc, char **argv)
{
	struct udp_sender s = { .to = { .sin6_family = AF_INET6 } };
	uint64_t port, rate, size, seconds;

	if (argc != 8 || !parse_u64(argv[1], 0, UINT64_MAX, &s.t0) ||
	    inet_pton(AF_INET6, argv[3], &s.to.sin6_addr) != 1 || !parse_u64(argv[4], 1, 65535, &port) ||
	    !parse_u64(argv[5], 1, 100000, &rate) ||
	    !parse_u64(argv[6], sizeof(struct datagram), DATAGRAM_MAX, &size) ||
	    !parse_u64(argv[7], 1, 86400, &seconds))
		return lab_error("usage: udp-send T0 FROM TO PORT PER-SECOND OCTETS SECONDS");
	s.fd = udp_socket(argv[2], 0);
	if (s.fd < 0)
		return 1;
	s.to.sin6_port = htons((uint16_t)port);
	s.interval = NSEC_PER_SEC / rate;
	s.size = size;
	s.end = s.t0 + seconds * NSEC_PER_SEC;
	send_all(&s);
	close(s.fd);
	return 0;
}

/* --- receiving --------------------------------------------------------------- */

#define MAX_GAPS 4096 /* ranges of missing numbers; more are only counted */

struct gap {
	uint64_t first, last, before, after; /* before, after: sending times of its neighbours */
};

struct udp_receiver {
	struct measure m;
	struct seqtrack seq;
	uint64_t last_sent; /* of the highest number */
	struct gap gap[MAX_GAPS];
	unsigned n_gaps;
};

static void note(struct udp_receiver *r, const struct datagram *d, uint64_t now, size_t size)
{
	uint64_t expected = r->seq.next;

	if (!seqtrack_add(&r->seq, d->seq))
		return;
	measure_add(&r->m, now, size);
	if (d->seq > expected && r->n_gaps < MAX_GAPS)
		r->gap[r->n_gaps++] = (struct gap){ expected, d->seq - 1, expected ? r->last_sent : 0, d->sent };
	if (d->seq >= expected)
		r->last_sent = d->sent;
}

static void take_all(struct udp_receiver *r, int fd)
{
	uint8_t buf[DATAGRAM_MAX];
	struct datagram d;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) >= 0) {
		if ((size_t)n < sizeof(d))
			continue;
		memcpy(&d, buf, sizeof(d));
		if (d.magic == DATAGRAM_MAGIC)
			note(r, &d, lab_now(), (size_t)n);
	}
}

/* Runs of numbers that never came, each with the time it must have been sent. */
static void tell_losses(const struct udp_receiver *r)
{
	for (unsigned i = 0; i < r->n_gaps; i++) {
		const struct gap *g = &r->gap[i];
		double step = (double)(g->after - g->before) / (double)(g->last - g->first + 2);
		uint64_t from = g->first;

		for (uint64_t n = g->first; n <= g->last + 1; n++) {
			if (n <= g->last && !seqtrack_seen(&r->seq, n))
				continue;
			if (n > from)
				traffic_tell("l %llu %llu %.0f %.0f", (unsigned long long)from,
					     (unsigned long long)n - 1,
					     (double)g->before + step * (double)(from - g->first + 1),
					     (double)g->before + step * (double)(n - g->first));
			from = n + 1;
		}
	}
}

int udp_recv_main(int argc, char **argv)
{
	static struct udp_receiver r;
	uint64_t t0, port;
	int fd;

	if (argc != 3 || !parse_u64(argv[1], 0, UINT64_MAX, &t0) || !parse_u64(argv[2], 1, 65535, &port))
		return lab_error("usage: udp-recv T0 PORT");
	fd = udp_socket(NULL, (uint16_t)port);
	if (fd < 0)
		return 1;
	measure_init(&r.m, t0, traffic_emit, NULL);
	while (!traffic_ending()) {
		if (traffic_wait(fd, POLLIN))
			take_all(&r, fd);
		measure_tick(&r.m, lab_now());
	}
	measure_finish(&r.m, lab_now(), false);
	tell_losses(&r);
	traffic_tell("k received %llu", (unsigned long long)r.seq.unique);
	traffic_tell("k next %llu", (unsigned long long)r.seq.next);
	traffic_tell("k last_sent_ns %llu", (unsigned long long)r.last_sent);
	traffic_tell("k duplicates %llu", (unsigned long long)r.seq.duplicates);
	traffic_tell("k reordered %llu", (unsigned long long)r.seq.reordered);
	traffic_tell("x open");
	close(fd);
	return 0;
}
