# SPDX-License-Identifier: GPL-2.0-or-later
"""The systemd unit of the build, as far as a test can do what it says without systemd."""
from lab import BUILD

UNIT = BUILD / "packaging/shim6d.service"
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_PERFMON": 38, "CAP_BPF": 39}


def settings(key, path=UNIT):
    return [l.split("=", 1)[1] for l in path.read_text().splitlines() if l.startswith(key + "=")]


def capabilities():
    (ambient,), (bounding,) = settings("AmbientCapabilities"), settings("CapabilityBoundingSet")
    assert ambient == bounding
    return ambient.split()


def mask(names):
    return sum(1 << CAPABILITIES[n] for n in names)


def unprivileged(names, user=65534):
    """The words before a command that give it a user and these capabilities alone."""
    caps = ",".join(["-all"] + ["+" + n.removeprefix("CAP_").lower() for n in names])
    return ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs", "--bounding-set", caps,
            "--inh-caps", caps, "--ambient-caps", caps]


def read_status(path):
    """What /proc tells of a process, by name."""
    with open(path) as f:
        return dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)


def status(pid):
    return read_status(f"/proc/{pid}/status")
