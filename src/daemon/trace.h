/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of control messages for those who watch at the control socket: sent
 * and received, with what became of them and the context they are of, and the
 * engine's events between them. What a message says is for the reader to decode.
 *
 * The engine is in the middle of something when it sends or tells an event: then
 * a record is kept, and it is looked up, turned into JSON and handed to the
 * subscribers when the engine has returned, in the order of what happened. What
 * waits is bounded, and so is what waits for a slow reader (control_server.h);
 * both tell how many were left out. While nobody watches, trace_on() is all that
 * is called.
 */
#ifndef SHIM6_DAEMON_TRACE_H
#define SHIM6_DAEMON_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/addr.h"

#define TRACE_WAITING_MAX (1u << 20) /* octets of records until the engine has returned */

struct daemon;
struct engine_event;
struct json_object;
struct control_call;
struct trace;

struct trace *trace_new(void);
void trace_free(struct trace *t);

bool trace_on(const struct daemon *d);
void trace_sent(struct daemon *d, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		size_t len, bool ok);
void trace_event(struct daemon *d, const struct engine_event *ev, struct json_object *o);
/* A message that the engine does not get; why: the counter's name. */
void trace_refused(struct daemon *d, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		   size_t len, const char *why);
/* Before the engine gets something. true: trace_handled() is due when it has returned. */
bool trace_received(struct daemon *d, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		    size_t len);
bool trace_icmp(struct daemon *d, uint8_t type, uint8_t code, const uint8_t *quote, size_t len);
bool trace_unknown_tag(struct daemon *d, const struct shim6_addr *src, const struct shim6_addr *dst, uint64_t tag);
void trace_handled(struct daemon *d);
/* Hand on what waits. The engine must not be in the middle of anything. */
void trace_flush(struct daemon *d);

/* The operation "trace" of the control protocol. args may be NULL. */
void trace_subscribe(struct daemon *d, struct control_call *call, struct json_object *args);

#endif
