/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon, its configuration, and the addresses that prove each other. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "doctor/internal.h"

#define DEFAULT_STATE_DIR "/var/lib/shim6"
#define DEFAULT_CONFIG "/etc/shim6/shim6.conf"
#define MAX_PREFIXES 16
#define PROGRAM_TIMEOUT 10
#define PROGRAM_OUTPUT 65536

static const char why_sets[] = "peers believe an address only when it proves that it belongs to the session (RFC 5535)";

const char *doctor_start_command(void)
{
	return access("/run/systemd/system", F_OK) == 0 ? "systemctl enable --now shim6d" : "shim6d &";
}

static const char *restart_command(void)
{
	return access("/run/systemd/system", F_OK) == 0 ? "systemctl restart shim6d"
							: "kill -USR1 `pidof shim6d`; shim6d &";
}

/* --- daemon --------------------------------------------------------------- */

void check_daemon(struct doctor *d)
{
	const char *version = doctor_string(d->status, "version");
	int e = -d->opt->client_error;

	if (!d->client && (e == EACCES || e == EPERM))
		doctor_say(d, DOCTOR_UNKNOWN, "daemon", "what it knows of addresses and sessions is not looked at",
			   "sudo shim6 doctor", "may not speak to the daemon at %s", d->opt->socket_path);
	else if (!d->client)
		doctor_say(d, DOCTOR_PROBLEM, "daemon", "without it nothing is protected and peers are not answered",
			   doctor_start_command(), "no daemon answers at %s: %s", d->opt->socket_path, strerror(e));
	else if (!d->status)
		doctor_say(d, DOCTOR_PROBLEM, "daemon", "it is stuck, or something else listens there",
			   restart_command(), "what listens at %s does not answer as shim6d does", d->opt->socket_path);
	else if (strcmp(version, d->opt->version) != 0)
		doctor_say(d, DOCTOR_WARNING, "daemon",
			   "an update waits for the daemon to be started anew; sessions go on", restart_command(),
			   "shim6d %s runs, but shim6 is %s", version, d->opt->version);
	else
		doctor_say(d, DOCTOR_OK, "daemon", NULL, NULL, "shim6d %s runs, process %d, %d contexts", version,
			   json_object_get_int(doctor_get(d->status, "pid")),
			   json_object_get_int(doctor_get(d->status, "contexts")));
}

/* --- configuration -------------------------------------------------------- */

/* "shim6d: " off, first line only */
static void clean(char *s)
{
	if (strncmp(s, "shim6d: ", 8) == 0)
		memmove(s, s + 8, strlen(s + 8) + 1);
	s[strcspn(s, "\n")] = '\0';
}

/* The base name of the veth pair, for those that gave it another. */
static void read_device_name(struct doctor *d, const char *path)
{
	char line[256], value[32];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " device = %31s", value) == 1 && strlen(value) < sizeof(d->device) - 1)
			memcpy(d->device, value, strlen(value) + 1);
	if (f)
		fclose(f);
}

void check_configuration(struct doctor *d)
{
	const char *file = d->status ? doctor_string(d->status, "config_file") : DEFAULT_CONFIG;
	const char *const argv[] = { d->opt->daemon_program, "--config", file, "--check", NULL };
	char *said, *good;

	if (!*file || (!d->status && access(file, F_OK) < 0)) {
		doctor_say(d, DOCTOR_OK, "configuration", NULL, NULL, "no file: the defaults are in force");
	} else if (access(file, R_OK) < 0) {
		doctor_say(d, DOCTOR_UNKNOWN, "configuration", "a mistake in it stops the next start",
			   "sudo shim6 doctor", "cannot read %s: %s", file, strerror(errno));
	} else {
		said = doctor_run(argv, PROGRAM_TIMEOUT, PROGRAM_OUTPUT, false);
		good = said ? strstr(said, ": good") : NULL;
		if (!said) {
			doctor_say(d, DOCTOR_UNKNOWN, "configuration", "a mistake in it stops the next start",
				   doctor_text("shim6d --config %s --check", file).s, "cannot ask %s: %s",
				   d->opt->daemon_program, strerror(errno));
		} else if (!good) {
			clean(said);
			doctor_say(d, DOCTOR_PROBLEM, "configuration",
				   "shim6d refuses such a file whole: it does not start, and a reload changes nothing",
				   doctor_text("editor %s && shim6d --config %s --check", file, file).s, "%s", said);
		} else {
			doctor_say(d, DOCTOR_OK, "configuration", NULL, NULL, "%s has no mistake", file);
			read_device_name(d, file);
		}
		free(said);
	}
	if (d->status && !doctor_true(d->status, "initiate"))
		doctor_say(d, DOCTOR_WARNING, "configuration", "sessions are protected only when the peer asks for it",
			   "shim6 reload    (after initiate = yes)", "this host only answers: initiate = no");
}

/* --- sets ----------------------------------------------------------------- */

/* The command that makes a set over what has a way out. */
static struct doctor_text generate_mend(const struct doctor *d)
{
	struct doctor_text t = doctor_text("shim6 addr generate");
	struct shim6_addr p[MAX_PREFIXES];
	unsigned n = doctor_good_prefixes(d, p, MAX_PREFIXES);

	for (unsigned i = 0; i < n; i++) {
		t = doctor_text("%.900s --prefix %s", t.s, doctor_prefix64(&p[i]).s);
	}
	return n ? t : doctor_text("shim6 addr generate --prefix PREFIX/64 --prefix PREFIX/64");
}

