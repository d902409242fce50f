/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim6 metrics: what the daemon counts, for Prometheus (text exposition format
 * 0.0.4), on standard output or in a file for the textfile collector, which is
 * replaced whole. doc/metrics.md has the names; they are stable.
 *
 * A family is a JSON object, {"name","type","help","samples":[{"labels","value"}]},
 * so that --json prints what the text is made from. Each counter of the daemon
 * finds its family in the table below; one that nobody has sorted yet goes to
 * the family of its room, so that none is missing. The number of series does
 * not depend on what the network does: contexts are told one by one only with
 * --contexts N, and then N at most.
 */
#include "cli/cli.h"
#include "cli/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTEXTS_MAX 1000 /* of --contexts */

static const struct family {
	const char *name, *type, *help;
} families[] = {
	{ "shim6_up", "gauge", "Whether shim6d answers. 0: no other metric is there." },
	{ "shim6_build_info", "gauge", "Always 1; the labels tell the version and the data path." },
	{ "shim6_uptime_seconds", "gauge", "Time since shim6d started." },
	{ "shim6_send_timeout_seconds", "gauge", "Configured Send Timeout of REAP." },
	{ "shim6_contexts", "gauge", "Contexts in all." },
	{ "shim6_contexts_established", "gauge", "Contexts in state ESTABLISHED." },
	{ "shim6_contexts_exploring", "gauge", "Contexts that look for a working pair of addresses now." },
	{ "shim6_locators", "gauge", "Addresses of this host that are locators, by interface and state." },
	{ "shim6_hba_sets", "gauge", "Sets of addresses (HBA), by whether they are used." },
	{ "shim6_switches_total", "counter", "Times that a context went over to another pair of addresses." },
	{ "shim6_explorations_total", "counter", "Times that a context began to look for a working pair." },
	{ "shim6_fail_backs_total", "counter", "Returns to a better pair that works again." },
	{ "shim6_context_events_total", "counter", "What happened to contexts." },
	{ "shim6_messages_sent_total", "counter", "Shim6 and REAP messages sent, by type." },
	{ "shim6_messages_unsent_total", "counter", "Messages that could not be sent, by reason." },
	{ "shim6_messages_received_total", "counter", "Messages received that passed the checks, by type." },
	{ "shim6_messages_dropped_total", "counter", "Messages received and dropped, by reason." },
	{ "shim6_limits_reached_total", "counter", "Times that a limit refused something, by limit." },
	{ "shim6_packets_total", "counter",
	  "Payload packets of contexts, by direction; rewritten: with other addresses and a payload header." },
	{ "shim6_packets_dropped_total", "counter", "Packets that the data path dropped, by reason." },
	{ "shim6_icmp_total", "counter", "ICMPv6 errors about packets of contexts, by what became of them." },
	{ "shim6_held_segments", "gauge", "TCP segments kept to be sent again after a switch." },
	{ "shim6_held_segments_total", "counter",
	  "TCP segments kept while a path is suspected, by what became of them." },
	{ "shim6_held_errors", "gauge", "ICMPv6 errors kept until it is known whether another pair works." },
	{ "shim6_state_bytes", "gauge", "Size of the journal of contexts." },
	{ "shim6_loop_turn_longest_seconds", "gauge", "Processor time of the longest turn of the daemon's loop." },
	{ "shim6_hook_runs_total", "counter", "Events for the hook command, by what became of them." },
	{ "shim6_engine_total", "counter", "Other counters of the protocol engine." },
	{ "shim6_datapath_total", "counter", "Other counters of the data path." },
	{ "shim6_daemon_total", "counter", "Other counters of the daemon." },
	{ "shim6_contexts_omitted", "gauge", "With --contexts: contexts beyond that number, which are not told of." },
	{ "shim6_context_bytes_total", "counter", "Payload octets of one context, by direction." },
	{ "shim6_context_packets_total", "counter", "Payload packets of one context, by direction." },
	{ "shim6_context_switches_total", "counter", "Switches of one context." },
	{ "shim6_context_rewritten", "gauge", "1: the context uses other addresses than its ULIDs." },
	{ "shim6_context_operational", "gauge", "1: the pair in use works; 0: the context looks for another." },
};
#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

/*
 * Where a counter goes: the first row of its room whose name is the counter's,
 * or its beginning when the row ends in '*'. The label is the name without its
 * first cut characters.
 */
