/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/text.h"
#include "datapath/datapath.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

enum config_type {
	TYPE_BOOL,
	TYPE_NUMBER,
	TYPE_NUMBER_OR_OFF, /* off: ENGINE_NEVER */
	TYPE_TEXT,
	TYPE_PATH,
	TYPE_EVENTS,
	TYPE_PREFIXES,
};

struct config_key {
	const char *section, *name;
	enum config_type type;
	size_t offset, size; /* in struct config; [interface] keys: in struct config_interface */
	uint64_t min, max, unit;
	const char *unit_name;
	bool restart; /* read once, at start */
};

#define FIELD(f) offsetof(struct config, f), sizeof(((struct config *)0)->f)
#define IFFIELD(f) offsetof(struct config_interface, f), sizeof(((struct config_interface *)0)->f)
#define BOOL(s, n, f)                                                                                                  \
	{                                                                                                              \
		s, n, TYPE_BOOL, FIELD(f), 0, 1, 1, "", false                                                          \
	}
#define NUMBER(s, n, f, lo, hi, unit, uname)                                                                           \
	{                                                                                                              \
		s, n, TYPE_NUMBER, FIELD(f), lo, hi, unit, uname, false                                                \
	}
#define FIXED(s, n, f, lo, hi)                                                                                         \
	{                                                                                                              \
		s, n, TYPE_NUMBER, FIELD(f), lo, hi, 1, "", true                                                       \
	}

