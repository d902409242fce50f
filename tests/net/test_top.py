# SPDX-License-Identifier: GPL-2.0-or-later
"""shim6 top in a real (pseudo) terminal: what it draws, keys, sizes, and that the terminal is left as it was."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from lab import SHIM6
from netns import run, wait_until

LEAVE = b"\x1b[?25h\x1b[?1049l"


class Terminal:
    """`shim6 top` with a terminal of its own as its controlling one."""

    def __init__(self, host, *words, columns=80, rows=24):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.raw = b""
        self.child = subprocess.Popen(
            [str(w) for w in (SHIM6, "--socket", host.socket, "--color=never", "top", "--interval", "0.2", *words)],
            stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.raw += os.read(self.master, 65536)

    def type(self, keys):
        os.write(self.master, keys.encode())

    def frames(self, since=0):
        """Whole pictures, as lists of lines."""
        self.read()
        found = re.findall(rb"\x1b\[H(?!\x1b)(.*?)\x1b\[K\x1b\[J", self.raw[since:], re.S)
        return [re.sub(r"\x1b\[K\r\n", "\n", f.decode()).split("\n") for f in found]

    def shows(self, condition, what, timeout=20):
        """The first picture from now on for which the condition holds; each fits the terminal."""
        self.read()
        since = len(self.raw)

        def found():
            for frame in self.frames(since):
                if len(frame) == self.rows and condition(frame):
                    assert max(map(len, frame)) <= self.columns
                    assert not re.search(r"[\x00-\x1f\x7f]", "".join(frame))
                    return frame
            return None

        return wait_until(found, timeout, f"top shows {what}")

    def ended(self, timeout=10):
        """(exit status, standard error); the terminal is as it was."""
        deadline = time.monotonic() + timeout
        while self.child.poll() is None:
            self.read()
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.01)
        self.read()
        self.restored()
        return self.child.returncode, self.child.stderr.read().decode()

    def restored(self):
        assert termios.tcgetattr(self.slave) == self.before
        assert self.raw.endswith(LEAVE) and self.raw.count(b"\x1b[?1049h") == self.raw.count(LEAVE)

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.child.stderr.close()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def top():
    made = []

    def make(*a, **kw):
        made.append(Terminal(*a, **kw))
        return made[-1]

    yield make
    for t in made:
        t.close()


def row(frame, peer):
    """The line of the context with this peer: its columns."""
    return next((line.split() for line in frame if re.match(rf" *\d+ {peer[:20]}", line)), None)


def test_live(lab, flows, top):
    """A session and its failover, at 80 by 24, smaller and larger; keys; q."""
    a = lab.A
    f = flows.between(lab, "tcp", down=True)
    context, _ = lab.established()
    f.arrives(20, "TCP flows")
    peer = context["ulid"]["peer"]
    t = top(a)

    def busy(frame):
        columns = row(frame, peer)
        return columns and columns[2] == "works" and not columns[4].startswith(("-", "0"))

    frame = t.shows(busy, "the session with its rate")
    assert "1 established" in frame[0] and frame[1] == "uplinks: eth1 up, eth2 up" and "bit/s in" in frame[2]
    assert frame[-1].startswith("q quit  s sort: rate")
    assert row(frame, peer)[3] == "eth1"
    assert termios.tcgetattr(t.slave) != t.before
    lab.fail("link")
    frame = t.shows(lambda f: (row(f, peer) or [""] * 4)[3] == "eth2*" and any(" switched " in l for l in f),
                    "the switch")
    assert set(frame[1].removeprefix("uplinks: ").split(", ")) == {"eth1 DOWN", "eth2 up"}
    events = frame[frame.index("RECENT SWITCHES AND FAILURES (UTC)") + 1:]
    assert re.match(r"\d\d:\d\d:\d\d +\d+ switched  eth1 -> eth2 in [\d.]+ m?s: a local locator is down", events[0]), events

    for columns, rows in ((40, 10), (200, 60), (20, 3), (1, 1), (80, 24)):
        t.resize(columns, rows)
        frame = t.shows(lambda f: True, f"itself at {columns} by {rows}")
        assert rows > 3 or not row(frame, peer)
    t.resize(200, 60)
    assert row(t.shows(lambda f: True, "all"), peer)[-1] == a.context()["current"]["peer"]
    for expected in ("id", "peer", "switches", "idle", "rate"):
        t.type("s")
        t.shows(lambda f: f"sort: {expected} " in f[-1], f"the order by {expected}")
    t.type("r")
    t.shows(lambda f: "sort: rate, reversed" in f[-1], "the order reversed")
    t.type("\x1b[B\x1b[6~\x1b[A\x1b[5~\x1b[H\x1b[F\x1b[99x\x1bOA")
    assert row(t.shows(lambda f: True, "it still"), peer)
    t.type("q")
    assert t.ended() == (0, "")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_signals(lab, top, sig):
    """The end by a signal is one by that signal, of a terminal that is as it was."""
    t = top(lab.A)
    t.shows(lambda f: any("no contexts" in l for l in f), "an empty host")
    if sig == signal.SIGINT:
        t.type("\x03")
    else:
        os.kill(t.child.pid, sig)
    assert t.ended() == (-sig, "")


def test_stopped(lab, top):
    """While it is stopped the terminal is the shell's; continued, it draws again."""
    t = top(lab.A)
    t.shows(lambda f: True, "itself")
    os.kill(t.child.pid, signal.SIGTSTP)
    assert os.WIFSTOPPED(os.waitpid(t.child.pid, os.WUNTRACED)[1])
    t.read()
    t.restored()
    os.kill(t.child.pid, signal.SIGCONT)
    t.shows(lambda f: True, "itself again")
    t.type("q")
    assert t.ended() == (0, "")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_daemon_ends(lab, top, sig):
    t = top(lab.A)
    t.shows(lambda f: True, "itself")
    lab.A.kill(sig)
    code, said = t.ended()
    assert code == 1 and said.startswith("shim6: the daemon closed the connection"), said


