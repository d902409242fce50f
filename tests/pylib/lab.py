# SPDX-License-Identifier: GPL-2.0-or-later
"""The testbed of `shim6 lab` for tests: real daemons in real namespaces, faults, questions to the daemons."""
import json
import os
import pathlib
import signal
import subprocess
import time

import control
from netns import STARTS, inside, run, wait_until

BUILD = pathlib.Path(os.environ.get("SHIM6_BUILD") or pathlib.Path(__file__).parents[2] / "out/build").resolve()
SHIM6 = BUILD / "src/cli/shim6"
SHIM6D = BUILD / "src/daemon/shim6d"
ALL = os.environ.get("SHIM6_TEST_ALL") == "1"


class Host:
    def __init__(self, lab, letter, described):
        self.lab, self.letter = lab, letter
        self.ns = described["netns"]
        self.addresses = described["addresses"]
        self.child = None
        daemon = described.get("daemon")
        if daemon:
            self.pid = daemon["pid"]
            self.socket = daemon["socket"]
            self.log = pathlib.Path(daemon["log"])
            self.argv = pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes().decode().split("\0")[:-1]
            self.run_dir = pathlib.Path(self.socket).parent
            self.state_dir = self.run_dir.parent / "state"
            self.config = pathlib.Path(self.argv[self.argv.index("--config") + 1])
            self.pins = pathlib.Path(self.argv[self.argv.index("--pin-dir") + 1])

    def ask(self, op, **args):
        return control.call(self.socket, op, **args)

    def context(self):
        """The one context of this host."""
        contexts = self.ask("contexts")
        return contexts[0] if len(contexts) == 1 else None

    def stats(self):
        return self.ask("stats")

    def shim6(self, *words, check=True, **kw):
        return run(SHIM6, "--socket", self.socket, *words, check=check, **kw)

    # --- the daemon's life

    def alive(self):
        if self.child:
            return self.child.poll() is None
        try:
            return pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def kill(self, sig, timeout=STARTS):
        os.kill(self.pid, sig)
        if sig not in (signal.SIGHUP,):
            wait_until(lambda: not self.alive(), timeout, f"shim6d of {self.letter} ends after signal {sig}")

    def start(self, *more, wait=True):
        """Start it again, as the lab did."""
        with inside(self.ns), open(self.log, "a") as log:
            self.child = subprocess.Popen(self.argv + list(more), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.child.pid
        if wait:
            wait_until(self.answers, STARTS, f"shim6d of {self.letter} answers")

    def answers(self):
        try:
            return self.ask("status")["pid"] == self.pid
        except (OSError, control.Refused, AssertionError):
            return False


class Lab:
    _count = 0

    def __init__(self, *options, send_timeout=10, shim6=True):
        Lab._count += 1
        self.name = f"t{os.getpid()}x{Lab._count}"
        argv = [SHIM6, "lab", "up", "--name", self.name, "--json", *options]
        argv += ["--send-timeout", send_timeout] if shim6 else ["--no-shim6"]
        up = run(*argv, check=False)
        assert up.returncode == 0, up.stderr  # then it has taken itself down again
        described = json.loads(run(SHIM6, "lab", "status", "--name", self.name, "--json").stdout)
        self.dir = pathlib.Path(described["dir"])
        self.A, self.B = (Host(self, h["host"], h) for h in described["hosts"])
        self.send_timeout = send_timeout

    def ns(self, node):
        return f"{self.name}-{node}"

    def fail(self, kind, **options):
        """Break something; the monotonic time when it broke."""
        words = [f"--{k}={v}" for k, v in options.items()]
        done = run(SHIM6, "lab", "fail", kind, "--name", self.name, "--json", *words)
        return json.loads(done.stdout)["monotonic_s"]

    def heal(self, kind, **options):
        words = [f"--{k}={v}" for k, v in options.items()]
        run(SHIM6, "lab", "heal", kind, "--name", self.name, *words)
        return time.monotonic()

    def established(self, timeout=30):
        """Both hosts have the one context, ESTABLISHED, with the tags of each other."""

        def both():
            a, b = self.A.context(), self.B.context()
            return a and b and a["state"] == b["state"] == "ESTABLISHED" and (a, b)

        a, b = wait_until(both, timeout, "a context is established at both hosts")
        assert (a["tag"]["local"], a["tag"]["peer"]) == (b["tag"]["peer"], b["tag"]["local"])
        assert (a["ulid"]["local"], a["ulid"]["peer"]) == (b["ulid"]["peer"], b["ulid"]["local"])
        return a, b

    def logs(self):
        for host in (self.A, self.B):
            if hasattr(host, "log") and host.log.exists():
                print(f"--- shim6d of {host.letter}\n{host.log.read_text()[-6000:]}")

    def down(self):
        for host in (self.A, self.B):
            if host.child and host.child.poll() is None:
                host.child.terminate()
                host.child.wait(10)
        run(SHIM6, "lab", "down", "--name", self.name)
