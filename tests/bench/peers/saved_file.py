"""The loader of saved files that one writes first: msgspec, sqlite3, 10,000 lines a transaction.

    python saved_file.py FILE DATABASE

One row a receipt with a primary key, so that repeats are stored once. It checks nothing and keeps no states.
"""

import sqlite3
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

TOGETHER = 10_000


class Receipt(msgspec.Struct):
    """What makes up the key."""

    biz_id: str
    phone_number: str


def rows(path: Path) -> Iterator[tuple[str, str, str]]:
    decode = msgspec.json.Decoder(Receipt).decode
    with path.open("rb") as file:
        for line in file:
            it = decode(line)
            yield it.biz_id, it.phone_number, line.decode()


def main() -> None:
    """FILE, DATABASE."""
    db = sqlite3.connect(sys.argv[2])
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE IF NOT EXISTS receipt (biz_id TEXT, phone TEXT, body TEXT, PRIMARY KEY (biz_id, phone))")
    found = rows(Path(sys.argv[1]))
    while group := list(islice(found, TOGETHER)):
        with db:
            db.executemany("INSERT OR IGNORE INTO receipt VALUES (?, ?, ?)", group)
    db.close()


if __name__ == "__main__":
    main()
