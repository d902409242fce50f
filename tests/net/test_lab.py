# SPDX-License-Identifier: GPL-2.0-or-later
"""The testbed itself: it comes up whole or not at all, breaks what it says it breaks, measures, and leaves nothing."""
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest
from lab import SHIM6
from netns import STARTS, run, wait_until

LABS = pathlib.Path("/run/shim6-lab")
_count = itertools.count()


@pytest.fixture
def name():
    """A free name; whatever a failed test leaves of it is removed."""
    n = f"tl{os.getpid()}x{next(_count)}"
    yield n
    for lab in (n, f"{n}-shim6", f"{n}-plain"):
        run(SHIM6, "lab", "down", "--name", lab, check=False)


def lab(*words, check=True):
    return run(SHIM6, "lab", *words, check=check)


def inside_of(*names):
    """Processes in namespaces that belong to these labs, zombies aside."""
    ids = {
        os.stat(path).st_ino
        for n in names
        for path in pathlib.Path("/run/netns").glob(f"{n}-*")
    }
    found = []
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.stat(proc / "ns/net").st_ino in ids:
                found.append(proc.name)
        except OSError:
            pass
    return found


def remains(*names):
    """What is left of labs: namespaces, folders, mounts, and processes whose command line names them."""
    left = [str(p) for n in names for p in pathlib.Path("/run/netns").glob(f"{n}-*")]
    left += [str(LABS / n) for n in names if (LABS / n).exists()]
    left += [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() for n in names if f"/{n}/" in line]
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (proc / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        left += [line for n in names if f"{LABS}/{n}/" in line]
    return left


def described(n):
    return json.loads(lab("status", "--name", n, "--json").stdout)


def test_labs_side_by_side(name):
    """The same devices and prefixes, but namespaces, pins and daemons of their own; one goes, the others stay."""
    names = [f"{name}-shim6", f"{name}-plain", name]
    for n, words in zip(names, ((), ("--no-shim6",), ("--delay", "5"))):
        lab("up", "--name", n, *words)
    one, two, three = (described(n) for n in names)
    assert [x["shim6"] for x in (one, two, three)] == [True, False, True]
    daemons = [h["daemon"] for x in (one, three) for h in x["hosts"]]
    assert len({d["pid"] for d in daemons}) == 4 and all(d["alive"] for d in daemons)
    assert one["hosts"][0]["addresses"] != three["hosts"][0]["addresses"]
    assert set(names) <= {o["name"] for o in json.loads(lab("list", "--json").stdout)}

    # two labs with daemons stay apart: the third's providers take 5 ms in each direction, the others' none
    def trip(x):
        said = lab("exec", "--name", x["name"], "A", "--", "ping", "-c3", "-W5", x["hosts"][1]["addresses"][0]).stdout
        return float(re.search(r"= ([0-9.]+)/", said)[1])

    assert trip(three) >= 20 > trip(one)
    lab("down", "--name", names[0])
    assert not remains(names[0])
    assert trip(three) >= 20 > trip(two)
    assert described(names[2])["hosts"][1]["daemon"]["status"]["pid"] == three["hosts"][1]["daemon"]["pid"]
    for n in names[1:]:
        lab("down", "--name", n)
    assert not remains(*names)


def test_up_refuses_what_is_there(name):
    lab("up", "--name", name, "--no-shim6")
    again = lab("up", "--name", name, check=False)
    assert again.returncode == 1 and "exists already" in again.stderr
    assert described(name)["shim6"] is False  # and it was left alone


def test_bad_configuration_leaves_nothing(name, tmp_path):
    conf = tmp_path / "shim6.conf"
    conf.write_text("[reap]\nsend_timeout = 12\nfrobnicate = 1\n")
    up = lab("up", "--name", name, "--config", conf, check=False)
    assert up.returncode == 1 and ":3: frobnicate" in up.stderr  # the line of the user's own file
    assert not remains(name)
    conf.write_text("[reap]\nsend_timeout = 12\n")
    lab("up", "--name", name, "--config", conf)
    assert described(name)["send_timeout_s"] == 12


@pytest.mark.parametrize("when", ["lab.json", "delay-B2.log", "A/shim6.conf", "B/shim6d.log"])
@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_up_that_is_cut_short(name, when, sig):
    """At any moment: after SIGTERM nothing is left; after SIGKILL "down" removes whatever there is."""
    up = subprocess.Popen([SHIM6, "lab", "up", "--name", name, "--delay", "5"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    wait_until(lambda: (LABS / name / when).exists() or up.poll() is not None, STARTS, f"{when} is there", every=0.001)
    up.send_signal(sig)
    up.communicate()
    if sig == signal.SIGKILL and (LABS / name).exists():
        lab("down", "--name", name)
    elif up.returncode == 0:  # it was faster
        lab("down", "--name", name)
    assert not remains(name)


def test_down_ends_what_was_started_inside(name):
    lab("up", "--name", name, "--no-shim6")
    for node in ("A", "B2", "core"):
        subprocess.Popen([SHIM6, "lab", "exec", "--name", name, node, "--", "sleep", "1000"], start_new_session=True)
    wait_until(lambda: len(inside_of(name)) == 3, STARTS, "three programs run in the lab")
    running = inside_of(name)
    lab("down", "--name", name)
    assert not remains(name)
    for pid in running:
        stat = pathlib.Path(f"/proc/{pid}/stat")
        assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_exec_is_the_program(lab, flows):
    """Exit code, input, output, and the environment that lets shim6 find its host's daemon."""
    def at(node, *words, **kw):
        return run(SHIM6, "lab", "exec", "--name", lab.name, node, "--", *words, check=False, **kw)

    assert at("A", "sh", "-c", "cat; exit 7", input="through").stdout == "through"
    assert at("A", "sh", "-c", "exit 7").returncode == 7
    assert at("A", "no-such-program").returncode == 127
    assert at("A", "sh", "-c", "kill -9 $$").returncode == -9
    for host in (lab.A, lab.B):
        assert json.loads(at(host.letter, "shim6", "--json").stdout)["pid"] == host.pid
    assert "cust" in at("B1", "ip", "-br", "link").stdout
    bad = at("C", "true")
    assert bad.returncode == 2 and "there are: A, B, A1" in bad.stderr


def reaches(n, frm, to):
    """One ping from an address of A to one of B, by names such as A1."""
    hosts = described(n)["hosts"]
    address = {h["host"] + str(i + 1): a for h in hosts for i, a in enumerate(h["addresses"])}
    return lab("exec", "--name", n, "A", "--", "ping", "-c1", "-W1", "-I", address[frm], address[to],
               check=False).returncode == 0


@pytest.mark.parametrize("kind, words, broken", [
    ("link", (), {"A1"}),
    ("blackhole", (), {"A1"}),
    ("blackhole", ("--direction", "in"), {"A1"}),
    ("blackhole", ("--direction", "out", "--provider", "2"), {"A2"}),
    ("far", (), {"B1"}),
    ("loss", ("--percent", "100", "--host", "B", "--provider", "2"), {"B2"}),
])
def test_faults_break_exactly_what_they_say(name, kind, words, broken):
    lab("up", "--name", name, "--no-shim6")
    pairs = [(a, b) for a in ("A1", "A2") for b in ("B1", "B2")]
    assert all(reaches(name, a, b) for a, b in pairs)
    lab("fail", kind, "--name", name, *words)
    assert {p: reaches(name, *p) for p in pairs} == {p: not broken & set(p) for p in pairs}
    assert len(described(name)["faults"]) == 1
    twice = lab("fail", kind, "--name", name, *words, check=False)
    assert twice.returncode == 1 and "in force already" in twice.stderr
    lab("heal", "--name", name)
    assert all(reaches(name, a, b) for a, b in pairs)
    assert not described(name)["faults"]


def test_providers_filter_foreign_sources(name):
    """M-11, BCP 38: a packet with the other provider's source does not pass, and is counted."""
    lab("up", "--name", name, "--no-shim6")
    lab("exec", "--name", name, "A", "--", "ip", "-6", "rule", "add", "from", "2001:db8:a:2::10", "lookup", "101",
        "priority", "900")
    assert reaches(name, "A1", "B1") and not reaches(name, "A2", "B1")
    rules = lab("exec", "--name", name, "A1", "--", "nft", "list", "chain", "ip6", "lab", "ingress").stdout
    assert int(re.search(r"counter packets (\d+)", rules)[1]) >= 1


def test_heal_by_kind_and_options(name):
    lab("up", "--name", name, "--no-shim6")
    for words in (("blackhole",), ("blackhole", "--host", "B"), ("loss", "--percent", "5"), ("delay", "--ms", "3")):
        lab("fail", *words, "--name", name)

    def kinds():
        return [(f["kind"], f["host"]) for f in described(name)["faults"]]

    nothing = lab("heal", "blackhole", "--provider", "2", "--name", name, check=False)
    assert nothing.returncode == 1 and "no such fault" in nothing.stderr and len(kinds()) == 4
    lab("heal", "blackhole", "--host", "B", "--name", name)
    assert kinds() == [("blackhole", "A"), ("loss", "A"), ("delay", "A")]
    lab("heal", "loss", "blackhole", "--name", name)
    assert kinds() == [("delay", "A")]
    lab("heal", "--all", "--name", name)
    assert kinds() == []
    log = [json.loads(line) for line in (LABS / name / "events.log").read_text().splitlines()]
    assert [e["event"] for e in log] == ["fail"] * 4 + ["heal"] * 4
    assert [e["monotonic_s"] for e in log] == sorted(e["monotonic_s"] for e in log)


RESULT_KEYS = {"v", "title", "when", "kernel", "version", "send_timeout_s", "delay_ms", "duration_s", "bucket_s", "runs",
               "verdicts"}
STREAM_KEYS = {"name", "kind", "direction", "buckets", "silences", "longest_silence_s", "bytes", "packets", "end", "intact"}


def test_run_measures_and_judges(name, tmp_path):
    """A lost link under every kind of traffic, with shim6 and without, at the same time."""
    out = tmp_path / "out"
    done = run(SHIM6, "lab", "run", "link-down", "--both", "--traffic", "tcp,udp,curl,ssh,iperf3", "--fail-at", "5",
               "--heal-at", "10", "--duration", "18", "--send-timeout", "10", "--name", name, "--output", out, check=False)
    print(done.stdout, done.stderr)
    r = json.loads((out / "result.json").read_text())
    assert r.keys() >= RESULT_KEYS and r["v"] == 1
    assert [x["name"] for x in r["runs"]] == ["with shim6", "without shim6"]
    with_shim6, without = r["runs"]
    assert len(with_shim6["streams"]) == len(without["streams"]) == 5
    for x in r["runs"]:
        marks = [(m["kind"], m["host"]) for m in x["marks"]]
        assert marks.count(("fail", None)) == marks.count(("heal", None)) == 1
        assert [d["provider"] for d in x["ingress_drops"]] == ["A1", "A2", "B1", "B2"]
        for s in x["streams"]:
            assert s.keys() >= STREAM_KEYS
            assert sum(b[1] for b in s["buckets"]) == s["bytes"] > 0
            assert sum(b[2] for b in s["buckets"]) == s["packets"]
            indices = [b[0] for b in s["buckets"]]
            assert indices == sorted(set(indices))
            # told to the microsecond
            assert all(0.2 - 2e-6 <= q[1] - q[0] <= s["longest_silence_s"] + 2e-6 for q in s["silences"])
            assert s["intact"] in (True, None)
    assert {("established", "A"), ("established", "B"), ("switched", "A"), ("switched", "B")} <= {
        (m["kind"], m["host"]) for m in with_shim6["marks"]
    }
    assert [h["host"] for h in with_shim6["hosts"]] == ["A", "B"] and without["hosts"] == []
    assert all(h["contexts"] and h["stats"] for h in with_shim6["hosts"])
    (udp,) = (s for s in with_shim6["streams"] if s["kind"] == "udp")
    assert udp["sent"] - udp["received"] == udp["lost"] and udp["lost_after_switch"] == 0
    # the plain run felt it, all of it; the other did not
    fail, heal = (next(m["t_s"] for m in without["marks"] if m["kind"] == k) for k in ("fail", "heal"))
    for s in without["streams"]:
        assert s["longest_silence_s"] > heal - fail - 0.5, s["name"]
    for s in with_shim6["streams"]:
        assert s["longest_silence_s"] < heal - fail - 0.5 and s["end"] in ("open", "eof"), s["name"]
    page = (out / "report.html").read_text()
    assert page.count("<svg") >= 5 and "TCP download (curl)" in page
    assert done.returncode == (0 if all(v["ok"] for v in r["verdicts"]) else 1)
    assert not remains(f"{name}-shim6", f"{name}-plain")


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGKILL])
def test_run_that_is_cut_short(name, tmp_path, sig):
    names = [f"{name}-shim6", f"{name}-plain"]
    done = subprocess.Popen([SHIM6, "lab", "run", "--both", "--traffic", "tcp,udp,curl,ssh,iperf3", "--name", name,
                             "--output", tmp_path / "out"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in done.stdout:
        if "established" in line:
            break
    done.send_signal(sig)
    done.communicate(timeout=STARTS)
    assert done.returncode == (1 if sig == signal.SIGINT else -9)
    if sig == signal.SIGKILL:
        for n in names:
            lab("down", "--name", n)
    assert not remains(*names)


@pytest.mark.parametrize("words, says", [
    (("upp",), 'unknown verb "upp"'),
    (("up", "--send-timeout", "5"), "from 10 to 100"),
    (("up", "--name", "a/b"), "--name: expected"),
    (("fail", "flood"), "there are: link, blackhole, far, loss, delay"),
    (("run", "nonsense"), "there are: black-hole, link-down"),
])
def test_wrong_command_lines(words, says):
    done = lab(*words, check=False)
    assert done.returncode == 2 and says in done.stderr and not done.stdout
