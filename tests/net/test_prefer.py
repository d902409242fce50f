# SPDX-License-Identifier: GPL-2.0-or-later
"""The best pair with real daemons: back to it after a failure, and to another one by command (W-59, U-03, PI-06)."""
import json

import pytest
from netns import Capture, wait_until

HOLD = 6


@pytest.fixture
def quick(make_lab):
    """A lab with a short hold-down."""
    lab = make_lab()
    for host in (lab.A, lab.B):
        text = host.config.read_text()
        assert "[reap]" in text
        host.config.write_text(text.replace("[reap]", f"[reap]\nfail_back = {HOLD}", 1))
        assert "reap.fail_back" in host.ask("reload")["changed"]
    return lab


def moved(host, pair, timeout):
    def there():
        c = host.context()
        return c and c["current"] == pair and c["reap"] == "Operational" and c

    return wait_until(there, timeout, f"host {host.letter} is on {pair}")


def test_back_after_the_hold_down(quick, flows):
    """Fail, heal: back on the ULIDs after the hold-down and not before, without a header on the wire, nothing lost."""
    lab = quick
    udp = [flows.between(lab, "udp", down=down) for down in (False, True)]
    a, b = lab.established()
    lab.fail("blackhole")
    wait_until(lambda: lab.A.context()["rewritten"] and lab.B.context()["rewritten"], 30, "both ends moved")
    c = lab.A.context()
    assert c["fail_back"]["pair"] == a["ulid"] and c["fail_back"]["hold_down_s"] == HOLD
    healed = lab.heal("blackhole")
    since = wait_until(
        lambda: lab.A.context()["fail_back"] and lab.A.context()["fail_back"]["works_s"] is not None
        or lab.B.context()["fail_back"] and lab.B.context()["fail_back"]["works_s"] is not None, 80, "a test passed")
    assert since
    assert lab.A.context()["rewritten"]
    back = moved(lab.A, a["ulid"], HOLD + 60)
    moved(lab.B, b["ulid"], 10)
    assert back["fail_back"] is None and not back["rewritten"]
    took = max(f.arrivals[-1] for f in udp) - healed
    print(f"back {took:.1f} s after the repair, hold-down {HOLD} s")
    assert took >= HOLD
    reasons = {h.context()["last_switch"]["reason"] for h in (lab.A, lab.B)}
    assert "a better pair works again" in reasons, reasons
    with Capture(lab.ns("A1"), "cust") as first, Capture(lab.ns("A2"), "cust") as second:
        wait_until(lambda: len(first.packets()) > 100, 20, "packets at provider 1")
        assert not any(p.tagged for p in first.packets() + second.packets())
    for f in udp:
        at = f.arrives(5, "goes on")
        wait_until(lambda: f.arrivals[-1] > at + 1, 10, "goes on")
        assert f.lost(healed, at - 0.5) == []


def test_prefer_moves_a_session(lab, flows):
    """shim6 prefer: the peer is told, the session is on the other provider within 2 s, nothing is lost; reload keeps it,
    --reset takes it back."""
    tcp = flows.between(lab, "tcp")
    udp = [flows.between(lab, "udp", down=down) for down in (False, True)]
    a, b = lab.established()
    for f in (tcp, *udp):
        f.arrives(20, "traffic flows")
    first, second = lab.A.addresses[:2]
    began = udp[0].arrivals[-1]
    lab.A.shim6("prefer", first, "10", "5")
    moved(lab.A, {"local": second, "peer": a["ulid"]["peer"]}, 2)
    moved(lab.B, {"local": b["ulid"]["local"], "peer": second}, 2)
    told = {e["addr"]: (e["priority"], e["weight"]) for e in lab.B.context()["locators"]["peer"]}
    assert told[first] == (10, 5) and told[second] == (0, 0)
    rows = json.loads(lab.A.shim6("prefer", "--json").stdout)
    assert rows["preferences"] == [{"target": first, "priority": 10, "weight": 5}]
    assert {r["addr"]: r["preference"] for r in rows["locators"]}[first] == f"prefer {first}"
    assert "10" in lab.A.shim6("prefer").stdout and "PRIORITY" in lab.A.shim6("locators").stdout
    lab.A.shim6("reload")
    assert lab.A.ask("prefer")["preferences"] == rows["preferences"]
    lab.A.shim6("prefer", "--reset")
    assert lab.A.ask("prefer")["preferences"] == []
    moved(lab.A, a["ulid"], 60)  # equal again: nothing wants the ULIDs at once, but they need no header
    moved(lab.B, b["ulid"], 60)
    for f in udp:
        at = f.arrives(5, "goes on")
        wait_until(lambda: f.arrivals[-1] > at + 1, 10, "goes on")
        assert f.lost(began, at - 0.5) == []
    tcp.intact()


def test_what_is_refused(lab):
    """Clear errors, exit codes, and nothing changed."""
    for words, code, text in (
        (("nosuch0", "1"), 1, "covers no locator"),
        (("2001:db8:ffff::/48", "1"), 1, "covers no locator"),
        (("a b", "1"), 1, "expected an interface"),
        (("eth0",), 2, "lacks a priority"),
        (("eth0", "256"), 2, "0 to 255"),
        (("eth0", "1", "-1"), 2, "option"),
        (("--reset", "eth0"), 1, "nothing was said"),
        (("--reset", "eth0", "3"), 2, "takes no priority"),
    ):
        done = lab.A.shim6("prefer", *words, check=False)
        assert done.returncode == code and text in done.stderr, (words, done)
    assert lab.A.ask("prefer")["preferences"] == []
    assert all(r["priority"] == 0 and "prefer" not in r["preference"] for r in lab.A.ask("prefer")["locators"])
