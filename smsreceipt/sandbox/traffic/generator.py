"""Generated queue messages: receipts of every kind, duplicates, and unreadable messages (poison)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from smsreceipt.model import BEIJING
from smsreceipt.sandbox.traffic import calls, others, sms
from smsreceipt.sandbox.traffic.faker import Faker, Receipt, Scenario
from smsreceipt.sandbox.traffic.poison import poisoned
from smsreceipt.sandbox.wire.receipts import compact_json, queue_body

DUPLICATES = 0.03  #: the share of good messages that repeat an earlier one
PLAIN = 0.02  #: the share of bodies that are plain JSON instead of base64
_WINDOW = 48  #: how far messages are moved from the order of events

#: Scenarios and their weights, which add up to 100.
SCENARIOS: tuple[tuple[Scenario, int], ...] = (
    (sms.report, 34),
    (sms.campaign, 10),
    (sms.reply, 8),
    (sms.verification, 3),
    (sms.international, 3),
    (sms.international_to_mainland, 2),
    (sms.globe, 1),
    (sms.sign_review, 2),
    (sms.template_review, 2),
    (calls.call, 16),
    (calls.extension_call, 1),
    (calls.intercepted_sms, 8),
    (calls.exception_phone, 1),
    (calls.number_management, 1),
    (others.logistics, 1),
    (others.voice_call, 3),
    (others.card, 1),
    (others.card_template, 1),
    (sms.console_test, 1),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message for a queue."""

    kind: str  #: the message type; it goes to the default queue of this type
    text: str  #: the message body
    is_poison: bool = False  #: it holds no receipt: a reader has to reject it
    is_duplicate: bool = False  #: it repeats the text of an earlier message
    receipt: Mapping[str, object] | None = None  #: the receipt in it; None for poison


def generate(seed: int | None, n: int, poison: float = 0.0, *, day: date | None = None) -> Iterator[Message]:
    """Yield *n* messages about events of *day* (Beijing; default: yesterday); a share *poison* of them is unreadable.

    The same seed and day give the same messages. Every message that is neither poison nor duplicate holds a statement
    of its own; no poison repeats a text.
    """
    rng = random.Random(seed)  # noqa: S311 - must be repeatable, not secret
    fake = Faker(rng, datetime.combine(day or datetime.now(BEIJING).date() - timedelta(days=1), time(9), BEIJING))
    receipts = _shuffled(rng, (receipt for scenario in _scenarios(rng) for receipt in scenario(fake)))
    bad = poisoned(rng)
    earlier: list[Message] = []
    for _ in range(n):
        if rng.random() < poison:
            kind, text = next(bad)
            yield Message(kind, text, is_poison=True)
        elif earlier and rng.random() < DUPLICATES:
            old = rng.choice(earlier)
            yield Message(old.kind, old.text, is_duplicate=True, receipt=old.receipt)
        else:
            receipt = next(receipts)
            message = Message(receipt.kind, _text(rng, receipt), receipt=receipt.body)
            earlier.append(message)
            del earlier[:-1000]
            yield message


def _scenarios(rng: random.Random) -> Iterator[Scenario]:
    """Endless: each scenario once, then by weight. The console's test push comes only once."""
    first = [scenario for scenario, _weight in SCENARIOS]
    rng.shuffle(first)
    yield from first
    repeated = [(scenario, weight) for scenario, weight in SCENARIOS if scenario is not sms.console_test]
    scenarios, weights = zip(*repeated, strict=True)
    while True:
        yield rng.choices(scenarios, weights)[0]


def _shuffled(rng: random.Random, receipts: Iterator[Receipt]) -> Iterator[Receipt]:
    """The same receipts, each moved within a window: queues keep no order."""
    window: list[Receipt] = []
    for receipt in receipts:
        window.append(receipt)
        if len(window) == _WINDOW:
            yield window.pop(rng.randrange(_WINDOW))


def _text(rng: random.Random, receipt: Receipt) -> str:
    encode = compact_json if rng.random() < PLAIN else queue_body
    return encode(receipt.body).decode()
