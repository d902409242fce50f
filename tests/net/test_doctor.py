# SPDX-License-Identifier: GPL-2.0-or-later
"""shim6 doctor and shim6 report: each fault is made for real, in hosts of the lab, and must be found and told with a
command that mends it."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess

import pytest
from lab import SHIM6
from netns import inside, run, wait_until

NOBODY = 65534


class Doctor:
    """What was found: doctor[check, level] is a list of findings."""

    def __init__(self, host, *words, socket=None, **kw):
        self.done = run(SHIM6, "--socket", socket or host.socket, "doctor", "--json", *words, ns=host.ns, check=False,
                        timeout=60, **kw)
        assert self.done.returncode in (0, 1), self.done.stderr
        self.found = json.loads(self.done.stdout)
        self.findings = self.found["findings"]
        assert self.done.returncode == (1 if self.found["problem"] else 0)

    def of(self, check, level=None):
        return [f for f in self.findings if f["check"] == check and level in (None, f["level"])]

    def one(self, check, level, text):
        got = [f for f in self.of(check, level) if text in f["what"]]
        assert len(got) == 1, (check, level, text, json.dumps(self.findings, indent=1))
        if level != "ok":
            assert got[0]["why"] and got[0]["mend"]
        return got[0]

    def bad(self):
        """Whatever is wrong beside the clock of the machine."""
        return [f for f in self.findings if f["level"] in ("warning", "problem") and f["check"] != "clock"]


def mend(host, finding):
    """Do what it says, as a shell does; what stands in brackets behind it is for the reader."""
    command = re.sub(r"    \(.*\)$", "", finding["mend"])
    run("sh", "-c", command, ns=host.ns)


def nft(host, rules):
    """Load them; closing brackets may stand in one line, unlike in nft's own language."""
    done = run("nft", "-f", "-", ns=host.ns, check=False, input=re.sub(r" \}(?= \}|\n|$)", "\n}\n", rules))
    assert not done.returncode, done.stderr


def test_all_is_well(lab):
    """A host and its peer, before and after: nothing wrong, everything looked at, and no state left behind."""
    a, b = lab.A, lab.B
    d = Doctor(a, b.addresses[0])
    assert not d.bad() and not d.found["unknown"], d.done.stdout
    assert d.found["peer"] == b.addresses[0]
    assert sum(d.found[level] for level in ("ok", "unknown", "warning", "problem")) == len(d.findings)
    for check in ("daemon", "configuration", "uplinks", "router", "hba", "routing", "source", "mtu", "firewall", "kernel",
                  "ebpf", "conflict", "path", "protocol", "payload", "context"):
        assert d.of(check, "ok"), check
    for check in ("routing", "path", "protocol", "payload"):
        assert {address for address in a.addresses for f in d.of(check) if address in f["what"]} == set(a.addresses)
    for i in (0, 1):  # the providers of the lab filter
        d.one("provider", "ok", f"the provider of eth{2 - i} drops the source {a.addresses[i]} (BCP 38)")
    assert a.ask("contexts") == b.ask("contexts") == [] and a.ask("negative") == []
    text = a.shim6("doctor", b.addresses[0], check=False)
    assert text.returncode in (0, 1) and "PROBLEM" in text.stdout  # outside the network namespace of the host
    said = run(SHIM6, "--socket", a.socket, "doctor", ns=a.ns).stdout
    assert re.search(r"^0 problems, [01] warnings?, 0 not checked, \d+ ok$", said, re.M)
    assert said == "".join(line.rstrip() + "\n" for line in said.splitlines())


def test_with_a_context(lab, flows):
    """It tells of the context with the peer, also when its session is on other addresses."""
    a, b = lab.A, lab.B
    f = flows.between(lab, "tcp")
    context, _ = lab.established()
    f.arrives(5, "TCP flows")
    peer = context["ulid"]["peer"]
    Doctor(a, peer).one("context", "ok", f"context {context['id']}: ESTABLISHED, Operational, on the session's addresses")
    lab.fail("link")
    wait_until(lambda: a.context()["rewritten"] and a.context()["reap"] == "Operational", 10, "it switched")
    d = Doctor(a, peer)
    d.one("context", "ok", "on other addresses")
    d.one("uplinks", "problem", "only one prefix with a router")
    d.one("uplinks", "problem", "down or has no carrier")
    assert b.context()["id"]


