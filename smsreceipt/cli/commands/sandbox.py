"""`smsreceipt sandbox`: the provider's side, on loopback."""

from __future__ import annotations

import shlex
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.app import App
from smsreceipt.cli.options import command as make
from smsreceipt.errors import UsageError

if TYPE_CHECKING:
    from smsreceipt.sandbox import Options


@make("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), default=8901, help="Where to listen; 0 takes any free port.")
@click.option("--uid", default="1000000001", metavar="UID", help="The account's uid in the names of queues.")
@click.option(
    "--load",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take what FILE holds: messages, past sends.",
)
@click.option("--generate", type=click.IntRange(0), default=0, metavar="N", help="Queue N generated messages.")
@click.option("--poison", type=click.FloatRange(0, 1), default=0.0, metavar="P", help="Share of them that is broken.")
@click.option("--seed", type=int, metavar="N", help="The same seed gives the same messages and faults.")
@click.option(
    "--visibility", type=click.FloatRange(0), default=30.0, metavar="S", help="Received messages hide so long."
)
@click.option("--latency", type=click.FloatRange(0), default=0.0, metavar="MS", help="Added to each answer.")
@click.option(
    "--token-life", type=click.FloatRange(0), default=3600.0, metavar="S", help="A queue token is good so long."
)
@click.option(
    "--push", default="", metavar="URL", help="Push receipts there as well; {kind} in it is the message type."
)
@click.option(
    "--push-scale",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    metavar="X",
    help="Push again after X times 1, 5 and 10 minutes.",
)
@click.option("--push-batch", type=click.IntRange(1), default=10, metavar="N", help="Receipts in a push, at most.")
@click.option(
    "--route", type=click.Choice(["both", "push", "mixed"]), default="both", help="With --push: the ways of receipts."
)
@click.option("--qps-limit", type=click.IntRange(1), metavar="N", help="More QuerySendDetails a second are throttled.")
@click.option("--fault", multiple=True, metavar="NAME=P", help="Go wrong on purpose with this probability.")
def command(app: App, *, fault: tuple[str, ...], **chosen: Any) -> None:
    """Run the provider's side on loopback, for tests and play.

    Queues with tokens, signatures and visibility, SendSms and QuerySendDetails, at the fidelity that the official
    clients need. Prints export lines to source, then "# ready", and runs until stopped. FILE is NDJSON:
    {"queue" or "kind": …, "body": …}, and {"send": …} for a send of the past that can be queried.

    With --push, receipts also go to a callback URL, after its GET probe: answer within 0.7 s with 200 and a numeric
    code, or they come again. --route both takes both ways, push only that one, mixed one or the other or both.

    Faults of requests: 500, drop-before, drop-after, truncate, stall, throttle; of queues: token, duplicate, stale; of
    receipts: lose, lose-push, repeat-push; of the pages of QuerySendDetails: total, empty, short, repeat, shift.

    \b
      smsreceipt sandbox --generate 1000 --seed 7 --fault lose=0.03
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.sandbox import Sandbox

    with Sandbox(_options(fault, {**chosen, "say": app.say})) as sandbox:
        lines = [f"export {name}={shlex.quote(value)}" for name, value in sandbox.environment().items()]
        app.report("\n".join([*lines, "# ready", ""]).encode())
        app.say(f"listening on {sandbox.url}; Ctrl-C stops it")
        threading.Event().wait()


def _options(faults: tuple[str, ...], chosen: dict[str, Any]) -> Options:
    from smsreceipt.sandbox import Options

    return Options(faults=dict(map(_fault, faults)), **chosen)


def _fault(word: str) -> tuple[str, float]:
    name, _, share = word.partition("=")
    try:
        return name, float(share)
    except ValueError:
        raise UsageError(f"--fault {word}: must be NAME=P, P between 0 and 1") from None
