"""What every engine does with rows of the ledger: -1 and "" stand for what is absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smsreceipt.model import SETTLED, Answer, Instant, Outcome, Send, beijing_day
from smsreceipt.store.values import SendQuery, SendState, StoredSend

#: Kinds whose identity is [biz_id, phone]: receipts of sends.
REPORTS = ("SmsReport", "DypnsSmsVerifyReport", "GlobeSmsReport")
FINAL_SQL = "('delivered', 'failed', 'expired')"  #: the outcomes after which no other is expected
RESUMED = 6 * 3_600_000  #: milliseconds; a comparison that began longer ago starts anew
COLUMNS = "biz_id, phone, day, sent_at, out_id, template_code, sign_name, parts"  #: of a Send

SendRow = tuple[str, str, int, int, str, str, str, int]  #: the values of COLUMNS

_SAME_TIME = 60_000  # two notes of one time may differ by so many milliseconds: their clocks do


def row_of(send: Send) -> SendRow:
    """A send as the values of COLUMNS."""
    sent = -1 if send.sent_at is None else send.sent_at
    parts = -1 if send.parts is None else send.parts
    return (send.biz_id, send.phone, send.day, sent, send.out_id, send.template_code, send.sign_name, parts)


def merged(known: tuple[Any, ...], more: tuple[Any, ...]) -> tuple[tuple[Any, ...], bool]:
    """The known values completed by *more*, and whether the two differ. Both are the values from day to parts.

    A known value stays: a second list of sends may be a worse one.
    """
    (day, sent, *rest), (other_day, other_sent, *others) = known, more
    differs = other_day != day or (sent >= 0 and other_sent >= 0 and abs(sent - other_sent) > _SAME_TIME)
    if sent < 0 and other_day == day:
        sent = other_sent
    completed: list[str | int] = []
    for mine, other in zip(rest, others, strict=True):
        unknown = mine in ("", -1)
        completed.append(other if unknown else mine)
        differs = differs or not (unknown or other in ("", -1, mine))
    return (day, sent, *completed), differs


def send_of(row: Sequence[Any]) -> Send:
    """The send of the values of COLUMNS."""
    biz_id, phone, day, sent, out_id, template, sign, parts = row
    at = None if sent < 0 else Instant(sent)
    return Send(phone, biz_id, day, at, out_id, template, sign, None if parts < 0 else parts)


def stored_send(row: tuple[Any, ...]) -> StoredSend:
    """The send of the values of COLUMNS, asked_at, answer, and the outcome and code of its receipt."""
    *sent, asked, answer, ended = row
    name, _, code = (ended or "").partition(" ")
    outcome = Outcome(name) if name else None
    return StoredSend(
        send_of(sent),
        outcome,
        outcome in SETTLED or answer == Answer.PRUNED,
        None if asked < 0 else Instant(asked),
        Answer(answer) if answer else None,
        code,
    )


def filters(query: SendQuery, mark: str, settled: str) -> tuple[list[str], list[Any]]:
    """The filters of *query* that every engine writes alike, in SQL, and their values.

    *mark* stands for a value; *settled* is the condition that a send has a final receipt.
    """
    terms: list[str] = []
    values: list[Any] = []
    if query.out_ids:
        terms.append("out_id <> ''")
    if query.since is not None:
        terms.append(f"day >= {mark} AND (sent_at < 0 OR sent_at >= {mark})")
        values += [beijing_day(query.since), query.since]
    if query.until is not None:
        terms.append(f"day <= {mark} AND (sent_at < 0 OR sent_at < {mark})")
        values += [beijing_day(Instant(query.until - 1)), query.until]
    if query.states:
        terms.append(f"({' OR '.join(_has_state(state, settled) for state in sorted(set(query.states)))})")
    return terms, values


def _has_state(state: SendState, settled: str) -> str:
    if state is SendState.WITH_RECEIPT:
        return settled
    answer = f"= '{state}'"
    if state is SendState.OPEN:
        answer = f"NOT IN ('{SendState.WAITING}', '{SendState.NO_RECORD}')"
    return f"(NOT {settled} AND answer {answer})"


def all_of(terms: Sequence[str]) -> str:
    """The condition that all terms hold."""
    return " AND ".join(terms) or "true"
