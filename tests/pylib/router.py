# SPDX-License-Identifier: GPL-2.0-or-later
"""A router that advertises prefixes: at once, at an interval, and to whoever solicits."""
import select
import socket
import struct
import threading
import time

from netns import inside, run, wait_until

ALL_NODES, ALL_ROUTERS = "ff02::1", "ff02::2"
SOLICIT, ADVERTISE = 133, 134
FOR_EVER = 0xFFFFFFFF
ICMP6_FILTER = 1


def link_local(ns, device):
    def look():
        words = run("ip", "-6", "-o", "addr", "show", "dev", device, "scope", "link", "-tentative", ns=ns).stdout.split()
        return words[words.index("inet6") + 1].partition("/")[0] if "inet6" in words else None

    return wait_until(look, 20, f"{device} has a link-local address")


class Router:
    """prefixes: {"2001:db8:a:1::": (valid, preferred)}, changed at will; advertise() tells it."""

    def __init__(self, ns, device, prefixes=(), lifetime=1800, interval=None, hop_limit=255, flags=0xC0, address=None):
        self.ns, self.device = ns, device
        self.prefixes = dict(prefixes) if isinstance(prefixes, dict) else {p: (86400, 14400) for p in prefixes}
        self.lifetime, self.interval, self.flags, self.preference = lifetime, interval, flags, 0
        self.silent, self.solicited = False, 0
        self.address = address or link_local(ns, device)
        with inside(ns):
            index = socket.if_nametoindex(device)
            self._sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
            self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hop_limit)
            self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
            passed = [0xFFFFFFFF] * 8
            passed[SOLICIT // 32] &= ~(1 << SOLICIT % 32)
            self._sock.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("=8I", *passed))
            group = socket.inet_pton(socket.AF_INET6, ALL_ROUTERS) + struct.pack("=I", index)
            self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            self._sock.bind((self.address, 0, 0, index))
            self._listener = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
            self._listener.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("=8I", *passed))
            self._listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        self._index = index
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def message(self):
        m = struct.pack("!BBHBBHII", ADVERTISE, 0, 0, 64, (self.preference & 3) << 3, self.lifetime, 0, 0)
        for prefix, (valid, preferred) in self.prefixes.items():
            m += struct.pack("!BBBBIII", 3, 4, 64, self.flags, valid, preferred, 0)
            m += socket.inet_pton(socket.AF_INET6, prefix)
        return m

    def advertise(self, message=None):
        self._sock.sendto(message or self.message(), (ALL_NODES, 0, 0, self._index))

    def _run(self):
        due = time.monotonic()
        while not self._ending:
            wait = 0.2 if self.interval is None else max(0, min(0.2, due - time.monotonic()))
            readable, _, _ = select.select([self._listener], [], [], wait)
            asked = bool(readable)
            if asked:
                self._listener.recv(2048)
                self.solicited += 1
            if self.silent:
                continue
            if asked or (self.interval is not None and time.monotonic() >= due):
                due = time.monotonic() + (self.interval or 0)
                try:
                    self.advertise()
                except OSError:  # the link is down for the moment
                    pass

    def close(self):
        self._ending = True
        self._thread.join()
        self._sock.close()
        self._listener.close()
