/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs, as data, and what each asks of the daemon. */
#include "cli/cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE_MAX 65536 /* octets of a PEM file */

/* --- arguments ------------------------------------------------------------ */

static bool add_id(struct cli *c, struct json_object *args, const char *word)
{
	unsigned long long id;
	char *end;

	errno = 0;
	id = strtoull(word, &end, 10);
	if (errno || *end || *word < '0' || *word > '9') {
		complain(c, CLI_USAGE, "shim6 contexts lists them", "'%s' is no context id", word);
		return false;
	}
	json_object_object_add(args, "id", json_object_new_uint64(id));
	return true;
}

static bool add_address(struct cli *c, struct json_object *args, const char *key, const char *word)
{
	char canonical[INET6_ADDRSTRLEN];
	struct in6_addr a;

	if (inet_pton(AF_INET6, word, &a) != 1) {
		complain(c, CLI_USAGE, NULL, "'%s' is no IPv6 address", word);
		return false;
	}
	inet_ntop(AF_INET6, &a, canonical, sizeof(canonical));
	json_object_object_add(args, key, json_object_new_string(canonical));
	return true;
}

static bool args_contexts(struct cli *c, struct json_object *args)
{
	c->out.detail = c->n_args == 1;
	return c->n_args == 0 || add_id(c, args, c->args[0]);
}

static bool args_id(struct cli *c, struct json_object *args)
{
	return add_id(c, args, c->args[0]);
}

static bool args_explore(struct cli *c, struct json_object *args)
{
	if (c->n_args == 2) {
		complain(c, CLI_USAGE, "give both addresses or none", "explore ID LOCAL lacks PEER");
		return false;
	}
	if (!add_id(c, args, c->args[0]))
		return false;
	return c->n_args == 1 ||
	       (add_address(c, args, "local", c->args[1]) && add_address(c, args, "peer", c->args[2]));
}

static bool args_establish(struct cli *c, struct json_object *args)
{
	return add_address(c, args, "local", c->args[0]) && add_address(c, args, "peer", c->args[1]);
}

static bool add_octet(struct cli *c, struct json_object *args, const char *key, const char *word)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(word, &end, 10);
	if (errno || *end || *word < '0' || *word > '9' || n > 255) {
		complain(c, CLI_USAGE, "0 to 255; the lower priority is preferred", "'%s' is no %s", word, key);
		return false;
	}
	json_object_object_add(args, key, json_object_new_int((int)n));
	return true;
}

/* [TARGET PRIORITY [WEIGHT]], or --reset [TARGET] */
static bool args_prefer(struct cli *c, struct json_object *args)
{
	if (c->reset && c->n_args > 1) {
		complain(c, CLI_USAGE, "give one interface, prefix or address, or nothing",
			 "--reset takes no priority");
		return false;
	}
	if (!c->reset && c->n_args == 1) {
		complain(c, CLI_USAGE, "0 is preferred to 255; shim6 prefer --reset takes it back",
			 "prefer %s lacks a priority", c->args[0]);
		return false;
	}
	if (c->reset)
		json_object_object_add(args, "reset", json_object_new_boolean(true));
	if (c->n_args)
		json_object_object_add(args, "target", json_object_new_string(c->args[0]));
	return (c->n_args < 2 || add_octet(c, args, "priority", c->args[1])) &&
	       (c->n_args < 3 || add_octet(c, args, "weight", c->args[2]));
}

static bool args_file(struct cli *c, struct json_object *args)
{
	json_object_object_add(args, "file", json_object_new_string(c->args[0]));
	return true;
}

static bool check_prefix(struct cli *c, const char *word)
{
	const char *slash = strchr(word, '/');
	char addr[INET6_ADDRSTRLEN];
	struct in6_addr a;
	size_t len = slash ? (size_t)(slash - word) : 0;
	char *end = NULL;
	long bits = slash && slash[1] ? strtol(slash + 1, &end, 10) : -1;

	if (len && len < sizeof(addr) && end && !*end && bits >= 0 && bits <= 128) {
		memcpy(addr, word, len);
		addr[len] = '\0';
		if (inet_pton(AF_INET6, addr, &a) == 1)
			return true;
	}
	complain(c, CLI_USAGE, "write it as 2001:db8:a:1::/64", "'%s' is no IPv6 prefix", word);
	return false;
}

static bool add_key(struct cli *c, struct json_object *args)
{
	FILE *f = fopen(c->key_file, "re");
	char *pem;
	size_t n;

	if (!f) {
		complain(c, CLI_USAGE, NULL, "cannot read the key %s: %s", c->key_file, strerror(errno));
		return false;
	}
	pem = malloc(KEY_FILE_MAX + 1);
	n = pem ? fread(pem, 1, KEY_FILE_MAX + 1, f) : 0;
	if (!pem || ferror(f) || n > KEY_FILE_MAX || n == 0) {
		complain(c, CLI_USAGE, "a PEM file with one RSA private key is wanted", "cannot use the key %s: %s",
			 c->key_file,
			 n > KEY_FILE_MAX ? "too long"
			 : n == 0	  ? "empty or unreadable"
					  : "read error");
		fclose(f);
		free(pem);
		return false;
	}
	json_object_object_add(args, "key", json_object_new_string_len(pem, (int)n));
	explicit_bzero(pem, n);
	free(pem);
	fclose(f);
	return true;
}

