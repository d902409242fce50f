/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arithmetic of the plots: axes, rates, places of labels. Pure. */
#ifndef SHIM6_LAB_REPORT_SCALE_H
#define SHIM6_LAB_REPORT_SCALE_H

#include "lab/report_data.h"

#define SCALE_POINTS 300 /* of a curve, at most */

/* Ticks at 0, step, 2 * step ... n * step, in units; decimals: what it takes to tell them apart. */
struct scale {
	double step;
	unsigned n, decimals;
	const char *unit;
	double unit_size; /* in bit/s or s */
};

/* An axis that holds max, with about want steps of 1, 2 or 5 (times 10^n). */
struct scale scale_rate(double max_bits_per_s, unsigned want);
/* The same for time, with steps people count in (15 s, 30 s, 2 min); it ends before or at span. */
struct scale scale_time(double span_s, unsigned want);

/* How many buckets make one point of the curve, so that it has at most SCALE_POINTS. */
unsigned scale_group(double bucket_s, double span_s);
/* Mean rate in bit/s of n groups of buckets; of the last one, over the part of it that lies in the span. */
void scale_rates(const struct report_stream *s, double bucket_s, unsigned group, double span_s, double *out, size_t n);
/* Where to end the axis: the maximum, or less if only a burst of a few points reaches there. rates is sorted. */
double scale_ceiling(double *rates, size_t n);

/*
 * A label on a vertical line at x that stands in a row above the plot (row 0
 * is the lowest), its line going up to it.
 */
struct scale_label {
	double x, width; /* in: the wanted place of the line, the width of the text, 0: a sign alone */
	double at;	 /* out: where the line goes up; lines keep a distance */
	double left;	 /* out: where the text begins */
	bool flipped;	 /* out: the text stands left of the line */
	unsigned row;	 /* out */
};
/* Labels sorted by x; [left, right] is what they may use. Returns the number of rows. */
unsigned scale_place(struct scale_label *l, size_t n, double left, double right, double line_gap, double text_gap);

/* Move sorted places apart until they are gap from each other, within [low, high] where that is possible. */
void scale_spread(double *v, size_t n, double gap, double low, double high);

/* Width of a text set in a usual sans-serif, rather too wide than too narrow. */
double scale_text_width(const char *utf8, double font_size);

#endif
