"""Whether one statement is what its body says, and whether the state of an identity is its winner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from msgspec import structs

from smsreceipt.model import Claim, Instant, Receipt, beijing_day, decide
from smsreceipt.store.checking.faults import Fault, Finding, ReadAgain

#: Fields that tell one statement from others. The BizId may come from the send that was asked about.
_KEY = ("kind", "identity", "outcome", "code", "reported_at", "detail")
_SHOWN = tuple(name for name in Receipt.__struct_fields__ if name not in {"body", "digest"})
_ADDED = ("parts", "talk_seconds", "numbers", "unread")  # of later schemas: a statement may lack them


class Stored(NamedTuple):
    """One statement as it is stored."""

    seq: int
    receipt: Receipt
    received_at: Instant
    day: int
    lacks_added: bool  #: an older version stored it: fields that were added later are not filled yet


class Member(NamedTuple):
    """One statement of an identity that has several, or whose marks are not those of a single one."""

    seq: int
    identity: tuple[str, ...]
    kind: str
    unit: Any  #: the identity as the engine keeps it
    claim: Claim
    current: bool
    conflict: bool
    test: bool


def statement_faults(stored: Stored, read_again: ReadAgain) -> Iterator[Fault]:
    """What is wrong with one statement itself, and what this version reads differently in its body."""
    receipt = stored.receipt
    day = day_of(stored)
    if day != stored.day:
        yield _fault(Finding.DAY, stored, stored.day, day)
    found = read_again(receipt.kind, receipt.body, receipt.biz_id)
    if found is not None and stored.lacks_added:
        found = structs.replace(found, **{name: getattr(receipt, name) for name in _ADDED})
    if found == receipt:
        return
    digest = sha256(receipt.body).digest()
    if digest != receipt.digest:
        sound = found is not None and found == structs.replace(receipt, digest=digest)
        finding = Finding.DIGEST if sound else Finding.BODY
        yield _fault(finding, stored, receipt.digest.hex(), digest.hex())
        return
    names = [name for name in _SHOWN if found is None or getattr(receipt, name) != getattr(found, name)]
    read = None if found is None else _fields(found, names)
    yield _fault(Finding.READS_DIFFERENTLY, stored, _fields(receipt, names), read)


def day_of(stored: Stored) -> int:
    """The Beijing day of the statement's times."""
    receipt = stored.receipt
    when = receipt.sent_at
    if when is None:
        when = receipt.reported_at
    return beijing_day(stored.received_at if when is None else when)


def body_fault(stored: Stored, body: bytes, digest: bytes, read_again: ReadAgain, unit: Any) -> Fault | None:
    """What is wrong with a further body of a statement."""
    actual = sha256(body).digest()
    receipt = stored.receipt
    found = read_again(receipt.kind, body, receipt.biz_id)
    names = [name for name in _KEY if found is None or getattr(found, name) != getattr(receipt, name)]
    if actual == digest:
        if not names:
            return None
        read = None if found is None else _fields(found, names)
        return _fault(Finding.READS_DIFFERENTLY, stored, _fields(receipt, names), read)
    finding = Finding.BODY if names else Finding.DIGEST
    return structs.replace(_fault(finding, stored, digest.hex(), actual.hex()), unit=unit)


def _fields(receipt: Receipt, names: Sequence[str]) -> dict[str, object]:
    return {name: getattr(receipt, name) for name in names}


def _fault(finding: Finding, stored: Stored, was: object, expected: object) -> Fault:
    receipt = stored.receipt
    return Fault(
        finding=finding, seq=stored.seq, kind=receipt.kind, identity=receipt.identity, stored=was, expected=expected,
        unit=stored.seq,
    )  # fmt: skip


class Judged(NamedTuple):
    """What the rule says about one identity."""

    winner: Member | None  #: None: it has no state
    wrong: tuple[tuple[Member, bool], ...]  #: statements whose mark as the state must be another, and that mark
    faults: tuple[Fault, ...]


def judge(members: Sequence[Member], *, stateless: bool) -> Judged:
    """Compare the marks of an identity's statements with the rule. *stateless*: it is attributed to a send."""
    winner, conflicting = decide({each.seq: each.claim for each in members})
    if stateless:
        winner, conflicting = 0, frozenset()
    marked = [each.seq for each in members if each.current]
    expected = [] if stateless else [winner]
    faults = []
    if marked != expected:
        faults.append(_of_identity(Finding.STATE, members, marked, expected))
    contradicting = [each.seq for each in members if each.conflict]
    if set(contradicting) != conflicting:
        faults.append(_of_identity(Finding.CONFLICT, members, contradicting, sorted(conflicting)))
    wrong = tuple((each, each.seq == winner) for each in members if each.current != (each.seq == winner))
    return Judged(next((each for each in members if each.seq == winner), None), wrong, tuple(faults))


def _of_identity(finding: Finding, members: Sequence[Member], was: list[int], expected: list[int]) -> Fault:
    first = members[0]
    one = len(was) < 2 and len(expected) < 2 and finding is Finding.STATE
    shown = [next(iter(each), None) if one else each for each in (was, expected)]
    return Fault(
        finding=finding, seq=(expected or was or [first.seq])[0], kind=first.kind, identity=first.identity,
        stored=shown[0], expected=shown[1], unit=first.unit,
    )  # fmt: skip