static bool args_generate(struct cli *c, struct json_object *args)
{
	struct json_object *prefixes = json_object_new_array();
	long sec = 0;
	char *end;

	json_object_object_add(args, "prefixes", prefixes);
	if (c->n_prefixes == 0) {
		complain(c, CLI_USAGE, "give one --prefix for each uplink", "addr generate needs a prefix");
		return false;
	}
	for (unsigned i = 0; i < c->n_prefixes; i++) {
		if (!check_prefix(c, c->prefixes[i]))
			return false;
		json_object_array_add(prefixes, json_object_new_string(c->prefixes[i]));
	}
	if (c->sec) {
		sec = strtol(c->sec, &end, 10);
		if (*end || end == c->sec || sec < 0 || sec > 7) {
			complain(c, CLI_USAGE, "0 to 7; each step costs 65536 times more", "'%s' is no Sec value",
				 c->sec);
			return false;
		}
	}
	json_object_object_add(args, "sec", json_object_new_int64(sec));
	if (c->new_key && c->key_file) {
		complain(c, CLI_USAGE, NULL, "give --key or --new-key, not both");
		return false;
	}
	if (c->new_key) {
		long bits = strtol(c->new_key, &end, 10);

		if (*end || end == c->new_key || bits < 1024 || bits > 3072) {
			complain(c, CLI_USAGE, "1024 to 3072 bits", "'%s' is no length of a key", c->new_key);
			return false;
		}
		json_object_object_add(args, "new_key", json_object_new_int64(bits));
	}
	return !c->key_file || add_key(c, args);
}

bool number_from_to(struct cli *c, const char *option, const char *word, unsigned long min, unsigned long max,
		    unsigned long *out)
{
	char *end, hint[64];

	errno = 0;
	*out = strtoul(word, &end, 10);
	if (!errno && !*end && *word >= '0' && *word <= '9' && *out >= min && *out <= max)
		return true;
	snprintf(hint, sizeof(hint), "a whole number from %lu to %lu", min, max);
	complain(c, CLI_USAGE, hint, "%s cannot be '%s'", option, word);
	return false;
}

/* --- the table ------------------------------------------------------------ */

const struct verb verbs[] = {
	{ .name = "status",
	  .args = "",
	  .summary = "this host and its contexts (also without a verb)",
	  .op = "status",
	  .run = run_status },
	{ .name = "contexts",
	  .args = "[ID]",
	  .summary = "list the contexts, or show one in full",
	  .max_args = 1,
	  .op = "contexts",
	  .arguments = args_contexts,
	  .show = show_contexts },
	{ .name = "locators",
	  .args = "",
	  .summary = "this host's locators and sets of addresses",
	  .op = "locators",
	  .show = show_locators },
	{ .name = "stats", .args = "", .summary = "every counter", .op = "stats", .show = show_stats },
	{ .name = "events",
	  .args = "[--since SEQ]",
	  .summary = "follow what happens, until interrupted",
	  .flags = VERB_EVENTS_OPTIONS,
	  .op = "events",
	  .run = ask_events },
	{ .name = "trace",
	  .args = "[ID|TAG|PEER|LOCAL PEER] [--count N] [--for S] [--pcap FILE]",
	  .summary = "follow the messages of contexts",
	  .flags = VERB_TRACE_OPTIONS,
	  .max_args = 2,
	  .op = "trace",
	  .run = run_trace },
	{ .name = "top",
	  .args = "[--once] [--sort KEY] [--interval S]",
	  .summary = "watch contexts, rates and switches live; --sort: rate, id, peer, switches, idle",
	  .flags = VERB_TOP_OPTIONS,
	  .run = run_top },
	{ .name = "metrics",
	  .args = "[--output FILE] [--contexts N]",
	  .summary = "counters and states for Prometheus; --contexts: N contexts one by one, too",
	  .flags = VERB_METRICS_OPTIONS,
	  .run = run_metrics },
	{ .name = "negative",
	  .args = "",
	  .summary = "peers that are not asked again for a while",
	  .op = "negative",
	  .show = show_negative },
	{ .name = "prefer",
	  .args = "[INTERFACE|PREFIX|ADDRESS PRIORITY [WEIGHT]] [--reset]",
	  .summary = "which locators to use first, until the daemon ends; --reset: as configured",
	  .flags = VERB_PREFER_OPTIONS,
	  .max_args = 3,
	  .op = "prefer",
	  .arguments = args_prefer,
	  .show = show_preferences },
	{ .name = "reload",
	  .args = "",
	  .summary = "read the configuration again",
	  .op = "reload",
	  .show = show_reload },
	{ .name = "establish",
	  .args = "LOCAL PEER",
	  .summary = "ask PEER for a context now",
	  .min_args = 2,
	  .max_args = 2,
	  .op = "establish",
	  .arguments = args_establish,
	  .show = show_established },
	{ .name = "explore",
	  .args = "ID [LOCAL PEER]",
	  .summary = "test a context's pairs, this one first",
	  .min_args = 1,
	  .max_args = 3,
	  .op = "explore",
	  .arguments = args_explore },
	{ .name = "drop",
	  .args = "ID",
	  .summary = "forget a context",
	  .min_args = 1,
	  .max_args = 1,
	  .op = "drop",
	  .arguments = args_id },
	{ .name = "addr generate",
	  .args = "--prefix P... [--sec N] [--key FILE|--new-key BITS]",
	  .summary = "make a set of addresses that prove each other (HBA)",
	  .flags = VERB_ADDR_OPTIONS | VERB_SLOW,
	  .op = "addr.generate",
	  .arguments = args_generate,
	  .show = show_generated,
	  .run = run_addr_generate },
	{ .name = "addr list",
	  .args = "",
	  .summary = "the sets and which addresses are in use (also addr alone)",
	  .op = "addr.list",
	  .show = show_sets,
	  .run = run_addr_list },
	{ .name = "addr delete",
	  .args = "FILE",
	  .summary = "delete a set",
	  .min_args = 1,
	  .max_args = 1,
	  .op = "addr.delete",
	  .arguments = args_file },
	{ .name = "doctor",
	  .args = "[PEER]",
	  .summary = "what keeps this host, or its sessions with PEER, from being protected, and how to mend it",
	  .max_args = 1,
	  .run = run_doctor },
	{ .name = "report",
	  .args = "",
	  .summary = "all that a report of a fault needs, as one text, private data masked",
	  .run = run_report },
	{ .name = "lab", .args = "...", .summary = "the testbed (shim6-lab)", .flags = VERB_PASS, .run = run_lab },
	{ .name = "help", .args = "[VERB]", .summary = "this text", .max_args = 2, .run = run_help },
};
const unsigned n_verbs = sizeof(verbs) / sizeof(verbs[0]);

