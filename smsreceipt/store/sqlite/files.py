"""The file of a store and its place: permissions, file systems that cannot lock, free space, identity."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
from pathlib import Path
from typing import ClassVar

from smsreceipt.errors import StoreUnavailable
from smsreceipt.permissions import denied_hint, why_denied

#: SQLite cannot lock files safely on these, or share its index of the journal: disks of other machines, object stores,
#: and folders that a program or the host of a virtual machine shows.
_NETWORK = (
    *("nfs", "cifs", "smb", "afs", "ncpfs", "9p", "ceph", "glusterfs", "lustre", "gpfs", "beegfs"),
    *("virtiofs", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "davfs", "fuse.", "fuse"),
)
_LOCAL = ("fuseblk", "fusectl")  # disks of this machine all the same


#: A blank, a tab, a line end or a backslash in the name of a mount point.
_OCTAL = re.compile(r"\\([0-7]{3})")


def beside(path: Path, suffix: str) -> Path:
    """The file that SQLite keeps beside the store: next to the store itself, wherever a symlink to it is."""
    return Path(os.path.realpath(path) + suffix)


def prepare_file(path: Path) -> None:
    """Make the directory 0700 and the file 0600 before SQLite writes a byte; refuse places that cannot be trusted.

    SQLite gives -wal and -shm the mode of the file itself.
    """
    for place in {path, beside(path, "")}:
        _refuse_unsafe(place)
    try:
        for folder in (*reversed(path.parent.parents), path.parent):  # mkdir's own parents get what the umask leaves
            folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as exc:
        raise unavailable(path, f"cannot be written: {exc.strerror}", write=True) from exc


def unavailable(path: Path, what: str, *, write: bool) -> StoreUnavailable:
    """The error for a store that cannot be opened: it names the owner where rights are the cause."""
    if why := why_denied(path, write=write):
        return StoreUnavailable(f"the store {path} {what}: {why}", hint=denied_hint(path, write=write))
    return StoreUnavailable(f"the store {path} {what}")


def _refuse_unsafe(path: Path) -> None:
    folder = path.parent
    if folder.is_dir():
        mode = folder.stat().st_mode
        open_to_all = bool(mode & stat.S_IWOTH)
        if open_to_all and (path.is_symlink() or not mode & stat.S_ISVTX):
            raise StoreUnavailable(
                f"refusing the store {path}: anybody may write to its directory",
                hint="Put the store into a directory of your own.",
            )
    kind = _filesystem(folder)
    if kind.startswith(_NETWORK) and kind not in _LOCAL:
        raise StoreUnavailable(
            f"refusing the store {path}: it is on a network file system ({kind})",
            hint="SQLite cannot lock files there safely. Put the store on a local disk.",
        )


def _filesystem(folder: Path) -> str:
    """The type of the file system that *folder* is on; "" where the system does not tell."""
    here = str(folder.resolve())
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines():
            _, mount, fstype, *_ = line.split(" ")
            mount = _OCTAL.sub(lambda found: chr(int(found[1], 8)), mount)
            inside = here == mount or here.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= len(best):
                best, kind = mount, fstype
    return kind


def restrict(path: Path) -> None:
    """Make the store and the files that SQLite has made beside it 0600."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            beside(path, suffix).chmod(0o600)


def free_bytes(path: Path) -> int:
    """How many more bytes the disk under *path* takes; the directory need not exist yet."""
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    stats = os.statvfs(folder)
    return stats.f_bavail * stats.f_frsize


def file_id(path: Path) -> tuple[int, int] | None:
    """The device and inode that *path* leads to; None where there is nothing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def size_to_read(path: Path) -> int:
    """Bytes in the file; 0 where there is none yet. Raises StoreUnavailable where rights bar the way to it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as exc:
        raise unavailable(path, f"cannot be read: {exc.strerror}", write=False) from exc


def on_read_only_media(path: Path) -> bool:
    """Whether nothing can be written beside the file, whoever asks."""
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY) or not os.access(path.parent, os.W_OK)
    except OSError:
        return False


def size(path: Path) -> int:
    """Bytes in the file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


_MAGIC, _OURS = b"SQLite format 3\0", (68, 72)  # where the header of a database has the number of its application
_JOURNAL = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")  # how a journal begins
_JOURNAL_HEAD = 32  # bytes


class Files:
    """The file of an open store and its journal, to find out that somebody replaced, cut or overwrote them.

    SQLite does not notice: it goes on in the files that it has opened, and a commit into them is lost.
    """

    def __init__(self, path: Path, application_id: int) -> None:
        self._path, self._wal = path, beside(path, "-wal")
        self._application = application_id.to_bytes(4, "big")
        self._id = file_id(path)
        self._journal: tuple[int, int] | None = None
        self._least = size(path)
        self._handle = _Handle.of(path) if self._id is not None else None

    @property
    def in_memory(self) -> bool:
        """Whether there is no file."""
        return self._id is None

    @property
    def has_its_name(self) -> bool:
        """Whether the path still leads to the file that was opened."""
        return file_id(self._path) == self._id

    def hold_the_commit(self) -> bool:
        """Whether a commit that has just ended is in files that have their names, their sizes and their heads."""
        try:
            store, journal = self._path.stat(), os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            found, head = os.fstat(journal), os.pread(journal, _JOURNAL_HEAD, 0)
        finally:
            os.close(journal)
        ids = (found.st_dev, found.st_ino)
        self._journal = self._journal or ids
        whole = (store.st_dev, store.st_ino) == self._id and store.st_size >= self._least and ids == self._journal
        self._least = max(self._least, store.st_size)
        return whole and len(head) == _JOURNAL_HEAD and head.startswith(_JOURNAL) and self._is_ours()

    def _is_ours(self) -> bool:
        head = self._handle.read(100) if self._handle else b""
        return head.startswith(_MAGIC) and head[slice(*_OURS)] == self._application

    def close(self) -> None:
        """Release the file. Call it after SQLite has closed it."""
        if self._handle is not None:
            self._handle.release()
            self._handle = None


class _Handle:
    """A descriptor of a store's file, shared by all of its users in this process.

    To close any descriptor of a file gives away all locks that the process has on it, those of SQLite included: so one
    is opened before SQLite opens the file, and closed after the last user has gone.
    """

    _all: ClassVar[dict[tuple[int, int], _Handle]] = {}
    _lock = threading.Lock()

    def __init__(self, path: Path, key: tuple[int, int]) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._key, self._users = key, 0

    @classmethod
    def of(cls, path: Path) -> _Handle | None:
        """The handle of the file at *path*, with one more user; None if the file has gone meanwhile."""
        with cls._lock:
            key = file_id(path)
            if key is None:
                return None
            found = cls._all.get(key) or cls._all.setdefault(key, cls(path, key))
            found._users += 1
            return found

    def read(self, count: int) -> bytes:
        """The first bytes of the file."""
        return os.pread(self._descriptor, count, 0)

    def release(self) -> None:
        """One user has gone."""
        with self._lock:
            self._users -= 1
            if not self._users:
                del self._all[self._key]
                os.close(self._descriptor)
