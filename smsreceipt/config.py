"""The configuration file: TOML that changes defaults and nothing else. The command line is its only reader."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from smsreceipt.errors import UsageError

FILE = "smsreceipt.toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}", re.ASCII)  #: of queues and of message types
ENDPOINTS = ("mns", "dybaseapi", "dysmsapi")


class Key(Protocol):
    """What a key sets, and what is wrong with a value."""

    name: str

    def fault(self, value: object) -> str | None:
        """What is wrong with the value, if anything is."""


#: What a file may hold: a key, or a table whose keys are looked up when the file has it.
Schema = Mapping[str, Key | Callable[[], Any]]


@dataclass(frozen=True, slots=True)
class Config:
    """What one file says, checked. Without a file: nothing."""

    path: Path | None = None
    common: Mapping[str, Any] = field(default_factory=dict)  #: by the names of the options' parameters
    commands: Mapping[str, Any] = field(default_factory=dict)  #: a table per command; groups hold tables
    queues: Mapping[str, str] = field(default_factory=dict)  #: queue name -> message type
    endpoints: Mapping[str, str] = field(default_factory=dict)  #: mns, dybaseapi, dysmsapi

    def defaults(self, command: tuple[str, ...]) -> dict[str, Any]:
        """The defaults of one command, by parameter, the common options among them."""
        table: Mapping[str, Any] = self.commands
        for word in command:
            table = table.get(word, {})
        return {**self.common, **table}


def directory() -> Path:
    """The platform's directory for our configuration."""
    import platformdirs

    return platformdirs.user_config_path("smsreceipt", appauthor=False)


def find() -> Path | None:
    """The file that counts where none is named: ./smsreceipt.toml, else the platform's; None when neither is there."""
    here = Path(FILE)
    if here.exists():
        return here
    there = directory() / FILE
    return there if there.exists() else None


def load(path: Path, schema: Schema) -> Config:
    """What *path* says. Raises UsageError that names the file and the key when it cannot be read or is not right."""
    document = _read(path)
    queues = _texts(document.pop("queues", {}), path, "queues", None)
    _check_queues(queues, path)
    endpoints = _texts(document.pop("endpoints", {}), path, "endpoints", ENDPOINTS)
    common: dict[str, Any] = {}
    commands: dict[str, Any] = {}
    for name, value in _checked(document, schema, path, "").items():
        (commands if isinstance(value, dict) else common)[name] = value
    return Config(path, common, commands, queues, endpoints)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_IWGRP | stat.S_IWOTH):  # /dev/null is anybody's, and says nothing
                raise UsageError(f"{path}: others may change this file", hint=f"Run: chmod go-w {path}")
            return tomllib.load(file)
    except OSError as exc:
        raise UsageError(f"{path}: {exc.strerror or 'cannot be read'}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{path}: {exc}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path}: not UTF-8") from exc


def _checked(table: dict[str, Any], schema: Schema, path: Path, prefix: str) -> dict[str, Any]:
    """The table with the names of parameters for the names of options."""
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
    import difflib

    near = difflib.get_close_matches(name.replace("_", "-"), [*schema, "queues", "endpoints"], 1)
    return f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(sorted(schema))}."


def _check_queues(queues: Mapping[str, str], path: Path) -> None:
    """Refuse what the queue service would take for something else, here where the file can be named."""
    for name, kind in queues.items():
        if not _NAME.fullmatch(name):
            raise UsageError(f"{path}: queues: {name!r} is no name of a queue: letters, digits, - and _")
        if not _NAME.fullmatch(kind):
            raise UsageError(f"{path}: queues.{name}: {kind!r} is no message type", hint="Such as SmsReport.")


def _texts(table: object, path: Path, name: str, known: tuple[str, ...] | None) -> dict[str, str]:
    """A table of non-empty texts, its keys among *known* where that is given."""
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name}: must be a table")
    for key, value in table.items():
        if known is not None and key not in known:
            raise UsageError(f"{path}: unknown key: {name}.{key}", hint=f"Known here: {', '.join(known)}.")
        if not isinstance(value, str) or not value:
            raise UsageError(f"{path}: {name}.{key}: must be a text")
    return dict(table)
