// SPDX-License-Identifier: GPL-2.0-or-later
/* The folder of a lab: read, written, locked, listed, removed. */
#define _GNU_SOURCE
#include "lab/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool lab_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return n && n <= LAB_NAME_MAX && !name[n] && name[0] != '-';
}

static void set_dir(struct lab *lab, const char *name)
{
	memset(lab, 0, sizeof(*lab));
	lab->lock = -1;
	lab_format(lab->name, sizeof(lab->name), "%s", name);
	lab_format(lab->dir, sizeof(lab->dir), LAB_RUN_DIR "/%s", name);
}

static int take_lock(struct lab *lab)
{
	lab->lock = open(lab->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lab->lock < 0)
		return lab_error("no lab named %s (shim6 lab list shows them)", lab->name);
	if (flock(lab->lock, LOCK_EX))
		return lab_error("cannot lock %s: %s", lab->dir, strerror(errno));
	return 0;
}

static int check_name(const char *name)
{
	return lab_name_valid(name) ? 0
				    : lab_error("bad lab name \"%s\": 1 to %d letters, digits, - and _, not - first",
						name, LAB_NAME_MAX);
}

int lab_create(struct lab *lab, const char *name)
{
	if (check_name(name))
		return -1;
	set_dir(lab, name);
	if (make_dirs(LAB_RUN_DIR))
		return -1;
	if (mkdir(lab->dir, 0755))
		return errno == EEXIST ? lab_error("the lab %s exists already (shim6 lab down --name %s removes it)",
						   name, name)
				       : lab_error("cannot make %s: %s", lab->dir, strerror(errno));
	if (take_lock(lab))
		return -1;
	if (lab_save(lab)) {
		lab_forget(lab);
		return -1;
	}
	return 0;
}

static void fault_to_json(const struct fault *f, struct json_object *list)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "kind", json_object_new_string(fault_kind_name(f->kind)));
	json_object_object_add(o, "direction", json_object_new_string(fault_direction_name(f->direction)));
	json_object_object_add(o, "host", json_object_new_string(f->host ? "B" : "A"));
	json_object_object_add(o, "provider", json_object_new_int((int)f->provider + 1));
	json_object_object_add(o, "amount", json_object_new_int((int)f->amount));
	json_object_array_add(list, o);
}

int lab_save(const struct lab *lab)
{
	struct json_object *o = json_object_new_object(), *addr = json_object_new_array(),
			   *procs = json_object_new_array(), *faults = json_object_new_array();
	char path[LAB_PATH_MAX], tmp[LAB_PATH_MAX];
	int r;

	json_object_object_add(o, "name", json_object_new_string(lab->name));
	json_object_object_add(o, "shim6", json_object_new_boolean(lab->shim6));
	json_object_object_add(o, "shim6d", json_object_new_string(lab->shim6d));
	json_object_object_add(o, "send_timeout_s", json_object_new_double(lab->send_timeout));
	json_object_object_add(o, "delay_ms", json_object_new_int((int)lab->delay_ms));
	for (unsigned h = 0; h < LAB_HOSTS; h++)
		for (unsigned p = 0; p < LAB_PROVIDERS; p++)
			json_object_array_add(addr, json_object_new_string(lab->addr[h][p]));
	json_object_object_add(o, "addresses", addr);
	for (unsigned i = 0; i < lab->n_procs; i++) {
		struct json_object *p = json_object_new_object();

		json_object_object_add(p, "role", json_object_new_string(lab->procs[i].role));
		json_object_object_add(p, "pid", json_object_new_int(lab->procs[i].proc.pid));
		json_object_object_add(p, "start", json_object_new_int64((int64_t)lab->procs[i].proc.start));
		json_object_array_add(procs, p);
	}
	json_object_object_add(o, "processes", procs);
	for (unsigned i = 0; i < lab->n_faults; i++)
		fault_to_json(&lab->faults[i], faults);
	json_object_object_add(o, "faults", faults);

	lab_path(lab, path, sizeof(path), "lab.json");
	lab_path(lab, tmp, sizeof(tmp), "lab.json.new");
	r = file_write(tmp, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY));
	json_object_put(o);
	if (!r && rename(tmp, path))
		r = lab_error("cannot write %s: %s", path, strerror(errno));
	return r;
}

