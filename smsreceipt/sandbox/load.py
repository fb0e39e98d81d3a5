"""Messages from files, and how a receipt travels."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from smsreceipt.errors import UsageError


class Line(msgspec.Struct):
    """One line of a file to load."""

    body: msgspec.Raw
    queue: str = ""
    kind: str = ""

    def __post_init__(self) -> None:
        if not self.queue and not self.kind:
            raise ValueError("neither queue nor kind")


def lines_of(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield (queue, kind, message text) of an NDJSON file; queue or kind may be empty, not both. Raises UsageError."""
    decode = msgspec.json.Decoder(Line).decode
    try:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                if text.strip():
                    try:
                        line = decode(text)
                        yield line.queue, line.kind, body_of(line.body)
                    except ValueError as error:
                        message = f'{path}: line {number} is not {{"queue" or "kind": …, "body": …}}'
                        raise UsageError(message) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def body_of(raw: msgspec.Raw) -> bytes:
    """A line's body as message text: a text as it is, anything else as compact JSON in base64."""
    value = msgspec.json.decode(raw)
    if isinstance(value, str):
        return value.encode()
    return base64.b64encode(msgspec.json.encode(value))


def encoded(receipt: Mapping[str, object]) -> bytes:
    """A receipt as it travels in a queue: compact UTF-8 JSON in base64."""
    text = json.dumps(receipt, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(text.encode("utf-8", "surrogatepass"))
