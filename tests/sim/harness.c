/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator behind the engine's tests. Events are packets in flight,
 * engine deadlines and flow ticks; the clock jumps from one to the next. The
 * data path does what datapath.h and projection.h say: payload is rewritten by
 * projection, the tag alone finds the context at the other end, stamps move
 * with each packet.
 */
#include "harness.h"

#include <stdlib.h>

#define NO_FLOW UINT32_MAX

uint64_t sim_random(struct sim *s)
{
	uint64_t z = s->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void fill_random(struct sim *s, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len--)
		*p++ = (uint8_t)sim_random(s);
}

/* --- network ------------------------------------------------------------ */

static struct sim_host *owner_of(struct sim *s, const struct shim6_addr *a, unsigned *loc)
{
	for (unsigned h = 0; h < s->n_hosts; h++) {
		for (unsigned i = 0; i < s->host[h].n; i++) {
			if (shim6_addr_eq(&s->host[h].addr[i], a)) {
				*loc = i;
				return &s->host[h];
			}
		}
	}
	return NULL;
}

/* false: it could not even leave this host */
static bool launch(struct sim *s, struct sim_packet *p)
{
	unsigned from_loc, to_loc;
	struct sim_host *from = owner_of(s, &p->src, &from_loc), *to = owner_of(s, &p->dst, &to_loc);
	struct sim_packet **at;
	struct sim_path *path;

	if (!from || !from->assigned[from_loc] || from->down[from_loc]) {
		free(p);
		return false;
	}
	p->from = from->index;
	if (s->filter && !s->filter(s, p, s->filter_arg)) {
		free(p);
		return true;
	}
	path = to ? &s->path[from->index][from_loc][to->index][to_loc] : NULL;
	if (!path || path->cut || (path->loss_percent && sim_random(s) % 100 < path->loss_percent)) {
		free(p);
		return true;
	}
	p->at = s->now + path->delay;
	p->seq = s->seq++;
	for (at = &s->queue; *at && (*at)->at <= p->at; at = &(*at)->next)
		;
	p->next = *at;
	*at = p;
	return true;
}

/* --- data path ---------------------------------------------------------- */

static struct sim_slot *slot_by_ulid(struct sim_host *h, const struct shim6_pair *ulid)
{
	for (unsigned i = 0; i < SIM_SLOTS; i++) {
		if (h->slot[i].used && h->slot[i].p.fii == 0 && shim6_pair_eq(&h->slot[i].p.ulid, ulid))
			return &h->slot[i];
	}
	return NULL;
}

static struct sim_slot *slot_by_tag(struct sim_host *h, uint64_t tag)
{
	for (unsigned i = 0; i < SIM_SLOTS; i++) {
		if (h->slot[i].used && h->slot[i].p.ct_local == tag)
			return &h->slot[i];
	}
	return NULL;
}

static void report(struct sim_host *h, struct sim_slot *slot, unsigned mask)
{
	mask &= slot->notify;
	slot->notify &= ~mask;
	if (mask && h->engine)
		engine_activity(h->engine, h->sim->now, (uint32_t)(slot - h->slot), mask);
}

static void stamp_tx(struct sim_host *h, struct sim_slot *slot)
{
	struct shim6_stamps *st = &slot->stamps;

	st->last_tx = h->sim->now;
	st->ka_t0 = 0;
	if (!st->send_t0)
		st->send_t0 = h->sim->now;
	st->tx_packets++;
	report(h, slot, SHIM6_NOTIFY_TX);
}

static void stamp_rx(struct sim_host *h, struct sim_slot *slot)
{
	struct shim6_stamps *st = &slot->stamps;

	st->last_rx = h->sim->now;
	st->send_t0 = 0;
	if (!st->ka_t0)
		st->ka_t0 = h->sim->now;
	st->rx_packets++;
	report(h, slot, SHIM6_NOTIFY_RX);
}

