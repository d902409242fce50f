/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The faults of a random run. */
#include "forge.h"
#include "world.h"

static struct sim_host *any_host(struct world *w)
{
	return &w->s->host[world_draw(w, w->s->n_hosts)];
}

static struct sim_host *live_host(struct world *w)
{
	struct sim_host *h = any_host(w);

	return h->engine ? h : NULL;
}

static char letter(const struct sim_host *h)
{
	return (char)('A' + (int)h->index);
}

/* Two hosts and a locator of each. false: drawn twice the same. */
static bool any_path(struct world *w, unsigned *a, unsigned *i, unsigned *b, unsigned *j)
{
	*a = world_draw(w, w->s->n_hosts);
	*b = world_draw(w, w->s->n_hosts);
	*i = world_draw(w, w->s->host[*a].n);
	*j = world_draw(w, w->s->host[*b].n);
	return *a != *b;
}

static void cut_path(struct world *w)
{
	unsigned a, i, b, j;
	bool *cut;

	if (!any_path(w, &a, &i, &b, &j))
		return;
	cut = &w->s->path[a][i][b][j].cut;
	*cut = !*cut;
	watch_note(&w->w, "%c%u -> %c%u %s", 'A' + (int)a, i + 1, 'A' + (int)b, j + 1, *cut ? "cut" : "works again");
}

static void cut_locator(struct world *w)
{
	struct sim_host *h = any_host(w);
	unsigned i = world_draw(w, h->n);
	bool cut = world_chance(w, 60);

	sim_cut_locator(w->s, h->index, i, cut);
	watch_note(&w->w, "%c%u %s", letter(h), i + 1, cut ? "cut from everybody" : "works again");
}

static void link(struct world *w)
{
	struct sim_host *h = any_host(w);
	unsigned i = world_draw(w, h->n);

	h->down[i] = !h->down[i];
	watch_note(&w->w, "link of %c%u %s", letter(h), i + 1, h->down[i] ? "down" : "up");
	sim_set_local(h);
}

static void address(struct world *w)
{
	struct sim_host *h = any_host(w);
	unsigned i = world_draw(w, h->n);

	h->assigned[i] = !h->assigned[i];
	watch_note(&w->w, "%c%u %s", letter(h), i + 1, h->assigned[i] ? "assigned" : "taken away");
	sim_set_local(h);
}

static void crash(struct world *w, bool saved, bool datapath, uint64_t away)
{
	struct sim_host *h = live_host(w);

	if (!h)
		return;
	watch_note(&w->w, "%c dies for %.1f s; contexts %s, data path %s", letter(h), (double)away / 1e9,
		   saved ? "saved" : "forgotten", datapath ? "stays" : "gone");
	sim_crash(h, saved, datapath);
	w->revive[h->index] = w->s->now + away;
	if (!away)
		fault_revive(w, false);
}

void fault_revive(struct world *w, bool all)
{
	for (unsigned i = 0; i < w->s->n_hosts; i++) {
		struct sim_host *h = &w->s->host[i];

		if (h->engine || (!all && w->revive[i] > w->s->now))
			continue;
		watch_note(&w->w, "%c is back", letter(h));
		sim_revive(h);
	}
}

static void pause_host(struct world *w)
{
	struct sim_host *h = any_host(w);
	uint64_t time = world_draw(w, 30000) * SIM_MS;

	h->paused_until = w->s->now + time;
	watch_note(&w->w, "%c stands still for %.1f s", letter(h), (double)time / 1e9);
}

/* --- commands ----------------------------------------------------------- */

struct picker {
	struct world *w;
	unsigned n;
	struct engine_ctx_info info;
};

static int pick(void *arg, const struct engine_ctx_info *info)
{
	struct picker *p = arg;

	if (world_draw(p->w, ++p->n) == 0)
		p->info = *info;
	return 0;
}

static bool any_context(struct world *w, struct sim_host *h, struct engine_ctx_info *out)
{
	struct picker p = { .w = w };

	if (!h)
		return false;
	engine_each(h->engine, pick, &p);
	*out = p.info;
	return p.n > 0;
}

static void drop(struct world *w)
{
	struct sim_host *h = live_host(w);
	struct engine_ctx_info c;

	if (!any_context(w, h, &c))
		return;
	watch_note(&w->w, "%c drops %s", letter(h), watch_pair(w->s, &c.ulid).s);
	sim_drop(h, c.id);
}

static void explore(struct world *w)
{
	struct sim_host *h = live_host(w);
	struct engine_ctx_info c;
	struct shim6_pair wanted;
	bool wants = world_chance(w, 50);

	if (!any_context(w, h, &c))
		return;
	wanted.local = c.local[world_draw(w, c.n_local)].addr;
	wanted.peer = c.n_peer ? c.peer[world_draw(w, c.n_peer)].addr : c.ulid.peer;
	watch_note(&w->w, "%c explores %s, wants %s", letter(h), watch_pair(w->s, &c.ulid).s,
		   wants ? watch_pair(w->s, &wanted).s : "any pair");
	sim_explore(h, c.id, wants ? &wanted : NULL);
}

static void hint(struct world *w)
{
	struct sim_host *h = live_host(w);
	struct engine_ctx_info c;

	if (!any_context(w, h, &c))
		return;
	watch_note(&w->w, "hint to %c about %s", letter(h), watch_pair(w->s, &c.ulid).s);
	sim_hint(h, c.slot);
}

static void prefer(struct world *w)
{
	struct sim_host *h = any_host(w);
	unsigned i = world_draw(w, h->n);

	h->priority[i] = (uint8_t)world_draw(w, 4);
	watch_note(&w->w, "priority of %c%u: %u", letter(h), i + 1, h->priority[i]);
	sim_set_local(h);
}

