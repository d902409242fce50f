// SPDX-License-Identifier: GPL-2.0-or-later
/* Time, text, files and errors of the lab. */
#define _GNU_SOURCE
#include "lab/util.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint64_t lab_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

double lab_seconds(uint64_t from, uint64_t to)
{
	return from <= to ? (double)(to - from) / 1e9 : -((double)(from - to) / 1e9);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

void lab_catch_interrupts(void)
{
	struct sigaction act = { .sa_handler = on_interrupt };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
}

bool lab_interrupted(void)
{
	return interrupted != 0;
}

int lab_error(const char *fmt, ...)
{
	va_list ap;

	fputs("shim6-lab: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

static void out_of_memory(void)
{
	lab_error("out of memory");
	exit(3);
}

void *lab_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *lab_grow(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		out_of_memory();
	return p;
}

void strbuf_add(struct strbuf *b, const char *data, size_t len)
{
	if (b->len + len + 1 > b->cap) {
		b->cap = (b->len + len + 1) * 2;
		b->s = lab_grow(b->s, b->cap);
	}
	memcpy(b->s + b->len, data, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *text)
{
	strbuf_add(b, text, strlen(text));
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	strbuf_add(b, text, (size_t)n);
	free(text);
}

void strbuf_free(struct strbuf *b)
{
	free(b->s);
	memset(b, 0, sizeof(*b));
}

void lab_format(char *out, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, cap, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= cap) {
		lab_error("name or path too long (%zu octets at most): %s...", cap - 1, out);
		exit(3);
	}
}

int file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	bool bad;

	if (!f)
		return lab_error("cannot write %s: %s", path, strerror(errno));
	bad = fputs(text, f) == EOF;
	bad |= fclose(f) == EOF;
	return bad ? lab_error("cannot write %s: %s", path, strerror(errno)) : 0;
}

int file_read(const char *path, struct strbuf *out)
{
	char chunk[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return lab_error("cannot read %s: %s", path, strerror(errno));
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		strbuf_add(out, chunk, (size_t)n);
	close(fd);
	return n < 0 ? lab_error("cannot read %s: %s", path, strerror(errno)) : 0;
}

int make_dirs(const char *path)
{
	char part[LAB_PATH_MAX];

	lab_format(part, sizeof(part), "%s", path);
	for (char *p = part + 1;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char keep = *p;

		*p = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return lab_error("cannot make the folder %s: %s", part, strerror(errno));
		*p = keep;
		if (!keep)
			return 0;
	}
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int remove_tree(const char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) && errno != ENOENT)
		return lab_error("cannot remove %s: %s", path, strerror(errno));
	return 0;
}

bool parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long v;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool parse_double(const char *text, double min, double max, double *out)
{
	char *end;
	double v;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtod(text, &end);
	if (errno || *end || !isfinite(v) || v < min || v > max)
		return false;
	*out = v;
	return true;
}

static void scaled(char *out, size_t cap, double v, double step, const char *const *units, unsigned n)
{
	unsigned i = 0;

	while (v >= step && i + 1 < n) {
		v /= step;
		i++;
	}
	snprintf(out, cap, v < 10 && i ? "%.2f %s" : v < 100 && i ? "%.1f %s" : "%.0f %s", v, units[i]);
}

void text_rate(char *out, size_t cap, double bits_per_s)
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s" };

	scaled(out, cap, bits_per_s, 1000, units, 4);
}

void text_bytes(char *out, size_t cap, double bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB" };

	scaled(out, cap, bytes, 1000, units, 4);
}

void text_span(char *out, size_t cap, double seconds)
{
	if (seconds < 0.9995)
		snprintf(out, cap, "%.0f ms", seconds * 1000);
	else
		snprintf(out, cap, seconds < 99.995 ? "%.2f s" : "%.0f s", seconds);
}