def test_firewall(lab):
    """Rules that drop protocol 140, in or out, by a rule or by the policy, are told, and the command lets it pass."""
    a, peer = lab.A, lab.B.addresses[0]
    nft(a, "table inet f { chain i { type filter hook input priority 0; meta l4proto 140 counter drop; }\n"
           "chain o { type filter hook output priority 0; ip6 nexthdr 140 drop; } }")
    d = Doctor(a, peer)
    found = d.one("firewall", "problem", "inet f, chain i drops incoming protocol 140")
    out = d.one("firewall", "problem", "inet f, chain o drops outgoing protocol 140")
    assert [f for f in d.of("protocol", "problem") if "the firewall of this host drops it" in f["what"]]
    mend(a, out)
    d = Doctor(a, peer)
    assert not [f for f in d.of("firewall") if "outgoing" in f["what"]]
    assert len([f for f in d.of("protocol", "problem") if "no answer" in f["what"]]) == 2
    mend(a, found)
    assert not Doctor(a, peer).bad()
    run("nft", "flush", "ruleset", ns=a.ns)

    nft(a, "table inet f { set s { type inet_proto; elements = { tcp, udp, ipv6-icmp } }\n"
           "chain web { tcp dport 80 accept }\n"
           "chain i { type filter hook input priority 0; policy drop; iif lo accept; meta l4proto @s accept;\n"
           "ct state vmap { established : accept, related : accept, invalid : drop }; jump web } }")
    d = Doctor(a)
    mend(a, d.one("firewall", "problem", "the policy of inet f, chain i drops incoming protocol 140"))
    assert not Doctor(a, peer).bad()
    run("nft", "flush", "ruleset", ns=a.ns)

    nft(a, "table ip6 f { chain i { type filter hook input priority 0; policy drop; ip6 saddr 2001:db8:77::/48 accept;\n"
           "icmpv6 type { echo-reply, nd-neighbor-advert, nd-neighbor-solicit } accept } }")
    d = Doctor(a)
    d.one("firewall", "warning", "drops incoming protocol 140 (Shim6), in some cases at least")
    d.one("firewall", "warning", "drops incoming ICMPv6 Packet Too Big")
    Doctor(a, peer).one("firewall", "problem", "drops incoming protocol 140")  # that peer is not of those


def test_sample_firewall_is_good(lab):
    """The rules that doc/firewall.nft recommends for a host."""
    text = (pathlib.Path(__file__).parents[2] / "doc/firewall.nft").read_text()
    nft(lab.A, text[text.index("table inet shim6_host"):])
    assert not Doctor(lab.A, lab.B.addresses[0]).bad()


def test_strict_reverse_path_and_translation(lab, flows):
    """A strict reverse path filter does stop a session after a failover; the command mends it. NPTv6 is told."""
    a = lab.A
    nft(a, "table ip6 r { chain p { type filter hook prerouting priority -300; fib saddr . iif oif missing counter drop; } }")
    found = Doctor(a).one("firewall", "problem", "strict reverse path filter")
    f = flows.between(lab, "tcp")
    lab.established()
    f.arrives(5, "TCP flows")
    lab.fail("link")
    wait_until(lambda: a.context()["rewritten"], 10, "it switched")
    wait_until(lambda: re.search(r"counter packets [1-9]", run("nft", "list", "ruleset", ns=a.ns).stdout), 30,
               "the filter drops packets of the session")
    mend(a, found)
    f.arrives(30, "TCP goes on")
    assert not Doctor(a).of("firewall", "problem")
    nft(a, "table ip6 n { chain p { type nat hook postrouting priority 100; oifname \"eth2\" masquerade; } }")
    mend(a, Doctor(a).one("firewall", "problem", "translates addresses of outgoing packets"))
    assert not Doctor(a).of("firewall", "problem")


