"""Each payload decodes to the receipts beside it; `pytest tests/decode --regenerate` rewrites them for review."""

import json
from pathlib import Path

import pytest

from smsreceipt.decode import decode
from smsreceipt.decode.dialect import Dialect
from smsreceipt.decode.strict import members
from smsreceipt.decode.table import DIALECTS
from smsreceipt.model import Decoded, Kind, Receipt, Reject, Source, iso_beijing

from .deliveries import SMS_REPORT, delivery

PAYLOADS = Path(__file__).parent.parent / "payloads"
CASES = sorted(path for path in PAYLOADS.glob("*/*.json") if not path.name.endswith(".receipts.json"))
KINDS = {dialect.name: dialect.kind for dialect in DIALECTS} | {
    "generic": Kind("NeverHeardOfReport"),
    "faults": SMS_REPORT,
}
#: These say the same as another kind, or nothing by which a kind could be known.
UNTELLING = {"dypns-sms-verify-report", "generic"}
#: Too few fields to tell the kind by, though enough where it is known.
KNOWN_KIND_ONLY = {"sms-report-international/without-number"}


def shown(body: bytes) -> str:
    text = body.decode("utf-8", "backslashreplace")
    return text if len(text) < 2000 else f"{text[:100]}… ({len(body)} bytes)"


def readable(receipt: Receipt) -> dict[str, object]:
    return {
        "kind": receipt.kind,
        "identity": list(receipt.identity),
        "outcome": receipt.outcome,
        "code": receipt.code,
        "sent_at": None if receipt.sent_at is None else iso_beijing(receipt.sent_at),
        "reported_at": None if receipt.reported_at is None else iso_beijing(receipt.reported_at),
        "phone": receipt.phone,
        "biz_id": receipt.biz_id,
        "out_id": receipt.out_id,
        "call_id": receipt.call_id,
        "detail": receipt.detail,
        "test": receipt.test,
        "body": shown(receipt.body),
        "digest": receipt.digest.hex(),
        **({} if receipt.parts is None else {"parts": receipt.parts}),
        **({} if receipt.talk_seconds is None else {"talk_seconds": receipt.talk_seconds}),
        **({"numbers": receipt.numbers} if receipt.numbers else {}),
        **({"unread": list(receipt.unread)} if receipt.unread else {}),
    }


def refused(reject: Reject) -> dict[str, object]:
    return {"reason": reject.reason, "body": shown(reject.body)}


def page(decoded: Decoded) -> str:
    found = {
        "receipts": [readable(receipt) for receipt in decoded.receipts],
        "rejects": [refused(reject) for _, reject in decoded.rejects],
    }
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def read(case: Path, kind: Kind | None) -> Decoded:
    frame = case.read_bytes()
    source = Source.PUSH if frame.startswith(b"[") and case.parent.name != "faults" else Source.MNS
    return decode(delivery(frame, kind=kind, source=source))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_a_payload_decodes_to_the_receipts_beside_it(case: Path, request: pytest.FixtureRequest) -> None:
    golden = case.with_suffix(".receipts.json")
    found = page(read(case, KINDS[case.parent.name]))
    if request.config.getoption("--regenerate", default=False):
        golden.write_text(found, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_the_fields_tell_the_kind_where_nothing_else_does(case: Path) -> None:
    with_kind, without_kind = read(case, KINDS[case.parent.name]), read(case, None)
    if f"{case.parent.name}/{case.stem}" in KNOWN_KIND_ONLY:
        assert not without_kind.receipts
    elif case.parent.name in UNTELLING:
        assert {receipt.kind for receipt in without_kind.receipts} <= {SMS_REPORT}
    else:
        assert without_kind.receipts == with_kind.receipts
    assert len(without_kind.receipts) + len(without_kind.rejects) == len(with_kind.receipts) + len(with_kind.rejects)


def test_every_dialect_has_a_golden_pair() -> None:
    assert {case.parent.name for case in CASES} == set(KINDS)


def test_no_golden_page_outlives_its_payload() -> None:
    pages = {path.name.removesuffix(".receipts.json") for path in PAYLOADS.glob("*/*.receipts.json")}
    assert pages == {case.stem for case in CASES}


#: Rows that fit what another row describes too; the first of the table is used.
ALSO_FIT = {
    "dypns-sms-verify-report": {"sms-report"},
    "sms-report": {"dypns-sms-verify-report"},
    "query-message": {"sms-report-international"},
    "secret-report": {"secret-pick-up-report", "secret-ring-report", "secret-start-report", "secret-recording"},
    "secret-pick-up-report": {"secret-ring-report", "secret-start-report", "secret-recording"},
    "secret-ring-report": {"secret-start-report", "secret-recording"},
    "secret-start-report": {"secret-recording"},
}


@pytest.mark.parametrize("row", DIALECTS, ids=lambda row: row.name)
def test_no_row_takes_what_another_page_describes(row: Dialect) -> None:
    fits = row.matcher(untold=True)
    taken = set()
    for case in CASES:
        if case.parent.name in {"faults", "generic", row.name}:
            continue
        bodies = [receipt.body for receipt in read(case, KINDS[case.parent.name]).receipts]
        if any(fits(members(body)) for body in bodies):
            taken.add(case.parent.name)
    assert all(row.name in ALSO_FIT.get(name, ()) for name in taken), taken
