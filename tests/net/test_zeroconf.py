# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts that are told nothing: prefixes and routers from advertisements, sets of addresses made and let go, routes by
source, what other managers of the network do, and what is left at the end."""
import contextlib
import signal
import socket
import time

import pytest
from netns import Capture, inside, run, wait_until
from router import FOR_EVER, Router
from test_failover import switched
from test_life import make_set, start_alone, unharmed, world

QUICK = "[hba]\nsettle = 1\n"


def bare(lab, host):
    """As a distribution leaves it: nothing configured, advertisements are welcome."""
    for n in (1, 2):
        run("ip", "-6", "addr", "flush", "dev", f"eth{n}", "scope", "global", ns=host.ns)
        run("ip", "-6", "route", "del", "default", "dev", f"eth{n}", ns=host.ns)
        run("ip", "-6", "rule", "del", "priority", f"100{n}", ns=host.ns)
        run("ip", "-6", "route", "flush", "table", f"10{n}", ns=host.ns)
        run("sysctl", "-q", "-w", f"net.ipv6.conf.eth{n}.accept_ra=2", f"net.ipv6.conf.eth{n}.accept_dad=1", ns=host.ns)


@pytest.fixture
def routers():
    made = []

    def make(*args, **kw):
        made.append(Router(*args, **kw))
        return made[-1]

    yield make
    for r in made:
        r.close()


@contextlib.contextmanager
def daemons(lab, tmp_path, letters="AB", config=""):
    with contextlib.ExitStack() as clean:
        for letter in letters:
            host = getattr(lab, letter)
            start_alone(lab, host, tmp_path / letter, clean, config=config)
        yield


def sets(host):
    return host.ask("addr.list")


def hba(host):
    """The HBA addresses that are up, by prefix."""
    found = {}
    for l in host.ask("locators")["locators"]:
        if l["hba"] and l["up"] and not l["deprecated"]:
            found[l["addr"].rsplit(":", 4)[0] if "::" not in l["addr"] else l["addr"].partition("::")[0]] = l["addr"]
    return found


def prefix(n, letter="a"):
    return f"2001:db8:{letter}:{n}::"


def uplinks(lab, routers, letters="AB"):
    return {(letter, n): routers(lab.ns(f"{letter}{n}"), "cust", [prefix(n, letter.lower())])
            for letter in letters for n in (1, 2)}


def have_sets(*hosts, timeout=60):
    for host in hosts:
        wait_until(lambda: len(hba(host)) == 2, timeout, f"{host.letter} has an HBA in each of its two prefixes")
        host.addresses = [a for _, a in sorted(hba(host).items())]


def everything(host):
    """All that a daemon could leave behind, and what the kernel's own autoconfiguration has."""
    return world(host) | {"labels": run("ip", "addrlabel", ns=host.ns).stdout}


def settled_world(host):
    """everything(), once both prefixes have an address and none is tentative."""
    addresses = run("ip", "-6", "addr", ns=host.ns).stdout
    letter = host.letter.lower()
    return all(f"{prefix(n, letter)[:-1]}" in addresses for n in (1, 2)) and "tentative" not in addresses and \
        everything(host)


def source_for(host, to):
    """The source that a program which asks for none gets."""
    with inside(host.ns):
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.connect((to, 9))
        name = s.getsockname()[0]
        s.close()
    return name


# --- from nothing ----------------------------------------------------------------


def test_from_nothing(make_lab, flows, routers, tmp_path):
    """HD-02, HD-08, HD-12: no configuration, no address, no set. Two routers at each host advertise; each daemon makes
    a set, sessions take it by themselves, and outlive the loss of an uplink. At the end nothing is left."""
    lab = make_lab(shim6=False)
    for host in (lab.A, lab.B):
        bare(lab, host)
    uplinks(lab, routers)
    with daemons(lab, tmp_path):
        have_sets(lab.A, lab.B)
        assert [len(sets(h)) for h in (lab.A, lab.B)] == [1, 1]
        # beside the addresses of the kernel's own autoconfiguration, a program gets one of the set
        assert source_for(lab.A, lab.B.addresses[0]) in lab.A.addresses
        assert source_for(lab.B, lab.A.addresses[1]) in lab.B.addresses
        all_flows = [flows.between(lab, "tcp"), flows.between(lab, "udp")]
        a, _ = lab.established()
        assert a["ulid"]["local"] in lab.A.addresses and a["ulid"]["peer"] in lab.B.addresses
        for f in all_flows:
            f.arrives(20, "traffic flows")
        broke = lab.fail("link")
        assert switched(lab.A)["current"]["local"] == lab.A.addresses[1]
        unharmed(all_flows, broke, bound=2)


def test_nothing_left(make_lab, routers, tmp_path):
    """HD-11: what zero configuration adds, it takes away: addresses, labels, rules, routes; after a clean end, and by
    --remove after a crash. A successor of a crashed daemon finds its set again and makes no other."""
    lab = make_lab(shim6=False)
    a = lab.A
    bare(lab, a)
    for r in uplinks(lab, routers, "A").values():
        r.advertise()
    autoconfigured = wait_until(lambda: settled_world(a), 30, "the kernel has configured itself")
    with daemons(lab, tmp_path, "A", QUICK):
        have_sets(a)
        labels = run("ip", "addrlabel", ns=a.ns).stdout
        assert all(f"prefix {x}/128 label 1" in labels for x in a.addresses) and labels.count("label 14000") == 2
        first = sets(a)
        a.kill(signal.SIGKILL)
        a.start()
        have_sets(a)
        assert sets(a) == first and a.stats()["daemon"]["sets_made"] == 0
        a.kill(signal.SIGTERM)
        assert everything(a) == autoconfigured
        a.start()
        have_sets(a)
        a.kill(signal.SIGKILL)
        assert everything(a) != autoconfigured
        run(*a.argv, "--remove", ns=a.ns)
        assert everything(a) == autoconfigured
