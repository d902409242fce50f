/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A lab comes up, whole or not at all, and goes, whatever is left of it. */
#ifndef SHIM6_LAB_LIFE_H
#define SHIM6_LAB_LIFE_H

#include "lab/hosts.h"
#include "lab/state.h"

#define LIFE_READY_MS 30000 /* the daemons' time to have their locators */

#define LIFE_SEND_TIMEOUT 15 /* s, RFC 5534; said of labs without shim6 */

struct life_setup {
	const char *name;
	bool shim6;
	unsigned send_timeout; /* s; 0: the daemon's default, or that of config */
	unsigned delay_ms;
	const char *config; /* NULL: none */
};

/* 0 with the lab open (locked), or -1 after lab_error() with nothing left behind. */
int life_up(struct lab *lab, const struct life_setup *setup);
/* Takes everything away and closes. lab is what lab_open() or lab_open_remains() gave. */
int life_down(struct lab *lab);

#endif
