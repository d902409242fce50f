/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common.h"

struct sim *two_hosts(uint64_t seed)
{
	struct sim *s = sim_new(seed);

	sim_add_host(s, 2, false);
	sim_add_host(s, 2, false);
	sim_start(s);
	return s;
}

struct sim *two_established(uint64_t seed)
{
	struct sim *s = two_hosts(seed);
	struct shim6_pair ulid = sim_ulids(s, 0, 0, 1, 0);

	assert_int_equal(engine_establish(A->engine, s->now, &ulid), ENGINE_OK);
	sim_run(s, SIM_SECOND);
	assert_int_equal(state_of(A, &ulid), ENGINE_ESTABLISHED);
	return s;
}

struct sim *scripted(uint64_t seed)
{
	struct sim *s = sim_new(seed);

	sim_add_host(s, 2, false);
	sim_add_host(s, 2, false);
	sim_start_host(A);
	return s;
}

struct shim6_pair reversed(const struct shim6_pair *p)
{
	return (struct shim6_pair){ .local = p->peer, .peer = p->local };
}

enum engine_state state_of(struct sim_host *h, const struct shim6_pair *ulid)
{
	struct engine_ctx_info info;

	return sim_context(h, ulid, &info) ? info.state : ENGINE_IDLE;
}

void put_hba(struct wire_builder *b, const struct sim_host *h, uint32_t generation)
{
	uint8_t method[SIM_LOCATORS];

	memset(method, WIRE_METHOD_HBA, sizeof(method));
	wire_opt_locator_list(b, generation, h->addr, method, h->n);
	wire_opt_pds(b, h->set.pds[0], h->set.pds_len);
}

void send_as(struct sim_host *to, const struct shim6_pair *pair, struct script *m)
{
	size_t len = wire_finish(&m->b);

	assert_int_not_equal(len, 0);
	sim_inject(to, &pair->local, &pair->peer, m->buf, len);
}

void decode_last(const struct sim_host *h, unsigned type, struct wire_msg *m)
{
	const struct sim_message *l = &h->last[type];
	size_t offset;

	assert_int_not_equal(l->len, 0);
	assert_int_equal(wire_decode(l->buf, l->len, m, &offset), WIRE_OK);
}

void script_i1(struct sim *s, const struct shim6_pair *pair, uint64_t ct, uint32_t nonce)
{
	struct script m;

	wire_begin_i1(&m.b, m.buf, sizeof(m.buf), ct, nonce);
	send_as(A, pair, &m);
}

void script_i2(struct script *m, const struct sim *s, uint64_t ct, uint32_t nonce)
{
	struct wire_msg r1;

	decode_last(A, WIRE_R1, &r1);
	wire_begin_i2(&m->b, m->buf, sizeof(m->buf), ct, nonce, r1.resp_nonce);
	wire_opt_validator(&m->b, r1.validator.p, r1.validator.len);
}

static const struct sim_host *owner(const struct sim *s, const struct shim6_addr *a)
{
	for (unsigned h = 0; h < s->n_hosts; h++) {
		for (unsigned i = 0; i < s->host[h].n; i++) {
			if (shim6_addr_eq(&s->host[h].addr[i], a))
				return &s->host[h];
		}
	}
	fail_msg("nobody has that address");
	return NULL;
}

uint64_t script_establish(struct sim *s, const struct shim6_pair *pair, uint64_t ct, uint32_t nonce)
{
	struct wire_msg r2;
	struct script m;

	script_i1(s, pair, ct, nonce);
	script_i2(&m, s, ct, nonce);
	put_hba(&m.b, owner(s, &pair->local), 77);
	send_as(A, pair, &m);
	decode_last(A, WIRE_R2, &r2);
	assert_int_equal(r2.init_nonce, nonce);
	return r2.tag;
}
