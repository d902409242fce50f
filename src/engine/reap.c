/* SPDX-License-Identifier: MIT */
/*
 * The REAP state machine (RFC 5534 section 6; rows PS-, PT-, PX-, PN-).
 *
 * table[] below is the state table of section 6 and of the rows, cell by cell:
 * what is done, and the state after it. A verb of reap.h finds out which event
 * took place and what the event carries, and step() does what the cell says, in
 * one order for all: choose a pair, move the timers, change the state, send,
 * tell the owner. A probe always carries the state that the cell leads to
 * (PF-14).
 *
 * The data path moves the two start times with each payload packet and does not
 * know the state; what it writes to a timer that does not run in the present
 * state (PT-05) is noise, cleared by settle().
 *
 * Three kinds of probe leave: one per slot of the schedule to the next pair of
 * the order (PX-14, PX-15); a single reply on the reverse of the pair on which
 * something arrived (PX-16); and the confirmation, on a pair that the peer has
 * just reported (PX-17). The last two do not move the schedule and are limited
 * to a few per second (PX-20). What an episode must remember is in
 * reap_episode.c, the order of pairs in reap_order.c.
 */
#include <stdlib.h>

#include "engine/reap_episode.h"

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define KEEPALIVE_DEFAULT 15 /* PC-05, s */
#define KEEPALIVE_MIN 3	     /* PT-22 */
#define KEEPALIVE_MAX 3600
#define SEND_JITTER_MAX 10 /* PT-19: percent, or our S would pass what the peer was told */

enum event {
	E1_PAYLOAD_IN,
	E2_PAYLOAD_OUT,
	E3_KEEPALIVE_EXPIRES,
	E3_KEEPALIVE_INTERVAL,
	E4_SEND_EXPIRES,
	E5_PROBE_DUE,
	E6_KEEPALIVE,
	E7_PROBE_EXPLORING,
	E8_PROBE_INBOUND_OK,
	E9_PROBE_OPERATIONAL,
	E10_PAIR_DEAD, /* or a test is asked for (AMB-R21, AMB-R22) */
	N_EVENTS,
};

enum action {
	STOP_SEND = 1u << 0,
	START_SEND = 1u << 1,	/* if not running (PT-20) */
	RESTART_SEND = 1u << 2, /* in any case */
	STOP_KA = 1u << 3,
	START_KA = 1u << 4,
	KEEPALIVE = 1u << 5,  /* send one */
	CHOOSE = 1u << 6,     /* the pair, from the received records (6.8, AMB-R2) */
	PROBE_NEXT = 1u << 7, /* the next pair in order: takes a slot */
	PROBE_BACK = 1u << 8, /* the reverse of the arrival pair */
	PROBE_GOOD = 1u << 9, /* a pair just reported as received */
};

struct cell {
	uint16_t actions;
	uint8_t next;
};

#define OP REAP_OPERATIONAL
#define EX REAP_EXPLORING
#define IN REAP_INBOUND_OK

