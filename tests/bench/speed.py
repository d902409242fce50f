# SPDX-License-Identifier: GPL-2.0-or-later
"""(a) and (b): how fast, with contexts on ULIDs and after a switch, beside labs that differ in nothing but shim6.

The labs take turns, and only what ran in the same turn is compared: a ratio outlives a noisy machine, a figure
does not. Programs run at high priority for the same reason. Many short turns tell more than few long ones.
"""
import json
import os

import figures
from labs import PRIORITY, BenchError, wait_until

PORT_IPERF, PORT_RR = 5201, 5300
# Where the scheduler puts programs makes more of a difference than anything that is compared here. The ends of a
# stream get a processor each, as on two machines; those of request-response share one, because to wake another
# processor takes longer, and more unevenly so, than the packet is on its way.
HERE, THERE = (["taskset", "-c", str(f(os.sched_getaffinity(0)))] for f in (min, max))

# name, unit, divisor of the figure for that unit, what runs
TESTS = [
    ("TCP, 1 stream", "Gbit/s", 1e9, ("iperf3",)),
    ("TCP, 8 streams", "Gbit/s", 1e9, ("iperf3", "-P", "8")),
    ("UDP, 64 octets", "kpps", 1e3, ("iperf3", "-u", "-b", "0", "-l", "64")),
    ("UDP, 1400 octets", "kpps", 1e3, ("iperf3", "-u", "-b", "0", "-l", "1400")),
    ("TCP request-response", "k/s", 1e3, ("rr", "tcp")),
    ("UDP request-response", "k/s", 1e3, ("rr", "udp")),
]


def serve(lab):
    rr = lab.bench.program("tests", "bench", "rr")
    lab.start("B", *THERE, *PRIORITY, "iperf3", "-s", "-p", PORT_IPERF)
    for kind in ("tcp", "udp"):
        lab.start("B", *HERE, *PRIORITY, rr, "serve", kind, PORT_RR)
    for kind, port in (("tcp", PORT_IPERF), ("tcp", PORT_RR), ("udp", PORT_RR)):
        wait_until(lab.bench, f"a server on {kind} port {port}", lambda k=kind, p=port: lab.listening("B", k, p), 10)


def measure(lab, what, seconds):
    """Bits, datagrams received or exchanges per second, from A to B."""
    source, target = lab.addr["A"][0], lab.addr["B"][0]
    if what[0] == "rr":
        rr = lab.bench.program("tests", "bench", "rr")
        out = lab.exec("A", *HERE, *PRIORITY, rr, "run", what[1], target, PORT_RR, seconds, source)
        return json.loads(out)["tps"]
    out = lab.exec("A", *HERE, *PRIORITY, "iperf3", "-c", target, "-B", source, "-p", PORT_IPERF, "-t", seconds, "-J", *what[1:])
    end = json.loads(out)["end"]
    if "-u" not in what:
        return end["sum_received"]["bits_per_second"]
    received = end["sum_received"]
    return (received["packets"] - received["lost_packets"]) / received["seconds"]


def establish(lab):
    """Traffic until both hosts have the context."""
    measure(lab, ("rr", "udp"), 1)
    return wait_until(lab.bench, "contexts", lambda: lab.contexts(state="ESTABLISHED", rewritten=False), 10)


def segment_in_software(lab):
    for node in "AB":
        for device in ("eth1", "eth2"):
            lab.exec(node, "ethtool", "-K", device, "tso", "off", "gso", "off")


def switch(lab):
    lab.call("fail", "link", "--host", "A", "--provider", 1)
    wait_until(lab.bench, "the switch", lambda: lab.contexts(state="ESTABLISHED", rewritten=True), 30)


def check_carried(lab, before, rewritten):
    """What was measured did go through the contexts, and they stayed as they were."""
    after = lab.contexts(state="ESTABLISHED", rewritten=rewritten)
    if not after or any(a["tag"] != b["tag"] for a, b in zip(after, before)):
        raise BenchError("the contexts did not stay as they were during the measurement")
    return sum(a["counters"]["tx_packets"] - b["counters"]["tx_packets"] for a, b in zip(after, before))


def turns(bench, labs, what, rounds, seconds):
    """labs: name -> lab. One value per lab and round; every other round in reverse order."""
    values = {name: [] for name in labs}
    for r in range(rounds):
        for name in list(labs) if r % 2 == 0 else reversed(labs):
            if bench.stop.is_set():
                raise KeyboardInterrupt
            values[name].append(measure(labs[name], what, seconds))
    return values


def ratios(values, over, under):
    return [a / b for a, b in zip(values[over], values[under])]


def spread(rs):
    low, high = figures.sure(rs)
    return f"{figures.median(rs):.3f} [{low:.3f}-{high:.3f}]"


def compare(bench, report, labs, columns, bar):
    """labs: the first is the one with shim6; columns and bar are of its ratios to the others. Raw values."""
    names = list(labs)
    rounds, seconds = bench.pick(15, 25, 41), bench.pick(1, 1, 2)
    shim, raw = labs[names[0]], {}
    for name, unit, scale, what in TESTS:
        before = shim.contexts(state="ESTABLISHED")
        values = turns(bench, labs, what, rounds, seconds)
        carried = check_carried(shim, before, before[0]["rewritten"])
        if carried < rounds:
            raise BenchError(f"{name}: only {carried} packets went through the contexts")
        raw[name] = {"unit_per_s": 1, **values}
        medians = [f"{figures.median(values[n]) / scale:.2f} {unit}" for n in names]
        report.row(name, *medians, *(spread(ratios(values, names[0], other)) for other in columns))
        bar(name, figures.median(ratios(values, names[0], columns[0])))
    return raw


def on_ulids(bench, report):
    """(a)"""
    with bench.lab() as shim, bench.lab(shim6=False) as plain:
        for lab in (shim, plain):
            serve(lab)
        establish(shim)
        report.section("(a) contexts on ULIDs, beside plain IPv6: medians, median ratio [95 % certainty]",
                       ["test", "shim6", "plain", "shim6/plain"])
        return compare(bench, report, {"shim6": shim, "plain": plain}, ["plain"],
                       lambda name, ratio: report.bar(f"(a) {name}, shim6/plain", ratio, ">=", 0.97))


def after_switch(bench, report):
    """(b)"""
    with bench.lab() as shim, bench.lab(shim6=False) as software, bench.lab(shim6=False) as offload:
        for lab in (shim, software, offload):
            serve(lab)
        segment_in_software(software)
        establish(shim)
        switch(shim)
        report.section("(b) after a switch, beside plain IPv6 with segmentation in software, and with all offloads",
                       ["test", "shim6", "software", "offload", "shim6/software", "shim6/offload"])
        return compare(bench, report, {"shim6": shim, "software": software, "offload": offload},
                       ["software", "offload"],
                       lambda name, ratio: report.bar(f"(b) {name}, shim6/software", ratio, ">=", 0.5))
