"""Fetches one recording into its file: follows its link, asks for a new one, resumes, and checks what came."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from smsreceipt.aliyun.faults import Hopeless
from smsreceipt.errors import ProviderError
from smsreceipt.language import _
from smsreceipt.model import Instant, Recording
from smsreceipt.model.recordings import KEPT
from smsreceipt.sources.query.rate import Halted
from smsreceipt.sources.recordings.client import NoLink
from smsreceipt.sources.recordings.crc64 import crc64
from smsreceipt.sources.recordings.links import Link, LinkRefused, Policy, good_until
from smsreceipt.sources.recordings.places import FULL, Part, day_of, digest_of, stem

if TYPE_CHECKING:
    from smsreceipt.aliyun.download import Download, Downloads

TRIES = 5  #: failures in a row, without a byte in between, after which a recording is given up for this run
_FAILURES = 50  # of one recording in all
_REDIRECTS = 3  # that are followed in a row
_LINKS = 3  # that are asked for
_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # seconds
_WATCHED, _SLOWEST = 60.0, 16 * 1024  # seconds, and the bytes that must come in them
_ETAG = re.compile(r'"?([0-9A-Fa-f]{32})"?')
_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15})")
_PAGE = re.compile(r"text/|.*(?:html|xml|json)", re.IGNORECASE)


class Expired(Exception):
    """The provider keeps it no longer, or its only link has expired."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A recording that is a file now."""

    path: Path
    size: int
    sha256: str
    received: int  #: bytes that came in this run
    beside_other: bool = False  #: a file of its name with other content was there


class Asks(Protocol):
    """Gives links: recordings.client.LinkClient."""

    def link(self, recording: Recording) -> str:
        """A fresh link."""


class Run(Protocol):
    """The run that recordings are fetched in: query.rate.Rate."""

    @property
    def halted(self) -> bool:
        """Whether the run was stopped."""

    def pause(self, seconds: float) -> None:
        """Wait. Raises Halted."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches recordings into the folder *root*, from any number of threads."""

    root: Path
    downloads: Downloads
    policy: Policy
    client: Callable[[], Asks]  #: called when the first link is asked for
    run: Run
    max_size: int  #: bytes; a longer file is refused
    now: Callable[[], Instant]

    def fetch(self, recording: Recording) -> Fetched:
        """Fetch it; the file is on disk under its name when this returns. What it has received outlasts a crash.

        Raises Busy, Expired, NoLink (the provider has no such file), LinkRefused, ProviderError (cut off, stalled,
        wrong content: the next run tries again), AuthError, UsageError, Halted; OSError where the file cannot be
        written, after which nothing of it is left if the disk is full.
        """
        part = Part(self.root / day_of(recording), stem(recording))
        try:
            return self._try_all(_Links(self, recording), part)
        except OSError as exc:
            if exc.errno in FULL:
                part.discard()
            raise
        finally:
            part.close()

    def _try_all(self, links: _Links, part: Part) -> Fetched:
        link, begun, failures, in_a_row = links.next(), part.size, 0, 0
        while True:
            before = part.size
            try:
                return self._attempt(link, part, begun)
            except _LinkEnded as exc:
                link = links.next(exc)
            except Hopeless:
                raise
            except ProviderError:
                failures += 1
                in_a_row = 1 if part.size > before else in_a_row + 1
                if in_a_row >= TRIES or failures >= _FAILURES:
                    raise
                self.run.pause(min(_PAUSE * 2.0**in_a_row, _LONGEST_PAUSE))

    def _attempt(self, link: Link, part: Part, begun: int) -> Fetched:
        for _each in range(_REDIRECTS + 1):
            with self.downloads.get(link.endpoint, link.target, _headers(part)) as answer:
                if answer.status not in {301, 302, 303, 307, 308}:
                    return self._receive(answer, part, begun)
                link = self.policy.follow(link, answer.headers.get("location", ""))
        raise ProviderError(_("{link} redirects too often", link=link))

    def _receive(self, answer: Download, part: Part, begun: int) -> Fetched:
        crc = _crc_of(answer.headers)
        total = self._begin(answer, part)
        if part.size == 0 and part.expected and (path := part.kept(total, part.expected)):
            part.discard()
            return Fetched(path, total, digest_of(path, hashlib.sha256).hexdigest(), 0)
        received = begun if part.size >= begun else 0
        self._copy(answer, part, total)
        if part.expected and part.md5.hexdigest() != part.expected:
            part.begin("")
            raise ProviderError(_("what came does not have the MD5 that the provider names"))
        if not part.expected and crc is not None and crc64(self._unless_halted(part.pieces())) != crc:
            part.begin("")
            raise ProviderError(_("what came does not have the CRC64 that the provider names"))
        path, beside_other = part.publish()
        return Fetched(path, part.size, part.sha256.hexdigest(), part.size - received, beside_other)

    def _begin(self, answer: Download, part: Part) -> int:
        """Find out what comes, and prepare the part for it; the size of the whole file."""
        if answer.status in {403, 404}:
            raise _LinkEnded(answer.status)
        if answer.status not in {200, 206}:
            if answer.status in {412, 416}:
                part.begin("")
            raise ProviderError(_("the object store answered with status {status}", status=answer.status))
        if _PAGE.match(answer.headers.get("content-type", "")) or answer.headers.get("content-encoding"):
            raise ProviderError(_("what came is a page, no recording"))
        md5 = _md5_of(answer.headers, whole=answer.status == 200)
        if answer.status == 206:
            total = _rest_of(answer.headers, part.size)
            if not total or md5 != part.expected:
                part.begin("")
                raise ProviderError(_("the file has changed meanwhile"))
        else:
            total = _length_of(answer.headers)
            part.begin(md5)
        if total > self.max_size:
            part.discard()
            raise LinkRefused(_("it is larger than {size:,} bytes (--max-size)", size=self.max_size))
        return total

    def _copy(self, answer: Download, part: Part, total: int) -> None:
        watched, size = time.monotonic(), part.size
        while piece := answer.read():
            if self.run.halted:
                raise Halted
            if part.size + len(piece) > total:
                part.begin("")
                raise ProviderError(_("more came than was announced"))
            part.append(piece)
            if (now := time.monotonic()) - watched > _WATCHED:
                if part.size - size < _SLOWEST:
                    raise ProviderError(_("it comes too slowly"))
                watched, size = now, part.size
        if part.size != total:
            raise ProviderError(_("the answer broke off"))

    def _unless_halted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if self.run.halted:
                raise Halted
            yield piece


