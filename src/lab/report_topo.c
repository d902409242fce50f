// SPDX-License-Identifier: GPL-2.0-or-later
/* The network as a picture (see report_topo.h); what it shows is what topology.c builds. */
#include "lab/report_topo.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lab/report_html.h"
#include "lab/report_plot.h"
#include "lab/topology.h"

#define WIDTH 700.0
#define HEIGHT 176.0
#define MIDDLE 88.0
#define ARM 50.0 /* of a provider, above or below the middle */
#define BOX_HEIGHT 30.0

static double provider_y(unsigned p)
{
	return MIDDLE + (p ? ARM : -ARM);
}

static void node(struct strbuf *b, double x, double y, double width, const char *name)
{
	html(b, "<g class=\"node\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"5\"/>",
	     x - width / 2, y - BOX_HEIGHT / 2, width, BOX_HEIGHT);
	html(b, "<text x=\"%.1f\" y=\"%.1f\">%s</text></g>\n", x, y + 4.5, name);
}

/* name as a word of its own in text */
static bool names(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; (p = strstr(p, name)); p += len) {
		if ((p == text || !isalnum((unsigned char)p[-1])) && !isalnum((unsigned char)p[len]))
			return true;
	}
	return false;
}

static bool failed(const struct report *r, const char *provider)
{
	for (size_t i = 0; i < r->n_runs; i++) {
		for (size_t j = 0; j < r->runs[i].n_marks; j++) {
			const struct report_mark *m = &r->runs[i].marks[j];

			if (!strcmp(m->kind, "fail") && names(m->label, provider))
				return true;
		}
	}
	return false;
}

static void provider(struct strbuf *b, const struct report *r, unsigned host, unsigned p, double x, double host_x)
{
	double y = provider_y(p), at = (x + host_x) / 2, text_y = p ? y + BOX_HEIGHT / 2 + 15 : y - BOX_HEIGHT / 2 - 7;
	char prefix[LAB_ADDR_MAX], name[8];

	topology_prefix(host, p, prefix);
	snprintf(name, sizeof(name), "%c%u", topology_host_letter(host), p + 1);
	node(b, x, y, 46, name);
	html(b, "<text class=\"small mid\" x=\"%.1f\" y=\"%.1f\">%s", x, text_y, prefix);
	if (r->delay_ms > 0)
		html(b, ", %g ms", r->delay_ms);
	strbuf_puts(b, "</text>\n");
	if (failed(r, name)) {
		html(b, "<g><title>failed during the run: %s</title>", name);
		report_plot_sign(b, "fail", at, (y + MIDDLE) / 2);
		strbuf_puts(b, "</g>\n");
	}
}

void report_topo(struct strbuf *b, const struct report *r)
{
	static const double host_x[LAB_HOSTS] = { 40, WIDTH - 40 }, router_x[LAB_HOSTS] = { 190, WIDTH - 190 };
	const double core_x = WIDTH / 2;

	html(b,
	     "<svg class=\"topo\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
	     "height=\"%.0f\" role=\"img\" aria-label=\"Two hosts with two providers each\">\n",
	     WIDTH, HEIGHT, WIDTH, HEIGHT);
	for (unsigned h = 0; h < LAB_HOSTS; h++) {
		for (unsigned p = 0; p < LAB_PROVIDERS; p++)
			html(b, "<path class=\"link\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1f\"/>\n", host_x[h], MIDDLE,
			     router_x[h], provider_y(p), core_x, MIDDLE);
	}
	for (unsigned h = 0; h < LAB_HOSTS; h++) {
		char name[2] = { topology_host_letter(h), '\0' };

		for (unsigned p = 0; p < LAB_PROVIDERS; p++)
			provider(b, r, h, p, router_x[h], host_x[h]);
		node(b, host_x[h], MIDDLE, 46, name);
	}
	node(b, core_x, MIDDLE, 64, "core");
	strbuf_puts(b, "</svg>\n");
}
