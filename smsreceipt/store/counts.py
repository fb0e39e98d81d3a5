"""Questions about how many receipts, sends, calls and replies a store has of some days, and the answers' rows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from smsreceipt.model.facts import CallFacts, Place, ReplyFacts


class Subject(StrEnum):
    """What is counted."""

    MESSAGES = "messages"  #: states of SmsReport and DypnsSmsVerifyReport
    SENDS = "sends"  #: rows of the ledger, each with the state of its receipt; outcome "" where there is none
    CALLS = "calls"  #: states of SecretReport
    REPLIES = "replies"  #: SmsUp
    RECORDINGS = "recordings"  #: calls with a SecretRecording
    UNRECORDED = "unrecorded"  #: connected calls without one, of those that should have one


class By(StrEnum):
    """What rows are grouped by. The values in a row are texts, or numbers for day, hour and seconds."""

    DAY = "day"  #: number of the Beijing day
    HOUR = "hour"  #: of sent_at, 0 to 23 in Beijing; None where sent_at is not known
    KIND = "kind"
    OUTCOME = "outcome"
    CODE = "code"
    STATE = "state"  #: of SENDS: FINAL, else the outcome of the receipt, "" where there is none
    SECONDS = "seconds"  #: of messages the latency, of calls the talk; None where there is none
    RING = "ring"  #: of calls, seconds of ringing; None where it is not known
    CARRIER = "carrier"
    PROVINCE = "province"
    TEMPLATE = "template"  #: "" where the ledger does not tell
    SIGN = "sign"  #: the same; of REPLIES that of the reply
    POOL = "pool"  #: of calls
    SIDE = "side"  #: of calls, who ended it: platform, caller, callee, unknown
    CALL_TYPE = "call_type"
    WORD = "word"  #: of replies: the text as words are compared; "" where it is longer than a word
    ORIGIN = "origin"  #: of the first delivery: the queue, path, file or action


#: The state of a send with a receipt that is delivered, failed or expired.
FINAL = "final"
#: The latency of a delivered message whose receipt tells a time before that of the send.
NEGATIVE = -2


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """What the store cannot tell by itself: whose numbers are whose, and what bodies hold."""

    place: Place
    call: Callable[[bytes], CallFacts]  #: reads a SecretReport; of a SecretRecording, its pool
    reply: Callable[[bytes], ReplyFacts]  #: reads an SmsUp
    version: str  #: of call and reply: a greater one whenever an answer may have changed


@dataclass(frozen=True, slots=True, kw_only=True)
class CountQuery:
    """What to count. An empty collection filters nothing; the values of one collection are alternatives."""

    subject: Subject
    first_day: int  #: Beijing days since 1970-01-01, both included
    last_day: int
    by: tuple[By, ...] = ()  #: values of the rows, in this order
    where: dict[By, Collection[Any]] = field(default_factory=dict)  #: filters by values that rows may be grouped by
    exact: bool = False  #: seconds as they are, not the lower edges of buckets; reads every receipt
    parts: bool = True  #: False: parts mean nothing, and no receipt is read to learn them


class Count(msgspec.Struct, frozen=True, array_like=True):
    """One row of an answer. Each combination of values occurs once."""

    values: tuple[Any, ...]  #: as CountQuery.by names them
    count: int
    parts: int = 0  #: billed parts of MESSAGES and SENDS


class Folded(msgspec.Struct, frozen=True):
    """How far statements are counted in advance."""

    to_seq: int  #: those up to this seq are
    complete: bool  #: all that readers see are: answers need no scan
    rest: int = 0  #: how many statements an answer reads beside the counts, at most
    place: str = ""  #: the version of the Place of the counts; with another one, carriers and provinces need a scan
