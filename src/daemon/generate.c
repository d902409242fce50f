/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/generate.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cga/keygen.h"
#include "daemon/text.h"

struct generate_job {
	uv_work_t work;
	char *dir;
	struct generate_request req;
	struct store_set set;
	bool ok;
	char err[STORE_ERR_MAX];
	atomic_bool cancelled;
	atomic_ullong tries;
	uint64_t started; /* ns */
	generate_done done;
	void *user;
};

bool generate_add_prefix(struct generate_request *req, const char *text, char *err, size_t err_len)
{
	struct shim6_addr a;
	unsigned len;

	if (!text_parse_prefix(text, &a, &len) || len != 64 || !shim6_addr_is_usable(&a)) {
		snprintf(err, err_len, "prefix '%s': expected ADDRESS/64, global or ULA", text);
		return false;
	}
	if (req->n_prefixes == CGA_MAX_GENERATE) {
		snprintf(err, err_len, "expected at most %d prefixes", CGA_MAX_GENERATE);
		return false;
	}
	for (unsigned i = 0; i < req->n_prefixes; i++) {
		if (memcmp(req->prefix[i], a.b, 8) == 0) {
			snprintf(err, err_len, "prefix '%s': given twice", text);
			return false;
		}
	}
	memcpy(req->prefix[req->n_prefixes++], a.b, 8);
	return true;
}

static bool load_key(struct cga_key **key, const char *pem, char *err, size_t err_len)
{
	int rc = cga_key_load_pem(key, pem, strlen(pem));
	unsigned bits = rc == CGA_OK ? cga_key_bits(*key) : 0;

	if (rc == CGA_OK && bits >= GENERATE_KEY_MIN && bits <= GENERATE_KEY_MAX)
		return true;
	if (rc == CGA_OK) {
		snprintf(err, err_len, "key: expected RSA of %d to %d bits, not %u", GENERATE_KEY_MIN, GENERATE_KEY_MAX,
			 bits);
		cga_key_free(*key);
	} else if (rc == CGA_E_KEY_SIZE) {
		snprintf(err, err_len, "key: expected RSA of %d to %d bits with a usual exponent (%s)",
			 GENERATE_KEY_MIN, GENERATE_KEY_MAX, cga_status_name(rc));
	} else {
		snprintf(err, err_len, "key: expected an RSA private key in PEM, without passphrase (%s)",
			 cga_status_name(rc));
	}
	*key = NULL;
	return false;
}

static bool key_ok(const struct generate_request *req, char *err, size_t err_len)
{
	struct cga_key *key;

	if (req->new_key && req->pem[0]) {
		snprintf(err, err_len, "expected a key, or the bits of a new one, not both");
		return false;
	}
	if (req->new_key && (req->new_key < GENERATE_KEY_MIN || req->new_key > GENERATE_KEY_MAX)) {
		snprintf(err, err_len, "new key: expected %d to %d bits, not %u", GENERATE_KEY_MIN, GENERATE_KEY_MAX,
			 req->new_key);
		return false;
	}
	if (!req->pem[0])
		return true;
	if (!load_key(&key, req->pem, err, err_len))
		return false;
	cga_key_free(key);
	return true;
}

bool generate_check(const char *dir, const struct generate_request *req, char *err, size_t err_len)
{
	char path[4096];

	if (!req->n_prefixes) {
		snprintf(err, err_len, "expected at least one prefix");
		return false;
	}
	if (req->sec > CGA_MAX_SEC) {
		snprintf(err, err_len, "sec: expected 0 to %d", CGA_MAX_SEC);
		return false;
	}
	if (!key_ok(req, err, err_len))
		return false;
	if (!req->name[0])
		return true;
	if (!store_name_ok(req->name)) {
		snprintf(err, err_len, "name '%s': expected at most %d letters, digits, '-', '_' and '.'", req->name,
			 STORE_NAME_MAX);
		return false;
	}
	snprintf(path, sizeof(path), "%s/%s.set", dir, req->name);
	if (access(path, F_OK) == 0) {
		snprintf(err, err_len, "%s is there already", path);
		return false;
	}
	return true;
}

