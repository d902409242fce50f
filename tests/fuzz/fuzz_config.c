/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target of the configuration: any octets are loaded as a file. What
 * is refused is refused with the file and the line; what is taken is written
 * again, key by key, loaded once more, and must say the same.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"

#define VALUE_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

struct memory_file {
	int fd;
	char path[32];
};

static struct memory_file open_memory(void)
{
	struct memory_file f = { .fd = memfd_create("fuzz", MFD_CLOEXEC) };

	require(f.fd >= 0);
	snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
	return f;
}

/* One line for each part of what adds up: a line of the file has a bound, a list may be longer. */
static void write_key(FILE *out, const struct config *c, const struct config_key *k, const char *interface)
{
	char value[VALUE_MAX], usual[VALUE_MAX], *rest = value, *word;
	static struct config defaults;

	config_default(&defaults);
	config_value(&defaults, k, interface, usual, sizeof(usual));
	config_value(c, k, interface, value, sizeof(value));
	if (!config_key_adds_up(k)) {
		if (strcmp(value, usual) != 0) /* the default group needs not exist, one that is given must */
			fprintf(out, "%s=%s\n", config_key_name(k), value);
		return;
	}
	while ((word = strsep(&rest, ","))) {
		word += strspn(word, " ");
		if (*word)
			fprintf(out, "%s=%s\n", config_key_name(k), word);
	}
}

static bool is_named(const struct config_key *k)
{
	return strcmp(config_key_section(k), "interface") == 0 || strcmp(config_key_section(k), "prefix") == 0;
}

static void write_section(const struct config *c, const struct config_interface *s, FILE *out)
{
	const char *kind = s->is_prefix ? "prefix" : "interface";
	const struct config_key *k;

	fprintf(out, "[%s %s]\n", kind, s->name);
	for (unsigned i = 0; (k = config_key(i)); i++) {
		if (strcmp(config_key_section(k), kind) == 0)
			write_key(out, c, k, s->name);
	}
}

static void write_again(const struct config *c, FILE *out)
{
	const struct config_key *k;

	for (unsigned i = 0; (k = config_key(i)); i++) {
		if (is_named(k))
			continue;
		fprintf(out, "[%s]\n", config_key_section(k));
		write_key(out, c, k, NULL);
	}
	for (unsigned n = 0; n < c->n_interfaces; n++)
		write_section(c, &c->interfaces[n], out);
	require(fflush(out) == 0);
}

static void differs(void *arg, const char *key, bool needs_restart)
{
	(void)arg;
	(void)needs_restart;
	fprintf(stderr, "not the same when written and read again: %s\n", key);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config once, twice; /* too big for the stack */
	struct memory_file in = open_memory(), again;
	char err[CONFIG_ERR_MAX] = "";
	FILE *out;

	require(write(in.fd, data, size) == (ssize_t)size);
	if (!config_load(&once, in.path, err, sizeof(err))) {
		require(strncmp(err, in.path, strlen(in.path)) == 0 && err[strlen(in.path)] == ':');
		close(in.fd);
		return 0;
	}
	require(!*err);
	again = open_memory();
	out = fdopen(again.fd, "w");
	require(out);
	write_again(&once, out);
	if (!config_load(&twice, again.path, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	require(config_diff(&once, &twice, differs, NULL) == 0);
	fclose(out);
	close(in.fd);
	return 0;
}
