"""The options that name Beijing days: one with --date, or several with --from and --to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smsreceipt.app import App
from smsreceipt.cli.options import option
from smsreceipt.cli.types import When, since
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import beijing_day

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def _complete_day(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of days."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in ("yesterday", "today") if word.startswith(incomplete)]


_OPTIONS = [
    option(
        "--date",
        type=When(),
        metavar="DAY",
        shell_complete=_complete_day,
        help="This Beijing day: 2026-11-20, today, yesterday, 3d (ago).",
        example="today",
    ),
    option(
        "--from",
        type=When(),
        metavar="DAY",
        example="7d",
        shell_complete=_complete_day,
        help="From this day on, up to --to.",
    ),
    option(
        "--to",
        type=When(),
        metavar="DAY",
        example="yesterday",
        shell_complete=_complete_day,
        help="Up to and with this day; default yesterday.",
    ),
]


def day_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --date, --from and --to to a command."""
    for add in reversed(_OPTIONS):
        function = add(function)
    return function


def days(app: App, chosen: dict[str, Any], *, default: str | None = None) -> tuple[int, int]:
    """The numbers of the first and the last Beijing day. Raises UsageError.

    *default*: the day where none is named; None: that is an error.
    """
    date, begin, end = chosen["date"], chosen["from"], chosen["to"]
    if default and not begin and not date:
        if end:
            raise UsageError(_("--to needs --from"), hint=_("For example --from 7d --to yesterday."))
        date = default
    if date and begin:
        raise UsageError(_("--date is one day; it cannot go with --from"))
    if not date and not begin:
        raise UsageError(
            _("which day? say --date DAY, or --from DAY --to DAY"), hint=_("For example --date yesterday.")
        )
    if date and end:
        raise UsageError(_("--date is one day; it cannot go with --to"))
    now = app.now()
    first, last = (beijing_day(since(text, now)) for text in ((date, date) if date else (begin, end or "yesterday")))
    if first > last:
        raise UsageError(_("--from comes after --to"))
    if last > beijing_day(now):
        raise UsageError(
            _("a day that has not come yet has no receipts"), hint=_("Days are Beijing's: try --date today.")
        )
    return first, last
