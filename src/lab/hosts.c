// SPDX-License-Identifier: GPL-2.0-or-later
/* Prepares, starts, asks and removes the daemons of a lab (see hosts.h). */
#define _GNU_SOURCE
#include "lab/hosts.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "control/control.h"
#include "lab/topology.h"

#define ASK_TIMEOUT_MS 3000
#define POLL_MS 20
#define LOG_TAIL 2048 /* octets of a daemon's log that are shown when it ends */

static void host_file(const struct lab *lab, unsigned host, const char *file, char out[static LAB_PATH_MAX])
{
	lab_format(out, LAB_PATH_MAX, "%s/%c/%s", lab->dir, topology_host_letter(host), file);
}

void host_socket(const struct lab *lab, unsigned host, char out[static LAB_PATH_MAX])
{
	host_file(lab, host, "run/" CONTROL_SOCKET, out);
}

void host_log(const struct lab *lab, unsigned host, char out[static LAB_PATH_MAX])
{
	host_file(lab, host, "shim6d.log", out);
}

void host_role(unsigned host, char *out, size_t cap)
{
	lab_format(out, cap, "shim6d-%c", topology_host_letter(host));
}

/* --- folders, addresses, configuration ------------------------------------- */

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

static int mount_pins(const struct lab *lab)
{
	char path[LAB_PATH_MAX];

	lab_path(lab, path, sizeof(path), "bpf");
	if (make_dirs(path))
		return -1;
	if (mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return lab_error("cannot mount a bpf file system at %s: %s", path, strerror(errno));
	return 0;
}

int hosts_remove(const struct lab *lab)
{
	char path[LAB_PATH_MAX];

	lab_path(lab, path, sizeof(path), "bpf");
	while (is_bpffs(path))
		if (umount2(path, MNT_DETACH))
			return lab_error("cannot unmount %s: %s", path, strerror(errno));
	return 0;
}

static int take_addresses(struct lab *lab, unsigned host, const char *text)
{
	struct json_object *o = json_tokener_parse(text), *list = NULL;
	int r = 0;

	if (!o || !json_object_object_get_ex(o, "addresses", &list) || !json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) != LAB_PROVIDERS)
		r = lab_error("shim6d addr generate: expected %d addresses, got: %s", LAB_PROVIDERS, text);
	for (unsigned p = 0; !r && p < LAB_PROVIDERS; p++)
		lab_format(lab->addr[host][p], LAB_ADDR_MAX, "%s",
			   json_object_get_string(json_object_array_get_idx(list, p)));
	json_object_put(o);
	return r;
}

static int generate(struct lab *lab, unsigned host)
{
	char state[LAB_PATH_MAX], prefix[LAB_PROVIDERS][LAB_ADDR_MAX];
	const char *const argv[] = { lab->shim6d, "--state-dir", state,	     "addr",	"generate", "--json",
				     "--prefix",  prefix[0],	 "--prefix", prefix[1], NULL };
	struct strbuf out = { 0 };
	int r;

	host_file(lab, host, "state", state);
	for (unsigned p = 0; p < LAB_PROVIDERS; p++)
		topology_prefix(host, p, prefix[p]);
	r = proc_run(NULL, argv, NULL, &out);
	if (r)
		r = lab_error("cannot make the addresses of host %c", topology_host_letter(host));
	else
		r = take_addresses(lab, host, out.s ? out.s : "");
	strbuf_free(&out);
	return r;
}

/* The user's file stands first: line numbers in complaints are right. */
static int write_config(const struct lab *lab, unsigned host, const struct hosts_setup *setup)
{
	char path[LAB_PATH_MAX], prefix[LAB_ADDR_MAX];
	struct strbuf b = { 0 };
	int r = 0;

	if (setup->config) {
		r = file_read(setup->config, &b);
		if (b.len && b.s[b.len - 1] != '\n')
			strbuf_puts(&b, "\n");
	}
	if (setup->send_timeout_set)
		strbuf_printf(&b, "[reap]\nsend_timeout = %.0f\n", lab->send_timeout);
	for (unsigned p = 0; p < LAB_PROVIDERS; p++) {
		topology_prefix(host, p, prefix);
		strbuf_printf(&b, "[interface eth%u]\nprefixes = %s\n", p + 1, prefix);
	}
	host_file(lab, host, "shim6.conf", path);
	if (!r)
		r = file_write(path, b.s);
	strbuf_free(&b);
	return r;
}

/* The daemon itself says what is wrong with the file. */
static int check_config(const struct lab *lab, unsigned host)
{
	char conf[LAB_PATH_MAX];
	const char *const argv[] = { lab->shim6d, "--config", conf, "--check", NULL };
	struct strbuf out = { 0 };
	int r;

	host_file(lab, host, "shim6.conf", conf);
	r = proc_run(NULL, argv, NULL, &out);
	strbuf_free(&out);
	return r ? lab_error("the daemon of host %c refuses its configuration", topology_host_letter(host)) : 0;
}

