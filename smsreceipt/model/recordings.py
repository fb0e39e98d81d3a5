"""Recordings of calls: what is known of one, and how far it is from being fetched."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from smsreceipt.model.times import DAY_MS, Instant

KEPT = 30 * DAY_MS  #: milliseconds after a call for which the provider keeps its recording
LINKED = 7 * DAY_MS  #: milliseconds for which a link in a report is good, unless it says until when


class RecordingState(StrEnum):
    """How far a recording is from being a file of the user."""

    OPEN = "open"  #: not fetched, and the provider still has it
    FETCHED = "fetched"  #: it is a file now
    WAITING = "waiting"  #: the provider has no file yet; the call is less than a day old
    ABSENT = "absent"  #: the provider says that there is no such recording
    EXPIRED = "expired"  #: the provider keeps it no longer, or its only link has expired
    REFUSED = "refused"  #: its link leads to a host that is not the provider's
    BUSY = "busy"  #: another process is fetching it
    FAILED = "failed"  #: it could not be fetched now; the next run tries again


class Recording(msgspec.Struct, frozen=True):
    """A recording that the receipts of a call announce."""

    pool_key: str
    call_id: str
    ring: bool  #: of the tone before the call was answered, not of the call
    called_at: Instant
    timed: bool  #: called_at is the time of the call by its receipts, which the provider wants to be told
    link: str = ""  #: from the newest report of the call; "" where none has one
    linked_at: Instant = Instant(0)  #: when that report was received

    @property
    def about(self) -> str:
        """What was recorded, in one word."""
        return "ring" if self.ring else "call"

    @property
    def can_be_asked_for(self) -> bool:
        """Whether the provider gives a new link to it: it does so for calls of a pool whose time is known."""
        return not self.ring and self.timed and bool(self.pool_key and self.call_id)

    def expires_at(self, link_good_until: Instant | None) -> Instant:
        """Until when it can be fetched. *link_good_until*: what its link says."""
        link = (link_good_until or Instant(self.linked_at + LINKED)) if self.link else Instant(0)
        return max(link, Instant(self.called_at + KEPT)) if self.can_be_asked_for else link
