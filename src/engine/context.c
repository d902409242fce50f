/* SPDX-License-Identifier: MIT */
/*
 * Contexts and their table: birth and death, slots, tags, indexes.
 *
 * Slots are small dense numbers, reused at once; ids are never reused; tags
 * rest in quarantine for a while (G-09) so that a late packet of a dead context
 * meets no living one.
 */
#include "engine/internal.h"

#include <stdlib.h>

#define MAX_QUARANTINE 16384 /* freed tags remembered */
#define TAG_TRIES 128	     /* neighbours looked at when a random tag is taken */

struct quarantined_tag {
	struct hash_node node;
	struct quarantined_tag *next;
	uint64_t tag, until;
};

bool context_table_init(struct context_table *t)
{
	t->tags.mask = WIRE_TAG_MASK;
	t->next_id = 1;
	t->free_slot = ENGINE_NO_SLOT;
	return hash_init(&t->by_ulid) && hash_init(&t->by_tag) && hash_init(&t->by_peer_tag) &&
	       hash_init(&t->by_nonce) && hash_init(&t->by_id) && hash_init(&t->tags.quarantine);
}

void context_table_free(struct context_table *t)
{
	while (t->tags.first) {
		struct quarantined_tag *q = t->tags.first;

		t->tags.first = q->next;
		free(q);
	}
	hash_free(&t->tags.quarantine);
	hash_free(&t->by_ulid);
	hash_free(&t->by_tag);
	hash_free(&t->by_peer_tag);
	hash_free(&t->by_nonce);
	hash_free(&t->by_id);
	free(t->slots);
	t->slots = NULL;
}

/* --- keys --------------------------------------------------------------- */

static uint64_t hash_ulid(const struct engine *e, const struct shim6_pair *ulid, uint32_t fii)
{
	uint8_t key[36];

	memcpy(key, ulid, 32);
	memcpy(key + 32, &fii, 4);
	return siphash_64(&e->hash_key, key, sizeof(key));
}

static uint64_t hash_number(const struct engine *e, uint64_t n)
{
	return siphash_64(&e->hash_key, &n, sizeof(n));
}

static uint64_t hash_peer_tag(const struct engine *e, uint64_t tag, const struct shim6_addr *peer)
{
	uint8_t key[24];

	memcpy(key, &tag, 8);
	memcpy(key + 8, peer, 16);
	return siphash_64(&e->hash_key, key, sizeof(key));
}

struct context *context_by_ulid(const struct engine *e, const struct shim6_pair *ulid, uint32_t fii)
{
	struct hash_node *node = hash_first(&e->contexts.by_ulid, hash_ulid(e, ulid, fii));

	for (; node; node = hash_next(node)) {
		struct context *c = container_of(node, struct context, by_ulid);

		if (c->fii == fii && shim6_pair_eq(&c->ulid, ulid))
			return c;
	}
	return NULL;
}

struct context *context_by_tag(const struct engine *e, uint64_t ct_local)
{
	struct hash_node *node = hash_first(&e->contexts.by_tag, hash_number(e, ct_local));

	for (; node; node = hash_next(node)) {
		struct context *c = container_of(node, struct context, by_tag);

		if (c->ct_local == ct_local)
			return c;
	}
	return NULL;
}

struct context *context_by_id(const struct engine *e, uint64_t id)
{
	struct hash_node *node = hash_first(&e->contexts.by_id, hash_number(e, id));

	for (; node; node = hash_next(node)) {
		struct context *c = container_of(node, struct context, by_id);

		if (c->id == id)
			return c;
	}
	return NULL;
}

struct context *context_by_slot(const struct engine *e, uint32_t slot)
{
	return slot < e->contexts.n_slots ? e->contexts.slots[slot].context : NULL;
}

struct context *context_by_nonce(const struct engine *e, uint32_t init_nonce, const struct shim6_pair *pair)
{
	struct hash_node *node = hash_first(&e->contexts.by_nonce, hash_number(e, init_nonce));

	for (; node; node = hash_next(node)) {
		struct handshake *h = container_of(node, struct handshake, by_nonce);

		if (h->init_nonce == init_nonce && shim6_pair_eq(&h->pair, pair))
			return h->context;
	}
	return NULL;
}

