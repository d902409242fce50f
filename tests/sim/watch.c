/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The invariants. Most are looked at after each call of an engine; those on
 * packets, as each is sent. None asks the engine for its own opinion where the
 * simulation knows better: that a peer was heard from a locator, for one, is
 * followed packet by packet.
 */
#include <stdarg.h>

#include "engine/internal.h"
#include "engine/reap_episode.h"
#include "watch.h"

/* Where each direction has a pair of its own, the ends may miss each other for a while; payload stays where it is. */
#define A_MOMENT (10 * SIM_SECOND)
#define OWN_PER_CONTEXT 24 /* control messages of our own accord in a second (PX-14, PX-20) */
#define TIMERS_PER_CONTEXT 48
#define MEMORY_PER_CONTEXT 12288 /* an episode, a handshake and an update at once */
#define MEMORY_PER_NEGATIVE 256
#define MEMORY_PER_TAG 128 /* in quarantine */
#define MEMORY_SLACK 16384 /* hash tables grow by powers of two */

static struct watch *watch_of(const struct sim *s)
{
	return s->watcher_arg;
}

void watch_fail(struct watch *w, const char *format, ...)
{
	va_list ap;
	int n;

	if (w->failure[0])
		return;
	n = snprintf(w->failure, sizeof(w->failure), "%.3f s: ", (double)(w->sim->now - SIM_START) / 1e9);
	va_start(ap, format);
	vsnprintf(w->failure + n, sizeof(w->failure) - (size_t)n, format, ap);
	va_end(ap);
	w->sim->stop = true;
}

/* --- packets ------------------------------------------------------------ */

static bool is_reply(unsigned type)
{
	return type == WIRE_R1 || type == WIRE_R2 || type == WIRE_R1BIS || type == WIRE_UPDATE_ACK ||
	       type == WIRE_ERROR;
}

static void window(struct watch *w, struct watch_host *o)
{
	uint64_t second = w->sim->now / SIM_SECOND;

	if (o->second == second)
		return;
	o->second = second;
	o->own = o->timers = o->errors = 0;
}

static void control_sent(struct watch *w, const struct sim_packet *p)
{
	struct watch_host *o = &w->host[p->from];
	const struct sim_host *h = &w->sim->host[p->from];
	const struct engine_config *c = h->has_config ? &h->config : &w->sim->config;
	unsigned type = p->buf[2] & 0x7f;

	window(w, o);
	if (is_reply(type)) {
		o->replies++;
		/* The one that is being handled was counted already. */
		if (o->replies > o->received)
			watch_fail(w, "host %c sends %s: more answers than questions", 'A' + (int)p->from,
				   wire_type_name(type));
		if (type == WIRE_ERROR && ++o->errors > 2 * c->replies_per_second + 2)
			watch_fail(w, "host %c: a storm of Errors", 'A' + (int)p->from);
		return;
	}
	if (++o->own > OWN_PER_CONTEXT * (o->n + 2))
		watch_fail(w, "host %c sent %u control messages within a second for %u context(s), at last %s",
			   'A' + (int)p->from, o->own, o->n, wire_type_name(type));
}

/* V-04, Z-05: nothing but the ULID, unless the peer was heard to hear us there */
static void payload_sent(struct watch *w, const struct sim_packet *p)
{
	struct sim *s = w->sim;
	unsigned from_loc, to_loc, loc;
	struct sim_host *from = sim_owner(s, &p->src, &from_loc), *to = sim_owner(s, &p->dst, &to_loc);

	if (!p->tagged)
		return;
	if (!from || from->index != p->from)
		watch_fail(w, "host %c sends payload from %s", 'A' + (int)p->from, watch_addr(s, &p->src).s);
	else if (!to || to != sim_owner(s, &p->ulid_dst, &loc))
		watch_fail(w, "host %c sends payload for %s to %s", 'A' + (int)p->from, watch_addr(s, &p->ulid_dst).s,
			   watch_addr(s, &p->dst).s);
	else if (!shim6_addr_eq(&p->dst, &p->ulid_dst) && !(from->proven[to->index] >> to_loc & 1))
		watch_fail(w, "host %c sends payload to %s, which was never proved (V-04)", 'A' + (int)p->from,
			   watch_addr(s, &p->dst).s);
}

