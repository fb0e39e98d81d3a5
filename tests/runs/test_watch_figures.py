"""The figures that watch gathers from a store."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from smsreceipt.insight.alarms.figures import Part
from smsreceipt.insight.alarms.rules import DEFAULTS, Rule
from smsreceipt.model import Instant, Send, beijing_day, start_of_day
from smsreceipt.runs.watch_figures import Gatherer
from tests.cli.program import NOW, REPLY, Program, report

DAY = 86_400_000


def test_opt_outs_and_missing_receipts_are_parts_of_their_days(tmp_path: Path) -> None:
    program = Program(tmp_path)
    today = {"send_time": "2026-11-21 08:00:00", "report_time": "2026-11-21 08:00:04"}
    program.keep("SmsReport", *(report(f"138{n:08}", f"{n}^0", **today) for n in range(1000)))
    words = ["退订", " td。", "t", "好的", "请不要再发了"]
    times = {"send_time": "2026-11-21 09:00:00"}
    program.keep("SmsUp", *({**REPLY, **times, "sequence_id": n, "content": word} for n, word in enumerate(words)))
    day = beijing_day(NOW) - 4
    at = Instant(start_of_day(day) + DAY // 2)
    store = program.opened()
    try:
        store.add_sends([Send(f"139{n:08}", f"old{n}^0", day, at, "", "", "", 1) for n in range(10)])
    finally:
        store.close()
    old = {"send_time": "2026-11-17 12:00:00", "report_time": "2026-11-17 12:00:04"}
    program.keep("SmsReport", *(report(f"139{n:08}", f"old{n}^0", **old) for n in range(7)))
    waiting = {**old, "success": False, "err_code": "REQUEST_SUCCESS"}
    program.keep("SmsReport", report("13900000007", "old7^0", **waiting))
    program("status")
    store = program.opened()
    try:
        figures = Gatherer(program.app, [*DEFAULTS], 900).figures(store)
        assert figures.opt_outs == Part(3, 1000)
        assert figures.no_receipt == Part(2, 10)
        off = Gatherer(program.app, [Rule.DISK], 900).figures(store)
        assert (off.opt_outs, off.no_receipt, off.recent) == (None, None, None)
        assert off.free is not None
    finally:
        store.close()


def test_the_settings_of_stats_hold_for_alarms(tmp_path: Path) -> None:
    program = Program(tmp_path)
    today = {"send_time": "2026-11-21 08:00:00", "report_time": "2026-11-21 08:00:04"}
    program.keep("SmsReport", *(report(f"138{n:08}", f"{n}^0", **today) for n in range(1000)))
    program.keep("SmsUp", {**REPLY, "send_time": "2026-11-21 09:00:00", "content": "不要"})
    config = tmp_path / "conf.toml"
    config.write_text('[stats]\nopt-out = ["不要"]\ndrop-points = 2\n')
    program("--config", str(config), "status")
    with closing(program.opened()) as store:
        figures = Gatherer(program.app, [*DEFAULTS], 900).figures(store)
    assert figures.opt_outs == Part(1, 1000)
    assert figures.limits.points == 0.02
