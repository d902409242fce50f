/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What whoever looks into a fault wants to see first. Every section goes through
 * one mask, so that an address has the same name in all of them. Files with
 * private keys are not read at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "doctor/internal.h"
#include "doctor/mask.h"

#define SECTION_MAX (256u << 10) /* octets of one section */
#define PROGRAM_TIMEOUT 10
#define EVENTS_MAX 500
#define EVENT_WAIT_MS 200
#define DEFAULT_CONFIG "/etc/shim6/shim6.conf"

struct report {
	struct doctor d; /* as far as asking the daemon goes */
	struct mask *mask;
	struct json_object *sections;
};

static void add_text(struct report *r, const char *title, const char *text)
{
	struct json_object *o = json_object_new_object();
	char *masked = mask_text(r->mask, text);
	size_t len = masked ? strlen(masked) : 0;

	while (len > 0 && masked[len - 1] == '\n')
		masked[--len] = '\0';
	json_object_object_add(o, "title", json_object_new_string(title));
	json_object_object_add(o, "text", json_object_new_string(masked ? masked : "out of memory"));
	json_object_array_add(r->sections, o);
	free(masked);
}

static const char *pretty(struct json_object *o)
{
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							 JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* --- this program, this machine ------------------------------------------- */

static void add_head(struct report *r)
{
	char when[32], os[1024] = "";
	struct doctor_text text;
	struct utsname u = { 0 };
	time_t now = time(NULL);
	struct tm tm;
	char *name, *end;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	uname(&u);
	doctor_read("/etc/os-release", os, sizeof(os));
	name = strstr(os, "PRETTY_NAME=\"");
	name = name ? name + 13 : os;
	end = strpbrk(name, "\"\n");
	if (end)
		*end = '\0';
	text = doctor_text(
		"shim6 %s, %s\n%s %s %s %s\n%s\n\n"
		"Addresses, hardware addresses, tags, long hexadecimal strings and this host's name are replaced, the "
		"same by the same. Look it through before you send it: names of interfaces, files and comments are "
		"not.",
		r->d.opt->version, when, u.sysname, u.release, u.version, u.machine, name);
	add_text(r, "shim6 report", text.s);
}

static void add_examination(struct report *r)
{
	struct json_object *found = doctor_examine(r->d.opt), *list = doctor_get(found, "findings");
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; f && i < doctor_length(list); i++) {
		struct json_object *e = doctor_at(list, i);

		fprintf(f, "%-8s %-13s %s\n", doctor_string(e, "level"), doctor_string(e, "check"),
			doctor_string(e, "what"));
	}
	if (f)
		fclose(f);
	add_text(r, "shim6 doctor", text ? text : "out of memory");
	free(text);
	json_object_put(found);
}

/* --- the daemon ----------------------------------------------------------- */

static void add_answers(struct report *r)
{
	static const char *const ops[] = {
		"status", "contexts", "locators", "addr.list", "prefer", "negative", "stats"
	};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct json_object *result = doctor_ask(&r->d, ops[i], NULL);

		add_text(r, doctor_text("daemon: %s", ops[i]).s, result ? pretty(result) : "no answer");
		json_object_put(result);
	}
}

