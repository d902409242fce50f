/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines on standard error, one per fact. Under systemd (JOURNAL_STREAM or
 * INVOCATION_ID set) each line begins with its level as the journal reads it,
 * "<6>"; elsewhere with a UTC time stamp. Control characters that reached a line
 * from outside are replaced.
 */
#ifndef SHIM6_DAEMON_LOG_H
#define SHIM6_DAEMON_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

void log_set_debug(bool on);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * With fields, "NAME=value", as the journal keeps them (journalctl NAME=value finds them), when standard error is the
 * journal and it takes them; elsewhere the line alone. fields ends with NULL, or is NULL.
 */
bool log_has_fields(void);
void log_fields(enum log_level level, const char *text, const char *const *fields);
/* For tests: another socket of the journal, and look anew what standard error is. */
void log_journal_at(const char *path);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
