# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's life: crash, hand-over, end, second instance; and hosts that cannot have a context."""
import contextlib
import json
import pathlib
import re
import signal
import time

from lab import ALL, SHIM6D
from netns import ICMPV6, Capture, run, wait_until
from test_failover import both_up, sessions, switched

RST = 4


def on_alternatives(lab, flows):
    """Sessions that run on other locators than their ULIDs: a link went down, and is down."""
    all_flows = sessions(lab, flows)
    lab.fail("link")
    switched(lab.A), switched(lab.B)
    return all_flows


def unharmed(all_flows, since, bound=1.0):
    for f in all_flows:
        f.arrives(20, "the session goes on")
        assert f.silence(since) <= bound, f.name
        f.intact()


def nothing_said(packets):
    """No word to the peer that a context is lost: no reset, no I1, I2, R1bis or I2bis, no ICMPv6 type 4 code 1."""
    bad = [p for p in packets if p.tcp_flags & RST or p.no_such_header or p.control in (1, 2, 3, 4, 5, 6)]
    assert bad == []


def test_crash_and_takeover(lab, flows):
    """T145, kill -9: the data path goes on alone; the next daemon takes the context over with its tags, and the peer
    notices nothing; then it can fail over again."""
    all_flows = on_alternatives(lab, flows)
    before = lab.A.context()
    with Capture(lab.ns("A2"), "cust") as wire:
        crashed = time.monotonic()
        lab.A.kill(signal.SIGKILL)
        for f in all_flows:
            f.arrives(20, "the session goes on without daemon", since=crashed + 2)
        unharmed(all_flows, crashed)
        lab.A.start()
        after = wait_until(lab.A.context, 20, "the context is there again")
        for key in ("ulid", "tag", "current", "state", "rewritten", "slot"):
            assert after[key] == before[key], key
        assert lab.A.stats()["daemon"]["state_restored"] == 1
        started = time.monotonic()
        for f in all_flows:
            f.arrives(20, "the session goes on with the new daemon", since=started + 1)
        unharmed(all_flows, crashed)
        nothing_said(wire.packets())
        assert any(p.tagged and p.src == lab.A.addresses[1] for p in wire.packets(started))
    assert lab.B.context()["tag"] == {"local": before["tag"]["peer"], "peer": before["tag"]["local"]}
    lab.heal("link")
    both_up(lab.A)
    broke = lab.fail("link", provider=2)
    switched(lab.A, after["counters"]["switches"])
    unharmed(all_flows, broke)


def test_handover(lab, flows):
    """SIGUSR1: everything stays in force for the successor, also the addresses."""
    all_flows = on_alternatives(lab, flows)
    before, asked = lab.B.context(), time.monotonic()
    with Capture(lab.ns("B1"), "cust") as wire:
        lab.B.kill(signal.SIGUSR1)
        assert lab.B.pins.exists() and lab.B.addresses[0] in run("ip", "-6", "addr", ns=lab.B.ns).stdout
        for f in all_flows:
            f.arrives(20, "the session goes on without daemon", since=asked + 1)
        lab.B.start()
        after = wait_until(lab.B.context, 20, "the context is there again")
        assert (after["tag"], after["current"]) == (before["tag"], before["current"])
        for f in all_flows:
            f.arrives(20, "the session goes on with the successor")
        unharmed(all_flows, asked)
        nothing_said(wire.packets())


# --- the end ------------------------------------------------------------------


def bpf_objects(pid):
    """(kind, id) of programs and maps that a process holds open."""
    found = set()
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = info.read_text()
        except OSError:
            continue
        found |= {(kind, int(n)) for kind, n in re.findall(r"^(prog|map)_id:\s*(\d+)", text, re.M)}
    return found


def bpf_there(kind):
    return {(kind, o["id"]) for o in json.loads(run("bpftool", "-j", kind, "show").stdout)}


def without_counters(text):
    return re.sub(r"\b(expires|valid_lft|preferred_lft) \S+", "", text)


