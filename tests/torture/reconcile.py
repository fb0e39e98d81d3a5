"""Days with lost receipts, compared: as they are, killed again and again, and with a provider that fails.

The truth is that of the day that was made up; what the store says in the end is held against it, send by send.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from smsreceipt.decode import decode
from smsreceipt.ingest import take
from smsreceipt.model import BEIJING, Answer, Delivery, Instant, Kind, Outcome, Send, Source, beijing_day
from smsreceipt.sandbox.sms.details import Pages
from smsreceipt.store import Query, SendQuery, StoredSend
from smsreceipt.store.sqlite.store import open_reader, open_store
from tests.bench.day import Day, make_day
from tests.torture.world import Ended, World, kill, until

Pair = tuple[str, str]  #: (phone, BizId)

#: At 10 % each; "stall" is the call that is never answered.
FAULTS = ("throttle", "stall", "500", "repeat", "shift", "short")
_OUTCOMES = {
    "with_receipt": (Outcome.DELIVERED, Outcome.FAILED),
    "compensated_delivered": (Outcome.DELIVERED,),
    "compensated_failed": (Outcome.FAILED,),
    "still_waiting": (Outcome.PENDING, None),
    "no_record": (None,),
}
_questions: dict[int, list[tuple[str, str, str]]] = {}  # a provider's records --> (phone, day, BizId) of each question


def _noting(page: Any) -> Any:
    def noted(pages: Pages, phone: str, day: str, biz_id: str, number: int, size: int) -> Any:
        _questions.setdefault(id(pages._sends), []).append((phone, day, biz_id))
        return page(pages, phone, day, biz_id, number, size)

    return noted


patch.object(Pages, "page", _noting(Pages.page)).start()


@dataclass
class Judged:
    """What is wrong, and what it took."""

    faults: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        figures = " ".join(f"{name}={value}" for name, value in self.figures.items())
        return f"{figures} {'; '.join(map(str, self.faults[:4])) or 'ok'}"


class Company(World):
    """A world with a day behind it: its list of sends and the receipts that came are in the store."""

    def __init__(
        self, sends: int, *, bug: str = "", seed: int = 5, shares: Mapping[str, float], **options: Any
    ) -> None:
        super().__init__(bug=bug, seed=seed, **options)
        date = (datetime.now(BEIJING) - timedelta(days=3)).date()
        self.day: Day = make_day(seed, date, sends, max(sends * 6 // 10, 1), **shares)
        self.sandbox.remember(self.day.record())
        _questions[id(self.sandbox._sms._pages._sends)] = []  # not those of one that is gone
        self._fill()

    def _fill(self) -> None:
        bodies = tuple(json.dumps(body).encode() for body in self.day.receipts())
        with closing(open_store(self.store)) as store:
            store.add_sends([*map(_send, self.day.sends)])
            for first in range(0, len(bodies), 4_000):
                frames = bodies[first : first + 4_000]
                take([decode(Delivery(frames, Kind("SmsReport"), Source.MNS, "queue", _NOW))], store)

    @property
    def questions(self) -> list[tuple[str, str, str]]:
        """What the provider was asked, page by page."""
        return _questions.setdefault(id(self.sandbox._sms._pages._sends), [])

    def reconcile_words(self, qps: int) -> list[str]:
        days = sorted({beijing_day(_at(truth.noted)) for truth in self.day.sends})
        begin, end = (f"{datetime.fromtimestamp(day * 86_400, BEIJING):%Y-%m-%d}" for day in (days[0], days[-1]))
        return self.words("reconcile", "--from", begin, "--to", end, "--qps", str(qps), "--workers", "32", "--json",
                          "--no-totals")  # fmt: skip

    def reconcile(self, qps: int = 5000, **env: str) -> tuple[Ended, dict[str, Any]]:
        """One comparison to its end; its summary must balance."""
        ended = self.run(self.reconcile_words(qps), timeout=600, **env)
        try:
            summary: dict[str, Any] = json.loads(ended.out)
        except ValueError:
            self.faults.append(f"no summary, exit {ended.code}: {ended.err.strip()[-200:]}")
            return ended, {}
        missing = ("compensated_delivered", "compensated_failed", "still_waiting", "no_record", "unasked")
        whole = ("with_receipt", "young", "too_late", "missing")
        if summary["missing"] != sum(summary[name] for name in missing):
            self.faults.append(f"missing does not balance: {summary}")
        if summary["sent"] != sum(summary[name] for name in whole) or summary["sent"] != len(self.day.sends):
            self.faults.append(f"sent does not balance: {summary}")
        return ended, summary

    def rows(self) -> Iterator[StoredSend]:
        with closing(open_reader(self.store)) as store:
            yield from store.sends(SendQuery())

    def settled(self) -> set[Pair]:
        """What was asked and answered, by the notes in the store."""
        return {(row.send.phone, row.send.biz_id) for row in self.rows() if row.answer is not None}

    def state(self) -> dict[Pair, tuple[object, ...]]:
        """What the store says of every send: outcome, code, and the provider's answer."""
        with closing(open_reader(self.store)) as store:
            reports = [one.receipt for one in store.list(Query(kinds=["SmsReport"]))]
            codes = {(one.phone, one.biz_id): one.code for one in reports}
        pairs = ((row, (row.send.phone, row.send.biz_id)) for row in self.rows())
        return {pair: (row.outcome, codes.get(pair), row.answer) for row, pair in pairs}

    def hold_against_truth(self) -> Judged:
        """Every lost one that the provider knows is there, with the right end; of no other is anything claimed."""
        judged = Judged(list(self.faults))
        state = self.state()
        for truth in self.day.sends:
            outcome, code, answer = state.get((truth.send.phone, truth.send.biz_id), ("absent", None, None))
            right = outcome in _OUTCOMES[truth.label]
            if truth.label.startswith("compensated_failed"):
                right = right and code == truth.send.code
            if truth.label == "no_record":
                right = right and answer is Answer.NO_RECORD
            if not right:
                judged.faults.append(f"{truth.label}: {outcome}, {code}, {answer}")
        return judged


