/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two hosts and the routers between them, for tests of the data path at the
 * level of its contract: real links, real sockets, projections put in by hand.
 *
 *          a1 ---- ra1 [     ] rb1 ---- b1
 *     A                   R                   B
 *          a2 ---- ra2 [     ] rb2 ---- b2
 *
 * The addresses are 2001:db8:a1::1, ...:a2::1, ...:b1::1, ...:b2::1; the router has
 * ::ff on each link and forwards between all four. Each host routes by source
 * address. The namespaces have no names: they go when the program ends.
 */
#ifndef TESTS_NET_DP_LAB_H
#define TESTS_NET_DP_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>

#include "datapath/bpf/dp.h"
#include "datapath/datapath.h"
#include "netns.h"

#define PATIENCE_MS 8000
#define FRAME_MAX 70000
#define TAG_A 0x123456789abcULL
#define TAG_B 0x6ba987654321ULL
#define SLOT_A 3
#define SLOT_B 5

struct lab_host {
	char name;
	int ns;
	char pin_dir[96];
	struct datapath_config cfg;
	struct datapath *dp;
	/* what the data path told, and how often */
	unsigned unknown, activities, triggers, icmps, helds, errors;
	struct shim6_addr unknown_src, unknown_dst;
	uint64_t unknown_tag, activity_tag, trigger_packets, icmp_tag;
	unsigned activity_mask, activity_slot;
	struct shim6_pair trigger_pair;
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_mtu, icmp_slot;
	uint8_t held[1500]; /* the first */
	size_t held_len;
	uint8_t error[1500]; /* the last */
	size_t error_len;
	uint32_t error_slot;
	uint64_t error_tag;
};

extern struct lab_host A, B, R;
extern struct shim6_pair ulids, alternative; /* as A sees them: a1-b1, a2-b2 */

/* The namespaces and the bpf file system, once; links and data paths, for each test. */
void lab_begin(void);
int lab_up(void **state);
int lab_down(void **state);
void enter(const struct lab_host *h);
void lab_open(struct lab_host *h);
void lab_attach(struct lab_host *h);
void lab_set_local(struct lab_host *h);
void lab_mtu(struct lab_host *h, int link, unsigned mtu); /* both ends of that link; h knows, the peer does not */
/* Whether the hosts' own links hand over unsegmented packets and unfinished checksums. */
void lab_offload(bool on);

struct shim6_addr addr(const char *text);
struct shim6_pair turned(const struct shim6_pair *p);
/* Both ends: on the ULIDs, or on another pair. */
void contexts(const struct shim6_pair *current);
void context_at(struct lab_host *h, const struct shim6_pair *current, unsigned flags);
uint64_t counter(struct lab_host *h, const char *name);
void print_counters(struct lab_host *h);

/* Events and deadlines. */
void pump(void);     /* waits a little for something to be told */
void pump_now(void); /* does not */
uint64_t now_ms(void);
#define wait_until(condition)                                                                                          \
	do {                                                                                                           \
		uint64_t end_ = now_ms() + PATIENCE_MS;                                                                \
                                                                                                                       \
		while (pump(), !(condition))                                                                           \
			if (now_ms() > end_)                                                                           \
				fail_msg("never came: %s", #condition);                                                \
	} while (0)

/* Sockets; all wait at most PATIENCE_MS. */
int udp_at(const struct lab_host *h, const char *local, uint16_t port, const char *peer, uint16_t peer_port);
int tcp_listen(const struct lab_host *h, const char *local, uint16_t port);
int tcp_connect(const struct lab_host *h, const char *local, const char *peer, uint16_t port);
int icmp_at(const struct lab_host *h, const char *local);
struct sockaddr_in6 sin6(const char *text, uint16_t port);
void fill(uint8_t *buf, size_t len, unsigned seed);
/* Sends a pattern one way and checks it at the other end. Returns the milliseconds it took. */
unsigned tcp_transfer(int from, int to, size_t len);
void udp_exchange(int from, int to, size_t len);
bool ping(int icmp, const char *peer, uint16_t seq, size_t len);

/* Packets as they pass on a device, from the IPv6 header on. */
struct frame {
	uint8_t b[FRAME_MAX];
	size_t len;
	size_t wire;	   /* octets of the largest packet that this one makes on the wire */
	bool outgoing;	   /* as seen from the device */
	bool unfinished;   /* the checksum is left to the device */
	unsigned eth_type; /* of the frame */
};
int capture(const struct lab_host *h, const char *dev);
bool next_frame(int cap, struct frame *f, int timeout_ms); /* IPv6 only */
/* The next one that is what; fails when it does not come. */
enum kind {
	ANY_BUT_ND,
	TAGGED,
	CONTROL,
	PLAIN_UDP,
	PLAIN_TCP,
	PLAIN_ICMP,
	ND
};
void expect_frame(int cap, enum kind what, struct frame *f);
bool is_kind(const struct frame *f, enum kind what);
/* Offset of a header in the chain, -1 if it is not there. */
int header_at(const struct frame *f, unsigned nh);
/* The transport checksum with this pair as pseudo header is right. */
bool checksum_valid(const struct frame *f, int off, unsigned nh, const struct shim6_pair *p);
/* All that waits: nothing of it larger than mtu; returns the number of packets with a payload header. */
unsigned drain(int cap, unsigned mtu);

/* Putting packets on a link by hand: an IPv6 packet leaves by a device of h for the one at its other end. */
void put_packet(const struct lab_host *h, const char *dev, const uint8_t *packet, size_t len);
size_t ip6_packet(uint8_t *out, const char *src, const char *dst, unsigned nh, const void *payload, size_t len);
size_t udp_datagram(uint8_t *out, const struct shim6_pair *p, uint16_t sport, uint16_t dport, size_t len);
size_t shim_header(uint8_t out[8], unsigned nh, uint64_t tag);
uint16_t checksum(const struct shim6_pair *p, unsigned nh, const uint8_t *data, size_t len);

#endif
