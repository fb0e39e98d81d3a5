"""`smsreceipt check`: exit codes, rows, the screen."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from smsreceipt.store import Query
from smsreceipt.store.removal import Removal
from tests.cli.program import Program, report
from tests.store import test_attribution as attribution


def damaged(program: Program, folder: Path, statement: str) -> Path:
    """A store with some receipts, damaged by a statement that no trigger follows."""
    saved = folder / "saved.json"
    saved.write_text("\n".join(json.dumps(report(biz_id=f"{n}^0")) for n in range(20)))
    assert program("replay", str(saved)).code == 0
    store = folder / "receipts.db"
    db = apsw.Connection(str(store))
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    db.execute(statement)
    db.close()
    return store


def test_a_whole_store_is_exit_0(program: Program, tmp_path: Path) -> None:
    damaged(program, tmp_path, "SELECT 1")
    ended = program("check")
    assert (ended.code, ended.out, ended.err) == (0, "", "checked=20 findings=0\n")


def test_a_store_that_does_not_exist_is_whole(program: Program) -> None:
    ended = program("check")
    assert (ended.code, ended.out) == (0, "")


def test_a_finding_is_exit_3_until_it_is_fixed(program: Program, tmp_path: Path) -> None:
    damaged(program, tmp_path, "UPDATE statement SET current = 0 WHERE seq = 5")
    ended = program("-q", "check")
    assert ended.code == 3
    assert "smsreceipt check --fix" in ended.err
    (row,) = map(json.loads, ended.out.splitlines())
    assert (row["finding"], row["seq"], row["stored"], row["expected"]) == ("state", 5, None, 5)
    assert program("check", "--fix").code == 0
    assert program("check").code == 0


def test_a_changed_body_is_exit_7(program: Program, tmp_path: Path) -> None:
    damaged(program, tmp_path, "UPDATE statement SET body = CAST('{}' AS BLOB) WHERE seq = 3")
    ended = program("check", "--fix")
    assert ended.code == 7
    assert json.loads(ended.out)["finding"] == "body"
    assert "damaged" in ended.err


@pytest.mark.each_engine
def test_what_a_killed_removal_has_left_is_told_and_finished(program: Program) -> None:
    day = attribution.DAY
    with closing(program.opened()) as store:
        attribution.give(store, [attribution.send("1^0", f"{day} 09:59:59"), attribution.row(f"{day} 10:00:00")])
        attribution.give(store, [attribution.report("2^0", f"{day} 10:00:40")])  # it may be either's
        attribution.give(store, [attribution.row(f"{day} 10:00:00", phone=attribution.OTHER)])
        (told,) = store.list(Query(biz_ids=["2^0"]))
        removals = store.removals()
        assert removals.remove(Removal(wholes=removals.wholes([told.seq or 0])))
    ended = program("check")
    assert (ended.code, ended.objects) == (0, [])
    assert ended.err.startswith("answers about 1 number wait to be attributed anew")
    fixed = program("check", "--fix", sleep=lambda _: None)
    assert (fixed.code, fixed.objects) == (0, [])
    assert "attributed anew" not in program("check").err
    with closing(program.opened()) as store:
        assert sorted(kind for kind, *_ in attribution.states(store)) == ["SendDetail", "SmsReport"]


def test_the_screen_masks_numbers(program: Program, tmp_path: Path) -> None:
    damaged(program, tmp_path, "UPDATE statement SET current = 0 WHERE seq = 5")
    ended = program("check", "-o", "table")
    assert "13800008000" not in ended.out
    assert "state 1" in ended.out
