"""Messages and past sends from files, and how a receipt travels."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from smsreceipt.errors import UsageError
from smsreceipt.sandbox.sms.sends import PastSend


class Line(msgspec.Struct):
    """One line of a file to load."""

    body: msgspec.Raw = msgspec.Raw()
    queue: str = ""
    kind: str = ""
    send: PastSend | None = None

    def __post_init__(self) -> None:
        if (self.send is None) != bool(self.body and (self.queue or self.kind)):
            raise ValueError("neither a message for a queue nor a send")


class Loaded(NamedTuple):
    """A message for a queue; queue or kind may be empty, not both."""

    queue: str
    kind: str
    body: object  #: a text travels as it is


def lines_of(path: Path) -> Iterator[Loaded | PastSend]:
    """Yield what each line of an NDJSON file holds. Raises UsageError."""
    decode = msgspec.json.Decoder(Line).decode
    try:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                if text.strip():
                    try:
                        line = decode(text)
                        loaded = line.send or Loaded(line.queue, line.kind, msgspec.json.decode(line.body))
                    except ValueError as error:
                        message = f'{path}: line {number} is not {{"queue" or "kind": …, "body": …}} or {{"send": …}}'
                        raise UsageError(message) from error
                    yield loaded
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def encoded(receipt: object) -> bytes:
    """A receipt as it travels in a queue: compact UTF-8 JSON in base64."""
    text = json.dumps(receipt, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(text.encode("utf-8", "surrogatepass"))
