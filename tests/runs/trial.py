"""An App made of buffers, a fixed clock and a store in a folder: runs are started with it, without a command line."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smsreceipt.app import App
from smsreceipt.config import Config
from smsreceipt.decode import decode
from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.settings import Setting
from tests.cli.program import NOW

KIND = Kind("SmsReport")


class Trial:
    """An App, and what it printed."""

    def __init__(self, folder: Path, *, stdin: bytes = b"", environ: Mapping[str, str] | None = None) -> None:
        self._out, self._err = io.BytesIO(), io.StringIO()
        self.app = App(dict(environ or {}), folder, io.BytesIO(stdin), self._out, self._err, now=lambda: NOW)
        self.set(store=str(folder / "receipts.db"), output="json")

    def set(self, **settings: object) -> None:
        """Set common options."""
        values = {name: Setting(value, "option") for name, value in settings.items()}
        self.app.configure({**self.app.settings, **values}, Config())

    def at(self, now: Instant) -> None:
        """Set the clock."""
        self.app.now = lambda: now

    def keep(self, *bodies: Mapping[str, object] | bytes, kind: str | None = KIND) -> None:
        """Store what these bodies hold."""
        frames = tuple(body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies)
        delivery = Delivery(frames, Kind(kind) if kind else None, Source.MNS, "queue", NOW)
        with self.app.open_store(readonly=False) as store:
            store.keep([decode(delivery)])

    @property
    def printed(self) -> list[dict[str, Any]]:
        """The objects on standard output."""
        return [json.loads(line) for line in self._out.getvalue().splitlines()]

    @property
    def messages(self) -> list[str]:
        """The lines on standard error."""
        return self._err.getvalue().splitlines()

    @property
    def summary(self) -> dict[str, str]:
        """The figures of the last line on standard error."""
        return dict(word.split("=") for word in self.messages[-1].split())