def world(host):
    """All that a daemon could leave behind in its host."""
    look = [
        "ip -o link", "ip -6 -o addr", "ip -6 rule", "ip -6 route show table all", "tc qdisc", "bpftool net show",
        "nft list ruleset",
    ]
    return {w: sorted(without_counters(run(*w.split(), ns=host.ns).stdout).splitlines()) for w in look}


def make_set(state_dir, letter):
    run(SHIM6D, "--state-dir", state_dir, "addr", "generate", "--prefix", f"2001:db8:{letter}:1::/64", "--prefix",
        f"2001:db8:{letter}:2::/64")


def start_alone(lab, host, folder, clean, config="[hba]\nauto = no\n"):
    """A shim6d of our own in a host that has none; clean ends it. config: "" for none at all."""
    host.run_dir, host.state_dir, host.pins = folder / "run", folder / "state", folder / "pins"
    host.pins.mkdir(parents=True)
    run("mount", "-t", "bpf", "bpf", host.pins)
    clean.callback(run, "umount", host.pins)
    host.socket, host.log = host.run_dir / "shim6.sock", folder / "log"
    host.argv = [str(SHIM6D), "--runtime-dir", str(host.run_dir), "--state-dir", str(host.state_dir)]
    host.argv += ["--pin-dir", str(host.pins / "p")]
    if config:
        host.config = folder / "shim6.conf"
        host.config.write_text(config)
        host.argv += ["--config", str(host.config)]
    host.start()
    clean.callback(lambda: host.alive() and host.kill(signal.SIGKILL))


def left(host):
    """Files in the folders of a daemon; those of the bpf file system itself aside."""
    return [p.name for d in (host.pins, host.run_dir) for p in d.iterdir() if not p.name.endswith(".debug")]


def test_end_leaves_nothing(make_lab, tmp_path):
    """SIGTERM takes away programs, maps, pins, devices, addresses, rules, routes and files: all is as before."""
    lab = make_lab(shim6=False)
    host = lab.A
    before = world(host)
    make_set(tmp_path / "state", "a")
    with contextlib.ExitStack() as clean:
        start_alone(lab, host, tmp_path, clean)
        wait_until(lambda: sum(l["hba"] for l in host.ask("locators")["locators"]) == 2, 30, "the set is configured")
        wait_until(lambda: "shim0" in run("ip", "link", ns=host.ns).stdout, 20, "the data path's device")
        objects = bpf_objects(host.pid)
        assert any(k == "prog" for k, _ in objects) and any(k == "map" for k, _ in objects)
        assert list((host.pins / "p").iterdir()) and world(host) != before
        host.kill(signal.SIGTERM)
        assert host.child.returncode == 0
        assert world(host) == before
        assert left(host) == []
        wait_until(lambda: not objects & (bpf_there("prog") | bpf_there("map")), 20, "programs and maps are gone")
        assert [p.name for p in host.state_dir.iterdir()] == ["hba"]


def test_remove_after_crash(make_lab, tmp_path):
    """shim6d --remove clears what a dead one left, and nothing of a living one."""
    lab = make_lab(shim6=False)
    host = lab.A
    before = world(host)
    make_set(tmp_path / "state", "a")
    with contextlib.ExitStack() as clean:
        start_alone(lab, host, tmp_path, clean)
        wait_until(lambda: sum(l["hba"] for l in host.ask("locators")["locators"]) == 2, 30, "the set is configured")
        refused = run(*host.argv, "--remove", ns=host.ns, check=False)
        assert refused.returncode == 1 and "runs already" in refused.stderr and host.answers()
        host.kill(signal.SIGKILL)
        assert world(host) != before
        run(*host.argv, "--remove", ns=host.ns)
        assert world(host) == before
        assert left(host) == []


