# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes with a scripted peer: what they carry, what they may do, which pair they choose. Timers and Keepalives are in
test_reap_timers.py."""
import time

import control
import shim6wire as w
from lab import SHIM6D
from netns import run, wait_until
from traffic_udp import Udp


def states(peer):
    c = peer.daemon.context(peer.addr)
    return c["reap"], c["current"], c["state"]


def explores(peer, c):
    """The daemon is told to explore; its first probe."""
    when = time.monotonic()
    peer.daemon.ask("explore", id=peer.daemon.context(peer.addr)["id"])
    p = peer.expect(w.PROBE, when, where=lambda m: m.state == w.EXPLORING)
    assert p.tag == c.own
    assert p.sent[0][:2] == (p.src, p.dst)
    return p


def reports(c, p, state=w.INBOUND_OK, also=(), n=None):
    """A Probe of the peer's that reports our probe p and others; without p, nothing."""
    own = w.record(c.peer, c.local, w.nonce() if n is None else n)
    return w.probe(c.theirs, state, [own], [x.records[0] for x in ([p] if p else []) + list(also)])


def operational(peer):
    return wait_until(lambda: states(peer)[0] == "Operational", 3, "Operational")



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
    """PA-09, PN-07, V-04, TR80, TR82: the pair that the peer reports is taken. PI-15: the Probe has the tag, as tagged
    payload has."""
    c = peer.establish()
    when = time.monotonic()
    wanted = {"local": peer.iut2, "peer": peer.other}
    peer.daemon.ask("explore", id=peer.daemon.context(peer.addr)["id"], **wanted)
    p = peer.expect(w.PROBE, when)
    assert (p.src, p.dst) == (peer.iut2, peer.other)
    assert p.tag == c.own and len(p.raw) == 16 + 40 * len(p.records)  # PI-14: no padding
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
    """PF-13, PF-16, TR08: state 3, no sent record, records past the end: dropped, REAP is not touched."""
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


# --- what a probe carries -------------------------------------------------------


def test_tr02_tr03_reserved_and_options(peer):
    """PF-01, PF-02, PF-06, PF-19, TR18: any value of reserved fields, options that nobody knows or that do not belong
    there are passed over; the critical one is told, and the message does nothing."""
    c = peer.establish()
    before = peer.daemon.context(peer.addr)
    own = [w.record(peer.addr, peer.iut, 7)]
    unknown = w.option(100, b"\xde\xad\xbe\xef")
    for i, body in enumerate((
        w.keepalive(c.theirs), w.message(w.KEEPALIVE, w.tag6(c.theirs, r=1) + b"\xff" * 4, reserved=0x7F),
        w.keepalive(c.theirs, unknown), w.keepalive(c.theirs, w.keepalive_timeout(30)),
    )):
        peer.send(body)
        peer.fence()
        assert peer.daemon.context(peer.addr)["counters"]["keepalives_received"] == i + 1
    head = w.tag6(c.theirs, r=1) + bytes([0x01, w.OPERATIONAL << 6 | 0x3F, 0xFF, 0xFF])
    for i, body in enumerate((
        w.message(w.PROBE, head + own[0], reserved=0x7F), w.probe(c.theirs, w.OPERATIONAL, own, options=unknown),
        w.probe(c.theirs, w.OPERATIONAL, own, options=w.keepalive_timeout(30)),
    )):
        peer.send(body)
        peer.fence()
        assert peer.daemon.context(peer.addr)["counters"]["probes_received"] == i + 1
    for body, pointer in (
        (w.keepalive(c.theirs, w.option(100, b"\xde\xad\xbe\xef", critical=True)), 40 + 16),
        (w.keepalive(c.theirs, w.keepalive_timeout(30, critical=True)), 40 + 16),
        (w.probe(c.theirs, w.EXPLORING, own, options=w.option(100, b"", critical=True)), 40 + 56),
    ):
        when = time.monotonic()
        packet = peer.send(body)
        e = peer.expect(w.ERROR, when)
        assert (e.code, e.pointer) == (1, pointer) and packet.startswith(e.quote[:40])
    after = peer.daemon.context(peer.addr)
    assert (after["counters"]["keepalives_received"], after["counters"]["probes_received"]) == (4, 3)
    assert after["keepalive_timeout_s"] == before["keepalive_timeout_s"] == 15 and after["reap"] == "Operational"


