/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE /* setns(), unshare() */
#include "dp_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct lab_host A = { .name = 'a' }, B = { .name = 'b' }, R = { .name = 'r' };
struct shim6_pair ulids, alternative;

struct shim6_addr addr(const char *text)
{
	struct shim6_addr a;

	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

struct shim6_pair turned(const struct shim6_pair *p)
{
	return (struct shim6_pair){ .local = p->peer, .peer = p->local };
}

void enter(const struct lab_host *h)
{
	assert_int_equal(setns(h->ns, CLONE_NEWNET), 0);
}

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- what the data path tells --- */

static void unknown_tag(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, uint64_t tag)
{
	struct lab_host *h = user;

	h->unknown++;
	h->unknown_src = *src;
	h->unknown_dst = *dst;
	h->unknown_tag = tag;
}

static void activity(void *user, uint32_t slot, uint64_t ct_local, unsigned mask)
{
	struct lab_host *h = user;

	h->activities++;
	h->activity_slot = slot;
	h->activity_tag = ct_local;
	h->activity_mask = mask;
}

static void trigger(void *user, const struct shim6_pair *ulid, uint64_t packets)
{
	struct lab_host *h = user;

	h->triggers++;
	h->trigger_pair = *ulid;
	h->trigger_packets = packets;
}

static void icmp_told(void *user, uint32_t slot, uint64_t ct_peer, uint8_t type, uint8_t code, uint32_t mtu)
{
	struct lab_host *h = user;

	h->icmps++;
	h->icmp_slot = slot;
	h->icmp_tag = ct_peer;
	h->icmp_type = type;
	h->icmp_code = code;
	h->icmp_mtu = mtu;
}

static void held(void *user, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len)
{
	struct lab_host *h = user;

	(void)slot;
	(void)ct_local;
	assert_true(packet[0] >> 4 == 6 && len > 40 && len <= sizeof(h->held));
	if (h->helds++)
		return;
	memcpy(h->held, packet, len);
	h->held_len = len;
}

static void error_kept(void *user, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len)
{
	struct lab_host *h = user;

	assert_true(len <= sizeof(h->error));
	h->errors++;
	h->error_slot = slot;
	h->error_tag = ct_local;
	memcpy(h->error, packet, len);
	h->error_len = len;
}

static const struct datapath_events events = { unknown_tag, activity, trigger, icmp_told, held, error_kept };

static void pump_for(int ms)
{
	struct pollfd p[2] = { { .fd = -1 }, { .fd = -1 } };
	struct lab_host *hosts[2] = { &A, &B };

	for (int i = 0; i < 2; i++)
		if (hosts[i]->dp)
			p[i] = (struct pollfd){ .fd = datapath_fd(hosts[i]->dp), .events = POLLIN };
	poll(p, 2, ms);
	for (int i = 0; i < 2; i++) {
		if (!hosts[i]->dp)
			continue;
		enter(hosts[i]);
		datapath_dispatch(hosts[i]->dp);
	}
}

void pump(void)
{
	pump_for(5);
}

void pump_now(void)
{
	pump_for(0);
}

/* --- the topology --- */

static void namespace_of(struct lab_host *h)
{
	if (unshare(CLONE_NEWNET) != 0) {
		perror("skipped, no network namespace: unshare");
		exit(TEST_SKIPPED);
	}
	h->ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (h->ns < 0) {
		perror("/proc/thread-self/ns/net");
		exit(1);
	}
	sh("ip link set lo up");
	sh("sysctl -qw net.ipv4.tcp_congestion_control=reno net.ipv6.conf.all.accept_dad=0"
	   " net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_ra=0 net.ipv6.icmp.ratelimit=0");
}

void lab_begin(void)
{
	ulids = (struct shim6_pair){ addr("2001:db8:a1::1"), addr("2001:db8:b1::1") };
	alternative = (struct shim6_pair){ addr("2001:db8:a2::1"), addr("2001:db8:b2::1") };
	/* Pins of our own: another run, or a daemon of this machine, is not to be seen. */
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) != 0) {
		perror("skipped, no bpf file system of our own");
		exit(TEST_SKIPPED);
	}
	namespace_of(&A);
	namespace_of(&B);
	namespace_of(&R);
	sh("sysctl -qw net.ipv6.conf.all.forwarding=1");
}

static void link_up(const struct lab_host *h, int n)
{
	char name[3] = { h->name, (char)('0' + n) };

	enter(h);
	sh("ip link add %s type veth peer name r%s netns /proc/%d/fd/%d", name, name, (int)getpid(), R.ns);
	sh("ip link set %s up && ip addr add 2001:db8:%s::1/64 dev %s nodad", name, name, name);
	sh("ip -6 route add default via 2001:db8:%s::ff dev %s table 10%d metric 1", name, name, n);
	sh("ip -6 rule add from 2001:db8:%s::/64 lookup 10%d priority %d", name, n, 2000 + n);
	sh("ip -6 route add default via 2001:db8:%s::ff dev %s metric %d", name, name, n);
	enter(&R);
	sh("ip link set r%s up && ip addr add 2001:db8:%s::ff/64 dev r%s nodad", name, name, name);
}

