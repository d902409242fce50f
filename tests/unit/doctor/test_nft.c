/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rulesets as `nft -j list ruleset` tells them, and what becomes of a packet there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <json-c/json.h>

#include "doctor/nft.h"

#define CHAIN(name) "{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"" name "\"}}"
#define BASE(hook, policy)                                                                                             \
	"{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"c\",\"type\":\"filter\",\"hook\":\"" hook "\","    \
	"\"prio\":0,\"policy\":\"" policy "\"}}"
#define RULE_OF(chain, expr)                                                                                           \
	",{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"" chain "\",\"handle\":7,\"expr\":[" expr "]}}"
#define RULE(expr) RULE_OF("c", expr)
#define MATCH(op, left, right) "{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define META(key) "{\"meta\":{\"key\":\"" key "\"}}"
#define IP6(field) "{\"payload\":{\"protocol\":\"ip6\",\"field\":\"" field "\"}}"
#define CT "{\"ct\":{\"key\":\"state\"}}"
#define DROP "{\"drop\":null}"
#define ACCEPT "{\"accept\":null}"

static unsigned n_told, fates;
static int64_t handle;

static void told(void *user, const struct nft_verdict *v)
{
	(void)user;
	n_told++;
	fates |= 1u << v->fate;
	handle = v->handle;
	assert_string_equal(v->table, "t");
}

static void becomes(const char *items, unsigned wanted)
{
	struct nft_packet p = { .proto = 140, .state = "new", .ifname = "eth1", .has_dst = true };
	struct json_object *rules;
	char *text;

	assert_int_equal(inet_pton(AF_INET6, "2001:db8:a::5", p.dst.b), 1);
	assert_true(asprintf(&text, "{\"nftables\":[{\"metainfo\":{}},%s]}", items) > 0);
	rules = json_tokener_parse(text);
	if (!rules)
		fail_msg("no JSON: %s", text);
	n_told = fates = 0;
	nft_examine(rules, &p, told, NULL);
	json_object_put(rules);
	if (fates != wanted)
		fail_msg("fates %#x, not %#x: %s", fates, wanted, text);
	free(text);
}

#define PASSES 0
#define DROPPED (1u << NFT_DROPPED)
#define MAYBE (1u << NFT_MAYBE_DROPPED)
#define STRICT (1u << NFT_STRICT_PATH)
#define TRANSLATED (1u << NFT_TRANSLATED)

static void test_policies_and_hooks(void **state)
{
	(void)state;
	becomes(BASE("input", "accept"), PASSES);
	becomes(BASE("input", "drop"), DROPPED);
	assert_int_equal(handle, 0);
	becomes(BASE("prerouting", "drop"), DROPPED);
	becomes(BASE("output", "drop"), PASSES);
	becomes(BASE("forward", "drop"), PASSES);
	becomes(CHAIN("c") RULE(DROP), PASSES); /* no base chain */
	becomes(BASE("input", "drop") RULE(ACCEPT), PASSES);
	becomes(BASE("input", "accept") RULE(DROP), DROPPED);
	assert_int_equal(handle, 7);
}

static void test_comparisons(void **state)
{
	(void)state;
	becomes(BASE("input", "accept") RULE(MATCH("==", META("l4proto"), "140") "," DROP), DROPPED);
	becomes(BASE("input", "accept") RULE(MATCH("==", META("l4proto"), "\"tcp\"") "," DROP), PASSES);
	becomes(BASE("input", "accept") RULE(MATCH("!=", META("l4proto"), "\"tcp\"") "," DROP), DROPPED);
	becomes(BASE("input", "accept")
			RULE(MATCH("==", IP6("nexthdr"), "{\"set\":[6,17,{\"range\":[139,141]}]}") "," DROP),
		DROPPED);
	becomes(BASE("input", "accept") RULE(MATCH("==", META("iifname"), "\"eth*\"") "," DROP), DROPPED);
	becomes(BASE("input", "accept") RULE(MATCH("==", META("iif"), "\"lo\"") "," DROP), PASSES);
	becomes(BASE("input", "accept") RULE(MATCH("==", META("oifname"), "\"lo\"") "," DROP), MAYBE);
	becomes(BASE("input", "accept")
			RULE(MATCH("==", IP6("daddr"), "{\"prefix\":{\"addr\":\"2001:db8:a::\",\"len\":48}}") "," DROP),
		DROPPED);
	becomes(BASE("input", "accept")
			RULE(MATCH("==", IP6("daddr"), "{\"prefix\":{\"addr\":\"2001:db8:b::\",\"len\":48}}") "," DROP),
		PASSES);
	becomes(BASE("input", "accept")
			RULE(MATCH("==", IP6("daddr"), "{\"range\":[\"2001:db8:a::\",\"2001:db8:a::9\"]}") "," DROP),
		DROPPED);
	becomes(BASE("input", "accept") RULE(MATCH("==", IP6("saddr"), "\"2001:db8::1\"") "," DROP), MAYBE);
	becomes(BASE("input", "accept") RULE(MATCH("in", CT, "[\"invalid\",\"new\"]") "," DROP), DROPPED);
	becomes(BASE("input", "drop") RULE(MATCH("in", CT, "[\"established\",\"related\"]") "," ACCEPT), DROPPED);
	becomes(BASE("input", "accept") RULE(MATCH("==", "{\"numgen\":{}}", "1") "," DROP), MAYBE);
}

/* What was perhaps accepted before is only perhaps dropped. */
static void test_maybe(void **state)
{
	(void)state;
	becomes(BASE("input", "drop") RULE(MATCH("==", IP6("saddr"), "\"2001:db8::1\"") "," ACCEPT), MAYBE);
	becomes(BASE("input", "accept") RULE("{\"limit\":{\"rate\":5}}," ACCEPT) RULE(DROP), MAYBE);
	becomes(BASE("input", "accept") RULE("{\"xt\":null}," DROP), MAYBE);
}

