/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_daemon.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#define MAX_CLIENTS 8
#define MAX_LINE 65536

struct fake_daemon {
	char dir[64], path[96];
	int listener, stop[2];
	pthread_t thread;
	const struct fake_answer *answers;
	struct {
		int fd;
		size_t len;
		char line[MAX_LINE];
	} clients[MAX_CLIENTS];
	unsigned n;
	char request[MAX_LINE];
};

static void send_text(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

/* false: hang up. */
static bool answer(struct fake_daemon *d, int fd, const char *line)
{
	struct json_object *o = json_tokener_parse(line), *op = NULL;
	bool stay = true;

	snprintf(d->request, sizeof(d->request), "%s", line);
	json_object_object_get_ex(o, "op", &op);
	for (const struct fake_answer *a = d->answers; op && a->op; a++) {
		if (strcmp(a->op, json_object_get_string(op)) != 0)
			continue;
		if (a->text)
			send_text(fd, a->text);
		stay = !a->hang_up;
		break;
	}
	json_object_put(o);
	return stay;
}

static bool serve(struct fake_daemon *d, unsigned i)
{
	ssize_t n = recv(d->clients[i].fd, d->clients[i].line + d->clients[i].len, MAX_LINE - 1 - d->clients[i].len, 0);
	char *end;

	if (n <= 0)
		return false;
	d->clients[i].len += (size_t)n;
	d->clients[i].line[d->clients[i].len] = '\0';
	while ((end = strchr(d->clients[i].line, '\n'))) {
		*end = '\0';
		if (!answer(d, d->clients[i].fd, d->clients[i].line))
			return false;
		d->clients[i].len -= (size_t)(end + 1 - d->clients[i].line);
		memmove(d->clients[i].line, end + 1, d->clients[i].len + 1);
	}
	return true;
}

static void drop(struct fake_daemon *d, unsigned i)
{
	close(d->clients[i].fd);
	d->clients[i] = d->clients[--d->n];
}

static void *run(void *arg)
{
	struct fake_daemon *d = arg;

	for (;;) {
		struct pollfd p[MAX_CLIENTS + 2] = { { .fd = d->stop[0], .events = POLLIN },
						     { .fd = d->listener, .events = d->n < MAX_CLIENTS ? POLLIN : 0 } };

		for (unsigned i = 0; i < d->n; i++)
			p[i + 2] = (struct pollfd){ .fd = d->clients[i].fd, .events = POLLIN };
		poll(p, d->n + 2, -1);
		if (p[0].revents)
			break;
		for (unsigned i = d->n; i-- > 0;) {
			if (p[i + 2].revents && !serve(d, i))
				drop(d, i);
		}
		if (p[1].revents) {
			d->clients[d->n].fd = accept(d->listener, NULL, NULL);
			d->clients[d->n].len = 0;
			d->n += d->clients[d->n].fd >= 0;
		}
	}
	while (d->n)
		drop(d, d->n - 1);
	return NULL;
}

struct fake_daemon *fake_daemon_start(const struct fake_answer *answers)
{
	struct fake_daemon *d = calloc(1, sizeof(*d));
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	assert_non_null(d);
	snprintf(d->dir, sizeof(d->dir), "/tmp/shim6-test-XXXXXX");
	assert_non_null(mkdtemp(d->dir));
	snprintf(d->path, sizeof(d->path), "%s/sock", d->dir);
	memcpy(sun.sun_path, d->path, strlen(d->path) + 1);
	d->answers = answers;
	d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(d->listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(d->listener, 4), 0);
	assert_int_equal(pipe(d->stop), 0);
	assert_int_equal(pthread_create(&d->thread, NULL, run, d), 0);
	return d;
}

void fake_daemon_stop(struct fake_daemon *d)
{
	assert_int_equal(write(d->stop[1], "", 1), 1);
	pthread_join(d->thread, NULL);
	close(d->listener);
	close(d->stop[0]);
	close(d->stop[1]);
	unlink(d->path);
	rmdir(d->dir);
	free(d);
}

const char *fake_daemon_path(const struct fake_daemon *d)
{
	return d->path;
}

const char *fake_daemon_request(const struct fake_daemon *d)
{
	return d->request;
}
