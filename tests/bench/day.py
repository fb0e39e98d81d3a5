"""A day of a company that sends: what it noted, what the provider knows, which receipts came, and the truth.

Batches share a BizId, some numbers get very many texts, some calls have no OutId, some sends happen within seconds of
midnight and are filed on the other day, some are still waiting, some failed, of some the provider has no record, and
some receipts were lost. The same seed gives the same day.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time

import msgspec

from smsreceipt.model import BEIJING
from smsreceipt.sandbox import PastSend

DAY = 86_400

#: code, whether its receipt is final, and how many of a thousand sends end so.
CODES = (
    ("DELIVERED", True, 905),
    ("MOBILE_NOT_ON_SERVICE", True, 50),
    ("MOBILE_IN_BLACK", True, 20),
    ("CONTENT_KEYWORD", True, 15),
    ("UNKNOWN", False, 10),
)
_FINAL = {code: final for code, final, _weight in CODES}


@dataclass(frozen=True, slots=True)
class Truth:
    """One send, whole."""

    noted: float  #: when the company noted it, in seconds: its ledger's time, up to two seconds before SendDate
    send: PastSend  #: as the provider has, or would have, it
    known: bool  #: the provider has a record of it
    arrived: bool  #: its receipt came
    label: str  #: the class that a reconciliation ends with

    @property
    def key(self) -> tuple[str, str]:
        """(biz_id, phone)."""
        return self.send.biz_id, self.send.phone

    @property
    def missing(self) -> bool:
        """Whether no final receipt came."""
        return self.label != "with_receipt"


@dataclass(slots=True)
class Day:
    """A day and the whole truth about it, in the order of the ledger."""

    day: date
    sends: list[Truth] = field(default_factory=list)

    def ledger(self) -> Iterator[dict[str, str]]:
        """The rows of the company's own list."""
        for truth in self.sends:
            send = truth.send
            yield {
                "phone": send.phone,
                "biz_id": send.biz_id,
                "sent_at": wall(truth.noted),
                "out_id": send.out_id,
                "template_code": send.template_code,
                "sign_name": send.sign_name,
            }

    def csv(self) -> str:
        """The ledger as CSV with a header."""
        out = io.StringIO()
        writer = csv.DictWriter(out, ["phone", "biz_id", "sent_at", "out_id", "template_code", "sign_name"])
        writer.writeheader()
        writer.writerows(self.ledger())
        return out.getvalue()

    def ndjson(self) -> str:
        """The ledger as NDJSON."""
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.ledger())

    def record(self) -> Iterator[PastSend]:
        """What the provider knows, for Sandbox.remember."""
        return (truth.send for truth in self.sends if truth.known)

    def load(self) -> str:
        """The same, for `smsreceipt sandbox --load`."""
        return "".join(msgspec.json.encode({"send": send}).decode() + "\n" for send in self.record())

    def receipts(self) -> Iterator[dict[str, object]]:
        """The bodies (SmsReport) of the receipts that came."""
        return (truth.send.send().receipt() for truth in self.sends if truth.arrived)

    def labels(self) -> dict[str, int]:
        """How many sends end in each class."""
        counted: dict[str, int] = {}
        for truth in self.sends:
            counted[truth.label] = counted.get(truth.label, 0) + 1
        return counted

    def least_calls(self) -> int:
        """The calls that no reconciliation can do without: one for every number with something missing."""
        return len({truth.send.phone for truth in self.sends if truth.missing})


