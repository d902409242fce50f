# SPDX-License-Identifier: GPL-2.0-or-later
"""Malformed and unusual messages: rows W and L, tests T004 to T023."""
import json
import pathlib
import random
import time

import pytest
import shim6wire as w

VECTORS = pathlib.Path(__file__).parents[1] / "vectors/hba_vectors.json"
MINIMUM = {w.I1: 1, w.R1: 1, w.I2: 2, w.R2: 1, w.R1BIS: 1, w.I2BIS: 3, w.UPDATE: 1, w.UPDATE_ACK: 1, w.KEEPALIVE: 1,
           w.PROBE: 6, w.ERROR: 1}
LENGTH = ("drop_short", "drop_min_length", "drop_checksum", "drop_probe")


def test_codec_hba():
    """The codec's own HBA arithmetic against the vectors."""
    for s in json.loads(VECTORS.read_text())["hba_sets"]:
        if s["sec"] == 0:
            for a in s["addresses"]:
                prefix = bytes.fromhex(a["prefix"])
                assert w.packed(w.hba_address(bytes.fromhex(s["addresses"][0]["pds"]), prefix)).hex() == a["address"]


def test_t004_checksum_without_addresses(peer):
    """W-21, E-10: the same octets from and to other addresses; the answer goes back the way it came."""
    n = w.nonce()
    body, when = w.i1(w.tag(), n), time.monotonic()
    peer.send(body)
    peer.send(body, src=peer.other, dst=peer.iut2, link=2)
    first = peer.expect(w.R1, when, where=lambda m: m.dst == peer.addr)
    second = peer.expect(w.R1, when, where=lambda m: m.dst == peer.other)
    assert first.initiator_nonce == second.initiator_nonce == n
    assert (first.src, second.src) == (peer.iut, peer.iut2)


@pytest.mark.parametrize("octet", range(16))
def test_t005_one_bit_wrong(peer, octet):
    """W-20, L-01, L-10: any bit of the message."""
    good = w.i1(w.tag(), w.nonce())
    for bit in range(8):
        if (octet, bit) == (2, 7):
            continue  # P: this is no control message any more, but a payload header (T080)
        bad = bytearray(good)
        bad[octet] ^= 1 << bit
        peer.dropped(lambda: peer.send(bytes(bad)), "drop_checksum", "drop_short", "drop_s_bit", "drop_malformed")


def test_t006_checksum_zero(peer):
    """W-23"""
    n = w.nonce()
    bare = w.i1(0x1234, n)
    # one word of the tag takes the checksum's complement: then the sum of the rest is 0xffff
    value = w.checksum(bare[:8] + b"\0\0" + bare[10:])
    body = bare[:4] + b"\0\0" + bare[6:8] + value.to_bytes(2, "big") + bare[10:]
    assert w.checksum(body) == 0
    when = time.monotonic()
    peer.send(body)
    assert peer.expect(w.R1, when).initiator_nonce == n


def test_t007_octets_behind(peer):
    """W-22"""
    n, when = w.nonce(), time.monotonic()
    peer.send(w.i1(w.tag(), n) + b"anything at all")
    assert peer.expect(w.R1, when).initiator_nonce == n


@pytest.mark.parametrize("kind", MINIMUM)
def test_t008_header_too_short(peer, kind):
    """W-76, L-10"""
    short = w.message(kind, bytes(MINIMUM[kind] * 8 - 6))
    assert short[1] == MINIMUM[kind] - 1
    peer.dropped(lambda: peer.send(short), *LENGTH)


@pytest.mark.parametrize("kind", MINIMUM)
def test_t009_header_past_the_end(peer, kind):
    """L-01, L-10"""
    for hel in (MINIMUM[kind] + 1, 255):
        long = w.message(kind, bytes((MINIMUM[kind] + 1) * 8 - 6), hel=hel)
        peer.dropped(lambda: peer.send(long), *LENGTH)
    peer.dropped(lambda: peer.send(w.i1(1, 2)[:7]), "rx_truncated")


@pytest.mark.parametrize("kind", [w.I1, w.I2, w.UPDATE, w.PROBE, w.ERROR, 99])
def test_t010_multicast_and_unspecified(daemon, peer, kind):
    """L-01, Z-09"""
    body, when = w.message(kind, bytes(MINIMUM.get(kind, 1) * 8 + 2)), time.monotonic()
    for src, dst in (("::", peer.iut), ("ff02::1", peer.iut), (peer.addr, "ff02::1"), ("ff0e::99", peer.iut)):
        peer.send(body, src=src, dst=dst)
    peer.nothing(when)
    every = [p for link in daemon.links.values() for _, p in link.since(when)]
    assert not [p for p in every if p[24:26] == b"\xff\x02" and p[6] == w.SHIM6 or p[24:40] == bytes(16)]


def test_l12_own_source(peer):
    """L-12: a message that claims to come from the host itself, or from its loopback."""
    for src in (peer.iut, peer.iut2, "::1"):
        before, when = peer.daemon.counters(), time.monotonic()
        peer.send(w.i1(w.tag(), w.nonce()), src=src)
        peer.nothing(when)
        after = peer.daemon.counters()
        assert after["engine.tx_r1"] - before["engine.tx_r1"] == 1  # that of the fence


def test_t011_reserved_bits(peer):
    """W-09: in I1 and I2."""
    n, ct, when = w.nonce(), w.tag(), time.monotonic()
    peer.send(w.message(w.I1, w.tag6(ct, r=1) + n.to_bytes(4, "big"), reserved=0x7F))
    answer = peer.expect(w.R1, when)
    assert answer.initiator_nonce == n
    body = w.tag6(ct, r=1) + n.to_bytes(4, "big") + answer.responder_nonce.to_bytes(4, "big") + b"\xff" * 4
    peer.send(w.message(w.I2, body, w.option(w.VALIDATOR, answer.options[w.VALIDATOR]), reserved=0x7F))
    assert peer.expect(w.R2, when).nonce == n


def test_t012_t013_unknown_options(peer):
    """W-35, W-37, W-40: any length, padding of ones, several of them."""
    for length in range(41):
        content = bytes(random.getrandbits(8) for _ in range(length))
        assert peer.ask(options=w.option(9, content, pad=b"\xff"))
    assert peer.ask(options=b"".join(w.option(k, b"x" * (k % 50)) for k in (9, 100, 0x7FFF, 0)))


def check_error(peer, packet, when, code, pointer):
    e = peer.expect(w.ERROR, when)
    assert (e.code, e.pointer) == (code, pointer)
    assert e.raw[3] == code << 1 and (e.src, e.dst) == (w.text(packet[24:40]), w.text(packet[8:24]))
    quoted = e.quote[: len(packet)]
    assert quoted[:7] == packet[:7] and quoted[8:] == packet[8 : len(quoted)], "all but the hop limit as it was sent"
    assert len(e.quote) >= min(len(packet), 1232)
    peer.fence()
    assert {m.kind for m in peer.messages(when) if m.dst == peer.addr} == {w.ERROR}


def test_t014_unknown_critical_option(peer):
    """W-38, W-39, ERR-04: an Error that points at the option's type, and no R1."""
    filler, when = w.option(9, b"12345"), time.monotonic()
    packet = peer.send(w.i1(w.tag(), w.nonce(), filler + w.option(9, b"", critical=True)))
    check_error(peer, packet, when, 1, 40 + 16 + len(filler))


def test_t015_misplaced_option(peer):
    """W-37 to W-39 for an option that belongs into another message."""
    listed = w.locator_list([peer.addr])
    assert peer.ask(options=listed)
    when = time.monotonic()
    packet = peer.send(w.i1(w.tag(), w.nonce(), listed[:1] + bytes([listed[1] | 1]) + listed[2:]))
    check_error(peer, packet, when, 1, 40 + 16)


def test_t016_known_critical_option(peer):
    """W-41"""
    ct, n, when = w.tag(), w.nonce(), time.monotonic()
    answer = peer.ask(ct, n, w.ulid_pair(peer.addr, peer.iut, critical=True))
    peer.send(peer.i2(answer, ct, n, w.ulid_pair(peer.addr, peer.iut, critical=True)))
    assert peer.expect(w.R2, when).nonce == n


def test_t017_bad_options(peer):
    """W-42, W-43, W-44, W-55, W-60, A-16, A-17: overrun, wrong length, duplicates: dropped, no state."""
    fii = w.option(w.FII, b"\0\0\0\7")
    pair = w.ulid_pair(peer.addr, peer.iut)
    for options in (
        w.option(9, b"x", length=40), w.option(9, b"x" * 12, length=0xFFFF), fii + fii, pair + pair,
        w.option(w.FII, b"\0\0\7"), w.option(w.FII, b"\0" * 8), w.option(w.ULID_PAIR, b"x" * 35),
        w.option(w.ULID_PAIR, b"x" * 37), w.option(w.ULID_PAIR, b""),
    ):
        message = w.i1(w.tag(), w.nonce(), options)
        peer.dropped(lambda: peer.send(message), "drop_option", "drop_duplicate")
    answer = peer.ask()
    validator = w.option(w.VALIDATOR, answer.options[w.VALIDATOR])
    for options in (
        validator + validator, validator + w.option(w.LOCATORS, bytes(4) + b"\0"),
        validator + w.option(w.LOCATORS, bytes(4) + b"\2\1\1" + bytes(5) + w.packed(peer.addr)),
        validator + w.option(w.PREFERENCES, bytes(4) + b"\0abc"),
        validator + w.option(w.PREFERENCES, bytes(4) + b"\2abc"), w.option(w.VALIDATOR, b""),
        validator + w.option(w.KEEPALIVE_TIMEOUT, bytes(2)), b"",
    ):
        message = w.i2(w.tag(), answer.initiator_nonce, answer.responder_nonce, options)
        peer.dropped(lambda: peer.send(message), "drop_option", "drop_duplicate", "drop_no_validator",
                     "drop_bad_validator")
    assert peer.daemon.context(peer.addr) is None


def test_a32_fragmented(peer):
    """A-32: a control message in fragments: dropped, though it could be put together; whole, it is answered."""
    body = w.i1(w.tag(), w.nonce(), w.option(100, bytes(40)))
    ident = w.nonce().to_bytes(4, "big")

    def pieces(cuts):
        for at, end in zip(cuts, cuts[1:]):
            more = end < len(body)
            head = bytes([w.SHIM6, 0]) + (at | more).to_bytes(2, "big") + ident
            peer.send(head + body[at:end], next_header=44)

    peer.dropped(lambda: pieces([0, 24, len(body)]), "ctl_fragmented")
    when = time.monotonic()
    peer.send(body)
    assert peer.expect(w.R1, when)


def test_t017_noise(peer):
    """Random octets with a right checksum, of every type: the daemon goes on and keeps no state of it. What it answers
    is well formed: Message checks W-02, W-03, W-04, W-06, W-07, W-08, W-10, W-20, W-30..W-34, W-36."""
    chance, contexts = random.Random(5533), len(peer.daemon.ask("contexts"))
    for _ in range(3000):
        kind = chance.choice([*MINIMUM, chance.randrange(128)])
        body = bytes(chance.getrandbits(8) for _ in range(chance.randrange(2, 200)))
        peer.send(w.message(kind, body, hel=None if chance.random() < 0.9 else chance.randrange(256)))
    peer.fence()
    assert len(peer.daemon.ask("contexts")) == contexts
    # whatever was answered is well formed (checked by Message), and an Error or an R1bis or an R1
    assert {m.kind for m in peer.messages()} <= {w.R1, w.R1BIS, w.ERROR}


@pytest.mark.parametrize("kind", [0, 7, 63, 69, 127])
def test_t018_unknown_type(peer, kind):
    """ERR-03, W-11: an Error that points at the type, and nothing else, R1bis neither."""
    when = time.monotonic()
    packet = peer.send(w.message(kind, w.tag6(w.tag()) + bytes(4)))
    check_error(peer, packet, when, 0, 42)


def test_t019_error_size(peer):
    """ERR-02, W-04"""
    when = time.monotonic()
    packet = peer.send(w.message(100, bytes(range(256)) * 5)[: 1280 - 40])
    assert len(packet) == 1280
    peer.fence()
    assert not peer.messages(when, w.ERROR)  # its checksum is of what was cut off
    packet = peer.send(w.message(100, (bytes(range(256)) * 5)[: 1280 - 46]))
    assert len(packet) == 1280
    e = peer.expect(w.ERROR, when)
    assert len(e.raw) <= 1240 and len(e.raw) % 8 == 0 and len(e.quote) == 1232
    assert e.quote[8:] == packet[8:1232]


def test_t023_s_bit(peer):
    """A-14"""
    peer.dropped(lambda: peer.send(w.message(w.I1, w.tag6(w.tag()) + bytes(4), s=1)), "drop_s_bit")


def test_t149_no_answer_to_errors(peer):
    """Z-09, ERR-08, ERR-10: malformed, unknown, or quoting anything: nothing goes out, no context is touched."""
    c = peer.establish()
    ours = w.ipv6(peer.iut, peer.addr, w.keepalive(c.own))
    when = time.monotonic()
    quotes = [b"", bytes(8), bytes(40), ours[:40], ours[:41], ours, b"\xff" * 200, w.ipv6(peer.iut, peer.addr, b"", 6),
              w.ipv6(peer.iut, peer.addr, w.error(0, 0, ours)), w.ipv6(peer.iut, peer.addr, w.i1(1, 2)),
              w.ipv6(peer.addr, peer.iut, w.i1(1, 2)), w.ipv6(peer.iut, peer.addr, w.payload_header(c.own, 6))]
    for code in (0, 1, 2, 3, 4, 60, 127):
        for quote in quotes:
            peer.send(w.error(code, random.choice([0, 42, 65535]), quote))
    peer.send(w.message(w.ERROR, b"", hel=0))
    peer.send(w.error(0, 42, ours)[:20])
    peer.send(w.message(w.ERROR, bytes(2), w.option(9, b"", critical=True)))
    peer.fence()
    kinds = {m.kind for m in peer.messages(when)}
    assert kinds <= {w.R1, w.UPDATE}, kinds  # 2 to 4 about our own list may have it sent again (ERR-09)
    context = peer.daemon.context(peer.addr)
    assert context["state"] == "ESTABLISHED" and context["reap"] == "Operational"
