/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a data path: it outlives its process and the next one takes it
 * over while packets flow; devices come and go; removal and purge leave the
 * system as it was, and another host's data path alone.
 */
#define _GNU_SOURCE
#include "dp_lab.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct frame f;

/* --- what is in force, as text --- */

#define STATE_MAX (64 * 1024)

static char *state_of(const struct lab_host *h)
{
	static const char command[] =
		"ip -6 addr | sed 's/state [A-Z]*//'; ip link show | sed 's/state [A-Z]*//';"
		"ip -6 rule; ip -6 route show table all | grep -v ' fe80\\|^fe80\\|ff00::' | sort; tc qdisc show;"
		"for d in $(ls /proc/sys/net/ipv6/conf); do for w in ingress egress; do"
		" tc filter show dev $d $w 2>/dev/null; done; done; ls /sys/fs/bpf";
	char *text = calloc(1, STATE_MAX);
	FILE *p;

	assert_non_null(text);
	enter(h);
	p = popen(command, "r");
	assert_non_null(p);
	assert_true(fread(text, 1, STATE_MAX - 1, p) > 0);
	pclose(p);
	return text;
}

static void assert_same(char *before, char *after)
{
	if (strcmp(before, after) != 0)
		fail_msg("before:\n%s\nafter:\n%s", before, after);
	free(before);
	free(after);
}

/* The programs of a host's filters and the maps they use; their numbers are the kernel's, of this machine. */
struct objects {
	uint32_t prog[8], map[64];
	unsigned n_progs, n_maps;
};

static void add_program(struct objects *o, const char *dev, bool ingress)
{
	uint32_t id = dp_filter_program(if_nametoindex(dev), ingress);
	uint32_t maps[32];
	struct bpf_prog_info info = { .nr_map_ids = 32, .map_ids = (uintptr_t)maps };
	uint32_t len = sizeof(info);
	int fd;

	fd = bpf_prog_get_fd_by_id(id);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	o->prog[o->n_progs++] = id;
	for (unsigned i = 0; i < info.nr_map_ids && o->n_maps < 64; i++)
		o->map[o->n_maps++] = maps[i];
}

static struct objects objects_of(const struct lab_host *h)
{
	struct objects o = { 0 };
	char dev[] = { h->name, '1', 0 };

	enter(h);
	add_program(&o, dev, true);
	add_program(&o, dev, false);
	add_program(&o, "shim1", true);
	return o;
}

static unsigned alive(const struct objects *o)
{
	unsigned n = 0;
	int fd;

	for (unsigned i = 0; i < o->n_progs; i++) {
		fd = bpf_prog_get_fd_by_id(o->prog[i]);
		n += fd >= 0;
		close(fd);
	}
	for (unsigned i = 0; i < o->n_maps; i++) {
		fd = bpf_map_get_fd_by_id(o->map[i]);
		n += fd >= 0;
		close(fd);
	}
	return n;
}

/* Everything that leaves something behind. */
static void busy(void)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	struct shim6_addr p = addr("2001:db8:99::");

	contexts(&alternative);
	enter(&A);
	assert_int_equal(datapath_set_mtu(A.dp, SLOT_A, 1280), 0); /* the second table and its rule */
	assert_int_equal(datapath_bypass_prefix(A.dp, &p, 48, true), 0);
	udp_exchange(a, b, 100);
	udp_exchange(b, a, 100);
	close(a), close(b);
}

static char *state_without(void)
{
	enter(&A);
	datapath_remove_all(A.dp);
	A.dp = NULL;
	return state_of(&A);
}

static void test_remove_all_leaves_nothing(void **state)
{
	char *before = state_without();
	struct objects o;

	(void)state;
	lab_open(&A);
	busy();
	o = objects_of(&A);
	assert_true(alive(&o) >= 3 + 12);
	enter(&A);
	datapath_remove_all(A.dp);
	A.dp = NULL;
	assert_same(before, state_of(&A));
	wait_until(alive(&o) == 0); /* the kernel frees them a little later */
	/* the other host's are all there */
	o = objects_of(&B);
	assert_true(alive(&o) >= 3 + 12);
}

