/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verbs that are other programs. They are looked for beside this one, in the
 * sbin next to its bin, where they are built, then in PATH.
 */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void find_sibling(const char *name, char *path, size_t len)
{
	static const char *const folders[] = { ".", "../sbin", "../daemon", "../lab" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
			snprintf(path, len, "%s/%s/%s", self, folders[i], name);
			if (access(path, X_OK) == 0)
				return;
		}
	}
	snprintf(path, len, "%s", name);
}

/* Returns only when it cannot; errno says why. */
static void exec_sibling(const char *name, char *const argv[])
{
	char path[2 * PATH_MAX];

	find_sibling(name, path, sizeof(path));
	execvp(path, argv);
}

int run_lab(struct cli *c)
{
	size_t n = 0, k = 1;
	const char **argv;

	while (c->rest && c->rest[n])
		n++;
	argv = calloc(n + 3, sizeof(*argv));
	if (!argv)
		return complain(c, CLI_FAILED, NULL, "out of memory");
	argv[0] = "shim6-lab";
	if (c->json)
		argv[k++] = "--json";
	for (size_t i = 0; i < n; i++)
		argv[k++] = c->rest[i];
	fflush(NULL);
	exec_sibling("shim6-lab", (char *const *)argv);
	free(argv);
	return complain(c, CLI_FAILED, "it is installed with the testbed", "cannot start shim6-lab: %s",
			strerror(errno));
}

static int exec_generate(struct cli *c)
{
	const char *argv[2 * CLI_MAX_PREFIXES + 11];
	size_t k = 0;

	argv[k++] = "shim6d";
	argv[k++] = "addr";
	argv[k++] = "generate";
	for (unsigned i = 0; i < c->n_prefixes; i++) {
		argv[k++] = "--prefix";
		argv[k++] = c->prefixes[i];
	}
	if (c->sec) {
		argv[k++] = "--sec";
		argv[k++] = c->sec;
	}
	if (c->key_file) {
		argv[k++] = "--key";
		argv[k++] = c->key_file;
	}
	if (c->new_key) {
		argv[k++] = "--new-key";
		argv[k++] = c->new_key;
	}
	if (c->json)
		argv[k++] = "--json";
	argv[k] = NULL;
	fflush(NULL);
	exec_sibling("shim6d", (char *const *)argv);
	return complain(c, CLI_UNREACHABLE, "start the daemon, or install it beside shim6",
			"no daemon runs, and shim6d cannot be started: %s", strerror(errno));
}

/* Addresses are wanted before the daemon first runs, so shim6d also makes them alone. */
int run_addr_generate(struct cli *c)
{
	struct json_object *args = json_object_new_object();
	bool usable = c->verb->arguments(c, args);
	struct control_client *client;
	int err, code;

	json_object_put(args);
	if (!usable)
		return CLI_USAGE;
	err = ask_try(c, &client);
	if (err == -ENOENT || err == -ECONNREFUSED)
		return exec_generate(c);
	if (err)
		return ask_connect(c, &client); /* says what is wrong */
	code = ask_verb(c, client);
	control_close(client);
	return code;
}
