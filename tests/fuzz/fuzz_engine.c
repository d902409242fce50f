/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target for the engine. The input is a script: control messages
 * (raw, or built with tags, nonces and validators that the engine has just
 * used), ICMPv6 errors, payload, local address changes, restarts, and time. The
 * other end is a second engine or the script alone. Afterwards nothing may leak,
 * and all that the network can grow must be within its bounds.
 */
#include <stdlib.h>

#include "../sim/harness.h"
#include "engine/internal.h"

#define MAX_CONTEXTS 40
#define MAX_NEGATIVE 10
#define MAX_STEPS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left;
};

static unsigned byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static uint32_t word(struct input *in)
{
	return (uint32_t)byte(in) << 24 | byte(in) << 16 | byte(in) << 8 | byte(in);
}

/* A's tag, B's tag, or any */
static uint64_t some_tag(struct sim *s, struct input *in)
{
	const struct context *c = s->host[0].engine->contexts.newest;

	switch (byte(in) % 4) {
	case 0:
		return c ? c->ct_local : 1;
	case 1:
		return c ? c->ct_peer : 2;
	default:
		return byte(in);
	}
}

static uint32_t some_nonce(struct sim *s, struct input *in)
{
	const struct context *c = s->host[0].engine->contexts.newest;

	switch (byte(in) % 4) {
	case 0:
		return c && c->handshake ? c->handshake->init_nonce : 1;
	case 1:
		return c && c->update ? c->update->nonce : 2;
	default:
		return byte(in);
	}
}

static bool last_message(const struct sim *s, unsigned type, struct wire_msg *m)
{
	const struct sim_message *l = &s->host[0].last[type];
	size_t offset;

	return l->len && wire_decode(l->buf, l->len, m, &offset) == WIRE_OK;
}

/* The peer's locators in order, or any selection: twice the same, ours among them */
static void put_list(struct sim *s, struct wire_builder *b, const uint8_t *method, struct input *in)
{
	struct shim6_addr l[SIM_LOCATORS];
	unsigned how = byte(in), n = 1 + how % 4;

	for (unsigned i = 0; i < n; i++)
		l[i] = how & 128 ? s->host[byte(in) % 8 ? 1 : 0].addr[byte(in) & 1] : s->host[1].addr[i & 1];
	wire_opt_locator_list(b, byte(in) & 3, l, method, n);
}

static void put_options(struct sim *s, struct wire_builder *b, struct input *in)
{
	unsigned which = byte(in);
	uint8_t method[SIM_LOCATORS] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	struct wire_pref pref[4];

	if (which & 1)
		wire_opt_ulid_pair(b, &s->host[1].addr[byte(in) & 1], &s->host[0].addr[byte(in) & 1]);
	if (which & 2)
		wire_opt_fii(b, byte(in) & 3);
	if (which & 4) {
		if (which & 128)
			method[byte(in) % 8] = (uint8_t)byte(in);
		put_list(s, b, method, in);
	}
	if (which & 8)
		wire_opt_pds(b, s->host[1].set.pds[0], s->host[1].set.pds_len);
	if (which & 16) {
		for (unsigned i = 0; i < 4; i++)
			pref[i] = (struct wire_pref){ (uint8_t)byte(in), (uint8_t)byte(in), 0 };
		wire_opt_preferences(b, byte(in) & 3, pref, 1 + byte(in) % 4, 1 + byte(in) % 3);
	}
	if (which & 32)
		wire_opt_keepalive_timeout(b, (uint16_t)byte(in));
	if (which & 64)
		wire_opt_signature(b, method, sizeof(method));
}

static void put_validator(struct sim *s, struct wire_builder *b, unsigned from, struct input *in)
{
	struct wire_msg m;
	uint8_t any[20] = { 0 };

	if (from && last_message(s, from, &m))
		wire_opt_validator(b, m.validator.p, m.validator.len);
	else
		wire_opt_validator(b, any, byte(in) % sizeof(any));
}

static void begin_probe(struct sim *s, struct wire_builder *b, uint8_t *buf, size_t cap, struct input *in)
{
	struct wire_record sent = { .src = s->host[1].addr[0], .dst = s->host[0].addr[0], .nonce = word(in) }, got[2];
	unsigned n = 0;
	struct wire_msg m;

	if (last_message(s, WIRE_PROBE, &m)) {
		wire_record_get(&m, 0, &got[n++]);
		if (m.n_sent > 1)
			wire_record_get(&m, 1, &got[n++]);
	}
	wire_begin_probe(b, buf, cap, some_tag(s, in), (enum wire_sta)(byte(in) % 3), &sent, 1, got, n);
}

