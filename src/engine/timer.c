/* SPDX-License-Identifier: MIT */
/*
 * A hierarchical timer wheel. Time is cut into ticks; a timer lies at the level
 * of the highest 6-bit digit in which its tick differs from the wheel's, in the
 * slot of that digit. So every timer of a level comes after all of the levels
 * below, and within a level the slots are in order: the lowest set bit of the
 * lowest level in use is the next slot. When time reaches the start of a slot
 * above level 0, its timers move down.
 */
#include "engine/timer.h"

#include <string.h>

#define LEVEL_EXPIRED 0xff

static unsigned lowest_bit(uint64_t x)
{
	unsigned n = 0;

	for (unsigned half = 32; half; half /= 2) {
		if (!(x & ((UINT64_C(1) << half) - 1))) {
			x >>= half;
			n += half;
		}
	}
	return n;
}

static unsigned level_of(uint64_t diff)
{
	unsigned level = 0;

	while (level < TIMER_LEVELS - 1 && diff >> (TIMER_SLOT_BITS * (level + 1)))
		level++;
	return level;
}

static void push(struct timer **head, struct timer *t)
{
	t->next = *head;
	t->link = head;
	if (t->next)
		t->next->link = &t->next;
	*head = t;
}

static void place(struct timer_wheel *w, struct timer *t)
{
	unsigned level = level_of(t->tick ^ w->tick);

	t->level = (uint8_t)level;
	t->slot = (uint8_t)(t->tick >> (TIMER_SLOT_BITS * level) & (TIMER_SLOTS - 1));
	w->occupied[level] |= UINT64_C(1) << t->slot;
	push(&w->slots[level][t->slot], t);
}

void timer_wheel_init(struct timer_wheel *w, uint64_t now)
{
	memset(w, 0, sizeof(*w));
	w->tick = now >> TIMER_TICK_SHIFT;
}

void timer_cancel(struct timer_wheel *w, struct timer *t)
{
	if (!t->link)
		return;
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	t->link = NULL;
	if (t->level != LEVEL_EXPIRED && !w->slots[t->level][t->slot])
		w->occupied[t->level] &= ~(UINT64_C(1) << t->slot);
}

void timer_arm(struct timer_wheel *w, struct timer *t, uint64_t deadline)
{
	uint64_t tick = (deadline >> TIMER_TICK_SHIFT) + 1;

	timer_cancel(w, t);
	if (deadline == TIMER_NEVER)
		return;
	t->tick = tick > w->tick ? tick : w->tick + 1;
	place(w, t);
}

/* Start of the first slot in use; false: no timer at all. */
static bool next_slot(const struct timer_wheel *w, unsigned *level, unsigned *slot, uint64_t *tick)
{
	for (unsigned l = 0; l < TIMER_LEVELS; l++) {
		unsigned shift = TIMER_SLOT_BITS * (l + 1);

		if (!w->occupied[l])
			continue;
		*level = l;
		*slot = lowest_bit(w->occupied[l]);
		*tick = (w->tick >> shift << shift) | (uint64_t)*slot << (shift - TIMER_SLOT_BITS);
		return true;
	}
	return false;
}

static void open_slot(struct timer_wheel *w, unsigned level, unsigned slot)
{
	struct timer *t, *next;

	t = w->slots[level][slot];
	w->slots[level][slot] = NULL;
	w->occupied[level] &= ~(UINT64_C(1) << slot);
	for (; t; t = next) {
		next = t->next;
		if (t->tick > w->tick) {
			place(w, t);
			continue;
		}
		t->level = LEVEL_EXPIRED;
		push(&w->expired, t);
	}
}

struct timer *timer_pop(struct timer_wheel *w, uint64_t now)
{
	uint64_t target = now >> TIMER_TICK_SHIFT;
	struct timer *t;

	while (!w->expired) {
		unsigned level, slot;
		uint64_t tick;

		if (!next_slot(w, &level, &slot, &tick) || tick > target) {
			if (target > w->tick)
				w->tick = target;
			return NULL;
		}
		w->tick = tick;
		open_slot(w, level, slot);
	}
	t = w->expired;
	timer_cancel(w, t);
	return t;
}

uint64_t timer_next(const struct timer_wheel *w)
{
	unsigned level, slot;
	uint64_t tick;

	if (w->expired)
		return w->tick << TIMER_TICK_SHIFT;
	if (!next_slot(w, &level, &slot, &tick))
		return TIMER_NEVER;
	return tick << TIMER_TICK_SHIFT;
}
