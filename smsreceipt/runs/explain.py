"""What a code means, in every table that knows it."""

from __future__ import annotations

from smsreceipt import codes
from smsreceipt.app import App
from smsreceipt.output.look import Look
from smsreceipt.output.objects.codes import EXPLANATIONS
from smsreceipt.output.printer import print_rows


def run(app: App, code: str) -> None:
    """Print an object for each table that knows *code*."""
    found = codes.explain(code)

    def draw(look: Look) -> str:
        from smsreceipt.output.terminal.codes import explanations

        return explanations(found, look)

    if found:
        print_rows(app, EXPLANATIONS, found, draw)
    else:
        app.say(f"no table knows the code {code}")
