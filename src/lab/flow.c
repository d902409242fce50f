// SPDX-License-Identifier: GPL-2.0-or-later
/* Starts, reads and ends the programs of a stream (see flow.h). */
#define _GNU_SOURCE
#include "lab/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/topology.h"
#include "lab/traffic.h"

#define READY_MS 30000
#define FINISH_MS 3000
#define POLL_MS 20
#define SELF "/proc/self/exe"

/* Ports: of the hosts' own namespaces, so they need no search. */
static const struct {
	const char *name, *title, *port;
	bool udp;
} kinds[FLOW_KINDS] = {
	[FLOW_TCP] = { "tcp", "TCP stream", "7001", false },
	[FLOW_UDP] = { "udp", "UDP stream", "7002", true },
	[FLOW_CURL] = { "curl", "TCP download (curl)", "7080", false },
	[FLOW_SSH] = { "ssh", "ssh session", "7022", false },
	[FLOW_IPERF3] = { "iperf3", "iperf3 (TCP)", "7201", false },
};

/* The HTTP server of Python, its sockets paced by the kernel: "curl --limit-rate" itself takes megabytes at once
 * and then pauses for seconds, which no silence could be told from. */
static const char http_server[] =
	"import http.server, socket, socketserver, sys\n"
	"SO_MAX_PACING_RATE = 47\n"
	"class Handler(http.server.SimpleHTTPRequestHandler):\n"
	"    def setup(self):\n"
	"        if int(sys.argv[2]):\n"
	"            self.request.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, int(sys.argv[2]))\n"
	"        super().setup()\n"
	"class Server(http.server.ThreadingHTTPServer):\n"
	"    address_family = socket.AF_INET6\n"
	"    def server_bind(self): # the inherited one asks for the host's name, in vain\n"
	"        socketserver.TCPServer.server_bind(self)\n"
	"        self.server_name, self.server_port = 'lab', int(sys.argv[1])\n"
	"Server(('::', int(sys.argv[1])), Handler).serve_forever()\n";

const char *flow_kind_name(enum flow_kind k)
{
	return kinds[k].name;
}

bool flow_kind_parse(const char *name, enum flow_kind *k)
{
	for (unsigned i = 0; i < FLOW_KINDS; i++) {
		if (!strcmp(kinds[i].name, name)) {
			*k = (enum flow_kind)i;
			return true;
		}
	}
	return false;
}

void flow_init(struct flow *f, enum flow_kind kind, unsigned from, unsigned to)
{
	memset(f, 0, sizeof(*f));
	stream_init(&f->s);
	f->kind = kind;
	f->from = from;
	f->to = to;
	f->in[0].fd = f->in[1].fd = f->digest_fd = -1;
	f->s.udp = kinds[kind].udp;
	lab_format(f->s.name, sizeof(f->s.name), "%s", kinds[kind].title);
	lab_format(f->s.direction, sizeof(f->s.direction), "%c>%c", topology_host_letter(from),
		   topology_host_letter(to));
}

/* --- starting ---------------------------------------------------------------- */

static int spawn(const struct flow *f, const struct flow_env *env, unsigned host, const char *const *argv,
		 const char *role, int in, int out, struct proc *p)
{
	char ns[NETNS_NAME_MAX], log[LAB_PATH_MAX];
	struct proc_spec spec = { .netns = ns, .argv = argv, .log = log, .in = in, .out = out, .with_parent = true };

	topology_host_ns(env->lab, host, ns);
	lab_format(log, sizeof(log), "%s/%s-%s-%c%c-%s.log", env->logs, env->tag, kinds[f->kind].name,
		   topology_host_letter(f->from), topology_host_letter(f->to), role);
	return proc_spawn(&spec, p);
}

/* With its standard output as in[i]. */
static int spawn_told(struct flow *f, const struct flow_env *env, unsigned host, const char *const *argv,
		      const char *role, int in, unsigned i, struct proc *p)
{
	int fd[2], r;

	if (pipe2(fd, O_CLOEXEC))
		return lab_error("cannot make a pipe: %s", strerror(errno));
	r = spawn(f, env, host, argv, role, in, fd[1], p);
	close(fd[1]);
	if (r) {
		close(fd[0]);
		return -1;
	}
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	f->in[i].fd = fd[0];
	return 0;
}

