/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target of the control socket: a whole shim6d, data path included, in
 * a network and mount namespace of its own (so it needs root), and the input is
 * what a client sends to it. The first octet says as whom and in pieces of what
 * size. Each line of the answer must be a JSON object of the protocol, there is
 * one answer for each request at most, and the daemon lets go of the client.
 */
#include <errno.h>
#include <json-c/json.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"
#include "daemon/daemon.h"

#define TURNS_MAX 200000 /* of the loop, after which a client that has hung up must be gone */
#define NOBODY 65534
#define JOB_TURNS 50 /* of a millisecond, for an HBA set that is being made */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct daemon d;
static const char run_dir[] = "/run/shim6", state_dir[] = "/run/state", pin_dir[] = "/run/bpf";
static const char config_file[] = "/run/shim6.conf", socket_path[] = "/run/shim6/" CONTROL_SOCKET;

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "fuzz_control: %s: %s\n", what, strerror(errno));
	abort();
}

static void link_up(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_UP };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	require(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0, "link up");
	close(fd);
}

/* Everything lies in namespaces, and in a file system, that go with this process. */
static void make_world(void)
{
	FILE *f;

	require(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "namespaces (root is needed)");
	require(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
	require(mount("tmpfs", "/run", "tmpfs", 0, "mode=755") == 0, "tmpfs");
	require(mkdir(state_dir, 0700) == 0 && mkdir(pin_dir, 0700) == 0, "folders");
	require(mount("bpf", pin_dir, "bpf", 0, NULL) == 0, "bpffs");
	f = fopen(config_file, "we");
	require(f && fputs("[limits]\ncontexts=64\n", f) >= 0 && fclose(f) == 0, "configuration");
	link_up("lo");
}

/* Locators: an HBA set whose prefixes are on an interface. */
static void make_locators(void)
{
	struct generate_request req = { 0 };
	struct store_set set;
	char dir[128], err[STORE_ERR_MAX] = "";

	snprintf(dir, sizeof(dir), "%s/hba", state_dir);
	require(generate_add_prefix(&req, "2001:db8:a:1::/64", err, sizeof(err)) &&
			generate_add_prefix(&req, "2001:db8:b:1::/64", err, sizeof(err)) &&
			generate_now(dir, &req, NULL, NULL, &set, err, sizeof(err)),
		err);
	require(system("ip link add up0 type veth peer up1 && ip link set up0 up && ip link set up1 up && ip addr add "
		       "2001:db8:a:1::1/64 dev up0 "
		       "nodad"
		       " && ip addr add 2001:db8:b:1::1/64 dev up0 nodad") == 0,
		"interface");
	store_set_clear(&set);
}

static void end(void)
{
	daemon_stop(&d);
}

/* What the daemon logs of each input would drown what libFuzzer says, which keeps a descriptor of its own. */
static void silence(int *argc, char ***argv)
{
	static char option[] = "-close_fd_mask=2";
	char **with = calloc((size_t)*argc + 2, sizeof(*with));

	require(with, "memory");
	memcpy(with, *argv, (size_t)*argc * sizeof(*with));
	with[(*argc)++] = option;
	*argv = with;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char err[CONFIG_ERR_MAX] = "";

	silence(argc, argv);
	make_world();
	make_locators();
	signal(SIGPIPE, SIG_IGN);
	d.opt = (struct daemon_options){
		.run_dir = run_dir, .state_dir = state_dir, .pin_dir = pin_dir, .config_file = config_file
	};
	require(config_load(&d.config, config_file, err, sizeof(err)), err);
	require(daemon_start(&d, err, sizeof(err)), err);
	atexit(end);
	return 0;
}

/* --- one client ----------------------------------------------------------- */

struct answers {
	int fd;
	char *buf;
	size_t len, cap;
	unsigned replies;
	bool ended;
};

static void check_line(struct answers *a, const char *line, size_t len)
{
	struct json_tokener *t = json_tokener_new();
	struct json_object *o = json_tokener_parse_ex(t, line, (int)len), *v;

	require(json_object_is_type(o, json_type_object) && json_tokener_get_parse_end(t) == len, "JSON");
	require(json_object_object_get_ex(o, "v", &v) && json_object_get_int(v) == CONTROL_VERSION, "version");
	if (json_object_object_get_ex(o, "ok", &v)) {
		a->replies++;
		require(json_object_get_boolean(v) != json_object_object_get_ex(o, "error", NULL), "verdict");
	} else {
		require(json_object_object_get_ex(o, "event", NULL) || json_object_object_get_ex(o, "overflow", NULL) ||
				json_object_object_get_ex(o, "message", NULL),
			"kind of line");
	}
	json_object_put(o);
	json_tokener_free(t);
}

static void check_lines(struct answers *a)
{
	size_t at = 0;
	char *end;

	while ((end = memchr(a->buf + at, '\n', a->len - at))) {
		check_line(a, a->buf + at, (size_t)(end - a->buf) - at);
		at = (size_t)(end - a->buf) + 1;
	}
	a->len -= at;
	memmove(a->buf, a->buf + at, a->len);
}

/* One turn of the loop, and what it brought. */
static void turn(struct answers *a)
{
	ssize_t n;

	uv_run(loop_uv(d.loop), UV_RUN_NOWAIT);
	do {
		if (a->len == a->cap) {
			a->cap = a->cap ? 2 * a->cap : 65536;
			a->buf = realloc(a->buf, a->cap);
			require(a->buf, "memory");
		}
		n = recv(a->fd, a->buf + a->len, a->cap - a->len, MSG_DONTWAIT);
		a->len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	a->ended |= n == 0 || (errno != EAGAIN && errno != EINTR);
	check_lines(a);
}

static int connect_as(uid_t uid)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, socket_path, strlen(socket_path) + 1);
	require(fd >= 0 && seteuid(uid) == 0, "identity");
	require(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, socket_path);
	require(seteuid(0) == 0, "identity");
	return fd;
}

static unsigned count_lines(const uint8_t *data, size_t size)
{
	unsigned n = 1; /* what has no end may be told to be too long */

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n';
	return n;
}

static void converse(struct answers *a, const uint8_t *data, size_t size, size_t piece)
{
	for (size_t at = 0; at < size && !a->ended; at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		ssize_t n = send(a->fd, data + at, len, MSG_NOSIGNAL);

		require(n == (ssize_t)len || errno == EPIPE || errno == ECONNRESET, "send");
		turn(a);
	}
	for (unsigned i = 0; d.job && i < JOB_TURNS && !a->ended; i++) {
		poll(NULL, 0, 1);
		turn(a);
	}
	shutdown(a->fd, SHUT_WR);
	for (unsigned i = 0; !a->ended; i++) {
		turn(a);
		require(i < TURNS_MAX, "the daemon does not let go");
	}
	require(a->len == 0, "half a line");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answers a = { .fd = -1 };

	if (!size)
		return 0;
	a.fd = connect_as(data[0] & 1 ? NOBODY : 0);
	converse(&a, data + 1, size - 1, data[0] & 2 ? 1 + data[0] / 4 : size);
	require(a.replies <= count_lines(data + 1, size - 1), "more answers than requests");
	close(a.fd);
	free(a.buf);
	return 0;
}
