"""`smsreceipt prune`: delete what is older than it need be kept."""

from __future__ import annotations

import math
from pathlib import Path

import click

from smsreceipt.app import App
from smsreceipt.cli.confirm import confirm
from smsreceipt.cli.filters import kind_option
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.types import Duration
from smsreceipt.model import Kind

_DAY = 86_400


@cli_command("prune")
@option(
    "--older-than",
    type=Duration(),
    required=True,
    metavar="TIME",
    help="Delete what is older than so many days, by the Beijing day.",
    example="180d",
)
@kind_option()
@option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="First write it to FILE, .ndjson, .ndjson.gz or .parquet, which replay reads.",
    in_template=False,
)
@option("--sends", is_flag=True, help="Also the sends in the ledger that are as old and have no receipt any more.")
@option("--compact", is_flag=True, help="Write the store anew, so that it is small; nobody can write meanwhile.")
@option("--force", is_flag=True, help="Allow less than 35 days.", in_template=False)
@option("--dry-run", is_flag=True, help="Print what would be deleted; write nothing.", in_template=False)
@option("--yes", is_flag=True, help="Do not ask.", in_template=False)
def command(
    app: App,
    *,
    older_than: float,
    kind: tuple[Kind, ...],
    archive: Path | None,
    sends: bool,
    compact: bool,
    force: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Delete receipts that are older than they need be kept.

    A message or a call goes as a whole, once its newest statement is old enough. Receipts of the last 35 days stay,
    since reconcile would fetch them again, and so does what forward has not handed on yet. Other processes can write
    meanwhile. Run it again after a failure or a kill: it goes on where it stopped.

    \b
      smsreceipt prune --older-than 180d --dry-run
      smsreceipt prune --older-than 400d --archive until-2025.ndjson.gz --yes
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import prune

    options = prune.Options(
        days=math.ceil(older_than / _DAY), kinds=frozenset(kind), archive=archive, sends=sends, compact=compact,
        force=force,
    )  # fmt: skip
    if dry_run:
        prune.plan(app, options)
    else:
        prune.run(app, options, confirm=None if yes else lambda question: confirm(app, question, to="delete"))
