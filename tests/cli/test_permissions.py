"""Another user's files, and users without a home: what is said, and that no command breaks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest

from tests.cli.program import Program, report
from tests.copies import Copies

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("permissions"),  # the modules are loaded once, not once per worker
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv"),
]
NOBODY = 12345  # a user that no table names


class AsNobody(Protocol):
    def __call__(self, *words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """The program, run by a user without an entry in the table of users, and without HOME."""


@pytest.fixture(scope="module")
def as_nobody() -> Iterator[AsNobody]:
    with closing(Copies()) as copies:

        def run(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
            done = copies.run(words, cwd, {"PATH": os.environ["PATH"], **environ}, user=NOBODY)
            return subprocess.CompletedProcess(words, done.returncode, done.stdout.decode(), done.stderr.decode())

        yield run


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that everybody may enter, with one that is nobody's."""
    place = Path("/tmp") / f"smsreceipt-{os.getpid()}-{tmp_path.name}"  # noqa: S108 - tmp_path may not be entered
    (place / "own").mkdir(parents=True)
    place.chmod(0o755)
    os.chown(place / "own", NOBODY, NOBODY)
    (place / "one.ndjson").write_text(json.dumps(report()) + "\n")
    (place / "one.ndjson").chmod(0o644)
    yield place
    shutil.rmtree(place)


def test_a_store_of_root_is_called_so(as_nobody: AsNobody, folder: Path) -> None:
    store = folder / "own" / "r.db"
    root = Program(folder)
    assert root("--store", str(store), "replay", str(folder / "one.ndjson")).code == 0
    for words in (["status"], ["list"], ["replay", str(folder / "one.ndjson")]):
        ended = as_nobody("--store", str(store), *words, cwd=folder)
        assert ended.returncode == 6, ended.stderr
        assert "it belongs to root (uid 0), mode 0600; you are uid 12345" in ended.stderr
        assert f"hint: Run this as root (uid 0), or have root give it to you: chown 12345 {store}" in ended.stderr
        assert "again" not in ended.stderr


def test_a_folder_that_must_not_be_entered_or_written_is_named(as_nobody: AsNobody, folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    ended = as_nobody("--store", str(closed / "x" / "r.db"), "status", cwd=folder)
    assert (ended.returncode, f"the folder {closed} belongs to root (uid 0), mode 0700" in ended.stderr) == (6, True)
    closed.chmod(0o755)
    ended = as_nobody("--store", str(closed / "r.db"), "replay", str(folder / "one.ndjson"), cwd=folder)
    assert (ended.returncode, f"the folder {closed} belongs to root (uid 0), mode 0755" in ended.stderr) == (6, True)


@pytest.mark.parametrize(
    "words",
    [
        ["replay", "FILE"],
        ["sends", "import", "FILE"],
        ["--config", "FILE", "status"],
        ["listen", "--secret-file", "FILE", "--bind", "127.0.0.1:0", "--metrics-bind", "off"],
        ["query-details", "--date", "today", "--phones-from", "FILE"],
    ],
)
def test_other_files_of_root_are_called_so(as_nobody: AsNobody, folder: Path, words: list[str]) -> None:
    secret = folder / "secret"
    secret.write_text("a-secret-of-24-characters\n")
    secret.chmod(0o600)
    named = [str(secret) if word == "FILE" else word for word in words]
    ended = as_nobody("--store", str(folder / "own" / "r.db"), *named, cwd=folder)
    assert ended.returncode == 2, ended.stderr
    assert "it belongs to root (uid 0), mode 0600; you are uid 12345" in ended.stderr


def test_a_user_without_a_home_is_asked_for_a_place_and_can_do_everything_with_one(
    as_nobody: AsNobody, folder: Path
) -> None:
    for words in (["status"], ["list"], ["replay", str(folder / "one.ndjson")]):
        ended = as_nobody(*words, cwd=folder)
        assert ended.returncode == 2, ended.stderr
        assert "this user has no home directory" in ended.stderr
        assert "--store FILE" in ended.stderr
    assert as_nobody("explain", "DELIVERED", cwd=folder).returncode == 0
    assert as_nobody("--help", cwd=folder).returncode == 0
    store = str(folder / "own" / "r.db")
    ended = as_nobody("replay", str(folder / "one.ndjson"), cwd=folder, SMSRECEIPT_STORE=store)
    assert (ended.returncode, json.loads(ended.stdout)["biz_id"]) == (0, report()["biz_id"])
    assert as_nobody("config", "show", "--store", store, cwd=folder).returncode == 0
    assert not (folder / "~").exists()


@pytest.mark.parametrize("home", ["/", "", "relative"])
def test_a_container_without_a_home_makes_no_store_in_the_root_directory(
    as_nobody: AsNobody, folder: Path, home: str
) -> None:
    for words in (["status"], ["replay", str(folder / "one.ndjson")], ["config", "init"]):
        ended = as_nobody(*words, cwd=folder, HOME=home)
        assert (ended.returncode, "this user has no home directory" in ended.stderr) == (2, True), ended.stderr
    store = str(folder / "own" / "r.db")
    assert as_nobody("--store", store, "status", cwd=folder, HOME=home).returncode == 0


def test_a_home_that_is_not_there_leads_to_the_option(as_nobody: AsNobody, folder: Path) -> None:
    ended = as_nobody("replay", str(folder / "one.ndjson"), cwd=folder, HOME="/nonexistent")
    assert ended.returncode == 6
    assert "the folder / belongs to root (uid 0), mode 0755; you are uid 12345" in ended.stderr
    assert "or use a folder of your own with --store." in ended.stderr
    assert "chown" not in ended.stderr  # nobody is told to give the root directory away


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_journal_of_root_is_called_so(as_nobody: AsNobody, folder: Path, suffix: str) -> None:
    store = folder / "own" / "r.db"
    root = Program(folder)
    assert root("--store", str(store), "replay", str(folder / "one.ndjson")).code == 0
    left = store.with_name(store.name + suffix)
    left.write_bytes(bytes(100))
    left.chmod(0o600)
    os.chown(store, NOBODY, NOBODY)
    ended = as_nobody("--store", str(store), "replay", str(folder / "one.ndjson"), cwd=folder)
    assert ended.returncode == 6
    assert f"its file {left} belongs to root (uid 0), mode 0600; you are uid 12345" in ended.stderr
    assert f"chown 12345 {left}" in ended.stderr


def test_a_profile_of_root_is_called_so(as_nobody: AsNobody, folder: Path) -> None:
    profile = folder / ".aliyun" / "config.json"
    profile.parent.mkdir()
    profile.write_text("{}")
    profile.chmod(0o600)
    words = ["--store", str(folder / "own" / "r.db"), "query-details", "--date", "today", "--phone", "13800000000"]
    ended = as_nobody(*words, cwd=folder, HOME=str(folder))
    assert ended.returncode == 4
    assert f"{profile} cannot be read: it belongs to root (uid 0), mode 0600; you are uid 12345" in ended.stderr


def test_who_owns_the_file_gets_the_right_by_chmod(as_nobody: AsNobody, folder: Path) -> None:
    closed = folder / "own" / "closed"
    closed.mkdir(mode=0o500)
    os.chown(closed, NOBODY, NOBODY)
    ended = as_nobody("--store", str(closed / "r.db"), "replay", str(folder / "one.ndjson"), cwd=folder)
    assert (ended.returncode, f"hint: Give yourself the right: chmod u+rwx {closed}" in ended.stderr) == (6, True)