static void on_packet(struct sim *s, const struct sim_packet *p, enum sim_fate fate)
{
	struct watch *w = watch_of(s);

	if (w->chart)
		chart_packet(w, p, fate);
	if (fate == SIM_FATE_TWICE)
		return;
	if (p->kind == SIM_CONTROL)
		control_sent(w, p);
	else if (p->kind == SIM_PAYLOAD)
		payload_sent(w, p);
}

static void on_delivered(struct sim *s, struct sim_host *h, const struct sim_packet *p)
{
	struct watch *w = watch_of(s);

	if (p->kind == SIM_CONTROL || p->tagged)
		w->host[h->index].received++;
	if (h->misdelivered && !w->narrow_tags)
		watch_fail(w, "host %c: payload came out of the wrong context", 'A' + (int)h->index);
}

/* --- contexts ----------------------------------------------------------- */

static bool sends_by_tag(const struct watch_context *c)
{
	return c->state == ENGINE_ESTABLISHED || c->state == ENGINE_I2BIS_SENT;
}

/* F-05: a peer has one set of locators here, so that equal tags of one peer are one context too many. */
static void check_confusion(struct watch *w, const struct sim_host *h)
{
	const struct watch_host *o = &w->host[h->index];
	unsigned loc;

	for (unsigned i = 0; i < o->n; i++) {
		for (unsigned k = 0; k < i; k++) {
			const struct watch_context *a = &o->context[i], *b = &o->context[k];

			if (a->ct_peer == b->ct_peer && sends_by_tag(a) && sends_by_tag(b) &&
			    sim_owner(w->sim, &a->ulid.peer, &loc) == sim_owner(w->sim, &b->ulid.peer, &loc))
				watch_fail(w, "host %c: %s and %s have the same CT(peer) %012llx", 'A' + (int)h->index,
					   watch_pair(w->sim, &a->ulid).s, watch_pair(w->sim, &b->ulid).s,
					   (unsigned long long)a->ct_peer);
		}
	}
}

struct walk {
	struct watch *w;
	struct sim_host *h;
};

static uint32_t flags_wanted(const struct watch_context *c)
{
	uint32_t flags = 0;

	if (c->state == ENGINE_ESTABLISHED && c->reap != REAP_OPERATIONAL)
		flags |= SHIM6_PROJ_EXPLORING;
	if (c->state == ENGINE_ESTABLISHED && c->choice && !shim6_pair_eq(&c->current, &c->ulid))
		flags |= SHIM6_PROJ_HOLD_ERRORS; /* */
	if ((c->state == ENGINE_ESTABLISHED || c->state == ENGINE_I2BIS_SENT) && !shim6_pair_eq(&c->current, &c->ulid))
		flags |= SHIM6_PROJ_REWRITE;
	if (c->state != ENGINE_I1_SENT)
		flags |= SHIM6_PROJ_ACCEPT;
	return flags;
}

static void check_projection(struct watch *w, const struct sim_host *h, uint32_t slot, const struct watch_context *c)
{
	const struct sim_slot *s = slot < SIM_SLOTS ? &h->slot[slot] : NULL;
	const char *what = NULL;

	if (c->state == ENGINE_I1_SENT) {
		what = s && s->used ? "is there in I1-SENT" : NULL;
	} else if (!s || !s->used) {
		what = "is missing";
	} else if (!shim6_pair_eq(&s->p.ulid, &c->ulid) || s->p.fii != c->fii) {
		what = "has other ULIDs";
	} else if (s->p.ct_local != c->ct_local || s->p.ct_peer != c->ct_peer) {
		what = "has other tags";
	} else if (!shim6_pair_eq(&s->p.current, &c->current)) {
		what = "has another current pair";
	} else if (s->p.flags != flags_wanted(c)) {
		what = "has other flags";
	}
	if (what)
		watch_fail(w, "host %c: the projection of %s %s", 'A' + (int)h->index, watch_pair(w->sim, &c->ulid).s,
			   what);
}

static void check_unique(struct watch *w, const struct sim_host *h, const struct watch_context *c)
{
	const struct watch_host *o = &w->host[h->index];

	for (unsigned i = 0; i < o->n; i++) {
		if (o->context[i].ct_local == c->ct_local)
			watch_fail(w, "host %c: two contexts have CT(local) %012llx", 'A' + (int)h->index,
				   (unsigned long long)c->ct_local);
		if (o->context[i].fii == c->fii && shim6_pair_eq(&o->context[i].ulid, &c->ulid))
			watch_fail(w, "host %c: two contexts for %s", 'A' + (int)h->index,
				   watch_pair(w->sim, &c->ulid).s);
	}
}

