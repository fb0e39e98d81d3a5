"""Base64 is what RFC 4648 says, wherever it is read: no pad too many, no character beside its alphabet."""

from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.decode import decode
from smsreceipt.decode.frames import unbase64
from smsreceipt.model import Reason
from smsreceipt.sources.push.app import unpacked

from .deliveries import REPORT, delivery
from .fuzz import rfc4648

pytestmark = pytest.mark.slow

PIECES = [b"=", b"==", b"A", b"Q", b"/", b"+", b"-", b"_", b" ", b"\n", b"\\", b'"', b"\\u0041", b"\x00", b"\xff"]


@st.composite
def near_base64(draw: st.DrawFn) -> bytes:
    """Base64 in which something may be missing, doubled or foreign."""
    text = b64encode(draw(st.binary(max_size=12)))
    for _ in range(draw(st.integers(0, 3))):
        here = draw(st.one_of(st.just(len(text)), st.integers(0, len(text))))
        there = draw(st.integers(here, min(len(text), here + 2)))
        text = text[:here] + draw(st.sampled_from([b"", *PIECES])) + text[there:]
    return text


near = st.one_of(near_base64(), st.lists(st.sampled_from(PIECES), max_size=9).map(b"".join), st.binary(max_size=6))


def tried(decoder: Callable[[bytes], bytes], text: bytes) -> bytes | None:
    try:
        return decoder(text)
    except ValueError:
        return None


@settings(max_examples=2_000)
@given(near)
def test_it_is_read_as_the_standard_defines_it(text: bytes) -> None:
    assert tried(unbase64, text) == tried(rfc4648, text)


@settings(max_examples=500)
@given(near)
def test_elements_in_base64_are_counted_wherever_they_are_decoded(text: bytes) -> None:
    inner = tried(unbase64, text)
    assert inner is None or unpacked(text) == inner


@pytest.mark.parametrize("text", [b"0000=", b"0000==", b"000", b"00==0000", b"00-_", b"0000\n0000", b"="])
def test_what_is_not_quite_base64_is_a_reject(text: bytes) -> None:
    assert tried(unbase64, text) is None
    (only,) = decode(delivery(text)).rejects
    assert only[1].reason is Reason.BASE64


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_receipt_is_found_in_base64_of_any_length_and_not_behind_a_pad_too_many(cut: int) -> None:
    body = REPORT.replace(b"67890", b"67890"[cut:])
    assert decode(delivery(b64encode(body))).receipts[0].body == body
    assert decode(delivery(b64encode(body) + b"=")).receipts == ()