/* A context is at most once under a tag and an address, because no address is twice in its Ls(peer). */
struct context *context_by_peer_tag(const struct engine *e, uint64_t ct_peer, const struct shim6_addr *peer,
				    const struct context *after)
{
	struct hash_node *node = hash_first(&e->contexts.by_peer_tag, hash_peer_tag(e, ct_peer, peer));
	bool skipping = after != NULL;

	for (; node; node = hash_next(node)) {
		struct peer_locator *p = container_of(node, struct peer_locator, by_tag);
		struct context *c = p->context;

		if (c->ct_peer != ct_peer || !shim6_addr_eq(&c->peer[p - c->peer_info].addr, peer))
			continue;
		if (!skipping)
			return c;
		skipping = c != after;
	}
	return NULL;
}

/* --- tags --------------------------------------------------------------- */

static void quarantine_drop_oldest(struct tag_pool *p)
{
	struct quarantined_tag *q = p->first;

	p->first = q->next;
	if (!p->first)
		p->last = NULL;
	hash_del(&p->quarantine, &q->node);
	p->n--;
	free(q);
}

static void quarantine_add(struct engine *e, uint64_t now, uint64_t tag)
{
	struct tag_pool *p = &e->contexts.tags;
	struct quarantined_tag *q = calloc(1, sizeof(*q));

	if (!q)
		return; /* a random 47-bit tag hardly comes back all the same */
	if (p->n >= MAX_QUARANTINE)
		quarantine_drop_oldest(p);
	q->tag = tag;
	q->until = now + e->config.tag_quarantine;
	hash_add(&p->quarantine, &q->node, hash_number(e, tag));
	if (p->last)
		p->last->next = q;
	else
		p->first = q;
	p->last = q;
	p->n++;
}

static bool tag_free(const struct engine *e, uint64_t tag)
{
	struct hash_node *node = hash_first(&e->contexts.tags.quarantine, hash_number(e, tag));

	for (; node; node = hash_next(node)) {
		if (container_of(node, struct quarantined_tag, node)->tag == tag)
			return false;
	}
	return !context_by_tag(e, tag);
}

/* Random and unique over all contexts (G-02, G-04, G-05). */
static bool tag_allocate(struct engine *e, uint64_t now, uint64_t *out)
{
	struct tag_pool *p = &e->contexts.tags;
	uint64_t tag;

	while (p->first && p->first->until <= now)
		quarantine_drop_oldest(p);
	e->ops.random(e->user, &tag, sizeof(tag));
	for (unsigned i = 0; i < TAG_TRIES; i++) {
		*out = (tag + i) & p->mask;
		if (tag_free(e, *out))
			return true;
	}
	return false;
}

/* --- slots -------------------------------------------------------------- */

static bool slots_reserve(struct context_table *t, uint32_t n)
{
	uint32_t cap = t->cap_slots ? t->cap_slots : 16;
	struct slot_entry *slots;

	while (cap < n)
		cap *= 2;
	if (cap == t->cap_slots)
		return true;
	slots = realloc(t->slots, cap * sizeof(*slots));
	if (!slots)
		return false;
	t->slots = slots;
	t->cap_slots = cap;
	return true;
}

static void slot_link_free(struct context_table *t, uint32_t slot)
{
	struct slot_entry *s = &t->slots[slot];

	s->context = NULL;
	s->prev_free = ENGINE_NO_SLOT;
	s->next_free = t->free_slot;
	if (t->free_slot != ENGINE_NO_SLOT)
		t->slots[t->free_slot].prev_free = slot;
	t->free_slot = slot;
}

static void slot_unlink_free(struct context_table *t, uint32_t slot)
{
	struct slot_entry *s = &t->slots[slot];

	if (s->prev_free != ENGINE_NO_SLOT)
		t->slots[s->prev_free].next_free = s->next_free;
	else
		t->free_slot = s->next_free;
	if (s->next_free != ENGINE_NO_SLOT)
		t->slots[s->next_free].prev_free = s->prev_free;
}

/* Take this slot, which must be free; the table grows up to it. */
static bool slot_take(struct context_table *t, uint32_t slot, struct context *c)
{
	if (slot >= t->n_slots && !slots_reserve(t, slot + 1))
		return false;
	while (t->n_slots <= slot)
		slot_link_free(t, t->n_slots++);
	slot_unlink_free(t, slot);
	t->slots[slot].context = c;
	c->slot = slot;
	return true;
}

/* --- birth and death ---------------------------------------------------- */

static int refuse(struct engine *e, enum counter why, int result)
{
	count(e, why);
	return result;
}

