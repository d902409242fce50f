# SPDX-License-Identifier: GPL-2.0-or-later
"""A UDP socket of an unmodified program on the daemon's host, and datagrams of the scripted peer for it."""
import socket

import shim6wire as w
from netns import inside


class Udp:
    PORT = 9

    def __init__(self, peer):
        self.peer = peer
        with inside(peer.daemon.ns):
            self.sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.sock.bind((peer.iut, 0))
        self.port = self.sock.getsockname()[1]

    def send(self, data=b"payload"):
        """From the daemon's host to the peer."""
        self.sock.sendto(data, (self.peer.addr, self.PORT))

    def arrives(self, data=b"payload", tag=None, **kw):
        """From the peer: as it is, or with the header."""
        datagram = w.udp(self.peer.addr, self.peer.iut, self.PORT, self.port, data)
        if tag is None:
            self.peer.send(datagram, next_header=w.UDP, **kw)
        else:
            self.peer.send(w.payload_header(tag, w.UDP) + datagram, **kw)

    def close(self):
        self.sock.close()
