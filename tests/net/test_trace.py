# SPDX-License-Identifier: GPL-2.0-or-later
"""shim6 trace: what is seen of the messages of real daemons, as text, as JSON and as a capture."""
import json
import re
import signal
import subprocess
import time

import control
import pytest
import shim6wire as w
from lab import SHIM6
from netns import STARTS, run, wait_until
from peer import Daemon, Peer

SOON = 60  # s in which something comes that comes at once on an idle machine
LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{6}  (?:#(\d+) *|      )([0-9a-f:.]+) (->|<-) ([0-9a-f:.]+)  (.+)")


class Trace:
    """A shim6 trace that runs; its lines are read from a file as they come."""

    def __init__(self, host, folder, *words, json_lines=True):
        self.path = folder / f"trace{len(list(folder.iterdir()))}"
        argv = [SHIM6, "--socket", host.socket, "trace", *map(str, words)] + (["--json"] if json_lines else [])
        with open(self.path, "w") as out:
            self.child = subprocess.Popen(argv, stdout=out, stderr=subprocess.PIPE, text=True)
        self.json = json_lines
        wait_until(lambda: self.path.stat().st_size or self.child.poll() is not None, STARTS, "the trace begins")

    def lines(self):
        return [l for l in self.path.read_text().splitlines(keepends=True) if l.endswith("\n")]

    def objects(self, member):
        return [o[member] for o in map(json.loads, self.lines()) if member in o]

    def messages(self, *types):
        return [m for m in self.objects("message") if not types or m["decoded"].get("type") in types]

    def remarks(self):
        return self.objects("trace")

    def end(self):
        """Its exit code, negative after a signal, and what it complained of."""
        if self.child.poll() is None:
            self.child.terminate()
        _, complaints = self.child.communicate(timeout=STARTS)
        return self.child.returncode, complaints

    def done(self, timeout=STARTS):
        """Its exit code and complaints once it ends by itself."""
        _, complaints = self.child.communicate(timeout=timeout)
        return self.child.returncode, complaints


@pytest.fixture
def trace(tmp_path):
    running = []

    def begin(host, *words, **kw):
        running.append(Trace(host, tmp_path, *words, **kw))
        return running[-1]

    yield begin
    for t in running:
        print(f"--- {t.path.name}\n{t.path.read_text(errors='replace')[:20000]}")
        t.end()


@pytest.fixture
def daemon():
    d = Daemon()
    yield d
    d.close()


def kinds(messages):
    return [(m["direction"], m["decoded"]["type"]) for m in messages]


def test_sequence_of_a_context(lab, flows, trace):
    """T120, PF-06..PF-16: both ends see I1, R1, I2, R2, an Update and the probes of a failure, in this order, with
    the tags and nonces that the contexts have; what one end sends is octet for octet what the other one receives."""
    a, b = lab.A, lab.B
    seen_a, seen_b = trace(a), trace(b)
    told = trace(a, b.addresses[0], json_lines=False)
    a.shim6("establish", a.addresses[0], b.addresses[0])
    ca, cb = lab.established()
    wait_until(lambda: len(seen_a.messages()) >= 4, SOON, "four messages at A")
    wait_until(lambda: len(seen_b.messages()) >= 4, SOON, "four messages at B")
    i1, r1, i2, r2 = seen_a.messages()
    assert kinds([i1, r1, i2, r2]) == [("sent", "I1"), ("received", "R1"), ("sent", "I2"), ("received", "R2")]
    assert kinds(seen_b.messages()) == [("received", "I1"), ("sent", "R1"), ("received", "I2"), ("sent", "R2")]
    tag, peer_tag, nonce = ca["tag"]["local"], ca["tag"]["peer"], i1["decoded"]["initiator_nonce"]
    assert i1["decoded"]["tag"] == i2["decoded"]["tag"] == tag and r2["decoded"]["tag"] == peer_tag
    assert "tag" not in r1["decoded"]
    assert {m["decoded"]["initiator_nonce"] for m in (i1, r1, i2, r2)} == {nonce}
    assert i2["decoded"]["responder_nonce"] == r1["decoded"]["responder_nonce"]
    assert i2["decoded"]["validator"] == r1["decoded"]["validator"]
    assert [l["addr"] for l in r2["decoded"]["locators"]["list"]] == b.addresses
    assert set(r2["verified"]) == set(b.addresses) and r2["verdict"] == "accepted"
    # the context of each where there is one, and its state once the message was dealt with
    assert [m.get("id") for m in (i1, r1, i2, r2)] == [ca["id"]] * 4
    assert [m.get("state") for m in seen_b.messages()] == [None, None, "ESTABLISHED", "ESTABLISHED"]
    assert [(m["state"]) for m in (i1, r1, r2)] == ["I1-SENT", "I2-SENT", "ESTABLISHED"]
    assert [e["type"] for e in seen_a.objects("event")] == ["new", "established"]

    a.config.write_text(a.config.read_text().replace("send_timeout = 10", "send_timeout = 12"))
    assert "reap.send_timeout" in str(a.ask("reload")["changed"])
    wait_until(lambda: seen_a.messages("Update Acknowledgement"), SOON, "the Update is acknowledged")
    request, ack = seen_a.messages("Update Request", "Update Acknowledgement")
    assert kinds([request, ack]) == [("sent", "Update Request"), ("received", "Update Acknowledgement")]
    assert request["decoded"]["keepalive_timeout_s"] == 12
    assert request["decoded"]["request_nonce"] == ack["decoded"]["request_nonce"]
    assert (request["decoded"]["tag"], ack["decoded"]["tag"]) == (peer_tag, tag)

    f = flows.between(lab, "tcp")
    f.arrives(SOON, "TCP flows")
    lab.fail("link")
    wait_until(lambda: (c := a.context()) and c["rewritten"] and c["reap"] == "Operational", SOON, "A switched")
    wait_until(lambda: [e for e in seen_a.objects("event") if e["type"] == "switched"], SOON, "the switch is told")
    probes = seen_a.messages("Probe")
    sent, got = ([m for m in probes if m["direction"] == d] for d in ("sent", "received"))
    assert sent and got and {m["decoded"]["tag"] for m in sent} == {peer_tag}
    assert {m["decoded"]["tag"] for m in got} == {tag} and {m["id"] for m in probes} == {ca["id"]}
    for m in probes:  # the first record is the probe's own (PF-07)
        ends = (m["local"], m["peer"]) if m["direction"] == "sent" else (m["peer"], m["local"])
        assert (m["decoded"]["sent"][0]["src"], m["decoded"]["sent"][0]["dst"]) == ends
    nonces = {r["nonce"] for m in sent for r in m["decoded"]["sent"]}
    reports = [r["nonce"] for m in got for r in m["decoded"]["received"]]
    assert reports and set(reports) <= nonces
    order = [(k, v) for o in map(json.loads, seen_a.lines()) for k, v in o.items()]
    at = {v["type"]: i for i, (k, v) in enumerate(order) if k == "event"}
    assert at["new"] < at["established"] < at["exploring"] < at["switched"]
    reporting = next(i for i, (k, v) in enumerate(order) if k == "message" and v is not None and v["decoded"].get("received"))
    assert at["exploring"] < reporting

    # in the order of sending, none left out, except what the dead link took
    sent_a = [m["octets"] for m in seen_a.messages() if m["verdict"] == "sent"]
    wait_until(lambda: seen_b.messages() and seen_b.messages()[-1], SOON, "B has seen it")
    got_b = [m["octets"] for m in seen_b.messages() if m["direction"] == "received"]
    at = [sent_a.index(o) for o in got_b if o in sent_a]
    assert at == sorted(at) and len(at) >= 4
    assert all(m["verdict"] in ("sent", "accepted") or m["counters"] for m in seen_a.messages())

    # and the same for people: one line each, short addresses, arrows, state changes
    said = told.lines()
    head = [LINE.fullmatch(l.rstrip("\n")) for l in said]
    types = [m.group(5).split(",")[0] for m in head if m]
    assert types[:4] == ["I1", "R1", "I2", "R2"] and "Probe" in types and "Update Request" in types
    assert [m.group(3) for m in head if m][:4] == ["->", "<-", "->", "<-"]
    text = "".join(said)
    for part in (f"tag {tag}, initiator nonce {nonce}", "[accepted]", "HBA verified", "keepalive timeout 12 s",
                 "I1-SENT -> I2-SENT", "I2-SENT -> ESTABLISHED", "established (asked for by command)",
                 "-> Operational", "now sends from", f"received {short(a.addresses[1])} > "):
        assert part in text, part
    assert a.addresses[0] not in "".join(l for l, m in zip(said, head) if m), "addresses are short"


def short(address):
    """First four groups and the last one, as the trace shows an address."""
    groups = address.split(":")
    return ":".join(groups[:4]) + ".." + groups[-1].zfill(4)


def test_filters(lab, trace):
    """Of two contexts, by id, by tag, by ULID pair and by the peer's address: the messages of one, and of no other."""
    a, b = lab.A, lab.B
    for i in (0, 1):
        a.shim6("establish", a.addresses[i], b.addresses[i])
    contexts = wait_until(
        lambda: len(c := [c for c in a.ask("contexts") if c["state"] == "ESTABLISHED"]) == 2 and c, SOON, "two contexts"
    )
    first, second = sorted(contexts, key=lambda c: c["id"])
    everything = trace(a)
    views = [trace(a, first["id"]), trace(a, first["tag"]["local"]), trace(a, first["tag"]["peer"].upper()),
             trace(a, first["ulid"]["local"], first["ulid"]["peer"])]
    by_peer = trace(a, b.addresses[1])
    for c in (second, first):
        a.ask("explore", id=c["id"])
    whole = lambda: {m["id"] for m in everything.messages("Probe") if m["reap"] == "Operational"}
    wait_until(lambda: whole() == {first["id"], second["id"]}, SOON, "both were tested")
    time.sleep(0.2)  # nothing to wait for: nothing is to come
    of_first = [m for m in everything.messages() if m["id"] == first["id"]]
    assert of_first and all(v.messages() == of_first for v in views)
    assert {e["id"] for v in views for e in v.objects("event")} <= {first["id"]}
    assert {m["id"] for m in by_peer.messages()} >= {second["id"]}
    assert all(b.addresses[1] in (m["peer"], second["ulid"]["peer"]) for m in by_peer.messages() if m["id"] != first["id"])
    missing = trace(a, 999)
    assert missing.done()[0] == 1
    a.ask("drop", id=first["id"])
    wait_until(lambda: [e for e in views[0].objects("event") if e["type"] == "gone"], SOON, "its end is told")


def fields(capture, *names):
    """What tshark reads of each packet."""
    done = run("tshark", "-r", capture, "-T", "fields", "-E", "separator=|", *[x for n in names for x in ("-e", n)])
    return [dict(zip(names, line.split("|"))) for line in done.stdout.splitlines()]


def test_capture(lab, trace, tmp_path):
    """W-01, W-02, W-07, W-20: the capture opens in tshark, with the type, length, checksum, addresses and time of
    each message; on the standard output, too."""
    a, b = lab.A, lab.B
    path = tmp_path / "messages.pcapng"
    seen = trace(a, "--pcap", path, "--count", 4)
    piped = trace(a, "--pcap", "-", "--count", 4, json_lines=False)
    a.shim6("establish", a.addresses[0], b.addresses[0])
    for t in (seen, piped):
        code, complaints = t.done()
        assert code == 0 and (t is seen or complaints == "shim6: tracing\n"), complaints
    messages = seen.messages()
    names = ("frame.time_epoch", "ipv6.src", "ipv6.dst", "ipv6.nxt", "ipv6.plen", "shim6.p", "shim6.type", "shim6.len",
             "shim6.nxt", "shim6.checksum.status", "frame.packet_flags_direction", "frame.comment")
    packets = fields(path, *names)
    assert len(packets) == len(messages) == 4 and fields(piped.path, *names) == packets
    assert [p["shim6.type"] for p in packets] == ["1", "2", "3", "4"]
    for p, m in zip(packets, messages):
        octets, sent = bytes.fromhex(m["octets"]), m["direction"] == "sent"
        assert (p["ipv6.src"], p["ipv6.dst"]) == ((m["local"], m["peer"]) if sent else (m["peer"], m["local"]))
        assert p["ipv6.nxt"] == "140" and int(p["ipv6.plen"]) == len(octets) == 8 * int(p["shim6.len"]) + 8
        assert p["shim6.nxt"] == "59" and p["shim6.p"] == "0" and p["shim6.checksum.status"] == "1"
        assert int(p["frame.packet_flags_direction"], 16) == (2 if sent else 1)
        assert p["frame.comment"] == f"{m['verdict']}; context {m['id']}"
        hms = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(p["frame.time_epoch"].split(".")[0])))
        assert m["time"] == f"{hms}.{p['frame.time_epoch'].split('.')[1][:6]}Z"
        assert abs(time.time() - float(p["frame.time_epoch"])) < 120
    full = run(SHIM6, "--socket", a.socket, "trace", "--pcap", "/dev/full", check=False)
    assert full.returncode == 1 and "/dev/full: No space left" in full.stderr


