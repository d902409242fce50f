/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exchange with the kernel: one message out, its acknowledgement (or the
 * answers of a dump) in. Answers that belong to an earlier request, one that
 * was interrupted, are recognised by their sequence number and passed over.
 */
#include "rtnl/rtnl_internal.h"

#include <stdlib.h>
#include <sys/socket.h>

struct rtnl {
	struct mnl_socket *nl;
	unsigned portid;
	uint32_t seq;
};

struct rtnl *rtnl_open(void)
{
	struct rtnl *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return NULL;
	r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->nl)
		goto fail;
	if (mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	r->portid = mnl_socket_get_portid(r->nl);
	return r;
fail:
	err = errno;
	rtnl_close(r);
	errno = err;
	return NULL;
}

void rtnl_close(struct rtnl *r)
{
	if (!r)
		return;
	if (r->nl)
		mnl_socket_close(r->nl);
	free(r);
}

struct nlmsghdr *rtnl_begin(struct rtnl_request *q, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh;

	memset(q, 0, sizeof(*q));
	nlh = mnl_nlmsg_put_header(q->buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return nlh;
}

static int receive(struct rtnl *r, mnl_cb_t cb, void *user)
{
	static const size_t room = 32768; /* what the kernel fills at most in one dump message */
	char *buf = malloc(room);
	int rc = -ENOMEM;

	while (buf) {
		ssize_t n = mnl_socket_recvfrom(r->nl, buf, room);

		if (n < 0) {
			rc = -errno;
			if (rc == -EINTR)
				continue;
			break;
		}
		rc = mnl_cb_run(buf, (size_t)n, r->seq, r->portid, cb, user);
		if (rc == MNL_CB_ERROR && errno == ESRCH && ((struct nlmsghdr *)(void *)buf)->nlmsg_seq != r->seq)
			continue;
		if (rc == MNL_CB_ERROR)
			rc = -errno;
		if (rc <= MNL_CB_STOP)
			break;
	}
	free(buf);
	return rc < 0 ? rc : 0;
}

static int exchange(struct rtnl *r, struct nlmsghdr *nlh, mnl_cb_t cb, void *user)
{
	nlh->nlmsg_seq = ++r->seq;
	if (mnl_socket_sendto(r->nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	return receive(r, cb, user);
}

int rtnl_talk(struct rtnl *r, struct nlmsghdr *nlh)
{
	nlh->nlmsg_flags |= NLM_F_ACK;
	return exchange(r, nlh, NULL, NULL);
}

int rtnl_ask(struct rtnl *r, struct nlmsghdr *nlh, mnl_cb_t cb, void *user)
{
	return exchange(r, nlh, cb, user);
}

int rtnl_dump(struct rtnl *r, struct nlmsghdr *nlh, mnl_cb_t cb, void *user)
{
	nlh->nlmsg_flags |= NLM_F_DUMP;
	return exchange(r, nlh, cb, user);
}
