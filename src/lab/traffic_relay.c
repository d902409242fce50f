// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measuring what other programs receive: the relay stands behind a program that
 * writes what it got to standard output (curl, ssh), the other behind iperf3,
 * whose report lines it reads. The source is what ssh runs at the far end.
 */
#define _GNU_SOURCE
#include "lab/traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool write_all(int fd, const uint8_t *buf, size_t n)
{
	while (n) {
		ssize_t w = write(fd, buf, n);

		if (w < 0 && errno != EINTR)
			return false;
		if (w > 0) {
			buf += w;
			n -= (size_t)w;
		}
	}
	return true;
}

int source_main(int argc, char **argv)
{
	uint8_t buf[TRAFFIC_CHUNK];
	uint64_t rate, seconds, offset = 0, end;
	struct pacer p;

	if (argc != 3 || !parse_u64(argv[1], 0, UINT64_MAX, &rate) || !parse_u64(argv[2], 1, 86400, &seconds))
		return lab_error("usage: source OCTETS-PER-SECOND SECONDS");
	pacer_init(&p, rate, lab_now());
	end = lab_now() + seconds * NSEC_PER_SEC;
	while (!traffic_ending() && lab_now() < end) {
		size_t n = pacer_allowance(&p, lab_now(), sizeof(buf));

		pattern_fill(buf, n, offset);
		if (!write_all(STDOUT_FILENO, buf, n))
			return 1;
		pacer_sent(&p, n);
		offset += n;
		if (p.rate)
			poll(NULL, 0, TRAFFIC_TICK_MS);
	}
	return 0;
}

/* --- the relay ---------------------------------------------------------------- */

struct relay {
	struct measure m;
	uint64_t offset;
	bool intact, ended;
	int copy; /* -1: none */
};

static void pass_on(struct relay *r)
{
	uint8_t buf[TRAFFIC_CHUNK];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		r->ended = true;
		return;
	}
	r->intact &= pattern_check(buf, (size_t)n, r->offset);
	r->offset += (uint64_t)n;
	measure_add(&r->m, lab_now(), (uint64_t)n);
	if (r->copy >= 0 && !write_all(r->copy, buf, (size_t)n)) {
		lab_error("cannot pass on what came: %s", strerror(errno));
		close(r->copy);
		r->copy = -1;
	}
}

int relay_main(int argc, char **argv)
{
	struct relay r = { .intact = true, .copy = -1 };
	uint64_t t0;

	if (argc < 2 || argc > 3 || !parse_u64(argv[1], 0, UINT64_MAX, &t0))
		return lab_error("usage: relay T0 [COPY]");
	if (argc == 3) {
		r.copy = open(argv[2], O_WRONLY | O_CLOEXEC);
		if (r.copy < 0)
			return lab_error("cannot open %s: %s", argv[2], strerror(errno));
	}
	measure_init(&r.m, t0, traffic_emit, NULL);
	while (!traffic_ending() && !r.ended) {
		if (traffic_wait(STDIN_FILENO, POLLIN))
			pass_on(&r);
		measure_tick(&r.m, lab_now());
	}
	measure_finish(&r.m, lab_now(), true); /* until its end, however that came, the stream was silent */
	if (r.offset)
		traffic_tell("k intact %d", r.intact);
	traffic_tell("x %s", r.ended ? "eof" : "open");
	return 0;
}

/* --- iperf3 -------------------------------------------------------------------- */

bool iperf_line(const char *line, uint64_t *octets)
{
	static const struct {
		const char *unit;
		double factor;
	} units[] = { { "Bytes", 1 }, { "KBytes", 1024 }, { "MBytes", 1048576 }, { "GBytes", 1073741824 } };
	double from, to, amount;
	char unit[8];
	int end = 0;

	if (sscanf(line, "[%*d] %lf-%lf sec %lf %7s%n", &from, &to, &amount, unit, &end) != 4 || amount < 0)
		return false;
	/* the sums at the end repeat what was told; they name a side */
	if (strstr(line + end, "sender") || strstr(line + end, "receiver"))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].unit))
			continue;
		*octets = (uint64_t)llround(amount * units[i].factor);
		return true;
	}
	return false;
}

int iperf_main(int argc, char **argv)
{
	char buf[4096];
	size_t have = 0;
	uint64_t t0, octets;
	struct measure m;
	bool ended = false;

	if (argc != 2 || !parse_u64(argv[1], 0, UINT64_MAX, &t0))
		return lab_error("usage: iperf T0");
	measure_init(&m, t0, traffic_emit, NULL);
	while (!traffic_ending() && !ended) {
		char *nl;
		ssize_t n = 0;

		if (traffic_wait(STDIN_FILENO, POLLIN)) {
			n = read(STDIN_FILENO, buf + have, sizeof(buf) - 1 - have);
			ended = n == 0 || (n < 0 && errno != EINTR);
		}
		have += n > 0 ? (size_t)n : 0;
		buf[have] = '\0';
		while ((nl = strchr(buf, '\n')) != NULL) {
			*nl = '\0';
			if (iperf_line(buf, &octets) && octets)
				measure_add(&m, lab_now(), octets);
			have -= (size_t)(nl + 1 - buf);
			memmove(buf, nl + 1, have + 1);
		}
		if (have == sizeof(buf) - 1)
			have = 0; /* no line of iperf3 is that long */
		measure_tick(&m, lab_now());
	}
	measure_finish(&m, lab_now(), !ended);
	traffic_tell("x %s", ended ? "eof" : "open");
	return 0;
}
