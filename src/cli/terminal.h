/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole terminal for one program, and back as it was whatever ends it: on
 * return, at exit, on a signal that ends the process, and while it is stopped.
 */
#ifndef SHIM6_CLI_TERMINAL_H
#define SHIM6_CLI_TERMINAL_H

#include <stdbool.h>

enum key {
	KEY_NONE = 0, /* nothing pressed; others: the character */
	KEY_UP = 256,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
	KEY_GONE, /* the terminal is no more */
};

/* in and out are terminals. 0 or a negative errno. */
int terminal_enter(int in, int out);
void terminal_leave(void);
/* Of the output; 80 by 24 where it does not say. */
void terminal_size(int out, unsigned *columns, unsigned *rows);
/* What has been typed; never waits. */
int terminal_key(int in);

#endif
