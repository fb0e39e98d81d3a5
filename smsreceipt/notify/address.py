"""Where a robot's address and secret come from: DINGTALK_URL of the environment, or a file of mode 0600.

`dingtalk:env:DINGTALK_URL` and `dingtalk:file:/etc/smsreceipt/dingtalk` name a text of one or two words: the URL, and
the secret that signs messages or the password of the mail account. Never the URL itself: other users of the machine can
see the arguments of its programs.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smsreceipt.errors import UsageError
from smsreceipt.language import _, listed
from smsreceipt.permissions import unusable

HIDDEN = ("dingtalk", "wecom", "feishu", "webhook", "mail", "apprise")  #: kinds whose address is a secret
COMMANDS = ("exec", "shell")  #: kinds that run a command
_LONGEST = 1 << 16
_WIDE_COLONS = re.compile(r"^\w+[:：](?:(?:env|file)[:：])?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """The kind of a robot and where its URL is; of exec and shell, the command."""

    kind: str
    place: str  #: "env", "file", or "" for a command
    what: str  #: the variable, the file or the command

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse KIND:env:VARIABLE, KIND:file:PATH, exec:COMMAND and shell:COMMAND.

        Raises UsageError, which quotes nothing of a text that may hold a secret.
        """
        kind, _colon, rest = _WIDE_COLONS.sub(lambda found: found[0].replace("：", ":"), text.strip()).partition(":")
        kind = kind.lower()
        if kind in COMMANDS:
            if not rest.strip():
                raise UsageError(
                    _("--notify {kind}: names no command", kind=kind),
                    hint=_("Such as {example}", example=f"{kind}:/usr/local/bin/page"),
                )
            return cls(kind, "", rest.strip())
        if kind not in HIDDEN:
            raise UsageError(
                _("--notify: there is no such kind of robot"),
                hint=_("Known are {kinds}; such as dingtalk:env:DINGTALK_URL", kinds=listed((*HIDDEN, *COMMANDS))),
            )
        place, _colon, what = rest.partition(":")
        if place == "env" and _VARIABLE.fullmatch(what):
            return cls(kind, place, what)
        if place == "file" and what:
            return cls(kind, place, what)
        raise UsageError(
            _("--notify {kind}: the address must not stand here, where other users can read it", kind=kind),
            hint=_("Put it into a variable, {kind}:env:NAME, or into a file of mode 0600, {kind}:file:PATH", kind=kind),
        )

    @property
    def name(self) -> str:
        """How messages call the robot; of a command only the program, because its arguments may be secret."""
        if self.place:
            return f"{self.kind}:{self.place}:{self.what}"
        return f"{self.kind}:{Path(self.what.split()[0]).name}"

    @property
    def key(self) -> str:
        """The name by which the store remembers what the robot was told."""
        return self.name if self.place else f"{self.name}:{hashlib.sha256(self.what.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Secret:
    """A URL and the secret that belongs to it; neither is ever printed."""

    url: str = field(repr=False)
    key: str = field(default="", repr=False)


def read(address: Address, environ: Mapping[str, str], home: Path) -> Secret:
    """The URL and the secret of a robot.

    Raises UsageError, which names the variable or the file, where there is none, or others can read the file.
    """
    if address.place == "env":
        text, where = environ.get(address.what, ""), address.what
    else:
        path = home / address.what[2:] if address.what.startswith("~/") else Path(address.what)
        text, where = _read(path), str(path)
    words = text.split()
    if not words or len(words) > 2 or not all(word.isprintable() for word in words):
        kind = address.kind
        if words:
            fault = _("--notify {kind}: {where} does not hold a URL and perhaps a secret", kind=kind, where=where)
        elif address.place == "env":
            fault = _("--notify {kind}: the variable {name} is not set", kind=kind, name=where)
        else:
            fault = _("--notify {kind}: the file {path} is empty", kind=kind, path=where)
        raise UsageError(fault, hint=_("Two words: the URL, and the secret if any."))
    return Secret(*words)


def _read(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            mode = os.fstat(descriptor).st_mode
            text = file.read(_LONGEST)
    except OSError as exc:
        what = _("--notify: {path} cannot be read", path=path)
        raise unusable(what, exc, path, hint=_("Write the robot's URL into it.")) from exc
    if not stat.S_ISREG(mode):
        raise UsageError(
            _("--notify: {path} is no regular file", path=path), hint=_("Write the URL of the robot into a file.")
        )
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(_("--notify: others can read {path}", path=path), hint=_("chmod 600 {path}", path=path))
    lines = text.decode("utf-8-sig", "replace").splitlines()
    return " ".join(line for line in lines if not line.lstrip().startswith("#"))
