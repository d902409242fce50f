# SPDX-License-Identifier: GPL-2.0-or-later
"""(c): the longest silence at the receiver for each kind of failure and direction of the data.

A sample has a lab of its own and one stream of 100 small records a second; the failure comes once the
protection (context, subflows) is in place, and stays. Labs idle nearly all the time, so some run side by side.
"""
import concurrent.futures
import math
import queue
import random
import subprocess
import threading
import time

import figures
from labs import PRIORITY, BenchError, wait_until

PORT = 5400
SIDE_BY_SIDE = 8
SETTLED_S = 1.5  # so long without a gap, and it is over
GAP_S = 0.1      # longer than the pace and a busy machine explain
LASTING_S = 2    # nothing for so long after all that was waited for: it lasts
PATIENCE_S = 10  # before a silence is called lasting, beyond what the protocol may take

KINDS = {
    "local link down": ("link",),
    "black hole": ("blackhole",),
    "black hole, inward only": ("blackhole", "--direction", "in"),
    "black hole, outward only": ("blackhole", "--direction", "out"),
    "far provider lost": ("far",),
}
WAYS = ("upload", "download")
PLAIN_PATIENCE = {"quick": 20, "default": 30, "full": 110}


class System:
    def __init__(self, name, stream, send_timeout=None):
        self.name, self.stream, self.send_timeout = name, stream, send_timeout
        self.shim6 = send_timeout is not None


SHIM_15 = System("shim6, TCP", "tcp", 15)
SHIM_10 = System("shim6 at 10 s, TCP", "tcp", 10)
UDP_15 = System("shim6, UDP", "udp", 15)
MPTCP = System("MPTCP", "mptcp")
PLAIN = System("TCP alone", "tcp")


class Receiver:
    """Arrivals (ns, number) as pace prints them."""

    def __init__(self, program):
        self.program, self.arrivals, self.end = program, [], None
        self._lines = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.program.stdout:
            self._lines.put(line.split())

    def take(self):
        while True:
            try:
                words = self._lines.get_nowait()
            except queue.Empty:
                return
            if words[0].isdigit():
                self.arrivals.append((int(words[0]), int(words[1])))
            else:
                self.end = " ".join(words)

    def finish(self):
        self._reader.join()
        self.take()


def start_stream(lab, stream, way, port=PORT):
    """The session is always opened by A. Receiver."""
    pace = lab.bench.program("tests", "bench", "pace")
    here, there = lab.addr["A"][0], lab.addr["B"][0]
    roles = {"A": "send", "B": "receive"} if way == "upload" else {"A": "receive", "B": "send"}
    ends = {}
    # MPTCP joins arrive at the other address, too.
    any_or_one = "::" if stream == "mptcp" else there
    for node, where in (("B", ("listen", any_or_one, port)), ("A", ("connect", there, port, here))):
        out = subprocess.PIPE if roles[node] == "receive" else subprocess.DEVNULL
        # Its two packets in a hundredth of a second must not wait for what else the machine does.
        ends[roles[node]] = lab.start(node, *PRIORITY, pace, stream, roles[node], *where, out=out)
        if node == "B":
            kind = "udp" if stream == "udp" else "tcp"
            wait_until(lab.bench, "a listening pace", lambda k=kind: lab.listening("B", k, port), 10)
    return Receiver(ends["receive"])


def protect(lab, system, receiver):
    """The stream flows and what is to save it is in place."""
    def flowing():
        receiver.take()
        return len(receiver.arrivals) >= 50
    wait_until(lab.bench, "the stream", flowing, 10)
    if system.shim6:
        wait_until(lab.bench, "contexts", lambda: lab.contexts(state="ESTABLISHED", rewritten=False), 10)
    if system is MPTCP:
        wait_until(lab.bench, "two more subflows", lambda: lab.subflows_joined() >= 2, 10)


def gaps(arrivals, since):
    """(length s, index of the arrival that ends it) of what was silent after since, in ns."""
    return [((b[0] - a[0]) / 1e9, i + 1) for i, (a, b) in enumerate(zip(arrivals, arrivals[1:])) if b[0] >= since]


def recovered(lab, system, receiver, since):
    receiver.take()
    last = receiver.arrivals[-1][0]
    now = time.monotonic_ns()
    if receiver.end or now - last > GAP_S * 1e9:
        return bool(receiver.end)
    over = [receiver.arrivals[i][0] for length, i in gaps(receiver.arrivals, since) if length >= GAP_S]
    calm = now - max([since, *over]) >= SETTLED_S * 1e9
    if not calm or not system.shim6:
        # Those who never noticed get the same time to be silenced late (acknowledgements that do not return).
        return calm and (over or now - since >= 2 * SETTLED_S * 1e9)
    found = lab.contexts(state="ESTABLISHED", reap="Operational")
    return bool(found) and any(c["rewritten"] for c in found)  # the loss of one direction moves only that one


def await_next(bench, receiver):
    """The silence that begins now ends within LASTING_S, or lasts."""
    seen = len(receiver.arrivals)

    def more():
        receiver.take()
        return receiver.end or len(receiver.arrivals) > seen
    try:
        wait_until(bench, "one more", more, LASTING_S)
    except BenchError:
        pass


