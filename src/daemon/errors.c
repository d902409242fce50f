/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/errors.h"

#include <stdlib.h>
#include <string.h>

struct error {
	struct error *next; /* oldest first */
	uint64_t due;
	uint64_t ct_local;
	uint32_t slot;
	size_t len;
	uint8_t packet[];
};

struct errors {
	struct counters *counters;
	errors_deliver deliver;
	void *arg;
	struct error *first, **last;
	unsigned n;
};

struct errors *errors_new(struct counters *c, errors_deliver deliver, void *arg)
{
	struct errors *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->counters = c;
	e->deliver = deliver;
	e->arg = arg;
	e->last = &e->first;
	return e;
}

static void deliver(struct errors *e, const uint8_t *packet, size_t len)
{
	count(e->counters, e->deliver(e->arg, packet, len) < 0 ? DC_errors_failed : DC_errors_delivered);
}

/* Take *link out of the list; the socket gets it unless a pair works. */
static void settle(struct errors *e, struct error **link, bool works)
{
	struct error *x = *link;

	*link = x->next;
	if (e->last == &x->next)
		e->last = link;
	e->n--;
	if (works)
		count(e->counters, DC_errors_void);
	else
		deliver(e, x->packet, x->len);
	free(x);
}

void errors_free(struct errors *e)
{
	if (!e)
		return;
	while (e->first)
		settle(e, &e->first, false);
	free(e);
}

static struct error **find(struct errors *e, uint32_t slot)
{
	struct error **link = &e->first;

	while (*link && (*link)->slot != slot)
		link = &(*link)->next;
	return link;
}

void errors_add(struct errors *e, uint64_t now, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len)
{
	struct error **old = find(e, slot), *x;
	uint64_t due = now + ERRORS_PATIENCE;

	count(e->counters, DC_errors_received);
	if (*old && (*old)->ct_local != ct_local) {
		settle(e, old, false); /* of the context that had the slot before */
	} else if (*old) {
		due = (*old)->due; /* what comes again and again does not put off the end */
		count(e->counters, DC_errors_replaced);
		x = *old;
		*old = x->next;
		if (e->last == &x->next)
			e->last = old;
		e->n--;
		free(x);
	}
	if (e->n >= ERRORS_MAX)
		settle(e, &e->first, false);
	x = malloc(sizeof(*x) + len);
	if (!x) {
		deliver(e, packet, len);
		return;
	}
	*x = (struct error){ .due = due, .ct_local = ct_local, .slot = slot, .len = len };
	memcpy(x->packet, packet, len);
	*e->last = x;
	e->last = &x->next;
	e->n++;
}

void errors_void(struct errors *e, uint32_t slot)
{
	struct error **link = find(e, slot);

	if (*link)
		settle(e, link, true);
}

void errors_release(struct errors *e, uint32_t slot)
{
	struct error **link = find(e, slot);

	if (*link)
		settle(e, link, false);
}

uint64_t errors_due(struct errors *e, uint64_t now)
{
	struct error **link = &e->first;
	uint64_t next = ERRORS_NEVER;

	while (*link) {
		if ((*link)->due <= now) {
			settle(e, link, false);
			continue;
		}
		if ((*link)->due < next)
			next = (*link)->due;
		link = &(*link)->next;
	}
	return next;
}

unsigned errors_count(const struct errors *e)
{
	return e->n;
}
