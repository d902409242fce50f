# SPDX-License-Identifier: GPL-2.0-or-later
"""Keepalives, the Send Timer and the Keepalive Timeout option with a scripted peer: tests TR14 to TR38, TR70."""
import struct
import time

import pytest
import shim6wire as w
from netns import wait_until
from peer import Peer
from traffic_udp import Udp

SHORT = 3  # s: the smallest Keepalive Timeout that is taken (PT-22)
S = 10  # s: the smallest Send Timeout that can be configured
PLAIN = f"[reap]\nsend_timeout = {S}\nsend_jitter = 0\nprobe_jitter = 0\n"


def timeouts(peer):
    c = peer.daemon.context(peer.addr)
    return c["send_timeout_s"], c["keepalive_timeout_s"]


def update(peer, c, options):
    """An Update Request of the peer's, acknowledged."""
    when, n = time.monotonic(), w.nonce()
    peer.send(w.update(c.theirs, n, options))
    peer.expect(w.UPDATE_ACK, when, where=lambda m: m.nonce == n)


# --- the option -----------------------------------------------------------------


@pytest.mark.parametrize("said, taken", [(30, 30), (10, 10), (65535, 3600), (1, SHORT), (0, 15), (None, 15)])
def test_tr14_tr15_keepalive_timeout(peer, said, taken):
    """PF-18, PF-22, PF-23, PT-22, AMB-R6, PC-05: in an I2, and in an Update Request: X for this context alone; 0 is
    ignored, the rest taken between 3 and 3600 s; Reserved is not looked at."""
    options = [] if said is None else [
        w.keepalive_timeout(said), w.option(w.KEEPALIVE_TIMEOUT, struct.pack("!HH", 0xFFFF, said)),
    ]
    other = Peer(peer.daemon, int(peer.addr.split(":")[3], 16) + 0x1000)
    other.establish()
    for option in options or [b""]:
        peer.establish(peer.set.options() + option)
        assert timeouts(peer)[1] == taken
        peer.daemon.ask("drop", id=peer.daemon.context(peer.addr)["id"])
    c = peer.establish()
    for option in options:
        update(peer, c, w.keepalive_timeout(20))
        assert timeouts(peer)[1] == 20
        update(peer, c, option)
        assert timeouts(peer)[1] == (taken if said else 20)
    assert timeouts(other)[1] == 15 and timeouts(peer)[0] >= 15


def test_tr16_tr17_our_send_timeout(make_daemon):
    """PF-20, PF-21, PT-19, PC-04: another Send Timeout than 15 s is told in R2 and I2, a changed one in one Update
    Request, and again none when it is the default from the start."""
    daemon, peer = make_daemon(config="[reap]\nsend_timeout = 12\n")
    peer.establish()
    r2 = peer.messages(kind=w.R2)[0]
    assert r2.options[w.KEEPALIVE_TIMEOUT] == struct.pack("!HH", 0, 12)
    assert 12 <= timeouts(peer)[0] <= 12 * 1.1
    asked = Peer(daemon, 77)
    when = time.monotonic()
    daemon.ask("establish", local=asked.iut, peer=asked.addr)
    i1 = asked.expect(w.I1, when)
    assert w.KEEPALIVE_TIMEOUT not in i1.options
    asked.send(w.r1(i1.nonce, 77, w.option(w.VALIDATOR, b"validator") + w.keepalive_timeout(30)))
    i2 = asked.expect(w.I2, when)
    assert i2.options[w.KEEPALIVE_TIMEOUT] == struct.pack("!HH", 0, 12)
    asked.send(w.r2(w.tag(), i2.nonce))
    wait_until(lambda: daemon.context(asked.addr)["state"] == "ESTABLISHED", 3, "established")
    assert timeouts(asked)[1] == 15  # PF-19: in an R1 it means nothing

    when = time.monotonic()
    daemon.config.write_text(daemon.config.read_text().replace("send_timeout = 12", "send_timeout = 20"))
    daemon.ask("reload")
    told = peer.expect(w.UPDATE, when)
    assert told.options[w.KEEPALIVE_TIMEOUT] == struct.pack("!HH", 0, 20)
    c = daemon.context(peer.addr)
    peer.send(w.update_ack(int(c["tag"]["local"], 16), told.nonce))
    wait_until(lambda: daemon.counters()["engine.updates_completed"] == 1, 3, "acknowledged")
    assert 20 <= timeouts(peer)[0] <= 22
    daemon.config.write_text(daemon.config.read_text().replace("send_timeout = 20", "send_timeout = 15"))
    daemon.ask("reload")
    fresh = Peer(daemon, 78)
    fresh.establish()
    assert w.KEEPALIVE_TIMEOUT not in fresh.messages(kind=w.R2)[0].options
    assert len({m.nonce for m in peer.messages(when, w.UPDATE)}) == 2  # 20, then 15: each told with one nonce


