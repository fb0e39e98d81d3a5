"""Writers that meet on the same identities, and followers beside them, against the truth worked out anew."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack, closing
from typing import Any, Protocol
from unittest.mock import patch

import psycopg

from smsreceipt.model import Decoded
from smsreceipt.store import Query
from smsreceipt.store.postgres import keep, writer
from smsreceipt.store.postgres.identities import Identities
from tests.store.statements import pool
from tests.torture.postgres_server import Figures, Server, Writers, fresh_batches, judged, opened, show

_POOL = pool(3_000)  # some 950 distinct statements


class Follower:
    """Reads again and again what comes after the last seq that it has seen."""

    def __init__(self, url: str, *, naive: bool) -> None:
        """*naive*: it asks the table for larger seqs, and for nothing else."""
        self.seen: list[int] = []
        self.faults: list[str] = []
        self._url, self._naive = url, naive
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Have it read once more, and end."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with closing(psycopg.connect(self._url, autocommit=True)) as db, closing(opened(self._url)) as store:
                over = False
                while not over:
                    over = self._over.is_set()
                    last = self.seen[-1] if self.seen else 0
                    if self._naive:
                        query = "SELECT seq FROM smsreceipt.statement WHERE seq > %s ORDER BY seq"
                        self.seen += [seq for (seq,) in db.execute(query, (last,))]
                    else:
                        self.seen += [each.seq or 0 for each in store.list(Query(history=True, after=last))]
                    time.sleep(0.001)
        except Exception as exc:  # noqa: BLE001 - shown by the harness
            self.faults.append(f"follower: {exc}")


class Stores(Protocol):
    """What gives empty stores: a server of its own, or a cluster that is there."""

    def store(self) -> str:
        """The URL of an empty store."""


def hot(server: Stores, seconds: float, *, bug: str = "", writers: int = 4) -> Figures:
    """Keep deliveries about the same thousand statements, in batches of very different sizes, for so long."""
    url = server.store()

    def batches(_n: int, dice: random.Random) -> list[Decoded]:
        return [dice.choice(_POOL) for _ in range(dice.choice((1, 2, 20, 200)))]

    with ExitStack() as stack:
        if bug == "no decision":
            stack.enter_context(patch.object(Identities, "decide", lambda *_, **__: None))
        if bug == "any order":  # rows are locked in any order, and a deadlock is no reason to try again
            dice = random.Random(1)

            def shuffled(values: Any, **_key: Any) -> list[Any]:
                return dice.sample(list(values), len(values))

            stack.enter_context(patch.object(keep, "sorted", shuffled, create=True))
            stack.enter_context(patch.object(writer, "may_be_repeated", lambda _: False))
        with Writers(url, writers, batches) as running:
            began = time.monotonic()
            while time.monotonic() - began < seconds and not running.ended:
                time.sleep(0.05)
        return judged(url, running)


def followed(server: Stores, seconds: float) -> tuple[Figures, int]:
    """Follow writers of new receipts for so long; the followers' losses, and those of a naive one."""
    url = server.store()
    followers = [Follower(url, naive=naive) for naive in (False, False, True)]
    with Writers(url, 4, fresh_batches(most=60)) as running:
        time.sleep(seconds)
    for each in followers:
        each.end()
    figures = judged(url, running)
    with closing(opened(url, readonly=True)) as store:
        all_ = {each.seq for each in store.list(Query(history=True))}
    *sound, naive = followers
    for each in sound:
        figures.faults += each.faults
        figures.lost += len(all_ - set(each.seen))
        figures.twice += len(each.seen) - len(set(each.seen))
        if each.seen != sorted(each.seen):
            figures.faults.append("a follower was shown a seq after a larger one")
    return figures, len(all_ - set(naive.seen))


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    with Server() as server:
        undecided, unordered = hot(server, 2, bug="no decision"), hot(server, 20, bug="any order")
        figures = hot(server, 60 if full else 8)
        planted = [
            ("no decision", any("states" in fault for fault in undecided.faults), undecided),
            ("any order", any("Locked" in fault for fault in unordered.faults), unordered),
        ]
        good = show("hot identities", planted, figures, figures.good)
        figures, naive = followed(server, 60 if full else 8)
        return show("followers", [("a naive one", naive > 0, f"it lost {naive}")], figures, figures.good) and good