def test_tr05_tr06_strangers(peer):
    """PI-01, PI-02, L-07: Keepalive and Probe with a tag that nobody has, or from an address that is no locator of the
    peer's: R1bis, and nothing for REAP."""
    c = peer.establish()
    before = peer.daemon.context(peer.addr)["counters"]
    for tag, src in ((c.theirs ^ 1, peer.addr), (c.theirs, peer.stranger)):
        for body in (w.keepalive(tag), w.probe(tag, w.EXPLORING, [w.record(src, peer.iut, 1)])):
            when = time.monotonic()
            peer.send(body, src=src)
            answer = peer.expect(w.R1BIS, when)
            assert (answer.tag, answer.dst) == (tag, src)
            peer.fence()
            assert not peer.messages(when, w.PROBE)
    assert peer.daemon.context(peer.addr)["counters"] == before and states(peer)[0] == "Operational"


def test_tr07_before_established(peer):
    """PF-05, PI-03, AMB-R20, PZ-03: in I1-SENT and I2-SENT there is no REAP; of an I2-SENT the I2 goes again."""
    when = time.monotonic()
    peer.daemon.ask("establish", local=peer.iut, peer=peer.addr)
    i1 = peer.expect(w.I1, when)

    def nothing_for_reap():
        for body in (w.keepalive(i1.tag), w.probe(i1.tag, w.EXPLORING, [w.record(peer.addr, peer.iut, 1)])):
            peer.send(body)
        peer.fence()
        assert not peer.messages(when, w.PROBE) and not peer.messages(when, w.KEEPALIVE)
        assert peer.daemon.context(peer.addr)["counters"]["probes_received"] == 0

    nothing_for_reap()
    peer.send(w.r1(i1.nonce, 77, w.option(w.VALIDATOR, b"validator")))
    peer.expect(w.I2, when)
    nothing_for_reap()
    assert peer.daemon.context(peer.addr)["state"] == "I2-SENT"


def test_tr09_data_is_echoed(peer):
    """PF-11, PF-12, AMB-R13: a received record is record 1 of the probe, octet by octet, also where it is not the
    addresses of the packet; our own Data is 0."""
    c = peer.establish()
    for own in (w.record(peer.addr, peer.iut, 5, 0xCAFEF00D), w.record(peer.stranger, peer.iut2, 6, 0xFFFFFFFF)):
        when = time.monotonic()
        peer.send(w.probe(c.theirs, w.EXPLORING, [own]))
        p = peer.expect(w.PROBE, when, where=lambda m: own in m.records[len(m.sent):])
        assert (p.src, p.dst) == (peer.iut, peer.addr) and p.state == w.INBOUND_OK
        assert all(r[36:40] == bytes(4) for r in p.records[: len(p.sent)])


def test_tr11_more_than_fifteen(peer):
    """PC-08, PF-15, PN-12: of twenty probes fifteen are reported, the last one among them; all fits 1280 octets."""
    c, when = peer.establish(), time.monotonic()
    for i in range(20):
        peer.send(w.probe(c.theirs, w.EXPLORING, [w.record(peer.addr, peer.iut, 100 + i)]))
    peer.fence()
    p = peer.expect(w.PROBE, when, where=lambda m: (peer.addr, peer.iut, 119) in m.received and len(m.received) == 15)
    assert {r[2] for r in p.received} == set(range(105, 120))
    assert 1 <= len(p.sent) <= 15 and p.sent[0][:2] == (p.src, p.dst) and len(p.raw) + 40 <= 1280