# --- Keepalives -----------------------------------------------------------------


def times_of(peer, kind, since):
    """When control messages of a type came."""
    return [t for t, p in peer.timed(since) if p[6] == w.SHIM6 and p[42] == kind]


def quiet(peer, since, seconds):
    """Nothing comes for so long; what came since then is returned."""
    deadline = time.monotonic() + seconds
    before = len(peer.packets(since))
    while time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(peer.packets(since)) == before
    return peer.messages(since)


@pytest.mark.parametrize("moved", [False, True])
def test_tr24_tr31_single_packet(peer, moved):
    """PT-07..PT-10, PT-12, PC-06, AMB-R17, AMB-R25: one packet that is not answered: Keepalives of 16 octets without
    any nonce, on the current pair, each Y of X/3 to X/2, the last at X, and then silence. TR35: with and without
    payload header."""
    c, udp = peer.establish(peer.set.options() + w.keepalive_timeout(SHORT)), Udp(peer)
    pair = (peer.iut, peer.addr)
    if moved:
        pair, when = (peer.iut2, peer.other), time.monotonic()
        peer.daemon.ask("explore", id=peer.daemon.context(peer.addr)["id"], local=pair[0], peer=pair[1])
        p = peer.expect(w.PROBE, when)
        peer.send(w.probe(c.theirs, w.OPERATIONAL, [w.record(peer.addr, peer.iut, 1)], [p.records[0]]))
        wait_until(lambda: peer.daemon.context(peer.addr)["rewritten"], 3, "the other pair")
        udp.send()  # stops the Keepalive Timer that the Probe started (PT-04)
        peer.send(w.keepalive(c.theirs))
        peer.fence()
    when = time.monotonic()
    udp.arrives(tag=c.theirs if moved else None)
    wait_until(lambda: len(peer.messages(when, w.KEEPALIVE)) >= 2, SHORT + 3, "Keepalives")
    wait_until(lambda: time.monotonic() > when + SHORT + 0.3, SHORT + 3, "X is over")
    got = quiet(peer, when, SHORT)
    assert all(m.kind == w.KEEPALIVE for m in got) and len(got) in (2, 3)
    for m in got:
        assert (m.src, m.dst) == pair and m.tag == c.own
        assert m.raw == w.keepalive(c.own)  # TR01: the very octets
    times = [t - when for t in times_of(peer, w.KEEPALIVE, when)]
    assert SHORT / 3 - 0.02 <= times[0] <= SHORT / 2 + 0.3, times
    assert abs(times[-1] - SHORT) < 0.3, times
    assert peer.daemon.context(peer.addr)["reap"] == "Operational"
    udp.close()


def test_tr23_one_way_stream(peer):
    """PT-03, PT-14, AMB-R1, AMB-R16: payload one way only: Keepalives at about Y for as long as it flows, and the
    receiver explores nothing. TR25, TR27: own payload or a Keepalive ends them."""
    c, udp = peer.establish(peer.set.options() + w.keepalive_timeout(SHORT)), Udp(peer)
    when = time.monotonic()
    while time.monotonic() < when + 9:
        udp.arrives()
        time.sleep(0.02)
    came = times_of(peer, w.KEEPALIVE, when)
    gaps = [b - a for a, b in zip([when] + came, came)]
    assert 5 <= len(came) <= 9, gaps
    assert all(0.2 <= g <= SHORT / 2 + 0.4 for g in gaps), gaps
    udp.send()
    peer.fence()
    sent = time.monotonic()
    peer.send(w.keepalive(c.theirs))
    assert [m for m in quiet(peer, sent, SHORT + 0.5) if m.kind in (w.KEEPALIVE, w.PROBE)] == []
    assert not peer.messages(when, w.PROBE)
    udp.close()


# --- the Send Timer -------------------------------------------------------------


def test_tr20_to_tr22_tr70_send_timer(make_daemon):
    """PT-01, PT-02, PT-16, PX-05, PX-14, PX-03, PN-03, AMB-R4: four contexts. Nothing comes back in the first: probes
    10 s after its first packet, however many follow, at 0, 0.5, 1, 1.5 and 2.5 s, each pair once, each with its own
    nonce. The others hear a Keepalive, payload, or an Acknowledgement in time."""
    daemon, silent = make_daemon(config=PLAIN)
    peers = [silent] + [Peer(daemon, 100 + i) for i in range(3)]
    contexts = [p.establish() for p in peers]
    sockets = [Udp(p) for p in peers]
    began = time.monotonic()
    for u in sockets:
        u.send()
    first = time.monotonic()
    while time.monotonic() < first + 5:
        time.sleep(0.2)
        for u in sockets:
            u.send()
    peers[1].send(w.keepalive(contexts[1].theirs))
    sockets[2].arrives()
    peers[3].send(w.update(contexts[3].theirs, 1))  # control messages count as payload (AMB-R10)
    answered = time.monotonic()
    sockets[0].send()
    wait_until(lambda: len(silent.messages(began, w.PROBE)) >= 5, S + 8, "five probes")
    probes = silent.messages(began, w.PROBE)[:5]
    times = [t - began for t in times_of(silent, w.PROBE, began)][:5]
    assert S - 0.05 <= times[0] <= S + (first - began) + 0.5, times
    for got, tau in zip(times, (0, 0.5, 1, 1.5, 2.5)):
        assert abs(got - times[0] - tau) < 0.25, times
    assert all(m.state == w.EXPLORING and not m.received for m in probes)
    pairs = [(m.src, m.dst) for m in probes]
    assert len(set(pairs[:4])) == 4 and pairs[4] == pairs[0] == (silent.iut, silent.addr)
    assert len({m.sent[0][2] for m in probes}) == 5
    assert pairs[1] == (silent.iut2, silent.other)  # PX-15
    assert time.monotonic() < answered + S  # the others' timers are not over
    for p in peers[1:]:
        assert daemon.context(p.addr)["reap"] == "Operational" and not p.messages(began, w.PROBE)
    for u in sockets:
        u.close()


def test_tr34_icmp_is_no_proof(peer):
    """PI-13, PA-12, PA-11: "no route" about a packet of the context: a test, by a Probe; the pair changes with nothing
    but a report. About a packet with another tag, or of the peer's ULID pair in plain: not even that."""
    c, udp = peer.establish(), Udp(peer)
    when = time.monotonic()
    peer.daemon.ask("explore", id=peer.daemon.context(peer.addr)["id"], local=peer.iut2, peer=peer.other)
    p = peer.expect(w.PROBE, when)
    peer.send(w.probe(c.theirs, w.INBOUND_OK, [w.record(peer.addr, peer.iut, 1)], [p.records[0]]))
    wait_until(lambda: peer.daemon.context(peer.addr)["rewritten"], 3, "the other pair")
    when = time.monotonic()
    udp.send()
    sent = wait_until(lambda: [x for x in peer.packets(when) if b"payload" in x[3]], 3, "payload")[0]

    def told(tag):
        body = bytearray(sent[3])
        body[2:8] = tag.to_bytes(6, "big")
        body[2] |= 0x80
        quote = w.ipv6(peer.iut2, peer.other, bytes(body))
        peer.send(w.icmpv6("2001:db8:9::1", peer.iut2, 1, 0, 0, quote), src="2001:db8:9::1", dst=peer.iut2, link=2,
                  next_header=w.ICMPV6)
        peer.fence()

    told(c.own ^ 1)
    assert not peer.messages(when, w.PROBE)
    before = peer.daemon.context(peer.addr)["counters"]["switches"]
    told(c.own)
    probe = peer.expect(w.PROBE, when)
    assert (probe.src, probe.dst, probe.state) == (peer.iut2, peer.other, w.EXPLORING)
    assert peer.daemon.context(peer.addr)["current"] == {"local": peer.iut2, "peer": peer.other}
    peer.send(w.probe(c.theirs, w.INBOUND_OK, [w.record(peer.addr, peer.iut, 2)], [probe.records[0]]))
    wait_until(lambda: peer.daemon.context(peer.addr)["reap"] == "Operational", 3, "the pair works")
    after = peer.daemon.context(peer.addr)
    assert after["current"] == {"local": peer.iut2, "peer": peer.other} and after["counters"]["switches"] == before
    udp.close()