def evaluate(bench, receiver, since):
    receiver.take()
    await_next(bench, receiver)
    found = gaps(receiver.arrivals, since)
    lasting = (time.monotonic_ns() - receiver.arrivals[-1][0]) / 1e9
    longest, at = max(found, default=(0, len(receiver.arrivals)))
    result = {"silence_s": max(longest, lasting), "over": lasting < LASTING_S, "end": receiver.end}
    numbers = [n for _, n in receiver.arrivals]
    after = numbers[at:]
    if after and result["over"]:
        result["lost_in_silence"] = max(0, after[0] - numbers[at - 1] - 1)
        result["lost_after"] = max(after) - after[0] + 1 - len(set(n for n in after if n >= after[0]))
    return result


def sample(bench, system, kind, way):
    with bench.lab(shim6=system.shim6, send_timeout=system.send_timeout if system.shim6 else None) as lab:
        if system is MPTCP:
            lab.mptcp()
        receiver = start_stream(lab, system.stream, way)
        protect(lab, system, receiver)
        since = time.monotonic_ns()
        lab.call("fail", *KINDS[kind])
        # A receiver that only receives sends Keepalives for a Send Timeout more; silence counts from the last one.
        protocol = 2 * system.send_timeout if system.shim6 else PLAIN_PATIENCE[bench.effort]
        try:
            wait_until(bench, "recovery", lambda: recovered(lab, system, receiver, since), protocol + PATIENCE_S)
        except BenchError:
            pass  # evaluate() tells that it lasts
        result = evaluate(bench, receiver, since)
        if system.shim6:
            result["last_switch"] = [c and c["last_switch"] for c in map(lab.context, "AB")]
        return {"system": system.name, "kind": kind, "way": way, **result}


def plan(bench):
    """(system, kind, way) as often as it is sampled, mixed: equal ones would bring their labs up all at once."""
    many = bench.pick(3, 5, 20)
    few = bench.pick(1, 2, 20)
    jobs = []
    for system in (PLAIN, SHIM_15, UDP_15, SHIM_10, MPTCP):
        for kind in KINDS:
            for way in WAYS:
                often = many if system is SHIM_15 and kind == "black hole" else few
                jobs += [(system, kind, way)] * (min(often, 3) if system is PLAIN else often)
    random.Random(0).shuffle(jobs)
    return jobs


def cell(samples):
    if not samples:
        return "-"
    lasting = [s for s in samples if not s["over"]]
    if lasting:
        shortest = min(s["silence_s"] for s in lasting)
        often = "" if len(lasting) == len(samples) else f" in {len(lasting)} of {len(samples)}"
        return f"never{often} ({shortest:.0f} s)"
    values = [s["silence_s"] for s in samples]
    return f"{figures.median(values):.2f}" if len(values) == 1 else f"{figures.median(values):.2f} [{max(values):.2f}]"


def tabulate(report, samples):
    def of(system, kind, way):
        return [s for s in samples if (s["system"], s["kind"], s["way"]) == (system.name, kind, way)]
    systems = (SHIM_15, SHIM_10, UDP_15, MPTCP, PLAIN)
    report.section("(c) longest silence at the receiver, seconds: median [greatest]; never (after so long given up)",
                   ["failure", "data", *(s.name for s in systems), "UDP lost, then after"])
    for kind in KINDS:
        for way in WAYS:
            udp = [s for s in of(UDP_15, kind, way) if "lost_after" in s]
            lost = f"{figures.median([s['lost_in_silence'] for s in udp]):.0f}, {max(s['lost_after'] for s in udp)}" \
                if udp else "-"
            report.row(kind, way, *(cell(of(s, kind, way)) for s in systems), lost)


def silences(samples, system, kind, way):
    return [s["silence_s"] if s["over"] else math.inf for s in samples
            if (s["system"], s["kind"], s["way"]) == (system.name, kind, way)]


def judge(report, samples):
    for system in (SHIM_15, UDP_15, SHIM_10):
        for way in WAYS:
            hole = silences(samples, system, "black hole", way)
            report.bar(f"(c) {system.name}, {way}: p99 of {len(hole)} silences after a black hole", figures.p99(hole),
                       "<=", system.send_timeout + 1.5, " s")
            link = silences(samples, system, "local link down", way)
            report.bar(f"(c) {system.name}, {way}: longest of {len(link)} silences after local link loss",
                       max(link, default=math.inf), "<=", 0.5, " s")
    report.bar("(c) UDP packets lost after a switch, all failures",
               sum(s.get("lost_after", 1) for s in samples if s["system"] == UDP_15.name), "<=", 0)


def run(bench, report):
    jobs, done, failed = plan(bench), [], []
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        futures = {pool.submit(sample, bench, *j): j for j in jobs}
        try:
            for f in concurrent.futures.as_completed(futures):
                system, kind, way = futures[f]
                try:
                    s = f.result()
                except BenchError as e:
                    failed.append(f"{system.name}, {kind}, {way}: {e}")
                    print(f"    {failed[-1]}", flush=True)
                    continue
                done.append(s)
                print(f"    {len(done)}/{len(jobs)}  {system.name}: {kind}, {way}: {cell([s])}", flush=True)
        except BaseException:
            bench.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    tabulate(report, done)
    judge(report, done)
    report.bar("(c) samples that could not be taken", len(failed), "<=", 0)
    return {"samples": done, "failed": failed}