static const struct config_key keys[] = {
	BOOL("daemon", "initiate", engine.initiate),
	BOOL("daemon", "keep_on_exit", keep_on_exit),
	BOOL("daemon", "debug", debug),
	{ "daemon", "control_group", TYPE_TEXT, FIELD(control_group), 0, 0, 0, "", false },

	/* whole seconds: AMB-R26; jitter: PT-19 */
	NUMBER("reap", "send_timeout", engine.reap.send_timeout, 10, 100, NS_PER_S, "s"),
	NUMBER("reap", "send_jitter", engine.reap.send_jitter_percent, 0, 10, 1, "%"),
	NUMBER("reap", "probe_jitter", engine.reap.probe_jitter_percent, 0, 50, 1, "%"),
	NUMBER("reap", "initial_probe_gap", engine.reap.initial_probe_gap, 100, 10000, NS_PER_MS, "ms"),
	NUMBER("reap", "initial_probes", engine.reap.initial_probes, 1, 15, 1, ""),
	NUMBER("reap", "max_probe_gap", engine.reap.max_probe_gap, 1, 600, NS_PER_S, "s"),

	{ "reap", "fail_back", TYPE_NUMBER_OR_OFF, FIELD(engine.fail_back), 0, 86400, NS_PER_S, "s", false },

	/* K-04: at least five minutes */
	NUMBER("contexts", "idle_timeout", engine.idle_timeout, 300, 86400, NS_PER_S, "s"),
	NUMBER("contexts", "ulid_grace", engine.ulid_grace, 0, 86400, NS_PER_S, "s"),
	NUMBER("contexts", "no_answer_holddown", engine.no_r1_holddown, 1, 86400, NS_PER_S, "s"),
	NUMBER("contexts", "no_support_holddown", engine.icmp_holddown, 1, 86400, NS_PER_S, "s"),
	NUMBER("contexts", "tag_quarantine", engine.tag_quarantine, 0, 86400, NS_PER_S, "s"),
	BOOL("contexts", "deliver_errors", engine.deliver_errors),

	/* the constants of RFC 5533 section 14 (T-10) */
	NUMBER("handshake", "i1_timeout", engine.i1_timeout, 1, 60, NS_PER_S, "s"),
	NUMBER("handshake", "i1_retries", engine.i1_retries_max, 0, 10, 1, ""),
	NUMBER("handshake", "i2_timeout", engine.i2_timeout, 1, 60, NS_PER_S, "s"),
	NUMBER("handshake", "i2_retries", engine.i2_retries_max, 0, 10, 1, ""),
	NUMBER("handshake", "i2bis_timeout", engine.i2bis_timeout, 1, 60, NS_PER_S, "s"),
	NUMBER("handshake", "i2bis_retries", engine.i2bis_retries_max, 0, 10, 1, ""),
	NUMBER("handshake", "validator_lifetime", engine.validator_lifetime, 30, 600, NS_PER_S, "s"),
	NUMBER("handshake", "secret_lifetime", engine.secret_lifetime, 30, 3600, NS_PER_S, "s"),
	NUMBER("handshake", "update_timeout", engine.update_timeout, 1, 60, NS_PER_S, "s"),
	NUMBER("handshake", "max_update_timeout", engine.max_update_timeout, 60, 3600, NS_PER_S, "s"),

	{ "trigger", "packets", TYPE_NUMBER, FIELD(trigger_packets), 1, 1000000, 1, "packets", true },
	NUMBER("trigger", "retry", trigger_retry, 1, 86400, NS_PER_S, "s"),
	{ "trigger", "bypass", TYPE_PREFIXES, FIELD(bypass), 0, 0, 0, "", false },

	FIXED("limits", "contexts", engine.max_contexts, 1, 1000000),
	NUMBER("limits", "contexts_per_64", engine.max_contexts_per_64, 1, 1000000, 1, ""),
	NUMBER("limits", "forks", engine.max_forks, 0, 1000, 1, ""),
	NUMBER("limits", "negative", engine.max_negative, 1, 1000000, 1, ""),
	NUMBER("limits", "replies_per_second", engine.replies_per_second, 1, 1000000, 1, ""),
	NUMBER("limits", "replies_per_64", engine.replies_per_64, 1, 1000000, 1, ""),
	NUMBER("limits", "probes_per_second", engine.probes_per_second, 1, 1000000, 1, ""),
	NUMBER("limits", "control_clients", control_clients, 1, 1000, 1, ""),
	NUMBER("limits", "held_per_context", held_per_context, 0, 1000, 1, "segments"),
	NUMBER("limits", "held_total", held_total, 0, 100000, 1, "segments"),

	NUMBER("held", "lifetime", held_lifetime, 1, 600, NS_PER_S, "s"),
	{ "held", "after", TYPE_NUMBER, FIELD(held_after), 100, 60000, NS_PER_MS, "ms", true },

	BOOL("hba", "manage", hba_manage),
	BOOL("hba", "dad", hba_dad),
	BOOL("hba", "auto", hba_auto),
	NUMBER("hba", "settle", hba_settle, 1, 3600, NS_PER_S, "s"),
	BOOL("hba", "prefer", hba_prefer),
	NUMBER("hba", "min_sec", engine.min_sec, 0, 2, 1, ""),

	{ "routing", "manage", TYPE_BOOL, FIELD(routing_manage), 0, 1, 1, "", true },

	{ "hooks", "command", TYPE_PATH, FIELD(hooks.command), 0, 0, 0, "", false },
	{ "hooks", "events", TYPE_EVENTS, FIELD(hooks.events), 0, 0, 0, "", false },
	NUMBER("hooks", "at_once", hooks.at_once, 1, 16, 1, "runs"),
	NUMBER("hooks", "time_limit", hooks.time_limit, 1, 600, NS_PER_S, "s"),

	{ "datapath", "device", TYPE_TEXT, FIELD(device), 1, 0, 0, "", true },
	FIXED("datapath", "route_table", route_table, 1, 0x7fffffff),
	FIXED("datapath", "rule_priority", rule_priority, 1, 32765),

	{ "interface", "use", TYPE_BOOL, IFFIELD(use), 0, 1, 1, "", false },
	{ "interface", "priority", TYPE_NUMBER, IFFIELD(priority), 0, 255, 1, "", false },
	{ "interface", "weight", TYPE_NUMBER, IFFIELD(weight), 0, 255, 1, "", false },
	{ "interface", "prefixes", TYPE_PREFIXES, IFFIELD(prefixes), 0, 0, 0, "", false },

	{ "prefix", "priority", TYPE_NUMBER, IFFIELD(priority), 0, 255, 1, "", false },
	{ "prefix", "weight", TYPE_NUMBER, IFFIELD(weight), 0, 255, 1, "", false },
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct config_interface no_interface = { .use = true };

void config_default(struct config *c)
{
	struct datapath_config dp;

	memset(c, 0, sizeof(*c));
	engine_config_default(&c->engine);
	datapath_config_default(&dp);
	c->engine.initiate = true;
	c->control_clients = 64;
	snprintf(c->control_group, sizeof(c->control_group), "shim6");
	c->trigger_packets = dp.trigger_packets;
	c->trigger_retry = 300 * NS_PER_S;
	c->held_after = dp.held_after;
	c->held_lifetime = 60 * NS_PER_S;
	c->held_per_context = 16;
	c->held_total = 4096;
	c->hba_manage = true;
	c->hba_dad = true;
	c->hba_auto = true;
	c->hba_settle = 10 * NS_PER_S;
	c->hba_prefer = true;
	c->routing_manage = true;
	snprintf(c->hooks.events, sizeof(c->hooks.events), "exploring,switched,recovered,failed");
	c->hooks.at_once = 4;
	c->hooks.time_limit = 10 * NS_PER_S;
	snprintf(c->device, sizeof(c->device), "%s", dp.device);
	c->route_table = dp.route_table;
	c->rule_priority = dp.rule_priority;
}

const struct config_interface *config_interface(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_interfaces; i++) {
		if (strcmp(c->interfaces[i].name, name) == 0)
			return &c->interfaces[i];
	}
	return &no_interface;
}