/* A client whose standard output a measuring program reads. */
static int spawn_metered(struct flow *f, const struct flow_env *env, const char *const *client,
			 const char *const *meter)
{
	int fd[2], r;

	if (pipe2(fd, O_CLOEXEC))
		return lab_error("cannot make a pipe: %s", strerror(errno));
	r = spawn_told(f, env, f->to, meter, "meter", fd[0], 0, &f->meter) ||
	    spawn(f, env, f->to, client, "client", -1, fd[1], &f->client);
	close(fd[0]);
	close(fd[1]);
	return r ? -1 : 0;
}

/* Until somebody listens there. */
static int await(const struct flow *f, const struct flow_env *env, unsigned host, const struct proc *p)
{
	char ns[NETNS_NAME_MAX], filter[32];
	const char *const argv[] = { "ss", "-H", "-n", f->s.udp ? "-lu" : "-lt", filter, NULL };
	uint64_t deadline = lab_now() + READY_MS * NSEC_PER_MSEC;

	topology_host_ns(env->lab, host, ns);
	lab_format(filter, sizeof(filter), "sport = :%s", kinds[f->kind].port);
	while (lab_now() < deadline && proc_alive(p) && !lab_interrupted()) {
		struct strbuf out = { 0 };
		bool there = proc_run(ns, argv, NULL, &out) == 0 && out.len > 0;

		strbuf_free(&out);
		if (there)
			return 0;
		poll(NULL, 0, POLL_MS);
	}
	if (lab_interrupted())
		return -1;
	return lab_error("the server of the %s %s; its log, if it said anything, is in %s", f->s.name,
			 proc_alive(p) ? "did not begin to listen" : "ended at once", env->logs);
}

static const char *sender_addr(const struct flow *f, const struct flow_env *env)
{
	return env->lab->addr[f->from][0];
}

static const char *receiver_addr(const struct flow *f, const struct flow_env *env)
{
	return env->lab->addr[f->to][0];
}

struct texts {
	char t0[24], rate[24], seconds[16];
};

static struct texts texts_of(const struct flow_env *env)
{
	struct texts t;

	lab_format(t.t0, sizeof(t.t0), "%llu", (unsigned long long)env->t0);
	lab_format(t.rate, sizeof(t.rate), "%llu", (unsigned long long)env->rate);
	lab_format(t.seconds, sizeof(t.seconds), "%u", env->seconds);
	return t;
}

/* --- our own streams --------------------------------------------------------- */

static int start_tcp(struct flow *f, const struct flow_env *env)
{
	struct texts t = texts_of(env);
	const char *port = kinds[FLOW_TCP].port;
	const char *const serve[] = { SELF, "traffic", "tcp-serve", t.t0, port, t.rate, t.seconds, NULL };
	const char *const get[] = { SELF, "traffic", "tcp-get", t.t0, receiver_addr(f, env), sender_addr(f, env),
				    port, NULL };

	if (spawn(f, env, f->from, serve, "server", -1, -1, &f->server) || await(f, env, f->from, &f->server))
		return -1;
	return spawn_told(f, env, f->to, get, "meter", -1, 0, &f->meter);
}

static int start_udp(struct flow *f, const struct flow_env *env)
{
	struct texts t = texts_of(env);
	char per_second[16], octets[16];
	const char *port = kinds[FLOW_UDP].port;
	const char *const receive[] = { SELF, "traffic", "udp-recv", t.t0, port, NULL };
	const char *const send[] = {
		SELF,	    "traffic", "udp-send", t.t0, sender_addr(f, env), receiver_addr(f, env), port,
		per_second, octets,    t.seconds,  NULL
	};

	lab_format(per_second, sizeof(per_second), "%d", FLOW_UDP_PER_SECOND);
	lab_format(octets, sizeof(octets), "%d", FLOW_UDP_OCTETS);
	if (spawn_told(f, env, f->to, receive, "meter", -1, 0, &f->meter) || await(f, env, f->to, &f->meter))
		return -1;
	return spawn_told(f, env, f->from, send, "sender", -1, 1, &f->client);
}

/* --- curl -------------------------------------------------------------------- */

static void file_of(const struct flow *f, const struct flow_env *env, const char *what, char out[static LAB_PATH_MAX])
{
	lab_format(out, LAB_PATH_MAX, "%s/%s-%c", env->lab->dir, what, topology_host_letter(f->from));
}

