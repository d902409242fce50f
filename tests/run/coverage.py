#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of wire, cga and engine their own tests reach: lines and branches of each room, against the bars.

Usage: coverage.py [--lines PERCENT] [--branches PERCENT] [--missing] [BUILD]
BUILD (out/build-cov) is a build folder with -Db_coverage=true and -Dcore_only=true. The unit tests of the three rooms
run, and the scenarios and some runs of the simulator; nothing else counts. --missing names what was not reached.
Exit status 1 when a test fails or a room is below a bar.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ("wire", "cga", "engine")
SIM_RUNS = "200"


def run_tests(build):
    for old in build.rglob("*.gcda"):
        old.unlink()
    sim = build / "tests/sim"
    jobs = str(min(2, os.cpu_count() or 1))
    for command in (["meson", "test", "-C", build, "--no-rebuild", "--no-suite", "sim", "--num-processes", jobs,
                     "--timeout-multiplier", "5"],
                    [sim / "sim-scenarios"],
                    [sim / "sim-explore", "--seed", "1", "--runs", SIM_RUNS, "--jobs", jobs]):
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
            return False
    return True


def measure(build):
    """gcovr's view of the rooms' sources: path -> its lines."""
    done = subprocess.run(["gcovr", "--root", TOP, "--object-directory", build, "--filter",
                           "src/(%s)/" % "|".join(ROOMS), "--json", "-", build],
                          capture_output=True, text=True, cwd=TOP)
    if done.returncode != 0:
        sys.exit(f"coverage.py: gcovr: {done.stderr.strip()}")
    return {f["file"]: [line for line in f["lines"] if not line.get("gcovr/noncode")]
            for f in json.loads(done.stdout)["files"]}


def say_missing(path, lines):
    source = (TOP / path).read_text().split("\n")
    for line in lines:
        sides = [b["count"] for b in line["branches"]]
        if line["count"] == 0:
            what = "not reached"
        elif 0 in sides:
            what = f"{sides.count(0)} of {len(sides)} branches not taken"
        else:
            continue
        print(f"{path}:{line['line_number']}: {what}: {source[line['line_number'] - 1].strip()}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--lines", type=float, default=95)
    p.add_argument("--branches", type=float, default=85)
    p.add_argument("--missing", action="store_true")
    p.add_argument("build", nargs="?", type=pathlib.Path, default=TOP / "out/build-cov")
    o = p.parse_args()
    if not run_tests(o.build.resolve()):
        return 1
    # of each room: lines, lines reached, branches, branches taken
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for path, lines in sorted(measure(o.build.resolve()).items()):
        room = path.split("/")[1]
        sides = [b["count"] for line in lines for b in line["branches"]]
        for i, n in enumerate((len(lines), sum(line["count"] > 0 for line in lines),
                               len(sides), sum(n > 0 for n in sides))):
            sums[room][i] += n
        if o.missing:
            say_missing(path, lines)
    below = set(ROOMS) != set(sums)
    for room in ROOMS:
        lines, reached, branches, taken = sums[room]
        of_lines, of_branches = 100 * reached / (lines or 1), 100 * taken / (branches or 1)
        short = of_lines < o.lines or of_branches < o.branches
        below |= short
        print(f"{room:7} {of_lines:5.1f} % of {lines} lines, {of_branches:5.1f} % of {branches} branches"
              + (f": BELOW {o.lines:g} and {o.branches:g} %" if short else ""))
    return int(below)


if __name__ == "__main__":
    sys.exit(main())