const struct config_key *config_key(unsigned i)
{
	return i < N_KEYS ? &keys[i] : NULL;
}

const char *config_key_section(const struct config_key *k)
{
	return k->section;
}

const char *config_key_name(const struct config_key *k)
{
	return k->name;
}

bool config_key_adds_up(const struct config_key *k)
{
	return k->type == TYPE_PREFIXES;
}

void config_key_expects(const struct config_key *k, char *out, size_t len)
{
	size_t used;

	switch (k->type) {
	case TYPE_BOOL:
		snprintf(out, len, "yes or no");
		return;
	case TYPE_NUMBER:
		snprintf(out, len, "a whole number from %llu to %llu%s%s%s", (unsigned long long)k->min,
			 (unsigned long long)k->max, *k->unit_name ? " (" : "", k->unit_name, *k->unit_name ? ")" : "");
		return;
	case TYPE_NUMBER_OR_OFF:
		snprintf(out, len, "a whole number from %llu to %llu (%s), or off", (unsigned long long)k->min,
			 (unsigned long long)k->max, k->unit_name);
		return;
	case TYPE_TEXT:
		snprintf(out, len, "a name of %s%zu characters", k->min ? "1 to " : "at most ", k->size - 1);
		return;
	case TYPE_PATH:
		snprintf(out, len, "an absolute path of at most %zu characters", k->size - 1);
		return;
	case TYPE_EVENTS:
		used = (size_t)snprintf(out, len, "names of events, divided by commas:");
		for (int t = ENGINE_EV_NEW; t <= ENGINE_EV_GONE && used < len; t++)
			used += (size_t)snprintf(out + used, len - used, " %s",
						 engine_event_name((enum engine_event_type)t));
		return;
	case TYPE_PREFIXES:
		snprintf(out, len, "IPv6 prefixes (ADDRESS/LENGTH), at most %d, divided by commas or blanks",
			 CONFIG_MAX_PREFIXES);
		return;
	}
}

/* --- values -------------------------------------------------------------- */

static uint64_t get_number(const void *field, size_t size)
{
	uint64_t v64;
	unsigned v;

	if (size == sizeof(v64)) {
		memcpy(&v64, field, sizeof(v64));
		return v64;
	}
	memcpy(&v, field, sizeof(v));
	return v;
}

static void put_number(void *field, size_t size, uint64_t value)
{
	unsigned v = (unsigned)value;

	if (size == sizeof(value))
		memcpy(field, &value, sizeof(value));
	else
		memcpy(field, &v, sizeof(v));
}

