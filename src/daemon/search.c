/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/search.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 100
#define NICEST 19

struct search {
	const struct cga_gen *gen;
	struct cga_set *out;
	atomic_bool stop;
	atomic_ullong tries;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned running;
	int result; /* of the winner, or of the first that failed */
};

struct searcher {
	struct search *search;
	pthread_t thread;
	uint64_t told; /* tries that are in the sum */
	struct cga_set set;
};

unsigned search_threads(unsigned sec)
{
	long n = sec < 2 ? 1 : sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > SEARCH_MAX_THREADS ? SEARCH_MAX_THREADS : (unsigned)n;
}

struct search_progress search_progress(unsigned sec, unsigned threads, uint64_t tries, double elapsed)
{
	struct search_progress p = { .sec = sec,
				     .threads = threads,
				     .tries = tries,
				     .expected = UINT64_C(1) << (16 * sec),
				     .elapsed = elapsed };

	if (tries && elapsed > 0) {
		p.per_second = (double)tries / elapsed;
		p.left = (double)p.expected / p.per_second;
	}
	return p;
}

static int step(void *arg, uint64_t tries)
{
	struct searcher *s = arg;

	atomic_fetch_add(&s->search->tries, tries - s->told);
	s->told = tries;
	return atomic_load(&s->search->stop);
}

static void *searcher_main(void *arg)
{
	struct searcher *s = arg;
	struct search *all = s->search;
	struct cga_gen gen = *all->gen;
	int rc;

	/* Of this thread alone, as Linux has it. A host that forbids it searches all the same. */
	(void)!setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICEST);
	gen.progress = step;
	gen.progress_arg = s;
	rc = cga_generate(&gen, &s->set);
	pthread_mutex_lock(&all->lock);
	if (rc != CGA_E_CANCELLED && all->result == CGA_E_CANCELLED) {
		all->result = rc;
		if (rc == CGA_OK)
			*all->out = s->set;
		atomic_store(&all->stop, true);
	}
	all->running--;
	pthread_cond_signal(&all->ended);
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

static void wait_a_little(struct search *all)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_EVERY_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&all->ended, &all->lock, &until);
}

/* Until all have ended; the caller's callback runs here, in the caller's thread. */
static void watch(struct search *all)
{
	pthread_mutex_lock(&all->lock);
	while (all->running) {
		wait_a_little(all);
		if (!all->gen->progress || atomic_load(&all->stop))
			continue;
		pthread_mutex_unlock(&all->lock);
		if (all->gen->progress(all->gen->progress_arg, atomic_load(&all->tries)) != 0)
			atomic_store(&all->stop, true);
		pthread_mutex_lock(&all->lock);
	}
	pthread_mutex_unlock(&all->lock);
}

int search_generate(const struct cga_gen *g, unsigned threads, struct cga_set *out)
{
	struct search all = { .gen = g, .out = out, .result = CGA_E_CANCELLED };
	struct searcher *s;
	unsigned n = 0;

	if (threads < 2)
		return cga_generate(g, out);
	s = calloc(threads, sizeof(*s));
	if (!s)
		return CGA_E_CRYPTO;
	pthread_mutex_init(&all.lock, NULL);
	pthread_cond_init(&all.ended, NULL);
	pthread_mutex_lock(&all.lock);
	for (; n < threads; n++) {
		s[n].search = &all;
		if (pthread_create(&s[n].thread, NULL, searcher_main, &s[n]) != 0)
			break;
		all.running++;
	}
	pthread_mutex_unlock(&all.lock);
	watch(&all);
	for (unsigned i = 0; i < n; i++)
		pthread_join(s[i].thread, NULL);
	pthread_mutex_destroy(&all.lock);
	pthread_cond_destroy(&all.ended);
	free(s);
	return n ? all.result : cga_generate(g, out);
}
