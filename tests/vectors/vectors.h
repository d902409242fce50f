/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vectors of the JSON files beside this one, as to_c.py turns them into C
 * when the tests are built, or of another file of their shape, read by read.c.
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum vector_type {
	VECTOR_NULL,
	VECTOR_NUMBER,
	VECTOR_STRING,
	VECTOR_LIST,
	VECTOR_OBJECT
};

struct vector {
	const char *key; /* of a member of an object, else NULL */
	enum vector_type type;
	int64_t number;
	const char *string;
	size_t n; /* of a list or an object */
	const struct vector *items;
};

extern const struct vector hba_vectors, reap_vectors;

/*
 * The built-in ones, unless the program's argument or else SHIM6_VECTORS names a
 * file, or a directory that has one of this name. Ends the program when that is
 * unreadable.
 */
const struct vector *vectors_choose(int argc, char **argv, const struct vector *built_in, const char *name);

/* An IPv6 address as people write it. */
bool vector_address(const char *text, uint8_t out[16]);

/* NULL when there is no such member. */
static inline const struct vector *vector_get(const struct vector *object, const char *key)
{
	for (size_t i = 0; object && i < object->n; i++)
		if (object->items[i].key && strcmp(object->items[i].key, key) == 0)
			return &object->items[i];
	return NULL;
}

#endif