static unsigned device_mtu(const char *dev)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	assert_int_equal(ioctl(fd, SIOCGIFMTU, &ifr), 0);
	close(fd);
	return (unsigned)ifr.ifr_mtu;
}

void lab_set_local(struct lab_host *h)
{
	struct datapath_local l[2];
	char text[32], dev[3] = { h->name, 0 };

	enter(h);
	for (int n = 0; n < 2; n++) {
		dev[1] = (char)('1' + n);
		snprintf(text, sizeof(text), "2001:db8:%s::1", dev);
		l[n] = (struct datapath_local){ .addr = addr(text),
						.ifindex = if_nametoindex(dev),
						.mtu = device_mtu(dev) };
	}
	assert_int_equal(datapath_set_local(h->dp, l, 2), 0);
}

void lab_attach(struct lab_host *h)
{
	char dev[3] = { h->name, 0 };

	enter(h);
	for (int n = 0; n < 2; n++) {
		dev[1] = (char)('1' + n);
		assert_int_equal(datapath_attach(h->dp, if_nametoindex(dev)), 0);
	}
}

void lab_open(struct lab_host *h)
{
	char err[512] = "";

	enter(h);
	snprintf(h->pin_dir, sizeof(h->pin_dir), "/sys/fs/bpf/test-%c", h->name);
	datapath_config_default(&h->cfg);
	h->cfg.pin_dir = h->pin_dir;
	h->cfg.max_contexts = 64;
	h->cfg.trigger_packets = 8;
	h->dp = datapath_bpf_open(&h->cfg, &events, h, err, sizeof(err));
	if (!h->dp)
		fail_msg("host %c: %s", h->name, err);
	lab_set_local(h);
	lab_attach(h);
}

static void forget_events(struct lab_host *h)
{
	struct lab_host fresh = { .name = h->name, .ns = h->ns };

	*h = fresh;
}

int lab_up(void **state)
{
	(void)state;
	forget_events(&A);
	forget_events(&B);
	for (int n = 1; n <= 2; n++) {
		link_up(&A, n);
		link_up(&B, n);
	}
	lab_open(&A);
	lab_open(&B);
	return 0;
}

static void host_down(struct lab_host *h)
{
	enter(h);
	if (h->dp)
		datapath_remove_all(h->dp);
	h->dp = NULL;
	for (int n = 1; n <= 2; n++)
		sh("ip link del %c%d 2>/dev/null; ip -6 rule del priority %d; ip -6 route flush table 10%d; true",
		   h->name, n, 2000 + n, n);
}

int lab_down(void **state)
{
	(void)state;
	host_down(&A);
	host_down(&B);
	return 0;
}

void lab_mtu(struct lab_host *h, int link, unsigned mtu)
{
	enter(&R);
	sh("ip link set r%c%d mtu %u", h->name, link, mtu);
	enter(h);
	sh("ip link set %c%d mtu %u", h->name, link, mtu);
	lab_set_local(h);
}

void lab_offload(bool on)
{
	const struct lab_host *hosts[] = { &A, &B };

	for (int i = 0; i < 2; i++) {
		enter(hosts[i]);
		for (int n = 1; n <= 2; n++)
			sh("ethtool -K %c%d tso %s gso %s tx %s >/dev/null 2>&1", hosts[i]->name, n, on ? "on" : "off",
			   on ? "on" : "off", on ? "on" : "off");
	}
}

/* --- contexts --- */

void context_at(struct lab_host *h, const struct shim6_pair *current, unsigned flags)
{
	bool at_a = h == &A;
	struct shim6_projection p = { .ulid = at_a ? ulids : turned(&ulids),
				      .current = at_a ? *current : turned(current),
				      .ct_local = at_a ? TAG_A : TAG_B,
				      .ct_peer = at_a ? TAG_B : TAG_A,
				      .flags = flags };

	enter(h);
	assert_int_equal(datapath_install(h->dp, at_a ? SLOT_A : SLOT_B, &p), 0);
	/* what the daemon's loop does after each change */
	datapath_dispatch(h->dp);
}

void contexts(const struct shim6_pair *current)
{
	unsigned flags = SHIM6_PROJ_ACCEPT | (shim6_pair_eq(current, &ulids) ? 0u : SHIM6_PROJ_REWRITE);

	context_at(&B, current, flags);
	context_at(&A, current, flags);
}

uint64_t counter(struct lab_host *h, const char *name)
{
	for (unsigned i = 0; i < datapath_counter_count(h->dp); i++)
		if (!strcmp(datapath_counter_name(h->dp, i), name))
			return datapath_counter(h->dp, i);
	fail_msg("no counter %s", name);
	return 0;
}

void print_counters(struct lab_host *h)
{
	for (unsigned i = 0; h->dp && i < datapath_counter_count(h->dp); i++)
		if (datapath_counter(h->dp, i))
			print_message("  %c %s %llu\n", h->name, datapath_counter_name(h->dp, i),
				      (unsigned long long)datapath_counter(h->dp, i));
}
