/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the seeds of fuzz_wire into a folder: a message of every type from
 * the builders, and every vector of a reap_vectors.json.
 *
 *   make_wire_corpus reap_vectors.json tests/fuzz/corpus/wire
 */
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "samples.h"

static void save(const char *folder, const char *name, const uint8_t *p, size_t len)
{
	char path[4096];
	FILE *f;
	size_t written;
	int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

	f = n > 0 && (size_t)n < sizeof(path) ? fopen(path, "wb") : NULL;
	written = f ? fwrite(p, 1, len, f) : 0;
	if (!f || fclose(f) != 0 || written != len) {
		fprintf(stderr, "make_wire_corpus: cannot write %s\n", path);
		exit(1);
	}
}

static void save_hex(const char *folder, struct json_object *v)
{
	const char *name = json_object_get_string(json_object_object_get(v, "id"));
	const char *hex = json_object_get_string(json_object_object_get(v, "hex"));
	uint8_t buf[2048];
	unsigned octet;
	size_t len = 0;

	while (hex && len < sizeof(buf) && sscanf(hex + 2 * len, "%2x", &octet) == 1)
		buf[len++] = (uint8_t)octet;
	if (name)
		save(folder, name, buf, len);
}

/* An option alone is no message: it gets an R2 around it. */
static void save_option(const char *folder, struct json_object *v)
{
	const char *name = json_object_get_string(json_object_object_get(v, "id"));
	const char *hex = json_object_get_string(json_object_object_get(v, "hex"));
	uint8_t buf[64];
	struct wire_builder b;
	unsigned octet;

	wire_begin_r2(&b, buf, sizeof(buf), SAMPLE_CT, SAMPLE_INIT);
	for (size_t i = 0; hex && i < 8 && sscanf(hex + 2 * i, "%2x", &octet) == 1; i++)
		buf[b.len++] = (uint8_t)octet;
	if (name)
		save(folder, name, buf, wire_finish(&b));
}

int main(int argc, char **argv)
{
	struct json_object *vectors, *list;
	uint8_t buf[WIRE_MAX_MSG];

	if (argc != 3) {
		fprintf(stderr, "usage: make_wire_corpus VECTORS.json FOLDER\n");
		return 2;
	}
	vectors = json_object_from_file(argv[1]);
	if (!vectors) {
		fprintf(stderr, "make_wire_corpus: %s", json_util_get_last_err());
		return 1;
	}
	for (unsigned i = 0; i < n_samples; i++)
		save(argv[2], samples[i].name, buf, samples[i].build(buf, sizeof(buf)));
	list = json_object_object_get(vectors, "messages");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		save_hex(argv[2], json_object_array_get_idx(list, i));
	list = json_object_object_get(vectors, "keepalive_timeout_options");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		save_option(argv[2], json_object_array_get_idx(list, i));
	json_object_put(vectors);
	return 0;
}
