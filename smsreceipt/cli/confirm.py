"""Asks the user before something is deleted."""

from __future__ import annotations

from typing import Literal

import click

from smsreceipt.app import App
from smsreceipt.errors import UsageError
from smsreceipt.language import N_, _

_NOBODY = {
    "delete": N_("nobody is there to be asked whether to delete"),
    "drop": N_("nobody is there to be asked whether to drop"),
    "forget": N_("nobody is there to be asked whether to forget"),
}


def confirm(app: App, question: str, *, to: Literal["delete", "drop", "forget"]) -> None:
    """Ask the user; abort the command unless the answer is yes. Raises UsageError if there is no terminal to ask on."""
    if not app.stdin_is_tty:
        raise UsageError(_(_NOBODY[to]), hint=_("Say --yes."))
    app.flush()  # what was printed tells what the question is about
    click.confirm(question, abort=True, err=True)
