"""Gathers the figures that the rules of `watch` judge: from the store, from the disk, and from the queues."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

from smsreceipt.app import App
from smsreceipt.errors import ProviderError, QueueNotFound, SmsReceiptError
from smsreceipt.forward.cursor import LEASE
from smsreceipt.insight.alarms.figures import Figures, Messages, Part, Refused
from smsreceipt.insight.alarms.judge import DAYS
from smsreceipt.insight.alarms.rules import Rule
from smsreceipt.insight.answer import readers_of
from smsreceipt.insight.measure import NOT_DELIVERED
from smsreceipt.language import _
from smsreceipt.model import DAY_MS, Instant, Outcome, beijing_day
from smsreceipt.model.facts import Nowhere
from smsreceipt.runs.figure_settings import question_of_day, thresholds
from smsreceipt.runs.listen_notes import read_events
from smsreceipt.runs.pull_settings import queue_words
from smsreceipt.sources.queue.absent import passed_over
from smsreceipt.store import Store, StoreFacts, opening
from smsreceipt.store.arrivals import MINUTE, Arrived
from smsreceipt.store.counts import By, CountQuery, Subject

T = TypeVar("T")

_DELAY = 5 * MINUTE  # a window ends so long ago: most receipts of its messages have come
_HOUR = 60 * MINUTE
_SMS = {"SmsReport", "DypnsSmsVerifyReport"}
_SLOW = 10 * MINUTE  # figures of days are asked for so often
_ENOUGH = 1_000  # delivered messages of a day, below which opt-outs are those of the day before
_OLD = 4  # days after which every receipt of a day has come: the provider sends none after 72 hours
_PATIENCE = 20.0  # seconds for all queues
_WINDOWED = {Rule.RATE, Rule.LATENCY, Rule.CODE, Rule.SILENCE}


class Gatherer:
    """Gathers figures. One that is kept asks for those of earlier days and hours only when they change."""

    def __init__(self, app: App, rules: Collection[Rule], window: float) -> None:
        self._app, self._rules = app, rules
        self._window = max(round(window / 60), 1) * MINUTE
        self._kept: dict[str, tuple[object, object]] = {}
        self.failures: list[SmsReceiptError] = []  #: of the last look: queues that could not be asked

    def figures(self, store: Store) -> Figures:
        """The figures of now. Of rules that are not on, and of what cannot be told, they are None."""
        now = self._app.now()
        facts, day = store.facts(), beijing_day(now)
        self.failures = []
        windowed = bool(_WINDOWED & set(self._rules)) and facts.last_seq > 0
        usual = self._once("usual", self._hour(now), lambda: self._usual(store, now)) if windowed else []
        kinds = self._kinds(facts)
        return Figures(
            now=now,
            window=self._window // 1000,
            recent=self._recent(store, now) if windowed else None,
            usual=_messages(usual, self._hour(now)) if windowed else None,
            last_received={kind.kind: kind.last_received_at for kind in facts.kinds if kind.kind in kinds},
            arrivals=_by_kind(usual),
            backlog=self._backlog() if Rule.BACKLOG in self._rules else None,
            refused=_refused(store, now) if Rule.BACKLOG in self._rules else {},
            rejects=facts.rejects,
            conflicts=facts.conflicts,
            no_receipt=self._slow(Rule.NO_RECEIPT, now, lambda: _no_receipt(store, day - _OLD)),
            opt_outs=self._slow(Rule.OPTOUT, now, lambda: self._opt_outs(store, day)),
            free=opening.free_bytes(self._app.store_location),
            receiving=any(not each.startswith(LEASE) for each in facts.consumed),
            limits=thresholds(self._app.config.table(("stats",))),
        )

    def _once(self, name: str, mark: object, read: Callable[[], T]) -> T:
        """What *read* returned for this mark."""
        kept = self._kept.get(name)
        if kept is None or kept[0] != mark:
            kept = self._kept[name] = (mark, read())
        return kept[1]  # type: ignore[return-value]  # what *read* returned

    def _slow(self, rule: Rule, now: Instant, read: Callable[[], T]) -> T | None:
        return self._once(rule, now // _SLOW, read) if rule in self._rules else None

    def _kinds(self, facts: StoreFacts) -> set[str]:
        """The message types whose silence counts: those of configured queues, else all."""
        return set(self._app.config.queues.values()) or {kind.kind for kind in facts.kinds}

    def _hour(self, now: Instant) -> int:
        """The hour, since 1970, in which the middle of the window is."""
        return (now - _DELAY - self._window // 2) // _HOUR

    def _recent(self, store: Store, now: Instant) -> Messages:
        until = (now - _DELAY) // MINUTE * MINUTE
        since = Instant(until - self._window)
        found = store.arrivals(since, Instant(now + MINUTE))
        return _added(each for each in found if each.sent_at is not None and since <= each.sent_at < until)

    def _usual(self, store: Store, now: Instant) -> list[Arrived]:
        """What arrived in the same hour of each of the days before, and shortly after it."""
        hour = self._hour(now) * _HOUR
        found: list[Arrived] = []
        for back in range(1, DAYS + 1):
            since = Instant(hour - back * DAY_MS)
            found += store.arrivals(since, Instant(since + _HOUR))
        return found

    def _opt_outs(self, store: Store, day: int) -> Part | None:
        """The replies of a day that ask for no more messages, beside its delivered messages."""
        for each in (day, day - 1):
            delivered = _count(store, Subject.MESSAGES, each, By.OUTCOME, {Outcome.DELIVERED})
            if delivered >= _ENOUGH:
                words = question_of_day(self._app, each).opt_out
                return Part(_count(store, Subject.REPLIES, each, By.WORD, words), delivered)
        return None

    def _backlog(self) -> Mapping[str, float] | None:
        """For how many seconds the oldest message of each queue waits; None where no queue can be asked."""
        named, uid, kinds = queue_words(self._app)
        if not (uid and kinds):  # pull is told the other one by its own options
            uid, kinds = None, ()
        if not (named or uid or self._app.config.queues):
            return None
        from smsreceipt.runs.pull import Provider, named_queues  # takes long to load

        try:
            queues = named_queues(self._app, named, uid, kinds)
            provider = Provider(self._app)
        except SmsReceiptError as exc:
            self.failures.append(exc)
            return None

        async def ask() -> dict[str, float]:
            clients = provider.lines(queues, self._app.say)
            try:
                answers = await asyncio.gather(
                    *(asyncio.wait_for(client.peek(), _PATIENCE) for client in clients), return_exceptions=True
                )
            finally:
                provider.close()
            found = {}
            absent = {q.name for q, answer in zip(queues, answers, strict=True) if isinstance(answer, QueueNotFound)}
            over = passed_over(queues, absent)
            for queue, answer in zip(queues, answers, strict=True):
                if isinstance(answer, SmsReceiptError):
                    self.failures += [answer] * (queue.name not in over)
                elif isinstance(answer, TimeoutError):
                    self.failures.append(_late(queue.name))
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    oldest = min((message.enqueued_at for message in answer), default=None)
                    waits = 0.0 if oldest is None else max(provider.clock.now() - oldest, 0) / 1000
                    found[queue.name] = waits
            return found

        found = asyncio.run(ask())
        return found if found or not self.failures else None


def _late(name: str) -> ProviderError:
    return ProviderError(_("queue {name} did not answer within {seconds:g} s", name=name, seconds=_PATIENCE))


def _refused(store: Store, now: Instant) -> Mapping[str, Refused]:
    """The pushes that each listener has answered with 503 the last time that it did, as far as it could be noted."""
    return {
        event.listener: Refused((event.until - at) / 1000, max(now - event.until, 0) / 1000, event.count)
        for at, event in read_events(store)
        if event.event == "refused"
    }


def _added(arrived: Iterable[Arrived]) -> Messages:
    messages = Messages()
    for each in arrived:
        if each.kind in _SMS:
            messages.sums.add(each.outcome, each.seconds, each.count, 0)
            if each.outcome in NOT_DELIVERED:
                messages.codes[each.code] += each.count
    return messages


def _messages(arrived: Iterable[Arrived], hour: int) -> Messages:
    """Those that were sent in the same hour of their day."""
    return _added(each for each in arrived if each.sent_at is not None and (each.sent_at // _HOUR - hour) % 24 == 0)


def _by_kind(arrived: Iterable[Arrived]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for each in arrived:
        found[each.kind] += each.count
    return found


def _no_receipt(store: Store, day: int) -> Part | None:
    """The sends of a day without any receipt; None where the ledger has none of that day."""
    sent = store.count_sends(day, day)
    if not sent:
        return None
    return Part(sum(send.outcome is None for send in store.missing(day, day)), sent)


def _count(store: Store, subject: Subject, day: int, by: By, values: Collection[str]) -> int:
    query = CountQuery(subject=subject, first_day=day, last_day=day, by=(by,), where={by: values})
    return sum(each.count for each in store.counts(query, readers_of(Nowhere())))
