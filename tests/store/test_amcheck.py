"""check on a server with amcheck, whose files are overwritten while it is down."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import postgres
from tests.cli.program import Ended, Program
from tests.store.statements import decoded, report

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres", "postgres-tls")]
if postgres.available():
    from tests.torture.postgres_server import Server, opened

PAGE = 8192
TOOLS = '"the tools"'
INDEX = "smsreceipt.statement_state"
Damage = Callable[[bytearray], None]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The one that pip brings has no amcheck."""
    with Server(binaries=postgres.with_tls(), autovacuum="off") as server:
        yield server


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    url = server.store()
    with closing(opened(url)) as store:
        store.keep([decoded(*(report(f"{number}^0") for number in range(3_000)))])
    return url


def statement(url: str, *words: str) -> object:
    with closing(psycopg.connect(url, autocommit=True)) as db:
        row = [db.execute(each) for each in words][-1]
        return row.fetchone()[0] if row.description else None  # type: ignore[index]


def check(url: str, folder: Path) -> Ended:
    program = Program(folder)
    program.location = url
    return program("check")


@pytest.fixture
def installed(url: str) -> str:
    """A store in whose database an administrator has installed amcheck, in a schema of its own."""
    statement(url, f"CREATE SCHEMA IF NOT EXISTS {TOOLS}", f"CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA {TOOLS}")
    return url


def test_a_whole_store_has_no_finding(installed: str, tmp_path: Path) -> None:
    ended = check(installed, tmp_path)
    assert (ended.code, ended.objects) == (0, []), ended.err
    assert "checked=3000 findings=0" in ended.err


def test_a_user_who_may_not_use_amcheck_gets_the_other_checks(server: Server, installed: str, tmp_path: Path) -> None:
    database = urlsplit(installed).path[1:]
    statement(
        installed, "CREATE ROLE reader LOGIN", "GRANT USAGE ON SCHEMA smsreceipt TO reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA smsreceipt TO reader",
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA smsreceipt TO reader",
    )  # fmt: skip
    as_reader = server.url(database).replace("postgres@", "reader@", 1)
    file = file_of(server, installed, INDEX)
    whole = file.read_bytes()
    overwrite(server, file, 2 * PAGE, swapped)
    ended = check(as_reader, tmp_path)
    assert "engine" not in [each["finding"] for each in ended.objects], ended.err
    function = f"{TOOLS}.bt_index_check(regclass, boolean)"
    statement(installed, f"GRANT USAGE ON SCHEMA {TOOLS} TO reader", f"GRANT EXECUTE ON FUNCTION {function} TO reader")
    ended = check(as_reader, tmp_path)
    assert (ended.code, [each["finding"] for each in ended.objects]) == (7, ["engine"]), ended.err
    restore(server, file, whole)
    assert check(as_reader, tmp_path).code == 0


def swapped(page: bytearray) -> None:
    """Two entries of a leaf have changed places."""
    first, second = slice(32, 36), slice(36, 40)
    page[first], page[second] = page[second], page[first]


def zeroed(page: bytearray) -> None:
    page[:] = bytes(PAGE)


def wrong_header(page: bytearray) -> None:
    page[12:18] = b"\xff" * 6


def other_rows(page: bytearray) -> None:
    """Entries lead to other rows than they did: their places in the table are wrong."""
    upper = int.from_bytes(page[14:16], "little")
    for at in range(upper, PAGE - 32, 8):
        page[at : at + 4] = b"\0\0\1\0"


@pytest.mark.parametrize("damage", [swapped, zeroed, wrong_header, other_rows])
def test_a_damaged_page_of_an_index_is_found(server: Server, installed: str, tmp_path: Path, damage: Damage) -> None:
    file = file_of(server, installed, INDEX)
    whole = file.read_bytes()
    assert len(whole) > 4 * PAGE
    overwrite(server, file, 2 * PAGE, damage)
    try:
        ended = check(installed, tmp_path)
        assert ended.code == 7, ended.err
        (found,) = ended.objects
        assert (found["finding"], found["identity"]) == ("engine", ["statement_state"])
        assert found["stored"], found
        assert "Traceback" not in ended.err
    finally:
        restore(server, file, whole)
    assert check(installed, tmp_path).code == 0


def test_reindex_mends_a_damaged_index(server: Server, installed: str, tmp_path: Path) -> None:
    overwrite(server, file_of(server, installed, INDEX), 2 * PAGE, swapped)
    assert check(installed, tmp_path).code == 7
    statement(installed, f"REINDEX INDEX {INDEX}")
    assert check(installed, tmp_path).code == 0


def test_a_damaged_page_of_the_table_is_found(server: Server, installed: str, tmp_path: Path) -> None:
    file = file_of(server, installed, "smsreceipt.statement")
    whole = file.read_bytes()
    overwrite(server, file, 3 * PAGE, wrong_header)
    try:
        ended = check(installed, tmp_path)
        assert ended.code == 7, ended.err
        assert {each["finding"] for each in ended.objects} == {"engine"}
    finally:
        restore(server, file, whole)
    assert check(installed, tmp_path).code == 0


def test_bytes_that_change_anywhere_in_an_index_are_no_crash(server: Server, installed: str, tmp_path: Path) -> None:
    file = file_of(server, installed, INDEX)
    whole, codes = file.read_bytes(), set[int]()
    for place in range(PAGE + 100, len(whole), len(whole) // 12):
        overwrite(server, file, place - place % PAGE, partial(flip, place % PAGE))
        ended = check(installed, tmp_path)
        assert ended.code in {0, 3, 6, 7}, (place, ended.err)
        codes.add(ended.code)
        restore(server, file, whole)
    assert 7 in codes


def flip(at: int, page: bytearray) -> None:
    page[at] ^= 0xFF


def file_of(server: Server, url: str, relation: str) -> Path:
    """The file of a relation, with all that is known of it on the disk."""
    return server.folder / "data" / str(statement(url, "CHECKPOINT", f"SELECT pg_relation_filepath('{relation}')"))


def restore(server: Server, file: Path, whole: bytes) -> None:
    server.stop()
    file.write_bytes(whole)
    server.start()


def overwrite(server: Server, file: Path, at: int, damage: Damage) -> None:
    """Change one page of a file while the server is down."""
    server.stop()
    with file.open("r+b") as opened_file:
        opened_file.seek(at)
        page = bytearray(opened_file.read(PAGE))
        before = bytes(page)
        damage(page)
        assert bytes(page) != before
        opened_file.seek(at)
        opened_file.write(page)
        os.fsync(opened_file.fileno())
    server.start()
