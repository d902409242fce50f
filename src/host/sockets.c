/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sockets.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#define DUMP_ROOM 32768 /* what the kernel fills at most in one message of a dump */
#define WAIT_US 500000	/* for the kernel's next message; it answers from memory */
#define BIT(state) (1u << (state))
/* All in which data may still pass or be retransmitted. */
#define TCP_STATES                                                                                                     \
	(BIT(TCP_ESTABLISHED) | BIT(TCP_SYN_SENT) | BIT(TCP_SYN_RECV) | BIT(TCP_FIN_WAIT1) | BIT(TCP_FIN_WAIT2) |      \
	 BIT(TCP_CLOSE_WAIT) | BIT(TCP_LAST_ACK) | BIT(TCP_CLOSING))

/* Compared as octets: no padding. */
struct use {
	struct shim6_pair pair;
	uint32_t uid;
};
static_assert(sizeof(struct use) == sizeof(struct shim6_pair) + sizeof(uint32_t), "padding");

struct sockets {
	struct use *uses; /* sorted, each once */
	size_t n, cap;
	uint64_t taken; /* when; 0: never */
	int state;	/* of the last try: 0 or negative errno */
};

struct sockets *sockets_new(void)
{
	return calloc(1, sizeof(struct sockets));
}

void sockets_free(struct sockets *s)
{
	if (s)
		free(s->uses);
	free(s);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct use));
}

static int compare_pair(const void *pair, const void *use)
{
	return memcmp(pair, use, sizeof(struct shim6_pair));
}

static void sort(struct sockets *s)
{
	size_t n = 0;

	qsort(s->uses, s->n, sizeof(*s->uses), compare);
	for (size_t i = 0; i < s->n; i++) {
		if (n == 0 || compare(&s->uses[i], &s->uses[n - 1]) != 0)
			s->uses[n++] = s->uses[i];
	}
	s->n = n;
}

/* Room for one more; many sockets share few pairs, so first what is there twice goes. */
static bool make_room(struct sockets *s)
{
	size_t cap = s->cap ? 2 * s->cap : 256;
	struct use *p;

	if (s->n < s->cap)
		return true;
	sort(s);
	if (s->n <= s->cap / 2 && s->cap)
		return true;
	if (cap > SOCKETS_MAX_PAIRS)
		return false;
	p = realloc(s->uses, cap * sizeof(*p));
	if (!p)
		return false;
	s->uses = p;
	s->cap = cap;
	return true;
}

static int on_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
	struct sockets *s = data;
	struct use *u;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) || m->idiag_family != AF_INET6 || s->state)
		return MNL_CB_OK;
	if (!make_room(s)) {
		s->state = -ENOMEM;
		return MNL_CB_OK;
	}
	u = &s->uses[s->n++];
	memcpy(u->pair.local.b, m->id.idiag_src, 16);
	memcpy(u->pair.peer.b, m->id.idiag_dst, 16);
	u->uid = m->idiag_uid;
	return MNL_CB_OK;
}

static int receive(struct sockets *s, struct mnl_socket *nl, uint32_t seq)
{
	static const struct timeval wait = { .tv_usec = WAIT_US };
	char *buf = malloc(DUMP_ROOM);
	int rc = buf ? 1 : -ENOMEM;

	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	while (rc > 0) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, DUMP_ROOM);

		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? -1 : mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(nl), on_socket, s);
		if (rc < 0)
			rc = -errno;
	}
	free(buf);
	return rc;
}

static int dump(struct sockets *s, struct mnl_socket *nl, uint8_t protocol, uint32_t states)
{
	union {
		struct nlmsghdr nlh;
		char b[128];
	} q = { .b = { 0 } };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(q.b);
	struct inet_diag_req_v2 *r = mnl_nlmsg_put_extra_header(nlh, sizeof(*r));

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = protocol;
	r->sdiag_family = AF_INET6;
	r->sdiag_protocol = protocol;
	r->idiag_states = states;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	return receive(s, nl, protocol);
}

static void take(struct sockets *s)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int rc = nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;

	s->n = 0;
	s->state = 0;
	if (rc == 0)
		rc = dump(s, nl, IPPROTO_TCP, TCP_STATES);
	if (rc == 0)
		rc = dump(s, nl, IPPROTO_UDP, BIT(TCP_ESTABLISHED));
	if (nl)
		mnl_socket_close(nl);
	if (s->state == 0)
		s->state = rc;
	sort(s);
}

/* Without the diagnostic modules the kernel never tells. */
static bool never_can(int state)
{
	return state == -ENOENT || state == -EPROTONOSUPPORT || state == -EOPNOTSUPP;
}

static void refresh(struct sockets *s, uint64_t now, uint64_t fresh)
{
	if (s->taken && now - s->taken <= fresh)
		return;
	take(s);
	s->taken = now;
}

bool sockets_of(struct sockets *s, uint64_t now, const struct shim6_addr *local)
{
	refresh(s, now, SOCKETS_FRESH);
	if (s->state)
		return !never_can(s->state);
	for (size_t i = 0; i < s->n; i++) {
		if (shim6_addr_eq(&s->uses[i].pair.local, local))
			return true;
	}
	return false;
}

bool sockets_between(struct sockets *s, uint64_t now, const struct shim6_pair *pair)
{
	refresh(s, now, SOCKETS_FRESH);
	if (s->state)
		return !never_can(s->state);
	return s->n && bsearch(pair, s->uses, s->n, sizeof(*s->uses), compare_pair) != NULL;
}

bool sockets_of_user(struct sockets *s, uint64_t now, const struct shim6_pair *pair, uint32_t uid)
{
	struct use wanted = { *pair, uid };

	refresh(s, now, SOCKETS_SHOWN_FRESH);
	return !s->state && s->n && bsearch(&wanted, s->uses, s->n, sizeof(*s->uses), compare) != NULL;
}
