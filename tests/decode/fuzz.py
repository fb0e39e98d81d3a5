"""What no bytes may ever break, and bytes that try: `python -m tests.decode.fuzz 200000 [SEED]`.

Everything comes from one seed: the same seed makes the same inputs.
"""

import json
import random
import re
import sys
import time
from base64 import b64encode
from binascii import a2b_base64
from collections import Counter
from hashlib import sha256
from pathlib import Path

from smsreceipt.decode import KINDS, decode
from smsreceipt.decode.frames import MAX_BYTES
from smsreceipt.model import Decoded, Delivery, Kind, Outcome, Reason, Receipt, Source, iso_beijing

from .deliveries import REPORT, SMS_REPORT, delivery

SLOW_SECONDS = 0.1
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
PAYLOADS = Path(__file__).parent.parent / "payloads"

#: Aimed at what hurts decoders, databases and terminals.
TOKENS = (
    *(b"\\ud800", b"\\udfff", b"\\ud83d\\udc4d", b"\\u0000", b"\\u202e", b"\\\\", b'\\"', b"\\u", b"\\x41"),
    *(b"\x00", b"\x1b[31m", b"\x7f", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xef\xbb\xbf", b"\xff\xfe"),
    *("\u202e\u2066\u2028\u200b".encode(), "１２３".encode(), "👩‍👩‍👧".encode(), "【阿里云】".encode()),
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1e-999999999", b"-0", b"01", b"1.", b"0.1e5", b"9" * 25),
    *(b"9" * 4301, b"[" * 40, b"]" * 40, b'{"a":' * 40, b"[]", b"{}", b"null", b"true", b'"false"', b'""', b"1.5"),
    *(b",", b":", b'"', b"{", b"}", b"[", b"]", b" ", b"\n", b",,", b"==", b"!!!!"),
    *(b'"success":false,', b'"success" : true,', b'"biz_id":"1",', b'"biz_id":null,', b'"phone_number":[],'),
    *(b'"err_code":"DELIVRD",', b'"send_time":"",', b'"send_time":"9999-12-31 23:59:59",', b'"call_id":1,'),
)


def corpus() -> list[bytes]:
    cases = sorted(path for path in PAYLOADS.glob("*/*.json") if not path.name.endswith(".receipts.json"))
    return [path.read_bytes() for path in cases]


def mutated(seeds: list[bytes], rng: random.Random) -> bytes:
    """One input: a payload, cut, spliced, doubled, re-encoded and sprinkled with what hurts."""
    text = rng.choice(seeds)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        here, there = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        match rng.randrange(8):
            case 0:
                text = text[:here] + text[there:]
            case 1:
                text = text[:there] + text[here:]
            case 2:
                text = text[:here]
            case 3:
                other = rng.choice(seeds)
                text = text[:here] + other[rng.randint(0, len(other)) :]
            case 4 if text:
                place = rng.randrange(len(text))
                text = text[:place] + bytes([rng.randrange(256)]) + text[place + 1 :]
            case 5:
                text = rng.choice((_in_array, _in_base64, _in_utf16, bytes.strip))(text)
            case _:
                text = text[:here] + rng.choice(TOKENS) + text[here:]
    return text


def _in_array(text: bytes) -> bytes:
    return b"[" + text + b"," + REPORT + b"]"


def _in_base64(text: bytes) -> bytes:
    return b64encode(text)


def _in_utf16(text: bytes) -> bytes:
    return text.decode("utf-8", "replace").encode("utf-16")


def check(given: Delivery) -> Decoded:
    """Decode, and hold the result against everything that must always be true."""
    decoded = decode(given)
    assert decoded.delivery is given
    found = len(decoded.receipts) + len(decoded.rejects)
    expected = [_elements_in(given, frame) for frame in given.frames]
    if None not in expected:
        assert found == sum(number for number in expected if number is not None)
    if given.source is Source.MNS:
        assert found >= len(given.frames)
    inside = [*given.frames] + [_unwrapped(frame) for frame in given.frames]
    for receipt in decoded.receipts:
        _check_receipt(receipt, given)
        assert any(receipt.body in text for text in inside)
    for kind, reject in decoded.rejects:
        assert kind == given.kind
        assert any(reject.body in text for text in (given.frames[reject.frame], _unwrapped(given.frames[reject.frame])))
        assert reject.reason in Reason
        assert any(reject.body in text for text in inside)
    return decoded


def _check_receipt(receipt: Receipt, given: Delivery) -> None:
    assert receipt.kind == (given.kind or receipt.kind)
    assert 1 <= len(receipt.identity) <= 4
    assert any(receipt.identity)
    texts = (*receipt.identity, receipt.code, receipt.phone, receipt.biz_id, receipt.out_id, receipt.call_id)
    for text in (*texts, receipt.detail):
        assert type(text) is str
        assert "\0" not in text
        text.encode("utf-8")
    assert receipt.phone == "" or (receipt.phone.isascii() and receipt.phone.isdigit())
    assert receipt.outcome is None or receipt.outcome in Outcome
    assert receipt.digest == sha256(receipt.body).digest()
    for moment in (receipt.sent_at, receipt.reported_at):
        assert moment is None or (moment >= 0 and iso_beijing(moment))
    again = decode(delivery(receipt.body, kind=receipt.kind))
    assert again.receipts == (receipt,)


def _elements_in(given: Delivery, frame: bytes) -> int | None:
    """What a parser of another make counts; None where it cannot read the frame, or reads it too kindly."""
    try:
        value = json.loads(_unwrapped(frame).decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if given.source is Source.MNS and (len(frame) > MAX_BYTES or value == []):
        return 1
    return len(value) if isinstance(value, list) else 1


def rfc4648(text: bytes) -> bytes:
    """Base64 by the grammar of its standard; raises ValueError. No mode of binascii is: each takes too many pads."""
    if not _BASE64.fullmatch(text):
        raise ValueError("no base64")
    return a2b_base64(text)


def _unwrapped(frame: bytes) -> bytes:
    """The JSON in the frame by the shortest means, to compare with the careful ones."""
    text = frame.strip(b" \t\r\n").removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    if text[:1] in (b"{", b"["):
        return text
    try:
        inner = rfc4648(text)
    except ValueError:
        return text
    return inner.strip(b" \t\r\n").removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")


def run(inputs: int, seed: int) -> dict[str, float]:
    """Check *inputs* mutants; return the figures."""
    rng = random.Random(seed)
    seeds = corpus()
    kinds: list[Kind | None] = [None, *KINDS, Kind("NeverHeardOfReport")]
    sources = (Source.MNS, Source.PUSH, Source.REPLAY)
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(inputs):
        kind = rng.choice((None, None, SMS_REPORT, rng.choice(kinds)))
        given = delivery(mutated(seeds, rng), kind=kind, source=rng.choice(sources))
        begun = time.process_time()
        decode(given)
        slowest = max(slowest, time.process_time() - begun)
        decoded = check(given)
        outcomes["receipts"] += len(decoded.receipts)
        outcomes.update(reject.reason.value for _, reject in decoded.rejects)
    return {"inputs": inputs, "seed": seed, "slowest_ms": round(slowest * 1000, 1), **outcomes}


if __name__ == "__main__":
    figures = run(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.exit(figures["slowest_ms"] > SLOW_SECONDS * 1000)
