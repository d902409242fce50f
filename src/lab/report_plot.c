// SPDX-License-Identifier: GPL-2.0-or-later
/* The plot of one stream (see report_plot.h). Numbers are SVG user units, one CSS pixel each at full width. */
#include "lab/report_plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/report_html.h"
#include "lab/report_marks.h"
#include "lab/report_scale.h"

#define WIDTH 960.0
#define LEFT 78.0   /* of the axes, room for "100 Mbit/s" */
#define RIGHT 820.0 /* then the names of the curves */
#define HEIGHT 210.0
#define TOP_PAD 10.0
#define LABEL_ROW 18.0
#define LABEL_FONT 12.0
#define NAME_FONT 12.0
#define BOLD 1.1 /* wider than regular */
#define MAX_ROWS 7
#define TRACK_FIRST 14.0 /* below the axis */
#define TRACK_STEP 23.0
#define TRACK_HEIGHT 15.0
#define TRACK_FONT 11.0
#define AXIS_TEXT 26.0
#define LINE_GAP 9.0  /* between marks where their lines go up to the labels */
#define JOIN_PIXELS 4 /* marks of one kind closer than this are one */
#define KEY_WIDTH 22.0

struct curve {
	const struct report_stream *s; /* NULL: the run has no such stream */
	double *rate;
	size_t points;	    /* up to the end of the stream, which may come before the run's */
	double first, last; /* of the data, s */
};

enum naming {
	NAME_ALL,
	NAME_FAULTS,
	NAME_FAILURES,
	NAME_NONE
};

struct plot {
	struct strbuf *b;
	const struct report *r;
	unsigned number;
	double span, resolution;
	struct curve *curves; /* one per run */
	struct scale x, y;
	struct plot_marks marks;
	struct scale_label *labels;
	enum naming naming;
	double top, bottom, track, axis_end, height;
};

/* --- words and signs -------------------------------------------------------- */

const char *report_mark_word(const char *kind)
{
	static const char *const words[][2] = {
		{ "fail", "failure" },
		{ "heal", "repair" },
		{ "established", "context established" },
		{ "gone", "context gone" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcmp(kind, words[i][0]))
			return words[i][1];
	}
	return kind;
}

bool report_mark_is_fault(const char *kind)
{
	return !strcmp(kind, "fail") || !strcmp(kind, "heal");
}

const char *report_end_word(const char *end)
{
	static const char *const words[][2] = { { "open", "" }, { "eof", "finished" }, { "gave-up", "gave up" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcmp(end, words[i][0]))
			return words[i][1];
	}
	return end;
}

struct sign {
	const char *kind, *shape;
	bool full;
};

static const struct sign *sign_of(const char *kind)
{
	static const struct sign signs[] = {
		{ "fail", "M-4-4L4 4M4-4L-4 4", false },
		{ "heal", "M-4.5 0L-1 3.5L4.5-3.5", false },
		{ "established", "M0-4A4 4 0 1 1 0 4A4 4 0 1 1 0-4Z", false },
		{ "exploring", "M0-4.5L4.5 0L0 4.5L-4.5 0Z", false },
		{ "switched", "M-3.5-4.5L4.5 0L-3.5 4.5Z", true },
		{ "recovered", "M0-4A4 4 0 1 1 0 4A4 4 0 1 1 0-4Z", true },
		{ "gone", "M-3.5-3.5H3.5V3.5H-3.5Z", false },
	};
	static const struct sign other = { "other", "M-3 0H3M0-3V3", false };

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		if (!strcmp(kind, signs[i].kind))
			return &signs[i];
	}
	return &other;
}

void report_plot_sign(struct strbuf *b, const char *kind, double x, double y)
{
	const struct sign *s = sign_of(kind);

	html(b, "<path class=\"sign%s\" transform=\"translate(%.1f %.1f)\" d=\"%s\"/>", s->full ? " full" : "", x, y,
	     s->shape);
}

void report_plot_key(struct strbuf *b, size_t run, double x, double y)
{
	html(b, "<path class=\"curve d%zu\" d=\"M%.1f %.1fh%.1f\"/>", run % REPORT_RUN_COLORS, x, y, KEY_WIDTH);
}

