/* SPDX-License-Identifier: MIT */
/*
 * Timers: a hierarchical wheel. Arming and cancelling cost O(1); the next
 * deadline is read from one bit map per level.
 */
#ifndef SHIM6_ENGINE_TIMER_H
#define SHIM6_ENGINE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_TICK_SHIFT 20 /* one tick is 2^20 ns, about a millisecond */
#define TIMER_LEVELS 8
#define TIMER_SLOT_BITS 6
#define TIMER_SLOTS (1u << TIMER_SLOT_BITS)
#define TIMER_NEVER UINT64_MAX

struct timer {
	struct timer *next;
	struct timer **link; /* what points at us; NULL: not armed */
	uint64_t tick;
	uint8_t level, slot;
	uint8_t kind; /* the owner's */
};

struct timer_wheel {
	uint64_t tick; /* all timers up to this one have been handed out */
	uint64_t occupied[TIMER_LEVELS];
	struct timer *slots[TIMER_LEVELS][TIMER_SLOTS];
	struct timer *expired;
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now);
/* Arm or move; TIMER_NEVER cancels. Fires at most a tick late, never early. */
void timer_arm(struct timer_wheel *w, struct timer *t, uint64_t deadline);
void timer_cancel(struct timer_wheel *w, struct timer *t);
/* The next timer due at now, disarmed; NULL: none. */
struct timer *timer_pop(struct timer_wheel *w, uint64_t now);
/* When to call timer_pop() next: never late, sometimes early. */
uint64_t timer_next(const struct timer_wheel *w);

static inline bool timer_armed(const struct timer *t)
{
	return t->link != NULL;
}

#endif