static void test_purge_leaves_nothing(void **state)
{
	char *before = state_without(), err[256] = "";
	struct objects o;

	(void)state;
	lab_open(&A);
	busy();
	o = objects_of(&A);
	enter(&A);
	datapath_close(A.dp);
	A.dp = NULL;
	assert_true(alive(&o) >= 3 + 12);
	assert_int_equal(datapath_bpf_purge(&A.cfg, err, sizeof(err)), 0);
	assert_same(before, state_of(&A));
	wait_until(alive(&o) == 0);
	/* again: nothing to do */
	enter(&A);
	assert_int_equal(datapath_bpf_purge(&A.cfg, err, sizeof(err)), 0);
}

static int pass_fd(void)
{
	static const struct bpf_insn pass[] = { { .code = 0xb7, .dst_reg = 0, .imm = -1 }, { .code = 0x95 } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "other", "GPL", pass, 2, NULL);

	assert_true(fd >= 0);
	return fd;
}

/* Somebody else uses clsact too: theirs stays, before us or after us. */
static void test_other_filters_stay(void **state)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);
	int fd = pass_fd();

	(void)state;
	enter(&A);
	hook.ifindex = (int)if_nametoindex("a1");
	opts.prog_fd = fd;
	bpf_tc_hook_create(&hook); /* may be there: ours, on old kernels */
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
	datapath_remove_all(A.dp);
	A.dp = NULL;
	sh("tc filter show dev a1 ingress | grep -q other && ! tc filter show dev a1 ingress | grep -q shim6");
	sh("tc qdisc show dev a1 | grep -q clsact && ! tc qdisc show dev a2 | grep -q clsact");
	/* a clsact that was there before us stays, empty as it was */
	sh("tc qdisc del dev a1 clsact && tc qdisc add dev a1 clsact");
	lab_open(&A);
	enter(&A);
	datapath_remove_all(A.dp);
	A.dp = NULL;
	sh("tc qdisc show dev a1 | grep -q clsact && ! tc qdisc show dev a2 | grep -q clsact");
	close(fd);
}

/* All programs on a device of A, both directions: called directly, and as filters. */
static int programs_at(unsigned ifindex)
{
	int all = rtnl_clsact_filters(A.dp->rtnl, ifindex);

	for (int tcx = 46; tcx <= 47; tcx++) {
		uint32_t ids[8], n = 8;

		if (!bpf_prog_query((int)ifindex, (enum bpf_attach_type)tcx, 0, NULL, ids, &n))
			all += (int)n;
	}
	return all;
}

/* What an earlier version left as filters gives way: packets must not meet both kinds. */
static void test_filter_gives_way(void **state)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 140, .priority = 140, .flags = BPF_TC_F_REPLACE);
	unsigned a1;

	(void)state;
	enter(&A);
	a1 = if_nametoindex("a1");
	hook.ifindex = (int)a1;
	bpf_tc_hook_create(&hook);
	for (int ingress = 0; ingress < 2; ingress++) {
		hook.attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
		opts.prog_fd = bpf_prog_get_fd_by_id(dp_filter_program(a1, ingress));
		opts.prog_id = 0;
		assert_true(opts.prog_fd >= 0);
		assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
		close(opts.prog_fd);
	}
	assert_true(programs_at(a1) >= 2);
	assert_int_equal(datapath_attach(A.dp, a1), 0);
	assert_int_equal(programs_at(a1), 2);
}

