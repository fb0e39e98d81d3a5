"""Files that appear under their names whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from smsreceipt.errors import OutputError, UsageError
from smsreceipt.folders import flush_folder
from smsreceipt.language import N_, _, of_system
from smsreceipt.permissions import unusable

_UNABLE = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}  # a file system without locks


class FileFull(OutputError):
    """A file cannot be written: its disk is full, or fails."""

    hint = N_("Nothing half is left behind: free space on that disk, or name a file on another one.")


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Raise FileFull for what the system says of writing inside."""
    try:
        yield
    except OSError as exc:
        raise FileFull(_("{name} cannot be written: {reason}", name=path, reason=of_system(exc))) from exc


def lock(descriptor: int, what: Path) -> None:
    """Lock an open file or folder until it is closed. Raises UsageError if another process has locked it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            _("another export is writing {file}", file=what), hint=_("Wait for it, or name another file.")
        ) from None
    except OSError as exc:
        if exc.errno not in _UNABLE:
            raise


class Part:
    """A file that is written beside its final name, with mode 0600, and renamed by publish().

    A process that is killed leaves the part behind, under a name that begins with a dot. The next export to the same
    name goes on with that file, from its beginning.
    """

    def __init__(self, path: Path) -> None:
        """Open the part, and lock it. Raises UsageError if it cannot be made, or another process writes it."""
        self.path = path
        self._part = path.with_name(f".{path.name}.part")
        self._folder = path.with_name(f".{path.name}.tmp")
        try:
            self.stream: BinaryIO = self._opened()
        except OSError as exc:
            raise unusable(_("{name} cannot be written", name=path), exc, path, write=True) from exc
        self.size = 0  #: bytes; set by finish()
        self._published = False

    def _opened(self) -> BinaryIO:
        while True:
            descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            stream = os.fdopen(descriptor, "r+b", buffering=1 << 18)
            try:
                self._refuse_foreign(os.fstat(descriptor))
                lock(descriptor, self.path)
                if self._is_current(descriptor):
                    os.fchmod(descriptor, 0o600)
                    os.ftruncate(descriptor, 0)
                    return stream
            except BaseException:
                stream.close()
                raise
            stream.close()  # another process has renamed or deleted it meanwhile

    def _refuse_foreign(self, found: os.stat_result) -> None:
        """Raise UsageError for a part that somebody else may read: in a shared folder anybody can make one."""
        if found.st_uid != os.geteuid() or found.st_nlink > 1 or not stat.S_ISREG(found.st_mode):
            raise UsageError(
                _("{file} is there already, and not a file of yours alone", file=self._part), hint=_("Delete it.")
            )

    def _is_current(self, descriptor: int) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(descriptor), self._part.stat())
        return False

    def temporary_folder(self) -> str:
        """A new empty folder beside the file, for what a writer cannot write in order. It is deleted by finish()."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700)
        return str(self._folder)

    def finish(self) -> None:
        """Write everything to the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.size = self.stream.seek(0, os.SEEK_END)

    def release(self) -> None:
        """Close the file, and with it the lock, before publish(): for a process that writes many files."""
        self.stream.close()

    def publish(self) -> None:
        """Give the file its name, in place of the one that has it."""
        self._part.replace(self.path)
        self._published = True
        self.stream.close()
        flush_folder(self.path.parent)

    def discard(self) -> None:
        """Delete the part, unless it is published: another export may have begun a part by then."""
        if self._published:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._part.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # what is buffered may not fit on the disk
            self.stream.close()