static bool parse_bool(const char *s, bool *out)
{
	static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no", "false", "off", "0" };

	for (unsigned i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
			*out = strcmp(s, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

static bool parse_name(const struct config_key *k, const char *s, char *out)
{
	size_t n = strlen(s);

	if (n < k->min || n >= k->size)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isgraph((unsigned char)s[i]) || s[i] == '/')
			return false;
	}
	memcpy(out, s, n + 1);
	return true;
}

static bool parse_path(const struct config_key *k, const char *s, char *out)
{
	size_t n = strlen(s);

	if (n >= k->size || (n && s[0] != '/'))
		return false;
	memcpy(out, s, n + 1);
	return true;
}

static bool event_known(const char *name, size_t len)
{
	for (int t = ENGINE_EV_NEW; t <= ENGINE_EV_GONE; t++) {
		const char *known = engine_event_name((enum engine_event_type)t);

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return true;
	}
	return false;
}

/* Kept without blanks. */
static bool parse_events(const struct config_key *k, const char *s, char *out)
{
	size_t used = 0;

	for (s += strspn(s, ", \t"); *s; s += strspn(s, ", \t")) {
		size_t n = strcspn(s, ", \t");

		if (!event_known(s, n) || used + n + 2 > k->size)
			return false;
		if (used)
			out[used++] = ',';
		memcpy(out + used, s, n);
		used += n;
		s += n;
	}
	out[used] = '\0';
	return used > 0;
}

/* Several lines of the same key add up. */
static bool parse_prefixes(const char *s, struct config_prefixes *list)
{
	unsigned found = 0;

	while (*s) {
		size_t n = strcspn(s, ", \t");
		struct config_prefix p;
		char word[64];

		if (n == 0) {
			s++;
			continue;
		}
		if (n >= sizeof(word) || list->n == CONFIG_MAX_PREFIXES)
			return false;
		memcpy(word, s, n);
		word[n] = '\0';
		if (!text_parse_prefix(word, &p.addr, &p.len))
			return false;
		list->p[list->n++] = p;
		found++;
		s += n;
	}
	return found > 0;
}

static bool parse_value(const struct config_key *k, const char *s, void *field)
{
	uint64_t n;
	bool b;

	switch (k->type) {
	case TYPE_BOOL:
		if (!parse_bool(s, &b))
			return false;
		memcpy(field, &b, sizeof(b));
		return true;
	case TYPE_NUMBER_OR_OFF:
		if (strcmp(s, "off") == 0) {
			put_number(field, k->size, ENGINE_NEVER);
			return true;
		}
		/* fallthrough */
	case TYPE_NUMBER:
		if (!text_parse_u64(s, &n) || n < k->min || n > k->max)
			return false;
		put_number(field, k->size, n * k->unit);
		return true;
	case TYPE_TEXT:
		return parse_name(k, s, field);
	case TYPE_PATH:
		return parse_path(k, s, field);
	case TYPE_EVENTS:
		return parse_events(k, s, field);
	case TYPE_PREFIXES:
		return parse_prefixes(s, field);
	}
	return false;
}

void config_value(const struct config *c, const struct config_key *k, const char *name, char *out, size_t len)
{
	const void *base = name ? (const void *)config_interface(c, name) : c;
	const void *field = (const char *)base + k->offset;
	const struct config_prefixes *list = field;
	size_t used = 0;

	switch (k->type) {
	case TYPE_BOOL:
		snprintf(out, len, "%s", *(const bool *)field ? "yes" : "no");
		return;
	case TYPE_NUMBER_OR_OFF:
		if (get_number(field, k->size) == ENGINE_NEVER) {
			snprintf(out, len, "off");
			return;
		}
		/* fallthrough */
	case TYPE_NUMBER:
		snprintf(out, len, "%llu", (unsigned long long)(get_number(field, k->size) / k->unit));
		return;
	case TYPE_TEXT:
	case TYPE_PATH:
	case TYPE_EVENTS:
		snprintf(out, len, "%s", (const char *)field);
		return;
	case TYPE_PREFIXES:
		out[0] = '\0';
		for (unsigned i = 0; i < list->n && used < len; i++)
			used += (size_t)snprintf(out + used, len - used, "%s%s", i ? ", " : "",
						 text_prefix(&list->p[i].addr, list->p[i].len).s);
		return;
	}
}

/* --- the file ------------------------------------------------------------ */

struct parse {
	struct config *c;
	FILE *file;
	const char *path;
	char *err;
	size_t err_len;
	size_t octets; /* read so far */
	int line;
	int error_line;				     /* first error of ours, 0 none */
	char section[64];			     /* "" before the first */
	struct config_interface *interface;	     /* of the [interface NAME] we are in */
	int seen[CONFIG_MAX_INTERFACES + 1][N_KEYS]; /* line that set a key; row 0: not an interface's */
};

__attribute__((format(printf, 2, 3))) static void refuse(struct parse *p, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (p->error_line)
		return;
	p->error_line = p->line;
	n = snprintf(p->err, p->err_len, "%s:%d: ", p->path, p->line);
	if (n < 0 || (size_t)n >= p->err_len)
		return;
	va_start(ap, fmt);
	vsnprintf(p->err + n, p->err_len - (size_t)n, fmt, ap);
	va_end(ap);
}

static bool section_known(const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].section, name) == 0)
			return true;
	}
	return false;
}