static const char *text_of(struct json_object *o, const char *key)
{
	const char *s = json_object_get_string(json_object_object_get(o, key));

	return s ? s : "";
}

static int int_of(struct json_object *o, const char *key)
{
	return json_object_get_int(json_object_object_get(o, key));
}

static void load_lists(struct lab *lab, struct json_object *o)
{
	struct json_object *list = json_object_object_get(o, "addresses");

	for (size_t i = 0; i < LAB_HOSTS * LAB_PROVIDERS && i < json_object_array_length(list); i++)
		snprintf(lab->addr[i / LAB_PROVIDERS][i % LAB_PROVIDERS], LAB_ADDR_MAX, "%s",
			 json_object_get_string(json_object_array_get_idx(list, i)));
	list = json_object_object_get(o, "processes");
	for (size_t i = 0; i < json_object_array_length(list) && lab->n_procs < LAB_MAX_PROCS; i++) {
		struct json_object *e = json_object_array_get_idx(list, i);
		struct lab_proc *p = &lab->procs[lab->n_procs++];

		snprintf(p->role, sizeof(p->role), "%s", text_of(e, "role"));
		p->proc.pid = int_of(e, "pid");
		p->proc.start = (uint64_t)json_object_get_int64(json_object_object_get(e, "start"));
	}
	list = json_object_object_get(o, "faults");
	for (size_t i = 0; i < json_object_array_length(list) && lab->n_faults < LAB_MAX_FAULTS; i++) {
		struct json_object *e = json_object_array_get_idx(list, i);
		struct fault *f = &lab->faults[lab->n_faults];

		if (!fault_init(f, text_of(e, "kind")))
			continue;
		fault_set_host(f, text_of(e, "host"));
		fault_set_direction(f, text_of(e, "direction"));
		f->provider = int_of(e, "provider") == 2;
		f->amount = (unsigned)int_of(e, "amount");
		lab->n_faults++;
	}
}

static bool load_quiet(struct lab *lab)
{
	char path[LAB_PATH_MAX];
	struct json_object *o;

	lab_path(lab, path, sizeof(path), "lab.json");
	o = json_object_from_file(path);
	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_is_type(json_object_object_get(o, "addresses"), json_type_array) ||
	    !json_object_is_type(json_object_object_get(o, "processes"), json_type_array) ||
	    !json_object_is_type(json_object_object_get(o, "faults"), json_type_array)) {
		json_object_put(o);
		return false;
	}
	lab->shim6 = json_object_get_boolean(json_object_object_get(o, "shim6"));
	snprintf(lab->shim6d, sizeof(lab->shim6d), "%s", text_of(o, "shim6d"));
	lab->send_timeout = json_object_get_double(json_object_object_get(o, "send_timeout_s"));
	lab->delay_ms = (unsigned)int_of(o, "delay_ms");
	load_lists(lab, o);
	json_object_put(o);
	return true;
}

static int load(struct lab *lab)
{
	return load_quiet(lab) ? 0
			       : lab_error("%s/lab.json cannot be read as the state of a lab "
					   "(shim6 lab down --name %s clears what is left of it)",
					   lab->dir, lab->name);
}

struct only {
	unsigned n;
	char name[LAB_NAME_MAX + 1];
};

static void count_labs(const struct lab *lab, void *arg)
{
	struct only *only = arg;

	only->n++;
	memcpy(only->name, lab->name, sizeof(only->name));
}

int lab_open(struct lab *lab, const char *name)
{
	struct only only = { 0 };

	if (!name) {
		lab_list(count_labs, &only);
		if (only.n != 1)
			return only.n ? lab_error("%u labs are up: say which with --name (shim6 lab list)", only.n)
				      : lab_error("no lab is up (shim6 lab up makes one)");
		name = only.name;
	}
	if (check_name(name))
		return -1;
	set_dir(lab, name);
	if (take_lock(lab))
		return -1;
	if (load(lab)) {
		lab_close(lab);
		return -1;
	}
	return 0;
}

