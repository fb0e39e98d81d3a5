"""The configuration file: TOML with defaults of options, queues and endpoints."""

from __future__ import annotations

import codecs
import os
import re
import shlex
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model import nearest, visible
from smsreceipt.permissions import unusable

FILE = "smsreceipt.toml"
MAX_BYTES = 1 << 20  #: of a configuration file; a longer one is refused
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}", re.ASCII)  #: of queues and of message types
#: Services --> an endpoint outside mainland China where there is one, as an example.
ENDPOINTS = {
    "mns": "1493622401794734.mns.ap-southeast-1.aliyuncs.com",
    "dybaseapi": "dybaseapi.ap-southeast-1.aliyuncs.com",
    "dysmsapi": "dysmsapi.ap-southeast-1.aliyuncs.com",
    "dyplsapi": "dyplsapi.aliyuncs.com",
}


class Check(Protocol):
    """Checks the value of a key."""

    name: str  #: of the parameter that the key sets

    def fault(self, value: object) -> str | None:
        """What is wrong with the value; None for a valid one."""


#: The checks of the keys that a file may have, or functions that return the schema of a table.
Schema = Mapping[str, Check | Callable[[], Any]]


class Config(msgspec.Struct, frozen=True):
    """The content of a valid configuration file; empty without a file."""

    path: Path | None = None
    common: Mapping[str, Any] = {}  #: by the names of parameters
    commands: Mapping[str, Any] = {}  #: by command; groups have a table for each command
    queues: Mapping[str, str] = {}  #: queue name -> message type
    endpoints: Mapping[str, str] = {}  #: mns, dybaseapi, dysmsapi, dyplsapi
    proxy: str | None = None  #: for calls to the provider; empty: none; None: the environment decides

    def defaults(self, command: tuple[str, ...], like: str = "") -> dict[str, Any]:
        """The defaults of all options of a command by the names of their parameters.

        *like*: a command whose table tells what the command's own does not.
        """
        return {**self.common, **(self.table((like,)) if like else {}), **self.table(command)}

    def table(self, command: tuple[str, ...]) -> Mapping[str, Any]:
        """The defaults of the command's own options by the names of their parameters."""
        table: Mapping[str, Any] = self.commands
        for word in command:
            table = table.get(word, {})
        return table


def directory() -> Path | None:
    """The directory for configuration files of this platform; None where the user has no home directory."""
    return _of_user("user_config_path")


def data_directory() -> Path | None:
    """The directory for the data of programs of this platform; None where the user has no home directory."""
    return _of_user("user_data_path")


def store_directory() -> Path:
    """Where the store is unless told. Raises UsageError for a user without a home directory."""
    if found := data_directory():
        return found
    raise UsageError(
        _("there is no place for the store: this user has no home directory"),
        hint=_("Name a file: --store FILE or SMSRECEIPT_STORE; or set HOME."),
    )


def home_directory() -> Path:
    """The home directory; the root directory where the user has none: no HOME, no entry in the table of users."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def cache_directory() -> Path | None:
    """The directory for what can be made again, of this platform; None where the user has no home directory."""
    return _of_user("user_cache_path")


def _of_user(what: str) -> Path | None:
    import platformdirs

    try:
        found: Path = getattr(platformdirs, what)("smsreceipt", appauthor=False)
    except RuntimeError:  # platformdirs from 4.10 on: there is no home directory
        return None
    if not found.is_absolute():  # older ones leave "~/…" as it is
        return None
    # Containers give a user whom no table names the root directory for a home.
    return None if found.parts[1] in {".cache", ".config", ".local", "Library"} else found


def expanded(name: str) -> Path:
    """The path *name*, with ~ for the home of a user; the ~ of an unknown user stays as it is."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 - Path.expanduser raises RuntimeError for an unknown user


def find() -> Path | None:
    """The default file: ./smsreceipt.toml, else that in directory(); None if there is neither."""
    here, folder = Path(FILE), directory()
    if _exists(here):
        return here
    return folder / FILE if folder and _exists(folder / FILE) else None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as exc:  # a folder above may not be entered
        raise unusable(f"{path}", exc, path) from exc


def load(path: Path, schema: Schema) -> Config:
    """The configuration in a file. Raises UsageError, which names file and key, if it is not readable or not valid."""
    document = _read(path)
    queues = _queues(_texts(document.pop("queues", {}), path, "queues", None), path)
    endpoints = _texts(document.pop("endpoints", {}), path, "endpoints", [*ENDPOINTS])
    proxy = _proxy(document, path)
    common: dict[str, Any] = {}
    commands: dict[str, Any] = {}
    for name, value in _checked(document, schema, path, "").items():
        (commands if isinstance(value, dict) else common)[name] = value
    return Config(path, common, commands, queues, endpoints, proxy)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(_bytes(path).removeprefix(codecs.BOM_UTF8).decode("utf-8"))
    except FileNotFoundError as exc:
        hint = _("To make one: smsreceipt config init --config {file}", file=shlex.quote(f"{path}"))
        raise unusable(f"{path}", exc, path, hint=hint) from exc
    except OSError as exc:
        raise unusable(f"{path}", exc, path) from exc
    except UnicodeDecodeError as exc:
        raise UsageError(_("{file}: not UTF-8", file=path), hint=_("Save it as UTF-8.")) from exc
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(_("{what}: {reason}", what=path, reason=exc)) from exc
    except RecursionError as exc:
        raise UsageError(_("{file}: arrays or tables are nested too deeply", file=path)) from exc
    except ValueError as exc:  # an integer with more digits than Python converts
        raise _too_large(path) from exc
    _refuse_large_integers(document, path)
    return document


