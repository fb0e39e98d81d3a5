"""Consumer leases: which consumer receives from which queue, on whatever machine. All times in them are the server's.

A consumer says at intervals that it is there. One that has not for a while, or whose process is known to be gone, was
not shut down cleanly. A lease with hidden_until was released, and stays until the messages that it left invisible are
visible again.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Collection
from pathlib import Path

import psycopg

from smsreceipt.errors import SmsReceiptError
from smsreceipt.model import Instant
from smsreceipt.store import process
from smsreceipt.store.postgres.session import Connections, Db, Reader
from smsreceipt.store.values import NO_TIME, ConsumerLease

BEAT = 20.0  #: seconds between two heartbeats
_SILENT = 90_000  # milliseconds without a heartbeat after which a consumer is taken for gone
_HIDDEN = 12 * 3_600_000  # milliseconds for which a queue hides a message at most


def acquire(db: Db, queue: str) -> ConsumerLease:
    """Note that this process receives from *queue*."""
    db.execute(
        "DELETE FROM smsreceipt.lease WHERE hidden_until <> 0"
        " AND hidden_until - smsreceipt.now_ms() NOT BETWEEN 1 AND %s",
        (_HIDDEN,),
    )
    earlier = _abandoned(db, queue)
    hidden = max((left for _, left in earlier if left is not None), default=0)
    hidden_until = Instant(_now() + hidden) if hidden > 0 else NO_TIME
    row = db.execute(
        "INSERT INTO smsreceipt.lease (queue, process, seen_at, hidden_until)"
        " VALUES (%s, %s, smsreceipt.now_ms(), 0) RETURNING id",
        (queue, _this_process()),
    ).fetchone()
    assert row is not None  # noqa: S101 - it has just been inserted
    return ConsumerLease(row[0], any(left is None for _, left in earlier), hidden_until)


def release(db: Db, lease: ConsumerLease, *, settled: bool, hidden_until: Instant) -> None:
    """Delete the note, or keep it until *hidden_until*; if *settled*, delete those of earlier consumers too."""
    row = db.execute("SELECT queue FROM smsreceipt.lease WHERE id = %s", (lease.number,)).fetchone()
    over = [number for number, _ in _abandoned(db, row[0])] if settled and row else []
    if hidden_until:
        left = max(1, min(hidden_until - _now(), _HIDDEN))
        db.execute(
            "UPDATE smsreceipt.lease SET seen_at = 0, hidden_until = smsreceipt.now_ms() + %s WHERE id = %s",
            (left, lease.number),
        )
    else:
        over.append(lease.number)
    db.execute("DELETE FROM smsreceipt.lease WHERE id = ANY(%s)", (over,))


def consumed(reader: Reader) -> tuple[str, ...]:
    """The queues that a consumer receives from, on whatever machine."""
    found = reader.rows(
        "SELECT queue, process FROM smsreceipt.lease"
        f" WHERE hidden_until = 0 AND abs(smsreceipt.now_ms() - seen_at) <= {_SILENT}"
    )
    return tuple(sorted({queue for queue, name in found if not _is_gone(name)}))


def _now() -> int:
    """This machine's clock, by which messages are invisible until a time."""
    return time.time_ns() // 1_000_000


def _abandoned(db: Db, queue: str) -> list[tuple[int, int | None]]:
    """The leases whose consumer is gone: number, and for how many milliseconds messages are invisible; None: unclean.

    A heartbeat from the future is one from before the server's clock was put back.
    """
    found = db.execute(
        "SELECT id, process, CASE WHEN hidden_until <> 0 THEN hidden_until - smsreceipt.now_ms() END,"
        " abs(smsreceipt.now_ms() - seen_at) FROM smsreceipt.lease WHERE queue = %s ORDER BY id FOR UPDATE",
        (queue,),
    )
    return [
        (number, left) for number, name, left, silent in found if left is not None or silent > _SILENT or _is_gone(name)
    ]


def _this_process() -> str:
    pid, born = process.current()
    return f"{_namespace()} {pid} {born}"


def _namespace() -> str:
    """Within which processes are told apart by their pids: that of a container, or a machine."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}".replace(" ", "_")
    except OSError:
        return socket.gethostname().replace(" ", "_")


def _is_gone(name: str) -> bool:
    """Whether it is known that a process has ended; of one on another machine that is not known."""
    namespace, pid, born = name.split(" ", 2)
    return namespace == _namespace() and not process.alive(int(pid), born)


class Heart:
    """Says at intervals, in a thread and on a connection of its own, that the consumers of this process are there."""

    def __init__(self, connections: Connections, *, interval: float = BEAT) -> None:
        self._connections = connections
        self._interval = interval
        self._leases: set[int] = set()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, lease: int) -> None:
        """Go on saying so for this lease."""
        self._leases.add(lease)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
            self._thread.start()

    def leave(self, lease: int) -> None:
        """Say nothing more for this lease."""
        self._leases.discard(lease)

    def close(self) -> None:
        """Stop; idempotent."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            with contextlib.suppress(psycopg.Error, SmsReceiptError):  # the next one may succeed
                self._beat(list(self._leases))

    def _beat(self, leases: Collection[int]) -> None:
        if leases:
            with contextlib.closing(self._connections.connect()) as db:
                db.execute(
                    "UPDATE smsreceipt.lease SET seen_at = smsreceipt.now_ms() WHERE id = ANY(%s)", (list(leases),)
                )
