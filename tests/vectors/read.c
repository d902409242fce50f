/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vectors from a file instead of those built in: a reader of as much JSON as
 * such files have (objects, lists, strings without escapes beyond \" and \\,
 * whole numbers, null). What it makes lives as long as the program.
 */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

struct reader {
	const char *path, *p;
	unsigned line;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void broken(const struct reader *r, const char *what)
{
	fprintf(stderr, "%s:%u: %s expected\n", r->path, r->line, what);
	exit(2);
}

static char peek(struct reader *r)
{
	for (; *r->p == ' ' || *r->p == '\t' || *r->p == '\r' || *r->p == '\n'; r->p++)
		r->line += *r->p == '\n';
	return *r->p;
}

static void expect(struct reader *r, char c, const char *what)
{
	if (peek(r) != c)
		broken(r, what);
	r->p++;
}

static const char *read_string(struct reader *r)
{
	size_t n = 0;
	char *s;

	expect(r, '"', "a string");
	s = must(malloc(strcspn(r->p, "\n") + 1));
	for (; *r->p != '"'; r->p++) {
		if (*r->p == '\\')
			r->p++;
		if ((unsigned char)*r->p < ' ')
			broken(r, "the end of a string");
		s[n++] = *r->p;
	}
	r->p++;
	s[n] = '\0';
	return s;
}

static void read_value(struct reader *r, struct vector *v);

static void read_items(struct reader *r, struct vector *v, char end)
{
	struct vector *items = NULL;

	r->p++;
	while (peek(r) != end) {
		struct vector *item;

		if (v->n)
			expect(r, ',', "a comma");
		items = must(realloc(items, (v->n + 1) * sizeof(*items)));
		item = &items[v->n++];
		memset(item, 0, sizeof(*item));
		if (v->type == VECTOR_OBJECT) {
			item->key = read_string(r);
			expect(r, ':', "a colon");
		}
		read_value(r, item);
	}
	r->p++;
	v->items = items;
}

static void read_value(struct reader *r, struct vector *v)
{
	char *end;

	switch (peek(r)) {
	case '{':
		v->type = VECTOR_OBJECT;
		read_items(r, v, '}');
		return;
	case '[':
		v->type = VECTOR_LIST;
		read_items(r, v, ']');
		return;
	case '"':
		v->type = VECTOR_STRING;
		v->string = read_string(r);
		return;
	case 'n':
		if (strncmp(r->p, "null", 4) != 0)
			broken(r, "a value");
		r->p += 4;
		return;
	default:
		v->type = VECTOR_NUMBER;
		v->number = strtoll(r->p, &end, 10);
		if (end == r->p)
			broken(r, "a value");
		r->p = end;
	}
}

static char *read_file(const char *path)
{
	size_t n = 0, cap = 1u << 16;
	char *text = must(malloc(cap));
	FILE *f = fopen(path, "rb");

	if (!f) {
		free(text);
		return NULL;
	}
	while ((n += fread(text + n, 1, cap - n - 1, f)) == cap - 1) {
		cap *= 2;
		text = must(realloc(text, cap));
	}
	text[n] = '\0';
	fclose(f);
	return text;
}

const struct vector *vectors_choose(int argc, char **argv, const struct vector *built_in, const char *name)
{
	const char *where = argc > 1 ? argv[1] : getenv("SHIM6_VECTORS");
	struct vector *top = must(calloc(1, sizeof(*top)));
	struct reader r = { .line = 1 };
	static char path[4096];

	if (!where || !*where) {
		free(top);
		return built_in;
	}
	/* A directory, or else the file itself */
	snprintf(path, sizeof(path), "%s/%s", where, name);
	r.p = read_file(path);
	if (!r.p) {
		snprintf(path, sizeof(path), "%s", where);
		r.p = read_file(path);
	}
	if (!r.p || !*r.p) {
		fprintf(stderr, "%s: neither vectors nor a directory with %s\n", where, name);
		exit(2);
	}
	r.path = path;
	printf("# vectors: %s\n", path);
	read_value(&r, top);
	if (peek(&r))
		broken(&r, "the end");
	return top;
}

/* One to eight groups; *n: octets. NULL: malformed. */
static const char *read_groups(const char *s, uint8_t *out, size_t *n)
{
	while (*s && *s != ':') {
		char *end;
		unsigned long g = strtoul(s, &end, 16);

		if (end == s || end > s + 4 || *n > 14)
			return NULL;
		out[(*n)++] = (uint8_t)(g >> 8);
		out[(*n)++] = (uint8_t)g;
		s = end;
		if (*s == ':' && s[1] != ':')
			s++;
	}
	return s;
}

bool vector_address(const char *text, uint8_t out[16])
{
	uint8_t tail[16];
	size_t head_len = 0, tail_len = 0;
	const char *s = read_groups(text, out, &head_len);

	if (!s)
		return false;
	if (!*s)
		return head_len == 16;
	s = read_groups(s + 2, tail, &tail_len); /* behind "::" */
	if (!s || *s || head_len + tail_len > 14)
		return false;
	memset(out + head_len, 0, 16 - head_len);
	memcpy(out + 16 - tail_len, tail, tail_len);
	return true;
}
