/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/addr_cmd.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/control_json.h"
#include "daemon/generate.h"
#include "daemon/store.h"
#include "daemon/text.h"

#define EXIT_RUNTIME 1
#define EXIT_USAGE 2

#define SHOW_EVERY (UINT64_C(1000000000) / 4)
#define LOG_EVERY (UINT64_C(1000000000) * 5)

static volatile sig_atomic_t interrupted;

static int usage(const char *message)
{
	fprintf(stderr,
		"shim6d: %s\n"
		"usage: shim6d addr generate [--sec 0..2] [--key PEM-FILE | --new-key BITS] [--name NAME]\n"
		"                            [--json] --prefix PREFIX/64 ...\n"
		"       shim6d addr list\n"
		"       shim6d addr delete NAME\n",
		message);
	return EXIT_USAGE;
}

static bool read_key(const char *path, struct generate_request *req)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f) {
		fprintf(stderr, "shim6d: %s: %s\n", path, strerror(errno));
		return false;
	}
	n = fread(req->pem, 1, STORE_PEM_MAX, f);
	req->pem[n] = '\0';
	if (ferror(f) || n == 0 || fgetc(f) != EOF) {
		fprintf(stderr, "shim6d: %s: expected a PEM file of at most %d octets\n", path, STORE_PEM_MAX);
		fclose(f);
		return false;
	}
	fclose(f);
	return true;
}

struct watching {
	unsigned sec;
	uint64_t started, shown; /* ns */
};

/* A line that is written over at a terminal, and one now and then in a log. */
static int show_progress(void *arg, uint64_t tries)
{
	struct watching *w = arg;
	uint64_t now = uv_hrtime();
	bool terminal = isatty(STDERR_FILENO);
	struct search_progress p =
		search_progress(w->sec, search_threads(w->sec), tries, (double)(now - w->started) / 1e9);

	if (now - w->shown < (terminal ? SHOW_EVERY : LOG_EVERY))
		return interrupted;
	w->shown = now;
	fprintf(stderr, "%s%.0f of %.0f million hashes, %.1f million/s, %.0f s left on average%s", terminal ? "\r" : "",
		(double)p.tries / 1e6, (double)p.expected / 1e6, p.per_second / 1e6, p.left, terminal ? "   " : "\n");
	return interrupted;
}

/* Nothing is stored, and no line is left half written. */
static void interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void print_set(const struct store_set *s)
{
	printf("%s: sec %u, collision count %u%s\n", s->name, s->set.sec, s->collision_count,
	       s->pem ? ", with a key" : "");
	for (unsigned i = 0; i < s->set.n; i++) {
		struct shim6_addr prefix = { 0 };

		memcpy(prefix.b, s->prefix[i], 8);
		printf("  %-28s %s\n", text_prefix(&prefix, 64).s, text_addr(&s->set.addr[i]).s);
	}
}

static void print_json(const struct store_set *s)
{
	struct json_object *o = control_json_generated(s);

	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

/* Options into req; 0 or an exit code. */
static int generate_options(int argc, char **argv, struct generate_request *req, bool *json)
{
	static const struct option options[] = { { "prefix", required_argument, NULL, 'p' },
						 { "sec", required_argument, NULL, 's' },
						 { "key", required_argument, NULL, 'k' },
						 { "name", required_argument, NULL, 'n' },
						 { "json", no_argument, NULL, 'j' },
						 { "new-key", required_argument, NULL, 'w' },
						 { 0 } };
	char err[STORE_ERR_MAX];
	uint64_t sec, bits;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p') {
			if (!generate_add_prefix(req, optarg, err, sizeof(err)))
				return usage(err);
		} else if (c == 'j') {
			*json = true;
		} else if (c == 's') {
			if (!text_parse_u64(optarg, &sec) || sec > CGA_MAX_SEC)
				return usage("--sec: expected 0, 1 or 2");
			req->sec = (unsigned)sec;
		} else if (c == 'k') {
			if (!read_key(optarg, req))
				return EXIT_USAGE;
		} else if (c == 'w') {
			if (!text_parse_u64(optarg, &bits) || bits < GENERATE_KEY_MIN || bits > GENERATE_KEY_MAX)
				return usage("--new-key: expected 1024 to 3072 bits");
			req->new_key = (unsigned)bits;
		} else if (c == 'n') {
			if (!store_name_ok(optarg))
				return usage("--name: expected letters, digits, '-', '_' and '.'");
			snprintf(req->name, sizeof(req->name), "%s", optarg);
		} else {
			return usage("unknown option");
		}
	}
	if (optind < argc) {
		snprintf(err, sizeof(err), "unexpected '%.64s'", argv[optind]);
		return usage(err);
	}
	return req->n_prefixes ? 0 : usage("expected at least one prefix");
}

