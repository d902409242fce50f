/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim6 trace: the messages of contexts as they come and go, as text, JSON or a
 * capture file. The daemon hands out octets and what became of them; what they
 * say is decoded here. When the daemon ends, another one is waited for.
 */
#include "cli/trace.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/decode.h"
#include "cli/pcapng.h"

#define RECONNECT_MS 30000 /* how long another daemon is waited for */
#define RECONNECT_EVERY_MS 100
#define TAG_DIGITS 12
#define IPV6_HEADER 40

struct trace {
	struct cli *c;
	struct trace_text text;
	struct json_object *args; /* of the operation */
	FILE *pcap;		  /* NULL: none */
	bool silent;		  /* stdout is the capture's */
	long long left;		  /* messages to go; < 0: no limit */
	long long end_ms;	  /* < 0: none */
};

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* --- the command line ----------------------------------------------------- */

static bool read_limits(struct trace *t)
{
	struct cli *c = t->c;
	char *end;

	t->left = t->end_ms = -1;
	if (c->count) {
		errno = 0;
		t->left = strtoll(c->count, &end, 10);
		if (errno || *end || !isdigit((unsigned char)*c->count) || t->left == 0) {
			complain(c, CLI_USAGE, "a whole number above 0", "--count cannot be '%s'", c->count);
			return false;
		}
	}
	if (c->seconds) {
		double s = strtod(c->seconds, &end);

		if (*end || !isdigit((unsigned char)*c->seconds) || !(s > 0) || s > 1e9) {
			complain(c, CLI_USAGE, "seconds above 0, as 2.5", "--for cannot be '%s'", c->seconds);
			return false;
		}
		t->end_ms = now_ms() + (long long)ceil(s * 1000);
	}
	if (c->pcap && strcmp(c->pcap, "-") == 0) {
		if (c->json) {
			complain(c, CLI_USAGE, "give --pcap a file", "--json and --pcap - both want the output");
			return false;
		}
		if (isatty(fileno(c->out.f))) {
			complain(c, CLI_USAGE, "pipe it on: shim6 trace --pcap - | tshark -i -",
				 "a capture does not go to a terminal");
			return false;
		}
		t->silent = true;
	}
	return true;
}

static bool is_tag(const char *word)
{
	return strlen(word) == TAG_DIGITS && strspn(word, "0123456789abcdefABCDEF") == TAG_DIGITS;
}

/* An id that is asked for becomes an argument; a tag or an address, with a complaint if it is none, too. */
static bool read_address(struct trace *t, const char *key, const char *word)
{
	char canonical[INET6_ADDRSTRLEN];
	uint8_t a[16];

	if (inet_pton(AF_INET6, word, a) != 1) {
		complain(t->c, CLI_USAGE, "a context's id or tag, a peer's address, or two ULIDs are wanted",
			 "'%s' is none of those", word);
		return false;
	}
	inet_ntop(AF_INET6, a, canonical, sizeof(canonical));
	json_object_object_add(t->args, key, json_object_new_string(canonical));
	return true;
}

/* The context that has this tag, at either end. */
static int find_tag(struct trace *t, const char *word)
{
	struct json_object *contexts, *found = NULL;
	unsigned n = 0;
	int code = ask(t->c, "contexts", NULL, &contexts);

	if (code != CLI_OK)
		return code;
	for (size_t i = 0; i < js_length(contexts); i++) {
		struct json_object *context = json_object_array_get_idx(contexts, i), *tag = js_get(context, "tag");

		if (strcasecmp(js_text(tag, "local"), word) != 0 && strcasecmp(js_text(tag, "peer"), word) != 0)
			continue;
		found = js_get(context, "id");
		n++;
	}
	if (n == 1)
		json_object_object_add(t->args, "id", json_object_get(found));
	else
		code = complain(t->c, CLI_FAILED, "shim6 contexts lists them", "%s context has the tag %s",
				n ? "more than one" : "no", word);
	json_object_put(contexts);
	return code;
}

static int read_filter(struct trace *t)
{
	struct cli *c = t->c;
	const char *word = c->n_args ? c->args[0] : NULL;
	unsigned long long id;
	char *end;

	if (!word)
		return CLI_OK;
	if (c->n_args == 2)
		return read_address(t, "local", word) && read_address(t, "peer", c->args[1]) ? CLI_OK : CLI_USAGE;
	if (is_tag(word))
		return find_tag(t, word);
	errno = 0;
	id = strtoull(word, &end, 10);
	if (!errno && !*end && isdigit((unsigned char)*word)) {
		json_object_object_add(t->args, "id", json_object_new_uint64(id));
		return CLI_OK;
	}
	return read_address(t, "peer", word) ? CLI_OK : CLI_USAGE;
}

