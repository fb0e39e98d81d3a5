"""Parses the fields of a send. A field that cannot be parsed raises InvalidValue with a reason; nothing is guessed.

A reason never quotes the field, which may be a phone number.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import lru_cache
from typing import NamedTuple

from smsreceipt.language import N_, _
from smsreceipt.ledger.cells import InvalidValue, are_plain_ids, cell, is_plain, shared_cell, whole_number
from smsreceipt.ledger.times import quick_moment
from smsreceipt.model import Send, billed_parts, narrow, normalise_phone, visible

_MAX_LENGTH = 256  # characters; an OutId has fewer
_MAX_PARTS = 1_000
_NUMBER = re.compile(r"[1-9]\d{4,19}", re.ASCII)
UNDECODABLE = re.compile("[\ud800-\udfff\ufffd]")  # what decoding makes of bytes that are invalid in the encoding
WRONG_ENCODING = N_("not in the encoding that was named (UTF-8 unless --encoding says otherwise)")
NO_TIME = N_("no send time: name its column with --map sent_at=COLUMN, or say --date")


class RawSend(NamedTuple):
    """The fields of one send as text, not parsed yet; "" where a field is absent."""

    phone: str = ""
    biz_id: str = ""
    sent_at: str = ""
    out_id: str = ""
    template_code: str = ""
    sign_name: str = ""
    parts: str = ""
    content: str = ""
    code: str = ""


def send_of(raw: RawSend, day: int | None, zone: tzinfo | None = None, *, serials: bool = False) -> Send:
    """Parse a send. Raises InvalidValue.

    *day* (Beijing, since 1970-01-01) is for rows without a time; *zone* for times without an offset. *serials*: times
    may be days of a spreadsheet.
    """
    phone, biz_id, sent_at, out_id, template, sign, parts, content, _code = raw
    ids = f"{biz_id} {out_id}"
    if len(ids) > _MAX_LENGTH or not are_plain_ids(ids):
        if not is_plain(biz_id):
            biz_id = digits_of("biz_id", cell(narrow(biz_id)))
        if not biz_id:
            raise InvalidValue(_("no BizId"))
        if out_id and not is_plain(out_id):
            out_id = digits_of("out_id", cell(out_id))
        _require_storable(biz_id, out_id)
    if template or sign:
        template, sign = _shared(template, sign)
    if content and UNDECODABLE.search(content):
        raise InvalidValue(_(WRONG_ENCODING))
    if sent_at and (sent_at[0] in "123456789" or (sent_at := cell(sent_at))):
        try:
            on, at = quick_moment(sent_at, zone, serials=serials)
        except InvalidValue as exc:
            raise InvalidValue(f"sent_at: {exc}") from exc
    elif day is None:
        raise InvalidValue(_(NO_TIME))
    else:
        on, at = day, None
    count = _parts(shared_cell(parts), content, sign) if parts or content else None
    if not (len(phone) == 11 and phone[0] == "1" and phone.isascii() and phone.isdigit()):
        phone = number_of(phone)
    return Send(phone, biz_id, on, at, out_id, template, sign, count)


def digits_of(field: str, text: str) -> str:
    """As whole_number; the reason of InvalidValue names the *field*, as --map names it."""
    try:
        return whole_number(text)
    except InvalidValue as exc:
        raise InvalidValue(f"{field}: {exc}") from None


def _require_storable(*texts: str) -> None:
    for text in texts:
        if len(text) > _MAX_LENGTH:
            raise InvalidValue(_("a field is too long"))
        if UNDECODABLE.search(text):
            raise InvalidValue(_(WRONG_ENCODING))
        if "\0" in text:
            raise InvalidValue(_("a NUL in a field"))


@lru_cache(maxsize=4096)
def _shared(template: str, sign: str) -> tuple[str, str]:
    """The template's code and the signature, which many rows share. Raises InvalidValue."""
    template, sign = cell(template), cell(sign)
    _require_storable(template, sign)
    return template, sign


def number_of(text: str) -> str:
    """A phone number as receipts have it. Raises InvalidValue."""
    phone = normalise_phone(text)
    if not _NUMBER.fullmatch(phone):
        phone = normalise_phone(whole_number(narrow(cell(phone))))
    if not _NUMBER.fullmatch(phone):
        raise InvalidValue(_("not a phone number") if visible(phone) else _("no phone number"))
    return phone


def _parts(written: str, content: str, sign: str) -> int | None:
    """The billed parts as *written*, else those that *content* is billed as, else None."""
    if written:
        written = whole_number(narrow(written))
        if not (written.isascii() and written.isdigit() and 0 < int(written[:9]) <= _MAX_PARTS):
            raise InvalidValue(_("the number of parts is not a number from 1 to 1000"))
        return int(written)
    if not cell(content):
        return None
    signed = content.startswith("【") or content.endswith("】") or not sign
    brackets = 0 if sign.startswith("【") else 2
    return billed_parts(len(content) + (0 if signed else len(sign) + brackets))