static int room_for(struct engine *e, const struct shim6_pair *ulid, uint32_t fii)
{
	if (context_by_ulid(e, ulid, fii))
		return ENGINE_E_EXISTS; /* (C-16) */
	if (e->contexts.n >= e->config.max_contexts)
		return refuse(e, C_limit_contexts, ENGINE_E_LIMIT);
	if (limits_contexts(&e->limits, &e->hash_key, &ulid->peer) >= e->config.max_contexts_per_64)
		return refuse(e, C_limit_contexts_per_64, ENGINE_E_LIMIT);
	if (fii && limits_forks(&e->limits, &e->hash_key, ulid) >= e->config.max_forks)
		return refuse(e, C_limit_forks, ENGINE_E_LIMIT);
	return ENGINE_OK;
}

static bool copy_local(struct engine *e, struct context *c)
{
	struct reap_locator l[ENGINE_MAX_LOCATORS];
	unsigned n = local_locators(&e->local, &c->ulid.local, l, &c->listed);

	c->local = malloc(n * sizeof(*l));
	if (!c->local)
		return false;
	memcpy(c->local, l, n * sizeof(*l));
	c->n_local = c->n_set = (uint8_t)n;
	return true;
}

/* Restored contexts come in any order: put them right when somebody looks, rather than search for each its place. */
static void list_append(struct context_table *t, struct context *c)
{
	c->older = t->newest;
	c->newer = NULL;
	if (c->older) {
		c->older->newer = c;
		t->unsorted |= c->older->id > c->id;
	} else {
		t->oldest = c;
	}
	t->newest = c;
	t->n++;
}

/* Two runs that end in NULL, by way of newer. */
static struct context *merge(struct context *a, struct context *b)
{
	struct context *first = NULL, **end = &first;

	while (a && b) {
		struct context **less = a->id < b->id ? &a : &b;

		*end = *less;
		*less = (*less)->newer;
		end = &(*end)->newer;
	}
	*end = a ? a : b;
	return first;
}

/* Merge sort, bottom up: run[i] holds 2^i contexts or none. */
void context_table_sort(struct context_table *t)
{
	struct context *run[33] = { NULL }, *all = NULL, *next;
	unsigned i;

	if (!t->unsorted)
		return;
	for (struct context *c = t->oldest; c; c = next) {
		next = c->newer;
		c->newer = NULL;
		for (i = 0; i < 32 && run[i]; i++) {
			c = merge(run[i], c);
			run[i] = NULL;
		}
		run[i] = merge(run[i], c);
	}
	for (i = 0; i < 33; i++)
		all = merge(run[i], all);
	t->oldest = all;
	t->newest = NULL;
	for (struct context *c = all; c; c = c->newer) {
		c->older = t->newest;
		t->newest = c;
	}
	t->unsorted = false;
}

static void list_remove(struct context_table *t, struct context *c)
{
	if (c->newer)
		c->newer->older = c->older;
	else
		t->newest = c->older;
	if (c->older)
		c->older->newer = c->newer;
	else
		t->oldest = c->newer;
	t->n--;
}

static void destroy(struct context *c)
{
	free(c->local);
	free(c->signature);
	free(c->peer_info);
	free(c->peer_pds);
	free(c->last_switch);
	free(c);
}

/* Everything that needs memory. */
static struct context *context_alloc(struct engine *e, const struct shim6_pair *ulid, uint32_t fii, uint32_t slot)
{
	struct context *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->engine = e;
	c->ulid = c->current = *ulid;
	c->fii = fii;
	if (!copy_local(e, c) || !slot_take(&e->contexts, slot, c)) {
		destroy(c);
		return NULL;
	}
	if (!limits_context_add(&e->limits, &e->hash_key, ulid, fii)) {
		slot_link_free(&e->contexts, slot);
		destroy(c);
		return NULL;
	}
	return c;
}

struct context *context_new_as(struct engine *e, uint64_t now, const struct shim6_pair *ulid, uint32_t fii, uint64_t id,
			       uint32_t slot, uint64_t ct_local, int *result)
{
	struct context_table *t = &e->contexts;
	struct context *c;

	*result = room_for(e, ulid, fii);
	if (*result != ENGINE_OK)
		return NULL;
	c = context_alloc(e, ulid, fii, slot);
	if (!c) {
		*result = refuse(e, C_limit_memory, ENGINE_E_NOMEM);
		return NULL;
	}
	c->id = id;
	c->ct_local = ct_local;
	c->created = now;
	c->local_generation = engine_random32(e); /* */
	c->timer.kind = TIMER_CONTEXT;
	hash_add(&t->by_ulid, &c->by_ulid, hash_ulid(e, ulid, fii));
	hash_add(&t->by_tag, &c->by_tag, hash_number(e, ct_local));
	hash_add(&t->by_id, &c->by_id, hash_number(e, id));
	list_append(t, c);
	if (t->next_id <= id)
		t->next_id = id + 1;
	return c;
}

