/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/control_server.h"

#include <errno.h>
#include <grp.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"
#include "daemon/log.h"

#define CONTROL_BACKLOG 128
#define CONTROL_REPLY_QUEUE (256u << 10) /* octets of answers unread, above which no request is taken */
#define CONTROL_FIRST_BUFFER 4096
#define CONTROL_DEPTH 16 /* of nested JSON */
#define CONTROL_UNPRIVILEGED_LINE (CONTROL_LINE_MAX / 16)
#define CONTROL_TURN_NS UINT64_C(5000000) /* spent on requests in one turn of the loop */
#define CONTROL_TURN_ACCEPTS 16		  /* connections taken in one turn of the loop */

struct control_call {
	struct client *client; /* NULL: went away */
	struct control_server *server;
	void (*cancel)(void *arg);
	void *cancel_arg;
};

enum subscription {
	SUBSCRIBED_NOT, /* false */
	SUBSCRIBED_EVENTS,
	SUBSCRIBED_TRACE,
};

struct client {
	uv_pipe_t pipe;
	struct control_server *server;
	struct client *next;
	struct client *next_ready; /* behind us in the queue of those with a request */
	bool ready;
	struct control_call *call; /* being worked on */
	bool privileged;
	uid_t uid;
	gid_t gid;
	char *in;
	size_t in_len, in_cap;
	size_t searched; /* octets of in known to hold no end of line */
	size_t line_len; /* of the first line with its end; 0: not whole yet */
	bool reading;
	enum subscription subscribed;
	void *filter; /* of traces */
	bool eof;     /* sends no more; closed once answered */
	bool closing;
	uint64_t missed; /* events or traces since the queue was full */
};

struct control_server {
	uv_loop_t *loop;
	uv_pipe_t listener;
	char *path;
	control_handler handler;
	void *user;
	struct counters *counters;
	struct client *clients;
	unsigned n_clients, max_clients, open_handles;
	unsigned n_traced;
	char group[33];
	bool has_group;
	gid_t gid; /* of group, looked up once: that may take long */
	bool closing;

	uv_check_t check; /* a turn ends */
	uv_idle_t idle;	  /* runs when requests or connections were left for the next turn */
	struct client *ready, **ready_end;
	bool serving;
	bool unaccepted;
	unsigned accepts;
	uint64_t spent; /* ns in this turn */
};

struct pending_write {
	uv_write_t req;
	struct client *client;
	char text[];
};

static void settle(struct client *c);
static void serve(struct control_server *s);

/* --- rights --------------------------------------------------------------- */

/* The connected process's own groups, not what the user database says of its user now. */
static bool in_group(const struct client *c)
{
	const struct control_server *s = c->server;
	gid_t groups[128];
	socklen_t len = sizeof(groups);
	uv_os_fd_t fd;

	if (!s->has_group)
		return false;
	if (c->gid == s->gid)
		return true;
	if (uv_fileno((const uv_handle_t *)&c->pipe, &fd) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++) {
		if (groups[i] == s->gid)
			return true;
	}
	return false;
}

static bool trusted(const struct client *c)
{
	return c->uid == 0 || in_group(c);
}

bool control_sees_all(const struct control_call *call, uid_t *uid)
{
	*uid = call->client ? call->client->uid : (uid_t)-1;
	return call->client && trusted(call->client);
}

/* --- closing -------------------------------------------------------------- */

static void handle_gone(struct control_server *s)
{
	if (--s->open_handles == 0 && s->closing) {
		free(s->path);
		free(s);
	}
}

static void client_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	struct control_server *s = c->server;

	free(c->in);
	free(c->filter);
	free(c);
	handle_gone(s);
}

static void leave_queue(struct client *c)
{
	struct control_server *s = c->server;

	if (!c->ready)
		return;
	for (struct client **link = &s->ready; *link; link = &(*link)->next_ready) {
		if (*link != c)
			continue;
		*link = c->next_ready;
		if (!*link)
			s->ready_end = link;
		break;
	}
	c->ready = false;
}

static void close_client(struct client *c)
{
	struct control_server *s = c->server;

	if (c->closing)
		return;
	c->closing = true;
	s->n_traced -= c->subscribed == SUBSCRIBED_TRACE;
	for (struct client **link = &s->clients; *link; link = &(*link)->next) {
		if (*link == c) {
			*link = c->next;
			break;
		}
	}
	s->n_clients--;
	leave_queue(c);
	if (c->call) {
		struct control_call *call = c->call;

		call->client = NULL;
		c->call = NULL;
		if (call->cancel)
			call->cancel(call->cancel_arg);
	}
	uv_close((uv_handle_t *)&c->pipe, client_closed);
}

