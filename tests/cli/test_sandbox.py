import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


@pytest.mark.parametrize("signum", [15, 2])
def test_the_sandbox_says_what_to_export_then_that_it_is_ready_and_stops_by_signal(tmp_path: Path, signum: int) -> None:
    more = tmp_path / "more.ndjson"
    more.write_text('{"kind":"SmsUp","body":{"a":1}}\n')
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "smsreceipt",
            "sandbox",
            "--port",
            "0",
            "--generate",
            "20",
            "--seed",
            "1",
            "--load",
            str(more),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout
        lines = []
        for line in child.stdout:
            lines.append(line.rstrip("\n"))
            if line == "# ready\n":
                break
        exported = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
        with urllib.request.urlopen(f"{exported['SMSRECEIPT_MNS_ENDPOINT']}/_sandbox/state") as answer:  # noqa: S310
            state = json.load(answer)
        child.send_signal(signum)
        child.communicate(timeout=10)
    assert child.returncode == 128 + signum
    assert exported["SMSRECEIPT_STORE"] == "./sandbox.db"
    assert {"SMSRECEIPT_DYBASEAPI_ENDPOINT", "SMSRECEIPT_DYSMSAPI_ENDPOINT", "ALIBABA_CLOUD_ACCESS_KEY_ID"} <= set(
        exported
    )
    assert state["sent"] == 21
