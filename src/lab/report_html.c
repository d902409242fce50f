// SPDX-License-Identifier: GPL-2.0-or-later
/* Escaped output (see report_html.h). */
#include "lab/report_html.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD, for what XML cannot hold */
#define NARROW_SPACE "\xe2\x80\xaf"

static const char *entity(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '\t':
	case '\r':
		return " ";
	default:
		return (c < 0x20 && c != '\n') || c == 0x7f ? REPLACEMENT : NULL;
	}
}

void html_text(struct strbuf *b, const char *text)
{
	const char *done = text;

	for (const char *p = text; *p; p++) {
		const char *e = entity((unsigned char)*p);
		size_t len = 1;

		if (!strncmp(p, "\xef\xbf\xbe", 3) || !strncmp(p, "\xef\xbf\xbf", 3)) { /* U+FFFE, U+FFFF */
			e = REPLACEMENT;
			len = 3;
		}
		if (!e)
			continue;
		strbuf_add(b, done, (size_t)(p - done));
		strbuf_puts(b, e);
		p += len - 1;
		done = p + 1;
	}
	strbuf_puts(b, done);
}

/* One conversion; spec is all of it, from the % to the letter. */
static void convert(struct strbuf *b, const char *spec, va_list *ap)
{
	char last = spec[strlen(spec) - 1], out[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (last == 's') {
		html_text(b, va_arg(*ap, const char *));
		return;
	}
	if (last == '%')
		snprintf(out, sizeof(out), "%%");
	else if (last == 'f' && strchr(spec, '*'))
		snprintf(out, sizeof(out), "%.*f", va_arg(*ap, int), va_arg(*ap, double));
	else if (last == 'f' || last == 'g')
		snprintf(out, sizeof(out), spec, va_arg(*ap, double));
	else if (strstr(spec, "ll"))
		snprintf(out, sizeof(out), spec, va_arg(*ap, unsigned long long));
	else if (strchr(spec, 'z'))
		snprintf(out, sizeof(out), spec, va_arg(*ap, size_t));
	else if (last == 'd' || last == 'u')
		snprintf(out, sizeof(out), spec, va_arg(*ap, unsigned));
	else
		abort(); /* a format string of ours with a letter that is not in the header's list */
#pragma GCC diagnostic pop
	strbuf_puts(b, out);
}

void html(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	while (*fmt) {
		size_t plain = strcspn(fmt, "%"), len;
		char spec[16];

		strbuf_add(b, fmt, plain);
		fmt += plain;
		if (!*fmt)
			break;
		len = 1 + strcspn(fmt + 1, "sdufg%") + 1;
		if (len >= sizeof(spec))
			abort();
		memcpy(spec, fmt, len);
		spec[len] = '\0';
		convert(b, spec, &ap);
		fmt += len;
	}
	va_end(ap);
}

void html_number(struct strbuf *b, uint64_t n)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			strbuf_puts(b, NARROW_SPACE);
		strbuf_add(b, &digits[i], 1);
	}
}