/* The key, given or made now, into the set; its public half into spki. */
static bool take_key(const struct generate_request *req, struct store_set *out, uint8_t *spki, size_t cap, size_t *len,
		     char *err, size_t err_len)
{
	struct cga_key *key;
	int rc = CGA_OK;

	out->pem = malloc(STORE_PEM_MAX + 1);
	if (!out->pem) {
		snprintf(err, err_len, "out of memory");
		return false;
	}
	if (req->new_key)
		rc = cga_key_generate_pem(req->new_key, out->pem, STORE_PEM_MAX + 1);
	else
		snprintf(out->pem, STORE_PEM_MAX + 1, "%s", req->pem);
	if (rc != CGA_OK) {
		snprintf(err, err_len, "no key made: %s", cga_status_name(rc));
		return false;
	}
	out->pem_len = strlen(out->pem);
	if (!load_key(&key, out->pem, err, err_len))
		return false;
	rc = cga_key_spki(key, spki, cap, len);
	cga_key_free(key);
	if (rc != CGA_OK)
		snprintf(err, err_len, "key: %s", cga_status_name(rc));
	return rc == CGA_OK;
}

bool generate_now(const char *dir, const struct generate_request *req, int (*progress)(void *arg, uint64_t tries),
		  void *arg, struct store_set *out, char *err, size_t err_len)
{
	struct cga_gen gen = { .prefixes = req->prefix,
			       .n_prefixes = req->n_prefixes,
			       .sec = req->sec,
			       .progress = progress,
			       .progress_arg = arg };
	uint8_t spki[CGA_MAX_PDS];
	int rc;

	memset(out, 0, sizeof(*out));
	if (!generate_check(dir, req, err, err_len))
		return false;
	if (req->pem[0] || req->new_key) {
		if (!take_key(req, out, spki, sizeof(spki), &gen.spki_len, err, err_len)) {
			store_set_clear(out);
			return false;
		}
		gen.spki = spki;
	}
	rc = search_generate(&gen, search_threads(req->sec), &out->set);
	if (rc != CGA_OK) {
		snprintf(err, err_len, "no HBA set made: %s", cga_status_name(rc));
		store_set_clear(out);
		return false;
	}
	memcpy(out->prefix, req->prefix, sizeof(out->prefix));
	memcpy(out->name, req->name, sizeof(out->name));
	out->automatic = req->automatic;
	if (!out->name[0] && !store_free_name(dir, out->name)) {
		snprintf(err, err_len, "%s: expected at most %d sets", dir, STORE_MAX_SETS);
		store_set_clear(out);
		return false;
	}
	if (store_write(dir, out, err, err_len))
		return true;
	store_set_clear(out);
	return false;
}

static int job_progress(void *arg, uint64_t tries)
{
	struct generate_job *j = arg;

	atomic_store(&j->tries, tries);
	return atomic_load(&j->cancelled);
}

static void job_work(uv_work_t *work)
{
	struct generate_job *j = work->data;

	j->ok = generate_now(j->dir, &j->req, job_progress, j, &j->set, j->err, sizeof(j->err));
}

static void job_free(struct generate_job *j)
{
	store_set_clear(&j->set);
	explicit_bzero(j->req.pem, sizeof(j->req.pem));
	free(j->dir);
	free(j);
}

static void job_done(uv_work_t *work, int status)
{
	struct generate_job *j = work->data;

	if (status < 0) {
		j->ok = false;
		snprintf(j->err, sizeof(j->err), "no HBA set made: %s", uv_strerror(status));
	}
	j->done(j->user, j->ok ? &j->set : NULL, j->err);
	job_free(j);
}

struct generate_job *generate_start(uv_loop_t *loop, const char *dir, const struct generate_request *req,
				    generate_done done, void *user, char *err, size_t err_len)
{
	struct generate_job *j;
	int rc;

	if (!generate_check(dir, req, err, err_len))
		return NULL;
	j = calloc(1, sizeof(*j));
	if (j)
		j->dir = strdup(dir);
	if (!j || !j->dir) {
		snprintf(err, err_len, "out of memory");
		free(j);
		return NULL;
	}
	j->req = *req;
	j->started = uv_hrtime();
	j->done = done;
	j->user = user;
	j->work.data = j;
	rc = uv_queue_work(loop, &j->work, job_work, job_done);
	if (rc < 0) {
		snprintf(err, err_len, "%s", uv_strerror(rc));
		job_free(j);
		return NULL;
	}
	return j;
}

void generate_cancel(struct generate_job *j)
{
	atomic_store(&j->cancelled, true);
	uv_cancel((uv_req_t *)&j->work); /* fails when it runs already: then the flag stops it */
}

struct search_progress generate_progress(const struct generate_job *j)
{
	return search_progress(j->req.sec, search_threads(j->req.sec), atomic_load(&j->tries),
			       (double)(uv_hrtime() - j->started) / 1e9);
}