def test_paths(lab):
    """A router that drops protocol 140 or all tagged packets, a peer without Shim6, a peer that is not there."""
    a, b = lab.A, lab.B
    peer = b.addresses[0]
    r = type("Router", (), {"ns": lab.ns("A2")})
    nft(r, "table ip6 f { chain f { type filter hook forward priority 0; ip6 nexthdr 140 drop; } }")
    d = Doctor(a, peer)
    d.one("protocol", "problem", f"does not pass from {a.addresses[1]} to {peer}")
    d.one("protocol", "ok", a.addresses[0])
    run("nft", "flush", "ruleset", ns=r.ns)
    nft(r, "table ip6 f { chain f { type filter hook forward priority 0; ip6 nexthdr 140 @th,16,1 1 drop; } }")
    d = Doctor(a, peer)
    d.one("protocol", "ok", a.addresses[1])
    d.one("payload", "problem", f"tagged payload does not pass from {a.addresses[1]}")
    run("nft", "flush", "ruleset", ns=r.ns)
    d = Doctor(a, "2001:db8:b:1::77")
    assert len(d.of("path", "problem")) == 2 and not d.of("protocol")
    d = Doctor(a, a.addresses[1])
    d.one("path", "problem", "is an address of this host")
    d = Doctor(a, "2001:db8:a:1::1")  # its own router
    assert len([f for f in d.of("protocol", "problem") if "has no Shim6" in f["what"]]) == 2


def test_routes(lab):
    """A missing route of a provider, rules that lead elsewhere, and one prefix only."""
    a = lab.A
    way = run("ip", "-6", "route", "show", "default", "dev", "eth2", ns=a.ns).stdout.split()
    run("ip", "-6", "route", "del", "default", "dev", "eth2", ns=a.ns)
    wait_until(lambda: "eth2" not in run("ip", "-6", "rule", ns=a.ns).stdout and
               len(Doctor(a).of("routing", "problem")) == 1, 10, "the rule is gone")
    d = Doctor(a)
    found = d.one("router", "problem", "eth2 has 2001:db8:a:2::/64 but no default router")
    assert "dev eth2" in found["mend"] and "ip -6 route add default" in found["mend"]
    d.one("routing", "problem", f"{a.addresses[1]} leaves by eth1, not by its own interface eth2")
    d.one("uplinks", "problem", "only one prefix with a router")
    run("sysctl", "-w", "net.ipv6.conf.eth2.accept_ra=1", "net.ipv6.conf.eth2.forwarding=1", ns=a.ns)
    found = Doctor(a).one("router", "problem", "no default router")
    assert found["mend"] == "sysctl -w net.ipv6.conf.eth2.accept_ra=2"
    run("ip", "-6", "route", "add", "default", *way[1:], ns=a.ns)
    wait_until(lambda: not Doctor(a).bad(), 10, "all is well again")

    run("ip", "-6", "rule", "add", "priority", 100, "from", "2001:db8:a:2::/64", "lookup", 4711, ns=a.ns)
    run("ip", "-6", "route", "add", "default", "via", "2001:db8:a:1::1", "dev", "eth1", "table", 4711, ns=a.ns)
    found = Doctor(a).one("routing", "problem", "leaves by eth1, not by its own interface eth2")
    assert re.search(r"rule add from 2001:db8:a:2::/64 lookup \d+", found["mend"])


def test_addresses(lab):
    """A member of a set that is nowhere, a prefix that no set has, a source that no set has, no set at all."""
    a = lab.A
    run("ip", "-6", "addr", "add", "2001:db8:9:9::5/64", "dev", "eth1", "nodad", ns=a.ns)
    d = Doctor(a)
    found = d.one("hba", "warning", "no set has an address of 2001:db8:9:9::/64")
    assert set(re.findall(r"--prefix (\S+)", found["mend"])) >= {"2001:db8:a:1::/64", "2001:db8:9:9::/64"}
    run("ip", "-6", "addr", "add", "2001::5/64", "dev", "eth1", "nodad", ns=a.ns)
    found = Doctor(a, "2001::77").one("source", "warning", "2001::5, which is of no HBA set")
    mend(a, found)
    assert "2001::5/64 scope global deprecated" in run("ip", "-6", "addr", ns=a.ns).stdout
    a.shim6("addr", "delete", "hba0")
    wait_until(lambda: a.ask("addr.list") == [], 5, "the set is gone")
    Doctor(a).one("hba", "problem", "no set of addresses")


