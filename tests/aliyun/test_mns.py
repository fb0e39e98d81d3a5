"""The queue protocol's values, in both directions, and against the official client's own encoder and decoder."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mns.mns_exception import MNSServerException
from mns.mns_xml_handler import BatchRecvMessageDecoder, ReceiptHandlesEncoder

from smsreceipt.aliyun import answer as http_answer
from smsreceipt.aliyun import mns, xml
from smsreceipt.aliyun.faults import BadAnswer
from smsreceipt.errors import AuthError, ProviderError, QueueNotFound, UsageError
from smsreceipt.model import Instant

QUEUE = "Alicom-Queue-1234567890-SmsReport"


def element(index: int, body: bytes, *, md5: str | None = None) -> bytes:
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest().upper() if md5 is None else md5
    return (
        b"<Message>\n    <MessageId>5F290C926D472878-2-14D9529A8FA-2000000%02d</MessageId>"
        b"\n    <ReceiptHandle>1-ODU4OTkzNDU5My0xNDM1MTk3NjAwLTItNg==%02d</ReceiptHandle>"
        b"\n    <MessageBodyMD5>%b</MessageBodyMD5>\n    <MessageBody>%b</MessageBody>"
        b"\n    <EnqueueTime>1790700979248</EnqueueTime>\n    <NextVisibleTime>1790700999348</NextVisibleTime>"
        b"\n    <FirstDequeueTime>1790700979318</FirstDequeueTime>\n    <DequeueCount>1</DequeueCount>"
        b"\n    <Priority>8</Priority>\n  </Message>"
    ) % (index, index, digest.encode(), body)


def answer(*elements: bytes) -> bytes:
    head = b'<?xml version="1.0" encoding="utf-8"?>\n<Messages xmlns="http://mns.aliyuncs.com/doc/v1/">\n  '
    return head + b"\n  ".join(elements) + b"\n</Messages>\n"


def body(index: int) -> bytes:
    return base64.b64encode(json.dumps({"phone_number": f"1380000{index:04}", "success": True}).encode())


SIXTEEN = answer(*(element(index, body(index)) for index in range(16)))


@pytest.mark.parametrize(
    ("request_", "method", "target"),
    [
        (mns.receive("Q"), "GET", "/queues/Q/messages?numOfMessages=16&waitseconds=0"),
        (mns.receive("Q", 3, 30), "GET", "/queues/Q/messages?numOfMessages=3&waitseconds=30"),
        (mns.peek("Q"), "GET", "/queues/Q/messages?peekonly=true&numOfMessages=16"),
        (mns.attributes(QUEUE), "GET", f"/queues/{QUEUE}"),
        (mns.delete("Q", [b"h"]), "DELETE", "/queues/Q/messages"),
    ],
)
def test_requests(request_: mns.Request, method: str, target: str) -> None:
    assert (request_.method, request_.target) == (method, target)


def test_a_delete_says_what_the_official_encoder_says() -> None:
    handles = ["1-ODU4OTkzNDU5My0xNDM1MTk3NjAwLTItNg==", "1-a&b<c>d"]
    ours = xml.records(mns.delete("Q", [handle.encode() for handle in handles]).body, "", "ReceiptHandles")
    theirs = xml.records(ReceiptHandlesEncoder.encode(handles), "", "ReceiptHandles")
    assert ours == theirs
    assert mns.delete("Q", [handles[1].encode()]).body.count(b"<ReceiptHandle>1-a&amp;b&lt;c&gt;d</ReceiptHandle>") == 1


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a?x=1", "q\r\nHost: evil", "a\n", "-a", "ü", "a" * 257])
def test_a_queue_name_cannot_reach_beyond_its_place(name: str) -> None:
    with pytest.raises(UsageError):
        mns.receive(name)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mns.receive("Q", 0),
        lambda: mns.receive("Q", 17),
        lambda: mns.receive("Q", 16, 31),
        lambda: mns.peek("Q", 17),
        lambda: mns.delete("Q", []),
        lambda: mns.delete("Q", [b"h"] * 17),
        lambda: mns.delete("Q", [b"a\r\nb"]),
    ],
)
def test_what_the_service_would_refuse_is_never_sent(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="a "):
        call()


def test_messages_are_what_the_official_decoder_reads() -> None:
    theirs = BatchRecvMessageDecoder.decode(SIXTEEN, False)
    ours = mns.messages(SIXTEEN)
    assert [(m.handle, m.body, m.enqueued_at, m.next_visible_at, m.times_received) for m in ours] == [
        (
            t.receipt_handle.encode(),
            t.message_body.encode(),
            int(t.enqueue_time),
            int(t.next_visible_time),
            int(t.dequeue_count),
        )
        for t in theirs
    ]
    assert len(ours) == 16
    assert not any(m.damaged for m in ours)


def test_a_cut_answer_never_yields_a_message() -> None:
    whole = SIXTEEN.rstrip()
    for cut in range(len(whole)):
        with pytest.raises(BadAnswer):
            mns.messages(whole[:cut])


def test_the_parser_reads_what_the_pattern_reads() -> None:
    # The comment sends it down the other way; nothing else changes.
    assert mns.messages(SIXTEEN.replace(b"\n</Messages>", b"<!-- end --></Messages>")) == mns.messages(SIXTEEN)


ONE = mns.Message(b"h", b"", b"{}", Instant(1), Instant(2), 4, b"i")
FIELDS = (
    b"<MessageId>i</MessageId><ReceiptHandle>h</ReceiptHandle><MessageBodyMD5></MessageBodyMD5>"
    b"<MessageBody>{}</MessageBody><EnqueueTime>1</EnqueueTime><NextVisibleTime>2</NextVisibleTime>"
    b"<FirstDequeueTime>3</FirstDequeueTime><DequeueCount>4</DequeueCount><Priority>8</Priority>"
)


@pytest.mark.parametrize(
    "text",
    [
        b"<Messages><Message>%b</Message></Messages>" % FIELDS,
        b"<Message>%b</Message>" % FIELDS,
        b'<Message xmlns="http://mns.aliyuncs.com/doc/v1/">%b</Message>' % FIELDS,
        b"\xef\xbb\xbf<Messages><Message>%b</Message></Messages>" % FIELDS,
        b"<?xml version='1.0'?><Messages><Message>%b</Message></Messages>" % FIELDS,
        b"<Messages>\r\n<Message>\r\n%b\r\n</Message>\r\n</Messages>" % FIELDS,
        b"<Messages><Message>%b<MessageGroupId>g</MessageGroupId></Message></Messages>" % FIELDS,
        b"<Messages><Message>%b<UserProperties><PropertyValue><Name>MessageBody</Name></PropertyValue>"
        b"</UserProperties></Message></Messages>" % FIELDS,
        b"<Messages><Message>%b</Message></Messages>" % b"".join(reversed(re.findall(rb"<(?:\w+)>.*?</\w+>", FIELDS))),
        b"<Messages><Message>%b</Message></Messages>" % FIELDS.replace(b"{}", b"<![CDATA[{}]]>"),
        b"<Messages><Message>%b</Message></Messages>" % FIELDS.replace(b"{}", b"&#123;&#x7d;"),
        b"<Messages><Message>%b</Message></Messages>" % FIELDS.replace(b"<MessageBody>", b'<MessageBody a="b">'),
        b"<Messages><Message>%b</Message></Messages>" % FIELDS.replace(b"<MessageBodyMD5></MessageBodyMD5>", b""),
        b"<Messages ><Message >%b</Message ></Messages >" % FIELDS,
        (b"<?xml version='1.0' encoding='utf-16'?><Message>%b</Message>" % FIELDS).decode().encode("utf-16"),
    ],
)
def test_one_message_in_many_guises(text: bytes) -> None:
    assert mns.messages(text) == [ONE]


def test_a_peeked_message_has_no_handle() -> None:
    (peeked,) = mns.messages(
        b"<Messages><Message><MessageId>i</MessageId><MessageBody>b</MessageBody></Message></Messages>"
    )
    assert (peeked.handle, peeked.next_visible_at, peeked.body) == (b"", 0, b"b")


def test_a_plain_json_body_comes_out_as_it_went_in() -> None:
    plain = '{"content": "<a> & \\"b\\" 中文"}'
    (message,) = mns.messages(answer(element(1, b"B").replace(b">B<", b">" + escape(plain).encode() + b"<")))
    assert message.body == plain.encode()


@pytest.mark.parametrize(
    "odd",
    [b"\xff\xfe", b"a\x00b", b"\x01\x02\x1b[31m", b"\xe4\xb8", b"", b"\xed\xa0\x80", b"]]>", b'"a & b &nbsp; &"'],
    ids=["not UTF-8", "NUL", "control", "half a character", "empty", "surrogate", "CDATA's end", "bare &"],
)
@pytest.mark.parametrize("exotic", [b"", b"&lt;"], ids=["pattern", "parser"])
def test_one_odd_body_never_costs_its_neighbours(odd: bytes, exotic: bytes) -> None:
    good = [element(index, body(index)) for index in range(15)]
    found = mns.messages(answer(*good[:7], element(99, odd), *good[7:], element(98, exotic)))
    assert len(found) == 17
    assert found[7].body == odd
    assert [message.body for message in found[:7] + found[8:16]] == [body(index) for index in range(15)]


@given(st.lists(st.binary(max_size=20) | st.text("&<>\"'#;amplt\x00\n中", max_size=12).map(str.encode), max_size=5))
@example([b"&amp;quot;", b"&#38;", b"]]>", b"\xff&"])
def test_bodies_come_out_as_they_went_in_whichever_way_they_are_read(bodies: list[bytes]) -> None:
    # A reader of XML may not tell line ends apart.
    bodies = [text.replace(b"\r", b"") for text in bodies] or [b""]
    escaped = [text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b'"', b"&quot;") for text in bodies]
    whole = answer(*(element(index, text) for index, text in enumerate(escaped)))
    assert [message.body for message in mns.messages(whole)] == bodies
    parsed = mns.messages(whole.replace(b"</Messages>", b"<!-- --></Messages>"))
    assert parsed == mns.messages(whole)


@pytest.mark.parametrize(
    "bomb",
    [
        b'<!DOCTYPE m [<!ENTITY a "lol">]><Messages></Messages>',
        b"<!doctype html><html></html>",
        SIXTEEN.replace(b"<Messages ", b'<!DOCTYPE Messages SYSTEM "file:///etc/passwd"><Messages ', 1),
        SIXTEEN.replace(body(3), b"<!ENTITY a 'b'>"),
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE m [<!ENTITY a "b">]><Messages/>'.encode("utf-16"),
    ],
)
def test_a_document_type_is_refused_before_anything_is_read(bomb: bytes) -> None:
    with pytest.raises(BadAnswer):
        mns.messages(bomb)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"502 Bad Gateway",
        b"<html><body>ok</body></html>",
        b"<Error><Code>x</Code></Error>",
        b"<Messages><Message><MessageId>i</MessageId></Message></Messages>",
        answer(element(1, b"b")) + b"<Messages/>",
        b"<Messages><Other/></Messages>",
        b"<Message>%b</Message>" % FIELDS.replace(b">h<", b">h h<"),
        answer(element(1, b"b")).replace(b"1-ODU4", b"1-\nODU4"),
    ],
)
def test_what_is_no_answer_counts_as_not_received(text: bytes) -> None:
    with pytest.raises(BadAnswer):
        mns.messages(text)


ENCODINGS = ["utf-8", "UTF8", "us-ascii", "GBK", "gb2312", "GB18030", "ISO-8859-1", "windows-1252", "big5"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_answer_in_another_encoding_is_read(encoding: str) -> None:
    declared = b'<?xml version="1.0" encoding="%b"?>' % encoding.encode()
    (found,) = mns.messages(declared + answer(element(1, b"e30=")).partition(b"?>")[2])
    assert found.body == b"e30="


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "big5", "utf-8", "utf-8-sig", "utf-16"])
def test_characters_of_another_encoding_become_utf_8(encoding: str) -> None:
    text = answer(element(1, "中文".encode())).partition(b"?>")[2].decode()
    (found,) = mns.messages(f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>{text}'.encode(encoding))
    assert found.body.decode() == "中文"


@pytest.mark.parametrize("encoding", ["utf-7", "hex", "idna", "rot13", "cp037", "utf-32", "klingon", "\xff", "utf-16"])
def test_an_answer_in_an_unknown_encoding_is_refused(encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding}"?>'.encode("latin-1")
    with pytest.raises(BadAnswer):
        mns.messages(declared + answer(element(1, b"b")).partition(b"?>")[2])


@given(st.binary(max_size=12) | st.sampled_from(ENCODINGS).map(str.encode), st.binary(max_size=60))
def test_no_declaration_raises_anything_but_a_bad_answer(encoding: bytes, inside: bytes) -> None:
    declared = b'<?xml version="1.0" encoding="%b"?>' % encoding
    with contextlib.suppress(BadAnswer):
        mns.messages(declared + b"<Messages><Message>%b</Message></Messages>" % inside)
    mns.error(503, declared + inside)


def test_the_largest_legal_batch_fits() -> None:
    body_ = b'"' * 65_536
    escaped = body_.replace(b'"', b"&quot;")
    whole = answer(*[element(n, body_).replace(body_, escaped) for n in range(16)])
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole)
    read = http_answer.read(head + whole)
    assert isinstance(read, tuple)
    assert [message.body for message in mns.messages(read[0].body)] == [body_] * 16


BROKEN = element(99, b"broken")


@pytest.mark.parametrize(
    "broken",
    [
        BROKEN.replace(b"<MessageBody>broken</MessageBody>", b""),
        re.sub(rb"<ReceiptHandle>.*?</ReceiptHandle>", b"", BROKEN),
        re.sub(rb"<ReceiptHandle>.*?</ReceiptHandle>", b"<ReceiptHandle></ReceiptHandle>", BROKEN),
        BROKEN.replace(b"1-ODU4", b"1-\nODU4"),
    ],
    ids=["no body", "no handle", "empty handle", "broken handle"],
)
def test_a_message_that_cannot_be_kept_or_deleted_costs_its_neighbours_nothing(broken: bytes) -> None:
    found = mns.messages(answer(element(1, b"one"), broken, element(2, b"two")))
    assert [message.body for message in found] == [b"one", b"two"]
    mns.delete(QUEUE, [message.handle for message in found])
    with pytest.raises(BadAnswer):
        mns.messages(answer(broken))


@pytest.mark.parametrize("number", [b"", b"x", b"-1", b"1e3", b"9" * 5000, "１".encode()])
@pytest.mark.parametrize("name", ["EnqueueTime", "NextVisibleTime", "FirstDequeueTime", "DequeueCount"])
def test_a_number_that_is_none_reads_0_and_costs_nothing(name: str, number: bytes) -> None:
    tag = name.encode()
    odd = re.sub(rb"(<%b>).*?<" % tag, lambda match: match[1] + number + b"<", element(1, b"odd"))
    found = mns.messages(answer(odd, element(2, b"other")))
    assert [message.body for message in found] == [b"odd", b"other"]
    numbers = [found[0].enqueued_at, found[0].next_visible_at, found[0].times_received]
    assert [value == 0 for value in numbers].count(True) == (name != "FirstDequeueTime")


@given(st.binary(max_size=200), st.integers(0, len(SIXTEEN)), st.integers(0, 40))
@example(b"</Message><Message>", 400, 0)
@example(b"<!--", 100, 0)
def test_whatever_the_bytes_are_it_answers_with_messages_or_a_fault(noise: bytes, at: int, gone: int) -> None:
    try:
        found = mns.messages(SIXTEEN[:at] + noise + SIXTEEN[at + gone :])
    except BadAnswer:
        return
    assert all(isinstance(message, mns.Message) for message in found)


def test_damage_is_seen() -> None:
    sound, broken, silent = mns.messages(
        answer(element(1, b"abc"), element(2, b"abc", md5="0" * 32), element(3, b"abc", md5=""))
    )
    assert (sound.damaged, broken.damaged, silent.damaged) == (False, True, False)
    assert (
        mns.damaged("中文".encode(), hashlib.md5("中文".encode(), usedforsecurity=False).hexdigest().encode()) is False
    )


PARTIAL = (
    b'<?xml version="1.0"?>\n<Errors xmlns="http://mns.aliyuncs.com/doc/v1/">\n'
    b"<Error><ErrorCode>MessageNotExist</ErrorCode><ErrorMessage>Message not exist.</ErrorMessage>"
    b"<ReceiptHandle>1-a&amp;b</ReceiptHandle></Error>\n"
    b"<Error><ErrorCode>InternalError</ErrorCode><ErrorMessage>x</ErrorMessage><ReceiptHandle>2-c</ReceiptHandle>"
    b"</Error></Errors>"
)


def test_a_partly_failed_delete_names_each_handle() -> None:
    assert mns.failed_handles(PARTIAL) == {b"1-a&b": "MessageNotExist", b"2-c": "InternalError"}


@pytest.mark.parametrize(
    "text",
    [
        PARTIAL[:-1],
        PARTIAL[: PARTIAL.index(b"</Error>") + 8],
        b"",
        b"<Errors/>",
        b"<Error><Code>a</Code></Error>",
        b"<html/>",
    ],
)
def test_an_unclear_failure_of_a_delete_says_nothing_of_any_handle(text: bytes) -> None:
    with pytest.raises(BadAnswer):
        mns.failed_handles(text)


REFUSED = (
    b'<?xml version="1.0" encoding="utf-8"?><Error xmlns="http://mns.aliyuncs.com/doc/v1/"><Code>%b</Code>'
    b"<Message>The queue 13800000001 you asked for.</Message><RequestId>512B2A63</RequestId><HostId>h</HostId></Error>"
)


def test_an_error_has_the_services_code_and_is_the_official_clients_kind() -> None:
    error = mns.error(404, REFUSED % b"QueueNotExist")
    assert (error.status, error.code, error.request_id) == (404, "QueueNotExist", "512B2A63")
    assert isinstance(error, MNSServerException)
    assert error.type == "QueueNotExist"
    assert "13800000001" in error.message
    assert "13800000001" not in f"{error} {error!r}"


@pytest.mark.parametrize(
    "text", [b"", b"<html>502</html>", b"not found", REFUSED[:80], b"<!DOCTYPE html><p>", b"\xff\0"]
)
def test_a_page_of_a_gateway_is_an_error_without_a_code(text: bytes) -> None:
    assert mns.error(404, text).code == ""


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, b"QueueNotExist", QueueNotFound),
        (403, b"AccessDenied", AuthError),
        (403, b"SignatureDoesNotMatch", AuthError),
        (403, b"NeverSeenBefore", AuthError),
        (408, b"TimeExpired", AuthError),
        (400, b"TimeExpired", AuthError),
        (500, b"InternalError", ProviderError),
        (400, b"InvalidArgument", ProviderError),
    ],
)
def test_a_final_refusal_has_the_exit_code_of_its_kind(status: int, code: bytes, kind: type) -> None:
    assert type(mns.refusal(mns.error(status, REFUSED % code), "Q")) is kind


def test_attributes_are_two_numbers() -> None:
    text = (
        b"<Queue><QueueName>q</QueueName><VisibilityTimeout>30</VisibilityTimeout>"
        b"<MessageRetentionPeriod>345600</MessageRetentionPeriod><ActiveMessages>x</ActiveMessages></Queue>"
    )
    assert mns.queue_attributes(text) == mns.QueueAttributes(30, 345_600)
    assert mns.queue_attributes(b"<Queue><VisibilityTimeout>x</VisibilityTimeout></Queue>") == mns.QueueAttributes(
        None, None
    )
    with pytest.raises(BadAnswer):
        mns.queue_attributes(b"<Queues/>")
