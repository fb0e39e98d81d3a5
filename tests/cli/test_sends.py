import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.model import Answer, Asked
from tests.cli.program import CALL, FAILED, NOW, REPLY, Ended, Program, report

PHONE = "13800008000"
HEADER = "mobile,BizId,SendDate,OutId,TemplateCode,SignName\n"
ROWS = (
    "+86 138-0000-8000,900^0,2026-11-20 15:49:50,order-1,SMS_1,阿里云\n"
    "13800008001,900^0,2026-11-20 15:49:50,order-2,SMS_1,阿里云\n"
    "13800008002,901^0,2026-11-19,,SMS_1,阿里云\n"
)

pytestmark = pytest.mark.each_engine
KEYS = ["phone", "biz_id", "sent_at", "out_id", "template_code", "sign_name", "parts", "state"]


def enter(program: Program, text: str | bytes = HEADER + ROWS, *words: str, **seams: Any) -> Ended:
    program.stdin = text if isinstance(text, bytes) else text.encode()
    return program("sends", "import", *words, "-", **seams)


def summary(ended: Ended) -> dict[str, str]:
    return dict(pair.split("=") for pair in ended.err.splitlines()[-1].split())


def books(ended: Ended) -> list[int]:
    told = summary(ended)
    assert list(told) == ["rows", "new", "known", "completed", "bad", "refused", "seconds", "rate"]
    rows, *parts = [int(told[name]) for name in ("rows", "new", "known", "completed", "bad", "refused")]
    assert rows == sum(parts)
    return parts


def test_a_list_is_entered_once(program: Program) -> None:
    first = enter(program)
    assert (first.code, first.raw, books(first)) == (0, b"", [3, 0, 0, 0, 0])
    assert books(enter(program)) == [0, 3, 0, 0, 0]
    more = "phone,biz_id,date,out_id\n13800008002,901^0,2026-11-19 10:00:00,order-3\n"
    assert books(enter(program, more)) == [0, 0, 1, 0, 0]
    assert next(each["sent_at"] for each in program("sends", "list").objects) == "2026-11-19T10:00:00+08:00"


def test_a_person_is_told_which_columns_nothing_is_taken_from(program: Program) -> None:
    text = "手机号,发送流水号,发送时间,模板,业务编号,发送状态\n13800008000,900^0,2026/11/20 3:09,SMS_1,a1,成功\n"
    assert "模板" not in enter(program, text).err, "programs do not read it"
    told = enter(program, text, stderr_is_tty=True).err
    assert "no column is known for out_id, template_code, sign_name; not used: 模板, 业务编号." in told
    mapped = enter(program, text, "--map", "out_id=业务编号,template_code=模板", stderr_is_tty=True)
    assert "not used" not in mapped.err
    assert program("sends", "list").objects[0]["template_code"] == "SMS_1"
    assert "not used" not in enter(program, HEADER + ROWS, stderr_is_tty=True).err


def test_a_file_plain_and_compressed(program: Program, tmp_path: Path) -> None:
    for name, data in (("a.csv", (HEADER + ROWS).encode()), ("a.csv.gz", gzip.compress((HEADER + ROWS).encode()))):
        (tmp_path / name).write_bytes(data)
    assert books(program("sends", "import", str(tmp_path / "a.csv"))) == [3, 0, 0, 0, 0]
    assert books(program("sends", "import", str(tmp_path / "a.csv.gz"))) == [0, 3, 0, 0, 0]
    missing = program("sends", "import", str(tmp_path / "b.csv"))
    assert (missing.code, "does not exist" in missing.err) == (2, True)


def test_a_terminal_sees_how_far_it_is(program: Program, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + ROWS)
    screen = program("sends", "import", str(tmp_path / "a.csv"), stderr_is_tty=True).err
    assert "100%" in screen
    assert re.search(r"received 3  [\d,]+/s  new 3", screen)
    assert screen.splitlines()[-1].split("\r")[-1].startswith("rows=3")


def test_bad_rows_are_told_and_good_ones_entered(program: Program) -> None:
    ended = enter(program, HEADER + "x,900^0,2026-11-20,,,\n" + ROWS + "13800009999,,2026-11-20,,,\n")
    assert (ended.code, books(ended)) == (3, [3, 0, 0, 2, 0])
    assert ended.err.splitlines()[:2] == ["line 2: not a phone number", "line 6: no BizId"]
    assert "13800009999" not in ended.err


