# SPDX-License-Identifier: GPL-2.0-or-later
"""Who owns which address, with a scripted peer: tests TH13 to TH20, TH25, TH30; and what the host does with its set."""
import json
import os
import socket
import stat
import time

import pytest
import shim6wire as w
from lab import BUILD, SHIM6D
from netns import inside, run, wait_until
from peer import Peer
from traffic_udp import Udp

TAG = bytes.fromhex("4a3056624858574b3655416f506a6d48")  # HS-01


class Keyed:
    """A peer whose set has an RSA key; openssl signs for it."""

    def __init__(self, folder, number, bits=1024):
        self.private = folder / f"key{number}"
        run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", self.private)
        der = folder / f"public{number}"
        run("openssl", "pkey", "-in", self.private, "-pubout", "-outform", "DER", "-out", der)
        self.set = w.HbaSet(f"2001:db8:2:{number:x}::", f"2001:db8:3:{number:x}::", key=der.read_bytes())

    def signature(self, locators, generation):
        signed, out = self.private.with_suffix(".tbs"), self.private.with_suffix(".sig")
        signed.write_bytes(TAG + generation.to_bytes(4, "big") + b"".join(map(w.packed, locators)))
        run("openssl", "dgst", "-sha1", "-sign", self.private, "-out", out, signed)
        return w.option(w.SIGNATURE, out.read_bytes())


@pytest.fixture
def keyed(peer, tmp_path):
    number = int(peer.addr.split(":")[3], 16)
    k = Keyed(tmp_path, number)
    peer.set, (peer.addr, peer.other) = k.set, k.set.addresses
    return k


def offer(peer, options):
    """The handshake up to an I2 with these options."""
    ct, n = w.tag(), w.nonce()
    answer, when = peer.ask(ct, n), time.monotonic()
    peer.send(peer.i2(answer, ct, n, options))
    return when


def refused(peer, when, method=None):
    """No context; an Error 2 that points at this method octet, or silence."""
    if method is not None:
        e = peer.expect(w.ERROR, when)
        assert e.code == 2 and e.quote[e.pointer] == method, (e.code, e.pointer)
    else:
        peer.fence()
        assert not peer.messages(when, w.ERROR)
    peer.fence()
    assert peer.daemon.context(peer.addr) is None and not peer.messages(when, w.R2)


def locators(peer):
    return [e["addr"] for e in peer.daemon.context(peer.addr)["locators"]["peer"]]


# --- verification ---------------------------------------------------------------


def test_th13_hba_without_extension(peer):
    """HV-13: the HBA method with parameters that have no Multi-Prefix extension: the message is ignored, Error 2."""
    single = w.HbaSet(f"2001:db8:2:{int(peer.addr.split(':')[3], 16):x}::", extension=False)
    peer.set, peer.addr = single, single.addresses[0]
    refused(peer, offer(peer, single.options()), w.HBA)


def test_th14_cga_under_a_nonce(peer):
    """AMB-H6, V-16a: the CGA method with the nonce of an HBA-only set: Error 2, whatever the signature says."""
    options = w.locator_list([peer.addr, peer.stranger], methods=[w.HBA, w.CGA]) + w.option(w.PDS, peer.set.pds)
    refused(peer, offer(peer, options + w.option(w.SIGNATURE, os.urandom(48))), w.CGA)


def test_th16_foreign_parameters(peer):
    """HV-14, V-10: parameters that are not those of the ULID: silence in an I2; on a context an Update Request with
    them changes nothing."""
    foreign = w.HbaSet("2001:db8:5::", "2001:db8:6::")
    refused(peer, offer(peer, w.locator_list(peer.set.addresses) + w.option(w.PDS, foreign.pds)))
    c, when = peer.establish(), time.monotonic()
    peer.send(w.update(c.theirs, 5, w.locator_list([peer.addr], generation=2) + w.option(w.PDS, foreign.pds)))
    peer.fence()
    assert not peer.messages(when, w.UPDATE_ACK) and locators(peer) == peer.set.addresses


def test_th17_parameters_of_a_sibling(peer):
    """AMB-H4, HV-12: the parameters carry the prefix of another member of the set: accepted. HV-02."""
    options = w.locator_list(peer.set.addresses) + w.option(w.PDS, peer.set.pds_of(1))
    peer.establish(options)
    assert locators(peer) == peer.set.addresses


