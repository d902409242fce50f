/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping the snapshot. One socket listens: it is subscribed before the first
 * reading, so that nothing falls between; what it then tells a second time does
 * no harm. Another socket asks. Notifications are applied one by one; routes
 * are read anew when a notification says so (see messages.c), neighbours when a
 * router is new, and everything when the kernel had to drop notifications.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "host/host.h"
#include "host/messages.h"
#include "host/tables.h"
#include "rtnl/rtnl_internal.h"

#define RECEIVE_BUFFER (8 << 20) /* a few ten thousand notifications */
#define BATCH_MAX 4096		 /* datagrams per dispatch: the loop has other work too */
#define DUMP_ATTEMPTS 8		 /* a dump is interrupted when its table changes meanwhile */
#define MESSAGE_ROOM 32768

struct host {
	struct mnl_socket *events;
	struct rtnl *asking;
	struct host_tables tables;
	bool all_neighbours; /* the filter lets their every state through */
	bool stale_routes;
	bool stale_all;
	void (*changed)(void *user);
	void *user;
	char *room; /* MESSAGE_ROOM octets */
};

static int apply_cb(const struct nlmsghdr *nlh, void *data)
{
	messages_apply(data, nlh);
	return MNL_CB_OK;
}

static int apply_route_cb(const struct nlmsghdr *nlh, void *data)
{
	messages_apply_route(data, nlh);
	return MNL_CB_OK;
}

static int dump(struct host *h, uint16_t type, size_t header, unsigned char family, mnl_cb_t cb)
{
	int rc = -EINTR;

	for (unsigned i = 0; i < DUMP_ATTEMPTS && rc == -EINTR; i++) {
		struct host_apply ap = { .tables = &h->tables };
		struct rtnl_request q;
		struct nlmsghdr *nlh = rtnl_begin(&q, type, 0);
		unsigned char *head = mnl_nlmsg_put_extra_header(nlh, header);

		head[0] = family; /* every rtnetlink header begins with it */
		rc = rtnl_dump(h->asking, nlh, cb, &ap);
	}
	return rc;
}

/* Of a reading that did not come to its end nothing may be concluded from absence. */
static int read_table(struct host *h, enum host_table which)
{
	int rc;

	tables_mark(&h->tables, which);
	if (which == HOST_LINKS)
		rc = dump(h, RTM_GETLINK, sizeof(struct ifinfomsg), AF_UNSPEC, apply_cb);
	else if (which == HOST_ADDRESSES)
		rc = dump(h, RTM_GETADDR, sizeof(struct ifaddrmsg), AF_INET6, apply_cb);
	else
		rc = dump(h, RTM_GETROUTE, sizeof(struct rtmsg), AF_INET6, apply_route_cb);
	if (rc == 0)
		tables_sweep(&h->tables, which);
	return rc;
}

static int read_neighbours(struct host *h)
{
	int rc;

	tables_mark(&h->tables, HOST_NEIGHBOURS);
	rc = dump(h, RTM_GETNEIGH, sizeof(struct ndmsg), AF_INET6, apply_cb);
	if (rc == 0) {
		tables_sweep(&h->tables, HOST_NEIGHBOURS);
		h->tables.new_router = false;
	}
	return rc;
}

static int read_once(struct host *h)
{
	int rc;

	h->tables.refused = false;
	h->tables.room_again = false;
	rc = read_table(h, HOST_LINKS);
	if (rc == 0)
		rc = read_table(h, HOST_ADDRESSES);
	if (rc == 0)
		rc = read_table(h, HOST_ROUTERS);
	if (rc == 0)
		rc = read_neighbours(h);
	return rc;
}

static int read_all(struct host *h)
{
	int rc = read_once(h);

	/* What did not fit beside entries that were only about to go fits now. */
	if (rc == 0 && h->tables.room_again)
		rc = read_once(h);
	h->stale_all = rc != 0;
	h->stale_routes = false;
	return rc;
}

