/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator behind the engine's tests. Events are packets in flight,
 * engine deadlines and flow ticks; the clock jumps from one to the next.
 */
#include <stdlib.h>

#include "internal.h"

#include "engine/internal.h"

uint64_t *volatile sim_memory_of;

uint64_t sim_random(struct sim *s)
{
	uint64_t z = s->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void sim_fill_random(struct sim *s, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len--)
		*p++ = (uint8_t)sim_random(s);
}

struct sim_host *sim_owner(struct sim *s, const struct shim6_addr *a, unsigned *loc)
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

/* --- clocks ------------------------------------------------------------- */

uint64_t sim_clock(const struct sim_host *h)
{
	uint64_t ran = h->sim->now - SIM_START;
	int64_t drift = (int64_t)(ran / 1000000) * h->clock_ppm + (int64_t)(ran % 1000000) * h->clock_ppm / 1000000;

	return SIM_START + h->clock_ahead + ran + (uint64_t)drift;
}

/* When the host's clock will show this, and its process has noticed; not before now. */
static uint64_t wake_at(const struct sim_host *h, uint64_t deadline)
{
	uint64_t shown = sim_clock(h), at = h->sim->now;

	if (deadline == ENGINE_NEVER)
		return ENGINE_NEVER;
	if (deadline > shown) {
		uint64_t left = deadline - shown;

		/* A fast clock may be asked again a little before its time, which costs one more round. */
		at += h->clock_ppm > 0 ? left - left / 1000000 * (unsigned)h->clock_ppm : left;
		if (h->clock_ppm < 0)
			at += left / 1000000 * (unsigned)-h->clock_ppm + left / 1000000000;
		at += h->lag;
	}
	return at < h->paused_until ? h->paused_until : at;
}

void sim_enter(struct sim_host *h)
{
	sim_memory_of = &h->memory;
}

void sim_leave(struct sim_host *h, bool timer)
{
	sim_memory_of = NULL;
	if (h->sim->watcher && h->sim->watcher->called)
		h->sim->watcher->called(h, timer);
}

/* --- engine operations -------------------------------------------------- */

static bool op_send(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		    size_t len)
{
	struct sim_host *h = user;
	struct sim_packet *p;
	unsigned type = msg[2] & 0x7f, loc;
	const struct sim_host *to = sim_owner(h->sim, dst, &loc);

	if (len > WIRE_MAX_MSG)
		abort();
	p = packet_new(SIM_CONTROL);
	p->from = h->index;
	p->src = *src;
	p->dst = *dst;
	p->len = len;
	memcpy(p->buf, msg, len);
	h->sent[type]++;
	h->last[type].src = *src;
	h->last[type].dst = *dst;
	h->last[type].len = len;
	h->last[type].at = h->sim->now;
	h->last[type].proof = to ? h->heard[to->index] : 0;
	memcpy(h->last[type].buf, msg, len);
	return packet_launch(h->sim, p);
}

static bool op_dp_install(void *user, uint32_t slot, const struct shim6_projection *p)
{
	return dataplane_install(user, slot, p);
}

static void op_dp_remove(void *user, uint32_t slot)
{
	struct sim_host *h = user;

	if (!h->keep_datapath)
		dataplane_remove(h, slot);
}

static bool op_dp_stamps(void *user, uint32_t slot, struct shim6_stamps *out)
{
	const struct sim_slot *s = dataplane_slot(user, slot);

	if (s)
		*out = s->stamps;
	return s != NULL;
}

static void op_dp_set_timers(void *user, uint32_t slot, const uint64_t *send_t0, const uint64_t *ka_t0)
{
	struct sim_slot *s = dataplane_slot(user, slot);

	if (s && send_t0)
		s->stamps.send_t0 = *send_t0;
	if (s && ka_t0)
		s->stamps.ka_t0 = *ka_t0;
}

static void op_dp_notify(void *user, uint32_t slot, unsigned mask)
{
	struct sim_slot *s = dataplane_slot(user, slot);

	if (s)
		s->notify = mask;
}