def test_refused_and_lost(daemon, trace):
    """W-43, W-20, R-01, D-15, ERR-03: what is not understood is shown with why and with its octets; so are payload
    packets with a tag that is not known, and ICMPv6 errors."""
    peer = Peer(daemon, 1)
    seen, told = trace(daemon), trace(daemon, json_lines=False)
    stranger = w.tag()
    good = w.i1(stranger, w.nonce())
    wrong_sum = good[:4] + bytes([good[4] ^ 1]) + good[5:]
    bad_option = w.i1(w.tag(), w.nonce(), w.option(w.FII, b"\0" * 5))
    critical = w.i1(w.tag(), w.nonce(), w.option(99, b"x", critical=True))
    unknown = w.message(40, b"\0" * 12)
    for body in (wrong_sum, bad_option, critical, unknown):
        peer.send(body)
    peer.send(w.payload_header(stranger, w.NONE) + b"\0" * 8)
    c = peer.establish()
    quote = w.ipv6(peer.iut, peer.addr, w.keepalive(c.own))
    peer.send(w.icmpv6(peer.addr, peer.iut, 1, 0, 0, quote), next_header=w.ICMPV6)
    wait_until(lambda: seen.objects("icmp"), SOON, "all is there")
    got = {m["octets"]: m for m in seen.messages() if m["direction"] == "received"}
    for body, why, counter in (
        (wrong_sum, "checksum", "drop_checksum"),
        (bad_option, "option", "drop_option"),
        (critical, "critical-option", "drop_critical_option"),
        (unknown, "unknown-type", "drop_unknown_type"),
    ):
        m = got[body.hex()]
        assert (m["verdict"], m["decoded"]["undecodable"], m["counters"]) == ("dropped", why, [counter])
        line = next(l for l in told.lines() if body.hex() in l)
        assert f"undecodable: {why}" in line and counter in line
    assert got[critical.hex()]["decoded"]["offset"] == 16
    errors = seen.messages("Error")
    assert [m["decoded"]["error"]["code"] for m in errors] == [1, 0]
    assert errors[0]["decoded"]["error"]["pointer"] == 40 + 16
    assert errors[0]["decoded"]["error"]["quote"]["octets"].endswith(critical.hex())
    (tag,) = seen.objects("unknown_tag")
    assert tag["tag"] == f"{stranger:012x}" and tag["peer"] == peer.addr and tag["counters"] == ["drop_unknown_tag"]
    order = seen.lines()
    r1bis = next(i for i, l in enumerate(order) if '"type":"R1bis"' in l)
    assert '"unknown_tag"' in order[r1bis - 1], "the reason stands before what it caused"
    (icmp,) = seen.objects("icmp")
    assert (icmp["type"], icmp["code"], icmp["decoded"]["type"]) == (1, 0, "Keepalive")
    assert icmp["id"] == daemon.context(peer.addr)["id"]
    text = "".join(told.lines())
    assert "payload packet" in text and "ICMPv6 type 1 code 0 about Keepalive" in text


