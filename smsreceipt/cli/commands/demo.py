"""`smsreceipt demo`: every command in turn, against a sandbox on loopback."""

from __future__ import annotations

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command


@cli_command("demo")
def command(app: App) -> None:
    """Show the whole story on loopback, without an account.

    Sends a few hundred SMS through SendSms with the official SDK to a sandbox, receives their receipts by push and
    from the queues, replays a saved payload, and asks the sandbox about those that never came. Nothing leaves this
    machine; it takes about half a minute. Every command it runs is printed, to be repeated by hand.

    \b
      smsreceipt demo
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.demo import steps

    steps.run(app)
