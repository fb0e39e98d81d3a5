"""Attributes the rows of a provider's answer to sends.

A row has no BizId and no other unique key. It has the second of the send, and the OutId where the send had one. The
result depends only on the sets of rows and sends, not on their order. A row with two equally good candidates is
attributed to neither; a query that filters by BizId resolves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from smsreceipt.model import Instant, Kind, beijing_day

SMS_REPORT = Kind("SmsReport")  #: a receipt of one send; its identity is [biz_id, phone]
GLOBE_REPORT = Kind("GlobeSmsReport")  #: a receipt of one international message; its identity is [MessageId, phone]
SEND_DETAIL = Kind("SendDetail")  #: a row without a send; its identity is [phone, SendDate, TemplateCode, OutId]

TOLERANCE_MS = 60_000  #: the largest difference between the sender's time of a send and the provider's

_NO_DAY = -(10**6)  # the day of a send without any time: no row fits it
_Key = TypeVar("_Key", bound=Hashable)


class Row(Protocol):
    """One row of an answer about one number, for example a decoded Receipt."""

    @property
    def sent_at(self) -> Instant | None:
        """The provider's time of the send."""

    @property
    def out_id(self) -> str:
        """The sender's own id, or "". The provider returns it whenever the send had one."""


class Sent(Protocol):
    """One send to that number, for example a row of the ledger."""

    @property
    def day(self) -> int:
        """Beijing day since 1970-01-01."""

    @property
    def sent_at(self) -> Instant | None:
        """The sender's time of the send; None where only the day is known."""

    @property
    def out_id(self) -> str:
        """The sender's own id; "" where there was none or the ledger lacks it."""


def fit(row: Row, send: Sent) -> int:
    """How well a row fits a send: 0 not at all, 1 best, 5 worst.

    A row never fits a send with a different OutId, and a row without an OutId never fits a send with one. With the
    same OutId the times may differ by up to a day, because the ledger's clock or zone may be wrong; the time then
    decides between sends with the same OutId, such as those of a campaign. Without an OutId the time must fit.
    """
    same = bool(row.out_id) and row.out_id == send.out_id
    if not same and send.out_id:
        return 0
    if row.sent_at is None:
        return 3 if same else 0
    away = abs(beijing_day(row.sent_at) - send.day)
    if send.sent_at is None:
        near, level = away == 0, 1
    else:
        near, level = abs(row.sent_at - send.sent_at) <= TOLERANCE_MS, 0
    if near:
        return (1 if same else 4) + level
    return 3 if same and away <= 1 else 0


def ties(rows: Sequence[Row], sends: Sequence[Sent]) -> dict[int, int]:
    """Match one number's rows with its sends: index of the row -> index of the send.

    A row and a send match only if each is the only one that fits the other. The best fits are matched first; each
    further level is matched among the rest.
    """
    fits = _fits(rows, sends)
    tied: dict[int, int] = {}
    for level in range(1, 6):
        of_row: dict[int, list[int]] = defaultdict(list)
        of_send: dict[int, list[int]] = defaultdict(list)
        for (row, send), strength in fits.items():
            if strength <= level:
                of_row[row].append(send)
                of_send[send].append(row)
        found = {row: mine[0] for row, mine in of_row.items() if len(mine) == 1 == len(of_send[mine[0]])}
        if found:
            tied |= found
            gone = set(found.values())
            fits = {pair: strength for pair, strength in fits.items() if pair[0] not in found and pair[1] not in gone}
    return tied


def _fits(rows: Sequence[Row], sends: Sequence[Sent]) -> Mapping[tuple[int, int], int]:
    """How well each pair fits, without those that do not."""
    alike: dict[str, list[int]] = defaultdict(list)
    of_day: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, send in enumerate(sends):
        alike[send.out_id].append(index)
        of_day[send.out_id, send.day].append(index)
    found: dict[tuple[int, int], int] = {}
    for index, row in enumerate(rows):
        for place in _near(row, alike, of_day):
            if strength := fit(row, sends[place]):
                found[index, place] = strength
    return found


def _near(row: Row, alike: Mapping[str, list[int]], of_day: Mapping[tuple[str, int], list[int]]) -> Iterator[int]:
    """The sends that may fit the row; none fits that is more than a day away."""
    if row.sent_at is None:
        yield from alike.get(row.out_id, ())
        return
    day = beijing_day(row.sent_at)
    for out_id in {row.out_id, ""}:
        for near in (day - 1, day, day + 1):
            yield from of_day.get((out_id, near), ())


class Candidate(NamedTuple):
    """A send to one number, by what the ledger and its receipts tell of it."""

    biz_id: str
    day: int
    sent_at: Instant | None
    out_id: str


class Reported(NamedTuple):
    """What one SmsReport tells of its send."""

    biz_id: str
    sent_at: Instant | None
    reported_at: Instant | None
    out_id: str


def candidates(ledger: Iterable[Candidate], reports: Iterable[Reported]) -> list[Candidate]:
    """Every send to one number that the ledger or a receipt knows of, by BizId. The provider's times count first."""
    known = {send.biz_id: send for send in ledger}
    of_send: dict[str, list[Reported]] = defaultdict(list)
    for report in reports:
        of_send[report.biz_id].append(report)
    for biz_id, found in of_send.items():
        sent_at = min((report.sent_at for report in found if report.sent_at is not None), default=None)
        reported_at = min((report.reported_at for report in found if report.reported_at is not None), default=None)
        out_id = max(report.out_id for report in found)
        known[biz_id] = _completed(known.get(biz_id), Reported(biz_id, sent_at, reported_at, out_id))
    return [known[biz_id] for biz_id in sorted(known)]


def _completed(send: Candidate | None, report: Reported) -> Candidate:
    if send and report.sent_at is None:
        return send._replace(out_id=report.out_id or send.out_id)
    when = report.reported_at if report.sent_at is None else report.sent_at
    day = _NO_DAY if when is None else beijing_day(when)
    return Candidate(report.biz_id, day, report.sent_at, report.out_id or (send.out_id if send else ""))


def attributed(rows: Mapping[_Key, Row], sends: Sequence[Candidate]) -> dict[_Key, str]:
    """The BizId of each row, by any key, that can be one of these sends only."""
    tied = ties([*rows.values()], sends)
    return {key: sends[tied[index]].biz_id for index, key in enumerate(rows) if index in tied}
