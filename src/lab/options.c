// SPDX-License-Identifier: GPL-2.0-or-later
/* Verbs and options as tables, and the reader that goes by them. */
#include "lab/options.h"

#include <stdio.h>
#include <string.h>

#include "lab/scenario.h"

enum option_id {
	OPT_HELP,
	OPT_VERSION,
	OPT_JSON,
	OPT_NAME,
	OPT_ALL,
	OPT_NO_SHIM6,
	OPT_SEND_TIMEOUT,
	OPT_DELAY,
	OPT_CONFIG,
	OPT_HOST,
	OPT_PROVIDER,
	OPT_DIRECTION,
	OPT_PERCENT,
	OPT_MS,
	OPT_FAULT,
	OPT_SHIM6,
	OPT_PLAIN,
	OPT_BOTH,
	OPT_TRAFFIC,
	OPT_TO,
	OPT_DURATION,
	OPT_FAIL_AT,
	OPT_HEAL_AT,
	OPT_RATE,
	OPT_SIZE,
	OPT_OUTPUT,
	N_OPTIONS
};

#define BIT(id) (1u << (id))
#define ALWAYS (BIT(OPT_HELP) | BIT(OPT_VERSION) | BIT(OPT_JSON))
#define LAB_OPTIONS (BIT(OPT_SEND_TIMEOUT) | BIT(OPT_DELAY) | BIT(OPT_CONFIG))
#define RUN_OPTIONS                                                                                                    \
	(BIT(OPT_FAULT) | BIT(OPT_SHIM6) | BIT(OPT_PLAIN) | BIT(OPT_BOTH) | BIT(OPT_TRAFFIC) | BIT(OPT_TO) |           \
	 BIT(OPT_DURATION) | BIT(OPT_FAIL_AT) | BIT(OPT_HEAL_AT) | BIT(OPT_RATE) | BIT(OPT_SIZE) | BIT(OPT_OUTPUT))
#define FAULT_OPTIONS (BIT(OPT_HOST) | BIT(OPT_PROVIDER) | BIT(OPT_DIRECTION))

static const struct {
	const char *name, *value, *help;
} options[N_OPTIONS] = {
	[OPT_HELP] = { "--help", NULL, "this text" },
	[OPT_VERSION] = { "--version", NULL, "the version" },
	[OPT_JSON] = { "--json", NULL, "answer in JSON" },
	[OPT_NAME] = { "--name", "NAME", "which lab (up: what to call it; otherwise needed only when several are up)" },
	[OPT_ALL] = { "--all", NULL, "down: every lab; heal: every fault" },
	[OPT_NO_SHIM6] = { "--no-shim6", NULL, "no daemons: plain hosts, to compare" },
	[OPT_SEND_TIMEOUT] = { "--send-timeout", "S",
			       "silence that makes a path suspect, 10 to 100 s (default 15, RFC 5534)" },
	[OPT_DELAY] = { "--delay", "MS", "every provider takes so long in each direction (default 0)" },
	[OPT_CONFIG] = { "--config", "FILE", "daemon configuration for both hosts" },
	[OPT_HOST] = { "--host", "A|B", "whose provider or link (default A; kind far: B)" },
	[OPT_PROVIDER] = { "--provider", "1|2", "which of its two (default 1)" },
	[OPT_DIRECTION] = { "--direction", "both|in|out", "towards the host (in), from it (out), or both (default)" },
	[OPT_PERCENT] = { "--percent", "N", "how much is lost, 1 to 100 (kind loss)" },
	[OPT_MS] = { "--ms", "N", "how much longer each direction takes, 1 to 10000 (kind delay)" },
	[OPT_FAULT] = { "--fault", "KIND", "instead of a scenario: this one fault (shim6 lab fail --help)" },
	[OPT_SHIM6] = { "--shim6", NULL, "with shim6 (the default)" },
	[OPT_PLAIN] = { "--plain", NULL, "without" },
	[OPT_BOTH] = { "--both", NULL, "both, side by side at the same time" },
	[OPT_TRAFFIC] = { "--traffic", "LIST", "of tcp, udp, curl, ssh, iperf3 (default curl,udp)" },
	[OPT_TO] = { "--to", "A|B|both", "who receives the data (default A)" },
	[OPT_DURATION] = { "--duration", "S", "of the whole run" },
	[OPT_FAIL_AT] = { "--fail-at", "S", "when it breaks" },
	[OPT_HEAL_AT] = { "--heal-at", "S", "when it is repaired" },
	[OPT_RATE] = { "--rate", "MBIT", "of each TCP stream, per second (default 10; 0: as fast as it goes)" },
	[OPT_SIZE] = { "--size", "MB", "of the file that curl fetches (default: what the time allows)" },
	[OPT_OUTPUT] = { "--output", "PATH",
			 "or -o; run: folder for the results and logs (default shim6-lab-SCENARIO-TIME);\n"
			 "                           report: the HTML file (default: beside the result)" },
};

