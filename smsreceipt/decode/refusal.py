"""Why an element is no receipt, on its way from where it was noticed to where the reject is made."""

from __future__ import annotations

from smsreceipt.model import Reason


class Refused(Exception):  # noqa: N818 - it never leaves the package; decode() turns it into a Reject
    """These bytes hold no receipt, for a reason from the closed list."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason
