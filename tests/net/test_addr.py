# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets of addresses with real daemons: keys, prefixes that come later, duplicate addresses, long searches."""
import contextlib
import json
import os
import pty
import re
import signal
import socket
import statistics
import struct
import subprocess
import threading
import time

import pytest
from lab import SHIM6, SHIM6D
from netns import ETH_P_ALL, inside, run, wait_until
from test_failover import switched
from test_life import make_set, start_alone, unharmed

PREFIXES = ["--prefix", "2001:db8:a:1::/64", "--prefix", "2001:db8:a:2::/64"]
THIRD = "2001:db8:a:3::"
UPDATE = 64


def generate(state, *words, check=True):
    return run(SHIM6D, "--state-dir", state, "addr", "generate", *PREFIXES, *words, check=check)


def pem(tmp_path, name, *words):
    path = tmp_path / name
    run("openssl", *words, "-out", path)
    return path


def rsa(tmp_path, bits):
    return pem(tmp_path, f"rsa{bits}", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")


# --- keys ---------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1024, 1025, 2048, 3072])
def test_keys_of_all_sizes(tmp_path, bits):
    """HS-05, HS-09, HE-03, HG-18, TH27: a key of one's own or a new one; the set has the P flag and keeps the key
    where nobody else reads it."""
    generate(tmp_path, "--name", "given", "--key", rsa(tmp_path, bits))
    generate(tmp_path, "--name", "new", "--new-key", bits)
    for name in ("given", "new"):
        file = tmp_path / "hba" / f"{name}.set"
        assert file.stat().st_mode & 0o777 == 0o600
        kept = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
        key = tmp_path / f"{name}.pem"
        key.write_bytes(bytes.fromhex(kept["private_key"]))
        assert f"Private-Key: ({bits} bit" in run("openssl", "pkey", "-in", key, "-text", "-noout").stdout
        spki = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], capture_output=True,
                              check=True).stdout
        assert spki.hex() == kept["key"]
        # the Multi-Prefix extension behind it: type, length, P flag alone
        assert kept["pds"].partition(kept["key"])[2].startswith("0012" "0014" "80000000")
    listed = run(SHIM6D, "--state-dir", tmp_path, "addr", "list").stdout
    assert listed.count("with a key") == 2


