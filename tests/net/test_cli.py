# SPDX-License-Identifier: GPL-2.0-or-later
"""The command shim6 with a real daemon, and without one."""
import json
import os
import pathlib
import re
import stat

import pytest
from lab import SHIM6, SHIM6D
from netns import run, wait_until

SOURCES = pathlib.Path(__file__).parents[2] / "src"
CONTEXT_KEYS = {
    "id", "slot", "state", "fii", "initiator", "ulid", "tag", "current", "rewritten", "reap", "send_timeout_s",
    "keepalive_timeout_s", "age_s", "idle_s", "mtu", "locators", "fail_back", "last_switch", "counters",
}
COUNTER_KEYS = {
    "switches", "episodes", "probes_sent", "probes_received", "keepalives_sent", "keepalives_received", "tx_packets",
    "tx_bytes", "rx_packets", "rx_bytes",
}
STATUS_KEYS = {
    "version", "pid", "uptime_s", "datapath", "initiate", "config_file", "send_timeout_s", "contexts", "established",
    "exploring", "locators",
}


def modes(folder):
    """Permissions of all below a folder."""
    return {
        (entry.name, stat.S_IMODE(entry.stat().st_mode))
        for root, _, _ in os.walk(folder)
        for entry in os.scandir(root)
        if entry.is_file()
    }


def test_every_verb(lab, flows):
    """M-12: human and JSON output of each verb about one session; keys as control.h has them; every counter that the
    sources name is among them."""
    a = lab.A
    f = flows.between(lab, "tcp")
    context, _ = lab.established()
    f.arrives(5, "TCP flows")

    def ask(*words):
        return json.loads(a.shim6("--json", *words).stdout)

    assert ask().keys() >= STATUS_KEYS and ask("status")["established"] == 1
    (c,) = ask("contexts")
    assert c.keys() == CONTEXT_KEYS and c["counters"].keys() == COUNTER_KEYS
    assert c["locators"].keys() == {"local", "peer"} and c["last_switch"] is None
    assert [len(t) for t in c["tag"].values()] == [12, 12] and int(c["tag"]["local"], 16)
    assert ask("contexts", c["id"])[0]["ulid"] == c["ulid"]
    assert ask("locators").keys() == {"locators", "sets"}
    assert {l["addr"] for l in ask("locators")["locators"]} == set(a.addresses)
    assert ask("stats").keys() == {"engine", "datapath", "daemon"}
    for room, source in (("engine", "engine/counters.h"), ("datapath", "bpf/shared.h"), ("daemon", "daemon/counters.h")):
        named = re.findall(r"\bX\((\w\w+)\)", (SOURCES / source).read_text())
        assert len(named) > 25 and set(named) - {"name"} <= ask("stats")[room].keys(), room
    assert ask("stats")["engine"]["contexts_established"] == 1
    assert ask("negative") == [] and ask("reload") == {"changed": [], "restart": []}
    (s,) = ask("addr", "list")
    assert s["addresses"] == a.addresses and s["configured"] == [True, True] and s["file"] == "hba0"

    said = a.shim6().stdout
    for text in ("host: shim6d", "context: ", "ESTABLISHED", c["ulid"]["local"], c["tag"]["peer"], "Operational",
                 "transfer:", a.addresses[1]):
        assert text in said, text
    assert max(map(len, said.splitlines())) <= 120
    assert said == "".join(line.rstrip() + "\n" for line in said.splitlines()), "blanks at the end of a line"
    for words in (["contexts"], ["contexts", c["id"]], ["locators"], ["stats"], ["negative"], ["addr", "list"],
                  ["reload"], ["help"], ["--version"]):
        assert a.shim6(*words).stdout.strip()

    lab.fail("link")
    wait_until(lambda: a.context()["rewritten"], 5, "it switched")
    said = a.shim6().stdout
    assert "last switch:" in said and "rewritten" in said and re.search(r"from: +the ULIDs", said)
    a.shim6("explore", c["id"])
    wrong = a.shim6("drop", 999, check=False)
    assert wrong.returncode == 1 and "no such context" in wrong.stderr and "shim6 contexts" in wrong.stderr
    a.shim6("drop", c["id"])
    assert a.ask("contexts") == []


def test_establish(lab):
    a, b = lab.A, lab.B
    made = json.loads(a.shim6("establish", a.addresses[0], b.addresses[0], "--json").stdout)
    lab.established()
    assert a.context()["id"] == made["id"]
    again = a.shim6("establish", a.addresses[0], b.addresses[0], check=False)
    assert again.returncode == 1 and "exists" in again.stderr
    foreign = a.shim6("establish", "2001:db8:9::1", b.addresses[0], check=False)
    assert foreign.returncode == 1 and "not an address of this host" in foreign.stderr