def test_once(lab, flows):
    """--once: one picture for a script, with rates, in the wanted order."""
    a = lab.A
    f = flows.between(lab, "tcp", down=True)
    context, _ = lab.established()
    f.arrives(20, "TCP flows")
    done = a.shim6("top", "--once", "--interval", "0.5", stdin=subprocess.DEVNULL)
    lines = done.stdout.splitlines()
    assert "\x1b" not in done.stdout and done.stderr == "" and max(map(len, lines)) <= 120
    columns = row(lines, context["ulid"]["peer"])
    assert columns[1] == context["ulid"]["peer"] and not columns[4].startswith(("-", "0"))
    assert "RECENT SWITCHES AND FAILURES (UTC)" in lines and lines[-1] == "none"
    lab.fail("link")
    wait_until(lambda: a.context()["rewritten"], 10, "it switched")
    assert "switched  eth1 -> eth2 in " in a.shim6("top", "--once", "--sort=switches", "--interval=0.1").stdout


def test_arguments(lab):
    for words, code, said in (
        (["--sort", "size"], 2, "--sort cannot be 'size': rate, id, peer, switches or idle"),
        (["--interval", "0"], 2, "--interval cannot be '0': seconds from 0.1 to 3600"),
        (["--interval", "x"], 2, "--interval cannot be 'x'"),
        (["--json"], 2, "top prints no JSON"),
        ([], 2, "top needs a terminal: shim6 top --once"),
        (["more"], 2, "usage: shim6 top"),
    ):
        done = lab.A.shim6("top", *words, check=False, stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stdout) == (code, "") and said in done.stderr, (words, done.stderr)
    lost = run(SHIM6, "--socket", "/nonexistent", "top", "--once", check=False)
    assert lost.returncode == 3 and "is shim6d running?" in lost.stderr
    assert "belong to top" in run(SHIM6, "stats", "--once", check=False).stderr
