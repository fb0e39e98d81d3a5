"""status tells what is unusual today, as stats does, and reads few receipts for it."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from smsreceipt.decode import decode
from smsreceipt.insight import answer
from smsreceipt.model import BEIJING, DAY_MS, Decoded, Delivery, Instant, Kind, Send, Source, beijing_day
from smsreceipt.store.figures import Figures
from tests.cli.program import NOW, Program, report

pytestmark = pytest.mark.each_engine

CARRIERS = {"138": 300, "133": 240}  # mobile and telecom: messages of an hour


def traffic(day: datetime, hours: dict[int, dict[str, float]], seed: int = 1) -> Iterator[dict[str, object]]:
    """Messages of some hours of a day; the share that fails, by the first digits of the number."""
    dice = random.Random(f"{seed} {day:%Y-%m-%d}")
    for hour, failing in hours.items():
        for prefix, count in CARRIERS.items():
            for n in range(round(count * dice.uniform(0.9, 1.1))):
                sent = day.replace(hour=hour) + timedelta(seconds=dice.randrange(3600))
                code = {"success": False, "err_code": f"CODE_{dice.randrange(10)}"}
                failed = code if dice.random() < failing.get(prefix, 0.03) else {}
                told = {"send_time": f"{sent:%F %T}", "report_time": f"{sent + timedelta(seconds=4):%F %T}", **failed}
                yield report(f"{prefix}{n * 7_919_311 % 10**8:08}", f"{sent:%m%d}{hour:02}{prefix}{n}^0", **told)


TODAY = datetime.fromtimestamp(NOW / 1000, BEIJING).replace(hour=0)
YESTERDAY = TODAY - timedelta(days=1)
QUIET: dict[int, dict[str, float]] = {hour: {} for hour in range(8, 12)}
INCIDENT = {**QUIET, 9: {"133": 0.4}, 10: {"133": 0.4}}


_decoded: dict[str, Decoded] = {}


def received(day: datetime, hours: dict[int, dict[str, float]], received_at: Instant = NOW) -> Decoded:
    """The receipts of a day, decoded once for all stores that get them."""
    name = f"{day} {hours} {received_at}"
    if name not in _decoded:
        frames = tuple(json.dumps(body).encode() for body in traffic(day, hours))
        origin = "Alicom-Queue-1000000001-SmsReport"
        _decoded[name] = decode(Delivery(frames, Kind("SmsReport"), Source.MNS, origin, received_at))
    return _decoded[name]


def keep(program: Program, hours: dict[int, dict[str, float]]) -> None:
    with closing(program.opened()) as store:
        store.keep([received(YESTERDAY, QUIET, Instant(NOW - DAY_MS)), received(TODAY, hours)])


def findings(program: Program, **seams: Any) -> Any:
    (found,) = program("status", **seams).objects
    return found["findings"]


def test_an_incident_of_today_is_shown(program: Program) -> None:
    keep(program, INCIDENT)
    (drop,) = findings(program)
    assert (drop["kind"], drop["dimension"], drop["value"]) == ("drop", "carrier", "telecom")
    assert (drop["day"], drop["from_hour"], drop["to_hour"]) == ("2026-11-21", 9, 11)
    english = program("status", "-o", "table").out
    assert "unusual    1  smsreceipt stats --date today\n" in english
    assert "\n! China Telecom 11-21 09:00–11:00: " in english
    assert "delivered" in english
    assert "\n  smsreceipt stats --date 2026-11-21 --carrier telecom --by code\n" in english
    assert max(map(len, english.splitlines())) <= 80
    chinese = program("status", "-o", "table", environ={"LANG": "zh_CN.UTF-8"}).out
    assert "异常  1  smsreceipt stats --date today\n" in chinese
    assert "\n! 中国电信 11-21 09:00–11:00：成功率" in chinese


def test_it_finds_what_stats_finds_whether_or_not_receipts_are_counted_in_advance(program: Program) -> None:
    keep(program, INCIDENT)
    before = findings(program)
    (told,) = program("stats", "--date", "today", "--json").objects  # which counts them
    assert before
    assert before == told["findings"] == findings(program)


def test_a_silence_is_shown(program: Program) -> None:
    keep(program, {8: {}})
    (silence,) = findings(program)
    assert (silence["kind"], silence["from_hour"], silence["to_hour"]) == ("silence", 9, 10)  # 10 to 12 is too young


@pytest.mark.slow
def test_on_quiet_days_nothing_is_shown(program: Program) -> None:
    days = 8  # counted in advance or not, the figures are the same; tests/insight judges thirty of them
    day = TODAY - timedelta(days=days)
    with closing(program.opened()) as store:
        store.keep([received(day, QUIET)])
    for count in range(days):
        day += timedelta(days=1)
        with closing(program.opened()) as store:
            store.keep([received(day, QUIET)])
        noon = Instant(int(day.timestamp()) * 1000 + DAY_MS // 2)
        if count % 2:
            program("stats", "--date", f"{day:%F}")
        assert findings(program, now=lambda noon=noon: noon) == [], f"{day:%F}"
    table = program("status", "-o", "table").out
    assert "unusual    0\n" in table
    assert "\n! " not in table


def test_in_the_first_hour_of_a_day_it_is_that_of_the_day_before(program: Program) -> None:
    keep(program, INCIDENT)
    midnight = Instant(NOW + DAY_MS // 2)
    (drop, *_) = findings(program, now=lambda: Instant(midnight + 3_599_000))
    assert drop["day"] == "2026-11-21"
    late = program("status", "-o", "table", now=lambda: Instant(midnight + 3_599_000)).out
    assert "smsreceipt stats --date yesterday\n" in late
    assert findings(program, now=lambda: Instant(midnight + 3_600_000)) == []


def test_settings_of_stats_count(program: Program) -> None:
    keep(program, INCIDENT)
    path = program.home / "own.toml"
    path.write_text("[stats]\ndrop-points = 60\n")
    (found,) = program("status", "--config", str(path)).objects
    assert found["findings"] == []


def test_where_many_receipts_are_not_counted_it_does_not_look(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(program, INCIDENT)
    monkeypatch.setattr(answer, "READ", 1_000)
    assert findings(program) is None
    english = program("status", "-o", "table").out
    assert "receipts are not counted yet  smsreceipt stats --date today\n" in english
    assert "回执尚未统计" in program("status", "-o", "table", environ={"LANG": "zh_CN.UTF-8"}).out
    program("stats", "--date", "today")
    assert len(findings(program)) == 1


def test_counted_receipts_are_not_read(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for carriers, nor for the sends, nor for parts that receipts do not tell and the list of sends may."""
    keep(program, {})
    day = beijing_day(NOW)
    untold = [{**body, "sms_size": ""} for body in traffic(TODAY, INCIDENT)]
    program.keep("SmsReport", *untold)
    sends = [Send(f"133{n:08}", f"{n}^0", day, None, "", "", "", 2) for n in range(10)]
    with closing(program.opened()) as store:
        store.add_sends(sends)
    program("stats", "--date", "today")
    with closing(program.opened()) as store:
        assert isinstance(store, Figures)
        engine = type(store._counts())
    read: list[int] = []
    messages = engine.messages

    def counted(self: Any, query: Any, columns: Any, after: int = 0) -> Any:
        for row in messages(self, query, columns, after):
            read.append(1)
            yield row

    monkeypatch.setattr(engine, "messages", counted)
    monkeypatch.setattr(engine, "sends", None)
    assert len(findings(program)) == 1
    assert read == []


def test_a_file_of_number_ranges_that_is_gone_costs_no_status(program: Program) -> None:
    keep(program, {})
    path = program.home / "own.toml"
    path.write_text("[stats]\nprefixes = 'gone.dat'\n")
    ended = program("status", "--config", str(path))
    assert (ended.code, ended.objects[0]["findings"]) == (0, None)
    assert "gone.dat" in ended.err


def test_changes_of_counted_receipts_are_read_too(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(program, INCIDENT)
    program("stats", "--date", "today")
    monkeypatch.setattr(answer, "READ", 110)
    later = [{**body, "report_time": "2026-11-21 11:59:59"} for body in islice(traffic(YESTERDAY, QUIET), 60)]
    program.keep("SmsReport", *later[:50])  # 50 statements, and 50 others are not current any more
    assert len(findings(program)) == 1
    program.keep("SmsReport", *later[50:])
    assert findings(program) is None