int lab_open_remains(struct lab *lab, const char *name)
{
	if (check_name(name))
		return -1;
	set_dir(lab, name);
	if (take_lock(lab))
		return -1;
	load_quiet(lab);
	return 0;
}

void lab_close(struct lab *lab)
{
	if (lab->lock >= 0)
		close(lab->lock);
	lab->lock = -1;
}

int lab_forget(struct lab *lab)
{
	int r = remove_tree(lab->dir);

	lab_close(lab);
	rmdir(LAB_RUN_DIR); /* succeeds for the last lab only */
	return r;
}

void lab_names(void (*each)(const char *name, void *arg), void *arg)
{
	DIR *dir = opendir(LAB_RUN_DIR);
	struct dirent *e;

	while (dir && (e = readdir(dir)) != NULL)
		if (lab_name_valid(e->d_name))
			each(e->d_name, arg);
	if (dir)
		closedir(dir);
}

struct listing {
	void (*each)(const struct lab *lab, void *arg);
	void *arg;
};

static void list_one(const char *name, void *arg)
{
	struct listing *l = arg;
	struct lab lab;

	set_dir(&lab, name);
	if (load(&lab) == 0)
		l->each(&lab, l->arg);
}

int lab_list(void (*each)(const struct lab *lab, void *arg), void *arg)
{
	struct listing l = { each, arg };

	lab_names(list_one, &l);
	return 0;
}

void lab_node(const struct lab *lab, char *out, size_t cap, const char *node)
{
	lab_format(out, cap, "%s-%s", lab->name, node);
}

void lab_path(const struct lab *lab, char *out, size_t cap, const char *file)
{
	lab_format(out, cap, "%s/%s", lab->dir, file);
}

void lab_log(const struct lab *lab, const char *what, const char *detail, uint64_t when)
{
	struct json_object *o = json_object_new_object();
	struct timespec wall;
	struct tm tm;
	char path[LAB_PATH_MAX], date[32], stamp[48];
	FILE *f;

	clock_gettime(CLOCK_REALTIME, &wall);
	/* the wall clock of the moment that "when" names on the steady clock */
	int64_t ns = (int64_t)wall.tv_sec * (int64_t)NSEC_PER_SEC + wall.tv_nsec - (int64_t)(lab_now() - when);

	wall.tv_sec = (time_t)(ns / (int64_t)NSEC_PER_SEC);
	gmtime_r(&wall.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	lab_format(stamp, sizeof(stamp), "%s.%06dZ", date, (int)(ns % (int64_t)NSEC_PER_SEC / 1000));
	json_object_object_add(o, "time", json_object_new_string(stamp));
	json_object_object_add(o, "monotonic_s", json_object_new_double((double)when / 1e9));
	json_object_object_add(o, "event", json_object_new_string(what));
	json_object_object_add(o, "detail", json_object_new_string(detail));
	lab_path(lab, path, sizeof(path), "events.log");
	f = fopen(path, "ae");
	if (f) {
		fprintf(f, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		fclose(f);
	}
	json_object_put(o);
}

int lab_add_proc(struct lab *lab, const char *role, const struct proc *p)
{
	if (lab->n_procs == LAB_MAX_PROCS)
		return lab_error("the lab %s runs %d processes already", lab->name, LAB_MAX_PROCS);
	lab_format(lab->procs[lab->n_procs].role, sizeof(lab->procs[0].role), "%s", role);
	lab->procs[lab->n_procs++].proc = *p;
	return lab_save(lab);
}

struct lab_proc *lab_find_proc(struct lab *lab, const char *role)
{
	for (unsigned i = 0; i < lab->n_procs; i++)
		if (!strcmp(lab->procs[i].role, role))
			return &lab->procs[i];
	return NULL;
}

void lab_stop_proc(struct lab *lab, const char *role)
{
	struct lab_proc *p = lab_find_proc(lab, role);

	if (!p)
		return;
	proc_stop(&p->proc, 5000);
	*p = lab->procs[--lab->n_procs];
	lab_save(lab);
}
