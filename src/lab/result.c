// SPDX-License-Identifier: GPL-2.0-or-later
/* result.json, version 1: what a run writes and the report draws. */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "lab/measure.h"
#include "lab/topology.h"
#include "lab/trial.h"

#ifndef SHIM6_VERSION
#define SHIM6_VERSION "unknown"
#endif

static void put_text(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v));
}

static void put_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

/* Seconds with microseconds; json-c would print all 17 digits of a double. */
static struct json_object *seconds(double s)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6f", s);
	return json_object_new_double_s(s, text);
}

static struct json_object *span(uint64_t start, uint64_t end)
{
	struct json_object *a = json_object_new_array();

	json_object_array_add(a, seconds((double)start / 1e9));
	json_object_array_add(a, seconds((double)end / 1e9));
	return a;
}

static struct json_object *bucket_json(const struct stream_bucket *b)
{
	struct json_object *a = json_object_new_array();

	json_object_array_add(a, json_object_new_uint64(b->index));
	json_object_array_add(a, json_object_new_uint64(b->bytes));
	json_object_array_add(a, json_object_new_uint64(b->packets));
	return a;
}

static struct json_object *stream_json(const struct stream *s)
{
	struct json_object *o = json_object_new_object(), *buckets = json_object_new_array(),
			   *silences = json_object_new_array();

	put_text(o, "name", s->name);
	put_text(o, "kind", s->udp ? "udp" : "tcp");
	put_text(o, "direction", s->direction);
	for (size_t i = 0; i < s->n_buckets; i++)
		json_object_array_add(buckets, bucket_json(&s->buckets[i]));
	json_object_object_add(o, "buckets", buckets);
	for (size_t i = 0; i < s->n_silences; i++)
		json_object_array_add(silences, span(s->silences[i].start, s->silences[i].end));
	json_object_object_add(o, "silences", silences);
	json_object_object_add(o, "longest_silence_s", seconds((double)(s->longest.end - s->longest.start) / 1e9));
	put_u64(o, "bytes", s->bytes);
	put_u64(o, "packets", s->packets);
	if (s->udp) {
		put_u64(o, "sent", s->sent);
		put_u64(o, "received", s->received);
		put_u64(o, "lost", stream_lost(s));
		put_u64(o, "duplicates", s->duplicates);
		put_u64(o, "reordered", s->reordered);
	}
	put_text(o, "end", stream_end_name(s->end));
	json_object_object_add(o, "intact", s->intact < 0 ? NULL : json_object_new_boolean(s->intact));
	return o;
}

static struct json_object *streams_json(const struct trial *t, const struct run *r)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < r->n_flows; i++) {
		struct json_object *o = stream_json(&r->flows[i].s);
		uint64_t after = verdict_lost_after_switch(t, r, &r->flows[i]);

		if (after != UINT64_MAX)
			put_u64(o, "lost_after_switch", after);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *marks_json(const struct run *r)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < r->n_marks; i++) {
		const struct mark *m = &r->marks[i];
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "t_s", seconds(m->t));
		put_text(o, "kind", m->kind);
		json_object_object_add(o, "host", m->host ? json_object_new_string_len(&m->host, 1) : NULL);
		put_text(o, "label", m->label);
		put_text(o, "text", m->text);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *hosts_json(const struct run *r)
{
	struct json_object *list = json_object_new_array();

	for (unsigned h = 0; r->shim6 && h < LAB_HOSTS; h++) {
		struct json_object *o = json_object_new_object();
		char letter[2] = { topology_host_letter(h), '\0' };

		put_text(o, "host", letter);
		json_object_object_add(o, "contexts",
				       r->contexts[h] ? json_object_get(r->contexts[h]) : json_object_new_array());
		json_object_object_add(o, "stats",
				       r->stats[h] ? json_object_get(r->stats[h]) : json_object_new_object());
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *drops_json(const struct run *r)
{
	struct json_object *list = json_object_new_array();

	for (unsigned h = 0; h < LAB_HOSTS; h++) {
		for (unsigned p = 0; p < LAB_PROVIDERS; p++) {
			struct json_object *o = json_object_new_object();
			char name[] = { topology_host_letter(h), (char)('1' + p), '\0' };

			put_text(o, "provider", name);
			put_u64(o, "packets", r->ingress_drops[h][p]);
			json_object_array_add(list, o);
		}
	}
	return list;
}

static struct json_object *run_json(const struct trial *t, const struct run *r)
{
	struct json_object *o = json_object_new_object();

	put_text(o, "name", r->name);
	json_object_object_add(o, "shim6", json_object_new_boolean(r->shim6));
	json_object_object_add(o, "streams", streams_json(t, r));
	json_object_object_add(o, "marks", marks_json(r));
	json_object_object_add(o, "hosts", hosts_json(r));
	json_object_object_add(o, "ingress_drops", drops_json(r));
	return o;
}

static struct json_object *trial_json(const struct trial *t)
{
	struct json_object *o = json_object_new_object(), *runs = json_object_new_array(),
			   *verdicts = json_object_new_array();
	struct utsname uts;

	json_object_object_add(o, "v", json_object_new_int(1));
	put_text(o, "title", t->plan.title);
	put_text(o, "scenario", t->plan.name);
	put_text(o, "when", t->when);
	put_text(o, "kernel", uname(&uts) ? "" : uts.release);
	put_text(o, "version", SHIM6_VERSION);
	json_object_object_add(o, "send_timeout_s", seconds(t->send_timeout));
	json_object_object_add(o, "delay_ms", json_object_new_int((int)t->setup->delay_ms));
	json_object_object_add(o, "duration_s", seconds(t->plan.duration));
	json_object_object_add(o, "bucket_s", seconds((double)MEASURE_BUCKET_NS / 1e9));
	for (unsigned i = 0; i < t->n_runs; i++)
		json_object_array_add(runs, run_json(t, &t->runs[i]));
	json_object_object_add(o, "runs", runs);
	for (unsigned i = 0; i < t->n_verdicts; i++) {
		struct json_object *v = json_object_new_object();

		json_object_object_add(v, "ok", json_object_new_boolean(t->verdicts[i].ok));
		put_text(v, "text", t->verdicts[i].text);
		json_object_array_add(verdicts, v);
	}
	json_object_object_add(o, "verdicts", verdicts);
	return o;
}

int result_write(const struct trial *t, const char *path)
{
	struct json_object *o = trial_json(t);
	int r = file_write(path,
			   json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return r;
}