static void test_attach_and_detach(void **state)
{
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000), wire = capture(&R, "ra2");
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	unsigned a2;

	(void)state;
	contexts(&alternative);
	enter(&A);
	a2 = if_nametoindex("a2");
	assert_int_equal(datapath_attach(A.dp, a2), 0);
	assert_int_equal(programs_at(a2), 2);
	assert_int_equal(datapath_attach(A.dp, if_nametoindex("lo")), -EOPNOTSUPP);
	assert_int_equal(datapath_attach(A.dp, if_nametoindex("shim0")), -EINVAL);
	assert_int_equal(datapath_attach(A.dp, 4711), -ENODEV);
	assert_int_equal(datapath_detach(A.dp, 4711), 0);

	udp_exchange(a, b, 10);
	udp_exchange(b, a, 10);
	enter(&A);
	assert_int_equal(datapath_detach(A.dp, a2), 0);
	assert_int_equal(programs_at(a2), 0);
	assert_int_equal(datapath_detach(A.dp, a2), 0);
	sh("! tc qdisc show dev a2 | grep -q clsact");
	drain(wire, 1500);
	assert_int_equal(send(b, "x", 1, 0), 1);
	expect_frame(wire, TAGGED, &f);
	pump();
	assert_int_equal(recv(a, &f, 10, MSG_DONTWAIT), -1);
	enter(&A);
	assert_int_equal(datapath_attach(A.dp, a2), 0);
	udp_exchange(b, a, 11);

	/* a device that vanishes, one that comes anew */
	enter(&A);
	sh("ip link add az type veth peer name zz && ip link set az up");
	assert_int_equal(datapath_attach(A.dp, if_nametoindex("az")), 0);
	a2 = if_nametoindex("az");
	sh("ip link del az");
	assert_int_equal(datapath_detach(A.dp, a2), 0);
	udp_exchange(a, b, 12);
	close(a), close(b), close(wire);
}

/* A stream of numbered datagrams in the background. */
struct stream {
	int from, to;
	atomic_bool stop;
	atomic_uint sent;
	pthread_t thread;
};

static void *stream_run(void *user)
{
	struct stream *s = user;
	const struct timespec gap = { .tv_nsec = 300000 };

	while (!s->stop) {
		unsigned n = s->sent;

		if (send(s->from, &n, sizeof(n), 0) == sizeof(n))
			s->sent++;
		nanosleep(&gap, NULL);
	}
	return NULL;
}

