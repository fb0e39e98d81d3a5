"""Finds everything about a message or a call by any number or id of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from smsreceipt.app import App
from smsreceipt.language import N_, _
from smsreceipt.model import StoredReceipt, normalise_phone
from smsreceipt.output import terminal
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.objects.sends import SENDS
from smsreceipt.output.printer import Both, print_both
from smsreceipt.runs.masked import refuse_masked
from smsreceipt.store import Query, SendQuery, Store, StoredSend

_NOTHING = N_(
    "nothing is known about that number or id; ask the provider about a number:"
    " smsreceipt query-details --date DAY --phone NUMBER"
)


@dataclass(frozen=True, slots=True)
class Found:
    """Everything about some numbers or ids."""

    statements: list[StoredReceipt]
    current: frozenset[int | None]  #: the seqs of those that are the state of their identity
    sends: list[StoredSend] = field(default_factory=list)

    @property
    def in_time_order(self) -> list[StoredReceipt]:
        """The statements in the order of their times."""
        return sorted(self.statements, key=_reported)


def run(app: App, words: Sequence[str]) -> None:
    """Print every send and statement with one of these numbers or ids, and their calls whole, in time order.

    Exit code 3 where nothing is found. Raises UsageError where that is because a number is masked.
    """
    with app.open_store(readonly=True) as store:
        found = find(store, words)
    if not found.statements and not found.sends:
        refuse_masked(words)  # only now: an OutId may look like one
        app.needs_a_look(_(_NOTHING))
        return
    if print_both(
        app,
        RECEIPTS,
        SENDS,
        _in_time_order(found),
        lambda display: terminal.timeline.timeline(found.statements, found.current, display, found.sends),
    ):
        app.say(_("the columns of csv are those of receipts: for what was sent, smsreceipt sends list"))


def _in_time_order(found: Found) -> Iterator[Both[StoredReceipt, StoredSend]]:
    """Sends and statements in the order of their times."""
    rest = found.in_time_order
    for stored in sorted(found.sends, key=lambda stored: stored.send.sent_from):
        before = [receipt for receipt in rest if _reported(receipt) < (stored.send.sent_from, 0)]
        rest = rest[len(before) :]
        yield before, [stored]
    yield rest, []


def _phones(words: Iterable[str]) -> list[str]:
    return [normalise_phone(word) for word in words]


def find(store: Store, words: Sequence[str]) -> Found:
    """Every send and statement with one of the words, and all statements of their calls."""
    queries = [
        Query(phones=_phones(words)),
        Query(ids=words),
        Query(biz_ids=words),
        Query(out_ids=words),
        Query(call_ids=words),
    ]
    sends = _ledger(store, words)
    if of_sends := {stored.send.biz_id for stored in sends} - set(words):
        queries.append(Query(biz_ids=of_sends, phones={stored.send.phone for stored in sends}))
    direct = _collect(store, queries)
    found = _with_calls(store, direct, words)
    return replace(found, sends=_with_sends_of(store, sends, direct.statements))


def _ledger(store: Store, words: Sequence[str]) -> list[StoredSend]:
    """The sends whose phone, BizId or OutId is one of the words."""
    found: dict[tuple[str, str], StoredSend] = {}
    for query in (SendQuery(phones=_phones(words)), SendQuery(biz_ids=words), SendQuery(out_ids=words)):
        found |= {(stored.send.biz_id, stored.send.phone): stored for stored in store.sends(query)}
    return list(found.values())


def _with_sends_of(store: Store, sends: list[StoredSend], statements: list[StoredReceipt]) -> list[StoredSend]:
    """These sends, and those of the statements that the words do not find in the ledger."""
    known = {(stored.send.biz_id, stored.send.phone) for stored in sends}
    reported = {(each.receipt.biz_id, each.receipt.phone) for each in statements}
    others = {(biz_id, phone) for biz_id, phone in reported - known if biz_id and phone}
    if not others:
        return sends
    query = SendQuery(biz_ids={biz_id for biz_id, _ in others}, phones={phone for _, phone in others})
    return sends + [stored for stored in store.sends(query) if (stored.send.biz_id, stored.send.phone) in others]


def _with_calls(store: Store, direct: Found, words: Sequence[str]) -> Found:
    calls = {call_id for each in direct.statements if (call_id := each.receipt.call_id)}
    if not calls - set(words):
        return direct
    related = _collect(store, [Query(call_ids=calls)])
    known = {receipt.seq for receipt in direct.statements}
    return Found(
        direct.statements + [receipt for receipt in related.statements if receipt.seq not in known],
        direct.current | related.current,
    )


def _collect(store: Store, queries: Iterable[Query]) -> Found:
    statements: dict[int | None, StoredReceipt] = {}
    current: set[int | None] = set()
    for query in queries:
        statements |= {receipt.seq: receipt for receipt in store.list(replace(query, history=True))}
        current |= {receipt.seq for receipt in store.list(query)}
    return Found(list(statements.values()), frozenset(current))


def _reported(stored: StoredReceipt) -> tuple[int, int]:
    """The sort key of time order: when it was reported, else sent, else received; then seq."""
    times = (stored.receipt.reported_at, stored.receipt.sent_at, stored.received_at)
    return next(at for at in times if at is not None), stored.seq or 0