static const struct sorting {
	const char *room, *counter, *family, *label;
	unsigned cut;
	double divisor;
} sorted[] = {
	{ "engine", "tx_failed", "shim6_messages_unsent_total", "reason", 3, 1 },
	{ "engine", "tx_too_long", "shim6_messages_unsent_total", "reason", 3, 1 },
	{ "engine", "tx_*", "shim6_messages_sent_total", "type", 3, 1 },
	{ "engine", "rx_unknown_tag", "shim6_engine_total", "counter", 0, 1 },
	{ "engine", "rx_*", "shim6_messages_received_total", "type", 3, 1 },
	{ "engine", "drop_*", "shim6_messages_dropped_total", "reason", 5, 1 },
	{ "engine", "limit_*", "shim6_limits_reached_total", "limit", 6, 1 },
	{ "engine", "contexts_*", "shim6_context_events_total", "event", 9, 1 },
	{ "engine", "switches", "shim6_switches_total", NULL, 0, 1 },
	{ "engine", "explorations", "shim6_explorations_total", NULL, 0, 1 },
	{ "engine", "fail_backs", "shim6_fail_backs_total", NULL, 0, 1 },
	{ "engine", "*", "shim6_engine_total", "counter", 0, 1 },
	{ "datapath", "tx_plain", "shim6_packets_total", "kind", 0, 1 },
	{ "datapath", "tx_rewritten", "shim6_packets_total", "kind", 0, 1 },
	{ "datapath", "rx_plain", "shim6_packets_total", "kind", 0, 1 },
	{ "datapath", "rx_rewritten", "shim6_packets_total", "kind", 0, 1 },
	{ "datapath", "tx_detoured", "shim6_datapath_total", "counter", 0, 1 },
	{ "datapath", "tx_bypassed", "shim6_datapath_total", "counter", 0, 1 },
	{ "datapath", "tx_fragmented", "shim6_datapath_total", "counter", 0, 1 },
	{ "datapath", "rx_control", "shim6_datapath_total", "counter", 0, 1 },
	{ "datapath", "tx_*", "shim6_packets_dropped_total", "reason", 0, 1 },
	{ "datapath", "rx_*", "shim6_packets_dropped_total", "reason", 0, 1 },
	{ "datapath", "icmp_*", "shim6_icmp_total", "result", 5, 1 },
	{ "datapath", "*", "shim6_datapath_total", "counter", 0, 1 },
	{ "daemon", "held_now", "shim6_held_segments", NULL, 0, 1 },
	{ "daemon", "errors_now", "shim6_held_errors", NULL, 0, 1 },
	{ "daemon", "state_octets", "shim6_state_bytes", NULL, 0, 1 },
	{ "daemon", "turn_longest_us", "shim6_loop_turn_longest_seconds", NULL, 0, 1e6 },
	{ "daemon", "held_*", "shim6_held_segments_total", "result", 5, 1 },
	{ "daemon", "hooks_*", "shim6_hook_runs_total", "result", 6, 1 },
	{ "daemon", "*", "shim6_daemon_total", "counter", 0, 1 },
};

/* --- the families --------------------------------------------------------- */

static const struct family *family_of(const char *name)
{
	for (size_t i = 0; i < N_FAMILIES; i++) {
		if (strcmp(families[i].name, name) == 0)
			return &families[i];
	}
	return NULL;
}

/* Takes over labels, which may be NULL. A name that is not in the table is a mistake of ours. */
static void sample(struct json_object *all, const char *name, struct json_object *labels, double value)
{
	struct json_object *f = js_get(all, name), *s = json_object_new_object();
	const struct family *known = family_of(name);

	if (!known)
		abort();
	if (!f) {
		f = json_object_new_object();
		json_object_object_add(f, "name", json_object_new_string(known->name));
		json_object_object_add(f, "type", json_object_new_string(known->type));
		json_object_object_add(f, "help", json_object_new_string(known->help));
		json_object_object_add(f, "samples", json_object_new_array());
		json_object_object_add(all, name, f);
	}
	json_object_object_add(s, "labels", labels ? labels : json_object_new_object());
	json_object_object_add(s, "value", json_object_new_double(value));
	json_object_array_add(js_get(f, "samples"), s);
}

static struct json_object *label(struct json_object *labels, const char *name, const char *value)
{
	struct json_object *o = labels ? labels : json_object_new_object();

	json_object_object_add(o, name, json_object_new_string(value));
	return o;
}

static bool sorts(const struct sorting *s, const char *room, const char *counter)
{
	size_t n = strlen(s->counter);

	if (strcmp(s->room, room) != 0)
		return false;
	if (s->counter[n - 1] == '*')
		return strncmp(s->counter, counter, n - 1) == 0;
	return strcmp(s->counter, counter) == 0;
}

static void add_counter(struct json_object *all, const char *room, const char *counter, double value)
{
	struct json_object *labels = NULL;

	for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++) {
		const struct sorting *s = &sorted[i];

		if (!sorts(s, room, counter))
			continue;
		if (s->label)
			labels = label(NULL, s->label, counter + s->cut);
		sample(all, s->family, labels, value / s->divisor);
		return;
	}
}