def test_th30_prefix_outside_the_set(peer):
    """HV-01: a locator whose interface identifier follows from the parameters, but whose prefix is not in the
    extension. HV-15, TH29: one that is there, and not listed, is no locator."""
    outside = w.hba_address(peer.set.pds, w.packed("2001:db8:77::")[:8])
    refused(peer, offer(peer, w.locator_list([peer.addr, outside]) + w.option(w.PDS, peer.set.pds)), w.HBA)
    peer.establish(w.locator_list([peer.addr]) + w.option(w.PDS, peer.set.pds))
    assert locators(peer) == [peer.addr]


# --- signatures -----------------------------------------------------------------


def test_th18_th19_signed_list(peer, keyed):
    """HS-01..HS-04, HS-07, HS-08, AMB-H8, AMB-H17, W-63..W-65, HD-10: what is signed are tag, generation and the
    CGA locators in list order; another order, generation or locator, or no signature: Error 2."""
    elsewhere = [f"2001:db8:41:{i}::1" for i in (1, 2)]
    listed = [peer.addr, elsewhere[0], peer.other, elsewhere[1]]
    methods = [w.HBA, w.CGA, w.HBA, w.CGA]
    options = w.locator_list(listed, methods, generation=7) + w.option(w.PDS, peer.set.pds)
    for signature in (
        keyed.signature(elsewhere[::-1], 7), keyed.signature(elsewhere, 8), keyed.signature(listed, 7),
        keyed.signature(elsewhere[:1], 7), b"",
    ):
        refused(peer, offer(peer, options + signature), w.CGA)
    peer.establish(options + keyed.signature(elsewhere, 7))
    found = peer.daemon.context(peer.addr)["locators"]["peer"]
    assert [(e["addr"], e["method"]) for e in found] == list(zip(listed, ["hba", "cga", "hba", "cga"]))
    assert all(e["verified"] for e in found)


def test_th20_locator_added_by_update(peer, keyed):
    """HD-05, HD-09, HV-15, PN-08: a locator outside the set comes with a signed Update Request, and without one not;
    before payload may go there it must answer a Probe."""
    c = peer.establish()
    more = w.locator_list([peer.addr, peer.other, peer.stranger], [w.HBA, w.HBA, w.CGA], generation=2)
    when = time.monotonic()
    peer.send(w.update(c.theirs, 5, more))
    e = peer.expect(w.ERROR, when)
    assert e.code == 2 and e.quote[e.pointer] == w.CGA and locators(peer) == peer.set.addresses
    hostile = [keyed.signature([peer.stranger], 3), keyed.signature([peer.other], 2),
               w.option(w.SIGNATURE, os.urandom(256)), w.option(w.SIGNATURE, bytes(1))]
    for i, signature in enumerate(hostile):  # HS-03, U-16, V-22: nothing of it stays, and no acknowledgement
        when = time.monotonic()
        peer.send(w.update(c.theirs, 100 + i, more + signature))
        e = peer.expect(w.ERROR, when)
        assert e.code == 2 and e.quote[e.pointer] == w.CGA and locators(peer) == peer.set.addresses
        assert not peer.messages(when, w.UPDATE_ACK)
    peer.send(w.update(c.theirs, 6, more + keyed.signature([peer.stranger], 2)))
    peer.expect(w.UPDATE_ACK, when)
    assert locators(peer) == [peer.addr, peer.other, peer.stranger]
    added = peer.daemon.context(peer.addr)
    assert added["current"]["peer"] == peer.addr and not added["locators"]["peer"][2]["probed"]
    when = time.monotonic()
    peer.daemon.ask("explore", id=added["id"], local=peer.iut, peer=peer.stranger)
    p = peer.expect(w.PROBE, when, where=lambda m: m.dst == peer.stranger)
    peer.send(w.probe(c.theirs, w.INBOUND_OK, [w.record(peer.stranger, peer.iut, 1)], [p.records[0]]),
              src=peer.stranger)
    wait_until(lambda: peer.daemon.context(peer.addr)["current"]["peer"] == peer.stranger, 3, "the new locator")
    assert peer.daemon.context(peer.addr)["locators"]["peer"][2]["probed"]


# --- this host's own set --------------------------------------------------------


def test_th25_set_survives_a_restart(make_daemon):
    """HG-18, AMB-H18, HD-12: one set over two interfaces, prefixes in the order given; the next process has the same
    addresses and parameters, in a file that nobody else may read."""
    daemon, peer = make_daemon()
    before = daemon.ask("locators")["locators"]
    assert sorted(l["ifname"] for l in before) == ["eth1", "eth2"] and len({l["set"] for l in before}) == 1
    first = peer.establish()
    r2 = peer.messages(kind=w.R2)[0]
    assert r2.options[w.PDS][-16:] == w.packed("2001:db8:1:1::")[:8] + w.packed("2001:db8:1:2::")[:8]
    addresses = list(daemon.addresses)
    daemon.restart()
    assert daemon.addresses == addresses
    again = Peer(daemon, 0x500)
    second = again.establish()
    options = again.messages(kind=w.R2)[0].options
    assert options[w.PDS] == r2.options[w.PDS] and first.theirs != second.theirs
    assert options[w.LOCATORS][12:] == r2.options[w.LOCATORS][12:]  # the same locators; generations are random
    files = list((daemon.state_dir / "hba").iterdir())
    assert files and all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in files)


