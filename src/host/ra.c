/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE /* struct in6_pktinfo */
#include "host/ra.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)
#define ROOM 2048	 /* an advertisement fits the smallest link's MTU; a longer one is cut and refused */
#define BATCH_MAX 64	 /* messages per dispatch */
#define MAX_SOLICITED 64 /* links at a time */
#define FIRST_AFTER (300 * NS_PER_MS)
#define AGAIN_AFTER (4000 * NS_PER_MS) /* RTR_SOLICITATION_INTERVAL */
#define TRIES 3			       /* MAX_RTR_SOLICITATIONS */
#define JUDGE_AFTER (15000 * NS_PER_MS)
#define ATTEMPTS 6 /* with those that the kernel refused, as before the link has its own address */

/* A link that is up. */
struct soliciting {
	unsigned ifindex;
	unsigned sent, attempts;
	uint64_t up_since;
	uint64_t due;	/* to solicit; RA_NEVER: done */
	uint64_t judge; /* whom to forget; RA_NEVER: done */
};

struct ra {
	int fd;
	bool (*wanted)(void *user, unsigned ifindex);
	void *user;
	struct ra_table table;
	struct ra_stats stats;
	unsigned n_links;
	struct soliciting links[MAX_SOLICITED];
};

static int open_socket(void)
{
	const int on = 1, hops = 255;
	struct icmp6_filter filter;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);

	if (fd < 0)
		return -1;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &filter);
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) == 0 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) == 0)
		return fd;
	close(fd);
	return -1;
}

struct ra *ra_open(bool (*wanted)(void *user, unsigned ifindex), void *user, char *err, size_t err_len)
{
	struct ra *r = calloc(1, sizeof(*r));

	if (!r) {
		snprintf(err, err_len, "router advertisements: %s", strerror(ENOMEM));
		return NULL;
	}
	r->wanted = wanted;
	r->user = user;
	r->fd = open_socket();
	if (r->fd >= 0)
		return r;
	snprintf(err, err_len, "router advertisements: raw ICMPv6 socket: %s", strerror(errno));
	free(r);
	return NULL;
}

void ra_close(struct ra *r)
{
	if (!r)
		return;
	close(r->fd);
	free(r);
}

int ra_fd(const struct ra *r)
{
	return r->fd;
}

const struct ra_table *ra_table(const struct ra *r)
{
	return &r->table;
}

const struct ra_stats *ra_stats(const struct ra *r)
{
	return &r->stats;
}

/* --- receiving ------------------------------------------------------------ */

static void get_control(struct msghdr *mh, int *hop_limit, unsigned *ifindex)
{
	struct in6_pktinfo info;

	*hop_limit = -1;
	*ifindex = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_HOPLIMIT && c->cmsg_len == CMSG_LEN(sizeof(*hop_limit)))
			memcpy(hop_limit, CMSG_DATA(c), sizeof(*hop_limit));
		if (c->cmsg_type == IPV6_PKTINFO && c->cmsg_len == CMSG_LEN(sizeof(info))) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*ifindex = (unsigned)info.ipi6_ifindex;
		}
	}
}

static struct soliciting *find_link(struct ra *r, unsigned ifindex)
{
	for (unsigned i = 0; i < r->n_links; i++) {
		if (r->links[i].ifindex == ifindex)
			return &r->links[i];
	}
	return NULL;
}

static void router_spoke(struct ra *r, unsigned ifindex)
{
	struct soliciting *s = find_link(r, ifindex);

	if (s)
		s->due = RA_NEVER;
}

static bool take(struct ra *r, uint64_t now, const uint8_t *b, size_t len, struct msghdr *mh)
{
	const struct sockaddr_in6 *sin6 = mh->msg_name;
	struct ra_message m;
	struct shim6_addr from;
	unsigned ifindex;
	int hop_limit;

	get_control(mh, &hop_limit, &ifindex);
	memcpy(from.b, &sin6->sin6_addr, sizeof(from.b));
	r->stats.received++;
	if ((mh->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || !ifindex || !ra_parse(&m, b, len, hop_limit, &from)) {
		r->stats.malformed++;
		return false;
	}
	if (!r->wanted(r->user, ifindex)) {
		r->stats.foreign++;
		return false;
	}
	router_spoke(r, ifindex);
	return ra_table_take(&r->table, now, ifindex, &from, &m);
}

bool ra_dispatch(struct ra *r, uint64_t now)
{
	bool changed = false;

	for (unsigned i = 0; i < BATCH_MAX; i++) {
		union {
			struct cmsghdr align;
			char b[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
		} control;
		struct sockaddr_in6 from = { 0 };
		uint8_t b[ROOM];
		struct iovec iov = { b, sizeof(b) };
		struct msghdr mh = { .msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = &control,
				     .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(r->fd, &mh, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		changed |= take(r, now, b, (size_t)n, &mh);
	}
	return changed;
}

/* --- soliciting ----------------------------------------------------------- */

static bool solicit(struct ra *r, unsigned ifindex)
{
	static const uint8_t message[8] = { ND_ROUTER_SOLICIT };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_scope_id = ifindex };

	/* all routers of the link */
	to.sin6_addr.s6_addr[0] = 0xff;
	to.sin6_addr.s6_addr[1] = 0x02;
	to.sin6_addr.s6_addr[15] = 0x02;
	return sendto(r->fd, message, sizeof(message), 0, (const struct sockaddr *)&to, sizeof(to)) >= 0;
}

static const struct host_link *link_in(const struct host_snapshot *snap, unsigned ifindex)
{
	for (unsigned i = 0; i < snap->n_links; i++) {
		if (snap->links[i].ifindex == ifindex)
			return &snap->links[i];
	}
	return NULL;
}

void ra_links(struct ra *r, const struct host_snapshot *snap, uint64_t now)
{
	for (unsigned i = r->n_links; i-- > 0;) {
		const struct host_link *l = link_in(snap, r->links[i].ifindex);

		if (!l || !l->up || !r->wanted(r->user, l->ifindex))
			r->links[i] = r->links[--r->n_links];
	}
	for (unsigned i = r->table.n_routers; i-- > 0;) {
		unsigned ifindex = i < r->table.n_routers ? r->table.routers[i].ifindex : 0;

		if (ifindex && (!link_in(snap, ifindex) || !r->wanted(r->user, ifindex)))
			ra_table_forget(&r->table, ifindex, RA_NEVER);
	}
	for (unsigned i = 0; i < snap->n_links; i++) {
		const struct host_link *l = &snap->links[i];

		if (l->up && r->wanted(r->user, l->ifindex) && !find_link(r, l->ifindex) && r->n_links < MAX_SOLICITED)
			r->links[r->n_links++] = (struct soliciting){ .ifindex = l->ifindex,
								      .up_since = now,
								      .due = now + FIRST_AFTER,
								      .judge = now + JUDGE_AFTER };
	}
}

static void solicit_due(struct ra *r, uint64_t now)
{
	for (unsigned i = 0; i < r->n_links; i++) {
		struct soliciting *s = &r->links[i];

		if (s->due > now)
			continue;
		s->attempts++;
		if (solicit(r, s->ifindex)) {
			s->sent++;
			r->stats.solicited++;
		}
		s->due = s->sent < TRIES && s->attempts < ATTEMPTS ? now + AGAIN_AFTER : RA_NEVER;
		if (!s->sent && s->due != RA_NEVER)
			s->due = now + FIRST_AFTER * s->attempts;
	}
}

bool ra_timer(struct ra *r, uint64_t now)
{
	bool changed = false;

	solicit_due(r, now);
	for (unsigned i = 0; i < r->n_links; i++) {
		if (r->links[i].judge > now)
			continue;
		r->links[i].judge = RA_NEVER;
		changed |= ra_table_forget(&r->table, r->links[i].ifindex, r->links[i].up_since);
	}
	return (ra_table_next(&r->table) <= now && ra_table_expire(&r->table, now)) | changed;
}

uint64_t ra_next(const struct ra *r)
{
	uint64_t next = ra_table_next(&r->table);

	for (unsigned i = 0; i < r->n_links; i++) {
		if (r->links[i].due < next)
			next = r->links[i].due;
		if (r->links[i].judge < next)
			next = r->links[i].judge;
	}
	return next;
}
