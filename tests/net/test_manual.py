# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages against the programs: every verb, option, key and counter has its entry, with the range and the
default that the programs have, and none stands for something that is gone."""
import json
import pathlib
import re
import subprocess

import pytest

from lab import BUILD, SHIM6, SHIM6D

TOP = pathlib.Path(__file__).resolve().parents[2]
MAN = TOP / "doc/man"
SRC = TOP / "src"
ENTRY = re.compile(r"^\*.*(?:\n\t.*|\n(?=\n\t))*", re.M)  # a term, and what is indented under it


def page(name):
    return (MAN / f"{name}.scd").read_text()


def section(text, title):
    found = re.search(rf"^# {re.escape(title)}\n(.*?)(?=^# |\Z)", text, re.M | re.S)
    assert found, f"no section {title}"
    return found.group(1)


def terms(text):
    """What stands in bold in the first lines of the entries."""
    found = set()
    for entry in ENTRY.findall(text):
        found.update(re.findall(r"\*([^*]+)\*", entry.split("\n")[0]))
    return found


def out(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def options_of(text):
    """Options that a help text names, but for those of other programs."""
    return set(re.findall(r"(?<![\w-])(--[a-z0-9][a-z0-9-]*)", text))


# --- shim6(8) ----------------------------------------------------------------------------------------------------------


def verbs():
    return json.loads(out(SHIM6, "--json", "help"))


def test_verbs_of_shim6():
    entries = ENTRY.findall(section(page("shim6.8"), "VERBS"))
    shown = {}
    for entry in entries:
        first = entry.split("\n")[0]
        shown[re.match(r"\*([^*]+)\*", first).group(1)] = first.replace("*", "").replace("_", "")
    assert set(shown) == {v["name"] for v in verbs()}
    for v in verbs():
        assert shown[v["name"]] == f"{v['name']} {v['args']}".strip(), "the usage of the page is not that of the program"


def test_options_of_shim6():
    source = "".join(p.read_text() for p in sorted((SRC / "cli").glob("*.c")))
    table = set(re.findall(r'\{ "(--?[a-zA-Z][a-z-]*)", OPT_', source))
    assert "--json" in table
    assert {t for t in terms(section(page("shim6.8"), "OPTIONS")) if t.startswith("-")} == table


# --- shim6d(8), shim6-lab(8) ---------------------------------------------------------------------------------------------


def test_options_of_shim6d():
    text = page("shim6d.8")
    own = {t for t in terms(section(text, "OPTIONS")) if t.startswith("--")}
    help_text = out(SHIM6D, "--help")
    assert own - {"--name", "--json"} == options_of(help_text)
    assert options_of(out(SHIM6D, "addr")) - {"--state-dir"} <= set(re.findall(r"\*(--[a-z-]+)\*", text))
    for signal in re.findall(r"\b(TERM|INT|USR1|HUP)\b", help_text):
        assert f"SIG{signal}" in section(text, "SIGNALS")
    for default in re.findall(r"\((/[\w./]+)", help_text):
        assert f"_{default}" in text


def test_verbs_and_options_of_the_lab():
    text = page("shim6-lab.8")
    overview = out(SHIM6, "lab", "help")
    names = re.findall(r"^  ([a-z]+) .*  +[A-Z]", overview, re.M)
    assert {"up", "run", "report"} <= set(names)
    shown = {re.match(r"\*([^*]+)\*", e).group(1): e for e in ENTRY.findall(section(text, "VERBS"))}
    assert set(shown) == set(names)
    every = set()
    for name in names:
        options = options_of("\n".join(line for line in out(SHIM6, "lab", name, "--help").splitlines()
                                       if line.startswith("  --")).replace("shim6 lab fail --help", ""))
        every |= options
        if name not in ("run", "help"):
            assert options - {"--help", "--version", "--json"} == set(re.findall(r"\*(--[a-z0-9-]+)\*", shown[name])), name
    assert {t for t in terms(section(text, "OPTIONS")) if t.startswith("--")} == every


# --- shim6.conf(5) -------------------------------------------------------------------------------------------------------


def keys_of_the_source():
    """(section, name) from the table of keys."""
    source = "".join(p.read_text() for p in sorted((SRC / "daemon").glob("config*.c")))
    return set(re.findall(r'^\t(?:BOOL\(|NUMBER\(|FIXED\(|\{ )"([a-z0-9_]+)", "([a-z0-9_]+)",', source, re.M))


def keys_of_the_page():
    """{(section, name): (default, text)}"""
    keys = {}
    for title, body in re.findall(r"^# \[([a-z]+)[^\]]*\]\n(.*?)(?=^# |\Z)", page("shim6.conf.5"), re.M | re.S):
        for entry in ENTRY.findall(body):
            name, default = re.match(r"\*([a-z0-9_]+)\* =(.*)", entry).groups()
            assert (title, name) not in keys
            keys[title, name] = default.strip(), " ".join(entry.split("\n", 1)[1].split())
    return keys


def test_every_key_has_its_entry():
    assert set(keys_of_the_page()) == keys_of_the_source()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the daemon says that a key takes."""
    path = tmp_path_factory.mktemp("conf") / "shim6.conf"

    def ask(title, name):
        title = {"interface": "interface eth0", "prefix": "prefix 2001:db8::/32"}.get(title, title)
        path.write_text(f"[{title}]\n{name} = {'x/' * 30}\n")
        return out(SHIM6D, "--check", "--config", path)

    return ask


