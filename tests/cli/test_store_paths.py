"""What --store may lead to: a store, or nothing yet; anything else is told for what it is, and left as it is."""

import os
from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.mark.parametrize("words", ["list", "status", "rejects retry --all"])
def test_a_directory_a_device_and_a_link_to_nothing_are_no_stores(program: Program, words: str) -> None:
    Path("link.db").symlink_to("gone/away.db")
    os.mkfifo("pipe")
    for path, said in (
        (".", "is a directory"),
        ("/dev/null", "is not a regular file"),
        ("pipe", "is not a regular file"),
        ("link.db", "is a symbolic link to gone/away.db, which is not there"),
    ):
        ended = program("--store", path, *words.split())
        assert (ended.code, ended.raw) == (2, b"")
        assert ended.err.startswith(f"error: the store {path} {said}\n")
    assert not Path("gone").exists()


@pytest.mark.parametrize("words", ["list", "rejects retry --all"])
def test_a_text_file_is_no_damaged_store(program: Program, words: str) -> None:
    text = "name,phone\n" * 999
    Path("people.csv").write_text(text)
    ended = program("--store", "people.csv", *words.split())
    assert (ended.code, ended.raw) == (7, b"")
    assert "people.csv is no smsreceipt store" in ended.err
    assert ".recover" not in ended.err
    assert Path("people.csv").read_text() == text


def test_a_link_to_a_store_is_a_store(program: Program) -> None:
    program.keep("MyOwn", {"a": 1})
    Path("link.db").symlink_to(program.store)
    assert len(program("--store", "link.db", "list").objects) == 1


@pytest.mark.parametrize(
    "url",
    ["file:./u.db?mode=ro", "file:u.db", "file:///srv/u.db", "FILE:u.db", "sqlite:u.db", "sqlite3:u.db", "sqlite:///u.db",
     "jdbc:sqlite:u.db", "postgres:x", "https://x/y"],
)  # fmt: skip
def test_urls_that_no_engine_opens_are_refused_and_make_nothing(program: Program, url: str) -> None:
    ended = program("--store", url, "replay", "-")
    assert ended.code == 2
    assert "this store URL is not supported" in ended.err
    assert "Give the path of a file" in ended.err
    assert list(Path().iterdir()) == []


def test_a_colon_is_no_url(program: Program) -> None:
    assert program("--store", "receipts:prod.db", "store", "upgrade").code == 0
    assert Path("receipts:prod.db").exists()


@pytest.mark.parametrize("words", ["status", "list", "replay -", "doctor --offline"])
def test_a_name_that_no_file_can_have_is_a_usage_error(program: Program, words: str) -> None:
    ended = program("--store", f"/tmp/{'a' * 300}.db", *words.split())  # noqa: S108 - nothing is made there
    assert ended.code == 2, ended.err
    assert "too long" in ended.err + ended.out


def test_a_name_that_is_no_utf8_is_shown_with_escapes(program: Program) -> None:
    ended = program("--store", str(program.home / "\udcd6.db"), "status", "--json")
    assert ended.code == 0, ended.err
    assert ended.objects[0]["store"].endswith("\\udcd6.db")
