"""What lists say that have no row: the next step."""

from __future__ import annotations

from smsreceipt.app import App


def say_nothing_found(app: App, what: str, *, empty: bool, get: str, see: str) -> None:
    """Say that there are none of *what*, and the next step.

    *empty*: the store has none at all, and *get* tells how to get some; otherwise *see* is the command that tells what
    the store has.
    """
    if empty:
        app.say(f"no {what} in {app.store_location} yet: {get}")
    else:
        app.say(f"no {what} found; what the store has: {see}")
