/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/text.h"

#define STORE_VERSION 1
#define STORE_FILE_MAX (256u << 10)
#define STORE_SUFFIX ".set"

bool store_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > STORE_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return false;
	}
	return true;
}

void store_set_clear(struct store_set *s)
{
	if (s->pem) {
		explicit_bzero(s->pem, s->pem_len);
		free(s->pem);
	}
	s->pem = NULL;
	s->pem_len = 0;
}

static bool file_path(char *out, size_t len, const char *dir, const char *name, const char *tail, char *err,
		      size_t err_len)
{
	int n = snprintf(out, len, "%s/%s" STORE_SUFFIX "%s", dir, name, tail);

	if (store_name_ok(name) && n > 0 && (size_t)n < len)
		return true;
	snprintf(err, err_len, "'%s': expected a name of at most %d letters, digits, '-', '_' and '.'", name,
		 STORE_NAME_MAX);
	return false;
}

/* --- writing -------------------------------------------------------------- */

static void put_hex(FILE *f, const char *key, const void *octets, size_t len)
{
	const uint8_t *p = octets;

	fprintf(f, "%s=", key);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x", p[i]);
	fputc('\n', f);
}

static void put_members(FILE *f, const struct store_set *s)
{
	for (unsigned i = 0; i < s->set.n; i++) {
		struct shim6_addr prefix = { 0 };

		memcpy(prefix.b, s->prefix[i], 8);
		fprintf(f, "prefix=%s\n", text_prefix(&prefix, 64).s);
		fprintf(f, "address=%s\n", text_addr(&s->set.addr[i]).s);
		put_hex(f, "pds", s->set.pds[i], s->set.pds_len);
	}
}

static bool put_file(FILE *f, const struct store_set *s)
{
	struct cga_pds pds;

	if (cga_pds_parse(&pds, s->set.pds[0], s->set.pds_len) != CGA_OK) {
		errno = EINVAL;
		return false;
	}
	fprintf(f, "# A set of hash-based addresses (RFC 5535), kept by shim6d. Private: do not copy or edit.\n");
	fprintf(f, "version=%d\nsec=%u\ncollision_count=%u\n", STORE_VERSION, s->set.sec, s->collision_count);
	fprintf(f, "created=%llu\n", s->created ? (unsigned long long)s->created : (unsigned long long)time(NULL));
	if (s->automatic)
		fprintf(f, "automatic=1\n");
	put_hex(f, "modifier", pds.modifier, 16);
	put_hex(f, "key", pds.key, pds.key_len);
	put_members(f, s);
	if (s->pem)
		put_hex(f, "private_key", s->pem, s->pem_len);
	return fflush(f) == 0 && !ferror(f) && fsync(fileno(f)) == 0;
}

static bool make_dir(const char *dir)
{
	char parent[4096];
	char *slash;

	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return true;
	if (errno != ENOENT)
		return false;
	snprintf(parent, sizeof(parent), "%s", dir);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return false;
	*slash = '\0';
	return make_dir(parent) && (mkdir(dir, 0700) == 0 || errno == EEXIST);
}

/* The rename must be on disk too: an address that outlives its file cannot be defended. */
static bool sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

