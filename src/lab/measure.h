/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measuring at a receiver: bytes per time bucket, silences with their exact
 * beginning and end, and what happened to numbered datagrams. Pure: time is an
 * argument, results leave through a callback as lines of text:
 *
 *   b INDEX BYTES PACKETS    one bucket that is over and was not empty
 *   q START END              a silence, ns since t0
 *   k NAME NUMBER            a number ("sent", "lost", ...)
 *   l FIRST LAST FROM TO     datagrams that never came: their numbers, when the first and the last were sent
 *   x WORD                   how it ended: open, eof, reset, gave-up, refused, failed
 *
 * The collector (stream.c) reads the same lines in the process that runs the
 * scenario.
 */
#ifndef SHIM6_LAB_MEASURE_H
#define SHIM6_LAB_MEASURE_H

#include "lab/util.h"

#define MEASURE_BUCKET_NS (50 * NSEC_PER_MSEC)
#define MEASURE_SILENCE_NS (200 * NSEC_PER_MSEC) /* shorter gaps are told only by their maximum */
#define MEASURE_SEQ_WINDOW (1u << 20)		 /* datagrams: how far back duplicates are recognised */

typedef void (*measure_emit)(void *user, const char *line);

struct measure {
	uint64_t t0;
	measure_emit emit;
	void *user;
	uint64_t bucket, bytes, packets; /* the bucket in hand */
	uint64_t first, last;		 /* ns since t0; valid once any */
	bool any;
	uint64_t total_bytes, total_packets;
	uint64_t gap_start, gap_end; /* the longest silence */
};

void measure_init(struct measure *m, uint64_t t0, measure_emit emit, void *user);
/* now: CLOCK_MONOTONIC ns. */
void measure_add(struct measure *m, uint64_t now, uint64_t bytes);
/* Nothing came; lets a bucket that is over be told. */
void measure_tick(struct measure *m, uint64_t now);
/* The last bucket, the silence that still lasts (if lasting), the numbers. */
void measure_finish(struct measure *m, uint64_t now, bool lasting);

/* Sequence numbers from 0. */
struct seqtrack {
	uint64_t next; /* highest seen + 1 */
	uint64_t unique, duplicates, reordered, too_old;
	uint64_t seen[MEASURE_SEQ_WINDOW / 64];
};
/* True when it was not seen before. */
bool seqtrack_add(struct seqtrack *s, uint64_t seq);
/* Of the last MEASURE_SEQ_WINDOW numbers; older ones count as not seen. */
bool seqtrack_seen(const struct seqtrack *s, uint64_t seq);

#endif