static void stream_start(struct stream *s)
{
	int room = 8 << 20;

	s->to = udp_at(&B, "2001:db8:b1::1", 7001, NULL, 0);
	s->from = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	s->stop = false;
	s->sent = 0;
	setsockopt(s->to, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	assert_int_equal(pthread_create(&s->thread, NULL, stream_run, s), 0);
}

/* All have come, in order. */
static void stream_end(struct stream *s)
{
	unsigned n;

	s->stop = true;
	pthread_join(s->thread, NULL);
	for (unsigned i = 0; i < s->sent; i++) {
		if (recv(s->to, &n, sizeof(n), 0) != sizeof(n))
			fail_msg("datagram %u of %u did not come", i, s->sent);
		assert_int_equal(n, i);
	}
	close(s->from), close(s->to);
}

static void same_as_before(uint64_t rewritten)
{
	struct shim6_projection p;
	struct shim6_stamps s;

	assert_true(datapath_get(A.dp, SLOT_A, &p));
	assert_true(shim6_pair_eq(&p.ulid, &ulids));
	assert_true(shim6_pair_eq(&p.current, &alternative));
	assert_int_equal(p.ct_local, TAG_A);
	assert_int_equal(p.ct_peer, TAG_B);
	assert_int_equal(p.flags, SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE);
	assert_false(datapath_get(A.dp, 0, &p));
	assert_int_equal(datapath_mtu(A.dp, SLOT_A), 1400);
	assert_true(datapath_stamps(A.dp, SLOT_A, &s));
	assert_true(s.tx_packets >= rewritten);
	assert_true(counter(&A, "tx_rewritten") >= rewritten);
}

/* The process ends in good order; traffic goes on, and through the start of the next one. */
static void test_takeover(void **state)
{
	struct stream s;
	uint64_t before;

	(void)state;
	contexts(&alternative);
	enter(&A);
	assert_int_equal(datapath_set_mtu(A.dp, SLOT_A, 1400), 0);
	stream_start(&s);
	wait_until(counter(&A, "tx_rewritten") > 50);
	before = counter(&A, "tx_rewritten");
	for (int i = 0; i < 3; i++) {
		unsigned at;

		enter(&A);
		datapath_close(A.dp);
		A.dp = NULL;
		at = s.sent;
		wait_until(s.sent > at + 20);
		lab_open(&A);
		same_as_before(before);
		at = s.sent;
		wait_until(s.sent > at + 20);
	}
	stream_end(&s);
	assert_int_equal(counter(&A, "tx_no_locator") + counter(&A, "tx_torn") + counter(&A, "tx_no_interface"), 0);
	contexts(&ulids);
	assert_int_equal(counter(&A, "route_failures"), 0);
	enter(&A);
	sh("test -z \"$(ip -6 route show table 5533)\"");
	/* what was taken over is let go of like the rest */
	sh("ip -6 addr show dev shim0 | grep -q 2001:db8:a1::1/128");
	datapath_remove(A.dp, SLOT_A);
	sh("! ip -6 addr show dev shim0 | grep -q inet6");
}

/* The interface of a ULID goes down and takes the address along; its connections live on. */
static void test_ulid_outlives_its_interface(void **state)
{
	int l = tcp_listen(&B, "2001:db8:b1::1", 7002);
	int c = tcp_connect(&A, "2001:db8:a1::1", "2001:db8:b1::1", 7002), k = accept(l, NULL, NULL);

	(void)state;
	contexts(&ulids);
	tcp_transfer(c, k, 100000);
	enter(&A);
	sh("ip link set a1 down && ! ip -6 addr show dev a1 | grep -q 2001:db8:a1::1");
	contexts(&alternative);
	tcp_transfer(c, k, 1000000);
	tcp_transfer(k, c, 1000000);
	close(c), close(k), close(l);
}

/* kill -9, with a connection on the alternative pair. */
static void test_killed(void **state)
{
	struct stream s;
	int l, c, k, ready[2], status;
	uint64_t before;
	char ok = 1;
	pid_t pid;

	(void)state;
	enter(&A);
	datapath_remove_all(A.dp);
	A.dp = NULL;
	context_at(&B, &alternative, SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		lab_open(&A);
		context_at(&A, &alternative, SHIM6_PROJ_ACCEPT | SHIM6_PROJ_REWRITE);
		datapath_set_mtu(A.dp, SLOT_A, 1400);
		if (write(ready[1], &ok, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &ok, 1), 1);
	l = tcp_listen(&B, "2001:db8:b1::1", 7002);
	c = tcp_connect(&A, "2001:db8:a1::1", "2001:db8:b1::1", 7002);
	k = accept(l, NULL, NULL);
	tcp_transfer(c, k, 100000);
	stream_start(&s);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	tcp_transfer(c, k, 1000000);
	tcp_transfer(k, c, 1000000);
	lab_open(&A);
	before = counter(&A, "tx_rewritten");
	assert_true(before > 700);
	same_as_before(before);
	tcp_transfer(c, k, 1000000);
	stream_end(&s);
	close(c), close(k), close(l), close(ready[0]), close(ready[1]);
}

/* What another build or another size left cannot be taken over: begun anew, nothing of it stays. */
static void test_other_layout(void **state)
{
	struct shim6_projection p;
	char err[256] = "";
	struct datapath_events none = { 0 };

	(void)state;
	busy();
	enter(&A);
	datapath_close(A.dp);
	A.cfg.max_contexts = 128;
	A.dp = datapath_bpf_open(&A.cfg, &none, NULL, err, sizeof(err));
	if (!A.dp)
		fail_msg("%s", err);
	assert_false(datapath_get(A.dp, SLOT_A, &p));
	assert_int_equal(counter(&A, "tx_rewritten"), 0);
	sh("test -z \"$(ip -6 route show table 5533)\" && ! ip -6 addr show dev shim0 | grep -q inet6");
	/* no device is attached any more: the daemon attaches those it uses */
	sh("! tc filter show dev a1 ingress | grep -q shim6");
	assert_int_equal(dp_filter_program(if_nametoindex("a1"), true), 0);
	lab_set_local(&A);
	lab_attach(&A);
	busy();
}

static char *rules_of(const struct lab_host *h, bool only)
{
	char *text = calloc(1, STATE_MAX);
	FILE *p;

	assert_non_null(text);
	enter(h);
	p = popen(only ? "ip -6 rule | grep 'lookup 553[34]'" : "ip -6 rule", "r");
	assert_non_null(p);
	assert_true(fread(text, 1, STATE_MAX - 1, p) > 0 || only);
	pclose(p);
	return text;
}

/* Another program takes the rules away, as systemd-networkd does when it starts: they come back, while there are
 * routes. */
static void test_rules_are_put_back(void **state)
{
	char *none = rules_of(&A, false), *both;

	(void)state;
	busy();
	both = rules_of(&A, true);
	assert_non_null(strstr(both, "lookup 5533"));
	assert_non_null(strstr(both, "lookup 5534"));
	for (unsigned i = 0; i < 2; i++) {
		enter(&A);
		sh("ip -6 rule del priority %u", A.cfg.rule_priority + i);
		datapath_restore(A.dp);
		assert_same(strdup(both), rules_of(&A, true));
	}
	contexts(&ulids);
	enter(&A);
	datapath_restore(A.dp);
	assert_same(none, rules_of(&A, false));
	free(both);
}

/* A process that ended between its last routes and their rules leaves none for ever. */
static void test_takeover_without_routes(void **state)
{
	char *none = rules_of(&A, false);

	(void)state;
	enter(&A);
	datapath_close(A.dp);
	for (unsigned i = 0; i < 2; i++)
		sh("ip -6 rule add fwmark 0/0x8000000 %s lookup %u priority %u protocol 140", i ? "" : "ipproto tcp",
		   A.cfg.route_table + 1 - i, A.cfg.rule_priority + i);
	lab_open(&A);
	assert_same(none, rules_of(&A, false));
}

/* Octets of maps in our memory. */
static unsigned long mapped(void)
{
	unsigned long from, to, sum = 0;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, "bpf-map") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			sum += to - from;
	}
	fclose(maps);
	return sum;
}