static const struct verb {
	const char *name, *args, *summary, *more;
	unsigned options;
	unsigned min_words, max_words;
} verbs[] = {
	[VERB_UP] = { "up", "", "Build the network and start a shim6d in both hosts",
		      "Hosts A and B get two providers each, with ingress filters (BCP 38). The lab stays until "
		      "\"down\".\n",
		      BIT(OPT_NAME) | BIT(OPT_NO_SHIM6) | LAB_OPTIONS, 0, 0 },
	[VERB_DOWN] = { "down", "", "Stop and remove a lab, whatever is left of it", "", BIT(OPT_NAME) | BIT(OPT_ALL),
			0, 0 },
	[VERB_LIST] = { "list", "", "The labs that are up", "", 0, 0, 0 },
	[VERB_STATUS] = { "status", "", "Hosts, addresses, daemons and faults of a lab", "", BIT(OPT_NAME), 0, 0 },
	[VERB_EXEC] = { "exec", "NODE -- COMMAND...", "Run a program in a host or a router",
			"NODE is A, B (hosts), A1, A2, B1, B2 (routers of the providers) or core. The exit code is "
			"the\n"
			"program's. In a host, shim6 speaks to that host's daemon: shim6 lab exec A -- shim6 events\n",
			BIT(OPT_NAME), 1, 1 },
	[VERB_FAIL] = { "fail", "KIND", "Break something",
			"KIND: link       the host's link goes down; the host knows at once\n"
			"      blackhole  the provider drops everything and says nothing\n"
			"      far        the same at the other end (host B)\n"
			"      loss       the provider drops some packets, with --percent\n"
			"      delay      the provider takes longer, with --ms\n",
			BIT(OPT_NAME) | FAULT_OPTIONS | BIT(OPT_PERCENT) | BIT(OPT_MS), 1, 1 },
	[VERB_HEAL] = { "heal", "[KIND...]", "Repair it: the newest fault, those of a kind, or --all",
			"Options narrow down which faults of that KIND are meant.\n",
			BIT(OPT_NAME) | BIT(OPT_ALL) | FAULT_OPTIONS, 0, FAULT_KINDS },
	[VERB_RUN] = { "run", "[SCENARIO]", "Break and repair a lab of its own under traffic, and measure", "",
		       BIT(OPT_NAME) | LAB_OPTIONS | RUN_OPTIONS | FAULT_OPTIONS | BIT(OPT_PERCENT) | BIT(OPT_MS), 0,
		       1 },
	[VERB_REPORT] = { "report", "RESULT.json", "Draw what a run has measured, as one HTML file", "",
			  BIT(OPT_OUTPUT), 1, 1 },
	[VERB_HELP] = { "help", "[VERB]", "This text", "", 0, 0, 1 },
};
#define N_VERBS ((int)(sizeof(verbs) / sizeof(verbs[0])))

/* --- help ------------------------------------------------------------------ */

static void option_help(struct strbuf *out, unsigned mask)
{
	char left[64];

	for (unsigned i = 0; i < N_OPTIONS; i++) {
		if (!(mask & BIT(i)))
			continue;
		snprintf(left, sizeof(left), "%s%s%s", options[i].name, options[i].value ? " " : "",
			 options[i].value ? options[i].value : "");
		strbuf_printf(out, "  %-24s %s\n", left, options[i].help);
	}
}

