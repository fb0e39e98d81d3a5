"""Links to recordings in the body of a call's report."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Links(NamedTuple):
    """Links to the recordings of one call; "" where the body has none."""

    call: str
    ring: str  #: of the tone before the call was answered


class _Body(msgspec.Struct):
    record_url: object = None
    ring_record_url: object = None


_body = msgspec.json.Decoder(_Body).decode


def links_in(body: bytes) -> Links:
    """The links in the body of a SecretReport, as they were received."""
    try:
        found = _body(body)
    except (msgspec.DecodeError, RecursionError):  # not one of ours: the store holds only objects
        return Links("", "")
    return Links(_text(found.record_url), _text(found.ring_record_url))


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) and value.strip().lower() not in {"null", "none", "-"} else ""
