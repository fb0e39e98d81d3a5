"""Rules, the states of alarms, and what robots are told: whatever the history, never twice, always to the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.insight.alarms import telling, texts
from smsreceipt.insight.alarms.figures import Figures, Messages, Part, Refused
from smsreceipt.insight.alarms.judge import plain
from smsreceipt.insight.alarms.rules import DEFAULTS, Rule, parse, thresholds
from smsreceipt.insight.alarms.state import Alarm
from smsreceipt.insight.alarms.step import stepped
from smsreceipt.insight.alarms.telling import Told
from smsreceipt.insight.measure import Sums
from smsreceipt.model import Instant

MINUTE = 60_000
HOUR = 60 * MINUTE
START = Instant(1_795_000_000_000)


def messages(delivered: int = 970, failed: int = 30, seconds: int = 4, code: str = "UNDELIV") -> Messages:
    sums = Sums()
    sums.add("delivered", seconds, delivered, 0)
    sums.add("failed", None, failed, 0)
    return Messages(sums, Counter({code: failed}))


USUAL = messages(67_900, 2_100)


def came(minutes: int) -> dict[str, Instant]:
    return {"SmsReport": Instant(START - minutes * MINUTE)}


def figures(now: int = START, **more: Any) -> Figures:
    return Figures(now=Instant(now), **{"recent": messages(), "usual": USUAL, **more})


class Alarms:
    """The alarms of a history of figures."""

    def __init__(self, **only: float) -> None:
        self.rules = {Rule(name): value for name, value in only.items()} or dict(DEFAULTS)
        self.now: dict[str, Alarm] = {}
        self.changes: list[tuple[str, bool]] = []

    def look(self, figures: Figures) -> None:
        for key, alarm in stepped(figures, self.rules, self.now).items():
            before = self.now.get(key)
            if alarm is None:
                del self.now[key]
                continue
            if alarm.firing != (before is not None and before.firing):
                self.changes.append((key, alarm.firing))
            self.now[key] = alarm

    @property
    def firing(self) -> set[str]:
        return {key for key, alarm in self.now.items() if alarm.firing}


@pytest.mark.parametrize(
    ("more", "fires"),
    [
        ({}, set()),
        ({"recent": messages(650, 350)}, {"rate", "code:UNDELIV"}),
        ({"recent": messages(940, 60)}, set()),  # 3 points: too little
        ({"recent": messages(130, 69)}, {"code:UNDELIV"}),  # 199 messages tell nothing about the rate
        ({"recent": messages(seconds=14)}, {"latency"}),
        ({"recent": messages(seconds=13)}, set()),
        ({"recent": messages(970, 30, code="ISP_NEW")}, set()),  # 30 of them
        ({"recent": messages(940, 60, code="ISP_NEW")}, {"code:ISP_NEW"}),
        ({"last_received": came(31), "arrivals": {"SmsReport": 140}}, {"silence:SmsReport"}),
        ({"last_received": came(31), "arrivals": {"SmsReport": 139}}, set()),
        ({"last_received": came(29), "arrivals": {"SmsReport": 9000}}, set()),
        ({"backlog": {"a": 601.0, "b": 599.0}}, {"backlog:a"}),
        ({"rejects": 1}, {"rejects"}),
        ({"conflicts": 2}, {"conflicts"}),
        ({"no_receipt": Part(5, 1000)}, {"no_receipt"}),
        ({"no_receipt": Part(4, 1000)}, set()),
        ({"opt_outs": Part(4, 1000)}, {"optout"}),
        ({"free": 1000}, {"disk"}),
        ({"last_received": {"SmsUp": Instant(START - 25 * HOUR)}, "receiving": True}, {"fresh"}),
        ({"last_received": {"SmsUp": Instant(START - 25 * HOUR)}}, set()),
        ({"recent": Messages(), "usual": Messages()}, set()),
        ({"recent": messages(10, 990), "usual": Messages()}, set()),
        ({"recent": None, "usual": None}, set()),
    ],
)  # fmt: skip
def test_each_rule_fires_by_its_definition(more: dict[str, Any], fires: set[str]) -> None:
    alarms = Alarms()
    alarms.look(figures(**more))
    assert alarms.firing == fires


def test_an_absolute_limit_needs_no_history() -> None:
    alarms = Alarms(rate=0.98, latency=3.0)
    alarms.look(figures(usual=Messages()))
    assert alarms.firing == {"rate", "latency"}


def test_a_rate_clears_when_two_windows_in_a_row_are_good() -> None:
    alarms = Alarms(rate=0.0)
    bad = messages(650, 350)
    for minute, recent in [(0, bad), (1, messages()), (5, bad), (6, messages()), (20, messages()), (21, messages())]:
        alarms.look(figures(START + minute * MINUTE, recent=recent))
        assert (alarms.firing == {"rate"}) == (minute < 21), minute
    assert alarms.changes == [("rate", True), ("rate", False)]


def test_pushes_that_a_listener_refuses_are_a_backlog() -> None:
    alarms = Alarms(backlog=600.0)
    key = "backlog:listen a 127.0.0.1:8080"
    for minute, lasted, ago, firing in (
        (0, 599.0, 0.0, False),
        (1, 601.0, 60.0, True),
        (2, 601.0, 600.0, True),  # so that a look every ten minutes sees it
        (3, 601.0, 601.0, False),
        (4, 700.0, 0.0, True),
        (5, 400.0, 0.0, True),  # another spell
        (6, 299.0, 0.0, False),
    ):
        refused = {"a 127.0.0.1:8080": Refused(lasted, ago, 77)}
        alarms.look(figures(START + minute * MINUTE, refused=refused))
        assert alarms.firing == ({key} if firing else set()), minute
    alarm = alarms.now[key]
    assert texts.command(alarm) == "smsreceipt outages"
    assert texts.english(alarm) == "cleared: listen a 127.0.0.1:8080 answers no push with 503"
    assert texts.chinese(alarm) == "已恢复：listen a 127.0.0.1:8080 不再返回 503"


def test_a_backlog_clears_below_half_and_a_queue_that_is_gone_clears_too() -> None:
    alarms = Alarms(backlog=600.0)
    for minute, waits in [(0, 700.0), (1, 400.0), (2, 299.0)]:
        alarms.look(figures(START + minute * MINUTE, backlog={"a": waits, "b": 700.0}))
    assert alarms.firing == {"backlog:b"}
    alarms.look(figures(START + 3 * MINUTE, backlog=None))  # the queues could not be asked
    assert alarms.firing == {"backlog:b"}
    alarms.look(figures(START + 4 * MINUTE, backlog={"a": 0.0}))
    assert alarms.firing == set()


def test_conflicts_clear_after_a_day_without_new_ones_and_old_ones_never_fire_again() -> None:
    alarms = Alarms(conflicts=1)
    for hour, count in [(0, 2), (20, 4), (43, 4)]:
        alarms.look(figures(START + hour * HOUR, conflicts=count))
        assert alarms.firing == {"conflicts"}, hour
    alarms.look(figures(START + 44 * HOUR, conflicts=4))
    assert alarms.firing == set()
    alarms.look(figures(START + 45 * HOUR, conflicts=4))
    assert alarms.firing == set()
    alarms.look(figures(START + 46 * HOUR, conflicts=5))
    assert alarms.now["conflicts"].value == 1
    assert alarms.firing == {"conflicts"}


def test_rules_that_are_off_leave_their_alarms_alone() -> None:
    alarms = Alarms()
    alarms.look(figures(rejects=3))
    alarms.rules = {Rule.DISK: 1.0}
    alarms.look(figures(START + HOUR, rejects=0))
    assert alarms.firing == {"rejects"}


@pytest.mark.parametrize(
    ("code", "shown"),
    [("MOBILE_IN_BLACK", "MOBILE_IN_BLACK"), ("MK:0001", "MK:0001"), ("13800001234", "other"), ("您好", "other"),
     ("a b", "other"), ("", "other"), ("x" * 41, "other"), ("tel13800001234", "other"), ("1\n2", "other")],
)  # fmt: skip
def test_a_code_that_may_be_a_number_or_a_text_is_not_told(code: str, shown: str) -> None:
    assert plain(code) == shown


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["rate=0.9"], {Rule.RATE: 0.9}),
        (["rate=90%"], {Rule.RATE: 0.9}),
        (["silence=45m", "backlog=1.5h"], {Rule.SILENCE: 2700.0, Rule.BACKLOG: 5400.0}),
        (["disk=1GiB", "no-receipt=1%"], {Rule.DISK: float(1 << 30), Rule.NO_RECEIPT: 0.01}),
        (["rejects=10", "rejects"], {}),
    ],
)
def test_thresholds_are_read(given: list[str], expected: dict[Rule, float]) -> None:
    assert thresholds(given) == {**DEFAULTS, **expected}


def test_rules_are_switched_off_and_on_in_their_order() -> None:
    assert thresholds(["all=off", "disk", "rate=0.5"]) == {Rule.DISK: DEFAULTS[Rule.DISK], Rule.RATE: 0.5}
    assert thresholds(["disk", "all=off"]) == {}


def test_a_misspelt_rule_is_told_which_one_is_near() -> None:
    with pytest.raises(ValueError, match=r"no rule 'silnce=3m'.*; did you mean silence\?"):
        parse("silnce=3m")


@pytest.mark.parametrize("text", ["speed", "rate=2", "rate=", "rejects=0", "silence=soon", "all=5", "=off", "disk=-1"])
def test_what_is_no_rule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"no rule|no threshold"):
        parse(text)


def test_every_rule_has_its_sentences() -> None:
    for rule in Rule:
        for firing in (True, False):
            for usual in (None, 0.97):
                usually = 30.0 if rule is Rule.SILENCE else usual
                times = dict.fromkeys(("since", "fired_at", "risen_at"), START)
                alarm = Alarm(rule=rule, dimension="a", firing=firing, value=3, threshold=2, usual=usually, **times)
                assert texts.english(alarm)
                assert not texts.english(alarm).startswith("cleared") or not firing
                assert texts.chinese(alarm)
                assert texts.command(alarm).startswith("smsreceipt ")


class Robots:
    """A store's notes about one robot, and a watcher that may be killed between any two steps."""

    def __init__(self) -> None:
        self.alarms = Alarms(rejects=1, rate=0.0, conflicts=1)
        self.told = Told()
        self.messages: list[tuple[str, bool, int, bool]] = []
        self.kills: Counter[tuple[str, int, bool]] = Counter()  # after it was told and before that was noted

    def look(self, figures: Figures, kill: str, down: bool) -> None:
        self.alarms.look(figures)
        now = figures.now
        items = telling.due(self.told, self.alarms.now, self.alarms.rules, now, 3600)
        if not items:
            return
        before = self.told
        claim = self.told = self.stored(telling.claimed(before, items, now))
        if kill == "claimed":
            return
        if down:
            self.told = self.stored(telling.failed(claim, now, 0))
            return
        self.messages += [(item.alarm.key, item.alarm.firing, item.alarm.fired_at, item.again) for item in items]
        if kill == "told":
            self.kills.update((item.alarm.key, item.alarm.fired_at, item.alarm.firing) for item in items)
            return
        self.told = self.stored(telling.confirmed(before, items, now))

    @staticmethod
    def stored(told: Told) -> Told:
        return msgspec.json.decode(msgspec.json.encode(told), type=Told)


