"""Explains a code from every table that has it."""

from __future__ import annotations

import shlex

from smsreceipt import codes
from smsreceipt.app import App
from smsreceipt.language import _
from smsreceipt.output import terminal
from smsreceipt.output.objects.codes import EXPLANATIONS
from smsreceipt.output.printer import print_rows


def run(app: App, code: str) -> None:
    """Print an object for each table that has *code*."""
    found = codes.explain(code)
    if found:
        print_rows(app, EXPLANATIONS, found, lambda display: terminal.codes.explanations(found, display))
    else:
        if near := codes.near(code):
            app.say(_("no table knows the code {code}; did you mean {near}?", code=code, near=near))
        else:
            command = f"smsreceipt list --code {shlex.quote(code)}"
            app.say(
                _("no table knows the code {code}; receipts with it, if any: {command}", code=code, command=command)
            )