static bool set_has(struct json_object *set, const char *prefix)
{
	struct json_object *list = doctor_get(set, "prefixes");

	for (size_t i = 0; i < doctor_length(list); i++)
		if (strcmp(json_object_get_string(doctor_at(list, i)), prefix) == 0)
			return true;
	return false;
}

/* Members of a set, without which the others have nowhere to go. */
static void say_members(struct doctor *d, struct json_object *set)
{
	struct json_object *there = doctor_get(set, "configured"), *addresses = doctor_get(set, "addresses"),
			   *prefixes = doctor_get(set, "prefixes");
	const char *name = doctor_string(set, "file");
	size_t n = doctor_length(addresses), present = 0;

	for (size_t i = 0; i < n; i++)
		present += json_object_get_boolean(doctor_at(there, i)) ? 1u : 0u;
	for (size_t i = 0; i < n; i++) {
		if (json_object_get_boolean(doctor_at(there, i)))
			continue;
		doctor_say(d, present > 1 ? DOCTOR_WARNING : DOCTOR_PROBLEM, "hba",
			   "sessions cannot move to it; when its prefix is gone for good, a new set is needed",
			   generate_mend(d).s, "set %s: %s is on no interface (prefix %s)", name,
			   json_object_get_string(doctor_at(addresses, i)),
			   json_object_get_string(doctor_at(prefixes, i)));
	}
	if (n < 2)
		doctor_say(d, DOCTOR_WARNING, "hba", "a session needs a second address to move to", generate_mend(d).s,
			   "set %s has one address only", name);
	else if (present == n)
		doctor_say(d, DOCTOR_OK, "hba", NULL, NULL, "set %s: its %zu addresses are in use", name, n);
}

static void say_uncovered(struct doctor *d)
{
	struct shim6_addr p[MAX_PREFIXES];
	unsigned n = doctor_good_prefixes(d, p, MAX_PREFIXES);

	for (unsigned i = 0; i < n; i++) {
		bool covered = false;

		for (size_t k = 0; k < doctor_length(d->sets); k++) {
			struct json_object *set = doctor_at(d->sets, k);

			covered = covered || (!doctor_true(set, "given_up") && set_has(set, doctor_prefix64(&p[i]).s));
		}
		if (!covered)
			doctor_say(d, DOCTOR_WARNING, "hba", "sessions that begin with it are not protected",
				   generate_mend(d).s, "no set has an address of %s", doctor_prefix64(&p[i]).s);
	}
}

/* Where the daemon was told to keep them. */
static struct doctor_text state_dir(const struct doctor *d)
{
	int pid = json_object_get_int(doctor_get(d->status, "pid"));
	char line[4096];
	bool next = false;
	size_t n = 0;
	FILE *f = d->status ? fopen(doctor_text("/proc/%d/cmdline", pid).s, "re") : NULL;

	if (f) {
		n = fread(line, 1, sizeof(line) - 1, f);
		fclose(f);
	}
	line[n] = '\0';
	for (size_t i = 0; i < n; i += strlen(line + i) + 1) {
		if (next)
			return doctor_text("%s", line + i);
		next = strcmp(line + i, "--state-dir") == 0;
		if (strncmp(line + i, "--state-dir=", 12) == 0)
			return doctor_text("%s", line + i + 12);
	}
	return doctor_text(DEFAULT_STATE_DIR);
}

/* What is on disk; a set that cannot be used is told as "shim6d: FILE: why". Returns how many can be, or -1. */
static int say_files(struct doctor *d)
{
	struct doctor_text dir = state_dir(d);
	const char *const argv[] = { d->opt->daemon_program, "--state-dir", dir.s, "addr", "list", NULL };
	char *said = doctor_run(argv, PROGRAM_TIMEOUT, PROGRAM_OUTPUT, false), *save = NULL;
	int n = 0;

	if (!said)
		return -1;
	for (char *line = strtok_r(said, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "shim6d: ", 8) == 0)
			doctor_say(d, DOCTOR_PROBLEM, "hba", "its addresses prove nothing; the daemon leaves it out",
				   doctor_text("%s    (and remove the file)", generate_mend(d).s).s, "%s", line + 8);
		else
			n += line[0] != ' ';
	}
	free(said);
	return n;
}

void check_sets(struct doctor *d)
{
	struct doctor_text dir = state_dir(d), hba = doctor_text("%s/hba", dir.s);
	bool readable = access(hba.s, R_OK) == 0 || errno == ENOENT;
	int on_disk = readable ? say_files(d) : -1;
	size_t n = doctor_length(d->sets);

	if (!d->sets && on_disk < 0) {
		doctor_say(d, DOCTOR_UNKNOWN, "hba", why_sets, "sudo shim6 doctor",
			   "cannot look at the sets of addresses in %s", hba.s);
		return;
	}
	if (d->sets ? n == 0 : on_disk == 0) {
		doctor_say(d, DOCTOR_PROBLEM, "hba", why_sets, generate_mend(d).s, "no set of addresses (HBA)");
		return;
	}
	if (!d->sets) {
		doctor_say(d, DOCTOR_OK, "hba", NULL, NULL, "%d set%s of addresses on disk", on_disk,
			   on_disk == 1 ? "" : "s");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct json_object *set = doctor_at(d->sets, i);

		if (doctor_true(set, "given_up"))
			doctor_say(d, DOCTOR_PROBLEM, "hba", "its addresses are not used any more",
				   doctor_text("shim6 addr delete %s && %s", doctor_string(set, "file"),
					       generate_mend(d).s)
					   .s,
				   "set %s was given up: other hosts had its addresses", doctor_string(set, "file"));
		else
			say_members(d, set);
	}
	say_uncovered(d);
}