/* Of the activity only the parts with slots in use are mapped; the last one is shorter than the others. */
static void test_activity_in_parts(void **state)
{
	const uint32_t slots = 2 * DP_ACTIVITY_PART + 33,
		       at[] = { 0, DP_ACTIVITY_PART - 1, DP_ACTIVITY_PART, slots - 1 };
	const unsigned long part = DP_ACTIVITY_PART * sizeof(struct sb_activity), grows[] = { part, 0, part, 8192 };
	int b = udp_at(&B, "2001:db8:b1::1", 7001, "2001:db8:a1::1", 7000);
	int a = udp_at(&A, "2001:db8:a1::1", 7000, "2001:db8:b1::1", 7001);
	struct shim6_projection p = { .ulid = ulids, .current = ulids, .ct_local = TAG_A, .ct_peer = TAG_B };
	struct datapath_events none = { 0 };
	unsigned long before, nothing;
	struct shim6_stamps s;
	char err[256] = "";

	(void)state;
	enter(&A);
	datapath_close(A.dp);
	nothing = mapped();
	A.cfg.max_contexts = slots;
	A.dp = datapath_bpf_open(&A.cfg, &none, NULL, err, sizeof(err));
	if (!A.dp)
		fail_msg("%s", err);
	lab_set_local(&A);
	lab_attach(&A);
	for (unsigned i = 0; i < 4; i++) {
		enter(&A);
		before = mapped();
		assert_int_equal(datapath_install(A.dp, at[i], &p), 0);
		assert_int_equal(mapped() - before, grows[i]);
		udp_exchange(a, b, 100);
		assert_true(datapath_stamps(A.dp, at[i], &s));
		assert_int_equal(s.tx_packets, 1);
		datapath_remove(A.dp, at[i]);
	}
	datapath_close(A.dp);
	assert_int_equal(mapped(), nothing);
	lab_open(&A);
	close(a), close(b);
}

