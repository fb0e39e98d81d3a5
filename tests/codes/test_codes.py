"""Every code that a table knows is explained in both languages, with something to do about it."""

import re
import subprocess
import sys
from dataclasses import astuple, fields

import pytest

from smsreceipt import codes
from smsreceipt.output.display import CATEGORIES_ZH

COLUMNS = {
    "receipt": ["code", "meaning_zh", "meaning_en", "category", "basis"],
    "unconnected": ["code", "meaning_zh", "meaning_en", "category", "basis"],
    "release-cause": ["code", "meaning_zh", "meaning_en", "category", "basis"],
    "api": ["code", "meaning_zh", "meaning_en", "category", "class"],
}
LOOK_UP = {
    "receipt": codes.receipt,
    "unconnected": codes.unconnected,
    "release-cause": codes.release_cause,
    "api": codes.api,
}
CATEGORIES = {
    "receipt": {
        "delivered", "user-unreachable", "blacklisted", "frequency", "content", "blocked", "carrier", "unknown",
    },
    "unconnected": {"blocked", "unbound"},
    "release-cause": {
        "ended", "busy", "no-answer", "rejected", "unreachable", "number", "barred", "congestion", "network", "sms",
    },
    "api": {"none", "retry", "refresh-token", "back-off", "fix-config", "fix-request", "set-clock", "stop"},
}  # fmt: skip
tables = pytest.mark.parametrize("table", codes.TABLES)


def chinese(text: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in text)


def test_an_explanation_has_the_fields_that_users_were_promised() -> None:
    assert [field.name for field in fields(codes.Explanation)] == [
        "table", "code", "category", "meaning_en", "meaning_zh", "advice_en", "advice_zh",
    ]  # fmt: skip


@tables
def test_every_row_is_complete_and_names_a_code_once(table: str) -> None:
    rows = codes.rows(codes.TABLES[table])
    assert list(rows[0]) == COLUMNS[table]
    for row in rows:
        assert all(value and value == value.strip() for value in row.values()), row
        assert chinese(row["meaning_zh"]), row
        assert not chinese(row["meaning_en"]), row
        assert row.get("basis", "provider") in {"provider", "carrier"}, row
    spellings = [row["code"].casefold() for row in rows]
    assert len(spellings) == len(set(spellings))


@tables
def test_categories_are_a_closed_list(table: str) -> None:
    assert {row["category"] for row in codes.rows(codes.TABLES[table])} == CATEGORIES[table]


@tables
def test_every_code_is_found_by_its_own_table_with_advice_in_both_languages(table: str) -> None:
    for row in codes.rows(codes.TABLES[table]):
        found = LOOK_UP[table](row["code"])
        assert found is not None
        assert (found.table, found.code, found.category) == (table, row["code"], row["category"])
        assert len(found.advice_en) > 10
        assert chinese(found.advice_zh)
        assert found in codes.explain(row["code"])


def test_every_advice_belongs_to_a_category_or_to_a_code_of_it() -> None:
    known = {(table, row["category"], row["code"]) for table in codes.TABLES for row in codes.rows(codes.TABLES[table])}
    wanted = known | {(table, category, "") for table in CATEGORIES for category in CATEGORIES[table]}
    given = [(row["table"], row["category"], row["code"]) for row in codes.rows("advice.tsv")]
    assert set(given) <= wanted
    assert len(given) == len(set(given))


def test_chinese_is_written_with_chinese_punctuation() -> None:
    for file in [*codes.TABLES.values(), "advice.tsv"]:
        for row in codes.rows(file):
            for name, value in row.items():
                assert not (name.endswith("_zh") and set(value) & set(",;()")), row


def test_advice_for_one_code_beats_that_of_its_category() -> None:
    balance, signature = codes.receipt("isv.AMOUNT_NOT_ENOUGH"), codes.receipt("REJECTD")
    assert balance is not None
    assert signature is not None
    assert balance.category == signature.category == "blocked"
    assert "Top up" in balance.advice_en
    assert "Top up" not in signature.advice_en


