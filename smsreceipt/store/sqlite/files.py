"""The file of a store and its place: permissions, file systems that cannot lock, free space, identity."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from smsreceipt.errors import StoreDamaged, StoreUnavailable
from smsreceipt.language import N_, _, of_system
from smsreceipt.permissions import denied_hint, why_denied

#: SQLite cannot lock files safely on these, or share its index of the journal: disks of other machines, object stores,
#: and folders that a program or the host of a virtual machine shows.
_NETWORK = (
    *("nfs", "cifs", "smb", "afs", "coda", "ncpfs", "9p", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "orangefs"),
    *("pvfs2", "panfs", "wekafs", "alinas", "alifuse", "cpfs", "davfs", "fuse"),
    *("virtiofs", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "wslfs", "osxfs", "grpcfuse"),
)
_LOCAL = ("fuseblk", "fusectl")  # disks of this machine all the same


FORGET_KEY = ".forget-key"  #: how the name of the key of forgotten numbers ends; it is beside the store

#: A blank, a tab, a line end or a backslash in the name of a mount point.
_OCTAL = re.compile(r"\\([0-7]{3})")


def beside(path: Path, suffix: str) -> Path:
    """The file that SQLite keeps beside the store: next to the store itself, wherever a symlink to it is."""
    return Path(os.path.realpath(path) + suffix)


def refuse_lost(path: Path) -> None:
    """Raise StoreDamaged where a journal has outlived its store: SQLite would delete it, with the receipts in it."""
    journal = beside(path, "-wal")
    if size(path) == 0 and size(journal) > _JOURNAL_HEAD:
        empty = N_("the store {store} is empty, but its journal {journal} is not")
        gone = N_("the store {store} is gone, but its journal {journal} is not")
        raise StoreDamaged(
            _(empty if path.exists() else gone, store=path, journal=journal),
            hint=_(
                "It was not touched. Put the store's file back beside it; or move the journal away, then"
                " restore a backup or begin anew."
            ),
        )


def prepare_file(path: Path) -> None:
    """Make the directory 0700 and the file 0600 before SQLite writes a byte; refuse places that cannot be trusted.

    SQLite gives -wal and -shm the mode of the file itself.
    """
    for place in {path, beside(path, "")}:
        _refuse_unsafe(place)
    refuse_lost(path)
    try:
        for folder in (*reversed(path.parent.parents), path.parent):  # mkdir's own parents get what the umask leaves
            folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as exc:
        raise unavailable(
            path, _("the store {store} cannot be written: {reason}", store=path, reason=of_system(exc)), write=True
        ) from exc


def unavailable(path: Path, what: str, *, write: bool) -> StoreUnavailable:
    """The error for a store that cannot be opened: *what*, and the owner where rights are the cause."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = beside(path, suffix)
        if suffix and not file.exists():
            continue
        if why := why_denied(file, write=write, named=bool(suffix)):
            return StoreUnavailable(
                _("{what}: {reason}", what=what, reason=why),
                hint=denied_hint(file, "--store", write=write),
            )
    return StoreUnavailable(
        what,
        hint=_(
            "Nothing is lost. See to it that its disk and folder can be written, or name another file with --store."
        ),
    )


def refuse_unwritable(path: Path) -> None:
    """Raise StoreUnavailable where the store cannot be written, or made, as far as that is plain without writing."""
    for place in {path, beside(path, "")}:
        _refuse_unsafe(place)
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if why_denied(path, write=True) or on_read_only_media(folder / path.name):
        raise unavailable(path, _("the store {store} cannot be written", store=path), write=True)


def exposed(path: Path) -> str:
    """The file of the store, or one beside it, that others may read; empty where there is none."""
    for file in (path, beside(path, "-wal")):
        with contextlib.suppress(OSError):
            if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                return str(file)
    return ""


def _refuse_unsafe(path: Path) -> None:
    folder = path.parent
    if folder.is_dir():
        mode = folder.stat().st_mode
        open_to_all = bool(mode & stat.S_IWOTH)
        if open_to_all and (path.is_symlink() or not mode & stat.S_ISVTX):
            raise StoreUnavailable(
                _("refusing the store {store}: anybody may write to its directory", store=path),
                hint=_("Put the store into a directory of your own."),
            )
    kind = _filesystem(folder)
    if kind.startswith(_NETWORK) and kind not in _LOCAL:
        raise StoreUnavailable(
            _("refusing the store {store}: it is on a network file system ({kind})", store=path, kind=kind),
            hint=_("SQLite cannot lock files there safely. Put the store on a local disk."),
        )


def _filesystem(folder: Path) -> str:
    """The type of the file system that *folder* is on; "" where the system does not tell."""
    here = str(folder.resolve())
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").split("\n")[:-1]:
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
        raise unavailable(
            path, _("the store {store} cannot be read: {reason}", store=path, reason=of_system(exc)), write=False
        ) from exc


def on_read_only_media(path: Path) -> bool:
    """Whether nothing can be written beside the file, whoever asks."""
    try:
        folder = beside(path, "").parent
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY) or not os.access(folder, os.W_OK)
    except OSError:
        return False


