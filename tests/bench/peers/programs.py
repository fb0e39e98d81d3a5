"""The commands of the peers in other languages, and aloud which of them cannot run here.

`make bench-peers` builds them: tests/bench/peers/go with a Go compiler and Debian's package of go-sqlite3,
tests/bench/peers/node with npm.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
GO = HERE / "build" / "peers"
NODE = HERE / "node"
SQLITE = NODE / "node_modules" / "better-sqlite3" / "build" / "Release" / "better_sqlite3.node"
BUN = NODE / "node_modules" / "bun" / "bin" / "bun.exe"  # its name on Linux too
ALICLOUD_MNS = HERE.parent.parent / "sandbox" / "node" / "node_modules" / "@alicloud" / "mns"

Command = tuple[str, ...]


def go(*words: str) -> Command:
    """The Go program with these arguments; empty where it is not built."""
    if GO.exists():
        return (str(GO), *words)
    return _absent(
        "Go",
        "its program is absent; `make bench-peers` builds it with golang-go and golang-github-mattn-go-sqlite3-dev",
    )


def node(script: str, *words: str) -> Command:
    """A script of the Node peers; empty where Node or better-sqlite3 is absent."""
    if shutil.which("node") and SQLITE.exists():
        return ("node", str(NODE / script), *words)
    return _absent("Node", "node or better-sqlite3 is absent; `make bench-peers` installs the latter")


def bun(script: str, *words: str) -> Command:
    """A script of the Bun peers; empty where Bun is absent, or npm left a stand-in that only prints an error."""
    if BUN.exists() and _starts(str(BUN)):
        return (str(BUN), str(NODE / script), *words)
    return _absent("Bun", "its program is absent; `make bench-peers` installs it")


def alicloud_mns(*words: str) -> Command:
    """The official Node client of the queue service; empty where it is absent."""
    if shutil.which("node") and ALICLOUD_MNS.exists():
        return ("node", str(HERE / "mns.cjs"), *words)
    return _absent("@alicloud/mns", "node or the package is absent; `make test` installs it")


@cache
def _starts(program: str) -> bool:
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


@cache
def _absent(name: str, why: str) -> Command:
    print(f"not measured: {name} ({why})")
    return ()
