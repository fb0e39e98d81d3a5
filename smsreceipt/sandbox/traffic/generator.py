"""Generated messages: realistic receipts of every kind, repeats, and poison. The same seed and day give the same."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from smsreceipt.model import BEIJING
from smsreceipt.sandbox.traffic import calls, others
from smsreceipt.sandbox.traffic import sms as messages
from smsreceipt.sandbox.traffic.faker import Piece, Teller
from smsreceipt.sandbox.traffic.poison import poisoned

REPEATED = 0.03  #: the share of good messages that come again, word for word
PLAIN = 0.02  #: the share of bodies that some sender did not put in base64
_WINDOW = 48  #: how far messages stray from the order of events

#: Every kind of story, and how many of a hundred it takes. Each is told once before any is told again.
STORIES = (
    (messages.report, 34),
    (messages.campaign, 10),
    (messages.reply, 8),
    (messages.verification, 3),
    (messages.abroad, 3),
    (messages.from_abroad, 2),
    (messages.globe, 1),
    (messages.sign_review, 2),
    (messages.template_review, 2),
    (calls.call, 16),
    (calls.extension_call, 1),
    (calls.intercepted_sms, 8),
    (calls.exception_phone, 1),
    (calls.number_management, 1),
    (others.logistics, 1),
    (others.voice_call, 3),
    (others.card, 1),
    (others.card_template, 1),
    (messages.console_test, 1),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message for a queue."""

    kind: str  #: it goes to the default queue of this message type
    text: str  #: what travels
    is_poison: bool = False  #: holds no receipt: whoever reads it has to put it aside
    is_duplicate: bool = False  #: the text of an earlier message, word for word
    receipt: Mapping[str, object] | None = None  #: what it says; None for poison


def generate(seed: int | None, n: int, poison: float = 0.0, *, day: date | None = None) -> Iterator[Message]:
    """Yield *n* messages, a share *poison* of them unreadable, about events of *day* (Beijing; default: yesterday).

    Every message that is neither poison nor duplicate makes a statement that no other makes; no poison comes twice.
    """
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    teller = Teller(dice, datetime.combine(day or datetime.now(BEIJING).date() - timedelta(days=1), time(9), BEIJING))
    told = shuffled(dice, (piece for story in stories(dice) for piece in story(teller)))
    bad = poisoned(dice)
    earlier: list[Message] = []
    for _ in range(n):
        if dice.random() < poison:
            kind, text = next(bad)
            yield Message(kind, text, is_poison=True)
        elif earlier and dice.random() < REPEATED:
            old = dice.choice(earlier)
            yield Message(old.kind, old.text, is_duplicate=True, receipt=old.receipt)
        else:
            piece = next(told)
            message = Message(piece.kind, transported(dice, piece), receipt=piece.body)
            earlier.append(message)
            del earlier[:-1000]
            yield message


def stories(dice: random.Random) -> Iterator[messages.Story]:
    """Endlessly, what is told next."""
    each = [story for story, _weight in STORIES]
    dice.shuffle(each)
    yield from each
    plots, weights = zip(*STORIES, strict=True)
    again = [(plot, weight) for plot, weight in zip(plots, weights, strict=True) if plot is not messages.console_test]
    while True:
        yield dice.choices([plot for plot, _weight in again], [weight for _plot, weight in again])[0]


def shuffled(dice: random.Random, pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same pieces, each up to a window away from its place: queues keep no order."""
    window: list[Piece] = []
    for piece in pieces:
        window.append(piece)
        if len(window) == _WINDOW:
            yield window.pop(dice.randrange(_WINDOW))


def transported(dice: random.Random, piece: Piece) -> str:
    """The body as message text: base64, rarely plain."""
    text = json.dumps(piece.body, ensure_ascii=False, separators=(",", ":"))
    return text if dice.random() < PLAIN else base64.b64encode(text.encode()).decode()
