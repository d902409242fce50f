/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An address set in the making: Sec 2 takes minutes, and whoever waits is told how many. */
#include "cli/cli.h"

#include <errno.h>
#include <unistd.h>

#include "control/control.h"

#define LOOK_MS 500
#define SAY_EVERY 10   /* looks, where the error stream is no terminal */
#define ANSWER_MS 2000 /* the daemon's loop is not held up by the search */

void show_progress(const struct output *o, struct json_object *progress)
{
	double per_second = js_number(progress, "per_s");

	put(o, INK_NONE, "%.0f of %.0f million hashes expected", js_number(progress, "tries") / 1e6,
	    js_number(progress, "expected") / 1e6);
	if (per_second > 0)
		put(o, INK_NONE, ", %.1f million/s, on average %s left", per_second / 1e6,
		    text_duration(js_number(progress, "left_s")).s);
}

/* A set in the making, by a connection of its own: the other waits for its answer. */
static struct json_object *look(struct cli *c, struct control_client **second)
{
	struct json_object *reply, *progress;

	if (!*second && ask_try(c, second) != 0)
		return NULL;
	if (control_call(*second, "addr.progress", NULL, &reply, ANSWER_MS) != 0) {
		control_close(*second);
		*second = NULL;
		return NULL;
	}
	progress = json_object_get(js_get(reply, "result"));
	json_object_put(reply);
	return progress;
}

int call_with_progress(struct cli *c, struct control_client *client, const char *op, struct json_object *args,
		       struct json_object **reply)
{
	struct output err = { .f = c->err };
	bool terminal = isatty(fileno(c->err)), shown = false;
	struct control_client *second = NULL;
	int rc = control_request(client, op, args);

	for (unsigned n = 1; rc == 0; n++) {
		struct json_object *progress;

		rc = control_read(client, reply, LOOK_MS);
		if (rc != -ETIMEDOUT)
			break;
		rc = 0;
		if (!terminal && n % SAY_EVERY != 0)
			continue;
		progress = look(c, &second);
		if (progress) {
			fputs(terminal ? "\r" : "", c->err);
			show_progress(&err, progress);
			fputs(terminal ? "\033[K" : "\n", c->err);
			fflush(c->err);
			shown = true;
		}
		json_object_put(progress);
	}
	if (shown && terminal)
		fputs("\n", c->err);
	if (second)
		control_close(second);
	return rc;
}

int run_addr_list(struct cli *c)
{
	struct json_object *progress = NULL;
	int code = ask_verb(c, NULL);

	if (code != CLI_OK || c->json)
		return code;
	code = ask(c, "addr.progress", NULL, &progress);
	if (code == CLI_OK && progress) {
		put(&c->out, INK_TITLE, "set in the making");
		put(&c->out, INK_NONE, ", Sec %.0f: ", js_number(progress, "sec"));
		show_progress(&c->out, progress);
		put(&c->out, INK_NONE, "\n");
	}
	json_object_put(progress);
	return code;
}