void sim_payload(struct sim_host *h, const struct shim6_pair *ulid, unsigned flow)
{
	struct sim_slot *slot = slot_by_ulid(h, ulid);
	struct sim_packet *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
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
	launch(h->sim, p);
	if (slot)
		stamp_tx(h, slot); /* attempts count, too (AMB-R11) */
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

static void receive_payload(struct sim_host *h, const struct sim_packet *p)
{
	struct shim6_pair ulid = { .local = p->dst, .peer = p->src };
	struct sim_slot *slot;

	if (p->tagged) {
		slot = slot_by_tag(h, p->tag);
		if (!slot || !(slot->p.flags & SHIM6_PROJ_ACCEPT)) {
			h->unknown_tags++;
			if (h->engine)
				engine_input_unknown_tag(h->engine, h->sim->now, &p->src, &p->dst, p->tag);
			return;
		}
		ulid = slot->p.ulid;
		h->tagged_delivered++;
	} else {
		slot = slot_by_ulid(h, &ulid);
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

static void arrive(struct sim *s, struct sim_packet *p)
{
	unsigned loc;
	struct sim_host *h = owner_of(s, &p->dst, &loc);

	if (h && h->assigned[loc] && !h->down[loc]) {
		if (!p->control)
			receive_payload(h, p);
		else if (h->engine)
			engine_input_control(h->engine, s->now, &p->src, &p->dst, p->buf, p->len);
	}
	free(p);
}

/* --- engine operations -------------------------------------------------- */

static bool op_send(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		    size_t len)
{
	struct sim_host *h = user;
	struct sim_packet *p = calloc(1, sizeof(*p));
	unsigned type = msg[2] & 0x7f;

	if (!p || len > WIRE_MAX_MSG)
		abort();
	p->src = *src;
	p->dst = *dst;
	p->control = true;
	p->len = len;
	p->flow = NO_FLOW;
	memcpy(p->buf, msg, len);
	h->sent[type]++;
	h->last[type] = (struct sim_message){ .src = *src, .dst = *dst, .len = len, .at = h->sim->now };
	memcpy(h->last[type].buf, msg, len);
	return launch(h->sim, p);
}

static bool op_dp_install(void *user, uint32_t slot, const struct shim6_projection *p)
{
	struct sim_host *h = user;
	struct sim_slot *s;

	if (slot >= SIM_SLOTS || h->refuse_install || p->flags & h->refuse_flags)
		return false;
	s = &h->slot[slot];
	if (!s->used || s->p.ct_local != p->ct_local)
		*s = (struct sim_slot){ .used = true };
	s->p = *p;
	return true;
}

static void op_dp_remove(void *user, uint32_t slot)
{
	struct sim_host *h = user;

	if (!h->keep_datapath)
		h->slot[slot] = (struct sim_slot){ 0 };
}

static bool op_dp_stamps(void *user, uint32_t slot, struct shim6_stamps *out)
{
	struct sim_host *h = user;

	if (slot >= SIM_SLOTS || !h->slot[slot].used)
		return false;
	*out = h->slot[slot].stamps;
	return true;
}

static void op_dp_set_timers(void *user, uint32_t slot, const uint64_t *send_t0, const uint64_t *ka_t0)
{
	struct sim_host *h = user;

	if (slot >= SIM_SLOTS || !h->slot[slot].used)
		return;
	if (send_t0)
		h->slot[slot].stamps.send_t0 = *send_t0;
	if (ka_t0)
		h->slot[slot].stamps.ka_t0 = *ka_t0;
}

static void op_dp_notify(void *user, uint32_t slot, unsigned mask)
{
	struct sim_host *h = user;

	if (slot < SIM_SLOTS)
		h->slot[slot].notify = mask;
}

static void op_event(void *user, const struct engine_event *ev)
{
	struct sim_host *h = user;

	h->event[h->n_events++ % SIM_EVENTS] = *ev;
}

static void op_random(void *user, void *buf, size_t len)
{
	fill_random(((struct sim_host *)user)->sim, buf, len);
}

static const struct engine_ops sim_ops = {
	.send = op_send,
	.dp_install = op_dp_install,
	.dp_remove = op_dp_remove,
	.dp_stamps = op_dp_stamps,
	.dp_set_timers = op_dp_set_timers,
	.dp_notify = op_dp_notify,
	.event = op_event,
	.random = op_random,
};

/* --- hosts -------------------------------------------------------------- */

struct sim *sim_new(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->rng = seed;
	s->now = 1000 * SIM_SECOND;
	engine_config_default(&s->config);
	for (unsigned i = 0; i < SIM_HOSTS * SIM_LOCATORS * SIM_HOSTS * SIM_LOCATORS; i++)
		(&s->path[0][0][0][0])[i].delay = 10 * SIM_MS;
	return s;
}

void sim_free(struct sim *s)
{
	for (unsigned i = 0; i < s->n_hosts; i++)
		engine_free(s->host[i].engine, true);
	while (s->queue) {
		struct sim_packet *p = s->queue;

		s->queue = p->next;
		free(p);
	}
	free(s);
}

struct sim_host *sim_add_host(struct sim *s, unsigned n, bool single)
{
	struct sim_host *h = &s->host[s->n_hosts];
	uint8_t prefix[SIM_LOCATORS][8], modifier[16], nonce[CGA_HBA_NONCE];
	struct cga_gen g = {
		.prefixes = (const uint8_t(*)[8])prefix, .n_prefixes = n, .modifier = modifier, .nonce = nonce
	};

	*h = (struct sim_host){ .sim = s, .index = s->n_hosts++, .n = n, .single = single };
	for (unsigned i = 0; i < n; i++) {
		uint8_t p[8] = { 0x20, 0x01, 0x0d, 0xb8, (uint8_t)h->index, (uint8_t)i, 0, 1 };

		memcpy(prefix[i], p, 8);
		h->assigned[i] = true;
	}
	fill_random(s, modifier, sizeof(modifier));
	fill_random(s, nonce, sizeof(nonce));
	nonce[0] |= 0x80;
	if (cga_generate(&g, &h->set) != CGA_OK)
		abort();
	for (unsigned i = 0; i < n; i++)
		h->addr[i] = h->set.addr[i];
	return h;
}

void sim_set_local(struct sim_host *h)
{
	struct engine_local local[SIM_LOCATORS];
	const uint8_t *pds[SIM_LOCATORS];
	struct engine_hba_set set = { .n = h->n, .addr = h->addr, .pds = pds, .pds_len = h->set.pds_len };
	unsigned n = 0;

	for (unsigned i = 0; i < h->n; i++) {
		pds[i] = h->set.pds[i];
		if (!h->assigned[i])
			continue;
		local[n++] = (struct engine_local){ .addr = h->addr[i],
						    .flags = h->down[i] ? ENGINE_LOCAL_DOWN : 0,
						    .priority = h->priority[i],
						    .set = h->single ? -1 : 0 };
	}
	if (engine_set_local(h->engine, h->sim->now, local, n, &set, h->single ? 0 : 1))
		abort();
}

void sim_start_host(struct sim_host *h)
{
	h->engine = engine_new(&h->sim->config, &sim_ops, h, h->sim->now);
	if (!h->engine)
		abort();
	sim_set_local(h);
}

void sim_start(struct sim *s)
{
	for (unsigned i = 0; i < s->n_hosts; i++)
		sim_start_host(&s->host[i]);
}

void sim_amnesia(struct sim_host *h)
{
	engine_free(h->engine, true);
	memset(h->slot, 0, sizeof(h->slot));
	sim_start_host(h);
}

struct saved {
	uint8_t buf[ENGINE_SAVED_MAX];
	int len;
};

struct saver {
	struct engine *e;
	struct saved *s;
	unsigned n;
};

static int save_one(void *arg, const struct engine_ctx_info *info)
{
	struct saver *v = arg;
	struct saved *s = &v->s[v->n];

	s->len = engine_save(v->e, info->id, s->buf, sizeof(s->buf));
	if (s->len > 0)
		v->n++;
	return 0;
}

unsigned sim_restart(struct sim_host *h)
{
	struct saver v = { .e = h->engine, .s = calloc(SIM_SLOTS, sizeof(struct saved)) };
	unsigned restored = 0;

	engine_each(h->engine, save_one, &v);
	h->keep_datapath = true;
	engine_free(h->engine, true);
	h->keep_datapath = false;
	for (unsigned i = 0; i < SIM_SLOTS; i++)
		h->slot[i].notify = 0;
	sim_start_host(h);
	for (unsigned i = 0; i < v.n; i++)
		restored += engine_restore(h->engine, h->sim->now, v.s[i].buf, (size_t)v.s[i].len) == ENGINE_OK;
	free(v.s);
	return restored;
}

/* --- time --------------------------------------------------------------- */

static uint64_t next_time(const struct sim *s)
{
	uint64_t at = s->queue ? s->queue->at : ENGINE_NEVER;

	for (unsigned i = 0; i < s->n_hosts; i++) {
		uint64_t d = s->host[i].engine ? engine_next_deadline(s->host[i].engine) : ENGINE_NEVER;

		if (d < at)
			at = d;
	}
	for (unsigned i = 0; i < s->n_flows; i++) {
		if (s->flow[i].on && s->flow[i].next < at)
			at = s->flow[i].next;
	}
	return at;
}

static void step(struct sim *s)
{
	while (s->queue && s->queue->at <= s->now) {
		struct sim_packet *p = s->queue;

		s->queue = p->next;
		arrive(s, p);
	}
	for (unsigned i = 0; i < s->n_flows; i++) {
		struct sim_flow *f = &s->flow[i];

		if (!f->on || f->next > s->now)
			continue;
		f->next = s->now + f->interval;
		f->sent++;
		sim_payload(&s->host[f->from], &f->ulid, i);
	}
	for (unsigned i = 0; i < s->n_hosts; i++) {
		if (s->host[i].engine && engine_next_deadline(s->host[i].engine) <= s->now)
			engine_timer(s->host[i].engine, s->now);
	}
}

bool sim_run_for(struct sim *s, uint64_t ns, bool (*cond)(struct sim *s, void *arg), void *arg)
{
	uint64_t end = s->now + ns;

	for (;;) {
		uint64_t at = next_time(s);

		if (cond && cond(s, arg))
			return true;
		if (at > end)
			break;
		if (at > s->now)
			s->now = at;
		step(s);
	}
	s->now = end;
	return false;
}

void sim_run(struct sim *s, uint64_t ns)
{
	sim_run_for(s, ns, NULL, NULL);
}

void sim_run_until(struct sim *s, uint64_t at)
{
	if (at > s->now)
		sim_run(s, at - s->now);
}

/* --- helpers ------------------------------------------------------------ */

struct shim6_pair sim_ulids(const struct sim *s, unsigned a, unsigned loc_a, unsigned b, unsigned loc_b)
{
	return (struct shim6_pair){ .local = s->host[a].addr[loc_a], .peer = s->host[b].addr[loc_b] };
}

void sim_cut_path(struct sim *s, unsigned a, unsigned loc_a, unsigned b, unsigned loc_b, bool cut)
{
	s->path[a][loc_a][b][loc_b].cut = cut;
}

void sim_cut_locator(struct sim *s, unsigned host, unsigned loc, bool cut)
{
	for (unsigned h = 0; h < SIM_HOSTS; h++) {
		for (unsigned i = 0; i < SIM_LOCATORS; i++) {
			s->path[host][loc][h][i].cut = cut;
			s->path[h][i][host][loc].cut = cut;
		}
	}
}

unsigned sim_flow_add(struct sim *s, unsigned from, const struct shim6_pair *ulid, uint64_t interval, bool echo)
{
	s->flow[s->n_flows] = (struct sim_flow){
		.on = true, .from = from, .ulid = *ulid, .interval = interval, .next = s->now, .echo = echo
	};
	return s->n_flows++;
}

void sim_flow_stop(struct sim *s, unsigned flow)
{
	s->flow[flow].on = false;
}

struct finder {
	const struct shim6_pair *ulid;
	struct engine_ctx_info *out;
	unsigned n;
};

static int find_one(void *arg, const struct engine_ctx_info *info)
{
	struct finder *f = arg;

	f->n++;
	if (!f->ulid || !shim6_pair_eq(f->ulid, &info->ulid) || info->fii)
		return 0;
	*f->out = *info;
	return 1;
}

bool sim_context(struct sim_host *h, const struct shim6_pair *ulid, struct engine_ctx_info *out)
{
	struct finder f = { .ulid = ulid, .out = out };

	return engine_each(h->engine, find_one, &f) == 1;
}

unsigned sim_context_count(struct sim_host *h)
{
	struct finder f = { 0 };

	engine_each(h->engine, find_one, &f);
	return f.n;
}

unsigned sim_events(const struct sim_host *h, enum engine_event_type type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->n_events && i < SIM_EVENTS; i++)
		n += h->event[i].type == type;
	return n;
}

const struct engine_event *sim_last_event(const struct sim_host *h, enum engine_event_type type)
{
	for (unsigned i = h->n_events; i > 0 && h->n_events - i < SIM_EVENTS; i--) {
		if (h->event[(i - 1) % SIM_EVENTS].type == type)
			return &h->event[(i - 1) % SIM_EVENTS];
	}
	return NULL;
}

uint64_t sim_counter(const struct sim_host *h, const char *name)
{
	for (unsigned i = 0; i < engine_counter_count(); i++) {
		if (strcmp(engine_counter_name(i), name) == 0)
			return engine_counter(h->engine, i);
	}
	abort();
}

void sim_inject(struct sim_host *h, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *buf,
		size_t len)
{
	engine_input_control(h->engine, h->sim->now, src, dst, buf, len);
}
