#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run each libFuzzer target for some seconds from its corpus, one after the other.

New inputs go to a scratch folder, never into the tree; with --grow those that reach something new are added to the
corpus, which is then made as small as it gets without losing any. An input that breaks something is kept in the
folder of results, where the verdicts are added to "steps" for summary.py. Exit status 1 when anything broke.

    CC=clang meson setup out/build-fuzz -Dfuzz=true --buildtype=debugoptimized && ninja -C out/build-fuzz
    tests/run/fuzz.py --seconds 1800            half an hour for each
    tests/run/fuzz.py --seconds 1800 control answers --grow
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
LIMITS = ["-max_len=4096", "-timeout=20", "-rss_limit_mb=2048"]


def start(target, options, folders):
    """Runs the target; its own files lie in the first folder's parent."""
    env = dict(os.environ, TMPDIR=str(pathlib.Path(folders[0]).parent))
    return subprocess.run([target, *LIMITS, *options, *folders], capture_output=True, text=True, errors="replace",
                          env=env)


def fuzz(target, seeds, fresh, seconds, results):
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={results}/{target.name}-", "-print_final_stats=1"]
    words = TOP / "tests/fuzz/dict" / f"{seeds.name}.dict"
    if words.exists():
        options.append(f"-dict={words}")
    run = start(target, options, [fresh, seeds])
    done = re.search(r"Done (\d+) runs", run.stderr)
    ok = run.returncode == 0 and done is not None
    covered = re.findall(r"cov: (\d+) ft: (\d+)", run.stderr)
    places = re.search(r"\((\d+) inline 8-bit counters\)", run.stderr)
    print(f"{target.name}: {done.group(1) if done else 'no'} runs in {seconds} s, "
          f"{covered[-1][0] if covered else 0} of {places.group(1) if places else '?'} places reached: "
          f"{'clean' if ok else 'FAILED'}", flush=True)
    if not ok:
        print(run.stderr[-3000:])
    return ok


def grow(target, seeds, fresh, scratch):
    """The corpus anew: the smallest inputs that reach all that the old and the new ones do."""
    merged = scratch / "merged"
    merged.mkdir()
    run = start(target, ["-merge=1"], [merged, seeds, fresh])
    if run.returncode != 0:
        print(f"{target.name}: the corpus stays as it was: {run.stderr[-500:]}")
        return
    for old in seeds.iterdir():
        old.unlink()
    for new in merged.iterdir():
        shutil.copyfile(new, seeds / new.name)
    print(f"{target.name}: {len(list(seeds.iterdir()))} inputs in the corpus")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("name", nargs="*", help="targets (wire, cga, ...); none: all")
    p.add_argument("--seconds", type=int, default=15, help="for each target (15)")
    p.add_argument("--build", type=pathlib.Path, default=TOP / "out/build-fuzz", help="build folder (out/build-fuzz)")
    p.add_argument("--results", type=pathlib.Path, default=TOP / "out/fuzz", help="verdicts, bad inputs (out/fuzz)")
    p.add_argument("--grow", action="store_true", help="add what was found to the corpus in the tree")
    o = p.parse_args()
    o.results.mkdir(parents=True, exist_ok=True)
    there = {t.name.removeprefix("fuzz_"): t for t in sorted((o.build / "tests/fuzz").glob("fuzz_*"))
             if t.is_file() and os.access(t, os.X_OK)}
    missing = [n for n in o.name if n not in there]
    failed = bool(missing) or not there
    with open(o.results / "steps", "a") as steps:
        for name in missing or ([] if there else ["fuzz"]):
            print(f"fuzz.py: no target {name} in {o.build}/tests/fuzz", file=sys.stderr)
            steps.write(f"not ok fuzz: no target {name}\n")
        for name in o.name or there:
            if name not in there:
                continue
            with tempfile.TemporaryDirectory() as scratch:
                fresh = pathlib.Path(scratch) / "new"
                fresh.mkdir()
                ok = fuzz(there[name], TOP / "tests/fuzz/corpus" / name, fresh, o.seconds, o.results)
                if o.grow and ok:
                    grow(there[name], TOP / "tests/fuzz/corpus" / name, fresh, pathlib.Path(scratch))
            steps.write(f"{'ok' if ok else 'not ok'} fuzz_{name}\n")
            failed |= not ok
    return failed


if __name__ == "__main__":
    sys.exit(main())
