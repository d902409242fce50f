/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the programs to the daemon: three ring buffers and the wish to refresh
 * cached routes, behind one file descriptor. And back: held segments, injected
 * into shim0 so that they meet the context as it is now and nothing else; and
 * held errors, which come out of shim0 as if from outside.
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/bpf/dp.h"
#include "datapath/bpf/skeleton.h"

#define IP6_LEN 40
#define TCP_MIN 20
#define TCP_SEQ 4
#define TCP_OFFSET 12
#define TCP_FLAGS 13
#define TCP_CHECK 16
#define TCP_END_FLAGS 0x09		    /* FIN and PSH belong to the last octet */
#define WAKE_MAX (DP_MIN_MTU - SB_SHIM_LEN) /* passes every path behind a payload header */

static void on_icmp(struct datapath *dp, const struct sb_event *e)
{
	const struct dp_slot *s = &dp->slots[e->slot];

	if (!s->used || s->p.ct_peer != e->tag)
		return;
	if (e->mtu)
		dp_route_update(dp, e->slot); /* the program has stored the MTU */
	if (dp->ev.icmp)
		dp->ev.icmp(dp->user, e->slot, e->tag, e->icmp_type, e->icmp_code, e->mtu);
}

static int on_event(void *user, void *data, size_t len)
{
	struct datapath *dp = user;
	const struct sb_event *e = data;
	struct shim6_pair pair;

	if (len < sizeof(*e) || e->slot >= dp->cfg.max_contexts)
		return 0;
	pair = dp_from_pair(&e->pair);
	switch (e->type) {
	case SB_EVENT_UNKNOWN_TAG:
		if (dp->ev.unknown_tag)
			dp->ev.unknown_tag(dp->user, &pair.local, &pair.peer, e->tag);
		break;
	case SB_EVENT_ACTIVITY:
		if (dp->ev.activity)
			dp->ev.activity(dp->user, e->slot, e->tag, e->mask);
		break;
	case SB_EVENT_TRIGGER:
		if (dp->ev.trigger)
			dp->ev.trigger(dp->user, &pair, e->packets);
		break;
	case SB_EVENT_ICMP:
		on_icmp(dp, e);
		break;
	default:
		break;
	}
	return 0;
}

static int on_held(void *user, void *data, size_t len)
{
	struct datapath *dp = user;
	const struct sb_held *h = data;

	bool error = len >= sizeof(*h) && h->len & SB_HELD_ERROR;
	uint32_t n = len >= sizeof(*h) ? h->len & ~SB_HELD_ERROR : 0;

	if (!n || n > SB_HELD_MAX || h->slot >= dp->cfg.max_contexts)
		return 0;
	if (error && dp->ev.error)
		dp->ev.error(dp->user, h->slot, h->ct_local, h->packet, n);
	else if (!error && dp->ev.held)
		dp->ev.held(dp->user, h->slot, h->ct_local, h->packet, n);
	return 0;
}

