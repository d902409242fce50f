/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/labels.h"

#include <errno.h>
#include <linux/if_addrlabel.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "rtnl/rtnl_internal.h"

#define LABEL_OF_ALL 1 /* Linux's own of ::/0, where none is found */

struct labels {
	struct rtnl *rtnl;
	uint32_t of_all; /* label of ::/0 */
	unsigned n;
	struct shim6_addr addr[LABELS_MAX];
	/* of a dump */
	unsigned n_prefixes, n_addresses;
	struct shim6_addr prefixes[LABELS_MAX], addresses[LABELS_MAX];
};

static int change(struct labels *l, uint16_t type, const struct shim6_addr *a, unsigned len, uint32_t label)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = rtnl_begin(&q, type, type == RTM_NEWADDRLABEL ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct ifaddrlblmsg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));
	struct shim6_addr at = *a;
	int rc;

	if (len == 64)
		memset(at.b + 8, 0, 8);
	m->ifal_family = AF_INET6;
	m->ifal_prefixlen = (uint8_t)len;
	rtnl_put_addr(nlh, IFAL_ADDRESS, &at);
	mnl_attr_put_u32(nlh, IFAL_LABEL, label);
	rc = rtnl_talk(l->rtnl, nlh);
	/* There already, perhaps the administrator's: that one counts. Gone already: as well. */
	return rc == -EEXIST || rc == -ESRCH || rc == -ENOENT ? 0 : rc;
}

static bool same_64(const struct shim6_addr *a, const struct shim6_addr *b)
{
	return memcmp(a->b, b->b, 8) == 0;
}

static bool has(const struct shim6_addr *list, unsigned n, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < n; i++) {
		if (shim6_addr_eq(&list[i], a))
			return true;
	}
	return false;
}

static bool has_64(const struct shim6_addr *list, unsigned n, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < n; i++) {
		if (same_64(&list[i], a))
			return true;
	}
	return false;
}

/* The address's own label first: without it the /64's would make it one of the others. */
int labels_update(struct labels *l, const struct shim6_addr *preferred, unsigned n)
{
	int rc = 0, r;

	if (n > LABELS_MAX)
		n = LABELS_MAX;
	for (unsigned i = 0; i < n; i++) {
		if (has(l->addr, l->n, &preferred[i]))
			continue;
		r = change(l, RTM_NEWADDRLABEL, &preferred[i], 128, l->of_all);
		rc = rc ? rc : r;
		if (!has_64(l->addr, l->n, &preferred[i])) {
			r = change(l, RTM_NEWADDRLABEL, &preferred[i], 64, LABELS_OTHERS);
			rc = rc ? rc : r;
		}
	}
	for (unsigned i = 0; i < l->n; i++) {
		if (has(preferred, n, &l->addr[i]))
			continue;
		if (!has_64(preferred, n, &l->addr[i])) {
			r = change(l, RTM_DELADDRLABEL, &l->addr[i], 64, LABELS_OTHERS);
			rc = rc ? rc : r;
		}
		r = change(l, RTM_DELADDRLABEL, &l->addr[i], 128, l->of_all);
		rc = rc ? rc : r;
	}
	if (n)
		memcpy(l->addr, preferred, n * sizeof(*preferred));
	l->n = n;
	return rc;
}

struct found {
	const struct nlattr *address, *label;
};

static int on_attr(const struct nlattr *attr, void *data)
{
	struct found *f = data;
	uint16_t type = mnl_attr_get_type(attr), len = mnl_attr_get_payload_len(attr);

	if (type == IFAL_ADDRESS && len == 16)
		f->address = attr;
	else if (type == IFAL_LABEL && len == 4)
		f->label = attr;
	return MNL_CB_OK;
}

static int on_label(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrlblmsg *m = mnl_nlmsg_get_payload(nlh);
	struct labels *l = data;
	struct found f = { 0 };
	uint32_t label;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) || m->ifal_family != AF_INET6 || m->ifal_index)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*m), on_attr, &f);
	if (!f.label)
		return MNL_CB_OK;
	label = mnl_attr_get_u32(f.label);
	if (m->ifal_prefixlen == 0)
		l->of_all = label;
	else if (f.address && m->ifal_prefixlen == 64 && label == LABELS_OTHERS && l->n_prefixes < LABELS_MAX)
		memcpy(&l->prefixes[l->n_prefixes++], mnl_attr_get_payload(f.address), 16);
	else if (f.address && m->ifal_prefixlen == 128 && l->n_addresses < LABELS_MAX)
		memcpy(&l->addresses[l->n_addresses++], mnl_attr_get_payload(f.address), 16);
	return MNL_CB_OK;
}

/* Ours are the addresses in a /64 that has our label. */
static int take_over(struct labels *l)
{
	struct rtnl_request q;
	struct nlmsghdr *nlh = rtnl_begin(&q, RTM_GETADDRLABEL, 0);
	struct ifaddrlblmsg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));
	int rc;

	m->ifal_family = AF_INET6;
	l->of_all = LABEL_OF_ALL;
	rc = rtnl_dump(l->rtnl, nlh, on_label, l);
	for (unsigned i = 0; i < l->n_addresses; i++) {
		if (has_64(l->prefixes, l->n_prefixes, &l->addresses[i]))
			l->addr[l->n++] = l->addresses[i];
	}
	for (unsigned i = 0; i < l->n_prefixes && l->n < LABELS_MAX; i++) {
		if (!has_64(l->addr, l->n, &l->prefixes[i]))
			l->addr[l->n++] = l->prefixes[i];
	}
	return rc;
}

struct labels *labels_open(struct rtnl *r, char *err, size_t err_len)
{
	struct labels *l = calloc(1, sizeof(*l));
	int rc = l ? 0 : -ENOMEM;

	if (l) {
		l->rtnl = r;
		rc = take_over(l);
	}
	if (rc == 0)
		return l;
	snprintf(err, err_len, "reading the labels of addresses: %s", strerror(-rc));
	free(l);
	return NULL;
}

void labels_close(struct labels *l, bool keep)
{
	if (l && !keep)
		labels_update(l, NULL, 0);
	free(l);
}