/* --- measures --------------------------------------------------------------- */

double report_plot_span(const struct report *r)
{
	double span = r->duration;

	for (size_t i = 0; i < r->n_runs; i++) {
		for (size_t j = 0; j < r->runs[i].n_streams; j++) {
			const struct report_stream *s = &r->runs[i].streams[j];

			for (size_t k = 0; k < s->n_buckets; k++)
				span = fmax(span, (double)(s->buckets[k].index + 1) * r->bucket);
			for (size_t k = 0; k < s->n_silences; k++)
				span = fmax(span, s->silences[k].end);
		}
	}
	return span;
}

double report_plot_resolution(const struct report *r)
{
	return r->bucket * scale_group(r->bucket, report_plot_span(r));
}

static double x_of(const struct plot *p, double t)
{
	return LEFT + (RIGHT - LEFT) * fmin(fmax(t / p->span, 0), 1);
}

static double y_max(const struct plot *p)
{
	return p->y.step * p->y.n * p->y.unit_size;
}

static double y_of(const struct plot *p, double rate)
{
	return p->bottom - (p->bottom - p->top) * fmin(rate / y_max(p), 1);
}

static void measure_curve(const struct plot *p, struct curve *c)
{
	double end = 0;

	for (size_t k = 0; k < c->s->n_buckets; k++) {
		double t = (double)c->s->buckets[k].index * p->r->bucket;

		c->first = k ? fmin(c->first, t) : t;
		c->last = fmax(c->last, t + p->r->bucket);
	}
	for (size_t k = 0; k < c->s->n_silences; k++)
		end = fmax(end, c->s->silences[k].end);
	end = fmax(end, c->last);
	if (end <= 0)
		end = p->span; /* nothing came: zero all the time */
	/* The rest of a point would show the end as a dip. */
	c->points = (size_t)fmax(1, floor(end / p->resolution + 1e-6));
	c->rate = lab_alloc(c->points * sizeof(*c->rate));
	scale_rates(c->s, p->r->bucket, (unsigned)lround(p->resolution / p->r->bucket), end, c->rate, c->points);
}

static void measure_curves(struct plot *p, const struct report_stream *const *streams)
{
	size_t n = p->r->n_runs, used = 0;
	struct strbuf all = { 0 };

	p->curves = lab_alloc(n * sizeof(*p->curves));
	for (size_t i = 0; i < n; i++) {
		struct curve *c = &p->curves[i];

		c->s = streams[i];
		if (!c->s)
			continue;
		measure_curve(p, c);
		strbuf_add(&all, (const char *)c->rate, c->points * sizeof(*c->rate));
		used += c->points;
	}
	p->y = scale_rate(scale_ceiling((double *)(void *)all.s, used), 5);
	strbuf_free(&all);
}

static bool timed(enum naming naming)
{
	return naming < NAME_FAILURES;
}

/*
 * Every mark has its sign above the plot. Its name and time stand beside it as
 * long as that does not make a tower: then only those of faults, then the names of
 * failures without the time, then none,
 * and a key under the plot says what the signs mean.
 */
static unsigned place_labels(struct plot *p, enum naming naming)
{
	p->naming = naming;
	for (size_t i = 0; i < p->marks.n; i++) {
		const struct plot_mark *m = &p->marks.m[i];
		bool named = naming == NAME_ALL || (naming == NAME_FAULTS && report_mark_is_fault(m->kind)) ||
			     (naming == NAME_FAILURES && !strcmp(m->kind, "fail"));

		p->labels[i] = (struct scale_label){ .x = x_of(p, m->t) };
		if (named)
			p->labels[i].width = scale_text_width(m->text.s, LABEL_FONT * BOLD);
		if (named && timed(naming))
			p->labels[i].width += scale_text_width(m->time, LABEL_FONT) + LABEL_FONT * 0.6;
	}
	return scale_place(p->labels, p->marks.n, LEFT, WIDTH - 4, LINE_GAP, 8);
}

