"""The values of the common options, and their origins."""

from __future__ import annotations

from typing import Any, NamedTuple


class Setting(NamedTuple):
    """The value of one common option."""

    value: Any
    origin: str  #: "option", "environment", a file's path, or "default"
    rank: int = 0  #: a setting with a higher rank replaces it; see cli.options


Settings = dict[str, Setting]  #: by the option's long name: store, profile, output, mask, …

LOG_JSON = "json"  #: the value of --log-format for JSON objects on standard error
