/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nanoseconds per packet of the eBPF programs, by BPF_PROG_TEST_RUN, in a network
 * namespace of its own. One JSON line per case; exit status 1 if a bar is missed.
 *
 * A program that leaves the packet as it is runs a million times on the same
 * packet ("repeat"). One that changes it must see a fresh packet each time:
 * single runs, timed by the kernel's own statistics around the program alone
 * ("stats"). Both are less what a program that only returns costs by the same
 * method, measured in turn with it; each figure is the median of the rounds. What
 * follows a program, the redirect and the neighbour lookup, is not in it.
 */
#define _GNU_SOURCE /* unshare() */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>

#include "datapath/bpf/dp.h"
#include "datapath/datapath.h"

#define REPEAT 500000
#define SINGLE 4000
#define ROUNDS 9
#define FRAME 1514
#define ETH 14
#define TAG_LOCAL 0x1234
#define TAG_PEER 0x5678

struct bench_case {
	const char *name;
	const char *dev;
	bool ingress;
	const char *src, *dst;
	bool tagged;
	bool changes; /* the packet */
	int result;   /* of the program */
	unsigned bar;
};

static const struct bench_case cases[] = {
	{ "egress, stranger", "up0", false, "2001:db8:99::1", "2001:db8:b::1", false, false, -1, 100 },
	{ "egress, unknown pair", "up0", false, "2001:db8:a::1", "2001:db8:99::1", false, false, -1, 100 },
	{ "egress, context on ULIDs", "up0", false, "2001:db8:a::1", "2001:db8:b::1", false, false, -1, 100 },
	{ "ingress, stranger", "up0", true, "2001:db8:b::1", "2001:db8:99::1", false, false, -1, 100 },
	{ "ingress, unknown pair", "up0", true, "2001:db8:99::1", "2001:db8:a::1", false, false, -1, 100 },
	{ "ingress, context on ULIDs", "up0", true, "2001:db8:b::1", "2001:db8:a::1", false, false, -1, 100 },
	{ "shim1, rewritten", "shim1", true, "2001:db8:a::2", "2001:db8:b::2", false, true, 7, 600 },
	{ "ingress, stripped", "up0", true, "2001:db8:b::99", "2001:db8:a::1", true, true, -1, 600 },
};

static struct datapath *dp;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bpf_cost: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	if (dp)
		datapath_remove_all(dp);
	exit(2);
}

static struct shim6_addr addr(const char *text)
{
	struct shim6_addr a;

	if (inet_pton(AF_INET6, text, a.b) != 1)
		die("%s: no address", text);
	return a;
}

static void install(uint32_t slot, const char *local, const char *peer, const char *now_local, const char *now_peer)
{
	struct shim6_projection p = { .ulid = { addr(local), addr(peer) },
				      .current = { addr(now_local), addr(now_peer) },
				      .ct_local = TAG_LOCAL + slot,
				      .ct_peer = TAG_PEER + slot,
				      .flags = SHIM6_PROJ_ACCEPT };
	int rc;

	if (!shim6_pair_eq(&p.ulid, &p.current))
		p.flags |= SHIM6_PROJ_REWRITE;
	rc = datapath_install(dp, slot, &p);
	if (rc)
		die("context %u: %s", slot, strerror(-rc));
}

/* A million contexts would not change it, so some thousands stand for a busy host. */
static void set_up(void)
{
	struct datapath_events none = { 0 };
	struct datapath_local l[2] = { { addr("2001:db8:a::1"), 0, 1500 }, { addr("2001:db8:a::2"), 0, 1500 } };
	struct datapath_config c;
	char err[256], peer[64];

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		die("needs root: %s", strerror(errno));
	if (system("ip link add up0 type veth peer name up1 && ip link set up0 up && ip link set up1 up"))
		die("cannot make a veth pair");
	datapath_config_default(&c);
	c.trigger_packets = UINT32_MAX; /* never told: the dearest way a packet without context can take */
	c.held_after = UINT64_MAX;	/* each segment is answered soon, as it is on a path that works */
	c.max_contexts = 8192;
	dp = datapath_bpf_open(&c, &none, NULL, err, sizeof(err));
	if (!dp)
		die("%s", err);
	l[0].ifindex = l[1].ifindex = if_nametoindex("up0");
	if (datapath_set_local(dp, l, 2) || datapath_attach(dp, l[0].ifindex))
		die("cannot attach to up0");
	install(0, "2001:db8:a::1", "2001:db8:b::1", "2001:db8:a::1", "2001:db8:b::1");
	install(1, "2001:db8:a::2", "2001:db8:b::2", "2001:db8:a::1", "2001:db8:b::3");
	for (unsigned i = 2; i < 4096; i++) {
		snprintf(peer, sizeof(peer), "2001:db8:b:%x::1", i);
		install(i, "2001:db8:a::1", peer, "2001:db8:a::1", peer);
	}
}

