"""The values that everything else is about. No I/O, no provider words, no terminal, no SQL."""

from smsreceipt.model.phones import normalise_phone
from smsreceipt.model.receipts import (
    SETTLED,
    Decoded,
    Delivery,
    Kind,
    Outcome,
    Reached,
    Reason,
    Receipt,
    Reject,
    Source,
    StoredReceipt,
    StoredReject,
    Tally,
)
from smsreceipt.model.sends import Answer, Asked, Send, billed_parts
from smsreceipt.model.state import Claim, contradictory, decide
from smsreceipt.model.times import BEIJING, DAY_MS, Instant, beijing_day, date_of, iso_beijing, iso_utc, number_of

__all__ = [
    "BEIJING",
    "DAY_MS",
    "SETTLED",
    "Answer",
    "Asked",
    "Claim",
    "Decoded",
    "Delivery",
    "Instant",
    "Kind",
    "Outcome",
    "Reached",
    "Reason",
    "Receipt",
    "Reject",
    "Send",
    "Source",
    "StoredReceipt",
    "StoredReject",
    "Tally",
    "beijing_day",
    "billed_parts",
    "contradictory",
    "date_of",
    "decide",
    "iso_beijing",
    "iso_utc",
    "normalise_phone",
    "number_of",
]
