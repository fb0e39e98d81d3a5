"""The pure parts of the benchmarks, and that the peers are there. What the benchmarks measure is no test."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench import durability, listen, pull, replay
from tests.bench.durability import Syncs, calls_in
from tests.bench.peers import programs
from tests.bench.pusher import body_of

ROOT = Path(__file__).parent.parent
SUMMARY = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 97.10    0.011868         124        95           fdatasync
  2.90    0.000354         118         3         1 fsync
------ ----------- ----------- --------- --------- ----------------
100.00    0.012222         124        98         1 total
"""


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every runtime were here."""
    for name in ("GO", "SQLITE", "BUN", "ALICLOUD_MNS"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        monkeypatch.setattr(programs, name, tmp_path / name)
    monkeypatch.setattr("shutil.which", lambda name: name)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no runtime were here, and nobody had been told yet."""
    monkeypatch.setattr("shutil.which", lambda _name: None)
    for name in ("GO", "SQLITE", "BUN", "ALICLOUD_MNS"):
        monkeypatch.setattr(programs, name, Path("absent"))
    programs._absent.cache_clear()


def commands() -> dict[str, tuple[str, ...]]:
    """Every command of the three benchmarks, by its name."""
    found = {each.name: each.command for latency in (0, 10) for each in pull.clients(latency, None, [])}
    found |= {each.name: each.command for each in listen.receivers([])}
    return found | replay.commands("saved", "folder")


def test_both_calls_that_flush_are_counted() -> None:
    assert calls_in(SUMMARY) == 98


def test_a_program_that_never_flushes_is_not_durable() -> None:
    assert calls_in("") == 0
    assert not Syncs(0, 1000).durable


def test_what_is_no_table_of_strace_is_refused() -> None:
    with pytest.raises(ValueError, match="no table"):
        calls_in("strace: ptrace(PTRACE_TRACEME): Operation not permitted")


def test_flushes_fewer_than_the_commits_that_were_needed_are_not_durable(capsys: pytest.CaptureFixture[str]) -> None:
    """synchronous=NORMAL flushes at checkpoints only: a few calls, but not one for each commit."""
    found = {"lax": Syncs(15, 6400, least=100), "strict": Syncs(100, 6400, least=100)}
    durability.tell(found)
    assert capsys.readouterr().out == "NOT DURABLE: lax: 15 fsyncs for 6,400 receipts\n"
    assert durability.cell(found["strict"]) == "15.6"


def test_without_strace_nobody_is_called_durable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    found = durability.count(lambda _before: (1, 1))
    durability.tell({"anybody": found})
    assert durability.cell(found) == "?"
    assert capsys.readouterr().out == "not checked: durability (strace is absent)\n"


def test_a_peer_that_loses_a_receipt_is_no_peer(tmp_path: Path) -> None:
    database = tmp_path / "peer.db"
    durability.check_rows(database, 2, 2)  # of a peer that stores nothing there is none
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE receipt (biz_id TEXT)")
        connection.executemany("INSERT INTO receipt VALUES (?)", [("1",), ("2",)])
    durability.check_rows(database, 1, 2)
    with pytest.raises(SystemExit, match="stored 2 receipts instead of 3 to 4"):
        durability.check_rows(database, 3, 4)


@pytest.mark.needs("strace")
@pytest.mark.parametrize("calls", [0, 3])
def test_strace_counts_what_a_program_calls(calls: int, tmp_path: Path) -> None:
    code = f"import os\nfor _ in range({calls}): os.fsync(1)"

    def run(before: tuple[str, ...]) -> tuple[int, float]:
        with (tmp_path / "out").open("w") as out:
            subprocess.run([*before, sys.executable, "-c", code], stdout=out, check=True)
        return 1000, 1

    assert durability.count(run) == Syncs(calls, 1000, 1)


def test_every_script_that_a_benchmark_names_is_there(built: None) -> None:
    scripts = [word for words in commands().values() for word in words if word.startswith(str(ROOT / "tests"))]
    assert {Path(script).name for script in scripts} >= {
        *("mns_sdk.py", "mns.cjs", "pull.cjs", "flask_receiver.py", "listen.cjs", "listen.bun.js", "saved_file.py"),
    }
    assert [script for script in scripts if not Path(script).exists()] == []


def test_the_go_program_has_a_source_for_every_command_that_a_benchmark_names(built: None) -> None:
    named = {words[1] for words in commands().values() if words[0] == str(programs.GO)}
    assert named == {"pull", "listen", "replay"}
    source = (programs.HERE / "go" / "main.go").read_text()
    for name in named:
        assert f'words[0] == "{name}"' in source
        assert (programs.HERE / "go" / f"{name}.go").exists()


def test_the_packages_of_node_are_pinned_and_locked() -> None:
    wanted = json.loads((programs.NODE / "package.json").read_text())["dependencies"]
    locked = json.loads((programs.NODE / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_an_absent_runtime_is_told_once_and_the_rest_is_measured(
    absent: None, capsys: pytest.CaptureFixture[str]
) -> None:
    commands()
    commands()
    told = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in told] == [
        f"not measured: {name}" for name in ("@alicloud/mns", "Node", "Go", "Bun")
    ]
    assert {each.name for each in listen.receivers([])} == {"Flask + sqlite3 on waitress", "smsreceipt listen"}


def test_ours_pulls_with_its_defaults_unless_told_otherwise() -> None:
    for latency in (0, 10):
        assert "--workers" not in pull.clients(latency, None, [])[-1].command
    assert pull.clients(0, 7, [])[-1].command[-2:] == ("--workers", "7")


def test_a_benchmark_can_be_narrowed_to_some(built: None) -> None:
    assert [each.name for each in pull.clients(10, None, ["Go", "smsreceipt"])] == [
        "Go + go-sqlite3, 32 workers",
        "smsreceipt pull",
    ]


@pytest.mark.parametrize("receipts", [1, 3, 12])
def test_no_two_pushes_share_a_receipt(receipts: int) -> None:
    found = [it["biz_id"] for number in (7, 123_456_789) for it in json.loads(body_of(number, receipts))]
    assert found == [f"T{number:09}^{n}" for number in (7, 123_456_789) for n in range(receipts)]


def test_make_names_the_folders_that_git_ignores() -> None:
    assert "/tests/bench/peers/build/" in (ROOT / ".gitignore").read_text().splitlines()
    assert re.search(r"-o \.\./build/peers ", (ROOT / "Makefile").read_text())
