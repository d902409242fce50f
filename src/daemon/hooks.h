/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command of the administrator's for each event, [hooks] in the
 * configuration. It is run without a shell, with the fields of the event in its
 * environment and nothing else but a PATH, its input empty, what it prints in
 * the log. It runs beside the loop: at most so many at a time, each for so long,
 * then the whole process group is killed. Events wait their turn in a short
 * queue; what finds it full is counted and let go.
 */
#ifndef SHIM6_DAEMON_HOOKS_H
#define SHIM6_DAEMON_HOOKS_H

#include <uv.h>

#include "daemon/config.h"
#include "daemon/counters.h"

#define HOOKS_QUEUE 256	   /* events that wait */
#define HOOKS_LINE_MAX 400 /* octets of a line that it prints */
#define HOOKS_LINES_MAX 50 /* lines of one run that go to the log */

struct hooks;
struct json_object;

struct hooks *hooks_new(uv_loop_t *loop, struct counters *counters);
void hooks_configure(struct hooks *h, const struct config_hooks *c);
void hooks_event(struct hooks *h, struct json_object *event);
/* Kills what runs. Memory goes when the loop has closed the handles. */
void hooks_close(struct hooks *h);

#endif
