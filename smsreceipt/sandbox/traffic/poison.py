"""Unreadable messages (poison): every form that is known to break a reader. No text repeats."""

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


def _base64(text: str | bytes) -> str:
    """*text* in base64, as the provider sends it."""
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def _report_with(n: int, more: str) -> str:
    """A report with a further field that makes it invalid."""
    return _base64(f"{_REPORT % n},{more}}}")


#: Unreadable for every message type.
ANYWHERE: tuple[Callable[[int], str], ...] = (
    lambda n: f"!!!!{n}!!!!",  # not base64
    lambda n: f"{_base64(_REPORT % n + '}')}=YQ==",  # base64 of which a lenient decoder reads half
    lambda n: _base64(_REPORT % n),  # truncated
    lambda n: _base64(_REPORT % n + '}{"again":1}'),  # a second object
    lambda n: _base64(_REPORT.encode().replace(b"%d", b"%d" % n) + b',"err_msg2":"\xff\xfe"}'),  # not UTF-8
    lambda n: _base64((_REPORT % n + "}").encode("utf-16")),
    lambda n: _report_with(n, '"out_id":"\\ud800"'),  # a lone surrogate
    lambda n: _report_with(n, '"out_id":"a\x00b"'),  # a NUL character
    lambda n: _report_with(n, '"biz_id":"other"'),  # a duplicate key
    lambda n: _report_with(n, '"out_id":NaN'),
    lambda n: _report_with(n, '"out_id":-Infinity'),
    lambda n: _report_with(n, '"out_id":1e999'),
    lambda n: _report_with(n, f'"out_id":{"9" * 5000}'),
    lambda n: _report_with(n, f'"out_id":{"[" * 100}{"]" * 100}'),
    lambda n: _base64(f"[{n}]"),
    lambda n: _base64(f"{n}"),
    lambda n: _base64(f'"{n}"'),
    lambda n: _base64(f"{n:b}".replace("0", " ").replace("1", "\n")),  # only white space
)

#: Unreadable where an SmsReport is expected.
REPORTS: tuple[Callable[[int], str], ...] = (
    lambda n: _base64((_REPORT % n + "}").replace('"success":true', '"success":"maybe"')),
    lambda n: _base64((_REPORT % n + "}").replace('"phone_number":"13800000000"', '"phone_number":{"no":1}')),
    lambda n: _base64((_REPORT % n + "}").replace('"phone_number":"13800000000"', '"phone_number":["1"]')),
    lambda n: _base64((_REPORT % n + "}").replace('"success":true', '"success":[]')),
    lambda n: _base64(f'{{"success":true,"out_id":"{n}"}}'),  # no identity
    lambda n: _base64(f'{{"unknown":{n}}}'),
)


def poisoned(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Endless pairs of kind and text: every form once before any comes again."""
    forms = [(make, False) for make in ANYWHERE] + [(make, True) for make in REPORTS]
    serial = count(1)
    while True:
        rng.shuffle(forms)
        for make, reports in forms:
            yield "SmsReport" if reports else rng.choice(KINDS), make(next(serial))