/* What to do, and the state after it. Numbers are sections of RFC 5534. */
static const struct cell table[N_EVENTS][3] = {
	[E1_PAYLOAD_IN] = { /* 6.1 */
		[OP] = { STOP_SEND | START_KA, OP },
		[EX] = { START_SEND | PROBE_BACK, IN },
		[IN] = { STOP_SEND, IN },
	},
	[E2_PAYLOAD_OUT] = { /* 6.2 */
		[OP] = { START_SEND | STOP_KA, OP },
		[EX] = { 0, EX },
		[IN] = { START_SEND, IN },
	},
	[E3_KEEPALIVE_EXPIRES] = { /* 6.3 */
		[OP] = { KEEPALIVE | STOP_KA, OP },
		[EX] = { 0, EX },
		[IN] = { 0, IN },
	},
	[E3_KEEPALIVE_INTERVAL] = { /* 6.1 */
		[OP] = { KEEPALIVE, OP },
		[EX] = { 0, EX },
		[IN] = { 0, IN },
	},
	[E4_SEND_EXPIRES] = { /* 6.4 */
		[OP] = { PROBE_NEXT, EX },
		[EX] = { 0, EX },
		[IN] = { PROBE_NEXT, EX },
	},
	[E5_PROBE_DUE] = { /* 6.5 */
		[OP] = { 0, OP },
		[EX] = { PROBE_NEXT, EX },
		[IN] = { PROBE_NEXT | START_SEND, IN },
	},
	[E6_KEEPALIVE] = { /* 6.6 */
		[OP] = { STOP_SEND, OP },
		[EX] = { START_SEND | PROBE_BACK, IN },
		[IN] = { STOP_SEND, IN },
	},
	[E7_PROBE_EXPLORING] = { /* 6.7 */
		[OP] = { STOP_KA | RESTART_SEND | PROBE_BACK, IN },
		[EX] = { START_SEND | PROBE_BACK, IN },
		[IN] = { RESTART_SEND | PROBE_BACK, IN },
	},
	[E8_PROBE_INBOUND_OK] = { /* 6.8 */
		[OP] = { CHOOSE | RESTART_SEND | STOP_KA | PROBE_GOOD, OP },
		[EX] = { CHOOSE | RESTART_SEND | PROBE_GOOD, OP },
		[IN] = { CHOOSE | RESTART_SEND | PROBE_GOOD, OP },
	},
	[E9_PROBE_OPERATIONAL] = { /* 6.9; no probe (AMB-R3) */
		[OP] = { STOP_SEND | START_KA, OP },
		[EX] = { CHOOSE | STOP_SEND | START_KA, OP },
		[IN] = { CHOOSE | STOP_SEND | START_KA, OP },
	},
	[E10_PAIR_DEAD] = { /* 4.2 */
		[OP] = { PROBE_NEXT, EX },
		[EX] = { 0, EX },
		[IN] = { 0, IN },
	},
};

/* An event with what it carries. */
struct step {
	uint64_t now;
	struct reap_timers *t;
	const struct reap_locators *l;	  /* wherever an episode may begin */
	enum reap_cause cause;		  /* the same */
	const struct shim6_pair *wanted;  /* or NULL */
	bool test;			  /* of wanted */
	const struct shim6_pair *arrival; /* NULL: not known */
	const struct wire_msg *probe;	  /* the Probe that is the event */
	const struct shim6_pair *good;	  /* best pair of its records; NULL: it reports none of our probes */
	bool news;			  /* it reports, for the first time, a probe that sought a pair */
};

/* --- configuration -------------------------------------------------------- */

void reap_config_default(struct reap_config *c)
{
	*c = (struct reap_config){
		.send_timeout = 15 * SECOND,   /* PC-04 */
		.send_jitter_percent = 4,      /* PT-19 allows 10 */
		.initial_probe_gap = 500 * MS, /* PC-01 */
		.initial_probes = 4,	       /* PC-02 */
		.max_probe_gap = 60 * SECOND,  /* PC-03 */
		.probe_jitter_percent = 20,    /* PT-19 */
		.report_grace = 10 * SECOND,   /* PC-09 */
		.triggered_per_second = 4,     /* PX-20 */
	};
}

/* --- timers --------------------------------------------------------------- */

static void set_timers(struct reap_timers *t, uint64_t send_t0, uint64_t ka_t0)
{
	/* Both are written, also the one believed to be off already: the data path may have just started it. */
	t->send_t0 = send_t0;
	t->ka_t0 = ka_t0;
	t->send_dirty = t->ka_dirty = true;
}

static void stop_send(struct reap_timers *t)
{
	t->send_dirty |= t->send_t0 != 0;
	t->send_t0 = 0;
}

static void stop_ka(struct reap_timers *t)
{
	t->ka_dirty |= t->ka_t0 != 0;
	t->ka_t0 = 0;
}

/* Clears what the data path wrote to a timer that does not run in this state (PT-05). */
static void settle(const struct reap *r, struct reap_timers *t)
{
	if (r->state != OP)
		stop_ka(t);
	if (r->state == EX)
		stop_send(t);
}