/*
 * A daemon with a user of its own must be able to read what root stores for it; and root must not be led anywhere
 * by what that user may have put in its directory. So that user's rights are taken, once all else has been read.
 */
static bool become_owner(const char *state_dir)
{
	struct stat st;

	if (geteuid() != 0 || stat(state_dir, &st) < 0 || st.st_uid == 0)
		return true;
	if (setgroups(0, NULL) == 0 && setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0)
		return true;
	fprintf(stderr, "shim6d: cannot become the owner of %s: %s\n", state_dir, strerror(errno));
	return false;
}

static int cmd_generate(const char *state_dir, const char *dir, int argc, char **argv)
{
	struct generate_request *req = calloc(1, sizeof(*req));
	struct store_set *set = calloc(1, sizeof(*set));
	char err[STORE_ERR_MAX];
	int rc = EXIT_RUNTIME;
	bool json = false;

	if (req && set)
		rc = generate_options(argc, argv, req, &json);
	if (rc == 0 && !become_owner(state_dir))
		rc = EXIT_RUNTIME;
	if (rc == 0) {
		struct watching w = { .sec = req->sec, .started = uv_hrtime() };

		signal(SIGINT, interrupt);
		signal(SIGTERM, interrupt);
		if (generate_now(dir, req, show_progress, &w, set, err, sizeof(err))) {
			if (json)
				print_json(set);
			else
				print_set(set);
			store_set_clear(set);
		} else {
			fprintf(stderr, "%sshim6d: %s\n", w.shown && isatty(STDERR_FILENO) ? "\n" : "", err);
			rc = EXIT_RUNTIME;
		}
	}
	if (req)
		explicit_bzero(req->pem, sizeof(req->pem));
	free(req);
	free(set);
	return rc;
}

static int cmd_list(const char *dir)
{
	char names[STORE_MAX_SETS][STORE_NAME_MAX + 1], err[STORE_ERR_MAX];
	int n = store_names(dir, names, STORE_MAX_SETS, err, sizeof(err)), rc = 0;
	struct store_set *set = calloc(1, sizeof(*set));

	if (n < 0 || !set) {
		fprintf(stderr, "shim6d: %s\n", n < 0 ? err : "out of memory");
		free(set);
		return EXIT_RUNTIME;
	}
	for (int i = 0; i < n; i++) {
		if (store_read(dir, names[i], set, err, sizeof(err))) {
			print_set(set);
			store_set_clear(set);
		} else {
			fprintf(stderr, "shim6d: %s\n", err);
			rc = EXIT_RUNTIME;
		}
	}
	free(set);
	return rc;
}

static int cmd_delete(const char *state_dir, const char *dir, const char *name)
{
	char err[STORE_ERR_MAX];

	if (!become_owner(state_dir))
		return EXIT_RUNTIME;
	if (store_delete(dir, name, err, sizeof(err)))
		return 0;
	fprintf(stderr, "shim6d: %s\n", err);
	return EXIT_RUNTIME;
}

int addr_cmd(const char *state_dir, int argc, char **argv)
{
	char dir[4096];

	snprintf(dir, sizeof(dir), "%s/hba", state_dir);
	if (argc < 2)
		return usage("addr: expected generate, list or delete");
	if (strcmp(argv[1], "generate") == 0)
		return cmd_generate(state_dir, dir, argc - 1, argv + 1);
	if (strcmp(argv[1], "list") == 0 && argc == 2)
		return cmd_list(dir);
	if (strcmp(argv[1], "delete") == 0 && argc == 3)
		return cmd_delete(state_dir, dir, argv[2]);
	return usage("addr: expected generate, list or delete");
}