/* Those it has kept. The connection is of no other use afterwards. */
static void add_events(struct report *r)
{
	struct json_object *args = json_object_new_object(), *line = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	json_object_object_add(args, "since", json_object_new_int(0));
	json_object_put(doctor_ask(&r->d, "events", args));
	for (unsigned i = 0; f && i < EVENTS_MAX && control_read(r->d.client, &line, EVENT_WAIT_MS) == 0; i++) {
		struct json_object *e = doctor_get(line, "event");

		if (e)
			fprintf(f, "%s\n",
				json_object_to_json_string_ext(e, JSON_C_TO_STRING_PLAIN |
									  JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(line);
	}
	if (f)
		fclose(f);
	add_text(r, "daemon: events", text && *text ? text : "none");
	free(text);
}

static void add_file(struct report *r, const char *title, const char *path, bool end_of_it)
{
	char *buf = malloc(SECTION_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = -1;

	if (buf && fd >= 0) {
		if (end_of_it && lseek(fd, 0, SEEK_END) > (off_t)SECTION_MAX)
			lseek(fd, -(off_t)SECTION_MAX, SEEK_END);
		else
			lseek(fd, 0, SEEK_SET);
		n = read(fd, buf, SECTION_MAX);
	}
	if (n >= 0)
		buf[n] = '\0';
	add_text(r, title, n >= 0 ? buf : doctor_text("%s: %s", path, strerror(errno)).s);
	if (fd >= 0)
		close(fd);
	free(buf);
}

/* Into a file where it was started that way, else into the journal. */
static void add_log(struct report *r, int pid)
{
	const char *const journal[] = {
		"journalctl", "-u", "shim6d", "-n", "500", "--no-pager", "-o", "short-iso", NULL
	};
	struct doctor_text path = doctor_text("/proc/%d/fd/2", pid);
	struct stat st;
	char *text;

	if (pid > 0 && stat(path.s, &st) == 0 && S_ISREG(st.st_mode)) {
		add_file(r, "log", path.s, true);
		return;
	}
	text = doctor_run(journal, PROGRAM_TIMEOUT, SECTION_MAX, false);
	add_text(r, "log", text ? text : "no journal");
	free(text);
}

static void add_daemon(struct report *r)
{
	struct json_object *status = doctor_ask(&r->d, "status", NULL);
	const char *file = doctor_string(status, "config_file");

	if (r->d.client)
		add_answers(r);
	else
		add_text(r, "daemon",
			 doctor_text("not reached at %s: %s", r->d.opt->socket_path, strerror(-r->d.opt->client_error))
				 .s);
	add_file(r, "configuration", *file ? file : DEFAULT_CONFIG, false);
	add_log(r, json_object_get_int(doctor_get(status, "pid")));
	json_object_put(status);
}

/* --- the host ------------------------------------------------------------- */

static void add_programs(struct report *r)
{
	static const char *const commands[][9] = {
		{ "ip", "-d", "link" },
		{ "ip", "-6", "addr" },
		{ "ip", "-6", "rule" },
		{ "ip", "-6", "route", "show", "table", "all" },
		{ "ip", "-6", "neigh" },
		{ "ip", "-6", "addrlabel" },
		{ "tc", "qdisc" },
		{ "nft", "list", "ruleset" },
		{ "sysctl", "-e", "net.ipv6.conf.all", "net.ipv6.conf.default", "net.ipv4.tcp_mtu_probing",
		  "kernel.unprivileged_bpf_disabled" },
		{ "ip", "-V" },
		{ "dpkg-query", "-W", "shim6", "libshim6-1", "libbpf1", "libmnl0", "libuv1", "iproute2", "nftables" },
		{ "systemctl", "status", "shim6d", "--no-pager", "-n", "0" },
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *argv[10] = { 0 };
		char title[256] = "", *text;

		for (unsigned k = 0; k < 9 && commands[i][k]; k++) {
			size_t len = strlen(title);

			argv[k] = commands[i][k];
			snprintf(title + len, sizeof(title) - len, "%s%s", k ? " " : "", argv[k]);
		}
		text = doctor_run(argv, PROGRAM_TIMEOUT, SECTION_MAX, false);
		add_text(r, title, text ? text : strerror(errno));
		free(text);
	}
}

struct json_object *doctor_report(const struct doctor_options *opt)
{
	struct report *r = calloc(1, sizeof(*r));
	char host[256] = "";
	struct json_object *o;

	if (!r)
		return NULL;
	gethostname(host, sizeof(host) - 1);
	r->d.opt = opt;
	r->d.client = opt->client;
	r->mask = mask_new(host);
	if (!r->mask) {
		free(r);
		return NULL;
	}
	r->sections = json_object_new_array();
	add_head(r);
	add_examination(r);
	add_daemon(r);
	add_programs(r);
	add_file(r, "raw sockets", "/proc/net/raw6", false);
	add_file(r, "counters of the kernel", "/proc/net/snmp6", false);
	if (opt->client)
		add_events(r);
	o = json_object_new_object();
	json_object_object_add(o, "version", json_object_new_string(opt->version));
	json_object_object_add(o, "sections", r->sections);
	mask_free(r->mask);
	free(r);
	return o;
}
