"""`smsreceipt pull`: receive, store and delete the messages of queues."""

from __future__ import annotations

from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.added import min_free_option
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.queues import chosen_queues, queue_options
from smsreceipt.cli.types import Address, Duration


@cli_command("pull")
@queue_options
@option("-f", "--follow", is_flag=True, help="Go on when the queues are empty, until stopped.")
@option("--max", type=click.IntRange(1), metavar="N", help="Stop after N received messages.", example=1000)
@option("--for", type=Duration(), metavar="TIME", help="Stop after this long: 45s, 10m, 2h.", example="10m")
@option(
    "--workers",
    type=click.IntRange(1, 64),
    default=32,
    show_default=True,
    help="Receivers at most; a queue has one until its batches come full.",
)
@option("--wait", type=click.IntRange(0, 30), default=5, show_default=True, help="Seconds of a long poll.")
@option("--peek", is_flag=True, help="Show what waits; store nothing, delete nothing.")
@option("--no-settle", is_flag=True, help="Do not wait for what a crashed run may have hidden.")
@option(
    "--metrics-bind",
    type=Address(off=True),
    metavar="HOST:PORT|off",
    example="127.0.0.1:9466",
    help="Where Prometheus finds /metrics: nowhere unless told.",
)
@min_free_option
def command(app: App, **chosen: Any) -> None:
    """Drain the queues: store, delete, show.

    Each message is deleted only after it is on disk. Every statement that is new to the store is printed once; a
    terminal shows counters instead, unless with -v, --follow or --json. Ends when the queues are empty; run it again at
    any time, also after a crash.

    \b
      smsreceipt pull --uid 1234567890123456 --type SmsReport --type SmsUp
      smsreceipt pull --uid 1234567890123456 --type all
      smsreceipt pull --queue my-pool-queue=SecretReport --json | jq .outcome
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import peek, pull

    named, uid, kinds = chosen_queues(chosen)
    queues = pull.queues_of(app, named, uid, kinds)
    if chosen["peek"]:
        peek.run(app, queues, chosen["max"])
    else:
        options = pull.Options(
            workers=chosen["workers"],
            wait=chosen["wait"],
            follow=chosen["follow"],
            most=chosen["max"],
            seconds=chosen["for"],
        )
        metrics = None if chosen["metrics_bind"] == "off" else chosen["metrics_bind"]
        pull.run(
            app,
            queues,
            options,
            settle=not chosen["no_settle"],
            min_free=chosen["min_free"],
            metrics=metrics,
        )
