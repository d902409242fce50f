/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of one stream: collected from the lines of the programs that
 * send and receive it (measure.h). Times are ns since t0. Pure.
 */
#ifndef SHIM6_LAB_STREAM_H
#define SHIM6_LAB_STREAM_H

#include "lab/util.h"

enum stream_end {
	STREAM_OPEN, /* still there when the run ended */
	STREAM_EOF,
	STREAM_RESET,
	STREAM_GAVE_UP,
	STREAM_REFUSED,
	STREAM_FAILED,
	STREAM_ENDS
};

struct stream_bucket {
	uint64_t index, bytes, packets;
};

struct stream_span {
	uint64_t start, end;
};

struct stream_loss {
	uint64_t first, last, from, to; /* numbers; when they were sent */
};

struct stream {
	bool udp;
	char name[48];
	char direction[4]; /* "B>A" */

	size_t n_buckets, n_silences, n_losses;
	struct stream_bucket *buckets;
	struct stream_span *silences;
	struct stream_loss *losses;
	struct stream_span longest;
	uint64_t bytes, packets, last; /* last: end of the last bucket in which something came */
	uint64_t sent, received, duplicates, reordered, refused;
	uint64_t next, last_sent; /* datagrams: one more than the highest number, and when that was sent */
	int intact;		  /* -1: not known */
	bool has_end;
	enum stream_end end;
};

/* One pipe's line that is not yet whole. */
struct stream_reader {
	char line[256];
	size_t len;
};

void stream_init(struct stream *s);
void stream_free(struct stream *s);
/* One line; false if it is none of the protocol. */
bool stream_line(struct stream *s, const char *line);
/* Octets as they come from one pipe. Returns how many lines were not understood. */
unsigned stream_feed(struct stream *s, struct stream_reader *r, const char *data, size_t n);
/* All lines are in: what follows from them (the datagrams behind the last one that came). */
void stream_settle(struct stream *s, double seconds);

uint64_t stream_lost(const struct stream *s);
/* Of the lost ones, those sent in [from, to). */
uint64_t stream_lost_between(const struct stream *s, uint64_t from, uint64_t to);
/* The longest silence that overlaps [from, to), as a whole; 0: none that was told. */
uint64_t stream_silence_in(const struct stream *s, uint64_t from, uint64_t to);

const char *stream_end_name(enum stream_end e);
bool stream_end_parse(const char *word, enum stream_end *e);

#endif
