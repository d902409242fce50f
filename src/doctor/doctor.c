/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "doctor/internal.h"

#define ANSWER_TIMEOUT_MS 5000
#define CAP_NET_ADMIN_BIT 12
#define CAP_NET_RAW_BIT 13

static const char *const level_names[DOCTOR_LEVELS] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_UNKNOWN] = "unknown",
	[DOCTOR_WARNING] = "warning",
	[DOCTOR_PROBLEM] = "problem",
};

struct doctor_text doctor_text(const char *fmt, ...)
{
	struct doctor_text t;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t.s, sizeof(t.s), fmt, ap);
	va_end(ap);
	return t;
}

struct doctor_text doctor_addr(const struct shim6_addr *a)
{
	struct doctor_text t;

	inet_ntop(AF_INET6, a->b, t.s, sizeof(t.s));
	return t;
}

struct doctor_text doctor_prefix64(const struct shim6_addr *a)
{
	struct shim6_addr p = *a;

	memset(p.b + 8, 0, 8);
	return doctor_text("%s/64", doctor_addr(&p).s);
}

void doctor_say(struct doctor *d, enum doctor_level level, const char *check, const char *why, const char *mend,
		const char *fmt, ...)
{
	struct json_object *o = json_object_new_object();
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	json_object_object_add(o, "level", json_object_new_string(level_names[level]));
	json_object_object_add(o, "check", json_object_new_string(check));
	json_object_object_add(o, "what", json_object_new_string(what));
	if (why)
		json_object_object_add(o, "why", json_object_new_string(why));
	if (mend)
		json_object_object_add(o, "mend", json_object_new_string(mend));
	json_object_array_add(d->findings, o);
	d->count[level]++;
}

/* --- JSON ----------------------------------------------------------------- */

struct json_object *doctor_get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &v);
	return v;
}

