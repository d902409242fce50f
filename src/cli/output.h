/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text for people: colours, units, label lines and tables; and reading JSON without fear. */
#ifndef SHIM6_CLI_OUTPUT_H
#define SHIM6_CLI_OUTPUT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

enum ink {
	INK_NONE,
	INK_BOLD,
	INK_TITLE,
	INK_GOOD,
	INK_WARN,
	INK_BAD,
	INK_DIM,
};

#define LABEL_WIDTH 17 /* of a label with its colon */

struct output {
	FILE *f;
	bool color;
	bool detail; /* blocks rather than tables */
};

struct text {
	char s[192];
};

/* Text from elsewhere goes through here: control characters come out as '?', so that no reply drives a terminal. */
void put(const struct output *o, enum ink ink, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "  label:     " in bold, padded so that the values of a block stand in one column. */
void put_label(const struct output *o, const char *label);

struct text text_bytes(double bytes);	   /* "1.25 MiB" */
struct text text_duration(double seconds); /* "2 hours, 3 minutes" */
struct text text_ms(double ms);		   /* "231 ms", "4.18 s" */

/* A table collects its cells row by row and prints with every column as wide as it needs. */
struct table;
struct table *table_new(unsigned columns);
void table_cell(struct table *t, enum ink ink, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void table_free(struct table *t);
/* Prints and frees. */
void table_print(struct table *t, const struct output *o, unsigned indent);

/* Members by name; NULL object or missing member gives the default ("", 0, false, NULL). */
struct json_object *js_get(struct json_object *o, const char *key);
const char *js_text(struct json_object *o, const char *key);
double js_number(struct json_object *o, const char *key);
bool js_bool(struct json_object *o, const char *key);
size_t js_length(struct json_object *array);

#endif
