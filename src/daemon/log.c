/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

/* --- the journal's own protocol --------------------------------------------- */

static const char *journal_path = "/run/systemd/journal/socket";
static int journal = -1; /* -1: not looked yet; -2: not there */

/* JOURNAL_STREAM is "DEVICE:INODE" of what the manager gave us; a shell in between may have put a file in its place. */
static bool stderr_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return env && sscanf(env, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

void log_journal_at(const char *path)
{
	if (journal >= 0)
		close(journal);
	journal = -1;
	journal_path = path;
}

bool log_has_fields(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (journal != -1)
		return journal >= 0;
	journal = -2;
	if (!stderr_is_journal() || strlen(journal_path) >= sizeof(sa.sun_path))
		return false;
	memcpy(sa.sun_path, journal_path, strlen(journal_path));
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (journal < 0 || connect(journal, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (journal >= 0)
			close(journal);
		journal = -2;
	}
	return journal >= 0;
}

/* One "NAME=value" line; a value with control characters could forge another field. */
static size_t put_field(char *out, size_t cap, const char *name, const char *value)
{
	int n = snprintf(out, cap, "%s%s", name, value);

	if (n < 0 || (size_t)n + 1 >= cap)
		return 0;
	for (int i = 0; i < n; i++) {
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
			out[i] = '?';
	}
	out[n] = '\n';
	return (size_t)n + 1;
}

void log_fields(enum log_level level, const char *text, const char *const *fields)
{
	char datagram[4 * LOG_LINE_MAX], priority[12];
	size_t n = 0;

	if (level == LOG_LEVEL_DEBUG && !debug_on)
		return;
	if (fields && log_has_fields()) {
		snprintf(priority, sizeof(priority), "%d", (int)level);
		n += put_field(datagram, sizeof(datagram), "MESSAGE=", text);
		n += put_field(datagram + n, sizeof(datagram) - n, "PRIORITY=", priority);
		n += put_field(datagram + n, sizeof(datagram) - n, "SYSLOG_IDENTIFIER=", "shim6d");
		for (; *fields; fields++)
			n += put_field(datagram + n, sizeof(datagram) - n, *fields, "");
		if (send(journal, datagram, n, MSG_NOSIGNAL) == (ssize_t)n)
			return;
		/* It was restarted, or is full: the stream holds out. */
		if (errno != EAGAIN)
			log_journal_at(journal_path);
	}
	log_line(level, "%s", text);
}

/* --- lines ------------------------------------------------------------------ */

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