def test_th21_a_newer_set(make_daemon):
    """HD-03, HD-04: another set, with one prefix more: all addresses are new. The old ones stay, deprecated: the context
    goes on, and what begins now takes a new one. When the new set goes, the old one is as before."""
    daemon, peer = make_daemon()
    c, udp = peer.establish(), Udp(peer)
    old = list(daemon.addresses)

    def deprecated():
        shown = json.loads(run("ip", "-6", "-json", "addr", "show", "scope", "global", ns=daemon.ns).stdout)
        eth = [link for link in shown if link.get("ifname", "").startswith("eth")]
        return {a["local"]: a.get("deprecated", False) for link in eth for a in link["addr_info"] if a}

    def chosen():
        with inside(daemon.ns), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.connect((peer.stranger, 9))
            return s.getsockname()[0]

    assert chosen() in old
    made = daemon.ask("addr.generate", prefixes=[f"2001:db8:1:{i}::/64" for i in (1, 2, 3)])
    new = made["addresses"]
    assert len(new) == 3 and not set(new) & set(old)
    wait_until(lambda: [deprecated().get(a) for a in new[:2] + old] == [False, False, True, True], 5, "the change")
    assert chosen() in new
    when = time.monotonic()
    udp.send()
    got = wait_until(lambda: [p for p in peer.packets(when) if b"payload" in p[3]], 3, "payload of the old context")
    assert got[0][:3] == (peer.iut, peer.addr, w.UDP)
    peer.send(w.keepalive(c.theirs))
    peer.fence()
    context = daemon.context(peer.addr)
    assert context["state"] == "ESTABLISHED" and context["reap"] == "Operational"
    assert [(e["addr"], e["up"]) for e in context["locators"]["local"]] == [(a, True) for a in old]
    daemon.ask("addr.delete", file=made["file"])
    wait_until(lambda: {a: d for a, d in deprecated().items() if a in new + old} == dict.fromkeys(old, False), 5, "back")
    assert chosen() in old
    udp.close()


def test_hd06_ula_prefix(tmp_path):
    """HD-06, AMB-H18, HG-18: prefixes of any link, global or ULA, in one set, in the order they were given in; it is
    read back as it was."""
    given = ["fd12:3456:789a:7::/64", "2001:db8:a:1::/64", "2001:db8:a:2::/64"]
    words = [x for p in given for x in ("--prefix", p)]
    made = json.loads(run(SHIM6D, "--state-dir", tmp_path, "addr", "generate", *words, "--json").stdout)
    assert [w.packed(a)[:8] for a in made["addresses"]] == [w.packed(p[:-3])[:8] for p in given]
    text = (tmp_path / "hba" / f"{made['file']}.set").read_text()
    assert [line.split("=")[1] for line in text.splitlines() if line.startswith("address=")] == made["addresses"]
    listed = run(SHIM6D, "--state-dir", tmp_path, "addr", "list").stdout
    assert [word for word in listed.split() if word in made["addresses"]] == made["addresses"]


def test_hs06_what_the_key_is_used_for():
    """HS-06: the programs call nothing of libcrypto that encrypts or decrypts with a key. HS-11: nor anything that
    signs or verifies by a digest of its choice, which a system's policy may refuse for SHA-1; they raise a DigestInfo
    of their own."""
    for program in ("src/daemon/shim6d", "src/cli/shim6"):
        symbols = run("nm", "-D", "--undefined-only", BUILD / program).stdout.split()
        used = {s.split("@")[0] for s in symbols}
        if program.endswith("shim6d"):
            assert {"EVP_PKEY_sign", "EVP_PKEY_verify_recover"} <= used
        bad = ("EVP_PKEY_encrypt", "EVP_PKEY_decrypt", "EVP_PKEY_encapsulate", "EVP_PKEY_decapsulate", "EVP_Seal",
               "EVP_Open", "RSA_public_", "RSA_private_", "EVP_DigestSign", "EVP_DigestVerify", "EVP_Sign", "EVP_Verify",
               "EVP_PKEY_CTX_set_signature_md", "RSA_sign", "RSA_verify", "CMS_", "PKCS7_")
        assert [s for s in used if s.startswith(bad)] == []
