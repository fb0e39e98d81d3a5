"""Messages and past sends from NDJSON files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from smsreceipt.errors import UsageError
from smsreceipt.language import _, of_system
from smsreceipt.sandbox.sends import PastSend


class Line(msgspec.Struct):
    """One line of a file."""

    body: msgspec.Raw = msgspec.Raw()
    queue: str = ""
    kind: str = ""
    send: PastSend | None = None

    def __post_init__(self) -> None:
        if (self.send is None) != bool(self.body and (self.queue or self.kind)):
            raise ValueError("neither a message for a queue nor a send")


class Loaded(NamedTuple):
    """A message for a queue. Either the queue or the kind can be empty."""

    queue: str
    kind: str
    body: object  #: a str is the message text itself; anything else is sent as base64 of JSON


def read_lines(path: Path) -> Iterator[Loaded | PastSend]:
    """Yield the message or the past send of each line. Raises UsageError for a bad line or an unreadable file."""
    decode = msgspec.json.Decoder(Line).decode
    try:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                if text.strip():
                    try:
                        line = decode(text)
                        loaded = line.send or Loaded(line.queue, line.kind, msgspec.json.decode(line.body))
                    except ValueError as error:
                        raise UsageError(
                            _(
                                '{path}: line {number} is not {{"queue" or "kind": …, "body": …}} or {{"send": …}}',
                                path=path,
                                number=number,
                            )
                        ) from error
                    yield loaded
    except OSError as error:
        raise UsageError(_("{what}: {reason}", what=path, reason=of_system(error))) from error