/* The section of this name, the one before if it is there. */
static void open_named(struct parse *p, const char *kind, const char *name)
{
	struct config *c = p->c;

	p->interface = NULL;
	for (unsigned i = 0; i < c->n_interfaces; i++) {
		if (strcmp(c->interfaces[i].name, name) == 0)
			p->interface = &c->interfaces[i];
	}
	if (p->interface)
		return;
	if (c->n_interfaces == CONFIG_MAX_INTERFACES) {
		refuse(p, "[%s %s]: expected at most %d interfaces and prefixes", kind, name, CONFIG_MAX_INTERFACES);
		return;
	}
	p->interface = &c->interfaces[c->n_interfaces++];
	*p->interface = no_interface;
	memcpy(p->interface->name, name, strlen(name) + 1);
}

static void open_interface(struct parse *p, const char *name)
{
	p->interface = NULL;
	if (!*name || strlen(name) >= IF_NAMESIZE || strpbrk(name, "/ \t"))
		refuse(p, "[interface %s]: expected the name of a network interface", name);
	else
		open_named(p, "interface", name);
}

static void open_prefix(struct parse *p, const char *name)
{
	struct config_prefix prefix;
	struct text_prefix canonical;

	p->interface = NULL;
	if (!text_parse_prefix(name, &prefix.addr, &prefix.len)) {
		refuse(p, "[prefix %s]: expected an IPv6 prefix (ADDRESS/LENGTH, no bit set behind the length)", name);
		return;
	}
	canonical = text_prefix(&prefix.addr, prefix.len);
	open_named(p, "prefix", canonical.s);
	if (!p->interface)
		return;
	p->interface->is_prefix = true;
	p->interface->prefix = prefix;
}

static void open_section(struct parse *p, const char *line)
{
	const char *end = strchr(line, ']');
	char name[64];

	p->section[0] = '\0';
	p->interface = NULL;
	if (!end || (size_t)(end - line) > sizeof(name)) {
		refuse(p, "expected [SECTION]");
		return;
	}
	memcpy(name, line + 1, (size_t)(end - line) - 1);
	name[end - line - 1] = '\0';
	if (strncmp(name, "interface ", 10) == 0) {
		snprintf(p->section, sizeof(p->section), "interface");
		open_interface(p, name + 10 + strspn(name + 10, " "));
	} else if (strncmp(name, "prefix ", 7) == 0) {
		snprintf(p->section, sizeof(p->section), "prefix");
		open_prefix(p, name + 7 + strspn(name + 7, " "));
	} else if (!section_known(name) || strcmp(name, "interface") == 0 || strcmp(name, "prefix") == 0) {
		refuse(p, "[%s]: no such section%s", name,
		       strcmp(name, "interface") == 0 ? "; expected [interface NAME]"
		       : strcmp(name, "prefix") == 0  ? "; expected [prefix ADDRESS/LENGTH]"
						      : "");
	} else {
		snprintf(p->section, sizeof(p->section), "%s", name);
	}
}

