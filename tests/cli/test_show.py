import pytest

from smsreceipt.model import Source
from tests.cli.program import CALL, CALL_ENDED, FAILED, REPLY, Program, report

pytestmark = pytest.mark.each_engine


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_nothing_found_is_3_and_a_line_with_the_next_step(program: Program, quiet: tuple[str, ...]) -> None:
    for words in (("show", "13800008000"), ("show", "13800008000", "--json"), ("show", "900619746936498440^0")):
        ended = program(*words, *quiet)
        (line,) = ended.err.splitlines()
        assert (ended.code, ended.raw) == (3, b"")
        assert line.startswith("nothing is known about that number or id")
        assert "smsreceipt query-details" in line
        assert "13800008000" not in line


def test_an_empty_word_is_not_whatever_has_no_number(program: Program) -> None:
    program.keep("SmsUp", REPLY)
    ended = program("show", "")
    assert (ended.code, ended.raw) == (2, b"")
    assert "empty number or id" in ended.err


def test_a_number_finds_messages_replies_and_calls_in_time_order(program: Program) -> None:
    program.keep("SmsUp", REPLY)
    program.keep("SmsReport", report(), report("13800009999"))
    program.keep("SecretReport", {**CALL_ENDED, "phone_no": "13800008000"})
    kinds = [found["kind"] for found in program("show", "+86 138 0000 8000".replace(" ", "")).objects]
    assert kinds == ["SecretReport", "SmsReport", "SmsUp"]


def test_every_id_finds_it_and_every_statement_is_shown(program: Program) -> None:
    program.keep("SmsReport", report())
    program.keep("SmsReport", report(**FAILED), source=Source.PUSH)
    for word in ("13800008000", "900619746936498440^0", "order-67890"):
        assert [found["outcome"] for found in program("show", word).objects] == ["delivered", "failed"]


def test_a_number_finds_the_whole_call_even_what_names_no_number(program: Program) -> None:
    program.keep("SecretReport", CALL_ENDED)
    program.keep("SecretStartReport", CALL)
    program.keep(
        "SecretRecording", {"pool_key": CALL["pool_key"], "subs_id": 1, "call_id": "call-1", "call_time": 1795140000000}
    )
    assert len(program("show", "13900001111").objects) == 3
    assert len(program("show", "call-1").objects) == 3


def test_a_number_can_come_from_standard_input(program: Program) -> None:
    program.keep("SmsReport", report())
    program.stdin = b"13800008000\n"
    assert len(program("show", "-").objects) == 1
    program.stdin = b""
    assert program("show", "-").code == 2


def test_the_screen_of_a_message(program: Program) -> None:
    program.keep("SmsReport", report(**FAILED))
    assert program("show", "order-67890", "-o", "table").out == (
        "138****8000 · message · failed\n"
        "biz id 900619746936498440^0 · out id order-67890\n"
        "────────────────────────────────────────────────────────────────────────────────\n"
        "11-20 15:49:55 ● sent\n"
        "11-20 15:49:58 ● failed  MOBILE_IN_BLACK  +3 s\n"
        "                 the number is on a blacklist of the platform or the carrier,\n"
        "                 usually after opting out of this signature  号码在黑名单\n"
        "                 → Stop sending to this number: it opted out or complained, and\n"
        "                 sending on harms your signature. If the user wants messages\n"
        "                 again, have them ask their carrier or you ask the provider's\n"
        "                 support to lift the block.\n"
        "                 err_msg 号码在黑名单  sms_size 1\n"
        "                 came by mns Alicom-Queue-1000000001-SmsReport · 11-21 12:00:00\n"
    )


def test_the_screen_of_a_call_in_chinese(program: Program) -> None:
    program.keep("SecretReport", CALL_ENDED)
    program.keep("SecretStartReport", CALL)
    screen = program("show", "call-1", "-o", "table", environ={"LANG": "zh_CN.UTF-8"}, columns=120).out
    steps = [line[:14] + line[16:].split("  ")[0] for line in screen.splitlines() if "●" in line]
    assert steps == [
        "11-20 10:00:00 发起呼叫",
        "11-20 10:00:01 呼叫被叫",
        "11-20 10:00:04 振铃",
        "11-20 10:00:12 接听",
        "11-20 10:03:17 通话结束 · 已接通",
    ]
    assert "通话 3 分 5 秒  主叫挂断" in screen
    assert "record_url <30 个字符>" in screen
    for number in ("13900001111", "17000000001", "13700002222"):
        assert number not in screen


def test_an_unanswered_call_has_no_answer_on_its_time_line(program: Program) -> None:
    program.keep("SecretReport", {**CALL_ENDED, "start_time": CALL_ENDED["release_time"], "release_cause": 19})
    screen = program("show", "call-1", "-o", "table").out
    assert "answered" not in screen.split("call ended")[0]
    assert "unconnected" in screen


def test_a_conflict_a_repeat_and_a_claim_are_visible(program: Program) -> None:
    program.keep("SmsReport", report())
    program.keep("SmsReport", report())
    program.keep("SmsReport", report(**FAILED), source=Source.PUSH, origin="/push")
    screen = program("show", "order-67890", "-o", "table").out
    assert "⚠ The statements contradict each other: delivered / failed" in screen
    assert "seen 2 times" in screen
    assert "superseded" in screen
    assert "unsigned" in screen
    assert screen.startswith("138****8000 · message · delivered\n")


