// SPDX-License-Identifier: GPL-2.0-or-later
/* Axes, rates, places of labels (see report_scale.h). */
#include "lab/report_scale.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/util.h"

/* --- axes ------------------------------------------------------------------- */

/* The step of 1, 2 or 5 * 10^n that is nearest above raw. */
static double nice_step(double raw)
{
	double power = pow(10, floor(log10(raw)));
	double lead = raw / power;

	/* The small surplus keeps a quotient of 2.0000001 at 2. */
	return power * (lead <= 1.0001 ? 1 : lead <= 2.0001 ? 2 : lead <= 5.0001 ? 5 : 10);
}

static unsigned decimals_of(double step)
{
	double digits = -floor(log10(step) + 1e-9);

	return digits > 0 ? (unsigned)digits : 0;
}

struct scale scale_rate(double max, unsigned want)
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s" };
	struct scale s = { .unit_size = 1 };
	unsigned unit = 0;

	if (!(max > 0))
		max = 1;
	while (unit < 4 && max >= s.unit_size * 1000) {
		s.unit_size *= 1000;
		unit++;
	}
	s.unit = units[unit];
	s.step = nice_step(max / s.unit_size / want);
	s.n = (unsigned)ceil(max / s.unit_size / s.step - 1e-6);
	s.decimals = decimals_of(s.step);
	return s;
}

struct scale scale_time(double span, unsigned want)
{
	static const double steps[] = { 1,   2,	  5,	10,   15,   30,	   60,	  120,	 300,
					600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800 };
	struct scale s = { .unit = "s", .unit_size = 1 };
	size_t i = 0;

	if (span / want < 1) {
		s.step = nice_step(span / want);
	} else {
		while (i + 1 < sizeof(steps) / sizeof(*steps) && steps[i] * want < span * 0.9999)
			i++;
		s.step = steps[i];
	}
	if (s.step >= 3600)
		s.unit_size = 3600;
	else if (s.step >= 60)
		s.unit_size = 60;
	s.unit = s.unit_size > 60 ? "h" : s.unit_size > 1 ? "min" : "s";
	s.step /= s.unit_size;
	s.n = (unsigned)floor(span / s.unit_size / s.step + 1e-6);
	s.decimals = decimals_of(s.step);
	return s;
}

/* --- rates ------------------------------------------------------------------ */

unsigned scale_group(double bucket_s, double span_s)
{
	static const unsigned leads[] = { 1, 2, 4, 5 };
	double need = span_s / bucket_s / SCALE_POINTS - 1e-6;

	for (unsigned power = 1;; power *= 10) {
		for (size_t i = 0; i < sizeof(leads) / sizeof(*leads); i++) {
			if (leads[i] * power >= need || power >= 100000000)
				return leads[i] * power;
		}
	}
}