def test_many_bad_rows_are_summed_up(program: Program) -> None:
    ended = enter(program, HEADER + "x,1,2026-11-20,,,\n" * 30 + f"{PHONE},,2026-11-20,,,\n" * 5 + ROWS)
    told = ended.err.splitlines()
    assert (ended.code, len(told), books(ended)) == (3, 20 + 3 + 1 + 1, [3, 0, 0, 35, 0])
    assert told[20:23] == ["15 more bad rows; in all:", "  30 × not a phone number", "  5 × no BizId"]
    quiet = enter(program, HEADER + "x,1,2026-11-20,,,\n", "-q")
    assert (quiet.code, quiet.err.splitlines()) == (
        3,
        ["bad rows: 1, which are not imported; mend them and import the list again"],
    )


def test_logs_of_calls_and_what_the_provider_refused(program: Program) -> None:
    call = {"PhoneNumbers": f"{PHONE},13800008001", "OutId": "o", "TemplateCode": "SMS_1", "SignName": "阿里云"}
    good = {"time": "2026-11-20T15:49:55", "request": call, "response": {"Code": "OK", "BizId": "900^0"}}
    refused = {**good, "response": {"Code": "isv.BUSINESS_LIMIT_CONTROL"}}
    ended = enter(program, "".join(json.dumps(each) + "\n" for each in (good, refused)))
    assert (ended.code, books(ended)) == (0, [2, 0, 0, 0, 2])


def test_map_date_and_encoding(program: Program) -> None:
    text = f"号,Bid,签名\n{PHONE},900^0,阿里云\n".encode("gb18030")
    ended = enter(program, text, "--map", "phone=号,biz_id=Bid", "--date", "yesterday", "--encoding", "gb18030")
    assert books(ended) == [1, 0, 0, 0, 0]
    (found,) = program("sends", "list").objects
    assert (found["sent_at"], found["sign_name"]) == ("2026-11-20", "阿里云")


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        (["--map", "phone"], HEADER, "say FIELD=NAME"),
        (["--map", "colour=x"], HEADER, "say FIELD=NAME"),
        (["--map", "phone=nowhere"], HEADER, "no column 'nowhere'"),
        (["--date", "soon"], HEADER, "is no day"),
        (["--zone", "Mars"], HEADER, "is no time zone"),
        (["--zone", "+99"], HEADER, "is no time zone"),
        (["--encoding", "klingon"], HEADER, "no encoding is called 'klingon'"),
        ([], f"{PHONE},900^0,2026-11-20\n", "names no column for phone"),
    ],
)
def test_what_cannot_be_read_at_all_is_exit_2(program: Program, words: list[str], text: str, said: str) -> None:
    ended = enter(program, text, *words)
    assert (ended.code, ended.raw, said in ended.err) == (2, b"", True)
    assert "rows=" not in ended.err
    assert PHONE not in ended.err


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        "[]",
        '{"RECORDS": []}',
        '{"hits": {"total": 0, "hits": []}}',
        '2026-11-20 10:00:00 INFO started\n2026-11-20 10:00:01 INFO {"a": 1}\n',
    ],
)
def test_a_list_without_a_row_is_told(program: Program, text: str) -> None:
    ended = enter(program, text)
    assert (ended.code, books(ended)) == (3, [0, 0, 0, 0, 0])
    assert "the list is empty: it has no row of a send" in ended.err


def test_rows_that_name_one_send_are_told(program: Program) -> None:
    row = f"{PHONE},900^0,2026-11-20 15:49:50,,,\n"
    ended = enter(program, HEADER + row * 2)
    assert (ended.code, books(ended), ended.err.splitlines()[0]) == (0, [1, 1, 0, 0, 0], "2 rows name one send")
    assert "5 rows name 2 sends" in enter(program, HEADER + row * 3 + row.replace("900", "901") * 2).err
    assert "name one send" not in enter(program, HEADER + row).err


