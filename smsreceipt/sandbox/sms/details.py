"""Pages of QuerySendDetails, correct or with faults."""

from __future__ import annotations

from collections.abc import Sequence

from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.sends import Send
from smsreceipt.sandbox.sms.record import Sends, day_end
from smsreceipt.sandbox.wire.faults import Faults


class Pages:
    """The sends to one number on one day, the newest first.

    The service has no cursor: a new send moves all others down, so a row can appear on two pages.
    """

    def __init__(self, clock: Clock, faults: Faults, sends: Sends) -> None:
        self._clock = clock
        self._faults = faults
        self._sends = sends

    def page(self, phone: str, day: str, biz_id: str, number: int, size: int) -> dict[str, object]:
        """The response of one page: TotalCount and rows. *number* starts at 1; *day* is yyyyMMdd."""
        faults = self._faults
        sends = self._sends.of_day(phone, day, biz_id)
        start = (number - 1) * size
        if start and faults.hit("repeat"):
            start -= size
        shown = sends[start : start + size]
        if len(shown) > 1 and faults.hit("short"):
            shown = shown[: 1 + faults.below(len(shown) - 1)]
        if shown and faults.hit("empty"):
            shown = []
        total = self._wrong_total(len(sends), start + len(shown)) if faults.hit("total") else len(sends)
        if not biz_id and len(sends) > start + size and faults.hit("shift"):
            self._add_late(sends, day)
        rows = [send.detail(self._clock.now()) for send in shown]
        return {"TotalCount": str(total), "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}

    def _wrong_total(self, total: int, shown: int) -> int:
        """A wrong TotalCount: too large, too small, or 0, but never the number of rows *shown* up to this page.

        A client could not detect that; the real service was seen with totals and lists that contradict each other.
        """
        many = total + 1 + self._faults.below(60)
        guesses = [guess for guess in (many, total - 1, 0) if guess >= 0 and guess not in {total, shown}]
        return guesses[self._faults.below(len(guesses))]

    def _add_late(self, sends: Sequence[Send], day: str) -> None:
        """Add one more send to this number, newer than *sends*: of another program, or listed late."""
        newest = sends[0]
        sent = max(newest.sent, min(newest.sent + 120, self._clock.now(), day_end(day) - 1))
        late = f"late-{self._faults.below(10**9):09d}"
        self._sends.add_similar(newest, sent, late, day)
