# SPDX-License-Identifier: GPL-2.0-or-later
"""(d): nanoseconds per packet of the eBPF programs, as bpf_cost measures them."""
import json
import subprocess

from labs import BenchError, PRIORITY


def run(bench, report):
    p = subprocess.run([*PRIORITY, bench.program("tests", "bench", "bpf_cost")], capture_output=True, text=True,
                       start_new_session=True, check=False)
    cases = [json.loads(line) for line in p.stdout.splitlines()]
    if p.returncode not in (0, 1) or not cases:
        raise BenchError(f"bpf_cost ended with {p.returncode}: {p.stderr.strip()}")
    report.section("(d) nanoseconds per packet of the eBPF programs, beyond a program that only returns",
                   ["program and packet", "median", "least", "greatest"])
    for c in cases:
        report.row(c["case"], *(f"{c[k]:.0f} ns" for k in ("ns", "ns_min", "ns_max")))
        report.bar(f"(d) {c['case']}", c["ns"], "<=", c["bar"], " ns")
    return cases
