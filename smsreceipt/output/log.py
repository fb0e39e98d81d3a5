"""Messages on standard error as JSON objects, one a line, for programs that collect logs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from smsreceipt.language import is_chinese
from smsreceipt.model import Instant, iso_utc
from smsreceipt.output.mask import mask_numbers
from smsreceipt.output.safe import ACTIVE, json_escape

#: The closed list of events --> their level. A message is told by what it begins with; others name their event.
EVENTS = {
    "error": "error",
    "warning": "warning",
    "hint": "info",
    "message": "info",
    "summary": "info",
    "counters": "info",
    "traceback": "error",
}
_BEGINNING = re.compile(r"(error|warning|hint): ")
_LABELS = {"error": "错误：", "warning": "警告：", "hint": "提示："}
_NUMBER = re.compile(r"(0|[1-9]\d*)(\.\d+)?")


def labelled(text: str) -> str:
    """The message with "error: ", "warning: " or "hint: " at its beginning in the user's language."""
    found = _BEGINNING.match(text) if is_chinese() else None
    return _LABELS[found[1]] + text[found.end() :] if found else text


def log_line(text: str, at: Instant, event: str = "", fields: Mapping[str, object] | None = None) -> str:
    """One message as a JSON object with the keys at, level, event, message and fields; no line break in it.

    *event*: "" for a message whose beginning tells it. Phone numbers are masked.
    """
    found = _BEGINNING.match(text)
    if not event:
        event = found[1] if found else "message"
        text = text[found.end() :] if found else text
    record = {
        "at": iso_utc(at),
        "level": EVENTS[event],
        "event": event,
        "message": mask_numbers(text),
        "fields": {name: _value(value) for name, value in (fields or {}).items()},
    }
    return ACTIVE.sub(json_escape, json.dumps(record, ensure_ascii=False))


def _value(value: object) -> object:
    """A figure as a number, anything else as a text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = mask_numbers(str(value))
    return json.loads(text) if _NUMBER.fullmatch(text) else text
