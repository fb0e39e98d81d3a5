"""Nothing that anybody sends makes decode() raise, lose an element, or hand on what cannot be stored."""

import json
import time
from base64 import b64encode
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.decode import KINDS, decode
from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import any_members, flat_members
from smsreceipt.model import Kind, Source

from . import fuzz
from .deliveries import REPORT, SMS_REPORT, delivery

pytestmark = pytest.mark.slow

EXAMPLES = settings(max_examples=400)

kinds = st.sampled_from([None, SMS_REPORT, *KINDS, Kind("NeverHeardOfReport")])
sources = st.sampled_from([Source.MNS, Source.PUSH, Source.REPLAY])
tokens = st.sampled_from(fuzz.TOKENS)
space = st.sampled_from([b"", b"", b"", b" ", b"\n", b" \t"])
names = st.sampled_from(
    [b"success", b"biz_id", b"phone_number", b"err_code", b"a", b"", b"a b", b"\\u0061", "键".encode()]
)
texts = st.lists(
    st.one_of(tokens, st.binary(max_size=3), st.sampled_from([b"a", b" ", b":", b"1380000000"])), max_size=4
)
scalars = st.one_of(
    st.sampled_from([b"true", b"false", b"null", b"1", b"-0", b"18446744073709551616", b"1.0", b"1e5", b"[]", b"{}"]),
    st.sampled_from([b"NaN", b"1e999", b"9" * 4300, b"9" * 4301, b"01", b"+1", b"", b'["a"]', b'{"a":1}', b"[[]]"]),
    texts.map(lambda parts: b'"' + b"".join(parts) + b'"'),
    st.sampled_from([b'"x"', b'"2026-11-20 15:49:55"', b'" : "', b'":"', b'""']),
)


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """Something like a JSON object, with any white space, often with one name twice."""
    members = []
    for _ in range(draw(st.integers(0, 5))):
        name, value = draw(names), draw(scalars)
        members.append(draw(space) + b'"' + name + b'"' + draw(space) + b":" + draw(space) + value + draw(space))
    return b"{" + b",".join(members) + draw(st.sampled_from([b"}", b"}", b"}", b",}", b"}}", b""]))


@st.composite
def near_reports(draw: st.DrawFn) -> bytes:
    """The real message, with something that hurts in some place."""
    text = REPORT
    for _ in range(draw(st.integers(1, 3))):
        here = draw(st.integers(0, len(text)))
        there = draw(st.integers(here, min(len(text), here + 12)))
        text = text[:here] + draw(st.one_of(tokens, st.binary(max_size=2))) + text[there:]
    return text


anything = st.one_of(
    objects(),
    near_reports(),
    st.lists(st.one_of(objects(), near_reports()), max_size=4).map(lambda many: b"[" + b",".join(many) + b"]"),
    st.binary(max_size=40),
    st.text(max_size=20).map(lambda text: text.encode("utf-16")),
)


@EXAMPLES
@given(st.lists(st.one_of(anything, anything.map(b64encode)), max_size=3), kinds, sources)
def test_whatever_the_bytes_are_no_element_is_lost(frames: list[bytes], kind: Kind | None, source: Source) -> None:
    fuzz.check(delivery(*frames, kind=kind, source=source))


@settings(max_examples=800)
@given(st.one_of(objects(), near_reports()))
def test_the_fast_reader_never_accepts_what_the_other_refuses_or_reads_differently(body: bytes) -> None:
    fields = flat_members(body)
    if fields is not None:
        assert repr(fields) == repr(any_members(body))


