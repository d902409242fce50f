/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The message sequence chart, one line for each thing that happens:
 *
 *	   12.345  A1 -> B2   Probe IN ct=..., 2 sent, 1 received       lost
 *	   12.400     B       A1-B1: Operational -> InboundOk
 *
 * A line of a message stands at the time it is sent. Payload is summed up for
 * as long as it takes the same pair.
 */
#include <stdarg.h>

#include "watch.h"

struct watch_name watch_addr(struct sim *s, const struct shim6_addr *a)
{
	struct watch_name n;
	unsigned loc;
	const struct sim_host *h = sim_owner(s, a, &loc);

	if (h)
		snprintf(n.s, sizeof(n.s), "%c%u", 'A' + (int)h->index, loc + 1);
	else
		snprintf(n.s, sizeof(n.s), "%02x%02x..%02x%02x", a->b[0], a->b[1], a->b[14], a->b[15]);
	return n;
}

struct watch_name watch_pair(struct sim *s, const struct shim6_pair *p)
{
	struct watch_name n;

	snprintf(n.s, sizeof(n.s), "%.20s-%.20s", watch_addr(s, &p->local).s, watch_addr(s, &p->peer).s);
	return n;
}

static void stamp(const struct watch *w)
{
	fprintf(w->chart, "%10.3f  ", (double)(w->sim->now - SIM_START) / 1e9);
}

void watch_note(struct watch *w, const char *format, ...)
{
	va_list ap;

	if (!w->chart)
		return;
	stamp(w);
	fprintf(w->chart, "---- ");
	va_start(ap, format);
	vfprintf(w->chart, format, ap);
	va_end(ap);
	fputc('\n', w->chart);
}

/* --- messages ----------------------------------------------------------- */

static const char *sta_name(enum wire_sta sta)
{
	switch (sta) {
	case WIRE_STA_OPERATIONAL:
		return "OP";
	case WIRE_STA_EXPLORING:
		return "EX";
	case WIRE_STA_INBOUND_OK:
		return "IN";
	}
	return "?";
}

static void probe(const struct watch *w, const struct wire_msg *m)
{
	fprintf(w->chart, "Probe %s", sta_name(m->sta));
	for (unsigned i = 0; i < m->n_sent + m->n_received; i++) {
		struct wire_record r;

		wire_record_get(m, i, &r);
		fprintf(w->chart, "%s%s>%s#%04x",
			i == 0		 ? " sent "
			: i == m->n_sent ? " received "
					 : " ",
			watch_addr(w->sim, &r.src).s, watch_addr(w->sim, &r.dst).s, r.nonce >> 16);
	}
}

static void options(const struct watch *w, const struct wire_msg *m)
{
	if (m->has_ulids)
		fprintf(w->chart, " ULIDs %s-%s", watch_addr(w->sim, &m->ulid_sender).s,
			watch_addr(w->sim, &m->ulid_receiver).s);
	if (m->has_fii)
		fprintf(w->chart, " FII %u", m->fii);
	if (m->locators.present)
		fprintf(w->chart, " list of %u (generation %04x)", m->locators.n, m->locators.generation & 0xffff);
	for (unsigned i = 0; m->prefs.present && i < m->prefs.n; i++) {
		struct wire_pref p;

		wire_pref_get(&m->prefs, i, &p);
		fprintf(w->chart, "%s%s%u", i ? "," : " preferences ", p.flags & WIRE_PREF_BROKEN ? "BROKEN/" : "",
			p.priority);
	}
	if (m->has_keepalive_timeout)
		fprintf(w->chart, " timeout %u s", m->keepalive_timeout);
}

static void control(const struct watch *w, const struct sim_packet *p)
{
	struct wire_msg m;
	size_t offset;

	if (wire_decode(p->buf, p->len, &m, &offset) != WIRE_OK) {
		fprintf(w->chart, "%s, not decodable", wire_type_name(p->buf[2] & 0x7f));
		return;
	}
	if (m.type == WIRE_PROBE)
		probe(w, &m);
	else
		fprintf(w->chart, "%s", wire_type_name(m.type));
	fprintf(w->chart, " ct=%04llx", (unsigned long long)m.tag & 0xffff);
	if (m.type == WIRE_I2BIS)
		fprintf(w->chart, " packet ct=%04llx", (unsigned long long)m.packet_tag & 0xffff);
	if (m.init_nonce)
		fprintf(w->chart, " init=%04x", m.init_nonce >> 16);
	if (m.resp_nonce)
		fprintf(w->chart, " resp=%04x", m.resp_nonce >> 16);
	if (m.request_nonce)
		fprintf(w->chart, " request=%04x", m.request_nonce >> 16);
	if (m.type == WIRE_ERROR)
		fprintf(w->chart, " code %u pointer %u", m.error_code, m.error_pointer);
	options(w, &m);
}