def test_slow_reader(daemon):
    """A subscriber that does not read costs a bounded amount of memory, holds up nobody, and is told exactly how many
    messages it missed; when nobody watches nothing is kept."""
    peer = Peer(daemon, 2)
    bad = bytearray(w.i1(w.tag(), w.nonce()))
    bad[4] ^= 1

    def flood(n):
        """n messages that are dropped, and an I1 that is answered."""
        for _ in range(n):
            peer.send(bytes(bad))
        peer.fence()

    flood(200)
    before, sums = daemon.memory(), daemon.counters()["engine.drop_checksum"]
    with control.Client(daemon.socket) as slow, control.Client(daemon.socket) as quick:
        slow.call("trace")
        quick.call("trace", peer="2001:db8::dead")  # nothing of this is for it
        total = 0
        while daemon.counters()["daemon.control_events_missed"] < 500:
            flood(200)
            total += 200
            assert total <= 30000
        assert daemon.counters()["engine.drop_checksum"] - sums == total
        assert daemon.memory() - before < 16
        missed = daemon.counters()["daemon.control_events_missed"]
        got = told = 0
        while not told:
            line = slow.line()
            told = line.get("overflow", 0)
            got += "message" in line
        assert told == missed and got + missed == total + 2 * total // 200, (got, missed, total)
        flood(1)
        assert slow.line()["message"]["octets"]
        quick.call("status")  # the answer is the first line: nothing was sent before it
    stats = daemon.stats()["daemon"]
    assert stats["turns_slow"] == 0, stats["turn_longest_us"]
    flood(200)
    assert daemon.counters()["daemon.control_events_missed"] == missed