@EXAMPLES
@given(st.lists(st.tuples(names, st.sampled_from([b'"x"', b"1", b"true"])), max_size=6), st.data())
def test_the_fast_reader_sees_every_repeated_name(pairs: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    members = [b'"' + name + b'"' + data.draw(space) + b":" + data.draw(space) + value for name, value in pairs]
    body = b"{" + b",".join(members) + b"}"
    repeated = len({name.replace(b"\\u0061", b"a") for name, _ in pairs}) < len(pairs)
    assert not (repeated and flat_members(body) is not None)
    if repeated:
        with pytest.raises(Refused, match="dup-key"):
            any_members(body)


def test_the_fast_reader_reads_the_usual_message() -> None:
    assert flat_members(REPORT) == json.loads(REPORT)


BAD = (
    REPORT[:-20],
    REPORT[:-1] + b',"success":false}',
    REPORT[:-1] + b',"n":NaN}',
    REPORT[:-1] + b',"n":1e999}',
    REPORT.replace(b"67890", b"\\ud800"),
    REPORT.replace(b"67890", b"\xff"),
    REPORT.replace(b'"success":true', b'"success":"yes"'),
    REPORT.replace(b"13800000001", b"nobody"),
    REPORT.replace(b'"biz_id"', b'"bizz_id"'),
    b"[" * 50 + b"]" * 50,
)
#: Those whose end can be seen from outside: an array can be cut around them.
BAD_ELEMENTS = tuple(bad for bad in BAD if bad != REPORT[:-20])


@pytest.mark.parametrize("wrap", [bytes, b64encode], ids=["plain", "base64"])
@pytest.mark.parametrize("bad", range(17))
def test_k_bad_of_16_messages_leave_exactly_16_minus_k_receipts(bad: int, wrap: type[bytes]) -> None:
    rng = Random(bad)
    frames = [rng.choice(BAD) for _ in range(bad)]
    frames += [REPORT.replace(b"13800000001", b"%d" % (13800000001 + number)) for number in range(16 - bad)]
    rng.shuffle(frames)
    decoded = fuzz.check(delivery(*map(wrap, frames)))
    assert (len(decoded.receipts), len(decoded.rejects)) == (16 - bad, bad)


@pytest.mark.parametrize("bad", range(17))
def test_k_bad_of_16_elements_leave_exactly_16_minus_k_receipts(bad: int) -> None:
    rng = Random(bad)
    elements = [rng.choice(BAD_ELEMENTS) for _ in range(bad)] + [REPORT] * (16 - bad)
    rng.shuffle(elements)
    decoded = fuzz.check(delivery(b"[" + b" , ".join(elements) + b"]", source=Source.PUSH))
    assert [receipt.body for receipt in decoded.receipts] == [REPORT] * (16 - bad)
    assert [reject.body for _, reject in decoded.rejects] == [element for element in elements if element != REPORT]


def test_a_sample_of_the_mutants_and_the_fuzzer_reaches_every_corner() -> None:
    figures = fuzz.run(8000, seed=20261121)
    assert figures["slowest_ms"] < fuzz.SLOW_SECONDS * 1000
    corners = {"base64", "utf8", "json", "number", "depth", "dup-key", "surrogate", "not-object", "empty"}
    assert corners | {"missing-field", "wrong-type", "bad-time", "kind-unknown", "receipts"} <= figures.keys()


@pytest.mark.parametrize(
    "bomb",
    [
        b'{"a":' * 20_000,
        b"[" * 100_000,
        b"[" * 60_000 + b"]" * 60_000,
        b'{"n":' + b"9" * 120_000 + b"}",
        b'{"n":0.' + b"9" * 120_000 + b"}",
        b'{"n":1e-' + b"9" * 120_000 + b"}",
        b'{"n":1e-999999999}',
        b'{"n":0e999999999}',
        b'"' + b'\\"' * 60_000,
        b"[" + b'"\\' * 60_000,
        b'{"a":' + b'[{"' * 40 + b'\\"' * 60_000,
        b"[" + b",".join([b"1"] * 10_000) + b"]",
        b"[" + b"," * 120_000 + b"]",
        b"[" + b",".join([b"{}"] * 10_000) + b"]",
        b"=" * 120_000,
        b"+8" + b"6 -" * 40_000,
        b'{"biz_id":"1","success":true,"phone_number":"' + b"1 " * 60_000 + b'"}',
        b'{"biz_id":"1","success":true,"send_time":"' + b"1" * 120_000 + b'"}',
    ],
    ids=lambda bomb: f"{bomb[:12]!r}",
)
def test_bombs_are_duds(bomb: bytes) -> None:
    """Linear in the size, without recursion, whatever the shape."""
    begun = time.process_time()
    decoded = decode(delivery(bomb, kind=None, source=Source.PUSH))
    assert time.process_time() - begun < 5 * fuzz.SLOW_SECONDS
    assert len(decoded.receipts) + len(decoded.rejects) >= 1
