/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/prefer.h"

#include <stdio.h>
#include <string.h>

#include "daemon/text.h"

bool preference_target(struct preference *out, const char *word)
{
	memset(out, 0, sizeof(*out));
	out->is_prefix = true;
	if (text_parse_addr(word, &out->prefix.addr)) {
		out->prefix.len = 128;
		snprintf(out->target, sizeof(out->target), "%s", text_addr(&out->prefix.addr).s);
		return true;
	}
	if (text_parse_prefix(word, &out->prefix.addr, &out->prefix.len)) {
		snprintf(out->target, sizeof(out->target), "%s", text_prefix(&out->prefix.addr, out->prefix.len).s);
		return true;
	}
	out->is_prefix = false;
	if (!*word || strlen(word) >= IF_NAMESIZE || strpbrk(word, "/: \t"))
		return false;
	snprintf(out->target, sizeof(out->target), "%s", word);
	return true;
}

static bool in_prefix(const struct config_prefix *p, const struct shim6_addr *a)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	if (memcmp(p->addr.b, a->b, whole) != 0)
		return false;
	return rest == 0 || (p->addr.b[whole] ^ a->b[whole]) >> (8 - rest) == 0;
}

bool preference_covers(const struct preference *p, const char *ifname, const struct shim6_addr *a)
{
	return p->is_prefix ? in_prefix(&p->prefix, a) : strcmp(p->target, ifname) == 0;
}

static struct preference *find(struct preferences *list, const char *target)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (strcmp(list->p[i].target, target) == 0)
			return &list->p[i];
	}
	return NULL;
}

bool preferences_set(struct preferences *list, const struct preference *p)
{
	struct preference *there = find(list, p->target);

	if (!there && list->n == PREFER_MAX)
		return false;
	if (!there)
		there = &list->p[list->n++];
	*there = *p;
	return true;
}

unsigned preferences_reset(struct preferences *list, const struct preference *target)
{
	struct preference *there;
	unsigned n = list->n;

	if (!target) {
		list->n = 0;
		return n;
	}
	there = find(list, target->target);
	if (!there)
		return 0;
	*there = list->p[--list->n];
	return 1;
}

/* The longest prefix, then the interface. */
static const struct preference *said(const struct preferences *list, const char *ifname, const struct shim6_addr *a)
{
	const struct preference *best = NULL;

	for (unsigned i = 0; i < list->n; i++) {
		const struct preference *p = &list->p[i];

		if (preference_covers(p, ifname, a) &&
		    (!best || (p->is_prefix && (!best->is_prefix || p->prefix.len > best->prefix.len))))
			best = p;
	}
	return best;
}

static const struct config_interface *configured(const struct config *c, const char *ifname, const struct shim6_addr *a)
{
	const struct config_interface *best = NULL;

	for (unsigned i = 0; i < c->n_interfaces; i++) {
		const struct config_interface *s = &c->interfaces[i];

		if (s->is_prefix && in_prefix(&s->prefix, a) && (!best || s->prefix.len > best->prefix.len))
			best = s;
	}
	return best ? best : config_interface(c, ifname);
}

void preference_of(const struct config *c, const struct preferences *list, const char *ifname,
		   const struct shim6_addr *a, struct preference *out, char *from, size_t len)
{
	const struct preference *p = said(list, ifname, a);
	const struct config_interface *s;

	if (p) {
		*out = *p;
		snprintf(from, len, "prefer %s", p->target);
		return;
	}
	s = configured(c, ifname, a);
	*out = (struct preference){ .priority = s->priority, .weight = s->weight };
	snprintf(from, len, "%s", "");
	if (s->name[0])
		snprintf(from, len, "[%s %s]", s->is_prefix ? "prefix" : "interface", s->name);
}
