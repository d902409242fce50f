# SPDX-License-Identifier: GPL-2.0-or-later
"""The rights of the systemd unit: few enough, enough, and each needed. And the completion of the shells."""
import os
import pathlib
import subprocess
import tempfile

import pytest
import unit
from lab import BUILD, SHIM6, SHIM6D
from netns import STARTS, Capture, inside, run, wait_until
from peer import Daemon

TOP = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("path", [unit.UNIT, TOP / "packaging/systemd/shim6d-pins.service"], ids=lambda p: p.name)
def test_exposure(path):
    """systemd's own judgement, from 0 (safe) to 10: at most 2.0."""
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


class Unprivileged(Daemon):
    """A daemon with the rights of the unit: not root, and these capabilities alone."""

    names = unit.capabilities()

    def _run(self):
        for folder in ("run", "state", "bpf"):
            run("chown", "-R", "65534:65534", self.dir / folder)
        self.dir.chmod(0o755)
        with inside(self.ns), open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [str(w) for w in unit.unprivileged(self.names)] +
                [SHIM6D, "--config", self.dir / "conf", "--runtime-dir", self.dir / "run", "--state-dir",
                 self.dir / "state", "--pin-dir", self.dir / "bpf/p", "--debug"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        self.pid = self.process.pid
        self.addresses = wait_until(self._ready, STARTS, "the daemon has two locators")


def test_unit_rights_suffice():
    """With the unit's four capabilities it adds addresses, rules and programs, speaks protocol 140, makes a set, takes
    over from a predecessor, and takes everything out at its end."""
    d = Unprivileged()
    try:
        before = unit.status(d.pid)
        for which in ("CapEff", "CapPrm", "CapBnd"):
            assert int(before[which], 16) == unit.mask(d.names), which
        assert before["Uid"].split() == ["65534"] * 4 and before["NoNewPrivs"] == "1" and before["Groups"].strip() == ""
        assert "proto 140" in run("ip", "-6", "rule", ns=d.ns).stdout
        assert "s6_contexts" in os.listdir(d.dir / "bpf/p")
        with Capture(d.net, "p1") as wire:
            made = d.ask("establish", local=d.addresses[0], peer="2001:db8:dead::1")["id"]
            wait_until(lambda: any(p.control == 1 for p in wire.packets()), 20, "an I1 on the wire")
        d.ask("drop", id=made)
        d.ask("addr.delete", file=d.ask("addr.generate", prefixes=["2001:db8:1:1::/64"])["file"])
        d.restart()
        d.process.terminate()
        assert d.process.wait(STARTS) == 0
        assert not (d.dir / "bpf/p").exists() and d.addresses[0] not in run("ip", "-6", "addr", ns=d.ns).stdout
        assert "shim" not in run("ip", "link", ns=d.ns).stdout
    finally:
        print(d.log.read_text())
        d.close()


def test_hook_has_no_rights(open_dir):
    """The hook command of the administrator's is run as the daemon's user, with none of the daemon's capabilities."""
    hook, told = open_dir / "hook", open_dir / "told"
    told.mkdir()
    os.chown(told, 65534, 65534)
    hook.write_text(f"#!/bin/sh\ncat /proc/self/status > {told}/part; mv {told}/part {told}/status\n")
    hook.chmod(0o755)
    d = Unprivileged(config=f"[hooks]\ncommand = {hook}\nevents = new\n")
    try:
        d.ask("establish", local=d.addresses[0], peer="2001:db8:dead::1")
        wait_until((told / "status").exists, 20, "the hook was run")
        rights = unit.read_status(told / "status")
        assert rights["Uid"].split() == ["65534"] * 4
        assert {which: int(rights[which], 16) for which in ("CapEff", "CapPrm", "CapAmb")} == \
            {"CapEff": 0, "CapPrm": 0, "CapAmb": 0}
    finally:
        print(d.log.read_text())
        d.close()


@pytest.fixture
def open_dir():
    """A directory that other users may enter."""
    with tempfile.TemporaryDirectory(prefix="shim6-unit-") as d:
        os.chmod(d, 0o755)
        yield pathlib.Path(d)


@pytest.mark.parametrize("without", unit.CAPABILITIES)
def test_each_right_is_needed(without, open_dir):
    """Without one of them it does not start, and says what it lacks."""
    ns = f"u{os.getpid()}{without[4:]}".replace("_", "")
    for folder in ("run", "state", "bpf"):
        (open_dir / folder).mkdir()
    run("ip", "netns", "add", ns)
    run("mount", "-t", "bpf", "bpf", open_dir / "bpf")
    try:
        for folder in open_dir.iterdir():
            os.chown(folder, 65534, 65534)
        rest = [n for n in unit.capabilities() if n != without]
        done = run(*unit.unprivileged(rest), SHIM6D, "--runtime-dir", open_dir / "run", "--state-dir",
                   open_dir / "state", "--pin-dir", open_dir / "bpf/p", ns=ns, check=False, timeout=STARTS)
        assert done.returncode == 1, done.stderr
        assert "Operation not permitted" in done.stderr or "CAP_" in done.stderr, done.stderr
    finally:
        run("umount", open_dir / "bpf")
        run("ip", "netns", "del", ns)


def test_sets_belong_to_the_daemons_user(open_dir):
    """A set that root makes is the daemon's to read when the state directory is its own."""
    state = open_dir / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    key = open_dir / "key.pem"
    run("openssl", "genrsa", "-traditional", "-out", key, "1024")
    key.chmod(0o600)
    run(SHIM6D, "--state-dir", state, "addr", "generate", "--key", key, "--prefix", "2001:db8:1:1::/64")
    made = list(state.rglob("*"))
    assert {p.name for p in made} == {"hba", "hba0.set"}
    assert all((p.stat().st_uid, p.stat().st_mode & 0o077) == (65534, 0) for p in made)


# --- completion ---------------------------------------------------------------

BASH = """
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_shim6
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
source_file=$1
shift
words=("$@") CURRENT=$# service=shim6
_describe() { print -rl -- ${(P)4%%:*} }
compadd() { if [[ $1 == -a ]]; then print -rl -- ${(P)2}; else [[ $1 != -- ]] || shift; print -rl -- "$@"; fi }
_files() { print files }
source $source_file
"""


def complete(shell, *words):
    script, file = {"bash": (BASH, "shim6.bash"), "zsh": (ZSH, "_shim6")}[shell]
    path = os.pathsep.join([str(SHIM6.parent), str(SHIM6D.parent), os.environ["PATH"]])
    done = run(shell, "-c", script, "x", TOP / "packaging/completion" / file, *words, env={**os.environ, "PATH": path})
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(shell):
    """Every verb of the help, options of each verb, verbs of addr and of the lab."""
    text = run(SHIM6, "help").stdout
    verbs = {l.split()[0] for l in text.splitlines() if l.startswith("  ") and l[2].islower()}
    assert {"contexts", "addr", "prefer"} <= verbs and complete(shell, "shim6", "") >= verbs
    assert complete(shell, "shim6", "addr", "") >= {"generate", "list", "delete"}
    assert complete(shell, "shim6", "addr", "generate", "--") >= {"--prefix", "--sec", "--key", "--new-key", "--json"}
    assert complete(shell, "shim6", "trace", "--") >= {"--count", "--for", "--pcap"}
    assert "--pcap" not in complete(shell, "shim6", "status", "--")
    assert complete(shell, "shim6", "--color", "") == {"always", "never", "auto"}
    described = run(BUILD / "src/lab/shim6-lab", "--help").stdout
    lab = {l.split()[0] for l in described.splitlines() if l.startswith("  ") and l[2].isalpha() and l[2].islower()}
    assert complete(shell, "shim6", "lab", "") == lab - {"shim6"}


def test_bash_completion_narrows():
    assert complete("bash", "shim6", "con") == {"contexts"}
