/* SPDX-License-Identifier: MIT */
/* What operators see: names, counters, contexts, events. */
#include "engine/internal.h"

static const char *const counter_name[] = {
#define X(name) #name,
	ENGINE_COUNTERS(X)
#undef X
};

unsigned engine_counter_count(void)
{
	return N_COUNTERS;
}

const char *engine_counter_name(unsigned i)
{
	return i < N_COUNTERS ? counter_name[i] : "";
}

uint64_t engine_counter(const struct engine *e, unsigned i)
{
	return i < N_COUNTERS ? e->counter[i] : 0;
}

const char *engine_state_name(enum engine_state s)
{
	static const char *const name[] = {
		[ENGINE_IDLE] = "IDLE",
		[ENGINE_I1_SENT] = "I1-SENT",
		[ENGINE_I2_SENT] = "I2-SENT",
		[ENGINE_I2BIS_SENT] = "I2BIS-SENT",
		[ENGINE_ESTABLISHED] = "ESTABLISHED",
		[ENGINE_E_FAILED] = "E-FAILED",
		[ENGINE_NO_SUPPORT] = "NO-SUPPORT",
	};

	return (unsigned)s < sizeof(name) / sizeof(*name) ? name[s] : "unknown";
}

const char *engine_event_name(enum engine_event_type t)
{
	static const char *const name[] = {
		[ENGINE_EV_NEW] = "new",
		[ENGINE_EV_ESTABLISHED] = "established",
		[ENGINE_EV_FAILED] = "failed",
		[ENGINE_EV_EXPLORING] = "exploring",
		[ENGINE_EV_SWITCHED] = "switched",
		[ENGINE_EV_RECOVERED] = "recovered",
		[ENGINE_EV_RECOVERING] = "recovering",
		[ENGINE_EV_LOCATORS] = "locators",
		[ENGINE_EV_GONE] = "gone",
	};

	return (unsigned)t < sizeof(name) / sizeof(*name) ? name[t] : "unknown";
}

const char *engine_reason_text(enum engine_reason r)
{
	static const char *const text[] = {
		[ENGINE_WHY_NONE] = "",
		[ENGINE_WHY_TRIGGER] = "enough traffic to be worth protecting",
		[ENGINE_WHY_COMMAND] = "asked for by command",
		[ENGINE_WHY_PEER] = "the peer asked",
		[ENGINE_WHY_SEND_TIMEOUT] = "nothing heard for the Send Timeout",
		[ENGINE_WHY_PEER_PROBE] = "the peer explores",
		[ENGINE_WHY_LOCAL_DOWN] = "a local locator is down or gone",
		[ENGINE_WHY_PEER_BROKEN] = "the peer's locator is broken or gone",
		[ENGINE_WHY_HINT] = "a hint that the current pair fails",
		[ENGINE_WHY_PREFERENCE] = "another pair is preferred",
		[ENGINE_WHY_NO_ANSWER] = "no answer from the peer",
		[ENGINE_WHY_NO_SUPPORT] = "the peer does not know Shim6",
		[ENGINE_WHY_IDLE] = "idle",
		[ENGINE_WHY_ULID_GONE] = "the local ULID is gone",
		[ENGINE_WHY_CONFUSION] = "the peer gave its tag to another context",
		[ENGINE_WHY_SHUTDOWN] = "shutdown",
		[ENGINE_WHY_DATAPATH] = "the data path refused it",
		[ENGINE_WHY_FAIL_BACK] = "a better pair works again",
		[ENGINE_WHY_TEST] = "no answer while a better pair was tested",
	};

	return (unsigned)r < sizeof(text) / sizeof(*text) ? text[r] : "unknown";
}

