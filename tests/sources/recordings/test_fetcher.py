"""One recording from an object store that cuts, stalls, lies, redirects, and forgets."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.aliyun import blocking
from smsreceipt.aliyun.download import Downloads
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.proxies import Proxy
from smsreceipt.errors import ProviderError, SmsReceiptError
from smsreceipt.model import DAY_MS, Instant, Recording
from smsreceipt.sources.query.rate import Halted
from smsreceipt.sources.recordings.client import NoLink
from smsreceipt.sources.recordings.crc64 import crc64
from smsreceipt.sources.recordings.fetcher import TRIES, Expired, Fetched, Fetcher
from smsreceipt.sources.recordings.links import LinkRefused, Policy
from smsreceipt.sources.recordings.places import Part
from tests.proxy import HttpProxy
from tests.sources.recordings.peer import ObjectPeer, Wrong, cut

CONTENT = b"ID3" + random.Random(1).randbytes(300_000)
NOW = Instant(1_795_757_600_000)
CALLED = Instant(NOW - 2 * DAY_MS)


class Asked:
    """A client that gives these links, and then says that there is none."""

    def __init__(self, *links: str | Exception) -> None:
        self.links = [*links]

    def link(self, _recording: Recording) -> str:
        found = self.links.pop(0) if self.links else NoLink("isv.ILLEGAL_ARGUMENT")
        if isinstance(found, Exception):
            raise found
        return found


class Calm:
    """A run that never waits; it stops after *pieces* questions whether it is halted."""

    def __init__(self, pieces: int = 10**9) -> None:
        self.pauses: list[float] = []
        self._left = pieces

    @property
    def halted(self) -> bool:
        self._left -= 1
        return self._left < 0

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


@contextmanager
def fetcher(folder: Path, peer: ObjectPeer | None, client: Asked | None = None, **seams: Any) -> Iterator[Fetcher]:
    choose: Callable[[Endpoint], Proxy | None] = seams.pop("choose", lambda _: None)
    trusted = {peer.endpoint} if peer else set()
    with closing(Downloads(choose)) as downloads:
        yield Fetcher(
            root=folder,
            downloads=downloads,
            policy=seams.pop("policy", Policy(trusted)),
            client=lambda: client or Asked(),
            run=seams.pop("run", Calm()),
            max_size=seams.pop("max_size", 1 << 20),
            now=lambda: NOW,
        )


def call(link: str = "", **fields: Any) -> Recording:
    return Recording(**{
        "pool_key": "FC1", "call_id": "call-1", "ring": False, "called_at": CALLED, "timed": True, "link": link,
        "linked_at": CALLED, **fields,
    })  # fmt: skip


def fetched(folder: Path, peer: ObjectPeer, client: Asked | None = None, **seams: Any) -> Fetched:
    with fetcher(folder, peer, client, **seams) as made:
        return made.fetch(call(peer.url))


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def sound(found: Fetched) -> bool:
    return found.path.read_bytes() == CONTENT and found.sha256 == hashlib.sha256(CONTENT).hexdigest()


MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest().upper()


def test_a_recording_becomes_a_file(tmp_path: Path) -> None:
    with ObjectPeer(CONTENT) as peer:
        found = fetched(tmp_path, peer)
    assert sound(found)
    assert (found.size, found.received) == (len(CONTENT), len(CONTENT))
    assert left_in(tmp_path) == ["2026-11-25/FC1-call-1.mp3"]


@pytest.mark.parametrize("interim", [100, 102, 103])
def test_an_interim_answer_is_passed_over(tmp_path: Path, interim: int) -> None:
    with ObjectPeer(CONTENT, Wrong(interim=interim)) as peer:
        assert sound(fetched(tmp_path, peer))
        assert len(peer.asked) == 1


def test_what_is_cut_off_is_resumed_where_it_stopped(tmp_path: Path) -> None:
    with ObjectPeer(CONTENT, cut(100_000), cut(100_000), cut(0), cut(1)) as peer:
        found = fetched(tmp_path, peer)
        ranges = [each.get("range") for each in peer.asked]
    assert sound(found)
    assert ranges == [None, "bytes=100000-", "bytes=200000-", "bytes=200000-", "bytes=200001-"]
    assert peer.asked[-1]["if-range"] == f'"{MD5}"'


def test_a_later_run_goes_on_with_what_a_killed_one_left(tmp_path: Path) -> None:
    with ObjectPeer(CONTENT, *[cut(50_000)] * TRIES) as peer:
        with pytest.raises(Halted):
            fetched(tmp_path, peer, run=Calm(1))
        assert left_in(tmp_path) == ["2026-11-25/.FC1-call-1.part", "2026-11-25/.FC1-call-1.part.md5"]
        kept = (tmp_path / "2026-11-25" / ".FC1-call-1.part").stat().st_size
        peer.wrong.clear()
        found = fetched(tmp_path, peer)
    assert sound(found)
    assert 0 < kept == len(CONTENT) - found.received
    assert left_in(tmp_path) == ["2026-11-25/FC1-call-1.mp3"]


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong(body=lambda body: body[:-1] + bytes([body[-1] ^ 1])),  # one bit is wrong
        Wrong(headers={"Content-Length": str(len(CONTENT) - 1)}),  # shorter than it is
        Wrong(headers={"Content-Length": str(len(CONTENT) + 1)}),  # longer than it is
        Wrong(headers={"Content-Length": "0"}, body=lambda _: b""),
        Wrong(headers={"Content-Length": "-5"}),
        Wrong(headers={"Content-Length": "9" * 30}),
        Wrong(without=("Content-Length",)),
        Wrong(headers={"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}),  # not that of the ETag
        Wrong(headers={"Content-MD5": "no digest"}),
        Wrong(headers={"Content-Type": "text/html; charset=utf-8"}),
        Wrong(headers={"Content-Type": "application/xml"}),
        Wrong(headers={"Content-Encoding": "gzip"}),
        Wrong(status=500),
        Wrong(status=503),
        Wrong(status=204, body=lambda _: b""),
        Wrong(status=416),
        Wrong(status=412),
    ],
)  # fmt: skip
def test_an_answer_that_is_wrong_once_is_asked_for_again(tmp_path: Path, wrong: Wrong) -> None:
    with ObjectPeer(CONTENT, wrong) as peer:
        assert sound(fetched(tmp_path, peer))
    assert left_in(tmp_path) == ["2026-11-25/FC1-call-1.mp3"]


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong(status=206, headers={"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}, ignore_range=True),
        Wrong(headers={"Content-Range": "bytes 7-8/9"}),
        Wrong(headers={"ETag": '"' + "0" * 32 + '"'}),
        Wrong(ignore_range=True),
        Wrong(status=416),
    ],
)
def test_a_wrong_answer_to_a_range_spoils_nothing(tmp_path: Path, wrong: Wrong) -> None:
    with ObjectPeer(CONTENT, cut(100_000), wrong) as peer:
        assert sound(fetched(tmp_path, peer))


def test_a_file_that_changed_between_two_pieces_is_begun_anew(tmp_path: Path) -> None:
    with ObjectPeer(b"x" * 300_000, cut(100_000)) as peer:
        run = Calm()
        run.pause = lambda _: setattr(peer, "content", CONTENT)  # type: ignore[method-assign,assignment]
        assert sound(fetched(tmp_path, peer, run=run))


def test_what_is_always_wrong_is_given_up_for_this_run_and_nothing_is_published(tmp_path: Path) -> None:
    with ObjectPeer(CONTENT, *[Wrong(body=lambda body: bytes(len(body)))] * TRIES) as peer:
        run = Calm()
        with pytest.raises(ProviderError, match="MD5"):
            fetched(tmp_path, peer, run=run)
    assert left_in(tmp_path) == []
    assert run.pauses == [0.4, 0.8, 1.6, 3.2]


def test_a_stalled_answer_ends_and_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "READ", 0.1)
    with ObjectPeer(
        CONTENT, Wrong(body=lambda body: body[:100_000], stall=True), Wrong(body=lambda _: b"", stall=True)
    ) as peer:
        assert sound(fetched(tmp_path, peer))
        assert [each.get("range") for each in peer.asked] == [None, "bytes=100000-", "bytes=100000-"]


def test_an_object_whose_etag_is_no_md5_is_taken_by_its_length(tmp_path: Path) -> None:
    appended = {"x-oss-object-type": "Appendable", "ETag": '"' + "A" * 32 + '"'}
    with ObjectPeer(CONTENT, Wrong(headers=appended, without=("Content-MD5",))) as peer:
        assert sound(fetched(tmp_path, peer))


IN_PARTS = {"ETag": '"0123456789ABCDEF0123456789ABCDEF-2"', "x-oss-object-type": "Multipart"}


def in_parts(crc: object, **more: Any) -> Wrong:
    return Wrong(headers={**IN_PARTS, "x-oss-hash-crc64ecma": str(crc)}, without=("Content-MD5",), **more)


@pytest.mark.parametrize(
    ("pieces", "crc"),
    [([], 0), ([b"123456789"], 0x995DC9BBDF1939FA), ([b"1234", b"", b"56789"], 0x995DC9BBDF1939FA)],
)
def test_the_crc_has_the_published_check_value(pieces: list[bytes], crc: int) -> None:
    assert crc64(pieces) == crc


def test_an_object_without_md5_is_checked_by_its_crc(tmp_path: Path) -> None:
    crc = crc64([CONTENT])
    wrong_bit = in_parts(crc, body=lambda body: body[:-1] + bytes([body[-1] ^ 1]))
    with ObjectPeer(CONTENT, wrong_bit, in_parts(crc)) as peer, fetcher(tmp_path, peer) as made:
        assert made.fetch(call(peer.url)).path.read_bytes() == CONTENT
        assert len(peer.asked) == 2


def test_a_crc_that_never_fits_is_given_up_and_nothing_is_published(tmp_path: Path) -> None:
    with (
        ObjectPeer(CONTENT, *[in_parts(crc64([CONTENT]) ^ 1)] * TRIES) as peer,
        fetcher(tmp_path, peer) as made,
        pytest.raises(ProviderError, match="does not have the CRC64"),
    ):
        made.fetch(call(peer.url))
    assert not [*tmp_path.rglob("*.mp3")]


@pytest.mark.parametrize("crc", ["", "-1", "1e3", "9" * 21, "½"])
def test_a_crc_that_is_none_is_passed_over(tmp_path: Path, crc: str) -> None:
    with ObjectPeer(CONTENT, in_parts(crc)) as peer, fetcher(tmp_path, peer) as made:
        assert made.fetch(call(peer.url)).path.read_bytes() == CONTENT


def test_a_longer_file_than_is_allowed_is_refused_before_it_is_received(tmp_path: Path) -> None:
    with ObjectPeer(CONTENT) as peer, pytest.raises(LinkRefused, match="larger than 1,000 bytes"):
        fetched(tmp_path, peer, max_size=1000)
    assert left_in(tmp_path) == []


def test_an_expired_link_is_replaced_in_the_middle(tmp_path: Path) -> None:
    with ObjectPeer(
        CONTENT, cut(100_000), Wrong(status=403, body=lambda _: b"", headers={"Content-Length": "0"})
    ) as peer:
        found = fetched(tmp_path, peer, Asked(peer.url + "&fresh"))
        assert [each.get("range") for each in peer.asked][1:] == ["bytes=100000-"] * 2
        assert peer.asked[-1]["path"].endswith("&fresh")
    assert sound(found)


def test_a_link_that_says_that_it_is_over_is_not_tried(tmp_path: Path) -> None:
    with ObjectPeer(CONTENT) as peer, fetcher(tmp_path, peer, Asked(peer.url)) as made:
        made.fetch(call(peer.url.replace("Expires=4102444800", "Expires=1")))
        assert len(peer.asked) == 1


@pytest.mark.parametrize("status", [403, 404])
def test_without_another_link_it_is_expired(tmp_path: Path, status: int) -> None:
    with ObjectPeer(CONTENT, Wrong(status=status)) as peer, fetcher(tmp_path, peer) as made, pytest.raises(Expired):
        made.fetch(call(peer.url, ring=True))
    assert left_in(tmp_path) == []


def test_an_old_call_is_not_asked_about(tmp_path: Path) -> None:
    client = Asked("never")
    with fetcher(tmp_path, None, client) as made, pytest.raises(Expired):
        made.fetch(call(called_at=Instant(NOW - 30 * DAY_MS - 1)))
    assert client.links == ["never"]


def test_a_file_that_is_not_there_behind_a_fresh_link_is_no_recording(tmp_path: Path) -> None:
    missing = Wrong(status=404, body=lambda _: b"", headers={"Content-Length": "0"})
    with ObjectPeer(CONTENT, missing) as peer, fetcher(tmp_path, peer, Asked(peer.url)) as made, pytest.raises(NoLink):
        made.fetch(call())


def test_links_that_never_work_end(tmp_path: Path) -> None:
    refused = [Wrong(status=403, body=lambda _: b"", headers={"Content-Length": "0"})] * 9
    with ObjectPeer(CONTENT, *refused) as peer, fetcher(tmp_path, peer, Asked(*[peer.url] * 9)) as made:
        with pytest.raises(ProviderError, match="does not accept the links"):
            made.fetch(call(peer.url))
        assert len(peer.asked) == 4


@pytest.mark.parametrize("location", ["http://169.254.169.254/x", "https://evil.example/", "", "/again"])
def test_redirects_lead_nowhere_else(tmp_path: Path, location: str) -> None:
    redirect = Wrong(status=302, headers={"Location": location, "Content-Length": "0"}, body=lambda _: b"")
    with ObjectPeer(CONTENT, *[redirect] * 50) as peer, pytest.raises((LinkRefused, ProviderError)) as refused:
        fetched(tmp_path, peer)
    assert "canarySignature" not in str(refused.value)
    assert left_in(tmp_path) == []


def test_a_redirect_within_the_host_is_followed(tmp_path: Path) -> None:
    redirect = Wrong(status=307, headers={"Location": "/moved?Signature=b", "Content-Length": "0"}, body=lambda _: b"")
    with ObjectPeer(CONTENT, redirect) as peer:
        assert sound(fetched(tmp_path, peer))
        assert peer.asked[-1]["path"] == "/moved?Signature=b"


def test_a_link_to_another_host_is_refused_unless_the_provider_gives_a_better_one(tmp_path: Path) -> None:
    with ObjectPeer(CONTENT) as other, ObjectPeer(CONTENT) as peer:
        with fetcher(tmp_path, peer, Asked()) as made, pytest.raises(LinkRefused, match="object store"):
            made.fetch(call(other.url))
        with fetcher(tmp_path, peer, Asked(peer.url)) as made:
            assert sound(made.fetch(call(other.url)))
        assert other.asked == []
        with fetcher(tmp_path, None, policy=Policy(any_host=True)) as made:
            made.fetch(call(other.url, call_id="call-2"))
        assert len(other.asked) == 1


def test_a_file_that_was_not_noted_before_a_kill_is_recognised_by_its_digest(tmp_path: Path) -> None:
    with ObjectPeer(CONTENT) as peer:
        first = fetched(tmp_path, peer)
        again = fetched(tmp_path, peer)
    assert (again.path, again.sha256, again.received) == (first.path, first.sha256, 0)
    assert left_in(tmp_path) == ["2026-11-25/FC1-call-1.mp3"]


def test_another_file_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "2026-11-25").mkdir()
    other = tmp_path / "2026-11-25" / "FC1-call-1.mp3"
    other.write_bytes(CONTENT[:-1] + b"!")
    with ObjectPeer(CONTENT) as peer:
        found = fetched(tmp_path, peer)
    assert sound(found)
    assert (found.beside_other, found.path.name) == (True, "FC1-call-1.2.mp3")
    assert other.read_bytes() == CONTENT[:-1] + b"!"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("moment", ["append", "publish", "begin"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, code: int) -> None:
    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Part, moment, full)
    with ObjectPeer(CONTENT) as peer, pytest.raises(OSError, match=os.strerror(code)):
        fetched(tmp_path, peer)
    assert left_in(tmp_path) == []


def test_the_way_leads_through_the_proxy(tmp_path: Path) -> None:
    """A plain one is told the whole URL; the name is never resolved here."""
    with ObjectPeer(CONTENT) as peer, HttpProxy({"media.example": peer.endpoint.port}) as proxy:
        way = Proxy.parse(proxy.url())
        policy = Policy(any_host=True, insecure_http=True)
        with fetcher(tmp_path, None, policy=policy, choose=lambda _: way) as made:
            assert sound(made.fetch(call("http://media.example/x.mp3")))
        assert proxy.asked == ["GET http://media.example/x.mp3 HTTP/1.1"]


def failure(folder: Path, end: Wrong, call_id: str) -> BaseException:
    with ObjectPeer(CONTENT, *[end] * 60) as peer, fetcher(folder, peer) as made:
        try:
            made.fetch(call(peer.url, call_id=call_id))
        except (SmsReceiptError, LinkRefused) as exc:
            return exc
    raise AssertionError("it was fetched")


def test_no_failure_quotes_the_link(tmp_path: Path) -> None:
    ends = [
        cut(0),
        Wrong(status=500),
        Wrong(headers={"Content-Length": "x"}),
        Wrong(status=302, headers={"Location": "//["}),
    ]
    for number, end in enumerate(ends):
        failed = failure(tmp_path, end, f"c{number}")
        chain: BaseException | None = failed
        while chain is not None:
            assert "canarySignature" not in f"{chain!r} {chain}"
            chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


def test_connections_are_used_again(tmp_path: Path) -> None:
    with ObjectPeer(CONTENT) as peer, fetcher(tmp_path, peer) as made:
        for number in range(5):
            assert sound(made.fetch(call(peer.url, call_id=f"c{number}")))
        pool, _ = made.downloads._pools[peer.endpoint]
        assert len(pool._idle) == 1