static int make_file(const char *path, uint64_t size)
{
	uint8_t buf[TRAFFIC_CHUNK];
	FILE *out = fopen(path, "we");
	bool bad = !out;

	for (uint64_t at = 0; !bad && at < size; at += sizeof(buf)) {
		size_t n = size - at < sizeof(buf) ? (size_t)(size - at) : sizeof(buf);

		pattern_fill(buf, n, at);
		bad = fwrite(buf, 1, n, out) != n;
	}
	if (out)
		bad |= fclose(out) != 0;
	return bad ? lab_error("cannot write %s: %s", path, strerror(errno)) : 0;
}

static bool take_digest(const char *text, char out[static 65])
{
	if (!text || strspn(text, "0123456789abcdef") < 64)
		return false;
	memcpy(out, text, 64);
	out[64] = '\0';
	return true;
}

static int prepare_curl(struct flow *f, const struct flow_env *env)
{
	char path[LAB_PATH_MAX], fifo[LAB_PATH_MAX];
	struct texts t = texts_of(env);
	const char *const digest[] = { "sha256sum", path, NULL };
	const char *const serve[] = { "sh", "-c",	 "cd \"$0\" && exec \"$@\"", env->lab->dir, "python3",
				      "-c", http_server, kinds[FLOW_CURL].port,	     t.rate,	    NULL };
	struct strbuf out = { 0 };
	bool good;

	file_of(f, env, "download", path);
	file_of(f, env, "copy", fifo);
	if (make_file(path, env->size))
		return -1;
	good = proc_run(NULL, digest, NULL, &out) == 0 && take_digest(out.s, f->want);
	strbuf_free(&out);
	if (!good)
		return lab_error("cannot compute the SHA-256 of %s", path);
	if (mkfifo(fifo, 0600))
		return lab_error("cannot make %s: %s", fifo, strerror(errno));
	if (spawn(f, env, f->from, serve, "server", -1, -1, &f->server))
		return -1;
	return await(f, env, f->from, &f->server);
}

static int start_curl(struct flow *f, const struct flow_env *env)
{
	char fifo[LAB_PATH_MAX], url[LAB_PATH_MAX];
	struct texts t = texts_of(env);
	const char *const sum[] = { "sha256sum", fifo, NULL };
	const char *const meter[] = { SELF, "traffic", "relay", t.t0, fifo, NULL };
	/* Nothing for half a minute: browsers and download tools have given up by then. */
	const char *const get[] = {
		"curl",		 "-q", "-sS",	       "-g", "--no-buffer", "--interface", receiver_addr(f, env),
		"--speed-limit", "1",  "--speed-time", "30", url,	    NULL
	};
	int fd[2], r;

	file_of(f, env, "copy", fifo);
	lab_format(url, sizeof(url), "http://[%s]:%s/download-%c", sender_addr(f, env), kinds[FLOW_CURL].port,
		   topology_host_letter(f->from));
	if (pipe2(fd, O_CLOEXEC))
		return lab_error("cannot make a pipe: %s", strerror(errno));
	r = spawn(f, env, f->to, sum, "digest", -1, fd[1], &f->digest);
	close(fd[1]);
	f->digest_fd = fd[0];
	return r ? -1 : spawn_metered(f, env, get, meter);
}

/* --- ssh ---------------------------------------------------------------------- */

