"""`smsreceipt.open`: what programs read and write."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import smsreceipt
from smsreceipt import Send
from smsreceipt.model import BEIJING
from tests.cli.program import CALL, CALL_ENDED, FAILED, REPLY, Program, report

SEND = Send(phone="+86 13800008000", biz_id="900619746936498440^0", sent_at=datetime(2026, 11, 20, 15, 49, 55))


@pytest.mark.each_engine
def test_receipts_are_those_of_list(program: Program) -> None:
    program.keep("SmsReport", report(), report("13800008001", "900619746936498441^0", **FAILED))
    program.keep("SmsUp", REPLY)
    listed = program("list").objects
    with smsreceipt.open(program.location) as store:
        found = list(store.receipts())
        failed = list(store.receipts(kind="smsreport", outcome="failed"))
        both = list(store.receipts(phone=["13800008000", "+8613800008001"], limit=2))
        none = list(store.receipts(since=date(2026, 11, 21)))
        later = list(store.receipts(after=found[0].seq))
    assert [each.seq for each in found] == [each["seq"] for each in listed]
    first = found[0]
    assert (first.kind, first.outcome, first.phone, first.parts) == ("SmsReport", "delivered", "13800008000", 1)
    assert first.identity == tuple(listed[0]["identity"])
    assert first.sent_at == datetime(2026, 11, 20, 15, 49, 55, tzinfo=BEIJING)
    assert first.received_at == datetime(2026, 11, 21, 4, tzinfo=UTC)
    assert first.call_id is None
    assert first.fields == report()
    assert [each.code for each in failed] == ["MOBILE_IN_BLACK"]
    assert len(both) == 2
    assert not none
    assert later == found[1:]
    with pytest.raises(FrozenInstanceError):
        first.phone = ""  # type: ignore[misc]


@pytest.mark.each_engine
def test_receipts_are_read_to_their_end_when_nobody_else_keeps_the_store(program: Program) -> None:
    program.keep("SmsReport", report(), report("13800008001", "900619746936498441^0"))
    assert len(list(smsreceipt.open(program.location).receipts())) == 2


def test_what_cannot_be_looked_for_is_no_damage_of_the_store(program: Program) -> None:
    program.keep("SmsReport", report())
    with smsreceipt.open(program.store) as store:
        for wrong in ({"limit": -1}, {"biz_id": "\udcff"}):
            with pytest.raises(smsreceipt.SmsReceiptError) as raised:
                list(store.receipts(**wrong))
            assert raised.value.exit_code == 2
        assert list(store.receipts(after=2**70)) == []


@pytest.mark.each_engine
def test_sends_are_added_and_shown(program: Program) -> None:
    program.keep("SmsReport", report())
    with smsreceipt.open(program.location) as store:
        other = replace(SEND, phone="13800008001", template_code="SMS_1", parts=2)
        assert store.add_sends([SEND, other]) == 2
        assert store.add_sends([SEND]) == 0
        found = store.show("13800008000")
        assert [each.outcome for each in found.receipts] == ["delivered"]
        assert found.sends == (
            replace(SEND, phone="13800008000", sent_at=datetime(2026, 11, 20, 15, 49, 55, tzinfo=BEIJING)),
        )
        assert not store.show("13811112222")
        with pytest.raises(smsreceipt.SmsReceiptError, match="a send cannot be kept"):
            store.add_sends([replace(SEND, biz_id="9.0E+17")])
    assert len(program("sends", "list").objects) == 2


def test_a_call_is_shown_whole(program: Program) -> None:
    program.keep("SecretStartReport", CALL)
    program.keep("SecretReport", CALL_ENDED)
    with smsreceipt.open(program.location) as store:
        assert [each.kind for each in store.show("17000000001").receipts] == ["SecretStartReport", "SecretReport"]


def test_a_store_that_appears_later_is_seen(program: Program) -> None:
    with smsreceipt.open(program.location) as store:
        assert list(store.receipts()) == []
        assert not program.store.exists()
        program.keep("SmsReport", report())
        assert len(list(store.receipts())) == 1


def test_what_cannot_be_meant_is_refused(program: Program) -> None:
    with smsreceipt.open(program.location) as store, pytest.raises(smsreceipt.SmsReceiptError, match="no outcome"):
        store.receipts(outcome="lost")


def test_an_empty_word_matches_nothing_that_has_no_value(program: Program) -> None:
    program.keep("SignSmsReport", {"order_id": "1", "sign_name": "x", "sign_status": "approved"})
    with smsreceipt.open(program.location) as store:
        for word in ("", " "):
            with pytest.raises(smsreceipt.SmsReceiptError, match="empty"):
                store.show(word)
            for name in ("phone", "biz_id", "out_id", "call_id", "code"):
                filters: dict[str, Any] = {name: ["x", word]}
                with pytest.raises(smsreceipt.SmsReceiptError, match="empty"):
                    store.receipts(**filters)
        assert len(list(store.receipts())) == 1
        assert list(store.receipts(phone=[])) == list(store.receipts(kind=())) == []


def test_after_a_fork_it_is_opened_again(program: Program) -> None:
    program.keep("SmsReport", report())
    with smsreceipt.open(program.location) as store:
        list(store.receipts())
        if not (child := os.fork()):
            try:
                list(store.receipts())
            except smsreceipt.SmsReceiptError:
                store.close()
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert len(list(store.receipts())) == 1


def test_nothing_is_imported_before_it_is_used() -> None:
    script = "import sys, smsreceipt; print(*(name for name in sys.modules if name.startswith('smsreceipt')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["smsreceipt"]
    assert set(dir(smsreceipt)) == set(smsreceipt.__all__)
    for name in smsreceipt.__all__:
        assert getattr(smsreceipt, name) is not None
    with pytest.raises(AttributeError):
        smsreceipt.nothing  # noqa: B018 - that is the test


USER = """
import datetime
import smsreceipt

def late(url: str) -> list[str]:
    with smsreceipt.open(url) as store:
        store.add_sends([smsreceipt.Send(phone="13800000001", biz_id="1^0", sent_at=datetime.date(2026, 11, 20))])
        return [receipt.phone or "" for receipt in store.receipts(kind="SmsReport", outcome=["failed", "expired"])]

def handle(receipts: "smsreceipt.Sequence") -> None: ...

with smsreceipt.Ledger("x.db") as ledger:
    count: int = ledger.note({"Code": "OK", "BizId": "1^0"}, phone_numbers=["13800000001"])
smsreceipt.receive(["Alicom-Queue-1-SmsReport"], lambda receipts: print(receipts[0].seq))
"""


@pytest.mark.slow
def test_a_program_of_a_user_is_typed(tmp_path: Path) -> None:
    def checked(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "user.py").write_text(text)
        words = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path / "cache")]
        root = str(Path(__file__).parents[2])
        return subprocess.run(
            [*words, "user.py"], cwd=tmp_path, env={**os.environ, "MYPYPATH": root}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    good = USER.replace('def handle(receipts: "smsreceipt.Sequence") -> None: ...\n', "")
    done = checked(good)
    ours = [line for line in done.stdout.splitlines() if line.startswith("user.py")]
    assert not ours, done.stdout
    assert "user.py" in checked(good.replace('receipt.phone or ""', "receipt.phone")).stdout
