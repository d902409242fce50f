/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source-address-dependent routing against the kernel: two uplinks, each with
 * its prefix and router, and where packets of each source would go.
 */
#define _GNU_SOURCE /* unshare() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <string.h>

#include "host/host.h"
#include "host/sadr.h"
#include "netns.h"

#define PATIENCE_MS 8000

static struct host *h;
static struct rtnl *rtnl;
static struct sadr *s;

static void changed(void *user)
{
	(void)user;
}

static bool is_uplink(void *user, const struct host_link *l)
{
	(void)user;
	return strcmp(l->name, "ua") == 0 || strcmp(l->name, "ub") == 0;
}

static void update(void)
{
	char err[256] = "";

	if (sadr_update(s, host_snapshot(h), NULL, is_uplink, NULL, err, sizeof(err)) != 0)
		fail_msg("%s", err);
}

static void follow(void)
{
	host_dispatch(h);
	update();
}

/* Does the first line of the command's output hold this? */
static bool says(const char *command, const char *what)
{
	char line[512] = "";
	FILE *f = popen(command, "r");

	assert_non_null(f);
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	while (fgetc(f) != EOF)
		;
	pclose(f);
	return strstr(line, what) != NULL;
}

/* An address is announced a moment after it was added: what comes in time is followed. */
static void expect_way(const char *to_and_from, const char *way)
{
	char command[256];

	snprintf(command, sizeof(command), "ip -6 route get %s 2>&1", to_and_from);
	for (;;) {
		struct pollfd p = { .events = POLLIN };

		if (says(command, way))
			return;
		if (!h)
			break; /* nobody follows */
		p.fd = host_fd(h);
		if (poll(&p, 1, PATIENCE_MS) == 0)
			break;
		follow();
	}
	sh("%s; ip -6 rule; ip -6 route show table all", command);
	fail_msg("%s: not '%s'", command, way);
}

static bool nothing_left(void)
{
	return says("ip -6 rule show | grep -c 'proto 140'", "0") &&
	       says("ip -6 route show table all | grep -c 'proto 140'", "0");
}

static void open_all(void)
{
	char err[256];

	h = host_open(changed, NULL, err, sizeof(err));
	assert_non_null(h);
	rtnl = rtnl_open();
	assert_non_null(rtnl);
	s = sadr_open(rtnl, &(struct sadr_config){ 0 }, err, sizeof(err));
	assert_non_null(s);
}

static void close_all(bool keep)
{
	sadr_close(s, keep);
	rtnl_close(rtnl);
	host_close(h);
	h = NULL;
}

static void wait_for_carrier(void)
{
	for (const char *const *name = (const char *const[]){ "ua", "ub", NULL }; *name;) {
		struct pollfd p = { .fd = host_fd(h), .events = POLLIN };

		if (host_link_by_name(h, *name)->up) {
			name++;
			continue;
		}
		if (poll(&p, 1, PATIENCE_MS) == 0)
			fail_msg("%s never came up", *name);
		host_dispatch(h);
	}
}

static int setup(void **state)
{
	(void)state;
	sh("ip link set lo up");
	for (const char *n = "ab"; *n; n++) {
		sh("ip link add u%c type veth peer name p%c", *n, *n);
		sh("ip link set u%c addrgenmode none && ip link set p%c addrgenmode none", *n, *n);
		sh("ip link set u%c up && ip link set p%c up", *n, *n);
		sh("ip addr add 2001:db8:%c::1/64 dev u%c nodad", *n, *n);
		sh("ip -6 route add default via fe80::%c dev u%c metric %d", *n, *n, *n);
	}
	open_all();
	wait_for_carrier();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_all(false);
	assert_true(nothing_left());
	sh("ip link del ua; ip link del ub; ip -6 route flush table main");
	return 0;
}

static void test_source_decides(void **state)
{
	(void)state;
	expect_way("2001:db8:f::1 from 2001:db8:b::1", "dev ua"); /* as it is without */
	update();
	assert_int_equal(sadr_stats(s)->uplinks, 2);
	assert_int_equal(sadr_stats(s)->prefixes, 2);
	expect_way("2001:db8:f::1 from 2001:db8:a::1", "via fe80::a dev ua");
	expect_way("2001:db8:f::1 from 2001:db8:b::1", "via fe80::b dev ub");
	/* without a source the system's own default stays in force */
	expect_way("2001:db8:f::1", "via fe80::a dev ua");
	/* a neighbour is reached directly, whatever the source */
	expect_way("2001:db8:b::77 from 2001:db8:b::1", "from 2001:db8:b::1 dev ub");
	expect_way("2001:db8:b::77 from 2001:db8:a::1", "from 2001:db8:a::1 dev ub");
	/* so is what the administrator routes elsewhere */
	sh("ip -6 route add 2001:db8:c::/48 via fe80::c dev ua");
	expect_way("2001:db8:c::1 from 2001:db8:b::1", "via fe80::c dev ua");
}