struct context *context_new(struct engine *e, uint64_t now, const struct shim6_pair *ulid, uint32_t fii, int *result)
{
	struct context_table *t = &e->contexts;
	uint32_t slot = t->free_slot != ENGINE_NO_SLOT ? t->free_slot : t->n_slots;
	uint64_t tag;

	*result = room_for(e, ulid, fii);
	if (*result != ENGINE_OK)
		return NULL;
	if (!tag_allocate(e, now, &tag)) {
		*result = refuse(e, C_limit_tags, ENGINE_E_LIMIT);
		return NULL;
	}
	return context_new_as(e, now, ulid, fii, t->next_id, slot, tag, result);
}

void context_free(struct engine *e, struct context *c, uint64_t now, enum engine_reason reason)
{
	struct context_table *t = &e->contexts;
	bool told = c->initiator || c->installed || c->established; /* somebody may send with CT(local) */

	liveness_stop(c);
	update_end(e, c);
	context_handshake_end(e, c);
	context_index_peer(e, c, false);
	context_unproject(e, c);
	timer_cancel(&e->wheel, &c->timer);
	hash_del(&t->by_ulid, &c->by_ulid);
	hash_del(&t->by_tag, &c->by_tag);
	hash_del(&t->by_id, &c->by_id);
	list_remove(t, c);
	slot_link_free(t, c->slot);
	limits_context_del(&e->limits, &e->hash_key, &c->ulid, c->fii);
	if (told)
		quarantine_add(e, now, c->ct_local); /* (K-06) */
	if (reason != ENGINE_WHY_NONE)
		engine_tell(e, c, now, ENGINE_EV_GONE, reason);
	destroy(c);
}

/* --- switches ----------------------------------------------------------- */

void context_note_switch(struct engine *e, struct context *c, const struct last_switch *s)
{
	if (!c->last_switch)
		c->last_switch = malloc(sizeof(*c->last_switch));
	if (c->last_switch)
		*c->last_switch = *s;
	else
		count(e, C_limit_memory);
}

const struct last_switch *context_last_switch(const struct context *c)
{
	static const struct last_switch none;

	return c->last_switch ? c->last_switch : &none;
}

/* --- handshake ---------------------------------------------------------- */

void context_handshake_renew_nonce(struct engine *e, struct context *c)
{
	struct handshake *h = c->handshake;

	do
		h->init_nonce = engine_random32(e);
	while (context_by_nonce(e, h->init_nonce, &h->pair)); /* (E-05) */
	hash_add(&e->contexts.by_nonce, &h->by_nonce, hash_number(e, h->init_nonce));
}

bool context_handshake_begin(struct engine *e, struct context *c, const struct shim6_pair *pair)
{
	unsigned fallbacks = c->handshake ? c->handshake->fallbacks : 0;
	struct handshake *h;

	context_handshake_end(e, c);
	h = calloc(1, sizeof(*h));
	if (!h) {
		count(e, C_limit_memory);
		return false;
	}
	h->context = c;
	h->pair = *pair;
	h->fallbacks = fallbacks;
	c->handshake = h;
	context_handshake_renew_nonce(e, c);
	return true;
}

void context_handshake_end(struct engine *e, struct context *c)
{
	if (!c->handshake)
		return;
	hash_del(&e->contexts.by_nonce, &c->handshake->by_nonce);
	free(c->handshake);
	c->handshake = NULL;
}

/* --- the peer ----------------------------------------------------------- */

void context_index_peer(struct engine *e, struct context *c, bool on)
{
	for (unsigned i = 0; i < c->n_peer; i++) {
		struct peer_locator *p = &c->peer_info[i];

		/* Only what is proved counts (F-08); once for each address. */
		if (p->indexed == on || (on && (!p->verified || context_peer_index(c, &c->peer[i].addr) != (int)i)))
			continue;
		if (on)
			hash_add(&e->contexts.by_peer_tag, &p->by_tag, hash_peer_tag(e, c->ct_peer, &c->peer[i].addr));
		else
			hash_del(&e->contexts.by_peer_tag, &p->by_tag);
		p->indexed = on;
	}
}

