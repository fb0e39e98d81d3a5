"""Asks the user before something is deleted."""

from __future__ import annotations

import click

from smsreceipt.app import App
from smsreceipt.errors import UsageError


def confirm(app: App, action: str, question: str) -> None:
    """Ask the user; abort the command unless the answer is yes. Raises UsageError if there is no terminal to ask on."""
    if not app.stdin_is_tty:
        raise UsageError(f"nobody is there to be asked whether to {action}", hint="Say --yes.")
    click.confirm(question, abort=True, err=True)
