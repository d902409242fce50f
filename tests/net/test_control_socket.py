# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket under clients that mean no good: no crash, no stall of the loop, bounded memory and files."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import control
import pytest
from netns import inside, wait_until
from peer import Daemon

NOBODY = 65534
CODES = {
    "no-preference",
    "bad-request", "unknown-op", "bad-argument", "no-context", "not-permitted", "not-local", "limit", "exists",
    "state", "config", "io",
}


@pytest.fixture(scope="module")
def daemon():
    d = Daemon()
    yield d
    d.close()


@pytest.fixture
def host(daemon):
    """A daemon; after each test it must be alive, quick all the time, and hold no more files than before."""
    fds = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    yield daemon
    stats = daemon.stats()["daemon"]
    print(f"longest turn {stats['turn_longest_us']} us")
    assert stats["turns_slow"] == 0
    wait_until(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) <= fds, 20, "connections are closed")


def grown(host, counter):
    """A function that says by how much a counter of the daemon's has grown since."""
    before = host.stats()["daemon"][counter]
    return lambda: host.stats()["daemon"][counter] - before


def memory(host):
    """Resident set, MiB."""
    return int(pathlib.Path(f"/proc/{host.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def refused(reply, code):
    return reply["ok"] is False and reply["error"]["code"] == code and reply["error"]["message"]


def test_garbage(host):
    """Each line that is no request is answered as such, and the next one is taken."""
    deep = b'{"v":1,"op":"status","args":' + b'{"a":' * 5000 + b"1" + b"}" * 5001
    lines = [
        b"hello", b"{", b"}", b"[]", b"1", b"null", b'"status"', b"{}", b'{"v":1}', b'{"v":2,"op":"status"}',
        b'{"v":"1","op":"status"}', b'{"v":1,"op":7}', b'{"v":1,"op":null}', b'{"v":1,"op":["status"]}',
        b'{"v":1,"op":"status","args":7}', b'{"v":1,"op":"status","args":[]}', b'{"v":1,"op":"status"}}',
        b'{"v":1,"op":"status"}{"v":1,"op":"status"}', b'{"v":1,"op":"status",}', b"{'v':1,'op':'status'}",
        b'{"v":4294967297,"op":"status"}', b"\0", b"\xff\xfe{}", b'{"v":1,"op":"\xff\xff"}', bytes(range(128, 256)),
        b"[" * 100000, deep, b"GET / HTTP/1.0\r", b'{"v":1,"op":"status"' + b" " * 60000,
    ]
    bad = grown(host, "control_bad")
    with control.Client(host.socket) as c:
        for line in lines:
            c.send(line + b"\n")
            assert refused(c.line(), "bad-request"), line[:80]
        c.send(b"\n\n")  # empty lines are none
        for op in ("", "x" * 100000, "status\n", "Status", "é" * 100, "\u0000status", "..", "%s%n"):
            with pytest.raises(control.Refused) as e:
                c.call(op)
            assert e.value.code == "unknown-op"
        assert c.call("status")["pid"] == host.pid
    assert bad() == len(lines)


def test_wrong_arguments(host):
    """Every operation with every argument of every wrong type: an answer each time, with a code of the protocol."""
    peer = "2001:db8:b:1::1"
    ops = {
        "contexts": {"id": 1, "after": 0},
        "events": {"since": 0},
        "establish": {"local": host.addresses[0], "peer": peer},
        "explore": {"id": 1, "local": host.addresses[0], "peer": peer},
        "drop": {"id": 1},
        "prefer": {"target": host.addresses[0], "priority": 0, "weight": 0, "reset": True},
        "addr.generate": {"prefixes": ["2001:db8:a:1::/64"], "sec": 0, "key": "x", "name": "n"},
        "addr.delete": {"file": "none"},
        "trace": {"id": 1, "local": host.addresses[0], "peer": peer},
        "status": {}, "locators": {}, "stats": {}, "negative": {}, "addr.list": {}, "reload": {},
    }
    wrong = [
        None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, 1e300, "", "x", "-1", "::", "::1", "ff02::1", "fe80::1",
        "2001:db8::/64", "::ffff:1.2.3.4", "1" * 5000, "../../etc/passwd", "a/b", "a\u0000b", "\u001b[2J", [], [[]],
        [None], [1], ["x"] * 1000, {}, {"a": {}},
    ]
    before = sorted(p.name for p in (host.state_dir / "hba").iterdir())
    with control.Client(host.socket) as c:
        n = 0
        for op, args in ops.items():
            for key in list(args) + ["unknown"]:
                for value in wrong:
                    try:
                        c.call(op, **{**args, key: value})
                    except control.Refused as e:
                        assert e.code in CODES, (op, key, value, e)
                        assert e.message
                    n += 1
                    if op in ("events", "trace"):  # subscribed now, and for good
                        c.close()
                        c = control.Client(host.socket)
        assert n > 500
        for op, args in (("drop", {"id": "1"}), ("establish", {"local": 1, "peer": peer}), ("drop", {}),
                         ("addr.delete", {"file": "../hba/hba0"}), ("addr.generate", {"prefixes": "x"})):
            with pytest.raises(control.Refused) as e:
                c.call(op, **args)
            assert e.value.code in ("bad-argument", "io")
        made = {p.name for p in (host.state_dir / "hba").iterdir()} - set(before)
        assert set(before) <= {p.name for p in (host.state_dir / "hba").iterdir()}
        for name in made:  # what a wrong argument that does not matter could not stop
            c.call("addr.delete", file=name)
        c.close()


def test_long_and_half_lines(host):
    with control.Client(host.socket) as c:
        c.send(b"x" * ((1 << 20) - 1))
        c.send(b"x" * 10)
        assert refused(c.line(), "bad-request") and c.line() is None
    halves = []
    for _ in range(20):
        c = control.Client(host.socket)
        c.send(b'{"v":1,"op":"sta')
        halves.append(c)
    before = memory(host)
    for c in halves:
        c.send(b" " * 900000)
    with control.Client(host.socket) as c:
        for byte in b'{"v":1,"op":"status"}\n':
            c.send(bytes([byte]))
        assert c.line()["ok"]
    assert memory(host) - before < 64
    for c in halves:
        c.close()
    with control.Client(host.socket) as c:  # a half line and the end: no answer is due
        c.send(b'{"v":1,"op":"status"}\n{"v":1')
        c.sock.shutdown(socket.SHUT_WR)
        assert c.line()["ok"] and c.line() is None


def test_never_reading(host):
    """Clients that ask and ask without reading are not listened to any more; others are served at once."""
    before, greedy = memory(host), []
    for op in ("stats", "status", "contexts", "nonsense") * 4:
        c = control.Client(host.socket)
        c.sock.setblocking(False)
        line = json.dumps({"v": 1, "op": op}).encode() + b"\n"
        greedy.append((c, line * 2000))
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        for c, block in greedy:
            try:
                c.sock.send(block)
            except BlockingIOError:
                continue
        assert host.ask("status")["pid"] == host.pid
    assert memory(host) - before < 64
    assert not [c for c, _ in greedy if is_closed(c.sock)]
    for c, _ in greedy:
        c.close()


def is_closed(sock):
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False


def test_pipelining(host):
    """A hundred thousand requests in one go, answers read: in order, none lost, and others get their turn."""
    with control.Client(host.socket, timeout=60) as c:
        total, sent, got = 20000, 0, 0
        block = b'{"v":1,"op":"contexts"}\n' * 500
        waits = []
        while got < total:
            if sent < total and sent - got < 4000:
                c.send(block)
                sent += 500
            if got % 1000 == 0:
                began = time.monotonic()
                host.ask("status")
                waits.append(time.monotonic() - began)
            assert c.line() == {"v": 1, "ok": True, "result": []}
            got += 1
    assert sorted(waits)[len(waits) // 2] < 0.2, waits


UNPRIVILEGED = """
import json, os, socket, sys, time
folder = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
os.setgroups([int(g) for g in sys.argv[3:]]); os.setgid(65534); os.setuid(65534)
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(f"/proc/self/fd/{folder}/shim6.sock")
    return s
exec(sys.stdin.read())
"""


def as_nobody(host, script, name, *groups):
    """Run Python as an unprivileged user: connect() gives a connection to the daemon."""
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, host.run_dir, name, *map(str, groups)], input=script, text=True,
        capture_output=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOOK_AND_CHANGE = """
f = connect().makefile("rw")
def ask(op, **args):
    f.write(json.dumps({"v": 1, "op": op, "args": args}) + "\\n"); f.flush()
    reply = json.loads(f.readline())
    return "ok" if reply["ok"] else reply["error"]["code"]
for op in "status", "contexts", "locators", "stats", "negative", "addr.list", "events":
    print(op, ask(op))
for op, args in (("reload", {}), ("trace", {}), ("establish", {"local": "::1", "peer": "::1"}), ("explore", {"id": 1}),
                 ("drop", {"id": 1}), ("addr.generate", {"prefixes": []}), ("addr.delete", {"file": sys.argv[2]})):
    print(op, ask(op, **args))
"""


def test_rights(host):
    """Everybody may look at the host's state; only root and the configured group at the rest, and change anything."""
    denied, good = grown(host, "control_denied"), host.config.read_text()
    replies = dict(line.split() for line in as_nobody(host, LOOK_AND_CHANGE, "hba0").splitlines())
    looks = {"status", "contexts", "locators", "stats", "addr.list", "events"}
    assert {op for op, verdict in replies.items() if verdict == "ok"} == looks
    assert {v for op, v in replies.items() if op not in looks} == {"not-permitted"} and len(replies) == 14
    assert denied() == 8 and (host.state_dir / "hba/hba0.set").exists()

    host.config.write_text(good + "[daemon]\ncontrol_group = mail\n")
    host.ask("reload")
    mail = int(next(l for l in open("/etc/group") if l.startswith("mail:")).split(":")[2])
    replies = dict(line.split() for line in as_nobody(host, LOOK_AND_CHANGE, "hba0").splitlines())
    assert replies["reload"] == "not-permitted"
    made = host.ask("addr.generate", prefixes=["2001:db8:1:1::/64"])["file"]
    replies = dict(line.split() for line in as_nobody(host, LOOK_AND_CHANGE, made, mail).splitlines())
    assert replies["reload"] == "ok" and replies["drop"] == "no-context" and "not-permitted" not in replies.values()
    assert replies["addr.delete"] == "ok"
    host.config.write_text(good)
    host.ask("reload")


OWN = """
flow = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
flow.bind((sys.argv[2], 0)); flow.connect(("2001:db8:dead::1", 9))
f = connect().makefile("rw")
def ask(op, **args):
    f.write(json.dumps({"v": 1, "op": op, "args": args}) + "\\n"); f.flush()
    return json.loads(f.readline())
mine = ask("contexts")["result"]
print(json.dumps([c["ulid"]["peer"] for c in mine]))
print(json.dumps([ask("contexts", id=i)["ok"] for i in json.loads(os.environ["IDS"])]))
ask("events", since=0)
print("ready", flush=True)
peers, e = set(), {}
while (e.get("id"), e.get("type")) != (json.loads(os.environ["IDS"])[0], "gone"):
    e = json.loads(f.readline())["event"]
    peers.add(e["ulid"]["peer"])
print(json.dumps(list(peers)))
"""


def test_own_contexts(host, monkeypatch):
    """A user sees the contexts and events of his own sockets, as SO_PEERCRED says who he is; not those of others."""
    made = [host.ask("establish", local=host.addresses[0], peer=f"2001:db8:dead::{n}")["id"] for n in (1, 2)]
    monkeypatch.setenv("IDS", json.dumps(made))
    with inside(host.ns):
        p = subprocess.Popen([sys.executable, "-c", UNPRIVILEGED, host.run_dir, host.addresses[0]],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        p.stdin.write(OWN)
        p.stdin.close()
        assert json.loads(p.stdout.readline()) == ["2001:db8:dead::1"]
        assert json.loads(p.stdout.readline()) == [True, False]
        assert p.stdout.readline() == "ready\n"
        host.ask("drop", id=made[1])
        host.ask("drop", id=made[0])
        assert json.loads(p.stdout.readline()) == ["2001:db8:dead::1"]
    finally:
        p.kill()
        p.wait()
    assert len(host.ask("contexts")) == 0


CROWD = """
held = []
for i in range(3000):
    s = connect()
    held.append(s) if i < 200 else s.close()
print("there", flush=True)
end = time.time() + 30
while time.time() < end and not os.path.exists(f"/proc/self/fd/{folder}/shim6.sock.stop"):
    try:
        s = connect(); s.send(b"x" * 100); s.close()
    except OSError:
        pass
"""


def test_thousands_of_connections(host):
    """Strangers open thousands of connections and hold what they get: the administrator still gets in."""
    before, over = memory(host), grown(host, "control_refused")
    crowd = [
        subprocess.Popen([sys.executable, "-c", UNPRIVILEGED, host.run_dir, ""], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for p in crowd:
            p.stdin.write(CROWD)
            p.stdin.close()
        for p in crowd:
            assert p.stdout.readline() == "there\n"
        for _ in range(20):
            assert host.ask("status")["pid"] == host.pid
        assert over() > 1000
        assert len(os.listdir(f"/proc/{host.pid}/fd")) < 64 + 100
        assert memory(host) - before < 32
    finally:
        for p in crowd:
            p.kill()
            p.wait()


def test_limit_told(host):
    """The connection over the limit is told so; a place is free again when one goes."""
    held = [control.Client(host.socket) for _ in range(64)]
    assert all(c.call("status") for c in held)
    with control.Client(host.socket) as c:
        assert refused(c.line(), "limit") and c.line() is None
    held.pop().close()


    def free():
        with control.Client(host.socket) as c:
            return "result" in (c.send(b'{"v":1,"op":"status"}\n') or c.line())

    wait_until(free, 5, "a place is free")
    for c in held:
        c.close()


def test_event_overflow(host):
    """Events that a client did not read are counted, and their number is told once it reads."""
    with control.Client(host.socket) as slow:
        slow.call("events")
        before, misses = memory(host), grown(host, "control_events_missed")
        rounds = 0
        with control.Client(host.socket) as c:
            while misses() < 100:
                for _ in range(50):
                    made = c.call("establish", local=host.addresses[0], peer="2001:db8:dead::1")
                    c.call("drop", id=made["id"])
                rounds += 50
                assert rounds < 20000
            assert memory(host) - before < 16
            missed = misses()
        last, overflow = 0, 0
        while not overflow:
            line = slow.line()
            if "event" in line:
                assert line["event"]["seq"] == last + 1 or not last
                last = line["event"]["seq"]
            overflow = line.get("overflow", 0)
        assert overflow == missed
        made = host.ask("establish", local=host.addresses[0], peer="2001:db8:dead::2")
        assert slow.line()["event"]["seq"] == last + overflow + 1
        host.ask("drop", id=made["id"])


def test_events_since(host):
    """The last events are kept for those who come later."""
    made = host.ask("establish", local=host.addresses[0], peer="2001:db8:dead::1")
    host.ask("drop", id=made["id"])
    with control.Client(host.socket) as c:
        c.call("events", since=0)
        seen = [c.line()["event"]]
        while (seen[-1]["id"], seen[-1]["type"]) != (made["id"], "gone"):
            seen.append(c.line()["event"])
        assert len(seen) <= 256
        first, second = seen[-2:]
        assert [first["type"], second["type"]] == ["new", "gone"] and second["seq"] == first["seq"] + 1
        assert first["ulid"] == {"local": host.addresses[0], "peer": "2001:db8:dead::1"}
        assert first["id"] == second["id"] == made["id"]
