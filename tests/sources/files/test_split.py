"""Payloads are cut in the same places whatever blocks they come in: where a slow and obvious reader cuts them."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.sources.files.split import CAP, Cut, Cutter

pytestmark = pytest.mark.slow

BETWEEN = b" \t\r\n,[]"


def reference(text: bytes, cap: int) -> list[bytes]:
    """Byte by byte over the whole text."""
    frames: list[bytes] = []
    at = 0
    while True:
        while at < len(text) and (text[at] in BETWEEN or text.startswith(b"\xef\xbb\xbf", at)):
            at += 3 if text[at] == 0xEF else 1
        if at == len(text):
            return frames
        limit = min(len(text), at + cap)
        end = closing(text, at, limit) if text[at] == ord("{") else scalar(text, at, limit)
        if not end and text[at] == ord("{"):
            edges = (n + 1 for n in range(at, limit - 1) if text[n] == 10 and text[n + 1] not in b" \t\r\n}]")
            end = next(edges, limit)
        elif not end:
            end = line(text, at, limit)
        frames.append(text[at:end].rstrip())
        at = end


def closing(text: bytes, at: int, limit: int) -> int:
    """Where an object ends; 0: it is broken."""
    stack: list[str] = []
    quoted = False
    while at < limit:
        char = chr(text[at])
        if quoted:
            if char == "\n" or (char == "\\" and (at + 1 >= limit or text[at + 1] == 10)):
                return 0
            at += char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char in "{[":
            if stack and stack[-1] == "{" and not text[:at].rstrip(b" \t\r\n").endswith(b":"):
                return 0
            stack.append(char)
        elif char in "}]":
            if stack.pop() + char not in {"{}", "[]"}:
                return 0
            if not stack:
                return at + 1
        at += 1
    return 0


def scalar(text: bytes, at: int, limit: int) -> int:
    """Where a scalar of an array ends; 0: it is none."""
    end = at
    if text[at] == ord('"'):
        end += 1
        while end < limit and text[end] not in b'"\n':
            end += 2 if text[end] == 0x5C and text[end + 1 : end + 2] != b"\n" else 1
        if end >= limit or text[end] != ord('"'):
            return 0
        end += 1
    else:
        while end < limit and text[end] not in b" \t\n,]":
            end += 1
        if not re.fullmatch(rb"true|false|null|-?\d+(\.\d+)?([eE][-+]?\d+)?", text[at:end]):
            return 0
    rest = text[end:]
    if text[at] == ord('"') and (not rest.strip(b" \t\r") or rest.lstrip(b" \t\r")[:1] == b"\n"):
        return end if rest[: limit - end].lstrip(b" \t\r")[:1] == b"\n" or limit == len(text) else 0
    return end if text[end:limit].lstrip(b" \t")[:1] in {b",", b"]"} else 0


def line(text: bytes, at: int, limit: int) -> int:
    """The end of a line, or the comma before an object in it."""
    end = text.find(b"\n", at, limit)
    end = limit if end < 0 else end
    commas = (n for n in range(at, end) if text[n] == ord(",") and text[n + 1 : end].lstrip(b" \t")[:1] == b"{")
    return next(commas, end)


def cuts(text: bytes, places: list[int], cap: int = CAP, offset: int = 0) -> list[Cut]:
    cutter = Cutter(offset, cap=cap)
    ends = sorted({0, len(text), *(place for place in places if place < len(text))})
    return [*(cutter.feed(text[a:b]) for a, b in pairwise(ends)), cutter.finish()]


def frames(found: list[Cut]) -> list[bytes]:
    return [frame for cut in found for run in cut.runs for frame in run.frames]


names = st.sampled_from(["biz_id", "a", "identity", "内容", 'q"', "b\\", "{", "},{", "x]", "[1,"])
values = st.recursive(
    st.one_of(names, st.integers(), st.booleans(), st.none(), st.text('a"\\{}[],:\n\x00é', max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=5,
)
objects = st.dictionaries(names, values, max_size=4)


@st.composite
def saved(draw: st.DrawFn) -> bytes:
    """Payloads in one of the forms in which they are saved."""
    what = draw(st.lists(objects, min_size=1, max_size=4))
    indent, ascii_ = draw(st.sampled_from([None, None, 2, 0])), draw(st.booleans())
    compact = (",", ":") if draw(st.booleans()) else None
    form = draw(st.sampled_from(["lines", "array", "base64", "flat"]))
    if form == "array":
        return json.dumps(what, indent=indent, ensure_ascii=ascii_, separators=compact).encode()
    if form == "flat":
        return b"".join(b'{"biz_id":"%d","success":true}\n' % n for n in range(draw(st.integers(1, 40))))
    each = [json.dumps(one, indent=indent, ensure_ascii=ascii_, separators=compact).encode() for one in what]
    end = draw(st.sampled_from([b"\n", b"\r\n", b"", b"\n\n"]))
    return b"".join((b64encode(one) if form == "base64" else one) + end for one in each)


_JUNK = (
    *(b"\n", b"\r\n", b",", b"]", b"[", b"\xef\xbb\xbf", b"\xef", b'"', b"\\", b"{", b"}", b"-\n", b"\t "),
    *(b"null,", b"12 ,", b"1.5e3]", b'"text",', b'"\\",', b"hello, world", b"\xff\xfe"),
    *(b'{"a":1,', b'{"a":"x', b'{"a":"x}\n', b'{"a":[1,\n', b'{"a":', b'{"a":"\\\n'),
)
junk = st.one_of(st.sampled_from(_JUNK), st.binary(max_size=5))


@settings(max_examples=200)
@given(
    st.lists(st.one_of(saved(), saved(), junk), max_size=8).map(b"".join),
    st.lists(st.integers(0, 3000), max_size=8),
    st.sampled_from([CAP, CAP, 64, 200]),
    st.booleans(),
)
def test_any_mixture_in_any_blocks_is_cut_where_a_slow_reader_cuts_it(
    text: bytes, places: list[int], cap: int, dribble: bool
) -> None:
    found = cuts(text, [*range(len(text))] if dribble and len(text) < 400 else places, cap)
    assert frames(found) == reference(text, cap)
    assert [cut.start for cut in found[1:]] == [cut.end for cut in found[:-1]]
    for cut in found:
        in_cut = [frame for run in cut.runs for frame in run.frames]
        for frame, place in zip(in_cut, cut.offsets(), strict=True):
            assert text[place : place + len(frame)] == frame
            assert cut.start <= place < cut.end


@settings(max_examples=100)
@given(st.lists(st.one_of(saved(), junk), max_size=6).map(b"".join), st.integers(0, 3000))
def test_reading_can_be_taken_up_after_any_cut(text: bytes, place: int) -> None:
    cutter = Cutter()
    first = cutter.feed(text[:place])
    rest = cuts(text[first.end :], [], offset=first.end)
    assert frames([first]) + frames(rest) == reference(text, CAP)


REPORT = '{"biz_id":"1^0","phone_number":"13800008000","success":true}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1}', ['{"a":1}']),
        ('{"a":1}{"b":2}', ['{"a":1}', '{"b":2}']),
        ('[{"a":1},{"b":2}]\n[{"c":3}]\n', ['{"a":1}', '{"b":2}', '{"c":3}']),
        ('[[{"a":1}],[]]', ['{"a":1}']),
        ('{"a":1} xyz\n{"b":2}', ['{"a":1}', "xyz", '{"b":2}']),
        ('{"a":"x\n{"b":2}\n', ['{"a":"x', '{"b":2}']),
        ('{"a":1,\n{"b":2}\n', ['{"a":1,', '{"b":2}']),
        ('{"a":[1,\n{"b":2}\n{"c":3}\n', ['{"a":[1,', '{"b":2}', '{"c":3}']),
        ('[1,"two",null,{"a":1},nonsense,{"b":2}]', ["1", '"two"', "null", '{"a":1}', "nonsense", '{"b":2}']),
        ('{"a":"},{"},{"b":"}\\"{"}', ['{"a":"},{"}', '{"b":"}\\"{"}']),
        ("eyJhIjoxfQ==\r\neyJhIjoyfQ==\r\n", ["eyJhIjoxfQ==", "eyJhIjoyfQ=="]),
        ('[\n  {\n    "a": 1\n  },\n  {\n    "b": "x', ['{\n    "a": 1\n  }', '{\n    "b": "x']),
        ("eyJhIjogbnVsbH0=\neyJhIjp7fX0=\n", ["eyJhIjogbnVsbH0=", "eyJhIjp7fX0="]),
        ('[1,"},{",{"a":1}]\n"},{"  ]', ["1", '"},{"', '{"a":1}', '"},{"']),
        ('"},{\\",{"\n"},{', ['"},{\\",{"', '"}', "{"]),
        ('"[{},{}]" \r\n"[{},{}]"', ['"[{},{}]"', '"[{},{}]"']),
        (
            '<?xml version="1.0"?>\n<Message a="b">\n <X>,{}</X>\n</Message>{}',
            ['<?xml version="1.0"?>\n<Message a="b">\n <X>,{}</X>\n</Message>', "{}"],
        ),
        (
            "<Messages>\n<Message>\n</Message>\n</Messages>\n{}",
            ["<Messages>\n<Message>\n</Message>\n</Messages>", "{}"],
        ),
        ("<Message>\n{}\n<b>", ["<Message>", "{}", "<b>"]),
        ("", []),
        (" \n[]\r\n,", []),
    ],
)
def test_what_is_one_payload(text: str, expected: list[str]) -> None:
    for places in ([], [*range(len(text))], *([place] for place in range(len(text)))):
        assert [frame.decode() for frame in frames(cuts(text.encode(), places))] == expected


def test_a_record_gives_its_body_byte_for_byte_and_its_kind() -> None:
    body = '{"biz_id" : "1^0",  "n": 1.50, "text":"\\u4f60"}'
    record = '{"seq":7,"kind":"SmsReport","identity":["1^0",""],"source":"%s","biz_id":"1^0","body":%s}'
    row = '{"PhoneNum" : "1", "OutId":"a"}'
    records = [record % values for values in (("mns", body), ("query", body), ("query", row), ("replay", row))]
    text = "\n".join([*records, '{"seq":1,"identity":["x"]}', REPORT, ""])
    for places in ([], [*range(len(text))]):
        runs = [run for cut in cuts(text.encode(), places) for run in cut.runs]
        assert [(run.kind, run.biz_id, frame.decode()) for run in runs for frame in run.frames] == [
            ("SmsReport", "", body),
            ("SmsReport", "", body),  # a push came after the answer
            ("SmsReport", "1^0", row),
            ("SmsReport", "1^0", row),
            (None, "", '{"seq":1,"identity":["x"]}'),
            (None, "", REPORT),
        ]


def test_an_object_without_an_end_costs_no_more_than_its_line_and_holds_up_nothing() -> None:
    text = b'{"a":[\n' + b"".join(b'{"n":%d}\n' % n for n in range(200))
    found = cuts(text, [*range(0, len(text), 50)], cap=300)
    assert frames(found)[:3] == [b'{"a":[', b'{"n":0}', b'{"n":1}']
    assert len(frames(found)) == 201
    assert not frames(found[:5])  # the end may yet come
    assert frames(found[:9])


TOKENS = (
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"\\",
        b",",
        b":",
        b"\n",
        b" ",
        b"x",
        b"1",
        b"\0",
        b"\xef",
        b"\xef\xbb\xbf",
        b"<",
        b"=",
        b"{}",
        b"[]",
    ),
    *(
        b"[[],",
        b"[1,",
        b"x,{}",
        b'",{}',
        b'"x"\n',
        b'"\\",',
        b"[{},",
        b"[[{}],",
        b"[{}]x\n",
        b'[{"a":1}]\n[',
        b"AAAAAAAA",
        b"AAAAAAAA\n",
    ),
    *(
        b'{"a":[\n',
        b'{"a":[1,\n',
        b'{"a":{"a":[{},\n',
        b'{"a":1,\n',
        b'{"a":"x\n',
        b'x",{"\\"y"\n',
        b'{"identity":1}',
        b"null,",
    ),
    *(b"<Message>", b"<Message>\n", b"<Message><MessageBody>", b"</Message>"),
)


@pytest.mark.parametrize("token", TOKENS, ids=repr)
@pytest.mark.parametrize("end", [b"", b'"' + b"x" * 50_000, b"[" * 50_000], ids=["", "text", "brackets"])
def test_the_time_for_a_byte_does_not_grow_with_the_file(token: bytes, end: bytes) -> None:
    def seconds(size: int) -> float:
        text = token * (size // len(token)) + end
        begun = time.process_time()
        cuts(text, [*range(0, len(text), 1 << 18)])
        return time.process_time() - begun

    assert seconds(80_000) < 8 * seconds(20_000) + 0.05  # a quadratic cutter needs 16 times as long, and many seconds
