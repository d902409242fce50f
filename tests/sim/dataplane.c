/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated data path. It does what datapath.h and projection.h say:
 * payload is rewritten by projection, the tag alone finds the context at the
 * other end, stamps move with each packet, the next packet is reported once
 * when that was asked for, and packets of a ULID pair without a context are
 * counted until a context is asked for.
 */
#include "internal.h"

#define TRIGGER_RETRY (30 * SIM_SECOND)

static struct sim_slot *slot_by_ulid(struct sim_host *h, const struct shim6_pair *ulid)
{
	for (unsigned i = 0; i < h->n_slots; i++) {
		if (h->slot[i].used && h->slot[i].p.fii == 0 && shim6_pair_eq(&h->slot[i].p.ulid, ulid))
			return &h->slot[i];
	}
	return NULL;
}

static struct sim_slot *slot_by_tag(struct sim_host *h, uint64_t tag)
{
	for (unsigned i = 0; i < h->n_slots; i++) {
		if (h->slot[i].used && h->slot[i].p.ct_local == tag)
			return &h->slot[i];
	}
	return NULL;
}

struct sim_slot *dataplane_slot(struct sim_host *h, uint32_t slot)
{
	return slot < SIM_SLOTS && h->slot[slot].used ? &h->slot[slot] : NULL;
}

bool dataplane_install(struct sim_host *h, uint32_t slot, const struct shim6_projection *p)
{
	struct sim_slot *s;

	if (slot >= SIM_SLOTS || h->refuse_install || p->flags & h->refuse_flags)
		return false;
	s = &h->slot[slot];
	if (!s->used || s->p.ct_local != p->ct_local)
		*s = (struct sim_slot){ .used = true };
	s->p = *p;
	if (h->n_slots <= slot)
		h->n_slots = slot + 1;
	return true;
}

void dataplane_remove(struct sim_host *h, uint32_t slot)
{
	h->slot[slot] = (struct sim_slot){ 0 };
	while (h->n_slots && !h->slot[h->n_slots - 1].used)
		h->n_slots--;
}

/* --- notices ------------------------------------------------------------ */

static void hand_over(struct sim_host *h, struct sim_packet *p)
{
	p->from = p->to = h->index;
	packet_post(h->sim, p, h->sim->now + h->notice_delay);
}

static void activity(struct sim_host *h, uint32_t slot, unsigned mask)
{
	if (!h->engine)
		return;
	sim_enter(h);
	engine_activity(h->engine, sim_clock(h), slot, mask);
	sim_leave(h, false);
}

void dataplane_notice(struct sim_host *h, const struct sim_packet *p)
{
	/* It may be older than the context that has the slot now. */
	if (h->slot[p->slot].used && h->slot[p->slot].p.ct_local == p->tag)
		activity(h, p->slot, p->mask);
}

static void report(struct sim_host *h, struct sim_slot *slot, unsigned mask)
{
	struct sim_packet *p;

	mask &= slot->notify;
	if (!mask || (h->notice_loss_percent && sim_random(h->sim) % 100 < h->notice_loss_percent))
		return;
	slot->notify &= ~mask;
	if (!h->notice_delay) {
		activity(h, (uint32_t)(slot - h->slot), mask);
		return;
	}
	p = packet_new(SIM_NOTICE);
	p->dst = h->addr[0];
	p->slot = (uint32_t)(slot - h->slot);
	p->tag = slot->p.ct_local;
	p->mask = mask;
	hand_over(h, p);
}

void dataplane_unknown_tag(struct sim_host *h, const struct sim_packet *p)
{
	if (!h->engine)
		return;
	sim_enter(h);
	engine_input_unknown_tag(h->engine, sim_clock(h), &p->src, &p->dst, p->tag);
	sim_leave(h, false);
}

static void unknown_tag(struct sim_host *h, const struct sim_packet *p)
{
	struct sim_packet *copy;

	h->unknown_tags++;
	if (!h->notice_delay) {
		dataplane_unknown_tag(h, p);
		return;
	}
	copy = packet_new(SIM_UNKNOWN_TAG);
	copy->src = p->src;
	copy->dst = p->dst;
	copy->tag = p->tag;
	hand_over(h, copy);
}

/* --- the deferral policy ------------------------------------------------ */

static struct sim_count *count_of(struct sim_host *h, const struct shim6_pair *ulid, bool add)
{
	struct sim_count *unused = NULL;

	for (unsigned i = 0; i < SIM_PAIRS; i++) {
		if (!h->count[i].packets)
			unused = unused ? unused : &h->count[i];
		else if (shim6_pair_eq(&h->count[i].ulid, ulid))
			return &h->count[i];
	}
	if (!add || !unused)
		return NULL;
	*unused = (struct sim_count){ .ulid = *ulid };
	return unused;
}