def _bytes(path: Path) -> bytes:
    """At most MAX_BYTES of the file; never waits for a writer of a pipe. Raises OSError and UsageError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            raise UsageError(
                _("{file} is no regular file", file=path), hint=_("Write the configuration to a file and name that.")
            )
        if stat.S_ISREG(mode) and mode & (stat.S_IWGRP | stat.S_IWOTH):  # /dev/null is writable by all, and empty
            raise UsageError(
                _("{file}: others may change this file", file=path), hint=_("Run: chmod go-w {file}", file=path)
            )
        text = b""
        while block := file.read(MAX_BYTES + 1 - len(text)):
            text += block
        if len(text) > MAX_BYTES:
            raise UsageError(
                _("{file} is larger than {limit:,} bytes", file=path, limit=MAX_BYTES),
                hint=_("Is it a configuration file?"),
            )
        return text


def _too_large(path: Path) -> UsageError:
    return UsageError(_("{file}: an integer is too large: TOML has 64 bits for it", file=path))


def _refuse_large_integers(value: object, path: Path) -> None:
    """Raise UsageError for an integer that 64 bits cannot hold: TOML promises no more."""
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            _refuse_large_integers(member, path)
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise _too_large(path)


def _checked(table: dict[str, Any], schema: Schema, path: Path, prefix: str) -> dict[str, Any]:
    """The valid values by the names of parameters."""
    result: dict[str, Any] = {}
    for name, value in table.items():
        known = schema.get(name)
        if known is None:
            raise UsageError(_("{file}: unknown key: {key}", file=path, key=prefix + name), hint=_near(name, schema))
        if callable(known):
            if not isinstance(value, dict):
                raise UsageError(_("{file}: {key}: must be a table", file=path, key=prefix + name))
            result[name] = _checked(value, known(), path, f"{prefix}{name}.")
        else:
            fault = known.fault(value)
            if fault:
                raise UsageError(_("{file}: {key}: {fault}", file=path, key=prefix + name, fault=fault))
            result[known.name] = value
    return result


def _near(name: str, schema: Schema) -> str:
    near = nearest(name, [*schema, "queues", "endpoints", "proxy"])
    if near:
        return _("Did you mean {name}?", name=near)
    return _("Known here: {names}.", names=", ".join(sorted(schema)))


def _queues(table: Mapping[str, str], path: Path) -> dict[str, str]:
    """The queues and their message types, without blanks and invisible characters around them.

    Raises UsageError for a name that the queue service does not accept, and for a queue with two message types.
    """
    queues: dict[str, str] = {}
    for name, kind in ((visible(name), visible(kind)) for name, kind in table.items()):
        if not _NAME.fullmatch(name):
            raise UsageError(
                _("{file}: queues: {name!r} is no name of a queue: letters, digits, - and _", file=path, name=name)
            )
        if not _NAME.fullmatch(kind):
            raise UsageError(
                _("{file}: queues.{name}: {kind!r} is no message type", file=path, name=name, kind=kind),
                hint=_("Such as SmsReport."),
            )
        if queues.setdefault(name, kind) != kind:
            raise UsageError(
                _(
                    "{file}: queues.{name}: given twice, as {one} and as {other}",
                    file=path,
                    name=name,
                    one=queues[name],
                    other=kind,
                )
            )
    return queues


def _proxy(document: dict[str, Any], path: Path) -> str | None:
    """Take the key `proxy` out of the document; None where it is absent."""
    found = document.pop("proxy", None)
    if found is None or isinstance(found, str):
        return found
    raise UsageError(_("{file}: {key}: must be a text", file=path, key="proxy"))


def _texts(table: object, path: Path, name: str, known: Sequence[str] | None) -> dict[str, str]:
    """A table of non-empty texts; its keys must be in *known*, if that is given."""
    if not isinstance(table, dict):
        raise UsageError(_("{file}: {key}: must be a table", file=path, key=name))
    for key, value in table.items():
        if known is not None and key not in known:
            raise UsageError(
                _("{file}: unknown key: {key}", file=path, key=f"{name}.{key}"),
                hint=_("Known here: {names}.", names=", ".join(known)),
            )
        if not isinstance(value, str) or not value:
            raise UsageError(_("{file}: {key}: must be a text", file=path, key=f"{name}.{key}"))
    return dict(table)