static void test_changes_are_followed(void **state)
{
	unsigned with_both;

	(void)state;
	update();
	/* another router */
	sh("ip -6 route replace default via fe80::bb dev ub metric 98");
	follow();
	expect_way("2001:db8:f::1 from 2001:db8:b::1", "via fe80::bb dev ub");
	/* another prefix, and a single address */
	sh("ip addr add 2001:db8:b1::1/64 dev ub nodad && ip addr add 2001:db8:b2::1/128 dev ub nodad");
	follow();
	expect_way("2001:db8:f::1 from 2001:db8:b1::1", "via fe80::bb dev ub");
	expect_way("2001:db8:f::1 from 2001:db8:b2::1", "via fe80::bb dev ub");
	assert_int_equal(sadr_stats(s)->prefixes, 4);
	sh("ip addr del 2001:db8:b1::1/64 dev ub");
	follow();
	assert_int_equal(sadr_stats(s)->prefixes, 3);
	assert_true(says("ip -6 rule show | grep -c 2001:db8:b1:", "0"));
	with_both = host_snapshot(h)->n_addresses + 1;
	/* two addresses of one prefix are one rule, which the last of them takes along */
	sh("ip addr add 2001:db8:b::2/64 dev ub nodad");
	while (host_snapshot(h)->n_addresses < with_both) {
		struct pollfd p = { .fd = host_fd(h), .events = POLLIN };

		if (poll(&p, 1, PATIENCE_MS) == 0)
			fail_msg("no word of the second address");
		follow();
	}
	assert_int_equal(sadr_stats(s)->prefixes, 3);
	sh("ip addr del 2001:db8:b::1/64 dev ub");
	follow();
	expect_way("2001:db8:f::1 from 2001:db8:b::2", "via fe80::bb dev ub");
}

/* The kernel tells of a neighbour that fails only if it was one before. */
static void fail_neighbour(const char *router)
{
	sh("ip -6 neigh replace %s dev ub lladdr 02:00:00:00:00:01 nud reachable", router);
	sh("ip -6 neigh replace %s dev ub nud failed", router);
}

static void test_failed_router_is_left(void **state)
{
	(void)state;
	sh("ip -6 route add default via fe80::b2 dev ub metric 99");
	follow();
	expect_way("2001:db8:f::1 from 2001:db8:b::1", "via fe80::b dev ub");
	fail_neighbour("fe80::b");
	follow();
	expect_way("2001:db8:f::1 from 2001:db8:b::1", "via fe80::b2 dev ub");
	/* where all have failed there is nothing better */
	fail_neighbour("fe80::b2");
	follow();
	expect_way("2001:db8:f::1 from 2001:db8:b::1", "dev ub");
}

/* A router of some prefix only is no way out. */
static void test_default_router_only(void **state)
{
	(void)state;
	sh("ip -6 route del default via fe80::b dev ub && ip -6 route add 2001:db8:9::/48 via fe80::b dev ub");
	follow();
	assert_int_equal(sadr_stats(s)->uplinks, 1);
	assert_int_equal(sadr_stats(s)->prefixes, 1);
}

static void test_link_flap(void **state)
{
	(void)state;
	update();
	/* down and up before anybody looked: the kernel has dropped the routes all the same */
	sh("ip link set ub down && ip link set ub up && ip addr add 2001:db8:b::1/64 dev ub nodad");
	sh("ip -6 route add default via fe80::b dev ub metric 98");
	host_dispatch(h);
	wait_for_carrier();
	update();
	expect_way("2001:db8:f::1 from 2001:db8:b::1", "via fe80::b dev ub");
	/* gone: nothing of it stays */
	sh("ip link del ub");
	follow();
	assert_int_equal(sadr_stats(s)->uplinks, 1);
	assert_true(says("ip -6 rule show | grep -c 2001:db8:b:", "0"));
	sh("ip link add ub type veth peer name pb");
}

/* After a crash: the rules stay in force, and what is no longer wanted goes with the next update. */
static void test_taking_over(void **state)
{
	(void)state;
	update();
	close_all(true);
	expect_way("2001:db8:f::1 from 2001:db8:b::1", "via fe80::b dev ub");
	sh("ip addr del 2001:db8:b::1/64 dev ub && ip -6 route del default via fe80::b dev ub");
	open_all();
	update();
	assert_int_equal(sadr_stats(s)->prefixes, 1);
	assert_true(says("ip -6 rule show | grep -c 2001:db8:b:", "0"));
	assert_true(says("ip -6 route show table all | grep 'proto 140' | grep -c ub", "0"));
	assert_int_equal(sadr_stats(s)->failed, 0);
}

static void test_refusals(void **state)
{
	const struct host_snapshot *snap = host_snapshot(h);
	char err[256] = "";
	struct host_snapshot wrong = *snap;

	(void)state;
	assert_null(sadr_open(rtnl, &(struct sadr_config){ .priority = 32700 }, err, sizeof(err)));
	assert_non_null(strstr(err, "32700"));
	/* a router on an interface that is not there */
	wrong.links[wrong.n_links] = *host_link_by_name(h, "ub");
	wrong.links[wrong.n_links++].ifindex = 4711;
	wrong.routers[wrong.n_routers] = wrong.routers[0];
	wrong.routers[wrong.n_routers++].ifindex = 4711;
	assert_int_not_equal(sadr_update(s, &wrong, NULL, is_uplink, NULL, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "interface 4711, table 18711"));
	assert_int_equal(sadr_stats(s)->failed, 1);
	/* the rest is done */
	expect_way("2001:db8:f::1 from 2001:db8:b::1", "via fe80::b dev ub");
	update();
	assert_int_equal(sadr_stats(s)->uplinks, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_source_decides),
		T(test_changes_are_followed),
		T(test_failed_router_is_left),
		T(test_default_router_only),
		T(test_link_flap),
		T(test_taking_over),
		T(test_refusals),
	};

	enter_own_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
