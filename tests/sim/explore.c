/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim-explore: random runs of the simulator, by seed. A run that breaks an
 * invariant is had again with its message sequence chart, whose end is printed.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

#define CHART_LINES 120 /* of a failed run */

struct options {
	uint64_t seed;
	unsigned long runs;
	unsigned until, jobs;
	bool chart, quiet;
};

static void usage(FILE *out)
{
	fputs("usage: sim-explore [--seed N|random] [--runs N] [--until S] [--jobs N] [--chart] [--quiet]\n"
	      "  --seed N    the first seed (1); the runs have the seeds N, N+1, ...; random: one of its own\n"
	      "  --runs N    how many (1000)\n"
	      "  --until S   seconds of faults in each run, before it has to heal (120)\n"
	      "  --jobs N    processes (1)\n"
	      "  --chart     print the message sequence chart of each run\n"
	      "  --quiet     nothing but failures and the last line\n",
	      out);
}

/* The last lines of a file. */
static void print_tail(FILE *f, unsigned long lines)
{
	unsigned long n = 0, skip;
	int c;

	rewind(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	skip = n > lines ? n - lines : 0;
	if (skip)
		printf("  ... %lu lines\n", skip);
	rewind(f);
	while ((c = getc(f)) != EOF) {
		if (skip)
			skip -= c == '\n';
		else
			putchar(c);
	}
}

static void show_failure(const struct options *o, uint64_t seed, const char *failure)
{
	struct world_result again = { 0 };
	FILE *chart = o->chart ? NULL : tmpfile();

	printf("seed %llu FAILED: %s\n", (unsigned long long)seed, failure);
	if (chart) {
		world_run(seed, o->until, chart, &again);
		print_tail(chart, CHART_LINES);
		fclose(chart);
		if (strcmp(again.failure, failure) != 0)
			printf("the run did not come out the same again: %s\n", again.failure);
		printf("all of it: sim-explore --seed %llu --runs 1 --until %u --chart\n", (unsigned long long)seed,
		       o->until);
	}
	putchar('\n');
	fflush(stdout);
}

static double seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Every jobs-th seed; returns how many failed. */
static unsigned long explore(const struct options *o, unsigned job)
{
	struct world_result sum = { 0 };
	unsigned long failed = 0, done = 0;
	double began = seconds_now();

	for (unsigned long i = job; i < o->runs; i += o->jobs) {
		if (!world_run(o->seed + i, o->until, o->chart ? stdout : NULL, &sum)) {
			failed++;
			show_failure(o, o->seed + i, sum.failure);
		}
		done++;
	}
	if (!o->quiet || failed)
		printf("%lu runs, %lu failed; %.0f h of virtual time, %lu checks, %lu control messages, %lu payload "
		       "packets in %.1f s\n",
		       done, failed, (double)sum.virtual_ns / 3.6e12, sum.checks, sum.control, sum.payload,
		       seconds_now() - began);
	fflush(stdout);
	return failed;
}

static int spread(const struct options *o)
{
	int status, failed = 0;

	for (unsigned j = 0; j < o->jobs; j++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("sim-explore: fork");
			return 2;
		}
		if (pid == 0)
			exit(explore(o, j) != 0);
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}

static bool number(const char *text, unsigned long long *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "seed", required_argument, NULL, 's' },  { "runs", required_argument, NULL, 'r' },
		{ "until", required_argument, NULL, 'u' }, { "jobs", required_argument, NULL, 'j' },
		{ "chart", no_argument, NULL, 'c' },	   { "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },	   { 0 },
	};
	unsigned long long n = 0;
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (c == 's' && strcmp(optarg, "random") == 0) {
			uint32_t any;

			if (getrandom(&any, sizeof(any), 0) != sizeof(any))
				return false;
			o->seed = (UINT64_C(1) << 32) + any;
			continue;
		}
		if (c == 'h') {
			usage(stdout);
			exit(0);
		}
		if (c == '?')
			return false;
		if (strchr("sruj", c) && (!number(optarg, &n) || (c != 's' && (n == 0 || n > UINT32_MAX)))) {
			fprintf(stderr, "sim-explore: not a number that fits: %s\n", optarg);
			return false;
		}
		if (c == 's')
			o->seed = n;
		else if (c == 'r')
			o->runs = n;
		else if (c == 'u')
			o->until = (unsigned)n;
		else if (c == 'j')
			o->jobs = (unsigned)n;
		else if (c == 'c')
			o->chart = true;
		else
			o->quiet = true;
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct options o = { .seed = 1, .runs = 1000, .until = 120, .jobs = 1 };

	if (!parse(argc, argv, &o)) {
		usage(stderr);
		return 2;
	}
	if (!o.quiet)
		printf("seeds %llu to %llu\n", (unsigned long long)o.seed, (unsigned long long)(o.seed + o.runs - 1));
	fflush(stdout);
	return o.jobs > 1 ? spread(&o) : explore(&o, 0) != 0;
}
