# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripted peers against a real shim6d. Names of tests carry the rows of the conformance lists they check."""
import itertools
import os

import pytest
from peer import Daemon, Peer

numbers = itertools.count(1)


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root for network namespaces and eBPF"))


@pytest.fixture(scope="module")
def daemon():
    d = Daemon()
    yield d
    d.close()


@pytest.fixture
def peer(daemon):
    """Fresh addresses at a daemon that other tests use, too."""
    return Peer(daemon, next(numbers))


@pytest.fixture
def make_daemon():
    made = []

    def make(**kw):
        made.append(Daemon(**kw))
        return made[-1], Peer(made[-1], next(numbers))

    yield make
    for d in made:
        d.close()
