"""`smsreceipt report`: the figures of some days as an HTML page."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.insight.question import Question
from smsreceipt.model import DAY_MS, Instant
from smsreceipt.runs import report
from tests.cli.program import CALL_ENDED, FAILED, NOW, REPLY, Program
from tests.cli.program import report as receipt

pytestmark = pytest.mark.each_engine
DATA = re.compile(r'<script type="application/json" id="smsreceipt-stats">(.*)</script>')


@pytest.fixture
def day(program: Program) -> Program:
    """2026-11-20: nine messages delivered, one failed, a reply and a call."""
    good = [receipt(phone=f"1380000{n:04}", biz_id=f"9006197469364984{n:02}^0") for n in range(9)]
    program.keep("SmsReport", *good, receipt(phone="13900001234", biz_id="900619746936498499^0", **FAILED))
    program.keep("SmsUp", REPLY)
    program.keep("SecretReport", CALL_ENDED)
    return program


def data(page: str) -> dict[str, Any]:
    """The object in a page."""
    found = DATA.search(page)
    assert found
    value: dict[str, Any] = json.loads(found[1])
    return value


def test_a_report_of_yesterday_is_written_and_only_its_owner_reads_it(day: Program) -> None:
    ended = day("report")
    path = Path("report-2026-11-20.html")
    assert ended.code == 0
    assert ended.out == ""
    assert re.fullmatch(r"written: report-2026-11-20\.html \(\d+\.\d KB\)\n", ended.err)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = data(path.read_text())
    assert (found["sms"]["delivered"], found["sms"]["failed"]) == (9, 1)
    assert found["calls"]["ended"] == found["replies"]["replies"] == 1


def test_the_object_is_that_of_stats(day: Program) -> None:
    page = day("report", "-").out
    assert data(page) == day("stats", "--json").objects[0]


def test_a_report_takes_the_settings_of_stats(day: Program, tmp_path: Path) -> None:
    config = tmp_path / "conf.toml"
    config.write_text('[stats]\nopt-out = ["您好，收到了"]\ncompare = "none"\n[report]\ncompare = "week"\n')
    found = data(day("--config", str(config), "report", "-").out)
    assert found["replies"]["opt_outs"] == 1
    assert found["compared_with"]["to"] == "2026-11-13"


def test_a_report_names_no_number_no_text_and_no_id_of_a_caller(day: Program) -> None:
    page = day("report", "-").out
    assert not re.search(r"1[3-9]\d{9}", page)
    for canary in ("order-67890", "您好，收到了", "13900001234", "call-1", "900619746936498499", "record.mp3"):
        assert canary not in page


def test_a_report_can_go_to_a_folder_a_file_or_standard_output(day: Program, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    day("report", str(folder), "--date", "2026-11-20")
    day("report", str(folder / "a.html"), "--from", "2026-11-19", "--to", "2026-11-20")
    day("report", str(folder), "--from", "2026-11-19", "--to", "2026-11-20")
    names = ["a.html", "report-2026-11-19_2026-11-20.html", "report-2026-11-20.html"]
    assert sorted(path.name for path in folder.iterdir()) == names
    ended = day("report", "-", "-q")
    assert ended.out.startswith("<!DOCTYPE html>")
    assert ended.err == ""


def test_a_report_replaces_the_one_that_is_there(day: Program) -> None:
    Path("a.html").write_text("old")
    assert day("report", "a.html").code == 0
    assert "<!DOCTYPE html>" in Path("a.html").read_text()
    assert [path.name for path in Path().iterdir() if "a.html" in path.name] == ["a.html"]


def test_a_file_that_cannot_be_written_is_told(day: Program) -> None:
    ended = day("report", "nowhere/a.html")
    assert ended.code == 2
    assert ended.err.startswith("error: nowhere/a.html cannot be written")


def test_the_language_that_shows_first_is_that_of_the_user_unless_told(day: Program) -> None:
    def first(*words: str, **seams: Any) -> str:
        found = re.search('<html lang="(.*)">', day("report", "-", *words, **seams).out)
        assert found
        return found[1]

    assert first() == "en"
    assert first(environ={"LANG": "zh_CN.UTF-8"}) == "zh-CN"
    assert first("--lang", "zh") == "zh-CN"
    assert first("--lang", "en", environ={"LANG": "zh_CN.UTF-8"}) == "en"


def test_title_and_data_are_as_wanted(day: Program) -> None:
    page = day("report", "-", "--title", "Acme & Co", "--no-data").out
    assert "<title>Acme &amp; Co 2026-11-20</title>" in page
    assert not DATA.search(page)


def test_a_day_without_anything_has_a_page_and_a_next_step(day: Program) -> None:
    ended = day("report", "--date", "2026-11-18")
    assert ended.code == 0
    assert "nothing of 2026-11-18 is in the store" in ended.err
    assert "The store has no receipt of a message" in Path("report-2026-11-18.html").read_text()


def test_a_store_that_does_not_exist_is_empty(program: Program) -> None:
    ended = program("report")
    assert ended.code == 0
    assert "nothing of 2026-11-20 is in the store" in ended.err


@pytest.mark.of_a_file
def test_a_page_is_shown_in_a_browser(day: Program) -> None:
    day("status")
    asked: list[str] = []

    def browse(url: str) -> bool:
        asked.append(url)
        return False

    question = Question(first_day=NOW // DAY_MS - 1, last_day=NOW // DAY_MS - 1)
    report.run(day.app, question, report.Options(file="a.html", show=True), browse)
    assert asked == [Path("a.html").absolute().as_uri()]
    assert day.app.stderr is not None


@pytest.mark.parametrize(
    "words", [["--date", "2026-11-20", "--to", "2026-11-20"], ["--lang", "de"], ["--from", "2027-01-01"]]
)
def test_what_makes_no_sense_is_refused(day: Program, words: list[str]) -> None:
    assert day("report", *words).code == 2


def test_a_late_receipt_makes_a_day_provisional(day: Program) -> None:
    assert "provisional: receipts may come until 2026-11-24" in day("report", "-").out
    later = Instant(NOW + 4 * DAY_MS)
    assert "provisional" not in day("report", "-", "--date", "2026-11-20", now=lambda: later).out
