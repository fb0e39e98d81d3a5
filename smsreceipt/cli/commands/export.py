"""`smsreceipt export`: receipts, sends and figures as files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.app import App
from smsreceipt.cli.commands.sends import list_filters, send_query
from smsreceipt.cli.commands.stats import row_options
from smsreceipt.cli.days import days
from smsreceipt.cli.filters import filters, query_of
from smsreceipt.cli.options import Group, Option, cli_command, option
from smsreceipt.cli.question import question_of
from smsreceipt.cli.words import Words
from smsreceipt.insight.question import Dimension

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from smsreceipt.runs.export import Options

command = Group("export", help="Write receipts, sends or figures to files: ndjson, csv, xlsx, parquet.")

_FORMATS = ("ndjson", "csv", "xlsx", "parquet")


def _view_keys(subject: str) -> tuple[str, ...]:
    """The columns of what a command exports."""
    from smsreceipt.output.objects.receipts import RECEIPTS
    from smsreceipt.output.objects.sends import SENDS
    from smsreceipt.output.objects.stats import rows_view

    views = {"receipts": RECEIPTS.keys, "sends": SENDS.keys, "stats": rows_view([*Dimension]).keys}
    return views.get(subject, ())


def complete_columns(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The columns that begin with what stands after the last comma."""
    from click.shell_completion import CompletionItem

    before, comma, begun = incomplete.rpartition(",")
    keys = _view_keys(ctx.info_name or "")
    return [CompletionItem(before + comma + key) for key in keys if key.startswith(begun)]


_OPTIONS = [
    option(
        "--format",
        type=Words(_FORMATS),
        help="Of the file; otherwise the end of its name tells it.",
        example="csv",
    ),
    option(
        "--columns",
        multiple=True,
        metavar="KEY,…",
        shell_complete=complete_columns,
        help="Only these keys of the JSON, in this order.",
        example="phone,out_id,sent_at",
    ),
    option(
        "--excel",
        is_flag=True,
        help="CSV that Excel opens as it is meant: ids stay text. Better: --format xlsx.",
    ),
    option("--force", is_flag=True, help="Replace a file that exists.", in_template=False),
]
_split_option = option(
    "--split-by",
    type=Words(["day"]),
    metavar="day",
    help="A file for each Beijing day.",
    example="day",
)


def _exports(subject: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options that every export has to the command of this name."""
    output = option(
        "-o",
        "--output",
        "file",  # output is the setting of the other commands
        required=True,
        metavar="FILE|-",
        type=click.Path(allow_dash=True),
        envvar=f"SMSRECEIPT_EXPORT_{subject.upper()}_OUTPUT",
        help=f"The file to write; - is standard output.{' With --split-by day a folder.' * (subject != 'stats')}",
        in_template=False,
    )

    def add_all(function: Callable[..., Any]) -> Callable[..., Any]:
        for add in reversed([output, *_OPTIONS]):
            function = add(function)
        return function

    return add_all


def _options(chosen: dict[str, Any]) -> Options:
    """The options of the export, and the filters as the user said them."""
    from smsreceipt.output.files.formats import Format
    from smsreceipt.runs.export import Options

    ctx = click.get_current_context()
    ours = {"prefixes", "file", "format", "columns", "excel", "force", "split_by", "no_body"}
    said = {}
    for param in ctx.command.params:
        value = ctx.params.get(param.name or "")
        if isinstance(param, Option) and not param.common and param.name not in ours and value not in (None, (), False):
            said[max(param.opts, key=len)] = _in_words(value)
    return Options(
        output=chosen["file"],
        format=Format(chosen["format"]) if chosen["format"] else None,
        columns=[key.strip() for word in chosen["columns"] for key in word.split(",") if key.strip()],
        by_day=chosen.get("split_by") is not None,
        excel=chosen["excel"],
        force=chosen["force"],
        filters=said,
    )


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is True else str(value)


@cli_command("receipts")
@_exports("receipts")
@_split_option
@option("--no-body", is_flag=True, help="Leave out what the provider sent.")
@filters
def receipts_command(app: App, *, no_body: bool, **chosen: Any) -> None:
    """Export receipts: the state of each message, call and review.

    The rows and keys are those of `smsreceipt list --json`. A file appears under its name when it is whole.

    \b
      smsreceipt export receipts --date yesterday --output yesterday.xlsx
      smsreceipt export receipts --split-by day --format parquet --output receipts
      smsreceipt export receipts --columns phone,outcome,code --output - --format csv | head
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import export
    from smsreceipt.runs.exported import ReceiptRows

    rows = ReceiptRows(query_of(app, chosen))
    if no_body:
        rows = ReceiptRows(rows.query, rows.view.without("body"))
    export.run(app, rows, _options(chosen))


@cli_command("sends")
@_exports("sends")
@_split_option
@list_filters
def sends_command(app: App, **chosen: Any) -> None:
    """Export what was sent, each with what is known of its receipt.

    The rows and keys are those of `smsreceipt sends list --json`.

    \b
      smsreceipt export sends --date yesterday --state open --output open.csv
    """  # noqa: D301 - the same
    from smsreceipt.runs import export
    from smsreceipt.runs.exported import SendRows

    export.run(app, SendRows(send_query(app, chosen)), _options(chosen))


@cli_command("stats")
@_exports("stats")
@row_options
def stats_command(app: App, **chosen: Any) -> None:
    """Export the rows of `smsreceipt stats --by`: of each day unless told.

    \b
      smsreceipt export stats --from 7d --output week.xlsx
      smsreceipt export stats --date yesterday --by carrier --by hour --output carriers.csv
    """  # noqa: D301 - the same
    from smsreceipt.runs import export_stats

    question = question_of(days(app, chosen, default="yesterday"), chosen)
    export_stats.run(app, question, _options(chosen), prefixes=chosen["prefixes"])


for _command in (receipts_command, sends_command, stats_command):
    command.add_command(_command)