static void refuses(struct datapath_config c, const char *word)
{
	struct datapath_events none = { 0 };
	char err[256] = "";

	enter(&A);
	assert_null(datapath_bpf_open(&c, &none, NULL, err, sizeof(err)));
	if (!strstr(err, word))
		fail_msg("'%s' does not say '%s'", err, word);
}

/* An open that fails says why and leaves everything as it was. */
static void test_refusals(void **state)
{
	char *before = state_without();
	char empty[] = "/tmp/shim6-pins-XXXXXX";
	struct datapath_config c = A.cfg;

	(void)state;
	assert_non_null(mkdtemp(empty));
	c.pin_dir = empty;
	refuses(c, "is not in a bpf file system");
	assert_int_equal(rmdir(empty), 0); /* it was not made by the data path, which left it */
	c.pin_dir = "";
	refuses(c, "pin directory");
	c = A.cfg;
	c.device = "a-name-too-long-for-it";
	refuses(c, "device name");
	c = A.cfg;
	c.max_contexts = 0;
	refuses(c, "number of contexts");
	c = A.cfg;
	c.pin_dir = "/sys/fs/bpf/test-a";
	sh("ip link add shim0 type bridge");
	refuses(c, "shim0");
	sh("ip link del shim0");
	assert_same(before, state_of(&A));
}

/* Two slots cannot have one tag or one ULID pair; what is refused changes nothing. */
static void test_install_refusals(void **state)
{
	struct shim6_projection p = { .ulid = ulids, .current = ulids, .ct_local = 1, .ct_peer = 2 }, q;

	(void)state;
	contexts(&alternative);
	enter(&A);
	assert_int_equal(datapath_install(A.dp, 7, &p), -EEXIST);
	p.ulid.peer = addr("2001:db8:b9::9");
	p.ct_local = TAG_A;
	assert_int_equal(datapath_install(A.dp, 7, &p), -EEXIST);
	p.ct_local = 1ULL << 47;
	assert_int_equal(datapath_install(A.dp, 7, &p), -EINVAL);
	p.ct_local = 1;
	assert_int_equal(datapath_install(A.dp, 64, &p), -EINVAL);
	assert_false(datapath_get(A.dp, 7, &q));
	for (uint32_t i = 0; i < 64; i++) {
		if (i == SLOT_A)
			continue;
		p.ulid.peer.b[15] = (uint8_t)i;
		p.ct_local = i + 100;
		assert_int_equal(datapath_install(A.dp, i, &p), 0);
	}
	/* full, and still every one of them can change */
	for (uint32_t i = 0; i < 64; i++) {
		if (i == SLOT_A)
			continue;
		p.ulid.peer.b[15] = (uint8_t)(i + 100);
		p.ct_local = i + 200;
		assert_int_equal(datapath_install(A.dp, i, &p), 0);
		datapath_remove(A.dp, i);
		assert_false(datapath_get(A.dp, i, &q));
	}
	busy();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, lab_up, lab_down)
	const struct CMUnitTest tests[] = {
		T(test_remove_all_leaves_nothing),
		T(test_purge_leaves_nothing),
		T(test_other_filters_stay),
		T(test_filter_gives_way),
		T(test_attach_and_detach),
		T(test_takeover),
		T(test_ulid_outlives_its_interface),
		T(test_killed),
		T(test_other_layout),
		T(test_rules_are_put_back),
		T(test_takeover_without_routes),
		T(test_activity_in_parts),
		T(test_refusals),
		T(test_install_refusals),
	};

	lab_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
