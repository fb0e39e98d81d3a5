"""The file of a store and its place: permissions, file systems that cannot lock, free space, identity."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from smsreceipt.errors import StoreUnavailable

#: SQLite cannot lock files safely on these.
_NETWORK = ("nfs", "cifs", "smb", "afs", "ncpfs", "9p", "fuse.sshfs", "fuse.s3fs", "ceph", "glusterfs")


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
        raise StoreUnavailable(f"the store {path} cannot be written: {exc.strerror}") from exc


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
    if kind.startswith(_NETWORK):
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


def size(path: Path) -> int:
    """Bytes in the file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
