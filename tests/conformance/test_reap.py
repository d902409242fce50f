# SPDX-License-Identifier: GPL-2.0-or-later
"""Reachability with a scripted peer: tests TR94, TR98, TR105, and what a probe may do."""
import time

import shim6wire as w
from netns import wait_until


def states(peer):
    c = peer.daemon.context(peer.addr)
    return c["reap"], c["current"], c["state"]


def explores(peer, c):
    """The daemon is told to explore; its first probe."""
    when = time.monotonic()
    peer.daemon.ask("explore", id=peer.daemon.context(peer.addr)["id"])
    p = peer.expect(w.PROBE, when)
    assert p.state == w.EXPLORING and p.tag == c.own
    assert p.sent[0][:2] == (p.src, p.dst)
    return p


def test_tr94_records_that_lie(peer):
    """PN-06, PN-10: reports of probes that were never sent so: no change of pair or state, and a counter."""
    c = peer.establish()
    p = explores(peer, c)
    src, dst, n = p.sent[0]
    before = states(peer)
    assert before[0] == "Exploring"
    lies = [
        (src, dst, n ^ 1), (peer.iut2 if src == peer.iut else peer.iut, dst, n), (src, peer.stranger, n),
        (peer.stranger, peer.stranger, n), (dst, src, n),
    ]
    for lie in lies:
        own = w.record(peer.addr, peer.iut, w.nonce())
        stats = peer.daemon.counters()
        peer.send(w.probe(c.theirs, w.INBOUND_OK, [own], [w.record(*lie)]))
        peer.fence()
        assert states(peer)[1] == before[1] and states(peer)[0] != "Operational", lie
        print({k for k, v in peer.daemon.counters().items() if v != stats[k]})
    own = w.record(peer.addr, peer.iut, w.nonce())
    late = [p for p in peer.messages(kind=w.PROBE)][-1]
    peer.send(w.probe(c.theirs, w.INBOUND_OK, [own], [w.record(*late.sent[0])]))
    wait_until(lambda: states(peer)[0] == "Operational", 3, "the truth is believed")
    assert states(peer)[1] == {"local": late.src, "peer": late.dst}


def test_return_routability(peer):
    """PA-09, PN-07, V-04: the pair that the peer reports is taken."""
    c = peer.establish()
    when = time.monotonic()
    wanted = {"local": peer.iut2, "peer": peer.other}
    peer.daemon.ask("explore", id=peer.daemon.context(peer.addr)["id"], **wanted)
    p = peer.expect(w.PROBE, when)
    assert (p.src, p.dst) == (peer.iut2, peer.other)
    peer.send(w.probe(c.theirs, w.INBOUND_OK, [w.record(peer.other, peer.iut2, 1)], [w.record(*p.sent[0])]),
              src=peer.other, dst=peer.iut2, link=2)
    wait_until(lambda: states(peer)[:2] == ("Operational", wanted), 3, "the pair is taken")
    last = peer.expect(w.PROBE, when, where=lambda m: m.state == w.OPERATIONAL)
    assert (peer.other, peer.iut2, 1) in last.received


def test_tr98_probe_twice(peer):
    """PF-08, PN-03, PN-05, PN-11: the same probe twice: an answer to each, one record."""
    c, when = peer.establish(), time.monotonic()
    body = w.probe(c.theirs, w.EXPLORING, [w.record(peer.addr, peer.iut, 4711)])
    peer.send(body)
    first = peer.expect(w.PROBE, when)
    assert first.state == w.INBOUND_OK and first.received == [(peer.addr, peer.iut, 4711)]
    time.sleep(0.3)  # the rate of answers is limited
    again = time.monotonic()
    peer.send(body)
    second = peer.expect(w.PROBE, again)
    assert second.state == w.INBOUND_OK and second.received == [(peer.addr, peer.iut, 4711)]
    assert second.sent[0][2] != first.sent[0][2]


def test_probes_must_be_whole(peer):
    """PF-16: state 3, no sent record, records past the end: dropped, REAP is not touched."""
    c = peer.establish()
    own = [w.record(peer.addr, peer.iut, 1)]
    bad = [
        w.probe(c.theirs, 3, own), w.message(w.PROBE, w.tag6(c.theirs) + bytes(4) + bytes(40)),
        w.message(w.PROBE, w.tag6(c.theirs) + b"\x12\x40\0\0" + bytes(40)),
        w.message(w.PROBE, w.tag6(c.theirs) + b"\xff\x40\0\0" + bytes(400)),
    ]
    for body in bad:
        peer.dropped(lambda: peer.send(body), "drop_probe", "drop_min_length")
    assert states(peer)[0] == "Operational"


def test_tr105_probe_flood(peer):
    """PZ-05, PX-20: a thousand probes a second with a right tag: at most four answers a second, none larger than what
    it reports."""
    c, began = peer.establish(), time.monotonic()
    for i in range(3000):
        peer.send(w.probe(c.theirs, w.EXPLORING, [w.record(peer.addr, peer.iut, i)]))
        time.sleep(0.0005)
    took = time.monotonic() - began
    peer.fence()
    answers = peer.messages(began, w.PROBE)
    # beside the answers go the timed probes of its own episode, which name earlier ones: each half second, then slower
    timed = [m for m in answers if len(m.sent) > 1]
    assert len(timed) <= took / 0.4 + 2 and len(answers) - len(timed) <= 4 * (took + 1) + 1
    assert len(answers) >= 4
    assert max(len(m.raw) for m in answers if m not in timed) <= 16 + 40 * (1 + 15)
    stats = peer.daemon.counters()
    assert stats["daemon.turns_slow"] == 0
    assert states(peer)[2] == "ESTABLISHED"