def test_keys_refused(tmp_path):
    """HS-05, HS-10, TH27: what is refused, and why, and that nothing is left of it."""
    good = rsa(tmp_path, 1024)
    rsa_key = good.read_text()
    (tmp_path / "half").write_text(rsa_key[: len(rsa_key) // 2])
    (tmp_path / "text").write_text("no key at all\n")
    encrypted = pem(tmp_path, "encrypted", "pkey", "-in", good, "-aes128", "-passout", "pass:x")
    public = pem(tmp_path, "public", "pkey", "-in", good, "-pubout")
    curve = pem(tmp_path, "curve", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    state = tmp_path / "state"
    for words, said in (
        (["--key", rsa(tmp_path, 512)], "1024 to 3072 bits"),
        (["--key", rsa(tmp_path, 1023)], "1024 to 3072 bits"),
        (["--key", rsa(tmp_path, 3080)], "expected RSA of 1024 to 3072 bits, not 3080"),
        (["--key", rsa(tmp_path, 4096)], "expected RSA of 1024 to 3072 bits, not 4096"),
        (["--key", curve], "expected an RSA private key in PEM"),
        (["--key", public], "expected an RSA private key in PEM"),
        (["--key", encrypted], "without passphrase"),
        (["--key", tmp_path / "half"], "expected an RSA private key in PEM"),
        (["--key", tmp_path / "text"], "expected an RSA private key in PEM"),
        (["--key", good, "--new-key", 1024], "not both"),
        (["--new-key", 1023], "expected 1024 to 3072 bits"),
        (["--new-key", 3073], "expected 1024 to 3072 bits"),
        (["--new-key", "many"], "expected 1024 to 3072 bits"),
    ):
        done = generate(state, *words, check=False)
        assert done.returncode in (1, 2) and said in done.stderr, (words, done.stderr)
        assert not state.exists() or list((state / "hba").iterdir()) == []


# --- a prefix that comes later --------------------------------------------------


def third_uplink(lab):
    """Host A gets a third provider, with an address that is no HBA."""
    core, a = lab.ns("core"), lab.A.ns
    run("ip", "link", "add", "eth3", "type", "veth", "peer", "name", "a3", "netns", core, ns=a)
    run("ip", "addr", "add", f"{THIRD}1/64", "dev", "a3", "nodad", ns=core)
    run("ip", "link", "set", "a3", "up", ns=core)
    run("ip", "link", "set", "eth3", "up", ns=a)
    run("ip", "addr", "add", f"{THIRD}10/64", "dev", "eth3", "nodad", ns=a)
    run("ip", "-6", "route", "add", "default", "via", f"{THIRD}1", "dev", "eth3", "metric", "4096", ns=a)


def peer_locators(host):
    c = host.context()
    return {l["addr"]: l for l in c["locators"]["peer"]} if c else {}


@contextlib.contextmanager
def keyed_pair(make_lab, tmp_path, *words):
    """A lab whose host A has a set with a key (or what words say), B a plain one."""
    lab = make_lab(shim6=False)
    generate(tmp_path / "A/state", *words)
    make_set(tmp_path / "B/state", "b")
    with contextlib.ExitStack() as clean:
        for host, name in ((lab.A, "A"), (lab.B, "B")):
            start_alone(lab, host, tmp_path / name, clean)
            wait_until(lambda: sum(l["hba"] for l in host.ask("locators")["locators"]) == 2, 30, "the set is there")
            host.addresses = [l["addr"] for l in host.ask("locators")["locators"] if l["hba"]]
            for n in (1, 2):  # the lab's own addresses, of the same prefixes
                run("ip", "addr", "del", f"2001:db8:{name.lower()}:{n}::10/64", "dev", f"eth{n}", ns=host.ns)
        yield lab


def test_a_prefix_appears(make_lab, flows, tmp_path):
    """T110, TH20, HD-05, HS-08, U-06: host A gets a third uplink while a session runs. The peer is told by a signed
    Update; when both old uplinks are dead the session goes on by the third. When that address goes, it is BROKEN at
    the peer, and the session is back on an old one."""
    with keyed_pair(make_lab, tmp_path, "--new-key", 2048) as lab:
        all_flows = [flows.between(lab, "tcp"), flows.between(lab, "tcp", down=True), flows.between(lab, "udp")]
        lab.established()
        for f in all_flows:
            f.arrives(20, "traffic flows")
        assert set(peer_locators(lab.B)) == set(lab.A.addresses)
        third_uplink(lab)
        new = wait_until(lambda: peer_locators(lab.B).get(f"{THIRD}10"), 20, "the peer knows the third locator")
        assert (new["method"], new["verified"], new["broken"], new["probed"]) == ("cga", True, False, False)
        assert {l["method"] for a, l in peer_locators(lab.B).items() if a in lab.A.addresses} == {"hba"}
        a, b = lab.A.stats()["engine"], lab.B.stats()["engine"]
        assert (a["signatures_made"], a["outside_added"], a["updates_completed"]) == (1, 1, 1)
        assert (b["rx_update_request"], b["drop_locator_verification"], b["drop_method"]) == (1, 0, 0)

        lab.fail("link", provider=1)
        before = switched(lab.A)
        broke = lab.fail("link", provider=2)
        after = switched(lab.A, before["counters"]["switches"])
        assert after["current"]["local"] == f"{THIRD}10"
        for f in all_flows:
            f.arrives(20, "the session goes on by the third uplink", since=broke + 2)
        unharmed(all_flows, broke, bound=2)

        lab.heal("link", provider=1)
        wait_until(lambda: any(l["addr"] == lab.A.addresses[0] and l["up"]
                               for l in lab.A.ask("locators")["locators"]), 30, "the first link is back")
        time.sleep(1)  # the limit on answers to probes (PX-20) forgets
        went = time.monotonic()
        run("ip", "addr", "del", f"{THIRD}10/64", "dev", "eth3", ns=lab.A.ns)
        assert switched(lab.A, after["counters"]["switches"])["current"]["local"] == lab.A.addresses[0]
        wait_until(lambda: peer_locators(lab.B)[f"{THIRD}10"]["broken"], 20, "the peer knows that it is gone")
        for f in all_flows:
            f.arrives(20, "the session goes on by the first uplink", since=went + 2)
            f.intact()


def test_no_key_no_offer(make_lab, flows, tmp_path):
    """U-06, A-27, HD-08: a set without key gets the third uplink for new sessions only; its contexts keep their set."""
    with keyed_pair(make_lab, tmp_path) as lab:
        f = flows.between(lab, "tcp")
        lab.established()
        third_uplink(lab)
        wait_until(lambda: f"{THIRD}10" in {l["addr"] for l in lab.A.ask("locators")["locators"]}, 20, "it is seen")
        seen = time.monotonic()
        f.arrives(20, "traffic goes on", since=seen + 1)
        assert set(peer_locators(lab.B)) == set(lab.A.addresses)
        stats = lab.A.stats()["engine"]
        assert (stats["tx_update_request"], stats["signatures_made"]) == (0, 0)


# --- duplicate addresses ----------------------------------------------------------


class Copycat:
    """A host on a link that answers every Neighbour Solicitation of duplicate address detection: it has each address
    (RFC 4862 section 5.4)."""

    def __init__(self, ns, device):
        with inside(ns):
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._sock.bind((device, ETH_P_ALL))
        self.mac = self._sock.getsockname()[4]
        self._sock.settimeout(0.2)
        self.claimed, self._ending = [], False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._ending:
            try:
                frame = self._sock.recv(2000)
            except TimeoutError:
                continue
            if frame[12:14] != b"\x86\xdd" or frame[20] != 58 or frame[54] != 135 or any(frame[22:38]):
                continue
            target = frame[62:78]
            if target[0] != 0x20:  # link-local addresses are left in peace
                continue
            self.claimed.append(socket.inet_ntop(socket.AF_INET6, target))
            everybody = bytes.fromhex("ff020000000000000000000000000001")
            body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + target + b"\x02\x01" + self.mac
            pseudo = target + everybody + struct.pack("!II", len(body), 58)
            total = sum(struct.unpack(f"!{len(pseudo + body) // 2}H", pseudo + body))
            while total >> 16:
                total = (total & 0xFFFF) + (total >> 16)
            body = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
            header = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + target + everybody
            self._sock.send(bytes.fromhex("333300000001") + self.mac + b"\x86\xdd" + header + body)

    def close(self):
        self._ending = True
        self._thread.join()
        self._sock.close()


def set_of(state):
    kept = {}
    for line in (state / "hba/hba0.set").read_text().splitlines():
        key, _, value = line.partition("=")
        kept.setdefault(key, []).append(value)
    return int(kept["collision_count"][0]), kept["address"], kept["modifier"][0]


def with_dad(lab, *devices):
    for device in devices:
        run("sysctl", "-qw", f"net.ipv6.conf.{device}.accept_dad=1", f"net.ipv6.conf.{device}.dad_transmits=1",
            f"net.ipv6.neigh.{device}.retrans_time_ms=200", ns=lab.A.ns)


def test_duplicate_address(make_lab, tmp_path):
    """TH07, HG-09, AMB-H13, HG-18, TH25: another host on the link has one of the two addresses. The whole set moves
    on by one collision count, both new addresses pass, and a restart finds the set as it is then."""
    lab = make_lab(shim6=False)
    host, state = lab.A, tmp_path / "state"
    make_set(state, "a")
    count, old, modifier = set_of(state)
    assert count == 0
    with_dad(lab, "eth1", "eth2")
    run("ip", "addr", "add", f"{old[1]}/64", "dev", "cust", "nodad", ns=lab.ns("A2"))
    with contextlib.ExitStack() as clean:
        start_alone(lab, host, tmp_path, clean)
        wait_until(lambda: set_of(state)[0] == 1, 30, "the collision is noticed")
        _, new, same = set_of(state)
        assert same == modifier and not set(new) & set(old)
        wait_until(lambda: host.ask("addr.list")[0]["configured"] == [True, True], 30, "the new addresses are there")
        there = run("ip", "-6", "addr", ns=host.ns).stdout
        assert all(a in there for a in new) and not any(a in there for a in old)
        said = host.ask("addr.list")[0]
        assert (said["addresses"], said["collisions"], said["given_up"]) == (new, 1, False)
        assert host.stats()["daemon"]["dad_collisions"] == 1
        assert "all addresses of the set change (count 1)" in host.log.read_text()
        assert (state / "hba/hba0.set").stat().st_mode & 0o777 == 0o600
        host.kill(signal.SIGTERM)
        host.start()
        wait_until(lambda: host.ask("addr.list")[0]["configured"] == [True, True], 30, "they are there again")
        assert set_of(state)[:2] == (1, new) and host.stats()["daemon"]["dad_collisions"] == 0


def test_three_collisions_end_it(make_lab, tmp_path):
    """TH07, HG-09, AMB-H14: somebody claims every address. Counts 0, 1 and 2 are tried, then the set is given up with
    a clear word, nothing of it stays configured, and the daemon goes on."""
    lab = make_lab(shim6=False)
    host, state = lab.A, tmp_path / "state"
    make_set(state, "a")
    with_dad(lab, "eth1", "eth2")
    with contextlib.ExitStack() as clean:
        copycat = Copycat(lab.ns("A1"), "cust")
        clean.callback(copycat.close)
        start_alone(lab, host, tmp_path, clean)
        wait_until(lambda: host.ask("addr.list")[0]["given_up"], 60, "the set is given up")
        assert host.ask("addr.list")[0]["collisions"] == 3 and len(set(copycat.claimed)) == 3
        assert set_of(state)[0] == 2
        assert host.stats()["daemon"]["dad_collisions"] == 3
        assert "third address collision" in host.log.read_text()
        wait_until(lambda: not any(a in run("ip", "-6", "addr", ns=host.ns).stdout for a in set_of(state)[1]), 10,
                   "none of its addresses is left")
        assert "three collisions" in host.shim6("addr", "list").stdout
        assert host.answers() and not any(l["hba"] for l in host.ask("locators")["locators"])


# --- Sec 2 --------------------------------------------------------------------------


def test_long_search_in_the_daemon(make_lab, tmp_path):
    """TH33, HG-11: Sec 2 takes minutes. The daemon answers as quickly as ever, tells how far it is, searches at low
    priority on every processor, and stops when the one who asked goes away; nothing is left of it."""
    lab = make_lab(shim6=False)
    host = lab.A
    with contextlib.ExitStack() as clean:
        start_alone(lab, host, tmp_path, clean)
        asked = subprocess.Popen([SHIM6, "--socket", host.socket, "addr", "generate", *PREFIXES, "--sec", "2"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        clean.callback(asked.kill)
        p = wait_until(lambda: (q := host.ask("addr.progress")) and q["tries"] > 2000000 and q, 60, "it searches")
        assert (p["sec"], p["expected"], p["threads"]) == (2, 1 << 32, min(os.cpu_count(), 16))
        assert p["left_s"] == pytest.approx(p["expected"] / p["per_s"]) and p["per_s"] > 100000
        took = []
        for _ in range(50):
            began = time.monotonic()
            host.ask("status")
            took.append(time.monotonic() - began)
        print(f"status in {statistics.median(took) * 1e3:.2f} ms, at most {max(took) * 1e3:.2f} ms")
        assert statistics.median(took) < 0.05
        nice = run("ps", "-L", "-o", "ni=", "-p", host.pid).stdout.split()
        assert nice.count("19") >= p["threads"] and "19" != nice[0]
        said = host.shim6("addr").stdout
        assert re.search(r"set in the making, Sec 2: \d+ of 4295 million hashes expected, [\d.]+ million/s, on average",
                         said)
        assert host.ask("status")["generating"]["tries"] >= p["tries"]
        second = host.shim6("addr", "generate", *PREFIXES, check=False)
        assert second.returncode == 1 and "another HBA set is being made: shim6 addr shows" in second.stderr
        asked.send_signal(signal.SIGINT)
        asked.wait(10)
        wait_until(lambda: host.ask("addr.progress") is None, 20, "the search ends")
        wait_until(lambda: "19" not in run("ps", "-L", "-o", "ni=", "-p", host.pid).stdout.split(), 20, "no thread is")
        assert host.ask("addr.list") == []


def test_long_search_at_a_terminal(tmp_path):
    """Alone it shows the same, and an interrupt ends it cleanly."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([SHIM6D, "--state-dir", tmp_path, "addr", "generate", *PREFIXES, "--sec", "2"],
                             stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    try:
        shown = b""
        while not re.search(rb"\r[1-9]\d* of 4295 million hashes, [\d.]+ million/s, \d+ s left on average", shown):
            shown += os.read(ours, 1000)
        child.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 1000):
                shown += chunk
        assert child.wait(20) == 1 and b"no HBA set made: cancelled" in shown
        assert not (tmp_path / "hba").exists()
    finally:
        child.kill()
        os.close(ours)


def test_progress_of_the_command(make_lab, tmp_path):
    """Who asks the daemon is told in the meantime, a line now and then when it is no terminal."""
    lab = make_lab(shim6=False)
    with contextlib.ExitStack() as clean:
        start_alone(lab, lab.A, tmp_path, clean)
        asked = subprocess.Popen([SHIM6, "--socket", lab.A.socket, "addr", "generate", *PREFIXES, "--sec", "2"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            assert re.match(r"\d+ of 4295 million hashes expected", asked.stderr.readline())
        finally:
            asked.kill()
            asked.wait()
            asked.stderr.close()
        wait_until(lambda: lab.A.ask("addr.progress") is None, 20, "the search ends")
        made = json.loads(lab.A.shim6("addr", "generate", *PREFIXES, "--sec", "1", "--new-key", "1024",
                                      "--json").stdout)
        listed = [s for s in lab.A.ask("addr.list") if s["file"] == made["file"]]
        assert listed[0]["key_bits"] == 1024 and listed[0]["sec"] == 1
