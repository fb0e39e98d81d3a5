"""The configuration file: TOML with defaults of options, queues and endpoints."""

from __future__ import annotations

import codecs
import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from smsreceipt.errors import UsageError
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


_TOO_LARGE = "an integer is too large: TOML has 64 bits for it"


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
        "there is no place for the store: this user has no home directory",
        hint="Name a file: --store FILE or SMSRECEIPT_STORE; or set HOME.",
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
    except OSError as exc:
        raise unusable(f"{path}", exc, path) from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path}: not UTF-8", hint="Save it as UTF-8.") from exc
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{path}: {exc}") from exc
    except RecursionError as exc:
        raise UsageError(f"{path}: arrays or tables are nested too deeply") from exc
    except ValueError as exc:  # an integer with more digits than Python converts
        raise UsageError(f"{path}: {_TOO_LARGE}") from exc
    _refuse_large_integers(document, path)
    return document


def _bytes(path: Path) -> bytes:
    """At most MAX_BYTES of the file; never waits for a writer of a pipe. Raises OSError and UsageError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            raise UsageError(f"{path} is no regular file", hint="Write the configuration to a file and name that.")
        if stat.S_ISREG(mode) and mode & (stat.S_IWGRP | stat.S_IWOTH):  # /dev/null is writable by all, and empty
            raise UsageError(f"{path}: others may change this file", hint=f"Run: chmod go-w {path}")
        text = b""
        while block := file.read(MAX_BYTES + 1 - len(text)):
            text += block
        if len(text) > MAX_BYTES:
            raise UsageError(f"{path} is larger than {MAX_BYTES:,} bytes", hint="Is it a configuration file?")
        return text


def _refuse_large_integers(value: object, path: Path) -> None:
    """Raise UsageError for an integer that 64 bits cannot hold: TOML promises no more."""
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            _refuse_large_integers(member, path)
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise UsageError(f"{path}: {_TOO_LARGE}")


def _checked(table: dict[str, Any], schema: Schema, path: Path, prefix: str) -> dict[str, Any]:
    """The valid values by the names of parameters."""
    result: dict[str, Any] = {}
    for name, value in table.items():
        known = schema.get(name)
        if known is None:
            raise UsageError(f"{path}: unknown key: {prefix}{name}", hint=_near(name, schema))
        if callable(known):
            if not isinstance(value, dict):
                raise UsageError(f"{path}: {prefix}{name}: must be a table")
            result[name] = _checked(value, known(), path, f"{prefix}{name}.")
        else:
            fault = known.fault(value)
            if fault:
                raise UsageError(f"{path}: {prefix}{name}: {fault}")
            result[known.name] = value
    return result


def _near(name: str, schema: Schema) -> str:
    near = nearest(name, [*schema, "queues", "endpoints", "proxy"])
    return f"Did you mean {near}?" if near else f"Known here: {', '.join(sorted(schema))}."


def _queues(table: Mapping[str, str], path: Path) -> dict[str, str]:
    """The queues and their message types, without blanks and invisible characters around them.

    Raises UsageError for a name that the queue service does not accept, and for a queue with two message types.
    """
    queues: dict[str, str] = {}
    for name, kind in ((visible(name), visible(kind)) for name, kind in table.items()):
        if not _NAME.fullmatch(name):
            raise UsageError(f"{path}: queues: {name!r} is no name of a queue: letters, digits, - and _")
        if not _NAME.fullmatch(kind):
            raise UsageError(f"{path}: queues.{name}: {kind!r} is no message type", hint="Such as SmsReport.")
        if queues.setdefault(name, kind) != kind:
            raise UsageError(f"{path}: queues.{name}: given twice, as {queues[name]} and as {kind}")
    return queues


def _proxy(document: dict[str, Any], path: Path) -> str | None:
    """Take the key `proxy` out of the document; None where it is absent."""
    found = document.pop("proxy", None)
    if found is None or isinstance(found, str):
        return found
    raise UsageError(f"{path}: proxy: must be a text")


def _texts(table: object, path: Path, name: str, known: Sequence[str] | None) -> dict[str, str]:
    """A table of non-empty texts; its keys must be in *known*, if that is given."""
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name}: must be a table")
    for key, value in table.items():
        if known is not None and key not in known:
            raise UsageError(f"{path}: unknown key: {name}.{key}", hint=f"Known here: {', '.join(known)}.")
        if not isinstance(value, str) or not value:
            raise UsageError(f"{path}: {name}.{key}: must be a text")
    return dict(table)
