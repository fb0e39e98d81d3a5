"""`smsreceipt recordings`: which calls have a recording; fetch them before the provider deletes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.app import App
from smsreceipt.cli.added import limit_option
from smsreceipt.cli.filters import bounds, refuse_empty, since_option, until_option
from smsreceipt.cli.options import Group, cli_command, option
from smsreceipt.cli.types import Duration, Size, When
from smsreceipt.cli.words import Words, as_printed
from smsreceipt.model import RecordingState

if TYPE_CHECKING:
    from smsreceipt.runs.recordings import Which

command = Group("recordings", help="List the recordings of calls; fetch them in time.")

_CALLS = [
    option("--date", type=When(), metavar="DAY", help="Only calls of this day, Beijing time.", example="yesterday"),
    since_option,
    until_option,
    option("--call-id", multiple=True, metavar="ID", help="Only this call, whenever it was.", example="4f3a0000"),
    option(
        "--fail-on-expiring",
        type=Duration(),
        metavar="TIME",
        help="Exit 3 if one that is not fetched expires within this time.",
        example="3d",
    ),
]  # fmt: skip


def _calls(function: Callable[..., Any]) -> Callable[..., Any]:
    for add in reversed(_CALLS):
        function = add(function)
    return function


def _states_in_tables() -> dict[str, tuple[str, ...]]:
    from smsreceipt.output.objects.recordings import STATES_ZH

    return {state: (STATES_ZH[state],) for state in STATES_ZH if state in {"open", "fetched", "absent", "expired"}}


@cli_command("list", data=True)
@_calls
@option(
    "--state",
    multiple=True,
    type=Words(["open", "fetched", "absent", "expired"], as_printed(_states_in_tables)),
    metavar="STATE",
    help="Only open, fetched, absent or expired ones (repeat = or).",
    example="open",
)
@limit_option("At most N: in a table the newest (50 unless told), in json and csv the first.")
def list_command(
    app: App, *, state: tuple[str, ...], limit: int | None, fail_on_expiring: float | None, **chosen: Any
) -> None:
    """List the recordings of calls: days left, fetched or not.

    Those of the last 30 days, unless told. The provider deletes a recording 30 days after its call.

    \b
      smsreceipt recordings list --state open
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import recordings

    recordings.list_recordings(app, _which(app, chosen), [*map(RecordingState, state)], limit, fail_on_expiring)


@cli_command("fetch")
@_calls
@option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default="recordings",
    show_default=True,
    metavar="DIR",
    help="Keep them here: DIR/2026-11-20/POOL-CALLID.mp3.",
)
@option("--workers", type=click.IntRange(1, 64), default=8, show_default=True, metavar="N", help="So many at once.")
@option("--max-size", type=Size(), default="1GiB", show_default=True, metavar="SIZE", help="Refuse a longer file.")
@option("--any-host", is_flag=True, help="Follow links to other hosts than the provider's object store.")
@option("--again", is_flag=True, help="Fetch again what was fetched and whose file is gone.", in_template=False)
@option("--dry-run", is_flag=True, help="Print what would be fetched; ask and write nothing.", in_template=False)
def fetch_command(app: App, *, to: Path, dry_run: bool, fail_on_expiring: float | None, **chosen: Any) -> None:
    """Fetch the recordings that are not fetched yet.

    By the link in the report of the call, else by one that the provider is asked for. Run the same command again after
    a failure or a kill: it goes on where it stopped, and fetches nothing twice. Files are never overwritten.

    \b
      smsreceipt recordings fetch --to recordings --fail-on-expiring 3d
    """  # noqa: D301 - the same
    from smsreceipt.runs import fetch_recordings

    options = fetch_recordings.Options(
        folder=to, expiring=fail_on_expiring,
        **{name: chosen[name] for name in ("workers", "max_size", "any_host", "again")},
    )  # fmt: skip
    (fetch_recordings.plan if dry_run else fetch_recordings.run)(app, _which(app, chosen), options)


def _which(app: App, chosen: dict[str, Any]) -> Which:
    from smsreceipt.runs.recordings import Which

    refuse_empty(chosen["call_id"], "--call-id")
    begin, end = bounds(app.now(), chosen["date"], chosen["since"], chosen["until"])
    return Which.of(app.now(), begin, end, chosen["call_id"])


for _command in (list_command, fetch_command):
    command.add_command(_command)
