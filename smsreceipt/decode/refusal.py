"""The exception that carries the reason of a reject inside this package."""

from __future__ import annotations

from smsreceipt.model import Reason


class Refused(Exception):
    """These bytes hold no receipt, for a reason from the closed list. decode() turns it into a reject."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason
