"""The secrets in the paths of callback URLs: a file that only its owner can read, made on first use."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path

from smsreceipt.errors import UsageError

_SHORTEST = 16
_SECRET = re.compile(r"[A-Za-z0-9._~-]+")
_HEAD = "# In the paths of the callback URLs. A new one goes above the others; an old one goes when it is out of use.\n"


class PushSecrets:
    """The secrets of a file, the current one first. A change of the file counts from the next refresh on."""

    def __init__(self, path: Path) -> None:
        """Make the file (0600, 128 bits) if there is none. Raises UsageError where it cannot be read or trusted."""
        self.path = path
        self.made = not _there(path) and _make(path)  #: by us, just now
        self._mark = _mark(path)
        self._secrets = _read(path)

    def __call__(self) -> tuple[bytes, ...]:
        """Those that count now."""
        return self._secrets

    @property
    def current(self) -> str:
        """The one for new callback URLs."""
        return self._secrets[0].decode("ascii")

    def refresh(self) -> bool:
        """Read the file again if it has changed; whether it did. Raises as at first; the old ones count on then."""
        mark = _mark(self.path)
        if mark == self._mark:
            return False
        self._mark = mark
        self._secrets = _read(self.path)
        return True


def _mark(path: Path) -> tuple[int, ...]:
    """Something else once the file has changed."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as exc:  # its name is too long, or a folder above it is closed to us
        raise UsageError(f"the secret file {path} cannot be read: {exc.strerror}") from exc


def _make(path: Path) -> bool:
    """Write a new file, whole and on disk, unless somebody is faster."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        for folder in (*reversed(path.parent.parents), path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{_HEAD}{secrets.token_hex(16)}\n".encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        _flush(path.parent)
    except OSError as exc:
        raise UsageError(f"the secret file {path} cannot be made: {exc.strerror}") from exc
    return True


def _flush(folder: Path) -> None:
    """Have the file's name survive a power cut, where directories can be flushed."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> tuple[bytes, ...]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(1 << 16).decode("ascii", "replace")
    except OSError as exc:
        raise UsageError(f"the secret file {path} cannot be read: {exc.strerror}") from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"others can read the secret file {path}", hint=f"chmod 600 {path}")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        secret = line.strip()
        if not secret or secret.startswith("#"):
            continue
        if len(secret) < _SHORTEST or not _SECRET.fullmatch(secret):
            raise UsageError(
                f"line {number} of the secret file {path} is no secret for a path",
                hint=f"{_SHORTEST} letters and digits or more, a secret a line: openssl rand -hex 16",
            )
        found.append(secret.encode("ascii"))
    if not found:
        raise UsageError(f"the secret file {path} holds no secret", hint="Delete it, and a new one is made.")
    return tuple(found)