LOOKS = st.lists(
    st.tuples(
        st.integers(1, 40),  # minutes since the last look
        st.integers(0, 3),  # rejects
        st.booleans(),  # the rate is bad
        st.integers(0, 1),  # new conflicts
        st.sampled_from(["", "", "", "claimed", "told"]),
        st.sampled_from([False, False, True]),  # the robot is down
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(LOOKS)
def test_whatever_happens_nothing_is_told_twice_and_all_is_cleared(looks: list[Any]) -> None:
    robots = Robots()
    at, conflicts = int(START), 0
    for minutes, rejects, bad, new, kill, down in looks:
        at += minutes * MINUTE
        conflicts += new
        recent = messages(650, 350) if bad else messages()
        robots.look(figures(at, rejects=rejects, recent=recent, conflicts=conflicts), kill, down)
    for _ in range(40):  # all is good, and stays so
        at += HOUR
        robots.look(figures(at, rejects=0, conflicts=conflicts), "", down=False)
    assert robots.alarms.firing == set()
    assert robots.told.alarms == {}
    counts = Counter((key, fired_at, firing) for key, firing, fired_at, again in robots.messages if not again)
    for told, count in counts.items():
        assert count <= 1 + robots.kills[told]
    told_firing = {(key, fired_at) for key, fired_at, firing in counts if firing}
    ended = {key: fired_at for key, fired_at, firing in counts if not firing}
    for key, fired_at in told_firing:  # the last episode of each was told to be over
        assert ended.get(key, 0) >= fired_at or any(other == key and later > fired_at for other, later in told_firing)


def test_a_robot_is_told_once_again_after_repeat_and_once_when_it_clears() -> None:
    robots = Robots()
    for minute in range(150):
        robots.look(figures(START + minute * MINUTE, rejects=0 if minute > 130 else 2), "", down=False)
    assert [(key, firing, again) for key, firing, _, again in robots.messages] == [
        ("rejects", True, False),
        ("rejects", True, True),
        ("rejects", True, True),
        ("rejects", False, False),
    ]


def test_what_comes_within_a_minute_is_merged_into_the_next_message() -> None:
    robots = Robots()
    seen: list[int] = []
    for second in (0, 20, 40, 61):
        more = {"rejects": 1, "conflicts": int(second > 0), "recent": messages(1, 999) if second >= 40 else messages()}
        robots.look(figures(START + second * 1000, **more), "", down=False)
        seen.append(len(robots.messages))
    assert seen == [1, 1, 1, 3]


def test_a_claim_keeps_others_away_until_it_ends_even_if_the_clock_is_put_back() -> None:
    robots = Robots()
    robots.look(figures(START, rejects=1), "claimed", down=False)
    robots.look(figures(START + MINUTE, rejects=1), "", down=False)
    assert robots.messages == []
    robots.look(figures(START - 24 * HOUR, rejects=1), "", down=False)
    assert len(robots.messages) == 1


def test_a_conflict_is_told_again_only_when_there_are_more() -> None:
    robots = Robots()
    for hour, count in enumerate([1, 1, 1, 3, 3]):
        robots.look(figures(START + hour * HOUR, conflicts=count), "", down=False)
    assert [again for *_, again in robots.messages] == [False, True]