def test_tr10_state_after_sending(peer):
    """PF-14, PS-16, PS-20, PS-22, AMB-R3, TR69: each Probe carries the state that it leads to; one in Operational is
    never answered."""
    c, when = peer.establish(), time.monotonic()
    own = [w.record(peer.addr, peer.iut, 1)]
    for _ in range(3):
        peer.send(w.probe(c.theirs, w.OPERATIONAL, own))
    peer.nothing(when)
    p = explores(peer, c)
    when = time.monotonic()
    peer.send(reports(c, p))
    peer.expect(w.PROBE, when, where=lambda m: m.state == w.OPERATIONAL)
    assert states(peer)[0] == "Operational"
    when = time.monotonic()
    peer.send(w.probe(c.theirs, w.EXPLORING, [w.record(peer.addr, peer.iut, 2)]))
    peer.expect(w.PROBE, when, where=lambda m: m.state == w.INBOUND_OK)
    assert states(peer)[0] == "InboundOk"
    assert peer.daemon.context(peer.addr)["counters"]["episodes"] == 2


# --- which pair it chooses ------------------------------------------------------


def test_tr96_nothing_reported(peer):
    """AMB-R7: a Probe InboundOk without records says that the pair in use works: it stays, and is confirmed."""
    c = peer.establish()
    explores(peer, c)
    before, when = states(peer), time.monotonic()
    peer.send(reports(c, None))
    operational(peer)
    p = peer.expect(w.PROBE, when, where=lambda m: m.state == w.OPERATIONAL)
    assert states(peer)[1] == before[1] == {"local": p.src, "peer": p.dst}


def test_tr97_which_of_several(peer):
    """PN-09, AMB-R8: with reports of the pair in use and of others it stays."""
    c = peer.establish()
    first = explores(peer, c)
    assert (first.src, first.dst) == (peer.iut, peer.addr)
    other = peer.expect(w.PROBE, peer.began, where=lambda m: (m.src, m.dst) != (first.src, first.dst))
    peer.send(reports(c, other, also=[first]))
    operational(peer)
    assert states(peer)[1] == {"local": peer.iut, "peer": peer.addr}


def test_tr81_tr100_repeated_report(peer):
    """AMB-R14, PN-13: a Probe InboundOk that comes again, because our confirmation was lost, is confirmed again, with
    what was received."""
    c = peer.establish()
    p = explores(peer, c)
    for n in (31, 32, 33):
        when = time.monotonic()
        peer.send(reports(c, p, n=n))
        again = peer.expect(w.PROBE, when, where=lambda m: m.state == w.OPERATIONAL)
        assert (peer.addr, peer.iut, n) in again.received and states(peer)[0] == "Operational"
    assert peer.daemon.context(peer.addr)["counters"]["episodes"] == 1


def test_tr102_report_of_the_episode_before(peer):
    """AMB-R12, AMB-R14: what reports a probe of an earlier episode ends no later one."""
    c = peer.establish()
    old = explores(peer, c)
    peer.send(reports(c, old))
    operational(peer)
    explores(peer, c)
    for state in (w.OPERATIONAL, w.INBOUND_OK):
        peer.send(reports(c, old, state))
        peer.fence()
        assert states(peer)[0] == "Exploring"


def test_tr103_probe_op_moves_the_pair(peer):
    """PS-29, AMB-R2, PN-07: a Probe Operational that reports one of ours ends the episode on that pair, and is not
    answered."""
    c = peer.establish()
    explores(peer, c)
    other = peer.expect(w.PROBE, peer.began, where=lambda m: (m.src, m.dst) != (peer.iut, peer.addr))
    sent = len(peer.messages(kind=w.PROBE))
    peer.send(reports(c, other, w.OPERATIONAL))
    operational(peer)
    assert states(peer)[1] == {"local": other.src, "peer": other.dst}
    peer.fence()
    assert len(peer.messages(kind=w.PROBE)) == sent
    listed = peer.daemon.context(peer.addr)["locators"]["peer"]
    assert {e["addr"]: e["probed"] for e in listed}[other.dst]


