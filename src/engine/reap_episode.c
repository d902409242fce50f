/* SPDX-License-Identifier: MIT */
/*
 * What REAP remembers between leaving Operational and ten seconds after the
 * return: the candidate set and which pairs were tried, the probe schedule, the
 * probes we sent and the probes that came. Everything is of fixed size (PZ-06).
 *
 * There is no list with a cursor. The order is computed anew for each probe from
 * the set as it is now, and the next pair is the first one not tried in this
 * round; so the position survives changes of state (PX-18), of preferences
 * (AMB-R27) and of the set (AMB-R28) alike.
 */
#include "engine/reap_episode.h"

uint64_t reap_draw(uint32_t random, uint64_t low, uint64_t high)
{
	/* Spans are seconds to an hour: 42 bits of nanoseconds. Divide first, so that the product fits. */
	return low + ((((high - low) >> 10) * random) >> 22);
}

/* --- candidates --------------------------------------------------------- */

struct reap_locators reap_episode_set(const struct reap_episode *e)
{
	return (struct reap_locators){ e->local, e->n_local, e->peer, e->n_peer };
}

static unsigned copy_side(struct reap_locator *to, const struct reap_locator *from, unsigned n)
{
	if (n > REAP_MAX_LOCATORS)
		n = REAP_MAX_LOCATORS;
	if (n > 0)
		memcpy(to, from, n * sizeof(*to));
	return n;
}

static void copy_set(struct reap_episode *e, const struct reap_locators *l)
{
	e->n_local = copy_side(e->local, l->local, l->n_local);
	e->n_peer = copy_side(e->peer, l->peer, l->n_peer);
}

void reap_episode_reset(struct reap_episode *e, uint64_t now, enum reap_cause cause, const struct reap_locators *l)
{
	memset(e, 0, sizeof(*e));
	e->cause = cause;
	e->began = now;
	copy_set(e, l);
}

void reap_episode_want(struct reap_episode *e, const struct shim6_pair *wanted)
{
	struct reap_locators set = reap_episode_set(e);

	if (!reap_pair_usable(&set, wanted))
		return;
	e->wanted = *wanted;
	e->has_wanted = e->wanted_first = true;
}

struct shim6_pair reap_episode_pair(const struct reap_episode *e, struct reap_index i)
{
	return (struct shim6_pair){ e->local[i.local].addr, e->peer[i.peer].addr };
}

/* A probe that left before its pair died must not bring that pair back (E10). */
static void forget_dead(struct reap_episode *e, const struct reap_locators *old, const struct reap_locators *set)
{
	for (unsigned i = 0; i < e->n_sent; i++) {
		struct reap_sent *s = &e->sent[i];

		if (!reap_pair_usable(set, &s->pair) ||
		    (reap_pair_alive(old, &s->pair) && !reap_pair_alive(set, &s->pair)))
			s->dead = true;
	}
}

bool reap_episode_update(struct reap_episode *e, const struct reap_locators *l)
{
	struct reap_locator local[REAP_MAX_LOCATORS], peer[REAP_MAX_LOCATORS];
	struct reap_locators old = { local, e->n_local, peer, e->n_peer };
	struct reap_pair_set tested = e->tested, told = e->told, fresh = e->fresh;
	bool news = false;

	memcpy(local, e->local, sizeof(local));
	memcpy(peer, e->peer, sizeof(peer));
	copy_set(e, l);
	memset(&e->tested, 0, sizeof(e->tested));
	memset(&e->told, 0, sizeof(e->told));
	memset(&e->fresh, 0, sizeof(e->fresh));
	struct reap_locators set = reap_episode_set(e);

	for (unsigned n = 0; n < e->n_local * e->n_peer; n++) {
		struct reap_index i = { (uint8_t)(n / e->n_peer), (uint8_t)(n % e->n_peer) }, was;
		struct shim6_pair pair = reap_episode_pair(e, i);
		bool known = reap_pair_find(&old, &pair, &was);

		if (reap_pair_alive(&set, &pair) && !reap_pair_alive(&old, &pair)) {
			reap_set_add(&e->fresh, i);
			news = true;
			continue;
		}
		if (known && reap_set_has(&tested, was))
			reap_set_add(&e->tested, i);
		if (known && reap_set_has(&told, was))
			reap_set_add(&e->told, i);
		if (known && reap_set_has(&fresh, was))
			reap_set_add(&e->fresh, i);
	}
	forget_dead(e, &old, &set);
	return news;
}

bool reap_episode_has(const struct reap_episode *e, const struct reap_pair_set *pairs, const struct shim6_pair *pair)
{
	struct reap_locators set = reap_episode_set(e);
	struct reap_index at;

	return reap_pair_usable(&set, pair) && reap_pair_find(&set, pair, &at) && reap_set_has(pairs, at);
}

/* --- schedule ------------------------------------------------------------- */

static bool take(const struct reap_episode *e, const struct shim6_pair *pair, uint16_t refused, struct reap_index *out)
{
	struct reap_locators set = reap_episode_set(e);

	return reap_pair_usable(&set, pair) && reap_pair_find(&set, pair, out) && !(refused >> out->local & 1);
}

