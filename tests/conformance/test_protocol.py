# SPDX-License-Identifier: GPL-2.0-or-later
"""Handshakes, unknown tags, R1bis and floods: tests T042 to T062, T080, T081, T086, T095."""
import random
import socket
import time

import pytest
import shim6wire as w
from lab import ALL
from netns import inside, wait_until


def test_handshake_of_both_kinds(peer):
    """T063: a peer with nothing but its ULID. Our list comes with R2: W-01, C-01, C-05, E-10, E-20, E-63, E-81,
    W-50..W-52, W-62, W-69, W-72, V-12."""
    ct, n = w.tag(), w.nonce()
    answer, when = peer.ask(ct, n), time.monotonic()
    assert answer.tag is not None and len(answer.options[w.VALIDATOR]) >= 12
    peer.send(peer.i2(answer, ct, n))
    r2 = peer.expect(w.R2, when)
    assert (r2.src, r2.dst, r2.nonce) == (peer.iut, peer.addr, n)
    assert {w.LOCATORS, w.PDS} <= r2.options.keys()
    listed = r2.options[w.LOCATORS]
    assert listed[4] == 2 and listed[5:7] == b"\1\1"
    assert [w.text(listed[12:28]), w.text(listed[28:44])] in ([peer.iut, peer.iut2], [peer.iut2, peer.iut])
    for address in (peer.iut, peer.iut2):
        assert w.hba_address(r2.options[w.PDS], w.packed(address)[:8]) == address
    c = peer.daemon.context(peer.addr)
    assert c["state"] == "ESTABLISHED" and [e["addr"] for e in c["locators"]["peer"]] == [peer.addr]
    assert (int(c["tag"]["peer"], 16), int(c["tag"]["local"], 16)) == (ct, r2.tag)
    assert not c["initiator"] and c["fii"] == 0


def test_list_is_verified(peer):
    """T100 to T102, V-02, V-09, E-62, E-65: an honest list is taken; one with a foreign locator, or of other addresses,
    makes no context."""
    answer = peer.ask(ct := w.tag(), n := w.nonce())
    forged = w.locator_list([peer.addr, "2001:db8:5::1"]) + w.option(w.PDS, peer.set.pds)
    when = time.monotonic()
    peer.send(peer.i2(answer, ct, n, forged))
    e = peer.expect(w.ERROR, when)
    assert e.code == 2 and e.quote[e.pointer] == 1  # the method octet of the locator in question
    foreign = w.HbaSet("2001:db8:5::", "2001:db8:6::")
    peer.send(peer.i2(answer, ct, n, foreign.options()))
    peer.send(peer.i2(answer, ct, n, w.locator_list(peer.set.addresses)))  # W-72: no list without proof
    peer.fence()
    assert peer.daemon.context(peer.addr) is None and not peer.messages(when, w.R2)
    peer.establish()
    c = peer.daemon.context(peer.addr)
    assert [e["addr"] for e in c["locators"]["peer"]] == peer.set.addresses
    assert all(e["verified"] for e in c["locators"]["peer"]) and not any(e["broken"] for e in c["locators"]["peer"])


