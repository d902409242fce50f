# SPDX-License-Identifier: GPL-2.0-or-later
"""End-to-end tests: two hosts with two providers each, a shim6d in both, sockets of unmodified programs between them.

Each test builds its own lab, so that tests can run side by side; lab names carry the process id.
"""
import os
import signal

import pytest
from lab import SHIM6, Lab
from traffic import Flows

# What a script has started in the background ignores SIGINT, and so would the programs that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root for network namespaces and eBPF"))


@pytest.fixture
def make_lab(request):
    """make_lab(options...) builds one; the logs of its daemons are printed, for a failed test to show."""
    labs = []

    def make(*options, **kw):
        assert SHIM6.exists(), f"{SHIM6}: not built (SHIM6_BUILD names the build directory)"
        labs.append(Lab(*options, **kw))
        return labs[-1]

    yield make
    for lab in labs:
        lab.logs()
        lab.down()


@pytest.fixture
def lab(make_lab):
    return make_lab()


@pytest.fixture
def flows():
    f = Flows()
    yield f
    f.close()
