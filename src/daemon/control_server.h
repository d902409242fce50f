/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server half of the control protocol (control/control.h): connections,
 * lines, rights, replies, event streams. What the operations do is the business
 * of control_verbs.c, which is called once per well-formed request and answers
 * exactly once, at once or later.
 *
 * Who asks is known by SO_PEERCRED. Root, and members of the configured group, see
 * and change everything. Anybody else reads what concerns the host as a whole, and
 * contexts and events of his own sockets.
 *
 * Bounds: connections, of which the last quarter is kept for those who may
 * change things; octets of a request line (CONTROL_LINE_MAX, a sixteenth of it
 * for others); octets queued for a client that subscribed to events or traces and
 * does not read: then these are left out and their number is told once the client
 * reads again. A client whose request is being worked on may send at most one line's
 * worth ahead; one that leaves answers unread is not listened to. Clients take
 * turns, request by request, and all together take a few milliseconds of each
 * turn of the loop: nobody holds up the protocol by asking.
 */
#ifndef SHIM6_DAEMON_CONTROL_SERVER_H
#define SHIM6_DAEMON_CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#include "daemon/counters.h"

#define CONTROL_EVENT_QUEUE (256u << 10) /* octets */

struct json_object;
struct control_server;
struct control_call;

/* One operation; args may be NULL. Must call control_ok() or control_fail() once, now or later. */
typedef void (*control_handler)(void *user, struct control_call *call, const char *op, struct json_object *args);

struct control_server *control_server_open(uv_loop_t *loop, const char *path, control_handler handler, void *user,
					   struct counters *c, char *err, size_t err_len);
/* Stops listening and begins to close the connections; freed when the loop has run the closing callbacks.
 * Calls still open must be answered before the loop is left; nobody hears the answer. */
void control_server_close(struct control_server *s);
void control_server_configure(struct control_server *s, unsigned max_clients, const char *group);
unsigned control_server_clients(const struct control_server *s);

/* Send one event (the value of "event") to those who subscribed, and who may see it. Does not take it over. */
void control_server_event(struct control_server *s, struct json_object *event, bool (*may_see)(void *arg, uid_t uid),
			  void *arg);

/* Does anybody subscribe to traces? */
bool control_server_traced(const struct control_server *s);
/* Send a line {"v":1,member:...} to those subscribers to traces whose filter wants it; it is made for the first one. */
struct control_trace {
	const char *member;
	bool (*wants)(const void *filter, void *what);
	struct json_object *(*make)(void *what);
	void *what;
};
void control_server_trace(struct control_server *s, const struct control_trace *t);
/* So many were left out before they could be offered to anybody. */
void control_server_trace_missed(struct control_server *s, uint64_t n);

/* --- for the handler ------------------------------------------------------ */

/* May this client change things? If not, the call is answered and false returned. */
bool control_may_change(struct control_call *call);
/* May this client see everything? If not, it is this user's; nothing is answered. */
bool control_sees_all(const struct control_call *call, uid_t *uid);
/* Takes over result (NULL: null). */
void control_ok(struct control_call *call, struct json_object *result);
/* As control_ok, with one more member of the reply ("more"). Takes over both. */
void control_ok_more(struct control_call *call, struct json_object *result, struct json_object *more);
/* hint may be NULL. */
void control_fail(struct control_call *call, const char *code, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * Answers with null and makes the client a subscriber: it gets the events of
 * backlog (an array, or NULL; taken over), then those to come.
 */
void control_subscribe(struct control_call *call, struct json_object *backlog);
/* Answers with null and makes the client a subscriber to traces, with a filter (from malloc, taken over). */
void control_subscribe_trace(struct control_call *call, void *filter);
/* Called when the client goes away before the answer; the answer is due all the same. */
void control_on_cancel(struct control_call *call, void (*cancel)(void *arg), void *arg);

#endif
