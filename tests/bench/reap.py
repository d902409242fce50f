# SPDX-License-Identifier: GPL-2.0-or-later
"""(e): the REAP targets: how long real sessions between real daemons are silenced at a round trip of 20 ms, for each
kind of loss; that nothing explores without a loss; that an exploration which finds all well moves nothing.

A case yields one value per sample, and its worst 1 % must keep the target. A sample has a lab of its own; the n-th
sample of a case takes its n-th variant, so that twenty samples see different ends, addresses and streams die.
"""
import concurrent.futures
import itertools
import json
import math
import os
import random
import signal
import subprocess
import threading
import time

import figures
from labs import BenchError, wait_until
from mesh import Mesh, can_cut, cut
from silence import GAP_S, evaluate, gaps, start_stream

SIDE_BY_SIDE = 8
DELAY_MS = 5  # of each provider and direction: a round trip passes four
RTT_S = 0.020
GAP_OF_STREAMS_S = 0.010
SETTLED_S = 1.5
PATIENCE_S = 30  # beyond the target, before a silence is called lasting
JITTER = 1.2     # of the gaps between probes
SLACK_S = 0.25   # a busy machine; netlink and the daemon's loop

UDP_BOTH = (("udp", "upload"), ("udp", "download"))
STREAMS = (UDP_BOTH, (("tcp", "upload"),), (("tcp", "download"),))


# --- what is lost ----------------------------------------------------------

class Loss:
    """Directed pairs that die; the link or address of A that does."""

    def __init__(self, pairs=(), link=False, address=False):
        self.pairs, self.link, self.address = set(pairs), link, address


def directed(lab):
    """All directed pairs of a lab: from A, from B."""
    return [set(itertools.product(lab.addr[x], lab.addr[y])) for x, y in ("AB", "BA")]


def with_dead(lab, dead, ways="AB"):
    """The pairs that dead addresses take away, of what A or B or both send."""
    return {p for way, pairs in zip("AB", directed(lab)) if way in ways for p in pairs if dead & set(p)}


def nth_locator(lab, n):
    return {lab.addr["AB"[n % 2]][0]}


def survivor_patterns():
    """2x2: what is left there and back, as bits of the four pairs each; the first pair is in use and must suffer."""
    left = [(there, back) for there in range(1, 16) for back in range(1, 16) if not there & back & 1]
    random.Random(0).shuffle(left)
    return left


def survivors(lab, n):
    patterns = survivor_patterns()
    there, back = patterns[n % len(patterns)]
    dead = set()
    for i, j in itertools.product(range(2), repeat=2):
        a, b = lab.addr["A"][i], lab.addr["B"][j]
        if not there >> (2 * i + j) & 1:
            dead.add((a, b))
        if not back >> (2 * i + j) & 1:
            dead.add((b, a))
    return Loss(dead)


def dead_locators(lab, n):
    """Three of the eight, one of them in use."""
    order = random.Random(n)
    first = nth_locator(lab, n)
    return Loss(with_dead(lab, first | set(order.sample(sorted({*lab.addr["A"], *lab.addr["B"]} - first), 2))))


