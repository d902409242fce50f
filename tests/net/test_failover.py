# SPDX-License-Identifier: GPL-2.0-or-later
"""Establishment and failover of real sessions, for each kind of failure."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest
from lab import ALL, SHIM6
from netns import UDP, Capture, inside, run, wait_until

I1, R1, I2, R2 = 1, 2, 3, 4
DETECTION = 1.5  # s beyond the Send Timeout until the session goes on, jitter and exploration included
LINK = 0.5  # s of silence after a failure that the host is told of


def sessions(lab, flows):
    """TCP in both directions and UDP in both; established, and running for a moment."""
    all_flows = [flows.between(lab, what, down=down) for what in ("tcp", "udp") for down in (False, True)]
    lab.established()
    for f in all_flows:
        f.arrives(20, "traffic flows")
    return all_flows


def limit(lab):
    return lab.send_timeout + DETECTION


def switched(host, since_switches=0, timeout=30):
    def done():
        c = host.context()
        return c and c["counters"]["switches"] > since_switches and c["reap"] == "Operational" and c

    return wait_until(done, timeout, f"host {host.letter} switched")


def survives(lab, all_flows, broke, bound):
    """All sessions go on, unharmed, after at most so many seconds of silence."""
    wait_until(lambda: all(f.arrivals[-1] > broke + bound for f in all_flows), bound + 20, "the sessions go on")
    silence = {f.name: round(f.silence(broke), 3) for f in all_flows}
    print(f"silence (s): {silence}, bound {bound:.2f}")
    for f in all_flows:
        f.intact()
    assert max(silence.values()) <= bound, silence


def test_establishment(lab, flows):
    """T040, T041, E-01, W-13, Y-07, M-05: nothing is asked below the threshold; one exchange of four messages at it; not one octet
    more in any packet of the session."""
    a, b = lab.A, lab.B
    with inside(a.ns):
        here = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        here.bind((a.addresses[0], 0))
    with inside(b.ns):
        there = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        there.bind((b.addresses[0], 0))
    with Capture(lab.ns("A1"), "cust") as wire, Capture(lab.ns("A2"), "cust") as other:
        for _ in range(15):  # 30 packets in both directions: two below the threshold
            here.sendto(b"x" * 100, there.getsockname())
            there.sendto(b"x" * 100, here.getsockname())
            assert there.recv(200) and here.recv(200)
        # What the data path said before a first question is dealt with before the answer to a second one.
        for host in (a, b, a, b):
            assert host.ask("contexts") == []
        below = time.monotonic()
        for _ in range(15):
            here.sendto(b"x" * 100, there.getsockname())
            there.sendto(b"x" * 100, here.getsockname())
        ca, cb = lab.established()
        f = flows.between(lab, "tcp")
        f.arrives(20, "TCP flows")
        wait_until(lambda: len(f.arrivals) > 100, 30, "a hundred messages")
        packets = wire.packets()
        assert not any(p.next == 140 for p in packets if p.when < below)
        # Both ends count the same packets, so both may ask at once; crossed exchanges are T070.
        i1 = [p for p in packets if p.control == I1]
        assert 1 <= len(i1) <= 2 and len({p.src for p in i1}) == len(i1)
        assert [p.control for p in packets if p.control not in (None, 66)][0] == I1
        assert len([p for p in packets if p.control == R2]) <= 2
        assert not any(p.tagged for p in packets)
        datagrams = [p for p in packets if p.next == UDP]
        assert len(datagrams) == 60 and {p.length for p in datagrams} == {40 + 8 + 100}
        assert [p for p in other.packets() if p.next == 140] == []
    for c in (ca, cb):
        assert not c["rewritten"] and c["current"] == c["ulid"]
        assert {e["addr"] for e in c["locators"]["local"]} | {e["addr"] for e in c["locators"]["peer"]} == set(
            a.addresses + b.addresses
        )
        assert all(e["verified"] and e["method"] == "hba" for e in c["locators"]["peer"])
    here.close()
    there.close()


def test_black_hole_and_return(lab, flows):
    """A silent black hole at provider 1, then its return and the death of provider 2: back on the ULIDs, without
    payload header (T132). D-18, M-08, PI-11: `shim6 events --json` tells it as it happens. PX-13: TCP is told; by its own timer it
    would go on when the double of the silence is over."""
    all_flows = sessions(lab, flows)
    watch = subprocess.Popen(
        [SHIM6, "--socket", lab.A.socket, "events", "--json"], stdout=subprocess.PIPE, text=True
    )
    broke = lab.fail("blackhole")
    survives(lab, all_flows, broke, limit(lab))
    a, b = switched(lab.A), switched(lab.B)
    assert a["rewritten"] and b["rewritten"]
    assert a["current"]["local"] == lab.A.addresses[1]
    assert a["last_switch"]["reason"] and a["last_switch"]["from"] == a["ulid"]
    assert a["last_switch"]["to"] == a["current"]
    udp = [f for f in all_flows if not f._tcp]
    for f in udp:
        back = f.arrives(1, "UDP flows", since=max(f.arrivals[0], broke + lab.send_timeout))
        wait_until(lambda: f.arrivals[-1] > back + 1, 20, "UDP goes on")
        assert f.lost(back + 0.1, time.monotonic() - 0.5) == []
    lab.heal("blackhole")
    with Capture(lab.ns("A1"), "cust") as first, Capture(lab.ns("A2"), "cust") as second:
        wait_until(lambda: any(p.tagged for p in second.packets()), 20, "payload with a header at provider 2")
        broke = lab.fail("blackhole", provider=2)
        survives(lab, all_flows, broke, limit(lab))
        a = switched(lab.A, since_switches=a["counters"]["switches"])
        assert not a["rewritten"] and a["current"] == a["ulid"]
        back = time.monotonic()
        wait_until(lambda: len(first.packets(back)) > 50, 20, "packets at provider 1 again")
        assert not any(p.tagged for p in first.packets(back))
    watch.terminate()
    events = [json.loads(line) for line in watch.communicate()[0].splitlines()]
    kinds = [e["type"] for e in events]
    assert kinds.count("switched") == 2 and "exploring" in kinds
    assert kinds.index("exploring") < kinds.index("switched")
    for e in events:
        assert {"time", "monotonic_s", "seq", "type", "reason", "text", "id", "ulid"} <= e.keys()
        assert e["text"] and "()" not in e["text"]
    change = next(e for e in events if e["type"] == "switched")
    if "Send Timeout" in change["reason"]:  # else the peer was the first to notice
        assert change["silence_ms"] >= lab.send_timeout * 1000
    assert change["probes"] >= 1 and change["took_ms"] > 0
    assert change["from"] == a["ulid"] and change["to"]["local"] == lab.A.addresses[1]


def test_firewalls(lab, flows):
    """M-01, M-02: with the rules of doc/firewall.nft on both hosts and on every provider's router sessions survive as
    ever, in both directions of the switch: none of these looks at checksums behind a Shim6 header."""
    rules = pathlib.Path(__file__).parents[2] / "doc/firewall.nft"
    for node in ("A", "B", "A1", "A2", "B1", "B2"):
        run("nft", "-f", rules, ns=lab.ns(node))
    all_flows = sessions(lab, flows)
    # and no connection could begin without its rule
    run("nft", "add", "rule", "inet", "shim6_host", "input", "counter", ns=lab.A.ns)
    with Capture(lab.ns("A2"), "cust") as wire:
        broke = lab.fail("link")
        survives(lab, all_flows, broke, LINK)
        wait_until(lambda: any(p.tagged for p in wire.packets()), 20, "tagged payload at provider 2")
    lab.heal("link")
    both_up(lab.A), both_up(lab.B)
    broke = lab.fail("blackhole", provider=2)
    survives(lab, all_flows, broke, limit(lab))


@pytest.mark.parametrize("direction", ["in", "out"])
def test_one_way(lab, flows, direction):
    """Only one direction of provider 1 dies. The host that sends into the hole hears the other one all the time, so it
    keeps no segments to send again: TCP goes on with its own next retransmission, whose distance doubles."""
    all_flows = sessions(lab, flows)
    broke = lab.fail("blackhole", direction=direction)
    survives(lab, [f for f in all_flows if f.name.startswith("udp")], broke, limit(lab))
    survives(lab, all_flows, broke, 2 * limit(lab))


def test_far_end(lab, flows):
    """The provider of the other host dies: the sender learns it from silence alone."""
    all_flows = sessions(lab, flows)
    broke = lab.fail("far")
    survives(lab, all_flows, broke, limit(lab))
    assert switched(lab.A)["current"]["peer"] == lab.B.addresses[1]


@pytest.mark.parametrize("host", ["A", "B"])
def test_link_down(lab, flows, host):
    """A local link goes down: the peer is told at once, so both directions go on within half a second; and again
    when the link is back and the other one fails."""
    all_flows = sessions(lab, flows)
    broke = lab.fail("link", host=host)
    survives(lab, all_flows, broke, LINK)
    here = getattr(lab, host)
    c = switched(here)
    assert c["current"]["local"] == here.addresses[1]
    lab.heal("link", host=host)
    both_up(here)
    broke = lab.fail("link", host=host, provider=2)
    survives(lab, all_flows, broke, LINK)
    c = switched(here, since_switches=c["counters"]["switches"])
    assert c["current"]["local"] == here.addresses[0]


def both_up(host):
    wait_until(lambda: [l["up"] for l in host.ask("locators")["locators"]] == [True, True], 30, "both links are up")


def sent_off_ulids(host):
    """Packets that have gone to the data path to be sent from other addresses than their ULIDs."""
    with inside(host.ns), open("/proc/thread-self/net/dev") as f:
        columns = next(line for line in f if line.strip().startswith("shim0:")).partition(":")[2].split()
    return int(columns[9])  # transmitted packets


def test_link_down_under_a_slow_daemon(lab, flows):
    """A second link goes down while the daemon of that host is held up: what the data path sent meanwhile waits for a
    neighbour that is not there. It must not keep TCP from sending it again."""
    all_flows = sessions(lab, flows)
    lab.fail("link")
    before = switched(lab.A)
    lab.heal("link")
    both_up(lab.A)
    os.kill(lab.A.pid, signal.SIGSTOP)
    broke = lab.fail("link", provider=2)
    before_that = sent_off_ulids(lab.A)
    wait_until(lambda: sent_off_ulids(lab.A) > before_that + 20, 10, "packets go where nobody is")
    os.kill(lab.A.pid, signal.SIGCONT)
    survives(lab, all_flows, broke, time.monotonic() - broke + LINK)
    switched(lab.A, before["counters"]["switches"])


@pytest.mark.skipif(not ALL, reason="long: --all")
@pytest.mark.parametrize("round", range(20))
def test_black_hole_bar(make_lab, flows, round):
    """Default REAP: at most Send Timeout + 1.5 s."""
    lab = make_lab(send_timeout=15)
    all_flows = sessions(lab, flows)
    survives(lab, all_flows, lab.fail("blackhole"), limit(lab))
