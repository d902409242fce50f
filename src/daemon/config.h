/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: one structure, one table of keys, an INI file.
 *
 * Each key is described once, in the table of config.c: section, name, type,
 * range, unit, and whether a change needs a restart. Loading fills a fresh
 * structure from the defaults, checks it whole, and only then hands it out, so
 * a bad file changes nothing. Errors read "FILE:LINE: KEY: what was expected".
 */
#ifndef SHIM6_DAEMON_CONFIG_H
#define SHIM6_DAEMON_CONFIG_H

#include <net/if.h>
#include <stddef.h>

#include "engine/engine.h"

#define CONFIG_MAX_PREFIXES 64	  /* in one list */
#define CONFIG_MAX_INTERFACES 64  /* [interface NAME] and [prefix P] sections */
#define CONFIG_NAME_MAX 64	  /* of an interface or a prefix, as text */
#define CONFIG_FILE_MAX (1 << 20) /* octets */
#define CONFIG_ERR_MAX 512

struct config_prefix {
	struct shim6_addr addr;
	unsigned len;
};

struct config_prefixes {
	unsigned n;
	struct config_prefix p[CONFIG_MAX_PREFIXES];
};

struct config_interface {
	char name[CONFIG_NAME_MAX]; /* "": no section */
	bool is_prefix;		    /* a [prefix P] section: priority and weight only */
	struct config_prefix prefix;
	bool use;			 /* its addresses are locators */
	unsigned priority, weight;	 /* announced (W-58, W-59) */
	struct config_prefixes prefixes; /* HBA addresses of these prefixes belong here */
};

/* A command for each event; hooks.h. */
struct config_hooks {
	char command[256]; /* "": none */
	char events[128];  /* names, divided by commas */
	unsigned at_once;
	uint64_t time_limit; /* ns */
};

struct config {
	struct engine_config engine;

	bool keep_on_exit;
	bool debug;
	char control_group[33];	  /* may change things through the control socket; "" none */
	unsigned control_clients; /* connections at a time */

	unsigned trigger_packets;      /* packets of a ULID pair that ask for a context */
	uint64_t trigger_retry;	       /* ns until a pair without Shim6 is counted again */
	struct config_prefixes bypass; /* peers never asked */

	uint64_t held_after;	/* ns of silence after which TCP segments are kept */
	uint64_t held_lifetime; /* ns one is worth keeping */
	unsigned held_per_context, held_total;

	bool hba_manage;     /* put the addresses of HBA sets on their interfaces */
	bool hba_dad;	     /* with duplicate address detection */
	bool hba_auto;	     /* make sets by ourselves */
	bool hba_prefer;     /* new sessions take HBA addresses as their source */
	uint64_t hba_settle; /* ns that a prefix has to be there before a set is made of it */

	bool routing_manage;

	struct config_hooks hooks;

	char device[IF_NAMESIZE - 1]; /* base name of the data path's veth pair */
	unsigned route_table, rule_priority;

	unsigned n_interfaces;
	struct config_interface interfaces[CONFIG_MAX_INTERFACES];
};

void config_default(struct config *c);
/* false: err says where and what; *c is then of no use. */
bool config_load(struct config *c, const char *path, char *err, size_t err_len);
/* The section of an interface; defaults when there is none. */
const struct config_interface *config_interface(const struct config *c, const char *name);

/* Tell each key whose value differs, as "section.key" "interface NAME.key" or "prefix P.key". Returns how many. */
typedef void (*config_diff_fn)(void *arg, const char *key, bool needs_restart);
unsigned config_diff(const struct config *a, const struct config *b, config_diff_fn fn, void *arg);

/* Give c the running values of the keys that need a restart. */
void config_keep_fixed(struct config *c, const struct config *running);

/* The table, for tests and the manual: NULL past the end. */
struct config_key;
const struct config_key *config_key(unsigned i);
const char *config_key_section(const struct config_key *k);
const char *config_key_name(const struct config_key *k);
bool config_key_adds_up(const struct config_key *k); /* it may be given several times */
/* What the key accepts ("whole number from 10 to 100 (s)"). */
void config_key_expects(const struct config_key *k, char *out, size_t len);
/* Its value as the file would say it; name: the one of an [interface] or [prefix] key, else NULL. */
void config_value(const struct config *c, const struct config_key *k, const char *name, char *out, size_t len);

#endif
