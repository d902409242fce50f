/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets in use, asked of the real kernel. */
#define _GNU_SOURCE /* unshare() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sockets.h"
#include "netns.h"

static const char a_text[] = "2001:db8::a", b_text[] = "2001:db8::b";
static struct shim6_pair ab, ba;
static uint64_t now = SOCKETS_FRESH; /* a question at another time than the last is asked anew */

static int set_up(void **state)
{
	(void)state;
	enter_own_netns();
	sh("ip link set lo up");
	sh("ip addr add 2001:db8::a/128 dev lo nodad");
	sh("ip addr add 2001:db8::b/128 dev lo nodad");
	assert_int_equal(inet_pton(AF_INET6, a_text, &ab.local), 1);
	assert_int_equal(inet_pton(AF_INET6, b_text, &ab.peer), 1);
	ba = (struct shim6_pair){ .local = ab.peer, .peer = ab.local };
	return 0;
}

static struct sockaddr_in6 at(const char *text, uint16_t port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET6, text, &sa.sin6_addr), 1);
	return sa;
}

/* A fresh address may take a moment to be routed to. */
static void connect_to(int fd, const struct sockaddr_in6 *to)
{
	int rc = -1;

	for (int i = 0; i < 2000 && rc < 0; i++) {
		rc = connect(fd, (const struct sockaddr *)to, sizeof(*to));
		if (rc < 0)
			usleep(1000);
	}
	assert_int_equal(rc, 0);
}

static int bound(int type, const char *text, uint16_t port)
{
	struct sockaddr_in6 sa = at(text, port);
	int fd = socket(AF_INET6, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static bool asked_anew(struct sockets *s, const struct shim6_pair *p)
{
	now += 2 * SOCKETS_FRESH;
	return sockets_between(s, now, p);
}

/* The last segments of a closed connection may still be under way. */
static bool unused_soon(struct sockets *s, const struct shim6_pair *p)
{
	for (int i = 0; i < 2000; i++) {
		if (!asked_anew(s, p))
			return true;
		usleep(1000);
	}
	return false;
}

/* K-02 */
static void tcp_connections_are_in_use_until_they_are_closed(void **state)
{
	struct sockaddr_in6 to = at(b_text, 7001);
	struct sockets *s = sockets_new();
	int listener = bound(SOCK_STREAM, b_text, 7001), fd = bound(SOCK_STREAM, a_text, 0), other;

	(void)state;
	assert_int_equal(listen(listener, 4), 0);
	assert_false(asked_anew(s, &ab)); /* a listener is no user */
	connect_to(fd, &to);
	other = accept(listener, NULL, NULL);
	assert_true(asked_anew(s, &ab));
	assert_true(asked_anew(s, &ba));
	close(fd);
	close(other);
	close(listener);
	assert_true(unused_soon(s, &ab)); /* TIME-WAIT at most */
	sockets_free(s);
}

/* K-02 */
static void udp_sockets_are_in_use_once_connected(void **state)
{
	struct sockaddr_in6 to = at(b_text, 7002);
	struct sockets *s = sockets_new();
	int fd = bound(SOCK_DGRAM, a_text, 7003);

	(void)state;
	assert_false(asked_anew(s, &ab));
	connect_to(fd, &to);
	assert_true(asked_anew(s, &ab));
	assert_false(asked_anew(s, &ba));
	close(fd);
	assert_true(sockets_between(s, now + SOCKETS_FRESH, &ab)); /* the answer of before */
	assert_false(asked_anew(s, &ab));
	sockets_free(s);
}

static void many_sockets_of_one_pair(void **state)
{
	struct sockaddr_in6 to = at(b_text, 7004);
	struct sockets *s = sockets_new();
	enum {
		N = 700
	};
	int fd[N];

	(void)state;
	for (int i = 0; i < N; i++) {
		fd[i] = bound(SOCK_DGRAM, i % 2 ? a_text : b_text, 0);
		connect_to(fd[i], &to);
	}
	assert_true(asked_anew(s, &ab));
	assert_false(asked_anew(s, &ba));
	for (int i = 0; i < N; i++)
		close(fd[i]);
	assert_false(asked_anew(s, &ab));
	sockets_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_connections_are_in_use_until_they_are_closed),
		cmocka_unit_test(udp_sockets_are_in_use_once_connected),
		cmocka_unit_test(many_sockets_of_one_pair),
	};

	return cmocka_run_group_tests_name("sockets", tests, set_up, NULL);
}