static void overview(struct strbuf *out)
{
	char left[64];

	strbuf_puts(
		out,
		"usage: shim6 lab VERB [options]\n\n"
		"Two hosts with two providers each, in network namespaces of this machine, to break and to measure:\n\n"
		"        A1 ---+      +--- B1\n"
		"  A ===<      +-core-+      >=== B      A1, A2: providers of host A; B1, B2: of host B\n"
		"        A2 ---+      +--- B2\n\n");
	for (int i = 0; i < N_VERBS; i++) {
		snprintf(left, sizeof(left), "%s %s", verbs[i].name, verbs[i].args);
		strbuf_printf(out, "  %-24s %s\n", left, verbs[i].summary);
	}
	strbuf_puts(out, "\nBy itself, with a live account, measurements and verdicts:\n\n"
			 "  shim6 lab run --both                         a silent failure, with and without shim6\n"
			 "\nBy hand:\n\n"
			 "  shim6 lab up\n"
			 "  shim6 lab exec B -- iperf3 -s -D             a server in host B\n"
			 "  shim6 lab status                             shows the addresses\n"
			 "  shim6 lab exec A -- iperf3 -t 60 -c ADDRESS  a session with it\n"
			 "  shim6 lab fail blackhole                     provider 1 of A goes silent\n"
			 "  shim6 lab exec A -- shim6 events             what the daemon does about it\n"
			 "  shim6 lab heal\n"
			 "  shim6 lab down\n\n");
	option_help(out, ALWAYS);
	strbuf_puts(out, "\nshim6 lab VERB --help tells the options of a verb.\n"
			 "Exit codes: 0 done, 1 it failed, 2 wrong command line; exec gives those of its program.\n");
}

static void run_help(struct strbuf *out)
{
	strbuf_puts(out, "\nSCENARIO is one of (without: black-hole)\n");
	for (unsigned i = 0; scenario_name(i); i++)
		strbuf_printf(out, "  %-14s %s\n", scenario_name(i), scenario_title(i));
	strbuf_puts(out,
		    "\nTells what happens as it happens, then what it comes to; the exit code is 0 when all is as it\n"
		    "should be. Both hosts' daemons say what they do on the same clock as the measurements.\n");
}

void options_help(struct strbuf *out, int verb)
{
	const struct verb *v;

	if (verb < 0 || verb == VERB_HELP) {
		overview(out);
		return;
	}
	v = &verbs[verb];
	strbuf_printf(out, "usage: shim6 lab %s [options]%s%s\n%s.\n", v->name, *v->args ? " " : "", v->args,
		      v->summary);
	if (*v->more)
		strbuf_printf(out, "\n%s", v->more);
	if (verb == VERB_RUN)
		run_help(out);
	strbuf_puts(out, "\n");
	option_help(out, v->options | ALWAYS);
}

/* --- reading --------------------------------------------------------------- */

struct reading {
	struct options *o;
	char *err;
	unsigned seen; /* options given */
	bool has_verb;
};

static bool wrong(const struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(const struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->err, OPTIONS_ERR_MAX, fmt, ap);
	va_end(ap);
	return false;
}

static bool whole(const struct reading *r, enum option_id id, const char *value, unsigned min, unsigned max,
		  unsigned *out)
{
	uint64_t v;

	if (!parse_u64(value, min, max, &v))
		return wrong(r, "%s: expected a whole number from %u to %u, not \"%s\"", options[id].name, min, max,
			     value);
	*out = (unsigned)v;
	return true;
}

static bool number(const struct reading *r, enum option_id id, const char *value, double min, double max, double *out)
{
	return parse_double(value, min, max, out) ||
	       wrong(r, "%s: expected a number from %g to %g, not \"%s\"", options[id].name, min, max, value);
}

static bool set_run_option(struct reading *r, enum option_id id, const char *value)
{
	struct options *o = r->o;

	switch (id) {
	case OPT_SHIM6:
		return o->with_shim6 = true;
	case OPT_PLAIN:
		return o->without_shim6 = true;
	case OPT_BOTH:
		return o->with_shim6 = o->without_shim6 = true;
	case OPT_FAULT:
		o->fault = value;
		return true;
	case OPT_TRAFFIC:
		o->traffic = value;
		return true;
	case OPT_TO:
		o->to = value;
		return !strcmp(value, "A") || !strcmp(value, "B") || !strcmp(value, "both") ||
		       wrong(r, "--to: expected A, B or both, not \"%s\"", value);
	case OPT_DURATION:
		return number(r, id, value, 2, 3600, &o->duration);
	case OPT_FAIL_AT:
		return number(r, id, value, 0, 3600, &o->fail_at);
	case OPT_HEAL_AT:
		return number(r, id, value, 0, 3600, &o->heal_at);
	case OPT_RATE:
		return number(r, id, value, 0, 10000, &o->rate);
	case OPT_SIZE:
		return number(r, id, value, 0.001, 100000, &o->size);
	default:
		o->output = value;
		return true;
	}
}

