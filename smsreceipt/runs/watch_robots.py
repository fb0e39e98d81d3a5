"""Tells robots about alarms, and notes what they were told, so that no alarm is told twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import msgspec

from smsreceipt.app import App
from smsreceipt.errors import StoreUnavailable, UsageError
from smsreceipt.insight.alarms import telling, texts
from smsreceipt.insight.alarms.rules import Rule
from smsreceipt.insight.alarms.state import Alarm, Alarms
from smsreceipt.insight.alarms.telling import Due, Told
from smsreceipt.language import _
from smsreceipt.notify.message import Attachment, Item, Message
from smsreceipt.notify.robots import NotTold, Robot, robots_of
from smsreceipt.output.formatting import wall_clock
from smsreceipt.output.objects.alarms import ALARMS, TRIED, Tried
from smsreceipt.output.printer import print_rows
from smsreceipt.runs.access import proxies
from smsreceipt.store import Store

T = TypeVar("T", Alarm, Told)

TOPIC = "watch"
_ROBOT = "robot "
_ALARM = "alarm "
_TRIES = 3  # to note that a robot was told


def robots(app: App, notify: Sequence[str]) -> list[Robot]:
    """The robots of --notify. Raises UsageError."""
    return robots_of(notify, app.environ, app.home, proxies(app), lambda: app.now() / 1000)


def read_alarms(notes: dict[str, str]) -> dict[str, Alarm]:
    """The alarms in the notes; what a newer version wrote and this one cannot read is left out."""
    found = {}
    for name, text in notes.items():
        if name.startswith(_ALARM) and (alarm := _decoded(text, Alarm)) is not None:
            found[alarm.key] = alarm
    return found


def write_alarms(store: Store, before: Alarms, changed: dict[str, Alarm | None]) -> bool:
    """Note changed alarms; False, and nothing noted, where another process has changed one of them."""
    notes = store.notes(TOPIC)
    if any(_decoded(notes.get(_ALARM + key, ""), Alarm) != before.get(key) for key in changed):
        return False
    new = {_ALARM + key: None if alarm is None else _encoded(alarm) for key, alarm in changed.items()}
    return store.write_notes(TOPIC, new, expected={name: notes.get(name) for name in new})


def _encoded(value: Alarm | Told) -> str:
    return msgspec.json.encode(value).decode()


def _decoded(text: str, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError):
        return None


class Teller:
    """Tells some robots about alarms of some rules."""

    def __init__(
        self,
        app: App,
        robots: Sequence[Robot],
        rules: Collection[Rule],
        *,
        repeat: float,
        report: Callable[[Store], Attachment | None],
        wait: Callable[[float], bool],
    ) -> None:
        """*repeat*: seconds. *report* makes the report for e-mail. *wait*: as in Robot.tell."""
        self._app, self._robots, self._rules, self._repeat = app, robots, rules, repeat
        self._report, self._wait = report, wait

    def pending(self, notes: dict[str, str], alarms: Alarms) -> bool:
        """Whether any robot is to be told something now."""
        return any(self._due(_told(robot, notes), alarms) for robot in self._robots)

    def _due(self, told: Told, alarms: Alarms) -> list[Due]:
        return telling.due(told, alarms, self._rules, self._app.now(), self._repeat)

    def tell(self, store: Store, alarms: Alarms) -> list[NotTold]:
        """Tell every robot what it is to be told; return the failures.

        A robot is claimed in the store before, so that no other process tells it too. After a kill between telling and
        noting, it is told once more when the claim has ended.
        """
        failures = []
        for robot in self._robots:
            notes = store.notes(TOPIC)
            told = _told(robot, dict(notes))
            items = self._due(told, alarms)
            name = _ROBOT + robot.key
            claim = telling.claimed(told, items, self._app.now())
            if not items or not _swap(store, name, notes.get(name), _encoded(claim)):
                continue
            try:
                robot.tell(self._message(items, robot, store), self._wait)
                after = telling.confirmed(told, items, self._app.now())
            except NotTold as exc:
                failures.append(_of_robot(robot, exc))
                after = telling.failed(claim, self._app.now(), exc.pause)
            except BaseException:
                _swap(store, name, _encoded(claim), _encoded(telling.failed(claim, self._app.now(), 0.0)))
                raise
            _swap(store, name, _encoded(claim), _encoded(after))
        return failures

    def _message(self, items: Sequence[Due], robot: Robot, store: Store) -> Message:
        attached = self._report(store) if robot.wants_report else None
        return message(items, chinese=self._app.chinese, attachments=[attached] if attached else [])


def _of_robot(robot: Robot, exc: NotTold) -> NotTold:
    """The failure with the name of the robot."""
    return NotTold(_("{what}: {reason}", what=robot.name, reason=exc))


def _told(robot: Robot, notes: dict[str, str]) -> Told:
    return _decoded(notes.get(_ROBOT + robot.key, ""), Told) or Told()


def _swap(store: Store, name: str, before: str | None, after: str) -> bool:
    """Replace a note; False where it is not as before. Another process may hold the store for a moment."""
    for left in reversed(range(_TRIES)):
        try:
            return store.write_notes(TOPIC, {name: after}, expected={name: before})
        except StoreUnavailable:
            if not left:
                raise
    raise AssertionError  # pragma: no cover - the last try returns or raises


def message(items: Sequence[Due], *, chinese: bool, attachments: Sequence[Attachment] = ()) -> Message:
    """The message about some alarms, in one of the two languages."""
    firing = sum(each.alarm.firing for each in items)
    cleared = len(items) - firing
    if chinese:
        counts = [f"{firing} 项告警"] * bool(firing) + [f"{cleared} 项恢复"] * bool(cleared)
        title, rest = f"smsreceipt：{'，'.join(counts)}", "… 另有 {} 项：smsreceipt watch --once"
    else:
        counts = [f"{firing} alarm{'s' * (firing > 1)}"] * bool(firing) + [f"{cleared} cleared"] * bool(cleared)
        title, rest = f"smsreceipt: {', '.join(counts)}", "… {} more: smsreceipt watch --once"
    return Message(title, [_item(each, chinese=chinese) for each in items], rest, attachments)


def _item(due: Due, *, chinese: bool) -> Item:
    alarm = due.alarm
    text = texts.chinese(alarm) if chinese else texts.english(alarm)
    if due.again:
        began = wall_clock(alarm.fired_at)
        text += f"（自 {began} 起）" if chinese else f" (since {began} Beijing time)"
    record = msgspec.structs.asdict(ALARMS.record(alarm))
    return Item(text, texts.command(alarm) if alarm.firing else "", alarm.firing, record)


def test(app: App, notify: Sequence[str]) -> None:
    """Send a test message to every robot; print what came of each. Exit code 5 if one was not told."""
    english, in_chinese = "test: alarms come here", "测试消息：告警会发到这里。"
    record = {"rule": "test", "state": "test", "text_en": english, "text_zh": in_chinese}
    text = in_chinese if app.chinese else english
    sent = Message("smsreceipt：测试" if app.chinese else "smsreceipt: test", [Item(text, "", False, record)])
    failures: list[NotTold] = []
    rows: list[Tried] = []
    for robot in robots(app, notify):
        began = time.monotonic()
        trouble = ""
        try:
            robot.tell(sent, lambda _seconds: True)
        except NotTold as exc:
            failures.append(_of_robot(robot, exc))
            trouble = str(exc)
        rows.append(Tried(robot.name, not trouble, round(time.monotonic() - began, 3), trouble))
    if not rows:
        raise UsageError(
            _("there is no robot to test"),
            hint=_("Name one: {example}", example="--notify dingtalk:env:DINGTALK_URL"),
        )
    print_rows(app, TRIED, rows)
    for failure in failures:
        app.error(failure)
        app.end_with(failure.exit_code)
