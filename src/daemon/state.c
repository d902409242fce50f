/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_RECORD_MAGIC UINT32_C(0x36435231)
#define STATE_BLOB_MAX (1u << 16)
#define STATE_COMPACT_MIN (1u << 16) /* octets below which garbage does not matter */
#define STATE_FILE_MAX (1u << 30)

struct header {
	char magic[8];
	char boot[40];
};

struct record {
	uint32_t magic;
	uint32_t len;
	uint32_t crc; /* of id and blob */
	uint32_t zero;
	uint64_t id;
};

/* Where a live context's record is. */
struct entry {
	uint64_t id;
	size_t offset; /* 0: free */
	uint32_t len;  /* of the blob */
};

struct state {
	char *path;
	int fd;
	struct header header;
	size_t size;
	size_t live; /* octets of live records */
	uint64_t damaged;
	bool discarded;
	struct entry *table; /* open addressing, linear probing */
	size_t cap, used;
};

static const char file_magic[8] = { 'S', 'H', 'I', 'M', '6', 'C', 'T', '1' };

static uint32_t crc32_add(uint32_t crc, const void *octets, size_t len)
{
	const uint8_t *p = octets;

	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (UINT32_C(0xedb88320) & (0u - (crc & 1u)));
	}
	return ~crc;
}

static uint32_t record_crc(uint64_t id, const void *blob, size_t len)
{
	return crc32_add(crc32_add(0, &id, sizeof(id)), blob, len);
}

/* --- the index ------------------------------------------------------------ */

static size_t hash(const struct state *s, uint64_t id)
{
	return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (s->cap - 1);
}

static struct entry *find(const struct state *s, uint64_t id)
{
	size_t i = hash(s, id);

	while (s->table[i].offset && s->table[i].id != id)
		i = (i + 1) & (s->cap - 1);
	return &s->table[i];
}

static bool grow(struct state *s)
{
	struct entry *old = s->table;
	size_t n = s->cap;

	s->table = calloc(n ? 2 * n : 64, sizeof(*s->table));
	if (!s->table) {
		s->table = old;
		return false;
	}
	s->cap = n ? 2 * n : 64;
	for (size_t i = 0; i < n; i++) {
		if (old[i].offset)
			*find(s, old[i].id) = old[i];
	}
	free(old);
	return true;
}

/* Close the gap that a removal leaves in a run of neighbours. */
static void unlink_entry(struct state *s, struct entry *e)
{
	size_t hole = (size_t)(e - s->table), mask = s->cap - 1;

	s->live -= sizeof(struct record) + e->len;
	s->used--;
	e->offset = 0;
	for (size_t i = (hole + 1) & mask; s->table[i].offset; i = (i + 1) & mask) {
		size_t home = hash(s, s->table[i].id);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		s->table[hole] = s->table[i];
		s->table[i].offset = 0;
		hole = i;
	}
}

static int index_record(struct state *s, uint64_t id, size_t offset, uint32_t len)
{
	struct entry *e;

	if (s->used * 4 >= s->cap * 3 && !grow(s))
		return -ENOMEM;
	e = find(s, id);
	if (e->offset)
		unlink_entry(s, e);
	if (!len)
		return 0;
	e = find(s, id);
	*e = (struct entry){ .id = id, .offset = offset, .len = len };
	s->used++;
	s->live += sizeof(struct record) + len;
	return 0;
}

/* --- reading -------------------------------------------------------------- */

static bool read_at(int fd, void *buf, size_t len, size_t offset)
{
	return pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
}

static int write_all(int fd, const void *buf, size_t len, size_t offset)
{
	ssize_t n = pwrite(fd, buf, len, (off_t)offset);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENOSPC;
}

/* Index every whole record; returns the offset behind the last. */
static size_t scan(struct state *s, size_t file_size)
{
	uint8_t *blob = malloc(STATE_BLOB_MAX);
	size_t at = sizeof(struct header);
	struct record r;

	while (blob && at + sizeof(r) <= file_size && read_at(s->fd, &r, sizeof(r), at)) {
		if (r.magic != STATE_RECORD_MAGIC || r.len > STATE_BLOB_MAX || at + sizeof(r) + r.len > file_size)
			break;
		if (!read_at(s->fd, blob, r.len, at + sizeof(r)) || record_crc(r.id, blob, r.len) != r.crc)
			break;
		if (index_record(s, r.id, at, r.len) < 0)
			break;
		at += sizeof(r) + r.len;
	}
	free(blob);
	return at;
}

static int start_anew(struct state *s)
{
	s->size = 0;
	if (ftruncate(s->fd, 0) < 0)
		return -errno;
	s->size = sizeof(s->header);
	return write_all(s->fd, &s->header, sizeof(s->header), 0);
}

