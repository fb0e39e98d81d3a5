"""The official Node clients, unchanged, in a process of their own."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.sandbox import Sandbox

pytestmark = pytest.mark.slow

CHECKS = Path(__file__).parent / "node"


@pytest.mark.needs("node")
@pytest.mark.parametrize("client", ["mns", "sms-sdk"])
def test_the_node_client_passes_all_its_checks(sandbox: Sandbox, client: str) -> None:
    node = shutil.which("node") or "node"
    done = subprocess.run(
        [node, str(CHECKS / f"{client}.cjs"), sandbox.url], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    passed: list[Any] = json.loads(done.stdout)
    assert len(passed) == {"mns": 13, "sms-sdk": 7}[client]
