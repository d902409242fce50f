#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Add up what the steps of tools/test left in a folder; name each failure and skip; print the closing line.

Reads meson-*.json (TAP lines of cmocka inside, else one test per program), *.xml (JUnit of pytest) and
steps (lines "ok NAME", "not ok NAME", "skip NAME: reason"). Exit status 1 when anything failed or nothing ran.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

TAP = re.compile(r"^(ok|not ok) \d+ - (.*?)(\s+# SKIP.*)?$", re.M)


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, name, outcome, reason=""):
        if outcome == "passed":
            self.passed += 1
        elif outcome == "skipped":
            self.skipped.append((name, reason or "no reason given"))
        else:
            self.failed.append(name)


def read_meson(path, tally):
    suite = path.stem.removeprefix("meson-")
    for line in path.read_text().splitlines():
        test = json.loads(line)
        name = f"{suite}/{test['name']}"
        result = test["result"]
        output = test.get("stdout", "") + "\n" + test.get("stderr", "")
        cases = TAP.findall(output.replace("\r\n", "\n"))
        if result == "SKIP":
            tally.add(name, "skipped", (test.get("stdout") or "").strip().split("\n")[-1])
            continue
        for verdict, case, skip in cases:
            outcome = "skipped" if skip else "passed" if verdict == "ok" else "failed"
            tally.add(f"{name}: {case}", outcome, skip.strip(" #"))
        if result == "OK" and not cases:
            tally.add(name, "passed")
        elif result not in ("OK", "EXPECTEDFAIL") and not any(v == "not ok" for v, _, _ in cases):
            tally.add(f"{name} ({result})", "failed")


def read_junit(path, tally):
    for case in ET.parse(path).iter("testcase"):
        name = f"{path.stem}/{case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tally.add(name, "failed")
        elif skip is not None:
            tally.add(name, "skipped", skip.get("message", ""))
        else:
            tally.add(name, "passed")


def read_steps(path, tally):
    for line in path.read_text().splitlines():
        if line.startswith("not ok "):
            tally.add(line[7:], "failed")
        elif line.startswith("skip "):
            name, _, reason = line[5:].partition(": ")
            tally.add(name, "skipped", reason)
        elif line.startswith("ok "):
            tally.add(line[3:], "passed")


def main(folder):
    tally = Tally()
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.name.startswith("meson-") and path.suffix == ".json":
            read_meson(path, tally)
        elif path.suffix == ".xml":
            read_junit(path, tally)
        elif path.name == "steps":
            read_steps(path, tally)
    print()
    for name, reason in tally.skipped:
        print(f"skipped: {name}: {reason}")
    for name in tally.failed:
        print(f"FAILED: {name}")
    closing = f"{tally.passed} passed, {len(tally.failed)} failed"
    print(closing + (f", {len(tally.skipped)} skipped" if tally.skipped else ""))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
