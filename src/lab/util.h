/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small things every part of the lab needs: time, text, files, errors. */
#ifndef SHIM6_LAB_UTIL_H
#define SHIM6_LAB_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define LAB_PATH_MAX 512

uint64_t lab_now(void);				/* CLOCK_MONOTONIC, ns */
double lab_seconds(uint64_t from, uint64_t to); /* negative when to is earlier */

/* SIGINT and SIGTERM only set the flag from here on: whoever works in steps looks at it and takes back what is done. */
void lab_catch_interrupts(void);
bool lab_interrupted(void);

/* One line to standard error, "shim6-lab: ..."; returns -1 so that callers can return it. */
int lab_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Memory or the end of the program: a testbed has nothing better to do without it. */
void *lab_alloc(size_t size); /* zeroed */
void *lab_grow(void *p, size_t size);

/* A growing text; s is always terminated once something was added. */
struct strbuf {
	char *s;
	size_t len, cap;
};
void strbuf_add(struct strbuf *b, const char *data, size_t len);
void strbuf_puts(struct strbuf *b, const char *text);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_free(struct strbuf *b);

/* snprintf that ends the program when the result does not fit (our own paths and names). */
void lab_format(char *out, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* 0 or -1 after lab_error(). */
int file_write(const char *path, const char *text);
int file_read(const char *path, struct strbuf *out);
int make_dirs(const char *path);
/* Remove a folder and all in it; never crosses into another file system. */
int remove_tree(const char *path);

/* Whole text as a number in [min, max]; false otherwise. */
bool parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out);
bool parse_double(const char *text, double min, double max, double *out);

/* The same in words, for people: "41.2 Mbit/s", "12.3 MB", "1.24 s", "87 ms". */
void text_rate(char *out, size_t cap, double bits_per_s);
void text_bytes(char *out, size_t cap, double bytes);
void text_span(char *out, size_t cap, double seconds);

#endif
