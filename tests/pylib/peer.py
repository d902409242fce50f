# SPDX-License-Identifier: GPL-2.0-or-later
"""A shim6d in a namespace of its own with two uplinks, and at their other ends a scripted peer: all that answers
there is the test. The peer's side has no IPv6 of the kernel's."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import control
import shim6wire as w
from lab import SHIM6D
from netns import STARTS, inside, run, wait_until

ANSWERS = 10  # s in which something comes that comes at once on an idle machine
# Names of counters that tell a drop.
DROPS = (".drop", ".limit", ".rx_truncated", ".rx_bad_length", ".rx_nested", ".rx_not_accepting", ".rx_failed",
         ".rx_torn", ".icmp_unmatched", ".icmp_truncated", ".ctl_truncated", ".ctl_fragmented")
ROUTER = "02:00:00:00:00:01"
CONFIG = """
[limits]
replies_per_second = {replies}
replies_per_64 = {per_64}
[interface eth1]
prefixes = 2001:db8:1:1::/64
[interface eth2]
prefixes = 2001:db8:1:2::/64
"""


class Daemon:
    """The implementation under test."""

    _count = 0

    def __init__(self, replies=100000, per_64=100000, config=""):
        Daemon._count += 1
        name = f"c{os.getpid()}x{Daemon._count}"
        self.ns, self.net = f"{name}-iut", f"{name}-net"
        self._clean = contextlib.ExitStack()  # also of what an attempt that failed has left
        try:
            self._start(CONFIG.format(replies=replies, per_64=per_64) + config)
        except BaseException:
            self._clean.close()
            raise

    def _start(self, config):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="shim6-conformance-"))
        self._clean.callback(shutil.rmtree, self.dir)
        self._network()
        for folder in ("run", "state", "bpf"):
            (self.dir / folder).mkdir()
        run("mount", "-t", "bpf", "bpf", self.dir / "bpf")
        self._clean.callback(run, "umount", self.dir / "bpf")
        (self.dir / "conf").write_text(config)
        run(SHIM6D, "--state-dir", self.dir / "state", "addr", "generate", "--prefix", "2001:db8:1:1::/64",
            "--prefix", "2001:db8:1:2::/64")
        self.run_dir, self.state_dir, self.config = self.dir / "run", self.dir / "state", self.dir / "conf"
        self.socket = self.run_dir / "shim6.sock"
        self.log = self.dir / "log"
        self.process = None
        self._clean.callback(self._end)
        self._run()
        self.links = {n: Link(self, n) for n in (1, 2)}
        for link in self.links.values():
            self._clean.callback(link.close)

    def _run(self):
        with inside(self.ns), open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [SHIM6D, "--config", self.dir / "conf", "--runtime-dir", self.dir / "run", "--state-dir",
                 self.dir / "state", "--pin-dir", self.dir / "bpf/p", "--debug"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        self.pid = self.process.pid
        self.addresses = wait_until(self._ready, STARTS, "the daemon has two locators")

    def restart(self):
        """A clean end, and a new process."""
        self.process.terminate()
        assert self.process.wait(STARTS) == 0
        self._run()

    def _network(self):
        for ns in (self.ns, self.net):
            run("ip", "netns", "add", ns)
            self._clean.callback(run, "ip", "netns", "del", ns)
        run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1", ns=self.net)
        run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0",
            "net.ipv6.conf.default.accept_ra=0", ns=self.ns)
        lines = ["link set lo up"]
        for n in (1, 2):
            lines += [
                f"link add eth{n} type veth peer name p{n} netns {self.net}",
                f"link set eth{n} up",
                f"neigh replace fe80::1 lladdr {ROUTER} dev eth{n} nud permanent",
                f"route add 2001:db8:1:{n}::/64 dev eth{n}",
                f"route add default via fe80::1 dev eth{n} metric {1024 * n}",
            ]
        run("ip", "-6", "-batch", "-", ns=self.ns, input="\n".join(lines))
        for n in (1, 2):
            run("ip", "link", "set", f"p{n}", "up", ns=self.net)

    def _ready(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            there = [l for l in self.ask("locators")["locators"] if l["up"] and l["hba"]]
        except OSError:
            return None
        there.sort(key=lambda l: l["ifname"])
        return [l["addr"] for l in there] if len(there) == 2 else None

    def ask(self, op, **args):
        return control.call(self.socket, op, **args)

    def stats(self):
        return self.ask("stats")

    def counters(self):
        """All counters in one."""
        return {f"{room}.{k}": v for room, names in self.ask("stats").items() for k, v in names.items()}

    def context(self, peer):
        """The context with a ULID of the peer, or None."""
        found = [c for c in self.ask("contexts") if c["ulid"]["peer"] == peer]
        assert len(found) < 2
        return found[0] if found else None

    def memory(self):
        """Resident set, MiB."""
        statm = pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(statm[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def _end(self):
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(STARTS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        print(self.log.read_text()[-4000:])

    def close(self):
        self._clean.close()
        assert self.process.returncode == 0, f"shim6d ended with {self.process.returncode}"


class Link:
    """The wire at one of the daemon's interfaces."""

    def __init__(self, daemon, n):
        with inside(daemon.net):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
            self.sock.bind((f"p{n}", 0x86DD))
        described = run("ip", "-o", "link", "show", f"eth{n}", ns=daemon.ns).stdout.split()
        mac = described[described.index("link/ether") + 1]
        self.head = bytes.fromhex(mac.replace(":", "") + ROUTER.replace(":", "") + "86dd")
        self.seen, self._lock, self._ending = [], threading.Lock(), False
        self.sock.settimeout(0.1)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._ending:
            try:
                frame, info = self.sock.recvfrom(65536)
            except TimeoutError:
                continue
            if info[2] == socket.PACKET_OUTGOING or frame[:6] == b"\x33\x33" + frame[2:6]:
                continue
            packet = frame[14 : 14 + 40 + int.from_bytes(frame[18:20], "big")]
            with self._lock:
                self.seen.append((time.monotonic(), packet))

    def send(self, packet):
        self.sock.send(self.head + packet)

    def since(self, when):
        with self._lock:
            return [(t, p) for t, p in self.seen if t >= when]

    def close(self):
        self._ending = True
        self._thread.join()
        self.sock.close()


