"""Attributes the rows of a provider's answer to sends.

A row has no BizId and no other unique key. It has the second of the send, and the OutId where the send had one. The
result depends only on the sets of rows and sends, not on their order. A row with two equally good candidates is
attributed to neither; a query that filters by BizId resolves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from smsreceipt.model import Instant, Kind, beijing_day

SMS_REPORT = Kind("SmsReport")  #: a receipt of one send; its identity is [biz_id, phone]
SEND_DETAIL = Kind("SendDetail")  #: a row without a send; its identity is [phone, SendDate, TemplateCode, OutId]

TOLERANCE_MS = 60_000  #: the largest difference between the sender's time of a send and the provider's


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
