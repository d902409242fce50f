/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs doctor and report: what the room doctor found, as text or JSON. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <string.h>

#include "doctor/doctor.h"

static const struct {
	const char *level, *word;
	enum ink ink;
} levels[] = {
	{ "ok", "ok", INK_GOOD },
	{ "unknown", "not checked", INK_DIM },
	{ "warning", "warning", INK_WARN },
	{ "problem", "PROBLEM", INK_BAD },
};

static void show_finding(const struct output *o, struct json_object *f)
{
	const char *level = js_text(f, "level"), *why = js_text(f, "why"), *mend = js_text(f, "mend");
	const char *word = level;
	enum ink ink = INK_NONE;

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].level, level) == 0) {
			ink = levels[i].ink;
			word = levels[i].word;
		}
	}
	put(o, ink, "%-11s", word);
	put(o, INK_BOLD, "  %-13s  ", js_text(f, "check"));
	put(o, INK_NONE, "%s\n", js_text(f, "what"));
	if (*why)
		put(o, INK_NONE, "%13s%-13s  %s\n", "", "why", why);
	if (*mend)
		put(o, INK_NONE, "%13s%-13s  %s\n", "", "what to do", mend);
}

static void show_examination(const struct output *o, struct json_object *found)
{
	struct json_object *list = js_get(found, "findings");
	double problems = js_number(found, "problem"), warnings = js_number(found, "warning");

	for (size_t i = 0; i < js_length(list); i++)
		show_finding(o, json_object_array_get_idx(list, i));
	put(o, INK_NONE, "\n");
	put(o,
	    problems > 0   ? INK_BAD
	    : warnings > 0 ? INK_WARN
			   : INK_GOOD,
	    "%.0f problem%s, %.0f warning%s", problems, problems == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
	put(o, INK_NONE, ", %.0f not checked, %.0f ok\n", js_number(found, "unknown"), js_number(found, "ok"));
}

/* An address, or a name that has one. */
static bool read_peer(struct cli *c, const char *word, struct shim6_addr *out)
{
	const struct addrinfo hints = { .ai_family = AF_INET6, .ai_socktype = SOCK_RAW };
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(word, NULL, &hints, &list);
	bool usable;

	if (rc) {
		complain(c, CLI_USAGE, "give the IPv6 address of the other host", "'%s' has no IPv6 address: %s", word,
			 gai_strerror(rc));
		return false;
	}
	memcpy(out->b, ((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr.s6_addr, 16);
	freeaddrinfo(list);
	usable = shim6_addr_is_usable(out);
	if (!usable)
		complain(c, CLI_USAGE, "give a global IPv6 address of the other host",
			 "no session of Shim6 can be with '%s'", word);
	return usable;
}

static void prepare(struct cli *c, struct doctor_options *opt, char *program, size_t len)
{
	find_sibling("shim6d", program, len);
	opt->version = SHIM6_VERSION;
	opt->daemon_program = program;
	opt->socket_path = ask_socket(c);
	opt->client_error = ask_try(c, &opt->client);
	if (opt->client_error)
		opt->client = NULL;
}

int run_doctor(struct cli *c)
{
	struct doctor_options opt = { 0 };
	struct json_object *found;
	char program[2 * PATH_MAX];
	bool problems;

	if (c->n_args && !read_peer(c, c->args[0], &opt.peer))
		return CLI_USAGE;
	opt.has_peer = c->n_args > 0;
	prepare(c, &opt, program, sizeof(program));
	found = doctor_examine(&opt);
	control_close(opt.client);
	if (!found)
		return complain(c, CLI_FAILED, NULL, "out of memory");
	if (c->json)
		print_json(c, found);
	else
		show_examination(&c->out, found);
	problems = js_number(found, "problem") > 0;
	json_object_put(found);
	return problems ? CLI_FAILED : CLI_OK;
}

int run_report(struct cli *c)
{
	struct doctor_options opt = { 0 };
	struct json_object *report, *list;
	char program[2 * PATH_MAX];

	prepare(c, &opt, program, sizeof(program));
	report = doctor_report(&opt);
	control_close(opt.client);
	if (!report)
		return complain(c, CLI_FAILED, NULL, "out of memory");
	list = js_get(report, "sections");
	if (c->json)
		print_json(c, report);
	for (size_t i = 0; !c->json && i < js_length(list); i++) {
		struct json_object *s = json_object_array_get_idx(list, i);

		put(&c->out, INK_TITLE, "%s=== %s\n", i ? "\n" : "", js_text(s, "title"));
		put(&c->out, INK_NONE, "%s\n", js_text(s, "text"));
	}
	json_object_put(report);
	return CLI_OK;
}
