/* SPDX-License-Identifier: MIT */
/*
 * The client's end of the control protocol: requests and replies are lines of
 * JSON on a blocking Unix stream socket. Whatever the daemon does, a call ends
 * in the time given to it, and a line takes no more memory than its bound.
 */
#define _GNU_SOURCE
#include "control/control.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SEND_TIMEOUT_S 10 /* for connecting and sending, when the daemon does not take any more */
#define FIRST_BUFFER 8192

struct control_client {
	int fd;
	char *buf;
	size_t len, cap;
	size_t searched; /* octets of buf known to hold no end of line */
};

int control_connect(struct control_client **out, const char *path)
{
	const struct timeval patience = { .tv_sec = SEND_TIMEOUT_S };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct control_client *c;
	int err;

	*out = NULL;
	if (!path)
		path = CONTROL_DEFAULT_DIR "/" CONTROL_SOCKET;
	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		err = errno == EAGAIN ? ETIMEDOUT : errno;
		control_close(c);
		return -err;
	}
	*out = c;
	return 0;
}

void control_close(struct control_client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	free(c);
}

int control_fd(const struct control_client *c)
{
	return c->fd;
}

static int send_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* One write with its newline, so that a half line never stays behind a failed allocation. */
static int send_line(int fd, struct json_object *o)
{
	size_t len;
	const char *text =
		json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	char *line;
	int err;

	if (!text)
		return -ENOMEM;
	if (len >= CONTROL_LINE_MAX)
		return -EMSGSIZE;
	line = malloc(len + 1);
	if (!line)
		return -ENOMEM;
	memcpy(line, text, len);
	line[len] = '\n';
	err = send_all(fd, line, len + 1);
	free(line);
	return err;
}

int control_request(struct control_client *c, const char *op, struct json_object *args)
{
	struct json_object *request = json_object_new_object();
	int err;

	if (!request) {
		json_object_put(args);
		return -ENOMEM;
	}
	json_object_object_add(request, "v", json_object_new_int(CONTROL_VERSION));
	json_object_object_add(request, "op", json_object_new_string(op));
	if (args)
		json_object_object_add(request, "args", args);
	err = send_line(c->fd, request);
	json_object_put(request);
	return err;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Until there is something to read; deadline < 0 is none. */
static int wait_readable(int fd, long long deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		long long left = deadline < 0 ? -1 : deadline - now_ms();
		int n;

		if (deadline >= 0 && left < 0)
			left = 0;
		n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int grow(struct control_client *c)
{
	size_t cap = c->cap ? 2 * c->cap : FIRST_BUFFER;
	char *buf;

	if (c->cap >= CONTROL_REPLY_MAX)
		return -EMSGSIZE;
	buf = realloc(c->buf, cap);
	if (!buf)
		return -ENOMEM;
	c->buf = buf;
	c->cap = cap;
	return 0;
}

/* More octets from the daemon; -EPIPE at the end. */
static int fill(struct control_client *c, long long deadline)
{
	ssize_t n;
	int err;

	if (c->len == c->cap) {
		err = grow(c);
		if (err)
			return err;
	}
	do {
		err = wait_readable(c->fd, deadline);
		if (err)
			return err;
		n = recv(c->fd, c->buf + c->len, c->cap - c->len, MSG_DONTWAIT);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	c->len += (size_t)n;
	return 0;
}

/* The whole line must be one JSON object. */
static int parse(const char *line, size_t len, struct json_object **out)
{
	struct json_tokener *t = json_tokener_new();
	struct json_object *o;

	if (!t)
		return -ENOMEM;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(t, line, (int)len);
	if (json_tokener_get_error(t) != json_tokener_success || json_tokener_get_parse_end(t) != len ||
	    !json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		json_tokener_free(t);
		return -EBADMSG;
	}
	json_tokener_free(t);
	*out = o;
	return 0;
}

static int read_line(struct control_client *c, struct json_object **out, long long deadline)
{
	char *end;
	size_t len;
	int err;

	*out = NULL;
	while (c->len == c->searched || !(end = memchr(c->buf + c->searched, '\n', c->len - c->searched))) {
		c->searched = c->len;
		err = fill(c, deadline);
		if (err)
			return err;
	}
	len = (size_t)(end - c->buf);
	err = parse(c->buf, len, out);
	c->len -= len + 1;
	memmove(c->buf, end + 1, c->len);
	c->searched = 0;
	return err;
}

static long long deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
}

int control_read(struct control_client *c, struct json_object **out, int timeout_ms)
{
	return read_line(c, out, deadline_of(timeout_ms));
}

int control_call(struct control_client *c, const char *op, struct json_object *args, struct json_object **reply,
		 int timeout_ms)
{
	long long deadline = deadline_of(timeout_ms);
	int err = control_request(c, op, args);

	*reply = NULL;
	while (!err) {
		err = read_line(c, reply, deadline);
		/* events may lie before the reply, on a connection that asked for them */
		if (err || json_object_object_get_ex(*reply, "ok", NULL))
			return err;
		json_object_put(*reply);
		*reply = NULL;
	}
	return err;
}
