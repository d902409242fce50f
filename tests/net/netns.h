/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A test program of its own network namespace: whatever it does to links and
 * routes is gone when it ends. Where it may not make one it is skipped.
 */
#ifndef TESTS_NET_NETNS_H
#define TESTS_NET_NETNS_H

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEST_SKIPPED 77 /* what Meson takes for "skipped" */

static inline void enter_own_netns(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return;
	perror("skipped, no network namespace: unshare");
	exit(TEST_SKIPPED);
}

/* Run a shell command; the test fails when it fails. */
__attribute__((format(printf, 1, 2))) static inline void sh(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

#endif
