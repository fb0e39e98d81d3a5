"""`smsreceipt sandbox`: the provider's side, on loopback."""

from __future__ import annotations

import shlex
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.cli.app import App
from smsreceipt.cli.options import command as make
from smsreceipt.errors import UsageError

if TYPE_CHECKING:
    from smsreceipt.sandbox import Options


@make("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), default=8901, help="Where to listen; 0 takes any free port.")
@click.option("--uid", default="1000000001", metavar="UID", help="The account's uid in the names of queues.")
@click.option("--load", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="Queue what FILE holds.")
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
@click.option("--fault", multiple=True, metavar="NAME=P", help="Go wrong on purpose with this probability.")
def command(app: App, *, fault: tuple[str, ...], **chosen: Any) -> None:
    """Run the provider's side on loopback, for tests and play.

    Queues with tokens, signatures and visibility, SendSms and QuerySendDetails, at the fidelity that the official
    clients need. Prints export lines to source, then "# ready", and runs until stopped. FILE is NDJSON:
    {"queue" or "kind": …, "body": …}. Faults: 500, drop-before, drop-after, truncate, throttle, token, duplicate,
    stale, lose.
    """
    from smsreceipt.sandbox import Sandbox

    with Sandbox(_options(fault, chosen)) as sandbox:
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