/* The two never run together (PT-06), so to start one is to stop the other. */
static void move_timers(unsigned actions, const struct step *s)
{
	struct reap_timers *t = s->t;

	if (actions & STOP_SEND)
		stop_send(t);
	if (actions & STOP_KA)
		stop_ka(t);
	if ((actions & RESTART_SEND) || ((actions & START_SEND) && !t->send_t0))
		set_timers(t, s->now, 0);
	if ((actions & START_KA) && !t->ka_t0)
		set_timers(t, 0, s->now);
}

/* --- sending -------------------------------------------------------------- */

static uint64_t draw(struct reap *r, uint64_t low, uint64_t high)
{
	return reap_draw(r->ops->random32(r->owner), low, high);
}

static void send_keepalive(struct reap *r, uint64_t now)
{
	r->keepalive_sent = now;
	r->keepalives_sent++;
	r->ops->send_keepalive(r->owner, &r->current);
}

/* A test leaves the current pair only when that has had its chance; and it moves nothing once it is over. */
static bool must_stay(const struct reap_episode *e, uint64_t now)
{
	return e->test && (e->ended || now < e->began + REAP_TEST_PATIENCE);
}

/*
 * One Probe on a pair, with at most max_sent sent records. answered is reported
 * where no episode remembers it: a Probe IN long after the last one (TR100).
 */
static bool send_probe(struct reap *r, uint64_t now, const struct shim6_pair *pair, bool reply, unsigned max_sent,
		       const struct wire_msg *answered)
{
	struct reap_episode *e = r->episode;
	struct wire_record sent[REAP_SENT_REPORTED], received[WIRE_MAX_RECORDS];
	unsigned n_sent = 1, n_received = 0;

	sent[0] = (struct wire_record){ pair->local, pair->peer, r->ops->random32(r->owner), 0 };
	if (e) {
		n_sent += reap_episode_unreported(e, sent + 1, max_sent - 1);
		n_received = reap_episode_report(e, received);
		if (must_stay(e, now))
			n_received = reap_episode_keep(e, now, &r->current, received, n_received);
	} else if (answered) {
		wire_record_get(answered, 0, &received[n_received++]);
	}
	if (!r->ops->send_probe(r->owner, pair, reply, (enum wire_sta)r->state, sent, n_sent, received, n_received)) {
		r->probe_refused++;
		return false;
	}
	r->probes_sent++;
	if (e)
		reap_episode_sent(e, pair, sent[0].nonce, r->state == OP);
	return true;
}

static void arm_probe(struct reap *r, uint64_t now)
{
	uint64_t gap = reap_episode_gap(r->episode, r->config);
	uint64_t spread = gap / 100 * r->config->probe_jitter_percent;
	uint64_t jittered = draw(r, gap - spread, gap + spread);

	/* The gap never exceeds the maximum, jitter included (PX-06). */
	r->episode->next_probe = now + (jittered < r->config->max_probe_gap ? jittered : r->config->max_probe_gap);
}

/*
 * One slot of the schedule. A pair that cannot be sent from here is passed over
 * for one with another source, and stays due; if nothing can be sent, the slot
 * is not used up and comes again after the present gap (PX-21).
 */
static void probe_next(struct reap *r, uint64_t now)
{
	struct reap_index i;
	uint16_t refused = 0;

	while (reap_episode_next(r->episode, &r->current, r->state == IN, refused, &i)) {
		struct shim6_pair pair = reap_episode_pair(r->episode, i);

		if (send_probe(r, now, &pair, false, REAP_SENT_REPORTED, NULL)) {
			reap_episode_tried(r->episode, now, r->state == IN, i);
			break;
		}
		refused = (uint16_t)(refused | 1u << i.local);
	}
	arm_probe(r, now);
}

/* A bucket of one second's worth (PX-20). */
static bool triggered_allowed(struct reap *r, uint64_t now)
{
	unsigned rate = r->config->triggered_per_second ? r->config->triggered_per_second : 1;
	uint64_t interval = SECOND / rate;

	if (r->triggered_next > now + SECOND - interval) {
		r->triggered_refused++;
		return false;
	}
	r->triggered_next = (r->triggered_next > now ? r->triggered_next : now) + interval;
	return true;
}