@pytest.mark.parametrize("code", ["DELIVRD", "REJECTD", "UNDELIV", "EXPIRED", "ACCEPTD"])
def test_codes_of_sms_through_privacy_numbers_are_receipt_codes(code: str) -> None:
    found = codes.receipt(code)
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(
    ("code", "row"),
    [
        ("MK:0001", "MK:0001"),
        ("mk:0001", "MK:0001"),
        (" MK:0001\n", "MK:0001"),
        ("MK:9999", "MK:*"),
        ("mk:", "MK:*"),
        ("MA:0051", "MA:0051"),
        ("MA:0055", "MA:*"),
        ("UNDELIV", "UNDELIV"),
        ("UNDELIV_001", "UNDELIV_001"),
        ("UNDELIV_42", "UNDELIV_*"),
        ("UNDELIVRD", "UNDELIVRD"),
        ("delivered", "DELIVERED"),
        ("SUCCESS", "success"),
    ],
)
def test_exact_rows_beat_prefixes_and_case_is_forgiven(code: str, row: str) -> None:
    found = codes.receipt(code)
    assert found is not None
    assert found.code == row


def test_api_codes_may_be_known_by_their_prefix_only() -> None:
    for code, row in [("Throttling.User", "Throttling.User"), ("Throttling.Api", "Throttling*"), ("isp.NEW", "isp.*")]:
        found = codes.api(code)
        assert found is not None
        assert found.code == row


@pytest.mark.parametrize(
    "code",
    [
        "MissingSecurityToken", "QPS_LIMIT_CONTROL", "SYSTEM_ERROR", "RAM_PERMISSION_DENY", "QUERY_DATE_ILLEGAL",
        "AccessDeniedByRamPolicy", "SP_UNKNOW_ERROR", "SignatureDoesNotMatch", "InvalidAccessKeyId.NotFound",
        "InvalidAccessKeyId.Inactive", "InvalidTimeStamp.Expired", "Forbidden.RAM", "Forbidden.AccessKeyDisabled",
        "isv.BUSINESS_LIMIT_CONTROL", "isv.AMOUNT_NOT_ENOUGH", "OUT_OF_SERVICE", "isp.RAM_PERMISSION_DENY",
        "Throttling.User", "Throttling.Api", "ServiceUnavailable", "ServiceUnAvailable", "InvalidSecurityToken.Expired",
        "InvalidSecurityToken.MismatchWithAccessKey", "InvalidSecurityToken.Malformed", "UnsupportedHTTPMethod",
        "MissingAccessKeyId", "MissingTimestamp", "MissingParameter", "InvalidParameter.Format", "InvalidVersion",
        "PRODUCT_NOT_SUBSCRIBED", "ONLINE_BILLING_FAILED", "ACCOUNT_ILLEGAL", "SMS_SECURITY_INTERCEPTED",
        "FORBIDDEN_ACTION", "DATA_NOT_EXIST", "NOT_SUPPORTED_COUNTRY", "InvalidAuthorizationHeader",
        "InvalidDateHeader", "InvalidDegist", "InvalidRequestURL", "InvalidQueryString", "MalformedXML",
        "QueueNameLengthError", "InvalidQueueName", "QueueDeletedRecently", "isv.PRODUCT_UN_SUBSCRIPT",
    ],
)  # fmt: skip
def test_the_codes_that_people_meet_are_explained(code: str) -> None:
    assert codes.explain(code)


def test_a_number_is_a_receipt_code_and_a_release_cause() -> None:
    assert [(e.table, e.code) for e in codes.explain("4")] == [("receipt", "4"), ("release-cause", "4")]


@pytest.mark.parametrize("code", ["", " ", "*", "NO_SUCH_CODE", "MK", "DELIVERED2", "\ud800", "[/red]", "x" * 5000])
def test_what_no_table_knows_is_not_explained(code: str) -> None:
    assert codes.explain(code) == []


