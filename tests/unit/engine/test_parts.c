/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's parts: SipHash, timer wheel, hash table, token buckets, validators. */
#include "common.h"

#include "engine/limits.h"
#include "engine/siphash.h"
#include "engine/timer.h"
#include "engine/validator.h"

/* E-28: the example of the SipHash paper's appendix A, and its 128-bit sibling; test_siphash.c has more */
static void e28_siphash_of_the_paper(void **state)
{
	static const uint8_t want[16] = { 0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11,
					  0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3, 0xd9 };
	struct siphash_key key;
	uint8_t data[15], got[16];

	(void)state;
	for (uint8_t i = 0; i < sizeof(key.b); i++)
		key.b[i] = i;
	for (uint8_t i = 0; i < sizeof(data); i++)
		data[i] = i;
	assert_true(siphash_64(&key, data, sizeof(data)) == UINT64_C(0xa129ca6149be45e5));
	siphash_128(&key, data, sizeof(data), got);
	assert_memory_equal(got, want, sizeof(want));
}

#define N_TIMERS 500

static uint64_t rnd(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *x >> 33;
}

/* Against a plain array: nothing early, nothing late, nothing lost, over spans from a millisecond to days. */
static void wheel_fires_each_timer_in_time(void **state)
{
	static struct timer timer[N_TIMERS];
	static uint64_t due[N_TIMERS]; /* 0: not armed */
	static struct timer_wheel w;
	uint64_t now = 12345 * SIM_SECOND, x = 1;

	(void)state;
	timer_wheel_init(&w, now);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = (unsigned)(rnd(&x) % N_TIMERS);
		struct timer *t;

		if (rnd(&x) % 4 == 0) {
			timer_cancel(&w, &timer[i]);
			due[i] = 0;
		} else {
			due[i] = now + (rnd(&x) << (rnd(&x) % 20)) % (300000 * SIM_SECOND);
			timer_arm(&w, &timer[i], due[i]);
		}
		if (rnd(&x) % 3 == 0)
			now += (rnd(&x) << (rnd(&x) % 14)) % (1000 * SIM_SECOND);
		else if (timer_next(&w) != TIMER_NEVER && timer_next(&w) > now)
			now = timer_next(&w);
		while ((t = timer_pop(&w, now)) != NULL) {
			assert_true(due[t - timer] != 0 && due[t - timer] <= now);
			due[t - timer] = 0;
		}
		for (unsigned k = 0; k < N_TIMERS; k++) {
			if (due[k]) {
				assert_true(due[k] + (UINT64_C(2) << TIMER_TICK_SHIFT) > now);
				assert_true(timer_next(&w) <= due[k] + (UINT64_C(2) << TIMER_TICK_SHIFT));
			}
		}
	}
}

struct item {
	struct hash_node node;
	unsigned key;
};

static void hash_table_finds_what_is_in_it(void **state)
{
	static struct item item[3000];
	struct hash_table t;

	(void)state;
	assert_true(hash_init(&t));
	for (unsigned i = 0; i < 3000; i++) {
		item[i].key = i;
		hash_add(&t, &item[i].node, i / 3 * UINT64_C(0x9e3779b97f4a7c15)); /* three share each hash */
	}
	for (unsigned i = 0; i < 3000; i += 3)
		hash_del(&t, &item[i].node);
	assert_int_equal(t.n, 2000);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned found = 0;

		for (struct hash_node *n = hash_first(&t, i * UINT64_C(0x9e3779b97f4a7c15)); n; n = hash_next(n)) {
			assert_int_equal(container_of(n, struct item, node)->key / 3, i);
			found++;
		}
		assert_int_equal(found, 2);
	}
	hash_free(&t);
}

/* Z-06: a second's worth at once, then the rate */
static void z06_token_bucket_keeps_the_rate(void **state)
{
	struct token_bucket b = { 0 };
	uint64_t now = 100 * SIM_SECOND;
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		taken += token_take(&b, now, 50);
	assert_int_equal(taken, 50);
	for (unsigned i = 0; i < 10000; i++, now += SIM_MS)
		taken += token_take(&b, now, 50);
	assert_in_range(taken, 549, 551);
	assert_false(token_take(&b, now + SIM_SECOND, 0));
}

static void count_up(void *user, void *buf, size_t len)
{
	memset(buf, (*(int *)user)++, len);
}

/* E-22, E-26, E-27: every input counts, domains are apart, one rotation is survived, two are not */
static void e22_validator_covers_its_inputs(void **state)
{
	struct validator v = { 0 };
	struct validator_r1 in = { .ct = 5, .has_fii = true, .fii = 9 }, other;
	struct validator_r1bis bis = { .packet_ct = 5 };
	uint8_t mac[VALIDATOR_LEN];
	int seed = 1;

	(void)state;
	validator_rotate(&v, SIM_SECOND, 100 * SIM_SECOND, count_up, &seed);
	validator_make_r1(&v, &in, 42, mac);
	assert_true(validator_check_r1(&v, &in, 42, mac, sizeof(mac)));
	assert_false(validator_check_r1(&v, &in, 43, mac, sizeof(mac)));
	assert_false(validator_check_r1(&v, &in, 42, mac, sizeof(mac) - 1));
	assert_false(validator_check_r1bis(&v, &bis, 42, mac, sizeof(mac)));
	for (size_t i = 0; i < offsetof(struct validator_r1, has_fii); i++) {
		other = in;
		((uint8_t *)&other)[i] ^= 1;
		assert_false(validator_check_r1(&v, &other, 42, mac, sizeof(mac)));
	}
	other = in;
	other.fii = 8;
	assert_false(validator_check_r1(&v, &other, 42, mac, sizeof(mac)));
	other = in;
	other.has_fii = false;
	assert_false(validator_check_r1(&v, &other, 42, mac, sizeof(mac)));
	validator_rotate(&v, 102 * SIM_SECOND, 100 * SIM_SECOND, count_up, &seed);
	assert_true(validator_check_r1(&v, &in, 42, mac, sizeof(mac)));
	validator_rotate(&v, 203 * SIM_SECOND, 100 * SIM_SECOND, count_up, &seed);
	assert_false(validator_check_r1(&v, &in, 42, mac, sizeof(mac)));
}

/* E-24, A-36: the nonce tells its age, also across the wrap of its counter */
static void e24_nonce_tells_its_age(void **state)
{
	uint64_t times[] = { 5 * SIM_SECOND, 281474976 * SIM_MS * 1000 - 3 * SIM_SECOND, 99999999 * SIM_SECOND };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint32_t nonce = validator_nonce(times[i], 0xffffffff);

		assert_true(validator_nonce_fresh(times[i], nonce, 60 * SIM_SECOND));
		assert_true(validator_nonce_fresh(times[i] + 59 * SIM_SECOND, nonce, 60 * SIM_SECOND));
		assert_false(validator_nonce_fresh(times[i] + 61 * SIM_SECOND, nonce, 60 * SIM_SECOND));
		assert_false(validator_nonce_fresh(times[i] - SIM_SECOND, nonce, 60 * SIM_SECOND));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(e28_siphash_of_the_paper),	   cmocka_unit_test(wheel_fires_each_timer_in_time),
		cmocka_unit_test(hash_table_finds_what_is_in_it),  cmocka_unit_test(z06_token_bucket_keeps_the_rate),
		cmocka_unit_test(e22_validator_covers_its_inputs), cmocka_unit_test(e24_nonce_tells_its_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
