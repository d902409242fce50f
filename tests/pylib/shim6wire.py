# SPDX-License-Identifier: GPL-2.0-or-later
"""Shim6 messages for scripted peers, written from RFC 5533 section 5, RFC 5534 section 5 and RFC 5535: builds right
and wrong ones, takes apart what the implementation sends. Shares nothing with the implementation."""
import hashlib
import os
import random
import socket
import struct

I1, R1, I2, R2, R1BIS, I2BIS = 1, 2, 3, 4, 5, 6
UPDATE, UPDATE_ACK, KEEPALIVE, PROBE, ERROR = 64, 65, 66, 67, 68
VALIDATOR, LOCATORS, PREFERENCES, PDS, SIGNATURE, ULID_PAIR, FII, KEEPALIVE_TIMEOUT = 1, 2, 3, 4, 5, 6, 7, 10
OPERATIONAL, EXPLORING, INBOUND_OK = 0, 1, 2
HBA, CGA = 1, 2
SHIM6, UDP, ICMPV6, NONE = 140, 17, 58, 59


def packed(addr):
    return socket.inet_pton(socket.AF_INET6, addr)


def text(octets):
    return socket.inet_ntop(socket.AF_INET6, octets)


def nonce():
    return random.getrandbits(32)


def tag():
    return random.getrandbits(47)


def tag6(t, r=0):
    return struct.pack("!Q", t | r << 47)[2:]


# --- checksums, packets -------------------------------------------------------


def folded(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(message):
    return ~folded(message[:4] + b"\0\0" + message[6:]) & 0xFFFF


def with_checksum(message):
    return message[:4] + struct.pack("!H", checksum(message)) + message[6:]


def ipv6(src, dst, body, next_header=SHIM6, length=None):
    return (
        struct.pack("!IHBB", 6 << 28, len(body) if length is None else length, next_header, 64)
        + packed(src) + packed(dst) + body
    )


def pseudo(src, dst, body, next_header):
    return ~folded(packed(src) + packed(dst) + struct.pack("!IHBB", len(body), 0, 0, next_header) + body) & 0xFFFF


def udp(src, dst, sport, dport, data):
    head = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    return head[:6] + struct.pack("!H", pseudo(src, dst, head + data, UDP) or 0xFFFF) + data


def icmpv6(src, dst, kind, code, word, quote):
    body = struct.pack("!BBHI", kind, code, 0, word) + quote[:1200]
    return body[:2] + struct.pack("!H", pseudo(src, dst, body, ICMPV6)) + body[4:]


def payload_header(t, next_header, hel=0):
    head = bytearray(struct.pack("!BB", next_header, hel) + tag6(t))
    head[2] |= 0x80
    return bytes(head)


# --- messages -----------------------------------------------------------------


def message(kind, body, options=b"", hel=None, reserved=0, s=0):
    """body: what stands behind the checksum. The header length is that of the whole unless told otherwise."""
    whole = struct.pack("!BBBBH", NONE, 0, kind, reserved << 1 | s, 0) + body + options
    whole += b"\0" * (-len(whole) % 8)
    hel = len(whole) // 8 - 1 if hel is None else hel
    return with_checksum(whole[:1] + bytes([hel & 0xFF]) + whole[2:])


def option(kind, content, critical=False, length=None, pad=b"\0"):
    whole = struct.pack("!HH", kind << 1 | critical, len(content) if length is None else length) + content
    return whole + pad * (-len(whole) % 8)


def i1(ct, n, options=b"", **kw):
    return message(I1, tag6(ct) + struct.pack("!I", n), options, **kw)


def i2(ct, n, responder_nonce, options, **kw):
    return message(I2, tag6(ct) + struct.pack("!III", n, responder_nonce, 0), options, **kw)


def r1(n, responder_nonce, options=b""):
    return message(R1, struct.pack("!HII", 0, n, responder_nonce), options)


def r2(ct, n, options=b""):
    return message(R2, tag6(ct) + struct.pack("!I", n), options)


def r1bis(packet_ct, responder_nonce, options):
    return message(R1BIS, tag6(packet_ct) + struct.pack("!I", responder_nonce), options)


def keepalive(ct, options=b"", **kw):
    return message(KEEPALIVE, tag6(ct) + bytes(4), options, **kw)


def keepalive_timeout(seconds, **kw):
    return option(KEEPALIVE_TIMEOUT, struct.pack("!HH", 0, seconds), **kw)


def update(ct, n, options=b""):
    return message(UPDATE, tag6(ct) + struct.pack("!I", n), options)


def update_ack(ct, n):
    return message(UPDATE_ACK, tag6(ct) + struct.pack("!I", n))


def record(src, dst, n, data=0):
    return packed(src) + packed(dst) + struct.pack("!II", n, data)


def probe(ct, state, sent, received=(), **kw):
    head = tag6(ct) + bytes([len(received) << 4 | len(sent), state << 6, 0, 0])
    return message(PROBE, head + b"".join(sent) + b"".join(received), **kw)


def error(code, pointer, quote):
    return message(ERROR, struct.pack("!H", pointer) + quote, reserved=code)


def locator_list(addresses, methods=None, generation=1):
    methods = bytes(methods or [HBA] * len(addresses))
    body = struct.pack("!IB", generation, len(addresses)) + methods
    body += bytes(-(len(body) + 4) % 8)
    return option(LOCATORS, body + b"".join(map(packed, addresses)))


def ulid_pair(sender, receiver, **kw):
    return option(ULID_PAIR, bytes(4) + packed(sender) + packed(receiver), **kw)


class Message:
    """One control message of the implementation, checked for what every message must be (sections 1.1, 1.4)."""

    def __init__(self, body, src, dst):
        self.raw, self.src, self.dst = body, src, dst
        self.kind = body[2]
        size = (body[1] + 1) * 8
        assert size == len(body), "header length"
        assert body[0] == NONE and not body[2] & 0x80
        assert checksum(body) == struct.unpack("!H", body[4:6])[0]
        assert len(body) + 40 <= 1280
        if self.kind == ERROR:
            assert not body[3] & 1
            self.code, self.pointer, self.quote = body[3] >> 1, struct.unpack("!H", body[6:8])[0], body[8:]
            return
        assert body[3] == 0
        self.tag = int.from_bytes(body[6:12], "big")
        if self.kind == R1:
            self.initiator_nonce, self.responder_nonce = struct.unpack("!II", body[8:16])
        elif self.kind == R1BIS:
            self.responder_nonce = struct.unpack("!I", body[12:16])[0]
        elif self.kind != PROBE:
            self.nonce = struct.unpack("!I", body[12:16])[0]
        if self.kind in (I2, I2BIS):
            self.responder_nonce = struct.unpack("!I", body[16:20])[0]
        if self.kind == PROBE:
            self._probe(body)
        at = {I2: 24, I2BIS: 32, PROBE: size}.get(self.kind, 16)
        self.options = {}
        while at < size:
            kind, length = struct.unpack("!HH", body[at : at + 4])
            total = 4 + length + (-(4 + length) % 8)
            assert not kind & 1 and at + total <= size
            assert not any(body[at + 4 + length : at + total]), "padding"
            self.options[kind >> 1] = body[at + 4 : at + 4 + length]
            at += total

    def _probe(self, body):
        self.state = body[13] >> 6
        n_sent, n_received = body[12] & 15, body[12] >> 4
        records = self.records = [body[16 + 40 * i : 56 + 40 * i] for i in range(n_sent + n_received)]
        parsed = [(text(r[:16]), text(r[16:32]), struct.unpack("!I", r[32:36])[0]) for r in records]
        self.sent, self.received = parsed[:n_sent], parsed[n_sent:]

    def __repr__(self):
        return f"<{self.src} > {self.dst} type {self.kind} {self.raw.hex()}>"


# --- HBA (RFC 5535) -----------------------------------------------------------


def hba_address(pds, prefix):
    """RFC 3972 section 4, Sec 0: of the parameters with this prefix in them."""
    digest = hashlib.sha1(pds[:16] + prefix + pds[24:]).digest()[:8]
    return text(prefix + bytes([digest[0] & 0x1C]) + digest[1:])


class HbaSet:
    """Addresses of these /64 prefixes ("2001:db8:1::") that prove each other; key: a DER SubjectPublicKeyInfo."""

    def __init__(self, *prefixes, key=None, extension=True):
        prefixes = [packed(p)[:8] for p in prefixes]
        self.prefixes = prefixes
        p_flag = 0x80000000 if key else 0
        if not key:
            modulus = bytearray(os.urandom(48))
            modulus[0] |= 0x80
            key = bytes.fromhex("304c300d06092a864886f70d0101010500033b003038023100") + modulus
            key += bytes.fromhex("0203010001")
        self.pds = os.urandom(16) + prefixes[0] + b"\0" + key
        if extension:
            self.pds += struct.pack("!HHI", 0x12, 4 + 8 * len(prefixes), p_flag) + b"".join(prefixes)
        self.addresses = [hba_address(self.pds, p) for p in prefixes]

    def pds_of(self, i):
        return self.pds[:16] + self.prefixes[i] + self.pds[24:]

    def options(self, generation=1):
        return locator_list(self.addresses, generation=generation) + option(PDS, self.pds)
