/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control client against a daemon that answers well, badly, late, or not at all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "control/control.h"
#include "fake_daemon.h"

static const struct fake_answer answers[] = {
	{ "status", "{\"v\":1,\"ok\":true,\"result\":{\"pid\":7}}\n", false },
	{ "events",
	  "{\"v\":1,\"ok\":true,\"result\":null}\n{\"v\":1,\"event\":{\"seq\":1}}\n{\"v\":1,\"event\":{\"seq\":2}}\n",
	  false },
	{ "late", "{\"v\":1,\"event\":{\"seq\":3}}\n{\"v\":1,\"ok\":true,\"result\":4}\n", false },
	{ "garbage", "this is no JSON\n{\"v\":1,\"ok\":true}\n", false },
	{ "array", "[1,2]\n", false },
	{ "two", "{\"v\":1} {\"v\":1}\n", false },
	{ "empty", "\n", false },
	{ "half", "{\"v\":1,\"ok\":tr", true },
	{ "silence", NULL, false },
	{ "gone", NULL, true },
	{ NULL, NULL, false },
};

static struct fake_daemon *fake;

static struct control_client *open_client(void)
{
	struct control_client *c;

	assert_int_equal(control_connect(&c, fake_daemon_path(fake)), 0);
	assert_true(control_fd(c) >= 0);
	return c;
}

static void call_and_reply(void **state)
{
	struct control_client *c = open_client();
	struct json_object *reply, *args, *result;

	(void)state;
	for (int i = 0; i < 3; i++) { /* one connection serves many calls */
		args = json_object_new_object();
		json_object_object_add(args, "file", json_object_new_string("/a/b\n"));
		assert_int_equal(control_call(c, "status", args, &reply, 5000), 0);
		json_object_object_get_ex(reply, "result", &result);
		json_object_object_get_ex(result, "pid", &result);
		assert_int_equal(json_object_get_int(result), 7);
		json_object_put(reply);
	}
	assert_string_equal(fake_daemon_request(fake), "{\"v\":1,\"op\":\"status\",\"args\":{\"file\":\"/a/b\\n\"}}");
	assert_int_equal(control_call(c, "status", NULL, &reply, 5000), 0);
	json_object_put(reply);
	assert_string_equal(fake_daemon_request(fake), "{\"v\":1,\"op\":\"status\"}");
	control_close(c);
}

static void events_and_calls_between(void **state)
{
	struct control_client *c = open_client();
	struct json_object *o, *event;

	(void)state;
	assert_int_equal(control_call(c, "events", NULL, &o, 5000), 0);
	json_object_put(o);
	assert_int_equal(control_read(c, &o, 5000), 0);
	assert_true(json_object_object_get_ex(o, "event", &event));
	json_object_put(o);
	/* event 2 and 3 come before the reply */
	assert_int_equal(control_call(c, "late", NULL, &o, 5000), 0);
	json_object_object_get_ex(o, "result", &event);
	assert_int_equal(json_object_get_int(event), 4);
	json_object_put(o);
	assert_int_equal(control_read(c, &o, 10), -ETIMEDOUT);
	assert_null(o);
	control_close(c);
}

static void bad_replies(void **state)
{
	static const char *const ops[] = { "garbage", "array", "two", "empty" };
	struct control_client *c = open_client();
	struct json_object *reply;

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		assert_int_equal(control_call(c, ops[i], NULL, &reply, 5000), -EBADMSG);
		assert_null(reply);
		if (i == 0) { /* a bad line is consumed; the next one is read */
			assert_int_equal(control_read(c, &reply, 5000), 0);
			json_object_put(reply);
		}
	}
	control_close(c);
}

static void no_replies(void **state)
{
	struct control_client *c = open_client();
	struct json_object *reply;

	(void)state;
	assert_int_equal(control_call(c, "silence", NULL, &reply, 50), -ETIMEDOUT);
	assert_int_equal(control_call(c, "half", NULL, &reply, 5000), -EPIPE);
	control_close(c);
	c = open_client();
	assert_int_equal(control_call(c, "gone", NULL, &reply, 5000), -EPIPE);
	assert_null(reply);
	/* the connection stays lost, without a signal */
	assert_true(control_call(c, "status", NULL, &reply, 5000) < 0);
	control_close(c);
}

static void request_too_long(void **state)
{
	struct control_client *c = open_client();
	struct json_object *args = json_object_new_object(), *reply;
	char *long_text = malloc(CONTROL_LINE_MAX + 1);

	(void)state;
	assert_non_null(long_text);
	memset(long_text, 'a', CONTROL_LINE_MAX);
	long_text[CONTROL_LINE_MAX] = '\0';
	json_object_object_add(args, "file", json_object_new_string(long_text));
	assert_int_equal(control_call(c, "status", args, &reply, 5000), -EMSGSIZE);
	assert_int_equal(control_call(c, "status", NULL, &reply, 5000), 0); /* nothing of it was sent */
	json_object_put(reply);
	control_close(c);
	free(long_text);
}

/* Longer than any first buffer, in pieces. */
static void long_reply(void **state)
{
	struct control_client *c;
	struct json_object *reply, *result;
	struct fake_answer big[2] = { { "big", NULL, false }, { NULL, NULL, false } };
	static const char head[] = "{\"v\":1,\"ok\":true,\"result\":\"";
	size_t n = 3u << 20, len = strlen(head);
	char *text = malloc(n + 64);
	struct fake_daemon *d;

	(void)state;
	assert_non_null(text);
	memcpy(text, head, len);
	memset(text + len, 'x', n);
	strcpy(text + len + n, "\"}\n");
	big[0].text = text;
	d = fake_daemon_start(big);
	assert_int_equal(control_connect(&c, fake_daemon_path(d)), 0);
	assert_int_equal(control_call(c, "big", NULL, &reply, 10000), 0);
	json_object_object_get_ex(reply, "result", &result);
	assert_int_equal(json_object_get_string_len(result), n);
	json_object_put(reply);
	control_close(c);
	fake_daemon_stop(d);
	free(text);
}

static void nobody_there(void **state)
{
	struct control_client *c = (struct control_client *)state;
	char path[200];

	assert_int_equal(control_connect(&c, "/nonexistent/shim6.sock"), -ENOENT);
	assert_null(c);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(control_connect(&c, path), -ENAMETOOLONG);
	control_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_and_reply),   cmocka_unit_test(events_and_calls_between),
		cmocka_unit_test(bad_replies),	    cmocka_unit_test(no_replies),
		cmocka_unit_test(request_too_long), cmocka_unit_test(long_reply),
		cmocka_unit_test(nobody_there),
	};
	int failed;

	fake = fake_daemon_start(answers);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_daemon_stop(fake);
	return failed;
}