static size_t build(struct sim *s, uint8_t *buf, size_t cap, struct input *in)
{
	struct wire_builder b;
	struct wire_msg m = { 0 };

	switch (byte(in) % 10) {
	case 0:
		wire_begin_i1(&b, buf, cap, some_tag(s, in), word(in));
		break;
	case 1:
		wire_begin_r1(&b, buf, cap, some_nonce(s, in), word(in));
		put_validator(s, &b, 0, in);
		break;
	case 2:
		last_message(s, WIRE_R1, &m);
		wire_begin_i2(&b, buf, cap, some_tag(s, in), word(in), m.resp_nonce);
		put_validator(s, &b, WIRE_R1, in);
		break;
	case 3:
		wire_begin_r2(&b, buf, cap, some_tag(s, in), some_nonce(s, in));
		break;
	case 4:
		wire_begin_r1bis(&b, buf, cap, some_tag(s, in), word(in));
		put_validator(s, &b, 0, in);
		break;
	case 5:
		last_message(s, WIRE_R1BIS, &m);
		wire_begin_i2bis(&b, buf, cap, some_tag(s, in), word(in), m.resp_nonce, m.tag);
		put_validator(s, &b, WIRE_R1BIS, in);
		break;
	case 6:
		wire_begin_update_request(&b, buf, cap, some_tag(s, in), word(in));
		break;
	case 7:
		wire_begin_update_ack(&b, buf, cap, some_tag(s, in), some_nonce(s, in));
		break;
	case 8:
		wire_begin_keepalive(&b, buf, cap, some_tag(s, in));
		break;
	default:
		begin_probe(s, &b, buf, cap, in);
		break;
	}
	put_options(s, &b, in);
	return wire_finish(&b);
}

/* Flip octets and mend the checksum, so that the change gets past it. */
static void damage(uint8_t *buf, size_t len, struct input *in)
{
	uint16_t c;

	for (unsigned n = byte(in) % 4; n; n--)
		buf[word(in) % len] ^= (uint8_t)byte(in);
	buf[4] = buf[5] = 0;
	c = wire_checksum(buf, len);
	buf[4] = (uint8_t)(c >> 8);
	buf[5] = (uint8_t)c;
}

static void control(struct sim *s, struct input *in, bool raw)
{
	uint8_t buf[WIRE_MAX_MSG];
	struct shim6_addr src = s->host[1].addr[byte(in) & 1];
	size_t len;

	if (byte(in) == 1)
		src.b[byte(in) % 16] ^= 1;
	if (raw) {
		for (len = 0; len < 8 + byte(in) % 64 * 8u; len++)
			buf[len] = (uint8_t)byte(in);
		buf[1] = (uint8_t)(len / 8 - 1);
	} else {
		len = build(s, buf, sizeof(buf), in);
	}
	if (!len)
		return;
	if (raw || byte(in) & 1)
		damage(buf, len, in);
	sim_inject(&s->host[0], &src, &s->host[0].addr[byte(in) & 1], buf, len);
}

/* An ICMPv6 error or a Shim6 Error that quotes something A sent */
static void quoting(struct sim *s, struct input *in, bool icmp)
{
	const struct sim_message *l = &s->host[0].last[byte(in) % SIM_PEER_MAX];
	uint8_t quote[40 + WIRE_MAX_PACKET] = { 0x60, [6] = WIRE_PROTO }, buf[WIRE_MAX_MSG];
	struct wire_builder b;
	size_t len;

	memcpy(quote + 8, &l->src, 16);
	memcpy(quote + 24, &l->dst, 16);
	memcpy(quote + 40, l->buf, l->len);
	len = 40 + l->len;
	if (byte(in) & 1)
		quote[byte(in) % len] ^= (uint8_t)byte(in);
	if (byte(in) & 1)
		len = word(in) % (len + 1);
	if (icmp) {
		engine_input_icmp(s->host[0].engine, s->now, (uint8_t)(1 + byte(in) % 4), (uint8_t)(byte(in) % 7), 6,
				  quote, len);
		return;
	}
	wire_begin_error(&b, buf, sizeof(buf), (uint8_t)(byte(in) % 6), 0, quote, len);
	len = wire_finish(&b);
	if (len)
		sim_inject(&s->host[0], &s->host[1].addr[0], &s->host[0].addr[0], buf, len);
}