/* Looks at each octet once. */
static bool has_line(struct client *c)
{
	const char *end;

	if (!c->line_len && c->searched < c->in_len) {
		end = memchr(c->in + c->searched, '\n', c->in_len - c->searched);
		c->line_len = end ? (size_t)(end - c->in) + 1 : 0;
		c->searched = c->in_len;
	}
	return c->line_len;
}

static void close_if_done(struct client *c)
{
	if (c->eof && !c->call && !c->subscribed && !has_line(c) &&
	    uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) == 0)
		close_client(c);
}

/* --- writing -------------------------------------------------------------- */

static void tell_missed(struct client *c);

static void written(uv_write_t *req, int status)
{
	struct pending_write *w = (struct pending_write *)req;
	struct client *c = w->client;

	free(w);
	if (c->closing)
		return;
	if (status < 0) {
		close_client(c);
		return;
	}
	if (c->missed && uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) < CONTROL_EVENT_QUEUE / 2)
		tell_missed(c);
	settle(c);
	serve(c->server);
}

/* Takes over line. */
static void send_line(struct client *c, struct json_object *line)
{
	size_t len = 0;
	const char *text = line ? json_object_to_json_string_length(
					  line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len)
				: NULL;
	struct pending_write *w = text && !c->closing ? malloc(sizeof(*w) + len + 1) : NULL;
	uv_buf_t buf;

	if (w) {
		memcpy(w->text, text, len);
		w->text[len] = '\n';
		w->client = c;
		buf = uv_buf_init(w->text, (unsigned)len + 1);
		if (uv_write(&w->req, (uv_stream_t *)&c->pipe, &buf, 1, written) < 0) {
			free(w);
			close_client(c);
		}
	} else if (!c->closing) {
		close_client(c); /* out of memory: half an answer would be worse than none */
	}
	json_object_put(line);
}

static struct json_object *new_line(void)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "v", json_object_new_int(CONTROL_VERSION));
	return o;
}

static void tell_missed(struct client *c)
{
	struct json_object *o = new_line();

	json_object_object_add(o, "overflow", json_object_new_uint64(c->missed));
	c->missed = 0;
	send_line(c, o);
}

/* A subscriber that does not read gets no more until it does. */
static bool left_out(struct client *c)
{
	if (!c->missed && uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) <= CONTROL_EVENT_QUEUE)
		return false;
	c->missed++;
	count(c->server->counters, DC_control_events_missed);
	return true;
}

static void send_event(struct client *c, struct json_object *event)
{
	struct json_object *o;

	if (left_out(c))
		return;
	o = new_line();
	json_object_object_add(o, "event", json_object_get(event));
	send_line(c, o);
}

void control_server_event(struct control_server *s, struct json_object *event, bool (*may_see)(void *arg, uid_t uid),
			  void *arg)
{
	struct client *next;

	for (struct client *c = s->clients; c; c = next) {
		next = c->next;
		if (c->subscribed == SUBSCRIBED_EVENTS && (trusted(c) || may_see(arg, c->uid)))
			send_event(c, event);
	}
}

bool control_server_traced(const struct control_server *s)
{
	return s->n_traced > 0;
}

void control_server_trace(struct control_server *s, const struct control_trace *t)
{
	struct json_object *value = NULL, *o;
	struct client *next;

	for (struct client *c = s->clients; c; c = next) {
		next = c->next;
		if (c->subscribed != SUBSCRIBED_TRACE || !t->wants(c->filter, t->what) || left_out(c))
			continue;
		if (!value)
			value = t->make(t->what);
		o = new_line();
		json_object_object_add(o, t->member, json_object_get(value));
		send_line(c, o);
	}
	json_object_put(value);
}

void control_server_trace_missed(struct control_server *s, uint64_t n)
{
	struct client *next;

	for (struct client *c = s->clients; c; c = next) {
		next = c->next;
		if (c->subscribed != SUBSCRIBED_TRACE)
			continue;
		c->missed += n;
		counter_add(s->counters, DC_control_events_missed, n);
		if (uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) < CONTROL_EVENT_QUEUE / 2)
			tell_missed(c);
	}
}

static struct json_object *error_line(const char *code, const char *hint, const char *message)
{
	struct json_object *o = new_line(), *e = json_object_new_object();

