/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that listens at a socket of its own and answers requests by a
 * script, good or bad. It ends when asked to, whatever its clients do.
 */
#ifndef TESTS_CONTROL_FAKE_DAEMON_H
#define TESTS_CONTROL_FAKE_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

struct fake_answer {
	const char *op;
	const char *text; /* sent as it is; NULL: nothing */
	bool hang_up;	  /* close after it */
};

struct fake_daemon;

/* answers ends with an op of NULL, and must outlive the daemon. */
struct fake_daemon *fake_daemon_start(const struct fake_answer *answers);
void fake_daemon_stop(struct fake_daemon *d);
const char *fake_daemon_path(const struct fake_daemon *d);
/* The last request line, to be read once its answer is there. */
const char *fake_daemon_request(const struct fake_daemon *d);

#endif
