/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/output.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const ink_codes[] = {
	[INK_NONE] = "",	 [INK_BOLD] = "\x1b[1m", [INK_TITLE] = "\x1b[32;1m", [INK_GOOD] = "\x1b[32m",
	[INK_WARN] = "\x1b[33m", [INK_BAD] = "\x1b[31m", [INK_DIM] = "\x1b[2m",
};

#define DURATION_MAX 1000000000000 /* seconds: longer than anything lasts, and a whole number of any type */

static void *need(void *p)
{
	if (!p) {
		fputs("shim6: out of memory\n", stderr);
		abort();
	}
	return p;
}

static void put_clean(const struct output *o, enum ink ink, const char *s)
{
	bool colored = o->color && ink != INK_NONE && *s;

	if (colored)
		fputs(ink_codes[ink], o->f);
	for (; *s; s++)
		fputc(((unsigned char)*s < 0x20 && *s != '\n') || *s == 0x7f ? '?' : *s, o->f);
	if (colored)
		fputs("\x1b[0m", o->f);
}

void put(const struct output *o, enum ink ink, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	put_clean(o, ink, need(s));
	free(s);
}

void put_label(const struct output *o, const char *label)
{
	int pad = LABEL_WIDTH - (int)strlen(label) - 1;

	put(o, INK_NONE, "  ");
	put(o, INK_BOLD, "%s:", label);
	put(o, INK_NONE, "%*s", pad > 1 ? pad : 1, "");
}

static struct text text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static struct text text(const char *fmt, ...)
{
	struct text t;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t.s, sizeof(t.s), fmt, ap);
	va_end(ap);
	return t;
}

struct text text_bytes(double bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t i = 0;

	if (bytes < 1024)
		return text("%.0f B", bytes);
	for (bytes /= 1024; bytes >= 1024 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		bytes /= 1024;
	return text("%.2f %s", bytes, units[i]);
}

/* The two largest units that are not zero, as nobody reads more. */
struct text text_duration(double seconds)
{
	static const struct {
		long long s;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	long long left = seconds > 0 ? seconds < DURATION_MAX ? (long long)seconds : DURATION_MAX : 0;
	struct text t = { "" };
	unsigned used = 0;

	if (left == 0)
		return text("0 seconds");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && used < 2; i++) {
		long long n = left / units[i].s;
		size_t len = strlen(t.s);

		left %= units[i].s;
		if (!n && !used)
			continue;
		used++;
		if (n)
			snprintf(t.s + len, sizeof(t.s) - len, "%s%lld %s%s", len ? ", " : "", n, units[i].name,
				 n == 1 ? "" : "s");
	}
	return t;
}

struct text text_ms(double ms)
{
	if (ms < 10)
		return text("%.1f ms", ms);
	if (ms < 1000)
		return text("%.0f ms", ms);
	if (ms < 60000)
		return text("%.2f s", ms / 1000);
	return text_duration(ms / 1000);
}

struct cell {
	char *s;
	enum ink ink;
};

struct table {
	unsigned columns;
	size_t n, cap;
	struct cell *cells;
};

struct table *table_new(unsigned columns)
{
	struct table *t = need(calloc(1, sizeof(*t)));

	t->columns = columns;
	return t;
}

void table_cell(struct table *t, enum ink ink, const char *fmt, ...)
{
	struct cell *c;
	va_list ap;

	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 32;
		t->cells = need(realloc(t->cells, t->cap * sizeof(*t->cells)));
	}
	c = &t->cells[t->n++];
	c->ink = ink;
	va_start(ap, fmt);
	if (vasprintf(&c->s, fmt, ap) < 0)
		c->s = NULL;
	va_end(ap);
	need(c->s);
}

static int column_width(const struct table *t, unsigned column)
{
	size_t width = 0;

	for (size_t i = column; i < t->n; i += t->columns) {
		size_t w = strlen(t->cells[i].s);

		width = w > width ? w : width;
	}
	return (int)width;
}

/* Does anything follow in this row? Nothing is padded for nothing. */
static bool is_last(const struct table *t, size_t i)
{
	for (size_t k = i + 1; k < t->n && k % t->columns; k++) {
		if (*t->cells[k].s)
			return false;
	}
	return true;
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i].s);
	free(t->cells);
	free(t);
}

void table_print(struct table *t, const struct output *o, unsigned indent)
{
	int *widths = need(calloc(t->columns, sizeof(*widths)));

	for (unsigned c = 0; c < t->columns; c++)
		widths[c] = column_width(t, c);
	for (size_t i = 0; i < t->n; i++) {
		unsigned column = (unsigned)(i % t->columns);
		const struct cell *c = &t->cells[i];
		bool last = is_last(t, i);

		if (column == 0)
			put(o, INK_NONE, "%*s", (int)indent, "");
		if (*c->s || !last)
			put_clean(o, c->ink, c->s);
		if (!last && widths[column])
			put(o, INK_NONE, "%*s", widths[column] - (int)strlen(c->s) + 2, "");
		if (column + 1 == t->columns)
			put(o, INK_NONE, "\n");
	}
	free(widths);
	table_free(t);
}

struct json_object *js_get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &v);
	return v;
}

const char *js_text(struct json_object *o, const char *key)
{
	struct json_object *v = js_get(o, key);
	const char *s = v ? json_object_get_string(v) : NULL;

	return s ? s : "";
}

double js_number(struct json_object *o, const char *key)
{
	return json_object_get_double(js_get(o, key));
}

bool js_bool(struct json_object *o, const char *key)
{
	return json_object_get_boolean(js_get(o, key));
}

size_t js_length(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}