	json_object_object_add(e, "code", json_object_new_string(code));
	json_object_object_add(e, "message", json_object_new_string(message));
	if (hint)
		json_object_object_add(e, "hint", json_object_new_string(hint));
	json_object_object_add(o, "ok", json_object_new_boolean(false));
	json_object_object_add(o, "error", e);
	return o;
}

/* --- answering ------------------------------------------------------------ */

static void answer(struct control_call *call, struct json_object *line)
{
	struct client *c = call->client;

	free(call);
	if (!c) {
		json_object_put(line);
		return;
	}
	c->call = NULL;
	send_line(c, line);
	settle(c);
	serve(c->server);
}

void control_ok_more(struct control_call *call, struct json_object *result, struct json_object *more)
{
	struct json_object *o = new_line();

	json_object_object_add(o, "ok", json_object_new_boolean(true));
	json_object_object_add(o, "result", result);
	if (more)
		json_object_object_add(o, "more", more);
	answer(call, o);
}

void control_ok(struct control_call *call, struct json_object *result)
{
	control_ok_more(call, result, NULL);
}

/* What a client sent may be quoted: not cut in the middle of a UTF-8 character. */
static void whole_characters(char *s)
{
	size_t n = strlen(s), tail = 0;

	while (tail < n && tail < 3 && (s[n - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail < n && (s[n - 1 - tail] & 0x80)) {
		unsigned char lead = (unsigned char)s[n - 1 - tail];
		size_t wanted = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;

		if (lead >= 0xc0 && tail < wanted)
			s[n - 1 - tail] = '\0';
	}
}

void control_fail(struct control_call *call, const char *code, const char *hint, const char *fmt, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	whole_characters(message);
	answer(call, error_line(code, hint, message));
}

/* The last one counts. */
static void subscribe(struct client *c, enum subscription to, void *filter)
{
	c->server->n_traced -= c->subscribed == SUBSCRIBED_TRACE;
	c->server->n_traced += to == SUBSCRIBED_TRACE;
	c->subscribed = to;
	free(c->filter);
	c->filter = filter;
}

void control_subscribe_trace(struct control_call *call, void *filter)
{
	if (call->client)
		subscribe(call->client, SUBSCRIBED_TRACE, filter);
	else
		free(filter);
	control_ok(call, NULL);
}

void control_subscribe(struct control_call *call, struct json_object *backlog)
{
	struct client *c = call->client;
	size_t n = backlog ? json_object_array_length(backlog) : 0;

	if (c)
		subscribe(c, SUBSCRIBED_EVENTS, NULL);
	control_ok(call, NULL);
	for (size_t i = 0; c && !c->closing && i < n; i++)
		send_event(c, json_object_array_get_idx(backlog, i));
	json_object_put(backlog);
}

void control_on_cancel(struct control_call *call, void (*cancel)(void *arg), void *arg)
{
	call->cancel = cancel;
	call->cancel_arg = arg;
}

bool control_may_change(struct control_call *call)
{
	struct control_server *s = call->server;

	if (call->client && trusted(call->client))
		return true;
	count(s->counters, DC_control_denied);
	if (s->group[0])
		control_fail(call, "not-permitted", "ask an administrator to add you to that group",
			     "only root and members of group %s may do this", s->group);
	else
		control_fail(call, "not-permitted", "run it as root, or set [daemon] control_group",
			     "only root may do this");
	return false;
}

/* --- reading -------------------------------------------------------------- */

static void bad_request(struct client *c, const char *message)
{
	count(c->server->counters, DC_control_bad);
	send_line(c, error_line("bad-request", "one JSON object a line: {\"v\":1,\"op\":\"status\"}", message));
}

/* The first line, consumed: NULL after a complaint, or for an empty line. */
static struct json_object *take_line(struct client *c)
{
	struct json_tokener *tok = json_tokener_new_ex(CONTROL_DEPTH);
	struct json_object *o = NULL;
	size_t len = c->line_len - 1;
	bool whole = false;

	if (tok && len) {
		json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		o = json_tokener_parse_ex(tok, c->in, (int)len);
		whole = json_tokener_get_error(tok) == json_tokener_success && json_tokener_get_parse_end(tok) == len;
	}
	if (tok)
		json_tokener_free(tok);
	c->in_len -= len + 1;
	memmove(c->in, c->in + len + 1, c->in_len);
	c->searched = c->line_len = 0;
	if (len && (!whole || !json_object_is_type(o, json_type_object))) {
		bad_request(c, "expected a JSON object");
		json_object_put(o);
		return NULL;
	}
	return o;
}

static void take_request(struct client *c)
{
	struct json_object *o = take_line(c), *v, *op, *args = NULL;

	if (!o)
		return;
	if (!json_object_object_get_ex(o, "v", &v) || !json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) != CONTROL_VERSION) {
		bad_request(c, "expected \"v\":1");
	} else if (!json_object_object_get_ex(o, "op", &op) || !json_object_is_type(op, json_type_string)) {
		bad_request(c, "expected \"op\", a string");
	} else if (json_object_object_get_ex(o, "args", &args) && args &&
		   !json_object_is_type(args, json_type_object)) {
		bad_request(c, "expected \"args\" to be an object");
	} else {
		struct control_call *call = calloc(1, sizeof(*call));

		if (call) {
			*call = (struct control_call){ .client = c, .server = c->server };
			c->call = call;
			c->server->handler(c->server->user, call, json_object_get_string(op), args);
		} else {
			close_client(c);
		}
	}
	json_object_put(o);
}

/* A client that asks on without reading the answers waits; its connection's buffers fill, not ours. */
static bool may_ask(const struct client *c)
{
	return !c->closing && !c->call &&
	       uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe) < CONTROL_REPLY_QUEUE;
}

