// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "lab/programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Relative to our own folder: installed (bin, sbin), then as built. */
static const char *const folders[] = { ".", "../sbin", "../bin", "../daemon", "../cli" };
#define N_FOLDERS (sizeof(folders) / sizeof(folders[0]))

static bool own_folder(char out[static LAB_PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, LAB_PATH_MAX - 1);
	char *slash;

	if (n <= 0)
		return false;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash)
		*slash = '\0';
	return slash != NULL;
}

static bool usable(const char *path, char out[static LAB_PATH_MAX])
{
	char *real;
	bool fits;

	if (access(path, X_OK))
		return false;
	real = realpath(path, NULL);
	fits = real && strlen(real) < LAB_PATH_MAX;
	if (fits)
		lab_format(out, LAB_PATH_MAX, "%s", real);
	free(real);
	return fits;
}

static bool find_in_path(const char *name, char out[static LAB_PATH_MAX])
{
	const char *path = getenv("PATH");
	char *copy = strdup(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"), *save = NULL, *one;
	bool found = false;

	for (char *p = copy; !found && p && (one = strtok_r(p, ":", &save)) != NULL; p = NULL) {
		char *full;

		if (asprintf(&full, "%s/%s", one, name) < 0)
			break;
		found = usable(full, out);
		free(full);
	}
	free(copy);
	return found;
}

int program_find(const char *name, char out[static LAB_PATH_MAX])
{
	char own[LAB_PATH_MAX], *full;

	for (size_t i = 0; i < N_FOLDERS && own_folder(own); i++) {
		bool found;

		if (asprintf(&full, "%s/%s/%s", own, folders[i], name) < 0)
			break;
		found = usable(full, out);
		free(full);
		if (found)
			return 0;
	}
	if (find_in_path(name, out))
		return 0;
	return lab_error("cannot find the program %s: not beside shim6-lab, not in PATH", name);
}

void programs_to_path(void)
{
	const char *old = getenv("PATH");
	char own[LAB_PATH_MAX];
	struct strbuf b = { 0 };

	if (!own_folder(own))
		return;
	for (size_t i = 0; i < N_FOLDERS; i++)
		strbuf_printf(&b, "%s/%s:", own, folders[i]);
	strbuf_printf(&b, "%s", old && *old ? old : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	setenv("PATH", b.s, 1);
	strbuf_free(&b);
}
