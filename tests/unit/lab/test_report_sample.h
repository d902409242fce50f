/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A result as "shim6 lab run" writes it, and what goes to standard error meanwhile. */
#ifndef SHIM6_TESTS_LAB_REPORT_SAMPLE_H
#define SHIM6_TESTS_LAB_REPORT_SAMPLE_H

#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "lab/util.h"

/* 10 Mbit/s in buckets of 0.05 s over [0, 60) but for [from, to). */
static inline void sample_buckets(struct strbuf *b, double from, double to)
{
	bool first = true;

	strbuf_puts(b, "\"buckets\":[");
	for (unsigned i = 0; i < 1200; i++) {
		double t = i * 0.05;

		if (t >= from && t < to)
			continue;
		strbuf_printf(b, "%s[%u,62500,50]", first ? "" : ",", i);
		first = false;
	}
	strbuf_puts(b, "]");
}

static inline void sample_stream(struct strbuf *b, const char *name, const char *kind, double from, double to,
				 const char *more)
{
	strbuf_printf(b, "{\"name\":\"%s\",\"kind\":\"%s\",\"direction\":\"B>A\",", name, kind);
	sample_buckets(b, from, to);
	strbuf_printf(b, ",\"silences\":[[%.3f,%.3f]],\"longest_silence_s\":%.3f,%s}", from, to, to - from, more);
}

#define SAMPLE_CONTEXT                                                                                                 \
	"{\"id\":7,\"state\":\"ESTABLISHED\",\"initiator\":true,\"reap\":\"Operational\","                             \
	"\"ulid\":{\"local\":\"2001:db8:a:1::5\",\"peer\":\"2001:db8:b:1::6\"},"                                       \
	"\"current\":{\"local\":\"2001:db8:a:2::7\",\"peer\":\"2001:db8:b:2::8\"},\"rewritten\":true,"                 \
	"\"tag\":{\"local\":\"5f3c09aa71d2\",\"peer\":\"02b9e4417c58\"},\"send_timeout_s\":15.0,\"mtu\":1492,"         \
	"\"locators\":{\"local\":[{\"addr\":\"2001:db8:a:1::5\",\"up\":false,\"method\":\"hba\"}],"                    \
	"\"peer\":[{\"addr\":\"2001:db8:b:1::6\",\"broken\":true,\"verified\":false,\"method\":\"hba\"}]},"            \
	"\"last_switch\":{\"ago_s\":34.789,\"took_ms\":221.4,\"reason\":\"nothing heard for the Send Timeout\","       \
	"\"from\":{\"local\":\"2001:db8:a:1::5\",\"peer\":\"2001:db8:b:1::6\"},"                                       \
	"\"to\":{\"local\":\"2001:db8:a:2::7\",\"peer\":\"2001:db8:b:2::8\"}},"                                        \
	"\"counters\":{\"switches\":1,\"probes_sent\":4,\"rx_packets\":138022,\"rx_bytes\":199284731}}"

/* name is put everywhere where a name may stand; it is text inside a JSON string. */
static inline char *sample_result(const char *name)
{
	struct strbuf b = { 0 };

	strbuf_printf(
		&b,
		"{\"v\":1,\"title\":\"%s\",\"when\":\"2026-11-24T13:00:00Z\",\"kernel\":\"6.18 %s\","
		"\"version\":\"0.1.0\",\"send_timeout_s\":15.0,\"delay_ms\":10,\"duration_s\":60.0,"
		"\"bucket_s\":0.05,\"a later member\":{},\"runs\":[{\"name\":\"with %s\",\"shim6\":true,\"streams\":[",
		name, name, name);
	sample_stream(&b, "TCP download", "tcp", 10, 25.4, "\"bytes\":55875000,\"end\":\"eof\",\"intact\":true");
	strbuf_puts(&b, ",");
	sample_stream(&b, name, "udp", 10, 25.2,
		      "\"bytes\":56000000,\"sent\":60000,\"received\":44800,\"lost\":15200,\"duplicates\":3,"
		      "\"reordered\":0,\"end\":\"open\",\"intact\":null");
	strbuf_printf(&b,
		      "],\"marks\":["
		      "{\"t_s\":40.0,\"kind\":\"heal\",\"host\":null,\"label\":\"healed: %s\",\"text\":\"%s\"},"
		      "{\"t_s\":10.0,\"kind\":\"fail\",\"host\":null,\"label\":\"black hole A1\",\"text\":\"%s\"},"
		      "{\"t_s\":25.0034,\"kind\":\"exploring\",\"host\":\"A\",\"label\":\"exploring\",\"text\":\"%s\"},"
		      "{\"t_s\":25.211,\"kind\":\"switched\",\"host\":\"B\",\"label\":\"switched to B2 -> A2\"},"
		      "{\"t_s\":25.224,\"kind\":\"switched\",\"host\":\"A\",\"label\":\"switched to A2 -> B2\"},"
		      "{\"t_s\":-0.5,\"kind\":\"%s\",\"host\":\"%s\"}],"
		      "\"hosts\":[{\"host\":\"A\",\"contexts\":[" SAMPLE_CONTEXT "],"
		      "\"stats\":{\"engine\":{\"probes_sent\":4,\"bad_length\":0},\"%s\":{\"%s\":1234567}}}],"
		      "\"ingress_drops\":[{\"provider\":\"%s\",\"packets\":12}]},"
		      "{\"name\":\"without\",\"shim6\":false,\"streams\":[",
		      name, name, name, name, name, name, name, name, name);
	sample_stream(&b, "TCP download", "tcp", 10, 60, "\"end\":\"gave-up\",\"intact\":false");
	strbuf_printf(&b,
		      "],\"marks\":[{\"t_s\":10.01,\"kind\":\"fail\",\"label\":\"black hole A1\"}],\"hosts\":[]}],"
		      "\"verdicts\":[{\"ok\":true,\"text\":\"it holds: %s\"},{\"ok\":false,\"text\":\"it fails\"}]}",
		      name);
	return b.s;
}

/* Standard error from sample_listen() to sample_heard(), as text. */
static int sample_saved = -1;
static FILE *sample_ear;

static inline void sample_listen(void)
{
	fflush(stderr);
	sample_saved = dup(STDERR_FILENO);
	sample_ear = tmpfile();
	assert_non_null(sample_ear);
	dup2(fileno(sample_ear), STDERR_FILENO);
}

static inline const char *sample_heard(void)
{
	static char text[4096];
	size_t n;

	fflush(stderr);
	dup2(sample_saved, STDERR_FILENO);
	close(sample_saved);
	rewind(sample_ear);
	n = fread(text, 1, sizeof(text) - 1, sample_ear);
	text[n] = '\0';
	fclose(sample_ear);
	return text;
}

#endif
