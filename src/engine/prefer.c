/* SPDX-License-Identifier: MIT */
/*
 * The best pair of a context, and the way there.
 *
 * A pair costs the sum of its ends' priorities (W-59); among equals, the turns
 * drawn by weight; among those, the ULID pair is best, because it needs no
 * header. Both ends compute the same from what each told the other, and a pair
 * with an end that is down or gone does not count. Turns are drawn as RFC 2782
 * has it, once per context, from the tag of the end whose locators they are: so
 * the contexts of a host share its locators by weight, and neither end moves
 * them about.
 *
 * A context that is not on its best pair has a struct better. There are two
 * reasons. Preferences changed: then it goes there at once, by an episode that
 * begins with that pair (AMB-R22; payload stays until the probe came back, V-21,
 * U-23). Or the best pair failed: then it is tested now and then (reap_test),
 * and once it answers, TESTS times spread over the hold-down; the context goes
 * back, by the same kind of episode, when it has done so throughout. Two tests
 * in a row without an answer, or MISSES in all, say that it has failed again.
 * That doubles the hold-down, and so does a failure within an hour of the way
 * back; a pair that comes and goes is left alone for longer and longer.
 *
 * Nothing is tested while no payload flows. Of the two ends one leads; the other
 * tests only when it sees no tests of the first, and goes back as soon as that
 * is there.
 */
#include "engine/internal.h"

#include <stdlib.h>

#define HOLD_MAX (3600 * SECOND)       /* of a hold-down that was doubled */
#define TESTS 30		       /* while the hold-down runs */
#define TEST_GAP_MIN SECOND	       /* between two tests */
#define TEST_GAP_MAX (60 * SECOND)     /* while there is no answer */
#define PAUSE (5 * SECOND)	       /* without payload, that breaks off a series of tests */
#define MISSES 3		       /* tests without an answer, in one hold-down */
#define SETTLE (200 * MILLISECOND)     /* until an episode that is on may be over */
#define STEP_BACK (80 * SECOND)	       /* while the peer tests: more than its longest gap */
#define SOON_AFTER (HOLD_MAX / SECOND) /* seconds: a failure soon after the way back */
#define FAILED_AGAIN_MAX 12	       /* doublings */
#define CROSSED 3		       /* moves begun again at once */
#define NO_COST UINT32_MAX

/* --- cost ------------------------------------------------------------------ */

/* Any mixing will do; both ends must use the same. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* The next of this priority without a turn: by weight, or in list order when none is left that has one; -1: none. */
static int draw(const struct reap_locator *l, unsigned n, unsigned priority, uint32_t taken, uint64_t random)
{
	unsigned total = 0, first = n;

	for (unsigned i = n; i-- > 0;) {
		if (l[i].priority == priority && !(taken >> i & 1)) {
			total += l[i].weight;
			first = i;
		}
	}
	if (total == 0)
		return first < n ? (int)first : -1;
	random %= total;
	for (unsigned i = first; i < n; i++) {
		if (l[i].priority != priority || taken >> i & 1)
			continue;
		if (random < l[i].weight)
			return (int)i;
		random -= l[i].weight;
	}
	return -1;
}

static bool weighed(const struct reap_locator *l, unsigned n, unsigned priority)
{
	for (unsigned i = 0; i < n; i++) {
		if (l[i].priority == priority && l[i].weight)
			return true;
	}
	return false;
}

/* Down and gone ones are drawn, too: or everybody would move when one of them comes back. */
static void draw_turns(struct reap_locator *l, unsigned n, uint64_t tag)
{
	for (unsigned i = 0; i < n; i++)
		l[i].turn = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned priority = l[i].priority;
		uint32_t taken = 0;
		int k;

		if (l[i].turn || !weighed(l, n, priority))
			continue;
		for (uint8_t turn = 1; (k = draw(l, n, priority, taken, mix(tag + turn * 0x100u + priority))) >= 0;
		     turn++) {
			l[k].turn = turn;
			taken |= 1u << k;
		}
	}
}

/* NO_COST: not to be used. The lowest bit: not the ULIDs. */
static uint32_t cost(const struct context *c, unsigned i, unsigned j)
{
	const struct reap_locator *a = &c->local[i], *b = &c->peer[j];
	bool ulids = shim6_addr_eq(&a->addr, &c->ulid.local) && shim6_addr_eq(&b->addr, &c->ulid.peer);

	if ((a->flags | b->flags) & (REAP_LOC_DOWN | REAP_LOC_GONE))
		return NO_COST;
	return (uint32_t)(a->priority + b->priority) << 8 | (uint32_t)(a->turn + b->turn) << 1 | !ulids;
}