def test_tables_are_read_once() -> None:
    first, second = codes.receipt("DELIVERED"), codes.receipt("delivered")
    assert first is second
    assert first is not None
    assert astuple(first)[0] == "receipt"


def test_importing_the_module_reads_no_table() -> None:
    program = "import smsreceipt.codes as c; print(c._load.cache_info().misses + c._advice.cache_info().misses)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "0\n"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"unconnected_cause": 1, "call_type": 4, "control_msg": "NO_SUBS_EXIST"}, "unconnected_cause=1"),
        ({"unconnected_cause": "2"}, "unconnected_cause=2"),
        ({"unconnected_cause": 0, "control_msg": "NO_SUBS_EXIST", "call_type": "4"}, "NO_SUBS_EXIST"),
        ({"unconnected_cause": 0, "call_type": 4}, "call_type=4"),
        ({"unconnected_cause": 4, "call_type": 0, "control_msg": "NEW"}, None),
        ({"unconnected_cause": [], "control_msg": None}, None),
        ({}, None),
    ],
)
def test_why_a_call_was_not_connected_is_told_before_its_release_cause(
    fields: dict[str, object], code: str | None
) -> None:
    found = codes.why_unconnected(fields)
    assert (found and found.code) == code


def test_the_status_of_a_transcript_that_was_made_is_known() -> None:
    found = codes.receipt("21050000")
    assert found is not None
    assert found.category == "delivered"


@pytest.mark.parametrize(
    ("code", "row"),
    [
        ("isv.MOBILE_NUMBER_ILLEGAL", "isv.MOBILE_NUMBER_ILLEGAL"),
        ("MOBILE_NUMBER_ILLEGAL", "isv.MOBILE_NUMBER_ILLEGAL"),
        ("SYSTEM_ERROR", "isp.SYSTEM_ERROR"),
        ("isv.SYSTEM_ERROR", "isp.SYSTEM_ERROR"),
        ("ram_permission_deny", "isp.RAM_PERMISSION_DENY"),
        ("isv.QPS_LIMIT_CONTROL", "QPS_LIMIT_CONTROL"),
        ("Throttling.QPS_LIMIT_CONTROL", "QPS_LIMIT_CONTROL"),
        ("QUERY_DATE_ILLEGAL", "isv.QUERY_DATE_ILLEGAL"),
        ("MissingSecurityToken", "MissingSecurityToken"),
        ("AccessDeniedByRamPolicy", "AccessDenied*"),
        ("InvalidAccessKeyId.Inactive", "InvalidAccessKeyId.Inactive"),
    ],
)
def test_an_api_code_is_known_with_and_without_its_prefix(code: str, row: str) -> None:
    found = codes.api(code)
    assert found is not None
    assert found.code == row
    assert found in codes.explain(code)


def test_the_part_after_throttling_is_no_code_of_its_own() -> None:
    assert codes.api("User") is None


def test_every_api_code_has_one_of_the_classes_and_its_category_agrees() -> None:
    for row in codes.rows(codes.TABLES["api"]):
        found = codes.api_class(row["code"])
        assert found is codes.ApiClass(row["class"])
        assert found is codes.ApiClass.LATER or row["category"] != "retry"
    assert codes.api_class("isv.NEVER_SEEN") is None


@pytest.mark.parametrize("file", ["receipt.tsv", "unconnected.tsv", "release_cause.tsv", "api.tsv", "advice.tsv"])
def test_a_blank_stands_between_chinese_and_latin_letters(file: str) -> None:
    texts = [row[name] for row in codes.rows(file) for name in row if name.endswith("_zh")]
    assert texts
    joined = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9%][\u4e00-\u9fff]")
    quoted = "拒收请回复R"  # what a message says
    assert not [text for text in texts if joined.search(text.replace(quoted, ""))]


def test_every_category_has_a_chinese_name() -> None:
    tables = ("receipt.tsv", "unconnected.tsv", "release_cause.tsv", "api.tsv")
    categories = {row["category"] for file in tables for row in codes.rows(file)}
    assert categories == CATEGORIES_ZH.keys()
