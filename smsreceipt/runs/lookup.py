"""Everything known about a message or a call, by any number or id that it carries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from smsreceipt.app import App
from smsreceipt.model import DAY_MS, StoredReceipt, normalise_phone
from smsreceipt.output.look import Look
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.objects.sends import SENDS
from smsreceipt.output.printer import Both, print_both
from smsreceipt.store import Query, SendQuery, Store, StoredSend


@dataclass(frozen=True, slots=True)
class _Found:
    statements: list[StoredReceipt]
    current: frozenset[int | None]  #: the seqs of those that are the state of their identity
    sends: list[StoredSend] = field(default_factory=list)  #: what the ledger holds of them


def run(app: App, words: Sequence[str]) -> None:
    """Print every send and statement that carries one of *words*, and the calls that these belong to, in time order."""
    with app.open_store(readonly=True) as store:
        found = _find(store, words)
    if not found.statements and not found.sends:
        app.say("nothing is known about that number or id")
        return

    def draw(look: Look) -> str:
        from smsreceipt.output.terminal.story import story

        return story(found.statements, found.current, look, found.sends)

    if print_both(app, RECEIPTS, SENDS, _in_time_order(found), draw):
        app.say("the columns of csv are those of receipts: for what was sent, smsreceipt sends list")


def _in_time_order(found: _Found) -> Iterator[Both[StoredReceipt, StoredSend]]:
    """Sends and statements as they followed each other."""
    rest = sorted(found.statements, key=_when)
    for stored in sorted(found.sends, key=_sent):
        before = [receipt for receipt in rest if _when(receipt) < (_sent(stored), 0)]
        rest = rest[len(before) :]
        yield before, [stored]
    yield rest, []


def _phones(words: Iterable[str]) -> list[str]:
    return [normalise_phone(word) for word in words]


def _find(store: Store, words: Sequence[str]) -> _Found:
    """Every send and statement that carries one of the words, and all of the calls that these belong to."""
    queries = [Query(phones=_phones(words)), Query(biz_ids=words), Query(out_ids=words), Query(call_ids=words)]
    sends = _ledger(store, words)
    if of_sends := {stored.send.biz_id for stored in sends} - set(words):
        queries.append(Query(biz_ids=of_sends, phones={stored.send.phone for stored in sends}))
    direct = _collect(store, queries)
    found = _with_calls(store, direct, words)
    return replace(found, sends=_with_sends_of(store, sends, direct.statements))


def _ledger(store: Store, words: Sequence[str]) -> list[StoredSend]:
    """What was sent to, under, or for one of the words."""
    found: dict[tuple[str, str], StoredSend] = {}
    for query in (SendQuery(phones=_phones(words)), SendQuery(biz_ids=words), SendQuery(out_ids=words)):
        found |= {(stored.send.biz_id, stored.send.phone): stored for stored in store.sends(query)}
    return list(found.values())


def _with_sends_of(store: Store, sends: list[StoredSend], statements: list[StoredReceipt]) -> list[StoredSend]:
    """These sends, and those that statements are about though the ledger knows them by no such word."""
    known = {(stored.send.biz_id, stored.send.phone) for stored in sends}
    reported = {(each.receipt.biz_id, each.receipt.phone) for each in statements}
    told = {(biz_id, phone) for biz_id, phone in reported - known if biz_id and phone}
    if not told:
        return sends
    query = SendQuery(biz_ids={biz_id for biz_id, _ in told}, phones={phone for _, phone in told})
    return sends + [stored for stored in store.sends(query) if (stored.send.biz_id, stored.send.phone) in told]


def _with_calls(store: Store, direct: _Found, words: Sequence[str]) -> _Found:
    calls = {call_id for each in direct.statements if (call_id := each.receipt.call_id)}
    if not calls - set(words):
        return direct
    related = _collect(store, [Query(call_ids=calls)])
    known = {receipt.seq for receipt in direct.statements}
    return _Found(
        direct.statements + [receipt for receipt in related.statements if receipt.seq not in known],
        direct.current | related.current,
    )


def _collect(store: Store, queries: Iterable[Query]) -> _Found:
    statements: dict[int | None, StoredReceipt] = {}
    current: set[int | None] = set()
    for query in queries:
        statements |= {receipt.seq: receipt for receipt in store.list(replace(query, history=True))}
        current |= {receipt.seq for receipt in store.list(query)}
    return _Found(list(statements.values()), frozenset(current))


def _sent(stored: StoredSend) -> int:
    """When it was sent; where only the day is known, when that began in Beijing."""
    send = stored.send
    return send.day * DAY_MS - 8 * 3_600_000 if send.sent_at is None else send.sent_at


def _when(stored: StoredReceipt) -> tuple[int, int]:
    """Time order: when it was reported, else sent, else received."""
    times = (stored.receipt.reported_at, stored.receipt.sent_at, stored.received_at)
    return next(at for at in times if at is not None), stored.seq or 0
