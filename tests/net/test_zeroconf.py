# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts that are told nothing: prefixes and routers from advertisements, sets of addresses made and let go, routes by
source, what other managers of the network do, and what is left at the end."""
import contextlib
import os
import pathlib
import signal
import socket
import time

import control
import pytest
from lab import ALL, Host
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


# --- prefixes that come and go ------------------------------------------------------


def provide(lab, letter, provider, prefixes):
    """The provider's router forwards these, and the rest of the network knows where they are; nobody else's sources."""
    ns = lab.ns(f"{letter}{provider}")
    run("nft", "flush", "chain", "ip6", "lab", "ingress", ns=ns)
    listed = ", ".join(f"{p}/64" for p in prefixes)
    run("nft", "add", "rule", "ip6", "lab", "ingress", f"iifname cust ip6 saddr != {{ {listed} }} counter drop", ns=ns)
    for p in prefixes:
        run("ip", "-6", "addr", "replace", f"{p}1/64", "dev", "cust", "nodad", ns=ns)
        run("ip", "-6", "route", "replace", f"{p}/64", "via", f"2001:db8:ff:{letter.lower()}{provider}::2", "dev",
            f"{letter.lower()}{provider}", ns=lab.ns("core"))


def flags_of(host, address):
    """Of the address on its interface; shim0 may have it, too."""
    lines = run("ip", "-6", "-o", "addr", "show", "to", address, ns=host.ns).stdout.splitlines()
    return "".join(line.partition("scope")[2] for line in lines if "shim" not in line)


def drop_all(lab):
    """One end alone would be asked for its context again by the other."""

    def dropped():
        there = [(h, c["id"]) for h in (lab.B, lab.A) for c in h.ask("contexts")]
        for h, i in there:
            with contextlib.suppress(control.Refused):
                h.ask("drop", id=i)
        return not there

    wait_until(dropped, 20, "no context is left")


@pytest.fixture
def protected(make_lab, routers, tmp_path):
    """Two hosts from nothing, with sets: (lab, routers by (host, provider))."""
    lab = make_lab(shim6=False)
    for host in (lab.A, lab.B):
        bare(lab, host)
    by = uplinks(lab, routers)
    with daemons(lab, tmp_path, config=QUICK):
        have_sets(lab.A, lab.B)
        yield lab, by


def test_renumbering(protected, flows):
    """TH21, HD-03, HD-04: the second provider of A gives it another prefix. New sessions take a new set; a running one
    keeps its addresses, deprecated, and still fails over; when it has ended the old set goes."""
    lab, by = protected
    a = lab.A
    f = flows.between(lab, "tcp")
    lab.established()
    old, old_set = list(a.addresses), sets(a)[0]["file"]
    provide(lab, "A", 2, [prefix(2), prefix(3)])
    by["A", 2].prefixes = {prefix(2): (7200, 0), prefix(3): (86400, 14400)}
    by["A", 2].advertise()
    wait_until(lambda: "2001:db8:a:3" in hba(a), 30, "there is an HBA in the new prefix")
    assert len(sets(a)) == 2
    new = next(s["addresses"] for s in sets(a) if s["file"] != old_set)
    assert not set(new) & set(old)
    wait_until(lambda: sorted(hba(a).values()) == sorted(new), 20, "the new set is on both uplinks")
    wait_until(lambda: all("deprecated" in flags_of(a, x) for x in old), 10, "the old addresses are deprecated")
    assert source_for(a, lab.B.addresses[0]) in new
    # the running session knows nothing of it, and its second address still works
    assert a.context()["ulid"]["local"] == old[0] and a.context()["state"] == "ESTABLISHED"
    broke = lab.fail("blackhole", provider=1)
    assert switched(a)["current"]["local"] == old[1]
    f.arrives(20, "the session goes on by the old set", since=broke + 1)
    f.intact()
    lab.heal("blackhole", provider=1)
    f.close()
    drop_all(lab)
    wait_until(lambda: [s["file"] for s in sets(a)] != [old_set] and len(sets(a)) == 1, 120, "the old set is let go")
    assert a.stats()["daemon"]["sets_retired"] == 1
    there = run("ip", "-6", "addr", ns=a.ns).stdout
    assert not any(x in there for x in old) and all(x in there for x in new)


def test_router_goes_away(protected, flows):
    """PA-07, HD-04: a router says that it is none any more. Its addresses are deprecated, sessions on them move to the
    other one; when it is back all is as before, with the same set."""
    lab, by = protected
    a = lab.A
    f = flows.between(lab, "tcp")
    lab.established()
    before, made = sets(a), a.stats()["daemon"]["sets_made"]
    by["A", 1].lifetime = 0
    by["A", 1].advertise()
    assert switched(a)["current"]["local"] == a.addresses[1]
    gone = time.monotonic()
    f.arrives(20, "the session goes on", since=gone)
    wait_until(lambda: "deprecated" in flags_of(a, a.addresses[0]), 10, "the address is deprecated")
    assert source_for(a, lab.B.addresses[0]) == a.addresses[1]
    by["A", 1].lifetime = 1800
    by["A", 1].advertise()
    wait_until(lambda: "deprecated" not in flags_of(a, a.addresses[0]), 10, "the address is preferred again")
    wait_until(lambda: len(hba(a)) == 2, 10, "both locators are up")
    assert sets(a) == before and a.stats()["daemon"]["sets_made"] == made
    f.intact()


def test_lifetimes_follow(make_lab, routers, tmp_path):
    """HD-11: the HBA has the lifetimes that the router gives its prefix, no longer ones, and they are kept up to date."""
    lab = make_lab(shim6=False)
    a = lab.A
    bare(lab, a)
    by = uplinks(lab, routers, "A")
    by["A", 1].prefixes = {prefix(1): (20000, 10000)}
    by["A", 2].prefixes = {prefix(2): (FOR_EVER, FOR_EVER)}

    def lifetimes(address):
        words = run("ip", "-6", "-o", "addr", "show", "to", address, ns=a.ns).stdout.split()
        found = [words[words.index(w) + 1] for w in ("valid_lft", "preferred_lft")]
        return [int(w.removesuffix("sec")) if w != "forever" else w for w in found]

    with daemons(lab, tmp_path, "A", QUICK):
        have_sets(a)
        valid, preferred = lifetimes(a.addresses[0])
        assert 19900 < valid <= 20000 and 9900 < preferred <= 10000
        assert lifetimes(a.addresses[1]) == ["forever", "forever"]
        by["A", 1].prefixes = {prefix(1): (30000, 500)}
        by["A", 1].advertise()
        wait_until(lambda: lifetimes(a.addresses[0])[0] > 29900 and lifetimes(a.addresses[0])[1] <= 500, 10, "it follows")


def test_flapping_prefix(make_lab, routers, tmp_path):
    """TH22, HD-11: a prefix that comes and goes faster than the hold-off makes no set; one that stays makes one."""
    lab = make_lab(shim6=False)
    a = lab.A
    bare(lab, a)
    by = uplinks(lab, routers, "A")
    with daemons(lab, tmp_path, "A", "[hba]\nsettle = 3\n"):
        have_sets(a)
        third, flaps = prefix(9), 0
        until = time.monotonic() + 15  # the hold-off is 6 s by now
        while time.monotonic() < until:
            by["A", 2].prefixes = {prefix(2): (86400, 14400), third: (86400, 0 if flaps % 2 else 14400)}
            by["A", 2].advertise()
            flaps += 1
            seen = a.ask("status")["pid"]
            wait_until(lambda: time.monotonic() >= until - 15 + flaps, 5, "the next second")
            assert seen == a.pid
        assert flaps >= 14 and len(sets(a)) == 1 and a.stats()["daemon"]["sets_made"] == 1
        by["A", 2].prefixes[third] = (86400, 14400)
        by["A", 2].advertise()
        wait_until(lambda: len(hba(a)) == 3, 40, "the prefix that stays is in the set")
        assert a.stats()["daemon"]["sets_made"] == 2


def test_advertisements_not_believed(make_lab, routers, tmp_path):
    """HD-11, HD-02: from beyond the link (hop limit), damaged, without A flag, ULA: none of these makes a set or a route."""
    lab = make_lab(shim6=False)
    a = lab.A
    bare(lab, a)
    one, two = routers(lab.ns("A1"), "cust", [prefix(1)]), routers(lab.ns("A2"), "cust", [prefix(2)], hop_limit=64)
    with daemons(lab, tmp_path, "A", QUICK):
        wait_until(lambda: one.solicited and two.solicited, 20, "both are asked")
        bad = routers(lab.ns("A2"), "cust", [prefix(2)])
        bad.advertise(bad.message()[:-3])
        bad.advertise(bad.message() + b"\x05\x00" + bytes(6))
        bad.flags = 0x80
        bad.advertise()
        bad.flags, bad.prefixes = 0xC0, {"fd00:1:2:3::": (86400, 14400)}
        bad.advertise()
        wait_until(lambda: "fd00:1:2:3:" in run("ip", "-6", "addr", ns=a.ns).stdout, 10, "the last one has come")
        asked = time.monotonic()
        wait_until(lambda: time.monotonic() > asked + 3, 5, "thrice the hold-off")
        assert sets(a) == []
        bad.prefixes = {prefix(2): (86400, 14400)}
        bad.advertise()
        have_sets(a)


# --- several routers on one link -------------------------------------------------------


@pytest.fixture
def shared_link(routers):
    """One host with one interface, two routers behind a switch, each with its own prefix."""
    name = f"z{os.getpid()}"
    nodes = {n: f"{name}{n}" for n in ("h", "s", "r1", "r2")}
    for ns in nodes.values():
        run("ip", "netns", "add", ns)
        run("ip", "link", "set", "lo", "up", ns=ns)
    run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", ns=nodes["s"])
    run("ip", "link", "set", "br0", "up", ns=nodes["s"])
    for n in ("h", "r1", "r2"):
        run("ip", "link", "add", "eth0", "netns", nodes[n], "type", "veth", "peer", "name", n, "netns", nodes["s"])
        run("ip", "link", "set", "dev", n, "master", "br0", "up", ns=nodes["s"])
        if n != "h":
            run("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1", ns=nodes[n])
            run("ip", "-6", "addr", "add", f"{prefix(n[1])}1/64", "dev", "eth0", "nodad", ns=nodes[n])
            run("ip", "-6", "route", "add", "blackhole", "2001:db8:f::/48", ns=nodes[n])
        else:
            run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.accept_ra=2", ns=nodes[n])
        run("ip", "link", "set", "eth0", "up", ns=nodes[n])
    host = Host.__new__(Host)
    host.lab, host.letter, host.ns, host.child = None, "H", nodes["h"], None
    yield host, nodes, {n: routers(nodes[f"r{n}"], "eth0", [prefix(n)]) for n in (1, 2)}
    for ns in nodes.values():
        run("ip", "netns", "del", ns, check=False)


def test_two_routers_on_one_link(shared_link, tmp_path):
    """RFC 8028: each source leaves by the router that advertised its prefix, though both are on one interface; a program
    that asks for no source gets one that goes with the router its packets take; a crash is taken over without a gap; a
    router that goes leaves the other one alone. All goes at the end."""
    host, nodes, by = shared_link
    for r in by.values():
        r.advertise()
    with contextlib.ExitStack() as clean:
        start_alone(None, host, tmp_path, clean, config=QUICK)
        have_sets(host)

        def way(source):
            return run("ip", "-6", "route", "get", "2001:db8:f::1", "from", source, ns=host.ns).stdout

        def each_by_its_own():
            return all(f"via {by[n].address}" in way(host.addresses[n - 1]) for n in (1, 2))

        wait_until(each_by_its_own, 10, "each source has its router")
        with contextlib.ExitStack() as wires:
            seen = [wires.enter_context(Capture(nodes[f"r{n}"], "eth0")) for n in (1, 2)]
            macs = [run("cat", "/sys/class/net/eth0/address", ns=nodes[f"r{n}"]).stdout for n in (1, 2)]
            assert len(macs) == 2
            for port in range(40):
                with inside(host.ns):
                    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                    if port >= 20:
                        s.bind((host.addresses[port % 2], 0))
                    s.sendto(b"x", (f"2001:db8:f::{port + 1:x}", 9))
                    s.close()

            def came(n):
                return [p for p in seen[n - 1].packets() if p.dst.startswith("2001:db8:f:")]

            wait_until(lambda: len(came(1)) + len(came(2)) >= 40, 20, "all packets have come")
            for n in (1, 2):
                assert came(n) and {p.src for p in came(n)} == {host.addresses[n - 1]}
        rules = run("ip", "-6", "rule", ns=host.ns).stdout
        host.kill(signal.SIGKILL)
        assert each_by_its_own()
        for r in by.values():
            r.silent = True
        host.start()
        assert each_by_its_own()  # before any router has spoken
        assert run("ip", "-6", "rule", ns=host.ns).stdout == rules
        for r in by.values():
            r.silent = False
        by[2].lifetime = 0
        by[2].advertise()
        wait_until(lambda: list(hba(host).values()) == host.addresses[:1], 10, "one locator is down")
        assert f"via {by[1].address}" in way(host.addresses[0])
        host.kill(signal.SIGTERM)
        assert "proto 140" not in run("ip", "-6", "rule", ns=host.ns).stdout
        assert "proto 140" not in run("ip", "-6", "route", "show", "table", "all", ns=host.ns).stdout


# --- beside others ------------------------------------------------------------------------


def test_beside_other_managers(make_lab, tmp_path):
    """HD-11: static addresses and routes, as ifupdown makes them, suffice for a set, and stay as they are. What another
    program takes away of ours (systemd-networkd removes foreign rules when it starts) is put back."""
    lab = make_lab(shim6=False)
    a = lab.A
    run("ip", "-6", "rule", "del", "priority", "1001", ns=a.ns)
    run("ip", "-6", "rule", "del", "priority", "1002", ns=a.ns)
    before = everything(a)
    with daemons(lab, tmp_path, "A", QUICK):
        have_sets(a)
        assert source_for(a, "2001:db8:b:1::1") in a.addresses
        rules = run("ip", "-6", "rule", ns=a.ns).stdout
        assert rules.count("proto 140") >= 3
        for line in rules.splitlines():
            if "proto 140" in line and "from 2001" in line:
                run("ip", "-6", "rule", "del", "priority", line.partition(":")[0], ns=a.ns)
        wait_until(lambda: run("ip", "-6", "rule", ns=a.ns).stdout == rules, 10, "the rules are back")
        table = rules.partition("lookup 14")[2].split()[0]
        run("ip", "-6", "route", "del", "default", "table", f"14{table}", ns=a.ns)
        wait_until(lambda: "default" in run("ip", "-6", "route", "show", "table", f"14{table}", ns=a.ns).stdout, 10,
                   "the route is back")
        run("ip", "-6", "addr", "del", f"{a.addresses[0]}/64", "dev", "eth1", ns=a.ns)
        wait_until(lambda: a.addresses[0] in run("ip", "-6", "addr", ns=a.ns).stdout, 10, "the address is back")
        now = run("ip", "-6", "-o", "addr", ns=a.ns).stdout
        assert all(f"{prefix(n)}10/64 scope global" in now for n in (1, 2)) and "deprecated" not in now
        a.kill(signal.SIGTERM)
    assert everything(a) == before


def test_by_hand(make_lab, routers, tmp_path):
    """A set made by hand over two of the prefixes is left alone, also when a third comes; and "auto = no" is obeyed."""
    lab = make_lab(shim6=False)
    a = lab.A
    bare(lab, a)
    by = uplinks(lab, routers, "A")
    make_set(tmp_path / "A/state", "a")
    with daemons(lab, tmp_path, "A", QUICK):
        have_sets(a)
        by["A", 2].prefixes[prefix(3)] = (86400, 14400)
        by["A", 2].advertise()
        seen = wait_until(lambda: "2001:db8:a:3:" in str(a.ask("locators")) and time.monotonic(), 20, "it is seen")
        wait_until(lambda: time.monotonic() > seen + 3, 5, "thrice the hold-off")
        assert [s["file"] for s in sets(a)] == ["hba0"] and a.stats()["daemon"]["sets_made"] == 0
        run("rm", tmp_path / "A/state/hba/hba0.set")
        a.config.write_text("[hba]\nauto = no\nsettle = 1\n")
        a.shim6("reload")
        asked = time.monotonic()
        wait_until(lambda: time.monotonic() > asked + 3, 5, "thrice the hold-off")
        assert sets(a) == []
        a.config.write_text(QUICK)
        a.shim6("reload")
        wait_until(lambda: len(hba(a)) == 3, 20, "now it makes one")


@pytest.mark.parametrize("end", [0, 1])
def test_foreign_device(make_lab, tmp_path, end):
    """A veth pair of somebody else's with our name is refused, and neither changed nor removed."""
    lab = make_lab(shim6=False)
    a = lab.A
    run("ip", "link", "add", f"shim{end}", "type", "veth", "peer", "name", "theirs", ns=a.ns)
    run("ip", "link", "set", f"shim{end}", "up", ns=a.ns)
    before = world(a)
    with contextlib.ExitStack() as clean:
        with pytest.raises(AssertionError):
            start_alone(lab, a, tmp_path, clean)
        wait_until(lambda: not a.alive(), 20, "it ends")
        assert a.child.returncode == 1
        assert f"a device shim{end} exists that is not ours" in a.log.read_text()
        assert world(a) == before
        run(*a.argv, "--remove", ns=a.ns, check=False)
        assert world(a)["ip -o link"] == before["ip -o link"]


# --- idle ---------------------------------------------------------------------------------


def test_idle(make_lab, routers, tmp_path):
    """An idle daemon with no contexts does not wake up, except for what routers say, and needs at most 10 MiB."""
    lab = make_lab(shim6=False)
    a = lab.A
    bare(lab, a)
    by = uplinks(lab, routers, "A")
    with daemons(lab, tmp_path, "A", QUICK):
        have_sets(a)
        proc = pathlib.Path(f"/proc/{a.pid}")

        def times_run():
            return sum(int((t / "schedstat").read_text().split()[2]) for t in (proc / "task").iterdir())

        seen = []

        def quiet():
            seen.append((time.monotonic(), times_run()))
            return seen[-1][0] - min(t for t, n in seen if n == seen[-1][1]) > (60 if ALL else 30)

        # the last looks, at routers that do not answer and at older sets, are half a minute after the set was made
        wait_until(quiet, 150, "nothing wakes it", every=0.2)
        by["A", 1].advertise()
        wait_until(lambda: times_run() > seen[-1][1], 10, "an advertisement is heard")
        rss = next(int(l.split()[1]) for l in (proc / "status").read_text().splitlines() if l.startswith("VmRSS"))
        assert rss <= 10240, f"{rss} kB"
