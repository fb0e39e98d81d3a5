"""Stores that are damaged, foreign, newer, or taken away: exit 7 (or the right data), no traceback, not a byte changed.

SQLite keeps no checksums of its pages: bytes that are changed inside a field, and leave the structure sound, cannot be
detected. Such reads are counted as `unseen`, not as good.
"""

from __future__ import annotations

import io
import random
import shutil
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import apsw

from smsreceipt.app import App
from smsreceipt.cli import tool
from smsreceipt.cli.main import run
from smsreceipt.decode import decode
from smsreceipt.store.sqlite import connect
from smsreceipt.store.sqlite.store import open_store
from tests.torture.powercut import delivery
from tests.torture.world import World, kill, until

PAGE = 4096
COMMANDS = (("list", "--json", "--history"), ("status", "--json"))


@dataclass
class Figures:
    """What the commands made of damaged stores."""

    runs: int = 0
    refused: int = 0  #: exit 7
    right: int = 0  #: the same answer as from the sound store
    unseen: int = 0  #: another answer with exit 0: the damage was inside a field
    faults: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        bad = dict(self.faults) or "none"
        return f"runs={self.runs} exit 7={self.refused} right data={self.right} unseen={self.unseen} faults={bad}"


def in_process(store: Path, *words: str) -> tuple[int, bytes, str]:
    """Run a command here: its code, what it printed, what it said."""
    out, err = io.BytesIO(), io.StringIO()
    app = App(
        environ={}, home=store.parent, stdin=io.BytesIO(), stdout=out, stderr=err, data_directory=lambda: store.parent
    )
    return run(tool, ["--store", str(store), *words], app), out.getvalue(), err.getvalue()


@contextmanager
def sound(rows: int = 400) -> Iterator[tuple[Path, bytes]]:
    """A directory, and a sound store's bytes."""
    where = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a name of its own is made in it
    folder = Path(tempfile.mkdtemp(prefix="smsreceipt-torture-", dir=where))
    try:
        path = folder / "sound.db"
        store = open_store(path)
        for first in range(1, rows, 20):
            store.keep([decode(delivery([f"T{n:09}" for n in range(first, first + 20)]))])
        store.close()
        yield folder, path.read_bytes()
    finally:
        shutil.rmtree(folder)


def mutations(content: bytes, count: int, dice: random.Random) -> Iterator[tuple[str, bytes]]:
    """Damaged versions of a store: bytes, pages, cuts, headers."""
    pages = len(content) // PAGE
    for n in range(count):
        broken = bytearray(content)
        match n % 8:
            case 0 | 1:
                name = "bytes"
                for _ in range(dice.choice((1, 4, 64))):
                    broken[dice.randrange(len(broken))] = dice.randrange(256)
            case 2:
                name = "byte in a page header"
                broken[dice.randrange(pages) * PAGE + dice.randrange(12)] = dice.randrange(256)
            case 3:
                name = "page of noise"
                at = dice.randrange(pages) * PAGE
                broken[at : at + PAGE] = dice.randbytes(PAGE)
            case 4:
                name = "page of zeros"
                at = dice.randrange(pages) * PAGE
                broken[at : at + PAGE] = bytes(PAGE)
            case 5:
                name = "two pages swapped"
                one, other = (dice.randrange(pages) * PAGE for _ in range(2))
                broken[one : one + PAGE], broken[other : other + PAGE] = (
                    content[other : other + PAGE],
                    content[one : one + PAGE],
                )
            case 6:
                name = "cut off"
                del broken[dice.randrange(1, len(broken)) :]
            case _:
                name = "byte in the file header"
                broken[dice.randrange(100)] = dice.randrange(256)
        if bytes(broken) != content:
            yield name, bytes(broken)


def mutate(count: int, seed: int = 1) -> Figures:
    """Let the commands that read meet so many damaged stores."""
    figures, dice = Figures(), random.Random(seed)
    with sound() as (folder, content):
        path = folder / "receipts.db"
        path.write_bytes(content)
        right = {words: in_process(path, *words)[1] for words in COMMANDS}
        for name, broken in mutations(content, count, dice):
            for words in COMMANDS:
                for leftover in folder.glob("receipts.db*"):
                    leftover.unlink()
                path.write_bytes(broken)
                code, out, err = in_process(path, *words)
                figures.runs += 1
                figures.refused += code == 7
                figures.right += code == 0 and out == right[words]
                figures.unseen += code == 0 and out != right[words]
                if code not in {0, 7}:
                    figures.faults[f"{words[0]} on {name}: exit {code}: {err.splitlines()[0][:90] if err else ''}"] += 1
                if "Traceback" in err or "internal" in err:
                    figures.faults[f"{words[0]} on {name}: {err.splitlines()[0][:90]}"] += 1
                if path.read_bytes() != broken:
                    figures.faults[f"{words[0]} on {name}: bytes changed"] += 1
    return figures


def _foreign(path: Path) -> None:
    path.unlink()
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)")
    db.close()


def _pragma(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        db = apsw.Connection(str(path))
        db.execute(statement)
        db.execute("PRAGMA journal_mode = delete")
        db.close()

    return change


def _not_sqlite(path: Path) -> None:
    path.write_bytes(b"phone,biz_id\n" * 1000)


def _schema(path: Path) -> None:
    """The second page, where the first tables are, is noise."""
    content = bytearray(path.read_bytes())
    content[100 : 100 + 8] = struct.pack(">q", -1)
    path.write_bytes(content)


FOREIGN: dict[str, Callable[[Path], None]] = {
    "foreign database": _foreign,
    "other application_id": _pragma("PRAGMA application_id = 7"),
    "newer user_version": _pragma("PRAGMA user_version = 99"),
    "no database": _not_sqlite,
    "root page of the schema": _schema,
}


def foreign(bug: bool = False) -> Counter[str]:
    """Run each command on files that are foreign or newer stores; count what was not refused properly."""
    wrong: Counter[str] = Counter()
    with World() as world, sound() as (folder, content):
        environ = {**world.environment, "SMSRECEIPT_STORE": ""}
        path = folder / "receipts.db"
        pull = ("pull", "--uid", world.uid, "--type", "SmsReport", "--wait", "0", "--min-free", "0")
        for name, change in FOREIGN.items():
            for words in (*COMMANDS, pull):
                for leftover in folder.glob("receipts.db*"):
                    leftover.unlink()
                path.write_bytes(content)
                change(path)
                before = path.read_bytes()
                if words is pull:
                    kept = {key: value for key, value in environ.items() if key != "SMSRECEIPT_STORE"}
                    planted = ["trusting"] if bug else []
                    module = ["tests.torture.planted", *planted] if bug else ["smsreceipt"]
                    ended = world.run([*world.words()[:2], *module, "--store", str(path), *words], timeout=30, **kept)
                    code, err = ended.code, ended.err
                else:
                    code, _, err = in_process(path, *words)
                if code != 7 or "Traceback" in err or "internal" in err:
                    wrong[f"{words[0]} on {name}: exit {code}"] += 1
                if path.read_bytes() != before:
                    wrong[f"{words[0]} on {name}: bytes changed"] += 1
            if bug and wrong:
                break  # found
    return wrong


def taken_away(how: str) -> list[str]:
    """Replace or delete files under a running pull: it must stop with 7 and ack nothing after that."""
    with World(visibility=2) as world:
        world.put(50)
        process = world.start(world.pull_words("-f"))
        until(lambda: world.count("deleted") >= 50 or process.poll() is not None)
        old = world.folder / "old.db"
        match how:
            case "replaced":
                _copy_aside(world.store, old)
                Path(shutil.copy(old, world.folder / "new.db")).replace(world.store)
            case "deleted":
                _copy_aside(world.store, old)
                world.store.unlink()
            case _:
                _copy_aside(world.store, old)
                Path(f"{world.store}-wal").unlink()
        before = world.count("deleted")
        world.put(50)
        ended = until(lambda: process.poll() is not None, 15)
        kill(process)
        said = (world.folder / "err").read_text()
        wrong = [] if ended and process.returncode == 7 else [f"{how}: exit {process.returncode}"]
        if "Traceback" in said or "internal" in said:
            wrong.append(f"{how}: {said[-200:]}")
        if world.count("deleted") != before:
            wrong.append(f"{how}: {world.count('deleted') - before} acked after it")
        return wrong


def _copy_aside(store: Path, aside: Path) -> None:
    db = apsw.Connection(str(store), flags=apsw.SQLITE_OPEN_READONLY)
    target = apsw.Connection(str(aside))
    with target.backup("main", db, "main") as backup:
        backup.step()
    target.close()
    db.close()


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    with patch.object(connect, "_refuse_foreign", lambda *_: None):
        planted = foreign(bug=True)
    print(f"damage, planted trusting: {'caught' if planted else 'NOT CAUGHT'}: {sum(planted.values())} faults")
    began = time.monotonic()
    figures = mutate(2_000 if full else 200)
    print(f"damage, mutations: {figures} seconds={time.monotonic() - began:.0f}", flush=True)
    strange = foreign()
    print(f"damage, foreign files: {dict(strange) or 'all refused with 7, untouched'}", flush=True)
    gone = [fault for how in ("replaced", "deleted", "journal deleted") for fault in taken_away(how)]
    print(f"damage, taken away while in use: {gone or 'exit 7, nothing acked after'}")
    return bool(planted) and not figures.faults and not strange and not gone