def test_second_instance_refused(lab, flows):
    """Two daemons on one runtime directory: the second says so, and the first is not disturbed."""
    all_flows = on_alternatives(lab, flows)
    started = time.monotonic()
    second = run(*lab.A.argv, ns=lab.A.ns, check=False, timeout=60)
    assert second.returncode == 1
    assert f"process {lab.A.pid}" in second.stderr and "--runtime-dir" in second.stderr
    assert lab.A.answers() and lab.A.context()["rewritten"]
    unharmed(all_flows, started)


# --- no context possible --------------------------------------------------------


def test_no_hba_set(make_lab, flows, tmp_path):
    """TH23, HD-02, HD-08: a host whose addresses are no HBAs runs, says so, and asks nobody; a peer with a set asks it,
    and then the session survives the loss of the peer's link (T063)."""
    lab = make_lab(shim6=False)
    a, b = lab.A, lab.B
    with contextlib.ExitStack() as clean:
        start_alone(lab, a, tmp_path / "A", clean)
        assert [l["hba"] for l in a.ask("locators")["locators"]] == [False, False]
        assert "no HBA set" in a.log.read_text()
        f = flows.between(lab, "tcp")
        f.arrives(20, "TCP flows")
        wait_until(lambda: a.stats()["engine"]["ignored_trigger"], 20, "no context is asked for")
        assert a.ask("contexts") == [] and a.ask("negative") == []

        make_set(tmp_path / "B/state", "b")
        start_alone(lab, b, tmp_path / "B", clean)
        wait_until(lambda: sum(l["hba"] for l in b.ask("locators")["locators"]) == 2, 30, "the set is configured")
        b.addresses = [l["addr"] for l in b.ask("locators")["locators"] if l["hba"]]
        g = flows.between(lab, "tcp", down=True)
        context, _ = lab.established()
        assert [e["addr"] for e in context["locators"]["local"]] == [a.addresses[0]]
        g.arrives(20, "TCP flows")
        broke = lab.fail("link", host="B")
        unharmed([g], broke, bound=0.5)
        assert switched(a)["current"] == {"local": a.addresses[0], "peer": b.addresses[1]}


def test_peer_without_shim6(lab, flows):
    """M-06: the peer's kernel says that it knows no such header: NO-SUPPORT, no further I1, traffic unharmed."""
    lab.B.kill(signal.SIGTERM)
    # without daemon B has no HBA addresses any more; a host of that address without Shim6 is what is wanted
    run("ip", "addr", "add", f"{lab.B.addresses[0]}/64", "dev", "eth1", "nodad", ns=lab.B.ns)
    with Capture(lab.ns("A1"), "cust") as wire:
        all_flows = [flows.between(lab, "tcp"), flows.between(lab, "udp")]
        negative = wait_until(lambda: lab.A.ask("negative"), 30, "a negative entry")
        assert [(n["peer"], n["state"]) for n in negative] == [(lab.B.addresses[0], "NO-SUPPORT")]
        assert 590 < negative[0]["left_s"] <= 600
        asked = time.monotonic()
        for f in all_flows:
            f.arrives(20, "traffic goes on", since=asked + 2)
        unharmed(all_flows, asked, bound=0.5)
        assert len([p for p in wire.packets() if p.control == 1]) == 1
        assert [p.next for p in wire.packets() if p.no_such_header] == [ICMPV6]
    assert lab.A.ask("contexts") == []
    assert "does not know Shim6" in lab.A.log.read_text()


def test_protocol_filtered(lab, flows):
    """T147, M-04: a path that drops protocol 140. I1 is repeated at growing distances, traffic is unharmed; with --all to
    the end: E-FAILED, and no I1 for a while."""
    run("nft", "add rule ip6 lab fault ip6 nexthdr 140 drop", ns=lab.ns("B1"))
    with Capture(lab.ns("A1"), "cust") as wire:
        all_flows = [flows.between(lab, "tcp"), flows.between(lab, "udp")]

        def asked():
            return [p.when for p in wire.packets() if p.control == 1 and p.src == lab.A.addresses[0]]

        wait_until(lambda: len(asked()) >= 3, 20, "three I1")
        first, second, third = asked()[:3]
        assert 2 <= second - first <= 6.5 and 4 <= third - second <= 12.5
        assert lab.A.context()["state"] == "I1-SENT"
        unharmed(all_flows, first, bound=0.5)
        if ALL:
            negative = wait_until(lambda: lab.A.ask("negative"), 200, "the peer does not answer", every=0.5)
            assert negative[0]["state"] == "E-FAILED"
            assert len(asked()) == 5 and lab.A.ask("contexts") == []
            unharmed(all_flows, first, bound=0.5)


