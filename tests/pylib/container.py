# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian with systemd as its init, in a network namespace that is there already. What it writes is gone at its end."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import unit
from netns import run, wait_until

# For the daemon's data path; the rest is what systemd-nspawn gives.
CAPABILITIES = "CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN,CAP_NET_RAW"
BOOTS = 120


class Container:
    def __init__(self, root, name, ns, packages):
        self.name = name
        self._clean = contextlib.ExitStack()
        try:
            self._boot(root, ns, packages)
        except BaseException:
            self.close()
            raise

    def _boot(self, root, ns, packages):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="shim6-container-"))
        self._clean.callback(shutil.rmtree, self.dir)
        (self.dir / "bpf").mkdir()
        run("mount", "-t", "bpf", "-o", "mode=0700", "bpf", self.dir / "bpf")
        self._clean.callback(run, "umount", self.dir / "bpf")
        self.console = self.dir / "console"
        with open(self.console, "w") as log:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--machine={self.name}",
                 f"--directory={root}", "--volatile=overlay", "--boot", f"--network-namespace-path=/run/netns/{ns}",
                 f"--capability={CAPABILITIES}", "--system-call-filter=bpf", f"--bind={self.dir / 'bpf'}:/sys/fs/bpf",
                 f"--bind-ro={packages}:/packages", "--console=pipe"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self._clean.callback(self._halt)
        self.pid = wait_until(self._init, BOOTS, "the container's init runs")
        wait_until(self._running, BOOTS, "the container is up", every=0.2)

    def _init(self):
        assert self.process.poll() is None, self.console.read_text()
        for child in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            try:
                status = unit.status(child)
            except OSError:
                continue
            if status["Name"] == "systemd" and status["NSpid"].split()[-1] == "1":
                return int(child)
        return None

    def _running(self):
        assert self.process.poll() is None, self.console.read_text()
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def _halt(self):
        """An orderly end; systemd-nspawn passes the wish on."""
        self.process.terminate()
        try:
            self.process.wait(BOOTS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run(self, *argv, check=True):
        done = run("nsenter", "-t", self.pid, "-m", "-u", "-i", "-n", "-p", "-C", "--", *argv, check=False,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})
        assert not check or done.returncode == 0, (argv, done.stdout, done.stderr, self.journal())
        return done

    def journal(self):
        return run("nsenter", "-t", self.pid, "-m", "-p", "--", "journalctl", "--no-pager", "-n", "60", check=False).stdout

    def path(self, path):
        """A path of the container as the host reaches it."""
        return pathlib.Path(f"/proc/{self.pid}/root") / path.lstrip("/")

    def property(self, what, unit="shim6d"):
        return self.run("systemctl", "show", "--value", "-p", what, unit).stdout.strip()

    def close(self):
        self._clean.close()


def make_root(folder):
    """A small Debian with what the packages need; made once."""
    done = folder / ".made"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    include = "systemd,systemd-sysv,dbus,iproute2,kmod,libbpf1,libinih1,libjson-c5,libmnl0,libuv1,libssl3"
    made = subprocess.run(["debootstrap", "--variant=minbase", f"--include={include}", "bookworm", folder],
                          capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    assert made.returncode == 0, made.stdout[-2000:]
    done.touch()
    return folder