def test_several_files_and_folders(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    (folder / "more").mkdir(parents=True)
    (folder / "a.csv").write_text(HEADER + ROWS)
    (folder / "more" / "b.csv").write_text(HEADER + f"{PHONE},,2026-11-20,,,\n")
    (folder / ".hidden").write_text("x")
    single = tmp_path / "c.ndjson"
    single.write_text(json.dumps({"phone": PHONE, "biz_id": "903^0", "sent_at": "2026-11-20"}))
    ended = program("sends", "import", str(folder), str(single))
    assert (ended.code, books(ended)) == (3, [4, 0, 0, 1, 0])
    assert f"{folder / 'more' / 'b.csv'}: line 2: no BizId" in ended.err
    (folder / "more" / "b.csv").write_text("no list\n")
    ended = program("sends", "import", str(folder), str(single))
    assert (ended.code, books_in(ended)) == (2, [0, 4, 0, 0, 0])
    assert f"{folder / 'more' / 'b.csv'}: the first line names no column" in ended.err


def books_in(ended: Ended) -> list[int]:
    told = summary_in(ended)
    return [int(told[name]) for name in ("new", "known", "completed", "bad", "refused")]


def test_a_dry_run_reads_and_stores_nothing(program: Program) -> None:
    ended = enter(program, HEADER + ROWS + "x,1,2026-11-20,,,\n", "--dry-run")
    told = summary(ended)
    assert (ended.code, told["rows"], told["sends"], told["bad"]) == (3, "4", "3", "1")
    assert not program.store.exists()


@pytest.mark.parametrize(
    ("zone", "hour"),
    [("UTC", 23), ("+08:00", 15), ("+8", 15), ("Asia/Shanghai", 15), ("Asia/Tokyo", 14), ("GMT-1", 24)],
)
def test_a_zone_for_the_times_without_an_offset(program: Program, zone: str, hour: int) -> None:
    enter(program, HEADER + f"{PHONE},900^0,2026-11-20 15:00:00,,,\n", "--zone", zone)
    day, hour = (21, 0) if hour == 24 else (20, hour)
    assert program("sends", "list").objects[0]["sent_at"] == f"2026-11-{day}T{hour:02}:00:00+08:00"


def test_totals_are_left_out(program: Program) -> None:
    ended = enter(program, "记录表,,\n" + HEADER + ROWS + "合计,3,,,,\n")
    assert (ended.code, books(ended)) == (0, [3, 0, 0, 0, 0])
    assert "left out, because they are no sends but totals or the like: 1 line" in ended.err


def test_what_was_entered_before_a_damage_stays_and_is_told(program: Program) -> None:
    whole = gzip.compress((HEADER + "".join(f"{PHONE},{n}^0,2026-11-20,,,\n" for n in range(45_000))).encode())
    cut = enter(program, whole[: len(whole) // 2])
    assert (cut.code, "ends in the middle" in cut.err) == (2, True)
    entered = int(summary_in(cut)["new"])
    assert 20_000 <= entered < 45_000
    assert books(enter(program, whole))[:2] == [45_000 - entered, entered]


def summary_in(ended: Ended) -> dict[str, str]:
    (line,) = (line for line in ended.err.splitlines() if line.startswith("rows="))
    return dict(pair.split("=") for pair in line.split())


def test_a_contradiction_is_told_and_the_first_stays(program: Program) -> None:
    enter(program)
    ended = enter(program, HEADER + f"{PHONE},900^0,2026-11-20 15:49:50,other,,\n")
    assert (ended.code, books(ended)) == (0, [0, 1, 0, 0, 0])
    assert ended.err.startswith("1 row says otherwise")
    assert program("sends", "list", "--phone", PHONE).objects[0]["out_id"] == "order-1"


def test_what_list_prints_can_be_entered(program: Program) -> None:
    enter(program)
    for output in ("json", "csv"):
        printed = program("sends", "list", "-o", output)
        assert books(enter(program, printed.raw)) == [0, 3, 0, 0, 0]


def test_the_send_object_has_the_keys_of_the_contract(program: Program) -> None:
    enter(program)
    program.keep("SmsReport", report(PHONE, "900^0"))
    first, second, third = program("sends", "list").objects
    assert [list(each) for each in (first, second, third)] == [KEYS] * 3
    assert first == {
        "phone": "13800008002", "biz_id": "901^0", "sent_at": "2026-11-19", "out_id": None,
        "template_code": "SMS_1", "sign_name": "阿里云", "parts": None, "state": "open",
    }  # fmt: skip
    assert (second["phone"], second["sent_at"]) == (PHONE, "2026-11-20T15:49:50+08:00")
    assert (second["state"], third["state"]) == ("with_receipt", "open")
    rows = list(csv.DictReader(io.StringIO(program("sends", "list", "-o", "csv").out)))
    assert (list(rows[0]), rows[0]["sent_at"], rows[0]["out_id"]) == (KEYS, "2026-11-19", "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--date 2026-11-20", ["8000", "8001"]),
        ("--date yesterday --out-id order-2", ["8001"]),
        ("--since 2026-11-20", ["8000", "8001"]),
        ("--until 2026-11-19", ["8002"]),
        ("--phone +8613800008001", ["8001"]),
        ("--biz-id 901^0 --biz-id 902^0", ["8002"]),
        ("--state open", ["8002", "8001"]),
        ("--state with_receipt", ["8000"]),
        ("--state no_record --state waiting", []),
        ("--limit 1", ["8002"]),
        ("--limit 1 -o csv --mask", ["8002"]),
    ],
)
def test_filters(program: Program, words: str, found: list[str]) -> None:
    enter(program)
    program.keep("SmsReport", report(PHONE, "900^0"))
    ended = program("sends", "list", *words.split())
    lines = ended.out.splitlines()[1:] if "csv" in words else ended.out.splitlines()
    assert [
        number
        for line in lines
        for number in ("8000", "8001", "8002")
        if f"0000{number}" in line or f"****{number}" in line
    ] == found
    assert ("no sends" in ended.err) == (not found)


def test_a_number_may_come_from_standard_input_and_a_wrong_one_is_not_repeated(program: Program) -> None:
    enter(program)
    program.stdin = b"13800008001\n13800008002\n"
    assert len(program("sends", "list", "--phone", "-").objects) == 2
    wrong = program("sends", "list", "--phone", "1380000800x")
    assert (wrong.code, "1380000800x" in wrong.err) == (2, False)
    assert program("sends", "list", "--phone", "").code == 2
    assert program("sends", "list", "--date", "today", "--since", "2d").code == 2


def test_the_table_masks_and_shows_the_newest(program: Program) -> None:
    enter(program)
    screen = program("sends", "list", "-o", "table", columns=100)
    assert screen.out.splitlines() == [
        "SENT +08:00     PHONE        STATE  OUT ID   TEMPLATE  SIGNATURE  BIZ ID",
        "11-19           138****8002  open            SMS_1     阿里云     901^0",
        "11-20 15:49:50  138****8000  open   order-1  SMS_1     阿里云     900^0",
        "11-20 15:49:50  138****8001  open   order-2  SMS_1     阿里云     900^0",
    ]
    assert PHONE in program("sends", "list", "-o", "table", "--reveal").out
    limited = program("sends", "list", "-o", "table", "--limit", "1")
    assert "138****8001" in limited.out
    assert limited.err == "2 more: --limit N shows more of them, --json all\n"
    assert max(map(len, program("sends", "list", "-o", "table", columns=40).out.splitlines())) <= 40
    assert "待回执" in program("sends", "list", "-o", "table", environ={"LANG": "zh_CN.UTF-8"}).out
    masked = program("sends", "list", "--mask").objects
    assert {each["phone"] for each in masked} == {"138****8000", "138****8001", "138****8002"}


def test_text_from_a_list_never_reaches_the_terminal_as_it_is(program: Program) -> None:
    enter(program, json.dumps({"phone": PHONE, "biz_id": "\x1b[31m", "date": "2026-11-20", "out_id": "=1+1\u202e"}))
    assert "\x1b" not in program("sends", "list", "-o", "table").out
    assert "\x1b" not in program("sends", "list").out
    assert "'=1+1" in program("sends", "list", "-o", "csv").out


def test_an_empty_ledger(program: Program) -> None:
    ended = program("sends", "list")
    assert ended.code == 0
    assert ended.err.endswith(" yet: import what was sent with smsreceipt sends import FILE\n")
    assert program("sends", "list", "-o", "csv").out == ",".join(KEYS) + "\n"


def test_forgetting_asks_or_is_told(program: Program) -> None:
    enter(program)
    nobody = program("sends", "forget", "--phone", PHONE)
    assert (nobody.code, "--yes" in nobody.err) == (2, True)
    told = program("sends", "forget", "--before", "2026-11-20", "--yes")
    assert (told.code, told.err) == (0, "forgotten=1\n")
    assert program("sends", "forget", "--biz-id", "900^0", "--phone", PHONE, "--yes").err == "forgotten=1\n"
    program.stdin = b"13800008001\n"
    assert program("sends", "forget", "--phone", "-").code == 2
    program.stdin = b"13800008001\n"
    assert program("sends", "forget", "--phone", "-", "--yes").err == "forgotten=1\n"
    assert program("sends", "list").objects == []


@pytest.mark.parametrize(("said", "left", "code"), [("n", 3, 130), ("y", 1, 0)])
def test_a_person_is_asked_how_many(
    program: Program, monkeypatch: pytest.MonkeyPatch, said: str, left: int, code: int
) -> None:
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return said

    monkeypatch.setattr("click.termui.visible_prompt_func", answer)
    enter(program)
    assert program("sends", "forget", "--biz-id", "900^0", stdin_is_tty=True).code == code
    assert len(program("sends", "list").objects) == left


@pytest.mark.parametrize("words", [[], ["--before", "today", "--date", "today"], ["--biz-id", ""], ["--before", "x"]])
def test_forgetting_everything_by_a_slip_is_refused(program: Program, words: list[str]) -> None:
    enter(program)
    assert program("sends", "forget", *words, "--yes").code == 2
    assert len(program("sends", "list").objects) == 3


def ask(program: Program, answer: Answer) -> None:
    store = program.opened()
    store.keep([], asked=[Asked("901^0", "13800008002", NOW, answer)])
    store.close()


@pytest.mark.parametrize("word", ["13800008002", "901^0"])
def test_show_tells_what_was_sent_and_never_heard_of(program: Program, word: str) -> None:
    enter(program)
    (found,) = program("show", word).objects
    assert (list(found), found["state"]) == (KEYS, "open")
    ask(program, Answer.NO_RECORD)
    assert program("show", word, "-o", "table").out.splitlines() == [
        "138****8002 · message · no record",
        "biz id 901^0",
        "─" * 80,
        "11-19          ● sent",
        "               │ template SMS_1 · signature 阿里云",
        "11-21 12:00:00 ● asked: the provider knows of no such send",
    ]


def test_show_puts_the_send_before_its_receipts_in_time_order(program: Program) -> None:
    enter(program)
    program.keep("SmsReport", report(PHONE, "900^0", **FAILED))
    program.keep("SmsUp", {**REPLY, "send_time": "2026-11-20 15:49:40"})
    program.keep("SecretStartReport", {**CALL, "phone_no": PHONE})
    found = program("show", PHONE).objects
    assert [each.get("kind", "send") for each in found] == ["SecretStartReport", "SmsUp", "send", "SmsReport"]
    screen = program("show", PHONE, "-o", "table").out
    message = screen[screen.index("138****8000 · message · failed") :]
    assert message.count("● sent") == 1
    assert "11-20 15:49:55 ● sent\n               │ template SMS_1 · signature 阿里云\n" in message
    csv_out = program("show", PHONE, "-o", "csv")
    assert csv_out.out.count("\n") == 4
    assert "smsreceipt sends list" in csv_out.err


def test_show_finds_a_receipt_by_the_out_id_that_only_the_ledger_knows_and_the_other_way_round(
    program: Program,
) -> None:
    enter(program)
    program.keep("SmsReport", report(PHONE, "900^0", out_id="only-here"))
    for word in ("order-1", "only-here"):
        found = program("show", word).objects
        assert [each.get("kind", "send") for each in found] == ["send", "SmsReport"]
    assert len(program("show", "900^0").objects) == 3


def test_a_narrow_screen_of_a_send_of_which_only_the_day_is_known(program: Program) -> None:
    enter(program)
    ask(program, Answer.WAITING)
    narrow = program("show", "901^0", "-o", "table", columns=40, environ={"LANG": "zh_CN.UTF-8"}).out
    assert "运营商处理中" in narrow
    assert "11-19\n         ● 发送" in narrow


def test_status_counts_what_is_open(program: Program) -> None:
    assert {"sends": 0, "open_sends": 0}.items() <= program("status").objects[0].items()
    assert "sends" not in program("status", "-o", "table").out
    enter(program)
    program.keep("SmsReport", report(PHONE, "900^0"))
    assert {"sends": 3, "open_sends": 2}.items() <= program("status").objects[0].items()
    assert "sends      3 · 2 open  smsreceipt reconcile --from 7d --to today\n" in program("status", "-o", "table").out
    assert "2 待回执" in program("status", "-o", "table", environ={"LANG": "zh_CN.UTF-8"}).out
