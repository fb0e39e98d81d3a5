"""`smsreceipt explain`: what a code means, in every table that knows it."""

from __future__ import annotations

from dataclasses import asdict

import click

from smsreceipt.cli.app import App
from smsreceipt.cli.options import command as make
from smsreceipt.cli.printing import print_objects


@make("explain", data=True)
@click.argument("code", metavar="CODE")
def command(app: App, code: str) -> None:
    """Explain a receipt code: what it means, what to do.

    CODE is what a receipt names (MOBILE_IN_BLACK, DELIVRD), the release cause of a call (16), or an error of the
    provider's API (isv.BUSINESS_LIMIT_CONTROL).
    """
    from smsreceipt import codes

    found = codes.explain(code)

    def draw() -> str:
        from smsreceipt import view

        return view.explanations(found, app.look())

    if found:
        print_objects(app, [asdict(one) for one in found], draw)
    else:
        app.say(f"no table knows the code {code}")
