// SPDX-License-Identifier: GPL-2.0-or-later
/* How faults are written and read. */
#include "lab/fault.h"

#include <stdio.h>
#include <string.h>

static const char *const kinds[FAULT_KINDS] = { "link", "blackhole", "far", "loss", "delay" };
static const char *const directions[FAULT_DIRECTIONS] = { "both", "in", "out" };

const char *fault_kind_name(enum fault_kind k)
{
	return kinds[k];
}

const char *fault_direction_name(enum fault_direction d)
{
	return directions[d];
}

bool fault_init(struct fault *f, const char *kind)
{
	memset(f, 0, sizeof(*f));
	for (unsigned k = 0; k < FAULT_KINDS; k++) {
		if (strcmp(kind, kinds[k]))
			continue;
		f->kind = (enum fault_kind)k;
		f->host = f->kind == FAULT_FAR;
		return true;
	}
	return false;
}

bool fault_set_host(struct fault *f, const char *text)
{
	if ((text[0] != 'A' && text[0] != 'B') || text[1])
		return false;
	f->host = text[0] == 'B';
	return true;
}

bool fault_set_provider(struct fault *f, const char *text)
{
	if ((text[0] != '1' && text[0] != '2') || text[1])
		return false;
	f->provider = text[0] == '2';
	return true;
}

bool fault_set_direction(struct fault *f, const char *text)
{
	for (unsigned d = 0; d < FAULT_DIRECTIONS; d++) {
		if (!strcmp(text, directions[d])) {
			f->direction = (enum fault_direction)d;
			return true;
		}
	}
	return false;
}

bool fault_needs_amount(enum fault_kind k)
{
	return k == FAULT_LOSS || k == FAULT_DELAY;
}

bool fault_set_amount(struct fault *f, const char *text)
{
	uint64_t v;

	if (!parse_u64(text, 1, f->kind == FAULT_LOSS ? 100 : 10000, &v))
		return false;
	f->amount = (unsigned)v;
	return true;
}

const char *fault_check(const struct fault *f)
{
	if (fault_needs_amount(f->kind) && !f->amount)
		return f->kind == FAULT_LOSS ? "loss needs a percentage, 1 to 100"
					     : "delay needs milliseconds, 1 to 10000";
	if (f->direction != FAULT_BOTH && (f->kind == FAULT_LINK || f->kind == FAULT_DELAY))
		return "link and delay always act both ways";
	return NULL;
}

bool fault_equal(const struct fault *a, const struct fault *b)
{
	return a->kind == b->kind && a->direction == b->direction && a->host == b->host && a->provider == b->provider;
}

static const char *way(const struct fault *f)
{
	static const char *const text[FAULT_DIRECTIONS] = { "both ways", "towards the host", "from the host" };

	return text[f->direction];
}

void fault_text(const struct fault *f, char *out, size_t cap)
{
	char host = f->host ? 'B' : 'A';
	unsigned p = f->provider + 1;

	switch (f->kind) {
	case FAULT_LINK:
		snprintf(out, cap, "link of %c to provider %u down", host, p);
		break;
	case FAULT_BLACKHOLE:
		snprintf(out, cap, "silent black hole at provider %u of %c, %s", p, host, way(f));
		break;
	case FAULT_FAR:
		snprintf(out, cap, "provider %u of %c (far end) silent, %s", p, host, way(f));
		break;
	case FAULT_LOSS:
		snprintf(out, cap, "%u %% packet loss at provider %u of %c, %s", f->amount, p, host, way(f));
		break;
	default:
		snprintf(out, cap, "%u ms more delay each way at provider %u of %c", f->amount, p, host);
		break;
	}
}

void fault_label(const struct fault *f, char *out, size_t cap)
{
	static const char *const text[FAULT_KINDS] = { "link down", "black hole", "provider lost", "loss", "delay" };
	const char *arrow = f->direction == FAULT_IN ? " in" : f->direction == FAULT_OUT ? " out" : "";

	if (fault_needs_amount(f->kind))
		snprintf(out, cap, "%u %s %s %c%u%s", f->amount, f->kind == FAULT_LOSS ? "%" : "ms", text[f->kind],
			 f->host ? 'B' : 'A', f->provider + 1, arrow);
	else
		snprintf(out, cap, "%s %c%u%s", text[f->kind], f->host ? 'B' : 'A', f->provider + 1, arrow);
}
