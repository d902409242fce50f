# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/bench without the installing and building: runs the parts, prints the table, tells which bars are missed."""
import argparse
import json
import os
import platform
import signal
import sys
import time

import cost
import figures
import reap
import silence
import speed
from labs import Bench, BenchError

PARTS = {
    "a": ("speed with contexts on ULIDs", speed.on_ulids),
    "b": ("speed after a switch", speed.after_switch),
    "c": ("silence after failures", silence.run),
    "d": ("cost of the eBPF programs", cost.run),
    "e": ("targets of failure detection and exploration", reap.run),
}


def arguments():
    p = argparse.ArgumentParser(prog="tools/bench", description="Speed and recovery of shim6 beside plain IPv6 and MPTCP.",
                                epilog="Exit status: 0 all bars met, 1 a bar is missed, 2 something failed.")
    p.add_argument("--build", required=True, help=argparse.SUPPRESS)
    p.add_argument("--no-install", action="store_true", help="do not call apt")
    p.add_argument("--parse", action="store_true", help=argparse.SUPPRESS)  # look at the arguments only
    effort = p.add_mutually_exclusive_group()
    effort.add_argument("--quick", dest="effort", action="store_const", const="quick", help="about 10 minutes")
    effort.add_argument("--full", dest="effort", action="store_const", const="full",
                        help="20 samples of every failure; about two hours")
    p.add_argument("--only", choices=PARTS, action="append", metavar="|".join(PARTS),
                   help="; ".join(f"{k}: {v[0]}" for k, v in PARTS.items()) + "; may be repeated")
    p.add_argument("--json", metavar="FILE", help="where raw values go")
    p.set_defaults(effort="default")
    a = p.parse_args()
    if a.json:
        folder = os.path.dirname(os.path.abspath(a.json))
        if not os.access(folder, os.W_OK) or os.path.isdir(a.json):
            p.error(f"--json: cannot write {a.json}")
    return a


def interrupted(_signal, _frame):
    raise KeyboardInterrupt


def run_parts(bench, report, parts, raw):
    for part in parts:
        title, run = PARTS[part]
        print(f"\n== ({part}) {title}", flush=True)
        start = time.monotonic()
        try:
            raw[part] = run(bench, report)
        except BenchError as e:
            raise BenchError(f"({part}) {title}: {e}") from e
        print(f"    took {time.monotonic() - start:.0f} s", flush=True)


def save(path, effort, raw, report):
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"effort": effort, "kernel": platform.release(), "processors": os.cpu_count(), "raw": raw,
                   "tables": report.sections, "bars": report.bars}, f, indent=1)
        f.write("\n")


def main():
    a = arguments()
    if a.parse:
        return 0
    bench, report, raw, status = Bench(a.build, a.effort), figures.Report(), {}, 0
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        run_parts(bench, report, sorted(set(a.only or PARTS)), raw)
    except BenchError as e:
        print(f"tools/bench: {e}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("tools/bench: interrupted; the labs are taken down", file=sys.stderr)
        status = 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        bench.stop.set()
        bench.clean()
    if report.sections:
        print(report.text())
    if a.json:
        save(a.json, a.effort, raw, report)
    missed = report.missed()
    print(f"\n{len(report.bars) - len(missed)} bars met, {len(missed)} missed")
    return status or (1 if missed else 0)


if __name__ == "__main__":
    sys.exit(main())