enum turn {
	TURN_FRESH,
	TURN_NEITHER, /* not tested in this round, nor told */
	TURN_UNTOLD,
	TURN_UNTESTED
};

static bool is_due(const struct reap_episode *e, struct reap_index i, enum turn turn)
{
	switch (turn) {
	case TURN_FRESH:
		return reap_set_has(&e->fresh, i);
	case TURN_NEITHER:
		return !reap_set_has(&e->tested, i) && !reap_set_has(&e->told, i);
	case TURN_UNTOLD:
		return !reap_set_has(&e->told, i);
	case TURN_UNTESTED:
		break;
	}
	return !reap_set_has(&e->tested, i);
}

static bool first_of(const struct reap_episode *e, const struct reap_index *order, size_t n, uint16_t refused,
		     enum turn turn, struct reap_index *out)
{
	for (size_t k = 0; k < n; k++) {
		if (is_due(e, order[k], turn) && !(refused >> order[k].local & 1)) {
			*out = order[k];
			return true;
		}
	}
	return false;
}

/* The list begins again; what cannot be sent from now stays due. */
static void begin_again(struct reap_pair_set *set, uint16_t refused)
{
	for (unsigned i = 0; i < REAP_MAX_LOCATORS; i++) {
		if (!(refused >> i & 1))
			set->row[i] = 0;
	}
}

/*
 * A peer in Exploring hears nothing, and only a Probe IN tells it which of its
 * own pairs works. A visit to InboundOk is too short for a long list, and were
 * all visits to begin at the same place of it, two ends with one working pair
 * each could miss each other for good: so a visit goes on with the pairs that no
 * visit had.
 */
bool reap_episode_next(struct reap_episode *e, const struct shim6_pair *current, bool inbound, uint16_t refused,
		       struct reap_index *out)
{
	struct reap_locators set = reap_episode_set(e);
	struct reap_index order[REAP_MAX_PAIRS];
	size_t n;

	if (e->wanted_first && take(e, &e->wanted, refused, out))
		return true;
	/* A test is over when the pair in use answers; it may be in use because nothing else works, though said to be
	 * down. */
	if (e->test && take(e, current, refused, out) && is_due(e, *out, TURN_NEITHER))
		return true;
	if (e->replay && take(e, &e->last_pair, refused, out))
		return true;
	n = reap_order(&set, current, order);
	if (first_of(e, order, n, refused, TURN_FRESH, out))
		return true;
	if (inbound) {
		if (first_of(e, order, n, refused, TURN_NEITHER, out) ||
		    first_of(e, order, n, refused, TURN_UNTOLD, out))
			return true;
		begin_again(&e->told, refused);
	}
	if (first_of(e, order, n, refused, TURN_UNTESTED, out))
		return true;
	begin_again(&e->tested, refused); /* (PX-03) */
	return first_of(e, order, n, refused, TURN_UNTESTED, out);
}

void reap_episode_tried(struct reap_episode *e, uint64_t now, bool inbound, struct reap_index i)
{
	e->last_pair = reap_episode_pair(e, i);
	if (e->wanted_first && shim6_pair_eq(&e->wanted, &e->last_pair))
		e->wanted_first = false;
	e->replay = false;
	e->has_last = true;
	e->last_probe = now;
	e->slot++;
	reap_set_add(&e->tested, i);
	if (inbound)
		reap_set_add(&e->told, i);
	reap_set_remove(&e->fresh, i);
}

uint64_t reap_episode_gap(const struct reap_episode *e, const struct reap_config *c)
{
	uint64_t gap = c->initial_probe_gap;

	for (unsigned k = c->initial_probes; k <= e->slot && gap < c->max_probe_gap; k++)
		gap *= 2;
	return gap < c->max_probe_gap ? gap : c->max_probe_gap;
}

bool reap_burst_allowed(struct reap_burst_limit *b, uint64_t now, uint64_t spacing)
{
	if (b->n >= REAP_BURSTS_MAX && spacing < REAP_BURST_SLOW)
		spacing = REAP_BURST_SLOW;
	if (b->n > 0 && now < b->last + spacing)
		return false;
	b->n++;
	b->last = now;
	return true;
}

/* --- probes sent ---------------------------------------------------------- */

void reap_episode_sent(struct reap_episode *e, const struct shim6_pair *pair, uint32_t nonce, bool confirms)
{
	e->sent[e->sent_head] = (struct reap_sent){ .pair = *pair, .nonce = nonce, .confirms = confirms };
	e->sent_head = (e->sent_head + 1) % REAP_SENT_HISTORY;
	if (e->n_sent < REAP_SENT_HISTORY)
		e->n_sent++;
	e->probes++;
}

unsigned reap_episode_unreported(const struct reap_episode *e, struct wire_record *out, unsigned cap)
{
	unsigned n = 0;

	for (unsigned k = 1; k <= e->n_sent && n < cap; k++) {
		const struct reap_sent *s = &e->sent[(e->sent_head + REAP_SENT_HISTORY - k) % REAP_SENT_HISTORY];

		if (!s->reported)
			out[n++] = (struct wire_record){ s->pair.local, s->pair.peer, s->nonce, 0 };
	}
	return n;
}