def _at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000))


_NOW = _at(time.time())


def _send(truth: Any) -> Send:
    at, sent = _at(truth.noted), truth.send
    return Send(sent.phone, sent.biz_id, beijing_day(at), at, sent.out_id, sent.template_code, sent.sign_name, None)


def _labels(summary: Mapping[str, Any], labels: Mapping[str, int]) -> Iterator[str]:
    for label, count in labels.items():
        if summary.get(label) != count:
            yield f"{label}: {summary.get(label)} instead of {count}"


SHARES = {"lost": 0.03, "waiting": 0.002, "absent": 0.001}


def day(sends: int, *, bug: str = "", shares: Mapping[str, float] = SHARES) -> Judged:
    """A day as it is; then a second comparison, which may only ask about what can change."""
    with Company(sends, bug=bug, shares=shares) as world:
        ended, summary = world.reconcile()
        labels = world.day.labels()
        judged = world.hold_against_truth()
        judged.faults += [] if ended.code == 0 else [f"exit {ended.code}"]
        judged.faults += _labels(summary, labels)
        waiting = {(truth.send.phone, truth.send.biz_id) for truth in world.day.sends if truth.label == "still_waiting"}
        before = len(world.questions)
        _, again = world.reconcile()
        phones = {phone for phone, _ in waiting}
        useless = sum(phone not in phones for phone, _, _ in world.questions[before:])
        if useless or again.get("api_calls", 0) > len(waiting):
            judged.faults.append(f"the second run made {useless} useless calls of {again.get('api_calls')}")
        missing = sum(truth.missing for truth in world.day.sends)
        judged.faults += world.faults
        judged.figures = {
            "sends": sends, "missing": missing, "api_calls": summary.get("api_calls"),
            "theoretical_least": least(world.day), "one_per_missing_send": missing,
            "second_run": again.get("api_calls"), "seconds": f"{ended.seconds:.1f}",
        }  # fmt: skip
        return judged


def least(day: Day) -> int:
    """One call for each number and Beijing day with something missing."""
    return len({(truth.send.phone, beijing_day(_at(truth.noted))) for truth in day.sends if truth.missing})


def killed(kills: int, sends: int, *, bug: str = "", seed: int = 1, qps: int = 200, lost: float = 0.03) -> Judged:
    """Kill so many comparisons; the next one goes on: the same end, and nothing finished is asked for again."""
    dice = random.Random(seed)
    with Company(sends, bug=bug, shares={**SHARES, "lost": lost}) as world:
        again: Counter[Pair] = Counter()
        in_time = 0
        for _ in range(kills):
            done, asked = world.settled(), len(world.questions)
            in_time += _kill_one(world, dice, qps)
            again.update(_repeated(world.questions[asked:], done))
            if bug and again:  # found
                break
        done, asked = world.settled(), len(world.questions)
        _, summary = world.reconcile()
        again.update(_repeated(world.questions[asked:], done))
        judged = world.hold_against_truth()
        if again:
            judged.faults.append(f"{again.total()} finished pairs were asked about again")
        judged.faults += [fault for fault in world.faults if fault not in judged.faults]
        judged.figures = {
            "killed": in_time, "missing": sum(truth.missing for truth in world.day.sends),
            "questions": len(world.questions), "least": least(world.day), "last_run": summary.get("api_calls"),
        }  # fmt: skip
        return judged


