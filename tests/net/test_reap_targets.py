# SPDX-License-Identifier: GPL-2.0-or-later
"""One sample of each target that `tools/bench --only e` measures twenty of, so that a change that misses one shows."""
import pytest
import reap
from lab import BUILD
from labs import Bench
from traffic import stalls


@pytest.fixture
def bench():
    b = Bench(BUILD, "quick")
    yield b
    b.stop.set()
    b.clean()


def test_targets(bench):
    """TR74, TR75, TR83, TR91, PX-15, PX-19, PT-13, PA-20: silence after a loss, exploration within the bounds of 16.4,
    none without a loss, and no switch away from a pair that works. The labs are idle: they run side by side."""
    stalls.watch()
    samples, failed = reap.take_samples(bench, reap.QUICK_LOOK, 1, side_by_side=len(reap.QUICK_LOOK))
    assert failed == []
    target = {c.name: c.target for c in reap.QUICK_LOOK}
    assert len(samples) == len(target)
    for s in samples:
        busy = stalls.between(s["since_s"], s["until_s"]) if "since_s" in s else 0
        assert s["value"] <= target[s["case"]] + busy, s
        assert s.get("late_s", 0) <= busy, s
