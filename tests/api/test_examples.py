"""The examples of the page run as they stand; what receives is run against a sandbox."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import smsreceipt
from smsreceipt.forward import forwarder
from smsreceipt.sandbox import Options, Sandbox
from tests.cli.program import report
from tests.docs import pages

UID = "1234567890123456"
QUEUE = f"Alicom-Queue-{UID}-SmsReport"


def examples() -> list[str]:
    return list(pages.blocks(pages.read("en", "python"), "python"))


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for example in examples()[:-1]:
        exec(example, {})  # noqa: S102 - our own page
    with smsreceipt.open("receipts.db") as store:
        assert [each.phone for each in store.show("900619746936498440^0").sends] == [
            "13800000001", "13800000002", "13800000003",
        ]  # fmt: skip


@pytest.mark.slow
def test_a_handler_that_raises_is_called_again_and_each_receipt_was_stored_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(forwarder, "POLL", 0.02)
    halt, got, location = threading.Event(), list[list[int]](), str(tmp_path / "receipts.db")

    def handle(receipts: Any) -> None:
        with smsreceipt.open(location) as store:
            assert {each.seq for each in receipts} <= {each.seq for each in store.receipts(history=True)}
        got.append([each.seq for each in receipts])
        if len(got) == 1:
            raise ValueError("13800000000")
        if sum(map(len, got[1:])) >= 40:
            halt.set()

    with Sandbox(Options(port=0, uid=UID)) as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        sandbox.put_object(QUEUE, *(report(f"138{n:08}", f"{n:018}^0") for n in range(40)))
        worker = threading.Thread(
            target=smsreceipt.receive, args=([QUEUE], handle), kwargs={"store": location, "stop": halt}
        )
        worker.start()
        worker.join(30)
        assert not worker.is_alive()
        assert sandbox.state()["deleted"] == 40
    assert got[1][: len(got[0])] == got[0]
    arrived = [seq for batch in got[1:] for seq in batch]
    assert arrived == sorted(set(arrived))
    assert len(arrived) == 40
