"""The program with a tracer on it: `python -m tests.torture.traced TRACER BUG pull …`.

Where TRACER holds -f it traces all threads; else only the one that commits: a tracer of all threads counts each one's
calls apart and fires on whichever gets there first, so that what comes first in the committing thread is never hit.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from smsreceipt import ingest
from smsreceipt.cli.main import main
from smsreceipt.sources.push import server
from tests.torture.planted import plant

#: What a pull imports on its way: thousands of calls that say nothing about it.
_IMPORTED = (
    "smsreceipt.cli.commands.pull",
    "smsreceipt.runs.pull",
    "smsreceipt.sources.queue.puller",
    "smsreceipt.store.sqlite.store",
    "smsreceipt.aliyun.rpc",
)


def attach(tracer: list[str]) -> None:
    """Let *tracer* trace the calling thread; returns when it does."""
    tid = threading.get_native_id()
    subprocess.Popen([*tracer, "-p", str(tid)], stdin=subprocess.DEVNULL)
    status = Path(f"/proc/self/task/{tid}/status")
    deadline = time.monotonic() + 20
    while not re.search(r"TracerPid:\s*[1-9]", status.read_text("ascii")):
        if time.monotonic() > deadline:
            raise TimeoutError("the tracer did not come")
        time.sleep(0.002)


def run() -> None:
    tracer, bug = sys.argv.pop(1).split(), sys.argv.pop(1)
    plant(bug)
    for module in _IMPORTED:
        importlib.import_module(module)
    if "-f" in tracer:  # this thread, and all that come
        attach(tracer)
        main()
    original = ingest.Committer._run

    def traced(committer: ingest.Committer[Any]) -> None:
        attach(tracer)
        original(committer)

    patch.object(ingest.Committer, "_run", traced).start()
    serve = server.Server._work

    def traced_too(self: server.Server, leads: bool) -> None:
        attach(tracer)  # each of the two threads commits: the tracer makes commits slow
        serve(self, leads)

    patch.object(server.Server, "_work", traced_too).start()
    main()


if __name__ == "__main__":
    run()
