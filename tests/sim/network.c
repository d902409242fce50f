/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets on their way: a heap by time of arrival, and what a path does to
 * them. Notices from a data path to its engine wait in the same heap.
 */
#include <stdlib.h>
#include <stddef.h>

#include "internal.h"

#define ICMP_UNREACHABLE 1
#define ADDRESS_UNREACHABLE 3
#define IPV6_HEADER 40

struct sim_packet *packet_new(enum sim_kind kind)
{
	uint64_t *engine = sim_memory_of;
	struct sim_packet *p;

	sim_memory_of = NULL; /* an engine sends it, but does not keep it */
	p = malloc(sizeof(*p));
	sim_memory_of = engine;
	if (!p)
		abort();
	memset(p, 0, offsetof(struct sim_packet, buf));
	p->kind = kind;
	p->flow = NO_FLOW;
	return p;
}

/* --- heap --------------------------------------------------------------- */

static bool before(const struct sim_packet *a, const struct sim_packet *b)
{
	return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static void grow(struct sim *s)
{
	uint64_t *engine = sim_memory_of;

	sim_memory_of = NULL;
	s->cap_queue = s->cap_queue ? 2 * s->cap_queue : 64;
	s->queue = realloc(s->queue, s->cap_queue * sizeof(*s->queue));
	if (!s->queue)
		abort();
	sim_memory_of = engine;
}

void packet_post(struct sim *s, struct sim_packet *p, uint64_t at)
{
	size_t i = s->n_queue++;

	if (s->n_queue > s->cap_queue)
		grow(s);
	p->at = at;
	p->seq = s->seq++;
	for (; i && before(p, s->queue[(i - 1) / 2]); i = (i - 1) / 2)
		s->queue[i] = s->queue[(i - 1) / 2];
	s->queue[i] = p;
}

struct sim_packet *packet_due(struct sim *s)
{
	struct sim_packet *first, *last;
	size_t i = 0, child;

	if (!s->n_queue || s->queue[0]->at > s->now)
		return NULL;
	first = s->queue[0];
	last = s->queue[--s->n_queue];
	while ((child = 2 * i + 1) < s->n_queue) {
		if (child + 1 < s->n_queue && before(s->queue[child + 1], s->queue[child]))
			child++;
		if (!before(s->queue[child], last))
			break;
		s->queue[i] = s->queue[child];
		i = child;
	}
	s->queue[i] = last;
	return first;
}

/* --- launch ------------------------------------------------------------- */

static void seen(struct sim *s, const struct sim_packet *p, enum sim_fate fate)
{
	if (s->watcher && s->watcher->packet)
		s->watcher->packet(s, p, fate);
}

static uint64_t arrival(struct sim *s, struct sim_path *path)
{
	uint64_t at = s->now + path->delay + (path->jitter ? sim_random(s) % path->jitter : 0);

	if (!path->reorder && at < path->last)
		at = path->last;
	path->last = at;
	return at;
}

/* The router before an address that is not there says so. */
static void icmp_back(struct sim *s, const struct sim_packet *p, uint64_t delay)
{
	struct sim_packet *icmp;
	size_t len;

	if (!s->icmp || (p->kind != SIM_CONTROL && !p->tagged))
		return;
	icmp = packet_new(SIM_ICMP);
	icmp->from = icmp->to = p->from;
	icmp->src = icmp->dst = p->src;
	icmp->icmp_type = ICMP_UNREACHABLE;
	icmp->icmp_code = ADDRESS_UNREACHABLE;
	memset(icmp->buf, 0, IPV6_HEADER);
	icmp->buf[0] = 0x60;
	icmp->buf[6] = WIRE_PROTO;
	memcpy(icmp->buf + 8, &p->src, 16);
	memcpy(icmp->buf + 24, &p->dst, 16);
	if (p->kind == SIM_CONTROL) {
		len = p->len < sizeof(icmp->buf) - IPV6_HEADER ? p->len : sizeof(icmp->buf) - IPV6_HEADER;
		memcpy(icmp->buf + IPV6_HEADER, p->buf, len);
	} else {
		len = WIRE_PAYLOAD_HDR;
		wire_payload_put(icmp->buf + IPV6_HEADER, 17, p->tag);
	}
	icmp->len = IPV6_HEADER + len;
	packet_post(s, icmp, s->now + 2 * delay);
}

static void launch_again(struct sim *s, const struct sim_packet *p, struct sim_path *path)
{
	struct sim_packet *copy = packet_new(p->kind);

	*copy = *p;
	packet_post(s, copy, arrival(s, path));
}

bool packet_launch(struct sim *s, struct sim_packet *p)
{
	unsigned from_loc, to_loc;
	struct sim_host *from = sim_owner(s, &p->src, &from_loc), *to = sim_owner(s, &p->dst, &to_loc);
	struct sim_path *path;

	if (from)
		p->from = from->index;
	if (!from || !from->assigned[from_loc] || from->down[from_loc]) {
		seen(s, p, SIM_FATE_NO_LINK);
		free(p);
		return false;
	}
	path = to ? &s->path[from->index][from_loc][to->index][to_loc] : NULL;
	if (to) {
		p->to = to->index;
		p->proof = from->heard[to->index];
	}
	if ((s->filter && !s->filter(s, p, s->filter_arg)) || !path || path->cut ||
	    (path->loss_percent && sim_random(s) % 100 < path->loss_percent)) {
		seen(s, p, SIM_FATE_LOST);
		free(p);
		return true;
	}
	if (!to->assigned[to_loc])
		icmp_back(s, p, path->delay);
	if (path->duplicate_percent && sim_random(s) % 100 < path->duplicate_percent) {
		seen(s, p, SIM_FATE_TWICE);
		launch_again(s, p, path);
	}
	packet_post(s, p, arrival(s, path));
	seen(s, p, SIM_FATE_SENT);
	return true;
}

/* --- arrival ------------------------------------------------------------ */

static void control(struct sim_host *h, unsigned loc, const struct sim_packet *p)
{
	h->heard[p->from] = (uint8_t)(h->heard[p->from] | 1u << loc);
	h->proven[p->from] |= p->proof;
	if (!h->engine)
		return;
	sim_enter(h);
	engine_input_control(h->engine, sim_clock(h), &p->src, &p->dst, p->buf, p->len);
	sim_leave(h, false);
}

static void icmp(struct sim_host *h, const struct sim_packet *p)
{
	if (!h->engine)
		return;
	sim_enter(h);
	engine_input_icmp(h->engine, sim_clock(h), p->icmp_type, p->icmp_code, 0, p->buf, p->len);
	sim_leave(h, false);
}

void packet_arrive(struct sim *s, struct sim_packet *p)
{
	unsigned loc;
	struct sim_host *h = sim_owner(s, &p->dst, &loc);

	if (h && h->paused_until > s->now) {
		packet_post(s, p, h->paused_until);
		return;
	}
	if (h && p->kind == SIM_NOTICE) {
		dataplane_notice(h, p);
	} else if (h && p->kind == SIM_UNKNOWN_TAG) {
		dataplane_unknown_tag(h, p);
	} else if (h && h->assigned[loc] && !h->down[loc]) {
		if (s->watcher && s->watcher->delivered)
			s->watcher->delivered(s, h, p);
		if (p->kind == SIM_PAYLOAD)
			dataplane_payload(h, p);
		else if (p->kind == SIM_ICMP)
			icmp(h, p);
		else
			control(h, loc, p);
	}
	free(p);
}
