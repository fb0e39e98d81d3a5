"""Messages that hold no receipt, of every sort that was ever seen to hurt a reader. No text comes twice."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator
from itertools import count

from smsreceipt.sandbox.options import KINDS

_REPORT = (
    '{"phone_number":"13800000000","send_time":"2026-11-20 15:49:55","report_time":"2026-11-20 15:49:58",'
    '"success":true,"err_code":"DELIVERED","err_msg":"用户接收成功","sms_size":"1","biz_id":"POISON%d^0"'
)


def wrapped(text: str | bytes) -> str:
    """In base64, as honest senders do."""
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def whole(n: int, more: str) -> str:
    """A report with something added that spoils it."""
    return wrapped(f"{_REPORT % n},{more}}}")


#: Spoiled whatever the message type.
ANYWHERE: tuple[Callable[[int], str], ...] = (
    lambda n: f"!!!!{n}!!!!",  # no base64
    lambda n: f"{wrapped(_REPORT % n + '}')}=YQ==",  # base64 that a lenient decoder takes half of
    lambda n: wrapped(_REPORT % n),  # cut off
    lambda n: wrapped(_REPORT % n + '}{"again":1}'),  # and more behind it
    lambda n: wrapped(_REPORT.encode().replace(b"%d", b"%d" % n) + b',"err_msg2":"\xff\xfe"}'),  # no UTF-8
    lambda n: wrapped((_REPORT % n + "}").encode("utf-16")),
    lambda n: whole(n, '"out_id":"\\ud800"'),  # half a character
    lambda n: whole(n, '"out_id":"a\x00b"'),  # a bare NUL
    lambda n: whole(n, '"biz_id":"other"'),  # one name twice
    lambda n: whole(n, '"out_id":NaN'),
    lambda n: whole(n, '"out_id":-Infinity'),
    lambda n: whole(n, '"out_id":1e999'),
    lambda n: whole(n, f'"out_id":{"9" * 5000}'),
    lambda n: whole(n, f'"out_id":{"[" * 100}{"]" * 100}'),
    lambda n: wrapped(f"[{n}]"),
    lambda n: wrapped(f"{n}"),
    lambda n: wrapped(f'"{n}"'),
    lambda n: wrapped(f"{n:b}".replace("0", " ").replace("1", "\n")),  # nothing
)

#: Spoiled where a report of the SMS service is expected.
REPORTS: tuple[Callable[[int], str], ...] = (
    lambda n: wrapped((_REPORT % n + "}").replace('"success":true', '"success":"maybe"')),
    lambda n: wrapped((_REPORT % n + "}").replace('"phone_number":"13800000000"', '"phone_number":{"no":1}')),
    lambda n: wrapped((_REPORT % n + "}").replace('"phone_number":"13800000000"', '"phone_number":["1"]')),
    lambda n: wrapped((_REPORT % n + "}").replace("2026-11-20 15:49:55", "yesterday")),
    lambda n: wrapped(f'{{"success":true,"out_id":"{n}"}}'),  # no identity
    lambda n: wrapped(f'{{"unknown":{n}}}'),
)


def poisoned(dice: random.Random) -> Iterator[tuple[str, str]]:
    """Endlessly, (kind, text): every sort once before any comes again, and no text twice."""
    sorts = [(make, False) for make in ANYWHERE] + [(make, True) for make in REPORTS]
    serial = count(1)
    while True:
        dice.shuffle(sorts)
        for make, reports in sorts:
            yield "SmsReport" if reports else dice.choice(KINDS), make(next(serial))