/* Where to answer. The data path does not say on which pair payload came: then the wanted pair, or the best. */
static bool reply_pair(const struct reap *r, const struct shim6_pair *arrival, struct shim6_pair *out)
{
	const struct reap_episode *e = r->episode;
	struct reap_locators set = reap_episode_set(e);
	struct reap_index order[REAP_MAX_PAIRS];

	if (!arrival && e->has_wanted)
		arrival = &e->wanted;
	if (arrival && reap_pair_usable(&set, arrival)) {
		*out = *arrival;
		return true;
	}
	if (reap_order(&set, &r->current, order) == 0)
		return false;
	*out = reap_episode_pair(e, order[0]);
	return true;
}

/*
 * Probes of a schedule that come at once stood in a queue, because this host did not run. All pairs are answered for
 * then by the reply on the pair in use; one on another, were it the faster, would make both ends leave a pair that
 * works (AMB-R8).
 */
static bool answered_already(const struct reap *r, uint64_t now, const struct shim6_pair *pair)
{
	const struct reap_episode *e = r->episode;

	return e->answered_in_use && now - e->answered_in_use < REAP_QUEUED_WITHIN && !shim6_pair_eq(pair, &r->current);
}

/* E1, E6, E7: one reply towards where it came from (PX-16), with one sent record: a reply must not grow on what it
 * answers (PZ-05). */
static void probe_back(struct reap *r, const struct step *s)
{
	struct shim6_pair pair;

	if (!reply_pair(r, s->arrival, &pair) || answered_already(r, s->now, &pair) || !triggered_allowed(r, s->now))
		return;
	if (send_probe(r, s->now, &pair, true, 1, s->probe) && shim6_pair_eq(&pair, &r->current))
		r->episode->answered_in_use = s->now;
}

/*
 * E8: Probe OP. When it ends an episode it names our earlier probes, so that
 * the peer knows those for old that arrive after it (AMB-R30); the answer in
 * Operational, which anyone with the tag may provoke again, does not (PZ-05).
 * The first is bounded by the probes of ours that it answers, so that failovers
 * in a row do not wait for each other.
 */
static void probe_good(struct reap *r, const struct step *s, enum reap_state from)
{
	if ((from != OP && s->news) || triggered_allowed(r, s->now))
		send_probe(r, s->now, s->good ? s->good : &r->current, true, from == OP ? 1 : REAP_SENT_REPORTED,
			   s->probe);
}

/* --- episodes ------------------------------------------------------------- */

static bool exploring(const struct reap *r)
{
	return r->state != OP;
}

/* Leaving Operational: clean lists (PN-13), the set as it is now. */
static bool episode_begin(struct reap *r, const struct step *s)
{
	if (!r->episode)
		r->episode = malloc(sizeof(*r->episode));
	if (!r->episode) {
		r->out_of_memory++;
		return false;
	}
	reap_episode_reset(r->episode, s->now, s->cause, s->l);
	if (s->wanted)
		reap_episode_want(r->episode, s->wanted);
	r->episode->test = s->test && r->episode->has_wanted;
	r->episode->calm = s->cause >= REAP_CAUSE_PREFERENCE;
	r->episode->serious = s->now + REAP_TEST_PATIENCE;
	r->episodes++;
	return true;
}

static void episode_free(struct reap *r)
{
	free(r->episode);
	r->episode = NULL;
}

/* The 0.5 s burst begins anew, with the last pair again if its probe may have crossed the news (PX-19). */
static void fresh_burst(struct reap *r, uint64_t now)
{
	struct reap_episode *e = r->episode;

	if (!reap_burst_allowed(&e->inbound_bursts, now, r->send_timeout))
		return;
	e->replay = !e->test && e->has_last && now - e->last_probe < REAP_REPLAY_WITHIN;
	e->slot = 0;
	arm_probe(r, now);
}

static void enter(struct reap *r, enum reap_state from, const struct step *s)
{
	struct reap_episode *e = r->episode;

	if (r->state == EX && from != EX)
		set_timers(s->t, 0, 0);
	if (from == IN && r->state == EX)
		reap_episode_forget_received(e);
	if (from == EX && r->state == IN)
		fresh_burst(r, s->now);
	if (from == OP && r->state == IN)
		arm_probe(r, s->now); /* the reply stands for the first probe */
	if (from != OP && r->state == OP) {
		struct reap_locators set = reap_episode_set(e);

		e->ended = s->now;
		r->current_down = !reap_pair_alive(&set, &r->current);
	}
}

