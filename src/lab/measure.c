// SPDX-License-Identifier: GPL-2.0-or-later
/* Buckets, silences and sequence numbers (see measure.h). */
#include "lab/measure.h"

#include <stdio.h>
#include <string.h>

void measure_init(struct measure *m, uint64_t t0, measure_emit emit, void *user)
{
	memset(m, 0, sizeof(*m));
	m->t0 = t0;
	m->emit = emit;
	m->user = user;
}

static void tell(struct measure *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct measure *m, const char *fmt, ...)
{
	char line[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	m->emit(m->user, line);
}

static uint64_t since(const struct measure *m, uint64_t now)
{
	return now > m->t0 ? now - m->t0 : 0;
}

static void close_bucket(struct measure *m)
{
	if (m->packets)
		tell(m, "b %llu %llu %llu", (unsigned long long)m->bucket, (unsigned long long)m->bytes,
		     (unsigned long long)m->packets);
	m->bytes = m->packets = 0;
}

static void close_gap(struct measure *m, uint64_t end)
{
	if (end - m->last > m->gap_end - m->gap_start) {
		m->gap_start = m->last;
		m->gap_end = end;
	}
	if (end - m->last >= MEASURE_SILENCE_NS)
		tell(m, "q %llu %llu", (unsigned long long)m->last, (unsigned long long)end);
}

void measure_tick(struct measure *m, uint64_t now)
{
	uint64_t bucket = since(m, now) / MEASURE_BUCKET_NS;

	if (bucket > m->bucket) {
		close_bucket(m);
		m->bucket = bucket;
	}
}

void measure_add(struct measure *m, uint64_t now, uint64_t bytes)
{
	uint64_t t = since(m, now);

	measure_tick(m, now);
	if (m->any)
		close_gap(m, t);
	else
		m->first = t;
	m->any = true;
	m->last = t;
	m->bytes += bytes;
	m->packets++;
	m->total_bytes += bytes;
	m->total_packets++;
}

void measure_finish(struct measure *m, uint64_t now, bool lasting)
{
	close_bucket(m);
	if (m->any && lasting)
		close_gap(m, since(m, now));
	tell(m, "k bytes %llu", (unsigned long long)m->total_bytes);
	tell(m, "k packets %llu", (unsigned long long)m->total_packets);
	if (!m->any)
		return;
	tell(m, "k first_ns %llu", (unsigned long long)m->first);
	tell(m, "k last_ns %llu", (unsigned long long)m->last);
	tell(m, "k gap_start_ns %llu", (unsigned long long)m->gap_start);
	tell(m, "k gap_end_ns %llu", (unsigned long long)m->gap_end);
}

static uint64_t *word_of(struct seqtrack *s, uint64_t seq)
{
	return &s->seen[seq % MEASURE_SEQ_WINDOW / 64];
}

static uint64_t bit_of(uint64_t seq)
{
	return 1ull << (seq % 64);
}

/* The window moves up to seq: forget what its slots said about older numbers. */
static void advance(struct seqtrack *s, uint64_t seq)
{
	if (seq - s->next >= MEASURE_SEQ_WINDOW) {
		memset(s->seen, 0, sizeof(s->seen));
	} else {
		for (uint64_t i = s->next; i <= seq; i++)
			*word_of(s, i) &= ~bit_of(i);
	}
	s->next = seq + 1;
}

bool seqtrack_add(struct seqtrack *s, uint64_t seq)
{
	if (seq >= s->next) {
		advance(s, seq);
	} else if (s->next - seq > MEASURE_SEQ_WINDOW) {
		s->too_old++; /* cannot be told from a duplicate */
		return false;
	} else if (*word_of(s, seq) & bit_of(seq)) {
		s->duplicates++;
		return false;
	} else {
		s->reordered++;
	}
	*word_of(s, seq) |= bit_of(seq);
	s->unique++;
	return true;
}

bool seqtrack_seen(const struct seqtrack *s, uint64_t seq)
{
	return seq < s->next && s->next - seq <= MEASURE_SEQ_WINDOW &&
	       (s->seen[seq % MEASURE_SEQ_WINDOW / 64] & bit_of(seq));
}
