"""The secrets in the paths of callback URLs, kept in a file that only its owner can read; created on first use."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import secrets
from pathlib import Path

from smsreceipt.errors import UsageError
from smsreceipt.folders import flush_folder
from smsreceipt.language import _
from smsreceipt.permissions import read_secret_file, unusable

_SHORTEST = 16
_SECRET = re.compile(r"[A-Za-z0-9._~-]+")
_HEAD = "# In the paths of the callback URLs. A new one goes above the others; an old one goes when it is out of use.\n"


class PushSecrets:
    """The secrets in a file, the current one first. A change of the file takes effect at the next refresh."""

    def __init__(self, path: Path) -> None:
        """Create the file (mode 0600, one secret of 128 bits) if there is none.

        Raises UsageError if it cannot be read, others can read it, or it holds anything but secrets.
        """
        self.path = path
        self.created = not _exists(path) and _create(path)  #: just now
        self._mark = _mark(path)
        self._secrets = _read(path)

    def __call__(self) -> tuple[bytes, ...]:
        """The valid secrets."""
        return self._secrets

    @property
    def current(self) -> str:
        """The one for new callback URLs."""
        return self._secrets[0].decode("ascii")

    def refresh(self) -> bool:
        """Read the file again if it has changed, and return whether it had.

        Raises UsageError like the constructor; the secrets read before stay valid then.
        """
        mark = _mark(self.path)
        if mark == self._mark:
            return False
        self._mark = mark
        self._secrets = _read(self.path)
        return True


def _mark(path: Path) -> tuple[int, ...]:
    """A value that differs after a change of the file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as exc:  # the name is too long, or a folder above may not be entered
        raise unusable(_("the secret file {path} cannot be read", path=path), exc, path) from exc


def _create(path: Path) -> bool:
    """Write a new file, complete and flushed to disk; return False if another process created one meanwhile."""
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
        raise unusable(_("the secret file {path} cannot be made", path=path), exc, path, write=True) from exc
    return True


def _flush(folder: Path) -> None:
    """Make the file's name survive a power cut, where the system can flush directories."""
    with contextlib.suppress(OSError):
        flush_folder(folder)


def _read(path: Path) -> tuple[bytes, ...]:
    text = read_secret_file(path).removeprefix(codecs.BOM_UTF8).decode("ascii", "replace")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        secret = line.strip()
        if not secret or secret.startswith("#"):
            continue
        if len(secret) < _SHORTEST or not _SECRET.fullmatch(secret):
            raise UsageError(
                _("line {number} of the secret file {path} is no secret for a path", number=number, path=path),
                hint=_("{number} letters and digits or more, a secret a line: openssl rand -hex 16", number=_SHORTEST),
            )
        found.append(secret.encode("ascii"))
    if not found:
        raise UsageError(
            _("the secret file {path} holds no secret", path=path), hint=_("Delete it, and a new one is made.")
        )
    return tuple(found)
