"""Recognises a list of sends that was given to replay instead of sends import."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

from smsreceipt.errors import UsageError
from smsreceipt.model import Delivery, Send

if TYPE_CHECKING:
    from smsreceipt.sources.files.reader import Piece

_LOOK_AT = 20  # payloads
_BYTES = 8192  # of a table, whose rows are cut into several payloads where a cell is JSON, as a number is
#: Fields that only receipts have; with one of them, a payload is a receipt that cannot be decoded.
_OF_RECEIPTS = (b"err_code", b"errcode", b"errorcode", b"report_time", b"reporttime", b"receivedate", b"receive_date")


def is_list_of_sends(piece: Piece) -> bool:
    """Whether the first payloads of an input hold no receipt, but are read as sends."""
    from smsreceipt.decode import decode

    if not piece.deliveries or any(decode(each).receipts for each in _first(piece)):
        return False
    sample = b"\n".join(frame for each in _first(piece) for frame in each.frames)
    beginning = piece.text[:_BYTES]
    told = (sample + beginning).lower()
    return not any(field in told for field in _OF_RECEIPTS) and (_has_sends(sample) or _has_sends(beginning))


def _first(piece: Piece) -> list[Delivery]:
    """The first payloads as deliveries."""
    first, left = [], _LOOK_AT
    for each in piece.deliveries:
        if left > 0:
            first.append(replace(each, frames=each.frames[:left], reached=None))
        left -= len(each.frames)
    return first


def _has_sends(sample: bytes) -> bool:
    from smsreceipt.ledger import Declined, Form, entries

    try:
        return any(isinstance(entry, Send | Declined) for entry in entries(BytesIO(sample), Form()))
    except UsageError:
        return False
