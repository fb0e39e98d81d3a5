"""The common options as values: what each says, and where it was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of one common option, and where it came from, for `config show`."""

    value: Any
    origin: str  #: "option", "environment", a file's path, or "default"
    rank: int = 0


Settings = dict[str, Setting]  #: by the option's long name: store, profile, output, mask, …