#define SET(elements) "{\"set\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"s\",\"elem\":" elements "}},"

static void test_sets_and_maps(void **state)
{
	(void)state;
	becomes(SET("[6,140]") BASE("input", "accept") RULE(MATCH("==", META("l4proto"), "\"@s\"") "," DROP), DROPPED);
	becomes(SET("[6,{\"elem\":{\"val\":17}}]") BASE("input", "accept")
			RULE(MATCH("==", META("l4proto"), "\"@s\"") "," DROP),
		PASSES);
	becomes(BASE("input", "accept") RULE(MATCH("==", META("l4proto"), "\"@s\"") "," DROP), MAYBE);
	becomes(BASE("input", "drop") RULE("{\"vmap\":{\"key\":" CT ",\"data\":{\"set\":[[\"established\"," ACCEPT
					   "],[\"new\"," ACCEPT "]]}}}"),
		PASSES);
	becomes(BASE("input", "accept") RULE("{\"vmap\":{\"key\":" CT ",\"data\":{\"set\":[[\"new\"," DROP "]]}}}"),
		DROPPED);
}

#define JUMP(kind, to) "{\"" kind "\":{\"target\":\"" to "\"}}"

static void test_jumps(void **state)
{
	(void)state;
	becomes(BASE("input", "accept") "," CHAIN("x") RULE(JUMP("jump", "x")) RULE_OF("x", DROP), DROPPED);
	becomes(BASE("input", "drop") "," CHAIN("x") RULE(JUMP("jump", "x")) RULE_OF("x", ACCEPT), PASSES);
	becomes(BASE("input", "accept") "," CHAIN("x") RULE(JUMP("jump", "x")) RULE(DROP)
			RULE_OF("x", "{\"return\":null}") RULE_OF("x", ACCEPT),
		DROPPED);
	/* goto does not come back: the policy decides */
	becomes(BASE("input", "accept") "," CHAIN("x") RULE(JUMP("goto", "x")) RULE(DROP), PASSES);
	becomes(BASE("input", "drop") "," CHAIN("x") RULE(JUMP("goto", "x")) RULE(ACCEPT), DROPPED);
	becomes(BASE("input", "drop") "," CHAIN("x") RULE(MATCH("==", IP6("saddr"), "\"::1\"") "," JUMP("jump", "x"))
			RULE_OF("x", ACCEPT),
		MAYBE);
	/* a circle, which the kernel would not take */
	becomes(BASE("input", "accept") "," CHAIN("x") RULE(JUMP("jump", "x")) RULE_OF("x", JUMP("jump", "x")), PASSES);
}

#define FIB(flags) "{\"fib\":{\"result\":\"oif\",\"flags\":" flags "}}"

static void test_path_and_translation(void **state)
{
	(void)state;
	becomes(BASE("prerouting", "accept")
			RULE(MATCH("==", FIB("[\"saddr\",\"iif\"]"), "false") ",{\"counter\":{}}," DROP),
		STRICT);
	becomes(BASE("prerouting", "accept") RULE(MATCH("==", FIB("[\"saddr\",\"mark\",\"iif\"]"), "false") "," DROP),
		STRICT);
	becomes(BASE("prerouting", "accept") RULE(MATCH("==", FIB("[\"saddr\"]"), "false") "," DROP), MAYBE);
	becomes(BASE("prerouting", "accept") RULE(MATCH("==", META("l4proto"), "6") "," MATCH(
			"==", FIB("[\"saddr\",\"iif\"]"), "false") "," DROP),
		PASSES);
	becomes(BASE("prerouting", "accept") RULE("{\"dnat\":{\"addr\":\"::1\"}}"), TRANSLATED);
	becomes(BASE("prerouting", "accept")
			RULE(MATCH("==", META("l4proto"), "\"tcp\"") ",{\"dnat\":{\"addr\":\"::1\"}}"),
		PASSES);
	becomes(BASE("prerouting", "accept") RULE("{\"xt\":{\"type\":\"target\",\"name\":\"DNPT\"}}"), TRANSLATED);
}

/* No ruleset at all, and members of other types than nft gives them. */
static void test_nonsense(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"nftables\":5}",
		"{\"nftables\":[5,null,\"x\",[]]}",
		"{\"nftables\":[{\"chain\":{\"hook\":\"input\",\"family\":\"inet\",\"name\":5}},{\"rule\":{\"expr\":7}}"
		"]}",
		"{\"nftables\":[{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"c\",\"hook\":\"input\"}},"
		"{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"c\",\"expr\":[null,3,{\"match\":5},{"
		"\"match\":{}},"
		"{\"vmap\":{\"key\":{},\"data\":{\"set\":[1,[],[null,null]]}}},{\"jump\":7},{\"xt\":4},"
		"{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"ip6\",\"field\":\"daddr\"}},\"right\":"
		"{\"prefix\":1}}},"
		"{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"ip6\",\"field\":\"daddr\"}},\"right\":"
		"{\"range\":1}}},"
		"{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"l4proto\"}},\"right\":{\"range\":[]}}}]}}]}",
	};
	const struct nft_packet p = { .proto = 140, .state = "new", .has_dst = true };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_object *o = json_tokener_parse(texts[i]);

		assert_non_null(o);
		n_told = 0;
		nft_examine(o, &p, told, NULL);
		assert_int_equal(n_told, 0);
		json_object_put(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies_and_hooks),
		cmocka_unit_test(test_comparisons),
		cmocka_unit_test(test_maybe),
		cmocka_unit_test(test_sets_and_maps),
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_path_and_translation),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
