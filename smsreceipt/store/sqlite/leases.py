"""Consumer leases: which process receives from which queue. They live in the table `run`.

A lease whose process is gone was not released: that consumer was not shut down cleanly. A lease with hidden_until was
released, and stays until the messages that it left invisible are visible again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import apsw

from smsreceipt.model import Instant
from smsreceipt.store import process
from smsreceipt.store.sqlite.rows import rows
from smsreceipt.store.values import NO_TIME, ConsumerLease


def acquire(db: apsw.Connection, queue: str) -> ConsumerLease:
    """Note that this process receives from *queue*."""
    now = time.time_ns() // 1_000_000
    db.execute("DELETE FROM run WHERE hidden_until BETWEEN 1 AND ?", (now,))
    earlier = _abandoned(db, queue)
    hidden_until = Instant(max((until for _, until in earlier), default=NO_TIME))
    db.execute("INSERT INTO run (queue, pid, born, hidden_until) VALUES (?, ?, ?, 0)", (queue, *process.current()))
    return ConsumerLease(db.last_insert_rowid(), any(not until for _, until in earlier), hidden_until)


def release(db: apsw.Connection, lease: ConsumerLease, *, settled: bool, hidden_until: Instant) -> None:
    """Delete the note, or keep it until *hidden_until*; if *settled*, delete those of earlier consumers too."""
    queue = next((queue for (queue,) in rows(db, "SELECT queue FROM run WHERE id = ?", (lease.number,))), "")
    over = [number for number, _ in _abandoned(db, queue)] if settled else []
    if hidden_until:
        db.execute("UPDATE run SET pid = 0, hidden_until = ? WHERE id = ?", (hidden_until, lease.number))
    else:
        over.append(lease.number)
    db.executemany("DELETE FROM run WHERE id = ?", [(number,) for number in over])


def unclean(db: apsw.Connection) -> bool:
    """Whether any consumer of this store was not shut down cleanly."""
    noted = rows(db, "SELECT pid, born FROM run WHERE hidden_until = 0")
    return any(not process.alive(pid, born) for pid, born in noted)


def consumed(db: apsw.Connection) -> tuple[str, ...]:
    """The queues that a process of this machine receives from."""
    noted = rows(db, "SELECT queue, pid, born FROM run WHERE hidden_until = 0")
    return tuple(sorted({queue for queue, pid, born in noted if process.alive(pid, born)}))


def _abandoned(db: apsw.Connection, queue: str) -> Sequence[tuple[int, int]]:
    """The leases whose process is gone: number and hidden_until, which is 0 after an unclean end."""
    noted = rows(db, "SELECT id, pid, born, hidden_until FROM run WHERE queue = ?", (queue,))
    return tuple((number, until) for number, pid, born, until in noted if not process.alive(pid, born))