static void payload_sum(struct watch *w, unsigned host, unsigned flow)
{
	struct watch_payload *o = &w->host[host].payload[flow];

	if (!o->any)
		return;
	stamp(w);
	fprintf(w->chart, "%s -> %s   payload of flow %u%s: %u sent, %u lost\n", watch_addr(w->sim, &o->pair.local).s,
		watch_addr(w->sim, &o->pair.peer).s, flow, o->tagged ? ", tagged" : "", o->sent, o->lost);
	o->any = false;
}

static void payload(struct watch *w, const struct sim_packet *p, enum sim_fate fate)
{
	struct watch_payload *o;

	if (p->flow >= SIM_FLOWS)
		return;
	o = &w->host[p->from].payload[p->flow];
	if (o->any && (o->tagged != p->tagged || !shim6_addr_eq(&o->pair.local, &p->src) ||
		       !shim6_addr_eq(&o->pair.peer, &p->dst)))
		payload_sum(w, p->from, p->flow);
	if (!o->any) {
		*o = (struct watch_payload){ .any = true,
					     .tagged = p->tagged,
					     .pair = { .local = p->src, .peer = p->dst } };
		stamp(w);
		fprintf(w->chart, "%s -> %s   payload of flow %u%s begins\n", watch_addr(w->sim, &p->src).s,
			watch_addr(w->sim, &p->dst).s, p->flow, p->tagged ? ", tagged" : "");
	}
	o->sent += fate != SIM_FATE_TWICE;
	o->lost += fate == SIM_FATE_LOST || fate == SIM_FATE_NO_LINK;
}

void chart_packet(struct watch *w, const struct sim_packet *p, enum sim_fate fate)
{
	static const char *const text[] = { "", "   lost", "   no link", "   twice" };

	if (p->kind == SIM_PAYLOAD) {
		payload(w, p, fate);
		return;
	}
	if (p->kind != SIM_CONTROL || fate == SIM_FATE_TWICE)
		return;
	stamp(w);
	fprintf(w->chart, "%s -> %s   ", watch_addr(w->sim, &p->src).s, watch_addr(w->sim, &p->dst).s);
	control(w, p);
	fprintf(w->chart, "%s", text[fate]);
	if (fate == SIM_FATE_SENT)
		fprintf(w->chart, "   arrives %.3f", (double)(p->at - SIM_START) / 1e9);
	fputc('\n', w->chart);
}

void chart_end(struct watch *w)
{
	for (unsigned h = 0; w->chart && h < w->sim->n_hosts; h++) {
		for (unsigned f = 0; f < SIM_FLOWS; f++)
			payload_sum(w, h, f);
	}
}

/* --- engines ------------------------------------------------------------ */

void chart_event(struct watch *w, const struct sim_host *h, const struct engine_event *ev)
{
	stamp(w);
	fprintf(w->chart, "   %c       %s: %s", 'A' + (int)h->index, watch_pair(w->sim, &ev->ulid).s,
		engine_event_name(ev->type));
	if (ev->type == ENGINE_EV_SWITCHED)
		fprintf(w->chart, " from %s to %s", watch_pair(w->sim, &ev->from).s, watch_pair(w->sim, &ev->to).s);
	if (ev->reason != ENGINE_WHY_NONE)
		fprintf(w->chart, " (%s)", engine_reason_text(ev->reason));
	fputc('\n', w->chart);
}

void chart_state(struct watch *w, const struct sim_host *h, const struct watch_context *was,
		 const struct watch_context *is)
{
	bool same = was->id == is->id;

	if (same && was->state == is->state && was->reap == is->reap && was->ct_peer == is->ct_peer &&
	    shim6_pair_eq(&was->current, &is->current))
		return;
	stamp(w);
	fprintf(w->chart, "   %c       %s: ", 'A' + (int)h->index, watch_pair(w->sim, &is->ulid).s);
	if (!same || was->state != is->state)
		fprintf(w->chart, "%s -> %s ", same ? engine_state_name(was->state) : "IDLE",
			engine_state_name(is->state));
	if (is->state == ENGINE_ESTABLISHED && (!same || was->reap != is->reap))
		fprintf(w->chart, "%s -> %s ", same ? reap_state_name(was->reap) : "", reap_state_name(is->reap));
	fprintf(w->chart, "[current %s, ct local %04llx peer %04llx]\n", watch_pair(w->sim, &is->current).s,
		(unsigned long long)is->ct_local & 0xffff, (unsigned long long)is->ct_peer & 0xffff);
}
