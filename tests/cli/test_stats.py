"""`smsreceipt stats`: one object, rows of groups, screens, and what is said where there is nothing."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.codes import regions
from smsreceipt.extras import install_command
from smsreceipt.insight import findings
from smsreceipt.insight.stats import Finding
from smsreceipt.model import BEIJING, Instant
from smsreceipt.sandbox import Options, PastSend, Sandbox
from smsreceipt.store.sqlite.connect import connect
from tests.cli.program import CALL_ENDED, FAILED, REPLY, Ended, Program, report
from tests.codes.test_regions import phone_dat

pytestmark = pytest.mark.each_engine

DAY = ("--date", "2026-11-20")
GROUP = (
    "reports,delivered,failed,expired,unknown,pending,delivery_rate,previous_rate,p50,p95,p99,max,parts"  # of the spec
)


def biz(n: int) -> str:
    return f"9006197469364984{n:02}^0"


@pytest.fixture
def filled(program: Program) -> Program:
    """Two days: yesterday three delivered of five, with a call and two replies; the day before one delivered."""
    program.keep(
        "SmsReport",
        report("13800008001", biz(1)),
        report("13800008002", biz(2), sms_size="2", report_time="2026-11-20 15:50:55"),
        report("18600008003", biz(3), send_time="2026-11-20 09:00:00", report_time="2026-11-20 09:00:04"),
        report("18600008004", biz(4), **FAILED),
        report("19900008005", biz(5), success=False, err_code="REQUEST_SUCCESS"),
        report("13800008006", biz(6), send_time="2026-11-19 15:00:00", report_time="2026-11-19 15:00:02"),
    )
    program.keep("SecretReport", CALL_ENDED)
    program.keep("SmsUp", REPLY, {**REPLY, "sequence_id": 2, "content": " 退订。"})
    return program


def listed(program: Program, *ids: int) -> None:
    """Import a list of sends of yesterday."""
    program.stdin = "\n".join(
        ["phone,biz_id,sent_at,template_code,sign_name"]
        + [f"1380000800{n},{biz(n)},2026-11-20 15:49:55,SMS_{n % 2},示例" for n in ids]
    ).encode()
    assert program("sends", "import", "-").code == 0


def test_yesterday_is_one_object_with_all_its_keys(filled: Program) -> None:
    ended = filled("stats")
    (found,) = ended.objects
    assert ended.code == 0
    assert list(found) == [
        "schema", "from", "to", "final", "time_zone", "day_of", "compared_with", "sms", "previous", "failures", "by",
        "carrier_hour", "calls", "previous_calls", "replies", "findings", "trend", "tally",
    ]  # fmt: skip
    assert (found["schema"], found["from"], found["to"], found["final"]) == (1, "2026-11-20", "2026-11-20", False)
    assert found["compared_with"] == {"from": "2026-11-19", "to": "2026-11-19"}
    sms = found["sms"]
    assert (sms["reports"], sms["delivered"], sms["failed"], sms["unknown"]) == (5, 3, 1, 1)
    assert (sms["delivery_rate"], sms["unknown_rate"], sms["parts"]) == (0.75, 0.2, 6)
    assert (sms["sent"], sms["receipt_rate"], sms["provider"]) == (None, None, None)
    assert found["previous"]["delivery_rate"] == 1.0
    assert [(each["code"], each["count"], each["share"]) for each in found["failures"]] == [
        ("MOBILE_IN_BLACK", 1, 0.5),
        ("REQUEST_SUCCESS", 1, 0.5),
    ]
    assert {each["carrier"]: each["reports"] for each in found["by"]["carrier"]} == {
        "mobile": 2, "unicom": 2, "telecom": 1,
    }  # fmt: skip
    assert (found["calls"]["ended"], found["calls"]["answer_rate"]) == (1, 1.0)
    assert found["replies"] == {"replies": 2, "opt_outs": 1, "opt_out_rate": 0.333333}


def test_no_number_of_a_person_is_in_it(filled: Program) -> None:
    for words in ((), ("--by", "carrier"), ("--by", "origin"), ("-o", "table"), ("--kind", "calls", "-o", "table")):
        ended = filled("stats", *DAY, *words)
        assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", ended.out + ended.err), words


def test_groups_are_flat_objects_and_rows(filled: Program) -> None:
    ended = filled("stats", *DAY, "--by", "carrier")
    assert ended.objects[0] == {
        "carrier": "mobile", "reports": 2, "delivered": 2, "failed": 0, "expired": 0, "unknown": 0, "pending": 0,
        "delivery_rate": 1.0, "previous_rate": 1.0, "p50": 3, "p95": 60, "p99": 60, "max": 60, "parts": 3,
    }  # fmt: skip
    rows = filled("stats", *DAY, "--by", "carrier", "--by", "hour", "-o", "csv").out.splitlines()
    assert rows[0] == f"carrier,hour,{GROUP}"
    assert rows[1].startswith("mobile,15,2,2,")
    assert filled("stats", *DAY, "--by", "hour", "--carrier", "mvno", "-o", "csv").out == f"hour,{GROUP}\n"


def test_csv_without_groups_has_a_row_a_day(filled: Program) -> None:
    ended = filled("stats", "--from", "2026-11-18", "--to", "2026-11-20", "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [(row["day"], row["reports"]) for row in rows] == [("2026-11-19", "1"), ("2026-11-20", "5")]
    calls = filled("stats", *DAY, "--kind", "calls", "-o", "csv").out.splitlines()
    assert calls == [
        "day,ended,connected,unconnected,answer_rate,previous_rate,talk_sum,talk_mean,talk_p95,ring_p50",
        "2026-11-20,1,1,0,1.0,,185,185.0,185,8",
    ]


def test_calls_have_groups_of_their_own(filled: Program) -> None:
    (found,) = filled("stats", *DAY, "--by", "pool").objects
    assert (found["pool"], found["ended"], found["talk_sum"]) == ("FC100000012345678", 1, 185)
    (found,) = filled("stats", *DAY, "--kind", "calls", "--by", "hour", "--by", "code").objects
    assert (found["hour"], found["code"], found["answer_rate"]) == (10, "16", 1.0)
    assert "CALLS" in filled("stats", *DAY, "--by", "pool", "-o", "table").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--by day --by hour --by code", "given twice at most"),
        ("--kind calls --by template", "calls have no template"),
        ("--kind replies --by day", "replies have no groups"),
        ("--to yesterday", "--to needs --from"),
        ("--date today --from 3d", "--date is one day; it cannot go with --from"),
        ("--date 2027-01-01", "has not come yet"),
        ("--province Atlantis", "is no province"),
        ("--carrier vodafone", "is not one of"),
        ("--template ", "empty number or id"),
        ("--by phone", "is not one of"),
    ],
)
def test_what_cannot_be_told_is_refused(program: Program, words: str, told: str) -> None:
    ended = program("stats", *words.split(" "))
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_the_list_of_sends_gives_templates_and_what_has_no_receipt(filled: Program) -> None:
    listed(filled, 1, 2, 9)
    ended = filled("stats", *DAY)
    sms = ended.objects[0]["sms"]
    assert (sms["sent"], sms["no_receipt"], sms["receipt_rate"]) == (3, 1, 0.666667)
    assert ended.err == ""
    rows = filled("stats", *DAY, "--by", "template").objects
    assert {row["template"]: row["reports"] for row in rows} == {"SMS_0": 1, "SMS_1": 1, "(no list of sends)": 3}
    assert {row["source"] for row in rows} == {"ledger"}
    (one,) = filled("stats", *DAY, "--by", "sign", "--template", "SMS_1").objects
    assert (one["sign"], one["reports"]) == ("示例", 1)
    assert "the list of sends is not whole: 5 messages have receipts, 3 are listed" in (
        filled("stats", *DAY, "-o", "table", terminal=True, columns=120).out
    )


def test_without_a_list_one_line_says_how_to_import_it(filled: Program) -> None:
    told = "import the list of sends with `smsreceipt sends import FILE`"
    for words in ((), ("-o", "table"), ("--by", "template"), ("--by", "sign", "-o", "table")):
        ended = filled("stats", *DAY, *words)
        assert (ended.code, ended.err.count("\n")) == (0, 1)
        assert told in ended.err
    assert filled("stats", *DAY, "-q").err == ""
    (row,) = filled("stats", *DAY, "--by", "template").objects
    assert row["template"] == "(no list of sends)"


def test_filters_leave_a_part_of_the_messages(filled: Program) -> None:
    (found,) = filled("stats", *DAY, "--carrier", "unicom", "--carrier", "telecom").objects
    assert (found["sms"]["reports"], found["calls"], found["replies"]) == (3, None, None)
    (found,) = filled("stats", *DAY, "--code", "REQUEST_SUCCESS").objects
    assert found["sms"]["reports"] == found["sms"]["unknown"] == 1
    (found,) = filled("stats", *DAY, "--kind", "replies").objects
    assert (found["sms"], found["calls"], found["replies"]["replies"]) == (None, None, 2)
    (found,) = filled("stats", *DAY, "--opt-out", "您好，收到了").objects
    assert found["replies"]["opt_outs"] == 2


def test_provinces_come_from_the_package_or_a_newer_file(filled: Program, tmp_path: Path) -> None:
    rows = filled("stats", *DAY, "--by", "province").objects
    assert "unknown" not in {row["province"] for row in rows if row["reports"] > 1}
    newer = tmp_path / "newer.dat"
    newer.write_bytes(phone_dat({1380000: 0, 1860000: 1}))
    told = {"Guangdong": 2, "Inner Mongolia": 2, "unknown": 1}
    rows = filled("stats", *DAY, "--by", "province", "--prefixes", str(newer)).objects
    assert {row["province"]: row["reports"] for row in rows} == told
    (tmp_path / "conf.toml").write_text(f'[stats]\nprefixes = "{newer}"\n')
    rows = filled("--config", str(tmp_path / "conf.toml"), "stats", *DAY, "--by", "province").objects
    assert {row["province"]: row["reports"] for row in rows} == told
    chosen = filled("stats", *DAY, "--prefixes", str(newer), "--province", "广东", "--by", "hour").objects
    assert [row["reports"] for row in chosen] == [2]
    newer.write_bytes(b"<html>")
    ended = filled("stats", *DAY, "--prefixes", str(newer))
    assert (ended.code, ended.out) == (2, "")
    assert f"{newer} is no phone.dat: it is shorter than its head" in ended.err


def test_without_them_one_line_says_how_to_get_them(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "installed", lambda: None)
    ended = filled("stats", *DAY, "--by", "province")
    assert [row["province"] for row in ended.objects] == ["unknown"]
    assert install_command("regions") in ended.err
    assert "regions" not in filled("stats", *DAY).err


@pytest.mark.of_a_file
@pytest.mark.parametrize("words", [(), ("-o", "table"), ("--by", "hour"), ("-o", "csv"), ("--kind", "calls")])
def test_an_empty_store_has_a_next_step_and_is_no_failure(program: Program, words: tuple[str, ...]) -> None:
    ended = program("stats", *words)
    assert ended.code == 0
    assert ended.err == (
        "nothing of 2026-11-20 is in the store: see what it has with `smsreceipt status`,"
        " get receipts with `smsreceipt pull`\n"
    )
    assert not program.store.exists()


def test_a_day_without_messages_names_the_newest_that_has_some(filled: Program) -> None:
    for words in ((), ("--by", "hour"), ("-o", "table")):
        ended = filled("stats", "--date", "2026-11-21", *words)
        assert ended.code == 0
        assert "the newest day before with messages: smsreceipt stats --date 2026-11-20" in ended.err
    assert "that matches the filters" in filled("stats", *DAY, "--carrier", "mvno").err


def test_days_that_are_not_final_or_not_over_say_so(filled: Program) -> None:
    shown = filled("stats", *DAY, "-o", "table").out
    assert "not final: receipts may come until 2026-11-24 00:00" in shown
    assert "the day is not over" not in shown
    assert "▲" in shown
    today = filled("stats", "--date", "today", "-o", "table", now=lambda: at("2026-11-20 23:00")).out
    assert "the day is not over: counts are not compared" in today
    assert "▲" not in today
    assert "▼ 25.00 pp" in today
    later = filled("stats", *DAY, now=lambda: at("2026-11-24 00:00"))
    assert later.objects[0]["final"] is True
    assert "not final" not in filled("stats", *DAY, "-o", "table", now=lambda: at("2026-11-24 00:00")).out


def at(text: str) -> Instant:
    return Instant(int(datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp()) * 1000)


DROP = Finding("drop", "carrier", "telecom", "2026-11-20", 14, 16, 0.6525, 0.97, 2687, -122.8)


def test_a_finding_stands_at_the_top_and_may_end_with_3(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "findings", lambda *_: [DROP])
    ended = filled("stats", *DAY, "-o", "table", terminal=True, columns=80)
    assert ended.code == 0
    shown = re.sub(r"\x1b\[[0-9;]*m", "", ended.out).splitlines()
    assert shown[3:5] == [
        "! China Telecom 14:00–16:00: 65.2 % delivered, 97.0 % the day before, 2,687 lost",
        "  smsreceipt stats --date 2026-11-20 --carrier telecom --by code",
    ]
    for words in ((), ("--by", "hour"), ("-o", "csv", "-q")):
        ended = filled("stats", *DAY, "--fail-on-findings", *words)
        assert ended.code == 3
        assert ended.err.splitlines()[-1] == (
            "China Telecom 11-20 14:00–16:00: 65.2 % delivered, 97.0 % before, 2,687 lost"
        )
        assert ended.out


def test_without_a_finding_it_does_not(filled: Program) -> None:
    assert filled("stats", *DAY, "--fail-on-findings").code == 0


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
@pytest.mark.parametrize("words", [(), ("--by", "carrier"), ("--by", "hour"), ("--by", "code"), ("--kind", "calls")])
@pytest.mark.of_a_file
def test_every_screen_fits_its_terminal(filled: Program, columns: int, language: str, words: tuple[str, ...]) -> None:
    from rich.cells import cell_len

    listed(filled, 1, 2, 9)
    shown = filled("stats", *DAY, *words, terminal=True, columns=columns, environ={"LANG": language})
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.out).splitlines()
    assert max(map(cell_len, lines)) <= columns
    assert lines[0].startswith("2026-11-20")
    assert ("发送日" in shown.out) is (language == "zh_CN.UTF-8")


@pytest.mark.of_a_file
def test_a_terminal_without_colours_or_characters_gets_plain_bars(filled: Program) -> None:
    plain = filled("stats", *DAY, "--by", "hour", terminal=True, environ={"NO_COLOR": "1"}).out
    assert "#####" in plain
    assert "\x1b" not in plain
    assert not set("▁▂▃▄▅▆▇█") & set(plain)
    ascii_only = filled("stats", *DAY, "-o", "table", encoding="ascii").out
    assert ascii_only.isascii()
    assert "\\u" not in ascii_only
    assert "#" in ascii_only
    drawn = filled("stats", *DAY, "--by", "hour", terminal=True).out
    assert "█" in drawn
    assert "#" not in drawn


NOON = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
REAL_DAY = f"{NOON:%Y-%m-%d}"
CALLS = "QuerySendStatistics"


@pytest.fixture
def provider() -> Iterator[Sandbox]:
    """A provider that counts three parts of yesterday, of which two ended."""
    with Sandbox(Options(port=0, seed=1)) as sandbox:
        at = NOON.timestamp()
        ends: list[dict[str, Any]] = [{"reported": at + 5, "code": "DELIVERED"}] * 2 + [{"reported": None}]
        sandbox.remember(
            PastSend(**{"phone": f"1380000000{n}", "biz_id": f"{n}^0", "sent": at, **end})
            for n, end in enumerate(ends, 1)
        )
        yield sandbox


def asked(
    program: Program, sandbox: Sandbox, *words: str, right: bool = True, day: str = REAL_DAY, **seams: Any
) -> Ended:
    environ = {
        "SMSRECEIPT_DYSMSAPI_ENDPOINT": sandbox.url,
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sandbox-secret" if right else "wrong",
    }
    now = Instant(round(datetime.now(BEIJING).timestamp() * 1000))
    return program("stats", "--date", day, *words, environ=environ, now=lambda: now, **seams)


def test_the_provider_is_asked_once_and_its_totals_are_kept(program: Program, provider: Sandbox) -> None:
    program.keep("SmsReport", report("13800000001", "1^0", send_time=f"{NOON:%Y-%m-%d %H:%M:%S}",
                                     report_time=f"{NOON:%Y-%m-%d} 12:00:05"))  # fmt: skip
    assert asked(program, provider).objects[0]["sms"]["provider"] is None
    assert not provider.call_times(CALLS)
    (found,) = asked(program, provider, "--provider").objects
    told = {"sent": 3, "succeeded": 2, "failed": 0, "no_response": 1}
    assert (found["sms"]["provider"], found["sms"]["parts_gap"]) == (told, 1)
    assert found["previous"]["provider"] == dict.fromkeys(told, 0)
    calls = len(provider.call_times(CALLS))
    assert calls > 0
    (found,) = asked(program, provider).objects
    assert found["sms"]["provider"] == told
    assert "provider: 2 ended, +1 without a receipt" in asked(program, provider, "-o", "table", columns=100).out
    assert asked(program, provider, "--carrier", "mobile").objects[0]["sms"]["provider"] is None
    assert len(provider.call_times(CALLS)) == calls


def test_a_provider_that_refuses_costs_only_its_totals(program: Program, provider: Sandbox) -> None:
    program.keep("SmsReport", report("13800000001", "1^0", send_time=f"{NOON:%Y-%m-%d %H:%M:%S}"))
    ended = asked(program, provider, "--provider", right=False)
    assert ended.code == 4
    assert ended.objects[0]["sms"]["reports"] == 1
    assert ended.objects[0]["sms"]["provider"] is None
    assert "error: " in ended.err


def test_the_totals_of_a_day_that_is_not_over_are_of_no_use_later(program: Program, provider: Sandbox) -> None:
    assert asked(program, provider, "--provider", day="today").objects[0]["sms"]["provider"]["sent"] == 0
    assert asked(program, provider, day="today").objects[0]["sms"]["provider"] is None
    assert asked(program, provider).objects[0]["sms"]["provider"]["sent"] == 3  # it was asked about beside today


def test_counting_in_advance_changes_no_figure(filled: Program) -> None:
    (found,) = filled("stats", *DAY).objects
    assert found["tally"]["folded"] is True
    filled.keep("SmsReport", report("13800008007", biz(7)))
    (found,) = filled("stats", *DAY).objects
    assert found["sms"]["reports"] == 6
    assert filled("stats", *DAY, "--rebuild").objects == [found]
    assert filled("stats", *DAY, "--exact").objects[0]["sms"] == found["sms"]


@pytest.mark.of_a_file
def test_a_store_that_another_process_holds_is_read_all_the_same(filled: Program) -> None:
    (counted,) = filled("stats", *DAY).objects
    filled.keep("SmsReport", report("13800008007", biz(7)))
    with closing(connect(filled.store, writable=True)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = filled("stats", *DAY)
        other.execute("ROLLBACK")
    (found,) = ended.objects
    assert (ended.code, found["sms"]["reports"], found["tally"]["folded"]) == (0, 6, False)
    assert counted["tally"]["folded"]
    (after,) = filled("stats", *DAY).objects
    assert {**after, "tally": None} == {**found, "tally": None}