static void tell(struct reap *r, const struct step *s, enum reap_state from, const struct shim6_pair *old)
{
	enum reap_state to = r->state;
	bool ended = to == OP && (from != OP || !shim6_pair_eq(old, &r->current));

	if (from != to)
		r->ops->state_changed(r->owner, from, to);
	if (from == OP && to != OP)
		r->ops->episode_begin(r->owner, s->cause);
	else if (ended)
		r->ops->episode_end(r->owner, r->episode->cause, old, &r->current, s->now - r->episode->began,
				    r->episode->probes);
}

static void step(struct reap *r, enum event event, const struct step *s)
{
	const struct cell *c = &table[event][r->state];
	const enum reap_state from = r->state;
	const struct shim6_pair old = r->current;

	if (from == OP && c->next != OP && !episode_begin(r, s)) {
		/* Try again after S rather than at once. */
		set_timers(s->t, s->now, 0);
		return;
	}
	if (s->probe && r->episode)
		reap_episode_received(r->episode, s->probe);
	if ((event == E1_PAYLOAD_IN || event == E6_KEEPALIVE) && r->episode)
		r->episode->heard = s->now;
	if ((c->actions & CHOOSE) && s->good)
		r->current = *s->good;
	r->state = c->next;
	enter(r, from, s);
	move_timers(c->actions, s);
	if (c->actions & KEEPALIVE)
		send_keepalive(r, s->now);
	if (c->actions & PROBE_NEXT)
		probe_next(r, s->now);
	if (c->actions & PROBE_BACK)
		probe_back(r, s);
	if (c->actions & PROBE_GOOD)
		probe_good(r, s, from);
	tell(r, s, from, &old);
}

/* --- a Probe arrives ------------------------------------------------------ */

struct report {
	unsigned known;
	bool news; /* see struct step */
	bool good; /* pair is set */
	struct shim6_pair pair;
	struct shim6_pair newest; /* of our probes that came last */
};

/* The first in order among the reported pairs: the current one unless it is dead. */
static void first_reported(const struct reap *r, const struct reap_pair_set *reported, struct report *out)
{
	struct reap_locators set = reap_episode_set(r->episode);
	struct reap_index order[REAP_MAX_PAIRS];
	size_t n = reap_order(&set, &r->current, order);

	for (size_t i = 0; i < n && !out->good; i++) {
		if (!reap_set_has(reported, order[i]))
			continue;
		out->good = true;
		out->pair = reap_episode_pair(r->episode, order[i]);
	}
}

/* Among several: a wanted pair, then the first in order (AMB-R8). In a test the current one; others are put off. */
static void choose(struct reap *r, uint64_t now, const struct reap_pair_set *reported, struct report *out)
{
	struct reap_episode *e = r->episode;
	bool wanted = e->has_wanted && reap_episode_has(e, reported, &e->wanted);

	if (wanted && !e->test && !(e->put_off && reap_episode_has(e, reported, &r->current))) {
		out->good = true;
		out->pair = e->wanted;
		return;
	}
	r->test_passed |= wanted;
	first_reported(r, reported, out);
	if (!must_stay(e, now) || !out->good)
		return;
	if (reap_episode_has(e, reported, &r->current)) {
		out->pair = r->current;
		return;
	}
	out->good = false;
	e->put_off = !e->ended;
	e->reported = out->newest;
}

/* Which of our probes does it report? Addresses come from our history, never from the message (PN-06). */
static void read_report(struct reap *r, uint64_t now, const struct wire_msg *m, struct report *out)
{
	struct reap_pair_set reported = { { 0 } };

	*out = (struct report){ 0 };
	if (!r->episode)
		return; /* nothing to hold the records against */
	struct reap_locators set = reap_episode_set(r->episode);

	for (unsigned i = 0; i < m->n_received; i++) {
		struct wire_record rec;
		struct reap_index at;
		struct reap_sent *s;

		wire_record_get(m, m->n_sent + i, &rec);
		s = reap_episode_match(r->episode, &rec);
		if (!s) {
			r->records_unknown++;
			continue;
		}
		if (out->known++ == 0)
			out->newest = s->pair; /* (PN-12) */
		if (!s->reported)
			r->ops->peer_probed(r->owner, &s->pair.peer);
		out->news |= !s->reported && !s->confirms;
		s->reported = true;
		if (reap_pair_find(&set, &s->pair, &at))
			reap_set_add(&reported, at);
	}
	if (out->known > 0)
		choose(r, now, &reported, out);
}

