"""Figures of calls through privacy numbers, and of replies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from smsreceipt.insight.measure import mean, quantile, ratio
from smsreceipt.insight.messages import asked
from smsreceipt.insight.question import Question
from smsreceipt.insight.stats import Calls, CallType, Cause, Replies, Ring, Talk
from smsreceipt.model import Instant, Outcome
from smsreceipt.store import Store
from smsreceipt.store.counts import By, Count, Readers, Subject

CALL_TYPES = ("0", "1", "")  #: call types that are calls; older records have none
_SHORT = 6  #: seconds
_YOUNG = 3 * 3_600_000  #: milliseconds in which the end of a call may still be reported


def calls(store: Store, readers: Readers, question: Question, days: tuple[int, int], now: Instant) -> Calls:
    """The figures of some days."""
    ask = partial(asked, store, readers, question, days, subject=Subject.CALLS)
    causes: Counter[tuple[str, str, str]] = Counter()
    types, outcomes, talk, ring = Counter[str](), Counter[str](), Counter[int](), Counter[int]()
    for each in ask((By.OUTCOME, By.CODE, By.SIDE, By.CALL_TYPE, By.SECONDS)):
        outcome, code, side, call_type, talked = each.values
        types[call_type] += each.count
        if call_type not in CALL_TYPES:
            continue
        outcomes[outcome] += each.count
        causes[code, side, outcome] += each.count
        if talked is not None:
            talk[talked] += each.count
    for each in ask((By.CALL_TYPE, By.RING)):
        call_type, rang = each.values
        if call_type in CALL_TYPES and rang is not None:
            ring[rang] += each.count
    recordings = _total(asked(store, readers, question, days, (), Subject.RECORDINGS))
    return Calls(
        outcomes.total(),
        outcomes[Outcome.CONNECTED],
        outcomes[Outcome.UNCONNECTED],
        ratio(outcomes[Outcome.CONNECTED], outcomes.total()),
        _talk(talk),
        sum(-(-seconds // 60) * each for seconds, each in talk.items()),
        sum(each for seconds, each in talk.items() if seconds < _SHORT),
        Ring(quantile(ring, 50), quantile(ring, 95)),
        recordings,
        _total(asked(store, readers, question, days, (), Subject.UNRECORDED)) if recordings else None,
        sum(gap.first_at <= now - _YOUNG for gap in store.call_gaps(*days)),
        [Cause(*cause, each) for cause, each in sorted(causes.items(), key=lambda item: (-item[1], item[0]))],
        [CallType(*each) for each in sorted(types.items())],
    )


def _talk(talk: Mapping[int, int]) -> Talk:
    total = sum(seconds * each for seconds, each in talk.items())
    return Talk(total, mean(talk, 1), quantile(talk, 50), quantile(talk, 95), max(talk, default=None))


def _total(counts: Sequence[Count]) -> int:
    return sum(each.count for each in counts)


def replies(store: Store, readers: Readers, question: Question, days: tuple[int, int]) -> Replies:
    """The figures of some days."""
    words = asked(store, readers, question, days, (By.WORD,), Subject.REPLIES)
    opt_outs = sum(each.count for each in words if each.values[0] in question.opt_out)
    outcomes = asked(store, readers, question, days, (By.OUTCOME,), Subject.MESSAGES)
    delivered = sum(each.count for each in outcomes if each.values[0] == Outcome.DELIVERED)
    return Replies(_total(words), opt_outs, ratio(opt_outs, delivered))