def test_socket_variable(lab):
    assert run(SHIM6, "--json", env={**os.environ, "SHIM6_SOCKET": lab.A.socket}).stdout
    lost = run(SHIM6, check=False, env={**os.environ, "SHIM6_SOCKET": "/nonexistent"})
    assert lost.returncode == 3 and "is shim6d running?" in lost.stderr and lost.stdout == ""


def test_addresses_with_daemon(lab):
    """A set made while the daemon runs is on the interfaces at once; deleted, it is gone again."""
    a = lab.A
    made = json.loads(
        a.shim6("addr", "generate", "--prefix", "2001:db8:a:1::/64", "--prefix", "2001:db8:a:2::/64", "--sec", "0",
                "--json").stdout
    )
    assert len(made["addresses"]) == 2
    there = [s for s in a.ask("addr.list") if s["file"] == made["file"]]
    assert there and there[0]["addresses"] == made["addresses"]
    wait_until(lambda: set(made["addresses"]) <= {l["addr"] for l in a.ask("locators")["locators"]}, 5, "in use")
    assert made["addresses"][1] in run("ip", "-6", "addr", "show", "dev", "eth2", ns=a.ns).stdout
    assert modes(a.state_dir) == {("hba0.set", 0o600), (f"{made['file']}.set", 0o600)}
    a.shim6("addr", "delete", made["file"])
    wait_until(lambda: made["addresses"][1] not in run("ip", "-6", "addr", ns=a.ns).stdout, 5, "addresses are gone")
    assert a.addresses[1] in run("ip", "-6", "addr", ns=a.ns).stdout
    assert modes(a.state_dir) == {("hba0.set", 0o600)}
    gone = a.shim6("addr", "delete", made["file"], check=False)
    assert gone.returncode == 1 and "shim6 addr list" in gone.stderr


@pytest.mark.parametrize("with_key", [False, True])
def test_addresses_without_daemon(tmp_path, with_key):
    """M-07: shim6d makes sets alone, with a key of one's own if wanted; nobody else may read them."""
    words = ["--prefix", "2001:db8:a:1::/64", "--prefix", "fd00:1:2:3::/64", "--json"]
    if with_key:
        key = tmp_path / "key.pem"
        run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
        words += ["--key", key]
    state = tmp_path / "state"
    old = os.umask(0)
    try:
        made = json.loads(run(SHIM6D, "--state-dir", state, "addr", "generate", *words).stdout)
    finally:
        os.umask(old)
    assert made["addresses"][0].startswith("2001:db8:a:1:") and made["addresses"][1].startswith("fd00:1:2:3:")
    assert {mode for _, mode in modes(state)} == {0o600}
    assert stat.S_IMODE((state / "hba").stat().st_mode) & 0o077 == 0
    listed = run(SHIM6D, "--state-dir", state, "addr", "list").stdout
    assert all(address in listed for address in made["addresses"])
    run(SHIM6D, "--state-dir", state, "addr", "delete", made["file"])
    assert modes(state) == set()


def test_generate_refusals(tmp_path):
    for words, said in (
        ([], "at least one prefix"),
        (["--prefix", "2001:db8::/48"], "expected ADDRESS/64"),  # TH24, HD-01
        (["--prefix", "2001:db8::/65"], "expected ADDRESS/64"),
        (["--prefix", "fe80::/64"], "expected ADDRESS/64"),
        (["--prefix", "2001:db8::/64", "--prefix", "2001:db8::/64"], "given twice"),
        (["--prefix", "2001:db8::/64", "--sec", "3"], "expected 0, 1 or 2"),
        (["--prefix", "2001:db8::/64", "--key", "/nonexistent"], "/nonexistent: No such file"),
        (["--prefix", "2001:db8::/64", "--key", "/dev/null"], "expected a PEM file"),
        (["--prefix", "2001:db8::/64", "--name", "../x"], "--name: expected"),
        (["--prefix", "2001:db8::/64", "more"], "unexpected 'more'"),
    ):
        done = run(SHIM6D, "--state-dir", tmp_path / "s", "addr", "generate", *words, check=False)
        assert done.returncode in (1, 2) and said in done.stderr, (words, done.stderr)
        assert modes(tmp_path) == set()


def test_daemon_command_line(tmp_path):
    for words, code, said in (
        (["--frob"], 2, "shim6d --help"),
        (["frob"], 2, "unexpected 'frob'"),
        (["--config"], 2, "requires an argument"),
        (["--config", "/nonexistent"], 2, "/nonexistent: No such file"),
        (["--config", "/tmp", "--check"], 2, "not a directory"),
        (["--config", "/dev/null", "--check"], 0, ""),
    ):
        done = run(SHIM6D, *words, check=False, timeout=10)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done.stderr)
    bad = tmp_path / "shim6.conf"
    bad.write_text("[reap]\n\nsend_timeout = 5\n")
    done = run(SHIM6D, "--config", bad, check=False)
    assert done.returncode == 2
    assert done.stderr == f"shim6d: {bad}:3: send_timeout: expected a whole number from 10 to 100 (s), not '5'\n"