def test_daemon_restarts(lab, trace):
    """The end of the daemon is told, and its successor is followed; --for ends the trace whatever happens; without a
    successor it ends with an error."""
    a, b = lab.A, lab.B
    a.shim6("establish", a.addresses[0], b.addresses[0])
    lab.established()
    c = a.context()
    seen, told = trace(a, c["id"]), trace(a, json_lines=False)
    a.kill(signal.SIGUSR1)
    wait_until(lambda: seen.remarks() == ["begins", "lost"], SOON, "its end is told")
    a.start()
    wait_until(lambda: seen.remarks() == ["begins", "lost", "begins"], SOON, "the next one is followed")
    wait_until(lambda: "".join(told.lines()).count("tracing") == 2, SOON, "and said")
    assert "the daemon has ended; what happens until another one runs is not seen" in "".join(told.lines())
    a.ask("explore", id=c["id"])
    wait_until(lambda: seen.messages("Probe"), SOON, "the same context is followed")
    for_a_while, lone = trace(a, "--for", "1.5"), trace(a)
    began = time.monotonic()
    a.kill(signal.SIGTERM)
    assert for_a_while.done() == (0, "") and time.monotonic() - began < 25
    code, complaints = lone.done(60)
    assert code == 3 and "no other daemon came in 30 s" in complaints, complaints
    assert run(SHIM6, "--socket", a.socket, "trace", "--for", "1", check=False).returncode == 3