static int program(const struct bench_case *k)
{
	uint32_t id = dp_filter_program(if_nametoindex(k->dev), k->ingress);
	int fd;

	if (!id)
		die("no program on %s", k->dev);
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		die("program %u: %s", id, strerror(errno));
	return fd;
}

static int null_program(void)
{
	static const struct bpf_insn pass[] = { { .code = 0xb7, .dst_reg = 0, .imm = -1 }, { .code = 0x95 } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "nothing", "GPL", pass, 2, NULL);

	if (fd < 0)
		die("cannot load a program: %s", strerror(errno));
	return fd;
}

/* A full TCP segment with timestamps, as most are. */
static void frame_of(const struct bench_case *k, uint8_t f[FRAME])
{
	static const uint8_t tcp[32] = { 0x1f, 0x90, 0xc3, 0x50, 0, 0, 0, 1, 0, 0, 0, 1,
					 0x80, 0x10, 2,	   0,	 0, 0, 0, 0, 1, 1, 8, 10 };
	struct shim6_addr src = addr(k->src), dst = addr(k->dst);
	size_t at = ETH + 40, len = FRAME - at;

	memset(f, 0, FRAME);
	f[12] = 0x86, f[13] = 0xdd;
	if (!k->tagged)
		len -= 8; /* room for what will be inserted */
	f[ETH] = 0x60;
	f[ETH + 4] = (uint8_t)(len >> 8), f[ETH + 5] = (uint8_t)len;
	f[ETH + 6] = k->tagged ? 140 : 6;
	f[ETH + 7] = 64;
	memcpy(f + ETH + 8, src.b, 16);
	memcpy(f + ETH + 24, dst.b, 16);
	if (k->tagged) {
		f[at] = 6, f[at + 2] = 0x80;
		f[at + 6] = TAG_LOCAL >> 8, f[at + 7] = TAG_LOCAL & 0xff;
		at += 8;
	}
	memcpy(f + at, tcp, sizeof(tcp));
}

static double run_time(int fd, uint64_t *count)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		die("no statistics: %s", strerror(errno));
	*count = info.run_cnt;
	return (double)info.run_time_ns;
}

static void run(int fd, uint8_t *frame, size_t len, int repeat, int expected, uint32_t *ns)
{
	uint8_t out[FRAME + 64];
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = repeat);

	if (bpf_prog_test_run_opts(fd, &o))
		die("test run: %s", strerror(errno));
	if ((int)o.retval != expected)
		die("the program answered %d, not %d", (int)o.retval, expected);
	*ns = o.duration;
}

static double once(const struct bench_case *k, int fd, uint8_t *frame, int expected)
{
	size_t len = k->tagged ? FRAME : FRAME - 8;
	uint64_t before, after;
	double start;
	uint32_t ns;

	if (!k->changes) {
		run(fd, frame, len, REPEAT, expected, &ns);
		return ns;
	}
	start = run_time(fd, &before);
	for (int i = 0; i < SINGLE; i++)
		run(fd, frame, len, 1, expected, &ns);
	start = run_time(fd, &after) - start;
	if (after - before != SINGLE)
		die("%llu runs were counted, not %d", (unsigned long long)(after - before), SINGLE);
	return start / SINGLE;
}

static int less(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static bool measure(const struct bench_case *k, int null)
{
	double ns[ROUNDS], nothing[ROUNDS], figure;
	uint8_t frame[FRAME];
	int fd = program(k);

	frame_of(k, frame);
	for (int i = 0; i < ROUNDS; i++) {
		nothing[i] = once(k, null, frame, -1);
		ns[i] = once(k, fd, frame, k->result);
	}
	close(fd);
	qsort(ns, ROUNDS, sizeof(ns[0]), less);
	qsort(nothing, ROUNDS, sizeof(nothing[0]), less);
	figure = ns[ROUNDS / 2] - nothing[ROUNDS / 2];
	printf("{\"bench\":\"bpf_cost\",\"case\":\"%s\",\"method\":\"%s\",\"ns\":%.1f,\"ns_min\":%.1f,\"ns_max\":%.1f,"
	       "\"ns_nothing\":%.1f,\"bar\":%u,\"ok\":%s}\n",
	       k->name, k->changes ? "stats" : "repeat", figure, ns[0] - nothing[ROUNDS / 2],
	       ns[ROUNDS - 1] - nothing[ROUNDS / 2], nothing[ROUNDS / 2], k->bar, figure <= k->bar ? "true" : "false");
	fflush(stdout);
	return figure <= k->bar;
}

int main(void)
{
	bool ok = true;
	int stats, null;

	set_up();
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats < 0)
		die("no run time statistics: %s", strerror(errno));
	null = null_program();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* the statistics cost time of their own: on only where they are used */
		if (!cases[i].changes && stats >= 0) {
			close(stats);
			stats = -1;
		} else if (cases[i].changes && stats < 0) {
			stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
		}
		ok = measure(&cases[i], null) && ok;
	}
	datapath_remove_all(dp);
	return ok ? 0 : 1;
}