static uint32_t cost_of(const struct context *c, const struct shim6_pair *p)
{
	int i = context_local_index(c, &p->local), j = context_peer_index(c, &p->peer);

	return i < 0 || j < 0 ? NO_COST : cost(c, (unsigned)i, (unsigned)j);
}

/* The best pair but rank that is better than the current one. false: there are not so many. */
static bool better_pair(const struct context *c, unsigned rank, struct shim6_pair *out)
{
	uint32_t now = cost_of(c, &c->current);
	uint64_t last = 0, best;

	do {
		best = UINT64_MAX;
		for (unsigned n = 0; n < (unsigned)c->n_local * c->n_peer; n++) {
			uint32_t x = cost(c, n / c->n_peer, n % c->n_peer);
			uint64_t key = ((uint64_t)x << 16 | n) + 1;

			if (x < now && key > last && key < best)
				best = key;
		}
		last = best;
	} while (best != UINT64_MAX && rank--);
	if (best == UINT64_MAX)
		return false;
	best = (best - 1) & 0xffff;
	*out = (struct shim6_pair){ c->local[best / c->n_peer].addr, c->peer[best % c->n_peer].addr };
	return true;
}

/* --- times ------------------------------------------------------------------ */

static uint64_t hold_down(const struct engine *e, const struct context *c)
{
	uint64_t hold = e->config.fail_back, max = hold > HOLD_MAX ? hold : HOLD_MAX;

	if (hold == ENGINE_NEVER || c->failed_again == 0)
		return hold;
	if (hold < SECOND)
		hold = SECOND;
	hold <<= c->failed_again;
	return hold < max ? hold : max;
}

static uint64_t first_gap(const struct engine *e)
{
	uint64_t gap = e->config.fail_back / 3;

	if (gap > TEST_GAP_MAX)
		return TEST_GAP_MAX;
	return gap < TEST_GAP_MIN ? TEST_GAP_MIN : gap;
}

static uint64_t test_gap(const struct engine *e, const struct context *c)
{
	uint64_t gap = hold_down(e, c) / TESTS;

	return gap < TEST_GAP_MIN ? TEST_GAP_MIN : gap;
}

/* A fifth more or less, so that nothing that comes and goes keeps step with the tests. */
static uint64_t about(struct engine *e, uint64_t gap)
{
	return gap - gap / 5 + (gap / 5 >> 15) * (engine_random32(e) & 0xffff);
}

static void failed(struct context *c)
{
	if (c->failed_again < FAILED_AGAIN_MAX)
		c->failed_again++;
}

static void forget_tests(struct better *b)
{
	b->since = 0;
	b->missed = b->missed_in_all = 0;
	b->testing = false;
}

/* --- being on a worse pair --------------------------------------------------- */

void prefer_stop(struct context *c)
{
	free(c->better);
	c->better = NULL;
}

/* Aim at the pair of the present rank, or at the best one. false: the context is on its best pair. */
static bool aim(struct context *c)
{
	struct better *b = c->better;
	struct shim6_pair pair;

	if (!better_pair(c, b->rank, &pair)) {
		b->rank = 0;
		if (!better_pair(c, 0, &pair))
			return false;
	}
	if (!shim6_pair_eq(&pair, &b->pair)) {
		if (b->since && cost_of(c, &b->pair) == NO_COST)
			failed(c); /* it went down while it was being tested */
		forget_tests(b);
		b->pair = pair;
	}
	return true;
}

/* Two that test at a time would be in each other's way. The one with the lower ULID begins. */
static bool leads(const struct context *c)
{
	return memcmp(&c->ulid.local, &c->ulid.peer, sizeof(c->ulid.peer)) < 0;
}

/* The struct better that the context should have; NULL: none. */
static struct better *look(struct engine *e, struct context *c, uint64_t now, bool asked)
{
	struct better *b = c->better;
	struct shim6_pair best;

