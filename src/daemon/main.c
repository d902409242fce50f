/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/control.h"
#include "daemon/addr_cmd.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/trim.h"

#define EXIT_RUNTIME 1
#define EXIT_USAGE 2
#define FILES_WANTED 4096
#define DEFAULT_CONFIG "/etc/shim6/shim6.conf"
#define DEFAULT_STATE_DIR "/var/lib/shim6"
#define DEFAULT_PIN_DIR "/sys/fs/bpf/shim6"

#ifndef SHIM6_VERSION
#define SHIM6_VERSION "unknown"
#endif

enum action {
	ACTION_RUN,
	ACTION_CHECK,
	ACTION_REMOVE,
};

static void help(FILE *f)
{
	fprintf(f,
		"usage: shim6d [OPTION]...\n"
		"       shim6d [--state-dir DIR] addr generate|list|delete ...\n"
		"The Shim6 daemon (RFC 5533, 5534, 5535). Stays in the foreground.\n"
		"  --config FILE       configuration (%s if it exists)\n"
		"  --runtime-dir DIR   control socket, saved contexts (%s)\n"
		"  --state-dir DIR     HBA sets (%s)\n"
		"  --pin-dir DIR       programs and maps of the data path, under a bpffs (%s)\n"
		"  --foreground        accepted: there is no other mode\n"
		"  --debug             log more\n"
		"  --check             read the configuration, say what is wrong, and exit\n"
		"  --remove            remove what a dead shim6d left, and exit\n"
		"  --version, --help\n"
		"Signals: TERM, INT end it and remove everything; USR1 ends it and leaves all in place for a\n"
		"successor; HUP reads configuration and HBA sets again.\n"
		"Exit codes: 0 success, 1 failure, 2 usage or configuration.\n",
		DEFAULT_CONFIG, CONTROL_DEFAULT_DIR, DEFAULT_STATE_DIR, DEFAULT_PIN_DIR);
}

/* -1: go on; else an exit code. */
static int parse_options(int argc, char **argv, struct daemon_options *o, enum action *action)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "runtime-dir", required_argument, NULL, 'r' },
		{ "state-dir", required_argument, NULL, 's' },
		{ "pin-dir", required_argument, NULL, 'p' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "debug", no_argument, NULL, 'd' },
		{ "check", no_argument, NULL, 'k' },
		{ "remove", no_argument, NULL, 'R' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	/* '+': what follows a sub-command is its own. */
	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config_file = optarg;
			o->config_given = true;
			break;
		case 'r':
			o->run_dir = optarg;
			break;
		case 's':
			o->state_dir = optarg;
			break;
		case 'p':
			o->pin_dir = optarg;
			break;
		case 'f':
			break;
		case 'd':
			o->debug = true;
			break;
		case 'k':
			*action = ACTION_CHECK;
			break;
		case 'R':
			*action = ACTION_REMOVE;
			break;
		case 'V':
			printf("shim6d %s\n", SHIM6_VERSION);
			return 0;
		case 'h':
			help(stdout);
			return 0;
		default:
			fprintf(stderr, "shim6d --help shows the options\n");
			return EXIT_USAGE;
		}
	}
	return -1;
}

static bool load_config(struct daemon *d)
{
	char err[CONFIG_ERR_MAX];

	config_default(&d->config);
	if (!d->opt.config_given) {
		d->opt.config_file = access(DEFAULT_CONFIG, F_OK) == 0 ? DEFAULT_CONFIG : NULL;
		if (!d->opt.config_file)
			return true;
	}
	if (config_load(&d->config, d->opt.config_file, err, sizeof(err)))
		return true;
	fprintf(stderr, "shim6d: %s\n", err);
	return false;
}

static bool run(struct daemon *d)
{
	char err[1024] = "";
	bool ok = daemon_start(d, err, sizeof(err));

	if (ok) {
		log_notice("shim6d %s: %u locator(s), %u HBA set(s)", SHIM6_VERSION, d->locals->n, hba_count(d->hba));
		trim_memory();
		notify_manager("READY=1");
		loop_run(d->loop);
		notify_manager("STOPPING=1");
	} else {
		log_error("%s", err);
		/* What was there before us is left as it was. */
		d->keep = true;
	}
	daemon_stop(d);
	return ok;
}

/* Clients, interfaces and maps need more files than the usual 1024 when configured to the limit. */
static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= FILES_WANTED)
		return;
	r.rlim_cur = r.rlim_max < FILES_WANTED ? r.rlim_max : FILES_WANTED;
	setrlimit(RLIMIT_NOFILE, &r);
}

static bool locked(struct daemon *d, enum action action)
{
	char err[1024];
	bool ok;
	int fd;

	if (mkdir(d->opt.run_dir, 0755) == 0)
		log_debug("%s made", d->opt.run_dir);
	fd = instance_lock(d->opt.run_dir, err, sizeof(err));
	if (fd < 0) {
		log_error("%s", err);
		return false;
	}
	if (action == ACTION_REMOVE) {
		ok = daemon_purge(d, err, sizeof(err));
		if (!ok)
			log_error("%s", err);
	} else {
		ok = run(d);
	}
	instance_unlock(fd, d->opt.run_dir);
	return ok;
}

int main(int argc, char **argv)
{
	struct daemon *d = calloc(1, sizeof(*d));
	enum action action = ACTION_RUN;
	int rc;

	if (!d)
		return EXIT_RUNTIME;
	d->opt = (struct daemon_options){ .run_dir = CONTROL_DEFAULT_DIR,
					  .state_dir = DEFAULT_STATE_DIR,
					  .pin_dir = DEFAULT_PIN_DIR };
	rc = parse_options(argc, argv, &d->opt, &action);
	if (rc < 0 && optind < argc && strcmp(argv[optind], "addr") == 0) {
		rc = addr_cmd(d->opt.state_dir, argc - optind, argv + optind);
	} else if (rc < 0 && optind < argc) {
		fprintf(stderr, "shim6d: unexpected '%s'; shim6d --help shows the usage\n", argv[optind]);
		rc = EXIT_USAGE;
	} else if (rc < 0 && !load_config(d)) {
		rc = EXIT_USAGE;
	} else if (rc < 0 && action == ACTION_CHECK) {
		printf("%s: good\n", d->opt.config_file ? d->opt.config_file : "no configuration file");
		rc = 0;
	} else if (rc < 0) {
		log_set_debug(d->opt.debug || d->config.debug);
		signal(SIGPIPE, SIG_IGN);
		raise_file_limit();
		/* What came with us, files and rights, is not for hooks. */
		close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
		rc = locked(d, action) ? 0 : EXIT_RUNTIME;
	}
	free(d);
	return rc;
}
