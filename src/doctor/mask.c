/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/mask.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/addr.h"

#define HEX_SECRET 12 /* digits of a context tag: whatever is as long may be one */
#define KEY_MAX 64
#define HEX_CHARS "0123456789abcdefABCDEF"
#define RUN_CHARS HEX_CHARS ":."

enum kind {
	SITE,
	SUBNET,
	IDENTIFIER,
	IPV4,
	HARDWARE,
	SECRET,
	KINDS,
};

struct name {
	enum kind kind;
	size_t len;
	uint8_t key[KEY_MAX];
	unsigned number;
};

struct mask {
	char *host;
	struct name *names;
	size_t n, cap;
	unsigned last[KINDS];
	FILE *out;
};

struct mask *mask_new(const char *host_name)
{
	struct mask *m = calloc(1, sizeof(*m));

	if (m)
		m->host = strdup(host_name);
	if (m && m->host)
		return m;
	free(m);
	return NULL;
}

void mask_free(struct mask *m)
{
	if (!m)
		return;
	free(m->host);
	free(m->names);
	free(m);
}

/* The number of this thing; a new one when it was not seen. 0: out of memory. */
static unsigned number_of(struct mask *m, enum kind kind, const void *key, size_t len)
{
	if (len > KEY_MAX)
		len = KEY_MAX;
	for (size_t i = 0; i < m->n; i++)
		if (m->names[i].kind == kind && m->names[i].len == len && memcmp(m->names[i].key, key, len) == 0)
			return m->names[i].number;
	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 64;
		struct name *v = realloc(m->names, cap * sizeof(*v));

		if (!v)
			return 0;
		m->names = v;
		m->cap = cap;
	}
	m->names[m->n] = (struct name){ .kind = kind, .len = len, .number = ++m->last[kind] };
	memcpy(m->names[m->n].key, key, len);
	return m->names[m->n++].number;
}

/* --- addresses ------------------------------------------------------------ */

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void put_number(struct shim6_addr *a, unsigned at, unsigned n)
{
	a->b[at] = (uint8_t)(n >> 8);
	a->b[at + 1] = (uint8_t)n;
}

static void put_ipv4(struct mask *m, const uint8_t *v4)
{
	static const char *const blocks[] = { "192.0.2", "198.51.100", "203.0.113" }; /* for documentation (RFC 5737) */
	unsigned n;

	if (all_zero(v4, 4) || v4[0] == 127) {
		fprintf(m->out, "%u.%u.%u.%u", v4[0], v4[1], v4[2], v4[3]);
		return;
	}
	n = number_of(m, IPV4, v4, 4);
	fprintf(m->out, "%s.%u", blocks[n / 255 % 3], n % 255);
}

/* Solicited-node groups have bits of an address; those of small numbers are well known. */
static void mask_multicast(struct mask *m, struct shim6_addr *a)
{
	static const uint8_t solicited[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff };
	bool node = memcmp(a->b + 2, solicited, sizeof(solicited)) == 0;

	if (!node && all_zero(a->b + 2, 12))
		return;
	put_number(a, 14, number_of(m, IDENTIFIER, a->b + 8, 8));
	memset(a->b + (node ? 13 : 2), 0, node ? 1 : 12);
}

static void put_ipv6(struct mask *m, struct shim6_addr a)
{
	char text[INET6_ADDRSTRLEN];
	struct shim6_addr masked = { { 0x20, 0x01, 0x0d, 0xb8 } };

	if (shim6_addr_is_v4mapped(&a)) {
		fputs("::ffff:", m->out);
		put_ipv4(m, a.b + 12);
		return;
	}
	if (shim6_addr_is_multicast(&a)) {
		mask_multicast(m, &a);
		masked = a;
	} else if (shim6_addr_is_unspecified(&a) || shim6_addr_is_loopback(&a)) {
		masked = a;
	} else {
		if (shim6_addr_is_link_local(&a)) {
			masked = (struct shim6_addr){ { 0xfe, 0x80 } };
		} else {
			if ((a.b[0] & 0xfe) == 0xfc)
				memcpy(masked.b, (const uint8_t[]){ 0xfd, 0, 0, 0 }, 4);
			put_number(&masked, 4, number_of(m, SITE, a.b, 6));
			if (!all_zero(a.b + 6, 2))
				put_number(&masked, 6, number_of(m, SUBNET, a.b, 8));
		}
		if (!all_zero(a.b + 8, 8))
			put_number(&masked, 14, number_of(m, IDENTIFIER, a.b + 8, 8));
	}
	inet_ntop(AF_INET6, masked.b, text, sizeof(text));
	fputs(text, m->out);
}

