"""The receipt object of the data contract."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from smsreceipt.model import Instant, StoredReceipt, iso_utc
from smsreceipt.output.columns import Cell, Column, Shown
from smsreceipt.output.look import Look
from smsreceipt.output.mask import mask_numbers, mask_phone, mask_value
from smsreceipt.output.objects.common import at_second, outcome_cell
from smsreceipt.output.words import display_width, elapsed, wall_clock

_at_millisecond = lru_cache(maxsize=1024)(iso_utc)


def masked_receipt(stored: StoredReceipt) -> StoredReceipt:
    """The receipt with every number and text of a person masked: in its columns, its identity, and its body."""
    receipt, phone = stored.receipt, stored.receipt.phone
    masked = msgspec.structs.replace(
        receipt,
        identity=tuple(mask_numbers(part, phone) for part in receipt.identity),
        phone=mask_phone(phone),
        biz_id=mask_numbers(receipt.biz_id, phone),
        out_id=mask_numbers(receipt.out_id, phone),
        call_id=mask_numbers(receipt.call_id, phone),
        code=mask_numbers(receipt.code, phone),
        body=msgspec.json.encode(mask_value(msgspec.json.decode(receipt.body), "", phone)),
    )
    return msgspec.structs.replace(stored, receipt=masked, origin=mask_numbers(stored.origin, phone))


def happened_at(stored: StoredReceipt) -> Instant:
    """When what it reports happened: what --since and --until look at."""
    times = (stored.receipt.sent_at, stored.receipt.reported_at, stored.received_at)
    return next(at for at in times if at is not None)


def _outcome(stored: StoredReceipt, look: Look) -> Cell:
    return outcome_cell(stored.receipt.outcome, look)


def _code(stored: StoredReceipt, _look: Look) -> str:
    return stored.receipt.code


def _kind(stored: StoredReceipt, _look: Look) -> str:
    return stored.receipt.kind


def _short_kind(stored: StoredReceipt, _look: Look) -> str:
    """SecretStartReport as Start: enough where there is no room for more. A short one stays whole."""
    kind = stored.receipt.kind
    short = kind.removesuffix("Report") if len(kind) > len("SmsReport") else kind
    return short.removeprefix("Secret") or short


def _took(stored: StoredReceipt, look: Look) -> str:
    """From sent to reported; nothing where one is not known."""
    sent, reported = stored.receipt.sent_at, stored.receipt.reported_at
    return "" if sent is None or reported is None else elapsed(reported - sent, chinese=look.chinese)


def _reference(stored: StoredReceipt, _look: Look) -> Cell:
    """The shortest of the ids that `show` takes; else what tells the receipt apart."""
    receipt = stored.receipt
    ids = [each for each in (receipt.biz_id, receipt.out_id, receipt.call_id) if each]
    other = [part for part in receipt.identity if part not in ("", receipt.phone)]
    return Cell(min(ids, key=display_width) if ids else " ".join(other), "dim")


_SENT = ("SENT", "时间")
_SENT_ZONED = ("SENT +08:00", "时间 +08:00")
_KIND = ("KIND", "类型")
_OUTCOME = ("OUTCOME", "结果")
_CODE = ("CODE", "代码")

#: What can be given to `show` stays down to 80 columns of the terminal, the time down to 40.
RECEIPTS = Shown[StoredReceipt](
    "Receipt",
    [
        Column(
            key="seq",
            of="seq",
            head=("SEQ", "SEQ"),
            cell=lambda row, _: Cell("" if row.seq is None else str(row.seq), "dim"),
            keep=2,
            right=True,
        ),
        Column(
            head=_SENT_ZONED,
            cell=lambda row, _: wall_clock(happened_at(row)),
            keep=4,
            narrow=Column(
                head=_SENT_ZONED,
                cell=lambda row, _: wall_clock(happened_at(row))[:-3],
                keep=7.5,
                narrow=Column(head=_SENT, cell=lambda row, _: wall_clock(happened_at(row))[6:-3], keep=9.5),
            ),
        ),
        Column(
            key="kind",
            of="receipt.kind",
            head=_KIND,
            cell=_kind,
            keep=3,
            roomy=12,
            narrow=Column(head=_KIND, cell=_short_kind, keep=5.5, least=5),
        ),
        Column(key="identity", of="receipt.identity"),
        Column(head=("PHONE", "号码"), cell=lambda row, _: row.receipt.phone, keep=10, least=11),
        Column(
            key="outcome",
            of="receipt.outcome",
            head=_OUTCOME,
            cell=_outcome,
            keep=7.8,
            least=11,
            narrow=Column(head=_OUTCOME, cell=_outcome, keep=9, least=9),
        ),
        Column(key="phone", of="receipt.phone", or_null=True),
        Column(key="biz_id", of="receipt.biz_id", or_null=True),
        Column(key="out_id", of="receipt.out_id", or_null=True),
        Column(key="call_id", of="receipt.call_id", or_null=True),
        Column(
            key="code",
            of="receipt.code",
            or_null=True,
            head=_CODE,
            cell=_code,
            keep=6,
            least=18,
            roomy=22,
            narrow=Column(head=_CODE, cell=_code, keep=8, least=7, roomy=22),
        ),
        Column(key="sent_at", of="receipt.sent_at", show=at_second),
        Column(key="reported_at", of="receipt.reported_at", show=at_second),
        Column(head=("TOOK", "用时"), cell=_took, keep=1, right=True),
        Column(head=("ID", "ID"), cell=_reference, keep=7, roomy=20),
        Column(key="received_at", of="received_at", show=_at_millisecond),
        Column(key="source", of="source"),
        Column(key="origin", of="origin"),
        Column(key="times_seen", of="times_seen"),
        Column(key="test", of="receipt.test"),
        Column(key="parts", of="receipt.parts"),
        Column(key="talk_seconds", of="receipt.talk_seconds"),
        Column(key="body", of="receipt.body", show=msgspec.Raw),
    ],
    masked=masked_receipt,
)
