"""Receipts, rejects, sends and consumer leases, kept durably. `opening` opens a store; an engine is chosen there."""

from smsreceipt.store.promise import LOCK_WAIT, Consumers, Receipts, Rejects, Reread, Sends, Store
from smsreceipt.store.values import (
    NO_TIME,
    CallGap,
    ConsumerLease,
    DayParts,
    DaySends,
    Imported,
    Kept,
    KindFacts,
    ListedParts,
    Query,
    SendQuery,
    SendState,
    StoredSend,
    StoreFacts,
)

__all__ = [
    "LOCK_WAIT",
    "NO_TIME",
    "CallGap",
    "ConsumerLease",
    "Consumers",
    "DayParts",
    "DaySends",
    "Imported",
    "Kept",
    "KindFacts",
    "ListedParts",
    "Query",
    "Receipts",
    "Rejects",
    "Reread",
    "SendQuery",
    "SendState",
    "Sends",
    "Store",
    "StoreFacts",
    "StoredSend",
]
