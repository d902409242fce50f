/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: options wherever they stand, then a verb, shortened or mistyped, and its words. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORDS (CLI_MAX_ARGS + 2)

int complain(struct cli *c, enum cli_exit code, const char *hint, const char *fmt, ...)
{
	const struct output e = { .f = c->err };
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	fflush(c->out.f);
	put(&e, INK_NONE, "shim6: %s%s%s\n", what, hint ? ": " : "", hint ? hint : "");
	return (int)code;
}

/* --- options -------------------------------------------------------------- */

enum option {
	OPT_JSON,
	OPT_SOCKET,
	OPT_COLOR,
	OPT_HELP,
	OPT_VERSION,
	OPT_PREFIX,
	OPT_SEC,
	OPT_KEY,
	OPT_NEW_KEY,
	OPT_COUNT,
	OPT_FOR,
	OPT_PCAP,
	OPT_RESET,
	OPT_OUTPUT,
	OPT_CONTEXTS,
	OPT_SINCE,
	OPT_ONCE,
	OPT_SORT,
	OPT_INTERVAL,
};

static const struct {
	const char *name;
	enum option option;
	enum {
		NO_VALUE,
		VALUE,
		MAYBE_VALUE
	} value;
} options[] = {
	{ "--json", OPT_JSON, NO_VALUE },      { "--socket", OPT_SOCKET, VALUE },
	{ "--color", OPT_COLOR, MAYBE_VALUE }, { "--help", OPT_HELP, NO_VALUE },
	{ "-h", OPT_HELP, NO_VALUE },	       { "--version", OPT_VERSION, NO_VALUE },
	{ "-V", OPT_VERSION, NO_VALUE },       { "--prefix", OPT_PREFIX, VALUE },
	{ "--sec", OPT_SEC, VALUE },	       { "--key", OPT_KEY, VALUE },
	{ "--count", OPT_COUNT, VALUE },       { "--for", OPT_FOR, VALUE },
	{ "--reset", OPT_RESET, NO_VALUE },    { "--pcap", OPT_PCAP, VALUE },
	{ "--new-key", OPT_NEW_KEY, VALUE },   { "--output", OPT_OUTPUT, VALUE },
	{ "--contexts", OPT_CONTEXTS, VALUE }, { "--since", OPT_SINCE, VALUE },
	{ "--once", OPT_ONCE, NO_VALUE },      { "--sort", OPT_SORT, VALUE },
	{ "--interval", OPT_INTERVAL, VALUE },
};

struct reading {
	char **argv;
	int argc, i;
	const char *words[MAX_WORDS];
	unsigned n_words;
	bool version;
	unsigned takes; /* flags of the verbs that take the options seen */
};

static bool set_color(struct cli *c, const char *when)
{
	if (!when || strcmp(when, "always") == 0) {
		c->out.color = true;
	} else if (strcmp(when, "never") == 0) {
		c->out.color = false;
	} else if (strcmp(when, "auto") != 0) {
		complain(c, CLI_USAGE, "always, never or auto", "--color cannot be '%s'", when);
		return false;
	}
	return true;
}

static bool set_option(struct cli *c, struct reading *r, enum option option, const char *value)
{
	switch (option) {
	case OPT_JSON:
		c->json = true;
		return true;
	case OPT_SOCKET:
		c->socket_path = value;
		return true;
	case OPT_COLOR:
		return set_color(c, value);
	case OPT_HELP:
		c->help = true;
		return true;
	case OPT_VERSION:
		r->version = true;
		return true;
	case OPT_PREFIX:
		if (c->n_prefixes == CLI_MAX_PREFIXES) {
			complain(c, CLI_USAGE, NULL, "more than %d prefixes", CLI_MAX_PREFIXES);
			return false;
		}
		c->prefixes[c->n_prefixes++] = value;
		break;
	case OPT_SEC:
		c->sec = value;
		break;
	case OPT_KEY:
		c->key_file = value;
		break;
	case OPT_NEW_KEY:
		c->new_key = value;
		break;
	case OPT_COUNT:
		c->count = value;
		r->takes |= VERB_TRACE_OPTIONS;
		return true;
	case OPT_FOR:
		c->seconds = value;
		r->takes |= VERB_TRACE_OPTIONS;
		return true;
	case OPT_RESET:
		c->reset = true;
		r->takes |= VERB_PREFER_OPTIONS;
		return true;
	case OPT_OUTPUT:
		c->output = value;
		r->takes |= VERB_METRICS_OPTIONS;
		return true;
	case OPT_ONCE:
		c->once = true;
		r->takes |= VERB_TOP_OPTIONS;
		return true;
	case OPT_SORT:
		c->sort = value;
		r->takes |= VERB_TOP_OPTIONS;
		return true;
	case OPT_INTERVAL:
		c->interval = value;
		r->takes |= VERB_TOP_OPTIONS;
		return true;
	case OPT_SINCE:
		c->since = value;
		r->takes |= VERB_EVENTS_OPTIONS;
		return true;
	case OPT_CONTEXTS:
		c->contexts = value;
		r->takes |= VERB_METRICS_OPTIONS;
		return true;
	case OPT_PCAP:
		c->pcap = value;
		r->takes |= VERB_TRACE_OPTIONS;
		return true;
	}
	r->takes |= VERB_ADDR_OPTIONS;
	return true;
}