static bool standing(const struct engine_locator_info *l)
{
	return !(l->flags & (REAP_LOC_DOWN | REAP_LOC_GONE));
}

static bool has_choice(const struct engine_ctx_info *info)
{
	unsigned pairs = 0;

	for (unsigned i = 0; i < info->n_local; i++)
		for (unsigned k = 0; k < info->n_peer; k++)
			pairs += standing(&info->local[i]) && standing(&info->peer[k]);
	return pairs >= 2;
}

static int see_context(void *arg, const struct engine_ctx_info *info)
{
	struct walk *v = arg;
	struct watch_host *o = &v->w->host[v->h->index];
	struct watch_context *c;
	struct watch_context is = { .id = info->id,
				    .ct_local = info->ct_local,
				    .ct_peer = info->ct_peer,
				    .fii = info->fii,
				    .ulid = info->ulid,
				    .current = info->current,
				    .state = info->state,
				    .reap = info->reap,
				    .choice = has_choice(info) };

	check_unique(v->w, v->h, &is);
	check_projection(v->w, v->h, info->slot, &is);
	if (o->n < SIM_SLOTS)
		o->context[o->n++] = is;
	if (v->w->chart && info->slot < SIM_SLOTS) {
		c = &o->before[info->slot];
		chart_state(v->w, v->h, c, &is);
		*c = is;
	}
	return 0;
}

static int count_negative(void *arg, const struct engine_negative_info *info)
{
	(void)info;
	++*(unsigned *)arg;
	return 0;
}

static void check_memory(struct watch *w, struct watch_host *o, const struct sim_host *h)
{
	unsigned negative = 0, tags = h->engine->contexts.tags.n;
	uint64_t most;

	engine_each_negative(h->engine, count_negative, &negative);
	if (o->peak < o->n)
		o->peak = o->n;
	if (o->peak_negative < negative)
		o->peak_negative = negative;
	if (!o->memory_base && !o->n && !negative)
		o->memory_base = h->memory;
	most = o->memory_base + o->peak * (uint64_t)MEMORY_PER_CONTEXT +
	       o->peak_negative * (uint64_t)MEMORY_PER_NEGATIVE + tags * (uint64_t)MEMORY_PER_TAG + MEMORY_SLACK;
	if (o->memory_base && h->memory > most)
		watch_fail(w,
			   "host %c: the engine holds %llu octets with %u context(s) (%u at most so far), %llu without",
			   'A' + (int)h->index, (unsigned long long)h->memory, o->n, o->peak,
			   (unsigned long long)o->memory_base);
}

static void check_timer(struct watch *w, struct watch_host *o, const struct sim_host *h)
{
	window(w, o);
	if (++o->timers > TIMERS_PER_CONTEXT * (o->n + 2))
		watch_fail(w, "host %c: engine_timer() called %u times within a second for %u context(s)",
			   'A' + (int)h->index, o->timers, o->n);
	if (engine_next_deadline(h->engine) <= sim_clock(h))
		watch_fail(w, "host %c: the next deadline is in the past", 'A' + (int)h->index);
}

static void on_called(struct sim_host *h, bool timer)
{
	struct watch *w = watch_of(h->sim);
	struct watch_host *o = &w->host[h->index];
	struct walk v = { .w = w, .h = h };
	const struct engine_config *c = h->has_config ? &h->config : &h->sim->config;
	unsigned projected = 0, used = 0;

	w->checks++;
	if (!h->engine) {
		o->n = 0;
		return;
	}
	o->n = 0;
	engine_each(h->engine, see_context, &v);
	check_confusion(w, h);
	for (unsigned i = 0; i < o->n; i++)
		projected += o->context[i].state != ENGINE_I1_SENT;
	for (unsigned i = 0; i < h->n_slots; i++)
		used += h->slot[i].used;
	if (used != projected)
		watch_fail(w, "host %c: the data path has %u projections, the engine wants %u", 'A' + (int)h->index,
			   used, projected);
	if (o->n > c->max_contexts)
		watch_fail(w, "host %c: %u contexts, but %u allowed", 'A' + (int)h->index, o->n, c->max_contexts);
	check_memory(w, o, h);
	if (timer)
		check_timer(w, o, h);
}

