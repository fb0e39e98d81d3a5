"""`smsreceipt listen`: receive HTTP pushes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.added import min_free_option
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.types import Address

_METRICS = "127.0.0.1:9464"


@cli_command("listen")
@option("--bind", type=Address(), default="127.0.0.1:8080", show_default=True, help="Where to listen: HOST:PORT.")
@option(
    "--secret-file",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    example="listen.secret",
    help="Secrets of the callback URLs, one a line; made on first use. Default: beside the store.",
)
@option(
    "--path-prefix",
    default="",
    metavar="PATH",
    help="Path below which the callback URLs stand, where the host in front cannot rewrite it: /sms/cb.",
)
@option(
    "--max-connections", type=click.IntRange(1, 100_000), default=256, show_default=True, help="Connections at once."
)
@option(
    "--metrics-bind",
    type=Address(off=True),
    metavar="HOST:PORT|off",
    example=_METRICS,
    help=f"Where Prometheus finds /metrics: {_METRICS} unless told.",
)
@option(
    "--fd", type=click.IntRange(3), metavar="N", example=3, help="Listen on this inherited socket instead of --bind."
)
@min_free_option
def command(app: App, **chosen: Any) -> None:
    """Receive HTTP pushes: store, answer, show.

    A push is answered 200 only after it is on disk, and 503 within 600 ms when that cannot be: the provider sends it
    again. Every statement that is new to the store is printed once. Runs until it is stopped.

    \b
      smsreceipt listen
      smsreceipt listen --bind 0.0.0.0:8080 --secret-file /etc/smsreceipt/push.secret
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import listen
    from smsreceipt.runs.sockets import HostPort

    bind = chosen.pop("metrics_bind")
    metrics = None if bind == "off" else bind or HostPort.of(_METRICS)
    listen.run(app, listen.Options(**chosen, metrics=metrics, metrics_required=bool(bind)))