class Context:
    """A context that the scripted peer made: own and the daemon's tag, ULIDs."""

    def __init__(self, own, theirs, peer, local):
        self.own, self.theirs, self.peer, self.local = own, theirs, peer, local


class Peer:
    """Sends and receives for a test. All of it goes by link 1 unless said otherwise; what the daemon sends is
    looked for on both."""

    def __init__(self, daemon, number):
        self.daemon = daemon
        # Addresses of our own for each test, so that tests share a daemon without meeting.
        self.set = w.HbaSet(f"2001:db8:2:{number:x}::", f"2001:db8:3:{number:x}::")
        self.addr, self.other = self.set.addresses
        self.stranger = f"2001:db8:4:{number:x}::99"
        self.iut, self.iut2 = daemon.addresses
        self.began = time.monotonic()

    def send(self, body, src=None, dst=None, link=1, next_header=w.SHIM6, **kw):
        packet = w.ipv6(src or self.addr, dst or self.iut, body, next_header, **kw)
        self.daemon.links[link].send(packet)
        return packet

    def timed(self, since=None):
        """(time, packet) of what the daemon sent to this test's addresses, in order."""
        mine = {w.packed(a)[:8] for a in (self.addr, self.other, self.stranger)}
        found = [x for link in self.daemon.links.values() for x in link.since(since or self.began)]
        return sorted((t, p) for t, p in found if p[24:32] in mine)

    def packets(self, since=None):
        """(src, dst, next header, body) of these."""
        return [(w.text(p[8:24]), w.text(p[24:40]), p[6], p[40:]) for _, p in self.timed(since)]

    def messages(self, since=None, kind=None):
        found = [w.Message(b, s, d) for s, d, n, b in self.packets(since) if n == w.SHIM6 and not b[2] & 0x80]
        return [m for m in found if kind is None or m.kind == kind]

    def expect(self, kind, since, timeout=ANSWERS, where=lambda m: True):
        """The first message of this kind since then."""
        return wait_until(
            lambda: next((m for m in self.messages(since, kind) if where(m)), None), timeout, f"a message {kind}", 0.005
        )

    def fence(self):
        """All that was sent before has been dealt with: an I1 of a stranger's has its answer. Sent on the way of the
        test, so that the order is kept."""
        n, when = w.nonce(), time.monotonic()
        self.send(w.i1(w.tag(), n), src=self.stranger)
        self.expect(w.R1, when, where=lambda m: m.initiator_nonce == n)
        return n

    def nothing(self, since):
        """After a fence: the daemon has sent nothing to us but the fence's answer."""
        n = self.fence()
        fence = bytes([w.R1, 0]), n.to_bytes(4, "big")
        got = [p for p in self.packets(since) if p[2] != w.SHIM6 or (p[3][2:4], p[3][8:12]) != fence]
        assert got == []

    def dropped(self, send, *counters):
        """send() sends one packet; it is dropped in silence, and one of these counters says so."""
        before, when = self.daemon.counters(), time.monotonic()
        send()
        self.nothing(when)
        after = self.daemon.counters()
        changed = {k: after[k] - before[k] for k in after if after[k] != before[k]}
        grown = {k: n for k, n in changed.items() if any(word in k for word in DROPS)}
        print(changed)
        assert sum(grown.values()) == 1 and set(k.split(".", 1)[1] for k in grown) <= set(counters), grown

    # --- the handshake

    def ask(self, ct=None, n=None, options=b"", **kw):
        """I1, and the R1 that answers it."""
        n, when = w.nonce() if n is None else n, time.monotonic()
        self.send(w.i1(w.tag() if ct is None else ct, n, options), **kw)
        return self.expect(w.R1, when, where=lambda m: m.initiator_nonce == n)

    def i2(self, r1, ct, n, options=b""):
        return w.i2(ct, n, r1.responder_nonce, w.option(w.VALIDATOR, r1.options[w.VALIDATOR]) + options)

    def establish(self, options=None):
        ct, n = w.tag(), w.nonce()
        answer, when = self.ask(ct, n), time.monotonic()
        self.send(self.i2(answer, ct, n, self.set.options() if options is None else options))
        r2 = self.expect(w.R2, when)
        assert r2.nonce == n
        wait_until(lambda: self.daemon.context(self.addr), 2, "the context is there")
        return Context(ct, r2.tag, self.addr, self.iut)