static void send_timeout(struct world *w)
{
	struct sim_host *h = live_host(w);
	struct engine_config c;

	if (!h)
		return;
	c = h->has_config ? h->config : w->s->config;
	c.reap.send_timeout = (10 + world_draw(w, 20)) * SIM_SECOND;
	watch_note(&w->w, "Send Timeout of %c: %.0f s", letter(h), (double)c.reap.send_timeout / 1e9);
	sim_reconfigure(h, &c);
}

static void establish(struct world *w)
{
	unsigned a, i, b, j;
	struct shim6_pair ulid;

	if (!any_path(w, &a, &i, &b, &j) || !w->s->host[a].engine)
		return;
	ulid = sim_ulids(w->s, a, i, b, j);
	watch_note(&w->w, "%c asks for %s", 'A' + (int)a, watch_pair(w->s, &ulid).s);
	sim_establish(&w->s->host[a], &ulid);
}

/* --- traffic, noise ----------------------------------------------------- */

static void flow(struct world *w)
{
	struct sim_flow *f = &w->s->flow[world_draw(w, w->s->n_flows)];

	f->on = !f->on;
	f->next = w->s->now;
	watch_note(&w->w, "flow %u %s", (unsigned)(f - w->s->flow), f->on ? "on" : "off");
}

static void loss(struct world *w)
{
	unsigned a, i, b, j, percent = world_draw(w, 40);

	if (!any_path(w, &a, &i, &b, &j))
		return;
	w->s->path[a][i][b][j].loss_percent = percent;
	watch_note(&w->w, "%c%u -> %c%u loses %u %%", 'A' + (int)a, i + 1, 'A' + (int)b, j + 1, percent);
}

/* A control message of old comes once more, or many times at once. */
static void replay(struct world *w)
{
	static const uint8_t types[] = {
		WIRE_I1,	 WIRE_R1,	 WIRE_I2,    WIRE_R2,	WIRE_R1BIS, WIRE_I2BIS, WIRE_UPDATE_REQUEST,
		WIRE_UPDATE_ACK, WIRE_KEEPALIVE, WIRE_PROBE, WIRE_ERROR
	};
	struct sim_host *from = any_host(w);
	struct sim_message m = from->last[types[world_draw(w, sizeof(types))]];
	unsigned n = world_chance(w, 70) ? 1 : 1 + world_draw(w, 300);

	if (!m.len)
		return;
	watch_note(&w->w, "%s of %.3f s comes to %s again, %u time(s)", wire_type_name(m.buf[2] & 0x7f),
		   (double)(m.at - SIM_START) / 1e9, watch_addr(w->s, &m.dst).s, n);
	while (n-- && !w->s->stop)
		forge_arrival(&w->w, from, &m);
}

/* A context is forked in the name of a peer, which does not know of it. */
static void fork_context(struct world *w)
{
	unsigned a, i, b, j;
	struct shim6_pair ulid;

	if (!any_path(w, &a, &i, &b, &j))
		return;
	ulid = sim_ulids(w->s, a, i, b, j);
	watch_note(&w->w, "%c forks %s", 'A' + (int)b, watch_pair(w->s, &ulid).s);
	forge_fork(&w->w, &w->s->host[a], &ulid, 1 + world_draw(w, 3), sim_random(w->s) & WIRE_TAG_MASK);
}

static void refuse(struct world *w)
{
	struct sim_host *h = any_host(w);

	h->refuse_install = !h->refuse_install;
	watch_note(&w->w, "data path of %c %s", letter(h), h->refuse_install ? "is full" : "has room");
}

/* Tagged payload that nobody sent: a burst from one address. */
static void stray(struct world *w)
{
	struct sim_host *h = live_host(w);
	unsigned a, i, b, j, n = 1 + world_draw(w, 200);

	if (!h || !any_path(w, &a, &i, &b, &j) || !w->s->host[b].engine)
		return;
	h = &w->s->host[b];
	watch_note(&w->w, "%u stray packets %c%u -> %c%u", n, 'A' + (int)a, i + 1, 'A' + (int)b, j + 1);
	while (n--) {
		w->w.host[b].received++;
		engine_input_unknown_tag(h->engine, sim_clock(h), &w->s->host[a].addr[i], &h->addr[j],
					 sim_random(w->s) & WIRE_TAG_MASK);
	}
}

void fault_heal(struct world *w)
{
	struct sim *s = w->s;

	watch_note(&w->w, "all paths work again");
	for (unsigned i = 0; i < SIM_HOSTS * SIM_LOCATORS * SIM_HOSTS * SIM_LOCATORS; i++) {
		struct sim_path *p = &(&s->path[0][0][0][0])[i];

		p->cut = false;
		if (w->calm)
			p->loss_percent = p->duplicate_percent = 0;
	}
}

/* Fault, and how often of a hundred. */
static const struct {
	void (*apply)(struct world *w);
	unsigned percent;
} kinds[] = {
	{ cut_path, 16 }, { cut_locator, 10 }, { link, 9 },	  { address, 5 }, { pause_host, 3 },
	{ drop, 4 },	  { explore, 4 },      { hint, 3 },	  { prefer, 4 },  { send_timeout, 2 },
	{ establish, 5 }, { flow, 5 },	       { loss, 4 },	  { replay, 4 },  { fork_context, 2 },
	{ refuse, 2 },	  { stray, 1 },	       { fault_heal, 5 },
};

void fault_random(struct world *w)
{
	unsigned n = world_draw(w, 100);

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (n < kinds[i].percent) {
			kinds[i].apply(w);
			return;
		}
		n -= kinds[i].percent;
	}
	crash(w, world_chance(w, 50), world_chance(w, 50), world_chance(w, 60) ? 0 : world_draw(w, 20000) * SIM_MS);
}
