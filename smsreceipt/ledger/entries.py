"""Reads one list of sends: detects its format and yields an entry for each send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from itertools import chain, islice
from typing import BinaryIO, NamedTuple

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.ledger.cells import InvalidValue, cell
from smsreceipt.ledger.logs import Logs, items
from smsreceipt.ledger.objects import Objects, in_log_line
from smsreceipt.ledger.refusals import refused, refused_by_code
from smsreceipt.ledger.rows import Table, Wanted, csv_table, extractor, left_out, says_nothing, sheet_table
from smsreceipt.ledger.sheets import sheets
from smsreceipt.ledger.text import is_sheet, lines, unpacked
from smsreceipt.ledger.values import RawSend, digits_of, send_of
from smsreceipt.model import Send

_LOG_WITHIN = 20  # lines in which a log has its first object
_CLOCK = re.compile(r"\d\d:\d\d")
_LOG_LINE = re.compile(
    r"\W*\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR)\b", re.IGNORECASE
)
_JSON = re.compile(r"\s*(?:\{|\[\s*(?:[{\]]|$))")


class BadRow(NamedTuple):
    """A row that is no valid send, and why; the reason quotes nothing from it."""

    line: int  #: the first of the row, counted from 1
    reason: str


class Declined(NamedTuple):
    """A number in a request that the provider did not accept, so nothing was sent to it."""

    line: int


class Skipped(NamedTuple):
    """A line without a send: a total, or a line of a log about something else."""

    line: int


Entry = Send | BadRow | Declined | Skipped


@dataclass(frozen=True, slots=True)
class Form:
    """What the reader of a list cannot detect by itself."""

    names: Mapping[str, str] = field(default_factory=dict)  #: field -> the name of its column
    day: int | None = None  #: Beijing day of the rows without a time
    encoding: str | None = None  #: None: UTF-8, UTF-16 by its mark, or GB18030, as the lines tell
    zone: tzinfo | None = None  #: of the times without an offset; None: Beijing
    tell: Callable[[str], None] | None = None  #: is told of columns that no field is taken from

    @property
    def wanted(self) -> Wanted:
        """What the heading of a table needs."""
        fields = ("phone", "biz_id") if self.day is not None else ("phone", "biz_id", "sent_at")
        return Wanted((*fields, *(name for name in self.names if name not in fields)), self.names)


def entries(stream: BinaryIO, form: Form = Form()) -> Iterator[Entry]:
    """Yield the entries of *stream* while reading it: CSV or .xlsx with a heading, JSON, or a log; plain or gzipped.

    Raises UsageError for a list that cannot be read at all.
    """
    opened = unpacked(stream)
    if is_sheet(opened):
        yield from _from_sheets(opened, form)
        return
    text = lines(opened, form.encoding)
    number, first = next(((n, line) for n, line in enumerate(text, 1) if line.strip()), (0, ""))
    if not first:
        return
    if "\0" in first:
        raise UsageError(_("the list is not UTF-8, but likely UTF-16"), hint=_("Say --encoding utf-16."))
    ahead = [first]
    if _JSON.match(first):
        yield from _from_objects(chain(ahead, text), number, form, log=False)
        return
    if "{" in first or _is_text(first):
        ahead += islice(text, _LOG_WITHIN)
    if any(map(in_log_line, ahead)) and not _names_columns(ahead, form):
        yield from _from_objects(chain(ahead, text), number, form, log=True)
    else:
        try:
            table = csv_table(chain(ahead, text), number, form.wanted)
        except UsageError as exc:
            _refuse_other_formats(first)
            if _LOG_LINE.match(first):
                raise _log_without_objects() from exc
            raise
        yield from _from_table(table, form)


def _refuse_other_formats(first: str) -> None:
    """Raise UsageError where the first line shows that the list is no table."""
    if re.match(r"\ufeff?\s*<(?:[!?a-z])", first, re.IGNORECASE):
        raise UsageError(
            _("the list is a web page or XML, whatever its name says"),
            hint=_("Open it with a spreadsheet program, and save it as .xlsx or as CSV (UTF-8)."),
        )
    if re.match(r"\s*(?:insert\s+into|create\s+table|drop\s+table|-- [\w ]+ dump)\b|/\*|--\s*$", first, re.IGNORECASE):
        raise UsageError(
            _("the list is SQL, not a table"), hint=_("Export the rows of the table as CSV with a heading.")
        )


def _log_without_objects() -> UsageError:
    return UsageError(
        _("the list is a log, and no JSON is in its first lines"),
        hint=_("Log the request of SendSms and its answer as JSON, or make a table with a heading of the log."),
    )


def _is_text(line: str) -> bool:
    """Whether a line is no row of names, so that the next ones must tell what the list is."""
    return not any(delimiter in line for delimiter in ",;\t|") or bool(
        re.match(r"\W*\d{4}-\d\d-\d\d|.*\d\d:\d\d", line)
    )


def _names_columns(ahead: list[str], form: Form) -> bool:
    try:
        csv_table(iter(ahead), 1, form.wanted)
    except UsageError:
        return False
    return True


def _from_sheets(stream: BinaryIO, form: Form) -> Iterator[Entry]:
    """The entries of every sheet that has a heading."""
    failure, found = None, False
    for _sheet, rows in sheets(stream):
        try:
            table = sheet_table(rows, form.wanted)
        except UsageError as exc:
            failure = failure or exc
        else:
            found = True
            yield from _from_table(table, form)
    if failure and not found:
        raise failure


def _tell_left_out(table: Table, form: Form) -> None:
    if form.tell is not None and (said := left_out(table)):
        form.tell(said)


def _from_table(table: Table, form: Form) -> Iterator[Entry]:
    extract, width = extractor(table.places), len(table.names)
    day, zone = form.day, form.zone
    _tell_left_out(table, form)
    needed = 1 + max(table.places[name] for name in form.wanted.fields)
    for line, row in table.rows:
        if row is None:
            yield BadRow(line, _("a quoted field that does not end where a field ends"))
            continue
        count = len(row)
        if count == width:
            row.append("")  # for columns that are absent
        elif count < width:
            row.extend([""] * (width + 1 - count))
        elif any(map(str.strip, row[width:])):
            yield Skipped(line) if says_nothing(row) else BadRow(line, _("more columns than the header has"))
            continue
        raw = extract(row)
        if raw.biz_id and not raw.code and raw.phone.isdigit():  # almost every row
            try:
                yield send_of(raw, day, zone, serials=True)
                continue
            except InvalidValue:
                pass
        fields = zip(table.names, row, strict=False)
        for entry in _entries_of(raw, line, form, partial(refused, fields), serials=True):
            if isinstance(entry, BadRow) and says_nothing(row):
                if any(row):
                    yield Skipped(line)
            elif isinstance(entry, BadRow) and count < needed:
                yield BadRow(line, _("fewer columns than the header has"))
            else:
                yield entry


def _from_objects(text: Iterator[str], first: int, form: Form, *, log: bool) -> Iterator[Entry]:
    logs = Logs(form.names)
    for found in Objects(log=log).read(text, first):
        if found.value is None:
            yield BadRow(found.line, found.reason)
            continue
        if not isinstance(found.value, dict):
            yield BadRow(found.line, _("not a JSON object"))
            continue
        for row in logs.rows(found.value):
            refuses = row.refused
            if log and not ({"biz_id", "phone"} & row.found.keys()) and not refuses():
                yield Skipped(found.line)
                continue
            try:
                raws = row.sends(found.time)
            except InvalidValue as exc:
                yield BadRow(found.line, str(exc))
                continue
            for raw in raws:
                yield from _entries_of(raw, found.line, form, refuses, serials=False)


def _entries_of(
    raw: RawSend, line: int, form: Form, refuses: Callable[[], bool], *, serials: bool
) -> Iterator[Send | BadRow | Declined]:
    """The entries of a row, one for each number in it. The one rule for every format.

    *refuses* looks at the fields beside those of a send, *serials* are the days of a spreadsheet.
    """
    phone, code = raw.phone, cell(raw.code) if raw.code else ""
    try:
        phones = [phone] if phone.isdigit() else items(digits_of("phone", cell(phone))) or [""]
    except InvalidValue as exc:
        yield BadRow(line, str(exc))
        return
    if refused_by_code(code) or (not cell(raw.biz_id) and refuses()):
        for _each in phones:
            yield Declined(line)
        return
    for each in phones:
        try:
            yield send_of(raw if each is phone else raw._replace(phone=each), form.day, form.zone, serials=serials)
        except InvalidValue as exc:
            yield BadRow(line, str(exc))