def test_bad_set(lab):
    """A set on disk whose addresses prove nothing."""
    a = lab.A
    path = a.state_dir / "hba/hba0.set"
    path.write_text(re.sub(r"address=2001:db8:a:1:.", "address=2001:db8:a:1:", path.read_text()))
    a.shim6("reload")
    d = Doctor(a)
    assert d.of("hba", "problem") and "hba0" in json.dumps(d.of("hba", "problem"))


def test_mtu_and_device(lab):
    a = lab.A
    run("ip", "link", "set", "eth2", "mtu", 1280, ns=a.ns)
    found = wait_until(lambda: Doctor(a).of("mtu", "warning"), 10, "the MTU is seen")[0]
    assert "eth2 has an MTU of 1280, less than 1288" in found["what"]
    mend(a, found)
    assert not Doctor(a).of("mtu", "warning")
    run("ip", "link", "set", "eth2", "mtu", 1000, ns=a.ns)
    Doctor(a).one("mtu", "warning", "eth2 has an MTU of 1000")


def test_without_daemon(lab):
    """No daemon, a foreign device shim0, a broken configuration; another daemon at another socket."""
    a = lab.A
    nowhere = str(a.run_dir / "none.sock")
    d = Doctor(a, socket=nowhere)
    d.one("daemon", "problem", "no daemon answers")
    d.one("conflict", "problem", f"a shim6d runs, process {a.pid}, but not at this socket")
    a.kill(signal.SIGTERM)
    d = Doctor(a)
    d.one("daemon", "problem", "no daemon answers")
    assert not [f for f in d.of("conflict", "problem") if "shim6d runs" in f["what"]]
    run("ip", "link", "add", "shim0", "type", "bridge", ns=a.ns)
    found = Doctor(a).one("conflict", "problem", "the device shim0 is not one of shim6d")
    mend(a, found)
    assert not Doctor(a).of("conflict", "problem")
    # Two addresses, and a kernel left to itself: the second source leaves by the first router.
    run("ip", "-6", "addr", "add", "2001:db8:a:2::5/64", "dev", "eth2", "nodad", ns=a.ns)
    run("ip", "-6", "addr", "add", "2001:db8:a:1::5/64", "dev", "eth1", "nodad", ns=a.ns)
    d = Doctor(a)
    found = d.one("routing", "warning", "2001:db8:a:2::5 leaves by eth1")
    assert "shim6d" in found["mend"]
    d.one("uplinks", "ok", "2 prefixes with 2 routers")
    run("ip", "link", "del", "other0", ns=a.ns)
    a.start()
    wait_until(lambda: not Doctor(a).of("routing", "warning"), 10, "the daemon has set it right")


def test_configuration(lab):
    a = lab.A
    text = a.config.read_text()
    a.config.write_text(text + "\n[reap]\nsend_jitter = 99\n")
    found = Doctor(a).one("configuration", "problem", "send_jitter: expected a whole number from 0 to 10")
    assert str(a.config) in found["what"] and str(a.config) in found["mend"]
    a.config.write_text(text + "\n[daemon]\ninitiate = no\n")
    a.shim6("reload")
    Doctor(a).one("configuration", "warning", "this host only answers")


def test_others(lab, tmp_path):
    """HIP, by its process and by its socket; a stranger that listens to protocol 140; a second shim6d."""
    a = lab.A
    hipd = tmp_path / "hipd"
    shutil.copy("/bin/sleep", hipd)
    with inside(a.ns):
        child = subprocess.Popen([hipd, "300"])
        raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 139)
        shim = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 140)
    try:
        d = wait_until(lambda: (lambda d: d.of("conflict", "problem") and d)(Doctor(a)), 10, "it runs")
        d = wait_until(lambda: (lambda d: len(d.of("conflict", "problem")) == 2 and d)(Doctor(a)), 10, "both are found")
        mended = d.one("conflict", "problem", f"HIP runs: hipd, process {child.pid}")
        d.one("conflict", "problem", "listens to protocol 139 (HIP)")
        d.one("conflict", "warning", "another program listens to protocol 140")
        mend(a, mended)
        child.wait(10)
    finally:
        child.kill()
        child.wait()
        raw.close()
        shim.close()
    assert not Doctor(a).bad()


