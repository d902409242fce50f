#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run each libFuzzer target for some seconds from its corpus; write the verdicts as steps for summary.py.

Usage: fuzz.py TARGET_DIR CORPUS_DIR SECONDS RESULT_DIR
New inputs go to a scratch folder, never into the tree; a crash input is kept in RESULT_DIR.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def main(targets, corpus, seconds, results):
    steps = open(pathlib.Path(results) / "steps", "a")
    found = sorted(p for p in pathlib.Path(targets).glob("fuzz_*") if p.is_file() and os.access(p, os.X_OK))
    if not found:
        steps.write("not ok fuzz: no target was built\n")
    for target in found:
        seeds = pathlib.Path(corpus) / target.name.removeprefix("fuzz_")
        with tempfile.TemporaryDirectory() as scratch:
            run = subprocess.run(
                [target, f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=2048",
                 f"-artifact_prefix={results}/{target.name}-", scratch, seeds],
                capture_output=True, text=True, errors="replace")
        done = re.search(r"Done (\d+) runs", run.stderr)
        ok = run.returncode == 0 and done is not None
        print(f"{target.name}: {done.group(1) if done else 'no'} runs in {seconds} s: {'clean' if ok else 'FAILED'}")
        if not ok:
            print(run.stderr[-3000:])
        steps.write(f"{'ok' if ok else 'not ok'} {target.name}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