/* The next line without its end, at most cap - 2 characters of it; false at the end of the file. */
static bool take_line(struct parse *p, char *buf, int cap)
{
	int n = 0, ch, bad = -1;
	bool cut = false;

	while ((ch = fgetc(p->file)) != EOF) {
		if (++p->octets > CONFIG_FILE_MAX) {
			refuse(p, "expected a file of at most %d octets", CONFIG_FILE_MAX);
			return false;
		}
		if (ch == '\n')
			break;
		if (bad < 0 && ch != '\t' && ch != '\r' && iscntrl(ch))
			bad = ch;
		if (n < cap - 2)
			buf[n++] = (char)ch;
		else
			cut = true;
	}
	if (ch == EOF && n == 0)
		return false;
	buf[n++] = '\n';
	buf[n] = '\0';
	if (bad >= 0)
		refuse(p, "expected text, found the control character 0x%02x", (unsigned)bad);
	else if (cut)
		refuse(p, "expected a line of at most %d characters", cap - 2);
	return true;
}

/*
 * Lines pass through here on their way to inih, which by itself tells neither
 * line numbers nor sections without keys, cuts long lines, takes an indented
 * key for more of the value above, and goes on after an error.
 */
static char *read_line(char *buf, int cap, void *stream)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct parse *p = stream;
	size_t skip;

	p->line++;
	if (p->error_line || !take_line(p, buf, cap))
		return NULL;
	skip = p->line == 1 && strncmp(buf, byte_order_mark, 3) == 0 ? 3 : 0;
	skip += strspn(buf + skip, " \t");
	memmove(buf, buf + skip, strlen(buf + skip) + 1);
	if (buf[0] == '[')
		open_section(p, buf);
	return buf;
}

static const struct config_key *find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

static int take_key(void *user, const char *section, const char *name, const char *value)
{
	struct parse *p = user;
	const struct config_key *k;
	char expects[160];
	void *base = p->c;
	int *seen;

	(void)section; /* ours is not cut */
	if (p->error_line)
		return 1;
	if (!p->section[0]) {
		refuse(p, "%s: expected a [SECTION] before the first key", name);
		return 1;
	}
	k = find_key(p->section, name);
	if (!k) {
		refuse(p, "%s: no such key in [%s]", name, p->section);
		return 1;
	}
	if (p->interface)
		base = p->interface;
	seen = &p->seen[p->interface ? p->interface - p->c->interfaces + 1 : 0][k - keys];
	if (*seen && !config_key_adds_up(k)) {
		refuse(p, "%s: given twice, first in line %d", name, *seen);
		return 1;
	}
	*seen = p->line;
	config_key_expects(k, expects, sizeof(expects));
	if (!parse_value(k, value, (char *)base + k->offset))
		refuse(p, "%s: expected %s, not '%s'", name, expects, value);
	return 1;
}

/* --- what only the whole can tell ----------------------------------------- */

static int seen_line(const struct parse *p, const char *section, const char *name)
{
	const struct config_key *k = find_key(section, name);

	return k ? p->seen[0][k - keys] : 0;
}

/* NULL, or why it cannot be run. */
static const char *command_wrong(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "no regular file";
	if (access(path, X_OK) < 0)
		return "not executable: chmod +x";
	if (st.st_mode & S_IWOTH)
		return "everybody may write to it: chmod o-w";
	return NULL;
}

static void check_whole(struct parse *p)
{
	const struct config *c = p->c;
	const char *wrong = c->hooks.command[0] ? command_wrong(c->hooks.command) : NULL;

	if (c->engine.reap.initial_probe_gap > c->engine.reap.max_probe_gap) {
		p->line = seen_line(p, "reap", "initial_probe_gap");
		if (!p->line)
			p->line = seen_line(p, "reap", "max_probe_gap");
		refuse(p, "initial_probe_gap: expected no more than max_probe_gap");
	}
	if (wrong) {
		p->line = seen_line(p, "hooks", "command");
		refuse(p, "command: expected a program that can be run; %s: %s", c->hooks.command, wrong);
	}
	/* The default needs not exist: only root may then. */
	p->line = seen_line(p, "daemon", "control_group");
	if (p->line && c->control_group[0] && !getgrnam(c->control_group))
		refuse(p, "control_group: expected a group of this system, not '%s'", c->control_group);
	for (unsigned i = 0; i < c->n_interfaces; i++) {
		for (unsigned j = 0; j < c->interfaces[i].prefixes.n; j++) {
			if (c->interfaces[i].prefixes.p[j].len == 64)
				continue;
			p->line = p->seen[i + 1][find_key("interface", "prefixes") - keys];
			refuse(p, "prefixes: expected prefixes of length 64");
		}
	}
}