static void measure_labels(struct plot *p)
{
	double join = JOIN_PIXELS * p->span / (RIGHT - LEFT);
	unsigned rows;

	p->marks = plot_marks_collect(p->r, p->span, join);
	p->labels = lab_alloc(p->marks.n * sizeof(*p->labels));
	rows = place_labels(p, NAME_ALL);
	for (int naming = NAME_FAULTS; naming <= NAME_NONE && rows > MAX_ROWS; naming++)
		rows = place_labels(p, (enum naming)naming);
	p->top = TOP_PAD + rows * LABEL_ROW + 14;
	p->bottom = p->top + HEIGHT;
	p->track = p->bottom + TRACK_FIRST;
	p->axis_end = p->track + TRACK_STEP * (double)p->r->n_runs;
	p->height = p->axis_end + AXIS_TEXT + (p->naming == NAME_ALL ? 0 : LABEL_ROW);
}

/* --- drawing ---------------------------------------------------------------- */

static void draw_axes(const struct plot *p)
{
	double end = p->axis_end;

	for (unsigned i = 0; i <= p->x.n; i++) {
		double v = p->x.step * i, x = x_of(p, v * p->x.unit_size);

		html(p->b, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>", x, p->top, end);
		html(p->b, "<text class=\"tick mid\" x=\"%.1f\" y=\"%.1f\">%.*f %s</text>\n", x, end + 16,
		     (int)p->x.decimals, v, p->x.unit);
	}
	for (unsigned i = 0; i <= p->y.n; i++) {
		double v = p->y.step * i, y = y_of(p, v * p->y.unit_size);

		html(p->b, "<path class=\"%s\" d=\"M%.1f %.1fH%.1f\"/>", i ? "grid" : "axis", LEFT, y, RIGHT);
		html(p->b, "<text class=\"tick end\" x=\"%.1f\" y=\"%.1f\">%.*f%s%s</text>\n", LEFT - 8, y + 4,
		     (int)p->y.decimals, v, i == p->y.n ? " " : "", i == p->y.n ? p->y.unit : "");
	}
}

static void draw_pattern(const struct plot *p, size_t run)
{
	/* Hatched one way or the other, so that silences of two runs on each other can be told apart. */
	html(p->b,
	     "<pattern id=\"p%ur%zu\" class=\"r%zu\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" "
	     "patternTransform=\"rotate(%d)\"><path class=\"hatch\" d=\"M0 0V7\"/></pattern>",
	     p->number, run, run % REPORT_RUN_COLORS, run % 2 ? -45 : 45);
}

static void silence_title(const struct plot *p, size_t run, const struct report_silence *s)
{
	html(p->b, "<title>%s: silent from %.3f s to %.3f s, %.3f s</title>", p->r->runs[run].name, s->start, s->end,
	     s->end - s->start);
}

/* The run with the area has its silences hatched too: there is no area in them. */
static void draw_shades(const struct plot *p, size_t run, bool hatched)
{
	const struct report_stream *s = p->curves[run].s;

	for (size_t i = 0; i < s->n_silences; i++) {
		double x = x_of(p, s->silences[i].start), end = x_of(p, s->silences[i].end);

		html(p->b,
		     "<g class=\"r%zu\"><rect class=\"shade\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
		     run % REPORT_RUN_COLORS, x, p->top, end - x, p->bottom - p->top);
		if (hatched)
			html(p->b,
			     "<rect class=\"hatched\" fill=\"url(#p%ur%zu)\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			     "height=\"%.1f\"/>",
			     p->number, run, x, p->top, end - x, p->bottom - p->top);
		silence_title(p, run, &s->silences[i]);
		strbuf_puts(p->b, "</g>\n");
	}
}

/* Corners only: a level stretch has two points. */
static void curve_path(const struct plot *p, const struct curve *c)
{
	for (size_t i = 0; i < c->points; i++) {
		bool level = i && i + 1 < c->points && c->rate[i] == c->rate[i - 1] && c->rate[i] == c->rate[i + 1];
		double t = ((double)i + 0.5) * p->resolution;

		if (!level)
			html(p->b, "%s%.1f %.1f", i ? "L" : "M", x_of(p, t), y_of(p, c->rate[i]));
	}
}

static void draw_curve(const struct plot *p, size_t run, bool area)
{
	const struct curve *c = &p->curves[run];

	html(p->b, "<g class=\"r%zu\">", run % REPORT_RUN_COLORS);
	if (area) {
		strbuf_puts(p->b, "<path class=\"area\" d=\"");
		curve_path(p, c);
		html(p->b, "V%.1fH%.1fZ\"/>", p->bottom, x_of(p, p->resolution / 2));
	}
	html(p->b, "<path class=\"curve d%zu\" d=\"", run % REPORT_RUN_COLORS);
	curve_path(p, c);
	strbuf_puts(p->b, "\"/></g>\n");
}

/* A burst that the axis does not hold is told by its number. */
static void draw_peak(const struct plot *p, size_t run)
{
	const struct curve *c = &p->curves[run];
	size_t most = 0;
	char rate[32];
	double x;

	for (size_t i = 1; i < c->points; i++) {
		if (c->rate[i] > c->rate[most])
			most = i;
	}
	if (c->rate[most] <= y_max(p) * 1.0001)
		return;
	x = x_of(p, ((double)most + 0.5) * p->resolution);
	text_rate(rate, sizeof(rate), c->rate[most]);
	html(p->b, "<g class=\"r%zu\"><path class=\"tip\" d=\"M%.1f %.1fl-4 7h8z\"/>", run % REPORT_RUN_COLORS, x,
	     p->top);
	html(p->b, "<text class=\"note %s\" x=\"%.1f\" y=\"%.1f\">up to %s</text></g>\n", x > RIGHT - 120 ? "end" : "",
	     x > RIGHT - 120 ? x - 7 : x + 7, p->top + 12 + 14 * (double)run, rate);
}

/* A name of a run in the right margin, cut to what has room there. */
static void draw_name(const struct plot *p, double x, double y, const char *name)
{
	char *text = strdup(name);
	size_t len = text ? strlen(text) : 0;
	bool cut = false;

	while (len && scale_text_width(text, NAME_FONT * BOLD) > WIDTH - x - (cut ? NAME_FONT : 0)) {
		do {
			len--;
		} while (len && ((unsigned char)text[len] & 0xc0) == 0x80);
		text[len] = '\0';
		cut = true;
	}
	html(p->b, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">%s%s<title>%s</title></text>", x, y, text ? text : "",
	     cut ? "\xe2\x80\xa6" : "", name);
	free(text);
}

/* The names of the curves, at their right ends and apart from each other. */
static void draw_names(const struct plot *p)
{
	size_t n = p->r->n_runs, *order = lab_alloc(n * sizeof(*order)), used = 0;
	double *y = lab_alloc(n * sizeof(*y));

	for (size_t i = 0; i < n; i++) {
		double at = p->curves[i].s ? y_of(p, p->curves[i].rate[p->curves[i].points - 1]) : 0;
		size_t k = used;

		if (!p->curves[i].s)
			continue;
		for (; k && y[k - 1] > at; k--) {
			y[k] = y[k - 1];
			order[k] = order[k - 1];
		}
		y[k] = at;
		order[k] = i;
		used++;
	}
	scale_spread(y, used, 34, p->top + 8, p->bottom - 18);
	for (size_t k = 0; k < used; k++) {
		html(p->b, "<g class=\"r%zu\">", order[k] % REPORT_RUN_COLORS);
		report_plot_key(p->b, order[k], RIGHT + 8, y[k]);
		draw_name(p, RIGHT + 8, y[k] + 16, p->r->runs[order[k]].name);
		strbuf_puts(p->b, "</g>\n");
	}
	free(order);
	free(y);
}

static double label_y(const struct plot *p, size_t i)
{
	return p->top - 14 - LABEL_ROW * p->labels[i].row;
}

static void open_mark(const struct plot *p, const struct plot_mark *m)
{
	if (m->shared)
		strbuf_puts(p->b, "<g class=\"mark\">");
	else
		html(p->b, "<g class=\"mark r%zu\">", m->run % REPORT_RUN_COLORS);
}

static void draw_mark(const struct plot *p, size_t i)
{
	const struct plot_mark *m = &p->marks.m[i];
	double x = x_of(p, m->t), end = p->axis_end;

	open_mark(p, m);
	html(p->b, "<title>%s</title><path class=\"rule k-%s\" d=\"M%.1f %.1fV%.1fL%.1f %.1fV%.1f\"/></g>\n",
	     m->title.s, sign_of(m->kind)->kind, x, end, p->top, p->labels[i].at, p->top - 8, label_y(p, i));
}

/* After all lines, so that text lies on top. */
static void draw_label(const struct plot *p, size_t i)
{
	const struct plot_mark *m = &p->marks.m[i];
	const struct scale_label *l = &p->labels[i];
	double y = label_y(p, i);

	open_mark(p, m);
	report_plot_sign(p->b, m->kind, l->at, y);
	if (l->width > 0)
		html(p->b, "<text class=\"label%s\" x=\"%.1f\" y=\"%.1f\">%s <tspan class=\"when\">%s</tspan></text>",
		     l->flipped ? " end" : "", l->flipped ? l->left + l->width : l->left, y + 4, m->text.s,
		     timed(p->naming) ? m->time : "");
	html(p->b, "<title>%s</title></g>\n", m->title.s);
}

static bool kind_before(const struct plot *p, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (p->labels[k].width <= 0 && !strcmp(p->marks.m[k].kind, p->marks.m[i].kind))
			return true;
	}
	return false;
}