static bool read_option(struct cli *c, struct reading *r)
{
	const char *word = r->argv[r->i], *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word) : strlen(word);

	if (value)
		value++;
	for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
		if (strlen(options[k].name) != len || memcmp(options[k].name, word, len) != 0)
			continue;
		if (value && options[k].value == NO_VALUE) {
			complain(c, CLI_USAGE, NULL, "%s takes no value", options[k].name);
			return false;
		}
		if (!value && options[k].value == VALUE) {
			if (r->i + 1 >= r->argc) {
				complain(c, CLI_USAGE, NULL, "%s needs a value", options[k].name);
				return false;
			}
			value = r->argv[++r->i];
		}
		return set_option(c, r, options[k].option, value);
	}
	complain(c, CLI_USAGE, "shim6 help lists them", "unknown option '%s'", word);
	return false;
}

/* Options and words. The words behind a verb that is another program are left to it. */
static bool read_line(struct cli *c, struct reading *r)
{
	bool options_end = false;

	for (r->i = 1; r->i < r->argc; r->i++) {
		const char *word = r->argv[r->i];
		const struct verb *first;

		if (!options_end && strcmp(word, "--") == 0) {
			options_end = true;
			continue;
		}
		if (!options_end && word[0] == '-' && word[1]) {
			if (!read_option(c, r))
				return false;
			continue;
		}
		if (r->n_words == MAX_WORDS) {
			complain(c, CLI_USAGE, NULL, "too many words, from '%s' on", word);
			return false;
		}
		r->words[r->n_words++] = word;
		if (r->n_words > 1)
			continue;
		first = find_first(c, word);
		if (!first)
			return false;
		if (first->flags & VERB_PASS) {
			c->rest = r->argv + r->i + 1;
			return true;
		}
	}
	return true;
}

/* Whose the first of these options are. */
static const char *owner_of(unsigned takes)
{
	static const struct {
		unsigned flag;
		const char *text;
	} owners[] = {
		{ VERB_ADDR_OPTIONS, "--prefix, --sec, --key and --new-key belong to addr generate" },
		{ VERB_PREFER_OPTIONS, "--reset belongs to prefer" },
		{ VERB_TRACE_OPTIONS, "--count, --for and --pcap belong to trace" },
		{ VERB_TOP_OPTIONS, "--once, --sort and --interval belong to top" },
		{ VERB_EVENTS_OPTIONS, "--since belongs to events" },
		{ VERB_METRICS_OPTIONS, "--output and --contexts belong to metrics" },
	};

	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		if (takes & owners[i].flag)
			return owners[i].text;
	}
	return NULL;
}

static bool settle_verb(struct cli *c, struct reading *r)
{
	static const char *const status[] = { "status" };
	unsigned used = 0;

	c->verb = r->n_words ? find_verb(c, r->words, r->n_words, &used) : find_verb(c, status, 1, &used);
	if (!c->verb)
		return false;
	used = r->n_words ? used : 0;
	c->n_args = r->n_words - used;
	for (unsigned i = 0; i < c->n_args; i++)
		c->args[i] = r->words[used + i];
	if (c->help)
		return true;
	if (c->n_args < c->verb->min_args || c->n_args > c->verb->max_args) {
		complain(c, CLI_USAGE, NULL, "usage: shim6 %s%s%s", c->verb->name, *c->verb->args ? " " : "",
			 c->verb->args);
		return false;
	}
	if (r->takes & ~c->verb->flags) {
		complain(c, CLI_USAGE, owner_of(r->takes & ~c->verb->flags), "%s takes no such option", c->verb->name);
		return false;
	}
	return true;
}

static int print_version(struct cli *c)
{
	struct json_object *o;

	if (!c->json) {
		fprintf(c->out.f, "shim6 %s\n", SHIM6_VERSION);
		return CLI_OK;
	}
	o = json_object_new_object();
	json_object_object_add(o, "version", json_object_new_string(SHIM6_VERSION));
	print_json(c, o);
	json_object_put(o);
	return CLI_OK;
}

static int run(struct cli *c, struct reading *r)
{
	if (!read_line(c, r))
		return CLI_USAGE;
	if (r->version)
		return print_version(c);
	if (c->help && !r->n_words) {
		print_usage(c);
		return CLI_OK;
	}
	if (!settle_verb(c, r))
		return CLI_USAGE;
	if (c->help) {
		print_verb_usage(c, c->verb);
		return CLI_OK;
	}
	return c->verb->run ? c->verb->run(c) : ask_verb(c, NULL);
}

static bool wants_color(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	int fd = fileno(f);

	return fd >= 0 && isatty(fd) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
	const char *socket_path = getenv("SHIM6_SOCKET");
	struct reading r = { .argv = argv, .argc = argc };
	struct cli c = {
		.out = { .f = out, .color = wants_color(out) },
		.err = err,
		.socket_path = socket_path && *socket_path ? socket_path : NULL,
	};
	int code = run(&c, &r);

	if ((fflush(out) != 0 || ferror(out)) && code == CLI_OK)
		code = complain(&c, CLI_FAILED, NULL, "cannot write the output");
	return code;
}