/* A pipe or a terminal must not hold up a running daemon. */
static FILE *open_file(const char *path, char *err, size_t err_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *f = NULL;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
		snprintf(err, err_len, "%s: expected a regular file%s", path,
			 S_ISDIR(st.st_mode) ? ", not a directory" : "");
		close(fd);
		return NULL;
	}
	if (fd >= 0)
		f = fdopen(fd, "r");
	if (!f) {
		snprintf(err, err_len, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return f;
}

static void read_all(struct parse *p)
{
	int rc = ini_parse_stream(read_line, p, take_key, p);

	if (rc > 0 && (!p->error_line || rc < p->error_line)) {
		p->error_line = 0;
		p->line = rc;
		refuse(p, "expected KEY = VALUE or [SECTION]");
	} else if (rc < 0) {
		refuse(p, "out of memory");
	} else if (ferror(p->file)) {
		refuse(p, "cannot be read: %s", strerror(errno));
	}
	check_whole(p);
}

bool config_load(struct config *c, const char *path, char *err, size_t err_len)
{
	struct parse *p = calloc(1, sizeof(*p));
	FILE *file;
	bool ok;

	config_default(c);
	if (!p) {
		snprintf(err, err_len, "%s: out of memory", path);
		return false;
	}
	file = open_file(path, err, err_len);
	if (!file) {
		free(p);
		return false;
	}
	*p = (struct parse){ .c = c, .path = path, .err = err, .err_len = err_len, .file = file };
	read_all(p);
	ok = !p->error_line;
	fclose(file);
	free(p);
	return ok;
}

/* --- differences ---------------------------------------------------------- */

void config_keep_fixed(struct config *c, const struct config *running)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (keys[i].restart)
			memcpy((char *)c + keys[i].offset, (const char *)running + keys[i].offset, keys[i].size);
	}
}

static unsigned diff_key(const struct config *a, const struct config *b, const struct config_key *k, const char *name,
			 config_diff_fn fn, void *arg)
{
	static const size_t cap = CONFIG_MAX_PREFIXES * sizeof(struct text_prefix);
	char *va = malloc(2 * cap), *vb = va + cap, label[128];
	bool differs;

	if (!va)
		return 0;
	config_value(a, k, name, va, cap);
	config_value(b, k, name, vb, cap);
	differs = strcmp(va, vb) != 0;
	free(va);
	if (!differs)
		return 0;
	snprintf(label, sizeof(label), "%s%s%s.%s", k->section, name ? " " : "", name ? name : "", k->name);
	fn(arg, label, k->restart);
	return 1;
}

/* Sections with a name, the same kind as the key's, in a; only: those that b lacks. */
static unsigned diff_named(const struct config *a, const struct config *b, const struct config *names, bool only,
			   const struct config_key *k, config_diff_fn fn, void *arg)
{
	bool prefix = strcmp(k->section, "prefix") == 0;
	unsigned n = 0;

	for (unsigned i = 0; i < names->n_interfaces; i++) {
		const struct config_interface *s = &names->interfaces[i];

		if (s->is_prefix == prefix && !(only && config_interface(a, s->name) != &no_interface))
			n += diff_key(a, b, k, s->name, fn, arg);
	}
	return n;
}

unsigned config_diff(const struct config *a, const struct config *b, config_diff_fn fn, void *arg)
{
	unsigned n = 0;

	for (size_t i = 0; i < N_KEYS; i++) {
		const struct config_key *k = &keys[i];

		if (strcmp(k->section, "interface") != 0 && strcmp(k->section, "prefix") != 0) {
			n += diff_key(a, b, k, NULL, fn, arg);
			continue;
		}
		n += diff_named(a, b, a, false, k, fn, arg);
		n += diff_named(a, b, b, true, k, fn, arg);
	}
	return n;
}
