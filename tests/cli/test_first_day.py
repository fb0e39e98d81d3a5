"""What a person meets on the first day: each test is something that once went wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest

from smsreceipt.cli.types import span
from smsreceipt.decode import QUEUED_KINDS
from smsreceipt.model import BEIJING, Instant, beijing_day, nearest, number_of
from smsreceipt.sandbox import KINDS as QUEUES_OF_THE_SANDBOX
from tests.cli.program import CALL, CALL_ENDED, NOW, Program, report

MAIN = [sys.executable, "-m", "smsreceipt"]


@pytest.mark.parametrize("day", ["2026/11/20", "2026-11-20", "20261120", "11-20", "11/20", "昨天", "2026-11-20 "])
def test_a_day_may_be_written_as_people_write_it(program: Program, day: str) -> None:
    program.keep("SmsReport", report())
    assert len(program("list", "--date", day).objects) == 1
    assert program("list", "--date", "今天").objects == []


@pytest.mark.parametrize("time", ["2026/11/20 9:05", "2026-11-20T09:05", "2026/11/20 09:05:00", "2026-11-20 9:05"])
def test_an_instant_may_be_written_as_lists_of_sends_have_it(time: str) -> None:
    assert span(time, NOW) == span("2026-11-20T09:05:00", NOW)


def test_a_day_without_a_year_is_the_nearest() -> None:
    january = Instant(int(datetime(2027, 1, 3, tzinfo=BEIJING).timestamp()) * 1000)
    assert beijing_day(span("12-30", january)[0]) == number_of(date(2026, 12, 30))
    assert beijing_day(span("01/04", january)[0]) == number_of(date(2027, 1, 4))
    assert beijing_day(span("02-29", NOW)[0]) == number_of(date(2028, 2, 29))
    for wrong in ("13-01", "02-30", "1-2-3", "0-0", "2026/13/1"):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            span(wrong, NOW)


def test_an_option_for_days_does_not_offer_hours(program: Program) -> None:
    forms = "2026-11-20, 20261120, 11-20, today, yesterday, 3d (ago)\n"
    assert f"'someday' is no day: {forms}" in program("list", "--date", "someday").err
    assert "3h, 2d (ago)" in program("list", "--since", "someday").err


def test_a_kind_as_a_narrow_table_prints_it_is_accepted(program: Program) -> None:
    program.keep("SecretStartReport", CALL)
    program.keep("SecretReport", CALL_ENDED)
    for asked, found in (("Start", "SecretStartReport"), ("secret", "SecretReport")):
        assert [each["kind"] for each in program("list", "--kind", asked).objects] == [found]
        assert program("status", "--kind", asked).err == ""
    drawn = program("list", "-o", "table", columns=60).out
    assert "Start " in drawn


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--outcome", "fail"], "'rejected'; did you mean failed?\n"),
        (["list", "--outcome", "nowhere"], "'approved', 'rejected'.\n"),
        (["list", "--outcome", "deliverd", "--outcome", "faild"], "'rejected'; did you mean delivered?\n"),
        (["list", "--outcome", "nowhere", "--outcome", "faild"], "'approved', 'rejected'.\n"),
        (["list", "--list"], "error: No such option '--list'.\n"),
        (["list", "--columns"], "error: No such option '--columns'.\n"),
        (["list", "--outcom", "failed"], "No such option '--outcom'. Did you mean '--outcome'?\n"),
        (["explane"], "No such command 'explane'. Did you mean 'explain'?\n"),
        (["list", "--kind", "parcel"], "no kind parcel has been stored; known: SmsReport\n"),
        (["pull", "--uid", "1", "--type", "smsreprot"], "not read; did you mean SmsReport?\n"),
        (["explain", "MOBILE_IN_BLAK"], "no table knows the code MOBILE_IN_BLAK; did you mean MOBILE_IN_BLACK?\n"),
    ],
)
def test_a_word_is_suggested_where_it_is_near_and_only_then(program: Program, words: list[str], said: str) -> None:
    program.keep("SmsReport", report())
    assert said in program(*words).err


def test_nearness() -> None:
    assert nearest("--Histori", ["--limit", "--history"]) == "--history"
    assert nearest("no_color", ["no-color", "output"]) == "no-color"
    assert nearest("stats", ["query-stats", "list"]) == ""


def test_lists_without_a_row_tell_the_next_step(program: Program) -> None:
    for terminal in (False, True):
        nothing = program("list", terminal=terminal)
        assert (nothing.code, "smsreceipt pull" in nothing.err) == (0, True)
        assert "smsreceipt sends import FILE" in program("sends", "list", terminal=terminal).err
        assert "smsreceipt status" in program("recordings", "list", terminal=terminal).err
        assert "smsreceipt query-details" in program("show", "13800008000", terminal=terminal).err
    program.keep("SmsReport", report())
    assert program("list", "--phone", "1").err == "no receipts found; what the store has: smsreceipt status\n"


def test_recordings_has_the_newest_fifty_in_a_table_and_all_of_them_in_json(program: Program) -> None:
    calls = [{**CALL_ENDED, "call_id": f"call-{n:02}", "call_time": f"2026-11-20 10:00:{n:02}"} for n in range(60)]
    program.keep("SecretReport", *calls)
    drawn = program("recordings", "list", "-o", "table", columns=120)
    assert "call-10" in drawn.out
    assert "call-09" not in drawn.out
    assert drawn.err == "10 more: --limit N shows more of them, --json all\n"
    assert "call-58" in program("recordings", "list", "-o", "table", "--limit", "2").out
    assert len(program("recordings", "list").objects) == 60
    assert [each["call_id"] for each in program("recordings", "list", "--limit", "2").objects] == ["call-00", "call-01"]


def test_all_types_are_those_for_which_there_are_queues() -> None:
    assert {*QUEUED_KINDS} == {*QUEUES_OF_THE_SANDBOX}


def test_the_lines_of_the_sandbox_and_one_word_are_enough_to_pull(tmp_path: Path) -> None:
    """As a person types it: `smsreceipt sandbox > sandbox.env &`, then `. ./sandbox.env; smsreceipt pull`."""
    here = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path)}
    words = [*MAIN, "sandbox", "--port", "0", "--generate", "60", "--seed", "3"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=here) as child:
        try:
            assert child.stdout
            assert child.stderr
            lines = [*iter(child.stdout.readline, "# ready\n")]
            assert "smsreceipt pull" in [child.stderr.readline() for _ in range(2)][1]
            (tmp_path / "sandbox.env").write_text("".join(lines))
            shell = f". ./sandbox.env; exec {sys.executable} -m smsreceipt pull --wait 0"
            pulled = subprocess.run(
                ["sh", "-c", shell], cwd=tmp_path, env=here, capture_output=True, text=True, check=False
            )
            assert "received=60 " in pulled.stderr, pulled.stderr
            assert pulled.returncode == 0
            assert (tmp_path / "sandbox.db").exists()
            named = f"{shell} --queue Alicom-Queue-1000000001-SmsUp"
            again = subprocess.run(
                ["sh", "-c", named + " -vv"], cwd=tmp_path, env=here, capture_output=True, text=True, check=False
            )
            assert "SmsReport" not in again.stderr
        finally:
            child.terminate()


def test_csv_for_excel_has_chinese_titles_in_chinese_which_sends_import_reads(program: Program) -> None:
    chinese = {"LANG": "zh_CN.UTF-8"}
    Path("sent.csv").write_text("手机号,BizId,发送时间\n13800008000,900^0,2026/11/20 9:05\n")
    assert program("sends", "import", "sent.csv").code == 0
    printed = program("sends", "list", "-o", "excel", environ=chinese)
    assert printed.out.startswith('\ufeff"号码","发送的 BizId","发送时间",')
    Path("again.csv").write_bytes(printed.raw)
    assert "known=1" in program("sends", "import", "again.csv").err
    assert program("export", "sends", "-o", "out.csv", "--excel", environ=chinese).code == 0
    assert Path("out.csv").read_bytes() == printed.raw
    for plain in (program("sends", "list", "-o", "csv", environ=chinese), program("sends", "list", "-o", "excel")):
        assert plain.out.lstrip("\ufeff").replace('"', "").startswith("phone,biz_id,sent_at,")


def test_the_crontab_lines_of_the_pages_find_the_program_with_crons_own_path() -> None:
    pages = [*Path(__file__).parents[2].glob("README*.md"), *Path(__file__).parents[2].glob("docs/*/*.md")]
    blocks = [block for page in pages for block in re.findall(r"```crontab\n(.*?)```", page.read_text(), re.DOTALL)]
    commands = [line for block in blocks for line in block.splitlines() if not line.lstrip().startswith("#")]
    assert len(commands) >= 14
    for line in commands:
        called = re.findall(r"(?:^|[;|&\s])((?:/\S+/)?smsreceipt) (?=[a-z])", line)
        assert called, line
        assert {*called} == {"/usr/local/bin/smsreceipt"}, line
    install = (Path(__file__).parents[2] / "docs" / "en" / "install.md").read_text()
    assert "PIPX_BIN_DIR=/usr/local/bin pipx install" in install
