/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs that send and measure, "shim6-lab traffic WHAT ...", started by
 * flows.c inside the hosts. Each tells what it sees on standard output, in the
 * lines of measure.h; SIGTERM makes it tell the rest and end.
 *
 * Streams carry a pattern that each octet's place determines, so that the
 * receiver notices one that is missing, doubled or changed.
 *
 *   udp-send T0 FROM TO PORT PER-SECOND OCTETS SECONDS
 *   udp-recv T0 PORT
 *   tcp-serve T0 PORT OCTETS-PER-SECOND SECONDS     one connection, paced
 *   tcp-get T0 FROM TO PORT
 *   source OCTETS-PER-SECOND SECONDS                the paced pattern, to standard output
 *   relay T0 [COPY]                                 measures the pattern on standard input; COPY: a file that gets it
 *   iperf T0                                        measures by the interval lines of iperf3 on standard input
 *   delay MS                                        see delay.h
 */
#ifndef SHIM6_LAB_TRAFFIC_H
#define SHIM6_LAB_TRAFFIC_H

#include "lab/measure.h"

int traffic_main(int argc, char **argv);

/* --- shared by the programs ------------------------------------------------- */

#define TRAFFIC_TICK_MS 10 /* between looks at the clock */
#define TRAFFIC_CHUNK 65536

bool traffic_ending(void); /* SIGTERM came */
/* A measure_emit: one line to standard output. Ends the program when nobody reads. */
void traffic_emit(void *user, const char *line);
void traffic_tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "x WORD" of a socket's errno. */
const char *traffic_end_word(int err);
/* Wait for input up to a tick; false on time. */
bool traffic_wait(int fd, short events);

void pattern_fill(uint8_t *out, size_t n, uint64_t offset);
bool pattern_check(const uint8_t *in, size_t n, uint64_t offset);

/* How many octets a paced sender may send now. What could not be sent in time is not made up for: no burst. */
struct pacer {
	uint64_t rate; /* octets per s; 0: no limit */
	uint64_t last; /* ns */
	double credit;
};
void pacer_init(struct pacer *p, uint64_t rate, uint64_t now);
size_t pacer_allowance(struct pacer *p, uint64_t now, size_t max);
void pacer_sent(struct pacer *p, size_t n);

int udp_send_main(int argc, char **argv);
int udp_recv_main(int argc, char **argv);
int tcp_serve_main(int argc, char **argv);
int tcp_get_main(int argc, char **argv);
int source_main(int argc, char **argv);
int relay_main(int argc, char **argv);
int iperf_main(int argc, char **argv);

/* Octets of one interval line of iperf3 ("[  5]   0.10-0.20   sec  1.25 MBytes ..."); false: another line. */
bool iperf_line(const char *line, uint64_t *octets);

#endif