static void check_first_record(struct reap *r, const struct shim6_pair *arrival, const struct wire_msg *m)
{
	struct wire_record own;

	wire_record_get(m, 0, &own);
	if (!shim6_addr_eq(&own.src, &arrival->peer) || !shim6_addr_eq(&own.dst, &arrival->local))
		r->record_mismatch++;
}

/* Probe EX sent before one that was already seen, overtaken on the way (AMB-R30). */
static bool overtaken(const struct reap *r, const struct wire_msg *m)
{
	struct wire_record own;

	wire_record_get(m, 0, &own);
	return r->episode && reap_episode_is_old(r->episode, own.nonce);
}

/*
 * May this Probe IN or OP end the episode? Not if all that it reports is
 * unknown (AMB-R12). If it reports nothing it means that the pair in use works
 * (AMB-R7), which is not to be believed of a pair known to be down.
 */
static bool may_end(const struct reap *r, const struct wire_msg *m, const struct report *report)
{
	struct reap_locators set = reap_episode_set(r->episode);

	if (m->n_received > 0)
		return report->good;
	return reap_pair_alive(&set, &r->current);
}

void reap_probe_received(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l,
			 const struct shim6_pair *arrival, const struct wire_msg *m)
{
	struct report report;
	struct step s = {
		.now = now,
		.t = t,
		.l = l,
		.cause = REAP_CAUSE_PEER_PROBE,
		.arrival = arrival,
		.probe = m,
	};

	settle(r, t);
	r->probes_received++;
	check_first_record(r, arrival, m);
	read_report(r, now, m, &report);
	s.news = report.news;
	if (report.good)
		s.good = &report.pair;
	if (r->episode && m->sta == WIRE_STA_INBOUND_OK && m->n_sent > 1)
		r->episode->seeks = true; /* an answer names one probe (PZ-05) */
	if (m->sta == WIRE_STA_EXPLORING) {
		if (exploring(r) && r->episode->test)
			r->episode->test = r->episode->has_wanted = false; /* the peer hears nothing: no mere test */
		if (r->state == OP && overtaken(r, m)) {
			r->probes_stale++;
			return;
		}
		step(r, E7_PROBE_EXPLORING, &s);
		return;
	}
	if (exploring(r) && !may_end(r, m, &report)) {
		/* It did arrive, and that is worth reporting. */
		reap_episode_received(r->episode, m);
		r->probes_stale++;
		return;
	}
	step(r, m->sta == WIRE_STA_INBOUND_OK ? E8_PROBE_INBOUND_OK : E9_PROBE_OPERATIONAL, &s);
}

/* --- the other verbs ------------------------------------------------------ */

void reap_init(struct reap *r, const struct reap_config *config, const struct reap_ops *ops, void *owner,
	       const struct shim6_pair *current)
{
	memset(r, 0, sizeof(*r));
	r->config = config;
	r->ops = ops;
	r->owner = owner;
	r->state = OP;
	r->current = *current;
	reap_set_send_timeout(r, config->send_timeout);
	reap_set_keepalive_timeout(r, KEEPALIVE_DEFAULT);
}

void reap_stop(struct reap *r)
{
	episode_free(r);
	r->state = OP;
}

/* Never below what the peer was told (PT-19). */
void reap_set_send_timeout(struct reap *r, uint64_t send_timeout)
{
	unsigned percent = r->config->send_jitter_percent;

	if (percent > SEND_JITTER_MAX)
		percent = SEND_JITTER_MAX;
	r->send_timeout = draw(r, send_timeout, send_timeout + send_timeout / 100 * percent);
}

