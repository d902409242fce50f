// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/measure.h"

static const char *const ends[STREAM_ENDS] = { "open", "eof", "reset", "gave-up", "refused", "failed" };

const char *stream_end_name(enum stream_end e)
{
	return ends[e];
}

bool stream_end_parse(const char *word, enum stream_end *e)
{
	for (unsigned i = 0; i < STREAM_ENDS; i++) {
		if (!strcmp(word, ends[i])) {
			*e = (enum stream_end)i;
			return true;
		}
	}
	return false;
}

void stream_init(struct stream *s)
{
	memset(s, 0, sizeof(*s));
	s->intact = -1;
}

void stream_free(struct stream *s)
{
	free(s->buckets);
	free(s->silences);
	free(s->losses);
	s->buckets = NULL;
	s->silences = NULL;
	s->losses = NULL;
}

/* --- lines ------------------------------------------------------------------ */

/* Up to max numbers, divided by single blanks, to the end of the line; how many, -1 for anything else. */
static int numbers(const char *p, uint64_t *v, int max)
{
	int n = 0;

	while (*p) {
		char *end;

		if (n == max || *p < '0' || *p > '9')
			return -1;
		v[n++] = strtoull(p, &end, 10);
		p = end;
		if (*p == ' ')
			p++;
		else if (*p)
			return -1;
	}
	return n;
}

static void *one_more(void *list, size_t n, size_t size)
{
	return n & (n - 1) ? list : lab_grow(list, (n ? 2 * n : 1) * size); /* at powers of two */
}

static bool add_bucket(struct stream *s, const char *rest)
{
	uint64_t v[3];

	if (numbers(rest, v, 3) != 3)
		return false;
	s->buckets = one_more(s->buckets, s->n_buckets, sizeof(*s->buckets));
	s->buckets[s->n_buckets++] = (struct stream_bucket){ v[0], v[1], v[2] };
	s->last = (v[0] + 1) * MEASURE_BUCKET_NS;
	return true;
}

static bool add_silence(struct stream *s, const char *rest)
{
	uint64_t v[2];

	if (numbers(rest, v, 2) != 2 || v[1] < v[0])
		return false;
	s->silences = one_more(s->silences, s->n_silences, sizeof(*s->silences));
	s->silences[s->n_silences++] = (struct stream_span){ v[0], v[1] };
	return true;
}

static void add_loss(struct stream *s, struct stream_loss l)
{
	s->losses = one_more(s->losses, s->n_losses, sizeof(*s->losses));
	s->losses[s->n_losses++] = l;
}

static bool read_loss(struct stream *s, const char *rest)
{
	uint64_t v[4];

	if (numbers(rest, v, 4) != 4 || v[1] < v[0] || v[3] < v[2])
		return false;
	add_loss(s, (struct stream_loss){ v[0], v[1], v[2], v[3] });
	return true;
}

static bool set_number(struct stream *s, const char *rest)
{
	const struct {
		const char *name;
		uint64_t *to;
	} known[] = {
		{ "bytes", &s->bytes },
		{ "packets", &s->packets },
		{ "gap_start_ns", &s->longest.start },
		{ "gap_end_ns", &s->longest.end },
		{ "sent", &s->sent },
		{ "refused", &s->refused },
		{ "received", &s->received },
		{ "duplicates", &s->duplicates },
		{ "reordered", &s->reordered },
		{ "next", &s->next },
		{ "last_sent_ns", &s->last_sent },
	};
	const char *blank = strchr(rest, ' ');
	size_t len = blank ? (size_t)(blank - rest) : 0;
	uint64_t v;

	if (!len || numbers(blank + 1, &v, 1) != 1)
		return false;
	if (len == 6 && !strncmp(rest, "intact", len)) {
		s->intact = v != 0;
		return true;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == len && !strncmp(rest, known[i].name, len))
			*known[i].to = v;
	return true; /* a number that nobody here asks for is no mistake */
}

bool stream_line(struct stream *s, const char *line)
{
	if (line[0] == '\0' || line[1] != ' ')
		return false;
	switch (line[0]) {
	case 'b':
		return add_bucket(s, line + 2);
	case 'q':
		return add_silence(s, line + 2);
	case 'l':
		return read_loss(s, line + 2);
	case 'k':
		return set_number(s, line + 2);
	case 'x':
		s->has_end = stream_end_parse(line + 2, &s->end);
		return s->has_end;
	default:
		return false;
	}
}

unsigned stream_feed(struct stream *s, struct stream_reader *r, const char *data, size_t n)
{
	unsigned bad = 0;

	for (size_t i = 0; i < n; i++) {
		if (data[i] != '\n') {
			if (r->len < sizeof(r->line) - 1)
				r->line[r->len++] = data[i];
			continue;
		}
		r->line[r->len] = '\0';
		r->len = 0;
		bad += !stream_line(s, r->line);
	}
	return bad;
}

/* --- what follows ----------------------------------------------------------- */

void stream_settle(struct stream *s, double seconds)
{
	uint64_t end = (uint64_t)(seconds * 1e9), step;

	if (!s->udp || s->sent <= s->next)
		return;
	step = end > s->last_sent ? (end - s->last_sent) / (s->sent - s->next + 1) : 0;
	add_loss(s, (struct stream_loss){ s->next, s->sent - 1, s->last_sent + step,
					  s->last_sent + step * (s->sent - s->next) });
}

uint64_t stream_lost(const struct stream *s)
{
	return s->sent > s->received ? s->sent - s->received : 0;
}

uint64_t stream_lost_between(const struct stream *s, uint64_t from, uint64_t to)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n_losses; i++) {
		const struct stream_loss *l = &s->losses[i];
		uint64_t span = l->last - l->first;

		for (uint64_t k = 0; k <= span; k++) {
			uint64_t at = span ? l->from + (uint64_t)((double)(l->to - l->from) * (double)k / (double)span)
					   : l->from;

			n += at >= from && at < to;
		}
	}
	return n;
}

uint64_t stream_silence_in(const struct stream *s, uint64_t from, uint64_t to)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < s->n_silences; i++) {
		const struct stream_span *q = &s->silences[i];

		if (q->end > from && q->start < to && q->end - q->start > longest)
			longest = q->end - q->start;
	}
	return longest;
}