static int watch(int epoll_fd, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

int dp_events_open(struct datapath *dp, char *err, size_t err_len)
{
	dp->rings = ring_buffer__new(bpf_map__fd(dp->skel->maps.s6_events), on_event, dp, NULL);
	if (!dp->rings)
		goto fail;
	if (ring_buffer__add(dp->rings, bpf_map__fd(dp->skel->maps.s6_strays), on_event, dp) ||
	    ring_buffer__add(dp->rings, bpf_map__fd(dp->skel->maps.s6_held), on_held, dp))
		goto fail;
	dp->packet_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (dp->packet_fd < 0)
		goto fail;
	if (watch(dp->epoll_fd, ring_buffer__epoll_fd(dp->rings)) || watch(dp->epoll_fd, dp->refresh_fd))
		goto fail;
	return 0;
fail:
	snprintf(err, err_len, "cannot open the data path's event channels: %s", strerror(errno));
	return -1;
}

void dp_events_close(struct datapath *dp)
{
	ring_buffer__free(dp->rings);
	if (dp->packet_fd >= 0)
		close(dp->packet_fd);
}

int datapath_fd(struct datapath *dp)
{
	return dp->epoll_fd;
}

void datapath_dispatch(struct datapath *dp)
{
	uint64_t wishes;

	ring_buffer__consume(dp->rings);
	if (read(dp->refresh_fd, &wishes, sizeof(wishes)) == sizeof(wishes))
		dp_refresh_routes(dp);
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	return sum;
}

/* A copy taken before the device was to fill in the checksum has none yet. */
static void tcp_checksum(uint8_t *packet, size_t len)
{
	uint32_t sum = sum16(packet + 8, 32, (uint32_t)(len - IP6_LEN) + IPPROTO_TCP);
	uint8_t *check = packet + IP6_LEN + TCP_CHECK;

	check[0] = check[1] = 0;
	sum = sum16(packet + IP6_LEN, len - IP6_LEN, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	check[0] = (uint8_t)(sum >> 8);
	check[1] = (uint8_t)sum;
}

static int put_packet(struct datapath *dp, const uint8_t *packet, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IPV6),
				  .sll_ifindex = (int)dp->shim0,
				  .sll_halen = 6 };

	return sendto(dp->packet_fd, packet, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

/*
 * A segment was made for the old path: behind a payload header it may be too
 * long for the new one, so it goes in pieces. All of it goes: a sender of whose
 * retransmission only a part is acknowledged sleeps on.
 */
static int put_segment(struct datapath *dp, const uint8_t *packet, size_t len)
{
	size_t headers = IP6_LEN + (size_t)(packet[IP6_LEN + TCP_OFFSET] >> 4) * 4;
	uint32_t seq = get_u32(packet + IP6_LEN + TCP_SEQ);
	uint8_t piece[WAKE_MAX];
	size_t at = headers;
	int rc = 0;

	if (headers < IP6_LEN + TCP_MIN || headers > len)
		return -EINVAL;
	memcpy(piece, packet, headers);
	do {
		size_t n = len - at < WAKE_MAX - headers ? len - at : WAKE_MAX - headers;
		size_t upper = headers - IP6_LEN + n;

		piece[4] = (uint8_t)(upper >> 8);
		piece[5] = (uint8_t)upper;
		put_u32(piece + IP6_LEN + TCP_SEQ, seq + (uint32_t)(at - headers));
		memcpy(piece + headers, packet + at, n);
		at += n;
		piece[IP6_LEN + TCP_FLAGS] = packet[IP6_LEN + TCP_FLAGS];
		if (at < len)
			piece[IP6_LEN + TCP_FLAGS] &= (uint8_t)~TCP_END_FLAGS;
		tcp_checksum(piece, headers + n);
		rc = put_packet(dp, piece, headers + n);
	} while (!rc && at < len);
	return rc;
}

int datapath_inject(struct datapath *dp, const uint8_t *packet, size_t len)
{
	if (len < IP6_LEN || packet[0] >> 4 != 6 || len != IP6_LEN + ((size_t)packet[4] << 8 | packet[5]))
		return -EINVAL;
	if (packet[6] == IPPROTO_TCP && len >= IP6_LEN + TCP_MIN)
		return put_segment(dp, packet, len);
	return put_packet(dp, packet, len);
}

int datapath_deliver(struct datapath *dp, const uint8_t *packet, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IPV6),
				  .sll_ifindex = (int)dp->shim1,
				  .sll_halen = 6 };

	if (len < IP6_LEN || packet[0] >> 4 != 6 || len != IP6_LEN + ((size_t)packet[4] << 8 | packet[5]))
		return -EINVAL;
	memcpy(to.sll_addr, dp->shim0_mac, 6);
	return sendto(dp->packet_fd, packet, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static const char *const names[] = {
#define X(name) #name,
	SB_COUNTERS(X)
#undef X
		"route_failures",
	"address_failures",
	"route_refreshes",
};

unsigned datapath_counter_count(struct datapath *dp)
{
	(void)dp;
	return SB_N_COUNTERS + DP_N_COUNTERS;
}

const char *datapath_counter_name(struct datapath *dp, unsigned i)
{
	return i < datapath_counter_count(dp) ? names[i] : NULL;
}

uint64_t datapath_counter(struct datapath *dp, unsigned i)
{
	uint64_t per_cpu[DP_MAX_CPUS] = { 0 }, sum = 0;
	int n = libbpf_num_possible_cpus();
	uint32_t key = i;

	if (i >= SB_N_COUNTERS)
		return i < SB_N_COUNTERS + DP_N_COUNTERS ? dp->counters[i - SB_N_COUNTERS] : 0;
	if (n < 1 || n > DP_MAX_CPUS || bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.s6_counters), &key, per_cpu))
		return 0;
	for (int c = 0; c < n; c++)
		sum += per_cpu[c];
	return sum;
}
