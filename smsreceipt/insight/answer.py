"""Answers a question from a store."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from smsreceipt.decode.facts import VERSION, call_facts, reply_facts
from smsreceipt.insight import calls, findings
from smsreceipt.insight.messages import Messages, asked, cells, day_text, failures, sms, summed, trend
from smsreceipt.insight.question import Dimension, Group, Question
from smsreceipt.insight.stats import SCHEMA, Cell, Finding, Period, Provider, Stats, Tables, Tallied, Trend
from smsreceipt.model import DAY_MS, Instant, start_of_day
from smsreceipt.model.facts import Nowhere, Place
from smsreceipt.store import Store
from smsreceipt.store.counts import By, Readers, Subject

FINAL_AFTER = 3 * DAY_MS  #: the provider sends no later receipt of a day
TREND_DAYS = 14
READ = 10_000  #: receipts that unusual() reads at most for each of its questions


def readers_of(place: Place) -> Readers:
    """What a store is given to read bodies and numbers."""
    return Readers(place=place, call=call_facts, reply=reply_facts, version=VERSION)


def stats(
    store: Store,
    question: Question,
    now: Instant,
    *,
    place: Place = Nowhere(),  # noqa: B008 - has no state
    provider: Provider | None = None,
    previous_provider: Provider | None = None,
) -> Stats:
    """All figures of a period. *provider* holds the provider's totals of the same days, where they are known.

    Call store.fold(readers_of(place)) first, which makes this fast; then call this inside store.snapshot(), so that all
    figures are of one moment. They are the same without fold().
    """
    folded = store.folded()
    readers, days, compared = readers_of(place), (question.first_day, question.last_day), question.compared
    wants_sms = Group.SMS in question.groups
    messages = Messages(store, readers, question, days) if wants_sms else None
    before = Messages(store, readers, question, compared) if wants_sms and compared else None
    figures_of_calls = partial(calls.calls, store, readers, question, now=now)
    wants_calls, wants_replies = Group.CALLS in question.groups, Group.REPLIES in question.groups
    figures = sms(messages, provider) if messages else None
    return Stats(
        SCHEMA,
        day_text(days[0]),
        day_text(days[1]),
        is_final(question, now),
        "Asia/Shanghai",
        "sent_at",
        Period(*map(day_text, compared)) if compared else None,
        figures,
        sms(before, previous_provider) if before else None,
        failures(messages, before) if messages else [],
        _tables(messages, before) if messages else None,
        cells((Dimension.CARRIER, Dimension.HOUR), messages, before, latency=False) if messages else [],
        figures_of_calls(days) if wants_calls else None,
        figures_of_calls(compared) if wants_calls and compared else None,
        calls.replies(store, readers, question, days) if wants_replies else None,
        findings.findings(messages, before, figures, question.thresholds, now) if messages and figures else [],
        _trend(store, readers, question) if messages else [],
        Tallied(folded.to_seq, folded=folded.complete),
    )


def unusual(store: Store, question: Question, now: Instant, *, place: Place) -> list[Finding] | None:
    """What `stats` finds in a period, as far as few receipts need be read; None where that is not enough to tell.

    It knows neither templates, which need a look at every receipt, nor gaps to the provider's totals, which are those
    of days that are over. Call it inside store.snapshot().
    """
    folded = store.folded()
    read = folded.rest if folded.place == place.version else folded.to_seq + folded.rest
    if read > READ:
        return None
    few, readers = replace(question, by_send=False, parts=False), readers_of(place)
    messages = Messages(store, readers, few, (question.first_day, question.last_day))
    before = Messages(store, readers, few, question.compared) if question.compared else None
    return findings.findings(messages, before, None, question.thresholds, now)


def is_final(question: Question, now: Instant) -> bool:
    """Whether no receipt that comes from now on should change a figure."""
    return now >= start_of_day(question.last_day + 1) + FINAL_AFTER


def groups(store: Store, question: Question, *, place: Place = Nowhere()) -> list[Cell]:  # noqa: B008 - the same
    """The messages by the one or two dimensions of the question, in its order, at most its `top`."""
    readers, compared = readers_of(place), question.compared
    now = Messages(store, readers, question, (question.first_day, question.last_day))
    before = Messages(store, readers, question, compared) if compared else None
    return cells(question.by, now, before, sort=question.sort, top=question.top)


def _tables(messages: Messages, before: Messages | None) -> Tables:
    known = (Dimension.HOUR, Dimension.DAY, Dimension.CARRIER, Dimension.PROVINCE)
    of_sends = (Dimension.TEMPLATE, Dimension.SIGN)
    tables = [cells((each,), messages, before) for each in known]
    tables += [cells((each,), messages, before) if messages.of_sends else [] for each in of_sends]
    return Tables(*tables)


def _trend(store: Store, readers: Readers, question: Question) -> list[Trend]:
    days = (question.last_day - TREND_DAYS + 1, question.last_day)
    by = (By.DAY, By.OUTCOME, By.SECONDS)
    return trend(summed(asked(store, readers, question, days, by, Subject.MESSAGES), by, (By.DAY,)), days)
