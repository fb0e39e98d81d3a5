"""Where a recording is kept: DAY/POOL-CALLID.mp3 in a folder of the user, and the part of it that is there so far.

Names come from outside, so only letters, digits, - and _ of them get into a path. Files are 0600, folders 0700.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from smsreceipt.folders import flush_folder
from smsreceipt.model import Recording, beijing_day, date_of

_POOL = re.compile(r"[A-Za-z0-9_]{1,64}")
_CALL = re.compile(r"[A-Za-z0-9_-]{1,100}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_OTHERS = 9  #: files of one name with other content that are kept side by side
#: Errors after which a file system holds no more, whatever is tried.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Busy(Exception):
    """Another process is fetching this recording."""


def stem(recording: Recording) -> str:
    """The name of the file without its extension: POOL-CALLID, and -ring for the tone before an answer.

    A key or id with other characters, or a very long one, is replaced by a digest of it.
    """
    pool, call = _safe(recording.pool_key, _POOL), _safe(recording.call_id, _CALL)
    return f"{pool}-{call}-ring" if recording.ring else f"{pool}-{call}"


def _safe(text: str, form: re.Pattern[str]) -> str:
    if form.fullmatch(text):
        return text
    return f"x{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def day_of(recording: Recording) -> str:
    """The Beijing day of the call, which is the name of its folder."""
    return date_of(beijing_day(recording.called_at)).isoformat()


class Part:
    """The part of a file that has been received, locked against other processes.

    It is beside the file, under a name that begins with a dot. What a killed process has left is gone on with, if it
    is known which content it belongs to: the MD5 of the whole is noted in a second file before the first byte.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Open or make it in *folder*, whose parent is there. Raises Busy, and OSError."""
        self._path = folder / f".{name}.part"
        self._note = folder / f".{name}.part.md5"
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            flush_folder(folder.parent)
        self._file = _locked(self._path)
        self.expected = self._noted()  #: the MD5 of the whole; "" where the received bytes are of no use
        self.sha256, self.md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.size = 0
        try:
            self._read_again()
        except BaseException:
            self.close()
            raise

    def _noted(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            text = self._note.read_text("ascii")
            return text if _MD5.fullmatch(text) else ""
        return ""

    def _read_again(self) -> None:
        if not self.expected:
            os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        while piece := os.read(self._file, 1 << 20):
            self._count(piece)

    def _count(self, piece: bytes) -> None:
        self.sha256.update(piece)
        self.md5.update(piece)
        self.size += len(piece)

    def begin(self, expected: str) -> None:
        """Start with nothing. *expected*: the MD5 of the whole, in hex; "" where it is not known."""
        self._note.unlink(missing_ok=True)
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self.sha256, self.md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.size, self.expected = 0, expected
        if expected:
            noted = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.write(noted, expected.encode())
            finally:
                os.close(noted)

    def append(self, piece: bytes) -> None:
        """Write further bytes. Raises OSError."""
        view = memoryview(piece)
        while view:
            written = os.write(self._file, view)
            self._count(bytes(view[:written]))
            view = view[written:]

    def pieces(self) -> Iterator[bytes]:
        """What was received, read from the file. Raises OSError."""
        return _pieces(self._path)

    def publish(self, ending: str = ".mp3") -> tuple[Path, bool]:
        """Give the complete file its name, on disk when this returns; the path, and whether others of its name differ.

        A file is never overwritten: one with the same content is left as it is, one with another content stays, and
        the new one is called NAME.2.mp3. Raises FileExistsError when there are too many of those.
        """
        os.fsync(self._file)
        for number, path in enumerate(self.places(ending), 1):
            if _same(path, self.size, self.sha256.digest()) or _named(self._path, path):
                self.discard()
                flush_folder(path.parent)
                return path, number > 1
        raise FileExistsError(errno.EEXIST, "other files have its name", str(path))

    def places(self, ending: str = ".mp3") -> Iterator[Path]:
        """The names that it may get, in the order in which they are tried."""
        name = self._path.name.removeprefix(".").removesuffix(".part")
        yield self._path.with_name(f"{name}{ending}")
        for number in range(2, _OTHERS + 1):
            yield self._path.with_name(f"{name}.{number}{ending}")

    def kept(self, size: int, md5: str) -> Path | None:
        """The file that is there already with this content: a run that was killed had not noted it yet."""
        return next((path for path in self.places() if _holds(path, size, md5)), None)

    def discard(self) -> None:
        """Delete what was received."""
        self._note.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let other processes go on with it; an empty one is deleted."""
        if self._file < 0:
            return
        with contextlib.suppress(OSError):
            if not self.size and _is(self._file, self._path):
                self.discard()
        os.close(self._file)
        self._file = -1


def _locked(path: Path) -> int:
    """The file, opened and locked. Raises Busy where another process has the lock."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise Busy from None
        except BaseException:
            os.close(file)
            raise
        if _is(file, path):
            return file
        os.close(file)  # another process has just finished with it


def _is(file: int, path: Path) -> bool:
    """Whether the open file still has this name."""
    try:
        return os.path.samestat(os.fstat(file), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _named(part: Path, path: Path) -> bool:
    """Give the file the name; False if there is one of that name."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError as exc:
        if exc.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
            raise
        if os.path.lexists(path):  # a file system without links: the lock keeps others of us away meanwhile
            return False
        part.rename(path)
    return True


def _same(path: Path, size: int, digest: bytes) -> bool:
    """Whether the file is there with this content."""
    try:
        return path.is_file() and path.stat().st_size == size and digest_of(path, hashlib.sha256).digest() == digest
    except OSError:
        return False


def _holds(path: Path, size: int, md5: str) -> bool:
    try:
        if not path.is_file() or path.stat().st_size != size:
            return False
        return digest_of(path, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5
    except OSError:
        return False


def digest_of(path: Path, algorithm: Callable[[], hashlib._Hash]) -> hashlib._Hash:
    """The digest of a file's content. Raises OSError."""
    found = algorithm()
    for piece in _pieces(path):
        found.update(piece)
    return found


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            yield piece
