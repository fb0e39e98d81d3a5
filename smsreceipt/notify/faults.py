"""Why a robot was not told, without its address and without anything that it answered."""

from __future__ import annotations

from smsreceipt.errors import ProviderError
from smsreceipt.language import N_


class NotTold(ProviderError):
    """A robot did not confirm a message; it may have arrived all the same.

    *again*: another try may help. *pause*: seconds for which the robot wants no further message.
    """

    hint = N_("Receipts are not affected. Check the robot: smsreceipt watch --test")

    def __init__(self, message: str, *, again: bool = False, pause: float = 0.0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.again, self.pause = again, pause
