"""What a store must hold, worked out from all that was ever given to it: slow, plain, and without a line of SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from smsreceipt.model import (
    Claim,
    Decoded,
    Delivery,
    Instant,
    Kind,
    Outcome,
    Receipt,
    Source,
    StoredReceipt,
    Tally,
    contradictory,
    said_in,
)
from smsreceipt.store import KindFacts, Query

Identity = tuple[Kind, tuple[str, ...]]
Key = tuple[Kind, tuple[str, ...], Outcome | None, str, Instant | None, str]


def key_of(receipt: Receipt) -> Key:
    return (receipt.kind, receipt.identity, receipt.outcome, receipt.code, receipt.reported_at, receipt.detail)


@dataclass
class Statement:
    """One statement, and everything that ever said it."""

    delivery: Delivery  #: the first
    seen: list[tuple[Receipt, Delivery]] = field(default_factory=list)

    @property
    def shown(self) -> Receipt:
        """Of the bodies: a native one, then that which says most, then that of the smallest digest."""
        native = {
            receipt.digest
            for receipt, delivery in self.seen
            if delivery.source is not Source.QUERY and not delivery.biz_id
        }
        return min(
            (receipt for receipt, _ in self.seen),
            key=lambda each: (each.digest not in native, -said_in(each.body), each.digest),
        )

    @property
    def claim(self) -> Claim:
        receipt = self.seen[0][0]
        signed = any(delivery.source.signed for _, delivery in self.seen)
        return Claim(receipt.outcome, receipt.code, signed, receipt.reported_at, receipt.detail, receipt.leg)

    def stored(self, seq: int | None) -> StoredReceipt:
        first = StoredReceipt.of(self.shown, self.delivery, seq)
        return structs.replace(first, times_seen=len(self.seen), signed=self.claim.signed)


FIELDS = StoredReceipt.__struct_fields__


class Expected:
    """The log, by plain means."""

    def __init__(self) -> None:
        self.statements: dict[Key, Statement] = {}
        self.rejects: Counter[tuple[Kind | None, bytes]] = Counter()

    def keep(self, batch: Iterable[Decoded]) -> Tally:
        received = new = rejected = fresh = 0
        for item in batch:
            for receipt in item.receipts:
                received += 1
                new += key_of(receipt) not in self.statements
                statement = self.statements.setdefault(key_of(receipt), Statement(item.delivery))
                statement.seen.append((receipt, item.delivery))
            for kind, reject in item.rejects:
                rejected += 1
                fresh += not self.rejects[kind, reject.body]
                self.rejects[kind, reject.body] += 1
        return Tally(received + rejected, new, received - new, rejected, fresh)

    def identities(self) -> dict[Identity, list[Statement]]:
        found: dict[Identity, list[Statement]] = {}
        for (kind, identity, *_), statement in self.statements.items():
            found.setdefault((kind, identity), []).append(statement)
        return found

    def history(self) -> list[Statement]:
        return list(self.statements.values())

    def current(self) -> list[Statement]:
        wins = {id(max(said, key=lambda each: each.claim.rank())) for said in self.identities().values()}
        return [each for each in self.history() if id(each) in wins]

    def conflicts(self) -> list[Statement]:
        contested = {
            id(each)
            for said in self.identities().values()
            for legs in [contradictory((each.claim.outcome, each.claim.leg) for each in said)]
            for each in said
            if each.claim.settled and each.claim.leg in legs
        }
        return [each for each in self.history() if id(each) in contested]

    def kinds(self) -> tuple[KindFacts, ...]:
        found = []
        for kind in sorted({key[0] for key in self.statements}):
            states = [each for each in self.current() if each.shown.kind == kind]
            said = [statement for key, statement in self.statements.items() if key[0] == kind]
            times = [delivery.received_at for statement in said for _, delivery in statement.seen]
            tests = sum(state.shown.test for state in states)
            found.append(KindFacts(kind, len(states) - tests, len(said), tests, min(times), max(times)))
        return tuple(found)


Plain = tuple[object, ...]
#: What the way and the order in which statements arrived may change, and nothing else.
_BY_ARRIVAL = ("seq", "received_at", "source", "origin", "times_seen")


def timeless(receipts: Iterable[StoredReceipt]) -> list[Plain]:
    """Receipts as they must be whatever the order of arrival was."""
    kept = [name for name in FIELDS if name not in _BY_ARRIVAL]
    return sorted((tuple(getattr(each, name) for name in kept) for each in receipts), key=repr)


def numberless(receipts: Iterable[StoredReceipt]) -> list[Plain]:
    return sorted((tuple(getattr(each, name) for name in FIELDS if name != "seq") for each in receipts), key=repr)


def when(receipt: StoredReceipt) -> int:
    moments = (receipt.receipt.sent_at, receipt.receipt.reported_at, receipt.received_at)
    return next(moment for moment in moments if moment is not None)


def filtered(receipts: Sequence[StoredReceipt], query: Query) -> list[StoredReceipt]:
    """Those of *receipts* that *query* asks for, if history and conflicts are left aside."""
    found = [
        each
        for each in receipts
        if (not query.phones or {each.receipt.phone, *each.receipt.numbers.split()} & set(query.phones))
        and all(
            not wanted or value in wanted
            for wanted, value in (
                (query.kinds, each.receipt.kind),
                (query.biz_ids, each.receipt.biz_id),
                (query.out_ids, each.receipt.out_id),
                (query.call_ids, each.receipt.call_id),
                (query.outcomes, each.receipt.outcome),
                (query.codes, each.receipt.code),
                (query.sources, each.source),
            )
        )
        and (query.since is None or when(each) >= query.since)
        and (query.until is None or when(each) < query.until)
        and (each.seq or 0) > query.after
    ]
    if query.limit is None:
        return found
    return found[-query.limit :] if query.newest else found[: query.limit]
