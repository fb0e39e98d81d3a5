"""How a receipt is encoded in a push and in a queue."""

from __future__ import annotations

import base64
import json


def compact_json(value: object) -> bytes:
    """*value* as compact JSON in UTF-8; lone surrogates are encoded too."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def queue_body(receipt: object) -> bytes:
    """A receipt as the text of a queue message: compact JSON in base64."""
    return base64.b64encode(compact_json(receipt))
