import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cli.program import NOW, Program, report

pytestmark = pytest.mark.each_engine

UNKNOWN = "warning: CustomReport is no message type known here: kept whole, but not read; did you mean SmsReport?\n"
BROKEN = b'{"phone_number":"13812345678","content":"canary'


def ids(program: Program) -> list[str]:
    return [found["id"] for found in program("rejects", "list").objects]


def test_no_rejects(program: Program) -> None:
    ended = program("rejects", "list")
    assert (ended.code, ended.raw, ended.err) == (0, b"", "no rejects\n")


def test_a_reject_is_the_object_of_the_contract_and_tells_no_content(program: Program) -> None:
    program.keep("SmsReport", BROKEN)
    ended = program("rejects", "list")
    (found,) = ended.objects
    assert len(found.pop("id")) == 64
    assert found == {
        "kind": "SmsReport",
        "source": "mns",
        "origin": "Alicom-Queue-1000000001-SmsReport",
        "reason": "json",
        "received_at": "2026-11-21T04:00:00.000Z",
        "size": len(BROKEN),
        "times_seen": 1,
    }


def test_a_table_has_the_newest_and_says_how_many_more_there_are(program: Program) -> None:
    for n in range(52):
        program.keep("SmsReport", b"broken %d" % n)
    shown = program("rejects", "list", "-o", "table", columns=120)
    assert shown.err == "2 more: --limit N shows more of them, --json all\n"
    all_of_them = ids(program)
    assert len(all_of_them) == 52
    listed = [line[:12] for line in shown.out.splitlines()[1:51]]
    assert listed == [each[:12] for each in all_of_them[2:]]
    assert program("rejects", "list", "-o", "table", "--limit", "60").err == ""
    assert [each["id"] for each in program("rejects", "list", "--limit", "2").objects] == all_of_them[:2]


def test_the_table_explains_its_reasons(program: Program) -> None:
    program.keep("SmsReport", BROKEN)
    (found,) = ids(program)
    assert program("rejects", "list", "-o", "table", columns=120).out == (
        "ID            REASON  KIND       SIZE  SEEN     CAME  FROM\n"
        f"{found[:12]}  json    SmsReport  47 B    1x  0 s ago  mns Alicom-Queue-1000000001\n"
        "\n"
        "What the reasons mean:\n"
        "json  not JSON: cut short, or something after its end\n"
    )
    assert "  1 次  " in program("rejects", "list", "-o", "table", "--lang", "zh", columns=120).out


def test_show_covers_the_content_on_a_terminal_and_raw_gives_every_byte(program: Program) -> None:
    program.keep("SmsReport", BROKEN + b"\xff\x1b[2J")
    (found,) = ids(program)
    screen = program("rejects", "show", found[:6], "-o", "table").out
    assert '{"phone_number":"<11 characters>","content":"<' in screen
    assert "canary" not in screen
    assert "13812345678" not in screen
    revealed = program("rejects", "show", found, "-o", "table", "--reveal", columns=200).out
    assert r'"content":"canary\xff\x1b[2J' in revealed
    assert program("rejects", "show", found, "--raw").raw == BROKEN + b"\xff\x1b[2J"
    (record,) = program("rejects", "show", found).objects
    assert record["preview"].startswith('{"phone_number":"13812345678"')
    assert (
        program("rejects", "show", found, "--mask")
        .objects[0]["preview"]
        .startswith('{"phone_number":"<11 characters>"')
    )


def test_a_beginning_that_fits_two_is_refused(program: Program) -> None:
    program.keep("SmsReport", *(b"broken %d" % number for number in range(20)))
    first = sorted(ids(program))
    shared = next(one[0] for one, other in pairwise(first) if one[0] == other[0])
    assert "more than one reject" in program("rejects", "show", shared).err
    assert program("rejects", "show", "").code == 2


def test_retry_stores_what_can_be_read_now_and_leaves_the_rest(program: Program) -> None:
    program.keep(None, b'{"hello":1}', b'{"hello":2}')
    program.keep("SmsReport", BROKEN)
    ended = program("rejects", "retry", "--all", "--kind", "CustomReport")
    assert [(found["kind"], found["body"]) for found in ended.objects] == [
        ("CustomReport", {"hello": 1}),
        ("CustomReport", {"hello": 2}),
    ]
    assert ended.err == f"{UNKNOWN}received=3 new=2 duplicate=0 rejected=1\n"
    assert ended.code == 0
    assert [found["reason"] for found in program("rejects", "list").objects] == ["json"]


