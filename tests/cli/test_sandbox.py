import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from smsreceipt.sandbox import FAULTS
from tests.sandbox.receiver import Receiver


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


def test_the_sandbox_pushes_where_it_is_told_to_and_says_what_the_probe_met(tmp_path: Path) -> None:
    past = tmp_path / "past.ndjson"
    past.write_text('{"send":{"phone":"13800000001","biz_id":"1^0","sent":1790000000}}\n')
    words = ["--port", "0", "--generate", "40", "--seed", "1", "--load", str(past), "--route", "push"]
    with Receiver() as receiver:
        child = subprocess.Popen(
            [sys.executable, "-m", "smsreceipt", "sandbox", *words, "--push", f"{receiver.url}/{{kind}}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with child:
            assert child.stderr
            said = [next(child.stderr) for _ in range(3)]
            receiver.until(lambda: sum(len(post.receipts) for post in receiver.posts()) > 30)
            child.send_signal(15)
            child.communicate(timeout=10)
    assert any("the callback URL passed its GET probe in" in line for line in said)
    assert "/SmsReport" in {post.path for post in receiver.posts()}


@pytest.mark.parametrize(
    "words",
    [("--push", "nowhere"), ("--push-scale", "0"), ("--route", "air"), ("--fault", "flood=1"), ("--fault", "500")],
)
def test_what_cannot_be_is_a_usage_error(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smsreceipt", "sandbox", "--port", "0", *words], check=False, capture_output=True
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_the_help_names_every_fault() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smsreceipt", "sandbox", "--help"], check=False, capture_output=True, text=True
    )
    told = done.stdout.partition("Faults of requests:")[2].partition("Options:")[0]
    words = re.split(r"[,;:.\s]+", re.sub(r"-\n\s+", "-", told))
    assert [name for name in FAULTS if name not in words] == []