def test_ranges_and_units(expected):
    units = {"s": "Seconds", "ms": "Milliseconds", "%": "Percent"}
    for (title, name), (_, text) in keys_of_the_page().items():
        said = re.search(r": expected (.*), not '", expected(title, name))
        assert said, (title, name, expected(title, name))
        said = said.group(1)
        if said == "yes or no":
            assert text.startswith("Yes or no"), (title, name)
        elif said.startswith("a whole number"):
            low, high, unit = re.match(r"a whole number from (\d+) to (\d+)(?: \((.*?)\))?", said).groups()
            begin = f"{units[unit]}, {low} to {high}" if unit in units else f"{low} to {high}"
            assert text.startswith(begin), (title, name, said)
            assert ("or off" in said) == ("or off" in text), (title, name)
        elif said.startswith("a name"):
            assert said.rsplit("of ", 1)[1] in text or said.split(" of ", 1)[1] in text, (title, name, said)
        elif said.startswith("an absolute path"):
            assert text.startswith(said.replace("an abs", "An abs")), (title, name, said)
        elif said.startswith("names of events"):
            assert text.startswith("Names of events, divided by commas: " + ", ".join(said.partition(": ")[2].split()))
        else:
            assert said.startswith("IPv6 prefixes") and text.startswith("Prefixes"), (title, name, said)


def test_defaults_are_those_of_the_example():
    """That the example states the defaults is tested with the configuration itself."""
    example, title = {}, None
    for line in (TOP / "doc/shim6.conf.example").read_text().splitlines():
        if m := re.match(r"#?\[([a-z]+)", line):
            title = m.group(1)
        elif m := re.match(r"#([a-z0-9_]+) =(.*)", line):
            example[title, m.group(1)] = m.group(2).strip()
    assert {k: v[0] for k, v in keys_of_the_page().items()} == example


def test_keys_that_wait_for_a_restart():
    source = "".join(p.read_text() for p in sorted((SRC / "daemon").glob("config*.c")))
    fixed = set(re.findall(r'^\tFIXED\("([a-z0-9_]+)", "([a-z0-9_]+)"', source, re.M))
    fixed |= set(re.findall(r'^\t\{ "([a-z0-9_]+)", "([a-z0-9_]+)",[^}]*\btrue \}', source, re.M))
    assert fixed
    assert {k for k, (_, text) in keys_of_the_page().items() if "_restart_" in text} == fixed


# --- shim6-counters(7) ---------------------------------------------------------------------------------------------------


def test_counters_of_a_running_daemon(make_lab):
    """Each counter stands in the part of the page that is named as its group, and no other does."""
    text = page("shim6-counters.7")
    stats = make_lab().A.stats()
    assert len(stats["engine"]) > 50
    for group, counters in stats.items():
        assert terms(section(text, group.upper())) == set(counters), group


# --- what is built -------------------------------------------------------------------------------------------------------


def test_pages_are_built_and_point_at_pages_that_exist():
    pages = {p.name.removesuffix(".scd") for p in MAN.glob("*.scd")}
    for name in pages:
        built = BUILD / "doc/man" / name
        assert built.exists(), "not built: is scdoc installed?"
        text = page(name)
        stem, number = name.rsplit(".", 1)
        assert text.startswith(f"{stem}({number}) "), "the title is not the name of the page"
        for other, n in re.findall(r"\b(shim6[a-z.-]*)\((\d)\)", text):
            assert f"{other}.{n}" in pages, f"{name} points at {other}({n})"