@pytest.mark.parametrize(
    "words,said",
    [
        (["foo"], "'foo' is none of those"),
        (["2001:db8::1", "1"], "'1' is none of those"),
        (["1", "2", "3"], "usage: shim6 trace"),
        (["--count", "0"], "--count cannot be '0'"),
        (["--count", "-3"], "--count cannot be '-3'"),
        (["--count", "4x"], "--count cannot be '4x'"),
        (["--count", "99999999999999999999"], "--count cannot be"),
        (["--for", "0"], "--for cannot be '0'"),
        (["--for", "soon"], "--for cannot be 'soon'"),
        (["--for", "nan"], "--for cannot be 'nan'"),
        (["--for"], "--for needs a value"),
        (["--json", "--pcap", "-"], "both want the output"),
        (["--sec", "1"], "takes no such option"),
    ],
)
def test_wrong_command_lines(words, said):
    done = run(SHIM6, "--socket", "/nonexistent", "trace", *words, check=False)
    assert done.returncode == 2 and said in done.stderr and done.stdout == "", (done.returncode, done.stderr)


def test_wrong_requests(daemon, tmp_path):
    """Refused with a reason; a capture that is there already is not touched when there is nothing to follow."""
    for words, code, said in (
        (["999"], 1, "no context 999"),
        (["00000000abcd"], 1, "no context has the tag 00000000abcd"),
        (["--pcap", "/nonexistent/x"], 1, "cannot write /nonexistent/x: No such file"),
    ):
        done = run(SHIM6, "--socket", daemon.socket, "trace", *words, check=False)
        assert done.returncode == code and said in done.stderr, (done.returncode, done.stderr)
    old = tmp_path / "old"
    old.write_text("precious")
    for words in ([999], ["foo"]):
        run(SHIM6, "--socket", daemon.socket, "trace", "--pcap", old, *words, check=False)
        run(SHIM6, "--socket", "/nonexistent", "trace", "--pcap", old, check=False)
        assert old.read_text() == "precious"
    with control.Client(daemon.socket) as c:
        for args, code in (({"id": "1"}, "bad-argument"), ({"id": 7}, "no-context"), ({"peer": "x"}, "bad-argument"),
                           ({"local": daemon.addresses[0]}, "bad-argument"), ({"local": 1}, "bad-argument")):
            with pytest.raises(control.Refused) as e:
                c.call("trace", **args)
            assert e.value.code == code
        c.call("trace")
        c.call("events")  # the last subscription counts
        made = daemon.ask("establish", local=daemon.addresses[0], peer="2001:db8:dead::1")
        assert c.line()["event"]["type"] == "new"
        daemon.ask("drop", id=made["id"])
        assert c.line()["event"]["type"] == "gone", "no message between them"