/* What the signs without a name mean, each once. */
static void draw_sign_key(const struct plot *p)
{
	double x = LEFT + 5, y = p->axis_end + AXIS_TEXT + 6;

	for (size_t i = 0; i < p->marks.n && x < RIGHT; i++) {
		const char *word = report_mark_word(p->marks.m[i].kind);

		if (p->labels[i].width > 0 || kind_before(p, i))
			continue;
		strbuf_puts(p->b, "<g class=\"mark\">");
		report_plot_sign(p->b, p->marks.m[i].kind, x, y);
		html(p->b, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">%s</text></g>\n", x + 9, y + 4, word);
		x += scale_text_width(word, 11.5) + 34;
	}
}

/* --- tracks ----------------------------------------------------------------- */

static double track_y(const struct plot *p, size_t run)
{
	return p->track + TRACK_STEP * (double)run;
}

static void draw_track(const struct plot *p, size_t run)
{
	const struct curve *c = &p->curves[run];
	double y = track_y(p, run), first = x_of(p, c->first), last = x_of(p, c->last);

	html(p->b, "<g class=\"r%zu\">", run % REPORT_RUN_COLORS);
	if (c->s->n_buckets)
		html(p->b, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"6\"/>\n", first,
		     y + TRACK_HEIGHT / 2 - 3, last - first);
	for (size_t i = 0; i < c->s->n_silences; i++) {
		double x = x_of(p, c->s->silences[i].start), end = x_of(p, c->s->silences[i].end);

		html(p->b,
		     "<g><rect class=\"hole\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>"
		     "<rect class=\"open\" fill=\"url(#p%ur%zu)\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		     "height=\"%.1f\"/>",
		     x, y, end - x, TRACK_HEIGHT, p->number, run, x, y, end - x, TRACK_HEIGHT);
		silence_title(p, run, &c->s->silences[i]);
		strbuf_puts(p->b, "</g>\n");
	}
	strbuf_puts(p->b, "</g>\n");
}