static void add_stats(struct json_object *all, struct json_object *stats)
{
	static const char *const rooms[] = { "engine", "datapath", "daemon" };

	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct json_object *room = js_get(stats, rooms[i]);

		if (!json_object_is_type(room, json_type_object))
			continue;
		json_object_object_foreach(room, counter, value)
			add_counter(all, rooms[i], counter, json_object_get_double(value));
	}
}

static void add_locators(struct json_object *all, struct json_object *list)
{
	size_t n = js_length(list);

	for (size_t i = 0; i < n; i++) {
		const char *name = js_text(json_object_array_get_idx(list, i), "ifname");
		unsigned up = 0, down = 0;
		bool first = true;

		for (size_t k = 0; k < n; k++) {
			struct json_object *l = json_object_array_get_idx(list, k);

			if (strcmp(js_text(l, "ifname"), name) != 0)
				continue;
			first = first && k >= i;
			up += js_bool(l, "up");
			down += !js_bool(l, "up");
		}
		if (!first)
			continue;
		sample(all, "shim6_locators", label(label(NULL, "interface", name), "state", "up"), up);
		sample(all, "shim6_locators", label(label(NULL, "interface", name), "state", "down"), down);
	}
}

static void add_sets(struct json_object *all, struct json_object *sets)
{
	unsigned given_up = 0;

	for (size_t i = 0; i < js_length(sets); i++)
		given_up += js_bool(json_object_array_get_idx(sets, i), "given_up");
	sample(all, "shim6_hba_sets", label(NULL, "state", "good"), (double)js_length(sets) - given_up);
	sample(all, "shim6_hba_sets", label(NULL, "state", "given_up"), given_up);
}

static void add_status(struct json_object *all, struct json_object *status)
{
	struct json_object *labels = label(NULL, "version", js_text(status, "version"));

	sample(all, "shim6_build_info", label(labels, "datapath", js_text(status, "datapath")), 1);
	sample(all, "shim6_uptime_seconds", NULL, js_number(status, "uptime_s"));
	sample(all, "shim6_send_timeout_seconds", NULL, js_number(status, "send_timeout_s"));
	sample(all, "shim6_contexts", NULL, js_number(status, "contexts"));
	sample(all, "shim6_contexts_established", NULL, js_number(status, "established"));
	sample(all, "shim6_contexts_exploring", NULL, js_number(status, "exploring"));
	add_locators(all, js_get(status, "locators"));
}

/* --- contexts one by one -------------------------------------------------- */

static struct json_object *context_labels(struct json_object *c)
{
	struct json_object *ulid = js_get(c, "ulid");
	char id[24], fork[24];

	snprintf(id, sizeof(id), "%.0f", js_number(c, "id"));
	snprintf(fork, sizeof(fork), "%.0f", js_number(c, "fii"));
	return label(label(label(label(NULL, "context", id), "local", js_text(ulid, "local")), "peer",
			   js_text(ulid, "peer")),
		     "fork", fork);
}

static void add_context(struct json_object *all, struct json_object *c)
{
	struct json_object *n = js_get(c, "counters");

	sample(all, "shim6_context_bytes_total", label(context_labels(c), "direction", "tx"), js_number(n, "tx_bytes"));
	sample(all, "shim6_context_bytes_total", label(context_labels(c), "direction", "rx"), js_number(n, "rx_bytes"));
	sample(all, "shim6_context_packets_total", label(context_labels(c), "direction", "tx"),
	       js_number(n, "tx_packets"));
	sample(all, "shim6_context_packets_total", label(context_labels(c), "direction", "rx"),
	       js_number(n, "rx_packets"));
	sample(all, "shim6_context_switches_total", context_labels(c), js_number(n, "switches"));
	sample(all, "shim6_context_rewritten", context_labels(c), js_bool(c, "rewritten"));
	sample(all, "shim6_context_operational", context_labels(c), strcmp(js_text(c, "reap"), "Operational") == 0);
}

static void add_contexts(struct json_object *all, struct json_object *contexts, double there, unsigned long max)
{
	size_t n = js_length(contexts);

	if (n > max)
		n = max;
	for (size_t i = 0; i < n; i++)
		add_context(all, json_object_array_get_idx(contexts, i));
	sample(all, "shim6_contexts_omitted", NULL, there > (double)n ? there - (double)n : 0);
}

/* --- text ----------------------------------------------------------------- */

static void put_escaped(FILE *f, const char *s, bool quoted)
{
	for (; *s; s++) {
		if (*s == '\\' || (quoted && *s == '"'))
			fprintf(f, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", f);
		else
			fputc(*s, f);
	}
}

static void put_sample(FILE *f, const char *name, struct json_object *s)
{
	const char *between = "{";

	fputs(name, f);
	json_object_object_foreach(js_get(s, "labels"), key, value)
	{
		fprintf(f, "%s%s=\"", between, key);
		put_escaped(f, json_object_get_string(value), true);
		fputc('"', f);
		between = ",";
	}
	fprintf(f, "%s %.17g\n", *between == ',' ? "}" : "", js_number(s, "value"));
}

/* In the order of the table, whatever the order of the counters. */
static struct json_object *in_order(struct json_object *all)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < N_FAMILIES; i++) {
		struct json_object *f = js_get(all, families[i].name);

