"""What a run says where the key of forgotten numbers is not on its machine."""

from __future__ import annotations

from smsreceipt.app import App
from smsreceipt.language import _


def say_unguarded(app: App) -> None:
    """Say that what is about forgotten numbers cannot be told apart, and let the run end with 3."""
    app.needs_a_look(
        _(
            "numbers were forgotten in this store, and their key is not on this machine: what is about them may be"
            " stored again; copy the file that smsreceipt forget --log names"
        )
    )