def test_tr106_r1bis_during_exploration(peer):
    """PI-04: a probe that meets R1bis: recovery, and REAP begins anew in Operational, its lists empty."""
    c = peer.establish()
    p = explores(peer, c)
    when = time.monotonic()
    peer.send(w.r1bis(c.own, 33, w.option(w.VALIDATOR, b"v" * 12)), src=p.dst, dst=p.src)
    i2bis = peer.expect(w.I2BIS, when)
    assert i2bis.tag == c.theirs and states(peer)[2] == "I2BIS-SENT"
    new, when = w.tag(), time.monotonic()
    peer.send(w.r2(new, i2bis.nonce, peer.set.options(generation=2)), src=p.dst, dst=p.src)
    wait_until(lambda: states(peer)[2] == "ESTABLISHED", 3, "established again")
    assert states(peer)[0] == "Operational"
    peer.send(reports(c, p))  # of before: nothing to match it with
    answer = peer.expect(w.PROBE, when)
    assert (answer.tag, answer.state, len(answer.sent), len(answer.received)) == (new, w.OPERATIONAL, 1, 1)
    assert states(peer)[:2] == ("Operational", {"local": peer.iut, "peer": peer.addr})


def test_tr82_payload_stays_until_confirmed(peer):
    """PS-30, PA-14, PI-05: during an exploration payload goes where it went; after it on the new pair with the header;
    back on the ULIDs without."""
    c = peer.establish()
    udp = Udp(peer)
    explores(peer, c)
    other = peer.expect(w.PROBE, peer.began, where=lambda m: (m.src, m.dst) != (peer.iut, peer.addr))

    def goes(src, dst, next_header):
        when = time.monotonic()
        udp.send(b"payload")
        got = wait_until(lambda: [p[:3] for p in peer.packets(when) if b"payload" in p[3]], 3, "payload")
        assert got == [(src, dst, next_header)]

    goes(peer.iut, peer.addr, w.UDP)
    peer.send(reports(c, other))
    operational(peer)
    goes(other.src, other.dst, w.SHIM6)
    when = time.monotonic()
    peer.daemon.ask("explore", id=peer.daemon.context(peer.addr)["id"], local=peer.iut, peer=peer.addr)
    goes(other.src, other.dst, w.SHIM6)
    peer.send(reports(c, peer.expect(w.PROBE, when, where=lambda m: (m.src, m.dst) == (peer.iut, peer.addr))))
    operational(peer)
    goes(peer.iut, peer.addr, w.UDP)
    udp.close()


def test_tr86_peer_marks_broken(peer):
    """PI-06, AMB-R21, E10: the peer's locator in use is BROKEN: probes to the other one at once; the pair changes with
    the report. TR87, PI-11, PI-12: it is told as events and in the log."""
    c, began = peer.establish(), time.monotonic()
    broken = w.option(w.PREFERENCES, bytes([0, 0, 0, 1, 1, 1, 0]))  # generation 1, one octet each
    when = time.monotonic()
    peer.send(w.update(c.theirs, 9, broken))
    peer.expect(w.UPDATE_ACK, when)
    p = peer.expect(w.PROBE, when)
    assert p.state == w.EXPLORING and p.dst == peer.other
    assert states(peer)[1] == {"local": peer.iut, "peer": peer.addr}
    peer.send(reports(c, p), src=peer.other)
    operational(peer)
    assert states(peer)[1] == {"local": p.src, "peer": p.dst}
    assert all(m.dst == peer.other for m in peer.messages(when, w.PROBE))
    with control.Client(peer.daemon.socket) as client:
        client.call("events", since=0)
        mine = peer.daemon.context(peer.addr)["id"]
        events = []
        while not events or events[-1]["type"] != "switched":
            e = client.line()["event"]
            events += [e] if e["id"] == mine else []
    assert [e["type"] for e in events if e["type"] in ("exploring", "switched")] == ["exploring", "switched"]
    assert events[-1]["to"] == {"local": p.src, "peer": p.dst} and events[-1]["probes"] >= 1
    assert events[-1]["took_ms"] <= (time.monotonic() - began) * 1000
    log = peer.daemon.log.read_text()
    assert any(f"to {peer.other}" in line and "no longer" in line for line in log.splitlines())


def test_tr101_where_nonces_come_from():
    """PN-02, RFC 4086: the daemon takes random octets from the kernel, and has no other generator for them."""
    symbols = run("nm", "-D", "--undefined-only", SHIM6D).stdout.split()
    used = {s.split("@")[0] for s in symbols}
    assert "getrandom" in used
    assert not used & {"rand", "srand", "rand_r", "random", "srandom", "drand48", "lrand48", "mrand48", "initstate"}