	if (!better_pair(c, 0, &best) || (e->config.fail_back == ENGINE_NEVER && !asked && !(b && b->asked))) {
		prefer_stop(c);
		return NULL;
	}
	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b) {
			count(e, C_limit_memory);
			return NULL;
		}
		c->better = b;
		b->pair = best;
		b->looked = now;
		b->gap = first_gap(e);
		b->due = now + about(e, leads(c) ? b->gap : 2 * b->gap);
	}
	if (asked) {
		b->asked = true;
		b->rank = 0;
		b->due = now;
	}
	aim(c);
	return b;
}

/* Do the preferences want another pair than the current one, the ULIDs' header apart? */
static bool wants(const struct context *c)
{
	struct shim6_pair best;

	return better_pair(c, 0, &best) && cost_of(c, &best) >> 1 < cost_of(c, &c->current) >> 1;
}

/* A peer cannot make us test without end. */
static bool peer_may_ask(struct engine *e, struct context *c, uint64_t now)
{
	if (c->preferred_at && (uint32_t)(now / SECOND) - c->preferred_at < PREFERENCE_GAP) {
		count(e, C_limit_preference);
		return false;
	}
	c->preferred_at = (uint32_t)(now / SECOND);
	return true;
}

/* A locator that came up is worth a look, but not more often than the first gap. */
static void look_sooner(struct engine *e, struct better *b, uint64_t now)
{
	uint64_t soon = b->looked + first_gap(e);

	if (b->since || b->asked)
		return;
	b->gap = first_gap(e);
	if (soon < now)
		soon = now;
	if (b->due > soon)
		b->due = soon;
}

bool prefer_locators(struct engine *e, struct context *c, uint64_t now, enum prefer_news news)
{
	struct better *b;
	bool asked;

	draw_turns(c->local, c->n_local, c->ct_local);
	draw_turns(c->peer, c->n_peer_kept, c->ct_peer);
	asked = news != PREFER_NEITHER && wants(c) && (news == PREFER_OURS || peer_may_ask(e, c, now));
	b = look(e, c, now, asked);
	if (b && !asked)
		look_sooner(e, b, now);
	if (b && asked && c->reap.state == REAP_OPERATIONAL)
		return prefer_timer(e, c, now, NULL);
	context_rearm(e, c, now);
	return true;
}

void prefer_configured(struct engine *e, struct context *c, uint64_t now)
{
	if (c->state != ENGINE_ESTABLISHED)
		return;
	look(e, c, now, false);
	if (c->better)
		look_sooner(e, c->better, now);
	context_rearm(e, c, now);
}

void prefer_ended(struct engine *e, struct context *c, const struct liveness *v)
{
	struct better *b = c->better;
	bool switched = !shim6_pair_eq(&v->from, &v->to), asked;

	if (b && b->moving && !switched && v->elapsed < e->config.reap.initial_probe_gap / 2 && b->crossed < CROSSED) {
		/* something of the peer's own ended it, before the pair could answer */
		b->crossed++;
		b->moving = false;
		b->asked = v->cause == REAP_CAUSE_PREFERENCE;
		b->due = v->now + about(e, leads(c) ? SETTLE : 3 * SETTLE);
	} else if (b && b->moving && !shim6_pair_eq(&v->to, &b->pair)) {
		if (v->cause == REAP_CAUSE_FAIL_BACK)
			failed(c);
		count(e, C_fail_backs_vain);
		forget_tests(b);
		b->crossed = 0;
		b->moving = false;
		b->due = v->now + PREFERENCE_GAP * SECOND;
	} else if (b && b->testing && !switched && v->elapsed > REAP_TEST_PATIENCE) {
		/* the test became a search, for nothing: where pairs work in one direction only, each might */
		failed(c);
		forget_tests(b);
		b->due = v->now + PREFERENCE_GAP * SECOND + hold_down(e, c);
	}
	if (!switched)
		return;
	if (cost_of(c, &v->to) < cost_of(c, &v->from))
		c->back_at = (uint32_t)(v->now / SECOND);
	if (cost_of(c, &v->from) < cost_of(c, &v->to) && v->cause != REAP_CAUSE_COMMAND) {
		if (c->back_at && (uint32_t)(v->now / SECOND) - c->back_at < SOON_AFTER)
			failed(c);
		else
			c->failed_again = 0;
	}
	asked = b && b->asked && wants(c);
	prefer_stop(c);
	look(e, c, v->now, asked);
}

/* --- tests -------------------------------------------------------------------- */