def make_day(
    seed: int,
    day: date,
    sends: int = 100_000,
    phones: int = 60_000,
    *,
    lost: float = 0.03,
    waiting: float = 0.002,
    absent: float = 0.001,
    foreign: float = 0.005,
) -> Day:
    """A day (Beijing) of *sends* to *phones* numbers at most; the shares are of all sends."""
    dice = random.Random(seed)
    numbers = [number(index, dice.random() < foreign) for index in range(phones)]
    dice.shuffle(numbers)
    hot = numbers[: max(1, phones // 20_000)]  # a few get so many that their day has several pages
    deck = numbers + dice.choices(numbers, k=max(0, sends - phones))
    dice.shuffle(deck)
    morning = datetime.combine(day, time(), BEIJING).timestamp()
    made = Day(day)
    serial = 0
    while len(made.sends) < sends:
        serial += 1
        moment = morning + when(dice)
        recipients = chosen(dice, deck, hot, sends - len(made.sends))
        biz_id = f"9{int(morning):010d}{serial:07d}^0"
        out_id = f"order-{day:%m%d}-{serial}" if dice.random() < 0.6 else ""
        for phone in recipients:
            made.sends.append(one(dice, moment, morning, phone, biz_id, out_id, lost, waiting, absent))
        # Rarely the same people get another text within seconds, without an OutId: only the BizId tells them apart.
        if dice.random() < 0.01 and len(made.sends) < sends:
            again, moment = f"9{int(morning):010d}{serial:07d}^1", min(moment + dice.randrange(30), morning + DAY - 1)
            for phone in recipients[: sends - len(made.sends)]:
                made.sends.append(one(dice, moment, morning, phone, again, "", lost, waiting, absent))
    return made


def when(dice: random.Random) -> float:
    """Seconds of the day: mostly working hours; 2 % in the last or first two minutes."""
    draw = dice.random()
    if draw < 0.01:
        return DAY - 1 - dice.randrange(120)
    if draw < 0.02:
        return dice.randrange(120)
    return dice.randrange(8 * 3600, 22 * 3600) if draw < 0.9 else dice.randrange(DAY)


def chosen(dice: random.Random, deck: list[str], hot: list[str], most: int) -> list[str]:
    """The numbers of one call, off the deck: mostly one, else a batch; each at most once."""
    size = 1 if dice.random() < 0.7 else dice.choice((2, 5, 10, 100))
    if not deck or (size == 1 and dice.random() < 0.1):
        return [dice.choice(hot)]
    taken = dict.fromkeys(deck[-min(size, most) :])
    del deck[-min(size, most) :]
    return list(taken)


def one(
    dice: random.Random,
    noted: float,
    morning: float,
    phone: str,
    biz_id: str,
    out_id: str,
    lost: float,
    waiting: float,
    absent: float,
) -> Truth:
    """One send: how it ended, what is known of it, and what came."""
    code = dice.choices([code for code, _final, _weight in CODES], [weight for _code, _final, weight in CODES])[0]
    sent = noted + dice.choice((0, 0, 0, 1, 1, 2))
    fate = dice.random()
    waits, known = fate < waiting, not waiting <= fate < waiting + absent
    filed = ""
    if known and (sent < morning + 60 or sent >= morning + DAY - 60) and dice.random() < 0.2:
        # Filed by another clock than the one that SendDate tells.
        filed = f"{datetime.fromtimestamp(sent + (-120 if sent < morning + 60 else 120), BEIJING):%Y%m%d}"
    send = PastSend(
        phone=phone,
        biz_id=biz_id,
        sent=sent,
        reported=None if waits else sent + dice.randrange(1, 30),
        code=code,
        queried_code=dice.choice((None, None, "DELIVRD", "")) if code == "DELIVERED" else None,
        out_id=out_id,
        filed=filed,
    )
    arrived = known and not waits and dice.random() >= lost
    return Truth(noted, send, known, arrived, label(send, known, arrived))


def label(send: PastSend, known: bool, arrived: bool) -> str:
    """The class that a reconciliation ends with."""
    if arrived and _FINAL[send.code]:
        return "with_receipt"
    if not known:
        return "no_record"
    if send.reported is None:
        return "still_waiting"
    return "compensated_delivered" if send.code == "DELIVERED" else "compensated_failed"


def number(index: int, foreign: bool) -> str:
    """The n-th number, as receipts show it."""
    return f"8529{index:07d}" if foreign else f"1{30 + index // 10_000 % 70}0000{index % 10_000:04d}"


def wall(seconds: float) -> str:
    """Beijing wall-clock text, to the second."""
    return datetime.fromtimestamp(seconds, BEIJING).strftime("%Y-%m-%d %H:%M:%S")