/* As the daemon does: a pair is counted anew once it makes sense to ask again. */
static void op_event(void *user, const struct engine_event *ev)
{
	struct sim_host *h = user;
	const struct engine_config *c = h->has_config ? &h->config : &h->sim->config;

	h->event[h->n_events++ % SIM_EVENTS] = *ev;
	if (ev->type == ENGINE_EV_FAILED)
		dataplane_forget(h, &ev->ulid,
				 h->sim->now +
					 (ev->reason == ENGINE_WHY_NO_SUPPORT ? c->icmp_holddown : c->no_r1_holddown));
	else if (ev->type == ENGINE_EV_GONE && ev->reason != ENGINE_WHY_NO_ANSWER &&
		 ev->reason != ENGINE_WHY_NO_SUPPORT)
		dataplane_forget(h, &ev->ulid, 0);
	if (h->sim->watcher && h->sim->watcher->event)
		h->sim->watcher->event(h, ev);
}

static bool op_in_use(void *user, uint64_t now, const struct shim6_pair *ulid)
{
	(void)now;
	(void)ulid;
	return ((struct sim_host *)user)->sockets;
}

static bool op_sign(void *user, const struct shim6_addr *ulid, uint32_t generation, const struct shim6_addr *locators,
		    unsigned n, uint8_t *sig)
{
	struct sim_host *h = user;
	uint8_t full[CGA_MAX_SIGNATURE];
	size_t len;

	(void)ulid;
	if (!h->key || h->no_signature || cga_sign(h->key, generation, locators, n, full, &len) != CGA_OK)
		return false;
	memcpy(sig, full, len);
	return true;
}

static void op_random(void *user, void *buf, size_t len)
{
	sim_fill_random(((struct sim_host *)user)->sim, buf, len);
}

static const struct engine_ops sim_ops = {
	.send = op_send,
	.dp_install = op_dp_install,
	.dp_remove = op_dp_remove,
	.dp_stamps = op_dp_stamps,
	.dp_set_timers = op_dp_set_timers,
	.dp_notify = op_dp_notify,
	.in_use = op_in_use,
	.event = op_event,
	.sign = op_sign,
	.random = op_random,
};

/* --- hosts -------------------------------------------------------------- */

struct sim *sim_new(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->rng = seed;
	s->now = SIM_START;
	engine_config_default(&s->config);
	for (unsigned i = 0; i < SIM_HOSTS * SIM_LOCATORS * SIM_HOSTS * SIM_LOCATORS; i++)
		(&s->path[0][0][0][0])[i].delay = 10 * SIM_MS;
	return s;
}

void sim_free(struct sim *s)
{
	for (unsigned i = 0; i < s->n_hosts; i++) {
		struct sim_host *h = &s->host[i];

		sim_memory_of = &h->memory;
		engine_free(h->engine, true);
		sim_memory_of = NULL;
		free(h->saved);
	}
	while (s->n_queue)
		free(s->queue[--s->n_queue]);
	free(s->queue);
	free(s);
}

static struct sim_host *add_host(struct sim *s, unsigned n, bool single, const struct cga_key *key)
{
	struct sim_host *h = &s->host[s->n_hosts];
	uint8_t prefix[SIM_LOCATORS][8], modifier[16], nonce[CGA_HBA_NONCE], spki[600];
	struct cga_gen g = {
		.prefixes = (const uint8_t(*)[8])prefix, .n_prefixes = n, .modifier = modifier, .nonce = nonce
	};

	if (key && cga_key_spki(key, spki, sizeof(spki), &g.spki_len) != CGA_OK)
		abort();
	g.spki = key ? spki : NULL;
	*h = (struct sim_host){ .sim = s, .index = s->n_hosts++, .n = n, .single = single, .key = key };
	for (unsigned i = 0; i < n; i++) {
		uint8_t p[8] = { 0x20, 0x01, 0x0d, 0xb8, (uint8_t)h->index, (uint8_t)i, 0, 1 };

		memcpy(prefix[i], p, 8);
		h->assigned[i] = true;
	}
	sim_fill_random(s, modifier, sizeof(modifier));
	sim_fill_random(s, nonce, sizeof(nonce));
	nonce[0] |= 0x80;
	if (cga_generate(&g, &h->set) != CGA_OK)
		abort();
	for (unsigned i = 0; i < n; i++)
		h->addr[i] = h->set.addr[i];
	return h;
}

struct sim_host *sim_add_host(struct sim *s, unsigned n, bool single)
{
	return add_host(s, n, single, NULL);
}

