/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "daemon/text.h"

#define LOG_LINE_MAX 1024

static bool debug_on;

void log_set_debug(bool on)
{
	debug_on = on;
}

static bool under_journal(void)
{
	static int known = -1;

	if (known < 0)
		known = getenv("JOURNAL_STREAM") || getenv("INVOCATION_ID");
	return known;
}

static int put_prefix(char *line, size_t cap, enum log_level level)
{
	struct timespec ts;

	if (under_journal())
		return snprintf(line, cap, "<%d>", (int)level);
	clock_gettime(CLOCK_REALTIME, &ts);
	return snprintf(line, cap, "%s ", text_time(&ts).s);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;
	int n, m;

	if (level == LOG_LEVEL_DEBUG && !debug_on)
		return;
	n = put_prefix(line, sizeof(line), level);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	for (int i = 0; i < n; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[n++] = '\n';
	/* One write per line keeps lines whole; nobody can be told that telling failed. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