@pytest.mark.parametrize("written", ["smsup", "SMSUP", " SmsUp "])
def test_a_known_kind_is_stored_in_its_own_spelling(program: Program, written: str) -> None:
    program.keep(None, b'{"sequence_id":"1","content":"TD","phone_number":"13800001111","x":1')
    program.keep(None, {"sequence_id": "7", "phone_number": "13800001111"})
    ended = program("rejects", "retry", "--all", "--kind", written)
    assert [(found["kind"], found["identity"]) for found in ended.objects] == [("SmsUp", ["7", "13800001111"])]


def test_retry_opens_the_event_that_a_function_passed_on_to_listen(program: Program) -> None:
    event = {"rawPath": "/cb", "isBase64Encoded": False, "body": json.dumps([report(), 7])}
    program.keep(None, event)
    assert not program("list", "--json").objects
    ended = program("rejects", "retry", "--all", "--json")
    assert [each["identity"] for each in ended.objects] == [[report()["biz_id"], report()["phone_number"]]]
    assert [each["reason"] for each in program("rejects", "list", "--json").objects] == ["not-object"]


def test_retry_keeps_when_and_how_it_came(program: Program) -> None:
    program.keep(None, b'{"hello":1}', origin="dump.jsonl", received_at=NOW)
    (found,) = ids(program)
    (stored,) = program("rejects", "retry", found[:8], "--kind", "CustomReport").objects
    assert (stored["origin"], stored["received_at"]) == ("dump.jsonl", "2026-11-21T04:00:00.000Z")
    assert ids(program) == []


def test_what_is_known_already_is_a_duplicate(program: Program) -> None:
    program.keep("CustomReport", b'{"hello":1}')
    program.keep(None, b'{"hello":1}')
    ended = program("rejects", "retry", "--all", "--kind", "CustomReport")
    assert ended.err == f"{UNKNOWN}received=1 new=0 duplicate=1 rejected=0\n"
    assert ids(program) == []


def test_all_of_them_by_a_variable(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.keep(None, b'{"hello":1}')
    monkeypatch.setenv("SMSRECEIPT_REJECTS_RETRY_ALL", "1")
    ended = program("rejects", "retry", "--kind", "CustomReport")
    assert ended.err == f"{UNKNOWN}received=1 new=1 duplicate=0 rejected=0\n"
    assert ids(program) == []


def test_nothing_to_retry(program: Program) -> None:
    program.opened().close()
    assert program("rejects", "retry", "--all").err == "received=0 new=0 duplicate=0 rejected=0\n"


def test_drop_by_origin_reason_or_all(program: Program, tmp_path: Path) -> None:
    for name, text in (("a.json", "{]\n[{]\n"), ("b.json", '{"x":\n'), ("c.json", '{"y":1}\n')):
        (tmp_path / name).write_text(text)
        program("replay", str(tmp_path / name))
    before = len(ids(program))
    assert program("rejects", "drop", "--origin", str(tmp_path / "b.json"), "--yes").err == "dropped=1\n"
    assert program("rejects", "drop", "--origin", str(tmp_path / "b"), "--yes").err == "dropped=0\n"
    assert (
        program("rejects", "drop", "--origin", str(tmp_path), "--reason", "kind-unknown", "--yes").err == "dropped=1\n"
    )
    assert program("rejects", "drop", "--all", "--yes").err == f"dropped={before - 2}\n"
    assert ids(program) == []


def test_drop_needs_one_way_to_name_rejects(program: Program) -> None:
    program.keep("SmsReport", BROKEN)
    (found,) = ids(program)
    for words in ([], [found, "--all"], ["--all", "--reason", "json"], ["--reason", "no-reason"]):
        assert program("rejects", "drop", *words, "--yes").code == 2
    assert program("rejects", "drop", "--reason", "json").code == 2
    assert ids(program) == [found]


def test_drop_asks_and_without_a_terminal_needs_yes(program: Program) -> None:
    program.keep("SmsReport", BROKEN, b"other")
    first, second = ids(program)
    refused = program("rejects", "drop", first)
    assert (refused.code, len(ids(program))) == (2, 2)
    assert refused.err.endswith("hint: Say --yes.\n")
    assert program("rejects", "drop", first, first[:9], "--yes").err == "dropped=1\n"
    assert ids(program) == [second]


def test_good_receipts_are_no_rejects(program: Program) -> None:
    program.keep("SmsReport", report())
    assert ids(program) == []
