"""Shows what happened to the messages, calls and replies of some days."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from smsreceipt.app import App
from smsreceipt.extras import install_command
from smsreceipt.insight import answer
from smsreceipt.insight.call_groups import call_groups
from smsreceipt.insight.question import Compare, Dimension, Group, Question
from smsreceipt.insight.stats import Cell, Stats
from smsreceipt.language import N_, _
from smsreceipt.model import Instant, beijing_day
from smsreceipt.output import terminal
from smsreceipt.output.columns import View
from smsreceipt.output.display import Display
from smsreceipt.output.figures import FEW, bar, sparkline
from smsreceipt.output.findings import sentence
from smsreceipt.output.objects.stats import STATS, Row, calls_view, rows_view
from smsreceipt.output.printer import Printer, print_whole, tabular
from smsreceipt.runs import provider_totals
from smsreceipt.runs.folding import fold
from smsreceipt.runs.places import Places, places
from smsreceipt.store import Store

T = TypeVar("T")

IMPORT_SENDS = N_("what was sent is unknown: import the list of sends with `smsreceipt sends import FILE`")
MOST_GROUPS = 10  #: in a table unless told
_IN_TIME = {Dimension.DAY, Dimension.HOUR, Dimension.WEEKDAY}
_OF_LIST = {Dimension.TEMPLATE, Dimension.SIGN}
_BAR = 20  # characters


@dataclass(frozen=True, slots=True)
class Options:
    """What to do beside answering the question."""

    provider: bool = False  #: ask the provider for its totals, and store them
    fail_on_findings: bool = False  #: exit code 3 if there is any finding
    prefixes: str | None = None  #: a phone.dat
    rebuild: bool = False  #: count every receipt again


def run(app: App, question: Question, options: Options) -> None:
    """Print the figures of the question's days, or with its `by` a row for each group.

    Nothing to count is no failure: a line tells the next step.
    """
    place = places(app, options.prefixes)
    fold(app, place, anew=options.rebuild)
    asked_at = provider_totals.ask(app, question) if options.provider else None
    if tabular(app):
        question = replace(question, by_send=False)  # no screen shows these groups
    with app.open_store(readonly=True) as store, store.snapshot():
        if question.by:
            _print_groups(app, store, question, place)
            if not options.fail_on_findings:
                return
        found = load(app, store, question, place, asked_at)
        if not question.by:
            _print(app, store, found, question, place)
    if options.fail_on_findings and found.findings:
        _fail(app, found)


def load(app: App, store: Store, question: Question, place: Places, asked_at: Instant | None = None) -> Stats:
    """The whole object, with the provider's totals where the store has them. Call it inside store.snapshot().

    *asked_at*: when the provider was asked for them in this run.
    """
    provider, before = provider_totals.stored(store, question, asked_at)
    return answer.stats(store, question, app.now(), place=place, provider=provider, previous_provider=before)


def _print(app: App, store: Store, found: Stats, question: Question, place: Places) -> None:
    """Print the whole object; CSV has a row for each day."""
    over = question.last_day < beijing_day(app.now())

    def screen(display: Display) -> str:
        return terminal.stats.summary(found, question, display, over=over)

    by_day = (Dimension.DAY,)
    if found.by:
        print_whole(app, STATS, found, (rows_view(by_day), map(Row, found.by.day)), screen)
    else:
        days = (row for _ in [None] for row in call_groups(store, replace(question, by=by_day), place))
        print_whole(app, STATS, found, (calls_view(by_day), days), screen)
    if found.sms and found.sms.sent is None and found.sms.reports:
        app.say(_(IMPORT_SENDS))
    if is_empty(found):
        app.say(next_step(found, question))


def is_empty(found: Stats) -> bool:
    """Whether there is nothing to count."""
    sms, calls, replies = found.sms, found.calls, found.replies
    return not (
        (sms and (sms.reports or sms.sent))
        or (calls and (calls.ended or calls.missing_end))
        or (replies and replies.replies)
    )


def next_step(found: Stats, question: Question) -> str:
    """What to do where there is nothing to count."""
    days = found.first
    if found.first != found.last:
        days = _("{first} to {last}", first=found.first, last=found.last)
    if question.templates or question.signs or question.carriers or question.provinces or question.codes:
        return _("nothing of {days} is in the store that matches the filters", days=days)
    newest = next((each.day for each in reversed(found.trend) if each.reports), None)
    if newest:
        return _(
            "nothing of {days} is in the store; the newest day before with messages: smsreceipt stats --date {newest}",
            days=days,
            newest=newest,
        )
    return _(
        "nothing of {days} is in the store: see what it has with `smsreceipt status`, get receipts with `smsreceipt"
        " pull`",
        days=days,
    )


def _fail(app: App, found: Stats) -> None:
    display = app.display()
    told, more = sentence(found.findings[0], display, before=("before", "此前"), with_day=True), len(found.findings) - 1
    app.needs_a_look(_("{finding}; and {n} more", finding=told, n=more) if more else told)


def _print_groups(app: App, store: Store, question: Question, place: Places) -> None:
    """Print the groups of messages, or of calls where only calls are asked for."""
    if question.groups == (Group.CALLS,):
        calls, view = call_groups(store, question, place), calls_view(question.by)
        _print_rows(app, question, view, calls, lambda shown, _display: (shown, view))
        found = len(calls)
    else:
        cells = answer.groups(store, replace(question, top=None), place=place)
        total = sum(cell.reports for cell in cells) or 1

        def drawn(shown: Sequence[Row], display: Display) -> tuple[Sequence[Row], View[Row]]:
            charts, head = _charts(store, question, place, [row.group for row in shown], display)
            rows = [row._replace(chart=chart) for row, chart in zip(shown, charts, strict=True)]
            return rows, rows_view(question.by, head)

        rows = [Row(cell, share=cell.reports / total) for cell in cells]
        _print_rows(app, question, rows_view(question.by), rows, drawn)
        found = len(cells)
    if not found:
        empty = answer.stats(store, replace(question, by=(), compare=Compare.NONE), app.now(), place=place)
        app.say(next_step(empty, question))
    _say_what_is_unknown(app, store, question, place)


def _print_rows(
    app: App,
    question: Question,
    view: View[T],
    rows: Sequence[T],
    drawn: Callable[[Sequence[T], Display], tuple[Sequence[T], View[T]]],
) -> None:
    """Print rows; *drawn* makes those of a table, and its columns."""
    table = tabular(app)
    most = question.top or (MOST_GROUPS if table else None)
    shown = rows if {*question.by} <= _IN_TIME else rows[:most]
    if not table:
        printer = Printer(app, view)
        printer.print(shown)
        printer.end()
    elif shown:
        display, now, rest = app.display(), app.now(), len(rows) - len(shown)
        shown, view = drawn(shown, display)
        over, final = question.last_day < beijing_day(now), answer.is_final(question, now)
        app.write(app.encode(terminal.stats.groups(shown, view, question, display, final=final, over=over, rest=rest)))


def _charts(
    store: Store, question: Question, place: Places, shown: Sequence[Cell], display: Display
) -> tuple[Sequence[str], tuple[str, str]]:
    """What is drawn at the end of each row, and its title: a bar in time, else a sparkline of the delivery rate."""
    if set(question.by) <= _IN_TIME:
        most = max(cell.reports for cell in shown) or 1
        return [bar(cell.reports / most, _BAR, display) for cell in shown], (" ", " ")
    if len(question.by) > 1 or not display.unicode:
        return [""] * len(shown), ("", "")
    (dimension,), days = question.by, question.last_day - question.first_day + 1
    of_time = Dimension.HOUR if days == 1 else Dimension.DAY
    asked = replace(question, by=(dimension, of_time), top=None, compare=Compare.NONE)
    rates: dict[object, dict[object, Cell]] = {}
    for cell in answer.groups(store, asked, place=place):
        rates.setdefault(getattr(cell, dimension), {})[getattr(cell, of_time)] = cell
    groups = [rates.get(getattr(cell, dimension), {}) for cell in shown]
    for slots in terminal.stats.slots(question, display):
        found = [[_rate(group, slot) for slot in slots.units] for group in groups]
        known = [rate for line in found for rate in line if rate is not None]
        if len(known) * 2 >= sum(any(each in group for each in slot) for group in groups for slot in slots.units):
            break  # most of them tell something
    if not known:
        return [""] * len(shown), ("", "")
    return [sparkline(line, display, low=min(known), high=max(known)) for line in found], slots.title


def _rate(cells: Mapping[object, Cell], slot: Sequence[object]) -> float | None:
    """The delivery rate of some hours or days together; None of too few messages to tell."""
    found = [cells[each] for each in slot if each in cells]
    final = sum(cell.delivered + cell.failed + cell.expired for cell in found)
    return sum(cell.delivered for cell in found) / final if final >= FEW else None


def _say_what_is_unknown(app: App, store: Store, question: Question, place: Places) -> None:
    asked = {*question.by}
    if (asked & _OF_LIST or question.templates or question.signs) and not store.sends_by_day(
        question.first_day, question.last_day
    ):
        app.say(_("templates and signatures are unknown: import the list of sends with `smsreceipt sends import FILE`"))
    if (Dimension.PROVINCE in asked or question.provinces) and not place.has_provinces:
        app.say(
            _(
                "provinces are unknown: {command} installs them, or name a phone.dat with --prefixes",
                command=install_command("regions"),
            )
        )
