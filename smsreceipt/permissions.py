"""Why the system refuses a file, in words: whose it is, its mode, and who asks."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_DENIED = {errno.EACCES, errno.EPERM}


def why_denied(path: Path | str, *, write: bool = False) -> str:
    """Who owns the file or folder that bars the way to *path*, its mode, and the user of this process.

    "" where nothing on the way to *path* is barred. *write*: the file is to be written, or made.
    """
    barrier = _barrier(Path(os.path.realpath(path)), write)
    if barrier is None:
        return ""
    found = barrier.stat()
    what = "the folder" if stat.S_ISDIR(found.st_mode) else "it"
    named = f"{what} {barrier}" if what != "it" else what
    return f"{named} belongs to {_name(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):04o}; {_me()}"


def denied_hint(path: Path | str, *, write: bool = False) -> str:
    """What to do about it; "" where why_denied() is empty."""
    barrier = _barrier(Path(os.path.realpath(path)), write)
    if barrier is None:
        return ""
    owner = _name(barrier.stat().st_uid)
    return f"Run this as {owner}, or have root give it to you: chown {os.geteuid()} {barrier}"


def reason(error: OSError, path: Path | str, *, write: bool = False) -> str:
    """Why the system refused the file: whose it is where that is the cause, else the system's own words."""
    why = why_denied(path, write=write) if error.errno in _DENIED else ""
    return why or error.strerror or "it cannot be read"


def _barrier(path: Path, write: bool) -> Path | None:
    """The outermost folder that must not be entered, else the file or the folder that must not be read or written."""
    for folder in reversed(path.parents):
        if not folder.is_dir():
            return None  # there is nothing to own yet
        if not os.access(folder, os.X_OK, effective_ids=_EFFECTIVE):
            return folder
    if os.path.lexists(path):
        wanted = os.R_OK | (os.W_OK if write else 0)
        if not os.access(path, wanted, effective_ids=_EFFECTIVE):
            return path
    if write and path.parent.is_dir() and not os.access(path.parent, os.W_OK, effective_ids=_EFFECTIVE):
        return path.parent
    return None


_EFFECTIVE = os.access in os.supports_effective_ids


def _me() -> str:
    return f"you are uid {os.geteuid()}"


def _name(uid: int) -> str:
    """The name of a user with its number; without a name where the system knows none."""
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
