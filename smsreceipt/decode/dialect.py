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
from smsreceipt.decode.measures import Measure, measured
from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import Fields
from smsreceipt.model import Kind, Outcome, Reason, Receipt

Reader = Callable[[Fields, bytes], Receipt]
Verdict = Callable[[Fields, str], Outcome | None]  #: from the fields and the code


@dataclass(frozen=True, slots=True)
class Success:
    """A boolean decides the outcome; with a *doubtful* code, false means that the provider does not know."""

    field: str
    doubtful: frozenset[str]

    def verdict(self) -> Verdict:
        """Compile. The reader raises Refused where the boolean is missing or no boolean."""
        name, truth, doubtful = self.field, truth_of(self.field), self.doubtful
        delivered, failed, unknown = Outcome.DELIVERED, Outcome.FAILED, Outcome.UNKNOWN

        def read(fields: Fields, code: str) -> Outcome | None:
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
        unsettled = {Outcome.PENDING, Outcome.UNKNOWN}

        def read(fields: Fields, code: str) -> Outcome | None:
            status = text(fields)
            if self.required and not status:
                raise Refused(Reason.MISSING)
            if not code and status in self.open_without_code and not fields.get(self.open_without_code[status]):
                return Outcome.PENDING
            outcome = meanings.get(status) or self.by_code.get(code, self.otherwise)
            return Outcome.DELIVERED if code in delivering and status in meanings and outcome in unsettled else outcome

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
        answered, ended, no_calls = instant_of(self.answered), instant_of(self.ended), self.no_calls

        def read(fields: Fields, _: str) -> Outcome | None:
            if no_calls and str(fields.get(self.type)) in no_calls:
                return None
            start, end = answered(fields), ended(fields)
            if end is None:
                return Outcome.UNKNOWN
            return Outcome.CONNECTED if start is not None and end > start else Outcome.UNCONNECTED

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
    measures: Mapping[str, Measure] = dataclasses.field(default_factory=dict)  #: by the field of Receipt
    #: Further documented fields, all texts; an object with any other field is read more slowly.
    also: tuple[str, ...] = ()

    def matcher(self, *, untold: bool = False) -> Callable[[Fields], bool]:
        """Compile the marks into a test of whether an object is of this dialect. *untold*: its kind is not known."""
        marks = self.marks + self.telling if untold else self.marks
        names = frozenset(spec for spec in marks if "|" not in spec)
        choices = [spec.split("|") for spec in marks if "|" in spec]
        denied = [name for spec in self.excludes for name in spec.split("|")]

        def fits(fields: Fields) -> bool:
            return (
                names <= fields.keys()
                and all(any(name in fields for name in choice) for choice in choices)
                and not any(name in fields for name in denied)
            )

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
        identify, is_test, further = self._identity(), self._test(), measured(self.measures)

        def read(fields: Fields, body: bytes) -> Receipt:
            phone, biz_id, call_id = phone_at(fields), biz_at(fields), call_at(fields)
            identity = identify(fields, (phone, biz_id, call_id))
            code = code_at(fields)
            outcome = verdict(fields, code)
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
                *further(fields, outcome),
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
        places = {part: place for place, part in enumerate((*columns, *others)) if part}
        pick = _pick([places[part] for part in self.identity])
        must = [place for place, part in enumerate(self.identity) if part not in self.optional]

        def read(fields: Fields, row: _Parts) -> _Parts:
            identity = pick((*row, *[reader(fields) for reader in readers]) if readers else row)
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


def _open(_fields: Fields, _code: str) -> None:
    """The verdict of a dialect that has none."""