# --- reload ----------------------------------------------------------------------


def test_reload(lab, flows):
    """SIGHUP and `shim6 reload`: values change, contexts stay; a bad file changes nothing and is told with its line."""
    all_flows = on_alternatives(lab, flows)
    a, began = lab.A, time.monotonic()
    good = a.config.read_text()
    a.config.write_text(good.replace("send_timeout = 10", "send_timeout = 20") + "[limits]\ncontexts = 99\n")
    told = json.loads(a.shim6("reload", "--json").stdout)
    assert sorted(told["changed"]) == ["limits.contexts", "reap.send_timeout"]
    assert told["restart"] == ["limits.contexts"]
    assert a.ask("status")["send_timeout_s"] == 20
    said = a.shim6("reload").stdout
    assert "limits.contexts" in said and "restart" in said

    a.config.write_text(good + "[held]\nlifetime = 5\n[hba]\ndad = perhaps\n")
    refused = a.shim6("reload", check=False)
    line = a.config.read_text().splitlines().index("dad = perhaps") + 1
    assert refused.returncode == 1 and f"{a.config}:{line}: dad: expected yes or no, not 'perhaps'" in refused.stderr
    assert a.ask("status")["send_timeout_s"] == 20
    a.kill(signal.SIGHUP)
    wait_until(lambda: a.log.read_text().count("dad: expected yes or no") == 2, 20, "the log tells it, too")
    assert a.ask("status")["send_timeout_s"] == 20

    a.config.write_text(good)
    a.kill(signal.SIGHUP)
    wait_until(lambda: a.ask("status")["send_timeout_s"] == 10, 20, "the good file is in force")
    a.config.unlink()
    refused = a.shim6("reload", check=False)
    assert refused.returncode == 1 and "No such file" in refused.stderr
    a.config.write_text(good)
    assert a.context()["rewritten"] and a.context()["state"] == "ESTABLISHED"
    unharmed(all_flows, began)


def test_reload_takes_effect(lab, flows):
    """An interface that is not to be used, peers that are not to be asked: in force at once, and lifted again."""
    a, b = lab.A, lab.B
    good, theirs = a.config.read_text(), b.config.read_text()

    def locators():
        return [l["addr"] for l in a.ask("locators")["locators"]]

    a.config.write_text(good + "[interface eth2]\nuse = no\n[trigger]\nbypass = 2001:db8:b::/48\n")
    b.config.write_text(theirs + "[daemon]\ninitiate = no\n")
    assert a.ask("reload")["changed"] == ["trigger.bypass", "interface eth2.use"]
    assert b.ask("reload")["changed"] == ["daemon.initiate"] and not b.ask("status")["initiate"]
    wait_until(lambda: locators() == [a.addresses[0]], 20, "the locator of eth2 is not used any more")
    f = flows.between(lab, "tcp")
    wait_until(lambda: len(f.arrivals) > 100, 20, "a hundred messages")
    assert a.ask("contexts") == [] and b.ask("contexts") == []
    a.config.write_text(good)
    assert a.ask("reload")["changed"] == ["trigger.bypass", "interface eth2.use"]
    wait_until(lambda: sorted(locators()) == sorted(a.addresses), 20, "both locators are there")
    context, _ = lab.established()
    assert context["initiator"] and {e["addr"] for e in context["locators"]["local"]} == set(a.addresses)
    f.intact()
