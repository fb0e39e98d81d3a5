"""forget and prune: what they touch grows with what goes, also where answers of queries about one number go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import apsw
import pytest

from smsreceipt.model import BEIJING, Instant, Send, beijing_day
from smsreceipt.store.sqlite.store import SqliteStore
from tests.cli.program import Program

pytestmark = [pytest.mark.each_engine, pytest.mark.slow]
PHONE = "13912345678"
BEGAN = datetime(2026, 1, 1, 10, tzinfo=BEIJING)
FEW, MANY = 150, 600


def fill(program: Program, count: int) -> None:
    """So many answers about one number, each of which is a send's; and one of yesterday that stays when others go."""
    times = [BEGAN + timedelta(minutes=10 * number) for number in range(count)]
    times.append(datetime(2026, 11, 20, 10, tzinfo=BEIJING))
    with closing(program.opened()) as store:
        store.add_sends([
            Send(PHONE, f"{number}^0", beijing_day(at), at, "", "", "", None)
            for number, at in enumerate(Instant(round(each.timestamp() * 1000)) for each in times)
        ])  # fmt: skip
    texts = [each.strftime("%Y-%m-%d %H:%M:%S") for each in times]
    program.keep("SendDetail", *(
        {"PhoneNum": PHONE, "SendStatus": 3, "ErrCode": "DELIVERED", "TemplateCode": "SMS_1", "Content": "hi",
         "SendDate": text, "OutId": "", "ReceiveDate": text} for text in texts
    ))  # fmt: skip


@pytest.fixture
def touched(program: Program, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the program; returns what its store did: steps of SQLite, or rows that the server returned or changed."""
    if program.location.startswith("postgresql:"):
        return lambda *args: _rows(program, monkeypatch, *args)
    return lambda *args: _steps(program, monkeypatch, *args)


def _run(program: Program, *args: str) -> None:
    ended = program(*args, "--yes", sleep=lambda _: None)
    assert ended.code == 0, ended.err


def _steps(program: Program, monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    done = 0

    def count(event: dict[str, Any]) -> None:
        nonlocal done
        done += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    real = SqliteStore.removals

    def removals(store: SqliteStore) -> Any:
        store._db.trace_v2(apsw.SQLITE_TRACE_PROFILE, count)
        return real(store)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "removals", removals)
        _run(program, *args)
    return done


def _rows(program: Program, monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    import psycopg

    from smsreceipt.store.postgres.session import Connections

    done = 0

    class Counting(psycopg.Cursor[Any]):
        def execute(self, *given: Any, **named: Any) -> Any:
            nonlocal done
            found = super().execute(*given, **named)
            done += max(self.rowcount, 0)
            return found

    real = Connections.connect

    def connect(connections: Connections) -> Any:
        db = real(connections)
        db.cursor_factory = Counting
        return db

    with monkeypatch.context() as patch:
        patch.setattr(Connections, "connect", connect)
        _run(program, *args)
    return done


@pytest.mark.parametrize("command", [["forget", PHONE], ["prune", "--older-than", "90d"]], ids=["forget", "prune"])
def test_four_times_as_much_takes_four_times_as_long(
    program: Program, touched: Callable[..., int], command: list[str]
) -> None:
    measured = []
    for count in (FEW, MANY):
        fill(program, count)
        measured.append(touched(*command))
        assert program("check").code == 0
        assert len(program("list", "--history").objects) == (0 if command[0] == "forget" else 2)
        _run(program, "forget", PHONE)
        _run(program, "forget", PHONE, "--again")
    assert measured[0] > FEW
    assert measured[1] < 1.5 * measured[0] * MANY / FEW
