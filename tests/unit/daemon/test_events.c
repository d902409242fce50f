/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "daemon/events.h"
#include "daemon/text.h"

static struct shim6_addr addr(const char *s)
{
	struct shim6_addr a;

	assert_true(text_parse_addr(s, &a));
	return a;
}

static struct engine_event event(enum engine_event_type type, enum engine_reason reason)
{
	struct shim6_pair ulid = { .local = addr("2001:db8:a:1::1"), .peer = addr("2001:db8:b:1::1") };

	return (struct engine_event){ .type = type, .reason = reason, .id = 7, .ulid = ulid, .from = ulid, .to = ulid };
}

static void says(const struct engine_event *ev, const char *expected)
{
	char text[EVENTS_TEXT_MAX];

	events_text(ev, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void test_begin_and_end(void **state)
{
	struct engine_event ev = event(ENGINE_EV_ESTABLISHED, ENGINE_WHY_PEER);

	(void)state;
	says(&ev, "context 7 2001:db8:a:1::1 -> 2001:db8:b:1::1: established (the peer asked)");
	ev.type = ENGINE_EV_GONE;
	ev.reason = ENGINE_WHY_IDLE;
	ev.fii = 3;
	says(&ev, "context 7 (fork 3) 2001:db8:a:1::1 -> 2001:db8:b:1::1: removed (idle)");
}

/* PI-12 */
static void test_switches(void **state)
{
	struct engine_event ev = event(ENGINE_EV_SWITCHED, ENGINE_WHY_SEND_TIMEOUT);

	(void)state;
	ev.to.local = addr("2001:db8:a:2::1");
	ev.elapsed = 482000000;
	ev.probes = 3;
	ev.silence = UINT64_C(15100000000);
	says(&ev,
	     "context 7 with 2001:db8:b:1::1: now sends from 2001:db8:a:2::1, no longer from 2001:db8:a:1::1, "
	     "found in 482 ms with 3 probes (noticed here: nothing heard for the Send Timeout, silent for 15.1 s)");
	ev.to.peer = addr("2001:db8:b:2::1");
	ev.silence = 1;
	ev.probes = 1;
	ev.reason = ENGINE_WHY_PEER_BROKEN;
	says(&ev, "context 7 with 2001:db8:b:1::1: now sends from 2001:db8:a:2::1 to 2001:db8:b:2::1, no longer from "
		  "2001:db8:a:1::1 to 2001:db8:b:1::1, found in 482 ms with 1 probe (the peer noticed: the peer's "
		  "locator is broken or gone)");
	ev.from = ev.to;
	ev.to = ev.ulid;
	ev.from.peer = ev.ulid.peer;
	says(&ev,
	     "context 7 with 2001:db8:b:1::1: back on its own addresses, sends from 2001:db8:a:1::1, no longer from "
	     "2001:db8:a:2::1, found in 482 ms with 1 probe (the peer noticed: the peer's locator is broken or "
	     "gone)");
}

/* Whatever the engine tells: something in each line, and no empty brackets. */
static void test_all(void **state)
{
	char text[EVENTS_TEXT_MAX], small[40];

	(void)state;
	for (int type = ENGINE_EV_NEW; type <= ENGINE_EV_GONE; type++) {
		for (int reason = ENGINE_WHY_NONE; reason <= ENGINE_WHY_SHUTDOWN; reason++) {
			struct engine_event ev = event((enum engine_event_type)type, (enum engine_reason)reason);

			/* The engine gives no reason but with changes of our own locators. */
			if (reason == ENGINE_WHY_NONE && type != ENGINE_EV_LOCATORS)
				continue;
			events_text(&ev, text, sizeof(text));
			assert_null(strstr(text, "()"));
			assert_true(strlen(text) > strlen("context 7 with 2001:db8:b:1::1: "));
			events_text(&ev, small, sizeof(small));
			assert_int_equal(strlen(small), sizeof(small) - 1);
			assert_memory_equal(small, text, sizeof(small) - 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begin_and_end),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
