# SPDX-License-Identifier: GPL-2.0-or-later
"""The testbed as the benchmark uses it: `shim6 lab`, hosts pinned to one TCP, everything removed at the end."""
import itertools
import json
import os
import subprocess
import threading
import time


def priority():
    """What is timed runs ahead of all other work on the machine, where the system allows it."""
    first = ["chrt", "-r", "10"]
    allowed = subprocess.run([*first, "true"], capture_output=True, check=False).returncode == 0
    return first if allowed else ["nice", "-n", "-19"]


PRIORITY = priority()


class BenchError(Exception):
    pass


class Bench:
    """What all parts share: the programs built, the labs that are up, and the wish to stop."""

    def __init__(self, build, effort):
        self.build = os.path.abspath(build)
        self.effort = effort
        self.stop = threading.Event()
        self._labs = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def program(self, *path):
        p = os.path.join(self.build, *path)
        if not os.access(p, os.X_OK):
            raise BenchError(f"{p} is missing: build first")
        return p

    def pick(self, quick, default, full):
        return {"quick": quick, "default": default, "full": full}[self.effort]

    def lab(self, shim6=True, send_timeout=None, delay=0):
        return self.register(Lab, shim6, send_timeout, delay)

    def register(self, kind, *args):
        """A lab of that class, known to clean()."""
        with self._lock:
            lab = kind(self, f"bench{os.getpid()}n{next(self._numbers)}", *args)
            self._labs[lab.name] = lab
        return lab

    def forget(self, lab):
        with self._lock:
            self._labs.pop(lab.name, None)

    def clean(self):
        with self._lock:
            labs = list(self._labs.values())
        for lab in labs:
            lab.down()


def wait_until(bench, what, condition, seconds):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if bench.stop.is_set():
            raise KeyboardInterrupt
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return result


class Lab:
    """One lab; addr["A"][0] is host A's address at its provider 1."""

    def __init__(self, bench, name, shim6, send_timeout, delay=0):
        self.bench, self.name, self.shim6, self.send_timeout = bench, name, shim6, send_timeout
        self.delay = delay  # ms that each provider takes in each direction
        self.addr = {}
        self._programs = []

    def __enter__(self):
        try:
            self._up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_):
        self.down()

    def _argv(self, verb, *args):
        return [self.bench.program("src", "cli", "shim6"), "lab", verb, "--name", self.name, *map(str, args)]

    def call(self, verb, *args):
        # A session of its own: Ctrl-C is ours to handle, in an order that leaves nothing behind.
        p = subprocess.run(self._argv(verb, *args), capture_output=True, text=True, start_new_session=True, check=False)
        if p.returncode:
            raise BenchError(f"shim6 lab {verb} {' '.join(map(str, args))}: {(p.stderr or p.stdout).strip()}")
        return p.stdout

    def _up(self):
        options = [] if self.shim6 else ["--no-shim6"]
        if self.send_timeout:
            options += ["--send-timeout", self.send_timeout]
        if self.delay:
            options += ["--delay", self.delay]
        self.call("up", *options)
        for host in json.loads(self.call("status", "--json"))["hosts"]:
            self.addr[host["host"]] = host["addresses"]
        for node in "AB":
            # What one connection learnt of the path must not steer the next one.
            self.sysctl(node, "net.ipv4.tcp_congestion_control=reno", "net.ipv4.tcp_no_metrics_save=1")

    def down(self):
        for p in self._programs:
            if p.poll() is None:
                p.terminate()
        self._take_down()
        for p in self._programs:
            p.wait()
            for stream in (p.stdout, p.stderr):
                if stream:
                    stream.close()
        self._programs.clear()
        self.bench.forget(self)

    def _take_down(self):
        subprocess.run(self._argv("down"), capture_output=True, start_new_session=True, check=False)

    def exec(self, node, *argv):
        return self.call("exec", node, "--", *argv)

    def start(self, node, *argv, out=subprocess.DEVNULL):
        p = subprocess.Popen(self._argv("exec", node, "--", *argv), stdin=subprocess.DEVNULL, stdout=out,
                             stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        self._programs.append(p)
        return p

    def sysctl(self, node, *settings):
        self.exec(node, "sysctl", "-qw", *settings)

    def pids(self, node):
        """Of all that runs in a node."""
        return subprocess.run(["ip", "netns", "pids", f"{self.name}-{node}"], capture_output=True, text=True,
                              check=True).stdout.split()

    def listening(self, node, kind, port):
        """kind: tcp or udp."""
        flag = "-lHtn" if kind == "tcp" else "-lHun"
        return f":{port} " in self.exec(node, "ss", "-6", flag) or f":{port} " in self.exec(node, "ss", flag)

    def context(self, node):
        """The context of the two addresses at provider 1, or None."""
        other = "B" if node == "A" else "A"
        for c in json.loads(self.exec(node, "shim6", "--json", "contexts")):
            if c["ulid"] == {"local": self.addr[node][0], "peer": self.addr[other][0]}:
                return c
        return None

    def contexts(self, **want):
        """Both hosts' contexts once they show what is wanted, such as state="ESTABLISHED" or rewritten=True."""
        found = [self.context(n) for n in "AB"]
        return found if all(c and all(c[k] == v for k, v in want.items()) for c in found) else None

    def mptcp(self):
        """A full mesh: B announces its second address, A joins from both of its own, the second one as a backup."""
        for node in "AB":
            self.exec(node, "ip", "mptcp", "limits", "set", "subflows", 8, "add_addr_accepted", 8)
        self.exec("A", "ip", "mptcp", "endpoint", "add", self.addr["A"][1], "dev", "eth2", "subflow", "fullmesh", "backup")
        self.exec("B", "ip", "mptcp", "endpoint", "add", self.addr["B"][1], "dev", "eth2", "signal")

    def subflows_joined(self):
        for line in self.exec("B", "nstat", "-asz", "MPTcpExtMPJoinAckRx").splitlines():
            if line.startswith("MPTcpExtMPJoinAckRx"):
                return int(line.split()[1])
        return 0