static void on_event(struct sim_host *h, const struct engine_event *ev)
{
	struct watch *w = watch_of(h->sim);

	if (w->chart)
		chart_event(w, h, ev);
}

static const struct sim_watcher watcher = {
	.packet = on_packet,
	.delivered = on_delivered,
	.event = on_event,
	.called = on_called,
};

void watch_begin(struct watch *w, struct sim *s, FILE *chart)
{
	memset(w, 0, sizeof(*w));
	w->sim = s;
	w->chart = chart;
	s->watcher = &watcher;
	s->watcher_arg = w;
	for (unsigned i = 0; i < s->n_hosts; i++) {
		w->narrow_tags |= s->host[i].tag_mask != 0;
		if (s->host[i].engine)
			on_called(&s->host[i], false);
	}
}

/* --- the end ------------------------------------------------------------ */

/* Operational, or for a moment not: a better pair is tested, or moved to, by this end or by the other. */
static bool settled(struct sim_host *h, const struct engine_ctx_info *info)
{
	const struct context *c = context_by_id(h->engine, info->id);
	const struct reap_episode *e = c->reap.episode;

	return info->reap == REAP_OPERATIONAL ||
	       ((e->cause == REAP_CAUSE_TEST || e->cause == REAP_CAUSE_FAIL_BACK || e->cause == REAP_CAUSE_PREFERENCE ||
		 e->cause == REAP_CAUSE_PEER_PROBE) &&
		sim_clock(h) < e->began + A_MOMENT);
}

bool watch_agree(struct watch *w, unsigned a, const struct shim6_pair *ulid, char *why, size_t cap)
{
	struct sim *s = w->sim;
	unsigned loc;
	struct sim_host *ha = &s->host[a], *hb = sim_owner(s, &ulid->peer, &loc);
	struct shim6_pair back = { .local = ulid->peer, .peer = ulid->local };
	struct engine_ctx_info ia, ib;
	bool has_a = sim_context(ha, ulid, &ia), has_b = sim_context(hb, &back, &ib);

	if (!has_a || !has_b)
		snprintf(why, cap, "%s: %s has %s, %s has %s", watch_pair(s, ulid).s, watch_addr(s, &ulid->local).s,
			 has_a ? engine_state_name(ia.state) : "no context", watch_addr(s, &ulid->peer).s,
			 has_b ? engine_state_name(ib.state) : "no context");
	else if (ia.state != ENGINE_ESTABLISHED || ib.state != ENGINE_ESTABLISHED)
		snprintf(why, cap, "%s: %s and %s", watch_pair(s, ulid).s, engine_state_name(ia.state),
			 engine_state_name(ib.state));
	else if (ia.ct_peer != ib.ct_local || ib.ct_peer != ia.ct_local)
		snprintf(why, cap, "%s: the tags do not fit", watch_pair(s, ulid).s);
	else if (!settled(ha, &ia) || !settled(hb, &ib))
		snprintf(why, cap, "%s: %s and %s", watch_pair(s, ulid).s, reap_state_name(ia.reap),
			 reap_state_name(ib.reap));
	else
		return true;
	return false;
}

void watch_idle(struct watch *w)
{
	for (unsigned i = 0; i < w->sim->n_hosts; i++) {
		struct sim_host *h = &w->sim->host[i];
		struct watch_host *o = &w->host[i];
		unsigned negative = 0;

		if (!h->engine)
			continue;
		engine_each_negative(h->engine, count_negative, &negative);
		if (sim_context_count(h) || negative || h->n_slots)
			watch_fail(w, "host %c: %u context(s), %u negative entries, %u slots left after long idleness",
				   'A' + (int)i, sim_context_count(h), negative, h->n_slots);
		if (o->memory_base &&
		    h->memory > o->memory_base + MEMORY_SLACK + h->engine->contexts.tags.n * MEMORY_PER_TAG)
			watch_fail(w, "host %c: %llu octets left after long idleness, %llu at the start", 'A' + (int)i,
				   (unsigned long long)h->memory, (unsigned long long)o->memory_base);
	}
}
