# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces from within a test: sockets, programs, captures; and waiting for conditions."""
import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
ETH_P_IPV6 = 0x86DD
SHIM6, ICMPV6, TCP, UDP = 140, 58, 6, 17
STARTS = 60  # s that a daemon may take to start or to end: half a second, but on a busy machine

libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(name):
    """This thread is in the namespace; sockets made here stay there."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        _setns(there)
        yield
    finally:
        _setns(here)
        os.close(here)
        os.close(there)


def run(*argv, ns=None, check=True, **kw):
    with inside(ns) if ns else contextlib.nullcontext():
        return subprocess.run([str(a) for a in argv], text=True, capture_output=True, check=check, **kw)


def wait_until(condition, timeout, what, every=0.02):
    """The first true value of condition(); fails after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(every)


class Packet:
    """An IPv6 packet as captured: addresses, first next header, length without padding."""

    def __init__(self, raw, when):
        self.when = when
        self.length, self.next = struct.unpack("!HB", raw[4:7])
        self.length += 40
        self.raw = raw[: self.length]
        self.src = socket.inet_ntop(socket.AF_INET6, raw[8:24])
        self.dst = socket.inet_ntop(socket.AF_INET6, raw[24:40])
        self.body = self.raw[40:]

    @property
    def tagged(self):
        return self.next == SHIM6 and len(self.body) > 2 and bool(self.body[2] & 0x80)

    @property
    def control(self):
        """The type of a Shim6 control message, or None."""
        return self.body[2] if self.next == SHIM6 and len(self.body) > 2 and not self.body[2] & 0x80 else None

    @property
    def tcp_flags(self):
        at = 8 if self.tagged else 0
        proto = self.body[0] if self.tagged else self.next
        return self.body[at + 13] if proto == TCP and len(self.body) >= at + 20 else 0

    @property
    def no_such_header(self):
        """ICMPv6 Parameter Problem, unrecognized Next Header: what a host without Shim6 says."""
        return self.next == ICMPV6 and self.body[:2] == b"\x04\x01"

    def __repr__(self):
        return f"<{self.src} > {self.dst} next {self.next} length {self.length} {self.body[:16].hex()}>"


class Capture:
    """IPv6 packets seen at an interface, in both directions."""

    def __init__(self, ns, device):
        self._lock, self._packets = threading.Lock(), []
        with inside(ns):
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._sock.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
            self._sock.bind((device, ETH_P_ALL))
        self._sock.settimeout(0.2)
        self._ending = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._ending:
            try:
                frame = self._sock.recv(70000)
            except OSError:  # nothing in time; or the interface went down, and comes up again
                continue
            if frame[12:14] == b"\x86\xdd" and len(frame) >= 54:
                packet = Packet(frame[14:], time.monotonic())
                with self._lock:
                    self._packets.append(packet)

    def packets(self, since=0.0):
        with self._lock:
            return [p for p in self._packets if p.when >= since]

    def close(self):
        self._ending = True
        self._thread.join()
        self._sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
