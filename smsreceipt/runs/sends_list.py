"""Recognises tables that were given to replay: a list of sends, and receipts as CSV."""

from __future__ import annotations

import csv
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


def is_csv_of_receipts(piece: Piece) -> bool:
    """Whether an input begins with the heading of a CSV that list or export has made; replay reads their JSON."""
    from smsreceipt.output.objects.receipts import RECEIPTS

    line = piece.text[:_BYTES].decode("utf-8", "replace").lstrip("\ufeff").splitlines()[:1]
    names = [name.strip() for name in next(csv.reader(line), [])]
    return len(names) > 1 and any({*names} <= {*RECEIPTS.titles(chinese=chinese)} for chinese in (False, True))


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
