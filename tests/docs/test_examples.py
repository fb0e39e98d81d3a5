"""The examples of the pages are run as they stand, against a sandbox that holds something for each of them.

What stands in an `sh` block is run here; what needs root, an account or a crontab stands in blocks of other names.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from smsreceipt.decode.dialect import Dialect, Status
from smsreceipt.model import BEIJING, Kind, Outcome
from tests.docs import pages
from tests.ports import free_port

pytestmark = [pytest.mark.xdist_group("docs"), pytest.mark.needs("jq")]
UID = "1234567890123456"
#: What is run with its whole block, needs a shell of its own, or takes as long as a demo takes.
APART = ("smsreceipt listen", "smsreceipt demo", "smsreceipt completion", "mkdir", "curl")
#: New statements are what these print; everything was pulled before, and what cannot be read still cannot.
SILENT = (
    "printf",
    "smsreceipt export",
    "smsreceipt forward",
    "smsreceipt sends import",
    "smsreceipt sends forget",
    "smsreceipt pull",
    "smsreceipt rejects retry",
    "smsreceipt recordings",
    "smsreceipt prune",
    "smsreceipt check",
    "smsreceipt outages",
    "smsreceipt forget",
    "smsreceipt report",
)


def examples() -> list[str]:
    """The lines of every page in order; the README comes last, since it uses files that the other pages write."""
    names = [name for name in pages.NAMES if name != "sandbox"] + ["README"]
    lines = [line for block in pages.blocks(pages.read("en", *names), "sh") for line in block.splitlines()]
    return [line for line in lines if not line.startswith(APART)]


def loaded() -> str:
    """NDJSON for the sandbox: a delivery, two failures of yesterday, a reply, a call that nobody took, and poison."""
    yesterday = (datetime.now(BEIJING) - timedelta(days=1)).strftime("%Y-%m-%d 12:00:00")
    now = datetime.now(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    sms = {"send_time": yesterday, "report_time": yesterday, "success": True, "err_code": "DELIVERED", "sms_size": "1"}
    failed = sms | {"success": False, "err_code": "MK:0001"}
    call = {"pool_key": "FC1", "call_id": "c1", "phone_no": "13800000001", "call_time": now, "start_time": now}
    messages = [
        ("SmsReport", sms | {"phone_number": "13800000001", "biz_id": "900619746936498440^0", "out_id": "67890"}),
        ("SmsReport", failed | {"phone_number": "13800000002", "biz_id": "900619746936498441^0"}),
        ("SmsReport", failed | {"phone_number": "13800000003", "biz_id": "900619746936498442^0"}),
        ("SmsReport", "{not json"),
        (
            "SmsUp",
            {"phone_number": "13800000001", "content": "好的", "send_time": now, "sequence_id": "1", "dest_code": "9"},
        ),
    ]
    rows = [{"kind": kind, "body": body} for kind, body in messages]
    sent = round(datetime.strptime(yesterday, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).timestamp())
    ends = {"13800000001": "DELIVERED", "13800000002": "MK:0001"}
    for n, (phone, code) in enumerate(ends.items()):
        biz_id = f"90061974693649844{n}^0"
        rows.append({"send": {"phone": phone, "biz_id": biz_id, "sent": sent, "reported": sent, "code": code}})
    rows.append({"queue": "my-calls", "body": call | {"release_time": now, "release_cause": 18}})
    return "".join(json.dumps(row) + "\n" for row in rows)


@dataclass(frozen=True, slots=True)
class Shell:
    """A directory and an environment in which the program is on the PATH."""

    directory: Path
    environment: dict[str, str]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def clean(directory: Path) -> dict[str, str]:
    """This environment without settings of ours, and with the program under test first on the PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SMSRECEIPT_", "ALIBABA_CLOUD_"))}
    return kept | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(directory)}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell in which the documented configuration is in force and the provider is a sandbox."""
    directory = tmp_path_factory.mktemp("docs")
    (directory / "load.ndjson").write_text(loaded())
    [configuration] = pages.blocks(pages.read("en", "config"), "toml")
    (directory / "smsreceipt.toml").write_text(configuration)
    environment = clean(directory)
    sandbox = subprocess.Popen(
        ["smsreceipt", "sandbox", "--port", "0", "--uid", UID, "--load", "load.ndjson"],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert sandbox.stdout is not None
        for line in iter(sandbox.stdout.readline, "# ready\n"):
            assert line, "the sandbox ended before it was ready"
            if line.startswith("export "):
                name, _, value = shlex.split(line)[1].partition("=")
                if not name.startswith("SMSRECEIPT_PULL_"):  # the configuration names the queues
                    environment[name] = value
        environment |= {"SMSRECEIPT_STORE": str(directory / "receipts.db"), "SMSRECEIPT_PULL_WAIT": "0"}
        yield Shell(directory, environment)
    finally:
        sandbox.send_signal(signal.SIGTERM)
        sandbox.communicate(timeout=10)


@pytest.fixture(scope="module")
def pulled(shell: Shell) -> Shell:
    done = shell.run("smsreceipt pull")
    assert done.returncode == 3, done.stderr  # there is poison in it
    assert "received=6 new=5 duplicate=0 rejected=1 deleted=6 undeleted=0" in done.stderr
    yesterday = f"{datetime.now(BEIJING) - timedelta(days=1):%Y-%m-%d} 12:00:00"
    lines = [f"1380000000{n + 1},90061974693649844{n}^0,{yesterday}" for n in range(3)]
    (shell.directory / "yesterday.csv").write_text("\n".join(["phone,biz_id,sent_at", *lines, ""]))
    done = shell.run("smsreceipt sends import yesterday.csv")  # `reconcile` tells a day that was not imported
    assert done.returncode == 0, done.stderr
    return shell


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(pulled: Shell) -> None:
    found = examples()  # some need what those before them have written
    assert len(found) > 30
    for example in found:
        done = pulled.run(example)
        assert done.returncode == 0, (example, done.stderr)
        assert "error:" not in done.stderr, example
        assert done.stdout or example.startswith(SILENT), example


@pytest.mark.slow
def test_the_sandbox_examples_run(tmp_path: Path) -> None:
    scripts = [script for script in pages.blocks(pages.read("en", "sandbox"), "sh") if "smsreceipt sandbox" in script]
    for script, word in zip(scripts, ('"queued"', '"accepted": '), strict=True):
        for port in ("8901", "8902", "8903"):
            script = script.replace(port, str(free_port()))  # noqa: PLW2901 - the same, elsewhere
        script = "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n" + script  # noqa: PLW2901 - the same, tidied up
        done = Shell(tmp_path, clean(tmp_path)).run(script.replace("smsreceipt pull", "smsreceipt pull --wait 0"))
        assert done.returncode == 0, done.stderr
        assert word in done.stdout


def test_the_row_for_a_new_message_type_is_one_in_ten_lines() -> None:
    row, _messages = pages.blocks(pages.CONTRIBUTING.read_text(), "python")
    names = {"Dialect": Dialect, "Status": Status, "Kind": Kind, "Outcome": Outcome}
    [made] = eval(f"[{row}]", names)  # noqa: S307 - our own page
    assert isinstance(made, Dialect)
    assert made.kind == "ParcelReport"
    assert len(row.splitlines()) == 10
