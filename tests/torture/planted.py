"""The program with a bug planted in it: `python -m tests.torture.planted BUG pull …`.

A harness that does not find these finds nothing. The program itself knows nothing of them.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NoReturn
from unittest.mock import patch

import apsw

from smsreceipt import ingest
from smsreceipt.aliyun import tokens
from smsreceipt.cli import main, pull
from smsreceipt.decode import decode
from smsreceipt.errors import StoreUnavailable
from smsreceipt.model import Delivery, Instant, Tally
from smsreceipt.store import Kept, Store, connect, keep
from smsreceipt.store import sqlite as engine


def delete_before_commit() -> None:
    """Messages are deleted from the queue first, and stored then."""

    def take(deliveries: Sequence[Delivery], store: Store, *, resolves: Collection[str] = ()) -> Kept:
        for delivery in deliveries:
            delivery.ack()
        return store.keep([decode(delivery) for delivery in deliveries], resolves=resolves)

    ingest.take = take


def no_unique_key() -> None:
    """The store takes what it is given, as often as it is given."""
    honest = connect.sql

    def sql(name: str) -> str:
        return re.sub(r"ON CONFLICT.*", "", honest(name).replace("CREATE UNIQUE INDEX", "CREATE INDEX"))

    connect.sql = keep.sql = sql  # type: ignore[attr-defined]  # keep imports it by name


def normal() -> None:
    """synchronous=NORMAL: commits are not flushed to the disk before they are acked."""
    connect._SETTINGS = connect._SETTINGS.replace("synchronous = FULL", "synchronous = NORMAL")


def swallow() -> None:
    """A store that fails is no reason not to ack."""
    honest = engine.SqliteStore.keep

    def careless(store: engine.SqliteStore, decoded: Any, **more: Any) -> Kept:
        try:
            return honest(store, decoded, **more)
        except StoreUnavailable:
            received = sum(len(item.receipts) + len(item.rejects) for item in decoded)
            return Kept(Tally(received, 0, received, 0), ())

    engine.SqliteStore.keep = careless  # type: ignore[method-assign, assignment]


def impatient() -> None:
    """A locked store is given up at once."""
    connect.BUSY_MS = 0
    ingest.LOCK_BUDGET = 0


def deaf() -> None:
    """Signals end the process wherever it is."""

    @contextlib.contextmanager
    def nothing(_app: object, _stop: Callable[[], None]) -> Iterator[None]:
        yield

    patch.object(pull, "_stopped_by_signals", nothing).start()


def zone_naive() -> None:
    """The end of a token is read in the zone of this machine."""

    def local(text: object) -> Instant | None:
        moment = datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S")
        return Instant(int(moment.timestamp() * 1000))

    tokens._beijing = local


def trusting() -> None:
    """Any database will do, and what is damaged is told by nobody."""

    def anything(_connection: apsw.Connection, _path: object) -> None:
        return

    patch.object(connect, "_refuse_foreign", anything).start()


def give_up() -> None:
    """The first poisonous message of a batch ends the run."""
    honest = decode

    def brittle(delivery: Delivery) -> Any:
        decoded = honest(delivery)
        if decoded.rejects:
            raise ValueError("poison")
        return decoded

    patch.object(ingest, "decode", brittle).start()


BUGS: dict[str, Callable[[], None]] = {
    "delete-before-commit": delete_before_commit,
    "no-unique-key": no_unique_key,
    "normal": normal,
    "swallow": swallow,
    "impatient": impatient,
    "deaf": deaf,
    "zone-naive": zone_naive,
    "trusting": trusting,
    "give-up": give_up,
}


def plant(bug: str) -> None:
    """Plant a bug in this process; "" plants none."""
    if bug:
        BUGS[bug]()


def run() -> NoReturn:
    plant(sys.argv.pop(1))
    main()


if __name__ == "__main__":
    run()
