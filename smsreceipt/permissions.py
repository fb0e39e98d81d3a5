"""Why the system refuses a file, in words: whose it is, its mode, and who asks; reads what nobody else may read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from smsreceipt.errors import UsageError
from smsreceipt.language import _, of_system

_DENIED = {errno.EACCES, errno.EPERM}
_EFFECTIVE = os.access in os.supports_effective_ids


def why_denied(path: Path | str, *, write: bool = False, named: bool = False) -> str:
    """Who owns the file or folder that bars the way to *path*, its mode, and the user of this process.

    "" where rights are not the cause. *write*: the file is to be written, or made. *named*: name the file.
    """
    barrier = _barrier(Path(os.path.realpath(path)), write)
    if barrier is None:
        return ""
    found = barrier.stat()
    values = {"owner": _name(found.st_uid), "mode": f"{stat.S_IMODE(found.st_mode):04o}", "uid": os.geteuid()}
    if stat.S_ISDIR(found.st_mode):
        return _("the folder {path} belongs to {owner}, mode {mode}; you are uid {uid}", path=barrier, **values)
    if named:
        return _("its file {path} belongs to {owner}, mode {mode}; you are uid {uid}", path=path, **values)
    return _("it belongs to {owner}, mode {mode}; you are uid {uid}", **values)


def denied_hint(path: Path | str, option: str = "", *, write: bool = False) -> str:
    """What to do about it; "" where why_denied() is empty. *option*: the one that names another place."""
    barrier = _barrier(Path(os.path.realpath(path)), write)
    if barrier is None:
        return ""
    found = barrier.stat()
    is_folder = stat.S_ISDIR(found.st_mode)
    if found.st_uid == os.geteuid():
        rights = "rwx" if is_folder else "rw" if write else "r"
        return _("Give yourself the right: chmod u+{rights} {path}", rights=rights, path=barrier)
    owner = _name(found.st_uid)
    if is_folder:  # of the system perhaps: nobody is told to change its owner
        if option:
            return _("Run this as {owner}, or use a folder of your own with {option}.", owner=owner, option=option)
        return _("Run this as {owner}, or use a folder of your own.", owner=owner)
    return _(
        "Run this as {owner}, or have root give it to you: chown {uid} {path}",
        owner=owner,
        uid=os.geteuid(),
        path=barrier,
    )


def unusable(what: str, error: OSError, path: Path | str, *, write: bool = False, hint: str = "") -> UsageError:
    """The error for a file of the user: *what*, and whose it is where that is the cause, else the system's own words.

    *hint*: the next step where rights are not the cause.
    """
    why = why_denied(path, write=write) if error.errno in _DENIED else ""
    return UsageError(
        _("{what}: {reason}", what=what, reason=why or of_system(error)), hint=denied_hint(path, write=write) or hint
    )


def read_secret_file(path: Path) -> bytes:
    """The content of a file with secrets, at most 64 KiB. Raises UsageError, also where others can read it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(1 << 16)
    except OSError as exc:
        raise unusable(_("the secret file {path} cannot be read", path=path), exc, path) from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(_("others can read the secret file {path}", path=path), hint=f"chmod 600 {path}")
    return content


def _barrier(path: Path, write: bool) -> Path | None:
    """The outermost folder that must not be entered, else the file or the folder that must not be read or written."""
    nearest = Path(path.anchor)
    for folder in reversed(path.parents):
        if not folder.is_dir():
            break  # it is to be made, as the file
        if not _may(folder, os.X_OK):
            return folder
        nearest = folder
    if os.path.lexists(path) and not _may(path, os.R_OK | (os.W_OK if write else 0)):
        return path
    return nearest if write and not _may(nearest, os.W_OK) else None


def _may(place: Path, wanted: int) -> bool:
    """Whether this user has the rights; also where the system refuses for another cause, such as read-only media."""
    if os.access(place, wanted, effective_ids=_EFFECTIVE):
        return True
    if place.is_symlink():  # a real path that still is a link is a link to itself: no right of a user stands in the way
        return True
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        wanted &= ~os.W_OK
    found = place.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == os.geteuid():
        mode >>= 6
    elif found.st_gid in {os.getegid(), *os.getgroups()}:
        mode >>= 3
    return mode & wanted == wanted


def _name(uid: int) -> str:
    """The name of a user with its number; without a name where the system knows none."""
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
