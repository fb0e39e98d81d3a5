"""One number's sends of one day, in pages, as QuerySendDetails shows them: as they are, or as they go wrong."""

from __future__ import annotations

from collections.abc import Sequence

from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.sms.sends import Send, Sends, day_end
from smsreceipt.sandbox.wire.faults import Faults


class Pages:
    """The newest first; there is no cursor, so a send that appears moves all the others down."""

    def __init__(self, clock: Clock, faults: Faults, sends: Sends) -> None:
        self._clock = clock
        self._faults = faults
        self._sends = sends

    def page(self, phone: str, day: str, biz_id: str, number: int, size: int) -> dict[str, object]:
        """TotalCount and the rows of one page."""
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
        total = self._wrong(len(sends), start + len(shown)) if faults.hit("total") else len(sends)
        if not biz_id and len(sends) > start + size and faults.hit("shift"):
            self._appear(sends, day)
        rows = [send.detail(self._clock.now()) for send in shown]
        return {"TotalCount": str(total), "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}

    def _wrong(self, total: int, told: int) -> int:
        """A total that is not it: too many, too few, or nothing at all; but never so that the rows told bear it out.

        Nobody could see through that; what was seen of the service are totals and lists that contradict each other.
        """
        many = total + 1 + self._faults.below(60)
        guesses = [guess for guess in (many, total - 1, 0) if guess >= 0 and guess not in {total, told}]
        return guesses[self._faults.below(len(guesses))]

    def _appear(self, sends: Sequence[Send], day: str) -> None:
        """Let one more send to this number be filed, on top: somebody else's, or one that was late."""
        newest = sends[0]
        sent = max(newest.sent, min(newest.sent + 120, self._clock.now(), day_end(day) - 1))
        late = f"late-{self._faults.below(10**9):09d}"
        self._sends.again(newest, sent, late, day)