/* --- verbs that are more than one question -------------------------------- */

int run_status(struct cli *c)
{
	struct json_object *status, *contexts;
	int code = ask(c, "status", NULL, &status);

	if (code != CLI_OK)
		return code;
	if (c->json) {
		print_json(c, status);
		json_object_put(status);
		return CLI_OK;
	}
	code = ask(c, "contexts", NULL, &contexts);
	if (code == CLI_OK) {
		show_host(&c->out, status);
		c->out.detail = true;
		put(&c->out, INK_NONE, "%s", js_length(contexts) ? "\n" : "");
		show_contexts(&c->out, contexts);
		json_object_put(contexts);
	}
	json_object_put(status);
	return code;
}

static void help_json(struct cli *c)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < n_verbs; i++) {
		struct json_object *v = json_object_new_object();

		json_object_object_add(v, "name", json_object_new_string(verbs[i].name));
		json_object_object_add(v, "args", json_object_new_string(verbs[i].args));
		json_object_object_add(v, "summary", json_object_new_string(verbs[i].summary));
		json_object_array_add(list, v);
	}
	print_json(c, list);
	json_object_put(list);
}

int run_help(struct cli *c)
{
	const struct verb *v = NULL;

	if (c->n_args) {
		unsigned used;

		v = find_verb(c, c->args, c->n_args, &used);
		if (!v)
			return CLI_USAGE;
	}
	if (c->json)
		help_json(c);
	else if (v)
		print_verb_usage(c, v);
	else
		print_usage(c);
	return CLI_OK;
}

void print_verb_usage(struct cli *c, const struct verb *v)
{
	put(&c->out, INK_NONE, "usage: shim6 %s%s%s\n  %s\n", v->name, *v->args ? " " : "", v->args, v->summary);
}

void print_usage(struct cli *c)
{
	struct table *t = table_new(2);

	put(&c->out, INK_NONE, "usage: shim6 [options] [verb]\n\n");
	for (unsigned i = 0; i < n_verbs; i++) {
		table_cell(t, INK_BOLD, "%s%s%s", verbs[i].name, *verbs[i].args ? " " : "", verbs[i].args);
		table_cell(t, INK_NONE, "%s", verbs[i].summary);
	}
	table_print(t, &c->out, 2);
	put(&c->out, INK_NONE,
	    "\nVerbs may be shortened as long as they are unique.\n\n"
	    "  --json           print the daemon's answer as JSON\n"
	    "  --socket PATH    speak to the daemon there (or SHIM6_SOCKET; default %s/%s)\n"
	    "  --color[=WHEN]   always, never or auto (a terminal, and NO_COLOR not set)\n"
	    "  --version\n\n"
	    "Exit codes: 0 done, 1 the daemon refused or failed, or doctor found a problem, 2 wrong command line, 3 no "
	    "daemon reached.\n",
	    CONTROL_DEFAULT_DIR, CONTROL_SOCKET);
}