const char *doctor_string(struct json_object *o, const char *key)
{
	struct json_object *v = doctor_get(o, key);

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

bool doctor_true(struct json_object *o, const char *key)
{
	return json_object_get_boolean(doctor_get(o, key));
}

size_t doctor_length(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

struct json_object *doctor_at(struct json_object *list, size_t i)
{
	return i < doctor_length(list) ? json_object_array_get_idx(list, i) : NULL;
}

struct json_object *doctor_ask(struct doctor *d, const char *op, struct json_object *args)
{
	struct json_object *reply = NULL, *result = NULL;

	if (!d->client) {
		json_object_put(args);
		return NULL;
	}
	if (control_call(d->client, op, args, &reply, ANSWER_TIMEOUT_MS))
		return NULL;
	if (doctor_true(reply, "ok"))
		result = json_object_get(doctor_get(reply, "result"));
	json_object_put(reply);
	return result;
}

/* --- the host ------------------------------------------------------------- */

bool doctor_same64(const struct shim6_addr *a, const struct shim6_addr *b)
{
	return memcmp(a->b, b->b, 8) == 0;
}

const struct host_link *doctor_link(const struct doctor *d, unsigned ifindex)
{
	return d->host ? host_link(d->host, ifindex) : NULL;
}

const struct host_router *doctor_router(const struct doctor *d, unsigned ifindex)
{
	const struct host_router *any = NULL;

	for (unsigned i = 0; i < d->snap->n_routers; i++) {
		const struct host_router *r = &d->snap->routers[i];

		if (r->ifindex != ifindex || !r->default_route)
			continue;
		if (!r->failed)
			return r;
		any = any ? any : r;
	}
	return any;
}

bool doctor_own_device(const struct doctor *d, const struct host_link *l)
{
	size_t n = strlen(d->device);

	return l->loopback || (strncmp(l->name, d->device, n) == 0 &&
			       (strcmp(l->name + n, "0") == 0 || strcmp(l->name + n, "1") == 0));
}

bool doctor_read(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, len - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return true;
}

/* --- other programs ------------------------------------------------------- */

static void child(const char *const argv[], int out)
{
	int null = open("/dev/null", O_RDONLY);
	const char *path = getenv("PATH");
	char *wide = NULL;

	/* Tools of the administrator are often not in a user's path. */
	if (asprintf(&wide, "%s:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", path ? path : "") > 0)
		setenv("PATH", wide, 1);
	setenv("LC_ALL", "C", 1);
	unsetenv("JOURNAL_STREAM");
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	setpgid(0, 0);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the end of the stream, the limit or the deadline. false: the deadline. */
static bool collect(int fd, char *buf, size_t max, int64_t deadline)
{
	size_t n = 0;
	bool in_time = true;

	while (n < max) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t got;

		if (left <= 0 || poll(&p, 1, (int)left) == 0) {
			in_time = false;
			break;
		}
		got = read(fd, buf + n, max - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	return in_time;
}

char *doctor_run(const char *const argv[], unsigned timeout_s, size_t max, bool want_success)
{
	char *buf = malloc(max + 1);
	int fds[2], status = 0;
	bool in_time;
	pid_t pid;

	if (!buf || pipe2(fds, O_CLOEXEC) < 0) {
		free(buf);
		return NULL;
	}
	pid = fork();
	if (pid == 0)
		child(argv, fds[1]);
	close(fds[1]);
	in_time = pid > 0 && collect(fds[0], buf, max, now_ms() + (int64_t)timeout_s * 1000);
	close(fds[0]);
	if (pid > 0) {
		if (!in_time)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (in_time && !(WIFEXITED(status) && WEXITSTATUS(status) == 127) &&
	    (!want_success || (WIFEXITED(status) && WEXITSTATUS(status) == 0)))
		return buf;
	free(buf);
	errno = !in_time ? ETIMEDOUT : WIFEXITED(status) && WEXITSTATUS(status) == 127 ? ENOENT : EIO;
	return NULL;
}

/* --- all of it ------------------------------------------------------------ */

static void read_rights(struct doctor *d)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long caps;

		if (sscanf(line, "CapEff: %llx", &caps) != 1)
			continue;
		d->admin = caps >> CAP_NET_ADMIN_BIT & 1;
		d->raw = caps >> CAP_NET_RAW_BIT & 1;
	}
	if (f)
		fclose(f);
}

static void nothing(void *user)
{
	(void)user;
}

static bool is_locator(struct doctor *d, const struct shim6_addr *a, bool *hba)
{
	for (size_t i = 0; i < doctor_length(d->locators); i++) {
		struct json_object *l = doctor_at(d->locators, i);
		struct shim6_addr x;

		if (inet_pton(AF_INET6, doctor_string(l, "addr"), x.b) == 1 && shim6_addr_eq(&x, a)) {
			*hba = doctor_true(l, "hba");
			return true;
		}
	}
	return false;
}

/* Which addresses count; of HBA addresses the daemon's word is the only one. */
static void gather_sources(struct doctor *d)
{
	unsigned n_hba = 0, n = 0;

	for (unsigned i = 0; i < d->snap->n_addresses && d->n_sources < DOCTOR_MAX_SOURCES; i++) {
		const struct host_address *a = &d->snap->addresses[i];
		struct doctor_source s = { .addr = a->addr, .ifindex = a->ifindex };

		s.link = doctor_link(d, a->ifindex);
		if (!s.link || doctor_own_device(d, s.link) || !shim6_addr_is_usable(&a->addr) || a->tentative ||
		    a->dad_failed || (d->locators && !is_locator(d, &a->addr, &s.hba)))
			continue;
		s.router = doctor_router(d, a->ifindex);
		n_hba += s.hba;
		d->sources[d->n_sources++] = s;
	}
	for (unsigned i = 0; n_hba && i < d->n_sources; i++)
		if (d->sources[i].hba)
			d->sources[n++] = d->sources[i];
	if (n_hba)
		d->n_sources = n;
}

static void gather(struct doctor *d)
{
	char err[256];
	struct json_object *l;

	read_rights(d);
	snprintf(d->device, sizeof(d->device), "shim");
	d->client = d->opt->client;
	d->status = doctor_ask(d, "status", NULL);
	l = doctor_get(d->status, "locators");
	d->locators = json_object_is_type(l, json_type_array) ? l : NULL;
	d->sets = doctor_ask(d, "addr.list", NULL);
	d->host = host_open(nothing, d, err, sizeof(err));
	d->rtnl = rtnl_open();
	if (!d->host || !d->rtnl) {
		doctor_say(d, DOCTOR_PROBLEM, "kernel",
			   "addresses, routers and routes cannot be looked at, and shim6d cannot work",
			   "zgrep -E 'CONFIG_(IPV6|NETLINK)' /proc/config.gz", "rtnetlink does not answer: %s",
			   d->host ? strerror(errno) : err);
		return;
	}
	d->snap = host_snapshot(d->host);
	gather_sources(d);
}

static struct json_object *result(struct doctor *d)
{
	struct json_object *o = json_object_new_object();

	if (d->opt->has_peer)
		json_object_object_add(o, "peer", json_object_new_string(doctor_addr(&d->opt->peer).s));
	for (unsigned i = 0; i < DOCTOR_LEVELS; i++)
		json_object_object_add(o, level_names[i], json_object_new_int((int)d->count[i]));
	json_object_object_add(o, "findings", d->findings);
	return o;
}

struct json_object *doctor_examine(const struct doctor_options *opt)
{
	struct doctor *d = calloc(1, sizeof(*d));
	struct json_object *o;

	if (!d)
		return NULL;
	d->opt = opt;
	d->findings = json_object_new_array();
	gather(d);
	check_daemon(d);
	check_configuration(d);
	if (d->snap) {
		check_uplinks(d);
		check_sets(d);
		check_routing(d);
		check_source_choice(d);
		check_mtu(d);
		check_firewall(d);
	}
	check_kernel(d);
	check_bpf(d);
	check_clock(d);
	if (d->snap)
		check_conflicts(d);
	if (d->snap && opt->has_peer)
		check_peer(d);
	o = result(d);
	json_object_put(d->status);
	json_object_put(d->sets);
	host_close(d->host);
	rtnl_close(d->rtnl);
	free(d);
	return o;
}
