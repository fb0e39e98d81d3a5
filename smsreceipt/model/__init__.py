"""The values of the domain: receipts, sends, outcomes, times. No I/O, no provider terms, no terminal, no SQL."""

from smsreceipt.model.facts import Place
from smsreceipt.model.phones import is_mainland, narrow, normalise_phone, unguarded, visible
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
    leg_of,
    said_in,
)
from smsreceipt.model.recordings import Recording, RecordingState
from smsreceipt.model.sends import Answer, Asked, Send, billed_parts, may_be_message_id
from smsreceipt.model.shares import WHOLE, Share, place_of
from smsreceipt.model.state import Claim, contradictory, decide
from smsreceipt.model.times import (
    BEIJING,
    DAY_MS,
    Instant,
    beijing_day,
    date_of,
    iso_beijing,
    iso_utc,
    number_of,
    start_of_day,
)
from smsreceipt.model.words import nearest

__all__ = [
    "BEIJING",
    "DAY_MS",
    "SETTLED",
    "WHOLE",
    "Answer",
    "Asked",
    "Claim",
    "Decoded",
    "Delivery",
    "Instant",
    "Kind",
    "Outcome",
    "Place",
    "Reached",
    "Reason",
    "Receipt",
    "Recording",
    "RecordingState",
    "Reject",
    "Send",
    "Share",
    "Source",
    "StoredReceipt",
    "StoredReject",
    "Tally",
    "beijing_day",
    "billed_parts",
    "contradictory",
    "date_of",
    "decide",
    "is_mainland",
    "iso_beijing",
    "iso_utc",
    "leg_of",
    "may_be_message_id",
    "narrow",
    "nearest",
    "normalise_phone",
    "number_of",
    "place_of",
    "said_in",
    "start_of_day",
    "unguarded",
    "visible",
]
