"""Exports the rows of `stats --by`."""

from __future__ import annotations

from dataclasses import replace

from smsreceipt.app import App
from smsreceipt.insight import answer
from smsreceipt.insight.call_groups import call_groups
from smsreceipt.insight.question import Dimension, Group, Question
from smsreceipt.output.objects.stats import Row, calls_view, rows_view
from smsreceipt.runs import export
from smsreceipt.runs.exported import StatsRows
from smsreceipt.runs.folding import fold
from smsreceipt.runs.places import places

_IN_TIME = {Dimension.DAY, Dimension.HOUR, Dimension.WEEKDAY}  # which are all shown


def run(app: App, question: Question, options: export.Options, *, prefixes: str | None = None) -> None:
    """Export a row for each group, of each day if the question has no `by`. *prefixes*: a phone.dat.

    Raises as export.run does.
    """
    place = places(app, prefixes)
    fold(app, place)
    asked = replace(question, by=question.by or (Dimension.DAY,))
    most = None if {*asked.by} <= _IN_TIME else asked.top
    if asked.groups == (Group.CALLS,):
        calls = StatsRows(calls_view(asked.by), lambda store: call_groups(store, asked, place)[:most])
        export.run(app, calls, options)
    else:
        counted = replace(asked, top=most)
        rows = StatsRows(rows_view(asked.by), lambda store: map(Row, answer.groups(store, counted, place=place)))
        export.run(app, rows, options)