static int load(struct state *s)
{
	struct header found;
	struct stat st;

	if (!grow(s))
		return -ENOMEM;
	if (fstat(s->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > STATE_FILE_MAX)
		return -EINVAL;
	if (st.st_size == 0)
		return start_anew(s);
	if (!read_at(s->fd, &found, sizeof(found), 0) || memcmp(&found, &s->header, sizeof(found)) != 0) {
		s->discarded = true;
		return start_anew(s);
	}
	s->size = scan(s, (size_t)st.st_size);
	s->damaged = (uint64_t)st.st_size - s->size;
	if (s->damaged && ftruncate(s->fd, (off_t)s->size) < 0)
		return -errno;
	return 0;
}

struct state *state_open(const char *path, const char *boot, char *err, size_t err_len)
{
	struct state *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	if (s) {
		s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		rc = s->fd < 0 ? -errno : 0;
		s->path = strdup(path);
		if (!rc && !s->path)
			rc = -ENOMEM;
		memcpy(s->header.magic, file_magic, sizeof(file_magic));
		snprintf(s->header.boot, sizeof(s->header.boot), "%s", boot);
		if (!rc)
			rc = load(s);
	}
	if (rc) {
		snprintf(err, err_len, "%s: %s", path, strerror(-rc));
		if (s)
			state_close(s, true);
		return NULL;
	}
	return s;
}

void state_close(struct state *s, bool keep)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (!keep && s->path)
		unlink(s->path);
	free(s->path);
	free(s->table);
	free(s);
}

static int by_offset(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Live entries in file order; the caller frees. */
static struct entry *sorted(const struct state *s)
{
	struct entry *list = malloc((s->used + 1) * sizeof(*list));
	size_t n = 0;

	if (!list)
		return NULL;
	for (size_t i = 0; i < s->cap; i++) {
		if (s->table[i].offset)
			list[n++] = s->table[i];
	}
	qsort(list, n, sizeof(*list), by_offset);
	return list;
}

void state_each(struct state *s, void (*fn)(void *arg, uint64_t id, const uint8_t *blob, size_t len), void *arg)
{
	struct entry *list = sorted(s);
	uint8_t *blob = malloc(STATE_BLOB_MAX);
	size_t n = s->used;

	for (size_t i = 0; list && blob && i < n; i++) {
		if (read_at(s->fd, blob, list[i].len, list[i].offset + sizeof(struct record)))
			fn(arg, list[i].id, blob, list[i].len);
	}
	free(blob);
	free(list);
}

/* --- writing -------------------------------------------------------------- */

static int copy_live(struct state *s, int fd, struct entry *list)
{
	uint8_t *buf = malloc(sizeof(struct record) + STATE_BLOB_MAX);
	size_t at = sizeof(s->header);
	int rc = buf ? write_all(fd, &s->header, sizeof(s->header), 0) : -ENOMEM;

	for (size_t i = 0; !rc && i < s->used; i++) {
		size_t len = sizeof(struct record) + list[i].len;

		if (!read_at(s->fd, buf, len, list[i].offset))
			rc = -EIO;
		else
			rc = write_all(fd, buf, len, at);
		list[i].offset = at;
		at += len;
	}
	free(buf);
	return rc;
}

static int compact(struct state *s)
{
	struct entry *list = sorted(s);
	char tmp[4096];
	int fd, rc;

	snprintf(tmp, sizeof(tmp), "%s.new", s->path);
	fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = fd < 0 ? -errno : list ? copy_live(s, fd, list) : -ENOMEM;
	if (!rc && rename(tmp, s->path) < 0)
		rc = -errno;
	if (rc) {
		if (fd >= 0)
			close(fd);
		unlink(tmp);
	} else {
		close(s->fd);
		s->fd = fd;
		s->size = sizeof(s->header) + s->live;
		for (size_t i = 0; i < s->used; i++)
			find(s, list[i].id)->offset = list[i].offset;
	}
	free(list);
	return rc;
}

static int append(struct state *s, uint64_t id, const uint8_t *blob, size_t len)
{
	struct record r = { .magic = STATE_RECORD_MAGIC, .len = (uint32_t)len, .id = id };
	uint8_t *buf;
	int rc;

	if (len > STATE_BLOB_MAX)
		return -EMSGSIZE;
	buf = malloc(sizeof(r) + len);
	if (!buf)
		return -ENOMEM;
	r.crc = record_crc(id, blob, len);
	memcpy(buf, &r, sizeof(r));
	if (len)
		memcpy(buf + sizeof(r), blob, len);
	rc = write_all(s->fd, buf, sizeof(r) + len, s->size);
	free(buf);
	/* A record written in part lies behind s->size: the next one overwrites it, a reader cuts it off. */
	if (!rc)
		rc = index_record(s, id, s->size, (uint32_t)len);
	if (rc)
		return rc;
	s->size += sizeof(r) + len;
	if (s->size > STATE_COMPACT_MIN && s->live < s->size / 2)
		return compact(s);
	return 0;
}

int state_put(struct state *s, uint64_t id, const uint8_t *blob, size_t len)
{
	return len ? append(s, id, blob, len) : -EINVAL;
}

int state_remove(struct state *s, uint64_t id)
{
	static const uint8_t none;

	if (!find(s, id)->offset)
		return 0;
	return append(s, id, &none, 0);
}

unsigned state_count(const struct state *s)
{
	return (unsigned)s->used;
}

size_t state_size(const struct state *s)
{
	return s->size;
}

uint64_t state_damaged(const struct state *s)
{
	return s->damaged;
}

bool state_discarded(const struct state *s)
{
	return s->discarded;
}

void state_boot_id(char out[37])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	out[0] = '\0';
	if (!f)
		return;
	if (!fgets(out, 37, f))
		out[0] = '\0';
	fclose(f);
}