static bool set_fault_option(struct reading *r, enum option_id id, const char *value)
{
	struct options *o = r->o;
	struct fault f = { 0 };
	bool good;

	if (id == OPT_HOST) {
		good = fault_set_host(&f, value);
		o->host = value;
	} else if (id == OPT_PROVIDER) {
		good = fault_set_provider(&f, value);
		o->provider = value;
	} else {
		good = fault_set_direction(&f, value);
		o->direction = value;
	}
	return good || wrong(r, "%s: expected %s, not \"%s\"", options[id].name, options[id].value, value);
}

static bool set_option(struct reading *r, enum option_id id, const char *value)
{
	struct options *o = r->o;

	if (r->seen & BIT(id))
		return wrong(r, "%s is given twice", options[id].name);
	r->seen |= BIT(id);
	switch (id) {
	case OPT_HELP:
		return o->help = true;
	case OPT_VERSION:
		return o->version = true;
	case OPT_JSON:
		return o->json = true;
	case OPT_ALL:
		return o->all = true;
	case OPT_NO_SHIM6:
		return o->plain = true;
	case OPT_NAME:
		o->name = value;
		return true;
	case OPT_CONFIG:
		o->config = value;
		return true;
	case OPT_SEND_TIMEOUT:
		return whole(r, id, value, 10, 100, &o->send_timeout);
	case OPT_DELAY:
		return whole(r, id, value, 0, 10000, &o->delay_ms);
	case OPT_PERCENT:
	case OPT_MS:
		o->amount = value;
		o->amount_is_percent = id == OPT_PERCENT;
		return true;
	case OPT_HOST:
	case OPT_PROVIDER:
	case OPT_DIRECTION:
		return set_fault_option(r, id, value);
	default:
		return set_run_option(r, id, value);
	}
}

/* "--name=x" or "--name x"; *i moves over a value that is a word of its own. */
static bool read_option(struct reading *r, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word) : strlen(word);

	if (!strcmp(word, "-h"))
		return set_option(r, OPT_HELP, NULL);
	if (!strcmp(word, "-o")) {
		word = options[OPT_OUTPUT].name;
		len = strlen(word);
	}
	for (unsigned k = 0; k < N_OPTIONS; k++) {
		if (strlen(options[k].name) != len || strncmp(options[k].name, word, len))
			continue;
		if (!options[k].value)
			return value ? wrong(r, "%s takes no value", options[k].name)
				     : set_option(r, (enum option_id)k, NULL);
		if (value)
			return set_option(r, (enum option_id)k, value + 1);
		if (*i + 1 >= argc)
			return wrong(r, "%s needs a value: %s", options[k].name, options[k].value);
		return set_option(r, (enum option_id)k, argv[++*i]);
	}
	return wrong(r, "unknown option \"%s\" (shim6 lab %s%s--help shows them)", word,
		     r->has_verb ? verbs[r->o->verb].name : "", r->has_verb ? " " : "");
}

static bool read_verb(struct reading *r, const char *word)
{
	struct strbuf list = { 0 };

	for (int k = 0; k < N_VERBS; k++) {
		if (strcmp(verbs[k].name, word)) {
			strbuf_printf(&list, "%s%s", k ? ", " : "", verbs[k].name);
			continue;
		}
		r->o->verb = (enum verb_id)k;
		r->has_verb = true;
		strbuf_free(&list);
		return true;
	}
	wrong(r, "unknown verb \"%s\"; there are: %s", word, list.s);
	strbuf_free(&list);
	return false;
}

static bool read_word(struct reading *r, const char *word)
{
	if (!r->has_verb)
		return read_verb(r, word);
	if (r->o->n_words == verbs[r->o->verb].max_words)
		return wrong(r, "unexpected \"%s\"; usage: shim6 lab %s [options] %s", word, verbs[r->o->verb].name,
			     verbs[r->o->verb].args);
	r->o->words[r->o->n_words++] = word;
	return true;
}

