"""Counts by plain means, from what a store lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from smsreceipt.model import DAY_MS, Outcome, Send, StoredReceipt, beijing_day, is_mainland
from smsreceipt.model.facts import UNKNOWN
from smsreceipt.store import Query, SendQuery, Store
from smsreceipt.store.counting import bucket
from smsreceipt.store.counts import NEGATIVE, By

MESSAGES = ("SmsReport", "DypnsSmsVerifyReport")
CARRIERS = {"138": "mobile", "130": "unicom", "133": "telecom"}
PROVINCES = {"0": "beijing", "1": "hebei"}


class Places:
    """Some carriers and provinces."""

    def __init__(self, version: str = "1") -> None:
        self.version = version

    def __call__(self, phone: str) -> tuple[str, str]:
        return CARRIERS.get(phone[:3], UNKNOWN), PROVINCES.get(phone[6:7], UNKNOWN)


def seconds_of(stored: StoredReceipt, *, exact: bool) -> int | None:
    receipt = stored.receipt
    if receipt.outcome is not Outcome.DELIVERED or receipt.sent_at is None or receipt.reported_at is None:
        return None
    took = receipt.reported_at // 1000 - receipt.sent_at // 1000
    if took < 0:
        return NEGATIVE
    return took if exact else bucket(took)


def message(stored: StoredReceipt, sends: dict[tuple[str, str], Send], *, exact: bool = False) -> dict[str, Any]:
    """The values of one message, its parts among them."""
    receipt = stored.receipt
    send = sends.get((receipt.biz_id, receipt.phone))
    carrier, province = Places()(receipt.phone if is_mainland(receipt.phone) else "")
    sent = receipt.sent_at
    return {
        By.DAY: beijing_day(stored.happened_at),
        By.HOUR: None if sent is None else (sent + 8 * 3_600_000) % DAY_MS // 3_600_000,
        By.KIND: receipt.kind,
        By.OUTCOME: receipt.outcome or "",
        By.CODE: receipt.code,
        By.SECONDS: seconds_of(stored, exact=exact),
        By.CARRIER: carrier,
        By.PROVINCE: province,
        By.TEMPLATE: stored.template_code,
        By.SIGN: stored.sign_name,
        By.ORIGIN: stored.origin,
        "parts": receipt.parts or (send and send.parts) or 1,
    }


def messages(store: Store, *, exact: bool = False) -> list[dict[str, Any]]:
    """Every message that the store holds."""
    sends = {(each.send.biz_id, each.send.phone): each.send for each in store.sends(SendQuery())}
    states = [each for each in store.list(Query(kinds=MESSAGES)) if not each.receipt.test]
    return [message(each, sends, exact=exact) for each in states]


def grouped(found: Iterable[dict[str, Any]], by: tuple[By, ...]) -> tuple[Counter[Any], Counter[Any]]:
    """How many messages there are of each combination of values, and how many parts."""
    counts: Counter[Any] = Counter()
    parts: Counter[Any] = Counter()
    for each in found:
        key = tuple(each[name] for name in by)
        counts[key] += 1
        parts[key] += each["parts"]
    return counts, parts
