/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/held.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define TCP_FIN 0x01
#define TCP_SYN 0x02

/* Ports are enough: a slot stands for one ULID pair. */
struct segment {
	struct segment *next; /* of all, oldest first */
	uint64_t time;
	uint64_t sent; /* last try */
	uint64_t due;  /* next try; HELD_NEVER before the first */
	unsigned tries;
	uint64_t ct_local;
	uint32_t slot;
	uint32_t ports;
	bool bare; /* neither data nor SYN or FIN */
	size_t len;
	uint8_t packet[];
};

struct flow {
	uint32_t ports;
	bool bare;
};

struct held {
	struct held_limits limits;
	struct counters *counters;
	struct segment *first, **last;
	unsigned n;
	unsigned n_due; /* segments with a try to come */
};

struct held *held_new(const struct held_limits *l, struct counters *c)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->limits = *l;
	h->counters = c;
	h->last = &h->first;
	return h;
}

/* Take *link out of the list. */
static void drop(struct held *h, struct segment **link)
{
	struct segment *s = *link;

	*link = s->next;
	if (s->due != HELD_NEVER)
		h->n_due--;
	if (h->last == &s->next)
		h->last = link;
	h->n--;
	free(s);
}

void held_free(struct held *h)
{
	if (!h)
		return;
	while (h->first)
		drop(h, &h->first);
	free(h);
}

static bool too_old(const struct held *h, const struct segment *s, uint64_t now)
{
	return now > s->time && now - s->time > h->limits.lifetime;
}

/* The list is in order of age: what is too old is at its head. */
static void expire(struct held *h, uint64_t now)
{
	while (h->first && too_old(h, h->first, now)) {
		drop(h, &h->first);
		count(h->counters, DC_held_stale);
	}
}

void held_set_limits(struct held *h, const struct held_limits *l)
{
	h->limits = *l;
	while (h->n > h->limits.total) {
		drop(h, &h->first);
		count(h->counters, DC_held_refused);
	}
}

/* Find the TCP header behind the extension headers a socket may have put before it. */
static bool tcp_flow(const uint8_t *p, size_t len, struct flow *f)
{
	uint8_t next;
	size_t at = 40;

	if (len < 40 || p[0] >> 4 != 6)
		return false;
	next = p[6];
	while (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) {
		if (at + 8 > len)
			return false;
		next = p[at];
		at += (p[at + 1] + 1u) * 8;
	}
	if (next != IPPROTO_TCP || at + 20 > len)
		return false;
	memcpy(&f->ports, p + at, 4);
	f->bare = at + (p[at + 12] >> 4) * 4u >= len && !(p[at + 13] & (TCP_FIN | TCP_SYN));
	return true;
}

static bool says_more(const struct held *h, uint32_t slot, const struct flow *f)
{
	for (const struct segment *s = h->first; s && f->bare; s = s->next) {
		if (s->slot == slot && s->ports == f->ports && !s->bare)
			return true;
	}
	return false;
}

/* Remove an older segment of the flow; count the slot's others, finding its oldest. */
static unsigned replace(struct held *h, uint32_t slot, uint32_t ports, struct segment ***oldest)
{
	struct segment **link = &h->first;
	unsigned n = 0;

	*oldest = NULL;
	while (*link) {
		struct segment *s = *link;

		if (s->slot == slot && s->ports == ports) {
			drop(h, link);
			count(h->counters, DC_held_replaced);
			continue;
		}
		if (s->slot == slot && n++ == 0)
			*oldest = link;
		link = &s->next;
	}
	return n;
}

void held_add(struct held *h, uint64_t now, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len)
{
	struct segment *s, **oldest;
	struct flow flow;

	count(h->counters, DC_held_received);
	expire(h, now);
	if (!h->limits.per_context || !h->limits.total || len > HELD_MAX_PACKET || !tcp_flow(packet, len, &flow)) {
		count(h->counters, DC_held_refused);
		return;
	}
	if (says_more(h, slot, &flow)) {
		count(h->counters, DC_held_replaced);
		return;
	}
	s = malloc(sizeof(*s) + len);
	if (!s) {
		count(h->counters, DC_held_refused);
		return;
	}
	if (replace(h, slot, flow.ports, &oldest) >= h->limits.per_context) {
		drop(h, oldest);
		count(h->counters, DC_held_refused);
	} else if (h->n >= h->limits.total) {
		drop(h, &h->first);
		count(h->counters, DC_held_refused);
	}
	*s = (struct segment){ .time = now,
			       .due = HELD_NEVER,
			       .ct_local = ct_local,
			       .slot = slot,
			       .ports = flow.ports,
			       .bare = flow.bare,
			       .len = len };
	memcpy(s->packet, packet, len);
	*h->last = s;
	h->last = &s->next;
	h->n++;
}

/* One try. false: it was the last. */
static bool try_segment(struct held *h, struct segment *s, uint64_t now, held_inject inject, void *arg)
{
	if (s->due == HELD_NEVER)
		h->n_due++;
	s->sent = now;
	s->due = now + (HELD_FIRST_GAP << s->tries);
	if (inject(arg, s->packet, s->len) < 0) {
		count(h->counters, DC_held_inject_failed);
		return false;
	}
	count(h->counters, DC_held_injected);
	return ++s->tries < HELD_TRIES;
}

void held_release(struct held *h, uint64_t now, uint32_t slot, uint64_t ct_local, held_inject inject, void *arg)
{
	struct segment **link = &h->first;

	expire(h, now);
	while (*link) {
		struct segment *s = *link;

		if (s->slot == slot && s->ct_local != ct_local) {
			count(h->counters, DC_held_stale);
			drop(h, link);
			continue;
		}
		if (s->slot == slot) {
			s->tries = 0;
			if (!try_segment(h, s, now, inject, arg)) {
				drop(h, link);
				continue;
			}
		}
		link = &s->next;
	}
}

/* A try after the first. false: it was the last, or another context has the slot. */
static bool try_due(struct held *h, struct segment *s, uint64_t now, uint64_t heard, held_inject inject, void *arg)
{
	bool last = heard > s->sent;

	return heard != HELD_NEVER && try_segment(h, s, now, inject, arg) && !last;
}

uint64_t held_again(struct held *h, uint64_t now, held_last_rx last_rx, held_inject inject, void *arg)
{
	struct segment **link = &h->first;
	uint64_t next = HELD_NEVER;

	if (!h->n_due)
		return HELD_NEVER;
	while (*link) {
		struct segment *s = *link;

		if (s->due <= now && !try_due(h, s, now, last_rx(arg, s->slot, s->ct_local), inject, arg)) {
			drop(h, link);
			continue;
		}
		if (s->due < next)
			next = s->due;
		link = &s->next;
	}
	return next;
}

void held_forget(struct held *h, uint32_t slot)
{
	struct segment **link = &h->first;

	while (*link) {
		if ((*link)->slot != slot) {
			link = &(*link)->next;
			continue;
		}
		drop(h, link);
		count(h->counters, DC_held_stale);
	}
}

unsigned held_count(const struct held *h)
{
	return h->n;
}
