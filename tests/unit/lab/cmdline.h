/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command line, from one text. */
#ifndef SHIM6_TESTS_LAB_CMDLINE_H
#define SHIM6_TESTS_LAB_CMDLINE_H

#include "unit.h"

#include "lab/options.h"

static char cmdline_text[512], *cmdline_argv[32];
static char cmdline_err[OPTIONS_ERR_MAX];
static struct options cmdline_options;

static inline bool cmdline(const char *line)
{
	char *save = NULL;
	int n = 1;

	snprintf(cmdline_text, sizeof(cmdline_text), "%s", line);
	cmdline_argv[0] = cmdline_text;
	for (char *p = cmdline_text, *word; (word = strtok_r(p, " ", &save)) != NULL && n < 31; p = NULL)
		cmdline_argv[n++] = word;
	cmdline_argv[n] = NULL;
	return options_read(&cmdline_options, n, cmdline_argv, cmdline_err);
}

static inline void cmdline_good(const char *line)
{
	if (!cmdline(line))
		fail_msg("%s: %s", line, cmdline_err);
}

/* It is refused, and the complaint says so. */
static inline void cmdline_bad(const char *line, const char *says)
{
	if (cmdline(line))
		fail_msg("taken: %s", line);
	if (!strstr(cmdline_err, says))
		fail_msg("%s: %s", line, cmdline_err);
}

#endif
