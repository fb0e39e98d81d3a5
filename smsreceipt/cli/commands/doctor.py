"""`smsreceipt doctor`: what is set up wrong, and what to do about it."""

from __future__ import annotations

from typing import Any

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.queues import queue_options


@cli_command("doctor", data=True, config_faults=True)
@option("--push", metavar="URL", help="Check this callback URL as the console does.", example="https://sms.example.com")
@option("--offline", is_flag=True, help="Look at this machine only; call nobody.")
@queue_options
def command(app: App, **chosen: Any) -> None:
    """Find what is set up wrong, and say what to do about it.

    Looks at configuration, keys, clock, network, rights, queues, store and disk, side by side. Nothing is written, and
    no message is received or deleted: queues are peeked at. --push takes the callback URL of the console, or only its
    host: the secret is then read from the secret file.

    \b
      smsreceipt doctor
      smsreceipt doctor --push https://sms.example.com --json | jq 'select(.state != "ok")'
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.cli.config_keys import variables
    from smsreceipt.runs.doctor import run

    run.run(
        app,
        chosen["queue"],
        chosen["uid"],
        chosen["type"],
        push=chosen["push"],
        offline=chosen["offline"],
        known=variables(),
    )