def _kill_one(world: Company, dice: random.Random, qps: int) -> bool:
    """Start a comparison, and kill it within a quarter of a second of its first call."""
    asked = len(world.questions)
    process = world.start(world.reconcile_words(qps))
    until(lambda: len(world.questions) > asked or process.poll() is not None)
    time.sleep(dice.uniform(0, 0.25))
    in_time = process.poll() is None
    kill(process)
    time.sleep(0.05)  # for questions that are still on their way
    return in_time


def _repeated(questions: Iterable[tuple[str, str, str]], done: set[Pair]) -> Iterator[Pair]:
    return ((phone, biz_id) for phone, _, biz_id in questions if (phone, biz_id) in done)


def failing(
    faults: tuple[str, ...], sends: int, *, share: float = 0.1, qps: int = 200, lost: float = 0.03, bug: str = "hasty"
) -> Judged:
    """A provider that fails so often in each of these ways: the same end, never faster than it was told."""
    shares = {**SHARES, "lost": lost}
    with Company(sends, bug=bug, shares=shares, faults=dict.fromkeys(faults, share)) as world:
        runs, code, pace = 0, 5, 0
        while code in {3, 5} and runs < 6:  # the retry budget of a single call may be spent: run again
            ended, _ = world.reconcile(qps, TORTURE_PACE=str(world.folder / "pace"))
            code = ended.code
            runs += 1
            pace = max(pace, busiest([float(line) for line in (world.folder / "pace").read_text().split()]))
        judged = world.hold_against_truth()
        if pace > qps * 1.01:
            judged.faults.append(f"{pace} calls in a second, told to make {qps}")
        if code:
            judged.faults.append(f"ended with {code}: {ended.err.strip()[-200:]}")
        state = world.sandbox.state()
        calls, peaks = state["calls"], state["peaks"]
        assert isinstance(calls, dict)
        assert isinstance(peaks, dict)
        # As they arrive, calls come a little nearer together wherever this machine hesitates.
        arrived = peaks.get("QuerySendDetails", 0)
        if arrived > qps * 1.25:
            judged.faults.append(f"{arrived} calls arrived in a second, told to make {qps}")
        judged.figures = {
            "runs": runs, "calls": calls.get("QuerySendDetails"), "least": least(world.day),
            "peak": pace, "peak_of_arrivals": arrived,
        }  # fmt: skip
        return judged


def busiest(times: Sequence[float]) -> int:
    """The most of these moments within any one second."""
    ordered, most, oldest = sorted(times), 0, 0
    for index, moment in enumerate(ordered):
        while ordered[oldest] <= moment - 1:
            oldest += 1
        most = max(most, index - oldest + 1)
    return most


#: Bugs, and who must find them.
PLANTED = ("guess", "mark-first", "no-marks", "no-midnight", "rush")


def caught(bug: str, sends: int = 3_000) -> Judged:
    """What the harness says of a program with this bug; a program that does not even run is not caught."""
    if bug in {"guess", "no-midnight"}:
        judged = day(sends, bug=bug, shares={**SHARES, "lost": 0.3})
    elif bug == "rush":
        judged = failing(("500",), sends, bug=bug, lost=0.3)
    else:
        judged = killed(12, sends, bug=bug, lost=0.3)
    judged.faults = [] if any("traceback" in fault for fault in judged.faults) else judged.faults
    return judged


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    good = True
    for bug in PLANTED:
        judged = caught(bug)
        print(f"reconcile, planted {bug}: {'caught' if not judged.good else 'NOT CAUGHT'}: {judged}", flush=True)
        good &= not judged.good
    judged = day(100_000 if full else 20_000)
    print(f"reconcile, a day: {judged}", flush=True)
    good &= judged.good
    judged = killed(*((100, 100_000) if full else (10, 10_000)))
    print(f"reconcile, killed: {judged}", flush=True)
    good &= judged.good
    sets = [*((fault,) for fault in FAULTS), ("total",), ("empty",), FAULTS]
    for faults in sets if full else [FAULTS]:
        judged = failing(faults, 20_000 if full else 5_000)
        print(f"reconcile, {' '.join(faults)} at 10 %: {judged}", flush=True)
        good &= judged.good
    return good
