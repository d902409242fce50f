# SPDX-License-Identifier: GPL-2.0-or-later
"""Paced traffic of ordinary sockets between two namespaces, watched at the receiver."""
import socket
import struct
import threading
import time

from netns import inside, wait_until

RECORD = 400  # octets of one message: its number, then filling made from it


def _record(n):
    return struct.pack("!Q", n) + bytes([n & 0xFF]) * (RECORD - 8)


class Stalls:
    """How long a process that only wants to wake up had to wait for the processor: so long does a busy machine keep
    from us what the network did."""

    def __init__(self):
        self._seen, self._thread = [], None

    def watch(self):
        if not self._thread:
            self._thread = threading.Thread(target=self._beat, daemon=True)
            self._thread.start()

    def _beat(self):
        last = time.monotonic()
        while True:
            time.sleep(0.01)
            now = time.monotonic()
            if now - last > 0.05:
                self._seen.append((last, now))
            last = now

    def between(self, a, b):
        return sum(max(0, min(b, end) - max(a, start)) for start, end in list(self._seen) if end > a and start < b)


stalls = Stalls()


class Flow:
    """Messages at a steady rate from one end to the other. what: "tcp" or "udp"; the client opens the connection,
    and sends (down=False) or receives (down=True)."""

    def __init__(self, what, client, server, client_addr, server_addr, down=False, rate=100):
        self.name = f"{what} {'down' if down else 'up'}"
        self.arrivals, self.numbers, self.sent, self.errors = [], [], [], []
        self._ending, self._interval = False, 1 / rate
        kind = socket.SOCK_STREAM if what == "tcp" else socket.SOCK_DGRAM
        self._tcp = what == "tcp"
        with inside(server):
            listener = socket.socket(socket.AF_INET6, kind)
            listener.bind((server_addr, 0))
        with inside(client):
            self._client = socket.socket(socket.AF_INET6, kind)
            self._client.bind((client_addr, 0))
        if self._tcp:
            listener.listen(1)
            self._client.settimeout(5)
            self._client.connect(listener.getsockname())
            self._server, _ = listener.accept()
            listener.close()
        else:
            self._server = listener
            self._client.connect(self._server.getsockname())
            self._server.connect(self._client.getsockname())
        for s in (self._client, self._server):
            s.settimeout(None)
        self.source, self.sink = (self._server, self._client) if down else (self._client, self._server)
        stalls.watch()
        self.started = time.monotonic()
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._send, self._receive)]
        for t in self._threads:
            t.start()

    def _send(self):
        due = time.monotonic()
        while not self._ending:
            try:
                self.source.sendall(_record(len(self.sent)))
            except OSError as e:
                self.errors.append(("send", e))
                if self._tcp:
                    return
            self.sent.append(time.monotonic())
            due += self._interval
            time.sleep(max(0.0, due - time.monotonic()))

    def _receive(self):
        rest = b""
        while not self._ending:
            try:
                data = self.sink.recv(65536)
            except OSError as e:
                if self._ending:
                    return
                self.errors.append(("receive", e))
                if self._tcp:
                    return
                continue
            if not data:
                return
            now = time.monotonic()
            rest = rest + data if self._tcp else data
            while len(rest) >= RECORD:
                n = struct.unpack("!Q", rest[:8])[0]
                if rest[:RECORD] != _record(n):
                    self.errors.append(("content", n))
                self.numbers.append(n)
                self.arrivals.append(now)
                rest = rest[RECORD:]

    # --- questions

    def silence(self, since, until=None):
        """The longest time between arrivals that touches [since, until or now], less what the machine took away."""
        until = until or time.monotonic()
        inside_span = [t for t in list(self.arrivals) if since <= t <= until]
        before = [t for t in list(self.arrivals) if t < since]
        edges = ([before[-1]] if before else [since]) + inside_span + [until]
        return max(b - a - stalls.between(a, b) for a, b in zip(edges, edges[1:]))

    def arrives(self, timeout, what, since=None):
        since = since or time.monotonic()
        wait_until(lambda: self.arrivals and self.arrivals[-1] > since, timeout, what)
        return next(t for t in self.arrivals if t > since)

    def lost(self, since=0.0, until=None):
        """Numbers sent in the span that never came (UDP)."""
        until = until or time.monotonic()
        got = set(self.numbers)
        return [n for n, t in enumerate(list(self.sent)) if since <= t <= until and n not in got]

    def intact(self):
        assert not self.errors, self.errors
        if self._tcp:
            numbers = list(self.numbers)
            assert numbers == list(range(len(numbers)))

    def close(self):
        self._ending = True
        for s in (self._client, self._server):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for t in self._threads:
            t.join(2)
        self._client.close()
        self._server.close()


class Flows:
    """The sessions of a test, between the first addresses of both hosts, closed at its end."""

    def __init__(self):
        self.all = []

    def between(self, lab, what, **kw):
        flow = Flow(what, lab.A.ns, lab.B.ns, lab.A.addresses[0], lab.B.addresses[0], **kw)
        self.all.append(flow)
        return flow

    def close(self):
        for flow in self.all:
            flow.close()
