"""One row of the table of dialects, and the reader that is compiled from it.

A dialect is a message type in one vocabulary. Rows are data, compiled once when the package is loaded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter

from msgspec import structs

from smsreceipt.decode.fields import digest_of, instant_of, never, nothing, phone_of, text_of, truth_of
from smsreceipt.decode.measures import Measure, reader_of
from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import Fields
from smsreceipt.model import Kind, Outcome, Reason, Receipt

Reader = Callable[[Fields, bytes], Receipt]
#: From the fields and the code: the outcome, and the seconds of a connected call.
Verdict = Callable[[Fields, str], tuple[Outcome | None, int | None]]


@dataclass(frozen=True, slots=True)
class Success:
    """A boolean decides the outcome; with a *doubtful* code, false means that the provider does not know."""

    field: str
    doubtful: frozenset[str]

    def verdict(self) -> Verdict:
        """Compile. The reader raises Refused where the boolean is missing or no boolean."""
        name, truth, doubtful = self.field, truth_of(self.field), self.doubtful
        delivered, failed, unknown = (Outcome.DELIVERED, None), (Outcome.FAILED, None), (Outcome.UNKNOWN, None)

        def read(fields: Fields, code: str) -> tuple[Outcome | None, int | None]:
            if fields.get(name) is True or truth(fields):
                return delivered
            return unknown if code in doubtful else failed

        return read


@dataclass(frozen=True, slots=True)
class Status:
    """A text or number decides the outcome; one not listed means *otherwise*, and goes into the receipt's detail."""

    field: str
    meanings: Mapping[str, Outcome]
    otherwise: Outcome | None = Outcome.UNKNOWN
    required: bool = True
    delivering: frozenset[str] = frozenset()  #: codes with which an outcome that is not final means a delivery
    #: Statuses that are pending without a code and without the field named here ("": whatever fields there are).
    open_without_code: Mapping[str, str] = dataclasses.field(default_factory=dict)
    by_code: Mapping[str, Outcome] = dataclasses.field(default_factory=dict)  #: where no status is listed

    def verdict(self) -> Verdict:
        """Compile. The reader raises Refused where a required status is missing."""
        text, meanings, delivering = text_of(self.field), self.meanings, self.delivering
        required, by_code, otherwise = self.required, self.by_code, self.otherwise
        without_code = self.open_without_code
        delivered, pending, unknown = Outcome.DELIVERED, Outcome.PENDING, Outcome.UNKNOWN

        def read(fields: Fields, code: str) -> tuple[Outcome | None, int | None]:
            status = text(fields)
            if required and not status:
                raise Refused(Reason.MISSING)
            if not code and status in without_code and not fields.get(without_code[status]):
                return pending, None
            outcome = meanings.get(status)
            if outcome is None:
                return by_code.get(code, otherwise), None
            return (delivered if code in delivering and outcome in (pending, unknown) else outcome), None

        return read

    def unlisted(self) -> Callable[[Fields], str]:
        """A reader of the status where no meaning is listed for it, else ""."""
        text, meanings = text_of(self.field), self.meanings
        return lambda fields: "" if (status := text(fields)) in meanings else status