bool store_write(const char *dir, const struct store_set *s, char *err, size_t err_len)
{
	char path[4096], tmp[4096];
	FILE *f = NULL;
	bool ok;
	int fd;

	if (!file_path(path, sizeof(path), dir, s->name, "", err, err_len) ||
	    !file_path(tmp, sizeof(tmp), dir, s->name, ".new", err, err_len))
		return false;
	fd = make_dir(dir) ? open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	if (fd >= 0)
		f = fdopen(fd, "w");
	ok = f && put_file(f, s);
	if (f)
		ok = fclose(f) == 0 && ok;
	else if (fd >= 0)
		close(fd);
	ok = ok && rename(tmp, path) == 0 && sync_dir(dir);
	if (!ok) {
		snprintf(err, err_len, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			unlink(tmp);
	}
	return ok;
}

/* --- reading -------------------------------------------------------------- */

struct reading {
	struct store_set *out;
	const char *path;
	int line;
	char *err;
	size_t err_len;
	uint64_t version, sec, collision;
	uint8_t modifier[16];
	uint8_t key[CGA_MAX_PDS];
	size_t key_len;
	unsigned n_prefix, n_address, n_pds;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct reading *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->line)
		n = snprintf(r->err, r->err_len, "%s:%d: ", r->path, r->line);
	else
		n = snprintf(r->err, r->err_len, "%s: ", r->path);
	if (n < 0 || (size_t)n >= r->err_len)
		return false;
	va_start(ap, fmt);
	vsnprintf(r->err + n, r->err_len - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

static bool take_pds(struct reading *r, const char *v)
{
	struct cga_set *set = &r->out->set;
	size_t len;

	if (r->n_pds == CGA_MAX_GENERATE || !text_unhex(v, strlen(v), set->pds[r->n_pds], CGA_MAX_PDS, &len) || !len)
		return refuse(r, "pds: expected at most %d of at most %d octets in hexadecimal", CGA_MAX_GENERATE,
			      CGA_MAX_PDS);
	if (r->n_pds && len != set->pds_len)
		return refuse(r, "pds: expected %zu octets as in the first", set->pds_len);
	set->pds_len = len;
	r->n_pds++;
	return true;
}

static bool take_private_key(struct reading *r, const char *v)
{
	struct store_set *s = r->out;

	if (s->pem)
		return refuse(r, "private_key: given twice");
	s->pem = malloc(STORE_PEM_MAX + 1);
	if (!s->pem)
		return refuse(r, "out of memory");
	if (!text_unhex(v, strlen(v), (uint8_t *)s->pem, STORE_PEM_MAX, &s->pem_len))
		return refuse(r, "private_key: expected at most %d octets in hexadecimal", STORE_PEM_MAX);
	s->pem[s->pem_len] = '\0';
	return true;
}

static bool take_prefix(struct reading *r, const char *v)
{
	struct shim6_addr a;
	unsigned len;

	if (r->n_prefix == CGA_MAX_GENERATE || !text_parse_prefix(v, &a, &len) || len != 64)
		return refuse(r, "prefix: expected at most %d of the form ADDRESS/64", CGA_MAX_GENERATE);
	memcpy(r->out->prefix[r->n_prefix++], a.b, 8);
	return true;
}

static bool take_line(struct reading *r, const char *key, const char *v)
{
	size_t len;

	if (strcmp(key, "version") == 0)
		return text_parse_u64(v, &r->version) || refuse(r, "version: expected a number");
	if (strcmp(key, "sec") == 0)
		return (text_parse_u64(v, &r->sec) && r->sec <= CGA_MAX_SEC) ||
		       refuse(r, "sec: expected 0 to %d", CGA_MAX_SEC);
	if (strcmp(key, "collision_count") == 0)
		return (text_parse_u64(v, &r->collision) && r->collision <= 2) ||
		       refuse(r, "collision_count: expected 0 to 2");
	if (strcmp(key, "created") == 0)
		return text_parse_u64(v, &r->out->created) || refuse(r, "created: expected seconds");
	if (strcmp(key, "automatic") == 0) {
		r->out->automatic = strcmp(v, "1") == 0;
		return r->out->automatic || strcmp(v, "0") == 0 || refuse(r, "automatic: expected 0 or 1");
	}
	if (strcmp(key, "modifier") == 0)
		return (text_unhex(v, strlen(v), r->modifier, 16, &len) && len == 16) ||
		       refuse(r, "modifier: expected 32 hexadecimal digits");
	if (strcmp(key, "key") == 0)
		return (text_unhex(v, strlen(v), r->key, sizeof(r->key), &r->key_len) && r->key_len) ||
		       refuse(r, "key: expected octets in hexadecimal");
	if (strcmp(key, "prefix") == 0)
		return take_prefix(r, v);
	if (strcmp(key, "address") == 0)
		return (r->n_address < CGA_MAX_GENERATE && text_parse_addr(v, &r->out->set.addr[r->n_address++])) ||
		       refuse(r, "address: expected at most %d IPv6 addresses", CGA_MAX_GENERATE);
	if (strcmp(key, "pds") == 0)
		return take_pds(r, v);
	if (strcmp(key, "private_key") == 0)
		return take_private_key(r, v);
	return refuse(r, "%s: no such key", key);
}

static bool check_member(struct reading *r, unsigned i)
{
	struct store_set *s = r->out;
	struct cga_verifier v;
	struct cga_pds pds;
	int rc = cga_pds_parse(&pds, s->set.pds[i], s->set.pds_len);

	if (rc == CGA_OK && (memcmp(pds.modifier, r->modifier, 16) != 0 || pds.collision_count != r->collision ||
			     memcmp(pds.prefix, s->prefix[i], 8) != 0 || pds.key_len != r->key_len ||
			     memcmp(pds.key, r->key, r->key_len) != 0))
		return refuse(r, "damaged: parameters of %s are not those of the set", text_addr(&s->set.addr[i]).s);
	if (rc == CGA_OK) {
		cga_verifier_init(&v, &pds);
		rc = cga_verify_hba(&v, &s->set.addr[i]);
	}
	if (rc != CGA_OK)
		return refuse(r, "damaged: %s does not follow from its parameters: %s", text_addr(&s->set.addr[i]).s,
			      cga_status_name(rc));
	return true;
}

/* The private key must be that of the set. */
static bool check_key(struct reading *r)
{
	uint8_t spki[CGA_MAX_PDS];
	struct cga_key *key;
	size_t len;
	bool ok;

	if (!r->out->pem)
		return true;
	if (cga_key_load_pem(&key, r->out->pem, r->out->pem_len) != CGA_OK)
		return refuse(r, "private_key: expected an RSA key in PEM");
	ok = cga_key_spki(key, spki, sizeof(spki), &len) == CGA_OK && len == r->key_len &&
	     memcmp(spki, r->key, len) == 0;
	cga_key_free(key);
	return ok || refuse(r, "private_key: is not the key of this set");
}

static bool check_set(struct reading *r)
{
	struct store_set *s = r->out;

	r->line = 0;
	if (r->version != STORE_VERSION)
		return refuse(r, "version: expected %d, not %llu", STORE_VERSION, (unsigned long long)r->version);
	if (!r->n_pds || r->n_pds != r->n_prefix || r->n_pds != r->n_address)
		return refuse(r, "damaged: %u prefixes, %u addresses, %u parameter data structures", r->n_prefix,
			      r->n_address, r->n_pds);
	s->set.n = r->n_pds;
	s->set.sec = (unsigned)r->sec;
	s->collision_count = (uint8_t)r->collision;
	for (unsigned i = 0; i < s->set.n; i++) {
		if (!check_member(r, i))
			return false;
	}
	return check_key(r);
}

static bool read_lines(struct reading *r, FILE *f)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	bool ok = true;

	while (ok && (n = getline(&line, &cap, f)) > 0) {
		char *eq;

		r->line++;
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (!line[0] || line[0] == '#')
			continue;
		eq = strchr(line, '=');
		if (!eq) {
			ok = refuse(r, "expected KEY=VALUE");
			break;
		}
		*eq = '\0';
		ok = take_line(r, line, eq + 1);
	}
	if (line)
		explicit_bzero(line, cap);
	free(line);
	return ok && check_set(r);
}

bool store_read(const char *dir, const char *name, struct store_set *out, char *err, size_t err_len)
{
	char path[4096];
	struct reading r = { .out = out, .path = path, .err = err, .err_len = err_len };
	struct stat st;
	FILE *f;
	bool ok;
	int fd;

	memset(out, 0, sizeof(*out));
	if (!file_path(path, sizeof(path), dir, name, "", err, err_len))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!f || fstat(fd, &st) < 0) {
		ok = refuse(&r, "%s", strerror(errno));
		if (!f && fd >= 0)
			close(fd);
	} else if (!S_ISREG(st.st_mode) || st.st_size > STORE_FILE_MAX) {
		ok = refuse(&r, "expected a file of at most %u octets", STORE_FILE_MAX);
	} else if (st.st_mode & 077) {
		ok = refuse(&r, "mode %03o lets others in; expected 600 (chmod 600)", st.st_mode & 0777);
	} else {
		snprintf(out->name, sizeof(out->name), "%s", name);
		out->created = (uint64_t)st.st_mtime;
		ok = read_lines(&r, f);
	}
	if (f)
		fclose(f);
	if (!ok)
		store_set_clear(out);
	return ok;
}

