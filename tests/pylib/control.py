# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the control socket that hides nothing: raw lines in, raw lines out."""
import json
import socket
import struct


class Refused(Exception):
    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code, self.message, self.hint = error.get("code"), error.get("message"), error.get("hint")


class Client:
    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # connect() of a socket with a timeout of its own does not wait while the daemon's queue is full
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@qq", timeout, 0))
        self.sock.connect(str(path))
        self.sock.settimeout(timeout)
        self.buf = b""

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        """The next line as an object; None at the end."""
        while b"\n" not in self.buf:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:  # closed with something of ours unread
                data = b""
            if not data:
                return None
            self.buf += data
        line, self.buf = self.buf.split(b"\n", 1)
        return json.loads(line)

    def call(self, op, **args):
        self.send(json.dumps({"v": 1, "op": op, "args": args}).encode() + b"\n")
        reply = self.line()
        assert reply is not None, f"{op}: connection closed"
        assert reply["v"] == 1
        if not reply["ok"]:
            raise Refused(reply["error"])
        return reply["result"]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def call(path, op, **args):
    with Client(path) as c:
        return c.call(op, **args)