static size_t line_max(const struct client *c)
{
	return c->privileged ? CONTROL_LINE_MAX : CONTROL_UNPRIVILEGED_LINE;
}

static void alloc_input(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct client *c = handle->data;
	size_t want = c->in_cap ? c->in_cap : CONTROL_FIRST_BUFFER;

	(void)suggested;
	if (c->in_len == want && want < line_max(c))
		want *= 2;
	if (want != c->in_cap) {
		char *p = realloc(c->in, want);

		if (p) {
			c->in = p;
			c->in_cap = want;
		}
	}
	/* Nothing left: the client sends on while its request is worked on. got_input() is told UV_ENOBUFS. */
	*buf = uv_buf_init(c->in ? c->in + c->in_len : NULL, (unsigned)(c->in_cap - c->in_len));
}

static void got_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = stream->data;

	(void)buf;
	if (c->closing)
		return;
	if (n == UV_EOF && !c->call && !c->subscribed) {
		c->eof = true;
	} else if (n < 0) {
		close_client(c);
		return;
	} else {
		c->in_len += (size_t)n;
	}
	settle(c);
	serve(c->server);
}

/* While a request waits for its turn no more is read; while one is worked on, only to learn that the client left. */
static void pace(struct client *c)
{
	bool want = !c->closing && !c->eof && (c->call || !has_line(c));

	if (want == c->reading || c->closing)
		return;
	c->reading = want;
	if (!want)
		uv_read_stop((uv_stream_t *)&c->pipe);
	else if (uv_read_start((uv_stream_t *)&c->pipe, alloc_input, got_input) < 0)
		close_client(c);
}

/* After anything that changed what a client may do next. */
static void settle(struct client *c)
{
	struct control_server *s = c->server;

	if (c->closing)
		return;
	if (!c->ready && may_ask(c) && has_line(c)) {
		c->ready = true;
		c->next_ready = NULL;
		*s->ready_end = c;
		s->ready_end = &c->next_ready;
	}
	if (!c->call && !has_line(c) && c->in_len >= line_max(c)) {
		bad_request(c, "line too long");
		c->in_len = c->searched = 0;
		c->eof = true;
	}
	pace(c);
	if (!c->closing)
		close_if_done(c);
}

static void next_turn(uv_idle_t *idle);

/* One request of each client after the other, for a bounded time; the others' turn comes in the loop's next one. */
static void serve(struct control_server *s)
{
	if (s->serving || s->closing)
		return;
	s->serving = true;
	while (s->ready && s->spent < CONTROL_TURN_NS) {
		uint64_t began = uv_hrtime();
		struct client *c = s->ready;

		leave_queue(c);
		if (may_ask(c) && has_line(c))
			take_request(c);
		settle(c);
		s->spent += uv_hrtime() - began;
	}
	s->serving = false;
	if (s->ready || s->unaccepted)
		uv_idle_start(&s->idle, next_turn);
	else
		uv_idle_stop(&s->idle);
}

static void end_turn(uv_check_t *check)
{
	struct control_server *s = check->data;

	s->spent = 0;
	s->accepts = 0;
}

/* --- accepting ------------------------------------------------------------ */

