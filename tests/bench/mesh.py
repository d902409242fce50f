# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab with as many providers as wanted, and the loss of single directed pairs of addresses in it and in `shim6 lab`.

Every uplink of a host ends in the core, which filters what comes with a prefix that is not that of the uplink; one
delay line of the lab (src/lab/delay.c) takes all that passes."""
import json
import os
import shutil
import subprocess
import tempfile

from labs import BenchError, Lab, wait_until

DEAD = """
table ip6 dead {
 set pairs { type ipv6_addr . ipv6_addr; }
 chain pass {
  type filter hook forward priority 20
  ip6 saddr . ip6 daddr @pairs counter drop
 }
}
"""
INGRESS = """
table ip6 ingress {
 chain pass {
  type filter hook forward priority 0
 }
}
"""


def nft(lab, text):
    lab.exec("core", "nft", text)


def can_cut(lab):
    nft(lab, DEAD)


def cut(lab, pairs):
    """From now on nothing gets from the first to the second address of each pair."""
    nft(lab, "add element ip6 dead pairs { " + ", ".join(f"{src} . {dst}" for src, dst in pairs) + " }")


class Mesh(Lab):
    def __init__(self, bench, name, providers, send_timeout, delay):
        super().__init__(bench, name, True, send_timeout, delay)
        self.providers, self._dir, self._namespaces, self._mounted = providers, None, [], False

    def _prefix(self, node, i):
        return f"2001:db8:{node.lower()}:{i}"

    def _ns(self, node):
        return f"{self.name}-{node}"

    def _run(self, *argv):
        p = subprocess.run([*map(str, argv)], capture_output=True, text=True, start_new_session=True, check=False)
        if p.returncode:
            raise BenchError(f"{' '.join(map(str, argv))}: {(p.stderr or p.stdout).strip()}")
        return p.stdout

    def _argv(self, verb, *args):
        """As `shim6 lab exec NODE -- COMMAND`, the one verb that a mesh knows."""
        node, _, *command = args
        host = [f"SHIM6_SOCKET={self._dir}/{node}/run/shim6.sock"] if node in ("A", "B") else []
        path = os.path.dirname(self.bench.program("src", "cli", "shim6")) + ":" + os.environ["PATH"]
        return ["ip", "netns", verb, self._ns(node), "env", f"PATH={path}", *host, *map(str, command)]

    # --- the network

    def _add(self, node, *settings):
        self._run("ip", "netns", "add", self._ns(node))
        self._namespaces.append(self._ns(node))
        settings = [f"net.ipv6.conf.{c}.{s}" for s in ("accept_dad=0", "accept_ra=0", *settings)
                    for c in ("default", "all")]
        self.exec(node, "sysctl", "-qw", *settings)
        self.exec(node, "ip", "link", "set", "lo", "up")

    def _uplink(self, node, i):
        near, far, prefix = f"eth{i}", f"{node.lower()}{i}", self._prefix(node, i)
        self._run("ip", "link", "add", near, "netns", self._ns(node), "type", "veth",
                  "peer", "name", far, "netns", self._ns("core"))
        self.exec("core", "ip", "link", "set", far, "up")
        self.exec("core", "ip", "addr", "add", f"{prefix}::1/64", "dev", far, "nodad")
        self.exec("core", "ip", "-6", "rule", "add", "iif", far, "lookup", "60", "priority", "60")
        self.exec(node, "ip", "link", "set", near, "up")
        self.exec(node, "ip", "-6", "route", "add", f"{prefix}::/64", "dev", near, "metric", "256")
        self.exec(node, "ip", "-6", "route", "add", "default", "via", f"{prefix}::1", "dev", near, "metric", 1024 * i)
        nft(self, f"add rule ip6 ingress pass iifname {far} ip6 saddr != {prefix}::/64 counter drop")

    def _delay_line(self):
        line = self.start("core", self.bench.program("src", "lab", "shim6-lab"), "traffic", "delay", self.delay,
                          out=subprocess.PIPE)
        if line.stdout.readline() != "ready\n":
            raise BenchError("the delay line of the mesh did not start")
        self.exec("core", "ip", "link", "set", "delay0", "up", "txqueuelen", "10000")
        self.exec("core", "ip", "-6", "route", "add", "default", "dev", "delay0", "table", "60")

    # --- the hosts

    def _host(self, node):
        prefixes = [f"{self._prefix(node, i)}::/64" for i in range(1, self.providers + 1)]
        shim6d, state = self.bench.program("src", "daemon", "shim6d"), f"{self._dir}/{node}/state"
        for folder in ("run", "state"):
            os.makedirs(f"{self._dir}/{node}/{folder}")
        made = self._run(shim6d, "--state-dir", state, "addr", "generate", "--json",
                         *(w for p in prefixes for w in ("--prefix", p)))
        self.addr[node] = json.loads(made)["addresses"]
        with open(f"{self._dir}/{node}/shim6.conf", "w", encoding="ascii") as f:
            f.write(f"[reap]\nsend_timeout = {self.send_timeout}\n")
            for i, p in enumerate(prefixes, 1):
                f.write(f"[interface eth{i}]\nprefixes = {p}\n")
        self.start(node, shim6d, "--config", f"{self._dir}/{node}/shim6.conf", "--runtime-dir",
                   f"{self._dir}/{node}/run", "--state-dir", state, "--pin-dir", f"{self._dir}/bpf/{node}")

    def _ready(self, node):
        try:
            up = [a["addr"] for a in json.loads(self.exec(node, "shim6", "--json", "locators"))["locators"] if a["up"]]
        except BenchError:
            return False  # not listening yet
        return set(self.addr[node]) <= set(up)

    def _up(self):
        self._dir = tempfile.mkdtemp(prefix=f"{self.name}-")
        os.mkdir(f"{self._dir}/bpf")
        self._run("mount", "-t", "bpf", "bpf", f"{self._dir}/bpf")
        self._mounted = True
        self._add("core", "forwarding=1")
        nft(self, INGRESS)
        for node in "AB":
            self._add(node)
            for i in range(1, self.providers + 1):
                self._uplink(node, i)
        self._delay_line()
        for node in "AB":
            self._host(node)
        for node in "AB":
            wait_until(self.bench, f"addresses of host {node}", lambda n=node: self._ready(n), 30)

    def _take_down(self):
        for p in self._programs:  # the daemons remove what they loaded, while their namespaces are there
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
        for ns in self._namespaces:
            subprocess.run(["ip", "netns", "del", ns], capture_output=True, check=False)
        if self._mounted:
            subprocess.run(["umount", "-l", f"{self._dir}/bpf"], capture_output=True, check=False)
        if self._dir:
            shutil.rmtree(self._dir)
        self._namespaces, self._mounted, self._dir = [], False, None
