# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of a benchmark: medians, ratios within one run, bars, and the table that tools/bench prints."""
import math
import statistics


def median(values):
    return statistics.median(values) if values else float("nan")


def sure(values):
    """Where the median of the whole population lies with 95 % certainty: by order statistics, whatever its shape."""
    ordered, n = sorted(values), len(values)
    below, k = 0.5 ** n, 0
    while k < n // 2 and below <= 0.025:  # below: the chance that at most k of n are under the median
        k += 1
        below += math.comb(n, k) * 0.5 ** n
    k = max(0, k - 1)
    return (ordered[k], ordered[n - 1 - k]) if ordered else (float("nan"), float("nan"))


def p99(values):
    """The largest of up to a hundred samples, which is what the 99th percentile of so few is."""
    ordered = sorted(values)
    return ordered[max(0, -(-99 * len(ordered) // 100) - 1)] if ordered else float("nan")


class Report:
    """Rows of text for the reader, and the bars that were asked for with what was measured."""

    def __init__(self):
        self.sections = []
        self.bars = []

    def section(self, title, columns):
        self.sections.append({"title": title, "columns": columns, "rows": []})

    def row(self, *cells):
        self.sections[-1]["rows"].append([str(c) for c in cells])
        print("   ", "  ".join(str(c) for c in cells), flush=True)

    def bar(self, name, measured, relation, bound, unit=""):
        met = measured >= bound if relation == ">=" else measured <= bound
        self.bars.append({"name": name, "measured": measured, "relation": relation, "bound": bound,
                          "unit": unit, "met": bool(met)})

    def text(self):
        lines = []
        for s in self.sections:
            table = [s["columns"], *s["rows"]]
            widths = [max(len(r[i]) for r in table) for i in range(len(s["columns"]))]
            lines += ["", s["title"]]
            for n, r in enumerate(table):
                lines.append("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                                              for i, (c, w) in enumerate(zip(r, widths))).rstrip())
                if n == 0:
                    lines.append("  " + "  ".join("-" * w for w in widths))
        lines += ["", "Bars"]
        for b in self.bars:
            lines.append(f"  {'met ' if b['met'] else 'MISS'}  {b['name']}: {b['measured']:.3g}{b['unit']} "
                         f"(asked: {b['relation']} {b['bound']:.3g}{b['unit']})")
        return "\n".join(lines)

    def missed(self):
        return [b["name"] for b in self.bars if not b["met"]]
