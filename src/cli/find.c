/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what was typed to a verb: whole, shortened, or mistyped and then with a guess. */
#include "cli/cli.h"

#include <string.h>

#define MAX_VERB 32 /* letters of a verb's word */

/* The k-th word of a verb's name, as pointer and length; length 0: it has none. */
static const char *word_of(const struct verb *v, unsigned k, size_t *len)
{
	const char *space = strchr(v->name, ' ');

	if (k == 0) {
		*len = space ? (size_t)(space - v->name) : strlen(v->name);
		return v->name;
	}
	*len = space ? strlen(space + 1) : 0;
	return space ? space + 1 : "";
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Letters to insert, delete, change, or swap with a neighbour, to get from one word to the other. */
static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned d[MAX_VERB + 1][MAX_VERB + 1];

	if (la > MAX_VERB || lb > MAX_VERB)
		return MAX_VERB;
	for (unsigned i = 0; i <= la; i++)
		d[i][0] = i;
	for (unsigned k = 0; k <= lb; k++)
		d[0][k] = k;
	for (size_t i = 1; i <= la; i++) {
		for (size_t k = 1; k <= lb; k++) {
			unsigned change = a[i - 1] != b[k - 1];

			d[i][k] = min3(d[i - 1][k] + 1, d[i][k - 1] + 1, d[i - 1][k - 1] + change);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
			    d[i - 2][k - 2] + 1 < d[i][k])
				d[i][k] = d[i - 2][k - 2] + 1;
		}
	}
	return d[la][lb];
}

/* Is verb i among those that the earlier word left over, and the first with its k-th word? */
static bool is_choice(unsigned i, unsigned k, const struct verb *group)
{
	size_t len, other_len, group_len;
	const char *w = word_of(&verbs[i], k, &len), *g, *other;

	if (!len)
		return false;
	if (k == 1) {
		g = word_of(group, 0, &group_len);
		w = word_of(&verbs[i], 0, &len);
		return len == group_len && memcmp(w, g, len) == 0;
	}
	for (unsigned e = 0; e < i; e++) {
		other = word_of(&verbs[e], k, &other_len);
		if (other_len == len && memcmp(other, w, len) == 0)
			return false;
	}
	return true;
}

static void complain_ambiguous(struct cli *c, const char *word, unsigned k, const struct verb *group)
{
	char list[256] = "";
	size_t len, at = 0;

	for (unsigned i = 0; i < n_verbs; i++) {
		const char *w = word_of(&verbs[i], k, &len);

		if (is_choice(i, k, group) && strncmp(w, word, strlen(word)) == 0 && at + len + 3 < sizeof(list))
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%.*s", at ? ", " : "", (int)len, w);
	}
	complain(c, CLI_USAGE, list, "'%s' may be any of several verbs", word);
}

static void complain_unknown(struct cli *c, const char *word, unsigned k, const struct verb *group)
{
	unsigned best = MAX_VERB, limit = (unsigned)strlen(word) / 3 + 1;
	char hint[64] = "shim6 help lists the verbs";
	size_t len;

	for (unsigned i = 0; i < n_verbs; i++) {
		const char *w = word_of(&verbs[i], k, &len);
		unsigned d;

		if (!is_choice(i, k, group))
			continue;
		d = distance(word, strlen(word), w, len);
		if (d < best && d <= limit) {
			best = d;
			snprintf(hint, sizeof(hint), "did you mean '%.*s'?", (int)len, w);
		}
	}
	complain(c, CLI_USAGE, hint, "unknown verb '%s'", word);
}

/* The verb whose k-th word is, or begins with, word; NULL after a complaint. */
static const struct verb *pick(struct cli *c, const char *word, unsigned k, const struct verb *group)
{
	const struct verb *found = NULL;
	unsigned n = 0;
	size_t len;

	for (unsigned i = 0; i < n_verbs; i++) {
		const char *w = word_of(&verbs[i], k, &len);

		if (!is_choice(i, k, group) || strncmp(w, word, strlen(word)) != 0 || strlen(word) > len)
			continue;
		found = &verbs[i];
		if (strlen(word) == len)
			return found;
		n++;
	}
	if (n == 1)
		return found;
	if (n && *word)
		complain_ambiguous(c, word, k, group);
	else
		complain_unknown(c, word, k, group);
	return NULL;
}

const struct verb *find_first(struct cli *c, const char *word)
{
	return pick(c, word, 0, NULL);
}

const struct verb *find_verb(struct cli *c, const char *const *words, unsigned n, unsigned *used)
{
	const struct verb *v = find_first(c, words[0]);
	size_t len;

	*used = 1;
	if (!v)
		return NULL;
	word_of(v, 1, &len);
	if (!len)
		return v;
	*used = 2;
	if (n >= 2)
		return pick(c, words[1], 1, v);
	/* A group alone shows what there is. */
	*used = 1;
	return pick(c, "list", 1, v);
}