def test_a_claim_that_was_signed_later_is_none_any_more(program: Program) -> None:
    program.keep("SmsReport", report(), source=Source.PUSH, origin="/push")
    before = program("show", "order-67890", "-o", "table").out
    program.keep("SmsReport", report())
    after = program("show", "order-67890", "-o", "table").out
    assert ("unsigned" in before, "unsigned" in after) == (True, False)
    assert "came by push" in after
    assert "seen 2 times" in after


def test_a_code_that_no_table_knows_and_a_test_push(program: Program) -> None:
    test_push = report(
        "18612345678",
        "932702304080415357^0",
        send_time="2017-08-30 00:00:00",
        report_time="2017-08-30 00:00:00",
        out_id="1184585343",
    )
    program.keep("SmsReport", report("13800008001", **{**FAILED, "err_code": "~~"}), test_push)
    assert "no table knows this code" in program("show", "13800008001", "-o", "table").out
    assert "a test push of the console" in program("show", "18612345678", "-o", "table").out


def test_a_reply_is_covered_unless_revealed(program: Program) -> None:
    program.keep("SmsUp", REPLY)
    assert "content <6 characters>" in program("show", "13800008000", "-o", "table").out
    assert "您好，收到了" in program("show", "13800008000", "-o", "table", "--reveal").out


def test_a_narrow_terminal_and_one_without_lines(program: Program) -> None:
    program.keep("SmsReport", report(**FAILED))
    narrow = program("show", "order-67890", "-o", "table", columns=40).out
    assert max(map(len, narrow.splitlines())) <= 40
    assert "11-20\n15:49:55 ● sent\n15:49:58 ● failed" in narrow
    plain = program("show", "order-67890", "-o", "table", encoding="gbk")
    assert "15:49:55 * sent" in plain.raw.decode("gbk")
    assert "号码在黑名单" in plain.raw.decode("gbk")
    assert program("show", "order-67890", "-o", "table", encoding="ascii").raw.isascii()


#: Of one call: the caller, the number that was put through, the privacy number, and the binding.
NUMBERS = ("13900000001", "13900000002", "17000000001", "1000000000000002")


def kept_call(program: Program, **more: object) -> None:
    program.keep(
        "SecretReport",
        {
            "pool_key": "FC1",
            "call_id": "call-1",
            "sub_id": int(NUMBERS[3]),
            "phone_no": NUMBERS[0],
            "peer_no": NUMBERS[1],
            "secret_no": NUMBERS[2],
            "call_type": 0,
            "call_time": "2026-11-20 10:00:00",
            "start_time": "2026-11-20 10:00:05",
            "release_time": "2026-11-20 10:00:50",
            "release_cause": 16,
            **more,
        },
    )


@pytest.mark.parametrize("number", NUMBERS)
def test_every_number_of_a_call_finds_it(program: Program, number: str) -> None:
    kept_call(program)
    program.keep("SmsReport", report())
    assert [each["call_id"] for each in program("show", number).objects] == ["call-1"]
    assert [each["call_id"] for each in program("list", "--phone", number).objects] == ["call-1"]
    assert [each["call_id"] for each in program("list", "--phone", number, "--phone", "1").objects] == ["call-1"]


@pytest.mark.parametrize(
    ("kind", "body", "ids"),
    [
        ("SmsReport", report(biz_id="900^0"), ["900^0", "900"]),
        (
            "SmsUp",
            {"sequence_id": 77, "phone_number": "13800000001", "content": "TD", "send_time": "2026-11-20 10:00:00"},
            ["77"],
        ),
        (
            "SignSmsReport",
            {"sign_name": "Shop", "sign_status": "approved", "orderId": "4711", "create_date": "2026-11-20 10:00:00"},
            ["4711"],
        ),
        (
            "ChatAppStatus",
            {"MessageId": "m-1", "To": "13800000001", "Status": "Read", "TaskId": "t-1", "MsgFrameType": "message"},
            ["m-1", "t-1"],
        ),
        (
            "GlobeSmsReport",
            {"message_id": "12441353", "to": "85251230001", "status": "1", "send_date": "2026-11-20 10:00:00"},
            ["12441353"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_show_takes_every_id_that_list_prints(
    program: Program, kind: str, body: dict[str, object], ids: list[str]
) -> None:
    program.keep("SmsReport", report("13800000009", "9001^0"))
    program.keep(kind, body)
    for text in ids:
        assert [each["kind"] for each in program("show", text).objects] == [kind]


def test_the_screen_tells_why_the_platform_did_not_connect_a_call(program: Program) -> None:
    blocked = {"start_time": "2026-11-20 10:00:50", "call_type": 4, "unconnected_cause": 1}
    kept_call(program, **blocked)
    shown = program("show", "call-1", terminal=True, columns=100).out
    assert "the caller is on a blacklist" in shown
    assert "normal clearing" not in shown


def test_the_record_of_an_sms_is_not_shown_as_a_call(program: Program) -> None:
    kept_call(program, call_type=3)
    shown = program("show", "call-1", terminal=True, columns=100).out
    assert "SMS through the privacy number" in shown
    assert "answered" not in shown.replace("was answered", "")