/* A context as it was saved, with some octets changed, after the engine forgot it */
static void restore(struct sim *s, struct input *in)
{
	const struct context *c = s->host[0].engine->contexts.oldest;
	uint8_t saved[ENGINE_SAVED_MAX];
	int len = c ? engine_save(s->host[0].engine, c->id, saved, sizeof(saved)) : 0;

	if (len <= 0)
		return;
	for (unsigned n = byte(in) % 4; n; n--)
		saved[word(in) % (unsigned)len] ^= (uint8_t)byte(in);
	if (byte(in) & 1)
		engine_drop(s->host[0].engine, s->now, c->id);
	else
		sim_amnesia(&s->host[0]);
	engine_restore(s->host[0].engine, s->now, saved, byte(in) & 1 ? (size_t)len : word(in) % (unsigned)len);
}

static void reconfigure(struct sim *s, struct input *in)
{
	s->config.reap.send_timeout = (10 + byte(in) % 20) * SIM_SECOND;
	engine_reconfigure(s->host[0].engine, s->now, &s->config);
}

static void step(struct sim *s, struct input *in)
{
	struct sim_host *a = &s->host[0];
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);
	unsigned i;

	switch (byte(in) % 18) {
	case 0:
		sim_run(s, (uint64_t)(byte(in) + 1) * 10 * SIM_MS);
		break;
	case 1:
		sim_run(s, (uint64_t)byte(in) * SIM_SECOND);
		break;
	case 2:
		ulid.peer.b[15] ^= (uint8_t)(byte(in) & 3);
		engine_trigger(a->engine, s->now, &ulid);
		break;
	case 3:
		control(s, in, true);
		break;
	case 4:
		quoting(s, in, true);
		break;
	case 5:
		quoting(s, in, false);
		break;
	case 6:
		engine_input_unknown_tag(a->engine, s->now, &s->host[1].addr[1], &a->addr[1], some_tag(s, in));
		break;
	case 7:
		i = byte(in);
		a->down[i & 1] = i & 2;
		a->assigned[i & 1] = i & 12;
		sim_set_local(a);
		break;
	case 8:
		sim_payload(&s->host[byte(in) & 1], &ulid, UINT32_MAX);
		break;
	case 9:
		sim_restart(a);
		break;
	case 10:
		i = byte(in);
		sim_cut_locator(s, 1, i & 1, i & 2);
		break;
	case 11:
		engine_hint(a->engine, s->now, byte(in) & 3);
		engine_explore(a->engine, s->now, byte(in) & 3, NULL);
		break;
	case 12:
		restore(s, in);
		break;
	case 13:
		a->refuse_flags = byte(in) & 7;
		break;
	case 14:
		reconfigure(s, in);
		break;
	default:
		control(s, in, false);
		break;
	}
}

static void check(const struct engine *e)
{
	unsigned n = 0;

	for (const struct context *c = e->contexts.oldest; c; c = c->newer, n++) {
		if (context_by_id(e, c->id) != c || context_by_tag(e, c->ct_local) != c ||
		    context_by_ulid(e, &c->ulid, c->fii) != c || context_by_slot(e, c->slot) != c)
			abort();
		if (c->state == ENGINE_ESTABLISHED ? c->handshake != NULL : c->handshake == NULL)
			abort();
		if (!timer_armed(&c->timer))
			abort();
	}
	if (n != e->contexts.n || n > MAX_CONTEXTS || e->negative.n > MAX_NEGATIVE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .p = data, .left = size };
	struct sim *s = sim_new(1);

	sim_add_host(s, 2, false);
	sim_add_host(s, 2, false);
	s->config.max_contexts = MAX_CONTEXTS;
	s->config.max_negative = MAX_NEGATIVE;
	sim_start_host(&s->host[0]);
	if (byte(&in) & 1)
		sim_start_host(&s->host[1]);
	for (unsigned i = 0; in.left && i < MAX_STEPS; i++) {
		step(s, &in);
		check(s->host[0].engine);
	}
	sim_free(s);
	return 0;
}