/* Text on a plate that covers hatching and lines, centred between x and end if it fits there. */
static bool track_text(const struct plot *p, double x, double end, double y, const char *text)
{
	double width = scale_text_width(text, TRACK_FONT) + 8, middle = (x + end) / 2;

	if (width > end - x)
		return false;
	html(p->b,
	     "<rect class=\"hole\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>"
	     "<text class=\"note mid\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
	     middle - width / 2, y + 1, width, TRACK_HEIGHT - 2, middle, y + TRACK_HEIGHT - 4, text);
	return true;
}

/* How the stream ended, if that is not the end of the run; where its data end, or in the silence that follows. */
static const char *track_end(const struct curve *c, const struct report_silence *s)
{
	return s->end >= c->last ? report_end_word(c->s->end) : "";
}

static void draw_track_texts(const struct plot *p, size_t run)
{
	const struct curve *c = &p->curves[run];
	const char *word = report_end_word(c->s->end);
	double y = track_y(p, run), last = x_of(p, c->last), width;
	char span[32], text[96];

	html(p->b, "<g class=\"r%zu\">", run % REPORT_RUN_COLORS);
	for (size_t i = 0; i < c->s->n_silences; i++) {
		const struct report_silence *s = &c->s->silences[i];
		const char *end = track_end(c, s);

		text_span(span, sizeof(span), s->end - s->start);
		snprintf(text, sizeof(text), "%s silent%s%.40s", span, *end ? ", " : "", end);
		if (track_text(p, x_of(p, s->start), x_of(p, s->end), y, text) && *end)
			word = "";
	}
	width = scale_text_width(word, TRACK_FONT) + 16;
	if (!c->s->n_buckets)
		track_text(p, LEFT, RIGHT, y, *word ? word : "nothing arrived");
	else if (*word && last + width <= RIGHT)
		track_text(p, last + 2, last + width, y, word);
	else if (*word)
		track_text(p, RIGHT - width, RIGHT - 2, y, word);
	draw_name(p, RIGHT + 8, y + TRACK_HEIGHT - 3, p->r->runs[run].name);
	strbuf_puts(p->b, "</g>\n");
}