static bool learn_peer(struct client *c)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&c->pipe, &fd) < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	c->uid = cred.uid;
	c->gid = cred.gid;
	c->privileged = trusted(c);
	return true;
}

/* The last quarter of the connections is for those who may change things: nobody locks the administrator out. */
static bool over_limit(const struct client *c)
{
	const struct control_server *s = c->server;

	return s->n_clients > (c->privileged ? s->max_clients : s->max_clients - s->max_clients / 4);
}

static void got_client(uv_stream_t *listener, int status)
{
	struct control_server *s = listener->data;
	struct client *c = NULL;

	if (status < 0)
		return;
	if (s->accepts < CONTROL_TURN_ACCEPTS)
		c = calloc(1, sizeof(*c));
	if (!c || uv_pipe_init(s->loop, &c->pipe, 0) < 0) {
		/* It waits; the listener takes no other before. */
		free(c);
		s->unaccepted = true;
		uv_idle_start(&s->idle, next_turn);
		return;
	}
	s->accepts++;
	c->server = s;
	c->pipe.data = c;
	c->next = s->clients;
	s->clients = c;
	s->n_clients++;
	s->open_handles++;
	if (uv_accept(listener, (uv_stream_t *)&c->pipe) < 0 || !learn_peer(c)) {
		close_client(c);
		return;
	}
	if (over_limit(c)) {
		count(s->counters, DC_control_refused);
		c->eof = true;
		send_line(c, error_line("limit", "close another connection", "too many control connections"));
		return;
	}
	count(s->counters, DC_control_clients);
	pace(c);
}

static void next_turn(uv_idle_t *idle)
{
	struct control_server *s = idle->data;

	if (s->unaccepted) {
		s->unaccepted = false;
		got_client((uv_stream_t *)&s->listener, 0);
	}
	serve(s);
}

static void own_handle_closed(uv_handle_t *handle)
{
	handle_gone(handle->data);
}

/* A socket file that nobody listens on is left from a dead process. */
static int clear_path(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : -EADDRINUSE;
	close(fd);
	if (rc == -EADDRINUSE)
		return rc;
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

struct control_server *control_server_open(uv_loop_t *loop, const char *path, control_handler handler, void *user,
					   struct counters *c, char *err, size_t err_len)
{
	struct control_server *s = calloc(1, sizeof(*s));
	int rc = UV_ENOMEM;

	if (s) {
		s->loop = loop;
		s->handler = handler;
		s->user = user;
		s->counters = c;
		s->max_clients = 64;
		s->path = strdup(path);
		rc = s->path ? clear_path(path) : UV_ENOMEM;
		if (!rc)
			rc = uv_pipe_init(loop, &s->listener, 0);
	}
	if (rc) {
		snprintf(err, err_len, "control socket %s: %s", path, uv_strerror(rc));
		if (s)
			free(s->path);
		free(s);
		return NULL;
	}
	uv_check_init(loop, &s->check);
	uv_idle_init(loop, &s->idle);
	uv_check_start(&s->check, end_turn);
	s->listener.data = s->check.data = s->idle.data = s;
	s->open_handles = 3;
	s->ready_end = &s->ready;
	rc = uv_pipe_bind(&s->listener, path);
	/* Everybody may look; who may change things is decided per request. */
	if (!rc && chmod(path, 0666) < 0)
		rc = -errno;
	if (!rc)
		rc = uv_listen((uv_stream_t *)&s->listener, CONTROL_BACKLOG, got_client);
	if (rc) {
		snprintf(err, err_len, "control socket %s: %s", path, uv_strerror(rc));
		control_server_close(s);
		return NULL;
	}
	return s;
}

void control_server_close(struct control_server *s)
{
	if (!s || s->closing)
		return;
	s->closing = true;
	while (s->clients)
		close_client(s->clients);
	unlink(s->path);
	uv_close((uv_handle_t *)&s->listener, own_handle_closed);
	uv_close((uv_handle_t *)&s->check, own_handle_closed);
	uv_close((uv_handle_t *)&s->idle, own_handle_closed);
}

void control_server_configure(struct control_server *s, unsigned max_clients, const char *group)
{
	const struct group *g = *group ? getgrnam(group) : NULL;

	s->max_clients = max_clients;
	snprintf(s->group, sizeof(s->group), "%s", g ? group : "");
	s->has_group = g != NULL;
	s->gid = g ? g->gr_gid : 0;
}

unsigned control_server_clients(const struct control_server *s)
{
	return s->n_clients;
}
