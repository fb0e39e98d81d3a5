"""Notes what a program sends, so that what has no receipt can be found.

The store may be locked, or on a server that cannot be reached; a program that sends must not wait for that. So a note
is one append to a file of the process beside the store, flushed to the disk before note() returns; a thread brings the
file into the store. What a kill leaves is brought in by the next Ledger, and by `reconcile`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self

import msgspec

from smsreceipt.api.app import app_of
from smsreceipt.api.values import Send, line_of, stored_sends
from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.ingest import LockRetry
from smsreceipt.language import _
from smsreceipt.model import BEIJING
from smsreceipt.runs import noted
from smsreceipt.runs.noted import Spool
from smsreceipt.store import opening

EVERY = 1.0  #: seconds between two looks whether there is something to bring into the store


class Ledger:
    """The list of what this program sends. From any thread; after a fork each process has a file of its own.

    What was noted is on the disk when note() returns, and in the store a second later, or as soon as it can be written.
    """

    def __init__(self, url: str | os.PathLike[str] | None = None) -> None:
        """*url*: the store, as for open(). Nothing is opened before the first note. Raises UsageError for a folder."""
        self._app = app_of(url)
        opening.refuse_folder(self._app.store_location)
        self._folder = noted.folder_of(self._app)
        self._lock = threading.Lock()  # of the file of this process
        self._storing = threading.Lock()  # while files are brought into the store
        self._fresh()

    def _fresh(self) -> None:
        self._pid = os.getpid()
        self._spool: Spool | None = None
        self._full: list[Spool] = []  # closed files that are not in the store yet
        self._batches = 0
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def note(
        self,
        response: object,
        *,
        phone_numbers: str | Iterable[str],
        sent_at: datetime | date | None = None,
        out_id: str | None = None,
        template_code: str | None = None,
        sign_name: str | None = None,
        parts: int | None = None,
    ) -> int:
        """Note what SendSms, SendBatchSms or SendMessageToGlobe answered; return for how many numbers.

        *response*: a dictionary, JSON, or the response object of an SDK. One that says that nothing was sent notes
        nothing and returns 0. *phone_numbers*: those of the request, separated by commas or as a list. *sent_at*: now
        unless told. Raises UsageError for a response without an id, StoreUnavailable if the disk takes no note.
        """
        answer = _answer(response)
        if str(answer.get("Code") or answer.get("ResponseCode") or "OK").upper() != "OK":
            return 0
        biz_id = answer.get("BizId") or answer.get("MessageId")
        if not biz_id:
            raise UsageError(
                _("the response has neither a BizId nor a MessageId"), hint=_("Note the response of SendSms.")
            )
        at = sent_at or datetime.now(BEIJING)
        numbers = phone_numbers if isinstance(phone_numbers, Iterable) else [phone_numbers]
        numbers = numbers.split(",") if isinstance(numbers, str) else list(numbers)
        return self.note_sends(
            Send(
                phone=number.strip() if isinstance(number, str) else number, biz_id=str(biz_id), sent_at=at,
                out_id=out_id, template_code=template_code, sign_name=sign_name, parts=parts,
            )
            for number in numbers
        )  # fmt: skip

    def note_sends(self, sends: Iterable[Send]) -> int:
        """Note some sends at once, with one flush; return how many. Raises as note() does."""
        lines = [line_of(each) for each in sends]
        stored_sends(b"".join(lines))
        with self._lock:
            spool = self._current()
            spool.append(b"".join(lines))
            if not self._batches:
                spool.flush()
        self._wake.set()
        return len(lines)

    @contextmanager
    def batch(self) -> Iterator[Self]:
        """Inside, notes are flushed to the disk together when it ends; a kill of the program loses none of them."""
        with self._lock:
            self._current()
            self._batches += 1
        try:
            yield self
        finally:
            with self._lock:
                self._batches -= 1
                self._current().flush()

    def flush(self) -> int:
        """Bring what was noted into the store; return how many sends. Raises StoreUnavailable; nothing is lost then."""
        with self._storing:
            with self._lock:
                self._current_process()
                self._turn()
            if not self._full and not any(True for _ in noted.abandoned(self._folder)):
                return 0
            retry = LockRetry(self._app.say)
            with self._app.open_store(readonly=False, backfill=False) as store:
                done = sum(noted.store_file(self._app, path, store, retry) for path in noted.abandoned(self._folder))
                while self._full:  # each stays locked until it is deleted
                    done += noted.store_file(self._app, self._full[0].path, store, retry)
                    self._full.pop(0).close()
            return done

    def close(self) -> None:
        """Bring what was noted into the store if that is possible now; what is not stays noted. Raises nothing."""
        if self._pid != os.getpid():
            return
        with self._lock:
            thread, self._thread = self._thread, None
            used = self._spool is not None or bool(self._full)
        if thread is not None:
            self._closing.set()
            self._wake.set()
            thread.join()
            self._wake, self._closing = threading.Event(), threading.Event()
        if used:
            self._try()
        with self._lock:
            for spool in (*self._full, *([self._spool] if self._spool else [])):
                spool.close()
            self._spool, self._full = None, []

    def _current_process(self) -> None:
        if self._pid != os.getpid():  # a fork: the file belongs to the other process
            self._fresh()

    def _current(self) -> Spool:
        """The file of this process."""
        self._current_process()
        if self._spool is None:
            self._spool = Spool(self._folder)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
            self._thread.start()
        return self._spool

    def _turn(self) -> None:
        """Begin another file if the present one has something in it."""
        if self._spool is not None and self._spool.size:
            full, self._spool = self._spool, None
            full.flush()
            self._full.append(full)

    def _run(self) -> None:
        """Bring files into the store, until close()."""
        wake, closing = self._wake, self._closing
        while not closing.is_set():
            wake.wait()
            wake.clear()
            if not closing.wait(EVERY) and not self._try():
                wake.set()  # again

    def _try(self) -> bool:
        try:
            self.flush()
        except SmsReceiptError as exc:
            self._app.say(_("{failure}: what was sent stays noted in {folder}", failure=exc, folder=self._folder))
            return False
        return True


def _answer(response: object) -> Mapping[str, Any]:
    """The fields of a response."""
    if isinstance(response, str | bytes):
        try:
            response = msgspec.json.decode(response)
        except (ValueError, RecursionError):
            raise UsageError(_("the response is no JSON object")) from None
    body = getattr(response, "body", None)
    if body is not None and not isinstance(response, Mapping):
        response = body
    if not isinstance(response, Mapping) and callable(to_map := getattr(response, "to_map", None)):
        response = to_map()
    if not isinstance(response, Mapping):
        raise UsageError(_("the response is neither a dictionary nor JSON nor the response object of an SDK"))
    inner = response.get("body")
    return inner if isinstance(inner, Mapping) else response
