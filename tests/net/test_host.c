/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host/ against the kernel: links, addresses through duplicate address
 * detection, routers of every kind of route, neighbour failure, lost
 * notifications, full tables (PA-01..PA-07, PA-16).
 */
#define _GNU_SOURCE /* unshare() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/host.h"
#include "netns.h"

#define PATIENCE_MS 8000

static struct host *h;
static unsigned told; /* calls of changed() */

static void changed(void *user)
{
	(void)user;
	told++;
}

static struct shim6_addr addr(const char *text)
{
	struct shim6_addr a;

	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static const struct host_address *find_address(const char *text, const char *dev)
{
	const struct host_link *l = host_link_by_name(h, dev);
	const struct host_snapshot *s = host_snapshot(h);
	struct shim6_addr a = addr(text);

	for (unsigned i = 0; l && i < s->n_addresses; i++)
		if (shim6_addr_eq(&s->addresses[i].addr, &a) && s->addresses[i].ifindex == l->ifindex)
			return &s->addresses[i];
	return NULL;
}

static const struct host_router *find_router(const char *text, const char *dev)
{
	const struct host_link *l = host_link_by_name(h, dev);
	const struct host_snapshot *s = host_snapshot(h);
	struct shim6_addr a = addr(text);

	for (unsigned i = 0; l && i < s->n_routers; i++)
		if (shim6_addr_eq(&s->routers[i].gateway, &a) && s->routers[i].ifindex == l->ifindex)
			return &s->routers[i];
	return NULL;
}

/* Dispatch notifications until the condition holds. */
#define wait_until(condition)                                                                                          \
	do {                                                                                                           \
		while (!(condition)) {                                                                                 \
			struct pollfd p = { .fd = host_fd(h), .events = POLLIN };                                      \
                                                                                                                       \
			if (poll(&p, 1, PATIENCE_MS) == 0)                                                             \
				fail_msg("never came: %s", #condition);                                                \
			host_dispatch(h);                                                                              \
		}                                                                                                      \
	} while (0)

/* The command changes nothing that matters: the owner is told only of a later event that does. */
static void expect_silence(const char *command)
{
	static unsigned mtu = 1300;
	unsigned before;

	host_dispatch(h);
	before = told;
	sh("%s", command);
	host_dispatch(h);
	assert_int_equal(told, before);
	sh("ip link set sa mtu %u", ++mtu);
	wait_until(host_link_by_name(h, "sa")->mtu == mtu);
	assert_int_equal(told, before + 1);
}

static int setup(void **state)
{
	char err[128];

	(void)state;
	sh("ip link set lo up");
	sh("ip link add sa type veth peer name sb");
	sh("ip link set sa addrgenmode none && ip link set sb addrgenmode none");
	sh("sysctl -qw net.ipv6.neigh.sa.retrans_time_ms=50 net.ipv6.conf.sa.accept_dad=1");
	h = host_open(changed, NULL, err, sizeof(err));
	if (!h)
		fail_msg("%s", err);
	told = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_close(h);
	sh("ip link del sa 2>/dev/null || true; ip -6 nexthop flush >/dev/null 2>&1 || true");
	return 0;
}

/* PA-06, PA-08 */
static void test_links(void **state)
{
	const struct host_link *l;

	(void)state;
	l = host_link_by_name(h, "lo");
	assert_non_null(l);
	assert_true(l->loopback && l->up);
	l = host_link_by_name(h, "sa");
	assert_non_null(l);
	assert_false(l->up || l->loopback);
	assert_int_equal(l->mtu, 1500);
	assert_ptr_equal(host_link(h, l->ifindex), l);
	assert_null(host_link(h, 9999));
	assert_null(host_link_by_name(h, "s"));

	/* up alone is not enough: the far end gives the carrier */
	sh("ip link set sa up");
	host_dispatch(h);
	assert_false(host_link_by_name(h, "sa")->up);
	sh("ip link set sb up");
	wait_until(host_link_by_name(h, "sa")->up && host_link_by_name(h, "sb")->up);
	sh("ip link set sb down");
	wait_until(!host_link_by_name(h, "sa")->up);
	sh("ip link set sb name sc");
	wait_until(host_link_by_name(h, "sc") && !host_link_by_name(h, "sb"));
	sh("ip link del sa");
	wait_until(!host_link_by_name(h, "sa") && !host_link_by_name(h, "sc"));
	assert_int_equal(host_snapshot(h)->malformed, 0);
}

/* The data path's way to make the kernel forget cached routes is no event. */
static void test_discard_only_prefix_is_passed_over(void **state)
{
	(void)state;
	sh("ip link set sa up");
	wait_until(host_link_by_name(h, "sa"));
	expect_silence("ip addr add 100::5348:6d/128 dev lo nodad && ip addr del 100::5348:6d/128 dev lo");
}

/* A port leaving a bridge is not a link leaving the host. */
static void test_bridge_port_is_not_a_link(void **state)
{
	(void)state;
	sh("ip link add sbr type bridge && ip link set sbr up && ip link set sa master sbr");
	wait_until(host_link_by_name(h, "sbr"));
	expect_silence("ip link set sa nomaster");
	assert_non_null(host_link_by_name(h, "sa"));
	sh("ip link del sbr");
	wait_until(!host_link_by_name(h, "sbr"));
}

static void both_up(void)
{
	sh("ip link set sa up && ip link set sb up");
	wait_until(host_link_by_name(h, "sa")->up && host_link_by_name(h, "sb")->up);
}

/* PA-01, PA-04, PA-05, PA-16 */
static void test_addresses(void **state)
{
	const struct host_address *a;

	(void)state;
	both_up();
	sh("ip addr add 2001:db8:1::1/64 dev sa");
	wait_until(find_address("2001:db8:1::1", "sa"));
	a = find_address("2001:db8:1::1", "sa");
	assert_true(a->tentative);
	assert_false(a->dad_failed || a->deprecated);
	assert_int_equal(a->prefix_len, 64);
	wait_until(!find_address("2001:db8:1::1", "sa")->tentative);

	sh("ip addr change 2001:db8:1::1/64 dev sa preferred_lft 0 valid_lft 1000");
	wait_until(find_address("2001:db8:1::1", "sa")->deprecated);
	/* a longer lifetime is nothing new */
	expect_silence("ip addr change 2001:db8:1::1/64 dev sa preferred_lft 0 valid_lft 2000");

	sh("ip addr add 2001:db8:2::1 peer 2001:db8:2::2/128 dev sa nodad");
	wait_until(find_address("2001:db8:2::1", "sa"));
	assert_null(find_address("2001:db8:2::2", "sa"));
	assert_false(find_address("2001:db8:2::1", "sa")->tentative);

	sh("ip addr del 2001:db8:1::1/64 dev sa");
	wait_until(!find_address("2001:db8:1::1", "sa"));
	sh("ip link set sa down"); /* takes the others */
	wait_until(!find_address("2001:db8:2::1", "sa"));
}

/* PA-01: somebody else has the address */
static void test_duplicate_address(void **state)
{
	(void)state;
	both_up();
	sh("ip addr add 2001:db8:3::1/64 dev sb nodad");
	sh("ip addr add 2001:db8:3::1/64 dev sa");
	wait_until(find_address("2001:db8:3::1", "sa") && find_address("2001:db8:3::1", "sa")->dad_failed);
	assert_true(find_address("2001:db8:3::1", "sa")->tentative);
	assert_false(find_address("2001:db8:3::1", "sb")->tentative);
}

/* PA-02 */
static void test_optimistic_address_is_usable(void **state)
{
	(void)state;
	if (access("/proc/sys/net/ipv6/conf/sa/optimistic_dad", W_OK) != 0)
		skip();
	sh("sysctl -qw net.ipv6.conf.sa.optimistic_dad=1 net.ipv6.conf.sa.use_optimistic=1");
	both_up();
	sh("ip addr add 2001:db8:1::1/64 dev sa optimistic");
	wait_until(find_address("2001:db8:1::1", "sa"));
	assert_false(find_address("2001:db8:1::1", "sa")->tentative);
}

static void test_routers(void **state)
{
	(void)state;
	both_up();
	sh("ip -6 route add default via fe80::1 dev sa");
	wait_until(find_router("fe80::1", "sa"));
	assert_int_equal(host_snapshot(h)->n_routers, 1);
	/* the same router twice is one router, and stays until the last route goes */
	expect_silence("ip -6 route add 2001:db8:f::/48 via fe80::1 dev sa");
	assert_true(find_router("fe80::1", "sa")->default_route);
	sh("ip -6 route del default via fe80::1 dev sa");
	wait_until(!find_router("fe80::1", "sa")->default_route);
	expect_silence("ip -6 route add 2001:db8:f1::/48 via fe80::1 dev sa");
	expect_silence("ip -6 route del 2001:db8:f1::/48 via fe80::1 dev sa");
	sh("ip -6 route replace 2001:db8:f::/48 via fe80::2 dev sa");
	wait_until(find_router("fe80::2", "sa") && !find_router("fe80::1", "sa"));
	sh("ip -6 route replace 2001:db8:f::/48 dev sa"); /* by one without a router */
	wait_until(host_snapshot(h)->n_routers == 0);
	/* on-link and our own routes lead to no router */
	expect_silence("ip -6 route add 2001:db8:e::/48 dev sa && ip -6 route add 2001:db8:d::/48 via fe80::9 dev sa "
		       "proto 140");
	/* other tables count */
	sh("ip -6 route add default via fe80::4 dev sa table 77");
	wait_until(find_router("fe80::4", "sa"));
	sh("ip -6 route flush table 77");
	wait_until(!find_router("fe80::4", "sa"));
}

static void test_multipath_and_nexthop_objects(void **state)
{
	(void)state;
	both_up();
	sh("ip -6 route add default nexthop via fe80::1 dev sa nexthop via fe80::2 dev sb");
	wait_until(find_router("fe80::1", "sa") && find_router("fe80::2", "sb"));
	sh("ip -6 route del default via fe80::2 dev sb");
	wait_until(!find_router("fe80::2", "sb"));
	assert_non_null(find_router("fe80::1", "sa"));
	sh("ip -6 route append default via fe80::3 dev sb");
	wait_until(find_router("fe80::3", "sb"));
	assert_non_null(find_router("fe80::1", "sa"));
	sh("ip -6 route flush default && ip nexthop add id 7 via fe80::7 dev sa");
	sh("ip -6 route add 2001:db8:77::/48 nhid 7");
	wait_until(find_router("fe80::7", "sa") && host_snapshot(h)->n_routers == 1);
	sh("ip nexthop replace id 7 via fe80::8 dev sa");
	wait_until(find_router("fe80::8", "sa") && !find_router("fe80::7", "sa"));
	sh("ip nexthop del id 7");
	wait_until(host_snapshot(h)->n_routers == 0);
}

static void test_routers_go_with_the_link(void **state)
{
	(void)state;
	both_up();
	sh("sysctl -qw net.ipv6.route.skip_notify_on_dev_down=1");
	sh("ip -6 route add default via fe80::1 dev sa");
	wait_until(find_router("fe80::1", "sa"));
	sh("ip link set sa down");
	wait_until(host_snapshot(h)->n_routers == 0);
	sh("ip link set sa up");
	sh("ip -6 route add default via fe80::1 dev sa");
	wait_until(find_router("fe80::1", "sa"));
	sh("ip link del sa");
	wait_until(!host_link_by_name(h, "sa"));
	assert_int_equal(host_snapshot(h)->n_routers, 0);
	sh("sysctl -qw net.ipv6.route.skip_notify_on_dev_down=0");
}

static void send_through_router(void)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	inet_pton(AF_INET6, "2001:db8:f::1", &to.sin6_addr);
	assert_true(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	close(fd);
}

/* PA-07, PA-16 */
static void test_neighbour_failure(void **state)
{
	(void)state;
	both_up();
	sh("ip addr add fe80::a/64 dev sa nodad && ip addr add 2001:db8:1::1/64 dev sa nodad");
	sh("ip -6 route add 2001:db8:f::/48 via fe80::dead dev sa");
	wait_until(find_router("fe80::dead", "sa"));
	assert_false(find_router("fe80::dead", "sa")->failed);
	send_through_router(); /* nobody answers */
	wait_until(find_router("fe80::dead", "sa")->failed);
	/* asking again is not an answer: the state starts over, which a reading for the sake of another router shows */
	sh("sysctl -qw net.ipv6.neigh.sa.retrans_time_ms=1000");
	send_through_router();
	sh("ip -6 route add 2001:db8:8::/48 via fe80::8 dev sa");
	wait_until(find_router("fe80::8", "sa"));
	assert_true(find_router("fe80::dead", "sa")->failed);
	sh("ip -6 neigh replace fe80::dead dev sa lladdr 02:00:00:00:00:01 nud reachable");
	wait_until(!find_router("fe80::dead", "sa")->failed);

	/* what is no router does not matter */
	expect_silence("ip -6 neigh replace fe80::beef dev sa nud failed");
	expect_silence("ip -6 neigh replace 2001:db8:1::77 dev sa nud failed");
	/* until it becomes one: its state is found out then */
	sh("ip -6 neigh replace fe80::beef dev sa nud failed; ip -6 route add 2001:db8:9::/48 via fe80::beef dev sa");
	wait_until(find_router("fe80::beef", "sa"));
	assert_true(find_router("fe80::beef", "sa")->failed);
	sh("ip -6 neigh del fe80::beef dev sa 2>/dev/null || true");
	wait_until(!find_router("fe80::beef", "sa")->failed);
}

/* The first reading sees what the notifications would have told. */
static void test_opening_reads_everything(void **state)
{
	char err[128];

	(void)state;
	both_up();
	sh("ip addr add 2001:db8:1::1/64 dev sa nodad");
	sh("ip -6 route add default via fe80::dead dev sa && ip -6 neigh replace fe80::dead dev sa nud failed");
	host_close(h);
	h = host_open(changed, NULL, err, sizeof(err));
	assert_non_null(h);
	assert_true(host_link_by_name(h, "sa")->up);
	assert_non_null(find_address("2001:db8:1::1", "sa"));
	assert_non_null(find_router("fe80::dead", "sa"));
	assert_true(find_router("fe80::dead", "sa")->failed);
}

static void batch_addresses(const char *verb, unsigned from, unsigned to)
{
	FILE *f = popen("ip -batch -", "w");

	assert_non_null(f);
	for (unsigned i = from; i < to; i++)
		fprintf(f, "addr %s 2001:db8:5::%x/128 dev sa%s\n", verb, i, *verb == 'a' ? " nodad" : "");
	assert_int_equal(pclose(f), 0);
}

static unsigned count_batch(void)
{
	static const uint8_t start[6] = { 0x20, 0x01, 0x0d, 0xb8, 0, 5 };
	const struct host_snapshot *s = host_snapshot(h);
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_addresses; i++)
		n += memcmp(s->addresses[i].addr.b, start, sizeof(start)) == 0;
	return n;
}

/* What the kernel could not tell is read anew, and told once. */
static void test_overflow(void **state)
{
	int small = 1;

	(void)state;
	both_up();
	sh("ip addr add 2001:db8:1::1/64 dev sa nodad && ip -6 route add default via fe80::1 dev sa");
	wait_until(find_router("fe80::1", "sa") && find_address("2001:db8:1::1", "sa"));
	setsockopt(host_fd(h), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	batch_addresses("add", 1, 300);
	sh("ip addr del 2001:db8:1::1/64 dev sa && ip -6 route del default");
	told = 0;
	host_dispatch(h);
	assert_int_equal(told, 1);
	assert_true(host_snapshot(h)->overflows >= 1);
	assert_int_equal(count_batch(), 299);
	assert_null(find_address("2001:db8:1::1", "sa"));
	assert_int_equal(host_snapshot(h)->n_routers, 0);
	/* lost notifications that amount to nothing are not worth a word */
	batch_addresses("add", 400, 600);
	batch_addresses("del", 400, 600);
	told = 0;
	host_dispatch(h);
	assert_true(host_snapshot(h)->overflows >= 2);
	assert_int_equal(told, 0);
	assert_int_equal(count_batch(), 299);
}

/* More than there is room for: counted, and taken in when there is room again. */
static void test_full_table(void **state)
{
	(void)state;
	both_up();
	batch_addresses("add", 1, 1101);
	wait_until(host_snapshot(h)->n_addresses == HOST_MAX_ADDRESSES && host_snapshot(h)->dropped > 0);
	batch_addresses("del", 1, 301);
	wait_until(count_batch() == 800);
	assert_non_null(find_address("2001:db8:5::44c", "sa"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_links),
		T(test_discard_only_prefix_is_passed_over),
		T(test_bridge_port_is_not_a_link),
		T(test_addresses),
		T(test_duplicate_address),
		T(test_optimistic_address_is_usable),
		T(test_routers),
		T(test_multipath_and_nexthop_objects),
		T(test_routers_go_with_the_link),
		T(test_neighbour_failure),
		T(test_opening_reads_everything),
		T(test_overflow),
		T(test_full_table),
	};

	enter_own_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