/* xx:xx:xx:xx:xx:xx */
static bool put_hardware(struct mask *m, const char *s)
{
	unsigned b[6], n;
	uint8_t key[6];
	int end = 0;

	if (strlen(s) != 17 ||
	    sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 || end != 17)
		return false;
	for (int i = 0; i < 6; i++)
		key[i] = (uint8_t)b[i];
	if (all_zero(key, 6) || memcmp(key, "\xff\xff\xff\xff\xff\xff", 6) == 0) {
		fputs(s, m->out);
		return true;
	}
	n = number_of(m, HARDWARE, key, 6);
	fprintf(m->out, "02:00:00:00:%02x:%02x", n >> 8 & 0xff, n & 0xff);
	return true;
}

/* --- words ---------------------------------------------------------------- */

static bool put_secret(struct mask *m, const char *s, size_t len, bool alone, bool quoted)
{
	bool decimal = strspn(s, "0123456789") == len;

	if (!alone || len < HEX_SECRET || strspn(s, HEX_CHARS) != len)
		return false;
	/* A long number is one, unless it stands where a tag does. */
	if (decimal && !(quoted && len == HEX_SECRET) && len < 2 * HEX_SECRET)
		return false;
	fprintf(m->out, "[hex %u]", number_of(m, SECRET, s, len));
	return true;
}

static bool is_word(int c)
{
	return isalnum(c) || c == '_';
}

/* A run of digits, colons and points: an address perhaps, with what clings to it. Returns how much was taken. */
static size_t put_run(struct mask *m, const char *text, const char *at)
{
	size_t run = strspn(at, RUN_CHARS), lead = 0, len = run;
	int before = at > text ? at[-1] : ' ';
	char s[256], *colon;
	struct shim6_addr v6;
	uint8_t v4[4];
	bool word, found;

	/* The key of "peer:2001:db8::1", the point at the end of a sentence. */
	while (lead < run && (at[lead] == '.' || (at[lead] == ':' && at[lead + 1] != ':')))
		lead++;
	len -= lead;
	while (len > 0 &&
	       (at[lead + len - 1] == '.' || (at[lead + len - 1] == ':' && (len < 2 || at[lead + len - 2] != ':'))))
		len--;
	fwrite(at, 1, lead, m->out);
	word = is_word(lead ? ' ' : before) || is_word((unsigned char)at[lead + len]);
	if (len < sizeof(s)) {
		memcpy(s, at + lead, len);
		s[len] = '\0';
		colon = strchr(s, ':');
		found = true;
		if (colon && put_hardware(m, s))
			;
		else if (colon && inet_pton(AF_INET6, s, v6.b) == 1)
			put_ipv6(m, v6);
		else if (!colon && !word && inet_pton(AF_INET, s, v4) == 1)
			put_ipv4(m, v4);
		else
			found = put_secret(m, s, len, !word, before == '"' || before == ' ');
	} else {
		found = put_secret(m, at + lead, len, !word, true);
	}
	if (!found)
		fwrite(at + lead, 1, len, m->out);
	return lead + len;
}

/* Whole lines of a PEM block; 0: none begins here. */
static size_t pem_length(const char *at)
{
	const char *end;

	if (strncmp(at, "-----BEGIN ", 11) != 0)
		return 0;
	end = strstr(at, "-----END ");
	if (!end)
		return strlen(at);
	end += strcspn(end, "\n");
	return (size_t)(end - at);
}

static size_t put_word(struct mask *m, const char *at)
{
	size_t len = 1, host = strlen(m->host);

	while (is_word((unsigned char)at[len]) || at[len] == '-')
		len++;
	if (host > 2 && len == host && strncasecmp(at, m->host, len) == 0)
		fputs("host", m->out);
	else
		return 0;
	return len;
}

char *mask_text(struct mask *m, const char *text)
{
	char *out = NULL;
	size_t len;

	m->out = open_memstream(&out, &len);
	if (!m->out)
		return NULL;
	for (const char *at = text; *at;) {
		size_t n = pem_length(at);
		bool begins = at == text || !is_word((unsigned char)at[-1]);

		if (n) {
			fputs("[key left out]", m->out);
		} else if (begins && is_word((unsigned char)*at) && (n = put_word(m, at)) > 0) {
			;
		} else if (begins && strncmp(at, "home/", 5) == 0 && at > text && at[-1] == '/') {
			n = 5 + strcspn(at + 5, "/ \n\"'");
			fputs("home/user", m->out);
		} else if (strchr(RUN_CHARS, *at) && (at == text || !strchr(RUN_CHARS, at[-1]) || at[-1] == '.')) {
			n = put_run(m, text, at);
		}
		if (!n) {
			fputs(*at == '\t' ? "    " : (const char[]){ *at, 0 }, m->out);
			n = 1;
		}
		at += n;
	}
	if (fclose(m->out) != 0) {
		free(out);
		return NULL;
	}
	return out;
}