/* Everything in the socket. Returns false when notifications were lost. */
static bool drain(struct host *h)
{
	struct host_apply ap = { .tables = &h->tables };
	bool complete = true;

	for (unsigned i = 0; i < BATCH_MAX; i++) {
		ssize_t n = mnl_socket_recvfrom(h->events, h->room, MESSAGE_ROOM);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOBUFS || errno == ENOSPC)) {
			h->tables.snap.overflows++;
			complete = false;
			continue;
		}
		if (n <= 0)
			break;
		if (complete && mnl_cb_run(h->room, (size_t)n, 0, 0, apply_cb, &ap) < 0)
			h->tables.snap.malformed++;
	}
	h->stale_routes |= ap.routes_dirty;
	return complete;
}

/*
 * Neighbours change their state all the time; that would wake us on a host where
 * nothing else happens. As long as no router has failed, failing is the only news.
 */
static int filter_neighbours(struct host *h, bool all)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEIGH), 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_state)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NUD_FAILED), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, all ? UINT32_MAX : 0),
	};
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (setsockopt(host_fd(h), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	h->all_neighbours = all;
	return 0;
}

static bool a_router_failed(const struct host *h)
{
	const struct host_snapshot *s = host_snapshot(h);

	for (unsigned i = 0; i < s->n_routers; i++) {
		if (s->routers[i].failed)
			return true;
	}
	return false;
}

/* What came between the reading and the filter is read once more. */
static void follow_neighbours(struct host *h)
{
	bool all = a_router_failed(h);

	if (all == h->all_neighbours || filter_neighbours(h, all) < 0)
		return;
	if (all)
		read_neighbours(h);
}

void host_dispatch(struct host *h)
{
	if (!drain(h) || h->tables.room_again)
		h->stale_all = true;
	if (h->stale_all) {
		read_all(h);
	} else {
		if (h->stale_routes)
			h->stale_routes = read_table(h, HOST_ROUTERS) != 0;
		if (h->tables.new_router)
			read_neighbours(h);
	}
	follow_neighbours(h);
	if (h->tables.changed) {
		h->tables.changed = false;
		h->changed(h->user);
	}
}

static int subscribe(struct host *h)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE,
				      RTNLGRP_NEIGH };
	const int size = RECEIVE_BUFFER;

	h->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!h->events || mnl_socket_bind(h->events, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	/* Beyond the system's limit where we may; a smaller buffer only means reading anew more often. */
	if (setsockopt(host_fd(h), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(host_fd(h), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(h->events, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			return -errno;
	}
	return 0;
}

struct host *host_open(void (*changed)(void *user), void *user, char *err, size_t err_len)
{
	struct host *h = calloc(1, sizeof(*h));
	const char *what = "allocating memory";
	int rc = -ENOMEM;

	if (!h)
		goto fail;
	h->changed = changed;
	h->user = user;
	h->room = malloc(MESSAGE_ROOM);
	if (!h->room)
		goto fail;
	what = "listening to rtnetlink";
	rc = subscribe(h);
	if (rc < 0)
		goto fail;
	what = "filtering rtnetlink";
	rc = filter_neighbours(h, false);
	if (rc < 0)
		goto fail;
	what = "opening an rtnetlink socket";
	h->asking = rtnl_open();
	if (!h->asking) {
		rc = -errno;
		goto fail;
	}
	what = "reading links, addresses, routes and neighbours";
	rc = read_all(h);
	if (rc < 0)
		goto fail;
	follow_neighbours(h);
	h->tables.changed = false;
	return h;
fail:
	snprintf(err, err_len, "%s: %s", what, strerror(-rc));
	host_close(h);
	return NULL;
}

void host_close(struct host *h)
{
	if (!h)
		return;
	rtnl_close(h->asking);
	if (h->events)
		mnl_socket_close(h->events);
	free(h->room);
	free(h);
}

int host_fd(const struct host *h)
{
	return mnl_socket_get_fd(h->events);
}

const struct host_snapshot *host_snapshot(const struct host *h)
{
	return &h->tables.snap;
}

const struct host_link *host_link(const struct host *h, unsigned ifindex)
{
	const struct host_snapshot *s = host_snapshot(h);

	for (unsigned i = 0; i < s->n_links; i++)
		if (s->links[i].ifindex == ifindex)
			return &s->links[i];
	return NULL;
}

const struct host_link *host_link_by_name(const struct host *h, const char *name)
{
	const struct host_snapshot *s = host_snapshot(h);

	for (unsigned i = 0; i < s->n_links; i++)
		if (strncmp(s->links[i].name, name, sizeof(s->links[i].name)) == 0)
			return &s->links[i];
	return NULL;
}