static bool keep_pds(struct context *c, const struct peer_list *list)
{
	uint8_t *pds;

	if (!list->pds || list->pds_len > MAX_PEER_PDS)
		return true; /* without it, an Update Request must bring it again */
	pds = malloc(list->pds_len);
	if (!pds)
		return false;
	memcpy(pds, list->pds, list->pds_len);
	free(c->peer_pds);
	c->peer_pds = pds;
	c->peer_pds_len = (uint16_t)list->pds_len;
	return true;
}

bool context_set_peer(struct engine *e, struct context *c, uint64_t ct_peer, const struct peer_list *list)
{
	struct peer_locator *info = calloc(list->n_total, sizeof(*info) + sizeof(struct reap_locator));
	struct reap_locator *peer;

	if (!info || !keep_pds(c, list)) {
		count(e, C_limit_memory);
		free(info);
		return false;
	}
	peer = (struct reap_locator *)(void *)(info + list->n_total);
	for (unsigned i = 0; i < list->n_total; i++) {
		int old = context_peer_index(c, &list->entry[i].l.addr);

		peer[i] = list->entry[i].l;
		info[i].context = c;
		info[i].method = list->entry[i].method;
		info[i].verified = list->entry[i].verified;
		if (old >= 0) {
			peer[i].flags |= c->peer[old].flags & REAP_LOC_PROBED;
			info[i].sent_at = c->peer_info[old].sent_at;
		}
	}
	context_index_peer(e, c, false);
	free(c->peer_info);
	c->peer = peer;
	c->peer_info = info;
	c->n_peer = (uint8_t)list->n_total;
	c->n_peer_listed = (uint8_t)list->n_listed;
	c->n_peer_kept = (uint8_t)list->n;
	c->peer_listed = list->present;
	c->peer_generation = list->generation;
	c->ct_peer = ct_peer;
	if (c->state == ENGINE_ESTABLISHED || c->state == ENGINE_I2BIS_SENT)
		context_index_peer(e, c, true);
	return true;
}

static int index_in(const struct reap_locator *l, unsigned n, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < n; i++) {
		if (shim6_addr_eq(&l[i].addr, a))
			return (int)i;
	}
	return -1;
}

int context_local_index(const struct context *c, const struct shim6_addr *a)
{
	return index_in(c->local, c->n_local, a);
}

int context_peer_index(const struct context *c, const struct shim6_addr *a)
{
	return index_in(c->peer, c->n_peer, a);
}

bool context_hears(const struct context *c, const struct shim6_pair *pair)
{
	int peer = context_peer_index(c, &pair->peer);

	return peer >= 0 && c->peer_info[peer].verified && context_local_index(c, &pair->local) >= 0;
}

struct reap_locators context_locators(const struct context *c)
{
	return (struct reap_locators){
		.local = c->local,
		.n_local = c->n_local,
		.peer = c->peer,
		.n_peer = c->n_peer,
	};
}

size_t context_pairs(const struct context *c)
{
	struct reap_locators l = context_locators(c);
	struct shim6_pair first;

	return reap_pair_order(&l, &c->current, &first, 1);
}

static unsigned standing(const struct reap_locator *l, unsigned n)
{
	unsigned count = 0;

	while (n--)
		count += !(l[n].flags & (REAP_LOC_DOWN | REAP_LOC_GONE));
	return count;
}

bool context_has_choice(const struct context *c)
{
	return standing(c->local, c->n_local) * standing(c->peer, c->n_peer) >= 2;
}

void context_note_sent(struct context *c, uint64_t now, const struct shim6_addr *peer)
{
	int i = context_peer_index(c, peer);

	if (i >= 0)
		c->peer_info[i].sent_at = (uint32_t)(now / SECOND) + 1;
}

bool context_sent_lately(struct context *c, uint64_t now, const struct shim6_pair *pair)
{
	struct engine *e = c->engine;
	struct shim6_stamps st = { 0 };
	int i = context_peer_index(c, &pair->peer);

	if (i < 0 || context_local_index(c, &pair->local) < 0)
		return false;
	if (c->peer_info[i].sent_at && (uint32_t)(now / SECOND) + 1 - c->peer_info[i].sent_at <= SENT_LATELY)
		return true;
	/* Payload carries the tag only off the ULID pair (W-13). */
	if (context_on_ulids(c) || !shim6_addr_eq(&pair->peer, &c->current.peer))
		return false;
	return e->ops.dp_stamps(e->user, c->slot, &st) && st.last_tx && ago(now, st.last_tx) <= SENT_LATELY * SECOND;
}
