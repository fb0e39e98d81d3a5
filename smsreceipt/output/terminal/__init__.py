"""Tables and screens for a terminal. The only package that uses rich; it never queries and never prints.

Everything here returns text for a :class:`Display`. Text from outside is escaped: it brings no markup, no control
characters and no links. Modules are imported on first use, so that JSON and CSV output never imports rich:
``terminal.status.status(facts, display)``.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smsreceipt.output.terminal import (
        alarms,
        check,
        codes,
        comparison,
        doctor,
        outages,
        rejects,
        replay,
        stats,
        status,
        store,
        table,
        timeline,
    )

    __all__ = [
        "alarms",
        "check",
        "codes",
        "comparison",
        "doctor",
        "outages",
        "rejects",
        "replay",
        "stats",
        "status",
        "store",
        "table",
        "timeline",
    ]


def __getattr__(name: str) -> ModuleType:
    if name.startswith("_"):
        raise AttributeError(name)
    return importlib.import_module(f"{__name__}.{name}")
