/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to the daemon, and what becomes of answers and of their absence: the exit codes of the command. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_TIMEOUT_MS 10000

const char *ask_socket(const struct cli *c)
{
	return c->socket_path ? c->socket_path : CONTROL_DEFAULT_DIR "/" CONTROL_SOCKET;
}

int ask_try(struct cli *c, struct control_client **client)
{
	return control_connect(client, ask_socket(c));
}

int ask_connect(struct cli *c, struct control_client **client)
{
	int err = ask_try(c, client);
	const char *hint = "is shim6d running?";

	if (!err)
		return CLI_OK;
	if (err == -EACCES || err == -EPERM)
		hint = "be root, or in the group that the configuration names";
	else if (err == -ENAMETOOLONG)
		hint = "choose a shorter path";
	return complain(c, CLI_UNREACHABLE, hint, "cannot reach the daemon at %s: %s", ask_socket(c), strerror(-err));
}

static int lost(struct cli *c, int err)
{
	switch (-err) {
	case ETIMEDOUT:
		return complain(c, CLI_FAILED, "its log may say why", "the daemon did not answer in %d s",
				REPLY_TIMEOUT_MS / 1000);
	case EPIPE:
		return complain(c, CLI_FAILED, "its log may say why", "the daemon closed the connection");
	case EBADMSG:
		return complain(c, CLI_FAILED, "is it really shim6d that listens at the socket?",
				"the answer of the daemon is no JSON object");
	default:
		return complain(c, CLI_FAILED, NULL, "no answer from the daemon: %s", strerror(-err));
	}
}

/* The reply's own verdict. */
static int judge(struct cli *c, struct json_object *reply)
{
	struct json_object *error = js_get(reply, "error");
	const char *message = js_text(error, "message");
	const char *hint = js_text(error, "hint");

	if (js_number(reply, "v") != CONTROL_VERSION)
		return complain(c, CLI_FAILED, "shim6 and shim6d are of different versions",
				"the daemon speaks version %.0f of the control protocol, not %d", js_number(reply, "v"),
				CONTROL_VERSION);
	if (js_bool(reply, "ok"))
		return CLI_OK;
	return complain(c, CLI_FAILED, *hint ? hint : NULL, "%s",
			*message ? message : "the daemon refused and gave no reason");
}

static int ask_page(struct cli *c, struct control_client *client, const char *op, struct json_object *args,
		    struct json_object **result, struct json_object **more)
{
	bool slow = c->verb && (c->verb->flags & VERB_SLOW);
	struct json_object *reply;
	int err = slow ? call_with_progress(c, client, op, args, &reply)
		       : control_call(client, op, args, &reply, REPLY_TIMEOUT_MS);
	int code;

	*result = *more = NULL;
	if (err)
		return lost(c, err);
	code = judge(c, reply);
	if (code == CLI_OK) {
		*result = json_object_get(js_get(reply, "result"));
		*more = json_object_get(js_get(reply, "more"));
	}
	json_object_put(reply);
	return code;
}

static void append(struct json_object *list, struct json_object *page)
{
	for (size_t i = 0; i < js_length(page); i++)
		json_object_array_add(list, json_object_get(json_object_array_get_idx(page, i)));
}

/* A long list of contexts comes in pages: "more" is the id to go on after. */
int ask_some(struct cli *c, struct control_client *client, const char *op, struct json_object *args, size_t max,
	     struct json_object **result)
{
	struct json_object *more, *page;
	int code = ask_page(c, client, op, args, result, &more);

	while (code == CLI_OK && json_object_is_type(*result, json_type_array) &&
	       json_object_is_type(more, json_type_int) && js_length(*result) < max) {
		args = json_object_new_object();
		json_object_object_add(args, "after", more);
		code = ask_page(c, client, op, args, &page, &more);
		if (code == CLI_OK) {
			append(*result, page);
			json_object_put(page);
		}
	}
	json_object_put(more);
	if (code == CLI_OK && js_length(*result) > max)
		json_object_array_del_idx(*result, max, js_length(*result) - max);
	if (code != CLI_OK) {
		json_object_put(*result);
		*result = NULL;
	}
	return code;
}

int ask_on(struct cli *c, struct control_client *client, const char *op, struct json_object *args,
	   struct json_object **result)
{
	return ask_some(c, client, op, args, SIZE_MAX, result);
}

int ask(struct cli *c, const char *op, struct json_object *args, struct json_object **result)
{
	struct control_client *client;
	int code = ask_connect(c, &client);

	*result = NULL;
	if (code != CLI_OK) {
		json_object_put(args);
		return code;
	}
	code = ask_on(c, client, op, args, result);
	control_close(client);
	return code;
}

void print_json(struct cli *c, struct json_object *o)
{
	const char *s = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
								  JSON_C_TO_STRING_NOSLASHESCAPE);

	fprintf(c->out.f, "%s\n", s ? s : "null");
}

int ask_verb(struct cli *c, struct control_client *client)
{
	struct json_object *args = json_object_new_object(), *result;
	int code;

	if (c->verb->arguments && !c->verb->arguments(c, args)) {
		json_object_put(args);
		return CLI_USAGE;
	}
	if (client)
		code = ask_on(c, client, c->verb->op, args, &result);
	else
		code = ask(c, c->verb->op, args, &result);
	if (code != CLI_OK)
		return code;
	if (c->json)
		print_json(c, result);
	else if (c->verb->show)
		c->verb->show(&c->out, result);
	json_object_put(result);
	return CLI_OK;
}

static void take_event(struct cli *c, struct json_object *line)
{
	struct json_object *event = js_get(line, "event");

	if (event && c->json) /* one a line, for programs that read along */
		fprintf(c->out.f, "%s\n",
			json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (event)
		show_event(&c->out, event);
	else if (js_get(line, "overflow"))
		complain(c, CLI_OK, NULL, "%.0f events missed, read too slowly", js_number(line, "overflow"));
	fflush(c->out.f);
}

int ask_events(struct cli *c)
{
	struct json_object *line;
	struct control_client *client;
	struct json_object *args = NULL;
	unsigned long since;
	int code, err;

	if (c->since) {
		if (!number_from_to(c, "--since", c->since, 0, LONG_MAX, &since))
			return CLI_USAGE;
		args = json_object_new_object();
		json_object_object_add(args, "since", json_object_new_uint64(since));
	}
	code = ask_connect(c, &client);
	if (code != CLI_OK) {
		json_object_put(args);
		return code;
	}
	code = ask_on(c, client, "events", args, &line);
	json_object_put(line);
	while (code == CLI_OK) {
		err = control_read(client, &line, -1);
		if (err) {
			code = lost(c, err);
			break;
		}
		take_event(c, line);
		json_object_put(line);
		if (ferror(c->out.f))
			code = CLI_FAILED;
	}
	control_close(client);
	return code;
}