# --- facts of the host ----------------------------------------------------------


def test_tr83_link_down(make_daemon):
    """PA-20, PA-17, PX-21, TR84: the link in use goes down: a first probe from the other one at once, none from this
    one, and the peer is told which locator is BROKEN."""
    daemon, peer = make_daemon()
    c, when = peer.establish(), time.monotonic()
    run("ip", "link", "set", "eth1", "down", ns=daemon.ns)
    p = peer.expect(w.PROBE, when)
    assert p.src == peer.iut2 and p.state == w.EXPLORING
    update = peer.expect(w.UPDATE, when)
    assert update.src == peer.iut2 and update.tag == c.own
    flags = update.options[w.PREFERENCES]
    listed = [a["addr"] for a in daemon.context(peer.addr)["locators"]["local"]]
    assert flags[4] == 1 and len(flags) == 5 + len(listed) == 7
    assert flags[5 + listed.index(peer.iut)] & 1 and not flags[5 + listed.index(peer.iut2)] & 1
    peer.send(w.update_ack(c.theirs, update.nonce), dst=peer.iut2, link=2)
    first = daemon.context(peer.addr)
    peer.send(reports(c, p), dst=peer.iut2, link=2)
    wait_until(lambda: daemon.context(peer.addr)["current"] == {"local": p.src, "peer": p.dst}, 3, "the other link")
    assert first["current"]["local"] == peer.iut
    assert all(m.src == peer.iut2 for m in peer.messages(when, w.PROBE))


def test_router_fails(make_daemon):
    """PA-06, PA-07, PA-20: the only router of a link stops answering: its locator is down, and what uses it is tested
    on the other link at once; the router is back, and the locator with it."""
    daemon, peer = make_daemon()
    peer.establish()
    when = time.monotonic()

    def router(*state):
        run("ip", "neigh", "replace", "fe80::1", "dev", "eth1", *state, ns=daemon.ns)

    def up():
        return {l["ifname"]: l["up"] for l in daemon.ask("locators")["locators"]}

    router("nud", "failed")
    p = peer.expect(w.PROBE, when)
    assert p.src == peer.iut2 and p.state == w.EXPLORING
    assert up() == {"eth1": False, "eth2": True}
    assert daemon.context(peer.addr)["current"]["local"] == peer.iut
    router("lladdr", "02:00:00:00:00:01", "nud", "permanent")
    wait_until(lambda: up() == {"eth1": True, "eth2": True}, 3, "the router is back")


def test_available_addresses(make_daemon):
    """PA-01, PA-03, PA-04, PA-16: link-local and site-local addresses are no locators, tentative ones not yet,
    deprecated ones still; one that goes is gone at once."""
    daemon, _ = make_daemon()
    ns = daemon.ns

    def locators():
        return {l["addr"]: l for l in daemon.ask("locators")["locators"]}

    run("ip", "addr", "add", "fec0::7/64", "dev", "eth1", "nodad", ns=ns)
    run("ip", "addr", "add", "2001:db8:1:1::7/64", "dev", "eth1", "nodad", ns=ns)
    wait_until(lambda: "2001:db8:1:1::7" in locators(), 3, "the new address")
    assert "fe80" in run("ip", "-6", "addr", "show", "dev", "eth1", ns=ns).stdout
    assert not [a for a in locators() if a.startswith(("fe80", "fec0", "ff"))]
    assert not locators()["2001:db8:1:1::7"]["hba"] and not locators()["2001:db8:1:1::7"]["deprecated"]
    run("ip", "addr", "change", "2001:db8:1:1::7/64", "dev", "eth1", "preferred_lft", "0", "valid_lft", "100", ns=ns)
    wait_until(lambda: locators()["2001:db8:1:1::7"]["deprecated"], 3, "deprecated")
    run("ip", "addr", "del", "2001:db8:1:1::7/64", "dev", "eth1", ns=ns)
    wait_until(lambda: "2001:db8:1:1::7" not in locators(), 3, "gone")