def test_t052_i2_tampered(peer):
    """Anything changed between R1 and I2 that the validator covers: silence (E-21, E-22, E-60, E-62, E-25)."""
    ct, n = w.tag(), w.nonce()
    r1 = peer.ask(ct, n)
    validator, rn = r1.options[w.VALIDATOR], r1.responder_nonce

    def refused(ct=ct, n=n, rn=rn, validator=validator, options=b"", **kw):
        message = w.i2(ct, n, rn, w.option(w.VALIDATOR, validator) + options)
        peer.dropped(lambda: peer.send(message, **kw), "drop_bad_validator", "drop_stale_nonce",
                     "drop_validator_too_long", "drop_source_locator", "drop_ulid_not_local", "drop_pds")

    refused(ct=ct ^ 1)
    refused(rn=rn ^ 1)
    refused(rn=(rn + 0x80000000) & 0xFFFFFFFF)
    for at in (0, len(validator) // 2, len(validator) - 1):
        refused(validator=validator[:at] + bytes([validator[at] ^ 1]) + validator[at + 1 :])
    refused(validator=validator[:-1])
    refused(validator=validator + b"\0")
    refused(validator=bytes(len(validator)))
    refused(validator=bytes(1000))
    refused(src=peer.other)
    refused(dst=peer.iut2)
    refused(options=w.ulid_pair(peer.other, peer.iut))
    refused(options=w.ulid_pair(peer.addr, peer.iut2))
    refused(options=w.option(w.FII, b"\0\0\0\1"))
    assert peer.daemon.context(peer.addr) is None
    when = time.monotonic()
    peer.send(peer.i2(r1, ct, w.nonce()))  # T053: its nonce may be another
    assert peer.expect(w.R2, when)


def test_t055_i2_again(peer):
    """E-66, N-04"""
    ct, n = w.tag(), w.nonce()
    r1, when = peer.ask(ct, n), time.monotonic()
    i2 = peer.i2(r1, ct, n, peer.set.options())
    peer.send(i2)
    peer.send(i2)
    wait_until(lambda: len(peer.messages(when, w.R2)) == 2, 3, "two R2")
    assert len({m.tag for m in peer.messages(when, w.R2)}) == 1
    assert peer.daemon.context(peer.addr)


def test_t056_i1_of_a_context(peer):
    """An I1 with the tag of the context gets its R2; with another tag an R1, and the context stays (E-08, E-09, E-11,
    E-86, S-04)."""
    c, n, when = peer.establish(), w.nonce(), time.monotonic()
    peer.send(w.i1(c.own, n))
    r2 = peer.expect(w.R2, when)
    assert (r2.tag, r2.nonce) == (c.theirs, n)
    before = peer.daemon.context(peer.addr)
    assert peer.ask(ct=c.own ^ 1)
    after = peer.daemon.context(peer.addr)
    assert (after["tag"], after["state"], after["id"]) == (before["tag"], before["state"], before["id"])


def test_t059_t060_foreign_ulids(peer):
    """E-12, E-67: no context for a ULID that is not ours, nor in the name of a victim from elsewhere."""
    peer.dropped(lambda: peer.send(w.i1(w.tag(), w.nonce(), w.ulid_pair(peer.addr, "2001:db8:1:1::77"))),
                 "drop_ulid_not_local")
    victim = f"2001:db8:4:{random.getrandbits(16):x}::1"
    ct, n, pair = w.tag(), w.nonce(), w.ulid_pair(victim, peer.iut)
    r1 = peer.ask(ct, n, pair)
    peer.dropped(lambda: peer.send(peer.i2(r1, ct, n, pair)), "drop_source_locator", "drop_pds")
    assert peer.daemon.context(victim) is None


def test_ulid_pair_of_ours(peer):
    """T058, E-07: a handshake on other locators than the ULIDs, proved by the set."""
    ct, n, pair = w.tag(), w.nonce(), w.ulid_pair(peer.addr, peer.iut)
    r1, when = peer.ask(ct, n, pair, src=peer.other, dst=peer.iut2, link=2), time.monotonic()
    peer.send(peer.i2(r1, ct, n, pair + peer.set.options()), src=peer.other, dst=peer.iut2, link=2)
    r2 = peer.expect(w.R2, when)
    assert (r2.src, r2.dst) == (peer.iut2, peer.other)
    assert peer.daemon.context(peer.addr)["ulid"] == {"local": peer.iut, "peer": peer.addr}


def test_tags_are_not_used_again(peer):
    """G-04, K-06, G-05: the tags of contexts that come and go are all different, and none looks like the last."""
    tags = []
    for _ in range(40):
        tags.append(peer.establish(options=b"").theirs)
        peer.daemon.ask("drop", id=peer.daemon.context(peer.addr)["id"])
    assert len(set(tags)) == 40 and not any(t >> 47 for t in tags)
    assert len({t >> 40 for t in tags}) > 20 and len({t & 0x7F for t in tags}) > 20


# --- the daemon asks ------------------------------------------------------------


def asked(peer):
    when = time.monotonic()
    made = peer.daemon.ask("establish", local=peer.iut, peer=peer.addr)
    return peer.expect(w.I1, when), made["id"]


def answer(peer, i1, ct):
    """R1 and R2 of the scripted peer."""
    when = time.monotonic()
    peer.send(w.r1(i1.nonce, 77, w.option(w.VALIDATOR, b"validator")))
    i2 = peer.expect(w.I2, when)
    assert i2.options[w.VALIDATOR] == b"validator" and i2.responder_nonce == 77 and i2.tag == i1.tag
    peer.send(w.r2(ct, i2.nonce))
    wait_until(lambda: peer.daemon.context(peer.addr)["state"] == "ESTABLISHED", 2, "established")


def test_t049_t050_wrong_and_repeated_r1(peer):
    """L-03, L-04, E-29, E-40, E-82, N-03, S-03, S-05, W-69, W-70"""
    i1, _ = asked(peer)
    good = w.r1(i1.nonce, 7, w.option(w.VALIDATOR, b"v" * 12))
    peer.dropped(lambda: peer.send(w.r1(i1.nonce ^ 1, 7, w.option(w.VALIDATOR, b"v"))), "drop_unknown_handshake")
    peer.dropped(lambda: peer.send(good, src=peer.other), "drop_unknown_handshake")
    peer.dropped(lambda: peer.send(good, dst=peer.iut2), "drop_unknown_handshake")
    peer.dropped(lambda: peer.send(w.r1(i1.nonce, 7)), "drop_no_validator")
    assert peer.daemon.context(peer.addr)["state"] == "I1-SENT"
    ct = w.tag()
    answer(peer, i1, ct)
    peer.dropped(lambda: peer.send(good), "drop_unknown_handshake", "drop_wrong_state")
    peer.dropped(lambda: peer.send(w.r2(ct ^ 1, i1.nonce)), "drop_unknown_handshake", "drop_wrong_state")  # T061
    assert int(peer.daemon.context(peer.addr)["tag"]["peer"], 16) == ct


def test_t046_t047_no_support(peer):
    """ICMPv6 "unrecognized next header" counts only when it quotes our very I1; and it binds only us (S-02)."""
    i1, _ = asked(peer)
    real = w.ipv6(peer.iut, peer.addr, i1.raw)

    def told(quote, code=1, pointer=6):
        body = w.icmpv6(peer.addr, peer.iut, 4, code, pointer, quote)
        peer.send(body, next_header=w.ICMPV6)
        peer.fence()

    nonce_off, tag_off = bytearray(real), bytearray(real)
    nonce_off[40 + 13] ^= 1
    tag_off[40 + 9] ^= 1
    for quote in (nonce_off, tag_off, real[:44], w.ipv6(peer.iut, peer.other, i1.raw),
                  w.ipv6(peer.iut, peer.addr, w.r1(1, 2))):
        told(w.with_checksum(bytes(quote[40:])) and bytes(quote))
        assert peer.daemon.context(peer.addr)["state"] == "I1-SENT"
    told(real, code=2)
    assert peer.daemon.context(peer.addr)["state"] == "I1-SENT"
    told(real)
    assert peer.daemon.context(peer.addr) is None
    assert ("NO-SUPPORT", peer.addr) in [(e["state"], e["peer"]) for e in peer.daemon.ask("negative")]
    peer.establish()  # T048: the memory binds only us


# --- tags that nobody has -------------------------------------------------------


def test_t080_unknown_tag_in_payload(peer):
    """R1bis with the tag, on the pair of addresses it came by; the payload is not delivered (R-01, R-05, L-06,
    Z-07)."""
    with inside(peer.daemon.ns):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind((peer.iut, 0))
    port, when, t = sock.getsockname()[1], time.monotonic(), w.tag()
    datagram = w.udp(peer.addr, peer.iut, 9, port, b"intruder")
    peer.send(w.payload_header(t, w.UDP) + datagram)
    answer = peer.expect(w.R1BIS, when)
    assert (answer.tag, answer.src, answer.dst) == (t, peer.iut, peer.addr)
    assert len(answer.options[w.VALIDATOR]) >= 12 and len(answer.raw) <= 40  # Z-07
    peer.send(w.payload_header(t, w.UDP) + datagram, src=peer.other, dst=peer.iut2, link=2)
    answer = peer.expect(w.R1BIS, when, where=lambda m: m.dst == peer.other)
    assert (answer.tag, answer.src) == (t, peer.iut2)
    peer.send(w.udp(peer.addr, peer.iut, 9, port, b"plain"), next_header=w.UDP)
    sock.settimeout(3)
    assert sock.recv(100) == b"plain"
    peer.dropped(lambda: peer.send(w.payload_header(t, w.UDP, hel=1) + datagram), "rx_bad_length")
    peer.dropped(lambda: peer.send(w.payload_header(t, w.UDP)[:5]), "rx_truncated")
    peer.fence()
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recv(100)
    sock.close()


def test_payload_of_a_context(peer):
    """T133: a right tag delivers, whatever of the peer's locators it comes from, with the ULIDs."""
    c = peer.establish()
    with inside(peer.daemon.ns):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind((peer.iut, 0))
    sock.settimeout(3)
    port = sock.getsockname()[1]
    datagram = w.udp(peer.addr, peer.iut, 9, port, b"by another way")
    peer.send(w.payload_header(c.theirs, w.UDP) + datagram, src=peer.other, dst=peer.iut2, link=2)
    data, source = sock.recvfrom(100)
    assert data == b"by another way" and source[0] == peer.addr
    when = time.monotonic()
    peer.send(w.payload_header(c.theirs ^ 1, w.UDP) + datagram, src=peer.other, dst=peer.iut2, link=2)
    assert peer.expect(w.R1BIS, when).tag == c.theirs ^ 1
    sock.close()


def test_t081_unknown_tag_in_control(peer):
    """R-02, R-04, L-07, W-11, U-12, ERR-08, PI-02, TR05"""
    for kind in (w.UPDATE, w.UPDATE_ACK, w.KEEPALIVE, w.PROBE):
        t, when = w.tag(), time.monotonic()
        body = w.probe(t, w.EXPLORING, [w.record(peer.addr, peer.iut, 1)])
        peer.send(body if kind == w.PROBE else w.message(kind, w.tag6(t) + bytes(4)))
        assert peer.expect(w.R1BIS, when).tag == t
    when = time.monotonic()
    validator = w.option(w.VALIDATOR, b"v" * 12)
    for kind in (w.R1, w.R2, w.R1BIS):
        peer.send(w.message(kind, w.tag6(w.tag()) + bytes(4), validator))
    peer.send(w.message(w.I2, w.tag6(w.tag()) + bytes(12), validator))
    peer.send(w.message(w.I2BIS, w.tag6(w.tag()) + bytes(20), validator))
    peer.send(w.error(0, 42, w.ipv6(peer.iut, peer.addr, w.keepalive(w.tag()))))
    peer.nothing(when)


def test_l07_tag_from_elsewhere(peer):
    """R-03, U-13, U-25, L-07: a right tag from an address that is no locator of the peer's: R1bis, and no effect."""
    c, when = peer.establish(), time.monotonic()
    peer.send(w.keepalive(c.theirs), src=peer.stranger)
    assert peer.expect(w.R1BIS, when).tag == c.theirs
    when = time.monotonic()
    peer.send(w.update_ack(c.theirs, 1), src=peer.stranger)
    assert peer.expect(w.R1BIS, when).tag == c.theirs
    peer.send(w.update(c.theirs, 1, w.locator_list([peer.stranger], generation=9)), src=peer.stranger)
    peer.fence()
    assert not peer.messages(when, w.UPDATE_ACK)
    assert [e["addr"] for e in peer.daemon.context(peer.addr)["locators"]["peer"]] == peer.set.addresses


def test_t086_wrong_r1bis(peer):
    """L-05, R-07: an R1bis that does not fit: silence, and the context stays as it is."""
    validator = w.option(w.VALIDATOR, b"v" * 12)
    i1, _ = asked(peer)
    peer.dropped(lambda: peer.send(w.r1bis(i1.tag, 1, validator)), "drop_r1bis_no_match", "drop_wrong_state")
    ct = w.tag()
    answer(peer, i1, ct)
    before = peer.daemon.context(peer.addr)
    no = ("drop_r1bis_no_match", "drop_r1bis_not_recent")
    peer.dropped(lambda: peer.send(w.r1bis(ct ^ 1, 1, validator)), *no)
    peer.dropped(lambda: peer.send(w.r1bis(i1.tag, 1, validator)), *no)  # its own tag is not ours
    peer.dropped(lambda: peer.send(w.r1bis(ct, 1, validator), src=peer.other), *no)
    peer.dropped(lambda: peer.send(w.r1bis(ct, 1, validator), dst=peer.iut2), *no)
    after = peer.daemon.context(peer.addr)
    assert after["state"] == "ESTABLISHED" and after["tag"] == before["tag"]


# --- floods ---------------------------------------------------------------------


def flood(peer, packets):
    """Sends them as fast as it goes; the seconds it took."""
    sock, head, began = peer.daemon.links[1].sock, peer.daemon.links[1].head, time.monotonic()
    for p in packets:
        try:
            sock.send(head + p)
        except OSError:
            time.sleep(0.001)  # the queue is full
    return time.monotonic() - began


def strangers(n):
    for i in range(n):
        yield f"2001:db8:{0x1000 + i % 40000:x}:{i // 40000}::{i:x}"


FLOOD = 100000 if ALL else 20000


def quick(daemon):
    """Beside the flood the daemon answers, and no turn of its loop was long."""
    assert daemon.ask("status")["pid"] == daemon.process.pid
    assert daemon.counters()["daemon.turns_slow"] == 0


def test_t042_i1_flood(make_daemon):
    """Z-01, Z-06, C-09, E-08, E-20: many I1 from as many sources: no state, no memory, R1 at the configured rate."""
    daemon, peer = make_daemon(replies=200)
    peer.ask()
    body, before = w.i1(w.tag(), w.nonce()), daemon.memory()
    took = flood(peer, [w.ipv6(s, peer.iut, body) for s in strangers(FLOOD)])
    quick(daemon)
    counters = daemon.counters()
    assert counters["engine.rx_i1"] > 500
    assert counters["engine.tx_r1"] <= 200 * (took + 2) + 1
    assert counters["engine.limit_replies"] > 100
    assert daemon.ask("contexts") == [] and daemon.memory() - before < 4
    time.sleep(1)  # the bucket fills again
    assert peer.ask()


def test_t042_one_prefix(make_daemon):
    """Z-06: a flood from one /64 leaves the others their answers."""
    daemon, peer = make_daemon(per_64=20)
    body = w.i1(w.tag(), w.nonce())
    took = flood(peer, [w.ipv6(f"2001:db8:66:6::{i:x}", peer.iut, body) for i in range(2000)])
    counters = daemon.counters()
    assert counters["engine.limit_replies_per_64"] > 100
    assert counters["engine.tx_r1"] <= 20 * (took + 2) + 1
    assert peer.ask()


def test_t095_unknown_tag_flood(make_daemon):
    """Z-06, R-06: bounded replies, no state."""
    daemon, peer = make_daemon(replies=200)
    before = daemon.memory()
    datagram = w.udp(peer.addr, peer.iut, 9, 9, b"x")
    took = flood(peer, [w.ipv6(s, peer.iut, w.payload_header(w.tag(), w.UDP) + datagram) for s in strangers(FLOOD)])
    quick(daemon)
    counters = daemon.counters()
    assert counters["datapath.rx_unknown_tag"] > FLOOD / 2
    assert 0 < counters["engine.tx_r1bis"] <= 200 * (took + 2) + 1
    assert daemon.ask("contexts") == [] and daemon.memory() - before < 4


def test_error_flood(make_daemon):
    """Z-06: unknown types, too, are answered at the configured rate."""
    daemon, peer = make_daemon(replies=200)
    body = w.message(100, bytes(10))
    took = flood(peer, [w.ipv6(s, peer.iut, body) for s in strangers(5000)])
    quick(daemon)
    counters = daemon.counters()
    assert 0 < counters["engine.tx_error"] <= 200 * (took + 2) + 1
