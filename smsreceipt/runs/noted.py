"""What programs noted of their sends, until it is in the store: files of JSON lines beside the store.

A program appends to a file of its own, which it holds locked. Files whose program is gone are taken over by whatever
process looks next; a file is deleted only after its sends are committed, and to store a send twice changes nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from smsreceipt.app import App
from smsreceipt.errors import StoreFull, StoreUnavailable
from smsreceipt.folders import flush_folder
from smsreceipt.ingest import LockRetry
from smsreceipt.language import N_, _, of_system
from smsreceipt.ledger import entries
from smsreceipt.model import Send
from smsreceipt.runs.unguarded import say_unguarded
from smsreceipt.store import Store

_AT_ONCE = 5_000  # sends in one commit
_FULL = N_("the sends cannot be noted in {folder}: {reason}")


def folder_of(app: App) -> Path:
    """Where the files are: beside the store, for one on a server in the platform's data directory."""
    if not app.store_is_server:
        return Path(f"{app.store_location}.noted")
    return app.data_directory() / f"noted-{hashlib.sha256(app.store_location.encode()).hexdigest()[:16]}"


class Spool:
    """The file of one process."""

    def __init__(self, folder: Path) -> None:
        """Create it. Raises StoreUnavailable where that is not possible."""
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        draft = folder / f"{name}.new"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(draft, flags, 0o600)
            # Locked before it has its name: nobody takes it for one whose program is gone.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self.path = draft.rename(folder / f"{name}.ndjson")
            flush_folder(folder)
        except OSError as exc:
            raise StoreUnavailable(_(_FULL, folder=folder, reason=of_system(exc))) from exc
        self.size = 0

    def append(self, lines: bytes) -> None:
        """Append whole lines: a kill of the program does not lose them. Raises StoreFull, and none is noted then."""
        try:
            written = os.write(self._descriptor, lines)
            reason = _("no space left")
        except OSError as exc:
            written, reason = -1, of_system(exc) if exc.strerror else _("it cannot be written")
        if written != len(lines):
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise StoreFull(_(_FULL, folder=self.path.parent, reason=reason))
        self.size += written

    def flush(self) -> None:
        """Flush to the disk: a power cut does not lose them either. Raises StoreUnavailable."""
        try:
            getattr(os, "fdatasync", os.fsync)(self._descriptor)
        except OSError as exc:
            raise StoreUnavailable(_(_FULL, folder=self.path.parent, reason=of_system(exc))) from exc

    def close(self) -> None:
        """Let others take it over; an empty one is deleted."""
        if not self.size:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def store_file(app: App, path: Path, store: Store, retry: LockRetry) -> int:
    """Store the sends of a file, then delete it; return how many there were. After a crash it is done again."""
    count, unguarded = 0, False
    with path.open("rb") as file:
        # A line that was cut by a power cut was never promised to be there.
        sends = (each for each in entries(file) if isinstance(each, Send))
        while batch := list(islice(sends, _AT_ONCE)):
            unguarded |= retry.call(partial(store.add_sends, batch)).unguarded
            count += len(batch)
    if unguarded:
        say_unguarded(app)
    path.unlink(missing_ok=True)
    return count


def abandoned(folder: Path) -> Iterator[Path]:
    """Yield the files whose program is gone, each locked while it is looked at."""
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(folder.glob("*.ndjson")):
            with contextlib.suppress(FileNotFoundError, PermissionError, BlockingIOError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield path


def absorb(app: App) -> int:
    """Store what programs noted that are gone; return how many sends. Costs a look into a folder."""
    folder = folder_of(app)
    if not any(True for _ in abandoned(folder)):
        return 0
    retry = LockRetry(app.say)
    with app.open_store(readonly=False, backfill=False) as store:
        return sum(store_file(app, path, store, retry) for path in abandoned(folder))