void dataplane_forget(struct sim_host *h, const struct shim6_pair *ulid, uint64_t retry)
{
	struct sim_count *c = count_of(h, ulid, false);

	if (!c)
		return;
	if (retry)
		c->retry = retry;
	else
		*c = (struct sim_count){ 0 };
}

static void count_packet(struct sim_host *h, const struct shim6_pair *ulid)
{
	struct sim_count *c = h->trigger_packets ? count_of(h, ulid, true) : NULL;
	unsigned before;

	if (!c || c->told)
		return;
	c->packets++;
	if (c->packets < h->trigger_packets || !h->engine)
		return;
	c->told = true;
	before = sim_context_count(h);
	sim_trigger(h, ulid);
	if (sim_context_count(h) == before)
		c->retry = h->sim->now + TRIGGER_RETRY; /* not wanted at present */
}

uint64_t dataplane_next(const struct sim_host *h)
{
	uint64_t at = ENGINE_NEVER;

	for (unsigned i = 0; h->trigger_packets && i < SIM_PAIRS; i++) {
		if (h->count[i].retry && h->count[i].retry < at)
			at = h->count[i].retry;
	}
	return at;
}

void dataplane_timer(struct sim_host *h)
{
	for (unsigned i = 0; h->trigger_packets && i < SIM_PAIRS; i++) {
		if (h->count[i].retry && h->count[i].retry <= h->sim->now)
			h->count[i] = (struct sim_count){ 0 };
	}
}

/* --- payload ------------------------------------------------------------ */

static void stamp_tx(struct sim_host *h, struct sim_slot *slot)
{
	struct shim6_stamps *st = &slot->stamps;
	uint64_t now = sim_clock(h);

	st->last_tx = now;
	st->ka_t0 = 0;
	if (!st->send_t0)
		st->send_t0 = now;
	st->tx_packets++;
	report(h, slot, SHIM6_NOTIFY_TX);
}

static void stamp_rx(struct sim_host *h, struct sim_slot *slot)
{
	struct shim6_stamps *st = &slot->stamps;
	uint64_t now = sim_clock(h);

	st->last_rx = now;
	st->send_t0 = 0;
	if (!st->ka_t0)
		st->ka_t0 = now;
	st->rx_packets++;
	report(h, slot, SHIM6_NOTIFY_RX);
}

void sim_payload(struct sim_host *h, const struct shim6_pair *ulid, unsigned flow)
{
	struct sim_slot *slot = slot_by_ulid(h, ulid);
	struct sim_packet *p = packet_new(SIM_PAYLOAD);

	p->from = h->index;
	p->src = p->ulid_src = ulid->local;
	p->dst = p->ulid_dst = ulid->peer;
	p->flow = flow;
	h->payload_sent++;
	if (slot && slot->p.flags & SHIM6_PROJ_REWRITE) {
		p->tagged = true;
		p->tag = slot->p.ct_peer;
		p->src = slot->p.current.local;
		p->dst = slot->p.current.peer;
		h->payload_tagged++;
	}
	packet_launch(h->sim, p);
	if (slot)
		stamp_tx(h, slot); /* attempts count, too (AMB-R11) */
	else
		count_packet(h, ulid);
}

static void note_delivery(struct sim_host *h, const struct shim6_pair *ulid, unsigned flow)
{
	struct sim *s = h->sim;
	struct sim_flow *f = flow < s->n_flows ? &s->flow[flow] : NULL;

	h->delivered++;
	if (!f)
		return;
	if (h->index == f->from) {
		f->answered++;
		f->last_answered = s->now;
		return;
	}
	if (f->received && s->now - f->last_received > f->longest_gap)
		f->longest_gap = s->now - f->last_received;
	f->received++;
	f->last_received = s->now;
	if (f->echo)
		sim_payload(h, ulid, flow);
}

void dataplane_payload(struct sim_host *h, const struct sim_packet *p)
{
	struct shim6_pair ulid = { .local = p->dst, .peer = p->src };
	struct sim_slot *slot;

	if (p->tagged) {
		slot = slot_by_tag(h, p->tag);
		if (!slot || !(slot->p.flags & SHIM6_PROJ_ACCEPT)) {
			unknown_tag(h, p);
			return;
		}
		ulid = slot->p.ulid;
		h->tagged_delivered++;
	} else {
		slot = slot_by_ulid(h, &ulid);
		if (!slot)
			count_packet(h, &ulid);
	}
	if (slot)
		stamp_rx(h, slot);
	/* A wrong context means wrong addresses, which the transport checksum catches. */
	if (!shim6_addr_eq(&ulid.local, &p->ulid_dst) || !shim6_addr_eq(&ulid.peer, &p->ulid_src)) {
		h->misdelivered++;
		return;
	}
	note_delivery(h, &ulid, p->flow);
}
