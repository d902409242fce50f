# SPDX-License-Identifier: GPL-2.0-or-later
"""shim6 metrics: the exposition format, the names of doc/metrics.md, the file, the dashboard."""
import json
import os
import pathlib
import re
import stat

import pytest
from lab import SHIM6
from netns import run, wait_until

DOC = pathlib.Path(__file__).parents[2] / "doc"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\}})? (\S+)\Z')


def parse(text):
    """{family: (type, {labels: value})} of the exposition format; each rule of it that a writer can break is checked."""
    assert text.endswith("\n")
    families, current, helped = {}, None, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped, words = line.split(" ", 3)[2:]
            assert helped not in families and words
        elif line.startswith("# TYPE "):
            current, kind = line.split(" ")[2:]
            assert current == helped and current not in families and kind in ("gauge", "counter")
            assert kind != "counter" or current.endswith("_total")
            assert kind == "counter" or not current.endswith("_total")
            families[current] = (kind, {})
        else:
            found = SAMPLE.fullmatch(line)
            assert found and found[1] == current, line
            labels = tuple(sorted(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', found[2] or "")))
            assert labels not in families[current][1], f"twice: {line}"
            families[current][1][labels] = float(found[3])
    assert all(samples for _, samples in families.values())
    return families


def documented():
    """{name: (type, {label names})} of the tables; '+': beside those of a context."""
    rows = re.findall(r"^\| `(shim6_\w+)` \| (\w+) \|([^|]*)\|", (DOC / "metrics.md").read_text(), re.M)
    names = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert len(names) == len(rows)
    for name in names:
        if name.startswith("shim6_context_") and name != "shim6_context_events_total":
            names[name][1].update(("context", "local", "peer", "fork"))
    return names


def value(families, name, **labels):
    return families[name][1][tuple(sorted(labels.items()))]


def test_metrics(lab, flows):
    """Every counter of the daemon is there, with the value that stats has; the names are those of the documentation;
    a failover shows."""
    a = lab.A
    f = flows.between(lab, "tcp")
    context, _ = lab.established()
    f.arrives(20, "TCP flows")
    text = a.shim6("metrics", "--contexts", 5).stdout
    m = parse(text)
    assert {n: (k, {l for labels in s for l, _ in labels}) for n, (k, s) in m.items()} == documented()
    plain = parse(a.shim6("metrics").stdout)
    assert m.keys() - plain.keys() == {n for n in m if n.startswith("shim6_context") and "context" in str(m[n][1])} | {
        "shim6_contexts_omitted"
    }
    prometheus = pytest.importorskip("prometheus_client.parser")
    theirs = {f.name: len(f.samples) for f in prometheus.text_string_to_metric_families(text)}
    assert theirs == {n.removesuffix("_total") if k == "counter" else n: len(s) for n, (k, s) in m.items()}

    counted = sum(len(s) for n, (_, s) in plain.items())
    stats = a.ask("stats")
    assert counted > sum(map(len, stats.values())), "some counter is not there"
    assert value(m, "shim6_up") == 1 and value(m, "shim6_contexts_established") == 1
    assert value(m, "shim6_locators", interface="eth1", state="up") == 1
    assert value(m, "shim6_hba_sets", state="good") == 1
    assert value(m, "shim6_contexts_omitted") == 0 and value(m, "shim6_switches_total") == 0
    u = context["ulid"]
    me = {"context": str(context["id"]), "local": u["local"], "peer": u["peer"], "fork": "0"}
    assert value(m, "shim6_context_rewritten", **me) == 0 and value(m, "shim6_context_operational", **me) == 1
    assert value(m, "shim6_context_bytes_total", direction="rx", **me) > 0

    lab.fail("link")
    wait_until(lambda: a.context()["rewritten"], 10, "it switched")
    f.arrives(20, "TCP flows on")
    m = parse(a.shim6("metrics", "--contexts=1").stdout)
    assert value(m, "shim6_switches_total") == 1 and value(m, "shim6_explorations_total") >= 1
    assert value(m, "shim6_context_switches_total", **me) == value(m, "shim6_context_rewritten", **me) == 1
    assert value(m, "shim6_locators", interface="eth1", state="down") == 1
    wait_until(lambda: value(parse(a.shim6("metrics").stdout), "shim6_packets_total", kind="tx_rewritten") > 0, 10,
               "rewritten packets are counted")
    assert value(m, "shim6_messages_sent_total", type="probe") == a.stats()["engine"]["tx_probe"] > 0
    assert json.loads(a.shim6("metrics", "--json").stdout)[0]["name"] == "shim6_up"


def test_file(lab, tmp_path):
    """--output: whole, readable by the collector, nothing left beside it; without a daemon it says so."""
    a = lab.A
    out = tmp_path / "shim6.prom"
    said = a.shim6("metrics", "--output", out)
    assert said.stdout == said.stderr == ""
    assert parse(out.read_text()).keys() == parse(a.shim6("metrics").stdout).keys()
    assert stat.S_IMODE(out.stat().st_mode) == 0o644 and os.listdir(tmp_path) == ["shim6.prom"]
    before = out.stat().st_ino
    a.shim6("metrics", "--output", out)
    assert out.stat().st_ino != before, "a file that is written in place may be read half"
    for where, why in ((tmp_path / "no" / "x.prom", "No such file"), (tmp_path, "Is a directory"), ("/dev/null", "File exists")):
        done = a.shim6("metrics", "--output", where, check=False)
        assert done.returncode == 1 and f"cannot write {where}: {why}" in done.stderr, done.stderr
    gone = run(SHIM6, "--socket", tmp_path / "nobody", "metrics", "--output", out, check=False)
    assert gone.returncode == 3 and "is shim6d running?" in gone.stderr
    assert parse(out.read_text()) == {"shim6_up": ("gauge", {(): 0.0})} and os.listdir(tmp_path) == ["shim6.prom"]


def test_arguments(tmp_path):
    for words, said in (
        (["--contexts", "0"], "--contexts cannot be '0': a whole number from 1 to 1000"),
        (["--contexts", "1001"], "cannot be '1001'"),
        (["--contexts", "-1"], "cannot be '-1'"),
        (["--contexts", "many"], "cannot be 'many'"),
        (["--contexts"], "--contexts needs a value"),
        (["--output", ""], "--output needs the name of a file"),
        (["--count", "1"], "--count, --for and --pcap belong to trace"),
        (["more"], "usage: shim6 metrics"),
    ):
        done = run(SHIM6, "--socket", tmp_path / "nobody", "metrics", *words, check=False)
        assert (done.returncode, done.stdout) == (2, "") and said in done.stderr, (words, done.stderr)
    done = run(SHIM6, "stats", "--output", "x", check=False)
    assert done.returncode == 2 and "belong to metrics" in done.stderr


def test_dashboard():
    """The Grafana dashboard is JSON, its panels do not overlap, and it asks only for metrics that there are."""
    board = json.loads((DOC / "grafana-dashboard.json").read_text())
    names = documented()
    expressions = [t["expr"] for p in board["panels"] for t in p["targets"]]
    expressions += [v["query"]["query"] for v in board["templating"]["list"] if v["type"] == "query"]
    used = set()
    for e in expressions:
        assert e.count("(") == e.count(")") and e.count("{") == e.count("}"), e
        found = set(re.findall(r"\bshim6_\w+", e))
        assert found and found <= names.keys(), e
        for name, selector in re.findall(r"\b(shim6_\w+)\{([^}]*)\}", e):
            assert set(re.findall(r"(\w+)=", selector)) <= names[name][1] | {"instance"}, e
        for name in found:
            counter = names[name][0] == "counter"
            assert counter == bool(re.search(rf"(rate|increase)\({name}\b", e)), e
        used |= found
    assert len(used) > 15
    for p in board["panels"]:
        for label in {l for t in p["targets"] for l in re.findall(r"\{\{(\w+)\}\}", t["legendFormat"])}:
            assert label == "instance" or any(label in names[n][1] for t in p["targets"]
                                              for n in re.findall(r"shim6_\w+", t["expr"])), (p["title"], label)
    assert len({p["id"] for p in board["panels"]}) == len(board["panels"])
    places = [(x, y) for g in (p["gridPos"] for p in board["panels"])
              for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])]
    assert len(places) == len(set(places)) and max(x for x, _ in places) < 24