static void passed(struct engine *e, struct context *c, uint64_t now)
{
	struct better *b = c->better;

	count(e, C_fail_back_tests_passed);
	if (!b->since || now - b->worked > 3 * test_gap(e, c) + PAUSE) {
		forget_tests(b);
		b->since = now;
	}
	b->worked = now;
	b->missed = 0;
	b->due = now + about(e, test_gap(e, c));
	if (b->due > b->since + hold_down(e, c))
		b->due = b->since + hold_down(e, c) > now ? b->since + hold_down(e, c) : now;
}

static void not_passed(struct engine *e, struct context *c, uint64_t now)
{
	struct better *b = c->better;
	struct shim6_pair pair;

	if (b->since && ++b->missed < 2 && ++b->missed_in_all < MISSES) {
		b->due = now;
		return;
	}
	if (b->since)
		failed(c);
	forget_tests(b);
	b->rank++;
	if (!better_pair(c, b->rank, &pair))
		b->rank = 0;
	b->due = now + about(e, b->gap);
	b->gap += b->gap / 4;
	if (b->gap > TEST_GAP_MAX)
		b->gap = TEST_GAP_MAX;
}

/* Test it, or go there. */
static bool act(struct engine *e, struct context *c, uint64_t now)
{
	struct better *b = c->better;
	bool asked = b->asked, ready = b->since && now - b->since >= hold_down(e, c) && b->missed == 0;
	struct shim6_pair pair = b->pair;

	b->asked = false;
	b->looked = now;
	b->moving = asked || ready;
	b->testing = !b->moving;
	b->moved |= b->moving;
	b->due = now + (b->moving ? PREFERENCE_GAP * SECOND : 3 * SETTLE);
	if (b->testing) {
		count(e, C_fail_back_tests);
		return liveness_test(e, c, now, &pair);
	}
	count(e, asked ? C_preference_moves : C_fail_backs);
	return liveness_explore(e, c, now, asked ? REAP_CAUSE_PREFERENCE : REAP_CAUSE_FAIL_BACK, &pair);
}

void prefer_peer_probed(struct engine *e, struct context *c, const struct rx *rx, bool unasked)
{
	struct better *b = c->better;

	if (b && unasked && !leads(c) && !b->asked && !b->moving) {
		forget_tests(b);
		b->due = rx->now + STEP_BACK;
	}
	if (!b || c->reap.state != REAP_OPERATIONAL || rx->m.sta != WIRE_STA_OPERATIONAL ||
	    !shim6_pair_eq(&rx->pair, &b->pair) || b->moved || rx->now - b->looked < SECOND)
		return;
	b->asked = true;
	b->due = rx->now;
	context_rearm(e, c, rx->now);
}

static bool unused(const struct better *b, const struct shim6_stamps *st)
{
	return st && st->last_tx <= b->looked && st->last_rx <= b->looked;
}

uint64_t prefer_deadline(const struct context *c, const struct shim6_stamps *st)
{
	const struct better *b = c->better;

	if (!b)
		return ENGINE_NEVER;
	return b->paused && !b->asked && unused(b, st) ? ENGINE_NEVER : b->due;
}

/*
 * The Send Timeout is near: the pair in use may have failed, and a test, which gives it two seconds, would hold up the
 * search.
 */
static bool search_is_near(const struct context *c, const struct shim6_stamps *st, uint64_t now)
{
	return st && st->send_t0 && now + 2 * SECOND >= st->send_t0 + c->reap.send_timeout;
}

bool prefer_timer(struct engine *e, struct context *c, uint64_t now, const struct shim6_stamps *st)
{
	struct better *b = c->better;

	if (!b || now < prefer_deadline(c, st))
		return true;
	b->paused = !b->asked && unused(b, st);
	if (b->paused) {
		context_rearm(e, c, now);
		return true;
	}
	if (c->reap.state != REAP_OPERATIONAL) {
		b->due = now + SETTLE;
	} else {
		if (b->testing) {
			b->testing = false;
			if (c->reap.test_passed)
				passed(e, c, now);
			else
				not_passed(e, c, now);
		}
		if (!aim(c))
			prefer_stop(c);
		else if (!b->asked && search_is_near(c, st, now))
			b->due = now + SETTLE;
		else if (now >= b->due)
			return act(e, c, now);
	}
	context_rearm(e, c, now);
	return true;
}

void prefer_info(const struct engine *e, const struct context *c, struct engine_ctx_info *info)
{
	if (!c->better)
		return;
	info->better = c->better->pair;
	info->better_since = c->better->since;
	info->better_hold = hold_down(e, c);
}
