# SPDX-License-Identifier: GPL-2.0-or-later
"""Notices of failures and failovers while they happen: `shim6 events --json` and the hook command."""
import json
import pathlib
import re
import signal
import subprocess

import pytest
from lab import SHIM6
from netns import run, wait_until

TOP = pathlib.Path(__file__).parents[2]
HOOK = """#!/bin/sh
env | grep ^SHIM6_ | sort > {dir}/$SHIM6_SEQ.part
mv {dir}/$SHIM6_SEQ.part {dir}/$SHIM6_SEQ
echo "told of $SHIM6_EVENT"
cd /proc/$$/fd; echo fds: *
[ $SHIM6_EVENT != exploring ] || exec sleep 1000
"""


def documented():
    """{member of an event: (variable, in which events)} of shim6(8)."""
    text = (TOP / "doc/man/shim6.8.scd").read_text().partition("\n# EVENTS\n")[2].partition("\n# ")[0]
    rows = re.findall(r"^[|\]]\[ +\*([a-z_.]+)\*\n:\[? +(SHIM6_\w+)\n", text, re.M)
    assert len(rows) > 10
    return dict(rows), text


def flat(event, before=""):
    for key, value in event.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{key}.")
        else:
            yield before + key, value


class Follow:
    """`shim6 events --json` of one host."""

    def __init__(self, host, *words):
        self.child = subprocess.Popen(
            [SHIM6, "--socket", host.socket, "events", "--json", *words], stdout=subprocess.PIPE, text=True
        )

    def until(self, *types):
        """The events up to the last of these."""
        seen = []
        while not set(types) <= {e["type"] for e in seen}:
            seen.append(json.loads(self.child.stdout.readline()))
        return seen

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


def test_hook(lab, flows, tmp_path):
    """A failover: the hook is told what `events` tells, member by member; one that hangs holds up neither the failover
    nor its sister, and is ended at its limit."""
    a = lab.A
    hook = tmp_path / "hook"
    hook.write_text(HOOK.format(dir=tmp_path))
    hook.chmod(0o755)
    with a.config.open("a") as f:
        f.write(f"\n[hooks]\ncommand = {hook}\ntime_limit = 2\nevents = established exploring switched\n")
    assert set(json.loads(a.shim6("reload", "--json").stdout)["changed"]) == {
        "hooks.command", "hooks.time_limit", "hooks.events"
    }
    watch = Follow(a)
    f = flows.between(lab, "tcp")
    lab.established()
    f.arrives(20, "TCP flows")
    lab.fail("link")
    events = watch.until("established", "exploring", "switched")
    watch.close()
    told = [e for e in events if e["type"] in ("established", "exploring", "switched")]
    variables, text = documented()
    for e in told:
        members = dict(flat(e))
        wait_until((tmp_path / str(e["seq"])).exists, 10, f"the hook is told of {e['type']}")
        env = dict(line.split("=", 1) for line in (tmp_path / str(e["seq"])).read_text().splitlines())
        assert env.keys() == {variables[m] for m in members}
        for m, v in members.items():
            got = env[variables[m]]
            assert abs(float(got) - v) < 1e-6 if isinstance(v, float) else got == str(v), m
    assert {m for e in told for m, _ in flat(e)} == set(variables)
    assert {e["noticed"] for e in told if e["type"] != "established"} == {"here"}
    wait_until(lambda: a.stats()["daemon"]["hooks_timed_out"] == 1, 10, "the one that hangs is ended")
    stats = a.stats()["daemon"]
    assert (stats["hooks_done"], stats["hooks_failed"], stats["hooks_dropped"]) == (2, 0, 0)
    log = a.log.read_text()
    assert "hook (switched): fds: 0 1 10 2 3\n" in log, "it has files of the daemon"  # 10: the script, 3: the folder
    assert "hook (switched): told of switched" in log and "hook (exploring): killed: not done within 2 s" in log
    assert stats["turns_slow"] == 0 or stats["turn_longest_us"] < 1000000

    hook.unlink()
    refused = a.shim6("reload", check=False)
    assert refused.returncode == 1 and f"{hook}: No such file or directory" in refused.stderr
    a.shim6("explore", a.context()["id"])
    wait_until(lambda: "cannot run" in a.log.read_text(), 10, "the log tells")
    assert a.stats()["daemon"]["hooks_failed"] >= 1
    assert f"cannot run {hook}: no such file or directory; [hooks] command" in a.log.read_text()


def test_end_kills_hooks(lab, flows, tmp_path):
    """A daemon that ends leaves no hook behind, and does not wait for one."""
    a = lab.A
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid.part; mv {tmp_path}/pid.part {tmp_path}/pid; exec sleep 1000\n")
    hook.chmod(0o755)
    with a.config.open("a") as f:
        f.write(f"\n[hooks]\ncommand = {hook}\ntime_limit = 600\nevents = established\n")
    a.shim6("reload")
    flows.between(lab, "tcp")
    wait_until((tmp_path / "pid").exists, 30, "the hook runs")
    pid = int((tmp_path / "pid").read_text())
    a.kill(signal.SIGTERM)
    gone = pathlib.Path(f"/proc/{pid}/stat")
    wait_until(lambda: not gone.exists() or gone.read_text().rpartition(")")[2].split()[0] == "Z", 10, "it ended")


def test_events_since(lab, flows):
    """--since: first what the daemon kept."""
    flows.between(lab, "tcp")
    lab.established()
    all_of_them = Follow(lab.A, "--since", "0")
    events = all_of_them.until("established")
    all_of_them.close()
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    later = Follow(lab.A, f"--since={events[-1]['seq'] - 1}")
    assert later.until("established") == events[-1:]
    later.close()


def test_documentation():
    """Every event that the daemon names has its line in shim6(8)."""
    source = (TOP / "src/engine/status.c").read_text()
    names = set(re.findall(r'\[ENGINE_EV_\w+\] = "(\w+)"', source))
    _, text = documented()
    assert len(names) == 9 and set(re.findall(r"^\*(\w+)\*$", text, re.M)) == names


def test_arguments():
    for words, said in (
        (["--since", "x"], "--since cannot be 'x'"),
        (["--since"], "--since needs a value"),
        (["more"], "usage: shim6 events"),
    ):
        done = run(SHIM6, "events", *words, check=False)
        assert done.returncode == 2 and said in done.stderr, done.stderr
    assert "--since belongs to events" in run(SHIM6, "stats", "--since", "1", check=False).stderr
