#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""doc/conformance.md from the rows of the RFCs and the tests that cite them.

    tests/run/conformance.py            write the page
    tests/run/conformance.py --check    fail when the page is not what would be written, when a MUST or SHOULD has
                                        neither a test nor a reason, when a reason stands for a row that has a test,
                                        or when less than 95 % of all rows have a test or a reason
    tests/run/conformance.py --open     list the rows without a test

A test cites a row by its id in its name, its body or a comment right before it: "W-20", "X-02..X-05", "w_20" in a
name. A comment at the head of a file cites nothing: it is about no test in particular.
"""
import collections
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
DATA = TOP / "doc/conformance"
PAGE = TOP / "doc/conformance.md"
TESTS = ("unit", "sim", "net", "conformance", "fuzz")
TITLES = {"5533": "RFC 5533: Shim6", "5534": "RFC 5534: REAP", "5535": "RFC 5535 and 3972: HBA and CGA"}
NEED = ("MUST", "SHOULD")
SHARE = 95  # % of all rows but those of level info

C_TEST = re.compile(r"^(?:static )?(?:void|bool|int) (\w+)\([^;]*$", re.M)
PY_TEST = re.compile(r"^(?:    )?def (test_\w+)\(", re.M)
ID = re.compile(r"\b((?:AMB-[A-Z]|[A-Z]{1,4}-))(\d+)([a-z]?)(?:\s*(?:\.\.|to)\s*(?:\1)?(\d+))?\b")
NAME_ID = re.compile(r"(?:^|_)(amb_[rh]|[a-z]{1,4}_)(\d+)(?=_|$)")


def read_tsv(path):
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def cited(text):
    """Row ids that a piece of text names."""
    for prefix, first, suffix, last in ID.findall(text):
        yield f"{prefix}{first}{suffix}"
        for n in range(int(first) + 1, int(last or 0) + 1):
            yield f"{prefix}{n:0{len(first)}d}"
    for prefix, number in NAME_ID.findall(text):
        yield prefix.upper().replace("_", "-") + number


def pieces(path):
    """(name, text) of each test function in a file, with the comment right before it."""
    text = path.read_text(errors="replace")
    starts = [(m.start(), m.group(1)) for m in (PY_TEST if path.suffix == ".py" else C_TEST).finditer(text)]
    begins = []
    for at, name in starts:
        begins.append((comment_before(text, at), name))
    for i, (at, name) in enumerate(begins):
        end = begins[i + 1][0] if i + 1 < len(begins) else len(text)
        yield name, text[at:end]


def comment_before(text, at):
    """Where the comment, decorators or table lines that belong to what begins at 'at' begin."""
    lines = text[:at].split("\n")[:-1]
    n = len(lines)
    while n and re.match(r"\s*(/\*|\*|\*/|//|#(?!include|define|if|end|el)|@)", lines[n - 1]):
        n -= 1
    return sum(len(line) + 1 for line in lines[:n])


def collect():
    """row id -> names of the tests that cite it"""
    found = collections.defaultdict(set)
    for room in TESTS:
        for path in sorted((TOP / "tests" / room).rglob("*")):
            if path.suffix not in (".c", ".py") or "corpus" in path.parts:
                continue
            for name, text in pieces(path):
                for row in cited(name + "\n" + text):
                    found[row].add(f"{path.relative_to(TOP / 'tests')}:{name}")
    return found


def page(rows, tests, reasons):
    out = ["# Conformance", "",
           "Made by `tests/run/conformance.py` from `doc/conformance/rows.tsv` and the tests; do not edit. Levels: MUST,",
           "SHOULD, MAY as the RFC writes; *impl*: no keyword, but follows from text or figures; *HARD*: our own hardening;",
           "*choice*: a point that the RFCs leave open, and what we do.", ""]
    out += ["| RFC | level | rows | tested | open |", "|---|---|---|---|---|"]
    for rfc in TITLES:
        for level in ("MUST", "SHOULD", "MAY", "impl", "HARD", "choice"):
            these = [r for r in rows if r[2] == rfc and r[1] == level]
            done = sum(1 for r in these if r[0] in tests)
            if these:
                out.append(f"| {rfc} | {level} | {len(these)} | {done} | {len(these) - done} |")
    for rfc, title in TITLES.items():
        out += ["", f"## {title}", "", "| row | level | section | what is asked | tests |", "|---|---|---|---|---|"]
        for row, level, of, section, text in rows:
            if of != rfc:
                continue
            names = sorted(tests.get(row, ()))
            where = ", ".join(f"`{n}`" for n in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            if not names:
                where = "open: " + reasons[row] if row in reasons else ("-" if level == "info" else "open")
            text = text.replace("|", "\\|")
            out.append(f"| {row} | {level} | {section} | {text} | {where} |")
    return "\n".join(out) + "\n"


def check(rows, tests, reasons, text):
    wrong = []
    known = {r[0] for r in rows}
    if not PAGE.exists() or PAGE.read_text() != text:
        wrong.append("doc/conformance.md is not up to date: run tests/run/conformance.py")
    for row, level, *_ in rows:
        if level in NEED and row not in tests and row not in reasons:
            wrong.append(f"{row} ({level}): no test cites it, and doc/conformance/open.tsv gives no reason")
    count = [r[0] for r in rows if r[1] != "info"]
    done = sum(1 for row in count if row in tests or row in reasons)
    if 100 * done < SHARE * len(count):
        wrong.append(f"{done} of {len(count)} rows have a test or a reason, which is less than {SHARE} %")
    for row in reasons:
        if row not in known:
            wrong.append(f"doc/conformance/open.tsv: there is no row {row}")
        elif row in tests:
            wrong.append(f"doc/conformance/open.tsv: {row} has a test: {sorted(tests[row])[0]}")
    return wrong


def main(argv):
    rows = list(read_tsv(DATA / "rows.tsv"))
    reasons = dict(read_tsv(DATA / "open.tsv"))
    tests = collect()
    text = page(rows, tests, reasons)
    if "--open" in argv:
        for row, level, rfc, section, what in rows:
            if row not in tests and level != "info":
                print(f"{row}\t{level}\t{what}" + (f"\t(reason: {reasons[row]})" if row in reasons else ""))
        return 0
    if "--check" in argv:
        wrong = check(rows, tests, reasons, text)
        print("\n".join(wrong) or f"conformance: every MUST and SHOULD, and at least {SHARE} % of all rows, have a test or a reason")
        return 1 if wrong else 0
    PAGE.write_text(text)
    done = sum(1 for r in rows if r[0] in tests)
    print(f"{done} of {len(rows)} rows have a test; doc/conformance.md written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