		if (f)
			json_object_array_add(list, json_object_get(f));
	}
	return list;
}

void metrics_text(FILE *f, struct json_object *list)
{
	for (size_t i = 0; i < js_length(list); i++) {
		struct json_object *m = json_object_array_get_idx(list, i), *samples = js_get(m, "samples");

		fprintf(f, "# HELP %s ", js_text(m, "name"));
		put_escaped(f, js_text(m, "help"), false);
		fprintf(f, "\n# TYPE %s %s\n", js_text(m, "name"), js_text(m, "type"));
		for (size_t k = 0; k < js_length(samples); k++)
			put_sample(f, js_text(m, "name"), json_object_array_get_idx(samples, k));
	}
}

struct json_object *metrics_make(const struct metrics_source *s)
{
	struct json_object *all = json_object_new_object(), *list;

	sample(all, "shim6_up", NULL, s->status != NULL);
	if (s->status) {
		add_status(all, s->status);
		add_sets(all, s->sets);
		add_stats(all, s->stats);
		if (s->max_contexts)
			add_contexts(all, s->contexts, js_number(s->status, "contexts"), s->max_contexts);
	}
	list = in_order(all);
	json_object_put(all);
	return list;
}

/* --- the file ------------------------------------------------------------- */

/* A temporary name that no collector takes for one of its files: it does not end in ".prom". */
static FILE *open_beside(const char *path, char *temporary, size_t len)
{
	int n = snprintf(temporary, len, "%s.%ld.tmp", path, (long)getpid());
	int fd;

	if (n < 0 || (size_t)n >= len) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static void print(struct cli *c, FILE *f, struct json_object *list)
{
	if (c->json)
		fprintf(f, "%s\n",
			json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
								     JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		metrics_text(f, list);
}

static int write_file(struct cli *c, struct json_object *list)
{
	char temporary[4096];
	FILE *f = open_beside(c->output, temporary, sizeof(temporary));
	struct stat st;
	bool ok;

	if (!f)
		return complain(c, CLI_FAILED, "is the directory there, and yours to write to?", "cannot write %s: %s",
				c->output, strerror(errno));
	print(c, f, list);
	ok = !ferror(f);
	ok = fclose(f) == 0 && ok;
	/* What is no file, such as a directory or a device, is not replaced by one. */
	if (ok && lstat(c->output, &st) == 0 && !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
		ok = false;
	}
	if (ok && rename(temporary, c->output) == 0)
		return CLI_OK;
	complain(c, CLI_FAILED, "the file stays as it was", "cannot write %s: %s", c->output, strerror(errno));
	unlink(temporary);
	return CLI_FAILED;
}

static int put_out(struct cli *c, const struct metrics_source *s)
{
	struct json_object *list = metrics_make(s);
	int code = CLI_OK;

	if (c->output)
		code = write_file(c, list);
	else
		print(c, c->out.f, list);
	json_object_put(list);
	return code;
}

/* --- the verb ------------------------------------------------------------- */

static int collect(struct cli *c, struct control_client *client, struct metrics_source *s)
{
	int code = ask_on(c, client, "status", NULL, &s->status);

	if (code == CLI_OK)
		code = ask_on(c, client, "stats", NULL, &s->stats);
	if (code == CLI_OK)
		code = ask_on(c, client, "addr.list", NULL, &s->sets);
	if (code == CLI_OK && s->max_contexts)
		code = ask_some(c, client, "contexts", NULL, s->max_contexts, &s->contexts);
	return code;
}

int run_metrics(struct cli *c)
{
	struct metrics_source s = { 0 };
	struct control_client *client;
	int code;

	if (c->contexts && !number_from_to(c, "--contexts", c->contexts, 1, CONTEXTS_MAX, &s.max_contexts))
		return CLI_USAGE;
	if (c->output && !*c->output)
		return complain(c, CLI_USAGE, NULL, "--output needs the name of a file");
	code = ask_connect(c, &client);
	if (code == CLI_OK) {
		code = collect(c, client, &s);
		control_close(client);
	}
	if (code != CLI_OK) { /* an old file would tell of a daemon that is no more */
		json_object_put(s.status);
		s.status = NULL;
		put_out(c, &s);
	} else {
		code = put_out(c, &s);
	}
	json_object_put(s.status);
	json_object_put(s.stats);
	json_object_put(s.sets);
	json_object_put(s.contexts);
	return code;
}