void reap_set_keepalive_timeout(struct reap *r, unsigned seconds)
{
	if (seconds == 0)
		return;
	if (seconds < KEEPALIVE_MIN)
		seconds = KEEPALIVE_MIN;
	if (seconds > KEEPALIVE_MAX)
		seconds = KEEPALIVE_MAX;
	r->keepalive_timeout = seconds * SECOND;
	r->keepalive_interval = draw(r, r->keepalive_timeout / 3, r->keepalive_timeout / 2);
}

void reap_payload_sent(struct reap *r, uint64_t now, struct reap_timers *t)
{
	struct step s = { .now = now, .t = t };

	settle(r, t);
	step(r, E2_PAYLOAD_OUT, &s);
}

void reap_payload_received(struct reap *r, uint64_t now, struct reap_timers *t)
{
	struct step s = { .now = now, .t = t };

	settle(r, t);
	step(r, E1_PAYLOAD_IN, &s);
}

void reap_keepalive_received(struct reap *r, uint64_t now, struct reap_timers *t, const struct shim6_pair *arrival)
{
	struct step s = { .now = now, .t = t, .arrival = arrival };

	settle(r, t);
	step(r, E6_KEEPALIVE, &s);
}

void reap_explore(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l,
		  enum reap_cause cause, const struct shim6_pair *wanted)
{
	struct step s = { .now = now, .t = t, .l = l, .cause = cause, .wanted = wanted };

	settle(r, t);
	if (exploring(r) && wanted) {
		reap_episode_want(r->episode, wanted);
		r->episode->test = false;
	}
	step(r, E10_PAIR_DEAD, &s);
}

void reap_test(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l,
	       const struct shim6_pair *pair)
{
	struct step s = { .now = now, .t = t, .l = l, .cause = REAP_CAUSE_TEST, .wanted = pair, .test = true };

	if (exploring(r))
		return;
	settle(r, t);
	r->test_passed = false;
	step(r, E10_PAIR_DEAD, &s);
}

/* Pairs that appeared: the burst begins anew and the first of them is due at once, half a second after the last
 * probe at the earliest (AMB-R28, PX-04). */
static void locators_appeared(struct reap *r, uint64_t now)
{
	struct reap_episode *e = r->episode;
	uint64_t due = now;

	if (!reap_burst_allowed(&e->locator_bursts, now, r->send_timeout))
		return;
	e->slot = 0;
	if (e->has_last && e->last_probe + r->config->initial_probe_gap > now)
		due = e->last_probe + r->config->initial_probe_gap;
	if (e->next_probe > due)
		e->next_probe = due;
}

void reap_locators_changed(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l,
			   enum reap_cause cause)
{
	struct step s = { .now = now, .t = t, .l = l, .cause = cause };
	bool gone = !reap_pair_usable(l, &r->current), down = !reap_pair_alive(l, &r->current);
	bool news = down && !r->current_down;

	settle(r, t);
	r->current_down = down;
	if (r->episode && reap_episode_update(r->episode, l) && exploring(r))
		locators_appeared(r, now);
	if (!exploring(r) && (gone || news))
		step(r, E10_PAIR_DEAD, &s);
}

/* --- time ----------------------------------------------------------------- */

/* How many Keepalives of this run of the timer have left, counted in whole intervals. */
static uint64_t intervals_done(const struct reap *r, const struct reap_timers *t)
{
	return r->keepalive_sent >= t->ka_t0 ? (r->keepalive_sent - t->ka_t0) / r->keepalive_interval : 0;
}

/* Every Y, and the last one at X; one message where both fall together, or are late together (AMB-R25). */
static void keepalive_timer(struct reap *r, const struct step *s)
{
	const struct reap_timers *t = s->t;

	if (!t->ka_t0 || s->now < t->ka_t0)
		return;
	if (s->now - t->ka_t0 >= r->keepalive_timeout)
		step(r, E3_KEEPALIVE_EXPIRES, s);
	else if ((s->now - t->ka_t0) / r->keepalive_interval > intervals_done(r, t))
		step(r, E3_KEEPALIVE_INTERVAL, s);
}

