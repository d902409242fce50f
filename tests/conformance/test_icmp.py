# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMPv6 errors about tagged packets: tests T137, T138 with a real socket (section 12 of the rows)."""
import contextlib
import socket
import struct
import time

import shim6wire as w
from netns import inside, run, wait_until

RECVERR, ERRQUEUE, NO_ROUTE = 25, 0x2000, (1, 0)


@contextlib.contextmanager
def connected(peer):
    """A UDP socket of the daemon's host that wants to hear of errors."""
    with inside(peer.daemon.ns):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind((peer.iut, 0))
    sock.setsockopt(socket.IPPROTO_IPV6, RECVERR, 1)
    sock.connect((peer.addr, 9))
    yield sock
    sock.close()


def told(sock):
    """(type, code) of the next error of the socket's, or None."""
    try:
        _, control, _, _ = sock.recvmsg(1500, 512, ERRQUEUE | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    return struct.unpack("=IBBB", control[0][2][:7])[2:]


def moved(peer, options=None):
    """A context on the other pair."""
    ct, n, pair = w.tag(), w.nonce(), w.ulid_pair(peer.addr, peer.iut)
    other = {"src": peer.other, "dst": peer.iut2, "link": 2}
    r1, when = peer.ask(ct, n, pair, **other), time.monotonic()
    peer.send(peer.i2(r1, ct, n, pair + (peer.set.options() if options is None else options)), **other)
    theirs = peer.expect(w.R2, when).tag
    wait_until(lambda: peer.daemon.context(peer.addr), 2, "the context is there")
    return ct, theirs


def refuse(peer, sock, kind=NO_ROUTE):
    """The socket sends, and a router refuses the tagged packet."""
    when = time.monotonic()
    sock.send(b"x")

    def tagged():
        found = [p for p in peer.packets(when) if p[2] == w.SHIM6 and p[3][2] & 0x80]
        return found and found[0]

    src, dst, nh, body = wait_until(tagged, 5, "the packet, tagged")
    assert (src, dst) == (peer.iut2, peer.other)
    router = "2001:db8:9::1"
    error = w.icmpv6(router, peer.iut2, *kind, 0, w.ipv6(src, dst, body, nh))
    peer.send(error, src=router, dst=peer.iut2, link=2, next_header=w.ICMPV6)
    return when


def test_t137_void_by_another_pair(peer):
    """I-01, I-03, I-16, A-19: the context looks for another pair at once; one that works makes the error void."""
    ct, theirs = moved(peer)
    before = peer.daemon.counters()
    with connected(peer) as sock:
        when = refuse(peer, sock)
        p = peer.expect(w.PROBE, when, where=lambda m: (m.src, m.dst) == (peer.iut, peer.addr))
        assert told(sock) is None
        own = w.record(peer.addr, peer.iut, 1)
        src, dst, n = p.sent[0]
        peer.send(w.probe(theirs, w.INBOUND_OK, [own], [w.record(src, dst, n)]))
        wait_until(lambda: peer.daemon.context(peer.addr)["counters"]["switches"] == 1, 5, "it switches")
        after = peer.daemon.counters()
        assert after["daemon.errors_void"] == before["daemon.errors_void"] + 1
        assert told(sock) is None and after["daemon.errors_delivered"] == before["daemon.errors_delivered"]


def test_t137_delivered_in_time(peer):
    """I-01, A-19: no pair answers: the socket is told of the newest error after ten seconds. I-07: that nobody listens on
    the port is told at once."""
    moved(peer)
    with connected(peer) as sock:
        refuse(peer, sock, (1, 4))
        assert wait_until(lambda: told(sock), 5, "port unreachable") == (1, 4)
        with contextlib.suppress(OSError):
            sock.recv(1, socket.MSG_DONTWAIT)  # the error may be pending there, too
        began = refuse(peer, sock)
        refuse(peer, sock, (3, 0))
        time.sleep(1)
        assert told(sock) is None
        assert wait_until(lambda: told(sock), 15, "the error") == (3, 0)
        assert 9.5 < time.monotonic() - began < 14
        assert told(sock) is None


def test_t138_one_pair(make_daemon):
    """I-01, T138: nothing else to try: the socket is told at once."""
    daemon, peer = make_daemon()
    # the one locator that the peer lists is not its ULID, and the daemon loses one of its two
    moved(peer, w.locator_list([peer.other]) + w.option(w.PDS, peer.set.pds))
    run("ip", "link", "set", "eth1", "down", ns=daemon.ns)
    wait_until(lambda: not all(e["up"] for e in daemon.context(peer.addr)["locators"]["local"]), 10, "a locator is down")
    with connected(peer) as sock:
        refuse(peer, sock)
        assert wait_until(lambda: told(sock), 5, "the error") == NO_ROUTE
    assert daemon.counters()["daemon.errors_received"] == 0


def test_i02_all_are_delivered(make_daemon):
    """I-02: a configuration that keeps no error from a program."""
    daemon, peer = make_daemon()
    daemon.config.write_text(daemon.config.read_text() + "[contexts]\ndeliver_errors = yes\n")
    assert daemon.ask("reload")["changed"] == ["contexts.deliver_errors"]
    moved(peer)
    with connected(peer) as sock:
        refuse(peer, sock)
        assert wait_until(lambda: told(sock), 5, "the error") == NO_ROUTE
    assert daemon.counters()["daemon.errors_received"] == 0
