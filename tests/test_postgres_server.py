"""The server of a test run ends with the run, also when that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests import postgres
from tests.cli.listening import until

pytestmark = pytest.mark.needs("postgres")
_RUN = "from tests import postgres; import time; print(postgres.server(), flush=True); time.sleep(60)"


@pytest.mark.skipif("postgres._named", reason="the server is another's")
def test_the_server_of_a_run_that_is_killed_is_stopped() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMSRECEIPT")}
    with subprocess.Popen([sys.executable, "-c", _RUN], stdout=subprocess.PIPE, env=environment) as run:
        assert run.stdout is not None
        url = run.stdout.readline().decode().strip()
        data = Path(url.partition("host=")[2])
        server = int((data / "postmaster.pid").read_text().splitlines()[0])
        postgres.execute(url, "SELECT 1")
        run.kill()
    until(lambda: not data.parent.exists())
    until(lambda: not is_running(server))


def is_running(pid: int) -> bool:
    """Whether a process runs; one that nobody waits for does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
