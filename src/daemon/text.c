/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct text_addr text_addr(const struct shim6_addr *a)
{
	struct text_addr t;

	if (!inet_ntop(AF_INET6, a->b, t.s, sizeof(t.s)))
		t.s[0] = '\0';
	return t;
}

struct text_prefix text_prefix(const struct shim6_addr *a, unsigned len)
{
	struct text_prefix t;

	snprintf(t.s, sizeof(t.s), "%s/%u", text_addr(a).s, len);
	return t;
}

struct text_pair text_pair(const struct shim6_pair *p)
{
	struct text_pair t;

	snprintf(t.s, sizeof(t.s), "%s -> %s", text_addr(&p->local).s, text_addr(&p->peer).s);
	return t;
}

struct text_time text_time(const struct timespec *ts)
{
	struct text_time t;
	struct tm tm;
	size_t n;

	gmtime_r(&ts->tv_sec, &tm);
	n = strftime(t.s, sizeof(t.s), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(t.s + n, sizeof(t.s) - n, ".%06ldZ", (ts->tv_nsec / 1000) % 1000000);
	return t;
}

bool text_parse_addr(const char *s, struct shim6_addr *out)
{
	return inet_pton(AF_INET6, s, out->b) == 1;
}

static bool bits_behind(const struct shim6_addr *a, unsigned len)
{
	for (unsigned bit = len; bit < 128; bit++) {
		if (a->b[bit / 8] & (0x80u >> (bit % 8)))
			return true;
	}
	return false;
}

bool text_parse_prefix(const char *s, struct shim6_addr *out, unsigned *len)
{
	const char *slash = strchr(s, '/');
	char addr[INET6_ADDRSTRLEN];
	uint64_t n;

	if (!slash || (size_t)(slash - s) >= sizeof(addr))
		return false;
	memcpy(addr, s, (size_t)(slash - s));
	addr[slash - s] = '\0';
	if (!text_parse_addr(addr, out) || !text_parse_u64(slash + 1, &n) || n > 128)
		return false;
	*len = (unsigned)n;
	return !bits_behind(out, *len);
}

bool text_parse_u64(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || v > (UINT64_MAX - (uint64_t)(*s - '0')) / 10)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	*out = v;
	return true;
}

void text_hex(char *out, const void *octets, size_t len)
{
	const uint8_t *p = octets;

	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
	out[2 * len] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool text_unhex(const char *s, size_t s_len, uint8_t *out, size_t cap, size_t *len)
{
	if (s_len % 2 || s_len / 2 > cap)
		return false;
	for (size_t i = 0; i < s_len / 2; i++) {
		int hi = digit(s[2 * i]), lo = digit(s[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	*len = s_len / 2;
	return true;
}
