"""Why an element is no receipt, on its way from where it was noticed to where the reject is made."""

from __future__ import annotations

from smsreceipt.model import Reason


class Refused(Exception):
    """These bytes hold no receipt, for a reason from the closed list. decode() makes a reject of it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason
