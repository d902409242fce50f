/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Markup. The format string is markup and comes from this program; what %s
 * brings is text and is escaped, so no name can break out of its place. The
 * page is well-formed XML as well as HTML.
 */
#ifndef SHIM6_LAB_REPORT_HTML_H
#define SHIM6_LAB_REPORT_HTML_H

#include "lab/util.h"

/* Text for an element or for an attribute in double quotes. */
void html_text(struct strbuf *b, const char *text);
/* %s (escaped), %d %u %zu %llu, %f and %g with a precision, %.*f, %%. */
void html(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "1 234 567", with narrow spaces that do not break */
void html_number(struct strbuf *b, uint64_t n);

#endif