/* --- the folder ----------------------------------------------------------- */

bool store_delete(const char *dir, const char *name, char *err, size_t err_len)
{
	char path[4096];

	if (!file_path(path, sizeof(path), dir, name, "", err, err_len))
		return false;
	if (unlink(path) == 0)
		return true;
	snprintf(err, err_len, "%s: %s", path, strerror(errno));
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int store_names(const char *dir, char (*names)[STORE_NAME_MAX + 1], unsigned cap, char *err, size_t err_len)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	if (!d) {
		if (errno == ENOENT)
			return 0;
		snprintf(err, err_len, "%s: %s", dir, strerror(errno));
		return -1;
	}
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name), tail = strlen(STORE_SUFFIX);

		if (len <= tail || len - tail > STORE_NAME_MAX || strcmp(e->d_name + len - tail, STORE_SUFFIX) != 0)
			continue;
		if (n == cap) {
			snprintf(err, err_len, "%s: expected at most %u sets", dir, cap);
			closedir(d);
			return -1;
		}
		memcpy(names[n], e->d_name, len - tail);
		names[n++][len - tail] = '\0';
	}
	closedir(d);
	qsort(names, n, sizeof(names[0]), by_name);
	return (int)n;
}

bool store_free_name(const char *dir, char out[STORE_NAME_MAX + 1])
{
	char path[4096];

	for (unsigned i = 0; i < STORE_MAX_SETS; i++) {
		snprintf(out, STORE_NAME_MAX + 1, "hba%u", i);
		snprintf(path, sizeof(path), "%s/%s" STORE_SUFFIX, dir, out);
		if (access(path, F_OK) < 0)
			return true;
	}
	return false;
}