const char *engine_result_text(int result)
{
	switch ((enum engine_result)result) {
	case ENGINE_OK:
		return "ok";
	case ENGINE_E_NO_CONTEXT:
		return "no such context";
	case ENGINE_E_NOT_LOCAL:
		return "the local ULID is not an address of this host";
	case ENGINE_E_BAD_ADDRESS:
		return "address cannot be used";
	case ENGINE_E_LIMIT:
		return "limit on contexts reached";
	case ENGINE_E_EXISTS:
		return "context exists already";
	case ENGINE_E_NOMEM:
		return "out of memory";
	case ENGINE_E_STATE:
		return "context is not ESTABLISHED";
	case ENGINE_E_FORMAT:
		return "not a saved context of this version";
	case ENGINE_E_ONE_PAIR:
		return "only one locator pair: nothing to explore";
	}
	return "unknown result";
}

void engine_tell(struct engine *e, const struct context *c, uint64_t now, enum engine_event_type type,
		 enum engine_reason reason)
{
	struct engine_event ev = {
		.type = type,
		.reason = reason,
		.now = now,
		.id = c->id,
		.slot = c->slot,
		.ulid = c->ulid,
		.fii = c->fii,
		.from = c->current,
		.to = c->current,
	};

	e->ops.event(e->user, &ev);
}

static struct engine_locator_info locator_info(const struct reap_locator *l, uint8_t method, bool verified)
{
	return (struct engine_locator_info){
		.addr = l->addr,
		.flags = l->flags,
		.method = method,
		.priority = l->priority,
		.weight = l->weight,
		.verified = verified,
	};
}

static void fill_locators(const struct context *c, struct engine_ctx_info *info)
{
	info->n_local = c->n_local;
	info->n_peer = c->n_peer;
	for (unsigned i = 0; i < c->n_local; i++) {
		uint8_t method = i < c->n_set ? WIRE_METHOD_HBA : WIRE_METHOD_CGA;

		info->local[i] =
			locator_info(&c->local[i], c->listed ? method : 0, !(c->local[i].flags & REAP_LOC_UNTOLD));
	}
	for (unsigned i = 0; i < c->n_peer; i++)
		info->peer[i] = locator_info(&c->peer[i], c->peer_info[i].method, c->peer_info[i].verified);
}

static void fill_info(struct engine *e, const struct context *c, struct engine_ctx_info *info)
{
	const struct last_switch *last = context_last_switch(c);

	*info = (struct engine_ctx_info){
		.id = c->id,
		.slot = c->slot,
		.state = (enum engine_state)c->state,
		.ulid = c->ulid,
		.fii = c->fii,
		.ct_local = c->ct_local,
		.ct_peer = c->ct_peer,
		.current = c->current,
		.reap = c->reap.state,
		.send_timeout = c->reap.send_timeout,
		.keepalive_timeout = c->reap.keepalive_timeout,
		.initiator = c->initiator,
		.created = c->created,
		.established = c->established_at * SECOND,
		.switch_time = last->time,
		.switch_elapsed = last->elapsed,
		.switch_reason = last->reason,
		.switch_from = last->from,
		.switch_to = last->to,
		.switches = c->switches,
		.episodes = c->reap.episodes,
		.probes_sent = c->reap.probes_sent,
		.probes_received = c->reap.probes_received,
		.keepalives_sent = c->reap.keepalives_sent,
		.keepalives_received = c->keepalives_received,
	};
	fill_locators(c, info);
	prefer_info(e, c, info);
	if (!c->installed || !e->ops.dp_stamps(e->user, c->slot, &info->stamps))
		info->stamps = (struct shim6_stamps){ 0 };
}

int engine_each(struct engine *e, int (*fn)(void *arg, const struct engine_ctx_info *info), void *arg)
{
	struct engine_ctx_info info;

	context_table_sort(&e->contexts);
	for (const struct context *c = e->contexts.oldest; c; c = c->newer) {
		int r;

		fill_info(e, c, &info);
		r = fn(arg, &info);
		if (r)
			return r;
	}
	return 0;
}

bool engine_get(struct engine *e, uint64_t id, struct engine_ctx_info *out)
{
	const struct context *c = context_by_id(e, id);

	if (!c)
		return false;
	fill_info(e, c, out);
	return true;
}

bool engine_slot_id(const struct engine *e, uint32_t slot, uint64_t *id)
{
	const struct context *c = context_by_slot(e, slot);

	if (!c)
		return false;
	*id = c->id;
	return true;
}
