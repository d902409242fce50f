# SPDX-License-Identifier: GPL-2.0-or-later
"""The operator's guide: its commands, run as they stand there; and its links."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

import control
from lab import SHIM6, SHIM6D
from netns import STARTS, inside, run, wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
GUIDE = TOP / "doc/guide"
PATH = f"{SHIM6.parent}:{SHIM6D.parent}:{os.environ['PATH']}"


def commands(page):
    """The indented lines between the marks of a page."""
    text = (GUIDE / page).read_text()
    marked = re.search(r"<!-- test: begin -->\n(.*?)<!-- test: end -->", text, re.S).group(1)
    return [line.strip() for line in marked.splitlines() if line.startswith("    ")]


@pytest.fixture
def box(lab):
    """The guide's namespace under a name of its own, with what its commands leave."""
    name = f"{lab.name}box"
    daemon = {}
    yield name, daemon
    if daemon:
        os.kill(daemon["pid"], signal.SIGTERM)
        wait_until(lambda: not control_answers(daemon["socket"]), STARTS, "the daemon of the namespace ends")
    run("ip", "netns", "del", name, check=False)
    for folder in (f"/run/shim6-{name}", f"/var/lib/shim6-{name}"):
        shutil.rmtree(folder, ignore_errors=True)


def control_answers(path):
    try:
        return control.call(path, "status")
    except (OSError, AssertionError):
        return None


def test_namespace_with_a_daemon_of_its_own(lab, box):
    """As doc/guide/containers.md has it: a namespace on the links of host A, a session from it that outlives a link,
    and the host's own daemon, which has no part in it."""
    name, daemon = box
    steps = [re.sub(r"\bbox\b", name, c) for c in commands("containers.md")]
    assert sum("shim6d" in c for c in steps) == 2 and steps[-1].startswith("shim6 --socket")
    script = "set -e\n" + "\n".join(re.sub(r" &$", " >/dev/null 2>&1 &", c) for c in steps[:-1])
    with inside(lab.A.ns):
        subprocess.run(["bash", "-c", script], check=True, env=os.environ | {"PATH": PATH}, timeout=60)
    path = steps[-1].split()[-1]
    status = wait_until(lambda: control_answers(path), STARTS, "the daemon of the namespace answers")
    daemon.update(pid=status["pid"], socket=path)

    def locators():
        up = [e["addr"] for e in control.call(path, "status")["locators"] if e["up"]]
        return up if len(up) == 2 else None

    mine = wait_until(locators, STARTS, "both addresses of the namespace are there")
    with inside(lab.B.ns):
        server = socket.create_server((lab.B.addresses[0], 0), family=socket.AF_INET6)
    with inside(name):
        client = socket.create_connection(server.getsockname()[:2], timeout=STARTS, source_address=(mine[0], 0))
    there, _ = server.accept()
    there.settimeout(STARTS)

    def echo(text):
        client.sendall(text)
        got = b""
        while len(got) < len(text):
            got += there.recv(len(text) - len(got))
        there.sendall(got)
        assert client.recv(len(text), socket.MSG_WAITALL) == text

    def context():
        echo(b"more")
        contexts = control.call(path, "contexts")
        return contexts[0] if len(contexts) == 1 and contexts[0]["state"] == "ESTABLISHED" else None

    wait_until(context, STARTS, "a context of the namespace")
    lab.fail("link")
    wait_until(lambda: context()["rewritten"], STARTS, "the session moves")
    assert context()["current"]["local"] == mine[1]
    echo(b"still the same session")
    assert lab.A.ask("contexts") == []
    assert (f"from {mine[0]}" in run("ip", "-6", "route", "show", "table", "5533", ns=name).stdout)
    for s in (client, there, server):
        s.close()


def test_links_lead_somewhere():
    pages = [*GUIDE.glob("*.md"), TOP / "README.md", TOP / "CONTRIBUTING.md", TOP / "SECURITY.md", TOP / "NEWS.md"]
    links = [(p, link) for p in pages for link in re.findall(r"\]\(([^)#:]+)\)", p.read_text())]
    assert len(links) > 8
    for page, link in links:
        assert (page.parent / link).exists(), f"{page.name}: {link}"
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (GUIDE / "README.md").read_text()))
    assert listed == {p.name for p in GUIDE.glob("*.md")} - {"README.md"}
