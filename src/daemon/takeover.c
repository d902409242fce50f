/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking over from an earlier process: the journal's contexts go back into the
 * engine, and what the data path holds beyond them is removed.
 */
#include <stdlib.h>

#include "daemon/daemon.h"
#include "daemon/log.h"

static void restore_one(void *arg, uint64_t id, const uint8_t *blob, size_t len)
{
	struct daemon *d = arg;
	int rc = engine_restore(d->engine, daemon_now(), blob, len);

	if (rc == ENGINE_OK) {
		count(&d->counters, DC_state_restored);
		return;
	}
	count(&d->counters, DC_state_refused);
	log_warning("saved context %llu not taken over: %s", (unsigned long long)id, engine_result_text(rc));
}

static unsigned remove_orphans(struct daemon *d)
{
	unsigned n = 0;

	for (uint32_t slot = 0; slot < d->config.engine.max_contexts; slot++) {
		struct shim6_projection p;
		uint64_t id;

		if (!datapath_get(d->dp, slot, &p) || engine_slot_id(d->engine, slot, &id))
			continue;
		datapath_remove(d->dp, slot);
		n++;
	}
	return n;
}

struct id_list {
	uint64_t *id;
	size_t n;
};

static void note_id(void *arg, uint64_t id, const uint8_t *blob, size_t len)
{
	struct id_list *l = arg;

	(void)blob;
	(void)len;
	l->id[l->n++] = id;
}

/* Entries under an id that the engine does not have (refused, or renumbered) must not come back next time. */
static void drop_stale_entries(struct daemon *d)
{
	struct id_list list = { .id = calloc(state_count(d->state) + 1u, sizeof(uint64_t)) };
	struct engine_ctx_info info;

	if (!list.id)
		return;
	state_each(d->state, note_id, &list);
	for (size_t i = 0; i < list.n; i++) {
		if (!engine_get(d->engine, list.id[i], &info))
			state_remove(d->state, list.id[i]);
	}
	free(list.id);
}

void daemon_take_over(struct daemon *d)
{
	unsigned orphans;

	if (state_discarded(d->state))
		log_notice("saved contexts are those of an earlier boot: discarded");
	if (state_damaged(d->state)) {
		counter_add(&d->counters, DC_state_damaged, state_damaged(d->state));
		log_warning("saved contexts: %llu octets at the end are damaged and were cut off",
			    (unsigned long long)state_damaged(d->state));
	}
	state_each(d->state, restore_one, d);
	orphans = remove_orphans(d);
	counter_add(&d->counters, DC_dp_orphans_removed, orphans);
	drop_stale_entries(d);
	daemon_save_all(d);
	if (d->counters.v[DC_state_restored] || orphans)
		log_notice("took over %llu context(s) from an earlier process; removed %u without saved state",
			   (unsigned long long)d->counters.v[DC_state_restored], orphans);
}