static int make_key(const struct flow_env *env, const char *file, char path[static LAB_PATH_MAX])
{
	const char *const argv[] = { "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, NULL };

	lab_path(env->lab, path, LAB_PATH_MAX, file);
	if (access(path, F_OK) == 0)
		return 0; /* of the stream in the other direction */
	return proc_run(NULL, argv, NULL, NULL) ? lab_error("ssh-keygen failed") : 0;
}

static int prepare_ssh(struct flow *f, const struct flow_env *env)
{
	char host_key[LAB_PATH_MAX], user_key[LAB_PATH_MAX], o_key[LAB_PATH_MAX + 16], o_users[LAB_PATH_MAX + 32];
	const char *const argv[] = { "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", kinds[FLOW_SSH].port, "-o",
				     "ListenAddress=::", "-o", o_key, "-o", o_users, "-o", "PasswordAuthentication=no",
				     "-o", "KbdInteractiveAuthentication=no", "-o",
				     /* an account without a password counts as locked otherwise */
				     "UsePAM=yes", "-o", "PermitRootLogin=prohibit-password", "-o", "StrictModes=no",
				     "-o", "PidFile=none", "-o", "PrintMotd=no", NULL };

	if (make_key(env, "ssh-host-key", host_key) || make_key(env, "ssh-user-key", user_key))
		return -1;
	lab_format(o_key, sizeof(o_key), "HostKey=%s", host_key);
	lab_format(o_users, sizeof(o_users), "AuthorizedKeysFile=%s.pub", user_key);
	if (mkdir("/run/sshd", 0755) && errno != EEXIST) /* sshd insists on it; its service makes the same */
		return lab_error("cannot make /run/sshd: %s", strerror(errno));
	if (spawn(f, env, f->from, argv, "server", -1, -1, &f->server))
		return -1;
	return await(f, env, f->from, &f->server);
}

static int start_ssh(struct flow *f, const struct flow_env *env)
{
	struct texts t = texts_of(env);
	char key[LAB_PATH_MAX], target[LAB_ADDR_MAX + 8], own[LAB_PATH_MAX], command[LAB_PATH_MAX + 64];
	ssize_t n = readlink(SELF, own, sizeof(own) - 1);
	const char *const meter[] = { SELF, "traffic", "relay", t.t0, NULL };
	const char *const client[] = { "ssh",
				       "-F",
				       "/dev/null",
				       "-b",
				       receiver_addr(f, env),
				       "-p",
				       kinds[FLOW_SSH].port,
				       "-i",
				       key,
				       "-o",
				       "BatchMode=yes",
				       "-o",
				       "StrictHostKeyChecking=no",
				       "-o",
				       "UserKnownHostsFile=/dev/null",
				       "-o",
				       "LogLevel=ERROR",
				       target,
				       command,
				       NULL };

	if (n < 0)
		return lab_error("cannot find this program: %s", strerror(errno));
	own[n] = '\0';
	lab_path(env->lab, key, sizeof(key), "ssh-user-key");
	lab_format(target, sizeof(target), "root@%s", sender_addr(f, env));
	lab_format(command, sizeof(command), "exec '%s' traffic source %s %u", own, t.rate,
		   env->seconds > 2 ? env->seconds - 2 : 1);
	return spawn_metered(f, env, client, meter);
}

/* --- iperf3 --------------------------------------------------------------------- */

static int prepare_iperf3(struct flow *f, const struct flow_env *env)
{
	const char *const argv[] = { "iperf3", "-s", "-p", kinds[FLOW_IPERF3].port, NULL };

	if (spawn(f, env, f->from, argv, "server", -1, -1, &f->server))
		return -1;
	return await(f, env, f->from, &f->server);
}

static int start_iperf3(struct flow *f, const struct flow_env *env)
{
	struct texts t = texts_of(env);
	char seconds[16], bits[24];
	const char *const meter[] = { SELF, "traffic", "iperf", t.t0, NULL };
	const char *const client[] = { "iperf3",
				       "-c",
				       sender_addr(f, env),
				       "-B",
				       receiver_addr(f, env),
				       "-p",
				       kinds[FLOW_IPERF3].port,
				       "-R",
				       "-i",
				       "0.1",
				       "--forceflush",
				       "-t",
				       seconds,
				       "-b",
				       bits,
				       "-l",
				       env->rate ? "8K" : "128K",
				       NULL };

	lab_format(seconds, sizeof(seconds), "%u", env->seconds > 2 ? env->seconds - 2 : 1);
	lab_format(bits, sizeof(bits), "%llu", (unsigned long long)env->rate * 8);
	return spawn_metered(f, env, client, meter);
}

/* --- the table ------------------------------------------------------------------ */

int flow_prepare(struct flow *f, const struct flow_env *env)
{
	switch (f->kind) {
	case FLOW_CURL:
		return prepare_curl(f, env);
	case FLOW_SSH:
		return prepare_ssh(f, env);
	case FLOW_IPERF3:
		return prepare_iperf3(f, env);
	default:
		return 0;
	}
}

int flow_start(struct flow *f, const struct flow_env *env)
{
	switch (f->kind) {
	case FLOW_TCP:
		return start_tcp(f, env);
	case FLOW_UDP:
		return start_udp(f, env);
	case FLOW_CURL:
		return start_curl(f, env);
	case FLOW_SSH:
		return start_ssh(f, env);
	default:
		return start_iperf3(f, env);
	}
}

/* --- reading and ending ---------------------------------------------------------- */

void flow_read(struct flow *f, unsigned i)
{
	struct flow_pipe *p = &f->in[i];
	char buf[4096];
	ssize_t n;

	if (p->fd < 0)
		return;
	while ((n = read(p->fd, buf, sizeof(buf))) > 0)
		if (stream_feed(&f->s, &p->reader, buf, (size_t)n))
			lab_error("%s: a line that cannot be understood was left out", f->s.name);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close(p->fd);
	p->fd = -1;
}

/* Both pipes, to their end or the deadline. */
static void drain(struct flow *f, unsigned timeout_ms)
{
	uint64_t deadline = lab_now() + timeout_ms * NSEC_PER_MSEC;

	while (f->in[0].fd >= 0 || f->in[1].fd >= 0) {
		struct pollfd p[2] = { { .fd = f->in[0].fd, .events = POLLIN },
				       { .fd = f->in[1].fd, .events = POLLIN } };
		uint64_t now = lab_now();

		if (now >= deadline)
			break;
		poll(p, 2, (int)((deadline - now) / NSEC_PER_MSEC) + 1);
		for (unsigned i = 0; i < 2; i++)
			if (p[i].revents)
				flow_read(f, i);
	}
}

/* The programs' own exit codes say more than the end of their output. */
static void explain_end(struct flow *f, int code)
{
	if (f->s.end != STREAM_EOF || code == 0 || code < 0)
		return;
	f->s.end = STREAM_FAILED;
	if (f->kind == FLOW_CURL && code == 56) /* failure in receiving network data */
		f->s.end = STREAM_RESET;
	else if (f->kind == FLOW_CURL && code == 28) /* --speed-time */
		f->s.end = STREAM_GAVE_UP;
	else if (f->kind == FLOW_CURL && code == 7)
		f->s.end = STREAM_REFUSED;
	else if (f->kind == FLOW_SSH && code == 255)
		f->s.end = STREAM_RESET;
}

bool flow_ended(struct flow *f)
{
	int code;

	if (!f->s.has_end)
		return false;
	if (f->s.end != STREAM_EOF || !f->client.pid)
		return true;
	code = proc_wait(&f->client, 0);
	explain_end(f, code);
	return code >= 0;
}

static void compare_digest(struct flow *f)
{
	struct pollfd p = { .fd = f->digest_fd, .events = POLLIN };
	char text[256];
	ssize_t n = poll(&p, 1, FINISH_MS) > 0 ? read(f->digest_fd, text, sizeof(text) - 1) : 0;

	text[n > 0 ? n : 0] = '\0';
	if (!take_digest(text, f->got))
		f->s.intact = 0;
	else
		f->s.intact = !strcmp(f->want, f->got);
}

void flow_finish(struct flow *f, const struct flow_env *env)
{
	bool whole;

	/* the sender first: what it says is how many there were */
	if (f->s.udp)
		proc_signal(&f->client, SIGTERM);
	proc_signal(&f->meter, SIGTERM);
	drain(f, FINISH_MS);
	if (!f->s.has_end)
		f->s.end = STREAM_FAILED;
	if (f->client.pid)
		explain_end(f, proc_wait(&f->client, f->s.end == STREAM_EOF ? FINISH_MS : 0));
	whole = f->s.end == STREAM_EOF;
	if (f->kind == FLOW_CURL) {
		if (whole)
			compare_digest(f);
		else if (f->s.intact == 1)
			f->s.intact = -1; /* good as far as it went; but it went not all the way */
	}
	stream_settle(&f->s, env->seconds);
	flow_kill(f);
}

void flow_kill(struct flow *f)
{
	struct proc *all[] = { &f->client, &f->meter, &f->server, &f->digest };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i]->pid)
			proc_stop(all[i], 1000);
	for (unsigned i = 0; i < 2; i++) {
		if (f->in[i].fd >= 0)
			close(f->in[i].fd);
		f->in[i].fd = -1;
	}
	if (f->digest_fd >= 0)
		close(f->digest_fd);
	f->digest_fd = -1;
}
