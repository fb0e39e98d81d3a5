"""`smsreceipt stats`: what happened to the messages, calls and replies of some days."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.days import day_options, days
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.question import KINDS, question_of, question_options
from smsreceipt.cli.translated import ChineseFormatter
from smsreceipt.cli.words import Words, as_printed
from smsreceipt.insight.definitions import DEFINITIONS, SCOPE
from smsreceipt.insight.question import Dimension
from smsreceipt.language import N_, _


def _heads_of_tables() -> dict[str, tuple[str, ...]]:
    from smsreceipt.output.names import HEADS

    return {str(dimension): heads for dimension, heads in HEADS.items()}


_OPTIONS = [
    day_options,
    option(
        "--by",
        multiple=True,
        type=Words([str(each) for each in Dimension], as_printed(_heads_of_tables)),
        metavar="DIM",
        help="A row for each day, hour, weekday, code, category, carrier, province, template, sign, kind or origin; for"
        " each pool of calls; given twice, for each pair.",
        example="carrier",
    ),
    option(
        "--kind",
        type=Words([*KINDS]),
        default="all",
        show_default=True,
        help="Only messages, calls through privacy numbers, or replies.",
    ),
    question_options,
    option("--top", type=click.IntRange(1), metavar="N", help="So many rows; tables have 10 unless told.", example=20),
    option(
        "--sort",
        type=Words(["count", "rate", "change", "p95"]),
        default="count",
        show_default=True,
        help="The largest, the lowest rate, the largest loss of rate, or the slowest first.",
    ),
    option("--exact", is_flag=True, help="Latencies above two minutes to the second, by reading every receipt."),
]


def row_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose days, messages and groups to a command."""
    for add in reversed(_OPTIONS):
        function = add(function)
    return function


def _definitions(language: int) -> str:
    """What each figure is, in two columns that fit the 80 of a man page; *language*: 0 is English, 1 Chinese."""
    formatter = ChineseFormatter(width=73)  # it counts columns: English definitions have Chinese words too
    with formatter.indentation():
        formatter.write_dl([(each.name[language], each.formula[language]) for each in DEFINITIONS])
    return formatter.getvalue().rstrip()


_EXAMPLES = """\b
  smsreceipt stats
  smsreceipt stats --date 2026-11-20 --by carrier --by hour
  smsreceipt stats --from 7d --by day -o csv
  smsreceipt stats --json
"""
#: Click takes \b for "leave the lines up to the next empty one as they are".
_FIRST = N_("Tell what happened: rates, latency, reasons, and what is unusual.")
_HELP = f"""{_FIRST}

{SCOPE[0]}

\b
{_definitions(0)}

{_EXAMPLES}"""


def _chinese_help() -> str:
    return f"{_(_FIRST)}\n\n{SCOPE[1]}\n\n\b\n{_definitions(1)}\n\n{_EXAMPLES}"


@cli_command("stats", data=True, help=_HELP, chinese_help=_chinese_help)
@row_options
@option("--provider", is_flag=True, help="Ask the provider for its totals of these days too, and store them.")
@option("--rebuild", is_flag=True, in_template=False, help="Count every receipt again, not only those that came since.")
@option("--fail-on-findings", is_flag=True, help="End with 3 when something is unusual.")
def command(app: App, **chosen: Any) -> None:
    """Tell what happened, as _HELP says."""
    from smsreceipt.runs import stats

    question = question_of(days(app, chosen, default="yesterday"), chosen)
    stats.run(
        app,
        question,
        stats.Options(
            provider=chosen["provider"],
            fail_on_findings=chosen["fail_on_findings"],
            prefixes=chosen["prefixes"],
            rebuild=chosen["rebuild"],
        ),
    )
