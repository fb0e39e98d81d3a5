"""`smsreceipt replay`: store the receipts of saved payloads, or send them to a URL."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from smsreceipt.app import App
from smsreceipt.cli.added import min_free_option
from smsreceipt.cli.filters import kind_option
from smsreceipt.cli.options import cli_command, option
from smsreceipt.errors import UsageError
from smsreceipt.language import _


@cli_command("replay")
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR|-...")
@kind_option("Read all of it as this message type.", multiple=False)
@option("--dry-run", is_flag=True, help="Store nothing; tell what would be stored, by kind.")
@option("--no-resume", is_flag=True, help="Begin at the beginning, though an earlier run was cut off.")
@option(
    "--to",
    metavar="URL",
    example="http://127.0.0.1:8080/SECRET/{kind}",
    help="Send it there instead, as the provider does; {kind} is replaced.",
)
@option("--batch", type=click.IntRange(1, 2000), default=100, show_default=True, help="Receipts in a push, with --to.")
@option("--rate", type=click.FloatRange(0, min_open=True), metavar="N", example=50, help="Pushes a second, with --to.")
@option(
    "--retry-scale",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="X",
    help="Times the 1, 5, 10 minutes after which a push is tried again.",
)
@min_free_option
def command(app: App, files: tuple[str, ...], **chosen: Any) -> None:
    """Feed saved payloads into the store, or send them to a URL.

    Takes JSON arrays, objects, NDJSON, base64 bodies of queue messages, what `list --json` prints, any mixture of
    them, and all of it packed with gzip; Parquet files of `prune` and `export`. Bad elements become rejects with file
    and offset. A run that was cut off is taken up where it stopped; replaying anything again changes nothing.

    \b
      smsreceipt replay backup/ SmsReport-2026-11-20.ndjson.gz
      smsreceipt list --json --date yesterday | smsreceipt replay - --to http://127.0.0.1:9000/cb
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs.inputs import Inputs

    _refuse_contradictions(chosen)
    inputs = Inputs(app, files, chosen["kind"])
    if chosen["to"]:
        from smsreceipt.runs import send_callback

        options = send_callback.Options(chosen["batch"], chosen["rate"], chosen["retry_scale"])
        send_callback.run(app, inputs, chosen["to"], options)
    elif chosen["dry_run"]:
        from smsreceipt.runs import dry_run

        dry_run.run(app, inputs)
    else:
        from smsreceipt.runs import replay

        replay.run(app, inputs, resume=not chosen["no_resume"], min_free=chosen["min_free"])


def _refuse_contradictions(chosen: dict[str, Any]) -> None:
    """Raise UsageError for options of sending together with options of storing."""
    source = click.get_current_context().get_parameter_source
    if chosen["to"]:
        if chosen["dry_run"]:
            raise UsageError(
                _("--dry-run and --to contradict each other"), hint=_("Try --to on a receiver of your own.")
            )
        return
    for parameter in ("batch", "rate", "retry_scale"):
        if source(parameter) is ParameterSource.COMMANDLINE:
            name = parameter.replace("_", "-")
            raise UsageError(
                _("{option} says how to send, and --to is not there", option=f"--{name}"),
                hint=_("Add --to URL, or leave it out."),
            )
