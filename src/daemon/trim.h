/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving memory back that a start or the making of a set needed and an idle daemon
 * does not: freed heap, and code that will hardly run again. It is read anew when it
 * does.
 */
#ifndef SHIM6_DAEMON_TRIM_H
#define SHIM6_DAEMON_TRIM_H

void trim_memory(void);

#endif
