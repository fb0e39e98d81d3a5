"""The official Node clients, unchanged, in a process of their own."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.sandbox import Sandbox
from smsreceipt.sandbox.clock import beijing

pytestmark = pytest.mark.slow

CHECKS = Path(__file__).parent / "node"


@pytest.mark.needs("node")
@pytest.mark.parametrize(("client", "checks"), [("dyplsapi", 8), ("mns", 13), ("sms-sdk", 7)])
def test_the_node_client_passes_all_its_checks(sandbox: Sandbox, client: str, checks: int) -> None:
    yesterday = time.time() - 86_400
    sandbox.record("FC1", "call-1", yesterday, b"ID3 what was said")
    words = [str(CHECKS / f"{client}.cjs"), sandbox.url, "FC1", "call-1", beijing(yesterday)]
    node = shutil.which("node") or "node"
    done = subprocess.run([node, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    passed: list[Any] = json.loads(done.stdout)
    assert len(passed) == checks