/* --- the capture ---------------------------------------------------------- */

static int open_pcap(struct trace *t)
{
	const char *path = t->c->pcap;

	if (!path || t->pcap)
		return CLI_OK;
	t->pcap = t->silent ? t->c->out.f : fopen(path, "we");
	if (t->pcap && pcapng_begin(t->pcap))
		return CLI_OK;
	return complain(t->c, CLI_FAILED, NULL, "cannot write %s: %s", path, strerror(errno));
}

static size_t octets_of(struct json_object *o, uint8_t *out)
{
	const char *hex = js_text(o, "octets");
	size_t n = 0;
	unsigned v;

	while (n < PCAPNG_MESSAGE_MAX && isxdigit((unsigned char)hex[2 * n]) &&
	       isxdigit((unsigned char)hex[2 * n + 1]) && sscanf(hex + 2 * n, "%2x", &v) == 1)
		out[n++] = (uint8_t)v;
	return n;
}

/* Of ISO 8601 in UTC. */
static uint64_t time_us(const char *s)
{
	struct tm tm = { 0 };
	const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	double fraction = rest ? strtod(rest, NULL) : 0;

	return rest ? (uint64_t)timegm(&tm) * 1000000 + (uint64_t)lround(fraction * 1e6) : 0;
}

static int to_pcap(struct trace *t, struct json_object *m, const uint8_t *octets, size_t len)
{
	bool sent = strcmp(js_text(m, "direction"), "sent") == 0;
	struct pcapng_packet p = { .time_us = time_us(js_text(m, "time")), .sent = sent, .msg = octets, .len = len };
	char *verdict = trace_text_verdict(m), *comment = NULL;
	bool ok;

	inet_pton(AF_INET6, js_text(m, sent ? "local" : "peer"), p.src);
	inet_pton(AF_INET6, js_text(m, sent ? "peer" : "local"), p.dst);
	if (asprintf(&comment, "%s%s%s", verdict, js_get(m, "id") ? "; context " : "", js_text(m, "id")) < 0)
		abort();
	p.comment = comment;
	ok = pcapng_add(t->pcap, &p);
	free(comment);
	free(verdict);
	return ok ? CLI_OK : complain(t->c, CLI_FAILED, NULL, "cannot write %s: %s", t->c->pcap, strerror(errno));
}

/* --- following ------------------------------------------------------------ */

static void print_line(struct trace *t, const char *member, struct json_object *value)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, member, value);
	fprintf(t->c->out.f, "%s\n",
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

/* About the trace itself; the text is shown where no capture is in its place. */
static void remark(struct trace *t, const char *json, const char *text)
{
	if (t->silent)
		complain(t->c, CLI_OK, NULL, "%s", text);
	else if (t->c->json)
		print_line(t, "trace", json_object_new_string(json));
	else
		trace_text_remark(&t->text, text);
	fflush(t->c->out.f);
}

static int take_message(struct trace *t, struct json_object *m)
{
	uint8_t octets[PCAPNG_MESSAGE_MAX];
	size_t len = octets_of(m, octets);
	int code = CLI_OK;

	json_object_object_add(m, "decoded", decode_message(octets, len));
	if (t->pcap)
		code = to_pcap(t, m, octets, len);
	if (!t->silent && !t->c->json)
		trace_text_message(&t->text, m);
	if (t->left > 0)
		t->left--;
	return code;
}

static void take_icmp(struct trace *t, struct json_object *o)
{
	uint8_t octets[PCAPNG_MESSAGE_MAX];
	size_t len = octets_of(o, octets);

	if (len > IPV6_HEADER)
		json_object_object_add(o, "decoded", decode_message(octets + IPV6_HEADER, len - IPV6_HEADER));
	if (!t->silent && !t->c->json)
		trace_text_icmp(&t->text, o);
}

static void take_missed(struct trace *t, struct json_object *n)
{
	char text[96];

	snprintf(text, sizeof(text), "%s missed: read too slowly", json_object_get_string(n));
	if (t->c->json)
		print_line(t, "missed", json_object_get(n));
	else
		remark(t, "missed", text);
}

static int take_line(struct trace *t, struct json_object *line)
{
	static const char *const members[] = { "message", "icmp", "unknown_tag", "event" };
	int code = CLI_OK;

	if (js_get(line, "overflow"))
		take_missed(t, js_get(line, "overflow"));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		struct json_object *o = js_get(line, members[i]);

		if (!json_object_is_type(o, json_type_object))
			continue;
		if (i == 0)
			code = take_message(t, o);
		else if (i == 1)
			take_icmp(t, o);
		else if (i == 2 && !t->silent && !t->c->json)
			trace_text_unknown_tag(&t->text, o);
		else if (i == 3 && !t->silent && !t->c->json)
			trace_text_event(&t->text, o);
		if (t->c->json)
			print_line(t, members[i], json_object_get(o));
	}
	fflush(t->c->out.f);
	if (code == CLI_OK && ferror(t->c->out.f))
		code = complain(t->c, CLI_FAILED, NULL, "cannot write the output");
	return code;
}

