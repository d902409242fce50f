// SPDX-License-Identifier: GPL-2.0-or-later
/* What the traffic programs share: their table, their voice, the pattern, the pacing. */
#define _GNU_SOURCE
#include "lab/traffic.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/delay.h"

#define PACER_MAX_CREDIT_S 0.05 /* pauses longer than this are lost for good */

static volatile sig_atomic_t ending;

static void on_term(int sig)
{
	(void)sig;
	ending = 1;
}

bool traffic_ending(void)
{
	return ending != 0;
}

void traffic_emit(void *user, const char *line)
{
	(void)user;
	if (printf("%s\n", line) < 0 || fflush(stdout))
		_exit(1);
}

void traffic_tell(const char *fmt, ...)
{
	char line[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	traffic_emit(NULL, line);
}

const char *traffic_end_word(int err)
{
	switch (err) {
	case 0:
		return "eof";
	case ECONNRESET:
	case EPIPE:
		return "reset";
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "gave-up";
	case ECONNREFUSED:
		return "refused";
	default:
		return "failed";
	}
}

bool traffic_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, TRAFFIC_TICK_MS) > 0;
}

/* --- the pattern ------------------------------------------------------------ */

/* A word that says where it stands: no two are equal within any session. */
static uint64_t word_at(uint64_t index)
{
	uint64_t z = (index + 1) * 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return z ^ (z >> 27);
}

void pattern_fill(uint8_t *out, size_t n, uint64_t offset)
{
	for (size_t i = 0; i < n;) {
		uint64_t w = word_at((offset + i) / 8);

		do {
			out[i] = (uint8_t)(w >> ((offset + i) % 8 * 8));
			i++;
		} while (i < n && (offset + i) % 8);
	}
}

bool pattern_check(const uint8_t *in, size_t n, uint64_t offset)
{
	uint8_t want[4096];

	for (size_t done = 0; done < n;) {
		size_t part = n - done < sizeof(want) ? n - done : sizeof(want);

		pattern_fill(want, part, offset + done);
		if (memcmp(want, in + done, part))
			return false;
		done += part;
	}
	return true;
}

/* --- pacing ------------------------------------------------------------------ */

void pacer_init(struct pacer *p, uint64_t rate, uint64_t now)
{
	*p = (struct pacer){ .rate = rate, .last = now };
}

size_t pacer_allowance(struct pacer *p, uint64_t now, size_t max)
{
	double limit = (double)p->rate * PACER_MAX_CREDIT_S;

	if (!p->rate)
		return max;
	p->credit += (double)(now - p->last) / 1e9 * (double)p->rate;
	p->last = now;
	if (p->credit > limit)
		p->credit = limit;
	return p->credit >= (double)max ? max : (size_t)p->credit;
}

void pacer_sent(struct pacer *p, size_t n)
{
	if (p->rate)
		p->credit -= (double)n;
}

/* --- the table --------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} programs[] = {
	{ "udp-send", udp_send_main }, { "udp-recv", udp_recv_main }, { "tcp-serve", tcp_serve_main },
	{ "tcp-get", tcp_get_main },   { "source", source_main },     { "relay", relay_main },
	{ "iperf", iperf_main },       { "delay", delay_main },
};

int traffic_main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_term };
	int r;

	sigaction(SIGTERM, &act, NULL); /* without SA_RESTART: it wakes whoever waits */
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 0 && i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (strcmp(argv[0], programs[i].name))
			continue;
		r = programs[i].main(argc, argv);
		return r < 0 ? 1 : r;
	}
	lab_error("traffic: no such program");
	return 2;
}