/* --- all -------------------------------------------------------------------- */

static size_t area_run(const struct plot *p)
{
	for (size_t i = 0; i < p->r->n_runs; i++) {
		if (p->r->runs[i].shim6 && p->curves[i].s)
			return i;
	}
	return p->r->n_runs > 1 ? p->r->n_runs : 0;
}

static void draw(const struct plot *p)
{
	size_t area = area_run(p);

	strbuf_puts(p->b, "<defs>");
	for (size_t i = 0; i < p->r->n_runs; i++)
		draw_pattern(p, i);
	strbuf_puts(p->b, "</defs>\n");
	for (size_t i = 0; i < p->r->n_runs; i++) {
		if (p->curves[i].s)
			draw_shades(p, i, i == area);
	}
	draw_axes(p);
	if (area < p->r->n_runs && p->curves[area].s)
		draw_curve(p, area, true);
	for (size_t i = 0; i < p->r->n_runs; i++) {
		if (p->curves[i].s && i != area)
			draw_curve(p, i, false);
	}
	for (size_t i = 0; i < p->r->n_runs; i++) {
		if (p->curves[i].s)
			draw_track(p, i);
	}
	for (size_t i = 0; i < p->marks.n; i++)
		draw_mark(p, i);
	for (size_t i = 0; i < p->marks.n; i++)
		draw_label(p, i);
	for (size_t i = 0; i < p->r->n_runs; i++) {
		if (!p->curves[i].s)
			continue;
		draw_track_texts(p, i);
		draw_peak(p, i);
	}
	draw_names(p);
	if (p->naming != NAME_ALL)
		draw_sign_key(p);
}

void report_plot(struct strbuf *out, const struct report *r, const struct report_stream *const *streams,
		 unsigned number)
{
	struct plot p = { .b = out, .r = r, .number = number };
	const char *name = "";

	for (size_t i = 0; i < r->n_runs; i++)
		name = streams[i] && !*name ? streams[i]->name : name;
	p.span = report_plot_span(r);
	p.resolution = report_plot_resolution(r);
	p.x = scale_time(p.span, 12);
	measure_curves(&p, streams);
	measure_labels(&p);
	html(out,
	     "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
	     "height=\"%.0f\" role=\"img\" aria-label=\"%s: rate at the receiver over time\">\n",
	     WIDTH, p.height, WIDTH, p.height, name);
	draw(&p);
	strbuf_puts(out, "</svg>\n");
	for (size_t i = 0; i < r->n_runs; i++)
		free(p.curves[i].rate);
	free(p.curves);
	free(p.labels);
	plot_marks_free(&p.marks);
}
