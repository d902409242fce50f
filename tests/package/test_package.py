# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages, installed in two hosts with systemd as init, between whom sessions run.

tools/test --all builds them (out/package) and a root file system (out/rootfs) first."""
import os
import pathlib
import re
import signal
import time

import pytest
import unit
from container import Container, make_root
from lab import ALL, Lab
from netns import run, wait_until
from traffic import Flows

TOP = pathlib.Path(__file__).parents[2]
PACKAGES = TOP / "out/package"

pytestmark = pytest.mark.skipif(not ALL, reason="installs packages in containers: tools/test --all")


@pytest.fixture
def lab():
    made = Lab(shim6=False)
    yield made
    made.down()


@pytest.fixture
def flows():
    f = Flows()
    yield f
    f.close()


@pytest.fixture
def hosts(lab):
    """Containers A and B in the hosts of a lab."""
    root, booted = make_root(TOP / "out/rootfs"), []
    try:
        for host in (lab.A, lab.B):
            host.box = Container(root, f"{lab.name}{host.letter.lower()}", host.ns, PACKAGES)
            booted.append(host)
        yield booted
    finally:
        for host in booted:
            print(host.box.journal())
            host.box.close()


def deb(name="shim6"):
    (found,) = PACKAGES.glob(f"{name}_*.deb")
    return f"/packages/{found.name}"


def without_counters(text):
    return re.sub(r"\b(expires|valid_lft|preferred_lft) \S+", "", text)


def world(box):
    """All in which an installation could leave something behind."""
    look = ["ip -o link", "ip -6 -o addr", "ip -6 rule", "ip -6 route show table all", "tc qdisc", "bpftool net show",
            "nft list ruleset"]
    seen = {w: sorted(without_counters(run("nsenter", "-t", box.pid, "-n", *w.split()).stdout).splitlines())
            for w in look}
    files = "find / -xdev ( -path /proc -o -path /sys -o -path /var/log -o -path /var/cache -o -path /var/lib/dpkg " \
        "-o -path /var/lib/apt -o -path /tmp ) -prune -o -iname *shim6* -print"
    seen["files"] = box.run(*files.split()).stdout.split()
    seen["pins"] = box.run("find", "/sys/fs/bpf", "-mindepth", "1", "-name", "s*6*").stdout.split()
    seen["run"] = box.run("find", "/run", "-iname", "*shim6*").stdout.split()
    seen["users"] = [l for f in ("passwd", "group") for l in box.path(f"/etc/{f}").read_text().splitlines() if "shim6" in l]
    return seen


def three_commands(host, provider):
    """From nothing to protected."""
    host.box.run("apt-get", "install", "-y", deb())
    assert host.box.property("ActiveState") == "inactive" and host.box.property("UnitFileState") == "disabled"
    prefixes = [w for n in (1, 2) for w in ("--prefix", f"2001:db8:{provider}:{n}::/64")]
    made = host.box.run("shim6", "addr", "generate", *prefixes).stdout
    host.box.run("systemctl", "enable", "--now", "shim6d")
    host.addresses = re.findall(r"2001:db8:\S+", "\n".join(l for l in made.splitlines() if l.startswith("  ")))
    host.addresses = [a for a in host.addresses if not a.endswith("/64")]
    host.socket = f"/proc/{host.box.pid}/root/run/shim6/shim6.sock"
    wait_until(lambda: {l["addr"] for l in host.ask("locators")["locators"] if l["up"]} >= set(host.addresses), 30,
               "the set's addresses are up")


def rights(host):
    """As the unit says: not root, four capabilities, a filter of system calls."""
    box = host.box
    s = unit.status(daemon_pid(host))
    shim6 = next(l.split(":")[2] for l in box.path("/etc/passwd").read_text().splitlines() if l.startswith("shim6:"))
    assert s["Uid"].split() == [shim6] * 4 and s["NoNewPrivs"] == "1" and s["Seccomp"] == "2"
    assert int(s["CapEff"], 16) == int(s["CapBnd"], 16) == unit.mask(unit.CAPABILITIES)
    assert box.path("/var/lib/shim6/hba").stat().st_uid == int(shim6)


def daemon_pid(host):
    """As the host of the containers numbers it."""
    inner = host.box.property("MainPID")
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            s = unit.status(p.name)
        except OSError:
            continue
        if s.get("Name") == "shim6d" and s["NSpid"].split()[-1] == inner and s["NSpid"].split()[0] == p.name and \
                os.readlink(p / "ns/net") == os.readlink(f"/proc/{host.box.pid}/ns/net"):
            return p.name
    raise AssertionError("no shim6d there")


def again(host, what, *command):
    """A command after which another daemon runs with the same context, and the same tags."""
    before, pid = host.context(), host.box.property("MainPID")
    host.box.run(*command)
    after = wait_until(host.context, 30, f"the context is there after {what}")
    assert host.box.property("MainPID") not in (pid, "0"), what
    assert (after["tag"], after["ulid"], after["current"]) == (before["tag"], before["ulid"], before["current"])
    assert host.stats()["daemon"]["state_restored"] == 1


def moved(host, before):
    return wait_until(lambda: (c := host.context()) and c["counters"]["switches"] > before and
                      c["reap"] == "Operational", 60, f"{host.letter} switched")


def test_from_apt_to_purge(hosts, lab, flows):
    """Three commands a host; sessions live through a failure, a restart, an upgrade and a crash; nothing is left."""
    clean = [world(h.box) for h in hosts]
    assert not clean[0]["files"] and not clean[0]["pins"] and not clean[0]["users"]
    for host, provider in zip(hosts, "ab"):
        three_commands(host, provider)
        rights(host)
        assert host.box.run("man", "-w", "shim6", check=False).returncode in (0, 127)

    all_flows = [flows.between(lab, what, down=down) for what in ("tcp", "udp") for down in (False, True)]
    lab.established()
    lab.fail("link")
    for host in hosts:
        moved(host, 0)
    broke = time.monotonic()
    a = hosts[0]
    again(a, "a restart", "systemctl", "restart", "shim6d")
    again(a, "an upgrade", "dpkg", "--install", deb())
    os.kill(int(daemon_pid(a)), signal.SIGKILL)
    wait_until(lambda: a.box.property("ActiveState") == "active" and a.box.property("NRestarts") == "1", 30,
               "the unit comes back after a crash")
    wait_until(a.context, 30, "the context is there after a crash")
    for f in all_flows:
        f.arrives(20, "the session goes on")
        assert f.silence(broke + 1) < 2, f.name
        f.intact()
    lab.heal("link")
    wait_until(lambda: all(l["up"] for l in a.ask("locators")["locators"]), 30, "provider 1 is back")
    switches = a.context()["counters"]["switches"]
    lab.fail("link", provider=2)
    moved(a, switches)
    for f in all_flows:
        f.arrives(30, "the session goes on after the second failure")
        f.intact()
    flows.close()
    lab.heal("link")

    for host, was in zip(hosts, clean):
        host.box.run("systemctl", "stop", "shim6d")
        stopped = world(host.box)
        kernel = [w for w in was if " " in w] + ["pins"]
        assert {w: stopped[w] for w in kernel if w != "pins"} == {w: was[w] for w in kernel if w != "pins"}
        assert [p for p in stopped["pins"] if "s6_" in p] == []
        host.box.run("systemctl", "start", "shim6d")
        host.box.run("apt-get", "purge", "-y", "shim6")
        assert world(host.box) == was


def test_remove_after_crash_and_bad_configuration(hosts):
    """A purge also takes out what a daemon that was killed left; a bad file is refused whole by a reload."""
    host = hosts[0]
    clean = world(host.box)
    three_commands(host, "a")
    conf = host.box.path("/etc/shim6/shim6.conf")
    good = conf.read_text()
    assert [l for l in good.splitlines() if "=" in l and not l.startswith("#")] == []
    conf.write_text(good + "\n[reap]\nsend_timeout = 5\n")
    refused = host.box.run("systemctl", "reload", "shim6d", check=False)
    assert refused.returncode != 0 and "send_timeout" in host.box.journal() and host.ask("status")["send_timeout_s"] == 15
    conf.write_text(good)
    host.box.run("systemctl", "reload", "shim6d")
    host.box.run("systemctl", "mask", "--runtime", "shim6d")  # does not come back
    os.kill(int(daemon_pid(host)), signal.SIGKILL)
    wait_until(lambda: host.box.property("ActiveState") in ("inactive", "failed"), 30, "it is gone")
    host.box.run("systemctl", "unmask", "--runtime", "shim6d")
    assert [p for p in world(host.box)["pins"] if "s6_" in p]
    host.box.run("apt-get", "purge", "-y", "shim6")
    assert world(host.box) == clean


def test_lab_package(hosts):
    """shim6-lab comes by itself, with the version of shim6 that it belongs to."""
    box = hosts[0].box
    alone = box.run("dpkg", "--install", deb("shim6-lab"), check=False)
    assert alone.returncode != 0 and "depends on shim6" in alone.stderr
    box.run("dpkg", "--purge", "shim6-lab")
    listed = run("dpkg-deb", "--contents", PACKAGES / pathlib.Path(deb("shim6-lab")).name).stdout
    assert "/usr/bin/shim6-lab" in listed and "/usr/share/man/man8/shim6-lab.8" in listed