def size(path: Path) -> int:
    """Bytes in the file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


_MAGIC = b"SQLite format 3\0"  # how a database begins
#: What its head says: the size of a page, the number of changes of the head, which only grows, the number of pages, the
#: number of its application.
_HEAD = struct.Struct(">16xH6xII36xI")
_JOURNAL = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")  # how a journal begins
_JOURNAL_HEAD, _FRAME_HEAD = 32, 24  # bytes: of the journal, and of each page in it
_SALT = slice(16, 24)  # of the journal's head; each frame repeats it
#: What the index of the journal says: the size of a page, the number of frames, checksum of the last one, salt.
_INDEX = struct.Struct("=14xHI4xII8s")


class Files:
    """The file of an open store and its journal, to find out that somebody replaced, cut or overwrote them.

    SQLite does not notice: it goes on in the files that it has opened, and a commit into them is lost.
    """

    def __init__(self, path: Path, application_id: int) -> None:
        self._path = path
        self._application = application_id
        self._store = _Handle.of(path)
        self._journal: _Handle | None = None
        self._index: _Handle | None = None
        self._least, self._changes = size(path), 0

    @property
    def in_memory(self) -> bool:
        """Whether there is no file."""
        return self._store is None

    @property
    def have_their_names(self) -> bool:
        """Whether the paths still lead to the files that were opened."""
        return all(each is None or each.has_its_name() for each in (self._store, self._journal, self._index))

    def readers(self) -> list[Callable[[int, int], bytes]]:
        """For the store and its journal, a function that returns so many bytes from an offset on."""
        self._journal = self._journal or _Handle.of(beside(self._path, "-wal"))
        return [each.read for each in (self._store, self._journal) if each]

    def hold_earlier_commits(self) -> bool:
        """Whether the files are as long, and begin and end, as the last commit left them.

        Call it inside a write transaction, before it writes: no other process adds to the journal then, or empties it.
        """
        self._journal = self._journal or _Handle.of(beside(self._path, "-wal"))
        self._index = self._index or _Handle.of(beside(self._path, "-shm"))
        if self._store is None or self._journal is None or self._index is None or not self.have_their_names:
            return False
        return self._is_whole(self._store) and self._is_complete(self._journal, self._index)

    def hold_the_commit(self) -> bool:
        """Whether a commit that has just ended is in a journal that has its name and its head.

        Another process may have moved it from the journal into the store already, and emptied the journal: then the
        index says that the journal holds nothing, which it says before the journal is emptied.
        """
        if self._journal is None or self._index is None or not self.have_their_names:
            return False
        return self._has_head(self._journal) or not self._frames(self._index) or self._has_head(self._journal)

    @staticmethod
    def _has_head(journal: _Handle) -> bool:
        head = journal.read(_JOURNAL_HEAD)
        return len(head) == _JOURNAL_HEAD and head.startswith(_JOURNAL)

    @staticmethod
    def _frames(index: _Handle) -> int:
        """How many pages are in the journal, as its index says."""
        frames: int = _INDEX.unpack(index.read(_INDEX.size))[1]
        return frames

    def _is_whole(self, store: _Handle) -> bool:
        length, head = store.size(), store.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(_MAGIC):
            return False
        page, changes, pages, application = _HEAD.unpack(head)
        # A checkpoint writes the head first: the file grows, or is cut after VACUUM, a little later.
        least = min(length, pages * _page_size(page))
        self._least = least if changes > self._changes else max(self._least, least)
        whole: bool = length >= self._least and changes >= self._changes and application == self._application
        self._changes = max(self._changes, changes)
        return whole

    @staticmethod
    def _is_complete(journal: _Handle, index: _Handle) -> bool:
        page, frames, first, second, salt = _INDEX.unpack(index.read(_INDEX.size))
        if not frames:
            return True
        frame = _FRAME_HEAD + _page_size(page)
        head, last = journal.read(_JOURNAL_HEAD), journal.read(_FRAME_HEAD, _JOURNAL_HEAD + (frames - 1) * frame)
        long_enough: bool = journal.size() >= _JOURNAL_HEAD + frames * frame
        return long_enough and (head[_SALT], last[8:]) == (salt, salt + struct.pack(">II", first, second))

    def close(self) -> None:
        """Release the files. Call it after SQLite has closed them."""
        for handle in (self._store, self._journal, self._index):
            if handle is not None:
                handle.release()
        self._store = self._journal = self._index = None


def _page_size(noted: int) -> int:
    """In bytes; 65,536, which needs a bit more than there is room for, is noted as 1."""
    return noted if noted > 1 else 1 << 16


class _Handle:
    """A descriptor of a file that SQLite uses, shared by all of its users in this process.

    To close any descriptor of a file gives away all locks that the process has on it, those of SQLite included: so it
    is closed after the last user, who has closed the database, has gone.
    """

    _all: ClassVar[dict[tuple[int, int], _Handle]] = {}
    _lock = threading.Lock()

    def __init__(self, path: Path, key: tuple[int, int]) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._name, self._key, self._users = str(path), key, 0

    @classmethod
    def of(cls, path: Path) -> _Handle | None:
        """The handle of the file at *path*, with one more user; None if there is no file."""
        with cls._lock:
            key = file_id(path)
            if key is None:
                return None
            found = cls._all.get(key) or cls._all.setdefault(key, cls(path, key))
            found._users += 1
            return found

    def read(self, count: int, offset: int = 0) -> bytes:
        """The bytes of the file from *offset* on."""
        return os.pread(self._descriptor, count, offset)

    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    def has_its_name(self) -> bool:
        """Whether the path still leads to the file."""
        try:
            found = os.stat(self._name)  # noqa: PTH116 - as fast as can be: three for each commit
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._key

    def release(self) -> None:
        """One user has gone."""
        with self._lock:
            self._users -= 1
            if not self._users:
                del self._all[self._key]
                os.close(self._descriptor)
