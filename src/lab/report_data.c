// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads result.json. Structure, types and ranges are strict, because a report
 * drawn from a broken file would lie; words (kinds, ends) are taken as they
 * are, and unknown members are passed over, so that an older report reads a
 * newer result.
 */
#include "lab/report_data.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/util.h"

/* A value and the way to it, for errors: members have a key, items of lists an index. */
struct at {
	const struct at *up;
	const char *file; /* of the topmost one */
	const char *key;
	size_t index;
	struct json_object *o; /* NULL: missing, or null */
};

static void add_path(struct strbuf *b, const struct at *at)
{
	if (!at->up)
		return;
	add_path(b, at->up);
	if (!at->key)
		strbuf_printf(b, "[%zu]", at->index);
	else
		strbuf_printf(b, "%s%s", at->up->up ? "." : "", at->key);
}

static const char *file_of(const struct at *at)
{
	while (at->up)
		at = at->up;
	return at->file;
}

static int wrong(const struct at *at, const char *expected)
{
	struct strbuf path = { 0 };
	const char *found = "nothing";

	add_path(&path, at);
	if (at->o)
		found = json_object_to_json_string_ext(at->o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	lab_error("%s: %s: expected %s, found %.60s%s", file_of(at), path.s ? path.s : "the whole", expected, found,
		  strlen(found) > 60 ? "..." : "");
	strbuf_free(&path);
	return -1;
}

static struct at member(const struct at *up, const char *key)
{
	struct at at = { .up = up, .key = key };

	json_object_object_get_ex(up->o, key, &at.o);
	return at;
}

static struct at item(const struct at *up, size_t i)
{
	return (struct at){ .up = up, .index = i, .o = json_object_array_get_idx(up->o, i) };
}

/* --- values: "may_" ones leave *out alone when the member is missing ------- */

static int may_text(const struct at *up, const char *key, const char **out)
{
	struct at at = member(up, key);

	if (!at.o)
		return 0;
	if (!json_object_is_type(at.o, json_type_string))
		return wrong(&at, "a text");
	*out = json_object_get_string(at.o);
	return 0;
}

static int must_text(const struct at *up, const char *key, const char **out)
{
	struct at at = member(up, key);

	if (may_text(up, key, out))
		return -1;
	return at.o && **out ? 0 : wrong(&at, "a text that is not empty");
}

static bool is_number(struct json_object *o)
{
	return json_object_is_type(o, json_type_int) || json_object_is_type(o, json_type_double);
}

static int real_of(const struct at *at, double min, double max, double *out)
{
	char expected[96];
	double v = is_number(at->o) ? json_object_get_double(at->o) : NAN;

	if (v >= min && v <= max) {
		*out = v;
		return 0;
	}
	lab_format(expected, sizeof(expected), "a number from %g to %.0f", min, max);
	return wrong(at, expected);
}

static int may_real(const struct at *up, const char *key, double min, double max, double *out)
{
	struct at at = member(up, key);

	return at.o ? real_of(&at, min, max, out) : 0;
}

static int must_real(const struct at *up, const char *key, double min, double max, double *out)
{
	struct at at = member(up, key);

	return real_of(&at, min, max, out);
}

static int count_of(const struct at *at, uint64_t *out)
{
	double v = json_object_is_type(at->o, json_type_double) ? json_object_get_double(at->o) : -1;

	if (json_object_is_type(at->o, json_type_int) && json_object_get_int64(at->o) >= 0)
		*out = json_object_get_uint64(at->o);
	else if (v >= 0 && v < 1e15 && v == floor(v))
		*out = (uint64_t)v;
	else
		return wrong(at, "a whole number, 0 or more");
	return 0;
}

static int may_count(const struct at *up, const char *key, struct report_count *out)
{
	struct at at = member(up, key);

	if (!at.o)
		return 0;
	out->known = true;
	return count_of(&at, &out->n);
}

static int must_bool(const struct at *up, const char *key, bool *out)
{
	struct at at = member(up, key);

	if (!json_object_is_type(at.o, json_type_boolean))
		return wrong(&at, "true or false");
	*out = json_object_get_boolean(at.o);
	return 0;
}

/* 1, 0, or still what it was. */
static int may_bool(const struct at *up, const char *key, int *out)
{
	struct at at = member(up, key);
	bool v = false;

	if (!at.o)
		return 0;
	if (must_bool(up, key, &v))
		return -1;
	*out = v;
	return 0;
}

static int check_object(const struct at *at)
{
	return json_object_is_type(at->o, json_type_object) ? 0 : wrong(at, "an object {...}");
}

/* --- lists ------------------------------------------------------------------ */

typedef int (*read_item)(const struct at *at, void *out);

/* Each item through fn into an array of its own; missing: an empty one. */
static int may_list(const struct at *up, const char *key, read_item fn, size_t size, void *array, size_t *n)
{
	struct at at = member(up, key);
	char *items;
	size_t count;

	if (!at.o)
		return 0;
	if (!json_object_is_type(at.o, json_type_array))
		return wrong(&at, "a list [...]");
	count = json_object_array_length(at.o);
	items = lab_alloc(count * size);
	memcpy(array, &items, sizeof(items));
	*n = count; /* zeroed items are valid ones, so that a file broken half way can be freed */
	for (size_t i = 0; i < count; i++) {
		struct at one = item(&at, i);

		if (fn(&one, items + i * size))
			return -1;
	}
	return 0;
}

#define MAY_LIST(up, key, fn, array, n) may_list(up, key, fn, sizeof(**(array)), array, n)

/* A list of exactly n numbers. */
static int check_tuple(const struct at *at, size_t n, const char *expected)
{
	if (!json_object_is_type(at->o, json_type_array) || json_object_array_length(at->o) != n)
		return wrong(at, expected);
	return 0;
}

/* --- streams ---------------------------------------------------------------- */

static int read_bucket(const struct at *at, void *out)
{
	struct report_bucket *b = out;
	struct at part;

	if (check_tuple(at, 3, "[index, bytes, packets]"))
		return -1;
	part = item(at, 0);
	if (count_of(&part, &b->index))
		return -1;
	part = item(at, 1);
	if (count_of(&part, &b->bytes))
		return -1;
	part = item(at, 2);
	return count_of(&part, &b->packets);
}

static int read_silence(const struct at *at, void *out)
{
	struct report_silence *s = out;
	struct at part;

	if (check_tuple(at, 2, "[start_s, end_s]"))
		return -1;
	part = item(at, 0);
	if (real_of(&part, 0, REPORT_MAX_SECONDS, &s->start))
		return -1;
	part = item(at, 1);
	return real_of(&part, s->start, REPORT_MAX_SECONDS, &s->end);
}

static int read_stream(const struct at *at, void *out)
{
	struct report_stream *s = out;
	int intact = -1;

	*s = (struct report_stream){ .kind = "", .direction = "", .end = "", .name = "", .longest_silence = -1 };
	if (check_object(at) || must_text(at, "name", &s->name) || may_text(at, "kind", &s->kind) ||
	    may_text(at, "direction", &s->direction) || may_text(at, "end", &s->end) ||
	    MAY_LIST(at, "buckets", read_bucket, &s->buckets, &s->n_buckets) ||
	    MAY_LIST(at, "silences", read_silence, &s->silences, &s->n_silences) ||
	    may_real(at, "longest_silence_s", 0, REPORT_MAX_SECONDS, &s->longest_silence) ||
	    may_count(at, "bytes", &s->bytes) || may_count(at, "packets", &s->packets) ||
	    may_count(at, "sent", &s->sent) || may_count(at, "received", &s->received) ||
	    may_count(at, "lost", &s->lost) || may_count(at, "duplicates", &s->duplicates) ||
	    may_count(at, "reordered", &s->reordered) || may_bool(at, "intact", &intact))
		return -1;
	s->intact = intact < 0 ? REPORT_INTACT_UNKNOWN : intact ? REPORT_INTACT : REPORT_DAMAGED;
	return 0;
}

/* --- hosts and their contexts ----------------------------------------------- */

static int may_pair(const struct at *up, const char *key, struct report_pair *out)
{
	struct at at = member(up, key);

	out->local = out->peer = "";
	if (!at.o)
		return 0;
	return check_object(&at) || may_text(&at, "local", &out->local) || may_text(&at, "peer", &out->peer) ? -1 : 0;
}

static int read_locator(const struct at *at, void *out)
{
	struct report_locator *l = out;
	int broken = 0;

	*l = (struct report_locator){ .addr = "", .method = "", .up = -1, .verified = -1 };
	if (check_object(at) || may_text(at, "addr", &l->addr) || may_text(at, "method", &l->method) ||
	    may_bool(at, "up", &l->up) || may_bool(at, "verified", &l->verified) || may_bool(at, "broken", &broken))
		return -1;
	l->broken = broken;
	return 0;
}

static int read_locators(const struct at *up, struct report_context *c)
{
	struct at at = member(up, "locators");

	if (!at.o)
		return 0;
	return check_object(&at) || MAY_LIST(&at, "local", read_locator, &c->local, &c->n_local) ||
			       MAY_LIST(&at, "peer", read_locator, &c->peer, &c->n_peer)
		       ? -1
		       : 0;
}

static int read_switch(const struct at *up, struct report_switch *s)
{
	struct at at = member(up, "last_switch");

	*s = (struct report_switch){ .ago_s = -1, .took_ms = -1, .reason = "" };
	s->from = s->to = (struct report_pair){ "", "" };
	if (!at.o)
		return 0;
	s->any = true;
	return check_object(&at) || may_real(&at, "ago_s", 0, 1e9, &s->ago_s) ||
			       may_real(&at, "took_ms", 0, 1e12, &s->took_ms) || may_text(&at, "reason", &s->reason) ||
			       may_pair(&at, "from", &s->from) || may_pair(&at, "to", &s->to)
		       ? -1
		       : 0;
}

static int read_counters(const struct at *up, struct report_context *c)
{
	struct at at = member(up, "counters");

	if (!at.o)
		return 0;
	return check_object(&at) || may_count(&at, "switches", &c->switches) ||
			       may_count(&at, "episodes", &c->episodes) ||
			       may_count(&at, "probes_sent", &c->probes_sent) ||
			       may_count(&at, "probes_received", &c->probes_received) ||
			       may_count(&at, "keepalives_sent", &c->keepalives_sent) ||
			       may_count(&at, "keepalives_received", &c->keepalives_received) ||
			       may_count(&at, "tx_packets", &c->tx_packets) ||
			       may_count(&at, "tx_bytes", &c->tx_bytes) ||
			       may_count(&at, "rx_packets", &c->rx_packets) || may_count(&at, "rx_bytes", &c->rx_bytes)
		       ? -1
		       : 0;
}

static int read_context(const struct at *at, void *out)
{
	struct report_context *c = out;

	*c = (struct report_context){
		.state = "", .reap = "", .initiator = -1, .send_timeout = -1, .keepalive_timeout = -1
	};
	if (check_object(at) || may_count(at, "id", &c->id) || may_count(at, "fii", &c->fii) ||
	    may_count(at, "mtu", &c->mtu) || may_text(at, "state", &c->state) || may_text(at, "reap", &c->reap) ||
	    may_bool(at, "initiator", &c->initiator) || may_pair(at, "ulid", &c->ulid) ||
	    may_pair(at, "tag", &c->tag) || may_pair(at, "current", &c->current) ||
	    may_real(at, "send_timeout_s", 0, 1e9, &c->send_timeout) ||
	    may_real(at, "keepalive_timeout_s", 0, 1e9, &c->keepalive_timeout) || read_switch(at, &c->last_switch) ||
	    read_locators(at, c) || read_counters(at, c))
		return -1;
	return 0;
}

static int read_host(const struct at *at, void *out)
{
	struct report_host *h = out;
	struct at stats;

	h->name = "";
	if (check_object(at) || must_text(at, "host", &h->name) ||
	    MAY_LIST(at, "contexts", read_context, &h->contexts, &h->n_contexts))
		return -1;
	stats = member(at, "stats");
	if (stats.o && check_object(&stats))
		return -1;
	h->stats = stats.o;
	return 0;
}

/* --- runs ------------------------------------------------------------------- */

static int read_mark(const struct at *at, void *out)
{
	struct report_mark *m = out;

	*m = (struct report_mark){ .kind = "", .host = "", .label = "", .text = "" };
	return check_object(at) || must_real(at, "t_s", -REPORT_MAX_SECONDS, REPORT_MAX_SECONDS, &m->t) ||
			       must_text(at, "kind", &m->kind) || may_text(at, "host", &m->host) ||
			       may_text(at, "label", &m->label) || may_text(at, "text", &m->text)
		       ? -1
		       : 0;
}

static int read_drops(const struct at *at, void *out)
{
	struct report_drops *d = out;

	d->provider = "";
	return check_object(at) || must_text(at, "provider", &d->provider) || may_count(at, "packets", &d->packets) ? -1
														    : 0;
}

static int by_time(const void *a, const void *b)
{
	const struct report_mark *x = a, *y = b;

	return (x->t > y->t) - (x->t < y->t);
}

static int read_run(const struct at *at, void *out)
{
	struct report_run *r = out;
	int shim6 = 0;

	r->name = "";
	if (check_object(at) || must_text(at, "name", &r->name) || may_bool(at, "shim6", &shim6) ||
	    MAY_LIST(at, "streams", read_stream, &r->streams, &r->n_streams) ||
	    MAY_LIST(at, "marks", read_mark, &r->marks, &r->n_marks) ||
	    MAY_LIST(at, "hosts", read_host, &r->hosts, &r->n_hosts) ||
	    MAY_LIST(at, "ingress_drops", read_drops, &r->drops, &r->n_drops))
		return -1;
	r->shim6 = shim6;
	if (r->n_marks)
		qsort(r->marks, r->n_marks, sizeof(*r->marks), by_time);
	return 0;
}

static int read_verdict(const struct at *at, void *out)
{
	struct report_verdict *v = out;

	v->text = "";
	return check_object(at) || must_bool(at, "ok", &v->ok) || must_text(at, "text", &v->text) ? -1 : 0;
}

/* Buckets lie in a time that can be drawn; the bucket size is known only now. */
static int check_times(const struct at *top, const struct report *r)
{
	double last = REPORT_MAX_SECONDS / r->bucket;

	for (size_t i = 0; i < r->n_runs; i++) {
		for (size_t j = 0; j < r->runs[i].n_streams; j++) {
			const struct report_stream *s = &r->runs[i].streams[j];

			for (size_t k = 0; k < s->n_buckets; k++) {
				if ((double)s->buckets[k].index >= last)
					return lab_error("%s: runs[%zu].streams[%zu].buckets[%zu]: bucket %llu of %g s "
							 "lies more than %.0f days after the start",
							 file_of(top), i, j, k, (unsigned long long)s->buckets[k].index,
							 r->bucket, REPORT_MAX_SECONDS / 86400);
			}
		}
	}
	return 0;
}

static int read_top(const struct at *at, struct report *r)
{
	struct at v = member(at, "v"), runs = member(at, "runs");

	if (!json_object_is_type(v.o, json_type_int) || json_object_get_int64(v.o) != REPORT_VERSION)
		return wrong(&v, "1, the version of the format that this program reads");
	if (may_text(at, "title", &r->title) || may_text(at, "when", &r->when) || may_text(at, "kernel", &r->kernel) ||
	    may_text(at, "version", &r->version) || may_real(at, "send_timeout_s", 0, 1e9, &r->send_timeout) ||
	    may_real(at, "delay_ms", 0, 1e9, &r->delay_ms) ||
	    must_real(at, "duration_s", 0.001, REPORT_MAX_SECONDS, &r->duration) ||
	    must_real(at, "bucket_s", 0.0001, REPORT_MAX_SECONDS, &r->bucket))
		return -1;
	if (!json_object_is_type(runs.o, json_type_array) || !json_object_array_length(runs.o))
		return wrong(&runs, "a list [...] with at least one run");
	if (MAY_LIST(at, "runs", read_run, &r->runs, &r->n_runs) ||
	    MAY_LIST(at, "verdicts", read_verdict, &r->verdicts, &r->n_verdicts))
		return -1;
	return check_times(at, r);
}

/* --- the file --------------------------------------------------------------- */

static int syntax_error(const char *name, const char *json, size_t offset, const char *what)
{
	unsigned line = 1;
	size_t start = 0;

	for (size_t i = 0; i < offset; i++) {
		if (json[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	return lab_error("%s: not JSON: line %u, column %zu: %s", name, line, offset - start + 1, what);
}

static bool only_space(const char *s, size_t len)
{
	while (len && (*s == ' ' || *s == '\t' || *s == '\r' || *s == '\n')) {
		s++;
		len--;
	}
	return !len;
}

static struct json_object *parse_json(const char *name, const char *json, size_t len)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *o;
	enum json_tokener_error e;
	size_t end;

	if (only_space(json, len) || len > INT32_MAX) {
		json_tokener_free(tok);
		lab_error("%s: %s", name, len > INT32_MAX ? "larger than 2 GiB" : "empty, there is nothing to report");
		return NULL;
	}
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, json, (int)len);
	e = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	if (e == json_tokener_success && json_object_is_type(o, json_type_object))
		return o;
	if (e == json_tokener_continue)
		syntax_error(name, json, len, "the file ends in the middle");
	else if (e != json_tokener_success)
		syntax_error(name, json, end, json_tokener_error_desc(e));
	else
		lab_error("%s: expected an object {...}", name);
	json_object_put(o);
	return NULL;
}

int report_parse(struct report *r, const char *name, const char *json, size_t len)
{
	struct at top = { .file = name };

	*r = (struct report){
		.title = "", .when = "", .kernel = "", .version = "", .send_timeout = -1, .delay_ms = -1
	};
	r->root = top.o = parse_json(name, json, len);
	if (!r->root)
		return -1;
	if (!read_top(&top, r))
		return 0;
	report_free(r);
	return -1;
}

int report_read(struct report *r, const char *path)
{
	struct strbuf text = { 0 };
	int rc;

	memset(r, 0, sizeof(*r));
	rc = file_read(path, &text);
	if (!rc)
		rc = report_parse(r, path, text.s ? text.s : "", text.len);
	strbuf_free(&text);
	return rc;
}

static void free_host(struct report_host *h)
{
	for (size_t i = 0; i < h->n_contexts; i++) {
		free(h->contexts[i].local);
		free(h->contexts[i].peer);
	}
	free(h->contexts);
}

static void free_run(struct report_run *run)
{
	for (size_t i = 0; i < run->n_streams; i++) {
		free(run->streams[i].buckets);
		free(run->streams[i].silences);
	}
	for (size_t i = 0; i < run->n_hosts; i++)
		free_host(&run->hosts[i]);
	free(run->streams);
	free(run->marks);
	free(run->hosts);
	free(run->drops);
}

void report_free(struct report *r)
{
	for (size_t i = 0; i < r->n_runs; i++)
		free_run(&r->runs[i]);
	free(r->runs);
	free(r->verdicts);
	json_object_put(r->root);
	memset(r, 0, sizeof(*r));
}

/* --- groups ----------------------------------------------------------------- */

static bool same_stream(const struct report_stream *a, const struct report_stream *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->kind, b->kind) && !strcmp(a->direction, b->direction);
}

/* The first group of its like that has no stream of this run yet, else a new one at *n. */
static size_t group_of(const struct report *r, const struct report_stream **table, size_t *n, size_t run,
		       const struct report_stream *s)
{
	for (size_t g = 0; g < *n; g++) {
		const struct report_stream **row = table + g * r->n_runs;

		for (size_t i = 0; i < run && !row[run]; i++) {
			if (row[i] && same_stream(row[i], s))
				return g;
		}
	}
	return (*n)++;
}

const struct report_stream **report_groups(const struct report *r, size_t *n_groups)
{
	const struct report_stream **table;
	size_t most = 0;

	*n_groups = 0;
	for (size_t i = 0; i < r->n_runs; i++)
		most += r->runs[i].n_streams;
	table = lab_alloc(most * r->n_runs * sizeof(*table));
	for (size_t i = 0; i < r->n_runs; i++) {
		for (size_t j = 0; j < r->runs[i].n_streams; j++) {
			const struct report_stream *s = &r->runs[i].streams[j];
			size_t g = group_of(r, table, n_groups, i, s);

			table[g * r->n_runs + i] = s;
		}
	}
	return table;
}