def test_as_nobody(lab):
    """Without rights it tells what it could not look at, and with what command it could."""
    a = lab.A
    for path in SHIM6.parents:
        if not path.stat().st_mode & stat.S_IXOTH:
            pytest.skip(f"{path} is closed to other users")
    d = Doctor(a, lab.B.addresses[0], user=NOBODY, group=NOBODY, extra_groups=[])
    assert not d.found["problem"], d.done.stdout
    for check in ("firewall", "ebpf", "path"):
        (found,) = d.of(check)
        assert found["level"] == "unknown" and found["mend"].startswith("sudo shim6 doctor")
    assert d.of("uplinks", "ok") and len(d.of("routing", "ok")) == 2


def test_report(lab, flows):
    """Everything in one text; no address, no tag, no name of the host as it is; the same by the same."""
    a, b = lab.A, lab.B
    f = flows.between(lab, "tcp")
    context, _ = lab.established()
    f.arrives(5, "TCP flows")
    nft(a, "table ip6 f { chain f { type filter hook input priority 0; ip6 saddr 2001:db8:77:1::7 counter; "
           "ip6 saddr 2001:db8:77::/48 counter; } }")
    link = json.loads(run("ip", "-j", "link", "show", "eth1", ns=a.ns).stdout)[0]["address"]
    done = run(SHIM6, "--socket", a.socket, "report", ns=a.ns, timeout=60)
    text = done.stdout
    for title in ("shim6 report", "shim6 doctor", "daemon: status", "daemon: contexts", "daemon: events", "configuration",
                  "log", "ip -6 addr", "ip -6 rule", "ip -6 route show table all", "nft list ruleset"):
        assert f"=== {title}\n" in text, title
    for private in [*a.addresses, *b.addresses, *context["tag"].values(), link, "2001:db8:77", "2001:db8:a:1:",
                    "2001:db8:b:1:", *(x.rpartition(":")[2] for x in a.addresses + b.addresses if len(x) > 30)]:
        assert private not in text, private
    assert os.uname().nodename not in re.findall(r"[\w-]+", text)
    assert "locator(s)" in text  # the log
    sections = {s["title"]: s["text"] for s in
                json.loads(run(SHIM6, "--socket", a.socket, "--json", "report", ns=a.ns).stdout)["sections"]}
    status = json.loads(sections["daemon: status"])
    masked = [l["addr"] for l in status["locators"]]
    assert len(set(masked)) == 2
    for address in masked:
        assert f"inet6 {address}/64" in sections["ip -6 addr"] and address in sections["shim6 doctor"]
    (c,) = json.loads(sections["daemon: contexts"])
    assert c["ulid"]["local"] in masked and re.fullmatch(r"\[hex \d+\]", c["tag"]["local"])
    inner = re.search(r"ip6 saddr (\S+)::\S+ counter", sections["nft list ruleset"]).group(1)
    outer = re.search(r"ip6 saddr (\S+)::/48", sections["nft list ruleset"]).group(1)
    assert inner.startswith(outer + ":")  # still one within the other
    assert run(SHIM6, "--socket", "/nonexistent", "report", ns=a.ns).returncode == 0


@pytest.mark.parametrize("words, said", [
    (["doctor", "x", "y"], "usage: shim6 doctor [PEER]"),
    (["doctor", "fe80::1"], "no session of Shim6 can be with 'fe80::1'"),
    (["doctor", "ff02::1"], "give a global IPv6 address"),
    (["doctor", "::1"], "give a global IPv6 address"),
    (["doctor", "192.0.2.1"], "has no IPv6 address"),
    (["doctor", "2001:db8::1/64"], "has no IPv6 address"),
    (["doctor", ""], "has no IPv6 address"),
    (["doctor", "--count", "3"], "takes no such option"),
    (["report", "x"], "usage: shim6 report"),
    (["report", "--reset"], "takes no such option"),
])
def test_bad_arguments(words, said):
    done = run(SHIM6, *words, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr
