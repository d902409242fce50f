# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture of a failover as somebody else's decoder reads it: tshark. In control messages that of Debian 12 is right
about header, type, length and whether the checksum is good; where it sees checksum, tag, options and probe records is
not where RFC 5533 and 5534 have them, and nothing here rests on these."""
import collections
import json
import struct

from netns import SHIM6, Capture, run, wait_until

LINKTYPE_IPV6 = 229


def write_pcap(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_IPV6))
        for p in packets:
            f.write(struct.pack("=IIII", int(p.when), int(p.when % 1 * 1e6), len(p.raw), len(p.raw)) + p.raw)


def decoded(path):
    """Of each packet the tree of layers; beside each field "name_raw" with its octets."""
    said = run("tshark", "-r", path, "-T", "json", "-x", check=False)
    assert said.returncode == 0, said.stderr
    return [p["_source"]["layers"] for p in json.loads(said.stdout)]


def test_failover_in_tshark(lab, flows, tmp_path):
    """W-01, W-02, W-06, W-07, W-12, W-13, W-20, W-24, D-04, D-05, T080: after a switch each packet of the session is
    for tshark a Shim6 payload packet with Next Header, length 0, P = 1 and the receiver's tag, and TCP or UDP with the
    ports of the session in it; control messages have P = 0, Next Header 59, type, length, and a checksum that is good."""
    for what in ("tcp", "udp"):
        for down in (False, True):
            flows.between(lab, what, down=down).arrives(5, "it flows")
    a, b = lab.established()
    ports = {s.getsockname()[1] for f in flows.all for s in (f.source, f.sink)}
    with Capture(lab.ns("A1"), "cust") as first, Capture(lab.ns("A2"), "cust") as second:
        lab.A.ask("explore", id=a["id"])
        wait_until(lambda: any(p.control for p in first.packets()), 10, "a probe on the ULIDs")
        lab.fail("link")
        wait_until(lambda: sum(p.tagged for p in second.packets()) > 400, 30, "tagged packets at the other provider")
        wire = [p for p in first.packets() + second.packets() if p.next == SHIM6]
    path = tmp_path / "failover.pcap"
    write_pcap(path, wire)
    layers = decoded(path)
    assert len(layers) == len(wire)
    kinds = collections.Counter()
    for p, l in zip(wire, layers):
        ip = l["ipv6"]
        shim = ip["shim6"]
        assert ip["ipv6.nxt"] == str(SHIM6) and int(ip["ipv6.plen"]) == p.length - 40
        raw = {k: bytes.fromhex(shim[k + "_raw"][0]) for k in ("shim6.nxt", "shim6.len")}
        assert raw["shim6.nxt"] == p.body[:1] and raw["shim6.len"] == p.body[1:2]
        if shim["shim6.p"] == "1":
            inner = {"6": "tcp", "17": "udp"}[shim["shim6.nxt"]]
            assert shim["shim6.len"] == "0" and "shim6.checksum" not in shim and "shim6.type" not in shim
            sent = p.src in lab.A.addresses
            tag = (b if sent else a)["tag"]["local"]
            assert f"{int(shim['shim6.ct_raw'][0], 16) & (1 << 47) - 1:012x}" == tag
            assert {int(l[inner][f"{inner}.{end}port"]) for end in ("src", "dst")} <= ports
            kinds[inner, sent] += 1
        else:
            assert shim["shim6.nxt"] == "59" and p.length == 40 + 8 * (int(shim["shim6.len"]) + 1)
            assert int(shim["shim6.type"]) == p.control
            kinds["control", p.control] += 1
            assert shim["shim6.checksum.status"] == "1", p
    print(dict(kinds))
    assert {("tcp", True), ("tcp", False), ("udp", True), ("udp", False), ("control", 67)} <= set(kinds)
    # the same octets with one bit wrong: this decoder does look at the checksum
    bad = next(p for p in wire if p.control)
    bad.raw = bad.raw[:-1] + bytes([bad.raw[-1] ^ 1])
    write_pcap(path, [bad])
    assert decoded(path)[0]["ipv6"]["shim6"]["shim6.checksum.status"] == "0"