def one_way(lab, n):
    return Loss(with_dead(lab, nth_locator(lab, n // 2), "AB"[n % 2]))


# --- cases -------------------------------------------------------------------

class Case:
    def __init__(self, name, target, loss, send_timeout=15, streams=lambda n: UDP_BOTH, providers=2, explore=None):
        self.name, self.target, self.loss, self.send_timeout = name, target, loss, send_timeout
        self.streams, self.providers, self.explore, self.unit = streams, providers, explore, " s"

    def lab(self, bench):
        if self.providers == 2:
            return bench.lab(send_timeout=self.send_timeout, delay=DELAY_MS)
        return bench.register(Mesh, self.providers, self.send_timeout, 2 * DELAY_MS)

    def sample(self, bench, n):
        return outage(bench, self, n)


class Count(Case):
    """What must not happen at all, counted."""

    def __init__(self, name, run, send_timeout=15):
        super().__init__(name, 0, None, send_timeout)
        self.run, self.unit = run, ""

    def sample(self, bench, n):
        return self.run(bench, self, n)


def any_bound(lab, loss):
    """16.4: any survivors at all, from the first pair of each end's own order that works."""
    i, j = (first_working(lab, me, pairs - loss.pairs) for me, pairs in zip("AB", directed(lab)))
    return JITTER * max(tau(i) + tau(j + 2), tau(j) + tau(i + 2)) + 2 * RTT_S + 2 * GAP_OF_STREAMS_S


def dead_bound(f):
    """16.4: f dead locators cost f steps, and the pair that is tried again because the news crossed one more."""
    return lambda lab, loss: JITTER * (tau(f + 1) + 0.5) + 2 * RTT_S + GAP_OF_STREAMS_S


def tau(k):
    """When the k-th probe leaves (16.1)."""
    return 0.5 * (k - 1) if k <= 4 else 0.5 + 2 ** (k - 4) if k <= 10 else 64.5 + 60 * (k - 10)


def first_working(lab, me, working):
    """Position of the first that works in the order of exploration: diagonals of the locators as they are listed."""
    mine, theirs = lab.addr[me], lab.addr["B" if me == "A" else "A"]
    order = [(mine[i], theirs[(i + r) % len(theirs)]) for r in range(len(theirs)) for i in range(len(mine))]
    return next(k for k, pair in enumerate(order, 1) if pair in working)


def remote(seconds, target):
    return Case(f"remote loss, both directions, S = {seconds} s", target,
                lambda lab, n: Loss(with_dead(lab, nth_locator(lab, n))), seconds,
                lambda n: STREAMS[n // 2 % 3], explore=dead_bound(1))


def one_way_both(seconds, target):
    return Case(f"remote loss, one direction, streams in both, S = {seconds} s", target, one_way, seconds,
                explore=dead_bound(1))


def one_way_forward(seconds, target):
    return Case(f"remote loss, one direction, the only one with payload, S = {seconds} s", target,
                lambda lab, n: Loss(with_dead(lab, nth_locator(lab, n), "A")), seconds,
                lambda n: (("udp", "upload"),), explore=dead_bound(1))


def any_survivors(seconds, target):
    return Case(f"2x2, any survivors, S = {seconds} s", target, survivors, seconds, explore=any_bound)


def four_by_four(seconds, target):
    return Case(f"4x4, three dead locators, S = {seconds} s", target, dead_locators, seconds, providers=4,
                explore=dead_bound(3))


# --- one outage --------------------------------------------------------------

class Watch:
    """The events of a host's daemon, as they come."""

    def __init__(self, lab, node):
        self._events, self._lock = [], threading.Lock()
        program = lab.start(node, "shim6", "--json", "events", out=subprocess.PIPE)
        threading.Thread(target=self._read, args=(program.stdout,), daemon=True).start()

    def _read(self, lines):
        for line in lines:
            with self._lock:
                self._events.append(json.loads(line))

    def since(self, when_s, *types):
        with self._lock:
            return [e for e in self._events if e["monotonic_s"] >= when_s and e["type"] in types]


def set_up(lab, streams):
    """Streams that flow under a context, and watches."""
    can_cut(lab)
    watches = [Watch(lab, node) for node in "AB"]
    receivers = [start_stream(lab, kind, way, 5400 + i) for i, (kind, way) in enumerate(streams)]

    def flowing():
        for r in receivers:
            r.take()
        return all(len(r.arrivals) >= 50 for r in receivers)
    wait_until(lab.bench, "the streams", flowing, 30)
    wait_until(lab.bench, "contexts", lambda: lab.contexts(state="ESTABLISHED", rewritten=False), 30)
    return receivers, watches


def break_it(lab, loss):
    """When it broke, in ns."""
    since = time.monotonic_ns()
    if loss.link:
        lab.exec("A", "ip", "link", "set", "eth1", "down")
    elif loss.address:
        lab.exec("A", "ip", "addr", "del", lab.addr["A"][0] + "/64", "dev", "eth1")
    else:
        cut(lab, loss.pairs)
    return since


def pair_works(context, loss):
    c = context["current"]
    return (c["local"], c["peer"]) not in loss.pairs


def over(lab, loss, receivers, since):
    """Both ends send on pairs that work, explore no longer, and the streams are calm."""
    now = time.monotonic_ns()
    for r in receivers:
        r.take()
        late = [r.arrivals[i][0] for length, i in gaps(r.arrivals, since) if length >= GAP_S]
        if r.end or now - r.arrivals[-1][0] > GAP_S * 1e9 or now - max([since, *late]) < SETTLED_S * 1e9:
            return bool(r.end)
    found = lab.contexts(state="ESTABLISHED", reap="Operational")
    return bool(found) and all(pair_works(c, loss) for c in found)


def exploration(watches, since):
    """From the first exploration of either end to the last end of one; None where no end was told."""
    began = [e["monotonic_s"] for w in watches for e in w.since(since / 1e9, "exploring")]
    ended = [e["monotonic_s"] for w in watches for e in w.since(since / 1e9, "switched", "recovered")]
    return max(ended) - min(began) if began and ended else None


def outage(bench, case, n):
    with case.lab(bench) as lab:
        receivers, watches = set_up(lab, case.streams(n))
        loss = case.loss(lab, n)
        if loss.link or loss.address:
            loss.pairs = with_dead(lab, {lab.addr["A"][0]})
        # Where in the run of the peer's Keepalives it breaks decides how long it takes to be noticed.
        calm_until = time.monotonic() + random.Random(f"{case.name} {n}").uniform(0.2, case.send_timeout / 2)
        wait_until(bench, "a moment", lambda: time.monotonic() >= calm_until, case.send_timeout)
        since = break_it(lab, loss)
        try:
            wait_until(bench, "recovery", lambda: over(lab, loss, receivers, since), case.target + PATIENCE_S)
        except BenchError:
            pass  # evaluate() tells that it lasts
        found = [evaluate(bench, r, since) for r in receivers]
        good = all(f["over"] and not f["end"] for f in found)
        result = {"case": case.name, "n": n, "value": max(f["silence_s"] for f in found) if good else math.inf,
                  "since_s": since / 1e9, "until_s": time.monotonic(), "streams": case.streams(n),
                  "silences": found, "lost": sorted(map(list, loss.pairs)),
                  "events": [w.since(since / 1e9, "exploring", "switched", "recovered") for w in watches]}
        if case.explore:
            took = exploration(watches, since)
            result["explored_s"], result["bound_s"] = took, case.explore(lab, loss) + SLACK_S
            result["late_s"] = took - result["bound_s"] if took is not None else math.inf
        return result


# --- what must not happen ----------------------------------------------------

# Pace of A's and of B's datagrams, ms; None: silent. Around the Keepalive Interval, the two Timeouts and below.
PACES = ((20, 20), (20, None), (None, 20), (1000, None), (3400, None), (5100, 50), (7000, None), (9900, 3000),
         (10100, None), (14900, None), (15100, None), (20000, None))


def paced(lab, paces):
    pace = lab.bench.program("tests", "bench", "pace")
    for port, (sender, ms) in enumerate(zip("AB", paces), 5410):
        if ms is None:
            continue
        receiver = "B" if sender == "A" else "A"
        lab.start(receiver, pace, "udp", "receive", "listen", lab.addr[receiver][0], port)
        wait_until(lab.bench, "a listening pace", lambda n=receiver, p=port: lab.listening(n, "udp", p), 10)
        lab.start(sender, pace, "-i", ms, "udp", "send", "connect", lab.addr[receiver][0], port, lab.addr[sender][0])


def false_explorations(bench, case, n):
    """No packet is lost, whatever the pace: nothing explores."""
    with case.lab(bench) as lab:
        watches = [Watch(lab, node) for node in "AB"]
        lab.exec("A", "shim6", "establish", lab.addr["A"][0], lab.addr["B"][0])
        wait_until(bench, "contexts", lambda: lab.contexts(state="ESTABLISHED"), 30)
        paced(lab, PACES[n % len(PACES)])
        end = time.monotonic() + bench.pick(3, 4, 12) * case.send_timeout
        wait_until(bench, "the end", lambda: time.monotonic() >= end, 13 * case.send_timeout)
        found = [w.since(0, "exploring") for w in watches]
        return {"case": case.name, "n": n, "value": sum(map(len, found)), "paces": PACES[n % len(PACES)],
                "events": found}


def false_alarm(bench, case, n):
    """A test of the pair in use is asked for, or B stands still for longer than the Send Timeout: all pairs answer,
    payload stays where it is, and while B runs nothing is lost."""
    with case.lab(bench) as lab:
        receivers, watches = set_up(lab, UDP_BOTH)
        since = time.monotonic()
        if n % 2:
            lab.exec("A", "shim6", "explore", lab.context("A")["id"])
        else:
            stand_still(lab, 1.05 * case.send_timeout + 0.3 * (n % 8))  # jitter makes it 1.04 of it
        wait_until(bench, "the end of the exploration",
                   # at its beginner at least: to the other end it may be over within a test's time
                   lambda: any(w.since(since, "switched", "recovered") for w in watches), case.send_timeout + 30)
        settled = time.monotonic() + SETTLED_S
        wait_until(bench, "calm", lambda: time.monotonic() >= settled and lab.contexts(reap="Operational"), 30)
        for r in receivers:
            r.take()
        moved = sum(len(w.since(since, "switched")) for w in watches)
        lost = sum(missing(r) for r in receivers) if n % 2 else 0  # sockets that nobody reads overflow
        return {"case": case.name, "n": n, "value": moved + lost, "switches": moved, "lost": lost}


def missing(receiver):
    numbers = [number for _, number in receiver.arrivals]
    return max(numbers) - min(numbers) + 1 - len(set(numbers))


def stand_still(lab, seconds):
    """Everything that runs in B, daemon and senders."""
    pids = [int(p) for p in lab.pids("B")]
    for p in pids:
        os.kill(p, signal.SIGSTOP)
    try:
        end = time.monotonic() + seconds
        wait_until(lab.bench, "the pause", lambda: time.monotonic() >= end, seconds + 10)
    finally:
        for p in pids:
            os.kill(p, signal.SIGCONT)


# The targets are those that the rows derive from RFC 5534.
LOCAL = [
    Case("local link or address lost", 0.5, lambda lab, n: Loss(link=n % 2 == 0, address=n % 2 == 1),
         streams=lambda n: STREAMS[n // 2 % 3]),
]
AT_15 = [remote(15, 17.5), one_way_both(15, 17.5), one_way_forward(15, 35), any_survivors(15, 21.5),
         four_by_four(15, 19.5)]
AT_10 = [remote(10, 12), one_way_both(10, 12), one_way_forward(10, 24)]
NEVER = [Count("explorations without a loss", false_explorations),
         Count("false alarms: switches, and packets lost", false_alarm)]
CASES = LOCAL + AT_15 + AT_10 + NEVER
# One look at each, as short as the rules allow.
QUICK_LOOK = LOCAL + AT_10 + [any_survivors(10, 16), four_by_four(10, 14),
                              Count("explorations without a loss", false_explorations, 10),
                              Count("false alarms: switches, and packets lost", false_alarm, 10)]


def describe(case, samples):
    values = [s["value"] for s in samples]
    if not values:
        return [case.name, 0, "-", "-", "-", "-"]
    explored = [s["explored_s"] for s in samples if s.get("explored_s") is not None]
    shape = "{:.2f}" if case.unit else "{:.0f}"
    return [case.name, len(values), shape.format(figures.median(values)), shape.format(max(values)),
            f"{case.target:g}", f"{figures.median(explored):.2f} [{max(explored):.2f}]" if explored else "-"]


def judge(report, samples):
    report.section("(e) REAP at a round trip of 20 ms: silence in seconds, or how often; exploration in seconds",
                   ["case", "samples", "median", "greatest", "target", "explored [greatest]"])
    for case in CASES:
        mine = [s for s in samples if s["case"] == case.name]
        report.row(*describe(case, mine))
        report.bar(f"(e) {case.name}: p99 of {len(mine)}", figures.p99([s["value"] for s in mine] or [math.inf]), "<=",
                   case.target, case.unit)
    late = [s["late_s"] for s in samples if "late_s" in s]
    report.bar(f"(e) latest of {len(late)} explorations, against its bound", max(late, default=math.inf), "<=", 0, " s")


def take_samples(bench, cases, often, side_by_side=SIDE_BY_SIDE):
    """Samples, and what could not be sampled."""
    jobs, done, failed = [(c, n) for c in cases for n in range(often)], [], []
    random.Random(0).shuffle(jobs)
    with concurrent.futures.ThreadPoolExecutor(side_by_side) as pool:
        futures = {pool.submit(c.sample, bench, n): (c, n) for c, n in jobs}
        try:
            for f in concurrent.futures.as_completed(futures):
                case, n = futures[f]
                try:
                    s = f.result()
                except BenchError as e:
                    failed.append(f"{case.name}, number {n}: {e}")
                    print(f"    {failed[-1]}", flush=True)
                    continue
                done.append(s)
                print(f"    {len(done)}/{len(jobs)}  {case.name}, number {n}: {s['value']:.2f}{case.unit}", flush=True)
        except BaseException:
            bench.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return done, failed


def run(bench, report):
    samples, failed = take_samples(bench, CASES, bench.pick(1, 4, 20))
    judge(report, samples)
    report.bar("(e) samples that could not be taken", len(failed), "<=", 0)
    return {"samples": samples, "failed": failed}
