/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cga_generate() on all processors. Sec 2 takes 2^32 hashes on average and no
 * step depends on another: each thread begins at a random modifier of its own,
 * and the first that finds one wins. The threads run at the lowest priority;
 * the caller only waits, and looks at the progress several times a second.
 */
#ifndef SHIM6_DAEMON_SEARCH_H
#define SHIM6_DAEMON_SEARCH_H

#include "cga/cga.h"

#define SEARCH_MAX_THREADS 16

/* How far a search is. Of the time left nothing is known but its mean: a search does not remember. */
struct search_progress {
	unsigned sec;
	unsigned threads;
	uint64_t tries, expected;
	double elapsed;	   /* s */
	double per_second; /* 0: not known yet */
	double left;	   /* s, on average; 0: not known yet */
};

/* How many threads a search with this Sec is worth here. */
unsigned search_threads(unsigned sec);
/* g's progress is called with the tries of all threads; non-zero ends the search with CGA_E_CANCELLED. */
int search_generate(const struct cga_gen *g, unsigned threads, struct cga_set *out);
struct search_progress search_progress(unsigned sec, unsigned threads, uint64_t tries, double elapsed);

#endif
