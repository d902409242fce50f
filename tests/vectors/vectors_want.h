/* SPDX-License-Identifier: MIT */
/* Parts of the vectors that must be there: the test fails, naming what is missing. Include behind cmocka.h. */
#ifndef SHIM6_TESTS_VECTORS_WANT_H
#define SHIM6_TESTS_VECTORS_WANT_H

#include "vectors.h"

static inline const struct vector *get(const struct vector *o, const char *key)
{
	const struct vector *v = vector_get(o, key);

	if (!v)
		fail_msg("vectors lack '%s'", key);
	return v;
}

static inline const char *text(const struct vector *o, const char *key)
{
	const struct vector *v = get(o, key);

	if (v->type != VECTOR_STRING)
		fail_msg("'%s' of the vectors is no string", key);
	return v->string;
}

#endif
