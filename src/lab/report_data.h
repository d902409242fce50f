/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The measurements of a lab run as result.json has them. What may be missing
 * has a value that says so: "" for text, a negative number for times, known =
 * false for counts. Texts belong to the JSON tree and live as long as it.
 */
#ifndef SHIM6_LAB_REPORT_DATA_H
#define SHIM6_LAB_REPORT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_VERSION 1
#define REPORT_MAX_SECONDS (7 * 86400.0) /* a longer run is a broken file */

struct json_object;

struct report_count {
	bool known;
	uint64_t n;
};

struct report_bucket {
	uint64_t index, bytes, packets;
};

struct report_silence {
	double start, end; /* s since the start of the run */
};

enum report_intact {
	REPORT_INTACT_UNKNOWN,
	REPORT_INTACT,
	REPORT_DAMAGED
};

struct report_stream {
	const char *name, *kind, *direction, *end;
	struct report_bucket *buckets;
	size_t n_buckets;
	struct report_silence *silences;
	size_t n_silences;
	double longest_silence;
	struct report_count bytes, packets, sent, received, lost, duplicates, reordered;
	enum report_intact intact;
};

struct report_mark {
	double t;
	const char *kind, *host, *label, *text;
};

struct report_pair {
	const char *local, *peer;
};

struct report_locator {
	const char *addr, *method;
	int up, verified; /* -1: not told */
	bool broken;
};

struct report_switch {
	bool any;
	double ago_s, took_ms;
	const char *reason;
	struct report_pair from, to;
};

struct report_context {
	struct report_count id, fii, mtu;
	const char *state, *reap;
	int initiator; /* -1: not told */
	struct report_pair ulid, tag, current;
	double send_timeout, keepalive_timeout;
	struct report_switch last_switch;
	struct report_locator *local, *peer;
	size_t n_local, n_peer;
	struct report_count switches, episodes, probes_sent, probes_received, keepalives_sent, keepalives_received;
	struct report_count tx_packets, tx_bytes, rx_packets, rx_bytes;
};

struct report_host {
	const char *name;
	struct report_context *contexts;
	size_t n_contexts;
	struct json_object *stats; /* groups of named numbers; NULL: none */
};

struct report_drops {
	const char *provider;
	struct report_count packets;
};

struct report_run {
	const char *name;
	bool shim6;
	struct report_stream *streams;
	size_t n_streams;
	struct report_mark *marks; /* by time */
	size_t n_marks;
	struct report_host *hosts;
	size_t n_hosts;
	struct report_drops *drops;
	size_t n_drops;
};

struct report_verdict {
	bool ok;
	const char *text;
};

struct report {
	struct json_object *root;
	const char *title, *when, *kernel, *version;
	double send_timeout, delay_ms, duration, bucket;
	struct report_run *runs;
	size_t n_runs;
	struct report_verdict *verdicts;
	size_t n_verdicts;
};

/* 0, or -1 after lab_error(); name is what errors call the input. */
int report_parse(struct report *r, const char *name, const char *json, size_t len);
int report_read(struct report *r, const char *path);
void report_free(struct report *r);

/*
 * Streams of one name, kind and direction belong together over the runs. A
 * table of groups times runs, NULL where a run has none; the caller frees it.
 */
const struct report_stream **report_groups(const struct report *r, size_t *n_groups);

#endif