void scale_rates(const struct report_stream *s, double bucket_s, unsigned group, double span_s, double *out, size_t n)
{
	double width = bucket_s * group;

	for (size_t i = 0; i < n; i++)
		out[i] = 0;
	for (size_t i = 0; i < s->n_buckets; i++) {
		uint64_t g = s->buckets[i].index / group;

		if (g < n)
			out[g] += (double)s->buckets[i].bytes * 8;
	}
	for (size_t i = 0; i < n; i++) {
		double part = span_s - (double)i * width;

		/* A sliver at the end would show noise as a peak: below one bucket it counts as one. */
		if (part < bucket_s)
			part = bucket_s;
		out[i] /= part < width ? part : width;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

#define BURST_SHARE 0.98 /* of the points that are not zero must fit in any case */
#define BURST_FACTOR 2.5 /* a maximum beyond this times what they need is cut off */
#define BURST_ROOM 1.25

double scale_ceiling(double *rates, size_t n)
{
	size_t zeros = 0, at;

	qsort(rates, n, sizeof(*rates), by_value);
	while (zeros < n && rates[zeros] <= 0)
		zeros++;
	if (zeros == n)
		return 0;
	at = zeros + (size_t)((double)(n - zeros - 1) * BURST_SHARE);
	return rates[n - 1] > BURST_FACTOR * rates[at] ? BURST_ROOM * rates[at] : rates[n - 1];
}

/* --- labels ----------------------------------------------------------------- */

void scale_spread(double *v, size_t n, double gap, double low, double high)
{
	for (size_t i = 0; i < n; i++) {
		double least = i ? v[i - 1] + gap : low;

		if (v[i] < least)
			v[i] = least;
	}
	/* What was pushed out at the high end pushes back. */
	for (size_t i = n; i-- > 0;) {
		double most = i + 1 < n ? v[i + 1] - gap : high;

		if (v[i] > most)
			v[i] = most;
	}
}

/* Their texts would touch; a sign alone needs no more room than lines keep from each other. */
static bool overlap(const struct scale_label *a, const struct scale_label *b, double gap)
{
	return a->width > 0 && b->width > 0 && a->left < b->left + b->width + gap && b->left < a->left + a->width + gap;
}

/* The line of other, going up, would cross the text of l if it stood above it. */
static bool crosses(const struct scale_label *l, const struct scale_label *other, double gap)
{
	return l->width > 0 && other->at > l->left - gap && other->at < l->left + l->width + gap;
}

/* l stands above other: other's line ends below the text of l. When each is in the other's way, either may. */
static bool above(const struct scale_label *l, const struct scale_label *other, double gap)
{
	if (crosses(l, other, gap) && crosses(other, l, gap))
		gap = 0; /* perhaps one only comes close */
	return crosses(l, other, gap) && !crosses(other, l, gap);
}

static unsigned row_of(const struct scale_label *l, const struct scale_label *all, const bool *placed, size_t n,
		       double gap)
{
	unsigned row = 0;

	for (size_t i = 0; i < n; i++) {
		if (placed[i] && all[i].row >= row && (overlap(l, &all[i], gap) || crosses(l, &all[i], gap)))
			row = all[i].row + 1;
	}
	return row;
}

/* Where lines go up and texts stand; a text that would leave at the right stands left of its line. */
static void set_columns(struct scale_label *l, size_t n, double left, double right, double line_gap, double text_gap)
{
	double *at = lab_alloc(n * sizeof(*at));

	for (size_t i = 0; i < n; i++)
		at[i] = l[i].x;
	scale_spread(at, n, line_gap, left, right);
	for (size_t i = 0; i < n; i++) {
		l[i].at = at[i];
		l[i].flipped = l[i].at + text_gap + l[i].width > right;
		l[i].left = l[i].flipped ? l[i].at - text_gap - l[i].width : l[i].at + text_gap;
		if (l[i].left < left)
			l[i].left = left;
	}
	free(at);
}

/*
 * The next label to place: none is left that must be below it. Prefers the right
 * end, which gives stairs. Texts that stand left of their lines can wait for each
 * other in a circle; then the one of them that waits for the fewest has to do,
 * and a line crosses its text or one by it.
 */
static size_t next_label(const struct scale_label *l, const unsigned *below, const bool *placed, size_t n)
{
	size_t best = n;

	for (size_t i = n; i-- > 0;) {
		if (placed[i])
			continue;
		if (!below[i])
			return i;
		if (best == n || l[i].flipped > l[best].flipped ||
		    (l[i].flipped == l[best].flipped && below[i] < below[best]))
			best = i;
	}
	return best;
}

/* From the lowest up, so that each finds the rows of those it has to stand above. */
unsigned scale_place(struct scale_label *l, size_t n, double left, double right, double line_gap, double text_gap)
{
	unsigned *below = lab_alloc(n * sizeof(*below)), rows = 0;
	bool *placed = lab_alloc(n * sizeof(*placed));

	set_columns(l, n, left, right, line_gap, text_gap);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++)
			below[i] += k != i && above(&l[i], &l[k], text_gap);
	}
	for (size_t done = 0; done < n; done++) {
		size_t i = next_label(l, below, placed, n);

		l[i].row = row_of(&l[i], l, placed, n, text_gap);
		rows = l[i].row + 1 > rows ? l[i].row + 1 : rows;
		placed[i] = true;
		for (size_t k = 0; k < n; k++)
			below[k] -= k != i && below[k] && above(&l[k], &l[i], text_gap);
	}
	free(below);
	free(placed);
	return rows;
}

/* --- text ------------------------------------------------------------------- */

static double em_of(unsigned char c)
{
	if (strchr("ijl.,:;|'!()[] ft/-", c))
		return 0.42;
	if (strchr("mwMW@%", c))
		return 0.98;
	if ((c >= 'A' && c <= 'Z') || c == '>')
		return 0.74;
	return 0.64;
}

double scale_text_width(const char *s, double font_size)
{
	double em = 0;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0xe2) /* first octet of a sign that may be as wide as high */
			em += 1;
		else if (c >= 0xc0)
			em += 0.74;
		else if (c < 0x80)
			em += em_of(c);
	}
	return em * font_size;
}
