"""The filter options of receipts, and the Query that they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.options import option
from smsreceipt.cli.types import MessageType, When, since, span, until
from smsreceipt.cli.words import Words, as_printed
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import Instant, Outcome, Source, beijing_day, normalise_phone, start_of_day
from smsreceipt.runs.masked import separate_numbers
from smsreceipt.store import Query

phone_option = option(
    "--phone",
    multiple=True,
    metavar="NUMBER|-",
    help="Only this number; - reads it from stdin.",
    example="13800000001",
)


def kind_option(
    told: str = "Only this message type (repeat = or).", *, multiple: bool = True, example: str | None = "SmsReport"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option --kind of a command, with this help; without *example*, no key of the configuration."""
    return option(
        "--kind", type=MessageType(), multiple=multiple, metavar="KIND", help=told, example=example,
        in_template=example is not None,
    )  # fmt: skip


biz_id_option = option("--biz-id", multiple=True, metavar="ID", help="Only this BizId.", example="900619746936498440^0")
out_id_option = option("--out-id", multiple=True, metavar="ID", help="Only this OutId.", example="order-1000")
since_option = option(
    "--since", type=When(), metavar="TIME", help="From here on: a day, 3h, 2d, 2026-11-20T08:00.", example="2d"
)
until_option = option("--until", type=When(), metavar="TIME", help="Up to here; a day still counts.", example="today")


def _outcomes_in_tables() -> dict[str, tuple[str, ...]]:
    from smsreceipt.output.display import OUTCOMES_ZH

    return {outcome: (printed,) for outcome, printed in OUTCOMES_ZH.items()}


_OPTIONS = {
    "kind": kind_option(),
    "phone": phone_option,
    "biz-id": biz_id_option,
    "out-id": out_id_option,
    "call-id": option("--call-id", multiple=True, metavar="ID", help="Only this call.", example="4f3a00000062290c"),
    "outcome": option(
        "--outcome",
        multiple=True,
        type=Words([str(outcome) for outcome in Outcome], as_printed(_outcomes_in_tables)),
        metavar="OUTCOME",
        help="Only this outcome, such as delivered or failed.",
        example="failed",
    ),
    "code": option(
        "--code",
        multiple=True,
        metavar="CODE",
        help="Only this receipt code or release cause.",
        example="MOBILE_IN_BLACK",
    ),
    "source": option(
        "--source",
        multiple=True,
        type=Words([str(source) for source in Source]),
        metavar="SOURCE",
        help="Only what came by mns, push, replay or query.",
        example="mns",
    ),
    "date": option(
        "--date",
        type=When(),
        metavar="DAY",
        help="Only this day, Beijing time: 2026-11-20, today, yesterday.",
        example="today",
    ),
    "since": since_option,
    "until": until_option,
    "after": option("--after", type=click.IntRange(0), metavar="SEQ", help="Only seq greater than this.", example=0),
    "history": option(
        "--history", is_flag=True, help="Every statement and each of its distinct bodies, not only states."
    ),
    "conflicts": option("--conflicts", is_flag=True, help="Only statements that contradict each other."),
}


def filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filter options to a command."""
    return filters_except()(function)


def filters_except(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the filter options to a command, but not those of these names."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for name, each in reversed(_OPTIONS.items()):
            if name not in names:
                function = each(function)
        return function

    return add


def query_of(app: App, chosen: dict[str, Any]) -> Query:
    """The Query of the filter options. Raises UsageError if they are not valid together."""
    begin, end = bounds(app.now(), chosen["date"], chosen["since"], chosen["until"])
    for name in ("phone", "biz_id", "out_id", "call_id", "code"):
        refuse_empty(chosen[name], f"--{name.replace('_', '-')}")
    return Query(
        kinds=chosen["kind"],
        phones=[normalise_phone(word) for word in numbers(app, chosen["phone"])],
        biz_ids=chosen["biz_id"],
        out_ids=chosen["out_id"],
        call_ids=chosen["call_id"],
        outcomes=[Outcome(outcome) for outcome in chosen["outcome"]],
        codes=codes_of(chosen["code"]),
        sources=[Source(source) for source in chosen["source"]],
        since=begin,
        until=end,
        after=chosen["after"] or 0,
        history=chosen["history"],
        bodies=chosen["history"],
        conflicts=chosen["conflicts"],
    )


def refuse_empty(words: Iterable[str], name: str) -> None:
    """Raise UsageError for an empty word, which would match all rows without a value."""
    if not all(word.strip() for word in words):
        raise UsageError(_("{option}: empty number or id", option=name))


def codes_of(words: Iterable[str]) -> set[str]:
    """All forms of the codes in the store; carriers write DELIVRD, the store DELIVERED."""
    if not words:
        return set()
    from smsreceipt import codes

    found = {spelling for word in words for spelling in codes.spellings(word)}
    return found | {"DELIVERED"} if "DELIVRD" in found else found


def bounds(now: Instant, day: str | None, begin: str | None, end: str | None) -> tuple[Instant | None, Instant | None]:
    """The first instant and the instant after the last of --date, or --since and --until. Raises UsageError."""
    if day is None:
        return since(begin, now) if begin else None, until(end, now) if end else None
    if begin or end:
        raise UsageError(_("--date is one day; it cannot go with --since or --until"))
    number = beijing_day(span(day, now)[0])
    return start_of_day(number), start_of_day(number + 1)


def numbers(app: App, words: tuple[str, ...]) -> list[str]:
    """The phone numbers that the words of --phone name. Raises UsageError for what can be no number."""
    found = separate_numbers(read_dash(app, words))
    if any(not re.search(r"\d", number) for number in found):
        raise UsageError(_("{what}: {reason}", what="--phone", reason=_("not a phone number")))
    return found


def read_dash(app: App, words: tuple[str, ...]) -> list[str]:
    """The words, with - replaced by the words on standard input, which keeps numbers out of the shell history.

    Raises UsageError if standard input is closed or empty.
    """
    found: list[str] = []
    for word in words:
        if word != "-":
            found.append(word)
        else:
            with app.open_input(word) as stream:
                read = stream.read().decode("utf-8", "replace").split()
            if not read:
                raise UsageError(_("standard input is empty: there is nothing for - to read"))
            found.extend(read)
    return found