struct sim_host *sim_add_keyed_host(struct sim *s, unsigned n, const struct cga_key *key, unsigned outside)
{
	struct sim_host *h = add_host(s, n, false, key);

	h->n_outside = outside;
	for (unsigned i = 0; i < outside; i++, h->n++)
		h->addr[h->n] = (struct shim6_addr){ { 0x20, 0x01, 0x0d, 0xb8, (uint8_t)h->index, (uint8_t)h->n, 0, 1,
						       2, [15] = 1 } };
	return h;
}

static int set_local(struct sim_host *h)
{
	struct engine_local local[SIM_LOCATORS];
	const uint8_t *pds[SIM_LOCATORS];
	unsigned n = 0, n_set = h->n - h->n_outside;
	struct engine_hba_set set = { .n = n_set, .addr = h->addr, .pds = pds, .pds_len = h->set.pds_len };

	if (h->key)
		set.signature_len = cga_signature_length(h->key);
	for (unsigned i = 0; i < h->n; i++) {
		if (i < n_set)
			pds[i] = h->set.pds[i];
		if (!h->assigned[i])
			continue;
		local[n++] = (struct engine_local){ .addr = h->addr[i],
						    .flags = h->down[i] ? ENGINE_LOCAL_DOWN : 0,
						    .priority = h->priority[i],
						    .weight = h->weight[i],
						    .set = h->single || i >= n_set ? -1 : 0 };
	}
	return engine_set_local(h->engine, sim_clock(h), local, n, &set, h->single ? 0 : 1);
}

void sim_set_local(struct sim_host *h)
{
	if (!h->engine)
		return;
	sim_enter(h);
	if (set_local(h))
		abort();
	sim_leave(h, false);
}

void sim_start_host(struct sim_host *h)
{
	sim_enter(h);
	h->engine = engine_new(h->has_config ? &h->config : &h->sim->config, &sim_ops, h, sim_clock(h));
	if (!h->engine)
		abort();
	if (h->tag_mask)
		h->engine->contexts.tags.mask = h->tag_mask; /* (G-08) */
	if (set_local(h))
		abort();
	sim_memory_of = NULL;
}

void sim_start(struct sim *s)
{
	for (unsigned i = 0; i < s->n_hosts; i++)
		sim_start_host(&s->host[i]);
}

static int save_one(void *arg, const struct engine_ctx_info *info)
{
	struct sim_host *h = arg;
	struct sim_saved *s = &h->saved[h->n_saved];

	s->len = engine_save(h->engine, info->id, s->buf, sizeof(s->buf));
	h->n_saved += s->len > 0;
	return 0;
}

void sim_crash(struct sim_host *h, bool saved, bool datapath)
{
	struct engine *e = h->engine;

	free(h->saved);
	h->saved = NULL;
	h->n_saved = 0;
	if (saved) {
		h->saved = calloc(sim_context_count(h) + 1, sizeof(*h->saved));
		if (!h->saved)
			abort();
		engine_each(e, save_one, h);
	}
	h->keep_datapath = true;
	h->engine = NULL;
	sim_enter(h);
	engine_free(e, true);
	sim_leave(h, false);
	h->keep_datapath = false;
	if (datapath)
		return;
	memset(h->slot, 0, sizeof(h->slot));
	memset(h->count, 0, sizeof(h->count));
	h->n_slots = 0;
}

static void remove_orphans(struct sim_host *h)
{
	for (uint32_t i = 0; i < h->n_slots; i++) {
		uint64_t id;

		if (!h->slot[i].used || engine_slot_id(h->engine, i, &id))
			continue;
		dataplane_forget(h, &h->slot[i].p.ulid, 0);
		h->slot[i] = (struct sim_slot){ 0 };
	}
	while (h->n_slots && !h->slot[h->n_slots - 1].used)
		h->n_slots--;
}

unsigned sim_revive(struct sim_host *h)
{
	unsigned restored = 0;

	if (!h->n_saved)
		memset(h->proven, 0, sizeof(h->proven));
	sim_start_host(h);
	for (unsigned i = 0; i < h->n_saved; i++) {
		sim_enter(h);
		restored +=
			engine_restore(h->engine, sim_clock(h), h->saved[i].buf, (size_t)h->saved[i].len) == ENGINE_OK;
		sim_memory_of = NULL;
	}
	free(h->saved);
	h->saved = NULL;
	h->n_saved = 0;
	remove_orphans(h);
	/* Pairs that the dead process was asked about and did not see through. */
	for (unsigned i = 0; i < SIM_PAIRS; i++)
		h->count[i] = (struct sim_count){ 0 };
	sim_enter(h);
	sim_leave(h, false);
	return restored;
}