/* What began while all was well should be over by now. */
static bool overdue(const struct reap *r, uint64_t now)
{
	return exploring(r) && r->episode->calm && now >= r->episode->serious;
}

/* InboundOk says that we hear the peer; a last packet that came just after a calm beginning does not. */
static bool hears_no_more(const struct reap *r, const struct step *s)
{
	return r->state == IN && r->episode->calm && (r->episode->n_received == 0 || overdue(r, s->now)) &&
	       s->t->send_t0 && s->now > s->t->send_t0 + REAP_TEST_SILENCE;
}

/*
 * It is a failure, then. A third pair that answered was probed after the one in use, and is good enough. The one that
 * was tested came first, and may have died since: it is asked anew, and before the third is taken.
 */
static void grow_serious(struct reap *r, struct step *s)
{
	struct reap_episode *e = r->episode;
	enum event event = hears_no_more(r, s) ? E4_SEND_EXPIRES : E5_PROBE_DUE;
	struct reap_locators set = reap_episode_set(e);
	bool third = e->put_off && !shim6_pair_eq(&e->reported, &e->wanted) && reap_pair_alive(&set, &e->reported);

	if (third && e->test && r->test_passed) {
		e->test = false;
		e->serious = s->now + REAP_TEST_SILENCE;
		reap_episode_want(e, &e->wanted);
		step(r, event, s);
		return;
	}
	if (third) {
		event = E8_PROBE_INBOUND_OK; /* the report, later */
		s->good = &e->reported;
	}
	e->calm = e->test = e->has_wanted = false;
	/* what the test used up of the first, dense probes is not missed in the search */
	e->inbound_bursts = (struct reap_burst_limit){ 0 };
	e->slot = 0;
	if (e->put_off)
		reap_episode_want(e, &e->reported);
	if (e->put_off || event == E4_SEND_EXPIRES)
		step(r, event, s);
}

void reap_timer(struct reap *r, uint64_t now, struct reap_timers *t, const struct reap_locators *l)
{
	struct step s = { .now = now, .t = t, .l = l, .cause = REAP_CAUSE_SEND_TIMEOUT };

	settle(r, t);
	if (overdue(r, now)) {
		grow_serious(r, &s);
		return;
	}
	if (r->state == OP)
		keepalive_timer(r, &s);
	if (r->state == OP && r->episode && now >= r->episode->ended + r->config->report_grace)
		episode_free(r);
	/* One event per call is enough: whatever is due is due again. */
	if (r->state != EX && t->send_t0 && now >= t->send_t0 + r->send_timeout)
		step(r, E4_SEND_EXPIRES, &s);
	else if (exploring(r) && now >= r->episode->next_probe)
		step(r, hears_no_more(r, &s) ? E4_SEND_EXPIRES : E5_PROBE_DUE, &s);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * A timer that does not run now may be started by the data path a moment later,
 * without a word: so look again when it could expire at the earliest. In
 * Operational with both off the data path is asked to tell (reap_wants_notify).
 */
uint64_t reap_deadline(const struct reap *r, uint64_t now, const struct reap_timers *t)
{
	uint64_t send = (t->send_t0 ? t->send_t0 : now) + r->send_timeout;
	uint64_t at = REAP_NEVER;

	if (exploring(r) && r->episode->calm)
		at = r->episode->serious;
	if (r->state == EX)
		return earlier(r->episode->next_probe, at);
	if (r->state == IN)
		return earlier(earlier(r->episode->next_probe, send), at);
	if (t->send_t0)
		at = earlier(send, now + r->keepalive_interval);
	else if (t->ka_t0)
		at = earlier(send, t->ka_t0 + earlier(r->keepalive_timeout,
						      (intervals_done(r, t) + 1) * r->keepalive_interval));
	return r->episode ? earlier(at, r->episode->ended + r->config->report_grace) : at;
}

unsigned reap_wants_notify(const struct reap *r, const struct reap_timers *t)
{
	if (r->state == EX)
		return SHIM6_NOTIFY_RX;
	if (r->state == OP && !t->send_t0 && !t->ka_t0)
		return SHIM6_NOTIFY_RX | SHIM6_NOTIFY_TX;
	return 0;
}