int hosts_prepare(struct lab *lab, const struct hosts_setup *setup)
{
	static const char *const folders[] = { "run", "state" };
	char path[LAB_PATH_MAX];

	if (mount_pins(lab))
		return -1;
	for (unsigned h = 0; h < LAB_HOSTS; h++) {
		for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
			host_file(lab, h, folders[i], path);
			if (make_dirs(path))
				return -1;
		}
		if (write_config(lab, h, setup) || check_config(lab, h) || generate(lab, h))
			return -1;
	}
	return 0;
}

/* --- daemons --------------------------------------------------------------- */

static int start(struct lab *lab, unsigned host)
{
	char conf[LAB_PATH_MAX], run[LAB_PATH_MAX], state[LAB_PATH_MAX], pins[LAB_PATH_MAX], log[LAB_PATH_MAX];
	char ns[NETNS_NAME_MAX], role[32];
	const char *const argv[] = { lab->shim6d, "--config", conf, "--runtime-dir", run, "--state-dir", state,
				     "--pin-dir", pins,	      NULL };
	struct proc_spec spec = { .netns = ns, .argv = argv, .log = log, .in = -1, .out = PROC_TO_LOG };
	struct proc p;

	topology_host_ns(lab, host, ns);
	host_role(host, role, sizeof(role));
	host_file(lab, host, "shim6.conf", conf);
	host_file(lab, host, "run", run);
	host_file(lab, host, "state", state);
	host_log(lab, host, log);
	lab_format(pins, sizeof(pins), "%s/bpf/%c", lab->dir, topology_host_letter(host));
	return proc_spawn(&spec, &p) || lab_add_proc(lab, role, &p) ? -1 : 0;
}

int hosts_start(struct lab *lab)
{
	for (unsigned h = 0; h < LAB_HOSTS; h++)
		if (start(lab, h))
			return -1;
	return 0;
}

struct json_object *host_ask(const struct lab *lab, unsigned host, const char *op)
{
	struct json_object *reply = NULL, *result = NULL;
	struct control_client *c;
	char path[LAB_PATH_MAX];

	host_socket(lab, host, path);
	if (control_connect(&c, path))
		return NULL;
	if (!control_call(c, op, NULL, &reply, ASK_TIMEOUT_MS))
		result = json_object_get(json_object_object_get(reply, "result"));
	json_object_put(reply);
	control_close(c);
	return result;
}

/* Every address of the lab is there, up, and of an HBA set. */
static bool ready(const struct lab *lab, unsigned host)
{
	struct json_object *o = host_ask(lab, host, "locators"), *list = NULL;
	unsigned found = 0;

	if (o && json_object_object_get_ex(o, "locators", &list)) {
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			struct json_object *l = json_object_array_get_idx(list, i);
			const char *addr = json_object_get_string(json_object_object_get(l, "addr"));

			for (unsigned p = 0; addr && p < LAB_PROVIDERS; p++)
				found += !strcmp(addr, lab->addr[host][p]) &&
					 json_object_get_boolean(json_object_object_get(l, "up")) &&
					 json_object_get_boolean(json_object_object_get(l, "hba"));
		}
	}
	json_object_put(o);
	return found == LAB_PROVIDERS;
}

static int tell_end(const struct lab *lab, unsigned host)
{
	struct strbuf b = { 0 };
	char path[LAB_PATH_MAX];

	host_log(lab, host, path);
	if (!file_read(path, &b) && b.len)
		fprintf(stderr, "%s", b.s + (b.len > LOG_TAIL ? b.len - LOG_TAIL : 0));
	strbuf_free(&b);
	return lab_error("the daemon of host %c ended; the above is its log", topology_host_letter(host));
}

int hosts_wait(struct lab *lab, unsigned timeout_ms)
{
	uint64_t deadline = lab_now() + timeout_ms * NSEC_PER_MSEC;
	char role[32], path[LAB_PATH_MAX];

	for (unsigned h = 0; h < LAB_HOSTS; h++) {
		host_role(h, role, sizeof(role));
		host_log(lab, h, path);
		while (!ready(lab, h)) {
			struct lab_proc *p = lab_find_proc(lab, role);

			if (lab_interrupted())
				return -1;
			if (!p || !proc_alive(&p->proc))
				return tell_end(lab, h);
			if (lab_now() > deadline)
				return lab_error("host %c has no two usable locators after %u s; its log is %s",
						 topology_host_letter(h), timeout_ms / 1000, path);
			poll(NULL, 0, POLL_MS);
		}
	}
	return 0;
}