@dataclass(frozen=True, slots=True)
class Talk:
    """A call was connected if it ended later than it was answered. The cause of its release decides nothing."""

    answered: str
    ended: str
    type: str = ""  #: the field with the type of the record
    no_calls: frozenset[str] = frozenset()  #: types of records that are about no call, and have no outcome

    def verdict(self) -> Verdict:
        """Compile. Without an end the outcome is unknown; without an answer the call was unconnected."""
        answered, ended = instant_of(self.answered), instant_of(self.ended)
        type_of, no_calls = self.type, self.no_calls

        unknown, unconnected = (Outcome.UNKNOWN, None), (Outcome.UNCONNECTED, None)

        def read(fields: Fields, _: str) -> tuple[Outcome | None, int | None]:
            type_ = fields.get(type_of)
            if type_ and str(type_) in no_calls:
                return None, None
            start, end = answered(fields), ended(fields)
            if end is None:
                return unknown
            return (Outcome.CONNECTED, (end - start) // 1000) if start is not None and end > start else unconnected

        return read


@dataclass(frozen=True, slots=True)
class Digest:
    """Fields that tell two statements apart, but are too long, or too private, to be part of a key."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One row: the fields that mark the dialect, and those that hold the parts of a receipt; "a|b" is either field."""

    name: str  #: also the directory of its golden pairs
    kind: Kind
    marks: tuple[str, ...]  #: an object is of this dialect when it has all of these fields …
    excludes: tuple[str, ...] = ()  #: … and none of these
    telling: tuple[str, ...] = ()  #: further marks that it must have where only its fields tell its kind
    identity: tuple[str, ...]
    optional: tuple[str, ...] = ()  #: parts of the identity that may be absent
    phone: str = ""
    biz_id: str = ""
    out_id: str = ""
    call_id: str = ""
    code: str = ""
    sent_at: str = ""
    reported_at: str = ""
    outcome: Success | Status | Talk | None = None
    detail: str | Digest = ""
    test: Mapping[str, str] = dataclasses.field(default_factory=dict)  #: what the console's "test push" sends
    measures: Mapping[str, Measure] = dataclasses.field(default_factory=dict)  #: for parts and numbers of Receipt
    #: Further documented fields, all texts; an object with any other field is read more slowly.
    also: tuple[str, ...] = ()

    def matcher(self, *, untold: bool = False) -> Callable[[Fields], bool]:
        """Compile the marks into a test of whether an object is of this dialect. *untold*: its kind is not known."""
        marks = self.marks + self.telling if untold else self.marks
        names = frozenset(spec for spec in marks if "|" not in spec)
        choices = [spec.split("|") for spec in marks if "|" in spec]
        denied = [name for spec in self.excludes for name in spec.split("|")]

        def fits(fields: Fields) -> bool:
            has = fields.keys()
            if not names <= has or not has.isdisjoint(denied):
                return False
            for choice in choices:  # noqa: SIM110 - a generator takes three times as long
                if has.isdisjoint(choice):
                    return False
            return True

        return fits if choices or denied else lambda fields: names <= fields.keys()

    def reader(self) -> Reader:
        """Compile the row. The reader returns a receipt, or raises Refused where identity or outcome cannot be read."""
        read, side = self._strict_reader(), self._side_readers()

        def lenient(fields: Fields, body: bytes) -> Receipt:
            try:
                return read(fields, body)
            except Refused:
                unread = tuple(name for name, reader in side if not _readable(reader, fields))
                if not unread:
                    raise
            receipt = read({name: value for name, value in fields.items() if name not in unread}, body)
            return structs.replace(receipt, outcome=self._doubted(receipt.outcome, unread), unread=unread)

        return lenient

    def _doubted(self, outcome: Outcome | None, unread: tuple[str, ...]) -> Outcome | None:
        """The outcome, or unknown where a time that decides it could not be read."""
        talk = self.outcome
        if isinstance(talk, Talk) and outcome is not None and {talk.answered, talk.ended} & set(unread):
            return Outcome.UNKNOWN
        return outcome

    def _side_readers(self) -> list[tuple[str, Callable[[Fields], object]]]:
        """A reader of each field that decides neither identity nor outcome, by its name."""
        decisive = set("|".join(self.identity).split("|"))
        texts = [self.biz_id, self.out_id, self.call_id, self.code]
        times = [self.sent_at, self.reported_at]
        if isinstance(self.outcome, Talk):
            times += [self.outcome.answered, self.outcome.ended]
        if isinstance(self.outcome, Status) and not self.outcome.required:
            texts.append(self.outcome.field)
        texts += self.detail.fields[:1] if isinstance(self.detail, Digest) and len(self.detail.fields) == 1 else ()
        texts += [self.detail] if isinstance(self.detail, str) else ()
        readers: dict[str, Callable[[Fields], object]] = {}
        for specs, reader in ((texts, text_of), ([self.phone], phone_of), (times, instant_of)):
            names = [name for name in "|".join(specs).split("|") if name and name not in decisive]
            readers |= {name: reader(name) for name in names}
        of_one = [measure for measure in self.measures.values() if len(measure.fields) == 1]
        readers |= {measure.fields[0]: reader_of(measure) for measure in of_one}
        return list(readers.items())

    def _strict_reader(self) -> Reader:
        """A reader that raises Refused for any field that it cannot read."""
        kind, delivered = self.kind, Outcome.DELIVERED
        phone_at = phone_of(self.phone) if self.phone else nothing
        biz_at, out_at, call_at = _text(self.biz_id), _text(self.out_id), _text(self.call_id)
        code_at, detail_at = _text(self.code), self._detail()
        sent_at = instant_of(self.sent_at) if self.sent_at else never
        reported_at = instant_of(self.reported_at) if self.reported_at else never
        verdict = self.outcome.verdict() if self.outcome else _open
        identify, is_test = self._identity(), self._test()
        parts_of, numbers_of = reader_of(self.measures.get("parts")), reader_of(self.measures.get("numbers"))

        def read(fields: Fields, body: bytes) -> Receipt:
            phone, biz_id, call_id = phone_at(fields), biz_at(fields), call_at(fields)
            identity = identify(fields, (phone, biz_id, call_id))
            code = code_at(fields)
            outcome, talked = verdict(fields, code)
            if outcome is delivered and (not code or code == "DELIVRD"):
                code = "DELIVERED"  # carriers spell it so, some leave it out: one statement, not three
            return Receipt(
                kind,
                identity,
                outcome,
                code,
                sent_at(fields),
                reported_at(fields),
                phone,
                biz_id,
                out_at(fields),
                call_id,
                detail_at(fields),
                is_test(fields),
                body,
                sha256(body).digest(),
                parts_of(fields),
                talked,
                numbers_of(fields) or "",
            )

        return read

    def _detail(self) -> Callable[[Fields], str]:
        if isinstance(self.detail, Digest):
            return digest_of(self.detail.fields)
        if not self.detail and isinstance(self.outcome, Status):
            return self.outcome.unlisted()
        return _text(self.detail)

    def _identity(self) -> Callable[[Fields, _Parts], _Parts]:
        """Compile. The reader gets the columns (phone, biz_id, call_id) too, and raises Refused for a missing part."""
        columns = (self.phone, self.biz_id, self.call_id)
        others = [part for part in self.identity if part not in columns]
        readers = [text_of(part) for part in others]
        only = readers[0] if len(readers) == 1 else None
        places = {part: place for place, part in enumerate((*columns, *others)) if part}
        pick = _pick([places[part] for part in self.identity])
        must = [place for place, part in enumerate(self.identity) if part not in self.optional]

        def read(fields: Fields, row: _Parts) -> _Parts:
            if only:
                row = (*row, only(fields))
            elif readers:
                row = (*row, *[reader(fields) for reader in readers])
            identity = pick(row)
            if "" in identity and not all(identity[place] for place in must):
                raise Refused(Reason.MISSING)
            return identity

        return read

    def _test(self) -> Callable[[Fields], bool]:
        if not self.test:
            return lambda _: False
        (name, value), *others = self.test.items()
        return lambda fields: (
            fields.get(name) == value and all(fields.get(other) == expected for other, expected in others)
        )


def _readable(reader: Callable[[Fields], object], fields: Fields) -> bool:
    try:
        reader(fields)
    except Refused:
        return False
    return True


_Parts = tuple[str, ...]


def _pick(places: list[int]) -> Callable[[_Parts], _Parts]:
    return itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)


def _text(spec: str) -> Callable[[Fields], str]:
    return text_of(spec) if spec else nothing


def _open(_fields: Fields, _code: str) -> tuple[None, None]:
    """The verdict of a dialect that has none."""
    return None, None
