"""Figures of calls through privacy numbers, and of replies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from smsreceipt.insight.measure import mean, quantile, ratio
from smsreceipt.insight.messages import asked
from smsreceipt.insight.question import Question
from smsreceipt.insight.stats import Calls, CallType, Cause, Replies, Ring, Talk
from smsreceipt.model import Instant, Outcome
from smsreceipt.store import Store
from smsreceipt.store.counts import By, Count, CountQuery, Readers, Subject

_CALLS = ("0", "1", "")  #: call types that are calls; older records have none
_SHORT = 6  #: seconds
_YOUNG = 3 * 3_600_000  #: milliseconds in which the end of a call may still be reported


def calls(store: Store, readers: Readers, question: Question, days: tuple[int, int], now: Instant) -> Calls:
    """The figures of some days."""
    by = (By.OUTCOME, By.CODE, By.SIDE, By.CALL_TYPE)
    records = asked(store, readers, question, days, by, Subject.CALLS)
    ended = [each for each in records if each.values[3] in _CALLS]
    outcomes: Counter[str] = Counter()
    causes: Counter[tuple[str, str, str]] = Counter()
    types: Counter[str] = Counter()
    for each in records:
        types[each.values[3]] += each.count
    for each in ended:
        outcome, code, side, _ = each.values
        outcomes[outcome] += each.count
        causes[code, side, outcome] += each.count
    talk = _histogram(asked(store, readers, question, days, (By.SECONDS,), Subject.TALKS))
    ring = _histogram(asked(store, readers, question, days, (By.SECONDS,), Subject.RINGS))
    recordings = _total(asked(store, readers, question, days, (), Subject.RECORDINGS))
    count = sum(outcomes.values())
    return Calls(
        count,
        outcomes[Outcome.CONNECTED],
        outcomes[Outcome.UNCONNECTED],
        ratio(outcomes[Outcome.CONNECTED], count),
        Talk(
            sum(seconds * each for seconds, each in talk.items()),
            mean(talk, 1),
            quantile(talk, 50),
            quantile(talk, 95),
            max(talk, default=None),
        ),
        sum(-(-seconds // 60) * each for seconds, each in talk.items()),
        sum(each for seconds, each in talk.items() if seconds < _SHORT),
        Ring(quantile(ring, 50), quantile(ring, 95)),
        recordings,
        _total(asked(store, readers, question, days, (), Subject.UNRECORDED)) if recordings else None,
        sum(gap.first_at <= now - _YOUNG for gap in store.call_gaps(*days)),
        [Cause(*cause, each) for cause, each in sorted(causes.items(), key=lambda item: (-item[1], item[0]))],
        [CallType(*each) for each in sorted(types.items())],
    )


def _histogram(counts: Sequence[Count]) -> dict[int, int]:
    return {each.values[0]: each.count for each in counts}


def _total(counts: Sequence[Count]) -> int:
    return sum(each.count for each in counts)


def replies(store: Store, readers: Readers, question: Question, days: tuple[int, int]) -> Replies:
    """The figures of some days."""
    words = asked(store, readers, question, days, (By.WORD,), Subject.REPLIES)
    opt_outs = sum(each.count for each in words if each.values[0] in question.opt_out)
    delivered = CountQuery(
        subject=Subject.MESSAGES, first_day=days[0], last_day=days[1], where={By.OUTCOME: [Outcome.DELIVERED]}
    )
    return Replies(_total(words), opt_outs, ratio(opt_outs, _total(store.counts(delivered, readers))))
