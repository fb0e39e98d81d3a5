"""replay of Parquet files: archives and exports bring the same receipts back; what is none is told."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from smsreceipt.sources.files.open import RATIO
from tests.cli.program import CALL_ENDED, FAILED, REPLY, Program, report
from tests.cli.test_prune import old, prune, without_arrival
from tests.cli.test_replay import PROGRAM, save, some, summary

pytestmark = pytest.mark.each_engine

#: Bodies that a careless copy would change, or take apart.
STRANGE = (
    json.dumps(report(biz_id="1^0", out_id="half \ud83d"), ensure_ascii=True).encode(),
    json.dumps(report(biz_id="2^0", out_id='a"b\\c\u2028\u202e\x1b[31m')).encode(),
    json.dumps(report(biz_id="3^0", extra=[1, {"a": "}\n{"}]), indent=2, ensure_ascii=False).encode(),
    json.dumps(report(biz_id="4^0", extra="回执😀"), ensure_ascii=False).encode(),
    json.dumps(report(biz_id="5^0"))[:-1].encode() + b',  "n": 1.50e+2, "biz_id": "5^0" }',
)


def filled(program: Program) -> None:
    program.keep("SmsReport", *STRANGE, report(biz_id="6^0", **FAILED), report(biz_id="6^0"))
    program.keep("SmsUp", REPLY)
    program.keep("SecretReport", CALL_ENDED)
    program.keep("NewReport", {"什么": None})


def told(program: Program, *words: str) -> list[dict[str, Any]]:
    rows = program("list", "--history", *words).objects
    return sorted(map(without_arrival, rows), key=str)


def test_an_export_brings_the_same_list_into_another_store(program: Program, tmp_path: Path) -> None:
    filled(program)
    path, other = tmp_path / "all.parquet", str(tmp_path / "other.db")
    ended = program("export", "receipts", "--output", str(path), "--history")
    assert ended.code == 0, ended.err
    ended = program("--store", other, "replay", str(path))
    assert ended.code == 0, ended.err
    assert "rejected=0" in ended.err
    assert told(program, "--store", other) == told(program)
    assert "new=0" in program("--store", other, "replay", str(path)).err


def test_an_archive_brings_back_every_byte_of_every_body(program: Program, tmp_path: Path) -> None:
    long_ago = {"send_time": old("1^0")["send_time"], "report_time": old("1^0")["report_time"]}
    program.keep("SmsReport", *(_dated(body, long_ago) for body in STRANGE))
    before, path = told(program), tmp_path / "old.parquet"
    bodies = parquet_bodies(program, tmp_path / "before.parquet")
    ended = prune(program, "--archive", str(path))
    assert ended.code == 0, ended.err
    assert told(program) == []
    assert sorted(parquet.read_table(path)["body"].to_pylist()) == bodies
    assert program("replay", str(path)).code == 0
    assert told(program) == before


def _dated(body: bytes, times: dict[str, object]) -> bytes:
    for name, text in times.items():
        body = body.replace(json.dumps(report()[name]).encode(), json.dumps(text).encode())
    return body


def parquet_bodies(program: Program, path: Path) -> list[str]:
    program("export", "receipts", "--output", str(path), "--history")
    return sorted(parquet.read_table(path)["body"].to_pylist())


@pytest.mark.of_a_file
def test_an_archive_that_does_not_hold_what_was_written_deletes_nothing(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smsreceipt.output.files import parquet as writing

    program.keep("SmsReport", old("1^0"), old("2^0"))
    genuine = writing._array

    spoilt: dict[str, object] = {}

    def damaged(column: Any, cells: Any) -> Any:
        return genuine(column, [spoilt.get(column.key, cells[0]), *cells[1:]])

    monkeypatch.setattr(writing, "_array", damaged)
    for key, value in (("body", b"{}"), ("kind", "SmsUp"), ("seq", 99), ("biz_id", None), ("digest", "0" * 64)):
        spoilt = {key: value}
        ended = prune(program, "--archive", str(tmp_path / "old.parquet"))
        assert (ended.code, len(told(program))) == (6, 2), (key, ended.err)
        assert "does not hold what was written: nothing was deleted" in ended.err
        assert [*tmp_path.glob("*old*")] == []
    spoilt = {}
    assert prune(program, "--archive", str(tmp_path / "old.parquet")).code == 0
    assert told(program) == []


@pytest.mark.of_a_file
def test_what_is_no_archive_is_told_and_nothing_of_it_is_stored(program: Program, tmp_path: Path) -> None:
    filled(program)
    path = tmp_path / "all.parquet"
    program("export", "receipts", "--output", str(path))
    whole = path.read_bytes()
    other = tmp_path / "other.parquet"
    store = ("--store", str(tmp_path / "other.db"))
    for content in (whole[:-1], whole[: len(whole) // 2], b"PAR1", b"PAR1" + bytes(100) + b"PAR1"):
        other.write_bytes(content)
        ended = program(*store, "replay", str(other))
        assert (ended.code, ended.out) == (3, ""), ended.err
        assert "is no whole Parquet file" in ended.err
    parquet.write_table(pa.table({"seq": [1], "kind": ["SmsReport"]}), other)
    ended = program(*store, "replay", str(other))
    assert ended.code == 3
    assert "has no column identity" in ended.err
    program.stdin = whole
    ended = program(*store, "replay", "-")
    assert ended.code == 2
    assert "cannot be read from a pipe" in ended.err


@pytest.mark.of_a_file
def test_bytes_that_change_in_a_file_are_no_crash(program: Program, tmp_path: Path) -> None:
    program.keep("SmsReport", *STRANGE)
    path = tmp_path / "all.parquet"
    program("export", "receipts", "--output", str(path))
    whole, other = path.read_bytes(), str(tmp_path / "other.db")
    for place in range(4, len(whole), max(1, len(whole) // 150)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        ended = program("--store", other, "replay", str(path))
        assert ended.code in {0, 3}, (place, ended.err)
        assert "Traceback" not in ended.err


@pytest.mark.of_a_file
def test_a_body_that_is_no_json_is_a_reject_and_harms_no_neighbour(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "all.parquet"
    bodies = [json.dumps(report(biz_id="1^0")), "{", '{"a":\n', '"', "", None, json.dumps(report(biz_id="2^0"))]
    row = {"seq": 1, "kind": "SmsReport", "identity": ["1^0"], "biz_id": None}
    parquet.write_table(pa.Table.from_pylist([{**row, "body": body} for body in bodies]), path)
    ended = program("replay", str(path))
    assert [each["biz_id"] for each in ended.objects] == ["1^0", "2^0"]
    assert "received=7 new=2 duplicate=0 rejected=5" in ended.err


@pytest.mark.of_a_file
def test_a_file_of_one_repeated_text_is_taken_for_a_bomb(program: Program, tmp_path: Path) -> None:
    path, body = tmp_path / "bomb.parquet", json.dumps(report(extra="x" * 500_000))
    row = {"seq": 1, "kind": "SmsReport", "identity": ["1^0"], "biz_id": None, "body": body}
    out = io.BytesIO()
    with parquet.ParquetWriter(out, pa.Table.from_pylist([row]).schema, use_dictionary=True) as writer:
        writer.write_table(pa.Table.from_pylist([row] * 50))
    path.write_bytes(out.getvalue())
    assert 50 * len(body) > 2 * RATIO * path.stat().st_size
    ended = program("replay", str(path))
    assert ended.code == 3
    assert "unpacks to more than receipts can" in ended.err


@pytest.mark.slow
def test_a_replay_that_was_killed_is_taken_up(program: Program, tmp_path: Path) -> None:
    path, source = tmp_path / "all.parquet", str(tmp_path / "source.db")
    program("--store", source, "replay", save(tmp_path / "saved", *some(8_000)))
    assert program("--store", source, "export", "receipts", "--output", str(path)).code == 0
    words = [*PROGRAM, "--store", program.location, "replay", str(path), "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout
        run.stdout.readline()
        run.kill()
    stored = len(program("list").objects)
    assert stored
    ended = program("replay", str(path))
    if stored < 8_000:  # else the kill came too late
        assert "taken up at byte" in ended.err
        assert summary(ended)["received"] == 8_000 - stored
    assert len(program("list").objects) == 8_000