class _LinkEnded(Exception):
    """The object store does not accept the link (403), or has no such file (404)."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Links:
    """The links to one recording, in the order in which they are tried: that of its report, then those asked for."""

    def __init__(self, fetcher: Fetcher, recording: Recording) -> None:
        self._fetcher, self._recording = fetcher, recording
        self._refused: LinkRefused | None = None  # why the link of the report is not followed
        self._begun = False
        self._asked = 0

    def next(self, ended: _LinkEnded | None = None) -> Link:
        """The next one; *ended*: what happened to the one before. Raises what Fetcher.fetch raises."""
        found = None if self._begun else self._reported()
        self._begun = True
        return found or self._fresh(ended)

    def _reported(self) -> Link | None:
        link, now = self._recording.link, self._fetcher.now()
        if not link or (good_until(link) or now) < now:
            return None
        try:
            return self._fetcher.policy.admit(link)
        except LinkRefused as exc:
            self._refused = exc
        return None

    def _fresh(self, ended: _LinkEnded | None) -> Link:
        recording, policy = self._recording, self._fetcher.policy
        if not recording.can_be_asked_for or self._fetcher.now() > recording.called_at + KEPT:
            raise self._refused or Expired
        if self._asked and ended and ended.status == 404:
            raise NoLink("NoSuchKey")
        if self._asked >= _LINKS:
            raise ProviderError(_("the object store does not accept the links that the provider gives"))
        self._asked += 1
        try:
            return policy.admit(self._fetcher.client().link(recording))
        except NoLink:
            if self._refused:
                raise self._refused from None
            raise


def _headers(part: Part) -> dict[str, str]:
    """What is asked for: the rest of what is there. The range counts only while the file is the same."""
    if not (part.size and part.expected):
        return {}
    return {"Range": f"bytes={part.size}-", "If-Range": f'"{part.expected.upper()}"'}


def _md5_of(headers: Mapping[str, str], *, whole: bool) -> str:
    """The MD5 of the whole file in hex, "" where the headers do not tell. Raises ProviderError if they disagree.

    The ETag is the MD5 only of a file that was uploaded at once. Content-MD5 is that of the whole only where the whole
    is sent.
    """
    etag = _ETAG.fullmatch(headers.get("etag", ""))
    found = {etag[1].lower()} if etag and headers.get("x-oss-object-type", "Normal") == "Normal" else set()
    if whole and "content-md5" in headers:
        try:
            found.add(base64.b64decode(headers["content-md5"], validate=True).hex())
        except (binascii.Error, ValueError):
            raise ProviderError(_("the object store names an MD5 that is none")) from None
    if len(found) > 1:
        raise ProviderError(_("the object store names two MD5s for one file"))
    return next(iter(found), "")


def _crc_of(headers: Mapping[str, str]) -> int | None:
    """The CRC64 of the whole file; None where the headers do not tell. What was uploaded in parts has no MD5."""
    text = headers.get("x-oss-hash-crc64ecma", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _length_of(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ProviderError(_("the object store does not tell how long the file is"))
    if not int(text):
        raise ProviderError(_("the file is empty"))
    return int(text)


def _rest_of(headers: Mapping[str, str], begin: int) -> int:
    """The size of the whole file of which the rest from *begin* on is sent; 0 where something else is."""
    found = _RANGE.fullmatch(headers.get("content-range", ""))
    return int(found[2]) if found and int(found[1]) == begin else 0