struct reap_sent *reap_episode_match(struct reap_episode *e, const struct wire_record *rec)
{
	for (unsigned i = 0; i < e->n_sent; i++) {
		struct reap_sent *s = &e->sent[i];

		if (s->nonce == rec->nonce && shim6_addr_eq(&s->pair.local, &rec->src) &&
		    shim6_addr_eq(&s->pair.peer, &rec->dst) && !s->dead)
			return s;
	}
	return NULL;
}

/* --- probes received ------------------------------------------------------ */

static bool same_pair(const struct wire_record *a, const struct wire_record *b)
{
	return shim6_addr_eq(&a->src, &b->src) && shim6_addr_eq(&a->dst, &b->dst);
}

static bool has_newer(const struct reap_episode *e, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (same_pair(&e->received[k], &e->received[i]))
			return true;
	return false;
}

/* The entry to give up: the oldest that has a newer one on its pair, else the oldest (PN-12). */
static unsigned received_victim(const struct reap_episode *e)
{
	for (unsigned i = e->n_received; i-- > 0;)
		if (has_newer(e, i))
			return i;
	return e->n_received - 1;
}

static bool older_has(const struct reap_episode *e, uint32_t nonce)
{
	for (unsigned i = 0; i < e->n_older; i++)
		if (e->older[i] == nonce)
			return true;
	return false;
}

static void older_add(struct reap_episode *e, uint32_t nonce)
{
	if (older_has(e, nonce))
		return;
	e->older[e->older_head] = nonce;
	e->older_head = (e->older_head + 1) % REAP_OLDER_NONCES;
	if (e->n_older < REAP_OLDER_NONCES)
		e->n_older++;
}

static void received_remove(struct reap_episode *e, unsigned i)
{
	memmove(&e->received[i], &e->received[i + 1], (e->n_received - i - 1) * sizeof(e->received[0]));
	e->n_received--;
}

static void received_add(struct reap_episode *e, const struct wire_record *rec)
{
	for (unsigned i = 0; i < e->n_received; i++) {
		/* A duplicate is recorded once (PN-11), yet it is the newest again. */
		if (e->received[i].nonce == rec->nonce && same_pair(&e->received[i], rec)) {
			received_remove(e, i);
			break;
		}
	}
	if (e->n_received == WIRE_MAX_RECORDS) {
		unsigned victim = received_victim(e);

		older_add(e, e->received[victim].nonce);
		received_remove(e, victim);
	}
	memmove(&e->received[1], &e->received[0], e->n_received * sizeof(e->received[0]));
	e->received[0] = *rec;
	e->n_received++;
}

void reap_episode_received(struct reap_episode *e, const struct wire_msg *m)
{
	struct wire_record rec;

	wire_record_get(m, 0, &rec);
	received_add(e, &rec);
	for (unsigned i = 1; i < m->n_sent; i++) {
		wire_record_get(m, i, &rec);
		older_add(e, rec.nonce);
	}
}

unsigned reap_episode_report(const struct reap_episode *e, struct wire_record out[WIRE_MAX_RECORDS])
{
	unsigned n = 0;

	/* Two passes, so that an owner that must cut (PF-15) cuts what says least. */
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < e->n_received; i++)
			if (has_newer(e, i) == (pass == 1))
				out[n++] = e->received[i];
	return n;
}

/*
 * The peer goes to a pair that we report (6.8), and a test is not to move it
 * either: so it hears of the pair in use only. If nothing but its payload came,
 * and just now, the Probe reports nothing, which says just that (AMB-R7).
 * If not even that came, or the peer probes by itself, all that did is reported:
 * its own pair may be dead, or believed to be.
 */
unsigned reap_episode_keep(const struct reap_episode *e, uint64_t now, const struct shim6_pair *current,
			   struct wire_record *rec, unsigned n)
{
	struct wire_record kept[WIRE_MAX_RECORDS];
	unsigned n_kept = 0;

	for (unsigned i = 0; i < n; i++)
		if (shim6_addr_eq(&rec[i].src, &current->peer) && shim6_addr_eq(&rec[i].dst, &current->local))
			kept[n_kept++] = rec[i];
	if (e->seeks || (n_kept == 0 && (!e->heard || now - e->heard > REAP_TEST_HEARD)))
		return n;
	memcpy(rec, kept, n_kept * sizeof(*rec));
	return n_kept;
}

void reap_episode_forget_received(struct reap_episode *e)
{
	for (unsigned i = e->n_received; i-- > 0;)
		older_add(e, e->received[i].nonce);
	e->n_received = 0;
}

bool reap_episode_is_old(const struct reap_episode *e, uint32_t nonce)
{
	for (unsigned i = 0; i < e->n_received; i++)
		if (e->received[i].nonce == nonce)
			return true;
	return older_has(e, nonce);
}
