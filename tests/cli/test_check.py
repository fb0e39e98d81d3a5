"""`smsreceipt check`: exit codes, rows, the screen."""

from __future__ import annotations

import json
from pathlib import Path

import apsw

from tests.cli.program import Program, report


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


def test_the_screen_masks_numbers(program: Program, tmp_path: Path) -> None:
    damaged(program, tmp_path, "UPDATE statement SET current = 0 WHERE seq = 5")
    ended = program("check", "-o", "table")
    assert "13800008000" not in ended.out
    assert "state 1" in ended.out
