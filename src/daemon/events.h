/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to contexts, told three ways: one log line that explains itself,
 * a JSON object for the control socket, and a ring of the last EVENTS_KEPT of
 * these for those who ask later. Each event has a sequence number from 1.
 */
#ifndef SHIM6_DAEMON_EVENTS_H
#define SHIM6_DAEMON_EVENTS_H

#include "engine/engine.h"

#define EVENTS_KEPT 256

struct events;
struct json_object;

struct events *events_new(void);
void events_free(struct events *e);
/* Logs and keeps it. Returns the object, the ring's own; NULL when out of memory. */
struct json_object *events_add(struct events *e, const struct engine_event *ev);
/* Those kept with a sequence number above since, oldest first. */
void events_since(const struct events *e, uint64_t since, void (*fn)(void *arg, struct json_object *event), void *arg);

/*
 * "SHIM6_EVENT=switched", ...: the members of an event as fields of the journal, or as the environment of a hook.
 * first: one more, in front; NULL: none. The list ends with NULL and is the caller's; NULL when out of memory.
 */
char **events_fields(struct json_object *event, const char *first);
void events_fields_free(char **fields);

/* The sentence of the log: who noticed, why, which pair to which, how long it took. */
#define EVENTS_TEXT_MAX 512
void events_text(const struct engine_event *ev, char *out, size_t len);

struct json_object *json_addr(const struct shim6_addr *a);
struct json_object *json_pair(const struct shim6_pair *p);

#endif
