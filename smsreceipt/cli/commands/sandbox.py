"""`smsreceipt sandbox`: the provider's side on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.words import Words
from smsreceipt.errors import UsageError
from smsreceipt.language import _


@cli_command("sandbox")
@option("--port", type=click.IntRange(0, 65535), default=8901, help="Where to listen; 0 takes any free port.")
@option("--uid", default="1000000001", metavar="UID", help="The account's uid in the names of queues.")
@option(
    "--load",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take what FILE holds: messages, past sends.",
    example="messages.ndjson",
)
@option("--generate", type=click.IntRange(0), default=0, metavar="N", help="Queue N generated messages.")
@option("--poison", type=click.FloatRange(0, 1), default=0.0, metavar="P", help="Share of them that is broken.")
@option("--seed", type=int, metavar="N", example=1, help="The same seed gives the same messages and faults.")
@option("--visibility", type=click.FloatRange(0), default=30.0, metavar="S", help="Received messages hide so long.")
@option("--latency", type=click.FloatRange(0), default=0.0, metavar="MS", help="Added to each answer.")
@option("--token-life", type=click.FloatRange(0), default=3600.0, metavar="S", help="A queue token is good so long.")
@option("--push", default="", metavar="URL", help="Push receipts there as well; {kind} in it is the message type.")
@option(
    "--push-scale",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    metavar="X",
    help="Push again after X times 1, 5 and 10 minutes.",
)
@option("--push-batch", type=click.IntRange(1), default=10, metavar="N", help="Receipts in a push, at most.")
@option("--route", type=Words(["both", "push", "mixed"]), default="both", help="With --push: the ways of receipts.")
@option(
    "--qps-limit",
    type=click.IntRange(1),
    metavar="N",
    example=5000,
    help="More QuerySendDetails a second are throttled.",
)
@option(
    "--fault",
    multiple=True,
    metavar="NAME=P",
    help="Go wrong on purpose with this probability.",
    example="duplicate=0.1",
)
def command(app: App, *, fault: tuple[str, ...], **chosen: Any) -> None:
    """Run the provider's side on loopback, for tests and play.

    Queues with tokens, signatures and visibility, SendSms and QuerySendDetails, at the fidelity that the official
    clients need. Prints export lines to source, then "# ready", and runs until stopped. FILE is NDJSON:
    {"queue" or "kind": …, "body": …}, and {"send": …} for a send of the past that can be queried.

    With --push, receipts also go to a callback URL, after its GET probe: answer within 0.7 s with 200 and a numeric
    code, or they come again. --route both takes both ways, push only that one, mixed one or the other or both.

    Faults of requests: 500, drop-before, drop-after, truncate, page, stall, throttle; of queues: token, duplicate,
    stale, undelete; of receipts: lose, lose-push, repeat-push; of the pages of QuerySendDetails: total, empty, short,
    repeat, shift; of recordings: oss-500, oss-cut, oss-stall, oss-length, oss-corrupt, oss-expire, oss-redirect.

    \b
      smsreceipt sandbox --generate 1000 --seed 7 --fault lose=0.03
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import sandbox
    from smsreceipt.sandbox import Options

    sandbox.run(app, Options(faults=dict(map(_fault, fault)), say=app.say, **chosen))


def _fault(word: str) -> tuple[str, float]:
    name, _equals, share = word.partition("=")
    try:
        return name, float(share)
    except ValueError:
        raise UsageError(_("--fault {fault}: must be NAME=P, P between 0 and 1", fault=word)) from None
