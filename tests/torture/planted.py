"""The program with a bug planted in it: `python -m tests.torture.planted BUG pull …`.

A harness that does not find these finds nothing. The program itself knows nothing of them.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import apsw

from smsreceipt import ingest
from smsreceipt.aliyun import tokens
from smsreceipt.cli.main import main
from smsreceipt.decode import decode
from smsreceipt.errors import StoreUnavailable
from smsreceipt.model import Asked, Decoded, Delivery, Instant, Tally
from smsreceipt.runs import prune, removing, signals
from smsreceipt.store import Kept, Store
from smsreceipt.store.sqlite import connect, keep, migrations, removal, replays
from smsreceipt.store.sqlite import store as engine


def delete_before_commit() -> None:
    """Messages are deleted from the queue first, and stored then."""

    def take(
        decoded: Sequence[Decoded], store: Store, *, resolves: Collection[str] = (), asked: Collection[Asked] = ()
    ) -> Kept:
        for item in decoded:
            item.delivery.ack()
        return store.keep(decoded, resolves=resolves, asked=asked)

    ingest.take = take


def no_unique_key() -> None:
    """The store takes what it is given, as often as it is given."""
    original = migrations.sql

    def sql(name: str) -> str:
        text = original(name).replace("CREATE UNIQUE INDEX", "CREATE INDEX")
        return re.sub(r"ON CONFLICT.*", "", text, flags=re.DOTALL)

    migrations.sql = keep.sql = sql  # type: ignore[attr-defined]  # keep imports it by name


def normal() -> None:
    """synchronous=NORMAL: commits are not flushed to the disk before they are acked."""
    connect._SETTINGS = connect._SETTINGS.replace("synchronous = FULL", "synchronous = NORMAL")


def swallow() -> None:
    """A store that fails is no reason not to ack."""
    original = engine.SqliteStore.keep

    def careless(store: engine.SqliteStore, decoded: Any, **more: Any) -> Kept:
        try:
            return original(store, decoded, **more)
        except StoreUnavailable:
            received = sum(len(item.receipts) + len(item.rejects) for item in decoded)
            return Kept(Tally(received, 0, received, 0), ())

    engine.SqliteStore.keep = careless  # type: ignore[method-assign, assignment]


def impatient() -> None:
    """A locked store is given up at once."""
    connect.OPENING_MS = 0
    engine.open_store = partial(engine.open_store, lock_wait=0)
    ingest.LOCK_BUDGET = 0


def deaf() -> None:
    """Signals end the process wherever it is."""

    signals.GracefulStop.__enter__ = lambda stopping: stopping  # type: ignore[method-assign]


def zone_naive() -> None:
    """The end of a token is read in the zone of this machine."""

    def local(text: object) -> Instant | None:
        moment = datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S")
        return Instant(int(moment.timestamp() * 1000))

    tokens._beijing = local


def trusting() -> None:
    """Any database will do, and damage is not reported."""

    def anything(_connection: apsw.Connection, _path: object) -> None:
        return

    patch.object(connect, "_refuse_foreign", anything).start()


def give_up() -> None:
    """The first poisonous message of a batch ends the run."""
    original = decode

    def brittle(delivery: Delivery) -> Any:
        decoded = original(delivery)
        if decoded.rejects:
            raise ValueError("poison")
        return decoded

    patch("smsreceipt.decode.decode", brittle).start()


def ok_before_commit() -> None:
    """A push is answered 200 as soon as it waits to be committed."""
    from smsreceipt.sources.push.intake import Intake

    original = Intake.submit

    def hasty(intake: Intake, make: Any, size: int, deadline: float, answer: Callable[[bool], None]) -> None:
        original(intake, make, size, deadline, lambda _kept: None)
        answer(True)

    patch.object(Intake, "submit", hasty).start()


def guess() -> None:
    """The rows of an answer are taken for the sends in the order in which they come."""
    from smsreceipt.reconcile import ask as inquiry

    patch.object(inquiry, "ties", lambda rows, sends: {n: n for n in range(min(len(rows), len(sends)))}).start()


def mark_first() -> None:
    """That a send was asked about is noted before what was answered is stored."""
    from smsreceipt.reconcile import run

    def take(decoded: Sequence[Decoded], store: Store, *, asked: Collection[Any] = ()) -> Kept:
        ingest.take([], store, asked=asked)
        time.sleep(0.05)
        return ingest.take(decoded, store)

    patch.object(run, "take", take).start()


def no_marks() -> None:
    """Nobody notes what was asked."""
    from smsreceipt.reconcile import run

    def take(decoded: Sequence[Decoded], store: Store, **_asked: object) -> Kept:
        return ingest.take(decoded, store)

    patch.object(run, "take", take).start()


def no_midnight() -> None:
    """A send is looked for on its own day only."""
    from smsreceipt.reconcile import calendar

    patch.object(calendar, "neighbour", lambda _send: None).start()


def place_first() -> None:
    """How far a file is read is noted before what was read is stored."""
    original = engine.SqliteStore.keep

    def keep(store: engine.SqliteStore, decoded: Any, **more: Any) -> Kept:
        with store._transaction():
            replays.note(store._db, decoded)
        return original(store, decoded, **more)

    engine.SqliteStore.keep = keep  # type: ignore[method-assign, assignment]


def no_place() -> None:
    """Nobody notes how far a file is read."""
    patch.object(replays, "note", lambda *_: None).start()


def hasty(factor: float = 1.0) -> None:
    """No bug: an answer that never comes is waited for a second, so that a harness comes to its end.

    When each call was let go is written into the file that TORTURE_PACE names.
    """
    from smsreceipt.aliyun import blocking
    from smsreceipt.sources.query.rate import Rate

    patch.object(blocking, "READ", 1.0).start()
    original, made, let_go, here = Rate.acquire, Rate.__init__, list[float](), threading.local()

    def acquire(rate: Rate) -> None:
        here.asks = True
        try:
            original(rate)
        finally:
            here.asks = False

    def init(rate: Rate, qps: float, **more: Any) -> None:
        def clock() -> float:
            now = time.monotonic()
            if getattr(here, "asks", False) and rate._due - rate._leeway <= now:
                let_go.append(now)
            return now

        made(rate, qps * factor, **more)
        rate._clock = clock

    patch.object(Rate, "acquire", acquire).start()
    patch.object(Rate, "__init__", init).start()
    atexit.register(lambda: Path(os.environ["TORTURE_PACE"]).write_text("\n".join(map(repr, let_go))))


def rush() -> None:
    """Calls go a little faster than they were told to."""
    hasty(1.05)


def eager() -> None:
    """No bug: `forward` tries again at once, so that a harness comes to its end."""
    from smsreceipt.forward import forwarder

    forwarder.FIRST_PAUSE, forwarder.LONGEST_PAUSE, forwarder.POLL = 0.02, 0.1, 0.02


def cursor_first() -> None:
    """The cursor moves before the receiver has confirmed."""
    from smsreceipt.forward.batch import Batch, Refused
    from smsreceipt.forward.forwarder import Forwarder

    eager()
    original = Forwarder._offer

    def offer(forwarder: Forwarder, batch: Batch) -> Refused | None:
        forwarder._cursor.move(batch.last)
        return original(forwarder, batch)

    patch.object(Forwarder, "_offer", offer).start()


def skip_refused() -> None:
    """A batch that is refused is left out."""
    from smsreceipt.forward.forwarder import Forwarder

    eager()
    original = Forwarder._offer
    patch.object(Forwarder, "_offer", lambda forwarder, batch: original(forwarder, batch) and None).start()


def half_removal() -> None:
    """Half of what is to be deleted goes, and the rest with the next transaction."""
    from smsreceipt.store.postgres import removal as on_server

    rest: list[int] = []

    def halved(seqs: Sequence[int]) -> list[int]:
        now = [*rest, *sorted(seqs)[::2]]
        rest[:] = sorted(seqs)[1::2]
        return now

    of_file, of_server = removal._delete_statements, on_server._delete_statements
    removal._delete_statements = lambda db, listed: of_file(db, removal._listed(halved(json.loads(listed))))
    on_server._delete_statements = lambda db, seqs: of_server(db, halved(seqs))


def one_removal() -> None:
    """Everything goes in one transaction, and whoever writes waits for it."""
    patch.object(removing.Remover, "pieces", lambda _, wholes: iter([[*wholes]])).start()
    prune._PAGE = 10**9


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
    "guess": guess,
    "mark-first": mark_first,
    "no-marks": no_marks,
    "no-midnight": no_midnight,
    "place-first": place_first,
    "no-place": no_place,
    "hasty": hasty,
    "rush": rush,
    "ok-before-commit": ok_before_commit,
    "eager": eager,
    "cursor-first": cursor_first,
    "skip-refused": skip_refused,
    "half-removal": half_removal,
    "one-removal": one_removal,
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