static bool is_over(const struct trace *t)
{
	return t->left == 0 || (t->end_ms >= 0 && now_ms() >= t->end_ms);
}

/* Until the trace is over (CLI_OK, and *lost false), something fails, or the daemon is lost. */
static int follow(struct trace *t, struct control_client *client, bool *lost)
{
	struct json_object *line;
	int code = CLI_OK, err;

	*lost = false;
	while (code == CLI_OK && !is_over(t)) {
		long long left = t->end_ms < 0 ? -1 : t->end_ms - now_ms();

		if (t->end_ms >= 0 && left <= 0)
			break;
		err = control_read(client, &line, left > 1000000000 ? 1000000000 : (int)left);
		if (err == -ETIMEDOUT)
			continue;
		if (err == -EPIPE) {
			*lost = true;
			break;
		}
		if (err)
			return complain(t->c, CLI_FAILED, NULL, "cannot follow the daemon: %s", strerror(-err));
		code = take_line(t, line);
		json_object_put(line);
	}
	return code;
}

/* One that is about to end may still take a connection, but answers nothing on it. */
static bool answers(struct control_client *client)
{
	struct json_object *reply;
	int err = control_call(client, "status", NULL, &reply, RECONNECT_MS);

	json_object_put(reply);
	return !err;
}

/* Another daemon at the same socket; NULL: none came in time, or the trace's own time is over. */
static struct control_client *wait_for_daemon(struct trace *t)
{
	long long until = now_ms() + RECONNECT_MS;
	struct control_client *client = NULL;

	while (now_ms() < until && !is_over(t)) {
		if (ask_try(t->c, &client) == 0) {
			if (answers(client))
				return client;
			control_close(client);
		}
		poll(NULL, 0, RECONNECT_EVERY_MS);
	}
	return NULL;
}

static int begin(struct trace *t, struct control_client *client)
{
	struct json_object *result;
	int code = ask_on(t->c, client, "trace", json_object_get(t->args), &result);

	json_object_put(result);
	if (code == CLI_OK)
		code = open_pcap(t);
	if (code == CLI_OK)
		remark(t, "begins", "tracing");
	return code;
}

static int run(struct trace *t)
{
	struct control_client *client;
	bool lost;
	int code = ask_connect(t->c, &client);

	while (code == CLI_OK) {
		code = begin(t, client);
		if (code == CLI_OK)
			code = follow(t, client, &lost);
		control_close(client);
		if (code != CLI_OK || !lost)
			return code;
		remark(t, "lost", "the daemon has ended; what happens until another one runs is not seen");
		client = wait_for_daemon(t);
		if (!client)
			return is_over(t) ? CLI_OK
					  : complain(t->c, CLI_UNREACHABLE, "is shim6d running?",
						     "no other daemon came in %d s", RECONNECT_MS / 1000);
	}
	return code;
}

int run_trace(struct cli *c)
{
	struct trace *t = calloc(1, sizeof(*t));
	int code = CLI_USAGE;

	if (!t)
		return complain(c, CLI_FAILED, NULL, "out of memory");
	t->c = c;
	t->text.out = &c->out;
	t->args = json_object_new_object();
	if (read_limits(t))
		code = read_filter(t);
	if (code == CLI_OK)
		code = run(t);
	if (t->pcap && !t->silent && fclose(t->pcap) != 0 && code == CLI_OK)
		code = complain(c, CLI_FAILED, NULL, "cannot write %s: %s", c->pcap, strerror(errno));
	json_object_put(t->args);
	free(t);
	return code;
}