void sim_amnesia(struct sim_host *h)
{
	sim_crash(h, false, false);
	sim_revive(h);
}

unsigned sim_restart(struct sim_host *h)
{
	sim_crash(h, true, true);
	return sim_revive(h);
}

/* --- time --------------------------------------------------------------- */

static uint64_t timer_at(const struct sim_host *h)
{
	return h->engine ? wake_at(h, engine_next_deadline(h->engine)) : ENGINE_NEVER;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_time(const struct sim *s)
{
	uint64_t at = s->n_queue ? s->queue[0]->at : ENGINE_NEVER;

	for (unsigned i = 0; i < s->n_hosts; i++)
		at = earlier(at, earlier(timer_at(&s->host[i]), dataplane_next(&s->host[i])));
	for (unsigned i = 0; i < s->n_flows; i++) {
		if (s->flow[i].on)
			at = earlier(at, s->flow[i].next);
	}
	return at;
}

static void tick(struct sim *s, unsigned i)
{
	struct sim_flow *f = &s->flow[i];
	struct sim_host *h = &s->host[f->from];

	if (!f->on || f->next > s->now)
		return;
	if (h->paused_until > s->now) {
		f->next = h->paused_until;
		return;
	}
	f->next = s->now + f->interval;
	f->sent++;
	sim_payload(h, &f->ulid, i);
}

static void step(struct sim *s)
{
	struct sim_packet *p;

	while (!s->stop && (p = packet_due(s)) != NULL)
		packet_arrive(s, p);
	for (unsigned i = 0; i < s->n_flows && !s->stop; i++)
		tick(s, i);
	for (unsigned i = 0; i < s->n_hosts && !s->stop; i++) {
		struct sim_host *h = &s->host[i];

		dataplane_timer(h);
		if (timer_at(h) > s->now)
			continue;
		h->timer_calls++;
		sim_enter(h);
		engine_timer(h->engine, sim_clock(h));
		sim_leave(h, true);
	}
}

bool sim_run_for(struct sim *s, uint64_t ns, bool (*cond)(struct sim *s, void *arg), void *arg)
{
	uint64_t end = s->now + ns;

	for (;;) {
		uint64_t at = next_time(s);

		if (cond && cond(s, arg))
			return true;
		if (at > end || s->stop)
			break;
		if (at > s->now)
			s->now = at;
		step(s);
	}
	if (!s->stop)
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

/* --- calls into an engine ----------------------------------------------- */

void sim_trigger(struct sim_host *h, const struct shim6_pair *ulid)
{
	sim_enter(h);
	engine_trigger(h->engine, sim_clock(h), ulid);
	sim_leave(h, false);
}

int sim_establish(struct sim_host *h, const struct shim6_pair *ulid)
{
	int result;

	sim_enter(h);
	result = engine_establish(h->engine, sim_clock(h), ulid);
	sim_leave(h, false);
	return result;
}

int sim_explore(struct sim_host *h, uint64_t id, const struct shim6_pair *wanted)
{
	int result;

	sim_enter(h);
	result = engine_explore(h->engine, sim_clock(h), id, wanted);
	sim_leave(h, false);
	return result;
}

int sim_drop(struct sim_host *h, uint64_t id)
{
	int result;

	sim_enter(h);
	result = engine_drop(h->engine, sim_clock(h), id);
	sim_leave(h, false);
	return result;
}

void sim_hint(struct sim_host *h, uint32_t slot)
{
	sim_enter(h);
	engine_hint(h->engine, sim_clock(h), slot);
	sim_leave(h, false);
}

void sim_reconfigure(struct sim_host *h, const struct engine_config *c)
{
	h->config = *c;
	h->has_config = true;
	sim_enter(h);
	engine_reconfigure(h->engine, sim_clock(h), &h->config);
	sim_leave(h, false);
}

/* --- what there is ------------------------------------------------------ */

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
	sim_enter(h);
	engine_input_control(h->engine, sim_clock(h), src, dst, buf, len);
	sim_leave(h, false);
}