/* All words belong to this verb and all its needs are there. */
static bool check(const struct reading *r)
{
	const struct options *o = r->o;
	const struct verb *v = &verbs[o->verb];
	unsigned foreign = r->seen & ~(v->options | ALWAYS);

	for (unsigned k = 0; k < N_OPTIONS; k++)
		if (foreign & BIT(k))
			return wrong(r, "%s means nothing to %s (shim6 lab %s --help)", options[k].name, v->name,
				     v->name);
	if (o->n_words < v->min_words || (o->verb == VERB_EXEC && (!o->command || !o->command[0])))
		return wrong(r, "usage: shim6 lab %s [options] %s", v->name, v->args);
	if (o->all && o->name && o->verb == VERB_DOWN)
		return wrong(r, "--all and --name exclude each other");
	if (o->verb == VERB_HEAL && o->all && o->n_words)
		return wrong(r, "heal: name kinds or say --all, not both");
	if (o->verb == VERB_HEAL && !o->n_words && (r->seen & FAULT_OPTIONS))
		return wrong(r, "heal: %s narrows down a KIND, and none is named", "--host, --provider or --direction");
	if (o->verb == VERB_RUN && o->fault && o->n_words)
		return wrong(r, "run: name a scenario or one --fault, not both");
	if (o->verb == VERB_RUN && !o->fault && (r->seen & (FAULT_OPTIONS | BIT(OPT_PERCENT) | BIT(OPT_MS))))
		return wrong(r, "run: %s describes a --fault, and none is named",
			     "--host, --provider, --direction, --percent or --ms");
	if (o->verb == VERB_RUN && o->without_shim6 && !o->with_shim6 && o->config)
		return wrong(r, "--plain starts no daemon that --config could speak to");
	if (o->plain && (o->send_timeout || o->config))
		return wrong(r, "--no-shim6 starts no daemon that --send-timeout or --config could speak to");
	if ((r->seen & (BIT(OPT_PERCENT) | BIT(OPT_MS))) == (BIT(OPT_PERCENT) | BIT(OPT_MS)))
		return wrong(r, "--percent belongs to loss and --ms to delay; one fault is one of them");
	return true;
}

bool options_read(struct options *o, int argc, char **argv, char err[static OPTIONS_ERR_MAX])
{
	struct reading r = { .o = o, .err = err };

	memset(o, 0, sizeof(*o));
	o->duration = o->fail_at = o->heal_at = o->rate = o->size = -1;
	err[0] = '\0';
	for (int i = 1; i < argc; i++) {
		bool end = !strcmp(argv[i], "--");

		/* behind the node of exec, or "--", all is the program's own */
		if (r.has_verb && o->verb == VERB_EXEC && (end || (o->n_words == 1 && argv[i][0] != '-'))) {
			o->command = argv + i + end;
			break;
		}
		if (end)
			continue;
		if (argv[i][0] == '-' && argv[i][1] ? !read_option(&r, argc, argv, &i) : !read_word(&r, argv[i]))
			return false;
	}
	if (!r.has_verb)
		o->verb = VERB_HELP;
	return o->help || o->version || o->verb == VERB_HELP || check(&r);
}

bool options_fault(const struct options *o, const char *kind, struct fault *f, char err[static OPTIONS_ERR_MAX])
{
	struct reading r = { .err = err };
	const char *complaint;

	if (!fault_init(f, kind)) {
		struct strbuf list = { 0 };

		for (unsigned k = 0; k < FAULT_KINDS; k++)
			strbuf_printf(&list, "%s%s", k ? ", " : "", fault_kind_name((enum fault_kind)k));
		wrong(&r, "unknown kind of fault \"%s\"; there are: %s", kind, list.s);
		strbuf_free(&list);
		return false;
	}
	if ((o->host && !fault_set_host(f, o->host)) || (o->provider && !fault_set_provider(f, o->provider)) ||
	    (o->direction && !fault_set_direction(f, o->direction)))
		return wrong(&r, "bad --host, --provider or --direction");
	if (o->amount && (!fault_needs_amount(f->kind) || o->amount_is_percent != (f->kind == FAULT_LOSS)))
		return wrong(&r, "%s means nothing to the fault %s", o->amount_is_percent ? "--percent" : "--ms", kind);
	if (o->amount && !fault_set_amount(f, o->amount))
		return wrong(&r, "%s: expected a whole number from 1 to %s, not \"%s\"",
			     o->amount_is_percent ? "--percent" : "--ms", f->kind == FAULT_LOSS ? "100" : "10000",
			     o->amount);
	complaint = fault_check(f);
	return !complaint ||
	       wrong(&r, "%s%s", complaint,
		     fault_needs_amount(f->kind) && !f->amount ? f->kind == FAULT_LOSS ? " (--percent N)" : " (--ms N)"
							       : "");
}

bool options_match(const struct options *o, const struct fault *f)
{
	struct fault want = *f;

	if (o->host)
		fault_set_host(&want, o->host);
	if (o->provider)
		fault_set_provider(&want, o->provider);
	if (o->direction)
		fault_set_direction(&want, o->direction);
	return fault_equal(&want, f);
}
